//! The timeline: a row for each node, drawn as SVG.

use jiff::Timestamp;
use muster_proto::audit::{Attendance, How, Line};

use super::html::escaped;
use crate::view::words::span;

/// Of the drawing, in its own units.
const WIDTH: f64 = 1_000.0;
/// Room for names at the left.
const NAMES: f64 = 170.0;
/// Room for words at the right.
const WORDS: f64 = 190.0;
/// Height of a row.
const ROW: f64 = 24.0;
/// Height of the scale above the rows.
const SCALE: f64 = 30.0;
/// A bar that takes no time is still seen.
const THIN: f64 = 3.0;

/// From the first time that anybody names to the last.
struct Axis {
    from: Timestamp,
    ms: f64,
}

impl Axis {
    fn of(told: &Attendance) -> Option<Self> {
        let times = |it: &Line| [it.acknowledged, it.asked, it.began, it.stopped, it.finished];
        let all = || told.nodes.iter().flat_map(times).flatten();
        let (from, to) = (all().min()?, all().max()?);
        let ms = to.duration_since(from).as_millis().max(1) as f64;
        Some(Self { from, ms })
    }

    fn x(&self, at: Timestamp) -> f64 {
        let ms = at.duration_since(self.from).as_millis() as f64;
        NAMES + (WIDTH - NAMES - WORDS) * (ms / self.ms)
    }

    fn scale(&self, bottom: f64) -> String {
        const TICKS: u32 = 4;
        let tick = |part: u32| {
            let ms = self.ms * f64::from(part) / f64::from(TICKS);
            let at = self.from + jiff::SignedDuration::from_millis(ms as i64);
            let (x, text) = (self.x(at), at.strftime("%H:%M:%S"));
            format!(
                "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{SCALE}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>\
                 <text class=\"tick\" x=\"{x:.1}\" y=\"18\">{text}</text>\n"
            )
        };
        (0..=TICKS).map(tick).collect()
    }
}

/// The drawing; a sentence when nobody said anything.
pub(super) fn timeline(told: &Attendance) -> String {
    let Some(axis) = Axis::of(told) else { return "<p>Nobody has said anything.</p>\n".into() };
    let height = SCALE + ROW * told.nodes.len() as f64 + 6.0;
    let rows = told.nodes.iter().enumerate();
    let rows: String = rows.map(|(at, line)| row(&axis, SCALE + ROW * at as f64, line)).collect();
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"Timeline of every node\" xmlns=\"http://www.w3.org/2000/svg\">\n{}{rows}</svg>\n",
        axis.scale(height - 6.0)
    )
}

fn row(axis: &Axis, top: f64, line: &Line) -> String {
    let (middle, text) = (top + ROW / 2.0, top + ROW / 2.0 + 4.0);
    let mut drawn = format!("<title>{}</title>", escaped(&told(line)));
    drawn.push_str(&format!(
        "<text x=\"{:.1}\" y=\"{text:.1}\" class=\"name\">{}</text>",
        NAMES - 12.0,
        escaped(&line.node)
    ));
    let promised = line.acknowledged.or(line.asked);
    let until = line.began.or(line.finished).or(line.asked);
    if let Some((from, to)) = promised.zip(until) {
        drawn.push_str(&format!(
            "<line class=\"wait\" x1=\"{:.1}\" y1=\"{middle:.1}\" x2=\"{:.1}\" y2=\"{middle:.1}\"/>",
            axis.x(from),
            axis.x(to)
        ));
    }
    if let Some(at) = promised {
        drawn.push_str(&format!(
            "<circle class=\"mark\" cx=\"{:.1}\" cy=\"{middle:.1}\" r=\"3\"/>",
            axis.x(at)
        ));
    }
    drawn.push_str(&bar(axis, top, line));
    let word = match line.away_ms {
        Some(ms) => format!("{}, away {}", line.how.word(), span(ms)),
        None => line.how.word().to_owned(),
    };
    let x = WIDTH - WORDS + 12.0;
    drawn.push_str(&format!("<text x=\"{x:.1}\" y=\"{text:.1}\">{}</text>", escaped(&word)));
    format!("<g>{drawn}</g>\n")
}

/// From `began` to the last word; a last word without a beginning is a mark.
fn bar(axis: &Axis, top: f64, line: &Line) -> String {
    let class = class(line.how);
    let end = line.finished.or(line.stopped).or(line.began);
    let Some(end) = end else { return String::new() };
    let from = axis.x(line.began.unwrap_or(end));
    let width = (axis.x(end) - from).max(THIN);
    format!(
        "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{:.1}\" rx=\"2\"/>",
        top + 5.0,
        ROW - 10.0
    )
}

pub(super) fn class(how: How) -> &'static str {
    match how {
        How::Done => "good",
        How::RolledBack | How::Failed => "bad",
        How::Declined | How::Asked => "own",
        How::AtWork | How::Acknowledged => "open",
        How::Silent | How::NoAgent | How::NewKey => "none",
    }
}

/// Everything about a node, where a pointer rests.
fn told(line: &Line) -> String {
    let time = |word: &str, at: Option<Timestamp>| at.map(|at| format!("{word} {at}"));
    let times = [
        time("promised", line.acknowledged),
        time("asked", line.asked),
        time("began", line.began),
        time("stopped", line.stopped),
        time(line.how.word(), line.finished),
    ];
    let why = line.why.clone();
    let parts: Vec<_> = times.into_iter().flatten().chain(why).collect();
    match parts.is_empty() {
        true => format!("{}: {}", line.node, line.how.word()),
        false => format!("{}: {}", line.node, parts.join(" · ")),
    }
}
