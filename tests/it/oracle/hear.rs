//! What a desk hears: an event as it came, held against its own statement, with the parts that the desk can open; from a
//! page of the mailbox or from a WebSocket that breaks and is opened again behind what was kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use herald::crypto::seal_key::SealKey;
use herald::tls::{self, Credentials};
use herald::wire::build;
use herald::wire::claims::Claims;
use herald::wire::envelope::Event;
use herald::wire::read;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;

use crate::server::{Unit, World};

/// How long a socket may take to say what it must.
const PATIENCE: Duration = Duration::from_mins(1);

/// An event, heard.
#[derive(Clone)]
pub struct Heard {
    /// Its place in the mailbox.
    pub seq: u64,
    /// Its statement's position.
    pub pos: u64,
    /// The statement's exact bytes.
    pub statement: String,
    /// Its claims.
    pub claims: Claims,
    /// The parts, opened.
    pub parts: BTreeMap<String, Value>,
}

impl Heard {
    /// Reads an event and opens all that came with it; what does not open is a fault.
    pub fn of(bytes: &[u8], key: &SealKey) -> Result<Self, String> {
        let event = Event::decode(bytes).map_err(|error| error.to_string())?;
        let (_, claims) =
            read::read(&event.envelope.statement).map_err(|error| error.to_string())?;
        let mut parts = BTreeMap::new();
        for part in &event.envelope.attachments {
            let opened = build::open(&claims, part, key)
                .map_err(|error| format!("at {}: {error}", event.pos))?;
            if parts
                .insert(part.part.clone(), opened.value().clone())
                .is_some()
            {
                return Err(format!("at {}: {} came twice", event.pos, part.part));
            }
        }
        Ok(Self {
            seq: event.seq.0,
            pos: event.pos.0,
            statement: event.envelope.statement,
            claims,
            parts,
        })
    }
}

/// What came over a desk's sockets.
#[derive(Default)]
struct Came {
    /// Events in the order in which they came, each as its exact bytes.
    events: Vec<(u64, Vec<u8>)>,
    /// Calls for help that were named ahead of their turn.
    early: Vec<u64>,
    /// What was not as section 14 says.
    faults: Vec<String>,
}

impl Came {
    /// Keeps the event that follows on what was kept; anything else is a fault.
    fn next(&mut self, kept: u64, seq: u64, bytes: Vec<u8>) -> bool {
        if seq != kept + 1 {
            self.faults
                .push(format!("event {seq} came over the socket after {kept}"));
            return false;
        }
        self.events.push((seq, bytes));
        true
    }
}

/// A device on its WebSocket, which may break and is opened again.
pub struct Listener {
    came: Arc<Mutex<Came>>,
    /// Where it began.
    from: u64,
    task: Option<tokio::task::JoinHandle<()>>,
}

impl Listener {
    /// Begins behind a place.
    pub fn new(from: u64) -> Self {
        Self {
            came: Arc::default(),
            from,
            task: None,
        }
    }

    /// Opens the socket behind what is kept.
    pub async fn open(&mut self, world: &World, unit: &Unit) {
        let kept = self.kept();
        let socket = open_stream(world, unit, kept).await;
        let came = Arc::clone(&self.came);
        let fetch = Fetch {
            http: unit.http.clone(),
            url: world.url.clone(),
        };
        self.task = Some(tokio::spawn(listen(socket, came, kept, fetch)));
    }

    /// The line breaks, wherever it is.
    pub async fn break_off(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            task.await.ok();
        }
    }

    fn kept(&self) -> u64 {
        let came = self.came.lock().unwrap();
        came.events.last().map_or(self.from, |(seq, _)| *seq)
    }

    /// The bytes of all that came, once it has reached `head`.
    pub async fn bytes(&mut self, head: u64) -> Vec<Vec<u8>> {
        let until = tokio::time::Instant::now() + PATIENCE;
        while self.kept() < head && tokio::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        self.break_off().await;
        let came = self.came.lock().unwrap();
        came.events.iter().map(|(_, bytes)| bytes.clone()).collect()
    }

    /// All that came, once it has reached `head`.
    pub async fn all(&mut self, head: u64, key: &SealKey) -> Result<Vec<Heard>, String> {
        self.bytes(head).await;
        self.so_far(key).await
    }

    /// What came until now; the line is broken off.
    pub async fn so_far(&mut self, key: &SealKey) -> Result<Vec<Heard>, String> {
        self.break_off().await;
        let came = self.came.lock().unwrap();
        if let Some(fault) = came.faults.first() {
            return Err(fault.clone());
        }
        let heard: Vec<Heard> = came
            .events
            .iter()
            .map(|(_, bytes)| Heard::of(bytes, key))
            .collect::<Result<_, _>>()?;
        // What is named ahead of its turn is a call for help, and follows in its turn.
        for early in &came.early {
            let event = heard.iter().find(|event| event.seq == *early);
            if *early > self.from && !event.is_some_and(|e| matches!(e.claims, Claims::Distress(_)))
            {
                return Err(format!(
                    "a call for help was named at {early}, where none stands"
                ));
            }
        }
        Ok(heard)
    }
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_rustls::client::TlsStream<TcpStream>>;

/// Gets what is too large for a frame.
struct Fetch {
    http: reqwest::Client,
    url: String,
}

impl Fetch {
    async fn event(&self, seq: u64) -> Option<Vec<u8>> {
        let answer = self
            .http
            .get(format!("{}/v1/events/{seq}", self.url))
            .send()
            .await
            .ok()?;
        Some(answer.error_for_status().ok()?.bytes().await.ok()?.to_vec())
    }
}

async fn open_stream(world: &World, unit: &Unit, after: u64) -> Socket {
    let credentials = Credentials::from_der(&[unit.certificate.der()], &unit.tls.to_pkcs8_der());
    let config = tls::client_config(&tls::certificate(world.ca.der()), Some(credentials)).unwrap();
    let address: std::net::SocketAddr = world.url.trim_start_matches("https://").parse().unwrap();
    let tcp = TcpStream::connect(address).await.unwrap();
    let tls = TlsConnector::from(Arc::new(config))
        .connect(ServerName::from(address.ip()), tcp)
        .await
        .unwrap();
    let uri = format!("wss://{address}/v1/stream?after={after}")
        .parse()
        .unwrap();
    let request = ClientRequestBuilder::new(uri).with_sub_protocol("hn.v1");
    tokio_tungstenite::client_async(request, tls)
        .await
        .unwrap()
        .0
}

/// Takes what comes until the line breaks, and says what is kept.
async fn listen(mut socket: Socket, came: Arc<Mutex<Came>>, mut kept: u64, fetch: Fetch) {
    while let Some(Ok(message)) = socket.next().await {
        let bytes = match message {
            Message::Binary(bytes) => bytes.to_vec(),
            Message::Text(text) => {
                let said: Value = serde_json::from_str(&text).unwrap_or_default();
                match (said["fetch"].as_u64(), said["distress"].as_u64()) {
                    (Some(seq), _) => match fetch.event(seq).await {
                        Some(bytes) => bytes,
                        None => return,
                    },
                    (_, Some(call)) => {
                        came.lock().unwrap().early.push(call);
                        continue;
                    }
                    _ => continue,
                }
            }
            _ => continue,
        };
        let seq = Event::decode(&bytes).map_or(0, |event| event.seq.0);
        if !came.lock().unwrap().next(kept, seq, bytes) {
            return;
        }
        kept = seq;
        let ack = Message::text(format!(r#"{{"ack":{kept}}}"#));
        if socket.send(ack).await.is_err() {
            return;
        }
    }
}
