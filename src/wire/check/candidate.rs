//! What may be hit: a revision that counts for the asking party, with as much of its place as that party's tier lets the
//! check use. What cannot be read is kept as such, never dropped.

use geojson::GeometryValue;
use time::OffsetDateTime;

use crate::crypto::digest::Digest;
use crate::crypto::disclosure::Disclosure;
use crate::domain::ids::{ActorId, Issuer, LogPosition, Nid, Revision};
use crate::domain::notification::{ScreeningState, SecondSignature, Subject, Tier};
use crate::spatial::cell::{Cell, MAX_CELLS};
use crate::spatial::{Footprint, Position};
use crate::wire::object::Object;
use crate::wire::parts::{Audience, Place, ProgressPart, name};
use crate::wire::policy::Policy;
use crate::wire::problem::ProblemKind;

/// What is known of a revision beside its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notified {
    /// The notification.
    pub nid: Nid,
    /// The revision.
    pub rev: Revision,
    /// Hash of its statement.
    pub of: Digest,
    /// Its position.
    pub pos: LogPosition,
    /// Whose.
    pub organisation: ActorId,
    /// The organisation's duty number.
    pub duty: Option<String>,
    /// A site, or a movement.
    pub subject: Subject,
    /// How much the asking party sees.
    pub tier: Tier,
    /// Whether it is the notification's latest revision.
    pub latest: bool,
    /// Notified as an emergency.
    pub emergency: bool,
    /// Signed by the coordinator on the organisation's behalf, and not by the organisation since.
    pub on_behalf: bool,
    /// Where it stands with the coordinator.
    pub screening: ScreeningState,
    /// Whether a second signature is waited for.
    pub cosign: SecondSignature,
    /// When the organisation last said that it stands so: by this revision, or by a later confirmation.
    pub said_at: OffsetDateTime,
}

/// A revision that counts. Prints nothing of its place.
#[derive(Clone)]
pub struct Candidate {
    /// What is known of it.
    pub notified: Notified,
    /// Where it is, as far as the check may use it.
    pub seen: Seen,
    /// The part `contact`, sealed to the asking party's desk.
    pub contact: Option<SealedContact>,
}

/// A contact that the server passes on and cannot open, with what its reader needs to open it.
#[derive(Clone)]
pub struct SealedContact {
    /// Who signed the revision.
    pub iss: Issuer,
    /// The digest of the part.
    pub sd: Digest,
    /// The seal, base64url.
    pub seal: String,
}

/// Where a candidate is.
#[derive(Clone)]
pub enum Seen {
    /// Its place: tiers `exact` and `on_check`.
    Exact(Box<Exact>),
    /// Its cells, with their references as notified: tier `cell`.
    Cells(Vec<(Cell, String)>),
    /// It counts, and cannot be read: the answer is indeterminate.
    Unreadable(ProblemKind),
}

/// A place, ready for the exact test.
#[derive(Clone)]
pub struct Exact {
    /// Geometry, validity and buffer.
    pub object: Object,
    /// Where a movement starts and ends: it stands there while its window lasts longer than its times.
    pub ends: Option<[Footprint; 2]>,
    /// The disclosure that the organisation signed, base64url: what a hit discloses.
    pub disclosure: String,
}

impl std::fmt::Debug for Candidate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Candidate({} [sealed])", self.notified.nid)
    }
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seen[sealed]")
    }
}

impl Seen {
    /// As [`Seen::place`], of a movement of which the organisation has said that what remains is later: the disclosure of
    /// the part `progress` that says so. Each place may then be occupied from when it was notified until that much later,
    /// for nobody knows where on the way the time is lost.
    pub fn delayed(disclosure: &[u8], progress: &[u8], subject: Subject, policy: &Policy) -> Self {
        let Some(progress) = disclosed(progress, name::PROGRESS) else {
            return Self::Unreadable(ProblemKind::DigestMismatch);
        };
        let Ok(progress) = serde_json::from_value::<ProgressPart>(progress.into_value()) else {
            return Self::Unreadable(ProblemKind::InvalidMember);
        };
        match Self::place(disclosure, subject, policy) {
            Self::Exact(mut exact) => {
                exact.object.delay(&progress);
                Self::Exact(exact)
            }
            other => other,
        }
    }

    /// Reads the disclosure of a part `place`. `policy` gives the buffer where none was requested.
    pub fn place(disclosure: &[u8], subject: Subject, policy: &Policy) -> Self {
        let Some(disclosure) = disclosed(disclosure, name::PLACE) else {
            return Self::Unreadable(ProblemKind::DigestMismatch);
        };
        let Ok(place) = serde_json::from_value::<Place>(disclosure.value().clone()) else {
            return Self::Unreadable(ProblemKind::InvalidMember);
        };
        match Object::read(&place, subject, policy) {
            Ok(object) => Self::Exact(Box::new(Exact {
                object,
                ends: (subject == Subject::Movement)
                    .then(|| ends(&place))
                    .flatten(),
                disclosure: disclosure.encoded().to_owned(),
            })),
            Err(problem) => {
                Self::Unreadable(problem.kind().unwrap_or(ProblemKind::GeometryInvalid))
            }
        }
    }

    /// Reads the disclosure of the part `audience.<party>` for its cells.
    pub fn cells(disclosure: &[u8], party: &ActorId) -> Self {
        let Some(disclosure) = disclosed(disclosure, &name::audience(party)) else {
            return Self::Unreadable(ProblemKind::DigestMismatch);
        };
        let Ok(audience) = serde_json::from_value::<Audience>(disclosure.into_value()) else {
            return Self::Unreadable(ProblemKind::InvalidMember);
        };
        if audience.cells.is_empty() || audience.cells.len() > MAX_CELLS {
            return Self::Unreadable(ProblemKind::CellMismatch);
        }
        let read = |text: String| Cell::parse(&text).map(|cell| (cell, text));
        let cells: Result<Vec<_>, _> = audience.cells.into_iter().map(read).collect();
        cells.map_or(Self::Unreadable(ProblemKind::CellMismatch), Self::Cells)
    }
}

/// A disclosure of a part of this name.
fn disclosed(encoded: &[u8], part: &str) -> Option<Disclosure> {
    Disclosure::parse(encoded)
        .ok()
        .filter(|disclosure| disclosure.name() == part)
}

/// The first and the last place of a movement's geometry.
fn ends(place: &Place) -> Option<[Footprint; 2]> {
    let (first, last) = match &place.geometry.value {
        GeometryValue::LineString { coordinates } => (coordinates.first()?, coordinates.last()?),
        GeometryValue::Point { coordinates } => (coordinates, coordinates),
        _ => return None,
    };
    let footprint = |at: &geojson::Position| {
        let numbers: &[f64] = at.as_slice();
        let (lon, lat) = (numbers.first()?, numbers.get(1)?);
        Position::new(*lon, *lat).ok().map(Footprint::point)
    };
    Some([footprint(first)?, footprint(last)?])
}
