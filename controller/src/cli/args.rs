//! The tree of commands.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::exit::Exit;
use super::failure::Failure;
use super::freeze::Kind;
use super::shell::Shell;
use super::{
    abort, attendance, bundle, emergency, explain, fleet, freeze, history, hold, init, key, log,
    plan, publish, roster, sign, watch, why,
};

/// Moves fleets of independently owned nodes in order, by signature.
///
/// Exit codes: 0 done, 1 failed, 2 wrong use, 3 refused, 4 waiting or unfinished, 5 cannot reach.
#[derive(Debug, Parser)]
#[command(name = "muster", version, max_term_width = 80)]
pub struct Muster {
    /// Directory with config.yaml and the trust state [default: ~/.config/muster]
    #[arg(long, global = true, env = "MUSTER_DIR", value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Reports and errors as JSON, one document a line
    #[arg(long, global = true)]
    json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Muster {
    /// Where this command works, and how it speaks.
    ///
    /// # Errors
    /// `U001` when there is neither a directory nor a home.
    pub fn shell(&self) -> Result<Shell, Failure> {
        let home = || std::env::home_dir().map(|home| home.join(".config/muster"));
        let dir = self.dir.clone().or_else(home);
        let dir = dir.ok_or_else(|| Failure::new("U001", "neither --dir nor a home directory"))?;
        Ok(Shell { dir, json: self.json })
    }
}

/// Every command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make this directory, or add controllers and a root to it
    Init(init::Init),
    /// Signing keys
    #[command(subcommand)]
    Key(key::Key),
    /// The root of trust
    #[command(subcommand)]
    Root(Root),
    /// Keys and thresholds of the roles below the root
    #[command(subcommand)]
    Keys(Keys),
    /// Who runs which node
    #[command(subcommand)]
    Roster(Roster),
    /// Binary, config and genesis as one artefact
    #[command(subcommand)]
    Release(Release),
    /// What happens to whom, in which order
    #[command(subcommand)]
    Plan(plan::PlanCommand),
    /// Verify a draft and show what is in it
    Inspect(sign::Inspect),
    /// Verify a draft, show it in words, and sign it
    Sign(sign::Sign),
    /// Merge signatures and hand the document to the controllers
    Publish(publish::Publish),
    /// Every node, and how old what is known is
    Fleet(fleet::Fleet),
    /// A rollout as it goes, until it is over
    Watch(watch::Watch),
    /// Why a node or a plan waits, and what would end the wait
    Why(why::Why),
    /// Every plan that was published, and how it ended
    History(history::History),
    /// Who took part in a plan, when and how, recomputed from what was signed
    Attendance(attendance::Attendance),
    /// Everything about a plan in one file that anybody can verify offline
    #[command(subcommand)]
    Bundle(bundle::BundleCommand),
    /// What a node's agent has signed
    Log(log::Log),
    /// Ask all agents to begin nothing of a plan for a while
    Hold(hold::Hold),
    /// End a hold before its time
    ReleaseHold(hold::ReleaseHold),
    /// End a plan for good, with one emergency key: who has not begun never begins
    Abort(abort::AbortPlan),
    /// Stop nodes now, with one emergency key; or restart them, with the full threshold
    #[command(subcommand)]
    Emergency(emergency::Emergency),
    /// What a code means and what to do
    Explain(explain::Explain),
}

/// `muster root`
#[derive(Debug, Subcommand)]
pub enum Root {
    /// Write a draft of the next root; without a pinned one, of the first
    Freeze(freeze::Freeze),
    /// Merge signatures into a root file, and print its SHA-256
    Assemble(publish::Assemble),
}

/// `muster keys`
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Write a draft for officers to sign
    Freeze(freeze::Freeze),
}

/// `muster roster`
#[derive(Debug, Subcommand)]
pub enum Roster {
    /// Put an enrolled agent into the roster file
    Add(roster::Add),
    /// Write a draft for officers to sign
    Freeze(freeze::Freeze),
}

/// `muster release`
#[derive(Debug, Subcommand)]
pub enum Release {
    /// Write a draft for officers to sign
    Freeze(freeze::Freeze),
}

impl Command {
    /// Runs it.
    ///
    /// # Errors
    /// Whatever it meets; the failure says how the process ends.
    pub fn run(&self, shell: &Shell) -> Result<Exit, Failure> {
        match self {
            Command::Init(args) => init::run(shell, args),
            Command::Key(command) => key::run(shell, command),
            Command::Root(Root::Freeze(args)) => freeze::run(shell, Kind::Root, args),
            Command::Root(Root::Assemble(args)) => publish::assemble(shell, args),
            Command::Keys(Keys::Freeze(args)) => freeze::run(shell, Kind::Keys, args),
            Command::Roster(Roster::Add(args)) => roster::run(shell, args),
            Command::Roster(Roster::Freeze(args)) => freeze::run(shell, Kind::Roster, args),
            Command::Release(Release::Freeze(args)) => freeze::run(shell, Kind::Release, args),
            Command::Plan(command) => plan::run(shell, command),
            Command::Inspect(args) => sign::inspect(shell, args),
            Command::Sign(args) => sign::run(shell, args),
            Command::Publish(args) => publish::run(shell, args),
            Command::Fleet(args) => fleet::run(shell, args),
            Command::Watch(args) => watch::run(shell, args),
            Command::Why(args) => why::run(shell, args),
            Command::History(args) => history::run(shell, args),
            Command::Attendance(args) => attendance::run(shell, args),
            Command::Bundle(command) => bundle::run(shell, command),
            Command::Log(args) => log::run(shell, args),
            Command::Hold(args) => hold::hold(shell, args),
            Command::ReleaseHold(args) => hold::release(shell, args),
            Command::Abort(args) => abort::run(shell, args),
            Command::Emergency(command) => emergency::run(shell, command),
            Command::Explain(args) => explain::run(shell, args),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_tree_of_commands_is_sound() {
        Muster::command().debug_assert();
    }

    #[test]
    fn no_argument_takes_a_passphrase() {
        let told = Muster::try_parse_from(["muster", "key", "new", "--passphrase", "secret"]);
        let refused = told.expect_err("no such argument").to_string();
        assert!(refused.contains("unexpected argument '--passphrase'"), "{refused}");
    }
}
