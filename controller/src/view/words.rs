//! How times, heights and lists are written, the same everywhere.

use jiff::{SignedDuration, Timestamp};

/// Columns that every screen keeps to.
pub const WIDTH: usize = 80;

/// A span as people say it: `0.4 s`, `38 s`, `6 min 12 s`, `1 h 10 min`, `3 d 4 h`.
pub fn span(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0..10 if !ms.is_multiple_of(1_000) => format!("{}.{} s", seconds, ms % 1_000 / 100),
        0..60 => format!("{seconds} s"),
        60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    }
}

/// Milliseconds from `then` to `now`; 0 when `then` is ahead.
pub fn age_ms(then: Timestamp, now: Timestamp) -> u64 {
    now.duration_since(then).max(SignedDuration::ZERO).as_millis() as u64
}

/// How long ago `then` was: `2 s ago`, in whole seconds.
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    format!("{} ago", span(age_ms(then, now) / 1_000 * 1_000))
}

/// Time until `then`: `in 9 min`, or `expired 3 h ago`.
pub fn until(then: Timestamp, now: Timestamp) -> String {
    match then > now {
        true => format!("in {}", span(age_ms(now, then) / 1_000 * 1_000)),
        false => format!("expired {}", ago(then, now)),
    }
}

/// A moment for people, always UTC: `26 Jul 12:00:00 UTC`.
pub fn moment(at: Timestamp) -> String {
    at.strftime("%-d %b %H:%M:%S UTC").to_string()
}

/// A day and a time, with the year: `2026-07-26 12:00 UTC`.
pub fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A height in groups of three: `36 884 102`.
pub fn height(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `1 node`, `3 nodes`.
pub fn count(many: usize, noun: &str) -> String {
    match many {
        1 => format!("1 {noun}"),
        _ => format!("{many} {noun}s"),
    }
}

/// All names when they are few, else the first, the last and how many: `robot-1 … robot-9 (9)`.
pub fn names<T: AsRef<str>>(all: &[T], shown: usize) -> String {
    let text = |name: &T| name.as_ref().to_owned();
    match all {
        [] => "nobody".into(),
        [first, .., last] if all.len() > shown => {
            format!("{} … {} ({})", text(first), text(last), all.len())
        }
        _ => all.iter().map(text).collect::<Vec<_>>().join(", "),
    }
}

/// Breaks `text` at spaces into lines of at most `width` characters; the second and later
/// lines begin with `indent` spaces. A word longer than a line stays whole.
pub fn wrap(text: &str, width: usize, indent: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let line = lines.last_mut().expect("there is always a line");
        let used = line.chars().count();
        if used == 0 || used + 1 + word.chars().count() <= width {
            if used > 0 && !line.ends_with(' ') {
                line.push(' ');
            }
            line.push_str(word);
        } else {
            lines.push(format!("{}{word}", " ".repeat(indent)));
        }
    }
    lines.join("\n")
}

/// `  label     text`, wrapped so that the text keeps its column.
pub fn labelled(label: &str, text: &str) -> String {
    indented(label, text, 12)
}

/// `lead`, then `text` wrapped in the column where it begins.
pub fn hanging(lead: &str, text: &str) -> String {
    let column = lead.chars().count();
    let text = wrap(text, WIDTH - column, 0).replace('\n', &format!("\n{}", " ".repeat(column)));
    format!("{lead}{text}")
}

/// As [`labelled`], with the text in the given column.
pub fn indented(label: &str, text: &str, column: usize) -> String {
    hanging(&format!("  {label:<width$}", width = column - 2), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_at_most_two_units() {
        let cases = [
            (400, "0.4 s"),
            (2_000, "2 s"),
            (38_700, "38 s"),
            (372_000, "6 min 12 s"),
            (600_000, "10 min"),
            (4_200_000, "1 h 10 min"),
            (273_600_000, "3 d 4 h"),
        ];
        for (ms, text) in cases {
            assert_eq!(span(ms), text);
        }
    }

    #[test]
    fn heights_are_grouped_by_three() {
        let cases = [(7, "7"), (884, "884"), (1_000, "1 000"), (36_884_102, "36 884 102")];
        for (value, text) in cases {
            assert_eq!(height(value), text);
        }
    }

    #[test]
    fn a_time_ahead_is_not_old_and_one_behind_has_expired() {
        let now: Timestamp = "2026-07-23T12:00:00Z".parse().expect("a time");
        let ahead = now + SignedDuration::from_mins(9);
        assert_eq!(ago(ahead, now), "0 s ago");
        assert_eq!(until(ahead, now), "in 9 min");
        assert_eq!(until(now, ahead), "expired 9 min ago");
    }

    #[test]
    fn long_lists_are_told_by_first_last_and_number() {
        assert_eq!(names(&["a", "b", "c"], 3), "a, b, c");
        assert_eq!(names(&["a", "b", "c", "d"], 3), "a … d (4)");
        assert_eq!(names::<&str>(&[], 3), "nobody");
    }

    #[test]
    fn wrapped_text_keeps_to_its_width() {
        let text = "one two three four five six seven eight nine ten eleven twelve";
        let wrapped = wrap(text, 20, 2);
        assert!(wrapped.lines().all(|line| line.chars().count() <= 22), "{wrapped}");
        assert_eq!(wrapped.replace("\n  ", " "), text);
    }
}
