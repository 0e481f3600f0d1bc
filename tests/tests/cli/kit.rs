//! Three officers, each in a folder of his own with the real `muster`, and a real controller. What
//! goes from one officer to another is carried as a file; nothing else is shared.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use muster_proto::documents::PublicKey;
use muster_proto::trust::keys::SecretKey;
use muster_tests::fleet::board::Board;
use muster_tests::fleet::process::{Said, binary};
pub(crate) use muster_tests::terminal::fits;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

/// The officers.
pub(crate) const OFFICERS: [&str; 3] = ["alice", "bob", "carol"];
/// The network.
pub(crate) const NETWORK: &str = "testnet";
/// Any command of `muster` ends within this time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everybody and everything.
pub(crate) struct World {
    dir: TempDir,
    /// The board that everybody talks to.
    pub(crate) board: Board,
    /// Public signing keys, as `key new` printed them.
    pub(crate) keys: Vec<(String, String)>,
}

impl World {
    /// Officers with keys, a controller with keys, no root.
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let board = Board::init(&dir.path().join("board"), NETWORK).await.expect("a board");
        let mut world = Self { dir, board, keys: Vec::new() };
        for name in OFFICERS {
            std::fs::create_dir(world.home(name)).expect("a home");
            let args = ["--json", "key", "new", "--name", name, "-o", "key.pem"];
            let made = world.secretly(name, &args).await;
            let key = json(&made)["public_key"].as_str().expect("a key").to_owned();
            world.keys.push((name.to_owned(), key));
        }
        world
    }

    /// The root is signed by alice and bob, and everybody has pinned it; the board runs. Alice may
    /// publish and hold, bob may watch, carol is unknown to the board.
    pub(crate) async fn founded() -> Self {
        let mut world = Self::new().await;
        let sha256 = world.first_root().await;
        let pin = format!("{}={}", world.board.address.addr, world.board.address.pin.hex());
        for name in OFFICERS {
            world.carry("alice", name, "1.root.json");
            let root = ["--root", "1.root.json", "--root-sha256", &sha256];
            let args = ["--json", "init", "--network", NETWORK, "--controller", &pin];
            done(&world.muster(name, &[&args[..], &root[..]].concat()).await);
        }
        world.configure_board(&sha256).await;
        world.board.start().await.expect("the board starts");
        world
    }

    /// As [`World::founded`], with role keys and a roster of four nodes published.
    pub(crate) async fn with_roster() -> Self {
        let world = Self::founded().await;
        world.write("alice", "keys.yaml", &world.keys_yaml(2));
        world.publish("keys", "keys.yaml", &["alice", "bob"]).await;
        world.write("alice", "roster.yaml", &roster_yaml());
        world.publish("roster", "roster.yaml", &["alice", "bob"]).await;
        world
    }

    /// As [`World::with_roster`], with a plan published: restart all, node-3 first.
    pub(crate) async fn with_plan() -> Self {
        let world = Self::with_roster().await;
        world.write("alice", "plan.yaml", &plan_yaml(1));
        world.publish("plan", "plan.yaml", &["alice", "carol"]).await;
        world
    }

    async fn first_root(&self) -> String {
        self.write("alice", "root.yaml", &self.root_yaml());
        done(&self.muster("alice", &["root", "freeze", "root.yaml", "-o", "root.draft"]).await);
        for name in ["alice", "bob"] {
            self.carry("alice", name, "root.draft");
            done(&self.sign(name, "root.draft").await);
            self.carry(name, "alice", "root.key.sig").rename(&format!("root.{name}.sig"));
        }
        let sigs = ["root.alice.sig", "root.bob.sig"];
        let args = ["--json", "root", "assemble", "root.draft", "-o", "1.root.json"];
        let made = self.muster("alice", &[&args[..], &sigs[..]].concat()).await;
        json(&made)["sha256"].as_str().expect("a digest").to_owned()
    }

    async fn configure_board(&self, sha256: &str) {
        let root = self.home("alice").join("1.root.json");
        std::fs::copy(root, self.board.dir.join("1.root.json")).expect("the root");
        let config = self.board.dir.join("controller.yaml");
        let mut people =
            format!("root: {{file: 1.root.json, sha256: \"sha256:{sha256}\"}}\npeople:\n");
        for (name, rights) in [("alice", "watch, publish, hold"), ("bob", "watch")] {
            let shown = json(&self.muster(name, &["--json", "init"]).await);
            let key = shown["tls_key"].as_str().expect("a key");
            people.push_str(&format!("  - {{name: {name}, key: \"{key}\", rights: [{rights}]}}\n"));
        }
        let text = std::fs::read_to_string(&config).expect("a configuration");
        std::fs::write(&config, text.replace("people: []\n", &people)).expect("written");
    }

    /// Freezes `file` at alice's, has it signed, publishes it.
    pub(crate) async fn publish(&self, kind: &str, file: &str, signers: &[&str]) {
        let draft = format!("{file}.draft");
        done(&self.muster("alice", &[kind, "freeze", file, "-o", &draft]).await);
        let sigs = self.signed(&draft, signers).await;
        done(&self.hand_in(&draft, &sigs).await);
    }

    /// Carries a draft from alice to the signers and their signatures back to her.
    pub(crate) async fn signed(&self, draft: &str, signers: &[&str]) -> Vec<String> {
        let mut sigs = Vec::new();
        for name in signers {
            self.carry("alice", name, draft);
            done(&self.sign(name, draft).await);
            let made = draft.replace(".draft", ".key.sig");
            let sig = format!("{draft}.{name}.sig");
            self.carry(name, "alice", &made).rename(&sig);
            sigs.push(sig);
        }
        sigs
    }

    /// `muster publish` at alice's.
    pub(crate) async fn hand_in(&self, draft: &str, sigs: &[String]) -> Said {
        let sigs: Vec<_> = sigs.iter().map(String::as_str).collect();
        self.muster("alice", &[&["publish", draft][..], &sigs[..]].concat()).await
    }

    /// `muster sign` in somebody's home.
    pub(crate) async fn sign(&self, name: &str, draft: &str) -> Said {
        self.secretly(name, &["sign", draft, "--key", "key.pem", "--yes"]).await
    }

    /// Runs `muster` in somebody's home, his passphrase on standard input.
    pub(crate) async fn secretly(&self, name: &str, args: &[&str]) -> Said {
        let args = [args, &["--passphrase-fd", "0"]].concat();
        self.with_input(name, &args, &format!("correct horse of {name}\n")).await
    }

    /// Runs `muster` in somebody's home.
    pub(crate) async fn muster(&self, name: &str, args: &[&str]) -> Said {
        self.with_input(name, args, "").await
    }

    /// Runs `muster` in somebody's home, with `input` on standard input.
    pub(crate) async fn with_input(&self, name: &str, args: &[&str], input: &str) -> Said {
        let mut command = Command::new(binary("muster").expect("muster is built"));
        command.env_clear().args(["--dir", "."]).args(args).current_dir(self.home(name));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().expect("muster starts");
        let mut stdin = child.stdin.take().expect("its input");
        // Who does not read it is free not to.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let ended = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
        let output = ended.expect("muster ends").expect("its output");
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts `muster` in somebody's home and waits until it has said `words` on standard error; it
    /// goes on when it is given its input.
    pub(crate) async fn half_way(&self, name: &str, args: &[&str], words: &str) -> HalfWay {
        let mut command = Command::new(binary("muster").expect("muster is built"));
        command.env_clear().args(["--dir", "."]).args(args).current_dir(self.home(name));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().expect("muster starts");
        let mut said = Vec::new();
        let stderr = child.stderr.as_mut().expect("its output");
        let found = async {
            while !String::from_utf8_lossy(&said).contains(words) {
                let mut more = [0; 4096];
                let many = stderr.read(&mut more).await.expect("its output");
                assert!(many > 0, "it ended: {}", String::from_utf8_lossy(&said));
                said.extend_from_slice(&more[..many]);
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect("it says so");
        HalfWay(child)
    }

    /// Somebody's folder.
    pub(crate) fn home(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Copies a file from one home to another.
    pub(crate) fn carry(&self, from: &str, to: &str, file: &str) -> Carried {
        let there = self.home(to).join(file);
        if from != to {
            std::fs::copy(self.home(from).join(file), &there).expect("carried");
        }
        Carried(there)
    }

    /// Writes a file in somebody's home.
    pub(crate) fn write(&self, name: &str, file: &str, text: &str) {
        std::fs::write(self.home(name).join(file), text).expect("written");
    }

    /// Reads a file of somebody's home.
    pub(crate) fn read(&self, name: &str, file: &str) -> String {
        std::fs::read_to_string(self.home(name).join(file)).expect("a file")
    }

    fn people(&self) -> String {
        let all: Vec<_> = self.keys.iter().map(|(name, key)| format!("{name}: {key}")).collect();
        format!("{{{}}}", all.join(", "))
    }

    fn root_yaml(&self) -> String {
        let (snapshot, timestamp) = &self.board.publishers;
        format!(
            "muster: root/v1\nnetwork: {NETWORK}\nexpires: 2099-01-01T00:00:00Z\n\
             officers: {}\npublisher: {{snap: {snapshot}, time: {timestamp}}}\n\
             root: {{threshold: 2, keys: [alice, bob, carol]}}\n\
             targets: {{threshold: 2, keys: [alice, bob, carol]}}\n\
             snapshot: {{keys: [snap]}}\ntimestamp: {{keys: [time]}}\n",
            self.people()
        )
    }

    /// Keys of the roles: plans of class hotfix need so many signatures.
    pub(crate) fn keys_yaml(&self, hotfix: u32) -> String {
        let role = |name: &str, threshold: u32| {
            format!("  {name}: {{threshold: {threshold}, keys: [alice, bob, carol]}}\n")
        };
        let roles: String =
            ["roster", "release", "drill", "emergency", "abort"].map(|it| role(it, 1)).concat();
        format!(
            "muster: keys/v1\nnetwork: {NETWORK}\nexpires: 2098-01-01T00:00:00Z\n\
             officers: {}\nroles:\n{roles}{}",
            self.people(),
            role("hotfix", hotfix)
        )
    }
}

/// A command that waits for its input.
pub(crate) struct HalfWay(Child);

impl HalfWay {
    /// Gives it its input, and waits for its end; standard error from here on.
    pub(crate) async fn goes_on(mut self, input: &str) -> Said {
        let mut stdin = self.0.stdin.take().expect("its input");
        stdin.write_all(input.as_bytes()).await.expect("it reads");
        drop(stdin);
        let ended = tokio::time::timeout(PATIENCE, self.0.wait_with_output()).await;
        let output = ended.expect("muster ends").expect("its output");
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A file that arrived.
pub(crate) struct Carried(PathBuf);

impl Carried {
    /// Gives it another name.
    pub(crate) fn rename(&self, name: &str) {
        std::fs::rename(&self.0, self.0.with_file_name(name)).expect("renamed");
    }
}

/// The secret key of an agent of the roster.
pub(crate) fn agent_key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

fn roster_yaml() -> String {
    const OPERATORS: [&str; 4] = [
        "io10e2e90zvrwcvggmj5x8dxgg43eef9ca9ea8k9n",
        "io10epxv6w4he9pgx0qtagm7lc78aw9jsm7s8t0tw",
        "io10jr2hh4xcm3s3yhq98zudxh08e9uume6e0ekee",
        "io10jte53zh3mgt36p6y73s8xqtx5ac7d0963y56z",
    ];
    let node = |(at, operator): (usize, &&str)| {
        let number = at as u8 + 1;
        let key: PublicKey = agent_key(number).public();
        format!(
            "  - name: node-{number}\n    operator: {operator}\n    key: {key}\n    \
             endpoint: 127.0.0.1:808{number}\n    contact: ops{number}@example.org\n    \
             role: consensus-delegate\n"
        )
    };
    let nodes: String = OPERATORS.iter().enumerate().map(node).collect();
    format!("muster: roster/v1\nnetwork: {NETWORK}\nconsensus: {{active: 4}}\nnodes:\n{nodes}")
}

/// Restart of all four nodes, node-3 first; one seat may be away.
pub(crate) fn plan_yaml(serial: u64) -> String {
    let now = jiff::Timestamp::now();
    let (from, until) =
        (now - jiff::SignedDuration::from_mins(1), now + jiff::SignedDuration::from_hours(48));
    format!(
        "muster: plan/v1\nnetwork: {NETWORK}\nserial: {serial}\ntitle: restart everybody\n\
         class: hotfix\nvalid: {{from: {}, until: {}}}\naction: restart\norder:\n  \
         - {{wave: canary, nodes: [node-3]}}\n  \
         - {{wave: rest, select: {{role: consensus-delegate}}}}\nbudget: {{down: 1 of 4}}\n",
        from.strftime("%Y-%m-%dT%H:%M:%SZ"),
        until.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
}

/// It ended well.
#[track_caller]
pub(crate) fn done(said: &Said) {
    assert_eq!(said.code, 0, "{}\n{}", said.out, said.err);
}

/// It ended with this exit code, and named this code.
#[track_caller]
pub(crate) fn refused(said: &Said, exit: i32, code: &str) {
    assert_eq!(said.code, exit, "{}\n{}", said.out, said.err);
    assert!(said.err.contains(&format!("[{code}]")), "{code} in:\n{}\n{}", said.out, said.err);
}

/// The JSON document that it printed.
#[track_caller]
pub(crate) fn json(said: &Said) -> Value {
    done(said);
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}", said.out))
}

/// Files in a folder, sorted.
pub(crate) fn listing(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("a folder");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.expect("an entry").file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<_> = entries.map(name).collect();
    names.sort();
    names
}
