//! What handlers stand on.

use axum::extract::FromRef;

use super::v1::events::EventsState;
use crate::service::check::Checks;
use crate::service::core::Core;
use crate::service::intake::Intake;
use crate::service::nudge::Ways;

/// The state of the API. Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// Keys, pools, names.
    pub core: Core,
    /// The way in for statements.
    pub intake: Intake,
    /// Checks.
    pub checks: Checks,
    /// Mailboxes and streams.
    pub events: EventsState,
    /// By which ways people are nudged.
    pub nudges: Ways,
}

impl FromRef<AppState> for EventsState {
    fn from_ref(state: &AppState) -> Self {
        state.events.clone()
    }
}

impl FromRef<AppState> for Core {
    fn from_ref(state: &AppState) -> Self {
        state.core.clone()
    }
}
