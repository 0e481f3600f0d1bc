//! `muster`: the officers' and watchers' command line.
//!
//! It trusts no controller: whatever it shows of documents, receipts and beacons it has verified
//! itself, from the root that is pinned in its own directory.

pub mod abort;
pub mod args;
pub mod attendance;
pub mod bundle;
pub mod context;
pub mod emergency;
pub mod exit;
pub mod explain;
pub mod failure;
pub mod fleet;
pub mod freeze;
pub mod history;
pub mod hold;
pub mod init;
pub mod key;
pub mod known;
pub mod link;
pub mod log;
pub mod named;
pub mod one_go;
pub mod passphrase;
pub mod plan;
pub mod publish;
pub mod release;
pub mod restart;
pub mod roster;
pub mod shell;
pub mod sign;
pub mod simulate;
pub mod spec;
pub mod watch;
pub mod watcher;
pub mod why;
pub mod wire;

use std::process::ExitCode;

use clap::Parser as _;

use exit::Exit;
use failure::Failure;

/// Parses the arguments, runs the command, tells how it ended.
pub fn main() -> ExitCode {
    let args = args::Muster::parse();
    let shell = match args.shell() {
        Ok(shell) => shell,
        Err(failure) => return tell(false, &failure).into(),
    };
    match args.command.run(&shell) {
        Ok(exit) => exit.into(),
        Err(failure) => tell(shell.json, &failure).into(),
    }
}

/// People read failures on standard error; scripts read them where they read everything else.
fn tell(json: bool, failure: &Failure) -> Exit {
    match json {
        true => anstream::println!("{}", failure.json()),
        false => anstream::eprintln!("{failure}"),
    }
    failure.exit
}
