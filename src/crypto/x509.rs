//! The device CA and TLS certificates (RFC 5280). A certificate only says which key is at the other end of a connection;
//! whose key it is, and whether it is revoked, stands in the database, looked up by the digest of the public key. Of a
//! certificate request nothing is taken but the key: every other field we write ourselves.

use std::fmt;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SerialNumber,
};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate, X509CertificationRequest};
use zeroize::Zeroizing;

use super::{digest::Digest, random::random_bytes};

/// Longest name in a certificate's subject in characters (X.520's bound for a common name).
pub const MAX_SUBJECT_CHARS: usize = 64;
/// Longest life of a server's or a device's certificate in days.
pub const MAX_LEAF_DAYS: i64 = 366;
/// Longest life of the device CA in days: ten years.
pub const MAX_AUTHORITY_DAYS: i64 = 3660;
/// Longest certificate or request in DER bytes.
pub const MAX_DER_BYTES: usize = 16 * 1024;

const OID_EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";
const OID_P256: &str = "1.2.840.10045.3.1.7";
/// An uncompressed P-256 point.
const P256_POINT_BYTES: usize = 65;

/// What is wrong with a certificate, request or key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum X509Error {
    /// The certificate is not DER, or more than one.
    #[error("this is not one X.509 certificate in DER")]
    Certificate,
    /// The certificate's PEM is not a certificate.
    #[error("the CA's certificate file is not one certificate in PEM")]
    Pem,
    /// The key's PEM is no P-256 key.
    #[error("the key file is not a P-256 private key in PEM (PKCS #8)")]
    Key,
    /// The CA's certificate and key do not belong together.
    #[error("the CA's key does not belong to its certificate")]
    KeyOfAnother,
    /// The request is not PKCS #10, or not signed by the key in it.
    #[error("the certificate request is not PKCS #10 in DER, or not signed by the key in it")]
    Request,
    /// The request's key is of another kind.
    #[error("the certificate request's key must be ECDSA on P-256")]
    RequestKey,
    /// A subject's field cannot stand in a certificate.
    #[error("`{0}` must have 1 to {MAX_SUBJECT_CHARS} printable characters")]
    Subject(&'static str),
    /// The times are the wrong way round, or too far apart.
    #[error("the certificate must live between a second and {0} days")]
    Validity(i64),
    /// A server's name is neither a DNS name nor an IP address, or there is none.
    #[error("a server certificate needs 1 to 32 names, each a DNS name or an IP address")]
    ServerNames,
    /// The certificate could not be made.
    #[error("the certificate could not be made")]
    Make,
}

/// From when until when a certificate holds (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Not before.
    pub from: OffsetDateTime,
    /// Not after.
    pub until: OffsetDateTime,
}

impl Validity {
    /// From an hour before `now`, so that a clock a little behind accepts it, until `days` after.
    ///
    /// # Errors
    /// [`X509Error::Validity`] at the end of time.
    pub fn days(now: OffsetDateTime, days: i64) -> Result<Self, X509Error> {
        let from = now.checked_sub(time::Duration::HOUR);
        let until = now.checked_add(time::Duration::days(days));
        from.zip(until)
            .map(|(from, until)| Self { from, until })
            .ok_or(X509Error::Validity(days))
    }

    fn check(self, max_days: i64) -> Result<Self, X509Error> {
        let life = self.until - self.from;
        if life.is_positive() && life <= time::Duration::days(max_days) + time::Duration::HOUR {
            Ok(self)
        } else {
            Err(X509Error::Validity(max_days))
        }
    }
}

/// A P-256 key for TLS. Prints `[sealed]`.
pub struct TlsKey(KeyPair);

impl TlsKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`X509Error::Make`] when the system gives no randomness.
    pub fn generate() -> Result<Self, X509Error> {
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .map(Self)
            .map_err(|_| X509Error::Make)
    }

    /// Reads a PKCS #8 key in PEM.
    ///
    /// # Errors
    /// [`X509Error::Key`].
    pub fn from_pem(pem: &str) -> Result<Self, X509Error> {
        KeyPair::from_pkcs8_pem_and_sign_algo(pem, &PKCS_ECDSA_P256_SHA256)
            .map(Self)
            .map_err(|_| X509Error::Key)
    }

    /// The key as PKCS #8 in PEM, for a secret file.
    pub fn to_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.serialize_pem())
    }

    /// The key as PKCS #8 in DER, for rustls.
    pub fn to_pkcs8_der(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.serialize_der())
    }

    /// SHA-256 of the public key (SubjectPublicKeyInfo in DER).
    pub fn spki_digest(&self) -> Digest {
        Digest::of(&self.0.subject_public_key_info())
    }

    /// A certificate request (PKCS #10, DER) that proves possession of the key and says nothing else.
    ///
    /// # Errors
    /// [`X509Error::Make`].
    pub fn make_csr(&self) -> Result<Vec<u8>, X509Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let csr = params
            .serialize_request(&self.0)
            .map_err(|_| X509Error::Make)?;
        Ok(csr.der().to_vec())
    }
}

impl fmt::Debug for TlsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsKey([sealed])")
    }
}

/// A certificate that was made or received.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    spki: Digest,
    not_after: OffsetDateTime,
}

impl Certificate {
    /// Reads one certificate.
    ///
    /// # Errors
    /// [`X509Error::Certificate`].
    pub fn from_der(der: &[u8]) -> Result<Self, X509Error> {
        let (spki, not_after) = read(der)?;
        Ok(Self {
            der: der.to_vec(),
            spki,
            not_after,
        })
    }

    /// Reads one certificate in PEM.
    ///
    /// # Errors
    /// [`X509Error::Pem`].
    pub fn from_pem(pem: &str) -> Result<Self, X509Error> {
        let (rest, pem) =
            x509_parser::pem::parse_x509_pem(pem.as_bytes()).map_err(|_| X509Error::Pem)?;
        if pem.label != "CERTIFICATE" || !rest.trim_ascii().is_empty() {
            return Err(X509Error::Pem);
        }
        Self::from_der(&pem.contents).map_err(|_| X509Error::Pem)
    }

    /// The certificate in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate in PEM.
    pub fn to_pem(&self) -> String {
        let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
        for line in data_encoding::BASE64
            .encode(&self.der)
            .as_bytes()
            .chunks(64)
        {
            pem.extend(line.iter().map(|b| char::from(*b)));
            pem.push('\n');
        }
        pem.push_str("-----END CERTIFICATE-----\n");
        pem
    }

    /// SHA-256 of the whole certificate in DER.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.der)
    }

    /// SHA-256 of the public key (SubjectPublicKeyInfo in DER); see [`spki_digest`].
    pub const fn spki_digest(&self) -> Digest {
        self.spki
    }

    /// When it ends, UTC.
    pub const fn not_after(&self) -> OffsetDateTime {
        self.not_after
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate(spki {})", self.spki)
    }
}

/// SHA-256 of a certificate's public key (SubjectPublicKeyInfo in DER, RFC 7469 section 2.4): what a peer is looked up
/// by, whoever issued its certificate.
///
/// # Errors
/// [`X509Error::Certificate`].
pub fn spki_digest(cert_der: &[u8]) -> Result<Digest, X509Error> {
    read(cert_der).map(|(spki, _)| spki)
}

fn read(cert_der: &[u8]) -> Result<(Digest, OffsetDateTime), X509Error> {
    if cert_der.len() > MAX_DER_BYTES {
        return Err(X509Error::Certificate);
    }
    match X509Certificate::from_der(cert_der) {
        Ok(([], cert)) => Ok((
            Digest::of(cert.tbs_certificate.subject_pki.raw),
            cert.validity().not_after.to_datetime(),
        )),
        Ok(_) | Err(_) => Err(X509Error::Certificate),
    }
}

/// Whose device a certificate is for; the server writes it, never the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceSubject<'a> {
    /// The device's id, the common name.
    pub device: &'a str,
    /// The organisation's or party's id.
    pub organisation: &'a str,
}

/// The device CA: issues the deployment's server and device certificates. Prints `[sealed]`.
pub struct Authority {
    certificate: Certificate,
    key: TlsKey,
}

impl Authority {
    /// Makes a CA that may issue leaves only.
    ///
    /// # Errors
    /// [`X509Error::Subject`], [`X509Error::Validity`], [`X509Error::Make`].
    pub fn create(name: &str, validity: Validity) -> Result<Self, X509Error> {
        let key = TlsKey::generate()?;
        let mut params = common_params(
            validity.check(MAX_AUTHORITY_DAYS)?,
            &[("name", DnType::CommonName, name)],
        )?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.use_authority_key_identifier_extension = false;
        let certificate = params.self_signed(&key.0).map_err(|_| X509Error::Make)?;
        Ok(Self {
            certificate: Certificate::from_der(certificate.der())?,
            key,
        })
    }

    /// Takes a CA from its certificate and key in PEM.
    ///
    /// # Errors
    /// [`X509Error::Pem`], [`X509Error::Key`], [`X509Error::KeyOfAnother`].
    pub fn from_pem(cert_pem: &str, key_pem: &str) -> Result<Self, X509Error> {
        let (certificate, key) = (Certificate::from_pem(cert_pem)?, TlsKey::from_pem(key_pem)?);
        if certificate.spki_digest() == key.spki_digest() {
            Ok(Self { certificate, key })
        } else {
            Err(X509Error::KeyOfAnother)
        }
    }

    /// The CA's certificate, which clients trust and whose fingerprint an invite carries.
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The CA's key, for a secret file.
    pub const fn key(&self) -> &TlsKey {
        &self.key
    }

    /// Issues a certificate for a server that is reached by `names` (DNS names and IP addresses).
    ///
    /// # Errors
    /// [`X509Error::ServerNames`], [`X509Error::Validity`], [`X509Error::Make`].
    pub fn issue_server(
        &self,
        names: &[String],
        key: &TlsKey,
        validity: Validity,
    ) -> Result<Certificate, X509Error> {
        if names.is_empty() || names.len() > 32 {
            return Err(X509Error::ServerNames);
        }
        let named = CertificateParams::new(names).map_err(|_| X509Error::ServerNames)?;
        let common = [("name", DnType::CommonName, "Herald")];
        let mut params = common_params(validity.check(MAX_LEAF_DAYS)?, &common)?;
        params.subject_alt_names = named.subject_alt_names;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(&params, &key.0)
    }

    /// Issues a certificate for the key in a device's request, after checking that the request is signed by it. Nothing
    /// else of the request is taken: no name, no extension.
    ///
    /// # Errors
    /// [`X509Error::Request`], [`X509Error::RequestKey`], [`X509Error::Subject`], [`X509Error::Validity`],
    /// [`X509Error::Make`].
    pub fn issue_device(
        &self,
        csr_der: &[u8],
        subject: &DeviceSubject<'_>,
        validity: Validity,
    ) -> Result<Certificate, X509Error> {
        let public_key = key_of_request(csr_der)?;
        let names = [
            (
                "organisation",
                DnType::OrganizationName,
                subject.organisation,
            ),
            ("device", DnType::CommonName, subject.device),
        ];
        let mut params = common_params(validity.check(MAX_LEAF_DAYS)?, &names)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(&params, &public_key)
    }

    fn issue(
        &self,
        params: &CertificateParams,
        key: &impl PublicKeyData,
    ) -> Result<Certificate, X509Error> {
        let issuer = Issuer::from_ca_cert_der(&self.certificate.der().into(), &self.key.0)
            .map_err(|_| X509Error::Make)?;
        let certificate = params
            .signed_by(key, &issuer)
            .map_err(|_| X509Error::Make)?;
        Certificate::from_der(certificate.der())
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority({:?}, [sealed])", self.certificate)
    }
}

/// What every certificate has: times, subject, a random serial of 127 bits, signing as its only use.
fn common_params(
    validity: Validity,
    names: &[(&'static str, DnType, &str)],
) -> Result<CertificateParams, X509Error> {
    let mut params = CertificateParams::default();
    params.not_before = validity.from;
    params.not_after = validity.until;
    params.distinguished_name = DistinguishedName::new();
    for (field, kind, text) in names {
        if text.is_empty()
            || text.chars().count() > MAX_SUBJECT_CHARS
            || text.chars().any(char::is_control)
        {
            return Err(X509Error::Subject(field));
        }
        params.distinguished_name.push(kind.clone(), *text);
    }
    let mut serial: [u8; 16] = random_bytes();
    // Positive, and never with a leading zero (RFC 5280 section 4.1.2.2).
    serial[0] = (serial[0] & 0x7f) | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// The key of a request that is signed by it.
fn key_of_request(csr_der: &[u8]) -> Result<impl PublicKeyData, X509Error> {
    if csr_der.len() > MAX_DER_BYTES {
        return Err(X509Error::Request);
    }
    let Ok(([], parsed)) = X509CertificationRequest::from_der(csr_der) else {
        return Err(X509Error::Request);
    };
    let spki = &parsed.certification_request_info.subject_pki;
    let curve = spki
        .algorithm
        .parameters
        .as_ref()
        .and_then(|p| p.as_oid().ok());
    let point = &spki.subject_public_key.data;
    if spki.algorithm.algorithm.to_id_string() != OID_EC_PUBLIC_KEY
        || curve.is_none_or(|curve| curve.to_id_string() != OID_P256)
        || point.len() != P256_POINT_BYTES
    {
        return Err(X509Error::RequestKey);
    }
    let request = CertificateSigningRequestParams::from_der(&csr_der.into())
        .map_err(|_| X509Error::Request)?;
    if request.public_key.algorithm() == &PKCS_ECDSA_P256_SHA256 {
        Ok(request.public_key)
    } else {
        Err(X509Error::RequestKey)
    }
}

#[cfg(test)]
mod tests;
