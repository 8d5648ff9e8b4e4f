//! The values of parts: everything in a statement that says where, when, who or what. They exist in memory, in a seal,
//! or under the keyring, and nowhere else; none of them prints itself.

use std::fmt;

use geojson::Geometry;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::claims::About;
use crate::crypto::digest::Digest;
use crate::domain::category::Category;
use crate::domain::check::{Flag, HitRelation, Verdict};
use crate::domain::exchange::{AlertEvent, Answer, Ask, DistressOutcome, Step};
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
    /// A photo, a logo, a letter: `attachment.<n>`, n from 1; for the coordinator, `exact` parties and the own desk; the
    /// server cannot read it.
    pub const ATTACHMENT_PREFIX: &str = "attachment.";
    /// Which contents the attachments have: for the server.
    pub const BLOBS: &str = "blobs";
    /// Why a notification is withdrawn: for the server and the coordinator.
    pub const REASON: &str = "reason";
    /// Why a revision is returned: for the server and the organisation.
    pub const REASONS: &str = "reasons";
    /// The detail of an acknowledgement or a notice.
    pub const DETAIL: &str = "detail";
    /// How far a movement is.
    pub const PROGRESS: &str = "progress";
    /// Where help is needed.
    pub const POSITION: &str = "position";
    /// What one officer leaves to the next.
    pub const NOTE: &str = "note";
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
            BLOBS => PartClass::Blobs,
            part if part.starts_with(ATTACHMENT_PREFIX) => PartClass::Attachment,
            REASON => PartClass::Reason,
            REASONS => PartClass::Reasons,
            DETAIL => PartClass::Detail,
            PROGRESS => PartClass::Progress,
            POSITION => PartClass::Position,
            NOTE => PartClass::Note,
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

    /// The name of the part of the `n`th attachment, from 1.
    pub fn attachment(n: usize) -> String {
        format!("{ATTACHMENT_PREFIX}{n}")
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// Attachments that one revision may have.
pub const MAX_ATTACHMENTS: usize = 10;
/// The longest name of an attachment, in bytes.
pub const MAX_ATTACHMENT_NAME_BYTES: usize = 255;

/// The part `attachment.<n>`: what stands in a blob, and the key that opens it. The server passes it on sealed and cannot
/// read it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttachmentPart {
    /// The file's name, as its maker called it. Nobody may use it as a path.
    pub name: String,
    /// What it is.
    pub media_type: MediaType,
    /// How long the file is, in bytes.
    pub size: u64,
    /// SHA-256 of the file.
    pub sha256: Digest,
    /// SHA-256 of the blob: under this name the server has it.
    pub blob: Digest,
    /// The key of the blob ([`crate::crypto::blob`]), 32 bytes as base64url.
    pub key: String,
    /// Bytes of the file in one chunk of the blob: 65,536.
    pub chunk: u32,
}

/// What an attachment may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MediaType {
    /// A photo.
    #[serde(rename = "image/jpeg")]
    Jpeg,
    /// A picture, a logo.
    #[serde(rename = "image/png")]
    Png,
    /// A letter.
    #[serde(rename = "application/pdf")]
    Pdf,
}

impl MediaType {
    /// Every one.
    pub const ALL: &'static [Self] = &[Self::Jpeg, Self::Png, Self::Pdf];

    /// The bytes that such a file begins with.
    pub const fn magic(self) -> &'static [u8] {
        match self {
            Self::Jpeg => &[0xff, 0xd8, 0xff],
            Self::Png => &[0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'],
            Self::Pdf => b"%PDF-",
        }
    }

    /// What a file is by its first bytes.
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|media| bytes.starts_with(media.magic()))
    }

    /// The extensions of such a file's name, the usual one first.
    pub const fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Jpeg => &["jpg", "jpeg", "jpe"],
            Self::Png => &["png"],
            Self::Pdf => &["pdf"],
        }
    }

    /// As it stands in the part.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Pdf => "application/pdf",
        }
    }
}

/// The part `blobs`: the contents of the attachments in their order, for the server alone. It says neither name nor key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blobs {
    /// One for each attachment, in their order.
    pub blobs: Vec<NamedBlob>,
}

/// A blob, as a statement names it.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedBlob {
    /// SHA-256 of the blob.
    pub blob: Digest,
    /// How long the blob is, in bytes.
    pub size: u64,
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

/// The part `note` of a handover.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandoverNote {
    /// In words; 1 to [`crate::domain::exchange::MAX_NOTE_CHARS`] characters.
    pub text: String,
    /// The notifications that it is about; none when it is about none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub about: Vec<Nid>,
    /// Who leaves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub officer: Option<String>,
}

sealed_debug!(
    AttachmentPart,
    HandoverNote,
    Blobs,
    NamedBlob,
    InvitedPerson,
    DeskKey,
    Reason,
    Reasons,
    ReturnReason
);

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
    /// Transcribed from a letter: the date that stands on it, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dated: Option<String>,
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
    /// What the party asks for (`queried`); to clarify, where it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<Ask>,
    /// Until when a reply is asked for (`queried`).
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub due: Option<OffsetDateTime>,
}

sealed_debug!(
    Warning,
    ReplyDetail,
    ProgressPart,
    DistressDetail,
    DistressPosition,
    ResponseDetail,
    ResolutionDetail,
    AlertDetail
);

/// The part `detail` of a warning: for the server, the organisation and the coordinator.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Warning {
    /// The officer who says it.
    pub officer: Person,
    /// What the party alleges, in its own words.
    pub alleges: String,
    /// Until when it asks that what it alleges cease.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub cease_by: Option<OffsetDateTime>,
    /// Always [`crate::domain::exchange::WARNING_SENTENCE`].
    pub says: String,
}

/// The part `detail` of a reply: for the server, the party and the coordinator.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplyDetail {
    /// How the organisation replies.
    pub answer: Answer,
    /// The revision in which it amended the notification (`amended`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amended: Option<Revision>,
    /// In words.
    pub text: String,
}

/// The part `progress`: for the server, the coordinator and `exact` parties.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgressPart {
    /// How far it is.
    pub step: Step,
    /// The waypoint that it left or is at, counted from 0. Left out of `departed`, it is the first; of `delayed`, the
    /// delay concerns all that has not been passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waypoint: Option<u32>,
    /// When that was.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// How much later than notified all that remains is, in seconds (`delayed`). It replaces an earlier delay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_s: Option<u32>,
    /// A note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The part `detail` of a distress call: for the server, the coordinator and every party called.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistressDetail {
    /// What happens, in words.
    pub text: String,
    /// Where the caller can be reached, with `+`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// How many people are concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<u32>,
    /// Always [`crate::domain::exchange::DISTRESS_SENTENCE`].
    pub says: String,
}

/// The part `position` of a distress call: for the server, the coordinator and the parties called at the tier `exact`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistressPosition {
    /// Longitude, latitude.
    pub position: [f64; 2],
    /// How accurate that is, in metres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_m: Option<f64>,
    /// As somebody typed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typed: Option<String>,
}

/// The part `detail` of an answer to a distress call: for the server, the organisation, the coordinator and the parties
/// called.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseDetail {
    /// The officer who answers.
    pub officer: Person,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// The part `detail` of the end of a distress call: for the server, the coordinator and the parties called.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolutionDetail {
    /// How it ended.
    pub outcome: DistressOutcome,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// The part `detail` of an alert: for the server and all that it is delivered to.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertDetail {
    /// What time has brought.
    pub event: AlertEvent,
    /// The organisation concerned.
    pub organisation: ActorId,
    /// The party concerned, if one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<ActorId>,
    /// The notifications concerned, 1 to 1,000; or the distress call. None of a month that is destroyed.
    pub items: Vec<About>,
    /// The part of the lead time that has passed, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_percent: Option<u8>,
    /// The moment that has come, by the database's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub due: OffsetDateTime,
    /// How many steps up the contacts this is (`distress_unanswered`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    /// Hash of the acknowledgement that the coordinator transcribed from the party's letter, where there is one
    /// (`no_acknowledgement`): no signed word, and no silence either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcribed: Option<Digest>,
    /// The month whose sealed parts are destroyed, as `2026-11` (`retention_ended`, which names no items).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month: Option<String>,
    /// Always the event's own sentence, [`AlertEvent::sentence`].
    pub says: String,
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
