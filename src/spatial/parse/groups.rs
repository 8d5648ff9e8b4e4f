//! Which numbers, marks and letters belong to one coordinate: cut at separators, labels, hemisphere letters, signs and
//! degree marks; and if there are none of these, in the middle.

use super::Unreadable;
use super::tokens::{Axis, Hemisphere, Kind, Number, Token, Unit};

/// A coordinate while it is being collected.
#[derive(Default)]
pub(super) struct Group {
    pub(super) numbers: Vec<Piece>,
    pub(super) sign: Option<bool>,
    pub(super) hemisphere: Option<(Hemisphere, usize)>,
    pub(super) label: Option<Axis>,
    pub(super) column: usize,
}

pub(super) struct Piece {
    pub(super) number: Number,
    pub(super) unit: Option<(Unit, bool)>,
    pub(super) column: usize,
    /// Tied to the number before it by `:` or a tight `-`.
    pub(super) joined: bool,
}

impl Group {
    fn is_empty(&self) -> bool {
        self.numbers.is_empty()
            && self.sign.is_none()
            && self.hemisphere.is_none()
            && self.label.is_none()
    }
}

/// Cuts the tokens into coordinates: two, if the text is a position.
pub(super) fn groups(tokens: &[Token]) -> Result<Vec<Group>, Unreadable> {
    let mut groups = Collector::new(tokens).collect(tokens)?;
    if let [only] = groups.as_mut_slice() {
        let second = split_bare(only);
        groups.extend(second);
    }
    Ok(groups)
}

struct Collector {
    done: Vec<Group>,
    current: Group,
    /// Hemisphere letters stand before their numbers.
    prefixed: bool,
    joint: bool,
}

impl Collector {
    fn new(tokens: &[Token]) -> Self {
        let first = tokens.iter().find(|token| {
            matches!(
                token.kind,
                Kind::Number(_) | Kind::Hemisphere(_) | Kind::LetterS { .. }
            )
        });
        let prefixed = first.is_some_and(|token| !matches!(token.kind, Kind::Number(_)));
        Self {
            done: Vec::new(),
            current: Group::default(),
            prefixed,
            joint: false,
        }
    }

    fn collect(mut self, tokens: &[Token]) -> Result<Vec<Group>, Unreadable> {
        for token in tokens {
            self.take(token)?;
        }
        self.finish();
        Ok(self.done)
    }

    fn finish(&mut self) {
        let group = std::mem::take(&mut self.current);
        if !group.is_empty() {
            self.done.push(group);
        }
    }

    fn take(&mut self, token: &Token) -> Result<(), Unreadable> {
        let column = token.column;
        if self.current.is_empty() {
            self.current.column = column;
        }
        match &token.kind {
            Kind::Number(number) => {
                let joined = std::mem::take(&mut self.joint);
                self.current.numbers.push(Piece {
                    number: number.clone(),
                    unit: None,
                    column,
                    joined,
                });
            }
            Kind::Joint => self.joint = true,
            Kind::Noise => {}
            Kind::Separator => self.finish(),
            Kind::Sign { minus } => {
                if !self.current.numbers.is_empty() {
                    self.finish();
                    self.current.column = column;
                }
                if self.current.sign.replace(*minus).is_some() {
                    return Err(Unreadable::new(
                        "two-signs",
                        column,
                        "there are two signs before one number; leave one out",
                    ));
                }
            }
            Kind::Label(axis) => {
                if !self.current.is_empty() {
                    self.finish();
                    self.current.column = column;
                }
                self.current.label = Some(*axis);
            }
            Kind::Unit { unit, letter } => self.unit(*unit, *letter, column)?,
            Kind::LetterS { upper } => self.letter_s(*upper, column)?,
            Kind::Hemisphere(hemisphere) => self.hemisphere(*hemisphere, column)?,
        }
        Ok(())
    }

    fn unit(&mut self, unit: Unit, letter: bool, column: usize) -> Result<(), Unreadable> {
        let unmarked = self
            .current
            .numbers
            .last()
            .is_some_and(|piece| piece.unit.is_none());
        if !unmarked {
            return Err(Unreadable::new(
                "stray-mark",
                column,
                "this degree, minute or second mark follows no number",
            ));
        }
        // A second number with a degree mark begins the other coordinate.
        if unit == Unit::Degrees && self.current.numbers.len() > 1 {
            let piece = self.current.numbers.pop();
            self.finish();
            self.current.column = piece.as_ref().map_or(column, |piece| piece.column);
            self.current.numbers.extend(piece);
        }
        if let Some(piece) = self.current.numbers.last_mut() {
            piece.unit = Some((unit, letter));
        }
        Ok(())
    }

    /// `36d43m4.91s`: seconds after minutes written with `m`; otherwise south.
    fn letter_s(&mut self, upper: bool, column: usize) -> Result<(), Unreadable> {
        let minutes = self
            .current
            .numbers
            .iter()
            .find_map(|piece| piece.unit.filter(|(unit, _)| *unit == Unit::Minutes));
        let unmarked = self
            .current
            .numbers
            .last()
            .is_some_and(|piece| piece.unit.is_none());
        match minutes {
            Some((_, true)) if unmarked => self.unit(Unit::Seconds, true, column),
            Some((_, false)) if unmarked && !upper => Err(Unreadable::new(
                "ambiguous-s",
                column,
                "this “s” can mean seconds or south. Write \" for seconds and a capital S for south",
            )),
            _ => self.hemisphere(Hemisphere::South, column),
        }
    }

    fn hemisphere(&mut self, hemisphere: Hemisphere, column: usize) -> Result<(), Unreadable> {
        if self.prefixed && !self.current.numbers.is_empty() {
            self.finish();
            self.current.column = column;
        }
        if self.current.hemisphere.is_some() {
            return Err(Unreadable::new(
                "two-letters",
                column,
                "there are two hemisphere letters on one coordinate; leave one out",
            ));
        }
        if !self.prefixed && self.current.numbers.is_empty() {
            return Err(Unreadable::new(
                "letter-without-number",
                column,
                "this hemisphere letter has no number. Write both letters before their numbers, or both after",
            ));
        }
        self.current.hemisphere = Some((hemisphere, column));
        if !self.prefixed {
            self.finish();
        }
        Ok(())
    }
}

/// `36 43 4.91 68 51 43.96`: as many numbers for each coordinate, unless a `:` or `-` ties them otherwise.
fn split_bare(only: &mut Group) -> Option<Group> {
    let half = only.numbers.len() / 2;
    let even = matches!(only.numbers.len(), 2 | 4 | 6);
    let bare = only.numbers.iter().all(|piece| piece.unit.is_none())
        && only.hemisphere.is_none()
        && only.label.is_none();
    let tied = only.numbers.get(half).is_some_and(|piece| piece.joined);
    if !even || !bare || tied {
        return None;
    }
    let numbers = only.numbers.split_off(half);
    let column = numbers.first().map_or(only.column, |piece| piece.column);
    Some(Group {
        numbers,
        column,
        ..Group::default()
    })
}
