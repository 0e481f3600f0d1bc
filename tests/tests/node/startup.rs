//! Start-up of the stand-in: exit codes and words, deafness, the silent lock, bootstrap peers.

use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use anyhow::Result;
use muster_tests::node::behaviour::Behaviour;
use muster_tests::node::fleet::Fleet;
use muster_tests::node::host::{Home, Place, Spec};
use muster_tests::node::process::{Process, loopback};
use serde_json::Value;
use tokio::net::TcpListener;

const PATIENCE: Duration = Duration::from_secs(10);

fn quick() -> Behaviour {
    Behaviour::version("v2.4.4").scaled(10.0).starting_in(20)
}

/// A home of its own whose node has no bootstrap peers, changed by `change` before the start.
async fn ending(number: u8, change: impl FnOnce(&Home)) -> Result<(Option<i32>, String)> {
    let folder = tempfile::tempdir()?;
    let ip = loopback(number, 1);
    let spec = Spec::new(1, ip, vec![]);
    let home = Home::lay_out(folder.path(), &spec, Place::Process(ip))?;
    change(&home);
    let mut node = Process::start(&home, &quick(), ip)?;
    let status = node.exit(PATIENCE).await?;
    Ok((status.code(), node.output()))
}

fn edit(path: &std::path::Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

/// The first line that the real node printed in this case, without date and line numbers.
fn recorded(case: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/recorded/failures.json");
    let text = std::fs::read_to_string(path).unwrap();
    let cases: Value = serde_json::from_str(text.split_once('\n').unwrap().1).unwrap();
    let lines = cases[case]["first_bad_lines"].as_array().unwrap();
    plain(lines[0].as_str().unwrap())
}

/// From the first word after the date on; line numbers differ between files.
fn plain(line: &str) -> String {
    let words = line.split_whitespace().skip_while(|w| *w != "Failed");
    let number = |w: &str| w.trim_end_matches(':').parse::<u32>().is_ok();
    let words = words.map(|w| if number(w) { "N" } else { w });
    words.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn files_that_do_not_fit_end_with_1_and_the_recorded_words() -> Result<()> {
    let (code, said) = ending(0, |home| {
        edit(&home.config(), "consensus:\n", "consensus: [\n");
    })
    .await?;
    assert_eq!(code, Some(1));
    assert_eq!(plain(said.lines().next().unwrap()), recorded("badyaml"));

    let (code, said) = ending(0, |home| {
        edit(&home.config(), "system:\n", "fooBar: 1\nsystem:\n");
    })
    .await?;
    assert_eq!(code, Some(1));
    assert_eq!(plain(said.lines().next().unwrap()), recorded("unkkey"));
    assert!(said.contains("field fooBar not found in type config.Config"), "{said}");

    let (code, said) = ending(0, |home| {
        edit(&home.config(), "httpAdminPort: 9009", "httpAdminPort: abc");
    })
    .await?;
    assert_eq!(code, Some(1));
    assert!(said.contains("cannot unmarshal !!str `abc` into int"), "{said}");

    let (code, said) = ending(0, |home| {
        edit(&home.genesis(), "wakeHeight", "zebraHeight");
    })
    .await?;
    assert_eq!(code, Some(1));
    assert_eq!(plain(said.lines().next().unwrap()), recorded("unkgen"));
    assert!(said.contains("field zebraHeight not found in type genesis.Blockchain"), "{said}");
    Ok(())
}

#[tokio::test]
async fn files_that_are_missing_end_with_1() -> Result<()> {
    let (code, said) = ending(0, |home| {
        std::fs::remove_file(home.config()).unwrap();
        std::fs::create_dir(home.config()).unwrap();
    })
    .await?;
    assert_eq!(code, Some(1));
    assert!(said.contains("failed to init config: error applying options: read "), "{said}");
    assert!(said.contains("config.yaml: is a directory}"), "{said}");

    let (code, said) = ending(0, |home| std::fs::remove_file(home.genesis()).unwrap()).await?;
    assert_eq!(code, Some(1));
    assert!(said.contains("Failed to new genesis config. {error 26 0  error when"), "{said}");
    assert!(said.contains("genesis.yaml: no such file or directory}"), "{said}");

    let (code, said) = ending(0, |home| {
        std::fs::remove_file(home.data().join("trie.db.patch")).unwrap();
    })
    .await?;
    assert_eq!(code, Some(1));
    assert!(said.contains("failed to open kvstore patch"), "{said}");
    assert!(said.contains(r#""level":"fatal""#), "{said}");
    Ok(())
}

#[tokio::test]
async fn an_older_version_refuses_the_keys_of_a_newer_genesis() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let ip = loopback(1, 1);
    let home = Home::lay_out(folder.path(), &Spec::new(1, ip, vec![]), Place::Process(ip))?;
    edit(&home.genesis(), "  wakeHeight", "  yapHeight: 70\n  wakeHeight");
    let older = Behaviour { genesis_keys: vec![], ..quick() };
    let status = Process::start(&home, &older, ip)?.exit(PATIENCE).await?;
    assert_eq!(status.code(), Some(1));
    let newer = Process::start(&home, &quick(), ip)?;
    newer.until(PATIENCE, async |n| n.status("/readiness").await == 200).await
}

#[tokio::test]
async fn a_bad_key_or_flag_ends_with_2_and_an_absent_key_follows() -> Result<()> {
    let (code, said) = ending(2, |home| edit(&home.config(), "Key: \"", "Key: \"xx")).await?;
    assert_eq!(code, Some(2));
    assert_eq!(said.lines().next(), Some("panic: Error when decoding private key"));

    let folder = tempfile::tempdir()?;
    let ip = loopback(2, 1);
    let home = Home::lay_out(folder.path(), &Spec::new(1, ip, vec![]), Place::Process(ip))?;
    let flags = ["-config-pth=x".to_owned()];
    let status = Process::start_with(&home, &quick(), ip, &flags)?.exit(PATIENCE).await?;
    assert_eq!(status.code(), Some(2));

    edit(&home.config(), "producerPrivKey", "# was");
    let node = Process::start(&home, &quick(), ip)?;
    node.until(PATIENCE, async |n| n.status("/readiness").await == 200).await
}

#[tokio::test]
async fn read_only_data_panics_and_ends_with_0() -> Result<()> {
    let (code, said) = ending(3, |home| {
        // Root may write where it pleases, but not into a folder.
        std::fs::create_dir(home.data().join("chain.db")).unwrap();
    })
    .await?;
    assert_eq!(code, Some(0));
    assert!(said.contains("blockdao is nil"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_taken_grpc_port_ends_with_1_and_a_taken_probe_port_is_only_logged() -> Result<()> {
    let taken = TcpListener::bind((loopback(4, 1), 14_014)).await?;
    let (code, said) = ending(4, |_| ()).await?;
    assert_eq!(code, Some(1));
    assert!(said.contains("listen tcp :14014: bind: address already in use"), "{said}");
    drop(taken);

    let _taken = TcpListener::bind((loopback(4, 1), 8_080)).await?;
    let folder = tempfile::tempdir()?;
    let ip = loopback(4, 1);
    let home = Home::lay_out(folder.path(), &Spec::new(1, ip, vec![]), Place::Process(ip))?;
    let node = Process::start(&home, &quick(), ip)?;
    node.until(PATIENCE, async |n| n.height().await.is_some()).await?;
    assert!(node.output().contains("Failed to listen on probe port"));
    Ok(())
}

#[tokio::test]
async fn before_it_is_ready_only_sigkill_ends_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let ip = loopback(5, 1);
    // Nobody listens there: it waits for bootstrap peers for ever.
    let spec = Spec::new(1, ip, vec![format!("{}:4689", loopback(5, 9))]);
    let home = Home::lay_out(folder.path(), &spec, Place::Process(ip))?;
    let mut node = Process::start(&home, &quick(), ip)?;
    node.until(PATIENCE, async |n| n.height().await.is_some()).await?;
    assert_eq!((node.status("/liveness").await, node.status("/readiness").await), (200, 503));
    node.signal("TERM").await?;
    let gone = node.exit(Duration::from_secs(1)).await;
    assert!(gone.is_err(), "it must be deaf");
    assert_eq!(node.status("/liveness").await, 200);
    node.signal("KILL").await?;
    assert_eq!(node.exit(PATIENCE).await?.signal(), Some(9), "137 in a container");
    assert!(!node.output().contains("Server is ready."));
    Ok(())
}

#[tokio::test]
async fn sigterm_in_the_first_moments_is_lost_or_ends_it_with_2() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let ip = loopback(6, 1);
    let home = Home::lay_out(folder.path(), &Spec::new(1, ip, vec![]), Place::Process(ip))?;
    // The process listens for signals once it has printed its configuration, after a few milliseconds;
    // with 100 s to start, that is the time in which they are lost.
    let slow = quick().starting_in(100_000);
    let mut node = Process::start(&home, &slow, ip)?;
    node.until(PATIENCE, async |n| n.output().contains("Genesis hash")).await?;
    node.signal("TERM").await?;
    assert!(node.exit(Duration::from_millis(500)).await.is_err(), "lost");
    node.signal("KILL").await?;
    node.exit(PATIENCE).await?;

    // With 4 s to start, 0.46 s to 1.08 s after the start is the time in which they kill.
    let home =
        Home::lay_out(folder.path().join("b"), &Spec::new(1, ip, vec![]), Place::Process(ip))?;
    let mut node = Process::start(&home, &quick().starting_in(4_000), ip)?;
    node.until(PATIENCE, async |n| n.output().contains("Genesis hash")).await?;
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    let ends = loop {
        pace.tick().await;
        if node.signal("TERM").await.is_err() || !node.runs() {
            break node.exit(PATIENCE).await?;
        }
    };
    assert_eq!(ends.code(), Some(2));
    Ok(())
}

#[tokio::test]
async fn a_second_node_on_the_same_data_waits_silently_and_is_ready_when_the_first_has_left()
-> Result<()> {
    let mut fleet = Fleet::start(7, 1, &quick(), "30s", PATIENCE).await?;
    let first = &mut fleet.delegates[0];
    let ip = loopback(7, 99);
    let spec = Spec { external_host: ip, ..first.spec.clone() };
    let root = first.home.root().join("second");
    let home = Home::lay_out(&root, &spec, Place::Process(ip))?;
    edit(
        &home.config(),
        &home.data().display().to_string(),
        &first.home.data().display().to_string(),
    );
    let second = Process::start(&home, &quick(), ip)?;
    second.until(PATIENCE, async |n| n.status("/liveness").await == 200).await?;
    let mark = fleet.mark();
    // Ten more blocks, and nothing but liveness.
    fleet.until(0, PATIENCE, |r| r.height >= 12).await?;
    assert_eq!((second.status("/readiness").await, second.height().await), (503, None));
    second.signal("TERM").await?;
    fleet.until(mark, PATIENCE, |r| r.blocks.len() >= 12).await?;
    assert_eq!(second.status("/liveness").await, 200, "deaf");
    drop(second);

    let third = Process::start(&home, &quick(), ip)?;
    third.until(PATIENCE, async |n| n.status("/liveness").await == 200).await?;
    let first = fleet.delegates[0].node()?;
    assert_eq!(first.stop(PATIENCE).await?.code(), Some(0));
    third.until(Duration::from_secs(1), async |n| n.status("/readiness").await == 200).await?;
    assert!(fleet.referee.report(0).equivocations.is_empty());
    Ok(())
}

#[tokio::test]
async fn it_waits_for_more_than_half_of_its_bootstrap_peers_and_a_starting_node_is_one()
-> Result<()> {
    let mut fleet = Fleet::lay_out(8, 3, &quick(), "30s").await?;
    let all: Vec<String> =
        fleet.delegates.iter().map(|d| format!("{}:4689", d.spec.external_host)).collect();
    let referee = fleet.referee.p2p().to_string();
    for (n, delegate) in fleet.delegates.iter_mut().enumerate() {
        // The referee, the three delegates, and one that never answers: of the four others, three are needed.
        let mut spec = delegate.spec.clone();
        spec.bootstrap =
            [all.clone(), vec![referee.clone(), format!("{}:1", loopback(8, 99))]].concat();
        let root = delegate.home.root().join("again");
        delegate.home = Home::lay_out(root, &spec, Place::Process(spec.external_host))?;
        if n < 2 {
            delegate.start()?;
        }
    }
    for delegate in &mut fleet.delegates[..2] {
        let node = delegate.node()?;
        node.until(PATIENCE, async |n| n.height().await.is_some()).await?;
        assert_eq!(node.status("/readiness").await, 503);
    }
    fleet.delegates[2].start()?;
    fleet.until(0, PATIENCE, |r| r.height >= 2 && r.all_at_tip()).await?;
    for delegate in &mut fleet.delegates {
        let node = delegate.node()?;
        assert_eq!(node.status("/readiness").await, 200);
    }
    Ok(())
}
