//! The loop of a socket over real TLS: order, resumption, the bell, slow and dead peers, and the two ends from our side.
//! The mailbox here is a list in memory; the durable one has tests of its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::routing::get;
use futures_util::{SinkExt, StreamExt};
use herald::http::{Limits, QueryParams};
use herald::wire::problem::ProblemKind;
use herald::ws::frame::{CloseReason, Event, FRAME_MAX_BYTES, Payload, SUBPROTOCOL, SocketLimits};
use herald::ws::handshake;
use herald::ws::machine::MailboxFailure;
use herald::ws::session::{self, Fetched, Mailbox, SocketTokens, Start};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{PATIENCE, Server, short_limits};

type Client = WebSocketStream<TlsStream<TcpStream>>;

#[derive(Clone, Default)]
struct Desk {
    events: Arc<Mutex<Vec<Event>>>,
    bell: Arc<Notify>,
    acked: Arc<AtomicU64>,
}

impl Desk {
    fn put(&self, count: u64, bytes: usize) {
        let mut events = self.events.lock().expect("not poisoned");
        for _ in 0..count {
            let seq = events.len() as u64 + 1;
            let text = format!("{seq}:{}", "x".repeat(bytes));
            events.push(Event {
                seq,
                payload: Payload::Text(text),
            });
        }
        self.bell.notify_one();
    }
}

impl Mailbox for Desk {
    async fn fetch(
        &mut self,
        after: u64,
        max: usize,
        _bytes: usize,
    ) -> Result<Fetched, MailboxFailure> {
        let events = self.events.lock().expect("not poisoned");
        Ok(Fetched {
            events: events
                .iter()
                .filter(|event| event.seq > after)
                .take(max)
                .cloned()
                .collect(),
            head: events.len() as u64,
        })
    }

    async fn acknowledged(&mut self, seq: u64) -> Result<(), MailboxFailure> {
        self.acked.store(seq, Ordering::SeqCst);
        Ok(())
    }

    fn call(&self) -> u64 {
        0
    }

    async fn calls(&mut self, _after: u64) -> Result<Vec<u64>, MailboxFailure> {
        Ok(Vec::new())
    }

    async fn bell(&mut self) {
        self.bell.notified().await;
    }
}

#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

struct Stream {
    server: Server,
    desk: Desk,
    tokens: SocketTokens,
    sockets: TaskTracker,
    ended: mpsc::UnboundedReceiver<CloseReason>,
}

impl Stream {
    async fn start(limits: SocketLimits) -> Self {
        Self::start_with(short_limits(), limits).await
    }

    async fn start_with(server_limits: Limits, limits: SocketLimits) -> Self {
        let desk = Desk::default();
        let tokens = SocketTokens {
            stopping: CancellationToken::new(),
            revoked: CancellationToken::new(),
            replaced: CancellationToken::new(),
        };
        let sockets = TaskTracker::new();
        let (tell, ended) = mpsc::unbounded_channel();
        let (mailbox, ends, tracker) = (desk.clone(), tokens.clone(), sockets.clone());
        let handler = move |QueryParams(query): QueryParams<After>, request: Request| async move {
            let start = Start {
                after: query.after,
                kept: query.after,
            };
            handshake::upgrade(request, &tracker, move |socket| async move {
                let reason = session::run(socket, mailbox, start, limits, ends).await;
                tell.send(reason).expect("the test listens");
            })
        };
        let server =
            Server::start(server_limits, Router::new().route("/stream", get(handler))).await;
        Self {
            server,
            desk,
            tokens,
            sockets,
            ended,
        }
    }

    async fn connect(&self, after: u64) -> Client {
        let uri = format!("wss://localhost/stream?after={after}");
        let mut request = uri.into_client_request().expect("a request");
        request.headers_mut().insert(
            "sec-websocket-protocol",
            SUBPROTOCOL.parse().expect("a value"),
        );
        let tls = self.server.connect().await;
        let (client, response) = tokio_tungstenite::client_async(request, tls)
            .await
            .expect("a socket");
        assert_eq!(response.headers()["sec-websocket-protocol"], SUBPROTOCOL);
        client
    }

    async fn reason(&mut self) -> CloseReason {
        let reason = tokio::time::timeout(PATIENCE, self.ended.recv()).await;
        reason
            .expect("the session ends")
            .expect("the session says why")
    }
}

/// The place of the next event; pings are answered by the client library.
async fn next_seq(client: &mut Client) -> u64 {
    loop {
        let message = tokio::time::timeout(PATIENCE, client.next())
            .await
            .expect("an event comes");
        if let Message::Text(text) = message
            .expect("the socket lives")
            .expect("the socket lives")
        {
            if text.starts_with(r#"{"head":"#) {
                continue;
            }
            let (seq, _) = text.split_once(':').expect("our form");
            return seq.parse().expect("a number");
        }
    }
}

/// The code and the words of the server's Close.
async fn close_of(client: &mut Client) -> (u16, String) {
    loop {
        let message = tokio::time::timeout(PATIENCE, client.next())
            .await
            .expect("a close comes");
        if let Message::Close(frame) = message
            .expect("a close comes first")
            .expect("a close comes first")
        {
            let frame = frame.expect("the close has a reason");
            // The library answers the close while it is read on.
            while client.next().await.is_some_and(|message| message.is_ok()) {}
            return (frame.code.into(), frame.reason.to_string());
        }
    }
}

async fn ack(client: &mut Client, seq: u64) {
    client
        .send(Message::text(format!(r#"{{"ack":{seq}}}"#)))
        .await
        .expect("is sent");
}

#[tokio::test]
async fn events_come_in_order_and_a_new_connection_resumes_after_what_was_kept() {
    let mut stream = Stream::start(SocketLimits {
        window_events: 3,
        ..SocketLimits::default()
    })
    .await;
    stream.desk.put(10, 10);
    let mut client = stream.connect(0).await;
    for seq in 1..=6 {
        assert_eq!(next_seq(&mut client).await, seq);
        ack(&mut client, seq).await;
    }
    client.close(None).await.expect("closes");
    assert_eq!(stream.reason().await, CloseReason::Peer);
    assert_eq!(stream.desk.acked.load(Ordering::SeqCst), 6);
    let mut client = stream.connect(6).await;
    assert_eq!(next_seq(&mut client).await, 7);
}

#[tokio::test]
async fn the_bell_brings_an_event_without_waiting_for_the_clock() {
    let stream = Stream::start(SocketLimits::default()).await;
    let mut client = stream.connect(0).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    stream.desk.put(1, 10);
    assert_eq!(next_seq(&mut client).await, 1);
}

#[tokio::test]
async fn a_handshake_without_the_subprotocol_or_none_at_all_is_a_problem() {
    let stream = Stream::start(SocketLimits::default()).await;
    let plain = stream.server.get("/stream").await;
    assert_eq!(
        plain.problem().kind(),
        Some(ProblemKind::SubprotocolMissing)
    );
    let without = "GET /stream HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                   sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let answer = stream.server.exchange(without).await;
    assert_eq!(
        answer.problem().kind(),
        Some(ProblemKind::SubprotocolMissing)
    );
}

#[tokio::test]
async fn a_client_that_reads_and_acknowledges_nothing_is_closed_with_a_reason() {
    let limits = SocketLimits {
        slow: Duration::from_millis(300),
        window_events: 2,
        ..SocketLimits::default()
    };
    let mut stream = Stream::start(limits).await;
    stream.desk.put(5, 10);
    let mut client = stream.connect(0).await;
    assert_eq!(
        (next_seq(&mut client).await, next_seq(&mut client).await),
        (1, 2)
    );
    let (code, words) = close_of(&mut client).await;
    assert_eq!((code, words.contains("nothing is lost")), (1008, true));
    assert_eq!(stream.reason().await, CloseReason::SlowReader);
    assert_eq!(
        stream.desk.acked.load(Ordering::SeqCst),
        0,
        "nothing counts as delivered"
    );
}

#[tokio::test]
async fn a_client_that_takes_no_bytes_is_dropped() {
    let limits = SocketLimits {
        window_events: 10_000,
        window_bytes: usize::MAX,
        ..SocketLimits::default()
    };
    let mut stream = Stream::start(limits).await;
    stream.desk.put(1_000, 60_000);
    let _client = stream.connect(0).await;
    assert_eq!(stream.reason().await, CloseReason::SlowReader);
}

#[tokio::test]
async fn a_dead_peer_is_dropped() {
    let limits = SocketLimits {
        ping: Duration::from_millis(100),
        dead: Duration::from_millis(400),
        ..SocketLimits::default()
    };
    let mut stream = Stream::start(limits.clone()).await;
    // A client that is not polled answers no ping.
    let _client = stream.connect(0).await;
    assert_eq!(stream.reason().await, CloseReason::Dead);

    let stream = Stream::start(limits).await;
    let mut alive = stream.connect(0).await;
    let ended = tokio::time::timeout(Duration::from_secs(1), async {
        while let Some(Ok(Message::Ping(_) | Message::Text(_))) = alive.next().await {}
    });
    assert!(ended.await.is_err(), "a peer that answers pings stays");
}

#[tokio::test]
async fn a_server_that_ends_says_1001_and_a_revoked_device_is_told_so() {
    let mut stream = Stream::start(SocketLimits::default()).await;
    let mut client = stream.connect(0).await;
    stream.tokens.stopping.cancel();
    assert_eq!(close_of(&mut client).await.0, 1001);
    assert_eq!(stream.reason().await, CloseReason::GoingAway);
    stream.sockets.close();
    tokio::time::timeout(PATIENCE, stream.sockets.wait())
        .await
        .expect("no socket is left");

    let mut stream = Stream::start(SocketLimits::default()).await;
    let mut client = stream.connect(0).await;
    stream.tokens.revoked.cancel();
    assert_eq!(close_of(&mut client).await.0, 4001);
    assert_eq!(stream.reason().await, CloseReason::Revoked);
}

#[tokio::test]
async fn what_a_client_may_not_say_closes_its_socket() {
    let large = "x".repeat(FRAME_MAX_BYTES + 1);
    let cases = [
        ("hello", CloseReason::Protocol),
        (r#"{"ack":9}"#, CloseReason::AckAhead),
        (large.as_str(), CloseReason::TooLarge),
    ];
    for (said, expected) in cases {
        let mut stream = Stream::start(SocketLimits::default()).await;
        let mut client = stream.connect(0).await;
        client.send(Message::text(said)).await.expect("is sent");
        let (code, words) = close_of(&mut client).await;
        assert_eq!((code, words.as_str()), (expected.code(), expected.words()));
        assert_eq!(stream.reason().await, expected);
    }
}

#[tokio::test]
async fn a_revoked_device_cannot_draw_out_its_end_by_taking_events_slowly() {
    let limits = SocketLimits {
        window_events: 10_000,
        window_bytes: usize::MAX,
        ..SocketLimits::default()
    };
    let mut server_limits = short_limits();
    server_limits.connection.write_stall = PATIENCE * 2;
    let mut stream = Stream::start_with(server_limits, limits).await;
    stream.desk.put(1_000, 60_000);
    let _client = stream.connect(0).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    stream.tokens.revoked.cancel();
    assert_eq!(stream.reason().await, CloseReason::Revoked);
}
