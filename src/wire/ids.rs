//! How names and words travel: as the strings that their `Display` writes and their `FromStr` reads.

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

use crate::crypto::keys::VerifyingKey;
use crate::crypto::seal_key::SealPublicKey;
use crate::domain::{ack, actor, category, check, exchange, ids, kind, notification, nudge};

macro_rules! as_text {
    ($($type:ty),+ $(,)?) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }
    )+};
}

as_text!(
    ids::ContextId,
    ids::ActorId,
    ids::DeviceId,
    ids::Issuer,
    ids::Nid,
    ids::Reference,
    actor::ActorKind,
    actor::Role,
    actor::ActorState,
    actor::DeviceState,
    actor::Mode,
    kind::Kind,
    category::Category,
    notification::Subject,
    notification::NotificationState,
    notification::ScreeningState,
    notification::Tier,
    notification::Outcome,
    notification::SecondSignature,
    notification::Relation,
    notification::Infrared,
    notification::CoordinateSource,
    ack::AckState,
    exchange::AlertEvent,
    exchange::Answer,
    exchange::Ask,
    exchange::DistressOutcome,
    exchange::DistressState,
    exchange::Means,
    exchange::Step,
    exchange::ThreadKind,
    exchange::ThreadState,
    check::Verdict,
    check::HitRelation,
    check::Flag,
    nudge::MessageState,
    nudge::Severity,
    nudge::Sort,
    nudge::Way,
);

impl Serialize for ids::Revision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.get())
    }
}

impl<'de> Deserialize<'de> for ids::Revision {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(u32::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

macro_rules! as_number {
    ($($type:ty),+ $(,)?) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u64(self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                u64::deserialize(deserializer).map(Self)
            }
        }
    )+};
}

as_number!(ids::LogPosition, ids::Seq);

/// A public key travels as its JWK (RFC 8037), with exactly the members `crv`, `kty` and `x`.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Jwk {
    crv: String,
    kty: String,
    x: String,
}

impl Serialize for VerifyingKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Jwk {
            crv: "Ed25519".into(),
            kty: "OKP".into(),
            x: self.x(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for VerifyingKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let jwk = Jwk::deserialize(deserializer)?;
        if jwk.crv != "Ed25519" || jwk.kty != "OKP" {
            return Err(D::Error::custom(
                "a signing key is an OKP key on Ed25519 (RFC 8037)",
            ));
        }
        Self::from_x(&jwk.x).map_err(D::Error::custom)
    }
}

impl Serialize for SealPublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_b64url())
    }
}

impl<'de> Deserialize<'de> for SealPublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_b64url(&text).map_err(D::Error::custom)
    }
}
