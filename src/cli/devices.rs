//! Your devices: who may speak for you, a new one signed by your root, this one's keys renewed with the old ones.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::api::Api;
use super::enrol::DEVICE_LIFE_S;
use super::error::CliError;
use super::exit::Exit;
use super::outbox::Meta;
use super::passphrase::PassphraseArgs;
use super::profile::{self, Profile, ProfileError, file};
use super::root_file::{Root, device_fingerprint};
use super::submit::submit;
use super::words::{add, plain};
use super::{Context, composing, directory, listen, parse_fingerprint};
use crate::crypto::b64url;
use crate::crypto::digest::Digest;
use crate::crypto::keys::SigningKey;
use crate::crypto::seal_key::SealKey;
use crate::crypto::secret_file;
use crate::crypto::x509::{Certificate, TlsKey};
use crate::domain::actor::{DeviceState, Role};
use crate::domain::ids::{ActorId, DeviceId, Issuer};
use crate::domain::kind::Kind;
use crate::wire::api::{DeviceStatus, Devices, RenewRequest};
use crate::wire::build::{Part, build};
use crate::wire::claims::{DeviceKey, RenewClaims};
use crate::wire::parts::{DeskKey, name};

const EXAMPLES: &str = "\
Examples:
  herald devices
  herald devices --of msf                    another actor's, for whoever takes one back (coordinator)
  herald devices sign 7k2m9qxa --root /media/usb/root.sealed.json --fingerprint \"4f1c 09ab …\"
  herald devices renew";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Args {
    /// Whose devices to show, from everybody's keys, when they are not your own
    #[arg(long, value_name = "ACTOR")]
    pub of: Option<ActorId>,
    /// What to do
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Show your devices
    List,
    /// Let a colleague's new device speak, with your root
    Sign {
        /// The device, as it showed itself at its enrolment
        device: DeviceId,
        /// The root's file
        #[arg(long, value_name = "FILE")]
        root: PathBuf,
        /// The fingerprint that the device showed, read to you by the colleague
        #[arg(long, value_parser = parse_fingerprint)]
        fingerprint: Digest,
        /// The passphrase
        #[command(flatten)]
        passphrase: PassphraseArgs,
    },
    /// Make new keys for this device, signed with the old ones
    Renew,
}

/// Shows, signs or renews.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    if let Some(of) = &args.of {
        return list_of(context, of).await;
    }
    match args.action.unwrap_or(Action::List) {
        Action::List => list(context).await,
        Action::Sign {
            device,
            root,
            fingerprint,
            passphrase,
        } => sign(context, &device, &root, fingerprint, &passphrase).await,
        Action::Renew => renew(context).await,
    }
}

async fn list(context: &Context) -> Result<Exit, CliError> {
    let (profile, api) = context.connect()?;
    // Whoever connects learns the keys, the policy and the number to call.
    let trust = composing::known(&profile, &api).await?.trust;
    let me = api.me().await?;
    let devices = api.devices().await?;
    let has_mailbox = me.role != Role::PartyPlanner;
    if has_mailbox && me.device_state == DeviceState::Active && profile.desk_seal_key().is_err() {
        // A colleague's root has signed for this device: the desk's key waits in the mailbox.
        listen::fetch_desk_key(&profile, &api, &trust).await?;
    }
    let has_desk_key = profile.desk_seal_key().is_ok();
    let own_root = match trust.actor(&me.actor) {
        Ok(own) => Some(own.root),
        Err(_) => profile.me().own_root,
    };
    let root = own_root.map(|root| root.digest().fingerprint());
    let value = json!({
        "me": me, "desk_key": has_desk_key, "root_fingerprint": root, "devices": devices.devices,
    });
    context.out.emit(&value, || {
        let mut text = format!(
            "{} ({}), {}, {}\n",
            me.actor, me.name, me.kind, me.actor_state
        );
        if let Some(root) = &root {
            let whose = if own_root == Some(profile.me().coordinator_root) {
                "the coordinator's root fingerprint, which every invite carries"
            } else {
                "root fingerprint, to be read to the coordinator"
            };
            add(&mut text, format_args!("  {whose}:\n      {root}\n"));
        }
        for device in &devices.devices {
            text += &line(device, device.device == me.device);
        }
        if me.device_state == DeviceState::Pending {
            text += "This device is not yet named by its root, so it may not speak yet; a colleague who holds the root signs it.\n";
        } else if !has_mailbox {
            text += "This device may ask (`herald check`); what is sent to your desk, the desk receives.\n";
        } else if !has_desk_key {
            text += "This device cannot open what is sent to your desk yet; a colleague with the root signs it.\n";
        }
        text
    });
    Ok(Exit::Ok)
}

fn line(device: &DeviceStatus, own: bool) -> String {
    let until = time::OffsetDateTime::from_unix_timestamp(device.until)
        .map_or_else(|_| "?".to_owned(), |at| at.date().to_string());
    format!(
        "  {}{}  {:8}  {}  {}  until {until}\n      the device's own fingerprint {}\n",
        device.device,
        if own { " (this one)" } else { "" },
        device.state,
        device.role,
        plain(&device.person),
        device_fingerprint(&device.jwk, &device.seal).fingerprint(),
    )
}

/// Another actor's devices, as its own root named them: no persons stand in everybody's keys.
async fn list_of(context: &Context, of: &ActorId) -> Result<Exit, CliError> {
    let (profile, api) = context.connect()?;
    let trust = directory::trust(&profile, &api).await?;
    let actor = trust.actor(of)?;
    let day = |at: i64| {
        time::OffsetDateTime::from_unix_timestamp(at)
            .map_or_else(|_| "?".to_owned(), |at| at.date().to_string())
    };
    let listed: Vec<_> = actor
        .devices
        .iter()
        .map(|device| {
            json!({
                "device": device.id, "role": device.role, "since": day(device.nbf), "until": day(device.exp),
                "revoked": device.revoked,
            })
        })
        .collect();
    let value = json!({"actor": actor.actor, "state": actor.state, "devices": listed});
    context.out.emit(&value, || {
        let mut text = format!(
            "{} ({}), {}, {}\n",
            actor.actor,
            plain(&actor.name),
            actor.kind,
            actor.state
        );
        for device in &actor.devices {
            let back = if device.revoked { "  TAKEN BACK" } else { "" };
            add(
                &mut text,
                format_args!(
                    "  {}  {}  since {}  until {}{back}\n",
                    device.id,
                    device.role,
                    day(device.nbf),
                    day(device.exp)
                ),
            );
        }
        add(
            &mut text,
            format_args!(
                "To take one back (coordinator): herald revoke DEVICE --of {} --reason lost\n",
                actor.actor
            ),
        );
        text
    });
    Ok(Exit::Ok)
}

async fn sign(
    context: &Context,
    id: &DeviceId,
    root: &Path,
    fingerprint: Digest,
    passphrase: &PassphraseArgs,
) -> Result<Exit, CliError> {
    let (profile, api) = context.connect()?;
    let trust = directory::trust(&profile, &api).await?;
    let own = trust.actor(&profile.me().actor)?;
    let device = pending(api.devices().await?, id)?;
    if device_fingerprint(&device.jwk, &device.seal) != fingerprint {
        return Err(CliError::refused(
            format!("the keys that the server shows for {id} do not have that fingerprint"),
            "Compare it once more with your colleague. If it still differs, sign nothing and tell the coordinator.",
        ));
    }
    let root = Root::open(root, passphrase)?;
    if root.kid() != own.root {
        return Err(CliError::refused(
            format!("this file is not the root of {}", own.actor),
            "Give the file that the first device's enrolment wrote.",
        ));
    }
    let now = context.clock.now().unix_timestamp();
    let mut devices = own.device_keys();
    devices.push(DeviceKey {
        id: id.clone(),
        jwk: device.jwk,
        seal: device.seal.clone(),
        role: device.role,
        nbf: now - super::enrol::CLOCK_SLACK_S,
        exp: now + DEVICE_LIFE_S,
    });
    let seed = DeskKey {
        seed: b64url(root.desk().seed().as_ref()),
    };
    let part = Part::new(name::desk(id), &seed)?.sealed_to(&device.seal);
    let common = profile.common_as(Issuer::root(own.actor.clone()), &context.clock);
    let serial = own.serial.saturating_add(1);
    let built = root.sign_keys(common, serial, Some(own.keys_hash), devices, &[part])?;
    let meta = Meta::of(Kind::Keys, &built.envelope.statement, context.clock.now());
    let submitted = submit(&profile, &api, &trust, &built, &meta).await?;
    context.out.emit(&submitted, || {
        format!(
            "{id} of {} may speak for you from now on, with the role {}. {}",
            plain(&device.person),
            device.role,
            next_there(device.role)
        )
    });
    Ok(Exit::Ok)
}

/// What is to be done on a device that was just signed: a planner has no mailbox, and needs none to ask.
const fn next_there(role: Role) -> &'static str {
    match role {
        Role::PartyPlanner => {
            "There, `herald devices` fetches everybody's keys and the number to call; it may ask with `herald check`."
        }
        _ => "On that device, `herald devices` fetches your desk's key.",
    }
}

fn pending(devices: Devices, id: &DeviceId) -> Result<DeviceStatus, CliError> {
    let device = devices.devices.into_iter().find(|d| d.device == *id);
    match device {
        Some(device) if device.state == DeviceState::Pending => Ok(device),
        Some(device) => Err(CliError::refused(
            format!(
                "the device {id} is {}, it does not wait for a signature",
                device.state
            ),
            "See `herald devices`.",
        )),
        None => Err(CliError::refused(
            format!("you have no device {id}"),
            "See `herald devices`; the colleague enrols it first.",
        )),
    }
}

/// New keys that wait for their certificate. Holds secrets: a secret file.
#[derive(Serialize, Deserialize)]
struct Renewal {
    jwk: String,
    seal: String,
    tls: String,
    request: RenewRequest,
    /// The answer, kept before the files are put in place.
    certificate: Option<String>,
}

const RENEWING: &str = "renewing.json";

async fn renew(context: &Context) -> Result<Exit, CliError> {
    let profile = context.profile()?;
    let _lock = profile.lock("renewal")?;
    let path = profile.path(RENEWING);
    let mut renewal: Renewal = if path.exists() {
        profile::read_json(&path)?
    } else {
        let renewal = draft(context, &profile)?;
        profile::write_json(&path, &renewal)?;
        renewal
    };
    // When there is one, the last run ended while it put the new files in place.
    let certificate = if let Some(certificate) = &renewal.certificate {
        certificate.clone()
    } else {
        let api = Api::of_profile(&profile)?;
        let certificate = api.renew(&renewal.request).await?.certificate;
        renewal.certificate = Some(certificate.clone());
        profile::write_json(&path, &renewal)?;
        certificate
    };
    let leaf = Certificate::from_pem(&certificate).map_err(|e| unusable(&e))?;
    for (name, secret) in [
        (file::TLS_KEY, &renewal.tls),
        (file::DEVICE, &renewal.jwk),
        (file::DEVICE_SEAL, &renewal.seal),
    ] {
        secret_file::replace(&profile.path(name), secret.as_bytes()).map_err(ProfileError::from)?;
    }
    profile::write_private(&profile.path(file::TLS_CERT), leaf.to_pem().as_bytes())?;
    std::fs::remove_file(&path).map_err(profile::io_error(&path, "removed"))?;
    let device = &profile.me().device;
    context
        .out
        .emit(&json!({"device": device, "renewed": true}), || {
            format!("The keys of {device} are renewed. What it signed before stays signed.")
        });
    Ok(Exit::Ok)
}

fn draft(context: &Context, profile: &Profile) -> Result<Renewal, CliError> {
    let (key, seal) = (SigningKey::generate(), SealKey::generate());
    let tls = TlsKey::generate().map_err(|e| unusable(&e))?;
    let common = profile.common(&context.clock);
    let exp = common.iat + DEVICE_LIFE_S;
    let claims = RenewClaims::new(common, *key.verifying_key(), seal.public_key().clone(), exp);
    let built = build(claims, &[], &profile.signing_key()?)?;
    Ok(Renewal {
        jwk: key.to_jwk().to_string(),
        seal: seal.to_json().to_string(),
        tls: tls.to_pem().to_string(),
        request: RenewRequest {
            statement: built.envelope.statement,
            csr: b64url(&tls.make_csr().map_err(|e| unusable(&e))?),
        },
        certificate: None,
    })
}

fn unusable(error: &dyn std::error::Error) -> CliError {
    CliError::failed(
        format!("the new keys or their certificate do not serve: {error}"),
        "Run the command again; the old keys still count.",
    )
}
