//! The node's command line, in Go's manner: `-flag=value`, `--flag value`.

use std::path::PathBuf;

/// What the command line says.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Args {
    /// `-config-path`
    pub config: Option<PathBuf>,
    /// `-genesis-path`
    pub genesis: Option<PathBuf>,
    /// `-plugin`, once for each.
    pub plugins: Vec<String>,
}

impl Args {
    /// Whether the node runs as a gateway.
    pub fn gateway(&self) -> bool {
        self.plugins.iter().any(|p| p == "gateway")
    }
}

/// Reads the arguments after the program's name. The image's entrypoint passes the program's name once more.
///
/// # Errors
/// Go's own words for an unknown flag or a lacking value; the node exits 2.
pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Args, String> {
    let mut args = Args::default();
    let mut rest = arguments.into_iter();
    while let Some(argument) = rest.next() {
        if argument == "iotex-server" && args == Args::default() {
            continue;
        }
        let Some(flag) = argument.strip_prefix('-') else {
            // Go stops at the first argument that is no flag.
            break;
        };
        let flag = flag.strip_prefix('-').unwrap_or(flag);
        let (name, given) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (flag, None),
        };
        let known = ["config-path", "genesis-path", "plugin"];
        if !known.contains(&name) {
            return Err(format!("flag provided but not defined: -{name}"));
        }
        let value = given.or_else(|| rest.next());
        let value = value.ok_or_else(|| format!("flag needs an argument: -{name}"))?;
        match name {
            "config-path" => args.config = Some(value.into()),
            "genesis-path" => args.genesis = Some(value.into()),
            _ => args.plugins.push(value),
        }
    }
    Ok(args)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Args, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_command_line_of_delegates_is_understood() {
        let line = "iotex-server -config-path=/etc/iotex/config_override.yaml \
                    -genesis-path=/etc/iotex/genesis.yaml -plugin=gateway";
        let args = read(line).unwrap();
        assert_eq!(args.config.as_deref(), Some("/etc/iotex/config_override.yaml".as_ref()));
        assert_eq!(args.genesis.as_deref(), Some("/etc/iotex/genesis.yaml".as_ref()));
        assert!(args.gateway());
        assert_eq!(
            read("--config-path c --genesis-path=g"),
            read("-config-path=c -genesis-path g")
        );
    }

    #[test]
    fn an_unknown_flag_is_refused_in_go_s_words() {
        let refused = read("-config-pth=x").unwrap_err();
        assert_eq!(refused, "flag provided but not defined: -config-pth");
        assert_eq!(read("-plugin").unwrap_err(), "flag needs an argument: -plugin");
    }
}
