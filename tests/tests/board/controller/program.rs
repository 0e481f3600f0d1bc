//! `muster-controller` as the program that people run.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};

use muster_proto::documents::Digest;

use crate::world::{Board, World};

fn program() -> Command {
    Command::new(muster_tests::fleet::process::binary("muster-controller").unwrap())
}

fn run(args: &[&str]) -> Output {
    program().args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn init_prints_what_the_root_ceremony_needs_and_never_overwrites() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("board");
    let args = ["init", "--dir", at.to_str().unwrap(), "--network", "testnet", "--json"];
    let made = run(&args);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    made["tls_pin"].as_str().unwrap().parse::<Digest>().unwrap();
    assert_eq!(made["snapshot_key"].as_str().unwrap().len(), 64);
    let again = run(&args);
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).starts_with("error: C040"), "{}", text(&again.stderr));
}

#[test]
fn check_says_what_is_missing_with_its_code() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().to_str().unwrap();
    assert!(run(&["init", "--dir", at, "--network", "testnet"]).status.success());
    let config = dir.path().join("controller.yaml");
    let checked = run(&["check", "--config", config.to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(2));
    assert!(text(&checked.stderr).starts_with("error: C004"), "{}", text(&checked.stderr));
}

#[tokio::test]
async fn run_prints_its_address_serves_and_ends_cleanly_on_sigterm() {
    let world = World::new();
    let config = world.made.config.to_str().unwrap();
    let mut child = program()
        .args(["run", "--config", config, "--json", "--publisher-every", "1s"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let said: serde_json::Value = serde_json::from_str(&line).unwrap();
    let addr = said["listening"].as_str().unwrap().parse().unwrap();
    let board = Board::elsewhere(addr, world.made.tls_pin.clone());
    world.publish_keys(&board).await;
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let ended = tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
    assert!(ended.success(), "{ended}");

    let checked = run(&["check", "--config", config]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    assert!(text(&checked.stdout).starts_with("board of testnet: in order"));
}
