//! A question as people and programs write it: a position and a radius, a GeoJSON file, or one line of NDJSON.

use geojson::{GeoJson, Geometry, GeometryValue};
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::FILE_MOST;
use crate::spatial::parse::{format, format_dtg, parse_duration, parse_position, parse_time};
use crate::wire::check::Question;
use crate::wire::parts::{AskedArea, CheckArea, Window};

/// Options of one question; of many, what a line leaves out.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Defaults {
    /// The radius of a circle around the position, in metres
    #[arg(long, value_name = "M")]
    radius: Option<f64>,
    /// Half the width of a corridor along a line, in metres
    #[arg(long, value_name = "M")]
    half_width: Option<f64>,
    /// From when: RFC 3339, date-time group like 031430ZMAY26, or local time with --zone [default: open]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Until when [default: open]
    #[arg(long, value_name = "TIME", conflicts_with = "for_")]
    until: Option<String>,
    /// For how long from then, like 30m or 2h
    #[arg(long = "for", value_name = "DURATION", requires = "from", id = "for_")]
    for_: Option<String>,
    /// Metres around the area in which effects are expected
    #[arg(long, value_name = "M", default_value_t = 0.0)]
    effect_radius: f64,
    /// The operation's name, your own
    #[arg(long, value_name = "NAME")]
    operation: Option<String>,
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
}

/// A question from a position as typed.
pub fn place(typed: &str, options: &Defaults) -> Result<Asked, String> {
    let read = parse_position(typed).map_err(|error| {
        format!(
            "the position \"{typed}\": {error}. (A file's name ends in .geojson, .json or .ndjson)"
        )
    })?;
    let radius_m = options
        .radius
        .ok_or("a position needs --radius, in metres; 0 asks about the point alone")?;
    let mut remarks = Vec::new();
    if read.precision_m > 15.0 {
        remarks.push(format!(
            "These coordinates name a place to about {:.0} m only; the radius is measured from the middle of it.",
            read.precision_m
        ));
    }
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
        radius_m,
    };
    let words = format!(
        "a circle of {radius_m} m around {}",
        format::both(read.position)
    );
    finish(area, &words, Some(typed), remarks, options)
}

/// A question from a GeoJSON file.
pub fn file(path: &str, options: &Defaults) -> Result<Asked, String> {
    let fault = |why: &dyn std::fmt::Display| format!("{path}: {why}");
    let length = std::fs::metadata(path).map_err(|e| fault(&e))?.len();
    if length > FILE_MOST {
        return Err(fault(&format!("it is longer than {FILE_MOST} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|e| fault(&e))?;
    let read: GeoJson = text.parse().map_err(|_| fault(&"it is not GeoJSON"))?;
    geometry(only(read).map_err(|why| fault(&why))?, path, options).map_err(|why| fault(&why))
}

/// A question from a line of NDJSON, and the line's `id`.
pub fn line(text: &str, options: &Defaults) -> (Option<Value>, Result<Asked, String>) {
    let line: Line = match serde_json::from_str(text) {
        Ok(line) => line,
        Err(error) => return (None, Err(format!("it is not a question: {error}"))),
    };
    let given = line.until.is_some() || line.for_.is_some();
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
        zone: options.zone.clone(),
    };
    let asked = match (line.at, line.geometry) {
        (Some(at), None) => place(&at, &options),
        (None, Some(of)) => geometry(of, "geometry", &options),
        _ => Err("it needs either \"at\" or \"geometry\"".to_owned()),
    };
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
            let half_width_m = options
                .half_width
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
            let radius_m = options.radius.ok_or("a point needs --radius, in metres")?;
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
        operation: options.operation.clone(),
        typed: (!typed.is_empty()).then(|| typed.join(" | ")),
    };
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
        odd: remarks,
    })
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
        (Some(from), None) => format!("from {} on", format_dtg(from)),
        (None, Some(until)) => format!("until {}", format_dtg(until)),
        (Some(from), Some(until)) => format!("{} to {}", format_dtg(from), format_dtg(until)),
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
}
