//! What a person chose: where and for what to be nudged, and who is nudged while they are away. Sealed under the keyring,
//! seen by nobody but that person (a colleague sees only whose cover they are), and erased when they say so.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{People, Ways, month, seal};
use crate::domain::ids::Seq;
use crate::domain::nudge::{Sort, Way, allowance, mail_address, reached};
use crate::domain::phone;
use crate::service::core::{Core, store as failed};
use crate::service::principal::Principal;
use crate::store::error::StoreError;
use crate::store::nudge_out::{self as queue, NewMessage};
use crate::store::nudges::{self as store, Person, Trouble};
use crate::store::statements;
use crate::store::tx::{self, Transaction};
use crate::wire::nudge::{NudgeChoice, NudgeCovered, NudgeMessage, NudgeSettings, NudgeTrouble};
use crate::wire::problem::{Problem, ProblemKind};

/// The longest leave.
const LEAVE_MOST: Duration = Duration::days(366);
/// Messages that are shown.
const RECENT: u32 = 10;
/// People who are not reached that are shown at once.
const TROUBLES: u32 = 100;

/// How the caller's nudges stand.
///
/// # Errors
/// The database's.
pub async fn get(core: &Core, principal: &Principal, ways: Ways) -> Result<NudgeSettings, Problem> {
    let mut tx = begin(core, principal).await?;
    let settings = settings(core, &mut tx, principal, ways)
        .await
        .map_err(|e| failed(&e))?;
    tx.rollback()
        .await
        .map_err(|e| failed(&StoreError::from(e)))?;
    Ok(settings)
}

/// Sets the caller's choice.
///
/// # Errors
/// `nudge-address`, `nudge-nowhere`, `nudge-leave`, `nudge-cover`; the database's.
pub async fn put(
    core: &Core,
    principal: &Principal,
    ways: Ways,
    mut choice: NudgeChoice,
) -> Result<NudgeSettings, Problem> {
    addresses(&mut choice)?;
    choice.severities.sort_unstable();
    choice.severities.dedup();
    let person = person(principal);
    let mut tx = begin(core, principal).await?;
    leave(core, &mut tx, &person, &choice).await?;
    let stored = async {
        let month = month(core)?;
        let content = seal(core, &person, month, &choice)?;
        store::set(&mut tx, &person, month, &content).await?;
        let settings = settings(core, &mut tx, principal, ways).await?;
        tx.commit().await?;
        Ok(settings)
    };
    stored.await.map_err(|e: StoreError| failed(&e))
}

/// Erases the caller's choice. Nothing more is sent there from now on.
///
/// # Errors
/// The database's.
pub async fn erase(core: &Core, principal: &Principal) -> Result<(), Problem> {
    let erased = async {
        let mut tx = tx::begin(&core.pools.app, &principal.tenant()).await?;
        store::erase(&mut tx, &person(principal)).await?;
        tx.commit().await?;
        Ok(())
    };
    erased.await.map_err(|e: StoreError| failed(&e))
}

/// Queues a test message by each way that is set and on.
///
/// # Errors
/// `nudge-nowhere`, `nudges-off`, `rate-limited`; the database's.
pub async fn test(
    core: &Core,
    principal: &Principal,
    ways: Ways,
) -> Result<NudgeSettings, Problem> {
    let person = person(principal);
    let mut tx = begin(core, principal).await?;
    let people = People::load(core, &mut tx).await.map_err(|e| failed(&e))?;
    let known = people.get(&person).ok_or(ProblemKind::NudgeNowhere)?;
    let by: Vec<Way> = Way::ALL
        .iter()
        .copied()
        .filter(|way| ways.has(*way) && known.choice.has(*way))
        .collect();
    if by.is_empty() {
        return Err(ProblemKind::NudgesOff.into());
    }
    let allowed = allowance(Sort::Test);
    let may = queue::may_send(&mut tx, &person, Sort::Test, None, allowed).await;
    if !may.map_err(|e| failed(&e))? {
        return Err(Problem::new(ProblemKind::RateLimited)
            .detail(format!("at most {} tests an hour", allowed.most))
            .retry_after_s(allowed.within.as_secs() / u64::from(allowed.most)));
    }
    let message = NewMessage {
        bundle: Uuid::new_v4(),
        person: &person,
        sort: Sort::Test,
        call: None,
        nid: None,
        count: 0,
        upto: Seq(0),
    };
    let queued = async {
        for way in by {
            queue::queue(&mut tx, &message, way).await?;
        }
        let settings = settings(core, &mut tx, principal, ways).await?;
        tx.commit().await?;
        Ok(settings)
    };
    queued.await.map_err(|e: StoreError| failed(&e))
}

/// Who is not reached, as far as the caller may know; within the tenant's transaction.
pub(in crate::service) async fn troubles(
    conn: &mut crate::store::Connection,
) -> Result<Vec<NudgeTrouble>, StoreError> {
    let said = |t: Trouble| NudgeTrouble {
        actor: t.person.actor,
        device: t.person.device,
        way: t.way,
        since: t.since,
    };
    let all = store::troubles(conn, TROUBLES).await?;
    Ok(all.into_iter().map(said).collect())
}

fn person(principal: &Principal) -> Person {
    Person {
        ctx: principal.ctx.clone(),
        actor: principal.actor.clone(),
        device: principal.device.clone(),
    }
}

async fn begin(core: &Core, principal: &Principal) -> Result<Transaction, Problem> {
    tx::begin(&core.pools.app, &principal.tenant())
        .await
        .map_err(|e| failed(&e))
}

async fn settings(
    core: &Core,
    tx: &mut Transaction,
    principal: &Principal,
    ways: Ways,
) -> Result<NudgeSettings, StoreError> {
    let person = person(principal);
    let people = People::load(core, tx).await?;
    let now = statements::now(tx).await?;
    let covering = people
        .of(&person.ctx, &person.actor)
        .filter_map(|(other, known)| {
            let leave = known.choice.leave.as_ref()?;
            (leave.cover == person.device && leave.until > now).then(|| NudgeCovered {
                device: other.device.clone(),
                until: leave.until,
            })
        });
    let recent = queue::recent(tx, &person, RECENT).await?;
    let mut failing = troubles(tx).await?;
    failing.retain(|t| t.actor == person.actor && t.device == person.device);
    Ok(NudgeSettings {
        choice: people.get(&person).map(|known| known.choice.clone()),
        mail: ways.mail,
        webhook: ways.webhook,
        covering: covering.collect(),
        recent: recent
            .into_iter()
            .map(|m| NudgeMessage {
                way: m.way,
                sort: m.sort,
                at: m.at,
                tries: m.tries,
                state: m.state,
            })
            .collect(),
        failing,
    })
}

/// Refuses what no message could go to, and writes a number as it is dialled.
fn addresses(choice: &mut NudgeChoice) -> Result<(), Problem> {
    if choice.email.as_deref().is_some_and(|a| !mail_address(a)) {
        return Err(Problem::new(ProblemKind::NudgeAddress).pointer("/email"));
    }
    if let Some(given) = &choice.phone {
        let dialled = phone::dialled(given)
            .ok_or_else(|| Problem::new(ProblemKind::NudgeAddress).pointer("/phone"))?;
        choice.phone = Some(dialled);
    }
    if choice.email.is_none() && choice.phone.is_none() {
        return Err(Problem::new(ProblemKind::NudgeNowhere).pointer("/email"));
    }
    if choice.severities.is_empty() {
        return Err(Problem::new(ProblemKind::NudgeNowhere).pointer("/severities"));
    }
    Ok(())
}

/// Refuses a leave that ends never or was over, and cover by somebody who would not be reached: of another actor, without
/// an address, in a circle, or at the end of too long a chain, one's own or a colleague's.
async fn leave(
    core: &Core,
    tx: &mut Transaction,
    person: &Person,
    choice: &NudgeChoice,
) -> Result<(), Problem> {
    let Some(leave) = &choice.leave else {
        return Ok(());
    };
    let now = statements::now(tx).await.map_err(|e| failed(&e))?;
    if leave.until <= now || leave.until > now + LEAVE_MOST {
        return Err(Problem::new(ProblemKind::NudgeLeave).pointer("/leave/until"));
    }
    // Only one's own actor's people are seen in this transaction.
    let mut people = People::load(core, tx).await.map_err(|e| failed(&e))?;
    let cover = Person {
        device: leave.cover.clone(),
        ..person.clone()
    };
    let refused = |detail: String| {
        Problem::new(ProblemKind::NudgeCover)
            .detail(detail)
            .pointer("/leave/cover")
    };
    if cover != *person && people.get(&cover).is_none() {
        let why = "it is no active device of the same organisation or party with nudges set";
        return Err(refused(why.to_owned()));
    }
    people.put(person.clone(), choice.clone());
    chains(&people, person, now).map_err(|error| refused(error.to_string()))
}

/// Walks from everybody of the actor: what one sets may close a circle for another.
fn chains(
    people: &People,
    person: &Person,
    now: OffsetDateTime,
) -> Result<(), crate::domain::nudge::CoverError> {
    for (one, _) in people.of(&person.ctx, &person.actor) {
        let at = |device: &crate::domain::ids::DeviceId| Person {
            device: device.clone(),
            ..one.clone()
        };
        reached(&one.device, |device| people.away(&at(device)), now)?;
    }
    Ok(())
}
