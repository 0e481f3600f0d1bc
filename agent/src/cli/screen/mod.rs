//! Values to text of at most 80 columns. Pure: the time of the answer stands in the answer.

pub mod log;
pub mod pending;
pub mod status;

use jiff::Timestamp;

/// Widest line.
const COLUMNS: usize = 80;

/// Where the text of a row begins.
const LABEL: usize = 15;

/// A row: a label, then words wrapped under one another.
pub fn row(label: &str, text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let line = lines.last_mut().expect("never empty");
        let length = line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && LABEL + length > COLUMNS {
            lines.push(word.into());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    let indent = |at: usize| if at == 0 { label } else { "" };
    let shown = lines.iter().enumerate();
    shown.map(|(at, line)| format!("  {:<12} {line}\n", indent(at))).collect()
}

/// Joins what a line break would tear apart; [`plain`] takes it out again.
const NO_BREAK: char = '\u{a0}';

/// The text as it is printed.
pub fn plain(text: &str) -> String {
    text.replace(NO_BREAK, " ")
}

/// A whole number with its thousands apart: `36 884 210`.
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(NO_BREAK);
        }
        text.push(digit);
    }
    text
}

/// A length of time with its two greatest units at most: `41 s`, `1 min 54 s`, `6 h`, `201 days`.
pub fn length(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let two = |great: i64, unit: &str, small: i64, other: &str| match small {
        0 => format!("{great} {unit}"),
        small => format!("{great} {unit} {small} {other}"),
    };
    let text = match seconds {
        0..60 => format!("{seconds} s"),
        60..600 => two(minutes, "min", seconds % 60, "s"),
        600..3_600 => format!("{minutes} min"),
        3_600..86_400 => two(hours, "h", minutes % 60, "min"),
        86_400..172_800 => "1 day".into(),
        _ => format!("{days} days"),
    };
    text.replace(' ', &NO_BREAK.to_string())
}

/// From `then` to `now`.
pub fn since(then: Timestamp, now: Timestamp) -> String {
    length(now.duration_since(then).as_secs())
}

/// The time of day in UTC; with the date when it is another day than `now`.
pub fn clock(at: Timestamp, now: Timestamp) -> String {
    let day = |time: Timestamp| time.strftime("%Y-%m-%d").to_string();
    let form = if day(at) == day(now) { "%H:%M:%S UTC" } else { "%-d %b %H:%M UTC" };
    at.strftime(form).to_string().replace(' ', &NO_BREAK.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_wrap_under_their_text_and_fit_80_columns() {
        let text = row("policy", &"hotfix routine: apply · ".repeat(6));
        assert!(text.lines().count() > 1);
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with("               ")));
    }

    #[test]
    fn numbers_and_times_read_as_people_write_them() {
        assert_eq!(plain(&number(36_884_210)), "36 884 210");
        assert_eq!(number(7), "7");
        let lengths = [41, 114, 700, 21_600, 90_000, 17_366_400].map(|s| plain(&length(s)));
        assert_eq!(lengths, ["41 s", "1 min 54 s", "11 min", "6 h", "1 day", "201 days"]);
    }
}
