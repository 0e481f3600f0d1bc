//! Files and sockets whose rights or kind stop an agent, each by its code. Rights do not bind who
//! may do everything: where they must, the program runs without that (`setpriv` of util-linux).

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use super::daemon::at;
use super::host::Host;
use crate::world::World;
use anyhow::Result;
use muster_tests::fleet::process::{Said, binary, end};
use tokio::process::Command;

/// The account that nobody uses.
const NOBODY: u32 = 65_534;

/// The real program as an account whose rights bind, in `dir`.
async fn bound(args: &[&str], dir: &Path) -> Result<Said> {
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-all", "--inh-caps=-all", "--"]).arg(binary("muster-agent")?);
    command.args(args).current_dir(dir);
    end(command).await
}

#[track_caller]
fn refused(said: &Said, exit: i32, code: &str) {
    assert_eq!(said.code, exit, "{said:?}");
    assert!(said.err.contains(code), "{code} in {said:?}");
}

/// The files of an agent's folder with what is in them.
fn files(host: &Host) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(host.file("")).expect("a folder");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        Some((name, std::fs::read(&path).ok()?))
    };
    entries.filter_map(read).collect()
}

#[tokio::test]
async fn a_folder_that_may_not_be_written_to_gets_no_agent() -> Result<()> {
    let world = World::new();
    let dir = world.dir.path();
    let locked = dir.join("locked");
    std::fs::create_dir(&locked)?;
    std::fs::set_permissions(&locked, PermissionsExt::from_mode(0o500))?;
    let sha256 = muster_proto::documents::Digest::of(&std::fs::read(dir.join("1.root.json"))?);
    let board = format!("127.0.0.1:7443={}", world.made.tls_pin);
    let init = ["init", "--network", "testnet", "--name", "bob-1", "--root", "1.root.json"];
    let pins = ["--root-sha256", sha256.hex(), "--controller", &board];
    let args = |folder: &'static str| [&["--dir", folder][..], &init[..], &pins[..]].concat();
    refused(&bound(&args("locked/agent"), dir).await?, 1, "E511");
    assert_eq!(std::fs::read_dir(&locked)?.count(), 0);
    // Where the folder may be written to, the same goes well.
    let said = bound(&args("agent"), dir).await?;
    assert_eq!(said.code, 0, "{said:?}");
    Ok(())
}

#[tokio::test]
async fn a_root_that_cannot_be_read_gets_no_agent() -> Result<()> {
    let world = World::new();
    let args = ["--dir", "agent", "init", "--network", "testnet", "--name", "bob-1", "--root"];
    let board = format!("127.0.0.1:7443={}", world.made.tls_pin);
    let zeros = "0".repeat(64);
    let pins = ["no.root.json", "--root-sha256", &zeros, "--controller", &board];
    refused(&bound(&[&args[..], &pins[..]].concat(), world.dir.path()).await?, 1, "E511");
    assert!(!world.dir.path().join("agent").exists());
    Ok(())
}

#[tokio::test]
async fn only_the_agents_own_account_may_ask_it() -> Result<()> {
    let world = World::new();
    let board = world.start_with_roster().await;
    let mut bob = Host::new(&world, "bob-1", 2, &[at(&board)]).await?;
    bob.policy("default: ask");
    bob.start()?;
    let plan = world.publish_plan(&board, 1).await;
    bob.plan(&plan, |view| view.text.contains("operator")).await?;
    let ask = ["--dir", "agent", "decline", "1", "--why", "not me"];
    let socket = bob.file("control.sock");
    chown(&socket, Some(NOBODY), None)?;
    refused(&bound(&ask, bob.dir.path()).await?, 3, "E541");
    refused(&bound(&["--dir", "agent", "status"], bob.dir.path()).await?, 3, "E541");
    bob.plan(&plan, |view| view.text.contains("operator")).await?;
    chown(&socket, Some(0), None)?;
    let said = bound(&ask, bob.dir.path()).await?;
    assert_eq!(said.code, 0, "{said:?}");
    Ok(())
}

#[tokio::test]
async fn an_agent_that_cannot_listen_does_not_run() -> Result<()> {
    let world = World::new();
    let board = world.start_with_roster().await;
    let mut bob = Host::new(&world, "bob-1", 2, &[at(&board)]).await?;
    let (socket, before) = (bob.file("control.sock"), files(&bob));
    std::fs::create_dir(&socket)?;
    refused(&bob.ask("run", &[]).await?, 1, "E546");
    let after = files(&bob);
    assert!(before.iter().all(|(name, bytes)| after.get(name) == Some(bytes)), "{after:?}");
    std::fs::remove_dir(&socket)?;
    bob.start()?;
    bob.attached().await?;
    Ok(())
}
