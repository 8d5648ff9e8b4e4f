//! Whether a question is taken: its form, its signature, whose it is, whether it is fresh, and what it asks.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::crypto::digest::{Digest, Kid};
use crate::crypto::disclosure::Disclosure;
use crate::crypto::statement::{self, Unverified};
use crate::domain::actor::{ActorState, DeviceState};
use crate::domain::ids::{ActorId, ContextId, DeviceId};
use crate::domain::kind::Kind;
use crate::domain::plural::count;
use crate::domain::policy::{self, Signer};
use crate::service::core::Core;
use crate::service::held_back;
use crate::service::intake::{
    check_addressed, device_key, payload, read_claims, refused_member, refused_statement,
};
use crate::service::principal::Principal;
use crate::store::checks::Asked;
use crate::store::devices::DeviceRow;
use crate::wire::check::Question;
use crate::wire::claims::{CheckClaims, Claims};
use crate::wire::envelope::{Content, Envelope};
use crate::wire::parts::{CheckArea, name};
use crate::wire::policy::Policy;
use crate::wire::problem::{Problem, ProblemKind};
use crate::wire::text;

/// A question whose form is right; the signature has not been looked at.
pub(super) struct Read {
    unverified: Unverified,
    claims: CheckClaims,
    statement: String,
    area: Disclosure,
}

/// A question that a device of the asking party signed.
pub(super) struct Signed {
    /// The exact bytes.
    pub statement: String,
    /// Their hash.
    pub hash: Digest,
    /// The party.
    pub actor: ActorId,
    /// The area's disclosure, as it was sent.
    pub area: String,
    ctx: ContextId,
    device: DeviceId,
    jti: Uuid,
    iat: i64,
    asked: CheckArea,
}

impl Signed {
    /// Whose, and which.
    pub fn asked(&self) -> Asked<'_> {
        Asked {
            ctx: &self.ctx,
            actor: &self.actor,
            device: &self.device,
            jti: self.jti,
            hash: &self.hash,
        }
    }
}

/// A question that is answered, whatever happens from here on.
pub(super) struct Accepted {
    /// Who signed what.
    pub signed: Signed,
    /// What is asked.
    pub question: Question,
}

/// Reads the envelope: a `check` statement for this deployment by the party whose certificate it is, and its area.
pub(super) fn read(
    core: &Core,
    principal: &Principal,
    envelope: Envelope,
) -> Result<Read, Problem> {
    let unverified = statement::parse(envelope.statement.as_bytes())
        .map_err(|error| refused_statement(&error))?;
    if unverified.kind().as_str() != Kind::Check.as_str() {
        return Err(Problem::new(ProblemKind::StatementKind)
            .detail("only check statements are answered here"));
    }
    let Claims::Check(claims) = read_claims(Kind::Check, payload(&unverified)?)? else {
        return Err(ProblemKind::StatementKind.into());
    };
    check_addressed(core, &claims.common(), &principal.ctx)?;
    if claims.iss.actor != principal.actor {
        return Err(Problem::new(ProblemKind::CertificateKeyMismatch)
            .detail("a check is brought by the party that signed it")
            .pointer("/iss"));
    }
    if principal.actor_state != ActorState::Admitted {
        return Err(held_back::problem(principal.actor_state, None));
    }
    let area = area(&envelope, &claims)?;
    Ok(Read {
        unverified,
        claims: *claims,
        statement: envelope.statement,
        area,
    })
}

/// The one part of a check, in the clear, and the one that the statement names.
fn area(envelope: &Envelope, claims: &CheckClaims) -> Result<Disclosure, Problem> {
    let missing = || {
        Problem::new(ProblemKind::MissingPart)
            .detail("a check has one part, `area`, as a disclosure in the clear")
    };
    let [attachment] = envelope.attachments.as_slice() else {
        return Err(missing());
    };
    let Content::Disclosure(text) = &attachment.content else {
        return Err(missing());
    };
    if attachment.part != name::AREA {
        return Err(missing());
    }
    let foreign = || Problem::new(ProblemKind::DigestMismatch).pointer("/_sd");
    let disclosure = Disclosure::parse_expecting(text.as_bytes(), &attachment.sd)
        .map_err(|error| foreign().detail(error.to_string()))?;
    if claims.sd != [attachment.sd] || disclosure.name() != name::AREA {
        return Err(foreign());
    }
    Ok(disclosure)
}

impl Read {
    /// The key that is said to have signed.
    pub fn kid(&self) -> Kid {
        self.unverified.kid()
    }
}

/// Verifies the signature with the key of an active device of the asking party; `device` is the one that the key belongs
/// to, as far as that party may see.
pub(super) fn signed_by(
    read: Read,
    device: Option<DeviceRow>,
    principal: &Principal,
) -> Result<Signed, Problem> {
    let unknown = || {
        Problem::new(ProblemKind::UnknownKey)
            .detail("no device of this party that counts now signs with the key that kid names")
    };
    let device = device.ok_or_else(unknown)?;
    let claims = &read.claims;
    if device.actor != principal.actor || claims.iss.device.as_ref() != Some(&device.device) {
        return Err(unknown().pointer("/iss"));
    }
    if device.state != DeviceState::Active {
        return Err(unknown());
    }
    let may = matches!(policy::signer(Kind::Check), Signer::Admitted(roles) if roles.contains(&device.role));
    if !may {
        return Err(
            Problem::new(ProblemKind::NotAllowed).detail("this device's role does not sign checks")
        );
    }
    let hash = read.unverified.hash();
    read.unverified
        .verify(&device_key(&device)?)
        .map_err(|error| refused_statement(&error))?;
    let encoded = read.area.encoded().to_owned();
    text::check(read.area.value(), "/area")?;
    let asked: CheckArea = serde_path_to_error::deserialize(read.area.into_value())
        .map_err(|error| refused_member(&error, "/area"))?;
    Ok(Signed {
        statement: read.statement,
        hash,
        actor: principal.actor.clone(),
        area: encoded,
        ctx: read.claims.ctx,
        device: device.device,
        jti: read.claims.jti,
        iat: read.claims.iat,
        asked,
    })
}

/// Fresh by the database's time, and within bounds.
pub(super) fn accept(
    signed: Signed,
    policy: &Policy,
    now: OffsetDateTime,
) -> Result<Accepted, Problem> {
    let age_s = now.unix_timestamp().saturating_sub(signed.iat);
    let limits = policy.freshness_s;
    if age_s > i64::from(limits.check) {
        return Err(Problem::new(ProblemKind::Stale)
            .detail(format!(
                "a check is answered within {} of its signature",
                count(limits.check, "second")
            ))
            .pointer("/iat"));
    }
    if age_s < -i64::from(limits.ahead) {
        return Err(Problem::new(ProblemKind::FromTheFuture).pointer("/iat"));
    }
    let question = Question::read(&signed.asked)?;
    Ok(Accepted { signed, question })
}
