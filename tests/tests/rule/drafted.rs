//! `muster plan simulate` of a frozen draft: what officers are about to sign is played through from
//! the draft alone, by the real program, in the folder of somebody who pinned the root.

use jiff::Timestamp;
use muster_tests::fleet::NETWORK;
use muster_tests::fleet::board::Board;
use muster_tests::fleet::officers::Officers;
use muster_tests::fleet::process::Said;
use muster_tests::fleet::script::Script;
use muster_tests::fleet::watcher::Watcher;
use muster_tests::tuf::roster;
use serde_json::Value;
use tempfile::TempDir;

/// A board with a signed roster of four, and somebody who has frozen a restart of all of them.
struct Office {
    board: Board,
    watcher: Watcher,
    _folder: TempDir,
}

impl Office {
    async fn with_a_draft() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut board = Board::init(&folder.path().join("board"), NETWORK).await.expect("a board");
        let mut officers = Officers::new(NETWORK, board.publishers).expect("a root");
        let (root, digest) = officers.first_root();
        board.pin(root, &digest).expect("pinned");
        board.allow("alice", &officers.desk_key(), "watch, publish").expect("allowed");
        let home = folder.path().join("wendy");
        let watcher = Watcher::new("wendy", &home, &officers, NETWORK, &board, "watch").await;
        let watcher = watcher.expect("muster init");
        board.start().await.expect("the board starts");
        officers.attach(&board.address).await.expect("attached");
        officers.publish_keys().await.expect("published");
        let issued = Timestamp::from_second(Timestamp::now().as_second()).expect("a second");
        let mut four = roster(1);
        (four.network, four.issued) = (NETWORK.into(), issued);
        officers.publish_roster(&four).await.expect("published");
        let office = Self { board, watcher, _folder: folder };
        office.write("plan.yaml", &Script::new(1, "restart", 4).yaml());
        let frozen = office.muster(&["plan", "freeze", "plan.yaml", "-o", "plan.draft"]).await;
        assert_eq!(frozen.code, 0, "{frozen:?}");
        office
    }

    async fn muster(&self, args: &[&str]) -> Said {
        self.watcher.muster(args).await.expect("muster runs")
    }

    async fn simulate(&self, file: &str, more: &[&str]) -> Said {
        self.muster(&[&["plan", "simulate", file], more].concat()).await
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.watcher.home().join(file), text).expect("written");
    }
}

fn json(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"))
}

#[tokio::test]
async fn a_frozen_draft_tells_the_story_of_the_plan_that_it_was_frozen_from() {
    let office = Office::with_a_draft().await;
    let written = office.simulate("plan.yaml", &["--seed", "3", "--json"]).await;
    let drafted = office.simulate("plan.draft", &["--seed", "3", "--json"]).await;
    assert_eq!(drafted.code, 0, "{drafted:?}");
    let told = json(&drafted);
    assert_eq!((&told["plan"], &told["done"]), (&"hotfix/1".into(), &4.into()), "{told}");
    assert_eq!((&told["complete"], &told["fewest_seats"]), (&true.into(), &3.into()), "{told}");
    assert_eq!(told, json(&written), "the author's file and the draft of it");
}

#[tokio::test]
async fn a_frozen_draft_is_played_through_without_any_board() {
    let mut office = Office::with_a_draft().await;
    office.board.kill().await.expect("killed");
    let said = office.simulate("plan.draft", &[]).await;
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    for part in ["began, ", "done, away ", "complete after ", "fewest seats there 3"] {
        assert!(said.out.contains(part), "{part:?} in:\n{}", said.out);
    }
    let failing = office.simulate("plan.draft", &["--fail", "robot-1@start", "--json"]).await;
    assert_eq!(failing.code, 1, "{failing:?}");
    assert_eq!(json(&failing)["complete"], false);
}

#[tokio::test]
async fn a_draft_that_somebody_changed_is_not_played_through() {
    let office = Office::with_a_draft().await;
    let file = office.watcher.home().join("plan.draft");
    let mut draft: Value =
        serde_json::from_slice(&std::fs::read(file).expect("the draft")).expect("JSON");
    draft["signed"]["expires"] = "2030-01-01T00:00:00Z".into();
    office.write("plan.draft", &draft.to_string());
    let said = office.simulate("plan.draft", &[]).await;
    assert_eq!((said.code, said.out.as_str()), (3, ""), "{said:?}");
    assert!(said.err.contains("error[T074]"), "{said:?}");
}
