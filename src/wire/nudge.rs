//! The JSON bodies of nudges: where a person wants to be told that somebody needs them. Not signed and not evidence:
//! whoever set it may erase it.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::domain::ids::{ActorId, DeviceId};
use crate::domain::nudge::{MessageState, Severity, Sort, Way};

/// Where and for what a person is nudged. A device is a person.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NudgeChoice {
    /// An e-mail address, in plain ASCII.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "desk@example.org")]
    pub email: Option<String>,
    /// A telephone number in international form, which the operator's gateway is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "+96777000111")]
    pub phone: Option<String>,
    /// For what: `routine`, `urgent`, `distress`; at least one.
    #[schema(value_type = Vec<String>)]
    pub severities: Vec<Severity>,
    /// Away, and who is nudged meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leave: Option<NudgeLeave>,
}

impl NudgeChoice {
    /// Whether it has an address for a way.
    pub const fn has(&self, way: Way) -> bool {
        match way {
            Way::Mail => self.email.is_some(),
            Way::Webhook => self.phone.is_some(),
        }
    }
}

impl std::fmt::Debug for NudgeChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NudgeChoice[sealed]")
    }
}

/// Somebody is away.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NudgeLeave {
    /// Until when.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
    /// Who is nudged meanwhile: another device of the same actor.
    #[schema(value_type = String)]
    pub cover: DeviceId,
}

/// How a person's nudges stand.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct NudgeSettings {
    /// What the person chose; none when no address is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<NudgeChoice>,
    /// Whether the server sends e-mails.
    pub mail: bool,
    /// Whether the server tells a gateway.
    pub webhook: bool,
    /// Colleagues who are away, for whom this person is nudged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covering: Vec<NudgeCovered>,
    /// The latest messages, the latest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<NudgeMessage>,
    /// Ways by which nothing gets through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failing: Vec<NudgeTrouble>,
}

/// A colleague who is away.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NudgeCovered {
    /// Who.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// Until when.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
}

/// A message that was sent, or is to be.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NudgeMessage {
    /// `mail` or `webhook`.
    #[schema(value_type = String)]
    pub way: Way,
    /// `routine`, `urgent`, `distress` or `test`.
    #[schema(value_type = String)]
    pub sort: Sort,
    /// When it was queued.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// How often it was tried.
    pub tries: u32,
    /// `waiting`; `taken` by the mail server or gateway, which does not say that anybody read it; `given_up`; `dropped`.
    #[schema(value_type = String)]
    pub state: MessageState,
}

/// Somebody whom nudges do not reach. Says no address.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NudgeTrouble {
    /// Whose device.
    #[schema(value_type = String)]
    pub actor: ActorId,
    /// The device.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// By which way.
    #[schema(value_type = String)]
    pub way: Way,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
}

/// What a gateway is sent: the payload of a webhook in the form of Standard Webhooks 1.0.0.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookBody {
    /// Always `herald.nudge`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was queued.
    #[serde(with = "time::serde::rfc3339")]
    pub timestamp: OffsetDateTime,
    /// To whom, and what.
    pub data: WebhookData,
}

/// The content of a webhook.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookData {
    /// The telephone number.
    pub to: String,
    /// The whole text.
    pub text: String,
    /// `routine`, `urgent`, `distress` or `test`.
    pub sort: Sort,
}

/// The `type` of a webhook.
pub const WEBHOOK_TYPE: &str = "herald.nudge";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_reaches_a_debug_output() {
        let choice = NudgeChoice {
            email: Some("desk@example.org".to_owned()),
            phone: Some("+96777000111".to_owned()),
            ..NudgeChoice::default()
        };
        assert_eq!(format!("{choice:?}"), "NudgeChoice[sealed]");
    }
}
