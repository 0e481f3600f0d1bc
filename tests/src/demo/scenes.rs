//! What happens on the stage, in order.

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::afterwards::{Before, Told};
use super::documents::{self, Draw};
use super::forger;
use super::people::done;
use super::stage::{RUN, Stage, version};
use crate::fleet::{self, OLD};
use crate::node::behaviour::{Behaviour, Defect};

const CANARY: &str = "{wave: canary, nodes: [robot-1], soak: 1s}";
const REST: &str = "{wave: rest, select: {role: consensus-delegate}, by: name}";
/// The controller refuses as every agent would: the file is not the one that the signatures cover.
const FORGED: [&str; 2] = ["C104", "T007"];
const ALL: &[&str] = &["{wave: all, select: {role: consensus-delegate}, by: name}"];

/// A good release goes through: canary, then a wave, while the chain keeps advancing.
///
/// # Errors
/// When it does not.
pub async fn upgrade(stage: &mut Stage) -> Result<Told> {
    title("1 · A hotfix: the canary first, then the others, while the chain keeps advancing");
    release(stage, &version("v2.4.4"), OLD).await?;
    let draw = Draw {
        serial: 1,
        title: "v2.4.4, trace timeout",
        action: "action: upgrade\nrelease: v2.4.4\ncompatibility: compatible".into(),
        order: &[CANARY, REST],
        budget: Some("2 of 7"),
        parallel: 2,
        relation: "",
    };
    let before = publish(stage, &draw).await?;
    done(watch(stage, 1).await?).context("the hotfix did not go through")?;
    stage.people.shown("bob", &["fleet"]).await.and_then(done)?;
    let told = before.told(stage, "hotfix to v2.4.4").await?;
    let online = told.fewest_online.context("the referee counted nobody")?;
    ensure!(online >= 5, "only {online} of 7 seats were online");
    ensure!(told.height_after > told.height_before, "the chain stood still");
    Ok(told)
}

/// A bad release stops at its canary and is rolled back there.
///
/// # Errors
/// When it does not.
pub async fn bad_release(stage: &mut Stage) -> Result<Told> {
    title("2 · A bad release: ready, and its height never moves. It stops at the canary");
    let bad = version("v2.4.5").with(Defect::ReadyNotAdvancing);
    release(stage, &bad, "v2.4.4").await?;
    let draw = Draw {
        serial: 2,
        title: "v2.4.5",
        action: "action: upgrade\nrelease: v2.4.5\ncompatibility: compatible".into(),
        order: &[CANARY, REST],
        budget: Some("2 of 7"),
        parallel: 2,
        relation: "after: [1]\n",
    };
    let before = publish(stage, &draw).await?;
    let code = watch(stage, 2).await?;
    ensure!(code == 1, "a failed plan ends with 1, not with {code}");
    stage.people.shown("bob", &["why", "2"]).await?;
    stage.people.shown("bob", &["log", "robot-1"]).await?;
    let told = before.told(stage, "bad release v2.4.5").await?;
    ensure!(told.moved() == ["robot-1"], "only the canary moved: {:?}", told.moved());
    Ok(told)
}

/// Somebody in the middle changes a signed plan; somebody alone signs one.
///
/// # Errors
/// When it is taken.
pub async fn tampered(stage: &mut Stage) -> Result<()> {
    title("3 · A plan that was changed after it was signed, and one that too few signed");
    let draw = stopping();
    stage.people.write("3.yaml", &documents::plan(&draw))?;
    stage.people.quietly("alice", &["plan", "freeze", "3.yaml", "-o", "3.draft"]).await?;
    let signatures = stage.people.signatures("3.draft").await?;
    let path = stage.people.home("alice").join("3.draft");
    let changed = changed(&std::fs::read(&path)?)?;
    std::fs::write(path.with_file_name("changed.draft"), changed)?;
    let signed: Vec<&str> = signatures.iter().map(String::as_str).collect();
    let code =
        stage.people.shown("alice", &[&["publish", "changed.draft"], &signed[..]].concat()).await?;
    ensure!(code == 3, "refused is 3, not {code}");
    let code = stage.people.shown("alice", &["publish", "3.draft", signed[0]]).await?;
    ensure!(code == 4, "waiting for a signature is 4, not {code}");
    past_every_officer(stage, &signatures).await?;
    println!("\n  Nothing was published: the fleet knows of no plan 3 yet.");
    stage.people.shown("bob", &["history"]).await.and_then(done)
}

/// The same change, handed straight to the controller: it checks for itself.
async fn past_every_officer(stage: &Stage, signatures: &[String]) -> Result<()> {
    let home = stage.people.home("alice");
    let mut forged = forger::signed(&home, "3.draft", signatures)?;
    let plan = forged.targets.values_mut().next().context("one target")?;
    *plan = faster(plan)?;
    println!(
        "\nsomebody$ grpc muster.v1.Desk/Publish (the changed plan, under the officers' names)"
    );
    let refusal = forger::refused(&home, &stage.board.address, forged).await?;
    println!("the controller refuses: {refusal}");
    ensure!(FORGED.iter().all(|code| refusal.contains(code)), "{FORGED:?} was expected");
    Ok(())
}

/// The draft with a changed plan.
fn changed(draft: &[u8]) -> Result<Vec<u8>> {
    let mut draft: Value = serde_json::from_slice(draft)?;
    let targets = draft["targets"].as_object_mut().context("a draft has targets")?;
    let plan = targets.values_mut().next().context("one target")?;
    *plan = STANDARD.encode(faster(&STANDARD.decode(plan.as_str().context("base64")?)?)?).into();
    Ok(serde_json::to_vec(&draft)?)
}

/// The plan with another pace: everybody at once instead of one by one.
fn faster(plan: &[u8]) -> Result<Vec<u8>> {
    let text = std::str::from_utf8(plan)?;
    let other = text.replace("\"parallel\":1", "\"parallel\":7");
    ensure!(other != text, "nothing to change in {text}");
    Ok(other.into_bytes())
}

fn stopping() -> Draw {
    Draw {
        serial: 3,
        title: "stop the chain",
        action: "action: stop".into(),
        order: ALL,
        budget: None,
        parallel: 1,
        relation: "after: [1]\nsupersedes: [2]\n",
    }
}

/// The fleet is stopped one by one.
///
/// # Errors
/// When it is not.
pub async fn stop(stage: &mut Stage) -> Result<Told> {
    title("4 · Everybody stops, one by one; the chain halts when the quorum is gone");
    let before = publish(stage, &stopping()).await?;
    done(watch(stage, 3).await?).context("the fleet did not stop")?;
    stage.people.shown("bob", &["fleet"]).await?;
    let told = before.told(stage, "stop").await?;
    ensure!(stage.referee.report(0).seats.iter().all(|seat| seat.connections == 0), "all are down");
    Ok(told)
}

/// And is started again.
///
/// # Errors
/// When it is not.
pub async fn start(stage: &mut Stage) -> Result<Told> {
    title("5 · And starts again where it stopped");
    let draw = Draw {
        serial: 4,
        title: "start the chain",
        action: "action: start".into(),
        order: ALL,
        budget: None,
        parallel: 7,
        relation: "after: [1, 3]\nsupersedes: [2]\n",
    };
    let before = publish(stage, &draw).await?;
    done(watch(stage, 4).await?).context("the fleet did not start")?;
    let mark = stage.referee.client().mark().await?;
    let advanced = stage.referee.client();
    advanced.until(mark, fleet::PATIENCE, |r| r.blocks.len() >= 2 && r.all_at_tip()).await?;
    stage.people.shown("bob", &["fleet"]).await.and_then(done)?;
    before.told(stage, "start").await
}

async fn release(stage: &Stage, behaviour: &Behaviour, from: &str) -> Result<()> {
    let image = fleet::load(&stage.docker, behaviour, RUN).await?;
    let file = format!("{}.yaml", behaviour.version);
    stage.people.write(&file, &documents::release(&behaviour.version, from, &image))?;
    stage.people.publish("release", &file, false).await?;
    println!("  release {} is signed and published", behaviour.version);
    Ok(())
}

async fn publish(stage: &Stage, draw: &Draw) -> Result<Before> {
    let file = format!("plan-{}.yaml", draw.serial);
    stage.people.write(&file, &documents::plan(draw))?;
    let before = Before::now(stage).await?;
    stage.people.publish("plan", &file, true).await?;
    Ok(before)
}

async fn watch(stage: &Stage, serial: u64) -> Result<i32> {
    let serial = serial.to_string();
    stage.people.shown("bob", &["watch", &serial, "--timeout", "90s"]).await
}

fn title(text: &str) {
    println!("\n{text}\n{}", "─".repeat(text.chars().count().min(80)));
}
