//! Three officers, each in a folder of his own with the real `muster`. What goes from one to
//! another is carried as a file; nothing else is shared.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail, ensure};
use muster_proto::documents::Digest;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::documents;
use crate::fleet::NETWORK;
use crate::fleet::board::Board;
use crate::fleet::process::{Said, binary};

/// Who they are. Two of the three sign.
pub const OFFICERS: [&str; 3] = ["alice", "bob", "carol"];
const SIGNERS: [&str; 2] = ["alice", "bob"];

/// The officers' folders.
pub struct People {
    dir: PathBuf,
    /// Their signing keys, public half.
    pub keys: Vec<(String, String)>,
}

impl People {
    /// Makes folders and signing keys.
    ///
    /// # Errors
    /// When `muster key new` fails.
    pub async fn new(dir: &Path) -> Result<Self> {
        let mut people = Self { dir: dir.into(), keys: Vec::new() };
        for name in OFFICERS {
            std::fs::create_dir_all(people.home(name))?;
            let args = ["--json", "key", "new", "--name", name, "-o", "key.pem"];
            let made = people.secretly(name, &args).await?;
            let key = made["public_key"].as_str().context("a public key")?.to_owned();
            people.keys.push((name.into(), key));
        }
        Ok(people)
    }

    /// Signs the first root by two of three, pins it everywhere, lets the officers in.
    ///
    /// # Errors
    /// When a command fails.
    pub async fn found(&self, board: &mut Board) -> Result<(Vec<u8>, Digest)> {
        self.write("root.yaml", &documents::root(self, board))?;
        self.quietly("alice", &["root", "freeze", "root.yaml", "-o", "root.draft"]).await?;
        let mut assemble = vec!["root", "assemble", "root.draft", "-o", "1.root.json"];
        let signatures = self.signatures("root.draft").await?;
        assemble.extend(signatures.iter().map(String::as_str));
        let made = self.quietly("alice", &assemble).await?;
        let sha256 = made["sha256"].as_str().context("a digest")?.to_owned();
        let root = std::fs::read(self.home("alice").join("1.root.json"))?;
        let digest = Digest::of(&root);
        board.pin(&root, &digest)?;
        let controller = format!("{}={}", board.address.addr, board.address.pin.hex());
        for name in OFFICERS {
            self.carry("alice", name, "1.root.json")?;
            let pin = ["--root", "1.root.json", "--root-sha256", &sha256];
            let init = ["init", "--network", NETWORK, "--controller", &controller];
            let made = self.quietly(name, &[&init[..], &pin[..]].concat()).await?;
            let key = made["tls_key"].as_str().context("a TLS key")?.parse()?;
            let rights = if name == "alice" { "watch, publish, hold" } else { "watch" };
            board.allow(name, &key, rights)?;
        }
        board.start().await?;
        Ok((root, digest))
    }

    /// Freezes a document at alice's, has two sign it, publishes it; shown when `loud`.
    ///
    /// # Errors
    /// When a command fails.
    pub async fn publish(&self, kind: &str, file: &str, loud: bool) -> Result<()> {
        let draft = format!("{file}.draft");
        let freeze = [kind, "freeze", file, "-o", &draft];
        if loud {
            self.shown("alice", &freeze).await?;
        } else {
            self.quietly("alice", &freeze).await?;
        }
        let signatures = self.signatures(&draft).await?;
        let mut publish = vec!["publish", &draft];
        publish.extend(signatures.iter().map(String::as_str));
        if loud {
            println!("  alice and bob sign {draft} (2 of 3), each in a folder of his own");
            return self.shown("alice", &publish).await.and_then(done);
        }
        self.quietly("alice", &publish).await.map(drop)
    }

    /// Carries a draft to the signers and their signatures back to alice.
    ///
    /// # Errors
    /// When a command fails.
    pub async fn signatures(&self, draft: &str) -> Result<Vec<String>> {
        let mut signatures = Vec::new();
        for name in SIGNERS {
            self.carry("alice", name, draft)?;
            self.secretly(name, &["--json", "sign", draft, "--key", "key.pem", "--yes"]).await?;
            let made = self.home(name).join(draft.replace(".draft", ".key.sig"));
            let signature = draft.replace(".draft", &format!(".{name}.sig"));
            std::fs::rename(made, self.home("alice").join(&signature))?;
            signatures.push(signature);
        }
        Ok(signatures)
    }

    /// Runs `muster` before everybody's eyes; answers its exit code.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn shown(&self, name: &str, args: &[&str]) -> Result<i32> {
        println!("\n{name}$ muster {}", args.join(" "));
        let mut command = self.command(name, args)?;
        command.stdin(Stdio::null());
        Ok(command.status().await?.code().unwrap_or(-1))
    }

    /// Runs `muster --json` and reads what it says.
    ///
    /// # Errors
    /// When it fails.
    pub async fn quietly(&self, name: &str, args: &[&str]) -> Result<Value> {
        let args = [&["--json"], args].concat();
        answer(&args, self.with_input(name, &args, "").await?)
    }

    async fn secretly(&self, name: &str, args: &[&str]) -> Result<Value> {
        let args = [args, &["--passphrase-fd", "0"]].concat();
        let passphrase = format!("the long passphrase of {name}\n");
        answer(&args, self.with_input(name, &args, &passphrase).await?)
    }

    async fn with_input(&self, name: &str, args: &[&str], input: &str) -> Result<Said> {
        let mut command = self.command(name, args)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        // Who does not read it is free not to.
        let _ = child.stdin.take().context("its input")?.write_all(input.as_bytes()).await;
        let output = child.wait_with_output().await?;
        Ok(Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    fn command(&self, name: &str, args: &[&str]) -> Result<Command> {
        let mut command = Command::new(binary("muster")?);
        command
            .args(["--dir", "muster"])
            .args(args)
            .current_dir(self.home(name))
            .kill_on_drop(true);
        Ok(command)
    }

    /// Somebody's folder.
    pub fn home(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Writes a file at alice's.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, file: &str, text: &str) -> Result<()> {
        Ok(std::fs::write(self.home("alice").join(file), text)?)
    }

    fn carry(&self, from: &str, to: &str, file: &str) -> Result<()> {
        if from != to {
            std::fs::copy(self.home(from).join(file), self.home(to).join(file))?;
        }
        Ok(())
    }
}

/// It ended well.
///
/// # Errors
/// When it did not.
pub fn done(code: i32) -> Result<()> {
    ensure!(code == 0, "muster ended with {code}");
    Ok(())
}

fn answer(args: &[&str], said: Said) -> Result<Value> {
    match said.code {
        0 => serde_json::from_str(&said.out).with_context(|| format!("{args:?}: {}", said.out)),
        code => bail!("muster {} ended with {code}: {}{}", args.join(" "), said.out, said.err),
    }
}
