//! `muster`: the officers' and watchers' command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    muster_controller::cli::main()
}
