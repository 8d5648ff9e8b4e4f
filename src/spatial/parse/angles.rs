//! From groups of tokens to two angles: which is latitude, whether that is certain, and whether the numbers can be.
//! Where two readings are possible, this is an error that names what to add: never a guess.

use super::Unreadable;
use super::groups::{self, Group, Piece};
use super::tokens::{Axis, Hemisphere, Number, Token, Unit};

/// One coordinate as typed: degrees, or degrees and minutes, or degrees, minutes and seconds.
#[derive(Clone)]
pub(super) struct Angle {
    pub(super) parts: Vec<Number>,
    pub(super) negative: bool,
    pub(super) column: usize,
}

/// Latitude and longitude as typed. `named`: letters or labels said which is which.
#[derive(Clone)]
pub(super) struct Pair {
    pub(super) lat: Angle,
    pub(super) lon: Angle,
    pub(super) named: bool,
    /// Hemisphere letters were given, so that a missing sign is not the question.
    pub(super) lettered: bool,
}

impl Angle {
    /// Decimal degrees, with sign.
    pub(super) fn degrees(&self) -> f64 {
        let scale = [1.0, 60.0, 3600.0];
        let sum: f64 = self
            .parts
            .iter()
            .zip(scale)
            .map(|(part, scale)| part.value() / scale)
            .sum();
        if self.negative { -sum } else { sum }
    }

    /// The size of one unit in the last digit typed, in degrees of arc.
    pub(super) fn resolution_deg(&self) -> f64 {
        let unit = match self.parts.len() {
            0 | 1 => 1.0,
            2 => 1.0 / 60.0,
            _ => 1.0 / 3600.0,
        };
        let decimals = self.parts.last().map_or(0, |part| part.fraction.len());
        unit * 10_f64.powi(-i32::try_from(decimals).unwrap_or(0))
    }
}

/// Reads two angles out of the tokens.
pub(super) fn pair(tokens: &[Token]) -> Result<Pair, Unreadable> {
    let [first, second] =
        <[Group; 2]>::try_from(groups::groups(tokens)?).map_err(|groups| wrong_count(&groups))?;
    let (first, second, named, lettered) = order(first, second)?;
    Ok(Pair {
        lat: angle(first)?,
        lon: angle(second)?,
        named,
        lettered,
    })
}

fn wrong_count(groups: &[Group]) -> Unreadable {
    match groups {
        [] => Unreadable::new(
            "no-coordinates",
            1,
            "there is no coordinate here. Type latitude, then longitude, like 36.71803, 68.86221",
        ),
        [only] if only.numbers.len() > 1 => Unreadable::new(
            "cannot-split",
            only.column,
            "it is not certain where the first coordinate ends and the second begins. Put a comma between them, or N/S and E/W",
        ),
        [only] => Unreadable::new(
            "one-coordinate-only",
            only.column,
            "this is one coordinate only. A place needs latitude and longitude, like 36.71803, 68.86221",
        ),
        [_, _, third, ..] => Unreadable::new(
            "too-many-coordinates",
            third.column,
            "there are more than two coordinates here. If you use commas for decimals, put a semicolon between latitude and longitude",
        ),
        [_, second] => Unreadable::new(
            "cannot-split",
            second.column,
            "the two coordinates cannot be told apart",
        ),
    }
}

/// Which is latitude. Letters and labels decide; without any, latitude comes first, as people type it.
fn order(first: Group, second: Group) -> Result<(Group, Group, bool, bool), Unreadable> {
    let (a, b) = (axis_of(&first, &second)?, axis_of(&second, &first)?);
    let lettered = first.hemisphere.is_some() && second.hemisphere.is_some();
    if first.hemisphere.is_some() != second.hemisphere.is_some() {
        let (missing, axis) = if first.hemisphere.is_none() {
            (&first, b)
        } else {
            (&second, a)
        };
        let needed = if axis == Some(Axis::Lat) {
            Axis::Lon
        } else {
            Axis::Lat
        };
        let message = format!(
            "one coordinate has a hemisphere letter, this one has none. Add {}",
            needed.letters()
        );
        return Err(Unreadable::new("letter-missing", missing.column, message));
    }
    match (a, b) {
        (Some(Axis::Lat), Some(Axis::Lon)) => Ok((first, second, true, lettered)),
        (Some(Axis::Lon), Some(Axis::Lat)) => Ok((second, first, true, lettered)),
        (None, None) => Ok((first, second, false, false)),
        (Some(axis), Some(_)) => {
            let message = format!(
                "both coordinates are marked as {}. One needs N or S, the other E or W",
                axis.name()
            );
            Err(Unreadable::new("same-axis-twice", second.column, message))
        }
        (None, Some(_)) | (Some(_), None) => {
            let column = if a.is_none() {
                first.column
            } else {
                second.column
            };
            Err(Unreadable::new(
                "label-missing",
                column,
                "one coordinate says which it is, this one does not. Mark both (lat, lon) or none",
            ))
        }
    }
}

fn axis_of(group: &Group, other: &Group) -> Result<Option<Axis>, Unreadable> {
    let Some((hemisphere, column)) = group.hemisphere else {
        return Ok(group.label);
    };
    let plain = |hemisphere| match hemisphere {
        Hemisphere::North | Hemisphere::South => Some(Axis::Lat),
        Hemisphere::East | Hemisphere::West => Some(Axis::Lon),
        Hemisphere::NorthOrEast => None,
    };
    let axis = match (
        plain(hemisphere),
        other.hemisphere.and_then(|(h, _)| plain(h)),
    ) {
        (Some(axis), _) => axis,
        (None, Some(Axis::Lat)) => Axis::Lon,
        (None, Some(Axis::Lon)) => Axis::Lat,
        (None, None) => match group.label {
            Some(label) => label,
            None => {
                return Err(Unreadable::new(
                    "ambiguous-hemisphere",
                    column,
                    "“ش” can be north (شمال) or east (شرق). Write the whole word, or N and E",
                ));
            }
        },
    };
    if group.label.is_some_and(|label| label != axis) {
        let message = format!(
            "the label and the letter contradict each other: {} takes {}",
            axis.name(),
            axis.letters()
        );
        return Err(Unreadable::new("label-contradicts-letter", column, message));
    }
    Ok(Some(axis))
}

/// Checks the parts of one coordinate: their marks in order, whole where a smaller part follows, below 60.
fn angle(group: Group) -> Result<Angle, Unreadable> {
    let column = group.column;
    if group.numbers.is_empty() {
        return Err(Unreadable::new(
            "no-number",
            column,
            "this coordinate has no number",
        ));
    }
    if let Some(fourth) = group.numbers.get(3) {
        let message = "this coordinate has more than degrees, minutes and seconds. Put a comma between the two coordinates";
        return Err(Unreadable::new("too-many-numbers", fourth.column, message));
    }
    if let (Some(_), Some((_, at))) = (group.sign, group.hemisphere) {
        return Err(Unreadable::new(
            "sign-and-letter",
            at,
            "this coordinate has a sign and a hemisphere letter. Keep the letter, leave out the sign",
        ));
    }
    let last = group.numbers.len() - 1;
    for (index, (piece, unit)) in group
        .numbers
        .iter()
        .zip([Unit::Degrees, Unit::Minutes, Unit::Seconds])
        .enumerate()
    {
        check_piece(piece, unit, index == last)?;
    }
    let negative = match group.hemisphere {
        Some((Hemisphere::South | Hemisphere::West, _)) => true,
        Some(_) => false,
        None => group.sign == Some(true),
    };
    Ok(Angle {
        parts: group
            .numbers
            .into_iter()
            .map(|piece| piece.number)
            .collect(),
        negative,
        column,
    })
}

fn check_piece(piece: &Piece, expected: Unit, last: bool) -> Result<(), Unreadable> {
    let name = match expected {
        Unit::Degrees => "degrees",
        Unit::Minutes => "minutes",
        Unit::Seconds => "seconds",
    };
    if piece.unit.is_some_and(|(unit, _)| unit != expected) {
        let message = format!(
            "the marks are out of order: these should be {name}. Degrees take °, minutes ', seconds \""
        );
        return Err(Unreadable::new("marks-out-of-order", piece.column, message));
    }
    if !last && !piece.number.fraction.is_empty() {
        let message = format!(
            "these {name} have decimals, but smaller units follow. Only the last number of a coordinate may have decimals"
        );
        return Err(Unreadable::new(
            "decimals-before-smaller-unit",
            piece.column,
            message,
        ));
    }
    if expected != Unit::Degrees && piece.number.value() >= 60.0 {
        let message = format!(
            "{name} run from 0 to 59.99. If these are decimals of a degree, write them after a point, like 36.71803"
        );
        let code = if expected == Unit::Minutes {
            "minutes-out-of-range"
        } else {
            "seconds-out-of-range"
        };
        return Err(Unreadable::new(code, piece.column, message));
    }
    Ok(())
}
