//! The organisation ends its own call for help, and says how it ended.

use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser as _;
use serde_json::json;

use super::error::CliError;
use super::exit::Exit;
use super::find::Named;
use super::outbox::Meta;
use super::submit::submit;
use super::words::add;
use super::{Context, calls, directory};
use crate::domain::exchange::DistressOutcome;
use crate::domain::ids::Revision;
use crate::domain::kind::Kind;
use crate::wire::build::{Part, build};
use crate::wire::claims::ResolveClaims;
use crate::wire::parts::{ResolutionDetail, name};

const EXAMPLES: &str = "\
Examples:
  herald resolve HN-WD2P-F2DD --text \"all three are out\" --outcome over
  herald resolve HN-WD2P-F2DD --outcome mistake

Everybody that was called is told. It may end before anybody has answered; then the alerts stop too.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The call, HN-… or its id
    pub call: Named,
    /// How it ended
    #[arg(long, value_parser = outcome())]
    pub outcome: DistressOutcome,
    /// In words
    #[arg(long)]
    pub text: Option<String>,
}

fn outcome() -> impl clap::builder::TypedValueParser<Value = DistressOutcome> {
    let words = DistressOutcome::ALL.iter().map(|o| o.as_str());
    PossibleValuesParser::new(words).try_map(|word| word.parse::<DistressOutcome>())
}

/// Signs and sends the end.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let (profile, api) = context.connect()?;
    let trust = directory::at_hand(&profile, &api).await?;
    let call = calls::find(&profile, &api, &args.call).await?;
    let detail = ResolutionDetail {
        outcome: args.outcome,
        text: args.text,
    };
    let part = Part::new(name::DETAIL, &detail)?.sealed_to(trust.server_seal());
    let claims = ResolveClaims::new(profile.common(&context.clock), call.nid, call.of);
    let built = build(claims, &[part], &profile.signing_key()?)?;
    let meta = Meta::of(
        Kind::Resolve,
        &built.envelope.statement,
        context.clock.now(),
    )
    .about(call.nid, Revision::FIRST);
    let submitted = submit(&profile, &api, &trust, &built, &meta).await?;
    let reference = call.nid.reference();
    let value = json!({"reference": reference, "nid": call.nid, "submitted": submitted});
    context.out.emit(&value, || {
        let mut text = format!("{reference} is ended. Everybody that was called is being told.\n");
        for remark in &submitted.remarks {
            add(&mut text, format_args!("  {remark}\n"));
        }
        text
    });
    Ok(Exit::Ok)
}
