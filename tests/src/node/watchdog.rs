//! The node's own watchdog: once a minute, and 2 when its height stands still while others send newer blocks. Pure.
//!
//! Nothing in the configuration turns it off; only a paused node's is silent (read in the source of v2.4.4).

/// Compares two looks.
#[derive(Debug, Default)]
pub struct Watchdog {
    height: u64,
    received: u64,
}

impl Watchdog {
    /// Whether the node is to panic, at its tip `height` with `received` the highest block that came from others.
    ///
    /// A paused node's looks are left out, the last one before the pause counts: one that is resumed behind the
    /// others and has not caught up when the next minute is over panics.
    pub fn look(&mut self, height: u64, received: u64, paused: bool) -> bool {
        if paused {
            return false;
        }
        let stuck = height == self.height && received != self.received;
        *self = Self { height, received };
        stuck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_bites_who_stands_still_while_newer_blocks_come_and_nobody_else() {
        let mut dog = Watchdog::default();
        assert!(!dog.look(69, 80, false), "the first look knows no earlier one");
        assert!(dog.look(69, 95, false));
        let mut advancing = Watchdog::default();
        assert!((10..20).all(|height| !advancing.look(height, height, false)));
        let mut stalled = Watchdog::default();
        assert!((0..5).all(|_| !stalled.look(813, 813, false)), "the whole chain stands still");
    }

    #[test]
    fn it_leaves_who_is_paused_alone_until_a_minute_ends_after_the_pause() {
        let mut dog = Watchdog::default();
        dog.look(307, 307, false);
        assert!((308..400).all(|received| !dog.look(307, received, true)));
        assert!(dog.look(307, 400, false), "resumed, and not yet caught up");
        let mut dog = Watchdog::default();
        dog.look(307, 307, false);
        dog.look(307, 320, true);
        assert!(!dog.look(330, 330, false), "resumed, and caught up in time");
    }
}
