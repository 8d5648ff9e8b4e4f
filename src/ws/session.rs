//! The loop of a socket: it carries out what the machine decides and reports what happened, and decides nothing itself.
//! Four inputs: the peer, the mailbox's bell, the clock, and the tokens that end it. An idle socket wakes for its pings
//! and for nothing else.

use std::future::Future;
use std::io::ErrorKind;
use std::time::Instant;

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::time::{sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;

use super::frame::{
    CloseReason, DistressNotice, Event, FRAGMENT_BYTES, HeadNotice, Payload, SocketLimits,
};
use super::machine::{Action, Input, Machine, MailboxFailure};

/// A socket after its handshake.
pub type WebSocket = WebSocketStream<TokioIo<Upgraded>>;

/// The most messages that are taken at once, so that a talkative peer cannot keep us from all else.
const INPUTS_AT_ONCE: usize = 64;

/// What a mailbox gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Events in order, without a gap.
    pub events: Vec<Event>,
    /// The last place in the mailbox.
    pub head: u64,
}

/// Where a socket's events come from: the desk's durable mailbox. A socket is never its only copy.
pub trait Mailbox: Send {
    /// The events after a place, in order: at most `max_events`, and at most `max_bytes` or one event.
    fn fetch(
        &mut self,
        after: u64,
        max_events: usize,
        max_bytes: usize,
    ) -> impl Future<Output = Result<Fetched, MailboxFailure>> + Send;

    /// Stores that the device holds everything up to `seq`.
    fn acknowledged(&mut self, seq: u64)
    -> impl Future<Output = Result<(), MailboxFailure>> + Send;

    /// Where the last call for help stands, as far as is known; 0 for none.
    fn call(&self) -> u64;

    /// Where calls for help stand after a place, the latest few, in order.
    fn calls(
        &mut self,
        after: u64,
    ) -> impl Future<Output = Result<Vec<u64>, MailboxFailure>> + Send;

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
    /// A newer connection of the same device took this one's place.
    pub replaced: CancellationToken,
}

/// Where a stream begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Only what comes after this place is sent.
    pub after: u64,
    /// The device's cursor.
    pub kept: u64,
}

/// Runs a socket until it closes; says why it did.
pub async fn run(
    mut socket: WebSocket,
    mut mailbox: impl Mailbox,
    start: Start,
    limits: SocketLimits,
    tokens: SocketTokens,
) -> CloseReason {
    metrics::gauge!("herald_sockets").increment(1.0);
    let mut machine = Machine::new(limits.clone(), start.after, Instant::now()).kept(start.kept);
    let mut inputs = vec![Input::Called(mailbox.call()), Input::Wake];
    let reason = loop {
        // The tokens also cut a delivery short: a revoked device must not draw out the end by taking it slowly.
        let cut_short = tokio::select! {
            biased;
            input = ended(&tokens) => Some(input),
            // On the heap while it works, so that an idle socket does not carry what reading a mailbox takes.
            () = Box::pin(carry_out(&mut machine, inputs, &mut socket, &mut mailbox, &limits)) => None,
        };
        if let Some(input) = cut_short {
            drop(machine.step([input], Instant::now()));
        }
        if let Some(reason) = machine.closed() {
            break reason;
        }
        // The peer comes before the clock, so that what it said while we wrote counts before its silence does.
        inputs = tokio::select! {
            biased;
            input = ended(&tokens) => vec![input],
            message = socket.next() => all_heard(message, &mut socket),
            () = sleep_until(machine.deadline().into()) => vec![Input::Tick],
            () = mailbox.bell() => vec![Input::Called(mailbox.call()), Input::Wake],
        };
    };
    // To a peer that left nothing can be said; to one that takes nothing it is tried once.
    if !matches!(
        reason,
        CloseReason::Peer | CloseReason::SlowReader | CloseReason::Dead
    ) {
        Box::pin(farewell(&mut socket, reason, &limits)).await;
    } else if reason != CloseReason::Peer {
        // Without waiting for the answer.
        drop(timeout(limits.close, socket.send(close_frame(reason))).await);
    }
    metrics::gauge!("herald_sockets").decrement(1.0);
    metrics::counter!("herald_sockets_closed_total", "reason" => reason.label()).increment(1);
    reason
}

/// Returns when the end comes from our side.
async fn ended(tokens: &SocketTokens) -> Input {
    tokio::select! {
        biased;
        () = tokens.revoked.cancelled() => Input::Revoked,
        () = tokens.replaced.cancelled() => Input::Replaced,
        () = tokens.stopping.cancelled() => Input::Stopping,
    }
}

/// Steps the machine until it asks for nothing more, or has closed. Each fetch answers one fetch, so the loop is bounded
/// by the window.
async fn carry_out(
    machine: &mut Machine,
    inputs: Vec<Input>,
    socket: &mut WebSocket,
    mailbox: &mut impl Mailbox,
    limits: &SocketLimits,
) {
    let mut actions = machine.step(inputs, Instant::now());
    while !actions.is_empty() {
        let mut next = None;
        for action in actions {
            // What asks the mailbox is always the last action of a step; a failure before it makes the rest moot.
            next = act(action, socket, mailbox, limits).await;
            if next.is_some() {
                break;
            }
        }
        // A call for help may have come while the mailbox was asked.
        let called = next.is_some().then(|| Input::Called(mailbox.call()));
        actions = machine.step(called.into_iter().chain(next), Instant::now());
    }
}

/// Does one thing; `Some` is what came of it.
async fn act(
    action: Action,
    socket: &mut WebSocket,
    mailbox: &mut impl Mailbox,
    limits: &SocketLimits,
) -> Option<Input> {
    let failed = |failure| Some(Input::MailboxFailed(failure));
    match action {
        Action::Close(_) => None,
        Action::Send(event) => send(socket, pieces(event.payload), limits).await,
        Action::Head(head) => {
            let text = serde_json::to_string(&HeadNotice { head }).unwrap_or_default();
            send(socket, [Message::Text(text.into())], limits).await
        }
        Action::Call(distress) => {
            let text = serde_json::to_string(&DistressNotice { distress }).unwrap_or_default();
            send(socket, [Message::Text(text.into())], limits).await
        }
        Action::Look { after } => match timeout(limits.mailbox, mailbox.calls(after)).await {
            Ok(Ok(seqs)) => Some(Input::Calls(seqs)),
            Ok(Err(failure)) => failed(failure),
            Err(_) => failed(MailboxFailure::Unavailable),
        },
        Action::Ping => send(socket, [Message::Ping(bytes::Bytes::new())], limits).await,
        Action::Acknowledged(seq) => {
            match timeout(limits.mailbox, mailbox.acknowledged(seq)).await {
                Ok(Ok(())) => None,
                Ok(Err(failure)) => failed(failure),
                Err(_) => failed(MailboxFailure::Unavailable),
            }
        }
        Action::Fetch {
            after,
            max_events,
            max_bytes,
        } => match timeout(limits.mailbox, mailbox.fetch(after, max_events, max_bytes)).await {
            Ok(Ok(Fetched { events, head })) => Some(Input::Fetched { events, head }),
            Ok(Err(failure)) => failed(failure),
            Err(_) => failed(MailboxFailure::Unavailable),
        },
    }
}

/// What the peer said, and what else it has said already.
fn all_heard(first: Option<Result<Message, Error>>, socket: &mut WebSocket) -> Vec<Input> {
    let mut inputs = vec![heard(first)];
    while inputs.len() < INPUTS_AT_ONCE && !matches!(inputs.last(), Some(Input::PeerClosed)) {
        let Some(next) = socket.next().now_or_never() else {
            break;
        };
        inputs.push(heard(next));
    }
    inputs
}

/// `Some` when what was to be sent was not taken.
async fn send(
    socket: &mut WebSocket,
    pieces: impl IntoIterator<Item = Message>,
    limits: &SocketLimits,
) -> Option<Input> {
    let all = async {
        for piece in pieces {
            socket.feed(piece).await?;
        }
        socket.flush().await
    };
    match timeout(limits.write, all).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) if stalled(&error) => Some(Input::WriteStalled),
        Ok(Err(_)) => Some(Input::PeerClosed),
        Err(_) => Some(Input::WriteStalled),
    }
}

/// Whether a write failed because the peer takes nothing: the stream's guard says so by `TimedOut`.
fn stalled(error: &Error) -> bool {
    matches!(error, Error::Io(io) if io.kind() == ErrorKind::TimedOut)
}

/// A message in fragments (RFC 6455, 5.4). A socket's buffer stays for ever as large as the largest frame that went
/// through it, so this is what an idle socket costs.
fn pieces(payload: Payload) -> impl Iterator<Item = Message> {
    let (mut kind, mut left) = match payload {
        Payload::Text(text) => (Data::Text, text.into()),
        Payload::Binary(bytes) => (Data::Binary, bytes),
    };
    let mut ended = false;
    std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let piece = left.split_to(left.len().min(FRAGMENT_BYTES));
        ended = left.is_empty();
        let opcode = OpCode::Data(std::mem::replace(&mut kind, Data::Continue));
        Some(Message::Frame(Frame::message(piece, opcode, ended)))
    })
}

fn heard(message: Option<Result<Message, Error>>) -> Input {
    match message {
        Some(Ok(Message::Text(text))) => Input::Text(text.as_str().to_owned()),
        Some(Ok(Message::Binary(_))) => Input::Binary,
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Input::Alive,
        Some(Err(Error::Capacity(_))) => Input::TooLarge,
        Some(Ok(Message::Close(_) | Message::Frame(_)) | Err(_)) | None => Input::PeerClosed,
    }
}

fn close_frame(reason: CloseReason) -> Message {
    Message::Close(Some(CloseFrame {
        code: reason.code().into(),
        reason: reason.words().into(),
    }))
}

/// Says why, and waits a bounded while for the peer's own Close, so that ours is not lost in a reset.
async fn farewell(socket: &mut WebSocket, reason: CloseReason, limits: &SocketLimits) {
    let goodbye = async {
        if socket.send(close_frame(reason)).await.is_ok() {
            while let Some(Ok(_)) = socket.next().await {}
        }
    };
    drop(timeout(limits.close, goodbye).await);
}
