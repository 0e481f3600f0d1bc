//! `muster-agent status`.

use jiff::Timestamp;
use muster_proto::documents::plan::Urgency;

use super::{clock, length, number, plain, row, since};
use crate::control::view::{
    BoardState, BoardView, Enrolled, PlanView, PolicyView, SeenHealth, Status, TrustView,
};
use crate::policy::urgency_word;

/// Plans that are over are shown this far back; `log` has the rest.
const PLANS_OVER: usize = 3;

/// Refused documents shown; `--json` has the rest.
const REFUSED: usize = 3;

/// Blocks behind the others that still read as caught up.
const CAUGHT_UP: u64 = 10;

/// The screen.
pub fn render(status: &Status) -> String {
    let now = status.at;
    let mut text = format!("{}\n", first_line(status));
    if let Some(stuck) = &status.stuck {
        text.push_str(&row("stuck", stuck));
    }
    if status.enrolled == Enrolled::No {
        text.push_str(&row("enrolment", &not_enrolled(status)));
    }
    for plan in shown(&status.plans) {
        text.push_str(&row(&format!("plan {}", plan.plan.serial), &plan_text(plan, now)));
    }
    text.push_str(&row("next", &next(status)));
    text.push_str(&row("policy", &policy_text(&status.policy)));
    text.push_str(&row("controllers", &boards_text(status, now)));
    text.push_str(&row("trust", &trust_text(&status.trust, now)));
    for refused in status.refused.iter().rev().take(REFUSED) {
        let line = format!(
            "{} {} ({}, {} ago)",
            refused.subject,
            refused.text,
            refused.from,
            since(refused.at, now)
        );
        text.push_str(&row("refused", &line));
    }
    plain(&text)
}

fn first_line(status: &Status) -> String {
    let who = format!("{} ({})", status.container, status.node);
    match (&status.daemon, &status.node_health) {
        (None, _) => format!("{who}: the agent does not run, nobody looks after this node"),
        (Some(_), None) => format!("{who}: not looked at yet"),
        (Some(_), Some(seen)) => format!("{who} {}", health(seen, status.at)),
    }
}

fn health(seen: &SeenHealth, now: Timestamp) -> String {
    let health = &seen.health;
    if !health.running {
        return format!("is down, seen {} ago", since(seen.at, now));
    }
    let mut parts =
        vec![format!("runs {}", health.version.as_deref().unwrap_or("no known version"))];
    match health.height {
        Some(height) => {
            parts.push(format!("height {}", number(height)));
            parts.extend(seen.fleet_height.map(|fleet| lag(height, fleet)));
        }
        None => parts.push("gives no answer".into()),
    }
    if health.standing_by {
        parts.push("standing by".into());
    }
    if health.paused {
        parts.push("paused".into());
    }
    if health.clock_off {
        parts.push("this host's clock is off".into());
    }
    parts.extend(health.block_time.map(|at| format!("last block {} ago", since(at, now))));
    parts.join(", ")
}

fn lag(height: u64, fleet: u64) -> String {
    match fleet.saturating_sub(height) {
        0..=CAUGHT_UP => "caught up".into(),
        behind => format!("{} blocks behind the others", number(behind)),
    }
}

fn not_enrolled(status: &Status) -> String {
    format!(
        "not enrolled: no roster known here lists this agent's key; send {}.enrol to whoever \
         keeps the roster of {}",
        status.node, status.network
    )
}

fn shown(plans: &[PlanView]) -> impl Iterator<Item = &PlanView> {
    let open = plans.iter().filter(|plan| !plan.over);
    open.chain(plans.iter().filter(|plan| plan.over).take(PLANS_OVER))
}

fn plan_text(plan: &PlanView, now: Timestamp) -> String {
    let mark = plan.drill.mark().map_or(String::new(), |mark| format!("{mark}: "));
    let away = plan.away_ms.map(|ms| format!(", away for {}", length(ms as i64 / 1_000)));
    if plan.over {
        let at = clock(plan.since, now);
        return format!("{mark}{} {at}{}", plan.text, away.unwrap_or_default());
    }
    let (stage, since) = (&plan.stage, clock(plan.since, now));
    format!("{mark}{}, {stage} since {since}: {}", plan.action, plan.text)
}

fn next(status: &Status) -> String {
    if status.daemon.as_ref().is_some_and(|daemon| daemon.draining) {
        return "nothing; the agent is ending".into();
    }
    match status.plans.iter().rev().find(|plan| !plan.over) {
        Some(plan) => format!("plan {}: {}", plan.plan.serial, plan.text),
        None => "nothing".into(),
    }
}

fn policy_text(policy: &PolicyView) -> String {
    let mut parts = Vec::new();
    for pair in policy.rows.chunks(2) {
        match pair {
            [one, other] if one.rule == other.rule => {
                parts.push(format!("{}: {}", one.class, one.rule));
            }
            rows => parts.extend(rows.iter().map(|row| {
                let class = if row.urgency == Urgency::Routine { row.class.role() } else { "" };
                format!("{class} {}: {}", urgency_word(row.urgency), row.rule).trim().to_owned()
            })),
        }
    }
    let mut text = parts.join(" · ");
    if policy.missing {
        text.push_str(" (there is no policy.yaml)");
    }
    if let Some(problem) = &policy.problem {
        text.push_str(&format!("; policy.yaml is broken and not in force: {problem}"));
    }
    text
}

fn boards_text(status: &Status, now: Timestamp) -> String {
    if status.daemon.is_none() {
        return "none attached".into();
    }
    let board = |board: &BoardView| board_text(board, now);
    status.boards.iter().map(board).collect::<Vec<_>>().join(" · ")
}

fn board_text(board: &BoardView, now: Timestamp) -> String {
    let age = since(board.since, now);
    match &board.state {
        BoardState::Untried => format!("{} not tried yet", board.address),
        BoardState::Attached => format!("{} attached {age}", board.address),
        BoardState::NotEnrolled { .. } => format!("{} says not enrolled", board.address),
        BoardState::Lost { why } => format!("{} lost {age} ago: {why}", board.address),
    }
}

fn trust_text(trust: &TrustView, now: Timestamp) -> String {
    let mut text = format!("root {}", trust.root);
    if let Some((role, at)) = trust.expiries.first() {
        let role = if role == "root" { ",".into() } else { format!(" · {role}") };
        text.push_str(&match *at > now {
            true => format!("{role} expires in {}", since(now, *at)),
            false => format!("{role} expired {} ago", since(*at, now)),
        });
    }
    text.push_str(&match trust.fresh_until {
        None => " · no timestamp yet".into(),
        Some(until) if until > now => format!(" · timestamp fresh for {}", since(now, until)),
        Some(until) => format!(" · timestamp ran out {} ago", since(until, now)),
    });
    text
}

#[cfg(test)]
mod tests;
