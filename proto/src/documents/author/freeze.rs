//! From what an author wrote to what officers sign: every choice made, every node in its place.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::document::{AuthorDocument, Parsed};
use super::finding::{Finding, Refused};
use super::known::Known;
use super::lint;
use super::plan::{PlanYaml, ScheduleYaml, Select, WaveYaml};
use super::source::Places;
use super::values::Share;
use super::words::{By, Verb};
use crate::documents::canonical;
use crate::documents::ids::{Class, Digest, NodeName, PlanId};
use crate::documents::plan::{
    Action, BeaconTerms, Budget, Compatibility, Deadline, Drill, Ends, Failures, HealthTerms,
    Interrupted, Member, Plan, ReleaseRef, Schedule, Validity, Wave,
};
use crate::documents::release::{Priority, Release};
use crate::documents::roster::{Node, Roster};

/// A plan ready to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    /// The plan.
    pub plan: Plan,
    /// Its canonical JSON: what is signed.
    pub bytes: Vec<u8>,
    /// Its name.
    pub id: PlanId,
    /// What officers should know.
    pub warnings: Vec<Finding>,
}

/// Freezes a plan, unless lint refuses it.
///
/// # Errors
/// All findings, when one of them is an error.
pub fn freeze(parsed: &Parsed<PlanYaml>, known: &Known) -> Result<Frozen, Refused> {
    let plan = compile(&parsed.value, known);
    let findings = lint::check(&plan, Some(&parsed.value), &parsed.places, known);
    if findings.iter().any(Finding::is_error) {
        return Err(Refused(findings));
    }
    let bytes = canonical::to_bytes(&plan).expect("a plan is strings and whole numbers");
    let id = plan.id(&bytes);
    Ok(Frozen { plan, bytes, id, warnings: findings })
}

/// All findings about an author's plan, without freezing it.
pub fn lint_plan(parsed: &Parsed<PlanYaml>, known: &Known) -> Vec<Finding> {
    let plan = compile(&parsed.value, known);
    lint::check(&plan, Some(&parsed.value), &parsed.places, known)
}

/// The author's text as it travels beside the frozen plan, so that signers derive it anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// As the author named it.
    pub file: String,
    /// All of it, comments included.
    pub yaml: String,
}

impl Written {
    /// What `parsed` was read from.
    pub fn of(parsed: &Parsed<PlanYaml>) -> Self {
        let source = &parsed.places.source;
        Self { file: source.file.clone(), yaml: source.text.clone() }
    }

    /// Reads it again.
    ///
    /// # Errors
    /// Every refusal of the text.
    pub fn read(&self) -> Result<Parsed<PlanYaml>, Refused> {
        super::read(&self.file, &self.yaml)
    }
}

/// What a signer checks: the frozen plan by the same rules, its members and release against
/// the signer's own verified documents, and, when the author's text came along, that it
/// freezes to the very same plan.
///
/// # Errors
/// All findings, when one of them is an error.
pub fn recheck(
    plan: &Plan,
    author: Option<&Parsed<PlanYaml>>,
    known: &Known,
) -> Result<Vec<Finding>, Refused> {
    let mut findings = lint::check(plan, None, &Places::none(), known);
    if plan.members != members(&known.roster) {
        let finding = Finding::new(super::Code::P039, "order")
            .note(format!("its members are not those of roster {}", known.roster.version));
        findings.push(finding.fix("freeze it again"));
    }
    if let Some(author) = author {
        let again = Plan { issued: plan.issued, ..compile(&author.value, known) };
        if again != *plan {
            let finding = Finding::new(super::Code::P039, "order")
                .note("the author's file gives another plan");
            findings.push(finding.fix("freeze it again, and do not sign this one"));
        }
    }
    match findings.iter().any(Finding::is_error) {
        true => Err(Refused(findings)),
        false => Ok(findings),
    }
}

/// Makes every choice. What cannot be right is left to lint.
pub(super) fn compile(yaml: &PlanYaml, known: &Known) -> Plan {
    let release = yaml.release.as_deref().and_then(|version| known.release(version));
    let action = action(yaml, release.as_ref().map(|(_, digest)| digest));
    let release = release.map(|(release, _)| release);
    let height = match yaml.action {
        Verb::Upgrade => release.and_then(|release| release.activation_height),
        _ => None,
    };
    let budget = match yaml.budget {
        Share::All => Budget::All,
        Share::Of { down, .. } => Budget::Seats(down),
    };
    Plan {
        muster: PlanYaml::KIND.into(),
        network: yaml.network.clone(),
        class: yaml.class,
        serial: yaml.serial,
        title: yaml.title.clone(),
        urgency: yaml.urgency,
        issued: known.now,
        valid: Validity { from: yaml.from, until: yaml.until },
        after: yaml.after.clone(),
        supersedes: yaml.supersedes.clone(),
        schedule: schedule(yaml),
        ends: ends(yaml),
        compatibility: yaml.compatibility.unwrap_or(default_compatibility(&action, budget)),
        action,
        members: members(&known.roster),
        active: known.roster.consensus.active,
        waves: waves(yaml, &known.roster, release),
        budget,
        parallel: yaml.parallel,
        unmanaged: yaml.unmanaged,
        failures: Failures { tolerate: yaml.tolerate, then: yaml.then },
        beacon: BeaconTerms {
            every_ms: yaml.beacon_every.0,
            stale_ms: yaml.beacon_stale.0,
            skew_ms: yaml.beacon_skew.0,
        },
        absent_after_ms: yaml.absent_after.0,
        health: health(yaml),
        deadline: Deadline {
            per_node_ms: yaml.per_node.0,
            before_height: yaml.before_height.or(height),
        },
        drill: yaml.drill.unwrap_or(match yaml.class {
            Class::Drill => Drill::Real,
            Class::Hotfix | Class::Emergency => Drill::No,
        }),
    }
}

/// An unknown release gets a digest of nothing; lint refuses such a plan.
fn action(yaml: &PlanYaml, digest: Option<&Digest>) -> Action {
    match yaml.action {
        Verb::Stop => Action::Stop,
        Verb::Start => Action::Start,
        Verb::Restart => Action::Restart,
        Verb::Upgrade => Action::Upgrade(ReleaseRef {
            version: yaml.release.clone().unwrap_or_default(),
            digest: digest.cloned().unwrap_or_else(|| Digest::of(b"")),
        }),
    }
}

fn default_compatibility(action: &Action, budget: Budget) -> Compatibility {
    match (action, budget) {
        (Action::Stop | Action::Start, Budget::All) => Compatibility::Halting,
        _ => Compatibility::Compatible,
    }
}

/// Every emergency has a schedule, so that it takes effect also when nobody can be reached.
fn schedule(yaml: &PlanYaml) -> Option<Schedule> {
    let written = yaml.schedule.or((yaml.class == Class::Emergency).then(ScheduleYaml::default))?;
    Some(Schedule {
        start: written.start.unwrap_or(yaml.from),
        pace_ms: written.pace.0,
        grace_ms: written.grace.0,
    })
}

fn ends(yaml: &PlanYaml) -> Option<Ends> {
    let interrupted = yaml.interrupted.unwrap_or(Interrupted::RollBack);
    yaml.ends.map(|emergency| Ends { emergency, interrupted })
}

fn health(yaml: &PlanYaml) -> HealthTerms {
    HealthTerms {
        boot_ms: yaml.health.boot.0,
        ready_ms: yaml.health.ready.0,
        advance_blocks: yaml.health.advance.0,
        lag_blocks: yaml.health.lag.0,
        peers: yaml.health.peers,
        hold_ms: yaml.health.hold.0,
    }
}

/// Everybody of the roster, with the seat each one holds: its group's, or its own.
pub(super) fn members(roster: &Roster) -> Vec<Member> {
    let seat = |node: &Node| {
        let name = node.group.clone().unwrap_or_else(|| node.name.to_string());
        node.seat.then_some(name)
    };
    let member = |node: &Node| Member { name: node.name.clone(), key: node.key, seat: seat(node) };
    roster.nodes.iter().map(member).collect()
}

fn waves(yaml: &PlanYaml, roster: &Roster, release: Option<&Release>) -> Vec<Wave> {
    let mut placed: BTreeSet<&NodeName> =
        yaml.order.iter().flat_map(|wave| wave.nodes.iter()).collect();
    let mut waves = Vec::new();
    for wave in &yaml.order {
        let mut nodes = wave.nodes.clone();
        for node in selected(wave, roster, release) {
            if placed.insert(&node.name) {
                nodes.push(node.name.clone());
            }
        }
        let gate = (nodes.len() as u32).saturating_sub(yaml.tolerate);
        let done = wave.done.unwrap_or(gate);
        waves.push(Wave { name: wave.wave.clone(), nodes, done, soak_ms: wave.soak.0 });
    }
    waves
}

/// Who is meant by `select`, in order: with an agent, and concerned by the release.
fn selected<'r>(wave: &WaveYaml, roster: &'r Roster, release: Option<&Release>) -> Vec<&'r Node> {
    let Some(select) = &wave.select else { return Vec::new() };
    let concerned = |node: &Node| {
        release.is_none_or(|release| required(release, node) != Priority::NotRequired)
    };
    let fits = |node: &&Node| node.managed() && concerned(node) && matches(select, node);
    let mut nodes: Vec<_> = roster.nodes.iter().filter(fits).collect();
    match wave.by {
        By::Name => nodes.sort_by(|a, b| a.name.cmp(&b.name)),
        By::Operator => nodes.sort_by(|a, b| (&a.operator, &a.name).cmp(&(&b.operator, &b.name))),
    }
    nodes
}

/// What the release says to a node's role; silence means not required.
pub(super) fn required(release: &Release, node: &Node) -> Priority {
    release.roles.get(&node.role).copied().unwrap_or(Priority::NotRequired)
}

fn matches(select: &Select, node: &Node) -> bool {
    let label = |(name, value): (&String, &String)| node.labels.get(name) == Some(value);
    select.role.is_none_or(|role| role == node.role)
        && select.seat.is_none_or(|seat| seat == node.seat)
        && select.bootstrap.is_none_or(|bootstrap| bootstrap == node.bootstrap)
        && select.group.as_ref().is_none_or(|group| Some(group) == node.group.as_ref())
        && select.labels.iter().all(label)
}
