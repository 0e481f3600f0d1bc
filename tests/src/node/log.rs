//! Log lines as the real node writes them: JSON on stdout, and appended to the file that the config names.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};

/// Where lines go.
#[derive(Debug, Default)]
pub struct Log {
    file: Option<Mutex<File>>,
}

impl Log {
    /// Writes to stdout, and to `file` when its folder exists.
    pub fn open(file: Option<&Path>) -> Self {
        let open = |path| OpenOptions::new().append(true).create(true).open(path);
        let file = file.and_then(|path| open(path).ok()).map(Mutex::new);
        Self { file }
    }

    /// One line; `more` is an object whose fields follow the message in the order of their names.
    pub fn line(&self, level: &str, caller: &str, message: &str, more: &Value) {
        let fields = more.as_object().into_iter().flatten();
        let fields: Vec<_> = fields.map(|(key, value)| (key.as_str(), value.clone())).collect();
        self.fields(level, caller, message, &fields);
    }

    /// One line; `more` follows the message in this order.
    pub fn fields(&self, level: &str, caller: &str, message: &str, more: &[(&str, Value)]) {
        let now = Timestamp::now();
        println!("{}", render(level, &json!(iso(now)), caller, message, more));
        if let Some(file) = &self.file {
            let seconds = json!(now.as_microsecond() as f64 / 1e6);
            let line = render(level, &seconds, caller, message, more);
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            // A full disk must not stop the node: the real one goes on too.
            let _ = writeln!(file, "{line}");
        }
    }

    /// A line of level `info` without further fields.
    pub fn info(&self, caller: &str, message: &str) {
        self.line("info", caller, message, &Value::Null);
    }
}

fn iso(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The fields in the order of the real node; a JSON map of this crate would sort them.
fn render(level: &str, ts: &Value, caller: &str, message: &str, more: &[(&str, Value)]) -> String {
    let head = [
        ("level", json!(level)),
        ("ts", ts.clone()),
        ("caller", json!(caller)),
        ("msg", json!(message)),
    ];
    let fields = head.iter().chain(more);
    let fields: Vec<String> =
        fields.map(|(key, value)| format!("{}:{value}", json!(key))).collect();
    format!("{{{}}}", fields.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_recorded_shape() {
        let ts = Timestamp::from_millisecond(1_795_362_178_941).unwrap();
        let line = render("info", &json!(iso(ts)), "itx/server.go:360", "Server is ready.", &[]);
        assert_eq!(
            line,
            r#"{"level":"info","ts":"2026-11-22T15:42:58.941Z","caller":"itx/server.go:360","msg":"Server is ready."}"#
        );
        let more = [("height", json!(7)), ("epoch", json!(1))];
        let line = render("info", &json!(1.5), "a:1", "b", &more);
        let expected = r#"{"level":"info","ts":1.5,"caller":"a:1","msg":"b","height":7,"epoch":1}"#;
        assert_eq!(line, expected);
    }
}
