//! The stand-in node under the real node's name and command line.

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let code = match runtime {
        Ok(runtime) => {
            runtime.block_on(muster_tests::node::lifecycle::run(std::env::args().skip(1)))
        }
        Err(_) => 1,
    };
    // Not through the end of `main`: a thread that waits for the data lock would hold the process.
    std::process::exit(code);
}
