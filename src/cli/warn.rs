//! A party's warning to an organisation: what it alleges of a notified place or movement, in its own words. It moves
//! nothing, and the sentence that says so stands in every warning.

use super::error::CliError;
use super::exchange::moment;
use super::exit::Exit;
use super::find::{self, Named};
use super::inbox::Inbox;
use super::outbox::Meta;
use super::screen::parse_revision;
use super::submit::submit;
use super::{Context, directory};
use crate::domain::exchange::WARNING_SENTENCE;
use crate::domain::ids::Revision;
use crate::domain::kind::Kind;
use crate::wire::build::{Part, build};
use crate::wire::claims::WarnClaims;
use crate::wire::parts::{Person, Warning, name};

const EXAMPLES: &str = "\
Examples:
  herald warn HN-WD2P-F2DD --officer \"Maj. Karim\" --alleges \"armed people fire from the roof\" --cease-by 031800ZMAY26

The organisation and the coordinator are told; no other party is. A warning is what you allege: this system determines \
no status, and whoever and whatever is protected under the law stays so. Nothing else changes by it.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The notification, HN-… or its id
    pub notification: Named,
    /// The officer who says it
    #[arg(long)]
    pub officer: String,
    /// The officer's post
    #[arg(long)]
    pub post: Option<String>,
    /// What you allege, in your own words
    #[arg(long, value_name = "TEXT")]
    pub alleges: String,
    /// By when you ask that it cease: RFC 3339, date-time group like 031800ZMAY26, or local time with --zone
    #[arg(long, value_name = "TIME")]
    pub cease_by: Option<String>,
    /// The zone of a time that names none, like Asia/Aden
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// The revision, when it is not the latest received
    #[arg(long, value_parser = parse_revision)]
    pub revision: Option<Revision>,
}

/// Signs the warning.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let cease_by = moment(
        "--cease-by",
        args.cease_by.as_deref(),
        args.zone.as_deref(),
        context,
    )?;
    let (profile, api) = context.connect()?;
    let inbox = Inbox::open(profile.dir())?;
    let (target, _) = find::revision(&inbox, &args.notification, args.revision)?;
    let trust = directory::at_hand(&profile, &api).await?;
    let warning = Warning {
        officer: Person {
            name: args.officer,
            post: args.post,
            phone: None,
        },
        alleges: args.alleges,
        cease_by,
        says: WARNING_SENTENCE.to_owned(),
    };
    let part = Part::new(name::DETAIL, &warning)?.sealed_to(trust.server_seal());
    let common = profile.common(&context.clock);
    let to = target.organisation.clone();
    let claims = WarnClaims::new(common, to, target.nid, target.rev, target.of);
    let built = build(claims, &[part], &profile.signing_key()?)?;
    let meta = Meta::of(Kind::Warn, &built.envelope.statement, context.clock.now())
        .about(target.nid, target.rev);
    let submitted = submit(&profile, &api, &trust, &built, &meta).await?;
    context.out.emit(&submitted, || {
        format!(
            "{} revision {}: {} and the coordinator are being told what you allege.\n{WARNING_SENTENCE}",
            target.nid.reference(),
            target.rev,
            target.organisation
        )
    });
    Ok(Exit::Ok)
}
