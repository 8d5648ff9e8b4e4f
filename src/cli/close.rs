//! Closing a notification: a movement arrived, a site's use ended. Until then a movement past its window goes on counting
//! over its whole remaining route.

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
use crate::domain::notification::Outcome;
use crate::wire::build::build;
use crate::wire::claims::CloseClaims;

const EXAMPLES: &str = "\
Examples:
  herald close HN-WD2P-F2DD --arrived        a movement
  herald close HN-WD2P-F2DD --completed      a site's use, or a movement, ended as planned
  herald close HN-WD2P-F2DD --cancelled      it never took place

It is no longer notified from then on; civilian status unchanged.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, group = clap::ArgGroup::new("outcome").required(true))]
pub struct Args {
    /// The notification, HN-… or its id
    pub notification: Named,
    /// The movement arrived
    #[arg(long, group = "outcome")]
    pub arrived: bool,
    /// It ended as planned
    #[arg(long, group = "outcome")]
    pub completed: bool,
    /// It never took place
    #[arg(long, group = "outcome")]
    pub cancelled: bool,
    /// On behalf of an organisation that cannot sign for itself yet (coordinator)
    #[arg(long, value_name = "ORGANISATION", requires = "letter")]
    pub on_behalf_of: Option<ActorId>,
    /// The e-mail, form or letter that it came from: its SHA-256 is signed, and you keep the file
    #[arg(long, value_name = "FILE", requires = "on_behalf_of")]
    pub letter: Option<PathBuf>,
}

impl Args {
    const fn outcome(&self) -> Outcome {
        if self.arrived {
            Outcome::Arrived
        } else if self.completed {
            Outcome::Completed
        } else {
            Outcome::Cancelled
        }
    }
}

/// Signs the end.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let (profile, api) = context.connect()?;
    let inbox = Inbox::open(profile.dir())?;
    let on_behalf = composing::on_behalf(args.on_behalf_of.as_ref(), args.letter.as_deref())?;
    let (nid, rev, prev) = find::own_latest(&profile, &inbox, &args.notification)?;
    let trust = directory::at_hand(&profile, &api).await?;
    let outcome = args.outcome();
    let common = profile.common(&context.clock);
    let claims = CloseClaims::new(common, nid, rev.next(), prev, outcome, on_behalf);
    let built = build(claims, &[], &profile.signing_key()?)?;
    let meta = Meta::of(Kind::Close, &built.envelope.statement, context.clock.now())
        .about(nid, rev.next());
    let submitted = submit(&profile, &api, &trust, &built, &meta).await?;
    context.out.emit(&submitted, || {
        format!(
            "{} is closed ({outcome}): no longer notified; civilian status unchanged. The parties are being told.",
            nid.reference()
        )
    });
    Ok(Exit::Ok)
}
