//! Who took part, proved afterwards: on real containers, in every form, and from a bundle alone;
//! and every bundle that somebody doctored is refused by the real program, each by its code.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use jiff::SignedDuration;
use muster_proto::audit::Bundle;
use muster_proto::documents::{Digest, NodeName, canonical};
use muster_proto::evidence::{Envelope, Event, Head, Receipt};
use muster_proto::rule::Final;
use muster_proto::trust::SecretKey;
use muster_tests::fleet::process::{Said, binary, run};
use muster_tests::fleet::script::{Script, Seen};
use muster_tests::fleet::watcher::Watcher;
use muster_tests::fleet::{Fleet, Make};
use muster_tests::terminal::fits;
use serde_json::Value;
use tempfile::TempDir;

const WHY: &str = "<script>alert(1)</script>";

/// Far from every controller: a folder with a bundle, the first root, and nothing else.
struct Elsewhere {
    dir: TempDir,
    bundle: Bundle,
}

impl Elsewhere {
    fn new(bundle: &Path, root: &[u8]) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        std::fs::copy(bundle, dir.path().join("1.bundle"))?;
        std::fs::write(dir.path().join("root.json"), root)?;
        Ok(Self { dir, bundle: Bundle::from_bytes(&std::fs::read(bundle)?)? })
    }

    async fn verify(&self, file: &str, more: &[&str]) -> Result<Said> {
        let args = ["--dir", "nowhere", "bundle", "verify", file, "--root", "root.json"];
        run(&binary("muster")?, &[&args[..], more].concat(), self.dir.path()).await
    }

    /// Writes a bundle that was changed, and has the program refuse it.
    async fn refuses(&self, code: &str, change: impl FnOnce(&mut Bundle)) -> Result<String> {
        let mut doctored = self.bundle.clone();
        change(&mut doctored);
        std::fs::write(self.dir.path().join("bad.bundle"), doctored.to_bytes())?;
        let said = self.verify("bad.bundle", &[]).await?;
        ensure!(said.code == 3 && said.out.is_empty(), "{code} expected: {said:?}");
        ensure!(said.err.contains(&format!("error[{code}]")), "{code} expected: {}", said.err);
        ensure!(said.err.contains("bad.bundle") && said.err.contains("next"), "{}", said.err);
        fits(&said.err);
        Ok(said.err)
    }
}

/// A restart of four: robot-2 has no agent running, robot-3's operator declines.
async fn restarted(fleet: &mut Fleet) -> Result<()> {
    fleet.delegate("robot-2").kill().await?;
    fleet.delegate("robot-3").policy("ask")?;
    let restart = Script::new(1, "restart", 4).with("compatibility: halting");
    fleet.publish(&Script { budget: "{down: 2 of 4}".into(), ..restart }).await?;
    let asked = |seen: &Seen| seen.words("robot-3", 1).contains(&"asked");
    fleet.until("robot-3 asks its operator", asked).await?;
    let said = fleet.delegate("robot-3").cli(&["decline", "1", "--why", WHY]).await?;
    assert_eq!(said.code, 0, "{}", said.err);
    let over = |seen: &Seen| seen.ended(1, Final::Done) == 2 && seen.ended(1, Final::Declined) == 1;
    fleet.until("two are done, one has declined", over).await
}

#[tokio::test(flavor = "multi_thread")]
async fn attendance_is_shown_exported_and_proved_offline_and_no_doctored_bundle_passes()
-> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let wanda = fleet.watcher("wanda").await?;
    restarted(&mut fleet).await?;

    let table = wanda.muster(&["attendance", "1", "--html", "1.html"]).await?;
    assert_eq!(table.code, 0, "{table:?}");
    fits(&table.out);
    for words in ["2 of 4 took part", "order held", "declined 1 (1 seat)", "silent 1", WHY] {
        assert!(table.out.contains(words), "no {words} in {}", table.out);
    }
    let json = wanda.muster(&["--json", "attendance", "1"]).await?;
    let csv = wanda.muster(&["attendance", "1", "--csv"]).await?;
    attended(&json.out)?;
    assert_eq!(csv.out.lines().count(), 5, "{}", csv.out);
    page(&wanda.home().join("1.html"))?;
    let export = wanda.muster(&["bundle", "export", "1", "--out", "1.bundle"]).await?;
    assert_eq!(export.code, 0, "{export:?}");
    fits(&export.out);
    let again = wanda.muster(&["bundle", "export", "1", "--out", "1.bundle"]).await?;
    assert_eq!(again.code, 2, "never over an old one: {again:?}");

    fleet.boards[0].kill().await?;
    let away = Elsewhere::new(&wanda.home().join("1.bundle"), fleet.officers.first_root().0)?;
    for (live, more) in
        [(&table, &["--html", "2.html"][..]), (&csv, &["--csv"]), (&json, &["--json"])]
    {
        let said = away.verify("1.bundle", more).await?;
        assert_eq!((said.code, &said.out), (0, &live.out), "{more:?}: {}", said.err);
    }
    let [here, there] = [wanda.home().join("1.html"), away.dir.path().join("2.html")];
    assert_eq!(std::fs::read(here)?, std::fs::read(there)?, "the same page");
    doctored(&mut fleet, &away).await?;
    fleet.end().await
}

fn attended(json: &str) -> Result<()> {
    let told: Value = serde_json::from_str(json)?;
    let nodes = told["nodes"].as_array().context("nodes")?;
    let of = |field: &str| nodes.iter().map(|it| it[field].clone()).collect::<Vec<_>>();
    assert_eq!(of("how"), ["done", "silent", "declined", "done"]);
    assert_eq!(of("order"), [Value::from("held"), Value::Null, Value::Null, "held".into()]);
    assert_eq!((&nodes[2]["why"], &told["doubt"]), (&WHY.into(), &Value::Null));
    for at in [0, 3] {
        assert!(nodes[at]["away_ms"].as_u64().is_some_and(|ms| ms > 0), "{}", nodes[at]);
    }
    Ok(())
}

fn page(file: &PathBuf) -> Result<()> {
    let page = std::fs::read_to_string(file)?;
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !page.contains("<script"));
    assert!(page.contains("<svg ") && page.contains("</html>"));
    Ok(())
}

/// Each fault, made from the true bundle.
async fn doctored(fleet: &mut Fleet, away: &Elsewhere) -> Result<()> {
    let (first, last) = (name("robot-1"), name("robot-4"));
    let said = away.refuses("V035", |it| drop(links(it, &first).remove(1))).await?;
    assert!(said.contains("receipt 2 of robot-1 is missing"), "{said}");
    away.refuses("V036", |it| links(it, &first).swap(0, 1)).await?;
    let forger = SecretKey::generate();
    away.refuses("V033", |it| {
        let receipts = read(links(it, &first));
        links(it, &first)[1] = sealed(&receipts[1], &forger);
    })
    .await?;
    // The last one's `began` has seen it.
    let said = away.refuses("V042", |it| drop(links(it, &first).pop())).await?;
    assert!(said.contains("of robot-1"), "{said}");
    away.refuses("V031", |it| {
        let role = it.documents.roles.get_mut("hotfix").expect("the role");
        let at = role.len() / 2;
        role[at] ^= 1;
    })
    .await?;
    away.refuses("V032", |it| it.plan.digest = Digest::of(b"another")).await?;
    let file = [&away.bundle.to_bytes()[..], b"\n"].concat();
    std::fs::write(away.dir.path().join("longer.bundle"), file)?;
    let said = away.verify("longer.bundle", &[]).await?;
    assert!(said.code == 3 && said.err.contains("error[V030]"), "{said:?}");

    // What only an agent itself can do: nobody has seen what the last one wrote after its `began`.
    let key = std::fs::read_to_string(fleet.delegate("robot-4").dir.join("agent.key"))?;
    let key = SecretKey::from_pem(&key, None)?;
    let said = away
        .refuses("V040", |it| {
            rewrite(it, &last, &key, "done", |done| done.at -= SignedDuration::from_mins(10));
        })
        .await?;
    assert!(said.contains("goes back"), "{said}");
    let first_said = read(&away.bundle.chains[&first]);
    let prepared = first_said.iter().rposition(|it| it.event == Event::Prepared);
    let prepared = &first_said[prepared.context("robot-1 prepared")?];
    let early =
        Head { counter: prepared.counter, hash: Digest::of(&canonical::to_bytes(prepared)?) };
    let said = away
        .refuses("V044", |it| {
            rewrite(it, &last, &key, "began", |began| {
                if let Event::Began { heads, .. } = &mut began.event {
                    heads.insert(first.clone(), early);
                }
            });
        })
        .await?;
    assert!(said.contains("robot-4 began without permission"), "{said}");
    Ok(())
}

fn name(text: &str) -> NodeName {
    text.parse().expect("a name")
}

fn links<'a>(bundle: &'a mut Bundle, node: &NodeName) -> &'a mut Vec<Vec<u8>> {
    bundle.chains.get_mut(node).expect("its chain")
}

fn read(chain: &[Vec<u8>]) -> Vec<Receipt> {
    let open = |bytes: &Vec<u8>| Envelope::parse::<Receipt>(bytes)?.claimed::<Receipt>();
    chain.iter().map(|bytes| open(bytes).expect("a receipt")).collect()
}

fn sealed(receipt: &Receipt, key: &SecretKey) -> Vec<u8> {
    Envelope::sign(receipt, key.signing_key()).expect("canonical").to_bytes::<Receipt>()
}

/// Changes the receipt with that word and signs it and all after it anew; the beacon that tells is
/// left out.
fn rewrite(
    bundle: &mut Bundle,
    node: &NodeName,
    key: &SecretKey,
    word: &str,
    change: impl FnOnce(&mut Receipt),
) {
    bundle.beacons.remove(node);
    let chain = links(bundle, node);
    let mut receipts = read(chain);
    let at = receipts.iter().rposition(|it| it.event.word() == word).expect("it said so");
    change(&mut receipts[at]);
    for next in at..receipts.len() {
        if next > at {
            let before = canonical::to_bytes(&receipts[next - 1]).expect("canonical");
            receipts[next].previous = Some(Digest::of(&before));
        }
        chain[next] = sealed(&receipts[next], key);
    }
}

/// What the program says of a plan: nothing to doubt, everybody in order.
async fn held(who: &Watcher, plan: &str) -> Result<Value> {
    let said = who.muster(&["--json", "attendance", plan]).await?;
    ensure!(said.code == 0, "{plan}: {}{}", said.out, said.err);
    let told: Value = serde_json::from_str(&said.out)?;
    assert_eq!((&told["order"], &told["doubt"]), (&"held".into(), &Value::Null), "{told}");
    let done = told["nodes"].as_array().context("nodes")?.iter().all(|it| it["how"] == "done");
    assert!(done, "{plan}: {told}");
    Ok(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_return_a_stop_by_the_clock_and_its_end_are_no_broken_order() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let wanda = fleet.watcher("wanda").await?;
    fleet.delegate("robot-2").kill().await?;
    let restart = Script::new(1, "restart", 4).with("compatibility: halting");
    fleet.publish(&Script { budget: "{down: 2 of 4}".into(), ..restart }).await?;
    fleet.until("three are done", |seen| seen.ended(1, Final::Done) == 3).await?;
    fleet.delegate("robot-2").start()?;
    fleet.until("the late one too", |seen| seen.ended(1, Final::Done) == 4).await?;
    let stop = Script { class: "emergency".into(), ..Script::stop(7, 4) };
    fleet.publish(&stop.with("schedule: {pace: 10m}")).await?;
    fleet.until("all are down", |seen| seen.ended(7, Final::Done) == 4).await?;
    let start = Script::start(2, 4).with("after: [1]").with("ends: [emergency/7]");
    fleet.publish(&start).await?;
    fleet.until("all are up", |seen| seen.ended(2, Final::Done) == 4).await?;

    let told = held(&wanda, "hotfix/1").await?;
    let late: Vec<_> = (0..4).map(|at| told["nodes"][at]["late"].clone()).collect();
    assert_eq!(late, [false, true, false, false], "robot-2 came back after the others");
    held(&wanda, "emergency/7").await?;
    held(&wanda, "hotfix/2").await?;
    let export = wanda.muster(&["bundle", "export", "emergency/7", "-o", "7.bundle"]).await?;
    assert_eq!(export.code, 0, "{export:?}");
    fleet.end().await
}
