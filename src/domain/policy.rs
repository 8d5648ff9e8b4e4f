//! Who may say what: one table of kind × role, and one of API operation × access. A test walks both and fails when a
//! kind or an operation is missing.

use super::actor::Role;
use super::kind::Kind;

/// Who may sign a statement of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signer {
    /// An actor's offline root, speaking for that actor.
    Root,
    /// An active device in one of these roles, of an actor that is at least enrolled.
    Enrolled(&'static [Role]),
    /// An active device in one of these roles, of an actor that the coordinator admitted.
    Admitted(&'static [Role]),
    /// As `Admitted`, also of an actor whose admission is suspended: taking something back is never refused.
    AdmittedOrSuspended(&'static [Role]),
    /// A node of the server; nobody submits these.
    Server,
}

const ANY: &[Role] = &[
    Role::Coordinator,
    Role::Organisation,
    Role::PartyDesk,
    Role::PartyPlanner,
    Role::Auditor,
    Role::Operator,
];
const COORDINATOR: &[Role] = &[Role::Coordinator];
const ORGANISATION: &[Role] = &[Role::Organisation];
const DESKS: &[Role] = &[Role::Coordinator, Role::Organisation, Role::PartyDesk];
const ANSWERING: &[Role] = &[Role::Coordinator, Role::PartyDesk];
/// Who sends contents: of attachments, and of letters that are transcribed.
const SENDING: &[Role] = &[Role::Coordinator, Role::Organisation];
const PARTY_DESK: &[Role] = &[Role::PartyDesk];
const PARTY: &[Role] = &[Role::PartyDesk, Role::PartyPlanner];

/// Who may sign this kind. What it may speak of (its own notifications, revisions delivered to it) is decided where the
/// statement is applied; the state it needs stands in `docs/protocol.md`.
pub const fn signer(kind: Kind) -> Signer {
    match kind {
        Kind::Keys => Signer::Root,
        Kind::Renew => Signer::Enrolled(ANY),
        Kind::Policy | Kind::Admit | Kind::Invite | Kind::Screen | Kind::Relay => {
            Signer::Admitted(COORDINATOR)
        }
        Kind::Revoke | Kind::Duty => Signer::Enrolled(DESKS),
        Kind::Site | Kind::Movement | Kind::Cosign => Signer::Admitted(ORGANISATION),
        Kind::Withdraw | Kind::Close => Signer::AdmittedOrSuspended(ORGANISATION),
        Kind::Ack | Kind::Warn => Signer::AdmittedOrSuspended(PARTY_DESK),
        // People are in danger: neither a suspension nor anything else keeps their call back.
        Kind::Distress | Kind::Resolve | Kind::Reply | Kind::Progress | Kind::Confirm => {
            Signer::AdmittedOrSuspended(ORGANISATION)
        }
        Kind::Respond => Signer::AdmittedOrSuspended(ANSWERING),
        Kind::Handover => Signer::AdmittedOrSuspended(DESKS),
        Kind::Check => Signer::Admitted(PARTY),
        Kind::Receipt | Kind::Answer | Kind::Notice | Kind::Alert => Signer::Server,
    }
}

/// Whether a device in this role may sign this kind at all: for itself, or, as the coordinator, on behalf of an organisation
/// that cannot yet sign for itself, or from the letter of a party.
pub fn may_sign(kind: Kind, role: Role, on_behalf: bool) -> bool {
    if on_behalf {
        return role == Role::Coordinator
            && matches!(
                kind,
                Kind::Site
                    | Kind::Movement
                    | Kind::Withdraw
                    | Kind::Close
                    | Kind::Progress
                    | Kind::Confirm
                    | Kind::Reply
                    | Kind::Ack
            );
    }
    match signer(kind) {
        Signer::Root => false,
        Signer::Server => role == Role::Node,
        Signer::Enrolled(roles) | Signer::Admitted(roles) | Signer::AdmittedOrSuspended(roles) => {
            roles.contains(&role)
        }
    }
}

/// Who may call an API operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone, without a certificate.
    Open,
    /// Any device whose certificate is known and not revoked, pending ones included.
    AnyDevice,
    /// As `AnyDevice`, also with the certificate from before the last renewal, whose answer may have been lost.
    Renewing,
    /// An active device in one of these roles.
    Roles(&'static [Role]),
}

/// Every API operation: method, path template, access.
pub const OPERATIONS: &[(&str, &str, Access)] = &[
    ("POST", "/v1/enrol", Access::Open),
    ("GET", "/v1/keys", Access::Open),
    ("GET", "/v1/policy", Access::Open),
    ("GET", "/openapi.json", Access::Open),
    ("POST", "/v1/renew", Access::Renewing),
    ("GET", "/v1/devices", Access::AnyDevice),
    ("GET", "/v1/me", Access::AnyDevice),
    ("POST", "/v1/statements", Access::AnyDevice),
    ("POST", "/v1/statements/bulk", Access::AnyDevice),
    ("GET", "/v1/events", Access::Roles(DESKS)),
    ("GET", "/v1/events/{seq}", Access::Roles(DESKS)),
    ("PUT", "/v1/cursor", Access::Roles(DESKS)),
    ("GET", "/v1/stream", Access::Roles(DESKS)),
    ("PUT", "/v1/blobs/{digest}", Access::Roles(SENDING)),
    ("GET", "/v1/blobs/{digest}", Access::Roles(DESKS)),
    ("GET", "/v1/notifications", Access::Roles(DESKS)),
    ("GET", "/v1/notifications/{id}", Access::Roles(DESKS)),
    ("GET", "/v1/queue", Access::Roles(DESKS)),
    ("GET", "/v1/changes", Access::Roles(DESKS)),
    ("PUT", "/v1/look", Access::Roles(DESKS)),
    ("GET", "/v1/silence", Access::Roles(DESKS)),
    ("GET", "/v1/distress", Access::Roles(DESKS)),
    ("POST", "/v1/distress", Access::AnyDevice),
    ("GET", "/v1/threads", Access::Roles(DESKS)),
    ("GET", "/v1/nudge", Access::Roles(DESKS)),
    ("PUT", "/v1/nudge", Access::Roles(DESKS)),
    ("DELETE", "/v1/nudge", Access::Roles(DESKS)),
    ("POST", "/v1/nudge/test", Access::Roles(DESKS)),
    ("POST", "/v1/checks", Access::Roles(PARTY)),
    (
        "GET",
        "/v1/statistics",
        Access::Roles(&[Role::Coordinator, Role::Auditor, Role::Operator]),
    ),
];

/// The access of an operation, by method and path template.
pub fn access(method: &str, template: &str) -> Option<Access> {
    OPERATIONS
        .iter()
        .find(|(m, t, _)| *m == method && *t == template)
        .map(|(_, _, access)| *access)
}
