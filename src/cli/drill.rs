//! An exercise must never be taken for the real thing: whatever a command says or writes in one begins with that word, and
//! every JSON document with the member `mode`. Marked in one place, so that no command can forget it.

use std::borrow::Cow;

use serde_json::Value;

/// What stands in front.
pub const WORD: &str = "EXERCISE";

/// A text for people, with the word in front; on a line of its own where the text has several.
pub fn text(text: &str) -> Cow<'_, str> {
    if text.is_empty() || text.trim_start().starts_with(WORD) {
        return Cow::Borrowed(text);
    }
    let several = text.trim_end_matches('\n').contains('\n');
    let between = if several { '\n' } else { ' ' };
    Cow::Owned(format!("{WORD}{between}{text}"))
}

/// A JSON document, with `mode` in front if it is an object that does not say its mode.
pub fn document(json: String) -> String {
    let says_it = match serde_json::from_str::<Value>(&json) {
        Ok(Value::Object(members)) => members.contains_key("mode"),
        Ok(_) | Err(_) => true,
    };
    match json.strip_prefix('{') {
        Some("}") if !says_it => r#"{"mode":"exercise"}"#.to_owned(),
        Some(rest) if !says_it => format!(r#"{{"mode":"exercise",{rest}"#),
        _ => json,
    }
}

/// A page to print, with the word in its title and above everything else.
pub fn page(html: &str) -> String {
    html.replacen("<title>", &format!("<title>{WORD} "), 1)
        .replacen(
            "<body>",
            &format!(
                "<body>\n<p style=\"border:3px solid #111;padding:.4em;font-weight:bold;text-align:center\">{WORD}</p>"
            ),
            1,
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_drill_says_begins_with_the_word_and_says_it_once() {
        assert_eq!(text("One line.\n"), "EXERCISE One line.\n");
        assert_eq!(text("One\nand another\n"), "EXERCISE\nOne\nand another\n");
        assert_eq!(text(&text("One line.")), "EXERCISE One line.");
        assert_eq!(text(""), "");
    }

    #[test]
    fn a_document_of_a_drill_says_its_mode_first_and_once() {
        let marked = |json: &str| document(json.to_owned());
        assert_eq!(marked(r#"{"a":1}"#), r#"{"mode":"exercise","a":1}"#);
        assert_eq!(marked("{}"), r#"{"mode":"exercise"}"#);
        let whole = marked(r#"{"a":{"mode":"x"}}"#);
        assert_eq!(whole, r#"{"mode":"exercise","a":{"mode":"x"}}"#);
        assert_eq!(marked(&whole), whole);
        assert_eq!(marked("[1]"), "[1]");
    }

    #[test]
    fn a_page_of_a_drill_says_so_above_everything() {
        let marked = page("<title>HN</title><body>\n<h1>HN</h1></body>");
        assert!(marked.starts_with("<title>EXERCISE HN</title><body>"));
        assert!(marked.find(">EXERCISE</p>") < marked.find("<h1>"));
    }
}
