//! Log lines: level, caller, words and names of fields, in order.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::Result;
use muster_tests::node::behaviour::Behaviour;
use muster_tests::node::fleet::Fleet;
use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;

use super::{PATIENCE, json, text};

/// Start to stop, those that a stand-in does not leave out.
const KNOWN: [(&str, &str); 12] = [
    ("server/main.go:124", "Genesis timestamp"),
    ("server/main.go:125", "Genesis hash"),
    ("p2p/agent.go:243", "p2p agent"),
    ("factory/statedb.go:233", "State factory started"),
    ("consensus/consensus.go:218", "Starting IotxConsensus scheme."),
    ("api/grpcserver.go:147", "grpc server is listening."),
    ("p2p/agent.go:705", "Connected bootstrap node."),
    ("itx/server.go:360", "Server is ready."),
    ("p2p/agent.go:510", "p2p is shutting down."),
    ("dispatcher/dispatcher.go:175", "Dispatcher is shutting down."),
    ("consensus/consensus.go:229", "Stopping IotxConsensus scheme."),
    ("blockchain/pubsubmanager.go:108", "Successfully unsubscribe block creation."),
];

/// A line without time and values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    pub(crate) level: String,
    pub(crate) caller: String,
    /// The message without the value at its end.
    pub(crate) words: String,
    /// Names of the fields after the message.
    pub(crate) fields: Vec<String>,
}

/// The lines of a log that are whole.
pub(crate) fn lines(log: &str) -> Vec<Line> {
    log.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<Line> {
    let value: Value = serde_json::from_str(line).ok()?;
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let words = text("msg").split(": ").next().unwrap_or_default().to_owned();
    let names = names(line);
    assert_eq!(names[..4], ["level", "ts", "caller", "msg"], "{line}");
    Some(Line { level: text("level"), caller: text("caller"), words, fields: names[4..].to_vec() })
}

/// The keys of an object in their order, which a [`Value`] forgets.
fn names(object: &str) -> Vec<String> {
    struct Names;
    impl<'de> Visitor<'de> for Names {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut names = Vec::new();
            while let Some((name, _)) = map.next_entry::<String, serde::de::IgnoredAny>()? {
                names.push(name);
            }
            Ok(names)
        }
    }
    serde_json::Deserializer::from_str(object).deserialize_map(Names).unwrap()
}

/// The known ones of start and stop, repetitions of one line once.
pub(crate) fn steps(log: &str) -> Vec<Line> {
    let known = BTreeSet::from(KNOWN);
    let known = |line: &Line| known.contains(&(line.caller.as_str(), line.words.as_str()));
    let mut kept = lines(log);
    kept.retain(known);
    kept.dedup();
    kept
}

#[tokio::test]
async fn log_lines_come_in_the_recorded_words_and_order() -> Result<()> {
    let behaviour = Behaviour::version("v2.4.4").scaled(10.0).starting_in(50);
    let mut fleet = Fleet::start(2, 1, &behaviour, "30s", PATIENCE).await?;
    let delegate = &mut fleet.delegates[0];
    let ours = delegate.node()?.output();
    let start = steps(&text("log-start-v2.4.4.txt"));
    assert_eq!(start.len(), 8);
    assert_eq!(steps(&ours), start);

    delegate.node()?.stop(PATIENCE).await?;
    let all = delegate.node()?.output();
    let stop = steps(&text("log-stop-v2.4.4.txt"));
    assert_eq!(stop.len(), 4);
    assert_eq!(steps(&all[ours.len()..]), stop);
    let file = std::fs::read_to_string(delegate.home.log().join("s.log"))?;
    assert_eq!(steps(&file), [start, stop].concat(), "the file holds the same");
    let key = &delegate.spec.key;
    assert!(!all.contains(key) && !file.contains(key), "the key is in no log");
    Ok(())
}

/// The genesis hash that a log tells, and the suffix of its topics.
fn hash_and_suffix(log: &str) -> Option<(String, String)> {
    let values = || log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let hash = values().find_map(|line| {
        let words = line["msg"].as_str()?.strip_prefix("Genesis hash: ")?;
        Some(words.to_owned())
    });
    let suffix = values().find_map(|line| line["topicSuffix"].as_str().map(str::to_owned));
    hash.zip(suffix)
}

#[tokio::test]
async fn topics_are_told_apart_by_the_end_of_the_genesis_hash() -> Result<()> {
    let recorded = json("failures-2.json");
    let changed = hash_and_suffix(&super::joined(&recorded["genchg2"]["hash lines"])).unwrap();
    let before = hash_and_suffix(&text("log-start-v2.4.4.txt")).unwrap();

    let behaviour = Behaviour::version("v2.4.4").scaled(10.0).starting_in(50);
    let mut fleet = Fleet::lay_out(3, 2, &behaviour, "30s").await?;
    let other = fleet.delegates[1].home.genesis();
    let genesis = std::fs::read_to_string(&other)?;
    std::fs::write(&other, genesis.replace("\"100000000000000000000000000\"", "\"1\""))?;
    let mut ours = Vec::new();
    for delegate in &mut fleet.delegates {
        delegate.start()?;
        let node = delegate.node()?;
        node.until(PATIENCE, async |n| hash_and_suffix(&n.output()).is_some()).await?;
        ours.extend(hash_and_suffix(&node.output()));
    }
    for [one, two] in [[&before, &changed], [&ours[0], &ours[1]]] {
        assert_ne!((&one.0, &one.1), (&two.0, &two.1), "another balance is another hash");
        for (hash, suffix) in [one, two] {
            assert_eq!((hash.len(), suffix.len()), (64, 20));
            assert!(hash.ends_with(suffix), "{hash} {suffix}");
        }
    }
    Ok(())
}
