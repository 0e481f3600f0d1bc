//! How a command ended, for scripts.

/// Stable exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// It was tried and failed.
    Failed = 1,
    /// Wrong use of the command line.
    Usage = 2,
    /// Refused by policy, signature or rule.
    Refused = 3,
    /// Not finished yet, or something is still missing.
    Waiting = 4,
    /// Nobody could be reached.
    Unreachable = 5,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        (exit as u8).into()
    }
}
