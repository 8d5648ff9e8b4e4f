//! A number of things in English, for every text that counts something: one of a thing is not said in the plural.

/// A number of things: `1 part`, `2 parts`, `3 parties`.
pub fn count(number: impl std::fmt::Display, what: &str) -> String {
    let number = number.to_string();
    if number == "1" {
        return format!("1 {what}");
    }
    match what.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{number} {stem}ies"),
        _ => format!("{number} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_thing_is_not_said_in_the_plural() {
        let said: Vec<String> = [0, 1, 2].iter().map(|n| count(n, "part")).collect();
        assert_eq!(said, ["0 parts", "1 part", "2 parts"]);
        assert_eq!(count(2_u64, "party"), "2 parties");
        assert_eq!(count(3, "day"), "3 days");
        assert_eq!(count(1, "party"), "1 party");
    }
}
