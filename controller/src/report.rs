//! How an error ends a program: the whole chain once, and a stable exit code.

use std::error::Error;
use std::fmt::Write as _;

use crate::config::ConfigError;
use crate::init::InitError;

/// `error`, and below it each cause on a line of its own, without repeating itself.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = format!("error: {error}");
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !said.contains(&words) {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n  because {words}");
            said = words;
        }
        next = cause.source();
    }
    text
}

/// 2 for what the caller wrote, 1 for everything else.
pub fn exit_code(error: &(dyn Error + 'static)) -> u8 {
    let wrong_use = error.is::<ConfigError>() || error.is::<InitError>();
    if wrong_use { 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn each_cause_is_said_once() {
        let error = Outer(std::io::Error::other("inner"));
        assert_eq!(chain(&error), "error: outer\n  because inner");
    }
}
