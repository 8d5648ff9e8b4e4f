//! Reading a statement of ours: the strict JWS, the strict JSON inside it and the claims of its kind, in the one order
//! that client, server and verifier share. Nothing is verified here.

use crate::crypto::statement::{self, StatementError, Unverified};
use crate::crypto::strict_json::{self, JsonError, Limits};
use crate::domain::kind::Kind;

use super::claims::Claims;

/// Why text is no statement of ours. Repeats nothing of it but the names of members.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Not a well-formed statement.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// A kind that this version does not know.
    #[error("the statement is of a kind that this version does not know; update the client")]
    Kind,
    /// Its payload is not strict JSON.
    #[error("the statement's payload is not strict JSON: {0}")]
    Json(#[from] JsonError),
    /// Its claims are not those of its kind.
    #[error(
        "the statement's claims are not those of its kind: the member at {pointer} is missing, unknown or has another form"
    )]
    Claims {
        /// Where, as serde names it: `items[3].rev`, or `.` for the whole.
        pointer: String,
    },
}

/// Reads a statement and its claims. The signature is not checked.
///
/// # Errors
/// [`ReadError`].
pub fn read(compact: &str) -> Result<(Unverified, Claims), ReadError> {
    let unverified = statement::parse(compact.as_bytes())?;
    let claims = claims_of(unverified.kind().as_str(), unverified.payload())?;
    Ok((unverified, claims))
}

/// Reads the claims of a statement that has been parsed already.
///
/// # Errors
/// [`ReadError`].
pub fn claims_of(kind: &str, payload: &[u8]) -> Result<Claims, ReadError> {
    let kind: Kind = kind.parse().map_err(|_| ReadError::Kind)?;
    let value = strict_json::parse(payload, Limits::STATEMENT)?;
    Claims::read(kind, value).map_err(|e| ReadError::Claims {
        pointer: e.path().to_string(),
    })
}
