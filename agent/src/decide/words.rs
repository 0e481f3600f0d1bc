//! Stages and decisions as people read them, the same in status, log and beacon.

use muster_proto::documents::Plan;
use muster_proto::documents::plan::Action;
use muster_proto::rule::{Decision, Final, Stage, Step};

/// The stage as a word.
pub fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Verified => "verified",
        Stage::Acknowledged => "acknowledged",
        Stage::Prepared => "prepared",
        Stage::Begun => "begun",
        Stage::Stopped => "stopped",
        Stage::Swapped => "swapped",
        Stage::Started => "started",
        Stage::Passed => "passed",
        Stage::Over(last) => outcome(last),
    }
}

/// How a node's part ended, as a word.
pub fn outcome(last: Final) -> &'static str {
    match last {
        Final::Done => "done",
        Final::RolledBack => "rolled back",
        Final::Declined => "declined",
    }
}

/// The step as a phrase.
pub fn step(step: &Step) -> &'static str {
    match step {
        Step::Acknowledge { .. } => "acknowledging",
        Step::Ask => "asking the operator",
        Step::Decline(_) => "declining",
        Step::Prepare => "preparing",
        Step::Begin(_) => "waiting for the beat",
        Step::Stop => "stopping the node",
        Step::Swap => "swapping files",
        Step::Start => "starting the node",
        Step::Test => "self-test",
        Step::Commit => "committing",
    }
}

/// One line: the step under way, or what is waited for.
pub fn decision(decision: &Decision) -> String {
    match decision {
        Decision::Do(next) => step(next).into(),
        Decision::Wait(reason) => reason.to_string(),
        Decision::Undo(why) => format!("taking it back: {why}"),
        Decision::Finished(last) => outcome(*last).into(),
        Decision::Stuck(why) => format!("stuck: {why}"),
    }
}

/// What the plan does to a node, such as `upgrade to v2.4.4`.
pub fn action(plan: &Plan) -> String {
    match &plan.action {
        Action::Upgrade(release) => format!("upgrade to {}", release.version),
        other => other.word().into(),
    }
}
