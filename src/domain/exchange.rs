//! What organisations and parties say to one another about a notification after it was delivered: questions, warnings,
//! replies, how far a movement is, calls for help. None of it permits anything, and none of it changes what is protected.

use super::words;

words!(
    /// What a party asks for in a query.
    Ask {
        /// That something be explained.
        Clarify = "clarify",
        /// That a movement wait.
        Delay = "delay",
        /// That a movement take another way.
        Reroute = "reroute",
    }
);

words!(
    /// How an organisation replies.
    Answer {
        /// It explains.
        Explained = "explained",
        /// It has amended the notification, in the revision named.
        Amended = "amended",
        /// It does as it was asked.
        Accepted = "accepted",
        /// It does not.
        Declined = "declined",
    }
);

words!(
    /// Where a query or a warning stands.
    ThreadState {
        /// No reply yet.
        Open = "open",
        /// No reply yet, and the time for it has passed.
        Overdue = "overdue",
        /// Replied to.
        Replied = "replied",
    }
);

words!(
    /// What opens a thread.
    ThreadKind {
        /// A query.
        Query = "query",
        /// A warning.
        Warning = "warning",
    }
);

words!(
    /// How far a movement is.
    Step {
        /// It has left a waypoint, the first if none is named.
        Departed = "departed",
        /// It is at a waypoint.
        AtWaypoint = "at_waypoint",
        /// What remains of it is later than notified.
        Delayed = "delayed",
    }
);

words!(
    /// Where a distress call stands.
    DistressState {
        /// Nobody has answered.
        Open = "open",
        /// A named officer has answered.
        Answered = "answered",
        /// The organisation has ended it.
        Resolved = "resolved",
    }
);

words!(
    /// How a distress call ended.
    DistressOutcome {
        /// Help came, or the danger has passed.
        Safe = "safe",
        /// There are dead or injured.
        Casualties = "casualties",
        /// It was called by mistake.
        Mistake = "mistake",
        /// It goes on by other means.
        HandedOver = "handed_over",
    }
);

words!(
    /// What time has brought, in the sealed detail of an alert.
    AlertEvent {
        /// A part of the lead time has passed without an officer's word.
        AcknowledgementOverdue = "acknowledgement_overdue",
        /// The window begins, and no officer has said a word.
        NoAcknowledgement = "no_acknowledgement",
        /// A movement has said nothing by its latest arrival.
        NoSignOfLife = "no_sign_of_life",
        /// A site should be confirmed again.
        ReconfirmationDue = "reconfirmation_due",
        /// A site was not confirmed again in time. It stays in every list and check.
        ReconfirmationOverdue = "reconfirmation_overdue",
        /// A query or a warning has not been replied to in time.
        ReplyOverdue = "reply_overdue",
        /// A distress call is unanswered for another minute.
        DistressUnanswered = "distress_unanswered",
    }
);

/// The sentence that stands in every warning.
pub const WARNING_SENTENCE: &str = "This is what a party alleges. This system determines no status: whoever and whatever is protected under the law stays so.";

/// The sentence that stands in every alert about silence.
pub const SILENCE_SENTENCE: &str = "Silence changes no one's protection. An acknowledgement is not approval and confers no access, and its absence takes nothing away.";

/// The sentence that stands in every distress call.
pub const DISTRESS_SENTENCE: &str =
    "This system is no emergency service. It carries the call; call the duty numbers too.";

/// How late a movement may say that it is, in one statement: a week.
pub const MAX_DELAY_S: u32 = 7 * 86_400;

/// Minutes between the steps up the contacts while nobody answers a distress call.
pub const DISTRESS_STEP_MINUTES: i64 = 1;

/// Steps up the contacts; after the last, everybody who can be told was told.
pub const DISTRESS_STEPS: u32 = 15;
