//! What time has brought, in plain words: the server's own alerts. Silence is said loudly, and never as if it changed what is
//! protected.

use super::words::{put, time_words};
use crate::domain::exchange::AlertEvent;
use crate::domain::ids::ActorId;
use crate::domain::plural::count;
use crate::wire::parts::AlertDetail;

/// Notifications of one alert that are named; more are counted.
const SHOWN_ITEMS: usize = 12;

/// What time has brought, in words.
pub fn words(detail: &AlertDetail) -> String {
    let party = detail.party.as_ref().map_or("the party", ActorId::as_str);
    match detail.event {
        AlertEvent::AcknowledgementOverdue => format!(
            "{}% of the lead time has passed, and no officer of {party} has said a word",
            detail.lead_percent.unwrap_or_default()
        ),
        AlertEvent::NoAcknowledgement => {
            format!("NO ACKNOWLEDGEMENT by {party} by the start of the window")
        }
        AlertEvent::NoSignOfLife => {
            "NO SIGN OF LIFE: a movement has said nothing by its latest arrival. Call it; it stays in every check".to_owned()
        }
        AlertEvent::ReconfirmationDue => {
            "to be confirmed again soon: herald confirm HN-… or --all".to_owned()
        }
        AlertEvent::ReconfirmationOverdue => {
            "NOT CONFIRMED in time; it stays in every list and check, flagged".to_owned()
        }
        AlertEvent::WindowEnding => {
            "its notified window ENDS SOON. Revise it with a later window if people are still there (herald notify --revise HN-…), or close it (herald close HN-…)".to_owned()
        }
        AlertEvent::WindowEnded => {
            "its notified window HAS ENDED: not notified for times after. Civilian status unchanged".to_owned()
        }
        AlertEvent::ClosedByTime => {
            "CLOSED BY TIME, after its notified window: no longer notified; civilian status unchanged".to_owned()
        }
        AlertEvent::ReplyOverdue => format!("no reply yet to what {party} asked or warned of"),
        AlertEvent::PartySuspended => format!("{party} IS SUSPENDED from now on"),
        AlertEvent::PartyLeft => format!("{party} HAS LEFT this context"),
        AlertEvent::DistressUnanswered => format!(
            "DISTRESS CALL UNANSWERED for {}. Call the duty numbers",
            count(
                usize::try_from(detail.step.unwrap_or_default()).unwrap_or(usize::MAX),
                "minute"
            )
        ),
        AlertEvent::RetentionEnded => format!(
            "what was sealed in {} is destroyed: the time for which it is kept is over",
            detail.month.as_deref().unwrap_or("a month")
        ),
    }
}

/// Appends what an alert says to the description of an event.
pub fn describe(text: &mut String, detail: &AlertDetail) {
    put(text, "what", &words(detail));
    let references: Vec<String> = detail
        .items
        .iter()
        .take(SHOWN_ITEMS)
        .map(|item| format!("{} revision {}", item.nid.reference(), item.rev))
        .collect();
    let more = detail.items.len().saturating_sub(SHOWN_ITEMS);
    let more = if more == 0 {
        String::new()
    } else {
        format!(" and {more} more")
    };
    if !references.is_empty() {
        put(text, "about", &format!("{}{more}", references.join(", ")));
    }
    put(text, "of", detail.organisation.as_str());
    put(text, "due", &time_words(detail.due));
    if let Some(letter) = &detail.transcribed {
        put(
            text,
            "letter",
            &format!(
                "the coordinator transcribed one (statement {letter}): no signed word, and no silence either"
            ),
        );
    }
    put(text, "note", &detail.says);
}
