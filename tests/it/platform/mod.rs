//! The server's platform on real sockets: TLS, slow clients, refusals, the end. Here stand what the tests share: a small
//! PKI, a server with short limits, and a client that writes bytes itself.

mod operator;
mod requests;
mod slow;
mod sockets;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use herald::http::limits::Limits;
use herald::http::{Acceptor, Platform};
use herald::tls::{self as herald_tls, Credentials};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// No test waits longer for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A certificate authority.
struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    fn issue(
        &self,
        usage: ExtendedKeyUsagePurpose,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Credentials {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        params.extended_key_usages = vec![usage];
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let leaf = params.signed_by(&key, &self.0).expect("a certificate");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Credentials {
            chain: vec![leaf.der().clone()],
            key,
        }
    }

    fn device(&self) -> Credentials {
        self.issue(ExtendedKeyUsagePurpose::ClientAuth, |_| {})
    }

    /// A server's credentials, with the CA's certificate at the chain's end as enrolment needs it.
    fn server(&self) -> Credentials {
        let mut credentials = self.issue(ExtendedKeyUsagePurpose::ServerAuth, |_| {});
        credentials.chain.push(self.der());
        credentials
    }
}

/// Limits in which a test can see the end.
pub(crate) fn short_limits() -> Limits {
    let mut limits = Limits::default();
    limits.connection.handshake = Duration::from_millis(500);
    limits.connection.header = Duration::from_millis(500);
    limits.connection.write_stall = Duration::from_millis(500);
    limits.request.body = PATIENCE * 2;
    limits.request.body_grace = Duration::from_millis(500);
    limits.request.request = Duration::from_secs(3);
    limits
}

/// A server on loopback.
pub(crate) struct Server {
    addr: SocketAddr,
    ca: Ca,
    device_ca: Ca,
    drain: CancellationToken,
    tracker: TaskTracker,
    accepting: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(limits: Limits, routes: Router) -> Self {
        Self::start_with(limits, |_| routes, |_| {}).await
    }

    async fn start_with(
        limits: Limits,
        routes: impl FnOnce(&Arc<Platform>) -> Router,
        change: impl FnOnce(&mut rustls::ServerConfig),
    ) -> Self {
        let (ca, device_ca) = (Ca::new("server CA"), Ca::new("device CA"));
        let mut config =
            herald_tls::server_config(ca.server(), &device_ca.der()).expect("a configuration");
        change(&mut config);
        let platform = Platform::new(limits);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let (drain, tracker) = (CancellationToken::new(), TaskTracker::new());
        let acceptor = Acceptor {
            tls: Some(Arc::new(config)),
            router: platform.wrap(routes(&platform)),
            limits: platform.limits.connection.clone(),
            drain: drain.clone(),
            abort: CancellationToken::new(),
            tracker: tracker.clone(),
        };
        let accepting = tokio::spawn(acceptor.run(listener));
        Self {
            addr,
            ca,
            device_ca,
            drain,
            tracker,
            accepting,
        }
    }

    fn client(&self, credentials: Option<Credentials>) -> rustls::ClientConfig {
        herald_tls::client_config(&self.ca.der(), credentials).expect("a configuration")
    }

    async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.expect("a connection")
    }

    async fn try_connect(
        &self,
        config: Arc<rustls::ClientConfig>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(config)
            .connect(name, self.tcp().await)
            .await
    }

    pub(crate) async fn connect(&self) -> TlsStream<TcpStream> {
        self.try_connect(Arc::new(self.client(None)))
            .await
            .expect("a handshake")
    }

    /// Sends bytes on a new connection and reads the answer to its end.
    async fn exchange(&self, request: &str) -> Answer {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.expect("is sent");
        Answer::read(&mut stream).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.exchange(&format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        ))
        .await
    }
}

/// Reads until the peer closes, or fails; never longer than [`PATIENCE`].
async fn read_to_close(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    let reading = async {
        while let Ok(n @ 1..) = stream.read(&mut buffer).await {
            all.extend_from_slice(buffer.get(..n).unwrap_or_default());
        }
    };
    tokio::time::timeout(PATIENCE, reading)
        .await
        .expect("the server closes the connection");
    all
}

/// An answer taken apart.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    async fn read(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Self {
        let bytes = read_to_close(stream).await;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or(0);
        Self {
            status,
            head: head.to_lowercase(),
            body: body.to_owned(),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(n, _)| *n == name)
            .map(|(_, v)| v)
    }

    /// The problem that this answer must be.
    fn problem(&self) -> herald::wire::problem::Problem {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        serde_json::from_str(&self.body).expect("a problem document")
    }
}
