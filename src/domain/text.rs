//! What free text may hold: letters of every script, and nothing that moves a cursor, ends a line that is one, or turns
//! the order of what stands around it. The server refuses other text and the client never shows it, by this one rule.

/// Whether text is a name or the like, or may have several lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// One line: a name, a number, a word.
    One,
    /// Several: a note, a reason, or what somebody typed or pasted, with line feeds and tabs between.
    Many,
}

/// Whether a character moves the cursor, ends a line, or overrides the order of what stands around it (the control
/// characters, Unicode category Cc; the line and paragraph separators; the embeddings, overrides and isolates of Unicode
/// Standard Annex #9): what somebody else wrote could forge a line with it, or hide one. The joiners and the plain marks of
/// direction, without which some scripts cannot be written, are none.
pub fn is_unruly(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Which character of a text, counted from 1, may not stand in it.
pub fn first_unruly(text: &str, lines: Lines) -> Option<usize> {
    let between = |c| lines == Lines::Many && matches!(c, '\n' | '\t');
    text.chars()
        .position(|c| is_unruly(c) && !between(c))
        .map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_every_script_passes_with_the_marks_that_it_needs() {
        for text in [
            "Médecins Sans Frontières",
            "مستشفى السبعين - صنعاء",
            "می\u{200c}خواهم",
            "क\u{094d}\u{200d}ष",
            "نقطة\u{200f} (A)\u{200e}",
            "🏥",
        ] {
            assert_eq!(first_unruly(text, Lines::One), None, "{text}");
        }
    }

    #[test]
    fn what_forges_or_hides_a_line_is_named_by_its_place() {
        for bad in [
            '\0', '\u{7}', '\u{1b}', '\r', '\u{7f}', '\u{9b}', '\u{2028}', '\u{202e}', '\u{2066}',
        ] {
            let text = format!("ab{bad}c");
            assert_eq!(first_unruly(&text, Lines::One), Some(3), "{bad:?}");
            assert_eq!(first_unruly(&text, Lines::Many), Some(3), "{bad:?}");
        }
        assert_eq!(first_unruly("ab\n\tc", Lines::One), Some(3));
        assert_eq!(first_unruly("ab\n\tc", Lines::Many), None);
    }
}
