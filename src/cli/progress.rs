//! How far a movement is. Those who see its route are told; a delay counts in every check of those who may be hit.

use super::composing::BehalfArgs;
use super::error::CliError;
use super::exit::Exit;
use super::find::{self, Named};
use super::inbox::Inbox;
use super::outbox::Meta;
use super::submit::submit;
use super::{Context, directory};
use crate::domain::exchange::Step;
use crate::domain::kind::Kind;
use crate::spatial::parse::{parse_duration, parse_time};
use crate::wire::build::{Part, build};
use crate::wire::claims::ProgressClaims;
use crate::wire::parts::{ProgressPart, name};

const EXAMPLES: &str = "\
Examples:
  herald progress HN-WD2P-F2DD --departed
  herald progress HN-WD2P-F2DD --at-waypoint 2 --time 031630Z
  herald progress HN-WD2P-F2DD --delayed 45m
  herald progress HN-WD2P-F2DD --on-time            no longer late
  herald close HN-WD2P-F2DD --arrived               it has arrived

Waypoints are counted from 0, as they were notified. A delay concerns all that remains and replaces the one said before; \
the times notified count too, since nobody knows where on the way the time is lost. Who says nothing by the latest \
arrival is missed: your coordinator is alerted, and the movement stays in every check.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, group = clap::ArgGroup::new("step").required(true))]
pub struct Args {
    /// The movement, HN-… or its id
    pub notification: Named,
    /// It has left its first place, or the waypoint given by --waypoint
    #[arg(long, group = "step")]
    pub departed: bool,
    /// It is at this waypoint, counted from 0
    #[arg(long, group = "step", value_name = "N")]
    pub at_waypoint: Option<u32>,
    /// What remains is this much later than notified, for example 45m or 2h
    #[arg(long, group = "step", value_name = "TIME")]
    pub delayed: Option<String>,
    /// It is no longer late
    #[arg(long, group = "step")]
    pub on_time: bool,
    /// With --departed, the waypoint that it left; with --delayed, the first that is late
    #[arg(long, value_name = "N", conflicts_with = "at_waypoint")]
    pub waypoint: Option<u32>,
    /// When that was, if not now: RFC 3339 or a date-time group
    #[arg(long, value_name = "TIME")]
    pub time: Option<String>,
    /// A note for those who see the route
    #[arg(long)]
    pub note: Option<String>,
    /// On behalf of whom, where it is not one's own word.
    #[command(flatten)]
    pub behalf: BehalfArgs,
}

impl Args {
    fn part(&self, context: &Context) -> Result<ProgressPart, CliError> {
        let wrong = |what: &str, why: &dyn std::fmt::Display| {
            CliError::Usage(format!("{what} cannot be read: {why}"))
        };
        let delay_s = match &self.delayed {
            Some(text) => {
                let typed = parse_duration(text).map_err(|e| wrong("--delayed", &e))?;
                Some(u32::try_from(typed.duration.whole_seconds()).unwrap_or(u32::MAX))
            }
            None => self.on_time.then_some(0),
        };
        let step = match (delay_s, self.at_waypoint) {
            (Some(_), _) => Step::Delayed,
            (None, Some(_)) => Step::AtWaypoint,
            (None, None) => Step::Departed,
        };
        let at = match &self.time {
            Some(text) => parse_time(text, None).map_err(|e| wrong("--time", &e))?.utc,
            None => context.clock.now(),
        };
        Ok(ProgressPart {
            step,
            waypoint: self.at_waypoint.or(self.waypoint),
            at,
            delay_s,
            note: self.note.clone(),
        })
    }
}

/// Signs how far it is.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let said = args.part(context)?;
    let on_behalf = args.behalf.word()?;
    let (profile, api) = context.connect()?;
    let inbox = Inbox::open(profile.dir())?;
    let (nid, rev, of) = find::own_latest(&profile, &inbox, &args.notification)?;
    let trust = directory::at_hand(&profile, &api).await?;
    let part = Part::new(name::PROGRESS, &said)?.sealed_to(trust.server_seal());
    let claims = ProgressClaims::new(profile.common(&context.clock), nid, rev, of, on_behalf);
    let built = build(claims, &[part], &profile.signing_key()?)?;
    let meta = Meta::of(
        Kind::Progress,
        &built.envelope.statement,
        context.clock.now(),
    )
    .about(nid, rev);
    let submitted = submit(&profile, &api, &trust, &built, &meta).await?;
    context.out.emit(&submitted, || {
        format!(
            "{}: {}. The coordinator and the parties that see the route are being told.",
            nid.reference(),
            words(&said)
        )
    });
    Ok(Exit::Ok)
}

/// How far a movement is, in words.
pub fn words(said: &ProgressPart) -> String {
    let minutes = |s: u32| {
        if s.is_multiple_of(3_600) {
            format!("{} h", s / 3_600)
        } else {
            format!("{} min", s.div_ceil(60))
        }
    };
    match (said.step, said.waypoint, said.delay_s) {
        (Step::Departed, None, _) => "it has departed".to_owned(),
        (Step::Departed, Some(waypoint), _) => format!("it has left waypoint {waypoint}"),
        (Step::AtWaypoint, waypoint, _) => {
            format!("it is at waypoint {}", waypoint.unwrap_or_default())
        }
        (Step::Delayed, _, Some(0) | None) => "it is no longer late".to_owned(),
        (Step::Delayed, None, Some(late)) => {
            format!(
                "what remains is up to {} later than notified",
                minutes(late)
            )
        }
        (Step::Delayed, Some(from), Some(late)) => format!(
            "from waypoint {from} on it is up to {} later than notified",
            minutes(late)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_said_as_up_to_and_never_as_a_new_time() {
        let said = ProgressPart {
            step: Step::Delayed,
            waypoint: None,
            at: time::OffsetDateTime::UNIX_EPOCH,
            delay_s: Some(45 * 60),
            note: None,
        };
        assert_eq!(
            words(&said),
            "what remains is up to 45 min later than notified"
        );
        let on_time = ProgressPart {
            delay_s: Some(0),
            ..said
        };
        assert_eq!(words(&on_time), "it is no longer late");
    }
}
