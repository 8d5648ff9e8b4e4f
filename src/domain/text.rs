//! What free text may hold: letters of every script, and nothing that moves a cursor, ends a line that is one, or turns
//! the order of what stands around it. The server refuses other text and the client never shows it, by this one rule.

use unicode_normalization::UnicodeNormalization as _;

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

/// Whether a character shows nothing and takes no room: zero-width marks and joiners, fillers, variation selectors, and the
/// tag characters.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}' | '\u{1160}'
            | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Whether a text that has characters shows none of them: nobody can read such a name out, or tell it from another.
pub fn is_blank(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_whitespace() || is_invisible(c))
}

/// The form in which references that a person takes for the same are the same: compatible forms composed (NFKC, Unicode
/// Standard Annex #15), letters of one case, every dash a hyphen, digits of other scripts ASCII, nothing invisible, and
/// single spaces. For comparing alone; what is kept stays as it was typed.
pub fn reference_key(text: &str) -> String {
    let plain = text
        .nfkc()
        .filter(|c| !is_invisible(*c))
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .nfkc()
        .map(|c| if is_dash(c) { '-' } else { ascii_digit(c) })
        .collect::<String>();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The dashes (Unicode category Pd) and what is set for one.
const fn is_dash(c: char) -> bool {
    matches!(
        c,
        '\u{58a}' | '\u{5be}' | '\u{1400}' | '\u{1806}' | '\u{2010}'
            ..='\u{2015}'
                | '\u{2043}'
                | '\u{2212}'
                | '\u{2e17}'
                | '\u{2e1a}'
                | '\u{2e3a}'
                | '\u{2e3b}'
                | '\u{2e40}'
                | '\u{301c}'
                | '\u{3030}'
                | '\u{30a0}'
    )
}

/// Zero in the scripts whose digits people write references with; nine more follow each.
const ZEROS: [u32; 8] = [0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xe50, 0x1040, 0x17e0];

fn ascii_digit(c: char) -> char {
    let value = ZEROS
        .iter()
        .filter_map(|zero| u32::from(c).checked_sub(*zero))
        .find(|value| *value < 10);
    value
        .and_then(|value| char::from_digit(value, 10))
        .unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_that_look_alike_are_one_and_others_are_not() {
        for alike in [
            "A-1",
            "a-1",
            "A\u{2011}1",
            "A\u{2013}\u{661}",
            "A\u{2212}\u{6f1}",
            " A-1\u{200b} ",
            "\u{ff21}\u{ff0d}\u{ff11}",
            "A\u{e0041}-1",
            "a\u{200d}-1",
        ] {
            assert_eq!(reference_key(alike), "a-1", "{alike:?}");
        }
        assert_eq!(reference_key("STRASSE  9"), reference_key("stra\u{df}e 9"));
        assert_eq!(reference_key("e\u{301}1"), reference_key("\u{c9}1"));
        for other in ["A1", "A-11", "B-1", "A-1a", "A_1", "\u{623}-1"] {
            assert_ne!(reference_key(other), "a-1", "{other}");
        }
    }

    #[test]
    fn a_text_that_shows_nothing_is_blank_and_a_joiner_between_letters_is_not() {
        for blank in [
            " ",
            "\u{200b}",
            "\u{e0041}\u{e0042}",
            "\u{200c}\u{200d}",
            "\u{3164}",
            "\u{a0}\u{feff}",
        ] {
            assert!(is_blank(blank), "{blank:?}");
        }
        for shown in [
            "",
            "می\u{200c}خواهم",
            "क\u{94d}\u{200d}ष",
            "a\u{200b}",
            "🏥",
            "-",
        ] {
            assert!(!is_blank(shown), "{shown:?}");
        }
    }

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
