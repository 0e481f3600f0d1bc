//! Every example document under `deploy/examples` is read, linted and frozen.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use muster_proto::documents::author::{
    Finding, KeysYaml, Known, PlanYaml, ReleaseYaml, RootYaml, RosterYaml, freeze, keys, read,
    release, roster, summary,
};
use muster_proto::documents::{Plan, PlanId, Roster, canonical};

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
const PLANS: [(&str, &[&str]); 6] = [
    ("plan-upgrade.yaml", &[]),
    ("plan-stop.yaml", &["P208"]),
    ("plan-start.yaml", &[]),
    ("plan-restart.yaml", &[]),
    ("drill.yaml", &[]),
    ("emergency-stop.yaml", &["P208"]),
];

fn codes(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.code.as_str()).collect()
}

#[test]
fn every_example_plan_freezes_one_after_the_other() {
    let mut known = known();
    for (name, warnings) in PLANS {
        let parsed = read::<PlanYaml>(name, &text(name)).unwrap_or_else(|r| panic!("{r}"));
        let frozen = freeze(&parsed, &known).unwrap_or_else(|refused| panic!("{refused}"));
        assert_eq!(codes(&frozen.warnings), warnings, "{name}");
        let again: Plan = canonical::from_bytes(&frozen.bytes).expect("canonical");
        assert_eq!(again, frozen.plan, "{name}");
        remember(&mut known, frozen.id, frozen.plan);
    }
}

/// The next plan is made when this one is over.
fn remember(known: &mut Known, id: PlanId, plan: Plan) {
    known.over.insert(id.clone());
    known.plans.insert(id, plan);
}

/// Settings of programs, read by the tests of those programs.
const SETTINGS: [&str; 3] = ["agent.yaml", "controller.yaml", "policy.yaml"];

#[test]
fn every_file_among_the_examples_is_in_a_test() {
    let mut files: Vec<_> = std::fs::read_dir(folder())
        .expect("deploy/examples")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    files.retain(|file| !SETTINGS.contains(&file.as_str()));
    files.sort();
    let mut tested: Vec<_> = PLANS.iter().map(|(name, _)| (*name).to_owned()).collect();
    tested
        .extend(["roster.yaml", "root.yaml", "keys.yaml", "release-v2.4.4.yaml"].map(String::from));
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
