//! Pure words and rules: no async, no I/O, no serde, no sqlx.
