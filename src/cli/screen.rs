//! Screening: the coordinator says what of a revision was looked at, or returns it with reasons; of one, of many, of all
//! that wait, or as a file says. It never says that a revision is true.

use clap::ValueEnum;

use super::api::Api;
use super::error::CliError;
use super::exit::Exit;
use super::find::{self, Named, Target};
use super::inbox::Inbox;
use super::outbox::Meta;
use super::profile::Profile;
use super::submit::submit;
use super::{Context, directory, return_, screen_many};
use crate::crypto::keys::SigningKey;
use crate::domain::ids::{ActorId, Revision};
use crate::domain::kind::Kind;
use crate::wire::api::Submitted;
use crate::wire::build::{Part, build};
use crate::wire::claims::{Checked, ScreenClaims, ScreenResult};
use crate::wire::parts::{Reasons, ReturnReason, name};
use crate::wire::trust::Trust;

const EXAMPLES: &str = "\
Examples:
  herald screen HN-WD2P-F2DD --looked-at form --looked-at coordinates
  herald screen HN-WD2P-F2DD HN-3K7Q-9M2B --looked-at form,coordinates,sender
  herald screen --all-waiting --from-org msf --looked-at form --results screened.csv
  herald screen HN-WD2P-F2DD --return --field position --reason \"two digits missing\"
  herald screen --file outcomes.csv --looked-at form --results screened.csv

A file has the columns reference and outcome (screened, returned), and may have looked_at, field and reason; several rows \
of one reference are one return. Each row has its own result, and a bad one loses no good one. With --results the same \
command again goes on where it stopped.

Screened means that what is named here was looked at. It does not say that the notification is true.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The notifications, HN-… or their ids
    #[arg(required_unless_present_any = ["all_waiting", "file"], conflicts_with_all = ["all_waiting", "file"])]
    pub notifications: Vec<Named>,
    /// Everything that waits to be screened
    #[arg(long, conflicts_with = "file")]
    pub all_waiting: bool,
    /// Of that, only what this organisation notified
    #[arg(long, value_name = "ORG", requires = "all_waiting")]
    pub from_org: Option<ActorId>,
    /// As this file says, row by row
    #[arg(long, value_name = "CSV", conflicts_with = "return_")]
    pub file: Option<std::path::PathBuf>,
    /// Write what became of each into this CSV file; what stands there as done is not done again
    #[arg(long, value_name = "CSV")]
    pub results: Option<std::path::PathBuf>,
    /// What was looked at; may be repeated
    #[arg(long = "looked-at", value_enum, value_delimiter = ',', required_unless_present_any = ["return_", "file"])]
    pub looked_at: Vec<LookedAt>,
    /// Return them, with reasons
    #[arg(long = "return", requires = "reasons", conflicts_with = "looked_at")]
    pub return_: bool,
    /// What is to be mended; may be repeated
    #[arg(long = "reason", value_name = "TEXT", requires = "return_")]
    pub reasons: Vec<String>,
    /// The field that the reason is about, one for each reason
    #[arg(long = "field", value_name = "FIELD", requires = "return_")]
    pub fields: Vec<String>,
    /// The revision, when it is not the latest received
    #[arg(long, value_parser = parse_revision, conflicts_with_all = ["all_waiting", "file"])]
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

/// The coordinator's word on a revision.
#[derive(Clone)]
pub enum Word {
    /// This was looked at.
    Screened(Vec<Checked>),
    /// It goes back, with these reasons.
    Returned(Vec<ReturnReason>),
}

/// What was looked at, each once.
pub fn checked(looked_at: &[LookedAt]) -> Vec<Checked> {
    let mut checked: Vec<Checked> = Vec::new();
    for looked_at in looked_at {
        let word = (*looked_at).into();
        if !checked.contains(&word) {
            checked.push(word);
        }
    }
    checked
}

/// Signs what was looked at, or the returns.
///
/// # Errors
/// [`CliError`]; of many, each has its own result.
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let word = if args.return_ {
        Word::Returned(return_::reasons(&args.fields, &args.reasons)?)
    } else {
        Word::Screened(checked(&args.looked_at))
    };
    let alone = !args.all_waiting && args.file.is_none() && args.results.is_none();
    if let ([named], true) = (args.notifications.as_slice(), alone) {
        let inbox = Inbox::open(context.profile()?.dir())?;
        let (target, _) = find::revision(&inbox, named, args.revision)?;
        return one(&target, &word, context).await;
    }
    screen_many::run(&args, &word, context).await
}

/// Says the word on one revision, and shows the receipt.
///
/// # Errors
/// [`CliError`].
pub async fn one(target: &Target, word: &Word, context: &Context) -> Result<Exit, CliError> {
    let (profile, api) = context.connect()?;
    let trust = directory::trust(&profile, &api).await?;
    let desk = Desk {
        key: profile.signing_key()?,
        profile: &profile,
        api: &api,
        trust: &trust,
        context,
    };
    let submitted = desk.say(target, word).await?;
    context.out.emit(&submitted, || match word {
        Word::Screened(_) => format!(
            "{} revision {} is screened: what you named was looked at; nothing more is said.",
            target.nid.reference(),
            target.rev
        ),
        Word::Returned(_) => format!(
            "{} revision {} goes back to {} with your reasons. It still counts in checks, flagged.",
            target.nid.reference(),
            target.rev,
            target.organisation
        ),
    });
    Ok(Exit::Ok)
}

/// The desk that screens.
pub struct Desk<'a> {
    /// Its key.
    pub key: SigningKey,
    /// Its profile.
    pub profile: &'a Profile,
    /// The server.
    pub api: &'a Api,
    /// Everybody's keys.
    pub trust: &'a Trust,
    /// The clock, and the way out.
    pub context: &'a Context,
}

impl Desk<'_> {
    /// Signs the word on a revision and sends it.
    ///
    /// # Errors
    /// [`CliError`].
    pub async fn say(&self, target: &Target, word: &Word) -> Result<Submitted, CliError> {
        let clock = &self.context.clock;
        let (result, checked, parts) = match word {
            Word::Screened(checked) => (ScreenResult::Screened, checked.clone(), Vec::new()),
            Word::Returned(reasons) => {
                let reasons = Reasons {
                    reasons: reasons.clone(),
                };
                let part = Part::new(name::REASONS, &reasons)?;
                let part = part.sealed_to(self.trust.server_seal());
                (ScreenResult::Returned, Vec::new(), vec![part])
            }
        };
        let claims = ScreenClaims::new(
            self.profile.common(clock),
            target.nid,
            target.rev,
            target.of,
            result,
            checked,
        );
        let built = build(claims, &parts, &self.key)?;
        let meta = Meta::of(Kind::Screen, &built.envelope.statement, clock.now())
            .about(target.nid, target.rev);
        submit(self.profile, self.api, self.trust, &built, &meta).await
    }
}
