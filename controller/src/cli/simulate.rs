//! `muster plan simulate`: the plan played through by the very same decisions, before it is signed.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use muster_proto::documents::{NodeName, Plan, Roster};
use muster_proto::rule::simulate::{BadOption, Options, Timeline, run as play};
use muster_proto::trust::draft::Document;
use muster_proto::trust::limits::DRAFT_BYTES;
use serde::{Deserialize, Serialize};

use super::exit::Exit;
use super::failure::{At, Failure};
use super::plan::{Sources, frozen, parse};
use super::shell::{Shell, read};
use super::sign::check;
use crate::view::words::hanging;

/// `muster plan simulate`
#[derive(Debug, Args)]
pub struct Simulate {
    /// The plan that you wrote, or a draft of it
    file: PathBuf,
    /// Who fails, at prepare, stop, start, test or after; may be given several times
    #[arg(long = "fail", value_name = "NODE@PLACE")]
    faults: Vec<String>,
    /// Who is never heard of; may be given several times
    #[arg(long, value_name = "NODE")]
    absent: Vec<String>,
    /// For everything that varies; the same number tells the same story
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    sources: Sources,
}

/// Runs the command. It ends well when every wave meets its gate, and asks nobody but the board.
///
/// # Errors
/// Every refusal of the plan, and `R92x` for what cannot happen in it.
pub fn run(shell: &Shell, args: &Simulate) -> Result<Exit, Failure> {
    let options = args.options()?;
    let (plan, roster) = args.documents(shell)?;
    let played = Played(play(&plan, &roster, &options)?);
    shell.say(&played)?;
    Ok(if played.0.complete { Exit::Done } else { Exit::Failed })
}

/// A timeline on a screen: what is long is wrapped in its own column.
#[derive(Serialize)]
struct Played(Timeline);

impl fmt::Display for Played {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.to_string().lines().try_for_each(|line| {
            let column = line.rfind("  ").map_or(0, |gap| gap + 2);
            let (lead, text) = line.split_at(column);
            writeln!(f, "{}", hanging(lead, text))
        })
    }
}

impl Simulate {
    fn options(&self) -> Result<Options, BadOption> {
        let name =
            |text: &String| text.parse::<NodeName>().map_err(|_| BadOption::Name(text.clone()));
        Ok(Options {
            faults: self.faults.iter().map(|text| text.parse()).collect::<Result<_, _>>()?,
            absent: self.absent.iter().map(name).collect::<Result<_, _>>()?,
            seed: self.seed,
            ..Options::default()
        })
    }

    fn documents(&self, shell: &Shell) -> Result<(Plan, Roster), Failure> {
        if is_draft(&self.file)? {
            return self.drafted(shell);
        }
        let known = self.sources.known(shell)?;
        let (plan, warnings) = frozen(&parse(&self.file)?, &known)?;
        warnings.iter().for_each(|warning| shell.remark(warning));
        Ok((plan, known.roster))
    }

    /// A draft is verified as before a signature, and brings what it rests on.
    fn drafted(&self, shell: &Shell) -> Result<(Plan, Roster), Failure> {
        if self.sources.are_files() {
            let why = "a draft brings its own roster and releases: leave out --roster";
            return Err(Failure::new("U007", why).at(self.file.display()));
        }
        let checked = check(shell, &self.file)?;
        let Document::Plan(plan) = checked.document() else {
            let why = format!("this is a draft of the role {}, not of a plan", checked.role());
            return Err(Failure::new("D003", why).at(self.file.display()));
        };
        let roster = checked.board().and_then(|board| board.roster());
        let roster = roster.ok_or_else(|| Failure::new("U013", "no verified roster is known"))?;
        Ok((plan.as_ref().clone(), roster.clone()))
    }
}

/// A draft is JSON and says so; what an author writes says `plan/v1`.
fn is_draft(path: &Path) -> Result<bool, Failure> {
    #[derive(Deserialize)]
    struct Tag {
        muster: String,
    }
    let bytes = read(path, DRAFT_BYTES as u64).at(path.display())?;
    let tag = serde_json::from_slice::<Tag>(&bytes);
    Ok(tag.is_ok_and(|tag| tag.muster.starts_with("draft/")))
}
