//! Carries a nudge to a gateway, of SMS for example: one HTTPS request, signed in the form of Standard Webhooks 1.0.0.
//! Where it goes is the operator's word, private addresses included; no answer leads it anywhere else.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};

use super::Failed;
use crate::crypto::webhook::WebhookSecret;
use crate::domain::clock::Clock;
use crate::service::nudge::send::Outgoing;
use crate::wire::nudge::{WEBHOOK_TYPE, WebhookBody, WebhookData};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a whole try may take; well within a message's lease.
const TRY: Duration = Duration::from_secs(40);

/// A way to a gateway.
pub struct Gateway {
    url: Url,
    secret: WebhookSecret,
    client: Client,
}

impl Gateway {
    /// A way to a gateway that is verified against `ca` (PEM), else against the system's authorities. None when the parts
    /// do not fit together.
    pub(super) fn new(url: Url, secret: WebhookSecret, ca: Option<&[u8]>) -> Option<Self> {
        let tls = crate::tls::outward_config(ca).ok()?;
        let client = Client::builder()
            .https_only(true)
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            .timeout(TRY)
            .pool_max_idle_per_host(1)
            .tls_backend_preconfigured(tls);
        Some(Self {
            url,
            secret,
            client: client.build().ok()?,
        })
    }

    /// Hands a message to the gateway; any 2xx says that it has taken it. What else it says is not read.
    ///
    /// # Errors
    /// [`Failed`]: at what.
    pub async fn carry(&self, message: &Outgoing) -> Result<(), Failed> {
        let body = WebhookBody {
            kind: WEBHOOK_TYPE.to_owned(),
            timestamp: message.at,
            data: WebhookData {
                to: message.to.clone(),
                text: message.text.clone(),
                sort: message.sort,
            },
        };
        let body = serde_json::to_vec(&body).map_err(|_| Failed::Address)?;
        let id = message.id.to_string();
        let now_s = Clock::System.now().unix_timestamp();
        let signature = self.secret.sign(&id, now_s, &body);
        let answer = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", now_s.to_string())
            .header("webhook-signature", signature)
            .body(body)
            .send()
            .await
            .map_err(|error| failed(&error))?;
        if answer.status().is_success() {
            Ok(())
        } else {
            Err(Failed::Refused)
        }
    }
}

fn failed(error: &reqwest::Error) -> Failed {
    if error.is_timeout() {
        Failed::TooSlow
    } else {
        // A certificate that is not trusted comes as a failure to connect, too.
        Failed::Unreachable
    }
}
