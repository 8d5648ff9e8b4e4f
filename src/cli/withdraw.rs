//! Taking a notification back. It is never refused for lack of a line: it waits in the outbox like everything signed.

use std::path::PathBuf;

use super::error::CliError;
use super::exit::Exit;
use super::find::{self, Named};
use super::inbox::Inbox;
use super::outbox::Meta;
use super::submit::submit;
use super::{Context, composing, directory};
use crate::domain::ids::ActorId;
use crate::domain::kind::Kind;
use crate::wire::build::{Part, build};
use crate::wire::claims::WithdrawClaims;
use crate::wire::parts::{Reason, name};

const EXAMPLES: &str = "\
Examples:
  herald withdraw HN-WD2P-F2DD --reason \"the clinic has moved\"

It is no longer notified from then on; its civilian status is unchanged. The parties and the coordinator are told, the \
reason goes to the coordinator alone. When a movement arrived or a site's use ended, say `herald close` instead.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The notification, HN-… or its id
    pub notification: Named,
    /// Why, for the coordinator
    #[arg(long)]
    pub reason: String,
    /// On behalf of an organisation that cannot sign for itself yet (coordinator)
    #[arg(long, value_name = "ORGANISATION", requires = "letter")]
    pub on_behalf_of: Option<ActorId>,
    /// The e-mail, form or letter that it came from: its SHA-256 is signed, and you keep the file
    #[arg(long, value_name = "FILE", requires = "on_behalf_of")]
    pub letter: Option<PathBuf>,
}

/// Signs the withdrawal.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let (profile, api) = context.connect()?;
    let inbox = Inbox::open(profile.dir())?;
    let on_behalf = composing::on_behalf(args.on_behalf_of.as_ref(), args.letter.as_deref())?;
    let (nid, rev, prev) = find::own_latest(&profile, &inbox, &args.notification)?;
    let trust = directory::at_hand(&profile, &api).await?;
    let part =
        Part::new(name::REASON, &Reason { text: args.reason })?.sealed_to(trust.server_seal());
    let common = profile.common(&context.clock);
    let claims = WithdrawClaims::new(common, nid, rev.next(), prev, on_behalf);
    let built = build(claims, &[part], &profile.signing_key()?)?;
    let meta = Meta::of(
        Kind::Withdraw,
        &built.envelope.statement,
        context.clock.now(),
    )
    .about(nid, rev.next());
    let submitted = submit(&profile, &api, &trust, &built, &meta).await?;
    context.out.emit(&submitted, || {
        format!(
            "{} is taken back: no longer notified; civilian status unchanged. The parties are being told.",
            nid.reference()
        )
    });
    Ok(Exit::Ok)
}
