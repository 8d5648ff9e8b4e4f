//! New notifications and acknowledgements that arrive together: one statement a table for all of them, where one by one
//! each would cost eight. What is stored is the same, row by row, as [`super::statements`] and [`super::notifications`]
//! store.

use std::collections::HashMap;

use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::error::StoreError;
use super::notifications::{self, Chosen, NewAck, NewCover, NewRevision};
use super::read;
use super::statements::{NewRecord, NewStatement};
use crate::crypto::digest::Digest;
use crate::domain::ids::{ActorId, ContextId, Issuer, Nid};
use crate::domain::notification::{NotificationState, Subject};

/// A statement that is stored with others.
pub struct Arrival<'a> {
    /// The statement.
    pub statement: NewStatement<'a>,
    /// What travels beside it.
    pub records: &'a [NewRecord],
    /// Desks that hear of it, each once, beside the parties of a notification.
    pub desks: &'a [ActorId],
    /// What it does.
    pub what: What<'a>,
}

/// What a statement does.
pub enum What<'a> {
    /// It begins a notification that nobody has seen yet.
    Begins(Begun<'a>),
    /// It acknowledges. Its `pos` is the statement's.
    Acknowledges(NewAck<'a>),
}

/// A first revision.
pub struct Begun<'a> {
    /// The revision.
    pub revision: &'a NewRevision<'a>,
    /// A site, or a movement.
    pub subject: Subject,
    /// What the index sees.
    pub cover: NewCover<'a>,
    /// The parties chosen; their sequence numbers are set when it is stored.
    pub chosen: Vec<Chosen>,
}

impl Arrival<'_> {
    /// The parties of a notification that it begins.
    fn chosen(&self) -> &[Chosen] {
        match &self.what {
            What::Begins(begun) => &begun.chosen,
            What::Acknowledges(_) => &[],
        }
    }
}

/// What a statement must not share with anything stored, to be told as new without a look of its own.
pub struct Candidate<'a> {
    /// Its hash.
    pub hash: Digest,
    /// Who signed.
    pub issuer: &'a Issuer,
    /// Its id.
    pub jti: Uuid,
    /// The notification that it begins, if it begins one.
    pub nid: Option<Nid>,
}

/// For each candidate whether the database knows nothing of it: not the bytes, not the id, not the notification.
///
/// # Errors
/// [`StoreError`].
pub async fn unheard_of(
    conn: &mut PgConnection,
    ctx: &ContextId,
    candidates: &[Candidate<'_>],
) -> Result<Vec<bool>, StoreError> {
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    // Subqueries that give one value are looked up by their unique index, row by row, however small the tables were when
    // the plan was made.
    let rows: Vec<bool> = sqlx::query_scalar(
        "SELECT coalesce(
                    (SELECT s.pos FROM hn.statement s WHERE s.hash = u.hash),
                    (SELECT s.pos FROM hn.statement s
                      WHERE s.ctx = $1 AND s.actor = u.actor AND s.device = u.device AND s.jti = u.jti),
                    (SELECT n.first_pos FROM hn.notification n WHERE n.nid = u.nid)) IS NULL
           FROM unnest($2::bytea[], $3::text[], $4::text[], $5::uuid[], $6::uuid[])
                WITH ORDINALITY AS u(hash, actor, device, jti, nid, i)
          ORDER BY u.i",
    )
    .bind(ctx.as_str())
    .bind(column(candidates, |c| c.hash.as_bytes().to_vec()))
    .bind(column(candidates, |c| c.issuer.actor.to_string()))
    .bind(column(candidates, |c| super::statements::device_column(c.issuer).to_owned()))
    .bind(column(candidates, |c| c.jti))
    .bind(column(candidates, |c| c.nid.map(Nid::uuid)))
    .fetch_all(conn)
    .await?;
    if rows.len() == candidates.len() {
        Ok(rows)
    } else {
        Err(StoreError::Decode("unnest".to_owned()))
    }
}

/// Stores them in order and puts them into mailboxes. The caller holds the head's lock, so that sequence numbers are dense
/// and follow positions.
///
/// # Errors
/// [`StoreError`]; [`StoreError::NotFound`] when a desk does not exist. The transaction is spoilt then.
pub async fn insert(
    conn: &mut PgConnection,
    ctx: &ContextId,
    mut arrivals: Vec<Arrival<'_>>,
) -> Result<(), StoreError> {
    if arrivals.is_empty() {
        return Ok(());
    }
    insert_statements(conn, &arrivals).await?;
    insert_parts(conn, &arrivals).await?;
    insert_seals(conn, &arrivals).await?;
    deliver(conn, ctx, &mut arrivals).await?;
    let (mut begun, mut acks) = (Vec::new(), Vec::new());
    for arrival in arrivals {
        match arrival.what {
            What::Begins(one) => begun.push(one),
            What::Acknowledges(ack) => acks.push(ack),
        }
    }
    if !begun.is_empty() {
        insert_notifications(conn, &begun).await?;
        insert_revisions(conn, &begun).await?;
        insert_covers(conn, &begun).await?;
        insert_audiences(conn, &begun).await?;
    }
    if !acks.is_empty() {
        notifications::insert_acks(conn, &acks).await?;
    }
    Ok(())
}

fn column<T, C>(rows: &[T], of: impl Fn(&T) -> C) -> Vec<C> {
    rows.iter().map(of).collect()
}

async fn insert_statements(
    conn: &mut PgConnection,
    arrivals: &[Arrival<'_>],
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO hn.statement (pos, hash, ctx, actor, device, kid, jti, kind, jws, receipt, submitted_by, at)
         SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::uuid[],
                              $8::text[], $9::text[], $10::text[], $11::text[], $12::timestamptz[])",
    )
    .bind(column(arrivals, |a| read::bigint(a.statement.pos.0)))
    .bind(column(arrivals, |a| a.statement.hash.as_bytes().to_vec()))
    .bind(column(arrivals, |a| a.statement.ctx.to_string()))
    .bind(column(arrivals, |a| a.statement.issuer.actor.to_string()))
    .bind(column(arrivals, |a| super::statements::device_column(a.statement.issuer).to_owned()))
    .bind(column(arrivals, |a| a.statement.kid.as_bytes().to_vec()))
    .bind(column(arrivals, |a| a.statement.jti))
    .bind(column(arrivals, |a| a.statement.kind.as_str().to_owned()))
    .bind(column(arrivals, |a| a.statement.jws.to_owned()))
    .bind(column(arrivals, |a| a.statement.receipt.to_owned()))
    .bind(column(arrivals, |a| a.statement.submitted_by.to_string()))
    .bind(column(arrivals, |a| a.statement.at))
    .execute(conn)
    .await?;
    Ok(())
}

/// Records with the position of their statement: those that the server reads, or those that it passes on.
fn records<'a>(arrivals: &'a [Arrival<'_>], passed_on: bool) -> Vec<(i64, &'a NewRecord)> {
    arrivals
        .iter()
        .flat_map(|a| {
            let pos = read::bigint(a.statement.pos.0);
            a.records.iter().map(move |record| (pos, record))
        })
        .filter(|(_, record)| record.reader.is_some() == passed_on)
        .collect()
}

async fn insert_parts(conn: &mut PgConnection, arrivals: &[Arrival<'_>]) -> Result<(), StoreError> {
    let parts = records(arrivals, false);
    if parts.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO hn.part (pos, part, sd, month, org, content)
         SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::text[], $5::text[], $6::bytea[])",
    )
    .bind(column(&parts, |(pos, _)| *pos))
    .bind(column(&parts, |(_, r)| r.part.clone()))
    .bind(column(&parts, |(_, r)| r.sd.as_bytes().to_vec()))
    .bind(column(&parts, |(_, r)| r.month.to_string()))
    .bind(column(&parts, |(_, r)| r.org.to_string()))
    .bind(column(&parts, |(_, r)| r.content.as_slice()))
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert_seals(conn: &mut PgConnection, arrivals: &[Arrival<'_>]) -> Result<(), StoreError> {
    let seals = records(arrivals, true);
    if seals.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO hn.seal (pos, part, kid, sd, month, org, content)
         SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::bytea[], $5::text[], $6::text[], $7::bytea[])",
    )
    .bind(column(&seals, |(pos, _)| *pos))
    .bind(column(&seals, |(_, r)| r.part.clone()))
    .bind(column(&seals, |(_, r)| r.reader.map(|k| k.as_bytes().to_vec()).unwrap_or_default()))
    .bind(column(&seals, |(_, r)| r.sd.as_bytes().to_vec()))
    .bind(column(&seals, |(_, r)| r.month.to_string()))
    .bind(column(&seals, |(_, r)| r.org.to_string()))
    .bind(column(&seals, |(_, r)| r.content.as_slice()))
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert_notifications(
    conn: &mut PgConnection,
    begun: &[Begun<'_>],
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO hn.notification (nid, ctx, org, subject, state, reference, rev, first_pos)
         SELECT n, c, o, s, $7, r, 1, p
           FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[]) AS u(n, c, o, s, r, p)",
    )
    .bind(column(begun, |b| b.revision.nid.uuid()))
    .bind(column(begun, |b| b.revision.ctx.to_string()))
    .bind(column(begun, |b| b.revision.org.to_string()))
    .bind(column(begun, |b| b.subject.as_str().to_owned()))
    .bind(column(begun, |b| b.revision.nid.reference().to_string()))
    .bind(column(begun, |b| read::bigint(b.revision.pos.0)))
    .bind(NotificationState::Current.as_str())
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert_revisions(conn: &mut PgConnection, begun: &[Begun<'_>]) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO hn.revision (nid, rev, ctx, org, pos, hash, kind, device, emergency, screening, cosign, at, on_behalf,
                                  window_ended_pos)
         SELECT * FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::bigint[], $6::bytea[], $7::text[],
                              $8::text[], $9::boolean[], $10::text[], $11::text[], $12::timestamptz[], $13::boolean[],
                              $14::bigint[])",
    )
    .bind(column(begun, |b| b.revision.nid.uuid()))
    .bind(column(begun, |b| read::integer(b.revision.rev)))
    .bind(column(begun, |b| b.revision.ctx.to_string()))
    .bind(column(begun, |b| b.revision.org.to_string()))
    .bind(column(begun, |b| read::bigint(b.revision.pos.0)))
    .bind(column(begun, |b| b.revision.hash.as_bytes().to_vec()))
    .bind(column(begun, |b| b.revision.kind.as_str().to_owned()))
    .bind(column(begun, |b| b.revision.device.to_string()))
    .bind(column(begun, |b| b.revision.emergency))
    .bind(column(begun, |b| b.revision.screening.as_str().to_owned()))
    .bind(column(begun, |b| b.revision.cosign.as_str().to_owned()))
    .bind(column(begun, |b| b.revision.at))
    .bind(column(begun, |b| b.revision.on_behalf))
    .bind(column(begun, |b| {
        b.revision.window_over.then(|| read::bigint(b.revision.pos.0))
    }))
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert_covers(conn: &mut PgConnection, begun: &[Begun<'_>]) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO hn.cover (nid, rev, ctx, org, cover, validity)
         SELECT n, v, c, o, ST_GeomFromEWKB(g), tstzrange(f, t, '[]')
           FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::bytea[], $6::timestamptz[], $7::timestamptz[])
                AS u(n, v, c, o, g, f, t)",
    )
    .bind(column(begun, |b| b.revision.nid.uuid()))
    .bind(column(begun, |b| read::integer(b.revision.rev)))
    .bind(column(begun, |b| b.revision.ctx.to_string()))
    .bind(column(begun, |b| b.revision.org.to_string()))
    .bind(column(begun, |b| b.cover.ewkb))
    .bind(column(begun, |b| b.cover.from))
    .bind(column(begun, |b| b.cover.until))
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts all of them into mailboxes, and notes the parties' sequence numbers.
async fn deliver(
    conn: &mut PgConnection,
    ctx: &ContextId,
    arrivals: &mut [Arrival<'_>],
) -> Result<(), StoreError> {
    let mut counts: HashMap<ActorId, i64> = HashMap::new();
    for arrival in &*arrivals {
        let parties = arrival.chosen().iter().map(|c| &c.party);
        for desk in arrival.desks.iter().chain(parties) {
            *counts.entry(desk.clone()).or_default() += 1;
        }
    }
    let counts: Vec<(ActorId, i64)> = counts.into_iter().collect();
    let rows = sqlx::query(
        "UPDATE hn.actor a SET mailbox_seq = a.mailbox_seq + u.n
           FROM unnest($2::text[], $3::bigint[]) AS u(actor, n)
          WHERE a.ctx = $1 AND a.actor = u.actor
          RETURNING a.actor, a.mailbox_seq - u.n AS before",
    )
    .bind(ctx.as_str())
    .bind(column(&counts, |(desk, _)| desk.to_string()))
    .bind(column(&counts, |(_, n)| *n))
    .fetch_all(&mut *conn)
    .await?;
    let mut last: HashMap<ActorId, i64> = rows
        .iter()
        .map(|row| Ok((read::text(row, "actor")?, row.try_get("before")?)))
        .collect::<Result<_, StoreError>>()?;
    let mut mail: Vec<(String, i64, i64)> = Vec::new();
    for arrival in arrivals {
        let pos = read::bigint(arrival.statement.pos.0);
        let mut put = |desk: &ActorId| {
            let seq = last.get_mut(desk).ok_or(StoreError::NotFound)?;
            *seq += 1;
            mail.push((desk.to_string(), *seq, pos));
            Ok::<i64, StoreError>(*seq)
        };
        for desk in arrival.desks {
            put(desk)?;
        }
        if let What::Begins(begun) = &mut arrival.what {
            for chosen in &mut begun.chosen {
                chosen.seq = put(&chosen.party)?;
            }
        }
    }
    sqlx::query(
        "INSERT INTO hn.mailbox (ctx, actor, seq, pos)
         SELECT $1, a, s, p FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS u(a, s, p)",
    )
    .bind(ctx.as_str())
    .bind(column(&mail, |(desk, _, _)| desk.clone()))
    .bind(column(&mail, |(_, seq, _)| *seq))
    .bind(column(&mail, |(_, _, pos)| *pos))
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert_audiences(conn: &mut PgConnection, begun: &[Begun<'_>]) -> Result<(), StoreError> {
    let rows: Vec<(&NewRevision<'_>, &Chosen)> = begun
        .iter()
        .flat_map(|b| b.chosen.iter().map(|chosen| (b.revision, chosen)))
        .collect();
    sqlx::query(
        "INSERT INTO hn.audience (ctx, party, nid, rev, org, tier, seq, counts)
         SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::integer[], $5::text[], $6::text[], $7::bigint[], $8::boolean[])",
    )
    .bind(column(&rows, |(r, _)| r.ctx.to_string()))
    .bind(column(&rows, |(_, c)| c.party.to_string()))
    .bind(column(&rows, |(r, _)| r.nid.uuid()))
    .bind(column(&rows, |(r, _)| read::integer(r.rev)))
    .bind(column(&rows, |(r, _)| r.org.to_string()))
    .bind(column(&rows, |(_, c)| c.tier.as_str().to_owned()))
    .bind(column(&rows, |(_, c)| c.seq))
    .bind(column(&rows, |(_, c)| c.counts))
    .execute(conn)
    .await?;
    Ok(())
}
