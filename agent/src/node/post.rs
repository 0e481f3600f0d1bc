//! The self-test after a start (POST): samples in, pass, fail or *cannot tell* out. Pure.
//!
//! Readiness proves nothing: what counts is a height that advances and keeps up with the fleet,
//! held for a while. Where the chain itself stands still nobody can tell, and the clock of the
//! deadline stands still too.

use jiff::Timestamp;
use muster_proto::documents::Digest;
use muster_proto::documents::plan::HealthTerms;
use muster_proto::rule::Why;
use muster_proto::rule::decision::Test;

use super::fleet::Fleet;
use super::keeper;
use super::seen::Seen;
use crate::steps::code::{self, Code};

/// An absent proposer costs a round; two of them in a row are no illness.
const ROUND_AT_REST: u64 = 2;

/// An answer that is missing for less than this does not break what held so far.
const BLIND_MS: u64 = 3_000;

/// A height that grew beyond the others' within this time shows that the chain advances, whatever
/// beacons say: three of the slowest intervals.
const OWN_GROWTH_MS: u64 = 30_000;

/// What the node is held to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The plan's.
    pub health: HealthTerms,
    /// The very container.
    pub id: String,
    /// Its image.
    pub image: Digest,
    /// What it must say it is; none when that is not planned.
    pub version: Option<String>,
    /// Of the genesis file as mounted; none when the node has none.
    pub genesis: Option<Digest>,
    /// When the deadline's clock began.
    pub since: Timestamp,
    /// The deadline.
    pub per_node_ms: u64,
    /// For how long that clock stood still before this test was begun (again).
    pub stood_still_ms: u64,
    /// The plan halts the chain or starts it: where nobody can tell, running and not crashing
    /// is enough, and health is a gate of the fleet.
    pub halted: bool,
}

/// One look at the node and the fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// When.
    pub at: Timestamp,
    /// The container; none when the Engine could not be asked.
    pub body: Option<Body>,
    /// The probe server answered.
    pub answers: bool,
    /// And said ready.
    pub ready: bool,
    /// Exact height.
    pub height: Option<u64>,
    /// Of consensus.
    pub round: Option<u64>,
    /// Connected peers.
    pub peers: Option<u32>,
    /// What the node says it is.
    pub version: Option<String>,
    /// Of the genesis file as mounted.
    pub genesis: Option<Digest>,
    /// What the others say.
    pub fleet: Fleet,
}

/// The container in a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// There is no such container.
    Gone,
    /// There is.
    There {
        /// Id.
        id: String,
        /// Image id.
        image: Digest,
        /// Its process lives.
        running: bool,
        /// Exit code of the last process.
        exit: i64,
        /// For how long the (last) process ran so far, in milliseconds.
        ran_ms: u64,
        /// How often the Engine restarted it.
        restarts: i64,
    },
}

impl Sample {
    /// What `seen` means for the test.
    pub fn of(seen: &Seen, fleet: Fleet) -> Self {
        let body = match (&seen.container, &seen.engine) {
            (_, Some(_)) => None,
            (None, None) => Some(Body::Gone),
            (Some(container), None) => {
                let state = &container.state;
                let end = if state.running { Some(seen.at) } else { state.finished_at };
                let ran = end.zip(state.started_at).map(|(end, start)| millis(start, end));
                Some(Body::There {
                    id: container.id.clone(),
                    image: container.image.clone(),
                    running: state.running,
                    exit: state.exit,
                    ran_ms: ran.unwrap_or(0),
                    restarts: container.restart_count,
                })
            }
        };
        Self {
            at: seen.at,
            body,
            answers: seen.answers,
            ready: seen.ready,
            height: seen.height,
            round: seen.round,
            peers: seen.peers,
            version: seen.version.clone(),
            genesis: seen.genesis.clone(),
            fleet,
        }
    }
}

/// A test under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    terms: Terms,
    last: Option<Timestamp>,
    /// Height at the first answer, and at the last growth with its time.
    first_height: Option<u64>,
    growth: Option<(u64, Option<Timestamp>)>,
    /// When it last grew beyond every height that others tell: a block of now, not one fetched.
    led: Option<Timestamp>,
    well_since: Option<Timestamp>,
    stood_still_ms: u64,
    /// How often the Engine had restarted the container at the sample before.
    restarts: Option<i64>,
}

/// What one sample shows.
enum Look {
    Well,
    /// Not well, and time may cure it.
    NotYet(Code, String),
    /// Not well for good.
    Bad(Code, String),
    /// The chain stands still.
    CannotTell(String),
    /// No answer this time.
    Blind,
}

impl Post {
    /// A test that has seen nothing yet.
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            last: None,
            first_height: None,
            growth: None,
            led: None,
            well_since: None,
            stood_still_ms: 0,
            restarts: None,
        }
    }

    /// What it is held to.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// For how long nobody could tell during this test; the journal adds it up.
    pub fn stood_still_ms(&self) -> u64 {
        self.stood_still_ms
    }

    /// Since when the node has been well without a break; it was away until then.
    pub fn well_since(&self) -> Option<Timestamp> {
        self.well_since
    }

    /// Takes in a sample (not older than the one before) and says how the test stands.
    pub fn add(&mut self, sample: &Sample) -> Test {
        let before = self.last.replace(sample.at);
        self.grow(sample);
        let look = self.judge(sample);
        if let Some(Body::There { restarts, .. }) = sample.body {
            self.restarts = Some(restarts);
        }
        match look {
            Look::Bad(code, text) => self.fail(code, text),
            Look::Well => {
                let since = *self.well_since.get_or_insert(sample.at);
                match millis(since, sample.at) >= self.terms.health.hold_ms {
                    true => Test::Pass,
                    false => Test::Holding,
                }
            }
            Look::CannotTell(text) => {
                self.well_since = None;
                self.stood_still_ms += before.map_or(0, |before| millis(before, sample.at));
                self.cannot_tell(sample, text)
            }
            Look::NotYet(code, text) => {
                self.well_since = None;
                self.in_time(sample.at, code, text)
            }
            Look::Blind => self.in_time(sample.at, code::NO_PROBE, "no answer just now".into()),
        }
    }

    fn grow(&mut self, sample: &Sample) {
        let Some(height) = sample.height else { return };
        self.first_height.get_or_insert(height);
        match &mut self.growth {
            None => self.growth = Some((height, None)),
            Some((known, at)) if height > *known => {
                *known = height;
                *at = Some(sample.at);
                if sample.fleet.tip.is_none_or(|tip| height > tip) {
                    self.led = Some(sample.at);
                }
            }
            Some(_) => {}
        }
    }

    fn judge(&self, sample: &Sample) -> Look {
        if let Some(look) = self.body(sample).or_else(|| self.identity(sample)) {
            return look;
        }
        if let Some(look) = self.process(sample) {
            return look;
        }
        if !self.can_tell(sample) {
            let text = match sample.fleet.quorum {
                true => "nobody's height advances",
                false => "fewer than a quorum run",
            };
            return Look::CannotTell(text.into());
        }
        self.health(sample)
    }

    /// The container lives and is the planned one.
    fn body(&self, sample: &Sample) -> Option<Look> {
        match sample.body.as_ref()? {
            Body::Gone => Some(Look::Bad(code::GONE, "the container is gone".into())),
            Body::There { id, image, .. } if *id != self.terms.id || *image != self.terms.image => {
                Some(Look::Bad(code::OTHER_FILES, "another container or image".into()))
            }
            Body::There { running: false, exit, ran_ms, .. } => {
                let text = format!("exit code {exit} after {ran_ms} ms");
                Some(match keeper::is_watchdog(*exit, *ran_ms) {
                    true => Look::NotYet(code::CRASHED, text),
                    false => Look::Bad(code::CRASHED, text),
                })
            }
            Body::There { restarts, .. } if *restarts > self.restarts.unwrap_or(*restarts) => {
                Some(Look::Bad(code::CRASHED, format!("restarted {restarts} times")))
            }
            Body::There { .. } => None,
        }
    }

    /// Version and files are as planned.
    fn identity(&self, sample: &Sample) -> Option<Look> {
        let differs = |planned: &Option<String>, seen: &Option<String>| {
            planned.as_ref().zip(seen.as_ref()).is_some_and(|(planned, seen)| planned != seen)
        };
        if differs(&self.terms.version, &sample.version) {
            let said = sample.version.clone().unwrap_or_default();
            let planned = self.terms.version.clone().unwrap_or_default();
            return Some(Look::Bad(code::OTHER_VERSION, format!("{said} instead of {planned}")));
        }
        if self.terms.genesis.is_some() && sample.genesis != self.terms.genesis {
            return Some(Look::Bad(code::OTHER_FILES, "another genesis file".into()));
        }
        None
    }

    /// The process answers; that does not depend on the fleet.
    fn process(&self, sample: &Sample) -> Option<Look> {
        let Some(Body::There { ran_ms, .. }) = sample.body else { return Some(Look::Blind) };
        if sample.answers {
            return None;
        }
        let blind = self.well_since.is_some() && self.lately(sample);
        Some(match ran_ms > self.terms.health.boot_ms {
            _ if blind => Look::Blind,
            true => Look::Bad(code::NO_PROBE, format!("{ran_ms} ms after its start")),
            false => Look::NotYet(code::NO_PROBE, "booting".into()),
        })
    }

    /// The height was seen to grow, or the node to be well, a moment ago.
    fn lately(&self, sample: &Sample) -> bool {
        let grew = self.growth.and_then(|(_, at)| at);
        let well = grew.max(self.well_since);
        well.is_some_and(|at| millis(at, sample.at) < BLIND_MS)
    }

    /// The fleet advances with a quorum, or this very node does.
    fn can_tell(&self, sample: &Sample) -> bool {
        let own = self.led.is_some_and(|at| millis(at, sample.at) < OWN_GROWTH_MS);
        own || (sample.fleet.advancing && sample.fleet.quorum)
    }

    fn health(&self, sample: &Sample) -> Look {
        let health = &self.terms.health;
        let Some(Body::There { ran_ms, .. }) = sample.body else { return Look::Blind };
        if !sample.ready {
            let late = ran_ms > health.ready_ms.saturating_add(self.stood_still_ms);
            let text = format!("not ready {ran_ms} ms after its start");
            return match late {
                true => Look::Bad(code::NOT_READY, text),
                false => Look::NotYet(code::NOT_READY, text),
            };
        }
        let Some(height) = sample.height else {
            return match self.well_since.is_some() && self.lately(sample) {
                true => Look::Blind,
                false => Look::NotYet(code::NO_PROBE, "gRPC does not answer".into()),
            };
        };
        let advanced = height.saturating_sub(self.first_height.unwrap_or(height));
        if advanced < health.advance_blocks {
            let text = format!("{advanced} of {} blocks, at {height}", health.advance_blocks);
            return Look::NotYet(code::NOT_ADVANCING, text);
        }
        if let Some(median) = sample.fleet.median
            && height.saturating_add(health.lag_blocks) < median
        {
            let text = format!("at {height}, the fleet at {median}");
            return Look::NotYet(code::LAGGING, text);
        }
        match (sample.round, sample.peers) {
            (Some(round), _) if round > ROUND_AT_REST => {
                Look::NotYet(code::UNSETTLED, format!("round {round}"))
            }
            (_, peers) if peers.unwrap_or(0) < health.peers => {
                let text = format!("{} of {}", peers.unwrap_or(0), health.peers);
                Look::NotYet(code::FEW_PEERS, text)
            }
            (None, _) => Look::NotYet(code::UNSETTLED, "the round is not known".into()),
            _ => Look::Well,
        }
    }

    /// On a chain that the plan halts, running and not crashing for the hold is all there is.
    fn cannot_tell(&self, sample: &Sample, text: String) -> Test {
        let ran = match sample.body {
            Some(Body::There { running: true, ran_ms, .. }) => ran_ms,
            _ => 0,
        };
        if self.terms.halted && sample.answers && ran >= self.terms.health.hold_ms {
            return Test::Pass;
        }
        Test::CannotTell(why(code::CANNOT_TELL, text))
    }

    fn in_time(&self, at: Timestamp, code: Code, text: String) -> Test {
        let stood_still = self.terms.stood_still_ms + self.stood_still_ms;
        let used = millis(self.terms.since, at).saturating_sub(stood_still);
        match used >= self.terms.per_node_ms {
            true => self.fail(code, format!("{text}, and the time for this node is up")),
            false => Test::NotYet(why(code, text)),
        }
    }

    fn fail(&self, code: Code, text: String) -> Test {
        Test::Fail(why(code, text))
    }
}

fn why(code: Code, text: String) -> Why {
    Why { code: code.code, text: format!("{}: {text}", code.what) }
}

/// From `one` to `other`; 0 when that is negative.
fn millis(one: Timestamp, other: Timestamp) -> u64 {
    u64::try_from(other.duration_since(one).as_millis()).unwrap_or(0)
}

#[cfg(test)]
#[path = "post_tests.rs"]
mod tests;
