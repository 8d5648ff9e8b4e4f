//! The silence board: which parties have not answered, and for how long. Silence is said loudly, and never as if it
//! changed what is protected.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::error::CliError;
use super::exit::Exit;
use super::html::{self, escape, named};
use super::profile;
use super::words::{add, plain, time_words};
use super::{Context, drill};
use crate::domain::actor::ActorState;
use crate::wire::desk::{Ages, PartySilence, Silence};

const EXAMPLES: &str = "\
Examples:
  herald silence
  herald silence --html board.html      to print, or to hang up
  herald silence --json

For each party: how many of the latest revisions that it was told of no officer of it has said a word on, by how long ago \
they were received. The coordinator sees every party, an organisation those that it has named, a party itself.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Write a page to print into this file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// Shows the board.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let (_, api) = context.connect()?;
    let silence = api.silence().await?;
    if let Some(path) = args.html {
        let body = format!(
            "<h1>Silence</h1>\n<p class=\"as-of\">As of {}</p>\n{}",
            escape(&time_words(silence.as_of)),
            table(&silence)
        );
        let mut page = html::page("Silence", &body, &silence.says);
        if context.out.is_drill() {
            page = drill::page(&page);
        }
        profile::write_private(&path, page.as_bytes())?;
        context.out.note(format!("Written to {}.", path.display()));
        return Ok(Exit::Ok);
    }
    context.out.emit(&silence, || text(&silence));
    Ok(Exit::Ok)
}

/// Where a party stands, when that is not simply that it takes part.
pub fn standing_words(party: &PartySilence) -> Option<String> {
    let since = party
        .since
        .map_or_else(String::new, |at| format!(" since {}", time_words(at)));
    let kept = "; it has what it was told until then";
    let ends = || {
        let ends = party.ends?;
        Some(format!("ends taking part from {}", time_words(ends)))
    };
    match party.state {
        ActorState::Suspended => Some(format!("SUSPENDED{since}{kept}")),
        ActorState::Left => Some(format!("LEFT{since}{kept}")),
        ActorState::Invited | ActorState::Enrolled => Some("not admitted yet".to_owned()),
        ActorState::Admitted if party.no_device => Some("NO DEVICE".to_owned()),
        ActorState::Admitted => ends(),
    }
}

fn text(silence: &Silence) -> String {
    let mut text = format!("as of {}\n", time_words(silence.as_of));
    if silence.parties.is_empty() {
        text += "No party was told of anything here.\n";
    }
    let width = silence.parties.iter().map(|p| p.party.as_str().len()).max();
    let width = width.unwrap_or(0).max("party".len());
    if !silence.parties.is_empty() {
        add(&mut text, format_args!("{:width$}", "party"));
        for word in Ages::WORDS {
            add(&mut text, format_args!("  {word:>6}"));
        }
        text += "\n";
    }
    for party in &silence.parties {
        add(&mut text, format_args!("{:width$}", party.party.as_str()));
        for n in party.waiting.counts() {
            add(&mut text, format_args!("  {n:>6}"));
        }
        text += "\n";
        for line in notes(party) {
            add(&mut text, format_args!("{:width$}  {line}\n", ""));
        }
    }
    add(&mut text, format_args!("{}\n", silence.says));
    text
}

/// What stands beside a party's counts.
fn notes(party: &PartySilence) -> Vec<String> {
    let mut notes: Vec<String> = standing_words(party).into_iter().collect();
    if let Some(oldest) = &party.oldest {
        notes.push(format!(
            "oldest without an officer's word: {} revision {}, received {}",
            oldest.reference,
            oldest.rev,
            time_words(oldest.at)
        ));
    }
    if party.not_taken > 0 {
        notes.push(format!(
            "{} of these not even taken by its device",
            party.not_taken
        ));
    }
    if party.window_ended > 0 {
        notes.push(format!(
            "of {} of these the notified window has ended; civilian status unchanged",
            party.window_ended
        ));
    }
    notes.push(match party.last_seen {
        Some(at) => format!("its desk last took something {}", time_words(at)),
        None => "its desk has taken nothing of this yet".to_owned(),
    });
    notes
}

/// The board as a table to print.
pub fn table(silence: &Silence) -> String {
    if silence.parties.is_empty() {
        return "<p class=\"none\">No party was told of anything here.</p>\n".to_owned();
    }
    let mut out = String::from("<table><thead><tr><th>party</th>");
    for word in Ages::WORDS {
        // Writing to a string cannot fail.
        write!(out, "<th class=\"n\">{}</th>", escape(word)).ok();
    }
    out += "<th></th></tr></thead><tbody>\n";
    for party in &silence.parties {
        write!(
            out,
            "<tr><td>{} {}</td>",
            escape(party.party.as_str()),
            named(&plain(&party.name))
        )
        .ok();
        for n in party.waiting.counts() {
            write!(out, "<td class=\"n\">{n}</td>").ok();
        }
        let notes: Vec<String> = notes(party).iter().map(|note| escape(note)).collect();
        writeln!(out, "<td>{}</td></tr>", notes.join("<br>")).ok();
    }
    out += "</tbody></table>\n";
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::exchange::SILENCE_SENTENCE;

    fn board(state: ActorState, no_device: bool) -> Silence {
        let at = time::OffsetDateTime::UNIX_EPOCH;
        Silence {
            as_of: at,
            parties: vec![PartySilence {
                party: "east".parse().expect("a slug"),
                name: "وزارة <b>الشرق</b>".to_owned(),
                state,
                since: Some(at),
                ends: None,
                no_device,
                waiting: Ages {
                    hour: 2,
                    older: 7,
                    ..Ages::default()
                },
                not_taken: 3,
                window_ended: 1,
                oldest: None,
                last_seen: None,
            }],
            says: SILENCE_SENTENCE.to_owned(),
        }
    }

    #[test]
    fn the_board_marks_whoever_cannot_answer_and_says_that_silence_changes_nothing() {
        for (state, no_device, mark) in [
            (ActorState::Suspended, false, "SUSPENDED since"),
            (ActorState::Left, false, "LEFT since"),
            (ActorState::Admitted, true, "NO DEVICE"),
        ] {
            let board = board(state, no_device);
            for page in [text(&board), table(&board)] {
                assert!(page.contains(mark), "{page}");
            }
            assert!(text(&board).ends_with(&format!("{SILENCE_SENTENCE}\n")));
        }
        let page = table(&board(ActorState::Admitted, false));
        assert!(
            page.contains("&lt;b&gt;") && page.contains("<td class=\"n\">7</td>"),
            "{page}"
        );
        assert!(!page.contains("NO DEVICE"));
    }
}
