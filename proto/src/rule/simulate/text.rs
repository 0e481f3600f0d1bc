//! A timeline as text of at most 200 lines, however large the fleet.

use std::fmt;

use super::timeline::{Entry, Never, Timeline, What};

/// Lines of events before the middle is left out.
const SHOWN: usize = 160;
/// Nodes without a last word that are named.
const NAMED: usize = 20;

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head(f)?;
        let left_out = self.entries.len().saturating_sub(SHOWN);
        let first = if left_out == 0 { self.entries.len() } else { SHOWN / 2 };
        for entry in &self.entries[..first] {
            self.entry(f, entry)?;
        }
        if left_out > 0 {
            writeln!(f, "            … {left_out} lines left out; --json has them all")?;
        }
        for entry in &self.entries[first + left_out..] {
            self.entry(f, entry)?;
        }
        self.tail(f)
    }
}

impl Timeline {
    fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "plan {} · {} · simulated with seed {}", self.plan, self.title, self.seed)?;
        let pace = match self.parallel {
            1 => "one by one".to_owned(),
            several => format!("{several} at a time"),
        };
        let budget = match self.budget {
            Some(budget) => format!("at most {budget} of {} seats away", self.seats),
            None => "seats are not counted".to_owned(),
        };
        let waves = if self.waves == 1 { "wave" } else { "waves" };
        writeln!(
            f,
            "  {} {} nodes in {} {waves}, {pace}, {budget}\n\n     time     seats",
            self.action, self.nodes, self.waves
        )
    }

    fn entry(&self, f: &mut fmt::Formatter<'_>, entry: &Entry) -> fmt::Result {
        let who = match (&entry.node, &entry.what) {
            (Some(node), _) => node.as_str(),
            (None, What::Gate { wave, .. }) => wave,
            (None, _) => "-",
        };
        let seats = format!("{} of {}", entry.seats, self.seats);
        let line =
            format!("  {}  {seats:>8}  {who:<16} {}", clock(entry.at_ms), words(&entry.what));
        writeln!(f, "{}", line.trim_end())
    }

    fn tail(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.complete { "complete" } else { "not complete" };
        writeln!(
            f,
            "\n{end} after {}\n{} done, {} rolled back, {} declined, {} without a last word",
            span(self.duration_ms),
            self.done,
            self.rolled_back,
            self.declined,
            self.never.len()
        )?;
        let (fewest, quorum) = (self.fewest_seats, self.quorum);
        let verdict = if fewest >= quorum { "the chain goes on" } else { "the chain stands still" };
        writeln!(
            f,
            "fewest seats there {fewest} of {}, first at {}; a block needs {quorum}: {verdict}",
            self.seats,
            clock(self.fewest_at_ms)
        )?;
        for Never { node, began, why } in self.never.iter().take(NAMED) {
            let how = if *began { "began, and" } else { "did not begin:" };
            writeln!(f, "  {node:<16} {how} {why}")?;
        }
        match self.never.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => writeln!(f, "  and {more} more"),
        }
    }
}

fn words(what: &What) -> String {
    let away = |away: &Option<u64>| away.map_or(String::new(), |ms| format!(", away {}", span(ms)));
    match what {
        What::Acknowledged { nodes } => format!("acknowledged by all {nodes} who are there"),
        What::Began { sum: Some(sum) } => format!("began, {sum} counted"),
        What::Began { sum: None } => "began, nothing counted".into(),
        What::Failed { why } => format!("failed: {why}"),
        What::Done { away_ms } => format!("done{}", away(away_ms)),
        What::RolledBack { away_ms } => format!("rolled back{}", away(away_ms)),
        What::Asked => "asks its operator".into(),
        What::Declined => "declined".into(),
        What::Stuck { why } => format!("stuck: {why}"),
        What::Crashed => "crashed after its done".into(),
        What::Gate { done, soak_ms: 0, .. } => format!("gate met with {done} done"),
        What::Gate { done, soak_ms, .. } => {
            format!("gate: {done} done, soaks {}", span(*soak_ms))
        }
        What::Over { why } => why.clone(),
    }
}

/// `h:mm:ss` since the first moment.
fn clock(ms: u64) -> String {
    let seconds = ms / 1_000;
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Such as `12 s`, `3 min 4 s`, `1 h 10 min`.
fn span(ms: u64) -> String {
    let seconds = ms.div_ceil(1_000);
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}
