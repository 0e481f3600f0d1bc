//! In which order the rule is asked about the plans that are known.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use muster_proto::documents::{NodeName, Plan, PlanId};
use muster_proto::rule::Stage;

/// Plans in which `me` has a part that is not over, in the order in which the rule is asked.
/// A member without a place in the order has a part too: it promises (rule 2).
///
/// What was begun comes before what was not: it is finished or undone before anything else. Then the older
/// before the newer, so that a plan `after` another finds the earlier one acknowledged; that the
/// newer binds the older (rule 2) is the rule's own business. Emergencies before all: a stop wins
/// over a step in hand.
pub fn turns<'a>(
    plans: &'a BTreeMap<PlanId, Plan>,
    me: &NodeName,
    stage: impl Fn(&PlanId) -> Stage,
) -> Vec<&'a PlanId> {
    let mut turns: Vec<_> = plans
        .iter()
        .filter(|(_, plan)| plan.member(me).is_some())
        .map(|(id, _)| (stage(id), id))
        .filter(|(stage, _)| !matches!(stage, Stage::Over(_)))
        .collect();
    turns.sort_by_key(|(stage, id)| {
        (Reverse(id.class.counter()), Reverse(begun(*stage)), id.serial, *id)
    });
    turns.into_iter().map(|(_, id)| id).collect()
}

/// Something was done to the node, and it is not final.
pub fn begun(stage: Stage) -> bool {
    stage >= Stage::Begun && !matches!(stage, Stage::Over(_))
}

/// The plan other than `id` that was begun here and is not final.
pub fn in_hand(stages: &BTreeMap<PlanId, Stage>, id: &PlanId) -> Option<PlanId> {
    stages.iter().find(|(other, stage)| *other != id && begun(**stage)).map(|(id, _)| id.clone())
}

#[cfg(test)]
mod tests {
    use muster_proto::documents::{Class, Digest};
    use muster_proto::rule::Final;

    use super::super::example;
    use super::*;

    fn known(plans: Vec<(PlanId, Plan)>) -> BTreeMap<PlanId, Plan> {
        plans.into_iter().collect()
    }

    fn emergency(serial: u64) -> (PlanId, Plan) {
        let (_, plan) = example::plan(serial);
        let digest = Digest::of(b"emergency");
        (PlanId { class: Class::Emergency, serial, digest }, plan)
    }

    #[test]
    fn emergencies_go_first_then_what_was_begun_then_the_older() {
        let plans = known(vec![
            example::plan(41),
            example::plan(42),
            example::plan(43),
            example::plan(44),
            emergency(7),
        ]);
        let stage = |id: &PlanId| match id.serial {
            41 => Stage::Over(Final::Done),
            44 => Stage::Started,
            _ => Stage::Verified,
        };
        let serials: Vec<_> =
            turns(&plans, &example::node("node-1"), stage).iter().map(|id| id.serial).collect();
        assert_eq!(serials, [7, 44, 42, 43]);
    }

    #[test]
    fn a_plan_concerns_its_members_also_those_without_a_place_in_its_order() {
        let plans = known(vec![example::plan(42)]);
        let turns = |node| turns(&plans, &example::node(node), |_| Stage::Verified).len();
        assert_eq!((turns("node-3"), turns("node-4")), (1, 0));
    }

    #[test]
    fn only_another_begun_plan_is_in_hand() {
        let [a, b] = [41, 42].map(|serial| example::plan(serial).0);
        let stages = BTreeMap::from([(a.clone(), Stage::Stopped), (b.clone(), Stage::Prepared)]);
        assert_eq!(in_hand(&stages, &b), Some(a.clone()));
        assert_eq!(in_hand(&stages, &a), None);
    }
}
