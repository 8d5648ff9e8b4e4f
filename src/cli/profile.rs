//! A profile: the directory in which one device keeps who it is, its keys, the pins it holds the server against, and
//! what it sent and received. The directory is 0700 and every file 0600; a key that others can read is refused.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::files::{self, Pipes};
use crate::crypto::digest::{Digest, Kid};
use crate::crypto::keys::SigningKey;
use crate::crypto::seal_key::SealKey;
use crate::crypto::secret_file::{self, SecretFileError};
use crate::crypto::x509::{Certificate, TlsKey};
use crate::domain::actor::{ActorKind, Mode, Role};
use crate::domain::clock::Clock;
use crate::domain::ids::{ActorId, ContextId, DeviceId, Issuer};
use crate::tls::{self, Credentials};
use crate::wire::api::KeyDirectory;
use crate::wire::claims::Common;
use crate::wire::trust::Pins;

/// The largest file of a profile that is read whole, in bytes: the key directory of a large context.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// What is wrong with a profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// There is none.
    #[error(
        "{0} holds no profile: enrol this device with `herald enrol`, or name another directory with --profile"
    )]
    None(PathBuf),
    /// There is one already.
    #[error(
        "{0} holds a profile already: a device enrols once; give another directory with --profile for another device"
    )]
    Exists(PathBuf),
    /// A secret file is missing, exposed or unreadable.
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    /// A file does not read.
    #[error("{path} is damaged: {reason}; restore it from a backup, or enrol the device anew")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The system refused.
    #[error("{path} could not be {doing}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Another process works here.
    #[error(
        "another herald works with this profile ({what}); wait until it is done, or stop it, then repeat"
    )]
    Busy {
        /// At what.
        what: &'static str,
    },
    /// The desk's key has not been handed on to this device yet.
    #[error(
        "this device cannot open what is sent to your desk yet: a colleague who holds the root runs `herald devices sign {device}`, then `herald devices` fetches the key here"
    )]
    NoDeskKey {
        /// This device.
        device: DeviceId,
    },
}

/// Who this device is, and what it holds fast: `profile.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileFile {
    /// Where the server is, `https://host:port`.
    pub server: String,
    /// The context.
    pub ctx: ContextId,
    /// Real, or a drill.
    pub mode: Mode,
    /// The actor.
    pub actor: ActorId,
    /// What it is.
    pub kind: ActorKind,
    /// Its public name.
    pub name: String,
    /// The device's role.
    pub role: Role,
    /// The device.
    pub device: DeviceId,
    /// Pinned: SHA-256 of the CA certificate's DER.
    pub ca: Digest,
    /// Pinned: thumbprint of the deployment's root.
    pub deployment_root: Kid,
    /// Pinned: thumbprint of the coordinator's root.
    pub coordinator_root: Kid,
    /// Pinned: thumbprint of the own actor's root, once known on this device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_root: Option<Kid>,
}

/// Names of the files in a profile.
pub mod file {
    /// Who this device is.
    pub const PROFILE: &str = "profile.json";
    /// The CA's certificate.
    pub const CA: &str = "ca.pem";
    /// The device's certificate.
    pub const TLS_CERT: &str = "tls.pem";
    /// The device's TLS key.
    pub const TLS_KEY: &str = "tls.key";
    /// The device's signing key.
    pub const DEVICE: &str = "device.jwk";
    /// The device's own HPKE key.
    pub const DEVICE_SEAL: &str = "device-hpke.json";
    /// The desk's HPKE key.
    pub const DESK_SEAL: &str = "desk-hpke.json";
    /// The actor's root, sealed under a passphrase, meant to be moved offline.
    pub const ROOT: &str = "root.sealed.json";
    /// The key directory as last seen.
    pub const KEYS: &str = "keys.json";
    /// The number to call when in doubt, as last told.
    pub const CALL: &str = "call";
    /// The context's policy as last seen.
    pub const POLICY: &str = "policy.json";
    /// The enrolment request while its answer is not known.
    pub const ENROLLING: &str = "enrolling.json";
}

/// An enrolled device's profile.
#[derive(Debug, Clone)]
pub struct Profile {
    dir: PathBuf,
    file: ProfileFile,
}

/// Held while a process works; let go when dropped.
#[derive(Debug)]
pub struct ProfileLock(#[expect(dead_code, reason = "held for its lock, which ends with it")] File);

impl Profile {
    /// Opens an enrolled device's profile.
    ///
    /// # Errors
    /// [`ProfileError::None`] when nobody has enrolled here.
    pub fn open(dir: &Path) -> Result<Self, ProfileError> {
        let path = dir.join(file::PROFILE);
        if !path.exists() {
            return Err(ProfileError::None(dir.to_owned()));
        }
        secret_file::check_dir(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            file: read_json(&path)?,
        })
    }

    /// Writes a new profile over nothing.
    ///
    /// # Errors
    /// [`ProfileError`].
    pub fn create(dir: &Path, file: ProfileFile) -> Result<Self, ProfileError> {
        let profile = Self {
            dir: dir.to_owned(),
            file,
        };
        profile.save()?;
        Ok(profile)
    }

    /// Pins the own actor's root, once it is known.
    ///
    /// # Errors
    /// When the profile cannot be written.
    pub fn pin_own_root(&mut self, root: Kid) -> Result<(), ProfileError> {
        self.file.own_root = Some(root);
        self.save()
    }

    fn save(&self) -> Result<(), ProfileError> {
        write_json(&self.path(file::PROFILE), &self.file)
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A file of it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Who this device is.
    pub const fn me(&self) -> &ProfileFile {
        &self.file
    }

    /// The issuer of what this device signs.
    pub fn issuer(&self) -> Issuer {
        Issuer::device(self.file.actor.clone(), self.file.device.clone())
    }

    /// What this device holds the server against.
    pub fn pins(&self) -> Pins {
        Pins {
            ctx: self.file.ctx.clone(),
            mode: self.file.mode,
            deployment_root: self.file.deployment_root,
            coordinator_root: self.file.coordinator_root,
            own: self
                .file
                .own_root
                .map(|root| (self.file.actor.clone(), root)),
        }
    }

    /// The claims that every statement of this device has, with a fresh `jti`.
    pub fn common(&self, clock: &Clock) -> Common {
        self.common_as(self.issuer(), clock)
    }

    /// As [`Self::common`], for the actor's root.
    pub fn common_as(&self, iss: Issuer, clock: &Clock) -> Common {
        Common {
            iss,
            aud: crate::wire::trust::audience(self.file.deployment_root),
            ctx: self.file.ctx.clone(),
            mode: self.file.mode,
            jti: Uuid::new_v4(),
            iat: clock.now().unix_timestamp(),
        }
    }

    /// The device's signing key.
    ///
    /// # Errors
    /// When the file is missing, exposed or damaged.
    pub fn signing_key(&self) -> Result<SigningKey, ProfileError> {
        let path = self.path(file::DEVICE);
        let bytes = secret_file::read(&path)?;
        SigningKey::from_jwk(&bytes).map_err(|e| damaged(&path, &e))
    }

    /// The device's own HPKE key.
    ///
    /// # Errors
    /// When the file is missing, exposed or damaged.
    pub fn device_seal_key(&self) -> Result<SealKey, ProfileError> {
        let path = self.path(file::DEVICE_SEAL);
        let bytes = secret_file::read(&path)?;
        SealKey::from_json(&bytes).map_err(|e| damaged(&path, &e))
    }

    /// The desk's HPKE key: opens what is meant for this actor.
    ///
    /// # Errors
    /// [`ProfileError::NoDeskKey`] while a colleague has not handed it on.
    pub fn desk_seal_key(&self) -> Result<SealKey, ProfileError> {
        let path = self.path(file::DESK_SEAL);
        match secret_file::read(&path) {
            Ok(bytes) => SealKey::from_json(&bytes).map_err(|e| damaged(&path, &e)),
            Err(SecretFileError::Missing(_)) => Err(ProfileError::NoDeskKey {
                device: self.file.device.clone(),
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// Keeps the desk's HPKE key.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_desk_seal_key(&self, key: &SealKey) -> Result<(), ProfileError> {
        let json = key.to_json();
        Ok(secret_file::replace(
            &self.path(file::DESK_SEAL),
            json.as_bytes(),
        )?)
    }

    /// The configuration for connections that show this device's certificate.
    ///
    /// # Errors
    /// When the certificate, its key or the CA is missing or damaged, or the CA is not the pinned one.
    pub fn tls(&self) -> Result<rustls::ClientConfig, ProfileError> {
        let ca = self.certificate(file::CA)?;
        if ca.fingerprint() != self.file.ca {
            return Err(ProfileError::Damaged {
                path: self.path(file::CA),
                reason: "it is not the certificate whose fingerprint the invite carried".into(),
            });
        }
        let leaf = self.certificate(file::TLS_CERT)?;
        let path = self.path(file::TLS_KEY);
        let pem = secret_file::read(&path)?;
        let pem = std::str::from_utf8(&pem).map_err(|e| damaged(&path, &e))?;
        let key = TlsKey::from_pem(pem).map_err(|e| damaged(&path, &e))?;
        let credentials = Credentials::from_der(&[leaf.der()], &key.to_pkcs8_der());
        tls::client_config(&tls::certificate(ca.der()), Some(credentials))
            .map_err(|e| damaged(&path, &e))
    }

    fn certificate(&self, name: &str) -> Result<Certificate, ProfileError> {
        let path = self.path(name);
        let pem = read_private(&path)?;
        let pem = std::str::from_utf8(&pem).map_err(|e| damaged(&path, &e))?;
        Certificate::from_pem(pem).map_err(|e| damaged(&path, &e))
    }

    /// The key directory as last seen; none before the first time.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn cached_keys(&self) -> Result<Option<KeyDirectory>, ProfileError> {
        let path = self.path(file::KEYS);
        if path.exists() {
            read_json(&path).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Keeps the key directory, after it was held against the pins.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_keys(&self, directory: &KeyDirectory) -> Result<(), ProfileError> {
        write_json(&self.path(file::KEYS), directory)
    }

    /// Makes sure that this is the only process that does `what` here.
    ///
    /// # Errors
    /// [`ProfileError::Busy`].
    pub fn lock(&self, what: &'static str) -> Result<ProfileLock, ProfileError> {
        lock(&self.dir, what)
    }

    /// As [`Self::lock`], after waiting until the others are done, at most this long. Who waits gets it as soon as it is
    /// let go, also from one that takes it again and again.
    ///
    /// # Errors
    /// [`ProfileError::Busy`] when they are not done by then.
    pub fn lock_within(
        &self,
        what: &'static str,
        most: Duration,
    ) -> Result<ProfileLock, ProfileError> {
        let (path, file) = lock_file(&self.dir, what)?;
        if file.try_lock().is_ok() {
            return Ok(ProfileLock(file));
        }
        let (locked, waited) = mpsc::sync_channel(1);
        // The system wakes who waits for a lock, and has no wait that ends: so a thread of its own waits. When it gets the
        // lock and nobody takes it any more, it lets go.
        std::thread::spawn(move || {
            locked.send(file.lock().map(|()| ProfileLock(file))).ok();
        });
        match waited.recv_timeout(most) {
            Ok(lock) => lock.map_err(io_error(&path, "locked")),
            Err(_) => Err(ProfileError::Busy { what }),
        }
    }
}

/// As [`Profile::lock`], before there is a profile.
///
/// # Errors
/// [`ProfileError::Busy`].
pub fn lock(dir: &Path, what: &'static str) -> Result<ProfileLock, ProfileError> {
    let (path, file) = lock_file(dir, what)?;
    match file.try_lock() {
        Ok(()) => Ok(ProfileLock(file)),
        Err(TryLockError::WouldBlock) => Err(ProfileError::Busy { what }),
        Err(TryLockError::Error(source)) => Err(io_error(&path, "locked")(source)),
    }
}

fn lock_file(dir: &Path, what: &str) -> Result<(PathBuf, File), ProfileError> {
    let path = dir.join(format!(".lock-{what}"));
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(nix::libc::O_NONBLOCK)
        .open(&path)
        .map_err(io_error(&path, "opened"))?;
    Ok((path, file))
}

/// Reads a file of the profile whole.
///
/// # Errors
/// When it cannot be read, is no regular file, is larger than any file of ours, or others may write into it.
pub fn read_private(path: &Path) -> Result<Vec<u8>, ProfileError> {
    let file = files::open(path, Pipes::Refused).map_err(io_error(path, "read"))?;
    check_mode(&file, path)?;
    files::read_whole(file, MAX_FILE_BYTES).map_err(io_error(path, "read"))
}

/// Refuses a file of ours into which others may write: it may hold pins and records of theirs. The mode is the opened
/// file's, so that it cannot be swapped in between.
///
/// # Errors
/// [`SecretFileError::Writable`].
pub fn check_mode(file: &File, path: &Path) -> Result<(), ProfileError> {
    let meta = file.metadata().map_err(io_error(path, "looked at"))?;
    Ok(secret_file::check_mode(&meta, path)?)
}

/// Writes a file of the profile, 0600, whole or not at all, and on disk when this returns.
///
/// # Errors
/// When it cannot be written.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), ProfileError> {
    // A bare file name has an empty parent, which no system opens.
    let dir = path
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".new-")
        .tempfile_in(dir)
        .map_err(io_error(path, "written"))?;
    file.write_all(bytes)
        .and_then(|()| file.as_file().sync_all())
        .map_err(io_error(path, "written"))?;
    file.persist(path)
        .map_err(|e| io_error(path, "put in place")(e.error))?;
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(io_error(dir, "synced"))
}

/// Reads a JSON file of the profile.
///
/// # Errors
/// When it cannot be read, or is not what it should be.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, ProfileError> {
    let bytes = read_private(path)?;
    serde_json::from_slice(&bytes).map_err(|e| damaged(path, &e))
}

/// Writes a JSON file of the profile; see [`write_private`].
///
/// # Errors
/// When it cannot be written.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), ProfileError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|e| damaged(path, &e))?;
    bytes.push(b'\n');
    write_private(path, &bytes)
}

/// The number to call when in doubt, as last told to this profile, whatever state the rest of it is in. That it cannot be
/// read must not hide that there is no answer.
pub fn call(dir: &Path) -> Option<String> {
    String::from_utf8(read_private(&dir.join(file::CALL)).ok()?).ok()
}

/// Keeps the number to call when in doubt, for when the server cannot be asked.
///
/// # Errors
/// When it cannot be written.
pub fn keep_call(dir: &Path, number: &str) -> Result<(), ProfileError> {
    if call(dir).as_deref() == Some(number) {
        return Ok(());
    }
    write_private(&dir.join(file::CALL), number.as_bytes())
}

/// An error that names a file and what was tried.
pub fn io_error(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> ProfileError {
    let path = path.to_owned();
    move |source| ProfileError::Io {
        path,
        doing,
        source,
    }
}

fn damaged(path: &Path, reason: &dyn std::error::Error) -> ProfileError {
    ProfileError::Damaged {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::crypto::digest::Digest;

    fn example() -> ProfileFile {
        let kid = Kid::from_digest(Digest::of(b"root"));
        ProfileFile {
            server: "https://localhost:8443".to_owned(),
            ctx: "yem".parse().expect("a slug"),
            mode: Mode::Exercise,
            actor: "msf".parse().expect("a slug"),
            kind: ActorKind::Organisation,
            name: "MSF".to_owned(),
            role: Role::Organisation,
            device: DeviceId::from_random([1; 5]),
            ca: Digest::of(b"ca"),
            deployment_root: kid,
            coordinator_root: kid,
            own_root: None,
        }
    }

    #[test]
    fn a_file_named_without_its_directory_is_written_where_one_stands() {
        let here = tempfile::Builder::new()
            .prefix(".herald-test-")
            .tempdir_in(".")
            .expect("a directory");
        let name = format!(
            "{}.html",
            here.path().file_name().expect("a name").to_string_lossy()
        );
        let path = Path::new(&name);
        let written = write_private(path, b"page");
        let read = fs::read(path);
        fs::remove_file(path).ok();
        written.expect("written");
        assert_eq!(read.expect("there"), b"page");
    }

    #[test]
    fn a_profile_reads_back_and_an_empty_directory_is_none() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(matches!(
            Profile::open(dir.path()),
            Err(ProfileError::None(_))
        ));
        let mut profile = Profile::create(dir.path(), example()).expect("written");
        let root = Kid::from_digest(Digest::of(b"own"));
        profile.pin_own_root(root).expect("written");
        let again = Profile::open(dir.path()).expect("opened");
        assert_eq!(again.me().own_root, Some(root));
        assert_eq!(again.pins().own, Some((example().actor, root)));
    }

    #[test]
    fn every_file_is_for_its_owner_only_and_a_key_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let profile = Profile::create(dir.path(), example()).expect("written");
        let key = SealKey::generate();
        profile.keep_desk_seal_key(&key).expect("written");
        for entry in fs::read_dir(dir.path()).expect("listed") {
            let mode = entry
                .expect("an entry")
                .metadata()
                .expect("metadata")
                .permissions()
                .mode();
            assert_eq!(mode & 0o077, 0);
        }
        assert_eq!(profile.desk_seal_key().expect("own").kid(), key.kid());
        let path = profile.path(file::DESK_SEAL);
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("changed");
        assert!(matches!(
            profile.desk_seal_key(),
            Err(ProfileError::Secret(SecretFileError::Exposed { .. }))
        ));
    }

    #[test]
    fn a_device_without_the_desk_key_is_told_who_hands_it_on() {
        let dir = tempfile::tempdir().expect("a directory");
        let profile = Profile::create(dir.path(), example()).expect("written");
        let error = profile.desk_seal_key().map(|_| ()).expect_err("none yet");
        assert!(error.to_string().contains("herald devices sign"));
    }

    #[test]
    fn two_processes_do_not_do_the_same_in_one_profile() {
        let dir = tempfile::tempdir().expect("a directory");
        let held = lock(dir.path(), "inbox").expect("free");
        assert!(matches!(
            lock(dir.path(), "inbox"),
            Err(ProfileError::Busy { .. })
        ));
        assert!(lock(dir.path(), "keys").is_ok());
        drop(held);
        assert!(lock(dir.path(), "inbox").is_ok());
    }

    #[test]
    fn who_waits_for_a_lock_gets_it_when_it_is_let_go_and_waits_no_longer_than_said() {
        let dir = tempfile::tempdir().expect("a directory");
        let profile = Profile::create(dir.path(), example()).expect("written");
        let held = profile.lock("rows").expect("free");
        let short = profile.lock_within("rows", Duration::from_millis(50));
        assert!(matches!(short, Err(ProfileError::Busy { what: "rows" })));
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| profile.lock_within("rows", Duration::from_mins(1)));
            std::thread::sleep(Duration::from_millis(100));
            drop(held);
            waits.join().expect("no panic").expect("let go");
        });
    }

    #[test]
    fn pins_into_which_others_may_write_are_refused_naming_the_chmod() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = Profile::create(dir.path(), example())
            .expect("written")
            .path(file::PROFILE);
        for bad in [0o666, 0o620, 0o602] {
            fs::set_permissions(&path, fs::Permissions::from_mode(bad)).expect("changed");
            let said = Profile::open(dir.path())
                .expect_err("open to others")
                .to_string();
            assert!(
                said.contains(&format!("chmod go-w {}", path.display())),
                "{said}"
            );
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("changed");
        Profile::open(dir.path()).expect("its owner's alone to write");
    }
}
