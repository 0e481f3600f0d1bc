//! A delegate's host as delegates have it today: a home folder, and one container made by hand.

use std::collections::HashMap;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HostConfig, Ipam, IpamConfig,
    NetworkCreateRequest, NetworkingConfig, RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::CreateContainerOptionsBuilder;

use super::key;
use crate::fleet::observer::KEY_LABEL;
use crate::image::LABEL;

/// What a delegate puts into the files.
#[derive(Debug, Clone)]
pub struct Spec {
    /// `chain.producerPrivKey`, hex; a secret.
    pub key: String,
    /// `network.externalHost`.
    pub external_host: Ipv4Addr,
    /// `host:port` of each bootstrap node, the referee among them.
    pub bootstrap: Vec<String>,
    /// `blockSync.interval`, such as `30s`; not scaled.
    pub sync: String,
    /// Further lines at the end of `config.yaml`.
    pub more: String,
}

impl Spec {
    /// Delegate `number` with a key of its own.
    pub fn new(number: u64, external_host: Ipv4Addr, bootstrap: Vec<String>) -> Self {
        Self {
            key: key::test_key(number),
            external_host,
            bootstrap,
            sync: "30s".into(),
            more: String::new(),
        }
    }

    /// Its operator address.
    ///
    /// # Panics
    /// When its key is none.
    pub fn address(&self) -> String {
        key::operator_address(&self.key).expect("the key of a test")
    }
}

/// A delegate's home folder, `$IOTEX_HOME`.
#[derive(Debug, Clone)]
pub struct Home {
    root: PathBuf,
    operator: String,
}

/// Where the node that uses a home runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a container, with the home mounted at the usual places.
    Container,
    /// As a plain process, with all its ports on a loopback address of its own.
    Process(Ipv4Addr),
}

impl Home {
    /// Makes `data`, `log`, `etc/config.yaml` and `etc/genesis.yaml` under `root`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn lay_out(root: impl Into<PathBuf>, spec: &Spec, place: Place) -> io::Result<Self> {
        let home = Self { root: root.into(), operator: spec.address() };
        for folder in [home.data(), home.log(), home.root.join("etc")] {
            std::fs::create_dir_all(folder)?;
        }
        // Delegates download it; without it the node does not start.
        std::fs::write(home.data().join("trie.db.patch"), "")?;
        std::fs::write(home.config(), home.config_text(spec, place))?;
        std::fs::write(home.genesis(), GENESIS)?;
        Ok(home)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The operator address of its key.
    pub fn operator(&self) -> &str {
        &self.operator
    }

    /// The node's databases.
    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// The node's log folder.
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// The delegate's configuration.
    pub fn config(&self) -> PathBuf {
        self.root.join("etc/config.yaml")
    }

    /// The network's genesis.
    pub fn genesis(&self) -> PathBuf {
        self.root.join("etc/genesis.yaml")
    }

    /// Takes all blocks above `height` away while no node runs, as an earlier snapshot of the data would.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn reverse(&self, height: u64) -> io::Result<()> {
        let path = self.data().join("chain.db");
        let blocks = std::fs::read_to_string(&path)?;
        let kept = blocks.split_inclusive('\n').take(height as usize);
        std::fs::write(path, kept.collect::<String>())
    }

    /// The four binds of every delegate's container.
    pub fn binds(&self) -> Vec<String> {
        let bind = |from: PathBuf, to: &str| format!("{}:{to}", from.display());
        vec![
            bind(self.data(), "/var/data:rw"),
            bind(self.log(), "/var/log:rw"),
            bind(self.config(), "/etc/iotex/config_override.yaml:ro"),
            bind(self.genesis(), "/etc/iotex/genesis.yaml:ro"),
        ]
    }

    fn config_text(&self, spec: &Spec, place: Place) -> String {
        let Spec { key, external_host, sync, more, .. } = spec;
        let (host, data, log) = match place {
            Place::Container => (Ipv4Addr::UNSPECIFIED, "/var/data".into(), "/var/log".into()),
            Place::Process(ip) => (ip, self.data(), self.log()),
        };
        let (data, log) = (data.display(), log.display());
        let nodes: String = spec.bootstrap.iter().map(|peer| multiaddr(peer)).collect();
        format!(
            "\
network:
  host: {host}
  externalHost: {external_host}
  externalPort: 4689
  bootstrapNodes:
{nodes}
chain:
  # the key of the operator address that is registered
  producerPrivKey: \"{key}\"
  chainDBPath: \"{data}/chain.db\"
  trieDBPatchFile: \"{data}/trie.db.patch\"
  trieDBPath: \"{data}/trie.db\"

consensus:
  scheme: ROLLDPOS
  rollDPoS:
    consensusDBPath: \"{data}/consensus.db\"

blockSync:
  interval: {sync}

system:
  httpAdminPort: 9009

log:
  zap:
    level: info
    encoding: json
  stderrRedirectFile: {log}/s.log
  stdLogRedirect: true
{more}"
        )
    }
}

/// One line of `bootstrapNodes`.
fn multiaddr(peer: &str) -> String {
    let (host, port) = peer.rsplit_once(':').unwrap_or((peer, "4689"));
    let kind = match host.parse::<Ipv4Addr>() {
        Ok(_) => "ip4",
        Err(_) => "dns4",
    };
    format!(
        "    - /{kind}/{host}/tcp/{port}/p2p/12D3KooWJwW6pUpTkxPTMv84RPLPMQVEAjZ6fvJuX4oZrvW5DAGQ\n"
    )
}

/// A genesis that every version of the stand-in knows.
const GENESIS: &str = "\
account:
  initBalances:
    io12yxdwewry70gr9fs6fphyfaky9c7gurmzk8f4f: \"100000000000000000000000000\"
blockchain:
  blockGasLimit: 20000000
  blockInterval: 10s
  numCandidateDelegates: 36
  numDelegates: 24
  numSubEpochs: 15
  timeBasedRotation: true
  timestamp: 1553558500
  wakeHeight: 1
poll:
  delegates: []
rewarding:
  productivityThreshold: 85
";

/// A user-made bridge network whose addresses the test chooses.
#[derive(Debug, Clone)]
pub struct Network {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// The first three bytes of its addresses.
    subnet: [u8; 3],
}

impl Network {
    /// Makes one on the first free subnet of 10.77.0.0/16.
    ///
    /// # Errors
    /// When the Engine refuses, or all 256 are taken.
    pub async fn create(docker: &Docker, name: &str, run: &str) -> Result<Self, Error> {
        // Runs side by side begin at different places.
        let first = std::process::id() as u8;
        let mut refused = None;
        for step in 0..=u8::MAX {
            let subnet = [10, 77, first.wrapping_add(step)];
            match docker.create_network(request(name, run, subnet)).await {
                Ok(made) => {
                    let name = name.to_owned();
                    let id = made.id;
                    return Ok(Self { name, id, subnet });
                }
                Err(error @ Error::DockerResponseServerError { .. })
                    if error.to_string().contains("overlaps") =>
                {
                    refused = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        // Never `None`: every step above returned or refused.
        refused.map_or_else(|| unreachable!("256 steps"), Err)
    }

    /// The host's own address on it: where a referee in the test process listens.
    pub fn gateway(&self) -> Ipv4Addr {
        self.address(1)
    }

    /// An address of a container; 1 is the host's.
    pub fn address(&self, last: u8) -> Ipv4Addr {
        let [a, b, c] = self.subnet;
        Ipv4Addr::new(a, b, c, last)
    }
}

fn request(name: &str, run: &str, [a, b, c]: [u8; 3]) -> NetworkCreateRequest {
    let pool = IpamConfig {
        subnet: Some(format!("{a}.{b}.{c}.0/24")),
        gateway: Some(format!("{a}.{b}.{c}.1")),
        ..IpamConfig::default()
    };
    NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some("bridge".into()),
        ipam: Some(Ipam { config: Some(vec![pool]), ..Ipam::default() }),
        labels: Some(HashMap::from([(LABEL.to_owned(), run.to_owned())])),
        ..NetworkCreateRequest::default()
    }
}

/// What a delegate types into `docker run -d --restart on-failure --name … --ip …`.
#[derive(Debug, Clone)]
pub struct Container<'a> {
    /// `--name`
    pub name: &'a str,
    /// The image's tag or id.
    pub image: &'a str,
    /// The delegate's home.
    pub home: &'a Home,
    /// The network, and the address on it.
    pub network: (&'a Network, Ipv4Addr),
    /// The test run that it is labelled with; the operator address is its other label.
    pub run: &'a str,
    /// `-e`, such as `STANDIN_SCALE=2.5`.
    pub env: Vec<String>,
}

impl Container<'_> {
    /// Makes it without starting it, and returns its id.
    ///
    /// # Errors
    /// When the Engine refuses.
    pub async fn create(&self, docker: &Docker) -> Result<String, Error> {
        let options = CreateContainerOptionsBuilder::new().name(self.name).build();
        let made = docker.create_container(Some(options), self.body()).await?;
        Ok(made.id)
    }

    /// Makes and starts it, and returns its id.
    ///
    /// # Errors
    /// When the Engine refuses.
    pub async fn run(&self, docker: &Docker) -> Result<String, Error> {
        let id = self.create(docker).await?;
        docker.start_container(&id, None).await?;
        Ok(id)
    }

    fn body(&self) -> ContainerCreateBody {
        let (network, address) = self.network;
        let endpoint = EndpointSettings {
            ipam_config: Some(EndpointIpamConfig {
                ipv4_address: Some(address.to_string()),
                ..EndpointIpamConfig::default()
            }),
            ..EndpointSettings::default()
        };
        ContainerCreateBody {
            image: Some(self.image.to_owned()),
            env: Some(self.env.clone()),
            labels: Some(HashMap::from([
                (LABEL.to_owned(), self.run.to_owned()),
                (KEY_LABEL.to_owned(), self.home.operator.clone()),
            ])),
            host_config: Some(HostConfig {
                binds: Some(self.home.binds()),
                network_mode: Some(network.name.clone()),
                restart_policy: Some(RestartPolicy {
                    name: Some(RestartPolicyNameEnum::ON_FAILURE),
                    maximum_retry_count: None,
                }),
                ..HostConfig::default()
            }),
            networking_config: Some(NetworkingConfig {
                endpoints_config: Some(HashMap::from([(network.name.clone(), endpoint)])),
            }),
            ..ContainerCreateBody::default()
        }
    }
}
