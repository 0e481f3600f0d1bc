//! A whole board on loopback: real TLS, real SQLite, officers' keys and agents of the test's own.

#[allow(dead_code, reason = "each test file uses a part of it")]
mod controller;
