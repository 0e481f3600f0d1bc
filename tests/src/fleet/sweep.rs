//! What a fleet made is taken away again, also when its test ends early: a container that nobody
//! misses takes the machine's time from every test after it.

use std::thread;

use crate::image;

/// Removes containers, networks and images of one run when dropped.
#[derive(Debug)]
pub struct Sweep {
    run: String,
}

impl Sweep {
    /// Of everything labelled `run`.
    pub fn new(run: &str) -> Self {
        Self { run: run.into() }
    }
}

impl Drop for Sweep {
    fn drop(&mut self) {
        let run = self.run.clone();
        // The runtime of the test may be ending, and a drop cannot wait for it.
        let swept = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            let swept = runtime.block_on(async {
                let docker = image::engine().await?;
                image::clean_up(&docker, &run).await
            });
            if let Err(error) = swept {
                eprintln!("{run} is not cleaned up: {error}");
            }
        });
        // It panics on a bug only, and has said so then.
        let _ = swept.join();
    }
}
