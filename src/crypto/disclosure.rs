//! Parts of a statement: salted disclosures (RFC 9901 section 4.2), whose digests stand in the statement while the text
//! goes, sealed, only to those it is meant for. The salt keeps a part from being guessed from its digest.

use std::fmt;

use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    b64url,
    digest::Digest,
    from_b64url,
    random::random_bytes,
    strict_json::{self, JsonError, Limits},
};

/// Random bytes in the salt of a disclosure that we make.
pub const SALT_BYTES: usize = 16;
/// Random bytes that the salt of someone else's may have.
const SALT_BYTES_ACCEPTED: std::ops::RangeInclusive<usize> = SALT_BYTES..=32;
/// Longest disclosure in base64url bytes: what the largest seal holds beside its length.
pub const MAX_DISCLOSURE_BYTES: usize = 256 * 1024 - 4;
/// Longest name of a part in characters.
pub const MAX_NAME_CHARS: usize = 64;

/// What is wrong with a disclosure. Never says what stands in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DisclosureError {
    /// Too long for any seal.
    #[error(
        "the part is longer than {MAX_DISCLOSURE_BYTES} bytes in base64url; make it smaller (fewer vertices, shorter texts)"
    )]
    TooLong,
    /// Not strict base64url.
    #[error("the disclosure is not base64url without padding, white space or spare bits")]
    Encoding,
    /// Not strict JSON.
    #[error("the disclosure is not strict JSON: {0}")]
    Json(#[from] JsonError),
    /// Not an array of salt, name and value.
    #[error(
        "a disclosure is a JSON array of exactly a salt, a name and a value (RFC 9901 section 4.2.1)"
    )]
    Shape,
    /// The salt is not base64url of 16 to 32 bytes.
    #[error("the disclosure's salt is not base64url of 16 to 32 random bytes")]
    Salt,
    /// The name is empty, too long, or one that a digest would hide behind.
    #[error(
        "the disclosure's name must have 1 to {MAX_NAME_CHARS} characters and be neither \"_sd\" nor \"...\""
    )]
    Name,
    /// The digest is another one.
    #[error(
        "the part is not the one that the statement's digest names; it was altered or belongs to another statement"
    )]
    OtherDigest,
}

/// A part of a statement: salt, name and value, and the exact text that its digest is over. Prints `[sealed]`.
#[derive(Clone, PartialEq)]
pub struct Disclosure {
    encoded: Box<str>,
    name: Box<str>,
    value: Value,
    digest: Digest,
}

impl Disclosure {
    /// Makes a part with a fresh 128-bit salt.
    ///
    /// # Errors
    /// [`DisclosureError::Name`], [`DisclosureError::TooLong`], and [`DisclosureError::Json`] for a value that is nested
    /// too deep or has too many nodes to be read back.
    pub fn make(name: &str, value: &Value) -> Result<Self, DisclosureError> {
        Self::make_with_salt(&random_bytes(), name, value)
    }

    /// As [`Self::make`] with a given salt: for vectors only, since a salt must never be used twice.
    pub(super) fn make_with_salt(
        salt: &[u8; SALT_BYTES],
        name: &str,
        value: &Value,
    ) -> Result<Self, DisclosureError> {
        let json = serde_json::json!([b64url(salt), name, value]).to_string();
        Self::parse(b64url(json.as_bytes()).as_bytes())
    }

    /// Reads a part strictly.
    ///
    /// # Errors
    /// [`DisclosureError`], each thing that can be wrong with its own.
    pub fn parse(encoded: &[u8]) -> Result<Self, DisclosureError> {
        Self::read(encoded, Digest::of(encoded))
    }

    /// Reads a part and compares it with the digest that stands in the statement.
    ///
    /// # Errors
    /// As [`Self::parse`], and [`DisclosureError::OtherDigest`].
    pub fn parse_expecting(encoded: &[u8], sd: &Digest) -> Result<Self, DisclosureError> {
        if Digest::of(encoded) != *sd {
            return Err(DisclosureError::OtherDigest);
        }
        Self::read(encoded, *sd)
    }

    fn read(encoded: &[u8], digest: Digest) -> Result<Self, DisclosureError> {
        if encoded.len() > MAX_DISCLOSURE_BYTES {
            return Err(DisclosureError::TooLong);
        }
        let json = Zeroizing::new(from_b64url(encoded).ok_or(DisclosureError::Encoding)?);
        let parsed = strict_json::parse(&json, Limits::STATEMENT)?;
        let Value::Array(items) = parsed else {
            return Err(DisclosureError::Shape);
        };
        let Ok([Value::String(salt), Value::String(name), value]) = <[Value; 3]>::try_from(items)
        else {
            return Err(DisclosureError::Shape);
        };
        let random_bytes = from_b64url(salt.as_bytes()).map(|salt| salt.len());
        if !random_bytes.is_some_and(|length| SALT_BYTES_ACCEPTED.contains(&length)) {
            return Err(DisclosureError::Salt);
        }
        let reserved = matches!(name.as_str(), "" | "_sd" | "...");
        if reserved || name.chars().count() > MAX_NAME_CHARS {
            return Err(DisclosureError::Name);
        }
        let text = std::str::from_utf8(encoded).map_err(|_| DisclosureError::Encoding)?;
        Ok(Self {
            digest,
            encoded: text.into(),
            name: name.into(),
            value,
        })
    }

    /// Says whether this is the part that `sd` names.
    ///
    /// # Errors
    /// [`DisclosureError::OtherDigest`].
    pub fn verify(&self, sd: &Digest) -> Result<(), DisclosureError> {
        if self.digest == *sd {
            Ok(())
        } else {
            Err(DisclosureError::OtherDigest)
        }
    }

    /// The exact text: base64url, which the digest is over and which is sealed.
    pub fn encoded(&self) -> &str {
        &self.encoded
    }

    /// The digest that stands in the statement's `_sd`: SHA-256 over the ASCII bytes of [`Self::encoded`] (RFC 9901
    /// section 4.2.3).
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The part's name, such as `place`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The part's value.
    pub const fn value(&self) -> &Value {
        &self.value
    }

    /// The part's value, owned.
    pub fn into_value(self) -> Value {
        self.value
    }
}

impl fmt::Debug for Disclosure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disclosure([sealed])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn encode(json: &str) -> String {
        b64url(json.as_bytes())
    }

    /// RFC 9901 sections 4.2.1, 4.2.3 and 5.1: disclosures and the digests printed beside them.
    #[test]
    fn the_vectors_of_rfc_9901_hold() {
        let cases = [
            (
                r#"["_26bc4LT-ac6q2KI6cBW5es", "family_name", "Möbius"]"#,
                "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0",
            ),
            (
                r#"["_26bc4LT-ac6q2KI6cBW5es", "family_name", "M\u00f6bius"]"#,
                "",
            ),
            (
                r#"["2GLC42sKQveCfGfryNRN9w", "given_name", "John"]"#,
                "jsu9yVulwQQlhFlM_3JlzMaSFzglhQG0DpfayQwLUK4",
            ),
            (
                r#"["eluV5Og3gSNII8EYnsxA_A", "family_name", "Doe"]"#,
                "TGf4oLbgwd5JQaHyKVQZU9UdGE0w5rtDsrZzfUaomLo",
            ),
            (
                r#"["6Ij7tM-a5iVPGboS5tmvVA", "email", "johndoe@example.com"]"#,
                "JzYjH4svliH0R3PyEMfeZu6Jt69u5qehZo7F7EPYlSE",
            ),
        ];
        for (json, sd) in cases {
            let disclosure = Disclosure::parse(encode(json).as_bytes()).expect(json);
            if !sd.is_empty() {
                assert_eq!(disclosure.digest().to_string(), sd, "{json}");
            }
        }
        // Two spellings of one value are two disclosures: the digest is over the text, never over a canonical form.
        let texts: Vec<_> = cases[..2]
            .iter()
            .map(|(json, _)| Disclosure::parse(encode(json).as_bytes()).expect(json))
            .collect();
        assert_eq!(texts[0].value(), texts[1].value());
        assert_ne!(texts[0].digest(), texts[1].digest());
    }

    #[test]
    fn a_part_survives_and_matches_only_its_own_digest() {
        let value = json!({"type": "Feature", "n": [1.5, null, "عربي"]});
        let one = Disclosure::make("place", &value).expect("made");
        let other = Disclosure::make("place", &value).expect("made");
        assert_ne!(one.digest(), other.digest(), "the salt is fresh each time");
        let read = Disclosure::parse_expecting(one.encoded().as_bytes(), &one.digest())
            .expect("own digest");
        assert_eq!((read.name(), read.value()), ("place", &value));
        assert_eq!(
            read.verify(&other.digest()),
            Err(DisclosureError::OtherDigest)
        );
        assert_eq!(
            Disclosure::parse_expecting(one.encoded().as_bytes(), &other.digest()),
            Err(DisclosureError::OtherDigest)
        );
    }

    #[test]
    fn what_is_no_disclosure_is_refused() {
        let salt = "2GLC42sKQveCfGfryNRN9w";
        for (json, error) in [
            (format!(r#"["{salt}","a"]"#), DisclosureError::Shape),
            (format!(r#"["{salt}","a",1,2]"#), DisclosureError::Shape),
            (format!(r#"["{salt}",1,1]"#), DisclosureError::Shape),
            (r#"{"salt":1}"#.to_owned(), DisclosureError::Shape),
            (r#"["c2hvcnQ","a",1]"#.to_owned(), DisclosureError::Salt),
            (
                r#"["not base64url at all!","a",1]"#.to_owned(),
                DisclosureError::Salt,
            ),
            (format!(r#"["{salt}","",1]"#), DisclosureError::Name),
            (format!(r#"["{salt}","_sd",1]"#), DisclosureError::Name),
            (format!(r#"["{salt}","...",1]"#), DisclosureError::Name),
            (
                format!(r#"["{salt}","{}",1]"#, "n".repeat(65)),
                DisclosureError::Name,
            ),
        ] {
            assert_eq!(
                Disclosure::parse(encode(&json).as_bytes()),
                Err(error),
                "{json}"
            );
        }
        let duplicate = encode(&format!(r#"["{salt}","a",{{"x":1,"x":2}}]"#));
        assert!(
            matches!(Disclosure::parse(duplicate.as_bytes()), Err(DisclosureError::Json(e)) if e.pointer == "/2/x")
        );
        assert_eq!(Disclosure::parse(b"W10="), Err(DisclosureError::Encoding));
        assert_eq!(
            Disclosure::parse(&vec![b'A'; MAX_DISCLOSURE_BYTES + 1]),
            Err(DisclosureError::TooLong)
        );
    }

    #[test]
    fn a_part_never_prints() {
        let part = Disclosure::make("place", &json!("Kunduz")).expect("made");
        assert_eq!(format!("{part:?}"), "Disclosure([sealed])");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let read = Disclosure::parse(&bytes);
            prop_assert!(read.is_err() || from_b64url(&bytes).is_some());
        }

        #[test]
        fn arbitrary_texts_round_trip(name in "[a-z]{1,64}", text in ".*", number in any::<i64>()) {
            let value = json!({"t": text, "n": number});
            let part = Disclosure::make(&name, &value).expect("small");
            let read = Disclosure::parse(part.encoded().as_bytes()).expect("own text");
            prop_assert_eq!(read, part);
        }
    }
}
