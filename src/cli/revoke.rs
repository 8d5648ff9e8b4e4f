//! Taking a device back: at once, and before anything else when one is lost.

use clap::ValueEnum;

use super::error::CliError;
use super::exit::Exit;
use super::outbox::Meta;
use super::submit::submit;
use super::{Context, directory};
use crate::domain::ids::{ActorId, DeviceId};
use crate::domain::kind::Kind;
use crate::wire::build::build;
use crate::wire::claims::{RevocationReason, RevokeClaims};

const EXAMPLES: &str = "\
Examples:
  herald revoke 7k2m9qxa --reason lost
  herald devices --of msf                                  (coordinator: which devices it has)
  herald revoke 7k2m9qxa --of msf --reason lost            (coordinator)

It takes effect with the device's next request, and its open connections are closed.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The device; see `herald devices`, of another actor `herald devices --of ACTOR`
    pub device: DeviceId,
    /// Whose device, when it is not your own (coordinator)
    #[arg(long, value_name = "ACTOR")]
    pub of: Option<ActorId>,
    /// Why
    #[arg(long, value_enum)]
    pub reason: Reason,
}

/// Why a device is taken back.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Reason {
    /// Lost or stolen
    Lost,
    /// Its key may be known to somebody else
    Compromised,
    /// The person has left
    Left,
    /// Another device took its place
    Superseded,
}

impl From<Reason> for RevocationReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Lost => Self::Lost,
            Reason::Compromised => Self::Compromised,
            Reason::Left => Self::Left,
            Reason::Superseded => Self::Superseded,
        }
    }
}

/// Takes the device back.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let (profile, api) = context.connect()?;
    let trust = directory::trust(&profile, &api).await?;
    let actor = args.of.unwrap_or_else(|| profile.me().actor.clone());
    let claims = RevokeClaims::new(
        profile.common(&context.clock),
        actor.clone(),
        args.device.clone(),
        args.reason.into(),
    );
    let built = build(claims, &[], &profile.signing_key()?)?;
    let meta = Meta::of(Kind::Revoke, &built.envelope.statement, context.clock.now());
    let submitted = submit(&profile, &api, &trust, &built, &meta).await?;
    context.out.emit(&submitted, || {
        format!(
            "The device {} of {actor} is taken back. What it signed before position {} stays signed.",
            args.device, submitted.pos
        )
    });
    Ok(Exit::Ok)
}
