//! May this node begin now? The whole of the rule, in the order in which people read reasons.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::decision::{Observations, OwnChain, Permit};
use super::facts::{Documents, Evidence};
use super::plans::{over, waits_for};
use super::promise::{self, Promises};
use super::reason::Reason;
use super::sight::{Row, Sight};
use super::{emergency, gates, seats, turn};
use crate::documents::NodeName;
use crate::documents::ids::Counter;
use crate::documents::plan::Budget;

/// The ledger admits no serial further above the last one, so nobody can be made to wait by
/// naming one.
const CREDIBLE_AHEAD: u64 = 1_000;

/// Whether the node may begin the plan now.
///
/// # Errors
/// The reason to wait. It is no permission for later: it must be asked again at the moment of
/// the effect (rule 11).
pub fn permission(
    documents: &Documents<'_>,
    evidence: &Evidence,
    me: &Observations,
    now: Timestamp,
) -> Result<Permit, Reason> {
    let sight = Sight::new(documents, evidence, now);
    let row = sight.row(&me.me).ok_or(Reason::NoPart)?;
    if let Some(schedule) = &documents.plan.schedule {
        return emergency::permission(&sight, row, schedule, me);
    }
    if let Some(stop) = emergency::holds(documents, evidence, me) {
        return Err(Reason::Emergency(stop.clone()));
    }
    own_side(&sight, row, me)?;
    plan_side(&sight, row, me)?;
    in_order(&sight, row)
}

/// What this host knows of itself.
fn own_side(sight: &Sight<'_>, row: &Row<'_>, me: &Observations) -> Result<(), Reason> {
    if !row.listed {
        return Err(Reason::NotListed);
    }
    let beacon = row.facts.and_then(|facts| facts.beacon.as_ref());
    if beacon.is_some_and(|beacon| beacon.health.clock_off) {
        return Err(Reason::Clock);
    }
    if let Some(held) = me.held.as_ref().filter(|held| sight.now < held.until) {
        let (by, reason) = (held.by.clone(), held.reason.clone());
        return Err(Reason::Held { by, reason, until: held.until });
    }
    if me.own_chain != OwnChain::Agrees {
        return Err(Reason::OwnChainUnasked);
    }
    match me.fresh_until {
        Some(until) if sight.now < until => knows_all_serials(sight, me),
        stale => Err(Reason::NotFresh(stale)),
    }
}

/// Holds every serial that any verified receipt or beacon has named (rule 12).
fn knows_all_serials(sight: &Sight<'_>, me: &Observations) -> Result<(), Reason> {
    let known = |counter: Counter| {
        let ids = sight.documents.others.keys().chain([sight.documents.id]);
        let newest = ids.filter(|id| id.class.counter() == counter).map(|id| id.serial).max();
        newest.unwrap_or(0).max(me.admitted.of(counter))
    };
    let held = [known(Counter::Ordinary), known(Counter::Emergency)];
    for row in sight.rows.iter().filter(|row| row.listed) {
        let Some(facts) = row.facts.filter(|facts| !facts.quarantined) else { continue };
        let beacon = facts.beacon.iter().flat_map(|beacon| beacon.newest.values());
        for id in facts.plans.keys().chain(beacon) {
            let highest = held[usize::from(id.class.counter() == Counter::Emergency)];
            if id.serial > highest && id.serial - highest <= CREDIBLE_AHEAD {
                let (node, plan) = (row.member.name.clone(), id.clone());
                return Err(Reason::UnknownSerial { node, plan });
            }
        }
    }
    Ok(())
}

/// What the plan and its neighbours say.
fn plan_side(sight: &Sight<'_>, row: &Row<'_>, me: &Observations) -> Result<(), Reason> {
    if let Some(reason) = over(sight) {
        return Err(reason);
    }
    if sight.now < sight.plan().valid.from {
        return Err(Reason::NotYetValid(sight.plan().valid.from));
    }
    if let Some(newer) = promise::promised_newer(sight.documents, Promises(row.facts)) {
        return Err(Reason::Promised(newer.clone()));
    }
    if let Some(older) = &me.in_hand {
        return Err(Reason::InHand(older.clone()));
    }
    waits_for(sight).map_or(Ok(()), |serial| Err(Reason::After(serial)))
}

/// Gates, pace and budget.
fn in_order(sight: &Sight<'_>, row: &Row<'_>) -> Result<Permit, Reason> {
    let (wave, place) = gates::place(sight, &row.member.name).ok_or(Reason::NoPart)?;
    gates::earlier_waves(sight, wave)?;
    let waves = &sight.plan().waves;
    let earlier = waves[..wave].iter().flat_map(|wave| &wave.nodes);
    let before: BTreeSet<&NodeName> = earlier.chain(&waves[wave].nodes[..place]).collect();
    turn::turn(sight, before.iter().copied())?;
    let sum = budget(sight, row, &before)?;
    Ok(Permit { sum, heads: heads(sight) })
}

/// The seats counted, or none when nothing is.
fn budget(
    sight: &Sight<'_>,
    row: &Row<'_>,
    before: &BTreeSet<&NodeName>,
) -> Result<Option<u32>, Reason> {
    let plan = sight.plan();
    let Budget::Seats(budget) = plan.budget else { return Ok(None) };
    // Rule 6: the cure is not blocked by the disease.
    let takes_nothing = sight.away(row).is_some_and(|away| away.takes_nothing());
    if plan.action.only_gives() || takes_nothing || row.member.seat.is_none() {
        return Ok(None);
    }
    let sum = seats::count(sight, row, before);
    if sum.seats <= budget {
        Ok(Some(sum.seats))
    } else {
        Err(Reason::Budget { sum: sum.seats, budget, nodes: sum.nodes })
    }
}

/// The newest link of every member's chain: what the decision relied on.
pub(super) fn heads(
    sight: &Sight<'_>,
) -> std::collections::BTreeMap<NodeName, crate::evidence::Head> {
    let head = |row: &Row<'_>| Some((row.member.name.clone(), row.facts?.head.clone()?));
    sight.rows.iter().filter_map(head).collect()
}
