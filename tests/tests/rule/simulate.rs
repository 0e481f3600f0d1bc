//! `muster plan simulate` by the real program, on a plan that its author has just written.

use std::path::Path;

use muster_tests::fleet::process::{Said, binary, run};
use muster_tests::terminal::fits;
use serde_json::Value;
use tempfile::TempDir;

/// An author's folder: the roster and the release of the examples, and a plan of today.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().expect("a folder"));
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/examples");
        for file in ["roster.yaml", "release-v2.4.4.yaml"] {
            std::fs::copy(examples.join(file), desk.0.path().join(file)).expect("an example");
        }
        let day = |days: i64| {
            let day = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days);
            day.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
        };
        let plan = std::fs::read_to_string(examples.join("plan-upgrade.yaml")).expect("a plan");
        let valid = plan.lines().find(|line| line.starts_with("valid:")).expect("its validity");
        let today = format!("valid: {{from: {}, until: {}}}", day(0), day(2));
        desk.write("plan.yaml", &plan.replace(valid, &today));
        desk
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.0.path().join(file), text).expect("written");
    }

    async fn simulate(&self, more: &[&str]) -> Said {
        let args = [
            &["--dir", ".", "plan", "simulate", "plan.yaml"][..],
            &["--roster", "roster.yaml", "--release", "release-v2.4.4.yaml"],
            more,
        ];
        let muster = binary("muster").expect("muster is built");
        run(&muster, &args.concat(), self.0.path()).await.expect("it runs")
    }
}

fn json(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"))
}

#[tokio::test]
async fn a_plan_is_played_through_with_its_fewest_seats_and_its_duration() {
    let said = Desk::new().simulate(&[]).await;
    assert_eq!(said.code, 0, "{said:?}");
    for part in ["acknowledged by all", "began, ", "done, away ", "gate", "complete after "] {
        assert!(said.out.contains(part), "{part:?} in:\n{}", said.out);
    }
    assert!(said.out.contains("fewest seats there "), "{}", said.out);
    fits(&said.out);
}

#[tokio::test]
async fn the_same_seed_tells_the_same_story_and_another_one_another() {
    let desk = Desk::new();
    let one = desk.simulate(&["--seed", "7", "--json"]).await;
    assert_eq!(json(&one)["seed"], 7);
    assert_eq!(json(&one), json(&desk.simulate(&["--seed", "7", "--json"]).await));
    let other = desk.simulate(&["--seed", "8", "--json"]).await;
    assert_ne!(json(&one)["duration_ms"], json(&other)["duration_ms"]);
}

#[tokio::test]
async fn a_canary_that_fails_ends_the_rollout_and_the_command_says_so_by_its_exit_code() {
    let desk = Desk::new();
    let said = desk.simulate(&["--fail", "robot-1@start", "--fail", "robot-2@start"]).await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("not complete after "), "{}", said.out);
    assert!(said.out.contains("rolled back"), "{}", said.out);
    fits(&said.out);
}

#[tokio::test]
async fn who_is_absent_is_not_there_and_is_named_at_the_end() {
    let said = Desk::new().simulate(&["--absent", "robot-2", "--json"]).await;
    let told = json(&said);
    let (all, fewest) = (told["seats"].as_u64(), told["fewest_seats"].as_u64());
    assert!(fewest < all.map(|seats| seats - 1), "the absent one, and one at work: {told}");
    let never: Vec<_> = told["never"].as_array().expect("a list").iter().collect();
    assert!(never.iter().any(|one| one["node"] == "robot-2"), "{told}");
}

#[tokio::test]
async fn what_cannot_happen_in_the_plan_is_refused_by_its_code() {
    let desk = Desk::new();
    let wrong: [(&[&str], &str); 6] = [
        (&["--fail", "robot-1"], "R920"),
        (&["--fail", "Robot 1@start"], "R921"),
        (&["--absent", "Robot 1"], "R921"),
        (&["--fail", "robot-1@lunch"], "R922"),
        (&["--absent", "robot-99"], "R923"),
        (&["--absent", "robot-1", "--fail", "robot-1@start"], "R925"),
    ];
    for (args, code) in wrong {
        let said = desk.simulate(args).await;
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{said:?}");
        assert!(said.err.contains(&format!("error[{code}]")), "{code} in {said:?}");
    }
}

#[tokio::test]
async fn a_plan_that_lint_refuses_is_not_simulated() {
    let desk = Desk::new();
    let plan = std::fs::read_to_string(desk.0.path().join("plan.yaml")).expect("the plan");
    desk.write("plan.yaml", &plan.replace("parallel: 1", "parallel: 0"));
    let said = desk.simulate(&[]).await;
    assert_eq!((said.code, said.out.as_str()), (3, ""), "{said:?}");
    assert!(said.err.contains("P022"), "{said:?}");
}
