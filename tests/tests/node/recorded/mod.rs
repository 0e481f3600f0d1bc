//! What the stand-in shows against what the real node showed: names, labels, statuses, order, exit codes. Values,
//! which differ from machine to machine, are not compared.

mod admin;
mod behind;
mod fork;
mod halt;
pub(crate) mod log;
mod metrics;
mod probes;
mod quorum;
mod stalled;
mod upgrade;
mod waiting;

use std::time::Duration;

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(20);

/// A recording; its first line says how it was obtained.
pub(crate) fn text(name: &str) -> String {
    let path = format!("{}/recorded/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The JSON of a recording.
pub(crate) fn json(name: &str) -> Value {
    let text = text(name);
    let (_, json) = text.split_once('\n').unwrap();
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The strings of a list joined to lines.
pub(crate) fn joined(list: &Value) -> String {
    let lines = list.as_array().unwrap().iter().map(|line| line.as_str().unwrap());
    lines.collect::<Vec<_>>().join("\n")
}
