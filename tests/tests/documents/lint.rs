//! Every refusal and warning about a document is raised by a case under `tests/cases/lint`, at
//! the very place that the case marks, and nothing else is found there.
//!
//! A marker is a comment below the line it speaks of: `#      ^^ P014` points at a column,
//! `#< D103` at the first one. `#with: …` adds to what is known (see `with`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use muster_proto::documents::author::{
    Code, Finding, KeysYaml, Known, MAX_BYTES, Parsed, PlanYaml, ReleaseYaml, RootYaml, RosterYaml,
    Written, finding, freeze, keys, lint_plan, read, recheck, release, roster,
};
use muster_proto::documents::ids::Counter;
use muster_proto::documents::plan::{Action, Budget, Plan};
use muster_proto::documents::roster::Role;
use muster_proto::documents::{PlanId, Roster};

fn now() -> Timestamp {
    "2026-07-23T10:00:00Z".parse().expect("a time")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/lint")
}

fn text(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn cases() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).expect("tests/cases/lint");
    let names =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".yaml")).collect();
    names.sort();
    names
}

fn the_roster() -> Roster {
    let parsed = read::<RosterYaml>("roster.yaml", &text("known/roster.yaml"));
    let parsed = parsed.unwrap_or_else(|refused| panic!("{refused}"));
    roster::roster(&parsed, None, now()).unwrap_or_else(|refused| panic!("{refused}"))
}

/// A roster of nine, three releases, plan 40 (over) and plan 41 (open).
fn known() -> Known {
    let mut known = Known::new(the_roster(), now());
    for version in ["v2.4.4", "v2.4.5", "v2.5.0"] {
        let name = format!("known/release-{version}.yaml");
        let parsed = read::<ReleaseYaml>(&name, &text(&name)).unwrap_or_else(|r| panic!("{r}"));
        let release = release::release(&parsed, None, now()).unwrap_or_else(|r| panic!("{r}"));
        known.releases.insert(version.into(), release);
    }
    for (name, at) in [("plan-40", "2026-07-20T10:00:00Z"), ("plan-41", "2026-07-22T13:00:00Z")] {
        let name = format!("known/{name}.yaml");
        let parsed = read::<PlanYaml>(&name, &text(&name)).unwrap_or_else(|r| panic!("{r}"));
        let then = Known { now: at.parse().expect("a time"), ..known.clone() };
        let (id, plan) = compiled(&parsed, &then);
        known.plans.insert(id, plan);
    }
    known
}

/// A plan as it was frozen once; what lint says to it today does not matter.
fn compiled(parsed: &Parsed<PlanYaml>, known: &Known) -> (PlanId, Plan) {
    let mut known = known.clone();
    for node in &mut known.roster.nodes {
        // Lint asks for all nodes that must take a release; those plans are about robot-1 only.
        if node.name.as_str() != "robot-1" {
            node.role = Role::Api;
        }
    }
    let frozen = freeze(parsed, &known).unwrap_or_else(|refused| panic!("{refused}"));
    (frozen.id, frozen.plan)
}

/// `#with: expires ROLE TIME`, `runs NODE VERSION`, `doubtful NODE WHY`, `installs SERIAL VERSION`,
/// `emergency SERIAL known`.
fn with(known: &mut Known, text: &str) {
    for line in text.lines().filter_map(|line| line.strip_prefix("#with: ")) {
        let words: Vec<_> = line.splitn(3, ' ').collect();
        let [what, who, value] = words.as_slice() else { panic!("{line}") };
        match *what {
            "expires" => {
                known.expiries.push(((*who).into(), value.parse().expect("a time")));
            }
            "runs" => drop(known.versions.insert(who.parse().expect("a node"), (*value).into())),
            "doubtful" => {
                drop(known.doubtful.insert(who.parse().expect("a node"), (*value).into()))
            }
            "installs" => {
                let serial: u64 = who.parse().expect("a serial");
                let found = known.plans.iter_mut().find(|(id, _)| id.serial == serial);
                let Action::Upgrade(release) = &mut found.expect("a plan").1.action else {
                    panic!("{line}")
                };
                release.version = (*value).into();
            }
            "emergency" => {
                let name = "known/emergency.yaml";
                let text = self::text(name).replace("serial: 1", &format!("serial: {who}"));
                let parsed = read::<PlanYaml>(name, &text).unwrap_or_else(|r| panic!("{r}"));
                let then = "2026-07-22T12:00:00Z".parse().expect("a time");
                let earlier = Known { now: then, plans: BTreeMap::new(), ..known.clone() };
                let floor = who.parse::<u64>().expect("a serial") - 1;
                let earlier = Known { floors: [(Counter::Emergency, floor)].into(), ..earlier };
                let frozen = freeze(&parsed, &earlier).unwrap_or_else(|r| panic!("{r}"));
                known.plans.insert(frozen.id, frozen.plan);
            }
            _ => panic!("{line}"),
        }
    }
}

fn findings(name: &str, text: &str) -> Vec<Finding> {
    let kind = text.lines().find_map(|line| line.strip_prefix("muster: "));
    let kind = kind.unwrap_or_else(|| panic!("{name} says no kind"));
    let mut known = known();
    with(&mut known, text);
    match kind.split('/').next().unwrap_or_default() {
        "plan" => match read::<PlanYaml>(name, text) {
            Ok(parsed) => lint_plan(&parsed, &known),
            Err(refused) => refused.0,
        },
        "roster" => read::<RosterYaml>(name, text)
            .and_then(|parsed| roster::roster(&parsed, None, now()))
            .map_or_else(|refused| refused.0, |_| Vec::new()),
        "release" => read::<ReleaseYaml>(name, text)
            .and_then(|parsed| release::release(&parsed, Some(b""), now()))
            .map_or_else(|refused| refused.0, |_| Vec::new()),
        "root" => read::<RootYaml>(name, text)
            .and_then(|parsed| keys::check_root(&parsed, None, now()))
            .map_or_else(|refused| refused.0, |()| Vec::new()),
        "keys" => read::<KeysYaml>(name, text)
            .and_then(|parsed| keys::check_keys(&parsed, now()))
            .map_or_else(|refused| refused.0, |()| Vec::new()),
        other => panic!("{name}: {other}"),
    }
}

type Place = (u32, u32, String);

fn marked(text: &str) -> BTreeSet<Place> {
    let mut places = BTreeSet::new();
    let mut line = 0;
    for (at, written) in text.lines().enumerate() {
        let Some(rest) = written.strip_prefix('#') else {
            line = at as u32 + 1;
            continue;
        };
        if let Some(code) = rest.strip_prefix("< ") {
            places.insert((line, 1, code.trim().to_owned()));
        } else if rest.trim_start().starts_with('^') {
            let column = written.find('^').unwrap_or_default() as u32 + 1;
            let code = rest.trim_start().trim_start_matches('^').trim();
            places.insert((line, column, code.to_owned()));
        }
    }
    places
}

fn found(findings: &[Finding]) -> BTreeSet<Place> {
    let place = |finding: &Finding| {
        let place = finding.place.as_ref().expect("a place");
        (place.line, place.column, finding.code.as_str().to_owned())
    };
    findings.iter().map(place).collect()
}

#[test]
fn every_case_is_found_at_the_marked_place_and_nothing_else() {
    let mut wrong = Vec::new();
    for name in cases() {
        let text = text(&name);
        let findings = findings(&name, &text);
        let (marked, found) = (marked(&text), found(&findings));
        if marked != found {
            let shown: String = findings.iter().map(Finding::to_string).collect();
            wrong.push(format!("{name}: marked {marked:?}\n  found {found:?}\n{shown}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Codes that no file under `cases/lint` can raise, and the test that raises each.
const ELSEWHERE: [(Code, &str); 5] = [
    (Code::D102, "a_file_that_is_too_large_is_refused_before_it_is_read"),
    (Code::D128, "an_enrolment_for_another_network_or_operator_is_refused"),
    (Code::D129, "a_layout_that_is_not_understood_is_left_alone"),
    (Code::P210, "a_signer_is_warned_of_older_plans_that_may_be_open"),
    (Code::P039, "a_signer_refuses_a_plan_that_differs_from_its_sources"),
];

#[test]
fn every_code_has_a_case() {
    let marked: BTreeSet<_> =
        cases().iter().flat_map(|name| marked(&text(name))).map(|(_, _, code)| code).collect();
    let elsewhere = |code: &Code| ELSEWHERE.iter().any(|(known, _)| known == code);
    let missing: Vec<_> = (Code::ALL.iter())
        .filter(|code| !marked.contains(code.as_str()) && !elsewhere(code))
        .collect();
    assert!(missing.is_empty(), "no case raises {missing:?}");
}

#[test]
fn every_case_is_named_after_a_code_that_it_raises() {
    for name in cases() {
        let code = name.split(['-', '.']).next().unwrap_or_default().to_owned();
        let raised = marked(&text(&name)).into_iter().any(|(_, _, marked)| marked == code);
        assert!(raised, "{name} does not raise {code}");
    }
}

#[test]
fn a_finding_is_drawn_with_its_line_and_a_caret() {
    let shown = |name: &str| {
        let findings = findings(name, &text(name));
        findings.iter().map(Finding::to_string).collect::<String>()
    };
    let drawn: String =
        ["P014.yaml", "D109-roster.yaml", "D103-secret.yaml", "P021.yaml"].map(shown).concat();
    for line in drawn.lines().filter(|line| !line.contains(" | ")) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    insta::assert_snapshot!(drawn);
}

#[test]
fn json_says_everything_that_the_screen_says() {
    let findings = findings("P014.yaml", &text("P014.yaml"));
    insta::assert_snapshot!(format!("{:#}", finding::to_json(&findings)));
}

#[test]
fn a_file_that_is_too_large_is_refused_before_it_is_read() {
    let text = "#".repeat(MAX_BYTES + 1);
    let refused = read::<PlanYaml>("large.yaml", &text).expect_err("too large");
    assert_eq!(refused.0[0].code, Code::D102);
    let deep = format!("muster: plan/v1\nserial: {}1{}\n", "[".repeat(60), "]".repeat(60));
    let refused = read::<PlanYaml>("deep.yaml", &deep).expect_err("too deep");
    assert_eq!(refused.0[0].code, Code::D102);
}

#[test]
fn a_secret_in_a_refused_file_is_not_printed() {
    let secret = "c0ffee5ec2e7";
    for line in [
        format!("producerPrivKey: {secret}"),
        format!("passphrase: [{secret}"),
        format!("title: {{masterKey: {secret}}}"),
        format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----"),
    ] {
        let text = format!("muster: plan/v1\n{line}\n");
        let refused = read::<PlanYaml>("x.yaml", &text).expect_err("refused");
        assert!(!refused.to_string().contains(secret), "{refused}");
        assert!(!refused.to_json().to_string().contains(secret), "{line}");
    }
    let text = text("D109-roster.yaml").replace("83ebd25e", secret);
    let refused = read::<RosterYaml>("x.yaml", &text).expect_err("refused");
    assert!(!refused.to_string().contains(secret), "{refused}");
}

fn frozen() -> (Known, freeze::Frozen) {
    let known = known();
    let parsed = read::<PlanYaml>("good.yaml", GOOD).unwrap_or_else(|refused| panic!("{refused}"));
    let frozen = freeze(&parsed, &known).unwrap_or_else(|refused| panic!("{refused}"));
    (known, frozen)
}

const GOOD: &str = "\
muster: plan/v1
network: demo
serial: 42
title: good
class: hotfix
valid: {from: 2026-07-23T12:00:00Z, until: 2026-07-25T12:00:00Z}
after: [41]
action: upgrade
release: v2.4.4
order:
  - {wave: canary, nodes: [robot-1, robot-2], soak: 10m}
  - {wave: rest, select: {}, by: operator}
budget: {down: 2 of 7}
";

#[test]
fn a_signer_refuses_a_plan_that_differs_from_its_sources() {
    let (known, frozen) = frozen();
    let author = read::<PlanYaml>("good.yaml", GOOD).expect("good");
    let author = Written::of(&author).read().expect("it travels");
    recheck(&frozen.plan, Some(&author), &known).expect("the same plan");

    let mut swapped = frozen.plan.clone();
    swapped.waves[1].nodes.swap(0, 1);
    let refused = recheck(&swapped, Some(&author), &known).expect_err("another order");
    assert!(refused.0.iter().any(|finding| finding.code == Code::P039), "{refused}");

    let mut seats = frozen.plan.clone();
    seats.members.last_mut().expect("members").seat = None;
    let refused = recheck(&seats, None, &known).expect_err("other members");
    assert!(refused.0.iter().any(|finding| finding.code == Code::P039), "{refused}");

    let mut wide = frozen.plan;
    wide.budget = Budget::Seats(3);
    let refused = recheck(&wide, None, &known).expect_err("linted again");
    assert!(refused.0.iter().any(|finding| finding.code == Code::P014), "{refused}");
}

#[test]
fn a_signer_is_warned_of_older_plans_that_may_be_open() {
    let (known, frozen) = frozen();
    let mut lone = frozen.plan;
    lone.after.clear();
    let warnings = recheck(&lone, None, &known).expect("no error");
    assert_eq!(warnings.iter().map(|finding| finding.code).collect::<Vec<_>>(), [Code::P210]);
}

#[test]
fn defaults_are_those_of_the_design() {
    let plan = frozen().1.plan;
    assert_eq!((plan.parallel, plan.failures.tolerate, plan.absent_after_ms), (1, 0, 60_000));
    let beacon = plan.beacon;
    assert_eq!((beacon.every_ms, beacon.stale_ms, beacon.skew_ms), (2_000, 10_000, 5_000));
    assert_eq!(plan.health.hold_ms, 120_000);
    assert_eq!(plan.deadline.per_node_ms, 1_200_000);
    assert!(!plan.drill.is_drill());
    let gates: Vec<_> = plan.waves.iter().map(|wave| (wave.nodes.len(), wave.done)).collect();
    assert_eq!(gates, [(2, 2), (5, 5)]);
}
