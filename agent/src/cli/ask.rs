//! Commands that ask the daemon; `status` and `log` read its files when it does not run.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use jiff::Timestamp;
use muster_proto::documents::PlanId;
use serde::Serialize;

use super::args::{Approve, Decline, Explain, Log, Output};
use super::exit::{Exit, Failure};
use super::{Printed, offline, screen};
use crate::config::Paths;
use crate::control::client::{self, ControlError};
use crate::control::view::{Explained, LogLine, Status};
use crate::control::{PlanName, Question, Refused, Reply};

/// `status`
pub(super) async fn status(paths: &Paths, output: Output) -> Result<Printed, Failure> {
    let (status, exit) = match client::ask(&paths.socket(), &Question::Status).await {
        Ok(Reply::Status(status)) => (*status, Exit::Done),
        Ok(other) => return Err(unexpected(&other)),
        Err(ControlError::NotRunning { .. }) => (offline::status(paths)?, Exit::Unreachable),
        Err(error) => return Err(unreachable(&error)),
    };
    let text = print(output, &status, |status: &Status| screen::status::render(status))?;
    Ok(Printed { text, exit })
}

/// `log`
pub(super) async fn log(paths: &Paths, log: &Log) -> Result<Printed, Failure> {
    let lines = offline::log(paths, log.lines)?;
    let draw = |lines: &Vec<LogLine>| screen::log::render(lines, Timestamp::now());
    Ok(Printed::done(print(log.output, &lines, draw)?))
}

/// `pending`
pub(super) async fn pending(paths: &Paths, output: Output) -> Result<Printed, Failure> {
    match question(paths, &Question::Pending).await? {
        Reply::Pending(pending) => {
            let text =
                print(output, &pending, |all| screen::pending::render(all, Timestamp::now()))?;
            Ok(Printed::done(text))
        }
        other => Err(unexpected(&other)),
    }
}

/// `explain`
pub(super) async fn explain(paths: &Paths, explain: &Explain) -> Result<Printed, Failure> {
    let explained = explained(paths, &explain.plan).await?;
    let draw = |explained: &Explained| screen::pending::explain(explained, Timestamp::now());
    Ok(Printed::done(print(explain.output, &explained, draw)?))
}

/// `approve`
pub(super) async fn approve(paths: &Paths, approve: &Approve) -> Result<Printed, Failure> {
    if !approve.yes {
        let explained = explained(paths, &approve.plan).await?;
        confirm(&screen::pending::explain(&explained, Timestamp::now()))?;
    }
    let question = Question::Approve { plan: approve.plan.clone() };
    answered(paths, &question, approve.output, "approved", "it goes ahead when its turn comes")
        .await
}

/// `decline`
pub(super) async fn decline(paths: &Paths, decline: &Decline) -> Result<Printed, Failure> {
    let question = Question::Decline { plan: decline.plan.clone(), why: decline.why.clone() };
    answered(paths, &question, decline.output, "declined", "this node begins nothing of it").await
}

#[derive(Serialize)]
struct Answered<'a> {
    plan: &'a PlanId,
    answer: &'a str,
}

async fn answered(
    paths: &Paths,
    asked: &Question,
    output: Output,
    answer: &str,
    then: &str,
) -> Result<Printed, Failure> {
    match question(paths, asked).await? {
        Reply::Answered(plan) => {
            let said = Answered { plan: &plan, answer };
            let draw = |said: &Answered<'_>| format!("{answer} plan {}: {then}\n", said.plan);
            Ok(Printed::done(print(output, &said, draw)?))
        }
        other => Err(unexpected(&other)),
    }
}

async fn explained(paths: &Paths, plan: &PlanName) -> Result<Explained, Failure> {
    match question(paths, &Question::Explain { plan: plan.clone() }).await? {
        Reply::Explained(explained) => Ok(*explained),
        other => Err(unexpected(&other)),
    }
}

async fn question(paths: &Paths, question: &Question) -> Result<Reply, Failure> {
    match client::ask(&paths.socket(), question).await {
        Ok(Reply::Refused(refused)) => Err(not_taken(&refused)),
        Ok(reply) => Ok(reply),
        Err(error) => Err(unreachable(&error)),
    }
}

fn unreachable(error: &ControlError) -> Failure {
    let exit = match error {
        ControlError::NotAllowed { .. } => Exit::Refused,
        ControlError::NotRunning { .. } | ControlError::NoAnswer { .. } => Exit::Unreachable,
    };
    Failure::new(exit, error)
}

fn not_taken(refused: &Refused) -> Failure {
    let exit = match refused {
        Refused::UnknownPlan(_) | Refused::Ambiguous(_) => Exit::WrongUse,
        Refused::NotInOrder(_) | Refused::Reason => Exit::WrongUse,
        Refused::Journal(_) => Exit::Failed,
        _ => Exit::Refused,
    };
    Failure::new(exit, refused)
}

fn unexpected(reply: &Reply) -> Failure {
    match reply {
        Reply::Refused(refused) => not_taken(refused),
        _ => Failure {
            exit: Exit::Failed,
            text: "E543: the agent answered another question; is it of another version?".into(),
        },
    }
}

/// One word on the terminal; without a terminal `--yes` is needed.
fn confirm(shown: &str) -> Result<(), Failure> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        let text = "E544: nobody can be asked here; add --yes".into();
        return Err(Failure { exit: Exit::WrongUse, text });
    }
    let failed = |error: std::io::Error| Failure::new(Exit::Failed, &error);
    let mut out = std::io::stderr();
    write!(out, "{shown}\nType `yes` to let this node take part: ").map_err(failed)?;
    let mut line = String::new();
    stdin.lock().read_line(&mut line).map_err(failed)?;
    if line.trim() == "yes" {
        return Ok(());
    }
    Err(Failure { exit: Exit::Refused, text: "E545: not approved; nothing was changed".into() })
}

fn print<T: Serialize>(
    output: Output,
    value: &T,
    draw: impl FnOnce(&T) -> String,
) -> Result<String, Failure> {
    if !output.json {
        return Ok(draw(value));
    }
    let json = serde_json::to_string_pretty(value);
    json.map(|text| text + "\n").map_err(|error| Failure::new(Exit::Failed, &error))
}
