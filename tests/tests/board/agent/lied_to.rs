//! The daemon against boards that lie: documents changed on the way, a chain that is not ours,
//! one that is and that the journal lacks.

use super::board::FalseBoard;
use super::host::Host;
use crate::world::{NETWORK, World, key};
use anyhow::Result;
use jiff::Timestamp;
use muster_agent::control::view::Status;
use muster_proto::documents::PlanId;
use muster_proto::evidence::{Envelope, Event, Receipt};
use muster_proto::trust::Offer;
use muster_proto::wire::muster::agent_message::Message as Said;
use muster_proto::wire::muster::board_message::Message;
use muster_proto::wire::muster::{Bulletin, OwnChain, Refusal};

/// What an honest board would hand out, with one plan in it.
async fn honest() -> (World, Offer, PlanId) {
    let world = World::new();
    let board = world.start_with_roster().await;
    let plan = world.publish_plan(&board, 1).await;
    let offer = world.follow(&board).await.0.offer(0);
    board.stop().await;
    (world, offer, plan)
}

fn bulletin(offer: Offer) -> Vec<Message> {
    vec![Message::Bulletin(Bulletin::from(offer))]
}

async fn host(world: &World, board: &FalseBoard) -> Result<Host> {
    let mut host = Host::new(world, "bob-1", 2, &[(board.addr, board.pin.clone())]).await?;
    host.start()?;
    Ok(host)
}

fn refused(status: &Status, code: &str) -> bool {
    status.refused.iter().any(|refused| refused.code == code)
}

/// The agent shows and reports the refusal, and has signed nothing about the plan.
async fn is_refused(offer: Offer, world: &World, code: &str) -> Result<()> {
    let mut board = FalseBoard::start(bulletin(offer), OwnChain::default()).await?;
    let host = host(world, &board).await?;
    let status = host.until(|status| refused(status, code)).await?;
    assert!(status.plans.is_empty(), "{:?}", status.plans);
    let screen = host.ask("status", &[]).await?.out;
    assert!(screen.contains(code), "{screen}");
    let told = |said| match said {
        Said::Refusal(Refusal { code, text, .. }) => Some((code, text)),
        Said::Receipt(_) => panic!("a receipt about a plan that was refused"),
        _ => None,
    };
    let (told, text) = board.hears(told).await?;
    assert!(told == code && text.starts_with(code), "{told} {text}");
    // Said once, however often the board repeats itself.
    assert_eq!(host.log().matches(&format!("code=\"{code}\"")).count(), 1, "{}", host.log());
    assert!(!board.rest().iter().any(|said| matches!(said, Said::Receipt(_))));
    Ok(())
}

#[tokio::test]
async fn a_plan_that_was_changed_on_the_way_is_refused_and_reported() -> Result<()> {
    let (world, mut offer, _) = honest().await;
    let plan = offer.targets.get_mut("hotfix/testnet/1.json").expect("the plan");
    let text = String::from_utf8(plan.clone())?;
    *plan = text.replace("stop bob-1", "stop ann-1").into_bytes();
    is_refused(offer, &world, "T007").await
}

#[tokio::test]
async fn a_plan_without_its_second_signature_is_refused_and_reported() -> Result<()> {
    let (world, mut offer, _) = honest().await;
    let role = offer.roles.get_mut("hotfix").expect("the role");
    let mut metadata: serde_json::Value = serde_json::from_slice(role)?;
    metadata["signatures"].as_array_mut().expect("signatures").pop();
    *role = serde_json::to_vec(&metadata)?;
    // The snapshot pins the file with both signatures; a publisher that stamps one with fewer
    // meets T003 (trust_refusals).
    is_refused(offer, &world, "T007").await
}

fn receipt(counter: u64, plan: &PlanId) -> Result<OwnChain> {
    let receipt = Receipt {
        muster: "receipt/v1".into(),
        network: NETWORK.into(),
        node: "bob-1".parse()?,
        counter,
        previous: None,
        at: Timestamp::now(),
        plan: plan.clone(),
        event: Event::Prepared,
    };
    let envelope = Envelope::sign(&receipt, key(2).signing_key())?;
    let hash = muster_proto::documents::Digest::of(envelope.payload()).to_string();
    Ok(OwnChain { counter, hash, receipt: envelope.to_bytes::<Receipt>() })
}

#[tokio::test]
async fn an_agent_restored_from_a_backup_says_so_and_signs_nothing() -> Result<()> {
    let (world, offer, plan) = honest().await;
    let mut board = FalseBoard::start(bulletin(offer), receipt(7, &plan)?).await?;
    let host = host(&world, &board).await?;
    let status = host.until(|status| status.stuck.is_some() && !status.plans.is_empty()).await?;
    let stuck = status.stuck.expect("it was there");
    assert!(stuck.starts_with("E560") && stuck.contains("receipt 7"), "{stuck}");
    host.plan(&plan, |view| view.text.starts_with("E560")).await?;
    assert!(host.ask("status", &[]).await?.out.contains("enrol this agent anew"));
    assert!(!board.rest().iter().any(|said| matches!(said, Said::Receipt(_))));
    Ok(())
}

#[tokio::test]
async fn a_board_that_only_claims_to_hold_more_holds_nobody_up() -> Result<()> {
    let (world, offer, plan) = honest().await;
    let liar = OwnChain { counter: 9, hash: String::new(), receipt: b"no receipt".into() };
    let liar = FalseBoard::start(bulletin(offer.clone()), liar).await?;
    let mut good = FalseBoard::start(bulletin(offer), OwnChain::default()).await?;
    let boards = [(liar.addr, liar.pin.clone()), (good.addr, good.pin.clone())];
    let mut host = Host::new(&world, "bob-1", 2, &boards).await?;
    host.start()?;
    let receipt = good.hears(|said| match said {
        Said::Receipt(bytes) => Some(bytes),
        _ => None,
    });
    let envelope = Envelope::parse::<Receipt>(&receipt.await?)?;
    let receipt: Receipt = envelope.open(&key(2).public())?;
    assert_eq!((receipt.counter, receipt.plan), (1, plan));
    assert_eq!(host.status().await?.stuck, None);
    Ok(())
}

#[tokio::test]
async fn nothing_is_promised_before_a_board_said_what_it_holds_of_the_own_chain() -> Result<()> {
    // No board answers at all: the documents come from an earlier attachment's state file.
    let (world, offer, plan) = honest().await;
    let board = FalseBoard::start(bulletin(offer), OwnChain::default()).await?;
    let mut host = Host::new(&world, "bob-1", 2, &[(board.addr, board.pin.clone())]).await?;
    host.policy("default: ask");
    host.start()?;
    host.plan(&plan, |view| view.text.contains("operator")).await?;
    host.stop().await?;
    let text = std::fs::read_to_string(host.file("agent.yaml"))?;
    std::fs::write(host.file("agent.yaml"), text.replace(&board.addr.to_string(), "127.0.0.1:1"))?;
    host.policy("default: refuse");
    host.start()?;
    let view = host.plan(&plan, |view| view.text.contains("own receipts")).await?;
    assert!(!view.over && view.text.starts_with("no board can be reached"), "{view:?}");
    Ok(())
}
