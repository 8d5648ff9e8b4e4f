//! The desk's one list: notes of the officer before, calls for help, what needs this desk, and what changed since this
//! device last looked. The look moves only when the whole answer arrived and was shown, so that a line that breaks hides
//! nothing.

use serde_json::{Value, json};

use super::api::Api;
use super::desk_api::Between;
use super::error::CliError;
use super::exit::Exit;
use super::handover::{self, Left};
use super::opened::Opened;
use super::profile::Profile;
use super::received::Readers;
use super::words::{add, flag_words, kind_words, plain, time_words};
use super::{Context, calls, directory, exchange};
use crate::domain::ack::AckState;
use crate::domain::actor::Role;
use crate::domain::ids::Issuer;
use crate::domain::kind::Kind;
use crate::domain::notification::ScreeningState;
use crate::domain::plural::count;
use crate::wire::api::NotificationStatus;
use crate::wire::desk::{Change, Queue};

const EXAMPLES: &str = "\
Examples:
  herald queue                 what needs you, and what changed since this device last looked
  herald queue --all           everything that needs you, also what you have seen
  herald queue --peek          without moving the look: the next queue shows the same again
  herald queue --json

For the coordinator: actors whose fingerprint is to be compared, and revisions that nobody has looked at. For a party: \
what no officer has said to have received. For an organisation: what was returned to it, what waits for a second \
signature, and queries that wait for a reply; what its parties said, `herald status` shows.";

/// Handover notes that are shown at once.
const NOTES: usize = 20;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Everything that waits, also what was there when this device last looked
    #[arg(long)]
    pub all: bool,
    /// Do not move this device's look
    #[arg(long)]
    pub peek: bool,
}

/// Shows what waits, and what changed.
///
/// # Errors
/// [`CliError`]; the look has not moved then.
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let (profile, api) = context.connect()?;
    let queue = api.queue(args.all).await?;
    let changes = match queue.look {
        // The first look shows all that waits; what was ever said stands in `herald status` and `herald daily`.
        None => Vec::new(),
        Some(look) => {
            let since = Between {
                after: look.pos,
                upto: Some(queue.upto),
                ..Between::default()
            };
            let all = api.changes(since).await?;
            let me = profile.issuer();
            all.into_iter().filter(|c| is_news(c, &me)).collect()
        }
    };
    let notes = match queue.look {
        Some(_) => notes(&profile, &api, &changes).await?,
        None => handover::last_notes(&profile, NOTES, |_| true)?,
    };
    let shown = Shown {
        opened: Opened::of(&profile).ok(),
        role: profile.me().role,
        queue: &queue,
        changes: &changes,
        notes: &notes,
    };
    context.out.emit(&shown.json(), || shown.text());
    // Whoever reads our output and has gone has not seen it.
    if !args.peek && !context.out.is_closed() {
        api.looked(queue.upto).await?;
    }
    Ok(Exit::Ok)
}

/// What this very device said is no news to it; nor is what a desk's devices say by themselves.
fn is_news(change: &Change, me: &Issuer) -> bool {
    let automatic = change.kind == Kind::Ack
        && change.word.as_deref() == Some(AckState::ReachedDesk.as_str())
        && change.by.actor == me.actor;
    change.by != *me && !automatic && change.kind != Kind::Renew
}

/// The notes among the changes, opened; the newest first.
async fn notes(profile: &Profile, api: &Api, changes: &[Change]) -> Result<Vec<Left>, CliError> {
    let left = changes.iter().rev().filter(|c| c.kind == Kind::Handover);
    let seqs: Vec<_> = left.filter_map(|change| change.seq).take(NOTES).collect();
    if seqs.is_empty() {
        return Ok(Vec::new());
    }
    let trust = directory::trust(profile, api).await?;
    let readers = Readers::of(profile)?;
    let mut notes = Vec::with_capacity(seqs.len());
    for seq in seqs {
        let (event, _) = api.event(seq).await?;
        notes.extend(handover::open(&event, &trust, &readers));
    }
    Ok(notes)
}

struct Shown<'a> {
    opened: Option<Opened<'a>>,
    role: Role,
    queue: &'a Queue,
    changes: &'a [Change],
    notes: &'a [Left],
}

impl Shown<'_> {
    /// As the server says it, with `changes` and `handovers` beside.
    fn json(&self) -> Value {
        let mut value = json!(self.queue);
        if let Some(object) = value.as_object_mut() {
            let notes: Vec<Value> = self.notes.iter().map(Left::json).collect();
            object.insert("changes".to_owned(), json!(self.changes));
            object.insert("handovers".to_owned(), json!(notes));
        }
        value
    }

    fn text(&self) -> String {
        let mut text = String::new();
        handover::above(&mut text, self.notes);
        for line in self.queue.calls.iter().flat_map(calls::lines) {
            add(&mut text, format_args!("{line}\n"));
        }
        if !self.queue.calls.is_empty() {
            text += "Next: herald respond HN-… --officer \"…\", and call\n";
        }
        self.admissions(&mut text);
        self.unreached(&mut text);
        self.needs(&mut text);
        self.threads(&mut text);
        self.changed(&mut text);
        if text.is_empty() {
            text += "Nothing waits.\n";
        }
        text
    }

    fn admissions(&self, text: &mut String) {
        for waiting in &self.queue.admissions {
            add(
                text,
                format_args!(
                    "{} ({}), {}: not admitted yet. Ask for the fingerprint on a number that you know:\n  the server shows {}\n  herald admit {} --fingerprint \"as read to you\"\n",
                    waiting.actor,
                    plain(&waiting.name),
                    waiting.kind,
                    waiting.root.digest().fingerprint(),
                    waiting.actor
                ),
            );
        }
    }

    fn unreached(&self, text: &mut String) {
        for unreached in &self.queue.unreached {
            add(
                text,
                format_args!(
                    "{} ({}): nudges by {} do not get through since {}; call them\n",
                    unreached.actor,
                    unreached.device,
                    unreached.way,
                    time_words(unreached.since)
                ),
            );
        }
    }

    fn needs(&self, text: &mut String) {
        for notification in &self.queue.notifications {
            text.push_str(&self.line(notification));
        }
        if self.queue.more > 0 {
            add(text, format_args!("and {} more\n", self.queue.more));
        }
        if self.queue.seen > 0 {
            let oldest = self.queue.oldest_seen.as_ref();
            let oldest = oldest.map_or_else(String::new, |of| format!(", the oldest {of}"));
            add(
                text,
                format_args!(
                    "since before your last look: {}{oldest}: herald queue --all\n",
                    count(self.queue.seen, "notification")
                ),
            );
        }
        if self.queue.notifications.is_empty() {
            return;
        }
        *text += match self.role {
            Role::Coordinator => {
                "Next: herald screen HN-… --looked-at form, or herald screen HN-… --return --reason \"…\"\n"
            }
            Role::Organisation => {
                "Next: mend and notify the next revision, or herald cosign HN-…\n"
            }
            _ => "Next: herald ack HN-… --received --officer \"…\"\n",
        };
    }

    fn line(&self, notification: &NotificationStatus) -> String {
        let latest = notification.revisions.last();
        let revision = latest.map_or_else(String::new, |r| {
            let flags: Vec<_> = r.flags.iter().map(|flag| flag_words(*flag)).collect();
            let flags = if flags.is_empty() {
                String::new()
            } else {
                format!("  [{}]", flags.join("; "))
            };
            format!("revision {}  since {}{flags}", r.rev, time_words(r.at))
        });
        let mut line = format!(
            "{}  {} of {}  {revision}\n",
            notification.reference, notification.subject, notification.organisation
        );
        let returned = latest.is_some_and(|r| r.screening == ScreeningState::Returned);
        if returned && let Some(opened) = &self.opened {
            for reason in super::mend::lines(opened, notification.nid) {
                add(&mut line, format_args!("    {reason}\n"));
            }
        }
        line
    }

    fn threads(&self, text: &mut String) {
        for status in &self.queue.threads {
            let thread = exchange::Thread::of(status, self.opened.as_ref());
            for line in thread.lines(status).into_iter().take(1) {
                add(text, format_args!("{}  {line}\n", status.reference));
            }
        }
        if !self.queue.threads.is_empty() {
            *text += "Next: herald threads, then herald reply HN-…\n";
        }
    }

    fn changed(&self, text: &mut String) {
        let mut news = self.changes.iter().filter(|c| c.kind != Kind::Handover);
        let mut news: Vec<&Change> = news.by_ref().collect();
        if news.is_empty() {
            return;
        }
        news.reverse();
        let since = self.queue.look.map(|look| time_words(look.at));
        add(
            text,
            format_args!("Since your last look, {}:\n", since.unwrap_or_default()),
        );
        for change in news {
            add(text, format_args!("  {}\n", change_words(change)));
        }
    }
}

/// A change in a line: its serial, when, about what, what, by whom.
pub fn change_words(change: &Change) -> String {
    let mut about: Vec<String> = change
        .about
        .iter()
        .map(|of| format!("{} revision {}", of.reference, of.rev))
        .collect();
    if change.more > 0 {
        about.push(format!("{} more", change.more));
    }
    let about = if about.is_empty() {
        String::new()
    } else {
        format!("  {}", about.join(", "))
    };
    let word = change
        .word
        .as_deref()
        .map_or_else(String::new, |word| format!(": {}", plain(word)));
    let to = change
        .to
        .as_ref()
        .map_or_else(String::new, |to| format!(" ({to})"));
    let behalf = change.on_behalf.as_ref().map_or_else(String::new, |of| {
        format!(" for {of}, which has not signed it")
    });
    format!(
        "#{} {}{about}  {}{word}{to} by {}{behalf}",
        change.pos,
        time_words(change.at),
        kind_words(change.kind),
        change.by.actor
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::digest::{Digest, Kid};
    use crate::domain::actor::ActorKind;
    use crate::domain::ids::LogPosition;
    use crate::wire::api::PendingAdmission;
    use crate::wire::parts::HandoverNote;

    fn queue() -> Queue {
        Queue {
            calls: Vec::new(),
            notifications: Vec::new(),
            admissions: Vec::new(),
            threads: Vec::new(),
            unreached: Vec::new(),
            more: 0,
            seen: 0,
            oldest_seen: None,
            look: None,
            upto: LogPosition(1),
            next: None,
        }
    }

    fn shown<'a>(queue: &'a Queue, notes: &'a [Left]) -> Shown<'a> {
        Shown {
            opened: None,
            role: Role::Coordinator,
            queue,
            changes: &[],
            notes,
        }
    }

    #[test]
    fn a_name_cannot_write_a_line_of_its_own_into_the_queue() {
        let waiting = PendingAdmission {
            actor: "msf".parse().expect("a slug"),
            kind: ActorKind::Organisation,
            name: "Relief\n  the server shows 0000 \u{1b}[1A".to_owned(),
            root: Kid::from_digest(Digest::of(b"root")),
        };
        let queue = Queue {
            admissions: vec![waiting],
            ..queue()
        };
        let text = shown(&queue, &[]).text();
        let lines = text.lines();
        assert_eq!(
            lines
                .filter(|line| line.starts_with("  the server shows"))
                .count(),
            1
        );
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn a_note_stands_on_top_and_what_was_seen_before_is_counted_and_never_passed_over() {
        let note = Left {
            by: "ocha/aaaaaaaa".parse().expect("an issuer"),
            at: time::OffsetDateTime::UNIX_EPOCH,
            note: HandoverNote {
                text: "East answers on the satphone only.\n\u{1b}[2J".to_owned(),
                about: Vec::new(),
                officer: None,
            },
        };
        let queue = Queue {
            seen: 3,
            oldest_seen: Some("HN-WD2P-F2DD".parse().expect("a reference")),
            ..queue()
        };
        let text = shown(&queue, &[note]).text();
        assert!(text.starts_with("HANDOVER"), "{text}");
        assert!(!text.contains('\u{1b}'));
        assert!(
            text.contains("since before your last look: 3 notifications, the oldest HN-WD2P-F2DD: herald queue --all"),
            "{text}"
        );
    }
}
