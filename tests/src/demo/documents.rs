//! What the officers write.

use jiff::{SignedDuration, Timestamp};

use super::people::People;
use crate::fleet::NETWORK;
use crate::fleet::board::Board;
use crate::image::Image;

fn officers(people: &People) -> String {
    let all: Vec<_> = people.keys.iter().map(|(name, key)| format!("{name}: {key}")).collect();
    format!("{{{}}}", all.join(", "))
}

fn in_days(days: i64) -> String {
    let then = Timestamp::now() + SignedDuration::from_hours(24 * days);
    then.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The first root: two of three officers, and the controller's publisher.
pub fn root(people: &People, board: &Board) -> String {
    let (snapshot, timestamp) = &board.publishers;
    format!(
        "muster: root/v1\nnetwork: {NETWORK}\nexpires: {}\n\
         officers: {}\npublisher: {{snap: {snapshot}, time: {timestamp}}}\n\
         root: {{threshold: 2, keys: [alice, bob, carol]}}\n\
         targets: {{threshold: 2, keys: [alice, bob, carol]}}\n\
         snapshot: {{keys: [snap]}}\ntimestamp: {{keys: [time]}}\n",
        in_days(365),
        officers(people)
    )
}

/// Keys and thresholds of every role: one is enough for an emergency.
pub fn keys(people: &People) -> String {
    let role = |name: &str| {
        let threshold = if ["emergency", "abort"].contains(&name) { 1 } else { 2 };
        format!("  {name}: {{threshold: {threshold}, keys: [alice, bob, carol]}}\n")
    };
    let roles = ["roster", "release", "hotfix", "drill", "emergency", "abort"].map(role).concat();
    format!(
        "muster: keys/v1\nnetwork: {NETWORK}\nexpires: {}\nofficers: {}\nroles:\n{roles}",
        in_days(180),
        officers(people)
    )
}

/// A roster to which enrolments are added.
pub fn roster(size: u8) -> String {
    format!("muster: roster/v1\nnetwork: {NETWORK}\nconsensus: {{active: {size}}}\nnodes: []\n")
}

/// A release of an image that is loaded on every host.
pub fn release(version: &str, from: &str, image: &Image) -> String {
    let repository = image.tag.rsplit_once(':').map_or("", |(repository, _)| repository);
    format!(
        "muster: release/v1\nversion: {version}\nimages:\n  linux/amd64:\n    \
         repository: {repository}\n    config: {}\nfrom: [{from}]\ncompatible: true\nroles:\n  \
         consensus-delegate: must\nconfig: unchanged\ngenesis: unchanged\n",
        image.id
    )
}

/// A plan: what it does, in which waves, within which budget.
pub struct Draw {
    /// Serial.
    pub serial: u64,
    /// For people.
    pub title: &'static str,
    /// `action:` and what belongs to it.
    pub action: String,
    /// Lines of `order:`.
    pub order: &'static [&'static str],
    /// Such as `2 of 7`, or nothing for `all`.
    pub budget: Option<&'static str>,
    /// How many at once.
    pub parallel: u8,
    /// How it stands to older plans: `after:` or `supersedes:`, one a line.
    pub relation: &'static str,
}

/// Its YAML. Times are those of a chain whose blocks come every second.
pub fn plan(draw: &Draw) -> String {
    let from = Timestamp::now() - SignedDuration::from_secs(5);
    let until = from + SignedDuration::from_hours(1);
    let date = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let order: String = draw.order.iter().map(|wave| format!("  - {wave}\n")).collect();
    let budget = draw.budget.map_or("all".to_owned(), |down| format!("{{down: {down}}}"));
    format!(
        "muster: plan/v1\nnetwork: {NETWORK}\nserial: {}\ntitle: {}\nclass: hotfix\n\
         urgency: routine\nvalid: {{from: {}, until: {}}}\n{}\norder:\n{order}budget: {budget}\n\
         parallel: {}\n{}unmanaged: away\nfailures: {{tolerate: 0, then: hold}}\n\
         beacon: {{every: 500ms, stale: 5s, skew: 2s}}\nabsent-after: 8s\n\
         health: {{boot: 5s, ready: 8s, advance: 2 blocks, lag: 5 blocks, peers: 0, hold: 1s}}\n\
         deadline: {{per-node: 15s}}\n",
        draw.serial,
        draw.title,
        date(from),
        date(until),
        draw.action,
        draw.parallel,
        draw.relation
    )
}
