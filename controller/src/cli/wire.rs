//! From the wire to what the views read; the one file of the command line that sees both.

use jiff::Timestamp;
use muster_proto::wire::muster as wire;

use super::failure::Failure;
use crate::view::told::{AgentRefused, Attached, Hold};

/// A moment in Unix seconds.
///
/// # Errors
/// `U042` when no calendar knows it.
pub fn moment(seconds: i64) -> Result<Timestamp, Failure> {
    let said = || Failure::new("U042", format!("{seconds} is no time"));
    Timestamp::from_second(seconds).map_err(|_| said())
}

/// A moment in Unix milliseconds.
///
/// # Errors
/// `U042`.
pub fn moment_ms(millis: i64) -> Result<Timestamp, Failure> {
    let said = || Failure::new("U042", format!("{millis} is no time"));
    Timestamp::from_millisecond(millis).map_err(|_| said())
}

/// A hold as the board says it.
///
/// # Errors
/// `U042` when class or time are none.
pub fn hold(hold: wire::Hold) -> Result<Hold, Failure> {
    Ok(Hold {
        class: hold.class.parse()?,
        serial: hold.serial,
        by: clean(&hold.by),
        reason: clean(&hold.reason),
        until: moment(hold.until)?,
    })
}

/// Whether an agent is attached.
///
/// # Errors
/// `U042`.
pub fn attached(attachment: &wire::Attachment) -> Result<Attached, Failure> {
    Ok(Attached { now: attachment.attached, since: moment(attachment.since)? })
}

/// A refusal that an agent told its board.
///
/// # Errors
/// `U042`.
pub fn refused(refusal: wire::AgentRefusal) -> Result<AgentRefused, Failure> {
    let said = refusal.refusal.unwrap_or_default();
    Ok(AgentRefused {
        at: moment(refusal.at)?,
        node: clean(&refusal.node),
        code: clean(&said.code),
        text: clean(&said.text),
        subject: clean(&said.subject),
    })
}

/// A refused call: the board's own code when it gives one.
pub fn status(status: &tonic::Status) -> Failure {
    let told = Failure::told(status.message());
    if told.code != "U000" {
        return told;
    }
    let code = match status.code() {
        // The connection's own trouble; what a board says comes without a cause.
        _ if std::error::Error::source(status).is_some() => "U042",
        tonic::Code::PermissionDenied | tonic::Code::Unauthenticated => "U043",
        tonic::Code::Unavailable | tonic::Code::DeadlineExceeded | tonic::Code::Cancelled => "U042",
        _ => "U044",
    };
    let said = if status.message().is_empty() { "no words" } else { status.message() };
    Failure::new(code, said).because_of(status)
}

/// A board's words are shown on a terminal: one line, no control characters, not too long.
fn clean(text: &str) -> String {
    /// Characters of a board's words that are shown.
    const SHOWN: usize = 200;
    text.chars().filter(|c| !c.is_control()).take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_cannot_write_control_characters_on_the_terminal() {
        let refusal = wire::Refusal { code: "T021\u{1b}[2J".into(), ..Default::default() };
        let said = wire::AgentRefusal { node: "robot-1\n".into(), refusal: Some(refusal), at: 1 };
        let refused = refused(said).expect("a refusal");
        assert_eq!((refused.node.as_str(), refused.code.as_str()), ("robot-1", "T021[2J"));
    }

    #[test]
    fn the_code_of_a_board_is_kept_and_silence_is_unreachable() {
        let said = status(&tonic::Status::failed_precondition("C021: the role has moved on"));
        assert_eq!(said.code, "C021");
        let lost = status(&tonic::Status::unavailable("broken pipe"));
        assert_eq!(lost.exit, crate::cli::exit::Exit::Unreachable);
        let cut = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        let cut = status(&tonic::Status::from_error(Box::new(cut)));
        assert_eq!((cut.code.as_str(), cut.exit), ("U042", crate::cli::exit::Exit::Unreachable));
    }
}
