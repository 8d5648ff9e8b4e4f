//! Who takes part: coordinators, organisations, parties, auditors and operators, and the roles of their devices.

use super::words;

words!(
    /// What an actor is in a context.
    ActorKind {
        /// The office that admits organisations and parties and screens notifications.
        Coordinator = "coordinator",
        /// A humanitarian actor; notifies.
        Organisation = "organisation",
        /// A party to the conflict; receives, acknowledges, checks.
        Party = "party",
        /// Sees the log and statistics; never live places.
        Auditor = "auditor",
        /// Runs the machine; sees no content through the software.
        Operator = "operator",
        /// The deployment itself, which signs receipts and answers.
        Server = "server",
    }
);

words!(
    /// What a device may do for its actor.
    Role {
        /// Admits, invites, screens, sets policy, transcribes.
        Coordinator = "coordinator",
        /// Notifies, revises, withdraws, closes, signs as a second person.
        Organisation = "organisation",
        /// Receives and acknowledges for a party; may also check.
        PartyDesk = "party-desk",
        /// Asks whether an area holds notified places or movements.
        PartyPlanner = "party-planner",
        /// Reads the log and statistics.
        Auditor = "auditor",
        /// Reads the machine's state.
        Operator = "operator",
        /// A node of the deployment.
        Node = "node",
    }
);

impl Role {
    /// The kind of actor whose devices may bear this role.
    pub const fn actor_kind(self) -> ActorKind {
        match self {
            Self::Coordinator => ActorKind::Coordinator,
            Self::Organisation => ActorKind::Organisation,
            Self::PartyDesk | Self::PartyPlanner => ActorKind::Party,
            Self::Auditor => ActorKind::Auditor,
            Self::Operator => ActorKind::Operator,
            Self::Node => ActorKind::Server,
        }
    }
}

words!(
    /// Where an actor stands in its context.
    ActorState {
        /// Invited; no device has enrolled.
        Invited = "invited",
        /// Its root is known; the coordinator has not yet compared its fingerprint.
        Enrolled = "enrolled",
        /// The coordinator compared the fingerprint and admitted it.
        Admitted = "admitted",
        /// Admission is suspended: it may read what it has, and say nothing new but withdrawals and acknowledgements. To a
        /// party nothing new is delivered.
        Suspended = "suspended",
        /// A party that has left the context, for good: it would have to enrol anew, under another name.
        Left = "left",
    }
);

impl ActorState {
    /// Whether nothing new is handed to an actor of this kind that stands here. An organisation whose admission is
    /// suspended still hears what is said of what it notified.
    pub const fn holds_back(self, kind: ActorKind) -> bool {
        matches!(self, Self::Suspended | Self::Left) && matches!(kind, ActorKind::Party)
    }
}

words!(
    /// Where a device stands.
    DeviceState {
        /// Enrolled, and not yet named in a `keys` statement of its actor's root.
        Pending = "pending",
        /// Named by its root; may speak.
        Active = "active",
        /// Taken back; nothing it says counts from then on.
        Revoked = "revoked",
    }
);

words!(
    /// Whether this is the world or a drill. In the signed bytes of every statement.
    Mode {
        /// Real.
        Live = "live",
        /// A drill; never meets live data.
        Exercise = "exercise",
    }
);
