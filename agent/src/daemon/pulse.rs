//! The sign of life: looks at the node at the pace that the newest plan asks for, also while a
//! step is under way, and at once when something changed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::core::Shared;
use crate::steps::Runner;

/// However often it is rung: boards take five beacons a second of one agent.
const LEAST: Duration = Duration::from_millis(250);

/// Gives signs of life until it is dropped.
pub(super) async fn run(core: Shared, runner: Arc<Runner>, tell: Arc<Notify>) {
    loop {
        let begun = Instant::now();
        let seen = runner.look(false).await;
        let pace = {
            let mut core = core.lock();
            core.saw(seen);
            core.beacon_pace()
        };
        tokio::select! {
            () = sleep_until(begun + pace) => {}
            () = tell.notified() => sleep_until(begun + LEAST).await,
        }
    }
}
