//! Times that contradict each other.

use super::Context;
use crate::documents::author::codes::Code;
use crate::documents::author::finding::Finding;
use crate::documents::author::values::Millis;
use crate::documents::plan::Action;

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Finding>) {
    let plan = context.plan;
    if plan.parallel == 0 {
        found.push(Finding::new(Code::P022, "parallel").fix("`parallel: 1`"));
    }
    beacons(context, found);
    if plan.action == Action::Stop {
        return;
    }
    let health = plan.health;
    if health.advance_blocks == 0 {
        let fix = "`advance: 1 block` at least";
        found.push(Finding::new(Code::P032, "health.advance").fix(fix));
    }
    let needed = health.boot_ms.saturating_add(health.ready_ms).saturating_add(health.hold_ms);
    if plan.deadline.per_node_ms < needed {
        let note = format!(
            "boot {}, ready {} and hold {} take {}",
            Millis(health.boot_ms),
            Millis(health.ready_ms),
            Millis(health.hold_ms),
            Millis(needed)
        );
        let fix = format!("`per-node: {}` at least", Millis(needed));
        let finding = Finding::new(Code::P025, "deadline.per-node");
        found.push(finding.note(note).fix(fix));
    }
}

fn beacons(context: &Context<'_>, found: &mut Vec<Finding>) {
    let (plan, beacon) = (context.plan, context.plan.beacon);
    for (value, path) in [(beacon.every_ms, "beacon.every"), (beacon.skew_ms, "beacon.skew")] {
        if value == 0 {
            found.push(Finding::new(Code::P040, path).fix("`every: 2s`, `skew: 5s`"));
        }
    }
    if beacon.stale_ms < beacon.every_ms.saturating_mul(2) {
        let every = Millis(beacon.every_ms);
        let note = format!("one is sent every {every}");
        let fix = format!("`stale: {}` at least", Millis(beacon.every_ms.saturating_mul(2)));
        found.push(Finding::new(Code::P026, "beacon.stale").note(note).fix(fix));
    }
    if plan.absent_after_ms < beacon.stale_ms {
        let note = format!("a beacon is stale after {}", Millis(beacon.stale_ms));
        let fix = "`absent-after: 60s`";
        found.push(Finding::new(Code::P027, "absent-after").note(note).fix(fix));
    }
}
