//! Coordinates as people type them: the known cases, the refusals, and properties.

use proptest::prelude::*;

use super::*;

const KUNDUZ: (f64, f64) = (36.718_03, 68.862_21);

fn place(lat: f64, lon: f64) -> Position {
    Position::new(lon, lat).expect("a place")
}

fn kunduz() -> Position {
    place(KUNDUZ.0, KUNDUZ.1)
}

fn read(text: &str) -> TypedPosition {
    match parse_position(text) {
        Ok(typed) => typed,
        Err(error) => panic!("{text}: {error}"),
    }
}

fn refused(text: &str) -> Unreadable {
    match parse_position(text) {
        Ok(typed) => panic!("{text} was read as {}", format::both(typed.position)),
        Err(error) => error,
    }
}

#[track_caller]
fn is_kunduz(text: &str) {
    let off = read(text).position.distance_m(&kunduz());
    assert!(off < 1.0, "{text} is {off} m off");
}

#[test]
fn the_six_spellings_of_kunduz_are_one_place_and_keep_what_was_typed() {
    let spellings = [
        ("36.71803, 68.86221", Format::Decimal),
        (
            "36°43'4.91\"N 68°51'43.96\"E",
            Format::DegreesMinutesSeconds,
        ),
        ("36 43.0818 N, 068 51.7326 E", Format::DegreesMinutes),
        ("N36 43 04.91 E068 51 43.96", Format::DegreesMinutesSeconds),
        ("42SVF8769463602", Format::Mgrs),
        ("42S VF 87694 63602", Format::Mgrs),
    ];
    for (text, format) in spellings {
        is_kunduz(text);
        let typed = read(text);
        assert_eq!(typed.format, format, "{text}");
        assert_eq!(typed.as_typed, text);
    }
}

#[test]
fn separators_and_marks_that_people_use_make_no_difference() {
    for text in [
        "36.71803 68.86221",
        "36.71803;68.86221",
        "36.71803/68.86221",
        "36.71803,68.86221",
        "36.71803\u{a0}68.86221",
        "36.71803\t68.86221",
        "\u{feff}(36.71803, 68.86221)\u{200e}",
        "+36.71803+068.86221/",
        "36,71803 68,86221",
        "36,71803; 68,86221",
        "36,71803, 68,86221",
        "Lat: 36.71803, Lon: 68.86221",
        "lon=68.86221 lat=36.71803",
        "68.86221 E, 36.71803 N",
        "E68.86221 N36.71803",
        "36.71803n 68.86221e",
        "36.71803° N, 68.86221° E",
        "36.71803 North 68.86221 East",
        "36º43’4.91”N 68º51’43.96”E",
        "36˚43′4.91″N 68˚51′43.96″E",
        "36° 43' 4.91'' N, 68° 51' 43.96'' E",
        "36°43`4.91´´N 68°51`43.96´´E",
        "36°43'4,91\"N 68°51'43,96\"E",
        "36d43m4.91sN 68d51m43.96sE",
        "36d43m4.91s 68d51m43.96s",
        "36 deg 43 min 4.91 sec N 68 deg 51 min 43.96 sec E",
        "36:43:04.91N 068:51:43.96E",
        "36:43:04.91 068:51:43.96",
        "36-43-04.91N 068-51-43.96E",
        "36 43 4.91 68 51 43.96",
        "36°43'4.91\" 68°51'43.96\"",
        "36°43.0818' 68°51.7326'",
        "42s vf 8769463602",
        "42S-VF-87694-63602",
        "42SVF 87694 63602",
        "42S VF\u{a0}87694 63602",
    ] {
        is_kunduz(text);
    }
}

#[test]
fn arabic_and_cyrillic_are_read() {
    for text in [
        "٣٦٫٧١٨٠٣، ٦٨٫٨٦٢٢١",
        "۳۶٫۷۱۸۰۳ ۶۸٫۸۶۲۲۱",
        "٣٦°٤٣'٤٫٩١\" شمال ٦٨°٥١'٤٣٫٩٦\" شرق",
        "36.71803 شمالاً 68.86221 شرقاً",
        "36.71803 ش، 68.86221 شرق",
        "شمال 36.71803 ش 68.86221",
        "خط العرض 36.71803 خط الطول 68.86221",
        "36.71803 С, 68.86221 В",
        "36,71803° с.ш., 68,86221° в.д.",
        "36.71803 пн.ш. 68.86221 сх.д.",
        "Широта: 36.71803, Долгота: 68.86221",
        "٤٢SVF٨٧٦٩٤٦٣٦٠٢",
    ] {
        is_kunduz(text);
    }
    let south = read("15.5 ج 32.5 غ").position;
    assert!(south.lat() < 0.0 && south.lon() < 0.0);
    let south = read("15.5 ю.ш. 32.5 з.д.").position;
    assert!(south.lat() < 0.0 && south.lon() < 0.0);
}

#[test]
fn signs_and_hemispheres_point_the_right_way() {
    for text in [
        "-33.9, 18.4",
        "33.9 S 18.4 E",
        "S33.9 E18.4",
        "33 54 S 18 24 E",
        "-33 54 18 24",
        "-33.9 18.4",
        "−33.9; 18.4",
    ] {
        assert!(
            read(text).position.distance_m(&place(-33.9, 18.4)) < 1.0,
            "{text}"
        );
    }
    assert!(read("-0 30, -0 30").position.distance_m(&place(-0.5, -0.5)) < 1.0);
    assert!(
        read("+36.7-068.8/")
            .position
            .distance_m(&place(36.7, -68.8))
            < 1.0
    );
}

#[test]
fn uncertain_text_is_refused_with_its_column_never_guessed() {
    for (text, code, column) in [
        ("", "no-coordinates", 1),
        ("   ", "no-coordinates", 1),
        ("hospital", "unknown-word", 1),
        ("36.71803", "one-coordinate-only", 1),
        ("36:43", "cannot-split", 1),
        ("36.7-68.8", "cannot-split", 1),
        ("36.7 - 68.8", "lone-dash", 6),
        ("36 43 68", "cannot-split", 1),
        ("36, 68, 70", "too-many-coordinates", 9),
        ("36.7N, 68.8", "letter-missing", 8),
        ("36.7N 68.8N", "same-axis-twice", 7),
        ("-36.7 N, 68.8 E", "sign-and-letter", 7),
        ("36.7 O, 68.8 N", "ambiguous-hemisphere", 6),
        ("36.7 ش, 68.8 ش", "ambiguous-hemisphere", 6),
        ("36°43'4.91s 68°51'43.96\"E", "ambiguous-s", 11),
        ("36°71'80\"N 68°51'43\"E", "minutes-out-of-range", 4),
        ("36°43'60\"N 68°51'43\"E", "seconds-out-of-range", 7),
        ("36.5 43 N 68 51 E", "decimals-before-smaller-unit", 1),
        ("36'43 N 68 51 E", "marks-out-of-order", 1),
        ("95, 10", "latitude-out-of-range", 1),
        ("10, 190", "longitude-out-of-range", 5),
        ("10 N 190 E", "longitude-out-of-range", 6),
        ("36. 43 68. 51", "stray-point", 3),
        ("36,43 08", "ambiguous-comma", 3),
        ("36.7 × 68.8", "unknown-character", 6),
        ("1234567890123456 1", "too-many-digits", 1),
        ("lat 36.7 68.8", "cannot-split", 1),
        ("lat 36.7 E lon 68.8 N", "label-contradicts-letter", 10),
    ] {
        let error = refused(text);
        assert_eq!(
            (error.code(), error.column()),
            (code, column),
            "{text}: {error}"
        );
        assert!(error.message().len() > 20, "{text}");
    }
}

#[test]
fn longitude_first_beyond_ninety_is_refused_and_the_swap_is_named() {
    let error = refused("132.5, 15.5");
    assert_eq!(error.code(), "latitude-out-of-range");
    let likely = error.likely().first().expect("a likely reading");
    assert!(likely.position().distance_m(&place(15.5, 132.5)) < 1.0);
    assert!(refused("132.5 N, 15.5 E").likely().is_empty());
}

#[test]
fn mgrs_with_a_lost_or_doubled_digit_is_refused_with_words_that_help() {
    for (text, code) in [
        ("42SVF", "mgrs-without-digits"),
        ("42SVF876946360", "mgrs-odd-digits"),
        ("42SVF86", "mgrs-digit-count"),
        ("42SVF876941636021", "mgrs-digit-count"),
        ("42S VF 8769 463602", "mgrs-uneven-digits"),
        ("SVF8769463602", "mgrs-zone-missing"),
        ("61SVF8769463602", "mgrs-zone"),
        ("42SIF8769463602", "mgrs-letter"),
        ("42SAA8769463602", "mgrs-no-such-square"),
        ("42BVF8769463602", "mgrs-letter"),
    ] {
        let error = refused(text);
        assert_eq!(error.code(), code, "{text}: {error}");
    }
}

#[test]
fn mgrs_of_fewer_digits_is_the_middle_of_its_square_and_says_its_size() {
    for (text, side_m) in [
        ("42SVF8763", 1000.0),
        ("42SVF876636", 100.0),
        ("42SVF87696360", 10.0),
        ("42SVF8769463602", 1.0),
    ] {
        let typed = read(text);
        assert!((typed.precision_m - side_m).abs() < 1e-9, "{text}");
        assert!(
            typed.position.distance_m(&kunduz()) <= side_m * 0.72 + 1.0,
            "{text}"
        );
    }
}

#[test]
fn the_known_mgrs_places_are_read() {
    for (lat, lon, grid) in [
        (15.5007, 32.5599, "36PVC5279713755"),
        (60.39, 5.32, "32VKN9723000510"),
        (78.22, 15.65, "33XWG1481383004"),
        (90.0, 0.0, "ZAH0000000000"),
        (36.151_583, 36.967_750, "37SCA1717702674"),
        (16.0034, 43.196_97, "38QLC0706770148"),
        (31.416_68, 34.329_00, "36RXV2632476545"),
    ] {
        assert!(
            read(grid).position.distance_m(&place(lat, lon)) < 1.42,
            "{grid}"
        );
        assert_eq!(Format::Mgrs.write(place(lat, lon)), grid);
    }
}

#[test]
fn lost_degree_signs_offer_the_true_place_44_km_away() {
    let typed = read("36.43491 68.514396");
    let off = typed.position.distance_m(&kunduz());
    assert!((43_000.0..45_000.0).contains(&off), "{off}");
    assert!(typed.digits_tell);
    let first = typed.alternatives.first().expect("an alternative");
    assert_eq!(first.slip(), Slip::LostDegreeSigns);
    assert!(first.position().distance_m(&kunduz()) < 1.0);
}

#[test]
fn seconds_typed_as_decimals_of_a_minute_offer_the_true_place_874_m_away() {
    let typed = read("36°43.491'N 68°51.4396'E");
    let off = typed.position.distance_m(&kunduz());
    assert!((873.0..876.0).contains(&off), "{off}");
    assert!(typed.digits_tell);
    let first = typed.alternatives.first().expect("an alternative");
    assert_eq!(first.slip(), Slip::SecondsAsMinutes);
    assert!(first.position().distance_m(&kunduz()) < 1.0);
}

#[test]
fn ordinary_decimals_do_not_speak_for_another_reading() {
    for text in [
        "36.71803, 68.86221",
        "15.5007, 32.5599",
        "36.151583, 36.967750",
        "16.0034, 43.19697",
        "31.41668, 34.32900",
    ] {
        assert!(!read(text).digits_tell, "{text}");
    }
}

#[test]
fn precision_is_that_of_the_coarser_coordinate() {
    for (text, low, high) in [
        ("36.7, 68.86221", 11_000.0, 11_200.0),
        ("36.71803, 68.86221", 1.0, 1.2),
        ("36°43'4.91\"N 68°51'43.96\"E", 0.3, 0.32),
        ("36 43 N 68 51 E", 1800.0, 1900.0),
    ] {
        let precision_m = read(text).precision_m;
        assert!((low..high).contains(&precision_m), "{text}: {precision_m}");
    }
}

#[test]
fn text_longer_than_the_bound_is_refused_at_once() {
    assert_eq!(refused(&"1".repeat(257)).code(), "too-long");
    assert_eq!(refused(&"٣".repeat(1_000_000)).column(), 257);
}

#[test]
fn no_place_shows_in_debug_or_in_the_redacted_form() {
    let typed = read("36.43491 68.514396");
    let error = refused("132.5, 15.5");
    let shown = format!(
        "{typed:?} {:?} {error:?} {}",
        typed.alternatives,
        error.redacted()
    );
    for digits in ["36", "68", "132", "15.5"] {
        assert!(!shown.contains(digits), "{shown}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn every_format_is_read_back_to_its_last_digit(lat in -90.0..=90.0_f64, lon in -180.0..180.0_f64) {
        let there = place(lat, lon);
        for (format, within_m) in [
            (Format::Decimal, 0.08),
            (Format::DegreesMinutes, 0.14),
            (Format::DegreesMinutesSeconds, 0.23),
            (Format::Mgrs, 0.72),
        ] {
            let text = format.write(there);
            let back = read(&text);
            prop_assert_eq!(back.format, format);
            let off = back.position.distance_m(&there);
            prop_assert!(off < within_m, "{} is {} m off", text, off);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,256}") {
        let _result = parse_position(&text);
    }

    #[test]
    fn no_text_of_likely_characters_makes_it_panic_or_leave_the_earth(
        text in "[0-9 NSEWnsewdm°'\"’”,;:/.+\\-٣۶٫،شجСЮВЗ]{0,64}|[0-9]{1,2}[A-Za-z]{3}[0-9 ]{0,14}"
    ) {
        match parse_position(&text) {
            Ok(typed) => {
                prop_assert!(typed.precision_m > 0.0 && typed.precision_m.is_finite());
                prop_assert!(typed.alternatives.len() <= 8);
                prop_assert_eq!(typed.as_typed, text);
            }
            Err(error) => prop_assert!(error.column() >= 1 && error.column() <= text.chars().count() + 1),
        }
    }
}

#[test]
fn no_missed_conflict_every_place_that_is_written_so_lies_within_the_spread() {
    // What rounds to the digits typed, or is cut off to them in MGRS, at their outermost.
    for (typed, inside, least, most) in [
        ("14.0, 44.0", "14.0499999, 44.0499999", 7_600.0, 7_800.0),
        ("14.0, 44.0", "13.9500001, 43.9500001", 7_600.0, 7_800.0),
        ("14, 44", "14.4999999, 43.5000001", 77_000.0, 78_000.0),
        (
            "14°20'N 44°12'E",
            "14°20.4999'N 44°12.4999'E",
            1_280.0,
            1_300.0,
        ),
        (
            "14°20'15\"N 44°12'30\"E",
            "14°20'15.49\"N 44°12'30.49\"E",
            21.0,
            22.0,
        ),
        ("-89.9, 10.0", "-89.8500001, 10.04", 5_580.0, 5_600.0),
        ("0.0, 180.0", "0.0499999, -179.9500001", 7_800.0, 7_900.0),
        ("38P KB 43 12", "38P KB 43999 12999", 705.0, 713.0),
        ("38P KB 4321 1234", "38P KB 43219 12349", 7.0, 7.2),
        ("ZAH 12 34", "ZAH 12999 34999", 700.0, 720.0),
    ] {
        let read = parse_position(typed).expect("a place");
        let place = parse_position(inside).expect("a place").position;
        assert!(
            (least..most).contains(&read.spread_m),
            "{typed}: {}",
            read.spread_m
        );
        assert!(read.position.distance_m(&place) <= read.spread_m, "{typed}");
    }
    for precise in ["36.71803, 68.86221", "42SVF8769463602"] {
        assert!(parse_position(precise).expect("a place").spread_m <= 1.0);
    }
}
