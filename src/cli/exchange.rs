//! What was asked, alleged and replied, as this device received it and checked it itself: the server's pages say where a
//! thread stands, the words come from the signed statements alone.

use serde::Serialize;
use time::OffsetDateTime;

use super::Context;
use super::error::CliError;
use super::find::Named;
use super::inbox::Entry;
use super::opened::{Opened, Said};
use super::received::Received;
use super::words::{add, plain, time_words};
use crate::crypto::digest::Digest;
use crate::domain::ack::AckState;
use crate::domain::exchange::{Answer, Ask, ThreadKind, ThreadState};
use crate::domain::ids::{ActorId, Nid, Revision};
use crate::spatial::parse::parse_time;
use crate::wire::api::ThreadStatus;
use crate::wire::claims::Claims;
use crate::wire::parts::{AckDetail, Person, ReplyDetail, Warning, name};

/// What a state of a thread means to whoever reads it.
pub const fn thread_words(state: ThreadState) -> &'static str {
    match state {
        ThreadState::Open => "no reply yet",
        ThreadState::Overdue => "OVERDUE: no reply",
        ThreadState::Replied => "replied to",
    }
}

/// What a party asks for.
pub const fn ask_words(ask: Ask) -> &'static str {
    match ask {
        Ask::Clarify => "asks to clarify",
        Ask::Delay => "asks that the movement wait",
        Ask::Reroute => "asks that the movement take another way",
    }
}

/// How an organisation replies.
pub const fn answer_words(answer: Answer) -> &'static str {
    match answer {
        Answer::Explained => "explains",
        Answer::Amended => "has amended it",
        Answer::Accepted => "does as asked",
        Answer::Declined => "declines",
    }
}

/// A reply in words, its revision included.
pub fn reply_words(reply: &ReplyDetail) -> String {
    let amended = reply
        .amended
        .map_or_else(String::new, |rev| format!(" (revision {rev})"));
    format!(
        "{}{amended}: {}",
        answer_words(reply.answer),
        plain(&reply.text)
    )
}

/// A time as typed, which must not be past.
///
/// # Errors
/// What is wrong with it.
pub fn moment(
    flag: &str,
    text: Option<&str>,
    zone: Option<&str>,
    context: &Context,
) -> Result<Option<OffsetDateTime>, CliError> {
    let Some(text) = text else { return Ok(None) };
    let typed = parse_time(text, zone).map_err(|error| {
        CliError::refused(
            format!("{flag}, column {}: {}", error.column(), error.message()),
            "Give a time like 031800ZMAY26 or 2026-05-03T18:00Z.",
        )
    })?;
    if typed.utc < context.clock.now() {
        return Err(CliError::refused(
            format!("{flag}: {} is past", time_words(typed.utc)),
            "Check day, month and year.",
        ));
    }
    Ok(Some(typed.utc))
}

/// A query or a warning, as it was received.
pub struct Asked {
    /// Hash of the statement.
    pub of: Digest,
    /// The revision.
    pub rev: Revision,
    /// Who asks or warns.
    pub party: ActorId,
    /// The words, if this desk could open them.
    pub text: Option<String>,
}

/// What a query or a warning says. `Debug` of its parts is sealed.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Words {
    /// A query.
    Query(Box<Said>),
    /// A warning.
    Warning(Box<Warning>),
}

impl Words {
    fn of(received: &Received, nid: Nid) -> Option<Self> {
        match &received.claims {
            Claims::Ack(_) => {
                let detail: AckDetail = received.part(name::DETAIL)?;
                Some(Self::Query(Box::new(Said::of(detail, nid))))
            }
            Claims::Warn(_) => received.part(name::DETAIL).map(Self::Warning),
            _ => None,
        }
    }

    /// For people, in one line.
    fn text(&self) -> String {
        match self {
            Self::Query(said) => format!(
                "{}: {}{}",
                ask_words(said.ask.unwrap_or(Ask::Clarify)),
                plain(said.question.as_deref().unwrap_or_default()),
                said.officer
                    .as_ref()
                    .map_or_else(String::new, officer_words)
            ),
            Self::Warning(warning) => {
                let cease = warning.cease_by.map_or_else(String::new, |by| {
                    format!("; asks that it cease by {}", time_words(by))
                });
                format!(
                    "alleges: {}{cease}{}. {}",
                    plain(&warning.alleges),
                    officer_words(&warning.officer),
                    plain(&warning.says)
                )
            }
        }
    }
}

fn officer_words(officer: &Person) -> String {
    let post = officer
        .post
        .as_ref()
        .map_or_else(String::new, |post| format!(", {}", plain(post)));
    format!(" ({}{post})", plain(&officer.name))
}

/// What was said in a thread, as far as it was received here.
pub struct Thread {
    /// What was asked or alleged.
    pub said: Option<Words>,
    /// The latest reply.
    pub answered: Option<ReplyDetail>,
    /// Who signed it on the organisation's behalf, where the organisation did not.
    pub answered_for: Option<ActorId>,
}

impl Thread {
    /// Of a thread as the server shows it, and the own inbox.
    pub fn of(thread: &ThreadStatus, opened: Option<&Opened<'_>>) -> Self {
        let received = |of: &Digest| opened?.statement(of);
        let reply = thread.reply.and_then(|of| received(&of));
        let claims = reply.as_ref().map(|reply| &reply.claims);
        let on_behalf = claims.filter(|claims| claims.on_behalf().is_some());
        Self {
            said: received(&thread.of).and_then(|asked| Words::of(&asked, thread.nid)),
            answered_for: on_behalf.map(|claims| claims.common().iss.actor),
            answered: reply.and_then(|reply| reply.part(name::DETAIL)),
        }
    }

    /// In lines: who asks, where it stands, and what was said.
    pub fn lines(&self, thread: &ThreadStatus) -> Vec<String> {
        let what = match thread.kind {
            ThreadKind::Query => "asks",
            ThreadKind::Warning => "warns",
        };
        let mut lines = vec![format!(
            "{} {what} {} (revision {}), {}: {}{}",
            thread.party,
            thread.organisation,
            thread.rev,
            time_words(thread.at),
            thread_words(thread.state),
            due_words(thread)
        )];
        lines.extend(self.said.as_ref().map(|said| format!("  {}", said.text())));
        if let Some(at) = thread.replied_at {
            let further = match thread.replies {
                0 | 1 => String::new(),
                several => format!(", the latest of {several} replies"),
            };
            let text = self
                .answered
                .as_ref()
                .map_or_else(String::new, |reply| format!(": {}", reply_words(reply)));
            let signed = self.answered_for.as_ref().map_or_else(String::new, |by| {
                format!(" (signed by {by} on its behalf, not by the organisation)")
            });
            lines.push(format!(
                "  {} replied {}{signed}{further}{text}",
                thread.organisation,
                time_words(at)
            ));
        }
        lines
    }
}

/// Everything that was asked or alleged of a notification, oldest first, and the hashes of what was replied to.
pub fn about(opened: &Opened<'_>, nid: Nid) -> (Vec<Asked>, Vec<Digest>) {
    let (mut found, mut replied) = (Vec::new(), Vec::new());
    for (entry, received) in opened.exchange_about(nid) {
        if let Claims::Reply(claims) = &received.claims {
            replied.push(claims.re);
        }
        found.extend(asked(entry, &received, nid));
    }
    (found, replied)
}

/// What a believed event asks or alleges of one notification.
fn asked(entry: &Entry, received: &Received, nid: Nid) -> Option<Asked> {
    let rev = match &received.claims {
        Claims::Ack(claims) => {
            let mut items = claims.items.iter();
            items
                .find(|i| i.nid == nid && i.state == AckState::Queried)?
                .rev
        }
        Claims::Warn(claims) => claims.rev,
        _ => return None,
    };
    Some(Asked {
        of: entry.of,
        rev,
        party: entry.speaks_for().clone(),
        text: Words::of(received, nid).map(|words| words.text()),
    })
}

fn due_words(thread: &ThreadStatus) -> String {
    match (thread.state, thread.due) {
        (ThreadState::Replied, _) | (_, None) => String::new(),
        (ThreadState::Open | ThreadState::Overdue, Some(due)) => {
            format!(", asked for by {}", time_words(due))
        }
    }
}

/// The one that is to be replied to: the one named; else the only one of that party that waits; else, when all were
/// replied to, the only one there is.
///
/// # Errors
/// When nothing was asked, or it is not plain which is meant.
pub fn to_reply(
    named: &Named,
    (asked, replied): (Vec<Asked>, Vec<Digest>),
    to: Option<&ActorId>,
    re: Option<&str>,
) -> Result<Asked, CliError> {
    let meant = |one: &Asked| {
        to.is_none_or(|to| *to == one.party)
            && re.is_none_or(|re| one.of.to_string().starts_with(re))
    };
    let all: Vec<Asked> = asked.into_iter().filter(meant).collect();
    let (waiting, answered): (Vec<Asked>, Vec<Asked>) =
        all.into_iter().partition(|one| !replied.contains(&one.of));
    let mut candidates = if waiting.is_empty() {
        answered
    } else {
        waiting
    };
    match (candidates.pop(), candidates.len()) {
        (Some(one), 0) => Ok(one),
        (None, _) => Err(CliError::refused(
            format!("no query or warning on {named} is among what this device has received"),
            "Run `herald listen --once`, then `herald threads`.",
        )),
        (Some(last), _) => {
            candidates.push(last);
            let mut lines = String::new();
            for one in &candidates {
                let text = one.text.as_deref().unwrap_or("it could not be opened here");
                add(
                    &mut lines,
                    format_args!("\n  --re {}  {}: {text}", one.of, one.party),
                );
            }
            Err(CliError::refused(
                format!("several queries or warnings on {named} wait for a reply:{lines}"),
                "Say which with --re, or whose with --to.",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(of: &[u8], party: &str) -> Asked {
        Asked {
            of: Digest::of(of),
            rev: Revision::FIRST,
            party: party.parse().expect("a slug"),
            text: Some("which?".to_owned()),
        }
    }

    fn pick(
        asked: Vec<Asked>,
        replied: &[&[u8]],
        to: Option<&str>,
        re: Option<&[u8]>,
    ) -> Result<Digest, String> {
        let named = Named::Nid(Nid::random());
        let replied = replied.iter().map(|of| Digest::of(of)).collect();
        let to: Option<ActorId> = to.map(|to| to.parse().expect("a slug"));
        let re = re.map(|of| Digest::of(of).to_string());
        to_reply(&named, (asked, replied), to.as_ref(), re.as_deref())
            .map(|one| one.of)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_reply_goes_to_the_one_that_waits_and_never_to_a_guess() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let two = || vec![one(b"a", "east"), one(b"b", "east")];
        assert_eq!(pick(vec![one(b"a", "east")], &[], None, None), Ok(a));
        assert_eq!(pick(two(), &[b"a"], None, None), Ok(b));
        let error = pick(two(), &[], None, None).expect_err("which?");
        assert!(
            error.contains(&a.to_string()) && error.contains(&b.to_string()),
            "{error}"
        );
        assert_eq!(pick(two(), &[], None, Some(b"a")), Ok(a));
        let parties = || vec![one(b"a", "east"), one(b"b", "west")];
        assert!(pick(parties(), &[], None, None).is_err());
        assert_eq!(pick(parties(), &[], Some("west"), None), Ok(b));
        assert!(pick(parties(), &[], Some("north"), None).is_err());
        assert!(pick(Vec::new(), &[], None, None).is_err());
        // A further reply, when all have one.
        assert_eq!(pick(vec![one(b"a", "east")], &[b"a"], None, None), Ok(a));
    }

    #[test]
    fn no_word_of_the_exchange_reads_as_permission_or_end_of_protection() {
        let states = ThreadState::ALL.iter().map(|s| thread_words(*s));
        let asks = Ask::ALL.iter().map(|a| ask_words(*a));
        let answers = Answer::ALL.iter().map(|a| answer_words(*a));
        for text in states.chain(asks).chain(answers) {
            for word in [
                "approv", "clear", "verified", "safe", "protect", "permi", "valid", "lost", "agree",
            ] {
                assert!(!text.contains(word), "{text}");
            }
        }
    }

    #[test]
    fn a_warning_always_shows_that_no_status_is_determined() {
        let warning = Warning {
            officer: Person {
                name: "Maj.\u{1b}[1m Karim".into(),
                post: None,
                phone: None,
            },
            alleges: "that it\nis empty".into(),
            cease_by: None,
            says: crate::domain::exchange::WARNING_SENTENCE.to_owned(),
        };
        let text = Words::Warning(Box::new(warning)).text();
        assert!(text.contains("determines no status"), "{text}");
        assert!(!text.contains('\n') && !text.contains('\u{1b}'), "{text}");
    }
}
