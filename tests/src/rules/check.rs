//! What must hold in every world, judged by the whole truth.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use muster_proto::documents::plan::{Action, Budget};
use muster_proto::documents::{Class, Plan};
use muster_proto::evidence::Event;
use muster_proto::rule::Final;
use muster_proto::rule::plans::rank;

use super::node::Part;
use super::world::World;

/// An invariant that a rule let be broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Plans have taken down more than the budget of the newest of them.
    #[error("plans have taken down {seats:?}, the budget of plan {plan} is {budget}")]
    Budget {
        /// Whose seats.
        seats: Vec<String>,
        /// Index of the newest plan among those that took them.
        plan: usize,
        /// Its budget.
        budget: u32,
    },
    /// A node began before an earlier wave's gate was met.
    #[error("n{node} began plan {plan} before the gate of {wave} was met")]
    Gate {
        /// Who.
        node: usize,
        /// Under which plan.
        plan: usize,
        /// Whose gate.
        wave: String,
    },
    /// A node began although it had promised not to, had another plan in hand, or was done.
    #[error("n{node} began plan {plan}: {why}")]
    Promise {
        /// Who.
        node: usize,
        /// Under which plan.
        plan: usize,
        /// What it had promised.
        why: &'static str,
    },
    /// A node was stopped by an emergency that could not stop it yet, or not any more.
    #[error("n{node} was stopped by emergency {plan}: {why}")]
    Emergency {
        /// Who.
        node: usize,
        /// By which plan.
        plan: usize,
        /// What spoke against it.
        why: &'static str,
    },
}

/// Judges a node that is about to begin.
///
/// # Errors
/// [`Violation::Gate`], [`Violation::Promise`], [`Violation::Emergency`].
pub fn begins(world: &World<'_>, node: usize, plan: usize) -> Result<(), Violation> {
    if world.nodes[node].aborts.contains_key(&world.ids[plan]) {
        return Err(Violation::Promise { node, plan, why: "it knows that it is aborted" });
    }
    if world.scene.plans[plan].1.schedule.is_some() {
        return stops(world, node, plan);
    }
    promised(world, node, plan)?;
    let (_, body) = &world.scene.plans[plan];
    let name = &world.nodes[node].name;
    let mine = body.order().find(|(_, other)| *other == name).map_or(usize::MAX, |(w, _)| w);
    for wave in body.waves.iter().take(mine) {
        let passed = wave.nodes.iter().filter(|node| has_soaked(world, node, plan, wave.soak_ms));
        if (passed.count() as u32) < wave.done {
            return Err(Violation::Gate { node, plan, wave: wave.name.clone() });
        }
    }
    let earlier = |serial: &u64| {
        let named = |(id, _): &&(_, Plan)| -> bool {
            let id: &muster_proto::documents::PlanId = id;
            id.serial == *serial && id.class.counter() == body.class.counter()
        };
        let index = world.scene.plans.iter().position(|pair| named(&pair));
        index.is_some_and(|index| is_complete(world, index))
    };
    match body.after.iter().all(earlier) {
        true => Ok(()),
        false => Err(Violation::Promise { node, plan, why: "what it comes after is not complete" }),
    }
}

/// By its slot, or because those before it are down; and never when it knows that it is ended.
fn stops(world: &World<'_>, node: usize, plan: usize) -> Result<(), Violation> {
    let (id, body) = &world.scene.plans[plan];
    let one = &world.nodes[node];
    let wrong = |why| Err(Violation::Emergency { node, plan, why });
    if ended(world, node, id.serial) {
        return wrong("it is ended");
    }
    let hand = one.in_hand(plan, &world.ids);
    if hand.is_some_and(|hand| world.ids[hand].class == Class::Emergency) {
        return wrong("another stop is in hand");
    }
    let before = body.order().map(|(_, name)| name).take_while(|name| **name != one.name);
    let up = before.filter(|name| {
        let receipts = world.index(name).map(|other| &world.nodes[other].receipts);
        !receipts.into_iter().flatten().any(|receipt| {
            receipt.plan == *id
                && (receipt.event.is_final() || matches!(receipt.event, Event::Stopped { .. }))
        })
    });
    let early = body.slot(&one.name).is_none_or(|slot| world.date(node) < slot);
    match early && up.count() as u32 >= body.parallel {
        true => wrong("its slot has not come, and those before it are up"),
        false => Ok(()),
    }
}

/// It knows a document of the full threshold that ends this emergency.
fn ended(world: &World<'_>, node: usize, serial: u64) -> bool {
    let known = world.nodes[node].plans.iter().map(|plan| &world.scene.plans[*plan].1);
    known.filter_map(Plan::ended_emergencies).any(|ends| ends.emergency >= serial)
}

fn promised(world: &World<'_>, node: usize, plan: usize) -> Result<(), Violation> {
    let one = &world.nodes[node];
    let wrong = |why| Err(Violation::Promise { node, plan, why });
    let this = rank(&world.scene.plans[plan].1);
    for receipt in &one.receipts {
        let other = world.scene.plans.iter().find(|(id, _)| *id == receipt.plan);
        let newer = other.is_some_and(|(_, body)| rank(body) > this);
        if newer && matches!(receipt.event, Event::Acknowledged { .. }) {
            return wrong("a newer plan is acknowledged");
        }
        let stopped = receipt.plan.class == Class::Emergency
            && matches!(receipt.event, Event::Stopped { .. } | Event::Done(_));
        if stopped && !ended(world, node, receipt.plan.serial) {
            return wrong("an emergency holds it");
        }
    }
    if one.in_hand(plan, &world.ids).is_some() {
        return wrong("another plan is in hand");
    }
    if one.part(plan).outcome().is_some() || one.part(plan).is_at_work() {
        return wrong("it began before");
    }
    Ok(())
}

fn has_soaked(
    world: &World<'_>,
    name: &muster_proto::documents::NodeName,
    plan: usize,
    soak_ms: u64,
) -> bool {
    let Some(node) = world.index(name) else { return false };
    let id = &world.scene.plans[plan].0;
    let node = &world.nodes[node];
    let done = node.receipts.iter().find(|r| r.plan == *id && matches!(r.event, Event::Done(_)));
    let Some(done) = done else { return false };
    let soak = SignedDuration::from_millis(soak_ms as i64);
    soak_ms == 0 || node.beacons.iter().any(|beacon| beacon.at.duration_since(done.at) >= soak)
}

fn is_complete(world: &World<'_>, plan: usize) -> bool {
    world.scene.plans[plan].1.waves.iter().all(|wave| {
        let done = wave.nodes.iter().filter(|name| {
            let node = world.index(name).map(|index| &world.nodes[index]);
            node.is_some_and(|node| node.part(plan).outcome() == Some(Final::Done))
        });
        done.count() as u32 >= wave.done
    })
}

/// Judges everybody whom plans have taken down at this moment.
///
/// # Errors
/// [`Violation::Budget`].
pub fn budget(world: &World<'_>) -> Result<(), Violation> {
    let taken: Vec<(usize, usize)> = taken(world).collect();
    let newest = taken.iter().map(|(_, plan)| *plan);
    let Some(newest) = newest.max_by_key(|plan| rank(&world.scene.plans[*plan].1)) else {
        return Ok(());
    };
    let (_, body) = &world.scene.plans[newest];
    let Budget::Seats(budget) = body.budget else { return Ok(()) };
    let seats = seats(world, body, &taken);
    if seats.len() as u32 > budget {
        let seats = seats.into_iter().collect();
        return Err(Violation::Budget { seats, plan: newest, budget });
    }
    Ok(())
}

/// Nodes that a plan has taken down, with that plan: at work, or stopped by it and still down.
/// Who was away by himself when he began, who is only started, and who has no seat, is not taken;
/// nor is who was stopped by an emergency, which counts nothing.
fn taken<'w>(world: &'w World<'_>) -> impl Iterator<Item = (usize, usize)> + 'w {
    world.nodes.iter().enumerate().filter_map(|(index, node)| {
        let at_work = node.parts.iter().find(|(_, part)| part.takes());
        let gives = |plan: usize| matches!(world.scene.plans[plan].1.action, Action::Start);
        let working = at_work.map(|(plan, _)| *plan).filter(|plan| !gives(*plan));
        let stopped = node.stopped_by.filter(|_| !node.running);
        let plan = working.or(stopped)?;
        world.scene.plans[plan].1.schedule.is_none().then_some(())?;
        let member = world.scene.plans[plan].1.member(&node.name)?;
        member.seat.is_some().then_some((index, plan))
    })
}

/// The seats of those nodes. A stopped node's seat is gone when all its group is down.
fn seats(world: &World<'_>, body: &Plan, taken: &[(usize, usize)]) -> BTreeSet<String> {
    let seat = |index: usize| body.member(&world.nodes[index].name)?.seat.clone();
    let covered = |index: usize, seat: &str| {
        let mut group = body.members.iter().filter(|m| m.seat.as_deref() == Some(seat));
        let other = group.find(|member| member.name != world.nodes[index].name);
        let other = other.and_then(|member| world.index(&member.name));
        other.is_some_and(|other| !taken.iter().any(|(taken, _)| *taken == other))
    };
    let away = taken.iter().filter_map(|(index, _)| {
        let seat = seat(*index)?;
        let at_work = world.nodes[*index].parts.values().any(Part::takes);
        (at_work || !covered(*index, &seat)).then_some(seat)
    });
    away.collect()
}
