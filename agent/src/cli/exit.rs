//! How a command ends: the exit code, and the words for standard error.

use std::fmt;

use crate::control::said;

/// Exit codes, the same in every program of Muster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It is done.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// It was asked wrongly.
    WrongUse = 2,
    /// It was refused: policy, signature, rule.
    Refused = 3,
    /// It cannot be reached.
    Unreachable = 5,
}

/// Why a command did not do what it should.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What to tell, its code in front.
    pub text: String,
}

impl Failure {
    /// Ends with `exit`, and says `error` with its sources, each once.
    pub fn new(exit: Exit, error: &(dyn std::error::Error + 'static)) -> Self {
        Self { exit, text: said::chain(error) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
