//! A desk's mailbox over HTTP: read it in pages, read one event, say what is kept, or open the stream.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRef, FromRequestParts, Path, Request, State};
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::domain::ids::Seq;
use crate::domain::policy::access;
use crate::http::extract::{JsonBody, QueryParams};
use crate::service::mailbox::{Mailboxes, PageLimits, Reader};
use crate::service::principal::Principal;
use crate::wire::api::Cursor;
use crate::wire::envelope::{EVENT_TYPE, EVENTS_TYPE, join};
use crate::wire::problem::{Problem, ProblemBody, ProblemKind};

/// The header with the last place in a page: the next page's `after`.
pub const NEXT_HEADER: HeaderName = HeaderName::from_static("hn-next");
/// The header with the last place in the mailbox.
pub const HEAD_HEADER: HeaderName = HeaderName::from_static("hn-head");

/// The largest body of a cursor, in bytes.
const CURSOR_MAX_BYTES: usize = 1_024;

/// Opens a stream on a handshake, after a place or after the device's cursor. HTTP does not know WebSockets: whoever puts
/// the server together gives this.
pub type OpenStream = Arc<
    dyn Fn(Request, Reader, Option<Seq>) -> BoxFuture<'static, Result<Response, Problem>>
        + Send
        + Sync,
>;

/// What these operations stand on.
#[derive(Clone)]
pub struct EventsState {
    /// The mailboxes.
    pub mailboxes: Mailboxes,
    /// Opens streams.
    pub open_stream: OpenStream,
}

/// The operations of this file, for a state that they find theirs in.
pub fn router<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    EventsState: FromRef<S>,
    Principal: FromRequestParts<S>,
{
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one))
        .routes(routes!(keep))
        .routes(routes!(stream))
}

/// Where a page begins, and how long it may be.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// Only events after this place. Without it: after the device's cursor.
    pub after: Option<u64>,
    /// At most so many events, 1 to 256. A page is also bounded by about 1 MiB.
    pub limit: Option<u32>,
}

/// Where a stream begins.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StreamQuery {
    /// Only events after this place. Without it: after the device's cursor.
    pub after: Option<u64>,
}

/// Reads the own desk's mailbox: events in order, without a gap, each behind its length.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "delivery",
    params(EventsQuery),
    responses(
        (status = OK, content_type = "application/vnd.hn.events", body = Vec<u8>,
            description = "Events, each behind its length; none when there is no more",
            headers(
                ("hn-next" = u64, description = "The last place in this page: the next page's `after`"),
                ("hn-head" = u64, description = "The last place in the mailbox"),
            )),
        (status = "default", content_type = "application/problem+json", body = ProblemBody,
            description = "A problem (RFC 9457)"),
    ),
    security(("device" = []))
)]
async fn list(
    State(events): State<EventsState>,
    principal: Principal,
    QueryParams(query): QueryParams<EventsQuery>,
) -> Result<Response, Problem> {
    let reader = reader(&principal, "GET", "/v1/events")?;
    let limits = PageLimits {
        events: query.limit.map_or(Ok(PageLimits::POLL.events), limit)?,
        ..PageLimits::POLL
    };
    let after = match query.after {
        Some(after) => Seq(after),
        None => events.cursor(&reader).await?,
    };
    let page = events.mailboxes.page(&reader, after, limits).await;
    let page = page.map_err(|error| error.problem())?;
    let next = page.events.last().map_or(after, |event| event.seq);
    let body = join(page.events.iter().map(|event| event.bytes.as_ref()));
    Ok((
        [
            (header::CONTENT_TYPE, EVENTS_TYPE.to_owned()),
            (NEXT_HEADER, next.to_string()),
            (HEAD_HEADER, page.head.to_string()),
        ],
        body,
    )
        .into_response())
}

/// Reads one event of the own desk's mailbox, for example one that was too large for the stream.
#[utoipa::path(
    get,
    path = "/v1/events/{seq}",
    tag = "delivery",
    params(("seq" = u64, Path, description = "Its place in the mailbox")),
    responses(
        (status = OK, content_type = "application/vnd.hn.event", body = Vec<u8>, description = "The event"),
        (status = "default", content_type = "application/problem+json", body = ProblemBody,
            description = "A problem (RFC 9457)"),
    ),
    security(("device" = []))
)]
async fn one(
    State(events): State<EventsState>,
    principal: Principal,
    path: Result<Path<u64>, axum::extract::rejection::PathRejection>,
) -> Result<Response, Problem> {
    let reader = reader(&principal, "GET", "/v1/events/{seq}")?;
    let Ok(Path(seq)) = path else {
        return Err(Problem::new(ProblemKind::NotFound));
    };
    let event = events.mailboxes.event(&reader, Seq(seq)).await;
    match event.map_err(|error| error.problem())? {
        Some(event) => Ok(([(header::CONTENT_TYPE, EVENT_TYPE)], event.bytes).into_response()),
        None => Err(Problem::new(ProblemKind::NotFound).detail("the mailbox holds no such event")),
    }
}

/// Says that everything up to a place is kept by this device. Never moves back; saying it again is harmless.
#[utoipa::path(
    put,
    path = "/v1/cursor",
    tag = "delivery",
    request_body = Cursor,
    responses(
        (status = OK, body = Cursor, description = "Where the cursor stands now"),
        (status = "default", content_type = "application/problem+json", body = ProblemBody,
            description = "A problem (RFC 9457)"),
    ),
    security(("device" = []))
)]
async fn keep(
    State(events): State<EventsState>,
    principal: Principal,
    JsonBody(cursor): JsonBody<Cursor, CURSOR_MAX_BYTES>,
) -> Result<Json<Cursor>, Problem> {
    let reader = reader(&principal, "PUT", "/v1/cursor")?;
    let kept = events.mailboxes.keep(&reader, cursor.seq).await;
    kept.map(|seq| Json(Cursor { seq })).map_err(|error| {
        let problem = error.problem();
        if problem.kind() == Some(ProblemKind::InvalidQuery) {
            Problem::new(ProblemKind::InvalidMember)
                .detail("the mailbox does not reach that far")
                .pointer("/seq")
        } else {
            problem
        }
    })
}

/// Opens the stream: a WebSocket with the subprotocol `hn.v1`. The server sends each event as a binary frame, or
/// `{"fetch":<seq>}` when it is larger than 64 KiB, and `{"head":<seq>}` when all is sent; the client says
/// `{"ack":<seq>}` when it has kept everything up to there.
#[utoipa::path(
    get,
    path = "/v1/stream",
    tag = "delivery",
    params(StreamQuery),
    responses(
        (status = SWITCHING_PROTOCOLS, description = "The stream"),
        (status = "default", content_type = "application/problem+json", body = ProblemBody,
            description = "A problem (RFC 9457)"),
    ),
    security(("device" = []))
)]
async fn stream(
    State(events): State<EventsState>,
    principal: Principal,
    QueryParams(query): QueryParams<StreamQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let reader = reader(&principal, "GET", "/v1/stream")?;
    (events.open_stream)(request, reader, query.after.map(Seq)).await
}

impl EventsState {
    async fn cursor(&self, reader: &Reader) -> Result<Seq, Problem> {
        match self.mailboxes.cursor(reader).await {
            Ok((cursor, _head, _call)) => Ok(cursor),
            Err(error) => Err(error.problem()),
        }
    }
}

/// The reader behind a caller, if it may call the operation.
fn reader(principal: &Principal, method: &str, template: &str) -> Result<Reader, Problem> {
    let access = access(method, template).ok_or(ProblemKind::NotAllowed)?;
    principal.may_call(access)?;
    Ok(Reader {
        ctx: principal.ctx.clone(),
        actor: principal.actor.clone(),
        kind: principal.kind,
        device: principal.device.clone(),
    })
}

fn limit(asked: u32) -> Result<u32, Problem> {
    if (1..=PageLimits::POLL.events).contains(&asked) {
        Ok(asked)
    } else {
        Err(Problem::new(ProblemKind::InvalidQuery)
            .detail(format!("limit is 1 to {}", PageLimits::POLL.events))
            .pointer("/limit"))
    }
}
