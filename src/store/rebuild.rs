//! Reading a database again for `herald rebuild --check`: what is stored, in order, a scratch database beside it, and the
//! rows of both, compared by key and digest. What a row says is never given out.

use futures_util::TryStreamExt as _;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row};
use time::OffsetDateTime;

use super::endpoint::Endpoint;
use super::error::StoreError;
use super::read;
use super::role::Role;
use super::statements::NewRecord;
use crate::crypto::digest::{Digest, Kid};
use crate::domain::ids::{ActorId, ContextId, LogPosition, Nid, Revision};
use crate::domain::kind::Kind;
use crate::domain::notification::Tier;

/// What every scratch database's name begins with.
const SCRATCH: &str = "herald_rebuild_";

/// A table whose rows follow from the statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Derived {
    /// Its name.
    pub table: &'static str,
    /// What names a row, in SQL.
    key: &'static str,
    /// Columns that do not follow from the statements.
    but: &'static [&'static str],
    /// Which rows follow from them.
    of: &'static str,
}

const fn whole(table: &'static str, key: &'static str) -> Derived {
    but(table, key, &[])
}

const fn but(table: &'static str, key: &'static str, but: &'static [&'static str]) -> Derived {
    Derived {
        table,
        key,
        but,
        of: "true",
    }
}

/// The tables whose rows follow from the statements, and what of them does not: certificates and names that came with an
/// enrolment, how far somebody has read, and what is sealed anew (its content is compared opened, where it is ours).
pub const DERIVED: &[Derived] = &[
    whole("statement", "pos"),
    whole("part", "pos, part"),
    whole("seal", "pos, part, encode(kid, 'hex')"),
    whole("context", "ctx"),
    whole("actor", "ctx, actor"),
    Derived {
        of: "state <> 'pending'",
        ..but(
            "device",
            "ctx, actor, device",
            &[
                "spki",
                "former_spki",
                "person",
                "person_month",
                "until",
                "cursor_seq",
                "cursor_at",
            ],
        )
    },
    whole("device_key", "encode(kid, 'hex')"),
    whole("notification", "nid"),
    whole("revision", "nid, rev"),
    but("audience", "nid, rev, party", &["fetched_at"]),
    whole("cover", "nid, rev"),
    whole("ack", "pos, item"),
    whole("relay", "pos, item"),
    whole("mailbox", "ctx, actor, seq"),
    whole("progress", "nid, rev, sort"),
    but("thread", "id", &["due", "month"]),
    whole("distress", "nid"),
    whole("called", "nid, actor"),
    whole("blob_use", "blob, pos"),
];

/// Tables whose rows are compared opened, by the service.
pub const OPENED: &[&str] = &["due", "thread"];

/// Tables that do not follow from the statements, and why.
pub const NOT_DERIVED: &[(&str, &str)] = &[
    (
        "head",
        "the last position is that of the last statement, and a drill's clock is set by hand",
    ),
    ("invite", "used up by an enrolment, which is no statement"),
    (
        "blob",
        "contents in transit; which statement names one is compared",
    ),
    ("blob_chunk", "contents in transit"),
    ("check_log", "questions and answers take no position"),
    (
        "month",
        "which months are kept and which are destroyed; the statements that say so are compared",
    ),
    (
        "nudge",
        "where a person is nudged is no statement, and may be erased",
    ),
    ("look", "when a device last looked is no statement"),
    ("nudge_wait", "who is to be nudged, until they are"),
    ("nudge_out", "messages on their way"),
    ("nudge_trouble", "whom messages do not reach"),
    ("nudge_head", "how far the log was read for nudges"),
    ("_sqlx_migrations", "the schema's own record"),
];

/// A statement as it is stored, with what travels beside it.
pub struct Stored {
    /// Its position.
    pub pos: LogPosition,
    /// Its hash.
    pub hash: Digest,
    /// Its context.
    pub ctx: ContextId,
    /// Its kind.
    pub kind: Kind,
    /// Who signed.
    pub actor: ActorId,
    /// The exact bytes.
    pub jws: String,
    /// The receipt.
    pub receipt: String,
    /// The actor whose device brought it.
    pub submitted_by: ActorId,
    /// When, by the database's clock.
    pub at: OffsetDateTime,
    /// Parts and seals, as they are sealed.
    pub records: Vec<NewRecord>,
}

/// A session that reads everything of the live database as it stands at one moment, and writes nothing.
///
/// # Errors
/// [`StoreError`].
pub async fn snapshot(endpoint: &Endpoint) -> Result<PgConnection, StoreError> {
    let mut conn = session(endpoint, Role::Intake).await?;
    conn.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await?;
    Ok(conn)
}

/// A session of its own, as a role.
///
/// # Errors
/// [`StoreError`].
pub async fn session(endpoint: &Endpoint, role: Role) -> Result<PgConnection, StoreError> {
    let mut conn = PgConnection::connect_with(&endpoint.options(role)).await?;
    if let Some(role) = endpoint.needs_set_role(role) {
        // The name is one of ours, never input.
        conn.execute(AssertSqlSafe(format!("SET ROLE {role}")))
            .await?;
    }
    Ok(conn)
}

/// A session on a scratch database that may put contents there, as if they had been sent.
///
/// # Errors
/// [`StoreError`].
pub async fn owner(scratch: &Endpoint) -> Result<PgConnection, StoreError> {
    let mut conn = PgConnection::connect_with(&scratch.options(Role::Admin)).await?;
    conn.execute("SET ROLE hn_owner").await?;
    conn.execute("ALTER TABLE hn.blob NO FORCE ROW LEVEL SECURITY")
        .await?;
    Ok(conn)
}

/// Makes an empty database beside the live one, and takes away those that checks left behind an hour ago or more: one that is
/// younger may be another check's that has not connected yet. Gives its name.
///
/// # Errors
/// [`StoreError`]; [`StoreError::Forbidden`] where the role may not create databases.
pub async fn create_scratch(endpoint: &Endpoint, suffix: &str) -> Result<String, StoreError> {
    let mut admin = PgConnection::connect_with(&endpoint.options(Role::Admin)).await?;
    let left: Vec<String> = sqlx::query_scalar(
        "SELECT quote_ident(datname) FROM pg_catalog.pg_database
          WHERE starts_with(datname::text, $1)
            AND coalesce(substring(datname::text FROM '_t([0-9]{1,12})_')::bigint, 0) < extract(epoch FROM now()) - 3600",
    )
    .bind(SCRATCH)
    .fetch_all(&mut admin)
    .await?;
    for name in left {
        // One that is in use is another check's; PostgreSQL refuses to take it away.
        if let Err(error) = admin
            .execute(AssertSqlSafe(format!("DROP DATABASE {name}")))
            .await
        {
            tracing::debug!(%error, "a scratch database is in use");
        }
    }
    let made: i64 = sqlx::query_scalar("SELECT extract(epoch FROM now())::bigint")
        .fetch_one(&mut admin)
        .await?;
    let name = format!("{SCRATCH}t{made}_{suffix}");
    for sql in [
        format!("CREATE DATABASE {name}"),
        // It is thrown away in the end: nothing in it need reach the disk.
        format!("ALTER DATABASE {name} SET synchronous_commit = off"),
    ] {
        admin.execute(AssertSqlSafe(sql)).await?;
    }
    admin.close().await?;
    Ok(name)
}

/// Takes a scratch database away again.
///
/// # Errors
/// [`StoreError`].
pub async fn drop_scratch(endpoint: &Endpoint, name: &str) -> Result<(), StoreError> {
    let mut admin = PgConnection::connect_with(&endpoint.options(Role::Admin)).await?;
    admin
        .execute(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)")))
        .await?;
    admin.close().await?;
    Ok(())
}

/// How many statements there are.
///
/// # Errors
/// [`StoreError`].
pub async fn count(conn: &mut PgConnection) -> Result<u64, StoreError> {
    let row = sqlx::query("SELECT count(*) AS n FROM hn.statement")
        .fetch_one(conn)
        .await?;
    read::unsigned(&row, "n")
}

/// The statements behind a position, in order, with their parts and seals.
///
/// # Errors
/// [`StoreError`].
pub async fn page(
    conn: &mut PgConnection,
    after: LogPosition,
    limit: i64,
) -> Result<Vec<Stored>, StoreError> {
    let rows = sqlx::query(
        "SELECT pos, hash, ctx, kind, actor, jws, receipt, submitted_by, at FROM hn.statement
          WHERE pos > $1 ORDER BY pos LIMIT $2",
    )
    .bind(read::bigint(after.0))
    .bind(limit)
    .fetch_all(&mut *conn)
    .await?;
    let mut out = rows.iter().map(stored).collect::<Result<Vec<_>, _>>()?;
    let positions: Vec<i64> = out.iter().map(|s| read::bigint(s.pos.0)).collect();
    let rows = sqlx::query(
        "SELECT pos, part, sd, month, org, NULL::bytea AS kid, content FROM hn.part WHERE pos = ANY($1)
         UNION ALL
         SELECT pos, part, sd, month, org, kid, content FROM hn.seal WHERE pos = ANY($1)
         ORDER BY 1, 2",
    )
    .bind(positions)
    .fetch_all(conn)
    .await?;
    for row in rows {
        let pos = read::position(&row, "pos")?;
        let kid: Option<Vec<u8>> = row.try_get("kid")?;
        let reader = kid.map(|kid| Digest::from_slice(&kid).map(Kid::from_digest));
        let record = NewRecord {
            part: row.try_get("part")?,
            sd: read::digest(&row, "sd")?,
            reader: reader
                .transpose()
                .map_err(|_| StoreError::Decode("kid".to_owned()))?,
            month: read::text(&row, "month")?,
            org: read::text(&row, "org")?,
            content: row.try_get("content")?,
        };
        if let Some(stored) = out.iter_mut().find(|s| s.pos == pos) {
            stored.records.push(record);
        }
    }
    Ok(out)
}

fn stored(row: &PgRow) -> Result<Stored, StoreError> {
    Ok(Stored {
        pos: read::position(row, "pos")?,
        hash: read::digest(row, "hash")?,
        ctx: read::text(row, "ctx")?,
        kind: read::text(row, "kind")?,
        actor: read::text(row, "actor")?,
        jws: row.try_get("jws")?,
        receipt: row.try_get("receipt")?,
        submitted_by: read::text(row, "submitted_by")?,
        at: row.try_get("at")?,
        records: Vec::new(),
    })
}

/// Puts the contents that a statement names into the scratch database, without their pieces.
///
/// # Errors
/// [`StoreError`].
pub async fn copy_blobs(
    live: &mut PgConnection,
    scratch: &mut PgConnection,
    pos: LogPosition,
) -> Result<(), StoreError> {
    let rows = sqlx::query(
        "SELECT b.id, b.ctx, b.actor, b.digest, b.size, b.month, b.touched_at
           FROM hn.blob b JOIN hn.blob_use u ON u.blob = b.id WHERE u.pos = $1 ORDER BY b.id",
    )
    .bind(read::bigint(pos.0))
    .fetch_all(live)
    .await?;
    for row in rows {
        sqlx::query(
            "INSERT INTO hn.blob (id, ctx, actor, digest, size, have, complete, month, touched_at)
             OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4, $5, $5, true, $6, $7)
             ON CONFLICT DO NOTHING",
        )
        .bind(row.try_get::<i64, _>("id")?)
        .bind(row.try_get::<String, _>("ctx")?)
        .bind(row.try_get::<String, _>("actor")?)
        .bind(row.try_get::<Vec<u8>, _>("digest")?)
        .bind(row.try_get::<i32, _>("size")?)
        .bind(row.try_get::<String, _>("month")?)
        .bind(row.try_get::<OffsetDateTime, _>("touched_at")?)
        .execute(&mut *scratch)
        .await?;
    }
    Ok(())
}

/// A revision that a party's desk had fetched.
pub struct Fetched {
    /// The notification.
    pub nid: Nid,
    rev: Revision,
    party: ActorId,
    at: OffsetDateTime,
}

/// What was fetched in a context after one moment and up to another.
///
/// # Errors
/// [`StoreError`].
pub async fn fetched(
    conn: &mut PgConnection,
    ctx: &ContextId,
    (after, upto): (OffsetDateTime, OffsetDateTime),
) -> Result<Vec<Fetched>, StoreError> {
    let rows = sqlx::query(
        "SELECT nid, rev, party, fetched_at FROM hn.audience
          WHERE ctx = $1 AND fetched_at > $2 AND fetched_at <= $3 ORDER BY fetched_at, nid, rev, party",
    )
    .bind(ctx.as_str())
    .bind(after)
    .bind(upto)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Fetched {
                nid: read::nid(row, "nid")?,
                rev: read::revision(row, "rev")?,
                party: read::text(row, "party")?,
                at: row.try_get("fetched_at")?,
            })
        })
        .collect()
}

/// Notes in the scratch database what was fetched.
///
/// # Errors
/// [`StoreError`].
pub async fn set_fetched(conn: &mut PgConnection, fetched: &[Fetched]) -> Result<(), StoreError> {
    for one in fetched {
        sqlx::query(
            "UPDATE hn.audience SET fetched_at = $4 WHERE nid = $1 AND rev = $2 AND party = $3",
        )
        .bind(one.nid.uuid())
        .bind(read::integer(one.rev))
        .bind(one.party.as_str())
        .bind(one.at)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// How a row differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Differs {
    /// The live database has it; the statements do not give it.
    OnlyLive,
    /// The statements give it; the live database does not have it.
    OnlyFolded,
    /// Both have it, and it says something else.
    Otherwise,
}

/// Compares a table of both databases row by row, in the order of their keys. Gives the number of live rows, and hands
/// each difference on.
///
/// # Errors
/// [`StoreError`].
pub async fn compare(
    live: &mut PgConnection,
    folded: &mut PgConnection,
    table: &Derived,
    mut differs: impl FnMut(String, Differs),
) -> Result<u64, StoreError> {
    let but: Vec<String> = table.but.iter().map(|c| format!(" - '{c}'")).collect();
    let (key, of, name) = (table.key, table.of, table.table);
    // All of it is text of ours, never input.
    let sql = format!(
        "SELECT concat_ws(' ', {key}) COLLATE \"C\" AS key, md5((to_jsonb(t){})::text) AS row
           FROM hn.{name} t WHERE {of} ORDER BY 1",
        but.concat()
    );
    let mut left = sqlx::query(AssertSqlSafe(sql.clone())).fetch(live);
    let mut right = sqlx::query(AssertSqlSafe(sql)).fetch(folded);
    let take = |row: Option<PgRow>| {
        row.map(|row| {
            Ok::<(String, String), StoreError>((row.try_get("key")?, row.try_get("row")?))
        })
        .transpose()
    };
    let (mut a, mut b) = (
        take(left.try_next().await?)?,
        take(right.try_next().await?)?,
    );
    let mut rows = 0;
    loop {
        let order = match (&a, &b) {
            (None, None) => return Ok(rows),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((a, _)), Some((b, _))) => a.cmp(b),
        };
        match order {
            std::cmp::Ordering::Less => {
                rows += 1;
                differs(a.map(|(key, _)| key).unwrap_or_default(), Differs::OnlyLive);
                a = take(left.try_next().await?)?;
            }
            std::cmp::Ordering::Greater => {
                differs(
                    b.map(|(key, _)| key).unwrap_or_default(),
                    Differs::OnlyFolded,
                );
                b = take(right.try_next().await?)?;
            }
            std::cmp::Ordering::Equal => {
                rows += 1;
                if a != b {
                    differs(
                        a.map(|(key, _)| key).unwrap_or_default(),
                        Differs::Otherwise,
                    );
                }
                a = take(left.try_next().await?)?;
                b = take(right.try_next().await?)?;
            }
        }
    }
}

/// The threads of a database, and until when each asks for a reply, sealed.
///
/// # Errors
/// [`StoreError`].
pub async fn threads(conn: &mut PgConnection) -> Result<Vec<(uuid::Uuid, Vec<u8>)>, StoreError> {
    let rows = sqlx::query("SELECT id, due FROM hn.thread ORDER BY id")
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("id")?, row.try_get("due")?)))
        .collect()
}

/// The tables of the schema.
///
/// # Errors
/// [`StoreError`].
pub async fn tables(conn: &mut PgConnection) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = 'hn' AND c.relkind IN ('r', 'p') ORDER BY 1",
    )
    .fetch_all(conn)
    .await?)
}

/// The parties that a revision names, and how much each sees.
///
/// # Errors
/// [`StoreError`].
pub async fn chosen(
    conn: &mut PgConnection,
    nid: uuid::Uuid,
    rev: u32,
) -> Result<Vec<(ActorId, Tier)>, StoreError> {
    let rows = sqlx::query(
        "SELECT party AS actor, tier FROM hn.audience WHERE nid = $1 AND rev = $2 ORDER BY party",
    )
    .bind(nid)
    .bind(i32::try_from(rev).unwrap_or(i32::MAX))
    .fetch_all(conn)
    .await?;
    rows.iter().map(seen).collect()
}

/// The parties that a call for help went to, and how much each sees.
///
/// # Errors
/// [`StoreError`].
pub async fn parties_called(
    conn: &mut PgConnection,
    nid: Nid,
) -> Result<Vec<(ActorId, Tier)>, StoreError> {
    let rows = sqlx::query(
        "SELECT actor, tier FROM hn.called WHERE nid = $1 AND tier IS NOT NULL ORDER BY actor",
    )
    .bind(nid.uuid())
    .fetch_all(conn)
    .await?;
    rows.iter().map(seen).collect()
}

fn seen(row: &PgRow) -> Result<(ActorId, Tier), StoreError> {
    Ok((read::text(row, "actor")?, read::text(row, "tier")?))
}

/// The contents that a statement names, and how long each is.
///
/// # Errors
/// [`StoreError`].
pub async fn blobs_named(
    conn: &mut PgConnection,
    pos: LogPosition,
) -> Result<Vec<(Digest, u64)>, StoreError> {
    let rows = sqlx::query(
        "SELECT b.digest, b.size::bigint AS size FROM hn.blob_use u JOIN hn.blob b ON b.id = u.blob WHERE u.pos = $1 ORDER BY b.id",
    )
    .bind(read::bigint(pos.0))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| Ok((read::digest(row, "digest")?, read::unsigned(row, "size")?)))
        .collect()
}

/// The notifications of which an acknowledgement says that they were entered elsewhere.
///
/// # Errors
/// [`StoreError`].
pub async fn elsewhere(
    conn: &mut PgConnection,
    pos: LogPosition,
) -> Result<std::collections::BTreeSet<Nid>, StoreError> {
    let rows = sqlx::query("SELECT nid FROM hn.ack WHERE pos = $1 AND elsewhere")
        .bind(read::bigint(pos.0))
        .fetch_all(conn)
        .await?;
    rows.iter().map(|row| read::nid(row, "nid")).collect()
}

/// The desks that a statement was delivered to.
///
/// # Errors
/// [`StoreError`].
pub async fn delivered(
    conn: &mut PgConnection,
    pos: LogPosition,
) -> Result<Vec<ActorId>, StoreError> {
    let rows = sqlx::query("SELECT actor FROM hn.mailbox WHERE pos = $1 ORDER BY actor")
        .bind(read::bigint(pos.0))
        .fetch_all(conn)
        .await?;
    rows.iter().map(|row| read::text(row, "actor")).collect()
}

/// Puts into the scratch database of what sort the word on a movement's progress was, where it is the latest of its sort.
///
/// # Errors
/// [`StoreError`].
pub async fn copy_progress(
    live: &mut PgConnection,
    scratch: &mut PgConnection,
    pos: LogPosition,
) -> Result<(), StoreError> {
    let rows = sqlx::query("SELECT nid, rev, sort, ctx, org FROM hn.progress WHERE pos = $1")
        .bind(read::bigint(pos.0))
        .fetch_all(live)
        .await?;
    for row in rows {
        sqlx::query(
            "INSERT INTO hn.progress (nid, rev, sort, ctx, org, pos) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (nid, rev, sort) DO UPDATE SET pos = excluded.pos",
        )
        .bind(row.try_get::<uuid::Uuid, _>("nid")?)
        .bind(row.try_get::<i32, _>("rev")?)
        .bind(row.try_get::<String, _>("sort")?)
        .bind(row.try_get::<String, _>("ctx")?)
        .bind(row.try_get::<String, _>("org")?)
        .bind(read::bigint(pos.0))
        .execute(&mut *scratch)
        .await?;
    }
    Ok(())
}

/// The notifications that have ended: what the schedule still has of them brings nothing.
///
/// # Errors
/// [`StoreError`].
pub async fn ended(
    conn: &mut PgConnection,
) -> Result<std::collections::BTreeSet<uuid::Uuid>, StoreError> {
    let nids: Vec<uuid::Uuid> =
        sqlx::query_scalar("SELECT nid FROM hn.notification WHERE state <> 'current'")
            .fetch_all(conn)
            .await?;
    Ok(nids.into_iter().collect())
}
