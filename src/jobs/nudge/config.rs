//! What the operator says of nudges: `nudge.json` in the deployment's directory, and the files that it names. Without it
//! nudges are off. Passwords and secrets stand in files of their own, which nobody else may read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;

use crate::crypto::secret_file::{self, SecretFileError};
use crate::crypto::webhook::{WebhookSecret, WebhookSecretError};
use crate::domain::nudge::{ROUTINE_WAIT, mail_address};
use crate::service::nudge::Ways;

use super::mail::Mailer;
use super::webhook::Gateway;

/// The file.
const FILE: &str = "nudge.json";
/// The longest that a routine nudge may wait: a day.
const WAIT_MOST_S: u64 = 86_400;
/// The largest file of trusted certificates, in bytes.
const CA_MOST: u64 = 4 << 20;

/// What is wrong with the operator's words on nudges.
#[derive(Debug, thiserror::Error)]
pub enum NudgeConfigError {
    /// A file cannot be read, or others may read it.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// The file's form.
    #[error("{file}, line {line}, column {column}: {why}")]
    Form {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What serde says of it.
        why: String,
    },
    /// A member is not acceptable.
    #[error("{file}: `{member}` must be {must}")]
    Member {
        /// The file.
        file: PathBuf,
        /// Which.
        member: &'static str,
        /// What it must be.
        must: &'static str,
    },
    /// The webhook's secret.
    #[error("{file}: {why}")]
    Secret {
        /// The file.
        file: PathBuf,
        /// Why.
        why: WebhookSecretError,
    },
    /// A file of trusted certificates.
    #[error("{file} holds no certificates in PEM that can be trusted")]
    Authority {
        /// The file.
        file: PathBuf,
    },
    /// The client could not be made.
    #[error("a client for {what} cannot be made with what {file} says")]
    Client {
        /// The file.
        file: PathBuf,
        /// For what.
        what: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    #[serde(default)]
    routine_wait_s: Option<u64>,
    #[serde(default)]
    mail: Option<SaidMail>,
    #[serde(default)]
    webhook: Option<SaidWebhook>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SaidMail {
    host: String,
    #[serde(default = "submission")]
    port: u16,
    from: String,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    password_file: Option<PathBuf>,
    #[serde(default)]
    ca_file: Option<PathBuf>,
}

/// The port for submission (RFC 6409).
const fn submission() -> u16 {
    587
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SaidWebhook {
    url: String,
    secret_file: PathBuf,
    #[serde(default)]
    ca_file: Option<PathBuf>,
}

/// Who carries nudges, as the operator says.
pub struct Carriers {
    /// By e-mail.
    pub mail: Option<Mailer>,
    /// To a gateway.
    pub webhook: Option<Gateway>,
    /// How long a routine nudge waits.
    pub routine_wait: Duration,
}

impl Carriers {
    /// Reads `nudge.json` in a deployment's directory; nobody carries anything where there is none.
    ///
    /// # Errors
    /// [`NudgeConfigError`], naming the file and the member.
    pub fn load(dir: &Path) -> Result<Self, NudgeConfigError> {
        let file = dir.join(FILE);
        let mut carriers = Self {
            mail: None,
            webhook: None,
            routine_wait: ROUTINE_WAIT,
        };
        if !file.exists() {
            return Ok(carriers);
        }
        let text = secret_file::read(&file)?;
        let said: Said = serde_json::from_slice(&text).map_err(|e| NudgeConfigError::Form {
            file: file.clone(),
            line: e.line(),
            column: e.column(),
            why: kind_of(&e),
        })?;
        let files = Files { dir, file: &file };
        if let Some(wait_s) = said.routine_wait_s {
            if wait_s > WAIT_MOST_S {
                return Err(files.member("routine_wait_s", "at most 86400 seconds"));
            }
            carriers.routine_wait = Duration::from_secs(wait_s);
        }
        carriers.mail = said.mail.map(|mail| mailer(&files, &mail)).transpose()?;
        carriers.webhook = said
            .webhook
            .map(|webhook| gateway(&files, &webhook))
            .transpose()?;
        Ok(carriers)
    }

    /// By which ways nudges go.
    pub const fn ways(&self) -> Ways {
        Ways {
            mail: self.mail.is_some(),
            webhook: self.webhook.is_some(),
        }
    }
}

/// What is wrong, of which serde's words could quote a value only where a type is wrong; those are left out.
fn kind_of(error: &serde_json::Error) -> String {
    let words = error.to_string();
    let named = ["unknown field", "missing field", "duplicate field"];
    if named.iter().any(|named| words.starts_with(named)) {
        words
            .split(" at line")
            .next()
            .unwrap_or_default()
            .to_owned()
    } else {
        "this is not what is expected here".to_owned()
    }
}

struct Files<'a> {
    dir: &'a Path,
    file: &'a Path,
}

impl Files<'_> {
    fn member(&self, member: &'static str, must: &'static str) -> NudgeConfigError {
        NudgeConfigError::Member {
            file: self.file.to_owned(),
            member,
            must,
        }
    }

    fn client(&self, what: &'static str) -> NudgeConfigError {
        NudgeConfigError::Client {
            file: self.file.to_owned(),
            what,
        }
    }

    /// A secret's text, without the white space around it.
    fn secret(&self, path: &Path) -> Result<zeroize::Zeroizing<String>, NudgeConfigError> {
        let bytes = secret_file::read(&self.dir.join(path))?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(zeroize::Zeroizing::new(text.trim().to_owned()))
    }

    /// Certificates to trust instead of the system's.
    fn authority(&self, path: Option<&Path>) -> Result<Option<Vec<u8>>, NudgeConfigError> {
        let Some(path) = path else { return Ok(None) };
        let file = self.dir.join(path);
        let small = std::fs::metadata(&file).is_ok_and(|meta| meta.len() <= CA_MOST);
        match std::fs::read(&file) {
            Ok(pem) if small && pem.windows(CERTIFICATE.len()).any(|w| w == CERTIFICATE) => {
                Ok(Some(pem))
            }
            Ok(_) | Err(_) => Err(NudgeConfigError::Authority { file }),
        }
    }
}

const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";

fn mailer(files: &Files<'_>, said: &SaidMail) -> Result<Mailer, NudgeConfigError> {
    if !mail_address(&said.from) {
        return Err(files.member("mail.from", "an e-mail address in plain ASCII"));
    }
    let host = said.host.as_str();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    if host.is_empty() || host.len() > 253 || !host.bytes().all(plain) {
        return Err(files.member("mail.host", "a host name"));
    }
    let login = match (&said.user, &said.password_file) {
        (Some(user), Some(file)) => Some((user.clone(), files.secret(file)?)),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            return Err(files.member(
                "mail.user",
                "given together with mail.password_file, or neither",
            ));
        }
    };
    let ca = files.authority(said.ca_file.as_deref())?;
    Mailer::new(host, said.port, &said.from, login, ca.as_deref())
        .ok_or_else(|| files.client("e-mail"))
}

fn gateway(files: &Files<'_>, said: &SaidWebhook) -> Result<Gateway, NudgeConfigError> {
    let must = "an https URL with a host, without a user, a password or a fragment";
    let url = Url::parse(&said.url).map_err(|_| files.member("webhook.url", must))?;
    let bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if url.scheme() != "https" || !url.has_host() || !bare {
        return Err(files.member("webhook.url", must));
    }
    let text = files.secret(&said.secret_file)?;
    let secret = WebhookSecret::parse(&text).map_err(|why| NudgeConfigError::Secret {
        file: files.dir.join(&said.secret_file),
        why,
    })?;
    let ca = files.authority(said.ca_file.as_deref())?;
    Gateway::new(url, secret, ca.as_deref()).ok_or_else(|| files.client("the webhook"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(json: &str, secrets: &[(&str, &str)]) -> Result<Ways, String> {
        let dir = tempfile::tempdir().expect("a directory");
        secret_file::create(&dir.path().join(FILE), json.as_bytes()).expect("written");
        for (name, text) in secrets {
            secret_file::create(&dir.path().join(name), text.as_bytes()).expect("written");
        }
        let carriers = Carriers::load(dir.path());
        carriers.map(|c| c.ways()).map_err(|e| e.to_string())
    }

    fn validity() -> crate::crypto::x509::Validity {
        let day = time::macros::datetime!(2026-11-01 0:00 UTC);
        crate::crypto::x509::Validity::days(day, 30).expect("a month")
    }

    const SECRET: (&str, &str) = ("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");

    #[test]
    fn without_a_file_nudges_are_off() {
        let dir = tempfile::tempdir().expect("a directory");
        let carriers = Carriers::load(dir.path()).expect("no file is no fault");
        assert_eq!(carriers.ways(), Ways::default());
        assert_eq!(carriers.ways().words(), "off");
    }

    #[test]
    fn both_ways_are_read_from_the_operators_file() {
        let json = r#"{"mail": {"host": "mail.example.org", "from": "hn@example.org", "user": "hn", "password_file": "pw", "ca_file": "ca.pem"},
                       "webhook": {"url": "https://127.0.0.1:8444/sms", "secret_file": "secret", "ca_file": "ca.pem"}}"#;
        let ca = crate::crypto::x509::Authority::create("A test", validity()).expect("made");
        let ca = ca.certificate().to_pem();
        let ways = loaded(json, &[("pw", "correct horse\n"), SECRET, ("ca.pem", &ca)]);
        assert_eq!(
            ways,
            Ok(Ways {
                mail: true,
                webhook: true
            })
        );
    }

    #[test]
    fn what_is_wrong_is_named_by_member_and_never_by_value() {
        let webhook =
            |url: &str| format!(r#"{{"webhook": {{"url": "{url}", "secret_file": "secret"}}}}"#);
        for (json, word) in [
            (webhook("http://sms.example.org/"), "webhook.url"),
            (
                webhook("https://user:hidden@sms.example.org/"),
                "webhook.url",
            ),
            (webhook("hidden"), "webhook.url"),
            (
                r#"{"mail": {"host": "m.example", "from": "hidden\r\nBcc: a@b.example"}}"#
                    .to_owned(),
                "mail.from",
            ),
            (
                r#"{"mail": {"host": "m example", "from": "a@b.example"}}"#.to_owned(),
                "mail.host",
            ),
            (
                r#"{"mail": {"host": "m.example", "from": "a@b.example", "user": "hidden"}}"#
                    .to_owned(),
                "mail.user",
            ),
            (
                r#"{"mail": {"host": "m.example", "from": "a@b.example", "starttls": false}}"#
                    .to_owned(),
                "starttls",
            ),
            (
                r#"{"mail": {"host": "m.example", "from": "a@b.example", "ca_file": "none"}}"#
                    .to_owned(),
                "certificates",
            ),
            (r#"{"routine_wait_s": 100000}"#.to_owned(), "routine_wait_s"),
            (r#"{"routine_wait_s": "hidden"}"#.to_owned(), "line 1"),
        ] {
            let said = loaded(&json, &[SECRET]).expect_err("is refused");
            assert!(said.contains(word), "{said}");
            assert!(!said.contains("hidden"), "{said}");
        }
        let short = loaded(
            &webhook("https://sms.example.org/"),
            &[("secret", "whsec_aGlkZGVu")],
        );
        assert!(short.is_err_and(|said| !said.contains("aGlkZGVu")));
    }
}
