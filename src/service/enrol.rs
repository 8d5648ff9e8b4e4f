//! Enrolling and renewing: the way a device gets its certificate. The server takes keys from the request and writes
//! everything else itself; the invite says who the device is.

use time::{Duration, OffsetDateTime};

use super::core::{Core, internal, store};
use super::identity;
use super::intake::{Bearer, EnrolFacts, Intake, NewCertificate};
use super::principal::Principal;
use crate::crypto::digest::Digest;
use crate::crypto::x509::{Certificate, DeviceSubject, Validity};
use crate::crypto::{array_from_b64url, from_b64url};
use crate::domain::ids::{ActorId, DeviceId};
use crate::store::error::StoreError;
use crate::store::{invites, statements};
use crate::wire::api::{EnrolRequest, EnrolResponse, RenewRequest};
use crate::wire::envelope::{Attachment, Content, Envelope};
use crate::wire::problem::{Problem, ProblemKind};

/// How long a device's certificate is good, days.
pub const CERTIFICATE_DAYS: i64 = 90;
/// Bytes of a certificate request.
const MAX_CSR: usize = 8 * 1024;

/// Enrols a device with an invite.
///
/// # Errors
/// Why it is refused; the invite is used up only by a device that is enrolled.
pub async fn enrol(
    core: &Core,
    intake: &Intake,
    request: EnrolRequest,
) -> Result<EnrolResponse, Problem> {
    let secret: [u8; 32] = array_from_b64url(request.invite.as_bytes()).ok_or_else(|| {
        Problem::new(ProblemKind::InvalidMember)
            .detail("32 bytes as base64url")
            .pointer("/invite")
    })?;
    let code = Digest::of(&secret);
    let mut tx = core
        .pools
        .intake
        .begin()
        .await
        .map_err(|e| store(&e.into()))?;
    let now = database_time(&mut tx).await?;
    let invite = invites::lock(&mut tx, &code)
        .await
        .map_err(|e| store(&e))?
        .ok_or(ProblemKind::InviteUnknown)?;
    tx.rollback().await.map_err(|e| store(&e.into()))?;
    let certificate = issue(core, &request.csr, &invite.actor, &request.device, now)?;
    let facts = EnrolFacts {
        code,
        ctx: invite.ctx,
        actor: invite.actor,
        role: invite.role,
        device: request.device.clone(),
        jwk: request.jwk,
        seal: request.seal,
        spki: certificate.spki_digest(),
        until: now + Duration::days(CERTIFICATE_DAYS),
    };
    let receipt = if let Some(keys) = request.keys {
        let mut envelope = Envelope::bare(keys);
        envelope.attachments = request
            .seals
            .iter()
            .map(attachment)
            .collect::<Result<_, _>>()?;
        let taken = intake
            .submit(envelope, Bearer::Enrolling(Box::new(facts.clone())))
            .await?;
        Some(taken.receipt)
    } else {
        enrol_pending(core, &facts).await?;
        None
    };
    let me = identity::by_certificate(core, &facts.spki)
        .await?
        .ok_or_else(|| internal("a device was enrolled and is not there"))?;
    Ok(EnrolResponse {
        certificate: certificate.to_pem(),
        me: identity::me(core, &me)?,
        receipt,
    })
}

fn attachment(seal: &crate::wire::api::EnrolSeal) -> Result<Attachment, Problem> {
    let refuse = |member: &str| {
        Problem::new(ProblemKind::InvalidMember)
            .detail("base64url")
            .pointer(format!("/seals/{member}"))
    };
    Ok(Attachment {
        part: seal.part.clone(),
        sd: seal.sd,
        content: Content::Seal {
            kid: seal.kid,
            sealed: from_b64url(seal.sealed.as_bytes()).ok_or_else(|| refuse("sealed"))?,
        },
    })
}

/// A device whose root is elsewhere waits until the root names it.
async fn enrol_pending(core: &Core, facts: &EnrolFacts) -> Result<(), Problem> {
    let mut tx = core
        .pools
        .intake
        .begin()
        .await
        .map_err(|e| store(&e.into()))?;
    let (_, at) = statements::lock_head(&mut tx)
        .await
        .map_err(|e| store(&e))?;
    super::intake::enrol_pending(core, &mut tx, facts, at).await?;
    tx.commit().await.map_err(|e| store(&e.into()))
}

/// Renews a device's keys, signed with the old one.
///
/// # Errors
/// Why it is refused; the old keys stay in force then.
pub async fn renew(
    core: &Core,
    intake: &Intake,
    principal: &Principal,
    request: RenewRequest,
) -> Result<EnrolResponse, Problem> {
    let mut conn = core
        .pools
        .intake
        .acquire()
        .await
        .map_err(|e| store(&e.into()))?;
    let now = database_time(&mut conn).await?;
    drop(conn);
    let certificate = issue(core, &request.csr, &principal.actor, &principal.device, now)?;
    let new = NewCertificate {
        spki: certificate.spki_digest(),
        until: now + Duration::days(CERTIFICATE_DAYS),
    };
    let bearer = Bearer::Renewing(principal.clone(), Box::new(new.clone()));
    let taken = intake
        .submit(Envelope::bare(request.statement), bearer)
        .await?;
    let me = identity::by_certificate(core, &new.spki)
        .await?
        .ok_or_else(|| Problem::new(ProblemKind::StateForbids).detail("the keys were renewed before, for another certificate request; connect with that one"))?;
    Ok(EnrolResponse {
        certificate: certificate.to_pem(),
        me: identity::me(core, &me)?,
        receipt: Some(taken.receipt),
    })
}

fn issue(
    core: &Core,
    csr: &str,
    actor: &ActorId,
    device: &DeviceId,
    now: OffsetDateTime,
) -> Result<Certificate, Problem> {
    let der = from_b64url(csr.as_bytes())
        .filter(|der| der.len() <= MAX_CSR)
        .ok_or_else(|| {
            Problem::new(ProblemKind::InvalidMember)
                .detail("a certificate request in DER, as base64url")
                .pointer("/csr")
        })?;
    let validity = Validity::days(now - Duration::minutes(5), CERTIFICATE_DAYS)
        .map_err(|_| internal("the database's time is out of range"))?;
    let subject = DeviceSubject {
        device: device.as_str(),
        organisation: actor.as_str(),
    };
    core.deployment
        .authority
        .issue_device(&der, &subject, validity)
        .map_err(|error| {
            Problem::new(ProblemKind::EnrolmentInvalid)
                .detail(error.to_string())
                .pointer("/csr")
        })
}

async fn database_time(conn: &mut crate::store::Connection) -> Result<OffsetDateTime, Problem> {
    statements::now(conn)
        .await
        .map_err(|error: StoreError| store(&error))
}
