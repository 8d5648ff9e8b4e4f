//! A telephone number: international form (ITU-T E.164), as people write it and as it is dialled. Duty numbers and the
//! coordinator's number stand in answers to checks, so one that nobody can dial is refused where it is registered.

/// The fewest digits, country code included: shorter ones are no numbers that answer from abroad.
const DIGITS_LEAST: usize = 6;
/// The most digits, country code included (ITU-T E.164).
const DIGITS_MOST: usize = 15;
/// The longest text, in bytes, with what people put between digits.
const TEXT_MOST: usize = 32;

/// What a number looks like.
pub const FORM: &str = "a telephone number in international form: + and the country's code, 6 to 15 digits in all; spaces, hyphens and brackets may stand between";

/// The number as it is dialled, `+` and digits; none when the text is no number in international form.
pub fn dialled(text: &str) -> Option<String> {
    let plain: String = text
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '/' | '.'))
        .collect();
    let digits = plain.strip_prefix('+')?;
    let fits = text.len() <= TEXT_MOST
        && (DIGITS_LEAST..=DIGITS_MOST).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && !digits.starts_with('0');
    fits.then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_as_people_write_it_and_one_without_its_country_is_asked_again() {
        for text in ["+96777000111", "+967 (77) 000-111", "+967/77.000.111"] {
            assert_eq!(dialled(text).as_deref(), Some("+96777000111"), "{text}");
        }
        for bad in [
            "077000111",
            "+12",
            "+96777x00111",
            "",
            "+",
            "+096777000111",
            "+1234567890123456",
            "+9677\u{661}000111",
            "+1                                23456",
        ] {
            assert_eq!(dialled(bad), None, "{bad}");
        }
        assert!(
            dialled("+123456789012345").is_some(),
            "fifteen digits are the most"
        );
    }
}
