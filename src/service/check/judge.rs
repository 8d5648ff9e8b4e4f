//! Opens what the candidates' exact test needs from the keyring, and judges. What does not open is a doubt.

use zeroize::Zeroizing;

use crate::crypto::b64url;
use crate::crypto::digest::Kid;
use crate::crypto::month::Month;
use crate::domain::check::Verdict;
use crate::domain::ids::ActorId;
use crate::domain::notification::Tier;
use crate::service::core::{Core, internal};
use crate::service::records::Record;
use crate::store::checks::{CandidateRow, Moment};
use crate::store::error::StoreError;
use crate::wire::build;
use crate::wire::check::{Candidate, Findings, SealedContact, Seen, answer_parts, judge};
use crate::wire::claims::AnswerClaims;
use crate::wire::envelope::{Content, Envelope};
use crate::wire::parts::name;
use crate::wire::policy::Policy;
use crate::wire::problem::{Problem, ProblemKind};

use super::accept::Accepted;

/// What a failing database means to an answer.
pub(super) fn doubt_of(error: &StoreError) -> ProblemKind {
    match error {
        StoreError::Timeout => ProblemKind::Timeout,
        StoreError::Unavailable(_) | StoreError::Conflict => ProblemKind::DatabaseUnavailable,
        StoreError::Constraint { .. }
        | StoreError::NotFound
        | StoreError::Forbidden
        | StoreError::Decode(_)
        | StoreError::SchemaNewer { .. }
        | StoreError::SchemaDiffers(_)
        | StoreError::Migration { .. }
        | StoreError::NoPostgis
        | StoreError::NoRoles
        | StoreError::BadUrl
        | StoreError::Database(_)
        | StoreError::Driver(_) => ProblemKind::Internal,
    }
}

/// An accepted question and all that its answer needs beside the candidates.
pub(super) struct Job {
    /// Keys and keyring.
    pub core: Core,
    /// The question.
    pub accepted: Accepted,
    /// When it is judged, and what the answer says of that.
    pub moment: Moment,
    /// The policy in force.
    pub policy: Policy,
}

/// An answer, signed and sealed for keeping.
pub(super) struct Made {
    /// The verdict, for the metrics.
    pub verdict: Verdict,
    /// What leaves once it is kept.
    pub envelope: Envelope,
    /// The month whose key seals it.
    pub month: Month,
    /// The question's area, sealed.
    pub area: Vec<u8>,
    /// The answer's pages, sealed.
    pub content: Vec<u8>,
}

impl Job {
    /// Opens and judges every row.
    pub fn findings(&self, rows: Vec<CandidateRow>) -> Findings {
        let (core, party) = (&self.core, &self.accepted.signed.actor);
        let opened = rows.into_iter().map(|row| {
            let seen = seen(core, party, &self.policy, &row);
            let contact = self.moment.desk.and_then(|desk| contact(core, &row, &desk));
            Candidate {
                notified: row.notified,
                seen,
                contact,
            }
        });
        judge(
            &self.accepted.question,
            &self.policy,
            opened.collect(),
            self.moment.now,
        )
    }

    /// Signs the answer, and seals it and its question for keeping.
    pub fn make(&self, findings: Findings) -> Result<Made, Problem> {
        for doubt in &findings.doubts {
            metrics::counter!(super::DOUBTS, "problem" => doubt.spec().slug).increment(1);
        }
        let (signed, moment) = (&self.accepted.signed, &self.moment);
        let call = self
            .policy
            .call
            .clone()
            .or_else(|| moment.coordinator.clone());
        let answer = findings.into_answer(moment.now, moment.serial, call);
        let (verdict, parts) =
            answer_parts(answer).map_err(|_| internal("an answer could not be written"))?;
        let claims = AnswerClaims::new(
            self.core
                .common(self.core.context(signed.asked().ctx)?, moment.now),
            signed.hash,
        );
        let built = build::build(claims, &parts, &self.core.deployment.signing)
            .map_err(|_| internal("an answer could not be signed"))?;
        let month = self.core.month()?;
        let seal = |part: &str, text: &str| {
            let at = Record::check(&signed.actor, &signed.hash, part);
            self.core.seal_record(&at.at(), month, text.as_bytes())
        };
        Ok(Made {
            verdict,
            area: seal(name::AREA, &signed.area)?,
            content: seal(name::ANSWER, &pages(&built.envelope))?,
            envelope: built.envelope,
            month,
        })
    }
}

/// The pages of an answer, one a line, as they are kept.
fn pages(envelope: &Envelope) -> Zeroizing<String> {
    let texts = envelope
        .attachments
        .iter()
        .filter_map(|a| match &a.content {
            Content::Disclosure(text) => Some(text.as_str()),
            Content::Seal { .. } => None,
        });
    Zeroizing::new(texts.collect::<Vec<_>>().join("\n"))
}

fn seen(core: &Core, party: &ActorId, policy: &Policy, row: &CandidateRow) -> Seen {
    let notified = &row.notified;
    let (part, record) = match notified.tier {
        Tier::Exact | Tier::OnCheck => (name::PLACE.to_owned(), &row.place),
        Tier::Cell => (name::audience(party), &row.audience),
        // From this revision on the party is not notified of it: it must not count.
        Tier::Withdrawn => {
            return unreadable(
                row,
                &"a withdrawn revision counts",
                ProblemKind::StateForbids,
            );
        }
    };
    let Some(record) = record else {
        return unreadable(row, &"its part is missing", ProblemKind::MissingPart);
    };
    let (nid, rev) = (notified.nid.to_string(), u64::from(notified.rev.get()));
    let at = Record::part(&notified.organisation, &nid, rev, &part);
    let text: Zeroizing<Vec<u8>> = match core.keyring.open_record(&at.at(), record) {
        Ok(text) => text,
        Err(error) => return unreadable(row, &error, ProblemKind::SealDoesNotOpen),
    };
    let seen = match notified.tier {
        Tier::Cell => Seen::cells(&text, party),
        Tier::Exact | Tier::OnCheck | Tier::Withdrawn => match &row.delayed {
            None => Seen::place(&text, notified.subject, policy),
            Some(delayed) => {
                let at = Record::part(&notified.organisation, &nid, rev, name::PROGRESS);
                match core.keyring.open_record(&at.at(), delayed) {
                    Ok(delayed) => Seen::delayed(&text, &delayed, notified.subject, policy),
                    Err(error) => return unreadable(row, &error, ProblemKind::SealDoesNotOpen),
                }
            }
        },
    };
    if let Seen::Unreadable(kind) = seen {
        return unreadable(row, &kind.spec().title, kind);
    }
    seen
}

fn unreadable(row: &CandidateRow, why: &dyn std::fmt::Display, kind: ProblemKind) -> Seen {
    let (nid, rev) = (row.notified.nid, row.notified.rev);
    tracing::error!(%nid, %rev, %why, "a notification that counts cannot be read; checks near it are indeterminate");
    Seen::Unreadable(kind)
}

/// The sealed contact and what binds it. One that does not open leaves the verdict as it is: the duty number stands beside it.
fn contact(core: &Core, row: &CandidateRow, desk: &Kid) -> Option<SealedContact> {
    let notified = &row.notified;
    let (nid, rev) = (notified.nid.to_string(), u64::from(notified.rev.get()));
    let at = Record::seal(&notified.organisation, &nid, rev, name::CONTACT, desk);
    match core.keyring.open_record(&at.at(), row.contact.as_deref()?) {
        Ok(sealed) => Some(SealedContact {
            iss: row.signer.clone(),
            sd: row.contact_sd?,
            seal: b64url(&sealed),
        }),
        Err(error) => {
            tracing::error!(%nid, rev, %error, "a sealed contact cannot be read; the answer goes without it");
            None
        }
    }
}
