//! A board in a liar's hands: its own address, keys and store, and no officer's key.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use muster_agent::control::view::Status;
use muster_proto::documents::NodeName;
use muster_proto::rule::Final;
use muster_tests::faults::board::{Kind, Lie, LyingBoard};
use muster_tests::fleet::script::{Script, Seen};
use muster_tests::fleet::{Fleet, Make};

const ALL: [&str; 4] = ["robot-1", "robot-2", "robot-3", "robot-4"];

/// Who is restarted; the fourth only promises, and is counted until it does.
const ORDER: [&str; 3] = ["robot-1", "robot-2", "robot-4"];

/// A delay that no test sees the end of.
const LONG: Duration = Duration::from_secs(3_600);

/// A lie is told this often more before a test believes that it moves nobody.
const OFTEN: usize = 5;

fn name(node: &str) -> NodeName {
    node.parse().expect("a name")
}

/// A fleet whose only board was taken over; honest so far.
async fn taken_over() -> Result<(Fleet, LyingBoard)> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    fleet.boards[0].kill().await?;
    let liar = LyingBoard::start(&fleet.boards[0].dir).await?;
    let address = fleet.boards[0].address.clone();
    fleet.officers.attach(&address).await?;
    let then = Timestamp::now();
    let spoke = |seen: &Seen| {
        ALL.iter().all(|node| seen.beacon(node).is_some_and(|beacon| beacon.at > then))
    };
    fleet.until("every agent speaks to the liar", spoke).await?;
    Ok((fleet, liar))
}

/// All three are done in their order, and nobody was ever away beside another one.
async fn finish(mut fleet: Fleet, mark: u64) -> Result<()> {
    fleet.until("all three are done", |seen| seen.ended(1, Final::Done) == 3).await?;
    let seen = fleet.see().await?;
    assert_eq!(seen.order(1), ORDER);
    for pair in ORDER.windows(2) {
        assert!(seen.at(pair[0], 1, "done") < seen.at(pair[1], 1, "began"), "{pair:?}");
    }
    assert_eq!(fleet.referee.report(mark).lowest_online, Some(3), "UNSAFE: two away");
    fleet.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_from_whom_evidence_is_withheld_wait_and_say_why() -> Result<()> {
    let (mut fleet, liar) = taken_over().await?;
    let mark = fleet.referee.client().mark().await?;
    liar.set(&name("robot-2"), [Lie::Drop(Kind::Receipts)]);
    liar.set(&name("robot-3"), [Lie::Withhold(1)]);
    liar.set(&name("robot-4"), [Lie::Only(BTreeSet::from([name("robot-4")]))]);
    fleet.publish(&Script::new(1, "restart", 4).of(&ORDER)).await?;
    let owes = "2 seats would be away, the budget is 1: robot-3";
    fleet.until("robot-1 lacks a promise", |seen| seen.says("robot-1", 1) == owes).await?;
    assert!(fleet.see().await?.began(1).is_empty());

    liar.set(&name("robot-3"), []);
    fleet.until("robot-1 is done", |seen| seen.ended(1, Final::Done) == 1).await?;
    assert!(liar.lies_told(&name("robot-2")) > 0, "it was told of robot-1");
    // Beacons come again and again, and are withheld as often.
    let then = liar.lies_told(&name("robot-4"));
    fleet
        .until("two wait in the dark", |seen| {
            liar.lies_told(&name("robot-4")) >= then + OFTEN
                && seen.says("robot-2", 1).starts_with("robot-1 before it")
                && seen.says("robot-4", 1).starts_with("4 seats would be away, the budget is 1")
        })
        .await?;
    assert_eq!(fleet.see().await?.order(1), ["robot-1"]);

    ["robot-2", "robot-4"].iter().for_each(|node| liar.set(&name(node), []));
    finish(fleet, mark).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_that_freezes_delays_forgets_or_keeps_to_itself_makes_everybody_wait() -> Result<()>
{
    let (mut fleet, liar) = taken_over().await?;
    let mark = fleet.referee.client().mark().await?;
    let set = |node, lie: Lie| liar.set(&name(node), [lie]);
    set("robot-2", Lie::Freeze);
    set("robot-3", Lie::OldMetadata);
    set("robot-4", Lie::Delay(LONG));
    fleet.publish(&Script::new(1, "restart", 4).of(&ORDER)).await?;
    let owes = "4 seats would be away, the budget is 1";
    fleet
        .until("robot-1 lacks three promises, however often it looks", |seen| {
            let lied = |node, often| liar.lies_told(&name(node)) >= often;
            seen.says("robot-1", 1).starts_with(owes)
                && lied("robot-2", OFTEN)
                && lied("robot-3", 1)
                && lied("robot-4", OFTEN)
        })
        .await?;
    assert!(fleet.see().await?.began(1).is_empty());

    ["robot-2", "robot-3"].iter().for_each(|node| liar.set(&name(node), []));
    let owes = "2 seats would be away, the budget is 1: robot-4";
    fleet.until("one promise is lacking", |seen| seen.says("robot-1", 1) == owes).await?;
    let then = liar.lies_told(&name("robot-4"));
    set("robot-4", Lie::Deaf(Kind::Receipts));
    let promised = |status: &Status| status.plans.iter().any(|plan| plan.stage == "prepared");
    fleet.until_status("robot-4", promised).await?;
    assert!(liar.lies_told(&name("robot-4")) > then, "its promise was kept from the others");
    let seen = fleet.see().await?;
    assert!(seen.began(1).is_empty() && seen.words("robot-4", 1).is_empty());
    assert_eq!(seen.says("robot-1", 1), owes);

    liar.set(&name("robot-4"), []);
    finish(fleet, mark).await
}

#[tokio::test(flavor = "multi_thread")]
async fn delays_replays_another_order_and_forgeries_move_nobody_out_of_turn() -> Result<()> {
    let (mut fleet, liar) = taken_over().await?;
    let mark = fleet.referee.client().mark().await?;
    let late = Lie::Delay(Duration::from_millis(300));
    liar.set(&name("robot-1"), [late.clone()]);
    liar.set(&name("robot-2"), [Lie::Reorder(4), Lie::Replay]);
    liar.set(&name("robot-3"), [Lie::Replay, late]);
    liar.set(&name("robot-4"), [Lie::Tamper(Kind::Receipts)]);
    fleet.publish(&Script::new(1, "restart", 4).of(&ORDER)).await?;
    fleet
        .until("every lie was told, forgeries are refused", |seen| {
            let forged = seen
                .refusals
                .iter()
                .any(|(node, code)| node == "robot-4" && code.starts_with("V00"));
            forged && ALL.iter().all(|node| liar.lies_told(&name(node)) >= OFTEN)
        })
        .await?;
    ALL.iter().for_each(|node| liar.set(&name(node), []));
    finish(fleet, mark).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_that_claims_a_longer_chain_of_ours_and_shows_none_is_not_believed() -> Result<()> {
    let (mut fleet, liar) = taken_over().await?;
    let mark = fleet.referee.client().mark().await?;
    ALL.iter().for_each(|node| liar.set(&name(node), [Lie::LongerChain]));
    fleet.publish(&Script::new(1, "restart", 4).of(&ORDER)).await?;
    // Each asks anew for the plan; a chain that it says it holds whole is sent nothing more.
    for node in ORDER {
        let prepared = |status: &Status| status.plans.iter().any(|plan| plan.stage == "prepared");
        fleet.until_status(node, prepared).await?;
        assert_eq!(liar.lies_told(&name(node)), 1, "{node} asked once for this plan");
    }
    let seen = fleet.see().await?;
    assert!(seen.began(1).is_empty());
    ALL.iter().for_each(|node| assert!(seen.words(node, 1).is_empty(), "{node}"));

    ALL.iter().for_each(|node| liar.set(&name(node), []));
    finish(fleet, mark).await
}
