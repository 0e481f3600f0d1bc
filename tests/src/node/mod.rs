//! The stand-in `iotex-core` node: small, in images `FROM scratch`, one binary (`iotex-server`) with a behaviour
//! file per version. It imitates what `IOTEX.md` and the recordings say of v2.4.4.
//!
//! # How to use it
//! 1. A [`crate::referee::Referee`] holds the chain of a fleet; it listens where the nodes can reach it (for
//!    containers: on [`host::Network::gateway`]) and knows the operator addresses ([`host::Spec::address`]).
//! 2. [`crate::image::build`] makes and loads `iotex/iotex-core:<version>` from the binary and a
//!    [`behaviour::Behaviour`]; `Behaviour::version("v2.5.0").with(Defect::NeverReady)` is a bad release.
//! 3. [`host::Home::lay_out`] writes a delegate's files, [`host::Container::run`] does his `docker run`.
//! 4. Without Docker: [`process::Process`] on a [`process::loopback`] address.
//! 5. An exec of the image's `wget` asks the admin port of a container, [`process::Process::admin`] that of a process.
//! 6. [`crate::referee::Referee::split`] and [`crate::referee::Referee::reverse`] make two tips, and take blocks back;
//!    [`behaviour::Behaviour::forking`] and the genesis file name fork heights.
//! 7. [`crate::image::clean_up`] removes everything that carries the run's label.
//!
//! # Time
//! Every duration is divided by one factor ([`timing::Timing`]): the behaviour file's `scale`, or the environment's
//! `STANDIN_SCALE`; the referee needs the same one. `start-ms` is the only time that is not scaled.
//!
//! # What it leaves out
//! Of the admin port `/debug/pprof/`, tokens and levels of the log; gateway beyond its command line and slow readiness,
//! ReadState, reflection, v2.3.8. Rounds, sync ticks and the watchdog without a referee or before the bootstrap peers
//! are reached; what a paused node endorses of the block that it will not commit; the defaults of fork heights that
//! neither version nor genesis names; the refusal of peers with another genesis hash. Two tips are
//! scripted ([`crate::referee::Referee::split`]); by themselves nodes build on the higher one.

pub mod admin;
pub mod behaviour;
pub mod chain;
pub mod cli;
pub mod config;
pub mod fleet;
pub mod forks;
pub mod genesis;
pub mod grpc;
pub mod host;
pub mod http;
pub mod key;
pub mod lack;
pub mod lifecycle;
pub mod log;
pub mod metrics;
pub mod p2p;
pub mod participant;
pub mod probe;
pub mod process;
pub mod schema;
pub mod signals;
pub mod state;
pub mod store;
pub mod timing;
pub mod votes;
pub mod watchdog;
pub mod wget;
