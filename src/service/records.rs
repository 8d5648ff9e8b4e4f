//! Where a sealed record of a statement stands in the database, said once: the intake seals under it, delivery and the
//! check open under it, and a record that was moved elsewhere opens for none of them.

use crate::crypto::digest::{Digest, Kid};
use crate::crypto::keyring::RecordRef;
use crate::domain::ids::{ActorId, ContextId, DeviceId};

/// The place of a row of `hn.part` or `hn.seal`. What it names is bound into the record by the keyring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    table: &'static str,
    org: ActorId,
    id: String,
    rev: u64,
    part: String,
}

impl Record {
    /// A part that the server can read, in `hn.part`. `id` and `rev` are the statement's seal slot
    /// ([`crate::wire::build::SealSlot`]): `nid` and revision, or `jti` and 0. `org` stands in the row.
    pub fn part(org: &ActorId, id: &str, rev: u64, part: &str) -> Self {
        Self {
            table: "part",
            org: org.clone(),
            id: id.to_owned(),
            rev,
            part: part.to_owned(),
        }
    }

    /// A seal that the server passes on as it is, in `hn.seal`; one for each part and reader's key.
    pub fn seal(org: &ActorId, id: &str, rev: u64, part: &str, reader: &Kid) -> Self {
        Self {
            table: "seal",
            org: org.clone(),
            id: id.to_owned(),
            rev,
            part: format!("{part} {reader}"),
        }
    }

    /// The name of the person of a device.
    pub fn device_person(actor: &ActorId, device: &DeviceId) -> Self {
        Self {
            table: "device",
            org: actor.clone(),
            id: device.as_str().to_owned(),
            rev: 0,
            part: "person".to_owned(),
        }
    }

    /// The name of the person of an invite; `code` is the hash of its secret.
    pub fn invite_person(actor: &ActorId, code: &Digest) -> Self {
        Self {
            table: "invite",
            org: actor.clone(),
            id: code.to_string(),
            rev: 0,
            part: "person".to_owned(),
        }
    }

    /// The area or the answer of a check; `hash` is that of its statement.
    pub fn check(party: &ActorId, hash: &Digest, part: &str) -> Self {
        Self {
            table: "check_log",
            org: party.clone(),
            id: hash.to_string(),
            rev: 0,
            part: part.to_owned(),
        }
    }

    /// One piece of a blob, in `hn.blob_chunk`; `actor` sent it.
    pub fn blob_chunk(actor: &ActorId, digest: &Digest, n: u32) -> Self {
        Self {
            table: "blob_chunk",
            org: actor.clone(),
            id: digest.to_string(),
            rev: n.into(),
            part: "content".to_owned(),
        }
    }

    /// The moment at which something falls due.
    pub fn due(server: &ActorId, about: &uuid::Uuid, rev: u32, what: &str, party: &str) -> Self {
        Self {
            table: "due",
            org: server.clone(),
            id: about.to_string(),
            rev: rev.into(),
            part: format!("{what} {party}"),
        }
    }

    /// Until when a reply to a query or a warning is asked for.
    pub fn thread(server: &ActorId, id: &uuid::Uuid) -> Self {
        Self {
            table: "thread",
            org: server.clone(),
            id: id.to_string(),
            rev: 0,
            part: "due".to_owned(),
        }
    }

    /// A person's choice of where and for what to be nudged.
    pub fn nudge(ctx: &ContextId, actor: &ActorId, device: &DeviceId) -> Self {
        Self {
            table: "nudge",
            org: actor.clone(),
            id: device.as_str().to_owned(),
            rev: 0,
            part: format!("choice {ctx}"),
        }
    }

    /// What the keyring binds.
    pub fn at(&self) -> RecordRef<'_> {
        RecordRef {
            table: self.table,
            org: self.org.as_str(),
            id: &self.id,
            rev: self.rev,
            part: &self.part,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_moved_to_another_reader_or_table_stands_elsewhere() {
        let org: ActorId = "msf".parse().expect("a slug");
        let (one, other) = (
            Kid::from_digest(Digest::of(b"one")),
            Kid::from_digest(Digest::of(b"other")),
        );
        let at = |reader| Record::seal(&org, "n", 1, "contact", reader);
        assert_ne!(at(&one), at(&other));
        assert_ne!(at(&one).at(), Record::part(&org, "n", 1, "contact").at());
    }
}
