//! What is to be mended in a returned revision: each reason with its field, and with the cell of the organisation's own
//! file where the notification came from one.

use super::opened::Opened;
use super::profile::Profile;
use super::received::Received;
use super::source;
use super::words::plain;
use crate::domain::ids::{Nid, Revision};
use crate::wire::claims::{Claims, ScreenResult};
use crate::wire::fields;
use crate::wire::parts::{Reasons, ReturnReason, name};

/// A reason in words: the field, what is to be mended, and where it stands in the own file.
fn line(reason: &ReturnReason, source: Option<&source::Source>) -> String {
    let pointer = reason.pointer.as_deref();
    let field = pointer.map_or("as a whole", fields::word);
    let cell = source.map_or_else(String::new, |source| {
        format!("  [{}]", plain(&source.cell(pointer)))
    });
    format!("to mend: {}: {}{cell}", plain(field), plain(&reason.text))
}

fn lines_of(profile: &Profile, nid: Nid, rev: Revision, reasons: &Reasons) -> Vec<String> {
    let sources = source::of(profile, |of| of == nid);
    let source = sources.get(&(nid, rev));
    reasons
        .reasons
        .iter()
        .map(|one| line(one, source))
        .collect()
}

/// What is to be mended in the latest revision of a notification that was returned, as far as it has come here.
pub fn lines(opened: &Opened<'_>, nid: Nid) -> Vec<String> {
    let Some((rev, reasons)) = opened.returned(nid) else {
        return Vec::new();
    };
    lines_of(opened.profile(), nid, rev, &reasons)
}

/// What is to be mended, of an event that returns a revision.
pub fn of(received: &Received) -> Vec<String> {
    let reasons: Option<Reasons> = received.part(name::REASONS);
    let reasons = reasons.map(|reasons| reasons.reasons).unwrap_or_default();
    reasons.iter().map(|one| line(one, None)).collect()
}

/// Where the reasons of a returned revision stand in the own file, in the order of the reasons; none where it came from
/// no file of this device.
pub fn cells(profile: &Profile, received: &Received) -> Vec<String> {
    let Claims::Screen(claims) = &received.claims else {
        return Vec::new();
    };
    if claims.result != ScreenResult::Returned {
        return Vec::new();
    }
    let Some(reasons) = received.part::<Reasons>(name::REASONS) else {
        return Vec::new();
    };
    let sources = source::of(profile, |of| of == claims.nid);
    let Some(source) = sources.get(&(claims.nid, claims.rev)) else {
        return Vec::new();
    };
    let pointers = reasons.reasons.iter().map(|one| one.pointer.as_deref());
    pointers.map(|pointer| source.cell(pointer)).collect()
}
