//! Certificates say what we wrote and nothing that a request asked for.

use std::sync::Arc;

use rcgen::SanType;
use rustls::{pki_types::PrivatePkcs8KeyDer, server::WebPkiClientVerifier};
use time::macros::datetime;
use x509_parser::extensions::{GeneralName, ParsedExtension};

use super::*;

const NOW: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);
const SUBJECT: DeviceSubject<'_> = DeviceSubject {
    device: "dev-1",
    organisation: "msf",
};

fn authority() -> Authority {
    Authority::create(
        "Herald device CA",
        Validity::days(NOW, 3650).expect("in time"),
    )
    .expect("made")
}

fn days(days: i64) -> Validity {
    Validity::days(NOW, days).expect("in time")
}

fn parsed(certificate: &Certificate) -> X509Certificate<'_> {
    X509Certificate::from_der(certificate.der())
        .expect("own certificate")
        .1
}

#[test]
fn of_a_request_nothing_is_taken_but_the_key() {
    let (ca, key) = (authority(), TlsKey::generate().expect("made"));
    // What an attacker would ask for: another's name, a server's name, a CA's rights.
    let mut wish = CertificateParams::new(vec!["herald.example".to_owned()]).expect("a name");
    wish.distinguished_name
        .push(DnType::CommonName, "coordinator");
    wish.subject_alt_names
        .push(SanType::DnsName("localhost".try_into().expect("ASCII")));
    wish.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    wish.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let csr = wish.serialize_request(&key.0).expect("made");
    let issued = ca
        .issue_device(csr.der(), &SUBJECT, days(90))
        .expect("issued");
    let cert = parsed(&issued);
    assert_eq!(cert.subject().to_string(), "O=msf, CN=dev-1");
    assert!(!cert.is_ca());
    assert!(
        cert.subject_alternative_name()
            .expect("well formed")
            .is_none()
    );
    let usage = cert
        .extended_key_usage()
        .expect("well formed")
        .expect("there")
        .value;
    assert!(usage.client_auth && !usage.server_auth && !usage.any);
    assert_eq!(issued.spki_digest(), key.spki_digest());
}

#[test]
fn a_certificate_is_signed_by_its_ca_within_its_times_under_a_serial_of_its_own() {
    let (ca, other) = (authority(), authority());
    let csr = TlsKey::generate()
        .and_then(|key| key.make_csr())
        .expect("made");
    let one = ca.issue_device(&csr, &SUBJECT, days(90)).expect("issued");
    let two = ca.issue_device(&csr, &SUBJECT, days(90)).expect("issued");
    let cert = parsed(&one);
    assert!(
        cert.verify_signature(Some(parsed(ca.certificate()).public_key()))
            .is_ok()
    );
    assert!(
        cert.verify_signature(Some(parsed(other.certificate()).public_key()))
            .is_err()
    );
    assert_ne!(cert.raw_serial(), parsed(&two).raw_serial());
    assert_eq!(cert.raw_serial().len(), 16);
    assert_eq!(
        cert.validity().not_before.to_datetime(),
        NOW - time::Duration::HOUR
    );
    assert_eq!(
        cert.validity().not_after.to_datetime(),
        NOW + time::Duration::days(90)
    );
    assert_eq!(one.spki_digest(), two.spki_digest());
    assert_ne!(one.fingerprint(), two.fingerprint());
}

#[test]
fn a_request_that_its_own_key_did_not_sign_is_refused() {
    let ca = authority();
    let csr = TlsKey::generate()
        .and_then(|key| key.make_csr())
        .expect("made");
    assert!(ca.issue_device(&csr, &SUBJECT, days(1)).is_ok());
    let last = csr.len() - 1;
    let mut forged = csr.clone();
    forged[last] ^= 1;
    assert_eq!(
        ca.issue_device(&forged, &SUBJECT, days(1)),
        Err(X509Error::Request)
    );
    // Another's key put into the request.
    let (own, other) = (
        TlsKey::generate().expect("made"),
        TlsKey::generate().expect("made"),
    );
    let mut swapped = own.make_csr().expect("made");
    let point = own.0.public_key_raw();
    let at = swapped
        .windows(point.len())
        .position(|w| w == point)
        .expect("the key is in it");
    swapped[at..at + point.len()].copy_from_slice(other.0.public_key_raw());
    assert_eq!(
        ca.issue_device(&swapped, &SUBJECT, days(1)),
        Err(X509Error::Request)
    );
    let trailing = [csr.as_slice(), &[0]].concat();
    assert_eq!(
        ca.issue_device(&trailing, &SUBJECT, days(1)),
        Err(X509Error::Request)
    );
    for length in 0..csr.len() {
        assert_eq!(
            ca.issue_device(&csr[..length], &SUBJECT, days(1)),
            Err(X509Error::Request),
            "cut to {length}"
        );
    }
    assert_eq!(
        ca.issue_device(&vec![0x30; MAX_DER_BYTES + 1], &SUBJECT, days(1)),
        Err(X509Error::Request)
    );
}

#[test]
fn a_request_with_another_kind_of_key_is_refused() {
    for kind in [&rcgen::PKCS_ED25519, &rcgen::PKCS_ECDSA_P384_SHA384] {
        let key = KeyPair::generate_for(kind).expect("made");
        let csr = CertificateParams::default()
            .serialize_request(&key)
            .expect("made");
        assert_eq!(
            authority().issue_device(csr.der(), &SUBJECT, days(1)),
            Err(X509Error::RequestKey)
        );
    }
}

#[test]
fn a_server_certificate_names_its_hosts_and_serves_servers_only() {
    let (ca, key) = (authority(), TlsKey::generate().expect("made"));
    let names = [
        "herald.example".to_owned(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
    ];
    let issued = ca.issue_server(&names, &key, days(90)).expect("issued");
    let cert = parsed(&issued);
    let found: Vec<_> = cert
        .extensions()
        .iter()
        .filter_map(|e| match e.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(san) => Some(&san.general_names),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(found.len(), 3);
    assert_eq!(found[0], &GeneralName::DNSName("herald.example"));
    assert_eq!(found[1], &GeneralName::IPAddress(&[127, 0, 0, 1]));
    let usage = cert
        .extended_key_usage()
        .expect("well formed")
        .expect("there")
        .value;
    assert!(usage.server_auth && !usage.client_auth);
    assert_eq!(
        ca.issue_server(&[], &key, days(90)),
        Err(X509Error::ServerNames)
    );
    assert_eq!(
        ca.issue_server(&["hérald".to_owned()], &key, days(90)),
        Err(X509Error::ServerNames)
    );
}

#[test]
fn times_and_subjects_are_bounded() {
    let ca = authority();
    let csr = TlsKey::generate()
        .and_then(|key| key.make_csr())
        .expect("made");
    for bad in [
        days(367),
        days(-1),
        Validity {
            from: NOW,
            until: NOW,
        },
    ] {
        assert_eq!(
            ca.issue_device(&csr, &SUBJECT, bad),
            Err(X509Error::Validity(MAX_LEAF_DAYS))
        );
    }
    let long = "d".repeat(65);
    for device in ["", "a\nb", long.as_str()] {
        let subject = DeviceSubject { device, ..SUBJECT };
        assert_eq!(
            ca.issue_device(&csr, &subject, days(1)),
            Err(X509Error::Subject("device"))
        );
    }
}

#[test]
fn a_ca_and_its_key_survive_their_files_and_only_together() {
    let (ca, other) = (authority(), authority());
    let pem = ca.certificate().to_pem();
    let again = Authority::from_pem(&pem, &ca.key().to_pem()).expect("own files");
    assert_eq!(again.certificate(), ca.certificate());
    let csr = TlsKey::generate()
        .and_then(|key| key.make_csr())
        .expect("made");
    let issued = again.issue_device(&csr, &SUBJECT, days(1)).expect("issued");
    assert!(
        parsed(&issued)
            .verify_signature(Some(parsed(ca.certificate()).public_key()))
            .is_ok()
    );
    assert_eq!(
        Authority::from_pem(&pem, &other.key().to_pem()).map(|_| ()),
        Err(X509Error::KeyOfAnother)
    );
    assert_eq!(
        Authority::from_pem(&format!("{pem}{pem}"), &ca.key().to_pem()).map(|_| ()),
        Err(X509Error::Pem)
    );
    assert_eq!(
        Authority::from_pem("", &ca.key().to_pem()).map(|_| ()),
        Err(X509Error::Pem)
    );
    assert_eq!(
        Authority::from_pem(&pem, "").map(|_| ()),
        Err(X509Error::Key)
    );
    assert!(!format!("{ca:?} {:?}", ca.key()).contains("PRIVATE"));
}

#[test]
fn what_is_no_certificate_has_no_key() {
    let ca = authority();
    let der = ca.certificate().der();
    assert!(spki_digest(der).is_ok());
    for length in 0..der.len() {
        assert_eq!(spki_digest(&der[..length]), Err(X509Error::Certificate));
    }
    assert_eq!(
        spki_digest(&[der, &[0]].concat()),
        Err(X509Error::Certificate)
    );
    assert_eq!(
        spki_digest(&vec![0x30; MAX_DER_BYTES + 1]),
        Err(X509Error::Certificate)
    );
}

/// The clock of a TLS stack under test.
#[derive(Debug)]
struct At(OffsetDateTime);

impl rustls::time_provider::TimeProvider for At {
    fn current_time(&self) -> Option<rustls::pki_types::UnixTime> {
        let seconds = u64::try_from(self.0.unix_timestamp()).ok()?;
        Some(rustls::pki_types::UnixTime::since_unix_epoch(
            std::time::Duration::from_secs(seconds),
        ))
    }
}

/// Runs a mutual TLS 1.3 handshake in memory at `now`; what the server sees of its peer's key.
fn handshake(
    ca: &Authority,
    server: (&Certificate, &TlsKey),
    client: (&Certificate, &TlsKey),
    now: OffsetDateTime,
) -> Result<Digest, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.certificate().der().to_vec().into())?;
    let roots = Arc::new(roots);
    let chain = |cert: &Certificate| vec![cert.der().to_vec().into()];
    let key = |key: &TlsKey| PrivatePkcs8KeyDer::from(key.to_pkcs8_der().to_vec()).into();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
            .build()
            .expect("one root");
    let server_config =
        rustls::ServerConfig::builder_with_details(Arc::clone(&provider), Arc::new(At(now)))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain(server.0), key(server.1))?;
    let client_config = rustls::ClientConfig::builder_with_details(provider, Arc::new(At(now)))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain(client.0), key(client.1))?;
    let name = "herald.example".try_into().expect("a name");
    let mut client = rustls::ClientConnection::new(Arc::new(client_config), name)?;
    let mut server = rustls::ServerConnection::new(Arc::new(server_config))?;
    for _ in 0..8 {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).expect("in memory");
        server.read_tls(&mut wire.as_slice()).expect("in memory");
        server.process_new_packets()?;
        wire.clear();
        server.write_tls(&mut wire).expect("in memory");
        client.read_tls(&mut wire.as_slice()).expect("in memory");
        client.process_new_packets()?;
    }
    let peer = server.peer_certificates().and_then(<[_]>::first);
    Ok(spki_digest(peer.expect("the client has one")).expect("a certificate"))
}

#[test]
fn tls_takes_our_certificates_within_their_times_and_each_in_its_role_only() {
    let (ca, stranger) = (authority(), authority());
    let (server_key, device_key) = (
        TlsKey::generate().expect("made"),
        TlsKey::generate().expect("made"),
    );
    let server = ca
        .issue_server(&["herald.example".to_owned()], &server_key, days(90))
        .expect("issued");
    let csr = device_key.make_csr().expect("made");
    let device = ca.issue_device(&csr, &SUBJECT, days(90)).expect("issued");
    let (server, device_of) = ((&server, &server_key), |cert| (cert, &device_key));
    assert_eq!(
        handshake(&ca, server, device_of(&device), NOW),
        Ok(device_key.spki_digest())
    );

    let late = NOW + time::Duration::days(91);
    assert!(
        handshake(&ca, server, device_of(&device), late).is_err(),
        "expired"
    );
    assert!(
        handshake(&ca, server, server, NOW).is_err(),
        "a server is no device"
    );
    assert!(
        handshake(&ca, device_of(&device), device_of(&device), NOW).is_err(),
        "a device is no server"
    );
    let foreign = stranger
        .issue_device(&csr, &SUBJECT, days(90))
        .expect("issued");
    assert!(
        handshake(&ca, server, device_of(&foreign), NOW).is_err(),
        "another deployment's"
    );
}

proptest::proptest! {
    #[test]
    fn arbitrary_bytes_are_neither_certificate_nor_request(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
        proptest::prop_assert_eq!(spki_digest(&bytes), Err(X509Error::Certificate));
        proptest::prop_assert!(key_of_request(&bytes).is_err());
    }

    #[test]
    fn a_request_with_its_signed_part_altered_is_refused(at in 0..10_000_usize, flip in 1..=255_u8) {
        let mut csr = TlsKey::generate().and_then(|key| key.make_csr()).expect("made");
        let (_, parsed) = X509CertificationRequest::from_der(&csr).expect("own request");
        let signed = parsed.certification_request_info.raw;
        let start = csr.windows(signed.len()).position(|part| part == signed).expect("it is in it");
        let at = start + at % signed.len();
        csr[at] ^= flip;
        proptest::prop_assert!(key_of_request(&csr).is_err());
    }
}
