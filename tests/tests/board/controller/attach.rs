//! Agents on their streams.

use muster_proto::documents::Class;
use muster_proto::evidence::Event;
use muster_proto::wire::limits;
use muster_proto::wire::muster::agent_message::Message as Say;
use muster_proto::wire::muster::board_client::BoardClient;
use muster_proto::wire::muster::board_message::Message;
use muster_proto::wire::muster::{AgentMessage, Hello, OwnChainQuestion, Refusal};
use tonic::Code;

use super::agent::{Agent, Chain, acknowledged};
use crate::world::{ANN, World, next, roster};

#[tokio::test]
async fn a_published_plan_is_held_verified_by_every_attached_agent() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let mut ann = Agent::attach(&world, &board, "ann-1", 1).await;
    let mut bob = Agent::attach(&world, &board, "bob-1", 2).await;
    let plan = world.publish_plan(&board, 1).await;
    for agent in [&mut ann, &mut bob] {
        agent.until(|agent| agent.trust.plans().contains_key(&plan)).await;
        assert_eq!(plan.class, Class::Hotfix);
        assert!(agent.trust.fresh_until().is_some());
    }
    board.stop().await;
}

#[tokio::test]
async fn who_attaches_later_is_sent_documents_and_whole_chains() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let plan = world.publish_plan(&board, 1).await;
    let mut bob = Agent::attach(&world, &board, "bob-1", 2).await;
    bob.receipt(&plan, acknowledged()).await;
    bob.receipt(&plan, Event::Prepared).await;
    let mut ann = Agent::attach(&world, &board, "ann-1", 1).await;
    ann.until(|ann| ann.book.head(&bob.name).is_some_and(|head| head.counter == 2)).await;
    assert!(ann.saw_acknowledged("bob-1", &plan));
}

#[tokio::test]
async fn receipts_and_beacons_reach_the_others_as_they_were_signed() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let plan = world.publish_plan(&board, 1).await;
    let mut ann = Agent::attach(&world, &board, "ann-1", 1).await;
    let mut bob = Agent::attach(&world, &board, "bob-1", 2).await;
    bob.receipt(&plan, acknowledged()).await;
    let beacon = bob.chain.beacon(77);
    bob.say(Say::Beacon(beacon)).await;
    ann.until(|ann| ann.saw_acknowledged("bob-1", &plan)).await;
    ann.until(|ann| ann.height_of("bob-1") == Some(77)).await;
}

#[tokio::test]
async fn an_agent_that_no_roster_lists_is_told_so() {
    let world = World::new();
    let board = world.start().await;
    let status = Agent::try_attach(&world, &board, "ann-1", 1).await.err().unwrap();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert!(status.message().starts_with("N020"), "{status:?}");
}

#[tokio::test]
async fn a_name_with_the_key_of_another_node_is_told_so() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let status = Agent::try_attach(&world, &board, "ann-1", 2).await.err().unwrap();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert!(status.message().starts_with("N021"), "{status:?}");
}

#[tokio::test]
async fn an_agent_of_another_network_is_told_so() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let hello = Hello { node: "ann-1".into(), network: "mainnet".into(), ..Hello::default() };
    let status = first_message(&board, Say::Hello(hello)).await;
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().starts_with("N022"), "{status:?}");
}

#[tokio::test]
async fn a_stream_that_does_not_begin_with_a_hello_is_refused() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let status = first_message(&board, Say::OwnChain(OwnChainQuestion {})).await;
    assert!(status.message().starts_with("N025"), "{status:?}");
}

async fn first_message(board: &crate::world::Board, message: Say) -> tonic::Status {
    let stream = tokio_stream::once(AgentMessage { message: Some(message) });
    BoardClient::new(board.channel(1).await).attach(stream).await.err().unwrap()
}

#[tokio::test]
async fn a_key_that_a_new_roster_does_not_list_is_cut_off_and_knows_why() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let mut ann = Agent::attach(&world, &board, "ann-1", 1).await;
    let mut bob = Agent::attach(&world, &board, "bob-1", 2).await;
    ann.until(|ann| ann.trust.roster().is_some()).await;
    let without_ann = roster(2, &[("bob-1", Some(2)), ("cat-1", Some(3))]);
    world.publish_roster(&board, &without_ann).await;
    let status = ann.ended().await;
    assert!(status.message().starts_with("N020"), "{status:?}");
    assert_eq!(ann.trust.roster(), Some(&without_ann));
    bob.until(|bob| bob.trust.roster() == Some(&without_ann)).await;
}

#[tokio::test]
async fn a_new_key_begins_a_new_chain_and_the_old_key_counts_no_more() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let plan = world.publish_plan(&board, 1).await;
    let mut old = Agent::attach(&world, &board, "bob-1", 2).await;
    old.receipt(&plan, acknowledged()).await;
    let mut ann = Agent::attach(&world, &board, "ann-1", 1).await;
    ann.until(|ann| ann.saw_acknowledged("bob-1", &plan)).await;
    let rekeyed = roster(2, &[("ann-1", Some(1)), ("bob-1", Some(9)), ("cat-1", Some(3))]);
    world.publish_roster(&board, &rekeyed).await;
    assert!(old.ended().await.message().starts_with("N021"));
    ann.until(|ann| ann.trust.roster() == Some(&rekeyed)).await;
    assert!(!ann.saw_acknowledged("bob-1", &plan));

    let mut new = Agent::attach(&world, &board, "bob-1", 9).await;
    new.receipt(&plan, acknowledged()).await;
    ann.until(|ann| ann.book.head(&new.name) == new.chain.head).await;
}

#[tokio::test]
async fn a_second_stream_of_one_agent_takes_the_place_of_the_first() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let mut first = Agent::attach(&world, &board, "ann-1", 1).await;
    let mut second = Agent::attach(&world, &board, "ann-1", 1).await;
    assert!(first.ended().await.message().starts_with("N023"));
    second.until(|second| second.trust.roster().is_some()).await;
}

#[tokio::test]
async fn an_agent_that_comes_back_too_often_is_told_to_wait() {
    let world = World::new();
    let mut config = world.config();
    config.limits.attachments_per_minute = 2;
    let setup = world.start_with_roster().await;
    setup.stop().await;
    let board = world.start_with(config).await.unwrap();
    let mut kept = Vec::new();
    let refused = loop {
        match Agent::try_attach(&world, &board, "ann-1", 1).await {
            Ok(agent) => kept.push(agent),
            Err(status) => break status,
        }
        assert!(kept.len() <= 2);
    };
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.message().starts_with("N024"), "{refused:?}");
    Agent::attach(&world, &board, "bob-1", 2).await;
}

#[tokio::test]
async fn an_oversized_receipt_ends_the_stream() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let mut ann = Agent::attach(&world, &board, "ann-1", 1).await;
    ann.say(Say::Receipt(vec![b' '; limits::EVIDENCE_BYTES + 1])).await;
    assert!(ann.ended().await.message().starts_with("N026"));
    let mut ann = Agent::attach(&world, &board, "ann-1", 1).await;
    ann.say(Say::Receipt(vec![b' '; limits::MESSAGE_BYTES + 1])).await;
    ann.ended().await;
    Agent::attach(&world, &board, "ann-1", 1).await;
}

#[tokio::test]
async fn a_receipt_that_comes_too_early_makes_the_board_say_what_it_holds() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let plan = world.publish_plan(&board, 1).await;
    let mut bob = Agent::attach(&world, &board, "bob-1", 2).await;
    let first = bob.chain.receipt(&plan, acknowledged());
    bob.receipt(&plan, Event::Prepared).await;
    bob.until(|bob| bob.own_chain.as_ref().is_some_and(|own| own.counter == 0)).await;
    bob.say(Say::Receipt(first)).await;
    bob.say(Say::OwnChain(OwnChainQuestion {})).await;
    bob.until(|bob| bob.own_chain.as_ref().is_some_and(|own| own.counter == 1)).await;
}

#[tokio::test]
async fn the_answer_about_the_own_chain_counts_everything_sent_before_the_question() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let plan = world.publish_plan(&board, 1).await;
    let mut bob = Agent::attach(&world, &board, "bob-1", 2).await;
    let mut last = Vec::new();
    for _ in 0..50 {
        last = bob.chain.receipt(&plan, acknowledged());
        bob.say(Say::Receipt(last.clone())).await;
    }
    bob.say(Say::OwnChain(OwnChainQuestion {})).await;
    bob.until(|bob| bob.own_chain.is_some()).await;
    let (own, head) = (bob.own_chain.take().unwrap(), bob.chain.head.clone().unwrap());
    assert_eq!((own.counter, own.hash, own.receipt), (50, head.hash.to_string(), last));
}

#[tokio::test]
async fn nobody_speaks_for_another_node() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let plan = world.publish_plan(&board, 1).await;
    let bob = Agent::attach(&world, &board, "bob-1", 2).await;
    let mut cats = Chain::new("cat-1", 3);
    bob.say(Say::Receipt(cats.receipt(&plan, acknowledged()))).await;
    bob.say(Say::Beacon(cats.beacon(5))).await;
    let mut bob = bob;
    bob.receipt(&plan, acknowledged()).await;
    let mut ann = Agent::attach(&world, &board, "ann-1", 1).await;
    ann.until(|ann| ann.saw_acknowledged("bob-1", &plan)).await;
    assert!(!ann.saw_acknowledged("cat-1", &plan) && ann.height_of("cat-1").is_none());
}

#[tokio::test]
async fn a_double_counter_is_quarantined_shown_and_proved_to_everybody() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let plan = world.publish_plan(&board, 1).await;
    let mut bob = Agent::attach(&world, &board, "bob-1", 2).await;
    let mut twin = bob.chain.clone();
    bob.receipt(&plan, acknowledged()).await;
    bob.say(Say::Receipt(twin.receipt(&plan, Event::Asked))).await;
    let mut ann = Agent::attach(&world, &board, "ann-1", 1).await;
    ann.until(|ann| ann.doubles == ["bob-1"]).await;
    let proof = |messages: &[Message]| {
        messages.iter().find_map(|message| match message {
            Message::DoubleCounter(double) => Some(double.clone()),
            _ => None,
        })
    };
    let shown = proof(&world.follow(&board).await.1).unwrap();
    assert_ne!(shown.first, shown.second);
    board.stop().await;

    let again = world.start().await;
    assert_eq!(proof(&world.follow(&again).await.1), Some(shown));
}

#[tokio::test]
async fn what_an_agent_refuses_is_shown_to_watchers_without_control_characters() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let ann = Agent::attach(&world, &board, "ann-1", 1).await;
    let refusal = Refusal {
        code: "T003".into(),
        text: "under-signed\u{1b}[31m".into(),
        subject: "hotfix".into(),
    };
    ann.say(Say::Refusal(refusal)).await;
    let mut watcher = board.follow(ANN, false).await.unwrap();
    let shown = loop {
        if let Some(Message::Refusal(shown)) = next(&mut watcher).await.unwrap().unwrap().message {
            break shown;
        }
    };
    assert_eq!(shown.node, "ann-1");
    assert_eq!(shown.refusal.unwrap().text, "under-signed[31m");
}

#[tokio::test]
async fn a_reader_who_takes_nothing_costs_the_others_nothing_and_then_finds_the_newest_state() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let mut slow = Agent::attach(&world, &board, "cat-1", 3).await;
    let mut bob = Agent::attach(&world, &board, "bob-1", 2).await;
    let mut ann = Agent::attach(&world, &board, "ann-1", 1).await;
    // More than any queue or window between board and reader holds.
    let plan = world.publish_plan(&board, 1).await;
    let reason = "x".repeat(40 * 1024);
    for _ in 0..100 {
        bob.receipt(&plan, Event::Declined { reason: reason.clone() }).await;
    }
    ann.until(|ann| ann.book.head(&bob.name) == bob.chain.head).await;
    slow.until(|slow| slow.book.head(&bob.name) == bob.chain.head).await;
}
