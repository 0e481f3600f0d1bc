//! `muster publish X.draft *.sig`: merges signatures from different places, says whose are missing,
//! and hands the result to every controller. `muster root assemble` writes it to a file instead.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use muster_proto::documents::Digest;
use muster_proto::tls::Identity;
use muster_proto::trust::Publication;
use muster_proto::trust::draft::{Checked, DetachedSig, Merged};
use muster_proto::wire::muster::PublishRequest;
use serde::Serialize;

use super::context::{Board, Context};
use super::exit::Exit;
use super::failure::{At, Failure};
use super::init::tls_key;
use super::link::desk;
use super::shell::{Secrecy, Shell, create, read};
use super::sign::check;
use super::wire;
use crate::view::draft::{Needed, needs};
use crate::view::words::labelled;

/// Largest signature file, in bytes.
const SIGNATURE_BYTES: u64 = 4 * 1024;

/// `muster publish`
#[derive(Debug, Args)]
pub struct Publish {
    /// The draft
    draft: PathBuf,
    /// Signatures over it, from `muster sign`
    signatures: Vec<PathBuf>,
    /// Verify and merge, and send nothing
    #[arg(long)]
    dry_run: bool,
}

/// `muster root assemble`
#[derive(Debug, Args)]
pub struct Assemble {
    /// The draft of a root
    draft: PathBuf,
    /// Signatures over it, from `muster sign`
    signatures: Vec<PathBuf>,
    /// Where to write the root; never over an existing file
    #[arg(short, long)]
    output: PathBuf,
}

#[derive(Serialize)]
struct Published {
    role: String,
    version: u64,
    needs: Vec<Needed>,
    state: State,
    boards: Vec<Answer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// Signatures are missing.
    Waiting,
    /// Complete, and nobody was asked to take it.
    Complete,
    /// A board took it.
    Published,
    /// It stands in a file.
    Assembled,
}

/// What one board said to a publication.
#[derive(Debug, Serialize)]
pub struct Answer {
    board: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    published_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<Failure>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match (&self.refused, self.published_at) {
            (Some(failure), _) => format!("{} {}", failure.code, failure.what),
            (None, Some(at)) => format!("took it {}", at.strftime("%H:%M:%S%.3f UTC")),
            (None, None) => "took it".into(),
        };
        write!(f, "{}", labelled("board", &format!("{}: {text}", self.board)))
    }
}

impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (role, version) = (&self.role, self.version);
        match self.state {
            State::Waiting => writeln!(f, "{role} {version} waits for signatures"),
            State::Complete => writeln!(f, "{role} {version} is complete; nothing was sent"),
            State::Published => writeln!(f, "{role} {version} is published"),
            State::Assembled => writeln!(f, "{role} {version} is assembled"),
        }?;
        for (at, need) in self.needs.iter().enumerate() {
            writeln!(f, "{}", labelled(if at == 0 { "signed" } else { "" }, &need.to_string()))?;
        }
        self.boards.iter().try_for_each(|answer| writeln!(f, "{answer}"))
    }
}

/// Runs `muster publish`.
///
/// # Errors
/// What is wrong with draft or signatures, or why every board refused.
pub fn run(shell: &Shell, args: &Publish) -> Result<Exit, Failure> {
    let (checked, merged) = merge(shell, &args.draft, &args.signatures)?;
    let report = |state, boards| Published {
        role: checked.role().into(),
        version: checked.version(),
        needs: needs(&merged),
        state,
        boards,
    };
    let Some(publication) = merged.publication() else {
        shell.say(&report(State::Waiting, Vec::new()))?;
        return Ok(Exit::Waiting);
    };
    if args.dry_run {
        shell.say(&report(State::Complete, Vec::new()))?;
        return Ok(Exit::Done);
    }
    let boards = send(shell, publication)?;
    shell.say(&report(State::Published, boards))?;
    Ok(Exit::Done)
}

/// Runs `muster root assemble`.
///
/// # Errors
/// What is wrong with draft or signatures; `U007` when it is no root.
pub fn assemble(shell: &Shell, args: &Assemble) -> Result<Exit, Failure> {
    let (checked, merged) = merge(shell, &args.draft, &args.signatures)?;
    if checked.role() != "root" {
        let what = format!("this is a draft of {}, not of a root", checked.role());
        return Err(Failure::new("U007", what).at(args.draft.display()));
    }
    let (role, version, needs) = (checked.role().into(), checked.version(), needs(&merged));
    let report = |state| Published { role, version, needs, state, boards: Vec::new() };
    if !merged.complete() {
        shell.say(&report(State::Waiting))?;
        return Ok(Exit::Waiting);
    }
    create(&args.output, &merged.metadata, Secrecy::Public)?;
    shell.say(&Assembled {
        published: report(State::Assembled),
        file: args.output.display().to_string(),
        sha256: Digest::of(&merged.metadata).hex().to_owned(),
    })?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Assembled {
    #[serde(flatten)]
    published: Published,
    file: String,
    sha256: String,
}

impl fmt::Display for Assembled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.published)?;
        writeln!(f, "{}", labelled("file", &self.file))?;
        writeln!(f, "{}", labelled("sha256", &self.sha256))?;
        let next = "tell the digest by another way than the file; agents and officers pin it";
        writeln!(f, "{}", labelled("next", next))
    }
}

/// Verifies the draft and puts the signatures together.
fn merge(
    shell: &Shell,
    draft: &Path,
    signatures: &[PathBuf],
) -> Result<(Checked, Merged), Failure> {
    let checked = check(shell, draft)?;
    let mut all: Vec<DetachedSig> = Vec::new();
    for path in signatures {
        let bytes = read(path, SIGNATURE_BYTES)?;
        let signature: DetachedSig = serde_json::from_slice(&bytes)
            .map_err(|error| Failure::new("U014", "this is no signature").because(&error))
            .at(path.display())?;
        // One by one first, so that a refusal names its file.
        checked.merge(std::slice::from_ref(&signature)).at(path.display())?;
        if !all.contains(&signature) {
            all.push(signature);
        }
    }
    let merged = checked.merge(&all)?;
    Ok((checked, merged))
}

/// Hands it to every board.
///
/// # Errors
/// Why all of them refused; one that takes it is enough.
pub fn send(shell: &Shell, publication: &Publication) -> Result<Vec<Answer>, Failure> {
    let boards = shell.block_on(everywhere(shell, publication))?;
    match boards.iter().all(|answer| answer.refused.is_some()) {
        true => Err(worst(boards)),
        false => Ok(boards),
    }
}

async fn everywhere(shell: &Shell, publication: &Publication) -> Result<Vec<Answer>, Failure> {
    let context = Context::load(shell)?;
    if context.boards.is_empty() {
        return Err(Failure::new("U040", "no controller is named").at(context.dir.display()));
    }
    let identity = Identity::from_key(&tls_key(&context)?)?;
    let mut answers = Vec::new();
    for board in &context.boards {
        let answer = one(board, &identity, publication.clone().into()).await;
        answers.push(answer.unwrap_or_else(|failure| Answer {
            board: board.address.clone(),
            published_at: None,
            snapshot: None,
            refused: Some(failure),
        }));
    }
    Ok(answers)
}

async fn one(
    board: &Board,
    identity: &Identity,
    request: PublishRequest,
) -> Result<Answer, Failure> {
    let mut desk = desk(board, identity).await?;
    let reply = desk.publish(request).await.map_err(|s| wire::status(&s)).at(&board.address)?;
    let reply = reply.into_inner();
    Ok(Answer {
        board: board.address.clone(),
        published_at: Timestamp::from_millisecond(reply.published_at).ok(),
        snapshot: Some(reply.snapshot_version),
        refused: None,
    })
}

/// A refusal says more than a board that is not there.
fn worst(boards: Vec<Answer>) -> Failure {
    let mut all: Vec<_> = boards.into_iter().filter_map(|answer| answer.refused).collect();
    all.sort_by_key(|failure| failure.exit == Exit::Unreachable);
    let none = || Failure::new("U040", "no controller is named");
    let mut all = all.into_iter();
    let mut first = all.next().unwrap_or_else(none);
    first.why.extend(all.map(|other| {
        format!("{}: {} {}", other.place.unwrap_or_default(), other.code, other.what)
    }));
    first
}
