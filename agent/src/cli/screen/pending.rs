//! `muster-agent pending` and `explain`.

use jiff::Timestamp;

use super::{clock, plain, row, since};
use crate::control::view::{Explained, Pending};
use crate::policy::urgency_word;

/// The screen of all plans that ask.
pub fn render(pending: &[Pending], now: Timestamp) -> String {
    match pending {
        [] => "no plan asks\n".into(),
        asking => plain(&asking.iter().map(|plan| one(plan, now)).collect::<Vec<_>>().join("\n")),
    }
}

fn one(pending: &Pending, now: Timestamp) -> String {
    let serial = pending.plan.serial;
    let drill = if pending.drill { ", a drill" } else { "" };
    let mut text = format!(
        "plan {} asks: {} ({}, {}{drill})\n",
        pending.plan,
        pending.what,
        pending.title,
        urgency_word(pending.urgency)
    );
    if let Some(asked) = pending.since {
        text.push_str(&row("asks since", &format!("{} ago", since(asked, now))));
    }
    text.push_str(&row(
        "answer",
        &format!("before {}; later it cannot begin", clock(pending.until, now)),
    ));
    text.push_str(&row("meanwhile", &meanwhile(pending, now)));
    text.push_str(&row("yes", &format!("muster-agent approve {serial}")));
    text.push_str(&row("no", &format!("muster-agent decline {serial} --why \"…\"")));
    text.push_str(&row("more", &format!("muster-agent explain {serial}")));
    text
}

fn meanwhile(pending: &Pending, now: Timestamp) -> String {
    match pending.absent_from {
        Some(from) if from <= now => {
            "this node counts as absent; others pass it, its turn comes late".into()
        }
        Some(from) => format!("its place is kept until {}, then others pass it", clock(from, now)),
        None => "its place is kept".into(),
    }
}

/// The screen of one plan.
pub fn explain(explained: &Explained, now: Timestamp) -> String {
    let view = &explained.view;
    let mut text = format!("plan {}: {} ({})\n", view.plan, explained.what, view.title);
    text.push_str(&row("place", &place(explained)));
    let valid = format!("{} to {}", clock(explained.from, now), clock(explained.until, now));
    text.push_str(&row("valid", &valid));
    text.push_str(&row("policy", &explained.policy));
    text.push_str(&row("stage", &format!("{} since {}", view.stage, clock(view.since, now))));
    text.push_str(&row("now", &view.text));
    plain(&text)
}

fn place(explained: &Explained) -> String {
    match &explained.place {
        None => "this node is not in its order".into(),
        Some(place) => format!("{} of {}, wave {}", place.position, place.of, place.wave),
    }
}

#[cfg(test)]
mod tests {
    use muster_proto::documents::plan::Urgency;
    use muster_proto::documents::{Class, Digest, PlanId};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_784_800_000 + second).unwrap()
    }

    #[test]
    fn a_plan_that_asks_says_until_when_and_what_happens_meanwhile() {
        let mut pending = Pending {
            plan: PlanId { class: Class::Hotfix, serial: 44, digest: Digest::of(b"x") },
            title: "trace timeout".into(),
            what: "upgrade to v2.4.4".into(),
            urgency: Urgency::Routine,
            drill: false,
            since: Some(at(-30)),
            until: at(3_600),
            absent_from: Some(at(30)),
        };
        insta::assert_snapshot!(render(std::slice::from_ref(&pending), at(0)), @r#"
        plan hotfix/44 asks: upgrade to v2.4.4 (trace timeout, routine)
          asks since   30 s ago
          answer       before 10:46:40 UTC; later it cannot begin
          meanwhile    its place is kept until 09:47:10 UTC, then others pass it
          yes          muster-agent approve 44
          no           muster-agent decline 44 --why "…"
          more         muster-agent explain 44
        "#);
        pending.absent_from = Some(at(-1));
        assert!(render(&[pending], at(0)).contains("its turn comes late"));
        assert_eq!(render(&[], at(0)), "no plan asks\n");
    }
}
