//! Nudges: messages outside Herald that say that somebody is needed, and nothing else. Which occasion nudges whom, how
//! urgently, how often and for how long stands here, once; so do the only words that a nudge ever has.

mod address;
mod cover;

use std::time::Duration;

use super::actor::ActorKind;
use super::ids::Reference;
use super::words;

pub use self::address::mail_address;
pub use self::cover::{Away, CoverError, MAX_HOPS, reached};

words!(
    /// How much somebody is needed.
    Severity {
        /// It waits, and nobody is nudged who has looked meanwhile.
        Routine = "routine",
        /// At once.
        Urgent = "urgent",
        /// Somebody calls for help.
        Distress = "distress",
    }
);

words!(
    /// What a message is: a nudge of a severity, or a test that the person asked for.
    Sort {
        /// A routine nudge.
        Routine = "routine",
        /// An urgent nudge.
        Urgent = "urgent",
        /// Somebody calls for help.
        Distress = "distress",
        /// A test.
        Test = "test",
    }
);

impl From<Severity> for Sort {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Routine => Self::Routine,
            Severity::Urgent => Self::Urgent,
            Severity::Distress => Self::Distress,
        }
    }
}

words!(
    /// By which way a message goes.
    Way {
        /// By e-mail.
        Mail = "mail",
        /// By a signed HTTP request, to a gateway that sends an SMS for example.
        Webhook = "webhook",
    }
);

words!(
    /// What became of a message.
    MessageState {
        /// It has not got through yet.
        Waiting = "waiting",
        /// The mail server or the gateway has taken it.
        Taken = "taken",
        /// It did not get through in its time.
        GivenUp = "given_up",
        /// Nobody needed it any more: it was read, or the address was taken back.
        Dropped = "dropped",
    }
);

words!(
    /// What may happen that somebody is needed for.
    Occasion {
        /// A notification was made or revised.
        Notified = "notified",
        /// The same as an emergency.
        NotifiedAsEmergency = "notified_as_emergency",
        /// A notification was withdrawn or closed.
        Ended = "ended",
        /// A movement says that it is late.
        Delayed = "delayed",
        /// The coordinator returned a revision.
        Returned = "returned",
        /// A party did not enter it, or took it off its list.
        NotEntered = "not_entered",
        /// A party asks.
        Queried = "queried",
        /// A party warns.
        Warned = "warned",
        /// The organisation replied.
        Replied = "replied",
        /// A party entered the place far from where it was notified.
        EnteredElsewhere = "entered_elsewhere",
        /// No officer has said a word in a part of the lead time.
        AcknowledgementOverdue = "acknowledgement_overdue",
        /// No officer had said a word when the window began.
        NoAcknowledgement = "no_acknowledgement",
        /// A movement has said nothing by its latest arrival.
        NoSignOfLife = "no_sign_of_life",
        /// A site should be confirmed again.
        ReconfirmationDue = "reconfirmation_due",
        /// A site was not confirmed again in time.
        ReconfirmationOverdue = "reconfirmation_overdue",
        /// A site's notified window ends soon.
        WindowEnding = "window_ending",
        /// A site's notified window has ended.
        WindowEnded = "window_ended",
        /// A site was closed by time.
        ClosedByTime = "closed_by_time",
        /// A query or a warning was not replied to in time.
        ReplyOverdue = "reply_overdue",
        /// Somebody calls for help.
        Called = "called",
        /// Nobody has answered a call for help for another minute.
        CallUnanswered = "call_unanswered",
        /// A call for help was answered.
        CallAnswered = "call_answered",
    }
);

/// Whom an occasion needs, and how much, when it is delivered to that desk: the organisation's, the party's, the
/// coordinator's.
const fn row(occasion: Occasion) -> [Option<Severity>; 3] {
    const NO: Option<Severity> = None;
    const ROUTINE: Option<Severity> = Some(Severity::Routine);
    const URGENT: Option<Severity> = Some(Severity::Urgent);
    const DISTRESS: Option<Severity> = Some(Severity::Distress);
    match occasion {
        Occasion::Notified => [NO, ROUTINE, ROUTINE],
        Occasion::NotifiedAsEmergency | Occasion::AcknowledgementOverdue => [NO, URGENT, URGENT],
        Occasion::Ended | Occasion::Delayed | Occasion::Replied => [NO, ROUTINE, NO],
        Occasion::Returned | Occasion::Queried | Occasion::CallAnswered => [URGENT, NO, NO],
        Occasion::NotEntered
        | Occasion::ReconfirmationDue
        | Occasion::ReconfirmationOverdue
        | Occasion::WindowEnding => [ROUTINE, NO, NO],
        Occasion::Warned
        | Occasion::ReplyOverdue
        | Occasion::WindowEnded
        | Occasion::ClosedByTime => [URGENT, NO, ROUTINE],
        Occasion::EnteredElsewhere => [URGENT, URGENT, NO],
        Occasion::NoAcknowledgement => [URGENT, URGENT, URGENT],
        Occasion::NoSignOfLife => [URGENT, NO, URGENT],
        Occasion::Called | Occasion::CallUnanswered => [NO, DISTRESS, DISTRESS],
    }
}

/// How much an occasion needs the people of a desk that it is delivered to; none where it only informs them.
pub const fn severity(occasion: Occasion, reader: ActorKind) -> Option<Severity> {
    let [organisation, party, coordinator] = row(occasion);
    match reader {
        ActorKind::Organisation => organisation,
        ActorKind::Party => party,
        ActorKind::Coordinator => coordinator,
        ActorKind::Auditor | ActorKind::Operator | ActorKind::Server => None,
    }
}

/// The table of occasions as it stands in `docs/operations.md`.
pub fn table_markdown() -> String {
    let word = |severity: Option<Severity>| severity.map_or("", Severity::as_str);
    let mut out =
        String::from("| occasion | organisation | party | coordinator |\n|---|---|---|---|\n");
    for occasion in Occasion::ALL {
        let [organisation, party, coordinator] = row(*occasion).map(word);
        out.extend(["| `", occasion.as_str(), "` | ", organisation]);
        out.extend([" | ", party, " | ", coordinator, " |\n"]);
    }
    out
}

/// How long a routine nudge waits for somebody to look by themselves, unless the operator says otherwise.
pub const ROUTINE_WAIT: Duration = Duration::from_mins(10);

/// The most messages to one person in a time; a call for help has this for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Messages.
    pub most: u32,
    /// In this time.
    pub within: Duration,
}

/// How often one person is sent messages of a sort. What is beyond it waits, and goes as one message.
pub const fn allowance(sort: Sort) -> Allowance {
    let (most, within) = match sort {
        Sort::Routine => (1, Duration::from_hours(1)),
        Sort::Urgent => (6, Duration::from_hours(1)),
        Sort::Distress => (1, Duration::from_mins(1)),
        Sort::Test => (3, Duration::from_hours(1)),
    };
    Allowance { most, within }
}

/// How long a message is tried.
pub const fn give_up_after(sort: Sort) -> Duration {
    match sort {
        Sort::Routine | Sort::Urgent => Duration::from_hours(24),
        Sort::Distress | Sort::Test => Duration::from_hours(1),
    }
}

/// How long to wait after a try that failed, the first being 1: 10 s, then twice as long each time, up to half an hour; up
/// to a minute where somebody calls for help.
pub fn pause(sort: Sort, tries: u32) -> Duration {
    const FIRST: Duration = Duration::from_secs(10);
    let most = match sort {
        Sort::Routine | Sort::Urgent | Sort::Test => Duration::from_mins(30),
        Sort::Distress => Duration::from_mins(1),
    };
    FIRST
        .saturating_mul(1 << tries.saturating_sub(1).min(16))
        .min(most)
}

/// Notifications that a message counts one by one; of more it says only that there are more.
pub const MOST_COUNTED: usize = 100;

/// The whole text of a message: a short reference or a number, that somebody is needed, and that it is a drill if it is.
/// No name, no place, no time, no kind of thing.
pub fn text(sort: Sort, one: Option<&Reference>, count: usize, exercise: bool) -> String {
    let what = match one {
        Some(reference) => reference.to_string(),
        None if count > MOST_COUNTED => format!("More than {MOST_COUNTED} notifications"),
        None => format!("{count} notifications"),
    };
    let text = match (sort, one) {
        (Sort::Test, _) => "Test: nudges reach you".to_owned(),
        (Sort::Distress, Some(_)) => format!("{what} is urgent"),
        (Sort::Distress, None) => format!("{what} are urgent"),
        (Sort::Routine | Sort::Urgent, Some(_)) => format!("{what} needs you"),
        (Sort::Routine | Sort::Urgent, None) => format!("{what} need you"),
    };
    if exercise {
        format!("EXERCISE: {text}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Nid;

    #[test]
    fn the_table_in_the_documents_is_the_one_that_runs() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md");
        let written = std::fs::read_to_string(path).expect("docs/operations.md exists");
        assert!(written.contains(&table_markdown()), "{}", table_markdown());
    }

    #[test]
    fn every_occasion_needs_somebody_and_only_calls_for_help_are_distress() {
        for occasion in Occasion::ALL {
            let needed: Vec<_> = row(*occasion).into_iter().flatten().collect();
            assert!(!needed.is_empty(), "{occasion}");
            let call = matches!(occasion, Occasion::Called | Occasion::CallUnanswered);
            assert_eq!(needed.contains(&Severity::Distress), call, "{occasion}");
            for kind in [ActorKind::Auditor, ActorKind::Operator, ActorKind::Server] {
                assert_eq!(severity(*occasion, kind), None);
            }
        }
    }

    #[test]
    fn a_message_says_a_reference_or_a_number_and_nothing_else() {
        let reference = Nid::random().reference();
        let one = Some(&reference);
        assert_eq!(
            text(Sort::Routine, one, 1, false),
            format!("{reference} needs you")
        );
        assert_eq!(
            text(Sort::Distress, one, 1, true),
            format!("EXERCISE: {reference} is urgent")
        );
        assert_eq!(
            text(Sort::Urgent, None, 3, false),
            "3 notifications need you"
        );
        assert_eq!(
            text(Sort::Urgent, None, 101, false),
            "More than 100 notifications need you"
        );
        assert_eq!(text(Sort::Test, None, 0, false), "Test: nudges reach you");
    }

    #[test]
    fn pauses_grow_to_a_bound_and_a_call_for_help_is_tried_every_minute() {
        let s = |sort, tries| pause(sort, tries).as_secs();
        assert_eq!([1, 2, 3].map(|n| s(Sort::Urgent, n)), [10, 20, 40]);
        assert_eq!(s(Sort::Urgent, 1_000), 1_800);
        assert_eq!(s(Sort::Distress, 9), 60);
        assert_eq!(s(Sort::Test, 0), 10);
    }
}
