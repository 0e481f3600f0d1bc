//! Every world of three nodes and two plans, exhaustively.

use muster_proto::rule::permission;
use muster_tests::rules::{PlanDraw, Relation, Rule, Scene, SceneDraw, broken, walk};

/// Orders of the second plan: as the first, the other way round, and turned.
const ORDERS: [[u8; 3]; 3] = [[0, 1, 2], [2, 1, 0], [1, 2, 0]];
const RELATIONS: [Relation; 3] = [Relation::Neither, Relation::After, Relation::Supersedes];

fn plan(action: u8, budget: u8, order: [u8; 3], relation: Relation) -> PlanDraw {
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

/// All scenes of two plans: a restart or a stop, then a restart.
fn scenes() -> Vec<(String, Scene)> {
    let mut scenes = Vec::new();
    for relation in RELATIONS {
        for order in ORDERS {
            for (action, budgets) in [(0, (1, 1)), (0, (1, 2)), (0, (2, 1)), (1, (2, 1))] {
                let first = plan(action, budgets.0, ORDERS[0], Relation::Neither);
                let second = plan(0, budgets.1, order, relation);
                let name = format!("{relation:?} {order:?} {action} {budgets:?}");
                scenes.push((name, scene(vec![first, second])));
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
    assert!(states > 10_000, "only {states} truths were walked");
}

#[test]
fn the_walk_catches_rules_that_count_too_little() {
    for wanted in ["(no C)", "(no A)", "of any plan", "off by one"] {
        let found = broken::ALL.into_iter().find(|(name, _)| name.contains(wanted));
        let (name, rule) = found.expect("a broken rule of that name");
        assert!(is_caught(rule), "{name}");
    }
}
