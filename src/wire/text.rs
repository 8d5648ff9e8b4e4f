//! Free text of statements and parts: what would move a reader's cursor, forge a line or turn the order of letters is
//! refused by whoever signs and by the server at the door, by its place and never by its value, so that no desk has to
//! trust every program that shows it.

use serde_json::Value;

use super::member::shown;
use super::problem::{Problem, ProblemKind};
use crate::domain::text::{Lines, first_unruly, is_blank};

/// Members whose text may have several lines: people's own words, and what somebody typed or pasted.
const SEVERAL_LINES: &[&str] = &[
    "alleges",
    "note",
    "question",
    "reason",
    "text",
    "typed",
    "window_typed",
];
/// The member whose entries belong to a geometry's positions, one to each.
const WAYPOINTS: &str = "waypoints";

/// Holds every text in a value against the rule. Nested as deeply as strict parsing allows, which is not deep.
///
/// # Errors
/// `invalid-member`, with the pointer and, of a waypoint, the vertex.
pub fn check(value: &Value, pointer: &str) -> Result<(), Problem> {
    member(value, pointer, "")
}

fn member(value: &Value, pointer: &str, name: &str) -> Result<(), Problem> {
    match value {
        Value::String(text) => {
            let lines = if SEVERAL_LINES.contains(&name) {
                Lines::Many
            } else {
                Lines::One
            };
            match first_unruly(text, lines) {
                Some(at) => Err(refused(pointer, at, lines)),
                None if lines == Lines::One && is_blank(text) => Err(blank(pointer)),
                None => Ok(()),
            }
        }
        Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
            member(item, &format!("{pointer}/{index}"), name).map_err(
                |problem| match u64::try_from(index) {
                    Ok(vertex) if name == WAYPOINTS => problem.vertex(vertex),
                    Ok(_) | Err(_) => problem,
                },
            )
        }),
        Value::Object(members) => members.iter().try_for_each(|(name, value)| {
            member(value, &format!("{pointer}/{}", shown(name)), name)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn refused(pointer: &str, at: usize, lines: Lines) -> Problem {
    let also = match lines {
        Lines::One => ", a tab or a line break",
        Lines::Many => "",
    };
    Problem::new(ProblemKind::InvalidMember)
        .detail(format!(
            "character {at} of this text is a control character{also}, or turns the direction of the text around it"
        ))
        .action("Take the character out; it may have come along with a copy from another program.")
        .pointer(pointer)
}

fn blank(pointer: &str) -> Problem {
    Problem::new(ProblemKind::InvalidMember)
        .detail("this text has characters, and none of them shows")
        .action("Write it with letters or digits that can be read out, or leave the member out.")
        .pointer(pointer)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_that_steers_a_terminal_is_refused_by_its_place_and_not_repeated() {
        for (value, pointer, vertex) in [
            (
                json!({"properties": {"name": "Kunduz\u{1b}[2J"}}),
                "/place/properties/name",
                None,
            ),
            (
                json!({"properties": {"name": "Kunduz\nHospital"}}),
                "/place/properties/name",
                None,
            ),
            (json!({"note": "Kunduz\u{202e}"}), "/place/note", None),
            (
                json!({"waypoints": [{"name": "a"}, {"name": "Kunduz\u{7}"}]}),
                "/place/waypoints/1/name",
                Some(1),
            ),
            (json!({"Kunduz!": "\u{7}"}), "/place/*", None),
            (
                json!({"properties": {"name": "\u{200b}\u{e0041}"}}),
                "/place/properties/name",
                None,
            ),
        ] {
            let problem = check(&value, "/place").expect_err("refused");
            assert_eq!(problem.kind(), Some(ProblemKind::InvalidMember));
            assert_eq!(problem.body().pointer.as_deref(), Some(pointer));
            assert_eq!(problem.body().vertex, vertex);
            assert!(!problem.to_string().contains("Kunduz"));
        }
    }

    #[test]
    fn words_of_every_script_and_notes_of_several_lines_pass() {
        let value = json!({
            "name": "Hôpital", "name_local": "مستشفى السبعين می\u{200c}خواهم",
            "note": "one\n\ttwo", "typed": "36.7\n68.8", "reasons": [{"text": "a\nb"}], "n": [1, null, true],
        });
        check(&value, "").expect("passes");
    }
}
