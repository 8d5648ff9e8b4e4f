//! The JSON bodies of the API: what is asked and answered around statements. Nothing here says where anything is.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::crypto::digest::{Digest, Kid};
use crate::crypto::keys::VerifyingKey;
use crate::crypto::seal_key::SealPublicKey;
use crate::domain::ack::AckState;
use crate::domain::actor::{ActorKind, ActorState, DeviceState, Mode, Role};
use crate::domain::check::Flag;
use crate::domain::exchange::{DistressState, ThreadKind, ThreadState};
use crate::domain::ids::{
    ActorId, ContextId, DeviceId, LogPosition, Nid, Reference, Revision, Seq,
};
use crate::domain::notification::{
    NotificationState, ScreeningState, SecondSignature, Subject, Tier,
};
use crate::wire::claims::Checked;
use crate::wire::problem::ProblemBody;

/// Asks to enrol a device.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolRequest {
    /// The invite's 32 secret bytes, base64url.
    pub invite: String,
    /// A certificate signing request for the device's TLS key, DER as base64url. Only its public key is used.
    pub csr: String,
    /// The device's name, of its own choice.
    #[schema(value_type = String, example = "7k2m9qxa")]
    pub device: DeviceId,
    /// The device's signing key, a JWK.
    #[schema(value_type = Object)]
    pub jwk: VerifyingKey,
    /// The device's own HPKE public key, base64url.
    #[schema(value_type = String)]
    pub seal: SealPublicKey,
    /// A `keys` statement of the actor's root that names this device; required from an actor's first device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<String>,
    /// The seals of that statement, which hand the desk's key to its other devices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seals: Vec<EnrolSeal>,
}

/// A seal that travels with an enrolment.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolSeal {
    /// The part's name.
    pub part: String,
    /// Digest of its disclosure.
    #[schema(value_type = String)]
    pub sd: Digest,
    /// The reader's key.
    #[schema(value_type = String)]
    pub kid: Kid,
    /// `enc ‖ ct`, base64url.
    pub sealed: String,
}

/// A device is enrolled.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct EnrolResponse {
    /// The device's certificate, PEM.
    pub certificate: String,
    /// Who the device now speaks for.
    pub me: Me,
    /// The receipt for the `keys` statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
}

/// How much of a blob is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlobState {
    /// How long the whole is, in bytes.
    pub size: u64,
    /// How much of it is kept, from its beginning.
    pub have: u64,
    /// Whether all of it is there and has the digest that names it.
    pub complete: bool,
}

/// Who a device is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The deployment, `herald:<thumbprint of its root>`: every statement's `aud`.
    pub aud: String,
    /// The context.
    #[schema(value_type = String)]
    pub ctx: ContextId,
    /// Real, or a drill.
    #[schema(value_type = String)]
    pub mode: Mode,
    /// The actor.
    #[schema(value_type = String)]
    pub actor: ActorId,
    /// What it is.
    #[schema(value_type = String)]
    pub kind: ActorKind,
    /// Its public name.
    pub name: String,
    /// Where it stands.
    #[schema(value_type = String)]
    pub actor_state: ActorState,
    /// The device.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// Its role.
    #[schema(value_type = String)]
    pub role: Role,
    /// Where it stands.
    #[schema(value_type = String)]
    pub device_state: DeviceState,
    /// When its certificate ends, seconds since the Unix epoch.
    pub certificate_until: i64,
}

/// Asks for a certificate for a renewed key.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewRequest {
    /// The `renew` statement, signed with the old key.
    pub statement: String,
    /// A certificate signing request for the new TLS key, DER as base64url.
    pub csr: String,
}

/// Everybody's keys, in statements that can be held against the roots that one has pinned.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct KeyDirectory {
    /// The deployment.
    pub aud: String,
    /// The deployment's own `keys` statement, under its root: the nodes' signing keys and the HPKE key.
    pub server: String,
    /// The context's actors.
    pub actors: Vec<ActorKeys>,
    /// Parties that the coordinator has named and of which it has admitted no device yet: they can be notified, and what is
    /// notified waits for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named: Vec<NamedParty>,
}

/// A party without a device.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NamedParty {
    /// The party.
    #[schema(value_type = String)]
    pub actor: ActorId,
    /// The coordinator's latest `invite` statement for it, which names it and says that it is a party.
    pub invite: String,
}

/// An actor's keys.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ActorKeys {
    /// The actor.
    #[schema(value_type = String)]
    pub actor: ActorId,
    /// What it is.
    #[schema(value_type = String)]
    pub kind: ActorKind,
    /// Its public name.
    pub name: String,
    /// Where it stands.
    #[schema(value_type = String)]
    pub state: ActorState,
    /// Its 24/7 duty number, as the actor registered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duty: Option<String>,
    /// Its latest `keys` statement.
    pub keys: String,
    /// Those of its earlier ones that name a device, or a key of one, which no later one names, oldest first: what was
    /// signed under them can still be proved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<String>,
    /// Every renewal there has been, oldest first.
    pub renewals: Vec<String>,
    /// Every revocation there has been, oldest first.
    pub revocations: Vec<String>,
    /// The coordinator's latest `admit` statement on it, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admit: Option<String>,
}

/// What became of one statement.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Submitted {
    /// `accepted`, or `known`: the same bytes had been accepted before.
    pub result: SubmittedResult,
    /// Hash of the statement.
    #[schema(value_type = String)]
    pub hash: Digest,
    /// Its position.
    #[schema(value_type = u64)]
    pub pos: LogPosition,
    /// The receipt, a statement signed by the server.
    pub receipt: String,
    /// What the sender should know, for people; for example that a position was entered elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// Accepted, or known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubmittedResult {
    /// Stored now.
    Accepted,
    /// Stored before; the receipt is the one from then.
    Known,
}

/// What became of one of several statements, in their order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum BulkItem {
    /// Stored.
    Submitted(Box<Submitted>),
    /// Refused.
    Refused {
        /// Always `refused`.
        result: RefusedTag,
        /// Why.
        problem: Box<ProblemBody>,
    },
}

/// The literal `refused`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefusedTag {
    /// `refused`.
    Refused,
}

/// What became of several statements.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BulkResponse {
    /// One for each, in order.
    pub items: Vec<BulkItem>,
}

/// Sets a device's cursor: everything up to and including `seq` is kept by the device.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// The last event kept.
    #[schema(value_type = u64)]
    pub seq: Seq,
}

/// A notification, as far as the asking actor may see it. Never where it is: that is in the signed parts.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NotificationStatus {
    /// For people to say.
    #[schema(value_type = String)]
    pub reference: Reference,
    /// The notification.
    #[schema(value_type = String)]
    pub nid: Nid,
    /// Whose.
    #[schema(value_type = String)]
    pub organisation: ActorId,
    /// A site, or a movement.
    #[schema(value_type = String)]
    pub subject: Subject,
    /// Where it stands.
    #[schema(value_type = String)]
    pub state: NotificationState,
    /// Whether it is a site that the server closed, days after its window had ended; shown where it is so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed_by_time: bool,
    /// Its revisions, oldest first.
    pub revisions: Vec<RevisionStatus>,
    /// The parties chosen; a party sees only itself.
    pub parties: Vec<PartyStatus>,
    /// Queries and warnings, oldest first; a party sees only its own. They change nothing of the above.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub threads: Vec<ThreadStatus>,
    /// Calls for help about it that the organisation has not ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<CallStatus>,
}

/// A call for help, as far as the asking actor may know. What happens and where is in the signed parts.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CallStatus {
    /// For people to say.
    #[schema(value_type = String)]
    pub reference: Reference,
    /// Its id.
    #[schema(value_type = String)]
    pub nid: Nid,
    /// Hash of its statement.
    #[schema(value_type = String)]
    pub of: Digest,
    /// Who calls.
    #[schema(value_type = String)]
    pub organisation: ActorId,
    /// The notification that it is about, if one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub about: Option<Nid>,
    /// Where it stands.
    #[schema(value_type = String)]
    pub state: DistressState,
    /// When it was received.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The event in the asking desk's own mailbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub seq: Option<Seq>,
    /// The desks that it was delivered to; a party sees only itself.
    pub called: Vec<CalledStatus>,
}

/// A desk that a call for help was delivered to.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CalledStatus {
    /// Whose.
    #[schema(value_type = String)]
    pub actor: ActorId,
    /// How much a party sees; absent for the coordinator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub tier: Option<Tier>,
    /// When its first officer answered.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub answered_at: Option<OffsetDateTime>,
}

/// Calls for help that are not resolved.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Calls {
    /// Oldest first.
    pub calls: Vec<CallStatus>,
}

/// Where a query or a warning stands. Never what was said: that is in the signed parts.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ThreadStatus {
    /// `query` or `warning`.
    #[schema(value_type = String)]
    pub kind: ThreadKind,
    /// Hash of the statement that asks or warns; a reply names it.
    #[schema(value_type = String)]
    pub of: Digest,
    /// For people to say.
    #[schema(value_type = String)]
    pub reference: Reference,
    /// The notification.
    #[schema(value_type = String)]
    pub nid: Nid,
    /// The revision that was asked about.
    #[schema(value_type = u32)]
    pub rev: Revision,
    /// The organisation that is asked or warned.
    #[schema(value_type = String)]
    pub organisation: ActorId,
    /// The party that asks or warns.
    #[schema(value_type = String)]
    pub party: ActorId,
    /// When it was stored.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// `open`, `overdue` or `replied`.
    #[schema(value_type = String)]
    pub state: ThreadState,
    /// Until when a reply is asked for; absent once the key of its month was destroyed.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub due: Option<OffsetDateTime>,
    /// How often it was replied to.
    pub replies: u32,
    /// Hash of the latest reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub reply: Option<Digest>,
    /// When that was stored.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub replied_at: Option<OffsetDateTime>,
}

/// Queries and warnings that wait for a reply.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Threads {
    /// Those on current notifications, oldest first.
    pub threads: Vec<ThreadStatus>,
    /// How many more wait beyond these.
    pub more: u64,
}

/// A revision.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RevisionStatus {
    /// Its number.
    #[schema(value_type = u32)]
    pub rev: Revision,
    /// Hash of its statement.
    #[schema(value_type = String)]
    pub of: Digest,
    /// Its position.
    #[schema(value_type = u64)]
    pub pos: LogPosition,
    /// When it was stored.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// What it is: `site`, `movement`, `withdraw`, `close`.
    pub kind: String,
    /// Where it stands with the coordinator.
    #[schema(value_type = String)]
    pub screening: ScreeningState,
    /// What of it the coordinator looked at: `form`, `coordinates`, `sender`; of nothing else anything is said.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub checked: Vec<Checked>,
    /// Whether a second person has signed.
    #[schema(value_type = String)]
    pub second_signature: SecondSignature,
    /// What must be known of it.
    #[schema(value_type = Vec<String>)]
    pub flags: Vec<Flag>,
}

/// Where a notification stands with a party.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PartyStatus {
    /// The party.
    #[schema(value_type = String)]
    pub party: ActorId,
    /// How much it sees, by the latest revision that names it.
    #[schema(value_type = String)]
    pub tier: Tier,
    /// When its desk's device had taken the latest revision from the mailbox; a machine's word only.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub fetched_at: Option<OffsetDateTime>,
    /// It has no device that the coordinator has admitted: what is notified to it waits in its mailbox.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_device: bool,
    /// What the coordinator relayed to it by other means, oldest first. Neither signed by the party nor reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relayed: Vec<RelayStatus>,
    /// Where it stands, when that is so that nothing new is handed to it: it has what it was told until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_back: Option<HeldBack>,
    /// What it signed, or what the coordinator transcribed from its letters, oldest first. Empty is `pending`: silence.
    pub acknowledgements: Vec<AckStatus>,
}

/// A package of the coordinator's in which a revision stood. To whom it went and how is in the signed part.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RelayStatus {
    /// The revision.
    #[schema(value_type = u32)]
    pub rev: Revision,
    /// Whether that is the latest.
    pub latest: bool,
    /// When it was stored.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Hash of the statement.
    #[schema(value_type = String)]
    pub of: Digest,
}

/// A party to which nothing new is handed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeldBack {
    /// `suspended` or `left`.
    #[schema(value_type = String)]
    pub state: ActorState,
    /// Since when.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub since: Option<OffsetDateTime>,
}

/// One signed word of a party.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AckStatus {
    /// What it says.
    #[schema(value_type = String)]
    pub state: AckState,
    /// Of which revision.
    #[schema(value_type = u32)]
    pub rev: Revision,
    /// Whether that is the latest revision; one for a superseded revision never counts for the new one.
    pub latest: bool,
    /// When it was stored.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Hash of the statement.
    #[schema(value_type = String)]
    pub of: Digest,
    /// Whether the place was entered more than 100 m away.
    pub entered_elsewhere: bool,
    /// Transcribed by the coordinator from a letter of the party: it counts neither as signed nor as reached.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub transcribed: bool,
}

/// A page of notifications.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NotificationPage {
    /// The page, oldest first.
    pub items: Vec<NotificationStatus>,
    /// Give this as `after` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub next: Option<LogPosition>,
}

/// An actor whose fingerprint waits to be compared.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PendingAdmission {
    /// The actor.
    #[schema(value_type = String)]
    pub actor: ActorId,
    /// What it is.
    #[schema(value_type = String)]
    pub kind: ActorKind,
    /// Its public name.
    pub name: String,
    /// Thumbprint of its root.
    #[schema(value_type = String)]
    pub root: Kid,
}

/// The actor's own devices.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Devices {
    /// All of them, also pending and revoked ones.
    pub devices: Vec<DeviceStatus>,
}

/// A device of one's own actor.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeviceStatus {
    /// Its name.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// Its role.
    #[schema(value_type = String)]
    pub role: Role,
    /// Where it stands.
    #[schema(value_type = String)]
    pub state: DeviceState,
    /// Its signing key, a JWK.
    #[schema(value_type = Object)]
    pub jwk: VerifyingKey,
    /// Its own HPKE public key.
    #[schema(value_type = String)]
    pub seal: SealPublicKey,
    /// Whose it is.
    pub person: String,
    /// When its certificate ends, seconds since the Unix epoch.
    pub until: i64,
}

/// The policy in force, as its coordinator signed it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CurrentPolicy {
    /// The `policy` statement; absent while the built-in default is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// Its content.
    #[schema(value_type = Object)]
    pub policy: crate::wire::policy::Policy,
}

/// Counts, for auditors. No place, no name, no notification.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Statistics {
    /// The last position.
    #[schema(value_type = u64)]
    pub head: LogPosition,
    /// Statements by kind.
    pub statements: std::collections::BTreeMap<String, u64>,
    /// Notifications by state.
    pub notifications: std::collections::BTreeMap<String, u64>,
    /// Acknowledgements by state.
    pub acknowledgements: std::collections::BTreeMap<String, u64>,
    /// Checks answered in the last 30 days.
    pub checks_30d: u64,
}
