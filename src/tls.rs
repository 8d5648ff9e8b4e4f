//! TLS for both ends: one place decides versions, key exchange, tickets and how certificates are verified, so that the
//! server and the command line cannot drift apart.
//!
//! TLS 1.3 only, on aws-lc-rs, X25519MLKEM768 preferred (draft-ietf-tls-ecdhe-mlkem). No session is ever resumed: a
//! revoked client must not come back through a ticket. A client certificate is optional at this level (enrolment, keys and
//! log files need none), is verified against the device CA when it is presented, and is looked up in the database on
//! every request by others.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature,
    verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig,
    SignatureScheme,
};

use crate::crypto::digest::Digest;
use crate::crypto::x509::{X509Error, spki_digest};

/// The only application protocol: HTTP/1.1. WebSockets upgrade from it.
pub const ALPN: &[u8] = b"http/1.1";

/// The most certificates that a pinned chain may have: leaf and CA, and room for one intermediate.
pub const CHAIN_MAX: usize = 3;

/// What can be wrong with the material for TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate or key that was given cannot be used.
    #[error(
        "the {what} cannot be used for TLS: make the deployment's or profile's files again, or restore them"
    )]
    Material {
        /// Which of them.
        what: &'static str,
        /// What rustls said.
        #[source]
        source: rustls::Error,
    },
    /// A verifier could not be made from the CA's certificate.
    #[error("the {what} certificate cannot serve as a trust anchor")]
    Verifier {
        /// Which CA.
        what: &'static str,
        /// What rustls said.
        #[source]
        source: rustls::client::VerifierBuilderError,
    },
    /// A peer's certificate is not an X.509 certificate.
    #[error("the peer's certificate is not well-formed X.509")]
    Certificate(#[source] X509Error),
}

/// A certificate chain (leaf first) and the leaf's private key (PKCS #8).
pub struct Credentials {
    /// Leaf first; the server's chain must end with the CA's certificate, for enrolment pins it there.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's key.
    pub key: PrivateKeyDer<'static>,
}

impl Credentials {
    /// From DER: the chain, leaf first, and the key as PKCS #8.
    pub fn from_der(chain: &[&[u8]], key_pkcs8: &[u8]) -> Self {
        Self {
            chain: chain.iter().map(|der| certificate(der)).collect(),
            key: PrivatePkcs8KeyDer::from(key_pkcs8.to_vec()).into(),
        }
    }
}

/// A certificate in DER as the functions here take it.
pub fn certificate(der: &[u8]) -> CertificateDer<'static> {
    CertificateDer::from(der.to_vec())
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials[sealed]")
    }
}

/// The one provider: aws-lc-rs with the post-quantum hybrid first.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Makes [`provider`] the process's default; the first thing in `main`. Harmless when called again.
pub fn install_provider() {
    // An error means that a default stands already, which is what we want.
    drop(aws_lc_rs::default_provider().install_default());
}

/// The server's configuration: `device_ca` is the DER certificate that issued the clients' certificates.
///
/// # Errors
/// When a certificate or the key cannot be used.
pub fn server_config(
    credentials: Credentials,
    device_ca: &CertificateDer<'static>,
) -> Result<ServerConfig, TlsError> {
    let roots = Arc::new(root_store(device_ca, "device CA")?);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
        .allow_unauthenticated()
        .build()
        .map_err(|source| TlsError::Verifier {
            what: "device CA",
            source,
        })?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|source| TlsError::Material {
            what: "protocol version",
            source,
        })?
        .with_client_cert_verifier(verifier)
        .with_single_cert(credentials.chain, credentials.key)
        .map_err(|source| TlsError::Material {
            what: "server's certificate or key",
            source,
        })?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.max_early_data_size = 0;
    Ok(config)
}

/// A client's configuration after enrolment: trusts `server_ca` alone, and shows `credentials` when there are any.
///
/// # Errors
/// When a certificate or the key cannot be used.
pub fn client_config(
    server_ca: &CertificateDer<'static>,
    credentials: Option<Credentials>,
) -> Result<ClientConfig, TlsError> {
    let builder = client_builder()?.with_root_certificates(root_store(server_ca, "server CA")?);
    let config = match credentials {
        Some(credentials) => builder
            .with_client_auth_cert(credentials.chain, credentials.key)
            .map_err(|source| TlsError::Material {
                what: "device's certificate or key",
                source,
            })?,
        None => builder.with_no_client_auth(),
    };
    Ok(without_resumption(config))
}

/// A client's configuration for servers outside Herald, mail servers and gateways: TLS 1.2 or 1.3, for not all of them have
/// 1.3; trusts the certificates in `ca` (PEM) alone, or else the system's authorities.
///
/// # Errors
/// When there is no certificate to trust.
pub fn outward_config(ca: Option<&[u8]>) -> Result<ClientConfig, TlsError> {
    let failed = |source| TlsError::Material {
        what: "trusted certificates",
        source,
    };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)
        .map_err(failed)?;
    let builder = if let Some(pem) = ca {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem).flatten() {
            roots.add(certificate).map_err(failed)?;
        }
        if roots.is_empty() {
            return Err(failed(CertificateError::UnknownIssuer.into()));
        }
        builder.with_root_certificates(roots)
    } else {
        let verifier = rustls_platform_verifier::Verifier::new(provider()).map_err(failed)?;
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
    };
    Ok(builder.with_no_client_auth())
}

/// A client's configuration for enrolment: trusts the CA in the presented chain whose certificate has the SHA-256
/// `fingerprint` that the invite carries, then verifies the server against it as usual (chain, name, time).
///
/// # Errors
/// When the verifier cannot be made.
pub fn enrolment_config(fingerprint: [u8; 32]) -> Result<ClientConfig, TlsError> {
    let verifier = PinnedCaVerifier {
        fingerprint,
        algorithms: provider().signature_verification_algorithms,
    };
    let config = client_builder()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(without_resumption(config))
}

/// The SHA-256 of a certificate's DER bytes: what an invite carries and a person compares.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> [u8; 32] {
    *Digest::of(certificate.as_ref()).as_bytes()
}

/// The SHA-256 of a certificate's SubjectPublicKeyInfo (DER, RFC 5280 4.1.2.7): how a device is known.
///
/// # Errors
/// When the certificate is not well-formed.
pub fn spki_sha256(certificate: &CertificateDer<'_>) -> Result<[u8; 32], TlsError> {
    spki_digest(certificate.as_ref())
        .map(|digest| *digest.as_bytes())
        .map_err(TlsError::Certificate)
}

fn client_builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, TlsError>
{
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|source| TlsError::Material {
            what: "protocol version",
            source,
        })
}

fn without_resumption(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    config
}

fn root_store(ca: &CertificateDer<'static>, what: &'static str) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    roots
        .add(ca.clone())
        .map_err(|source| TlsError::Material { what, source })?;
    Ok(roots)
}

/// Trusts one CA by its fingerprint, and nothing that it did not issue.
#[derive(Debug)]
struct PinnedCaVerifier {
    fingerprint: [u8; 32],
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for PinnedCaVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let ca = intermediates
            .iter()
            .take(CHAIN_MAX)
            .find(|certificate| fingerprint(certificate) == self.fingerprint)
            .ok_or(rustls::Error::InvalidCertificate(
                CertificateError::UnknownIssuer,
            ))?;
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone().into_owned())?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|_| rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer))?
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
