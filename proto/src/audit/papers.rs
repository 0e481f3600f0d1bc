//! From a first root to the plan: all metadata verified as of the plan's own time.

use super::bundle::Bundle;
use super::fault::Fault;
use crate::documents::{Digest, Plan, PlanId, canonical};
use crate::trust::limits::ROOTS_PER_OFFER;
use crate::trust::{Offer, Refused, Taken, Trust, TrustError};

/// Documents that verify.
pub(super) struct Papers {
    pub(super) trust: Trust,
    pub(super) id: PlanId,
    pub(super) plan: Plan,
}

/// Verifies what the bundle holds. The time is what the plan says of itself: it is taken from bytes
/// with the digest that is asked for, and counts once these very bytes have verified.
///
/// # Errors
/// [`Fault::Documents`], [`Fault::NoPlan`].
pub(super) fn papers(bundle: &Bundle, first_root: &[u8]) -> Result<Papers, Fault> {
    let none = || Fault::NoPlan(bundle.plan.clone());
    let as_of = claimed(bundle).ok_or_else(none)?.issued;
    let refuse = |subject: &str, source: TrustError| Fault::Documents {
        subject: subject.into(),
        as_of,
        source: Box::new(source),
    };
    let pinned = Trust::pin(first_root, &Digest::of(first_root), &bundle.network);
    let mut trust = pinned.map_err(|source| refuse("the first root", source))?;
    for roots in bundle.documents.roots.chunks(ROOTS_PER_OFFER) {
        let taken = trust.take_only_roots(&Offer { roots: roots.to_vec(), ..Offer::default() });
        first(taken).map_or(Ok(()), |it| Err(refuse(&it.subject, it.error)))?;
    }
    let taken = trust.take(&Offer { roots: Vec::new(), ..bundle.documents.clone() }, as_of);
    let found = trust.plans().get(&bundle.plan).cloned();
    match (found, first(taken)) {
        (_, Some(refused)) if !may_be_missing(&refused.error) => {
            Err(refuse(&refused.subject, refused.error))
        }
        (Some(plan), _) if trust.roster().is_some() => {
            Ok(Papers { trust, id: bundle.plan.clone(), plan })
        }
        (_, Some(refused)) => Err(refuse(&refused.subject, refused.error)),
        (None, None) => Err(none()),
        (Some(_), None) => Err(Fault::NoRoster),
    }
}

/// What the bundle calls the plan, before it is believed.
fn claimed(bundle: &Bundle) -> Option<Plan> {
    let mut targets = bundle.documents.targets.values();
    let bytes = targets.find(|bytes| Digest::of(bytes) == bundle.plan.digest)?;
    canonical::from_bytes::<Plan>(bytes).ok()
}

/// What weighs most of what was refused.
fn first(taken: Taken) -> Option<Refused> {
    let (missing, wrong): (Vec<_>, Vec<_>) =
        taken.refused.into_iter().partition(|refused| may_be_missing(&refused.error));
    wrong.into_iter().chain(missing).next()
}

/// A board need not hold everything, and a role that nobody uses may have expired: what is missing
/// is missed when the plan or the roster depend on it.
fn may_be_missing(error: &TrustError) -> bool {
    matches!(error, TrustError::Withheld { .. } | TrustError::Expired { .. })
}
