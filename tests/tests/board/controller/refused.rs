//! Why a controller does not start, each by its code; nothing is made or changed by it.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use muster_controller::config::Config;
use muster_controller::mark::Mark;
use muster_controller::serve::Running;
use muster_controller::store::Store;
use muster_controller::{init, keys};
use muster_proto::documents::Digest;
use tempfile::TempDir;

/// The code that an error begins with.
#[track_caller]
fn code(error: &impl std::error::Error) -> String {
    let said = error.to_string();
    said.split(':').next().unwrap_or_default().to_owned()
}

/// A folder as `muster-controller init` makes it, with a file in the place of the first root.
struct Board(TempDir);

impl Board {
    fn new(root: &str) -> Self {
        let board = Self(tempfile::tempdir().expect("a folder"));
        init::init(board.0.path(), "testnet", "127.0.0.1:0").expect("made");
        std::fs::write(board.path("1.root.json"), root).expect("written");
        board.add(&format!(
            "root: {{file: 1.root.json, sha256: \"{}\"}}",
            Digest::of(root.as_bytes())
        ));
        board
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn add(&self, line: &str) {
        let path = self.path("controller.yaml");
        let text = std::fs::read_to_string(&path).expect("a configuration");
        std::fs::write(&path, format!("{text}{line}\n")).expect("written");
    }

    fn config(&self) -> Config {
        Config::read(&self.path("controller.yaml")).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The code of why it does not start.
    async fn refusal(&self) -> String {
        let started = Running::start(self.config(), &self.path("controller.yaml")).await;
        code(&started.err().expect("it does not start"))
    }
}

#[test]
fn a_configuration_that_is_not_there_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let refused = Config::read(&dir.path().join("controller.yaml")).expect_err("nothing there");
    assert_eq!(code(&refused), "C001");
}

#[tokio::test]
async fn a_root_that_is_not_the_pinned_one_or_none_at_all_is_refused() {
    let board = Board::new("no root");
    assert_eq!(board.refusal().await, "C019", "it has the digest, and is no root");
    std::fs::write(board.path("1.root.json"), "another").expect("written");
    assert_eq!(board.refusal().await, "C005");
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_made_is_refused() {
    let board = Board::new("no root");
    std::fs::write(board.path("data"), "in the way").expect("written");
    assert_eq!(board.refusal().await, "C020");
}

#[tokio::test]
async fn a_data_folder_that_another_controller_uses_is_refused() {
    let board = Board::new("no root");
    // A first start makes the lock, and lets go of it because the root is none.
    assert_eq!(board.refusal().await, "C019");
    let lock = std::fs::File::open(board.path("data/board.lock")).expect("the lock");
    lock.lock().expect("locked");
    assert_eq!(board.refusal().await, "C022");
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_or_was_laid_out_otherwise_is_refused() {
    let board = Board::new("no root");
    let path = board.path("nowhere/board.db");
    assert_eq!(code(&Store::open(&path, "testnet", 0).await.expect_err("no folder")), "C010");
    let path = board.path("board.db");
    Store::open(&path, "testnet", 0).await.expect("a store").close().await;
    let database = rusqlite::Connection::open(&path).expect("opens");
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, \
                 execution_time) VALUES (9999, 'of a newer program', 1, x'00', 0)";
    database.execute(newer, []).expect("written");
    drop(database);
    assert_eq!(code(&Store::open(&path, "testnet", 0).await.expect_err("newer")), "C012");
}

#[test]
fn key_files_that_are_missing_open_to_others_or_no_keys_are_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("tls.pem");
    assert_eq!(code(&keys::read(&path).expect_err("not there")), "C030");
    keys::make(&path).expect("a key");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).expect("opened");
    let refused = keys::read(&path).expect_err("open to others");
    assert!(refused.to_string().starts_with("C031"), "{refused}");
    std::fs::write(&path, "no key").expect("written");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("closed");
    assert_eq!(code(&keys::read(&path).expect_err("no key")), "C032");
}

#[test]
fn a_mark_that_cannot_be_read_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    assert_eq!(code(&Mark::read(dir.path()).expect_err("a folder is no file")), "C015");
}

#[test]
fn init_refuses_a_place_and_a_name_that_cannot_be() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("file");
    std::fs::write(&file, "in the way").expect("written");
    let refused = init::init(&file, "testnet", "127.0.0.1:0").expect_err("no folder");
    assert!(refused.to_string().starts_with("C041"), "{refused}");
    let refused = init::init(dir.path(), "../mainnet", "127.0.0.1:0").expect_err("no network");
    assert!(refused.to_string().starts_with("C042"), "{refused}");
    assert_eq!(std::fs::read_dir(dir.path()).expect("a folder").count(), 1, "nothing was made");
}
