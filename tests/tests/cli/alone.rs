//! What the real `muster` refuses without any controller: wrong use, other people's roots, things
//! that are not there. Each ends with its exit code, names its code, and changes nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use muster_proto::documents::Digest;
use muster_proto::trust::keys::SecretKey;
use muster_tests::fleet::process::{Said, binary};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// One officer alone: a folder, a key, and after [`Officer::founded`] a root that he pinned.
pub(super) struct Officer(TempDir);

const PASSPHRASE: &str = "correct horse of alice\n";

impl Officer {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    /// Everything in his folder, by name.
    pub(super) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let read = |name: String| {
            let bytes = std::fs::read(self.path(&name)).expect("a file");
            (name, bytes)
        };
        listing(self.0.path()).into_iter().map(read).collect()
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path(file), text).expect("written");
    }

    pub(super) async fn muster(&self, args: &[&str]) -> Said {
        self.with_input(args, "").await
    }

    pub(super) async fn secretly(&self, args: &[&str]) -> Said {
        self.with_input(&[args, &["--passphrase-fd", "0"]].concat(), PASSPHRASE).await
    }

    async fn with_input(&self, args: &[&str], input: &str) -> Said {
        let mut command = Command::new(binary("muster").expect("muster is built"));
        command.env_clear().args(["--dir", "."]).args(args).current_dir(self.0.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("its input");
        // Who does not read it is free not to.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = child.wait_with_output().await.expect("it ends");
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// A root of one key, signed, assembled and pinned; its draft stays in the folder.
    pub(super) async fn founded() -> Self {
        let alice = Self::new();
        let made =
            alice.secretly(&["--json", "key", "new", "--name", "alice", "-o", "a.pem"]).await;
        let made: serde_json::Value = serde_json::from_str(&made.out).expect("a key");
        let [snap, time] = [1, 2].map(|seed| SecretKey::from_seed(&[seed; 32]).public());
        alice.write(
            "root.yaml",
            &format!(
                "muster: root/v1\nnetwork: testnet\nexpires: 2099-01-01T00:00:00Z\n\
                 officers: {{alice: {}}}\npublisher: {{snap: {snap}, time: {time}}}\n\
                 root: {{threshold: 1, keys: [alice]}}\ntargets: {{threshold: 1, keys: [alice]}}\n\
                 snapshot: {{keys: [snap]}}\ntimestamp: {{keys: [time]}}\n",
                made["public_key"].as_str().expect("a key")
            ),
        );
        done(&alice.muster(&["root", "freeze", "root.yaml", "-o", "root.draft"]).await);
        done(&alice.secretly(&["sign", "root.draft", "--key", "a.pem", "--yes"]).await);
        let assemble = ["root", "assemble", "root.draft", "root.a.sig", "-o", "first.json"];
        done(&alice.muster(&assemble).await);
        let bytes = std::fs::read(alice.path("first.json")).expect("a root");
        let digest = Digest::of(&bytes);
        let pin = ["--root", "first.json", "--root-sha256", digest.hex()];
        done(&alice.muster(&[&["init", "--network", "testnet"][..], &pin].concat()).await);
        alice
    }
}

#[track_caller]
pub(super) fn done(said: &Said) {
    assert_eq!(said.code, 0, "{said:?}");
}

#[track_caller]
pub(super) fn refused(said: &Said, exit: i32, code: &str) {
    assert_eq!(said.code, exit, "{said:?}");
    assert!(said.err.contains(&format!("error[{code}]")), "{code} in {said:?}");
}

pub(super) fn listing(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("a folder");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_folder_that_follows_no_network_can_do_nothing_with_a_board() {
    let nobody = Officer::new();
    refused(&nobody.muster(&["fleet"]).await, 2, "U001");
    refused(&nobody.muster(&["init"]).await, 2, "U007");
    nobody.write("config.yaml", "network: testnet\ntrust-everybody: true\n");
    refused(&nobody.muster(&["fleet"]).await, 2, "U002");
    nobody.write("config.yaml", "network: testnet\n");
    refused(&nobody.muster(&["plan", "freeze", "x.yaml", "-o", "x", "--offline"]).await, 2, "U003");
    assert_eq!(listing(nobody.0.path()), ["config.yaml"]);
}

#[tokio::test]
async fn files_that_are_missing_or_in_the_way_and_codes_that_are_none_are_refused() {
    let alice = Officer::new();
    refused(&alice.muster(&["plan", "lint", "none.yaml", "--roster", "none"]).await, 1, "U004");
    refused(&alice.muster(&["explain", "X999"]).await, 2, "U005");
    alice.write("a.pem", "mine");
    let new = ["key", "new", "--name", "alice", "-o", "a.pem"];
    refused(&alice.secretly(&new).await, 2, "U006");
    assert_eq!(std::fs::read_to_string(alice.path("a.pem")).expect("a file"), "mine");
}

#[tokio::test]
async fn passphrases_come_from_people_and_are_long() {
    let alice = Officer::new();
    let new = ["key", "new", "--name", "alice", "-o", "a.pem"];
    let from = [&new[..], &["--passphrase-fd", "0"]].concat();
    refused(&alice.muster(&new).await, 2, "U020");
    refused(&alice.with_input(&from, "too short\n").await, 2, "U023");
    refused(&alice.with_input(&from, "").await, 2, "U024");
    assert!(listing(alice.0.path()).is_empty());
}

#[tokio::test]
async fn another_network_or_another_root_is_never_pinned_over_the_first() {
    let alice = Officer::founded().await;
    let before = std::fs::read_to_string(alice.path("config.yaml")).expect("a configuration");
    refused(&alice.muster(&["init", "--network", "mainnet"]).await, 3, "U030");
    let zeros = "0".repeat(64);
    let pin = ["init", "--root", "first.json", "--root-sha256", &zeros];
    refused(&alice.muster(&pin).await, 3, "U031");
    alice.write("other.json", "{}");
    let digest = Digest::of(b"{}");
    let pin = ["init", "--root", "other.json", "--root-sha256", digest.hex()];
    refused(&alice.muster(&pin).await, 3, "U030");
    let after = std::fs::read_to_string(alice.path("config.yaml")).expect("a configuration");
    assert_eq!(before, after);
}

#[tokio::test]
async fn boards_that_are_not_named_or_not_there_are_told_apart() {
    let alice = Officer::founded().await;
    refused(&alice.muster(&["history"]).await, 5, "U040");
    // A port that was free a moment ago; nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr();
    let board = format!("{}={}", free.expect("an address"), Digest::of(b"key").hex());
    done(&alice.muster(&["init", "--controller", &board]).await);
    refused(&alice.muster(&["fleet"]).await, 5, "U041");
}

#[tokio::test]
async fn without_a_verified_roster_no_plan_is_looked_at() {
    let alice = Officer::founded().await;
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/examples/plan-stop.yaml");
    std::fs::copy(example, alice.path("plan.yaml")).expect("an example");
    refused(&alice.muster(&["plan", "lint", "plan.yaml", "--offline"]).await, 4, "U013");
    refused(&alice.muster(&["plan", "simulate", "plan.yaml", "--offline"]).await, 4, "U013");
}

#[tokio::test]
async fn nobody_signs_without_being_asked_and_no_other_file_is_a_signature() {
    let alice = Officer::founded().await;
    done(&alice.muster(&["root", "freeze", "root.yaml", "-o", "2.draft", "--offline"]).await);
    let sign = ["sign", "2.draft", "--key", "a.pem"];
    refused(&alice.secretly(&sign).await, 2, "U020");
    alice.write("x.sig", "{}");
    refused(&alice.muster(&["publish", "2.draft", "x.sig"]).await, 3, "U014");
    assert!(!listing(alice.0.path()).contains(&"2.a.sig".to_owned()));
}

#[tokio::test]
async fn only_a_draft_of_a_plan_is_simulated_and_it_brings_its_own_roster() {
    let alice = Officer::founded().await;
    done(&alice.muster(&["root", "freeze", "root.yaml", "-o", "2.draft", "--offline"]).await);
    refused(&alice.muster(&["plan", "simulate", "2.draft"]).await, 3, "D003");
    let beside = ["plan", "simulate", "2.draft", "--roster", "roster.yaml"];
    refused(&alice.muster(&beside).await, 2, "U007");
}

#[tokio::test]
async fn a_bundle_is_asked_for_in_one_form_and_must_be_one() {
    let alice = Officer::founded().await;
    alice.write("42.bundle", "{}");
    let verify = ["bundle", "verify", "42.bundle", "--root", "first.json"];
    let both = [&["--json"][..], &verify, &["--csv"]].concat();
    let said = alice.muster(&both).await;
    assert!(said.code == 2 && said.out.contains("U070"), "{said:?}");
    refused(&alice.muster(&verify).await, 3, "V030");
    let another = Digest::of(b"another");
    let other = [&verify[..], &["--root-sha256", another.hex()]].concat();
    refused(&alice.muster(&other).await, 3, "U031");
    let missing = ["bundle", "verify", "none", "--root", "first.json"];
    refused(&alice.muster(&missing).await, 1, "U004");
}
