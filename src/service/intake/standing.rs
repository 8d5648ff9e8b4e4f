//! What every statement of a group is judged by, read once a group: the policy, the actors, the signing devices. All of it
//! changes by statements alone, in order, under the head's lock; after one that may change it, it is read anew.

use std::collections::HashMap;
use std::sync::Arc;

use crate::crypto::digest::Kid;
use crate::domain::actor::ActorKind;
use crate::domain::ids::{ActorId, ContextId};
use crate::domain::kind::Kind;
use crate::store::Connection;
use crate::store::actors::{self, ActorRow};
use crate::store::devices::{self, DeviceRow};
use crate::store::error::StoreError;
use crate::wire::policy::Policy;

/// What was read of one context, in one transaction.
#[derive(Default)]
pub(super) struct Standing {
    policy: Option<Arc<Policy>>,
    actors: Option<Arc<[ActorRow]>>,
    devices: HashMap<Kid, Arc<DeviceRow>>,
}

impl Standing {
    /// Forgets what a statement of this kind may have changed.
    pub fn after(&mut self, kind: Kind) {
        match kind {
            Kind::Site
            | Kind::Movement
            | Kind::Withdraw
            | Kind::Close
            | Kind::Screen
            | Kind::Cosign
            | Kind::Ack
            | Kind::Notice
            | Kind::Relay
            | Kind::Warn
            | Kind::Reply
            | Kind::Progress
            | Kind::Confirm
            | Kind::Distress
            | Kind::Respond
            | Kind::Resolve
            | Kind::Alert
            | Kind::Handover
            | Kind::Check
            | Kind::Receipt
            | Kind::Answer => {}
            Kind::Keys
            | Kind::Renew
            | Kind::Revoke
            | Kind::Policy
            | Kind::Admit
            | Kind::Invite
            | Kind::Duty => *self = Self::default(),
        }
    }

    /// The policy in force.
    pub async fn policy(
        &mut self,
        conn: &mut Connection,
        ctx: &ContextId,
    ) -> Result<Arc<Policy>, StoreError> {
        if let Some(policy) = &self.policy {
            return Ok(Arc::clone(policy));
        }
        let (policy, _) = actors::policy(conn, ctx).await?;
        Ok(Arc::clone(self.policy.insert(Arc::new(policy))))
    }

    /// All actors.
    pub async fn actors(
        &mut self,
        conn: &mut Connection,
        ctx: &ContextId,
    ) -> Result<Arc<[ActorRow]>, StoreError> {
        if let Some(actors) = &self.actors {
            return Ok(Arc::clone(actors));
        }
        let actors = actors::all(conn, ctx).await?;
        Ok(Arc::clone(self.actors.insert(actors.into())))
    }

    /// The coordinators that have enrolled.
    pub async fn coordinators(
        &mut self,
        conn: &mut Connection,
        ctx: &ContextId,
    ) -> Result<Vec<ActorId>, StoreError> {
        let actors = self.actors(conn, ctx).await?;
        let enrolled =
            |row: &&ActorRow| row.kind == ActorKind::Coordinator && row.desk_key.is_some();
        Ok(actors
            .iter()
            .filter(enrolled)
            .map(|row| row.actor.clone())
            .collect())
    }

    /// The device of the context that a key names now.
    pub async fn device(
        &mut self,
        conn: &mut Connection,
        ctx: &ContextId,
        kid: &Kid,
    ) -> Result<Option<Arc<DeviceRow>>, StoreError> {
        if let Some(device) = self.devices.get(kid) {
            return Ok(Some(Arc::clone(device)));
        }
        let Some(device) = devices::by_kid(conn, ctx, kid).await? else {
            return Ok(None);
        };
        let device = Arc::new(device);
        self.devices.insert(*kid, Arc::clone(&device));
        Ok(Some(device))
    }
}
