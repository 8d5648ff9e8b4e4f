//! Calling for help. The numbers to call come first, from what is kept on this device, before anything is signed or sent;
//! then the call is kept on disk, and is sent again and again until the server has it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::api::{Api, ApiError};
use super::error::CliError;
use super::exit::Exit;
use super::find::{self, Named};
use super::inbox::Inbox;
use super::outbox::{Meta, Outbox, OutboxId};
use super::profile::{self, Profile};
use super::send::is_temporary;
use super::words::add;
use super::{Context, calls, directory, own};
use crate::domain::exchange::DISTRESS_SENTENCE;
use crate::domain::ids::{ActorId, Nid, Revision};
use crate::domain::kind::Kind;
use crate::domain::notification::Tier;
use crate::spatial::Position;
use crate::spatial::cell::Cell;
use crate::spatial::parse::parse_position;
use crate::wire::api::Submitted;
use crate::wire::build::{Built, Part, build};
use crate::wire::claims::{About, DistressClaims};
use crate::wire::parts::{Audience, DistressDetail, DistressPosition, name};
use crate::wire::trust::Trust;

const EXAMPLES: &str = "\
Examples:
  herald distress HN-WD2P-F2DD --text \"under fire, two injured\" --phone +96777000111 --people 3
  herald distress --at \"15.35, 44.2\" --text \"ambulance stopped\" --party east
  herald distress --standing east,west      whom to call when nothing else says it

This is no emergency service. The duty numbers that this device keeps are printed first, also without a line: call them. \
The call goes to the coordinator, and to the parties chosen for the notification, or those given, or the standing choice.";

/// Between two tries to send.
const AGAIN: Duration = Duration::from_secs(2);
/// Whom to call when nothing else says it.
const STANDING: &str = "standing.json";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The notification that it is about, HN-… or its id
    #[arg(required_unless_present_any = ["at", "standing"])]
    pub notification: Option<Named>,
    /// Where help is needed: latitude and longitude, or MGRS
    #[arg(long, value_name = "POSITION", allow_hyphen_values = true)]
    pub at: Option<String>,
    /// What happens, in words
    #[arg(long, required_unless_present = "standing")]
    pub text: Option<String>,
    /// Where you can be reached
    #[arg(long)]
    pub phone: Option<String>,
    /// How many people are concerned
    #[arg(long)]
    pub people: Option<u32>,
    /// Whom to call beside those chosen for the notification: PARTY, or PARTY:cell to tell it no more than a cell
    #[arg(long = "party", value_name = "PARTY", value_delimiter = ',', value_parser = choice)]
    pub parties: Vec<(ActorId, Tier)>,
    /// Keep these parties as the standing choice, and do nothing else
    #[arg(long, value_name = "PARTIES", value_delimiter = ',', conflicts_with_all = ["notification", "at", "text", "parties"])]
    pub standing: Vec<ActorId>,
}

/// A party, by itself at the tier `exact`: who is to help must know where.
fn choice(text: &str) -> Result<(ActorId, Tier), String> {
    let (party, tier) = match text.split_once(':') {
        None => (text, Tier::Exact),
        Some((party, tier)) => (party, tier.parse().map_err(|_| TIERS.to_owned())?),
    };
    if tier == Tier::Withdrawn {
        return Err(TIERS.to_owned());
    }
    let party = party.parse().map_err(|e| format!("{party}: {e}"))?;
    Ok((party, tier))
}

const TIERS: &str = "the tiers are exact, on_check and cell";

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Standing {
    parties: Vec<ActorId>,
}

/// Prints the numbers, then calls.
///
/// # Errors
/// [`CliError`]. A broken line is none: it tries until it is stopped.
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let profile = context.profile()?;
    if !args.standing.is_empty() {
        return keep_standing(&profile, args.standing, context);
    }
    let known = directory::cached(&profile).ok();
    let about = about(&profile, args.notification.as_ref());
    let audiences = whom(&args, &profile, about.as_ref().ok().copied().flatten());
    let parties: Vec<ActorId> = audiences.iter().map(|a| a.party.clone()).collect();
    // Before anything that could fail: a person reads this and takes the telephone.
    let numbers = calls::numbers(&profile, known.as_ref(), &parties);
    context.out.emit(
        &json!({"numbers": numbers, "says": DISTRESS_SENTENCE}),
        || calls::numbers_text(&numbers),
    );
    let api = Api::of_profile(&profile)?;
    let trust = match known {
        Some(trust) => trust,
        None => directory::trust(&profile, &api).await?,
    };
    let (nid, built) = make(&args, &profile, &trust, about?, audiences, context)?;
    let meta = Meta::of(
        Kind::Distress,
        &built.envelope.statement,
        context.clock.now(),
    )
    .about(nid, Revision::FIRST)
    .naming(parties.clone());
    let outbox = Outbox::open(profile.dir())?;
    let id = outbox.put(&built.envelope, &meta)?;
    let sent = tokio::select! {
        sent = until_sent(context, &outbox, &id, &api) => sent?,
        _ = tokio::signal::ctrl_c() => {
            context.out.note(format!(
                "{} is NOT SENT. It is kept; `herald send` sends it first. Call the numbers.",
                nid.reference()
            ));
            return Ok(Exit::Unreachable);
        }
    };
    check_receipt(&profile, &api, &trust, &built, &sent).await?;
    outbox.mark_sent(&id, &sent)?;
    let reference = nid.reference();
    let value = json!({"reference": reference, "nid": nid, "parties": parties, "submitted": sent});
    context.out.emit(&value, || said(nid, &parties, &sent));
    Ok(Exit::Ok)
}

fn said(nid: Nid, parties: &[ActorId], sent: &Submitted) -> String {
    let reference = nid.reference();
    let whom: Vec<String> = parties.iter().map(ToString::to_string).collect();
    let whom = if whom.is_empty() {
        "the coordinator".to_owned()
    } else {
        format!("the coordinator and {}", whom.join(", "))
    };
    let mut text = format!(
        "{reference}: the server has your call, position {}, and passes it on to {whom}. That is no answer yet.\n",
        sent.pos
    );
    for remark in &sent.remarks {
        add(&mut text, format_args!("  {remark}\n"));
    }
    add(
        &mut text,
        format_args!(
            "Answers come with: herald listen\nWhen it is over: herald resolve {reference} --outcome …\n{DISTRESS_SENTENCE}\n"
        ),
    );
    text
}

fn keep_standing(
    profile: &Profile,
    parties: Vec<ActorId>,
    context: &Context,
) -> Result<Exit, CliError> {
    let standing = Standing { parties };
    profile::write_json(&profile.path(STANDING), &standing)?;
    context.out.emit(&standing, || {
        let names: Vec<_> = standing.parties.iter().map(ToString::to_string).collect();
        format!(
            "A call for help that nothing else directs goes to the coordinator and {}.",
            names.join(", ")
        )
    });
    Ok(Exit::Ok)
}

/// The notification that is meant; `None` where none was named.
fn about(profile: &Profile, named: Option<&Named>) -> Result<Option<About>, CliError> {
    let Some(named) = named else {
        return Ok(None);
    };
    let inbox = Inbox::open(profile.dir())?;
    let (nid, rev, of) = find::own_latest(profile, &inbox, named)?;
    Ok(Some(About { nid, rev, of }))
}

/// Whom it goes to: the parties chosen for the notification and those given; if there are none, the standing choice.
fn whom(args: &Args, profile: &Profile, about: Option<About>) -> Vec<Audience> {
    let mut audiences = about.map_or_else(Vec::new, |about| own::audiences(profile, about.nid));
    audiences.retain(|a| a.tier != Tier::Withdrawn);
    for (party, tier) in &args.parties {
        audiences.retain(|a| a.party != *party);
        audiences.push(audience(party.clone(), *tier));
    }
    if audiences.is_empty() {
        let path = profile.path(STANDING);
        let standing = profile::read_json::<Standing>(&path).unwrap_or_default();
        let exact = |party| audience(party, Tier::Exact);
        audiences.extend(standing.parties.into_iter().map(exact));
    }
    audiences
}

const fn audience(party: ActorId, tier: Tier) -> Audience {
    Audience {
        party,
        tier,
        onward: true,
        cells: Vec::new(),
    }
}

/// Signs it. A notification that the server has not got yet cannot be named to it: then the place is said instead.
fn make(
    args: &Args,
    profile: &Profile,
    trust: &Trust,
    about: Option<About>,
    mut audiences: Vec<Audience>,
    context: &Context,
) -> Result<(Nid, Built), CliError> {
    let pending = Outbox::open(profile.dir())?.pending()?;
    let unsent = about.filter(|about| pending.iter().any(|(_, meta)| meta.hash == about.of));
    let mut position = position(args)?;
    if let (None, Some(about)) = (&position, unsent) {
        position = own::former(profile, about.nid)?
            .and_then(|former| former.last())
            .map(|last| DistressPosition {
                position: [last.position.lon(), last.position.lat()],
                accuracy_m: None,
                typed: None,
            });
    }
    let about = about.filter(|about| unsent.is_none_or(|u| u.nid != about.nid));
    if about.is_none() && position.is_none() {
        return Err(CliError::refused(
            "the notification has not reached the server, and this device does not know where it is",
            "Give the place with --at.",
        ));
    }
    add_cells(&mut audiences, position.as_ref());
    let nid = Nid::random();
    let detail = DistressDetail {
        text: args.text.clone().unwrap_or_default(),
        phone: args.phone.clone(),
        people: args.people,
        says: DISTRESS_SENTENCE.to_owned(),
    };
    let mut parts = vec![Part::new(name::DETAIL, &detail)?];
    if let Some(position) = &position {
        parts.push(Part::new(name::POSITION, position)?);
    }
    for audience in &audiences {
        parts.push(Part::new(name::audience(&audience.party), audience)?);
    }
    let parts: Vec<Part> = parts
        .into_iter()
        .map(|part| part.sealed_to(trust.server_seal()))
        .collect();
    let claims = DistressClaims::new(profile.common(&context.clock), nid, Revision::FIRST, about);
    Ok((nid, build(claims, &parts, &profile.signing_key()?)?))
}

fn position(args: &Args) -> Result<Option<DistressPosition>, CliError> {
    let Some(text) = &args.at else {
        return Ok(None);
    };
    let typed = parse_position(text).map_err(|e| {
        CliError::refused(
            format!("--at, column {}: {}", e.column(), e.message()),
            "Write it like 15.35, 44.2 (latitude first) or as MGRS.",
        )
    })?;
    Ok(Some(DistressPosition {
        position: [typed.position.lon(), typed.position.lat()],
        accuracy_m: None,
        typed: Some(text.clone()),
    }))
}

/// A party at a lower tier is told the cell of a fresh place.
fn add_cells(audiences: &mut [Audience], position: Option<&DistressPosition>) {
    let at = position.and_then(|p| Position::new(p.position[0], p.position[1]).ok());
    let cell = at.and_then(Cell::containing);
    let lower = audiences.iter_mut().filter(|a| a.tier != Tier::Exact);
    for audience in lower {
        if let Some(cell) = &cell {
            audience.cells = vec![cell.text()];
        }
    }
}

/// Tries until the server has it, or refuses it for good.
async fn until_sent(
    context: &Context,
    outbox: &Outbox,
    id: &OutboxId,
    api: &Api,
) -> Result<Submitted, CliError> {
    let bytes = outbox.bytes(id)?;
    let mut said = false;
    loop {
        let error = match api.submit_call(&bytes).await {
            Ok(submitted) => return Ok(submitted),
            Err(error) => error,
        };
        match &error {
            ApiError::Problem(problem) if !is_temporary(problem) => {
                outbox.mark_refused(id, problem)?;
                return Err(error.into());
            }
            ApiError::Problem(_) | ApiError::Unreachable { .. } => {}
            _ => return Err(error.into()),
        }
        if !said {
            said = true;
            context.out.note(format!(
                "NOT SENT: {error}. Trying again every {} s until you stop it (Ctrl-C). It is kept; `herald send` sends it first. CALL THE NUMBERS.",
                AGAIN.as_secs()
            ));
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// The receipt stands under the server's keys; perhaps under newer ones than were seen here.
async fn check_receipt(
    profile: &Profile,
    api: &Api,
    trust: &Trust,
    built: &Built,
    sent: &Submitted,
) -> Result<(), CliError> {
    if trust.check_receipt(&sent.receipt, built.hash).is_err() {
        let newer = directory::trust(profile, api).await?;
        newer.check_receipt(&sent.receipt, built.hash)?;
    }
    Ok(())
}
