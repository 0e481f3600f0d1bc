//! Which cells there are, which have been run, and the table that is printed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use muster_tests::faults::engine::{Call, Fault};

/// The caller dies around the call.
pub(crate) const KILLS: [Fault; 2] = [Fault::KillBefore, Fault::KillAfter];
/// The Engine refuses.
pub(crate) const REFUSALS: [Fault; 2] = [Fault::Status(500), Fault::Status(409)];
/// The Engine does not answer; whether it did as it was told is not known.
pub(crate) const LOSSES: [Fault; 2] = [Fault::Timeout, Fault::Cut];

/// One fault at one mutating call of a run, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cell {
    /// Which call.
    pub(crate) call: usize,
    /// Which of the table's faults.
    pub(crate) fault: usize,
}

/// The cells of one action.
#[derive(Debug)]
pub(crate) struct Table {
    action: &'static str,
    faults: Vec<Fault>,
    /// The calls of the longest undisturbed run so far.
    calls: Vec<String>,
    /// The node's last word in each cell.
    ends: BTreeMap<Cell, &'static str>,
    next: usize,
}

impl Table {
    pub(crate) fn new(action: &'static str, faults: &[Fault]) -> Self {
        let (calls, ends) = (Vec::new(), BTreeMap::new());
        Self { action, faults: faults.into(), calls, ends, next: 0 }
    }

    /// The next `most` cells: every fault of a call before the next call.
    pub(crate) fn hand_out(&mut self, most: usize) -> Vec<(Cell, Fault)> {
        let width = self.faults.len();
        let cells = (self.next..self.next + most).map(|at| {
            let cell = Cell { call: at / width, fault: at % width };
            (cell, self.faults[cell.fault])
        });
        let cells = cells.collect();
        self.next += most;
        cells
    }

    /// What an undisturbed run did.
    pub(crate) fn clean(&mut self, calls: &[Call]) {
        if calls.len() > self.calls.len() {
            self.calls = calls.iter().map(shape).collect();
        }
    }

    /// Whether a run reaches that call when nothing disturbs it.
    pub(crate) fn reaches(&self, cell: Cell) -> bool {
        cell.call < self.calls.len()
    }

    /// A cell has been run.
    pub(crate) fn ended(&mut self, cell: Cell, word: &'static str) {
        self.ends.insert(cell, word);
    }

    /// Every fault at every call of an undisturbed run.
    pub(crate) fn is_full(&self) -> bool {
        !self.calls.is_empty() && self.ends.len() == self.calls.len() * self.faults.len()
    }

    /// For people.
    pub(crate) fn print(&self) {
        let mut text = format!("\n{:<40}", self.action);
        for fault in &self.faults {
            let _ = write!(text, " {:>12}", format!("{fault:?}"));
        }
        for (call, what) in self.calls.iter().enumerate() {
            let _ = write!(text, "\n{call:>2} {what:<37}");
            for fault in 0..self.faults.len() {
                let end = self.ends.get(&Cell { call, fault }).copied().unwrap_or("-");
                let _ = write!(text, " {end:>12}");
            }
        }
        println!("{text}\n{} cells", self.ends.len());
    }
}

/// `POST /containers/4f2a…/kill?signal=SIGTERM` → `POST containers/…/kill SIGTERM`.
fn shape(call: &Call) -> String {
    let (path, query) = call.path.split_once('?').unwrap_or((&call.path, ""));
    let is_id = |part: &str| part.len() == 64 && part.bytes().all(|b| b.is_ascii_hexdigit());
    let mut parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
    for at in 1..parts.len() {
        if is_id(parts[at]) || parts[at - 1] == "networks" {
            parts[at] = "…";
        }
    }
    let signal = query.strip_prefix("signal=").unwrap_or_default();
    format!("{} {} {signal}", call.method, parts.join("/"))
}

#[test]
fn a_table_is_full_when_every_fault_met_every_call_of_an_undisturbed_run() {
    let call = |path: &str| Call {
        method: "POST".into(),
        path: path.into(),
        body: Default::default(),
        made: None,
        status: Some(204),
    };
    let mut table = Table::new("stop", &KILLS);
    let first = table.hand_out(3);
    table.clean(&[call("/containers/x/update"), call("/containers/x/kill?signal=SIGTERM")]);
    first.iter().for_each(|(cell, _)| table.ended(*cell, "done"));
    assert!(!table.is_full(), "the second call was met by one fault only");
    let rest: Vec<_> = table.hand_out(3).into_iter().filter(|it| table.reaches(it.0)).collect();
    assert_eq!(rest, [(Cell { call: 1, fault: 1 }, Fault::KillAfter)]);
    table.ended(rest[0].0, "done");
    assert!(table.is_full());
    assert_eq!(
        shape(&call(&format!("/containers/{}/start", "4f".repeat(32)))),
        "POST containers/…/start "
    );
}
