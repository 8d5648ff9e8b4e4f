//! What is printed: text as it is measured, and all of it as one line of JSON at the end.

use std::fs;
use std::io::Write as _;

use serde_json::{Map, Value, json};

use super::{Outcome, process};

/// The figures of a run.
pub struct Report(Map<String, Value>);

impl Report {
    /// Nothing yet.
    pub fn new() -> Self {
        Self(Map::new())
    }

    /// On what it is measured.
    pub fn machine(&mut self) -> Outcome<()> {
        let cores = std::thread::available_parallelism()?.get();
        let model = fs::read_to_string("/proc/cpuinfo")?;
        let model = model
            .lines()
            .find_map(|line| line.strip_prefix("model name"));
        let model = model
            .unwrap_or("")
            .trim_start_matches([' ', '\t', ':'])
            .to_owned();
        let load = process::load_average()?;
        say(&format!("{cores} cores, {model}; load average {load}"));
        self.0.insert(
            "machine".to_owned(),
            json!({"cores": cores, "model": model, "load_average": load}),
        );
        Ok(())
    }

    /// One figure.
    pub fn figure(&mut self, name: &str, value: f64, words: &str) {
        say(&format!("{words}: {value:.2}"));
        self.0.insert(name.to_owned(), json!(value));
    }

    /// Figures that may come more than once.
    pub fn figures(&mut self, name: &str, value: Value) {
        match self.0.entry(name).or_insert_with(|| json!([])) {
            Value::Array(list) => list.push(value),
            other => *other = value,
        }
    }

    /// Prints all of it for programs.
    pub fn end(&mut self) -> Outcome<()> {
        self.0.insert(
            "load_average_after".to_owned(),
            json!(process::load_average()?),
        );
        say(&serde_json::to_string(&self.0)?);
        Ok(())
    }
}

/// Prints a line.
pub fn say(text: &str) {
    // Whoever closed the output does not want it.
    writeln!(std::io::stdout(), "{text}").ok();
}

/// The middle one.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
