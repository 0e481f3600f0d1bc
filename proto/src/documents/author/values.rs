//! Values with their units: durations, blocks, shares, names, keys, times.

use std::net::SocketAddr;
use std::str::FromStr;

use jiff::Timestamp;

use super::codes::Code;
use super::fields::{Read, Reader};
use super::finding::Finding;
use super::nearest::nearest;
use super::node::{Kind, Node, Value};
use crate::documents::{Digest, NodeName, OperatorAddress, PublicKey};

/// A duration in milliseconds, written `2s`, `10m` or `1h 30m`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub u64);

/// A number of blocks, written `5 blocks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocks(pub u64);

/// Seats of the active set, written `7 of 24`, or `all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Nothing is counted.
    All,
    /// So many seats of so many active ones.
    Of {
        /// Seats that may be away.
        down: u32,
        /// Active producers that the author counts with.
        active: u32,
    },
}

impl Millis {
    const UNITS: [(&str, u64); 5] =
        [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

    /// Parses `1h 30m`; each unit once, large before small.
    pub fn parse(text: &str) -> Option<Self> {
        let mut total: u64 = 0;
        let mut below = u64::MAX;
        for part in text.split(' ') {
            let digits = part.bytes().take_while(u8::is_ascii_digit).count();
            let count: u64 = part[..digits].parse().ok()?;
            let (_, unit) = Self::UNITS.into_iter().find(|(name, _)| *name == &part[digits..])?;
            if unit >= below {
                return None;
            }
            below = unit;
            total = total.checked_add(count.checked_mul(unit)?)?;
        }
        // What is signed must fit a signed number of milliseconds.
        (total <= i64::MAX as u64).then_some(Self(total))
    }
}

impl std::fmt::Display for Millis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut left = self.0;
        let mut parts = Vec::new();
        for (name, unit) in Self::UNITS.into_iter().rev() {
            if left >= unit {
                parts.push(format!("{}{name}", left / unit));
                left %= unit;
            }
        }
        f.pad(if parts.is_empty() { "0s".into() } else { parts.join(" ") }.as_str())
    }
}

fn wrong_unit<T>(node: &Node, reader: &mut Reader<'_>, expected: &str, fix: String) -> Option<T> {
    match &node.value {
        Value::Scalar(_, text) => {
            let note = format!("`{}` is no {expected}", clip(text));
            reader.refuse(node, Finding::new(Code::D107, "").note(note).fix(fix));
            None
        }
        _ => reader.wrong_type(node, expected),
    }
}

/// A written value in a note: cut, so that nothing long is repeated.
pub fn clip(text: &str) -> String {
    const SHOWN: usize = 40;
    let short: String = text.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    if text.chars().count() > SHOWN { format!("{short}…") } else { short }
}

impl Read for Millis {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = node.scalar().unwrap_or_default();
        Millis::parse(text).or_else(|| {
            let fix = match node.whole() {
                Some(count) => format!("say the unit: `{count}s`, `{count}m` or `{count}h`"),
                None => "such as `500ms`, `2s`, `10m` or `1h 30m`".into(),
            };
            wrong_unit(node, reader, "duration", fix)
        })
    }
}

impl Read for Blocks {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = node.scalar().unwrap_or_default();
        let count = text.strip_suffix(" blocks").or_else(|| text.strip_suffix(" block"));
        let count = count.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        count.and_then(|digits| digits.parse().ok()).map(Blocks).or_else(|| {
            let fix = format!("such as `{} blocks`", node.whole().unwrap_or(5));
            wrong_unit(node, reader, "number of blocks", fix)
        })
    }
}

impl Read for Share {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = node.scalar().unwrap_or_default();
        if text == "all" {
            return Some(Share::All);
        }
        let pair = text.split_once(" of ");
        let number = |digits: &str| {
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<u32>().ok().filter(|_| plain)
        };
        let share = pair.and_then(|(down, active)| {
            Some(Share::Of { down: number(down)?, active: number(active)? })
        });
        share.or_else(|| {
            let count = node.whole().unwrap_or(7);
            let fix = format!("seats of the active ones, such as `{count} of 24`, or `all`");
            wrong_unit(node, reader, "share of seats", fix)
        })
    }
}

impl Read for u64 {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        // Canonical JSON is read by parsers with doubles too.
        const EXACT_MAX: u64 = (1 << 53) - 1;
        let value = node.whole().filter(|value| *value <= EXACT_MAX);
        value.or_else(|| reader.wrong_type(node, "a whole number, digits only"))
    }
}

impl Read for u32 {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let value = node.whole().and_then(|value| u32::try_from(value).ok());
        value.or_else(|| reader.wrong_type(node, "a whole number, digits only"))
    }
}

impl Read for bool {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.value {
            Value::Scalar(Kind::Bool, text) => Some(text.eq_ignore_ascii_case("true")),
            _ => reader.wrong_type(node, "true or false"),
        }
    }
}

impl Read for String {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.value {
            Value::Scalar(Kind::Text, text) => {
                let clean = !text.chars().any(char::is_control);
                if clean && !text.trim().is_empty() {
                    return Some(text.clone());
                }
                let finding = Finding::new(Code::D109, "").note("one line of text is expected");
                reader.refuse(node, finding.fix("write it on one line"));
                None
            }
            Value::Scalar(..) => {
                let note = format!("expected text, found {}", node.value.what());
                reader
                    .refuse(node, Finding::new(Code::D106, "").note(note).fix("put it in quotes"));
                None
            }
            _ => reader.wrong_type(node, "text"),
        }
    }
}

/// Values that are checked by their own parser. Digits are taken as text too: a key may look
/// like a number.
fn parsed<T: FromStr>(
    node: &Node,
    reader: &mut Reader<'_>,
    expected: &str,
    why: impl Fn(&T::Err) -> String,
) -> Option<T> {
    let Some(text) = node.scalar() else { return reader.wrong_type(node, expected) };
    match text.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            let finding = Finding::new(Code::D109, "").note(format!("this is no {expected}"));
            reader.refuse(node, finding.why(why(&error)));
            None
        }
    }
}

macro_rules! read_parsed {
    ($($name:ty => $expected:literal, $why:literal;)*) => {$(
        impl Read for $name {
            fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
                parsed(node, reader, $expected, |_| $why.into())
            }
        }
    )*};
}

read_parsed! {
    NodeName => "node name", "1 to 32 lower-case letters, digits and `-`, beginning with a letter";
    Digest => "digest", "`sha256:` and 64 lower-case hex digits";
    OperatorAddress => "operator address", "`io1` and 38 characters of bech32 with a right checksum";
    Timestamp => "time", "a date with its time and zone, such as `2026-07-23T12:00:00Z`";
}

/// What is no public key may be a private one: its line is not shown.
impl Read for PublicKey {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Some(text) = node.scalar() else { return reader.wrong_type(node, "a public key") };
        text.parse().ok().or_else(|| {
            let finding = Finding::new(Code::D109, "").note("this is no public key");
            let finding = finding.why("64 lower-case hex digits that name an ed25519 point");
            reader.refuse_unseen(node, finding.fix("`muster key new` prints the public half"));
            None
        })
    }
}

/// The probe's port when an endpoint names none.
const PROBE_PORT: u16 = 8080;

/// `ip:port`, or an address alone with the probe's port.
impl Read for SocketAddr {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let alone = node.scalar().and_then(|text| text.parse::<std::net::IpAddr>().ok());
        let alone = alone.map(|ip| SocketAddr::new(ip, PROBE_PORT));
        alone.or_else(|| {
            parsed(node, reader, "endpoint", |_| {
                "an IP address, and a port unless it is 8080".into()
            })
        })
    }
}

/// A value of a closed list of words.
pub trait Word: Copy + 'static {
    /// What it is, for people.
    const WHAT: &'static str;
    /// The words that are understood.
    const WORDS: &'static [(&'static str, Self)];
    /// Words that are known and not built yet, each with its code.
    const LATER: &'static [(&'static str, Code)] = &[];
}

impl<T: Word> Read for T {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Some(text) = node.scalar() else { return reader.wrong_type(node, T::WHAT) };
        if let Some((_, value)) = T::WORDS.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let words: Vec<_> = T::WORDS.iter().map(|(word, _)| *word).collect();
        let known = format!("known: {}", words.join(", "));
        let finding = match T::LATER.iter().find(|(word, _)| *word == text) {
            Some((_, code)) => Finding::new(*code, "").fix(known),
            None => {
                let note = format!("`{}` is no {}", clip(text), T::WHAT);
                let fix = match nearest(text, words.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`? ({known})"),
                    None => known,
                };
                Finding::new(Code::D108, "").note(note).fix(fix)
            }
        };
        reader.refuse(node, finding);
        None
    }
}
