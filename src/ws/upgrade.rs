//! Opens a stream: the handshake, the place in the hub, and the durable mailbox behind the socket. Whoever answers
//! `GET /v1/stream` calls [`Streams::open`] with who is reading.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::frame::{Event, FRAME_MAX_BYTES, FetchReference, Payload, SocketLimits};
use super::handshake;
use super::machine::MailboxFailure;
use super::session::{self, Fetched, Mailbox, SocketTokens, Start};
use crate::domain::ids::Seq;
use crate::service::hub::{Hub, Listener};
use crate::service::mailbox::{Delivered, MailboxError, Mailboxes, PageLimits, Reader};
use crate::wire::problem::{Problem, ProblemKind};

/// What a client that finds no place is told to wait.
const FULL_RETRY_AFTER: Duration = Duration::from_secs(10);

/// Everything that a stream needs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Streams {
    /// The mailboxes.
    pub mailboxes: Mailboxes,
    /// Who is listening.
    pub hub: Arc<Hub>,
    /// The bounds of a socket.
    pub limits: SocketLimits,
    /// Cancelled when the server ends: sockets say 1001.
    pub stopping: CancellationToken,
    /// Counts sockets.
    pub sockets: TaskTracker,
}

impl Streams {
    /// [`Self::open`] as a value, for whoever answers `GET /v1/stream`.
    pub fn opener(
        self,
    ) -> impl Fn(Request, Reader, Option<Seq>) -> BoxFuture<'static, Result<Response, Problem>>
    + Send
    + Sync
    + 'static {
        move |request, reader, after| {
            let streams = self.clone();
            Box::pin(async move { streams.open(request, reader, after).await })
        }
    }

    /// Answers the handshake. The stream begins after `after`, or after the device's cursor.
    ///
    /// # Errors
    /// `subprotocol-missing`; `overloaded` when all places are taken; `invalid-query` when `after` lies behind the end of
    /// the mailbox; as [`MailboxError::problem`].
    pub async fn open(
        &self,
        request: Request,
        reader: Reader,
        after: Option<Seq>,
    ) -> Result<Response, Problem> {
        let (cursor, head, call) = self
            .mailboxes
            .cursor(&reader)
            .await
            .map_err(|error| error.problem())?;
        let after = after.unwrap_or(cursor);
        if after > head {
            return Err(MailboxError::Beyond { head }.problem());
        }
        let desk = (reader.ctx.clone(), reader.actor.clone());
        let listener = self
            .hub
            .listen(desk, reader.device.clone())
            .map_err(|full| {
                Problem::new(ProblemKind::Overloaded)
                    .detail(full.to_string())
                    .retry_after_s(FULL_RETRY_AFTER.as_secs())
            })?;
        listener.saw_call(call);
        let tokens = SocketTokens {
            stopping: self.stopping.clone(),
            revoked: listener.revoked.clone(),
            replaced: listener.replaced.clone(),
        };
        let mailbox = DeskMailbox {
            mailboxes: self.mailboxes.clone(),
            reader,
            listener,
        };
        let limits = self.limits.clone();
        let start = Start {
            after: after.0,
            kept: cursor.0,
        };
        handshake::upgrade(request, &self.sockets, move |socket| async move {
            session::run(socket, mailbox, start, limits, tokens).await;
        })
    }
}

/// The mailbox of one desk, as one socket of one device sees it.
struct DeskMailbox {
    mailboxes: Mailboxes,
    reader: Reader,
    listener: Listener,
}

impl Mailbox for DeskMailbox {
    async fn fetch(
        &mut self,
        after: u64,
        max_events: usize,
        max_bytes: usize,
    ) -> Result<Fetched, MailboxFailure> {
        let limits = PageLimits {
            events: u32::try_from(max_events)
                .unwrap_or(u32::MAX)
                .min(PageLimits::STREAM.events),
            bytes: max_bytes.min(PageLimits::STREAM.bytes),
            ..PageLimits::STREAM
        };
        let page = self.mailboxes.page(&self.reader, Seq(after), limits).await;
        let page = page.map_err(|error| failure(&error))?;
        self.listener.saw(page.head);
        self.listener.saw_call(page.call);
        Ok(Fetched {
            events: page.events.into_iter().map(event).collect(),
            head: page.head.0,
        })
    }

    async fn acknowledged(&mut self, seq: u64) -> Result<(), MailboxFailure> {
        let kept = self.mailboxes.keep(&self.reader, Seq(seq)).await;
        kept.map(drop).map_err(|error| failure(&error))
    }

    fn call(&self) -> u64 {
        self.listener.call().0
    }

    async fn calls(&mut self, after: u64) -> Result<Vec<u64>, MailboxFailure> {
        let calls = self.mailboxes.calls(&self.reader, Seq(after)).await;
        let calls = calls.map_err(|error| failure(&error))?;
        Ok(calls.into_iter().map(|seq| seq.0).collect())
    }

    async fn bell(&mut self) {
        self.listener.bell().await;
    }
}

/// An event as a frame, or, when it is too large for one, the reference by which it is fetched.
fn event(delivered: Delivered) -> Event {
    let seq = delivered.seq.0;
    let payload = if delivered.bytes.len() <= FRAME_MAX_BYTES {
        Payload::Binary(delivered.bytes)
    } else {
        Payload::Text(serde_json::to_string(&FetchReference { fetch: seq }).unwrap_or_default())
    };
    Event { seq, payload }
}

fn failure(error: &MailboxError) -> MailboxFailure {
    match error {
        MailboxError::NotActive | MailboxError::HeldBack { .. } => MailboxFailure::Revoked,
        // A database that was set back to an older state holds less than this socket has sent: a person must look.
        MailboxError::Stopped { .. } | MailboxError::NoDeskKey | MailboxError::Beyond { .. } => {
            MailboxFailure::Stopped
        }
        MailboxError::Store(error) => {
            tracing::warn!(%error, "a mailbox cannot be read or written now");
            MailboxFailure::Unavailable
        }
    }
}
