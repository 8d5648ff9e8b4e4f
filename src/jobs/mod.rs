//! The server's clockwork: what happens without anyone asking.

pub mod clearing;
pub mod clockwork;
pub mod deliver;
pub mod nudge;
pub mod retaining;
