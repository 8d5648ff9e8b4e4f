//! Who is to be told: the log is followed position by position, what it brings to whom is added to what waits, and what
//! is ready becomes messages within each person's allowance. One node plans at a time, under a lock in the database; all
//! of it is durable, so that a restart goes on where it was.

use std::collections::BTreeMap;
use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use super::{People, Ways, occasions};
use crate::domain::ids::{LogPosition, Nid};
use crate::domain::nudge::{Severity, Sort, Way, allowance, give_up_after, severity};
use crate::service::core::Core;
use crate::store::Connection;
use crate::store::error::StoreError;
use crate::store::nudge_out::{self as out, NewMessage};
use crate::store::nudge_plan::{self as queue, Arrival, Wait};
use crate::store::nudges::Person;

/// Positions read in one transaction.
const POSITIONS: u64 = 256;
/// Transactions of one look; the next look goes on.
const ROUNDS: usize = 64;
/// What is made into messages in one transaction.
const READY: i64 = 1_000;
/// How long a message that has come to an end is kept: it counts for its person's allowance.
const KEPT: Duration = Duration::from_hours(25);

/// One look: what is new, who is to be told now.
///
/// # Errors
/// The database's; the next look does what was not done.
pub async fn look(core: &Core, ways: Ways, routine_wait: Duration) -> Result<(), StoreError> {
    for _ in 0..ROUNDS {
        let mut tx = core.pools.worker.begin().await?;
        let more = follow(core, &mut tx, routine_wait).await?;
        tx.commit().await?;
        if !more {
            break;
        }
    }
    let mut tx = core.pools.worker.begin().await?;
    gather(core, &mut tx, ways).await?;
    tx.commit().await?;
    Ok(())
}

/// Clears away what has ended long ago.
///
/// # Errors
/// The database's.
pub async fn clear(core: &Core) -> Result<(), StoreError> {
    let mut conn = core.pools.worker.acquire().await?;
    out::clear(&mut conn, KEPT).await
}

type Waits = BTreeMap<(Person, Severity, Option<Nid>), Wait>;

/// Reads on in the log. Gives whether there is more.
async fn follow(
    core: &Core,
    conn: &mut Connection,
    routine_wait: Duration,
) -> Result<bool, StoreError> {
    let after = queue::lock(conn).await?;
    let (head, now) = queue::head(conn).await?;
    let Some(after) = after else {
        // Nudges are on for the first time: nobody is told of what was before.
        queue::set_read(conn, head).await?;
        return Ok(false);
    };
    if after >= head {
        return Ok(false);
    }
    let upto = LogPosition(head.0.min(after.0.saturating_add(POSITIONS)));
    let people = People::load_and_reseal(core, conn).await?;
    let desks = people
        .iter()
        .map(|(person, _)| (person.ctx.clone(), person.actor.clone()))
        .collect();
    // First away what somebody has seen, so that what is new does not bring it back.
    queue::drop_read(conn).await?;
    let mut waits = Waits::new();
    for arrival in queue::arrivals(conn, &desks, after, upto).await? {
        for (occasion, nids) in occasions::of(core, conn, &arrival).await? {
            let Some(severity) = severity(occasion, arrival.kind) else {
                continue;
            };
            if now - arrival.at <= give_up_after(severity.into()) {
                let ready_at = match severity {
                    Severity::Routine => now + routine_wait,
                    Severity::Urgent | Severity::Distress => now,
                };
                add(&mut waits, &people, &arrival, (severity, &nids), ready_at);
            }
        }
    }
    for wait in waits.values() {
        queue::wait(conn, wait).await?;
    }
    queue::set_read(conn, upto).await?;
    Ok(upto < head)
}

/// Adds what somebody is needed for to what waits for each person of the desk who wants to be told of it.
fn add(
    waits: &mut Waits,
    people: &People,
    arrival: &Arrival,
    (severity, nids): (Severity, &[Nid]),
    ready_at: OffsetDateTime,
) {
    // Each call for help is told by itself.
    let call = match severity {
        Severity::Distress => nids.first().copied(),
        Severity::Routine | Severity::Urgent => None,
    };
    for (person, known) in people.of(&arrival.ctx, &arrival.actor) {
        if !known.choice.severities.contains(&severity) {
            continue;
        }
        let wait = waits
            .entry((person.clone(), severity, call))
            .or_insert_with(|| Wait {
                person: person.clone(),
                severity,
                call,
                nids: std::collections::BTreeSet::new(),
                upto: arrival.seq,
                ready_at,
            });
        wait.add(nids.iter().copied(), arrival.seq);
    }
}

/// Makes messages of what is ready, one for each person who is reached and each severity, as their allowance permits.
async fn gather(core: &Core, conn: &mut Connection, ways: Ways) -> Result<(), StoreError> {
    queue::lock(conn).await?;
    queue::drop_read(conn).await?;
    let ready = queue::ready(conn, READY).await?;
    if ready.is_empty() {
        return Ok(());
    }
    let (_, now) = queue::head(conn).await?;
    let people = People::load(core, conn).await?;
    let mut groups: BTreeMap<(Person, Severity, Option<Nid>), Vec<Wait>> = BTreeMap::new();
    for wait in ready {
        let known = people.get(&wait.person).is_some();
        match people.reached(&wait.person, ways, now).filter(|_| known) {
            Some(person) => groups
                .entry((person, wait.severity, wait.call))
                .or_default()
                .push(wait),
            // Taken back meanwhile, or no way leads there.
            None => queue::told(conn, &wait).await?,
        }
    }
    for ((person, severity, call), waits) in groups {
        let sort = Sort::from(severity);
        if out::may_send(conn, &person, sort, call, allowance(sort)).await? {
            tell(conn, &people, ways, (&person, sort, call), &waits).await?;
        }
    }
    Ok(())
}

async fn tell(
    conn: &mut Connection,
    people: &People,
    ways: Ways,
    (person, sort, call): (&Person, Sort, Option<Nid>),
    waits: &[Wait],
) -> Result<(), StoreError> {
    let Some(known) = people.get(person) else {
        return Ok(());
    };
    let mut all = Wait {
        person: person.clone(),
        severity: Severity::Routine,
        call,
        nids: std::collections::BTreeSet::new(),
        upto: crate::domain::ids::Seq(0),
        ready_at: OffsetDateTime::UNIX_EPOCH,
    };
    for wait in waits {
        all.add(wait.nids.iter().copied(), wait.upto);
    }
    let one = all.nids.first().copied().filter(|_| all.nids.len() == 1);
    let message = NewMessage {
        bundle: Uuid::new_v4(),
        person,
        sort,
        call,
        nid: one,
        count: all.nids.len(),
        upto: all.upto,
    };
    for way in Way::ALL {
        if ways.has(*way) && known.choice.has(*way) {
            out::queue(conn, &message, *way).await?;
        }
    }
    for wait in waits {
        queue::told(conn, wait).await?;
    }
    Ok(())
}
