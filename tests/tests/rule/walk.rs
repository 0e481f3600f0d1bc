//! Every world of three nodes and two plans, exhaustively.

use muster_proto::rule::permission;
use muster_tests::rules::{PlanDraw, Relation, Rule, Scene, SceneDraw, broken, walk};

/// Orders of the second plan; the first plan's is the first of them.
const ORDERS: [[u8; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
/// How the second plan stands to the first, and whether it is an emergency.
const RELATIONS: [(Relation, bool); 4] = [
    (Relation::Neither, false),
    (Relation::After, false),
    (Relation::Supersedes, false),
    (Relation::Neither, true),
];
const RESTART: u8 = 0;
const STOP: u8 = 1;
/// Actions and budgets of both plans. Where both may take one seat, nothing may go wrong at all;
/// where they differ, the newer one's budget binds.
const PAIRS: [[(u8, u8); 2]; 5] = [
    [(RESTART, 1), (RESTART, 1)],
    [(RESTART, 1), (RESTART, 2)],
    [(RESTART, 2), (RESTART, 1)],
    [(STOP, 2), (RESTART, 1)],
    [(RESTART, 2), (STOP, 1)],
];

fn plan((action, budget): (u8, u8), order: [u8; 3], relation: Relation) -> PlanDraw {
    PlanDraw {
        action,
        budget,
        parallel: 2,
        order: order.to_vec(),
        cut: 0,
        slack: 3,
        soak_s: 0,
        tolerate: 3,
        emergency: false,
        relation,
    }
}

fn scene(plans: Vec<PlanDraw>) -> Scene {
    Scene::new(&SceneDraw {
        nodes: 3,
        unmanaged: 0,
        group: false,
        seatless: false,
        leaver: None,
        clocks: vec![],
        plans,
    })
}

/// All scenes of two plans.
fn scenes() -> Vec<(String, Scene)> {
    let mut scenes = Vec::new();
    for (relation, emergency) in RELATIONS {
        for order in ORDERS {
            for [first, second] in PAIRS {
                let name = format!("{first:?}, then {second:?} {relation:?} {emergency} {order:?}");
                let older = plan(first, ORDERS[0], Relation::Neither);
                let newer = PlanDraw { emergency, ..plan(second, order, relation) };
                scenes.push((name, scene(vec![older, newer])));
            }
        }
    }
    scenes
}

fn is_caught(rule: Rule) -> bool {
    scenes().iter().any(|(_, scene)| walk::walk(scene, rule).is_err())
}

#[test]
fn no_order_of_steps_and_no_picture_takes_away_more_than_the_budget() {
    let (mut states, mut decisions) = (0, 0);
    for (name, scene) in scenes() {
        let walked =
            walk::walk(&scene, permission).unwrap_or_else(|broken| panic!("{name}: {broken}"));
        states += walked.states;
        decisions += walked.decisions;
    }
    println!("{states} truths, {decisions} decisions");
    assert!(states > 200_000, "only {states} truths were walked");
}

#[test]
fn the_walk_catches_rules_that_count_too_little() {
    for wanted in ["(no C)", "(no A)", "of any plan", "off by one", "a stale beacon"] {
        let found = broken::ALL.into_iter().find(|(name, _)| name.contains(wanted));
        let (name, rule) = found.expect("a broken rule of that name");
        assert!(is_caught(rule), "{name}");
    }
}
