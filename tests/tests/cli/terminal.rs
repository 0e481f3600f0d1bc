//! Officers at a terminal who say no, or mistype: nothing is signed and nothing is made.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use muster_proto::documents::Digest;
use muster_tests::fleet::process::{Said, binary, run};
use muster_tests::terminal::converse;

use super::alone::{Officer, done, listing};

/// The real `muster` on a terminal, in alice's folder.
async fn at_a_terminal(alice: &Officer, args: &[&str], dialogue: &[(&str, &str)]) -> Result<Said> {
    let args = [&["--dir", "."], args].concat();
    converse(&binary("muster")?, &args, &alice.path(""), dialogue).await
}

#[track_caller]
fn refused(said: &Said, exit: i32, code: &str) {
    assert_eq!(said.code, exit, "{said:?}");
    // A terminal shows both outputs.
    assert!(said.out.contains(&format!("error[{code}]")), "{code} in {said:?}");
}

#[tokio::test]
async fn what_is_not_confirmed_is_not_signed() -> Result<()> {
    let alice = Officer::founded().await;
    done(&alice.muster(&["root", "freeze", "root.yaml", "-o", "2.draft", "--offline"]).await);
    // What was verified once is a floor; that is kept also when nothing is signed.
    done(&alice.muster(&["inspect", "2.draft"]).await);
    let before = alice.files();
    let sign = ["sign", "2.draft", "--key", "a.pem"];
    for no in ["n", "", "of course not"] {
        let said = at_a_terminal(&alice, &sign, &[("[y/N]", no)]).await?;
        refused(&said, 3, "U021");
        assert!(said.out.contains("root 2"), "he saw what it is: {said:?}");
    }
    assert!(alice.files() == before, "{:?}", listing(&alice.path("")));

    let dialogue = [("[y/N]", "y"), ("Passphrase for a.pem", "correct horse of alice")];
    let said = at_a_terminal(&alice, &sign, &dialogue).await?;
    assert_eq!(said.code, 0, "{said:?}");
    assert!(!said.out.contains("correct horse"), "a passphrase is not shown: {said:?}");
    assert!(listing(&alice.path("")).contains(&"2.a.sig".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_passphrase_that_was_typed_in_two_ways_makes_no_key() -> Result<()> {
    let alice = Officer::new();
    let new = ["key", "new", "--name", "alice", "-o", "b.pem"];
    let first = ("Passphrase for b.pem", "correct horse of alice");
    let dialogue = [first, ("The same again", "correct horse of alicf")];
    refused(&at_a_terminal(&alice, &new, &dialogue).await?, 2, "U022");
    assert!(listing(&alice.path("")).is_empty());

    let dialogue = [first, ("The same again", "correct horse of alice")];
    assert_eq!(at_a_terminal(&alice, &new, &dialogue).await?.code, 0);
    assert_eq!(listing(&alice.path("")), ["b.pem"]);
    Ok(())
}

/// `muster-agent init` on a delegate's host; what it printed, and the enrolment it wrote.
async fn enrolled(alice: &Officer, host: &Path) -> Result<(Said, PathBuf)> {
    let root = alice.path("first.json");
    let sha256 = Digest::of(&std::fs::read(&root)?);
    let root = root.display().to_string();
    let args = ["--dir", "agent", "init", "--network", "testnet", "--name", "robot-1"];
    let trust = ["--root", &root, "--root-sha256", sha256.hex(), "--controller"];
    let board = format!("127.0.0.1:7443={}", Digest::of(b"a board's key").hex());
    let rest = ["--endpoint", "127.0.0.1:8080", "--contact", "robots on call", "--operator"];
    let operator = "io10e2e90zvrwcvggmj5x8dxgg43eef9ca9ea8k9n";
    let args = [&args[..], &trust, &[&board], &rest, &[operator]].concat();
    let said = run(&binary("muster-agent")?, &args, host).await?;
    Ok((said, host.join("agent/robot-1.enrol")))
}

#[tokio::test]
async fn an_agent_is_added_only_by_the_fingerprint_that_its_own_host_printed() -> Result<()> {
    let (alice, host) = (Officer::founded().await, tempfile::tempdir()?);
    let (init, enrolment) = enrolled(&alice, host.path()).await?;
    done(&init);
    let printed = init.out.lines().find_map(|line| line.trim().strip_prefix("fingerprint"));
    let printed = printed.context("init prints a fingerprint")?.trim();
    assert_eq!(printed.len(), 64, "{printed}");

    let empty = "muster: roster/v1\nnetwork: testnet\nconsensus: {active: 4}\nnodes: []\n";
    let roster = alice.path("roster.yaml");
    std::fs::write(&roster, empty)?;
    let enrolment = enrolment.display().to_string();
    let add = ["roster", "add", &enrolment, "--roster", "roster.yaml"];
    let before = alice.files();
    let said = at_a_terminal(&alice, &add, &[("[y/N]", "n")]).await?;
    refused(&said, 3, "U021");
    assert!(alice.files() == before, "{:?}", listing(&alice.path("")));
    let shown = said.out.lines().find_map(|line| line.trim().strip_prefix("fingerprint"));
    let shown = shown.context("it shows a fingerprint")?.trim();
    assert_eq!(shown.trim_start_matches("sha256:"), printed, "he compares these two by telephone");

    assert_eq!(at_a_terminal(&alice, &add, &[("[y/N]", "y")]).await?.code, 0);
    assert!(std::fs::read_to_string(&roster)?.contains("name: robot-1"));
    Ok(())
}
