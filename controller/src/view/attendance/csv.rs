//! The attendance for a spreadsheet: RFC 4180, one node a line.

use jiff::Timestamp;
use muster_proto::audit::{Attendance, Line, Order};

const HEADER: &str = "plan,node,seat,wave,place,how,order,late,acknowledged,asked,prepared,began,\
                      stopped,finished,away_ms,counted,why";

/// The whole file.
pub fn csv(told: &Attendance) -> String {
    let plan = told.plan.to_string();
    let lines = told.nodes.iter().map(|line| row(&plan, line));
    std::iter::once(HEADER.to_owned()).chain(lines).map(|line| line + "\r\n").collect()
}

fn row(plan: &str, line: &Line) -> String {
    let time = |at: Option<Timestamp>| at.map_or(String::new(), |at| at.to_string());
    let cells = [
        plan.to_owned(),
        line.node.clone(),
        line.seat.clone().unwrap_or_default(),
        line.wave.clone().unwrap_or_default(),
        line.place.map_or(String::new(), |it| it.to_string()),
        line.how.word().into(),
        line.order.map_or("", Order::word).to_lowercase(),
        if line.late { "late" } else { "" }.into(),
        time(line.acknowledged),
        time(line.asked),
        time(line.prepared),
        time(line.began),
        time(line.stopped),
        time(line.finished),
        line.away_ms.map_or(String::new(), |it| it.to_string()),
        line.counted.map_or(String::new(), |it| it.to_string()),
        line.why.clone().unwrap_or_default(),
    ];
    cells.map(|cell| quoted(&cell)).join(",")
}

/// A cell that a spreadsheet would take for a formula begins with an apostrophe: reasons are
/// written by others.
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t']);
    let cell = if formula { format!("'{cell}") } else { cell.to_owned() };
    match cell.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell,
    }
}
