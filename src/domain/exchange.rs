//! What organisations and parties say to one another about a notification after it was delivered: questions, warnings,
//! replies, how far a movement is, calls for help. None of it permits anything, and none of it changes what is protected.

use time::{Duration, OffsetDateTime};

use super::machine::{THREAD, ThreadEvent};
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

impl ThreadState {
    /// Where a thread stands at a moment.
    pub fn at(replied: bool, due: Option<OffsetDateTime>, now: OffsetDateTime) -> Self {
        let events = [
            Some(ThreadEvent::Open),
            due.filter(|due| *due < now)
                .map(|_| ThreadEvent::TimePasses),
            replied.then_some(ThreadEvent::Reply),
        ];
        let events = events.into_iter().flatten();
        let end = events.fold(None, |from, event| {
            THREAD.next(from, event).ok().map(|step| step.to)
        });
        end.unwrap_or(Self::Open)
    }
}

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
    /// By what means the coordinator relayed a package to a party that has no device.
    Means {
        /// By e-mail.
        Email = "email",
        /// From hand to hand.
        Hand = "hand",
        /// By a courier.
        Courier = "courier",
        /// Otherwise.
        Other = "other",
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
        Over = "over",
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
        /// A site's notified window ends soon.
        WindowEnding = "window_ending",
        /// A site's notified window has ended: it is not notified for times after.
        WindowEnded = "window_ended",
        /// The time after that end is over too: no longer notified, civilian status unchanged.
        ClosedByTime = "closed_by_time",
        /// A query or a warning has not been replied to in time.
        ReplyOverdue = "reply_overdue",
        /// A distress call is unanswered for another minute.
        DistressUnanswered = "distress_unanswered",
        /// The time is over for which a month's sealed parts are kept, and nothing holds them: they are destroyed.
        RetentionEnded = "retention_ended",
        /// A party's admission is suspended from now on.
        PartySuspended = "party_suspended",
        /// A party has left the context.
        PartyLeft = "party_left",
    }
);

/// The sentence that stands in every warning.
pub const WARNING_SENTENCE: &str = "This is what a party alleges. This system determines no status: whoever and whatever is protected under the law stays so.";

/// The sentence that stands in every alert about silence.
pub const SILENCE_SENTENCE: &str = "Silence changes no one's protection. An acknowledgement is not approval and confers no access, and its absence takes nothing away.";

/// The sentence that stands in every alert about a month that is destroyed.
pub const RETENTION_SENTENCE: &str = "What was sealed in this month is destroyed: parts and attachments, for everybody. Statements, receipts and digests stay and still verify. This changes no one's protection.";

/// The sentence that stands where a party is suspended or has left.
pub const STANDING_SENTENCE: &str = "It has what it was told until then, and nothing new is handed to it. This changes no one's protection.";

/// The sentence that stands in every alert about a window that ends soon.
pub const WINDOW_ENDING_SENTENCE: &str = "If people are still there, revise it with a later window; if not, close it. Whoever and whatever is protected under the law stays so, with a notification and without.";

/// The sentence that stands in every alert about a window that has ended.
pub const WINDOW_ENDED_SENTENCE: &str = "Not notified for times after the end of this window. Civilian status unchanged: the end of a window says nothing of who is there now, and changes no one's protection.";

/// The sentence that stands in every alert about a notification that is closed by time.
pub const CLOSED_BY_TIME_SENTENCE: &str = "No longer notified; civilian status unchanged. No later window was notified in the time for it: that says nothing of who is there now, and changes no one's protection.";

impl AlertEvent {
    /// The sentence that stands in every alert of this event.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::AcknowledgementOverdue
            | Self::NoAcknowledgement
            | Self::NoSignOfLife
            | Self::ReconfirmationDue
            | Self::ReconfirmationOverdue
            | Self::ReplyOverdue => SILENCE_SENTENCE,
            Self::WindowEnding => WINDOW_ENDING_SENTENCE,
            Self::WindowEnded => WINDOW_ENDED_SENTENCE,
            Self::ClosedByTime => CLOSED_BY_TIME_SENTENCE,
            Self::DistressUnanswered => DISTRESS_SENTENCE,
            Self::RetentionEnded => RETENTION_SENTENCE,
            Self::PartySuspended | Self::PartyLeft => STANDING_SENTENCE,
        }
    }
}

/// Characters of a handover note.
pub const MAX_NOTE_CHARS: usize = 8_000;

/// Notifications that a handover note may name.
pub const MAX_NOTE_ABOUT: usize = 50;

/// The sentence that stands in every distress call.
pub const DISTRESS_SENTENCE: &str =
    "This system is no emergency service. It carries the call; call the duty numbers too.";

/// Characters of a question, of what a warning alleges, and of a reply.
pub const MAX_SAID_CHARS: usize = 4_000;

/// How far ahead a party may set the time for a reply: 30 days.
pub const MAX_DUE_AHEAD: Duration = Duration::days(30);

/// Hours for a reply where the party sets no time, by default.
pub const REPLY_WITHIN_H: u16 = 24;

/// The most hours for a reply that a policy may set: as far ahead as a party may.
pub const MAX_REPLY_WITHIN_H: u16 = 30 * 24;

/// Until when a query asks for a reply: as the party says, else as the policy does.
pub fn query_due(
    asked: Option<OffsetDateTime>,
    at: OffsetDateTime,
    within_h: u16,
) -> OffsetDateTime {
    asked.unwrap_or_else(|| by_policy(at, within_h))
}

/// Until when a warning asks for a reply: as the policy says, or by the time that it names, if that comes sooner. A time
/// that is past already when the warning arrives leaves the policy's.
pub fn warning_due(
    cease_by: Option<OffsetDateTime>,
    at: OffsetDateTime,
    within_h: u16,
) -> OffsetDateTime {
    let policy = by_policy(at, within_h);
    cease_by
        .filter(|cease_by| (at..policy).contains(cease_by))
        .unwrap_or(policy)
}

fn by_policy(at: OffsetDateTime, within_h: u16) -> OffsetDateTime {
    // The calendar ends long after anything here.
    at.checked_add(Duration::hours(within_h.into()))
        .unwrap_or(at)
}

/// What every relay says: what it is not.
pub const RELAY_SENTENCE: &str = "Relayed by the coordinator, on its word alone: not signed by the party, and not counted as reached.";

/// How late a movement may say that it is, in one statement: a week.
pub const MAX_DELAY_S: u32 = 7 * 86_400;

/// Minutes between the steps up the contacts while nobody answers a distress call.
pub const DISTRESS_STEP_MINUTES: i64 = 1;

/// Steps up the contacts; after the last, everybody who can be told was told.
pub const DISTRESS_STEPS: u32 = 15;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::hours(hours)
    }

    #[test]
    fn a_query_is_due_when_the_party_says_and_else_when_the_policy_does() {
        assert_eq!(query_due(Some(at(100)), at(0), 24), at(100));
        assert_eq!(query_due(None, at(1), 24), at(25));
    }

    #[test]
    fn a_warning_is_due_by_the_time_it_names_unless_that_is_past_or_later_than_the_policy() {
        assert_eq!(warning_due(None, at(0), 24), at(24));
        assert_eq!(warning_due(Some(at(5)), at(0), 24), at(5));
        assert_eq!(warning_due(Some(at(-5)), at(0), 24), at(24));
        assert_eq!(warning_due(Some(at(50)), at(0), 24), at(24));
    }

    #[test]
    fn a_thread_is_overdue_only_behind_its_time_and_never_once_it_was_replied_to() {
        use ThreadState as S;
        assert_eq!(S::at(false, Some(at(1)), at(1)), S::Open);
        assert_eq!(S::at(false, Some(at(1)), at(2)), S::Overdue);
        assert_eq!(S::at(false, None, at(2)), S::Open);
        assert_eq!(S::at(true, Some(at(1)), at(2)), S::Replied);
    }

    #[test]
    fn no_word_of_the_exchange_reads_as_permission_or_end_of_protection() {
        let words = Ask::ALL
            .iter()
            .map(|w| w.as_str())
            .chain(Answer::ALL.iter().map(|w| w.as_str()))
            .chain(ThreadState::ALL.iter().map(|w| w.as_str()))
            .chain(ThreadKind::ALL.iter().map(|w| w.as_str()));
        for text in words {
            for word in [
                "approv", "clear", "verified", "permi", "safe", "valid", "lost",
            ] {
                assert!(!text.contains(word), "{text}");
            }
        }
        assert!(WARNING_SENTENCE.contains("determines no status"));
    }

    #[test]
    fn no_sentence_of_an_alert_reads_as_permission_or_end_of_protection() {
        for event in AlertEvent::ALL {
            let sentence = event.sentence();
            for word in [
                "approve", "clear", "verified", "permi", "safe", "valid", "lost", "expire",
            ] {
                assert!(!sentence.to_lowercase().contains(word), "{event}: {word}");
            }
        }
        for ended in [WINDOW_ENDED_SENTENCE, CLOSED_BY_TIME_SENTENCE] {
            assert!(ended.to_lowercase().contains("civilian status unchanged"));
        }
    }
}
