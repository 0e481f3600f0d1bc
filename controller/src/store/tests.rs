use super::*;

async fn open(dir: &tempfile::TempDir) -> Result<Store, StoreError> {
    Store::open(&dir.path().join("board.db"), "testnet", 1).await
}

fn root(version: u64) -> Write {
    Write::Root { version, metadata: vec![version as u8] }
}

fn metadata(role: &str, version: u64) -> Write {
    Write::Metadata { role: role.into(), version, metadata: vec![version as u8] }
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir).await.unwrap();
    let batch = [root(1), root(2), metadata("hotfix", 1), metadata("hotfix", 2)];
    store.commit(&batch).await.unwrap();
    store.close().await;

    let loaded = open(&dir).await.unwrap().load().await.unwrap();
    assert_eq!(loaded.roots, [vec![1], vec![2]]);
    assert_eq!(loaded.metadata["hotfix"], [2]);
}

#[tokio::test]
async fn only_the_newest_timestamp_is_kept_and_every_version_of_other_roles() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir).await.unwrap();
    let batch = [metadata("timestamp", 1), metadata("timestamp", 2), metadata("roster", 1)];
    store.commit(&batch).await.unwrap();
    store.commit(&[metadata("roster", 2)]).await.unwrap();
    let count = "SELECT COUNT(*) FROM metadata WHERE role = ?";
    let rows = |role: &'static str| sqlx::query_scalar(count).bind(role).fetch_one(&store.read);
    let (timestamps, rosters): (i64, i64) =
        (rows("timestamp").await.unwrap(), rows("roster").await.unwrap());
    assert_eq!((timestamps, rosters), (1, 2));
}

#[tokio::test]
async fn a_batch_is_written_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir).await.unwrap();
    sqlx::query("DROP TABLE holds").execute(&store.write).await.unwrap();
    let batch = [root(1), Write::Release { class: "hotfix".into(), serial: 1 }];
    assert!(matches!(store.commit(&batch).await, Err(StoreError::Failed { .. })));
    let roots: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM roots").fetch_one(&store.read).await.unwrap();
    assert_eq!(roots, 0);
}

#[tokio::test]
async fn a_damaged_store_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir).await.unwrap();
    store.commit(&[root(1)]).await.unwrap();
    store.close().await;
    let path = dir.path().join("board.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[4096..end].fill(0xa5);
    std::fs::write(&path, &bytes).unwrap();

    assert!(matches!(open(&dir).await, Err(StoreError::Corrupt { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("board.db"), "no database at all, but long enough").unwrap();
    assert!(matches!(open(&dir).await, Err(StoreError::Corrupt { .. })));
}

#[tokio::test]
async fn the_store_of_another_network_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    open(&dir).await.unwrap().close().await;
    let other = Store::open(&dir.path().join("board.db"), "mainnet", 1).await;
    assert!(matches!(other, Err(StoreError::Network { .. })));
}
