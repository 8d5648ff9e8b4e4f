//! A TLS connection of our own, where the HTTPS client does not reach: to read the certificate chain at enrolment, and
//! to carry the WebSocket.

use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::api::{ApiError, refused_by_tls};
use crate::crypto::digest::Digest;
use crate::crypto::x509::Certificate;

/// How long TCP and TLS may take together.
const CONNECT: Duration = Duration::from_secs(15);

/// Connects to `server`, an `https://host:port` address.
///
/// # Errors
/// [`ApiError`]: no connection, another server, or a refused certificate.
pub async fn connect(
    server: &str,
    config: rustls::ClientConfig,
) -> Result<TlsStream<TcpStream>, ApiError> {
    let (host, port) = host_and_port(server)?;
    let name = ServerName::try_from(host.clone())
        .map_err(|_| ApiError::Client(format!("{host} is neither a name nor an address")))?;
    let connecting = async {
        let tcp = TcpStream::connect((host.as_str(), port)).await?;
        tcp.set_nodelay(true)?;
        TlsConnector::from(std::sync::Arc::new(config))
            .connect(name, tcp)
            .await
    };
    match tokio::time::timeout(CONNECT, connecting).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => {
            Err(
                refused_by_tls(server, &error).unwrap_or_else(|| ApiError::Unreachable {
                    server: server.to_owned(),
                    why: error.to_string(),
                }),
            )
        }
        Err(_) => Err(ApiError::Unreachable {
            server: server.to_owned(),
            why: "no answer in time".to_owned(),
        }),
    }
}

/// The host and port of an `https://` address.
///
/// # Errors
/// When it is none.
pub fn host_and_port(server: &str) -> Result<(String, u16), ApiError> {
    let url = reqwest::Url::parse(server)
        .ok()
        .filter(|url| url.scheme() == "https")
        .ok_or_else(|| {
            ApiError::Client(format!(
                "{server} is not an address like https://herald.example.org:8443"
            ))
        })?;
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok((host.to_owned(), url.port_or_known_default().unwrap_or(443)))
}

/// The certificate of the CA with this fingerprint, from the chain that the server presents.
///
/// # Errors
/// [`ApiError`]; the handshake itself refuses a chain without it.
pub async fn fetch_ca(
    server: &str,
    config: rustls::ClientConfig,
    fingerprint: Digest,
) -> Result<Certificate, ApiError> {
    let stream = connect(server, config).await?;
    let (_, connection) = stream.get_ref();
    connection
        .peer_certificates()
        .unwrap_or_default()
        .iter()
        .filter_map(|der| Certificate::from_der(der).ok())
        .find(|certificate| certificate.fingerprint() == fingerprint)
        .ok_or_else(|| ApiError::OtherServer {
            server: server.to_owned(),
            why: "its chain lacks the certificate that the invite names".to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gives_host_and_port() {
        for (address, host, port) in [
            ("https://localhost:8443", "localhost", 8443),
            ("https://herald.example.org/", "herald.example.org", 443),
            ("https://[::1]:9", "::1", 9),
            ("https://127.0.0.1:1", "127.0.0.1", 1),
        ] {
            assert_eq!(
                host_and_port(address).expect("an address"),
                (host.to_owned(), port)
            );
        }
        assert!(host_and_port("http://localhost").is_err());
        assert!(host_and_port("localhost:8443").is_err());
    }
}
