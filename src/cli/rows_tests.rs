//! Rows are known again under the key they have, and under the one they had.

use super::*;
use crate::cli::draft::sign::Next;
use crate::cli::testing::World;
use crate::domain::notification::Subject;
use crate::domain::text::reference_key;

const SALT: [u8; 32] = [7; 32];

fn former(reference: &str) -> Digest {
    let text = serde_json::json!(["reference", Subject::Site, reference]);
    Digest::of_parts(&[&SALT, text.to_string().as_bytes()])
}

fn composed(reference: &str) -> Composed {
    let place = serde_json::json!({
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [13.5, -8.6]},
        "properties": {"category": "clinic", "name": "A", "relation": "run", "reference": reference},
    });
    Composed {
        on_behalf: None,
        subject: Subject::Site,
        place: serde_json::from_value(place).expect("a place"),
        contact: None,
        audience: Vec::new(),
        emergency: false,
        shown: Vec::new(),
    }
}

#[test]
fn a_row_that_an_earlier_release_journalled_is_known_again_however_it_is_written() {
    let next = Next::first();
    let entry = Entry {
        row: Row {
            files: None,
            key: former("B-590"),
            content: Digest::of(b"before"),
        },
        nid: next.nid,
        rev: next.rev,
        hash: Digest::of(b"statement"),
        parties: Vec::new(),
    };
    let rows = Rows::of(HashMap::from([(entry.row.key, entry)]), SALT);
    for written in [
        "B-590",
        "b-590",
        "B\u{2011}590",
        "B\u{2013}\u{665}\u{669}\u{660}",
    ] {
        let composed = composed(written);
        let row = rows.row(&composed);
        let Standing::Changed(changed) = rows.standing(&row, &composed) else {
            panic!("{written} is another row")
        };
        assert_eq!(changed.nid, next.nid);
        assert_eq!(rows.taken(&row, &composed, Nid::random()), Some(next.nid));
    }
    let other = composed("B-591");
    assert_eq!(rows.standing(&rows.row(&other), &other), Standing::New);
    assert_eq!(reference_key("B\u{2011}590"), "b-590");
}

#[tokio::test]
async fn two_single_runs_with_one_reference_make_one_notification() {
    let world = World::new();
    let held = world.profile().lock(ROWS).expect("free");
    let single = |at: &'static str| {
        let args = [
            "notify",
            "--category",
            "clinic",
            "--name",
            "A",
            "--reference",
            "B-590",
            "--country",
            "AGO",
            "--at",
            at,
        ];
        world.run_apart(args)
    };
    let (one, two) = (
        single("-8.655976, 13.491947"),
        single("-8.655976, 13.491947"),
    );
    tokio::time::sleep(Duration::from_millis(300)).await;
    let outbox = Outbox::open(world.path()).expect("an outbox");
    assert!(
        outbox.pending().expect("listed").is_empty(),
        "both wait for who decides now"
    );
    drop(held);
    for run in [one, two] {
        tokio::task::spawn_blocking(|| run.join().expect("no panic"))
            .await
            .expect("joined");
    }
    assert_eq!(outbox.pending().expect("listed").len(), 1);
}
