//! How people name plans and nodes: `42`, `hotfix/42`, `emergency/7`, `robot-1`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use muster_proto::documents::{Class, NodeName, Plan, PlanId, Roster};

use super::failure::Failure;

/// A plan as it is named on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanName {
    /// When it was said.
    pub class: Option<Class>,
    /// Its number.
    pub serial: u64,
}

impl FromStr for PlanName {
    type Err = Failure;
    fn from_str(text: &str) -> Result<Self, Failure> {
        let refused = || Failure::new("U007", format!("{text:?} names no plan"));
        let (class, serial) = match text.split_once('/') {
            Some((class, serial)) => (Some(class.parse().map_err(|_| refused())?), serial),
            None => (None, text),
        };
        Ok(Self { class, serial: serial.parse().map_err(|_| refused())? })
    }
}

impl fmt::Display for PlanName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.class {
            Some(class) => write!(f, "{class}/{}", self.serial),
            None => write!(f, "{}", self.serial),
        }
    }
}

impl PlanName {
    /// Whether a plan of this class and serial is meant.
    pub fn fits(&self, class: Class, serial: u64) -> bool {
        self.serial == serial && self.class.is_none_or(|named| named == class)
    }

    /// The one plan that is meant.
    ///
    /// # Errors
    /// `U010` when there is none, `U011` when there are several.
    pub fn find<'a>(
        &self,
        plans: &'a BTreeMap<PlanId, Plan>,
    ) -> Result<(&'a PlanId, &'a Plan), Failure> {
        let mut found = plans.iter().filter(|(id, _)| self.fits(id.class, id.serial));
        match (found.next(), found.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(Failure::new("U010", format!("no verified plan is named {self}"))),
            (Some((a, _)), Some((b, _))) => {
                Err(Failure::new("U011", format!("{self} is {a} or {b}")))
            }
        }
    }
}

/// For the arguments of commands.
///
/// # Errors
/// In words.
pub fn plan(text: &str) -> Result<PlanName, String> {
    text.parse()
        .map_err(|failure: Failure| format!("{}; 42, hotfix/42 or emergency/7", failure.what))
}

/// The node of that name.
///
/// # Errors
/// `U012`, with the nearest name that there is.
pub fn node(roster: &Roster, name: &str) -> Result<NodeName, Failure> {
    let known = |text: &str| roster.nodes.iter().find(|node| node.name.as_str() == text);
    let unknown = || {
        let names = roster.nodes.iter().map(|node| node.name.as_str());
        let what = format!("{name:?} is no node of {}", roster.network);
        let failure = Failure::new("U012", what);
        match muster_proto::documents::author::nearest::nearest(name, names) {
            Some(near) => failure.next(format!("did you mean {near}?")),
            None => failure,
        }
    };
    known(name).map(|node| node.name.clone()).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixture::plan;

    #[test]
    fn a_number_alone_is_enough_while_it_names_one_plan() {
        let (id, hotfix) = plan(4);
        let emergency = PlanId { class: Class::Emergency, ..id.clone() };
        let mut plans = BTreeMap::from([(id.clone(), hotfix.clone())]);
        let name: PlanName = "42".parse().expect("a number");
        assert_eq!(name.find(&plans).expect("one plan").0, &id);
        plans.insert(emergency.clone(), hotfix);
        assert_eq!(name.find(&plans).expect_err("two plans").code, "U011");
        let name: PlanName = "emergency/42".parse().expect("class and number");
        assert_eq!(name.find(&plans).expect("one plan").0, &emergency);
        assert_eq!(
            "41".parse::<PlanName>().expect("a number").find(&plans).expect_err("none").code,
            "U010"
        );
    }

    #[test]
    fn other_words_name_no_plan() {
        for text in ["", "x", "hotfix", "hotfix/", "fire/1", "-1", "1/hotfix"] {
            assert_eq!(text.parse::<PlanName>().expect_err("no plan").code, "U007", "{text}");
        }
    }
}
