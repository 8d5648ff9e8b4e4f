//! A coordinator, an organisation and three parties with their keys, and statements stored as the intake stores them.

use std::sync::Arc;

use herald::crypto::digest::{Digest, Kid};
use herald::crypto::keyring::Keyring;
use herald::crypto::keys::SigningKey;
use herald::crypto::month::Month;
use herald::crypto::seal_key::SealKey;
use herald::domain::actor::{ActorKind, ActorState, Mode, Role as DeviceRole};
use herald::domain::exchange::DistressState;
use herald::domain::ids::{ActorId, ContextId, DeviceId, Issuer, LogPosition, Nid, Revision, Seq};
use herald::domain::notification::{
    NotificationState, ScreeningState, SecondSignature, Subject, Tier,
};
use herald::service::mailbox::{Delivered, Mailboxes, PageLimits, Reader};
use herald::service::records::Record;
use herald::store::actors::{self, Keys};
use herald::store::devices::{self, NewDevice};
use herald::store::distress::{self, Call};
use herald::store::notifications::{self, Chosen, NewRevision};
use herald::store::pool::Pools;
use herald::store::statements::{self, NewRecord, NewStatement};
use herald::wire::build::{Built, Part, SealSlot, build};
use herald::wire::claims::{
    Checked, Claims, Common, DistressClaims, NotificationClaims, ScreenClaims, ScreenResult,
};
use herald::wire::envelope::{Content, Event};
use herald::wire::policy::{Policy, Screening};
use herald::wire::{parts, read};
use sqlx::{Connection as _, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::support::{TestDb, scratch_dir};

/// One desk and its first device.
pub struct Desk {
    pub actor: ActorId,
    pub kind: ActorKind,
    pub device: DeviceId,
    pub signing: SigningKey,
    pub key: SealKey,
    pub device_key: SealKey,
}

impl Desk {
    fn new(actor: &str, kind: ActorKind) -> Self {
        Self {
            actor: actor.parse().unwrap(),
            kind,
            device: DeviceId::from_random([7; 5]),
            signing: SigningKey::generate(),
            key: SealKey::generate(),
            device_key: SealKey::generate(),
        }
    }

    fn role(&self) -> DeviceRole {
        match self.kind {
            ActorKind::Coordinator => DeviceRole::Coordinator,
            ActorKind::Party => DeviceRole::PartyDesk,
            _ => DeviceRole::Organisation,
        }
    }
}

/// Everything that delivery meets.
pub struct World {
    pub db: TestDb,
    pub pools: Pools,
    pub keyring: Arc<Keyring>,
    pub mailboxes: Mailboxes,
    pub ctx: ContextId,
    pub coordinator: Desk,
    pub org: Desk,
    /// Parties: `exact`, `on_check` and `cell`.
    pub exact: Desk,
    pub on_check: Desk,
    pub cell: Desk,
    _dir: tempfile::TempDir,
}

fn now() -> OffsetDateTime {
    herald::domain::clock::Clock::System.now()
}

fn month() -> Month {
    Month::of(now().date()).unwrap()
}

impl World {
    pub async fn new() -> Box<Self> {
        Self::with(Screening::Required).await
    }

    pub async fn with(screening: Screening) -> Box<Self> {
        Box::pin(Self::make(screening)).await
    }

    async fn make(screening: Screening) -> Box<Self> {
        let db = TestDb::new().await;
        let pools = db.pools().await;
        let dir = scratch_dir();
        let keyring = Keyring::create(&dir.path().join("keyring")).unwrap();
        keyring.provision(now().date()).unwrap();
        let keyring = Arc::new(keyring);
        let this = Box::new(Self {
            mailboxes: Mailboxes::new(pools.clone(), Arc::clone(&keyring)),
            db,
            pools,
            keyring,
            ctx: "yem".parse().unwrap(),
            coordinator: Desk::new("ocha", ActorKind::Coordinator),
            org: Desk::new("msf", ActorKind::Organisation),
            exact: Desk::new("east", ActorKind::Party),
            on_check: Desk::new("west", ActorKind::Party),
            cell: Desk::new("north", ActorKind::Party),
            _dir: dir,
        });
        let policy = Policy {
            screening,
            ..Policy::default()
        };
        let mut conn = this.pools.intake.acquire().await.unwrap();
        actors::ensure_context(&mut conn, &this.ctx, Mode::Live, &policy)
            .await
            .unwrap();
        for desk in this.desks() {
            this.enrol(&mut conn, desk).await;
        }
        drop(conn);
        this
    }

    pub fn desks(&self) -> [&Desk; 5] {
        [
            &self.coordinator,
            &self.org,
            &self.exact,
            &self.on_check,
            &self.cell,
        ]
    }

    async fn enrol(&self, conn: &mut PgConnection, desk: &Desk) {
        actors::ensure(conn, &self.ctx, &desk.actor, desk.kind, "name")
            .await
            .unwrap();
        let keys = Keys {
            ctx: &self.ctx,
            actor: &desk.actor,
            root: desk.signing.verifying_key().as_bytes(),
            serial: 1,
            pos: LogPosition(0),
            desk_key: &desk.key.public_key().to_bytes(),
            desk_kid: desk.key.kid(),
            state: ActorState::Admitted,
        };
        actors::set_keys(conn, &keys).await.unwrap();
        self.add_device(conn, desk, &desk.device, &desk.signing, &desk.device_key)
            .await;
    }

    pub async fn add_device(
        &self,
        conn: &mut PgConnection,
        desk: &Desk,
        device: &DeviceId,
        signing: &SigningKey,
        seal_key: &SealKey,
    ) {
        let new = NewDevice {
            ctx: &self.ctx,
            actor: &desk.actor,
            device,
            role: desk.role(),
            kid: signing.verifying_key().kid(),
            signing_key: signing.verifying_key().as_bytes(),
            seal_key: &seal_key.public_key().to_bytes(),
            spki: Digest::of(format!("{} {device}", desk.actor).as_bytes()),
            person: b"sealed",
            month: month(),
            until: now() + time::Duration::days(30),
        };
        devices::insert(conn, &new).await.unwrap();
        self.set_device_state(conn, desk, device, "active").await;
    }

    pub async fn set_device_state(
        &self,
        conn: &mut PgConnection,
        desk: &Desk,
        device: &DeviceId,
        state: &str,
    ) {
        sqlx::query(
            "UPDATE hn.device SET state = $4 WHERE ctx = $1 AND actor = $2 AND device = $3",
        )
        .bind(self.ctx.as_str())
        .bind(desk.actor.as_str())
        .bind(device.as_str())
        .bind(state)
        .execute(conn)
        .await
        .unwrap();
    }

    pub fn reader(&self, desk: &Desk) -> Reader {
        Reader {
            ctx: self.ctx.clone(),
            actor: desk.actor.clone(),
            kind: desk.kind,
            device: desk.device.clone(),
        }
    }

    pub fn common(&self, desk: &Desk) -> Common {
        Common {
            iss: Issuer::device(desk.actor.clone(), desk.device.clone()),
            aud: "herald:test".to_owned(),
            ctx: self.ctx.clone(),
            mode: Mode::Live,
            jti: Uuid::new_v4(),
            iat: now().unix_timestamp(),
        }
    }

    /// Notifies a revision to the parties at the tiers of their names.
    pub async fn notify(&self, nid: Nid, rev: u32) -> Digest {
        self.notify_with(nid, rev, 10).await
    }

    /// The organisation calls the exact party for help; gives where the call stands in that party's mailbox.
    pub async fn distress(&self) -> Seq {
        let nid = Nid::random();
        let claims = DistressClaims::new(self.common(&self.org), nid, Revision::FIRST, None);
        let detail = serde_json::json!({"text": "under fire"});
        let parts = [Part::new("detail", &detail).unwrap()];
        let built = build(claims, &parts, &self.org.signing).unwrap();
        let mut conn = self.pools.intake.acquire().await.unwrap();
        let mut tx = conn.begin().await.unwrap();
        let (pos, seqs) = self
            .store(&mut tx, &self.org, &built, &[&self.org, &self.exact])
            .await;
        let call = Call {
            nid,
            ctx: self.ctx.clone(),
            org: self.org.actor.clone(),
            pos,
            hash: built.hash,
            about: None,
            state: DistressState::Open,
            at: now(),
        };
        let called = [
            (self.org.actor.clone(), None, seqs[0]),
            (self.exact.actor.clone(), Some(Tier::Exact), seqs[1]),
        ];
        distress::insert(&mut tx, &call, &called).await.unwrap();
        tx.commit().await.unwrap();
        Seq(u64::try_from(seqs[1]).unwrap())
    }

    /// As [`Self::notify`], with a place of that many bytes.
    pub async fn notify_with(&self, nid: Nid, rev: u32, bytes: usize) -> Digest {
        let rev = Revision::new(rev).unwrap();
        let tiers = [
            (&self.exact, Tier::Exact),
            (&self.on_check, Tier::OnCheck),
            (&self.cell, Tier::Cell),
        ];
        let place = serde_json::json!({"type": "Feature", "name": "x".repeat(bytes)});
        let contact = serde_json::json!({"people": []});
        let mut made = vec![
            Part::new("place", &place).unwrap(),
            Part::new("contact", &contact)
                .unwrap()
                .sealed_to(self.coordinator.key.public_key())
                .sealed_to(self.exact.key.public_key())
                .sealed_to(self.on_check.key.public_key()),
        ];
        for (desk, tier) in tiers {
            let audience = parts::Audience {
                party: desk.actor.clone(),
                tier,
                onward: false,
                cells: Vec::new(),
            };
            made.push(Part::new(parts::name::audience(&desk.actor), &audience).unwrap());
        }
        let claims = NotificationClaims::new(self.common(&self.org), nid, rev, None, false, None);
        let built = build(claims, &made, &self.org.signing).unwrap();
        let desks = [
            &self.coordinator,
            &self.org,
            &self.exact,
            &self.on_check,
            &self.cell,
        ];
        let mut conn = self.pools.intake.acquire().await.unwrap();
        let mut tx = conn.begin().await.unwrap();
        let (pos, seqs) = self.store(&mut tx, &self.org, &built, &desks).await;
        let new = NewRevision {
            on_behalf: false,
            window_over: false,
            nid,
            rev,
            ctx: &self.ctx,
            org: &self.org.actor,
            pos,
            hash: built.hash,
            kind: herald::domain::kind::Kind::Site,
            device: &self.org.device,
            emergency: false,
            screening: ScreeningState::Submitted,
            cosign: SecondSignature::NotRequired,
            at: now(),
        };
        notifications::insert_revision(&mut tx, &new, Subject::Site, NotificationState::Current)
            .await
            .unwrap();
        let chosen: Vec<Chosen> = tiers
            .iter()
            .zip(seqs.iter().skip(2))
            .map(|((desk, tier), seq)| Chosen {
                party: desk.actor.clone(),
                tier: *tier,
                seq: *seq,
                counts: true,
            })
            .collect();
        notifications::insert_audience(&mut tx, &new, &chosen)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        built.hash
    }

    /// Stores a screening, without applying what follows from it.
    pub async fn screen(&self, conn: &mut PgConnection, nid: Nid, rev: u32, of: Digest) {
        let rev = Revision::new(rev).unwrap();
        let claims = ScreenClaims::new(
            self.common(&self.coordinator),
            nid,
            rev,
            of,
            ScreenResult::Screened,
            vec![Checked::Form],
        );
        let reasons = Part::new("reasons", &serde_json::json!({"reasons": []})).unwrap();
        let built = build(claims, &[reasons], &self.coordinator.signing).unwrap();
        let desks = [&self.org, &self.exact, &self.on_check, &self.cell];
        self.store(conn, &self.coordinator, &built, &desks).await;
        notifications::set_screening(conn, nid, rev, ScreeningState::Screened, &[])
            .await
            .unwrap();
    }

    /// Stores what was built as the intake does: parts under the keyring, seals wrapped, an event for each desk.
    pub async fn store(
        &self,
        conn: &mut PgConnection,
        from: &Desk,
        built: &Built,
        desks: &[&Desk],
    ) -> (LogPosition, Vec<i64>) {
        let (head, at) = statements::lock_head(conn).await.unwrap();
        let pos = LogPosition(head.0 + 1);
        statements::set_head(conn, pos).await.unwrap();
        let (unverified, claims) = read::read(&built.envelope.statement).unwrap();
        let common = claims.common();
        let statement = NewStatement {
            pos,
            hash: built.hash,
            ctx: &self.ctx,
            issuer: &common.iss,
            kid: unverified.kid(),
            jti: common.jti,
            kind: claims.kind(),
            jws: &built.envelope.statement,
            receipt: "receipt",
            submitted_by: &from.actor,
            at,
        };
        statements::insert(conn, &statement).await.unwrap();
        let records = self.records(&claims, built);
        statements::insert_records(conn, pos, &records)
            .await
            .unwrap();
        let names: Vec<_> = desks
            .iter()
            .map(|desk| (desk.actor.clone(), None))
            .collect();
        let seqs = statements::deliver(conn, &self.ctx, &names, pos)
            .await
            .unwrap();
        (pos, seqs)
    }

    fn records(&self, claims: &Claims, built: &Built) -> Vec<NewRecord> {
        let (org, slot) = (claims.common().iss.actor, SealSlot::of(claims));
        let record = |part: &str, sd: Digest, reader: Option<Kid>, content: &[u8]| {
            let at = match &reader {
                Some(kid) => Record::seal(&org, slot.id(), slot.rev(), part, kid),
                None => Record::part(&org, slot.id(), slot.rev(), part),
            };
            NewRecord {
                part: part.to_owned(),
                sd,
                reader,
                month: month(),
                org: org.clone(),
                content: self
                    .keyring
                    .seal_record(&at.at(), month(), content)
                    .unwrap(),
            }
        };
        let attached = &built.envelope.attachments;
        let sealed = |name: &str| attached.iter().any(|attachment| attachment.part == name);
        let readable = built.disclosures.iter().filter(|d| !sealed(d.name()));
        let parts = readable.map(|d| record(d.name(), d.digest(), None, d.encoded().as_bytes()));
        let seals = attached.iter().map(|a| match &a.content {
            Content::Seal { kid, sealed } => record(&a.part, a.sd, Some(*kid), sealed),
            Content::Disclosure(_) => panic!("nothing here travels in the clear"),
        });
        parts.chain(seals).collect()
    }

    /// Everything in a desk's mailbox after a place.
    pub async fn events(&self, desk: &Desk, after: u64) -> Vec<Event> {
        let page = self
            .mailboxes
            .page(&self.reader(desk), Seq(after), PageLimits::POLL)
            .await
            .unwrap();
        page.events.iter().map(decoded).collect()
    }

    /// Which revisions of a notification count for a party.
    pub async fn counting(&self, nid: Nid, desk: &Desk) -> Vec<i32> {
        let mut conn = self.pools.worker.acquire().await.unwrap();
        sqlx::query_scalar(
            "SELECT rev FROM hn.audience WHERE nid = $1 AND party = $2 AND counts ORDER BY rev",
        )
        .bind(nid.uuid())
        .bind(desk.actor.as_str())
        .fetch_all(&mut *conn)
        .await
        .unwrap()
    }
}

pub fn decoded(delivered: &Delivered) -> Event {
    Event::decode(&delivered.bytes).unwrap()
}
