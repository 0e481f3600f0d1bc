//! Style is a test: what CONTRIBUTING.md promises about the tree is checked here.

use std::fs;
use std::path::{Path, PathBuf};

/// Longest file, in lines, unit tests at its end left out.
const FILE_LINES: usize = 500;
/// Longest function, in lines from its `fn` to its closing brace.
const FUNCTION_LINES: usize = 70;

/// Modules that decide: no clock, network, disk, runtime, log or Docker.
const PURE: &[&str] = &[
    "proto/src/audit",
    "proto/src/documents",
    "proto/src/evidence",
    "proto/src/rule",
    "agent/src/decide",
    "agent/src/snapshot/decide",
    "controller/src/view",
];

/// What a pure module may not name.
const IMPURE: &[&str] = &[
    "tokio::",
    "tonic::",
    "bollard::",
    "std::fs",
    "std::net::Tcp",
    "std::env",
    "std::thread",
    "std::process",
    "tracing::",
    "rand::",
    "getrandom",
    "Timestamp::now",
    "Instant::now",
    "SystemTime",
    "rusqlite",
    "sqlx",
    "println!",
    "eprintln!",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![below.to_path_buf()];
    while let Some(dir) = open.pop() {
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        for entry in entries {
            let path = entry.expect("a directory entry").path();
            match path.is_dir() {
                true if path.file_name().is_some_and(|name| name == "target") => {}
                true => open.push(path),
                false if path.extension().is_some_and(|ending| ending == "rs") => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}

fn all_sources() -> Vec<PathBuf> {
    ["proto", "agent", "controller", "tests"]
        .iter()
        .flat_map(|part| sources(&root().join(part)))
        .collect()
}

/// The lines before an inline test module.
fn production(text: &str) -> Vec<&str> {
    text.lines().take_while(|line| line.trim() != "#[cfg(test)]").collect()
}

fn shown(path: &Path) -> String {
    let root = root();
    path.strip_prefix(&root).unwrap_or(path).display().to_string()
}

fn assert_none(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

#[test]
fn pure_modules_stay_pure() {
    let mut found = Vec::new();
    for dir in PURE {
        let files = sources(&root().join(dir));
        assert!(!files.is_empty(), "{dir} holds no source: mend the list in this test");
        for path in files.iter().filter(|path| !path.ends_with("tests.rs")) {
            let text = fs::read_to_string(path).expect("a readable source");
            for (at, line) in production(&text).iter().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                for word in IMPURE.iter().filter(|word| code.contains(**word)) {
                    found.push(format!("{}:{} {word}", shown(path), at + 1));
                }
            }
        }
    }
    assert_none(&found, "a module that decides may not touch the world");
}

#[test]
fn files_are_short() {
    let long = |path: &PathBuf| {
        let lines = production(&fs::read_to_string(path).expect("a readable source")).len();
        (lines > FILE_LINES).then(|| format!("{} {lines} lines", shown(path)))
    };
    let found: Vec<_> = all_sources().iter().filter_map(long).collect();
    assert_none(&found, "a file has at most 500 lines, unit tests at its end left out");
}

#[test]
fn functions_are_short() {
    let mut found = Vec::new();
    for path in all_sources() {
        let text = fs::read_to_string(&path).expect("a readable source");
        let lines: Vec<_> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(length) = function_length(&lines[at..], line) else { continue };
            if length > FUNCTION_LINES {
                found.push(format!("{}:{} {length} lines", shown(&path), at + 1));
            }
        }
    }
    assert_none(&found, "a function has at most 70 lines");
}

/// Lines of the function that begins here, by the indentation that rustfmt guarantees.
fn function_length(rest: &[&str], line: &str) -> Option<usize> {
    let code = line.trim_start();
    let words = [
        "fn ",
        "pub fn ",
        "pub(crate) fn ",
        "pub(super) fn ",
        "async fn ",
        "pub async fn ",
        "const fn ",
    ];
    if !words.iter().any(|word| code.starts_with(word)) && !code.starts_with("pub(crate) async fn ")
    {
        return None;
    }
    let indent = line.len() - code.len();
    let close = format!("{}}}", " ".repeat(indent));
    rest.iter().position(|line| *line == close).map(|end| end + 1)
}

#[test]
fn no_test_sleeps() {
    let mut found = Vec::new();
    // In pieces, so that these lines are not found.
    let calls = [["sleep", "("].concat(), ["sleep_until", "("].concat()];
    for path in sources(&root().join("tests/tests")) {
        let text = fs::read_to_string(&path).expect("a readable source");
        for (at, line) in text.lines().enumerate() {
            if calls.iter().any(|call| line.contains(call)) {
                found.push(format!("{}:{}", shown(&path), at + 1));
            }
        }
    }
    assert_none(&found, "a test waits for a condition, with a deadline");
}

#[test]
fn nothing_is_left_unfinished() {
    let marks = [
        ["todo", "!("].concat(),
        ["unimplemented", "!("].concat(),
        ["#[ign", "ore"].concat(),
        ["FIX", "ME"].concat(),
    ];
    let mut found = Vec::new();
    for path in all_sources() {
        let text = fs::read_to_string(&path).expect("a readable source");
        for (at, line) in text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                found.push(format!("{}:{} {}", shown(&path), at + 1, line.trim()));
            }
        }
    }
    assert_none(&found, "unfinished work does not land");
}

#[test]
fn agent_and_controller_never_depend_on_each_other() {
    let manifest =
        |part: &str| fs::read_to_string(root().join(part).join("Cargo.toml")).expect("a manifest");
    assert!(!manifest("agent").contains("muster-controller"), "agent names the controller");
    assert!(!manifest("controller").contains("muster-agent"), "controller names the agent");
    let proto = manifest("proto");
    assert!(
        !proto.contains("muster-agent") && !proto.contains("muster-controller"),
        "proto names a side"
    );
}
