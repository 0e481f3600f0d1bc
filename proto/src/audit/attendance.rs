//! Who did what, when and how: one line for every node of the roster that the plan was made for.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::{Account, order};
use crate::documents::plan::{Drill, Member};
use crate::documents::{Digest, PlanId};
use crate::evidence::Event;
use crate::rule::Final;
use crate::rule::facts::PlanFacts;

/// A plan, and everybody's part in it. Texts that others wrote hold no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attendance {
    /// Which very plan.
    pub plan: PlanId,
    /// Such as `mainnet`.
    pub network: String,
    /// For people.
    pub title: String,
    /// Such as `restart`.
    pub action: &'static str,
    /// Whether it was a drill, and of which kind.
    pub drill: Drill,
    /// When it was frozen; everything is verified as of this.
    pub issued: Timestamp,
    /// What ended it for good before its time, if anything did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aborted: Option<Aborted>,
    /// Digest of the root that all of it is verified from.
    pub first_root: Digest,
    /// The first `began`.
    pub began: Option<Timestamp>,
    /// The last of the last words.
    pub finished: Option<Timestamp>,
    /// Milliseconds between the two.
    pub took_ms: Option<u64>,
    /// Whether everybody who began had permission; none when nobody began.
    pub order: Option<Order>,
    /// In the plan's order, then who stands in no wave.
    pub nodes: Vec<Line>,
    /// How many ended how, by nodes and by seats.
    pub totals: Vec<Total>,
    /// All seats of the plan.
    pub seats: u32,
}

/// An abort of the plan, as it was signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Aborted {
    /// When it was frozen, by the clock of whoever froze it. When each agent heard of it is nowhere
    /// signed.
    pub issued: Timestamp,
    /// For people.
    pub reason: String,
}

/// One node's part. Times are by its own host's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its name.
    pub node: String,
    /// The seat it holds, if it holds one.
    pub seat: Option<String>,
    /// Its wave; none when it stands in no wave.
    pub wave: Option<String>,
    /// Its place in the whole order, from 1 on.
    pub place: Option<u32>,
    /// When it promised.
    pub acknowledged: Option<Timestamp>,
    /// When it asked its operator.
    pub asked: Option<Timestamp>,
    /// When all was ready.
    pub prepared: Option<Timestamp>,
    /// When it began.
    pub began: Option<Timestamp>,
    /// When its container was verified down.
    pub stopped: Option<Timestamp>,
    /// When it said its last word.
    pub finished: Option<Timestamp>,
    /// How it stands.
    pub how: How,
    /// Milliseconds from the stop signal until it was well again, by its own last word.
    pub away_ms: Option<u64>,
    /// Seats that it counted, its own included.
    pub counted: Option<u32>,
    /// Whether it began with permission; none when it did not begin.
    pub order: Option<Order>,
    /// Somebody behind it in the order began before it.
    pub late: bool,
    /// Why it declined, failed, or went out of order.
    pub why: Option<String>,
}

/// How a node's part ended, as far as its receipts say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// The action took effect.
    Done,
    /// The old node is back.
    RolledBack,
    /// It took no part.
    Declined,
    /// It failed, and said no last word.
    Failed,
    /// It began, and said no last word.
    AtWork,
    /// It waited for its operator.
    Asked,
    /// It promised, and did not begin.
    Acknowledged,
    /// Not a word.
    Silent,
    /// It has no agent that could say anything.
    NoAgent,
    /// A newer roster knows it by another key: what it said under the plan's is not served.
    NewKey,
}

/// Whether the order was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// By the rule, over what it had seen.
    Held,
    /// Not.
    Broken,
}

/// So many ended so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Total {
    /// How.
    pub how: How,
    /// Nodes.
    pub nodes: u32,
    /// Seats, each once; a group whose nodes ended in several ways stands in each.
    pub seats: u32,
}

impl How {
    /// As people read it.
    pub fn word(self) -> &'static str {
        match self {
            How::Done => "done",
            How::RolledBack => "rolled back",
            How::Declined => "declined",
            How::Failed => "failed",
            How::AtWork => "at work",
            How::Asked => "asked",
            How::Acknowledged => "promised",
            How::Silent => "silent",
            How::NoAgent => "no agent",
            How::NewKey => "new key",
        }
    }

    fn of(said: &PlanFacts) -> Self {
        let steps = [
            (said.failed.is_some(), How::Failed),
            (said.began.is_some(), How::AtWork),
            (said.asked.is_some() && said.prepared.is_none(), How::Asked),
            (said.acknowledged.is_some(), How::Acknowledged),
        ];
        match said.outcome {
            Some((Final::Done, _)) => How::Done,
            Some((Final::RolledBack, _)) => How::RolledBack,
            Some((Final::Declined, _)) => How::Declined,
            None => steps.into_iter().find(|(holds, _)| *holds).map_or(How::Silent, |it| it.1),
        }
    }
}

impl Order {
    /// As people read it.
    pub fn word(self) -> &'static str {
        match self {
            Order::Held => "held",
            Order::Broken => "BROKEN",
        }
    }
}

impl Attendance {
    /// Nodes that ended so.
    pub fn of(&self, how: How) -> impl Iterator<Item = &Line> {
        self.nodes.iter().filter(move |line| line.how == how)
    }

    /// Nodes that did something under the plan.
    pub fn took_part(&self) -> usize {
        self.nodes.iter().filter(|line| line.began.is_some()).count()
    }
}

/// Puts it together.
pub(super) fn attendance(account: &Account) -> Attendance {
    let plan = &account.plan;
    let members = account.nodes().filter_map(|name| plan.member(name));
    let mut nodes: Vec<Line> = members.map(|member| line(account, member)).collect();
    mark_late(&mut nodes);
    let began = nodes.iter().filter_map(|line| line.began).min();
    let finished = nodes.iter().filter(|it| it.began.is_some()).filter_map(|it| it.finished).max();
    let took = began.zip(finished).map(|(from, to)| to.duration_since(from).as_millis());
    let orders: Vec<Order> = nodes.iter().filter_map(|line| line.order).collect();
    let seats: BTreeSet<_> = plan.members.iter().filter_map(|it| it.seat.as_ref()).collect();
    Attendance {
        plan: account.id.clone(),
        network: plan.network.clone(),
        title: plain(&plan.title),
        action: plan.action.word(),
        drill: plan.drill,
        issued: plan.issued,
        aborted: aborted(account),
        first_root: account.trust.pinned_root().clone(),
        began,
        finished,
        took_ms: took.and_then(|ms| u64::try_from(ms).ok()),
        order: orders.first().map(|_| match orders.contains(&Order::Broken) {
            true => Order::Broken,
            false => Order::Held,
        }),
        totals: totals(&nodes),
        seats: seats.len() as u32,
        nodes,
    }
}

fn aborted(account: &Account) -> Option<Aborted> {
    let abort = account.trust.aborts().get(&account.id)?;
    Some(Aborted { issued: abort.issued, reason: plain(&abort.reason) })
}

fn line(account: &Account, member: &Member) -> Line {
    let name = &member.name;
    let mut said = PlanFacts::default();
    let (mut away_ms, mut counted, mut why) = (None, None, None);
    for receipt in account.said(name) {
        said.fold(receipt.at, &receipt.event);
        match &receipt.event {
            Event::Done(outcome) | Event::RolledBack(outcome) => away_ms = outcome.away_ms,
            Event::Began { sum, .. } => counted = *sum,
            Event::Declined { reason } => why = Some(plain(reason)),
            Event::Failed { code, why: text } => why = Some(plain(&format!("{code} {text}"))),
            _ => {}
        }
    }
    let judged = order::node(account, name).err();
    let order = said.began.map(|_| if judged.is_some() { Order::Broken } else { Order::Held });
    let place = account.plan.order().position(|(_, node)| node == name);
    let wave = account.plan.order().find(|(_, node)| *node == name).map(|(wave, _)| wave);
    Line {
        node: name.to_string(),
        seat: member.seat.as_deref().map(plain),
        wave: wave.map(|wave| plain(&account.plan.waves[wave].name)),
        place: place.map(|place| place as u32 + 1),
        acknowledged: said.acknowledged.as_ref().map(|it| it.at),
        asked: said.asked,
        prepared: said.prepared,
        began: said.began,
        stopped: said.stopped,
        finished: said.outcome.map(|(_, at)| at),
        how: how(account, member, &said),
        away_ms,
        counted,
        order,
        late: false,
        why: judged.map(|fault| plain(&fault.to_string())).or(why),
    }
}

fn how(account: &Account, member: &Member, said: &PlanFacts) -> How {
    match How::of(said) {
        How::Silent if member.key.is_none() => How::NoAgent,
        How::Silent if account.rekeyed.contains(&member.name) => How::NewKey,
        how => how,
    }
}

/// Late is whom somebody behind him overtook.
fn mark_late(nodes: &mut [Line]) {
    let began: BTreeMap<u32, Timestamp> =
        nodes.iter().filter_map(|line| line.place.zip(line.began)).collect();
    for line in nodes {
        let (Some(place), Some(at)) = (line.place, line.began) else { continue };
        line.late = began.range(place + 1..).any(|(_, other)| *other < at);
    }
}

fn totals(nodes: &[Line]) -> Vec<Total> {
    let mut all: BTreeMap<How, (u32, BTreeSet<&str>)> = BTreeMap::new();
    for line in nodes {
        let (many, seats) = all.entry(line.how).or_default();
        *many += 1;
        seats.extend(line.seat.as_deref());
    }
    let total = |(how, (nodes, seats)): (How, (u32, BTreeSet<&str>))| Total {
        how,
        nodes,
        seats: seats.len() as u32,
    };
    all.into_iter().map(total).collect()
}

/// What somebody else wrote, as it may be shown: nothing that moves a cursor, breaks a line or
/// turns the direction of reading.
fn plain(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = |c: char| if c.is_control() || turns(c) { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}
