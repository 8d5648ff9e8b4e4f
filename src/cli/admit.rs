//! Admitting an organisation or party: the coordinator says which root is whose, after people have compared the
//! fingerprint. Everybody else's trust in that actor's keys hangs on this signature.

use serde_json::json;

use super::error::CliError;
use super::exit::Exit;
use super::outbox::Meta;
use super::submit::submit;
use super::words::plain;
use super::{Context, directory, parse_fingerprint};
use crate::crypto::digest::Digest;
use crate::domain::ids::ActorId;
use crate::domain::kind::Kind;
use crate::wire::api::ActorKeys;
use crate::wire::build::build;
use crate::wire::claims::{Admission, AdmitClaims};
use crate::wire::trust::claimed_root;

const EXAMPLES: &str = "\
Examples:
  herald queue                                   who waits, and with which fingerprint
  herald admit msf --fingerprint \"4f1c 09ab 77e0 …\"
  herald admit msf --fingerprint \"4f1c 09ab 77e0 …\" --suspend

Take the fingerprint from the person, on a number that you know: not from this program, and not from a message. \
Admission lets an actor take part. It says nothing about what it notifies or acknowledges.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The organisation or party, by its short name
    pub actor: ActorId,
    /// The fingerprint of its root, as the person read it to you
    #[arg(long, value_parser = parse_fingerprint)]
    pub fingerprint: Digest,
    /// Suspend the admission: it may still take back and acknowledge, and notify nothing new
    #[arg(long)]
    pub suspend: bool,
}

/// Signs the admission.
///
/// # Errors
/// When the fingerprint is another one, or [`CliError`].
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
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
    let claims = admission(&args, &listed, profile.common(&context.clock))?;
    let state = claims.state;
    let built = build(claims, &[], &profile.signing_key()?)?;
    let meta = Meta::of(Kind::Admit, &built.envelope.statement, context.clock.now());
    submit(&profile, &api, &trust, &built, &meta).await?;
    let value =
        json!({"actor": listed.actor, "kind": listed.kind, "name": listed.name, "state": state});
    context.out.emit(&value, || match state {
        Admission::Admitted => format!(
            "{} ({}) is admitted as {}. Everybody pins its root with your signature.",
            listed.actor,
            plain(&listed.name),
            listed.kind
        ),
        Admission::Suspended => format!(
            "The admission of {} ({}) is suspended. What it notified still counts in checks until it is taken back.",
            listed.actor,
            plain(&listed.name)
        ),
    });
    Ok(Exit::Ok)
}

fn admission(
    args: &Args,
    listed: &ActorKeys,
    common: crate::wire::claims::Common,
) -> Result<AdmitClaims, CliError> {
    let root = claimed_root(&listed.keys, &listed.actor)?;
    if root.digest() != args.fingerprint {
        return Err(CliError::refused(
            format!(
                "the root that the server shows for {} has another fingerprint than you were read:\n  {}",
                listed.actor,
                root.digest().fingerprint()
            ),
            "Compare once more on a number that you know. If it still differs, do not admit it, and tell the server's operator.",
        ));
    }
    let state = if args.suspend {
        Admission::Suspended
    } else {
        Admission::Admitted
    };
    Ok(AdmitClaims::new(
        common,
        listed.actor.clone(),
        listed.kind,
        listed.name.clone(),
        root,
        state,
    ))
}
