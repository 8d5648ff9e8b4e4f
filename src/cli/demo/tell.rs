//! How the story is told: chapters, prose, commands as a person would type them, and what they said; nothing wider than a
//! hundred columns, bold only on a terminal.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::cli::output::Output;

/// The widest line.
const WIDTH: usize = 100;
/// Before a command.
const COMMAND: &str = "  ";
/// Before what a command said.
const SAID: &str = "    | ";
/// Lines shown of one output; more are counted.
const LINES: usize = 40;

/// The teller.
pub struct Tell {
    out: Output,
    bold: bool,
    /// Whether the last thing was a command's output: prose then begins after an empty line.
    after_output: AtomicBool,
    /// Chapters that have begun.
    chapters: AtomicUsize,
}

impl Tell {
    /// To whoever reads the program's output.
    pub fn to(out: Output) -> Self {
        Self {
            out,
            bold: std::io::stdout().is_terminal(),
            after_output: AtomicBool::new(false),
            chapters: AtomicUsize::new(0),
        }
    }

    /// A chapter begins.
    pub fn chapter(&self, title: &str) {
        let number = self.chapters.fetch_add(1, Ordering::Relaxed) + 1;
        self.after_output.store(false, Ordering::Relaxed);
        self.out.line(String::new());
        self.out.line(self.bold(&format!("{number}. {title}")));
    }

    /// The title of the whole.
    pub fn title(&self, text: &str) {
        self.after_output.store(false, Ordering::Relaxed);
        self.out.line(self.bold(text));
    }

    /// What happens and why it matters.
    pub fn says(&self, text: &str) {
        if self.after_output.swap(false, Ordering::Relaxed) {
            self.out.line(String::new());
        }
        for line in wrap(text, WIDTH) {
            self.out.line(line);
        }
    }

    /// Lines that are kept as they are.
    pub fn plain(&self, text: &str) {
        self.out.line(text);
    }

    /// A command, and who types it.
    pub fn command(&self, who: &str, words: &[String]) {
        let mut line = format!("{COMMAND}{who}$ herald");
        for word in options_with_their_values(words) {
            if columns(&line) + 1 + columns(&word) + 2 > WIDTH {
                self.out.line(self.bold(&format!("{line} \\")));
                line = format!("{COMMAND}  ");
            }
            line = format!("{line} {word}");
        }
        self.out.line(self.bold(&line));
    }

    /// What a command said.
    pub fn said(&self, text: &str) {
        self.after_output.store(true, Ordering::Relaxed);
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        for (shown, line) in lines.enumerate() {
            if shown == LINES {
                let more = text.lines().count().saturating_sub(shown);
                self.out.line(format!("{SAID}… {more} more lines"));
                return;
            }
            let indent: String = line.chars().take_while(|c| *c == ' ').collect();
            let room = WIDTH
                .saturating_sub(columns(SAID) + columns(&indent))
                .max(20);
            for (index, piece) in wrap(line.trim(), room).into_iter().enumerate() {
                let hang = if index == 0 { "" } else { "  " };
                self.out.line(format!("{SAID}{indent}{hang}{piece}"));
            }
        }
    }

    fn bold(&self, text: &str) -> String {
        if self.bold {
            format!("\u{1b}[1m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// An option and its value stay on one line.
fn options_with_their_values(words: &[String]) -> Vec<String> {
    let mut chunks: Vec<String> = Vec::new();
    let mut takes_value = false;
    for word in words {
        match chunks.last_mut() {
            Some(option) if takes_value && !word.starts_with("--") => {
                option.push(' ');
                option.push_str(word);
                takes_value = false;
            }
            _ => {
                takes_value = word.starts_with("--");
                chunks.push(word.clone());
            }
        }
    }
    chunks
}

fn columns(text: &str) -> usize {
    text.chars().count()
}

/// Breaks at spaces, so that no line is wider than `width` unless one word alone is; the hanging indent of continued lines
/// (two columns) is counted.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let room = if lines.is_empty() {
            width
        } else {
            width.saturating_sub(2)
        };
        if !line.is_empty() && columns(&line) + 1 + columns(word) > room {
            lines.push(std::mem::take(&mut line));
        } else if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// A word of a command line as a shell would need it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:,=+@*".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else if word.contains('"') {
        format!("'{}'", word.replace('\'', "'\\''"))
    } else {
        format!("\"{word}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_the_width_unless_a_word_is() {
        let text = "one two three four five six seven eight nine ten ".repeat(20);
        for line in wrap(&text, 30) {
            assert!(columns(&line) <= 30, "{line}");
        }
        assert_eq!(wrap(&"x".repeat(50), 30), ["x".repeat(50)]);
    }

    #[test]
    fn an_option_keeps_its_value() {
        let words = [
            "init", "--dir", "server", "--strict", "--at", "1, 2", "more",
        ];
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(
            options_with_their_values(&words),
            ["init", "--dir server", "--strict", "--at 1, 2", "more"]
        );
    }

    #[test]
    fn words_are_quoted_as_a_shell_needs_them() {
        assert_eq!(quoted("--strict"), "--strict");
        assert_eq!(quoted("Maj. Karim"), "\"Maj. Karim\"");
        assert_eq!(quoted("36°43'4.91\"N"), "'36°43'\\''4.91\"N'");
        assert_eq!(quoted(""), "\"\"");
    }
}
