//! Confirming sites: the organisation says that they stand as notified. The policy asks for it every so many days; a site
//! that was not confirmed in time stays in every list and check, flagged.

use serde_json::json;

use super::api::Api;
use super::composing::BehalfArgs;
use super::error::CliError;
use super::exit::Exit;
use super::find::{self, Named};
use super::inbox::Inbox;
use super::outbox::Meta;
use super::submit::submit;
use super::{Context, directory};
use crate::crypto::digest::Digest;
use crate::domain::check::Flag;
use crate::domain::ids::{ActorId, LogPosition, Nid, Revision};
use crate::domain::kind::Kind;
use crate::domain::notification::{NotificationState, Subject};
use crate::domain::plural::count;
use crate::wire::build::build;
use crate::wire::claims::ConfirmClaims;

const EXAMPLES: &str = "\
Examples:
  herald confirm HN-WD2P-F2DD HN-3K7Q-9M2B
  herald confirm --all                    every site of yours that is notified now

A site whose notified window has ended is left out: revise it with a later window, or close it. Confirm what you have looked at. What moved or closed is revised (`herald notify --revise`), closed or withdrawn instead.";

/// Pages of notifications that are asked for at most.
const PAGES: usize = 10_000;

/// Sites between two words on how far it is.
const SAY_EVERY: usize = 100;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The sites, HN-… or their ids
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub notifications: Vec<Named>,
    /// Every site of your organisation that is notified now; with --on-behalf-of, every one of that organisation that you
    /// notified for it
    #[arg(long)]
    pub all: bool,
    /// On behalf of whom, where it is not one's own word.
    #[command(flatten)]
    pub behalf: BehalfArgs,
}

/// Signs a confirmation of each.
///
/// # Errors
/// [`CliError`]; each is signed on its own, and one that is refused does not hold back the others.
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let on_behalf = args.behalf.word()?;
    let (profile, api) = context.connect()?;
    let inbox = Inbox::open(profile.dir())?;
    let sites = if args.all {
        let own = profile.issuer().actor;
        let whose = on_behalf.as_ref().map_or(&own, |word| &word.org);
        let (sites, ended) = all(whose, on_behalf.is_some(), &api).await?;
        for nid in ended {
            context.out.note(format!(
                "{} is left out: its notified window has ended. Revise it with a later window if people are still there, or close it.",
                nid.reference()
            ));
        }
        sites
    } else {
        let named = args.notifications.iter();
        named
            .map(|named| find::own_latest(&profile, &inbox, named))
            .collect::<Result<_, _>>()?
    };
    let trust = directory::at_hand(&profile, &api).await?;
    let key = profile.signing_key()?;
    let (mut confirmed, mut refused) = (0_usize, 0_usize);
    let all = sites.len();
    for (done, (nid, rev, of)) in sites.into_iter().enumerate() {
        if done > 0 && done.is_multiple_of(SAY_EVERY) {
            context.out.note(format!("{done} of {all}"));
        }
        let claims = ConfirmClaims::new(
            profile.common(&context.clock),
            nid,
            rev,
            of,
            on_behalf.clone(),
        );
        let built = build(claims, &[], &key)?;
        let meta = Meta::of(
            Kind::Confirm,
            &built.envelope.statement,
            context.clock.now(),
        )
        .about(nid, rev);
        match submit(&profile, &api, &trust, &built, &meta).await {
            Ok(_) => confirmed += 1,
            Err(error) if error.exit() == Exit::Refused => {
                refused += 1;
                context
                    .out
                    .note(format!("{} is not confirmed: {error}", nid.reference()));
            }
            Err(error) => return Err(error),
        }
    }
    context
        .out
        .emit(&json!({"confirmed": confirmed, "refused": refused}), || {
            format!(
                "{} confirmed, {refused} not. The coordinator and the parties are being told.",
                count(confirmed, "site")
            )
        });
    Ok(if refused == 0 {
        Exit::Ok
    } else {
        Exit::Refused
    })
}

/// The latest revision of every site of an organisation that is notified now, but for those whose window has ended, which
/// follow; of those only that were notified on its behalf, where that is what is asked for.
async fn all(
    whose: &ActorId,
    on_behalf: bool,
    api: &Api,
) -> Result<(Vec<(Nid, Revision, Digest)>, Vec<Nid>), CliError> {
    let (mut after, mut out): (Option<LogPosition>, Vec<_>) = (None, Vec::new());
    let mut ended = Vec::new();
    for _ in 0..PAGES {
        let page = api.notifications(after).await?;
        for status in &page.items {
            let latest = status.revisions.last();
            let signed = latest.is_some_and(|r| !r.flags.contains(&Flag::OnBehalf));
            let stands = status.organisation == *whose
                && (!on_behalf || !signed)
                && status.subject == Subject::Site
                && status.state == NotificationState::Current;
            match latest.filter(|_| stands) {
                Some(latest) if latest.flags.contains(&Flag::WindowEnded) => ended.push(status.nid),
                Some(latest) => out.push((status.nid, latest.rev, latest.of)),
                None => {}
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok((out, ended))
}
