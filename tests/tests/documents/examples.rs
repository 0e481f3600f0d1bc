//! Every example under `deploy/examples` is read by the program that it is for; every plan among
//! them is linted, frozen and simulated.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use muster_agent::policy::Rule;
use muster_controller::config::Right;
use muster_proto::documents::author::{
    Finding, Frozen, KeysYaml, Known, PlanYaml, ReleaseYaml, RootYaml, RosterYaml, freeze, keys,
    read, release, roster, summary,
};
use muster_proto::documents::plan::{Action, Budget, Urgency};
use muster_proto::documents::{Class, Plan, Roster, canonical};
use muster_proto::rule::simulate::{self, Options};

fn now() -> Timestamp {
    "2026-07-23T10:00:00Z".parse().expect("a time")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/examples")
}

fn text(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn the_roster() -> Roster {
    let parsed = read::<RosterYaml>("roster.yaml", &text("roster.yaml"));
    let parsed = parsed.unwrap_or_else(|refused| panic!("{refused}"));
    roster::roster(&parsed, None, now()).unwrap_or_else(|refused| panic!("{refused}"))
}

fn known() -> Known {
    let mut known = Known::new(the_roster(), now());
    let parsed = read::<ReleaseYaml>("release-v2.4.4.yaml", &text("release-v2.4.4.yaml"));
    let parsed = parsed.unwrap_or_else(|refused| panic!("{refused}"));
    let release = release::release(&parsed, None, now()).unwrap_or_else(|r| panic!("{r}"));
    known.releases = BTreeMap::from([(release.version.clone(), release)]);
    known
}

/// Each with the codes of the warnings that its officers are meant to see.
const PLANS: [(&str, &[&str]); 7] = [
    ("plan-upgrade.yaml", &[]),
    ("plan-stop.yaml", &["P208"]),
    ("plan-start.yaml", &[]),
    ("plan-restart.yaml", &[]),
    ("drill.yaml", &[]),
    ("drill-dry.yaml", &[]),
    ("emergency-stop.yaml", &["P208"]),
];

/// Every example plan, frozen in turn: the next one is made when the one before it is over.
fn frozen() -> Vec<(&'static str, Frozen)> {
    let mut known = known();
    let freeze = |(name, _): &(&'static str, _)| {
        let parsed = read::<PlanYaml>(name, &text(name)).unwrap_or_else(|r| panic!("{r}"));
        let frozen = freeze(&parsed, &known).unwrap_or_else(|refused| panic!("{refused}"));
        known.over.insert(frozen.id.clone());
        known.plans.insert(frozen.id.clone(), frozen.plan.clone());
        (*name, frozen)
    };
    PLANS.iter().map(freeze).collect()
}

fn codes(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.code.as_str()).collect()
}

#[test]
fn every_example_plan_freezes_one_after_the_other() {
    for ((name, frozen), (_, warnings)) in frozen().into_iter().zip(PLANS) {
        assert_eq!(codes(&frozen.warnings), warnings, "{name}");
        let again: Plan = canonical::from_bytes(&frozen.bytes).expect("canonical");
        assert_eq!(again, frozen.plan, "{name}");
    }
}

#[test]
fn every_example_plan_is_simulated_to_its_end_within_its_budget_and_its_validity() {
    for (name, frozen) in frozen() {
        let plan = &frozen.plan;
        let told = simulate::run(plan, &the_roster(), &Options::default()).expect("no faults");
        assert!(told.complete && told.never.is_empty(), "{name}:\n{told}");
        assert_eq!(told.done, told.nodes, "{name}:\n{told}");
        let valid = plan.valid.until.duration_since(plan.valid.from).as_millis();
        assert!(i128::from(told.duration_ms) < valid, "{name}:\n{told}");
        let least = match plan.budget {
            Budget::Seats(down) => told.seats - down,
            // A stop of everybody halts the chain, as its warning says.
            Budget::All => 0,
        };
        assert!(told.fewest_seats >= least, "{name}:\n{told}");
        let halts = matches!(plan.action, Action::Stop | Action::Start);
        assert_eq!(told.fewest_seats < told.quorum, halts, "{name}:\n{told}");
    }
}

/// Settings of programs.
const SETTINGS: [&str; 3] = ["agent.yaml", "controller.yaml", "policy.yaml"];

#[test]
fn every_file_among_the_examples_is_in_a_test() {
    let mut files: Vec<_> = std::fs::read_dir(folder())
        .expect("deploy/examples")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    files.sort();
    let mut tested: Vec<_> = PLANS.iter().map(|(name, _)| (*name).to_owned()).collect();
    tested
        .extend(["roster.yaml", "root.yaml", "keys.yaml", "release-v2.4.4.yaml"].map(String::from));
    tested.extend(SETTINGS.map(String::from));
    tested.sort();
    assert_eq!(files, tested);
}

#[test]
fn the_example_root_and_keys_can_be_signed() {
    let root = read::<RootYaml>("root.yaml", &text("root.yaml")).unwrap_or_else(|r| panic!("{r}"));
    keys::check_root(&root, None, now()).unwrap_or_else(|refused| panic!("{refused}"));
    let keys = read::<KeysYaml>("keys.yaml", &text("keys.yaml")).unwrap_or_else(|r| panic!("{r}"));
    keys::check_keys(&keys, now()).unwrap_or_else(|refused| panic!("{refused}"));
}

#[test]
fn the_summary_of_the_example_upgrade_fits_eighty_columns() {
    let known = known();
    let name = "plan-upgrade.yaml";
    let parsed = read::<PlanYaml>(name, &text(name)).unwrap_or_else(|r| panic!("{r}"));
    let frozen = freeze(&parsed, &known).unwrap_or_else(|refused| panic!("{refused}"));
    let release = known.releases.get("v2.4.4");
    let beside = summary::Beside { release, roster: Some(&known.roster) };
    let table = summary::table(&frozen.plan, beside);
    let words = summary::words(&frozen.plan, beside).join("\n");
    insta::assert_snapshot!(format!("{table}\n{words}"));
    for line in table.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn the_example_agent_is_one_of_the_example_roster_and_has_several_boards() {
    let config = muster_agent::config::Config::load(&folder().join("agent.yaml"));
    let config = config.unwrap_or_else(|refused| panic!("{refused}"));
    let roster = the_roster();
    assert_eq!(config.network, roster.network);
    assert!(roster.node(&config.name).is_some_and(|node| node.key.is_some()), "{}", config.name);
    assert_eq!(config.controllers.len(), 2);
}

#[test]
fn the_example_policy_lets_an_emergency_wait_for_nobody() {
    let path = folder().join("policy.yaml");
    let policy = muster_agent::policy::parse(&path, &text("policy.yaml"));
    let policy = policy.unwrap_or_else(|refused| panic!("{refused}"));
    for urgency in [Urgency::Routine, Urgency::Urgent] {
        assert_eq!(policy.rule(Class::Emergency, urgency), Rule::Apply);
    }
    assert_eq!(policy.rule(Class::Hotfix, Urgency::Routine), Rule::Ask);
}

#[test]
fn the_example_controller_lists_people_by_keys_that_sign_nothing() {
    let config = muster_controller::config::Config::read(&folder().join("controller.yaml"));
    let config = config.unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!(config.network, the_roster().network);
    assert_eq!(config.limits, muster_controller::config::Limits::default());
    let may = |right| config.people.iter().filter(move |person| person.rights.contains(&right));
    assert_eq!((may(Right::Watch).count(), may(Right::Publish).count()), (2, 1));
    let signing = text("keys.yaml") + &text("roster.yaml");
    for person in &config.people {
        assert!(!signing.contains(&person.key.to_string()), "{}", person.name);
    }
}
