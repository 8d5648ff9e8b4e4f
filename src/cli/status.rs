//! One page on a notification: who has it, who is silent, what was looked at, and what none of it means. As text, as a
//! page to print, or as JSON.

mod parties;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value, json};

use self::parties::{parties_reached, party_lines};
use super::api::Api;
use super::error::CliError;
use super::exchange;
use super::exit::Exit;
use super::find::Named;
use super::markup::escape;
use super::opened::{Opened, Said};
use super::profile::{self, Profile};
use super::words::{checked_words, describe_place, flag_words, plain, time_words};
use super::{Context, attachments, calls, drill, mend};
use crate::crypto::digest::Digest;
use crate::domain::actor::Role;
use crate::domain::check::Flag;
use crate::domain::ids::LogPosition;
use crate::domain::notification::{NotificationState, ScreeningState, SecondSignature};
use crate::wire::api::{NotificationStatus, RevisionStatus};
use crate::wire::parts::{AttachmentPart, Place, name};
use crate::wire::relay::RelayDetail;

const EXAMPLES: &str = "\
Examples:
  herald status                                  all notifications, one line each
  herald status HN-WD2P-F2DD
  herald status HN-WD2P-F2DD --html page.html    to print, or to hang up
  herald status HN-WD2P-F2DD --json

Where it stands comes from the server; names, places, and what officers asked or said are opened here, from what \
`herald listen` has brought to this device.";

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
        return all(context, &profile, &api).await;
    };
    let status = api.notification(&named.to_string()).await?;
    let page = Page::of(
        status,
        profile.me().role,
        Opened::of(&profile).ok().as_ref(),
    );
    let as_of = context.clock.now();
    if let Some(path) = args.html {
        let mut html = html(&page, as_of);
        if context.out.is_drill() {
            html = drill::page(&html);
        }
        profile::write_private(&path, html.as_bytes())?;
        context.out.note(format!(
            "Written to {}; it may show a place.",
            path.display()
        ));
        return Ok(Exit::Ok);
    }
    context.out.emit(&page.json(), || text(&page, as_of));
    Ok(Exit::Ok)
}

async fn all(context: &Context, profile: &Profile, api: &Api) -> Result<Exit, CliError> {
    let opened = Opened::of(profile).ok();
    let mut after: Option<LogPosition> = None;
    let mut none = true;
    for _ in 0..PAGES {
        let page = api.notifications(after).await?;
        none &= page.items.is_empty();
        for status in page.items {
            let place = opened.as_ref().and_then(|opened| opened.place(status.nid));
            let name = place.map(|place| place.properties.name);
            let mut value = json!(status);
            put(&mut value, "name", name.as_ref());
            context
                .out
                .emit(&value, || summary(&status, name.as_deref()));
        }
        after = page.next;
        if after.is_none() || context.out.is_closed() {
            break;
        }
    }
    if none {
        context.out.line(match profile.me().role {
            Role::Organisation => "Nothing is notified by your organisation.",
            _ => "Nothing is notified to your desk.",
        });
    }
    context.out.note(FOOT);
    Ok(Exit::Ok)
}

/// What the server says of a notification, and what this desk can open of it.
struct Page {
    status: NotificationStatus,
    place: Option<Place>,
    /// By the hash of the acknowledgement.
    said: HashMap<Digest, Said>,
    /// Whether this desk is told what stands in acknowledgements.
    told: bool,
    /// What was asked, alleged and replied, in the order of the status's threads.
    threads: Vec<exchange::Thread>,
    /// What the coordinator relayed, by the hash of its statement.
    relayed: HashMap<Digest, RelayDetail>,
    /// The attachments of the latest revision that this desk is handed.
    attachments: Vec<(usize, AttachmentPart)>,
    /// What is to be mended, where the latest revision was returned.
    mend: Vec<String>,
}

impl Page {
    fn of(status: NotificationStatus, role: Role, opened: Option<&Opened<'_>>) -> Self {
        let acknowledgements = status
            .parties
            .iter()
            .flat_map(|party| &party.acknowledgements);
        let said = acknowledgements
            .filter_map(|ack| Some((ack.of, opened?.said(&ack.of, status.nid)?)))
            .collect();
        let thread = |of| exchange::Thread::of(of, opened);
        let relays = status.parties.iter().flat_map(|party| &party.relayed);
        let relayed = relays
            .filter_map(|relay| Some((relay.of, opened?.statement(&relay.of)?.part(name::DETAIL)?)))
            .collect();
        let returned = status
            .revisions
            .last()
            .is_some_and(|r| r.screening == ScreeningState::Returned);
        let mend = opened.filter(|_| returned);
        Self {
            relayed,
            attachments: opened.map_or_else(Vec::new, |opened| opened.attachments(status.nid)),
            mend: mend.map_or_else(Vec::new, |opened| mend::lines(opened, status.nid)),
            place: opened.and_then(|opened| opened.place(status.nid)),
            said,
            threads: status.threads.iter().map(thread).collect(),
            told: matches!(role, Role::Organisation | Role::Coordinator),
            status,
        }
    }

    /// As the server says it, with `name` and `place` beside, `said` in each acknowledgement and thread, and `answered`
    /// in each thread that was replied to.
    fn json(&self) -> Value {
        let mut value = json!(self.status);
        put(
            &mut value,
            "name",
            self.place.as_ref().map(|place| &place.properties.name),
        );
        put(&mut value, "place", self.place.as_ref());
        put(
            &mut value,
            "mend",
            Some(&self.mend).filter(|m| !m.is_empty()),
        );
        for (number, party) in self.status.parties.iter().enumerate() {
            for (index, ack) in party.acknowledgements.iter().enumerate() {
                let pointer = format!("/parties/{number}/acknowledgements/{index}");
                if let Some(value) = value.pointer_mut(&pointer) {
                    put(value, "said", self.said.get(&ack.of));
                }
            }
            for (index, relay) in party.relayed.iter().enumerate() {
                if let Some(value) =
                    value.pointer_mut(&format!("/parties/{number}/relayed/{index}"))
                {
                    put(value, "said", self.relayed.get(&relay.of));
                }
            }
        }
        if !self.attachments.is_empty() {
            let listed = self.attachments.iter();
            let listed: Vec<Value> = listed
                .map(|(n, part)| attachments::as_json(*n, part))
                .collect();
            put(&mut value, "attachments", Some(&listed));
        }
        for (index, thread) in self.threads.iter().enumerate() {
            if let Some(value) = value.pointer_mut(&format!("/threads/{index}")) {
                put(value, "said", thread.said.as_ref());
                put(value, "answered", thread.answered.as_ref());
                put(value, "answered_for", thread.answered_for.as_ref());
            }
        }
        value
    }

    fn thread_lines(&self) -> Vec<String> {
        let threads = self.status.threads.iter().zip(&self.threads);
        threads
            .flat_map(|(status, thread)| thread.lines(status))
            .collect()
    }

    fn attachment_lines(&self) -> Vec<String> {
        let each = self.attachments.iter();
        each.map(|(n, part)| attachments::in_words(*n, part))
            .collect()
    }

    fn place_words(&self) -> String {
        let mut text = String::new();
        if let Some(place) = &self.place {
            describe_place(&mut text, place);
        }
        text
    }
}

/// Adds a member, when there is something to say.
fn put(value: &mut Value, name: &str, member: Option<&impl Serialize>) {
    if let (Some(object), Some(member)) = (value.as_object_mut(), member) {
        object.insert(name.to_owned(), json!(member));
    }
}

fn state_words(status: &NotificationStatus) -> &'static str {
    let latest = status.revisions.last();
    let window_ended = latest.is_some_and(|r| r.flags.contains(&Flag::WindowEnded));
    match status.state {
        NotificationState::Current if window_ended => {
            "its notified window HAS ENDED: not notified for times after; civilian status unchanged"
        }
        NotificationState::Current => "notified",
        NotificationState::Closed if status.closed_by_time => {
            "closed by time, after its notified window: no longer notified; civilian status unchanged"
        }
        NotificationState::Withdrawn => "taken back: no longer notified; civilian status unchanged",
        NotificationState::Closed => "closed: no longer notified; civilian status unchanged",
    }
}

/// Where a revision stands with the coordinator; of a screened one exactly what was looked at.
fn screening_words(revision: &RevisionStatus) -> String {
    let words = match revision.screening {
        ScreeningState::Submitted => {
            "nobody at the coordinator has looked at it yet; it counts, flagged"
        }
        ScreeningState::NotRequired => "the policy asks for no screening",
        ScreeningState::Screened if revision.checked.is_empty() => {
            "screened: what was looked at is not noted here; it does not say that it is true"
        }
        ScreeningState::Screened => {
            return format!(
                "screened (looked at: {}); it does not say that it is true",
                checked_words(&revision.checked)
            );
        }
        ScreeningState::Returned => {
            "returned with reasons; it counts, flagged, until it is revised"
        }
    };
    words.to_owned()
}

fn summary(status: &NotificationStatus, name: Option<&str>) -> String {
    let name = name.map_or_else(String::new, |name| format!("\"{}\", ", plain(name)));
    let call = if status.calls.is_empty() {
        ""
    } else {
        "; CALL FOR HELP"
    };
    format!(
        "{}  {name}{} of {}: {}; {}{call}",
        status.reference,
        status.subject,
        status.organisation,
        state_words(status),
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
        write!(line, "; {}", screening_words(revision)).ok();
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

/// The page as text.
fn text(page: &Page, as_of: time::OffsetDateTime) -> String {
    let status = &page.status;
    let mut text = format!(
        "{}  {} of {}\n{}; {}\nas of {}\n",
        status.reference,
        status.subject,
        status.organisation,
        state_words(status),
        parties_reached(status),
        time_words(as_of)
    );
    for line in status.calls.iter().flat_map(calls::lines) {
        writeln!(text, "{line}").ok();
    }
    text += &page.place_words();
    for line in page.attachment_lines() {
        writeln!(text, "    attachment   {line}").ok();
    }
    text += "\nRevisions\n";
    for revision in &status.revisions {
        writeln!(text, "  {}", revision_line(revision)).ok();
    }
    for line in &page.mend {
        writeln!(text, "    {line}").ok();
    }
    text += "\nParties\n";
    for party in &status.parties {
        for line in party_lines(party, page) {
            writeln!(text, "  {line}").ok();
        }
    }
    let threads = page.thread_lines();
    if !threads.is_empty() {
        text += "\nQueries and warnings\n";
    }
    for line in threads {
        writeln!(text, "  {line}").ok();
    }
    writeln!(text, "\n{FOOT}").ok();
    text
}

/// The page to print: one file, no script, nothing fetched, dark on light.
fn html(page: &Page, as_of: time::OffsetDateTime) -> String {
    let (status, place) = (&page.status, page.place_words());
    let mut body = format!(
        "<h1>{}</h1>\n<p>{} of {}. {}; {}.</p>\n<p class=\"as-of\">As of {}</p>\n",
        escape(status.reference.as_str()),
        status.subject,
        escape(status.organisation.as_str()),
        escape(state_words(status)),
        escape(&parties_reached(status)),
        escape(&time_words(as_of))
    );
    for line in status.calls.iter().flat_map(calls::lines) {
        writeln!(body, "<p><strong>{}</strong></p>", escape(&line)).ok();
    }
    if !place.is_empty() {
        writeln!(body, "<pre>{}</pre>", escape(&place)).ok();
    }
    let attached = page.attachment_lines();
    if !attached.is_empty() {
        body += "<h2>Attachments</h2>\n";
        writeln!(body, "<pre>{}</pre>", escape(&attached.join("\n"))).ok();
    }
    body += "<h2>Revisions</h2>\n<ul>\n";
    for revision in &status.revisions {
        writeln!(body, "<li>{}</li>", escape(&revision_line(revision))).ok();
    }
    for line in &page.mend {
        writeln!(body, "<li><strong>{}</strong></li>", escape(line)).ok();
    }
    body += "</ul>\n<h2>Parties</h2>\n";
    for party in &status.parties {
        let mut lines = party_lines(party, page).into_iter();
        if let Some(first) = lines.next() {
            writeln!(body, "<h3>{}</h3>\n<ul>", escape(&first)).ok();
        }
        for line in lines {
            writeln!(body, "<li>{}</li>", escape(line.trim())).ok();
        }
        body += "</ul>\n";
    }
    let threads = page.thread_lines();
    if !threads.is_empty() {
        body += "<h2>Queries and warnings</h2>\n";
        writeln!(body, "<pre>{}</pre>", escape(&threads.join("\n"))).ok();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ack::AckState;
    use crate::domain::check::Flag;
    use crate::domain::exchange::{ThreadKind, ThreadState};
    use crate::domain::ids::{Nid, Revision};
    use crate::domain::notification::{Subject, Tier};
    use crate::wire::api::{AckStatus, PartyStatus, RelayStatus, ThreadStatus};
    use crate::wire::claims::Checked;
    use crate::wire::parts::AckDetail;

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
            transcribed: false,
        };
        let party = |name: &str, acknowledgements| PartyStatus {
            party: name.parse().expect("a slug"),
            tier: Tier::Exact,
            fetched_at: None,
            without_device: false,
            relayed: Vec::new(),
            held_back: None,
            acknowledgements,
        };
        NotificationStatus {
            reference: nid.reference(),
            nid,
            organisation: "msf".parse().expect("a slug"),
            subject: Subject::Site,
            calls: Vec::new(),
            state: NotificationState::Current,
            closed_by_time: false,
            revisions: vec![RevisionStatus {
                rev: Revision::FIRST,
                of: Digest::of(b"x"),
                pos: LogPosition(7),
                at,
                kind: "site".into(),
                screening: ScreeningState::Submitted,
                checked: vec![],
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
            threads: Vec::new(),
        }
    }

    fn page(status: NotificationStatus) -> Page {
        Page::of(status, Role::Organisation, None)
    }

    /// A page of a desk that could open everything.
    fn opened() -> Page {
        let said = serde_json::json!({
            "officer": {"name": "Maj. Karim", "post": "liaison\n\u{1b}[1A"},
            "items": [{
                "nid": example().nid, "question": "Which gate <north>?", "reason": "outside our area",
                "entered": {"list": "NSL", "version": "7", "number": "A-17", "typed": "42SVF8769463602"},
            }],
        });
        let place = serde_json::json!({
            "type": "Feature", "geometry": {"type": "Point", "coordinates": [68.8, 36.7]},
            "properties": {"category": "food_distribution", "name": "Bakery North", "relation": "run"},
        });
        let status = example();
        let mut detail: AckDetail = serde_json::from_value(said).expect("a detail");
        for item in &mut detail.items {
            item.nid = status.nid;
        }
        let said = Said::of(detail, status.nid);
        Page {
            place: Some(serde_json::from_value(place).expect("a place")),
            said: [(Digest::of(b"ack"), said)].into(),
            ..page(status)
        }
    }

    #[test]
    fn the_page_says_what_is_asked_by_whom_and_where_it_was_entered() {
        let page = opened();
        let now = time::OffsetDateTime::UNIX_EPOCH;
        for shown in [
            text(&page, now),
            html(&page, now).replace("&lt;north&gt;", "<north>"),
        ] {
            for part in [
                "ASKS: Which gate <north>?",
                "said by Maj. Karim, liaison",
                "entered on NSL, version 7, number A-17, at 42SVF8769463602",
                "reason: outside our area",
                "Bakery North",
                "Food distribution point",
            ] {
                assert!(shown.contains(part), "{part} is missing in:\n{shown}");
            }
            assert!(!shown.contains('\u{1b}'));
        }
        let value = page.json();
        assert_eq!(value["name"], "Bakery North");
        let said = &value["parties"][0]["acknowledgements"][1]["said"];
        assert_eq!(said["question"], "Which gate <north>?");
        assert_eq!(said["entered"]["number"], "A-17");
        assert_eq!(said["officer"]["name"], "Maj. Karim");
    }

    #[test]
    fn a_letter_and_a_package_stand_apart_and_count_neither_as_signed_nor_as_reached() {
        let mut status = example();
        for party in &mut status.parties {
            for ack in &mut party.acknowledgements {
                (ack.transcribed, ack.latest) = (true, true);
            }
            party
                .acknowledgements
                .retain(|a| a.state != AckState::ReachedDesk);
            party.without_device = true;
            party.relayed = vec![RelayStatus {
                rev: Revision::FIRST,
                latest: true,
                at: time::OffsetDateTime::UNIX_EPOCH,
                of: Digest::of(b"relay"),
            }];
        }
        let line = summary(&status, None);
        assert!(
            line.ends_with(
                "of 3 parties: 1 relayed to, nothing signed; 2 by a transcribed letter, nothing signed"
            ),
            "{line}"
        );
        let now = time::OffsetDateTime::UNIX_EPOCH;
        let page = Page::of(status, Role::Organisation, None);
        for shown in [text(&page, now), html(&page, now)] {
            for part in [
                "has no device here",
                "relayed by the coordinator",
                "not signed by the party, and not counted as reached",
                "TRANSCRIBED from a letter",
            ] {
                assert!(shown.contains(part), "{part} is missing in:\n{shown}");
            }
        }
        assert_eq!(
            page.json()["parties"][0]["acknowledgements"][0]["transcribed"],
            true
        );
    }

    #[test]
    fn what_has_not_come_here_yet_is_said_to_be_missing_and_how_to_fetch_it() {
        let now = time::OffsetDateTime::UNIX_EPOCH;
        assert!(text(&page(example()), now).contains("herald listen --once"));
        let party = Page::of(example(), Role::PartyDesk, None);
        assert!(!text(&party, now).contains("herald listen"));
    }

    #[test]
    fn the_overview_names_the_place_where_the_desk_may_open_it() {
        let status = example();
        let line = summary(&status, Some("Trauma\nCentre"));
        assert!(line.contains("\"Trauma Centre\", site of msf"), "{line}");
        assert!(!summary(&status, None).contains('"'));
    }

    #[test]
    fn the_page_says_who_has_it_who_is_silent_and_that_it_is_no_permission() {
        let page = text(&page(example()), time::OffsetDateTime::UNIX_EPOCH);
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
    fn a_screened_revision_says_exactly_what_was_looked_at() {
        let mut status = example();
        for revision in &mut status.revisions {
            revision.screening = ScreeningState::Screened;
            revision.checked = vec![Checked::Form];
        }
        let page = page(status);
        let now = time::OffsetDateTime::UNIX_EPOCH;
        for shown in [text(&page, now), html(&page, now)] {
            assert!(shown.contains("looked at: form)"), "{shown}");
            assert!(!shown.contains("sender"), "{shown}");
        }
        assert_eq!(
            page.json()["revisions"][0]["checked"],
            serde_json::json!(["form"])
        );
    }

    #[test]
    fn a_device_that_took_it_is_not_counted_as_an_officer_who_answered() {
        let mut status = example();
        for party in &mut status.parties {
            party
                .acknowledgements
                .retain(|a| a.state == AckState::ReachedDesk);
        }
        let line = summary(&status, None);
        assert!(
            line.ends_with("of 3 parties: 2 silent; 1 reached, no officer has answered"),
            "{line}"
        );
    }

    #[test]
    fn a_party_that_asks_is_not_counted_as_one_that_has_said_all() {
        let mut status = example();
        for ack in status
            .parties
            .iter_mut()
            .flat_map(|p| &mut p.acknowledgements)
        {
            ack.state = AckState::Queried;
        }
        let line = summary(&status, None);
        assert!(
            line.ends_with("2 silent; 1 ASKING: see its status"),
            "{line}"
        );
        // Once it was replied to, it has its answer.
        status.threads = vec![thread(&status, ThreadState::Open)];
        assert!(summary(&status, None).ends_with("1 ASKING: see its status"));
        status.threads = vec![thread(&status, ThreadState::Replied)];
        assert!(summary(&status, None).ends_with("2 silent; 1 answered by an officer"));
    }

    fn thread(on: &NotificationStatus, state: ThreadState) -> ThreadStatus {
        let at = time::OffsetDateTime::UNIX_EPOCH;
        ThreadStatus {
            kind: ThreadKind::Query,
            of: Digest::of(b"ack"),
            reference: on.reference.clone(),
            nid: on.nid,
            rev: Revision::FIRST,
            organisation: on.organisation.clone(),
            party: "east".parse().expect("a slug"),
            at,
            state,
            due: Some(at),
            replies: 0,
            reply: None,
            replied_at: None,
        }
    }

    #[test]
    fn the_page_says_what_waits_for_a_reply_even_where_its_words_have_not_come() {
        let mut status = example();
        status.threads = vec![thread(&status, ThreadState::Overdue)];
        let now = time::OffsetDateTime::UNIX_EPOCH;
        for shown in [text(&page(status.clone()), now), html(&page(status), now)] {
            assert!(shown.contains("Queries and warnings"), "{shown}");
            assert!(shown.contains("OVERDUE: no reply, asked for by"), "{shown}");
        }
    }

    #[test]
    fn a_party_that_has_not_heard_of_a_withdrawal_is_silent_on_it() {
        let mut status = example();
        for party in &mut status.parties {
            party.tier = Tier::Withdrawn;
        }
        assert!(summary(&status, None).ends_with("no party chosen"));
        status.state = NotificationState::Withdrawn;
        let page = text(&page(status), time::OffsetDateTime::UNIX_EPOCH);
        assert!(page.contains("of 3 parties: 2 silent"), "{page}");
        assert!(!page.contains("sees no longer"), "{page}");
    }

    #[test]
    fn what_has_ended_by_time_says_so_and_that_civilian_status_is_unchanged() {
        let mut ended = example();
        ended.revisions[0].flags.push(Flag::WindowEnded);
        let mut closed = ended.clone();
        closed.state = NotificationState::Closed;
        closed.closed_by_time = true;
        for (status, word) in [(ended, "HAS ENDED"), (closed, "closed by time")] {
            assert!(summary(&status, None).contains(word));
            let now = time::OffsetDateTime::UNIX_EPOCH;
            for shown in [text(&page(status.clone()), now), html(&page(status), now)] {
                assert!(shown.contains(word), "{shown}");
                assert!(shown.contains("civilian status unchanged"), "{shown}");
            }
        }
    }

    #[test]
    fn the_printed_page_says_the_same_and_carries_no_markup_of_a_sender() {
        let mut page = opened();
        if let Some(place) = &mut page.place {
            place.properties.name = "<script>alert(1)</script> & \"more\"".to_owned();
        }
        let page = html(&page, time::OffsetDateTime::UNIX_EPOCH);
        assert!(!page.contains("<script>") && page.contains("&lt;script&gt;"));
        assert!(page.contains("SILENT: nothing signed") && page.contains("no access"));
    }

    #[test]
    fn no_word_of_the_page_reads_as_approval_or_protection() {
        let page = text(&opened(), time::OffsetDateTime::UNIX_EPOCH)
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
