//! What devices send and what the server answers: requests as they are given, and statements signed and submitted.

use bytes::Bytes;
use herald::domain::ids::{Issuer, Seq};
use herald::wire::api::{Me, Submitted};
use herald::wire::claims::{Claims, Common};
use herald::wire::envelope::{ENVELOPE_TYPE, ENVELOPES_TYPE, Event, split};
use herald::wire::problem::{PROBLEM_MEDIA_TYPE, ProblemBody, ProblemKind};
use herald::wire::{build, read};
use reqwest::{Client, Method, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::World;
use super::devices::{Member, Unit, now};

/// What the server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The problem, if it is one.
    pub problem: Option<ProblemBody>,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// Of what came back.
    pub async fn of(response: reqwest::Response) -> Self {
        let status = response.status();
        let is_problem = response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|media| media == PROBLEM_MEDIA_TYPE);
        let body = response.bytes().await.unwrap();
        Self {
            status,
            problem: is_problem.then(|| serde_json::from_slice(&body).unwrap()),
            body,
        }
    }

    /// The body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> T {
        assert!(self.status.is_success(), "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The kind of its problem.
    pub fn refused(&self) -> Option<ProblemKind> {
        let kind = ProblemKind::from_type_uri(&self.problem.as_ref()?.type_uri).unwrap();
        assert_eq!(kind.spec().status, self.status.as_u16(), "{self:?}");
        Some(kind)
    }
}

/// An event as a desk reads it: its place, what was said, and the parts that the desk can open.
pub type Read = (Seq, Claims, Vec<(String, Value)>);

impl World {
    /// The claims of a statement that a device signs now.
    pub fn common(&self, unit: &Unit) -> Common {
        self.common_of(unit.issuer())
    }

    /// As [`World::common`], for any issuer.
    pub fn common_of(&self, iss: Issuer) -> Common {
        Common {
            iss,
            aud: self.aud.clone(),
            ctx: self.ctx.clone(),
            mode: self.mode,
            jti: Uuid::new_v4(),
            iat: now().unix_timestamp(),
        }
    }

    /// Sends a request as it is given.
    pub async fn call(
        &self,
        http: &Client,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> Answer {
        let mut request = http.request(method, format!("{}{path}", self.url));
        if let Some((media, body)) = body {
            request = request.header(header::CONTENT_TYPE, media).body(body);
        }
        Answer::of(request.send().await.unwrap()).await
    }

    /// Reads a path.
    pub async fn get(&self, unit: &Unit, path: &str) -> Answer {
        self.call(&unit.http, Method::GET, path, None).await
    }

    /// Posts JSON.
    pub async fn post_json(&self, http: &Client, path: &str, value: &impl Serialize) -> Answer {
        let body = serde_json::to_vec(value).unwrap();
        self.call(http, Method::POST, path, Some(("application/json", body)))
            .await
    }

    /// Submits an envelope.
    pub async fn submit(&self, unit: &Unit, envelope: Vec<u8>) -> Answer {
        let body = Some((ENVELOPE_TYPE, envelope));
        self.call(&unit.http, Method::POST, "/v1/statements", body)
            .await
    }

    /// Submits several envelopes at once.
    pub async fn submit_bulk(&self, unit: &Unit, envelopes: &[Vec<u8>]) -> Answer {
        let joined = herald::wire::envelope::join(envelopes.iter().map(Vec::as_slice));
        let body = Some((ENVELOPES_TYPE, joined));
        self.call(&unit.http, Method::POST, "/v1/statements/bulk", body)
            .await
    }

    /// Signs and submits a statement.
    pub async fn say(
        &self,
        unit: &Unit,
        claims: impl Into<Claims>,
        parts: &[build::Part],
    ) -> Answer {
        let built = build::build(claims, parts, &unit.signing).unwrap();
        self.submit(unit, built.envelope.encode()).await
    }

    /// As [`World::say`], and it must be taken.
    pub async fn said(
        &self,
        unit: &Unit,
        claims: impl Into<Claims>,
        parts: &[build::Part],
    ) -> Submitted {
        let answer = self.say(unit, claims, parts).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        answer.json()
    }

    /// Who the server takes a device for.
    pub async fn me(&self, unit: &Unit) -> Me {
        self.get(unit, "/v1/me").await.json()
    }

    /// All of a desk's mailbox, each event with the parts that the desk can open.
    pub async fn reads(&self, desk: &Member) -> Vec<Read> {
        let (mut after, mut out) = (Seq(0), Vec::new());
        loop {
            let path = format!("/v1/events?after={after}&limit=256");
            let answer = self.get(desk.first(), &path).await;
            assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
            let items = split(&answer.body, 256).unwrap();
            if items.is_empty() {
                return out;
            }
            for item in items {
                let event = Event::decode(item).unwrap();
                after = event.seq;
                let (_, claims) = read::read(&event.envelope.statement).unwrap();
                let open = |part| {
                    let opened = build::open(&claims, part, &desk.desk).ok()?;
                    Some((opened.name().to_owned(), opened.value().clone()))
                };
                let parts = event.envelope.attachments.iter().filter_map(open).collect();
                out.push((event.seq, claims, parts));
            }
        }
    }

    /// Holds a receipt against the server's key; gives what it says.
    pub fn receipt(&self, receipt: &str) -> herald::wire::claims::ReceiptClaims {
        let (unverified, claims) = read::read(receipt).unwrap();
        unverified.verify(&self.node()).unwrap();
        let Claims::Receipt(claims) = claims else {
            panic!("a receipt is a receipt")
        };
        *claims
    }
}
