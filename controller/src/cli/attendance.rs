//! `muster attendance`, and the forms in which an attendance is shown.

use std::path::PathBuf;

use clap::Args;
use muster_proto::audit::{Account, Bundle};
use serde::Serialize;

use super::exit::Exit;
use super::failure::Failure;
use super::named::PlanName;
use super::shell::{Secrecy, Shell, create};
use super::watcher::Watcher;
use crate::view::attendance::{Report, csv, html};

/// `muster attendance`
#[derive(Debug, Args)]
pub struct Attendance {
    /// A plan such as 42, hotfix/42 or emergency/7
    #[arg(value_parser = super::named::plan)]
    plan: PlanName,
    #[command(flatten)]
    forms: Forms,
}

/// In which form it is shown; by default as a table.
#[derive(Debug, Args)]
pub struct Forms {
    /// As CSV, one node a line
    #[arg(long)]
    csv: bool,
    /// Also write one HTML file with a timeline, fit to be published
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Runs the command. What does not hold is told beside the table.
///
/// # Errors
/// `U010`, `U011`, `U070`, or when nothing can be heard.
pub fn run(shell: &Shell, args: &Attendance) -> Result<Exit, Failure> {
    args.forms.check(shell)?;
    let watcher = shell.block_on(Watcher::refreshed(shell))?;
    let account = Account::open(&collect(&watcher, args.plan)?, first_root(&watcher))?;
    args.forms.show(shell, &report(&account))
}

/// Everything that is known of a plan.
///
/// # Errors
/// `U010`, `U011`; `U013` without a roster, for then nobody's word is known.
pub(super) fn collect(watcher: &Watcher, name: PlanName) -> Result<Bundle, Failure> {
    watcher.roster()?;
    let (id, plan) = name.find(watcher.plans())?;
    Ok(Bundle::collect(&watcher.trust, &watcher.book, id, plan))
}

/// The root that this directory has pinned.
pub(super) fn first_root(watcher: &Watcher) -> &[u8] {
    watcher.trust.roots().values().next().map_or(&[], Vec::as_slice)
}

/// The attendance, with the first thing that does not hold.
pub(super) fn report(account: &Account) -> Report {
    let doubt = account.check().err().map(|fault| fault.to_string());
    Report { attendance: account.attendance(), doubt }
}

impl Forms {
    /// One form on standard output at a time.
    ///
    /// # Errors
    /// `U070`.
    pub(super) fn check(&self, shell: &Shell) -> Result<(), Failure> {
        match self.csv && shell.json {
            true => Err(Failure::new("U070", "--csv and --json exclude each other")),
            false => Ok(()),
        }
    }

    /// Shows a report; ends as refused when something in it does not hold.
    ///
    /// # Errors
    /// `U004`, `U006` when the HTML file cannot be written, or is there already.
    pub(super) fn show(&self, shell: &Shell, report: &Report) -> Result<Exit, Failure> {
        if let Some(file) = &self.html {
            create(file, html(report).as_bytes(), Secrecy::Public)?;
        }
        match self.csv {
            true => shell.say(&Text(csv(&report.attendance)))?,
            false => shell.say(report)?,
        }
        Ok(if report.doubt.is_some() { Exit::Refused } else { Exit::Done })
    }
}

/// Text as it is.
#[derive(Serialize)]
struct Text(String);

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
