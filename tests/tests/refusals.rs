//! `tests/cases/refusals.tsv` maps every refusal code to the test that raises it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(below: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(below) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("a directory entry").path());
    let deep = paths.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    deep.filter(|path| path.extension().is_some_and(|ending| ending == "rs")).collect()
}

/// Codes that production code can raise: a letter of CONTRIBUTING.md's table and three digits,
/// inside a string literal.
fn raised() -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    for part in ["proto/src", "agent/src", "controller/src"] {
        for path in sources(&root().join(part)).into_iter().filter(|p| !p.ends_with("tests.rs")) {
            let text = fs::read_to_string(&path).expect("a readable source");
            let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]");
            for code in lines.filter(|line| !line.trim_start().starts_with("//")).flat_map(codes) {
                found.entry(code).or_insert_with(|| path.clone());
            }
        }
    }
    found
}

fn codes(line: &str) -> Vec<String> {
    let quoted = line.split('"').skip(1).step_by(2);
    quoted
        .flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric()))
        .filter(|w| is_code(w))
        .map(str::to_owned)
        .collect()
}

fn is_code(word: &str) -> bool {
    word.len() == 4
        && word.starts_with(|c| "DPKTRVCNE".contains(c))
        && word[1..].bytes().all(|b| b.is_ascii_digit())
}

/// Code and test of each row; the file's first column is the code, the second the test.
fn table() -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join("tests/cases/refusals.tsv")).expect("the table");
    let rows = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    rows.map(|row| {
        let (code, test) = row.split_once('\t').unwrap_or_else(|| panic!("no tab in {row:?}"));
        (code.to_owned(), test.to_owned())
    })
    .collect()
}

#[test]
fn every_refusal_code_is_raised_by_a_test() {
    let listed: BTreeSet<_> = table().into_iter().map(|(code, _)| code).collect();
    let raised = raised();
    let missing: Vec<_> = raised.iter().filter(|(code, _)| !listed.contains(*code)).collect();
    assert!(missing.is_empty(), "no test is named for these codes: {missing:#?}");
    let stale: Vec<_> = listed.iter().filter(|code| !raised.contains_key(*code)).collect();
    assert!(stale.is_empty(), "nothing raises these codes any more: {stale:?}");
}

#[test]
fn every_named_test_exists_and_names_its_code() {
    let parts = ["proto", "agent", "controller", "tests"];
    let texts: Vec<_> = parts
        .iter()
        .flat_map(|part| sources(&root().join(part)))
        .map(|path| fs::read_to_string(path).expect("a readable source"))
        .collect();
    let missing: Vec<_> = table()
        .into_iter()
        .filter(|(_, test)| !texts.iter().any(|text| text.contains(&format!("fn {test}("))))
        .collect();
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}
