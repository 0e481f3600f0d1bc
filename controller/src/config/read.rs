//! Reading the file as strictly as documents are read: nothing unknown, nothing twice, no guesses.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use muster_proto::documents::Digest;
use muster_proto::trust::publisher::TIMESTAMP_LIFE;
use serde_yaml::options::DuplicateKeyPolicy;
use serde_yaml::{MergeKeyPolicy, Options};

use super::Config;

/// What the `muster` field must say.
const KIND: &str = "controller/v1";

/// Shortest of all times: a timestamp signed more often would only cost disk, a reader given less
/// could not be as fast; tests use one second and less.
const SHORTEST_PACE: jiff::SignedDuration = jiff::SignedDuration::from_millis(100);

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file, or one that it names, cannot be read.
    #[error("C001: {} cannot be read", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Unknown field, field twice, missing field, wrong value.
    #[error("C002: {}:{line}:{column}: {why}", .path.display())]
    Parse {
        /// Which file.
        path: PathBuf,
        /// From 1 on.
        line: u64,
        /// From 1 on.
        column: u64,
        /// The reader's words.
        why: String,
    },
    /// Each value is fine, together they are not.
    #[error("C003: {}: {what}; {cure}", .path.display())]
    Sense {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
        /// What to do.
        cure: &'static str,
    },
    /// No root yet.
    #[error(
        "C004: {} names no root: hold the root ceremony, put the file beside the configuration and \
         add `root: {{file: 1.root.json, sha256: \"sha256:…\"}}`",
        .path.display()
    )]
    NoRoot {
        /// Which file.
        path: PathBuf,
    },
    /// The root file is another than the one that is pinned.
    #[error(
        "C005: {} has {found}, but the configuration pins {expected}; compare both with what \
         the officers signed",
        .path.display()
    )]
    RootPin {
        /// The root file.
        path: PathBuf,
        /// In the configuration.
        expected: Digest,
        /// Of the file.
        found: Digest,
    },
}

impl Config {
    /// Reads `path`.
    ///
    /// # Errors
    /// [`ConfigError`] of any kind but those about the root.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let config = parse(path, &text)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(config.rooted(folder))
    }

    /// The bytes of the first root, checked against their pin.
    ///
    /// # Errors
    /// [`ConfigError::NoRoot`], [`ConfigError::Read`], [`ConfigError::RootPin`].
    pub fn first_root(&self, path: &Path) -> Result<Vec<u8>, ConfigError> {
        let pin = self.root.as_ref();
        let pin = pin.ok_or_else(|| ConfigError::NoRoot { path: path.to_owned() })?;
        let bytes = std::fs::read(&pin.file)
            .map_err(|source| ConfigError::Read { path: pin.file.clone(), source })?;
        let found = Digest::of(&bytes);
        if found == pin.sha256 {
            return Ok(bytes);
        }
        let (path, expected) = (pin.file.clone(), pin.sha256.clone());
        Err(ConfigError::RootPin { path, expected, found })
    }
}

fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let config: Config = serde_yaml::from_str_with_options(text, options()).map_err(|error| {
        let place = error.location();
        ConfigError::Parse {
            path: path.to_owned(),
            line: place.map_or(1, |place| place.line()),
            column: place.map_or(1, |place| place.column()),
            why: error.to_string().lines().next().unwrap_or_default().to_owned(),
        }
    })?;
    sense(path, &config)?;
    Ok(config)
}

fn sense(path: &Path, config: &Config) -> Result<(), ConfigError> {
    let wrong = |what: String, cure| Err(ConfigError::Sense { path: path.to_owned(), what, cure });
    if config.muster != KIND {
        return wrong(
            format!("`muster: {}` is not understood", config.muster),
            "write controller/v1",
        );
    }
    let mut names = BTreeSet::new();
    let mut keys = BTreeSet::new();
    for person in &config.people {
        if !names.insert(&person.name) {
            return wrong(
                format!("{} stands twice under people", person.name),
                "give each one name",
            );
        }
        if !keys.insert(person.key) {
            return wrong(format!("the key of {} is listed twice", person.name), "one key each");
        }
    }
    if config.mark.as_ref().is_some_and(|mark| mark.starts_with(&config.data)) {
        let what = "the mark lies in the data folder, and would be restored together with it";
        return wrong(what.into(), "put it beside the folder");
    }
    if config.limits.slow < SHORTEST_PACE {
        let what = format!("a reader is cut off after {:#}", config.limits.slow);
        return wrong(what, "give him at least 100 ms");
    }
    let Some(publisher) = &config.publisher else { return Ok(()) };
    if publisher.every < SHORTEST_PACE || publisher.every > TIMESTAMP_LIFE / 2 {
        let what =
            format!("a timestamp every {:#}, while it lives {TIMESTAMP_LIFE:#}", publisher.every);
        return wrong(what, "sign at least twice in its life, and not more often than each 100 ms");
    }
    Ok(())
}

fn options() -> Options {
    serde_yaml::options! {
        budget: serde_yaml::budget! { max_anchors: 0, max_aliases: 0, max_documents: 1 },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        // A snippet could print what should stay in the file.
        with_snippet: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "muster: controller/v1\nnetwork: testnet\nlisten: 127.0.0.1:0\ndata: data\n\
                        tls-key: tls.pem\n";

    fn refused(text: &str) -> String {
        parse(Path::new("c.yaml"), text).unwrap_err().to_string()
    }

    #[test]
    fn the_shortest_configuration_has_defaults_for_the_rest() {
        let config = parse(Path::new("c.yaml"), GOOD).unwrap();
        assert_eq!(config.limits, super::super::Limits::default());
        assert!(config.publisher.is_none() && config.root.is_none());
    }

    #[test]
    fn an_unknown_field_is_named_with_its_place() {
        let text = refused(&format!("{GOOD}publishers: {{}}\n"));
        assert!(text.starts_with("C002: c.yaml:6:"), "{text}");
        assert!(text.contains("publishers"), "{text}");
    }

    #[test]
    fn a_field_twice_is_refused() {
        assert!(refused(&format!("{GOOD}network: mainnet\n")).starts_with("C002: c.yaml:6:"));
    }

    #[test]
    fn one_key_cannot_be_two_people() {
        let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let person = |name| format!("  - {{name: {name}, key: \"{key}\", rights: [watch]}}\n");
        let text = format!("{GOOD}people:\n{}{}", person("alice"), person("bob"));
        assert!(refused(&text).starts_with("C003"), "{}", refused(&text));
    }

    #[test]
    fn the_mark_lies_beside_the_data_folder_and_never_in_it() {
        let folder = Path::new("/srv/board");
        let mark = |text: &str| parse(Path::new("c.yaml"), text).unwrap().rooted(folder).mark();
        assert_eq!(mark(GOOD), Path::new("/srv/board/data.mark"));
        assert_eq!(mark(&GOOD.replace("data: data", "data: data/")), mark(GOOD));
        assert_eq!(mark(&format!("{GOOD}mark: /other/disk\n")), Path::new("/other/disk"));
        let inside = refused(&format!("{GOOD}mark: data/board.mark\n"));
        assert!(inside.starts_with("C003") && inside.contains("beside"), "{inside}");
    }

    #[test]
    fn a_timestamp_that_expires_before_the_next_is_refused() {
        let keys = "snapshot-key: s.pem, timestamp-key: t.pem";
        let text = format!("{GOOD}publisher: {{{keys}, every: 10m}}\n");
        assert!(refused(&text).starts_with("C003"), "{}", refused(&text));
    }
}
