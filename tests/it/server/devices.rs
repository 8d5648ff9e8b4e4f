//! Who speaks with the server: actors with their roots and desks, and their devices, before and after they have enrolled.

use herald::crypto::digest::Digest;
use herald::crypto::keys::SigningKey;
use herald::crypto::seal_key::{SealKey, SealPublicKey};
use herald::crypto::x509::{Certificate, TlsKey};
use herald::crypto::{b64url, random};
use herald::domain::actor::{ActorKind, Role};
use herald::domain::clock::Clock;
use herald::domain::ids::{ActorId, DeviceId, Issuer};
use herald::tls::{self, Credentials};
use herald::wire::api::{EnrolRequest, EnrolResponse};
use herald::wire::claims::DeviceKey;
use herald::wire::invite::InviteCode;
use reqwest::Client;
use time::OffsetDateTime;

/// A device: its keys, its certificate, and a client that shows it.
pub struct Unit {
    /// Whose it is.
    pub actor: ActorId,
    /// Its name.
    pub id: DeviceId,
    /// What it may do.
    pub role: Role,
    /// Its signing key.
    pub signing: SigningKey,
    /// Its own HPKE key.
    pub seal: SealKey,
    /// Its TLS key.
    pub tls: TlsKey,
    /// Its certificate.
    pub certificate: Certificate,
    /// Shows the certificate.
    pub http: Client,
}

impl Unit {
    /// Who signs.
    pub fn issuer(&self) -> Issuer {
        Issuer::device(self.actor.clone(), self.id.clone())
    }

    /// As a root names it.
    pub fn key(&self) -> DeviceKey {
        let now = now().unix_timestamp();
        DeviceKey {
            id: self.id.clone(),
            jwk: *self.signing.verifying_key(),
            seal: self.seal.public_key().clone(),
            role: self.role,
            nbf: now - 300,
            exp: now + 365 * 86_400,
        }
    }
}

/// An actor: its root, its desk's key, and its devices.
pub struct Member {
    /// Its short name.
    pub id: ActorId,
    /// What it is.
    pub kind: ActorKind,
    /// Its root.
    pub root: SigningKey,
    /// Its desk's HPKE key.
    pub desk: SealKey,
    /// The serial of its latest `keys`.
    pub serial: u32,
    /// The hash of its latest `keys`.
    pub keys: Option<Digest>,
    /// Its devices that its root names, the first one first.
    pub devices: Vec<Unit>,
}

impl Member {
    /// The first device.
    pub fn first(&self) -> &Unit {
        &self.devices[0]
    }

    /// Its reader's key.
    pub fn reader(&self) -> &SealPublicKey {
        self.desk.public_key()
    }
}

pub fn now() -> OffsetDateTime {
    Clock::System.now()
}

/// A client that trusts the deployment's CA, and shows a certificate if there is one.
pub fn client(ca: &Certificate, own: Option<(&Certificate, &TlsKey)>) -> Client {
    let credentials = own
        .map(|(certificate, key)| Credentials::from_der(&[certificate.der()], &key.to_pkcs8_der()));
    let config = tls::client_config(&tls::certificate(ca.der()), credentials).unwrap();
    Client::builder()
        .tls_backend_preconfigured(config)
        // Sooner than the server, which closes a connection that is idle for 20 s, perhaps under a request.
        .pool_idle_timeout(std::time::Duration::from_secs(8))
        .no_proxy()
        .build()
        .unwrap()
}

/// A device before it has enrolled.
pub struct Fresh {
    pub id: DeviceId,
    pub signing: SigningKey,
    pub seal: SealKey,
    pub tls: TlsKey,
}

impl Fresh {
    pub fn new() -> Self {
        Self {
            id: DeviceId::from_random(random::random_bytes()),
            signing: SigningKey::generate(),
            seal: SealKey::generate(),
            tls: TlsKey::generate().unwrap(),
        }
    }

    /// As a root names it.
    pub fn key(&self, role: Role) -> DeviceKey {
        let now = now().unix_timestamp();
        DeviceKey {
            id: self.id.clone(),
            jwk: *self.signing.verifying_key(),
            seal: self.seal.public_key().clone(),
            role,
            nbf: now - 300,
            exp: now + 365 * 86_400,
        }
    }

    /// Its request, with or without its root's word.
    pub fn request(&self, code: &InviteCode, keys: Option<String>) -> EnrolRequest {
        EnrolRequest {
            invite: code.secret_b64url(),
            csr: b64url(&self.tls.make_csr().unwrap()),
            device: self.id.clone(),
            jwk: *self.signing.verifying_key(),
            seal: self.seal.public_key().clone(),
            keys,
            seals: Vec::new(),
        }
    }

    /// The device, now that it has its certificate.
    pub fn enrolled(self, ca: &Certificate, answer: &EnrolResponse) -> Unit {
        let certificate = Certificate::from_pem(&answer.certificate).unwrap();
        let http = client(ca, Some((&certificate, &self.tls)));
        Unit {
            actor: answer.me.actor.clone(),
            id: answer.me.device.clone(),
            role: answer.me.role,
            signing: self.signing,
            seal: self.seal,
            tls: self.tls,
            certificate,
            http,
        }
    }
}
