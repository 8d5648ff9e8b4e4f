//! Several contexts in one deployment: two that are live and an exercise, with the same names in each. What is said in one
//! is as if it were not there in the others.

mod apart;
mod clock;
mod crossing;
mod sight;

use herald::domain::actor::Mode;
use herald::domain::notification::Tier;
use herald::wire::build::{Part, build};
use herald::wire::check::read_answer;
use herald::wire::claims::{CheckClaims, Claims};
use herald::wire::envelope::{ENVELOPE_TYPE, Envelope};
use herald::wire::parts::{AnswerPart, name};
use herald::wire::read;
use reqwest::Method;
use serde_json::json;

use super::{Attached, Cry, Notified, Site, Unit, World};

/// The contexts of these tests.
const CONTEXTS: [(&str, Mode); 3] = [
    ("yem", Mode::Live),
    ("sdn", Mode::Live),
    ("drill", Mode::Exercise),
];

/// Three contexts; the first holds the server.
async fn three() -> [Box<World>; 3] {
    let worlds = World::start_several(&CONTEXTS, |_| ()).await;
    worlds.try_into().ok().expect("one each")
}

/// What was said in a context by everybody who may say something.
struct Said {
    site: Notified,
    call: Notified,
    file: Attached,
}

/// Where everything is, in every context.
const PLACE: [f64; 2] = [44.2, 15.4];

/// The same things are said, in the same words, as in every other context.
async fn speak(world: &World) -> Said {
    let msf = world.msf.first();
    let file = Attached::photo(70_000);
    world.upload(msf, &file).await;
    let site = Site::at(PLACE[0], PLACE[1])
        .to(&world.east, Tier::Exact)
        .to(&world.west, Tier::OnCheck)
        .contact(&[&world.coordinator, &world.east, &world.west])
        .attach(&[&file], &[&world.coordinator, &world.msf, &world.east]);
    let site = world.notify(msf, &site).await;
    world.screen(&site).await;
    world.asks(&world.east, &world.msf, &site, json!({})).await;
    let cry = Cry::about(&site).to(&world.east, Tier::Exact);
    let call = world.distress(msf, &cry).await;
    Said { site, call, file }
}

/// A planner's question about a circle around a place.
fn question(world: &World, unit: &Unit, [lon, lat]: [f64; 2]) -> Vec<u8> {
    let area = json!({
        "area": {"kind": "circle", "center": [lon, lat], "radius_m": 1000.0},
        "effect_radius_m": 0.0, "window": {},
    });
    let area = Part::new(name::AREA, &area).unwrap().in_the_clear();
    let claims = CheckClaims::new(world.common(unit));
    let built = build(claims, &[area], &unit.signing).unwrap();
    built.envelope.encode()
}

/// Asks, and reads the answer.
async fn ask(world: &World, unit: &Unit, at: [f64; 2]) -> AnswerPart {
    let body = Some((ENVELOPE_TYPE, question(world, unit, at)));
    let answer = world
        .call(&unit.http, Method::POST, "/v1/checks", body)
        .await;
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    let answer = Envelope::decode(&answer.body).unwrap();
    let (_, claims) = read::read(&answer.statement).unwrap();
    let Claims::Answer(claims) = claims else {
        panic!("an answer is an answer");
    };
    assert_eq!((&claims.ctx, claims.mode), (&world.ctx, world.mode));
    read_answer(&claims, &answer).unwrap()
}
