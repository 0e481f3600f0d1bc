//! The rule in a hostile world: what rollouts take away never exceeds the budget, nobody begins
//! before his turn, and without faults everybody finishes. Broken rules are caught by the same.

use std::cell::Cell;

use muster_proto::rule::plans::rank;
use muster_proto::rule::promise::gives_way;
use muster_proto::rule::{Final, permission};
use muster_tests::rules::{
    Move, PlanDraw, Reader, Relation, Rule, Scene, SceneDraw, Violation, World, broken,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

fn relation() -> impl Strategy<Value = Relation> {
    prop_oneof![Just(Relation::Neither), Just(Relation::After), Just(Relation::Supersedes)]
}

fn plan() -> impl Strategy<Value = PlanDraw> {
    let pace = (1u8..4, vec(any::<u8>(), 1..7), 0u8..5, 0u8..3);
    let terms = (prop_oneof![3 => Just(0u8), 1 => 1u8..12], 0u8..3, prop::bool::weighted(0.2));
    // Restarts and stops take away; an upgrade is a restart that can be undone.
    let action = prop_oneof![4 => Just(0u8), 3 => Just(1u8), 2 => Just(2u8), 1 => Just(3u8)];
    let budget = prop_oneof![8 => 1u8..4, 1 => Just(0u8)];
    (action, budget, pace, terms, relation()).prop_map(
        |(
            action,
            budget,
            (parallel, order, cut, slack),
            (soak_s, tolerate, emergency),
            relation,
        )| {
            PlanDraw {
                action,
                budget,
                parallel,
                order,
                cut,
                slack,
                soak_s,
                tolerate,
                emergency,
                relation,
            }
        },
    )
}

fn scene() -> impl Strategy<Value = SceneDraw> {
    let fleet = (2u8..7, 0u8..2, prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    let leaver = prop::option::weighted(0.2, any::<u8>());
    (fleet, leaver, vec(-2i8..3, 6), vec(plan(), 1..4)).prop_map(
        |((nodes, unmanaged, group, seatless), leaver, clocks, plans)| SceneDraw {
            nodes,
            unmanaged,
            group,
            seatless,
            leaver,
            clocks,
            plans,
        },
    )
}

fn one_move() -> impl Strategy<Value = Move> {
    let node = || any::<u8>();
    prop_oneof![
        24 => (node(), any::<u8>(), any::<u8>()).prop_map(|(n, p, luck)| Move::Act(n, p, luck)),
        8 => (node(), node(), any::<u8>(), any::<u8>()).prop_map(|(a, b, r, s)| Move::Show(a, b, r, s)),
        8 => node().prop_map(Move::ShowAll),
        4 => (node(), node(), any::<u8>(), any::<u8>()).prop_map(|(a, b, r, s)| Move::Replay(a, b, r, s)),
        4 => (node(), any::<u8>()).prop_map(|(n, p)| Move::Learn(n, p)),
        3 => (1u8..6).prop_map(Move::Pass),
        1 => any::<u8>().prop_map(|s| Move::Pass(s / 3)),
        3 => node().prop_map(Move::Beacon),
        1 => node().prop_map(Move::Crash),
        1 => node().prop_map(Move::Fail),
        1 => node().prop_map(Move::Lag),
        1 => node().prop_map(Move::Recover),
        1 => (node(), any::<u8>(), any::<u8>()).prop_map(|(n, p, w)| Move::Policy(n, p, w)),
        1 => node().prop_map(Move::Roster),
        1 => (node(), any::<u8>()).prop_map(|(n, p)| Move::Abort(n, p)),
        4 => any::<u8>().prop_map(Move::Publish),
        4 => (any::<u8>(), any::<u8>()).prop_map(|(who, seconds)| Move::Calm(who, seconds)),
    ]
}

fn story() -> impl Strategy<Value = (SceneDraw, Vec<Move>)> {
    (scene(), vec(one_move(), 50..400))
}

/// The same stories in every run; `PROPTEST_CASES` asks for more of them.
fn runner(cases: u32, shrink: u32) -> TestRunner {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    let config = Config {
        cases: asked.unwrap_or(cases),
        max_shrink_iters: shrink,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[42; 32]))
}

fn tell(rule: Rule, draw: &SceneDraw, moves: &[Move]) -> Result<(), Violation> {
    World::new(&Scene::new(draw), rule).play(moves)
}

#[test]
fn rollouts_never_take_away_more_than_the_budget_and_nobody_begins_before_his_turn() {
    let began = Cell::new(0_usize);
    let told = runner(12_000, 20_000).run(&story(), |(draw, moves)| {
        let scene = Scene::new(&draw);
        let mut world = World::new(&scene, permission);
        let outcome = world.play(&moves);
        began.set(began.get() + world.began());
        outcome.map_err(|violation| TestCaseError::fail(violation.to_string()))
    });
    if let Err(error) = told {
        panic!("{error}");
    }
    assert!(
        began.get() > 6_000,
        "only {} nodes ever began: the stories prove nothing",
        began.get()
    );
}

/// How many stories it takes until the harness finds a violation by this rule.
fn caught_after(rule: Rule) -> Option<(u32, Violation)> {
    let stories = Cell::new(0);
    let told = runner(20_000, 0).run(&story(), |(draw, moves)| {
        stories.set(stories.get() + 1);
        tell(rule, &draw, &moves).map_err(|violation| TestCaseError::fail(format!("{violation:?}")))
    });
    match told {
        Err(TestError::Fail(_, (draw, moves))) => {
            let violation = tell(rule, &draw, &moves).expect_err("it failed a moment ago");
            Some((stories.get(), violation))
        }
        Err(TestError::Abort(reason)) => panic!("{reason}"),
        Ok(()) => None,
    }
}

#[test]
fn every_broken_rule_is_caught() {
    let mut table = String::new();
    let mut missed = Vec::new();
    for (name, rule) in broken::ALL {
        match caught_after(rule) {
            Some((stories, violation)) => {
                table += &format!("{stories:>6} stories: {name}: {violation}\n");
            }
            None => missed.push(name),
        }
    }
    println!("{table}");
    assert!(missed.is_empty(), "not caught: {missed:?}\n{table}");
}

/// The first move after which a real book and the world's own account part.
fn misread_after(reader: Reader, draw: &SceneDraw, moves: &[Move]) -> Result<(), String> {
    let scene = Scene::new(draw);
    let mut world = World::new(&scene, permission).read_by(reader).with_books();
    for one in moves {
        world.step(*one).map_err(|violation| violation.to_string())?;
        if let Some((to, of)) = world.misread() {
            return Err(format!("n{to} misreads n{of} after {one:?}"));
        }
    }
    Ok(())
}

#[test]
fn replays_and_receipts_out_of_their_order_tell_a_real_book_nothing() {
    let replays = Cell::new(0_usize);
    let told = runner(250, 500).run(&story(), |(draw, moves)| {
        let again = moves.iter().filter(|one| matches!(one, Move::Replay(..)));
        replays.set(replays.get() + again.count());
        misread_after(Reader::Careful, &draw, &moves).map_err(TestCaseError::fail)
    });
    if let Err(error) = told {
        panic!("{error}");
    }
    assert!(replays.get() > 1_000, "only {} replays", replays.get());
}

#[test]
fn a_reader_that_takes_replays_for_news_is_told_from_a_real_book() {
    let told = runner(250, 500).run(&story(), |(draw, moves)| {
        misread_after(Reader::Gullible, &draw, &moves).map_err(TestCaseError::fail)
    });
    let Err(TestError::Fail(why, _)) = told else { panic!("not caught: {told:?}") };
    assert!(why.message().contains("after Replay"), "{why}");
    println!("{why}");
}

/// Plans that can end: nobody stays away, and nothing waits for who is not there.
fn peaceful(mut draw: SceneDraw) -> SceneDraw {
    draw.leaver = None;
    draw.seatless = false;
    for plan in &mut draw.plans {
        plan.action = if plan.action == 2 { 2 } else { 0 };
        plan.budget = plan.budget.max(1);
        // What an emergency stops stays down; it has a test of its own.
        plan.emergency = false;
    }
    draw
}

#[test]
fn an_emergency_stops_everybody_by_his_slot_though_nobody_hears_of_anybody() {
    let told = runner(1_500, 2_000).run(&(scene(), vec(one_move(), 0..120)), |(draw, moves)| {
        let scene = Scene::new(&alarming(draw));
        let mut world = World::new(&scene, permission);
        // What happened before, without a word between any two of them. Nobody starts a node by
        // hand, no operator is asked, and no officer takes it back.
        let deaf = |one: &&Move| {
            let speaks = matches!(one, Move::Show(..) | Move::ShowAll(_) | Move::Calm(..));
            !speaks && !matches!(one, Move::Recover(_) | Move::Policy(..) | Move::Abort(..))
        };
        // A step that fails for good needs people, whatever the rule says.
        let moves = moves.iter().filter(deaf).map(|one| match one {
            Move::Act(node, plan, luck) => Move::Act(*node, *plan, (*luck).max(16)),
            other => *other,
        });
        let moves: Vec<_> = moves.collect();
        world.play(&moves).map_err(|violation| TestCaseError::fail(violation.to_string()))?;
        prop_assume!(world.now_s < 7_000, "within its validity");
        let (last, (_, stop)) = scene.plans.iter().enumerate().next_back().expect("the emergency");
        world.alone(last, 120).map_err(|violation| TestCaseError::fail(violation.to_string()))?;
        for (_, name) in stop.order() {
            let node = &world.nodes[world.index(name).expect("managed")];
            let refused = node.part(last).outcome() == Some(Final::Declined);
            prop_assert!(refused || !node.running, "{} runs after its slot", name);
        }
        Ok(())
    });
    if let Err(error) = told {
        panic!("{error}");
    }
}

/// The last plan is an emergency, and nobody's operator has to be asked.
fn alarming(mut draw: SceneDraw) -> SceneDraw {
    draw.leaver = None;
    if let Some(last) = draw.plans.last_mut() {
        last.emergency = true;
    }
    draw
}

#[test]
fn without_faults_everybody_finishes_at_the_agreed_pace() {
    let told = runner(1_500, 2_000).run(&(scene(), 0usize..40), |(draw, second_comes)| {
        let scene = Scene::new(&peaceful(draw));
        let mut world = World::new(&scene, permission);
        let calm = world.calmly(second_comes, 600);
        calm.map_err(TestCaseError::fail)?;
        for (index, (_, plan)) in scene.plans.iter().enumerate() {
            let newer = scene.plans.iter().filter(|(_, newer)| rank(newer) > rank(plan));
            let replaced = newer.into_iter().any(|(_, newer)| gives_way(plan, newer));
            for (_, name) in plan.order().filter(|_| !replaced) {
                let node = &world.nodes[world.index(name).expect("managed")];
                let outcome = node.part(index).outcome();
                prop_assert_eq!(outcome, Some(Final::Done), "{} under plan {}", name, index);
            }
        }
        Ok(())
    });
    if let Err(error) = told {
        panic!("{error}");
    }
}
