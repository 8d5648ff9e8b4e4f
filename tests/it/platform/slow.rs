//! Silent clients, dripping clients, clients that do not read, and clients that come in crowds: each is closed within its
//! named limit, and none holds what belongs to others.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;
use herald::http::BodyBytes;
use herald::http::limits::Rate;
use herald::wire::problem::ProblemKind;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Answer, PATIENCE, Server, read_to_close, short_limits};

/// Less than what a loopback socket buffers is no test of a slow reader.
const BIG_BYTES: usize = 64 << 20;

/// The pause between dripped bytes: far below every limit, so that only the whole time can end it.
const DRIP: Duration = Duration::from_millis(50);

async fn echo(BodyBytes(body): BodyBytes<1024>) -> Bytes {
    body
}

async fn server() -> Server {
    let routes = Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route("/echo", post(echo))
        .route("/big", get(|| async { vec![0_u8; BIG_BYTES] }));
    Server::start(short_limits(), routes).await
}

/// How long until the server closes.
async fn time_to_close(stream: &mut (impl AsyncRead + Unpin)) -> Duration {
    let started = Instant::now();
    read_to_close(stream).await;
    started.elapsed()
}

/// Drips `bytes` until the server closes; how long that took, and what it said.
async fn drip(stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> (Duration, Vec<u8>) {
    let started = Instant::now();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let writing = async {
        for byte in bytes.iter().cycle() {
            tokio::time::sleep(DRIP).await;
            if writer.write_all(&[*byte]).await.is_err() || writer.flush().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let said = tokio::select! {
        said = read_to_close(&mut reader) => said,
        () = writing => Vec::new(),
    };
    (started.elapsed(), said)
}

/// The server closed because of its limit of 500 ms: neither at once nor late.
fn assert_by_limit(what: &str, elapsed: Duration) {
    assert!(
        elapsed > Duration::from_millis(350),
        "{what}: closed for another reason, after {elapsed:?}"
    );
    assert!(
        elapsed < Duration::from_secs(3),
        "{what}: held for {elapsed:?}"
    );
}

#[tokio::test]
async fn a_client_that_says_nothing_after_tcp_is_closed() {
    let server = server().await;
    let mut stream = server.tcp().await;
    assert_by_limit("silent", time_to_close(&mut stream).await);
}

#[tokio::test]
async fn half_a_tls_hello_is_closed_silent_or_dripping() {
    let server = server().await;
    let record = [
        0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03,
    ];
    let mut stream = server.tcp().await;
    stream.write_all(&record).await.expect("is sent");
    assert_by_limit("half hello", time_to_close(&mut stream).await);
    let mut dripped = record.to_vec();
    dripped.resize(200, 0x2a);
    let (elapsed, _) = drip(server.tcp().await, &dripped).await;
    assert_by_limit("dripping hello", elapsed);
}

#[tokio::test]
async fn a_client_that_says_nothing_after_tls_is_closed() {
    let server = server().await;
    let mut stream = server.connect().await;
    assert_by_limit("silent after TLS", time_to_close(&mut stream).await);
}

#[tokio::test]
async fn half_a_header_is_closed_silent_or_dripping() {
    let server = server().await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /hello HTTP/1.1\r\nhost: loc")
        .await
        .expect("is sent");
    assert_by_limit("half header", time_to_close(&mut stream).await);
    let header = format!("GET /hello HTTP/1.1\r\nhost: {}", "a".repeat(500));
    let (elapsed, _) = drip(server.connect().await, header.as_bytes()).await;
    assert_by_limit("dripping header", elapsed);
}

#[tokio::test]
async fn an_idle_kept_alive_connection_is_closed() {
    let server = server().await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /hello HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .expect("is sent");
    let started = Instant::now();
    let said = read_to_close(&mut stream).await;
    assert!(said.ends_with(b"hello"));
    assert_by_limit("idle", started.elapsed());
}

#[tokio::test]
async fn a_silent_or_dripping_body_is_refused_with_a_reason() {
    let server = server().await;
    let head = b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n";
    let mut stream = server.connect().await;
    stream.write_all(head).await.expect("is sent");
    let started = Instant::now();
    let answer = Answer::read(&mut stream).await;
    assert_eq!(answer.problem().kind(), Some(ProblemKind::RequestTooSlow));
    assert_by_limit("silent body", started.elapsed());

    let mut stream = server.connect().await;
    stream.write_all(head).await.expect("is sent");
    let (elapsed, said) = drip(stream, b"x").await;
    assert!(
        said.starts_with(b"HTTP/1.1 408"),
        "{}",
        String::from_utf8_lossy(&said)
    );
    assert_by_limit("dripping body", elapsed);
}

#[tokio::test]
async fn a_slow_but_steady_body_is_taken() {
    let server = server().await;
    let mut stream = server.connect().await;
    let head = b"POST /echo HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 1000\r\n\r\n";
    stream.write_all(head).await.expect("is sent");
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        stream.write_all(&[b'x'; 100]).await.expect("is sent");
        stream.flush().await.expect("is sent");
    }
    let answer = Answer::read(&mut stream).await;
    assert_eq!((answer.status, answer.body.len()), (200, 1000));
}

#[tokio::test]
async fn a_steady_body_without_end_is_refused_by_the_whole_time() {
    let mut limits = short_limits();
    limits.request.body = Duration::from_millis(500);
    limits.request.body_min_bytes_per_s = 1;
    let server = Server::start(limits, Router::new().route("/echo", post(echo))).await;
    let mut stream = server.connect().await;
    let head = b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n";
    stream.write_all(head).await.expect("is sent");
    let (elapsed, said) = drip(stream, b"x").await;
    assert!(
        said.starts_with(b"HTTP/1.1 408"),
        "{}",
        String::from_utf8_lossy(&said)
    );
    assert_by_limit("endless body", elapsed);
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_dropped() {
    let server = server().await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /big HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .expect("is sent");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let got = read_to_close(&mut stream).await.len();
    assert!(got < BIG_BYTES, "the whole answer was still delivered");
}

#[tokio::test]
async fn one_address_cannot_take_every_place_and_gives_its_places_back() {
    let mut limits = short_limits();
    limits.connection.connections_per_address_max = 2;
    limits.connection.handshake = PATIENCE * 2;
    limits.connection.header = PATIENCE * 2;
    let server = Server::start(
        limits,
        Router::new().route("/hello", get(|| async { "hello" })),
    )
    .await;
    let (first, second) = (server.tcp().await, server.connect().await);
    let mut third = server.tcp().await;
    let mut buffer = [0; 1];
    let read = tokio::time::timeout(PATIENCE, third.read(&mut buffer))
        .await
        .expect("is closed at once");
    assert!(matches!(read, Ok(0) | Err(_)), "the third is closed");
    drop((first, second));
    let deadline = Instant::now() + PATIENCE;
    while server
        .try_connect(std::sync::Arc::new(server.client(None)))
        .await
        .is_err()
    {
        assert!(Instant::now() < deadline, "the places are never given back");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn one_address_cannot_make_us_shake_hands_without_end() {
    let mut limits = short_limits();
    limits.connection.new_per_address =
        Rate::new(NonZeroU32::MIN, NonZeroU32::new(3).expect("not zero"));
    let server = Server::start(
        limits,
        Router::new().route("/hello", get(|| async { "hello" })),
    )
    .await;
    for _ in 0..3 {
        assert_eq!(server.get("/hello").await.status, 200);
    }
    let mut fourth = server.tcp().await;
    let mut buffer = [0; 1];
    let started = Instant::now();
    assert!(matches!(fourth.read(&mut buffer).await, Ok(0) | Err(_)));
    assert!(
        started.elapsed() < Duration::from_millis(400),
        "closed at once, not by the handshake's limit"
    );
}
