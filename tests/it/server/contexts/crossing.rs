//! Statements that cross from one context into another: as they are, by their namesakes, signed anew about another
//! context's objects, with another context's keys. Nothing of either context changes.

use std::collections::BTreeSet;

use herald::crypto::keys::SigningKey;
use herald::domain::actor::{ActorKind, Mode, Role};
use herald::domain::kind::Kind;
use herald::domain::notification::Tier;
use herald::store::role::Role as Database;
use herald::wire::build::build;
use herald::wire::claims::DutyClaims;
use herald::wire::problem::ProblemKind as P;
use sqlx::AssertSqlSafe;

use super::super::devices::Fresh;
use super::super::kinds::{Objects, Whose, make, signers};
use super::super::{Attached, Site, World};
use super::{PLACE, speak, three};

/// Every row of a context in every table that says whose context a row is of.
async fn rows(world: &World) -> BTreeSet<String> {
    let mut admin = world.db.connect(Database::Admin).await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.columns
          WHERE table_schema = 'hn' AND column_name = 'ctx' ORDER BY 1",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    let mut all = BTreeSet::new();
    for table in tables {
        let sql = format!("SELECT x::text FROM hn.{table} x WHERE ctx = $1");
        let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(world.ctx.as_str())
            .fetch_all(&mut admin)
            .await
            .unwrap();
        all.extend(found.into_iter().map(|row| format!("{table} {row}")));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_of_one_context_is_taken_in_another_whoever_brings_it() {
    let [yem, sdn, drill] = three().await;
    let objects = Objects::fresh(&yem).await;
    // Made first: some kinds enrol a device to speak of.
    let mut made = Vec::new();
    for kind in Kind::ALL {
        let from = signers(&yem);
        for (column, signer) in from.iter().enumerate().take(7) {
            let envelope = make(&yem, *kind, signer, Whose::Own, &objects, |_| ()).await;
            made.push((*kind, column, envelope));
        }
    }
    let before = (rows(&yem).await, rows(&sdn).await, rows(&drill).await);
    for other in [&sdn, &drill] {
        let namesakes = signers(other);
        for (kind, column, envelope) in &made {
            let bearer = namesakes[*column].bearer;
            let answer = other.submit(bearer, envelope.clone()).await;
            assert_eq!(
                answer.refused(),
                Some(P::WrongContext),
                "{kind} of {column} in {}: {answer:?}",
                other.ctx
            );
            if kind.is_call() {
                let answer = other.cry(bearer, envelope.clone()).await;
                assert_eq!(answer.refused(), Some(P::WrongContext), "{kind}");
            }
        }
    }
    assert!(before == (rows(&yem).await, rows(&sdn).await, rows(&drill).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_speaks_of_what_was_notified_in_another_context() {
    let [yem, sdn, drill] = three().await;
    let objects = Objects::fresh(&yem).await;
    // Signer by its column: 0 the coordinator, 1 an organisation, 2 a party's desk.
    let about: [(Kind, usize, P); 14] = [
        (Kind::Site, 1, P::UnknownNotification),
        (Kind::Movement, 1, P::UnknownNotification),
        (Kind::Withdraw, 1, P::UnknownNotification),
        (Kind::Close, 1, P::UnknownNotification),
        (Kind::Screen, 0, P::UnknownNotification),
        (Kind::Cosign, 1, P::UnknownNotification),
        (Kind::Confirm, 1, P::UnknownNotification),
        (Kind::Progress, 1, P::UnknownNotification),
        (Kind::Reply, 1, P::UnknownNotification),
        (Kind::Distress, 1, P::UnknownNotification),
        (Kind::Ack, 2, P::UnknownItem),
        (Kind::Warn, 2, P::UnknownItem),
        (Kind::Respond, 2, P::UnknownCall),
        (Kind::Resolve, 1, P::UnknownCall),
    ];
    for other in [&sdn, &drill] {
        let before = (rows(&yem).await, rows(other).await);
        for (kind, column, wanted) in about {
            let signer = &signers(other)[column];
            // A revision of one's own is a new notification; the next one of another's is what is tried.
            let whose = match kind {
                Kind::Site | Kind::Movement => Whose::Others,
                _ => Whose::Own,
            };
            let envelope = make(other, kind, signer, whose, &objects, |_| ()).await;
            let answer = other.submit(signer.bearer, envelope).await;
            assert_eq!(answer.refused(), Some(wanted), "{kind}: {answer:?}");
        }
        let coordinator = &signers(other)[0];
        let respond = make(
            other,
            Kind::Respond,
            coordinator,
            Whose::Own,
            &objects,
            |_| (),
        )
        .await;
        let answer = other.submit(coordinator.bearer, respond).await;
        assert_eq!(answer.refused(), Some(P::UnknownCall));
        assert!(before == (rows(&yem).await, rows(other).await));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_keys_seals_and_contents_of_one_context_are_of_no_use_in_another() {
    let [yem, sdn, drill] = three().await;
    let said = speak(&yem).await;
    for other in [&sdn, &drill] {
        let msf = other.msf.first();
        let site = || Site::at(PLACE[0], PLACE[1]).to(&other.east, Tier::Exact);

        // The id of another context's notification, with a first revision of one's own.
        let mut again = site();
        again.nid = said.site.nid;
        let envelope = again.build(other, msf).envelope.encode();
        let answer = other.submit(msf, envelope).await;
        assert_eq!(answer.refused(), Some(P::UnknownNotification), "{answer:?}");

        // Its parts, sealed to the server's key of the other context.
        let elsewhere = site();
        let parts = elsewhere.parts(&yem);
        let built = build(elsewhere.claims(other, msf), &parts, &msf.signing).unwrap();
        let answer = other.submit(msf, built.envelope.encode()).await;
        assert_eq!(answer.refused(), Some(P::UnknownReader), "{answer:?}");

        // People to call, sealed to the namesakes of those who are to know them.
        let namesakes = site().contact(&[&yem.coordinator, &yem.east]);
        let answer = other
            .submit(msf, namesakes.build(other, msf).envelope.encode())
            .await;
        assert_eq!(answer.refused(), Some(P::MissingSeal), "{answer:?}");

        // Contents that were sent in the other context.
        let readers = [&other.coordinator, &other.msf, &other.east];
        let attached = site().attach(&[&said.file], &readers);
        let answer = other
            .submit(msf, attached.build(other, msf).envelope.encode())
            .await;
        assert_eq!(
            answer.refused(),
            Some(P::AttachmentIncomplete),
            "{answer:?}"
        );
    }
    // One's own contents of the same bytes are one's own.
    let file = Attached::photo(70_000);
    sdn.upload(sdn.msf.first(), &file).await;
    drill.upload(drill.msf.first(), &file).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_belongs_to_one_context_and_a_root_that_stands_in_two_carries_nothing_across() {
    let [live, _, drill] = three().await;
    let org = (ActorKind::Organisation, Role::Organisation);
    let root = SigningKey::generate();
    let member = |world: &World| {
        let mut member = World::blank("twin", org.0);
        member.root = SigningKey::from_seed(root.seed());
        assert_eq!(
            member.root.verifying_key().kid(),
            root.verifying_key().kid()
        );
        (member, world.ctx.clone())
    };
    let (mut here, _) = member(&live);
    let (there, _) = member(&drill);
    let code = live.invite("twin", org.0, org.1, "Twi N").await;
    let fresh = Fresh::new();
    let keys = live.keys_of(&here, Some(fresh.key(org.1)));
    let request = fresh.request(&code, Some(keys.envelope.statement.clone()));
    let taken = live.post_json(&live.nobody, "/v1/enrol", &request).await;

    // The same device keys, named by the same root, in the exercise: refused, so that a key says which context it is of.
    let code = drill.invite("twin", org.0, org.1, "Twi N").await;
    let drilled = drill.keys_of(&there, Some(fresh.key(org.1)));
    let request = fresh.request(&code, Some(drilled.envelope.statement.clone()));
    let answer = drill.post_json(&drill.nobody, "/v1/enrol", &request).await;
    assert_eq!(answer.refused(), Some(P::EnrolmentInvalid), "{answer:?}");
    // The root's word for the live context, replayed with the exercise's invite.
    let request = fresh.request(&code, Some(keys.envelope.statement.clone()));
    let answer = drill.post_json(&drill.nobody, "/v1/enrol", &request).await;
    assert_eq!(answer.refused(), Some(P::WrongContext), "{answer:?}");
    here.devices.push(fresh.enrolled(&live.ca, &taken.json()));
    // Another device under the same root is the exercise's own.
    let second = Fresh::new();
    let keys = drill.keys_of(&there, Some(second.key(org.1)));
    let request = second.request(&code, Some(keys.envelope.statement));
    let taken = drill.post_json(&drill.nobody, "/v1/enrol", &request).await;
    let second = second.enrolled(&drill.ca, &taken.json());

    // What either signs counts in its own context and mode alone.
    let units = [(&live, here.first()), (&drill, &second)];
    for (world, unit) in units {
        for (other, _) in units {
            for mode in [Mode::Live, Mode::Exercise] {
                let mut common = world.common(unit);
                (common.ctx, common.mode) = (other.ctx.clone(), mode);
                let claims = DutyClaims::new(common, "+967 1 234 567".to_owned(), Vec::new());
                let answer = world.say(unit, claims, &[]).await;
                let wanted = match (world.ctx == other.ctx, mode == world.mode) {
                    (false, _) => Some(P::WrongContext),
                    (true, false) => Some(P::WrongMode),
                    (true, true) => None,
                };
                assert_eq!(answer.refused(), wanted, "{answer:?}");
            }
        }
    }
}
