//! The stand-in node under the real node's name and command line; called `wget`, the image's other program.

use muster_tests::node::{lifecycle, wget};

async fn run() -> i32 {
    let mut arguments = std::env::args();
    let name = arguments.next().unwrap_or_default();
    match name.rsplit('/').next() {
        Some("wget") => wget::run(arguments).await,
        _ => lifecycle::run(arguments).await,
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let code = match runtime {
        Ok(runtime) => runtime.block_on(run()),
        Err(_) => 1,
    };
    // Not through the end of `main`: a thread that waits for the data lock would hold the process.
    std::process::exit(code);
}
