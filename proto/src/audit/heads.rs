//! What the chains say of each other: times, and the heads that each `began` names.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::Account;
use super::fault::Fault;
use crate::documents::NodeName;
use crate::evidence::{Chain, Event, Head, Receipt};

/// No time goes back within a chain by more than clocks may differ: an honest clock is set now and
/// then. Only what was said of this plan is looked at; a clock that was wrong a year ago is not.
///
/// # Errors
/// [`Fault::TimeBack`].
pub(super) fn times(account: &Account) -> Result<(), Fault> {
    for node in account.nodes() {
        let mut last: Option<&Receipt> = None;
        for receipt in account.said(node) {
            if let Some(before) = last.filter(|it| receipt.at + account.skew() < it.at) {
                return Err(Fault::TimeBack {
                    node: node.clone(),
                    counter: receipt.counter,
                    before: before.at,
                    at: receipt.at,
                });
            }
            last = Some(receipt);
        }
    }
    Ok(())
}

/// Everything that a `began` or a beacon has seen is here, the very same, and not dated later.
///
/// # Errors
/// [`Fault::Omitted`], [`Fault::OtherHistory`], [`Fault::TimeAhead`].
pub(super) fn heads(account: &Account) -> Result<(), Fault> {
    for node in account.nodes() {
        for receipt in account.chains.get(node).into_iter().flat_map(Chain::receipts) {
            let Event::Began { heads, .. } = &receipt.event else { continue };
            let by = || format!("receipt {} of {node}", receipt.counter);
            for (of, head) in account.comparable(receipt, heads) {
                let seen = account.seen(by, of, head)?;
                in_time(account, receipt, seen)?;
            }
        }
        if let Some(head) = account.told.get(node).filter(|_| account.is_whole(node)) {
            account.seen(|| format!("the newest beacon of {node}"), node, head)?;
        }
    }
    Ok(())
}

/// Both dates stand in receipts about this plan, and differ by no more than clocks may.
fn in_time(account: &Account, began: &Receipt, seen: Option<&Receipt>) -> Result<(), Fault> {
    let ours = began.plan == account.id;
    let later = |seen: &&Receipt| seen.plan == account.id && seen.at > began.at + account.skew();
    match seen.filter(|_| ours).filter(later) {
        None => Ok(()),
        Some(seen) => Err(Fault::TimeAhead {
            node: began.node.clone(),
            at: began.at,
            of: seen.node.clone(),
            counter: seen.counter,
            dated: seen.at,
        }),
    }
}

impl Account {
    /// By how much two honest clocks may differ.
    pub(super) fn skew(&self) -> SignedDuration {
        crate::rule::sight::millis(self.plan.beacon.skew_ms)
    }

    /// All that this node signed under the plan's key can be asked for.
    fn is_whole(&self, node: &NodeName) -> bool {
        !self.rekeyed.contains(node) && !self.contradicted.contains(node)
    }

    /// The heads of a `began` that can be compared with the chains: of members of its plan whose
    /// key was then what it is in this plan.
    fn comparable<'a>(
        &'a self,
        began: &'a Receipt,
        heads: &'a BTreeMap<NodeName, Head>,
    ) -> impl Iterator<Item = (&'a NodeName, &'a Head)> {
        let under = match began.plan == self.id {
            true => Some(&self.plan),
            false => self.trust.plans().get(&began.plan),
        };
        let same = move |node: &NodeName| {
            let then = under.and_then(|plan| plan.member(node)).and_then(|member| member.key);
            then.is_some() && then == self.plan.member(node).and_then(|member| member.key)
        };
        heads.iter().filter(move |(node, _)| same(node) && self.is_whole(node))
    }

    /// The receipt that `head` names; none when nothing of that node is here or need be.
    fn seen(
        &self,
        by: impl Fn() -> String,
        of: &NodeName,
        head: &Head,
    ) -> Result<Option<&Receipt>, Fault> {
        let chain = self.chains.get(of);
        let held = chain.and_then(Chain::head).map_or(0, |head| head.counter);
        let Some(hash) = chain.and_then(|chain| chain.hash(head.counter)) else {
            let (of, counter) = (of.clone(), head.counter);
            return Err(Fault::Omitted { by: by(), of, counter, held });
        };
        if *hash != head.hash {
            let (of, counter) = (of.clone(), head.counter);
            return Err(Fault::OtherHistory { by: by(), of, counter });
        }
        let at = usize::try_from(head.counter - 1).unwrap_or(usize::MAX);
        Ok(chain.and_then(|chain| chain.receipts().nth(at)))
    }
}
