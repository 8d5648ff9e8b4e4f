//! Messages on their way out: claimed with the address as it stands at that moment, and settled by what came of them.

use std::fmt;

use time::OffsetDateTime;
use uuid::Uuid;

use super::open_content;
use crate::domain::actor::Mode;
use crate::domain::nudge::{MessageState, Sort, Way, give_up_after, pause, text};
use crate::service::core::Core;
use crate::store::Connection;
use crate::store::error::StoreError;
use crate::store::nudge_out::{self as queue, Claimed};
use crate::store::nudges::Person;

/// A message to be carried now. Prints no address.
pub struct Outgoing {
    /// What its identifier is made of: the same at each try.
    pub id: Uuid,
    /// The address: an e-mail address, or a telephone number.
    pub to: String,
    /// The whole text.
    pub text: String,
    /// What it is.
    pub sort: Sort,
    /// When it was queued.
    pub at: OffsetDateTime,
    way: Way,
    person: Person,
    tries: u32,
    now: OffsetDateTime,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outgoing[sealed]")
    }
}

/// Claims messages of a way whose time has come; at most `limit`. What nobody needs any more is dropped.
///
/// # Errors
/// The database's.
pub async fn claim(core: &Core, way: Way, limit: i64) -> Result<Vec<Outgoing>, StoreError> {
    let mut conn = core.pools.worker.acquire().await?;
    let mut out = Vec::new();
    for claimed in queue::claim(&mut conn, way, limit).await? {
        let bundle = claimed.bundle;
        if claimed.now - claimed.at > give_up_after(claimed.sort) {
            // Nobody was there to try it in its time.
            give_up(&mut conn, (bundle, &claimed.person, way)).await?;
        } else if let Some(outgoing) = outgoing(core, claimed, way) {
            out.push(outgoing);
        } else {
            queue::settle(&mut conn, bundle, way, MessageState::Dropped).await?;
            count(way, MessageState::Dropped);
        }
    }
    Ok(out)
}

/// The message as it goes out; none when somebody has looked at all of it, or the address was taken back.
fn outgoing(core: &Core, claimed: Claimed, way: Way) -> Option<Outgoing> {
    if claimed.sort == Sort::Routine && claimed.read {
        return None;
    }
    let choice = open_content(core, &claimed.person, claimed.choice.as_deref()?)?;
    let to = match way {
        Way::Mail => choice.email,
        Way::Webhook => choice.phone,
    }?;
    let reference = claimed.nid.map(crate::domain::ids::Nid::reference);
    let exercise = claimed.mode == Mode::Exercise;
    Some(Outgoing {
        id: claimed.bundle,
        to,
        text: text(claimed.sort, reference.as_ref(), claimed.count, exercise),
        sort: claimed.sort,
        at: claimed.at,
        way,
        person: claimed.person,
        tries: claimed.tries,
        now: claimed.now,
    })
}

/// Keeps what came of a try. One that failed is made again after a pause, until its time is over; then it is said that the
/// person is not reached.
///
/// # Errors
/// The database's; the message is then tried again once its lease is over.
pub async fn settle(core: &Core, sent: &Outgoing, taken: bool) -> Result<(), StoreError> {
    let mut tx = core.pools.worker.begin().await?;
    let pause = pause(sent.sort, sent.tries);
    if taken {
        queue::settle(&mut tx, sent.id, sent.way, MessageState::Taken).await?;
        queue::reached(&mut tx, &sent.person, sent.way).await?;
        count(sent.way, MessageState::Taken);
    } else if sent.now + pause > sent.at + give_up_after(sent.sort) {
        give_up(&mut tx, (sent.id, &sent.person, sent.way)).await?;
    } else {
        queue::again(&mut tx, sent.id, sent.way, pause).await?;
    }
    tx.commit().await?;
    Ok(())
}

async fn give_up(
    conn: &mut Connection,
    (id, person, way): (Uuid, &Person, Way),
) -> Result<(), StoreError> {
    queue::settle(conn, id, way, MessageState::GivenUp).await?;
    queue::not_reached(conn, person, way).await?;
    count(way, MessageState::GivenUp);
    Ok(())
}

fn count(way: Way, state: MessageState) {
    metrics::counter!("herald_nudges_total", "way" => way.as_str(), "outcome" => state.as_str())
        .increment(1);
}
