//! Every kind of statement, signed by everyone, on their own objects, on others', and addressed to another context, mode
//! or deployment: who may say what is exactly what stands below.

use std::collections::BTreeSet;

use herald::crypto::digest::Digest;
use herald::crypto::keys::SigningKey;
use herald::domain::ack::AckState;
use herald::domain::actor::{ActorKind, Mode, Role};
use herald::domain::exchange::WARNING_SENTENCE;
use herald::domain::ids::{ActorId, DeviceId, Issuer, LogPosition, Nid, Revision};
use herald::domain::kind::Kind;
use herald::domain::notification::{Outcome, Tier};
use herald::wire::build::{Part, build};
use herald::wire::claims::{
    AckClaims, Admission, AdmitClaims, AlertClaims, AnswerClaims, CheckClaims, Checked, Claims,
    CloseClaims, Common, ConfirmClaims, CosignClaims, DutyClaims, HandoverClaims, InviteClaims,
    KeysClaims, NoticeClaims, NoticeCode, PolicyClaims, ProgressClaims, ReceiptClaims, RelayClaims,
    RenewClaims, ReplyClaims, RevocationReason, RevokeClaims, ScreenClaims, ScreenResult,
    WarnClaims, WithdrawClaims,
};
use herald::wire::parts::{InvitedPerson, Person, Warning, name};
use herald::wire::policy::Policy;
use herald::wire::problem::ProblemKind as P;
use serde_json::json;

use super::devices::Fresh;
use super::distress::{self, Cry};
use super::relay;
use super::world::World;
use super::{Member, Notified, Site, Unit, ack_item};

/// Who signs, in the order of the columns below.
const COLUMNS: [&str; 11] = [
    "coordinator",
    "organisation",
    "desk",
    "planner",
    "auditor",
    "operator",
    "root",
    "not admitted",
    "suspended",
    "pending",
    "revoked",
];

/// Kind by kind, what becomes of a statement of each signer on its own object, and on another's.
/// `+` taken; `a` not-allowed; `n` not-admitted; `p` suspended; `k` unknown-key; `s` statement-kind; `c` certificate-key-mismatch;
/// `u` unknown-notification; `i` unknown-item; `x` unknown-call; `.` such an object cannot be named.
#[rustfmt::skip]
const TABLE: &[(Kind, &str, &str)] = &[
    // kind             co or de pl au op root na su pe re   the same, on another's object
    (Kind::Keys,       "k  k  k  k  k  k  +    k  k  k  k", "k  c  c  c  c  c  c    c  c  c  k"),
    (Kind::Renew,      "s  s  s  s  s  s  k    s  s  k  k", "k  k  k  k  k  k  k    k  k  k  k"),
    (Kind::Policy,     "+  a  a  a  a  a  k    a  a  a  a", "k  k  k  k  k  k  k    k  k  k  k"),
    (Kind::Admit,      "+  a  a  a  a  a  k    a  a  a  a", "k  k  k  k  k  k  k    k  k  k  k"),
    (Kind::Invite,     "+  a  a  a  a  a  k    a  a  a  a", "k  k  k  k  k  k  k    k  k  k  k"),
    (Kind::Revoke,     "+  +  +  a  a  a  k    +  +  k  k", "+  a  a  a  a  a  k    a  a  k  k"),
    (Kind::Duty,       "+  +  +  a  a  a  k    +  +  k  k", "k  k  k  k  k  k  k    k  k  k  k"),
    (Kind::Site,       "a  +  a  a  a  a  k    n  p  k  k", "a  u  a  a  a  a  k    n  p  k  k"),
    (Kind::Movement,   "a  +  a  a  a  a  k    n  p  k  k", "a  u  a  a  a  a  k    n  p  k  k"),
    (Kind::Withdraw,   "a  +  a  a  a  a  k    n  +  k  k", "a  u  a  a  a  a  k    n  u  k  k"),
    (Kind::Close,      "a  +  a  a  a  a  k    n  +  k  k", "a  u  a  a  a  a  k    n  u  k  k"),
    (Kind::Screen,     "+  a  a  a  a  a  k    a  a  a  a", ".  a  a  a  a  a  k    a  a  a  a"),
    (Kind::Cosign,     "a  +  a  a  a  a  k    n  p  k  k", "a  u  a  a  a  a  k    n  p  k  k"),
    (Kind::Ack,        "a  a  +  a  a  a  k    a  a  a  a", "a  a  i  a  a  a  k    a  a  a  a"),
    (Kind::Relay,      "+  a  a  a  a  a  k    a  a  a  a", "i  a  a  a  a  a  k    a  a  a  a"),
    (Kind::Progress,   "a  +  a  a  a  a  k    n  +  k  k", "a  u  a  a  a  a  k    n  u  k  k"),
    (Kind::Warn,       "a  a  +  a  a  a  k    a  a  a  a", "a  a  i  a  a  a  k    a  a  a  a"),
    (Kind::Reply,      "a  +  a  a  a  a  k    n  +  k  k", "a  u  a  a  a  a  k    n  u  k  k"),
    (Kind::Confirm,    "a  +  a  a  a  a  k    n  +  k  k", "a  u  a  a  a  a  k    n  u  k  k"),
    (Kind::Distress,   "a  +  a  a  a  a  k    n  +  k  k", "a  u  a  a  a  a  k    n  u  k  k"),
    (Kind::Respond,    "+  a  +  a  a  a  k    a  a  a  a", "+  a  x  a  a  a  k    a  a  a  a"),
    (Kind::Resolve,    "a  +  a  a  a  a  k    n  +  k  k", "a  x  a  a  a  a  k    n  x  k  k"),
    (Kind::Handover,   "+  +  +  a  a  a  k    n  +  k  k", "k  k  k  k  k  k  k    k  k  k  k"),
    (Kind::Check,      "s  s  s  s  s  s  k    s  s  s  s", "s  s  s  s  s  s  k    s  s  s  s"),
    (Kind::Receipt,    "s  s  s  s  s  s  k    s  s  s  s", "s  s  s  s  s  s  k    s  s  s  s"),
    (Kind::Answer,     "s  s  s  s  s  s  k    s  s  s  s", "s  s  s  s  s  s  k    s  s  s  s"),
    (Kind::Notice,     "a  a  a  a  a  a  k    a  a  a  a", "k  k  k  k  k  k  k    k  k  k  k"),
    (Kind::Alert,      "a  a  a  a  a  a  k    a  a  a  a", "k  k  k  k  k  k  k    k  k  k  k"),
];

fn outcome(letter: &str) -> Option<P> {
    match letter {
        "+" => None,
        "a" => Some(P::NotAllowed),
        "n" => Some(P::NotAdmitted),
        "p" => Some(P::Suspended),
        "k" => Some(P::UnknownKey),
        "s" => Some(P::StatementKind),
        "c" => Some(P::CertificateKeyMismatch),
        "u" => Some(P::UnknownNotification),
        "i" => Some(P::UnknownItem),
        "x" => Some(P::UnknownCall),
        other => panic!("{other} is no outcome"),
    }
}

/// One who signs: with which key, as whom, brought by which device.
pub struct Signer<'a> {
    key: &'a SigningKey,
    iss: Issuer,
    /// Whose certificate is shown. A revoked device's statements are brought by the coordinator.
    pub bearer: &'a Unit,
    unit: &'a Unit,
}

/// One for each column.
pub fn signers(world: &World) -> Vec<Signer<'_>> {
    let unit = |unit: &'static str| match unit {
        "coordinator" => world.coordinator.first(),
        "organisation" | "root" => world.msf.first(),
        "desk" => world.east.first(),
        "planner" => &world.east.devices[1],
        "auditor" => world.auditor.first(),
        "operator" => world.operator.first(),
        "not admitted" => world.stranger.first(),
        "suspended" => world.suspended.first(),
        "pending" => &world.pending,
        "revoked" => &world.revoked,
        other => panic!("{other} is nobody"),
    };
    let signer = |column: &&'static str| {
        let unit = unit(column);
        Signer {
            key: match *column {
                "root" => &world.msf.root,
                _ => &unit.signing,
            },
            iss: match *column {
                "root" => Issuer::root(unit.actor.clone()),
                _ => unit.issuer(),
            },
            bearer: match *column {
                "revoked" => world.coordinator.first(),
                _ => unit,
            },
            unit,
        }
    };
    COLUMNS.iter().map(signer).collect()
}

/// Notifications to speak of: one of `msf` and one of the suspended organisation, told to `east`; one of `relief`, told
/// to `west`.
pub struct Objects {
    own: Object,
    suspended: Object,
    other: Object,
    /// Movements of the same three.
    moving: [Notified; 3],
    /// Calls for help of the same three, to the same parties.
    calls: [Notified; 3],
}

/// A notification, and what the party that was told of it asked about it.
struct Object {
    notified: Notified,
    party: ActorId,
    query: Digest,
}

impl Object {
    /// The party asks something about what it was told.
    async fn asked(world: &World, notified: Notified, org: &Member, party: &Member) -> Self {
        let items = vec![ack_item(&notified, AckState::Queried)];
        let detail = json!({"officer": {"name": "Off Icer"},
            "items": [{"nid": notified.nid, "question": "Which one?"}]});
        let part = Part::new(name::DETAIL, &detail).unwrap();
        let desk = party.first();
        let claims = AckClaims::new(world.common(desk), org.id.clone(), items, None);
        let part = part.sealed_to(&world.reader);
        let query = world.said(desk, claims, &[part]).await.hash;
        Self {
            notified,
            party: party.id.clone(),
            query,
        }
    }
}

impl Objects {
    pub async fn fresh(world: &World) -> Self {
        let told = |party| Site::at(44.2, 15.4).to(party, Tier::Exact);
        world.admit(&world.suspended, Admission::Admitted).await;
        let suspended = world
            .notify(world.suspended.first(), &told(&world.east))
            .await;
        let moves = |party| Site::convoy([44.2, 15.4], [44.3, 15.5]).to(party, Tier::Exact);
        let first = world.suspended.first();
        let moving = [
            world.notify(world.msf.first(), &moves(&world.east)).await,
            world.notify(first, &moves(&world.east)).await,
            world
                .notify(world.relief.first(), &moves(&world.west))
                .await,
        ];
        world.admit(&world.suspended, Admission::Suspended).await;
        let call = |party| Cry::here().to(party, Tier::Exact);
        let (east, west) = (call(&world.east), call(&world.west));
        let own = world.notify(world.msf.first(), &told(&world.east)).await;
        let other = world.notify(world.relief.first(), &told(&world.west)).await;
        Self {
            moving,
            calls: [
                world.distress(world.msf.first(), &east).await,
                world.distress(world.suspended.first(), &east).await,
                world.distress(world.relief.first(), &west).await,
            ],
            own: Object::asked(world, own, &world.msf, &world.east).await,
            suspended: Object::asked(world, suspended, &world.suspended, &world.east).await,
            other: Object::asked(world, other, &world.relief, &world.west).await,
        }
    }
}

/// Changes to whom a statement is addressed.
type Readdress = fn(&mut Common);

/// Whose object a statement is about.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Whose {
    Own,
    Others,
}

/// A statement of a kind as `signer` would make it. Where a kind has no object but its signer, "another's" means to sign
/// in another's name.
pub async fn make(
    world: &World,
    kind: Kind,
    signer: &Signer<'_>,
    whose: Whose,
    objects: &Objects,
    readdress: impl Fn(&mut Common),
) -> Vec<u8> {
    let others = whose == Whose::Others;
    let mut common = world.common_of(signer.iss.clone());
    readdress(&mut common);
    let about_itself = matches!(
        kind,
        Kind::Keys
            | Kind::Renew
            | Kind::Policy
            | Kind::Admit
            | Kind::Invite
            | Kind::Duty
            | Kind::Notice
            | Kind::Alert
            | Kind::Handover
    );
    if others && about_itself {
        common.iss = match kind {
            Kind::Keys => Issuer::root(world.relief.id.clone()),
            _ => world.relief.first().issuer(),
        };
    }
    let (object, index) = match whose {
        Whose::Others => (&objects.other, 2),
        Whose::Own if signer.unit.actor == world.suspended.id => (&objects.suspended, 1),
        Whose::Own => (&objects.own, 0),
    };
    let about = match kind {
        Kind::Progress => &objects.moving[index],
        Kind::Respond | Kind::Resolve => &objects.calls[index],
        _ => &object.notified,
    };
    let (claims, parts) = match kind {
        Kind::Reply => reply(world, common, object),
        _ => claims(world, kind, signer, common, about, others).await,
    };
    let built = build(claims, &parts, signer.key).unwrap();
    built.envelope.encode()
}

/// A reply to what was asked about an object.
fn reply(world: &World, common: Common, to: &Object) -> (Claims, Vec<Part>) {
    let Notified { nid, rev, .. } = &to.notified;
    let said = json!({"answer": "explained", "text": "The eastern one."});
    let part = Part::new(name::DETAIL, &said).unwrap();
    let claims = ReplyClaims::new(common, to.party.clone(), *nid, *rev, to.query, None);
    (claims.into(), vec![part.sealed_to(&world.reader)])
}

#[allow(
    clippy::too_many_lines,
    reason = "one arm a kind, and each is a line or two"
)]
async fn claims(
    world: &World,
    kind: Kind,
    signer: &Signer<'_>,
    common: Common,
    object: &Notified,
    others: bool,
) -> (Claims, Vec<Part>) {
    let of = Digest::of(b"something");
    let own = &signer.unit.actor;
    let fresh = Fresh::new();
    let exp = common.iat + 86_400;
    let next = |object: &Notified| (object.nid, object.rev.next(), object.hash);
    let claims: Claims = match kind {
        Kind::Keys => {
            let msf = &world.msf;
            let devices = msf.devices.iter().map(Unit::key).collect();
            let root = *signer.key.verifying_key();
            let desk = msf.reader().clone();
            let mut claims = KeysClaims::new(common, msf.serial + 1, msf.keys, root, devices, desk);
            // A device that signs as a root: the issuer has the form, the key is not the root's.
            claims.iss.device = None;
            claims.into()
        }
        Kind::Renew => {
            let (jwk, seal) = (
                *fresh.signing.verifying_key(),
                fresh.seal.public_key().clone(),
            );
            RenewClaims::new(common, jwk, seal, exp).into()
        }
        Kind::Policy => {
            let version = policy_version(world).await + 1;
            PolicyClaims::new(common, version, two_signatures()).into()
        }
        Kind::Admit => {
            let root = world.relief.root.verifying_key().kid();
            let (relief, kind) = (world.relief.id.clone(), ActorKind::Organisation);
            AdmitClaims::new(
                common,
                relief,
                kind,
                "Relief".to_owned(),
                root,
                Admission::Admitted,
                None,
            )
            .into()
        }
        Kind::Invite => {
            let code = Digest::of(fresh.id.as_str().as_bytes());
            let person = InvitedPerson {
                name: "Per Son".to_owned(),
            };
            let part = Part::new(name::PERSON, &person).unwrap();
            let actor: ActorId = "newcomer".parse().unwrap();
            let (kind, role) = (ActorKind::Organisation, Role::Organisation);
            let claims = InviteClaims::new(common, code, actor, kind, "New".to_owned(), role, exp);
            return (claims.into(), vec![part.sealed_to(&world.reader)]);
        }
        Kind::Revoke => {
            // A device that waits for its root, so that nothing else changes when it is taken back.
            let of = if others { &world.relief.id } else { own };
            let device = if others && *own != world.coordinator.id {
                world.relief.first().id.clone()
            } else {
                spare_device(world, of).await
            };
            RevokeClaims::new(common, of.clone(), device, RevocationReason::Left).into()
        }
        Kind::Duty => DutyClaims::new(common, "+967 1 234 567".to_owned(), Vec::new()).into(),
        Kind::Site | Kind::Movement => {
            let mut site = match kind {
                Kind::Movement => Site::convoy([44.2, 15.4], [44.3, 15.5]),
                _ => Site::at(44.2, 15.4),
            };
            if others {
                site = site.after(object);
            }
            let site = site.to(&world.east, Tier::Exact);
            let parts = site.parts(world);
            let mut made = site.claims(world, signer.unit);
            readdress_claims(&mut made, &common);
            return (made, parts);
        }
        Kind::Withdraw => {
            let (nid, rev, prev) = next(object);
            WithdrawClaims::new(common, nid, rev, prev, None).into()
        }
        Kind::Close => {
            let (nid, rev, prev) = next(object);
            CloseClaims::new(common, nid, rev, prev, Outcome::Completed, None).into()
        }
        Kind::Screen => {
            let Notified { nid, rev, hash, .. } = object;
            let checked = vec![Checked::Form];
            ScreenClaims::new(common, *nid, *rev, *hash, ScreenResult::Screened, checked).into()
        }
        Kind::Cosign => {
            // Ada notified it; her colleague Bo signs, or whoever else tries.
            let Notified { nid, rev, hash, .. } = object;
            CosignClaims::new(common, *nid, *rev, *hash).into()
        }
        Kind::Ack => {
            let to = if others {
                &world.relief.id
            } else {
                &world.msf.id
            };
            let item = ack_item(object, AckState::Received);
            let detail = json!({"officer": {"name": "Off Icer"}});
            let part = Part::new(name::DETAIL, &detail).unwrap();
            let claims = AckClaims::new(common, to.clone(), vec![item], None);
            return (claims.into(), vec![part.sealed_to(&world.reader)]);
        }
        Kind::Handover => {
            let members = [&world.msf, &world.east, &world.suspended];
            let desk = members.iter().find(|member| member.id == *own);
            let desk = desk.map_or(world.coordinator.reader(), |member| member.reader());
            let part = Part::new(name::NOTE, &json!({"text": "Call them again."})).unwrap();
            return (
                HandoverClaims::new(common).into(),
                vec![part.sealed_to(desk)],
            );
        }
        Kind::Check => CheckClaims::new(common).into(),
        Kind::Receipt => {
            let at = "2026-11-01T00:00:00Z".to_owned();
            ReceiptClaims::new(common, of, LogPosition(1), at).into()
        }
        Kind::Answer => AnswerClaims::new(common, of).into(),
        Kind::Notice => {
            let code = NoticeCode::EnteredElsewhere;
            NoticeClaims::new(common, of, Nid::random(), Revision::FIRST, code).into()
        }
        Kind::Alert => AlertClaims::new(common).into(),
        Kind::Confirm => {
            let Notified { nid, rev, hash, .. } = object;
            ConfirmClaims::new(common, *nid, *rev, *hash, None).into()
        }
        Kind::Progress => {
            let Notified { nid, rev, hash, .. } = object;
            let said = json!({"step": "departed", "at": "2026-11-01T00:00:00Z"});
            let part = Part::new(name::PROGRESS, &said).unwrap();
            let claims = ProgressClaims::new(common, *nid, *rev, *hash, None);
            return (claims.into(), vec![part.sealed_to(&world.reader)]);
        }
        Kind::Distress => {
            let cry = Cry::about(object).to(&world.east, Tier::Exact);
            let mut claims = cry.claims(world, signer.unit);
            (claims.iss, claims.aud) = (common.iss, common.aud);
            (claims.ctx, claims.mode) = (common.ctx, common.mode);
            return (claims.into(), cry.parts(world));
        }
        Kind::Respond => {
            let to = if others {
                &world.relief.id
            } else {
                &world.msf.id
            };
            let (mut claims, parts) = distress::response(world, signer.unit, to, object);
            (claims.iss, claims.aud) = (common.iss, common.aud);
            (claims.ctx, claims.mode) = (common.ctx, common.mode);
            return (claims.into(), parts.into());
        }
        Kind::Resolve => {
            let (mut claims, parts) = distress::resolution(world, signer.unit, object);
            (claims.iss, claims.aud) = (common.iss, common.aud);
            (claims.ctx, claims.mode) = (common.ctx, common.mode);
            return (claims.into(), parts.into());
        }
        Kind::Relay => {
            // Told to east, of msf; of another's it names the wrong organisation.
            let to = if others {
                &world.relief.id
            } else {
                &world.msf.id
            };
            let told = Site::at(44.2, 15.4).to(&world.east, Tier::Exact);
            let notified = world.notify(world.msf.first(), &told).await;
            let detail = relay::detail(&[(&notified, Tier::Exact)]);
            let part = Part::new(name::DETAIL, &detail).unwrap();
            let items = vec![relay::about(&notified)];
            let claims = RelayClaims::new(common, to.clone(), world.east.id.clone(), items);
            return (claims.into(), vec![part.sealed_to(&world.reader)]);
        }
        Kind::Warn => {
            let to = if others {
                &world.relief.id
            } else {
                &world.msf.id
            };
            let Notified { nid, rev, hash, .. } = object;
            let warning = Warning {
                officer: Person {
                    name: "Off Icer".to_owned(),
                    post: None,
                    phone: None,
                },
                alleges: "that it is used otherwise".to_owned(),
                cease_by: None,
                says: WARNING_SENTENCE.to_owned(),
            };
            let part = Part::new(name::DETAIL, &warning).unwrap();
            let claims = WarnClaims::new(common, to.clone(), *nid, *rev, *hash);
            return (claims.into(), vec![part.sealed_to(&world.reader)]);
        }
        Kind::Reply => unreachable!("it has a function of its own"),
    };
    (claims, Vec::new())
}

/// Sites are made by the cast's own helper, which addresses them rightly; the walk's address goes over it.
fn readdress_claims(claims: &mut Claims, to: &Common) {
    match claims {
        Claims::Site(c) => {
            (c.iss, c.aud, c.ctx, c.mode) =
                (to.iss.clone(), to.aud.clone(), to.ctx.clone(), to.mode);
        }
        Claims::Movement(c) => {
            (c.iss, c.aud, c.ctx, c.mode) =
                (to.iss.clone(), to.aud.clone(), to.ctx.clone(), to.mode);
        }
        _ => panic!("only these are made by the cast"),
    }
}

/// The version of the policy in force.
async fn policy_version(world: &World) -> u32 {
    let answer = world
        .call(
            &world.nobody,
            reqwest::Method::GET,
            &format!("/v1/policy?ctx={}", world.ctx),
            None,
        )
        .await;
    let current: herald::wire::api::CurrentPolicy = answer.json();
    let Some(statement) = current.statement else {
        return 0;
    };
    match herald::wire::read::read(&statement).unwrap().1 {
        Claims::Policy(claims) => claims.version,
        other => panic!("a policy, not {}", other.kind()),
    }
}

/// A device of an actor that waits for its root.
async fn spare_device(world: &World, of: &ActorId) -> DeviceId {
    let (kind, role) = match of.as_str() {
        "ocha" => (ActorKind::Coordinator, Role::Coordinator),
        "east" => (ActorKind::Party, Role::PartyPlanner),
        "auditor" => (ActorKind::Auditor, Role::Auditor),
        "operator" => (ActorKind::Operator, Role::Operator),
        _ => (ActorKind::Organisation, Role::Organisation),
    };
    let code = world.invite(of.as_str(), kind, role, "Spa Re").await;
    world.enrol_pending(&code).await.id
}

fn two_signatures() -> Policy {
    Policy {
        second_signature: true,
        ..Policy::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_is_taken_from_exactly_those_who_may_say_it() {
    let mut world = World::start().await;
    let by = world.coordinator.first();
    let claims = PolicyClaims::new(world.common(by), 1, two_signatures());
    world.said(by, claims, &[]).await;
    let tabled: BTreeSet<Kind> = TABLE.iter().map(|(kind, _, _)| *kind).collect();
    assert_eq!(
        tabled,
        Kind::ALL.iter().copied().collect(),
        "each kind stands in the table"
    );

    let mut objects = Objects::fresh(&world).await;
    for (kind, own, others) in TABLE {
        for (whose, row) in [(Whose::Own, own), (Whose::Others, others)] {
            let letters: Vec<&str> = row.split_whitespace().collect();
            assert_eq!(letters.len(), COLUMNS.len(), "{kind}");
            for (index, (column, letter)) in COLUMNS.iter().zip(letters).enumerate() {
                if letter == "." {
                    continue;
                }
                let wanted = outcome(letter);
                let mut signer = signers(&world).swap_remove(index);
                if *kind == Kind::Cosign && *column == "organisation" {
                    signer.unit = &world.msf.devices[1];
                    signer.key = &signer.unit.signing;
                    signer.iss = signer.unit.issuer();
                }
                let envelope = make(&world, *kind, &signer, whose, &objects, |_| ()).await;
                let answer = world.submit(signer.bearer, envelope).await;
                assert_eq!(
                    answer.refused(),
                    wanted,
                    "{kind} of {column}, {whose:?}: {answer:?}"
                );
                let spent = matches!(
                    kind,
                    Kind::Withdraw | Kind::Close | Kind::Cosign | Kind::Resolve
                );
                if spent && wanted.is_none() {
                    objects = Objects::fresh(&world).await;
                }
                if *kind == Kind::Keys && wanted.is_none() {
                    let taken: herald::wire::api::Submitted = answer.json();
                    world.msf.serial += 1;
                    world.msf.keys = Some(taken.hash);
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_addressed_elsewhere_is_taken_from_anyone() {
    let world = World::start().await;
    let objects = Objects::fresh(&world).await;
    for kind in Kind::ALL {
        for (column, signer) in COLUMNS.iter().zip(signers(&world)) {
            let elsewhere: [(P, Readdress); 3] = [
                (P::WrongContext, |c| c.ctx = "sdn".parse().unwrap()),
                (P::WrongMode, |c| c.mode = Mode::Live),
                (P::WrongDeployment, |c| c.aud = format!("{}x", c.aud)),
            ];
            for (wanted, readdress) in elsewhere {
                let envelope = make(&world, *kind, &signer, Whose::Own, &objects, readdress).await;
                let answer = world.submit(signer.bearer, envelope).await;
                // What is meant for elsewhere is said to be, whether its key is known here or not. Of what the server alone
                // signs, the kind is refused first where the key is known.
                let wanted = match (*kind, *column) {
                    (Kind::Keys, _) | (_, "root") => wanted,
                    (Kind::Check | Kind::Receipt | Kind::Answer, _) => P::StatementKind,
                    _ => wanted,
                };
                assert_eq!(
                    answer.refused(),
                    Some(wanted),
                    "{kind} of {column}: {answer:?}"
                );
            }
        }
    }
}
