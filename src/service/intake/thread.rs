//! Queries, warnings and replies between one party and one organisation.

use super::apply::{Incoming, Stored};
use super::batch::{Batch, Fault};
use super::due::Moments;
use super::fire::Brings;
use super::open::OpenedParts;
use super::prepare::Facts;
use crate::store::due::DueRow;
use crate::wire::claims::{ReplyClaims, WarnClaims};
use crate::wire::problem::{Problem, ProblemKind};

pub(super) fn read_warning(_opened: &OpenedParts) -> Result<Facts, Problem> {
    Ok(Facts::None)
}

pub(super) fn read_reply(_opened: &OpenedParts) -> Result<Facts, Problem> {
    Ok(Facts::None)
}

pub(super) async fn warn(
    _batch: &mut Batch<'_>,
    _incoming: &Incoming<'_>,
    _claims: &WarnClaims,
) -> Result<Stored, Fault> {
    Err(ProblemKind::StatementKind.into())
}

pub(super) async fn reply(
    _batch: &mut Batch<'_>,
    _incoming: &Incoming<'_>,
    _claims: &ReplyClaims,
) -> Result<Stored, Fault> {
    Err(ProblemKind::StatementKind.into())
}

pub(super) async fn fell_due(
    _batch: &mut Batch<'_>,
    _row: &DueRow,
    _moments: Moments,
) -> Result<Option<Brings>, Fault> {
    Ok(None)
}
