//! Statements whose parts were destroyed with their month, taken again: what the state depended on of those parts is read from
//! what it left in the live database. So a fold still compares every statement, every row and every mailbox; that the rows of
//! such a statement follow from its parts nobody can compare any more.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use super::ack::AckFacts;
use super::batch::Fault;
use super::distress::CallFacts;
use super::due::moments;
use super::place::PlaceFacts;
use super::prepare::{Facts, Prepared};
use crate::crypto::digest::Digest;
use crate::domain::due::Due;
use crate::domain::ids::{ActorId, LogPosition, Nid, Revision};
use crate::domain::notification::Tier;
use crate::service::core::Core;
use crate::spatial::Window;
use crate::store::rebuild::{self, Stored};
use crate::store::{Connection, closing, due, error::StoreError};
use crate::wire::claims::Claims;
use crate::wire::parts::{Audience, NamedBlob};

/// Puts in the place of what cannot be read any more what is left of it. `gone` are the statements, by their hashes, whose
/// parts were destroyed.
pub(super) async fn remember(
    core: &Core,
    live: &mut Connection,
    (prepared, stored): (&mut Prepared, &Stored),
    gone: &BTreeSet<Digest>,
) -> Result<(), Fault> {
    let destroyed = matches!(prepared.facts, Facts::Destroyed);
    let facts = match &prepared.claims {
        Claims::Site(c) if destroyed => {
            let ends = window_ends(core, live, stored, (c.nid, c.rev)).await?;
            place(live, stored.pos, (c.nid, c.rev), ends).await?
        }
        Claims::Movement(c) if destroyed => place(live, stored.pos, (c.nid, c.rev), None).await?,
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

/// When a site's window ended, as far as it is still known: what is to fall due is sealed anew and outlasts the place. Of one
/// whose window had ended when it came, then.
async fn window_ends(
    core: &Core,
    live: &mut Connection,
    stored: &Stored,
    (nid, rev): (Nid, Revision),
) -> Result<Option<OffsetDateTime>, Fault> {
    let rows = due::about(live, &stored.ctx, nid.uuid()).await?;
    let mut rows = rows.iter();
    if let Some(row) = rows.find(|row| row.what == Due::Closing && row.rev == rev.get()) {
        return Ok(moments(core, row)?.begins);
    }
    let (ended, _) = closing::known(live, nid, rev).await?;
    Ok((ended == Some(stored.pos)).then_some(stored.at))
}

/// Of a place: the parties that it named, and the contents of its attachments. Where and when it was is gone, but for the
/// end of a site's window while that is still to bring something.
async fn place(
    live: &mut Connection,
    pos: LogPosition,
    (nid, rev): (Nid, Revision),
    ends: Option<OffsetDateTime>,
) -> Result<Facts, StoreError> {
    let chosen = rebuild::chosen(live, nid.uuid(), rev.get()).await?;
    Ok(Facts::Place(Box::new(PlaceFacts {
        audiences: chosen.into_iter().map(audience).collect(),
        blobs: blobs(live, pos).await?,
        cover: None,
        validity: Window::ALWAYS,
        begins: None,
        ends,
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
