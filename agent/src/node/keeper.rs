//! What the Engine's restart policy would do, for a container whose policy is `no` meanwhile. Pure.

use crate::journal::Policy;

/// Exit code of the node's own watchdog, which counts on being started again.
pub const WATCHDOG_EXIT: i64 = 2;

/// The watchdog looks once a minute; an exit 2 earlier than this is a node that crashes (a bad
/// key does so, in a loop).
pub const WATCHDOG_RAN_MS: u64 = 50_000;

/// A node is started again this often under one plan; then people look.
pub const KEPT_AT_MOST: u32 = 5;

/// Whether a node that exited is to be started again in its policy's stead.
///
/// While a test runs only the watchdog is excused: everything else is what the test is for.
pub fn start_again(policy: &Policy, exit: i64, ran_ms: u64, kept: u32, testing: bool) -> bool {
    let wanted = match policy.name.as_str() {
        "always" | "unless-stopped" => true,
        "on-failure" => exit != 0 && (policy.retries == 0 || i64::from(kept) < policy.retries),
        _ => false,
    };
    let excused = !testing || is_watchdog(exit, ran_ms);
    wanted && excused && kept < KEPT_AT_MOST
}

/// The node's watchdog ended it.
pub fn is_watchdog(exit: i64, ran_ms: u64) -> bool {
    exit == WATCHDOG_EXIT && ran_ms >= WATCHDOG_RAN_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(name: &str, retries: i64) -> Policy {
        Policy { name: name.into(), retries }
    }

    #[test]
    fn it_does_what_the_policy_would_have_done() {
        assert!(start_again(&policy("unless-stopped", 0), 0, 1, 0, false));
        assert!(start_again(&policy("on-failure", 0), 1, 1, 0, false));
        assert!(!start_again(&policy("on-failure", 0), 0, 1, 0, false), "exit 0 is no failure");
        assert!(!start_again(&policy("on-failure", 3), 1, 1, 3, false), "retries are bounded");
        assert!(!start_again(&Policy::no(), 2, 90_000, 0, false));
    }

    #[test]
    fn while_a_test_runs_only_the_watchdog_is_excused() {
        let always = policy("always", 0);
        assert!(start_again(&always, 2, 60_000, 0, true));
        assert!(!start_again(&always, 2, 1_000, 0, true), "a bad key exits 2 at once");
        assert!(!start_again(&always, 1, 60_000, 0, true));
    }

    #[test]
    fn it_ends_somewhere() {
        assert!(!start_again(&policy("always", 0), 1, 1, KEPT_AT_MOST, false));
    }
}
