//! The loop of a socket: it carries out what the machine decides and reports what happened, and decides nothing itself.
//! Four inputs: the peer, the mailbox's bell, the clock, and the two tokens that end it.

use std::error::Error as _;
use std::future::Future;
use std::io::ErrorKind;
use std::time::Instant;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::frame::{
    CloseReason, Event, FRAME_MAX_BYTES, Payload, READ_BUFFER_BYTES, SUBPROTOCOL, SocketLimits,
    WRITE_BUFFER_MAX_BYTES,
};
use super::machine::{Action, Input, Machine};
use crate::wire::problem::{Problem, ProblemKind};

/// The mailbox could not be read or written. The reason stays in the log of whoever knows it.
#[derive(Debug, thiserror::Error)]
#[error("the mailbox cannot be reached")]
pub struct MailboxUnavailable;

/// Where a socket's events come from: the desk's durable mailbox. A socket is never its only copy.
pub trait Mailbox: Send {
    /// The events after a place, in order: at most `max_events`, and at most `max_bytes` or one event.
    fn fetch(
        &mut self,
        after: u64,
        max_events: usize,
        max_bytes: usize,
    ) -> impl Future<Output = Result<Vec<Event>, MailboxUnavailable>> + Send;

    /// Stores that the device holds everything up to `seq`.
    fn acknowledged(
        &mut self,
        seq: u64,
    ) -> impl Future<Output = Result<(), MailboxUnavailable>> + Send;

    /// Returns when there may be more. Must keep a ring that came while nobody waited, and may be dropped while waiting.
    fn bell(&mut self) -> impl Future<Output = ()> + Send;
}

/// What ends a socket from our side.
#[derive(Debug, Clone)]
pub struct SocketTokens {
    /// The server ends.
    pub stopping: CancellationToken,
    /// The device was revoked.
    pub revoked: CancellationToken,
}

/// Answers a WebSocket handshake and runs `session` on the socket, counted by `sockets`.
///
/// # Errors
/// `subprotocol-missing` when it is no WebSocket handshake or does not offer [`SUBPROTOCOL`].
pub fn upgrade<F>(
    handshake: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    sockets: &TaskTracker,
    session: impl FnOnce(WebSocket) -> F + Send + 'static,
) -> Result<Response, Problem>
where
    F: Future<Output = ()> + Send + 'static,
{
    let handshake = handshake
        .map_err(|_| Problem::new(ProblemKind::SubprotocolMissing))?
        .protocols([SUBPROTOCOL]);
    if handshake.selected_protocol().is_none() {
        return Err(Problem::new(ProblemKind::SubprotocolMissing));
    }
    let counted = sockets.token();
    Ok(handshake
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_MAX_BYTES)
        .max_frame_size(FRAME_MAX_BYTES)
        .max_message_size(FRAME_MAX_BYTES)
        .on_upgrade(move |socket| async move {
            let _counted = counted;
            session(socket).await;
        }))
}

/// Runs a socket whose device holds everything up to `after`, until it closes; says why it did.
pub async fn run(
    mut socket: WebSocket,
    mut mailbox: impl Mailbox,
    after: u64,
    limits: SocketLimits,
    tokens: SocketTokens,
) -> CloseReason {
    metrics::gauge!("herald_sockets").increment(1.0);
    let mut machine = Machine::new(limits.clone(), after, Instant::now());
    let mut clock = interval(limits.tick);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut input = Input::Wake;
    let reason = loop {
        // The tokens also cut a delivery short: a revoked device must not draw out the end by taking it slowly.
        let decided = tokio::select! {
            biased;
            () = tokens.revoked.cancelled() => ending(&mut machine, Input::Revoked),
            () = tokens.stopping.cancelled() => ending(&mut machine, Input::Stopping),
            decided = carry_out(&mut machine, input, &mut socket, &mut mailbox, &limits) => decided,
        };
        if let Some(reason) = decided {
            break reason;
        }
        // The peer comes before the clock, so that what it said while we wrote counts before its silence does.
        input = tokio::select! {
            biased;
            () = tokens.revoked.cancelled() => Input::Revoked,
            () = tokens.stopping.cancelled() => Input::Stopping,
            message = socket.recv() => heard(message),
            _ = clock.tick() => Input::Tick,
            () = mailbox.bell() => Input::Wake,
        };
    };
    // A peer that left or takes nothing would not take a Close either.
    if !matches!(
        reason,
        CloseReason::Peer | CloseReason::SlowReader | CloseReason::Dead
    ) {
        farewell(&mut socket, reason, &limits).await;
    } else if reason != CloseReason::Peer {
        // One try without waiting for the answer.
        drop(timeout(limits.close, socket.send(close_frame(reason))).await);
    }
    metrics::gauge!("herald_sockets").decrement(1.0);
    metrics::counter!("herald_sockets_closed_total", "reason" => reason.label()).increment(1);
    reason
}

/// What the machine closes with when the end comes from our side.
fn ending(machine: &mut Machine, input: Input) -> Option<CloseReason> {
    machine
        .step(input, Instant::now())
        .into_iter()
        .find_map(|action| match action {
            Action::Close(reason) => Some(reason),
            Action::Fetch { .. } | Action::Send(_) | Action::Ping | Action::Acknowledged(_) => None,
        })
}

/// Steps the machine until it asks for nothing more; `Some` when it closes. Each fetch answers one fetch, so the loop is
/// bounded by the window.
async fn carry_out(
    machine: &mut Machine,
    input: Input,
    socket: &mut WebSocket,
    mailbox: &mut impl Mailbox,
    limits: &SocketLimits,
) -> Option<CloseReason> {
    let mut next = Some(input);
    while let Some(input) = next.take() {
        for action in machine.step(input, Instant::now()) {
            let happened = match action {
                Action::Close(reason) => return Some(reason),
                Action::Send(event) => send(socket, message(event.payload), limits).await,
                Action::Ping => send(socket, Message::Ping(bytes::Bytes::new()), limits).await,
                Action::Acknowledged(seq) => {
                    match timeout(limits.mailbox, mailbox.acknowledged(seq)).await {
                        Ok(Ok(())) => None,
                        Ok(Err(_)) | Err(_) => Some(Input::MailboxFailed),
                    }
                }
                Action::Fetch {
                    after,
                    max_events,
                    max_bytes,
                } => {
                    match timeout(limits.mailbox, mailbox.fetch(after, max_events, max_bytes)).await
                    {
                        Ok(Ok(events)) => Some(Input::Fetched(events)),
                        Ok(Err(_)) | Err(_) => Some(Input::MailboxFailed),
                    }
                }
            };
            // A fetch is always the last action of a step; a failure before it makes the rest moot.
            if let Some(happened) = happened {
                next = Some(happened);
                break;
            }
        }
    }
    None
}

/// `Some` when the frame was not taken.
async fn send(socket: &mut WebSocket, message: Message, limits: &SocketLimits) -> Option<Input> {
    match timeout(limits.write, socket.send(message)).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) if stalled(&error) => Some(Input::WriteStalled),
        Ok(Err(_)) => Some(Input::PeerClosed),
        Err(_) => Some(Input::WriteStalled),
    }
}

/// Whether a write failed because the peer takes nothing: the stream's guard says so by `TimedOut`.
fn stalled(error: &axum::Error) -> bool {
    within::<std::io::Error>(error).is_some_and(|io| io.kind() == ErrorKind::TimedOut)
}

/// The first `E` among an error's sources.
fn within<E: std::error::Error + 'static>(error: &axum::Error) -> Option<&E> {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(found) = inner.downcast_ref::<E>() {
            return Some(found);
        }
        source = inner.source();
    }
    None
}

fn message(payload: Payload) -> Message {
    match payload {
        Payload::Text(text) => Message::Text(text.into()),
        Payload::Binary(bytes) => Message::Binary(bytes),
    }
}

fn heard(message: Option<Result<Message, axum::Error>>) -> Input {
    match message {
        Some(Ok(Message::Text(text))) => Input::Text(text.as_str().to_owned()),
        Some(Ok(Message::Binary(_))) => Input::Binary,
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Input::Alive,
        Some(Err(error)) if matches!(within(&error), Some(tungstenite::Error::Capacity(_))) => {
            Input::TooLarge
        }
        Some(Ok(Message::Close(_)) | Err(_)) | None => Input::PeerClosed,
    }
}

fn close_frame(reason: CloseReason) -> Message {
    Message::Close(Some(CloseFrame {
        code: reason.code(),
        reason: reason.words().into(),
    }))
}

/// Says why, and waits a bounded while for the peer's own Close, so that ours is not lost in a reset.
async fn farewell(socket: &mut WebSocket, reason: CloseReason, limits: &SocketLimits) {
    let goodbye = async {
        if socket.send(close_frame(reason)).await.is_ok() {
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    drop(timeout(limits.close, goodbye).await);
}
