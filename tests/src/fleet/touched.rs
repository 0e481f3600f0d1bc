//! Whose containers an agent's mutating Engine calls address: its own, and nothing else.

use std::collections::BTreeSet;

use super::delegate::Delegate;
use super::observer::{KEY_LABEL, Seen};
use crate::faults::engine::Call;

/// What belongs to one delegate.
struct Own<'a> {
    /// Name of its node; what it makes is called so and a suffix.
    container: &'a str,
    operator: &'a str,
    /// Ids of containers and execs.
    ids: BTreeSet<&'a str>,
}

/// Calls that address anything that is not proved to be the caller's own: a container of its
/// operator key, or one that it made itself under its own name and key.
pub fn strangers(delegates: &[Delegate], seen: &[Seen]) -> Vec<String> {
    let mut found = Vec::new();
    for delegate in delegates {
        let calls = delegate.proxy.calls();
        let operator = delegate.home.operator();
        let ran = seen.iter().filter(|seen| seen.operator == operator);
        let ran = ran.map(|seen| seen.container.as_str());
        let made = calls.iter().filter_map(|call| call.made.as_deref());
        let ids = ran.chain(made).collect();
        let own = Own { container: &delegate.container, operator, ids };
        let foreign = calls.iter().filter(|call| !own.is_addressed_by(call));
        found.extend(
            foreign.map(|call| format!("{}: {} {}", delegate.name, call.method, call.path)),
        );
    }
    found
}

impl Own<'_> {
    fn is_addressed_by(&self, call: &Call) -> bool {
        let (path, query) = call.path.split_once('?').unwrap_or((&call.path, ""));
        let parts: Vec<_> = path.trim_matches('/').split('/').collect();
        match parts.as_slice() {
            ["containers", "create"] => {
                let name = query.split('&').find_map(|pair| pair.strip_prefix("name="));
                let body = json(call);
                name.is_some_and(|name| self.is_named(name))
                    && body["Labels"][KEY_LABEL] == self.operator
            }
            ["containers", container, ..] => self.holds(container),
            ["exec", exec, ..] => self.ids.contains(exec),
            ["networks", _, "connect" | "disconnect"] => {
                json(call)["Container"].as_str().is_some_and(|container| self.holds(container))
            }
            // A pull changes no container.
            ["images", "create"] => true,
            _ => false,
        }
    }

    fn holds(&self, container: &str) -> bool {
        self.ids.contains(container) || self.is_named(container)
    }

    fn is_named(&self, name: &str) -> bool {
        let rest = name.strip_prefix(self.container);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }
}

fn json(call: &Call) -> serde_json::Value {
    serde_json::from_slice(&call.body).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(path: &str, body: &serde_json::Value) -> Call {
        let body = body.to_string().into();
        Call { method: "POST".into(), path: path.into(), body, made: None, status: Some(204) }
    }

    #[test]
    fn what_is_not_proved_to_be_ones_own_is_a_strangers() {
        let (mine, other) = ("1".repeat(64), "2".repeat(64));
        let ids = [mine.as_str()].into();
        let own = Own { container: "run-robot-1", operator: "io1me", ids };
        let made = |operator: &str| serde_json::json!({"Labels": {KEY_LABEL: operator}});
        let joins = |id: &str| serde_json::json!({"Container": id});
        let none = serde_json::Value::Null;
        for (path, body, expected) in [
            (format!("/containers/{mine}/stop"), &none, true),
            (format!("/containers/{other}/stop"), &none, false),
            ("/containers/run-robot-1/update".into(), &none, true),
            ("/containers/run-robot-10/update".into(), &none, false),
            ("/containers/create?name=run-robot-1-muster-42".into(), &made("io1me"), true),
            ("/containers/create?name=run-robot-1-muster-42".into(), &made("io1you"), false),
            ("/containers/create?name=run-robot-2-muster-42".into(), &made("io1me"), false),
            ("/networks/n/connect".into(), &joins(&mine), true),
            ("/networks/n/connect".into(), &joins(&other), false),
            (format!("/exec/{other}/start"), &none, false),
            ("/volumes/prune".into(), &none, false),
        ] {
            assert_eq!(own.is_addressed_by(&call(&path, body)), expected, "{path}");
        }
    }
}
