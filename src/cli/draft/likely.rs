//! Which of the known words was likely meant by one that is not known. It is only ever named to the person who typed it,
//! never taken in its place.

use std::collections::BTreeSet;

/// Words that are named at most.
const NAMED: usize = 3;
/// Characters of a word that is looked at; a longer one is no slip of a known word.
const MAX_CHARS: usize = 64;

/// The known words that are nearest to `word`, if one is near: at most one slip for every three letters.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let word: Vec<char> = word.trim().to_lowercase().chars().collect();
    let mut best = (word.len() / 3).clamp(1, 3);
    let mut found = BTreeSet::new();
    if word.is_empty() || word.len() > MAX_CHARS {
        return Vec::new();
    }
    for candidate in known {
        let letters: Vec<char> = candidate.to_lowercase().chars().collect();
        if letters.len().abs_diff(word.len()) > best {
            continue;
        }
        let slips = distance(&word, &letters);
        if slips < best {
            best = slips;
            found.clear();
        }
        if slips == best {
            found.insert(candidate);
        }
    }
    found.into_iter().take(NAMED).collect()
}

/// "did you mean east or west?", or nothing.
pub fn asked(words: &[&str]) -> Option<String> {
    (!words.is_empty()).then(|| format!("did you mean {}?", words.join(" or ")))
}

/// How many letters are missing, too much, wrong, or changed with their neighbour (optimal string alignment distance).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX / 2);
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut least = (at(&last, j + 1) + 1)
                .min(at(&row, j) + 1)
                .min(at(&last, j) + usize::from(x != y));
            let changed = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if changed {
                least = least.min(at(&before, j - 1) + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    at(&last, b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_names_the_word_that_was_meant_and_another_word_names_none() {
        let known = ["hospital", "clinic", "school", "office"];
        for (typed, meant) in [
            ("hosptial", &["hospital"][..]),
            ("Hopsital", &["hospital"]),
            ("clinc", &["clinic"]),
            ("barracks", &[]),
            ("", &[]),
        ] {
            assert_eq!(nearest(typed, known), meant, "{typed}");
        }
        assert_eq!(nearest("est", ["west", "east", "north"]), ["east", "west"]);
        assert_eq!(
            asked(&nearest("esat", ["east", "west"])).as_deref(),
            Some("did you mean east?")
        );
        assert_eq!(nearest(&"x".repeat(100_000), known), [""; 0]);
    }
}
