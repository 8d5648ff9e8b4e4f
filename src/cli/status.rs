//! One page on a notification: who has it, who is silent, what was looked at, and what none of it means. As text, as a
//! page to print, or as JSON.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::api::Api;
use super::error::CliError;
use super::exit::Exit;
use super::find::Named;
use super::inbox::Inbox;
use super::profile::{self, Profile};
use super::received::{Readers, receive};
use super::words::{ack_words, describe_place, tier_words, time_words};
use super::{Context, directory};
use crate::domain::ack::AckState;
use crate::domain::check::Flag;
use crate::domain::ids::LogPosition;
use crate::domain::notification::{NotificationState, ScreeningState, SecondSignature, Tier};
use crate::wire::api::{AckStatus, NotificationStatus, PartyStatus, RevisionStatus};
use crate::wire::parts::{Place, name};

const EXAMPLES: &str = "\
Examples:
  herald status                                  all notifications, one line each
  herald status HN-WD2P-F2DD
  herald status HN-WD2P-F2DD --html page.html    to print, or to hang up
  herald status HN-WD2P-F2DD --json";

/// Pages of notifications that are asked for at most.
const PAGES: usize = 10_000;

/// What stands at the foot of every page.
pub const FOOT: &str = "A notification is word, not a request for permission. An acknowledgement is not approval and confers no access. \
Silence takes no protection away, and neither does the end of a notification.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The notification, HN-… or its id; without it, all of them
    pub notification: Option<Named>,
    /// Write a page to print into this file
    #[arg(long, value_name = "FILE", requires = "notification")]
    pub html: Option<PathBuf>,
}

/// Shows where a notification stands.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let (profile, api) = context.connect()?;
    let Some(named) = args.notification else {
        return all(context, &api).await;
    };
    let status = api.notification(&named.to_string()).await?;
    let place = place(&profile, &status).unwrap_or_default();
    let as_of = context.clock.now();
    if let Some(path) = args.html {
        profile::write_private(&path, html(&status, &place, as_of).as_bytes())?;
        context.out.note(format!(
            "Written to {}; it may show a place.",
            path.display()
        ));
        return Ok(Exit::Ok);
    }
    context.out.emit(&status, || text(&status, &place, as_of));
    Ok(Exit::Ok)
}

async fn all(context: &Context, api: &Api) -> Result<Exit, CliError> {
    let mut after: Option<LogPosition> = None;
    for _ in 0..PAGES {
        let page = api.notifications(after).await?;
        for status in &page.items {
            context.out.emit(status, || summary(status));
        }
        after = page.next;
        if after.is_none() || context.out.is_closed() {
            break;
        }
    }
    context.out.note(FOOT);
    Ok(Exit::Ok)
}

/// The place as this desk received it, if it did and may read it. Without a line to check keys, as last seen.
fn place(profile: &Profile, status: &NotificationStatus) -> Option<String> {
    let inbox = Inbox::open(profile.dir()).ok()?;
    let trust = directory::cached(profile).ok()?;
    let readers = Readers::of(profile).ok()?;
    let mut found = None;
    for entry in inbox.about(status.nid).filter(|e| e.is_revision()) {
        let event = inbox.event(entry).ok()?;
        let received = receive(&event, &trust, &readers).ok()?;
        if let Some(place) = received.part::<Place>(name::PLACE) {
            let mut text = String::new();
            describe_place(&mut text, &place);
            found = Some(text);
        }
    }
    found
}

const fn state_words(state: NotificationState) -> &'static str {
    match state {
        NotificationState::Current => "notified",
        NotificationState::Withdrawn => "taken back: no longer notified; civilian status unchanged",
        NotificationState::Closed => "closed: no longer notified; civilian status unchanged",
    }
}

const fn screening_words(screening: ScreeningState) -> &'static str {
    match screening {
        ScreeningState::Submitted => {
            "nobody at the coordinator has looked at it yet; it counts, flagged"
        }
        ScreeningState::NotRequired => "the policy asks for no screening",
        ScreeningState::Screened => {
            "screened: form, coordinates or sender were looked at, not that it is true"
        }
        ScreeningState::Returned => {
            "returned with reasons; it counts, flagged, until it is revised"
        }
    }
}

const fn flag_words(flag: Flag) -> &'static str {
    match flag {
        Flag::Unscreened => "unscreened",
        Flag::Returned => "returned",
        Flag::SecondSignatureMissing => "second signature missing",
        Flag::BeingReplaced => "being replaced; both count",
        Flag::OverduePositionUnknown => {
            "overdue, position unknown: its whole remaining route counts"
        }
        Flag::Delayed => "delayed; its earlier times count too",
        Flag::Emergency => "notified as an emergency",
        Flag::Stale => "not reconfirmed in time",
    }
}

/// Who answered the latest revision: a device that took it is not an officer who has seen it.
fn parties_reached(status: &NotificationStatus) -> String {
    let (mut silent, mut by_device, mut answered) = (0, 0, 0);
    // A party to which a later revision no longer goes owes no word on it; that it is taken back, all are to say.
    let asked = status
        .parties
        .iter()
        .filter(|p| p.tier != Tier::Withdrawn || status.state != NotificationState::Current);
    for party in asked {
        let mut latest = party
            .acknowledgements
            .iter()
            .filter(|a| a.latest)
            .peekable();
        if latest.peek().is_none() {
            silent += 1;
        } else if latest.all(|a| a.state == AckState::ReachedDesk) {
            by_device += 1;
        } else {
            answered += 1;
        }
    }
    let all = silent + by_device + answered;
    if all == 0 {
        return "no party chosen".to_owned();
    }
    let parts = [
        (silent, "silent"),
        (by_device, "reached, no officer has answered"),
        (answered, "answered by an officer"),
    ];
    let words: Vec<_> = parts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    format!("latest revision, of {all} parties: {}", words.join("; "))
}

fn summary(status: &NotificationStatus) -> String {
    format!(
        "{}  {} of {}: {}; {}",
        status.reference,
        status.subject,
        status.organisation,
        state_words(status.state),
        parties_reached(status)
    )
}

fn revision_line(revision: &RevisionStatus) -> String {
    let mut line = format!(
        "revision {} ({}), stored {} at position {}",
        revision.rev,
        revision.kind,
        time_words(revision.at),
        revision.pos
    );
    // Writing to a string cannot fail.
    if matches!(revision.kind.as_str(), "site" | "movement") {
        write!(line, "; {}", screening_words(revision.screening)).ok();
        match revision.second_signature {
            SecondSignature::NotRequired => {}
            SecondSignature::Waiting => line += "; waits for a second signature",
            SecondSignature::Given => line += "; signed by a second person",
        }
    }
    let flags: Vec<_> = revision.flags.iter().map(|f| flag_words(*f)).collect();
    if !flags.is_empty() {
        write!(line, " [{}]", flags.join("; ")).ok();
    }
    line
}

fn party_lines(party: &PartyStatus) -> Vec<String> {
    let sees = if party.tier == Tier::Withdrawn {
        ""
    } else {
        "sees "
    };
    let mut lines = vec![format!("{}: {sees}{}", party.party, tier_words(party.tier))];
    lines.push(match party.fetched_at {
        Some(at) => format!(
            "  its device took the latest revision from the mailbox {}",
            time_words(at)
        ),
        None => "  its device has not taken the latest revision from the mailbox".to_owned(),
    });
    if party.acknowledgements.is_empty() {
        lines.push("  SILENT: nothing signed. Call them.".to_owned());
    }
    lines.extend(party.acknowledgements.iter().map(ack_line));
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
    format!(
        "  {}  {} (revision {}{older}){elsewhere}",
        time_words(ack.at),
        ack_words(ack.state),
        ack.rev
    )
}

/// The page as text.
fn text(status: &NotificationStatus, place: &str, as_of: time::OffsetDateTime) -> String {
    let mut text = format!(
        "{}  {} of {}\n{}; {}\nas of {}\n",
        status.reference,
        status.subject,
        status.organisation,
        state_words(status.state),
        parties_reached(status),
        time_words(as_of)
    );
    text += place;
    text += "\nRevisions\n";
    for revision in &status.revisions {
        writeln!(text, "  {}", revision_line(revision)).ok();
    }
    text += "\nParties\n";
    for party in &status.parties {
        for line in party_lines(party) {
            writeln!(text, "  {line}").ok();
        }
    }
    writeln!(text, "\n{FOOT}").ok();
    text
}

/// The page to print: one file, no script, nothing fetched, dark on light.
fn html(status: &NotificationStatus, place: &str, as_of: time::OffsetDateTime) -> String {
    let mut body = format!(
        "<h1>{}</h1>\n<p>{} of {}. {}; {}.</p>\n<p class=\"as-of\">As of {}</p>\n",
        escape(status.reference.as_str()),
        status.subject,
        escape(status.organisation.as_str()),
        escape(state_words(status.state)),
        escape(&parties_reached(status)),
        escape(&time_words(as_of))
    );
    if !place.is_empty() {
        writeln!(body, "<pre>{}</pre>", escape(place)).ok();
    }
    body += "<h2>Revisions</h2>\n<ul>\n";
    for revision in &status.revisions {
        writeln!(body, "<li>{}</li>", escape(&revision_line(revision))).ok();
    }
    body += "</ul>\n<h2>Parties</h2>\n";
    for party in &status.parties {
        let mut lines = party_lines(party).into_iter();
        if let Some(first) = lines.next() {
            writeln!(body, "<h3>{}</h3>\n<ul>", escape(&first)).ok();
        }
        for line in lines {
            writeln!(body, "<li>{}</li>", escape(line.trim())).ok();
        }
        body += "</ul>\n";
    }
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title>\n\
         <style>body{{font:12pt/1.45 serif;max-width:42em;margin:2em auto;color:#111;background:#fff}}\
         pre{{white-space:pre-wrap;border:1px solid #888;padding:.6em}}footer{{border-top:2px solid #111;margin-top:2em;padding-top:.6em}}\
         .as-of{{color:#333}}</style></head>\n<body>\n{body}<footer>{1}</footer>\n</body></html>\n",
        escape(status.reference.as_str()),
        escape(FOOT)
    )
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::digest::Digest;
    use crate::domain::ids::{Nid, Revision};
    use crate::domain::notification::Subject;

    fn example() -> NotificationStatus {
        let nid = Nid::random();
        let at = time::OffsetDateTime::UNIX_EPOCH;
        let ack = |state, latest| AckStatus {
            state,
            rev: Revision::FIRST,
            latest,
            at,
            of: Digest::of(b"ack"),
            entered_elsewhere: state == AckState::Entered,
        };
        let party = |name: &str, acknowledgements| PartyStatus {
            party: name.parse().expect("a slug"),
            tier: Tier::Exact,
            fetched_at: None,
            acknowledgements,
        };
        NotificationStatus {
            reference: nid.reference(),
            nid,
            organisation: "msf".parse().expect("a slug"),
            subject: Subject::Site,
            state: NotificationState::Current,
            revisions: vec![RevisionStatus {
                rev: Revision::FIRST,
                of: Digest::of(b"x"),
                pos: LogPosition(7),
                at,
                kind: "site".into(),
                screening: ScreeningState::Submitted,
                second_signature: SecondSignature::Waiting,
                flags: vec![Flag::Unscreened],
            }],
            parties: vec![
                party(
                    "east",
                    vec![
                        ack(AckState::ReachedDesk, true),
                        ack(AckState::Entered, true),
                    ],
                ),
                party("west", vec![]),
                party("north", vec![ack(AckState::Received, false)]),
            ],
        }
    }

    #[test]
    fn the_page_says_who_has_it_who_is_silent_and_that_it_is_no_permission() {
        let page = text(&example(), "", time::OffsetDateTime::UNIX_EPOCH);
        for part in [
            "of 3 parties: 2 silent; 1 answered by an officer",
            "SILENT: nothing signed",
            "liaison device, no more",
            "it does not count for the latest",
            "ENTERED MORE THAN 100 m AWAY",
            "waits for a second signature",
            FOOT,
        ] {
            assert!(page.contains(part), "{part} is missing in:\n{page}");
        }
    }

    #[test]
    fn a_device_that_took_it_is_not_counted_as_an_officer_who_answered() {
        let mut status = example();
        for party in &mut status.parties {
            party
                .acknowledgements
                .retain(|a| a.state == AckState::ReachedDesk);
        }
        let line = summary(&status);
        assert!(
            line.ends_with("of 3 parties: 2 silent; 1 reached, no officer has answered"),
            "{line}"
        );
    }

    #[test]
    fn a_party_that_has_not_heard_of_a_withdrawal_is_silent_on_it() {
        let mut status = example();
        for party in &mut status.parties {
            party.tier = Tier::Withdrawn;
        }
        assert!(summary(&status).ends_with("no party chosen"));
        status.state = NotificationState::Withdrawn;
        let page = text(&status, "", time::OffsetDateTime::UNIX_EPOCH);
        assert!(page.contains("of 3 parties: 2 silent"), "{page}");
        assert!(!page.contains("sees no longer"), "{page}");
    }

    #[test]
    fn the_printed_page_says_the_same_and_carries_no_markup_of_a_sender() {
        let page = html(
            &example(),
            "what <script>alert(1)</script> & \"more\"",
            time::OffsetDateTime::UNIX_EPOCH,
        );
        assert!(!page.contains("<script>") && page.contains("&lt;script&gt;"));
        assert!(page.contains("SILENT: nothing signed") && page.contains("no access"));
    }

    #[test]
    fn no_word_of_the_page_reads_as_approval_or_protection() {
        let page = text(&example(), "", time::OffsetDateTime::UNIX_EPOCH)
            .replace(FOOT, "")
            .to_lowercase();
        for word in [
            "approved",
            "verified",
            "safe",
            "protected",
            "allowed",
            "clear",
        ] {
            assert!(!page.contains(word), "{word}");
        }
    }
}
