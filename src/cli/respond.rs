//! A named officer of a party or of the coordinator answers a call for help. It stops the alerts and tells everybody that
//! was called; it promises nothing.

use serde_json::json;

use super::error::CliError;
use super::exit::Exit;
use super::find::Named;
use super::outbox::Meta;
use super::submit::submit;
use super::{Context, calls, directory};
use crate::domain::ids::Revision;
use crate::domain::kind::Kind;
use crate::wire::build::{Part, build};
use crate::wire::claims::RespondClaims;
use crate::wire::parts::{Person, ResponseDetail, name};

const EXAMPLES: &str = "\
Examples:
  herald respond HN-WD2P-F2DD --officer \"Maj. Karim\" --phone +96777000111
  herald respond HN-WD2P-F2DD --officer \"Maj. Karim\" --text \"we call the checkpoint\"

Call too. The organisation, the coordinator and everybody that was called are told who answers.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The call, HN-… or its id
    pub call: Named,
    /// The officer who answers
    #[arg(long)]
    pub officer: String,
    /// The officer's post
    #[arg(long)]
    pub post: Option<String>,
    /// Where the officer can be reached
    #[arg(long)]
    pub phone: Option<String>,
    /// In words
    #[arg(long)]
    pub text: Option<String>,
}

/// Signs and sends the answer.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let (profile, api) = context.connect()?;
    let trust = directory::at_hand(&profile, &api).await?;
    let call = calls::find(&profile, &api, &args.call).await?;
    let detail = ResponseDetail {
        officer: Person {
            name: args.officer,
            post: args.post,
            phone: args.phone,
        },
        text: args.text,
    };
    let part = Part::new(name::DETAIL, &detail)?.sealed_to(trust.server_seal());
    let common = profile.common(&context.clock);
    let claims = RespondClaims::new(common, call.organisation.clone(), call.nid, call.of);
    let built = build(claims, &[part], &profile.signing_key()?)?;
    let meta = Meta::of(
        Kind::Respond,
        &built.envelope.statement,
        context.clock.now(),
    )
    .about(call.nid, Revision::FIRST);
    let submitted = submit(&profile, &api, &trust, &built, &meta).await?;
    let reference = call.nid.reference();
    let value = json!({"reference": reference, "nid": call.nid, "submitted": submitted});
    context.out.emit(&value, || {
        format!(
            "{reference} of {} is answered. Everybody that was called is being told. Call {} too; it stays open until they end it.",
            call.organisation, call.organisation
        )
    });
    Ok(Exit::Ok)
}
