//! What a party's desk says by itself: that revisions reached its liaison device, and no more. One statement for each
//! organisation, at most 1,000 items each, through the outbox like everything that is signed.

use std::collections::BTreeMap;

use super::Context;
use super::api::Api;
use super::error::CliError;
use super::inbox::Inbox;
use super::outbox::Meta;
use super::profile::{self, Profile};
use super::received::{Readers, receive};
use super::submit::submit;
use crate::domain::ack::{AckState, MAX_ITEMS};
use crate::domain::actor::Role;
use crate::domain::ids::{ActorId, Seq};
use crate::domain::kind::Kind;
use crate::wire::api::Cursor;
use crate::wire::build::build;
use crate::wire::claims::{AckClaims, AckItem};
use crate::wire::trust::Trust;

/// Up to where this device has said so.
const REACHED: &str = "reached.json";

/// Says of every revision behind the last one said that it reached this desk. Only a party's desk does, and only of what
/// it could open.
///
/// # Errors
/// When the outbox cannot keep it. A server that cannot be reached is no error: it goes out with the next `send`.
pub async fn say(
    context: &Context,
    profile: &Profile,
    api: &Api,
    trust: &Trust,
    inbox: &Inbox,
) -> Result<usize, CliError> {
    let readers = Readers::of(profile)?;
    if profile.me().role != Role::PartyDesk || !readers.has_desk() {
        return Ok(0);
    }
    let path = profile.path(REACHED);
    let said = if path.exists() {
        profile::read_json::<Cursor>(&path)?.seq
    } else {
        Seq(0)
    };
    let mut by_organisation: BTreeMap<ActorId, Vec<AckItem>> = BTreeMap::new();
    let new = inbox
        .entries()
        .iter()
        .filter(|e| e.seq > said && e.is_revision());
    for entry in new {
        let event = inbox.event(entry)?;
        let (Ok(received), Some(nid), Some(rev)) =
            (receive(&event, trust, &readers), entry.nid, entry.rev)
        else {
            continue;
        };
        let items = by_organisation
            .entry(entry.speaks_for().clone())
            .or_default();
        items.push(AckItem {
            nid,
            rev,
            of: entry.of,
            opened: received.opened(),
            state: AckState::ReachedDesk,
        });
    }
    let count = by_organisation.values().map(Vec::len).sum();
    for (organisation, items) in by_organisation {
        for batch in items.chunks(MAX_ITEMS) {
            one(context, profile, api, trust, &organisation, batch).await?;
        }
    }
    if inbox.cursor() > said {
        let seq = inbox.cursor();
        profile::write_json(&path, &Cursor { seq })?;
    }
    Ok(count)
}

async fn one(
    context: &Context,
    profile: &Profile,
    api: &Api,
    trust: &Trust,
    organisation: &ActorId,
    items: &[AckItem],
) -> Result<(), CliError> {
    let common = profile.common(&context.clock);
    let claims = AckClaims::new(common, organisation.clone(), items.to_vec());
    let built = build(claims, &[], &profile.signing_key()?)?;
    let meta = Meta::of(Kind::Ack, &built.envelope.statement, context.clock.now());
    match submit(profile, api, trust, &built, &meta).await {
        Ok(_) => Ok(()),
        // It is in the outbox: pending when the line broke, refused with its reason when the server did not take it.
        Err(error @ (CliError::Api(_) | CliError::Kept(_))) => {
            context.out.note(format!(
                "What reached this desk from {organisation} could not be said yet: {}",
                error.text()
            ));
            Ok(())
        }
        Err(error) => Err(error),
    }
}
