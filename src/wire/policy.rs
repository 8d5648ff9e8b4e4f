//! A context's policy, as its coordinator signs it. Numbers that decide are in it, not in the code.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::category::Category;
use crate::domain::due::{CLOSE_DAYS, RECONFIRM_DAYS};
use crate::domain::exchange::REPLY_WITHIN_H;
use crate::domain::notification::Tier;

/// Mebibytes for an organisation's attachments, where the policy does not say.
pub const ATTACHMENTS_MIB: u32 = 1_024;

/// Months for which sealed parts are kept after the month in which they were received, where the policy does not say.
pub const RETENTION_MONTHS: u16 = 24;

/// The most months that a policy may set: a century.
pub const MAX_RETENTION_MONTHS: u16 = 1_200;

/// The policy of a context.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The country, ISO 3166-1 alpha-3, which the linter holds places against; absent for a region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Whether the coordinator screens.
    pub screening: Screening,
    /// Whether a second person of the organisation signs each revision.
    pub second_signature: bool,
    /// Lead times asked for, in hours.
    pub lead_time_h: LeadTime,
    /// Default buffers in metres that differ from the category's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub buffers_m: BTreeMap<Category, f64>,
    /// The tiers that organisations may choose.
    pub tiers: Vec<Tier>,
    /// How old a statement may be when it arrives, in seconds.
    pub freshness_s: Freshness,
    /// Days between an organisation's word on a site and the next that it is asked for; 0 asks for none.
    #[serde(default = "reconfirm_days")]
    pub reconfirm_days: u16,
    /// Days after the end of a site's notified window in which it can still be revised; then it is closed. At least 1.
    #[serde(default = "close_days")]
    pub close_days: u16,
    /// Hours for a reply to a query that sets no time, and to a warning.
    #[serde(default = "reply_within_h")]
    pub reply_within_h: u16,
    /// Mebibytes that an organisation's attachments may take on the server.
    #[serde(default = "attachments_mib")]
    pub attachments_mib: u32,
    /// Months for which sealed parts and attachments are kept after the end of the month in which they were received, 1 to
    /// 1,200. Then they are destroyed, unless something holds the month; statements stay.
    #[serde(default = "retention_months")]
    pub retention_months: u16,
    /// The coordinator's number for answers that are indeterminate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// Whom to call while nobody answers a call for help: the first after one minute, and so on. The last stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escalation: Vec<Number>,
}

/// A number to call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Number {
    /// Whose: a post, rather than a person.
    pub name: String,
    /// In international form, with `+`.
    pub phone: String,
}

/// Whether the coordinator screens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Screening {
    /// Unscreened revisions count in checks, flagged.
    Required,
    /// Nobody screens; nothing is flagged for it.
    Off,
}

/// Lead times in hours. Less is possible as an emergency, flagged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeadTime {
    /// For sites.
    pub site: u32,
    /// For movements.
    pub movement: u32,
    /// For emergencies.
    pub emergency: u32,
}

/// How old statements may be when they arrive, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Freshness {
    /// Notifications, acknowledgements and all else: people sign on Monday and connect on Wednesday.
    pub statement: u32,
    /// Checks.
    pub check: u32,
    /// How far ahead of the server's clock a statement may be.
    pub ahead: u32,
}

impl Default for Policy {
    /// Screening required, one signature, 48 h and 24 h lead time (as in Yemen), 7 days and 60 s of freshness.
    fn default() -> Self {
        Self {
            country: None,
            screening: Screening::Required,
            second_signature: false,
            lead_time_h: LeadTime {
                site: 0,
                movement: 48,
                emergency: 24,
            },
            buffers_m: BTreeMap::new(),
            tiers: vec![Tier::Exact, Tier::OnCheck, Tier::Cell],
            freshness_s: Freshness {
                statement: 7 * 86_400,
                check: 60,
                ahead: 300,
            },
            reconfirm_days: RECONFIRM_DAYS,
            close_days: CLOSE_DAYS,
            reply_within_h: REPLY_WITHIN_H,
            attachments_mib: ATTACHMENTS_MIB,
            retention_months: RETENTION_MONTHS,
            call: None,
            escalation: Vec::new(),
        }
    }
}

const fn attachments_mib() -> u32 {
    ATTACHMENTS_MIB
}

const fn retention_months() -> u16 {
    RETENTION_MONTHS
}

const fn reconfirm_days() -> u16 {
    RECONFIRM_DAYS
}

const fn close_days() -> u16 {
    CLOSE_DAYS
}

const fn reply_within_h() -> u16 {
    REPLY_WITHIN_H
}
