//! Sockets that listen, four a device, and note when each event is in hand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use herald::crypto::digest::Digest;
use herald::crypto::statement;
use herald::domain::clock::{Clock, micros};
use herald::wire::envelope::Event;
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
/// Lines that may break for one socket.
const RECONNECTS: u32 = 1_000;
/// Before a socket connects again.
const PAUSE: Duration = Duration::from_millis(200);
/// Between looks whether an event has reached every socket.
const LOOK: Duration = Duration::from_millis(20);

type Socket = WebSocketStream<TlsStream<TcpStream>>;
/// Milliseconds from acceptance, for each event by the hash of its statement.
type Book = Arc<Mutex<HashMap<Digest, Vec<f64>>>>;

/// Open sockets.
pub struct Listening {
    open: usize,
    book: Book,
}

impl Listening {
    /// Opens all sockets of all devices.
    pub async fn open(desks: &Desks) -> Outcome<Self> {
        let book = Book::default();
        let mut open = 0;
        for device in &desks.devices {
            for _ in 0..SOCKETS {
                let socket = connect(device, &desks.server, 0).await?;
                let (device, server) = (device.clone(), desks.server.clone());
                tokio::spawn(listen(socket, device, server, Arc::clone(&book)));
                open += 1;
            }
        }
        Ok(Self { open, book })
    }

    /// How many there are.
    pub const fn count(&self) -> usize {
        self.open
    }

    /// Waits until a statement has reached every socket; gives the milliseconds that it took to each.
    pub async fn took(&self, of: Digest) -> Vec<f64> {
        loop {
            {
                let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
                if book.get(&of).is_some_and(|took| took.len() >= self.open) {
                    return book.remove(&of).unwrap_or_default();
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }
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
async fn listen(mut socket: Socket, device: Device, server: String, book: Book) {
    let mut last = 0;
    for _ in 0..RECONNECTS {
        follow(&mut socket, &mut last, &book).await;
        tokio::time::sleep(PAUSE).await;
        if let Ok(again) = connect(&device, &server, last).await {
            socket = again;
        }
    }
}

/// Notes what comes, and says that it is kept, until the line ends.
async fn follow(socket: &mut Socket, last: &mut u64, book: &Book) {
    while let Some(Ok(message)) = socket.next().await {
        let Message::Binary(bytes) = message else {
            continue;
        };
        let Ok(event) = Event::decode(&bytes) else {
            continue;
        };
        *last = event.seq.0;
        let now = u64::try_from(micros(Clock::System.now())).unwrap_or_default();
        let took = Duration::from_micros(now.saturating_sub(event.at_us));
        let of = statement::hash(&event.envelope.statement);
        book.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(of)
            .or_default()
            .push(took.as_secs_f64() * 1_000.0);
        let kept = format!(r#"{{"ack":{}}}"#, event.seq);
        if socket.send(Message::text(kept)).await.is_err() {
            return;
        }
    }
}
