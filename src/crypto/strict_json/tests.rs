//! JSON that could mean two things, or cost much, is refused, saying where.

use super::*;
use proptest::prelude::*;

fn fault(text: &str) -> (Fault, String) {
    let error = parse(text.as_bytes(), Limits::STATEMENT).expect_err(text);
    (error.fault, error.pointer)
}

#[test]
fn a_duplicate_member_is_refused_at_any_depth_and_named() {
    assert_eq!(fault(r#"{"a":1,"a":1}"#), (Fault::Duplicate, "/a".into()));
    assert_eq!(
        fault(r#"{"a":[0,{"b/c":1,"b/c":2}]}"#),
        (Fault::Duplicate, "/a/1/b~1c".into())
    );
    assert_eq!(
        fault(r#"{"a":1,"\u0061":2}"#),
        (Fault::Duplicate, "/a".into())
    );
    assert!(parse(br#"{"a":{"a":1},"b":{"a":1}}"#, Limits::STATEMENT).is_ok());
}

#[test]
fn an_error_says_line_column_and_byte() {
    let error = parse(b"{\n  \"a\": 1,\n  \"a\": 2\n}", Limits::STATEMENT).expect_err("duplicate");
    assert_eq!((error.line, error.pointer.as_str()), (3, "/a"));
    assert_eq!(error.offset, 12 + error.column);
    assert!(error.to_string().contains("occurs twice"), "{error}");
    let error = parse(b"[1,\n \xff]", Limits::STATEMENT).expect_err("not UTF-8");
    assert_eq!(
        (error.fault, error.line, error.column, error.offset),
        (Fault::NotUtf8, 2, 2, 5)
    );
}

#[test]
fn depth_nodes_and_bytes_are_bounded() {
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(parse(deep(32).as_bytes(), Limits::STATEMENT).is_ok());
    assert_eq!(fault(&deep(33)).0, Fault::TooDeep(32));
    assert_eq!(fault(&"[".repeat(100_000)).0, Fault::TooDeep(32));
    let nodes = Limits {
        max_nodes: 4,
        ..Limits::STATEMENT
    };
    assert!(parse(b"[1,2,3]", nodes).is_ok());
    assert_eq!(
        parse(b"[1,2,3,4]", nodes).expect_err("five").fault,
        Fault::TooManyNodes(4)
    );
    let bytes = Limits {
        max_bytes: 3,
        ..Limits::STATEMENT
    };
    assert_eq!(
        parse(b"1234", bytes).expect_err("long").fault,
        Fault::TooLong(3)
    );
}

#[test]
fn what_is_not_json_is_refused() {
    for text in ["", " ", "{", "[1", "\"abc", "nul", "1."] {
        assert!(
            matches!(fault(text).0, Fault::Truncated | Fault::Syntax),
            "{text}"
        );
    }
    for text in [
        "NaN",
        "Infinity",
        "-Infinity",
        "[1,]",
        "{'a':1}",
        "01",
        "1.x",
        "+1",
        "\"\u{1}\"",
        "\u{feff}1",
        r#""\ud800""#,
        "[1 2]",
        "{1:2}",
    ] {
        assert_eq!(fault(text).0, Fault::Syntax, "{text}");
    }
    for text in [
        "1e999",
        "-1e999",
        "18446744073709551616",
        "-1e20",
        "[1e300]",
    ] {
        assert_eq!(fault(text).0, Fault::Number, "{text}");
    }
    for text in [
        "18446744073709551615",
        "-9223372036854775808",
        "-0",
        "1e19",
        "0.1",
    ] {
        assert!(parse(text.as_bytes(), Limits::STATEMENT).is_ok(), "{text}");
    }
    for text in ["1 2", "{} x", "null,", "[]]"] {
        assert_eq!(fault(text), (Fault::Trailing, String::new()), "{text}");
    }
    assert_eq!(
        parse_object(b"[]", Limits::STATEMENT)
            .expect_err("array")
            .fault,
        Fault::Syntax
    );
}

#[test]
fn a_pointer_never_repeats_a_long_name_or_a_value() {
    let name = "x".repeat(500);
    let error = parse(
        format!(r#"{{"{name}":"secret","{name}":"secret"}}"#).as_bytes(),
        Limits::STATEMENT,
    )
    .expect_err("duplicate");
    assert!(error.to_string().len() < 250 && !error.to_string().contains("secret"));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let agrees = parse(&bytes, Limits::STATEMENT).is_ok();
        // Whatever we accept, serde_json accepts too: we are only ever stricter.
        prop_assert!(!agrees || serde_json::from_slice::<Value>(&bytes).is_ok());
    }

    #[test]
    fn json_like_text_never_panics_and_reads_as_serde_json_does(text in "[\\[\\]{}:,\"a-c0-9. e\\\\u\\-\n]{0,60}") {
        if let Ok(value) = parse(text.as_bytes(), Limits::STATEMENT) {
            prop_assert_eq!(serde_json::from_str::<Value>(&text).expect("stricter only"), value);
        }
    }
}
