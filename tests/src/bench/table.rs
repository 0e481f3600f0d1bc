//! The figures, 80 columns wide.

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};

/// Widest line that is printed.
pub const COLUMNS: u16 = 80;

/// One figure against the floor.
#[derive(Debug, Clone)]
pub struct Row {
    /// What was done.
    pub what: String,
    /// By the local program.
    pub floor: Option<Duration>,
    /// By Muster.
    pub muster: Option<Duration>,
    /// At most this many times the floor; none where nothing is aimed at.
    pub aim: Option<f64>,
}

/// One figure of its own.
#[derive(Debug, Clone)]
pub struct Fact {
    /// What was measured.
    pub what: String,
    /// With its unit.
    pub figure: String,
    /// What is aimed at, and whether it was met.
    pub aim: Option<(String, bool)>,
}

impl Row {
    fn ratio(&self) -> Option<f64> {
        let (floor, muster) = (self.floor?.as_secs_f64(), self.muster?.as_secs_f64());
        (floor > 0.0).then(|| muster / floor)
    }

    fn verdict(&self) -> String {
        match (self.ratio(), self.aim) {
            (Some(ratio), Some(aim)) if ratio <= aim => format!("at most {aim:.2}: met"),
            (Some(ratio), Some(aim)) => {
                format!("at most {aim:.2}: +{:.0} %", (ratio / aim - 1.0) * 100.0)
            }
            (None, Some(aim)) => format!("at most {aim:.2}"),
            (_, None) => String::new(),
        }
    }
}

/// The comparison with the floor.
pub fn comparison(rows: &[Row]) -> String {
    beside("floor", rows)
}

/// The comparison with `other`, in the place of the floor.
pub fn beside(other: &str, rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_width(COLUMNS);
    table.set_header(["", other, "Muster", "ratio", "aim"]);
    for row in rows {
        let ratio = row.ratio().map_or_else(|| "–".into(), |ratio| format!("{ratio:.2}"));
        let [floor, muster] = [row.floor, row.muster].map(shown);
        table.add_row([row.what.clone(), floor, muster, ratio, row.verdict()]);
    }
    right(&mut table, 1..=3);
    table.trim_fmt()
}

/// The figures that stand alone.
pub fn facts(facts: &[Fact]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_width(COLUMNS);
    for fact in facts {
        let aim = fact.aim.as_ref().map(|(aim, met)| match met {
            true => format!("{aim}: met"),
            false => format!("{aim}: missed"),
        });
        table.add_row([fact.what.clone(), fact.figure.clone(), aim.unwrap_or_default()]);
    }
    right(&mut table, 1..=1);
    table.trim_fmt()
}

fn right(table: &mut Table, columns: std::ops::RangeInclusive<usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// Three digits or so.
pub fn shown(time: Option<Duration>) -> String {
    let Some(time) = time else { return "–".into() };
    let seconds = time.as_secs_f64();
    match seconds {
        s if s >= 10.0 => format!("{s:.1} s"),
        s if s >= 1.0 => format!("{s:.2} s"),
        s if s >= 0.001 => format!("{:.2} ms", s * 1e3),
        s => format!("{:.1} µs", s * 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(what: &str, floor: u64, muster: u64) -> Row {
        let [floor, muster] = [floor, muster].map(|ms| Some(Duration::from_millis(ms)));
        Row { what: what.into(), floor, muster, aim: Some(1.15) }
    }

    #[test]
    fn a_missed_aim_says_by_how_much_and_nothing_is_wider_than_the_screen() {
        let rows = [
            row("stop all at once", 1_000, 1_100),
            row("rolling upgrade, 32 nodes", 60_000, 138_000),
        ];
        let text = comparison(&rows);
        assert!(text.contains("1.10  at most 1.15: met"), "{text}");
        assert!(text.contains("2.30  at most 1.15: +100 %"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= usize::from(COLUMNS)), "{text}");
    }

    #[test]
    fn a_figure_that_is_not_there_is_no_ratio() {
        let row = Row { muster: None, ..row("stop in order", 1_000, 1) };
        assert_eq!((row.ratio(), row.verdict().as_str()), (None, "at most 1.15"));
    }
}
