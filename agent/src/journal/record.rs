//! What the journal says about one plan: milestones, and the intents and facts of effects.

use std::path::PathBuf;

use jiff::Timestamp;
use muster_proto::documents::{Digest, PlanId};
use muster_proto::rule::{Final, Stage};
use serde::{Deserialize, Serialize};

/// One line of a plan's journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// A stage achieved, or a turn; goes through the transition table.
    Milestone(Milestone),
    /// The node as it was before the plan touched anything.
    Found(Found),
    /// This effect is about to be applied.
    Intent(Effect),
    /// This effect was verified.
    Fact(Fact),
    /// This effect is about to be taken back.
    UndoIntent(Effect),
    /// This effect was verified as taken back.
    Undone(Effect),
    /// The deadline stood still for this long, because nobody could tell (adds up).
    StoodStill {
        /// Milliseconds.
        ms: u64,
    },
    /// The node exited while its restart policy is `no`, and was started again in its stead.
    Kept {
        /// Exit code.
        exit: i64,
    },
}

/// A stage achieved, or a turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Milestone {
    /// The promise of rule 2 is given.
    Acknowledged {
        /// What was in hand then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        in_hand: Option<PlanId>,
    },
    /// The operator is asked.
    Asked,
    /// Everything before the effect is done.
    Prepared,
    /// What was prepared is taken away again, because the plan can no longer begin.
    Unprepared,
    /// The rule allowed it; the effect follows at once.
    Begun {
        /// The node's newest block then, if it told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tip: Option<Tip>,
    },
    /// The effect was not seen: the permission is spent, the rule is asked afresh (rule 11).
    Lapsed,
    /// The old container is verified exited.
    Stopped,
    /// The files of the release are in place.
    Swapped,
    /// The node (the successor) was started.
    Started,
    /// The test passed and held.
    Passed {
        /// From the stop signal until the node was well; none when it was not taken away.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        away_ms: Option<u64>,
    },
    /// An emergency stops whatever runs. Forward, the plan goes on from `to` when that is ended;
    /// back, it takes the same steps again.
    Interrupted {
        /// Never later than the stage it had.
        to: GoOn,
    },
    /// The last word of a dry drill: every check was passed and nothing was done.
    Rehearsed,
    /// A step failed for good.
    Failed(Cause),
    /// What was done is being taken back.
    Undoing(Cause),
    /// Neither forward nor back is safe.
    Stuck(Cause),
    /// The last word.
    Final(Last),
}

/// Where a plan goes on after an interruption: before its node was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GoOn {
    /// A start: see [`Stage::Begun`].
    Begun,
    /// A restart, or an upgrade before the swap: see [`Stage::Stopped`].
    Stopped,
    /// An upgrade: see [`Stage::Swapped`].
    Swapped,
}

impl From<GoOn> for Stage {
    fn from(to: GoOn) -> Self {
        match to {
            GoOn::Begun => Stage::Begun,
            GoOn::Stopped => Stage::Stopped,
            GoOn::Swapped => Stage::Swapped,
        }
    }
}

/// [`Final`] as the journal writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Last {
    /// See [`Final::Done`].
    Done,
    /// See [`Final::RolledBack`].
    RolledBack,
    /// See [`Final::Declined`].
    Declined,
}

impl From<Last> for Final {
    fn from(word: Last) -> Self {
        match word {
            Last::Done => Final::Done,
            Last::RolledBack => Final::RolledBack,
            Last::Declined => Final::Declined,
        }
    }
}

/// Why something failed or is undone. The text is redacted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Stable, such as `E317`.
    pub code: String,
    /// One line for people.
    pub text: String,
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

/// The small effects, in the order in which an upgrade applies them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// The release's image is here, and is the one that was signed.
    Pull,
    /// The release's genesis file lies beside the old one.
    Stage,
    /// The successor exists, not started, policy `no`.
    Create,
    /// The successor is attached to one more network.
    Connect(String),
    /// The old container's restart policy is `no`.
    Disarm,
    /// The old container is down, verified by id.
    Stop,
    /// The new genesis file is in place.
    Swap,
    /// The node runs: the successor in an upgrade, else the container itself.
    Start,
    /// The old container has its name for keeping.
    RenameOld,
    /// The successor has the node's name.
    RenameNew,
    /// The node has the restart policy that the old one had.
    Rearm,
}

impl Effect {
    /// It is done while the node runs, and taken away again when the plan does not begin.
    pub fn is_preparation(&self) -> bool {
        matches!(self, Effect::Pull | Effect::Stage | Effect::Create | Effect::Connect(_))
    }
}

impl std::fmt::Display for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Effect::Pull => "pull",
            Effect::Stage => "stage",
            Effect::Create => "create",
            Effect::Connect(_) => "connect",
            Effect::Disarm => "disarm",
            Effect::Stop => "stop",
            Effect::Swap => "swap",
            Effect::Start => "start",
            Effect::RenameOld => "rename-old",
            Effect::RenameNew => "rename-new",
            Effect::Rearm => "rearm",
        })
    }
}

/// What was verified after an effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// [`Effect::Pull`]
    Pulled {
        /// The Engine's id of the image: config or manifest digest, depending on its store.
        image: Digest,
    },
    /// [`Effect::Stage`]
    Staged {
        /// Of the new file.
        digest: Digest,
    },
    /// [`Effect::Create`]
    Created {
        /// Container id.
        id: String,
    },
    /// [`Effect::Connect`]
    Connected {
        /// Network name.
        network: String,
    },
    /// [`Effect::Disarm`]
    Disarmed,
    /// [`Effect::Stop`]
    Exited(Exited),
    /// [`Effect::Swap`]
    Swapped,
    /// [`Effect::Start`]
    Started {
        /// Container id.
        id: String,
    },
    /// [`Effect::RenameOld`]
    OldRenamed,
    /// [`Effect::RenameNew`]
    NewRenamed,
    /// [`Effect::Rearm`]
    Rearmed,
}

impl Fact {
    /// Whose fact it is.
    pub fn effect(&self) -> Effect {
        match self {
            Fact::Pulled { .. } => Effect::Pull,
            Fact::Staged { .. } => Effect::Stage,
            Fact::Created { .. } => Effect::Create,
            Fact::Connected { network } => Effect::Connect(network.clone()),
            Fact::Disarmed => Effect::Disarm,
            Fact::Exited(_) => Effect::Stop,
            Fact::Swapped => Effect::Swap,
            Fact::Started { .. } => Effect::Start,
            Fact::OldRenamed => Effect::RenameOld,
            Fact::NewRenamed => Effect::RenameNew,
            Fact::Rearmed => Effect::Rearm,
        }
    }
}

/// A block that the node told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tip {
    /// Its height.
    pub height: u64,
    /// Lower-case hex.
    pub hash: String,
}

/// How a container left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exited {
    /// Exit code; 137 when it had to be killed.
    pub exit: i64,
    /// The last height seen before it left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// Hash of that block (hex), if the node told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_hash: Option<String>,
}

/// The node before the plan touched anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Container id.
    pub id: String,
    /// Its name, without the Engine's leading slash.
    pub name: String,
    /// Image id.
    pub image: Digest,
    /// What the operator wants the Engine to do when it exits.
    pub policy: Policy,
    /// It ran.
    pub running: bool,
    /// What it said it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The genesis file as mounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub genesis: Option<Genesis>,
}

/// A genesis file on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Genesis {
    /// Path on the host.
    pub path: PathBuf,
    /// Of its bytes.
    pub digest: Digest,
}

/// A restart policy as the Engine names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// `no`, `always`, `unless-stopped` or `on-failure`.
    pub name: String,
    /// For `on-failure`; 0 for no limit.
    pub retries: i64,
}

impl Policy {
    /// The Engine starts nothing by itself.
    pub fn no() -> Self {
        Self { name: "no".into(), retries: 0 }
    }

    /// Whether the Engine would leave an exited container down, whatever its exit code.
    pub fn is_no(&self) -> bool {
        self.name.is_empty() || self.name == "no"
    }
}

/// A record with the host's time at which it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dated {
    /// By the host's clock.
    pub at: Timestamp,
    /// What.
    pub record: Record,
}
