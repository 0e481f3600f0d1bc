//! What others tell of a node that changes its version: the old series stays beside the new one.

use std::collections::BTreeMap;

use anyhow::Result;
use muster_tests::node::behaviour::Behaviour;
use muster_tests::node::fleet::Fleet;

use super::metrics::{page, tells_of};
use super::{PATIENCE, joined, json};

/// Height by address and version.
type Told = BTreeMap<(String, String), u64>;

/// `io10jte5 v2.4.3 373`, line by line.
fn told(lines: &str) -> Told {
    let words = |line: &str| {
        let mut words = line.split(' ').map(str::to_owned);
        let key = (words.next().unwrap(), words.next().unwrap());
        (key, words.next().unwrap().parse().unwrap())
    };
    lines.lines().map(words).collect()
}

/// The same of a page of metrics.
fn shown(page: &str) -> Told {
    let lines = page.lines().filter(|l| l.starts_with("iotex_node_info_height_gauge{"));
    let words = lines.map(|line| {
        let mut parts = line.split('"');
        let (address, version) = (parts.nth(1).unwrap(), parts.nth(1).unwrap());
        format!("{address} {version} {}", line.rsplit(' ').next().unwrap())
    });
    told(&words.collect::<Vec<_>>().join("\n"))
}

/// Whether one address is told of under `old` and `new`, and only the new one's height moves on.
fn stays_beside(before: &Told, after: &Told, (old, new): (&str, &str)) {
    let news: Vec<_> = after.keys().filter(|(_, version)| version == new).collect();
    assert!(!news.is_empty(), "{after:?}");
    for (address, _) in news {
        let of = |version: &str| (address.clone(), version.to_owned());
        assert_eq!(before.get(&of(new)), None);
        assert_eq!(after[&of(old)], before[&of(old)], "the old one stands still");
        assert!(after[&of(new)] > after[&of(old)]);
    }
}

#[tokio::test]
async fn an_old_version_s_series_stays_beside_the_new_one_s() -> Result<()> {
    let recorded = json("rolling-upgrade.json");
    let snapshots = recorded["node_info_on_boot_node"].as_array().unwrap().iter();
    let theirs: Vec<Told> = snapshots.map(|snapshot| told(&joined(&snapshot[1]))).collect();
    stays_beside(&theirs[0], &theirs[5], ("v2.4.4", "v2.4.3"));

    let behaviour = Behaviour::version("v2.4.4").scaled(20.0).starting_in(50);
    let mut fleet = Fleet::start(8, 4, &behaviour, "5s", PATIENCE).await?;
    let witness = fleet.delegates[0].node()?;
    witness.until(PATIENCE, async |n| tells_of(&page(n).await, 4)).await?;
    let changing = &mut fleet.delegates[3];
    assert_eq!(changing.node()?.stop(PATIENCE).await?.code(), Some(0));
    let before = shown(&page(fleet.delegates[0].node()?).await);
    let changing = &mut fleet.delegates[3];
    changing.behaviour = Behaviour { version: "v2.4.3".into(), ..behaviour };
    changing.start()?;
    let witness = fleet.delegates[0].node()?;
    witness.until(PATIENCE, async |n| tells_of(&page(n).await, 5)).await?;
    stays_beside(&before, &shown(&page(witness).await), ("v2.4.4", "v2.4.3"));
    Ok(())
}
