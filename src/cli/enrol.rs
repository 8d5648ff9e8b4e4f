//! Enrolling a device: its keys are made here and never leave. The first device of an organisation or party also makes
//! its root; further ones wait for the root's signature, or bring it along. What is sent is kept until the answer is
//! there, so that a lost answer costs a repetition.

use std::io::{BufRead as _, BufReader, IsTerminal as _, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::api::{Api, ApiError};
use super::error::CliError;
use super::exit::Exit;
use super::passphrase::PassphraseArgs;
use super::profile::{self, Profile, ProfileError, ProfileFile, ProfileLock, file};
use super::root_file::{Root, device_fingerprint};
use super::words::{add, plain};
use super::{Context, composing, connect};
use crate::crypto::b64url;
use crate::crypto::digest::Kid;
use crate::crypto::keys::SigningKey;
use crate::crypto::random::random_bytes;
use crate::crypto::seal_key::SealKey;
use crate::crypto::secret_file;
use crate::crypto::x509::{Certificate, TlsKey};
use crate::domain::actor::{DeviceState, Mode};
use crate::domain::ids::{ActorId, ContextId, DeviceId, Issuer};
use crate::tls;
use crate::wire::api::{EnrolRequest, EnrolResponse, KeyDirectory};
use crate::wire::claims::{Common, DeviceKey};
use crate::wire::invite::{InviteCode, InviteCodeError};
use crate::wire::problem::ProblemKind;
use crate::wire::trust::{self, Pins, SERVER, Trust, TrustError};

const EXAMPLES: &str = "\
Examples:
  herald enrol --server https://herald.example.org:8443 --invite -          asks for the code; it is not shown
  herald enrol --server https://herald.example.org:8443 --invite - < invite.txt
  herald enrol --server https://herald.example.org:8443 --invite - --root /media/usb/root.sealed.json

The first device of an organisation or party also makes its root, root.sealed.json, sealed under a passphrase. \
Move that file to a medium that is kept offline: it signs your next devices. Then read your fingerprint to the \
coordinator on a number that you know. If the answer was lost, run the same command again.";

/// How long a device's keys count before they must be renewed, in seconds: a year.
pub(super) const DEVICE_LIFE_S: i64 = 365 * 86_400;
/// A device's keys count from this many seconds before they are made: clocks differ.
pub(super) const CLOCK_SLACK_S: i64 = 300;

/// The longest line with an invite code, in bytes.
const INVITE_MOST: usize = 4 * 1024;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Where the server is
    #[arg(long, value_name = "URL")]
    pub server: String,
    /// The invite code; - reads it from standard input, so that nobody on this machine sees it among its processes
    #[arg(long, value_name = "CODE|-", allow_hyphen_values = true)]
    pub invite: InviteArg,
    /// A further device: the root's file, which signs it at once
    #[arg(long, value_name = "FILE")]
    pub root: Option<PathBuf>,
    /// The passphrase
    #[command(flatten)]
    pub passphrase: PassphraseArgs,
}

/// Where the invite code comes from; never shown.
#[derive(Clone)]
pub enum InviteArg {
    /// The command line, which everybody who is logged in to the machine can read.
    Code(Box<InviteCode>),
    /// Standard input.
    Stdin,
}

impl std::fmt::Debug for InviteArg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InviteArg[sealed]")
    }
}

impl std::str::FromStr for InviteArg {
    type Err = InviteCodeError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "-" => Ok(Self::Stdin),
            text => text.parse().map(Box::new).map(Self::Code),
        }
    }
}

impl InviteArg {
    fn read(&self) -> Result<InviteCode, CliError> {
        match self {
            Self::Code(code) => Ok(InviteCode::clone(code)),
            Self::Stdin if std::io::stdin().is_terminal() => {
                let typed = rpassword::prompt_password("The invite code (it is not shown): ");
                read_code(typed.unwrap_or_default().as_bytes())
            }
            Self::Stdin => read_code(std::io::stdin().lock()),
        }
    }
}

/// The code on the first line of what is piped in.
fn read_code(source: impl Read) -> Result<InviteCode, CliError> {
    let unread = |why: String| {
        CliError::refused(
            format!("no invite code can be read from standard input: {why}"),
            "Paste the code, which begins with HN1., or pipe in a file that holds it alone.",
        )
    };
    let mut line = Zeroizing::new(Vec::with_capacity(INVITE_MOST));
    BufReader::new(source.take(INVITE_MOST as u64))
        .read_until(b'\n', &mut line)
        .map_err(|e| unread(e.to_string()))?;
    std::str::from_utf8(&line)
        .unwrap_or_default()
        .trim()
        .parse()
        .map_err(|e: InviteCodeError| unread(e.to_string()))
}

/// What is sent, kept until its answer is here. Holds the invite's secret: a secret file.
#[derive(Serialize, Deserialize)]
struct Draft {
    server: String,
    invite: String,
    ctx: ContextId,
    mode: Mode,
    coordinator_root: Kid,
    own_root: Option<Kid>,
    request: EnrolRequest,
}

/// Enrols this device.
///
/// # Errors
/// When there is a profile already, the server is not the pinned one, or it refuses.
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let code = &args.invite.read()?;
    let dir = &context.dir;
    secret_file::create_dir(dir).map_err(ProfileError::from)?;
    secret_file::check_dir(dir).map_err(ProfileError::from)?;
    let lock = profile::lock(dir, "enrolment")?;
    if dir.join(file::PROFILE).exists() {
        return Err(ProfileError::Exists(dir.clone()).into());
    }
    let enrolment = || tls::enrolment_config(*code.ca.as_bytes()).map_err(|e| unusable(&e));
    let api = Api::new(&args.server, enrolment()?)?;
    let draft = match kept(dir, code)? {
        Some(draft) => draft,
        None => draft(&args, code, context, &api).await?,
    };
    let response = match api.enrol(&draft.request).await {
        Ok(response) => response,
        Err(error) => return Err(given_up(dir, error)?),
    };
    let ca = connect::fetch_ca(&args.server, enrolment()?, code.ca).await?;
    let profile = settle(dir, code, &draft, &response, &ca, &lock)?;
    context.out.set_mode(profile.me().mode);
    learn(&profile).await;
    report(context, &profile, &draft, &response);
    Ok(Exit::Ok)
}

/// Keeps everybody's keys, the policy and the number to call, so that a first check that gets no answer can name it. The
/// device is enrolled whether or not this comes through; it is fetched again with what is asked or sent later.
async fn learn(profile: &Profile) {
    if let Ok(api) = Api::of_profile(profile)
        && let Err(error) = composing::known(profile, &api).await
    {
        tracing::debug!(%error, "keys and policy could not be kept at enrolment");
    }
}

/// A colleague signed other keys in between: the draft is of no use any more, and the next run makes another. After any
/// other refusal it stays, for it may have been taken before its answer was lost.
fn given_up(dir: &Path, error: ApiError) -> Result<CliError, CliError> {
    if let ApiError::Problem(problem) = &error
        && ProblemKind::from_type_uri(&problem.type_uri) == Some(ProblemKind::PrevMismatch)
    {
        let path = dir.join(file::ENROLLING);
        std::fs::remove_file(&path).map_err(profile::io_error(&path, "removed"))?;
    }
    Ok(error.into())
}

/// The enrolment that began here and whose answer is not known.
fn kept(dir: &Path, code: &InviteCode) -> Result<Option<Draft>, CliError> {
    let path = dir.join(file::ENROLLING);
    if !path.exists() {
        return Ok(None);
    }
    let draft: Draft = profile::read_json(&path)?;
    if draft.invite == code.to_string() {
        return Ok(Some(draft));
    }
    Err(CliError::refused(
        "an enrolment with another invite began in this profile and its answer is not known",
        format!(
            "Repeat it with that invite; or, if it is to be given up, remove {} and enrol anew.",
            path.display()
        ),
    ))
}

async fn draft(
    args: &Args,
    code: &InviteCode,
    context: &Context,
    api: &Api,
) -> Result<Draft, CliError> {
    let dir = &context.dir;
    let directory = api.keys(&code.ctx).await?;
    let mode = mode(&directory, code)?;
    let ctx = code.ctx.clone();
    let (key, seal) = (SigningKey::generate(), SealKey::generate());
    let tls_key = TlsKey::generate().map_err(|e| unusable(&e))?;
    for (name, secret) in [
        (file::DEVICE, key.to_jwk()),
        (file::DEVICE_SEAL, seal.to_json()),
        (file::TLS_KEY, tls_key.to_pem()),
    ] {
        secret_file::replace(&dir.join(name), secret.as_bytes()).map_err(ProfileError::from)?;
    }
    let now = context.clock.now().unix_timestamp();
    let me = DeviceKey {
        id: DeviceId::from_random(random_bytes()),
        jwk: *key.verifying_key(),
        seal: seal.public_key().clone(),
        role: code.role,
        nbf: now - CLOCK_SLACK_S,
        exp: now + DEVICE_LIFE_S,
    };
    let common = Common {
        iss: Issuer::root(code.actor.clone()),
        aud: trust::audience(code.deployment_root),
        ctx: ctx.clone(),
        mode,
        jti: uuid::Uuid::new_v4(),
        iat: now,
    };
    let (root, keys) = root_and_keys(args, code, dir, &directory, common, &me)?;
    let own_root = root.as_ref().map(Root::kid);
    let coordinator_root = code.coordinator_root.or(own_root).ok_or_else(|| {
        CliError::refused(
            "this invite names no coordinator, and the context has one already",
            "Ask the coordinator for a new invite.",
        )
    })?;
    let csr = tls_key.make_csr().map_err(|e| unusable(&e))?;
    let draft = Draft {
        server: args.server.clone(),
        invite: code.to_string(),
        ctx,
        mode,
        coordinator_root,
        own_root,
        request: EnrolRequest {
            invite: code.secret_b64url(),
            csr: b64url(&csr),
            device: me.id,
            jwk: me.jwk,
            seal: me.seal,
            keys,
            seals: Vec::new(),
        },
    };
    profile::write_json(&dir.join(file::ENROLLING), &draft)?;
    Ok(draft)
}

/// The mode of the invite's context, from the server's own keys of that context under the deployment root that the invite
/// pins.
fn mode(directory: &KeyDirectory, code: &InviteCode) -> Result<Mode, CliError> {
    let server = ActorId::new(SERVER).expect("the reserved name is a slug");
    let keys = trust::self_signed(&directory.server, &server)?;
    if keys.root.kid() != code.deployment_root {
        return Err(TrustError::OtherRoot {
            actor: server,
            pinned: code.deployment_root,
            given: keys.root.kid(),
        }
        .into());
    }
    if keys.ctx != code.ctx {
        return Err(CliError::failed(
            format!(
                "the server shows the keys of the context {}, and the invite is for {}",
                keys.ctx, code.ctx
            ),
            "Send nothing, and tell the coordinator.",
        ));
    }
    Ok(keys.mode)
}

/// The root at hand and its `keys` statement that names this device: a new root for a first device, the one brought
/// along for a further one, and neither for one that will wait to be signed.
fn root_and_keys(
    args: &Args,
    code: &InviteCode,
    dir: &Path,
    directory: &KeyDirectory,
    common: Common,
    me: &DeviceKey,
) -> Result<(Option<Root>, Option<String>), CliError> {
    let known = directory
        .actors
        .iter()
        .any(|a| a.actor == code.actor && !a.keys.is_empty());
    let (root, serial, prev, mut devices) = match (&args.root, known) {
        (None, true) => return Ok((None, None)),
        (None, false) => {
            let passphrase = args.passphrase.new_one()?;
            let root = Root::generate();
            root.write(&dir.join(file::ROOT), &code.actor, &passphrase)?;
            (root, 1, None, Vec::new())
        }
        (Some(path), true) => {
            let root = Root::open(path, &args.passphrase)?;
            let pins = Pins {
                ctx: common.ctx.clone(),
                mode: common.mode,
                deployment_root: code.deployment_root,
                coordinator_root: code.coordinator_root.unwrap_or(root.kid()),
                own: Some((code.actor.clone(), root.kid())),
            };
            let trust = Trust::establish(directory, &pins)?;
            let own = trust.actor(&code.actor)?;
            let devices = own.device_keys();
            (
                root,
                own.serial.saturating_add(1),
                Some(own.keys_hash),
                devices,
            )
        }
        (Some(_), false) => {
            return Err(CliError::refused(
                format!("{} has no root at this server yet", code.actor),
                "Enrol its first device without --root; that makes one.",
            ));
        }
    };
    devices.push(me.clone());
    let desk = root.desk().to_json();
    secret_file::replace(&dir.join(file::DESK_SEAL), desk.as_bytes())
        .map_err(ProfileError::from)?;
    let keys = root.sign_keys(common, serial, prev, devices, &[])?;
    Ok((Some(root), Some(keys.envelope.statement)))
}

/// Writes the profile, the file `profile.json` last: it says that all others are there.
fn settle(
    dir: &Path,
    code: &InviteCode,
    draft: &Draft,
    response: &EnrolResponse,
    ca: &Certificate,
    _lock: &ProfileLock,
) -> Result<Profile, CliError> {
    let me = &response.me;
    let as_asked = me.actor == code.actor
        && me.role == code.role
        && me.ctx == draft.ctx
        && me.mode == draft.mode
        && me.aud == trust::audience(code.deployment_root)
        && me.device == draft.request.device;
    if !as_asked {
        return Err(CliError::failed(
            "the server enrolled this device as something else than the invite says",
            "Send nothing, and tell the coordinator.",
        ));
    }
    let leaf = Certificate::from_pem(&response.certificate).map_err(|e| unusable(&e))?;
    profile::write_private(&dir.join(file::CA), ca.to_pem().as_bytes())?;
    profile::write_private(&dir.join(file::TLS_CERT), leaf.to_pem().as_bytes())?;
    let profile = Profile::create(
        dir,
        ProfileFile {
            server: draft.server.clone(),
            ctx: me.ctx.clone(),
            mode: me.mode,
            actor: me.actor.clone(),
            kind: me.kind,
            name: me.name.clone(),
            role: me.role,
            device: me.device.clone(),
            ca: code.ca,
            deployment_root: code.deployment_root,
            coordinator_root: draft.coordinator_root,
            own_root: draft.own_root,
        },
    )?;
    let path = dir.join(file::ENROLLING);
    std::fs::remove_file(&path).map_err(profile::io_error(&path, "removed"))?;
    Ok(profile)
}

fn report(context: &Context, profile: &Profile, draft: &Draft, response: &EnrolResponse) {
    let me = profile.me();
    let pending = response.me.device_state == DeviceState::Pending;
    let device = device_fingerprint(&draft.request.jwk, &draft.request.seal);
    let root = draft.own_root.map(|kid| kid.digest().fingerprint());
    let new_root = profile.path(file::ROOT);
    let value = json!({
        "actor": me.actor, "name": me.name, "role": me.role, "device": me.device, "context": me.ctx, "mode": me.mode,
        "state": response.me.device_state, "actor_state": response.me.actor_state,
        "deployment_root_fingerprint": me.deployment_root.digest().fingerprint(),
        "coordinator_root_fingerprint": me.coordinator_root.digest().fingerprint(),
        "root_fingerprint": root, "device_fingerprint": device.fingerprint(),
        "root_file": new_root.exists().then(|| new_root.display().to_string()),
    });
    context.out.emit(&value, || {
        let mut text = format!(
            "This device is {} of {} ({}), {}, context {}, mode {}.\n",
            me.device,
            me.actor,
            plain(&me.name),
            me.role,
            me.ctx,
            me.mode
        );
        if new_root.exists() {
            add(&mut text, format_args!(
                "\nYour root stands in {}. Move that file to a medium that is kept offline; it signs your next devices.\n",
                new_root.display()
            ));
        }
        if pending {
            add(&mut text, format_args!(
                "\nIt may not speak yet. Read the device's own fingerprint to a colleague who holds the root:\n  {}\nThe colleague runs: herald devices sign {} --root FILE --fingerprint \"…\"\n",
                device.fingerprint(),
                me.device
            ));
        } else if let Some(root) = root.filter(|_| me.own_root != Some(me.coordinator_root)) {
            add(&mut text, format_args!(
                "\nRoot fingerprint, to be read to the coordinator on a number that you know (`herald devices` shows it again):\n  {root}\nWhen the coordinator has compared it, you are admitted.\n"
            ));
        } else if new_root.exists() {
            text += "\nYou are the coordinator: organisations and parties pin this root with their invites.\n";
        }
        pinned(&mut text, me);
        text
    });
}

/// What this device holds fast from now on, for people to compare.
fn pinned(text: &mut String, me: &ProfileFile) {
    add(
        text,
        format_args!(
            "\nThis device believes what stands under these two roots, which came with the invite, and nothing else:\n  the deployment's:   {}\n  the coordinator's:  {}\nCompare both with people whom you trust, once. Who checks files later, without this server, needs the first: herald verify --keys … --root \"…\"\n",
            me.deployment_root.digest().fingerprint(),
            me.coordinator_root.digest().fingerprint(),
        ),
    );
}

fn unusable(error: &dyn std::error::Error) -> CliError {
    CliError::failed(
        format!("the device's keys or certificate do not serve: {error}"),
        "Run the command again; if it stays so, tell the coordinator.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::digest::Digest;
    use crate::domain::actor::Role;

    #[test]
    fn an_invite_is_read_from_standard_input_and_only_one_line_of_it() {
        let code = InviteCode::fresh(
            Digest::of(b"ca"),
            Kid::from_digest(Digest::of(b"root")),
            None,
            "msf".parse().expect("a slug"),
            Role::Organisation,
            "yem".parse().expect("a slug"),
        );
        for text in [
            format!("{code}"),
            format!("  {code}\r\nhow to use it"),
            format!("{code}\n"),
        ] {
            assert!(read_code(text.as_bytes()).expect("a code") == code);
        }
        assert!(matches!("-".parse(), Ok(InviteArg::Stdin)));
        let refused = read_code(&b"HN1.secretsecret"[..]).expect_err("no code");
        assert!(!refused.text().contains("secretsecret"));
        assert!(read_code(std::io::repeat(b'a')).is_err(), "it ends");
    }
}
