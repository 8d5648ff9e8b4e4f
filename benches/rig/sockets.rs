//! Sockets that listen, four a device, and note when each event is in hand, whether it was sealed for its desk, and what
//! broke.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::iter;
use futures_util::{SinkExt as _, StreamExt as _, TryStreamExt as _};
use herald::crypto::digest::Digest;
use herald::crypto::statement;
use herald::domain::clock::{Clock, micros};
use herald::wire::envelope::{Content, Event};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;

use super::Outcome;
use super::desks::{Desks, Device};

/// Sockets of a device: as many as one may have.
const SOCKETS: usize = 4;
/// Handshakes under way.
const OPENING: usize = 8;
/// Lines that may break for one socket.
const RECONNECTS: u32 = 1_000;
/// Before a socket connects again.
const PAUSE: Duration = Duration::from_millis(200);
/// Between looks whether an event has reached every socket.
const LOOK: Duration = Duration::from_millis(20);

type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// An event in a socket's hand.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// Milliseconds from its acceptance.
    pub ms: f64,
    /// Whether it holds a part sealed to the key of this socket's desk.
    pub sealed: bool,
}

/// What all sockets note.
#[derive(Default)]
struct Book {
    /// By the hash of the statement.
    arrived: Mutex<HashMap<Digest, Vec<Arrival>>>,
    /// Events that did not follow the one before.
    gaps: AtomicUsize,
    /// Lines that broke.
    broken: AtomicUsize,
}

/// Open sockets.
pub struct Listening {
    open: usize,
    book: Arc<Book>,
}

impl Listening {
    /// Opens all sockets of all devices, each from the end of its mailbox: that of a desk that has read everything.
    pub async fn open(desks: &Desks) -> Outcome<Self> {
        let book = Arc::<Book>::default();
        let opening = desks.devices.iter().map(|device| async {
            let head = head(device, &desks.server).await?;
            for _ in 0..SOCKETS {
                let socket = connect(device, &desks.server, head).await?;
                let (device, server) = (device.clone(), desks.server.clone());
                tokio::spawn(listen(socket, device, server, head, Arc::clone(&book)));
            }
            Outcome::Ok(SOCKETS)
        });
        let opened = iter(opening).buffer_unordered(OPENING);
        let open = opened.try_fold(0, async |open, more| Ok(open + more));
        Ok(Self {
            open: open.await?,
            book,
        })
    }

    /// How many there are.
    pub const fn count(&self) -> usize {
        self.open
    }

    /// Events that did not follow the one before, and lines that broke.
    pub fn faults(&self) -> (usize, usize) {
        let read = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        (read(&self.book.gaps), read(&self.book.broken))
    }

    /// Waits until a statement has reached every socket.
    pub async fn took(&self, of: Digest) -> Vec<Arrival> {
        loop {
            {
                let arrived = self.book.arrived.lock();
                let mut arrived = arrived.unwrap_or_else(PoisonError::into_inner);
                if arrived.get(&of).is_some_and(|took| took.len() >= self.open) {
                    return arrived.remove(&of).unwrap_or_default();
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The last place in a device's mailbox.
async fn head(device: &Device, server: &str) -> Outcome<u64> {
    let url = format!("{server}/v1/events?after=0&limit=1");
    let answer = device.client()?.get(url).send().await?.error_for_status()?;
    let head = answer.headers().get("hn-head").ok_or("no head")?;
    Ok(head.to_str()?.parse()?)
}

async fn connect(device: &Device, server: &str, after: u64) -> Outcome<Socket> {
    let address = server.strip_prefix("https://").ok_or("no address")?;
    let socket = TcpSocket::new_v4()?;
    socket.bind((device.from, 0).into())?;
    let tcp = socket.connect(address.parse()?).await?;
    let host = rustls::pki_types::ServerName::try_from("127.0.0.1")?;
    let tls = TlsConnector::from(Arc::clone(&device.tls))
        .connect(host, tcp)
        .await?;
    let uri = format!("wss://{address}/v1/stream?after={after}").parse()?;
    let request = ClientRequestBuilder::new(uri).with_sub_protocol("hn.v1");
    let (socket, _) = tokio_tungstenite::client_async(request, tls).await?;
    Ok(socket)
}

/// Listens on, over every line that breaks, as a client does.
async fn listen(mut socket: Socket, device: Device, server: String, head: u64, book: Arc<Book>) {
    let mut last = head;
    for _ in 0..RECONNECTS {
        follow(&mut socket, &device, &mut last, &book).await;
        book.broken.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(PAUSE).await;
        if let Ok(again) = connect(&device, &server, last).await {
            socket = again;
        }
    }
}

/// Notes what comes, and says that it is kept, until the line ends.
async fn follow(socket: &mut Socket, device: &Device, last: &mut u64, book: &Book) {
    while let Some(Ok(message)) = socket.next().await {
        let Message::Binary(bytes) = message else {
            continue;
        };
        let Ok(event) = Event::decode(&bytes) else {
            continue;
        };
        if event.seq.0 != *last + 1 {
            book.gaps.fetch_add(1, Ordering::Relaxed);
        }
        *last = event.seq.0;
        let for_desk =
            |content: &Content| matches!(content, Content::Seal { kid, .. } if *kid == device.desk);
        let parts = &event.envelope.attachments;
        let sealed = parts.iter().any(|part| for_desk(&part.content));
        let now = u64::try_from(micros(Clock::System.now())).unwrap_or_default();
        let took = Duration::from_micros(now.saturating_sub(event.at_us));
        let of = statement::hash(&event.envelope.statement);
        let arrival = Arrival {
            ms: took.as_secs_f64() * 1_000.0,
            sealed,
        };
        book.arrived
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(of)
            .or_default()
            .push(arrival);
        let kept = format!(r#"{{"ack":{}}}"#, event.seq);
        if socket.send(Message::text(kept)).await.is_err() {
            return;
        }
    }
}
