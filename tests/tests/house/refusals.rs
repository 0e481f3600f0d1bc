//! `tests/cases/refusals.tsv` maps every refusal code to the test that raises it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Codes that no test raises; there are none, and none come back.
const OPEN: usize = 0;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(below: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(below).expect("a folder of sources");
    let paths = entries.map(|entry| entry.expect("a directory entry").path());
    let deep = paths.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    deep.filter(|path| path.extension().is_some_and(|ending| ending == "rs")).collect()
}

/// Unit tests stand in files of their own, or at the end of a file.
fn is_test(path: &Path) -> bool {
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let inside = path.strip_prefix(root()).unwrap_or(path);
    name.ends_with("tests") || inside.components().any(|part| part.as_os_str() == "tests")
}

/// Codes that production code can raise, with the file: the letter of CONTRIBUTING.md's table and
/// three digits, as a word of a string.
fn raised() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for part in ["proto/src", "agent/src", "controller/src"] {
        for path in sources(&root().join(part)).into_iter().filter(|path| !is_test(path)) {
            let text = fs::read_to_string(&path).expect("a readable source");
            let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]");
            let code = lines.filter(|line| !line.trim_start().starts_with("//"));
            for code in code.flat_map(codes) {
                found.entry(code).or_insert_with(|| path.display().to_string());
            }
        }
    }
    found
}

fn codes(line: &str) -> Vec<String> {
    let quoted = line.split('"').skip(1).step_by(2);
    let words = quoted.flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric()));
    words.filter(|word| is_code(word)).map(str::to_owned).collect()
}

fn is_code(word: &str) -> bool {
    let is_letter = |letter: &char| letters().contains(letter);
    word.len() == 4
        && word.chars().next().is_some_and(|letter| is_letter(&letter))
        && word[1..].bytes().all(|digit| digit.is_ascii_digit())
}

/// The letters of CONTRIBUTING.md's table.
fn letters() -> BTreeSet<char> {
    let text = fs::read_to_string(root().join("CONTRIBUTING.md")).expect("the policy");
    let rows = text.lines().filter_map(|line| line.trim().strip_prefix("| "));
    let letter = |row: &str| {
        let cell = row.split(" |").next()?;
        let mut chars = cell.chars();
        chars.next().filter(|c| c.is_ascii_uppercase() && chars.next().is_none())
    };
    rows.filter_map(letter).collect()
}

/// One row: code, file, test, and how the test names the code when not by itself.
struct Row {
    code: String,
    file: String,
    test: String,
    how: Option<String>,
}

impl Row {
    fn is_open(&self) -> bool {
        self.file == "-"
    }

    /// What is wrong with the row.
    fn fault(&self) -> Option<String> {
        let Row { code, file, test, how } = self;
        if self.is_open() {
            let silent = how.as_ref().is_none_or(String::is_empty);
            return silent.then(|| format!("{code}: an open row says why"));
        }
        let Ok(text) = fs::read_to_string(root().join(file)) else {
            return Some(format!("{code}: no file {file}"));
        };
        if !text.contains(&format!("fn {test}(")) {
            return Some(format!("{code}: {file} has no test {test}"));
        }
        match how {
            Some(case) if case.starts_with("tests/cases/") => {
                let case = root().join(case);
                let marked = fs::read_to_string(&case).is_ok_and(|text| text.contains(code));
                (!marked).then(|| format!("{code}: {} does not mark it", case.display()))
            }
            Some(words) => {
                (!names(&text, test, words)).then(|| format!("{code}: {test} has no {words}"))
            }
            None => (!names(&text, test, code)).then(|| format!("{code}: {test} does not name it")),
        }
    }
}

/// Whether `words` stand in a function, or in a function or table of the same file that it uses.
fn names(text: &str, function: &str, words: &str) -> bool {
    let own = body(text, function).unwrap_or_default();
    let called = text.match_indices("fn ").filter_map(|(at, _)| {
        let name = text[at + 3..].split(['(', '<']).next()?;
        own.contains(&format!("{name}(")).then(|| body(text, name))?
    });
    let read = text.match_indices("\nconst ").filter_map(|(at, start)| {
        let (name, rest) = text[at + start.len()..].split_once(':')?;
        own.contains(name).then(|| rest.split(";\n\n").next())?
    });
    own.contains(words) || called.chain(read).any(|part| part.contains(words))
}

/// A function from its `fn` to its closing brace.
fn body<'t>(text: &'t str, function: &str) -> Option<&'t str> {
    let at = text.find(&format!("fn {function}("))?;
    let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let indent: String = text[line..].chars().take_while(|c| *c == ' ').collect();
    let end = text[at..].find(&format!("\n{indent}}}\n"))?;
    Some(&text[at..at + end])
}

fn table() -> Vec<Row> {
    let text = fs::read_to_string(root().join("tests/cases/refusals.tsv")).expect("the table");
    let rows = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let row = |line: &str| {
        let cells: Vec<_> = line.split('\t').map(str::to_owned).collect();
        let [code, file, test, how @ ..] = &cells[..] else { panic!("three cells in {line:?}") };
        let how = how.first().cloned();
        Row { code: code.clone(), file: file.clone(), test: test.clone(), how }
    };
    rows.map(row).collect()
}

#[test]
fn every_refusal_code_is_in_the_table_once() {
    let rows: Vec<_> = table().into_iter().map(|row| row.code).collect();
    assert!(rows.is_sorted_by(|one, next| one < next), "in order, each code once");
    let listed: BTreeSet<_> = rows.into_iter().collect();
    let raised = raised();
    assert!(raised.len() > 300, "only {} codes were found", raised.len());
    let missing: Vec<_> = raised.iter().filter(|(code, _)| !listed.contains(*code)).collect();
    assert!(missing.is_empty(), "no test is named for these codes: {missing:#?}");
    let stale: Vec<_> = listed.iter().filter(|code| !raised.contains_key(*code)).collect();
    assert!(stale.is_empty(), "nothing raises these codes any more: {stale:?}");
}

#[test]
fn every_named_test_exists_and_names_its_code() {
    let faults: Vec<_> = table().iter().filter_map(Row::fault).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn the_number_of_codes_without_a_test_only_goes_down() {
    let open: Vec<_> = table().into_iter().filter(Row::is_open).map(|row| row.code).collect();
    assert_eq!(open.len(), OPEN, "{open:?}");
}
