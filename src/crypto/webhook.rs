//! The signature of a webhook, in the form of Standard Webhooks 1.0.0 (<https://www.standardwebhooks.com/>), which gateways
//! verify with a library that exists for their language: HMAC-SHA256 (RFC 2104) over `id.timestamp.body`.

use std::fmt;

use data_encoding::BASE64;
use ring::hmac::{self, HMAC_SHA256};

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// The fewest bytes of a secret, as the specification recommends (192 bits).
const LEAST_BYTES: usize = 24;
/// The most bytes of a secret (512 bits).
const MOST_BYTES: usize = 64;

/// Text that is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is not a webhook's secret: `{PREFIX}` and {LEAST_BYTES} to {MOST_BYTES} random bytes in base64 are expected, for example `echo whsec_$(openssl rand -base64 32)`"
)]
pub struct WebhookSecretError;

/// A secret that is shared with a gateway. Prints `[sealed]`.
pub struct WebhookSecret(hmac::Key);

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret[sealed]")
    }
}

impl WebhookSecret {
    /// Reads a secret as it stands in a file.
    ///
    /// # Errors
    /// [`WebhookSecretError`].
    pub fn parse(text: &str) -> Result<Self, WebhookSecretError> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(WebhookSecretError)?;
        let bytes = BASE64
            .decode(encoded.as_bytes())
            .map(zeroize::Zeroizing::new)
            .map_err(|_| WebhookSecretError)?;
        if (LEAST_BYTES..=MOST_BYTES).contains(&bytes.len()) {
            Ok(Self(hmac::Key::new(HMAC_SHA256, &bytes)))
        } else {
            Err(WebhookSecretError)
        }
    }

    /// The value of `webhook-signature` for a message; `timestamp_s` is that of `webhook-timestamp`, seconds since the Unix
    /// epoch.
    pub fn sign(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{id}.{timestamp_s}.").as_bytes());
        context.update(body);
        format!("v1,{}", BASE64.encode(context.sign().as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_specifications_own_example() {
        let secret =
            WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").expect("a secret");
        let signed = secret.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_that_is_short_or_bare_is_refused_and_none_is_printed() {
        for bad in [
            "",
            "whsec_",
            "whsec_c2hvcnQ=",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_!!",
        ] {
            assert_eq!(WebhookSecret::parse(bad).err(), Some(WebhookSecretError));
        }
        let secret =
            WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        assert_eq!(format!("{secret:?}"), "WebhookSecret[sealed]");
    }
}
