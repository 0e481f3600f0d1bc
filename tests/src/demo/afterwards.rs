//! What a scene did to the chain and to every node, by the referee and the Engine's own events.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use comfy_table::{Table, presets};

use super::stage::Stage;

/// The moment before a scene.
pub struct Before {
    mark: u64,
    height: u64,
    events: usize,
}

/// A scene, afterwards.
pub struct Told {
    what: &'static str,
    /// The chain's height before it.
    pub height_before: u64,
    /// And after it.
    pub height_after: u64,
    longest_gap: Duration,
    /// Fewest seats that were online at one moment.
    pub fewest_online: Option<u64>,
    downtime: BTreeMap<String, Option<Duration>>,
}

impl Before {
    /// Now.
    ///
    /// # Errors
    /// When the referee does not answer.
    pub async fn now(stage: &Stage) -> Result<Self> {
        let client = stage.referee.client();
        let (mark, height) = (client.mark().await?, client.height().await?);
        Ok(Self { mark, height, events: stage.observer.seen().len() })
    }

    /// What happened since.
    ///
    /// # Errors
    /// When two nodes ran with one key.
    pub async fn told(self, stage: &Stage, what: &'static str) -> Result<Told> {
        stage.verdict().await?;
        let report = stage.referee.report(self.mark);
        let told = Told {
            what,
            height_before: self.height,
            height_after: report.height,
            longest_gap: Duration::from_millis(report.longest_gap_ms),
            fewest_online: report.lowest_online,
            downtime: downtime(stage, self.events),
        };
        println!("\n{}", told.lines());
        Ok(told)
    }
}

/// By delegate: how long its container was down until now, in all outages that the scene saw, by
/// the Engine's own events; none for who is still down.
fn downtime(stage: &Stage, since: usize) -> BTreeMap<String, Option<Duration>> {
    let mut left: BTreeMap<String, i64> = BTreeMap::new();
    let mut found: BTreeMap<String, Option<Duration>> = BTreeMap::new();
    for (index, event) in stage.observer.seen().into_iter().enumerate() {
        let owner = stage.delegates.iter().find(|d| d.home.operator() == event.operator);
        let Some(owner) = owner.map(|delegate| delegate.name.clone()) else { continue };
        if event.what == "die" {
            left.insert(owner, event.at);
        } else if let Some(at) = left.remove(&owner).filter(|_| index >= since) {
            let span = Duration::from_nanos(u64::try_from(event.at - at).unwrap_or_default());
            let sum = found.entry(owner).or_insert(Some(Duration::ZERO));
            *sum = sum.map(|sum| sum + span);
        }
    }
    found.extend(left.into_keys().map(|owner| (owner, None)));
    found
}

impl Told {
    /// Delegates whose container went down.
    pub fn moved(&self) -> Vec<&str> {
        self.downtime.keys().map(String::as_str).collect()
    }

    fn lines(&self) -> String {
        let mut nodes: Vec<String> =
            self.downtime.iter().map(|(name, span)| format!("{name} {}", seconds(*span))).collect();
        if nodes.is_empty() {
            nodes.push("nobody".into());
        }
        let rows: Vec<String> = nodes.chunks(4).map(|row| row.join(" · ")).collect();
        format!(
            "  height    {} → {}, longest gap between blocks {}, fewest seats online {}\n  downtime  {}",
            self.height_before,
            self.height_after,
            seconds(Some(self.longest_gap)),
            online(self.fewest_online),
            rows.join("\n            ")
        )
    }

    fn longest(&self) -> String {
        let longest = self.downtime.values().max_by_key(|span| span.unwrap_or(Duration::MAX));
        longest.map_or("nobody away".into(), |span| seconds(*span))
    }
}

fn seconds(span: Option<Duration>) -> String {
    span.map_or("still down".into(), |span| format!("{:.1} s", span.as_secs_f64()))
}

fn online(seats: Option<u64>) -> String {
    seats.map_or("unchanged".into(), |seats| format!("{seats} of 7"))
}

/// All scenes side by side.
pub fn table(told: &[Told]) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_width(80);
    table.set_header(["", "height", "longest gap", "fewest online", "moved", "longest away"]);
    for scene in told {
        table.add_row([
            scene.what.to_owned(),
            format!("{} → {}", scene.height_before, scene.height_after),
            seconds(Some(scene.longest_gap)),
            online(scene.fewest_online),
            scene.downtime.len().to_string(),
            scene.longest(),
        ]);
    }
    println!("\nAfterwards\n{}", table.trim_fmt());
    println!("No two nodes ever ran with one key; every agent touched its own container only.");
}
