//! The attendance on a screen of 80 columns.

use std::fmt;

use jiff::Timestamp;
use muster_proto::audit::{Attendance, How, Line, Order};

use super::Report;
use crate::view::table;
use crate::view::words::{WIDTH, count, labelled, span, wrap};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = &self.attendance;
        writeln!(f, "{}", wrap(&headline(told), WIDTH, 2))?;
        writeln!(f, "{}", course(told))?;
        writeln!(f, "{}\n", wrap(&tally(told), WIDTH, 2))?;
        if let Some(aborted) = aborted(told) {
            writeln!(f, "{}\n", labelled("aborted", &aborted))?;
        }
        write!(f, "{}", rows(told))?;
        writeln!(f)?;
        for line in told.nodes.iter().filter(|line| line.why.is_some()) {
            let text = format!("{}: {}", line.node, line.why.as_deref().unwrap_or_default());
            writeln!(f, "{}", labelled(line.how.word(), &text))?;
        }
        writeln!(f, "{}", labelled("away", &away(told)))?;
        writeln!(f, "{}", labelled("times", "UTC, each by its own host's clock"))?;
        if let Some(doubt) = &self.doubt {
            writeln!(f, "{}", labelled("doubt", doubt))?;
        }
        let as_of = format!("recomputed from what was signed, as of {}", told.issued);
        writeln!(f, "{}", labelled("proof", &as_of))?;
        writeln!(f, "{}", labelled("root", told.first_root.hex()))
    }
}

/// What it was.
pub(super) fn headline(told: &Attendance) -> String {
    let drill = told.drill.mark().map_or(String::new(), |mark| format!("{mark} "));
    format!("{drill}plan {} · {}", told.plan, told.title)
}

/// How it went as a whole.
pub(super) fn course(told: &Attendance) -> String {
    let took = told.took_ms.map_or(String::new(), |ms| format!(" · {}", span(ms)));
    let order = told.order.map_or("nobody began", |order| match order {
        Order::Held => "order held",
        Order::Broken => "order BROKEN",
    });
    format!("{} of {} took part · {order}{took}", told.took_part(), told.nodes.len())
}

/// When and why officers ended it before its time, if they did.
pub(super) fn aborted(told: &Attendance) -> Option<String> {
    let aborted = told.aborted.as_ref()?;
    Some(format!("{} UTC: {}", aborted.issued.strftime("%F %H:%M:%S"), aborted.reason))
}

/// How many ended how.
pub(super) fn tally(told: &Attendance) -> String {
    let total = |it: &muster_proto::audit::Total| {
        format!("{} {} ({})", it.how.word(), it.nodes, count(it.seats as usize, "seat"))
    };
    let totals: Vec<_> = told.totals.iter().map(total).collect();
    format!("{} of {}", totals.join(" · "), count(told.seats as usize, "seat"))
}

/// How long nodes were away.
pub(super) fn away(told: &Attendance) -> String {
    let mut all: Vec<(u64, &str)> =
        told.nodes.iter().filter_map(|it| Some((it.away_ms?, it.node.as_str()))).collect();
    all.sort_unstable();
    match all.last() {
        None => "nobody was taken away and came back".into(),
        Some((longest, who)) => {
            let median = all[(all.len() - 1) / 2].0;
            format!("median {}, longest {} ({who})", span(median), span(*longest))
        }
    }
}

fn rows(told: &Attendance) -> String {
    let one_day = days(told) < 2;
    let mut rows = table::plain(&["node", "promised", "began", "over", "how", "away", "order"]);
    table::right(&mut rows, &[5]);
    for line in &told.nodes {
        let at = |at: Option<Timestamp>| at.map_or("-".into(), |at| time(at, one_day));
        rows.add_row([
            line.node.clone(),
            at(line.acknowledged),
            at(line.began),
            at(line.finished),
            how(line),
            line.away_ms.map_or("-".into(), span),
            line.order.map_or("-", Order::word).to_owned(),
        ]);
    }
    table::text(&rows)
}

fn how(line: &Line) -> String {
    let late = if line.late { ", late" } else { "" };
    let out = match line.wave {
        None if line.how != How::NoAgent => ", no turn",
        _ => "",
    };
    format!("{}{late}{out}", line.how.word())
}

fn days(told: &Attendance) -> usize {
    let times = told.nodes.iter().flat_map(|it| [it.acknowledged, it.began, it.finished]);
    let mut days: Vec<_> = times.flatten().map(|at| at.strftime("%F").to_string()).collect();
    days.sort_unstable();
    days.dedup();
    days.len()
}

fn time(at: Timestamp, one_day: bool) -> String {
    let form = if one_day { "%H:%M:%S" } else { "%-d %b %H:%M" };
    at.strftime(form).to_string()
}
