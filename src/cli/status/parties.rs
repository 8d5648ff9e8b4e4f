//! Where a notification stands with each party: who signed, who was only relayed to, what came by letter, who is silent. What
//! the coordinator says of a party never stands where the party's own word would.

use super::Page;
use crate::cli::relay::words as relayed;
use crate::cli::words::{ack_words, entered_words, plain, tier_words, time_words};
use crate::domain::ack::AckState;
use crate::domain::actor::ActorState;
use crate::domain::exchange::ThreadState;
use crate::domain::notification::{NotificationState, Tier};
use crate::domain::plural::count;
use crate::wire::api::{AckStatus, HeldBack, NotificationStatus, PartyStatus, RelayStatus};

/// Who answered the latest revision: a device that took it is not an officer who has seen it.
pub(super) fn parties_reached(status: &NotificationStatus) -> String {
    let (mut silent, mut by_device, mut answered, mut asking) = (0, 0, 0, 0);
    let (mut relayed, mut by_letter) = (0, 0);
    // A party to which a later revision no longer goes owes no word on it; that it is taken back, all are to say.
    let asked = status
        .parties
        .iter()
        .filter(|p| p.tier != Tier::Withdrawn || status.state != NotificationState::Current);
    for party in asked {
        let said = || party.acknowledgements.iter().filter(|a| a.latest);
        let mut latest = said().filter(|a| !a.transcribed).peekable();
        if latest.peek().is_none() {
            // What the coordinator says of a party is not what the party signs.
            if said().next().is_some() {
                by_letter += 1;
            } else if party.relayed.iter().any(|relay| relay.latest) {
                relayed += 1;
            } else {
                silent += 1;
            }
        } else if latest.all(|a| a.state == AckState::ReachedDesk) {
            by_device += 1;
        } else if asks(party, status) {
            asking += 1;
        } else {
            answered += 1;
        }
    }
    let all = silent + relayed + by_letter + by_device + answered + asking;
    if all == 0 {
        return "no party chosen".to_owned();
    }
    let parts = [
        (silent, "silent"),
        (relayed, "relayed to, nothing signed"),
        (by_letter, "by a transcribed letter, nothing signed"),
        (by_device, "reached, no officer has answered"),
        (asking, "ASKING: see its status"),
        (answered, "answered by an officer"),
    ];
    let words: Vec<_> = parts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    format!(
        "latest revision, of {}: {}",
        count(all, "party"),
        words.join("; ")
    )
}

/// Whether a question that waits for a reply is the last that a party's officer said of the latest revision.
fn asks(party: &PartyStatus, status: &NotificationStatus) -> bool {
    let replied = |of| {
        let mut threads = status.threads.iter();
        threads.any(|t| t.of == of && t.state == ThreadState::Replied)
    };
    let last = party
        .acknowledgements
        .iter()
        .rev()
        .find(|a| a.latest && !a.transcribed);
    last.is_some_and(|a| a.state == AckState::Queried && !replied(a.of))
}

fn held_back_line(held_back: &HeldBack) -> String {
    let what = if held_back.state == ActorState::Left {
        "LEFT"
    } else {
        "SUSPENDED"
    };
    let since = held_back
        .since
        .map_or_else(String::new, |at| format!(" since {}", time_words(at)));
    format!("  {what}{since}: it has what it was told until then, and nothing new is handed to it")
}

pub(super) fn party_lines(party: &PartyStatus, page: &Page) -> Vec<String> {
    let sees = if party.tier == Tier::Withdrawn {
        ""
    } else {
        "sees "
    };
    let mut lines = vec![format!("{}: {sees}{}", party.party, tier_words(party.tier))];
    lines.push(match (party.without_device, party.fetched_at) {
        (true, _) => {
            "  it has no device here: what is notified to it waits; the coordinator relays it"
                .to_owned()
        }
        (false, Some(at)) => format!(
            "  its device took the latest revision from the mailbox {}",
            time_words(at)
        ),
        (false, None) => {
            "  its device has not taken the latest revision from the mailbox".to_owned()
        }
    });
    for relay in &party.relayed {
        lines.extend(relay_lines(relay, page));
    }
    lines.extend(party.held_back.as_ref().map(held_back_line));
    if party.acknowledgements.iter().all(|ack| ack.transcribed) {
        lines.push("  SILENT: nothing signed. Call them.".to_owned());
    }
    for ack in &party.acknowledgements {
        lines.push(ack_line(ack));
        lines.extend(said_lines(ack, page));
    }
    lines
}

/// What the coordinator relayed, and what that is not.
fn relay_lines(relay: &RelayStatus, page: &Page) -> Vec<String> {
    let older = if relay.latest {
        ""
    } else {
        ", an older revision"
    };
    let mut lines = vec![format!(
        "  {}  relayed by the coordinator (revision {}{older}): not signed by the party, and not counted as reached",
        time_words(relay.at),
        relay.rev
    )];
    if let Some(detail) = page.relayed.get(&relay.of) {
        lines.push(format!("      {}", relayed::how(detail)));
        let disclosed = detail.items.iter().find(|d| d.nid == page.status.nid);
        lines.extend(
            disclosed.map(|d| format!("      disclosed: {}", relayed::disclosed_words(d.tier))),
        );
    }
    lines
}

fn ack_line(ack: &AckStatus) -> String {
    let older = if ack.latest {
        ""
    } else {
        ", for an older revision: it does not count for the latest"
    };
    let elsewhere = if ack.entered_elsewhere {
        "; ENTERED MORE THAN 100 m AWAY: call them"
    } else {
        ""
    };
    let transcribed = if ack.transcribed {
        "TRANSCRIBED from a letter by the coordinator, neither signed nor reached: "
    } else {
        ""
    };
    format!(
        "  {}  {transcribed}{} (revision {}{older}){elsewhere}",
        time_words(ack.at),
        ack_words(ack.state),
        ack.rev
    )
}

/// Who said it, what was asked, where it was entered.
fn said_lines(ack: &AckStatus, page: &Page) -> Vec<String> {
    let Some(said) = page.said.get(&ack.of) else {
        let missing = page.told && ack.state != AckState::ReachedDesk;
        let hint = "      by whom, and what else was said, is not here yet: herald listen --once";
        return missing.then(|| hint.to_owned()).into_iter().collect();
    };
    let mut lines = Vec::new();
    let mut line = |label: &str, text: &str| lines.push(format!("      {label} {}", plain(text)));
    if let Some(question) = &said.question {
        line("ASKS:", question);
        line(
            "to answer:",
            "herald reply; to amend, notify the next revision first",
        );
    }
    if let Some(entered) = &said.entered {
        line("entered", &entered_words(entered));
    }
    if let Some(reason) = &said.reason {
        line("reason:", reason);
    }
    if let Some(letter) = &said.letter {
        let dated = letter.dated.as_deref();
        let dated = dated.map_or_else(String::new, |date| format!(" of {date}"));
        let kept = format!(
            "transcribed letter{dated}, kept as SHA-256 {}; to read it: herald attachments",
            letter.sha256
        );
        line("from:", &kept);
    }
    if let Some(officer) = &said.officer {
        let more = [&officer.post, &officer.phone].into_iter().flatten();
        let words: Vec<&str> = std::iter::once(&officer.name)
            .chain(more)
            .map(String::as_str)
            .collect();
        line("said by", &words.join(", "));
    }
    lines
}
