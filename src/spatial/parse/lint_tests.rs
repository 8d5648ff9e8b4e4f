//! The linter asks where it should, keeps quiet where it should, names what was likely meant, and shows nothing in `Debug`.

use ::time::macros::datetime;
use ::time::{Duration, OffsetDateTime};
use proptest::prelude::*;

use super::lint::*;
use super::*;

const NOW: OffsetDateTime = datetime!(2026-05-01 06:00 UTC);

fn typed(text: &str) -> TypedPosition {
    match parse_position(text) {
        Ok(typed) => typed,
        Err(error) => panic!("{text}: {error}"),
    }
}

fn at(text: &str) -> TypedTime {
    match parse_time(text, None) {
        Ok(typed) => typed,
        Err(error) => panic!("{text}: {error}"),
    }
}

fn country(code: &str) -> Option<Country> {
    let country = Country::from_code(code);
    assert!(country.is_some(), "{code} is in the table");
    country
}

fn codes(warnings: &[Warning]) -> Vec<&'static str> {
    warnings
        .iter()
        .map(|warning| warning.code.as_str())
        .collect()
}

/// The one warning, and how far its likely place is from the one meant.
#[track_caller]
fn asks(text: &str, context: &PlaceContext<'_>, code: &str, meant: &str) -> Warning {
    let mut warnings = lint_position(&typed(text), context);
    assert_eq!(codes(&warnings), [code], "{text}");
    let warning = warnings.remove(0);
    let Some(Likely::Place(reading)) = warning.likely else {
        panic!("{text}: no likely place")
    };
    let off = reading.position().distance_m(&typed(meant).position);
    assert!(off < 2.0, "{text}: likely {off} m from what was meant");
    assert!(
        warning.message.contains(&reading.to_string()),
        "{text}: the message names the likely place"
    );
    warning
}

const KUNDUZ: &str = "36.71803, 68.86221";

#[test]
fn kunduz_with_its_degree_signs_lost_is_asked_about_with_and_without_context() {
    let last = Some(typed(KUNDUZ).position);
    for context in [
        PlaceContext::default(),
        PlaceContext {
            country: country("AFG"),
            ..PlaceContext::default()
        },
        PlaceContext {
            country: country("AF"),
            last,
            ..PlaceContext::default()
        },
    ] {
        let warning = asks("36.43491 68.514396", &context, "lost-degree-signs", KUNDUZ);
        assert!(
            warning.message.contains("42SVF87694636") || warning.message.contains("42SVF87693636"),
            "{warning}"
        );
    }
}

#[test]
fn kunduz_with_seconds_read_as_decimals_of_a_minute_is_asked_about() {
    let last = Some(typed(KUNDUZ).position);
    for context in [
        PlaceContext::default(),
        PlaceContext {
            country: country("AFG"),
            last,
            ..PlaceContext::default()
        },
    ] {
        let warning = asks(
            "36°43.491'N 68°51.4396'E",
            &context,
            "seconds-as-minutes",
            KUNDUZ,
        );
        assert!(
            warning.message.contains("87") && warning.message.contains(" m "),
            "{warning}"
        );
    }
}

#[test]
fn khartoum_with_swapped_axes_is_asked_about() {
    let context = PlaceContext {
        subject: "/place",
        country: country("SDN"),
        ..PlaceContext::default()
    };
    let warning = asks(
        "32.5599, 15.5007",
        &context,
        "swapped-axes",
        "15.5007, 32.5599",
    );
    assert!(
        warning.message.contains("not in Sudan but in Libya"),
        "{warning}"
    );
    assert!(warning.message.contains("36PVC52797137"), "{warning}");
    assert_eq!(warning.redacted(), "swapped-axes at /place");
}

#[test]
fn a_lost_minus_is_asked_about_when_the_country_tells() {
    let context = PlaceContext {
        country: country("MOZ"),
        ..PlaceContext::default()
    };
    asks("19.83, 34.85", &context, "lost-hemisphere", "-19.83, 34.85");
}

#[test]
fn documented_places_in_their_countries_raise_no_question() {
    for (text, code) in [
        (KUNDUZ, "AFG"),
        ("36°43'4.91\"N 68°51'43.96\"E", "AFG"),
        ("36 43.0818 N, 068 51.7326 E", "AFG"),
        ("42SVF8769463602", "AFG"),
        ("36.151583, 36.967750", "SYR"),
        ("16.0034, 43.19697", "YEM"),
        ("31.41668, 34.32900", "PSE"),
        ("15.5007, 32.5599", "SDN"),
    ] {
        let context = PlaceContext {
            country: country(code),
            needed_m: Some(10.0),
            last: Some(typed(text).position),
            subject: "",
        };
        let warnings = lint_position(&typed(text), &context);
        assert!(warnings.is_empty(), "{text}: {warnings:?}");
    }
}

#[test]
fn what_no_slip_explains_is_still_asked_about() {
    let none = PlaceContext::default();
    assert_eq!(
        codes(&lint_position(&typed("0.0, 0.0"), &none)),
        ["null-island"]
    );
    assert_eq!(
        codes(&lint_position(&typed("36.71803, 0"), &none)),
        ["null-island"]
    );
    assert_eq!(
        codes(&lint_position(&typed("30.0000 S 20.0000 W"), &none)),
        ["in-the-sea"]
    );
    let sudan = PlaceContext {
        country: country("SDN"),
        ..none
    };
    assert_eq!(
        codes(&lint_position(&typed("48.8566 N, 2.3522 E"), &sudan)),
        ["outside-declared-country"]
    );
    let moved = PlaceContext {
        last: Some(typed(KUNDUZ).position),
        ..none
    };
    let warnings = lint_position(&typed("36.75100 N, 68.86221 E"), &moved);
    assert_eq!(codes(&warnings), ["far-from-last-revision"]);
    assert!(
        warnings
            .iter()
            .all(|warning| warning.message.contains("3.7 km")),
        "the distance is named"
    );
}

#[test]
fn too_few_digits_for_the_category_are_asked_about() {
    let context = PlaceContext {
        needed_m: Some(10.0),
        country: country("AFG"),
        ..PlaceContext::default()
    };
    for (text, few) in [
        ("36.7180, 68.8622", false),
        ("36.718, 68.862", true),
        ("36.71803, 68.86221", false),
        ("36 43 N 68 51 E", true),
        ("42SVF876636", true),
        ("42SVF87696360", false),
    ] {
        let found = codes(&lint_position(&typed(text), &context));
        assert_eq!(
            found,
            if few { vec!["too-few-digits"] } else { vec![] },
            "{text}"
        );
    }
}

fn window_context() -> WindowContext<'static> {
    WindowContext {
        subject: "/window",
        now: NOW,
        lead: None,
        country: country("AFG"),
        last: None,
    }
}

#[test]
fn a_window_in_the_past_is_asked_about_and_one_to_come_is_not() {
    let lint =
        |from: &str, to: &str| codes(&lint_window(&at(from), Some(&at(to)), &window_context()));
    assert_eq!(
        lint("2026-04-01T06:00:00Z", "2026-04-01T09:00:00Z"),
        ["window-in-the-past"]
    );
    assert!(lint("031430ZMAY26", "031800ZMAY26").is_empty());
    assert!(lint("2026-05-03 19:00 Asia/Kabul", "2026-05-03 22:00 Asia/Kabul").is_empty());
    assert_eq!(
        lint("031800ZMAY26", "031430ZMAY26"),
        ["window-ends-before-start"]
    );
    assert!(
        lint_window(&at("2026-04-01T06:00:00Z"), None, &window_context()).is_empty(),
        "an open window is never over"
    );
}

#[test]
fn a_window_shifted_by_the_zone_names_the_window_that_was_likely_meant() {
    // 08:00 UTC written as 08:00 in Kabul is 03:30 UTC: over already.
    let warnings = lint_window(
        &at("2026-05-01 08:00 Asia/Kabul"),
        Some(&at("2026-05-01 10:00 Asia/Kabul")),
        &window_context(),
    );
    assert_eq!(codes(&warnings), ["window-shifted-by-zone"]);
    let meant = Likely::Window {
        from: datetime!(2026-05-01 08:00 UTC),
        to: Some(datetime!(2026-05-01 10:00 UTC)),
    };
    assert!(
        warnings.iter().all(
            |warning| warning.likely == Some(meant) && warning.message.contains("010800ZMAY26")
        )
    );

    // The last revision said 19:00 in Kabul (14:30Z); this one says 19:00Z.
    let last = Some((
        datetime!(2026-05-03 14:30 UTC),
        Some(datetime!(2026-05-03 17:30 UTC)),
    ));
    let context = WindowContext {
        last,
        ..window_context()
    };
    let warnings = lint_window(&at("031900ZMAY26"), Some(&at("032200ZMAY26")), &context);
    assert_eq!(codes(&warnings), ["window-shifted-by-zone"]);
    assert!(lint_window(&at("031430ZMAY26"), Some(&at("031730ZMAY26")), &context).is_empty());

    // An offset that Afghanistan does not have.
    let warnings = lint_window(&at("2026-05-03T19:00:00+03:00"), None, &window_context());
    assert_eq!(codes(&warnings), ["zone-not-of-country"]);
    assert!(warnings.iter().all(|warning| warning.likely
        == Some(Likely::Window {
            from: datetime!(2026-05-03 14:30 UTC),
            to: None
        })));
}

#[test]
fn shorter_notice_than_the_context_asks_for_is_said() {
    let context = WindowContext {
        lead: Some(Duration::hours(48)),
        ..window_context()
    };
    let warnings = lint_window(&at("020600ZMAY26"), None, &context);
    assert_eq!(codes(&warnings), ["short-notice"]);
    assert!(
        warnings
            .iter()
            .all(|warning| warning.message.contains("24 h; notice of 48 h"))
    );
    assert!(lint_window(&at("030600ZMAY26"), None, &context).is_empty());
}

fn route(points: &[(&str, Option<&str>)], slack: Duration) -> Vec<Warning> {
    let typed: Vec<_> = points
        .iter()
        .map(|(place, time)| (typed(place), time.map(at)))
        .collect();
    let waypoints: Vec<_> = typed
        .iter()
        .map(|(position, time)| TypedWaypoint {
            position,
            at: time.as_ref(),
            slack,
        })
        .collect();
    lint_route(
        &waypoints,
        &RouteContext {
            subject: "/waypoints",
            max_speed_kmh: MAX_SPEED_KMH,
        },
    )
}

#[test]
fn a_convoy_at_sixty_kilometres_an_hour_raises_no_question_and_an_impossible_one_does() {
    let (a, b) = ("15.5007 N 32.5599 E", "14.4012 N 33.5199 E");
    let leg = |arrival| {
        route(
            &[(a, Some("2026-05-03T06:00:00Z")), (b, Some(arrival))],
            Duration::ZERO,
        )
    };
    assert!(leg("2026-05-03T08:39:35Z").is_empty());
    assert_eq!(codes(&leg("2026-05-03T07:00:00Z")), ["leg-too-fast"]);
    assert_eq!(codes(&leg("2026-05-03T06:00:00Z")), ["leg-too-fast"]);
    assert_eq!(codes(&leg("2026-05-03T05:00:00Z")), ["times-out-of-order"]);
    assert!(
        leg("2026-05-03T07:00:00Z")
            .iter()
            .all(|warning| warning.subject == "/waypoints/1")
    );
    let slack = route(
        &[
            (a, Some("2026-05-03T06:00:00Z")),
            (b, Some("2026-05-03T07:00:00Z")),
        ],
        Duration::minutes(15),
    );
    assert!(
        slack.is_empty(),
        "15 minutes of slack at both ends are enough"
    );
}

#[test]
fn a_leg_without_times_counts_towards_the_next_that_has_them() {
    let points = [
        ("15.5 N 32.5 E", Some("2026-05-03T06:00:00Z")),
        ("14.9 N 33.0 E", None),
        ("14.4 N 33.5 E", Some("2026-05-03T07:00:00Z")),
    ];
    assert_eq!(codes(&route(&points, Duration::ZERO)), ["leg-too-fast"]);
}

#[test]
fn a_leg_too_fast_for_swapped_axes_names_the_swap() {
    let points = [
        ("15.5007, 32.5599", Some("2026-05-03T06:00:00Z")),
        ("33.0070, 14.9208", Some("2026-05-03T07:30:00Z")),
    ];
    let warnings = route(&points, Duration::ZERO);
    assert_eq!(codes(&warnings), ["leg-too-fast"]);
    let Some(Some(Likely::Place(reading))) = warnings.first().map(|warning| warning.likely) else {
        panic!("no likely place")
    };
    assert_eq!(reading.slip(), Slip::SwappedAxes);
    assert!(
        reading
            .position()
            .distance_m(&typed("14.9208, 33.0070").position)
            < 1.0
    );
}

#[test]
fn no_place_and_no_time_shows_in_debug_or_in_the_redacted_form() {
    let context = PlaceContext {
        country: country("SDN"),
        ..PlaceContext::default()
    };
    let mut warnings = lint_position(&typed("32.5599, 15.5007"), &context);
    warnings.extend(lint_window(
        &at("2026-04-01T06:00:00Z"),
        Some(&at("2026-04-01T09:00:00Z")),
        &window_context(),
    ));
    let redacted: Vec<_> = warnings.iter().map(Warning::redacted).collect();
    let shown = format!("{warnings:?} {redacted:?} {:?}", context.country);
    for secret in ["32.5", "15.5", "2026", "Sudan", "SD", "36P"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn no_warning_reads_as_a_permission_or_a_judgement() {
    let context = PlaceContext {
        country: country("SDN"),
        needed_m: Some(1.0),
        ..PlaceContext::default()
    };
    for text in [
        "32.5599, 15.5007",
        "0, 0",
        "36.4 68.5",
        "36.43491 68.514396",
    ] {
        for warning in lint_position(&typed(text), &context) {
            let lower = warning.message.to_lowercase();
            for word in [
                "approved",
                "verified",
                "cleared",
                "safe",
                "guarantee",
                "permission",
            ] {
                assert!(!lower.contains(word), "{warning}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn every_likely_place_is_another_one_and_fits_the_declared_country(
        lat in 8.0..24.0_f64, lon in 21.0..39.0_f64, south in any::<bool>(), west in any::<bool>(), swap in any::<bool>()
    ) {
        let (lat, lon) = (if south { -lat } else { lat }, if west { -lon } else { lon });
        let (lat, lon) = if swap { (lon, lat) } else { (lat, lon) };
        let here = typed(&format!("{lat:.5}, {lon:.5}"));
        let sudan = Country::from_code("SDN").expect("in the table");
        for warning in lint_position(&here, &PlaceContext { country: Some(sudan), ..PlaceContext::default() }) {
            if let Some(Likely::Place(reading)) = warning.likely {
                prop_assert!(reading.position() != here.position);
                let again = typed(&Format::DegreesMinutesSeconds.write(reading.position()));
                let left = lint_position(&again, &PlaceContext { country: Some(sudan), ..PlaceContext::default() });
                prop_assert!(left.is_empty(), "{:?}", codes(&left));
            }
        }
    }
}
