//! The values of parts: everything in a statement that says where, when, who or what. They exist in memory, in a seal,
//! or under the keyring, and nowhere else; none of them prints itself.

use std::fmt;

use geojson::Geometry;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::crypto::digest::Digest;
use crate::domain::category::Category;
use crate::domain::check::{Flag, HitRelation, Verdict};
use crate::domain::ids::{ActorId, Issuer, LogPosition, Nid, Reference, Revision, Seq};
use crate::domain::notification::{CoordinateSource, Infrared, Relation, Subject, Tier};

/// Names of parts, as they stand in disclosures and seals.
pub mod name {
    use crate::domain::disclosure_policy::PartClass;

    /// The place or route, its category, names and times: for the server, the coordinator and `exact` parties.
    pub const PLACE: &str = "place";
    /// People, phones, plates, passengers: for the coordinator and the chosen parties; the server cannot read it.
    pub const CONTACT: &str = "contact";
    /// What one party may see: `audience.<party>`; for the server, the coordinator and that party.
    pub const AUDIENCE_PREFIX: &str = "audience.";
    /// Why a notification is withdrawn: for the server and the coordinator.
    pub const REASON: &str = "reason";
    /// Why a revision is returned: for the server and the organisation.
    pub const REASONS: &str = "reasons";
    /// The detail of an acknowledgement or a notice.
    pub const DETAIL: &str = "detail";
    /// The name of a person invited.
    pub const PERSON: &str = "person";
    /// The area of a check.
    pub const AREA: &str = "area";
    /// The content of an answer.
    pub const ANSWER: &str = "answer";
    /// The desk's secret key, handed to a device: `desk.<device>`.
    pub const DESK_PREFIX: &str = "desk.";

    /// The name of a party's audience part.
    pub fn audience(party: &super::ActorId) -> String {
        format!("{AUDIENCE_PREFIX}{party}")
    }

    /// What a part of this name is to the reader; to the server, which is none, every audience part is another's.
    pub fn class(part: &str, reader: Option<&super::ActorId>) -> PartClass {
        match part {
            PLACE => PartClass::Place,
            CONTACT => PartClass::Contact,
            REASON => PartClass::Reason,
            REASONS => PartClass::Reasons,
            DETAIL => PartClass::Detail,
            PERSON => PartClass::Person,
            part if part.starts_with(DESK_PREFIX) => PartClass::DeskKey,
            part => match part.strip_prefix(AUDIENCE_PREFIX) {
                Some(party) if reader.is_some_and(|own| own.as_str() == party) => {
                    PartClass::OwnAudience
                }
                Some(_) => PartClass::OtherAudience,
                None => PartClass::Other,
            },
        }
    }

    /// The name of the part that hands the desk's key to a device.
    pub fn desk(device: &crate::domain::ids::DeviceId) -> String {
        format!("{DESK_PREFIX}{device}")
    }
}

macro_rules! sealed_debug {
    ($($type:ty),+ $(,)?) => {$(
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($type), "[sealed]"))
            }
        }
    )+};
}

sealed_debug!(
    Place,
    PlaceProperties,
    Waypoint,
    Contact,
    Person,
    Vehicle,
    Overnight,
    AckDetail,
    AckItemDetail,
    Entered
);
sealed_debug!(
    CheckArea,
    AskedArea,
    AnswerPart,
    AnswerPage,
    Hit,
    NoticeDetail,
    Audience
);

/// A window in time, RFC 3339. Both bounds belong to it; an absent bound is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// From.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub from: Option<OffsetDateTime>,
    /// Until.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub until: Option<OffsetDateTime>,
}

/// The part `place`: a GeoJSON Feature (RFC 7946), longitude before latitude, WGS84, at most 7 decimals.
/// A site's geometry is a Point, LineString, Polygon or `MultiPolygon`; a movement's is a LineString with one position
/// for each waypoint (legs are geodesics), or a Point for one who stays.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Always `Feature`.
    #[serde(rename = "type")]
    pub kind: FeatureTag,
    /// Where.
    pub geometry: Geometry,
    /// What.
    pub properties: PlaceProperties,
}

/// The literal `Feature`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FeatureTag {
    /// `Feature`.
    Feature,
}

/// What stands at a place, or moves.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceProperties {
    /// What it is for.
    pub category: Category,
    /// Its name, Latin script.
    pub name: String,
    /// Its name in the local script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_local: Option<String>,
    /// Run by the organisation, or supported by it.
    pub relation: Relation,
    /// The requested buffer in metres around the object; nothing beyond it is "allowed".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffer_m: Option<f64>,
    /// When it is there, or under way. Of a movement with times, it covers all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// A movement's waypoints, one for each position of the geometry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waypoints: Vec<Waypoint>,
    /// Half the width of a movement's corridor, in metres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub half_width_m: Option<f64>,
    /// Administrative area, for example `YE1709` (OCHA P-code).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pcode: Option<String>,
    /// Country, ISO 3166-1 alpha-3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// How it is marked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marking: Option<String>,
    /// Whether the marking shows in infrared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infrared: Option<Infrared>,
    /// How accurate the coordinates are, in metres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_m: Option<f64>,
    /// Where the coordinates come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<CoordinateSource>,
    /// The coordinates as somebody typed them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typed: Option<String>,
    /// The window as somebody typed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_typed: Option<String>,
    /// The organisation's own reference for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// A note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// When a movement is at a waypoint.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waypoint {
    /// Arrival, or the time of passing.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub at: Option<OffsetDateTime>,
    /// Departure, when it stays.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub depart: Option<OffsetDateTime>,
    /// Seconds that either may be early or late.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub slack_s: u32,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// As somebody typed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typed: Option<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
const fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// The part `contact`: who to call, and what moves. The server passes it on sealed and cannot read it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// People who can be reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<Person>,
    /// Vehicles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vehicles: Vec<Vehicle>,
    /// How many people move or stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passengers: Option<u32>,
    /// What is carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cargo: Option<String>,
    /// Call sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_sign: Option<String>,
    /// Where nights are spent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overnight: Vec<Overnight>,
    /// A note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A person who can be reached.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Name.
    pub name: String,
    /// Post.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<String>,
    /// Telephone or satellite telephone, with `+`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

/// A vehicle.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vehicle {
    /// Make, model, colour, roof marking.
    pub description: String,
    /// Number plate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plate: Option<String>,
}

/// A night's stop.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overnight {
    /// Where, as text or coordinates.
    pub place: String,
    /// Which night.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub night: Option<String>,
}

/// The part `audience.<party>`: what one party may see.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audience {
    /// The party.
    pub party: ActorId,
    /// How much it sees.
    pub tier: Tier,
    /// Whether it may pass it on to its partners.
    pub onward: bool,
    /// At a lower tier: the MGRS 10 km squares that cover the object and its requested buffer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<String>,
}

/// The part `person` of an invite.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvitedPerson {
    /// The person's name.
    pub name: String,
}

/// The part `desk.<device>` of a `keys` statement: hands the desk's HPKE key to a device.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeskKey {
    /// The 32 bytes of the private key, base64url.
    pub seed: String,
}

sealed_debug!(InvitedPerson, DeskKey, Reason, Reasons, ReturnReason);

/// The part `reason` of a withdrawal.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// In words.
    pub text: String,
}

/// The part `reasons` of a returned revision.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reasons {
    /// One for each thing to mend.
    pub reasons: Vec<ReturnReason>,
}

/// One thing to mend.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReturnReason {
    /// JSON pointer into the `place`, where it is about one member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// In words.
    pub text: String,
}

/// The part `detail` of an acknowledgement: for the server, the organisation and the coordinator.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AckDetail {
    /// The officer who says it. Required for all but `reached_desk`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub officer: Option<Person>,
    /// Details of single items, in the order of the claims' `items`; may be shorter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<AckItemDetail>,
}

/// What a party says of one item.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AckItemDetail {
    /// The notification that it belongs to.
    pub nid: Nid,
    /// Where it was entered (`entered`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entered: Option<Entered>,
    /// Why not (`not_entered`), or why it was taken off (`removed`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What is asked (`queried`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
}

/// How a party entered a place on its own list, from its own export.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entered {
    /// The list's name.
    pub list: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The party's own number for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// The position as entered: longitude, latitude.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<[f64; 2]>,
    /// As typed, MGRS for example.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typed: Option<String>,
}

/// The part `detail` of a notice.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeDetail {
    /// The party concerned.
    pub party: ActorId,
    /// Metres between the place as notified and as entered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance_m: Option<f64>,
}

/// The part `area` of a check.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckArea {
    /// Where the operation is proposed.
    pub area: AskedArea,
    /// Metres around the area in which effects are expected.
    #[serde(default)]
    pub effect_radius_m: f64,
    /// When.
    pub window: Window,
    /// The area is meant although it lies outside the context's country; without this the answer to such a question is
    /// `indeterminate` where nothing is hit.
    #[serde(default, skip_serializing_if = "is_false")]
    pub outside_countries: bool,
    /// The operation's name, the planner's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// As typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typed: Option<String>,
}

/// An area as asked about. Longitude before latitude; edges are straight in longitude and latitude (RFC 7946).
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "snake_case")]
pub enum AskedArea {
    /// A GeoJSON Polygon or `MultiPolygon`.
    Polygon {
        /// The geometry.
        geometry: Geometry,
    },
    /// A circle.
    Circle {
        /// Longitude, latitude.
        center: [f64; 2],
        /// In metres.
        radius_m: f64,
    },
    /// A line with a width.
    Corridor {
        /// A GeoJSON `LineString`.
        geometry: Geometry,
        /// In metres.
        half_width_m: f64,
    },
}

/// The part `answer`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerPart {
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is indeterminate, as problem slugs; empty otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
    /// The database's time at which the question was judged.
    #[serde(with = "time::serde::rfc3339")]
    pub as_of: OffsetDateTime,
    /// How many events had been put into the asking party's mailbox.
    pub serial: Seq,
    /// How many objects are hit. All are counted, also those that stand on further pages.
    pub hits_total: u32,
    /// The objects hit, nearest first.
    pub hits: Vec<Hit>,
    /// Every revision near the area that the party sees exactly, and every other one that is hit.
    pub considered: Vec<Considered>,
    /// On how many parts the answer stands: `answer`, then `answer.2`, `answer.3`… ([`AnswerPage`]).
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub pages: u32,
    /// Always [`crate::domain::check::ABSENCE_SENTENCE`].
    pub absence: String,
    /// Number to call when in doubt: the coordinator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
const fn is_false(value: &bool) -> bool {
    !*value
}

const fn one() -> u32 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
const fn is_one(value: &u32) -> bool {
    *value == 1
}

/// The part `answer.<n>`, from 2: what did not fit on the pages before.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerPage {
    /// More objects hit, in the order of the whole answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hits: Vec<Hit>,
    /// More revisions considered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub considered: Vec<Considered>,
}

/// A revision that was considered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Considered {
    /// The notification.
    pub nid: Nid,
    /// The revision.
    pub rev: Revision,
    /// Whether it is hit.
    pub hit: bool,
}

/// An object that is hit.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hit {
    /// For people to say.
    pub reference: Reference,
    /// The notification.
    pub nid: Nid,
    /// The revision.
    pub rev: Revision,
    /// Hash of the revision's statement.
    pub of: Digest,
    /// At which position it was stored.
    pub pos: LogPosition,
    /// A site, or a movement; withheld for a cell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// Whose.
    pub organisation: ActorId,
    /// The organisation's own 24/7 duty number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duty: Option<String>,
    /// How much this party sees.
    pub tier: Tier,
    /// How it lies to the area.
    pub relation: HitRelation,
    /// Geodesic metres from the area to the object (0 inside), to the millimetre; of a cell, to the cell.
    pub distance_m: f64,
    /// The buffer that was counted, in metres; not for a cell, which contains it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffer_m: Option<f64>,
    /// When the windows overlap. An open bound is absent.
    pub overlap: Window,
    /// What must be known of it.
    pub flags: Vec<Flag>,
    /// The place, where the tier allows: the disclosure that the organisation signed, base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The cells, where the tier allows no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<String>,
    /// The part `contact`, sealed to the party's desk, base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// Who signed the revision: what the seal of the contact is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_iss: Option<Issuer>,
    /// The digest of the part `contact`: what its seal is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_sd: Option<Digest>,
}
