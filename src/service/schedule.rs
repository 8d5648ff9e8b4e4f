//! The schedule as one node knows it: the moments of the day, read once, and the rows that were written since.

use std::collections::{BTreeMap, BTreeSet};

use time::{Date, OffsetDateTime};

use super::core::{Core, store as failed};
use super::intake::{Wake, fire, moments};
use super::retention;
use crate::domain::ids::ContextId;
use crate::store::due;
use crate::store::error::StoreError;
use crate::store::statements;
use crate::wire::problem::Problem;

/// Rows read at once.
const PAGE: i64 = 1_000;
/// Rows judged in one transaction: the head is locked meanwhile.
const AT_ONCE: usize = 64;

/// What this node has read of the schedule.
pub struct Schedule {
    core: Core,
    wake: Wake,
    /// What comes today, by its moment, and in which context.
    known: BTreeSet<(OffsetDateTime, i64, ContextId)>,
    /// The last day that was read.
    seen: Date,
    /// The last row that was read.
    after: i64,
    /// The day on which the month's key was last seen to.
    turned: Option<Date>,
}

impl Schedule {
    /// A schedule of which nothing is known yet.
    pub fn new(core: Core, wake: Wake) -> Self {
        Self {
            core,
            wake,
            known: BTreeSet::new(),
            seen: Date::MIN,
            after: 0,
            turned: None,
        }
    }

    /// Reads what is new, and lets what has fallen due happen.
    ///
    /// # Errors
    /// The database's, or the keyring's. What has not happened happens at the next look.
    pub async fn tick(&mut self) -> Result<(), Problem> {
        let now = self.read().await?;
        if self.turned != Some(due::day(now)) {
            // Before anything is said on another day: what is sealed then is sealed under its month.
            match retention::turn(&self.core).await {
                Ok(()) => self.turned = Some(due::day(now)),
                Err(problem) => {
                    let kind = problem.kind();
                    tracing::error!(
                        ?kind,
                        "the present month's key could not be seen to; the one before is used on"
                    );
                }
            }
        }
        let (mut failed, mut waiting) = (BTreeMap::new(), Vec::new());
        // A context in which something fails does not hold up the others.
        while let Some((ctx, ids)) = self.due(now, &failed) {
            let left = match fire(&self.core, &ctx, &self.wake, &ids).await {
                Ok(left) => left,
                Err(problem) => {
                    failed.insert(ctx, problem);
                    continue;
                }
            };
            // What waits for another, which is perhaps not read yet, is looked at again at the next look.
            let left = self.known.iter().filter(|(_, id, _)| left.contains(id));
            waiting.extend(left.cloned());
            self.known.retain(|(_, id, _)| !ids.contains(id));
            metrics::counter!("herald_due_total").increment(u64::try_from(ids.len()).unwrap_or(0));
        }
        self.known.extend(waiting);
        failed.into_values().next().map_or(Ok(()), Err)
    }

    /// The first rows that have fallen due, of one context that is not among these.
    fn due(
        &self,
        now: OffsetDateTime,
        but: &BTreeMap<ContextId, Problem>,
    ) -> Option<(ContextId, Vec<i64>)> {
        let due = self.known.iter().take_while(|(at, _, _)| *at <= now);
        let mut due = due.filter(|(_, _, ctx)| !but.contains_key(ctx)).peekable();
        let (_, _, ctx) = due.peek()?;
        let ctx = ctx.clone();
        let own = due.filter(|(_, _, of)| *of == ctx);
        let ids = own.take(AT_ONCE).map(|(_, id, _)| *id).collect();
        Some((ctx, ids))
    }

    /// Reads the rows of days that have begun since the last look, and those that were written since. Gives the time.
    async fn read(&mut self) -> Result<OffsetDateTime, Problem> {
        let mut conn = self
            .core
            .pools
            .intake
            .acquire()
            .await
            .map_err(|e| failed(&StoreError::from(e)))?;
        let now = statements::now(&mut conn).await.map_err(|e| failed(&e))?;
        let today = due::day(now);
        let (mut after, mut seen) = (self.after, self.seen);
        if today != seen {
            // Another day: what it brings was perhaps written long ago. In a drill it may be an earlier one.
            (after, self.after) = (0, 0);
            self.known.clear();
            seen = today;
        }
        loop {
            let rows = due::unseen(&mut conn, today, after, PAGE)
                .await
                .map_err(|e| failed(&e))?;
            let full = i64::try_from(rows.len()) == Ok(PAGE);
            for row in rows {
                after = row.id;
                match moments(&self.core, &row) {
                    Ok(moments) => drop(self.known.insert((moments.at, row.id, row.ctx))),
                    // One that does not open must not hold back the others. The keyring has said why.
                    Err(_) => metrics::counter!("herald_due_broken_total").increment(1),
                }
            }
            if !full {
                break;
            }
        }
        (self.after, self.seen) = (after, seen);
        Ok(now)
    }
}
