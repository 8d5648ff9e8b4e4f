//! The first day: the coordinator alone is enrolled, and notifies on behalf of organisations that cannot sign yet. They
//! take over what was said for them, and from then on speak for themselves.

use herald::domain::actor::{ActorKind, Role};
use herald::domain::check::Flag;
use herald::domain::ids::ActorId;
use herald::domain::notification::{NotificationState, Tier};
use herald::wire::api::NotificationStatus;
use herald::wire::claims::{Admission, CloseClaims, CosignClaims, OnBehalf, WithdrawClaims};
use herald::wire::problem::ProblemKind as P;
use reqwest::StatusCode;

use super::world::World;
use super::{Notified, Site, Unit};

const LETTER: &[u8] = b"From: newcomer. Please notify our hospital.";

impl World {
    async fn standing(&self, unit: &Unit, of: &Notified) -> NotificationStatus {
        let path = format!("/v1/notifications/{}", of.nid);
        self.get(unit, &path).await.json()
    }

    fn hospital_of(&self, org: &ActorId) -> Site {
        Site::at(44.2, 15.4)
            .to(&self.east, Tier::Exact)
            .on_behalf_of(org, LETTER)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_without_a_device_is_notified_for_and_takes_over_when_it_has_one() {
    let world = World::start().await;
    let org: ActorId = "newcomer".parse().unwrap();
    let (kind, role) = (ActorKind::Organisation, Role::Organisation);
    let invite = world.invite("newcomer", kind, role, "New Comer").await;
    let office = world.coordinator.first();
    let first = world.notify(office, &world.hospital_of(&org)).await;

    let seen = world.standing(world.east.first(), &first).await;
    assert_eq!(
        seen.organisation, org,
        "it is the organisation's, whoever signed"
    );
    assert!(seen.revisions[0].flags.contains(&Flag::OnBehalf));
    let item = vec![super::ack_item(
        &first,
        herald::domain::ack::AckState::Received,
    )];
    let (claims, parts) = world.acknowledgement(world.east.first(), &org, item, &[]);
    world.said(world.east.first(), claims, &parts).await;

    // It enrols, finds in its mailbox what was said for it, and signs it.
    let mut newcomer = World::blank("newcomer", kind);
    world.enrol_with(&mut newcomer, &invite, role).await;
    world.admit(&newcomer, Admission::Admitted).await;
    let answer = world
        .get(newcomer.first(), "/v1/events?after=0&limit=256")
        .await;
    let kinds: Vec<String> = herald::wire::envelope::split(&answer.body, 256)
        .unwrap()
        .into_iter()
        .map(|item| {
            let event = herald::wire::envelope::Event::decode(item).unwrap();
            let (_, claims) = herald::wire::read::read(&event.envelope.statement).unwrap();
            if claims.on_behalf().is_some() {
                let opens =
                    event.envelope.attachments.iter().any(|part| {
                        herald::wire::build::open(&claims, part, &newcomer.desk).is_ok()
                    });
                assert!(opens, "the place of its own site is sealed to its desk");
            }
            claims.kind().to_string()
        })
        .collect();
    assert!(
        kinds.contains(&"site".to_owned()) && kinds.contains(&"ack".to_owned()),
        "{kinds:?}"
    );

    let by = newcomer.first();
    let over = CosignClaims::new(world.common(by), first.nid, first.rev, first.hash);
    world.said(by, over, &[]).await;
    let seen = world.standing(world.east.first(), &first).await;
    assert_eq!(seen.revisions[0].flags, [Flag::Unscreened]);

    // From now on it speaks for itself.
    let office = world.coordinator.first();
    let again = world.hospital_of(&org).after(&first).build(&world, office);
    let answer = world.submit(office, again.envelope.encode()).await;
    assert_eq!(answer.refused(), Some(P::StateForbids));
    let own = Site::at(44.2, 15.4)
        .to(&world.east, Tier::Exact)
        .after(&first);
    let second = world.notify(by, &own).await;
    let seen = world.standing(world.east.first(), &second).await;
    assert!(!seen.revisions[1].flags.contains(&Flag::OnBehalf));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_behalf_is_the_coordinators_word_alone_and_of_organisations_that_are_known() {
    let world = World::start().await;
    let office = world.coordinator.first();
    let (msf, relief) = (&world.msf.id, &world.relief.id);
    let refused = async |unit: &Unit, site: Site| {
        let built = site.build(&world, unit);
        world.submit(unit, built.envelope.encode()).await.refused()
    };
    for unit in [
        world.msf.first(),
        world.east.first(),
        &world.east.devices[1],
    ] {
        assert_eq!(
            refused(unit, world.hospital_of(msf)).await,
            Some(P::NotAllowed)
        );
    }
    let mut plain = world.hospital_of(msf);
    plain.on_behalf = None;
    assert_eq!(
        refused(office, plain).await,
        Some(P::NotAllowed),
        "for itself it notifies nothing"
    );
    let nobody: ActorId = "nobody".parse().unwrap();
    assert_eq!(
        refused(office, world.hospital_of(&nobody)).await,
        Some(P::NotFound)
    );
    assert_eq!(
        refused(office, world.hospital_of(&world.east.id)).await,
        Some(P::NotFound)
    );

    // What an organisation signed itself, or what was notified for another, the coordinator does not touch.
    let own = world
        .notify(
            world.msf.first(),
            &Site::at(44.2, 15.4).to(&world.east, Tier::Exact),
        )
        .await;
    assert_eq!(
        refused(office, world.hospital_of(msf).after(&own)).await,
        Some(P::StateForbids)
    );
    assert_eq!(
        refused(office, world.hospital_of(relief).after(&own)).await,
        Some(P::UnknownNotification)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_notified_for_an_organisation_is_revised_withdrawn_and_closed_for_it() {
    let world = World::start().await;
    let office = world.coordinator.first();
    let org = &world.msf.id;
    let word = || {
        Some(OnBehalf {
            org: org.clone(),
            source: herald::crypto::digest::Digest::of(b"another e-mail"),
        })
    };
    let first = world.notify(office, &world.hospital_of(org)).await;
    let second = world
        .notify(office, &world.hospital_of(org).after(&first))
        .await;
    let (next, common) = (second.rev.next(), world.common(office));
    let silent = WithdrawClaims::new(common.clone(), second.nid, next, second.hash, None);
    assert_eq!(
        world.say(office, silent, &[]).await.refused(),
        Some(P::NotAllowed)
    );
    let withdraw = WithdrawClaims::new(common, second.nid, next, second.hash, word());
    world.said(office, withdraw, &[]).await;
    let seen = world.standing(world.east.first(), &second).await;
    assert_eq!(seen.state, NotificationState::Withdrawn);

    let other = world.notify(office, &world.hospital_of(org)).await;
    let common = world.common(office);
    let outcome = herald::domain::notification::Outcome::Completed;
    let close = CloseClaims::new(
        common,
        other.nid,
        other.rev.next(),
        other.hash,
        outcome,
        word(),
    );
    assert_eq!(
        world.say(office, close, &[]).await.status,
        StatusCode::CREATED
    );
}
