//! The desk's day as a page to print: what was notified, changed and withdrawn, screened and returned, who acknowledged
//! which revision, who is silent, what is open, calls for help, certificates, the parties, and the notes of the officers.
//! Positions stand beside everything, so that paper and log can be held against each other. Names and words are opened
//! here, from what came to this device; the page says where something has not.

use std::fmt::Write as _;
use std::path::PathBuf;

use time::{Date, Duration, OffsetDateTime, UtcOffset};

use super::api::Api;
use super::desk_api::Between;
use super::error::CliError;
use super::exit::Exit;
use super::handover::{self, Left};
use super::html::{self, escape, named};
use super::opened::Opened;
use super::profile::{self, Profile};
use super::status::FOOT;
use super::words::{ack_words, plain, time_words};
use super::{Context, alert, calls, drill, exchange, mend, silence};
use crate::domain::ids::{Nid, Seq};
use crate::domain::kind::Kind;
use crate::domain::plural::count;
use crate::spatial::parse::format_dtg;
use crate::wire::api::{CallStatus, ThreadStatus};
use crate::wire::claims::Claims;
use crate::wire::desk::{Change, Silence};
use crate::wire::parts::{AlertDetail, Reason, name};

const EXAMPLES: &str = "\
Examples:
  herald daily --html day.html                       today so far, in UTC
  herald daily --date 2026-11-23 --html day.html

Run `herald listen --once` before: names, officers and reasons are opened from what has come to this device.";

/// Notes that are printed.
const NOTES: usize = 200;

/// The tables of the day, and the kinds of statements in each; notes stand above them.
const SECTIONS: &[(&str, &[Kind])] = &[
    (
        "Notified, changed, withdrawn",
        &[Kind::Site, Kind::Movement, Kind::Withdraw, Kind::Close],
    ),
    ("Screened and returned", &[Kind::Screen, Kind::Cosign]),
    ("Acknowledged", &[Kind::Ack]),
    (
        "Relayed by other means: neither signed by the party nor reached",
        &[Kind::Relay],
    ),
    (
        "Progress and confirmations",
        &[Kind::Progress, Kind::Confirm],
    ),
    ("Queries, warnings and replies", &[Kind::Warn, Kind::Reply]),
    (
        "Calls for help, answers and how they ended",
        &[Kind::Distress, Kind::Respond, Kind::Resolve],
    ),
    (
        "What time has brought: overdue words and certificates",
        &[Kind::Alert, Kind::Notice],
    ),
    (
        "Admissions, policy and devices",
        &[
            Kind::Admit,
            Kind::Policy,
            Kind::Invite,
            Kind::Keys,
            Kind::Revoke,
            Kind::Duty,
            Kind::Renew,
        ],
    ),
];

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The day, in UTC: 2026-11-23
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_date)]
    pub date: Option<Date>,
    /// Write the page into this file
    #[arg(long, value_name = "FILE")]
    pub html: PathBuf,
}

/// A day as an argument.
///
/// # Errors
/// What it should be.
fn parse_date(text: &str) -> Result<Date, String> {
    Date::parse(
        text,
        time::macros::format_description!("[year]-[month]-[day]"),
    )
    .map_err(|_| "a day is written like 2026-11-23".to_owned())
}

/// Writes the page.
///
/// # Errors
/// When the day is still to come, or [`CliError`].
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let now = context.clock.now().to_offset(UtcOffset::UTC);
    let date = args.date.unwrap_or_else(|| now.date());
    if date > now.date() {
        return Err(CliError::refused(
            format!("{date} is still to come"),
            "Name a day that has begun, in UTC.",
        ));
    }
    let (profile, api) = context.connect()?;
    let day = Day::read(&profile, &api, date, now).await?;
    let mut page = day.page();
    if context.out.is_drill() {
        page = drill::page(&page);
    }
    profile::write_private(&args.html, page.as_bytes())?;
    context.out.note(format!(
        "Written to {}: {} of {date} (UTC). It may name places and people.",
        args.html.display(),
        count(day.changes.len(), "statement")
    ));
    Ok(Exit::Ok)
}

/// All that the page shows.
struct Day<'a> {
    date: Date,
    as_of: OffsetDateTime,
    who: String,
    changes: Vec<Change>,
    opened: Option<Opened<'a>>,
    silence: Silence,
    threads: Vec<ThreadStatus>,
    calls: Vec<CallStatus>,
    notes: Vec<Left>,
}

impl<'a> Day<'a> {
    async fn read(
        profile: &'a Profile,
        api: &Api,
        date: Date,
        now: OffsetDateTime,
    ) -> Result<Self, CliError> {
        let from = date.midnight().assume_utc();
        let until = from + Duration::days(1);
        let between = Between {
            from: Some(from),
            until: Some(until),
            ..Between::default()
        };
        let within = |us: u64| {
            let at = i128::from(us) * 1_000;
            at >= from.unix_timestamp_nanos() && at < until.unix_timestamp_nanos()
        };
        Ok(Self {
            date,
            as_of: now,
            who: profile.me().actor.to_string(),
            changes: api.changes(between).await?,
            opened: Opened::of(profile).ok(),
            silence: api.silence().await?,
            threads: api.threads().await?.threads,
            calls: api.calls().await?.calls,
            notes: handover::last_notes(profile, NOTES, within)?,
        })
    }

    fn page(&self) -> String {
        let title = format!("{} {}", self.who, self.date);
        let mut body = format!(
            "<h1>The day of {}, {} (UTC)</h1>\n<p class=\"as-of\">As of {}. What is open, silent or unanswered is shown as it stands then; the rest is of the day.</p>\n",
            escape(&self.who),
            self.date,
            escape(&time_words(self.as_of))
        );
        self.handovers(&mut body);
        self.distress(&mut body);
        for (title, kinds) in SECTIONS {
            let of = self.changes.iter().filter(|c| kinds.contains(&c.kind));
            self.table(&mut body, title, of);
        }
        self.open_threads(&mut body);
        body += "<h2>Silence</h2>\n";
        body += &silence::table(&self.silence);
        self.parties(&mut body);
        html::page(&title, &body, &format!("{} {FOOT}", self.silence.says))
    }

    fn handovers(&self, body: &mut String) {
        *body += "<h2>Handover notes</h2>\n";
        if self.notes.is_empty() {
            *body += "<p class=\"none\">None.</p>\n";
        }
        for left in &self.notes {
            let mut lines = left.lines().into_iter();
            // Writing to a string cannot fail.
            write!(body, "<p>{}</p>", escape(&lines.next().unwrap_or_default())).ok();
            let text: Vec<String> = lines.map(|line| escape(line.trim_start())).collect();
            writeln!(
                body,
                "<blockquote dir=\"auto\">{}</blockquote>",
                text.join("\n")
            )
            .ok();
        }
    }

    /// Calls that are not ended, before all that is of the day.
    fn distress(&self, body: &mut String) {
        for line in self.calls.iter().flat_map(calls::lines) {
            writeln!(body, "<p class=\"loud\">{}</p>", escape(&line)).ok();
        }
    }

    fn open_threads(&self, body: &mut String) {
        *body += "<h2>Open queries and warnings</h2>\n";
        if self.threads.is_empty() {
            *body += "<p class=\"none\">None.</p>\n";
        }
        for status in &self.threads {
            let thread = exchange::Thread::of(status, self.opened.as_ref());
            let lines: Vec<String> = thread.lines(status).iter().map(|l| escape(l)).collect();
            writeln!(
                body,
                "<p>{} {}</p><blockquote dir=\"auto\">{}</blockquote>",
                escape(status.reference.as_str()),
                self.name(status.nid),
                lines.join("\n")
            )
            .ok();
        }
    }

    fn parties(&self, body: &mut String) {
        let standing = |party| Some((party, silence::standing_words(party)?));
        let marked: Vec<_> = self.silence.parties.iter().filter_map(standing).collect();
        *body += "<h2>Parties that are suspended, have left, or have no device</h2>\n";
        if marked.is_empty() {
            *body += "<p class=\"none\">None.</p>\n";
        }
        for (party, words) in marked {
            writeln!(
                body,
                "<p>{} {}: {}</p>",
                escape(party.party.as_str()),
                named(&plain(&party.name)),
                escape(&words)
            )
            .ok();
        }
    }

    /// A table of statements, each with its serial and its moment.
    fn table<'c>(&self, body: &mut String, title: &str, changes: impl Iterator<Item = &'c Change>) {
        writeln!(body, "<h2>{}</h2>", escape(title)).ok();
        let mut rows = changes.peekable();
        if rows.peek().is_none() {
            *body += "<p class=\"none\">None.</p>\n";
            return;
        }
        *body += "<table><thead><tr><th class=\"n\">serial</th><th>at</th><th>about</th><th>what</th><th>by</th></tr></thead><tbody>\n";
        for change in rows {
            writeln!(
                body,
                "<tr><td class=\"n\">{}</td><td class=\"t\">{}</td><td>{}</td><td>{}</td><td class=\"t\">{}</td></tr>",
                change.pos,
                escape(&format_dtg(change.at)),
                self.about(change),
                self.what(change),
                by(change)
            )
            .ok();
        }
        *body += "</tbody></table>\n";
    }

    fn name(&self, nid: Nid) -> String {
        let place = self.opened.as_ref().and_then(|opened| opened.place(nid));
        place.map_or_else(String::new, |place| {
            let p = place.properties;
            let local = p
                .name_local
                .map_or_else(String::new, |local| format!(" {}", named(&plain(&local))));
            format!("{}{local}", named(&plain(&p.name)))
        })
    }

    fn about(&self, change: &Change) -> String {
        let mut about: Vec<String> = change
            .about
            .iter()
            .map(|of| {
                let name = self.name(of.nid);
                format!("{} rev {} {name}", escape(of.reference.as_str()), of.rev)
            })
            .collect();
        if change.more > 0 {
            about.push(format!("and {} more", change.more));
        }
        let to = change
            .to
            .as_ref()
            .filter(|_| about.is_empty() || change.kind == Kind::Relay);
        if let Some(to) = to {
            about.push(escape(to.as_str()));
        }
        about.join("<br>")
    }

    /// What was said: the public word, and what could be opened of it.
    fn what(&self, change: &Change) -> String {
        let mut what = vec![escape(&word(change))];
        let about = change.about.first().map(|of| of.nid);
        if let (Some(opened), Some(seq)) = (&self.opened, change.seq) {
            what.extend(opened_words(opened, seq, about));
        }
        what.join("<br>")
    }
}

/// What of a statement could be opened here.
fn opened_words(opened: &Opened<'_>, seq: Seq, about: Option<Nid>) -> Vec<String> {
    let Some(received) = opened.event(seq) else {
        return vec!["<em>not here yet: herald listen --once</em>".to_owned()];
    };
    let mut words = Vec::new();
    match &received.claims {
        Claims::Ack(_) => {
            let said = about
                .and_then(|nid| Some(super::opened::Said::of(received.part(name::DETAIL)?, nid)));
            if let Some(said) = said {
                words.extend(said.officer.map(|officer| {
                    let post = officer.post.map_or_else(String::new, |p| format!(", {p}"));
                    format!(
                        "officer {}{}",
                        named(&plain(&officer.name)),
                        escape(&plain(&post))
                    )
                }));
                words.extend(
                    said.question
                        .map(|q| format!("asks: {}", named(&plain(&q)))),
                );
                words.extend(
                    said.reason
                        .map(|r| format!("reason: {}", named(&plain(&r)))),
                );
            }
        }
        Claims::Alert(_) => {
            if let Some(detail) = received.part::<AlertDetail>(name::DETAIL) {
                words.push(format!(
                    "<strong>{}</strong>",
                    escape(&alert::words(&detail))
                ));
                let items = detail.items.iter().take(12);
                let items: Vec<String> = items
                    .map(|i| format!("{} rev {}", i.nid.reference(), i.rev))
                    .collect();
                words.push(escape(&items.join(", ")));
            }
        }
        _ => {
            let reason: Option<Reason> = received.part(name::REASON);
            let reason = reason.map(|reason| format!("reason: {}", plain(&reason.text)));
            let lines = mend::of(&received).into_iter().chain(reason);
            words.extend(lines.map(|line| named(&line)));
        }
    }
    words
}

/// Who signed: the actor, and below it the device; and for whom, when that is another.
fn by(change: &Change) -> String {
    let device = change.by.device.as_ref();
    let device = device.map_or_else(|| "root".to_owned(), ToString::to_string);
    let behalf = change.on_behalf.as_ref().map_or_else(String::new, |of| {
        format!("<br>for {},<br>not signed by it", escape(of.as_str()))
    });
    format!(
        "{}<br><small>{}</small>{behalf}",
        escape(change.by.actor.as_str()),
        escape(&device)
    )
}

/// The public word of a statement.
fn word(change: &Change) -> String {
    let word = change.word.as_deref();
    match (change.kind, word) {
        (Kind::Ack, Some(word)) => word
            .parse()
            .map_or_else(|_| word.to_owned(), |state| ack_words(state).to_owned()),
        (Kind::Screen, Some("screened")) => {
            "screened: what was named was looked at; it does not say that it is true".to_owned()
        }
        (Kind::Withdraw | Kind::Close, word) => format!(
            "{}{}: no longer notified; civilian status unchanged",
            change.kind,
            word.map_or_else(String::new, |word| format!(" ({word})"))
        ),
        (kind, Some(word)) => format!("{}: {}", super::words::kind_words(kind), plain(word)),
        (kind, None) => super::words::kind_words(kind).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_kind_of_statement_is_left_out_of_the_day() {
        for kind in Kind::ALL {
            let tables = SECTIONS.iter().filter(|(_, kinds)| kinds.contains(kind));
            let expected = kind.takes_position() && *kind != Kind::Handover;
            assert_eq!(tables.count(), usize::from(expected), "{kind}");
        }
    }
}
