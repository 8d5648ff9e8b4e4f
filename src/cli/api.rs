//! The HTTPS client: one typed method for each operation of the server. Trusts the pinned CA alone, shows the device's
//! certificate, and repeats only what may be repeated: reads, and the exact bytes of a statement.

use std::error::Error as _;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::output::Output;
use super::profile::Profile;
use super::transfer::Transfer;
use crate::domain::ids::{ContextId, LogPosition, Seq};
use crate::domain::kind::Kind;
use crate::wire::api::{
    BulkResponse, Calls, CurrentPolicy, Cursor, Devices, EnrolRequest, EnrolResponse, KeyDirectory,
    Me, NotificationPage, NotificationStatus, RenewRequest, Statistics, Submitted, Threads,
};
use crate::wire::envelope::{
    self, ENVELOPE_TYPE, ENVELOPES_TYPE, EVENTS_TYPE, Envelope, Event, MAX_ENVELOPE,
};
use crate::wire::nudge::{NudgeChoice, NudgeSettings};
use crate::wire::problem::{PROBLEM_MEDIA_TYPE, ProblemBody};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an operation may take, its body included.
const OPERATION: Duration = Duration::from_mins(1);
/// How long a page of events or a batch may take on a weak link.
pub(super) const BULK: Duration = Duration::from_mins(3);
/// How long one try of a call for help may take.
const CALL: Duration = Duration::from_secs(15);
/// Where calls for help go.
const CALLS: &str = "/v1/distress";
/// Tries of what may be repeated, the first included.
const TRIES: u32 = 3;
/// The wait before the second try; it doubles.
const PAUSE: Duration = Duration::from_millis(400);
/// The longest wait that a server may ask for and be granted within one command.
const PAUSE_MOST: Duration = Duration::from_secs(20);
/// The largest answer that is read, in bytes.
const ANSWER_MOST: usize = 64 << 20;
/// Events in one page at most, whatever the server sends.
const PAGE_MOST: usize = 100_000;

/// What can come of a call besides its answer.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No connection, or it broke before the answer. What was sent may have arrived.
    #[error("the server at {server} cannot be reached: {why}")]
    Unreachable {
        /// Where.
        server: String,
        /// Why, in words.
        why: String,
    },
    /// The server is not the one that was pinned.
    #[error(
        "what answers at {server} is not the server that was pinned at enrolment: {why}. Nothing was sent"
    )]
    OtherServer {
        /// Where.
        server: String,
        /// Why.
        why: String,
    },
    /// The server does not take this device's certificate.
    #[error(
        "the server does not take this device's certificate: it was revoked, has ended, or is unknown"
    )]
    Authentication,
    /// The server refused.
    #[error("{} ({})", .0.title, .0.type_uri)]
    Problem(Box<ProblemBody>),
    /// The answer is not what this operation answers.
    #[error("the server's answer to {operation} is not understood: {why}")]
    Answer {
        /// The operation.
        operation: String,
        /// Why.
        why: String,
    },
    /// The client could not be made.
    #[error("the HTTPS client could not be made: {0}")]
    Client(String),
}

impl ApiError {
    /// What to do.
    pub fn action(&self) -> Option<&str> {
        Some(match self {
            Self::Unreachable { .. } => {
                "Check the line and the address, then repeat; repeating does no harm."
            }
            Self::OtherServer { .. } => {
                "Check the address. If it is right, tell the coordinator on a number that you know before you send anything."
            }
            Self::Authentication => {
                "If this device was not taken back on purpose, ask your colleagues or the coordinator for a new invite."
            }
            Self::Problem(problem) => &problem.action,
            Self::Answer { .. } => {
                "Update the client; if it is current, tell the server's operator."
            }
            Self::Client(_) => return None,
        })
    }

    /// Whether the exact same request may succeed a little later.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Problem(problem) => super::send::is_temporary(problem),
            Self::OtherServer { .. }
            | Self::Authentication
            | Self::Answer { .. }
            | Self::Client(_) => false,
        }
    }

    fn wait(&self) -> Option<Duration> {
        match self {
            Self::Problem(problem) => problem.retry_after_s.map(Duration::from_secs),
            _ => None,
        }
    }
}

/// The server, as one device may call it.
#[derive(Debug, Clone)]
pub struct Api {
    client: Client,
    server: String,
    /// Who is told how far long contents are.
    watch: Option<Output>,
}

/// A page of a mailbox.
#[derive(Debug)]
pub struct EventPage {
    /// The events, in order, each as it came: these bytes are what is kept.
    pub events: Vec<(Event, Vec<u8>)>,
    /// The last of this page.
    pub next: Seq,
    /// The last in the mailbox.
    pub head: Seq,
}

impl Api {
    /// A client that shows the profile's certificate.
    ///
    /// # Errors
    /// When the profile's TLS files do not serve.
    pub fn of_profile(profile: &Profile) -> Result<Self, super::error::CliError> {
        Ok(Self::new(&profile.me().server, profile.tls()?)?)
    }

    /// A client with a given TLS configuration. `server` is `https://host:port`.
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(server: &str, tls: rustls::ClientConfig) -> Result<Self, ApiError> {
        let server = server.trim_end_matches('/').to_owned();
        if !server.starts_with("https://") {
            return Err(ApiError::Client(format!(
                "the server's address must begin with https://, {server} does not"
            )));
        }
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(OPERATION)
            .pool_idle_timeout(Duration::from_secs(30))
            .user_agent(concat!("herald/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| ApiError::Client(words(&e)))?;
        Ok(Self {
            client,
            server,
            watch: None,
        })
    }

    /// Says there how far long contents are on their way.
    #[must_use]
    pub fn watched_on(mut self, out: Output) -> Self {
        self.watch = Some(out);
        self
    }

    /// A content on its way.
    pub fn transfer(&self, what: &'static str, have: usize, total: usize) -> Transfer {
        Transfer::begin(self.watch.as_ref(), what, have, total)
    }

    /// Where it is.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Enrols a device. The same request again after a lost answer succeeds again.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn enrol(&self, request: &EnrolRequest) -> Result<EnrolResponse, ApiError> {
        self.json(Method::POST, "/v1/enrol", Some(request)).await
    }

    /// Everybody's keys in a context; to be held against the pins.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn keys(&self, ctx: &ContextId) -> Result<KeyDirectory, ApiError> {
        self.get(&format!("/v1/keys?ctx={ctx}")).await
    }

    /// The policy in force in a context.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn policy(&self, ctx: &ContextId) -> Result<CurrentPolicy, ApiError> {
        self.get(&format!("/v1/policy?ctx={ctx}")).await
    }

    /// Who the server takes this device for.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn me(&self) -> Result<Me, ApiError> {
        self.get("/v1/me").await
    }

    /// The own actor's devices.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn devices(&self) -> Result<Devices, ApiError> {
        self.get("/v1/devices").await
    }

    /// Asks for a certificate for renewed keys.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn renew(&self, request: &RenewRequest) -> Result<EnrolResponse, ApiError> {
        self.json(Method::POST, "/v1/renew", Some(request)).await
    }

    /// Submits one envelope's exact bytes. The same bytes again get the same receipt.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn submit(&self, envelope: &[u8]) -> Result<Submitted, ApiError> {
        let body = Bytes::copy_from_slice(envelope);
        let answer = self
            .post("/v1/statements", ENVELOPE_TYPE, body, OPERATION)
            .await?;
        from_json("POST /v1/statements", &answer)
    }

    /// As [`Self::submit`]; a call for help, an answer to one or its end goes where nothing else keeps it back.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn submit_of(&self, kind: Kind, envelope: &[u8]) -> Result<Submitted, ApiError> {
        if !kind.is_call() {
            return self.submit(envelope).await;
        }
        let body = Bytes::copy_from_slice(envelope);
        let answer = self.post(CALLS, ENVELOPE_TYPE, body, OPERATION).await?;
        from_json("POST /v1/distress", &answer)
    }

    /// Submits a call for help once, and gives up soon: whoever calls tries again at once.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn submit_call(&self, envelope: &[u8]) -> Result<Submitted, ApiError> {
        let request = self
            .request(Method::POST, CALLS)
            .header(CONTENT_TYPE, ENVELOPE_TYPE)
            .timeout(CALL)
            .body(Bytes::copy_from_slice(envelope));
        let (_, answer) = self.once(request).await?;
        from_json("POST /v1/distress", &answer)
    }

    /// The calls for help that this actor may know of and that are not resolved.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn calls(&self) -> Result<Calls, ApiError> {
        self.get(CALLS).await
    }

    /// Submits several envelopes' exact bytes; the answer has one item for each, in order.
    ///
    /// # Errors
    /// [`ApiError`]; also when the number of items differs.
    pub async fn submit_bulk(&self, envelopes: &[&[u8]]) -> Result<BulkResponse, ApiError> {
        const OPERATION: &str = "POST /v1/statements/bulk";
        let body = Bytes::from(envelope::join(envelopes.iter().copied()));
        let answer = self
            .post("/v1/statements/bulk", ENVELOPES_TYPE, body, BULK)
            .await?;
        let response: BulkResponse = from_json(OPERATION, &answer)?;
        if response.items.len() == envelopes.len() {
            Ok(response)
        } else {
            Err(not_understood(
                OPERATION,
                format!(
                    "{} results came for {} statements",
                    response.items.len(),
                    envelopes.len()
                ),
            ))
        }
    }

    /// Asks a check; the answer is the server's signed envelope.
    ///
    /// # Errors
    /// [`ApiError`]. Whatever it is: treat the question as a conflict.
    pub async fn check(&self, envelope: &[u8]) -> Result<Envelope, ApiError> {
        let body = Bytes::copy_from_slice(envelope);
        let answer = self
            .post("/v1/checks", ENVELOPE_TYPE, body, OPERATION)
            .await?;
        Envelope::decode_answer(&answer)
            .map_err(|e| not_understood("POST /v1/checks", e.to_string()))
    }

    /// A page of the own desk's mailbox, from behind `after`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn events(&self, after: Seq, limit: u32) -> Result<EventPage, ApiError> {
        const OPERATION: &str = "GET /v1/events";
        let path = format!("/v1/events?after={after}&limit={limit}");
        let (head, body) = self
            .repeated(|| {
                self.request(Method::GET, &path)
                    .header(ACCEPT, EVENTS_TYPE)
                    .timeout(BULK)
            })
            .await?;
        let number = |name: &str| {
            head.get(name)
                .and_then(|value| value.to_str().ok()?.parse().ok())
                .map(Seq)
                .ok_or_else(|| not_understood(OPERATION, format!("the header {name} is missing")))
        };
        let items = envelope::split(&body, PAGE_MOST)
            .map_err(|e| not_understood(OPERATION, e.to_string()))?;
        let events = items
            .into_iter()
            .map(|bytes| Event::decode(bytes).map(|event| (event, bytes.to_vec())))
            .collect::<Result<_, _>>()
            .map_err(|e| not_understood(OPERATION, e.to_string()))?;
        Ok(EventPage {
            events,
            next: number("hn-next")?,
            head: number("hn-head")?,
        })
    }

    /// One event of the own desk's mailbox, and its exact bytes.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn event(&self, seq: Seq) -> Result<(Event, Vec<u8>), ApiError> {
        let path = format!("/v1/events/{seq}");
        let (_, body) = self
            .repeated(|| self.request(Method::GET, &path).timeout(BULK))
            .await?;
        let event = Event::decode(&body).map_err(|e| not_understood(&path, e.to_string()))?;
        Ok((event, body))
    }

    /// Says that everything up to `seq` is kept by this device.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn set_cursor(&self, seq: Seq) -> Result<(), ApiError> {
        self.repeated(|| {
            self.request(Method::PUT, "/v1/cursor")
                .json(&Cursor { seq })
        })
        .await
        .map(|_| ())
    }

    /// A page of notifications that this actor may see.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn notifications(
        &self,
        after: Option<LogPosition>,
    ) -> Result<NotificationPage, ApiError> {
        match after {
            Some(after) => self.get(&format!("/v1/notifications?after={after}")).await,
            None => self.get("/v1/notifications").await,
        }
    }

    /// One notification, by its `nid` or reference.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn notification(&self, id: &str) -> Result<NotificationStatus, ApiError> {
        self.get(&format!("/v1/notifications/{id}")).await
    }

    /// Queries and warnings that wait for a reply.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn threads(&self) -> Result<Threads, ApiError> {
        self.get("/v1/threads").await
    }

    /// How one's own nudges stand.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn nudge(&self) -> Result<NudgeSettings, ApiError> {
        self.get("/v1/nudge").await
    }

    /// Sets where one is nudged.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn set_nudge(&self, choice: &NudgeChoice) -> Result<NudgeSettings, ApiError> {
        self.json(Method::PUT, "/v1/nudge", Some(choice)).await
    }

    /// Erases it.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn erase_nudge(&self) -> Result<(), ApiError> {
        self.repeated(|| self.request(Method::DELETE, "/v1/nudge"))
            .await
            .map(|_| ())
    }

    /// Queues a test message; asked once, since each is one message.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn test_nudge(&self) -> Result<NudgeSettings, ApiError> {
        const PATH: &str = "/v1/nudge/test";
        let (_, answer) = self.once(self.request(Method::POST, PATH)).await?;
        from_json("POST /v1/nudge/test", &answer)
    }

    /// Counts.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn statistics(&self) -> Result<Statistics, ApiError> {
        self.get("/v1/statistics").await
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.server))
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        self.json(Method::GET, path, None::<&()>).await
    }

    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<T, ApiError> {
        let (_, answer) = self
            .repeated(|| {
                let request = self.request(method.clone(), path);
                match body {
                    Some(body) => request.json(body),
                    None => request,
                }
            })
            .await?;
        from_json(&format!("{method} {path}"), &answer)
    }

    async fn post(
        &self,
        path: &str,
        media_type: &'static str,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Vec<u8>, ApiError> {
        let (_, answer) = self
            .repeated(|| {
                self.request(Method::POST, path)
                    .header(CONTENT_TYPE, media_type)
                    .timeout(timeout)
                    .body(body.clone())
            })
            .await?;
        Ok(answer)
    }

    /// Sends what may be sent again: a read, or the same bytes. A few times, with growing pauses.
    pub(super) async fn repeated(
        &self,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<(HeaderMap, Vec<u8>), ApiError> {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match self.once(request()).await {
                Err(error) if error.is_temporary() => {
                    let wait = error.wait().unwrap_or(pause);
                    if wait > PAUSE_MOST {
                        return Err(error);
                    }
                    tokio::time::sleep(wait).await;
                    pause *= 2;
                }
                done => return done,
            }
        }
        self.once(request()).await
    }

    pub(super) async fn once(
        &self,
        request: RequestBuilder,
    ) -> Result<(HeaderMap, Vec<u8>), ApiError> {
        let mut response = request.send().await.map_err(|e| self.unreachable(&e))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.body(&mut response).await?;
        if status.is_success() {
            return Ok((headers, body));
        }
        let is_problem = headers
            .get(CONTENT_TYPE)
            .is_some_and(|t| t.as_bytes().starts_with(PROBLEM_MEDIA_TYPE.as_bytes()));
        match serde_json::from_slice::<ProblemBody>(&body) {
            Ok(problem) if is_problem => Err(ApiError::Problem(Box::new(problem))),
            Ok(_) | Err(_) if is_gateway(status) => Err(ApiError::Unreachable {
                server: self.server.clone(),
                why: format!("something in between answered {status}"),
            }),
            Ok(_) | Err(_) => Err(not_understood(
                &self.server,
                format!("{status} without a problem document"),
            )),
        }
    }

    async fn body(&self, response: &mut Response) -> Result<Vec<u8>, ApiError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.unreachable(&e))? {
            if body.len() + chunk.len() > ANSWER_MOST {
                return Err(not_understood(
                    &self.server,
                    format!("it is longer than {ANSWER_MOST} bytes"),
                ));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Under TLS 1.3 a refused client certificate shows only after the handshake, as a broken connection: the alert
    /// inside tells it from a bad line.
    pub(super) fn unreachable(&self, error: &reqwest::Error) -> ApiError {
        refused_by_tls(&self.server, error).unwrap_or_else(|| ApiError::Unreachable {
            server: self.server.clone(),
            why: words(error),
        })
    }
}

const fn is_gateway(status: StatusCode) -> bool {
    matches!(status.as_u16(), 502..=504)
}

const fn refuses_certificate(alert: rustls::AlertDescription) -> bool {
    use rustls::AlertDescription as Alert;
    matches!(
        alert,
        Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::CertificateRequired
    )
}

/// What TLS itself has against the connection, when that is why it failed: our certificate, or theirs.
pub(super) fn refused_by_tls(
    server: &str,
    error: &(dyn std::error::Error + 'static),
) -> Option<ApiError> {
    match rustls_cause(error)? {
        rustls::Error::AlertReceived(alert) if refuses_certificate(*alert) => {
            Some(ApiError::Authentication)
        }
        rustls::Error::InvalidCertificate(why) => Some(ApiError::OtherServer {
            server: server.to_owned(),
            why: why.to_string(),
        }),
        _ => None,
    }
}

/// The TLS error behind a failure, however deep. An `io::Error` does not name what it wraps as its source, only that
/// one's source, so it is opened by hand.
fn rustls_cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut at: Option<&'a (dyn std::error::Error + 'static)> = Some(error);
    for _ in 0..16 {
        let here = at?;
        if let Some(tls) = here.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        at = match here
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
        {
            Some(inner) => Some(inner),
            None => here.source(),
        };
    }
    None
}

/// The innermost cause in words: "connection refused" rather than "error sending request".
fn words(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut text = error.to_string();
    let mut at = error.source();
    for _ in 0..16 {
        let Some(inner) = at else { break };
        text = inner.to_string();
        at = inner.source();
    }
    text
}

fn from_json<T: DeserializeOwned>(operation: &str, body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|e| {
        not_understood(
            operation,
            format!("line {}, column {}", e.line(), e.column()),
        )
    })
}

fn not_understood(operation: &str, why: String) -> ApiError {
    ApiError::Answer {
        operation: operation.to_owned(),
        why,
    }
}

/// The most bytes of envelopes that fit one batch.
pub const BATCH_BYTES: usize = 8 * MAX_ENVELOPE;
/// The most envelopes of one batch.
pub const BATCH_ITEMS: usize = 256;
