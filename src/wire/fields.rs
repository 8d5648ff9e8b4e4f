//! The fields of a place that a reason may name when a revision is returned: words for people, and the JSON pointers into
//! the part `place` that stand in the statement's sealed part. What names no field is refused, with the list of those that
//! exist, so that nobody mends what nobody meant.

use super::problem::{Problem, ProblemKind};

/// A word for people, and the pointer that it means.
pub const FIELDS: &[(&str, &str)] = &[
    ("position", "/geometry"),
    ("name", "/properties/name"),
    ("name_local", "/properties/name_local"),
    ("category", "/properties/category"),
    ("relation", "/properties/relation"),
    ("buffer", "/properties/buffer_m"),
    ("from", "/properties/window/from"),
    ("until", "/properties/window/until"),
    ("waypoints", "/properties/waypoints"),
    ("half_width", "/properties/half_width_m"),
    ("pcode", "/properties/pcode"),
    ("country", "/properties/country"),
    ("marking", "/properties/marking"),
    ("infrared", "/properties/infrared"),
    ("accuracy", "/properties/accuracy_m"),
    ("source", "/properties/source"),
    ("reference", "/properties/reference"),
    ("note", "/properties/note"),
    ("as_typed", "/properties/typed"),
    ("window_as_typed", "/properties/window_typed"),
    ("window", "/properties/window"),
];

/// Members of a waypoint that may be named behind its number.
const OF_WAYPOINT: &[&str] = &["at", "depart", "slack_s", "name", "typed"];

/// The pointer that a person means: `position`, `/place/position`, `/geometry`, `/properties/waypoints/1/at`.
///
/// # Errors
/// `unknown-field`, with those that exist.
pub fn pointer(text: &str) -> Result<String, Problem> {
    let bare = text.strip_prefix("/place").unwrap_or(text);
    let word = bare.strip_prefix('/').unwrap_or(bare);
    let (word, rest) = match word.split_once('/') {
        Some((word, rest)) => (word, format!("/{rest}")),
        None => (word, String::new()),
    };
    let named = FIELDS.iter().find(|(known, _)| *known == word);
    let meant = match named {
        Some((_, pointer)) => format!("{pointer}{rest}"),
        None => bare.to_owned(),
    };
    if is_field(&meant) {
        Ok(meant)
    } else {
        Err(unknown())
    }
}

/// Whether a pointer names a field: one of the list, or something within it that a place may hold.
pub fn is_field(pointer: &str) -> bool {
    FIELDS
        .iter()
        .any(|(_, known)| match pointer.strip_prefix(known) {
            Some("") => true,
            Some(rest) if *known == "/geometry" => is_coordinate(rest),
            Some(rest) if *known == "/properties/waypoints" => is_waypoint(rest),
            _ => false,
        })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit())
}

/// `/coordinates`, and numbers behind it.
fn is_coordinate(rest: &str) -> bool {
    let Some(indices) = rest.strip_prefix("/coordinates") else {
        return false;
    };
    indices.is_empty() || indices.starts_with('/') && indices.split('/').skip(1).all(is_number)
}

/// `/1`, and a member of that waypoint behind it.
fn is_waypoint(rest: &str) -> bool {
    let mut parts = rest.split('/').skip(1);
    parts.next().is_some_and(is_number)
        && parts
            .next()
            .is_none_or(|member| OF_WAYPOINT.contains(&member))
        && parts.next().is_none()
}

/// What a pointer is called, for people; the pointer itself where it has no word.
pub fn word(pointer: &str) -> &str {
    FIELDS
        .iter()
        .find(|(_, known)| *known == pointer)
        .map_or(pointer, |(word, _)| *word)
}

/// The refusal, with the fields that exist.
pub fn unknown() -> Problem {
    let words: Vec<&str> = FIELDS.iter().map(|(word, _)| *word).collect();
    Problem::new(ProblemKind::UnknownField).detail(format!("the fields are: {}", words.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_named_by_its_word_or_its_pointer_and_what_names_none_is_refused_with_the_list() {
        for (text, expected) in [
            ("position", "/geometry"),
            ("/place/position", "/geometry"),
            ("/place/geometry/coordinates/3", "/geometry/coordinates/3"),
            ("/geometry", "/geometry"),
            ("name", "/properties/name"),
            ("/properties/name", "/properties/name"),
            ("/place/waypoints/2/at", "/properties/waypoints/2/at"),
            ("until", "/properties/window/until"),
        ] {
            assert_eq!(pointer(text).expect(text), expected);
            assert!(is_field(expected), "{expected}");
        }
        for text in [
            "",
            "/place",
            "colour",
            "/geometry/type",
            "/properties/name/0",
            "/properties/waypoints/x",
            "/properties/waypoints/1/colour",
            "/geometryx",
        ] {
            let problem = pointer(text).expect_err(text);
            assert_eq!(problem.kind(), Some(ProblemKind::UnknownField));
            let detail = problem.body().detail.clone().unwrap_or_default();
            assert!(detail.contains("position, name, name_local"), "{detail}");
        }
    }

    #[test]
    fn every_word_stands_for_one_field_and_is_found_again() {
        for (said, pointed) in FIELDS {
            assert_eq!(pointer(said).expect("known"), *pointed);
            assert_eq!(word(pointed), *said);
        }
    }
}
