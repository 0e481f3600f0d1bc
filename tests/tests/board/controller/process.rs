//! `muster-controller` as a process, its words in a file.

use anyhow::{Context as _, Result};
use muster_tests::fleet::process::{Process, Said, binary, end};
use tokio::process::Command;

use crate::disk::Disk;
use crate::world::{Board, PATIENCE, World};

/// A board that runs; killed when dropped.
pub(super) struct Running {
    pub(super) board: Board,
    pub(super) process: Process,
}

impl Running {
    /// Starts the world's board, with its data on `disk` if there is one.
    pub(super) async fn start(world: &World, disk: Option<&Disk>) -> Result<Self> {
        let log = world.dir.path().join("log");
        let _ = std::fs::remove_file(&log);
        let mut command = command(world, disk)?;
        command.args(["run", "--config"]).arg(&world.made.config);
        command.env("RUST_LOG", "info").env("NO_COLOR", "1");
        let mut process = Process::start("muster-controller", command, &log)?;
        const SAID: &str = "listening on ";
        process.says(SAID, PATIENCE).await?;
        let said = process.output();
        let line = said.lines().find_map(|line| line.strip_prefix(SAID)).context("an address")?;
        let board = Board::elsewhere(line.trim().parse()?, world.made.tls_pin.clone());
        Ok(Self { board, process })
    }

    /// The lines of its log with `code` in them.
    pub(super) fn lines(&self, code: &str) -> Vec<String> {
        let said = self.process.output();
        said.lines().filter(|line| line.contains(code)).map(str::to_owned).collect()
    }

    /// SIGTERM, and waits for a good end.
    pub(super) async fn stop(mut self) -> Result<()> {
        let ended = self.process.terminate(PATIENCE).await?;
        anyhow::ensure!(ended.success(), "{ended}: {}", self.process.tail());
        Ok(())
    }
}

/// `muster-controller check`
pub(super) async fn check(world: &World, disk: Option<&Disk>) -> Result<Said> {
    let mut command = command(world, disk)?;
    command.args(["check", "--config"]).arg(&world.made.config);
    end(command).await
}

fn command(world: &World, disk: Option<&Disk>) -> Result<Command> {
    let program = binary("muster-controller")?;
    Ok(match disk {
        Some(disk) => disk.command(&program, world.dir.path()),
        None => Command::new(program),
    })
}
