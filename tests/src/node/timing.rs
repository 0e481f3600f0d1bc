//! Durations of the real node, shrunk by one factor. Docker itself does not shrink.

use std::time::Duration;

/// Between two blocks of mainnet, in milliseconds.
const BLOCK_INTERVAL_MS: f64 = 2_500.0;

/// Divides every duration of the real node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    scale: f64,
}

impl Timing {
    /// A factor between 1 (real time) and 20; beyond it the machine's own delays drown the shape.
    pub fn new(scale: f64) -> Option<Self> {
        (1.0..=20.0).contains(&scale).then_some(Self { scale })
    }

    /// The factor.
    pub fn scale(self) -> f64 {
        self.scale
    }

    /// A duration of the real node, in seconds, as it is here.
    pub fn seconds(self, real: f64) -> Duration {
        Duration::from_secs_f64(real / self.scale)
    }

    /// Between two blocks.
    pub fn interval(self) -> Duration {
        self.seconds(BLOCK_INTERVAL_MS / 1_000.0)
    }

    /// Between two blocks, in milliseconds.
    pub fn interval_ms(self) -> u64 {
        self.interval().as_millis() as u64
    }

    /// Between two refreshes of `iotex_heartbeat_status`, which is absent before the first.
    pub fn heartbeat(self) -> Duration {
        self.seconds(10.0)
    }

    /// Between two broadcasts of a node's height and version.
    pub fn node_info(self) -> Duration {
        self.seconds(60.0)
    }

    /// Between two looks of the node's watchdog.
    pub fn watchdog(self) -> Duration {
        self.seconds(60.0)
    }

    /// To apply one block that came by sync, during which readiness is 503.
    pub fn apply(self) -> Duration {
        self.seconds(0.02)
    }

    /// How long a gateway is not ready after its start.
    pub fn gateway(self) -> Duration {
        self.seconds(30.0)
    }

    /// Between the end of the last round and the exit.
    pub fn leave(self) -> Duration {
        self.seconds(0.05)
    }

    /// Between two attempts to reach a bootstrap peer.
    pub fn redial(self) -> Duration {
        self.seconds(2.0)
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self { scale: 1.0 }
    }
}
