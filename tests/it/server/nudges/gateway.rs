//! A gateway on loopback over real TLS, which answers as it is told, and a computation of its signature that shares
//! nothing with ours but SHA-256.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use herald::crypto::digest::Digest;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::post::Trusted;

/// The secret that both sides have.
pub const SECRET: &[u8; 32] = b"thirty-two bytes shared with us.";

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub line: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Request {
    /// Whether its signature is that of Standard Webhooks over what came.
    pub fn is_signed(&self) -> bool {
        let mut signed = Vec::new();
        signed.extend_from_slice(self.headers["webhook-id"].as_bytes());
        signed.push(b'.');
        signed.extend_from_slice(self.headers["webhook-timestamp"].as_bytes());
        signed.push(b'.');
        signed.extend_from_slice(&self.body);
        let expected = format!(
            "v1,{}",
            data_encoding::BASE64.encode(&hmac(SECRET, &signed))
        );
        self.headers["webhook-signature"] == expected
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// HMAC (RFC 2104) with SHA-256, written out.
fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Digest::of_parts(&[&block.map(|b| b ^ 0x36), text]);
    *Digest::of_parts(&[&block.map(|b| b ^ 0x5c), inner.as_bytes()]).as_bytes()
}

/// The gateway.
pub struct Gateway {
    pub trusted: Trusted,
    pub port: u16,
    answers: Arc<Mutex<VecDeque<&'static str>>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Gateway {
    /// Starts one that answers with these, then 204.
    pub async fn open(answers: &[&'static str]) -> Self {
        let trusted = Trusted::new();
        let chain = CertificateDer::pem_file_iter(trusted.path("cert.pem")).unwrap();
        let chain = chain.map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(trusted.path("key.pem")).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(herald::tls::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let this = Self {
            trusted,
            port: listener.local_addr().unwrap().port(),
            answers: Arc::new(Mutex::new(answers.iter().copied().collect())),
            requests: Arc::default(),
        };
        let (answers, requests) = (Arc::clone(&this.answers), Arc::clone(&this.requests));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let Some(request) = read(&mut stream).await else {
                    continue;
                };
                requests.lock().unwrap().push(request);
                let status = answers
                    .lock()
                    .unwrap()
                    .pop_front()
                    .unwrap_or("204 No Content");
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: 0\r\nlocation: /elsewhere\r\nconnection: close\r\n\r\n"
                );
                stream.write_all(answer.as_bytes()).await.ok();
                stream.shutdown().await.ok();
            }
        });
        this
    }

    /// What an operator writes to use it.
    pub fn config(&self) -> Value {
        json!({
            "url": format!("https://localhost:{}/sms", self.port), "secret_file": "webhook-secret",
            "ca_file": self.trusted.path("ca.pem"),
        })
    }

    /// What came, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// As [`Self::requests`], once there are this many.
    pub async fn got(&self, count: usize) -> Vec<Request> {
        for _ in 0..200 {
            let requests = self.requests();
            if requests.len() >= count {
                assert_eq!(requests.len(), count);
                return requests;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{count} requests, not {:?}", self.requests());
    }
}

async fn read(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<Request> {
    let (mut bytes, mut chunk) = (Vec::new(), [0_u8; 4_096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut lines = head.lines();
            let line = lines.next()?.to_owned();
            let headers: BTreeMap<_, _> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let length: usize = headers.get("content-length")?.parse().ok()?;
            if body.len() >= length {
                let body = body.as_bytes().to_vec();
                return Some(Request {
                    line,
                    headers,
                    body,
                });
            }
        }
        let n = stream.read(&mut chunk).await.ok()?;
        if n == 0 {
            return None;
        }
        bytes.extend_from_slice(&chunk[..n]);
    }
}
