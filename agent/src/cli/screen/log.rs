//! `muster-agent log`.

use jiff::Timestamp;

use super::{clock, plain};
use crate::control::view::LogLine;

/// The screen: one line per receipt or fact, oldest first.
pub fn render(lines: &[LogLine], now: Timestamp) -> String {
    if lines.is_empty() {
        return "nothing has happened here yet\n".into();
    }
    plain(&lines.iter().map(|line| one(line, now)).collect::<String>())
}

fn one(line: &LogLine, now: Timestamp) -> String {
    let receipt = line.receipt.map(|counter| format!("#{counter}")).unwrap_or_default();
    let plan = line.plan.to_string();
    let head = format!("{:<17} {plan:<12} {receipt:<5} {}", clock(line.at, now), line.event);
    if line.text.is_empty() {
        return format!("{}\n", head.trim_end());
    }
    format!("{head}: {}\n", line.text)
}

#[cfg(test)]
mod tests {
    use muster_proto::documents::{Class, Digest, PlanId};

    use super::*;

    #[test]
    fn receipts_show_their_counter_and_facts_do_not() {
        let now = Timestamp::from_second(1_784_800_000).unwrap();
        let plan = PlanId { class: Class::Hotfix, serial: 42, digest: Digest::of(b"x") };
        let line = |receipt, event: &str, text: &str| LogLine {
            at: now,
            plan: plan.clone(),
            receipt,
            event: event.into(),
            text: text.into(),
        };
        let lines = [line(Some(3), "began", "5 seats counted"), line(None, "approved", "")];
        insta::assert_snapshot!(render(&lines, now), @r"
        09:46:40 UTC      hotfix/42    #3    began: 5 seats counted
        09:46:40 UTC      hotfix/42          approved
        ");
    }
}
