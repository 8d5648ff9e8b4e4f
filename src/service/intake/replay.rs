//! Stored statements taken again, by the same code that took them first: with the position, the time and the receipt that
//! they have, and with their parts as they are stored. What the server itself said is taken as it stands, and must have
//! its cause; what fell due in silence is judged again when its moment has passed.

use std::collections::{BTreeMap, BTreeSet};

use time::{Date, Duration, OffsetDateTime};
use tokio::sync::oneshot;

use super::admission;
use super::arrivals::Fresh;
use super::batch::{Batch, Fault};
use super::due::{self, Falls, Moments};
use super::fire::{self, Brings, Fell};
use super::prepare::{self, Facts, Prepared};
use super::{Bearer, Job, NewCertificate, apply, remains, window};
use crate::crypto::digest::Digest;
use crate::crypto::keyring::{destroyed_with, month_of};
use crate::domain::actor::Role;
use crate::domain::due::Due;
use crate::domain::exchange::AlertEvent;
use crate::domain::ids::{ActorId, ContextId, DeviceId, LogPosition};
use crate::domain::kind::Kind;
use crate::service::core::{Core, internal, keyring, store as failed};
use crate::service::principal::Principal;
use crate::store::devices::{self, DeviceRow, NewDevice};
use crate::store::due::{self as schedule, DueRow};
use crate::store::rebuild::{self, Stored};
use crate::store::{Connection, actors, closing, mailbox, notifications, statements};
use crate::wire::claims::{About, Claims};
use crate::wire::parts::{AlertDetail, NoticeDetail};
use crate::wire::problem::{Problem, ProblemKind};

/// Rows of the schedule read at once.
const PAGE: i64 = 1_000;
/// The clockwork of a running server had judged what fell due so long ago, unless it says something.
const JUDGED_AFTER: Duration = Duration::seconds(5);

/// What names a row of the schedule.
pub(in crate::service) type DueKey = (uuid::Uuid, String, String, u32);

/// The name of a row of the schedule.
pub(in crate::service) fn due_key(row: &DueRow) -> DueKey {
    let party = row.party.as_ref().map(ToString::to_string);
    let what = row.what.as_str().to_owned();
    (row.about, what, party.unwrap_or_default(), row.rev)
}

/// Takes stored statements again, in a database of their own.
pub(in crate::service) struct Replay {
    /// Stands on the database that is made.
    pub core: Core,
    /// Writes there what came by other ways than statements.
    pub admin: Connection,
    /// Reads the database that is looked at.
    pub live: Connection,
    /// What is to fall due, by its moment, as far as it was read.
    known: BTreeMap<(OffsetDateTime, i64), ContextId>,
    after: i64,
    /// Up to when fetches were noted, by context.
    fetched: BTreeMap<ContextId, OffsetDateTime>,
    /// Statements whose parts were destroyed with their month, and those of which an alert that was destroyed told: what is
    /// still said of them has perhaps no cause any more.
    gone: BTreeSet<Digest>,
}

impl Replay {
    /// Nothing was taken yet.
    pub fn new(core: Core, admin: Connection, live: Connection) -> Self {
        Self {
            core,
            admin,
            live,
            known: BTreeMap::new(),
            after: 0,
            fetched: BTreeMap::new(),
            gone: BTreeSet::new(),
        }
    }

    /// Whether any statement that was taken had lost its parts.
    pub fn lacks_parts(&self) -> bool {
        !self.gone.is_empty()
    }

    /// Takes one statement again.
    ///
    /// # Errors
    /// Why it is refused now.
    pub async fn take(&mut self, stored: &Stored) -> Result<(), Problem> {
        Box::pin(self.take_in(stored)).await.map_err(problem)
    }

    async fn take_in(&mut self, stored: &Stored) -> Result<(), Fault> {
        if matches!(stored.kind, Kind::Screen | Kind::Policy) || self.closes(stored) {
            self.fetch(&stored.ctx, stored.at).await?;
        }
        rebuild::copy_blobs(&mut self.live, &mut self.admin, stored.pos).await?;
        let own = stored.actor == self.core.deployment.node.actor;
        let mut records = stored.records.iter();
        let destroyed = records.any(|record| destroyed_with(&record.content).is_some());
        let mut prepared = prepare::again(&self.core, stored, destroyed).await?;
        if destroyed {
            self.gone.insert(stored.hash);
        }
        remains::remember(
            &self.core,
            &mut self.live,
            (&mut prepared, stored),
            &self.gone,
        )
        .await?;
        let job = self.job(stored, prepared).await?;
        let core = self.core.clone();
        let mut tx = begin(&core).await?;
        let context = core.context(&stored.ctx)?;
        actors::judge_by(&mut tx, stored.at).await?;
        let mut batch = Batch::again(&core, context, &mut tx, stored);
        self.settle(&mut batch, stored.at - JUDGED_AFTER, |_| None)
            .await?;
        if own {
            self.own(&mut batch, stored, &job.prepared).await?;
        } else {
            self.enrol(&mut batch, &job.prepared).await?;
            let taken = Box::pin(apply::one(&mut batch, &job, Fresh::default())).await?;
            if taken.known || taken.pos != stored.pos {
                return Err(ProblemKind::ReusedJti.into());
            }
            if destroyed && stored.kind == Kind::Progress {
                rebuild::copy_progress(&mut self.live, batch.conn, stored.pos).await?;
            }
        }
        batch.finish().await?;
        tx.commit().await.map_err(|e| Fault::Store(e.into()))
    }

    /// Whether a statement is the server's that sites are closed by time: what still counted then decided.
    fn closes(&self, stored: &Stored) -> bool {
        let own = stored.actor == self.core.deployment.node.actor;
        let detail = (own && stored.kind == Kind::Alert)
            .then(|| prepare::own_detail::<AlertDetail>(&self.core, stored));
        matches!(detail, Some(Ok(detail)) if detail.event == AlertEvent::ClosedByTime)
    }

    /// Notes what parties had fetched by then; with it, what was superseded stops counting.
    async fn fetch(&mut self, ctx: &ContextId, upto: OffsetDateTime) -> Result<(), Fault> {
        let since = self.fetched.insert(ctx.clone(), upto);
        let since = since.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let fetched = rebuild::fetched(&mut self.live, ctx, (since, upto)).await?;
        let mut nids: Vec<_> = fetched.iter().map(|one| one.nid).collect();
        nids.sort_unstable();
        nids.dedup();
        let mut tx = begin(&self.core).await?;
        rebuild::set_fetched(&mut tx, &fetched).await?;
        mailbox::retire_superseded(&mut tx, &nids, None).await?;
        tx.commit().await.map_err(|e| Fault::Store(e.into()))
    }

    /// Brings a context to where it stands by the end: notes what was fetched, and judges what has fallen due where the live
    /// schedule does not have it so; `stands` says at which moment a row stands there.
    ///
    /// # Errors
    /// The database's, or the keyring's.
    pub async fn end(
        &mut self,
        ctx: &ContextId,
        now: OffsetDateTime,
        stands: impl Fn(&DueKey) -> Option<OffsetDateTime>,
    ) -> Result<(), Problem> {
        self.fetch(ctx, now).await.map_err(problem)?;
        self.settle_all(ctx, now, stands).await.map_err(problem)
    }

    async fn settle_all(
        &mut self,
        ctx: &ContextId,
        now: OffsetDateTime,
        stands: impl Fn(&DueKey) -> Option<OffsetDateTime>,
    ) -> Result<(), Fault> {
        let core = self.core.clone();
        let mut tx = begin(&core).await?;
        actors::judge_by(&mut tx, now).await?;
        let mut batch = Batch::begin(&core, core.context(ctx)?, &mut tx).await?;
        batch.at = now;
        self.settle(&mut batch, now, &stands).await?;
        self.settle_closings(&mut batch, now, &stands).await?;
        batch.finish().await?;
        tx.commit().await.map_err(|e| Fault::Store(e.into()))
    }

    /// Takes away, or puts off, what fell due up to a moment and brings nothing. What brings something stays for the alert
    /// that says it.
    async fn settle(
        &mut self,
        batch: &mut Batch<'_>,
        upto: OffsetDateTime,
        stands: impl Fn(&DueKey) -> Option<OffsetDateTime>,
    ) -> Result<(), Fault> {
        let policy = batch.standing.policy(batch.conn, batch.ctx()).await?;
        let mut looked_at = BTreeSet::new();
        loop {
            self.read(batch).await?;
            let fallen = self.known.iter().take_while(|((at, _), _)| *at <= upto);
            let fallen =
                fallen.filter(|((_, id), of)| *of == batch.ctx() && !looked_at.contains(id));
            let fallen: Vec<_> = fallen.map(|(key, _)| *key).collect();
            if fallen.is_empty() {
                return Ok(());
            }
            for (at, id) in fallen {
                looked_at.insert(id);
                let rows = schedule::still_there(batch.conn, batch.ctx(), &[id]).await?;
                let Some(row) = rows.first() else {
                    self.known.remove(&(at, id));
                    continue;
                };
                // Whether something held a site at each look depends on what was fetched by then: the alert that closes it
                // is held against its cause, and where it stands in the end is looked up.
                if row.what == Due::Closing || stands(&due_key(row)) == Some(at) {
                    continue;
                }
                if row.what == Due::Standing {
                    admission::settle(batch, row).await?;
                    schedule::remove(batch.conn, &[id]).await?;
                    self.known.remove(&(at, id));
                    continue;
                }
                let moments = due::moments(batch.core, row)?;
                let next = match fire::judge(batch, row, moments, &policy).await? {
                    Some(Fell::Says(_) | Fell::Waits) => continue,
                    Some(Fell::Later(falls)) => Some(falls),
                    None => None,
                };
                schedule::remove(batch.conn, &[id]).await?;
                self.known.remove(&(at, id));
                due::schedule(batch, next.as_slice()).await?;
            }
        }
    }

    /// Brings the closings that fell due by now to where they stand in the live schedule, as far as each may have been put off
    /// to there: day by day while something held it, or by the policy. Those of what has ended go.
    async fn settle_closings(
        &mut self,
        batch: &mut Batch<'_>,
        upto: OffsetDateTime,
        stands: impl Fn(&DueKey) -> Option<OffsetDateTime>,
    ) -> Result<(), Fault> {
        let policy = batch.standing.policy(batch.conn, batch.ctx()).await?;
        let fallen = self.known.iter().take_while(|((at, _), _)| *at <= upto);
        let fallen = fallen.filter(|(_, of)| *of == batch.ctx());
        let ids: Vec<i64> = fallen.map(|((_, id), _)| *id).collect();
        let rows = schedule::still_there(batch.conn, batch.ctx(), &ids).await?;
        for row in rows.iter().filter(|row| row.what == Due::Closing) {
            let moments = due::moments(batch.core, row)?;
            let next = match stands(&due_key(row)) {
                Some(live) if live >= moments.at => Some(Falls {
                    what: row.what,
                    about: row.about,
                    rev: row.rev,
                    party: None,
                    at: live,
                    begins: moments.begins,
                }),
                _ => match fire::judge(batch, row, moments, &policy).await? {
                    Some(Fell::Says(_) | Fell::Waits) => continue,
                    Some(Fell::Later(falls)) => Some(falls),
                    None => None,
                },
            };
            schedule::remove(batch.conn, &[row.id]).await?;
            due::schedule(batch, next.as_slice()).await?;
        }
        Ok(())
    }

    /// Reads what was put into the schedule since the last look.
    async fn read(&mut self, batch: &mut Batch<'_>) -> Result<(), Fault> {
        loop {
            let rows = schedule::unseen(batch.conn, Date::MAX, self.after, PAGE).await?;
            let full = i64::try_from(rows.len()) == Ok(PAGE);
            for row in rows {
                self.after = row.id;
                let moments = due::moments(batch.core, &row)?;
                self.known.insert((moments.at, row.id), row.ctx);
            }
            if !full {
                return Ok(());
            }
        }
    }

    /// What the server said stands as it is, delivered to those whom it concerns.
    async fn own(
        &mut self,
        batch: &mut Batch<'_>,
        stored: &Stored,
        prepared: &Prepared,
    ) -> Result<(), Fault> {
        let mut says = None;
        let desks = match &prepared.claims {
            _ if matches!(prepared.facts, Facts::Destroyed) => {
                if stored.kind == Kind::Alert {
                    self.fell_by(batch, stored.at).await?;
                }
                rebuild::delivered(&mut self.live, stored.pos).await?
            }
            Claims::Notice(claims) => {
                let detail: NoticeDetail = prepare::own_detail(&self.core, stored)?;
                let ctx = batch.ctx();
                let of = notifications::revision(batch.conn, ctx, claims.nid, claims.rev).await?;
                let of = of.ok_or(ProblemKind::UnknownNotification)?;
                fire::desks(batch, &of.org, Some(&detail.party)).await?
            }
            Claims::Alert(_) => {
                let detail: AlertDetail = prepare::own_detail(&self.core, stored)?;
                let detail = says.insert(detail);
                if detail.event == AlertEvent::RetentionEnded {
                    // The calendar and the policy are its cause, and that nothing held the month then.
                    fire::desks(batch, &detail.organisation, None).await?
                } else {
                    self.cause(batch, detail, stored.pos).await?
                }
            }
            _ => return Err(ProblemKind::StatementKind.into()),
        };
        let (pos, receipt) = apply::next(batch, prepared.hash)?;
        let new = statements::NewStatement {
            pos,
            hash: prepared.hash,
            ctx: &prepared.common.ctx,
            issuer: &prepared.common.iss,
            kid: prepared.kid,
            jti: prepared.common.jti,
            kind: prepared.claims.kind(),
            jws: &prepared.jws,
            receipt: &receipt,
            submitted_by: &stored.submitted_by,
            at: batch.at,
        };
        statements::insert(batch.conn, &new).await?;
        statements::insert_records(batch.conn, pos, &prepared.records).await?;
        apply::deliver(batch, &desks, pos).await?;
        if let Some(detail) = &says {
            return window::note(batch, detail, pos).await;
        }
        let (ended, closed) = closing::said_by(&mut self.live, pos).await?;
        window::done_again(batch, (&ended, &closed), pos).await
    }

    /// Takes away what had fallen due by the time of an alert that nobody can read any more, and puts what follows there. By
    /// then the clockwork had said it all, in this alert or in one beside it, which is as old.
    async fn fell_by(&mut self, batch: &mut Batch<'_>, at: OffsetDateTime) -> Result<(), Fault> {
        let policy = batch.standing.policy(batch.conn, batch.ctx()).await?;
        self.read(batch).await?;
        let fallen = self.known.range(..=(at, i64::MAX));
        let fallen = fallen.filter(|(_, of)| *of == batch.ctx());
        let ids: Vec<i64> = fallen.map(|((_, id), _)| *id).collect();
        for row in schedule::still_there(batch.conn, batch.ctx(), &ids).await? {
            if row.what == Due::Closing {
                // What it closed says so in what it left.
                continue;
            }
            let moments = due::moments(batch.core, &row)?;
            let next = match fire::judge(batch, &row, moments, &policy).await? {
                Some(Fell::Says(brings)) => {
                    self.gone.insert(brings.item.of);
                    brings.next
                }
                Some(Fell::Later(falls)) => Some(falls),
                None | Some(Fell::Waits) => None,
            };
            schedule::remove(batch.conn, &[row.id]).await?;
            self.known.remove(&(moments.at, row.id));
            due::schedule(batch, next.as_slice()).await?;
        }
        Ok(())
    }

    /// The rows of the schedule that an alert says, all of them: they are taken away, what follows is put there, and those
    /// who are told are given.
    async fn cause(
        &mut self,
        batch: &mut Batch<'_>,
        detail: &AlertDetail,
        pos: LogPosition,
    ) -> Result<Vec<ActorId>, Fault> {
        if let Some(desks) = admission::cause(batch, detail).await? {
            return Ok(desks);
        }
        let gone = &self.gone;
        let lost = |item: &About| gone.contains(&item.of);
        if let Some(desks) = window::cause(batch, detail, lost).await? {
            return Ok(desks);
        }
        let policy = batch.standing.policy(batch.conn, batch.ctx()).await?;
        self.read(batch).await?;
        let at = detail.due;
        let fallen = self.known.range((at, i64::MIN)..=(at, i64::MAX));
        let fallen = fallen.filter(|(_, of)| *of == batch.ctx());
        let ids: Vec<i64> = fallen.map(|((_, id), _)| *id).collect();
        let (mut said, mut desks, mut next) = (Vec::new(), Vec::new(), Vec::new());
        // What was to come of a statement whose parts were destroyed stood in those parts.
        let lost = detail.items.iter();
        let lost = lost.filter(|item| self.gone.contains(&item.of)).count();
        for row in schedule::still_there(batch.conn, batch.ctx(), &ids).await? {
            let moments = due::moments(batch.core, &row)?;
            let fell = fire::judge(batch, &row, moments, &policy).await?;
            let Some(Fell::Says(brings)) = fell else {
                continue;
            };
            if says(&brings, moments, detail) {
                said.push(row.id);
                self.known.remove(&(at, row.id));
                desks = brings.said.desks;
                next.extend(brings.next);
            }
        }
        if said.len() + lost < detail.items.len() || said.len() > detail.items.len() {
            return Err(internal("an alert without its cause in the schedule").into());
        }
        if said.len() < detail.items.len() {
            desks = rebuild::delivered(&mut self.live, pos).await?;
        }
        schedule::remove(batch.conn, &said).await?;
        due::schedule(batch, &next).await?;
        Ok(desks)
    }

    /// Who brought it, as far as that decides anything when it is taken again.
    async fn job(&mut self, stored: &Stored, prepared: Prepared) -> Result<Job, Fault> {
        let iss = &prepared.common.iss;
        let device = match &iss.device {
            Some(device) => devices::get(&mut self.live, &stored.ctx, &iss.actor, device).await?,
            None => None,
        };
        let principal = principal(stored, &prepared, device.as_ref());
        let bearer = match device {
            Some(device) if stored.kind == Kind::Renew => {
                let certificate = NewCertificate {
                    spki: device.spki,
                    until: device.until,
                };
                Bearer::Renewing(principal, Box::new(certificate))
            }
            _ => Bearer::Device(principal),
        };
        let (reply, _) = oneshot::channel();
        Ok(Job {
            prepared,
            bearer,
            reply,
        })
    }

    /// Puts the devices that a statement names into the scratch database, as their enrolment did: that is no statement.
    async fn enrol(&mut self, batch: &mut Batch<'_>, prepared: &Prepared) -> Result<(), Fault> {
        let ctx = &prepared.common.ctx;
        let named: Vec<(ActorId, DeviceId)> = match &prepared.claims {
            Claims::Keys(claims) => {
                let actor = prepared.actor();
                let ids = claims.devices.iter().map(|d| d.id.clone());
                ids.map(|id| (actor.clone(), id)).collect()
            }
            Claims::Revoke(claims) => vec![(claims.actor.clone(), claims.device.clone())],
            _ => Vec::new(),
        };
        for (actor, id) in named {
            if devices::get(batch.conn, ctx, &actor, &id).await?.is_some() {
                continue;
            }
            let Some(live) = devices::get(&mut self.live, ctx, &actor, &id).await? else {
                continue;
            };
            insert_device(batch, &live, prepared).await?;
        }
        Ok(())
    }
}

/// Whether this is what the alert says.
fn says(brings: &Brings, moments: Moments, detail: &AlertDetail) -> bool {
    let said = &brings.said;
    said.event == detail.event
        && said.organisation == detail.organisation
        && said.party == detail.party
        && said.lead_percent == detail.lead_percent
        && said.step == detail.step
        && moments.at == detail.due
        && detail.items.iter().any(|item| same(item, &brings.item))
}

fn same(a: &About, b: &About) -> bool {
    (a.nid, a.rev, a.of) == (b.nid, b.rev, b.of)
}

fn problem(fault: Fault) -> Problem {
    match fault {
        Fault::Refused(problem) => problem,
        Fault::Store(error) => failed(&error),
    }
}

async fn begin(core: &Core) -> Result<crate::store::tx::Transaction, Fault> {
    let begun = core.pools.intake.begin().await;
    begun.map_err(|e| Fault::Store(e.into()))
}

fn principal(stored: &Stored, prepared: &Prepared, device: Option<&DeviceRow>) -> Principal {
    let kind = device.map_or(crate::domain::actor::ActorKind::Operator, |d| d.kind);
    Principal {
        ctx: stored.ctx.clone(),
        actor: stored.submitted_by.clone(),
        kind,
        name: String::new(),
        actor_state: crate::domain::actor::ActorState::Admitted,
        device: prepared
            .common
            .iss
            .device
            .clone()
            .unwrap_or_else(|| DeviceId::from_random([0; 5])),
        role: Role::Coordinator,
        device_state: crate::domain::actor::DeviceState::Active,
        key: prepared.key,
        spki: prepared.hash,
        until: i64::MAX,
        former: false,
    }
}

async fn insert_device(
    batch: &mut Batch<'_>,
    live: &DeviceRow,
    prepared: &Prepared,
) -> Result<(), Fault> {
    let month = month_of(&live.person).map_err(|error| keyring(&error))?;
    let then = match &prepared.claims {
        Claims::Keys(claims) => claims.devices.iter().find(|d| d.id == live.device),
        _ => None,
    };
    let broken = || internal("a stored key has the wrong length");
    let key: [u8; 32] = match then {
        Some(then) => *then.jwk.as_bytes(),
        None => live
            .signing_key
            .as_slice()
            .try_into()
            .map_err(|_| broken())?,
    };
    let seal = then.map_or_else(|| live.seal_key.clone(), |d| d.seal.to_bytes());
    let new = NewDevice {
        ctx: &live.ctx,
        actor: &live.actor,
        device: &live.device,
        role: live.role,
        kid: then.map_or(live.kid, |d| d.jwk.kid()),
        signing_key: &key,
        seal_key: &seal,
        spki: live.spki,
        person: &live.person,
        month,
        until: live.until,
    };
    devices::insert(batch.conn, &new).await?;
    Ok(())
}
