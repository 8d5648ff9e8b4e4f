//! The steps that need no transaction: strict parse, signature, opening of seals, and everything that can be judged from
//! the statement alone. What comes out has typed claims and parts, and records already sealed under the keyring.

use std::collections::HashMap;

use serde_json::Value;

use super::open::{self, OpenedParts};
use super::place::{self, PlaceFacts};
use super::{Bearer, ack, distress, progress, relay, thread};
use crate::crypto::digest::{Digest, Kid};
use crate::crypto::keys::VerifyingKey;
use crate::crypto::statement::{self, StatementError, Unverified};
use crate::crypto::strict_json::{self, Fault, JsonError, Limits};
use crate::domain::actor::Role;
use crate::domain::ids::{ActorId, ContextId, DeviceId};
use crate::domain::kind::Kind;
use crate::domain::policy::{self, Signer};
use crate::service::core::{Core, internal, store};
use crate::service::principal::Principal;
use crate::store::devices::{self, DeviceRow};
use crate::store::rebuild::Stored;
use crate::store::statements::NewRecord;
use crate::wire::build::SealSlot;
use crate::wire::claims::{Claims, Common};
use crate::wire::envelope::Envelope;
use crate::wire::member;
use crate::wire::parts::{ProgressPart, ReplyDetail, Warning};
use crate::wire::problem::{Problem, ProblemKind};
use crate::wire::relay::RelayDetail;
use crate::wire::text;

/// A device, and the key that it signed with. Nothing of it ever changes; where the device stands is looked up with the
/// state.
#[derive(Debug, Clone)]
pub(super) struct SigningDevice {
    /// Its context.
    pub ctx: ContextId,
    /// Its actor.
    pub actor: ActorId,
    /// The device.
    pub device: DeviceId,
    /// Its role.
    pub role: Role,
    key: VerifyingKey,
}

impl SigningDevice {
    fn of_row(row: DeviceRow) -> Result<Self, Problem> {
        Ok(Self {
            key: device_key(&row)?,
            ctx: row.ctx,
            actor: row.actor,
            device: row.device,
            role: row.role,
        })
    }

    fn of_principal(principal: &Principal) -> Self {
        Self {
            ctx: principal.ctx.clone(),
            actor: principal.actor.clone(),
            device: principal.device.clone(),
            role: principal.role,
            key: principal.key,
        }
    }
}

/// Whose key signed, as far as the database knows it.
#[derive(Debug, Clone)]
pub(super) enum SignerKey {
    /// A device.
    Device(Box<SigningDevice>),
    /// A root: a `keys` statement names its own.
    Root,
}

/// A statement that needs only the state to be judged.
pub(super) struct Prepared {
    /// The exact bytes.
    pub jws: String,
    /// Their hash.
    pub hash: Digest,
    /// The key that signed.
    pub key: VerifyingKey,
    /// Its thumbprint.
    pub kid: Kid,
    /// The claims.
    pub claims: Claims,
    /// The claims that every statement has.
    pub common: Common,
    /// Whose key it was.
    pub signer: SignerKey,
    speaks_for: ActorId,
    /// Parts and seals, sealed under the keyring.
    pub records: Vec<NewRecord>,
    /// What the parts say that the state depends on.
    pub facts: Facts,
}

/// What was read from the parts.
pub(super) enum Facts {
    /// Nothing that matters to the state.
    None,
    /// A site or a movement.
    Place(Box<PlaceFacts>),
    /// An acknowledgement's detail, and the letter that it was transcribed from.
    Ack(Box<ack::AckFacts>),
    /// What stood in a package, and where it went.
    Relay(Box<RelayDetail>),
    /// The name of the person invited.
    Person(String),
    /// A warning.
    Warning(Box<Warning>),
    /// A reply.
    Reply(Box<ReplyDetail>),
    /// How far a movement is.
    Progress(Box<ProgressPart>),
    /// A distress call.
    Distress(Box<distress::CallFacts>),
    /// What its parts said was destroyed with their month, and decides nothing any more.
    Destroyed,
}

impl Prepared {
    /// The device that signed.
    ///
    /// # Errors
    /// `not-allowed` when a root signed.
    pub fn device(&self) -> Result<&SigningDevice, Problem> {
        match &self.signer {
            SignerKey::Device(device) => Ok(device),
            SignerKey::Root => Err(ProblemKind::NotAllowed.into()),
        }
    }

    /// The name of the signing device.
    ///
    /// # Errors
    /// As [`Self::device`].
    pub fn device_id(&self) -> Result<&DeviceId, Problem> {
        Ok(&self.device()?.device)
    }

    /// The actor that signed.
    pub fn actor(&self) -> &ActorId {
        &self.common.iss.actor
    }

    /// The actor that the statement speaks for.
    pub const fn speaks_for(&self) -> &ActorId {
        &self.speaks_for
    }
}

/// Looks up signing keys, each once a request.
#[derive(Default)]
pub(super) struct SignerCache(HashMap<Kid, SignerKey>);

impl SignerCache {
    /// The signer of a statement.
    pub async fn find(
        &mut self,
        core: &Core,
        envelope: &Envelope,
        bearer: &Bearer,
    ) -> Result<(Unverified, SignerKey), Problem> {
        let unverified = parse(envelope)?;
        if let Some(known) = self.0.get(&unverified.kid()) {
            return Ok((unverified, known.clone()));
        }
        let (unverified, signer) = look_up(core, unverified, bearer).await?;
        self.0.insert(unverified.kid(), signer.clone());
        Ok((unverified, signer))
    }
}

/// The signer of one statement.
pub(super) async fn find_signer(
    core: &Core,
    envelope: &Envelope,
    bearer: &Bearer,
) -> Result<(Unverified, SignerKey), Problem> {
    look_up(core, parse(envelope)?, bearer).await
}

fn parse(envelope: &Envelope) -> Result<Unverified, Problem> {
    statement::parse(envelope.statement.as_bytes()).map_err(|error| refused_statement(&error))
}

async fn look_up(
    core: &Core,
    unverified: Unverified,
    bearer: &Bearer,
) -> Result<(Unverified, SignerKey), Problem> {
    if kind_of(&unverified)? == Kind::Keys {
        return Ok((unverified, SignerKey::Root));
    }
    // Mostly the device that brings a statement signed it, and was looked up by its certificate a moment ago.
    if let Bearer::Device(principal) = bearer
        && principal.key.kid() == unverified.kid()
    {
        let device = SigningDevice::of_principal(principal);
        return Ok((unverified, SignerKey::Device(Box::new(device))));
    }
    let mut conn = core
        .pools
        .intake
        .acquire()
        .await
        .map_err(|e| store(&e.into()))?;
    let device = devices::by_any_kid(&mut conn, bearer.ctx(), &unverified.kid())
        .await
        .map_err(|e| store(&e))?;
    match device {
        Some(device) => {
            let device = SigningDevice::of_row(device)?;
            Ok((unverified, SignerKey::Device(Box::new(device))))
        }
        None => Err(unknown_key(core, &unverified, bearer)),
    }
}

/// No key of the bearer's context. Whether the key counts in another context is not told; that the statement says itself
/// that it is meant for one, is.
fn unknown_key(core: &Core, unverified: &Unverified, bearer: &Bearer) -> Problem {
    let meant = kind_of(unverified)
        .and_then(|kind| read_claims(kind, payload(unverified)?))
        .and_then(|claims| check_addressed(core, &claims.common(), bearer.ctx()));
    match meant {
        Err(problem)
            if matches!(
                problem.kind(),
                Some(
                    ProblemKind::WrongDeployment
                        | ProblemKind::WrongContext
                        | ProblemKind::WrongMode
                )
            ) =>
        {
            problem
        }
        Ok(()) | Err(_) => Problem::new(ProblemKind::UnknownKey)
            .detail("no device signs or signed with the key that kid names"),
    }
}

/// The kind that a statement says it is.
pub(super) fn kind_in(envelope: &Envelope) -> Result<Kind, Problem> {
    kind_of(&parse(envelope)?)
}

fn kind_of(unverified: &Unverified) -> Result<Kind, Problem> {
    unverified.kind().as_str().parse().map_err(|_| {
        Problem::new(ProblemKind::StatementKind)
            .detail("typ names a kind of statement that this version does not know")
    })
}

/// Verifies and opens one statement.
///
/// # Errors
/// Why it is refused.
pub(super) fn prepare(
    core: &Core,
    envelope: Envelope,
    (unverified, signer): (Unverified, SignerKey),
    bearer: &Bearer,
) -> Result<Prepared, Problem> {
    let kind = kind_of(&unverified)?;
    if !kind.takes_position() {
        return Err(Problem::new(ProblemKind::StatementKind)
            .detail("checks go to /v1/checks; receipts and answers are the server's"));
    }
    if !matches!(kind, Kind::Ack | Kind::Keys | Kind::Relay) {
        unverified
            .limit_payload(statement::ORDINARY_PAYLOAD_BYTES)
            .map_err(|error| refused_statement(&error))?;
    }
    let claims = read_claims(kind, payload(&unverified)?)?;
    let key = verifying_key(&signer, &claims)?;
    let (hash, kid) = (unverified.hash(), unverified.kid());
    unverified
        .verify(&key)
        .map_err(|error| refused_statement(&error))?;
    let common = claims.common();
    check_addressed(core, &common, bearer.ctx())?;
    check_issuer(&common, &signer)?;
    check_authority(&claims, &signer)?;
    check_bearer(&common, bearer)?;
    check_sd(&claims)?;
    let slot = SealSlot::of(&claims);
    let own = &core.context(&common.ctx)?.hpke;
    let opened = open::parts(own, &claims, &envelope)?;
    let facts = facts(&claims, &opened)?;
    let records = open::records(core, own, &claims, &slot, &opened, &envelope)?;
    Ok(Prepared {
        jws: envelope.statement,
        hash,
        key,
        kid,
        speaks_for: claims.speaks_for(),
        claims,
        common,
        signer,
        records,
        facts,
    })
}

/// A stored statement, verified anew, with its parts as they are stored. Whatever it says was judged before. Of one whose
/// parts were destroyed nothing is read; what the state depends on is the caller's to add.
///
/// # Errors
/// What is wrong with it now.
pub(super) async fn again(
    core: &Core,
    stored: &Stored,
    destroyed: bool,
) -> Result<Prepared, Problem> {
    let unverified =
        statement::parse(stored.jws.as_bytes()).map_err(|error| refused_statement(&error))?;
    let kind = kind_of(&unverified)?;
    let claims = read_claims(kind, payload(&unverified)?)?;
    let (hash, kid) = (unverified.hash(), unverified.kid());
    let common = claims.common();
    check_addressed(core, &common, &stored.ctx)?;
    let own = common.iss == core.deployment.node;
    let signer = if own || kind == Kind::Keys {
        SignerKey::Root
    } else {
        let conn = core.pools.intake.acquire().await;
        let mut conn = conn.map_err(|e| store(&e.into()))?;
        let device = devices::by_any_kid(&mut conn, &stored.ctx, &kid).await;
        let device = device.map_err(|e| store(&e))?;
        let device = SigningDevice::of_row(device.ok_or(ProblemKind::UnknownKey)?)?;
        SignerKey::Device(Box::new(device))
    };
    let key = if own {
        *core.deployment.signing.verifying_key()
    } else {
        verifying_key(&signer, &claims)?
    };
    unverified
        .verify(&key)
        .map_err(|error| refused_statement(&error))?;
    if !own {
        check_issuer(&common, &signer)?;
        check_authority(&claims, &signer)?;
    }
    let facts = if destroyed {
        Facts::Destroyed
    } else {
        facts(
            &claims,
            &open::stored_parts(core, &claims, &stored.records)?,
        )?
    };
    Ok(Prepared {
        jws: stored.jws.clone(),
        hash,
        key,
        kid,
        speaks_for: claims.speaks_for(),
        claims,
        common,
        signer,
        records: stored.records.clone(),
        facts,
    })
}

/// The part `detail` of a stored statement of the server's own.
///
/// # Errors
/// It is not there, does not open, or is something else.
pub(super) fn own_detail<T: serde::de::DeserializeOwned>(
    core: &Core,
    stored: &Stored,
) -> Result<T, Problem> {
    let unverified =
        statement::parse(stored.jws.as_bytes()).map_err(|error| refused_statement(&error))?;
    let claims = read_claims(stored.kind, payload(&unverified)?)?;
    open::stored_parts(core, &claims, &stored.records)?.required(crate::wire::parts::name::DETAIL)
}

/// The payload as JSON that can mean only one thing.
pub(in crate::service) fn payload(unverified: &Unverified) -> Result<Value, Problem> {
    strict_json::parse(unverified.payload(), Limits::STATEMENT)
        .map_err(|error| refused_json(&error, ""))
}

/// Typed claims, with the pointer of the member at fault.
pub(in crate::service) fn read_claims(kind: Kind, payload: Value) -> Result<Claims, Problem> {
    text::check(&payload, "")?;
    Claims::read(kind, payload).map_err(|error| refused_member(&error, ""))
}

fn verifying_key(signer: &SignerKey, claims: &Claims) -> Result<VerifyingKey, Problem> {
    match (signer, claims) {
        (SignerKey::Device(device), _) => Ok(device.key),
        (SignerKey::Root, Claims::Keys(keys)) => Ok(keys.root),
        (SignerKey::Root, _) => Err(ProblemKind::NotAllowed.into()),
    }
}

/// A device's current signing key.
pub(in crate::service) fn device_key(device: &DeviceRow) -> Result<VerifyingKey, Problem> {
    let bytes: [u8; 32] = device
        .signing_key
        .as_slice()
        .try_into()
        .map_err(|_| internal("a stored key has the wrong length"))?;
    VerifyingKey::from_bytes(bytes).map_err(|_| internal("a stored key is no key"))
}

/// Addressed to this deployment, to the context of the device that brings it, and in that context's mode.
pub(in crate::service) fn check_addressed(
    core: &Core,
    common: &Common,
    ctx: &ContextId,
) -> Result<(), Problem> {
    if common.aud != core.deployment.aud {
        return Err(Problem::new(ProblemKind::WrongDeployment).pointer("/aud"));
    }
    if common.ctx != *ctx {
        return Err(Problem::new(ProblemKind::WrongContext).pointer("/ctx"));
    }
    if common.mode != core.context(ctx)?.mode {
        return Err(Problem::new(ProblemKind::WrongMode).pointer("/mode"));
    }
    Ok(())
}

fn check_issuer(common: &Common, signer: &SignerKey) -> Result<(), Problem> {
    let fits = match signer {
        SignerKey::Device(device) => {
            common.iss.actor == device.actor
                && common.iss.device.as_ref() == Some(&device.device)
                && common.ctx == device.ctx
        }
        SignerKey::Root => common.iss.device.is_none(),
    };
    if fits {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::UnknownKey)
        .detail("the issuer named is not the one that the key belongs to")
        .pointer("/iss"))
}

/// The role may sign this kind. Where the actor stands is judged with the state, in the transaction.
fn check_authority(claims: &Claims, signer: &SignerKey) -> Result<(), Problem> {
    let (kind, on_behalf) = (claims.kind(), claims.on_behalf().is_some());
    let may = match signer {
        SignerKey::Device(device) => policy::may_sign(kind, device.role, on_behalf),
        SignerKey::Root => policy::signer(kind) == Signer::Root,
    };
    if may {
        return Ok(());
    }
    let what = if on_behalf {
        "on behalf of others: the coordinator alone does, and not of every kind"
    } else {
        "for itself"
    };
    Err(Problem::new(ProblemKind::NotAllowed).detail(format!(
        "this device's role does not sign {kind} statements {what}"
    )))
}

/// Certificate and key belong to the same actor, except that a coordinator may bring what others signed. A renewal is
/// brought by the device itself: its new certificate goes to whoever brings it.
fn check_bearer(common: &Common, bearer: &Bearer) -> Result<(), Problem> {
    let fits = match bearer {
        Bearer::Device(principal) => {
            principal.actor == common.iss.actor || principal.role == Role::Coordinator
        }
        Bearer::Renewing(principal, _) => principal.issuer() == common.iss,
        Bearer::Enrolling(facts) => facts.actor == common.iss.actor,
    };
    if fits {
        Ok(())
    } else {
        Err(ProblemKind::CertificateKeyMismatch.into())
    }
}

/// Digests are sorted and each stands once: no order tells anything, and nothing hides twice.
fn check_sd(claims: &Claims) -> Result<(), Problem> {
    let texts: Vec<String> = claims.sd().iter().map(Digest::to_string).collect();
    if texts.is_sorted_by(|a, b| a < b) {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::InvalidMember)
        .detail("the digests are not sorted, or one stands twice")
        .pointer("/_sd"))
}

fn facts(claims: &Claims, opened: &OpenedParts) -> Result<Facts, Problem> {
    Ok(match claims {
        Claims::Site(_) | Claims::Movement(_) => {
            Facts::Place(Box::new(place::read(claims, opened)?))
        }
        Claims::Ack(claims) => Facts::Ack(Box::new(ack::read(claims, opened)?)),
        Claims::Relay(claims) => relay::read(claims, opened)?,
        Claims::Invite(_) => Facts::Person(super::desk::person(opened)?),
        Claims::Screen(claims) => {
            super::desk::check_screen(claims, opened)?;
            Facts::None
        }
        Claims::Withdraw(_) => {
            opened.typed::<crate::wire::parts::Reason>(crate::wire::parts::name::REASON)?;
            Facts::None
        }
        Claims::Warn(_) => thread::read_warning(opened)?,
        Claims::Reply(_) => thread::read_reply(opened)?,
        Claims::Progress(_) => progress::read(opened)?,
        Claims::Distress(claims) => distress::read_call(claims, opened)?,
        Claims::Respond(_) => distress::read_response(opened)?,
        Claims::Resolve(_) => distress::read_resolution(opened)?,
        Claims::Notice(_)
        | Claims::Alert(_)
        | Claims::Confirm(_)
        | Claims::Handover(_)
        | Claims::Keys(_)
        | Claims::Renew(_)
        | Claims::Policy(_)
        | Claims::Admit(_)
        | Claims::Revoke(_)
        | Claims::Duty(_)
        | Claims::Close(_)
        | Claims::Cosign(_)
        | Claims::Check(_)
        | Claims::Receipt(_)
        | Claims::Answer(_) => Facts::None,
    })
}

/// What is wrong with a statement's form.
pub(in crate::service) fn refused_statement(error: &StatementError) -> Problem {
    let kind = match error {
        StatementError::Signature(_) => ProblemKind::BadSignature,
        StatementError::TooLong | StatementError::PayloadTooLong { .. } => ProblemKind::TooLarge,
        _ => ProblemKind::StatementHeader,
    };
    Problem::new(kind).detail(error.to_string())
}

/// What is wrong with JSON, and where.
pub(in crate::service) fn refused_json(error: &JsonError, prefix: &str) -> Problem {
    let kind = match error.fault {
        Fault::Duplicate => ProblemKind::DuplicateMember,
        Fault::TooDeep(_) => ProblemKind::TooDeep,
        Fault::TooLong(_) | Fault::TooManyNodes(_) => ProblemKind::TooLarge,
        _ => ProblemKind::MalformedBody,
    };
    Problem::new(kind)
        .detail(error.fault.to_string())
        .pointer(format!("{prefix}{}", member::masked(&error.pointer)))
}

/// Which member is wrong, without a name or a value of the sender's.
pub(in crate::service) fn refused_member(
    error: &serde_path_to_error::Error<serde_json::Error>,
    prefix: &str,
) -> Problem {
    let words = error.inner().to_string();
    let pointer = format!("{prefix}{}", member::pointer(error.path(), &words));
    match member::fault(&words) {
        Some((kind, said)) => Problem::new(kind).detail(said),
        None => Problem::new(ProblemKind::InvalidMember),
    }
    .pointer(pointer)
}
