//! What the policy file and the operator together say to a plan.

use jiff::Timestamp;
use muster_proto::documents::Plan;
use muster_proto::rule::decision::Answer;

use crate::policy::{Policy, Rule, urgency_word};

/// What the operator answered by hand; it goes before the policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ByHand {
    /// Not asked, or not answered.
    Nothing,
    /// `muster-agent approve`.
    Approved,
    /// `muster-agent decline`, with the words for the receipt.
    Declined(String),
}

/// The answer to `plan`. `asked` is the time of the receipt `asked`, if there is one.
pub fn answer(policy: &Policy, plan: &Plan, by_hand: &ByHand, asked: Option<Timestamp>) -> Answer {
    match by_hand {
        ByHand::Approved => Answer::Apply,
        ByHand::Declined(why) => Answer::Refuse { reason: why.clone() },
        ByHand::Nothing => match policy.rule(plan.class, plan.urgency) {
            Rule::Apply => Answer::Apply,
            Rule::Ask => Answer::Ask { since: asked },
            Rule::Refuse => Answer::Refuse { reason: refusal(plan) },
        },
    }
}

fn refusal(plan: &Plan) -> String {
    format!("policy: {} {}: refuse", plan.class, urgency_word(plan.urgency))
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn what_the_operator_said_goes_before_the_file() {
        let (_, plan) = example::plan(42);
        let refuse = Policy::all(Rule::Refuse);
        assert_eq!(answer(&refuse, &plan, &ByHand::Approved, None), Answer::Apply);
        let declined = ByHand::Declined("on holiday".into());
        let apply = Policy::all(Rule::Apply);
        let expected = Answer::Refuse { reason: "on holiday".into() };
        assert_eq!(answer(&apply, &plan, &declined, None), expected);
    }

    #[test]
    fn a_question_remembers_since_when_it_stands() {
        let (_, plan) = example::plan(42);
        let ask = Policy::all(Rule::Ask);
        let since = Some(Timestamp::UNIX_EPOCH);
        assert_eq!(answer(&ask, &plan, &ByHand::Nothing, since), Answer::Ask { since });
    }

    #[test]
    fn a_refusal_names_the_rule_of_the_policy() {
        let (_, plan) = example::plan(42);
        let said = answer(&Policy::all(Rule::Refuse), &plan, &ByHand::Nothing, None);
        assert_eq!(said, Answer::Refuse { reason: "policy: hotfix routine: refuse".into() });
    }
}
