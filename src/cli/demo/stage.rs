//! The stage: a temporary directory with a server and everybody's profiles, and the one way in which the demo runs a
//! command and looks at what became of it. A step that does not do what it claims ends the demo, and says which.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::server::Server;
use super::tell::{Tell, quoted};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{Captured, Output};
use crate::domain::clock::Clock;

/// How long something that others do is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The demo's world.
pub struct Stage {
    /// Everything stands in here.
    pub dir: PathBuf,
    /// How it is told.
    pub tell: Tell,
    /// The server.
    pub server: Server,
    /// Who listens, by desk.
    pub listeners: BTreeMap<&'static str, Listener>,
    /// The machine's clock.
    pub clock: Clock,
}

/// A notification that was made.
#[derive(Clone)]
pub struct Noted {
    /// Its reference, HN-….
    pub reference: String,
    /// Its id.
    pub nid: String,
}

impl Noted {
    fn of(event: &Value, own: &str) -> Option<Self> {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
        (text("/parts/place/properties/reference") == Some(own)).then_some(())?;
        Some(Self {
            reference: text("/reference")?.to_owned(),
            nid: text("/nid")?.to_owned(),
        })
    }
}

/// A command that ran.
pub struct Ran {
    line: String,
    /// How it ended.
    pub exit: Exit,
    /// What it said to people.
    pub text: String,
    beside: String,
    documents: Vec<Value>,
}

impl Stage {
    /// The path of something on the stage.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Somebody's profile.
    pub fn profile(&self, who: &str) -> PathBuf {
        self.dir.join("profiles").join(who)
    }

    /// Shows a command and runs it.
    pub async fn types(&self, who: &str, words: &[&str]) -> Ran {
        let shown: Vec<String> = words.iter().map(|word| self.as_typed(word)).collect();
        self.tell.command(who, &shown);
        self.runs(who, words).await
    }

    /// Runs a command without showing it.
    pub async fn runs(&self, who: &str, words: &[&str]) -> Ran {
        let (out, text, beside) = Output::captured(false);
        let documents = Captured::default();
        let exit = run(
            self.line(who, words),
            out.with_documents(documents.clone()),
            self.clock.clone(),
        )
        .await;
        Ran {
            line: format!("{who}$ herald {}", words.join(" ")),
            exit,
            text: self.without_paths(&text.text()),
            beside: self.without_paths(&beside.text()),
            documents: lines_of(&documents),
        }
    }

    /// Runs a command whose words go straight to whoever watches.
    pub async fn runs_live(&self, who: &str, words: &[&str], out: Output) -> (Exit, Vec<Value>) {
        let documents = Captured::default();
        let exit = run(
            self.line(who, words),
            out.with_documents(documents.clone()),
            self.clock.clone(),
        )
        .await;
        (exit, lines_of(&documents))
    }

    fn line(&self, who: &str, words: &[&str]) -> Vec<OsString> {
        let profile = self.profile(who);
        let mut line: Vec<OsString> = vec!["herald".into(), "--profile".into(), profile.into()];
        line.extend(words.iter().map(OsString::from));
        line
    }

    /// A word as a person would type it: files by their names; an invite code is asked for, never typed.
    pub fn as_typed(&self, word: &str) -> String {
        if word.starts_with("HN1.") {
            return "-".to_owned();
        }
        quoted(&self.without_paths(word))
    }

    /// Text with the paths of the stage as its people see them.
    pub fn without_paths(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for who in std::fs::read_dir(self.path("profiles"))
            .into_iter()
            .flatten()
            .flatten()
        {
            text = text.replace(&format!("{}/", who.path().display()), "");
        }
        text.replace(&format!("{}/", self.dir.display()), "")
    }

    /// Begins to listen at somebody's desk, in the background.
    pub fn listens(&mut self, who: &'static str) {
        let (out, text, _) = Output::captured(false);
        let documents = Captured::default();
        let (line, clock) = (self.line(who, &["listen"]), self.clock.clone());
        let (out, hang_up) = (
            out.with_documents(documents.clone()),
            CancellationToken::new(),
        );
        let hung_up = hang_up.clone();
        // A command's future stays on one thread, so a desk gets one of its own.
        let task = tokio::task::spawn_blocking(move || {
            Handle::current().block_on(async {
                tokio::select! {
                    exit = run(line, out, clock) => exit,
                    () = hung_up.cancelled() => Exit::Ok,
                }
            })
        });
        self.listeners.insert(
            who,
            Listener {
                who,
                text,
                documents,
                task,
                hang_up,
            },
        );
    }

    /// Waits until an event has come to a desk that listens; how long that took, the event, and its words.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn hears(
        &self,
        who: &str,
        what: &str,
        is_it: impl Fn(&Value) -> bool,
    ) -> Result<Heard, CliError> {
        let listener = self
            .listeners
            .get(who)
            .ok_or_else(|| failed(format!("nobody listens at {who}"), "Report it."))?;
        let mut heard = listener.until(what, is_it).await?;
        heard.text = self.without_paths(&heard.text);
        Ok(heard)
    }

    /// Waits until a desk has heard this many events of a sort.
    ///
    /// # Errors
    /// When they do not come.
    pub async fn hears_many(
        &self,
        who: &str,
        what: &str,
        many: usize,
        is_it: impl Fn(&Value) -> bool,
    ) -> Result<(), CliError> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if self
                .listeners
                .get(who)
                .is_some_and(|listener| listener.count(&is_it) >= many)
            {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(failed(
            format!("{who} listened and did not hear {what}"),
            "This is a defect of Herald: please report it.",
        ))
    }

    /// What was notified under an organisation's own reference, as the organisation's own desk hears of it.
    ///
    /// # Errors
    /// When nothing was.
    pub async fn noted(&self, own: &str) -> Result<Noted, CliError> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let heard = self
                .listeners
                .values()
                .flat_map(|listener| lines_of(&listener.documents));
            if let Some(noted) = heard.filter_map(|event| Noted::of(&event, own)).next_back() {
                return Ok(noted);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(failed(
            format!("nobody heard of {own}"),
            "This is a defect of Herald: please report it.",
        ))
    }

    /// Ends all listening.
    pub fn all_hang_up(&mut self) {
        for listener in std::mem::take(&mut self.listeners).into_values() {
            listener.hang_up.cancel();
        }
    }
}

/// Not an `async fn`: a command that runs commands would otherwise be a type within itself.
fn run(line: Vec<OsString>, out: Output, clock: Clock) -> Pin<Box<dyn Future<Output = Exit>>> {
    Box::pin(crate::cli::run(line, out, clock))
}

fn lines_of(documents: &Captured) -> Vec<Value> {
    documents
        .text()
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn failed(what: String, action: &str) -> CliError {
    CliError::failed(what, action)
}

impl Ran {
    /// Goes on only if it ended so.
    ///
    /// # Errors
    /// When it ended otherwise.
    pub fn ends(self, exit: Exit) -> Result<Self, CliError> {
        if self.exit == exit {
            return Ok(self);
        }
        Err(self.wrong(&format!(
            "it should have ended with {}, not with {}",
            exit.code(),
            self.exit.code()
        )))
    }

    /// Goes on only if what it found is so.
    ///
    /// # Errors
    /// When it is not.
    pub fn finds(self, what: &str, so: impl FnOnce(&Self) -> bool) -> Result<Self, CliError> {
        if so(&self) {
            Ok(self)
        } else {
            Err(self.wrong(&format!("it should have found that {what}")))
        }
    }

    /// A value in its last JSON document that has one there.
    pub fn at(&self, pointer: &str) -> &Value {
        self.documents
            .iter()
            .rev()
            .find_map(|document| document.pointer(pointer))
            .unwrap_or(&Value::Null)
    }

    /// A text in its last JSON document that has one there; empty if none has.
    pub fn text_at(&self, pointer: &str) -> String {
        self.at(pointer).as_str().unwrap_or_default().to_owned()
    }

    /// Its JSON documents.
    pub fn documents(&self) -> &[Value] {
        &self.documents
    }

    /// The lines of its text in which one of these stands.
    pub fn lines_with(&self, needles: &[&str]) -> String {
        let lines = self
            .text
            .lines()
            .filter(|line| needles.iter().any(|needle| line.contains(needle)));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// What it said beside its result.
    pub fn beside(&self) -> &str {
        &self.beside
    }

    fn wrong(&self, what: &str) -> CliError {
        let said = format!("{}\n{}", self.text, self.beside);
        CliError::failed(
            format!("{}\n  {what}. It said:\n{}", self.line, said.trim()),
            "This is a defect of Herald: please report it.",
        )
    }
}

/// A desk that listens over its WebSocket.
pub struct Listener {
    who: &'static str,
    text: Captured,
    documents: Captured,
    task: JoinHandle<Exit>,
    hang_up: CancellationToken,
}

/// An event that came.
pub struct Heard {
    /// As JSON.
    pub event: Value,
    /// In words.
    pub text: String,
    /// How long it was waited for.
    pub after: Duration,
}

impl Listener {
    async fn until(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Result<Heard, CliError> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if let Some(event) = lines_of(&self.documents).into_iter().find(&is_it) {
                let text = block(
                    &self.text.text(),
                    event.get("seq").and_then(Value::as_u64).unwrap_or_default(),
                );
                return Ok(Heard {
                    event,
                    text,
                    after: started.elapsed(),
                });
            }
            if self.task.is_finished() {
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(CliError::failed(
            format!(
                "{} listened and did not hear {what}; it heard:\n{}",
                self.who,
                self.text.text()
            ),
            "This is a defect of Herald: please report it.",
        ))
    }

    /// How many events came so far.
    pub fn count(&self, is_it: impl Fn(&Value) -> bool) -> usize {
        lines_of(&self.documents)
            .iter()
            .filter(|event| is_it(event))
            .count()
    }
}

/// The lines of one event in what a listening desk printed.
fn block(text: &str, seq: u64) -> String {
    let head = format!("#{seq} ");
    let mut lines = text.lines().skip_while(|line| !line.starts_with(&head));
    let first = lines.next().unwrap_or_default().to_owned();
    lines
        .take_while(|line| line.starts_with(' '))
        .fold(first, |block, line| block + "\n" + line)
}

/// Writes a file that only its owner may read.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    crate::crypto::secret_file::replace(path, bytes).map_err(|error| {
        CliError::failed(error.to_string(), "Free space in the temporary directory.")
    })
}

/// A short time in words.
pub fn moment(took: Duration) -> String {
    match took.as_millis() {
        0..10 => "less than 10 ms".to_owned(),
        10..1_000 => format!("{} ms", took.as_millis()),
        1_000..120_000 => format!("{:.1} s", took.as_secs_f64()),
        _ => format!("{:.1} min", took.as_secs_f64() / 60.0),
    }
}
