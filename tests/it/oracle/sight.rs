//! All that one desk can see: its routes, its mailbox, its socket, its checks; as lines of text in which log positions,
//! times and randomness are masked, and lengths, counts, order and sequence numbers are not.

use std::collections::BTreeMap;

use herald::crypto::disclosure::Disclosure;
use herald::domain::actor::{ActorKind, Role};
use herald::wire::build::{Part, build};
use herald::wire::claims::{CheckClaims, Common};
use herald::wire::envelope::{Content, ENVELOPE_TYPE, Envelope, Event, split};
use herald::wire::parts::name;
use reqwest::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::server::{Member, Unit, World};

/// Members whose numbers are positions and times.
const NUMBERS: [&str; 9] = [
    "until",
    "pos",
    "iat",
    "exp",
    "nbf",
    "next",
    "certificate_until",
    "after",
    "upto",
];

/// Members that hold the random name of a device.
const NAMES: [&str; 2] = ["id", "device"];

/// Gives random names their order of appearance.
#[derive(Default)]
pub struct Masked(BTreeMap<String, usize>);

impl Masked {
    fn who(&mut self, name: &str) -> String {
        let next = self.0.len() + 1;
        format!("#{}", self.0.entry(name.to_owned()).or_insert(next))
    }

    /// A value, masked.
    pub fn value(&mut self, value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let masked = members.iter().map(|(name, value)| {
                    let value = match value {
                        Value::Number(_) if NUMBERS.contains(&name.as_str()) => "*".into(),
                        Value::String(id) if NAMES.contains(&name.as_str()) => self.who(id).into(),
                        value => self.value(value),
                    };
                    (name.clone(), value)
                });
                Value::Object(masked.collect())
            }
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::String(text) => self.text(text),
            other => other.clone(),
        }
    }

    fn text(&mut self, text: &str) -> Value {
        if let Some(statement) = payload(text) {
            return json!({"statement": self.value(&statement)});
        }
        let random = text.len() >= 43
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if text.starts_with("herald:") {
            return "the deployment".into();
        }
        if text.parse::<Uuid>().is_ok() || text.starts_with("HN-") {
            return self.who(text).into();
        }
        if OffsetDateTime::parse(text, &Rfc3339).is_ok() {
            return "time".into();
        }
        if random {
            return format!("{} characters {}", text.len(), self.who(text)).into();
        }
        if text.starts_with("-----BEGIN") {
            return "a certificate".into();
        }
        match text.split_once('/') {
            Some((actor, device)) if device.len() == 8 => {
                format!("{actor}/{}", self.who(device)).into()
            }
            _ => text.into(),
        }
    }
}

/// What a compact statement says.
fn payload(text: &str) -> Option<Value> {
    let mut segments = text.split('.');
    let (_, payload, _) = (segments.next()?, segments.next()?, segments.next()?);
    if segments.next().is_some() {
        return None;
    }
    serde_json::from_slice(&herald::crypto::from_b64url(payload.as_bytes())?).ok()
}

/// Everything that a desk can see now, a line each.
pub async fn sight(
    world: &World,
    desk: &Member,
    socket: Vec<Vec<u8>>,
    signed: OffsetDateTime,
) -> Vec<String> {
    let mut masked = Masked::default();
    let mut lines = Vec::new();
    let events = mailbox(world, desk, &mut lines).await;
    for bytes in &events {
        lines.push(event(bytes, desk, &mut masked));
    }
    for bytes in &socket {
        lines.push(format!("socket: {}", event(bytes, desk, &mut masked)));
    }
    for path in [
        "/v1/me",
        "/v1/devices",
        "/v1/notifications?limit=200",
        "/v1/threads",
        "/v1/distress",
        "/v1/queue",
        "/v1/queue?all=true",
        "/v1/changes?limit=200",
        "/v1/silence",
        "/v1/statistics",
        "/v1/policy?ctx=yem",
        "/v1/keys?ctx=yem",
    ] {
        lines.push(route(world, desk.first(), path, &mut masked).await);
    }
    let planner = desk
        .devices
        .iter()
        .find(|unit| unit.role == Role::PartyPlanner);
    if let (ActorKind::Party, Some(planner)) = (desk.kind, planner) {
        for center in [[44.2, 15.4], [44.25, 15.45], [48.0, 15.4]] {
            lines.push(check(world, planner, center, signed).await);
        }
    }
    lines
}

/// A route's answer: status, whether it is whole, and the body.
async fn route(world: &World, unit: &Unit, path: &str, masked: &mut Masked) -> String {
    let answer = world.get(unit, path).await;
    // A failure would look the same on both sides.
    assert!(!answer.status.is_server_error(), "{path}: {answer:?}");
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if let Some(devices) = body["devices"].as_array() {
        // Devices stand in the order of their random names.
        let each = apart(devices);
        return format!("{path}: {} {each:?}", answer.status);
    }
    let mut body = masked.value(&body);
    if let Some(problem) = body.as_object_mut().filter(|_| !answer.status.is_success()) {
        problem.remove("request_id");
    }
    format!("{path}: {} {body}", answer.status)
}

/// The whole mailbox, page by page as small as can be, with what each page says of the rest.
async fn mailbox(world: &World, desk: &Member, lines: &mut Vec<String>) -> Vec<Vec<u8>> {
    let (mut after, mut events) = (0, Vec::new());
    loop {
        let url = format!("{}/v1/events?after={after}&limit=200", world.url);
        let answer = desk.first().http.get(url).send().await.unwrap();
        let header = |name: &str| {
            let value = answer.headers().get(name);
            value.map(|value| value.to_str().unwrap().to_owned())
        };
        lines.push(format!(
            "page after {after}: {} {:?} {:?}",
            answer.status(),
            header("hn-next"),
            header("hn-head")
        ));
        let body = answer.bytes().await.unwrap();
        let items = split(&body, 256).unwrap();
        if items.is_empty() {
            return events;
        }
        after += items.len();
        events.extend(items.into_iter().map(<[u8]>::to_vec));
    }
}

/// An event: its place, what was said, each part's name, length and value.
fn event(bytes: &[u8], desk: &Member, masked: &mut Masked) -> String {
    let event = Event::decode(bytes).unwrap();
    let (_, claims) = herald::wire::read::read(&event.envelope.statement).unwrap();
    let said = masked.text(&event.envelope.statement);
    let receipt = masked.text(&event.receipt);
    let mut parts = Vec::new();
    for part in &event.envelope.attachments {
        let Content::Seal { sealed, .. } = &part.content else {
            continue;
        };
        let opened = herald::wire::build::open(&claims, part, &desk.desk);
        let value = opened
            .map(|opened| masked.value(opened.value()))
            .unwrap_or_default();
        parts.push(format!("{} of {} bytes {value}", part.part, sealed.len()));
    }
    format!("{} {} {said} {receipt} {parts:?}", event.seq, claims.kind())
}

/// Each by itself, where chance decides which comes first.
fn apart(items: &[Value]) -> Vec<String> {
    let mut each: Vec<String> = items
        .iter()
        .map(|item| Masked::default().value(item).to_string())
        .collect();
    each.sort();
    each
}

/// A planner's question and its answer. Objects at the same distance stand in no order.
async fn check(world: &World, planner: &Unit, center: [f64; 2], signed: OffsetDateTime) -> String {
    let common = Common {
        iat: signed.unix_timestamp(),
        ..world.common(planner)
    };
    let area = json!({
        "area": {"kind": "circle", "center": center, "radius_m": 900.0},
        "window": {}, "outside_countries": true,
    });
    let part = Part::new(name::AREA, &area).unwrap().in_the_clear();
    let built = build(CheckClaims::new(common), &[part], &planner.signing).unwrap();
    let body = Some((ENVELOPE_TYPE, built.envelope.encode()));
    let answer = world
        .call(&planner.http, Method::POST, "/v1/checks", body)
        .await;
    if answer.refused().is_some() {
        return format!("check: {:?}", answer.refused());
    }
    let envelope = Envelope::decode_answer(&answer.body).unwrap();
    let mut lines = Vec::new();
    for part in &envelope.attachments {
        let Content::Disclosure(disclosure) = &part.content else {
            continue;
        };
        let disclosure = Disclosure::parse(disclosure.as_bytes()).unwrap();
        for (member, value) in disclosure.value().as_object().unwrap() {
            let each = value
                .as_array()
                .map_or_else(|| apart(std::slice::from_ref(value)), |items| apart(items));
            lines.push(format!("{member} {each:?}"));
        }
    }
    format!("check: {} parts {lines:?}", envelope.attachments.len())
}
