//! The tree of commands.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::exit::Exit;
use super::failure::Failure;
use super::shell::Shell;
use super::{explain, init, key};

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
    /// What a code means and what to do
    Explain(explain::Explain),
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
