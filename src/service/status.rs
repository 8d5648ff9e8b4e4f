//! Where notifications stand, for whoever may know: an organisation its own, a party what was notified to it, the
//! coordinator all. Row-level security decides what is seen; nothing here says where anything is.

use std::collections::HashMap;

use time::OffsetDateTime;

use super::calls;
use super::core::{Core, store};
use super::principal::Principal;
use super::threads;
use crate::domain::actor::ActorKind;
use crate::domain::check::Flag;
use crate::domain::ids::{ActorId, LogPosition, Nid, Reference};
use crate::domain::notification::{ScreeningState, SecondSignature, Tier};
use crate::store::error::StoreError;
use crate::store::status::{self, RevisionLine};
use crate::store::threads::{self as store_threads, ThreadRow};
use crate::store::{actors, relay, statements, tx};
use crate::wire::api::{
    AckStatus, HeldBack, NotificationPage, NotificationStatus, PartyStatus, RelayStatus,
    RevisionStatus, Statistics, ThreadStatus,
};
use crate::wire::claims::Checked;
use crate::wire::problem::{Problem, ProblemKind};

/// Notifications on a page.
pub const PAGE: u32 = 200;

/// A notification as people or machines name it.
pub enum Named {
    /// By its id.
    Nid(Nid),
    /// By its short reference, which two may share.
    Reference(Reference),
}

impl std::str::FromStr for Named {
    type Err = Problem;
    fn from_str(text: &str) -> Result<Self, Problem> {
        if let Ok(nid) = text.parse() {
            return Ok(Self::Nid(nid));
        }
        text.parse()
            .map(Self::Reference)
            .map_err(|error: crate::domain::ids::IdError| {
                Problem::new(ProblemKind::UnknownNotification).detail(error.to_string())
            })
    }
}

/// Where one notification stands.
///
/// # Errors
/// `unknown-notification`; `invalid-query` when a reference names several.
pub async fn one(
    core: &Core,
    principal: &Principal,
    named: &Named,
) -> Result<NotificationStatus, Problem> {
    let read = async {
        let mut tx = tx::begin(&core.pools.app, &principal.tenant()).await?;
        let nids = match named {
            Named::Nid(nid) => vec![*nid],
            Named::Reference(reference) => status::by_reference(&mut tx, reference).await?,
        };
        let found = load(&mut tx, &nids, principal).await?;
        tx.rollback().await?;
        Ok(found)
    };
    let found = read.await.map_err(|e: StoreError| store(&e))?;
    let mut found = found.whole(core)?;
    match (found.pop(), found.len()) {
        (Some(one), 0) => Ok(one),
        (None, _) => Err(ProblemKind::UnknownNotification.into()),
        (Some(_), _) => Err(Problem::new(ProblemKind::InvalidQuery)
            .detail("several notifications share this reference")
            .action("Use the full id; `herald status` lists both.")),
    }
}

/// A page of notifications behind a position, oldest first; at most `limit`, 1 to [`PAGE`].
///
/// # Errors
/// `invalid-query` for another limit; the database's.
pub async fn page(
    core: &Core,
    principal: &Principal,
    after: LogPosition,
    limit: u32,
) -> Result<NotificationPage, Problem> {
    if !(1..=PAGE).contains(&limit) {
        return Err(Problem::new(ProblemKind::InvalidQuery)
            .detail(format!("limit is 1 to {PAGE}"))
            .pointer("/limit"));
    }
    let read = async {
        let mut tx = tx::begin(&core.pools.app, &principal.tenant()).await?;
        let (nids, next) = status::page(&mut tx, after, limit).await?;
        let items = load(&mut tx, &nids, principal).await?;
        tx.rollback().await?;
        Ok((items, next))
    };
    let (items, next) = read.await.map_err(|e: StoreError| store(&e))?;
    let items = items.whole(core)?;
    Ok(NotificationPage { items, next })
}

/// Counts.
///
/// # Errors
/// The database's.
pub async fn statistics(core: &Core, principal: &Principal) -> Result<Statistics, Problem> {
    let read = async {
        let mut tx = tx::begin(&core.pools.app, &principal.tenant()).await?;
        let counts = status::statistics(&mut tx, &principal.ctx).await?;
        tx.rollback().await?;
        Ok(counts)
    };
    read.await.map_err(|e: StoreError| store(&e))
}

/// What was read of some notifications; the times of their threads are still sealed.
pub(super) struct Loaded {
    notifications: Vec<NotificationStatus>,
    threads: Vec<ThreadRow>,
    now: OffsetDateTime,
}

impl Loaded {
    /// The notifications, each with its threads.
    pub(super) fn whole(self, core: &Core) -> Result<Vec<NotificationStatus>, Problem> {
        let mut by_nid: HashMap<Nid, Vec<ThreadStatus>> = HashMap::new();
        for row in self.threads {
            let on = by_nid.entry(row.nid).or_default();
            on.push(threads::status(core, row, self.now)?);
        }
        let mut notifications = self.notifications;
        for one in &mut notifications {
            one.threads = by_nid.remove(&one.nid).unwrap_or_default();
        }
        Ok(notifications)
    }
}

/// Where these notifications stand, as far as the asking actor may know.
pub(super) async fn load(
    conn: &mut crate::store::Connection,
    nids: &[Nid],
    principal: &Principal,
) -> Result<Loaded, StoreError> {
    let headers = status::headers(conn, nids).await?;
    let revisions = status::revisions(conn, nids).await?;
    let parties = status::parties(conn, nids).await?;
    let acks = status::acks(conn, nids).await?;
    let relays = relay::of_notifications(conn, nids).await?;
    let calls = calls::about(conn, nids, principal).await?;
    let held_back = held_back(conn, principal).await?;
    let mut out = Vec::with_capacity(headers.len());
    for head in headers {
        let own: Vec<&RevisionLine> = revisions.iter().filter(|r| r.nid == head.nid).collect();
        let latest = own.iter().map(|r| r.rev).max();
        let parties: Vec<_> = parties
            .iter()
            .filter(|p| {
                p.nid == head.nid
                    && (principal.kind != ActorKind::Party || p.party == principal.actor)
            })
            .map(|p| PartyStatus {
                party: p.party.clone(),
                tier: p.tier,
                fetched_at: p.fetched_at,
                without_device: p.without_device,
                relayed: relays
                    .iter()
                    .filter(|r| r.nid == head.nid && r.party == p.party)
                    .map(|r| RelayStatus {
                        rev: r.rev,
                        latest: Some(r.rev) == latest,
                        at: r.at,
                        of: r.hash,
                    })
                    .collect(),
                held_back: held_back.get(&p.party).cloned(),
                acknowledgements: acks
                    .iter()
                    .filter(|a| a.nid == head.nid && a.party == p.party)
                    .map(|a| AckStatus {
                        state: a.state,
                        rev: a.rev,
                        latest: Some(a.rev) == latest,
                        at: a.at,
                        of: a.hash,
                        entered_elsewhere: a.elsewhere,
                        transcribed: a.transcribed,
                    })
                    .collect(),
            })
            .collect();
        // A party that is told no more of it is not told when it ends either.
        let told_no_more = principal.kind == ActorKind::Party
            && parties
                .iter()
                .all(|p: &PartyStatus| p.tier == Tier::Withdrawn);
        out.push(NotificationStatus {
            reference: head.nid.reference(),
            nid: head.nid,
            organisation: head.org,
            subject: head.subject,
            state: head.state,
            closed_by_time: head.closed_by_time,
            revisions: own
                .iter()
                .map(|r| revision_status(r, r.window_ended && !told_no_more))
                .collect(),
            parties,
            calls: calls
                .iter()
                .filter(|c| c.about == Some(head.nid))
                .cloned()
                .collect(),
            threads: Vec::new(),
        });
    }
    Ok(Loaded {
        notifications: out,
        threads: store_threads::of_notifications(conn, nids).await?,
        now: statements::now(conn).await?,
    })
}

/// The parties of the context to which nothing new is handed.
async fn held_back(
    conn: &mut crate::store::Connection,
    principal: &Principal,
) -> Result<HashMap<ActorId, HeldBack>, StoreError> {
    let actors = actors::all(conn, &principal.ctx).await?;
    let held_back = actors.into_iter().filter(|a| a.state.holds_back(a.kind));
    let each = held_back.map(|a| {
        let (state, since) = (a.state, a.since);
        (a.actor, HeldBack { state, since })
    });
    Ok(each.collect())
}

fn revision_status(r: &RevisionLine, window_ended: bool) -> RevisionStatus {
    let mut flags = Vec::new();
    match r.screening {
        ScreeningState::Submitted => flags.push(Flag::Unscreened),
        ScreeningState::Returned => flags.push(Flag::Returned),
        ScreeningState::Screened | ScreeningState::NotRequired => {}
    }
    if r.cosign == SecondSignature::Waiting {
        flags.push(Flag::SecondSignatureMissing);
    }
    if r.emergency {
        flags.push(Flag::Emergency);
    }
    if r.on_behalf {
        flags.push(Flag::OnBehalf);
    }
    if window_ended {
        flags.push(Flag::WindowEnded);
    }
    RevisionStatus {
        rev: r.rev,
        of: r.hash,
        pos: r.pos,
        at: r.at,
        kind: r.kind.as_str().to_owned(),
        screening: r.screening,
        checked: Checked::ALL
            .into_iter()
            .filter(|one| r.checked.iter().any(|word| word == one.as_str()))
            .collect(),
        second_signature: r.cosign,
        flags,
    }
}
