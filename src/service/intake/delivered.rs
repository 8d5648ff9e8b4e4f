//! What acknowledgements name. A group's are read at once, before the first is judged; whatever may change them empties
//! what was read, and they are then looked up one by one.

use std::collections::HashMap;
use std::sync::Arc;

use super::batch::Batch;
use super::{Job, arrivals};
use crate::domain::ids::{ActorId, Nid, Revision};
use crate::store::error::StoreError;
use crate::store::notifications::{self, Acknowledged};
use crate::wire::claims::{AckItem, Claims};

/// Items read ahead for one group; one statement may have a thousand.
const AHEAD: usize = 256;

/// What was read ahead: what was found alone.
pub(super) type Delivered = HashMap<(ActorId, Nid, Revision), Arc<Acknowledged>>;

/// Reads what the acknowledgements of a group name.
pub(super) async fn ahead(batch: &mut Batch<'_>, jobs: &[Job]) -> Result<(), StoreError> {
    let named = jobs.iter().flat_map(|job| {
        let items: &[AckItem] = match &job.prepared.claims {
            Claims::Ack(claims) => &claims.items,
            _ => &[],
        };
        let party = job.prepared.actor();
        items.iter().map(move |item| (party, item.nid, item.rev))
    });
    let named: Vec<_> = named.take(AHEAD).collect();
    if named.len() < 2 {
        return Ok(());
    }
    let found = notifications::delivered(batch.conn, batch.ctx(), &named).await?;
    for ((party, nid, rev), found) in named.into_iter().zip(found) {
        if let Some(found) = found {
            let key = (party.clone(), nid, rev);
            batch.delivered.insert(key, Arc::new(found));
        }
    }
    Ok(())
}

/// What these items name: for each, in order, what was delivered to the party.
pub(super) async fn find(
    batch: &mut Batch<'_>,
    party: &ActorId,
    items: &[(Nid, Revision)],
) -> Result<Vec<Option<Arc<Acknowledged>>>, StoreError> {
    let key = |(nid, rev): &(Nid, Revision)| (party.clone(), *nid, *rev);
    let known = items.iter().map(|item| batch.delivered.get(&key(item)));
    if let Some(known) = known
        .map(Option::<&Arc<_>>::cloned)
        .collect::<Option<Vec<_>>>()
    {
        return Ok(known.into_iter().map(Some).collect());
    }
    // What it names may have begun in this very group.
    arrivals::flush(batch).await?;
    let found = notifications::acknowledged(batch.conn, batch.ctx(), party, items).await?;
    Ok(found.into_iter().map(|one| one.map(Arc::new)).collect())
}
