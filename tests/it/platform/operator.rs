//! What the operator sees: alive, ready or why not, numbers and log lines; and what the operator does not see: paths,
//! queries, addresses.

use std::io::Write;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use herald::http::limits::ConnectionLimits;
use herald::http::ops::{self, Readiness};
use herald::http::{Acceptor, PeerIdentity};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing_subscriber::fmt::MakeWriter;

use super::{Answer, Server, short_limits};

/// Stands for whatever must not be seen: no test's server answers with it.
const SECRET: &str = "36.71803";

async fn operators_server(readiness: Readiness) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    let acceptor = Acceptor {
        tls: None,
        router: ops::router(readiness, ops::recorder().expect("a recorder")),
        limits: ConnectionLimits::default(),
        drain: CancellationToken::new(),
        abort: CancellationToken::new(),
        tracker: TaskTracker::new(),
    };
    drop(tokio::spawn(acceptor.run(listener)));
    addr
}

async fn plain_get(addr: std::net::SocketAddr, path: &str) -> Answer {
    let mut stream = TcpStream::connect(addr).await.expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("is sent");
    Answer::read(&mut stream).await
}

fn routes() -> Router {
    Router::new().route("/places/{place}", get(|| async { "a place" }))
}

#[tokio::test]
async fn readiness_names_what_is_waited_for() {
    let readiness = Readiness::new(&["database"]);
    let addr = operators_server(readiness.clone()).await;
    assert_eq!(plain_get(addr, "/livez").await.status, 200);
    let waiting = plain_get(addr, "/readyz").await;
    assert_eq!(
        (waiting.status, waiting.body.as_str()),
        (503, r#"{"ready":false,"waiting":{"database":"starting"}}"#)
    );
    readiness.ready("database");
    assert_eq!(plain_get(addr, "/readyz").await.status, 200);
}

#[tokio::test]
async fn numbers_are_by_route_template_and_show_no_path_and_no_query() {
    let addr = operators_server(Readiness::new(&[])).await;
    let server = Server::start(short_limits(), routes()).await;
    assert_eq!(
        server
            .get(&format!("/places/{SECRET}?near={SECRET}"))
            .await
            .status,
        200
    );
    assert_eq!(server.get(&format!("/{SECRET}")).await.status, 404);
    let numbers = plain_get(addr, "/metrics").await.body;
    assert!(
        numbers.contains(
            r#"herald_http_requests_total{method="GET",route="/places/{place}",status="200"}"#
        ),
        "{numbers}"
    );
    assert!(numbers.contains(r#"route="unmatched""#), "{numbers}");
    assert!(!numbers.contains(SECRET));
    for line in numbers.lines().filter(|line| line.starts_with("herald_")) {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        let family = name.trim_end_matches("_sum").trim_end_matches("_count");
        let known = ops::METRICS
            .iter()
            .any(|(metric, ..)| *metric == name || *metric == family);
        assert!(
            known || !name.contains("http"),
            "{name} is not in the table"
        );
    }
}

/// Log lines, kept.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0
            .lock()
            .expect("not poisoned")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn log_lines_name_the_request_and_show_no_path_query_or_peer() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(lines.clone())
        .with_ansi(false)
        .finish();
    // With a single dispatcher, tracing lets the first thread that meets a call site decide for all whether anyone
    // listens; with a second one it asks every dispatcher.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    // The test's runtime has one thread, so this subscriber sees the server's tasks too.
    let _guard = tracing::subscriber::set_default(subscriber);
    let routes = routes().route(
        "/who",
        get(
            |axum::Extension(peer): axum::Extension<PeerIdentity>| async move {
                tracing::info!(?peer, "who");
            },
        ),
    );
    let server = Server::start(short_limits(), routes).await;
    let answer = server.get(&format!("/places/{SECRET}?near={SECRET}")).await;
    let id = answer.header("x-request-id").expect("an id").to_owned();
    server.get("/who").await;
    let text = String::from_utf8(lines.0.lock().expect("not poisoned").clone()).expect("text");
    let ours = text
        .lines()
        .filter(|line| line.contains("herald::http"))
        .collect::<Vec<_>>();
    assert!(
        ours.iter()
            .any(|line| line.contains(&id) && line.contains("/places/{place}")),
        "{text}"
    );
    assert!(text.contains("PeerIdentity[sealed]"), "{text}");
    assert!(!text.contains(SECRET), "{text}");
}
