//! Finds in a heap of bytes what must not be there, in whatever plain encoding: as text, as doubles at any offset and in
//! either byte order, as hexadecimal, and as base64 or base64url at every alignment. One pass looks at two bytes to
//! decide whether to look closer; runs of hexadecimal and base64 are decoded and looked through likewise.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

/// Runs of hexadecimal or base64 shorter than this hold nothing that we look for.
const RUN_LEAST: usize = 10;
/// How often what was decoded is decoded again.
const DEPTH: usize = 2;
/// Doubles this close to a coordinate are that coordinate.
const SAME: f64 = 1e-9;
/// Doubles this close are, when the place's other coordinate is near: alone, random bytes come this close too often.
const CLOSE: f64 = 1e-6;
/// How near the other coordinate lies, in bytes.
const NEAR: usize = 128;

/// What is looked for.
#[derive(Default)]
pub struct Needles {
    texts: Vec<(String, Vec<u8>, bool)>,
    /// A value, whose it is, and the number of its place.
    doubles: Vec<(f64, String, usize)>,
    places: usize,
}

impl Needles {
    /// A text, as its UTF-8 bytes.
    pub fn text(&mut self, what: &str, text: &str) {
        self.bytes(what, text.as_bytes());
    }

    /// Bytes.
    pub fn bytes(&mut self, what: &str, bytes: &[u8]) {
        assert!(bytes.len() >= 4, "{what}: too short to mean anything");
        self.texts.push((what.to_owned(), bytes.to_vec(), false));
    }

    /// A coordinate as decimal text of 4 to 7 decimals, rounded and cut.
    pub fn decimals(&mut self, what: &str, degrees: f64) {
        let cut = format!("{:.4}", (degrees * 1e4).floor() / 1e4);
        let mut texts: BTreeSet<String> = (4..=7).map(|d| format!("{degrees:.d$}")).collect();
        texts.insert(cut);
        for text in texts {
            self.texts
                .push((format!("{what}: {text}"), text.into_bytes(), true));
        }
    }

    /// A place's two coordinates as doubles.
    pub fn doubles(&mut self, what: &str, lon: f64, lat: f64) {
        for value in [lon, lat] {
            self.doubles.push((value, what.to_owned(), self.places));
        }
        self.places += 1;
    }
}

/// Ready to look.
pub struct Search {
    needles: Needles,
    first_two: Vec<bool>,
    first_four: HashMap<[u8; 4], Vec<usize>>,
}

impl Search {
    pub fn new(mut needles: Needles) -> Self {
        needles.doubles.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut first_two = vec![false; 1 << 16];
        let mut first_four: HashMap<[u8; 4], Vec<usize>> = HashMap::new();
        for (index, (_, bytes, _)) in needles.texts.iter().enumerate() {
            let four = [bytes[0], bytes[1], bytes[2], bytes[3]];
            first_two[usize::from(u16::from_be_bytes([four[0], four[1]]))] = true;
            first_four.entry(four).or_default().push(index);
        }
        Self {
            needles,
            first_two,
            first_four,
        }
    }

    /// What is found, each once: whose it is, and through which encodings.
    pub fn run(&self, hay: &[u8]) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.look(hay, "", DEPTH, &mut found);
        found
    }

    fn look(&self, hay: &[u8], path: &str, depth: usize, found: &mut BTreeSet<String>) {
        self.scan(hay, path, found);
        if depth == 0 {
            return;
        }
        for run in runs(hay, |byte| byte.is_ascii_hexdigit()) {
            for from in 0..2 {
                let bytes = from_hex(&run[from..]);
                self.look(&bytes, &format!("{path}hex>"), depth - 1, found);
            }
        }
        let base64 = &*BASE64;
        for run in runs(hay, |byte| base64[usize::from(byte)] < 64) {
            for from in 0..4 {
                let bytes = from_base64(&run[from..]);
                self.look(&bytes, &format!("{path}base64>"), depth - 1, found);
            }
        }
    }

    fn scan(&self, hay: &[u8], path: &str, found: &mut BTreeSet<String>) {
        let mut close = Vec::new();
        let mut at = 0;
        while at + 4 <= hay.len() {
            // Pages are mostly zeros, and nothing that we look for lies wholly in them.
            if hay[at] == 0 && hay[at..].starts_with(&[0; 72]) {
                at += 64;
                continue;
            }
            if self.first_two[usize::from(hay[at]) << 8 | usize::from(hay[at + 1])] {
                self.texts_at(hay, at, path, found);
            }
            if at + 8 <= hay.len() {
                // The top byte of every double whose size is between 2^-15 and 2^17.
                if matches!(hay[at] & 0x7f, 0x3f | 0x40) {
                    let bytes = hay[at..at + 8].try_into().unwrap();
                    self.double(f64::from_be_bytes(bytes), at, path, &mut close, found);
                }
                if matches!(hay[at + 7] & 0x7f, 0x3f | 0x40) {
                    let bytes = hay[at..at + 8].try_into().unwrap();
                    self.double(f64::from_le_bytes(bytes), at, path, &mut close, found);
                }
            }
            at += 1;
        }
        for (index, &(at, needle)) in close.iter().enumerate() {
            let (_, what, place) = &self.needles.doubles[needle];
            let partner = |&(other_at, other): &(usize, usize)| {
                other != needle
                    && self.needles.doubles[other].2 == *place
                    && other_at.abs_diff(at) <= NEAR
            };
            if close[index.saturating_sub(16)..]
                .iter()
                .take(33)
                .any(partner)
            {
                found.insert(format!("{what}: {path}doubles"));
            }
        }
    }

    fn texts_at(&self, hay: &[u8], at: usize, path: &str, found: &mut BTreeSet<String>) {
        let four: [u8; 4] = hay[at..at + 4].try_into().unwrap();
        for &index in self.first_four.get(&four).into_iter().flatten() {
            let (what, bytes, decimal) = &self.needles.texts[index];
            if hay[at..].starts_with(bytes) && !(*decimal && is_other_number(&hay[..at])) {
                found.insert(format!("{what}: {path}text"));
            }
        }
    }

    fn double(
        &self,
        value: f64,
        at: usize,
        path: &str,
        close: &mut Vec<(usize, usize)>,
        found: &mut BTreeSet<String>,
    ) {
        let doubles = &self.needles.doubles;
        let first = doubles.partition_point(|(needle, ..)| *needle < value - CLOSE);
        for (index, (needle, what, _)) in doubles.iter().enumerate().skip(first) {
            if *needle > value + CLOSE {
                break;
            }
            close.push((at, index));
            if (needle - value).abs() <= SAME {
                found.insert(format!("{what}: {path}double"));
            }
        }
    }
}

/// Whether a decimal begins within another number (`144.2066` is not `44.2066`), or counts the seconds of a time of day
/// (`12:44.2066`).
fn is_other_number(before: &[u8]) -> bool {
    match before {
        [.., digit, b':'] => digit.is_ascii_digit(),
        [.., last] => matches!(last, b'1'..=b'9'),
        [] => false,
    }
}

fn runs(hay: &[u8], is: impl Fn(u8) -> bool) -> Vec<&[u8]> {
    let mut runs = Vec::new();
    let mut from = 0;
    for (at, &byte) in hay.iter().enumerate() {
        if !is(byte) {
            if at - from >= RUN_LEAST {
                runs.push(&hay[from..at]);
            }
            from = at + 1;
        }
    }
    if hay.len() - from >= RUN_LEAST {
        runs.push(&hay[from..]);
    }
    runs
}

/// The value of a digit of base64 in both alphabets (RFC 4648 §4 and §5); 255 for any other byte.
static BASE64: LazyLock<[u8; 256]> = LazyLock::new(|| {
    let mut table = [255; 256];
    let digits = (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9');
    for (digit, value) in digits.zip(0..) {
        table[usize::from(digit)] = value;
    }
    for (digit, value) in [(b'+', 62), (b'/', 63), (b'-', 62), (b'_', 63)] {
        table[usize::from(digit)] = value;
    }
    table
});

fn from_base64(digits: &[u8]) -> Vec<u8> {
    let base64 = &*BASE64;
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 3);
    for four in digits.chunks(4) {
        let mut bits = 0_u32;
        for at in 0..4 {
            let value = four.get(at).map_or(0, |&digit| base64[usize::from(digit)]);
            bits = bits << 6 | u32::from(value);
        }
        // What a shorter rest does not hold is zero.
        bytes.extend_from_slice(&bits.to_be_bytes()[1..]);
    }
    bytes
}

fn from_hex(digits: &[u8]) -> Vec<u8> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    };
    let pairs = digits.chunks_exact(2);
    pairs
        .map(|pair| value(pair[0]) << 4 | value(pair[1]))
        .collect()
}

#[test]
fn the_search_knows_a_number_from_a_time_and_from_a_part_of_another() {
    let mut needles = Needles::default();
    needles.decimals("here", 44.206_637_1);
    let search = Search::new(needles);
    for (hay, is) in [
        ("[44.2066371,", true),
        ("lon=044.20664", true),
        ("{\"lon\":44.2066}", true),
        ("2026-11-23 15:44:44.206637", false),
        ("144.2066371", false),
        ("44.2065", false),
    ] {
        assert_eq!(!search.run(hay.as_bytes()).is_empty(), is, "{hay}");
    }
}
