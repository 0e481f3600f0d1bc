//! A roster as its author writes it, and what it becomes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use jiff::Timestamp;

use super::codes::Code;
use super::document::{AuthorDocument, Parsed};
use super::fields::{Fields, Read, Reader};
use super::finding::{Finding, Refused};
use super::node::Node;
use crate::documents::ids::{NodeName, OperatorAddress, PublicKey};
use crate::documents::roster::{self, Consensus, Role, Roster};

/// `muster: roster/v1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterYaml {
    /// Such as `mainnet`.
    pub network: String,
    /// By default the one after the newest; when given, it must be that.
    pub version: Option<u64>,
    /// Active producers per epoch.
    pub active: u32,
    /// In the author's order.
    pub nodes: Vec<NodeYaml>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeYaml {
    /// Unique.
    pub name: NodeName,
    /// Who endorses.
    pub operator: OperatorAddress,
    /// The agent's key; none without an agent.
    pub key: Option<PublicKey>,
    /// May be written to say it twice; must agree with the key.
    pub managed: Option<bool>,
    /// Port 8080 unless it says another.
    pub endpoint: SocketAddr,
    /// Whom to call.
    pub contact: String,
    /// What the node is for.
    pub role: Role,
    /// By default true for a consensus delegate, else false.
    pub seat: Option<bool>,
    /// None by default.
    pub labels: BTreeMap<String, String>,
    /// None by default.
    pub group: Option<String>,
    /// False by default.
    pub bootstrap: bool,
}

impl AuthorDocument for RosterYaml {
    const KIND: &'static str = "roster/v1";

    fn fields(mut f: Fields<'_>, r: &mut Reader<'_>) -> Option<Self> {
        let network = f.need("network", r);
        let version = f.may("version", r);
        let active = f.need::<Active>("consensus", r);
        let nodes = f.need("nodes", r);
        f.end(r);
        Some(Self { network: network?, version: version?, active: active?.0, nodes: nodes? })
    }
}

struct Active(u32);

impl Read for Active {
    fn read(node: &Node, r: &mut Reader<'_>) -> Option<Self> {
        let mut f = Fields::of(node, r)?;
        let active = f.need("active", r);
        f.end(r);
        active.map(Self)
    }
}

impl Read for NodeYaml {
    fn read(node: &Node, r: &mut Reader<'_>) -> Option<Self> {
        let mut f = Fields::of(node, r)?;
        let name = f.need("name", r);
        let operator = f.need("operator", r);
        let key = f.may("key", r);
        let managed = f.may("managed", r);
        let endpoint = f.need("endpoint", r);
        let contact = f.need("contact", r);
        let role = f.need("role", r);
        let seat = f.may("seat", r);
        let labels = f.or("labels", BTreeMap::new(), r);
        let group = f.may("group", r);
        let bootstrap = f.or("bootstrap", false, r);
        f.end(r);
        Some(Self {
            name: name?,
            operator: operator?,
            key: key?,
            managed: managed?,
            endpoint: endpoint?,
            contact: contact?,
            role: role?,
            seat: seat?,
            labels: labels?,
            group: group?,
            bootstrap: bootstrap?,
        })
    }
}

impl NodeYaml {
    fn has_seat(&self) -> bool {
        self.seat.unwrap_or(self.role == Role::ConsensusDelegate)
    }
}

/// Makes the roster that is signed.
///
/// # Errors
/// Every node that cannot be, `D121`–`D127`.
pub fn roster(
    parsed: &Parsed<RosterYaml>,
    previous: Option<&Roster>,
    now: Timestamp,
) -> Result<Roster, Refused> {
    let yaml = &parsed.value;
    let version = previous.map_or(1, |newest| newest.version + 1);
    let mut findings = Vec::new();
    if yaml.version.is_some_and(|written| written != version) {
        findings.push(
            Finding::new(Code::D127, "version")
                .note(format!("the next version is {version}"))
                .fix(format!("`version: {version}`, or leave it out")),
        );
    }
    if yaml.active == 0 {
        findings.push(Finding::new(Code::D125, "consensus.active").fix("24 on mainnet"));
    }
    unique(yaml, &mut findings);
    groups(yaml, &mut findings);
    if !findings.is_empty() {
        let findings = findings.into_iter().map(|finding| finding.at(&parsed.places)).collect();
        return Err(Refused(findings));
    }
    let mut nodes: Vec<_> = yaml.nodes.iter().map(node).collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Roster {
        muster: RosterYaml::KIND.into(),
        network: yaml.network.clone(),
        version,
        issued: now,
        consensus: Consensus { active: yaml.active },
        nodes,
    })
}

fn node(yaml: &NodeYaml) -> roster::Node {
    roster::Node {
        name: yaml.name.clone(),
        operator: yaml.operator.clone(),
        key: yaml.key,
        endpoint: yaml.endpoint,
        contact: yaml.contact.clone(),
        role: yaml.role,
        seat: yaml.has_seat(),
        labels: yaml.labels.clone(),
        group: yaml.group.clone(),
        bootstrap: yaml.bootstrap,
    }
}

fn unique(yaml: &RosterYaml, findings: &mut Vec<Finding>) {
    let (mut names, mut keys) = (BTreeSet::new(), BTreeMap::new());
    for (at, node) in yaml.nodes.iter().enumerate() {
        let path = |field: &str| format!("nodes[{at}].{field}");
        if !names.insert(&node.name) {
            let note = format!("{} stands above already", node.name);
            findings.push(Finding::new(Code::D121, path("name")).note(note).fix("choose another"));
        }
        if node.managed.is_some_and(|managed| managed != node.key.is_some()) {
            let fix = "add the agent's key by `muster roster add`, or leave `managed` out";
            findings.push(Finding::new(Code::D126, path("managed")).fix(fix));
        }
        let Some(key) = node.key else { continue };
        if let Some(other) = keys.insert(key, &node.name) {
            let note = format!("{other} has the same key");
            let fix = "each agent makes its own key: `muster-agent init`";
            findings.push(Finding::new(Code::D123, path("key")).note(note).fix(fix));
        }
    }
}

fn groups(yaml: &RosterYaml, findings: &mut Vec<Finding>) {
    let names: BTreeSet<_> = yaml.nodes.iter().map(|node| node.name.as_str()).collect();
    let mut first_of: BTreeMap<&str, &NodeYaml> = BTreeMap::new();
    let mut operators: BTreeMap<&OperatorAddress, &NodeYaml> = BTreeMap::new();
    for (at, node) in yaml.nodes.iter().enumerate() {
        let path = |field: &str| format!("nodes[{at}].{field}");
        if let Some(group) = &node.group {
            if names.contains(group.as_str()) {
                let note = format!("`{group}` is also the name of a node");
                let finding = Finding::new(Code::D121, path("group")).note(note);
                findings.push(finding.fix("name the group differently"));
            }
            let first = first_of.entry(group).or_insert(node);
            if first.operator != node.operator || first.has_seat() != node.has_seat() {
                let note = format!("{} of the same group differs", first.name);
                let finding = Finding::new(Code::D124, path("group")).note(note);
                findings.push(finding.fix("give both the same operator and seat"));
            }
        }
        let first = operators.entry(&node.operator).or_insert(node);
        let shared = first.group.is_some() && first.group == node.group;
        if first.name != node.name && !shared {
            let note = format!("{} has the same operator address", first.name);
            let finding = Finding::new(Code::D122, path("operator")).note(note);
            findings.push(finding.fix("put both into one `group`, or mend the address"));
        }
    }
}
