//! Returning a revision to its organisation, with what is to be mended. It goes on counting in checks, flagged, until the
//! organisation revises it or takes it back. `herald screen --return` is the same for many.

use super::Context;
use super::error::CliError;
use super::exit::Exit;
use super::find::{self, Named};
use super::inbox::Inbox;
use super::screen::{self, Word, parse_revision};
use crate::domain::ids::Revision;
use crate::wire::fields;
use crate::wire::parts::ReturnReason;

const EXAMPLES: &str = "\
Examples:
  herald return HN-WD2P-F2DD --reason \"the point lies in the sea; please read the MGRS again\"
  herald return HN-WD2P-F2DD --field position --reason \"two digits missing\" --field name --reason \"which of the two?\"
  herald return HN-WD2P-F2DD --reason \"/geometry: the second point is 40 km off\" --reason \"no duty number\"

A reason may say which field it is about: by --field, as many as reasons and in their order, or as a JSON pointer into the \
place with which it begins: /geometry, /properties/name.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The notification, HN-… or its id
    pub notification: Named,
    /// What is to be mended; may be repeated
    #[arg(long = "reason", value_name = "TEXT", required = true)]
    pub reasons: Vec<String>,
    /// The field that the reason is about, one for each reason
    #[arg(long = "field", value_name = "FIELD")]
    pub fields: Vec<String>,
    /// The revision, when it is not the latest received
    #[arg(long, value_parser = parse_revision)]
    pub revision: Option<Revision>,
}

/// Signs the return.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let reasons = reasons(&args.fields, &args.reasons)?;
    let inbox = Inbox::open(context.profile()?.dir())?;
    let (target, _) = find::revision(&inbox, &args.notification, args.revision)?;
    screen::one(&target, &Word::Returned(reasons), context).await
}

/// Reasons with their fields: none named, or one for each, in their order.
///
/// # Errors
/// When the numbers differ, or a field does not exist.
pub fn reasons(fields: &[String], texts: &[String]) -> Result<Vec<ReturnReason>, CliError> {
    if fields.is_empty() {
        return texts.iter().map(|text| reason(text)).collect();
    }
    if fields.len() != texts.len() {
        return Err(CliError::Usage(format!(
            "{} fields and {} reasons: give each reason its --field, in the same order, or none at all",
            fields.len(),
            texts.len()
        )));
    }
    let both = fields.iter().zip(texts);
    both.map(|(field, text)| of_field(field, text)).collect()
}

/// A reason about a field.
///
/// # Errors
/// When the field does not exist.
pub fn of_field(field: &str, text: &str) -> Result<ReturnReason, CliError> {
    let pointer = fields::pointer(field).map_err(|problem| {
        let body = problem.body();
        CliError::refused(
            format!(
                "no field is called \"{}\"; {}",
                super::words::plain(field),
                body.detail.clone().unwrap_or_default()
            ),
            body.action.clone(),
        )
    })?;
    Ok(ReturnReason {
        pointer: Some(pointer),
        text: text.to_owned(),
    })
}

fn reason(text: &str) -> Result<ReturnReason, CliError> {
    match text.split_once(": ") {
        Some((pointer, rest)) if pointer.starts_with('/') && !pointer.contains(' ') => {
            of_field(pointer, rest)
        }
        _ => Ok(ReturnReason {
            pointer: None,
            text: text.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_reason_may_begin_with_where() {
        let with = reason("/geometry: off by 40 km").expect("a field");
        assert_eq!(with.pointer.as_deref(), Some("/geometry"));
        assert_eq!(with.text, "off by 40 km");
        let without = reason("no: call us").expect("none");
        assert_eq!(
            (without.pointer, without.text.as_str()),
            (None, "no: call us")
        );
    }

    #[test]
    fn each_reason_has_its_field_and_a_field_that_does_not_exist_is_refused_with_those_that_do() {
        let both =
            reasons(&texts(&["/place/position", "name"]), &texts(&["a", "b"])).expect("both");
        let pointers: Vec<_> = both.iter().map(|r| r.pointer.as_deref()).collect();
        assert_eq!(pointers, [Some("/geometry"), Some("/properties/name")]);
        assert!(reasons(&texts(&["name"]), &texts(&["a", "b"])).is_err());
        let unknown = reasons(&texts(&["colour"]), &texts(&["a"])).expect_err("refused");
        assert!(
            unknown.to_string().contains("position, name, name_local"),
            "{unknown}"
        );
    }
}
