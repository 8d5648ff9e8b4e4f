//! Whether the state is what the statements add up to: takes every stored statement again, from the first, in a scratch
//! database, through the same code, and compares table by table what follows from them. The live data is only read, as it
//! stands at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use super::core::{Core, Deployment};
use super::deployment::{About, Loaded};
use super::intake::{Replay, due_key, moments};
use super::records::Record;
use crate::crypto::keyring::{Keyring, KeyringError};
use crate::crypto::random::random_bytes;
use crate::domain::actor::ActorKind;
use crate::domain::ids::{ContextId, LogPosition};
use crate::store::endpoint::Endpoint;
use crate::store::error::StoreError;
use crate::store::pool::{PoolBounds, Pools};
use crate::store::rebuild::{self as store, Differs, Stored};
use crate::store::{Connection, actors, due, migrate, statements};
use crate::wire::policy::Policy;
use crate::wire::problem::Problem;

/// Statements read at once.
const PAGE: i64 = 64;
/// Rows of the schedule read at once.
const ROWS: i64 = 1_000;
/// Differences that are named; all are counted.
pub const NAMED: usize = 1_000;
/// Statements that may be refused before the rest is not tried.
const REFUSED: usize = 20;

/// Why nothing was compared.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It was told to end.
    #[error("ended before everything was compared; nothing was changed")]
    Interrupted,
    /// The schema differs from this version's.
    #[error(
        "the database has other tables than this version knows: start this version's server on it once, then check again"
    )]
    Tables,
    /// Something that was stored cannot be read.
    #[error("what was stored cannot be read: {0}")]
    Unreadable(String),
}

/// A difference, named without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The table.
    pub table: &'static str,
    /// The row's key; of a statement that is refused now, its position.
    pub key: String,
    /// How it differs.
    pub how: String,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Statements taken again.
    pub statements: u64,
    /// Rows compared, by table.
    pub rows: Vec<(&'static str, u64)>,
    /// How many differences there are.
    pub differ: u64,
    /// The first [`NAMED`] of them.
    pub differences: Vec<Difference>,
}

impl Report {
    fn differs(&mut self, table: &'static str, key: String, how: impl Into<String>) {
        self.differ += 1;
        if self.differences.len() < NAMED {
            let how = how.into();
            self.differences.push(Difference { table, key, how });
        }
    }
}

/// What is told while it goes on: statements taken, and how many there are.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

/// Takes everything again and compares.
///
/// # Errors
/// [`RebuildError`]. The scratch database is gone in either case.
pub async fn check(
    endpoint: &Endpoint,
    loaded: Loaded,
    stop: &CancellationToken,
    progress: Progress<'_>,
) -> Result<Report, RebuildError> {
    let suffix = data_encoding::HEXLOWER.encode(&random_bytes::<8>());
    let name = store::create_scratch(endpoint, &suffix).await?;
    let scratch = endpoint.with_database(&name);
    let found = Box::pin(check_in(endpoint, &scratch, loaded, stop, progress)).await;
    let gone = store::drop_scratch(endpoint, &name).await;
    let report = found?;
    gone?;
    Ok(report)
}

/// As [`check`], in a database of the caller's own, in which there is nothing yet but perhaps the tables.
///
/// # Errors
/// [`RebuildError`].
pub async fn check_in(
    endpoint: &Endpoint,
    scratch: &Endpoint,
    loaded: Loaded,
    stop: &CancellationToken,
    progress: Progress<'_>,
) -> Result<Report, RebuildError> {
    let Loaded {
        deployment,
        about,
        keyring,
        ..
    } = loaded;
    let on = (Arc::new(deployment), Arc::new(keyring), &about);
    Box::pin(fold(endpoint, scratch, on, stop, progress)).await
}

async fn fold(
    endpoint: &Endpoint,
    scratch: &Endpoint,
    (deployment, keyring, about): (Arc<Deployment>, Arc<Keyring>, &About),
    stop: &CancellationToken,
    progress: Progress<'_>,
) -> Result<Report, RebuildError> {
    let live = store::snapshot(endpoint).await?;
    migrate::run(scratch).await?;
    let core = Core {
        deployment,
        keyring,
        pools: Pools::open(scratch, &PoolBounds::default()).await?,
    };
    let pools = core.pools.clone();
    let admin = store::owner(scratch).await?;
    let mut replay = Replay::new(core, admin, live);
    let found = Box::pin(run(&mut replay, about, stop, progress)).await;
    drop(replay);
    pools.close().await;
    found
}

async fn run(
    replay: &mut Replay,
    about: &About,
    stop: &CancellationToken,
    progress: Progress<'_>,
) -> Result<Report, RebuildError> {
    let known: Vec<_> = store::tables(&mut replay.live).await?;
    let mut folded = replay
        .core
        .pools
        .intake
        .acquire()
        .await
        .map_err(StoreError::from)?;
    if store::tables(&mut folded).await? != known {
        return Err(RebuildError::Tables);
    }
    begin(&mut folded, about).await?;
    drop(folded);
    let mut report = Report::default();
    let last = take_all(replay, &mut report, stop, progress).await?;
    settle(replay, last).await?;
    compare(replay, &mut report, stop).await?;
    Ok(report)
}

/// The contexts and their coordinators, as a server's first start puts them there.
async fn begin(conn: &mut Connection, about: &About) -> Result<(), RebuildError> {
    for context in &about.contexts {
        let policy = Policy {
            country: context.country.clone(),
            ..Policy::default()
        };
        actors::ensure_context(conn, &context.ctx, context.mode, &policy).await?;
        let (first, kind) = (&context.first, ActorKind::Coordinator);
        actors::ensure(conn, &context.ctx, &first.actor, kind, &first.name).await?;
    }
    Ok(())
}

async fn take_all(
    replay: &mut Replay,
    report: &mut Report,
    stop: &CancellationToken,
    progress: Progress<'_>,
) -> Result<OffsetDateTime, RebuildError> {
    let all = store::count(&mut replay.live).await?;
    let mut last = OffsetDateTime::UNIX_EPOCH;
    let (mut after, mut refused) = (LogPosition(0), 0);
    loop {
        let page = store::page(&mut replay.live, after, PAGE).await?;
        if page.is_empty() {
            return Ok(last);
        }
        for stored in &page {
            if stop.is_cancelled() {
                return Err(RebuildError::Interrupted);
            }
            if stored.pos.0 != after.0 + 1 {
                report.differs("statement", stored.pos.to_string(), "a gap before it");
            }
            (after, last) = (stored.pos, last.max(stored.at));
            if let Err(problem) = replay.take(stored).await {
                refused += 1;
                report.differs("statement", stored.pos.to_string(), why(stored, &problem));
            }
            if refused >= REFUSED {
                return Ok(last);
            }
            report.statements += 1;
        }
        progress(report.statements, all);
    }
}

fn why(stored: &Stored, problem: &Problem) -> String {
    let slug = problem.kind().map_or("internal", |kind| kind.spec().slug);
    format!("{}, refused when taken again: {slug}", stored.kind)
}

/// The schedule of a database, opened: what falls due, and when.
type Schedule = BTreeMap<(ContextId, String), (OffsetDateTime, Option<OffsetDateTime>)>;

/// As [`schedule`], without what brings nothing any more where `lacks` says that parts were destroyed: what is still to come
/// of a notification that has ended cannot be made again without them, and is nothing.
async fn to_come(
    core: &Core,
    conn: &mut Connection,
    lacks: bool,
) -> Result<Schedule, RebuildError> {
    let mut all = schedule(core, conn).await?;
    if lacks {
        let ended: BTreeSet<String> = store::ended(conn)
            .await?
            .iter()
            .map(ToString::to_string)
            .collect();
        let about = |key: &str| key.split(' ').next().unwrap_or_default().to_owned();
        all.retain(|(_, key), _| !ended.contains(&about(key)));
    }
    Ok(all)
}

async fn schedule(core: &Core, conn: &mut Connection) -> Result<Schedule, RebuildError> {
    let (mut after, mut out) = (0, Schedule::new());
    loop {
        let rows = due::unseen(conn, time::Date::MAX, after, ROWS).await?;
        let full = i64::try_from(rows.len()) == Ok(ROWS);
        for row in rows {
            after = row.id;
            let at = moments(core, &row)
                .map_err(|_| RebuildError::Unreadable("a moment of the schedule".to_owned()))?;
            out.insert(
                (row.ctx.clone(), written(&due_key(&row))),
                (at.at, at.begins),
            );
        }
        if !full {
            return Ok(out);
        }
    }
}

fn written((about, what, party, rev): &(uuid::Uuid, String, String, u32)) -> String {
    format!("{about} {what} {party} {rev}")
}

/// Lets what had fallen due by now, and brought nothing, go from the schedule, where it is gone from the live one.
/// `last` is the latest time of a statement: a drill's clock may have been set right since.
async fn settle(replay: &mut Replay, last: OffsetDateTime) -> Result<(), RebuildError> {
    let now = statements::now(&mut replay.live).await?.max(last);
    let core = replay.core.clone();
    let live = schedule(&core, &mut replay.live).await?;
    for ctx in core.deployment.contexts.keys() {
        let stands = |key: &_| {
            let row = live.get(&(ctx.clone(), written(key)));
            row.map(|(live_at, _)| *live_at)
        };
        let ended = replay.end(ctx, now, stands).await;
        ended.map_err(|_| RebuildError::Unreadable("the schedule".to_owned()))?;
    }
    Ok(())
}

async fn compare(
    replay: &mut Replay,
    report: &mut Report,
    stop: &CancellationToken,
) -> Result<(), RebuildError> {
    let core = replay.core.clone();
    let folded = core.pools.intake.acquire().await;
    let mut folded = folded.map_err(StoreError::from)?;
    for table in store::DERIVED {
        if stop.is_cancelled() {
            return Err(RebuildError::Interrupted);
        }
        let mut found = Vec::new();
        let note = |key, how| found.push((key, how));
        let rows = store::compare(&mut replay.live, &mut folded, table, note).await?;
        report.rows.push((table.table, rows));
        for (key, how) in found {
            report.differs(table.table, key, says(how));
        }
    }
    let lacks = replay.lacks_parts();
    let live = to_come(&core, &mut replay.live, lacks).await?;
    let made = to_come(&core, &mut folded, lacks).await?;
    report
        .rows
        .push(("due", u64::try_from(live.len()).unwrap_or(0)));
    for_each_difference(&live, &made, |(ctx, key), how| {
        report.differs("due", format!("{ctx} {key}"), says(how));
    });
    let live = threads(&core, &mut replay.live).await?;
    let made = threads(&core, &mut folded).await?;
    for_each_difference(&live, &made, |id, how| {
        // One that is missing was found already.
        if how == Differs::Otherwise {
            report.differs("thread", id.to_string(), says(how));
        }
    });
    Ok(())
}

/// Until when each thread asks for a reply, opened.
async fn threads(
    core: &Core,
    conn: &mut Connection,
) -> Result<BTreeMap<uuid::Uuid, Vec<u8>>, RebuildError> {
    let server = &core.deployment.node.actor;
    let mut out = BTreeMap::new();
    for (id, due) in store::threads(conn).await? {
        let opened = core
            .keyring
            .open_record(&Record::thread(server, &id).at(), &due);
        if matches!(opened, Err(KeyringError::Destroyed(_))) {
            continue;
        }
        // One that does not open is another than any that does.
        out.insert(
            id,
            opened.map_or_else(|_| Vec::new(), |opened| opened.to_vec()),
        );
    }
    Ok(out)
}

fn for_each_difference<K: Ord, V: PartialEq>(
    live: &BTreeMap<K, V>,
    made: &BTreeMap<K, V>,
    mut differs: impl FnMut(&K, Differs),
) {
    for (key, value) in live {
        match made.get(key) {
            None => differs(key, Differs::OnlyLive),
            Some(other) if other != value => differs(key, Differs::Otherwise),
            Some(_) => {}
        }
    }
    for key in made.keys().filter(|key| !live.contains_key(*key)) {
        differs(key, Differs::OnlyFolded);
    }
}

const fn says(how: Differs) -> &'static str {
    match how {
        Differs::OnlyLive => "stands in the database and does not follow from the statements",
        Differs::OnlyFolded => "follows from the statements and is not in the database",
        Differs::Otherwise => "says something else than the statements",
    }
}
