//! A statement reads back exactly, and every other form is refused with its own error.

use super::*;
use proptest::prelude::*;

fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32])
}

fn but_first(text: &str) -> &str {
    text.get(1..).expect("ASCII")
}

fn but_last(text: &str) -> &str {
    text.get(..text.len() - 1).expect("ASCII")
}

fn with_header(header: &str) -> String {
    format!(
        "{}.{}.{}",
        b64url(header.as_bytes()),
        b64url(b"{}"),
        b64url(&[0; 64])
    )
}

#[test]
fn a_statement_reads_back_and_verifies() {
    let key = key();
    let compact = sign("site", br#"{"iss":"org/dev"}"#, &key).expect("short");
    let read = parse(compact.as_bytes()).expect("own statement");
    assert_eq!(
        (read.kind().as_str(), read.kid(), read.payload()),
        ("site", key.kid(), &br#"{"iss":"org/dev"}"#[..])
    );
    assert_eq!(read.hash(), Digest::of(compact.as_bytes()));
    let verified = read.verify(key.verifying_key()).expect("own key");
    assert_eq!(verified.compact(), compact);
}

#[test]
fn every_flipped_bit_is_refused() {
    let key = key();
    let compact = sign("ack", br#"{"iss":"o"}"#, &key)
        .expect("short")
        .into_bytes();
    for index in 0..compact.len() {
        for bit in 0..8 {
            let mut altered = compact.clone();
            altered[index] ^= 1 << bit;
            let accepted = parse(&altered).and_then(|read| read.verify(key.verifying_key()));
            assert!(accepted.is_err(), "byte {index}, bit {bit}");
        }
    }
}

#[test]
fn another_key_is_told_from_a_bad_signature() {
    let (key, other) = (key(), SigningKey::from_seed(&[8; 32]));
    let compact = sign("site", b"{}", &key).expect("short");
    let read = parse(compact.as_bytes()).expect("own statement");
    let error = read.verify(other.verifying_key()).expect_err("another key");
    assert_eq!(
        error,
        StatementError::OtherKey {
            named: key.kid(),
            given: other.kid()
        }
    );
    // The payload of one with the signature of another.
    let second = sign("site", b"[]", &key).expect("short");
    let mixed = format!(
        "{}.{}",
        compact.rsplit_once('.').expect("dots").0,
        second.rsplit_once('.').expect("dots").1
    );
    let error = parse(mixed.as_bytes())
        .expect("well formed")
        .verify(key.verifying_key())
        .expect_err("mixed");
    assert_eq!(error, StatementError::Signature(key.kid()));
}

#[test]
fn each_fault_of_the_header_has_its_own_error() {
    let kid = key().kid();
    let good = format!(r#"{{"alg":"Ed25519","typ":"hn-site+jwt","kid":"{kid}"}}"#);
    assert!(parse(with_header(&good).as_bytes()).is_ok());
    for (header, error) in [
        (good.replace("Ed25519", "none"), StatementError::Algorithm),
        (good.replace("Ed25519", "EdDSA"), StatementError::Algorithm),
        (good.replace("Ed25519", "HS256"), StatementError::Algorithm),
        (
            good.replace(r#""alg":"Ed25519","#, ""),
            StatementError::Algorithm,
        ),
        (good.replace("hn-site+jwt", "JWT"), StatementError::Type),
        (
            good.replace("hn-site+jwt", "hn-Site+jwt"),
            StatementError::Type,
        ),
        (good.replace("hn-site+jwt", "hn-+jwt"), StatementError::Type),
        (
            good.replace("hn-site+jwt", &format!("hn-{}+jwt", "a".repeat(33))),
            StatementError::Type,
        ),
        (
            good.replace(&kid.to_string(), "device-1"),
            StatementError::HeaderKid,
        ),
        (
            good.replace(r#","kid""#, r#", "kid""#),
            StatementError::HeaderForm,
        ),
        (
            good.replace('}', r#","crit":["b64"]}"#),
            StatementError::HeaderForm,
        ),
        (
            good.replace('}', r#","jwk":{}}"#),
            StatementError::HeaderForm,
        ),
        (
            format!(r#"{{"typ":"hn-site+jwt","alg":"Ed25519","kid":"{kid}"}}"#),
            StatementError::HeaderForm,
        ),
        (
            format!(r#"{{"alg":"Ed25519","alg":"Ed25519","typ":"hn-site+jwt","kid":"{kid}"}}"#),
            StatementError::HeaderJson,
        ),
        (format!("{good} x"), StatementError::HeaderJson),
        ("null".to_owned(), StatementError::HeaderJson),
        ("x".repeat(400), StatementError::HeaderForm),
    ] {
        assert_eq!(
            parse(with_header(&header).as_bytes()).expect_err(&header),
            error,
            "{header}"
        );
    }
}

#[test]
fn each_fault_of_the_form_has_its_own_error() {
    let compact = sign("site", br#"{"a":1}"#, &key()).expect("short");
    let parts: Vec<_> = compact.split('.').collect();
    let (h, p, s) = (parts[0], parts[1], parts[2]);
    let error = |text: &str| parse(text.as_bytes()).expect_err(text);
    for text in [
        "",
        ".",
        h,
        &format!("{h}.{p}"),
        &format!("{compact}."),
        &format!("{compact}.{s}"),
    ] {
        assert_eq!(error(text), StatementError::Parts, "{text}");
    }
    assert_eq!(
        error(&format!("{h}=.{p}.{s}")),
        StatementError::Encoding("header")
    );
    assert_eq!(
        error(&format!("{h}.{p}==.{s}")),
        StatementError::Encoding("payload")
    );
    assert_eq!(
        error(&format!("{h}.{p}\n.{s}")),
        StatementError::Encoding("payload")
    );
    assert_eq!(
        error(&format!("{h}.{}/.{s}", but_first(p))),
        StatementError::Encoding("payload")
    );
    assert_eq!(
        error(&format!("{h}.{p}.{}", but_first(s))),
        StatementError::SignatureLength
    );
    assert_eq!(error(&format!("{h}.{p}.")), StatementError::SignatureLength);
    // 64 bytes leave four spare bits in the last character, which must be zero.
    assert!(s.ends_with(['A', 'Q', 'g', 'w']));
    assert_eq!(
        error(&format!("{h}.{p}.{}B", but_last(s))),
        StatementError::Encoding("signature")
    );
    // A payload of seven bytes leaves spare bits too: a second spelling of the same payload is refused.
    assert_eq!(
        error(&format!("{h}.{}B.{s}", but_last(p))),
        StatementError::Encoding("payload")
    );
    assert_eq!(
        parse(&vec![b'A'; MAX_STATEMENT_BYTES + 1]).expect_err("long"),
        StatementError::TooLong
    );
}

#[test]
fn payloads_are_bounded_by_kind() {
    let long = vec![b' '; ORDINARY_PAYLOAD_BYTES + 1];
    let compact = sign("ack", &long, &key()).expect("an acknowledgement may be longer");
    let read = parse(compact.as_bytes()).expect("within the largest");
    let error = read
        .limit_payload(ORDINARY_PAYLOAD_BYTES)
        .expect_err("over the ordinary limit");
    assert_eq!(
        error,
        StatementError::PayloadTooLong {
            found: long.len(),
            limit: ORDINARY_PAYLOAD_BYTES
        }
    );
    let largest = sign("ack", &vec![b' '; MAX_PAYLOAD_BYTES], &key()).expect("the largest");
    assert!(largest.len() <= MAX_STATEMENT_BYTES && parse(largest.as_bytes()).is_ok());
    assert!(matches!(
        sign("ack", &vec![b' '; MAX_PAYLOAD_BYTES + 1], &key()),
        Err(StatementError::PayloadTooLong { .. })
    ));
}

#[test]
fn a_kind_is_a_short_lower_case_word() {
    for good in [
        "site",
        "movement",
        "ack-unit",
        "x1",
        &"a".repeat(MAX_KIND_CHARS),
    ] {
        assert!(good.parse::<Kind>().is_ok(), "{good}");
    }
    for bad in [
        "",
        "Site",
        "1x",
        "-a",
        "a-",
        "a b",
        "a+jwt",
        "ä",
        &"a".repeat(MAX_KIND_CHARS + 1),
    ] {
        assert_eq!(sign(bad, b"{}", &key()), Err(StatementError::Kind), "{bad}");
    }
}

#[test]
fn a_statement_prints_no_payload() {
    let compact = sign("site", br#"{"duty":"+249"}"#, &key()).expect("short");
    let read = parse(compact.as_bytes()).expect("own statement");
    assert!(!format!("{read:?}").contains("duty"));
    let payload = compact.split('.').nth(1).expect("three parts");
    assert!(!format!("{read:?}").contains(payload));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(parse(&bytes).is_err());
    }

    #[test]
    fn arbitrary_parts_never_panic(h in "[A-Za-z0-9_.=-]{0,120}", p in "[A-Za-z0-9_-]{0,40}", s in "[A-Za-z0-9_-]{80,90}") {
        let read = parse(format!("{h}.{p}.{s}").as_bytes());
        prop_assert!(read.is_err() || read.is_ok_and(|r| r.verify(key().verifying_key()).is_err()));
    }

    #[test]
    fn arbitrary_payloads_round_trip(payload in proptest::collection::vec(any::<u8>(), 0..500), kind in "[a-z][a-z0-9]{0,31}") {
        let compact = sign(&kind, &payload, &key()).expect("short");
        let verified = parse(compact.as_bytes()).expect("own").verify(key().verifying_key()).expect("own key");
        prop_assert_eq!(verified.payload(), &payload[..]);
        prop_assert_eq!(verified.kind().as_str(), kind);
    }
}
