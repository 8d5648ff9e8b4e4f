//! What a person at the command line is told when something does not work: what, where, and what to do. The server's
//! problem documents are shown as they came; nothing is ever shown as a dump of program state.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::api::ApiError;
use super::exit::Exit;
use super::outbox::OutboxError;
use super::profile::ProfileError;
use crate::wire::build::{BuildError, OpenError};
use crate::wire::problem::{ProblemBody, ProblemKind};
use crate::wire::trust::TrustError;

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The command line contradicts itself.
    #[error("{0}")]
    Usage(String),
    /// What was given is refused here, before anything was sent.
    #[error("{what}")]
    Refused {
        /// What is wrong, and where.
        what: String,
        /// What to do.
        action: String,
    },
    /// It did not work.
    #[error("{what}")]
    Failed {
        /// What did not work.
        what: String,
        /// What to do.
        action: String,
    },
    /// The profile.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The server, or the way to it.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The server did not take what was signed for now: it waits in the outbox.
    #[error(transparent)]
    Kept(ApiError),
    /// A key that is not believed.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The outbox.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// A statement could not be made.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A part could not be read.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl CliError {
    /// A refusal of what was given.
    pub fn refused(what: impl Into<String>, action: impl Into<String>) -> Self {
        Self::Refused {
            what: what.into(),
            action: action.into(),
        }
    }

    /// A failure.
    pub fn failed(what: impl Into<String>, action: impl Into<String>) -> Self {
        Self::Failed {
            what: what.into(),
            action: action.into(),
        }
    }

    /// The exit code that belongs to it.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Refused { .. }
            | Self::Api(ApiError::Problem(_))
            | Self::Kept(ApiError::Problem(_)) => Exit::Refused,
            Self::Api(ApiError::Unreachable { .. }) | Self::Kept(ApiError::Unreachable { .. }) => {
                Exit::Unreachable
            }
            Self::Failed { .. }
            | Self::Profile(_)
            | Self::Api(_)
            | Self::Kept(_)
            | Self::Trust(_)
            | Self::Outbox(_)
            | Self::Build(_)
            | Self::Open(_) => Exit::Failure,
        }
    }

    /// What to do, where the message itself does not say it.
    pub fn action(&self) -> Option<&str> {
        match self {
            Self::Refused { action, .. } | Self::Failed { action, .. } => Some(action),
            Self::Api(error) => error.action(),
            Self::Kept(_) => Some(
                "What was signed waits in the outbox: do not sign it again, send it with `herald send` when the line is back.",
            ),
            Self::Usage(_) => Some("See --help."),
            Self::Profile(_)
            | Self::Trust(_)
            | Self::Outbox(_)
            | Self::Build(_)
            | Self::Open(_) => None,
        }
    }

    /// What went wrong, in a line: of a refusal also what is wrong with just this.
    pub fn what(&self) -> String {
        match self {
            Self::Api(ApiError::Problem(problem)) | Self::Kept(ApiError::Problem(problem)) => {
                format!("{} ({})", headline(problem), problem.type_uri)
            }
            error => error.to_string(),
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = match self {
            Self::Api(ApiError::Problem(problem)) | Self::Kept(ApiError::Problem(problem)) => {
                problem_text(problem)
            }
            _ => self.to_string(),
        };
        if let Some(action) = self.action() {
            // Writing to a string cannot fail.
            write!(text, "\n  {action}").ok();
        }
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let problem = match self {
            Self::Api(ApiError::Problem(problem)) | Self::Kept(ApiError::Problem(problem)) => {
                serde_json::to_value(problem).ok()
            }
            _ => None,
        };
        json!({"error": {
            "what": self.to_string(), "action": self.action(), "exit": self.exit().code(), "problem": problem,
        }})
    }
}

/// Whether the detail says it all: a title about the organisation would be wrong of a device that waits for its root.
fn is_about_the_device(problem: &ProblemBody) -> bool {
    ProblemKind::from_type_uri(&problem.type_uri) == Some(ProblemKind::NotAdmitted)
        && problem.detail.is_some()
}

/// A problem document in a line.
fn headline(problem: &ProblemBody) -> String {
    match &problem.detail {
        Some(detail) if is_about_the_device(problem) => detail.clone(),
        Some(detail) => format!("{}: {detail}", problem.title),
        None => problem.title.clone(),
    }
}

/// A problem document as text: what, then where.
pub fn problem_text(problem: &ProblemBody) -> String {
    let mut text = if is_about_the_device(problem) {
        format!("The server refused: {}", headline(problem))
    } else {
        let detail = problem.detail.as_ref();
        let detail = detail.map_or_else(String::new, |detail| format!(".\n  {detail}"));
        format!("The server refused: {}{detail}", problem.title)
    };
    let place = [
        problem.pointer.as_ref().map(|p| format!("member {p}")),
        problem.line.map(|n| format!("line {n}")),
        problem.column.map(|n| format!("column {n}")),
        problem
            .vertex
            .map(|n| format!("vertex {n} (counted from 0)")),
    ];
    let place: Vec<String> = place.into_iter().flatten().collect();
    if !place.is_empty() {
        write!(text, "\n  Where: {}", place.join(", ")).ok();
    }
    if let Some(id) = &problem.request_id {
        write!(text, "\n  Request {id}").ok();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::problem::Problem;

    #[test]
    fn a_problem_says_what_where_and_what_to_do() {
        let problem = Problem::new(ProblemKind::GeometryCrossesItself)
            .detail("two edges of ring 0 meet")
            .vertex(3)
            .pointer("/geometry");
        let error = CliError::Api(ApiError::Problem(Box::new(problem.body().clone())));
        let text = error.text();
        for part in [
            "A ring crosses or touches itself",
            "two edges of ring 0 meet",
            "member /geometry, vertex 3",
            "Correct the ring",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(error.exit(), Exit::Refused);
        assert_eq!(error.json()["error"]["problem"]["vertex"], 3);
    }
}
