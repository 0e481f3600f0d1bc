//! Documents and evidence that were refused: said once each, kept for people to see.

use std::sync::Arc;

use jiff::Timestamp;
use muster_proto::wire::muster::Refusal;

use crate::control::view::RefusedView;

/// Kept at most; who floods an agent with bad documents fills no more than this.
const MOST: usize = 64;

/// What was refused so far, oldest first.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    seen: Vec<RefusedView>,
}

impl Refusals {
    /// Adds what was refused just now. False when the same was said before, or the list is full.
    pub(super) fn add(&mut self, refused: RefusedView) -> bool {
        let same = |old: &RefusedView| {
            old.subject == refused.subject && old.code == refused.code && old.text == refused.text
        };
        if self.seen.len() >= MOST || self.seen.iter().any(same) {
            return false;
        }
        tracing::warn!(
            code = refused.code,
            subject = refused.subject,
            from = refused.from,
            "refused: {}",
            refused.text
        );
        self.seen.push(refused);
        true
    }

    /// As boards hear it.
    pub(super) fn wire(&self) -> Arc<[Refusal]> {
        let one = |refused: &RefusedView| Refusal {
            code: refused.code.clone(),
            text: refused.text.clone(),
            subject: refused.subject.clone(),
        };
        self.seen.iter().map(one).collect()
    }

    /// As people see it.
    pub(super) fn views(&self) -> Vec<RefusedView> {
        self.seen.clone()
    }
}

/// A refusal whose error text begins with its code, such as `T021: …`.
pub(super) fn refused(
    at: Timestamp,
    from: &str,
    subject: &str,
    error: &(dyn std::error::Error + 'static),
) -> RefusedView {
    let text = crate::control::said::one_line(&crate::control::said::chain(error));
    let code = text.split(':').next().filter(|word| is_code(word)).unwrap_or("A050").to_owned();
    RefusedView { at, from: from.into(), subject: subject.into(), code, text }
}

fn is_code(word: &str) -> bool {
    let mut chars = word.chars();
    let letter = chars.next().is_some_and(|c| c.is_ascii_uppercase());
    letter && word.len() == 4 && chars.all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Said(&'static str);

    fn view(subject: &str, text: &'static str) -> RefusedView {
        refused(Timestamp::UNIX_EPOCH, "a.example:7443", subject, &Said(text))
    }

    #[test]
    fn the_same_refusal_is_kept_once() {
        let mut refusals = Refusals::default();
        assert!(refusals.add(view("hotfix", "T021: 1 of 2 signatures")));
        assert!(!refusals.add(view("hotfix", "T021: 1 of 2 signatures")));
        assert!(refusals.add(view("drill", "T021: 1 of 2 signatures")));
        assert_eq!(refusals.wire().len(), 2);
        assert_eq!(refusals.wire()[0].code, "T021");
    }

    #[test]
    fn a_flood_of_refusals_is_bounded() {
        let mut refusals = Refusals::default();
        for at in 0..1_000 {
            refusals.add(view(&at.to_string(), "T021: bad"));
        }
        assert_eq!(refusals.views().len(), MOST);
    }

    #[test]
    fn an_error_without_a_code_gets_the_agents_own() {
        assert_eq!(view("x", "something broke").code, "A050");
    }
}
