//! The way in: TCP, TLS, HTTP/1.1, each step bounded. Neither a silent client nor one that drips a byte a second can hold
//! more than its share, and no one address can hold all of it.
//!
//! We accept connections ourselves because the ready-made ways were measured to hold silent and half-spoken connections
//! past 45 s. HTTP/1.1 only: one parser to bound, and WebSockets that upgrade from it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::limits::ConnectionLimits;
use super::rate::{Key, Store};
use super::stall::StallGuard;
use crate::tls;

/// How long to pause when the system has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Who is at the other end of the connection, by TLS. In the extensions of every request.
#[derive(Clone)]
pub struct PeerIdentity {
    /// The SHA-256 of the SubjectPublicKeyInfo of the client's certificate, which our device CA issued and which is within
    /// its time; `None` when it showed none. Whether it is enrolled and not revoked is the database's word.
    pub spki_sha256: Option<[u8; 32]>,
    /// The certificate, DER.
    pub certificate: Option<Arc<CertificateDer<'static>>>,
    /// The address.
    pub addr: SocketAddr,
}

impl std::fmt::Debug for PeerIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PeerIdentity[sealed]")
    }
}

/// What a listener serves, and how it ends.
pub struct Acceptor {
    /// TLS; `None` for the loopback listener of the operator.
    pub tls: Option<Arc<ServerConfig>>,
    /// The routes, with every layer on them.
    pub router: Router,
    /// The bounds.
    pub limits: ConnectionLimits,
    /// When cancelled: no new connection, requests in flight are finished, idle connections closed.
    pub drain: CancellationToken,
    /// When cancelled: whatever is left is dropped.
    pub abort: CancellationToken,
    /// Counts connections until they end or become sockets; close and wait on it to see the drain's end.
    pub tracker: TaskTracker,
}

impl Acceptor {
    /// Accepts until `drain` is cancelled.
    pub async fn run(self, listener: TcpListener) {
        let shared = Arc::new(Shared {
            tls: self.tls.map(TlsAcceptor::from),
            router: self.router,
            builder: builder(&self.limits),
            slots: Arc::new(Semaphore::new(self.limits.connections_max)),
            addresses: Arc::new(Addresses::default()),
            arrivals: Store::new(self.limits.new_per_address, self.limits.addresses_max),
            limits: self.limits,
            drain: self.drain.clone(),
            abort: self.abort,
        });
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.drain.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, addr)) => match shared.slot(addr) {
                    Ok(slot) => drop(
                        self.tracker
                            .spawn(Arc::clone(&shared).connection(stream, addr, slot)),
                    ),
                    Err(reason) => count_refused(reason),
                },
                Err(error) => {
                    tracing::warn!(kind = ?error.kind(), "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

fn builder(limits: &ConnectionLimits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .max_header_size(limits.header_max_bytes)
        .max_headers(limits.header_max_fields)
        .max_buf_size(limits.buffer_max_bytes)
        .half_close(false)
        .keep_alive(true);
    builder
}

/// What all connections of a listener share.
struct Shared {
    tls: Option<TlsAcceptor>,
    router: Router,
    builder: http1::Builder,
    slots: Arc<Semaphore>,
    addresses: Arc<Addresses>,
    arrivals: Store,
    limits: ConnectionLimits,
    drain: CancellationToken,
    abort: CancellationToken,
}

impl Shared {
    /// Takes a place for a connection from `addr`, or says why there is none.
    fn slot(&self, addr: SocketAddr) -> Result<Slot, &'static str> {
        self.arrivals
            .check(Key::Address(address_key(addr.ip())))
            .map_err(|_wait_s| "rate")?;
        let all = Arc::clone(&self.slots)
            .try_acquire_owned()
            .map_err(|_| "all")?;
        let address = AddressSlot::take(
            &self.addresses,
            addr.ip(),
            self.limits.connections_per_address_max,
        )
        .ok_or("address")?;
        metrics::gauge!("herald_connections").increment(1.0);
        Ok(Slot {
            _all: all,
            _address: address,
        })
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, addr: SocketAddr, slot: Slot) {
        // Small answers must not wait for Nagle; a failure here only costs time.
        drop(stream.set_nodelay(true));
        let abort = self.abort.clone();
        let work = async {
            match &self.tls {
                None => {
                    let peer = PeerIdentity {
                        spki_sha256: None,
                        certificate: None,
                        addr,
                    };
                    self.http(stream, peer, slot).await;
                }
                Some(tls) => {
                    let handshake = tokio::time::timeout(self.limits.handshake, tls.accept(stream));
                    match handshake.await {
                        Ok(Ok(stream)) => match identity(&stream, addr) {
                            Ok(peer) => self.http(stream, peer, slot).await,
                            Err(_) => count_handshake("certificate"),
                        },
                        Ok(Err(_)) => count_handshake("refused"),
                        Err(_) => count_handshake("timeout"),
                    }
                }
            }
        };
        tokio::select! {
            biased;
            () = abort.cancelled() => {}
            () = work => {}
        }
    }

    async fn http<S>(&self, stream: S, peer: PeerIdentity, slot: Slot)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let router = self.router.clone();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let router = router.clone();
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer.clone());
            async move {
                Ok::<_, Infallible>(
                    router
                        .oneshot(request)
                        .await
                        .unwrap_or_else(|never| match never {}),
                )
            }
        });
        // The slot travels with the stream, so that a WebSocket keeps its place after the upgrade.
        let io = TokioIo::new(StallGuard::new(stream, self.limits.write_stall, slot));
        let mut connection =
            std::pin::pin!(self.builder.serve_connection(io, service).with_upgrades());
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.drain.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            count_connection_error(&error);
        }
    }
}

/// Reads the client's certificate off a finished handshake.
fn identity(
    stream: &tokio_rustls::server::TlsStream<TcpStream>,
    addr: SocketAddr,
) -> Result<PeerIdentity, tls::TlsError> {
    let leaf = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(<[_]>::first);
    let spki_sha256 = leaf.map(tls::spki_sha256).transpose()?;
    let certificate = leaf.map(|leaf| Arc::new(leaf.clone().into_owned()));
    Ok(PeerIdentity {
        spki_sha256,
        certificate,
        addr,
    })
}

/// A connection's place; given back when the stream is dropped.
pub(super) struct Slot {
    _all: OwnedSemaphorePermit,
    _address: AddressSlot,
}

impl Drop for Slot {
    fn drop(&mut self) {
        metrics::gauge!("herald_connections").decrement(1.0);
    }
}

/// How many connections each address holds. Bounded by the number of connections.
#[derive(Default)]
struct Addresses(Mutex<HashMap<IpAddr, usize>>);

struct AddressSlot {
    addresses: Arc<Addresses>,
    key: IpAddr,
}

impl AddressSlot {
    fn take(addresses: &Arc<Addresses>, ip: IpAddr, max: usize) -> Option<Self> {
        let key = address_key(ip);
        let mut held = addresses.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(key).or_default();
        if *count >= max {
            return None;
        }
        *count += 1;
        Some(Self {
            addresses: Arc::clone(addresses),
            key,
        })
    }
}

impl Drop for AddressSlot {
    fn drop(&mut self) {
        let mut held = self
            .addresses
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.key);
            }
        }
    }
}

/// What counts as one address: an IPv4 address (also when mapped), or an IPv6 /64, which one subscriber holds whole.
pub(super) fn address_key(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

fn count_refused(reason: &'static str) {
    metrics::counter!("herald_connections_refused_total", "reason" => reason).increment(1);
}

fn count_handshake(reason: &'static str) {
    metrics::counter!("herald_tls_handshakes_failed_total", "reason" => reason).increment(1);
}

fn count_connection_error(error: &hyper::Error) {
    let reason = if error.is_timeout() {
        "timeout"
    } else if error.is_parse() || error.is_parse_too_large() {
        "malformed"
    } else {
        "closed"
    };
    metrics::counter!("herald_connections_failed_total", "reason" => reason).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_subscriber_counts_as_one_address_and_a_mapped_address_as_its_ipv4() {
        let a: IpAddr = "2001:db8:1:2:3::4".parse().expect("an address");
        let b: IpAddr = "2001:db8:1:2:ffff::1".parse().expect("an address");
        let c: IpAddr = "2001:db8:1:3::1".parse().expect("an address");
        assert_eq!(address_key(a), address_key(b));
        assert_ne!(address_key(a), address_key(c));
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().expect("an address");
        assert_eq!(
            address_key(mapped),
            "192.0.2.1".parse::<IpAddr>().expect("an address")
        );
    }

    #[test]
    fn an_address_gets_its_places_back_and_leaves_no_trace() {
        let addresses = Arc::new(Addresses::default());
        let ip: IpAddr = "192.0.2.1".parse().expect("an address");
        let first = AddressSlot::take(&addresses, ip, 2).expect("a place");
        let second = AddressSlot::take(&addresses, ip, 2).expect("a place");
        assert!(AddressSlot::take(&addresses, ip, 2).is_none());
        drop(first);
        let third = AddressSlot::take(&addresses, ip, 2).expect("a place");
        drop((second, third));
        assert!(addresses.0.lock().expect("not poisoned").is_empty());
    }
}
