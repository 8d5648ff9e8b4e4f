//! What is so odd about a place that it is not notified unless a person says that it is meant so: at the terminal, or
//! beforehand with `--confirm CODE`.

use super::finding::{Finding, Severity};
use crate::spatial::parse::Slip;
use crate::spatial::parse::lint::Code;

/// The oddities that must be confirmed; the others are warned of.
pub const CODES: [Code; 11] = [
    Code::Slip(Slip::SwappedAxes),
    Code::Slip(Slip::LostDegreeSigns),
    Code::Slip(Slip::MinutesAsDecimals),
    Code::Slip(Slip::SecondsAsMinutes),
    Code::Slip(Slip::MinutesAsSeconds),
    Code::Slip(Slip::DecimalsAsMinutes),
    Code::Slip(Slip::LostHemisphere),
    Code::OutsideDeclaredCountry,
    Code::InTheSea,
    Code::NullIsland,
    Code::TooFewDigits,
];

/// A code of `--confirm`, or `all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmed {
    /// Everything that must be confirmed.
    All,
    /// One oddity.
    One(Code),
}

impl Confirmed {
    fn covers(self, code: &str) -> bool {
        match self {
            Self::All => true,
            Self::One(own) => own.as_str() == code,
        }
    }
}

/// Reads a value of `--confirm`.
///
/// # Errors
/// With the codes that there are.
pub fn confirmed(text: &str) -> Result<Confirmed, String> {
    if text == "all" {
        return Ok(Confirmed::All);
    }
    let known = CODES.into_iter().find(|code| code.as_str() == text);
    known.map(Confirmed::One).ok_or_else(|| {
        let codes: Vec<&str> = CODES.iter().map(|code| code.as_str()).collect();
        format!(
            "nothing of this name is to be confirmed; there are: all, {}",
            codes.join(", ")
        )
    })
}

/// Whether a finding must be confirmed before its row is notified.
pub fn is_grave(finding: &Finding) -> bool {
    finding.severity == Severity::Warning && CODES.iter().any(|code| code.as_str() == finding.code)
}

/// The codes of what must be confirmed and was not, each once.
pub fn open<'a>(findings: &'a [Finding], confirmed: &[Confirmed]) -> Vec<&'a str> {
    let mut codes: Vec<&str> = findings
        .iter()
        .filter(|finding| is_grave(finding))
        .map(|finding| finding.code.as_str())
        .filter(|code| !confirmed.iter().any(|given| given.covers(code)))
        .collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// The findings of a row that is not notified because of them: each says how it is notified all the same.
pub fn refuse(findings: &mut [Finding], confirmed: &[Confirmed]) {
    for finding in findings {
        if is_grave(finding) && !confirmed.iter().any(|given| given.covers(&finding.code)) {
            finding.severity = Severity::Refused;
            finding.message = format!(
                "{}. Not notified: mend it, or give --confirm {} (or --confirm all) if it is meant so",
                finding.message.trim_end_matches('.'),
                finding.code
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tabular::Origin;

    #[test]
    fn only_what_is_grave_and_not_confirmed_is_refused_and_says_how_it_is_confirmed() {
        let warning = |code| Finding::warning(code, Origin::default(), "odd");
        let mut findings = ["swapped-axes", "null-island", "short-notice"].map(warning);
        let given = [confirmed("null-island").expect("a code")];
        assert_eq!(open(&findings, &given), ["swapped-axes"]);
        assert!(open(&findings, &[confirmed("all").expect("all")]).is_empty());
        refuse(&mut findings, &given);
        let refused = findings.map(|finding| finding.severity == Severity::Refused);
        assert_eq!(refused, [true, false, false]);
        let error = confirmed("short-notice").expect_err("not to be confirmed");
        assert!(error.contains("swapped-axes"), "{error}");
    }
}
