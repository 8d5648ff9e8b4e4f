//! The claims of every kind of statement. All are public to whoever holds the statement, so none of them says where,
//! when, who or what: that stands in parts, of which a statement carries only the digests (`_sd`).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::policy::Policy;
use crate::crypto::digest::{Digest, Kid};
use crate::crypto::keys::VerifyingKey;
use crate::crypto::seal_key::SealPublicKey;
use crate::domain::ack::AckState;
use crate::domain::actor::{ActorKind, Mode, Role};
use crate::domain::ids::{ActorId, ContextId, DeviceId, Issuer, LogPosition, Nid, Revision};
use crate::domain::kind::Kind;
use crate::domain::notification::Outcome;

/// The claims that every statement has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Common {
    /// Who signed.
    pub iss: Issuer,
    /// The deployment, `herald:<thumbprint of its root>`.
    pub aud: String,
    /// The context.
    pub ctx: ContextId,
    /// Real, or a drill.
    pub mode: Mode,
    /// The statement's own id, fresh for each.
    pub jti: Uuid,
    /// When it was signed: seconds since the Unix epoch (RFC 7519 NumericDate, whole).
    pub iat: i64,
}

macro_rules! claims {
    ($(
        $(#[$meta:meta])*
        $kind:ident => $name:ident { $($(#[$fmeta:meta])* $field:ident : $type:ty,)* }
    )+) => {
        $(
            $(#[$meta])*
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
            #[serde(deny_unknown_fields)]
            pub struct $name {
                /// Who signed.
                pub iss: Issuer,
                /// The deployment, `herald:<thumbprint of its root>`.
                pub aud: String,
                /// The context.
                pub ctx: ContextId,
                /// Real, or a drill.
                pub mode: Mode,
                /// The statement's own id.
                pub jti: Uuid,
                /// When it was signed, seconds since the Unix epoch.
                pub iat: i64,
                $($(#[$fmeta])* pub $field: $type,)*
                /// Digests of the statement's parts and of decoys, sorted (RFC 9901 §4.2.4).
                #[serde(rename = "_sd", default, skip_serializing_if = "Vec::is_empty")]
                pub sd: Vec<Digest>,
            }

            impl $name {
                /// Claims without parts yet; see [`crate::wire::build`].
                pub fn new(common: Common, $($field: $type,)*) -> Self {
                    Self {
                        iss: common.iss, aud: common.aud, ctx: common.ctx, mode: common.mode,
                        jti: common.jti, iat: common.iat, $($field,)* sd: Vec::new(),
                    }
                }

                /// The claims that every statement has.
                pub fn common(&self) -> Common {
                    Common {
                        iss: self.iss.clone(), aud: self.aud.clone(), ctx: self.ctx.clone(),
                        mode: self.mode, jti: self.jti, iat: self.iat,
                    }
                }
            }
        )+

        $(
            impl From<$name> for Claims {
                fn from(claims: $name) -> Self {
                    Self::$kind(Box::new(claims))
                }
            }
        )+

        /// The claims of a statement of any kind.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Claims { $($(#[$meta])* $kind(Box<$name>),)+ }

        impl Claims {
            /// Reads the payload of a statement of this kind, strictly: an unknown or missing member is refused.
            ///
            /// # Errors
            /// The member at fault, as serde says it with its path.
            pub fn read(kind: Kind, payload: serde_json::Value) -> Result<Self, serde_path_to_error::Error<serde_json::Error>> {
                Ok(match kind { $(Kind::$kind => Self::$kind(Box::new(serde_path_to_error::deserialize(payload)?)),)+ })
            }

            /// The statement's kind.
            pub const fn kind(&self) -> Kind {
                match self { $(Self::$kind(_) => Kind::$kind,)+ }
            }

            /// The claims that every statement has.
            pub fn common(&self) -> Common {
                match self { $(Self::$kind(claims) => claims.common(),)+ }
            }

            /// The digests of its parts and decoys.
            pub fn sd(&self) -> &[Digest] {
                match self { $(Self::$kind(claims) => &claims.sd,)+ }
            }

            /// Sets the digests of its parts and decoys, sorted by the caller.
            pub fn set_sd(&mut self, sd: Vec<Digest>) {
                match self { $(Self::$kind(claims) => claims.sd = sd,)+ }
            }

            /// The bytes to sign: the claims as JSON, written once and never canonicalised.
            ///
            /// # Errors
            /// None in practice: every claim has a JSON form.
            pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
                match self { $(Self::$kind(claims) => serde_json::to_vec(claims),)+ }
            }
        }
    };
}

claims! {
    /// An actor's root names its devices and its desk's key. A whole snapshot: the highest serial counts.
    Keys => KeysClaims {
        /// Counts from 1.
        serial: u32,
        /// Hash of the `keys` statement before this one; absent in the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prev: Option<Digest>,
        /// The root's public key; its thumbprint is the header's `kid`.
        root: VerifyingKey,
        /// The devices that may speak for the actor.
        devices: Vec<DeviceKey>,
        /// The desk's HPKE public key, base64url: what is meant for this actor is sealed to it.
        desk: SealPublicKey,
    }

    /// A device renews its keys, signed with the old one.
    Renew => RenewClaims {
        /// The new signing key.
        jwk: VerifyingKey,
        /// The device's own new HPKE public key, base64url.
        seal: SealPublicKey,
        /// Until when, seconds since the Unix epoch.
        exp: i64,
    }

    /// The context's policy.
    Policy => PolicyClaims {
        /// Counts from 1.
        version: u32,
        /// The policy.
        policy: Policy,
    }

    /// The coordinator admits an actor, suspends it, or says that a party has left.
    Admit => AdmitClaims {
        /// Whom.
        actor: ActorId,
        /// What it is.
        kind: ActorKind,
        /// Its public name.
        name: String,
        /// Thumbprint of its root, as compared.
        root: Kid,
        /// Admitted, suspended, or left.
        state: Admission,
        /// From when, seconds since the Unix epoch; at once where it is absent. Never in the past when it is received, and
        /// never with `admitted`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<i64>,
    }

    /// An invitation to enrol one device. The person's name is the part `person`.
    Invite => InviteClaims {
        /// SHA-256 of the 32 secret bytes.
        code: Digest,
        /// For which actor.
        actor: ActorId,
        /// What that actor is.
        kind: ActorKind,
        /// Its public name.
        name: String,
        /// The device's role.
        role: Role,
        /// Until when, seconds since the Unix epoch; at most seven days.
        exp: i64,
    }

    /// A device is taken back. By a device of the same actor, or by the coordinator.
    Revoke => RevokeClaims {
        /// Whose device.
        actor: ActorId,
        /// Which.
        device: DeviceId,
        /// Why.
        reason: RevocationReason,
    }

    /// An actor's own 24/7 duty number, in the clear, for answers and escalation.
    Duty => DutyClaims {
        /// In international form, with `+`.
        phone: String,
        /// Languages spoken, BCP 47.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        languages: Vec<String>,
    }

    /// A site, or its revision. Parts: `place`, `audience.<party>` for each party, `contact`.
    Site => NotificationClaims {
        /// The notification.
        nid: Nid,
        /// The revision, from 1.
        rev: Revision,
        /// Hash of the revision before; absent in the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prev: Option<Digest>,
        /// Notified as an emergency, with less lead time than the policy asks.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        emergency: bool,
        /// Signed by the coordinator on behalf of an organisation that cannot yet sign for itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on_behalf: Option<OnBehalf>,
    }

    /// A movement, or its revision. Claims and parts as of a site.
    Movement => MovementClaims {
        /// The notification.
        nid: Nid,
        /// The revision, from 1.
        rev: Revision,
        /// Hash of the revision before; absent in the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prev: Option<Digest>,
        /// Notified as an emergency, with less lead time than the policy asks.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        emergency: bool,
        /// Signed by the coordinator on behalf of an organisation that cannot yet sign for itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on_behalf: Option<OnBehalf>,
    }

    /// The organisation withdraws a notification. Part: `reason`, for the coordinator alone.
    Withdraw => WithdrawClaims {
        /// The notification.
        nid: Nid,
        /// The next revision.
        rev: Revision,
        /// Hash of the revision before.
        prev: Digest,
        /// Signed by the coordinator on behalf of an organisation that cannot yet sign for itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on_behalf: Option<OnBehalf>,
    }

    /// The organisation closes a notification.
    Close => CloseClaims {
        /// The notification.
        nid: Nid,
        /// The next revision.
        rev: Revision,
        /// Hash of the revision before.
        prev: Digest,
        /// How it ended.
        outcome: Outcome,
        /// Signed by the coordinator on behalf of an organisation that cannot yet sign for itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on_behalf: Option<OnBehalf>,
    }

    /// The coordinator screens a revision. Part: `reasons`, when it is returned.
    Screen => ScreenClaims {
        /// The notification.
        nid: Nid,
        /// The revision.
        rev: Revision,
        /// Hash of that revision's statement.
        of: Digest,
        /// Screened, or returned.
        result: ScreenResult,
        /// What was checked.
        checked: Vec<Checked>,
    }

    /// A second person of the organisation signs a revision.
    Cosign => CosignClaims {
        /// The notification.
        nid: Nid,
        /// The revision.
        rev: Revision,
        /// Hash of that revision's statement.
        of: Digest,
    }

    /// A party acknowledges revisions of one organisation. Part: `detail`, with the officer's name. Transcribed by the
    /// coordinator from the party's letter, also `attachment.1`, the letter, and `blobs`.
    Ack => AckClaims {
        /// The organisation all items belong to, so that no organisation learns of another's.
        to: ActorId,
        /// 1 to 1,000 items.
        items: Vec<AckItem>,
        /// Transcribed by the coordinator: the party that wrote, and the SHA-256 of its letter. Never counts as signed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on_behalf: Option<OnBehalf>,
    }

    /// The coordinator relayed what is notified to a party by other means. Part: `detail`
    /// ([`super::relay::RelayDetail`]).
    Relay => RelayClaims {
        /// The organisation all items belong to, so that no organisation learns of another's.
        to: ActorId,
        /// The party.
        party: ActorId,
        /// The revisions that stand in the package, 1 to 1,000.
        items: Vec<About>,
    }

    /// A party warns an organisation about a revision. Part: `detail` ([`super::parts::Warning`]).
    Warn => WarnClaims {
        /// The organisation whose notification it is.
        to: ActorId,
        /// The notification.
        nid: Nid,
        /// The revision.
        rev: Revision,
        /// Hash of that revision's statement.
        of: Digest,
    }

    /// An organisation replies to a query or a warning. Part: `detail` ([`super::parts::ReplyDetail`]).
    Reply => ReplyClaims {
        /// The party that asked or warned.
        to: ActorId,
        /// The notification.
        nid: Nid,
        /// The revision that was asked about.
        rev: Revision,
        /// Hash of the statement replied to: an acknowledgement with a query on this notification, or a warning.
        re: Digest,
        /// Signed by the coordinator on behalf of an organisation that cannot yet sign for itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on_behalf: Option<OnBehalf>,
    }

    /// An organisation says how far a movement is. Part: `progress` ([`super::parts::ProgressPart`]).
    Progress => ProgressClaims {
        /// The movement.
        nid: Nid,
        /// Its latest revision.
        rev: Revision,
        /// Hash of that revision's statement.
        of: Digest,
        /// Signed by the coordinator on behalf of an organisation that cannot yet sign for itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on_behalf: Option<OnBehalf>,
    }

    /// An organisation confirms that a site stands as its latest revision says.
    Confirm => ConfirmClaims {
        /// The site.
        nid: Nid,
        /// Its latest revision.
        rev: Revision,
        /// Hash of that revision's statement.
        of: Digest,
        /// Signed by the coordinator on behalf of an organisation that cannot yet sign for itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on_behalf: Option<OnBehalf>,
    }

    /// An organisation calls for help. Parts: `detail` ([`super::parts::DistressDetail`]), `position`
    /// ([`super::parts::DistressPosition`]), `audience.<party>` for each party called.
    Distress => DistressClaims {
        /// The call's own id, in the form of a notification's.
        nid: Nid,
        /// Always 1: a call is not revised.
        rev: Revision,
        /// The notification that it is about, if one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        about: Option<About>,
    }

    /// A party or the coordinator answers a distress call. Part: `detail` ([`super::parts::ResponseDetail`]).
    Respond => RespondClaims {
        /// The organisation that called.
        to: ActorId,
        /// The call.
        nid: Nid,
        /// Hash of the call's statement.
        re: Digest,
    }

    /// The organisation ends a distress call. Part: `detail` ([`super::parts::ResolutionDetail`]).
    Resolve => ResolveClaims {
        /// The call.
        nid: Nid,
        /// Hash of the call's statement.
        re: Digest,
    }

    /// An officer leaves a note to the next of the same actor. Part: `note` ([`super::parts::HandoverNote`]), sealed to the
    /// own desk alone, which says what it is about too.
    Handover => HandoverClaims {}

    /// A planner's question. Part: `area`, given in the clear in the TLS body.
    Check => CheckClaims {}

    /// The server has stored a statement at a position.
    Receipt => ReceiptClaims {
        /// Hash of the statement.
        of: Digest,
        /// Its position.
        pos: LogPosition,
        /// When, by the database's clock: RFC 3339 UTC with microseconds.
        at: String,
    }

    /// The server answers a check. Part: `answer`, given in the clear in the TLS body.
    Answer => AnswerClaims {
        /// Hash of the check's statement.
        of: Digest,
    }

    /// The server says what it noticed. Part: `detail`.
    Notice => NoticeClaims {
        /// Hash of the statement that it is about.
        of: Digest,
        /// The notification.
        nid: Nid,
        /// The revision.
        rev: Revision,
        /// What.
        code: NoticeCode,
    }

    /// The server says what time has brought. Part: `detail` ([`super::parts::AlertDetail`]), which says all of it.
    Alert => AlertClaims {}
}

impl Claims {
    /// On whose behalf the coordinator signed, and by what word; none where the signer speaks for itself.
    pub const fn on_behalf(&self) -> Option<&OnBehalf> {
        match self {
            Self::Site(c) => c.on_behalf.as_ref(),
            Self::Movement(c) => c.on_behalf.as_ref(),
            Self::Withdraw(c) => c.on_behalf.as_ref(),
            Self::Close(c) => c.on_behalf.as_ref(),
            Self::Progress(c) => c.on_behalf.as_ref(),
            Self::Confirm(c) => c.on_behalf.as_ref(),
            Self::Reply(c) => c.on_behalf.as_ref(),
            Self::Ack(c) => c.on_behalf.as_ref(),
            _ => None,
        }
    }

    /// The actor that the statement speaks for: on whose behalf it was signed, or who signed.
    pub fn speaks_for(&self) -> ActorId {
        self.on_behalf()
            .map_or_else(|| self.common().iss.actor, |word| word.org.clone())
    }

    /// The one notification and revision that the statement is about; none for kinds that are about several or about none.
    pub fn revision(&self) -> Option<(Nid, Revision)> {
        Some(match self {
            Self::Site(c) => (c.nid, c.rev),
            Self::Movement(c) => (c.nid, c.rev),
            Self::Withdraw(c) => (c.nid, c.rev),
            Self::Close(c) => (c.nid, c.rev),
            Self::Screen(c) => (c.nid, c.rev),
            Self::Cosign(c) => (c.nid, c.rev),
            Self::Notice(c) => (c.nid, c.rev),
            Self::Warn(c) => (c.nid, c.rev),
            Self::Reply(c) => (c.nid, c.rev),
            Self::Progress(c) => (c.nid, c.rev),
            Self::Confirm(c) => (c.nid, c.rev),
            Self::Distress(c) => (c.nid, c.rev),
            Self::Respond(_)
            | Self::Resolve(_)
            | Self::Alert(_)
            | Self::Keys(_)
            | Self::Renew(_)
            | Self::Policy(_)
            | Self::Admit(_)
            | Self::Invite(_)
            | Self::Revoke(_)
            | Self::Duty(_)
            | Self::Ack(_)
            | Self::Relay(_)
            | Self::Handover(_)
            | Self::Check(_)
            | Self::Receipt(_)
            | Self::Answer(_) => return None,
        })
    }
}

/// A device as its root names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceKey {
    /// The device's name.
    pub id: DeviceId,
    /// Its Ed25519 public key.
    pub jwk: VerifyingKey,
    /// Its own HPKE public key, base64url, with which a colleague's device hands it the desk's key.
    pub seal: SealPublicKey,
    /// What it may do.
    pub role: Role,
    /// Not before, seconds since the Unix epoch.
    pub nbf: i64,
    /// Until, seconds since the Unix epoch.
    pub exp: i64,
}

/// What the coordinator says of an actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// Its fingerprint was compared; it takes part.
    Admitted,
    /// It may take back, and acknowledge, and say nothing new; to a party nothing new is delivered.
    Suspended,
    /// A party that has left the context: it says nothing and is told nothing any more, for good.
    Left,
}

/// Why a device is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationReason {
    /// Lost or stolen.
    Lost,
    /// Its key may be known to somebody else.
    Compromised,
    /// The person has left.
    Left,
    /// Another device took its place.
    Superseded,
}

/// The coordinator's word on a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScreenResult {
    /// What `checked` names was checked; nothing else is said.
    Screened,
    /// Sent back, with reasons.
    Returned,
}

/// What was checked in screening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Checked {
    /// The form is complete.
    Form,
    /// The coordinates fit what is described.
    Coordinates,
    /// The sender is who it says.
    Sender,
}

impl Checked {
    /// Everything that can be looked at.
    pub const ALL: [Self; 3] = [Self::Form, Self::Coordinates, Self::Sender];

    /// Its word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Coordinates => "coordinates",
            Self::Sender => "sender",
        }
    }
}

/// One item of an acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AckItem {
    /// The notification.
    pub nid: Nid,
    /// The revision.
    pub rev: Revision,
    /// Hash of that revision's statement.
    pub of: Digest,
    /// Digests of the parts that were opened.
    pub opened: Vec<Digest>,
    /// What is said.
    pub state: AckState,
}

/// By what word the coordinator signs on behalf of an organisation, or transcribes a party's letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnBehalf {
    /// The organisation; of an acknowledgement, the party.
    pub org: ActorId,
    /// SHA-256 of the e-mail, form or letter that it came from, which the coordinator keeps.
    pub source: Digest,
}

/// A revision of a notification, named by its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// The notification.
    pub nid: Nid,
    /// The revision.
    pub rev: Revision,
    /// Hash of that revision's statement.
    pub of: Digest,
}

/// What the server noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeCode {
    /// A party entered the place more than 100 m from where it was notified.
    EnteredElsewhere,
}
