//! `snapshot restore`: verified and copied beside the node's data, then exchanged with it.

use super::args::Restore;
use super::progress::Lines;
use super::{Host, failed, print, screen};
use crate::cli::Printed;
use crate::cli::exit::Failure;
use crate::snapshot::restore::remove_old;
use crate::snapshot::{Owner, Snapshots};

/// `snapshot restore`
pub(super) async fn run(host: &Host<'_>, args: &Restore) -> Result<Printed, Failure> {
    let _alone = host.alone()?;
    let node = host.node().await?;
    let stopped = node.stopped(&host.engine()).await.map_err(failed)?;
    let folder = args.common.to.clone().unwrap_or_else(|| node.snapshots());
    let snapshots = Snapshots::open(&folder).map_err(failed)?;
    let owner = Owner { network: &host.config.network, node: &host.config.name };
    let manifest = snapshots.belonging(&args.name, owner).map_err(failed)?;
    let mut said = screen::Restored {
        name: &args.name,
        data: node.data(),
        bytes: manifest.bytes(),
        done: false,
        old: None,
    };
    if !args.dry_run {
        let mut lines = Lines::default();
        let wanted = args.copying.wanted(false);
        let staged = snapshots
            .stage(&stopped, (&args.name, owner), &wanted, &mut |progress| lines.show(progress))
            .map_err(failed)?;
        if let Err(error) = stopped.still(&host.engine()).await {
            snapshots.unstage(staged);
            return Err(failed(error));
        }
        let old = snapshots.exchange(staged).map_err(failed)?;
        if let (true, Some(old)) = (args.remove_old, &old) {
            remove_old(old).map_err(failed)?;
        }
        said.done = true;
        said.old = old.filter(|_| !args.remove_old);
    }
    Ok(Printed::done(print(&args.common, &said, screen::restored)?))
}
