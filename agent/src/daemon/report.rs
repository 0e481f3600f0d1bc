//! What `status` shows, from what the daemon knows.

use jiff::Timestamp;
use muster_proto::documents::{Plan, PlanId};
use muster_proto::rule::Stage;
use muster_proto::trust::Trust;

use super::core::{Board, Core};
use super::judge::stuck_ahead;
use crate::control::said;
use crate::control::view::{
    BoardState, BoardView, DaemonView, Enrolled, PlanView, PolicyRow, PolicyView, SeenHealth,
    Status, TrustView,
};
use crate::decide::words;
use crate::journal::Fold;
use crate::policy::PolicyFile;

impl Core {
    /// The whole picture.
    pub(super) fn status(&self) -> Status {
        let at = Timestamp::now();
        let fleet_height = self.fleet_height(at);
        Status {
            at,
            node: self.me.node.clone(),
            network: self.me.network.clone(),
            container: self.config.container.clone(),
            daemon: Some(DaemonView {
                pid: std::process::id(),
                since: self.since,
                software: env!("CARGO_PKG_VERSION").into(),
                draining: self.draining,
            }),
            enrolled: if self.enrolled() { Enrolled::Yes } else { Enrolled::No },
            node_health: self.seen.as_ref().map(|seen| SeenHealth {
                at: seen.seen.at,
                health: seen.health.clone(),
                fleet_height,
            }),
            plans: self.plan_views(),
            policy: policy_view(&self.policy),
            boards: self.boards.iter().map(Board::view).collect(),
            trust: trust_view(&self.state.trust),
            refused: self.refusals.views(),
            stuck: self.ahead.as_ref().map(|head| stuck_ahead(head.counter)),
        }
    }

    /// The greatest height in the others' fresh beacons.
    pub(super) fn fleet_height(&self, now: Timestamp) -> Option<u64> {
        const FRESH_SECONDS: i64 = 30;
        let others = self.book.evidence().nodes.iter().filter(|(node, _)| **node != self.me.node);
        let beacons = others.filter_map(|(_, facts)| facts.beacon.as_ref());
        let fresh = beacons.filter(|b| now.duration_since(b.at).as_secs().abs() <= FRESH_SECONDS);
        fresh.filter_map(|beacon| beacon.health.height).max()
    }

    fn plan_views(&self) -> Vec<PlanView> {
        let concerns = |plan: &Plan| plan.order().any(|(_, node)| *node == self.me.node);
        let mut plans: Vec<_> = self.plans.iter().filter(|(_, plan)| concerns(plan)).collect();
        plans.sort_by_key(|(_, plan)| std::cmp::Reverse(plan.issued));
        plans.into_iter().map(|(id, plan)| self.plan_view(id, plan)).collect()
    }

    pub(super) fn plan_view(&self, id: &PlanId, plan: &Plan) -> PlanView {
        let doing = self.doing(id).map(|doing| (doing.text, doing.since));
        let fold = self.journal.fold(id);
        let never = self.aborts.contains_key(id) && fold.stage < Stage::Begun;
        let view = plan_view(id, plan, &fold, doing, self.now());
        PlanView { over: view.over || never, ..view }
    }
}

impl Board {
    /// The stream is open.
    pub(super) fn attached(&self) -> bool {
        self.state == BoardState::Attached
    }

    fn view(&self) -> BoardView {
        BoardView { address: self.address.clone(), state: self.state.clone(), since: self.since }
    }
}

/// One plan as people see it; `doing` is what the daemon said last about it.
pub(crate) fn plan_view(
    id: &PlanId,
    plan: &Plan,
    fold: &Fold,
    doing: Option<(String, Timestamp)>,
    now: Timestamp,
) -> PlanView {
    let ended = now >= plan.valid.until && fold.stage < Stage::Begun;
    let (text, since) = match (fold.stage, doing) {
        (Stage::Over(last), _) => (words::outcome(last).into(), fold.last.unwrap_or(plan.issued)),
        (_, Some(doing)) => doing,
        (_, None) if ended => ("no longer valid".into(), plan.valid.until),
        (_, None) => ("nobody works on it".into(), fold.last.unwrap_or(plan.issued)),
    };
    PlanView {
        plan: id.clone(),
        title: said::one_line(&plan.headline()),
        drill: plan.drill,
        action: words::action(plan),
        stage: words::stage(fold.stage).into(),
        over: matches!(fold.stage, Stage::Over(_)) || ended,
        text,
        since,
        away_ms: fold.away_ms,
    }
}

/// The policy in force.
pub(crate) fn policy_view(file: &PolicyFile) -> PolicyView {
    let row = |(class, urgency, rule)| PolicyRow { class, urgency, rule };
    PolicyView {
        rows: file.policy().rows().into_iter().map(row).collect(),
        missing: file.missing(),
        problem: file.problem().map(str::to_owned),
    }
}

/// What is trusted, and for how long.
pub(crate) fn trust_view(trust: &Trust) -> TrustView {
    let versions = trust.versions();
    let mut expiries = trust.expiries();
    // The timestamp runs out every few minutes and has a place of its own.
    expiries.retain(|(role, _)| role != "timestamp");
    expiries.sort_by_key(|(_, at)| *at);
    TrustView {
        root: versions.root,
        timestamp: versions.timestamp,
        fresh_until: trust.fresh_until(),
        expiries,
    }
}
