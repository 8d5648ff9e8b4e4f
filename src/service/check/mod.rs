//! The check: takes a planner's signed question, judges it, keeps question and answer, and only then answers, signed.
//! What is wrong with the question is refused. What goes wrong after it was accepted makes the answer indeterminate; only
//! when the database itself cannot keep the answer is there none, and then the refusal says: treat it as a conflict.

mod accept;
mod judge;

use std::sync::Arc;

use tokio::sync::Semaphore;

use self::judge::{Job, Made};
use super::core::{Core, internal, store};
use super::principal::Principal;
use super::records::Record;
use crate::crypto::digest::Digest;
use crate::store::checks::{self, Answered, CandidateRow, NewCheck};
use crate::store::error::StoreError;
use crate::store::{actors, devices, tx};
use crate::wire::check::{Findings, page_name};
use crate::wire::envelope::{Attachment, Content, Envelope};
use crate::wire::parts::name;
use crate::wire::problem::{Problem, ProblemKind};

/// The metrics of this module: name, whether it is a counter (else a distribution), labels, help.
pub const ANSWERS: &str = "herald_check_answers_total";
/// Doubts, by problem.
pub const DOUBTS: &str = "herald_check_doubts_total";
/// Time to judge, in seconds.
pub const SECONDS: &str = "herald_check_seconds";
/// Revisions that the exact test looked at.
pub const CONSIDERED: &str = "herald_check_candidates";

/// Answers checks. Cheap to clone.
#[derive(Clone)]
pub struct Checks {
    core: Core,
    /// One place for each core: judging must not take every thread of the blocking pool.
    cores: Arc<Semaphore>,
}

impl Checks {
    /// Answers from this deployment.
    pub fn new(core: Core) -> Self {
        metrics::describe_counter!(ANSWERS, "Checks answered, by verdict");
        metrics::describe_counter!(DOUBTS, "Why answers were indeterminate, by problem");
        metrics::describe_histogram!(SECONDS, "Time from an accepted check to its answer");
        metrics::describe_histogram!(CONSIDERED, "Revisions considered in a check");
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            core,
            cores: Arc::new(Semaphore::new(cores)),
        }
    }

    /// Answers one check. The same bytes again give the answer that was given before.
    ///
    /// # Errors
    /// Why the question is refused; or that the database cannot keep the answer: treat that as a conflict.
    pub async fn answer(
        &self,
        principal: &Principal,
        envelope: Envelope,
    ) -> Result<Envelope, Problem> {
        let started = std::time::Instant::now();
        let signed = accept::read(&self.core, principal, envelope)?;
        let mut tx = tx::begin(&self.core.pools.app, &principal.tenant())
            .await
            .map_err(|error| store(&error))?;
        let device = devices::by_kid(&mut tx, &principal.ctx, &signed.kid())
            .await
            .map_err(|error| store(&error))?;
        let signed = accept::signed_by(signed, device, principal)?;
        let moment = checks::moment(&mut tx, &principal.ctx, &principal.actor)
            .await
            .map_err(|error| store(&error))?;
        let (policy, _) = actors::policy(&mut tx, &principal.ctx)
            .await
            .map_err(|error| store(&error))?;
        let known = checks::answered(&mut tx, &signed.asked())
            .await
            .map_err(|error| store(&error))?;
        if let Some(known) = known {
            return self.again(principal, &signed.hash, &known);
        }
        let accepted = accept::accept(signed, &policy, moment.now)?;
        let question = &accepted.question;
        let rows = checks::candidates(&mut tx, &question.boxes(&policy), &question.window).await;
        // A transaction that failed takes nothing more; the answer is kept in one of its own.
        drop(tx.rollback().await);
        let job = Arc::new(Job {
            core: self.core.clone(),
            accepted,
            moment,
            policy,
        });
        let made = self.make(&job, rows).await?;
        let answer = self.keep(principal, &job, made).await?;
        metrics::histogram!(SECONDS).record(started.elapsed().as_secs_f64());
        Ok(answer)
    }

    /// Opens, judges and signs, off the reactor.
    async fn make(
        &self,
        job: &Arc<Job>,
        rows: Result<Vec<CandidateRow>, StoreError>,
    ) -> Result<Made, Problem> {
        let rows = match rows {
            Ok(rows) => rows,
            Err(error) => {
                tracing::error!(%error, "the candidates of a check could not be read; its answer is indeterminate");
                return job.make(Findings::doubt(judge::doubt_of(&error)));
            }
        };
        metrics::histogram!(CONSIDERED).record(u32::try_from(rows.len()).map_or(0.0, f64::from));
        let Ok(place) = Arc::clone(&self.cores).acquire_owned().await else {
            return job.make(Findings::doubt(ProblemKind::NotReady));
        };
        let judging = Arc::clone(job);
        let judged = tokio::task::spawn_blocking(move || {
            let _place = place;
            judging.make(judging.findings(rows))
        });
        judged.await.unwrap_or_else(|_| {
            tracing::error!("judging a check ended in a panic; its answer is indeterminate");
            job.make(Findings::doubt(ProblemKind::Internal))
        })
    }

    /// Keeps the answer with its question, before anyone sees it.
    async fn keep(
        &self,
        principal: &Principal,
        job: &Job,
        made: Made,
    ) -> Result<Envelope, Problem> {
        let signed = &job.accepted.signed;
        let mut tx = tx::begin(&self.core.pools.app, &principal.tenant())
            .await
            .map_err(|error| store(&error))?;
        let check = NewCheck {
            asked: signed.asked(),
            at: job.moment.now,
            month: made.month,
            question: &signed.statement,
            area: &made.area,
            answer: &made.envelope.statement,
            content: &made.content,
        };
        let kept = checks::insert(&mut tx, &check)
            .await
            .map_err(|error| store(&error))?;
        if !kept {
            let other = checks::answered(&mut tx, &check.asked)
                .await
                .map_err(|error| store(&error))?
                .ok_or_else(|| internal("an answer could neither be kept nor found"))?;
            return self.again(principal, &signed.hash, &other);
        }
        tx.commit().await.map_err(|error| store(&error.into()))?;
        metrics::counter!(ANSWERS, "verdict" => made.verdict.as_str()).increment(1);
        Ok(made.envelope)
    }

    /// The answer that was given before; or a refusal, when other bytes bore this `jti`.
    fn again(
        &self,
        principal: &Principal,
        hash: &Digest,
        known: &Answered,
    ) -> Result<Envelope, Problem> {
        if known.hash != *hash {
            return Err(ProblemKind::ReusedJti.into());
        }
        let at = Record::check(&principal.actor, hash, name::ANSWER);
        let text = self
            .core
            .keyring
            .open_record(&at.at(), &known.content)
            .map_err(|error| super::core::keyring(&error))?;
        let text = std::str::from_utf8(&text).map_err(|_| internal("a kept answer is no text"))?;
        let attachments = (1..).zip(text.split('\n')).map(|(page, text)| Attachment {
            part: page_name(page),
            sd: Digest::of(text.as_bytes()),
            content: Content::Disclosure(text.to_owned()),
        });
        Ok(Envelope {
            statement: known.answer.clone(),
            attachments: attachments.collect(),
        })
    }
}
