//! A whole board on loopback, with officers and agents of the tests: real TLS, real SQLite, no Engine.

mod agent;
mod controller;
mod disk;
mod forge;
mod world;
