//! What the benchmarks share: a deployment with its server as a process, people and desks, sockets that listen, and what
//! the kernel counts.

#![allow(dead_code, reason = "each benchmark uses some of it")]

pub mod desks;
pub mod process;
pub mod report;
pub mod sites;
pub mod sockets;
pub mod words;
pub mod world;

use std::error::Error;
use std::process::ExitCode;

/// What may go wrong here is said and ends the run.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// Runs a measurement; says why it failed.
pub fn measure(run: impl FnOnce() -> Outcome<()>) -> ExitCode {
    herald::tls::install_provider();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::say(&format!("The measurement failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// A number that the environment may set.
pub fn number(name: &str, usual: usize) -> Outcome<usize> {
    match std::env::var(name) {
        Ok(text) => Ok(text.parse()?),
        Err(_) => Ok(usual),
    }
}
