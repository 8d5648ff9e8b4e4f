//! The use cases. They own the transactions.

pub mod records;
