//! The command `check`: asks the server whether an area holds what was notified to the asking party, checks the signed
//! answer under the pinned root, keeps it, and says it in words that nobody can take for permission. Where there is no
//! answer that counts, whatever the cause, it says INDETERMINATE: TREAT AS CONFLICT.

mod ask;
mod say;

use std::io::BufRead as _;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use self::ask::{Asked, Defaults};
use super::Context;
use super::api::{Api, ApiError};
use super::directory;
use super::error::CliError;
use super::exit::Exit;
use super::profile::{Profile, read_private, write_private};
use crate::crypto::keys::SigningKey;
use crate::crypto::secret_file;
use crate::domain::check::Verdict;
use crate::spatial::parse::format_dtg;
use crate::wire::build::{Part, build};
use crate::wire::check::read_answer;
use crate::wire::claims::{CheckClaims, Claims};
use crate::wire::envelope::Envelope;
use crate::wire::parts::{AnswerPart, name};
use crate::wire::problem::ProblemKind;
use crate::wire::trust::{Trust, TrustError};

const EXAMPLES: &str = "\
Examples:
  herald check 42SVF8769463602 --radius 500 --from 031430ZMAY26 --for 30m
  herald check \"36.71803, 68.86221\" --radius 500 --effect-radius 200 --from 2026-05-03T14:30:00Z --until 2026-05-03T15:00:00Z
  herald check area.geojson --from 031430ZMAY26 --for 30m --operation LANTERN
  herald check route.geojson --half-width 300 --from 031430ZMAY26 --for 2h
  herald check - < questions.ndjson > answers.ndjson
      one question a line, for example {\"at\":\"42SVF8769463602\",\"radius\":500,\"from\":\"031430ZMAY26\",\"for\":\"30m\"}
      or {\"id\":7,\"geometry\":{...},\"effect_radius\":200}; what a line leaves out is taken from the options

The exit code is 0 (none notified to you, which is not absence of civilians), 10, 11 or 12; of many questions 12 if any \
is indeterminate or refused, else 10, else 11. Answers are kept in the profile, under answers/.";

/// The profile's file with the number to call when in doubt, as the last answer named it.
const CALL_FILE: &str = "call";

/// The largest file with an area, in bytes.
const FILE_MOST: u64 = 1 << 20;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A position (decimal degrees latitude first, degrees and minutes, MGRS), a GeoJSON file, an NDJSON file, or - for NDJSON from standard input
    #[arg(value_name = "PLACE|FILE|-", allow_hyphen_values = true)]
    place: String,
    #[command(flatten)]
    options: Defaults,
}

/// Runs it.
///
/// # Errors
/// When the question cannot be read, or nobody is enrolled here. No answer is not an error: it is INDETERMINATE.
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    if let Some(questions) = questions(&args.place)? {
        return many(questions, &args.options, context).await;
    }
    let asked = if is_file(&args.place) {
        ask::file(&args.place, &args.options)
    } else {
        ask::place(&args.place, &args.options)
    };
    let asked = asked.map_err(|what| {
        CliError::refused(
            what,
            "Correct it and ask again; until then treat it as a conflict.",
        )
    })?;
    let planner = Planner::open(context)?;
    let remarks = asked.remarks(context.clock.now());
    for remark in &remarks {
        context.out.note(remark);
    }
    let outcome = planner.ask(&asked, context).await?;
    context
        .out
        .emit(&with_remarks(outcome.json(None), &remarks), || {
            outcome.text(&asked)
        });
    Ok(outcome.exit())
}

fn is_file(place: &str) -> bool {
    let path = std::path::Path::new(place);
    path.extension().is_some_and(|e| {
        ["json", "geojson"]
            .iter()
            .any(|known| e.eq_ignore_ascii_case(known))
    })
}

type Lines = Box<dyn std::io::BufRead + Send>;

/// The lines of an NDJSON file or of standard input.
fn questions(place: &str) -> Result<Option<Lines>, CliError> {
    if place == "-" {
        return Ok(Some(Box::new(std::io::BufReader::new(std::io::stdin()))));
    }
    let path = std::path::Path::new(place);
    let known = path.extension().is_some_and(|e| {
        ["ndjson", "jsonl"]
            .iter()
            .any(|known| e.eq_ignore_ascii_case(known))
    });
    if !known {
        return Ok(None);
    }
    let file = std::fs::File::open(path).map_err(|error| {
        CliError::refused(
            format!("{place} cannot be read: {error}"),
            "Check the file's name.",
        )
    })?;
    Ok(Some(Box::new(std::io::BufReader::new(file))))
}

/// One answer a line for one question a line, in their order.
async fn many(lines: Lines, options: &Defaults, context: &Context) -> Result<Exit, CliError> {
    let planner = Planner::open(context)?;
    let mut worst = None;
    for (number, line) in (1_u64..).zip(bounded(lines)) {
        let line = line.map_err(|what| {
            CliError::refused(
                format!("line {number}: {what}"),
                "Correct it and ask the rest again; until then treat it as a conflict.",
            )
        })?;
        if line.trim().is_empty() {
            continue;
        }
        let (id, asked) = ask::line(&line, options);
        let (exit, mut answer) = match asked {
            Ok(asked) => {
                let outcome = planner.ask(&asked, context).await?;
                let remarks = asked.remarks(outcome.at);
                (outcome.exit(), with_remarks(outcome.json(id), &remarks))
            }
            Err(what) => {
                let indeterminate = json!({
                    "id": id, "verdict": Verdict::Indeterminate, "exit": Exit::Indeterminate.code(),
                    "refused": what, "say": say::TREAT_AS_CONFLICT,
                });
                (Exit::Indeterminate, indeterminate)
            }
        };
        if let Some(object) = answer.as_object_mut() {
            object.insert("line".to_owned(), json!(number));
        }
        context.out.raw(answer.to_string());
        worst = Some(worst.map_or(exit, |before| worse(before, exit)));
        if context.out.is_closed() {
            break;
        }
    }
    // No question is no answer: it must not end as "none notified to you" does.
    worst.ok_or_else(|| {
        CliError::refused(
            "there is no question in it: nothing was asked, and nothing is known",
            "Look at what should have written the questions; until they are asked treat it as a conflict.",
        )
    })
}

/// What was odd about the question stands in its answer: a program reads no standard error.
fn with_remarks(mut answer: Value, remarks: &[String]) -> Value {
    if let Some(object) = answer.as_object_mut().filter(|_| !remarks.is_empty()) {
        object.insert("remarks".to_owned(), json!(remarks));
    }
    answer
}

/// Lines, each bounded.
fn bounded(mut lines: Lines) -> impl Iterator<Item = Result<String, String>> {
    std::iter::from_fn(move || {
        let mut line = Vec::new();
        let mut one = std::io::Read::take(&mut lines, FILE_MOST + 1);
        match one.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) if u64::try_from(line.len()).is_ok_and(|n| n <= FILE_MOST) => {
                Some(String::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned()))
            }
            Ok(_) => Some(Err(format!("it is longer than {FILE_MOST} bytes"))),
            Err(error) => Some(Err(format!("it cannot be read: {error}"))),
        }
    })
}

/// Of two ends, the one that matters more.
const fn worse(a: Exit, b: Exit) -> Exit {
    const fn rank(exit: Exit) -> u8 {
        match exit {
            Exit::Ok => 0,
            Exit::PossibleConflict => 1,
            Exit::Conflict => 2,
            Exit::Indeterminate
            | Exit::Failure
            | Exit::Usage
            | Exit::Refused
            | Exit::Unreachable => 3,
        }
    }
    if rank(b) > rank(a) { b } else { a }
}

/// Who asks, with the keys.
struct Planner {
    profile: Profile,
    api: Api,
    key: SigningKey,
}

/// What came of a question.
struct Outcome {
    /// The answer, believed; or why there is none.
    answer: Result<Box<AnswerPart>, NoAnswer>,
    /// When it came, by this machine's clock.
    at: OffsetDateTime,
    /// Where it is kept; or why it could not be, which makes it no less an answer.
    kept: Result<PathBuf, String>,
    /// Whom to call when in doubt, as the last answer named it; told where there is no answer.
    call: Option<String>,
}

/// Why there is no answer that counts.
#[derive(Serialize)]
struct NoAnswer {
    why: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    /// The question itself was refused: asking it again as it is does not help.
    refused: bool,
}

impl NoAnswer {
    fn of(error: &CliError) -> Self {
        Self {
            why: error.to_string(),
            action: match error {
                // A question is not kept to be sent later: its answer would be about another moment.
                CliError::Api(ApiError::Unreachable { .. }) => {
                    Some("Check the line and the address, then ask again.".to_owned())
                }
                _ => error.action().map(str::to_owned),
            },
            refused: matches!(error, CliError::Api(ApiError::Problem(problem))
                if problem.status < 500 && !is_ours_to_mend(&problem.type_uri)),
        }
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
    fn open(context: &Context) -> Result<Self, CliError> {
        let (profile, api) = context.connect()?;
        let key = profile.signing_key()?;
        Ok(Self { profile, api, key })
    }

    /// Signs, asks, checks the answer and keeps it.
    async fn ask(&self, asked: &Asked, context: &Context) -> Result<Outcome, CliError> {
        let area = Part::new(name::AREA, &asked.area)?.in_the_clear();
        let claims = CheckClaims::new(self.profile.common(&context.clock));
        let built = build(claims, &[area], &self.key)?;
        let question = built.envelope.encode();
        let came = match self.api.check(&question).await {
            Ok(envelope) => self.believe(envelope, built.hash).await,
            Err(error) => Err(error.into()),
        };
        let at = context.clock.now();
        let (answer, kept) = match came {
            Ok((answer, envelope)) => {
                let kept = self.keep(&question, &envelope, at);
                self.remember(answer.call.as_deref());
                (Ok(Box::new(answer)), kept.map_err(|e| e.to_string()))
            }
            Err(error) => (
                Err(NoAnswer::of(&error)),
                Err("there is no answer".to_owned()),
            ),
        };
        Ok(Outcome {
            answer,
            at,
            kept,
            call: self.remembered(),
        })
    }

    /// Keeps the number to call for when the server cannot be asked. That it cannot be kept makes it no less an answer.
    fn remember(&self, call: Option<&str>) {
        if let Some(call) = call
            && self.remembered().as_deref() != Some(call)
        {
            write_private(&self.profile.path(CALL_FILE), call.as_bytes()).ok();
        }
    }

    /// The number to call, if an answer ever named one here. That it cannot be read must not hide that there is no answer.
    fn remembered(&self) -> Option<String> {
        let bytes = read_private(&self.profile.path(CALL_FILE)).ok()?;
        String::from_utf8(bytes).ok()
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
    fn exit(&self) -> Exit {
        match &self.answer {
            Ok(answer) => match answer.verdict {
                Verdict::Conflict => Exit::Conflict,
                Verdict::PossibleConflict => Exit::PossibleConflict,
                Verdict::NoneNotifiedToYou => Exit::Ok,
                Verdict::Indeterminate => Exit::Indeterminate,
            },
            Err(none) if none.refused => Exit::Refused,
            Err(_) => Exit::Indeterminate,
        }
    }

    fn json(&self, id: Option<Value>) -> Value {
        let mut value = match &self.answer {
            Ok(answer) => json!({
                "verdict": answer.verdict, "exit": self.exit().code(), "age_s": say::age_s(answer, self.at),
                "answer": answer, "kept": self.kept.as_ref().ok(), "not_kept": self.kept.as_ref().err(),
            }),
            Err(none) => json!({
                "verdict": Verdict::Indeterminate, "exit": self.exit().code(), "no_answer": none,
                "say": say::TREAT_AS_CONFLICT, "call": self.call,
            }),
        };
        if let (Some(id), Some(object)) = (id, value.as_object_mut()) {
            object.insert("id".to_owned(), id);
        }
        value
    }

    fn text(&self, asked: &Asked) -> String {
        match &self.answer {
            Ok(answer) => say::answer(answer, asked, self.at, &self.kept),
            Err(none) => say::no_answer(
                &none.why,
                none.action.as_deref(),
                none.refused,
                self.call.as_deref(),
            ),
        }
    }
}
