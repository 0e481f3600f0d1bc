//! A person at a terminal: a program on a pseudo terminal of its own, answered as it asks.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::fleet::process::Said;

/// A dialogue takes no longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs `program` in `dir` on a terminal (`script` of util-linux makes it), waits for each prompt
/// and types what belongs to it. What the terminal showed is `out`; it knows no standard error.
///
/// # Errors
/// When it cannot be started, ends before it asked everything, or does not end.
pub async fn converse(
    program: &Path,
    args: &[&str],
    dir: &Path,
    dialogue: &[(&str, &str)],
) -> Result<Said> {
    let program = program.display().to_string();
    let words: Vec<_> = std::iter::once(program.as_str()).chain(args.iter().copied()).collect();
    ensure!(!words.iter().any(|word| word.contains('\'')), "no quotes in {words:?}");
    let line: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
    shell(&line.join(" "), dir, dialogue).await
}

/// As [`converse`], with a line of shell instead of a program.
///
/// # Errors
/// As [`converse`].
pub async fn shell(line: &str, dir: &Path, dialogue: &[(&str, &str)]) -> Result<Said> {
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", line, "/dev/null"]).current_dir(dir);
    command.env("SHELL", "/bin/sh").env("TERM", "dumb").kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let child = command.spawn().context("`script` of util-linux is needed")?;
    let talked = timeout(PATIENCE, talk(child, dialogue)).await;
    talked.with_context(|| format!("{line}: it does not end"))?
}

/// Fails when a line on a screen is longer than 80 columns.
///
/// # Panics
/// Then, with the line.
#[track_caller]
pub fn fits(text: &str) {
    let long = text.lines().find(|line| line.chars().count() > 80);
    assert_eq!(long, None, "longer than 80 columns");
}

async fn talk(mut child: Child, dialogue: &[(&str, &str)]) -> Result<Said> {
    let mut hands = child.stdin.take().context("its input")?;
    let mut screen = child.stdout.take().context("its output")?;
    let (mut shown, mut heard) = (Vec::new(), 0);
    for (prompt, answer) in dialogue {
        while !text(&shown[heard..]).contains(prompt) {
            let read = screen.read_buf(&mut shown).await?;
            if read == 0 {
                bail!("it ended before it asked {prompt:?}: {}", text(&shown));
            }
        }
        heard = shown.len();
        if ["Passphrase", "The same again"].iter().any(|secret| prompt.contains(secret)) {
            until_hidden(child.id().context("it runs")?).await?;
        }
        hands.write_all(format!("{answer}\n").as_bytes()).await?;
    }
    screen.read_to_end(&mut shown).await?;
    let ended = child.wait().await?;
    Ok(Said { code: ended.code().unwrap_or(-1), out: text(&shown), err: String::new() })
}

/// A person types later than a program asks: waits until the terminal of what `script` runs shows
/// nothing of what is typed.
async fn until_hidden(script: u32) -> Result<()> {
    let children = std::fs::read_to_string(format!("/proc/{script}/task/{script}/children"))?;
    let inside = children.split_whitespace().next().context("nothing runs on the terminal")?;
    let terminal = std::fs::read_link(format!("/proc/{inside}/fd/0"))?;
    let mut pace = tokio::time::interval(Duration::from_millis(10));
    loop {
        pace.tick().await;
        let set = Command::new("stty").arg("-F").arg(&terminal).arg("-a").output().await?;
        if text(&set.stdout).split_whitespace().any(|word| word == "-echo") {
            return Ok(());
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
