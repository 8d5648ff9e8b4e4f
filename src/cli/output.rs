//! The one way out to a person or a program: text for people, or one JSON document a line, and no dismay when whoever
//! reads has closed the pipe. Nothing else in the command line prints.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, IsTerminal as _, Read as _, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::Value;

use super::drill;
use super::error::CliError;
use crate::domain::actor::Mode;
use crate::domain::text::is_unruly;

/// Where a command's words go.
#[derive(Clone)]
pub struct Output {
    json: bool,
    out: Arc<Mutex<Box<dyn Write + Send>>>,
    err: Arc<Mutex<Box<dyn Write + Send>>>,
    documents: Option<Arc<Mutex<Box<dyn Write + Send>>>>,
    answers: Option<Answers>,
    drill: Arc<AtomicBool>,
    closed: Arc<AtomicBool>,
    /// Whether what is said beside the result goes to a terminal.
    bar: bool,
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Output")
    }
}

/// Where a person's answers come from.
type Answers = Arc<Mutex<Box<dyn BufRead + Send>>>;

/// Bytes of an answer.
const MAX_ANSWER: u64 = 1_024;

/// What a test, or a program that runs commands inside itself, reads afterwards.
#[derive(Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// Everything written so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output {
    /// Standard output and standard error; answers come from standard input where a person sits at both.
    pub fn standard(json: bool) -> Self {
        let mut out = Self::to(json, io::stdout(), io::stderr());
        out.bar = io::stderr().is_terminal();
        if io::stdin().is_terminal() && io::stderr().is_terminal() {
            out.with_answers(BufReader::new(io::stdin()))
        } else {
            out
        }
    }

    /// The same writers, and a person who answers.
    #[must_use]
    pub fn with_answers(mut self, answers: impl BufRead + Send + 'static) -> Self {
        self.answers = Some(Arc::new(Mutex::new(Box::new(answers))));
        self
    }

    /// Whether somebody is there to be asked.
    pub const fn can_ask(&self) -> bool {
        !self.json && self.answers.is_some()
    }

    /// Asks, on standard error, and waits for the answer: yes only when a yes was typed.
    pub fn ask(&self, question: impl AsRef<str>) -> bool {
        let Some(answers) = self.answers.as_ref().filter(|_| !self.json) else {
            return false;
        };
        let question = format!("{} [y/N]", question.as_ref());
        self.write(&self.err, &fit(&self.marked(&question)));
        let mut answer = String::new();
        let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
        let read = answers.by_ref().take(MAX_ANSWER).read_line(&mut answer);
        read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
    }

    /// Into memory: what is printed, and what is said beside it.
    pub fn captured(json: bool) -> (Self, Captured, Captured) {
        let (out, err) = (Captured::default(), Captured::default());
        (Self::to(json, out.clone(), err.clone()), out, err)
    }

    /// To the given writers.
    pub fn to(
        json: bool,
        out: impl Write + Send + 'static,
        err: impl Write + Send + 'static,
    ) -> Self {
        Self {
            json,
            out: Arc::new(Mutex::new(Box::new(out))),
            err: Arc::new(Mutex::new(Box::new(err))),
            documents: None,
            answers: None,
            drill: Arc::default(),
            closed: Arc::new(AtomicBool::new(false)),
            bar: false,
        }
    }

    /// The same writers, and beside them every result and error as one JSON document a line: for whoever shows a
    /// command's words to a person and acts on what it found.
    #[must_use]
    pub fn with_documents(mut self, documents: impl Write + Send + 'static) -> Self {
        self.documents = Some(Arc::new(Mutex::new(Box::new(documents))));
        self
    }

    /// The same writers, in the other form.
    #[must_use]
    pub fn with_json(mut self, json: bool) -> Self {
        self.json = json;
        self
    }

    /// The same writers, for another command: whether that is about an exercise is not known yet.
    #[must_use]
    pub fn for_one_command(mut self) -> Self {
        self.drill = Arc::default();
        self
    }

    /// Says whether what follows is about an exercise: then everything is marked as that.
    pub fn set_mode(&self, mode: Mode) {
        self.drill.store(mode == Mode::Exercise, Ordering::Relaxed);
    }

    /// Whether what is said is about an exercise. What is written to files is marked where it is written.
    pub fn is_drill(&self) -> bool {
        self.drill.load(Ordering::Relaxed)
    }

    fn marked<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.is_drill() {
            drill::text(text)
        } else {
            Cow::Borrowed(text)
        }
    }

    fn marked_document(&self, json: String) -> String {
        if self.is_drill() {
            drill::document(json)
        } else {
            json
        }
    }

    /// Whether a program reads.
    pub const fn is_json(&self) -> bool {
        self.json
    }

    /// Whether whoever read has gone; a command that follows something may end.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// A result: text for people (a newline is added when it has none at its end), or the value as one line of JSON.
    pub fn emit(&self, value: &impl Serialize, text: impl FnOnce() -> String) {
        // What is printed has a JSON form; where it had none, null says so to the program that reads.
        let line = || {
            let json = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
            self.marked_document(json)
        };
        if let Some(documents) = &self.documents {
            self.write(documents, &line());
        }
        if self.json {
            self.write(&self.out, &line());
        } else {
            let text = text();
            if !text.is_empty() {
                self.write(&self.out, &fit(&self.marked(&text)));
            }
        }
    }

    /// A result that is one line of JSON whatever the form asked for.
    pub fn document(&self, value: &Value) {
        self.write(&self.out, &self.marked_document(value.to_string()));
    }

    /// A line for people only.
    pub fn line(&self, text: impl AsRef<str>) {
        if !self.json {
            self.write(&self.out, &fit(&self.marked(text.as_ref())));
        }
    }

    /// Bytes as they are, whatever the form asked for: a file that was asked to go to standard output.
    pub fn raw(&self, text: impl AsRef<str>) {
        self.write(&self.out, text.as_ref());
    }

    /// Rings the terminal's bell, for people only: somebody calls for help.
    pub fn ring(&self) {
        if !self.json {
            let mut err = self.err.lock().unwrap_or_else(PoisonError::into_inner);
            // Where there is no terminal, nobody would hear it.
            err.write_all(b"\x07").and_then(|()| err.flush()).ok();
        }
    }

    /// The same writers, with a terminal behind what is said beside the result.
    #[must_use]
    pub fn with_bar(mut self) -> Self {
        self.bar = true;
        self
    }

    /// Whether a bar can be drawn.
    pub const fn has_bar(&self) -> bool {
        self.bar && !self.json
    }

    /// Draws over the line that stands on the terminal.
    pub fn bar(&self, text: &str) {
        if self.has_bar() {
            let mut err = self.err.lock().unwrap_or_else(PoisonError::into_inner);
            let text = fit(text);
            // Where there is no terminal any more, nobody would see it.
            write!(err, "\r{text}").and_then(|()| err.flush()).ok();
        }
    }

    /// A remark beside the result, on standard error, for people only.
    pub fn note(&self, text: impl AsRef<str>) {
        if !self.json {
            self.write(&self.err, &fit(&self.marked(text.as_ref())));
        }
    }

    /// An error, on standard error.
    pub fn error(&self, error: &CliError) {
        let document = || self.marked_document(error.json().to_string());
        let text = if self.json {
            document()
        } else {
            let text = format!("herald: {}", error.text());
            fit(&self.marked(&text)).into_owned()
        };
        self.write(&self.err, &text);
        if let Some(documents) = &self.documents {
            self.write(documents, &document());
        }
    }

    fn write(&self, to: &Mutex<Box<dyn Write + Send>>, text: &str) {
        let mut to = to.lock().unwrap_or_else(PoisonError::into_inner);
        let end = if text.ends_with('\n') { "" } else { "\n" };
        let written = to
            .write_all(text.as_bytes())
            .and_then(|()| to.write_all(end.as_bytes()))
            .and_then(|()| to.flush());
        if written.is_err() {
            // The reader has gone or its disk is full: nobody is left to tell it to.
            self.closed.store(true, Ordering::Relaxed);
        }
    }
}

/// Text for a terminal, without what would move its cursor or turn the order of its letters. Lines and columns stay: what
/// somebody else wrote is put on one line before, by [`super::words::plain`]; this holds where that was forgotten.
fn fit(text: &str) -> Cow<'_, str> {
    let unfit = |c: char| is_unruly(c) && !matches!(c, '\n' | '\t');
    if text.contains(unfit) {
        Cow::Owned(text.replace(unfit, " "))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_is_written_for_people() {
        let (output, out, err) = Output::captured(false);
        let steering = "a\u{1b}[2J\u{9b}H\r\u{202e}b\n\tc";
        output.emit(&7, || steering.to_owned());
        output.line(steering);
        output.note(steering);
        output.error(&CliError::Usage(steering.into()));
        for text in [out.text(), err.text()] {
            assert_eq!(
                text.chars()
                    .find(|c| is_unruly(*c) && !matches!(c, '\n' | '\t')),
                None
            );
            assert!(text.contains("b\n\tc"), "lines and columns stay");
        }
    }

    #[test]
    fn text_is_for_people_and_json_for_programs() {
        let (output, out, err) = Output::captured(false);
        output.emit(&7, || "seven".to_owned());
        output.note("beside");
        assert_eq!(
            (out.text().as_str(), err.text().as_str()),
            ("seven\n", "beside\n")
        );
        let (output, out, err) = Output::captured(true);
        output.emit(&7, || "seven".to_owned());
        output.line("only for people");
        output.note("beside");
        assert_eq!((out.text().as_str(), err.text().as_str()), ("7\n", ""));
    }

    #[test]
    fn documents_stand_beside_the_text_and_say_the_same() {
        let (output, out, _) = Output::captured(false);
        let documents = Captured::default();
        let output = output.with_documents(documents.clone());
        output.emit(&7, || "seven".to_owned());
        output.error(&CliError::Usage("which?".into()));
        assert_eq!(out.text(), "seven\n");
        let lines: Vec<serde_json::Value> = documents
            .text()
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(lines[0], 7);
        assert_eq!(lines[1]["error"]["what"], "which?");
    }

    #[test]
    fn only_a_typed_yes_is_a_yes_and_nobody_is_asked_who_is_not_there() {
        let (output, out, err) = Output::captured(false);
        assert!(!output.can_ask() && !output.ask("Meant so?"));
        let output = output.with_answers(io::Cursor::new("y\nno\n\nYES\n"));
        let answers: Vec<bool> = (0..5).map(|_| output.ask("Meant so?")).collect();
        assert_eq!(answers, [true, false, false, true, false]);
        assert!(out.text().is_empty() && err.text().contains("Meant so? [y/N]"));
        assert!(!output.with_json(true).can_ask());
    }

    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_noticed_and_disturbs_nobody() {
        let output = Output::to(false, Gone, io::sink());
        assert!(!output.is_closed());
        output.line("a word");
        assert!(output.is_closed());
    }
}
