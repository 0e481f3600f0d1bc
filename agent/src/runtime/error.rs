//! What can go wrong between the agent and the Engine, and what may be concluded from it.

use crate::node::redact::redact;

/// An error of one Engine call. Codes E201 to E206; texts are redacted.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The call never reached the Engine.
    #[error("E201: the Engine cannot be reached at {socket}: {text}")]
    Unreachable {
        /// Where it was looked for.
        socket: String,
        /// Why, in one line.
        text: String,
    },
    /// The call was sent and its answer never came: only an inspect can tell what happened.
    #[error("E202: the Engine did not answer to {call}: {text}; what it did is not known")]
    Unknown {
        /// Such as `start`.
        call: &'static str,
        /// Why, in one line.
        text: String,
    },
    /// The Engine knows no such container, image or network.
    #[error("E203: the Engine knows no such thing ({call}): {text}")]
    NotFound {
        /// Such as `start`.
        call: &'static str,
        /// The Engine's words.
        text: String,
    },
    /// The Engine said no.
    #[error("E204: the Engine refused {call} with status {status}: {text}")]
    Refused {
        /// Such as `start`.
        call: &'static str,
        /// HTTP status.
        status: u16,
        /// The Engine's words.
        text: String,
    },
    /// The Engine answered something that is not understood here.
    #[error("E205: the Engine's answer to {call} is not understood: {text}")]
    Odd {
        /// Such as `inspect`.
        call: &'static str,
        /// What was odd.
        text: String,
    },
    /// A pull that ended in an error of the registry.
    #[error("E206: the image could not be pulled: {text}")]
    Pull {
        /// The Engine's words.
        text: String,
    },
}

impl EngineError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            EngineError::Unreachable { .. } => "E201",
            EngineError::Unknown { .. } => "E202",
            EngineError::NotFound { .. } => "E203",
            EngineError::Refused { .. } => "E204",
            EngineError::Odd { .. } => "E205",
            EngineError::Pull { .. } => "E206",
        }
    }

    /// The same call may succeed later.
    pub fn retry_helps(&self) -> bool {
        match self {
            EngineError::Unreachable { .. }
            | EngineError::Unknown { .. }
            | EngineError::Pull { .. } => true,
            // A conflict is often a call of the Engine's own that is still under way.
            EngineError::Refused { status, .. } => *status == 409 || *status >= 500,
            EngineError::NotFound { .. } | EngineError::Odd { .. } => false,
        }
    }

    /// Certainly without effect. Anything else wants an inspect.
    pub fn is_without_effect(&self) -> bool {
        matches!(self, EngineError::Unreachable { .. } | EngineError::NotFound { .. })
    }

    pub(super) fn of(call: &'static str, socket: &str, error: bollard::errors::Error) -> Self {
        use bollard::errors::Error as E;
        let text = redact(&chain(&error));
        match error {
            E::DockerResponseServerError { status_code: 404, message } => {
                EngineError::NotFound { call, text: redact(&message) }
            }
            E::DockerResponseServerError { status_code, message } => {
                EngineError::Refused { call, status: status_code, text: redact(&message) }
            }
            E::SocketNotFoundError(_) => EngineError::Unreachable { socket: socket.into(), text },
            E::HyperLegacyError { err } if err.is_connect() => {
                EngineError::Unreachable { socket: socket.into(), text }
            }
            E::DockerStreamError { error } => EngineError::Pull { text: redact(&error) },
            E::JsonDataError { .. } | E::JsonSerdeError { .. } | E::APIVersionParseError {} => {
                EngineError::Odd { call, text }
            }
            _ => EngineError::Unknown { call, text },
        }
    }
}

/// An error and its sources in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let more = inner.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = inner.source();
    }
    text
}
