//! An agent that speaks twice: two receipts with one counter, both signed with its key. Everybody
//! who sees the proof counts its node as away, until a new roster gives it a new key.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use muster_proto::evidence::{Envelope, Event, Receipt};
use muster_proto::rule::Final;
use muster_proto::tls::{Identity, connect};
use muster_proto::trust::SecretKey;
use muster_proto::wire::muster::agent_message::Message as Say;
use muster_proto::wire::muster::board_client::BoardClient;
use muster_proto::wire::muster::{AgentMessage, Hello};
use muster_tests::fleet::script::{Script, Seen};
use muster_tests::fleet::watcher::Watcher;
use muster_tests::fleet::{Fleet, Make, NETWORK};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Who speaks twice.
const TWIN: &str = "robot-4";

/// Who hears it.
const OTHERS: [&str; 3] = ["robot-1", "robot-2", "robot-3"];

/// Instead of the agent, with its key: another receipt in the place of its newest one.
async fn speak_again(fleet: &mut Fleet, newest: &Receipt) -> Result<()> {
    let board = fleet.boards[0].address.clone();
    let twin = fleet.delegate(TWIN);
    twin.kill().await?;
    let key = std::fs::read_to_string(twin.dir.join("agent.key"))?;
    let key = SecretKey::from_pem(&key, None)?;
    let other = Receipt { at: Timestamp::now(), event: Event::Asked, ..newest.clone() };
    ensure!(other.event != newest.event, "nothing else is said: {newest:?}");
    let bytes = Envelope::sign(&other, key.signing_key())?.to_bytes::<Receipt>();

    let hello = Hello { node: TWIN.into(), network: NETWORK.into(), ..Hello::default() };
    let (say, said) = mpsc::channel(2);
    for message in [Say::Hello(hello), Say::Receipt(bytes)] {
        say.send(AgentMessage { message: Some(message) }).await?;
    }
    let channel = connect(&board.addr, &Identity::from_key(&key)?, &board.pin).await?;
    let mut hear = BoardClient::new(channel).attach(ReceiverStream::new(said)).await?.into_inner();
    let proved = |seen: &Seen| quarantined(seen).contains(&TWIN.to_owned());
    fleet.until("the board proves it to watchers", proved).await?;
    // The stream was open until then.
    hear.message().await?.context("the board cut it off")?;
    Ok(())
}

fn quarantined(seen: &Seen) -> Vec<String> {
    seen.book.quarantined().map(|(node, _)| node.to_string()).collect()
}

/// The lines in which `muster` shows it.
async fn says(watcher: &Watcher, command: &[&str], shown: &str) -> Result<Vec<String>> {
    let said = watcher.muster(command).await?;
    let lines = said.out.lines().filter(|line| line.contains(shown)).map(str::to_owned);
    let lines: Vec<_> = lines.collect();
    ensure!(!lines.is_empty(), "{command:?} lacks {shown:?}:\n{}{}", said.out, said.err);
    Ok(lines)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_one_counter_twice_is_quarantined_shown_and_counted_as_away() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let watcher = fleet.watcher("wendy").await?;
    fleet.publish(&Script::new(1, "restart", 4).of(&["robot-1"])).await?;
    fleet
        .until("robot-1 is done, all have promised", |seen| {
            seen.ended(1, Final::Done) == 1 && !seen.words(TWIN, 1).is_empty()
        })
        .await?;
    let newest = fleet.see().await?.receipts(TWIN, 1).pop().context("a promise")?;
    speak_again(&mut fleet, &newest).await?;
    fleet.delegate(TWIN).start()?;

    let fleet_says = says(&watcher, &["fleet"], "QUARANTINED").await?;
    assert!(fleet_says.iter().all(|line| line.contains(TWIN)), "{fleet_says:?}");
    says(&watcher, &["log", TWIN], "two receipts with one counter").await?;
    says(&watcher, &["log", TWIN], "acknowledged").await?;

    // The agents take the same proof, and count for themselves.
    let logs = OTHERS.map(|node| fleet.delegate(node).dir.join("agent.log"));
    let proved = |log: &PathBuf| {
        let written = std::fs::read_to_string(log).unwrap_or_default();
        written.lines().any(|line| line.contains("quarantined") && line.contains(TWIN))
    };
    fleet.until("every agent has taken the proof", |_| logs.iter().all(proved)).await?;
    let second = Script::new(2, "restart", 4).of(&["robot-1", TWIN]).with("after: [1]");
    fleet.publish(&second).await?;
    let away = "2 seats would be away, the budget is 1: robot-4";
    fleet
        .until("robot-1 waits for robot-4 alone", |seen| {
            let promised = OTHERS.iter().all(|node| !seen.words(node, 2).is_empty());
            promised && seen.says("robot-1", 2) == away
        })
        .await?;
    assert!(fleet.see().await?.began(2).is_empty());
    says(&watcher, &["why", "robot-1"], "robot-4 (quarantined").await?;
    fleet.end().await
}
