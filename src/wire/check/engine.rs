//! The verdict. A candidate conflicts when its distance to the area is at most the effect radius and its buffer, and the
//! windows overlap; intervals are closed, an open bound overlaps, touching is a conflict. Distances are exact
//! ([`crate::spatial::proximity`]); a movement is looked at in space and time.

use time::OffsetDateTime;

use super::candidate::{Candidate, Exact, Notified, SealedContact, Seen};
use super::question::{Question, greatest_buffer_m};
use crate::domain::check::{ABSENCE_SENTENCE, Flag, HitRelation, Verdict};
use crate::domain::ids::Seq;
use crate::domain::notification::{ScreeningState, SecondSignature, Subject, Tier};
use crate::spatial::cell::Cell;
use crate::spatial::track::Track;
use crate::spatial::{Footprint, Presence, Proximity, Relation, Window, proximity};
use crate::wire::object::Shape;
use crate::wire::parts::{self, AnswerPart, Considered, Hit};
use crate::wire::policy::Policy;
use crate::wire::problem::ProblemKind;

/// What a check found.
#[derive(Clone)]
pub struct Findings {
    /// Why nothing can be said for certain; empty when it can.
    pub doubts: Vec<ProblemKind>,
    /// The objects hit, nearest first; all of them.
    pub hits: Vec<Hit>,
    /// Every revision that was considered and that the party sees exactly, and every one that is hit.
    pub considered: Vec<Considered>,
}

impl std::fmt::Debug for Findings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Findings({:?}, [sealed])", self.doubts)
    }
}

impl Findings {
    /// Nothing but a doubt: something failed before anything could be judged.
    pub fn doubt(kind: ProblemKind) -> Self {
        Self {
            doubts: vec![kind],
            hits: Vec::new(),
            considered: Vec::new(),
        }
    }

    /// The verdict: any doubt first, then what is known best.
    pub fn verdict(&self) -> Verdict {
        if !self.doubts.is_empty() {
            Verdict::Indeterminate
        } else if self.hits.iter().any(|h| h.relation != HitRelation::Cell) {
            Verdict::Conflict
        } else if self.hits.is_empty() {
            Verdict::NoneNotifiedToYou
        } else {
            Verdict::PossibleConflict
        }
    }

    /// The part `answer`. `serial` counts the events put into the asking party's mailbox, `call` is the number for doubts.
    pub fn into_answer(
        self,
        as_of: OffsetDateTime,
        serial: Seq,
        call: Option<String>,
    ) -> AnswerPart {
        AnswerPart {
            verdict: self.verdict(),
            doubts: self
                .doubts
                .iter()
                .map(|kind| kind.spec().slug.to_owned())
                .collect(),
            as_of: as_of.to_offset(time::UtcOffset::UTC),
            serial,
            hits_total: u32::try_from(self.hits.len()).unwrap_or(u32::MAX),
            hits: self.hits,
            considered: self.considered,
            pages: 1,
            absence: ABSENCE_SENTENCE.to_owned(),
            call,
        }
    }
}

/// Judges every candidate at the database's time `now`. The candidates must be all that count for the asking party and
/// may lie near; more do no harm.
pub fn judge(
    question: &Question,
    policy: &Policy,
    candidates: Vec<Candidate>,
    now: OffsetDateTime,
) -> Findings {
    let mut findings = Findings {
        doubts: Vec::new(),
        hits: Vec::new(),
        considered: Vec::with_capacity(candidates.len()),
    };
    for candidate in candidates {
        let Candidate {
            notified,
            seen,
            contact,
        } = candidate;
        let (nid, rev, tier) = (notified.nid, notified.rev, notified.tier);
        let hit = match seen {
            Seen::Exact(exact) => exact_hit(question, notified, *exact, contact, (policy, now)),
            Seen::Cells(cells) => cell_hit(question, notified, &cells, (policy, now)),
            Seen::Unreadable(kind) => {
                if !findings.doubts.contains(&kind) {
                    findings.doubts.push(kind);
                }
                None
            }
        };
        // What the index finds near tells more than cells do: at the lower tiers only a hit is named.
        if hit.is_some() || tier == Tier::Exact {
            findings.considered.push(Considered {
                nid,
                rev,
                hit: hit.is_some(),
            });
        }
        findings.hits.extend(hit);
    }
    // What is hit is hit wherever it lies; but that nothing is says little of a place that was hardly meant.
    if findings.hits.is_empty() && question.is_elsewhere(policy) {
        findings.doubts.push(ProblemKind::OutsideCountries);
    }
    findings.hits.sort_by(|a, b| {
        a.distance_m
            .total_cmp(&b.distance_m)
            .then_with(|| (a.nid, a.rev).cmp(&(b.nid, b.rev)))
    });
    findings.considered.sort_by_key(|c| (c.nid, c.rev));
    findings
}

/// How a candidate is met.
#[derive(Clone, Copy)]
struct Met {
    proximity: Proximity,
    overlap: Window,
    overdue: bool,
    delayed: bool,
    stale: bool,
}

impl Met {
    /// The nearer of both, over the time of both.
    fn with(self, other: Option<Self>) -> Self {
        let Some(other) = other else { return self };
        let from = match (self.overlap.from(), other.overlap.from()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            _ => None,
        };
        let until = match (self.overlap.until(), other.overlap.until()) {
            (Some(a), Some(b)) => Some(a.max(b)),
            _ => None,
        };
        let nearer = if other.proximity.distance_m < self.proximity.distance_m {
            other.proximity
        } else {
            self.proximity
        };
        Self {
            proximity: nearer,
            overlap: Window::new(from, until).unwrap_or(Window::ALWAYS),
            overdue: self.overdue || other.overdue,
            delayed: self.delayed || other.delayed,
            stale: self.stale || other.stale,
        }
    }
}

fn exact_hit(
    question: &Question,
    notified: Notified,
    exact: Exact,
    contact: Option<SealedContact>,
    (policy, now): (&Policy, OffsetDateTime),
) -> Option<Hit> {
    let buffer_m = exact.object.buffer_m;
    let limit_m = question.effect_radius_m + buffer_m;
    let met = match &exact.object.shape {
        Shape::Site(footprint) => {
            let overlap = exact.object.validity.intersection(&question.window)?;
            stands(question, footprint, &overlap, limit_m)
        }
        Shape::Movement(track) => moves(question, &exact, track, limit_m, now),
    }?;
    let met = Met {
        stale: is_stale(&notified, policy, now),
        ..met
    };
    let relation = match met.proximity.relation {
        Relation::Inside => HitRelation::Inside,
        Relation::Outside => HitRelation::WithinBuffer,
    };
    let subject = notified.subject;
    let hit = hit(notified, relation, met.proximity.distance_m, &met);
    Some(Hit {
        subject: Some(subject),
        buffer_m: Some(buffer_m),
        place: Some(exact.disclosure),
        contact_iss: contact.as_ref().map(|contact| contact.iss.clone()),
        contact_sd: contact.as_ref().map(|contact| contact.sd),
        contact: contact.map(|contact| contact.seal),
        ..hit
    })
}

fn stands(
    question: &Question,
    footprint: &Footprint,
    overlap: &Window,
    limit_m: f64,
) -> Option<Met> {
    proximity::within(&question.area, footprint, limit_m).map(|proximity| Met {
        proximity,
        overlap: *overlap,
        overdue: false,
        delayed: false,
        stale: false,
    })
}

/// A movement: where its times say, at its ends while its window lasts longer than its times, and anywhere on its route
/// from the end of its window on, once that has passed and nobody has said that it arrived.
fn moves(
    question: &Question,
    exact: &Exact,
    track: &Track,
    limit_m: f64,
    now: OffsetDateTime,
) -> Option<Met> {
    let validity = exact.object.validity;
    let approach = |window: &Window, presence: Presence| {
        let found = track.approach_within(&question.area, window, presence, limit_m)?;
        Some(Met {
            proximity: found.proximity,
            overlap: found.overlap,
            overdue: presence != Presence::AsNotified,
            delayed: exact.object.delayed_s > 0,
            stale: false,
        })
    };
    let mut met: Option<Met> = None;
    let mut add = |more: Option<Met>| {
        if let Some(more) = more {
            met = Some(more.with(met.take()));
        }
    };
    if let Some(window) = validity.intersection(&question.window) {
        add(approach(&window, Presence::AsNotified));
        for (end, when) in exact.ends.iter().flatten().zip(outside(&track.span())) {
            let overlap = when.and_then(|when| when.intersection(&window));
            let reach_m = limit_m + track.half_width_m();
            let stop = overlap.and_then(|overlap| stands(question, end, &overlap, reach_m));
            add(stop.map(|stop| narrowed(stop, track.half_width_m())));
        }
    }
    if let Some(until) = validity.until().filter(|until| now > *until)
        && question.window.until().is_none_or(|asked| asked > until)
        && let Some(window) = Window::new(Some(until), None)
            .ok()
            .and_then(|after| after.intersection(&question.window))
    {
        add(approach(&window, Presence::AnywhereFrom { leg: 0 }));
    }
    met
}

/// The time before and after a span; none where the span is open.
fn outside(span: &Window) -> [Option<Window>; 2] {
    let before = span
        .from()
        .and_then(|from| Window::new(None, Some(from)).ok());
    let after = span
        .until()
        .and_then(|until| Window::new(Some(until), None).ok());
    [before, after]
}

/// The distance of a column from that of its middle.
fn narrowed(met: Met, half_width_m: f64) -> Met {
    let distance_m = (met.proximity.distance_m - half_width_m).max(0.0);
    let relation = if distance_m > 0.0 {
        Relation::Outside
    } else {
        Relation::Inside
    };
    Met {
        proximity: Proximity {
            distance_m,
            relation,
        },
        ..met
    }
}

/// Cells hold the object and the buffer that was requested. Where none was, the category's own counts, which this party
/// is not told: the greatest there is reaches no less far.
fn cell_hit(
    question: &Question,
    notified: Notified,
    cells: &[(Cell, String)],
    (policy, now): (&Policy, OffsetDateTime),
) -> Option<Hit> {
    let limit_m = question.effect_radius_m + greatest_buffer_m(policy);
    let distance_m = cells
        .iter()
        .map(|(cell, _)| cell.distance_m(&question.area))
        .fold(f64::INFINITY, f64::min);
    if distance_m > limit_m {
        return None;
    }
    let met = Met {
        proximity: Proximity {
            distance_m,
            relation: Relation::Outside,
        },
        overlap: question.window,
        overdue: false,
        delayed: false,
        stale: is_stale(&notified, policy, now),
    };
    let hit = hit(notified, HitRelation::Cell, distance_m, &met);
    Some(Hit {
        cells: cells.iter().map(|(_, text)| text.clone()).collect(),
        ..hit
    })
}

/// A hit without what only some tiers see.
fn hit(notified: Notified, relation: HitRelation, distance_m: f64, met: &Met) -> Hit {
    Hit {
        reference: notified.nid.reference(),
        nid: notified.nid,
        rev: notified.rev,
        of: notified.of,
        pos: notified.pos,
        subject: None,
        flags: flags(&notified, met),
        organisation: notified.organisation,
        duty: notified.duty,
        tier: notified.tier,
        relation,
        distance_m: (distance_m * 1_000.0).round() / 1_000.0,
        buffer_m: None,
        overlap: parts::Window {
            from: met.overlap.from().map(utc),
            until: met.overlap.until().map(utc),
        },
        place: None,
        cells: Vec::new(),
        contact: None,
        contact_iss: None,
        contact_sd: None,
    }
}

fn utc(at: OffsetDateTime) -> OffsetDateTime {
    // No time that was taken leaves the years; one that did would rather stand with its own offset than end the check.
    at.checked_to_offset(time::UtcOffset::UTC).unwrap_or(at)
}

/// A site that its organisation has not confirmed in the time that the policy sets. It counts all the same.
fn is_stale(notified: &Notified, policy: &Policy, now: OffsetDateTime) -> bool {
    notified.subject == Subject::Site
        && policy.reconfirm_days > 0
        && now - notified.said_at > time::Duration::days(policy.reconfirm_days.into())
}

fn flags(notified: &Notified, met: &Met) -> Vec<Flag> {
    let standing = [
        (
            Flag::Unscreened,
            notified.screening == ScreeningState::Submitted,
        ),
        (
            Flag::Returned,
            notified.screening == ScreeningState::Returned,
        ),
        (
            Flag::SecondSignatureMissing,
            notified.cosign == SecondSignature::Waiting,
        ),
        (Flag::BeingReplaced, !notified.latest),
        (Flag::OverduePositionUnknown, met.overdue),
        (Flag::Delayed, met.delayed),
        (Flag::Stale, met.stale),
        (Flag::Emergency, notified.emergency),
        (Flag::OnBehalf, notified.on_behalf),
    ];
    let raised = standing.into_iter().filter(|(_, raised)| *raised);
    raised.map(|(flag, _)| flag).collect()
}
