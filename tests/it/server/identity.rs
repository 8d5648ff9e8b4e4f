//! Who may speak: invites, roots, devices named and dropped, renewal, revocation, admission; and what a certificate holds.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use herald::crypto::b64url;
use herald::crypto::keys::SigningKey;
use herald::domain::actor::{ActorKind, ActorState, DeviceState, Role};
use herald::domain::ids::Issuer;
use herald::domain::notification::Tier;
use herald::tls::{self, Credentials};
use herald::wire::api::{
    Devices, EnrolRequest, EnrolResponse, KeyDirectory, Submitted, SubmittedResult,
};
use herald::wire::build::build;
use herald::wire::claims::{Admission, DutyClaims, KeysClaims, RevocationReason, RevokeClaims};
use herald::wire::invite::InviteCode;
use herald::wire::problem::ProblemKind as P;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, SanType};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{ClientRequestBuilder, Message};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::calls::Answer;
use super::devices::Fresh;
use super::world::World;
use super::{Site, Unit};
use crate::platform::PATIENCE;

const ORG: (ActorKind, Role) = (ActorKind::Organisation, Role::Organisation);

impl World {
    async fn enrol(&self, request: &EnrolRequest) -> Answer {
        self.post_json(&self.nobody, "/v1/enrol", request).await
    }

    pub(super) async fn call_for(&self, actor: &str, person: &str) -> InviteCode {
        self.invite(actor, ORG.0, ORG.1, person).await
    }

    /// A small thing to say, to see whether somebody still counts.
    async fn speaks(&self, unit: &Unit) -> Option<P> {
        let claims = DutyClaims::new(self.common(unit), "+967 1 222 333".to_owned(), Vec::new());
        self.say(unit, claims, &[]).await.refused()
    }

    async fn state_of(&self, by: &Unit, unit: &Unit) -> DeviceState {
        let devices: Devices = self.get(by, "/v1/devices").await.json();
        let found = devices.devices.iter().find(|d| d.device == unit.id);
        found.unwrap().state
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invite_counts_once_for_one_device_and_not_for_ever() {
    let world = World::start().await;
    let code = world.call_for("msf", "Cy Three").await;
    let fresh = Fresh::new();
    let request = fresh.request(&code, None);
    let first: EnrolResponse = world.enrol(&request).await.json();
    // The answer was lost: the same device asks again, and gets a certificate for the same key.
    let again: EnrolResponse = world.enrol(&request).await.json();
    assert_eq!(first.me.device, again.me.device);
    let unit = fresh.enrolled(&world.ca, &again);
    assert_eq!(world.me(&unit).await.device_state, DeviceState::Pending);
    // Another device with the same code; and somebody who knows the device's public keys, with a TLS key of their own.
    let other = Fresh::new();
    let answer = world.enrol(&other.request(&code, None)).await;
    assert_eq!(answer.refused(), Some(P::InviteUsed));
    let mut thief = request.clone();
    thief.csr = b64url(&other.tls.make_csr().unwrap());
    assert_eq!(world.enrol(&thief).await.refused(), Some(P::InviteUsed));
    assert_eq!(world.me(&unit).await.device, unit.id);

    let mut unknown = code.clone();
    unknown.secret = [7; 32];
    let answer = world.enrol(&other.request(&unknown, None)).await;
    assert_eq!(answer.refused(), Some(P::InviteUnknown));

    // Expired, by the database's clock.
    let code = InviteCode::fresh(
        world.code.ca,
        world.code.deployment_root,
        None,
        "msf".parse().unwrap(),
        Role::Organisation,
        world.ctx.clone(),
    );
    let by = world.coordinator.first();
    let (claims, parts) = world.invite_of(&code, ORG.0, "La Te", 1);
    world.said(by, claims, &parts).await;
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let answer = world.enrol(&other.request(&code, None)).await;
    assert_eq!(answer.refused(), Some(P::InviteExpired));
    let (again, parts) = world.invite_of(&code, ORG.0, "La Te", 86_400);
    let answer = world.say(by, again, &parts).await;
    assert_eq!(
        answer.refused(),
        Some(P::InvalidMember),
        "a code is used once"
    );
    let code = world.call_for("msf", "Lo Ng").await;
    let (long, parts) = world.invite_of(&code, ORG.0, "Lo Ng", 8 * 86_400);
    let answer = world.say(by, long, &parts).await;
    assert_eq!(
        answer.refused(),
        Some(P::InvalidMember),
        "seven days at most"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_device_brings_its_root_and_a_stolen_invite_shows_in_the_fingerprint() {
    let world = World::start().await;
    let code = world.call_for("newcomer", "New Comer").await;
    // Without its root's word the first device waits; it cannot speak.
    let waiting = world.enrol_pending(&code).await;
    assert_eq!(world.speaks(&waiting).await, Some(P::UnknownKey));
    // A root that names other devices than the one that enrols.
    let code = world.call_for("other", "Oth Er").await;
    let (fresh, stranger) = (Fresh::new(), Fresh::new());
    let mut member = super::Member {
        id: "other".parse().unwrap(),
        kind: ORG.0,
        root: SigningKey::generate(),
        desk: herald::crypto::seal_key::SealKey::generate(),
        serial: 0,
        keys: None,
        devices: Vec::new(),
    };
    let keys = world.keys_of(&member, Some(stranger.key(ORG.1)));
    let request = fresh.request(&code, Some(keys.envelope.statement));
    assert_eq!(
        world.enrol(&request).await.refused(),
        Some(P::EnrolmentInvalid)
    );
    // Nothing of that was kept: the invite is still good.
    Box::pin(world.enrol_with(&mut member, &code, ORG.1)).await;
    let unit = member.first();
    assert_eq!(world.me(unit).await.actor_state, ActorState::Enrolled);
    // Enrolled and not admitted: no site, but a duty number.
    let site = Site::at(44.2, 15.4).to(&world.east, Tier::Exact);
    let answer = world
        .submit(unit, site.build(&world, unit).envelope.encode())
        .await;
    assert_eq!(answer.refused(), Some(P::NotAdmitted));
    assert_eq!(world.speaks(unit).await, None);

    let by = world.coordinator.first();
    let mut wrong = world.admission(&member, Admission::Admitted);
    wrong.root = SigningKey::generate().verifying_key().kid();
    assert_eq!(
        world.say(by, wrong, &[]).await.refused(),
        Some(P::DigestMismatch)
    );
    let mut kind = world.admission(&member, Admission::Admitted);
    kind.kind = ActorKind::Party;
    assert_eq!(
        world.say(by, kind, &[]).await.refused(),
        Some(P::InvalidMember)
    );
    let mut nobody = world.admission(&member, Admission::Admitted);
    nobody.actor = "nobody".parse().unwrap();
    assert_eq!(
        world.say(by, nobody, &[]).await.refused(),
        Some(P::NotFound)
    );
    let itself = world.admission(&world.coordinator, Admission::Suspended);
    assert_eq!(
        world.say(by, itself, &[]).await.refused(),
        Some(P::NotAllowed)
    );
    world.admit(&member, Admission::Admitted).await;
    world.notify(unit, &site).await;
    world.admit(&member, Admission::Suspended).await;
    let answer = world
        .submit(unit, site.build(&world, unit).envelope.encode())
        .await;
    assert_eq!(answer.refused(), Some(P::Suspended));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_names_its_devices_and_whom_it_drops_is_out_at_once() {
    let world = World::start().await;
    let (ada, bo, pending) = (&world.msf.devices[0], &world.msf.devices[1], &world.pending);
    let mut devices: Vec<_> = world.msf.devices.iter().map(Unit::key).collect();
    devices.push(pending.key());

    assert_eq!(world.state_of(ada, pending).await, DeviceState::Pending);
    assert_eq!(world.speaks(pending).await, Some(P::UnknownKey));
    // Another's root; a serial too far; a prev that is not the last one; a device nobody enrolled; one taken back.
    let sign = |root: &SigningKey, serial, prev, devices| {
        let claims = KeysClaims::new(
            world.common_of(Issuer::root(world.msf.id.clone())),
            serial,
            prev,
            *root.verifying_key(),
            devices,
            world.msf.reader().clone(),
        );
        build(claims, &[], root).unwrap()
    };
    let (root, serial, prev) = (&world.msf.root, world.msf.serial, world.msf.keys);
    let invented = Fresh::new().key(Role::Organisation);
    let many = |count| {
        (0..count)
            .map(|_| Fresh::new().key(Role::Organisation))
            .collect()
    };
    let mut promoted = devices.clone();
    promoted[0].role = Role::Coordinator;
    for (keys, wanted) in [
        (
            sign(&world.relief.root, serial + 1, prev, devices.clone()),
            P::UnknownKey,
        ),
        (
            sign(root, serial + 2, prev, devices.clone()),
            P::PrevMismatch,
        ),
        (sign(root, serial, prev, devices.clone()), P::PrevMismatch),
        (
            sign(root, serial + 1, None, devices.clone()),
            P::PrevMismatch,
        ),
        (
            sign(root, serial + 1, prev, vec![invented]),
            P::EnrolmentInvalid,
        ),
        (sign(root, serial + 1, prev, promoted), P::EnrolmentInvalid),
        (
            sign(root, serial + 1, prev, vec![world.revoked.key()]),
            P::StateForbids,
        ),
        (sign(root, serial + 1, prev, Vec::new()), P::InvalidMember),
        // Two hundred devices are judged like one.
        (sign(root, serial + 1, prev, many(200)), P::EnrolmentInvalid),
    ] {
        let answer = world.submit(ada, keys.envelope.encode()).await;
        assert_eq!(answer.refused(), Some(wanted), "{answer:?}");
    }
    // Signed: the device that waited may speak.
    let keys = sign(root, serial + 1, prev, devices.clone());
    let taken = world.submit(pending, keys.envelope.encode()).await;
    assert_eq!(taken.status.as_u16(), 201, "{taken:?}");
    assert_eq!(world.state_of(ada, pending).await, DeviceState::Active);
    assert_eq!(world.speaks(pending).await, None);

    // Dropped: out at the next request, and its socket closes.
    let mut socket = open_stream(&world, bo).await;
    let left: Vec<_> = devices.into_iter().filter(|d| d.id != bo.id).collect();
    let stay: Vec<_> = left.iter().map(|device| device.id.clone()).collect();
    let keys = sign(root, serial + 2, Some(keys.hash), left);
    let taken = world.submit(ada, keys.envelope.encode()).await;
    assert_eq!(taken.status.as_u16(), 201, "{taken:?}");
    let refused = world.get(bo, "/v1/me").await;
    assert_eq!(refused.refused(), Some(P::CertificateRevoked));
    ends(&mut socket).await;

    // The directory keeps of the earlier words of the root those alone that somebody's key is proved by.
    let directory = world.get(ada, "/v1/keys?ctx=yem").await;
    let directory: KeyDirectory = directory.json();
    let listed = directory.actors.iter().find(|a| a.actor == world.msf.id);
    let listed = listed.unwrap();
    let names = |jws: &String| -> Vec<_> {
        let statement = herald::crypto::statement::parse(jws.as_bytes()).unwrap();
        let claims: KeysClaims = serde_json::from_slice(statement.payload()).unwrap();
        claims.devices.into_iter().map(|device| device.id).collect()
    };
    assert_eq!(names(&listed.keys), stay, "those who may speak");
    let former: Vec<_> = listed.former.iter().map(names).collect();
    let [with_revoked, with_bo] = former.as_slice() else {
        panic!("each device that is gone is in one earlier word: {former:?}");
    };
    assert!(with_revoked.contains(&world.revoked.id));
    assert!(with_bo.contains(&bo.id) && with_bo.contains(&pending.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_device_goes_on_and_a_revoked_one_stops_at_once() {
    let world = World::start().await;
    let [ada, bo, _] = &world.msf.devices[..] else {
        panic!("three devices");
    };
    // A renewal belongs to the device that shows its certificate, and comes with a certificate request.
    let fresh = Fresh::new();
    let renewal = world.renewal(ada, &fresh);
    let bare = herald::wire::envelope::Envelope::bare(renewal.statement.clone());
    let answer = world.submit(ada, bare.encode()).await;
    assert_eq!(answer.refused(), Some(P::StatementKind));
    let foreign = world
        .post_json(&world.relief.first().http, "/v1/renew", &renewal)
        .await;
    assert_eq!(foreign.refused(), Some(P::CertificateKeyMismatch));
    let colleague = world.post_json(&bo.http, "/v1/renew", &renewal).await;
    assert_eq!(
        colleague.refused(),
        Some(P::CertificateKeyMismatch),
        "a colleague's certificate must not end up on this device"
    );
    let of_coordinator = world
        .post_json(&world.coordinator.first().http, "/v1/renew", &renewal)
        .await;
    assert_eq!(of_coordinator.refused(), Some(P::CertificateKeyMismatch));
    // To a key that is in use already.
    let mut taken_key = Fresh::new();
    taken_key.signing = SigningKey::from_seed(bo.signing.seed());
    let answer = world
        .post_json(&ada.http, "/v1/renew", &world.renewal(ada, &taken_key))
        .await;
    assert_eq!(answer.refused(), Some(P::EnrolmentInvalid));

    let response: EnrolResponse = world
        .post_json(&ada.http, "/v1/renew", &renewal)
        .await
        .json();
    let renewed = fresh.enrolled(&world.ca, &response);
    assert_eq!(world.me(&renewed).await.device, ada.id);
    assert_eq!(world.speaks(&renewed).await, None);
    // The old key signs nothing new, whoever brings it; the old certificate opens nothing.
    let claims = DutyClaims::new(world.common(ada), "+967 1 222 333".to_owned(), Vec::new());
    let old = build(claims, &[], &ada.signing).unwrap().envelope.encode();
    assert_eq!(
        world.submit(&renewed, old).await.refused(),
        Some(P::UnknownKey)
    );
    let refused = world.get(ada, "/v1/me").await;
    assert_eq!(refused.refused(), Some(P::CertificateUnknown));

    let site = Site::at(44.2, 15.4).to(&world.east, Tier::Exact);
    let said = world.notify(bo, &site).await;
    let mut socket = open_stream(&world, bo).await;
    let claims = RevokeClaims::new(
        world.common(&renewed),
        bo.actor.clone(),
        bo.id.clone(),
        RevocationReason::Lost,
    );
    world.said(&renewed, claims.clone(), &[]).await;
    let refused = world.get(bo, "/v1/me").await;
    assert_eq!(refused.refused(), Some(P::CertificateRevoked));
    ends(&mut socket).await;
    // What it said before stands, and says so; what it signs now counts for nothing, whoever brings it.
    let again: Submitted = world.submit(&renewed, said.envelope.clone()).await.json();
    assert_eq!(again.result, SubmittedResult::Known);
    let late = site.after(&said).build(&world, bo).envelope.encode();
    assert_eq!(
        world.submit(&renewed, late).await.refused(),
        Some(P::UnknownKey)
    );
    let twice = RevokeClaims {
        jti: uuid::Uuid::new_v4(),
        ..claims
    };
    let answer = world.say(&renewed, twice, &[]).await;
    assert_eq!(answer.refused(), Some(P::StateForbids));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_holds_what_the_server_knows_and_nothing_that_was_asked_for() {
    let world = World::start().await;
    let code = world.call_for("msf", "San Sam").await;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "the coordinator");
    params
        .distinguished_name
        .push(DnType::OrganizationName, "ocha");
    params.subject_alt_names = vec![
        SanType::DnsName("localhost".try_into().unwrap()),
        SanType::IpAddress([127, 0, 0, 1].into()),
    ];
    let csr = params.serialize_request(&key).unwrap();
    let fresh = Fresh::new();
    let mut request = fresh.request(&code, None);
    request.csr = b64url(csr.der());
    let answer: EnrolResponse = world.enrol(&request).await.json();
    let (_, pem) = x509_parser::pem::parse_x509_pem(answer.certificate.as_bytes()).unwrap();
    let (_, certificate) = X509Certificate::from_der(&pem.contents).unwrap();
    let subject = certificate.subject().to_string();
    assert!(
        subject.contains(fresh.id.as_str()) && subject.contains("msf"),
        "{subject}"
    );
    assert!(!subject.contains("ocha") && !subject.contains("coordinator"));
    assert!(certificate.subject_alternative_name().unwrap().is_none());
    let usage = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth && !usage.any);
    assert!(!certificate.is_ca());

    // Not a request at all, and one whose own signature does not fit.
    let code = world.call_for("msf", "No Body").await;
    for csr in [b"not a request".to_vec(), broken(csr.der())] {
        let mut request = Fresh::new().request(&code, None);
        request.csr = b64url(&csr);
        assert_eq!(
            world.enrol(&request).await.refused(),
            Some(P::EnrolmentInvalid)
        );
    }
}

type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// Opens the stream of a device and reads up to the end of the backlog.
async fn open_stream(world: &World, unit: &Unit) -> Socket {
    let credentials = Credentials::from_der(&[unit.certificate.der()], &unit.tls.to_pkcs8_der());
    let config = tls::client_config(&tls::certificate(world.ca.der()), Some(credentials)).unwrap();
    let address = world.server.as_ref().unwrap().address;
    let tcp = TcpStream::connect(address).await.unwrap();
    let name = ServerName::from(address.ip());
    let tls = TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
        .unwrap();
    let uri = format!("wss://{address}/v1/stream?after=0")
        .parse()
        .unwrap();
    let request = ClientRequestBuilder::new(uri).with_sub_protocol("hn.v1");
    let (mut socket, _) = tokio_tungstenite::client_async(request, tls).await.unwrap();
    loop {
        let message = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap();
        if matches!(message.unwrap().unwrap(), Message::Text(text) if text.contains("head")) {
            return socket;
        }
    }
}

/// The server ends the socket, in time.
async fn ends(socket: &mut Socket) {
    loop {
        let message = tokio::time::timeout(PATIENCE, socket.next()).await;
        match message.expect("the socket of a device that was taken back ends") {
            Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            Some(Ok(_)) => {}
        }
    }
}

/// The last byte of the signature is another.
fn broken(der: &[u8]) -> Vec<u8> {
    let mut der = der.to_vec();
    *der.last_mut().unwrap() ^= 1;
    der
}
