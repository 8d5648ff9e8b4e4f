//! How the program ends: numbers that a script can rely on, in one table that `--help` prints.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done. Of a check: none notified to you.
    Ok,
    /// It did not work.
    Failure,
    /// The command line is not understood.
    Usage,
    /// What was given, or what the server was asked, is refused.
    Refused,
    /// The server cannot be reached; what was signed waits in the outbox.
    Unreachable,
    /// A check: something notified to you is hit.
    Conflict,
    /// A check: a cell is hit; ask for the exact place.
    PossibleConflict,
    /// A check: no answer that counts.
    Indeterminate,
}

/// The table, as `--help` prints it.
pub const TABLE: &str = "\
Exit codes:
   0  done; of a check: none notified to you, which is not absence of civilians
   1  it did not work
   2  the command line is not understood
   3  refused: the input, what was not confirmed, a warning under --strict, or the server's refusal
   4  the server cannot be reached; what was signed, if anything, waits in the outbox
  10  a check: conflict
  11  a check: possible conflict, ask for the exact place
  12  a check: indeterminate: TREAT AS CONFLICT";

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Unreachable => 4,
            Self::Conflict => 10,
            Self::PossibleConflict => 11,
            Self::Indeterminate => 12,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_in_the_help() {
        for exit in [
            Exit::Ok,
            Exit::Failure,
            Exit::Usage,
            Exit::Refused,
            Exit::Unreachable,
            Exit::Conflict,
            Exit::PossibleConflict,
            Exit::Indeterminate,
        ] {
            assert!(TABLE.contains(&format!("{:>4}  ", exit.code())));
        }
    }
}
