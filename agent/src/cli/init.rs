//! `muster-agent init`: from arguments to a new folder, and what to do next.

use super::args::Init;
use super::exit::{Exit, Failure};
use super::{Printed, screen};
use crate::config::{Config, Intervals, Paths};
use crate::enrol::{self, Application, EnrolError, Made};

/// `init`
pub(super) fn run(paths: &Paths, arguments: Init) -> Result<Printed, Failure> {
    let incomplete = arguments.endpoint.is_none() || arguments.contact.is_none();
    let application = Application {
        config: Config {
            muster: Config::KIND.into(),
            network: arguments.network,
            name: arguments.name,
            container: arguments.container,
            docker: arguments.docker,
            controllers: arguments.controller,
            intervals: Intervals::default(),
        },
        root: arguments.root,
        root_sha256: arguments.root_sha256,
        operator: arguments.operator,
        endpoint: arguments.endpoint,
        contact: arguments.contact,
    };
    let made =
        enrol::init(paths, &application).map_err(|error| Failure::new(exit(&error), &error))?;
    Ok(Printed::done(text(paths, &made, incomplete)))
}

fn exit(error: &EnrolError) -> Exit {
    match error {
        EnrolError::Exists { .. } | EnrolError::Trust(_) | EnrolError::Open { .. } => Exit::Refused,
        EnrolError::Files { .. } | EnrolError::State(_) | EnrolError::Key(_) => Exit::Failed,
    }
}

fn text(paths: &Paths, made: &Made, incomplete: bool) -> String {
    let enrol = &made.enrol;
    let mut text = format!("{} of {} is ready to be enrolled.\n", enrol.name, enrol.network);
    let dir = paths.dir().display();
    let mut row = |label: &str, words: &str| text.push_str(&screen::row(label, words));
    row("folder", &format!("{dir} (the key in it never leaves this host)"));
    row("root", &format!("version {}, pinned by its digest", made.root));
    row("enrolment", &made.file.display().to_string());
    row("fingerprint", enrol.fingerprint().hex());
    row("next", "1. send the enrolment to whoever keeps the roster");
    row("", "2. read the fingerprint to him by telephone; `muster roster add` shows it");
    row("", "3. write policy.yaml; without it every plan asks you");
    row("", &format!("4. start it: muster-agent run --dir {dir}"));
    if incomplete {
        row("note", "without --endpoint and --contact the officers must fill these in");
    }
    text
}
