//! Delivery: turns rows of a mailbox into events for one reader. What the reader may have of each part is asked of
//! [`crate::domain::disclosure_policy`]; what it may have is opened from the keyring and sealed to its desk, off the
//! reactor, several events at once. An event that cannot be made stops the delivery to that desk, loudly: nothing is
//! left out in silence.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::held_back;
use super::records::Record;
use super::seals::Seals;
use crate::crypto::digest::Kid;
use crate::crypto::disclosure::Disclosure;
use crate::crypto::keyring::{Keyring, KeyringError};
use crate::crypto::seal;
use crate::crypto::seal_key::{SealPublicKey, seal_kid};
use crate::domain::actor::{ActorKind, ActorState};
use crate::domain::clock::micros;
use crate::domain::disclosure_policy::{Read, Relation, may_read};
use crate::domain::ids::{ActorId, ContextId, DeviceId, LogPosition, Nid, Seq};
use crate::domain::kind::Kind;
use crate::store::distress;
use crate::store::error::StoreError;
use crate::store::mailbox::{self as store, Kept, MailboxRow, StoredRecord};
use crate::store::pool::Pools;
use crate::wire::build::SealSlot;
use crate::wire::claims::Claims;
use crate::wire::envelope::{Attachment, Content, Envelope, Event};
use crate::wire::parts::name;
use crate::wire::problem::{Problem, ProblemKind};
use crate::wire::read;

/// How often a cursor is tried again when the intake holds a row.
const KEEP_TRIES: u32 = 5;

/// How many calls for help are named ahead of their turn at once.
const CALLS: u32 = 16;

/// Bounds on one page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimits {
    /// Events.
    pub events: u32,
    /// Bytes as stored; sealing makes about three of one.
    pub stored_bytes: u32,
    /// Bytes as delivered. One event is always delivered, whatever its size.
    pub bytes: usize,
}

impl PageLimits {
    /// For a socket, which asks again at once.
    pub const STREAM: Self = Self {
        events: 32,
        stored_bytes: 64 << 10,
        bytes: 256 << 10,
    };
    /// For `GET /v1/events`: about 1 MiB.
    pub const POLL: Self = Self {
        events: 256,
        stored_bytes: 320 << 10,
        bytes: 1 << 20,
    };
}

/// Who reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// Its context.
    pub ctx: ContextId,
    /// Its actor, whose desk this is.
    pub actor: ActorId,
    /// What the actor is.
    pub kind: ActorKind,
    /// The device.
    pub device: DeviceId,
}

/// Why nothing is delivered.
#[derive(Debug, thiserror::Error)]
pub enum MailboxError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The device was revoked, or is not yet named by its root.
    #[error("this device is not active")]
    NotActive,
    /// The party is suspended, or has left: nothing new is handed to it.
    #[error("nothing new is handed to this desk")]
    HeldBack {
        /// Where it stands.
        state: ActorState,
        /// The coordinator's number.
        number: Option<String>,
    },
    /// No `keys` statement has named the desk's key.
    #[error("this desk has no key to seal to")]
    NoDeskKey,
    /// Asked for what comes after the end of the mailbox.
    #[error("the mailbox ends at {head}")]
    Beyond {
        /// The last event.
        head: Seq,
    },
    /// The event cannot be made. Delivery to this desk stops before it, until the operator has mended what is wrong.
    #[error("event {seq} cannot be delivered; delivery stops before it")]
    Stopped {
        /// Its place.
        seq: Seq,
    },
}

impl MailboxError {
    /// The refusal that it becomes.
    pub fn problem(&self) -> Problem {
        match self {
            Self::NotActive => Problem::new(ProblemKind::NotAdmitted)
                .detail("this device is revoked, or not yet named by its organisation's root"),
            Self::HeldBack { state, number } => held_back::problem(*state, number.as_deref()),
            Self::NoDeskKey => Problem::new(ProblemKind::NotAdmitted)
                .detail("this desk has no key to seal to; its root names one in a `keys` statement"),
            Self::Beyond { head } => Problem::new(ProblemKind::InvalidQuery).detail(format!(
                "the mailbox ends at {head}; if more was received before, the server was set back: tell its operator"
            )),
            Self::Stopped { seq } => Problem::new(ProblemKind::Internal).detail(format!(
                "event {seq} cannot be prepared, and none is left out: tell the operator"
            )),
            Self::Store(error) if error.is_transient() => {
                Problem::new(ProblemKind::DatabaseUnavailable)
            }
            Self::Store(_) => Problem::new(ProblemKind::Internal),
        }
    }
}

/// An event as it travels.
#[derive(Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Its place.
    pub seq: Seq,
    /// [`Event::encode`].
    pub bytes: Bytes,
}

impl std::fmt::Debug for Delivered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Delivered({}, {} bytes)", self.seq, self.bytes.len())
    }
}

/// Events in order, without a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The events.
    pub events: Vec<Delivered>,
    /// The last event in the mailbox when this page was read.
    pub head: Seq,
    /// The last call for help in it; 0 if there never was one.
    pub call: Seq,
}

/// The mailboxes of all desks. Cheap to clone.
#[derive(Clone)]
pub struct Mailboxes {
    pools: Pools,
    keyring: Arc<Keyring>,
    /// One place for each core: sealing must not take every thread of the blocking pool.
    cores: Arc<Semaphore>,
    /// As many for calls for help, so that none waits behind other events.
    call_cores: Arc<Semaphore>,
    /// What was sealed just now.
    seals: Arc<Seals>,
}

impl Mailboxes {
    /// Delivers from this database with this keyring.
    pub fn new(pools: Pools, keyring: Arc<Keyring>) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            pools,
            keyring,
            cores: Arc::new(Semaphore::new(cores)),
            call_cores: Arc::new(Semaphore::new(cores)),
            seals: Arc::default(),
        }
    }

    /// How far this device has kept its mailbox, how far the mailbox reaches, and where the last call for help stands in it.
    ///
    /// # Errors
    /// [`MailboxError::NotActive`], [`MailboxError::Store`].
    pub async fn cursor(&self, reader: &Reader) -> Result<(Seq, Seq, Seq), MailboxError> {
        let mut conn = self
            .pools
            .worker
            .acquire()
            .await
            .map_err(StoreError::from)?;
        let desk = desk(&mut conn, reader).await?;
        Ok((desk.cursor, desk.head, desk.call))
    }

    /// The events after `after`.
    ///
    /// # Errors
    /// [`MailboxError`]. An event that cannot be made ends the page before it; when it is the first,
    /// [`MailboxError::Stopped`].
    pub async fn page(
        &self,
        reader: &Reader,
        after: Seq,
        limits: PageLimits,
    ) -> Result<Page, MailboxError> {
        let (jobs, head, call) = self.read(reader, after, limits).await?;
        let making: Vec<_> = jobs.into_iter().map(|job| self.make(job)).collect();
        let mut page = Page {
            events: Vec::with_capacity(making.len()),
            head,
            call,
        };
        let mut bytes = 0;
        for made in making {
            let delivered = match made.await {
                Ok(Ok(delivered)) => delivered,
                Ok(Err(error)) if page.events.is_empty() => return Err(error),
                // What came before is good; the next page begins with the error.
                Ok(Err(_)) => break,
                Err(_) => return Err(StoreError::Driver("sealing was ended").into()),
            };
            bytes += delivered.bytes.len();
            if bytes > limits.bytes && !page.events.is_empty() {
                break;
            }
            page.events.push(delivered);
        }
        let made = u64::try_from(page.events.len()).unwrap_or(u64::MAX);
        metrics::counter!("herald_events_prepared_total").increment(made);
        Ok(page)
    }

    /// One event; `None` when the mailbox does not hold it.
    ///
    /// # Errors
    /// [`MailboxError`].
    pub async fn event(
        &self,
        reader: &Reader,
        seq: Seq,
    ) -> Result<Option<Delivered>, MailboxError> {
        let Some(before) = seq.0.checked_sub(1) else {
            return Ok(None);
        };
        let one = PageLimits {
            events: 1,
            ..PageLimits::POLL
        };
        match self.page(reader, Seq(before), one).await {
            Ok(page) => Ok(page.events.into_iter().next()),
            Err(MailboxError::Beyond { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Where, behind a place, calls for help stand that are not resolved: the latest few, in order.
    ///
    /// # Errors
    /// [`MailboxError::Store`].
    pub async fn calls(&self, reader: &Reader, after: Seq) -> Result<Vec<Seq>, MailboxError> {
        let mut conn = self
            .pools
            .worker
            .acquire()
            .await
            .map_err(StoreError::from)?;
        let of = (&reader.ctx, &reader.actor);
        Ok(distress::behind(&mut conn, of, after, CALLS).await?)
    }

    /// Moves the device's cursor: everything up to `upto` is kept on its side. Gives where the cursor stands now.
    ///
    /// # Errors
    /// [`MailboxError::Beyond`], [`MailboxError::NotActive`], [`MailboxError::Store`].
    pub async fn keep(&self, reader: &Reader, upto: Seq) -> Result<Seq, MailboxError> {
        let device = (&reader.ctx, &reader.actor, &reader.device);
        let mut tries = 0;
        loop {
            let mut conn = self
                .pools
                .worker
                .acquire()
                .await
                .map_err(StoreError::from)?;
            tries += 1;
            match store::keep(&mut conn, device, upto).await {
                Ok(Kept::At(seq)) => return Ok(seq),
                Ok(Kept::Beyond { head }) => return Err(MailboxError::Beyond { head }),
                Ok(Kept::NotActive) => return Err(MailboxError::NotActive),
                Err(StoreError::Timeout | StoreError::Conflict) if tries < KEEP_TRIES => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Reads what the events are made of. The connection is given back before anything is sealed.
    async fn read(
        &self,
        reader: &Reader,
        after: Seq,
        limits: PageLimits,
    ) -> Result<(Vec<Job>, Seq, Seq), MailboxError> {
        let mut conn = self
            .pools
            .worker
            .acquire()
            .await
            .map_err(StoreError::from)?;
        let desk = desk(&mut conn, reader).await?;
        if after > desk.head {
            return Err(MailboxError::Beyond { head: desk.head });
        }
        if after == desk.head {
            return Ok((Vec::new(), desk.head, desk.call));
        }
        let key = desk.desk_key.as_deref().map(SealPublicKey::from_bytes);
        let Some(Ok(key)) = key else {
            return Err(MailboxError::NoDeskKey);
        };
        let of = (&reader.ctx, &reader.actor);
        let rows = store::page(&mut conn, of, after, limits.events, limits.stored_bytes).await?;
        let expected = (after.0 + 1..)
            .zip(&rows)
            .find(|(seq, row)| row.seq.0 != *seq);
        if let Some(seq) = expected
            .map(|(seq, _)| seq)
            .or(rows.is_empty().then_some(after.0 + 1))
        {
            return Err(stop(Seq(seq), None, "mailbox", &"the mailbox has a gap"));
        }
        let positions: Vec<LogPosition> = rows.iter().map(|row| row.pos).collect();
        let readers = [key.kid(), seal_kid(&desk.device_key)];
        let mut records: HashMap<LogPosition, Vec<StoredRecord>> = HashMap::new();
        for record in store::attached(&mut conn, &positions, &readers).await? {
            records.entry(record.pos).or_default().push(record);
        }
        let owners = store::owners(&mut conn, &foreign_nids(reader, &rows)).await?;
        let (reader, owners) = (Arc::new(reader.clone()), Arc::new(owners));
        let jobs = rows.into_iter().map(|row| Job {
            records: records.remove(&row.pos).unwrap_or_default(),
            row,
            reader: Arc::clone(&reader),
            key: key.clone(),
            owners: Arc::clone(&owners),
        });
        Ok((jobs.collect(), desk.head, desk.call))
    }

    fn make(&self, job: Job) -> tokio::task::JoinHandle<Result<Delivered, MailboxError>> {
        let cores = if job.row.kind.is_call() {
            &self.call_cores
        } else {
            &self.cores
        };
        let (cores, keyring) = (Arc::clone(cores), Arc::clone(&self.keyring));
        let seals = Arc::clone(&self.seals);
        tokio::spawn(async move {
            let seq = job.row.seq;
            let Ok(_core) = cores.acquire_owned().await else {
                return Err(StoreError::Driver("sealing was ended").into());
            };
            tokio::task::spawn_blocking(move || job.run(&keyring, &seals))
                .await
                .unwrap_or_else(|_panic| Err(stop(seq, None, "statement", &"sealing failed")))
        })
    }
}

impl std::fmt::Debug for Mailboxes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mailboxes([sealed])")
    }
}

/// The desk, if anything may be handed to it.
async fn desk(
    conn: &mut crate::store::Connection,
    reader: &Reader,
) -> Result<store::Desk, MailboxError> {
    let desk = store::desk(conn, &reader.ctx, &reader.actor, &reader.device)
        .await?
        .ok_or(MailboxError::NotActive)?;
    match desk.held_back {
        Some((state, number)) => Err(MailboxError::HeldBack { state, number }),
        None => Ok(desk),
    }
}

/// The notifications whose owner must be looked up: a statement about one does not name it.
fn foreign_nids(reader: &Reader, rows: &[MailboxRow]) -> Vec<Nid> {
    if reader.kind != ActorKind::Organisation {
        return Vec::new();
    }
    let about = rows
        .iter()
        .filter(|row| matches!(row.kind, Kind::Screen | Kind::Cosign | Kind::Notice));
    about
        .filter_map(|row| match read::read(&row.jws).ok()?.1 {
            Claims::Screen(claims) => Some(claims.nid),
            Claims::Cosign(claims) => Some(claims.nid),
            Claims::Notice(claims) => Some(claims.nid),
            _ => None,
        })
        .collect()
}

/// Counts, and says where; never what.
fn stop(
    seq: Seq,
    pos: Option<LogPosition>,
    part: &'static str,
    cause: &dyn std::fmt::Display,
) -> MailboxError {
    metrics::counter!("herald_delivery_stopped_total", "class" => part).increment(1);
    let pos = pos.map(|pos| pos.0);
    tracing::error!(seq = seq.0, pos, part, %cause, "an event cannot be delivered; delivery to its desk stops");
    MailboxError::Stopped { seq }
}

/// All that one event is made of.
struct Job {
    row: MailboxRow,
    records: Vec<StoredRecord>,
    reader: Arc<Reader>,
    key: SealPublicKey,
    owners: Arc<HashMap<Nid, ActorId>>,
}

impl Job {
    fn run(self, keyring: &Keyring, seals: &Seals) -> Result<Delivered, MailboxError> {
        let (seq, pos) = (self.row.seq, self.row.pos);
        let (_, claims) =
            read::read(&self.row.jws).map_err(|error| stop(seq, Some(pos), "statement", &error))?;
        let relation = self.relation(&claims);
        let slot = SealSlot::of(&claims);
        let mut attachments = Vec::new();
        for record in &self.records {
            let class = name::class(&record.part, Some(&self.reader.actor));
            let given = may_read(self.row.kind, class, relation);
            let refused =
                |cause: &dyn std::fmt::Display| stop(seq, Some(pos), class.label(), cause);
            if given != Read::Never && !claims.sd().contains(&record.sd) {
                return Err(refused(&"it does not belong to the statement"));
            }
            let content = match (given, record.reader) {
                (Read::Reseal, None) => {
                    let of = (pos, record.part.clone(), self.key.kid());
                    let sealed = seals.make(&of, || reseal(keyring, record, &slot, &self.key));
                    sealed.map(|sealed| Content::Seal {
                        kid: of.2,
                        sealed: sealed.to_vec(),
                    })
                }
                (Read::PassOn, Some(kid)) => pass_on(keyring, record, &slot, kid),
                (Read::Never | Read::Reseal | Read::PassOn, _) => continue,
            };
            let content = match content {
                // Its digest stands in the statement; nobody is kept from what came after it.
                Err(PartError::Keyring(KeyringError::Destroyed(_))) => continue,
                content => content.map_err(|error| refused(&error))?,
            };
            attachments.push(Attachment {
                part: record.part.clone(),
                sd: record.sd,
                content,
            });
        }
        let event = Event {
            seq,
            pos,
            at_us: u64::try_from(micros(self.row.at)).unwrap_or(0),
            receipt: self.row.receipt,
            envelope: Envelope {
                statement: self.row.jws,
                attachments,
            },
        };
        Ok(Delivered {
            seq,
            bytes: event.encode().into(),
        })
    }

    /// How the reader stands to the statement.
    fn relation(&self, claims: &Claims) -> Relation {
        let issuer = claims.speaks_for();
        let owner = match claims {
            // The party whose letter was transcribed is to know what is said in its name.
            Claims::Ack(claims) if claims.on_behalf.is_some() && issuer == self.reader.actor => {
                Some(&issuer)
            }
            Claims::Ack(claims) => Some(&claims.to),
            Claims::Relay(claims) => Some(&claims.to),
            // Its own devices are to know it too.
            Claims::Warn(_) | Claims::Reply(_) | Claims::Respond(_)
                if issuer == self.reader.actor =>
            {
                Some(&issuer)
            }
            Claims::Warn(claims) => Some(&claims.to),
            Claims::Reply(claims) => Some(&claims.to),
            Claims::Respond(claims) => Some(&claims.to),
            Claims::Screen(claims) => self.owners.get(&claims.nid),
            Claims::Cosign(claims) => self.owners.get(&claims.nid),
            Claims::Notice(claims) => self.owners.get(&claims.nid),
            Claims::Keys(_)
            | Claims::Renew(_)
            | Claims::Policy(_)
            | Claims::Admit(_)
            | Claims::Invite(_)
            | Claims::Revoke(_)
            | Claims::Duty(_)
            | Claims::Site(_)
            | Claims::Movement(_)
            | Claims::Withdraw(_)
            | Claims::Close(_)
            | Claims::Progress(_)
            | Claims::Confirm(_)
            | Claims::Handover(_)
            | Claims::Distress(_)
            | Claims::Resolve(_)
            | Claims::Alert(_)
            | Claims::Check(_)
            | Claims::Receipt(_)
            | Claims::Answer(_) => Some(&issuer),
        };
        if owner == Some(&self.reader.actor) {
            return Relation::Owner;
        }
        match (self.reader.kind, self.row.tier) {
            (ActorKind::Coordinator, _) => Relation::Coordinator,
            (ActorKind::Party, Some(tier)) => Relation::Party(tier),
            (
                ActorKind::Party
                | ActorKind::Organisation
                | ActorKind::Auditor
                | ActorKind::Operator
                | ActorKind::Server,
                _,
            ) => Relation::Stranger,
        }
    }
}

/// Why a part cannot be handed on.
#[derive(Debug, thiserror::Error)]
enum PartError {
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error(transparent)]
    Disclosure(#[from] crate::crypto::disclosure::DisclosureError),
    #[error(transparent)]
    Seal(#[from] crate::crypto::seal::SealError),
}

/// Opens a part from the keyring and seals the same disclosure to the reader's desk.
fn reseal(
    keyring: &Keyring,
    stored: &StoredRecord,
    slot: &SealSlot,
    key: &SealPublicKey,
) -> Result<Vec<u8>, PartError> {
    let context = slot.context(&stored.part, stored.sd);
    let record = Record::part(&stored.org, context.nid, context.rev, &stored.part);
    let opened = keyring.open_record(&record.at(), &stored.content)?;
    let disclosure = Disclosure::parse_expecting(&opened, &stored.sd)?;
    Ok(seal::seal(&context, &disclosure, key)?.into_bytes())
}

/// Takes a seal that the sender made for this reader out of its wrapping.
fn pass_on(
    keyring: &Keyring,
    stored: &StoredRecord,
    slot: &SealSlot,
    kid: Kid,
) -> Result<Content, PartError> {
    let context = slot.context(&stored.part, stored.sd);
    let record = Record::seal(&stored.org, context.nid, context.rev, &stored.part, &kid);
    let sealed = keyring.open_record(&record.at(), &stored.content)?;
    Ok(Content::Seal {
        kid,
        sealed: sealed.to_vec(),
    })
}
