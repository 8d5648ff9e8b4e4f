//! Admitting an organisation or party: the coordinator says which root is whose, after people have compared the
//! fingerprint. Everybody else's trust in that actor's keys hangs on this signature. Suspending, and saying that a party
//! has left, are the same statement with another word, and may count from a moment that is still to come.

use serde_json::json;
use time::OffsetDateTime;

use super::error::CliError;
use super::exit::Exit;
use super::outbox::Meta;
use super::submit::submit;
use super::words::{plain, time_words};
use super::{Context, directory, parse_fingerprint};
use crate::crypto::digest::{Digest, Kid};
use crate::domain::actor::ActorKind;
use crate::domain::clock::from_micros;
use crate::domain::ids::ActorId;
use crate::domain::kind::Kind;
use crate::spatial::parse::parse_time;
use crate::wire::api::ActorKeys;
use crate::wire::build::build;
use crate::wire::claims::{Admission, AdmitClaims, Common};
use crate::wire::trust::claimed_root;

const EXAMPLES: &str = "\
Examples:
  herald queue                                   who waits, and with which fingerprint
  herald admit msf --fingerprint \"4f1c 09ab 77e0 …\"
  herald admit east --suspend                    at once
  herald admit east --suspend --from 2026-11-25T06:00:00Z
  herald admit east --back                       admitted again
  herald admit east --left --from 2026-12-01T00:00:00Z

Take the fingerprint from the person, on a number that you know: not from this program, and not from a message. \
Admission lets an actor take part. It says nothing about what it notifies or acknowledges.
To a party that is suspended or has left nothing new is handed from that moment on; it has what it was told until then, \
and organisations that named it are told. A suspension ends with --back: what was said meanwhile of what it had been told \
comes then; what was notified meanwhile comes only when its organisation names it again. Leaving is for good.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The organisation or party, by its short name
    pub actor: ActorId,
    /// The fingerprint of its root, as the person read it to you; may be left out for one that was admitted before
    #[arg(long, value_parser = parse_fingerprint, required_unless_present_any = ["suspend", "left", "back"])]
    pub fingerprint: Option<Digest>,
    /// Suspend the admission: it may still take back and acknowledge, and notify nothing new; to a party nothing new is handed
    #[arg(long, conflicts_with_all = ["left", "back"])]
    pub suspend: bool,
    /// The party has left this context, for good
    #[arg(long, conflicts_with = "back")]
    pub left: bool,
    /// End a suspension
    #[arg(long)]
    pub back: bool,
    /// From when: a moment with its offset, or a date-time group; at once where it is left out
    #[arg(long, value_name = "WHEN")]
    pub from: Option<String>,
}

/// Signs the admission.
///
/// # Errors
/// When the fingerprint is another one, the moment is past, or [`CliError`].
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let from = moment(&args, context.clock.now())?;
    let (profile, api) = context.connect()?;
    let trust = directory::trust(&profile, &api).await?;
    let listed = profile
        .cached_keys()?
        .and_then(|keys| keys.actors.into_iter().find(|a| a.actor == args.actor))
        .filter(|listed| !listed.keys.is_empty())
        .ok_or_else(|| {
            CliError::refused(
                format!("{} has not enrolled a device yet", args.actor),
                "Wait until its first device is enrolled; `herald queue` shows it then.",
            )
        })?;
    if args.left && listed.kind != ActorKind::Party {
        return Err(CliError::refused(
            format!("{} is no party, and only a party leaves", args.actor),
            "An organisation takes back what it has notified; suspend it with --suspend.",
        ));
    }
    let root = root(&args, &listed, &trust)?;
    let claims = admission(&args, &listed, root, from, profile.common(&context.clock));
    let said = words(&claims);
    let state = claims.state;
    let built = build(claims, &[], &profile.signing_key()?)?;
    let meta = Meta::of(Kind::Admit, &built.envelope.statement, context.clock.now());
    submit(&profile, &api, &trust, &built, &meta).await?;
    let value = json!({
        "actor": listed.actor, "kind": listed.kind, "name": listed.name, "state": state, "from": from,
    });
    context.out.emit(&value, || {
        format!("{said}. {}", follows(state, listed.kind))
    });
    Ok(Exit::Ok)
}

/// From when it is to count, in seconds since the Unix epoch.
fn moment(args: &Args, now: OffsetDateTime) -> Result<Option<i64>, CliError> {
    let Some(text) = &args.from else {
        return Ok(None);
    };
    if !args.suspend && !args.left {
        return Err(CliError::Usage(
            "--from goes with --suspend or --left; an admission counts at once".to_owned(),
        ));
    }
    let at = parse_time(text, None).map_err(|error| {
        CliError::Usage(format!(
            "--from is no moment that can be read ({error}); for example 2026-11-25T06:00:00Z"
        ))
    })?;
    let at = at.utc;
    if at < now {
        return Err(CliError::refused(
            format!("{} lies in the past", time_words(at)),
            "Give a moment that is still to come, or leave --from out: then it counts at once.",
        ));
    }
    Ok(Some(at.unix_timestamp()))
}

/// The root that is spoken of: the one that a person read out, or the one that was admitted before.
fn root(
    args: &Args,
    listed: &ActorKeys,
    trust: &crate::wire::trust::Trust,
) -> Result<Kid, CliError> {
    let shown = claimed_root(&listed.keys, &listed.actor)?.digest();
    let Some(read) = args.fingerprint else {
        return match trust.actor(&listed.actor) {
            Ok(known) => Ok(known.root),
            Err(_) => Err(CliError::refused(
                format!("{} was never admitted", listed.actor),
                "Nothing is to be suspended then. To admit it, give --fingerprint as the person reads it to you.",
            )),
        };
    };
    if shown == read {
        return Ok(Kid::from_digest(read));
    }
    Err(CliError::refused(
        format!(
            "the root that the server shows for {} has another fingerprint than you were read:\n  {}",
            listed.actor,
            shown.fingerprint()
        ),
        "Compare once more on a number that you know. If it still differs, do not admit it, and tell the server's operator.",
    ))
}

fn admission(
    args: &Args,
    listed: &ActorKeys,
    root: Kid,
    from: Option<i64>,
    common: Common,
) -> AdmitClaims {
    let state = if args.left {
        Admission::Left
    } else if args.suspend {
        Admission::Suspended
    } else {
        Admission::Admitted
    };
    AdmitClaims::new(
        common,
        listed.actor.clone(),
        listed.kind,
        listed.name.clone(),
        root,
        state,
        from,
    )
}

/// What an admission says, in words.
pub fn words(claims: &AdmitClaims) -> String {
    let who = format!("{} ({})", claims.actor, plain(&claims.name));
    let from = claims.from.map_or_else(String::new, |from| {
        let at = from_micros(from.saturating_mul(1_000_000));
        format!(" from {}", time_words(at))
    });
    match claims.state {
        Admission::Admitted => format!("{who} is admitted as {}", claims.kind),
        Admission::Suspended => format!("the admission of {who} is suspended{from}"),
        Admission::Left => format!("{who} leaves this context{from}"),
    }
}

/// What follows from it.
const fn follows(state: Admission, kind: ActorKind) -> &'static str {
    match (state, kind) {
        (Admission::Admitted, _) => "Everybody pins its root with your signature.",
        (Admission::Suspended, ActorKind::Party) => {
            "It has what it was told until then, and nothing new is handed to it; its checks are answered with your number. Organisations that named it are told. This changes no one's protection."
        }
        (Admission::Suspended, _) => {
            "What it notified still counts in checks until it is taken back."
        }
        (Admission::Left, _) => {
            "It has what it was told until then, and is told nothing more, for good: to take part again it enrols anew under another name. Organisations that named it are told. This changes no one's protection."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &[&str]) -> Args {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: Args,
        }
        let words = std::iter::once("admit").chain(line.iter().copied());
        <Line as clap::Parser>::try_parse_from(words)
            .expect("parses")
            .args
    }

    #[test]
    fn a_moment_in_the_past_or_of_an_admission_is_refused_before_anything_is_signed() {
        let now = from_micros(1_800_000_000_000_000);
        let past = moment(
            &args(&["east", "--suspend", "--from", "2026-01-01T00:00:00Z"]),
            now,
        );
        assert!(
            past.expect_err("refused")
                .to_string()
                .contains("in the past")
        );
        let back = moment(
            &args(&["east", "--back", "--from", "2027-06-01T00:00:00Z"]),
            now,
        );
        assert!(
            back.expect_err("refused")
                .to_string()
                .contains("--suspend or --left")
        );
        let ahead = moment(
            &args(&["east", "--left", "--from", "2027-06-01T00:00:00Z"]),
            now,
        );
        assert_eq!(ahead.expect("taken"), Some(1_811_808_000));
        assert_eq!(
            moment(&args(&["east", "--suspend"]), now).expect("taken"),
            None
        );
    }
}
