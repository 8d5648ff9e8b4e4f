//! Problem documents (RFC 9457): one registry of everything that Herald refuses, and the shape in which a refusal
//! travels. The server writes them and the command line reads them, so both stand here; `docs/problems.md` is generated
//! from the registry, and a test holds the two together.
//!
//! The text of a problem says what is wrong, where, and what to do. It never repeats what was sent: no position, no
//! name, no key, no value of a member.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::machine::Refusal;

/// The media type of a problem document (RFC 9457, section 3).
pub const PROBLEM_MEDIA_TYPE: &str = "application/problem+json";

/// What every `type` begins with; the slug of the kind follows.
pub const PROBLEM_TYPE_PREFIX: &str = "urn:hn:problem:";

/// Declares the kinds once: the enum, the list of all, and the exhaustive table.
macro_rules! problem_kinds {
    ($($(#[$doc:meta])* $kind:ident => $status:literal, $slug:literal, $title:literal, $action:literal;)+) => {
        /// Everything that Herald refuses, by kind. The registry behind every problem document.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ProblemKind {
            $(#[doc = $title] $(#[$doc])* $kind,)+
        }

        impl ProblemKind {
            /// Every kind, in the order of the registry.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];

            /// What the registry says about this kind.
            pub const fn spec(self) -> ProblemSpec {
                match self {
                    $(Self::$kind => ProblemSpec { slug: $slug, status: $status, title: $title, action: $action },)+
                }
            }
        }
    };
}

/// One line of the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProblemSpec {
    /// The stable end of `type`: lower case words joined by hyphens.
    pub slug: &'static str,
    /// The HTTP status that goes with it.
    pub status: u16,
    /// What is wrong, in one sentence without a full stop.
    pub title: &'static str,
    /// What to do about it.
    pub action: &'static str,
}

// The order is the order of docs/problems.md: form, statement, keys, who may, state, geometry, transport, server.
problem_kinds! {
    MalformedBody => 400, "malformed-body", "The body is not well-formed", "Correct the body at the place named and send it again.";
    UnknownMember => 400, "unknown-member", "The body has a member that is not defined here", "Remove the member, or update the client.";
    DuplicateMember => 400, "duplicate-member", "A member appears twice", "Send every member once.";
    MissingMember => 400, "missing-member", "A required member is missing", "Add the member.";
    InvalidMember => 400, "invalid-member", "A member has a value that is not accepted", "Correct the member named by the pointer.";
    TooDeep => 400, "too-deep", "The body is nested too deeply", "Flatten the body; nothing that Herald defines needs that depth.";
    InvalidQuery => 400, "invalid-query", "The query string is not accepted", "Correct the parameter that is named; each may be given once.";
    TooLarge => 413, "too-large", "The body is too large", "Send less at once, in several requests.";
    UnsupportedMediaType => 415, "unsupported-media-type", "The media type is not accepted here", "Send the media type that the operation documents.";
    StatementHeader => 400, "statement-header", "The statement's header is not exactly the one required", "Sign with the header {\"alg\":\"Ed25519\",\"typ\":\"hn-<kind>+jwt\",\"kid\":\"<thumbprint>\"} and nothing else.";
    StatementKind => 400, "statement-kind", "The statement's kind is not accepted here", "Send the statement to the operation that takes its kind.";
    BadSignature => 400, "bad-signature", "The signature does not fit the statement", "Sign the exact bytes again with the key that kid names.";
    UnknownKey => 403, "unknown-key", "The signing key is not known here, or no longer counts", "Enrol the device, or renew its key, then sign again.";
    WrongDeployment => 400, "wrong-deployment", "The statement is addressed to another deployment", "Send it to the server that its aud names.";
    WrongContext => 400, "wrong-context", "This is meant for another context", "Use the context that the device was admitted to; a device of one context reads and says nothing in another.";
    WrongMode => 400, "wrong-mode", "An exercise statement met a live context, or the other way round", "Check whether this is the exercise or the live deployment before anything else.";
    Stale => 400, "stale", "The statement is too old to be taken", "Sign it again with the current time.";
    FromTheFuture => 400, "from-the-future", "The statement's time lies ahead of the server's", "Set the device's clock, then sign again.";
    ReusedJti => 409, "reused-jti", "The identifier was used before for other bytes", "Make a new jti; resend only exact bytes under an old one.";
    ReusedRevision => 409, "reused-revision", "This revision exists with other bytes", "Fetch the current revision, and make the next one from it.";
    PrevMismatch => 409, "prev-mismatch", "The revision does not follow the one that is current", "Fetch the current revision, and name its hash in prev.";
    RevisionNotCurrent => 409, "revision-not-current", "The revision is not the current one", "Fetch the current revision and answer that one.";
    AlreadyClosed => 409, "already-closed", "The notification is closed or withdrawn already", "Make a new notification if the place or movement is to be notified again.";
    StateForbids => 409, "state-forbids", "This cannot follow the present state", "Fetch the present state, then decide again.";
    WindowEnded => 409, "window-ended", "The site's notified window has ended", "Revise it with a later window if people are still there, or close it.";
    UnknownNotification => 404, "unknown-notification", "No such notification is known to this device's organisation or party", "Check the reference or nid.";
    UnknownCall => 404, "unknown-call", "No such call for help is known to this device's organisation or party", "Check the reference; `herald queue` lists the calls that are open.";
    UnknownParty => 400, "unknown-party", "A party that was chosen is not admitted to this context", "Choose among the parties listed for the context.";
    PartySuspended => 409, "party-suspended", "A party that was chosen is suspended, and nothing new is handed to it", "Leave it out: it has what it was told until then. Once it is admitted again, name it in the next revision.";
    PartyLeft => 409, "party-left", "A party that was chosen has left the context", "Leave it out: it has what it was told until then, and is told nothing more.";
    PastMoment => 400, "past-moment", "The moment lies in the past", "Give a moment that is still to come, or none at all for at once.";
    AlreadyScreened => 409, "already-screened", "The revision was screened before, and nothing else is said of it now", "Nothing is left to do; name something else that was looked at, or return it with reasons.";
    UnknownField => 400, "unknown-field", "A reason names a field that a notification does not have", "Name one of the fields that are listed, or none for the whole.";
    UnknownReader => 400, "unknown-reader", "A seal is for a key that is no current reader", "Fetch the readers' keys again, compare their roots, and seal again.";
    MissingSeal => 400, "missing-seal", "A seal for a required reader is missing", "Seal the part for every reader that the tier requires.";
    SealDoesNotOpen => 400, "seal-does-not-open", "A seal does not open", "Seal again for the server's current key, with the info that the protocol states.";
    DigestMismatch => 400, "digest-mismatch", "A part does not have the digest that the statement names", "Send the exact disclosure that was signed over.";
    MissingPart => 400, "missing-part", "A required part is missing", "Send every part that the kind requires.";
    CellMismatch => 400, "cell-mismatch", "The cell does not contain the object and its requested buffer", "Make the cell again from the same place and buffer.";
    GeometryInvalid => 400, "geometry-invalid", "The geometry is not acceptable", "Correct the vertex that is named.";
    GeometryOutOfRange => 400, "geometry-out-of-range", "A coordinate is not a number in range", "Give longitude -180 to 180 and latitude -90 to 90, in that order.";
    GeometryCrossesItself => 400, "geometry-crosses-itself", "A ring crosses or touches itself", "Correct the ring at the vertex that is named.";
    GeometryTooWide => 400, "geometry-too-wide", "The geometry spans too much longitude", "Split it into parts of less than 180 degrees.";
    GeometryTooManyVertices => 400, "geometry-too-many-vertices", "The geometry has too many vertices", "Send at most 2,000 vertices; nothing is simplified on your behalf.";
    WindowInvalid => 400, "window-invalid", "The window of time is not acceptable", "Give RFC 3339 times with the end not before the start.";
    MovementInvalid => 400, "movement-invalid", "The movement's waypoints are not acceptable", "Correct the waypoint that is named; times must not run backwards.";
    OutsideCountries => 400, "outside-countries", "The area lies outside the country of this context", "Look at the order of the coordinates; ask again with outside_countries where the area is meant so; treat it as a conflict until then.";
    AttachmentIncomplete => 409, "attachment-incomplete", "An attachment's content has not arrived whole", "Send the rest to /v1/blobs, then the exact bytes of the statement again.";
    AttachmentMismatch => 400, "attachment-mismatch", "What is said of an attachment is not what was sent", "Make the statement again from the contents that were sent, in their order.";
    AttachmentAltered => 400, "attachment-altered", "The content does not have the digest that it was announced with", "Send it again from the beginning; nothing of it was kept.";
    AttachmentOffset => 409, "attachment-offset", "The content does not go on at this offset", "Ask with HEAD how much is there, and go on from there.";
    AttachmentQuota => 409, "attachment-quota", "The organisation's attachments take as much as the policy gives", "Send fewer or smaller files, or ask the coordinator for more.";
    TooManyAttachments => 400, "too-many-attachments", "A revision has more attachments than are taken", "Send at most ten with one revision.";
    Destroyed => 410, "destroyed", "What is asked for was destroyed with its month", "It cannot be had again: the time for which sealed parts are kept has ended. Statements, receipts and digests stay, and still verify.";
    RangeNotSatisfiable => 416, "range-not-satisfiable", "The range lies behind the end of the content", "Ask for a range within it.";
    UnknownItem => 400, "unknown-item", "An item names a statement that was not delivered to this desk", "Acknowledge only what the stream delivered.";
    NotNotifiedToParty => 400, "not-notified-to-party", "The revision that is named was not notified to this party", "Name a party that the notification names, and the revision that names it.";
    TierMismatch => 400, "tier-mismatch", "What a package is said to disclose is not what the party sees of the revision", "Make the package again from the revision that is named.";
    LetterMissing => 400, "letter-missing", "An acknowledgement is transcribed without its letter", "Send the letter's content first, and name it as attachment.1 and in blobs, sealed to the coordinator and the organisation.";
    LetterUnexpected => 400, "letter-unexpected", "An acknowledgement that the party signs itself has no letter", "Leave the letter out; what the party signs needs none.";
    PartySpokeItself => 409, "party-spoke-itself", "The party has signed its own word on this revision", "Nothing is transcribed over it; the party's desk says what has changed.";
    Superseded => 409, "superseded", "A newer revision replaced the one that is named", "Read the newer revision and answer that one.";
    ReplyTimeInvalid => 400, "reply-time-invalid", "The time for a reply lies in the past, or too far ahead", "Give a time after now and at most 30 days ahead.";
    AskNeedsMovement => 400, "ask-needs-movement", "Only a movement can be asked to wait or to take another way", "Ask to clarify, or name a movement.";
    NothingToReplyTo => 404, "nothing-to-reply-to", "No query or warning on this revision has the hash that is named", "Name the hash of the acknowledgement that asks, or of the warning, as the stream delivered it.";
    ReplyToAnotherParty => 400, "reply-to-another-party", "It was another party that asked or warned", "Address the reply to the party whose statement it names.";
    AmendmentUnknown => 409, "amendment-unknown", "The revision named as the amendment does not exist, or is not later than the one asked about", "Notify the amendment first, then name its revision.";
    NudgeAddress => 400, "nudge-address", "The address is not one that a nudge can be sent to", "Give an e-mail address in plain ASCII (name@host.example), or a telephone number in international form.";
    NudgeCover => 409, "nudge-cover", "The person named as cover cannot stand in", "Name an active device of your own organisation or party that has nudges set and is not away itself.";
    NudgeLeave => 400, "nudge-leave", "The end of the leave is not acceptable", "Give a time after now and at most a year ahead.";
    NudgeNowhere => 409, "nudge-nowhere", "No address is set for nudges", "Set an address and at least one severity first.";
    NudgesOff => 409, "nudges-off", "This server sends no nudges by that way", "Ask its operator, or choose the other way.";
    CertificateMissing => 401, "certificate-missing", "The operation needs a client certificate", "Enrol this device, then connect with its certificate.";
    CertificateUnknown => 401, "certificate-unknown", "The client certificate belongs to no enrolled device", "Enrol this device again.";
    CertificateRevoked => 401, "certificate-revoked", "The client certificate was revoked", "Ask the coordinator for a new invite.";
    CertificateKeyMismatch => 403, "certificate-key-mismatch", "Certificate and signing key belong to different organisations", "Send with a device of the organisation that signed, or through the coordinator.";
    NotAllowed => 403, "not-allowed", "The role of this device does not include this", "Ask someone whose role includes it.";
    NotAdmitted => 403, "not-admitted", "The organisation or party is not admitted to this context", "Ask the coordinator.";
    Suspended => 403, "suspended", "The admission of this organisation or party is suspended", "Call the coordinator. What was told until then stays; nothing new is handed over, and an unanswered check is to be treated as a conflict.";
    Left => 403, "left", "This party has left the context", "Call the coordinator. To take part again it enrols anew, under another name; an unanswered check is to be treated as a conflict.";
    InviteUnknown => 403, "invite-unknown", "The invite is not known here", "Check the code, or ask for a new invite.";
    InviteUsed => 403, "invite-used", "The invite was used already", "If that was not you, tell the coordinator at once; otherwise ask for a new invite.";
    InviteExpired => 403, "invite-expired", "The invite has expired", "Ask for a new invite.";
    EnrolmentInvalid => 400, "enrolment-invalid", "The enrolment's keys or certificate request are not acceptable", "Enrol again with the current client.";
    NotFound => 404, "not-found", "Nothing is found here for this device", "Check the path and the identifier.";
    MethodNotAllowed => 405, "method-not-allowed", "The method is not defined for this path", "Use a method that the operation documents.";
    SubprotocolMissing => 400, "subprotocol-missing", "The stream needs a WebSocket handshake with the subprotocol hn.v1", "Offer hn.v1 in Sec-WebSocket-Protocol.";
    RequestTooSlow => 408, "request-too-slow", "The body arrived too slowly", "Send again; send less at once on a weak link.";
    RateLimited => 429, "rate-limited", "Too many requests from this device or address", "Wait for the seconds in retry_after_s, then send again.";
    Overloaded => 503, "overloaded", "The server has more requests than it can answer", "Wait for the seconds in retry_after_s, then send again; treat an unanswered check as a conflict.";
    Timeout => 503, "timeout", "No answer was ready in time", "Send the exact bytes again; treat an unanswered check as a conflict.";
    DatabaseUnavailable => 503, "database-unavailable", "The database cannot be reached", "Send the exact bytes again later; treat an unanswered check as a conflict.";
    NotReady => 503, "not-ready", "The server is starting or stopping", "Send the exact bytes again later; treat an unanswered check as a conflict.";
    Internal => 500, "internal", "The server failed", "Send the exact bytes again; give the operator the request_id if it persists; treat an unanswered check as a conflict.";
}

impl ProblemKind {
    /// The `type` member: `urn:hn:problem:<slug>`.
    pub fn type_uri(self) -> String {
        format!("{PROBLEM_TYPE_PREFIX}{}", self.spec().slug)
    }

    /// The kind that a `type` member names; `None` for one that this version does not know.
    pub fn from_type_uri(type_uri: &str) -> Option<Self> {
        let slug = type_uri.strip_prefix(PROBLEM_TYPE_PREFIX)?;
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.spec().slug == slug)
    }
}

/// The members of a problem document. Unknown members are ignored on reading, as RFC 9457 asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// `urn:hn:problem:<slug>`; stable.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// What is wrong in general.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong here, without repeating what was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Where: a JSON pointer (RFC 6901) into the body or the part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Where: the line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Where: the column, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
    /// Where: the index of the vertex or waypoint, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vertex: Option<u64>,
    /// What to do.
    pub action: String,
    /// Names the request in the server's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Seconds to wait before the next try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
}

/// A refusal: what, where, why, and what to do. Small enough to be an `Err`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Problem(Box<ProblemBody>);

impl Problem {
    /// A problem of `kind`, with the registry's title, status and action.
    pub fn new(kind: ProblemKind) -> Self {
        let spec = kind.spec();
        Self(Box::new(ProblemBody {
            type_uri: kind.type_uri(),
            title: spec.title.to_owned(),
            status: spec.status,
            detail: None,
            pointer: None,
            line: None,
            column: None,
            vertex: None,
            action: spec.action.to_owned(),
            request_id: None,
            retry_after_s: None,
        }))
    }

    /// Says what is wrong here. Must not repeat a position, a name, a key or any other value that was sent.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Says where: a JSON pointer (RFC 6901).
    #[must_use]
    pub fn pointer(mut self, pointer: impl Into<String>) -> Self {
        self.0.pointer = Some(pointer.into());
        self
    }

    /// Says where: line and column, both from 1.
    #[must_use]
    pub fn at(mut self, line: u64, column: u64) -> Self {
        self.0.line = Some(line);
        self.0.column = Some(column);
        self
    }

    /// Says where: the index of a vertex or waypoint, from 0.
    #[must_use]
    pub fn vertex(mut self, index: u64) -> Self {
        self.0.vertex = Some(index);
        self
    }

    /// Says what to do, where the registry's word is too general.
    #[must_use]
    pub fn action(mut self, action: impl Into<String>) -> Self {
        self.0.action = action.into();
        self
    }

    /// Says how long to wait before the next try, in seconds.
    #[must_use]
    pub fn retry_after_s(mut self, seconds: u64) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }

    /// Names the request.
    #[must_use]
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.0.request_id = Some(id.into());
        self
    }

    /// The kind; `None` for a type that a newer server made up.
    pub fn kind(&self) -> Option<ProblemKind> {
        ProblemKind::from_type_uri(&self.0.type_uri)
    }

    /// The members.
    pub fn body(&self) -> &ProblemBody {
        &self.0
    }
}

impl From<Refusal> for ProblemKind {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::AlreadyClosed => Self::AlreadyClosed,
            Refusal::UnknownNotification => Self::UnknownNotification,
            Refusal::UnknownItem => Self::UnknownItem,
            Refusal::UnknownCall => Self::UnknownCall,
            Refusal::NothingToReplyTo => Self::NothingToReplyTo,
            Refusal::Superseded => Self::Superseded,
            Refusal::ReusedRevision => Self::ReusedRevision,
            Refusal::NotFound => Self::NotFound,
            Refusal::EnrolmentInvalid => Self::EnrolmentInvalid,
            Refusal::Left => Self::Left,
            Refusal::WindowEnded => Self::WindowEnded,
            Refusal::StateForbids => Self::StateForbids,
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.into())
    }
}

impl From<ProblemKind> for Problem {
    fn from(kind: ProblemKind) -> Self {
        Self::new(kind)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = self.body();
        f.write_str(&body.title)?;
        if let Some(detail) = &body.detail {
            write!(f, ": {detail}")?;
        }
        if let Some(pointer) = &body.pointer {
            write!(f, ", at {pointer}")?;
        }
        if let Some(line) = body.line {
            write!(f, ", line {line}")?;
        }
        if let Some(column) = body.column {
            write!(f, ", column {column}")?;
        }
        if let Some(vertex) = body.vertex {
            write!(f, ", vertex {vertex}")?;
        }
        write!(f, ". {}", body.action)
    }
}

impl std::error::Error for Problem {}

/// `docs/problems.md`, generated from the registry.
pub fn problems_markdown() -> String {
    let mut out = String::from(
        "# Problems\n\n\
         Generated from `src/wire/problem.rs`; a test compares the two (`HERALD_BLESS=1 cargo test --lib wire::problem` writes it anew).\n\n\
         Every refusal is a problem document (RFC 9457, `application/problem+json`) with `type`, `title`, `status` and `action`, and where they apply\n\
         `detail`, `pointer` (JSON pointer), `line`, `column`, `vertex` (index from 0), `request_id` and `retry_after_s`. No refusal repeats what was sent.\n\n\
         | `type` | status | what is wrong | what to do |\n|---|---|---|---|\n",
    );
    let rows = ProblemKind::ALL.iter().map(|kind| {
        let spec = kind.spec();
        [
            &kind.type_uri(),
            "` | ",
            &spec.status.to_string(),
            " | ",
            spec.title,
            " | ",
            spec.action,
        ]
        .concat()
    });
    for row in rows {
        out.push_str("| `");
        out.push_str(&row);
        out.push_str(" |\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_document_lists_exactly_the_registry() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/problems.md");
        if std::env::var_os("HERALD_BLESS").is_some() {
            std::fs::write(path, problems_markdown()).expect("docs is writable");
        }
        let written = std::fs::read_to_string(path).expect("docs/problems.md exists");
        assert_eq!(written, problems_markdown(), "run with HERALD_BLESS=1");
    }

    #[test]
    fn what_a_state_refuses_is_the_problem_of_that_name() {
        for refusal in Refusal::ALL {
            assert_eq!(ProblemKind::from(*refusal).spec().slug, refusal.as_str());
        }
    }

    #[test]
    fn every_kind_has_a_slug_of_its_own_and_is_found_by_its_type() {
        let slugs: HashSet<_> = ProblemKind::ALL.iter().map(|k| k.spec().slug).collect();
        assert_eq!(slugs.len(), ProblemKind::ALL.len());
        for kind in ProblemKind::ALL {
            assert_eq!(ProblemKind::from_type_uri(&kind.type_uri()), Some(*kind));
            let spec = kind.spec();
            assert!((400..600).contains(&spec.status), "{}", spec.slug);
            assert!(
                spec.action.ends_with('.') && !spec.title.ends_with('.'),
                "{}",
                spec.slug
            );
            assert!(
                spec.slug
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c == '-'),
                "{}",
                spec.slug
            );
        }
    }

    #[test]
    fn no_word_of_the_registry_reads_as_permission_or_protection() {
        for kind in ProblemKind::ALL {
            let spec = kind.spec();
            let text = format!("{} {}", spec.title, spec.action).to_lowercase();
            for word in [
                "approved",
                "cleared",
                "guarantee",
                "verified",
                "safe",
                "protected",
                "permission",
            ] {
                assert!(!text.contains(word), "{}: {word}", spec.slug);
            }
        }
    }

    #[test]
    fn every_failure_to_answer_says_to_treat_a_check_as_a_conflict() {
        for kind in ProblemKind::ALL {
            let spec = kind.spec();
            if spec.status >= 500 {
                assert!(spec.action.contains("conflict"), "{}", spec.slug);
            }
        }
    }

    #[test]
    fn a_problem_survives_the_wire_and_ignores_members_from_the_future() {
        let problem = Problem::new(ProblemKind::GeometryCrossesItself)
            .pointer("/geometry")
            .vertex(3)
            .at(1, 9);
        let mut value = serde_json::to_value(&problem).expect("serialises");
        value["new_member"] = serde_json::json!(1);
        let back: Problem = serde_json::from_value(value).expect("parses");
        assert_eq!(back, problem);
        assert_eq!(back.kind(), Some(ProblemKind::GeometryCrossesItself));
    }
}
