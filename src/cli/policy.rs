//! The context's policy: anyone may read it, the coordinator signs it.

use std::path::PathBuf;

use clap::Subcommand;

use super::error::CliError;
use super::exit::Exit;
use super::files::{self, Pipes};
use super::outbox::Meta;
use super::submit::submit;
use super::words::plain;
use super::{Context, directory};
use crate::crypto::strict_json::{self, Limits};
use crate::domain::kind::Kind;
use crate::domain::plural::count;
use crate::wire::api::CurrentPolicy;
use crate::wire::build::build;
use crate::wire::claims::{Claims, PolicyClaims};
use crate::wire::policy::{Policy, Screening};
use crate::wire::trust::{Trust, TrustError};

const EXAMPLES: &str = "\
Examples:
  herald policy
  herald policy --json > policy.json        the policy in force, to be edited
  herald policy set policy.json             (coordinator)

Give it a member \"call\", like \"call\":\"+96777000111\": the number that planners are told to call when in doubt.";

/// The longest policy file, in bytes.
const FILE_MOST: u64 = 256 * 1024;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Show the policy in force
    Show,
    /// Sign a new policy (coordinator)
    Set {
        /// The policy as JSON, as `herald policy --json` prints it
        file: PathBuf,
    },
}

/// Shows or signs the policy.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    match args.action.unwrap_or(Action::Show) {
        Action::Show => show(context).await,
        Action::Set { file } => set(context, &file).await,
    }
}

async fn show(context: &Context) -> Result<Exit, CliError> {
    let (profile, api) = context.connect()?;
    let trust = directory::trust(&profile, &api).await?;
    let current = api.policy(&profile.me().ctx).await?;
    let version = signed(&current, &trust)?;
    context
        .out
        .emit(&current.policy, || text(&current.policy, version));
    Ok(Exit::Ok)
}

/// The version of the policy that the coordinator signed, found to be the one that the server says is in force; 0 for
/// the built-in one.
///
/// # Errors
/// When it is not the coordinator's, or says something else.
pub fn signed(current: &CurrentPolicy, trust: &Trust) -> Result<u32, CliError> {
    let Some(statement) = &current.statement else {
        return Ok(0);
    };
    match trust.check(statement)?.claims {
        Claims::Policy(claims) if claims.policy == current.policy => Ok(claims.version),
        Claims::Policy(_) => Err(CliError::failed(
            "the policy that the server shows is not the one that the coordinator signed",
            "Tell the coordinator and the server's operator.",
        )),
        other => Err(TrustError::OtherKind {
            expected: Kind::Policy,
            found: other.kind(),
        }
        .into()),
    }
}

fn text(policy: &Policy, version: u32) -> String {
    let signed = if version == 0 {
        "the built-in policy; no coordinator has signed one".to_owned()
    } else {
        format!("version {version}, signed by the coordinator")
    };
    let screening = match policy.screening {
        Screening::Required => "the coordinator screens; unscreened revisions count, flagged",
        Screening::Off => "nobody screens",
    };
    let second = if policy.second_signature {
        "a second person signs each revision; until then it counts, flagged"
    } else {
        "none asked for"
    };
    let reconfirm = match policy.reconfirm_days {
        0 => "not asked for".to_owned(),
        days => format!("every {}", count(days, "day")),
    };
    let escalation = escalation_words(policy);
    let tiers: Vec<_> = policy.tiers.iter().map(ToString::to_string).collect();
    let lead = policy.lead_time_h;
    format!(
        "Policy: {signed}\n  country            {}\n  screening          {screening}\n  second signature   {second}\n  lead time          sites {} h, movements {} h, emergencies {} h\n  replies due within {} h\n  sites confirmed    {reconfirm}\n  sites closed       {} after their notified window\n  tiers              {}\n  call when in doubt {}\n  nobody answers     {escalation}\n  attachments        {} MiB for each organisation\n  sealed parts kept  {} after the month they came in\n",
        policy.country.as_deref().unwrap_or("none named"),
        lead.site,
        lead.movement,
        lead.emergency,
        policy.reply_within_h,
        count(policy.close_days, "day"),
        tiers.join(", "),
        policy.call.as_deref().unwrap_or("no number registered"),
        policy.attachments_mib,
        count(policy.retention_months, "month"),
    )
}

/// Whom to call while nobody answers a call for help, in order.
fn escalation_words(policy: &Policy) -> String {
    if policy.escalation.is_empty() {
        return "no numbers to call".to_owned();
    }
    let numbers = (1..).zip(&policy.escalation);
    let words: Vec<_> = numbers
        .map(|(minute, number)| {
            let (name, phone) = (plain(&number.name), plain(&number.phone));
            format!("after {}: {name} {phone}", count(minute, "minute"))
        })
        .collect();
    words.join("; ")
}

async fn set(context: &Context, path: &std::path::Path) -> Result<Exit, CliError> {
    let policy = read(path)?;
    let (profile, api) = context.connect()?;
    let trust = directory::trust(&profile, &api).await?;
    let version = signed(&api.policy(&profile.me().ctx).await?, &trust)?.saturating_add(1);
    let claims = PolicyClaims::new(profile.common(&context.clock), version, policy);
    let built = build(claims, &[], &profile.signing_key()?)?;
    let meta = Meta::of(Kind::Policy, &built.envelope.statement, context.clock.now());
    let submitted = submit(&profile, &api, &trust, &built, &meta).await?;
    context.out.emit(&submitted, || {
        format!("Policy version {version} is in force, and on its way to every desk.")
    });
    Ok(Exit::Ok)
}

fn read(path: &std::path::Path) -> Result<Policy, CliError> {
    let bytes = files::read(path, FILE_MOST, Pipes::Read).map_err(|e| {
        CliError::failed(
            format!("{} cannot be read: {e}", path.display()),
            "Give a policy as `herald policy --json` prints it.",
        )
    })?;
    let refused = |why: &dyn std::fmt::Display| {
        CliError::refused(
            format!("{}: {why}", path.display()),
            "Begin from `herald policy --json` and change what should differ.",
        )
    };
    let mut policy = strict_json::parse(&bytes, Limits::STATEMENT).map_err(|e| refused(&e))?;
    // An exercise's policy is printed with its mode, which is no part of it.
    if let Some(members) = policy.as_object_mut() {
        members.remove("mode");
    }
    serde_json::from_value(policy).map_err(|e| refused(&e))
}
