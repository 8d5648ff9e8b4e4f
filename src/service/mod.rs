//! The use cases; they own the transactions.

pub mod core;
pub mod hub;
pub mod mailbox;
pub mod principal;
pub mod records;
