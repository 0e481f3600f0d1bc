//! `muster roster add`: puts an enrolled agent into the author's roster file.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use clap::Args;
use muster_proto::documents::OperatorAddress;
use muster_proto::documents::author::roster_edit::{Placement, add};
use muster_proto::documents::author::{Enrol, values::Word};
use muster_proto::documents::roster::Role;
use serde::Serialize;

use super::exit::Exit;
use super::failure::{At, Failure};
use super::shell::{Shell, read, read_text, replace};
use crate::view::words::{indented, labelled};

/// Largest enrolment, in bytes.
const ENROL_BYTES: u64 = 64 * 1024;

/// `muster roster add`
#[derive(Debug, Args)]
pub struct Add {
    /// The file that `muster-agent init` wrote
    enrol: PathBuf,
    /// The author's roster, which is edited in place; comments stay
    #[arg(long, value_name = "FILE")]
    roster: PathBuf,
    /// What the node is for
    #[arg(long, default_value = "consensus-delegate", value_parser = role)]
    role: Role,
    /// Its operator address, when the enrolment names none
    #[arg(long, value_name = "io1…")]
    operator: Option<OperatorAddress>,
    /// Whether it holds a seat; by default a consensus delegate does
    #[arg(long)]
    seat: Option<bool>,
    /// A label for a plan's `select`; may be given several times
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// Its standby group
    #[arg(long)]
    group: Option<String>,
    /// It stands in everybody's `network.bootstrapNodes`
    #[arg(long)]
    bootstrap: bool,
    /// The fingerprint is compared already: do not ask
    #[arg(long)]
    yes: bool,
    /// Show what would be added, and write nothing
    #[arg(long)]
    dry_run: bool,
}

fn role(text: &str) -> Result<Role, String> {
    let found = Role::WORDS.iter().find(|(word, _)| *word == text);
    let words: Vec<_> = Role::WORDS.iter().map(|(word, _)| *word).collect();
    found.map(|(_, role)| *role).ok_or_else(|| format!("one of {}", words.join(", ")))
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE")?;
    Ok((name.into(), value.into()))
}

#[derive(Serialize)]
struct Added<'a> {
    #[serde(flatten)]
    enrol: &'a Enrol,
    fingerprint: String,
    roster: String,
    written: bool,
}

impl fmt::Display for Added<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.written {
            true => writeln!(f, "{} stands in {} now", self.enrol.name, self.roster),
            false => writeln!(f, "nothing was written (--dry-run)"),
        }?;
        writeln!(f, "{}", labelled("next", "muster roster freeze, then officers sign"))
    }
}

/// Runs the command.
///
/// # Errors
/// `D005` to `D007` about the enrolment, `D128` and `D129` about the roster, `U021`.
pub fn run(shell: &Shell, args: &Add) -> Result<Exit, Failure> {
    let enrol = Enrol::open(&read(&args.enrol, ENROL_BYTES)?).at(args.enrol.display())?;
    let placement = Placement {
        operator: args.operator.clone(),
        role: args.role,
        seat: args.seat,
        labels: args.labels.iter().cloned().collect::<BTreeMap<_, _>>(),
        group: args.group.clone(),
        bootstrap: args.bootstrap,
    };
    let file = args.roster.display().to_string();
    let edited = add(&file, &read_text(&args.roster)?, &enrol, &placement)?;
    let fingerprint = enrol.fingerprint().to_string();
    shell.remark(shown(&enrol, &fingerprint));
    if !args.dry_run {
        let question = format!("Does the fingerprint equal the one {} told you?", enrol.name);
        shell.confirm(&question, args.yes)?;
        replace(&args.roster, edited.as_bytes())?;
    }
    shell.say(&Added { enrol: &enrol, fingerprint, roster: file, written: !args.dry_run })?;
    Ok(Exit::Done)
}

fn shown(enrol: &Enrol, fingerprint: &str) -> String {
    const COLUMN: usize = 16;
    let operator = enrol.operator.as_ref().map_or("not named".into(), ToString::to_string);
    let lines = [
        format!("{} of {} asks to be enrolled", enrol.name, enrol.network),
        indented("fingerprint", fingerprint, COLUMN),
        indented("key", &enrol.key.to_string(), COLUMN),
        indented("operator", &operator, COLUMN),
        indented("endpoint", &enrol.endpoint.to_string(), COLUMN),
        indented("contact", &enrol.contact, COLUMN),
        indented("", "compare the fingerprint with the node's operator by another way", COLUMN),
    ];
    lines.join("\n")
}
