//! One's own 24/7 duty number: registered in the clear, so that it stands in answers and reaches whoever escalates.

use super::error::CliError;
use super::exit::Exit;
use super::outbox::Meta;
use super::submit::submit;
use super::{Context, directory};
use crate::domain::kind::Kind;
use crate::domain::phone;
use crate::wire::build::build;
use crate::wire::claims::DutyClaims;

const EXAMPLES: &str = "\
Examples:
  herald duty +96777000111
  herald duty +96777000111 --language ar --language en

The number is not secret: it stands in the answers to checks that hit what you notified. Register one that somebody \
answers at any hour.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The number in international form, with + and digits
    #[arg(value_parser = parse_phone)]
    pub phone: String,
    /// A language spoken there, such as ar, en, fr; may be repeated
    #[arg(long = "language", value_name = "CODE")]
    pub languages: Vec<String>,
}

fn parse_phone(text: &str) -> Result<String, String> {
    phone::dialled(text).ok_or_else(|| format!("write {}", phone::FORM))
}

/// Registers the number.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let (profile, api) = context.connect()?;
    let trust = directory::trust(&profile, &api).await?;
    let phone = args.phone;
    let claims = DutyClaims::new(
        profile.common(&context.clock),
        phone.clone(),
        args.languages,
    );
    let built = build(claims, &[], &profile.signing_key()?)?;
    let meta = Meta::of(Kind::Duty, &built.envelope.statement, context.clock.now());
    let submitted = submit(&profile, &api, &trust, &built, &meta).await?;
    context.out.emit(&submitted, || {
        format!("{phone} is your duty number. Call it once yourself, tonight.")
    });
    Ok(Exit::Ok)
}
