//! Records open only where they stand, keys of the months are made ahead, and each damaged file has its own error.

use std::{fs, os::unix::fs::PermissionsExt};

use super::*;
use proptest::prelude::*;
use time::macros::date;

const AT: RecordRef<'_> = RecordRef {
    table: "notification_part",
    org: "msf",
    id: "n-1",
    rev: 2,
    part: "place",
};

fn month(text: &str) -> Month {
    text.parse().expect("a month")
}

fn keyring() -> (tempfile::TempDir, Keyring) {
    let dir = tempfile::tempdir().expect("a directory");
    let keyring = Keyring::create(&dir.path().join("keyring")).expect("made");
    keyring
        .provision(date!(2026 - 11 - 23))
        .expect("provisioned");
    (dir, keyring)
}

#[test]
fn a_record_opens_where_it_was_stored_also_after_a_restart() {
    let (dir, keyring) = keyring();
    let bytes = keyring
        .seal_record(&AT, month("2026-11"), b"a place")
        .expect("sealed");
    assert_eq!(bytes.len(), b"a place".len() + RECORD_OVERHEAD_BYTES);
    assert_eq!(month_of(&bytes).expect("own record"), month("2026-11"));
    let restarted = Keyring::open(&dir.path().join("keyring")).expect("opened");
    for ring in [keyring, restarted] {
        assert_eq!(
            ring.open_record(&AT, &bytes).expect("own place").as_slice(),
            b"a place"
        );
    }
}

#[test]
fn a_record_moved_to_another_row_does_not_open() {
    let (_dir, keyring) = keyring();
    let bytes = keyring
        .seal_record(&AT, month("2026-11"), b"a place")
        .expect("sealed");
    for elsewhere in [
        RecordRef {
            table: "check_area",
            ..AT
        },
        RecordRef { org: "icrc", ..AT },
        RecordRef { id: "n-2", ..AT },
        RecordRef { rev: 3, ..AT },
        RecordRef {
            part: "contact",
            ..AT
        },
        RecordRef {
            org: "ms",
            id: "fn-1",
            ..AT
        },
    ] {
        let error = keyring.open_record(&elsewhere, &bytes).expect_err("moved");
        assert!(
            matches!(error, KeyringError::Record { .. }),
            "{elsewhere:?}: {error}"
        );
    }
}

#[test]
fn every_flipped_bit_of_a_record_is_refused() {
    let (_dir, keyring) = keyring();
    let bytes = keyring
        .seal_record(&AT, month("2026-11"), b"a place")
        .expect("sealed");
    for index in 0..bytes.len() {
        for bit in 0..8 {
            let mut altered = bytes.clone();
            altered[index] ^= 1 << bit;
            assert!(
                keyring.open_record(&AT, &altered).is_err(),
                "byte {index}, bit {bit}"
            );
        }
    }
    for length in 0..bytes.len() {
        assert!(
            keyring.open_record(&AT, &bytes[..length]).is_err(),
            "cut to {length}"
        );
    }
}

#[test]
fn keys_are_made_for_this_month_and_the_next_two_and_never_replaced() {
    let (dir, keyring) = keyring();
    assert_eq!(
        keyring
            .provision(date!(2026 - 11 - 30))
            .expect("provisioned"),
        []
    );
    assert_eq!(
        keyring
            .provision(date!(2026 - 12 - 01))
            .expect("provisioned"),
        [month("2027-02")]
    );
    let mut names: Vec<_> = fs::read_dir(dir.path().join("keyring"))
        .expect("readable")
        .map(|entry| {
            entry
                .expect("readable")
                .file_name()
                .into_string()
                .expect("ASCII")
        })
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "kek-2026-11",
            "kek-2026-12",
            "kek-2027-01",
            "kek-2027-02",
            "root.key"
        ]
    );
    assert!(matches!(
        keyring.seal_record(&AT, month("2027-03"), b""),
        Err(KeyringError::NoKek(_))
    ));
    assert!(matches!(
        Keyring::create(&dir.path().join("keyring")),
        Err(KeyringError::File(SecretFileError::Exists(_)))
    ));
}

#[test]
fn a_month_that_another_node_provisions_is_read_when_needed() {
    let (dir, ours) = keyring();
    assert!(matches!(
        ours.seal_record(&AT, month("2027-02"), b"x"),
        Err(KeyringError::NoKek(_))
    ));
    let theirs = Keyring::open(&dir.path().join("keyring")).expect("opened");
    theirs
        .provision(date!(2026 - 12 - 02))
        .expect("provisioned");
    let bytes = theirs
        .seal_record(&AT, month("2027-02"), b"x")
        .expect("sealed");
    assert_eq!(
        ours.open_record(&AT, &bytes).expect("same keys").as_slice(),
        b"x"
    );
}

#[test]
fn a_destroyed_month_opens_nothing_after_a_restart() {
    let (dir, keyring) = keyring();
    let path = dir.path().join("keyring");
    let bytes = keyring
        .seal_record(&AT, month("2026-11"), b"x")
        .expect("sealed");
    fs::remove_file(path.join("kek-2026-11")).expect("removed");
    let restarted = Keyring::open(&path).expect("opened");
    assert!(
        matches!(restarted.open_record(&AT, &bytes), Err(KeyringError::NoKek(m)) if m == month("2026-11"))
    );
}

#[test]
fn missing_exposed_cut_off_and_foreign_key_files_each_have_their_own_error() {
    let (dir, _) = keyring();
    let path = dir.path().join("keyring");
    let root = path.join(ROOT_FILE);
    let kek = path.join("kek-2026-11");
    let november = |ring: &Keyring| {
        ring.seal_record(&AT, month("2026-11"), b"x")
            .expect_err("refused")
    };
    let good_kek = fs::read(&kek).expect("readable");
    let ring = Keyring::open(&path).expect("opened");

    fs::write(&kek, &good_kek[..good_kek.len() - 5]).expect("written");
    assert!(matches!(november(&ring), KeyringError::KekForm(_)));
    fs::write(&kek, fs::read(path.join("kek-2026-12")).expect("readable")).expect("written");
    assert!(
        matches!(november(&ring), KeyringError::KekWrapped(_)),
        "a renamed month does not stand in for another"
    );
    fs::write(&kek, &good_kek).expect("written");
    fs::set_permissions(&kek, fs::Permissions::from_mode(0o644)).expect("own file");
    assert!(matches!(
        november(&ring),
        KeyringError::File(SecretFileError::Exposed { .. })
    ));
    fs::set_permissions(&kek, fs::Permissions::from_mode(0o600)).expect("own file");
    assert!(
        ring.seal_record(&AT, month("2026-11"), b"x").is_ok(),
        "put right, it is used without a restart"
    );

    let other = Keyring::create(&dir.path().join("other")).expect("made");
    other.provision(date!(2026 - 11 - 01)).expect("provisioned");
    fs::copy(dir.path().join("other").join("kek-2026-11"), &kek).expect("copied");
    assert!(matches!(
        november(&Keyring::open(&path).expect("opened")),
        KeyringError::KekWrapped(_)
    ));

    fs::write(&root, b"hn-keyring-root-v1 AAAA\n").expect("written");
    assert!(matches!(
        Keyring::open(&path),
        Err(KeyringError::RootForm(_))
    ));
    fs::set_permissions(&root, fs::Permissions::from_mode(0o640)).expect("own file");
    assert!(matches!(
        Keyring::open(&path),
        Err(KeyringError::File(SecretFileError::Exposed { .. }))
    ));
    fs::remove_file(&root).expect("removed");
    assert!(matches!(
        Keyring::open(&path),
        Err(KeyringError::File(SecretFileError::Missing(_)))
    ));
}

#[test]
fn what_cannot_bind_a_record_is_refused() {
    let (_dir, keyring) = keyring();
    for at in [
        RecordRef { table: "", ..AT },
        RecordRef { org: "a\0b", ..AT },
        RecordRef {
            id: &"i".repeat(257),
            ..AT
        },
    ] {
        assert!(matches!(
            keyring.seal_record(&at, month("2026-11"), b"x"),
            Err(KeyringError::Binding(_))
        ));
    }
}

#[test]
fn the_keyring_never_prints_its_keys_nor_an_error_the_place() {
    let (_dir, keyring) = keyring();
    assert_eq!(format!("{keyring:?}"), "Keyring([sealed])");
    let bytes = keyring
        .seal_record(&AT, month("2026-11"), b"36.71803")
        .expect("sealed");
    let error = keyring
        .open_record(&RecordRef { rev: 9, ..AT }, &bytes)
        .expect_err("moved");
    assert!(!format!("{error} {error:?}").contains("36.71"));
}

proptest! {
    #[test]
    fn arbitrary_texts_round_trip(text in proptest::collection::vec(any::<u8>(), 0..400), rev in any::<u64>()) {
        let at = RecordRef { rev, ..AT };
        let bytes = seal_with(&[3; 32], &at, month("2026-11"), random_bytes(), &text).expect("sealed");
        let opened = open_with(&[3; 32], &at, &bytes).expect("own record");
        prop_assert_eq!(opened.as_slice(), text.as_slice());
    }

    #[test]
    fn arbitrary_bytes_never_open_nor_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        prop_assert!(open_with(&[3; 32], &AT, &bytes).is_err());
    }
}

#[test]
fn a_destroyed_month_opens_for_nobody_is_never_made_anew_and_leaves_the_others_alone() {
    let (dir, ours) = keyring();
    let path = dir.path().join("keyring");
    let theirs = Keyring::open(&path).expect("opened");
    let old = ours
        .seal_record(&AT, month("2026-11"), b"old")
        .expect("sealed");
    let young = ours
        .seal_record(&AT, month("2026-12"), b"young")
        .expect("sealed");
    let key = fs::read(path.join("kek-2026-11")).expect("read");
    assert!(ours.destroy(month("2026-11")).expect("destroyed"));
    assert!(!ours.destroy(month("2026-11")).expect("nothing to do"));
    let gone = |ring: &Keyring| {
        let opened = ring.open_record(&AT, &old);
        matches!(opened, Err(KeyringError::Destroyed(m)) if m == month("2026-11"))
    };
    assert!(gone(&ours) && gone(&theirs));
    assert_eq!(
        ours.open_record(&AT, &young).expect("opens").as_slice(),
        b"young"
    );
    for ring in [&ours, &Keyring::open(&path).expect("opened")] {
        let made = ring.provision(date!(2026 - 11 - 23)).expect("provisioned");
        assert!(!made.contains(&month("2026-11")), "{made:?}");
        assert_eq!(ring.present().expect("one"), month("2026-12"));
        assert!(gone(ring));
    }
    // A key that is put back is destroyed again; one that was written over and has no mark yet is as good as gone.
    for left in [key.clone(), vec![0; key.len()]] {
        fs::write(path.join("kek-2026-11"), left).expect("written");
        assert!(ours.destroy(month("2026-11")).expect("destroyed"));
        assert!(gone(&ours));
    }
    fs::write(path.join("kek-2026-11"), vec![0; key.len()]).expect("written");
    assert!(ours.is_destroyed(month("2026-11")).expect("read"));
    assert!(gone(&Keyring::open(&path).expect("opened")));
}

#[test]
fn of_a_record_that_was_destroyed_the_header_says_with_which_month() {
    let (_dir, ours) = keyring();
    let record = ours
        .seal_record(&AT, month("2026-11"), b"x")
        .expect("sealed");
    assert_eq!(destroyed_with(&record), None);
    let (left, _) = record.split_at(TOMBSTONE_BYTES);
    assert_eq!(destroyed_with(left), Some(month("2026-11")));
    assert!(matches!(
        ours.open_record(&AT, left),
        Err(KeyringError::Destroyed(m)) if m == month("2026-11")
    ));
    for bad in [
        &b""[..],
        b"\x01\x07\xea",
        b"\x02\x07\xea\x0b",
        b"\x01\x07\xea\x0d",
    ] {
        assert_eq!(destroyed_with(bad), None);
        assert!(matches!(
            ours.open_record(&AT, bad),
            Err(KeyringError::RecordForm)
        ));
    }
}
