//! The real `muster` in the hands of officers who sit in different places.

mod abort;
mod alone;
mod ceremony;
mod emergency;
mod forged;
mod kit;
mod refused;
mod restart;
mod strange;
mod terminal;
