//! Known answers from elsewhere: the RFCs that our formats rest on, X-Wing's draft, and Wycheproof for every primitive
//! used. The primitives come from others; this holds them, as built here, to what the rest of the world computes.

use data_encoding::HEXLOWER;
use hpke::{
    Deserializable, Kem as _, OpModeR, Serializable, aead::AesGcm128, kdf::HkdfSha256, kem,
};
use ring::{aead, hkdf, hmac};
use wycheproof::TestResult;

use super::{
    b64url,
    keys::{SigningKey, VerifyingKey},
    seal_key::SealKey,
    vectors::FixedRng,
};

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).expect("hexadecimal")
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("right length")
}

/// RFC 8037 appendices A.1 to A.4. The RFC signs with `alg` "EdDSA", so the signature is checked below the header.
#[test]
fn rfc_8037_keys_thumbprint_and_signature() {
    let private = br#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let key = SigningKey::from_jwk(private).expect("A.1");
    assert_eq!(
        key.verifying_key().x(),
        "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    );
    assert_eq!(
        key.kid().to_string(),
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    );
    let signed = format!(
        "{}.{}",
        b64url(br#"{"alg":"EdDSA"}"#),
        b64url(b"Example of Ed25519 signing")
    );
    assert_eq!(
        signed,
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    );
    let signature = key.sign(signed.as_bytes());
    assert_eq!(
        b64url(&signature),
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
    assert!(key.verifying_key().verifies(signed.as_bytes(), &signature));
}

/// RFC 9180 appendix A.1.1: base mode, HKDF-SHA256 and AES-GCM, the key schedule that our seals share.
#[test]
fn rfc_9180_base_mode_opens() {
    type Kem = kem::X25519HkdfSha256;
    let sk = <Kem as hpke::Kem>::PrivateKey::from_bytes(&hex(
        "4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8",
    ));
    let enc = <Kem as hpke::Kem>::EncappedKey::from_bytes(&hex(
        "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431",
    ));
    let mut context = hpke::setup_receiver::<AesGcm128, HkdfSha256, Kem>(
        &OpModeR::Base,
        &sk.expect("a key"),
        &enc.expect("an encapsulated key"),
        &hex("4f6465206f6e2061204772656369616e2055726e"),
    )
    .expect("set up");
    let ct = "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a";
    let text = context
        .open(&hex(ct), &hex("436f756e742d30"))
        .expect("opened");
    assert_eq!(text, b"Beauty is truth, truth beauty");
}

#[derive(serde::Deserialize)]
struct XWingFile {
    cases: Vec<XWingCase>,
}

#[derive(serde::Deserialize)]
struct XWingCase {
    seed: String,
    eseed: String,
    ss: String,
    pk: String,
    ct: String,
}

/// draft-connolly-cfrg-xwing-kem appendix C, through the KEM as seals use it, in both directions.
#[test]
fn x_wing_encapsulates_and_decapsulates() {
    let file: XWingFile =
        serde_json::from_str(include_str!("../../tests/vectors/x-wing.json")).expect("JSON");
    assert_eq!(file.cases.len(), 3);
    for case in file.cases {
        let key = SealKey::from_seed(&array(&hex(&case.seed)));
        assert_eq!(key.public_key().to_bytes(), hex(&case.pk));
        let mut rng = FixedRng::new(&hex(&case.eseed));
        let (sent, enc) = kem::XWing::encap_with_rng(&key.public_key().inner, None, &mut rng)
            .expect("encapsulated");
        assert_eq!(enc.to_bytes().as_slice(), hex(&case.ct));
        let received = kem::XWing::decap(&key.inner, None, &enc).expect("decapsulated");
        assert_eq!(sent.0.as_slice(), hex(&case.ss));
        assert_eq!(received.0.as_slice(), hex(&case.ss));
    }
}

#[test]
fn wycheproof_ml_kem_768() {
    use wycheproof::mlkem::{TestName, TestSet};
    type Kem = kem::MlKem768;
    let mut run = 0;
    for group in TestSet::load(TestName::MlKem768)
        .expect("loads")
        .test_groups
    {
        for test in group.tests {
            let seed = test.seed.as_ref().expect("decapsulation tests have a seed");
            let ct = test
                .ct
                .as_ref()
                .expect("decapsulation tests have a ciphertext");
            let sk = <Kem as hpke::Kem>::PrivateKey::from_bytes(seed);
            let enc = <Kem as hpke::Kem>::EncappedKey::from_bytes(ct);
            let secret = sk.and_then(|sk| enc.and_then(|enc| Kem::decap(&sk, None, &enc)));
            let right = secret.is_ok_and(|secret| {
                test.shared_secret
                    .as_ref()
                    .is_some_and(|k| secret.0.as_slice() == &k[..])
            });
            assert_eq!(
                right,
                test.result == TestResult::Valid,
                "case {}",
                test.tc_id
            );
            run += 1;
        }
    }
    assert!(run > 50, "{run} cases");
}

#[test]
fn wycheproof_ed25519() {
    use wycheproof::eddsa::{TestName, TestSet};
    let mut run = 0;
    for group in TestSet::load(TestName::Ed25519).expect("loads").test_groups {
        let key = VerifyingKey::from_bytes(array(&group.key.pk)).expect("a strict key");
        for test in group.tests {
            let fits = key.verifies(&test.msg, &test.sig);
            assert_eq!(
                fits,
                test.result == TestResult::Valid,
                "case {}",
                test.tc_id
            );
            run += 1;
        }
    }
    assert!(run > 100, "{run} cases");
}

#[test]
fn wycheproof_aes_256_gcm() {
    use wycheproof::aead::{TestName, TestSet};
    let mut run = 0;
    for group in TestSet::load(TestName::AesGcm).expect("loads").test_groups {
        if (group.key_size, group.nonce_size, group.tag_size) != (256, 96, 128) {
            continue;
        }
        for test in group.tests {
            let key = aead::UnboundKey::new(&aead::AES_256_GCM, &test.key).expect("32 bytes");
            let nonce = || aead::Nonce::assume_unique_for_key(array(&test.nonce));
            let aad = || aead::Aad::from(&test.aad[..]);
            let key = aead::LessSafeKey::new(key);
            let mut sealed = [&test.ct[..], &test.tag[..]].concat();
            let opened = key
                .open_in_place(nonce(), aad(), &mut sealed)
                .ok()
                .map(|text| text.to_vec());
            assert_eq!(
                opened.is_some(),
                test.result == TestResult::Valid,
                "case {}",
                test.tc_id
            );
            if let Some(mut text) = opened {
                assert_eq!(text, &test.pt[..]);
                key.seal_in_place_append_tag(nonce(), aad(), &mut text)
                    .expect("sealed");
                assert_eq!(
                    text,
                    [&test.ct[..], &test.tag[..]].concat(),
                    "case {}",
                    test.tc_id
                );
            }
            run += 1;
        }
    }
    assert!(run > 50, "{run} cases");
}

/// The length of an HKDF output that is not a key of ring's.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

#[test]
fn wycheproof_hkdf_sha256() {
    use wycheproof::hkdf::{TestName, TestSet};
    let mut run = 0;
    for group in TestSet::load(TestName::HkdfSha256)
        .expect("loads")
        .test_groups
    {
        for test in group.tests {
            let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, &test.salt).extract(&test.ikm);
            let mut out = vec![0; test.size];
            let info = [&test.info[..]];
            let done = prk
                .expand(&info, Length(test.size))
                .and_then(|okm| okm.fill(&mut out))
                .is_ok();
            assert_eq!(
                done && out == test.okm[..],
                test.result == TestResult::Valid,
                "case {}",
                test.tc_id
            );
            run += 1;
        }
    }
    assert!(run > 50, "{run} cases");
}

#[test]
fn wycheproof_hmac_sha256() {
    use wycheproof::mac::{TestName, TestSet};
    let mut run = 0;
    for group in TestSet::load(TestName::HmacSha256)
        .expect("loads")
        .test_groups
    {
        for test in group.tests.into_iter().filter(|_| group.tag_size == 256) {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &test.key);
            let fits = hmac::verify(&key, &test.msg, &test.tag).is_ok();
            assert_eq!(
                fits,
                test.result == TestResult::Valid,
                "case {}",
                test.tc_id
            );
            run += 1;
        }
    }
    assert!(run > 50, "{run} cases");
}

/// X-Wing takes X25519 as RFC 7748 has it, without refusing points of low order ("acceptable" in Wycheproof's words): the
/// combiner hashes the point itself.
#[test]
fn wycheproof_x25519() {
    use wycheproof::xdh::{TestName, TestSet};
    let mut run = 0;
    for group in TestSet::load(TestName::X25519).expect("loads").test_groups {
        for test in group.tests {
            let shared = x25519_dalek::x25519(array(&test.private_key), array(&test.public_key));
            assert_ne!(test.result, TestResult::Invalid, "case {}", test.tc_id);
            assert_eq!(shared, &test.shared_secret[..], "case {}", test.tc_id);
            run += 1;
        }
    }
    assert!(run > 100, "{run} cases");
}
