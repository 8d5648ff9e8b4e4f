//! Reading columns as the types that they must hold. A value that does not fit is damage or a defect, and is said by its
//! column's name, never by its content.

use std::str::FromStr;

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::error::StoreError;
use crate::crypto::digest::{Digest, Kid};
use crate::domain::ids::{LogPosition, Nid, Revision, Seq};

/// A column of text that is one of our words or names.
pub(super) fn text<T: FromStr>(row: &PgRow, column: &'static str) -> Result<T, StoreError> {
    let value: String = row.try_get(column)?;
    value
        .parse()
        .map_err(|_| StoreError::Decode(column.to_owned()))
}

/// A column of 32 bytes.
pub(super) fn digest(row: &PgRow, column: &'static str) -> Result<Digest, StoreError> {
    let value: Vec<u8> = row.try_get(column)?;
    Digest::from_slice(&value).map_err(|_| StoreError::Decode(column.to_owned()))
}

/// A column of a key's thumbprint.
pub(super) fn kid(row: &PgRow, column: &'static str) -> Result<Kid, StoreError> {
    digest(row, column).map(Kid::from_digest)
}

/// A column of a notification's id.
pub(super) fn nid(row: &PgRow, column: &'static str) -> Result<Nid, StoreError> {
    Ok(Nid::from_uuid(row.try_get(column)?))
}

/// A column of a revision.
pub(super) fn revision(row: &PgRow, column: &'static str) -> Result<Revision, StoreError> {
    let value: i32 = row.try_get(column)?;
    u32::try_from(value)
        .ok()
        .and_then(|n| Revision::new(n).ok())
        .ok_or_else(|| StoreError::Decode(column.to_owned()))
}

/// A column of a position.
pub(super) fn position(row: &PgRow, column: &'static str) -> Result<LogPosition, StoreError> {
    unsigned(row, column).map(LogPosition)
}

/// A column of a mailbox's sequence number.
pub(super) fn seq(row: &PgRow, column: &'static str) -> Result<Seq, StoreError> {
    unsigned(row, column).map(Seq)
}

/// A column of a whole number that is never negative.
pub(super) fn unsigned(row: &PgRow, column: &'static str) -> Result<u64, StoreError> {
    let value: i64 = row.try_get(column)?;
    u64::try_from(value).map_err(|_| StoreError::Decode(column.to_owned()))
}

/// A number as PostgreSQL's `bigint`; ours never come near its bound.
pub(super) fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A revision as PostgreSQL's `integer`.
pub(super) fn integer(rev: Revision) -> i32 {
    i32::try_from(rev.get()).unwrap_or(i32::MAX)
}
