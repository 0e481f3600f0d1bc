//! `snapshot take`: looked at, copied beforehand, or taken.

use std::time::Instant;

use jiff::Timestamp;

use super::args::Take;
use super::progress::Lines;
use super::{Host, failed, print, screen};
use crate::cli::Printed;
use crate::cli::exit::Failure;
use crate::snapshot::decide::manifest::{Manifest, Origin};
use crate::snapshot::decide::name::Name;
use crate::snapshot::decide::work;
use crate::snapshot::{NodeData, Snapshots, ahead, sample};

/// `snapshot take`
pub(super) async fn run(host: &Host<'_>, args: &Take) -> Result<Printed, Failure> {
    let node = host.node().await?;
    let folder = args.common.to.clone().unwrap_or_else(|| node.snapshots());
    match (args.dry_run, args.pre_copy) {
        (true, _) => look(host, args, &node, &folder).await,
        (false, true) => pre_copy(args, &node, &folder),
        (false, false) => take(host, args, &node, &folder).await,
    }
}

async fn look(
    host: &Host<'_>,
    args: &Take,
    node: &NodeData,
    folder: &std::path::Path,
) -> Result<Printed, Failure> {
    let wanted = args.copying.wanted(args.thorough);
    let ahead = ahead(node.data(), folder, &wanted).map_err(failed)?;
    ahead.enough(folder, wanted.leave).map_err(failed)?;
    let rate = match ahead.load.read {
        0 => None,
        _ => sample::rate(node.data(), folder).map_err(failed)?,
    };
    let seconds = rate.map(|rate| work::duration(ahead.load, rate, wanted.rate).as_secs());
    let down = node.stopped(&host.engine()).await.map(drop).map_err(|error| error.to_string());
    let shown = screen::Ahead {
        data: node.data(),
        folder,
        sum: ahead.sum,
        how: ahead.how,
        copy: ahead.load.write,
        free: ahead.free,
        leave: wanted.leave,
        rate,
        seconds,
        down: down.err(),
    };
    Ok(Printed::done(print(&args.common, &shown, screen::ahead)?))
}

fn pre_copy(args: &Take, node: &NodeData, folder: &std::path::Path) -> Result<Printed, Failure> {
    let began = Instant::now();
    let snapshots = Snapshots::open(folder).map_err(failed)?;
    snapshots.tidy().map_err(failed)?;
    let mut lines = Lines::default();
    let wanted = args.copying.wanted(args.thorough);
    let copied = snapshots.pre_copy(node.data(), &wanted, &mut |progress| lines.show(progress));
    let copied = copied.map_err(failed)?;
    let said = screen::PreCopied { copied, ms: ms(began) };
    Ok(Printed::done(print(&args.common, &said, screen::pre_copied)?))
}

async fn take(
    host: &Host<'_>,
    args: &Take,
    node: &NodeData,
    folder: &std::path::Path,
) -> Result<Printed, Failure> {
    let alone = host.alone()?;
    let stopped = node.stopped(&host.engine()).await.map_err(failed)?;
    let snapshots = Snapshots::open(folder).map_err(failed)?;
    let mut lines = Lines::default();
    let wanted = args.copying.wanted(args.thorough);
    let interrupted = snapshots.tidy().map_err(failed)?;
    let plan = args.plan.as_ref().map(ToString::to_string);
    let name = Name::of(plan.as_deref(), args.height, Timestamp::now());
    let name = args.name.clone().unwrap_or(name);
    let (network, node_name) = (host.config.network.clone(), host.config.name.clone());
    let origin = Origin { network, node: node_name, plan, height: args.height };
    let began = Instant::now();
    let captured = snapshots
        .capture(&stopped, (&name, &origin), &wanted, &mut |progress| lines.show(progress))
        .map_err(failed)?;
    if let Err(error) = stopped.still(&host.engine()).await {
        snapshots.discard(captured);
        return Err(failed(error));
    }
    snapshots.keep(&captured).map_err(failed)?;
    let down_ms = ms(began);
    // The daemon may run again as well.
    drop(alone);
    eprintln!("taken in {down_ms} ms; the node may be started, what follows only reads the copy");
    for left in interrupted {
        eprintln!("finishing {left}, which was interrupted");
        let sealed = snapshots.seal(&left, wanted.rate, &mut |progress| lines.show(progress));
        sealed.map_err(failed)?;
    }
    let sealed = snapshots.seal(&name, wanted.rate, &mut |progress| lines.show(progress));
    let manifest: Manifest = sealed.map_err(failed)?;
    let said = screen::Taken {
        name: &name,
        folder,
        how: manifest.how,
        files: manifest.entries.len(),
        bytes: manifest.bytes(),
        down_ms,
        ms: ms(began),
    };
    Ok(Printed::done(print(&args.common, &said, screen::taken)?))
}

fn ms(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
