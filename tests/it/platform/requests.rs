//! What every request meets: ids of ours, no-store, problems for whatever goes wrong, allowances, and a server that ends
//! without dropping what it works on.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::routing::{get, post};
use axum::{Extension, Router};
use herald::http::limits::{Limits, Rate};
use herald::http::{BodyBytes, JsonBody, RateClass, RequestId};
use herald::wire::problem::ProblemKind;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{Answer, PATIENCE, Server, read_to_close, short_limits};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    radius_m: u32,
}

async fn panics() -> String {
    (1_u32 / std::hint::black_box(0)).to_string()
}

fn routes() -> Router {
    Router::new()
        .route(
            "/id",
            get(|Extension(id): Extension<RequestId>| async move { id.0.to_string() }),
        )
        .route("/panic", get(panics))
        .route(
            "/sleep",
            get(|| async { tokio::time::sleep(PATIENCE).await }),
        )
        .route(
            "/slow",
            get(|| async {
                tokio::time::sleep(Duration::from_millis(600)).await;
                "done"
            }),
        )
        .route(
            "/bytes",
            post(|BodyBytes(body): BodyBytes<100>| async move { body }),
        )
        .route(
            "/json",
            post(|JsonBody(sample): JsonBody<Sample>| async move { sample.radius_m.to_string() }),
        )
}

async fn post_json(server: &Server, media_type: &str, body: &str) -> Answer {
    let length = body.len();
    server
        .exchange(&format!(
            "POST /json HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: {media_type}\r\n\
             content-length: {length}\r\n\r\n{body}"
        ))
        .await
}

#[tokio::test]
async fn every_answer_has_an_id_of_ours_and_may_not_be_kept() {
    let server = Server::start(short_limits(), routes()).await;
    let answer = server
        .exchange("GET /id HTTP/1.1\r\nhost: localhost\r\nx-request-id: theirs\r\nconnection: close\r\n\r\n")
        .await;
    assert_eq!(
        (answer.status, answer.header("cache-control")),
        (200, Some("no-store"))
    );
    assert_eq!(
        answer.header("x-request-id"),
        Some(answer.body.as_str()),
        "the handler sees the same id"
    );
    assert_ne!(answer.body, "theirs");

    let answer = server.get("/nothing").await;
    assert_eq!(
        (answer.status, answer.header("cache-control")),
        (404, Some("no-store"))
    );
    let problem = answer.problem();
    assert_eq!(problem.kind(), Some(ProblemKind::NotFound));
    assert_eq!(
        problem.body().request_id.as_deref(),
        answer.header("x-request-id")
    );
}

#[tokio::test]
async fn a_wrong_method_is_named_and_the_right_ones_are_listed() {
    let server = Server::start(short_limits(), routes()).await;
    let answer = server.get("/json").await;
    assert_eq!(answer.problem().kind(), Some(ProblemKind::MethodNotAllowed));
    assert_eq!(answer.header("allow"), Some("post"));
}

#[tokio::test]
async fn a_panic_is_a_problem_and_not_the_end() {
    let server = Server::start(short_limits(), routes()).await;
    let answer = server.get("/panic").await;
    assert_eq!(
        (answer.status, answer.problem().kind()),
        (500, Some(ProblemKind::Internal))
    );
    assert!(!answer.body.contains("divide"));
    assert_eq!(server.get("/id").await.status, 200);
}

#[tokio::test]
async fn a_handler_that_does_not_answer_in_time_is_given_up() {
    let mut limits = short_limits();
    limits.request.request = Duration::from_millis(300);
    let server = Server::start(limits, routes()).await;
    assert_eq!(
        server.get("/sleep").await.problem().kind(),
        Some(ProblemKind::Timeout)
    );
}

#[tokio::test]
async fn what_is_too_large_is_refused_declared_or_not() {
    let server = Server::start(short_limits(), routes()).await;
    let declared = server
        .exchange("POST /bytes HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 101\r\n\r\n")
        .await;
    assert_eq!(declared.problem().kind(), Some(ProblemKind::TooLarge));
    let chunk = "x".repeat(101);
    let chunked = server
        .exchange(&format!(
            "POST /bytes HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n65\r\n{chunk}\r\n0\r\n\r\n"
        ))
        .await;
    assert_eq!(chunked.problem().kind(), Some(ProblemKind::TooLarge));
    let fits = server
        .exchange(&format!(
            "POST /bytes HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 100\r\n\r\n{}",
            "x".repeat(100)
        ))
        .await;
    assert_eq!(fits.status, 200);
}

#[tokio::test]
async fn whoever_writes_a_whole_body_before_reading_learns_that_it_was_too_large() {
    let server = Server::start(short_limits(), routes()).await;
    let three = 3 << 20;
    let body = "x".repeat(three);
    for head in [
        format!("content-length: {three}\r\n\r\n{body}"),
        format!("transfer-encoding: chunked\r\n\r\n{three:x}\r\n{body}\r\n0\r\n\r\n"),
    ] {
        let answer = server
            .exchange(&format!(
                "POST /bytes HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{head}"
            ))
            .await;
        assert_eq!(
            (answer.status, answer.problem().kind()),
            (413, Some(ProblemKind::TooLarge))
        );
    }
}

#[tokio::test]
async fn a_header_too_large_or_of_too_many_fields_and_a_target_too_long_are_refused() {
    let server = Server::start(short_limits(), routes()).await;
    let large = format!(
        "GET /id HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n",
        "a".repeat(20_000)
    );
    assert_eq!(server.exchange(&large).await.status, 431);
    let many = format!(
        "GET /id HTTP/1.1\r\nhost: localhost\r\n{}\r\n",
        "x: a\r\n".repeat(100)
    );
    assert_eq!(server.exchange(&many).await.status, 431);
    let answer = server.get(&format!("/id?{}", "a".repeat(4_000))).await;
    assert_eq!(answer.problem().kind(), Some(ProblemKind::InvalidQuery));
}

#[tokio::test]
async fn a_body_that_is_not_what_was_asked_for_is_refused_with_its_place() {
    let server = Server::start(short_limits(), routes()).await;
    assert_eq!(
        post_json(
            &server,
            "application/json; charset=utf-8",
            r#"{"radius_m":5}"#
        )
        .await
        .body,
        "5"
    );
    let wrong_type = post_json(&server, "text/plain", r#"{"radius_m":5}"#).await;
    assert_eq!(
        wrong_type.problem().kind(),
        Some(ProblemKind::UnsupportedMediaType)
    );
    let wrong_value = post_json(&server, "application/json", r#"{"radius_m":"36.71803"}"#).await;
    assert_eq!(
        wrong_value.problem().kind(),
        Some(ProblemKind::InvalidMember)
    );
    assert_eq!(
        wrong_value.problem().body().pointer.as_deref(),
        Some("/radius_m")
    );
    assert!(!wrong_value.body.contains("36.7"));
}

fn rate(burst: u32) -> Rate {
    Rate::new(NonZeroU32::MIN, NonZeroU32::new(burst).expect("not zero"))
}

#[tokio::test]
async fn a_device_beyond_its_rate_is_told_when_to_return_and_others_are_not_held_back() {
    let mut limits = short_limits();
    limits.rate.checks = rate(2);
    let build = |platform: &Arc<herald::http::Platform>| {
        Router::new()
            .route("/checks", get(|| async { "asked" }))
            .route_layer(platform.rates.layer(RateClass::Checks))
            .route("/reads", get(|| async { "read" }))
    };
    let server = Server::start_with(limits, build, |_| {}).await;
    let device = Arc::new(server.client(Some(server.device_ca.device())));
    let mut answers = Vec::new();
    for path in ["/checks", "/checks", "/checks", "/reads"] {
        let mut stream = server
            .try_connect(Arc::clone(&device))
            .await
            .expect("a handshake");
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("is sent");
        answers.push(Answer::read(&mut stream).await);
    }
    assert_eq!(
        answers
            .iter()
            .map(|answer| answer.status)
            .collect::<Vec<_>>(),
        [200, 200, 429, 200]
    );
    assert_eq!(answers[2].header("retry-after"), Some("1"));
    assert_eq!(answers[2].problem().body().retry_after_s, Some(1));
    assert_eq!(
        server.get("/checks").await.status,
        200,
        "someone else at the same address"
    );
}

#[tokio::test]
async fn an_address_beyond_its_rate_is_refused_before_anything_else() {
    let mut limits = short_limits();
    limits.rate.address = rate(1);
    let server = Server::start(limits, routes()).await;
    assert_eq!(server.get("/id").await.status, 200);
    assert_eq!(
        server.get("/nothing").await.problem().kind(),
        Some(ProblemKind::RateLimited)
    );
}

#[tokio::test]
async fn one_request_too_many_at_once_is_told_to_return() {
    let mut limits = Limits::default();
    limits.request.in_flight_max = 1;
    let server = Server::start(limits, routes()).await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await
        .expect("is sent");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let answer = server.get("/id").await;
    assert_eq!(answer.problem().kind(), Some(ProblemKind::Overloaded));
    assert!(answer.header("retry-after").is_some());
    assert_eq!(Answer::read(&mut busy).await.body, "done");
}

#[tokio::test]
async fn a_draining_server_finishes_what_it_works_on_closes_the_idle_and_takes_nothing_new() {
    let mut limits = short_limits();
    limits.connection.header = PATIENCE * 2;
    let server = Server::start(limits, routes()).await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .expect("is sent");
    let mut idle = server.connect().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let started = Instant::now();
    server.drain.cancel();
    server.accepting.await.expect("the listener ends");
    assert!(
        TcpStream::connect(server.addr).await.is_err(),
        "nothing new is taken"
    );
    assert!(read_to_close(&mut idle).await.is_empty());
    assert_eq!(Answer::read(&mut busy).await.body, "done");
    server.tracker.close();
    tokio::time::timeout(PATIENCE, server.tracker.wait())
        .await
        .expect("all connections end");
    assert!(started.elapsed() < PATIENCE);
}
