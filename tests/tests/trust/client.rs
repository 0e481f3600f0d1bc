//! The program for the public conformance suite, over what a real board publishes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use muster_proto::trust::Offer;
use muster_tests::fleet::NETWORK;
use muster_tests::fleet::board::Board;
use muster_tests::fleet::officers::Officers;
use muster_tests::fleet::process::{Said, binary, run};
use muster_tests::node::http::{Answer, serve};
use muster_tests::tuf::roster;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// Files by their path.
type Files = BTreeMap<String, String>;

/// What officers published on a real board: role keys and a roster.
async fn published(dir: &Path) -> Result<(Vec<u8>, Offer)> {
    let mut board = Board::init(&dir.join("board"), NETWORK).await?;
    let mut officers = Officers::new(NETWORK, board.publishers)?;
    board.found(&officers).await?;
    officers.attach(&board.address).await?;
    officers.publish_keys().await?;
    let mut four = roster(1);
    (four.network, four.issued) =
        (NETWORK.into(), Timestamp::from_second(Timestamp::now().as_second())?);
    officers.publish_roster(&four).await?;
    let root = officers.first_root().0.to_vec();
    Ok((root, officers.trust.offer(0)))
}

fn version(metadata: &[u8]) -> Result<u64> {
    let read: Value = serde_json::from_slice(metadata)?;
    read["signed"]["version"].as_u64().context("a version")
}

/// Metadata and targets under the names that TUF gives them.
fn files(offer: &Offer) -> Result<Files> {
    let mut files = Files::new();
    let mut put = |name: String, bytes: &[u8]| -> Result<()> {
        files.insert(name, String::from_utf8(bytes.to_vec())?);
        Ok(())
    };
    put("timestamp.json".into(), offer.timestamp.as_deref().context("a timestamp")?)?;
    let snapshot = offer.snapshot.as_deref().context("a snapshot")?;
    put(format!("{}.snapshot.json", version(snapshot)?), snapshot)?;
    for (role, metadata) in &offer.roles {
        put(format!("{}.{role}.json", version(metadata)?), metadata)?;
    }
    for (path, content) in &offer.targets {
        let (dir, name) = path.rsplit_once('/').context("a path")?;
        let digest = muster_proto::documents::Digest::of(content);
        put(format!("targets/{dir}/{}.{name}", digest.hex()), content)?;
    }
    Ok(files)
}

/// A web server with these files, and somebody who asks it.
struct Client {
    dir: TempDir,
    url: String,
}

impl Client {
    async fn new(root: &[u8], files: Files) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        std::fs::write(dir.path().join("first.json"), root)?;
        for sub in ["metadata", "targets"] {
            std::fs::create_dir(dir.path().join(sub))?;
        }
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        tokio::spawn(serve(listener, move |path, _| match files.get(path.trim_matches('/')) {
            Some(body) => Answer::plain(200, body),
            None => Answer::not_found(),
        }));
        Ok(Self { dir, url })
    }

    /// Runs the program as the suite does.
    async fn ask(&self, more: &[&str]) -> Result<Said> {
        let base = format!("{}/targets", self.url);
        let args = ["--metadata-dir", "metadata", "--metadata-url", &self.url];
        let targets = ["--target-base-url", &base, "--target-dir", "targets"];
        run(&binary("tuf-client")?, &[&args[..], &targets, more].concat(), self.dir.path()).await
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

#[track_caller]
fn failed(said: &Said) {
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.starts_with("tuf-client: "), "{said:?}");
}

#[tokio::test]
async fn the_conformance_client_trusts_refreshes_and_downloads_what_a_board_publishes() -> Result<()>
{
    let folder = tempfile::tempdir()?;
    let (root, offer) = published(folder.path()).await?;
    let good = files(&offer)?;
    let (path, content) = offer.targets.iter().next().context("a roster")?;
    let client = Client::new(&root, good.clone()).await?;
    failed(&client.ask(&["refresh"]).await?);
    assert_eq!(client.ask(&["init", "first.json"]).await?.code, 0);
    let refreshed = client.ask(&["refresh"]).await?;
    ensure!(refreshed.code == 0, "{refreshed:?}");
    for role in ["root", "timestamp", "snapshot", "targets"] {
        assert!(client.file(&format!("metadata/{role}.json")).is_file(), "{role}");
    }
    let got = client.ask(&["--target-name", path, "download"]).await?;
    ensure!(got.code == 0, "{got:?}");
    let mut downloaded = std::fs::read_dir(client.file("targets"))?;
    let file = downloaded.next().context("a file")??.path();
    assert_eq!(&std::fs::read(file)?, content);
    failed(&client.ask(&["--target-name", "roster/testnet/99.json", "download"]).await?);
    Ok(())
}

#[tokio::test]
async fn the_conformance_client_fails_on_what_is_no_root_or_was_changed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (root, offer) = published(folder.path()).await?;
    let good = files(&offer)?;
    let client = Client::new(b"{}", good.clone()).await?;
    failed(&client.ask(&["init", "first.json"]).await?);
    assert!(!client.file("metadata/root.json").exists());

    let changes = [("timestamp.json", "\"version\":"), ("snapshot.json", "\"version\":")];
    for (name, field) in changes {
        let mut changed = good.clone();
        for (_, text) in changed.iter_mut().filter(|(file, _)| file.ends_with(name)) {
            *text = text.replace(field, &format!("{field}1"));
        }
        assert!(changed != good, "{name} holds no {field}");
        let client = Client::new(&root, changed).await?;
        assert_eq!(client.ask(&["init", "first.json"]).await?.code, 0);
        failed(&client.ask(&["refresh"]).await?);
        assert!(!client.file("metadata").join(name).exists(), "{name} was kept");
    }

    let mut changed = good.clone();
    for (_, text) in changed.iter_mut().filter(|(file, _)| file.starts_with("targets/")) {
        *text = text.replace("on call", "on leave").replace("example", "elsewhere");
    }
    assert!(changed != good);
    let (path, _) = offer.targets.iter().next().context("a roster")?;
    let client = Client::new(&root, changed).await?;
    assert_eq!(client.ask(&["init", "first.json"]).await?.code, 0);
    failed(&client.ask(&["--target-name", path, "download"]).await?);
    assert_eq!(std::fs::read_dir(client.file("targets"))?.count(), 0);
    Ok(())
}
