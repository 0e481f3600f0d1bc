//! What can be said while the daemon does not run: its files, read only.

use jiff::Timestamp;
use muster_proto::documents::{Plan, canonical};
use muster_proto::evidence::Receipt;
use muster_proto::evidence::receipt::Event;
use muster_proto::trust::StateFile;

use super::exit::{Exit, Failure};
use crate::config::{Config, Paths};
use crate::control::said;
use crate::control::view::{BoardState, BoardView, Enrolled, LogLine, PlanView, Status};
use crate::daemon::{StartError, report};
use crate::enrol;
use crate::journal::{JournalError, JournalView};
use crate::policy::PolicyFile;

/// `status` from the files.
pub(super) fn status(paths: &Paths) -> Result<Status, Failure> {
    let at = Timestamp::now();
    let config = Config::load(&paths.config()).map_err(|error| failed(&error))?;
    let key = enrol::load_key(paths).map_err(|error| failed(&error))?.public();
    let (_, state) = StateFile::open(paths.trust(), at).map_err(|error| failed(&error))?;
    let missing = || failed(&StartError::NoTrust(paths.trust()));
    let trust = state.ok_or_else(missing)?.trust;
    let listed = trust.roster().and_then(|roster| roster.node(&config.name)?.key);
    let (policy, _) = PolicyFile::open(paths.policy());
    let board = |address: String| BoardView { address, state: BoardState::Untried, since: at };
    Ok(Status {
        at,
        node: config.name,
        network: config.network,
        container: config.container,
        daemon: None,
        enrolled: if listed == Some(key) { Enrolled::Yes } else { Enrolled::No },
        node_health: None,
        plans: plans(paths, at)?,
        policy: report::policy_view(&policy),
        boards: config.controllers.into_iter().map(|it| board(it.address)).collect(),
        trust: report::trust_view(&trust),
        refused: Vec::new(),
        stuck: None,
    })
}

fn plans(paths: &Paths, now: Timestamp) -> Result<Vec<PlanView>, Failure> {
    let Some(journal) = journal(paths)? else { return Ok(Vec::new()) };
    let mut views = Vec::new();
    for stored in journal.plans().map_err(|error| failed(&error))? {
        let fold = journal.fold(&stored.id).map_err(|error| failed(&error))?;
        let plan: Plan = canonical::from_bytes(&stored.plan).map_err(|error| failed(&error))?;
        views.push(report::plan_view(&stored.id, &plan, &fold, None, now));
    }
    views.reverse();
    Ok(views)
}

/// `log`: the newest `most` receipts and answers, oldest first.
pub(super) fn log(paths: &Paths, most: usize) -> Result<Vec<LogLine>, Failure> {
    let Some(journal) = journal(paths)? else { return Ok(Vec::new()) };
    let receipts = journal.receipts().map_err(|error| failed(&error))?;
    let mut lines: Vec<_> = receipts.iter().map(line).collect();
    for stored in journal.plans().map_err(|error| failed(&error))? {
        let Some(answer) = journal.answer(&stored.id).map_err(|error| failed(&error))? else {
            continue;
        };
        let event = if answer.approved { "approved" } else { "declined" };
        let text = format!("by {}{}", answer.who, some(&answer.why, ": "));
        let event = event.into();
        lines.push(LogLine { at: answer.at, plan: stored.id, receipt: None, event, text });
    }
    lines.sort_by_key(|line| line.at);
    Ok(lines.split_off(lines.len().saturating_sub(most)))
}

fn line(receipt: &Receipt) -> LogLine {
    LogLine {
        at: receipt.at,
        plan: receipt.plan.clone(),
        receipt: Some(receipt.counter),
        event: receipt.event.word().into(),
        text: said::one_line(&text(&receipt.event)),
    }
}

fn text(event: &Event) -> String {
    match event {
        Event::Acknowledged { in_hand: Some(plan) } => format!("while plan {plan} was in hand"),
        Event::Acknowledged { in_hand: None } | Event::Asked | Event::Prepared => String::new(),
        Event::Declined { reason } => reason.clone(),
        Event::Began { sum: Some(sum), heads } => {
            format!("{sum} seats counted, on the word of {} chains", heads.len())
        }
        Event::Began { sum: None, .. } => "nothing is counted".into(),
        Event::Stopped { height, exit, .. } => {
            let height = height.map_or("unknown".into(), |height| height.to_string());
            format!("exit {exit}, height {height}")
        }
        Event::Failed { code, why } => format!("{code} {why}"),
        Event::Done(outcome) | Event::RolledBack(outcome) => {
            let version = outcome.version.as_deref().unwrap_or("down");
            let height = outcome.height.map(|height| format!(", height {height}"));
            let away = outcome.away_ms.map(|ms| format!(", away for {ms} ms"));
            format!("{version}{}{}", height.unwrap_or_default(), away.unwrap_or_default())
        }
    }
}

fn some(text: &str, before: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{before}{text}") }
}

/// None when the daemon never ran here.
fn journal(paths: &Paths) -> Result<Option<JournalView>, Failure> {
    match JournalView::open(paths.dir()) {
        Ok(journal) => Ok(Some(journal)),
        Err(JournalError::Files { source, .. })
            if source.kind() == std::io::ErrorKind::NotFound =>
        {
            Ok(None)
        }
        Err(error) => Err(failed(&error)),
    }
}

fn failed(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::new(Exit::Failed, error)
}
