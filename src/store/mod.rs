//! The only user of sqlx.
