//! Properties of documents: freezing is stable, and no text makes the reader fall over.

use std::path::Path;

use jiff::Timestamp;
use muster_proto::documents::author::values::Millis;
use muster_proto::documents::author::{
    KeysYaml, Known, PlanYaml, ReleaseYaml, RootYaml, RosterYaml, freeze, lint_plan, read, release,
    roster,
};
use muster_proto::documents::{Plan, canonical};
use proptest::prelude::*;

fn now() -> Timestamp {
    "2026-07-23T10:00:00Z".parse().expect("a time")
}

fn example(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/examples");
    std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn known() -> Known {
    let parsed = read::<RosterYaml>("roster.yaml", &example("roster.yaml")).expect("a roster");
    let mut known = Known::new(roster::roster(&parsed, None, now()).expect("a roster"), now());
    let name = "release-v2.4.4.yaml";
    let parsed = read::<ReleaseYaml>(name, &example(name)).expect("a release");
    let release = release::release(&parsed, None, now()).expect("a release");
    known.releases.insert(release.version.clone(), release);
    known
}

const DELEGATES: [&str; 7] =
    ["capitmu", "coredev", "laomao", "piexgo", "robot-1", "robot-2", "zhcapital"];

/// What a plan's author can choose.
#[derive(Debug, Clone)]
struct Choice {
    canaries: Vec<&'static str>,
    action: &'static str,
    by: &'static str,
    soak: u32,
    down: u32,
    parallel: u32,
    tolerate: u32,
}

fn choice() -> impl Strategy<Value = Choice> {
    let canaries = proptest::sample::subsequence(DELEGATES.to_vec(), 1..4).prop_shuffle();
    let action = proptest::sample::select(vec!["upgrade", "restart"]);
    let by = proptest::sample::select(vec!["name", "operator"]);
    (canaries, action, by, 0_u32..90, 1_u32..3, 1_u32..4, 0_u32..2).prop_map(
        |(canaries, action, by, soak, down, parallel, tolerate)| Choice {
            canaries,
            action,
            by,
            soak,
            down,
            parallel,
            tolerate,
        },
    )
}

fn yaml(choice: &Choice) -> String {
    let release = if choice.action == "upgrade" { "release: v2.4.4\n" } else { "" };
    format!(
        "muster: plan/v1\nnetwork: demo\nserial: 1\ntitle: any\nclass: hotfix\n\
         valid: {{from: 2026-07-23T12:00:00Z, until: 2026-07-26T12:00:00Z}}\n\
         action: {}\n{release}order:\n  - {{wave: canary, nodes: [{}], done: 1, soak: {}m}}\n  \
         - {{wave: rest, select: {{role: consensus-delegate}}, by: {}}}\n\
         budget: {{down: {} of 7}}\nparallel: {}\nfailures: {{tolerate: {}}}\n",
        choice.action,
        choice.canaries.join(", "),
        choice.soak,
        choice.by,
        choice.down,
        choice.parallel,
        choice.tolerate
    )
}

/// One change to a text, as a slip of the hand or of a disk could make it.
#[derive(Debug, Clone)]
enum Slip {
    Cut(usize),
    Drop(usize, usize),
    Insert(usize, String),
    Double(usize, usize),
}

fn slip() -> impl Strategy<Value = Slip> {
    let bits = vec![
        "{", "}", "[", "]", ":", "\n", "  ", "- ", "&a ", "*a", "<<: ", "!!int ", "\"", "'", "|\n",
        ">", "%", "\t", "\u{0}", "ü", "1e999", ".nan", "0x1F", "~", "---\n", "? ", ",", "#",
    ];
    let text = prop_oneof![
        proptest::sample::select(bits).prop_map(str::to_owned),
        "[a-z0-9 :{}\\-]{0,12}",
        proptest::char::any().prop_map(String::from),
    ];
    prop_oneof![
        any::<usize>().prop_map(Slip::Cut),
        (any::<usize>(), 0_usize..40).prop_map(|(at, len)| Slip::Drop(at, len)),
        (any::<usize>(), text).prop_map(|(at, text)| Slip::Insert(at, text)),
        (any::<usize>(), 0_usize..60).prop_map(|(at, len)| Slip::Double(at, len)),
    ]
}

fn slipped(text: &str, slips: &[Slip]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for slip in slips {
        let place = |at: usize| if chars.is_empty() { 0 } else { at % chars.len() };
        match slip {
            Slip::Cut(at) => chars.truncate(place(*at)),
            Slip::Drop(at, len) => {
                let (start, len) = (place(*at), *len);
                let end = (start + len).min(chars.len());
                chars.drain(start..end);
            }
            Slip::Insert(at, text) => {
                let start = place(*at);
                chars.splice(start..start, text.chars());
            }
            Slip::Double(at, len) => {
                let start = place(*at);
                let piece = chars[start..(start + len).min(chars.len())].to_vec();
                chars.splice(start..start, piece);
            }
        }
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_frozen_plan_is_read_back_from_its_canonical_json(choice in choice()) {
        let parsed = read::<PlanYaml>("plan.yaml", &yaml(&choice)).expect("readable");
        let known = known();
        let frozen = freeze(&parsed, &known).unwrap_or_else(|refused| panic!("{refused}"));
        let again: Plan = canonical::from_bytes(&frozen.bytes).expect("canonical");
        prop_assert_eq!(&again, &frozen.plan);
        prop_assert_eq!(canonical::to_bytes(&again).expect("canonical"), frozen.bytes);
        prop_assert_eq!(freeze(&parsed, &known).expect("again").id, frozen.id);
    }

    #[test]
    fn the_order_holds_every_chosen_node_once_and_canaries_first(choice in choice()) {
        let parsed = read::<PlanYaml>("plan.yaml", &yaml(&choice)).expect("readable");
        let plan = freeze(&parsed, &known()).expect("sound").plan;
        let order: Vec<_> = plan.order().map(|(_, name)| name.as_str()).collect();
        prop_assert_eq!(&order[..choice.canaries.len()], choice.canaries.as_slice());
        let mut sorted = order.clone();
        sorted.sort_unstable();
        prop_assert_eq!(sorted, DELEGATES.to_vec());
    }

    #[test]
    fn a_duration_is_read_back_as_it_is_written(millis in 0_u64..400 * 86_400_000) {
        let written = Millis(millis).to_string();
        prop_assert_eq!(Millis::parse(&written), Some(Millis(millis)), "{}", written);
    }

    #[test]
    fn no_text_makes_the_units_fall_over(text in ".{0,24}") {
        if let Some(read) = Millis::parse(&text) {
            prop_assert_eq!(Millis::parse(&read.to_string()), Some(read));
        }
    }

    #[test]
    fn no_slip_in_a_text_makes_reader_or_lint_fall_over(
        slips in proptest::collection::vec(slip(), 1..6),
        which in 0_usize..5,
    ) {
        let known = known();
        let drawn = match which {
            0 => {
                let text = slipped(&example("plan-upgrade.yaml"), &slips);
                match read::<PlanYaml>("x.yaml", &text) {
                    Ok(parsed) => lint_plan(&parsed, &known).len(),
                    Err(refused) => refused.to_string().len() + refused.to_json().to_string().len(),
                }
            }
            1 => {
                let text = slipped(&example("roster.yaml"), &slips);
                let read = read::<RosterYaml>("x.yaml", &text);
                let made = read.and_then(|parsed| roster::roster(&parsed, None, now()));
                made.map_or_else(|refused| refused.to_string().len(), |made| made.nodes.len())
            }
            2 => {
                let text = slipped(&example("release-v2.4.4.yaml"), &slips);
                let read = read::<ReleaseYaml>("x.yaml", &text);
                let made = read.and_then(|parsed| release::release(&parsed, None, now()));
                made.map_or_else(|refused| refused.to_string().len(), |made| made.from.len())
            }
            3 => {
                let read = read::<RootYaml>("x.yaml", &slipped(&example("root.yaml"), &slips));
                read.map_or_else(|refused| refused.to_string().len(), |_| 0)
            }
            _ => {
                let read = read::<KeysYaml>("x.yaml", &slipped(&example("keys.yaml"), &slips));
                read.map_or_else(|refused| refused.to_string().len(), |_| 0)
            }
        };
        // Nothing to compare: the text was read, refused and drawn without a panic.
        prop_assert!(drawn < 10_000_000);
    }
}
