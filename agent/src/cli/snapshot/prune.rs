//! `snapshot prune`: removes what retention lets go.

use jiff::Timestamp;
use muster_proto::rule::Stage;

use super::args::Prune;
use super::{Host, failed, print, screen};
use crate::cli::Printed;
use crate::cli::exit::{Exit, Failure};
use crate::journal::{JournalError, JournalView};
use crate::snapshot::decide::retention::{Kept, verdicts};
use crate::snapshot::{Snapshots, list};

/// `snapshot prune`
pub(super) async fn run(host: &Host<'_>, args: &Prune) -> Result<Printed, Failure> {
    let folder = host.folder(&args.common).await?;
    let over = over(host).map_err(|error| Failure::new(Exit::Failed, &error))?;
    // Before anything is looked at: nobody else removes or verifies meanwhile.
    let snapshots = match folder.exists() {
        true => Some(Snapshots::open(&folder).map_err(failed)?),
        false => None,
    };
    let mut kept = Vec::new();
    for listed in list(&folder).map_err(failed)? {
        // One without a manifest cannot be judged, and stays.
        let Some(manifest) = listed.manifest else { continue };
        let plan = manifest.origin.plan;
        let committed = plan.is_none_or(|plan| over.contains(&plan));
        let (name, taken_at) = (listed.name, manifest.taken_at);
        kept.push(Kept { name, taken_at, verified_at: listed.verified_at, committed });
    }
    let verdicts = verdicts(kept, args.retention.get(), Timestamp::now());
    if let (false, Some(snapshots)) = (args.dry_run, snapshots) {
        for gone in verdicts.iter().filter(|verdict| verdict.stays.is_none()) {
            snapshots.remove(&gone.name).map_err(failed)?;
        }
    }
    let said = screen::Pruned { dry_run: args.dry_run, verdicts: &verdicts };
    Ok(Printed::done(print(&args.common, &said, screen::pruned)?))
}

/// The plans that need no way back any more, as they are named.
fn over(host: &Host<'_>) -> Result<Vec<String>, JournalError> {
    if !host.paths.journal().exists() {
        return Ok(Vec::new());
    }
    let journal = JournalView::open(host.paths.dir())?;
    let mut over = Vec::new();
    for stored in journal.plans()? {
        if matches!(journal.fold(&stored.id)?.stage, Stage::Over(_)) {
            over.push(format!("{}/{}", stored.id.class, stored.id.serial));
        }
    }
    Ok(over)
}
