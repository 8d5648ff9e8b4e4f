//! The command line: one file a subcommand.

pub mod outbox;
pub mod tabular;
