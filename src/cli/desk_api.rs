//! What the client asks of the server for the desk's day.

use reqwest::Method;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::api::{Api, ApiError};
use crate::domain::ids::LogPosition;
use crate::wire::desk::{Change, Changes, Look, Looked, Queue, Silence};

/// Pages that are asked for at most.
const PAGES: usize = 1_000;

/// Between which moments changes are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Between {
    /// Behind this position.
    pub after: LogPosition,
    /// Up to this position.
    pub upto: Option<LogPosition>,
    /// Stored then or later.
    pub from: Option<OffsetDateTime>,
    /// Stored before.
    pub until: Option<OffsetDateTime>,
}

impl Api {
    /// All that waits for this desk, or what came since this device last looked; page by page, as one.
    ///
    /// # Errors
    /// [`ApiError`]; then nothing of it counts as seen.
    pub async fn queue(&self, all: bool) -> Result<Queue, ApiError> {
        let mut queue: Queue = self.get(&format!("/v1/queue?all={all}")).await?;
        for _ in 0..PAGES {
            let Some(next) = queue.next.take() else { break };
            let path = format!("/v1/queue?all={all}&after={next}");
            let page: Queue = self.get(&path).await?;
            queue.notifications.extend(page.notifications);
            queue.more = page.more;
            queue.next = page.next;
        }
        Ok(queue)
    }

    /// What was said to this desk, and by its own devices, oldest first.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn changes(&self, between: Between) -> Result<Vec<Change>, ApiError> {
        let mut times = String::new();
        for (name, at) in [("from", between.from), ("until", between.until)] {
            let text = at.and_then(|at| at.to_offset(time::UtcOffset::UTC).format(&Rfc3339).ok());
            times.extend(text.map(|text| format!("&{name}={text}")));
        }
        let (mut after, mut changes) = (between.after, Vec::new());
        for _ in 0..PAGES {
            let path = format!("/v1/changes?after={after}{times}");
            let page: Changes = self.get(&path).await?;
            let wanted = |change: &Change| between.upto.is_none_or(|upto| change.pos <= upto);
            changes.extend(page.changes.into_iter().filter(wanted));
            match page.next {
                Some(next) if between.upto.is_none_or(|upto| next < upto) => after = next,
                _ => break,
            }
        }
        Ok(changes)
    }

    /// Says that everything up to a position was shown.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn looked(&self, pos: LogPosition) -> Result<Look, ApiError> {
        self.json(Method::PUT, "/v1/look", Some(&Looked { pos }))
            .await
    }

    /// Who is silent.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn silence(&self) -> Result<Silence, ApiError> {
        self.get("/v1/silence").await
    }
}
