//! What an actor is told whose admission is suspended, or who has left: that it is so, and whom to call. Nothing is
//! refused to it in silence.

use super::core::{Core, store};
use super::principal::Principal;
use crate::domain::actor::ActorState;
use crate::store::error::StoreError;
use crate::store::{actors, tx};
use crate::wire::problem::{Problem, ProblemKind};

/// Refuses a party that is suspended or has left everything but its own statements, and who it is.
///
/// # Errors
/// `suspended` or `left`, with the coordinator's number; the database's.
pub async fn check(core: &Core, principal: &Principal) -> Result<(), Problem> {
    if !principal.actor_state.holds_back(principal.kind) {
        return Ok(());
    }
    let read = async {
        let mut tx = tx::begin(&core.pools.app, &principal.tenant()).await?;
        let number = actors::coordinator_number(&mut tx, &principal.ctx).await?;
        tx.rollback().await?;
        Ok(number)
    };
    let number = read.await.map_err(|e: StoreError| store(&e))?;
    Err(problem(principal.actor_state, number.as_deref()))
}

/// The refusal, with the coordinator's number where it is known.
pub fn problem(state: ActorState, number: Option<&str>) -> Problem {
    let kind = match state {
        ActorState::Suspended => ProblemKind::Suspended,
        ActorState::Left => ProblemKind::Left,
        ActorState::Invited | ActorState::Enrolled | ActorState::Admitted => {
            return ProblemKind::NotAdmitted.into();
        }
    };
    match number {
        Some(number) => {
            let action = kind.spec().action.replacen(
                "Call the coordinator",
                &format!("Call the coordinator, {number}"),
                1,
            );
            Problem::new(kind).action(action)
        }
        None => kind.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_held_back_is_told_which_number_to_call_and_what_an_unanswered_check_means() {
        for state in [ActorState::Suspended, ActorState::Left] {
            let said = problem(state, Some("+967 1 234 567"));
            let action = &said.body().action;
            assert!(
                action.starts_with("Call the coordinator, +967 1 234 567."),
                "{action}"
            );
            assert!(action.contains("treated as a conflict"), "{action}");
            assert!(
                problem(state, None)
                    .body()
                    .action
                    .starts_with("Call the coordinator.")
            );
        }
    }
}
