//! Is this the place that was meant? Looks at what was typed beside the declared country, the last revision and the need
//! of the category. What is odd about the place is first held against the known slips: if undoing one makes everything
//! fit, the warning is about that slip and names the place; otherwise it is about what is odd.

use super::super::{Country, Format, Position, Reading, Slip, TypedPosition, format};
use super::borders::{Land, land_at};
use super::{Code, Likely, Warning, distance_text};

/// A revision that moves an object farther than this, in metres, is asked about.
pub const FAR_M: f64 = 1_000.0;
/// Within this many metres of the last revision a place counts as the same.
const SAME_M: f64 = 50.0;
/// Nobody works within this many degrees of latitude 0, longitude 0: it is open sea.
const NULL_DEG: f64 = 0.1;
/// Closer to zero than this is exactly zero: a missing value.
const ZERO_DEG: f64 = 1e-9;

/// What else is known about the position.
#[derive(Clone, Copy, Default)]
pub struct PlaceContext<'a> {
    /// JSON pointer, cell or column name for the warnings.
    pub subject: &'a str,
    /// The country that the person declared.
    pub country: Option<Country>,
    /// The coarsest last digit that the category bears, in metres.
    pub needed_m: Option<f64>,
    /// Where the last revision of the same object had it.
    pub last: Option<Position>,
}

/// Something odd about a place.
enum Odd {
    Null,
    Nowhere,
    Outside(Country, Land),
    Far(f64),
}

impl Odd {
    fn code(&self) -> Code {
        match self {
            Self::Null => Code::NullIsland,
            Self::Nowhere => Code::InTheSea,
            Self::Outside(..) => Code::OutsideDeclaredCountry,
            Self::Far(_) => Code::FarFromLastRevision,
        }
    }

    fn sentence(&self) -> String {
        match self {
            Self::Null => {
                "one or both of the coordinates are zero, which is what an empty field becomes"
                    .to_owned()
            }
            Self::Nowhere => "this is in the sea, far from any coast (or at a pole)".to_owned(),
            Self::Outside(country, land) => {
                format!(
                    "this is not in {country} but in {} (borders here are simplified and say nothing on whose land it is)",
                    land.names()
                )
            }
            Self::Far(metres) => format!(
                "this is {} from where the last revision of this object was",
                distance_text(*metres)
            ),
        }
    }
}

/// Warnings on one position: at most one on each thing that is odd, and one on its digits. Empty if nothing is odd.
pub fn lint_position(typed: &TypedPosition, context: &PlaceContext<'_>) -> Vec<Warning> {
    let mut out = Vec::new();
    let odd = oddities(typed.position, context);
    match likely_slip(typed, &odd, context) {
        Some((reading, why)) => out.push(slip_warning(typed, reading, &why, context)),
        None => out.extend(odd.iter().map(|odd| odd_warning(typed, odd, context))),
    }
    // Of an empty field nobody needs more digits.
    if !odd.iter().any(|odd| matches!(odd, Odd::Null)) {
        out.extend(too_few_digits(typed, context));
    }
    out
}

fn oddities(position: Position, context: &PlaceContext<'_>) -> Vec<Odd> {
    let (lat, lon) = (position.lat().abs(), position.lon().abs());
    if (lat < NULL_DEG && lon < NULL_DEG) || lat < ZERO_DEG || lon < ZERO_DEG {
        return vec![Odd::Null];
    }
    let mut odd = Vec::new();
    match (land_at(position), context.country) {
        (Land::Nowhere, _) => odd.push(Odd::Nowhere),
        (land, Some(country)) if !land.holds(country) => odd.push(Odd::Outside(country, land)),
        _ => {}
    }
    if let Some(metres) = context
        .last
        .map(|last| last.distance_m(&position))
        .filter(|metres| *metres > FAR_M)
    {
        odd.push(Odd::Far(metres));
    }
    odd
}

/// The slip that explains what is odd, and in words what speaks for it.
fn likely_slip(
    typed: &TypedPosition,
    odd: &[Odd],
    context: &PlaceContext<'_>,
) -> Option<(Reading, String)> {
    let fitting = || {
        typed
            .alternatives
            .iter()
            .filter(|reading| oddities(reading.position(), context).is_empty())
    };
    let from_last = |position: Position| context.last.map(|last| last.distance_m(&position));
    if !odd.is_empty() {
        let why = odd.iter().map(Odd::sentence).collect::<Vec<_>>().join("; ");
        let best = match context.last {
            Some(last) => fitting().min_by(|a, b| {
                last.distance_m(&a.position())
                    .total_cmp(&last.distance_m(&b.position()))
            }),
            // Without an earlier place the grossest slip is the likeliest: it is what left the country.
            None => fitting()
                .find(|reading| reading.slip() == Slip::SwappedAxes)
                .or_else(|| fitting().next()),
        };
        return best.map(|reading| (*reading, why));
    }
    if let Some(metres) = from_last(typed.position) {
        let same = SAME_M.max(typed.precision_m);
        let again = fitting().find(|reading| {
            from_last(reading.position()).is_some_and(|off| off < same && off * 4.0 < metres)
        });
        if let Some(reading) = again.filter(|_| metres > 2.0 * same) {
            let why = format!(
                "this is {} from where the last revision was, but read the other way it is the same place",
                distance_text(metres)
            );
            return Some((*reading, why));
        }
        if metres <= same {
            return None;
        }
    }
    let first = typed.alternatives.first().filter(|_| typed.digits_tell)?;
    let apart = distance_text(first.position().distance_m(&typed.position));
    let fits = oddities(first.position(), context).is_empty();
    fits.then(|| (*first, format!("the two numbers have different numbers of digits, and can be read as another place {apart} away")))
}

fn slip_warning(
    typed: &TypedPosition,
    reading: Reading,
    why: &str,
    context: &PlaceContext<'_>,
) -> Warning {
    let message = format!(
        "read as {}: {why}. Perhaps {}. Did you mean {reading}? If so, type that; if not, type the place again in another format",
        format::both(typed.position),
        reading.slip().explanation(),
    );
    Warning {
        code: Code::Slip(reading.slip()),
        subject: context.subject.to_owned(),
        message,
        likely: Some(Likely::Place(reading)),
    }
}

fn odd_warning(typed: &TypedPosition, odd: &Odd, context: &PlaceContext<'_>) -> Warning {
    let message = format!(
        "read as {}: {}. Compare it with the map or the device",
        format::both(typed.position),
        odd.sentence()
    );
    Warning {
        code: odd.code(),
        subject: context.subject.to_owned(),
        message,
        likely: None,
    }
}

fn too_few_digits(typed: &TypedPosition, context: &PlaceContext<'_>) -> Option<Warning> {
    // A fifth over is as good: five decimals of a degree are 1.1 m.
    let needed_m = context
        .needed_m
        .filter(|needed| typed.precision_m > needed * 1.2)?;
    let advice = match typed.format {
        Format::Decimal => "five decimals of a degree are about 1 m",
        Format::DegreesMinutes => "four decimals of a minute are about 20 cm",
        Format::DegreesMinutesSeconds => "one decimal of a second is about 3 m",
        Format::Mgrs => "10 digits of MGRS are 1 m",
    };
    let message = format!(
        "too few digits: the last one stands for about {}, and this category needs {} or better. Read more digits from the device; {advice}",
        distance_text(typed.precision_m),
        distance_text(needed_m),
    );
    Some(Warning {
        code: Code::TooFewDigits,
        subject: context.subject.to_owned(),
        message,
        likely: None,
    })
}
