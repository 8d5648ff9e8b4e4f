//! A seal opens for its reader and its statement only.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn part() -> Disclosure {
    Disclosure::make(
        "place",
        &json!({"type": "Point", "coordinates": [68.86221, 36.71803]}),
    )
    .expect("small")
}

fn context(part: &Disclosure) -> SealContext<'_> {
    SealContext {
        iss: "msf/dev-1",
        nid: "n-1",
        rev: 3,
        part: "place",
        sd: part.digest(),
    }
}

#[test]
fn a_seal_opens_for_its_reader_only() {
    let (key, other, part) = (SealKey::generate(), SealKey::generate(), part());
    let sealed = seal(&context(&part), &part, key.public_key()).expect("sealed");
    assert_eq!(sealed.as_bytes().len(), ENC_BYTES + 1024 + TAG_BYTES);
    assert_eq!(open(&context(&part), &key, &sealed), Ok(part.clone()));
    assert_eq!(
        open(&context(&part), &other, &sealed),
        Err(SealError::Open { kid: other.kid() })
    );
    let again = seal(&context(&part), &part, key.public_key()).expect("sealed");
    assert_ne!(sealed, again, "the encapsulated key is fresh each time");
}

#[test]
fn a_seal_moved_to_another_issuer_notification_revision_or_part_does_not_open() {
    let (key, part, other) = (SealKey::generate(), part(), part());
    let good = context(&part);
    let sealed = seal(&good, &part, key.public_key()).expect("sealed");
    for moved in [
        SealContext {
            iss: "msf/dev-2",
            ..good
        },
        SealContext { nid: "n-2", ..good },
        SealContext { rev: 4, ..good },
        SealContext {
            part: "cell",
            ..good
        },
        SealContext {
            sd: other.digest(),
            ..good
        },
        // The same bytes in other fields: the NULs keep them apart.
        SealContext {
            iss: "msf/dev-1n",
            nid: "-1",
            ..good
        },
    ] {
        assert_eq!(
            open(&moved, &key, &sealed),
            Err(SealError::Open { kid: key.kid() }),
            "{moved:?}"
        );
    }
}

#[test]
fn every_flipped_bit_of_a_seal_is_refused() {
    let (key, part) = (SealKey::generate(), part());
    let sealed = seal(&context(&part), &part, key.public_key()).expect("sealed");
    let refused = |index: usize, bit: usize| {
        let mut altered = sealed.as_bytes().to_vec();
        altered[index] ^= 1 << bit;
        let altered = Sealed::from_bytes(altered).expect("same length");
        let opened = open(&context(&part), &key, &altered);
        assert_eq!(
            opened,
            Err(SealError::Open { kid: key.kid() }),
            "byte {index}, bit {bit}"
        );
    };
    // One bit of every byte, another from byte to byte; and every bit of the X25519 point, whose top bit X25519 itself
    // ignores, and of the tag.
    let length = sealed.as_bytes().len();
    (0..length).for_each(|index| refused(index, index % 8));
    for index in (ENC_BYTES - 32..ENC_BYTES).chain(length - TAG_BYTES..length) {
        (0..8).for_each(|bit| refused(index, bit));
    }
}

#[test]
fn only_the_five_lengths_are_seals() {
    for class in SIZE_CLASSES {
        let length = ENC_BYTES + class + TAG_BYTES;
        assert!(Sealed::from_bytes(vec![0; length]).is_ok());
        for wrong in [length - 1, length + 1] {
            assert_eq!(
                Sealed::from_bytes(vec![0; wrong]),
                Err(SealError::Length(wrong))
            );
        }
    }
    for wrong in [0, ENC_BYTES, ENC_BYTES + TAG_BYTES, MAX_SEAL_BYTES * 2] {
        assert_eq!(
            Sealed::from_bytes(vec![0; wrong]),
            Err(SealError::Length(wrong))
        );
    }
}

#[test]
fn padding_takes_the_smallest_size_and_only_zeros() {
    for (length, class) in [
        (0, 1024),
        (1020, 1024),
        (1021, 4096),
        (65_532, 65_536),
        (65_533, 262_144),
        (262_140, 262_144),
    ] {
        let mut padded = Vec::new();
        append_padded(&mut padded, &vec![7; length]).expect("fits");
        assert_eq!(padded.len(), class);
        assert_eq!(unpad(&padded).map(<[u8]>::len), Ok(length));
    }
    assert_eq!(
        append_padded(&mut Vec::new(), &vec![0; 262_141]),
        Err(SealError::TooLong(262_141))
    );
    let padded = |length: u32, last: u8, size: usize| {
        let mut text = vec![0; size];
        text[..4].copy_from_slice(&length.to_be_bytes());
        text[size - 1] = last;
        text
    };
    assert!(unpad(&padded(5, 0, 1024)).is_ok());
    for bad in [
        padded(5, 1, 1024),
        padded(5, 0, 4096),
        padded(1021, 0, 1024),
        padded(u32::MAX, 0, 1024),
        vec![0; 3],
    ] {
        assert_eq!(unpad(&bad), Err(SealError::Padding));
    }
}

#[test]
fn a_context_that_is_another_parts_does_not_seal() {
    let (key, part, other) = (SealKey::generate(), part(), part());
    let seal_it = |context: SealContext<'_>| seal(&context, &part, key.public_key());
    assert_eq!(seal_it(context(&other)), Err(SealError::Context));
    assert_eq!(
        seal_it(SealContext {
            part: "cell",
            ..context(&part)
        }),
        Err(SealError::Context)
    );
    assert_eq!(
        seal_it(SealContext {
            iss: "",
            ..context(&part)
        }),
        Err(SealError::Binding("iss"))
    );
    assert_eq!(
        seal_it(SealContext {
            nid: "a\0b",
            ..context(&part)
        }),
        Err(SealError::Binding("nid"))
    );
    assert_eq!(
        seal_it(SealContext {
            nid: &"a".repeat(257),
            ..context(&part)
        }),
        Err(SealError::Binding("nid"))
    );
}

/// What a faulty or hostile maker can seal: any text under any context.
fn seal_raw(context: &SealContext<'_>, text: &[u8], key: &SealKey) -> Sealed {
    let info = context.info(key.kid()).expect("short texts");
    let (enc, ct) = hpke::single_shot_seal::<AesGcm256, HkdfSha256, XWing>(
        &OpModeS::Base,
        &key.public_key().inner,
        &info,
        text,
        &[],
    )
    .expect("sealed");
    Sealed::from_bytes([enc.to_bytes().as_slice(), &ct].concat()).expect("a seal's length")
}

#[test]
fn what_a_faulty_maker_sealed_is_refused_though_it_opens() {
    let (key, part, other) = (SealKey::generate(), part(), part());
    let mut padded = Vec::new();
    append_padded(&mut padded, part.encoded().as_bytes()).expect("fits");
    let opened = |context: &SealContext<'_>, text: &[u8]| {
        open(context, &key, &seal_raw(context, text, &key))
    };
    assert_eq!(opened(&context(&part), &padded), Ok(part.clone()));

    let mut dirty = padded.clone();
    dirty[1023] = 1;
    assert_eq!(opened(&context(&part), &dirty), Err(SealError::Padding));
    let mut wasteful = padded.clone();
    wasteful.resize(4096, 0);
    assert_eq!(opened(&context(&part), &wasteful), Err(SealError::Padding));
    let wrong = opened(&context(&other), &padded);
    assert_eq!(wrong, Err(SealError::Part(DisclosureError::OtherDigest)));
    let renamed = SealContext {
        part: "cell",
        ..context(&part)
    };
    assert_eq!(opened(&renamed, &padded), Err(SealError::OtherPart));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn arbitrary_parts_round_trip(text in ".{0,3000}", rev in any::<u64>()) {
        let key = SealKey::from_seed(&[9; 32]);
        let part = Disclosure::make("contact", &json!(text)).expect("fits");
        let context = SealContext { part: "contact", rev, ..context(&part) };
        let sealed = seal(&context, &part, key.public_key()).expect("sealed");
        prop_assert_eq!(open(&context, &key, &sealed), Ok(part));
    }

    #[test]
    fn any_flipped_bit_is_refused(index in 0..ENC_BYTES + 1024 + TAG_BYTES, bit in 0..8) {
        let key = SealKey::from_seed(&[9; 32]);
        let part = part();
        let mut bytes = seal(&context(&part), &part, key.public_key()).expect("sealed").into_bytes();
        bytes[index] ^= 1_u8 << bit;
        let altered = Sealed::from_bytes(bytes).expect("same length");
        prop_assert!(open(&context(&part), &key, &altered).is_err());
    }

    #[test]
    fn arbitrary_bytes_never_open_nor_panic(bytes in proptest::collection::vec(any::<u8>(), 0..1200)) {
        let key = SealKey::from_seed(&[9; 32]);
        let mut bytes = bytes;
        bytes.resize(ENC_BYTES + 1024 + TAG_BYTES, 0x5a);
        let sealed = Sealed::from_bytes(bytes).expect("right length");
        prop_assert!(open(&context(&part()), &key, &sealed).is_err());
        prop_assert!(unpad(sealed.as_bytes()).is_err());
    }
}
