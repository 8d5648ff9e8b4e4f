//! Calls for help, the answers to them, and how they end.

use super::apply::{Incoming, Stored};
use super::batch::{Batch, Fault};
use super::due::Moments;
use super::fire::Brings;
use super::open::OpenedParts;
use super::prepare::Facts;
use crate::store::due::DueRow;
use crate::wire::claims::{DistressClaims, ResolveClaims, RespondClaims};
use crate::wire::parts::Audience;
use crate::wire::problem::{Problem, ProblemKind};

pub(super) struct CallFacts {
    pub audiences: Vec<Audience>,
}

pub(super) fn read_call(_claims: &DistressClaims, _opened: &OpenedParts) -> Result<Facts, Problem> {
    Ok(Facts::None)
}

pub(super) fn read_response(_opened: &OpenedParts) -> Result<Facts, Problem> {
    Ok(Facts::None)
}

pub(super) fn read_resolution(_opened: &OpenedParts) -> Result<Facts, Problem> {
    Ok(Facts::None)
}

pub(super) async fn call(
    _batch: &mut Batch<'_>,
    _incoming: &Incoming<'_>,
    _claims: &DistressClaims,
) -> Result<Stored, Fault> {
    Err(ProblemKind::StatementKind.into())
}

pub(super) async fn respond(
    _batch: &mut Batch<'_>,
    _incoming: &Incoming<'_>,
    _claims: &RespondClaims,
) -> Result<Stored, Fault> {
    Err(ProblemKind::StatementKind.into())
}

pub(super) async fn resolve(
    _batch: &mut Batch<'_>,
    _incoming: &Incoming<'_>,
    _claims: &ResolveClaims,
) -> Result<Stored, Fault> {
    Err(ProblemKind::StatementKind.into())
}

pub(super) async fn unanswered(
    _batch: &mut Batch<'_>,
    _row: &DueRow,
    _moments: Moments,
) -> Result<Option<Brings>, Fault> {
    Ok(None)
}
