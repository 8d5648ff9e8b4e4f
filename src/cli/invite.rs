//! Inviting a person to enrol a device: a code that counts once, for seven days, handed over on a way that you trust.

use serde_json::json;

use super::error::CliError;
use super::exit::Exit;
use super::outbox::Meta;
use super::submit::submit;
use super::{Context, directory};
use crate::domain::actor::{ActorKind, Role};
use crate::domain::ids::ActorId;
use crate::domain::kind::Kind;
use crate::domain::plural::count;
use crate::wire::build::{Part, build};
use crate::wire::claims::InviteClaims;
use crate::wire::invite::InviteCode;
use crate::wire::parts::{InvitedPerson, name};
use crate::wire::trust::{Trust, TrustError};

const EXAMPLES: &str = "\
Examples:
  herald invite msf --name \"Médecins Sans Frontières\" --role organisation --person \"Amal Haddad\"
  herald invite east --name \"Eastern Command liaison\" --role party-desk --person \"Maj. Karim\"
  herald invite east --role party-planner --person \"Cpt. Said\"        (a further device)

Hand the code over in person or on a number that you know. It counts once, for seven days unless --days says otherwise.";

/// The longest that an invite counts, in days.
const MOST_DAYS: u8 = 7;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// For whom the device will speak: a short name such as msf
    pub actor: ActorId,
    /// The role of the device: organisation, party-desk, party-planner, coordinator, auditor or operator
    #[arg(long)]
    pub role: Role,
    /// The public name of the organisation or party; may be left out once it is known
    #[arg(long)]
    pub name: Option<String>,
    /// The person whose device it will be
    #[arg(long)]
    pub person: String,
    /// For how many days the code counts
    #[arg(long, default_value_t = MOST_DAYS, value_parser = clap::value_parser!(u8).range(1..=i64::from(MOST_DAYS)))]
    pub days: u8,
}

/// The public name that the coordinator admitted an actor under.
fn known_name(trust: &Trust, actor: &ActorId) -> Result<String, CliError> {
    match trust.actor(actor) {
        Ok(known) => Ok(known.name.clone()),
        Err(TrustError::NotAdmitted { .. }) => Err(CliError::refused(
            format!(
                "{actor} has enrolled and is not admitted yet, so that its name does not count here yet"
            ),
            format!(
                "Admit it first: `herald queue` shows its fingerprint, then `herald admit {actor} --fingerprint …`. Or give --name."
            ),
        )),
        Err(_) => Err(CliError::Usage(format!(
            "{actor} is not known here yet; give its public name with --name"
        ))),
    }
}

/// Signs the invitation and prints the code.
///
/// # Errors
/// [`CliError`]; no code counts then.
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let (profile, api) = context.connect()?;
    let trust = directory::trust(&profile, &api).await?;
    let me = profile.me();
    if args.role.actor_kind() == ActorKind::Server {
        return Err(CliError::Usage(
            "a node is not invited; `herald init` makes its keys".into(),
        ));
    }
    let public = match args.name {
        Some(name) => name,
        None => known_name(&trust, &args.actor)?,
    };
    let code = InviteCode::fresh(
        me.ca,
        me.deployment_root,
        Some(me.coordinator_root),
        args.actor.clone(),
        args.role,
        me.ctx.clone(),
    );
    let common = profile.common(&context.clock);
    let exp = common.iat + i64::from(args.days) * 86_400;
    let claims = InviteClaims::new(
        common,
        code.hash(),
        args.actor.clone(),
        args.role.actor_kind(),
        public,
        args.role,
        exp,
    );
    let person = Part::new(name::PERSON, &InvitedPerson { name: args.person })?
        .sealed_to(trust.server_seal());
    let built = build(claims, &[person], &profile.signing_key()?)?;
    let meta = Meta::of(Kind::Invite, &built.envelope.statement, context.clock.now());
    submit(&profile, &api, &trust, &built, &meta).await?;
    let value = json!({"actor": args.actor, "role": args.role, "server": me.server, "invite": code.to_string(), "exp": exp});
    context.out.emit(&value, || {
        format!(
            "Invite for {} ({}), once, for {}:\n\n{code}\n\nHand it over in person or on a number that you know. There:\n\n  herald enrol --server {} --invite -     (it asks for the code)",
            args.actor,
            args.role,
            count(args.days, "day"),
            me.server
        )
    });
    Ok(Exit::Ok)
}
