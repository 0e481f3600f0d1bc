//! A whole board on loopback: real TLS, real SQLite, officers' keys and agents of the test's own.

mod controller;
