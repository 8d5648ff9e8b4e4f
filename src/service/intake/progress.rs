//! How far a movement is, on its organisation's word; and what happens when it says nothing.

use super::apply::{Incoming, Stored};
use super::batch::{Batch, Fault};
use super::due::Moments;
use super::fire::{self, Brings, Said};
use super::open::OpenedParts;
use super::prepare::Facts;
use crate::domain::exchange::AlertEvent;
use crate::store::due::DueRow;
use crate::wire::claims::ProgressClaims;
use crate::wire::parts::{ProgressPart, name};
use crate::wire::problem::{Problem, ProblemKind};

/// Judges what can be judged without the state.
pub(super) fn read(opened: &OpenedParts) -> Result<Facts, Problem> {
    let part: ProgressPart = opened.required(name::PROGRESS)?;
    Ok(Facts::Progress(Box::new(part)))
}

/// Takes an organisation's word on how far a movement is.
pub(super) async fn take(
    _batch: &mut Batch<'_>,
    _incoming: &Incoming<'_>,
    _claims: &ProgressClaims,
) -> Result<Stored, Fault> {
    Err(ProblemKind::StatementKind.into())
}

/// A movement has said nothing by its latest arrival: organisation and coordinator are told. It stays in every check.
pub(super) async fn silent(
    batch: &mut Batch<'_>,
    row: &DueRow,
    moments: Moments,
) -> Result<Option<Brings>, Fault> {
    let Some((revision, item)) = fire::still_current(batch, row).await? else {
        return Ok(None);
    };
    Ok(Some(Brings {
        said: Said {
            event: AlertEvent::NoSignOfLife,
            desks: fire::desks(batch, &revision.org, None).await?,
            organisation: revision.org,
            party: None,
            lead_percent: None,
            due: moments.at,
            step: None,
        },
        item,
        next: None,
    }))
}
