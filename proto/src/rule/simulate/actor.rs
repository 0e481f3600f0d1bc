//! One node of the simulated world, as its own agent sees it.

use jiff::Timestamp;

use super::fault::Place;
use super::options::Options;
use super::wait::Until;
use crate::documents::NodeName;
use crate::documents::plan::Member;
use crate::rule::decision::{Answer, Observations, OwnChain, Serials, Stage, Test};

pub(super) struct Actor {
    pub(super) me: Observations,
    /// Index among the plan's members.
    pub(super) member: usize,
    /// Index of its wave; none when it stands in no wave.
    pub(super) wave: Option<usize>,
    pub(super) fault: Option<Place>,
    /// Nobody hears of it.
    pub(super) absent: bool,
    /// The container runs.
    pub(super) running: bool,
    /// And it is at tip: its seat is there.
    pub(super) well: bool,
    /// What it waits for; none while something is under way.
    pub(super) until: Option<Until>,
    /// The beat is over: the next permission is acted upon.
    pub(super) on_beat: bool,
    /// When it was taken away.
    pub(super) gone_ms: Option<u64>,
    /// When it was well again.
    pub(super) back_ms: Option<u64>,
    /// When it said `done`.
    pub(super) done_ms: Option<u64>,
    /// Grows with everything that others learn of it.
    pub(super) version: u32,
    /// Why it will not go on by itself.
    pub(super) stuck: Option<String>,
}

impl Actor {
    pub(super) fn new(
        index: usize,
        member: &Member,
        wave: Option<usize>,
        options: &Options,
    ) -> Self {
        let named = |names: &[NodeName]| names.contains(&member.name);
        let fault = options.faults.iter().find(|fault| fault.node == member.name);
        let policy = match (named(&options.refusing), named(&options.asking)) {
            (true, _) => Answer::Refuse { reason: "by policy".into() },
            (_, true) => Answer::Ask { since: None },
            _ => Answer::Apply,
        };
        Self {
            me: Observations {
                me: member.name.clone(),
                stage: Stage::Verified,
                in_hand: None,
                policy,
                test: Test::Unknown,
                failed: None,
                undoing: false,
                own_chain: OwnChain::Agrees,
                interrupted: false,
                ended: 0,
                admitted: Serials::default(),
                held: None,
                fresh_until: Some(Timestamp::MAX),
                height: None,
            },
            member: index,
            wave,
            fault: fault.map(|fault| fault.place),
            absent: named(&options.absent),
            running: false,
            well: false,
            until: None,
            on_beat: false,
            gone_ms: None,
            back_ms: None,
            done_ms: None,
            version: 0,
            stuck: None,
        }
    }

    /// Fails here, and has not yet.
    pub(super) fn fails_at(&self, place: Place) -> bool {
        self.fault == Some(place) && self.me.failed.is_none()
    }
}
