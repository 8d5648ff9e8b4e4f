//! Where in a body something is wrong, and what, said without repeating anything that the sender wrote: a name that is
//! not ours may be data, and serde quotes values.

use serde_path_to_error::{Path, Segment};

use super::problem::ProblemKind;

/// The longest member name that a pointer repeats.
const NAME_MAX: usize = 64;
/// The most digits of an index that a pointer repeats.
const INDEX_DIGITS_MAX: usize = 6;

/// What serde's words say of a member, as far as they may be repeated: its kind, and words for people. None for a value
/// that is not acceptable, which serde quotes.
pub fn fault(words: &str) -> Option<(ProblemKind, String)> {
    if words.starts_with("unknown field") {
        // What stands behind the last comma is a list of names of ours.
        let ours = words
            .rsplit_once(", expected ")
            .map_or("", |(_, ours)| ours);
        let mut said = "a name that is not defined here".to_owned();
        if !ours.is_empty() {
            said.push_str("; expected ");
            said.push_str(ours);
        }
        return Some((ProblemKind::UnknownMember, said));
    }
    if let Some(name) = quoted_after(words, "missing field") {
        return Some((ProblemKind::MissingMember, format!("{name} is missing")));
    }
    let name = quoted_after(words, "duplicate field")?;
    Some((
        ProblemKind::DuplicateMember,
        format!("{name} appears twice"),
    ))
}

/// The name in backquotes after `prefix`; serde writes only names from our own types there.
fn quoted_after<'a>(words: &'a str, prefix: &str) -> Option<&'a str> {
    words
        .strip_prefix(prefix)?
        .trim_start()
        .strip_prefix('`')?
        .split('`')
        .next()
}

/// A path as a JSON pointer (RFC 6901). Names that are not ours are shown as `*`: an unknown member's, and a map's key
/// that does not look like a member's name.
pub fn pointer(path: &Path, words: &str) -> String {
    let unknown = words
        .starts_with("unknown field")
        .then(|| path.iter().count().saturating_sub(1));
    let mut pointer = String::new();
    for (depth, segment) in path.iter().enumerate() {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } | Segment::Enum { variant: key } if unknown != Some(depth) => {
                pointer.push_str(shown(key));
            }
            Segment::Map { .. } | Segment::Enum { .. } | Segment::Unknown => pointer.push('*'),
        }
    }
    pointer
}

/// A pointer of which only segments of our form are shown.
pub fn masked(pointer: &str) -> String {
    pointer.split('/').map(shown).collect::<Vec<_>>().join("/")
}

/// A segment of a pointer as an answer may show it: an index or a member's name of our form, else `*`.
pub fn shown(segment: &str) -> &str {
    let name = segment.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let index = segment.len() <= INDEX_DIGITS_MAX && segment.bytes().all(|b| b.is_ascii_digit());
    if segment.len() <= NAME_MAX && (name || index) {
        segment
    } else {
        "*"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_the_sender_wrote_is_repeated() {
        let (kind, said) =
            fault("unknown field `Kunduz, expected `x`, expected one of `name`, `note`")
                .expect("a member");
        assert_eq!(kind, ProblemKind::UnknownMember);
        assert_eq!(
            said,
            "a name that is not defined here; expected one of `name`, `note`"
        );
        assert_eq!(fault("invalid type: string \"Kunduz\""), None);
        assert_eq!(masked("/place/36.7 68.8/3"), "/place/*/3");
    }
}
