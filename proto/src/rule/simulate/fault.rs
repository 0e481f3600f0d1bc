//! Faults of one's choice, as `NODE@PLACE`.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::documents::NodeName;
use crate::documents::plan::Action;

/// One node fails at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Who.
    pub node: NodeName,
    /// Where.
    pub place: Place,
}

/// Where a node fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Before the effect: the image is missing, for instance.
    Prepare,
    /// The container does not exit.
    Stop,
    /// The container does not start.
    Start,
    /// It starts, and is not well in time.
    Test,
    /// It passes its test and crashes a minute later.
    After,
}

/// Why a simulation was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadOption {
    /// Not `NODE@PLACE`.
    #[error("R920: {0:?} is no fault; write NODE@PLACE, such as `node-3@start`")]
    Shape(String),
    /// No node name.
    #[error("R921: {0:?} is no node name")]
    Name(String),
    /// No such place.
    #[error("R922: a node does not fail at {0:?}; choose prepare, stop, start, test or after")]
    Place(String),
    /// The plan does not have the node.
    #[error("R923: the plan's order does not have {0}; nothing would fail or be absent")]
    NotInOrder(NodeName),
    /// The plan's action never comes to that place.
    #[error("R924: {fault} cannot happen: a {action} has no such step")]
    NoSuchStep {
        /// Which.
        fault: Fault,
        /// What the plan does.
        action: &'static str,
    },
    /// Two words about one node.
    #[error("R925: {0} is named twice; give each node one fault, absence or answer")]
    Twice(NodeName),
}

impl Place {
    const ALL: [Place; 5] = [Place::Prepare, Place::Stop, Place::Start, Place::Test, Place::After];

    /// As people write it.
    pub fn word(self) -> &'static str {
        match self {
            Place::Prepare => "prepare",
            Place::Stop => "stop",
            Place::Start => "start",
            Place::Test => "test",
            Place::After => "after",
        }
    }

    /// Whether a node under this action comes there.
    pub(super) fn is_part_of(self, action: &Action) -> bool {
        match self {
            Place::Prepare => true,
            Place::Stop => !matches!(action, Action::Start),
            Place::Start | Place::Test | Place::After => !matches!(action, Action::Stop),
        }
    }
}

impl FromStr for Fault {
    type Err = BadOption;

    fn from_str(text: &str) -> Result<Self, BadOption> {
        let (node, place) = text.split_once('@').ok_or_else(|| BadOption::Shape(text.into()))?;
        let place = Place::ALL.into_iter().find(|known| known.word() == place);
        let place = place
            .ok_or_else(|| BadOption::Place(text.rsplit('@').next().unwrap_or_default().into()))?;
        let node = node.parse().map_err(|_| BadOption::Name(node.into()))?;
        Ok(Self { node, place })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.node, self.place.word())
    }
}
