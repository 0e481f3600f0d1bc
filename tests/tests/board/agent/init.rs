//! `muster-agent init` and what the command line says before a daemon ever ran: the real binary.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use muster_proto::documents::author::Enrol;
use muster_proto::documents::keys::{RootSpec, Signers};
use muster_proto::documents::{Digest, canonical};
use muster_proto::trust::{SecretKey, draft};
use muster_tests::fleet::process::{Said, binary, run};

const NETWORK: &str = "testnet";

/// A folder with a root of trust in it, and the agent that is to be made.
struct Host {
    dir: tempfile::TempDir,
    sha256: Digest,
}

impl Host {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let root = root();
        std::fs::write(dir.path().join("1.root.json"), &root).expect("a file");
        Self { dir, sha256: Digest::of(&root) }
    }

    fn agent(&self) -> PathBuf {
        self.dir.path().join("agent")
    }

    async fn init(&self, sha256: &Digest) -> Result<Said> {
        let pin = format!("127.0.0.1:7443={}", Digest::of(b"board").hex());
        let operator = "io1mflp9m6hcgm2qcghchsdqj3z3eccrnekx9p0ms";
        let rest =
            ["--contact", "ops@example", "--endpoint", "10.0.0.1:8080", "--operator", operator];
        let mut args = vec!["--network", NETWORK, "--name", "node-1", "--root", "1.root.json"];
        args.extend(["--root-sha256", sha256.hex(), "--controller", &pin]);
        args.extend(rest);
        self.run("init", &args).await
    }

    async fn run(&self, command: &str, args: &[&str]) -> Result<Said> {
        let mut all = vec!["--dir", "agent", command];
        all.extend(args);
        run(&binary("muster-agent")?, &all, self.dir.path()).await
    }

    /// Everything that lies in the agent's folder, by name.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let Ok(entries) = std::fs::read_dir(self.agent()) else { return BTreeMap::new() };
        let read = |path: PathBuf| (name(&path), std::fs::read(&path).expect("a readable file"));
        entries.map(|entry| read(entry.expect("an entry").path())).collect()
    }

    fn key(&self) -> SecretKey {
        let pem = std::fs::read_to_string(self.agent().join("agent.key")).expect("a key");
        SecretKey::from_pem(&pem, None).expect("a key")
    }
}

fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

/// A root of trust that one officer signed.
fn root() -> Vec<u8> {
    let [alice, online] = [50, 51].map(|seed| SecretKey::from_seed(&[seed; 32]));
    let of = |name: &str| Signers { threshold: 1, keys: vec![name.into()] };
    let spec = RootSpec {
        version: 1,
        expires: soon(),
        networks: vec![NETWORK.into()],
        officers: BTreeMap::from([("alice".into(), alice.public())]),
        publishers: BTreeMap::from([("online".into(), online.public())]),
        root: of("alice"),
        targets: of("alice"),
        snapshot: of("online"),
        timestamp: of("online"),
        serial_floor: BTreeMap::new(),
    };
    let draft = draft::freeze_root(&spec, None, Timestamp::now()).expect("a draft");
    let checked = draft.verify(None, Timestamp::now()).expect("a good draft");
    let signature = checked.sign(&alice).expect("a signature");
    let merged = checked.merge(&[signature]).expect("enough signatures");
    merged.publication().expect("nothing is missing").metadata.clone()
}

fn soon() -> Timestamp {
    let seconds = Timestamp::now().as_second();
    Timestamp::from_second(seconds).expect("a time") + SignedDuration::from_hours(24 * 300)
}

#[tokio::test]
async fn a_new_agent_pins_its_root_and_proves_its_key_in_the_enrolment() -> Result<()> {
    let host = Host::new();
    let said = host.init(&host.sha256).await?;
    assert_eq!(said.code, 0, "{}", said.err);
    let enrol = Enrol::open(&host.files()["node-1.enrol"])?;
    assert_eq!(enrol.key, host.key().public());
    assert_eq!((enrol.network.as_str(), enrol.contact.as_str()), (NETWORK, "ops@example"));
    assert!(said.out.contains(enrol.fingerprint().hex()), "{}", said.out);
    assert!(said.out.lines().all(|line| line.chars().count() <= 80), "{}", said.out);
    let mode = |name: &str| {
        let metadata = std::fs::metadata(host.agent().join(name)).expect("a file");
        metadata.permissions().mode() & 0o777
    };
    assert_eq!((mode("agent.key"), mode(".")), (0o600, 0o700));
    Ok(())
}

#[tokio::test]
async fn another_root_than_the_named_one_is_refused_and_nothing_is_made() -> Result<()> {
    let host = Host::new();
    let said = host.init(&Digest::of(b"another root")).await?;
    assert_eq!(said.code, 3, "{}", said.err);
    assert!(said.err.contains("T024"), "{}", said.err);
    assert!(!host.agent().exists());
    Ok(())
}

#[tokio::test]
async fn a_root_of_other_networks_is_refused_and_nothing_is_made() -> Result<()> {
    let host = Host::new();
    let pin = format!("127.0.0.1:7443={}", Digest::of(b"board").hex());
    let mut args = vec!["--network", "mainnet", "--name", "node-1", "--root", "1.root.json"];
    args.extend(["--root-sha256", host.sha256.hex(), "--controller", &pin]);
    let said = host.run("init", &args).await?;
    assert!(said.code == 3 && said.err.contains("T023"), "{}", said.err);
    assert!(!host.agent().exists());
    Ok(())
}

#[tokio::test]
async fn an_existing_agent_is_never_overwritten() -> Result<()> {
    let host = Host::new();
    host.init(&host.sha256).await?;
    let before = host.files();
    let said = host.init(&host.sha256).await?;
    assert_eq!(said.code, 3, "{}", said.err);
    assert!(said.err.contains("E510"), "{}", said.err);
    assert_eq!(host.files(), before);
    // Also when only the key is left of it.
    for name in ["agent.yaml", "trust.state", "node-1.enrol"] {
        std::fs::remove_file(host.agent().join(name))?;
    }
    assert_eq!(host.init(&host.sha256).await?.code, 3);
    assert_eq!(host.files()["agent.key"], before["agent.key"]);
    Ok(())
}

#[tokio::test]
async fn the_key_stands_in_no_other_file_and_in_no_output() -> Result<()> {
    let host = Host::new();
    let mut said = vec![host.init(&host.sha256).await?];
    said.push(host.run("status", &["--json"]).await?);
    said.push(host.init(&host.sha256).await?);
    let der = host.key().to_pkcs8_der();
    let seed = hex(&der[der.len() - 32..]);
    let pem = String::from_utf8(host.files()["agent.key"].clone())?;
    let body = pem.lines().nth(1).expect("a PEM body").to_owned();
    let mut texts: Vec<_> = said.into_iter().flat_map(|said| [said.out, said.err]).collect();
    let others = host.files().into_iter().filter(|(name, _)| name != "agent.key");
    texts.extend(others.map(|(_, bytes)| String::from_utf8_lossy(&bytes).into_owned()));
    for text in texts {
        assert!(!text.contains(&seed) && !text.contains(&body), "{text}");
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_key_that_others_can_read_is_not_used() -> Result<()> {
    let host = Host::new();
    host.init(&host.sha256).await?;
    let key = host.agent().join("agent.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640))?;
    let said = host.run("run", &[]).await?;
    assert_eq!(said.code, 1, "{}", said.err);
    assert!(said.err.contains("E512"), "{}", said.err);
    Ok(())
}

#[tokio::test]
async fn without_a_pinned_root_or_with_a_damaged_one_nothing_runs() -> Result<()> {
    let host = Host::new();
    host.init(&host.sha256).await?;
    let state = host.agent().join("trust.state");
    let mut bytes = std::fs::read(&state)?;
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&state, &bytes)?;
    let said = host.run("run", &[]).await?;
    assert!(said.code == 1 && said.err.contains("T040"), "{}", said.err);
    std::fs::remove_file(&state)?;
    let said = host.run("run", &[]).await?;
    assert!(said.code == 1 && said.err.contains("E513"), "{}", said.err);
    Ok(())
}

#[tokio::test]
async fn status_without_a_daemon_tells_what_the_files_know() -> Result<()> {
    let host = Host::new();
    host.init(&host.sha256).await?;
    let said = host.run("status", &[]).await?;
    assert_eq!(said.code, 5, "{}", said.err);
    assert!(said.out.contains("the agent does not run"), "{}", said.out);
    assert!(said.out.contains("not enrolled"), "{}", said.out);
    let root = ["root 1, expires in 299 days", "root 1, expires in 300 days"];
    assert!(root.iter().any(|root| said.out.contains(root)), "{}", said.out);
    let said = host.run("pending", &[]).await?;
    assert!(said.code == 5 && said.err.contains("E540"), "{}", said.err);
    let said = host.run("log", &[]).await?;
    assert_eq!((said.code, said.out.as_str()), (0, "nothing has happened here yet\n"));
    std::fs::write(host.agent().join("journal.sqlite"), "no journal")?;
    let said = host.run("status", &[]).await?;
    assert!(said.code == 5 && said.out.contains("stuck        E101"), "{}{}", said.out, said.err);
    Ok(())
}

#[tokio::test]
async fn a_wrong_question_ends_with_code_2() -> Result<()> {
    let host = Host::new();
    for (command, args) in
        [("approve", ["hotfix/0"].as_slice()), ("decline", &["42"]), ("dance", &[])]
    {
        assert_eq!(host.run(command, args).await?.code, 2, "{command} {args:?}");
    }
    // No terminal, no --yes: nobody can be asked. Without a daemon that shows first.
    assert_eq!(host.run("approve", &["42"]).await?.code, 5);
    Ok(())
}

#[tokio::test]
async fn a_configuration_that_a_person_broke_is_refused_with_its_place() -> Result<()> {
    let host = Host::new();
    host.init(&host.sha256).await?;
    let path = host.agent().join("agent.yaml");
    let text = std::fs::read_to_string(&path)?;
    std::fs::write(&path, format!("{text}colour: red\n"))?;
    let said = host.run("run", &[]).await?;
    let line = text.lines().count() + 1;
    assert_eq!(said.code, 1);
    assert!(said.err.contains(&format!("agent/agent.yaml:{line}:1")), "{}", said.err);
    assert!(said.err.contains("E503"), "{}", said.err);
    // What was signed stays canonical: the enrolment is untouched by people's edits.
    let enrol = Enrol::open(&host.files()["node-1.enrol"])?;
    assert!(canonical::to_bytes(&enrol).is_ok());
    Ok(())
}
