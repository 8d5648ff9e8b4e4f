//! Integration tests.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::print_stderr,
    reason = "a test says what went wrong by failing"
)]

// The slow reference of `src/spatial/reference` is used here too, and names these.
use herald::spatial;

mod rig;
mod support;

mod at_rest;
mod attached;
mod check;
mod client;
mod cluster;
mod delivery;
mod demo;
mod ending;
mod full_disk;
mod kill;
mod layering;
mod migrations;
mod oracle;
mod platform;
mod roles;
mod server;
