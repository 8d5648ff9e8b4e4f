//! Every refusal that the registry promises is provoked, over the real API where that can be done in a moment. A kind
//! that nothing here provokes fails the test, so the registry holds no refusal that nobody has seen.

use std::collections::BTreeMap;
use std::sync::Arc;

use herald::crypto::b64url;
use herald::crypto::keys::SigningKey;
use herald::crypto::statement;
use herald::domain::ack::AckState;
use herald::domain::actor::{ActorKind, Mode, Role};
use herald::domain::ids::Nid;
use herald::domain::notification::{Outcome, Tier};
use herald::service::identity;
use herald::service::intake::{Bearer, Intake};
use herald::store::role::Role as DbRole;
use herald::wire::build::{Built, Part, build};
use herald::wire::claims::{
    CheckClaims, Claims, CloseClaims, Common, ConfirmClaims, DutyClaims, NotificationClaims,
    ResolveClaims, ScreenClaims, ScreenResult, WithdrawClaims,
};
use herald::wire::envelope::{Content, ENVELOPE_TYPE, Envelope};
use herald::wire::invite::InviteCode;
use herald::wire::parts::name;
use herald::wire::policy::Policy;
use herald::wire::problem::ProblemKind as P;
use reqwest::Method;
use serde_json::{Value, json};

use super::calls::Answer;
use super::devices::Fresh;
use super::world::World;
use super::{Attached, Notified, Site, Unit, ack_item};

/// Provoked at their own layer: on real sockets with limits short enough to wait for, or in an answer.
const ELSEWHERE: &[(P, &str, &str)] = &[
    (P::Destroyed, "P::Destroyed", include_str!("retention.rs")),
    (P::NudgeCover, "NudgeCover", include_str!("nudges/mod.rs")),
    (P::NudgeLeave, "NudgeLeave", include_str!("nudges/mod.rs")),
    (
        P::NudgeNowhere,
        "NudgeNowhere",
        include_str!("nudges/mod.rs"),
    ),
    (P::NudgesOff, "NudgesOff", include_str!("nudges/mod.rs")),
    (
        P::NudgeAddress,
        "NudgeAddress",
        include_str!("nudges/mod.rs"),
    ),
    (P::Suspended, "P::Suspended", include_str!("desk.rs")),
    (P::Left, "P::Left", include_str!("desk.rs")),
    (
        P::PartySuspended,
        "P::PartySuspended",
        include_str!("desk.rs"),
    ),
    (P::PartyLeft, "P::PartyLeft", include_str!("desk.rs")),
    (P::PastMoment, "P::PastMoment", include_str!("desk.rs")),
    (
        P::AlreadyScreened,
        "P::AlreadyScreened",
        include_str!("desk.rs"),
    ),
    (P::UnknownField, "P::UnknownField", include_str!("desk.rs")),
    (
        P::NotNotifiedToParty,
        "NotNotifiedToParty",
        include_str!("relay.rs"),
    ),
    (P::TierMismatch, "TierMismatch", include_str!("relay.rs")),
    (P::LetterMissing, "LetterMissing", include_str!("relay.rs")),
    (
        P::LetterUnexpected,
        "LetterUnexpected",
        include_str!("relay.rs"),
    ),
    (
        P::PartySpokeItself,
        "PartySpokeItself",
        include_str!("relay.rs"),
    ),
    (
        P::ReplyTimeInvalid,
        "ReplyTimeInvalid",
        include_str!("threads.rs"),
    ),
    (
        P::AskNeedsMovement,
        "AskNeedsMovement",
        include_str!("threads.rs"),
    ),
    (
        P::NothingToReplyTo,
        "NothingToReplyTo",
        include_str!("threads.rs"),
    ),
    (
        P::ReplyToAnotherParty,
        "ReplyToAnotherParty",
        include_str!("threads.rs"),
    ),
    (
        P::AmendmentUnknown,
        "AmendmentUnknown",
        include_str!("threads.rs"),
    ),
    (
        P::RequestTooSlow,
        "Some(ProblemKind::RequestTooSlow)",
        include_str!("../platform/slow.rs"),
    ),
    (
        P::Timeout,
        "Some(ProblemKind::Timeout)",
        include_str!("../platform/requests.rs"),
    ),
    (
        P::Overloaded,
        "Some(ProblemKind::Overloaded)",
        include_str!("../platform/requests.rs"),
    ),
    (
        P::Internal,
        "Some(ProblemKind::Internal)",
        include_str!("../platform/requests.rs"),
    ),
    // A doubt of an answer, not a refusal.
    (
        P::OutsideCountries,
        "json!([\"outside-countries\"])",
        include_str!("../check/command.rs"),
    ),
];

/// What was provoked, with how often.
struct Walk {
    world: Box<World>,
    seen: BTreeMap<&'static str, u32>,
}

impl Walk {
    fn note(&mut self, kind: P, answer: &Answer) {
        assert_eq!(answer.refused(), Some(kind), "{answer:?}");
        let body = answer.problem.as_ref().unwrap();
        let spec = kind.spec();
        assert_eq!(
            (body.title.as_str(), body.status),
            (spec.title, spec.status)
        );
        assert!(
            !body.action.is_empty() && body.request_id.is_some(),
            "{body:?}"
        );
        let said = serde_json::to_string(body).unwrap();
        for theirs in ["Kunduz", "colour"] {
            assert!(!said.contains(theirs), "what was sent is repeated: {said}");
        }
        *self.seen.entry(spec.slug).or_default() += 1;
    }

    fn ada(&self) -> &Unit {
        self.world.msf.first()
    }

    fn site(&self) -> Site {
        Site::at(44.2, 15.4).to(&self.world.east, Tier::Exact)
    }

    /// A site that is refused.
    async fn site_refused(&mut self, kind: P, site: Site) {
        let envelope = site.build(&self.world, self.ada()).envelope.encode();
        let answer = self.world.submit(self.ada(), envelope).await;
        self.note(kind, &answer);
    }

    /// A site with a part of its place changed.
    async fn place_refused(&mut self, kind: P, pointer: &str, value: Value) {
        let mut site = self.site();
        let (parent, last) = pointer.rsplit_once('/').unwrap();
        site.place.pointer_mut(parent).unwrap()[last] = value;
        self.site_refused(kind, site).await;
    }

    async fn said_refused(&mut self, kind: P, claims: impl Into<Claims>) {
        let answer = self.world.say(self.ada(), claims, &[]).await;
        self.note(kind, &answer);
    }

    /// A statement whose payload is given byte by byte.
    async fn payload_refused(&mut self, kind: P, payload: &str) {
        let jws = statement::sign("duty", payload.as_bytes(), &self.ada().signing).unwrap();
        self.envelope_refused(kind, &Envelope::bare(jws)).await;
    }

    async fn envelope_refused(&mut self, kind: P, envelope: &Envelope) {
        let answer = self.world.submit(self.ada(), envelope.encode()).await;
        self.note(kind, &answer);
    }

    async fn get_refused(&mut self, kind: P, path: &str) {
        let answer = self.world.get(self.ada(), path).await;
        self.note(kind, &answer);
    }

    fn duty(&self, change: impl FnOnce(&mut Common)) -> DutyClaims {
        let mut common = self.world.common(self.ada());
        change(&mut common);
        DutyClaims::new(common, "+967 1 222 333".to_owned(), Vec::new())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_of_the_registry_is_provoked() {
    let world = World::start_with(|config| {
        config.pools.intake.statement = std::time::Duration::from_millis(400);
        let once = std::num::NonZeroU32::MIN;
        config.limits.rate.checks = herald::http::limits::Rate::new(once, once);
    })
    .await;
    let mut walk = Walk {
        world,
        seen: BTreeMap::new(),
    };
    Box::pin(form(&mut walk)).await;
    Box::pin(statements(&mut walk)).await;
    Box::pin(parts(&mut walk)).await;
    Box::pin(geometry(&mut walk)).await;
    Box::pin(state(&mut walk)).await;
    Box::pin(callers(&mut walk)).await;
    Box::pin(invites(&mut walk)).await;
    Box::pin(attachments(&mut walk)).await;
    Box::pin(server(&mut walk)).await;
    for kind in P::ALL {
        let elsewhere = ELSEWHERE
            .iter()
            .any(|(other, evidence, file)| other == kind && file.contains(evidence));
        assert!(
            elsewhere || walk.seen.contains_key(kind.spec().slug),
            "nothing provokes {}: provoke it, or take it out of the registry",
            kind.spec().slug
        );
    }
}

async fn form(walk: &mut Walk) {
    const PATH: &str = "/v1/cursor";
    let deep = format!("{{\"seq\":{}1{}}}", "[".repeat(40), "]".repeat(40));
    let bodies = [
        (P::MalformedBody, "{"),
        (P::UnknownMember, "{\"seq\":0,\"more\":1}"),
        (P::DuplicateMember, "{\"seq\":0,\"seq\":1}"),
        (P::MissingMember, "{}"),
        (P::InvalidMember, "{\"seq\":\"x\"}"),
        (P::TooDeep, deep.as_str()),
        (P::TooLarge, &" ".repeat(2_000)),
    ];
    for (kind, body) in bodies {
        let body = Some(("application/json", body.as_bytes().to_vec()));
        let http = walk.ada().http.clone();
        let answer = walk.world.call(&http, Method::PUT, PATH, body).await;
        walk.note(kind, &answer);
    }
    let http = walk.ada().http.clone();
    let body = Some(("text/plain", b"{\"seq\":0}".to_vec()));
    let answer = walk.world.call(&http, Method::PUT, PATH, body).await;
    walk.note(P::UnsupportedMediaType, &answer);
    let answer = walk.world.call(&http, Method::DELETE, PATH, None).await;
    walk.note(P::MethodNotAllowed, &answer);
    walk.get_refused(P::InvalidQuery, "/v1/events?after=x")
        .await;
    walk.get_refused(P::InvalidQuery, "/v1/events?limit=0")
        .await;
    for limit in [0, 201] {
        walk.get_refused(P::InvalidQuery, &format!("/v1/notifications?limit={limit}"))
            .await;
    }
    walk.get_refused(P::InvalidQuery, "/v1/events?after=999999")
        .await;
    walk.get_refused(P::NotFound, "/v1/nothing").await;
    walk.get_refused(P::NotFound, "/v1/events/x").await;
    walk.get_refused(P::UnknownNotification, "/v1/notifications/x")
        .await;
    walk.get_refused(P::UnknownNotification, "/v1/notifications/%ff")
        .await;
    walk.get_refused(P::SubprotocolMissing, "/v1/stream").await;
}

async fn statements(walk: &mut Walk) {
    let good = serde_json::to_string(&walk.duty(|_| ())).unwrap();
    let extra = good.replacen('{', "{\"more\":1,", 1);
    walk.payload_refused(P::UnknownMember, &extra).await;
    let twice = good.replacen('{', "{\"phone\":\"+967 1 222 333\",", 1);
    walk.payload_refused(P::DuplicateMember, &twice).await;
    walk.payload_refused(P::MissingMember, "{}").await;
    walk.payload_refused(P::MalformedBody, "{\"iss\":").await;
    let deep = good.replacen(
        "\"+967 1 222 333\"",
        &format!("{}{}", "[".repeat(99), "]".repeat(99)),
        1,
    );
    walk.payload_refused(P::TooDeep, &deep).await;
    walk.envelope_refused(P::StatementHeader, &Envelope::bare("a.b.c".to_owned()))
        .await;
    let jws = statement::sign("poem", b"{}", &walk.ada().signing).unwrap();
    walk.envelope_refused(P::StatementKind, &Envelope::bare(jws))
        .await;
    let check = CheckClaims::new(walk.world.common(walk.ada()));
    walk.said_refused(P::StatementKind, check).await;
    // Two statements, one with the other's signature.
    let sign = |walk: &Walk| {
        build(walk.duty(|_| ()), &[], &walk.ada().signing)
            .unwrap()
            .envelope
            .statement
    };
    let (one, other) = (sign(walk), sign(walk));
    let mixed = format!(
        "{}.{}",
        one.rsplit_once('.').unwrap().0,
        other.rsplit_once('.').unwrap().1
    );
    walk.envelope_refused(P::BadSignature, &Envelope::bare(mixed))
        .await;
    let claims = walk.duty(|_| ());
    let stranger = build(claims, &[], &SigningKey::generate()).unwrap();
    walk.envelope_refused(P::UnknownKey, &stranger.envelope)
        .await;
    let claims = walk.duty(|c| c.aud.push('x'));
    walk.said_refused(P::WrongDeployment, claims).await;
    let claims = walk.duty(|c| c.ctx = "sdn".parse().unwrap());
    walk.said_refused(P::WrongContext, claims).await;
    let claims = walk.duty(|c| c.mode = Mode::Live);
    walk.said_refused(P::WrongMode, claims).await;
    let claims = walk.duty(|c| c.iat -= 8 * 86_400);
    walk.said_refused(P::Stale, claims).await;
    let claims = walk.duty(|c| c.iat += 600);
    walk.said_refused(P::FromTheFuture, claims).await;
    let claims = walk.duty(|_| ());
    walk.world
        .said(walk.world.msf.first(), claims.clone(), &[])
        .await;
    let other = DutyClaims {
        phone: "+967 1 999 999".to_owned(),
        ..claims
    };
    walk.said_refused(P::ReusedJti, other).await;
}

/// A good site's envelope, changed.
fn changed(walk: &Walk, change: impl FnOnce(&mut Built)) -> Envelope {
    let mut built = walk.site().build(&walk.world, walk.ada());
    change(&mut built);
    built.envelope
}

async fn parts(walk: &mut Walk) {
    let envelope = changed(walk, |b| {
        b.envelope.attachments.retain(|a| a.part != "place");
    });
    walk.envelope_refused(P::MissingPart, &envelope).await;
    let envelope = changed(walk, |b| {
        for attachment in &mut b.envelope.attachments {
            if let Content::Seal { sealed, .. } = &mut attachment.content {
                *sealed.last_mut().unwrap() ^= 1;
            }
        }
    });
    walk.envelope_refused(P::SealDoesNotOpen, &envelope).await;
    let envelope = changed(walk, |b| {
        let other = herald::crypto::digest::Digest::of(b"another");
        b.envelope.attachments[0].sd = other;
    });
    walk.envelope_refused(P::DigestMismatch, &envelope).await;
    let envelope = changed(walk, |b| {
        let first = b.envelope.attachments[0].clone();
        b.envelope.attachments.push(first);
    });
    walk.envelope_refused(P::DuplicateMember, &envelope).await;
    let envelope = changed(walk, |b| {
        let text = b.disclosures[0].encoded().to_owned();
        b.envelope.attachments[0].content = Content::Disclosure(text);
    });
    walk.envelope_refused(P::MissingSeal, &envelope).await;
    let east_only = walk.site().contact(&[&walk.world.east]);
    walk.site_refused(P::MissingSeal, east_only).await;
    let strangers = walk.site().contact(&[
        &walk.world.coordinator,
        &walk.world.east,
        &walk.world.relief,
    ]);
    walk.site_refused(P::UnknownReader, strangers).await;
    let nobody = walk.site().to(&walk.world.auditor, Tier::Exact);
    walk.site_refused(P::UnknownParty, nobody).await;
    let mut outside = walk.site();
    outside = outside.to(&walk.world.west, Tier::Cell);
    outside.audiences[1].cells = vec![super::say::cell(30.0, 10.0)];
    walk.site_refused(P::CellMismatch, outside).await;
    walk.place_refused(P::UnknownMember, "/properties/colour", json!("red"))
        .await;
    for forged in ["Kunduz\u{1b}[2J", "Kunduz\nHospital", "Kunduz\u{202e}"] {
        walk.place_refused(P::InvalidMember, "/properties/name", json!(forged))
            .await;
    }
    walk.place_refused(P::InvalidMember, "/properties/buffer_m", json!(-1.0))
        .await;
    let window = json!({"from": "2027-01-02T00:00:00Z", "until": "2027-01-01T00:00:00Z"});
    walk.place_refused(P::WindowInvalid, "/properties/window", window)
        .await;
    walk.place_refused(P::MovementInvalid, "/properties/half_width_m", json!(5.0))
        .await;
    let mut back = Site::convoy([44.2, 15.4], [44.3, 15.5]);
    back.place["properties"]["waypoints"][1]["at"] = json!("2027-01-03T05:00:00Z");
    walk.site_refused(P::MovementInvalid, back).await;
}

async fn attachments(walk: &mut Walk) {
    let photo = Attached::photo(90);
    let size = photo.blob.len();
    let mut altered = photo.blob.clone();
    altered[0] ^= 1;
    for (kind, size, offset, bytes) in [
        (P::AttachmentOffset, size, 1, &photo.blob),
        (P::AttachmentAltered, size, 0, &altered),
    ] {
        let ada = walk.ada();
        let answer = walk
            .world
            .put(ada, (photo.digest, size), offset, bytes)
            .await;
        walk.note(kind, &answer);
    }
    let readers = || [&walk.world.coordinator, &walk.world.msf, &walk.world.east];
    let site = walk.site().attach(&[&photo], &readers());
    let many = vec![&photo; 11];
    let many = walk.site().attach(&many, &readers());
    let mut another = walk.site().attach(&[&photo], &readers());
    another.blobs[0].size += 1;
    walk.site_refused(P::AttachmentIncomplete, site).await;
    walk.site_refused(P::TooManyAttachments, many).await;
    walk.world.upload(walk.ada(), &photo).await;
    walk.site_refused(P::AttachmentMismatch, another).await;
    let behind = walk
        .ada()
        .http
        .get(format!("{}/v1/blobs/{}", walk.world.url, photo.digest))
        .header("range", "bytes=9999-");
    let answer = Answer::of(behind.send().await.unwrap()).await;
    walk.note(P::RangeNotSatisfiable, &answer);
    let none = Policy {
        attachments_mib: 0,
        ..Policy::default()
    };
    walk.world.set_policy(1, none).await;
    let more = Attached::photo(90);
    let ada = walk.ada();
    let answer = walk
        .world
        .put(ada, (more.digest, more.blob.len()), 0, &more.blob)
        .await;
    walk.note(P::AttachmentQuota, &answer);
}

async fn geometry(walk: &mut Walk) {
    let polygon = |ring: Value| json!({"type": "Polygon", "coordinates": [ring]});
    let line: Vec<[f64; 2]> = (0..2_001)
        .map(|i| [44.0 + f64::from(i) / 10_000.0, 15.0])
        .collect();
    for (kind, shape) in [
        (
            P::GeometryOutOfRange,
            json!({"type": "Point", "coordinates": [190.0, 95.0]}),
        ),
        (
            P::GeometryInvalid,
            polygon(json!([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 0.5]])),
        ),
        (
            P::GeometryCrossesItself,
            polygon(json!([
                [0.0, 0.0],
                [2.0, 2.0],
                [2.0, 0.0],
                [0.0, 2.0],
                [0.0, 0.0]
            ])),
        ),
        (
            P::GeometryTooWide,
            polygon(json!([
                [-170.0, -80.0],
                [170.0, -80.0],
                [170.0, 80.0],
                [-170.0, 80.0],
                [-170.0, -80.0]
            ])),
        ),
        (
            P::GeometryTooManyVertices,
            json!({"type": "LineString", "coordinates": line}),
        ),
    ] {
        walk.place_refused(kind, "/geometry", shape).await;
    }
}

async fn state(walk: &mut Walk) {
    let first = walk.world.notify(walk.ada(), &walk.site()).await;
    let again = Site {
        nid: first.nid,
        ..walk.site()
    };
    walk.site_refused(P::ReusedRevision, again).await;
    let gap = Site {
        prev: None,
        ..walk.site().after(&first)
    };
    walk.site_refused(P::PrevMismatch, gap).await;
    let second = walk
        .world
        .notify(walk.ada(), &walk.site().after(&first))
        .await;
    let by = walk.world.coordinator.first();
    let screen = |of: &Notified, hash| {
        let checked = vec![herald::wire::claims::Checked::Form];
        ScreenClaims::new(
            walk.world.common(by),
            of.nid,
            of.rev,
            hash,
            ScreenResult::Screened,
            checked,
        )
    };
    let superseded = walk.world.say(by, screen(&first, first.hash), &[]).await;
    let not_current = walk.world.say(by, screen(&second, first.hash), &[]).await;
    walk.note(P::Superseded, &superseded);
    walk.note(P::RevisionNotCurrent, &not_current);
    let common = walk.world.common(walk.ada());
    let close = CloseClaims::new(
        common,
        second.nid,
        second.rev.next(),
        second.hash,
        Outcome::Arrived,
        None,
    );
    walk.said_refused(P::StateForbids, close).await;
    let mut over = Site::at(44.2, 15.4).to(&walk.world.east, Tier::Exact);
    over.place["properties"]["window"] = json!({"until": "2026-01-01T00:00:00Z"});
    let over = walk.world.notify(walk.ada(), &over).await;
    let common = walk.world.common(walk.ada());
    let confirm = ConfirmClaims::new(common, over.nid, over.rev, over.hash, None);
    walk.said_refused(P::WindowEnded, confirm).await;
    let common = walk.world.common(walk.ada());
    let unknown = WithdrawClaims::new(common, Nid::random(), second.rev, second.hash, None);
    walk.said_refused(P::UnknownNotification, unknown).await;
    let common = walk.world.common(walk.ada());
    let no_call = ResolveClaims::new(common, Nid::random(), second.hash);
    let detail = Part::new(name::DETAIL, &json!({"outcome": "mistake"})).unwrap();
    let detail = [detail.sealed_to(&walk.world.reader)];
    let answer = walk.world.say(walk.ada(), no_call, &detail).await;
    walk.note(P::UnknownCall, &answer);
    let desk = walk.world.west.first();
    let items = vec![ack_item(&second, AckState::Received)];
    let (ack, detail) = walk
        .world
        .acknowledgement(desk, &walk.world.msf.id, items, &[]);
    let answer = walk.world.say(desk, ack, &detail).await;
    walk.note(P::UnknownItem, &answer);
    let common = walk.world.common(walk.ada());
    let withdraw = WithdrawClaims::new(common, second.nid, second.rev.next(), second.hash, None);
    let ended = walk.world.said(walk.ada(), withdraw, &[]).await;
    let late = Site {
        prev: Some(ended.hash),
        rev: second.rev.next().next(),
        ..walk.site().after(&second)
    };
    walk.site_refused(P::AlreadyClosed, late).await;
}

async fn callers(walk: &mut Walk) {
    let me = |http| walk.world.call(http, Method::GET, "/v1/me", None);
    let fresh = Fresh::new();
    let certificate = walk.world.issue(&fresh);
    let unknown = super::devices::client(&walk.world.ca, Some((&certificate, &fresh.tls)));
    let answers = [
        (P::CertificateMissing, me(&walk.world.nobody).await),
        (P::CertificateUnknown, me(&unknown).await),
        (P::CertificateRevoked, me(&walk.world.revoked.http).await),
    ];
    for (kind, answer) in answers {
        walk.note(kind, &answer);
    }
    walk.get_refused(P::NotAllowed, "/v1/statistics").await;
    let stranger = walk.world.stranger.first();
    let site = walk.site().build(&walk.world, stranger).envelope.encode();
    let answer = walk.world.submit(stranger, site.clone()).await;
    walk.note(P::NotAdmitted, &answer);
    let answer = walk.world.submit(walk.ada(), site).await;
    walk.note(P::CertificateKeyMismatch, &answer);
}

async fn invites(walk: &mut Walk) {
    let org = (ActorKind::Organisation, Role::Organisation);
    let invite = |code: &InviteCode, fresh: &Fresh| fresh.request(code, None);
    let code = walk.world.invite("msf", org.0, org.1, "Al One").await;
    let fresh = Fresh::new();
    let mut bad = invite(&code, &fresh);
    bad.csr = b64url(b"no request");
    let answer = walk
        .world
        .post_json(&walk.world.nobody, "/v1/enrol", &bad)
        .await;
    walk.note(P::EnrolmentInvalid, &answer);
    drop(walk.world.enrol_pending(&code).await);
    let answer = walk
        .world
        .post_json(&walk.world.nobody, "/v1/enrol", &invite(&code, &fresh))
        .await;
    walk.note(P::InviteUsed, &answer);
    let mut unknown = code.clone();
    unknown.secret = [9; 32];
    let answer = walk
        .world
        .post_json(&walk.world.nobody, "/v1/enrol", &invite(&unknown, &fresh))
        .await;
    walk.note(P::InviteUnknown, &answer);
    let mut short = code.clone();
    short.secret = [8; 32];
    let (claims, parts) = walk.world.invite_of(&short, org.0, "Bo Two", 1);
    walk.world
        .said(walk.world.coordinator.first(), claims, &parts)
        .await;
    tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
    let answer = walk
        .world
        .post_json(&walk.world.nobody, "/v1/enrol", &invite(&short, &fresh))
        .await;
    walk.note(P::InviteExpired, &answer);
}

async fn server(walk: &mut Walk) {
    // A planner who asks faster than agreed.
    let http = walk.world.east.devices[1].http.clone();
    let mut last = None;
    for _ in 0..4 {
        let body = Some((ENVELOPE_TYPE, b"HN2".to_vec()));
        last = Some(
            walk.world
                .call(&http, Method::POST, "/v1/checks", body)
                .await,
        );
    }
    walk.note(P::RateLimited, &last.unwrap());

    // Somebody holds the head of the log: the intake waits no longer than it may, and the same bytes are taken later.
    let mut admin = walk.world.db.connect(DbRole::Admin).await;
    for sql in ["BEGIN", "SELECT position FROM hn.head FOR UPDATE"] {
        sqlx::query(sql).execute(&mut admin).await.unwrap();
    }
    let claims: NotificationClaims = match walk.site().claims(&walk.world, walk.ada()) {
        Claims::Site(claims) => *claims,
        other => panic!("a site, not {}", other.kind()),
    };
    let built = build(claims, &walk.site().parts(&walk.world), &walk.ada().signing).unwrap();
    walk.envelope_refused(P::DatabaseUnavailable, &built.envelope)
        .await;
    sqlx::query("ROLLBACK").execute(&mut admin).await.unwrap();
    let later = walk.world.submit(walk.ada(), built.envelope.encode()).await;
    assert_eq!(later.status.as_u16(), 201, "{later:?}");

    // The intake has ended: at its own layer, for over the API the listener ends first.
    let core = walk.world.core().clone();
    let (intake, worker) = Intake::new(core.clone(), Arc::new(|_| ()));
    drop(worker);
    let spki = walk.ada().certificate.spki_digest();
    let principal = identity::by_certificate(&core, &spki)
        .await
        .unwrap()
        .unwrap();
    let built = walk.site().build(&walk.world, walk.ada());
    let refused = intake
        .submit(built.envelope, Bearer::Device(principal))
        .await;
    assert_eq!(refused.unwrap_err().kind(), Some(P::NotReady));
    *walk.seen.entry(P::NotReady.spec().slug).or_default() += 1;
}
