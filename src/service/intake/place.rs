//! A notification's parts, read and judged: the geometry is acceptable, cells contain what they stand for, and what the
//! database's index may see of it is made here.

use time::{Duration, Time, UtcOffset};

use super::open::OpenedParts;
use crate::domain::ids::{ActorId, Nid};
use crate::domain::notification::{Subject, Tier};
use crate::spatial::cell::{self, Cell, CellError};
use crate::spatial::{Cover, Window};
use crate::wire::claims::Claims;
use crate::wire::object::{Object, Shape};
use crate::wire::parts::{Audience, Blobs, NamedBlob, Place, name};
use crate::wire::policy::Policy;
use crate::wire::problem::{Problem, ProblemKind};

/// Parties that one notification may name.
pub(super) const MAX_PARTIES: usize = 64;

/// What the state depends on.
pub(super) struct PlaceFacts {
    /// The parties named, each once.
    pub audiences: Vec<Audience>,
    /// The contents of its attachments.
    pub blobs: Vec<NamedBlob>,
    /// EWKB of the cover; none of a place that was destroyed.
    pub cover: Option<Vec<u8>>,
    /// When it is there; a movement's stays open at the end until it is said to have arrived.
    pub validity: Window,
    /// When it begins, for the lead time.
    pub begins: Option<time::OffsetDateTime>,
    /// When it ends: a movement has arrived by then, its slack included; of a site, its window ends.
    pub ends: Option<time::OffsetDateTime>,
}

/// Reads the parts of a site or a movement.
pub(super) fn read(claims: &Claims, opened: &OpenedParts) -> Result<PlaceFacts, Problem> {
    let subject = if matches!(claims, Claims::Site(_)) {
        Subject::Site
    } else {
        Subject::Movement
    };
    let place: Place = opened.required(name::PLACE)?;
    // The policy's default buffers are no part of what a cell must contain: only the requested buffer is.
    let object = Object::read(&place, subject, &Policy::default())?;
    let requested_m = place.properties.buffer_m.unwrap_or(0.0);
    let audiences = audiences(opened)?;
    for audience in &audiences {
        check_cells(audience, &object, requested_m)?;
    }
    // The index must find the object whatever buffer is counted; the search widens by the greatest default.
    let cover = match &object.shape {
        Shape::Site(footprint) => Cover::of_site(footprint, object.buffer_m.max(requested_m)),
        Shape::Movement(track) => Cover::of_track(track, object.buffer_m.max(requested_m)),
    };
    let areas: Vec<_> = audiences
        .iter()
        .flat_map(|a| a.cells.iter())
        .filter_map(|c| Cell::parse(c).ok()?.area())
        .collect();
    let cover = cover.with_areas(&areas);
    let blobs: Option<Blobs> = opened.typed(name::BLOBS)?;
    Ok(PlaceFacts {
        audiences,
        blobs: blobs.map(|named| named.blobs).unwrap_or_default(),
        cover: Some(cover.to_ewkb()),
        validity: stored_validity(subject, object.validity),
        begins: object.validity.from(),
        ends: object.validity.until(),
    })
}

/// Whole days, so that neither a dump nor a party that probes windows learns an hour. A movement has no end: one that is
/// past its window counts as overdue until it is said to have arrived.
fn stored_validity(subject: Subject, validity: Window) -> Window {
    let from = validity
        .from()
        .map(|at| at.to_offset(UtcOffset::UTC).replace_time(Time::MIDNIGHT));
    let until = match subject {
        Subject::Movement => None,
        Subject::Site => validity.until().map(|at| {
            let day = at.to_offset(UtcOffset::UTC).replace_time(Time::MIDNIGHT);
            day.checked_add(Duration::days(1)).unwrap_or(at)
        }),
    };
    Window::new(from, until).unwrap_or(Window::ALWAYS)
}

/// The audience parts, each party's once.
pub(super) fn audiences(opened: &OpenedParts) -> Result<Vec<Audience>, Problem> {
    let mut out: Vec<Audience> = Vec::new();
    for part in opened
        .names()
        .filter(|n| n.starts_with(name::AUDIENCE_PREFIX))
    {
        let audience: Audience = opened.required(part)?;
        if name::audience(&audience.party) != part {
            return Err(Problem::new(ProblemKind::InvalidMember)
                .detail("the part's name and the party inside differ")
                .pointer(format!("/{part}/party")));
        }
        out.push(audience);
        if out.len() > MAX_PARTIES {
            return Err(Problem::new(ProblemKind::TooLarge)
                .detail(format!("at most {MAX_PARTIES} parties")));
        }
    }
    Ok(out)
}

fn check_cells(audience: &Audience, object: &Object, requested_m: f64) -> Result<(), Problem> {
    let pointer = format!("/{}/cells", name::audience(&audience.party));
    match audience.tier {
        Tier::Exact | Tier::Withdrawn if audience.cells.is_empty() => Ok(()),
        Tier::Exact | Tier::Withdrawn => Err(Problem::new(ProblemKind::InvalidMember)
            .detail("cells belong to the tiers on_check and cell")
            .pointer(pointer)),
        Tier::OnCheck | Tier::Cell => {
            let cells =
                read_cells(&audience.cells).map_err(|error| refused_cells(&error, &pointer))?;
            let covered = match &object.shape {
                Shape::Site(footprint) => cell::verify_covering(&cells, footprint, requested_m),
                Shape::Movement(track) => cell::verify_covering_track(&cells, track, requested_m),
            };
            covered.map_err(|error| refused_cells(&error, &pointer))
        }
    }
}

pub(super) fn read_cells(cells: &[String]) -> Result<Vec<Cell>, CellError> {
    if cells.len() > cell::MAX_CELLS {
        return Err(CellError::TooMany);
    }
    cells.iter().map(|text| Cell::parse(text)).collect()
}

pub(super) fn refused_cells(error: &CellError, pointer: &str) -> Problem {
    Problem::new(ProblemKind::CellMismatch)
        .detail(error.to_string())
        .pointer(pointer.to_owned())
}

/// The party and the notification that a refusal is about, in words that say nothing of places.
pub(super) fn unknown_party(party: &ActorId, nid: Nid) -> Problem {
    Problem::new(ProblemKind::UnknownParty)
        .detail(format!(
            "{party}, chosen for {}, is not a party that the coordinator admitted",
            nid.reference()
        ))
        .pointer(format!("/{}", name::audience(party)))
}
