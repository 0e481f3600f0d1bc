//! `muster init`: makes a directory, or adds to it. It never replaces a pinned root.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use muster_proto::documents::{Digest, PublicKey};
use muster_proto::tls;
use muster_proto::trust::Trust;
use muster_proto::trust::keys::SecretKey;
use serde::Serialize;

use super::context::{Board, CONFIG, Context, Pinned, TLS_KEY, digest, network};
use super::exit::Exit;
use super::failure::{At, Failure};
use super::shell::{Secrecy, Shell, create, read, read_text};
use crate::view::words::labelled;

/// Largest root that is read, in bytes.
pub const ROOT_BYTES: u64 = 512 * 1024;

/// `muster init`
#[derive(Debug, Args)]
pub struct Init {
    /// The network, such as mainnet; needed the first time
    #[arg(long)]
    network: Option<String>,
    /// A controller and the SHA-256 of its TLS key; may be given several times
    #[arg(long = "controller", value_name = "ADDR=SPKI-SHA256")]
    controllers: Vec<String>,
    /// The root of trust, as the officers published it
    #[arg(long, requires = "root_sha256")]
    root: Option<PathBuf>,
    /// Its SHA-256, learned by another way than the file
    #[arg(long, value_name = "HEX", requires = "root")]
    root_sha256: Option<String>,
}

#[derive(Serialize)]
struct Ready {
    dir: String,
    network: String,
    tls_key: PublicKey,
    tls_spki_sha256: String,
    root_sha256: Option<Digest>,
    controllers: Vec<String>,
}

impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} follows {}", self.dir, self.network)?;
        writeln!(f, "{}", labelled("tls key", &self.tls_key.to_string()))?;
        writeln!(f, "{}", labelled("", "a controller lists this key with its rights"))?;
        let root = match &self.root_sha256 {
            Some(digest) => digest.to_string(),
            None => "none pinned yet: nothing can be verified".into(),
        };
        writeln!(f, "{}", labelled("root", &root))?;
        let boards = match self.controllers.is_empty() {
            true => "none".to_owned(),
            false => self.controllers.join(", "),
        };
        writeln!(f, "{}", labelled("boards", &boards))
    }
}

/// Runs the command.
///
/// # Errors
/// `U007`, `U030`, `U031`, or why the root is refused.
pub fn run(shell: &Shell, args: &Init) -> Result<Exit, Failure> {
    let mut context = existing(shell, args)?;
    for text in &args.controllers {
        let board: Board = text.parse()?;
        context.boards.retain(|old| old.address != board.address);
        context.boards.push(board);
    }
    if let (Some(file), Some(sha256)) = (&args.root, &args.root_sha256) {
        pin(&mut context, file, sha256)?;
    }
    std::fs::create_dir_all(&shell.dir).at(shell.dir.display())?;
    let key = tls_key(&context)?;
    context.save()?;
    shell.say(&Ready {
        dir: shell.dir.display().to_string(),
        network: context.network.clone(),
        tls_key: key.public(),
        tls_spki_sha256: tls::spki_pin(&key.public()).hex().to_owned(),
        root_sha256: context.root.as_ref().map(|root| root.sha256.clone()),
        controllers: context.boards.iter().map(|board| board.address.clone()).collect(),
    })?;
    Ok(Exit::Done)
}

fn existing(shell: &Shell, args: &Init) -> Result<Context, Failure> {
    if shell.dir.join(CONFIG).exists() {
        let context = Context::load(shell)?;
        return match &args.network {
            Some(other) if *other != context.network => {
                let what = format!("this directory follows {}, not {other}", context.network);
                Err(Failure::new("U030", what))
            }
            _ => Ok(context),
        };
    }
    let name = args.network.as_deref();
    let name = name.ok_or_else(|| Failure::new("U007", "--network is needed the first time"))?;
    let (dir, network) = (shell.dir.clone(), network(name)?);
    Ok(Context { dir, network, root: None, boards: Vec::new() })
}

/// Pins a root after its digest and its signatures are checked.
fn pin(context: &mut Context, file: &std::path::Path, sha256: &str) -> Result<(), Failure> {
    let expected =
        digest(sha256).ok_or_else(|| Failure::new("U007", "--root-sha256: 64 hex digits"))?;
    let bytes = read(file, ROOT_BYTES)?;
    if Digest::of(&bytes) != expected {
        let what =
            format!("its digest is {}, not {}", Digest::of(&bytes).short(), expected.short());
        return Err(Failure::new("U031", what).at(file.display()));
    }
    match &context.root {
        Some(old) if old.sha256 == expected => return Ok(()),
        Some(old) => {
            let what = format!("root {} is pinned here already", old.sha256.short());
            return Err(Failure::new("U030", what).at(context.dir.display()));
        }
        None => {}
    }
    Trust::pin(&bytes, &expected, &context.network).at(file.display())?;
    let name = "1.root.json".to_owned();
    std::fs::create_dir_all(&context.dir).at(context.dir.display())?;
    let kept = context.path(&name);
    // The root may have been carried into this very directory.
    if std::fs::read(&kept).ok().as_ref() != Some(&bytes) {
        create(&kept, &bytes, Secrecy::Public)?;
    }
    context.root = Some(Pinned { file: name, sha256: expected });
    Ok(())
}

/// The key that TLS connections are made with; made here the first time.
pub fn tls_key(context: &Context) -> Result<SecretKey, Failure> {
    let path = context.path(TLS_KEY);
    if !path.exists() {
        let key = SecretKey::generate();
        create(&path, key.to_pem(None)?.as_bytes(), Secrecy::Owner)?;
        return Ok(key);
    }
    let pem = zeroize::Zeroizing::new(read_text(&path)?);
    SecretKey::from_pem(&pem, None).at(path.display())
}
