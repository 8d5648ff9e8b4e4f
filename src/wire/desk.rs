//! The desk's day as JSON: what waits for a desk, what changed since one of its devices last looked, and who is silent.
//! Never where anything is, and never what was said: that is in the signed parts.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::api::{CallStatus, NotificationStatus, PendingAdmission, ThreadStatus};
use super::nudge::NudgeTrouble;
use crate::domain::actor::ActorState;
use crate::domain::ids::{ActorId, Issuer, LogPosition, Nid, Reference, Revision, Seq};
use crate::domain::kind::Kind;

/// What waits for the asking desk.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Queue {
    /// Calls for help that the organisations have not ended, oldest first: these come before all else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<CallStatus>,
    /// For a coordinator: revisions that nobody has screened. For a party's desk: revisions that no officer of it has
    /// said to have received. For an organisation: revisions that were returned to it, or wait for a second signature.
    /// Oldest first.
    pub notifications: Vec<NotificationStatus>,
    /// For a coordinator: actors whose fingerprint waits to be compared.
    pub admissions: Vec<PendingAdmission>,
    /// For a coordinator: people whom nudges do not reach.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreached: Vec<NudgeTrouble>,
    /// For an organisation: queries and warnings that it has not replied to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub threads: Vec<ThreadStatus>,
    /// How many more wait beyond this page.
    pub more: u64,
    /// How many of those wait since before the device's last look, and are left out for that.
    #[serde(default)]
    pub seen: u64,
    /// The oldest of those that are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub oldest_seen: Option<Reference>,
    /// The device's last look; absent before its first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<Look>,
    /// Up to which position this answer holds everything: what a look is set to once all of it has arrived.
    #[schema(value_type = u64)]
    pub upto: LogPosition,
    /// Give this as `after` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub next: Option<LogPosition>,
}

/// When a device last looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Look {
    /// Everything up to this position was shown.
    #[schema(value_type = u64)]
    pub pos: LogPosition,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// Says that a device has shown everything up to a position. It never goes back.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Looked {
    /// The `upto` of the queue that was shown.
    #[schema(value_type = u64)]
    pub pos: LogPosition,
}

/// A page of what was said to a desk, and by its own devices.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Changes {
    /// Oldest first.
    pub changes: Vec<Change>,
    /// Give this as `after` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub next: Option<LogPosition>,
}

/// One statement, by what is public of it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// Its position: its serial in the log.
    #[schema(value_type = u64)]
    pub pos: LogPosition,
    /// The event in the asking desk's own mailbox, if it was delivered there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub seq: Option<Seq>,
    /// When it was stored.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Its kind.
    #[schema(value_type = String)]
    pub kind: Kind,
    /// Who signed it.
    #[schema(value_type = String)]
    pub by: Issuer,
    /// On whose behalf the coordinator signed it, or whose letter it transcribed: nothing that this actor signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub on_behalf: Option<ActorId>,
    /// The word that it says: of a screening `screened` or `returned`, of an acknowledgement its state, of an admission
    /// what the actor is from then on, of a closing how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub word: Option<String>,
    /// The actor that it is addressed to, or speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub to: Option<ActorId>,
    /// The notifications that it is about, the first few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub about: Vec<AboutRevision>,
    /// How many it is about beyond these.
    #[serde(default)]
    pub more: u64,
}

/// A revision that a statement is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AboutRevision {
    /// The notification, or the call for help.
    #[schema(value_type = String)]
    pub nid: Nid,
    /// For people to say.
    #[schema(value_type = String)]
    pub reference: Reference,
    /// The revision.
    #[schema(value_type = u32)]
    pub rev: Revision,
}

/// Which parties have not answered, and for how long. Silence changes nothing of what is protected.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Silence {
    /// By the server's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub as_of: OffsetDateTime,
    /// The parties, as far as the asking actor may know: a coordinator all, an organisation those that it has named, a
    /// party itself.
    pub parties: Vec<PartySilence>,
    /// What none of it means.
    pub says: String,
}

/// A party's silence.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PartySilence {
    /// The party.
    #[schema(value_type = String)]
    pub party: ActorId,
    /// Its public name.
    pub name: String,
    /// Where it stands.
    #[schema(value_type = String)]
    pub state: ActorState,
    /// Since when, where that is noted.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub since: Option<OffsetDateTime>,
    /// From when it will be suspended, or will have left.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub ends: Option<OffsetDateTime>,
    /// Whether it has no device that takes what is sent to its desk.
    pub no_device: bool,
    /// Latest revisions on which no officer of it has said a word, by how long ago each was received.
    pub waiting: Ages,
    /// How many of those its desk's device has not even taken from the mailbox.
    pub not_taken: u64,
    /// Of how many of those the notified window has ended: they are sites that are not notified for times after.
    #[serde(default)]
    pub window_ended: u64,
    /// The oldest of those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<OldestWaiting>,
    /// When its desk last took something from the mailbox; for an organisation: something that it notified itself.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub last_seen: Option<OffsetDateTime>,
}

/// Counts by age.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ages {
    /// Less than an hour.
    pub hour: u64,
    /// One to four hours.
    pub four_hours: u64,
    /// Four hours to a day.
    pub day: u64,
    /// One to three days.
    pub three_days: u64,
    /// Three days or more.
    pub older: u64,
}

impl Ages {
    /// All of them.
    pub const fn all(&self) -> u64 {
        self.hour + self.four_hours + self.day + self.three_days + self.older
    }

    /// The counts, youngest first, as [`Self::WORDS`].
    pub const fn counts(&self) -> [u64; 5] {
        [
            self.hour,
            self.four_hours,
            self.day,
            self.three_days,
            self.older,
        ]
    }

    /// What each count is of.
    pub const WORDS: [&'static str; 5] = ["< 1 h", "< 4 h", "< 24 h", "< 3 d", "older"];
}

/// The revision that has waited longest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OldestWaiting {
    /// The notification.
    #[schema(value_type = String)]
    pub nid: Nid,
    /// For people to say.
    #[schema(value_type = String)]
    pub reference: Reference,
    /// The revision.
    #[schema(value_type = u32)]
    pub rev: Revision,
    /// When it was received.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}
