//! An actor's offline root: the key that names its devices, and with it the desk's key, in one file sealed under a
//! passphrase. It is opened on this device only while it signs.

use std::path::Path;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::CliError;
use super::passphrase::PassphraseArgs;
use crate::crypto::digest::{Digest, Kid};
use crate::crypto::keys::{SigningKey, VerifyingKey};
use crate::crypto::passphrase;
use crate::crypto::seal_key::{SealKey, SealPublicKey};
use crate::crypto::secret_file;
use crate::crypto::{array_from_b64url, b64url};
use crate::domain::ids::ActorId;
use crate::wire::build::{Built, Part, build};
use crate::wire::claims::{Common, DeviceKey, KeysClaims};

/// An actor's root and its desk's key.
pub struct Root {
    key: SigningKey,
    desk: SealKey,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Secret {
    root: String,
    desk: String,
}

impl Drop for Secret {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.root);
        zeroize::Zeroize::zeroize(&mut self.desk);
    }
}

impl Root {
    /// A new root and a new desk's key.
    pub fn generate() -> Self {
        Self {
            key: SigningKey::generate(),
            desk: SealKey::generate(),
        }
    }

    /// The root's thumbprint: what people compare.
    pub const fn kid(&self) -> Kid {
        self.key.kid()
    }

    /// The desk's key.
    pub const fn desk(&self) -> &SealKey {
        &self.desk
    }

    /// Writes the file; one that exists is left as it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path, actor: &ActorId, passphrase: &str) -> Result<(), CliError> {
        let secret = Secret {
            root: b64url(self.key.seed()),
            desk: b64url(self.desk.seed().as_ref()),
        };
        let json = Zeroizing::new(serde_json::to_vec(&secret).map_err(|e| broken(path, &e))?);
        let what = format!(
            "The root of {actor}. Copy this file to a medium that is kept offline, then remove it here. Its fingerprint: {}",
            self.kid().digest().fingerprint()
        );
        let sealed = passphrase::seal(&what, &json, passphrase).map_err(|e| broken(path, &e))?;
        secret_file::replace(path, sealed.as_bytes()).map_err(|e| broken(path, &e))
    }

    /// Opens the file, asking for its passphrase.
    ///
    /// # Errors
    /// When it is exposed or damaged, or the passphrase is another.
    pub fn open(path: &Path, passphrase: &PassphraseArgs) -> Result<Self, CliError> {
        let file = secret_file::read(path).map_err(|e| broken(path, &e))?;
        let opened =
            passphrase::open(&file, &passphrase.existing()?).map_err(|e| broken(path, &e))?;
        let secret: Secret = serde_json::from_slice(&opened.secret).map_err(|_| no_root(path))?;
        let seed = |text: &str| {
            array_from_b64url::<32>(text.as_bytes())
                .map(Zeroizing::new)
                .ok_or_else(|| no_root(path))
        };
        Ok(Self {
            key: SigningKey::from_seed(&*seed(&secret.root)?),
            desk: SealKey::from_seed(&*seed(&secret.desk)?),
        })
    }

    /// Signs a `keys` statement: the whole snapshot of who may speak from now on.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn sign_keys(
        &self,
        common: Common,
        serial: u32,
        prev: Option<Digest>,
        devices: Vec<DeviceKey>,
        parts: &[Part],
    ) -> Result<Built, CliError> {
        let claims = KeysClaims::new(
            common,
            serial,
            prev,
            *self.key.verifying_key(),
            devices,
            self.desk.public_key().clone(),
        );
        Ok(build(claims, parts, &self.key)?)
    }
}

/// What people compare when a colleague's root signs for a device: a digest over both of its keys.
pub fn device_fingerprint(jwk: &VerifyingKey, seal: &SealPublicKey) -> Digest {
    Digest::of_parts(&[jwk.kid().as_bytes(), seal.kid().as_bytes()])
}

fn broken(path: &Path, error: &dyn std::error::Error) -> CliError {
    CliError::failed(
        format!("the root file {}: {error}", path.display()),
        "Give the root's file with --root, mode 0600, and its passphrase.",
    )
}

fn no_root(path: &Path) -> CliError {
    CliError::refused(
        format!("{} opens, but holds no actor's root", path.display()),
        "Give the file root.sealed.json that the first device's enrolment wrote.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_survives_its_file_and_no_other_passphrase_opens_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, words) = (dir.path().join("root"), dir.path().join("words"));
        let actor: ActorId = "msf".parse().expect("a slug");
        let root = Root::generate();
        root.write(&path, &actor, "correct horse battery")
            .expect("written");
        let given = PassphraseArgs {
            passphrase_file: Some(words.clone()),
        };
        secret_file::replace(&words, b"correct horse battery\n").expect("written");
        let again = Root::open(&path, &given).expect("opened");
        assert_eq!(
            (again.kid(), again.desk().kid()),
            (root.kid(), root.desk().kid())
        );
        secret_file::replace(&words, b"correct horse batterz").expect("written");
        assert!(Root::open(&path, &given).is_err());
        let text = std::fs::read_to_string(&path).expect("text");
        assert!(text.contains("root of msf") && !text.contains(&b64url(root.key.seed())));
    }

    #[test]
    fn the_fingerprint_of_a_device_covers_both_of_its_keys() {
        let (key, seal) = (SigningKey::generate(), SealKey::generate());
        let one = device_fingerprint(key.verifying_key(), seal.public_key());
        let other_key = SigningKey::generate();
        let other_seal = SealKey::generate();
        assert_ne!(
            one,
            device_fingerprint(other_key.verifying_key(), seal.public_key())
        );
        assert_ne!(
            one,
            device_fingerprint(key.verifying_key(), other_seal.public_key())
        );
    }
}
