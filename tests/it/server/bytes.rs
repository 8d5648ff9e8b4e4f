//! Whatever bytes arrive, the server answers with a refusal that says what is wrong, and never with a failure of its own.

use herald::crypto::b64url;
use herald::crypto::statement;
use herald::domain::kind::Kind;
use herald::domain::notification::Tier;
use herald::wire::envelope::{ENVELOPE_TYPE, ENVELOPES_TYPE, Envelope};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use reqwest::Method;
use serde_json::{Value, json};

use super::Site;
use super::devices::Fresh;
use super::world::World;

/// Cases of each strategy: all share one server, and none costs more than a round trip.
const CASES: u32 = 96;

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1.0e7..1.0e7_f64).prop_map(|x| Value::from((x * 1e3).round() / 1e3)),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,8}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Good bytes with some of them changed, cut or put in.
fn mangled(good: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..6);
    edits.prop_map(move |edits| {
        let mut bytes = good.clone();
        for (at, byte, how) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at),
                _ => bytes.insert(at, byte),
            }
        }
        bytes
    })
}

/// An object with one of its members, at any depth, replaced, taken away or added.
fn altered(good: Value) -> impl Strategy<Value = Value> {
    (any::<prop::sample::Index>(), json_value(), any::<bool>()).prop_map(move |(at, with, take)| {
        let mut value = good.clone();
        let Value::Object(members) = &mut value else {
            return with;
        };
        let names: Vec<String> = members.keys().cloned().collect();
        let name = &names[at.index(names.len())];
        if take {
            members.remove(name);
        } else {
            members.insert(name.clone(), with);
        }
        value
    })
}

fn draw<T>(strategy: impl Strategy<Value = T>) -> Vec<T> {
    let mut runner = TestRunner::new(Config::default());
    (0..CASES)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect()
}

impl World {
    async fn never_fails(&self, path: &str, media: &str, body: Vec<u8>) {
        let http = if path == "/v1/enrol" {
            &self.nobody
        } else {
            &self.msf.first().http
        };
        let shown = b64url(&body);
        let answer = self
            .call(http, Method::POST, path, Some((media, body)))
            .await;
        assert!(answer.status.as_u16() < 500, "{path} {shown}: {answer:?}");
        assert!(
            answer.status.is_success() || answer.problem.is_some(),
            "{path} {shown}: {answer:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bytes_make_the_server_fail() {
    let world = World::start().await;
    let ada = world.msf.first();
    let site = Site::at(44.2, 15.4).to(&world.east, Tier::Exact);
    let good = site.build(&world, ada).envelope.encode();
    let bulk = herald::wire::envelope::join([good.as_slice(), good.as_slice()]);

    for body in draw(prop::collection::vec(any::<u8>(), 0..400)) {
        world
            .never_fails("/v1/statements", ENVELOPE_TYPE, body.clone())
            .await;
        world
            .never_fails("/v1/statements/bulk", ENVELOPES_TYPE, body.clone())
            .await;
        world
            .never_fails("/v1/enrol", "application/json", body)
            .await;
    }
    for body in draw(mangled(good)) {
        world
            .never_fails("/v1/statements", ENVELOPE_TYPE, body)
            .await;
    }
    for body in draw(mangled(bulk)) {
        world
            .never_fails("/v1/statements/bulk", ENVELOPES_TYPE, body)
            .await;
    }
    // Well signed, by a device that may speak, with claims that are no claims.
    let kinds = prop::sample::select(Kind::ALL);
    let common =
        serde_json::to_value(herald::wire::claims::CheckClaims::new(world.common(ada))).unwrap();
    for (kind, claims) in draw((kinds, altered(common))) {
        let payload = serde_json::to_vec(&claims).unwrap();
        let jws = statement::sign(kind.as_str(), &payload, &ada.signing).unwrap();
        let body = Envelope::bare(jws).encode();
        world
            .never_fails("/v1/statements", ENVELOPE_TYPE, body)
            .await;
    }
    // Well sealed, with a place that is no place.
    for place in draw(altered(site.place.clone())) {
        let mut odd = Site::at(44.2, 15.4);
        odd.place = place;
        let body = odd.build(&world, ada).envelope.encode();
        world
            .never_fails("/v1/statements", ENVELOPE_TYPE, body)
            .await;
    }
    for properties in draw(altered(site.place["properties"].clone())) {
        let mut odd = Site::at(44.2, 15.4);
        odd.place["properties"] = properties;
        let body = odd.build(&world, ada).envelope.encode();
        world
            .never_fails("/v1/statements", ENVELOPE_TYPE, body)
            .await;
    }
    // An enrolment with a good invite and one thing wrong.
    let invite = world.call_for("msf", "Fu Zz").await;
    let request = serde_json::to_value(Fresh::new().request(&invite, None)).unwrap();
    for request in draw(altered(request)) {
        let body = serde_json::to_vec(&request).unwrap();
        world
            .never_fails("/v1/enrol", "application/json", body)
            .await;
    }
    world
        .never_fails(
            "/v1/enrol",
            "application/json",
            json!([]).to_string().into(),
        )
        .await;
    // And after all that it still takes what is right.
    let site = Site::at(44.2, 15.4).to(&world.east, Tier::Exact);
    world.notify(ada, &site).await;
}
