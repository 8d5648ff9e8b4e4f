//! Returning a revision to its organisation, with what is to be mended. It goes on counting in checks, flagged, until the
//! organisation revises it or takes it back.

use super::error::CliError;
use super::exit::Exit;
use super::find::{self, Named};
use super::inbox::Inbox;
use super::outbox::Meta;
use super::screen::parse_revision;
use super::submit::submit;
use super::{Context, directory};
use crate::domain::ids::Revision;
use crate::domain::kind::Kind;
use crate::wire::build::{Part, build};
use crate::wire::claims::{ScreenClaims, ScreenResult};
use crate::wire::parts::{Reasons, ReturnReason, name};

const EXAMPLES: &str = "\
Examples:
  herald return HN-WD2P-F2DD --reason \"the point lies in the sea; please read the MGRS again\"
  herald return HN-WD2P-F2DD --reason \"/geometry: the second point is 40 km off\" --reason \"no duty number\"

A reason may begin with the member that it is about, as a JSON pointer into the place: /geometry, /properties/name.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The notification, HN-… or its id
    pub notification: Named,
    /// What is to be mended; may be repeated
    #[arg(long = "reason", value_name = "TEXT", required = true)]
    pub reasons: Vec<String>,
    /// The revision, when it is not the latest received
    #[arg(long, value_parser = parse_revision)]
    pub revision: Option<Revision>,
}

/// Signs the return.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let (profile, api) = context.connect()?;
    let inbox = Inbox::open(profile.dir())?;
    let (target, _) = find::revision(&inbox, &args.notification, args.revision)?;
    let trust = directory::trust(&profile, &api).await?;
    let reasons = Reasons {
        reasons: args.reasons.iter().map(|text| reason(text)).collect(),
    };
    let part = Part::new(name::REASONS, &reasons)?.sealed_to(trust.server_seal());
    let claims = ScreenClaims::new(
        profile.common(&context.clock),
        target.nid,
        target.rev,
        target.of,
        ScreenResult::Returned,
        Vec::new(),
    );
    let built = build(claims, &[part], &profile.signing_key()?)?;
    let meta = Meta::of(Kind::Screen, &built.envelope.statement, context.clock.now())
        .about(target.nid, target.rev);
    let submitted = submit(&profile, &api, &trust, &built, &meta).await?;
    context.out.emit(&submitted, || {
        format!(
            "{} revision {} goes back to {} with your reasons. It still counts in checks, flagged.",
            target.nid.reference(),
            target.rev,
            target.organisation
        )
    });
    Ok(Exit::Ok)
}

fn reason(text: &str) -> ReturnReason {
    match text.split_once(": ") {
        Some((pointer, rest)) if pointer.starts_with('/') && !pointer.contains(' ') => {
            ReturnReason {
                pointer: Some(pointer.to_owned()),
                text: rest.to_owned(),
            }
        }
        _ => ReturnReason {
            pointer: None,
            text: text.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn a_reason_may_begin_with_where() {
        let with = reason("/geometry: off by 40 km");
        assert_eq!(with.pointer.as_deref(), Some("/geometry"));
        assert_eq!(with.text, "off by 40 km");
        let without = reason("no: call us");
        assert_eq!(
            (without.pointer, without.text.as_str()),
            (None, "no: call us")
        );
    }
}
