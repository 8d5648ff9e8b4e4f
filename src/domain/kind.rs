//! The kinds of statement. Everything that anyone says is one of these.

use super::words;

words!(
    /// A statement's kind; its `typ` is `hn-<kind>+jwt`.
    Kind {
        /// An actor's root names its devices and its desk's key.
        Keys = "keys",
        /// A device renews its own keys, signed with the old one.
        Renew = "renew",
        /// The coordinator states the context's policy.
        Policy = "policy",
        /// The coordinator admits an actor whose root's fingerprint it compared.
        Admit = "admit",
        /// The coordinator invites a person of an actor to enrol a device.
        Invite = "invite",
        /// A device is taken back.
        Revoke = "revoke",
        /// An actor registers its own 24/7 duty number.
        Duty = "duty",
        /// A site is notified, or revised.
        Site = "site",
        /// A movement is notified, or revised.
        Movement = "movement",
        /// A notification is withdrawn by its organisation.
        Withdraw = "withdraw",
        /// A notification is closed by its organisation: arrived, completed.
        Close = "close",
        /// The coordinator screens a revision, or returns it.
        Screen = "screen",
        /// A second person of the organisation signs a revision.
        Cosign = "cosign",
        /// A party acknowledges revisions of one organisation.
        Ack = "ack",
        /// The coordinator relayed what is notified to a party by other means.
        Relay = "relay",
        /// A party warns an organisation about a revision.
        Warn = "warn",
        /// An organisation replies to a query or a warning.
        Reply = "reply",
        /// An organisation says how far a movement is.
        Progress = "progress",
        /// An organisation confirms that a site stands as it was notified.
        Confirm = "confirm",
        /// An organisation calls for help.
        Distress = "distress",
        /// A party or the coordinator answers a distress call.
        Respond = "respond",
        /// The organisation ends a distress call, with its outcome.
        Resolve = "resolve",
        /// An officer leaves a note to the next of the same actor.
        Handover = "handover",
        /// A party's planner asks about an area and a window.
        Check = "check",
        /// The server: a statement is stored at a position.
        Receipt = "receipt",
        /// The server answers a check.
        Answer = "answer",
        /// The server says what it noticed, for example that a position was entered elsewhere.
        Notice = "notice",
        /// The server says what time has brought: a word that is overdue, a movement that is silent.
        Alert = "alert",
    }
);

impl Kind {
    /// The `typ` of the statement's header.
    pub fn typ(self) -> String {
        format!("hn-{}+jwt", self.as_str())
    }

    /// The kind of a `typ`, if it is one of ours.
    pub fn from_typ(typ: &str) -> Option<Self> {
        typ.strip_prefix("hn-")?.strip_suffix("+jwt")?.parse().ok()
    }

    /// Whether a statement of this kind is a revision of a notification; others about one only name a revision.
    pub const fn is_revision(self) -> bool {
        matches!(
            self,
            Self::Site | Self::Movement | Self::Withdraw | Self::Close
        )
    }

    /// Whether statements of this kind call for help, answer a call, or end one: these wait for nothing else.
    pub const fn is_call(self) -> bool {
        matches!(self, Self::Distress | Self::Respond | Self::Resolve)
    }

    /// Whether statements of this kind take a position in the log. Checks and answers are kept under a private root,
    /// so that the public log shows no tempo; a receipt only points at a position.
    pub const fn takes_position(self) -> bool {
        !matches!(self, Self::Check | Self::Answer | Self::Receipt)
    }
}
