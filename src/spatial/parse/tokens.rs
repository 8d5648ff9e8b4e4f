//! From characters to tokens: the digits, marks, letters and separators that people use for coordinates, in Latin,
//! Cyrillic and Arabic script. Every token keeps the column it came from, so that an error can point at it.
//!
//! Marks follow common practice and ISO 6709 Annex D; Arabic-Indic (U+0660) and Eastern Arabic (U+06F0) digits, the
//! Arabic decimal separator (U+066B) and comma (U+060C) are read as their Latin counterparts.

use super::Unreadable;

/// Longest number that is read, in digits: no position needs more, and it bounds the work.
const MAX_DIGITS: usize = 15;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    Lat,
    Lon,
}

impl Axis {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Lat => "latitude",
            Self::Lon => "longitude",
        }
    }

    pub(super) fn letters(self) -> &'static str {
        match self {
            Self::Lat => "N or S",
            Self::Lon => "E or W",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hemisphere {
    North,
    South,
    East,
    West,
    /// The Arabic letter ش alone: north (شمال) or east (شرق), decided by the other axis.
    NorthOrEast,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unit {
    Degrees,
    Minutes,
    Seconds,
}

/// A number as typed: `36.43491` is whole `36`, fraction `43491`.
#[derive(Clone, PartialEq)]
pub(super) struct Number {
    pub(super) whole: String,
    pub(super) fraction: String,
}

impl Number {
    pub(super) fn value(&self) -> f64 {
        // At most 2 × MAX_DIGITS ASCII digits: always a finite number.
        format!("{}.{}0", self.whole, self.fraction)
            .parse()
            .unwrap_or(f64::INFINITY)
    }
}

#[derive(Clone, PartialEq)]
pub(super) enum Kind {
    Number(Number),
    /// `letter` when it was written as a letter or word (`d`, `min`), not as a mark.
    Unit {
        unit: Unit,
        letter: bool,
    },
    Hemisphere(Hemisphere),
    /// A lone `s` or `S`: seconds or south, by what stands around it.
    LetterS {
        upper: bool,
    },
    /// `lat`, `longitude:` and their like.
    Label(Axis),
    Sign {
        minus: bool,
    },
    /// Comma, semicolon, slash, line break: between the two coordinates.
    Separator,
    /// `:` or `-` tight between two numbers: they belong to one coordinate.
    Joint,
    /// A word that says nothing here, such as “coordinates”.
    Noise,
}

#[derive(Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) column: usize,
}

/// How a comma tight between two digits is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Comma {
    Decimal,
    Separator,
}

/// The character as the rest of the code sees it: Latin digits, one kind of space, comma, minus; `None` for marks of
/// writing direction and zero-width characters, which people paste without seeing them.
pub(super) fn canonical(c: char) -> Option<char> {
    let folded = match c {
        '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{2069}'
        | '\u{FEFF}'
        | '\u{061C}'
        | '\u{0640}' => {
            return None;
        }
        '\u{064B}'..='\u{0652}' => return None,
        '\u{0660}'..='\u{0669}' => digit(u32::from(c) - 0x0660),
        '\u{06F0}'..='\u{06F9}' => digit(u32::from(c) - 0x06F0),
        '\u{FF10}'..='\u{FF19}' => digit(u32::from(c) - 0xFF10),
        '\u{066B}' => '.',
        '\u{060C}' | '\u{FF0C}' => ',',
        '\u{2212}' | '\u{2010}'..='\u{2015}' | '\u{FE63}' | '\u{FF0D}' => '-',
        '\u{061B}' | '\n' | '\r' => ';',
        c if c.is_whitespace() => ' ',
        c => c,
    };
    Some(folded)
}

fn digit(n: u32) -> char {
    char::from_digit(n, 10).unwrap_or('0')
}

/// A degree, minute or second mark.
fn mark(c: char) -> Option<Unit> {
    match c {
        '°' | 'º' | '˚' | '∘' | '⁰' | '◦' | 'ᵒ' => Some(Unit::Degrees),
        '\'' | '’' | '‘' | '′' | 'ʹ' | '`' | '´' | 'ʼ' | '‵' | '＇' | '‛' => {
            Some(Unit::Minutes)
        }
        '"' | '”' | '“' | '″' | '„' | '‟' | 'ʺ' | '˝' | '‶' | '＂' => {
            Some(Unit::Seconds)
        }
        _ => None,
    }
}

/// Characters that survive [`canonical`], with their columns (the first is 1).
pub(super) fn characters(text: &str) -> Vec<(char, usize)> {
    text.chars()
        .enumerate()
        .filter_map(|(i, c)| canonical(c).map(|c| (c, i + 1)))
        .collect()
}

/// Cuts the text into tokens; one pass, so the work is linear in its length.
pub(super) fn tokenize(text: &str, comma: Comma) -> Result<Vec<Token>, Unreadable> {
    let characters = characters(text);
    let mut lexer = Lexer {
        rest: &characters,
        previous: None,
        comma,
        signs_tight: starts_with_plus(&characters),
        out: Vec::new(),
    };
    while let Some(&(c, column)) = lexer.rest.first() {
        lexer.step(c, column)?;
    }
    Ok(lexer.out)
}

/// ISO 6709 writes `+36.71803-068.86221/`: there a minus tight between digits is a sign.
fn starts_with_plus(characters: &[(char, usize)]) -> bool {
    characters
        .iter()
        .find(|(c, _)| *c != ' ')
        .is_some_and(|(c, _)| *c == '+')
}

struct Lexer<'a> {
    rest: &'a [(char, usize)],
    previous: Option<char>,
    comma: Comma,
    signs_tight: bool,
    out: Vec<Token>,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest.get(ahead).map(|(c, _)| *c)
    }

    fn bump(&mut self) -> Option<char> {
        let ((c, _), rest) = self.rest.split_first()?;
        self.rest = rest;
        self.previous = Some(*c);
        Some(*c)
    }

    fn push(&mut self, kind: Kind, column: usize) {
        self.out.push(Token { kind, column });
    }

    fn between_digits(&self) -> bool {
        self.previous.is_some_and(|c| c.is_ascii_digit())
            && self.peek(1).is_some_and(|c| c.is_ascii_digit())
    }

    fn step(&mut self, c: char, column: usize) -> Result<(), Unreadable> {
        if c.is_ascii_digit() {
            return self.number(column);
        }
        if let Some(unit) = mark(c) {
            self.bump();
            let doubled =
                unit == Unit::Minutes && self.peek(0).and_then(mark) == Some(Unit::Minutes);
            if doubled {
                self.bump();
            }
            let unit = if doubled { Unit::Seconds } else { unit };
            self.push(
                Kind::Unit {
                    unit,
                    letter: false,
                },
                column,
            );
            return Ok(());
        }
        if c.is_alphabetic() {
            return self.word(column);
        }
        self.symbol(c, column)
    }

    fn symbol(&mut self, c: char, column: usize) -> Result<(), Unreadable> {
        let tight = self.between_digits();
        let next = self.peek(1);
        match c {
            ',' | ';' | '/' | '|' => self.push(Kind::Separator, column),
            ':' if tight => self.push(Kind::Joint, column),
            ' ' | '(' | ')' | '[' | ']' | '=' | ':' => {}
            '-' if tight && !self.signs_tight => self.push(Kind::Joint, column),
            '-' | '+' if next.is_some_and(|n| n.is_ascii_digit()) => {
                self.push(Kind::Sign { minus: c == '-' }, column);
            }
            '-' => {
                return Err(Unreadable::new(
                    "lone-dash",
                    column,
                    "this dash can be a minus or a separator. Put a minus right before its number, or use a comma between the two coordinates",
                ));
            }
            '.' if next.is_none_or(|n| n == ' ')
                && self.rest.iter().skip(1).all(|(c, _)| *c == ' ') => {}
            '.' => {
                return Err(Unreadable::new(
                    "stray-point",
                    column,
                    "this point does not belong to a number. Write decimals like 36.71803, with digits on both sides and no space",
                ));
            }
            _ => {
                return Err(Unreadable::new(
                    "unknown-character",
                    column,
                    format!(
                        "“{}” is not part of a coordinate. Type one like 36.71803, 68.86221 or 36°43'4.91\"N 68°51'43.96\"E or 42SVF8769463602",
                        c.escape_debug()
                    ),
                ));
            }
        }
        self.bump();
        Ok(())
    }

    fn number(&mut self, column: usize) -> Result<(), Unreadable> {
        let whole = self.digits();
        let has_point = match self.peek(0) {
            Some('.') => true,
            Some(',') => self.comma == Comma::Decimal,
            _ => false,
        } && self.peek(1).is_some_and(|c| c.is_ascii_digit());
        let mut fraction = String::new();
        if has_point {
            self.bump();
            fraction = self.digits();
        }
        if whole.len() > MAX_DIGITS || fraction.len() > MAX_DIGITS {
            return Err(Unreadable::new(
                "too-many-digits",
                column,
                "this number has too many digits; seven decimals of a degree are a centimetre",
            ));
        }
        self.push(Kind::Number(Number { whole, fraction }), column);
        Ok(())
    }

    fn digits(&mut self) -> String {
        let mut out = String::new();
        while let Some(c) = self.peek(0).filter(char::is_ascii_digit) {
            out.push(c);
            self.bump();
        }
        out
    }

    /// A run of letters, with the points of abbreviations (`с.ш.`) left out.
    fn word(&mut self, column: usize) -> Result<(), Unreadable> {
        let mut word = String::new();
        while let Some(c) = self
            .peek(0)
            .filter(|c| *c == '.' || (c.is_alphabetic() && mark(*c).is_none()))
        {
            if c != '.' {
                word.push(c);
            }
            self.bump();
        }
        let lower = word.to_lowercase();
        if let Some(kind) = meaning(&lower, word.chars().all(char::is_uppercase)) {
            self.push(kind, column);
            return Ok(());
        }
        // `4.91sN`: the unit's letter and the hemisphere's, written together.
        let mut letters = word.chars();
        if let (Some(unit @ ('d' | 'm' | 's')), Some(letter), None) =
            (letters.next(), letters.next(), letters.next())
            && let Some(first) = meaning(&unit.to_string(), false)
            && let Some(second) = meaning(&letter.to_lowercase().to_string(), letter.is_uppercase())
        {
            self.push(first, column);
            self.push(second, column + 1);
            return Ok(());
        }
        Err(unknown_word(&lower, column))
    }
}

fn unknown_word(lower: &str, column: usize) -> Unreadable {
    if matches!(lower, "o" | "о") {
        return Unreadable::new(
            "ambiguous-hemisphere",
            column,
            "“O” is west in French and Spanish, east in German. Write E for east or W for west",
        );
    }
    Unreadable::new(
        "unknown-word",
        column,
        "this word is not part of a coordinate. Use N, S, E, W (or the words), or leave it out and type latitude, then longitude",
    )
}

/// What a lower-case word means, if anything.
fn meaning(lower: &str, upper: bool) -> Option<Kind> {
    use Hemisphere::{East, North, NorthOrEast, South, West};
    let kind = match lower {
        "n" | "north" | "nord" | "norte" | "с" | "сш" | "север" | "пн" | "пнш" | "північ"
        | "شمال" | "شمالا" | "الشمال" => Kind::Hemisphere(North),
        "south" | "sud" | "süd" | "sur" | "ю" | "юш" | "юг" | "пд" | "пдш" | "південь" | "ج"
        | "جنوب" | "جنوبا" | "الجنوب" => Kind::Hemisphere(South),
        "e" | "east" | "est" | "este" | "ost" | "в" | "вд" | "восток" | "сх" | "схд" | "схід"
        | "شرق" | "شرقا" | "الشرق" => Kind::Hemisphere(East),
        "w" | "west" | "ouest" | "oeste" | "з" | "зд" | "запад" | "зх" | "зхд" | "захід" | "غ"
        | "غرب" | "غربا" | "الغرب" => Kind::Hemisphere(West),
        "ش" => Kind::Hemisphere(NorthOrEast),
        "s" => Kind::LetterS { upper },
        "d" | "deg" | "degs" | "degree" | "degrees" | "град" | "درجة" => Kind::Unit {
            unit: Unit::Degrees,
            letter: true,
        },
        "m" | "min" | "mins" | "minute" | "minutes" | "мин" | "хв" | "دقيقة" => {
            Kind::Unit {
                unit: Unit::Minutes,
                letter: true,
            }
        }
        "sec" | "secs" | "second" | "seconds" | "сек" | "ثانية" => Kind::Unit {
            unit: Unit::Seconds,
            letter: true,
        },
        "lat" | "latitude" | "широта" | "العرض" | "عرض" => Kind::Label(Axis::Lat),
        "lon" | "long" | "lng" | "longitude" | "долгота" | "довгота" | "الطول" | "طول" => {
            Kind::Label(Axis::Lon)
        }
        // “с. ш.” with a space, “خط”, and headings.
        "ш" | "д" | "خط" | "coordinates" | "coordinate" | "coords" | "gps" | "position" => {
            Kind::Noise
        }
        _ => return None,
    };
    Some(kind)
}
