//! A draft in words: what is about to be signed, and whose signatures make it valid.

use std::fmt;

use jiff::Timestamp;
use muster_proto::documents::Abort;
use muster_proto::documents::plan::Action;
use muster_proto::trust::draft::{Checked, Document, Merged};
use serde::Serialize;

use super::keys::{self, Authority};
use super::order::{Order, order};
use super::release::ReleaseShown;
use super::roster::{RosterChange, change};
use super::words::{date, labelled};

/// What is about to be signed. Made only from what was verified against one's own root.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    /// The role whose next metadata is signed.
    pub role: String,
    /// Its version.
    pub version: u64,
    /// Until when it counts.
    pub expires: Timestamp,
    /// The document.
    pub document: What,
    /// Targets that the role lists now and will not list any more.
    pub dropped: Vec<String>,
    /// Whose signatures make it valid.
    pub needs: Vec<Needed>,
}

/// The document, ready to be read.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// Root, or the keys of the roles.
    Keys(Box<Authority>),
    /// A roster.
    Roster(Box<RosterChange>),
    /// A release.
    Release(Box<ReleaseShown>),
    /// A plan.
    Plan(Box<Order>),
    /// The abort of a plan.
    Abort(Abort),
}

/// How far one quorum is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Needed {
    /// Such as `hotfix`, or `root 3`.
    pub of: String,
    /// Signatures needed.
    pub threshold: usize,
    /// Who has signed.
    pub have: Vec<String>,
    /// Who could still sign.
    pub missing: Vec<String>,
}

/// Reads a draft that verified.
pub fn shown(checked: &Checked, merged: &Merged) -> Shown {
    Shown {
        role: checked.role().into(),
        version: checked.version(),
        expires: checked.expires(),
        document: what(checked),
        dropped: checked.dropped().to_vec(),
        needs: needs(merged),
    }
}

fn what(checked: &Checked) -> What {
    let board = checked.board();
    let roles = checked.roles();
    // Of the very first root there is nothing in force.
    let held = board.map(|_| roles.as_slice());
    match checked.document() {
        Document::Root(spec) => What::Keys(Box::new(keys::root(spec, held))),
        Document::Keys(spec) => {
            let first = roles.iter().all(|role| role.name != "targets" || role.version == 0);
            What::Keys(Box::new(keys::keys(spec, held.filter(|_| !first))))
        }
        Document::Roster(roster) => {
            let old = board.and_then(|board| board.last_roster());
            What::Roster(Box::new(change(old, roster)))
        }
        Document::Release(release, _) => {
            What::Release(Box::new(ReleaseShown { release: release.clone() }))
        }
        Document::Plan(plan) => {
            let release = match &plan.action {
                Action::Upgrade(named) => board.and_then(|board| board.release(named)),
                _ => None,
            };
            What::Plan(Box::new(order(plan, release)))
        }
        Document::Abort(abort) => What::Abort(abort.clone()),
    }
}

/// How far each quorum is.
pub fn needs(merged: &Merged) -> Vec<Needed> {
    let one = |need: &muster_proto::trust::draft::Need| Needed {
        of: need.of.clone(),
        threshold: need.threshold,
        have: sorted(&need.have),
        missing: sorted(&need.missing),
    };
    merged.needs.iter().map(one).collect()
}

/// Each quorum on a line, under one label.
///
/// # Errors
/// Those of the formatter.
pub fn lines(f: &mut fmt::Formatter<'_>, needs: &[Needed]) -> fmt::Result {
    needs.iter().enumerate().try_for_each(|(at, need)| {
        let label = if at == 0 { "needs" } else { "" };
        writeln!(f, "{}", labelled(label, &need.to_string()))
    })
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort();
    names
}

impl fmt::Display for Needed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Needed { of, threshold, have, missing } = self;
        let all = have.len() + missing.len();
        write!(f, "{of}: {threshold} of {all} must sign")?;
        if !have.is_empty() {
            write!(f, "; signed by {}", have.join(", "))?;
        }
        match threshold.saturating_sub(have.len()) {
            0 => write!(f, "; complete"),
            lacking => write!(f, "; {lacking} more of {}", missing.join(", ")),
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Keys(it) => it.fmt(f),
            What::Roster(it) => it.fmt(f),
            What::Release(it) => it.fmt(f),
            What::Plan(it) => it.fmt(f),
            What::Abort(it) => {
                let digest = it.plan.digest.short();
                writeln!(f, "Abort of plan {} ({digest}) of {}", it.plan, it.network)?;
                let words = "who has not begun never begins; who is in the middle of an upgrade \
                             puts the old node back, of anything else finishes";
                writeln!(f, "{}", labelled("means", words))?;
                write!(f, "{}", labelled("reason", &it.reason))
            }
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.document)?;
        let metadata = format!("{} {}, until {}", self.role, self.version, date(self.expires));
        writeln!(f, "{}", labelled("signs", &metadata))?;
        for path in &self.dropped {
            let text = format!("{path}: over, or replaced; agents forget it");
            writeln!(f, "{}", labelled("drops", &text))?;
        }
        lines(f, &self.needs)
    }
}
