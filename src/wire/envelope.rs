//! Envelopes and events: a statement's exact bytes and, beside it in binary, its seals and disclosures. All integers
//! are big-endian. Readers are bounded before they allocate.
//!
//! ```text
//! envelope   = "HN1" 0x00, u32 length, statement, u16 count, count × attachment
//! attachment = u8 type (0 disclosure, 1 seal), 32 bytes digest of the disclosure, u8 length, part name (ASCII),
//!              [seal only: 32 bytes kid of the reader's key], u32 length, bytes
//! event      = u64 seq, u64 position, u64 time (µs since the Unix epoch), u32 length, receipt, envelope
//! stream     = (u32 length, envelope or event)*
//! ```

use std::fmt;

use crate::crypto::digest::{Digest, Kid};
use crate::domain::ids::{LogPosition, Seq};

/// Media type of one envelope.
pub const ENVELOPE_TYPE: &str = "application/vnd.hn.envelope";
/// Media type of several envelopes, each behind its length.
pub const ENVELOPES_TYPE: &str = "application/vnd.hn.envelopes";
/// Media type of several events, each behind its length.
pub const EVENTS_TYPE: &str = "application/vnd.hn.events";

/// Media type of one event.
pub const EVENT_TYPE: &str = "application/vnd.hn.event";

/// Bytes of one envelope.
pub const MAX_ENVELOPE: usize = 1024 * 1024;
/// Bytes of the envelope of an answer.
pub const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// Attachments of one envelope.
pub const MAX_ATTACHMENTS: usize = 256;
/// Bytes of one statement.
pub const MAX_STATEMENT: usize = 512 * 1024;
/// Bytes of one attachment: the largest size class of a seal and its overhead.
pub const MAX_ATTACHMENT: usize = 260 * 1024;
/// Bytes of a part's name.
pub const MAX_PART_NAME: usize = 64;

const MAGIC: [u8; 4] = *b"HN1\0";

/// Why bytes are no envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Cut off, or a length that leads past the end.
    #[error("the envelope ends early: {wanted} bytes are missing at byte {at}; send it whole")]
    Short {
        /// Where.
        at: usize,
        /// How many are missing.
        wanted: usize,
    },
    /// Bytes behind the end.
    #[error("{0} bytes follow the end of the envelope; send one envelope")]
    Trailing(usize),
    /// Not an envelope at all.
    #[error("these bytes do not begin with the envelope's mark HN1; see docs/protocol.md")]
    Magic,
    /// Something is larger than its bound.
    #[error("{what} is larger than {limit}")]
    TooLarge {
        /// What.
        what: &'static str,
        /// Its bound.
        limit: usize,
    },
    /// Not text, or an unknown type byte.
    #[error("{what} at byte {at} is malformed")]
    Malformed {
        /// What.
        what: &'static str,
        /// Where.
        at: usize,
    },
}

/// A statement and what travels beside it.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The compact JWS, exactly as signed.
    pub statement: String,
    /// Seals and disclosures.
    pub attachments: Vec<Attachment>,
}

/// What travels beside a statement.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The part's name.
    pub part: String,
    /// The digest of its disclosure, as it stands in `_sd`.
    pub sd: Digest,
    /// The content.
    pub content: Content,
}

/// A part in the clear (in TLS only), or sealed to one reader.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// The disclosure, base64url of `[salt, name, value]`.
    Disclosure(String),
    /// An HPKE seal.
    Seal {
        /// The reader's key.
        kid: Kid,
        /// `enc ‖ ct`.
        sealed: Vec<u8>,
    },
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Envelope({} attachments)", self.attachments.len())
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attachment({}, [sealed])", self.part)
    }
}

impl Envelope {
    /// A statement with nothing beside it.
    pub fn bare(statement: String) -> Self {
        Self {
            statement,
            attachments: Vec::new(),
        }
    }

    /// The bytes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_len());
        self.encode_into(&mut out);
        out
    }

    fn encoded_len(&self) -> usize {
        let attachments: usize = self
            .attachments
            .iter()
            .map(|a| {
                38 + a.part.len()
                    + match &a.content {
                        Content::Disclosure(text) => text.len(),
                        Content::Seal { sealed, .. } => 32 + sealed.len(),
                    }
            })
            .sum();
        10 + self.statement.len() + attachments
    }

    fn encode_into(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&MAGIC);
        put_block(out, self.statement.as_bytes());
        out.extend_from_slice(
            &u16::try_from(self.attachments.len())
                .unwrap_or(u16::MAX)
                .to_be_bytes(),
        );
        for attachment in &self.attachments {
            let (kind, kid, bytes) = match &attachment.content {
                Content::Disclosure(text) => (0_u8, None, text.as_bytes()),
                Content::Seal { kid, sealed } => (1, Some(kid), sealed.as_slice()),
            };
            out.push(kind);
            out.extend_from_slice(attachment.sd.as_bytes());
            out.push(u8::try_from(attachment.part.len()).unwrap_or(u8::MAX));
            out.extend_from_slice(attachment.part.as_bytes());
            if let Some(kid) = kid {
                out.extend_from_slice(kid.as_bytes());
            }
            put_block(out, bytes);
        }
    }

    /// Reads one envelope, which must be all of the bytes.
    ///
    /// # Errors
    /// What is malformed, and at which byte.
    pub fn decode(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        if bytes.len() > MAX_ENVELOPE {
            return Err(EnvelopeError::TooLarge {
                what: "the envelope",
                limit: MAX_ENVELOPE,
            });
        }
        let mut reader = Reader { bytes, at: 0 };
        let envelope = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(envelope)
    }

    /// Reads an answer's envelope, which may be larger than what a client sends: it holds every hit.
    ///
    /// # Errors
    /// What is malformed, and at which byte.
    pub fn decode_answer(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        if bytes.len() > MAX_ANSWER {
            return Err(EnvelopeError::TooLarge {
                what: "the answer",
                limit: MAX_ANSWER,
            });
        }
        let mut reader = Reader { bytes, at: 0 };
        let envelope = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(envelope)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, EnvelopeError> {
        if reader.take(4).map_err(|_| EnvelopeError::Magic)? != MAGIC {
            return Err(EnvelopeError::Magic);
        }
        let statement = reader.text("the statement", MAX_STATEMENT)?;
        let count = usize::from(u16::from_be_bytes(reader.array()?));
        if count > MAX_ATTACHMENTS {
            return Err(EnvelopeError::TooLarge {
                what: "the number of attachments",
                limit: MAX_ATTACHMENTS,
            });
        }
        let attachments = (0..count)
            .map(|_| Attachment::read(reader))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            statement,
            attachments,
        })
    }

    /// The disclosure of a part that travels in the clear.
    pub fn disclosure(&self, part: &str) -> Option<&str> {
        self.attachments
            .iter()
            .find(|a| a.part == part)
            .and_then(|a| match &a.content {
                Content::Disclosure(text) => Some(text.as_str()),
                Content::Seal { .. } => None,
            })
    }

    /// The seals meant for one reader's key.
    pub fn seals_for<'a>(
        &'a self,
        reader: &'a Kid,
    ) -> impl Iterator<Item = (&'a Attachment, &'a [u8])> {
        self.attachments
            .iter()
            .filter_map(move |a| match &a.content {
                Content::Seal { kid, sealed } if kid == reader => Some((a, sealed.as_slice())),
                Content::Seal { .. } | Content::Disclosure(_) => None,
            })
    }
}

impl Attachment {
    fn read(reader: &mut Reader<'_>) -> Result<Self, EnvelopeError> {
        let at = reader.at;
        let [kind] = reader.array::<1>()?;
        let sd = Digest::from_bytes(reader.array()?);
        let [length] = reader.array::<1>()?;
        if usize::from(length) > MAX_PART_NAME {
            return Err(EnvelopeError::TooLarge {
                what: "a part's name",
                limit: MAX_PART_NAME,
            });
        }
        let name_at = reader.at;
        let part = std::str::from_utf8(reader.take(usize::from(length))?)
            .ok()
            .filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic()))
            .ok_or(EnvelopeError::Malformed {
                what: "a part's name",
                at: name_at,
            })?
            .to_owned();
        let content = match kind {
            0 => Content::Disclosure(reader.text("a disclosure", MAX_ATTACHMENT)?),
            1 => Content::Seal {
                kid: Kid::from_digest(Digest::from_bytes(reader.array()?)),
                sealed: reader.block("a seal", MAX_ATTACHMENT)?.to_vec(),
            },
            _ => {
                return Err(EnvelopeError::Malformed {
                    what: "an attachment's type",
                    at,
                });
            }
        };
        Ok(Self { part, sd, content })
    }
}

/// A statement in a desk's mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its place in this mailbox: dense, from 1.
    pub seq: Seq,
    /// The statement's position.
    pub pos: LogPosition,
    /// When it was stored, microseconds since the Unix epoch by the database's clock.
    pub at_us: u64,
    /// The server's receipt for it, so that the reader can prove it too.
    pub receipt: String,
    /// The statement, and what this reader may open.
    pub envelope: Envelope,
}

impl Event {
    /// The bytes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(28 + self.receipt.len() + self.envelope.encoded_len());
        out.extend_from_slice(&self.seq.0.to_be_bytes());
        out.extend_from_slice(&self.pos.0.to_be_bytes());
        out.extend_from_slice(&self.at_us.to_be_bytes());
        put_block(&mut out, self.receipt.as_bytes());
        self.envelope.encode_into(&mut out);
        out
    }

    /// Reads one event, which must be all of the bytes.
    ///
    /// # Errors
    /// What is malformed, and at which byte.
    pub fn decode(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let mut reader = Reader { bytes, at: 0 };
        let event = Self {
            seq: Seq(u64::from_be_bytes(reader.array()?)),
            pos: LogPosition(u64::from_be_bytes(reader.array()?)),
            at_us: u64::from_be_bytes(reader.array()?),
            receipt: reader.text("the receipt", MAX_STATEMENT)?,
            envelope: Envelope::read(&mut reader)?,
        };
        reader.finish()?;
        Ok(event)
    }
}

/// Splits a stream of length-prefixed items, without reading the items.
///
/// # Errors
/// When a length leads past the end or above `limit`, or there are more than `most` items.
pub fn split(bytes: &[u8], most: usize) -> Result<Vec<&[u8]>, EnvelopeError> {
    let mut reader = Reader { bytes, at: 0 };
    let mut items = Vec::new();
    while reader.at < bytes.len() {
        if items.len() == most {
            return Err(EnvelopeError::TooLarge {
                what: "the number of items",
                limit: most,
            });
        }
        items.push(reader.block("an item", MAX_ENVELOPE + MAX_STATEMENT)?);
    }
    Ok(items)
}

/// Puts items into a stream, each behind its length.
pub fn join<'a>(items: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for item in items {
        put_block(&mut out, item);
    }
    out
}

fn put_block(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], EnvelopeError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..count).ok_or(EnvelopeError::Short {
            at: self.at,
            wanted: count.saturating_sub(rest.len()),
        })?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], EnvelopeError> {
        let at = self.at;
        self.take(N)?
            .try_into()
            .map_err(|_| EnvelopeError::Short { at, wanted: N })
    }

    fn block(&mut self, what: &'static str, limit: usize) -> Result<&'a [u8], EnvelopeError> {
        let length = usize::try_from(u32::from_be_bytes(self.array()?)).unwrap_or(usize::MAX);
        if length > limit {
            return Err(EnvelopeError::TooLarge { what, limit });
        }
        self.take(length)
    }

    fn text(&mut self, what: &'static str, limit: usize) -> Result<String, EnvelopeError> {
        let at = self.at;
        let bytes = self.block(what, limit)?;
        let text = std::str::from_utf8(bytes).map_err(|_| EnvelopeError::Malformed { what, at })?;
        if text.is_ascii() {
            Ok(text.to_owned())
        } else {
            Err(EnvelopeError::Malformed { what, at })
        }
    }

    const fn finish(&self) -> Result<(), EnvelopeError> {
        let left = self.bytes.len() - self.at;
        if left == 0 {
            Ok(())
        } else {
            Err(EnvelopeError::Trailing(left))
        }
    }
}
