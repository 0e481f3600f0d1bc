//! A fleet in which many nodes go through one plan at the same time: one holds the only seat and
//! is never touched, the others follow the chain and no budget counts them.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bollard::models::NetworkConnectRequest;
use muster_agent::runtime::Engine;
use muster_proto::documents::Digest;
use muster_proto::documents::release::{GenesisChange, Priority, Release};
use muster_proto::documents::roster::Role;
use muster_tests::fleet::delegate::ENGINE;
use muster_tests::fleet::script::Script;
use muster_tests::fleet::{Fleet, Make, OLD};
use muster_tests::node::behaviour::Behaviour;
use muster_tests::node::host::Network;

use crate::node::Node;

/// Nodes that go through a plan; the last one is left undisturbed.
const FOLLOWERS: u8 = 10;

/// A version as every fleet of this file knows it.
pub(crate) fn version(name: &str) -> Behaviour {
    Behaviour::version(name).scaled(10.0).starting_in(50)
}

/// See the module.
pub(crate) struct Bench {
    pub(crate) fleet: Fleet,
    pub(crate) engine: Engine,
    /// Each node as it has to be when nothing is done to it, by name.
    pub(crate) nodes: BTreeMap<String, Node>,
    pub(crate) serial: u64,
    genesis: Vec<u8>,
}

impl Bench {
    pub(crate) async fn up() -> Result<Self> {
        let make = Make { size: 1, followers: FOLLOWERS, boards: 1, behaviour: version(OLD) };
        let fleet = Fleet::up(make).await?;
        // Joining it is a call of its own when a successor is made.
        let name = format!("{}-beside", fleet.run);
        let beside = Network::create(&fleet.docker, &name, &fleet.run).await?;
        for delegate in fleet.delegates.iter().filter(|delegate| !delegate.seat) {
            let joins = NetworkConnectRequest {
                container: delegate.container.clone(),
                ..NetworkConnectRequest::default()
            };
            fleet.docker.connect_network(&beside.id, joins).await?;
        }
        let engine = Engine::new(ENGINE, Duration::from_secs(15));
        let genesis = std::fs::read(fleet.delegates[0].home.genesis())?;
        let mut nodes = BTreeMap::new();
        for delegate in fleet.delegates.iter().filter(|delegate| !delegate.seat) {
            nodes.insert(delegate.name.clone(), Node::look(&engine, delegate).await?.0);
        }
        Ok(Self { fleet, engine, nodes, serial: 0, genesis })
    }

    /// Loads, signs and hands in a release with a genesis file of its own.
    pub(crate) async fn release(&mut self, behaviour: &Behaviour) -> Result<Release> {
        let mut genesis = self.genesis.clone();
        genesis.extend_from_slice(format!("# of {}\n", behaviour.version).as_bytes());
        let mut release = self.fleet.unsigned_release(behaviour).await?;
        release.roles = [(Role::ConsensusDelegate, Priority::Recommended)].into();
        let digest = Digest::of(&genesis);
        release.genesis = GenesisChange::Replaced { digest, length: genesis.len() as u64 };
        self.fleet.officers.publish_release(&release, Some(genesis)).await?;
        Ok(release)
    }

    /// The next plan: `action` for every follower, all at the same time.
    pub(crate) fn script(&mut self, action: &str) -> Script {
        self.serial += 1;
        let names: Vec<_> = self.nodes.keys().cloned().collect();
        let all = names.len();
        let mut script = Script::new(self.serial, "restart", 1);
        script.action = format!("action: {action}");
        script.waves = vec![format!("{{wave: all, done: 1, nodes: [{}]}}", names.join(", "))];
        script.budget = "{down: 0 of 1}".into();
        script.tolerate = all as u32;
        let script = script.with(&format!("parallel: {all}"));
        match self.serial {
            1 => script,
            // The one before is over for every node; a gate of it may never be met.
            serial => script.with(&format!("supersedes: [{}]", serial - 1)),
        }
    }

    /// Ends the fleet with the observer's verdict.
    pub(crate) async fn end(self) -> Result<()> {
        self.fleet.end().await.context("the fleet's own verdict")
    }
}
