//! Certificates say what we wrote and nothing that a request asked for.

use rcgen::SanType;
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

proptest::proptest! {
    #[test]
    fn arbitrary_bytes_are_neither_certificate_nor_request(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
        proptest::prop_assert_eq!(spki_digest(&bytes), Err(X509Error::Certificate));
        proptest::prop_assert!(key_of_request(&bytes).is_err());
    }

    #[test]
    fn an_altered_request_is_refused(at in 0..1000_usize, flip in 1..=255_u8) {
        let mut csr = TlsKey::generate().and_then(|key| key.make_csr()).expect("made");
        let at = at % csr.len();
        csr[at] ^= flip;
        proptest::prop_assert!(key_of_request(&csr).is_err());
    }
}
