//! Why a step did not come to its end.

use muster_proto::rule::Why;

use super::code::{self, Code};
use crate::journal::{Cause, JournalError};
use crate::node::redact::redact;
use crate::runtime::EngineError;

/// Why a step did not come to its end. Texts are redacted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}{}", .code.code, .code.what, if .text.is_empty() { String::new() } else { format!(": {}", .text) })]
pub struct StepError {
    /// Which kind, with what to do.
    pub code: Code,
    /// Particulars, in one line.
    pub text: String,
    /// The same step may succeed later. If not, the failure is in the journal and decided on.
    pub retry: bool,
}

impl StepError {
    /// One that trying again does not cure.
    pub fn fatal(code: Code, text: impl AsRef<str>) -> Self {
        Self { code, text: redact(text.as_ref()), retry: false }
    }

    /// One that may go away.
    pub fn passing(code: Code, text: impl AsRef<str>) -> Self {
        Self { code, text: redact(text.as_ref()), retry: true }
    }

    /// For the rule.
    pub fn why(&self) -> Why {
        let text = match self.text.is_empty() {
            true => self.code.what.to_owned(),
            false => format!("{}: {}", self.code.what, self.text),
        };
        Why { code: self.code.code, text }
    }

    /// For the journal.
    pub fn cause(&self) -> Cause {
        cause(&self.why())
    }
}

/// A reason of the rule's as the journal writes it.
pub(super) fn cause(why: &Why) -> Cause {
    Cause { code: why.code.into(), text: why.text.clone() }
}

/// A reason of the journal's as the rule reads it.
pub(super) fn why(cause: &Cause) -> Why {
    Why { code: code::find(&cause.code).code, text: cause.text.clone() }
}

impl From<EngineError> for StepError {
    fn from(error: EngineError) -> Self {
        Self { code: code::ENGINE, text: error.to_string(), retry: error.retry_helps() }
    }
}

impl From<JournalError> for StepError {
    fn from(error: JournalError) -> Self {
        // A record out of order is a fault of this program; the same again would be another.
        let retry = matches!(error, JournalError::Database(_));
        Self { code: code::JOURNAL, text: redact(&error.to_string()), retry }
    }
}
