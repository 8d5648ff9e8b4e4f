//! The tables as people read them: Mermaid state diagrams (GitHub draws them) and Markdown tables, for docs/protocol.md.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::{
    ACK, ACTOR, CALL, Cell, DEVICE, MOVEMENT, Machine, NOTIFICATION, REVISION, SCREENING,
    SIGNATURE, SITE, THREAD,
};

/// One machine as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// Its name, a slug.
    pub name: &'static str,
    /// Markdown: a diagram, and the table.
    pub text: String,
}

/// All machines.
pub fn drawings() -> Vec<Drawn> {
    vec![
        drawn(&NOTIFICATION),
        drawn(&REVISION),
        drawn(&SCREENING),
        drawn(&SIGNATURE),
        drawn(&ACK),
        drawn(&THREAD),
        drawn(&CALL),
        drawn(&MOVEMENT),
        drawn(&SITE),
        drawn(&ACTOR),
        drawn(&DEVICE),
    ]
}

fn drawn<S, E, const ROW: usize>(machine: &Machine<S, E, ROW>) -> Drawn
where
    S: Copy + Eq + Ord + Display,
    E: Copy + Eq + Display,
{
    let mut text = diagram(machine);
    text.push('\n');
    text.push_str(&table(machine));
    Drawn {
        name: machine.name,
        text,
    }
}

/// The states before there is one and after it, and all between, with what moves them. Events that lead the same way
/// share an arrow; what leaves a state as it is has none, the table says it.
fn diagram<S, E, const ROW: usize>(machine: &Machine<S, E, ROW>) -> String
where
    S: Copy + Eq + Ord + Display,
    E: Copy + Eq + Display,
{
    if let Some(drawn) = any_follows_any(machine) {
        return drawn;
    }
    let mut arrows: BTreeMap<(Option<S>, S), Vec<String>> = BTreeMap::new();
    let from = || std::iter::once(None).chain(machine.states.iter().copied().map(Some));
    for from in from() {
        for (event, _) in machine.rows {
            let Ok(step) = machine.next(from, *event) else {
                continue;
            };
            if from == Some(step.to) && step.says.is_none() {
                continue;
            }
            let alert = step.says.map(|says| format!(" (alert {says})"));
            // A colon ends a label's beginning in Mermaid.
            let label = event.to_string().replace(':', "");
            let label = [label, alert.unwrap_or_default()].concat();
            arrows.entry((from, step.to)).or_default().push(label);
        }
    }
    let mut out = "```mermaid\nstateDiagram-v2\n".to_owned();
    for ((from, to), labels) in &arrows {
        let from = from.map_or("[*]".to_owned(), |s| s.to_string());
        line(
            &mut out,
            format_args!("    {from} --> {to}: {}", labels.join("; ")),
        );
    }
    for end in machine.states {
        let moves = arrows
            .keys()
            .any(|(from, to)| *from == Some(*end) && to != end);
        if !moves {
            line(&mut out, format_args!("    {end} --> [*]"));
        }
    }
    out.push_str("```\n");
    out
}

/// Where each event leads to one state from everywhere, arrows between all of them would show nothing.
fn any_follows_any<S, E, const ROW: usize>(machine: &Machine<S, E, ROW>) -> Option<String>
where
    S: Copy + Eq + Display,
{
    let same = |cells: &[Cell<S>; ROW]| {
        let to = cells.first().filter(|cell| matches!(cell, Cell::To(_)));
        to.is_some_and(|to| cells.iter().all(|cell| cell == to))
    };
    if !machine.rows.iter().all(|(_, cells)| same(cells)) {
        return None;
    }
    let mut out = "```mermaid\nstateDiagram-v2\n    state \"said: any may follow any\" as said {\n"
        .to_owned();
    for state in machine.states {
        line(&mut out, format_args!("        {state}"));
    }
    out.push_str("    }\n    [*] --> said: the first word\n    said --> said: another\n```\n");
    Some(out)
}

fn table<S, E, const ROW: usize>(machine: &Machine<S, E, ROW>) -> String
where
    S: Copy + Eq + Display,
    E: Copy + Eq + Display,
{
    let mut out = "| what happens | before |".to_owned();
    for state in machine.states {
        line_end(&mut out, format_args!(" `{state}` |"));
    }
    out.push('\n');
    out.push('|');
    out.push_str(&"---|".repeat(ROW + 1));
    out.push('\n');
    for (event, cells) in machine.rows {
        line_end(&mut out, format_args!("| {event} |"));
        let states = std::iter::once(None).chain(machine.states.iter().map(Some));
        for (from, cell) in states.zip(cells) {
            let said = match cell {
                Cell::To(to) if from == Some(to) => "stays".to_owned(),
                Cell::To(to) => format!("→ `{to}`"),
                Cell::Says(to, says) if from == Some(to) => format!("stays; alert `{says}`"),
                Cell::Says(to, says) => format!("→ `{to}`; alert `{says}`"),
                Cell::Not(refusal) => format!("refused: `{refusal}`"),
                Cell::Never => "–".to_owned(),
            };
            line_end(&mut out, format_args!(" {said} |"));
        }
        out.push('\n');
    }
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    line_end(out, text);
    out.push('\n');
}

fn line_end(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.push_str(&text.to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/protocol.md");

    /// The document with what stands between the marks of each machine made anew.
    fn drawn_into(document: &str) -> String {
        let mut out = document.to_owned();
        for Drawn { name, text } in drawings() {
            let (begin, end) = (
                format!("<!-- machine: {name} -->\n"),
                format!("<!-- end: {name} -->\n"),
            );
            let (before, rest) = out
                .split_once(&begin)
                .unwrap_or_else(|| panic!("docs/protocol.md has no region {begin}"));
            let (_, after) = rest
                .split_once(&end)
                .unwrap_or_else(|| panic!("docs/protocol.md has no region {end}"));
            out = [before, &begin, &text, &end, after].concat();
        }
        out
    }

    #[test]
    fn the_state_tables_in_the_protocol_are_those_that_the_server_decides_by() {
        let written = std::fs::read_to_string(DOCUMENT).expect("docs/protocol.md exists");
        let made = drawn_into(&written);
        if std::env::var_os("HERALD_BLESS").is_some() {
            std::fs::write(DOCUMENT, &made).expect("docs is writable");
            return;
        }
        assert!(
            written == made,
            "docs/protocol.md differs from the tables of domain::machine: run with HERALD_BLESS=1"
        );
    }

    #[test]
    fn no_word_of_a_diagram_reads_as_permission_or_end_of_protection() {
        for drawn in drawings() {
            for word in ["approv", "clear", "verif", "permi", "safe", "expire"] {
                assert!(!drawn.text.contains(word), "{}: {word}", drawn.name);
            }
        }
    }
}
