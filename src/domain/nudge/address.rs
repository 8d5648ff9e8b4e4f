//! E-mail addresses that a nudge is sent to. Narrower than RFC 5321 on purpose: what passes can be written into a header
//! and an SMTP command as it is, so that no address ever adds a line of its own.

/// The longest address, in bytes (RFC 5321, section 4.5.3.1.3, without the angle brackets).
const MOST: usize = 254;
/// The longest part before the `@`.
const LOCAL_MOST: usize = 64;
/// The longest label of a domain (RFC 1035).
const LABEL_MOST: usize = 63;

/// Whether this is an address as nudges use it: ASCII, words joined by dots (RFC 5322 `dot-atom`), `@`, a domain of two
/// labels or more. No quoted words, no comments, no address literals, no other script.
pub fn mail_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    text.len() <= MOST
        && local.len() <= LOCAL_MOST
        && local.split('.').all(|word| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || ATEXT.contains(&b))
        })
        && domain.contains('.')
        && domain.split('.').all(label)
}

/// What may stand in a word beside letters and digits.
const ATEXT: &[u8] = b"!#$%&'*+-/=?^_`{|}~";

fn label(label: &str) -> bool {
    (1..=LABEL_MOST).contains(&label.len())
        && label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_cannot_carry_a_line_a_second_address_or_a_command() {
        for good in [
            "a@b.example",
            "desk.night+hn@mail.example.org",
            "o'neil@x-y.example",
        ] {
            assert!(mail_address(good), "{good}");
        }
        for bad in [
            "",
            "@",
            "a@",
            "a@b",
            "@b.example",
            "a@b.example\r\nBcc: c@d.example",
            "a\n@b.example",
            "a@b.example ",
            "<a@b.example>",
            "a@b.example,c@d.example",
            "a@b@c.example",
            "\"a b\"@c.example",
            ".a@b.example",
            "a..b@c.example",
            "a@-b.example",
            "a@b..example",
            "a@[127.0.0.1]",
            "é@b.example",
            "a@b\u{0}.example",
        ] {
            assert!(!mail_address(bad), "{bad:?}");
        }
        assert!(!mail_address(&format!("{}@b.example", "a".repeat(65))));
    }
}
