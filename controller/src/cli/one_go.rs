//! A document that one command freezes, signs and hands in; what could not go out is kept as files.

use std::fmt;
use std::path::Path;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use muster_proto::documents::author::{Parsed, PlanYaml, read};
use muster_proto::documents::{Digest, Roster};
use muster_proto::trust::draft::{Checked, DetachedSig, Draft, Merged};
use muster_proto::trust::keys::SecretKey;
use serde::Serialize;

use super::exit::Exit;
use super::failure::{At, Failure};
use super::freeze::frozen_plan;
use super::named::{self, PlanName};
use super::passphrase::Source;
use super::publish::{Answer, send};
use super::shell::{Secrecy, Shell, create};
use super::watch::{self, Watch};
use super::watcher::Watcher;
use crate::view::words::labelled;

/// Drafts of one name that may lie in one folder.
const NAMES: u32 = 100;

/// How far it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nothing was signed.
    DryRun,
    /// Signatures are missing.
    Waiting,
    /// A board took it.
    Published,
}

/// Draft and own signature as files, so that others can sign or hand them in.
#[derive(Debug, Serialize)]
struct Files {
    draft: String,
    signature: String,
    digest: Digest,
}

/// What every such command takes.
#[derive(Debug, Args)]
pub struct Going {
    /// You have read what it shows: do not ask
    #[arg(long)]
    pub yes: bool,
    /// Show what would happen; sign and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// End when it is published
    #[arg(long)]
    pub no_watch: bool,
    /// Stop watching after this long (such as 90s, 20m); exit code 4
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<SignedDuration>,
    /// Where the key's passphrase comes from.
    #[command(flatten)]
    pub passphrase: Source,
}

/// How far it went, for the report.
#[derive(Debug, Serialize)]
pub struct Went {
    /// How far.
    pub state: State,
    /// What boards said to it.
    boards: Vec<Answer>,
    #[serde(flatten)]
    files: Option<Files>,
}

impl Went {
    /// No further than to be shown.
    pub fn nowhere(state: State) -> Self {
        Self { state, boards: Vec::new(), files: None }
    }

    /// Signs with one key and hands in; a document that lacks signatures, or that no board takes, is
    /// kept as `NAME.draft` and `NAME.KEY.sig`.
    ///
    /// # Errors
    /// When the key has no say, or no board takes it; then it says where it is kept.
    pub fn out(
        shell: &Shell,
        name: &str,
        (path, key): (&Path, &SecretKey),
        draft: &Draft,
        checked: &Checked,
    ) -> Result<(Merged, Self), Failure> {
        let signature = checked.sign(key).at(path.display())?;
        let merged = checked.merge(std::slice::from_ref(&signature))?;
        let Some(publication) = merged.publication() else {
            let files = Some(kept(name, path, draft, &signature)?);
            return Ok((merged, Self { files, ..Self::nowhere(State::Waiting) }));
        };
        match send(shell, publication) {
            Ok(boards) => Ok((merged, Self { boards, ..Self::nowhere(State::Published) })),
            Err(failure) => Err(kept(name, path, draft, &signature)?.unsent(failure)),
        }
    }

    /// Watches the plan when it is out and nobody said not to.
    ///
    /// # Errors
    /// Those of the watch.
    pub fn then_watch(
        &self,
        shell: &Shell,
        plan: PlanName,
        going: &Going,
    ) -> Result<Exit, Failure> {
        match self.state {
            State::DryRun => Ok(Exit::Done),
            State::Waiting => Ok(Exit::Waiting),
            State::Published if going.no_watch => Ok(Exit::Done),
            State::Published => {
                watch::run(shell, &Watch { plan, timeout: going.timeout, lines: false })
            }
        }
    }
}

/// What boards said, and what is left to do with files; nothing without either.
impl fmt::Display for Went {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.boards.iter().try_for_each(|answer| writeln!(f, "{answer}"))?;
        if self.state == State::DryRun {
            writeln!(f, "Nothing was signed and nothing was sent (--dry-run).")?;
        }
        let mut files = self.files.iter().flat_map(Files::lines);
        files.try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// A plan that a command writes as its author would, frozen as from a file of that name.
///
/// # Errors
/// Every refusal of the text.
pub fn composed(
    watcher: &Watcher,
    name: &str,
    text: &str,
    now: Timestamp,
) -> Result<Draft, Failure> {
    let parsed: Parsed<PlanYaml> = read(name, text)?;
    // Its warnings are told by the check, as to every signer.
    let (draft, _) = frozen_plan(watcher, &parsed, now)?;
    as_file(&draft)
}

/// What is shown and signed is what its bytes say, as when it comes as a file.
///
/// # Errors
/// Never for what was just frozen.
pub fn as_file(draft: &Draft) -> Result<Draft, Failure> {
    Ok(Draft::from_bytes(&draft.to_bytes())?)
}

/// Who is meant, in order: those who are named, or everybody with an agent, by seat and name.
///
/// # Errors
/// `U012`.
pub fn order(roster: &Roster, named: &[String], seats_first: bool) -> Result<Vec<String>, Failure> {
    if !named.is_empty() {
        let named = named.iter().map(|name| named::node(roster, name.trim()));
        return named.map(|name| Ok(name?.to_string())).collect();
    }
    let mut nodes: Vec<_> = roster.nodes.iter().filter(|node| node.managed()).collect();
    nodes.sort_by_key(|node| (node.seat != seats_first, &node.name));
    Ok(nodes.iter().map(|node| node.name.to_string()).collect())
}

/// Writes draft and signature into the current folder as `NAME.draft` and `NAME.KEY.sig`, beside
/// older ones.
fn kept(name: &str, key: &Path, draft: &Draft, signature: &DetachedSig) -> Result<Files, Failure> {
    let mut bytes = serde_json::to_vec(signature)?;
    bytes.push(b'\n');
    let signer = key.file_stem().unwrap_or_default().to_string_lossy();
    let numbered = |number: u32| match number {
        1 => name.to_owned(),
        _ => format!("{name}-{number}"),
    };
    let paths = |number| {
        let name = numbered(number);
        (format!("{name}.draft"), format!("{name}.{signer}.sig"))
    };
    let free = |(draft, signature): &(String, String)| {
        !Path::new(draft).exists() && !Path::new(signature).exists()
    };
    let (to, sig) = (1..NAMES).map(paths).find(free).unwrap_or_else(|| paths(NAMES));
    let whole = draft.to_bytes();
    create(Path::new(&to), &whole, Secrecy::Public)?;
    create(Path::new(&sig), &bytes, Secrecy::Public)?;
    Ok(Files { draft: to, signature: sig, digest: Digest::of(&whole) })
}

impl Files {
    /// Nobody took it: what was signed is not lost.
    fn unsent(&self, failure: Failure) -> Failure {
        let Files { draft, signature, .. } = self;
        failure.next(format!("it is signed and kept: muster publish {draft} {signature}"))
    }

    /// What is left to do with them, a line each.
    fn lines(&self) -> [String; 3] {
        let Files { draft, signature, .. } = self;
        [
            labelled("wrote", &format!("{draft} and {signature}")),
            labelled("they", &format!("muster sign {draft} --key THEIR.pem")),
            labelled("then", &format!("muster publish {draft} {signature} THEIR.sig")),
        ]
    }
}
