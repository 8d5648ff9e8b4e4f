//! The check held to cases worked out by hand. What the cases are made of stands here; each file is one side of the check.

mod answers;
mod areas;
mod convoys;
mod standing;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::datetime;

use super::*;
use crate::crypto::digest::Digest;
use crate::crypto::disclosure::Disclosure;
use crate::domain::check::{Flag, HitRelation, Verdict};
use crate::domain::ids::{LogPosition, Nid, Revision, Seq};
use crate::domain::notification::{ScreeningState, SecondSignature, Subject, Tier};
use crate::wire::parts::{AnswerPart, CheckArea, Hit, Window, name};
use crate::wire::policy::Policy;
use crate::wire::problem::ProblemKind;

const DEPART: OffsetDateTime = datetime!(2026-05-03 06:00 UTC);

fn question(area: &Value, effect_radius_m: f64, from: &str, until: &str) -> Question {
    let asked: CheckArea = serde_json::from_value(json!({
        "area": area,
        "effect_radius_m": effect_radius_m,
        "window": {"from": from, "until": until},
    }))
    .expect("an area");
    Question::read(&asked).expect("a question")
}

fn circle(lon: f64, lat: f64, radius_m: f64) -> Value {
    json!({"kind": "circle", "center": [lon, lat], "radius_m": radius_m})
}

fn polygon(coordinates: &Value) -> Value {
    json!({"kind": "polygon", "geometry": {"type": "Polygon", "coordinates": coordinates}})
}

fn on_3_may(area: &Value, effect_radius_m: f64) -> Question {
    question(
        area,
        effect_radius_m,
        "2026-05-03T00:00:00Z",
        "2026-05-03T23:59:59Z",
    )
}

fn notified(subject: Subject, tier: Tier) -> Notified {
    Notified {
        said_at: DEPART,
        on_behalf: false,
        nid: Nid::random(),
        rev: Revision::FIRST,
        of: Digest::of(b"a statement"),
        pos: LogPosition(7),
        organisation: "msf".parse().expect("a slug"),
        duty: Some("+41 00 000 00 00".to_owned()),
        subject,
        tier,
        latest: true,
        emergency: false,
        screening: ScreeningState::Screened,
        cosign: SecondSignature::NotRequired,
    }
}

fn disclosed(part: &str, value: &Value) -> String {
    Disclosure::make(part, value)
        .expect("a part")
        .encoded()
        .to_owned()
}

fn place(subject: Subject, geometry: &Value, properties: &Value) -> Candidate {
    let mut all = json!({"category": "office", "name": "x", "relation": "run", "buffer_m": 0.0});
    let more = properties.as_object().expect("an object");
    all.as_object_mut()
        .expect("an object")
        .extend(more.iter().map(|(k, v)| (k.clone(), v.clone())));
    let value = json!({"type": "Feature", "geometry": geometry, "properties": all});
    let text = disclosed(name::PLACE, &value);
    Candidate {
        notified: notified(subject, Tier::Exact),
        seen: Seen::place(text.as_bytes(), subject, &Policy::default()),
        contact: None,
    }
}

fn site(lon: f64, lat: f64, properties: &Value) -> Candidate {
    let geometry = json!({"type": "Point", "coordinates": [lon, lat]});
    place(Subject::Site, &geometry, properties)
}

/// The convoy of CASES.md: 60 km/h from 06:00Z.
fn convoy(properties: &Value) -> Candidate {
    let geometry =
        json!({"type": "LineString", "coordinates": [[32.5599, 15.5007], [33.5199, 14.4012]]});
    place(Subject::Movement, &geometry, properties)
}

fn timed() -> Value {
    json!({"waypoints": [{"at": "2026-05-03T06:00:00Z"}, {"at": "2026-05-03T08:39:34.71Z"}]})
}

fn past_the_convoy() -> Value {
    circle(33.006_959_997, 14.920_770_142, 8_000.0)
}

fn judged(question: &Question, candidates: Vec<Candidate>) -> Findings {
    judge(question, &Policy::default(), candidates, DEPART)
}

fn only(findings: &Findings) -> &Hit {
    assert_eq!(findings.hits.len(), 1);
    &findings.hits[0]
}
