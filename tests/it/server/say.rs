//! What the cast says: notifications and acknowledgements, good ones by default, each changed by a test where it wants
//! to be refused.

use herald::crypto::digest::Digest;
use herald::crypto::disclosure::Disclosure;
use herald::crypto::seal_key::SealPublicKey;
use herald::domain::ack::AckState;
use herald::domain::ids::{ActorId, Nid, Revision};
use herald::domain::notification::Tier;
use herald::spatial::Position;
use herald::spatial::cell::Cell;
use herald::wire::api::Submitted;
use herald::wire::build::{Built, Part, build};
use herald::wire::claims::{
    AckClaims, AckItem, Checked, Claims, MovementClaims, NotificationClaims, OnBehalf,
    ScreenClaims, ScreenResult,
};
use herald::wire::parts::{AttachmentPart, Audience, Blobs, NamedBlob, name};
use serde_json::{Value, json};

use super::attachments::Attached;
use super::calls::Answer;
use super::devices::{Member, Unit};
use super::world::World;

/// A notification that was taken.
#[derive(Debug, Clone)]
pub struct Notified {
    /// Its id.
    pub nid: Nid,
    /// Its latest revision.
    pub rev: Revision,
    /// The hash of that.
    pub hash: Digest,
    /// The exact bytes that were sent.
    pub envelope: Vec<u8>,
    /// The digests of its parts.
    pub sds: Vec<Digest>,
}

/// A site or a movement to be notified.
pub struct Site {
    /// Its id.
    pub nid: Nid,
    /// Its revision.
    pub rev: Revision,
    /// The hash of the one before.
    pub prev: Option<Digest>,
    /// A movement instead.
    pub moves: bool,
    /// The part `place`; none when null.
    pub place: Value,
    /// Who is told, and how much.
    pub audiences: Vec<Audience>,
    /// Whom the part `contact` is sealed to; none when empty.
    pub contact: Vec<SealPublicKey>,
    /// Its attachments.
    pub attached: Vec<AttachmentPart>,
    /// The contents that it names to the server; no part when none.
    pub blobs: Vec<NamedBlob>,
    /// Whom the attachments are sealed to.
    pub attached_to: Vec<SealPublicKey>,
    /// How long ago it was signed, in seconds.
    pub age_s: i64,
    /// On whose behalf the coordinator signs.
    pub on_behalf: Option<OnBehalf>,
}

impl Site {
    /// A hospital at a place, told to nobody yet.
    pub fn at(lon: f64, lat: f64) -> Self {
        Self {
            nid: Nid::random(),
            rev: Revision::FIRST,
            prev: None,
            moves: false,
            place: json!({
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [lon, lat]},
                "properties": {"category": "hospital", "name": "A hospital", "relation": "run", "buffer_m": 500.0},
            }),
            audiences: Vec::new(),
            contact: Vec::new(),
            attached: Vec::new(),
            blobs: Vec::new(),
            attached_to: Vec::new(),
            age_s: 0,
            on_behalf: None,
        }
    }

    /// A convoy between two places, an hour apart.
    pub fn convoy(from: [f64; 2], to: [f64; 2]) -> Self {
        Self {
            moves: true,
            place: json!({
                "type": "Feature",
                "geometry": {"type": "LineString", "coordinates": [from, to]},
                "properties": {
                    "category": "other", "name": "A convoy", "relation": "run",
                    "waypoints": [{"at": "2027-01-03T06:00:00Z"}, {"at": "2027-01-03T07:00:00Z", "slack_s": 600}],
                },
            }),
            ..Self::at(from[0], from[1])
        }
    }

    /// Told to a party, at a tier; cells of the point are made for the lower tiers.
    #[must_use]
    pub fn to(mut self, party: &Member, tier: Tier) -> Self {
        let cells = match tier {
            Tier::Exact | Tier::Withdrawn => Vec::new(),
            Tier::OnCheck | Tier::Cell => self.cells(),
        };
        self.audiences.push(Audience {
            party: party.id.clone(),
            tier,
            onward: false,
            cells,
        });
        self
    }

    fn cells(&self) -> Vec<String> {
        let geometry: geojson::Geometry =
            serde_json::from_value(self.place["geometry"].clone()).unwrap();
        let footprint = herald::spatial::Footprint::from_geojson(&geometry).unwrap();
        let buffer_m = self.place["properties"]["buffer_m"].as_f64().unwrap_or(0.0);
        let cells = herald::spatial::cell::cells_covering(&footprint, buffer_m).unwrap();
        cells.iter().map(Cell::text).collect()
    }

    /// With people to call, sealed to these.
    #[must_use]
    pub fn contact(mut self, readers: &[&Member]) -> Self {
        self.contact = readers.iter().map(|m| m.reader().clone()).collect();
        self
    }

    /// With attachments, sealed to these.
    #[must_use]
    pub fn attach(mut self, files: &[&Attached], readers: &[&Member]) -> Self {
        self.attached = files.iter().map(|file| file.part()).collect();
        self.blobs = files.iter().map(|file| file.named()).collect();
        self.attached_to = readers.iter().map(|m| m.reader().clone()).collect();
        self
    }

    /// The next revision of one that was taken.
    #[must_use]
    pub fn after(mut self, former: &Notified) -> Self {
        self.nid = former.nid;
        self.rev = former.rev.next();
        self.prev = Some(former.hash);
        self
    }

    /// Notified by the coordinator, on behalf of an organisation, by a letter of these bytes.
    #[must_use]
    pub fn on_behalf_of(mut self, org: &ActorId, letter: &[u8]) -> Self {
        self.on_behalf = Some(OnBehalf {
            org: org.clone(),
            source: Digest::of(letter),
        });
        self
    }

    /// The parts, sealed as they must be.
    pub fn parts(&self, world: &World) -> Vec<Part> {
        let mut parts = Vec::new();
        if !self.place.is_null() {
            let place = Part::new(name::PLACE, &self.place).unwrap();
            parts.push(place.sealed_to(&world.reader));
        }
        for audience in &self.audiences {
            let part = Part::new(name::audience(&audience.party), audience).unwrap();
            parts.push(part.sealed_to(&world.reader));
        }
        if !self.contact.is_empty() {
            let people = json!({"people": [{"name": "Cal Lee", "phone": "+967 700 000 000"}]});
            let part = Part::new(name::CONTACT, &people).unwrap();
            parts.push(self.contact.iter().fold(part, Part::sealed_to));
        }
        for (attached, n) in self.attached.iter().zip(1..) {
            let part = Part::new(name::attachment(n), attached).unwrap();
            parts.push(self.attached_to.iter().fold(part, Part::sealed_to));
        }
        if !self.blobs.is_empty() {
            let blobs = Blobs {
                blobs: self.blobs.clone(),
            };
            let part = Part::new(name::BLOBS, &blobs).unwrap();
            parts.push(part.sealed_to(&world.reader));
        }
        parts
    }

    /// The claims, signed by a device.
    pub fn claims(&self, world: &World, unit: &Unit) -> Claims {
        let mut common = world.common(unit);
        common.iat -= self.age_s;
        let behalf = self.on_behalf.clone();
        if self.moves {
            MovementClaims::new(common, self.nid, self.rev, self.prev, false, behalf).into()
        } else {
            NotificationClaims::new(common, self.nid, self.rev, self.prev, false, behalf).into()
        }
    }

    /// The statement, made.
    pub fn build(&self, world: &World, unit: &Unit) -> Built {
        build(self.claims(world, unit), &self.parts(world), &unit.signing).unwrap()
    }
}

impl World {
    /// A device notifies; it must be taken.
    pub async fn notify(&self, unit: &Unit, site: &Site) -> Notified {
        let built = site.build(self, unit);
        let envelope = built.envelope.encode();
        let answer = self.submit(unit, envelope.clone()).await;
        assert_eq!(answer.status.as_u16(), 201, "{answer:?}");
        Notified {
            nid: site.nid,
            rev: site.rev,
            hash: built.hash,
            envelope,
            sds: built.disclosures.iter().map(Disclosure::digest).collect(),
        }
    }

    /// The coordinator says that it looked at a revision.
    pub async fn screen(&self, what: &Notified) {
        let by = self.coordinator.first();
        let claims = ScreenClaims::new(
            self.common(by),
            what.nid,
            what.rev,
            what.hash,
            ScreenResult::Screened,
            vec![Checked::Form],
        );
        self.said(by, claims, &[]).await;
    }

    /// An acknowledgement, with its officer; `entered` says where each was entered, if it was.
    pub fn acknowledgement(
        &self,
        unit: &Unit,
        to: &ActorId,
        items: Vec<AckItem>,
        entered: &[(Nid, [f64; 2])],
    ) -> (AckClaims, [Part; 1]) {
        let details: Vec<Value> = entered
            .iter()
            .map(|(nid, position)| {
                json!({"nid": nid, "entered": {"list": "NSL", "position": position}})
            })
            .collect();
        let detail = json!({"officer": {"name": "Off Icer"}, "items": details});
        let part = Part::new(name::DETAIL, &detail).unwrap();
        (
            AckClaims::new(self.common(unit), to.clone(), items, None),
            [part.sealed_to(&self.reader)],
        )
    }
}

impl World {
    /// A party's desk asks something about what it was told; `more` are further members of the item's detail.
    pub async fn ask(&self, party: &Member, org: &Member, of: &Notified, more: Value) -> Answer {
        let desk = party.first();
        let mut item = json!({"nid": of.nid, "question": "Which of the two?"});
        item.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let detail = json!({"officer": {"name": "Off Icer"}, "items": [item]});
        let part = Part::new(name::DETAIL, &detail).unwrap();
        let items = vec![ack_item(of, AckState::Queried)];
        let claims = AckClaims::new(self.common(desk), org.id.clone(), items, None);
        self.say(desk, claims, &[part.sealed_to(&self.reader)])
            .await
    }

    /// As [`World::ask`], and it must be taken.
    pub async fn asks(
        &self,
        party: &Member,
        org: &Member,
        of: &Notified,
        more: Value,
    ) -> Submitted {
        let answer = self.ask(party, org, of, more).await;
        assert_eq!(answer.status.as_u16(), 201, "{answer:?}");
        answer.json()
    }
}

/// One item of an acknowledgement.
pub fn ack_item(of: &Notified, state: AckState) -> AckItem {
    AckItem {
        nid: of.nid,
        rev: of.rev,
        of: of.hash,
        opened: Vec::new(),
        state,
    }
}

/// The 10 km square that holds a place.
pub fn cell(lon: f64, lat: f64) -> String {
    Cell::containing(Position::new(lon, lat).unwrap())
        .unwrap()
        .text()
}
