//! Integration tests.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test says what went wrong by failing"
)]

mod rig;
mod support;

mod client;
mod cluster;
mod delivery;
mod ending;
mod kill;
mod layering;
mod migrations;
mod platform;
mod server;
