//! Nothing that leaves this module's callers shows a key of the node's. Pure.
//!
//! Applied to log tails and to every error text that may quote a file, a log or a command line.

use serde_json::Value;

/// Settings of the node whose values are secrets, or may carry one (an API key in a URL).
const SECRET_SETTINGS: &[&str] = &[
    "producerprivkey",
    "masterkey",
    "privatenetworkpsk",
    "gravitychainapis",
    "rediscacheurl",
    "iotex_admin_token",
    "privatekey",
    "privkey",
    "password",
    "passphrase",
];

/// Hex of this length or more may be a key: 32 digits are an API key, 64 a private key.
const KEY_DIGITS: usize = 32;

/// A value this short protects nothing, and hiding it everywhere would hide ordinary words.
const SHORTEST_SECRET: usize = 4;

/// A part of a URL this long may be an API key; names of paths are shorter.
const API_KEY: usize = 16;

const SHOWN: &str = "[redacted]";

/// `text` without secrets. Digests written as `sha256:…` stay readable.
pub fn redact(text: &str) -> String {
    text.split_inclusive('\n').map(|line| hide_hex(&hide_settings(line))).collect()
}

/// The values of the secret settings of a config file, and what may be one in its URLs: whatever
/// quotes the file may quote them without their names. Longest first, as one may be in another.
pub fn secrets_of(config: &str) -> Vec<String> {
    let mut found = Vec::new();
    // Also of a file that is no YAML, and of settings that are commented out.
    for line in config.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        if is_secret(name.trim_matches(['"', '\'', '-', '#', ' ', '\t'])) {
            found.extend(words(value));
        }
    }
    if let Ok(tree) = serde_yaml::from_str::<Value>(config) {
        collect(&tree, false, &mut found);
    }
    found.retain(|word| word.len() >= SHORTEST_SECRET);
    found.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    found.dedup();
    found
}

fn is_secret(name: &str) -> bool {
    SECRET_SETTINGS.contains(&name.to_ascii_lowercase().as_str())
}

fn collect(value: &Value, secret: bool, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, it)| collect(it, secret || is_secret(name), found));
        }
        Value::Array(all) => all.iter().for_each(|it| collect(it, secret, found)),
        Value::String(text) if secret => found.extend(words(text)),
        Value::String(text) => found.extend(in_url(text)),
        Value::Number(number) if secret => found.push(number.to_string()),
        _ => {}
    }
}

/// The values in a text that is nothing but secrets.
fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split([',', ' ', '"', '\'', '[', ']', '{', '}']);
    words.flat_map(|word| in_url(word).chain([word.to_owned()]))
}

/// Name and password of a URL, and what is long enough for an API key in its path and query.
fn in_url(text: &str) -> impl Iterator<Item = String> {
    let (_, rest) = text.split_once("://").unwrap_or_default();
    let (place, path) = rest.split_once(['/', '?']).unwrap_or((rest, ""));
    let (user, _) = place.rsplit_once('@').unwrap_or_default();
    let parts = path.split(['/', '?', '&', '=', '#']).filter(|part| part.len() >= API_KEY);
    user.split(':').chain(parts).map(str::to_owned).collect::<Vec<_>>().into_iter()
}

/// [`redact`], and `secrets` wherever they stand.
pub fn redact_all(text: &str, secrets: &[String]) -> String {
    let hidden = secrets.iter().fold(text.to_owned(), |text, one| text.replace(one, SHOWN));
    redact(&hidden)
}

/// Hides what follows the name of a secret setting, up to the end of the line: a list or a
/// quoted value may contain anything.
fn hide_settings(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let found = SECRET_SETTINGS
        .iter()
        .filter_map(|name| lower.find(name).map(|at| at + name.len()))
        .filter(|end| !lower[*end..].trim().is_empty())
        .min();
    match found {
        Some(end) => {
            let ending = if line.ends_with('\n') { "\n" } else { "" };
            format!("{} {SHOWN}{ending}", &line[..end])
        }
        None => line.to_owned(),
    }
}

/// Hides every run of hex digits that is long enough for a key.
fn hide_hex(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find(|c: char| c.is_ascii_hexdigit()) {
        let end = rest[start..].find(|c: char| !c.is_ascii_hexdigit());
        let end = end.map_or(rest.len(), |length| start + length);
        out.push_str(&rest[..start]);
        let is_digest = end - start == 64 && out.ends_with("sha256:");
        match end - start >= KEY_DIGITS && !is_digest {
            true => out.push_str(SHOWN),
            false => out.push_str(&rest[start..end]),
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "cfa6ef757dee2e50351620dca002d32b9c090cfda55fb81f37f1d26b273743f1";

    #[test]
    fn a_private_key_is_hidden_in_every_dress() {
        let dresses = [
            format!("producerPrivKey: {KEY}"),
            format!("chain: {{\"producerPrivKey\":\"{KEY}\"}}"),
            format!("using key 0x{KEY} now"),
            format!("{KEY},{KEY}"),
            "masterKey: short".to_owned(),
            "IOTEX_ADMIN_TOKEN=abc def".to_owned(),
            "https://mainnet.infura.io/v3/0123456789abcdef0123456789abcdef".to_owned(),
        ];
        for dress in dresses {
            let shown = redact(&dress);
            assert!(!shown.contains(&KEY[..40]), "{shown}");
            assert!(!shown.contains("short") && !shown.contains("abc def"), "{shown}");
            assert!(!shown.contains("0123456789abcdef"), "{shown}");
            assert!(shown.contains(SHOWN), "{shown}");
        }
    }

    #[test]
    fn a_secret_is_hidden_also_where_its_name_does_not_stand() {
        let config = format!(
            "network:\n  masterKey: \"correct horse\"\nchain:\n  producerPrivKey: {KEY},ab\n"
        );
        let secrets = secrets_of(&config);
        assert_eq!(secrets, [KEY, "correct", "horse"]);
        let quoted = "yaml: line 2: cannot unmarshal !!str `correct` into bool";
        let shown = redact_all(quoted, &secrets);
        assert_eq!(shown, "yaml: line 2: cannot unmarshal !!str `[redacted]` into bool");
    }

    #[test]
    fn a_secret_is_found_in_a_list_below_its_name_in_a_comment_and_in_a_url() {
        let config = "chain:\n  committee:\n    gravityChainAPIs:\n      \
                      - https://mainnet.infura.io/v3/not-hex-at-all-17\n  \
                      # masterKey: of-last-year\n\
                      api: {tracer: {endpoint: \"https://ann:pass-word@traces.example/v1\"}}\n";
        let secrets = secrets_of(config);
        for secret in ["not-hex-at-all-17", "of-last-year", "pass-word"] {
            assert!(secrets.iter().any(|found| found == secret), "{secret} in {secrets:?}");
            assert_eq!(redact_all(&format!("bad `{secret}`"), &secrets), "bad `[redacted]`");
        }
        assert!(!secrets.iter().any(|found| found == "v1"), "{secrets:?}");
        let torn = secrets_of("network:\n masterKey: abcdef\n  x: [\n");
        assert_eq!(torn, ["abcdef"], "of a file that does not parse");
    }

    #[test]
    fn digests_and_ordinary_words_stay() {
        let text = format!("image sha256:{KEY} of v2.4.4, height 36884102\nfade decade");
        assert_eq!(redact(&text), text);
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(redact("a\nmasterKey: x\nb\n"), "a\nmasterKey [redacted]\nb\n");
    }
}
