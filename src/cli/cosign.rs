//! The second person's signature, where the context's policy asks for one. Until it is there the revision counts,
//! flagged.

use super::error::CliError;
use super::exit::Exit;
use super::find::{self, Named};
use super::inbox::Inbox;
use super::outbox::Meta;
use super::screen::parse_revision;
use super::submit::submit;
use super::{Context, directory, received, words};
use crate::domain::ids::Revision;
use crate::domain::kind::Kind;
use crate::wire::build::build;
use crate::wire::claims::CosignClaims;

const EXAMPLES: &str = "\
Examples:
  herald listen --once            what colleagues have notified comes here too
  herald cosign HN-WD2P-F2DD

What the coordinator notified on your behalf you take over in the same way: from then on it is your own word. Else \
another device of your organisation must have signed the revision. Read it first, with `herald status HN-…`; \
what you sign is shown once more beside your signature.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The notification, HN-… or its id
    pub notification: Named,
    /// The revision, when it is not the latest received
    #[arg(long, value_parser = parse_revision)]
    pub revision: Option<Revision>,
}

/// Signs as the second person.
///
/// # Errors
/// When this device signed the revision itself, or [`CliError`].
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let (profile, api) = context.connect()?;
    let inbox = Inbox::open(profile.dir())?;
    let (target, entry) = find::revision(&inbox, &args.notification, args.revision)?;
    if entry.iss == profile.issuer() {
        return Err(CliError::refused(
            "this device signed that revision itself",
            "A colleague signs it, on another device.",
        ));
    }
    let trust = directory::trust(&profile, &api).await?;
    let event = inbox.event(&entry)?;
    if let Ok(received) = received::receive(&event, &trust, &received::Readers::of(&profile)?) {
        context.out.note(words::describe(&event, &received));
    }
    let claims = CosignClaims::new(
        profile.common(&context.clock),
        target.nid,
        target.rev,
        target.of,
    );
    let built = build(claims, &[], &profile.signing_key()?)?;
    let meta = Meta::of(Kind::Cosign, &built.envelope.statement, context.clock.now())
        .about(target.nid, target.rev);
    let submitted = submit(&profile, &api, &trust, &built, &meta).await?;
    context.out.emit(&submitted, || {
        let (reference, rev) = (target.nid.reference(), target.rev);
        if entry.on_behalf.is_some() {
            format!(
                "{reference} revision {rev} is your organisation's own word from now on; nobody else revises it for you."
            )
        } else {
            format!("You signed {reference} revision {rev} as the second person.")
        }
    });
    Ok(Exit::Ok)
}
