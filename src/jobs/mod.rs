//! The server's clockwork: what happens without anyone asking.

pub mod clockwork;
pub mod deliver;
