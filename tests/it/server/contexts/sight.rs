//! What a device of one context gets of another, operation by operation: nothing. The walk goes over the server's own table
//! of operations, so that a new one fails the test until it stands here.

use std::collections::BTreeSet;

use herald::crypto::from_b64url;
use herald::domain::actor::{ActorKind, Role};
use herald::domain::policy::OPERATIONS;
use herald::http::chunks::CHUNKS_TYPE;
use herald::store::role::Role as Database;
use herald::wire::envelope::{ENVELOPE_TYPE, ENVELOPES_TYPE, join};
use herald::wire::policy::Policy;
use herald::wire::problem::ProblemKind as P;
use reqwest::{Client, Method};
use sqlx::{AssertSqlSafe, Executor as _};

use super::super::devices::Fresh;
use super::super::{Answer, World};
use super::{PLACE, Said, ask, question, speak, three};

/// What is told only in the first context: a number to call.
const CALL: &str = "+96777123987";

/// What a new operation is told.
const MISSING: &str = "say here what a device of another context gets of it: nothing";

/// A request of somebody in another context.
struct Asked<'a> {
    by: &'a Client,
    method: Method,
    path: String,
    body: Option<(&'static str, Vec<u8>)>,
    /// What becomes of it; `None` when it may be answered, with nothing of the first context.
    refused: Option<P>,
}

impl<'a> Asked<'a> {
    fn get(by: &'a Client, path: impl Into<String>) -> Self {
        Self {
            by,
            method: Method::GET,
            path: path.into(),
            body: None,
            refused: None,
        }
    }

    fn refused(self, problem: P) -> Self {
        Self {
            refused: Some(problem),
            ..self
        }
    }
}

/// Everything by which something of a context could be known again.
async fn marks(world: &World) -> BTreeSet<String> {
    let mut admin = world.db.connect(Database::Admin).await;
    let mut marks: BTreeSet<String> =
        [CALL.to_owned(), format!("\"ctx\":\"{}\"", world.ctx)].into();
    for sql in [
        "SELECT nid::text FROM hn.notification WHERE ctx = $1",
        "SELECT reference FROM hn.notification WHERE ctx = $1",
        "SELECT nid::text FROM hn.distress WHERE ctx = $1",
        "SELECT jws FROM hn.statement WHERE ctx = $1",
        "SELECT receipt FROM hn.statement WHERE ctx = $1",
        "SELECT device FROM hn.device WHERE ctx = $1",
        "SELECT rtrim(translate(encode(hash, 'base64'), '+/', '-_'), '=') FROM hn.statement WHERE ctx = $1",
        "SELECT rtrim(translate(encode(kid, 'base64'), '+/', '-_'), '=') FROM hn.device WHERE ctx = $1",
        "SELECT rtrim(translate(encode(desk_kid, 'base64'), '+/', '-_'), '=') FROM hn.actor WHERE ctx = $1 AND desk_kid IS NOT NULL",
    ] {
        let found: Vec<String> = sqlx::query_scalar(sql)
            .bind(world.ctx.as_str())
            .fetch_all(&mut admin)
            .await
            .unwrap();
        assert!(!found.is_empty(), "{sql}");
        marks.extend(found);
    }
    marks
}

/// A body, and what stands in it as base64url: headers and claims of statements.
fn legible(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body).into_owned();
    let inner: Vec<String> = text
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))
        .filter(|word| word.len() >= 20)
        .filter_map(|word| from_b64url(word.as_bytes()))
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect();
    text + &inner.join("\n")
}

/// What the devices of `other` ask, operation by operation, by all that they could know of what was said in `own`.
async fn requests<'a>(
    own: &World,
    said: &Said,
    other: &'a World,
    (method, template): (&str, &str),
) -> Vec<Asked<'a>> {
    if method == "GET" {
        reads(own, said, other, template).await
    } else {
        writes(own, said, other, (method, template)).await
    }
}

async fn reads<'a>(own: &World, said: &Said, other: &'a World, template: &str) -> Vec<Asked<'a>> {
    let everybody = || other.everybody().into_iter().map(|unit| &unit.http);
    let each = |path: String| -> Vec<Asked<'a>> {
        everybody()
            .map(|http| Asked::get(http, path.clone()))
            .collect()
    };
    let (nid, digest) = (said.site.nid, said.file.digest);
    match template {
        "/v1/keys" | "/v1/policy" => {
            let foreign = everybody().map(|http| {
                Asked::get(http, format!("{template}?ctx={}", own.ctx)).refused(P::WrongContext)
            });
            let unnamed = Asked::get(&other.nobody, template).refused(P::InvalidQuery);
            let no_such = format!("{template}?ctx=nowhere");
            let no_such = Asked::get(&other.nobody, no_such).refused(P::WrongContext);
            let mut all = each(format!("{template}?ctx={}", other.ctx));
            all.extend(foreign);
            all.extend([unnamed, no_such]);
            all
        }
        "/v1/nudge" | "/v1/me" | "/v1/devices" | "/v1/queue" | "/v1/changes" | "/v1/silence"
        | "/v1/distress" | "/v1/threads" | "/v1/statistics" | "/openapi.json" => {
            each(template.to_owned())
        }
        "/v1/notifications" => each("/v1/notifications?limit=200".to_owned()),
        "/v1/notifications/{id}" => {
            let desks = [&other.coordinator, &other.msf, &other.relief, &other.east];
            let names = [
                nid.to_string(),
                nid.reference().to_string(),
                said.call.nid.to_string(),
            ];
            let asked = desks.iter().flat_map(|desk| {
                let paths = names.iter().map(|name| format!("/v1/notifications/{name}"));
                paths.map(|path| {
                    Asked::get(&desk.first().http, path).refused(P::UnknownNotification)
                })
            });
            asked.collect()
        }
        "/v1/events" => each("/v1/events?after=0&limit=256".to_owned()),
        "/v1/events/{seq}" => {
            let seqs = 1..=own.reads(&own.coordinator).await.len();
            seqs.flat_map(|seq| each(format!("/v1/events/{seq}")))
                .collect()
        }
        "/v1/stream" => {
            let ahead = own.reads(&own.coordinator).await.len() + 1_000;
            let path = format!("/v1/stream?after={ahead}");
            vec![Asked::get(&other.msf.first().http, path).refused(P::InvalidQuery)]
        }
        "/v1/blobs/{digest}" => {
            let desks = [&other.coordinator, &other.relief, &other.east];
            let path = || format!("/v1/blobs/{digest}");
            let asked = desks
                .iter()
                .map(|desk| Asked::get(&desk.first().http, path()).refused(P::NotFound));
            asked.collect()
        }
        template => panic!("GET {template}: {MISSING}"),
    }
}

async fn writes<'a>(
    own: &World,
    said: &Said,
    other: &'a World,
    (method, template): (&str, &str),
) -> Vec<Asked<'a>> {
    let everybody = || other.everybody().into_iter().map(|unit| &unit.http);
    let (msf, planner) = (other.msf.first(), &other.east.devices[1]);
    let post = |by: &'a Client, path: &str, media, body| Asked {
        by,
        method: Method::POST,
        path: path.to_owned(),
        body: Some((media, body)),
        refused: None,
    };
    let digest = said.file.digest;
    match (method, template) {
        ("PUT", "/v1/cursor") => {
            let reaches = other.reads(&other.msf).await.len();
            let body = format!("{{\"seq\":{}}}", reaches + 1);
            vec![Asked {
                method: Method::PUT,
                body: Some(("application/json", body.into_bytes())),
                ..Asked::get(&msf.http, "/v1/cursor").refused(P::InvalidMember)
            }]
        }
        // A device's own look, and no other's; there is no naming one.
        ("PUT", "/v1/look") => everybody()
            .map(|http| Asked {
                method: Method::PUT,
                body: Some(("application/json", b"{\"pos\":1}".to_vec())),
                ..Asked::get(http, template)
            })
            .collect(),
        ("PUT", "/v1/blobs/{digest}") => {
            // What lies in the other context is no beginning of one's own.
            let size = said.file.blob.len();
            let path = format!("/v1/blobs/{digest}?offset={size}&size={size}");
            vec![Asked {
                method: Method::PUT,
                body: Some((CHUNKS_TYPE, Vec::new())),
                ..Asked::get(&msf.http, path).refused(P::AttachmentOffset)
            }]
        }
        ("POST", "/v1/statements") => other
            .everybody()
            .into_iter()
            .map(|unit| {
                let body = said.site.envelope.clone();
                post(&unit.http, template, ENVELOPE_TYPE, body).refused(P::WrongContext)
            })
            .collect(),
        ("POST", "/v1/statements/bulk") => {
            let body = join([said.site.envelope.as_slice()]);
            vec![post(&msf.http, template, ENVELOPES_TYPE, body)]
        }
        ("POST", "/v1/distress") => {
            let body = said.call.envelope.clone();
            vec![post(&msf.http, template, ENVELOPE_TYPE, body).refused(P::WrongContext)]
        }
        ("POST", "/v1/checks") => {
            let foreign = question(own, &own.east.devices[1], PLACE);
            let foreign = post(&planner.http, template, ENVELOPE_TYPE, foreign);
            let body = question(other, planner, PLACE);
            vec![
                foreign.refused(P::WrongContext),
                post(&planner.http, template, ENVELOPE_TYPE, body),
            ]
        }
        ("POST", "/v1/enrol") => {
            // An invite of the first context, and keys that are signed for the other.
            let person = "Tra Veller";
            let role = Role::Organisation;
            let code = own
                .invite("msf", ActorKind::Organisation, role, person)
                .await;
            let fresh = Fresh::new();
            let keys = other.keys_of(&other.msf, Some(fresh.key(role)));
            let request = fresh.request(&code, Some(keys.envelope.statement));
            let body = serde_json::to_vec(&request).unwrap();
            vec![post(&other.nobody, template, "application/json", body).refused(P::WrongContext)]
        }
        ("POST", "/v1/renew") => {
            let renewal = own.renewal(own.msf.first(), &Fresh::new());
            let body = serde_json::to_vec(&renewal).unwrap();
            vec![post(&msf.http, template, "application/json", body).refused(P::WrongContext)]
        }
        // A device's own choice; there is no naming another's.
        ("PUT" | "DELETE" | "POST", "/v1/nudge" | "/v1/nudge/test") => everybody()
            .map(|http| Asked {
                method: method.parse().unwrap(),
                body: Some(("application/json", b"{}".to_vec())),
                ..Asked::get(http, template)
            })
            .collect(),
        (method, template) => panic!("{method} {template}: {MISSING}"),
    }
}

/// Walks every operation; gives what was told of the first context, or answered otherwise than it stands above.
async fn walk(own: &World, said: &Said, other: &World) -> Vec<String> {
    let marks = marks(own).await;
    let mut faults = Vec::new();
    for (method, template, _) in OPERATIONS {
        for asked in requests(own, said, other, (method, template)).await {
            let (path, refused) = (asked.path, asked.refused);
            let answer: Answer = other.call(asked.by, asked.method, &path, asked.body).await;
            let shown = legible(&answer.body);
            if let Some(mark) = marks.iter().find(|mark| shown.contains(*mark)) {
                faults.push(format!("{method} {template} shows {mark}"));
            }
            if refused.is_some() && answer.refused() != refused {
                faults.push(format!(
                    "{method} {path}: {answer:?} instead of {refused:?}"
                ));
            }
        }
    }
    faults
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_of_one_context_gets_nothing_of_another_by_any_operation() {
    let [own, other, drill] = three().await;
    let policy = Policy {
        call: Some(CALL.to_owned()),
        ..Policy::default()
    };
    own.set_policy(1, policy).await;
    let said = speak(&own).await;
    // There is something to be seen: its own devices see it.
    let shown = own.get(own.east.first(), "/v1/notifications").await;
    assert!(legible(&shown.body).contains(&said.site.nid.to_string()));
    let path = format!("/v1/policy?ctx={}", own.ctx);
    let shown = own.get(own.msf.first(), &path).await;
    assert!(legible(&shown.body).contains(CALL));
    for other in [&other, &drill] {
        assert_eq!(walk(&own, &said, other).await, Vec::<String>::new());
        let nothing = ask(other, &other.east.devices[1], PLACE).await;
        assert_eq!(nothing.verdict.as_str(), "none_notified_to_you");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_not_kept_apart_are_found_by_the_walk() {
    let [own, other, _] = three().await;
    let said = speak(&own).await;
    assert_eq!(walk(&own, &said, &other).await, Vec::<String>::new());
    let mut admin = own.db.connect(Database::Admin).await;
    let candidates: String =
        sqlx::query_scalar("SELECT pg_get_functiondef('hn.candidates'::regproc)")
            .fetch_one(&mut admin)
            .await
            .unwrap();
    let for_all = candidates.replace("c.ctx = hn.ctx()", "true");
    assert_ne!(candidates, for_all);
    let guard = |what| format!("ALTER TABLE hn.notification {what} ROW LEVEL SECURITY");
    for (leak, mend, shown_by) in [
        (
            guard("DISABLE"),
            guard("ENABLE"),
            "GET /v1/notifications shows",
        ),
        (for_all, candidates, "POST /v1/checks shows"),
    ] {
        admin.execute(AssertSqlSafe(leak)).await.unwrap();
        let found = walk(&own, &said, &other).await;
        assert!(
            found.iter().any(|fault| fault.starts_with(shown_by)),
            "{found:#?}"
        );
        admin.execute(AssertSqlSafe(mend)).await.unwrap();
        assert_eq!(walk(&own, &said, &other).await, Vec::<String>::new());
    }
}
