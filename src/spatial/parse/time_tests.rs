//! Times and durations as people type them: the known cases, the refusals, and properties.

use ::time::macros::datetime;
use ::time::{Duration, OffsetDateTime};
use proptest::prelude::*;

use super::*;

fn read(text: &str) -> TypedTime {
    match parse_time(text, None) {
        Ok(typed) => typed,
        Err(error) => panic!("{text}: {error}"),
    }
}

fn refused(text: &str) -> Unreadable {
    match parse_time(text, None) {
        Ok(typed) => panic!("{text} was read as {}", format_rfc3339(typed.utc)),
        Err(error) => error,
    }
}

#[test]
fn every_way_of_writing_one_moment_gives_that_moment_and_keeps_what_was_typed() {
    let moment = datetime!(2026-05-03 14:30 UTC);
    for (text, format) in [
        ("2026-05-03T14:30:00Z", TimeFormat::Rfc3339),
        ("2026-05-03t14:30:00.000z", TimeFormat::Rfc3339),
        ("2026-05-03T19:00:00+04:30", TimeFormat::Rfc3339),
        ("2026-05-03 14:30 Z", TimeFormat::Local),
        ("2026-05-03 14:30 UTC", TimeFormat::Local),
        ("2026-05-03 17:30 UTC+3", TimeFormat::Local),
        ("2026-05-03 19:00 UTC+04:30", TimeFormat::Local),
        ("2026-05-03 19:00 Asia/Kabul", TimeFormat::Local),
        ("2026-05-03 19:00 asia/kabul", TimeFormat::Local),
        ("2026-05-03T19:00+04:30[Asia/Kabul]", TimeFormat::Local),
        ("2026-05-03T19:00[Asia/Kabul]", TimeFormat::Local),
        ("2026-05-03 19:00 +0430", TimeFormat::Local),
        ("2026/5/3 16:30 Africa/Khartoum", TimeFormat::Local),
        ("3 May 2026 16:30 Africa/Khartoum", TimeFormat::Local),
        ("٢٠٢٦-٠٥-٠٣ ١٦:٣٠ Africa/Khartoum", TimeFormat::Local),
        ("031430ZMAY26", TimeFormat::Dtg),
        ("031430zmay26", TimeFormat::Dtg),
        ("03 1430Z May 2026", TimeFormat::Dtg),
        ("031430Z MAY 26", TimeFormat::Dtg),
        ("031530AMAY26", TimeFormat::Dtg),
        ("031730C MAY 26", TimeFormat::Dtg),
        ("040230M MAY 26", TimeFormat::Dtg),
        ("030930R MAY 26", TimeFormat::Dtg),
        ("030230Y MAY 26", TimeFormat::Dtg),
    ] {
        let typed = read(text);
        assert_eq!(format_rfc3339(typed.utc), format_rfc3339(moment), "{text}");
        assert_eq!(typed.format, format, "{text}");
        assert_eq!(typed.as_typed, text);
    }
}

#[test]
fn a_time_without_a_zone_is_refused_unless_the_person_has_set_one() {
    assert_eq!(refused("2026-05-03 19:00").code(), "zone-missing");
    let typed = parse_time("2026-05-03 19:00", Some("Asia/Kabul")).expect("read in the set zone");
    assert_eq!(typed.utc, datetime!(2026-05-03 14:30 UTC));
    assert_eq!(typed.zone.as_deref(), Some("Asia/Kabul"));
    let own = parse_time("2026-05-03 19:00Z", Some("Asia/Kabul")).expect("its own zone wins");
    assert_eq!(own.utc, datetime!(2026-05-03 19:00 UTC));
}

#[test]
fn a_local_time_that_never_happens_or_happens_twice_names_both_readings() {
    let never = refused("2026-03-29 03:30 Europe/Kyiv");
    assert_eq!(never.code(), "local-time-skipped");
    assert_eq!(
        never.likely_times(),
        [
            datetime!(2026-03-29 01:30 UTC),
            datetime!(2026-03-29 00:30 UTC)
        ]
    );
    assert!(
        never
            .message()
            .contains("+02:00 (2026-03-29T01:30:00Z) or +03:00 (2026-03-29T00:30:00Z)"),
        "{never}"
    );

    let twice = refused("2026-10-25 03:30 Europe/Kyiv");
    assert_eq!(twice.code(), "local-time-twice");
    assert_eq!(
        twice.likely_times(),
        [
            datetime!(2026-10-25 00:30 UTC),
            datetime!(2026-10-25 01:30 UTC)
        ]
    );

    let settled = read("2026-10-25T03:30:00+03:00[Europe/Kyiv]");
    assert_eq!(settled.utc, datetime!(2026-10-25 00:30 UTC));
}

#[test]
fn uncertain_or_impossible_times_are_refused_with_their_column() {
    for (text, code, column) in [
        ("", "no-date", 1),
        ("tomorrow", "no-date", 1),
        ("14:30Z", "no-date", 1),
        ("03/05/2026 14:30Z", "ambiguous-date", 1),
        ("03.05.2026 14:30Z", "ambiguous-date", 1),
        ("2026-05-03", "time-missing", 11),
        ("2026-05-03 1430Z", "time-missing", 12),
        ("2026-05-03 2:30 pm", "zone-abbreviation", 17),
        ("2026-05-03 14:30 IST", "zone-abbreviation", 18),
        ("2026-05-03 14:30 Asia/Kabull", "zone-unknown", 18),
        ("2026-05-03T14:30:00+15:00", "offset-out-of-range", 20),
        (
            "2026-05-03T14:30+03:00[Asia/Kabul]",
            "zone-contradicts-offset",
            17,
        ),
        ("2026-02-29T14:30:00Z", "no-such-day", 1),
        ("2026-13-01T14:30:00Z", "no-such-day", 1),
        ("2026-05-03T24:00:00Z", "no-such-time", 12),
        ("2026-05-03T14:30:60Z", "no-such-time", 12),
        ("1926-05-03T14:30:00Z", "year-out-of-range", 1),
        ("2026-05-03T14:30:00Z and later", "text-after-time", 22),
        ("031430JMAY26", "dtg-zone-j", 7),
        ("031430MAY26", "dtg-zone-missing", 7),
        ("031430JUN26", "dtg-zone-missing", 7),
        ("031430Z", "dtg-month-missing", 8),
        ("031430ZMAI26", "dtg-month", 8),
        ("031430ZMAY", "dtg-year", 11),
        ("31430ZMAY26", "dtg-digits", 1),
        ("321430ZMAY26", "no-such-day", 1),
        ("032430ZMAY26", "no-such-time", 1),
        ("031430D*MAY26", "dtg-half-hour", 8),
    ] {
        let error = refused(text);
        assert_eq!(
            (error.code(), error.column()),
            (code, column),
            "{text}: {error}"
        );
    }
}

#[test]
fn durations_and_slack_are_read_with_their_units() {
    for (text, seconds) in [
        ("30m", 1800),
        ("2h", 7200),
        ("1d12h", 129_600),
        ("1d 12h", 129_600),
        ("1.5h", 5400),
        ("90 min", 5400),
        ("2 hours", 7200),
        ("90s", 90),
        ("1w", 604_800),
        ("PT30M", 1800),
        ("pt2h", 7200),
        ("P1DT12H", 129_600),
        ("٣٠m", 1800),
    ] {
        let typed = parse_duration(text).expect(text);
        assert_eq!(typed.duration, Duration::seconds(seconds), "{text}");
        assert_eq!(typed.as_typed, text);
    }
    for text in [
        "±15m",
        "+-900s",
        "+/-15m",
        "+/- 15 min",
        "± 15 min",
        "15m",
        "±PT15M",
    ] {
        assert_eq!(
            parse_slack(text).expect(text).duration,
            Duration::minutes(15),
            "{text}"
        );
    }
    assert_eq!(
        parse_slack("±0m").expect("no slack").duration,
        Duration::ZERO
    );
}

#[test]
fn a_duration_that_can_mean_two_things_is_refused() {
    for (text, code) in [
        ("", "duration-form"),
        ("30", "duration-unit-missing"),
        ("1:30", "duration-unit-missing"),
        ("P1M", "duration-months"),
        ("2 months", "duration-months"),
        ("12h1d", "duration-order"),
        ("1h1h", "duration-order"),
        ("PT", "duration-form"),
        ("-30m", "duration-form"),
        ("0m", "duration-zero"),
        ("99999d", "duration-too-long"),
        ("9999999999h", "duration-number"),
        ("three hours", "duration-form"),
    ] {
        assert_eq!(parse_duration(text).expect_err(text).code(), code, "{text}");
    }
    for text in ["+15m", "-15m"] {
        assert_eq!(parse_slack(text).expect_err(text).code(), "slack-one-sided");
    }
    assert_eq!(
        parse_slack("±8d").expect_err("too long").code(),
        "duration-too-long"
    );
}

#[test]
fn no_time_shows_in_debug_or_in_the_redacted_form() {
    let typed = read("031430ZMAY26");
    let error = refused("2026-10-25 03:30 Europe/Kyiv");
    let shown = format!(
        "{typed:?} {error:?} {} {:?}",
        error.redacted(),
        parse_slack("±15m")
    );
    for secret in ["2026", "MAY", "14", "Kyiv", "15m"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn rfc3339_and_dtg_are_read_back(seconds in 946_684_800_i64..4_102_444_800) {
        let moment = OffsetDateTime::from_unix_timestamp(seconds).expect("in range");
        prop_assert_eq!(read(&format_rfc3339(moment)).utc, moment);
        let minute = OffsetDateTime::from_unix_timestamp(seconds - seconds % 60).expect("in range");
        prop_assert_eq!(read(&format_dtg(moment)).utc, minute);
    }

    #[test]
    fn no_text_makes_it_panic(
        text in "\\PC{0,256}|[0-9TZtz:.+\\-/ A-Ka-k\\[\\]]{0,48}|20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-9:.+\\-Z]{0,20}|[0-9]{6}[A-Za-z]{4}[0-9]{0,4}|[PT0-9wdhms.±+-]{0,24}"
    ) {
        for result in [parse_time(&text, None).map(|_| ()), parse_time(&text, Some("Europe/Kyiv")).map(|_| ())] {
            if let Err(error) = result {
                prop_assert!(error.column() >= 1 && error.column() <= text.chars().count() + 1);
            }
        }
        if let Ok(typed) = parse_duration(&text) {
            prop_assert!(typed.duration.is_positive() && typed.duration <= MAX_DURATION);
        }
        if let Ok(typed) = parse_slack(&text) {
            prop_assert!(!typed.duration.is_negative() && typed.duration <= MAX_SLACK);
        }
    }
}
