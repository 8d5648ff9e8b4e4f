//! Why a key or a statement is not believed, in words that name whose it is and what to do; apart from the rules so that
//! both can be read on a page.

use crate::crypto::digest::Kid;
use crate::crypto::statement::StatementError;
use crate::domain::ids::{ActorId, DeviceId, Issuer};
use crate::domain::kind::Kind;
use crate::wire::read::ReadError;

/// Why a key or a statement is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Not a statement of ours.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A statement of an actor in the directory is malformed.
    #[error("the {what} of {actor} cannot be read: {source}")]
    Malformed {
        /// Whose.
        actor: ActorId,
        /// Which statement.
        what: &'static str,
        /// Why.
        source: ReadError,
    },
    /// Another root signed than the one pinned or admitted.
    #[error(
        "the keys of {actor} are signed by the root {given}, but {pinned} is the root that was compared for it: nothing is sealed to {actor} and nothing of it is believed; call the coordinator on a number that you know, and compare the fingerprints"
    )]
    OtherRoot {
        /// Whose keys.
        actor: ActorId,
        /// The root that counts.
        pinned: Kid,
        /// The root that signed.
        given: Kid,
    },
    /// A signature does not fit.
    #[error("the statement of {iss} is not believed: {source}")]
    Signature {
        /// Who is said to have signed.
        iss: Issuer,
        /// Why.
        source: StatementError,
    },
    /// Made for another deployment, context or mode.
    #[error("the statement of {iss} was made for another {what}")]
    Elsewhere {
        /// Who signed.
        iss: Issuer,
        /// What differs.
        what: &'static str,
    },
    /// A statement in the directory speaks of another actor, or is of another kind.
    #[error("the directory lists under {actor} a statement that is not its {what}")]
    Misplaced {
        /// Under whom.
        actor: ActorId,
        /// What was expected.
        what: &'static str,
    },
    /// The coordinator has not admitted this actor.
    #[error(
        "{actor} has not been admitted by the coordinator: nothing is sealed to it yet; ask the coordinator"
    )]
    NotAdmitted {
        /// Whom.
        actor: ActorId,
    },
    /// The party is suspended, or has left.
    #[error(
        "{actor} {}: it has what it was told until then, and nothing new is handed to it; leave it out, and ask the coordinator",
        if *left { "has left this context" } else { "is suspended" }
    )]
    HeldBack {
        /// Whom.
        actor: ActorId,
        /// For good.
        left: bool,
    },
    /// Nobody stands under the pinned coordinator root.
    #[error(
        "the directory holds no coordinator under the pinned root {pinned}; call the coordinator before anything else is sent"
    )]
    NoCoordinator {
        /// The pinned root.
        pinned: Kid,
    },
    /// Not in the directory.
    #[error("{actor} is not known in this context; check the name")]
    UnknownActor {
        /// Whom.
        actor: ActorId,
    },
    /// No key of that name under the actor's root.
    #[error(
        "the key that signed for {iss} does not stand under its root; fetch the keys again, and if it stays so, tell the coordinator"
    )]
    UnknownKey {
        /// Who is said to have signed.
        iss: Issuer,
    },
    /// The signer's role may not say this.
    #[error("a `{kind}` is not for {iss} to say")]
    NotItsWord {
        /// Who signed.
        iss: Issuer,
        /// What.
        kind: Kind,
    },
    /// A device is named twice.
    #[error("the keys of {actor} name the device {device} twice")]
    DeviceTwice {
        /// Whose.
        actor: ActorId,
        /// Which.
        device: DeviceId,
    },
    /// Earlier keys, renewals or revocations beyond their bound.
    #[error("the directory lists more than {limit} statements of one kind under {actor}")]
    TooMany {
        /// Under whom.
        actor: ActorId,
        /// The bound.
        limit: usize,
    },
    /// The directory is older than one seen before.
    #[error(
        "the server shows older keys of {actor} than it showed before, or has dropped them: nothing is sent; tell the coordinator"
    )]
    RolledBack {
        /// Whose.
        actor: ActorId,
    },
    /// A receipt for something else.
    #[error(
        "the receipt is for another statement; send the exact bytes again and keep both receipts"
    )]
    ReceiptOfAnother,
    /// Another kind than expected.
    #[error("a `{expected}` was expected here, and a `{found}` came")]
    OtherKind {
        /// What was expected.
        expected: Kind,
        /// What came.
        found: Kind,
    },
}
