//! The gate: every API operation stands in one table (`domain::policy::OPERATIONS`) with who may call it. What is not in
//! the table is not served. The certificate is looked up in the database on every request.

use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::accept::PeerIdentity;
use super::limits::RateClass;
use super::middleware::{CALLS, Platform};
use crate::crypto::digest::Digest;
use crate::domain::policy::{self, Access};
use crate::service::core::Core;
use crate::service::held_back;
use crate::service::identity;
use crate::service::principal::Principal;
use crate::wire::problem::{Problem, ProblemKind};

/// The header with the mode of the device's context, `live` or `exercise`, in every answer to a device.
pub const MODE_HEADER: HeaderName = HeaderName::from_static("hn-mode");

/// What the gate stands on.
#[derive(Clone)]
pub struct Gate {
    /// To look certificates up.
    pub core: Core,
    /// To count against allowances.
    pub platform: Arc<Platform>,
}

/// Lets a request through, or refuses it. Put it as a route layer, so that the path template is known.
pub async fn gate(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let template = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(String::new, |path| path.as_str().to_owned());
    let method = if request.method() == Method::HEAD {
        Method::GET
    } else {
        request.method().clone()
    };
    let peer = request.extensions().get::<PeerIdentity>().cloned();
    match admit(&gate, &method, &template, peer).await {
        Ok(None) => next.run(request).await,
        Ok(Some(principal)) => {
            let mode = gate
                .core
                .context(&principal.ctx)
                .map(|context| context.mode);
            request.extensions_mut().insert(principal);
            let mut response = next.run(request).await;
            if let Ok(mode) = mode {
                let value = HeaderValue::from_static(mode.as_str());
                response.headers_mut().insert(MODE_HEADER, value);
            }
            response
        }
        Err(problem) => problem.into_response(),
    }
}

async fn admit(
    gate: &Gate,
    method: &Method,
    template: &str,
    peer: Option<PeerIdentity>,
) -> Result<Option<Principal>, Problem> {
    let method = method.as_str();
    let access = policy::access(method, template).ok_or(ProblemKind::MethodNotAllowed)?;
    let peer = peer.ok_or(ProblemKind::Internal)?;
    allow(gate, method, template, &peer)?;
    if access == Access::Open {
        return Ok(None);
    }
    let spki = peer.spki_sha256.ok_or(ProblemKind::CertificateMissing)?;
    let principal = identity::by_certificate(&gate.core, &Digest::from_bytes(spki)).await?;
    let principal = principal.ok_or(ProblemKind::CertificateUnknown)?;
    principal.may_call(access)?;
    if matches!(access, Access::Roles(_)) {
        held_back::check(&gate.core, &principal).await?;
    }
    Ok(Some(principal))
}

/// Draws on the allowance of the request's class. One event may be read on the allowance for calls for help when the reads
/// are spent: it may be the call itself.
fn allow(gate: &Gate, method: &str, template: &str, peer: &PeerIdentity) -> Result<(), Problem> {
    let rates = &gate.platform.rates;
    match rates.check(class(method, template), peer) {
        Err(_) if (method, template) == ("GET", "/v1/events/{seq}") => {
            rates.check(RateClass::Distress, peer)
        }
        other => other,
    }
}

fn class(method: &str, template: &str) -> RateClass {
    match (method, template) {
        (_, "/v1/checks") => RateClass::Checks,
        (_, "/v1/enrol" | "/v1/renew") => RateClass::Enrolment,
        (_, CALLS) => RateClass::Distress,
        ("POST", _) | ("PUT", "/v1/blobs/{digest}") => RateClass::Statements,
        _ => RateClass::Reads,
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;

    /// The device behind the request, which the gate has found.
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| ProblemKind::CertificateMissing.into())
    }
}
