//! What the command line and the daemon say to each other: one JSON line each way.

use std::fmt;
use std::str::FromStr;

use muster_proto::documents::{Class, PlanId};
use serde::{Deserialize, Serialize};

use super::view::{Explained, Pending, Status};

/// Longest line either side reads, in bytes.
pub const LINE_BYTES: usize = 4 * 1024 * 1024;

/// Longest reason an operator may give, in bytes; it travels in a receipt.
pub const WHY_BYTES: usize = 400;

/// What the command line asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// How the node and its agent are.
    Status,
    /// Which plans ask the operator.
    Pending,
    /// What a plan would do here.
    Explain {
        /// Which plan.
        plan: PlanName,
    },
    /// The operator says yes.
    Approve {
        /// To which plan.
        plan: PlanName,
    },
    /// The operator says no.
    Decline {
        /// To which plan.
        plan: PlanName,
        /// For the receipt, which is public.
        why: String,
    },
}

/// What the daemon answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// To `Status`.
    Status(Box<Status>),
    /// To `Pending`.
    Pending(Vec<Pending>),
    /// To `Explain`.
    Explained(Box<Explained>),
    /// To `Approve` and `Decline`: journaled, for this very plan.
    Answered(PlanId),
    /// The question was understood and is refused.
    Refused(Refused),
}

/// Why an answer was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Refused {
    /// No plan of that name has verified here.
    #[error("A030: no plan {0} is known here; `muster-agent status` lists those that are")]
    UnknownPlan(PlanName),
    /// Two plans have that serial.
    #[error("A031: {0} names more than one plan; write hotfix/{0}, drill/{0} or emergency/{0}")]
    Ambiguous(PlanName),
    /// The node is not in the plan's order.
    #[error("A032: plan {0} has no place for this node; there is nothing to answer")]
    NotInOrder(PlanId),
    /// It is final here.
    #[error("A033: plan {plan} is {outcome} here; the answer comes too late")]
    Final {
        /// Which plan.
        plan: PlanId,
        /// As people say it.
        outcome: String,
    },
    /// The effect has begun.
    #[error("A034: plan {0} has begun on this node; it finishes or is undone by itself")]
    Begun(PlanId),
    /// The time for an answer is over.
    #[error("A035: plan {plan} was valid until {until}; it can no longer begin")]
    TooLate {
        /// Which plan.
        plan: PlanId,
        /// Its end.
        until: jiff::Timestamp,
    },
    /// The other answer stands already.
    #[error("A036: plan {0} was declined here; a decline is final")]
    Declined(PlanId),
    /// A reason is public and must be short.
    #[error("A037: the reason must have 1 to {WHY_BYTES} bytes, on one line")]
    Reason,
    /// The journal could not be written.
    #[error("A038: the answer could not be journaled: {0}")]
    Journal(String),
}

/// A plan as people name it: `42`, or `hotfix/42` where a number alone is not enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PlanName {
    /// None when only a number was given.
    pub class: Option<Class>,
    /// From 1 on.
    pub serial: u64,
}

/// No name of a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no plan: a serial such as `42`, or a class and a serial such as `hotfix/42`")]
pub struct BadPlanName(String);

impl PlanName {
    /// This name fits that plan.
    pub fn fits(&self, id: &PlanId) -> bool {
        id.serial == self.serial && self.class.is_none_or(|class| class == id.class)
    }

    /// The one plan among `known` that has this name.
    ///
    /// # Errors
    /// [`Refused::UnknownPlan`], [`Refused::Ambiguous`].
    pub fn resolve<'a>(
        &self,
        known: impl IntoIterator<Item = &'a PlanId>,
    ) -> Result<&'a PlanId, Refused> {
        let mut fitting = known.into_iter().filter(|id| self.fits(id));
        let first = fitting.next().ok_or_else(|| Refused::UnknownPlan(self.clone()))?;
        match fitting.next() {
            None => Ok(first),
            Some(_) => Err(Refused::Ambiguous(self.clone())),
        }
    }
}

impl FromStr for PlanName {
    type Err = BadPlanName;
    fn from_str(text: &str) -> Result<Self, BadPlanName> {
        let bad = || BadPlanName(text.into());
        let (class, serial) = match text.split_once('/') {
            None => (None, text),
            Some((class, serial)) => (Some(class.parse().map_err(|_| bad())?), serial),
        };
        match serial.parse() {
            Ok(0) | Err(_) => Err(bad()),
            Ok(serial) => Ok(Self { class, serial }),
        }
    }
}

impl TryFrom<String> for PlanName {
    type Error = BadPlanName;
    fn try_from(text: String) -> Result<Self, BadPlanName> {
        text.parse()
    }
}

impl From<PlanName> for String {
    fn from(name: PlanName) -> String {
        name.to_string()
    }
}

impl fmt::Display for PlanName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.class {
            None => write!(f, "{}", self.serial),
            Some(class) => write!(f, "{class}/{}", self.serial),
        }
    }
}

#[cfg(test)]
mod tests {
    use muster_proto::documents::Digest;

    use super::*;

    fn id(class: Class, serial: u64) -> PlanId {
        PlanId { class, serial, digest: Digest::of(&serial.to_be_bytes()) }
    }

    #[test]
    fn a_number_names_a_plan_when_it_names_only_one() {
        let known = [id(Class::Hotfix, 41), id(Class::Hotfix, 42), id(Class::Emergency, 41)];
        let name = |text: &str| text.parse::<PlanName>().unwrap();
        assert_eq!(name("42").resolve(&known), Ok(&known[1]));
        assert_eq!(name("emergency/41").resolve(&known), Ok(&known[2]));
        assert_eq!(name("41").resolve(&known), Err(Refused::Ambiguous(name("41"))));
        assert_eq!(name("43").resolve(&known), Err(Refused::UnknownPlan(name("43"))));
    }

    #[test]
    fn what_names_no_plan_is_refused() {
        for text in ["", "0", "-1", "hotfix", "hotfix/", "patch/4", "4/hotfix"] {
            assert!(text.parse::<PlanName>().is_err(), "{text:?}");
        }
    }
}
