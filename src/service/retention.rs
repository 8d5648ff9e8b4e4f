//! Sealed parts are kept for as long as the policy says, and then destroyed with their month. What is to be done is read from
//! what stands: a month whose time is over and that nothing holds is said to be destroyed; one that was said so and still has
//! rows is emptied; a key under which no context has rows any more goes. So it does not matter at which moment a server is
//! killed, nor how many nodes look, and a clock that a drill moved is obeyed like any other.
//!
//! Each context's rows go when its own time is over, whatever the others keep: what one sees tells nothing of the others. The
//! key, which they share, goes when the last of them is done.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::core::{Core, keyring, store as failed};
use super::intake::{Judged, Wake, retain};
use super::nudge;
use super::records::Record;
use crate::crypto::keyring::KeyringError;
use crate::crypto::month::Month;
use crate::domain::ids::ContextId;
use crate::domain::retention::Hold;
use crate::store::error::StoreError;
use crate::store::months::{self, MonthRow};
use crate::store::tx::Transaction;
use crate::store::{actors, statements};
use crate::wire::problem::Problem;

/// Statements that are emptied in one transaction.
const AT_ONCE: i32 = 2_000;
/// Rows that are sealed anew in one transaction.
const RESEALED_AT_ONCE: i64 = 500;
/// Things of each sort that are named as holding a month.
pub const NAMED_HOLDS: i64 = 20;

/// Sees to it that what is stored from now on is sealed under the month of the database's clock: its key is there, those of
/// the coming months too, and each context's row says that something will be sealed there.
///
/// # Errors
/// The database's, or the keyring's. What is stored goes on to be sealed under the month before.
pub async fn turn(core: &Core) -> Result<(), Problem> {
    let store = |e: StoreError| failed(&e);
    let conn = core.pools.intake.acquire().await;
    let mut conn = conn.map_err(|e| store(e.into()))?;
    let now = statements::now(&mut conn).await.map_err(store)?;
    let turning = core.keyring.turning(now.date());
    let turning = turning.map_err(|error| keyring(&error))?;
    let contexts = core.deployment.contexts.keys();
    months::begin(&mut conn, contexts, turning)
        .await
        .map_err(store)?;
    let made = core.keyring.provision(now.date());
    made.map(drop).map_err(|error| keyring(&error))
}

/// What one node does about months whose time is over.
pub struct Retention {
    core: Core,
    wake: Wake,
    /// Which ten minutes, by the database's clock, it was when all was looked at and done last.
    done: Option<i64>,
}

impl Retention {
    /// Nothing was looked at yet.
    pub fn new(core: Core, wake: Wake) -> Self {
        let done = None;
        Self { core, wake, done }
    }

    /// Looks, every ten minutes of the database's clock unless something was left undone, and does what is to be done.
    ///
    /// # Errors
    /// The database's, or the keyring's. What was not done is done at the next look.
    pub async fn look(&mut self) -> Result<(), Problem> {
        let core = self.core.clone();
        let now = now(&core).await?;
        let present = now.unix_timestamp().div_euclid(600);
        if self.done == Some(present) {
            return Ok(());
        }
        self.done = None;
        turn(&core).await?;
        let mut wrong = Vec::new();
        wrong.extend(self.say(now).await.err());
        wrong.extend(empty(&core).await.err());
        wrong.extend(destroy_keys(&core).await.err());
        if let Some(problem) = wrong.into_iter().next() {
            return Err(problem);
        }
        self.done = Some(present);
        Ok(())
    }

    /// Says of each month whose time is over and that nothing holds that it is destroyed.
    async fn say(&self, now: OffsetDateTime) -> Result<(), Problem> {
        let (core, mut held, mut wrong) = (&self.core, 0_u32, None);
        for (ctx, month) in over(core, now).await.map_err(|e| failed(&e))? {
            // A context in which something fails does not hold up the others.
            match self.judge(&ctx, month).await {
                Ok(Judged::Destroyed) => {
                    tracing::info!(%ctx, %month, "the time of a month is over: it is destroyed");
                }
                Ok(Judged::Held) => held += 1,
                Ok(Judged::Kept) => {}
                Err(problem) => wrong = Some(problem),
            }
        }
        metrics::gauge!("herald_months_held").set(f64::from(held));
        wrong.map_or(Ok(()), Err)
    }

    /// What takes long is looked at before the head is locked; what decides, again under it.
    async fn judge(&self, ctx: &ContextId, month: Month) -> Result<Judged, Problem> {
        let look = async {
            let mut conn = self.core.pools.intake.acquire().await?;
            if months::holds(&mut conn, ctx, month, 1).await?.is_empty() {
                return months::concerned(&mut conn, ctx, month).await.map(Some);
            }
            Ok(None)
        };
        match look.await.map_err(|e: StoreError| failed(&e))? {
            Some(concerned) => retain(&self.core, &self.wake, (ctx, month), &concerned).await,
            None => Ok(Judged::Held),
        }
    }
}

async fn now(core: &Core) -> Result<OffsetDateTime, Problem> {
    let now = async {
        let mut conn = core.pools.intake.acquire().await?;
        statements::now(&mut conn).await
    };
    now.await.map_err(|e: StoreError| failed(&e))
}

/// The months whose time is over by the policy of now and that were not destroyed, of the contexts served here.
async fn over(core: &Core, now: OffsetDateTime) -> Result<Vec<(ContextId, Month)>, StoreError> {
    let mut conn = core.pools.intake.acquire().await?;
    let mut kept = BTreeMap::new();
    for ctx in core.deployment.contexts.keys() {
        let (policy, _) = actors::policy(&mut conn, ctx).await?;
        kept.insert(ctx, policy.retention_months);
    }
    let all = months::all(&mut conn).await?.into_iter();
    let over = all.filter(|row| {
        let until = kept.get(&row.ctx);
        let until = until.and_then(|months| row.month.kept_until(*months));
        row.destroyed.is_none() && until.is_some_and(|until| until <= now)
    });
    Ok(over.map(|row| (row.ctx, row.month)).collect())
}

/// Empties what was said to be destroyed, as far as anything is left of it. First what outlasts its month is sealed anew.
async fn empty(core: &Core) -> Result<(), Problem> {
    reseal(core).await?;
    let read = async {
        let mut conn = core.pools.intake.acquire().await?;
        months::all(&mut conn).await
    };
    let rows = read.await.map_err(|e: StoreError| failed(&e))?;
    for row in rows {
        let (Some((_, at)), None) = (row.destroyed, row.emptied_at) else {
            continue;
        };
        let emptied = empty_month(core, (&row.ctx, row.month), at).await;
        emptied.map_err(|e| failed(&e))?;
        metrics::counter!("herald_months_destroyed_total").increment(1);
    }
    Ok(())
}

async fn empty_month(
    core: &Core,
    (ctx, month): (&ContextId, Month),
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let mut conn = core.pools.worker.acquire().await?;
        let some = months::empty_statements(&mut conn, ctx, month, (after, AT_ONCE)).await?;
        match some {
            Some(upto) => after = upto,
            None => break,
        }
    }
    let mut conn = core.pools.worker.acquire().await?;
    months::empty_rest(&mut conn, ctx, month, at).await?;
    drop(conn);
    let mut conn = core.pools.intake.acquire().await?;
    let now = statements::now(&mut conn).await?;
    months::set_emptied(&mut conn, ctx, month, now).await
}

/// Seals anew, under the present month, what outlasts its own: who holds which device, what is still to fall due, and where
/// people are nudged. It is done each month, not only when one is destroyed: a backup of the database that is restored then
/// has lost none of it.
async fn reseal(core: &Core) -> Result<(), Problem> {
    let nudges = async {
        let mut tx = core.pools.worker.begin().await?;
        nudge::People::load_and_reseal(core, &mut tx).await?;
        tx.commit().await.map_err(StoreError::from)
    };
    nudges.await.map_err(|e: StoreError| failed(&e))?;
    for ctx in core.deployment.contexts.keys() {
        reseal_holders(core, ctx).await?;
        reseal_due(core, ctx).await?;
    }
    Ok(())
}

async fn reseal_holders(core: &Core, ctx: &ContextId) -> Result<(), Problem> {
    let (present, mut last) = (core.month()?, None);
    loop {
        let mut tx = begin(core).await?;
        let page = (last.as_ref(), RESEALED_AT_ONCE);
        let mut holders = months::holders(&mut tx, ctx, present, page)
            .await
            .map_err(|e| failed(&e))?;
        for holder in &holders {
            let at = Record::device_person(&holder.actor, &holder.device);
            if let Some(sealed) = anew(core, &at, present, &holder.person)? {
                months::reseal_holder(&mut tx, ctx, holder, (present, &sealed))
                    .await
                    .map_err(|e| failed(&e))?;
            }
        }
        tx.commit().await.map_err(|e| failed(&e.into()))?;
        last = holders.pop();
        if last.is_none() {
            return Ok(());
        }
    }
}

async fn reseal_due(core: &Core, ctx: &ContextId) -> Result<(), Problem> {
    let (server, present, mut after) = (&core.deployment.node.actor, core.month()?, 0);
    loop {
        let mut tx = begin(core).await?;
        let rows = months::due(&mut tx, ctx, present, (after, RESEALED_AT_ONCE))
            .await
            .map_err(|e| failed(&e))?;
        for row in &rows {
            let at = Record::due(server, &row.about, row.rev, row.what.as_str(), &row.party);
            if let Some(sealed) = anew(core, &at, present, &row.content)? {
                months::reseal_due(&mut tx, row.id, (present, &sealed))
                    .await
                    .map_err(|e| failed(&e))?;
            }
        }
        tx.commit().await.map_err(|e| failed(&e.into()))?;
        match rows.last() {
            Some(row) => after = row.id,
            None => return Ok(()),
        }
    }
}

async fn begin(core: &Core) -> Result<Transaction, Problem> {
    let begun = core.pools.intake.begin().await;
    begun.map_err(|e| failed(&e.into()))
}

/// A record sealed under the present month. None of one whose key was destroyed before the database was set back to a time
/// at which it was still sealed under it: it is lost.
fn anew(
    core: &Core,
    at: &Record,
    present: Month,
    sealed: &[u8],
) -> Result<Option<Vec<u8>>, Problem> {
    let opened: Zeroizing<Vec<u8>> = match core.keyring.open_record(&at.at(), sealed) {
        Ok(opened) => opened,
        Err(KeyringError::Destroyed(month)) => {
            metrics::counter!("herald_records_lost_total").increment(1);
            tracing::warn!(%month, "what should have outlasted its month was sealed under a destroyed key, and is lost");
            return Ok(None);
        }
        Err(error) => return Err(keyring(&error)),
    };
    core.seal_record(&at.at(), present, &opened).map(Some)
}

/// Destroys the keys under which no context has anything left.
async fn destroy_keys(core: &Core) -> Result<(), Problem> {
    let read = async {
        let mut conn = core.pools.intake.acquire().await?;
        months::all(&mut conn).await
    };
    let rows = read.await.map_err(|e: StoreError| failed(&e))?;
    for month in emptied(&rows) {
        let destroyed = core.keyring.destroy(month);
        if destroyed.map_err(|error| keyring(&error))? {
            tracing::info!(%month, "the key of a month is destroyed");
        }
    }
    Ok(())
}

/// The months that every context is done with.
fn emptied(rows: &[MonthRow]) -> BTreeSet<Month> {
    let all: BTreeSet<Month> = rows.iter().map(|row| row.month).collect();
    let left = rows.iter().filter(|row| row.emptied_at.is_none());
    let left: BTreeSet<Month> = left.map(|row| row.month).collect();
    all.difference(&left).copied().collect()
}

/// A month of the keyring, as its operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonthState {
    /// The month.
    pub month: Month,
    /// Whether its key was destroyed on this node.
    pub key_destroyed: bool,
    /// Where each context stands with it, by name.
    pub contexts: Vec<ContextMonth>,
}

/// Where a context stands with a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextMonth {
    /// The context.
    pub ctx: ContextId,
    /// When the time is over, by the policy of now.
    pub due: Option<OffsetDateTime>,
    /// When a statement said that it is destroyed.
    pub destroyed_at: Option<OffsetDateTime>,
    /// Whether anything of it is left in the database.
    pub emptied: bool,
    /// What would hold it now; at most [`NAMED_HOLDS`] of each sort.
    pub held_by: Vec<Hold>,
}

/// The months of the keyring and of the database, oldest first, and the database's time. Changes nothing.
///
/// # Errors
/// The database's, or the keyring's.
pub async fn months(core: &Core) -> Result<(Vec<MonthState>, OffsetDateTime), Problem> {
    let (read, now) = contexts(core).await.map_err(|e| failed(&e))?;
    let files = core.keyring.months().map_err(|error| keyring(&error))?;
    let mut out: BTreeMap<Month, MonthState> = BTreeMap::new();
    let state = |month, key_destroyed| MonthState {
        month,
        key_destroyed,
        contexts: Vec::new(),
    };
    for (month, destroyed) in files {
        out.insert(month, state(month, destroyed));
    }
    for (month, context) in read {
        let of = out.entry(month).or_insert_with(|| state(month, false));
        of.contexts.push(context);
    }
    Ok((out.into_values().collect(), now))
}

async fn contexts(core: &Core) -> Result<(Vec<(Month, ContextMonth)>, OffsetDateTime), StoreError> {
    let mut conn = core.pools.intake.acquire().await?;
    let now = statements::now(&mut conn).await?;
    let mut out = Vec::new();
    for row in months::all(&mut conn).await? {
        let (policy, _) = actors::policy(&mut conn, &row.ctx).await?;
        let held_by = match row.destroyed {
            Some(_) => Vec::new(),
            None => months::holds(&mut conn, &row.ctx, row.month, NAMED_HOLDS).await?,
        };
        let context = ContextMonth {
            due: row.month.kept_until(policy.retention_months),
            destroyed_at: row.destroyed.map(|(_, at)| at),
            emptied: row.emptied_at.is_some(),
            held_by,
            ctx: row.ctx,
        };
        out.push((row.month, context));
    }
    Ok((out, now))
}
