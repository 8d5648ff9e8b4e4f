//! Who may speak to the server, and how: TLS 1.3 with the post-quantum hybrid, no resumption, client certificates of our
//! device CA or none, and at enrolment the one CA that the invite names.

use std::sync::Arc;

use axum::routing::get;
use axum::{Extension, Router};
use data_encoding::HEXLOWER;
use herald::crypto::x509::{Authority, DeviceSubject, TlsKey, Validity};
use herald::domain::clock::Clock;
use herald::http::PeerIdentity;
use herald::tls as herald_tls;
use rcgen::ExtendedKeyUsagePurpose;
use rustls::HandshakeKind;
use rustls::client::Resumption;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Answer, Ca, Server, short_limits};

const WHO: &str = "GET /who HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

async fn who(Extension(peer): Extension<PeerIdentity>) -> String {
    peer.spki_sha256
        .map_or_else(|| "nobody".to_owned(), |spki| HEXLOWER.encode(&spki))
}

async fn server() -> Server {
    Server::start(short_limits(), Router::new().route("/who", get(who))).await
}

/// Asks who the server thinks we are; under TLS 1.3 a refused certificate shows only after the client's handshake.
async fn ask(server: &Server, config: rustls::ClientConfig) -> Option<Answer> {
    let mut stream = server.try_connect(Arc::new(config)).await.ok()?;
    stream.write_all(WHO.as_bytes()).await.ok()?;
    let answer = Answer::read(&mut stream).await;
    (answer.status != 0).then_some(answer)
}

#[tokio::test]
async fn a_device_is_known_by_its_key_and_a_client_without_certificate_is_nobody() {
    let server = server().await;
    let device = server.device_ca.device();
    let spki = herald_tls::spki_sha256(&device.chain[0]).expect("a certificate");
    let answer = ask(&server, server.client(Some(device)))
        .await
        .expect("an answer");
    assert_eq!((answer.status, answer.body), (200, HEXLOWER.encode(&spki)));
    let answer = ask(&server, server.client(None)).await.expect("an answer");
    assert_eq!((answer.status, answer.body.as_str()), (200, "nobody"));
}

#[tokio::test]
async fn a_certificate_of_another_authority_an_expired_one_and_a_servers_are_refused() {
    let server = server().await;
    let foreign = Ca::new("device CA").device();
    let expired = server
        .device_ca
        .issue(ExtendedKeyUsagePurpose::ClientAuth, |params| {
            params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        });
    let not_a_clients = server
        .device_ca
        .issue(ExtendedKeyUsagePurpose::ServerAuth, |_| {});
    for (what, credentials) in [
        ("foreign", foreign),
        ("expired", expired),
        ("a server's", not_a_clients),
    ] {
        let answer = ask(&server, server.client(Some(credentials))).await;
        assert!(answer.is_none(), "{what}: {answer:?}");
    }
    assert!(
        ask(&server, server.client(Some(server.device_ca.device())))
            .await
            .is_some(),
        "the control gets through"
    );
}

#[tokio::test]
async fn tls_1_2_is_refused() {
    let server = server().await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(server.ca.der()).expect("a root");
    let config = |version| {
        rustls::ClientConfig::builder_with_provider(herald_tls::provider())
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_root_certificates(roots.clone())
            .with_no_client_auth()
    };
    assert!(
        server
            .try_connect(Arc::new(config(&rustls::version::TLS12)))
            .await
            .is_err()
    );
    assert!(
        server
            .try_connect(Arc::new(config(&rustls::version::TLS13)))
            .await
            .is_ok(),
        "the control gets through"
    );
}

#[tokio::test]
async fn the_key_exchange_is_the_post_quantum_hybrid() {
    let server = server().await;
    let stream = server.connect().await;
    let (_, connection) = stream.get_ref();
    let group = connection
        .negotiated_key_exchange_group()
        .expect("a finished handshake");
    assert_eq!(group.name(), rustls::NamedGroup::X25519MLKEM768);
    assert_eq!(connection.alpn_protocol(), Some(herald_tls::ALPN));
}

/// Connects twice with a client that would resume, reading in between, so that a ticket would have come.
async fn second_handshake(server: &Server) -> HandshakeKind {
    let mut config = server.client(None);
    config.resumption = Resumption::in_memory_sessions(8);
    let config = Arc::new(config);
    let mut first = server
        .try_connect(Arc::clone(&config))
        .await
        .expect("a handshake");
    first
        .write_all(b"GET /who HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .expect("is sent");
    let mut buffer = [0; 1];
    first.read_exact(&mut buffer).await.expect("an answer");
    let second = server.try_connect(config).await.expect("a handshake");
    second
        .get_ref()
        .1
        .handshake_kind()
        .expect("a finished handshake")
}

#[tokio::test]
async fn no_session_is_resumed_so_that_a_revoked_client_cannot_come_back_by_a_ticket() {
    assert_eq!(second_handshake(&server().await).await, HandshakeKind::Full);
    let routes = Router::new().route("/who", get(who));
    let lenient = Server::start_with(
        short_limits(),
        |_| routes,
        |config| {
            config.send_tls13_tickets = 2;
            config.session_storage = rustls::server::ServerSessionMemoryCache::new(8);
        },
    )
    .await;
    assert_eq!(
        second_handshake(&lenient).await,
        HandshakeKind::Resumed,
        "the control resumes"
    );
}

#[tokio::test]
async fn enrolment_trusts_the_authority_that_the_invite_names_and_no_other() {
    let server = server().await;
    let pinned = herald_tls::fingerprint(&server.ca.der());
    let config = herald_tls::enrolment_config(pinned).expect("a configuration");
    assert!(ask(&server, config).await.is_some());
    let mut other = pinned;
    other[31] ^= 1;
    let config = herald_tls::enrolment_config(other).expect("a configuration");
    assert!(ask(&server, config).await.is_none());
}

#[tokio::test]
async fn showing_the_pinned_authority_beside_a_leaf_that_it_did_not_issue_does_not_help() {
    let genuine = Ca::new("server CA");
    let mut forged = Ca::new("server CA").issue(ExtendedKeyUsagePurpose::ServerAuth, |_| {});
    forged.chain.push(genuine.der());
    let mut config = herald_tls::server_config(forged, &genuine.der()).expect("a configuration");
    let server = Server::start_with(
        short_limits(),
        |_| Router::new(),
        |current| {
            std::mem::swap(current, &mut config);
        },
    )
    .await;
    let pinned = herald_tls::fingerprint(&genuine.der());
    let client = herald_tls::enrolment_config(pinned).expect("a configuration");
    assert!(server.try_connect(Arc::new(client)).await.is_err());
}

#[tokio::test]
async fn a_client_refuses_a_server_of_another_authority() {
    let server = server().await;
    let config =
        herald_tls::client_config(&Ca::new("server CA").der(), None).expect("a configuration");
    assert!(server.try_connect(Arc::new(config)).await.is_err());
}

#[tokio::test]
async fn the_certificates_that_the_deployment_itself_issues_serve_both_ends() {
    let validity = Validity::days(Clock::System.now(), 30).expect("a time");
    let authority = Authority::create("Herald test CA", validity).expect("an authority");
    let (server_key, device_key) = (
        TlsKey::generate().expect("a key"),
        TlsKey::generate().expect("a key"),
    );
    let leaf = authority
        .issue_server(&["localhost".to_owned()], &server_key, validity)
        .expect("a certificate");
    let subject = DeviceSubject {
        device: "d-1",
        organisation: "o-1",
    };
    let request = device_key.make_csr().expect("a request");
    let device = authority
        .issue_device(&request, &subject, validity)
        .expect("a certificate");

    let ca = herald_tls::certificate(authority.certificate().der());
    let chain = [leaf.der(), authority.certificate().der()];
    let ours = herald_tls::Credentials::from_der(&chain, &server_key.to_pkcs8_der());
    let mut config = herald_tls::server_config(ours, &ca).expect("a configuration");
    let routes = Router::new().route("/who", get(who));
    let server = Server::start_with(
        short_limits(),
        |_| routes,
        |current| std::mem::swap(current, &mut config),
    )
    .await;

    let pin = *authority.certificate().fingerprint().as_bytes();
    assert!(
        ask(
            &server,
            herald_tls::enrolment_config(pin).expect("a configuration")
        )
        .await
        .is_some()
    );
    let shown = herald_tls::Credentials::from_der(&[device.der()], &device_key.to_pkcs8_der());
    let client = herald_tls::client_config(&ca, Some(shown)).expect("a configuration");
    let answer = ask(&server, client).await.expect("an answer");
    assert_eq!(
        answer.body,
        HEXLOWER.encode(device.spki_digest().as_bytes())
    );
}

#[tokio::test]
async fn the_http_client_of_the_command_line_speaks_through_the_same_configuration() {
    let server = server().await;
    let device = server.device_ca.device();
    let spki = herald_tls::spki_sha256(&device.chain[0]).expect("a certificate");
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(server.client(Some(device)))
        .resolve("localhost", server.addr)
        .build()
        .expect("a client");
    let url = format!("https://localhost:{}/who", server.addr.port());
    let answer = client.get(&url).send().await.expect("an answer");
    assert_eq!(answer.version(), reqwest::Version::HTTP_11);
    assert_eq!(answer.text().await.expect("text"), HEXLOWER.encode(&spki));

    let foreign = Ca::new("device CA").device();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(server.client(Some(foreign)))
        .resolve("localhost", server.addr)
        .build()
        .expect("a client");
    assert!(client.get(&url).send().await.is_err());
}
