//! The vectors published under `tests/vectors/`, so that someone who writes a client in another language can hold every
//! step to ours. Each file is made anew here and compared byte for byte with the one that is committed; intermediates are
//! computed a second way, from the RFCs' formulas on HMAC alone. `HERALD_WRITE_VECTORS=1` writes the files.

use std::{collections::BTreeMap, fs, path::PathBuf};

use hpke::{Deserializable, Kem as _};
use ring::{aead, hmac};
use serde::Serialize;
use serde_json::json;

use super::{
    b64url,
    blob::{self, BlobError, BlobKey},
    digest::Digest,
    disclosure::{Disclosure, DisclosureError},
    keyring::{self, RecordRef},
    keys::{SigningKey, VerifyingKey},
    month::Month,
    seal::{self, SealContext, Sealed},
    seal_key::SealKey,
    statement::{self, StatementError},
};

/// "Randomness" from a given list; for vectors only.
pub(super) struct FixedRng(Vec<u8>);

impl FixedRng {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl hpke::rand_core::TryRng for FixedRng {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut word = [0; 4];
        self.try_fill_bytes(&mut word)
            .map(|()| u32::from_le_bytes(word))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut word = [0; 8];
        self.try_fill_bytes(&mut word)
            .map(|()| u64::from_le_bytes(word))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        assert!(
            self.0.len() >= out.len(),
            "the list of random bytes is used up"
        );
        out.copy_from_slice(&self.0.drain(..out.len()).collect::<Vec<_>>());
        Ok(())
    }
}

impl hpke::rand_core::TryCryptoRng for FixedRng {}

#[derive(Serialize)]
struct File {
    about: &'static str,
    cases: Vec<Case>,
}

/// Names in alphabetical order, so that the bytes depend on nothing else.
type Case = BTreeMap<&'static str, serde_json::Value>;

fn check(name: &str, about: &'static str, cases: Vec<Case>) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(name);
    let mut text = serde_json::to_string_pretty(&File { about, cases }).expect("serialises");
    text.push('\n');
    if std::env::var_os("HERALD_WRITE_VECTORS").is_some() {
        fs::write(&path, &text).expect("written");
    }
    let committed = fs::read_to_string(&path).expect("committed");
    assert!(
        committed == text,
        "{} is not what the code makes: the wire format changed",
        path.display()
    );
}

fn bytes<const N: usize>(first: u8) -> [u8; N] {
    std::array::from_fn(|i| first.wrapping_add(u8::try_from(i % 256).unwrap_or_default()))
}

fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    context.sign().as_ref().to_vec()
}

fn kunduz() -> serde_json::Value {
    // The hospital that was struck on 3 October 2015: public record. Members in alphabetical order, as everywhere here,
    // so that the bytes do not depend on how a map is kept.
    json!({
        "geometry": {"coordinates": [68.862_21, 36.718_03], "type": "Point"},
        "properties": {"category": "hospital"},
        "type": "Feature",
    })
}

fn place() -> Disclosure {
    Disclosure::make_with_salt(&bytes(0x20), "place", &kunduz()).expect("small")
}

fn contact() -> Disclosure {
    let people: Vec<_> = (0..40)
        .map(|i| json!({"name": format!("Person {i}"), "phone": "+000000000"}))
        .collect();
    Disclosure::make_with_salt(&bytes(0x40), "contact", &json!({ "people": people }))
        .expect("small")
}

const STATEMENTS: &str = "Signed statements: compact JWS (RFC 7515) with Ed25519 (RFC 8037, RFC 9864). Bytes are base64url without padding, `claims` and `header` are the exact text. `hash` is SHA-256 over the ASCII bytes of `compact`. A case with `refused` must be refused for that reason; all others verify.";

fn statement_cases() -> Vec<Case> {
    let key = SigningKey::from_seed(&bytes(0));
    let claims = format!(
        r#"{{"iss":"msf/dev-1","aud":"herald.example","ctx":"sdn","mode":"exercise","jti":"0197-1","iat":1795435200,"nid":"n-1","rev":1,"_sd":["{}"]}}"#,
        place().digest()
    );
    let mut cases: Vec<Case> = [("site", claims.as_str()), ("ack", "{}")]
        .into_iter()
        .map(|(kind, claims)| {
            let compact = statement::sign(kind, claims.as_bytes(), &key).expect("short");
            let header = format!(
                r#"{{"alg":"Ed25519","typ":"hn-{kind}+jwt","kid":"{}"}}"#,
                key.kid()
            );
            let (signed, signature) = compact.rsplit_once('.').expect("three parts");
            let read = statement::parse(compact.as_bytes()).expect("own statement");
            assert_eq!(read.hash(), statement::hash(&compact));
            assert!(read.verify(key.verifying_key()).is_ok());
            Case::from([
                ("seed", json!(b64url(key.seed()))),
                ("jwk", json!(key.verifying_key().to_jwk())),
                ("kid", json!(key.kid())),
                ("kind", json!(kind)),
                ("header", json!(header)),
                ("claims", json!(claims)),
                ("signing_input", json!(signed)),
                ("signature", json!(signature)),
                ("hash", json!(statement::hash(&compact))),
                ("compact", json!(compact)),
            ])
        })
        .collect();
    let good = statement::sign("site", claims.as_bytes(), &key).expect("short");
    cases.extend(
        refused_statements(&good, &key)
            .into_iter()
            .map(|(compact, reason)| {
                let refusal = statement::parse(compact.as_bytes())
                    .and_then(|read| read.verify(key.verifying_key()));
                assert_eq!(refusal.expect_err("refused"), reason, "{compact}");
                Case::from([
                    ("jwk", json!(key.verifying_key().to_jwk())),
                    ("compact", json!(compact)),
                    ("refused", json!(reason.to_string())),
                ])
            }),
    );
    cases
}

/// Forms that lenient readers accept.
fn refused_statements(good: &str, key: &SigningKey) -> Vec<(String, StatementError)> {
    let parts: Vec<_> = good.split('.').collect();
    let signed_with = |header: &str| {
        let signed = format!("{}.{}", b64url(header.as_bytes()), parts[1]);
        format!("{signed}.{}", b64url(&key.sign(signed.as_bytes())))
    };
    let kid = key.kid();
    let other = SigningKey::from_seed(&bytes(9))
        .sign(good.rsplit_once('.').expect("three parts").0.as_bytes());
    vec![
        (
            signed_with(&format!(
                r#"{{"alg":"EdDSA","typ":"hn-site+jwt","kid":"{kid}"}}"#
            )),
            StatementError::Algorithm,
        ),
        (
            signed_with(&format!(r#"{{"alg":"Ed25519","typ":"JWT","kid":"{kid}"}}"#)),
            StatementError::Type,
        ),
        (
            signed_with(r#"{"alg":"Ed25519","typ":"hn-site+jwt"}"#),
            StatementError::HeaderKid,
        ),
        (
            signed_with(&format!(
                r#"{{"typ":"hn-site+jwt","alg":"Ed25519","kid":"{kid}"}}"#
            )),
            StatementError::HeaderForm,
        ),
        (
            signed_with(&format!(
                r#"{{"alg": "Ed25519", "typ": "hn-site+jwt", "kid": "{kid}"}}"#
            )),
            StatementError::HeaderForm,
        ),
        (format!("{good}="), StatementError::SignatureLength),
        (
            format!("{}.{}.{}", parts[0], b64url(b"{}"), parts[2]),
            StatementError::Signature(kid),
        ),
        (
            format!("{}.{}.{}", parts[0], parts[1], b64url(&other)),
            StatementError::Signature(kid),
        ),
    ]
}

#[test]
fn the_published_statements_are_ours() {
    check("statement.json", STATEMENTS, statement_cases());
}

const DISCLOSURES: &str = "Parts as salted disclosures (RFC 9901 section 4.2): `encoded` is base64url without padding of `json`, a JSON array of salt, name and value; `digest` is SHA-256 over the ASCII bytes of `encoded`, and stands in the statement's `_sd`. The first two cases are RFC 9901's own; the spelling of the JSON counts, the value does not.";

#[test]
fn the_published_disclosures_are_ours() {
    let texts = [
        r#"["2GLC42sKQveCfGfryNRN9w", "given_name", "John"]"#.to_owned(),
        r#"["_26bc4LT-ac6q2KI6cBW5es", "family_name", "Möbius"]"#.to_owned(),
    ];
    let own = [place(), contact()].map(|part| {
        let json = super::from_b64url(part.encoded().as_bytes()).expect("base64url");
        String::from_utf8(json).expect("JSON is UTF-8")
    });
    let cases = texts.into_iter().chain(own).map(|json| {
        let encoded = b64url(json.as_bytes());
        let part = Disclosure::parse(encoded.as_bytes()).expect("a disclosure");
        assert_eq!(
            part.verify(&super::digest::Digest::of(encoded.as_bytes())),
            Ok::<_, DisclosureError>(())
        );
        Case::from([
            ("json", json!(json)),
            ("name", json!(part.name())),
            ("encoded", json!(encoded)),
            ("digest", json!(part.digest())),
        ])
    });
    check("disclosure.json", DISCLOSURES, cases.collect());
}

const SEALS: &str = "Parts sealed for one reader: HPKE (RFC 9180) base mode, KEM 0x647a (MLKEM768-X25519, X-Wing), KDF 0x0001 (HKDF-SHA256), AEAD 0x0002 (AES-256-GCM), AAD empty, one message. Bytes are base64url without padding. `info` = \"hn/seal/v1\" NUL iss NUL nid NUL rev NUL part NUL kid NUL sd, rev in decimal, kid and sd in base64url. The plaintext is the length of `disclosure` as u32 big-endian, `disclosure` (ASCII), and zeros up to `padded_to`. `kid` = SHA-256(\"hn/seal-key/v1\" NUL public key). `sealed` = enc || ct, as it travels. `eseed` are the 64 random bytes of the encapsulation; `shared_secret`, `key` and `base_nonce` are RFC 9180's.";

#[test]
fn the_published_seals_are_ours() {
    let key = SealKey::from_seed(&bytes(0x60));
    let (place, contact) = (place(), contact());
    let cases = [
        seal_case(
            &key,
            &place,
            &SealContext {
                iss: "msf/dev-1",
                nid: "n-1",
                rev: 1,
                part: "place",
                sd: place.digest(),
            },
            0x80,
        ),
        seal_case(
            &key,
            &contact,
            &SealContext {
                iss: "msf/dev-1",
                nid: "0197-2",
                rev: 0,
                part: "contact",
                sd: contact.digest(),
            },
            0x90,
        ),
    ];
    check("seal.json", SEALS, cases.into());
}

fn seal_case(key: &SealKey, part: &Disclosure, context: &SealContext<'_>, first: u8) -> Case {
    let eseed: [u8; 64] = bytes(first);
    let sealed = seal::seal_with(context, part, key.public_key(), &mut FixedRng::new(&eseed))
        .expect("sealed");
    assert_eq!(seal::open(context, key, &sealed).as_ref(), Ok(part));
    let info = context.info(key.kid()).expect("short texts");
    let (enc, ct) = sealed.enc_and_ct();
    let enc_key =
        <hpke::kem::XWing as hpke::Kem>::EncappedKey::from_bytes(enc).expect("1120 bytes");
    let secret = hpke::kem::XWing::decap(&key.inner, None, &enc_key)
        .expect("decapsulated")
        .0;
    let (aead_key, nonce) = key_schedule(&secret, &info);
    // RFC 9180's formulas on HMAC, and ring's AES-GCM, open what hpke sealed.
    let padded = {
        let cipher = aead::LessSafeKey::new(
            aead::UnboundKey::new(&aead::AES_256_GCM, &aead_key).expect("32 bytes"),
        );
        let nonce = aead::Nonce::try_assume_unique_for_key(&nonce).expect("12 bytes");
        let mut text = ct.to_vec();
        cipher
            .open_in_place(nonce, aead::Aad::empty(), &mut text)
            .expect("opened")
            .to_vec()
    };
    let length = part.encoded().len();
    assert_eq!(
        padded[..4],
        u32::try_from(length).expect("short").to_be_bytes()
    );
    assert_eq!(&padded[4..4 + length], part.encoded().as_bytes());
    assert!(padded[4 + length..].iter().all(|b| *b == 0));
    Case::from([
        ("private_key", json!(b64url(key.seed().as_ref()))),
        ("public_key", json!(key.public_key().to_b64url())),
        ("kid", json!(key.kid())),
        ("iss", json!(context.iss)),
        ("nid_or_jti", json!(context.nid)),
        ("rev", json!(context.rev)),
        ("part", json!(context.part)),
        ("sd", json!(context.sd)),
        ("disclosure", json!(part.encoded())),
        ("padded_to", json!(padded.len())),
        ("info", json!(b64url(&info))),
        ("eseed", json!(b64url(&eseed))),
        ("shared_secret", json!(b64url(&secret))),
        ("key", json!(b64url(&aead_key))),
        ("base_nonce", json!(b64url(&nonce))),
        ("sealed", json!(b64url(sealed.as_bytes()))),
    ])
}

/// RFC 9180 section 5.1 for base mode, suite 0x647a/0x0001/0x0002, written out: key and base nonce.
fn key_schedule(shared_secret: &[u8], info: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let suite: &[u8] = b"HPKE\x64\x7a\x00\x01\x00\x02";
    let extract =
        |salt: &[u8], label: &[u8], ikm: &[u8]| hmac_sha256(salt, &[b"HPKE-v1", suite, label, ikm]);
    let context = [
        &[0][..],
        &extract(b"", b"psk_id_hash", b""),
        &extract(b"", b"info_hash", info),
    ]
    .concat();
    let secret = extract(shared_secret, b"secret", b"");
    let expand = |label: &[u8], length: u8| {
        let mut out = hmac_sha256(
            &secret,
            &[&[0, length], b"HPKE-v1", suite, label, &context, &[1]],
        );
        out.truncate(length.into());
        out
    };
    (expand(b"key", 32), expand(b"base_nonce", 12))
}

const RECORDS: &str = "Records at rest. Bytes are base64url without padding. `kek_file` is the text of the file kek-YYYY-MM: \"hn-kek-v1\", a space, nonce || AES-256-GCM(root, kek, AAD \"hn/kek/v1\" NUL \"kek-YYYY-MM\") || tag, a line feed. `record_key` = HKDF-SHA256(salt \"hn/record/v1\", KEK, info org NUL id), 32 bytes. `aad` = \"hn/record/v1\" NUL table NUL id NUL rev NUL part NUL YYYY-MM. `record` = 1, year as u16 big-endian, month, nonce (12), AES-256-GCM ciphertext, tag (16).";

#[test]
fn the_published_records_are_ours() {
    let (root, kek, nonce): ([u8; 32], [u8; 32], [u8; 12]) =
        (bytes(0xa0), bytes(0xc0), bytes(0xe0));
    let month = Month::new(2026, 11).expect("a month");
    let at = RecordRef {
        table: "notification_part",
        org: "msf",
        id: "n-1",
        rev: 1,
        part: "place",
    };
    let text = place();
    let record =
        keyring::seal_with(&kek, &at, month, nonce, text.encoded().as_bytes()).expect("sealed");
    let prk = hmac_sha256(b"hn/record/v1", &[&kek]);
    let record_key = hmac_sha256(&prk, &[b"msf\0n-1", &[1]]);
    // HKDF on HMAC and a plain AES-GCM open what the keyring sealed.
    let cipher = aead::LessSafeKey::new(
        aead::UnboundKey::new(&aead::AES_256_GCM, &record_key).expect("32 bytes"),
    );
    let mut body = record[16..].to_vec();
    let opened = cipher.open_in_place(
        aead::Nonce::try_assume_unique_for_key(&record[4..16]).expect("12 bytes"),
        aead::Aad::from(b"hn/record/v1\0notification_part\0n-1\x001\0place\x002026-11"),
        &mut body,
    );
    assert_eq!(opened.expect("opened"), text.encoded().as_bytes());
    let case = Case::from([
        ("root", json!(b64url(&root))),
        ("kek", json!(b64url(&kek))),
        (
            "kek_file",
            json!(keyring::wrap_kek(&root, month, bytes(0xf0), &kek).expect("wrapped")),
        ),
        ("month", json!(month.to_string())),
        ("table", json!(at.table)),
        ("org", json!(at.org)),
        ("id", json!(at.id)),
        ("rev", json!(at.rev)),
        ("part", json!(at.part)),
        ("record_key", json!(b64url(&record_key))),
        ("aad", json!(b64url(&at.aad(month)))),
        ("nonce", json!(b64url(&nonce))),
        ("text", json!(text.encoded())),
        ("record", json!(b64url(&record))),
    ]);
    check("keyring.json", RECORDS, vec![case]);
}

const BLOBS: &str = "Contents of attachments. Bytes are base64url without padding. `text` is `length` bytes, of which byte i is i mod 251; `text_sha256` and `blob_sha256` are digests of the text and of the blob. blob = prefix (7) || chunks, each AES-256-GCM(key, nonce, AAD \"hn/blob/v1\", at most 65,536 bytes) || tag (16); nonce = prefix || number of the chunk as u32 big-endian || 1 for the last chunk, else 0. `blob` stands where it is short. Of a case with `refused`, the chunks of the blob that the others describe are put together as `chunks` says, by their numbers, and it must be refused for that reason.";

#[test]
fn the_published_blobs_are_ours() {
    const WHOLE: usize = blob::CHUNK_BYTES + 16;
    let (raw, prefix): ([u8; 32], [u8; 7]) = (bytes(0x11), bytes(0x51));
    let key = BlobKey::from_b64url(&b64url(&raw)).expect("32 bytes");
    let mut cases = Vec::new();
    for length in [11, blob::CHUNK_BYTES, 2 * blob::CHUNK_BYTES + 100] {
        let text: Vec<u8> = (0..length)
            .map(|i| u8::try_from(i % 251).expect("small"))
            .collect();
        let sealed = key.seal_with(prefix, &text).expect("sealed");
        // A plain AES-GCM opens each chunk with the nonce written out.
        let chunks: Vec<&[u8]> = sealed[7..].chunks(WHOLE).collect();
        let mut opened = Vec::new();
        for (i, chunk) in chunks.iter().enumerate() {
            let number = u32::try_from(i).expect("small").to_be_bytes();
            let last = [u8::from(i + 1 == chunks.len())];
            let nonce = [&prefix[..], &number, &last].concat();
            let cipher = aead::LessSafeKey::new(
                aead::UnboundKey::new(&aead::AES_256_GCM, &raw).expect("32 bytes"),
            );
            let nonce = aead::Nonce::try_assume_unique_for_key(&nonce).expect("12 bytes");
            let mut chunk = chunk.to_vec();
            let text = cipher.open_in_place(nonce, aead::Aad::from(b"hn/blob/v1"), &mut chunk);
            opened.extend_from_slice(text.expect("opened"));
        }
        assert_eq!(opened, text);
        let mut case = Case::from([
            ("key", json!(b64url(&raw))),
            ("prefix", json!(b64url(&prefix))),
            ("length", json!(length)),
            ("text_sha256", json!(Digest::of(&text))),
            ("blob_length", json!(sealed.len())),
            ("blob_sha256", json!(Digest::of(&sealed))),
        ]);
        if length < 100 {
            case.insert("blob", json!(b64url(&sealed)));
        }
        cases.push(case);
        if chunks.len() < 3 {
            continue;
        }
        for (order, error) in [
            (&[1, 0, 2][..], BlobError::Chunk(0)),
            (&[0, 1], BlobError::CutOff),
            (&[0, 2], BlobError::Chunk(1)),
        ] {
            let mut altered = prefix.to_vec();
            for number in order {
                altered.extend_from_slice(chunks[*number]);
            }
            assert_eq!(key.open(&altered).err(), Some(error));
            cases.push(Case::from([
                ("chunks", json!(order)),
                ("refused", json!(error.to_string())),
            ]));
        }
    }
    check("blob.json", BLOBS, cases);
}

/// What is published opens with nothing but what is published.
#[test]
fn a_published_seal_opens_from_its_own_text() {
    let file: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/vectors/seal.json")).expect("JSON");
    open_all(&file["cases"]);
}

/// Two implementations that share no code with ours made these: we read them.
#[test]
fn statements_and_seals_from_elsewhere_are_read() {
    let file: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/vectors/from-elsewhere.json"))
            .expect("JSON");
    open_all(&file["seals"]);
    let statements = file["statements"].as_array().expect("statements");
    assert!(!statements.is_empty());
    for case in statements {
        let text = |name: &str| case[name].as_str().expect("text");
        let key = VerifyingKey::from_jwk(text("jwk").as_bytes()).expect("a key");
        let read = statement::parse(text("compact").as_bytes()).expect("well formed");
        let verified = read.verify(&key).expect("signed by that key");
        assert_eq!(verified.payload(), text("claims").as_bytes());
        assert_eq!(verified.hash().to_string(), text("hash"));
    }
}

fn open_all(cases: &serde_json::Value) {
    let cases = cases.as_array().expect("cases");
    assert_eq!(cases.len(), 2);
    for case in cases {
        let text = |name: &str| case[name].as_str().expect("text");
        let raw = |name: &str| super::from_b64url(text(name).as_bytes()).expect("base64url");
        let key = SealKey::from_seed(raw("private_key").as_slice().try_into().expect("32 bytes"));
        let context = SealContext {
            iss: text("iss"),
            nid: text("nid_or_jti"),
            rev: case["rev"].as_u64().expect("rev"),
            part: text("part"),
            sd: text("sd").parse().expect("a digest"),
        };
        let sealed = Sealed::from_bytes(raw("sealed")).expect("a seal");
        let part = seal::open(&context, &key, &sealed).expect("opened");
        assert_eq!(part.encoded(), text("disclosure"));
    }
}
