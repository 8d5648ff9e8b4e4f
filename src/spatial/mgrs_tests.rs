//! Known references, the traps of the crate beneath, and the way there and back.

use super::*;
use proptest::prelude::*;

fn place(lat: f64, lon: f64) -> Position {
    Position::new(lon, lat).unwrap()
}

#[test]
fn known_places_have_their_known_references() {
    for (lat, lon, text) in [
        (15.5007, 32.5599, "36PVC5279713755"),
        (60.39, 5.32, "32VKN9723000510"),
        (78.22, 15.65, "33XWG1481383004"),
        (90.0, 0.0, "ZAH0000000000"),
        (36.71803, 68.86221, "42SVF8769463602"),
        (36.151_583, 36.967_750, "37SCA1717702674"),
        (16.0034, 43.19697, "38QLC0706770148"),
        (31.41668, 34.32900, "36RXV2632476545"),
    ] {
        assert_eq!(format(place(lat, lon)), text);
        let square = Square::parse(text).unwrap();
        assert!(
            square.corner().distance_m(&place(lat, lon)) <= 1.42,
            "{text}"
        );
        assert_eq!(square.text(), text);
    }
}

#[test]
fn the_equator_and_band_edges_have_the_right_letter() {
    assert!(format(place(0.0, 32.5)).starts_with("36N"));
    assert!(format(place(-0.0, 32.5)).starts_with("36N"));
    assert!(format(place(-1e-12, 32.5)).starts_with("36M"));
    assert!(format(place(-1e-19, 32.5)).starts_with("36M"));
    assert!(format(place(8.0, 3.0)).starts_with("31P"));
    for band in -9..=9 {
        let edge = f64::from(band) * 8.0;
        let text = format(place(edge, 33.0));
        assert_eq!(
            text.as_bytes()[2],
            BANDS[usize::try_from(band + 10).unwrap()],
            "{text}"
        );
        assert!(
            Square::parse(&text)
                .unwrap()
                .corner()
                .distance_m(&place(edge, 33.0))
                < 1.42
        );
    }
    assert!(format(place(84.0, 10.0)).starts_with('Z'));
    assert!(format(place(-80.0, 10.0)).starts_with("32C"));
    assert_eq!(format(place(10.0, 180.0)), format(place(10.0, -180.0)));
}

#[test]
fn references_are_read_with_spaces_and_in_any_case() {
    let want = Square::parse("42SVF8769463602").unwrap();
    assert_eq!(Square::parse("42S VF 87694 63602"), Ok(want));
    assert_eq!(Square::parse(" 42s vf87694 63602 "), Ok(want));
    assert_eq!(Square::parse("6PVC51").unwrap().text(), "06PVC51");
    assert_eq!(Square::parse("36pvc 51").unwrap().size_m(), 10_000);
    assert_eq!(Square::parse("42SVF 876 636").unwrap().size_m(), 100);
}

#[test]
fn what_is_no_place_is_refused_for_what_it_lacks() {
    for (text, want) in [
        ("", MgrsError::Band),
        ("36", MgrsError::Band),
        ("36P", MgrsError::NoDigits),
        ("36PV", MgrsError::Square),
        ("36PVC", MgrsError::NoDigits),
        ("36PVC527", MgrsError::OddDigits),
        ("36PVC527971375512", MgrsError::TooManyDigits),
        ("36PVC52797137551234567890", MgrsError::TooManyDigits),
        ("61PVC5213", MgrsError::Zone),
        ("0PVC5213", MgrsError::Zone),
        ("361PVC5213", MgrsError::Zone),
        ("PVC5213", MgrsError::Zone),
        ("36ZVC5213", MgrsError::Zone),
        ("36IVC5213", MgrsError::Band),
        ("36PIC5213", MgrsError::Square),
        ("36PVZ5213", MgrsError::Square),
        ("36PV15213", MgrsError::Square),
        ("36PVC52A3", MgrsError::Square),
        ("36P-VC", MgrsError::Character),
        ("٣٦PVC5213", MgrsError::Character),
        ("32XMG5213", MgrsError::Square),
    ] {
        assert_eq!(Square::parse(text), Err(want), "{text}");
    }
}

proptest! {
    #[test]
    fn every_place_comes_back_within_its_square(lat in -90.0..=90.0_f64, lon in -180.0..=180.0_f64, digits in 1_u8..=5) {
        let here = place(lat, lon);
        let square = Square::containing(here, digits).unwrap();
        let back = Square::parse(&square.text()).unwrap();
        prop_assert_eq!(back, square);
        let diagonal = f64::from(square.size_m()) * 1.4143 * 1.011;
        prop_assert!(back.corner().distance_m(&here) <= diagonal + 1e-3);
        prop_assert!(back.centre().distance_m(&here) <= diagonal / 2.0 + 1e-3);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,30}", grid in "[0-6]?[0-9]?[A-Z]{0,3}[0-9]{0,12}") {
        let _ignored = Square::parse(&text).is_ok();
        if let Ok(square) = Square::parse(&grid) {
            prop_assert_eq!(Square::parse(&square.text()), Ok(square));
        }
    }
}
