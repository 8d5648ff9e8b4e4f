//! Calls for help that are not resolved, for whoever may know of them: row-level security decides. What happens and where
//! is in the signed parts, never here.

use super::core::{Core, store as failed};
use super::principal::Principal;
use crate::domain::ids::Nid;
use crate::store::distress::{self, Call};
use crate::store::error::StoreError;
use crate::store::tx;
use crate::wire::api::{CallStatus, CalledStatus, Calls};
use crate::wire::problem::Problem;

/// Calls that are shown at once.
const MOST: u32 = 200;

/// The calls that the caller may know of and that are not resolved, oldest first.
///
/// # Errors
/// The database's.
pub async fn unresolved(core: &Core, principal: &Principal) -> Result<Calls, Problem> {
    let read = async {
        let mut tx = tx::begin(&core.pools.app, &principal.tenant()).await?;
        let calls = load(&mut tx, principal).await?;
        tx.rollback().await?;
        Ok(Calls { calls })
    };
    read.await.map_err(|e: StoreError| failed(&e))
}

/// As [`unresolved`], within the tenant's transaction.
pub(in crate::service) async fn load(
    conn: &mut crate::store::Connection,
    principal: &Principal,
) -> Result<Vec<CallStatus>, StoreError> {
    let calls = distress::unresolved(conn, MOST).await?;
    status(conn, calls, principal).await
}

/// The calls about these notifications, within the tenant's transaction.
pub(in crate::service) async fn about(
    conn: &mut crate::store::Connection,
    nids: &[Nid],
    principal: &Principal,
) -> Result<Vec<CallStatus>, StoreError> {
    let calls = distress::unresolved_about(conn, nids).await?;
    status(conn, calls, principal).await
}

async fn status(
    conn: &mut crate::store::Connection,
    calls: Vec<Call>,
    principal: &Principal,
) -> Result<Vec<CallStatus>, StoreError> {
    if calls.is_empty() {
        return Ok(Vec::new());
    }
    let nids: Vec<Nid> = calls.iter().map(|call| call.nid).collect();
    let called = distress::called(conn, &nids).await?;
    let of = |call: Call| {
        let own = called.iter().filter(|c| c.nid == call.nid);
        CallStatus {
            reference: call.nid.reference(),
            nid: call.nid,
            of: call.hash,
            organisation: call.org.clone(),
            about: call.about,
            state: call.state,
            at: call.at,
            seq: own
                .clone()
                .find(|c| c.actor == principal.actor)
                .map(|c| c.seq),
            called: own
                .filter(|c| c.actor != call.org)
                .map(|c| CalledStatus {
                    actor: c.actor.clone(),
                    tier: c.tier,
                    answered_at: c.answered_at,
                })
                .collect(),
        }
    };
    Ok(calls.into_iter().map(of).collect())
}
