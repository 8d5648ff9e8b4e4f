//! An answer in parts. Every hit and every revision considered is in the answer; what does not fit into one disclosure
//! goes on further pages, which are parts of the same signed statement, so that no page can be lost unseen. An answer that
//! is larger than all pages says so and is indeterminate.

use serde::Serialize;

use crate::crypto::disclosure::Disclosure;
use crate::domain::check::Verdict;
use crate::wire::build::{BuildError, Part};
use crate::wire::claims::AnswerClaims;
use crate::wire::envelope::Envelope;
use crate::wire::parts::{AnswerPage, AnswerPart, name};
use crate::wire::problem::ProblemKind;

/// Pages of one answer.
pub const MAX_PAGES: u32 = 200;

/// Bytes of JSON on one page: in base64url, with salt and name, they stay below the largest disclosure.
const PAGE_BYTES: usize = 160 * 1024;

/// Why an answer's pages do not make an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PagesError {
    /// A page is missing, or is not the one that the statement names.
    #[error("the part {0} of the answer is missing, or is not the one that was signed")]
    Page(String),
    /// A page has another form.
    #[error(
        "the part {0} of the answer has another form than this version knows; update the client"
    )]
    Form(String),
    /// Fewer objects stand in the answer than were counted.
    #[error("the answer counts {counted} objects and lists {listed}")]
    Count {
        /// As counted.
        counted: u32,
        /// As listed.
        listed: usize,
    },
}

/// The name of a page's part: `answer`, `answer.2`, `answer.3`…
pub fn page_name(page: u32) -> String {
    if page <= 1 {
        name::ANSWER.to_owned()
    } else {
        format!("{}.{page}", name::ANSWER)
    }
}

/// Cuts an answer into the parts of its statement, in the clear. Gives the verdict too, which a size beyond
/// [`MAX_PAGES`] turns into `indeterminate`.
///
/// # Errors
/// [`BuildError::Json`]: a number is not finite; none in practice.
pub fn answer_parts(mut answer: AnswerPart) -> Result<(Verdict, Vec<Part>), BuildError> {
    let mut pages: Vec<AnswerPage> = vec![AnswerPage::default()];
    let mut room = PAGE_BYTES;
    let mut cut = false;
    for hit in std::mem::take(&mut answer.hits) {
        match place(&hit, &mut pages, &mut room)? {
            Some(page) => page.hits.push(hit),
            None => cut = true,
        }
    }
    for considered in std::mem::take(&mut answer.considered) {
        match place(&considered, &mut pages, &mut room)? {
            Some(page) => page.considered.push(considered),
            None => cut = true,
        }
    }
    if cut {
        let slug = ProblemKind::TooLarge.spec().slug;
        answer.doubts.push(slug.to_owned());
        answer.verdict = Verdict::Indeterminate;
    }
    answer.pages = u32::try_from(pages.len()).unwrap_or(u32::MAX);
    let verdict = answer.verdict;
    let mut pages = pages.into_iter();
    if let Some(first) = pages.next() {
        answer.hits = first.hits;
        answer.considered = first.considered;
    }
    let mut parts = vec![Part::new(page_name(1), &answer)?.in_the_clear()];
    for (number, page) in (2..).zip(pages) {
        parts.push(Part::new(page_name(number), &page)?.in_the_clear());
    }
    Ok((verdict, parts))
}

/// The page on which an item finds room; none when it finds none at all.
fn place<'a>(
    item: &impl Serialize,
    pages: &'a mut Vec<AnswerPage>,
    room: &mut usize,
) -> Result<Option<&'a mut AnswerPage>, BuildError> {
    let json = serde_json::to_vec(item).map_err(|_| BuildError::Json {
        part: name::ANSWER.to_owned(),
    })?;
    let bytes = json.len() + 1;
    if bytes > PAGE_BYTES {
        return Ok(None);
    }
    if bytes > *room {
        if pages.len() >= usize::try_from(MAX_PAGES).unwrap_or(usize::MAX) {
            return Ok(None);
        }
        pages.push(AnswerPage::default());
        *room = PAGE_BYTES;
    }
    *room -= bytes;
    Ok(pages.last_mut())
}

/// Puts the pages of an answer together again. The statement must have been verified.
///
/// # Errors
/// [`PagesError`]: then nothing is known, and the reader treats it as a conflict.
pub fn read_answer(claims: &AnswerClaims, envelope: &Envelope) -> Result<AnswerPart, PagesError> {
    let mut answer: AnswerPart = page(claims, envelope, 1)?;
    if answer.pages == 0 || answer.pages > MAX_PAGES {
        return Err(PagesError::Form(page_name(1)));
    }
    for number in 2..=answer.pages {
        let more: AnswerPage = page(claims, envelope, number)?;
        answer.hits.extend(more.hits);
        answer.considered.extend(more.considered);
    }
    let whole = usize::try_from(answer.hits_total).is_ok_and(|total| total == answer.hits.len());
    if !whole && answer.verdict != Verdict::Indeterminate {
        return Err(PagesError::Count {
            counted: answer.hits_total,
            listed: answer.hits.len(),
        });
    }
    Ok(answer)
}

fn page<T: serde::de::DeserializeOwned>(
    claims: &AnswerClaims,
    envelope: &Envelope,
    number: u32,
) -> Result<T, PagesError> {
    let part = page_name(number);
    let disclosure = envelope
        .disclosure(&part)
        .and_then(|text| Disclosure::parse(text.as_bytes()).ok())
        .filter(|d| d.name() == part && claims.sd.contains(&d.digest()))
        .ok_or_else(|| PagesError::Page(part.clone()))?;
    serde_json::from_value(disclosure.into_value()).map_err(|_| PagesError::Form(part))
}
