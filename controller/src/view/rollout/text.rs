//! The rollout on a screen of 80 columns.

use std::fmt;

use super::{Late, NodeLine, Place, Rollout, State, Stopping, WaveLine};
use crate::view::words::{
    WIDTH, ago, hanging, height, indented, labelled, names, span, until, wrap,
};

/// Cells of the progress bar.
const BAR: usize = 44;
/// Column of the words behind a group and its number.
const GROUP: usize = 17;
/// Names shown before a list is shortened.
const SHOWN: usize = 4;

impl fmt::Display for Rollout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline())?;
        writeln!(f, "{}\n", self.bar())?;
        for line in self.groups() {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "\n{}", labelled("chain", &self.chain()))?;
        if let Some(reason) = self.aborted() {
            writeln!(f, "{}", labelled("aborted", reason))?;
        }
        for hold in &self.holds {
            let when = until(hold.until, self.at);
            let text = format!("by {}: {} (ends {when})", hold.by, hold.reason);
            writeln!(f, "{}", labelled("held", &text))?;
        }
        writeln!(f, "{}", labelled("told by", &self.sources))
    }
}

impl Rollout {
    /// What it is; then how it stands, with the seats at the right edge.
    pub fn headline(&self) -> String {
        let title = wrap(&format!("plan {} · {}", self.plan, self.title), WIDTH, 2);
        let mut state = self.state_words();
        if let (State::Running, Some((number, wave))) = (&self.state, self.wave_at()) {
            state.push_str(&format!(" · wave {number} of {} ({})", self.waves.len(), wave.name));
        }
        let seats = format!("seats {} of {}", self.seats_up, self.seats);
        let room = (WIDTH - 2).saturating_sub(seats.chars().count());
        format!("{title}\n{state:<room$}  {seats}")
    }

    fn state_words(&self) -> String {
        let since =
            || self.running_ms.map_or(String::new(), |ms| format!(" {}", span(ms / 1_000 * 1_000)));
        match &self.state {
            State::NotYetValid(from) => format!("valid {}", until(*from, self.at)),
            State::Waiting => "nobody has begun".into(),
            State::Running => format!("running{}", since()),
            State::Done => format!("done{}", since()),
            State::Over { failures, tolerated, lasting } => {
                let word = if *lasting { "OVER" } else { "held" };
                format!("{word}: {failures} failed, {tolerated} tolerated")
            }
            State::Aborted(_) => "ABORTED".into(),
            State::Superseded(by) => format!("superseded by {by}"),
            State::Expired => "EXPIRED, unfinished".into(),
        }
    }

    /// The first wave whose gate is not met, counted from 1.
    fn wave_at(&self) -> Option<(usize, &WaveLine)> {
        let at = self.waves.iter().position(|wave| !wave.met)?;
        Some((at + 1, &self.waves[at]))
    }

    fn bar(&self) -> String {
        let (over, all) = (self.over(), self.nodes.len());
        let full = (over * BAR).checked_div(all).unwrap_or(BAR);
        let left = match self.left_ms {
            Some(ms) if self.state == State::Running => {
                format!("   about {} to go", span(ms / 1_000 * 1_000))
            }
            _ => String::new(),
        };
        format!("[{}{}]  {over} of {all}{left}", "█".repeat(full), "░".repeat(BAR - full))
    }

    /// Nodes whose part is over, whichever way.
    fn over(&self) -> usize {
        let over = |node: &&NodeLine| {
            matches!(node.place, Place::Done | Place::RolledBack | Place::Declined)
        };
        self.nodes.iter().filter(over).count()
    }

    fn at_place(&self, place: Place) -> Vec<&NodeLine> {
        let told = |node: &NodeLine| self.late().iter().any(|late| late.node == node.name);
        self.nodes.iter().filter(|node| node.place == place && !told(node)).collect()
    }

    /// Nodes that should be down by the schedule and are not.
    fn late(&self) -> &[Late] {
        self.stopping.as_ref().map_or(&[], |stopping| &stopping.late)
    }

    /// How many are down and when the chain halted, then everybody who must be called.
    fn stop_lines(&self, stopping: &Stopping) -> Vec<String> {
        let halted = stopping.halted.as_ref();
        let halted = halted.map_or(String::new(), |halted| format!("; {}", halted.words()));
        let mut lines =
            vec![group("down", stopping.down, &format!("of {}{halted}", self.nodes.len()))];
        for (at, late) in stopping.late.iter().enumerate() {
            lines.push(match at {
                0 => group("late", stopping.late.len(), &late.words()),
                _ => indented("", &late.words(), GROUP),
            });
        }
        lines
    }

    fn groups(&self) -> Vec<String> {
        let mut lines = Vec::new();
        match &self.stopping {
            Some(stopping) => lines.extend(self.stop_lines(stopping)),
            None => {
                let done = self.at_place(Place::Done);
                lines.push(group("done", done.len(), &self.done_words(&done)));
            }
        }
        let now = self.at_place(Place::Now);
        lines.extend(each("now", &now));
        if now.is_empty() {
            lines.push(group("now", 0, "nobody is at work"));
        }
        let waiting = self.at_place(Place::Waiting);
        let next = waiting
            .first()
            .map_or("nobody".into(), |node| format!("next: {}, because {}", node.name, node.text));
        lines.push(group("waiting", waiting.len(), &next));
        for (label, place) in [
            ("asking", Place::Asking),
            ("failed", Place::Failed),
            ("back", Place::RolledBack),
            ("declined", Place::Declined),
        ] {
            lines.extend(each(label, &self.at_place(place)));
        }
        let away = self.at_place(Place::Away);
        lines.extend(each("away", &away));
        if let (false, Some(budget)) = (away.is_empty(), self.budget) {
            let text = format!("their seats count against the budget of {budget}");
            lines.push(indented("", &text, GROUP));
        }
        lines
    }

    fn done_words(&self, done: &[&NodeLine]) -> String {
        let waves: Vec<_> = self
            .waves
            .iter()
            .filter(|wave| wave.done > 0 || !wave.met)
            .take(SHOWN)
            .map(|wave| {
                let soak = match wave.done >= wave.gate && !wave.met {
                    true => format!(" (soak: {} of {})", wave.soaked, wave.gate),
                    false => String::new(),
                };
                format!("{} {}/{}{soak}", wave.name, wave.done, wave.gate)
            })
            .collect();
        let mut text = waves.join(", ");
        let mut away: Vec<_> = done.iter().filter_map(|node| node.away_ms).collect();
        away.sort_unstable();
        match away.as_slice() {
            [] => {}
            [only] => text.push_str(&format!(" · away for {}", span(*only))),
            [fastest, .., slowest] => {
                text.push_str(&format!(" · away {} to {}", span(*fastest), span(*slowest)));
            }
        }
        text
    }

    fn chain(&self) -> String {
        let mut facts = Vec::new();
        match (self.height, self.block_at) {
            (Some(at), Some(when)) => {
                facts.push(format!("height {}, last block {}", height(at), ago(when, self.at)));
            }
            (Some(at), None) => facts.push(format!("height {}", height(at))),
            _ => facts.push("no fresh beacon says a height".into()),
        }
        if let Some(gap) = self.longest_gap_ms {
            facts.push(format!("longest gap seen {}", span(gap)));
        }
        if let Some(fewest) = self.fewest {
            facts.push(format!("fewest seats seen {fewest}"));
        }
        facts.join(" · ")
    }

    /// What differs from `before`, a line each; the first time everything that is not merely
    /// waiting. For terminals that cannot redraw.
    pub fn news(&self, before: Option<&Rollout>) -> Vec<String> {
        let mut lines = Vec::new();
        let time = self.at.strftime("%H:%M:%S").to_string();
        if before.is_none_or(|before| before.state != self.state) {
            lines.push(self.headline());
        }
        for (place, names, text) in self.changed(before) {
            let lead = format!("{time}  {:<8}  ", place.word());
            lines.push(hanging(&lead, &format!("{names}: {text}")));
        }
        let was = before.and_then(|before| before.stopping.as_ref());
        for late in self.late() {
            if was.is_none_or(|was| was.late.iter().all(|old| old.node != late.node)) {
                lines.push(hanging(&format!("{time}  late      "), &late.words()));
            }
        }
        let halted = self.stopping.as_ref().and_then(|stopping| stopping.halted.as_ref());
        if let Some(halted) = halted.filter(|_| was.is_none_or(|was| was.halted.is_none())) {
            lines.push(hanging(&format!("{time}  chain     "), &halted.words()));
        }
        for (number, wave) in self.waves.iter().enumerate().filter(|(_, wave)| wave.met) {
            if before.is_some_and(|before| !before.waves[number].met) {
                lines.push(format!("{time}  gate met  wave {}", wave.name));
            }
        }
        lines
    }

    /// Nodes whose place, stage or reason is new; neighbours with one reason share a line, and
    /// who merely stands in line is not told.
    fn changed(&self, before: Option<&Rollout>) -> Vec<(Place, String, &str)> {
        let is_new = |node: &&NodeLine| {
            let was = before.and_then(|all| all.nodes.iter().find(|old| old.name == node.name));
            let new = match was {
                Some(was) => (was.place, &was.told) != (node.place, &node.told),
                None => node.place != Place::Waiting,
            };
            new && !node.in_line
        };
        let new: Vec<_> = self.nodes.iter().filter(is_new).collect();
        let alike = |a: &&NodeLine, b: &&NodeLine| {
            a.place == Place::Waiting && b.place == Place::Waiting && a.text == b.text
        };
        let told = new.chunk_by(alike).map(|nodes| {
            let all: Vec<_> = nodes.iter().map(|node| node.name.as_str()).collect();
            (nodes[0].place, names(&all, SHOWN), nodes[0].text.as_str())
        });
        told.collect()
    }
}

fn group(label: &str, count: usize, text: &str) -> String {
    indented(&format!("{label:<8} {count:>3}"), text, GROUP)
}

/// Up to three nodes with their words, then the names of the others.
fn each(label: &str, nodes: &[&NodeLine]) -> Vec<String> {
    /// Nodes that are told one by one.
    const TOLD: usize = 3;
    let mut lines = Vec::new();
    for (at, node) in nodes.iter().take(TOLD).enumerate() {
        let text = format!("{}: {}", node.name, node.text);
        lines.push(match at {
            0 => group(label, nodes.len(), &text),
            _ => indented("", &text, GROUP),
        });
    }
    if nodes.len() > TOLD {
        let rest: Vec<_> = nodes[TOLD..].iter().map(|node| node.name.as_str()).collect();
        lines.push(indented("", &format!("and {}", names(&rest, SHOWN)), GROUP));
    }
    lines
}
