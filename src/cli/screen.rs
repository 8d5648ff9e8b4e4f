//! Screening: the coordinator says what of a revision was looked at. It never says that the revision is true.

use clap::ValueEnum;

use super::error::CliError;
use super::exit::Exit;
use super::find::{self, Named};
use super::inbox::Inbox;
use super::outbox::Meta;
use super::submit::submit;
use super::{Context, directory};
use crate::domain::ids::Revision;
use crate::domain::kind::Kind;
use crate::wire::build::build;
use crate::wire::claims::{Checked, ScreenClaims, ScreenResult};

const EXAMPLES: &str = "\
Examples:
  herald screen HN-WD2P-F2DD --looked-at form --looked-at coordinates
  herald screen HN-WD2P-F2DD --looked-at form,coordinates,sender --revision 2

Screened means that what is named here was looked at. It does not say that the notification is true.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The notification, HN-… or its id
    pub notification: Named,
    /// What was looked at; may be repeated
    #[arg(long = "looked-at", value_enum, value_delimiter = ',', required = true)]
    pub looked_at: Vec<LookedAt>,
    /// The revision, when it is not the latest received
    #[arg(long, value_parser = parse_revision)]
    pub revision: Option<Revision>,
}

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LookedAt {
    /// The form is complete
    Form,
    /// The coordinates fit what is described
    Coordinates,
    /// The sender is who it says
    Sender,
}

impl From<LookedAt> for Checked {
    fn from(looked_at: LookedAt) -> Self {
        match looked_at {
            LookedAt::Form => Self::Form,
            LookedAt::Coordinates => Self::Coordinates,
            LookedAt::Sender => Self::Sender,
        }
    }
}

/// A revision as an argument.
///
/// # Errors
/// What it should be.
pub fn parse_revision(text: &str) -> Result<Revision, String> {
    text.parse()
        .ok()
        .and_then(|number| Revision::new(number).ok())
        .ok_or_else(|| "a revision is a whole number from 1".to_owned())
}

/// Signs what was looked at.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let (profile, api) = context.connect()?;
    let inbox = Inbox::open(profile.dir())?;
    let (target, _) = find::revision(&inbox, &args.notification, args.revision)?;
    let trust = directory::trust(&profile, &api).await?;
    let mut checked: Vec<Checked> = Vec::new();
    for looked_at in args.looked_at {
        let word = looked_at.into();
        if !checked.contains(&word) {
            checked.push(word);
        }
    }
    let claims = ScreenClaims::new(
        profile.common(&context.clock),
        target.nid,
        target.rev,
        target.of,
        ScreenResult::Screened,
        checked,
    );
    let built = build(claims, &[], &profile.signing_key()?)?;
    let meta = Meta::of(Kind::Screen, &built.envelope.statement, context.clock.now())
        .about(target.nid, target.rev);
    let submitted = submit(&profile, &api, &trust, &built, &meta).await?;
    context.out.emit(&submitted, || {
        format!(
            "{} revision {} is screened: what you named was looked at; nothing more is said.",
            target.nid.reference(),
            target.rev
        )
    });
    Ok(Exit::Ok)
}
