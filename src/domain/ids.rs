//! The names of things: short, typed, and impossible to mix up. None of them says where something is.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// A word that is not in the vocabulary; the message lists the words that are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a known {what}: use one of {}", expected.join(", "))]
pub struct UnknownWord {
    /// The vocabulary.
    pub what: &'static str,
    /// Its words.
    pub expected: &'static [&'static str],
}

/// Why an identifier was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Slugs name contexts and actors.
    #[error("a short name has 2 to 32 characters, a–z, 0–9 and '-', and begins with a letter")]
    Slug,
    /// A device's name within its actor.
    #[error("a device's name is 8 characters of 0–9 and a–z without i, l, o, u")]
    Device,
    /// An issuer is `actor/device`.
    #[error("an issuer is written actor/device, for example msf/7k2m9qxa")]
    Issuer,
    /// A notification's id.
    #[error("a notification's id is a UUID in lower case with hyphens")]
    Nid,
    /// A revision counts from 1.
    #[error("a revision is a whole number from 1 to 4294967295")]
    Revision,
    /// A reference as spoken.
    #[error(
        "a reference is written HN-XXXX-XXXX, with digits and letters; check it once more with the person who read it to you"
    )]
    Reference,
    /// A reference whose check digit does not fit.
    #[error(
        "a typing slip: the last character of a reference HN-XXXX-XXXX checks the seven before it, and does not fit them here; one character is wrong or two are swapped. Compare it once more with what you were sent or told"
    )]
    ReferenceSlip,
}

macro_rules! slug {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Parses a slug.
            ///
            /// # Errors
            /// [`IdError::Slug`] when a character or the length is not allowed.
            pub fn new(text: &str) -> Result<Self, IdError> {
                let ok = (2..=32).contains(&text.len())
                    && text.starts_with(|c: char| c.is_ascii_lowercase())
                    && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
                if ok { Ok(Self(text.to_owned())) } else { Err(IdError::Slug) }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }
    };
}

slug!(
    /// A context: a country or crisis with its own admission, parties and policy, for example `yem`.
    ContextId
);
slug!(
    /// An actor: an organisation, a party, a coordinator, an auditor, an operator; for example `msf`.
    ActorId
);

/// The letters of Crockford's base 32, lower case (<https://www.crockford.com/base32.html>).
const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A device within its actor: 8 characters of Crockford base 32. Outlives the renewal of its keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(String);

impl DeviceId {
    /// The name that a root signs under; no device bears it.
    pub const ROOT: &'static str = "root";

    /// Makes a name from five random bytes.
    pub fn from_random(random: [u8; 5]) -> Self {
        Self(crockford(
            random
                .iter()
                .fold(0_u64, |acc, b| (acc << 8) | u64::from(*b)),
            8,
        ))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DeviceId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let ok = text.len() == 8 && text.bytes().all(|b| CROCKFORD.contains(&b));
        if ok {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::Device)
        }
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Writes the low `5 × digits` bits of `value` in Crockford base 32, most significant digit first.
fn crockford(value: u64, digits: u32) -> String {
    (0..digits)
        .rev()
        .filter_map(|i| {
            CROCKFORD
                .get(usize::try_from((value >> (5 * i)) & 31).unwrap_or(0))
                .map(|b| char::from(*b))
        })
        .collect()
}

/// Who signed: `actor/device`, or `actor/root` for an actor's offline root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Issuer {
    /// The organisation, party, coordinator, auditor, or the server itself.
    pub actor: ActorId,
    /// The device; `None` is the actor's root.
    pub device: Option<DeviceId>,
}

impl Issuer {
    /// An actor's root.
    pub fn root(actor: ActorId) -> Self {
        Self {
            actor,
            device: None,
        }
    }

    /// A device of an actor.
    pub fn device(actor: ActorId, device: DeviceId) -> Self {
        Self {
            actor,
            device: Some(device),
        }
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}",
            self.actor,
            self.device
                .as_ref()
                .map_or(DeviceId::ROOT, DeviceId::as_str)
        )
    }
}

impl FromStr for Issuer {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let (actor, device) = text.split_once('/').ok_or(IdError::Issuer)?;
        let actor = ActorId::new(actor)?;
        if device == DeviceId::ROOT {
            return Ok(Self::root(actor));
        }
        Ok(Self::device(actor, device.parse()?))
    }
}

/// A notification's id: a random UUID (version 4), so that it tells nothing, not even when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nid(Uuid);

impl Nid {
    /// A fresh random id.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The UUID, for the database.
    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// From the database.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The short reference that people say and write.
    pub fn reference(self) -> Reference {
        Reference::of(self)
    }
}

impl fmt::Display for Nid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl FromStr for Nid {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let uuid = Uuid::parse_str(text).map_err(|_| IdError::Nid)?;
        if uuid.as_hyphenated().to_string() == text {
            Ok(Self(uuid))
        } else {
            Err(IdError::Nid)
        }
    }
}

/// A revision of a notification, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(u32);

impl Revision {
    /// The first.
    pub const FIRST: Self = Self(1);

    /// A revision from its number.
    ///
    /// # Errors
    /// [`IdError::Revision`] for 0.
    pub fn new(number: u32) -> Result<Self, IdError> {
        if number == 0 {
            Err(IdError::Revision)
        } else {
            Ok(Self(number))
        }
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The one that follows.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A statement's place in the one order of everything accepted: dense, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LogPosition(pub u64);

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An event's place in one desk's mailbox: dense, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(pub u64);

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The short reference of a notification, `HN-XXXX-XXXC`: the last 35 bits of the `nid` (which are random) in Crockford
/// base 32 and one check digit (their sum weighted 1, 3, … 13, modulo 32: odd
/// weights, so that every single slip shows). For people to say and write; two notifications may
/// share one, so whoever looks one up says so when it is ambiguous.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference(String);

impl Reference {
    /// The reference of a notification.
    pub fn of(nid: Nid) -> Self {
        let body = crockford(
            u64::try_from(nid.0.as_u128() & ((1 << 35) - 1)).unwrap_or(0),
            7,
        )
        .to_ascii_uppercase();
        let mut text = String::from("HN-");
        for (i, c) in body.chars().chain(check_digit(&body)).enumerate() {
            if i == 4 {
                text.push('-');
            }
            text.push(c);
        }
        Self(text)
    }

    /// The text, `HN-XXXX-XXXC`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check_digit(body: &str) -> Option<char> {
    let mut sum = 0;
    for (weight, c) in (1..).step_by(2).zip(body.bytes()) {
        sum += weight
            * CROCKFORD
                .iter()
                .position(|d| *d == c.to_ascii_lowercase())?;
    }
    CROCKFORD
        .get(sum % 32)
        .map(|d| char::from(d.to_ascii_uppercase()))
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Reference {
    type Err = IdError;
    /// Reads what people write: any case, with or without hyphens and spaces; O for 0, I and L for 1.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut plain: String = text
            .chars()
            .filter(|c| !matches!(c, '-' | ' ' | '\u{a0}'))
            .take(16)
            .collect();
        plain.make_ascii_uppercase();
        let body = plain
            .strip_prefix("HN")
            .unwrap_or(&plain)
            .replace('O', "0")
            .replace(['I', 'L'], "1");
        let known = body
            .bytes()
            .all(|b| CROCKFORD.contains(&b.to_ascii_lowercase()));
        let (Some(digits), Some(check)) = (body.get(..7), body.get(7..)) else {
            return Err(IdError::Reference);
        };
        if !known || body.len() != 8 {
            return Err(IdError::Reference);
        }
        if check_digit(digits) != check.chars().next() {
            return Err(IdError::ReferenceSlip);
        }
        let (Some(a), Some(b)) = (body.get(..4), body.get(4..)) else {
            return Err(IdError::Reference);
        };
        Ok(Self(format!("HN-{a}-{b}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_survives_being_spoken_and_a_slip_is_noticed() {
        let nid: Nid = "3f0d9d0e-7f63-4a8b-9c2d-5e8f1a2b3c4d"
            .parse()
            .expect("a UUID");
        let reference = nid.reference();
        let spoken = reference.as_str().to_lowercase().replace('-', " ");
        assert_eq!(spoken.parse::<Reference>(), Ok(reference.clone()));
        for i in 3..reference.as_str().len() {
            let mut slip: Vec<u8> = reference.as_str().bytes().collect();
            if slip[i] == b'-' {
                continue;
            }
            slip[i] = if slip[i] == b'7' { b'8' } else { b'7' };
            let slip = String::from_utf8(slip).expect("ASCII");
            assert_eq!(
                slip.parse::<Reference>(),
                Err(IdError::ReferenceSlip),
                "{slip}"
            );
        }
        let said = IdError::ReferenceSlip.to_string();
        assert!(said.contains("typing slip") && said.contains("HN-XXXX-XXXX"));
        for form in [
            "HN-2217",
            "HN-2217-ABCDE",
            "HN-2217-AB\u{661}D",
            "",
            "Kunduz",
        ] {
            assert_eq!(form.parse::<Reference>(), Err(IdError::Reference), "{form}");
        }
    }

    #[test]
    fn an_issuer_reads_back() {
        for text in ["msf/root", "msf/7k2m9qxa"] {
            assert_eq!(text.parse::<Issuer>().expect("an issuer").to_string(), text);
        }
        assert_eq!("msf".parse::<Issuer>(), Err(IdError::Issuer));
        assert_eq!("msf/laptop".parse::<Issuer>(), Err(IdError::Device));
        assert_eq!("Msf/root".parse::<Issuer>(), Err(IdError::Slug));
    }
}
