//! The policy table once more, as the protocol's sections 7 and 10 tell it: of each kind of statement, who gets it, and who
//! gets which part of it. The model reads it, and counts which of its cells a run has met.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use herald::domain::disclosure_policy::{PartClass, Read, comes_as};
use herald::domain::exchange::AlertEvent;
use herald::domain::kind::Kind;
use herald::domain::notification::Tier;

use super::cast::Desk;

/// How a desk stands to what is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reader {
    /// The coordinator.
    Coordinator,
    /// The organisation whose word or notification it is.
    Owner,
    /// The one party that says it, or that it is said to or about.
    Concerned,
    /// A party that is told of the notification, or called.
    Party(Tier),
    /// Anybody else.
    Outsider,
}

impl Reader {
    const fn column(self) -> usize {
        match self {
            Self::Coordinator => 0,
            Self::Owner => 1,
            Self::Concerned => 2,
            Self::Party(Tier::Exact) => 3,
            Self::Party(Tier::OnCheck) => 4,
            Self::Party(Tier::Cell) => 5,
            Self::Party(Tier::Withdrawn) => 6,
            Self::Outsider => 7,
        }
    }
}

const COLUMNS: [&str; 8] = [
    "coordinator",
    "owner",
    "party concerned",
    "party exact",
    "party on_check",
    "party cell",
    "party withdrawn",
    "outsider",
];

/// `+` gets it, `-` does not, `.` nobody stands so. The part `` is the statement itself: without it there is nothing.
#[rustfmt::skip]
const TABLE: &[(Kind, &str, &str, &str)] = &[
    // kind            which one                  part                 co ow pa  ex oc ce wi  ou
    (Kind::Site,       "",                        "",                 "+  +  .   +  +  +  +   -"),
    (Kind::Site,       "",                        "place",            "+  +  .   +  -  -  -   -"),
    (Kind::Site,       "",                        "own audience",     ".  .  .   +  +  +  +   ."),
    (Kind::Site,       "",                        "other audience",   "+  +  .   -  -  -  -   -"),
    (Kind::Site,       "",                        "contact",          "+  -  .   +  -  -  -   -"),
    (Kind::Site,       "",                        "attachment",       "+  +  .   +  -  -  -   -"),
    (Kind::Site,       "",                        "blobs",            "-  +  .   -  -  -  -   -"),
    (Kind::Movement,   "",                        "",                 "+  +  .   +  +  +  +   -"),
    (Kind::Movement,   "",                        "place",            "+  +  .   +  -  -  -   -"),
    (Kind::Movement,   "",                        "own audience",     ".  .  .   +  +  +  +   ."),
    (Kind::Movement,   "",                        "other audience",   "+  +  .   -  -  -  -   -"),
    (Kind::Movement,   "",                        "contact",          "+  -  .   +  -  -  -   -"),
    (Kind::Movement,   "",                        "attachment",       "+  +  .   +  -  -  -   -"),
    (Kind::Movement,   "",                        "blobs",            "-  +  .   -  -  -  -   -"),
    (Kind::Withdraw,   "",                        "",                 "+  +  .   +  +  +  +   -"),
    (Kind::Withdraw,   "",                        "reason",           "+  -  .   -  -  -  -   -"),
    (Kind::Close,      "",                        "",                 "+  +  .   +  +  +  +   -"),
    (Kind::Screen,     "screened",                "",                 "-  +  .   +  +  +  -   -"),
    (Kind::Screen,     "returned",                "",                 "-  +  .   +  +  +  -   -"),
    (Kind::Screen,     "returned",                "reasons",          "-  +  .   -  -  -  -   -"),
    (Kind::Cosign,     "second signature",        "",                 "+  +  .   +  +  +  -   -"),
    (Kind::Cosign,     "taken over",              "",                 "+  +  .   +  +  +  -   -"),
    (Kind::Ack,        "by a device",             "",                 "+  +  -   -  -  -  -   -"),
    (Kind::Ack,        "by an officer",           "",                 "+  +  -   -  -  -  -   -"),
    (Kind::Ack,        "by an officer",           "detail",           "+  +  -   -  -  -  -   -"),
    (Kind::Ack,        "transcribed",             "",                 "+  +  +   -  -  -  -   -"),
    (Kind::Ack,        "transcribed",             "detail",           "+  +  +   -  -  -  -   -"),
    (Kind::Ack,        "transcribed",             "attachment",       "+  +  -   -  -  -  -   -"),
    (Kind::Ack,        "transcribed",             "blobs",            "+  -  -   -  -  -  -   -"),
    (Kind::Relay,      "",                        "",                 "+  +  -   -  -  -  -   -"),
    (Kind::Relay,      "",                        "detail",           "+  +  -   -  -  -  -   -"),
    (Kind::Warn,       "",                        "",                 "+  +  +   -  -  -  -   -"),
    (Kind::Warn,       "",                        "detail",           "+  +  +   -  -  -  -   -"),
    (Kind::Reply,      "",                        "",                 "+  +  +   -  -  -  -   -"),
    (Kind::Reply,      "",                        "detail",           "+  +  +   -  -  -  -   -"),
    (Kind::Progress,   "",                        "",                 "+  +  .   +  -  -  -   -"),
    (Kind::Progress,   "",                        "progress",         "+  +  .   +  -  -  -   -"),
    (Kind::Confirm,    "",                        "",                 "+  +  .   +  +  +  -   -"),
    (Kind::Distress,   "",                        "",                 "+  +  .   +  +  +  .   -"),
    (Kind::Distress,   "",                        "detail",           "+  +  .   +  +  +  .   -"),
    (Kind::Distress,   "",                        "position",         "+  +  .   +  -  -  .   -"),
    // An outsider with an audience of its own: a party that is suspended or has left, and so is not called.
    (Kind::Distress,   "",                        "own audience",     ".  .  .   +  +  +  .   -"),
    (Kind::Distress,   "",                        "other audience",   "+  +  .   -  -  -  .   -"),
    (Kind::Respond,    "",                        "",                 "+  +  .   +  +  +  .   -"),
    (Kind::Respond,    "",                        "detail",           "+  +  .   +  +  +  .   -"),
    (Kind::Resolve,    "",                        "",                 "+  +  .   +  +  +  .   -"),
    (Kind::Resolve,    "",                        "detail",           "+  +  .   +  +  +  .   -"),
    (Kind::Notice,     "",                        "",                 "+  +  +   -  -  -  -   -"),
    (Kind::Notice,     "",                        "detail",           "+  +  -   -  -  -  -   -"),
    (Kind::Alert,      "acknowledgement_overdue", "",                 "+  +  +   -  -  -  -   -"),
    (Kind::Alert,      "acknowledgement_overdue", "detail",           "+  +  +   -  -  -  -   -"),
    (Kind::Alert,      "no_acknowledgement",      "",                 "+  +  +   -  -  -  -   -"),
    (Kind::Alert,      "no_acknowledgement",      "detail",           "+  +  +   -  -  -  -   -"),
    (Kind::Alert,      "reply_overdue",           "",                 "+  +  +   -  -  -  -   -"),
    (Kind::Alert,      "reply_overdue",           "detail",           "+  +  +   -  -  -  -   -"),
    (Kind::Alert,      "no_sign_of_life",         "",                 "+  +  .   -  -  -  -   -"),
    (Kind::Alert,      "no_sign_of_life",         "detail",           "+  +  .   -  -  -  -   -"),
    (Kind::Alert,      "reconfirmation_due",      "",                 "+  +  .   -  -  -  -   -"),
    (Kind::Alert,      "reconfirmation_due",      "detail",           "+  +  .   -  -  -  -   -"),
    (Kind::Alert,      "reconfirmation_overdue",  "",                 "+  +  .   -  -  -  -   -"),
    (Kind::Alert,      "reconfirmation_overdue",  "detail",           "+  +  .   -  -  -  -   -"),
    (Kind::Alert,      "window_ending",           "",                 "+  +  .   -  -  -  -   -"),
    (Kind::Alert,      "window_ending",           "detail",           "+  +  .   -  -  -  -   -"),
    // Each party that is told is told by itself.
    (Kind::Alert,      "window_ended",            "",                 "+  +  .   -  -  -  -   -"),
    (Kind::Alert,      "window_ended",            "detail",           "+  +  .   -  -  -  -   -"),
    (Kind::Alert,      "window_ended, to one",    "",                 "-  -  +   -  -  -  -   -"),
    (Kind::Alert,      "window_ended, to one",    "detail",           "-  -  +   -  -  -  -   -"),
    (Kind::Alert,      "closed_by_time",          "",                 "+  +  .   -  -  -  -   -"),
    (Kind::Alert,      "closed_by_time",          "detail",           "+  +  .   -  -  -  -   -"),
    (Kind::Alert,      "closed_by_time, to one",  "",                 "-  -  +   -  -  -  -   -"),
    (Kind::Alert,      "closed_by_time, to one",  "detail",           "-  -  +   -  -  -  -   -"),
    (Kind::Alert,      "distress_unanswered",     "",                 "+  +  .   +  +  +  .   -"),
    (Kind::Alert,      "distress_unanswered",     "detail",           "+  +  .   +  +  +  .   -"),
    (Kind::Alert,      "party_suspended",         "",                 "+  +  -   -  -  -  -   -"),
    (Kind::Alert,      "party_suspended",         "detail",           "+  +  -   -  -  -  -   -"),
    (Kind::Alert,      "party_left",              "",                 "+  +  -   -  -  -  -   -"),
    (Kind::Alert,      "party_left",              "detail",           "+  +  -   -  -  -  -   -"),
    (Kind::Policy,     "",                        "",                 "+  .  .   .  .  .  .   +"),
    (Kind::Admit,      "",                        "",                 "-  +  +   .  .  .  .   -"),
    (Kind::Revoke,     "",                        "",                 "+  +  .   .  .  .  .   -"),
    (Kind::Keys,       "",                        "",                 "-  +  .   .  .  .  .   -"),
    (Kind::Keys,       "",                        "desk",             "-  +  .   .  .  .  .   -"),
    (Kind::Renew,      "",                        "",                 "-  -  .   .  .  .  .   -"),
    (Kind::Duty,       "",                        "",                 "-  -  -   .  .  .  .   -"),
    (Kind::Handover,   "the coordinator's",       "",                 "+  .  .   .  .  .  .   -"),
    (Kind::Handover,   "the coordinator's",       "note",             "+  .  .   .  .  .  .   -"),
    (Kind::Handover,   "another's",               "",                 "-  +  +   .  .  .  .   -"),
    (Kind::Handover,   "another's",               "note",             "-  +  +   .  .  .  .   -"),
    (Kind::Invite,     "",                        "",                 "-  .  .   .  .  .  .   -"),
    (Kind::Invite,     "",                        "person",           "-  .  .   .  .  .  .   -"),
];

/// Of every part that the server may hand to anybody, the table has a row; and of every moment that time brings.
#[test]
fn whatever_the_server_may_hand_out_has_a_row() {
    let row = |kind: Kind, part: &str| TABLE.iter().any(|row| row.0 == kind && row.2 == part);
    for (kind, part) in Kind::ALL
        .iter()
        .flat_map(|kind| PartClass::ALL.iter().map(move |part| (*kind, *part)))
    {
        let name = match part {
            PartClass::OwnAudience => "own audience",
            PartClass::OtherAudience => "other audience",
            part => part.label(),
        };
        let handed = comes_as(kind, part) != Read::Never;
        assert_eq!(row(kind, name), handed, "{kind} {name}");
    }
    for event in AlertEvent::ALL {
        let of = |row: &str| row.split(", ").next() == Some(event.as_str());
        let rows = TABLE.iter().filter(|row| of(row.1));
        let expected = match event {
            event if NEVER_COMES.contains(event) => 0,
            AlertEvent::WindowEnded | AlertEvent::ClosedByTime => 4,
            _ => 2,
        };
        assert_eq!(rows.count(), expected, "{event}");
    }
}

/// What no sequence lives to see: months are kept for longer than the certificates of the cast last.
#[cfg(test)]
const NEVER_COMES: [AlertEvent; 1] = [AlertEvent::RetentionEnded];

/// Kinds that nobody submits and no mailbox holds.
#[cfg(test)]
const NEVER_DELIVERED: [Kind; 3] = [Kind::Check, Kind::Receipt, Kind::Answer];

/// One cell of the table: row and column.
pub type Cell = (usize, usize);

/// Every cell in which somebody can stand.
pub fn cells() -> BTreeSet<Cell> {
    let rows = TABLE.iter().enumerate();
    let cells = rows.flat_map(|(row, (.., cells))| {
        let cells = cells.split_whitespace().enumerate();
        cells
            .filter(|(_, cell)| *cell != ".")
            .map(move |(column, _)| (row, column))
    });
    cells.collect()
}

/// A row in words.
fn row_in_words(row: usize) -> String {
    let (kind, which, part, _) = TABLE[row];
    let part = if part.is_empty() { "itself" } else { part };
    format!("{kind} {which} [{part}]")
}

/// A cell in words.
pub fn in_words((row, column): Cell) -> String {
    format!("{} × {}", row_in_words(row), COLUMNS[column])
}

/// The rows of which no cell is among these, in words.
pub fn rows_without(cells: &BTreeSet<Cell>) -> Vec<String> {
    let without = (0..TABLE.len()).filter(|row| cells.iter().all(|(met, _)| met != row));
    without.map(row_in_words).collect()
}

/// How often each cell of the table was met, and what else has happened, by its name.
#[derive(Debug, Default)]
pub struct Met {
    cells: Mutex<BTreeMap<Cell, u64>>,
    happened: Mutex<BTreeMap<&'static str, u64>>,
}

impl Met {
    /// The cells that were met.
    pub fn cells(&self) -> BTreeSet<Cell> {
        self.cells.lock().unwrap().keys().copied().collect()
    }

    /// Notes that something has happened.
    pub fn happens(&self, what: &'static str) {
        *self.happened.lock().unwrap().entry(what).or_default() += 1;
    }

    /// How often everything has happened.
    pub fn happened(&self) -> BTreeMap<&'static str, u64> {
        self.happened.lock().unwrap().clone()
    }

    fn meet(&self, cell: Cell) {
        *self.cells.lock().unwrap().entry(cell).or_default() += 1;
    }

    /// Whether a reader gets a part of this kind of statement; `desk` says whose audience is its own.
    pub fn gets(&self, what: (Kind, &str), part: &str, reader: Reader, desk: Desk) -> bool {
        let part = class(part, desk);
        let row = TABLE
            .iter()
            .position(|(kind, which, row_part, _)| {
                (*kind, *which, *row_part) == (what.0, what.1, part)
            })
            .unwrap_or_else(|| panic!("the table has no row {what:?} {part}"));
        let column = reader.column();
        self.meet((row, column));
        match TABLE[row].3.split_whitespace().nth(column) {
            Some("+") => true,
            Some("-") => false,
            cell => panic!("{what:?} {part} × {}: {cell:?}", COLUMNS[column]),
        }
    }
}

/// The part as the table calls it.
fn class(part: &str, desk: Desk) -> &str {
    match part.split_once('.') {
        Some(("audience", party)) if party == desk.name() => "own audience",
        Some(("audience", _)) => "other audience",
        Some((class, _)) => class,
        None => part,
    }
}

#[test]
fn every_kind_that_is_delivered_stands_in_the_table_and_every_row_has_all_its_columns() {
    for kind in Kind::ALL {
        let rows = TABLE.iter().filter(|(row, ..)| row == kind).count();
        assert_eq!(rows == 0, NEVER_DELIVERED.contains(kind), "{kind}");
    }
    for (kind, which, part, cells) in TABLE {
        let cells: Vec<&str> = cells.split_whitespace().collect();
        assert_eq!(cells.len(), COLUMNS.len(), "{kind} {which} {part}");
        assert!(cells.iter().all(|cell| ["+", "-", "."].contains(cell)));
    }
}
