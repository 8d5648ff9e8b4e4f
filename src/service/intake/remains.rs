//! Statements whose parts were destroyed with their month, taken again: what the state depended on of those parts is read from
//! what it left in the live database. So a fold still compares every statement, every row and every mailbox; that the rows of
//! such a statement follow from its parts nobody can compare any more.

use std::collections::BTreeSet;

use super::ack::AckFacts;
use super::batch::Fault;
use super::distress::CallFacts;
use super::place::PlaceFacts;
use super::prepare::{Facts, Prepared};
use crate::crypto::digest::Digest;
use crate::domain::ids::{ActorId, LogPosition};
use crate::domain::notification::Tier;
use crate::spatial::Window;
use crate::store::rebuild::{self, Stored};
use crate::store::{Connection, error::StoreError};
use crate::wire::claims::Claims;
use crate::wire::parts::{Audience, NamedBlob};

/// Puts in the place of what cannot be read any more what is left of it. `gone` are the statements, by their hashes, whose
/// parts were destroyed.
pub(super) async fn remember(
    live: &mut Connection,
    prepared: &mut Prepared,
    stored: &Stored,
    gone: &BTreeSet<Digest>,
) -> Result<(), Fault> {
    let destroyed = matches!(prepared.facts, Facts::Destroyed);
    let facts = match &prepared.claims {
        Claims::Site(c) if destroyed => place(live, stored.pos, c.nid.uuid(), c.rev.get()).await?,
        Claims::Movement(c) if destroyed => {
            place(live, stored.pos, c.nid.uuid(), c.rev.get()).await?
        }
        Claims::Distress(c) if destroyed => {
            let called = rebuild::parties_called(live, c.nid).await?;
            let audiences = called.into_iter().map(audience).collect();
            Facts::Distress(Box::new(CallFacts { audiences }))
        }
        Claims::Ack(claims) => {
            let of_gone = claims.items.iter().any(|item| gone.contains(&item.of));
            if !destroyed && !of_gone {
                return Ok(());
            }
            let elsewhere: BTreeSet<_> = rebuild::elsewhere(live, stored.pos).await?;
            if let Facts::Ack(facts) = &mut prepared.facts {
                facts.elsewhere = Some(elsewhere);
                return Ok(());
            }
            Facts::Ack(Box::new(AckFacts {
                detail: None,
                blobs: blobs(live, stored.pos).await?,
                elsewhere: Some(elsewhere),
            }))
        }
        _ => return Ok(()),
    };
    prepared.facts = facts;
    Ok(())
}

/// Of a place: the parties that it named, and the contents of its attachments. Where and when it was is gone.
async fn place(
    live: &mut Connection,
    pos: LogPosition,
    nid: uuid::Uuid,
    rev: u32,
) -> Result<Facts, StoreError> {
    let chosen = rebuild::chosen(live, nid, rev).await?;
    Ok(Facts::Place(Box::new(PlaceFacts {
        audiences: chosen.into_iter().map(audience).collect(),
        blobs: blobs(live, pos).await?,
        cover: None,
        validity: Window::ALWAYS,
        begins: None,
        ends: None,
    })))
}

fn audience((party, tier): (ActorId, Tier)) -> Audience {
    Audience {
        party,
        tier,
        onward: false,
        cells: Vec::new(),
    }
}

async fn blobs(live: &mut Connection, pos: LogPosition) -> Result<Vec<NamedBlob>, StoreError> {
    let named = rebuild::blobs_named(live, pos).await?;
    let named = named.into_iter();
    Ok(named.map(|(blob, size)| NamedBlob { blob, size }).collect())
}
