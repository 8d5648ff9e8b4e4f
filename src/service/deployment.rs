//! A deployment on disk: made once by `herald init`, read at each start. Its root is for offline keeping; under it stand
//! the node's signing key, the HPKE key, the device CA and the keyring, each a file that nobody else may read.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::core::Deployment;
use crate::crypto::digest::{Digest, Kid};
use crate::crypto::keyring::{Keyring, KeyringError};
use crate::crypto::keys::{KeyError, SigningKey};
use crate::crypto::passphrase::{self, PassphraseError};
use crate::crypto::random::random_bytes;
use crate::crypto::seal_key::{SealKey, SealKeyError};
use crate::crypto::secret_file::{self, SecretFileError};
use crate::crypto::statement;
use crate::crypto::x509::{Authority, Certificate, TlsKey, Validity, X509Error};
use crate::domain::actor::{Mode, Role};
use crate::domain::clock::micros;
use crate::domain::ids::{ActorId, ContextId, DeviceId, IdError, Issuer};
use crate::domain::kind::Kind;
use crate::wire::claims::{Claims, DeviceKey, KeysClaims};
use crate::wire::invite::InviteCode;
use crate::wire::trust::{SERVER, audience};

/// The form of a deployment's directory that this version writes and reads.
const FORMAT: u32 = 1;
/// How long the node's keys and the CA are good, days.
const KEYS_DAYS: i64 = 3_650;
/// How long the server's certificate is good, days; it is renewed at a start within the last third.
const TLS_DAYS: i64 = 365;
/// Days left of the server's certificate below which a start renews it.
const TLS_RENEW_DAYS: i64 = 120;
/// How long the coordinator's first invite is good.
const INVITE: Duration = Duration::days(7);

const ABOUT: &str = "deployment.json";
const ROOT: &str = "offline/root.sealed.json";
const NODE: &str = "keys/node.jwk";
const HPKE: &str = "keys/hpke.json";
const KEYS: &str = "keys/keys.jws";
const CA_CERT: &str = "keys/ca.pem";
const CA_KEY: &str = "keys/ca.key";
const TLS_CERT: &str = "keys/tls.pem";
const TLS_KEY: &str = "keys/tls.key";
const KEYS_DIR: &str = "keys";
const KEYRING: &str = "keyring";

/// Why a deployment could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    /// A file could not be written or read, or others may read it.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// The directory cannot be made.
    #[error("{dir} cannot be made: {source}")]
    Directory {
        /// Which.
        dir: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is a deployment already.
    #[error("{0} holds a deployment already; choose another directory")]
    Exists(PathBuf),
    /// There is none.
    #[error("{0} holds no deployment; make one with `herald init --dir {0}`")]
    Missing(PathBuf),
    /// A file does not hold what it must.
    #[error("{file} cannot be used: {why}; restore it from a backup")]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// Written by a newer version.
    #[error(
        "the deployment was written by a newer version (format {0}); start it with that version"
    )]
    Newer(u32),
    /// A name is not acceptable.
    #[error(transparent)]
    Name(#[from] IdError),
    /// The passphrase.
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    /// The keyring.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// A certificate could not be made.
    #[error("a certificate could not be made: {0}")]
    Certificate(#[from] X509Error),
    /// A statement could not be made.
    #[error("the deployment's keys could not be signed")]
    Sign,
}

/// What a new deployment is told.
pub struct NewDeployment {
    /// Its public name.
    pub name: String,
    /// The context.
    pub ctx: ContextId,
    /// Real, or a drill.
    pub mode: Mode,
    /// The country, ISO 3166-1 alpha-3.
    pub country: Option<String>,
    /// DNS names and addresses by which clients reach it.
    pub hosts: Vec<String>,
    /// Where the server listens unless it is told otherwise at its start.
    pub listen: SocketAddr,
    /// The coordinator's short name.
    pub coordinator: ActorId,
    /// The coordinator's public name.
    pub coordinator_name: String,
    /// The person whom the first invite is for.
    pub person: String,
}

/// What stands in `deployment.json`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    format: u32,
    /// Its public name.
    pub name: String,
    /// The context.
    pub ctx: ContextId,
    /// Real, or a drill.
    pub mode: Mode,
    /// The country, ISO 3166-1 alpha-3.
    pub country: Option<String>,
    /// DNS names and addresses by which clients reach it.
    pub hosts: Vec<String>,
    /// Where the server listens unless it is told otherwise at its start; absent in deployments of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// Thumbprint of the root.
    pub root: Kid,
    node: DeviceId,
    /// The coordinator's first invite.
    pub first: FirstInvite,
}

/// The coordinator's first invite, which the first start puts into the database.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirstInvite {
    /// Hash of the secret.
    pub code: Digest,
    /// The coordinator's short name.
    pub actor: ActorId,
    /// Its public name.
    pub name: String,
    /// Whom it is for.
    pub person: String,
    /// Until when, microseconds since the Unix epoch.
    pub until_us: i64,
}

/// A deployment, read.
pub struct Loaded {
    /// Its names and keys.
    pub deployment: Deployment,
    /// What stands in `deployment.json`.
    pub about: About,
    /// The keyring.
    pub keyring: Keyring,
    /// The server's certificate.
    pub tls: Certificate,
    /// Its key.
    pub tls_key: TlsKey,
}

/// Makes a deployment in an empty directory; gives the coordinator's invite.
///
/// # Errors
/// [`DeploymentError`]; a directory that holds one is left as it is.
pub fn create(
    dir: &Path,
    new: &NewDeployment,
    secret: &str,
    now: OffsetDateTime,
) -> Result<InviteCode, DeploymentError> {
    if dir.join(ABOUT).exists() || dir.join(NODE).exists() {
        return Err(DeploymentError::Exists(dir.to_owned()));
    }
    open_dir(dir)?;
    secret_file::check_dir(dir)?;
    for sub in [dir.join("offline"), dir.join("keys")] {
        secret_file::create_dir(&sub)?;
    }
    let root = SigningKey::generate();
    let sealed = passphrase::seal(
        "the root of a Herald deployment; keep it offline",
        root.to_jwk().as_bytes(),
        secret,
    )?;
    secret_file::create(&dir.join(ROOT), sealed.as_bytes())?;

    let (signing, hpke) = (SigningKey::generate(), SealKey::generate());
    secret_file::create(&dir.join(NODE), signing.to_jwk().as_bytes())?;
    secret_file::create(&dir.join(HPKE), hpke.to_json().as_bytes())?;
    let node = DeviceId::from_random(random_bytes());
    let keys = sign_keys(&root, &node, &signing, &hpke, new, now)?;
    secret_file::create(&dir.join(KEYS), keys.as_bytes())?;

    let backdated = now - Duration::minutes(5);
    let authority = Authority::create("Herald device CA", Validity::days(backdated, KEYS_DAYS)?)?;
    secret_file::create(
        &dir.join(CA_CERT),
        authority.certificate().to_pem().as_bytes(),
    )?;
    secret_file::create(&dir.join(CA_KEY), authority.key().to_pem().as_bytes())?;
    write_tls(dir, &authority, &new.hosts, now)?;
    Keyring::create(&dir.join(KEYRING))?.provision(now.date())?;

    let code = InviteCode::fresh(
        authority.certificate().fingerprint(),
        root.kid(),
        None,
        new.coordinator.clone(),
        Role::Coordinator,
    );
    let about = About {
        format: FORMAT,
        name: new.name.clone(),
        ctx: new.ctx.clone(),
        mode: new.mode,
        country: new.country.clone(),
        hosts: new.hosts.clone(),
        listen: Some(new.listen),
        root: root.kid(),
        node,
        first: FirstInvite {
            code: Digest::of(&code.secret),
            actor: new.coordinator.clone(),
            name: new.coordinator_name.clone(),
            person: new.person.clone(),
            until_us: micros(now + INVITE),
        },
    };
    // Last: a directory without it is no deployment.
    let text = serde_json::to_vec_pretty(&about).map_err(|_| DeploymentError::Sign)?;
    secret_file::create(&dir.join(ABOUT), &text)?;
    Ok(code)
}

/// The deployment's own directory: others may pass through it (a private PostgreSQL that is started by root runs as
/// another user, below it) and see nothing in it; every file is for its owner alone.
fn open_dir(dir: &Path) -> Result<(), DeploymentError> {
    use std::os::unix::fs::DirBuilderExt as _;
    if dir.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(dir)
        .map_err(|source| DeploymentError::Directory {
            dir: dir.to_owned(),
            source,
        })
}

fn sign_keys(
    root: &SigningKey,
    node: &DeviceId,
    signing: &SigningKey,
    hpke: &SealKey,
    new: &NewDeployment,
    now: OffsetDateTime,
) -> Result<String, DeploymentError> {
    let claims = KeysClaims {
        iss: Issuer::root(ActorId::new(SERVER)?),
        aud: audience(root.kid()),
        ctx: new.ctx.clone(),
        mode: new.mode,
        jti: Uuid::new_v4(),
        iat: now.unix_timestamp(),
        serial: 1,
        prev: None,
        root: *root.verifying_key(),
        devices: vec![DeviceKey {
            id: node.clone(),
            jwk: *signing.verifying_key(),
            seal: hpke.public_key().clone(),
            role: Role::Node,
            nbf: (now - Duration::minutes(5)).unix_timestamp(),
            exp: (now + Duration::days(KEYS_DAYS)).unix_timestamp(),
        }],
        desk: hpke.public_key().clone(),
        sd: Vec::new(),
    };
    let payload = Claims::Keys(Box::new(claims))
        .to_json()
        .map_err(|_| DeploymentError::Sign)?;
    statement::sign(Kind::Keys.as_str(), &payload, root).map_err(|_| DeploymentError::Sign)
}

fn write_tls(
    dir: &Path,
    authority: &Authority,
    hosts: &[String],
    now: OffsetDateTime,
) -> Result<(Certificate, TlsKey), DeploymentError> {
    let key = TlsKey::generate()?;
    let certificate = authority.issue_server(
        hosts,
        &key,
        Validity::days(now - Duration::minutes(5), TLS_DAYS)?,
    )?;
    // The key first: with an old certificate it is noticed and both are made again.
    secret_file::replace(&dir.join(TLS_KEY), key.to_pem().as_bytes())?;
    secret_file::replace(&dir.join(TLS_CERT), certificate.to_pem().as_bytes())?;
    Ok((certificate, key))
}

/// Reads a deployment, renews the server's certificate when it is due, and makes the coming months' keys.
///
/// # Errors
/// [`DeploymentError`], naming the file and what to do.
pub fn load(dir: &Path, now: OffsetDateTime) -> Result<Loaded, DeploymentError> {
    let about = about(dir)?;
    for part in [dir.to_owned(), dir.join(KEYS_DIR), dir.join(KEYRING)] {
        secret_file::check_dir(&part)?;
    }
    let text = |file: &str| -> Result<String, DeploymentError> {
        let path = dir.join(file);
        let bytes = secret_file::read(&path)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| damaged(&path, &"it is not text"))
    };
    let (ca_cert, ca_key) = (text(CA_CERT)?, text(CA_KEY)?);
    let authority = Authority::from_pem(&ca_cert, &ca_key)
        .map_err(|error| damaged(&dir.join(CA_CERT), &error))?;
    let (tls, tls_key) = read_tls(dir, &authority, &about, now)?;
    let signing = SigningKey::from_jwk(text(NODE)?.as_bytes())
        .map_err(|error: KeyError| damaged(&dir.join(NODE), &error))?;
    let hpke = SealKey::from_json(text(HPKE)?.as_bytes())
        .map_err(|error: SealKeyError| damaged(&dir.join(HPKE), &error))?;
    let keyring = Keyring::open(&dir.join(KEYRING))?;
    keyring.provision(now.date())?;
    let deployment = Deployment {
        aud: audience(about.root),
        ctx: about.ctx.clone(),
        mode: about.mode,
        node: Issuer::device(ActorId::new(SERVER)?, about.node.clone()),
        signing,
        hpke,
        keys: text(KEYS)?.trim_end().to_owned(),
        authority,
    };
    Ok(Loaded {
        deployment,
        about,
        keyring,
        tls,
        tls_key,
    })
}

/// What stands in `deployment.json`.
///
/// # Errors
/// [`DeploymentError`].
pub fn about(dir: &Path) -> Result<About, DeploymentError> {
    let file = dir.join(ABOUT);
    if !file.exists() {
        return Err(DeploymentError::Missing(dir.to_owned()));
    }
    let about: About = serde_json::from_slice(&secret_file::read(&file)?)
        .map_err(|error| damaged(&file, &error))?;
    if about.format > FORMAT {
        return Err(DeploymentError::Newer(about.format));
    }
    Ok(about)
}

fn read_tls(
    dir: &Path,
    authority: &Authority,
    about: &About,
    now: OffsetDateTime,
) -> Result<(Certificate, TlsKey), DeploymentError> {
    let read = || -> Result<(Certificate, TlsKey), DeploymentError> {
        let cert = secret_file::read(&dir.join(TLS_CERT))?;
        let key = secret_file::read(&dir.join(TLS_KEY))?;
        let certificate = Certificate::from_pem(&String::from_utf8_lossy(&cert))?;
        let key = TlsKey::from_pem(&String::from_utf8_lossy(&key))?;
        Ok((certificate, key))
    };
    match read() {
        Ok((certificate, key))
            if certificate.spki_digest() == key.spki_digest()
                && certificate.not_after() > now + Duration::days(TLS_RENEW_DAYS) =>
        {
            Ok((certificate, key))
        }
        // A file that others may read, or that cannot be read, is said; only what is due or does not fit is made again.
        Err(error @ DeploymentError::File(_)) => Err(error),
        Ok(_) | Err(_) => write_tls(dir, authority, &about.hosts, now),
    }
}

fn damaged(file: &Path, why: &dyn std::fmt::Display) -> DeploymentError {
    DeploymentError::Damaged {
        file: file.to_owned(),
        why: why.to_string(),
    }
}
