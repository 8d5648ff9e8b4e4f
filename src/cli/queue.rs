//! What waits for this desk: calls for help before all else; for the coordinator, revisions that nobody has looked at and
//! actors whose fingerprint is to be compared; for a party, what no officer has said to have received.

use super::error::CliError;
use super::exit::Exit;
use super::words::{add, flag_words, plain, time_words};
use super::{Context, calls};
use crate::domain::actor::Role;
use crate::wire::api::{NotificationStatus, Queue};

const EXAMPLES: &str = "\
Examples:
  herald queue
  herald queue --json

For the coordinator: actors whose fingerprint is to be compared, and revisions that nobody has looked at. For a party: \
what no officer has said to have received. An organisation finds what its parties said with `herald status`.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {}

/// Shows what waits.
///
/// # Errors
/// [`CliError`].
pub async fn run(_args: Args, context: &Context) -> Result<Exit, CliError> {
    let (profile, api) = context.connect()?;
    let queue = api.queue().await?;
    let coordinator = profile.me().role == Role::Coordinator;
    context.out.emit(&queue, || text(&queue, coordinator));
    Ok(Exit::Ok)
}

fn text(queue: &Queue, coordinator: bool) -> String {
    let mut text = String::new();
    for line in queue.calls.iter().flat_map(calls::lines) {
        add(&mut text, format_args!("{line}\n"));
    }
    if !queue.calls.is_empty() {
        text += "Next: herald respond HN-… --officer \"…\", and call\n";
    }
    for waiting in &queue.admissions {
        add(
            &mut text,
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
    for unreached in &queue.unreached {
        add(
            &mut text,
            format_args!(
                "{} ({}): nudges by {} do not get through since {}; call them\n",
                unreached.actor,
                unreached.device,
                unreached.way,
                time_words(unreached.since)
            ),
        );
    }
    for notification in &queue.notifications {
        text += &line(notification);
    }
    if queue.more > 0 {
        add(&mut text, format_args!("and {} more\n", queue.more));
    }
    if text.is_empty() {
        text += "Nothing waits.\n";
    } else if !queue.notifications.is_empty() {
        text += if coordinator {
            "Next: herald screen HN-…, or herald return HN-… --reason \"…\"\n"
        } else {
            "Next: herald ack HN-… --received --officer \"…\"\n"
        };
    }
    text
}

fn line(notification: &NotificationStatus) -> String {
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
    format!(
        "{}  {} of {}  {revision}\n",
        notification.reference, notification.subject, notification.organisation
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::digest::{Digest, Kid};
    use crate::domain::actor::ActorKind;
    use crate::wire::api::PendingAdmission;

    #[test]
    fn a_name_cannot_write_a_line_of_its_own_into_the_queue() {
        let waiting = PendingAdmission {
            actor: "msf".parse().expect("a slug"),
            kind: ActorKind::Organisation,
            name: "Relief\n  the server shows 0000 \u{1b}[1A".to_owned(),
            root: Kid::from_digest(Digest::of(b"root")),
        };
        let queue = Queue {
            calls: Vec::new(),
            notifications: Vec::new(),
            admissions: vec![waiting],
            unreached: Vec::new(),
            more: 0,
        };
        let shown = text(&queue, true);
        assert_eq!(
            shown
                .lines()
                .filter(|line| line.starts_with("  the server shows"))
                .count(),
            1
        );
        assert!(!shown.contains('\u{1b}'));
    }
}
