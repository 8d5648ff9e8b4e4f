//! Parties with devices, enrolled over the API, each from an address of its own on loopback, as offices have them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use herald::cli::api::Api;
use herald::cli::profile::{Profile, file};
use herald::crypto::b64url;
use herald::crypto::digest::{Digest, Kid};
use herald::crypto::keys::SigningKey;
use herald::crypto::random::random_bytes;
use herald::crypto::seal_key::SealKey;
use herald::crypto::x509::{Certificate, TlsKey};
use herald::domain::actor::{ActorKind, Role};
use herald::domain::clock::Clock;
use herald::domain::ids::{ActorId, DeviceId, Issuer};
use herald::tls::{self, Credentials};
use herald::wire::api::{EnrolRequest, EnrolResponse};
use herald::wire::build::{Part, build};
use herald::wire::claims::{Admission, AdmitClaims, DeviceKey, InviteClaims, KeysClaims};
use herald::wire::envelope::{ENVELOPE_TYPE, Envelope};
use herald::wire::invite::InviteCode;
use herald::wire::parts::{InvitedPerson, name};
use herald::wire::trust::Trust;

use super::Outcome;
use super::world::World;

/// A device that may open sockets.
#[derive(Clone)]
pub struct Device {
    /// From where it connects.
    pub from: Ipv4Addr,
    /// Shows its certificate.
    pub tls: Arc<rustls::ClientConfig>,
    /// As what it signs.
    pub issuer: Issuer,
    /// With what it signs.
    pub signing: Arc<SigningKey>,
    /// The key to which its desk's events are sealed.
    pub desk: Kid,
}

impl Device {
    /// Speaks with the server over its own certificate and from its own address.
    pub fn client(&self) -> Outcome<reqwest::Client> {
        Ok(reqwest::Client::builder()
            .tls_backend_preconfigured((*self.tls).clone())
            .no_proxy()
            .local_address(IpAddr::V4(self.from))
            .build()?)
    }
}

/// Devices that enrol from one address.
const DEVICES_AN_ADDRESS: usize = 20;

/// All of them.
pub struct Desks {
    /// The parties.
    pub parties: Vec<ActorId>,
    /// Their devices.
    pub devices: Vec<Device>,
    /// `https://host:port`.
    pub server: String,
}

impl Desks {
    /// The parties as `--party NAME:exact` has them.
    pub fn exact(&self) -> Vec<String> {
        let tier = |party: &ActorId| format!("{party}:exact");
        self.parties.iter().map(tier).collect()
    }
}

/// The coordinator, who invites and admits.
struct Inviting {
    profile: Profile,
    api: Api,
    trust: Trust,
    ca: Certificate,
}

/// Enrols and admits so many parties with so many devices each.
pub async fn enrol(world: &World, count: usize, devices: usize) -> Outcome<Desks> {
    let profile = Profile::open(&world.path("ocha"))?;
    let api = Api::of_profile(&profile).map_err(|error| error.to_string())?;
    let by = Inviting {
        trust: Trust::establish(&api.keys(&profile.me().ctx).await?, &profile.pins())?,
        ca: Certificate::from_pem(&std::fs::read_to_string(profile.path(file::CA))?)?,
        api,
        profile,
    };
    let mut desks = Desks {
        parties: Vec::new(),
        devices: Vec::new(),
        server: by.profile.me().server.clone(),
    };
    for number in 0..count {
        let host = u8::try_from(number % 250)? + 1;
        let party: ActorId = format!("p{number}").parse()?;
        desks.devices.extend(by.party(&party, host, devices).await?);
        desks.parties.push(party);
    }
    Ok(desks)
}

impl Inviting {
    /// The first device with the party's root, the others as devices that wait until the root names them all at once.
    async fn party(&self, party: &ActorId, host: u8, count: usize) -> Outcome<Vec<Device>> {
        let (root, desk) = (SigningKey::generate(), SealKey::generate());
        let mut of = Founding {
            by: self,
            party,
            root: &root,
            desk: &desk,
            named: Vec::new(),
            before: None,
        };
        let mut devices = Vec::new();
        for serial in 1..=count {
            // An address may enrol 30 devices at once.
            let net = u8::try_from(1 + serial / DEVICES_AN_ADDRESS)?;
            devices.push(of.device(Ipv4Addr::new(127, 0, net, host)).await?);
        }
        if let (Some(first), true) = (devices.first(), count > 1) {
            let envelope = of.sign_keys(2)?;
            let url = format!("{}/v1/statements", self.profile.me().server);
            let request = first.client()?.post(url);
            let request = request.header("content-type", ENVELOPE_TYPE);
            let answer = request.body(envelope.encode()).send().await?;
            answer.error_for_status()?;
        }
        let claims = AdmitClaims::new(
            self.profile.common(&Clock::System),
            party.clone(),
            ActorKind::Party,
            format!("Party {party}"),
            root.verifying_key().kid(),
            Admission::Admitted,
            None,
        );
        let built = build(claims, &[], &self.profile.signing_key()?)?;
        self.api.submit(&built.envelope.encode()).await?;
        Ok(devices)
    }

    async fn invite(&self, party: &ActorId) -> Outcome<InviteCode> {
        let me = self.profile.me();
        let code = InviteCode::fresh(
            me.ca,
            me.deployment_root,
            Some(me.coordinator_root),
            party.clone(),
            Role::PartyDesk,
            me.ctx.clone(),
        );
        let common = self.profile.common(&Clock::System);
        let exp = common.iat + 3_600;
        let claims = InviteClaims::new(
            common,
            code.hash(),
            party.clone(),
            ActorKind::Party,
            format!("Party {party}"),
            Role::PartyDesk,
            exp,
        );
        let person = InvitedPerson {
            name: "A person".to_owned(),
        };
        let part = Part::new(name::PERSON, &person)?.sealed_to(self.trust.server_seal());
        let built = build(claims, &[part], &self.profile.signing_key()?)?;
        self.api.submit(&built.envelope.encode()).await?;
        Ok(code)
    }

    /// Enrols from the party's own address: enrolments are counted by it.
    async fn ask(&self, request: &EnrolRequest, from: Ipv4Addr) -> Outcome<EnrolResponse> {
        let config = tls::client_config(&tls::certificate(self.ca.der()), None)?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .no_proxy()
            .local_address(IpAddr::V4(from))
            .build()?;
        let url = format!("{}/v1/enrol", self.profile.me().server);
        let answer = client.post(url).json(request).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }
}

/// A party whose devices enrol.
struct Founding<'a> {
    by: &'a Inviting,
    party: &'a ActorId,
    root: &'a SigningKey,
    desk: &'a SealKey,
    /// The devices so far.
    named: Vec<DeviceKey>,
    /// The hash of the `keys` statement before.
    before: Option<Digest>,
}

impl Founding<'_> {
    async fn device(&mut self, from: Ipv4Addr) -> Outcome<Device> {
        let code = self.by.invite(self.party).await?;
        let (signing, seal) = (SigningKey::generate(), SealKey::generate());
        let key = TlsKey::generate()?;
        let iat = self.by.profile.common(&Clock::System).iat;
        let id = DeviceId::from_random(random_bytes());
        self.named.push(DeviceKey {
            id: id.clone(),
            jwk: *signing.verifying_key(),
            seal: seal.public_key().clone(),
            role: Role::PartyDesk,
            nbf: iat - 300,
            exp: iat + 86_400,
        });
        let keys = match self.before {
            None => Some(self.sign_keys(1)?.statement),
            Some(_) => None,
        };
        let request = EnrolRequest {
            invite: code.secret_b64url(),
            csr: b64url(&key.make_csr()?),
            device: id.clone(),
            jwk: *signing.verifying_key(),
            seal: seal.public_key().clone(),
            keys,
            seals: Vec::new(),
        };
        let answer = self.by.ask(&request, from).await?;
        let own = Certificate::from_pem(&answer.certificate)?;
        let own = Credentials::from_der(&[own.der()], &key.to_pkcs8_der());
        let ca = tls::certificate(self.by.ca.der());
        Ok(Device {
            from,
            tls: Arc::new(tls::client_config(&ca, Some(own))?),
            issuer: Issuer::device(self.party.clone(), id),
            signing: Arc::new(signing),
            desk: self.desk.public_key().kid(),
        })
    }

    /// The root names all devices so far.
    fn sign_keys(&mut self, serial: u32) -> Outcome<Envelope> {
        let mut common = self.by.profile.common(&Clock::System);
        common.iss = Issuer::root(self.party.clone());
        let claims = KeysClaims::new(
            common,
            serial,
            self.before,
            *self.root.verifying_key(),
            self.named.clone(),
            self.desk.public_key().clone(),
        );
        let keys = build(claims, &[], self.root)?;
        self.before = Some(keys.hash);
        Ok(keys.envelope)
    }
}
