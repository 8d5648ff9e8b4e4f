//! A question as people and programs write it: a position and a radius, a GeoJSON file, or one line of NDJSON.

use std::path::Path;

use geojson::{GeoJson, Geometry, GeometryValue};
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::FILE_MOST;
use crate::cli::files::{self, Pipes};
use crate::spatial::Position;
use crate::spatial::parse::{
    TypedPosition, format, format_dtg, format_rfc3339, parse_duration, parse_position, parse_time,
};
use crate::wire::check::Question;
use crate::wire::parts::{AskedArea, CheckArea, Window};

/// What the digits of a place may leave open, in metres, before a circle around it is widened.
const NARROW_M: f64 = 1.0;

/// Options of one question; of many, what a line leaves out.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Defaults {
    /// The radius of a circle around the position, in metres
    #[arg(long, value_name = "M", allow_negative_numbers = true)]
    radius: Option<f64>,
    /// Half the width of a corridor along a line, in metres
    #[arg(long, value_name = "M", allow_negative_numbers = true)]
    half_width: Option<f64>,
    /// From when: RFC 3339, date-time group like 031430ZMAY27, or local time with --zone [default: open]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Until when [default: open]
    #[arg(long, value_name = "TIME", conflicts_with = "for_")]
    until: Option<String>,
    /// For how long from then, like 30m or 2h
    #[arg(long = "for", value_name = "DURATION", requires = "from", id = "for_")]
    for_: Option<String>,
    /// Metres around the area in which effects are expected
    #[arg(
        long,
        value_name = "M",
        default_value_t = 0.0,
        allow_negative_numbers = true
    )]
    effect_radius: f64,
    /// The operation's name, your own
    #[arg(long, value_name = "NAME")]
    operation: Option<String>,
    /// The area is meant although it lies outside the context's country: else nothing notified there is INDETERMINATE
    #[arg(long)]
    outside_countries: bool,
    /// The zone of times that name none, like Asia/Aden
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
}

/// A question, ready to be signed.
pub struct Asked {
    /// The part `area`.
    pub area: CheckArea,
    /// The area in words, for whoever asked.
    pub words: String,
    /// By how many metres the circle was widened, because the place was typed with few digits.
    pub widened_m: Option<f64>,
    /// Other places that may have been meant by what was typed; of GeoJSON the one with its axes swapped.
    pub readings: Vec<(&'static str, Position)>,
    /// What was odd about the place as it was typed.
    odd: Vec<String>,
}

impl Asked {
    /// What was odd about it. A window that has ended is most often a slip in the month or the year, and about the past
    /// there is seldom anything to find.
    pub fn remarks(&self, now: OffsetDateTime) -> Vec<String> {
        let mut remarks = self.odd.clone();
        if let Some(until) = self.area.window.until.filter(|until| *until < now) {
            remarks.push(format!(
                "This window is past: it ended {}. Check day, month and year.",
                format_dtg(until)
            ));
        }
        remarks
    }
}

impl Asked {
    /// Refuses a length that was given with an area which has none such: it would widen nothing, and whoever gave it
    /// believes that it does.
    fn with_its_own(self, radius: Option<f64>, half_width: Option<f64>) -> Result<Self, String> {
        let why = match (&self.area.area, radius, half_width) {
            (AskedArea::Polygon { .. }, None, None)
            | (AskedArea::Corridor { .. }, None, _)
            | (AskedArea::Circle { .. }, _, None) => return Ok(self),
            (AskedArea::Polygon { .. }, ..) => {
                "a polygon has neither radius nor half-width: draw it larger, or give an effect radius"
            }
            (AskedArea::Corridor { .. }, ..) => "a line has no radius: give its half-width alone",
            (AskedArea::Circle { .. }, ..) => "a point has no half-width: give its radius alone",
        };
        Err(why.to_owned())
    }
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Asked[sealed]")
    }
}

/// One line of NDJSON. What is absent is taken from the options.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default)]
    id: Option<Value>,
    #[serde(default)]
    at: Option<String>,
    #[serde(default)]
    geometry: Option<Geometry>,
    #[serde(default)]
    radius: Option<f64>,
    #[serde(default)]
    half_width: Option<f64>,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    until: Option<String>,
    #[serde(default, rename = "for")]
    for_: Option<String>,
    #[serde(default)]
    effect_radius: Option<f64>,
    #[serde(default)]
    operation: Option<String>,
    #[serde(default)]
    outside_countries: Option<bool>,
}

/// A question from a position as typed on the command line.
pub fn place(typed: &str, options: &Defaults) -> Result<Asked, String> {
    position(typed, options)
        .and_then(|asked| asked.with_its_own(options.radius, options.half_width))
}

/// A question from a position as typed.
fn position(typed: &str, options: &Defaults) -> Result<Asked, String> {
    let read = parse_position(typed).map_err(|error| {
        format!(
            "the position \"{typed}\": {error}. (A file's name ends in .geojson, .json or .ndjson)"
        )
    })?;
    let typed_m = length(options.radius, "radius")?
        .ok_or("a position needs --radius, in metres; 0 asks about the point alone")?;
    let widening = Widening::of(&read, typed_m);
    let mut remarks: Vec<String> = widening.iter().map(|w| format!("Checked {w}.")).collect();
    if read.digits_tell
        && let Some(other) = read.alternatives.first()
    {
        remarks.push(format!(
            "Is this the place that is meant? {}. Otherwise: {other}",
            other.slip().explanation()
        ));
    }
    let area = AskedArea::Circle {
        center: [read.position.lon(), read.position.lat()],
        radius_m: typed_m + widening.as_ref().map_or(0.0, |w| w.by_m),
    };
    let circle = widening
        .as_ref()
        .map_or_else(|| metres(typed_m), Widening::sum);
    let mut words = format!(
        "a circle of {circle} around {}",
        format::both(read.position)
    );
    if let Some(widening) = &widening {
        words = format!("{words} ({})", widening.because());
    }
    // What is wrong with the times has nothing to do with the circle.
    window(options)?;
    let asked =
        finish(area, &words, Some(typed), remarks, options).map_err(|why| match &widening {
            Some(widening) => {
                let why = why.trim_end_matches('.');
                format!("{why}. The circle asked about was {widening}.")
            }
            None => why,
        })?;
    Ok(Asked {
        widened_m: widening.map(|w| w.by_m),
        readings: read
            .alternatives
            .iter()
            .map(|r| (r.slip().explanation(), r.position()))
            .collect(),
        ..asked
    })
}

/// Widens a circle by what the digits of its centre leave open: a place stands for everything that is written so.
struct Widening {
    typed_m: f64,
    by_m: f64,
    /// To how much the place was given, in words.
    given_to: String,
}

impl Widening {
    /// None when the digits leave less than a metre open.
    fn of(read: &TypedPosition, typed_m: f64) -> Option<Self> {
        (read.spread_m > NARROW_M).then(|| Self {
            typed_m,
            by_m: read.spread_m.ceil(),
            given_to: metres(match read.precision_m {
                km @ 1_000.0.. => (km / 100.0).round() * 100.0,
                m => m.round(),
            }),
        })
    }

    fn sum(&self) -> String {
        format!("{} + {}", metres(self.typed_m), metres(self.by_m))
    }

    fn because(&self) -> String {
        format!(
            "the place was given to about {} only; give more digits to narrow it",
            self.given_to
        )
    }
}

impl std::fmt::Display for Widening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, because {}", self.sum(), self.because())
    }
}

/// Metres with commas between the thousands, as a person reads them.
fn metres(metres: f64) -> String {
    let text = metres.to_string();
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut out = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    format!("{out}{rest} m")
}

/// A length that was given must be one: a sign too much must not come out smaller, or as another area.
fn length(given: Option<f64>, what: &str) -> Result<Option<f64>, String> {
    match given {
        Some(metres) if !(metres.is_finite() && metres >= 0.0) => Err(format!(
            "a {what} is 0 metres or more, and {metres} is not; write it without a sign"
        )),
        _ => Ok(given),
    }
}

/// A question from a GeoJSON file.
pub fn file(path: &str, options: &Defaults) -> Result<Asked, String> {
    let fault = |why: &dyn std::fmt::Display| format!("{path}: {why}");
    let bytes = files::read(Path::new(path), FILE_MOST, Pipes::Refused).map_err(|e| fault(&e))?;
    let text = String::from_utf8(bytes).map_err(|_| fault(&"it is not UTF-8"))?;
    let read: GeoJson = text.parse().map_err(|_| fault(&"it is not GeoJSON"))?;
    only(read)
        .and_then(|one| geometry(one, path, options))
        .and_then(|asked| asked.with_its_own(options.radius, options.half_width))
        .map_err(|why| fault(&why))
}

/// A question from a line of NDJSON, and the line's `id`.
pub fn line(text: &str, options: &Defaults) -> (Option<Value>, Result<Asked, String>) {
    let line: Line = match serde_json::from_str(text) {
        Ok(line) => line,
        Err(error) => return (None, Err(format!("it is not a question: {error}"))),
    };
    if line.until.is_some() && line.for_.is_some() {
        let why = "it has both \"until\" and \"for\", and they may differ; give one".to_owned();
        return (line.id, Err(why));
    }
    let given = line.until.is_some() || line.for_.is_some();
    let own = (line.radius, line.half_width);
    let options = Defaults {
        radius: line.radius.or(options.radius),
        half_width: line.half_width.or(options.half_width),
        from: line.from.or_else(|| options.from.clone()),
        until: line
            .until
            .or_else(|| options.until.clone().filter(|_| !given)),
        for_: line
            .for_
            .or_else(|| options.for_.clone().filter(|_| !given)),
        effect_radius: line.effect_radius.unwrap_or(options.effect_radius),
        operation: line.operation.or_else(|| options.operation.clone()),
        outside_countries: line.outside_countries.unwrap_or(options.outside_countries),
        zone: options.zone.clone(),
    };
    let asked = match (line.at, line.geometry) {
        (Some(at), None) => position(&at, &options),
        (None, Some(of)) => geometry(of, "geometry", &options),
        _ => Err("it needs either \"at\" or \"geometry\"".to_owned()),
    };
    let asked = asked.and_then(|asked| asked.with_its_own(own.0, own.1));
    (line.id, asked)
}

/// The one geometry of a file.
fn only(read: GeoJson) -> Result<Geometry, String> {
    let feature = match read {
        GeoJson::Geometry(geometry) => return Ok(geometry),
        GeoJson::Feature(feature) => feature,
        GeoJson::FeatureCollection(collection) => {
            let mut features = collection.features.into_iter();
            match (features.next(), features.next()) {
                (Some(only), None) => only,
                _ => return Err("it must hold exactly one feature; ask about several with NDJSON, or draw a MultiPolygon".to_owned()),
            }
        }
    };
    feature
        .geometry
        .ok_or_else(|| "its feature has no geometry".to_owned())
}

fn geometry(of: Geometry, source: &str, options: &Defaults) -> Result<Asked, String> {
    let (area, words) = match &of.value {
        GeometryValue::Polygon { .. } | GeometryValue::MultiPolygon { .. } => {
            let words = format!("the {} of {source}", of.value.type_name());
            (AskedArea::Polygon { geometry: of }, words)
        }
        GeometryValue::LineString { .. } | GeometryValue::MultiLineString { .. } => {
            let half_width_m = length(options.half_width, "half-width")?
                .ok_or("a line needs --half-width, in metres")?;
            let words = format!("{half_width_m} m to either side of the line of {source}");
            (
                AskedArea::Corridor {
                    geometry: of,
                    half_width_m,
                },
                words,
            )
        }
        GeometryValue::Point { coordinates } => {
            let radius_m =
                length(options.radius, "radius")?.ok_or("a point needs --radius, in metres")?;
            let numbers: &[f64] = coordinates.as_slice();
            let [lon, lat, ..] = numbers else {
                return Err("its point has no two coordinates".to_owned());
            };
            let words = format!("a circle of {radius_m} m around the point of {source}");
            (
                AskedArea::Circle {
                    center: [*lon, *lat],
                    radius_m,
                },
                words,
            )
        }
        other => {
            return Err(format!(
                "a {} cannot be asked about; give a Polygon, MultiPolygon, LineString or Point",
                other.type_name()
            ));
        }
    };
    finish(area, &words, None, Vec::new(), options)
}

fn finish(
    area: AskedArea,
    place: &str,
    typed: Option<&str>,
    remarks: Vec<String>,
    options: &Defaults,
) -> Result<Asked, String> {
    let window = window(options)?;
    length(Some(options.effect_radius), "effect radius")?;
    let times: Vec<&str> = [&options.from, &options.until, &options.for_]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    let typed: Vec<&str> = typed.into_iter().chain(times).collect();
    let area = CheckArea {
        area,
        effect_radius_m: options.effect_radius,
        window,
        outside_countries: options.outside_countries,
        operation: options.operation.clone(),
        typed: (!typed.is_empty()).then(|| typed.join(" | ")),
    };
    let readings = swapped(&area.area).into_iter().collect();
    // What the server would refuse is refused here, where the person who typed it sees why.
    Question::read(&area).map_err(|problem| problem.to_string())?;
    let words = format!(
        "{place}, with an effect radius of {} m, {}",
        options.effect_radius,
        window_words(&window)
    );
    Ok(Asked {
        area,
        words,
        widened_m: None,
        readings,
        odd: remarks,
    })
}

/// The first place of an area with its axes swapped: what it is when latitude was written first.
fn swapped(area: &AskedArea) -> Option<(&'static str, Position)> {
    let first = |geometry: &Geometry| match &geometry.value {
        GeometryValue::LineString { coordinates } => coordinates.first().cloned(),
        GeometryValue::MultiLineString { coordinates } | GeometryValue::Polygon { coordinates } => {
            coordinates.first().and_then(|ring| ring.first()).cloned()
        }
        GeometryValue::MultiPolygon { coordinates } => coordinates
            .first()
            .and_then(|polygon| polygon.first())
            .and_then(|ring| ring.first())
            .cloned(),
        _ => None,
    };
    let [lon, lat] = match area {
        AskedArea::Circle { center, .. } => *center,
        AskedArea::Polygon { geometry } | AskedArea::Corridor { geometry, .. } => {
            match first(geometry)?.as_slice() {
                [lon, lat, ..] => [*lon, *lat],
                _ => return None,
            }
        }
    };
    let turned = Position::new(lat, lon).ok()?;
    Some((
        "longitude and latitude look swapped (GeoJSON puts longitude first)",
        turned,
    ))
}

fn window(options: &Defaults) -> Result<Window, String> {
    let zone = options.zone.as_deref();
    let time = |text: &Option<String>, flag: &str| {
        let parse = |text: &String| {
            parse_time(text, zone)
                .map(|typed| typed.utc)
                .map_err(|error| format!("{flag} \"{text}\": {error}"))
        };
        text.as_ref().map(parse).transpose()
    };
    let from = time(&options.from, "--from")?;
    let mut until = time(&options.until, "--until")?;
    if let Some(text) = &options.for_ {
        let lasts = parse_duration(text).map_err(|error| format!("--for \"{text}\": {error}"))?;
        let from = from.ok_or("--for needs --from")?;
        until = Some(
            from.checked_add(lasts.duration)
                .ok_or("the window ends after the calendar")?,
        );
    }
    Ok(Window { from, until })
}

/// A window in words.
pub fn window_words(window: &Window) -> String {
    match (window.from, window.until) {
        (None, None) => "at any time".to_owned(),
        (Some(from), None) => format!("from {} on", moment_words(from)),
        (None, Some(until)) => format!("until {}", moment_words(until)),
        (Some(from), Some(until)) => format!("{} to {}", moment_words(from), moment_words(until)),
    }
}

/// A moment as a date-time group, and to the second where the group, which knows minutes only, would cut something off.
pub fn moment_words(at: OffsetDateTime) -> String {
    if (at.second(), at.nanosecond()) == (0, 0) {
        format_dtg(at)
    } else {
        format!("{} ({})", format_dtg(at), format_rfc3339(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_is_past_is_remarked_upon_and_one_to_come_is_not() {
        let options = Defaults {
            radius: Some(500.0),
            from: Some("031430ZMAY26".to_owned()),
            for_: Some("30m".to_owned()),
            ..Defaults::default()
        };
        let asked = place("42SVF8769463602", &options).expect("a question");
        let at = |text: &str| parse_time(text, None).expect("a time").utc;
        assert_eq!(asked.remarks(at("031430ZMAY26")), Vec::<String>::new());
        let late = asked.remarks(at("031530ZMAY26"));
        assert!(
            matches!(late.as_slice(), [one] if one.contains("is past") && one.contains("031500ZMAY26")),
            "{late:?}"
        );
    }

    fn circle(asked: &Asked) -> ([f64; 2], f64) {
        match asked.area.area {
            AskedArea::Circle { center, radius_m } => (center, radius_m),
            _ => panic!("a circle was asked about"),
        }
    }

    #[test]
    fn no_missed_conflict_a_place_stands_for_everything_that_its_digits_could_mean() {
        let options = Defaults {
            radius: Some(500.0),
            ..Defaults::default()
        };
        for (typed, elsewhere) in [
            ("14.0, 44.0", "14.04999, 44.04999"),
            ("14.0, 44.0", "13.95001, 43.95001"),
            ("14°20'N 44°12'E", "14°20.499'N 44°11.501'E"),
            ("14°20.5'N 44°12'E", "14°20.549'N 44°12.499'E"),
            ("38PLB 12 34", "38PLB 12999 34001"),
            ("38PLB 123 345", "38PLB 12399 34599"),
        ] {
            let asked = place(typed, &options).expect("a question");
            let (center, radius_m) = circle(&asked);
            let at = parse_position(elsewhere).expect("a place").position;
            let middle = crate::spatial::Position::new(center[0], center[1]).expect("a place");
            // What stands there conflicts when it is within the radius that was typed, wherever the place really is.
            assert!(middle.distance_m(&at) + 500.0 <= radius_m, "{typed}");
            let widened_m = asked.widened_m.expect("widened");
            let said = asked.remarks(OffsetDateTime::UNIX_EPOCH).join(" ");
            for words in [said.as_str(), asked.words.as_str()] {
                assert!(
                    words.contains(&format!("500 m + {}", metres(widened_m)))
                        && words.contains("give more digits"),
                    "{words}"
                );
            }
        }
        let exact = place("38PLB1234534567", &options).expect("a question");
        assert_eq!((exact.widened_m, circle(&exact).1), (None, 500.0));
        let (_, line) = line(r#"{"at":"14.0, 44.0","radius":500}"#, &Defaults::default());
        assert!(circle(&line.expect("a question")).1 > 8_000.0);
    }

    #[test]
    fn no_missed_conflict_what_a_question_says_twice_or_of_no_use_is_refused_and_not_left_out() {
        let polygon = r#""geometry":{"type":"Polygon","coordinates":[[[44,14],[44.1,14],[44.1,14.1],[44,14]]]}"#;
        let route = r#""geometry":{"type":"LineString","coordinates":[[44,14],[44.1,14]]}"#;
        let at = r#""at":"38PLB1234534567""#;
        let refused = |text: String, defaults: &Defaults, because: &str| {
            let (id, asked) = line(&text, defaults);
            assert_eq!(id, Some(Value::from(7)), "{text}");
            let why = asked.expect_err(&text);
            assert!(why.contains(because), "{text}: {why}");
        };
        let none = Defaults::default();
        let times = r#""from":"031430ZMAY27","until":"041430ZMAY27","for":"1m""#;
        refused(
            format!(r#"{{"id":7,{at},"radius":5,{times}}}"#),
            &none,
            "both",
        );
        refused(
            format!(r#"{{"id":7,{polygon},"radius":9000}}"#),
            &none,
            "polygon",
        );
        refused(
            format!(r#"{{"id":7,{polygon},"half_width":9}}"#),
            &none,
            "polygon",
        );
        refused(
            format!(r#"{{"id":7,{route},"half_width":9,"radius":9}}"#),
            &none,
            "line",
        );
        refused(
            format!(r#"{{"id":7,{at},"radius":9,"half_width":9}}"#),
            &none,
            "point",
        );
        // What the options give is for the lines that have a use for it.
        let both = Defaults {
            radius: Some(9.0),
            half_width: Some(9.0),
            ..Defaults::default()
        };
        for text in [polygon, route, at] {
            let (_, asked) = line(&format!("{{{text}}}"), &both);
            assert!(asked.is_ok(), "{text}");
        }
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("area.geojson");
        let area = r#"{"type":"Polygon","coordinates":[[[44,14],[44.1,14],[44.1,14.1],[44,14]]]}"#;
        std::fs::write(&path, area).expect("written");
        let path = path.to_str().expect("UTF-8");
        assert!(file(path, &none).is_ok());
        assert!(file(path, &both).expect_err("a radius").contains("polygon"));
        assert!(
            place("38PLB1234534567", &both)
                .expect_err("a half-width")
                .contains("point")
        );
    }

    #[test]
    fn no_missed_conflict_what_has_no_end_is_no_area() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("area.geojson");
        std::os::unix::fs::symlink("/dev/zero", &path).expect("laid");
        let path = path.to_str().expect("UTF-8");
        let why = file(path, &Defaults::default()).expect_err("no file");
        assert!(why.contains("not a regular file"), "{why}");
    }

    #[test]
    fn a_circle_too_wide_for_want_of_digits_is_refused_and_asks_for_more() {
        let options = Defaults {
            radius: Some(990_000.0),
            ..Defaults::default()
        };
        let why = place("14, 44", &options).expect_err("too wide");
        assert!(
            why.contains("990,000 m + ") && why.contains("give more digits"),
            "{why}"
        );
    }

    #[test]
    fn what_is_wrong_with_the_times_is_said_alone_and_what_is_too_wide_in_whole_sentences() {
        let options = Defaults {
            radius: Some(300.0),
            from: Some("2027-05-03 14:30".to_owned()),
            ..Defaults::default()
        };
        let why = place("15.3501, 44.2001", &options).expect_err("no zone");
        assert!(why.contains("--from") && !why.contains("because"), "{why}");
        let options = Defaults {
            radius: Some(990_000.0),
            ..Defaults::default()
        };
        let why = place("14, 44", &options).expect_err("too wide");
        assert!(
            why.contains(". The circle asked about was 990,000 m"),
            "{why}"
        );
    }

    #[test]
    fn no_missed_conflict_a_window_keeps_its_seconds() {
        let options = Defaults {
            radius: Some(500.0),
            from: Some("2027-05-03T14:30:15Z".to_owned()),
            until: Some("2027-05-03T15:00:00Z".to_owned()),
            ..Defaults::default()
        };
        let asked = place("42SVF8769463602", &options).expect("a question");
        assert!(
            asked
                .words
                .contains("031430ZMAY27 (2027-05-03T14:30:15Z) to 031500ZMAY27"),
            "{}",
            asked.words
        );
    }

    #[test]
    fn no_missed_conflict_a_length_with_a_sign_is_refused_in_words() {
        for radius in [-5.0, f64::NAN, f64::INFINITY] {
            let options = Defaults {
                radius: Some(radius),
                ..Defaults::default()
            };
            let why = place("14.0, 44.0", &options).expect_err("no radius");
            assert!(why.contains("a radius is 0 metres or more"), "{why}");
        }
    }
}
