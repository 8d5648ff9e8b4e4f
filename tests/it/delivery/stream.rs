//! The stream on a real socket and a real database: resumption, slow and dead readers, large events, revocation, the end,
//! and who wakes whom.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRef, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use futures_util::{SinkExt, StreamExt};
use herald::crypto::digest::Digest;
use herald::domain::actor::{ActorKind, ActorState, DeviceState, Role};
use herald::domain::ids::{ContextId, Nid, Seq};
use herald::http::v1::events::{self, EventsState};
use herald::jobs::deliver::{self, DeliverTimes};
use herald::service::hub::{Hub, HubLimits};
use herald::service::principal::Principal;
use herald::store::listen;
use herald::wire::envelope::Event;
use herald::wire::problem::{Problem, ProblemKind};
use herald::ws::frame::{DistressNotice, FetchReference, HeadNotice, SUBPROTOCOL, SocketLimits};
use herald::ws::upgrade::Streams;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::world::{Desk, World};
use crate::platform::{PATIENCE, Server, short_limits};

type Client = WebSocketStream<TlsStream<TcpStream>>;

/// The header by which a test says which desk's device is calling; who a certificate belongs to is tested elsewhere.
const CALLER: &str = "x-test-caller";

#[derive(Clone)]
struct TestState {
    events: EventsState,
    ctx: ContextId,
    callers: Arc<Vec<Principal>>,
}

impl FromRef<TestState> for EventsState {
    fn from_ref(state: &TestState) -> Self {
        state.events.clone()
    }
}

/// Stands where the gate stands in a server.
async fn caller(State(state): State<TestState>, mut request: Request, next: Next) -> Response {
    let name = request
        .headers()
        .get(CALLER)
        .and_then(|name| name.to_str().ok())
        .map(str::to_owned);
    let found = state
        .callers
        .iter()
        .find(|c| Some(c.actor.as_str()) == name.as_deref())
        .filter(|caller| caller.ctx == state.ctx);
    let Some(found) = found.cloned() else {
        return ProblemKind::CertificateMissing.into_response();
    };
    request.extensions_mut().insert(found);
    next.run(request).await
}

fn principal(world: &World, desk: &Desk) -> Principal {
    Principal {
        ctx: world.ctx.clone(),
        actor: desk.actor.clone(),
        kind: desk.kind,
        name: "name".to_owned(),
        actor_state: ActorState::Admitted,
        device: desk.device.clone(),
        role: match desk.kind {
            ActorKind::Party => Role::PartyDesk,
            ActorKind::Coordinator => Role::Coordinator,
            _ => Role::Organisation,
        },
        device_state: DeviceState::Active,
        key: *desk.signing.verifying_key(),
        spki: Digest::of(desk.actor.as_str().as_bytes()),
        until: i64::MAX,
        former: false,
    }
}

/// A world, served.
struct Served {
    world: Box<World>,
    hub: Arc<Hub>,
    stopping: CancellationToken,
    sockets: TaskTracker,
    server: Server,
}

impl Served {
    async fn new() -> Self {
        Self::with(SocketLimits::default(), HubLimits::default()).await
    }

    async fn with(limits: SocketLimits, hub: HubLimits) -> Self {
        Box::pin(Self::make(limits, hub)).await
    }

    async fn make(limits: SocketLimits, hub: HubLimits) -> Self {
        let world = World::new().await;
        let (hub, stopping) = (Hub::new(hub), CancellationToken::new());
        let sockets = TaskTracker::new();
        let streams = Streams {
            mailboxes: world.mailboxes.clone(),
            hub: Arc::clone(&hub),
            limits,
            stopping: stopping.clone(),
            sockets: sockets.clone(),
        };
        let state = TestState {
            events: EventsState {
                mailboxes: world.mailboxes.clone(),
                open_stream: Arc::new(streams.opener()),
            },
            ctx: world.ctx.clone(),
            callers: Arc::new(world.desks().map(|desk| principal(&world, desk)).into()),
        };
        let gate = from_fn_with_state(state.clone(), caller);
        let (router, _api) = events::router().with_state(state).split_for_parts();
        let router = router.layer(gate);
        let server = Server::start(short_limits(), router).await;
        Self {
            world,
            hub,
            stopping,
            sockets,
            server,
        }
    }

    /// The stream of the exact party's desk, after a place or after its cursor.
    async fn connect(&self, after: Option<u64>) -> Client {
        let query = after.map_or(String::new(), |after| format!("?after={after}"));
        let mut request = format!("wss://localhost/v1/stream{query}")
            .into_client_request()
            .unwrap();
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", SUBPROTOCOL.parse().unwrap());
        headers.insert(CALLER, self.world.exact.actor.as_str().parse().unwrap());
        let tls = self.server.connect().await;
        let (client, _) = tokio_tungstenite::client_async(request, tls).await.unwrap();
        client
    }

    /// An HTTP exchange as the exact party's desk; gives status, header and body.
    async fn http(&self, method: &str, path: &str, body: &str) -> (u16, String, Vec<u8>) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{CALLER}: {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.world.exact.actor,
            body.len()
        );
        let mut stream = self.server.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut all = Vec::new();
        // The server may close without a TLS farewell.
        drop(
            tokio::time::timeout(PATIENCE, stream.read_to_end(&mut all))
                .await
                .unwrap(),
        );
        let split = all.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(all[..split].to_vec())
            .unwrap()
            .to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head, all[split + 4..].to_vec())
    }

    async fn notify(&self, count: usize) {
        for _ in 0..count {
            self.world.notify(Nid::random(), 1).await;
        }
    }

    fn wake(&self) {
        self.hub.wake(&self.world.ctx, [&self.world.exact.actor]);
    }

    async fn cursor(&self) -> u64 {
        let reader = self.world.reader(&self.world.exact);
        self.world.mailboxes.cursor(&reader).await.unwrap().0.0
    }

    async fn nobody_listens(&self) {
        let gone = async {
            while self.hub.open() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, gone)
            .await
            .expect("the socket's place is given back");
    }
}

#[derive(Debug, PartialEq)]
enum Said {
    Event(u64),
    Fetch(u64),
    Head(u64),
    Distress(u64),
    Closed(u16, String),
}

/// What the server says next; pings are answered by the client library.
async fn next(client: &mut Client) -> Said {
    loop {
        let message = tokio::time::timeout(PATIENCE, client.next())
            .await
            .expect("the server says something")
            .expect("the socket lives")
            .expect("the socket lives");
        match message {
            Message::Binary(bytes) => return Said::Event(Event::decode(&bytes).unwrap().seq.0),
            Message::Text(text) => {
                if let Ok(call) = serde_json::from_str::<DistressNotice>(&text) {
                    return Said::Distress(call.distress);
                }
                let fetch = serde_json::from_str::<FetchReference>(&text);
                return fetch.map_or_else(
                    |_| Said::Head(serde_json::from_str::<HeadNotice>(&text).unwrap().head),
                    |reference| Said::Fetch(reference.fetch),
                );
            }
            Message::Close(frame) => {
                let frame = frame.expect("the close has a reason");
                return Said::Closed(frame.code.into(), frame.reason.to_string());
            }
            _ => {}
        }
    }
}

async fn ack(client: &mut Client, seq: u64) {
    let text = format!(r#"{{"ack":{seq}}}"#);
    client.send(Message::text(text)).await.unwrap();
}

async fn events_to(client: &mut Client, seqs: std::ops::RangeInclusive<u64>) {
    for seq in seqs {
        assert_eq!(next(client).await, Said::Event(seq));
    }
}

#[tokio::test]
async fn a_killed_connection_resumes_where_the_device_had_kept_and_loses_nothing() {
    let served = Served::new().await;
    served.notify(20).await;
    let mut client = served.connect(None).await;
    events_to(&mut client, 1..=8).await;
    ack(&mut client, 5).await;
    let stored = async {
        while served.cursor().await < 5 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, stored)
        .await
        .expect("the cursor moves");
    drop(client.into_inner().into_inner().0);

    let mut client = served.connect(None).await;
    events_to(&mut client, 6..=20).await;
    assert_eq!(next(&mut client).await, Said::Head(20));
    let mut client = served.connect(Some(18)).await;
    ack(&mut client, 18).await;
    events_to(&mut client, 19..=20).await;
    assert_eq!(next(&mut client).await, Said::Head(20));
    let stored = async {
        while served.cursor().await < 18 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, stored)
        .await
        .expect("what was kept before the line broke is said on the next");
    served.notify(1).await;
    served.wake();
    assert_eq!(next(&mut client).await, Said::Event(21));
    assert_eq!(next(&mut client).await, Said::Head(21));
}

#[tokio::test]
async fn a_slow_reader_is_closed_with_a_reason_and_finds_everything_when_it_comes_back() {
    let limits = SocketLimits {
        window_events: 4,
        slow: Duration::from_millis(300),
        ..SocketLimits::default()
    };
    let served = Served::with(limits, HubLimits::default()).await;
    served.notify(10).await;
    let mut client = served.connect(None).await;
    events_to(&mut client, 1..=4).await;
    let Said::Closed(code, words) = next(&mut client).await else {
        panic!("nothing passes the window");
    };
    assert_eq!((code, words.contains("nothing is lost")), (1008, true));
    served.nobody_listens().await;
    assert_eq!(served.cursor().await, 0);
    let mut client = served.connect(None).await;
    for seq in 1..=10 {
        assert_eq!(next(&mut client).await, Said::Event(seq));
        ack(&mut client, seq).await;
    }
    assert_eq!(next(&mut client).await, Said::Head(10));
}

#[tokio::test]
async fn a_call_for_help_is_named_ahead_of_a_backlog_and_past_a_full_window_and_follows_in_its_turn()
 {
    let limits = SocketLimits {
        window_events: 4,
        ..SocketLimits::default()
    };
    let served = Served::with(limits, HubLimits::default()).await;
    served.notify(20).await;
    let call = served.world.distress().await;
    assert_eq!(call, Seq(21));

    // A device that comes back to a long mailbox hears of the call first, and can fetch it at once.
    let mut client = served.connect(None).await;
    assert_eq!(next(&mut client).await, Said::Distress(21));
    let (status, _, body) = served.http("GET", "/v1/events/21", "").await;
    assert_eq!((status, Event::decode(&body).unwrap().seq), (200, call));
    events_to(&mut client, 1..=4).await;

    // Its window is full and it says nothing: the next call reaches it all the same, each once.
    let second = served.world.distress().await;
    served.hub.saw_call(
        &(served.world.ctx.clone(), served.world.exact.actor.clone()),
        second,
    );
    served.wake();
    assert_eq!(next(&mut client).await, Said::Distress(22));
    for seq in 5..=22 {
        ack(&mut client, seq - 1).await;
        assert_eq!(
            next(&mut client).await,
            Said::Event(seq),
            "in order, none left out"
        );
    }
    assert_eq!(next(&mut client).await, Said::Head(22));
    // With nothing in between, it comes in its turn and needs no other word.
    ack(&mut client, 22).await;
    served.world.distress().await;
    served.wake();
    assert_eq!(next(&mut client).await, Said::Event(23));
    assert_eq!(next(&mut client).await, Said::Head(23));
}

#[tokio::test]
async fn another_nodes_call_for_help_reaches_a_full_window_by_the_look_for_mail() {
    let limits = SocketLimits {
        window_events: 4,
        ..SocketLimits::default()
    };
    let served = Served::with(limits, HubLimits::default()).await;
    served.notify(6).await;
    let mut client = served.connect(None).await;
    events_to(&mut client, 1..=4).await;
    let call = served.world.distress().await;
    deliver::look(&served.world.pools, &served.hub)
        .await
        .unwrap();
    assert_eq!(next(&mut client).await, Said::Distress(call.0));
}

#[tokio::test]
async fn a_dead_peer_gives_its_place_back() {
    let limits = SocketLimits {
        ping: Duration::from_millis(100),
        dead: Duration::from_millis(400),
        ..SocketLimits::default()
    };
    let served = Served::with(limits, HubLimits::default()).await;
    // A client that is not polled answers no ping.
    let _client = served.connect(None).await;
    assert_eq!(served.hub.open(), 1);
    served.nobody_listens().await;
}

#[tokio::test]
async fn an_event_too_large_for_a_frame_is_fetched_and_counts_like_any_other() {
    let served = Served::new().await;
    served.notify(1).await;
    served.world.notify_with(Nid::random(), 1, 60_000).await;
    served.notify(1).await;
    let mut client = served.connect(None).await;
    assert_eq!(next(&mut client).await, Said::Event(1));
    assert_eq!(next(&mut client).await, Said::Fetch(2));
    assert_eq!(next(&mut client).await, Said::Event(3));
    let (status, head, body) = served.http("GET", "/v1/events/2", "").await;
    assert_eq!(status, 200);
    assert!(head.contains("content-type: application/vnd.hn.event"));
    assert_eq!(Event::decode(&body).unwrap().seq, Seq(2));
    assert_eq!(served.http("GET", "/v1/events/9", "").await.0, 404);
}

#[tokio::test]
async fn a_mailbox_can_be_polled_page_by_page_and_its_cursor_set() {
    let served = Served::new().await;
    served.notify(5).await;
    let (status, head, body) = served.http("GET", "/v1/events?after=1&limit=3", "").await;
    assert_eq!(status, 200, "{head}");
    assert!(
        head.contains("hn-next: 4") && head.contains("hn-head: 5"),
        "{head}"
    );
    let items = herald::wire::envelope::split(&body, 10).unwrap();
    let seqs: Vec<u64> = items
        .iter()
        .map(|item| Event::decode(item).unwrap().seq.0)
        .collect();
    assert_eq!(seqs, [2, 3, 4]);
    let (status, _, body) = served.http("PUT", "/v1/cursor", r#"{"seq":4}"#).await;
    assert_eq!((status, body.as_slice()), (200, br#"{"seq":4}"#.as_slice()));
    let (_, head, _) = served.http("GET", "/v1/events", "").await;
    assert!(
        head.contains("hn-next: 5"),
        "without `after`, from the cursor on: {head}"
    );
    for (method, path, body, expected) in [
        (
            "PUT",
            "/v1/cursor",
            r#"{"seq":6}"#,
            ProblemKind::InvalidMember,
        ),
        ("GET", "/v1/events?after=6", "", ProblemKind::InvalidQuery),
        ("GET", "/v1/events?limit=0", "", ProblemKind::InvalidQuery),
        ("GET", "/v1/events?since=1", "", ProblemKind::InvalidQuery),
        ("GET", "/v1/stream?after=6", "", ProblemKind::InvalidQuery),
        ("GET", "/v1/stream", "", ProblemKind::SubprotocolMissing),
    ] {
        let (_, _, body) = served.http(method, path, body).await;
        let problem: Problem = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem.kind(), Some(expected), "{method} {path}");
    }
}

#[tokio::test]
async fn what_cannot_be_prepared_closes_the_stream_with_1011_after_what_came_before() {
    let served = Served::new().await;
    served.notify(3).await;
    let mut admin = served
        .world
        .db
        .connect(herald::store::role::Role::Admin)
        .await;
    sqlx::query("UPDATE hn.part SET content = '\\x00' WHERE pos = 2 AND part = 'place'")
        .execute(&mut admin)
        .await
        .unwrap();
    let mut client = served.connect(None).await;
    assert_eq!(next(&mut client).await, Said::Event(1));
    let Said::Closed(code, words) = next(&mut client).await else {
        panic!("nothing passes what cannot be prepared");
    };
    assert_eq!((code, words.contains("none is left out")), (1011, true));
}

#[tokio::test]
async fn revocation_and_the_servers_end_close_open_sockets() {
    let served = Served::new().await;
    let mut client = served.connect(None).await;
    assert_eq!(next(&mut client).await, Said::Head(0));
    let desk = &served.world.exact;
    served
        .hub
        .close_device(&served.world.ctx, &desk.actor, &desk.device);
    assert!(matches!(next(&mut client).await, Said::Closed(4001, _)));
    served.nobody_listens().await;

    let mut client = served.connect(None).await;
    assert_eq!(next(&mut client).await, Said::Head(0));
    served.stopping.cancel();
    assert!(matches!(next(&mut client).await, Said::Closed(1001, _)));
    served.sockets.close();
    tokio::time::timeout(PATIENCE, served.sockets.wait())
        .await
        .expect("no socket is left");
}

#[tokio::test]
async fn a_device_that_another_node_revoked_is_closed_by_the_job() {
    let served = Served::new().await;
    let mut client = served.connect(None).await;
    assert_eq!(next(&mut client).await, Said::Head(0));
    deliver::look(&served.world.pools, &served.hub)
        .await
        .unwrap();
    let desk = &served.world.exact;
    let mut conn = served.world.pools.intake.acquire().await.unwrap();
    served
        .world
        .set_device_state(&mut conn, desk, &desk.device, "revoked")
        .await;
    deliver::look(&served.world.pools, &served.hub)
        .await
        .unwrap();
    assert!(matches!(next(&mut client).await, Said::Closed(4001, _)));
}

#[tokio::test]
async fn a_device_that_comes_back_again_and_again_keeps_only_its_newest_sockets() {
    let one = HubLimits {
        per_device: 1,
        ..HubLimits::default()
    };
    let served = Served::with(SocketLimits::default(), one).await;
    let mut first = served.connect(None).await;
    assert_eq!(next(&mut first).await, Said::Head(0));
    let mut second = served.connect(None).await;
    assert_eq!(next(&mut second).await, Said::Head(0));
    assert!(matches!(next(&mut first).await, Said::Closed(4005, _)));
}

/// A job that looks only when the bell rings, or only by the clock.
fn job(served: &Served, poll: Duration) -> CancellationToken {
    let times = DeliverTimes {
        poll,
        reconnect: Duration::from_millis(50),
        ..DeliverTimes::default()
    };
    let stop = CancellationToken::new();
    let (pools, hub) = (served.world.pools.clone(), Arc::clone(&served.hub));
    drop(tokio::spawn(deliver::run(pools, hub, times, stop.clone())));
    stop
}

async fn listeners(served: &Served) -> Vec<i32> {
    let mut admin = served
        .world
        .db
        .connect(herald::store::role::Role::Admin)
        .await;
    sqlx::query_scalar(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap()
}

async fn someone_listens(served: &Served, not: &[i32]) -> Vec<i32> {
    let listening = async {
        loop {
            let now = listeners(served).await;
            if !now.is_empty() && now.iter().all(|pid| !not.contains(pid)) {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, listening)
        .await
        .expect("the job listens")
}

#[tokio::test]
async fn the_databases_bell_wakes_the_socket_also_after_its_connection_was_lost() {
    let served = Served::new().await;
    let stop = job(&served, Duration::from_hours(1));
    let mut client = served.connect(None).await;
    assert_eq!(next(&mut client).await, Said::Head(0));
    let first = someone_listens(&served, &[]).await;
    served.notify(1).await;
    listen::ring(&served.world.pools.intake).await.unwrap();
    assert_eq!(next(&mut client).await, Said::Event(1));
    assert_eq!(next(&mut client).await, Said::Head(1));

    let mut admin = served
        .world
        .db
        .connect(herald::store::role::Role::Admin)
        .await;
    sqlx::query("SELECT pg_terminate_backend(pid) FROM unnest($1::integer[]) AS u (pid)")
        .bind(&first)
        .execute(&mut admin)
        .await
        .unwrap();
    someone_listens(&served, &first).await;
    served.notify(1).await;
    listen::ring(&served.world.pools.intake).await.unwrap();
    assert_eq!(next(&mut client).await, Said::Event(2));
    stop.cancel();
}

#[tokio::test]
async fn mail_is_found_without_any_bell() {
    let served = Served::new().await;
    let stop = job(&served, Duration::from_millis(100));
    let mut client = served.connect(None).await;
    assert_eq!(next(&mut client).await, Said::Head(0));
    served.notify(1).await;
    assert_eq!(next(&mut client).await, Said::Event(1));
    stop.cancel();
}
