//! Serials: used once, never again, whoever asks.

use muster_proto::documents::ids::{Class, Counter};
use muster_proto::documents::{Digest, PlanId};
use muster_proto::rule::Final;
use muster_proto::trust::{Admitted, Ledger};
use muster_tests::tuf::NETWORK;
use proptest::prelude::*;

fn id(class: Class, serial: u64) -> PlanId {
    PlanId { class, serial, digest: Digest::of(format!("{class}/{serial}").as_bytes()) }
}

fn hotfix(serial: u64) -> PlanId {
    id(Class::Hotfix, serial)
}

fn with(serials: &[u64]) -> Ledger {
    let mut ledger = Ledger::default();
    for serial in serials {
        ledger.admit(NETWORK, &hotfix(*serial), None).expect("the next serial");
    }
    ledger
}

fn refusal(ledger: &mut Ledger, plan: &PlanId, floor: Option<u64>) -> &'static str {
    let before = ledger.clone();
    let code = ledger.admit(NETWORK, plan, floor).expect_err("a refusal").code();
    if floor.is_none() {
        assert_eq!(*ledger, before, "a refusal changed the ledger");
    }
    code
}

#[test]
fn the_same_plan_comes_again_and_again() {
    let mut ledger = with(&[1, 2, 3]);
    assert_eq!(ledger.admit(NETWORK, &hotfix(1), None), Ok(Admitted::Known));
    assert_eq!(ledger.last(NETWORK, Counter::Ordinary), 3);
}

#[test]
fn an_unknown_lower_serial_is_refused() {
    assert_eq!(refusal(&mut with(&[1, 5]), &hotfix(4), None), "R901");
}

#[test]
fn one_serial_with_other_bytes_is_refused() {
    let mut other = hotfix(5);
    other.digest = Digest::of(b"other bytes");
    assert_eq!(refusal(&mut with(&[1, 5]), &other, None), "R902");
    // hotfix and drill share one counter.
    assert_eq!(refusal(&mut with(&[1, 5]), &id(Class::Drill, 5), None), "R902");
}

#[test]
fn a_serial_more_than_a_thousand_above_is_refused() {
    let mut ledger = with(&[7]);
    assert_eq!(refusal(&mut ledger, &hotfix(1008), None), "R903");
    assert_eq!(ledger.admit(NETWORK, &hotfix(1007), None), Ok(Admitted::New));
    assert_eq!(refusal(&mut Ledger::default(), &hotfix(u64::MAX), None), "R903");
}

#[test]
fn serial_zero_is_refused() {
    assert_eq!(refusal(&mut Ledger::default(), &hotfix(0), None), "R904");
}

#[test]
fn emergencies_count_for_themselves() {
    let mut ledger = with(&[900]);
    assert_eq!(ledger.admit(NETWORK, &id(Class::Emergency, 1), None), Ok(Admitted::New));
    assert_eq!(ledger.last(NETWORK, Counter::Emergency), 1);
}

#[test]
fn networks_count_for_themselves() {
    let mut ledger = with(&[900]);
    assert_eq!(ledger.admit("testnet", &hotfix(1), None), Ok(Admitted::New));
}

#[test]
fn a_floor_replaces_what_a_thief_burnt_and_applies_once() {
    let mut ledger = with(&[41, 999, 1999]);
    assert_eq!(ledger.admit(NETWORK, &hotfix(43), Some(42)), Ok(Admitted::New));
    // The same root's floor again: 44 follows 43, 43 is used up.
    assert_eq!(ledger.admit(NETWORK, &hotfix(44), Some(42)), Ok(Admitted::New));
    let mut other = hotfix(43);
    other.digest = Digest::of(b"other bytes");
    assert_eq!(refusal(&mut ledger, &other, Some(42)), "R902");
    assert_eq!(ledger.last(NETWORK, Counter::Ordinary), 44);
    // What was admitted up to the floor stays known; what was not is used up all the same.
    assert_eq!(ledger.admit(NETWORK, &hotfix(41), Some(42)), Ok(Admitted::Known));
    assert_eq!(refusal(&mut ledger, &hotfix(42), Some(42)), "R901");
}

#[test]
fn a_floor_lifts_a_newcomer_over_what_was_used_before_him() {
    let mut ledger = Ledger::default();
    assert_eq!(ledger.admit(NETWORK, &hotfix(5001), Some(5000)), Ok(Admitted::New));
    assert_eq!(refusal(&mut ledger, &hotfix(17), Some(5000)), "R901");
}

#[test]
fn plans_are_admitted_in_the_order_of_their_serials() {
    // A map of plans sorts hotfix before drill.
    let plans = [hotfix(2), hotfix(4), id(Class::Drill, 1), id(Class::Drill, 3)];
    let mut ledger = Ledger::default();
    let admitted = ledger.admit_all(NETWORK, &plans, |_| None);
    assert!(admitted.iter().all(|(_, it)| *it == Ok(Admitted::New)), "{admitted:?}");
}

#[test]
fn an_outcome_is_kept_with_its_very_plan() {
    let mut ledger = with(&[1]);
    assert!(ledger.settle(NETWORK, &hotfix(1), Final::RolledBack));
    assert!(!ledger.settle(NETWORK, &hotfix(1), Final::RolledBack), "nothing changed");
    assert_eq!(ledger.outcome(NETWORK, &hotfix(1)), Some(Final::RolledBack));
    assert!(!ledger.settle(NETWORK, &hotfix(2), Final::Done), "it was never admitted");
}

#[test]
fn a_ledger_survives_its_own_json() {
    let mut ledger = with(&[1, 2, 1002]);
    ledger.settle(NETWORK, &hotfix(2), Final::Done);
    let text = serde_json::to_string(&ledger).expect("JSON");
    assert_eq!(serde_json::from_str::<Ledger>(&text).expect("a ledger"), ledger);
}

proptest! {
    #[test]
    fn no_serial_is_ever_used_for_two_plans(
        asked in prop::collection::vec((0u64..40, 0u8..3, prop::option::of(0u64..3)), 1..80)
    ) {
        let mut ledger = Ledger::default();
        let mut used: std::collections::BTreeMap<u64, Digest> = Default::default();
        for (serial, flavour, _) in asked {
            let mut plan = hotfix(serial);
            plan.digest = Digest::of(&[flavour]);
            let last = ledger.last(NETWORK, Counter::Ordinary);
            match ledger.admit(NETWORK, &plan, None) {
                Ok(Admitted::New) => {
                    prop_assert!(serial > last);
                    prop_assert!(used.insert(serial, plan.digest).is_none());
                }
                Ok(Admitted::Known) => prop_assert_eq!(used.get(&serial), Some(&plan.digest)),
                Err(_) => prop_assert!(used.get(&serial) != Some(&plan.digest)),
            }
        }
    }
}
