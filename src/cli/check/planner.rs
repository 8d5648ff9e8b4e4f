//! Who asks, and what comes of a question: signed, sent, the answer believed under the pinned root, and kept.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::ask::Asked;
use super::contact::{self, Found};
use super::{put, say};
use crate::cli::api::{Api, ApiError};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::profile::{self, Profile, file, write_private};
use crate::cli::{Context, composing, directory};
use crate::crypto::keys::SigningKey;
use crate::crypto::secret_file;
use crate::domain::check::Verdict;
use crate::spatial::parse::{Country, format_dtg};
use crate::wire::build::{Part, build};
use crate::wire::check::read_answer;
use crate::wire::claims::{CheckClaims, Claims};
use crate::wire::envelope::Envelope;
use crate::wire::parts::{AnswerPart, name};
use crate::wire::problem::ProblemKind;
use crate::wire::trust::{Trust, TrustError};

/// After this long the policy is fetched again, once an answer has come.
const A_DAY: Duration = Duration::from_hours(24);
/// How long that may take.
const REFRESH: Duration = Duration::from_secs(5);

/// Who asks, with the keys.
pub struct Planner {
    profile: Profile,
    api: Api,
    key: SigningKey,
    /// The policy was fetched again, once a run.
    refreshed: AtomicBool,
    /// The keys at hand do not name this very device: they are older than it.
    unnamed: bool,
}

/// What came of a question.
pub struct Outcome {
    /// The answer, believed; or why there is none.
    answer: Result<Box<AnswerPart>, NoAnswer>,
    /// The contacts of its hits, in their order.
    contacts: Vec<Found>,
    /// When it came, by this machine's clock.
    at: OffsetDateTime,
    /// Where it is kept; or why it could not be, which makes it no less an answer.
    kept: Result<PathBuf, String>,
    /// What to look at first where the area lies outside the context's country.
    hint: Option<String>,
    /// Whom to call when in doubt, as last told here.
    call: Option<String>,
}

/// Why there is no answer that counts.
#[derive(Serialize)]
pub struct NoAnswer {
    /// The cause.
    pub why: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The question itself was refused: asking it again as it is does not help.
    pub refused: bool,
}

impl NoAnswer {
    /// Of what went wrong.
    pub fn of(error: &CliError) -> Self {
        Self {
            why: error.what(),
            action: match error {
                // A question is not kept to be sent later: its answer would be about another moment.
                CliError::Api(ApiError::Unreachable { .. }) => {
                    Some("Check the line and the address, then ask again.".to_owned())
                }
                _ => error.action().map(str::to_owned),
            },
            refused: match error {
                CliError::Api(ApiError::Problem(problem)) => {
                    problem.status < 500 && !is_ours_to_mend(&problem.type_uri)
                }
                CliError::Refused { .. } => true,
                _ => false,
            },
        }
    }

    /// For programs.
    pub fn json(&self, call: Option<&str>) -> Value {
        json!({
            "verdict": Verdict::Indeterminate, "exit": Exit::Indeterminate.code(), "no_answer": self,
            "say": say::TREAT_AS_CONFLICT, "call": call,
        })
    }
}

/// Refusals that say nothing of the question: clocks, rates, slow lines. They are no answer, so they are indeterminate.
fn is_ours_to_mend(type_uri: &str) -> bool {
    matches!(
        ProblemKind::from_type_uri(type_uri),
        None | Some(
            ProblemKind::Stale
                | ProblemKind::FromTheFuture
                | ProblemKind::RateLimited
                | ProblemKind::RequestTooSlow
        )
    )
}

impl Planner {
    /// The profile, its key, and the way to the server.
    pub fn open(context: &Context) -> Result<Self, CliError> {
        let (profile, api) = context.connect()?;
        let key = profile.signing_key()?;
        let me = profile.me();
        let unnamed = directory::cached(&profile)
            .and_then(|trust| Ok(trust.actor(&me.actor)?.device(&me.device).is_none()))
            .unwrap_or(true);
        Ok(Self {
            refreshed: AtomicBool::new(false),
            unnamed,
            profile,
            api,
            key,
        })
    }

    /// Signs, asks, checks the answer and keeps it. Whatever goes wrong is an outcome.
    pub async fn ask(&self, asked: &Asked, context: &Context) -> Outcome {
        let came = self.answer(asked, context).await;
        let at = context.clock.now();
        let (answer, kept) = match came {
            Ok((answer, question, envelope)) => {
                let kept = self.keep(&question, &envelope, at);
                self.remember(answer.call.as_deref());
                (Ok(Box::new(answer)), kept.map_err(|e| e.to_string()))
            }
            Err(error) => (
                Err(NoAnswer::of(&error)),
                Err("there is no answer".to_owned()),
            ),
        };
        let hint = match &answer {
            Ok(answer) => self.hint(asked, answer).await,
            Err(_) => None,
        };
        let contacts = match &answer {
            Ok(answer) => contact::of(answer, &self.profile),
            Err(_) => Vec::new(),
        };
        Outcome {
            answer,
            contacts,
            at,
            hint,
            kept,
            call: profile::call(self.profile.dir()),
        }
    }

    /// The answer, with the exact bytes of question and answer.
    async fn answer(
        &self,
        asked: &Asked,
        context: &Context,
    ) -> Result<(AnswerPart, Vec<u8>, Envelope), CliError> {
        let area = Part::new(name::AREA, &asked.area)?.in_the_clear();
        let claims = CheckClaims::new(self.profile.common(&context.clock));
        let built = build(claims, &[area], &self.key)?;
        let question = built.envelope.encode();
        let envelope = self.api.check(&question).await?;
        let (answer, envelope) = self.believe(envelope, built.hash).await?;
        Ok((answer, question, envelope))
    }

    /// Of an area outside the context's country: what was likely meant. The country is that of the policy as last seen,
    /// which is fetched again when it is a day old; and so are everybody's keys, which `verify` needs to know this device.
    async fn hint(&self, asked: &Asked, answer: &AnswerPart) -> Option<String> {
        let slug = ProblemKind::OutsideCountries.spec().slug;
        let outside = answer.doubts.iter().any(|doubt| doubt == slug);
        let seen = || composing::seen_policy(&self.profile).unwrap_or_default();
        let lacking = outside && seen().country.is_none();
        if (lacking || self.unnamed || self.is_old())
            && !self.refreshed.swap(true, Ordering::Relaxed)
        {
            // An answer must not wait for what only explains it.
            let known = composing::known(&self.profile, &self.api);
            if let Ok(Err(error)) = tokio::time::timeout(REFRESH, known).await {
                tracing::debug!(%error, "the policy could not be fetched again");
            }
        }
        let country = |code: Option<String>| Country::from_code(&code?);
        outside.then(|| say::outside(asked, country(seen().country)))
    }

    /// Whether the policy has not been seen for a day.
    fn is_old(&self) -> bool {
        let seen = std::fs::metadata(self.profile.path(file::POLICY)).and_then(|m| m.modified());
        seen.map_or(true, |at| at.elapsed().is_ok_and(|age| age > A_DAY))
    }

    /// Keeps the number to call for when the server cannot be asked. That it cannot be kept makes it no less an answer.
    fn remember(&self, call: Option<&str>) {
        if let Some(call) = call {
            profile::keep_call(self.profile.dir(), call).ok();
        }
    }

    /// The answer, if a node under the pinned root signed it for exactly this question.
    async fn believe(
        &self,
        envelope: Envelope,
        question: crate::crypto::digest::Digest,
    ) -> Result<(AnswerPart, Envelope), CliError> {
        let cached = directory::cached(&self.profile).ok();
        let checked =
            if let Some(Ok(checked)) = cached.map(|trust| trust.check(&envelope.statement)) {
                checked
            } else {
                // Keys may have changed since: look again before it is disbelieved.
                let trust: Trust = directory::trust(&self.profile, &self.api).await?;
                trust.check(&envelope.statement)?
            };
        let Claims::Answer(claims) = checked.claims else {
            return Err(TrustError::OtherKind {
                expected: crate::domain::kind::Kind::Answer,
                found: checked.claims.kind(),
            }
            .into());
        };
        if claims.of != question {
            return Err(TrustError::ReceiptOfAnother.into());
        }
        let answer = read_answer(&claims, &envelope).map_err(|error| {
            CliError::failed(
                error.to_string(),
                "Ask again; treat it as a conflict until then.",
            )
        })?;
        Ok((answer, envelope))
    }

    /// Keeps question and answer, to be shown and checked later.
    fn keep(
        &self,
        question: &[u8],
        answer: &Envelope,
        at: OffsetDateTime,
    ) -> Result<PathBuf, CliError> {
        let dir = self.profile.path("answers");
        secret_file::create_dir(&dir).map_err(|error| {
            CliError::failed(
                error.to_string(),
                "Make room, or mend the profile's directory.",
            )
        })?;
        let hash = crate::crypto::statement::hash(&answer.statement).to_string();
        let short: String = hash.chars().take(8).collect();
        let stem = format!("{}-{short}", format_dtg(at));
        write_private(&dir.join(format!("{stem}.question.hn")), question)?;
        let path = dir.join(format!("{stem}.answer.hn"));
        write_private(&path, &answer.encode())?;
        Ok(path)
    }
}

impl Outcome {
    /// How the command ends.
    pub fn exit(&self) -> Exit {
        let Ok(answer) = &self.answer else {
            return Exit::Indeterminate;
        };
        match answer.verdict {
            Verdict::Conflict => Exit::Conflict,
            Verdict::PossibleConflict => Exit::PossibleConflict,
            Verdict::NoneNotifiedToYou => Exit::Ok,
            Verdict::Indeterminate => Exit::Indeterminate,
        }
    }

    /// For programs. What was odd about the question stands in its answer: a program reads no standard error.
    pub fn json(&self, asked: &Asked, id: Option<Value>) -> Value {
        let mut value = match &self.answer {
            Ok(answer) => json!({
                "verdict": answer.verdict, "exit": self.exit().code(), "age_s": say::age_s(answer, self.at),
                "answer": answer, "kept": self.kept.as_ref().ok(), "not_kept": self.kept.as_ref().err(),
            }),
            Err(none) => none.json(self.call.as_deref()),
        };
        for (number, contact) in self.contacts.iter().enumerate() {
            if let Some(hit) = value.pointer_mut(&format!("/answer/hits/{number}")) {
                contact.put(hit);
            }
        }
        put(&mut value, "asked", json!(asked.words));
        if let Some(widened_m) = asked.widened_m {
            put(&mut value, "widened_m", json!(widened_m));
        }
        let mut remarks = asked.remarks(self.at);
        remarks.extend(self.hint.clone());
        if !remarks.is_empty() {
            put(&mut value, "remarks", json!(remarks));
        }
        if let Some(id) = id {
            put(&mut value, "id", id);
        }
        value
    }

    /// For people.
    pub fn text(&self, asked: &Asked) -> String {
        match &self.answer {
            Ok(answer) => say::answer(
                answer,
                &self.contacts,
                asked,
                self.hint.as_deref(),
                self.at,
                &self.kept,
            ),
            Err(none) => say::no_answer(none, self.call.as_deref()),
        }
    }
}
