//! A party that has no device: it is named, notified, relayed to and answered for by letter; none of it counts as signed or as
//! reached, and what was notified waits until the coordinator has compared its root.

use herald::crypto::digest::Digest;
use herald::domain::ack::AckState;
use herald::domain::actor::{ActorKind, Role};
use herald::domain::exchange::{AlertEvent, Means, RELAY_SENTENCE};
use herald::domain::ids::{ActorId, LogPosition};
use herald::domain::notification::Tier;
use herald::wire::api::{KeyDirectory, NotificationStatus, PartyStatus, Statistics};
use herald::wire::build::Part;
use herald::wire::claims::{
    About, AckClaims, Admission, Claims, ConfirmClaims, NoticeCode, OnBehalf, ProgressClaims,
    RelayClaims, ReplyClaims, WithdrawClaims,
};
use herald::wire::desk::Queue;
use herald::wire::parts::{Blobs, Person, name};
use herald::wire::problem::ProblemKind as P;
use herald::wire::relay::{Disclosed, RelayDetail, RelayedFile};
use serde_json::{Value, json};

use super::time::convoy;
use super::world::World;
use super::{Answer, Attached, Member, Notified, Site, Unit, ack_item};

const HOUR: i64 = 3_600;

/// A revision, by its hash.
pub fn about(of: &Notified) -> About {
    About {
        nid: of.nid,
        rev: of.rev,
        of: of.hash,
    }
}

/// What a package says of these.
pub fn detail(items: &[(&Notified, Tier)]) -> RelayDetail {
    RelayDetail {
        items: items
            .iter()
            .map(|(of, tier)| Disclosed {
                nid: of.nid,
                tier: *tier,
            })
            .collect(),
        means: Means::Email,
        recipient: "liaison@south.example".to_owned(),
        officer: Person {
            name: "Ana Lim".to_owned(),
            post: None,
            phone: None,
        },
        serial: LogPosition(7),
        files: vec![RelayedFile {
            name: "herald-south-7.xlsx".to_owned(),
            sha256: Digest::of(b"a file"),
            size: 6,
        }],
        says: RELAY_SENTENCE.to_owned(),
    }
}

/// A letter that is to be transcribed.
struct Transcription<'a> {
    party: &'a ActorId,
    org: &'a Member,
    state: AckState,
    details: Value,
    letter: Option<&'a Attached>,
    readers: Vec<&'a Member>,
}

impl World {
    /// A party that the coordinator has named, of which no device has enrolled.
    async fn names(&self, id: &str) -> (Member, herald::wire::invite::InviteCode) {
        let (kind, role) = (ActorKind::Party, Role::PartyDesk);
        let code = self.invite(id, kind, role, "Sou Th").await;
        (Self::blank(id, kind), code)
    }

    async fn relay_of(
        &self,
        unit: &Unit,
        (party, org): (&ActorId, &Member),
        items: &[(&Notified, Tier)],
        detail: &RelayDetail,
    ) -> Answer {
        let part = Part::new(name::DETAIL, detail).unwrap();
        let items = items.iter().map(|(of, _)| about(of)).collect();
        let claims = RelayClaims::new(self.common(unit), org.id.clone(), party.clone(), items);
        self.say(unit, claims, &[part.sealed_to(&self.reader)])
            .await
    }

    /// The coordinator relays these; the answer.
    pub async fn relay(
        &self,
        party: &ActorId,
        org: &Member,
        items: &[(&Notified, Tier)],
    ) -> Answer {
        let office = self.coordinator.first();
        self.relay_of(office, (party, org), items, &detail(items))
            .await
    }

    fn transcription<'a>(
        &'a self,
        party: &'a ActorId,
        state: AckState,
        letter: &'a Attached,
    ) -> Transcription<'a> {
        Transcription {
            party,
            org: &self.msf,
            state,
            details: json!([]),
            letter: Some(letter),
            readers: vec![&self.coordinator, &self.msf],
        }
    }

    async fn transcribe(&self, unit: &Unit, of: &Notified, how: &Transcription<'_>) -> Answer {
        let said = json!({
            "officer": {"name": "Maj. X"}, "items": how.details, "dated": "2026-11-20",
        });
        let detail = Part::new(name::DETAIL, &said).unwrap();
        let mut parts = vec![detail.sealed_to(&self.reader)];
        let mut source = Digest::of(b"nothing");
        if let Some(letter) = how.letter {
            source = letter.part().sha256;
            let part = Part::new(name::attachment(1), &letter.part()).unwrap();
            let readers = how.readers.iter().map(|m| m.reader());
            parts.push(readers.fold(part, Part::sealed_to));
            let blobs = Blobs {
                blobs: vec![letter.named()],
            };
            let part = Part::new(name::BLOBS, &blobs).unwrap();
            parts.push(part.sealed_to(&self.reader));
        }
        let word = OnBehalf {
            org: how.party.clone(),
            source,
        };
        let items = vec![ack_item(of, how.state)];
        let claims = AckClaims::new(self.common(unit), how.org.id.clone(), items, Some(word));
        self.say(unit, claims, &parts).await
    }

    /// The coordinator transcribes a letter that says that it was received; it must be taken.
    pub async fn transcribes(&self, party: &ActorId, of: &Notified) {
        let (office, letter) = (self.coordinator.first(), Attached::photo(2_000));
        self.upload(office, &letter).await;
        let how = self.transcription(party, AckState::Received, &letter);
        taken(&self.transcribe(office, of, &how).await);
    }

    async fn stands_with(&self, unit: &Unit, of: &Notified, party: &ActorId) -> PartyStatus {
        let path = format!("/v1/notifications/{}", of.nid);
        let status: NotificationStatus = self.get(unit, &path).await.json();
        let mut parties = status.parties.into_iter();
        parties.find(|one| one.party == *party).unwrap()
    }
}

fn taken(answer: &Answer) {
    assert_eq!(answer.status.as_u16(), 201, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_without_a_device_is_notified_and_gets_it_all_once_its_root_was_compared() {
    let world = World::start().await;
    let (mut south, code) = world.names("south").await;
    let directory: KeyDirectory = world
        .get(world.msf.first(), "/v1/keys?ctx=yem")
        .await
        .json();
    let named: Vec<&str> = directory.named.iter().map(|n| n.actor.as_str()).collect();
    assert_eq!(named, ["south"], "organisations find it in the directory");

    let ada = world.msf.first();
    let told = Site::at(44.2, 15.4)
        .to(&south, Tier::Exact)
        .contact(&[&world.coordinator]);
    let first = world.notify(ada, &told).await;
    let stands = world.stands_with(ada, &first, &south.id).await;
    assert!(stands.without_device && stands.fetched_at.is_none());

    // Whoever holds the invite has enrolled; nobody has compared the root yet.
    world.enrol_with(&mut south, &code, Role::PartyDesk).await;
    let waiting = world
        .get(south.first(), "/v1/events?after=0&limit=256")
        .await;
    assert_eq!(waiting.status.as_u16(), 200);
    assert!(
        waiting.body.is_empty(),
        "nothing is handed to a root that nobody compared"
    );
    let one = world.get(south.first(), "/v1/events/1").await;
    assert_eq!(one.refused(), Some(P::NotFound));
    // It may still be named, and nothing is sealed to it.
    let to_its_key = Site::at(44.3, 15.4)
        .to(&south, Tier::Exact)
        .contact(&[&world.coordinator, &south])
        .build(&world, ada);
    let answer = world.submit(ada, to_its_key.envelope.encode()).await;
    assert_eq!(answer.refused(), Some(P::UnknownReader));

    world.admit(&south, Admission::Admitted).await;
    let read = world.reads(&south).await;
    let (_, _, parts) = read
        .iter()
        .find(|(_, claims, _)| matches!(claims, Claims::Site(c) if c.nid == first.nid))
        .expect("what was notified to it waited");
    assert!(parts.iter().any(|(part, _)| part == name::PLACE));
    let stands = world.stands_with(ada, &first, &south.id).await;
    assert!(!stands.without_device);
    let directory: KeyDirectory = world.get(ada, "/v1/keys?ctx=yem").await.json();
    assert!(directory.named.is_empty(), "it has keys of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_is_recorded_for_each_organisation_alone_and_counts_as_nothing_signed() {
    let world = World::start().await;
    let (south, _) = world.names("south").await;
    let (ada, rae) = (world.msf.first(), world.relief.first());
    let exact = world
        .notify(ada, &Site::at(44.2, 15.4).to(&south, Tier::Exact))
        .await;
    let cell = world
        .notify(rae, &Site::at(44.6, 15.4).to(&south, Tier::Cell))
        .await;
    taken(
        &world
            .relay(&south.id, &world.msf, &[(&exact, Tier::Exact)])
            .await,
    );
    taken(
        &world
            .relay(&south.id, &world.relief, &[(&cell, Tier::Cell)])
            .await,
    );

    for unit in [ada, world.coordinator.first()] {
        let stands = world.stands_with(unit, &exact, &south.id).await;
        assert_eq!(stands.relayed.len(), 1);
        assert!(stands.relayed[0].latest);
        assert!(stands.acknowledgements.is_empty() && stands.fetched_at.is_none());
    }
    // Each organisation hears of its own, sealed; the other and the parties of nothing.
    for (member, own) in [(&world.msf, &exact), (&world.relief, &cell)] {
        let heard: Vec<_> = world.reads(member).await;
        let relays = heard.iter().filter_map(|(_, claims, parts)| match claims {
            Claims::Relay(claims) => Some((claims, parts)),
            _ => None,
        });
        let relays: Vec<_> = relays.collect();
        assert_eq!(relays.len(), 1);
        assert_eq!(relays[0].0.items, [about(own)]);
        let (part, value) = &relays[0].1[0];
        assert_eq!(part, name::DETAIL);
        assert_eq!(value["recipient"], "liaison@south.example");
    }
    let (in_office, at_east) = (
        world.reads(&world.coordinator).await,
        world.reads(&world.east).await,
    );
    let relays = |read: &[super::calls::Read]| {
        read.iter()
            .filter(|(_, claims, _)| matches!(claims, Claims::Relay(_)))
            .count()
    };
    assert_eq!((relays(&in_office), relays(&at_east)), (2, 0));

    // A package that holds an older revision is not made any more; of the newer one nothing was relayed.
    let second = Site::at(44.2, 15.4).to(&south, Tier::Exact).after(&exact);
    let second = world.notify(ada, &second).await;
    let stands = world.stands_with(ada, &second, &south.id).await;
    assert!(!stands.relayed[0].latest);
    let answer = world
        .relay(&south.id, &world.msf, &[(&exact, Tier::Exact)])
        .await;
    assert_eq!(answer.refused(), Some(P::Superseded));
    // What ended is relayed too.
    let ended = WithdrawClaims::new(
        world.common(ada),
        second.nid,
        second.rev.next(),
        second.hash,
        None,
    );
    let hash = world.said(ada, ended, &[]).await.hash;
    let ended = Notified {
        rev: second.rev.next(),
        hash,
        ..second.clone()
    };
    taken(
        &world
            .relay(&south.id, &world.msf, &[(&ended, Tier::Withdrawn)])
            .await,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_that_is_not_what_was_notified_is_refused_and_says_why() {
    let world = World::start().await;
    let (south, _) = world.names("south").await;
    let (ada, office) = (world.msf.first(), world.coordinator.first());
    let msf = &world.msf;
    let told = world
        .notify(ada, &Site::at(44.2, 15.4).to(&south, Tier::Cell))
        .await;
    let elsewhere = world
        .notify(ada, &Site::at(44.3, 15.4).to(&world.east, Tier::Exact))
        .await;
    let refused = async |party: &ActorId, of: &Notified, tier| {
        world.relay(party, msf, &[(of, tier)]).await.refused()
    };
    assert_eq!(
        refused(&south.id, &told, Tier::Exact).await,
        Some(P::TierMismatch)
    );
    assert_eq!(
        refused(&south.id, &elsewhere, Tier::Exact).await,
        Some(P::NotNotifiedToParty)
    );
    let nobody: ActorId = "nobody".parse().unwrap();
    assert_eq!(
        refused(&nobody, &told, Tier::Cell).await,
        Some(P::UnknownParty)
    );
    assert_eq!(
        refused(&msf.id, &told, Tier::Cell).await,
        Some(P::UnknownParty)
    );
    let mut unknown = told.clone();
    unknown.hash = Digest::of(b"another");
    assert_eq!(
        refused(&south.id, &unknown, Tier::Cell).await,
        Some(P::UnknownItem)
    );
    let answer = world
        .relay(&south.id, &world.relief, &[(&told, Tier::Cell)])
        .await;
    assert_eq!(
        answer.refused(),
        Some(P::UnknownItem),
        "another's organisation"
    );

    let items = [(&told, Tier::Cell)];
    let good = detail(&items);
    let mut says = good.clone();
    says.says = "Reached.".to_owned();
    let mut nobody = good.clone();
    nobody.recipient = " ".to_owned();
    let mut empty = good.clone();
    empty.files.clear();
    let mut other = good.clone();
    other.items[0].nid = elsewhere.nid;
    for wrong in [says, nobody, empty, other] {
        let to = (&south.id, msf);
        let answer = world.relay_of(office, to, &items, &wrong).await;
        assert_eq!(answer.refused(), Some(P::InvalidMember), "{answer:?}");
    }
    for unit in [ada, world.east.first()] {
        let answer = world.relay_of(unit, (&south.id, msf), &items, &good).await;
        assert_eq!(answer.refused(), Some(P::NotAllowed));
    }
    // One that has a device may be sent a package too, with a word of what that does not count for.
    let answer = world
        .relay(&world.east.id, msf, &[(&elsewhere, Tier::Exact)])
        .await;
    let submitted: herald::wire::api::Submitted = answer.json();
    assert!(submitted.remarks[0].contains("this package does not"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_transcribed_kept_and_read_again_and_is_never_a_signature() {
    let world = World::start().await;
    let (mut south, code) = world.names("south").await;
    let (ada, office) = (world.msf.first(), world.coordinator.first());
    let told = world
        .notify(ada, &Site::at(44.2, 15.4).to(&south, Tier::Exact))
        .await;
    let letter = Attached::photo(100_000);
    world.upload(office, &letter).await;
    let id = south.id.clone();
    let mut how = world.transcription(&id, AckState::Entered, &letter);
    // Entered some 3 km from where it was notified: compared as of a signed word.
    how.details = json!([{"nid": told.nid, "entered": {"list": "NSL", "position": [44.23, 15.4]}}]);
    let answer = world.transcribe(office, &told, &how).await;
    taken(&answer);
    let submitted: herald::wire::api::Submitted = answer.json();
    assert!(submitted.remarks[0].contains("from where it was notified"));

    let stands = world.stands_with(ada, &told, &south.id).await;
    let [said] = stands.acknowledgements.as_slice() else {
        panic!("one word, not {:?}", stands.acknowledgements);
    };
    assert!(said.transcribed && said.entered_elsewhere && stands.fetched_at.is_none());

    let counts: Statistics = world.get(office, "/v1/statistics").await.json();
    assert_eq!(counts.acknowledgements.get("transcribed"), Some(&1));
    assert_eq!(
        counts.acknowledgements.get("entered"),
        None,
        "counted apart"
    );

    // Organisation and coordinator are handed the letter, whole, and nobody else.
    for member in [&world.msf, &world.coordinator] {
        let read = world.reads(member).await;
        let parts = read.iter().find_map(|(_, claims, parts)| match claims {
            Claims::Ack(claims) => claims.on_behalf.as_ref().map(|word| (word, parts)),
            _ => None,
        });
        let (word, parts) = parts.expect("the transcription");
        assert_eq!((&word.org, word.source), (&south.id, letter.part().sha256));
        let handed = parts.iter().find(|(part, _)| *part == name::attachment(1));
        assert_eq!(
            handed.unwrap().1["sha256"],
            letter.part().sha256.to_string()
        );
        let path = format!("/v1/blobs/{}", letter.digest);
        let content = world.get(member.first(), &path).await;
        assert_eq!(content.body, letter.blob);
    }
    let read = world.reads(&world.msf).await;
    let noticed = |claims: &Claims| matches!(claims, Claims::Notice(c) if c.code == NoticeCode::EnteredElsewhere);
    assert!(read.iter().any(|(_, claims, _)| noticed(claims)));
    for other in [&world.relief, &world.east] {
        let path = format!("/v1/blobs/{}", letter.digest);
        let content = world.get(other.first(), &path).await;
        assert_eq!(content.refused(), Some(P::NotFound));
    }

    // Once it has a device, it finds what was said in its name, still owes its own word, and gives it.
    world.enrol_with(&mut south, &code, Role::PartyDesk).await;
    world.admit(&south, Admission::Admitted).await;
    let read = world.reads(&south).await;
    let own = read
        .iter()
        .find(|(_, claims, _)| claims.on_behalf().is_some());
    assert_eq!(
        own.expect("its own letter").2[0].1["officer"]["name"],
        "Maj. X"
    );
    let queue: Queue = world.get(south.first(), "/v1/queue").await.json();
    assert_eq!(queue.notifications.len(), 1, "a letter is not its word");
    let items = vec![ack_item(&told, AckState::Removed)];
    let (claims, parts) = world.acknowledgement(south.first(), &world.msf.id, items, &[]);
    world.said(south.first(), claims, &parts).await;
    let stands = world.stands_with(ada, &told, &south.id).await;
    let marks: Vec<_> = stands
        .acknowledgements
        .iter()
        .map(|a| a.transcribed)
        .collect();
    assert_eq!(marks, [true, false], "both stand, and which is which");
    let answer = world.transcribe(office, &told, &how).await;
    assert_eq!(answer.refused(), Some(P::PartySpokeItself));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_is_not_there_or_says_what_no_letter_can_is_refused() {
    let world = World::start().await;
    let (south, _) = world.names("south").await;
    let (ada, office) = (world.msf.first(), world.coordinator.first());
    let told = world
        .notify(ada, &Site::at(44.2, 15.4).to(&south, Tier::Exact))
        .await;
    let (letter, unsent) = (Attached::photo(9_000), Attached::photo(9_000));
    world.upload(office, &letter).await;
    let good = || world.transcription(&south.id, AckState::Received, &letter);
    let refused = async |unit: &Unit, of: &Notified, how: Transcription<'_>| {
        world.transcribe(unit, of, &how).await.refused()
    };
    for unit in [ada, world.east.first(), world.relief.first()] {
        assert_eq!(refused(unit, &told, good()).await, Some(P::NotAllowed));
    }
    let without = Transcription {
        letter: None,
        ..good()
    };
    assert_eq!(
        refused(office, &told, without).await,
        Some(P::LetterMissing)
    );
    let not_sent = Transcription {
        letter: Some(&unsent),
        ..good()
    };
    assert_eq!(
        refused(office, &told, not_sent).await,
        Some(P::AttachmentIncomplete)
    );
    let not_to_org = Transcription {
        readers: vec![&world.coordinator],
        ..good()
    };
    assert_eq!(
        refused(office, &told, not_to_org).await,
        Some(P::MissingSeal)
    );
    let everyone = vec![&world.coordinator, &world.msf, &world.relief];
    let to_another = Transcription {
        readers: everyone,
        ..good()
    };
    assert_eq!(
        refused(office, &told, to_another).await,
        Some(P::UnknownReader)
    );
    let by_device = Transcription {
        state: AckState::ReachedDesk,
        ..good()
    };
    assert_eq!(
        refused(office, &told, by_device).await,
        Some(P::InvalidMember)
    );
    let of_west = Transcription {
        party: &world.west.id,
        ..good()
    };
    assert_eq!(
        refused(office, &told, of_west).await,
        Some(P::NotNotifiedToParty)
    );
    let of_nobody = Transcription {
        party: &world.relief.id,
        ..good()
    };
    assert_eq!(
        refused(office, &told, of_nobody).await,
        Some(P::UnknownParty)
    );
    let mut unknown = told.clone();
    unknown.hash = Digest::of(b"another");
    assert_eq!(
        refused(office, &unknown, good()).await,
        Some(P::UnknownItem)
    );

    // What a party signs itself has no letter.
    let plain = world
        .notify(ada, &Site::at(44.2, 15.4).to(&world.east, Tier::Exact))
        .await;
    let east = world.east.first();
    let items = vec![ack_item(&plain, AckState::Received)];
    let (claims, mut parts) = world.acknowledgement(east, &world.msf.id, items, &[]);
    let with_letter = Part::new(name::attachment(1), &letter.part()).unwrap();
    let with_letter = with_letter.sealed_to(world.coordinator.reader());
    let [own] = &mut parts;
    let own = std::mem::replace(own, Part::new(name::DETAIL, &json!({})).unwrap());
    let answer = world.say(east, claims, &[own, with_letter]).await;
    assert_eq!(answer.refused(), Some(P::LetterUnexpected));
    let stands = world.stands_with(ada, &told, &south.id).await;
    assert!(
        stands.acknowledgements.is_empty(),
        "nothing changed by any of it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_ends_the_reminders_and_the_certificate_still_says_that_nothing_was_signed() {
    let world = World::start().await;
    let (south, _) = world.names("south").await;
    let office = world.coordinator.first();
    let moving = convoy(8 * HOUR).to(&south, Tier::Exact);
    let told = world.notify(world.msf.first(), &moving).await;
    let letter = Attached::photo(5_000);
    world.upload(office, &letter).await;
    let how = world.transcription(&south.id, AckState::Received, &letter);
    let answer = world.transcribe(office, &told, &how).await;
    let of = answer.json::<herald::wire::api::Submitted>().hash;
    world.move_time(5 * HOUR).await;
    world.nothing_more(&world.msf, 0).await;
    world.move_time(8 * HOUR + 60).await;
    let alerts = world.alerted(&world.msf, 1).await;
    assert_eq!(alerts[0].event, AlertEvent::NoAcknowledgement);
    assert_eq!(
        alerts[0].transcribed,
        Some(of),
        "it names the letter's transcription"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_coordinator_replies_confirms_and_says_how_far_for_those_who_cannot_sign() {
    let world = World::start().await;
    let office = world.coordinator.first();
    let org: ActorId = "newcomer".parse().unwrap();
    let (kind, role) = (ActorKind::Organisation, Role::Organisation);
    let invite = world.invite("newcomer", kind, role, "New Comer").await;
    let word = || {
        Some(OnBehalf {
            org: org.clone(),
            source: Digest::of(b"an e-mail"),
        })
    };
    let site = Site::at(44.2, 15.4)
        .to(&world.east, Tier::Exact)
        .on_behalf_of(&org, b"an e-mail");
    let site = world.notify(office, &site).await;
    let moving = convoy(HOUR)
        .to(&world.east, Tier::Exact)
        .on_behalf_of(&org, b"an e-mail");
    let moving = world.notify(office, &moving).await;
    let newcomer = World::blank("newcomer", kind);
    let asked = world
        .asks(&world.east, &newcomer, &site, json!({}))
        .await
        .hash;

    let common = || world.common(office);
    let east = &world.east.id;
    let reply =
        |behalf| ReplyClaims::new(common(), east.clone(), site.nid, site.rev, asked, behalf);
    let said = || {
        let said = json!({"answer": "explained", "text": "The eastern one."});
        [Part::new(name::DETAIL, &said)
            .unwrap()
            .sealed_to(&world.reader)]
    };
    let far = || {
        let said = json!({"step": "departed", "at": "2026-11-01T00:00:00Z"});
        [Part::new(name::PROGRESS, &said)
            .unwrap()
            .sealed_to(&world.reader)]
    };
    let progress =
        |behalf| ProgressClaims::new(common(), moving.nid, moving.rev, moving.hash, behalf);
    let confirm = |behalf| ConfirmClaims::new(common(), site.nid, site.rev, site.hash, behalf);
    for answer in [
        world.say(office, reply(None), &said()).await,
        world.say(office, progress(None), &far()).await,
        world.say(office, confirm(None), &[]).await,
    ] {
        assert_eq!(
            answer.refused(),
            Some(P::NotAllowed),
            "for itself it says none of it"
        );
    }
    taken(&world.say(office, reply(word()), &said()).await);
    taken(&world.say(office, progress(word()), &far()).await);
    taken(&world.say(office, confirm(word()), &[]).await);
    let read = world.reads(&world.east).await;
    let marked: Vec<_> = read
        .iter()
        .filter(|(_, claims, _)| claims.on_behalf().is_some())
        .map(|(_, claims, _)| claims.kind().as_str())
        .collect();
    assert_eq!(marked, ["site", "movement", "reply", "progress", "confirm"]);

    // What an organisation signed itself is its own to speak of.
    let own = world
        .notify(
            world.msf.first(),
            &Site::at(44.2, 15.4).to(&world.east, Tier::Exact),
        )
        .await;
    let of_msf = OnBehalf {
        org: world.msf.id.clone(),
        source: Digest::of(b"an e-mail"),
    };
    let confirm = ConfirmClaims::new(common(), own.nid, own.rev, own.hash, Some(of_msf));
    let answer = world.say(office, confirm, &[]).await;
    assert_eq!(answer.refused(), Some(P::StateForbids));
    drop(invite);
}
