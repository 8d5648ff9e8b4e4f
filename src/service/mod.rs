//! The use cases. They own the transactions.

pub mod hub;
pub mod mailbox;
pub mod records;
