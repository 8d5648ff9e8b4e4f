//! A deployment on disk: made once by `herald init`, read at each start. Its root is for offline keeping; under it stand
//! the node's signing key, the device CA and the keyring, and for each context an HPKE key and a `keys` statement of its
//! own; each a file that nobody else may read.

mod about;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

pub use self::about::{About, AboutContext, FirstInvite};
use super::core::{ContextKeys, Deployment};
use crate::crypto::digest::Digest;
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
use crate::wire::trust::{self, SERVER, audience};

/// Contexts that one deployment serves at most.
pub const MAX_CONTEXTS: usize = 64;
/// How long the node's keys and the CA are good, days.
const KEYS_DAYS: i64 = 3_650;
/// How long the server's certificate is good, days; it is renewed at a start within the last third.
const TLS_DAYS: i64 = 365;
/// Days left of the server's certificate below which a start renews it.
const TLS_RENEW_DAYS: i64 = 120;
/// How long the coordinator's first invite is good.
const INVITE: Duration = Duration::days(7);

/// The root, below a deployment's directory, until it is moved offline.
pub const ROOT: &str = "offline/root.sealed.json";
const NODE: &str = "keys/node.jwk";
/// In a context's own directory.
const HPKE: &str = "hpke.json";
/// In a context's own directory.
const KEYS: &str = "keys.jws";
/// Below it, a directory for each context.
const CONTEXTS_DIR: &str = "keys/contexts";
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
    /// The context is there already.
    #[error("the deployment has a context {0} already; choose another name")]
    ContextExists(ContextId),
    /// One context more than it may have.
    #[error("the deployment has {MAX_CONTEXTS} contexts, which is all that one may have")]
    TooManyContexts,
    /// The file that was given opens, but is another deployment's root.
    #[error(
        "{0} is not the root of this deployment; give the file that `herald init` wrote in DIR/offline"
    )]
    OtherRoot(PathBuf),
    /// Another process changes the deployment.
    #[error(
        "{0} cannot be locked: {1}; another command changes the deployment, wait until it is done"
    )]
    Busy(PathBuf, std::io::Error),
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
    /// DNS names and addresses by which clients reach it.
    pub hosts: Vec<String>,
    /// Where the server listens unless it is told otherwise at its start.
    pub listen: SocketAddr,
    /// Its first context.
    pub context: NewContext,
}

/// What a new context is told.
pub struct NewContext {
    /// Its short name.
    pub ctx: ContextId,
    /// Real, or a drill. It stays so.
    pub mode: Mode,
    /// Its public name.
    pub name: String,
    /// The country, ISO 3166-1 alpha-3.
    pub country: Option<String>,
    /// The coordinator's short name.
    pub coordinator: ActorId,
    /// The coordinator's public name.
    pub coordinator_name: String,
    /// The person whom the first invite is for.
    pub person: String,
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
    if dir.join(about::ABOUT).exists() || dir.join(NODE).exists() {
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

    let signing = SigningKey::generate();
    secret_file::create(&dir.join(NODE), signing.to_jwk().as_bytes())?;
    let node = DeviceId::from_random(random_bytes());

    let backdated = now - Duration::minutes(5);
    let authority = Authority::create("Herald device CA", Validity::days(backdated, KEYS_DAYS)?)?;
    secret_file::create(
        &dir.join(CA_CERT),
        authority.certificate().to_pem().as_bytes(),
    )?;
    secret_file::create(&dir.join(CA_KEY), authority.key().to_pem().as_bytes())?;
    write_tls(dir, &authority, &new.hosts, now)?;
    Keyring::create(&dir.join(KEYRING))?.provision(now.date())?;

    let (name, hosts) = (new.name.clone(), new.hosts.clone());
    let mut about = About::new(name, hosts, new.listen, root.kid(), node);
    let (context, code) = make_context(dir, &about, &root, &new.context, now)?;
    about.contexts.push(context);
    // Last: a directory without it is no deployment.
    about.write(dir)?;
    Ok(code)
}

/// Adds a context to a deployment, under the same root; gives its coordinator's invite. A server that runs serves it from
/// its next start on. `root` is the file with the deployment's root, and `secret` its passphrase.
///
/// # Errors
/// [`DeploymentError`]; the deployment is as it was then.
pub fn add_context(
    dir: &Path,
    root: &Path,
    new: &NewContext,
    secret: &str,
    now: OffsetDateTime,
) -> Result<InviteCode, DeploymentError> {
    let busy = |error: std::io::Error| DeploymentError::Busy(dir.to_owned(), error);
    if !dir.is_dir() {
        return Err(DeploymentError::Missing(dir.to_owned()));
    }
    let lock = File::open(dir).map_err(busy)?;
    lock.try_lock().map_err(|error| busy(error.into()))?;
    let mut about = About::read(dir)?;
    for part in [dir.to_owned(), dir.join(KEYS_DIR)] {
        secret_file::check_dir(&part)?;
    }
    if about.context(&new.ctx).is_some() {
        return Err(DeploymentError::ContextExists(new.ctx.clone()));
    }
    if about.contexts.len() >= MAX_CONTEXTS {
        return Err(DeploymentError::TooManyContexts);
    }
    let opened = passphrase::open(&secret_file::read(root)?, secret)?;
    let key = SigningKey::from_jwk(&opened.secret)
        .ok()
        .filter(|key| key.kid() == about.root)
        .ok_or_else(|| DeploymentError::OtherRoot(root.to_owned()))?;
    let (context, code) = make_context(dir, &about, &key, new, now)?;
    about.contexts.push(context);
    // Last: keys that it does not name are nobody's, and the next try writes over them.
    about.write(dir)?;
    Ok(code)
}

/// Writes a context's keys, and says what is to stand in `deployment.json`.
fn make_context(
    dir: &Path,
    about: &About,
    root: &SigningKey,
    new: &NewContext,
    now: OffsetDateTime,
) -> Result<(AboutContext, InviteCode), DeploymentError> {
    let (authority, signing) = (read_authority(dir)?, read_node(dir)?);
    let below = Path::new(CONTEXTS_DIR).join(new.ctx.as_str());
    let keys_dir = dir.join(&below);
    secret_file::create_dir(&keys_dir)?;
    secret_file::check_dir(&keys_dir)?;
    let hpke = SealKey::generate();
    secret_file::replace(&keys_dir.join(HPKE), hpke.to_json().as_bytes())?;
    let keys = sign_keys(root, &about.node, &signing, &hpke, new, now)?;
    secret_file::replace(&keys_dir.join(KEYS), keys.as_bytes())?;
    let code = InviteCode::fresh(
        authority.certificate().fingerprint(),
        root.kid(),
        None,
        new.coordinator.clone(),
        Role::Coordinator,
        new.ctx.clone(),
    );
    let context = AboutContext {
        ctx: new.ctx.clone(),
        mode: new.mode,
        name: new.name.clone(),
        country: new.country.clone(),
        keys: below,
        first: FirstInvite {
            code: Digest::of(&code.secret),
            actor: new.coordinator.clone(),
            name: new.coordinator_name.clone(),
            person: new.person.clone(),
            until_us: micros(now + INVITE),
        },
    };
    Ok((context, code))
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
    new: &NewContext,
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
    let authority = read_authority(dir)?;
    let (tls, tls_key) = read_tls(dir, &authority, &about, now)?;
    let keyring = Keyring::open(&dir.join(KEYRING))?;
    keyring.provision(now.date())?;
    let mut contexts = BTreeMap::new();
    for context in &about.contexts {
        contexts.insert(context.ctx.clone(), read_context(dir, context)?);
    }
    let deployment = Deployment {
        aud: audience(about.root),
        contexts,
        node: Issuer::device(ActorId::new(SERVER)?, about.node.clone()),
        signing: read_node(dir)?,
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
    About::read(dir)
}

fn read_text(path: &Path) -> Result<String, DeploymentError> {
    let bytes = secret_file::read(path)?;
    String::from_utf8(bytes.to_vec()).map_err(|_| damaged(path, &"it is not text"))
}

fn read_authority(dir: &Path) -> Result<Authority, DeploymentError> {
    let file = dir.join(CA_CERT);
    let (certificate, key) = (read_text(&file)?, read_text(&dir.join(CA_KEY))?);
    Authority::from_pem(&certificate, &key).map_err(|error| damaged(&file, &error))
}

fn read_node(dir: &Path) -> Result<SigningKey, DeploymentError> {
    let file = dir.join(NODE);
    SigningKey::from_jwk(read_text(&file)?.as_bytes())
        .map_err(|error: KeyError| damaged(&file, &error))
}

fn read_context(dir: &Path, context: &AboutContext) -> Result<ContextKeys, DeploymentError> {
    let keys_dir = dir.join(&context.keys);
    secret_file::check_dir(&keys_dir)?;
    let file = keys_dir.join(HPKE);
    let hpke = SealKey::from_json(read_text(&file)?.as_bytes())
        .map_err(|error: SealKeyError| damaged(&file, &error))?;
    let file = keys_dir.join(KEYS);
    let keys = read_text(&file)?.trim_end().to_owned();
    // Files that were restored in each other's place would let one context be taken for another.
    let own = trust::self_signed(&keys, &ActorId::new(SERVER)?)
        .map_err(|error| damaged(&file, &error))?;
    if own.ctx != context.ctx || own.mode != context.mode || own.desk != *hpke.public_key() {
        return Err(damaged(&file, &"it is another context's"));
    }
    Ok(ContextKeys {
        id: context.ctx.clone(),
        mode: context.mode,
        hpke,
        keys,
    })
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
