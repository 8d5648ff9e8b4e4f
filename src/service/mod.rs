//! The use cases; they own the transactions.

pub mod blobs;
pub mod calls;
pub mod check;
pub mod core;
pub mod deployment;
pub mod desk;
pub mod enrol;
pub mod held_back;
pub mod hub;
pub mod identity;
pub mod intake;
pub mod mailbox;
pub mod nudge;
pub mod principal;
pub mod rebuild;
pub mod records;
pub mod retention;
pub mod schedule;
mod seals;
pub mod status;
pub mod threads;
