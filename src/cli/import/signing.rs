//! Rows in, signed envelopes out, on all cores: what is unchanged is left out before it costs a signature, what is refused
//! is said with its line and column, and each row is sealed exactly once.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use super::results::{RowResult, Verdict};
use crate::cli::api::{BATCH_BYTES, BATCH_ITEMS};
use crate::cli::draft::compose::{Composed, Settings, compose};
use crate::cli::draft::confirm::{self, Confirmed};
use crate::cli::draft::finding::{Finding, Severity};
use crate::cli::draft::sign::{Next, SignError, sign};
use crate::cli::draft::{Draft, words};
use crate::cli::journal::SpoolItem;
use crate::cli::profile::Profile;
use crate::cli::rows::{Entry, Row, Rows, Seen, Standing};
use crate::cli::tabular::columns::Field;
use crate::crypto::keys::SigningKey;
use crate::domain::category::Category;
use crate::domain::clock::Clock;
use crate::wire::trust::Trust;

/// Different words for categories that are counted.
const MAX_WORDS: usize = 200;

/// What composes and signs.
pub struct Signer {
    /// What is known beside the rows.
    pub settings: Settings,
    /// Refuse rows with a warning.
    pub strict: bool,
    /// What is odd and meant so.
    pub confirmed: Vec<Confirmed>,
    /// The readers' keys.
    pub trust: Arc<Trust>,
    /// The device's signing key.
    pub key: SigningKey,
    /// Who signs.
    pub profile: Profile,
    /// When.
    pub clock: Clock,
    /// What was notified before.
    pub rows: Rows,
}

/// A batch's worth of rows.
#[derive(Default)]
pub struct Work {
    /// Rows that need no sending.
    pub decided: Vec<RowResult>,
    /// Rows that are signed.
    pub items: Vec<SpoolItem>,
    /// Their envelopes.
    pub envelopes: Vec<Vec<u8>>,
    /// Words for categories, as read, with their number.
    pub categories: Vec<(String, Category, u64)>,
}

/// A row, composed.
enum Read {
    Decided(RowResult),
    Ready(Ready),
}

struct Ready {
    line: u64,
    row: Row,
    composed: Box<Composed>,
    warning: Option<String>,
}

impl Signer {
    /// Works through all rows; hands on one batch after the other. Stops when asked, or when nobody takes them.
    pub fn run(
        &self,
        drafts: impl Iterator<Item = Result<Draft, Finding>>,
        ready: &mpsc::Sender<Work>,
        stop: &AtomicBool,
    ) {
        let mut drafts = drafts.peekable();
        let mut seen = Seen::default();
        while drafts.peek().is_some() && !stop.load(Ordering::Relaxed) {
            let chunk: Vec<_> = drafts.by_ref().take(BATCH_ITEMS).collect();
            let mut work = Work {
                categories: categories(&chunk),
                ..Work::default()
            };
            let mut to_sign = Vec::new();
            for read in on_all_cores(&chunk, |draft| self.compose(draft)) {
                match read {
                    Read::Decided(result) => work.decided.push(result),
                    Read::Ready(ready) => match self.next(&ready, &mut seen) {
                        Ok(next) => to_sign.push((ready, next)),
                        Err(result) => work.decided.push(result),
                    },
                }
            }
            let signed = on_all_cores(&to_sign, |(ready, next)| self.sign(ready, next));
            for ((ready, _), signed) in to_sign.iter().zip(signed) {
                let line = ready.line;
                if let Some(warning) = &ready.warning {
                    work.decided
                        .push(RowResult::new(line, Verdict::Warning).saying(warning));
                }
                match signed {
                    Ok((item, envelope)) => {
                        work.items.push(item);
                        work.envelopes.push(envelope);
                    }
                    // A key that is not believed, or a part too large.
                    Err(error) => work
                        .decided
                        .push(RowResult::new(line, Verdict::Refused).saying(error.to_string())),
                }
            }
            for part in split(work) {
                if ready.blocking_send(part).is_err() {
                    return;
                }
            }
        }
    }

    fn compose(&self, draft: &Result<Draft, Finding>) -> Read {
        let draft = match draft {
            Ok(draft) => draft,
            Err(finding) => return Read::Decided(RowResult::of(finding, Verdict::Refused)),
        };
        let mut composition = compose(draft, &self.settings, None);
        if !self.strict && !confirm::open(&composition.findings, &self.confirmed).is_empty() {
            confirm::refuse(&mut composition.findings, &self.confirmed);
            composition.composed = None;
        }
        let worst = composition
            .findings
            .iter()
            .filter(|finding| finding.severity > Severity::Note)
            .max_by_key(|finding| finding.severity);
        let odd = composition.has_warnings();
        let line = draft.cells.origin.row;
        match (composition.composed, worst) {
            (Some(composed), worst) if !(self.strict && odd) => Read::Ready(Ready {
                line,
                row: self.rows.row(&composed),
                composed,
                warning: worst.map(|finding| finding.message.clone()),
            }),
            (_, Some(finding)) => Read::Decided(RowResult::of(finding, Verdict::Refused)),
            (_, None) => Read::Decided(
                RowResult::new(line, Verdict::Refused).saying("this row cannot be composed"),
            ),
        }
    }

    /// Which revision a row becomes, or what becomes of it instead.
    fn next(&self, ready: &Ready, seen: &mut Seen) -> Result<Next, RowResult> {
        let (line, row, composed) = (ready.line, &ready.row, &ready.composed);
        let standing = seen
            .again(line, row, composed)
            .unwrap_or_else(|| self.rows.standing(row, composed));
        match standing {
            Standing::New => Ok(Next::first()),
            Standing::Changed(next) => Ok(next),
            Standing::Unchanged { nid, remark } => {
                let result = RowResult::new(line, Verdict::Unchanged);
                let result = result.saying(remark.unwrap_or_default());
                Err(nid.into_iter().fold(result, RowResult::about))
            }
            Standing::Refused(why) => Err(RowResult::new(line, Verdict::Refused).saying(why)),
        }
    }

    fn sign(&self, ready: &Ready, next: &Next) -> Result<(SpoolItem, Vec<u8>), SignError> {
        let signed = sign(
            &ready.composed,
            next,
            self.profile.common(&self.clock),
            &self.trust,
            &self.key,
        )?;
        let entry = Entry {
            row: ready.row,
            nid: next.nid,
            rev: next.rev,
            hash: signed.built.hash,
            parties: signed.parties,
        };
        let item = SpoolItem {
            line: ready.line,
            entry,
        };
        Ok((item, signed.built.envelope.encode()))
    }
}

/// A batch whose bytes are too many for one request is cut in two.
fn split(work: Work) -> Vec<Work> {
    let bytes: usize = work
        .envelopes
        .iter()
        .map(|envelope| envelope.len() + 4)
        .sum();
    if bytes <= BATCH_BYTES || work.envelopes.len() < 2 {
        return vec![work];
    }
    let Work {
        decided,
        mut items,
        mut envelopes,
        categories,
    } = work;
    let half = items.len() / 2;
    let rest = Work {
        items: items.split_off(half),
        envelopes: envelopes.split_off(half),
        ..Work::default()
    };
    let mut out = split(Work {
        decided,
        items,
        envelopes,
        categories,
    });
    out.extend(split(rest));
    out
}

fn categories(chunk: &[Result<Draft, Finding>]) -> Vec<(String, Category, u64)> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for draft in chunk.iter().flatten() {
        if let Some(word) = draft
            .cells
            .get(Field::Category)
            .filter(|word| counts.len() < MAX_WORDS || counts.contains_key(word))
        {
            *counts.entry(word).or_default() += 1;
        }
    }
    // A word that is none is refused in its row.
    let read = |(word, count): (&str, u64)| {
        words::category(word).map(|category| (word.to_owned(), category, count))
    };
    counts.into_iter().filter_map(read).collect()
}

/// Does the same to every item on all cores; results in order.
fn on_all_cores<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let share = items.len().div_ceil(cores).max(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = items
            .chunks(share)
            .map(|chunk| scope.spawn(|| chunk.iter().map(&work).collect::<Vec<R>>()))
            .collect();
        let mut out = Vec::with_capacity(items.len());
        for thread in threads {
            match thread.join() {
                Ok(results) => out.extend(results),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::path::Path;

    use super::*;
    use crate::cli::Context;
    use crate::cli::composing::ComposeArgs;
    use crate::cli::draft::drafts;
    use crate::cli::draft::parties::Parties;
    use crate::cli::output::Output;
    use crate::cli::tabular::{self, Options};
    use crate::cli::testing::World;
    use crate::crypto::digest::Digest;
    use crate::wire::policy::Policy;

    #[test]
    fn work_on_all_cores_keeps_its_order() {
        let items: Vec<u32> = (0..1000).collect();
        assert_eq!(
            on_all_cores(&items, |n| n * 2),
            (0..1000).map(|n| n * 2).collect::<Vec<_>>()
        );
        assert!(on_all_cores(&Vec::<u32>::new(), |n| *n).is_empty());
    }

    #[test]
    fn a_batch_never_has_more_bytes_than_a_request_may() {
        let item = |line| SpoolItem {
            line,
            entry: Entry {
                row: Row {
                    key: Digest::of(b"k"),
                    content: Digest::of(b"c"),
                    files: None,
                },
                nid: crate::domain::ids::Nid::random(),
                rev: crate::domain::ids::Revision::FIRST,
                hash: Digest::of(b"h"),
                parties: Vec::new(),
            },
        };
        let work = Work {
            items: (0..100).map(item).collect(),
            envelopes: vec![vec![0; 200_000]; 100],
            ..Work::default()
        };
        let parts = split(work);
        assert_eq!(
            parts.iter().map(|part| part.items.len()).sum::<usize>(),
            100
        );
        for part in &parts {
            assert!(
                part.envelopes
                    .iter()
                    .map(|envelope| envelope.len() + 4)
                    .sum::<usize>()
                    <= BATCH_BYTES
            );
            assert_eq!(part.items.len(), part.envelopes.len());
        }
    }

    fn signer(world: &World, known: HashMap<Digest, Entry>) -> Signer {
        let args = ComposeArgs {
            parties: vec![
                words::choice("east:exact").expect("a choice"),
                words::choice("west:cell").expect("a choice"),
            ],
            ..ComposeArgs::default()
        };
        let (out, _, _) = Output::captured(false);
        let context = Context {
            dir: world.path().to_owned(),
            out,
            clock: world.clock.clone(),
        };
        Signer {
            settings: args
                .settings(
                    Policy::default(),
                    Some(Parties::of(&world.trust())),
                    &context,
                )
                .expect("settings"),
            strict: false,
            confirmed: Vec::new(),
            trust: Arc::new(world.trust()),
            key: world.profile().signing_key().expect("a key"),
            profile: world.profile(),
            clock: world.clock.clone(),
            rows: Rows::of(known, [7; 32]),
        }
    }

    /// Everything that a file makes of one signer.
    fn work(signer: &Signer, world: &World, text: &str) -> Vec<Work> {
        let path = world.write("f.csv", text);
        let table = tabular::open(Path::new(&path), &Options::default()).expect("a table");
        let (ready, mut batches) = mpsc::channel(1_000);
        signer.run(drafts(table), &ready, &AtomicBool::new(false));
        drop(ready);
        std::iter::from_fn(|| batches.blocking_recv()).collect()
    }

    fn known(work: &[Work]) -> HashMap<Digest, Entry> {
        work.iter()
            .flat_map(|work| &work.items)
            .map(|item| (item.entry.row.key, item.entry.clone()))
            .collect()
    }

    const FACILITIES: &str = "name,category,country,lon,lat\n\
        Hospital Barra Do Dande,Hospital,AGO,13.491947,-8.655976\n\
        Posto de Bula,Health Post,AGO,14.792547,-8.674198\n\
        Posto de Bula,Health Post,AGO,14.792547,-8.674198\n\
        Nowhere,Clinic,AGO,14.792547,north\n";

    #[test]
    fn rows_are_signed_once_and_the_same_file_again_costs_no_signature() {
        let world = World::new();
        let first = work(&signer(&world, HashMap::new()), &world, FACILITIES);
        assert_eq!(first.iter().map(|work| work.items.len()).sum::<usize>(), 2);
        let verdicts = |work: &[Work]| {
            work.iter()
                .flat_map(|work| &work.decided)
                .map(RowResult::verdict)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            verdicts(&first),
            [Verdict::Unchanged, Verdict::Refused],
            "a row twice is notified once"
        );
        assert_eq!(first[0].categories.len(), 3);
        let again = work(&signer(&world, known(&first)), &world, FACILITIES);
        assert_eq!(again.iter().map(|work| work.items.len()).sum::<usize>(), 0);
        assert_eq!(
            verdicts(&again)
                .iter()
                .filter(|verdict| **verdict == Verdict::Unchanged)
                .count(),
            3
        );
    }

    #[test]
    fn a_changed_row_becomes_the_next_revision_of_the_same_notification() {
        let world = World::new();
        let text =
            "reference,name,category,country,lon,lat\nR1,Clinic A,clinic,AGO,13.491947,-8.655976\n";
        let first = work(&signer(&world, HashMap::new()), &world, text);
        let changed = work(
            &signer(&world, known(&first)),
            &world,
            &text.replace("13.491947", "13.491957"),
        );
        let (before, after) = (&first[0].items[0].entry, &changed[0].items[0].entry);
        assert_eq!((after.nid, after.rev.get()), (before.nid, 2));
        assert_ne!(after.row.content, before.row.content);
    }

    #[test]
    fn a_party_with_a_slip_and_a_place_that_looks_like_one_are_refused_in_their_rows_and_take_no_other_along()
     {
        let world = World::new();
        let text = "name,category,country,lon,lat,parties\n\
            A,clinic,AGO,13.491947,-8.655976,\n\
            B,clinic,AGO,13.591947,-8.655976,esat:exact\n\
            C,clinic,AGO,-8.755976,13.491947,\n\
            D,clinic,AGO,13.691947,-8.655976,\n";
        let mut signer = signer(&world, HashMap::new());
        let done = work(&signer, &world, text);
        let lines: Vec<u64> = done[0].items.iter().map(|item| item.line).collect();
        assert_eq!(lines, [2, 5]);
        let said: Vec<&str> = done[0].decided.iter().map(RowResult::message).collect();
        assert!(said[0].contains("did you mean east?"), "{said:?}");
        assert!(said[1].contains("--confirm swapped-axes"), "{said:?}");
        signer.confirmed = vec![confirm::confirmed("swapped-axes").expect("a code")];
        let lines: Vec<u64> = work(&signer, &world, text)[0]
            .items
            .iter()
            .map(|item| item.line)
            .collect();
        assert_eq!(lines, [2, 4, 5]);
    }

    #[test]
    fn one_reference_in_two_rows_is_refused_naming_the_first() {
        let world = World::new();
        let text = "reference,name,category,country,lon,lat\nR1,A,clinic,AGO,13.491947,-8.655976\nR1,B,clinic,AGO,13.591947,-8.655976\n";
        let work = work(&signer(&world, HashMap::new()), &world, text);
        assert_eq!(work[0].items.len(), 1);
        assert_eq!(work[0].decided[0].verdict(), Verdict::Refused);
        assert!(work[0].decided[0].message().contains("line 2"));
    }
}
