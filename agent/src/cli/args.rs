//! What the delegate may type.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use muster_proto::documents::{Digest, NodeName, OperatorAddress};

use super::snapshot::args::Snapshot;
use crate::config::BoardAddress;
use crate::control::PlanName;

/// Looks after one iotex-core container: verifies signed plans, decides by the rule, acts
/// through Docker, reports by signed receipts.
#[derive(Debug, Parser)]
#[command(name = "muster-agent", version, max_term_width = 80)]
pub struct Arguments {
    /// The agent's folder.
    #[arg(
        long,
        global = true,
        env = "MUSTER_AGENT_DIR",
        default_value = "/var/lib/muster-agent",
        value_name = "DIR"
    )]
    pub dir: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make this host's key, pin the root of trust, write the enrolment to send.
    Init(Init),
    /// Run the daemon.
    Run(Run),
    /// How the node and its agent are.
    Status(Output),
    /// Receipts and facts, newest last.
    Log(Log),
    /// Plans that ask for your answer.
    Pending(Output),
    /// What a plan does here, and where it stands.
    Explain(Explain),
    /// Say yes to a plan.
    Approve(Approve),
    /// Say no to a plan. Final, and public with its reason.
    Decline(Decline),
    /// Snapshots of the node's data, while the agent does not run.
    Snapshot(Snapshot),
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, Args)]
pub struct Output {
    /// Everything the screen has, and more, as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `init`
#[derive(Debug, Args)]
pub struct Init {
    /// Such as `mainnet`.
    #[arg(long)]
    pub network: String,
    /// This node's name in the roster.
    #[arg(long)]
    pub name: NodeName,
    /// The container to look after.
    #[arg(long, default_value = "iotex")]
    pub container: String,
    /// The first root of trust, from a place you trust.
    #[arg(long, value_name = "1.root.json")]
    pub root: PathBuf,
    /// Its SHA-256, by another way than the file.
    #[arg(long, value_name = "HEX", value_parser = sha256)]
    pub root_sha256: Digest,
    /// A board and the SHA-256 of its public key; may be given several times.
    #[arg(long, value_name = "ADDR=SPKI-SHA256", required = true)]
    pub controller: Vec<BoardAddress>,
    /// The node's operator address.
    #[arg(long, value_name = "io1…")]
    pub operator: Option<OperatorAddress>,
    /// `ip:port` of the node's probe as others may reach it.
    #[arg(long, value_name = "IP:PORT")]
    pub endpoint: Option<std::net::SocketAddr>,
    /// Whom to call, as people write it.
    #[arg(long)]
    pub contact: Option<String>,
    /// The Engine's socket.
    #[arg(long, value_name = "unix://PATH", default_value = "unix:///var/run/docker.sock")]
    pub docker: String,
}

/// `run`
#[derive(Debug, Args)]
pub struct Run {
    /// Log as JSON lines; the level is set by RUST_LOG.
    #[arg(long, env = "MUSTER_LOG_JSON")]
    pub log_json: bool,
}

/// `log`
#[derive(Debug, Args)]
pub struct Log {
    /// At most this many lines.
    #[arg(long, short = 'n', default_value_t = 50)]
    pub lines: usize,
    /// How to print it.
    #[command(flatten)]
    pub output: Output,
}

/// `explain`
#[derive(Debug, Args)]
pub struct Explain {
    /// Its serial, or class and serial: `42`, `hotfix/42`.
    pub plan: PlanName,
    /// How to print it.
    #[command(flatten)]
    pub output: Output,
}

/// `approve`
#[derive(Debug, Args)]
pub struct Approve {
    /// Its serial, or class and serial: `42`, `hotfix/42`.
    pub plan: PlanName,
    /// Do not ask again.
    #[arg(long, short)]
    pub yes: bool,
    /// How to print it.
    #[command(flatten)]
    pub output: Output,
}

/// `decline`
#[derive(Debug, Args)]
pub struct Decline {
    /// Its serial, or class and serial: `42`, `hotfix/42`.
    pub plan: PlanName,
    /// Your reason; it becomes public.
    #[arg(long)]
    pub why: String,
    /// How to print it.
    #[command(flatten)]
    pub output: Output,
}

fn sha256(text: &str) -> Result<Digest, String> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    let digest = format!("sha256:{}", hex.to_ascii_lowercase());
    digest.parse().map_err(|_| format!("{text:?} is no SHA-256: 64 hex digits"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_plan_is_named_by_its_serial_or_with_its_class() {
        let parsed = Arguments::try_parse_from(["muster-agent", "approve", "emergency/3", "--yes"]);
        let Command::Approve(approve) = parsed.unwrap().command else { panic!("not approve") };
        assert_eq!(approve.plan.to_string(), "emergency/3");
    }
}
