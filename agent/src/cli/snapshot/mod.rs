//! `muster-agent snapshot`: by the operator, while the agent does not run.

pub mod args;
mod progress;
mod prune;
mod restore;
mod screen;
mod take;

use std::path::PathBuf;

use args::{Common, Copying, List, Snapshot, SnapshotCommand, Verify};
use serde::Serialize;

use super::Printed;
use super::exit::{Exit, Failure};
use crate::config::{Config, Paths};
use crate::journal::{DataLock, JournalError};
use crate::runtime::Engine;
use crate::snapshot::{
    Kind, NodeData, SnapshotError, Snapshots, Wanted, list, restore as put_back,
};
use progress::Lines;

/// `snapshot`
pub(super) async fn run(paths: &Paths, snapshot: Snapshot) -> Result<Printed, Failure> {
    let host = Host::load(paths)?;
    match snapshot.command {
        SnapshotCommand::Take(take) => take::run(&host, &take).await,
        SnapshotCommand::List(list) => listed(&host, &list).await,
        SnapshotCommand::Verify(verify) => verified(&host, &verify).await,
        SnapshotCommand::Restore(restore) => restore::run(&host, &restore).await,
        SnapshotCommand::Prune(prune) => prune::run(&host, &prune).await,
    }
}

/// This agent's folder, and the node that it looks after.
struct Host<'a> {
    paths: &'a Paths,
    config: Config,
}

impl<'a> Host<'a> {
    fn load(paths: &'a Paths) -> Result<Self, Failure> {
        let config = Config::load(&paths.config());
        let config = config.map_err(|error| Failure::new(Exit::Failed, &error))?;
        Ok(Self { paths, config })
    }

    /// A fresh way to the Engine: an old one may have been closed while a copy took hours.
    fn engine(&self) -> Engine {
        let socket = self.config.docker.trim_start_matches("unix://");
        Engine::new(socket, self.config.intervals.engine.get())
    }

    /// No daemon works in this folder, and none begins: it could start the node in the middle.
    fn alone(&self) -> Result<DataLock, Failure> {
        DataLock::take(self.paths.dir()).map_err(|error| {
            let refused = matches!(error, JournalError::Locked { .. });
            Failure::new(if refused { Exit::Refused } else { Exit::Failed }, &error)
        })
    }

    async fn node(&self) -> Result<NodeData, Failure> {
        NodeData::find(&self.engine(), &self.config.container).await.map_err(failed)
    }

    /// The folder of snapshots; the Engine is asked only when nobody names it.
    async fn folder(&self, common: &Common) -> Result<PathBuf, Failure> {
        match &common.to {
            Some(folder) => Ok(folder.clone()),
            None => Ok(self.node().await?.snapshots()),
        }
    }
}

impl Copying {
    fn wanted(&self, thorough: bool) -> Wanted {
        Wanted {
            rate: self.rate.map(|rate| rate.0),
            leave: self.leave.0,
            clone: !self.no_clone,
            thorough,
        }
    }
}

async fn listed(host: &Host<'_>, args: &List) -> Result<Printed, Failure> {
    let folder = host.folder(&args.common).await?;
    let all = list(&folder).map_err(failed)?;
    let beside = match &args.common.to {
        Some(_) => Vec::new(),
        None => put_back::left_beside(host.node().await?.data()).map_err(failed)?,
    };
    let shown = screen::Listing { folder: &folder, snapshots: &all, beside: &beside };
    Ok(Printed::done(print(&args.common, &shown, screen::listing)?))
}

async fn verified(host: &Host<'_>, args: &Verify) -> Result<Printed, Failure> {
    let folder = host.folder(&args.common).await?;
    let unknown = || SnapshotError::Unknown { name: args.name.clone(), folder: folder.clone() };
    if !folder.exists() {
        return Err(failed(unknown()));
    }
    let snapshots = Snapshots::open(&folder).map_err(failed)?;
    let rate = args.rate.map(|rate| rate.0);
    let mut lines = Lines::default();
    let verified = snapshots.verify(&args.name, rate, &mut |progress| lines.show(progress));
    let manifest = verified.map_err(failed)?;
    let said = screen::Verified {
        name: &args.name,
        files: manifest.entries.len(),
        bytes: manifest.bytes(),
    };
    Ok(Printed::done(print(&args.common, &said, screen::verified)?))
}

fn failed(error: SnapshotError) -> Failure {
    let exit = match error.kind() {
        Kind::WrongUse => Exit::WrongUse,
        Kind::Refused => Exit::Refused,
        Kind::Failed => Exit::Failed,
        Kind::Unreachable => Exit::Unreachable,
    };
    Failure::new(exit, &error)
}

fn print<T: Serialize>(
    common: &Common,
    value: &T,
    draw: impl FnOnce(&T) -> String,
) -> Result<String, Failure> {
    if !common.json {
        return Ok(super::screen::plain(&draw(value)));
    }
    let json = serde_json::to_string_pretty(value);
    json.map(|text| text + "\n").map_err(|error| Failure::new(Exit::Failed, &error))
}
