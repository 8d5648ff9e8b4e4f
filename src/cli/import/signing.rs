//! Rows in, signed envelopes out, on all cores: what is unchanged is left out before it costs a signature, what is refused
//! is said with its line and column, and each row is sealed exactly once. Which rows of a batch are new is decided, signed
//! and kept on disk under the lock of the rows, which is let go between the batches: a single `notify` gets in between.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;

use super::held;
use super::results::{RowResult, Verdict};
use crate::cli::api::{BATCH_BYTES, BATCH_ITEMS};
use crate::cli::draft::compose::{Composed, Last, Settings, compose};
use crate::cli::draft::confirm::{self, Confirmed};
use crate::cli::draft::finding::{Finding, Severity};
use crate::cli::draft::sign::{Next, sign};
use crate::cli::draft::{Draft, words};
use crate::cli::error::CliError;
use crate::cli::journal::{Batch, Journal, SpoolItem};
use crate::cli::own::{self, Former};
use crate::cli::profile::Profile;
use crate::cli::rows::{Entry, ROWS, ROWS_WAIT, Row, Rows, Seen, Standing};
use crate::cli::source::{self, Source};
use crate::cli::tabular::columns::Field;
use crate::crypto::keys::SigningKey;
use crate::crypto::seal_key::SealKey;
use crate::domain::category::Category;
use crate::domain::clock::Clock;
use crate::domain::ids::Nid;
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
    /// The desk's key, to which the own places are kept sealed.
    pub desk: Option<SealKey>,
    /// Who signs.
    pub profile: Profile,
    /// When.
    pub clock: Clock,
    /// Where what is signed is kept before it is sent.
    pub journal: Arc<Mutex<Journal>>,
    /// What was notified before.
    pub rows: Rows,
}

/// A batch's worth of rows.
#[derive(Default)]
pub struct Work {
    /// Rows that need no sending.
    pub decided: Vec<RowResult>,
    /// The number of its batch in the spool; none where nothing is signed.
    pub number: Option<u64>,
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

/// A row, signed: what is kept of it, its envelope, and its place for the own desk.
struct Sealed {
    item: SpoolItem,
    envelope: Vec<u8>,
    own: Option<(Nid, Vec<u8>)>,
    source: Option<Source>,
}

struct Ready {
    line: u64,
    row: Row,
    composed: Box<Composed>,
    warning: Option<String>,
}

impl Signer {
    /// Works through all rows; keeps one batch after the other and hands it on. Stops when asked, or when nobody takes them.
    ///
    /// # Errors
    /// When what is signed cannot be kept, or others hold the rows for too long.
    pub fn run(
        &mut self,
        drafts: impl Iterator<Item = Result<Draft, Finding>>,
        ready: &mpsc::Sender<Work>,
        stop: &AtomicBool,
    ) -> Result<(), CliError> {
        let mut drafts = drafts.peekable();
        let mut seen = Seen::default();
        while drafts.peek().is_some() && !stop.load(Ordering::Relaxed) {
            let chunk: Vec<_> = drafts.by_ref().take(BATCH_ITEMS).collect();
            for part in self.batch(&chunk, &mut seen)? {
                if ready.blocking_send(part).is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Composes a batch; then, while nobody else decides which rows are new, looks its rows up, signs and keeps them.
    fn batch(
        &mut self,
        chunk: &[Result<Draft, Finding>],
        seen: &mut Seen,
    ) -> Result<Vec<Work>, CliError> {
        let mut work = Work {
            categories: categories(chunk),
            ..Work::default()
        };
        let composed = on_all_cores(chunk, |draft| self.compose(draft, None));
        let _lock = self.profile.lock_within(ROWS, ROWS_WAIT)?;
        self.rows
            .catch_up(&self.profile, &mut held(&self.journal))?;
        let mut to_sign = Vec::new();
        for (draft, read) in chunk.iter().zip(composed) {
            match read {
                Read::Decided(result) => work.decided.push(result),
                Read::Ready(ready) => match self.next(&ready, seen) {
                    Ok(next) => to_sign.push((draft, ready, next)),
                    Err(result) => work.decided.push(result),
                },
            }
        }
        let (mut own, mut sources) = (Vec::new(), Vec::new());
        for signed in on_all_cores(&to_sign, |(draft, ready, next)| {
            self.sign(draft, ready, next)
        }) {
            let (sealed, said) = signed?;
            work.decided.extend(said);
            if let Some(sealed) = sealed {
                work.items.push(sealed.item);
                work.envelopes.push(sealed.envelope);
                own.extend(sealed.own);
                sources.extend(sealed.source);
            }
        }
        own::keep_all(&self.profile, &own)?;
        source::keep(&self.profile, &sources)?;
        split(work)
            .into_iter()
            .map(|part| self.keep(part))
            .collect()
    }

    fn keep(&self, mut work: Work) -> Result<Work, CliError> {
        if work.items.is_empty() {
            return Ok(work);
        }
        let Batch {
            number,
            items,
            envelopes,
        } = held(&self.journal).spool(work.items, work.envelopes)?;
        work.number = Some(number);
        (work.items, work.envelopes) = (items, envelopes);
        Ok(work)
    }

    fn compose(&self, draft: &Result<Draft, Finding>, last: Option<Last>) -> Read {
        let draft = match draft {
            Ok(draft) => draft,
            Err(finding) => return Read::Decided(RowResult::of(finding, Verdict::Refused)),
        };
        let mut composition = compose(draft, &self.settings, last);
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
        let warnings: Vec<&str> = composition
            .findings
            .iter()
            .filter(|finding| finding.severity == Severity::Warning)
            .map(|finding| finding.message.as_str())
            .collect();
        match (composition.composed, worst) {
            (Some(composed), _) if !(self.strict && odd) => Read::Ready(Ready {
                line,
                row: self.rows.row(&composed),
                composed,
                warning: (!warnings.is_empty()).then(|| warnings.join("; ")),
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

    /// Signs a row, after holding one that is revised against the revision before; and what is to be said of it.
    fn sign(
        &self,
        draft: &Result<Draft, Finding>,
        ready: &Ready,
        next: &Next,
    ) -> Result<(Option<Sealed>, Vec<RowResult>), CliError> {
        let former = match next.prev {
            Some(_) => own::former(&self.profile, next.nid)?,
            None => None,
        };
        let last = former.as_ref().and_then(Former::last);
        let again = last.map(|last| self.compose(draft, Some(last)));
        let ready = match &again {
            Some(Read::Decided(result)) => return Ok((None, vec![result.clone()])),
            Some(Read::Ready(again)) => again,
            None => ready,
        };
        let warned = |text| RowResult::new(ready.line, Verdict::Warning).saying(text);
        let mut said: Vec<RowResult> = ready
            .warning
            .iter()
            .map(|text| warned(text.clone()))
            .collect();
        said.extend(self.dropped(former.as_ref(), ready, next).map(warned));
        let common = self.profile.common(&self.clock);
        let signed = match sign(&ready.composed, next, common, &self.trust, &self.key) {
            Ok(signed) => signed,
            // A key that is not believed, or a part too large.
            Err(error) => {
                said.push(RowResult::new(ready.line, Verdict::Refused).saying(error.to_string()));
                return Ok((None, said));
            }
        };
        let own = self
            .desk
            .as_ref()
            .and_then(|desk| Some((next.nid, own::sealed(desk, &signed.built)?)));
        let item = SpoolItem {
            line: ready.line,
            entry: Entry {
                row: ready.row,
                nid: next.nid,
                rev: next.rev,
                hash: signed.built.hash,
                parties: signed.parties,
            },
        };
        let source = draft.as_ref().ok();
        let source = source.and_then(|draft| Source::of(draft, next.nid, next.rev));
        let envelope = signed.built.envelope.encode();
        let sealed = Sealed {
            item,
            envelope,
            own,
            source,
        };
        Ok((Some(sealed), said))
    }
}

impl Signer {
    /// What the revision before had and this one has not, in words: a table says nothing of attachments, and may have lost a
    /// column.
    fn dropped(&self, former: Option<&Former>, ready: &Ready, next: &Next) -> Option<String> {
        let mut gone = former.map_or_else(Vec::new, |former| former.no_longer_in(&ready.composed));
        if self.rows.had_files(next.nid) {
            gone.push(
                "attachments (give them again: herald notify --revise … --attach)".to_owned(),
            );
        }
        (!gone.is_empty()).then(|| format!("no longer in this revision: {}", gone.join(", ")))
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
        ..
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
        ..Work::default()
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
            desk: own::desk(&world.profile()).expect("read"),
            journal: Arc::new(Mutex::new(
                Journal::open(&world.profile()).expect("a journal"),
            )),
            profile: world.profile(),
            clock: world.clock.clone(),
            rows: Rows::of(known, [7; 32]),
        }
    }

    /// Everything that a file makes of one signer.
    fn work(mut signer: Signer, world: &World, text: &str) -> Vec<Work> {
        let path = world.write("f.csv", text);
        let table = tabular::open(Path::new(&path), &Options::default()).expect("a table");
        let (ready, mut batches) = mpsc::channel(1_000);
        signer
            .run(drafts(table), &ready, &AtomicBool::new(false))
            .expect("kept");
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
        let first = work(signer(&world, HashMap::new()), &world, FACILITIES);
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
        let again = work(signer(&world, known(&first)), &world, FACILITIES);
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
        let first = work(signer(&world, HashMap::new()), &world, text);
        let changed = work(
            signer(&world, known(&first)),
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
        let done = work(signer(&world, HashMap::new()), &world, text);
        let lines: Vec<u64> = done[0].items.iter().map(|item| item.line).collect();
        assert_eq!(lines, [2, 5]);
        let said: Vec<&str> = done[0].decided.iter().map(RowResult::message).collect();
        assert!(said[0].contains("did you mean east?"), "{said:?}");
        assert!(said[1].contains("--confirm swapped-axes"), "{said:?}");
        let mut confirming = signer(&world, HashMap::new());
        confirming.confirmed = vec![confirm::confirmed("swapped-axes").expect("a code")];
        let lines: Vec<u64> = work(confirming, &world, text)[0]
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
        let work = work(signer(&world, HashMap::new()), &world, text);
        assert_eq!(work[0].items.len(), 1);
        assert_eq!(work[0].decided[0].verdict(), Verdict::Refused);
        assert!(work[0].decided[0].message().contains("line 2"));
    }

    const ONE: &str =
        "reference,name,category,country,lon,lat\nB-590,Clinic A,clinic,AGO,13.491947,-8.655976\n";

    fn said(work: &[Work]) -> Vec<(Verdict, &str)> {
        work.iter()
            .flat_map(|work| &work.decided)
            .map(|result| (result.verdict(), result.message()))
            .collect()
    }

    #[test]
    fn what_a_single_notify_keeps_while_an_import_runs_is_no_new_row_to_it() {
        let world = World::new();
        let import = signer(&world, HashMap::new());
        let other = work(signer(&world, HashMap::new()), &world, ONE);
        // By now filed: the import had read the journal before.
        crate::cli::journal::file(&world.profile(), &other[0].items[0].entry).expect("filed");
        let here = work(import, &world, ONE);
        assert!(here.iter().all(|work| work.items.is_empty()));
        assert_eq!(said(&here)[0].0, Verdict::Unchanged);
    }

    #[test]
    fn a_batch_waits_while_somebody_else_decides_and_what_it_signed_is_on_disk_when_it_is_handed_on()
     {
        let world = World::new();
        let held = world.profile().lock(ROWS).expect("free");
        std::thread::scope(|scope| {
            let import = scope.spawn(|| work(signer(&world, HashMap::new()), &world, ONE));
            std::thread::sleep(std::time::Duration::from_millis(300));
            let journal = Journal::open(&world.profile()).expect("a journal");
            assert!(journal.interrupted().expect("read").is_empty());
            assert!(!import.is_finished());
            drop(held);
            let done = import.join().expect("no panic");
            let key = done[0].items[0].entry.row.key;
            assert!(journal.interrupted().expect("read").contains(&key));
        });
        world.profile().lock(ROWS).expect("let go");
    }

    #[test]
    fn a_reference_used_again_far_away_is_asked_about_with_the_distance_and_strict_refuses_it() {
        let world = World::new();
        let first = work(signer(&world, HashMap::new()), &world, ONE);
        let moved = ONE.replace("13.491947", "14.491947");
        let far = work(signer(&world, known(&first)), &world, &moved);
        let warned = said(&far);
        assert_eq!(warned.len(), 1);
        assert_eq!(warned[0].0, Verdict::Warning);
        assert!(
            warned[0].1.contains("110 km from where the last revision"),
            "{}",
            warned[0].1
        );
        let mut strict = signer(&world, known(&first));
        strict.strict = true;
        let refused = work(strict, &world, &ONE.replace("13.491947", "15.491947"));
        assert_eq!(said(&refused)[0].0, Verdict::Refused);
        assert!(refused.iter().all(|work| work.items.is_empty()));
    }

    #[test]
    fn references_that_look_alike_are_one_row_and_said_to_be() {
        let world = World::new();
        let row =
            |reference: &str, lon: &str| format!("{reference},A,clinic,AGO,{lon},-8.655976\n");
        let text = format!(
            "reference,name,category,country,lon,lat\n{}{}{}{}",
            row("A-1", "13.491947"),
            row("a-1", "13.591947"),
            row("A\u{2011}1", "13.691947"),
            row("A\u{2013}\u{661}", "13.791947"),
        );
        let work = work(signer(&world, HashMap::new()), &world, &text);
        assert_eq!(work[0].items.len(), 1);
        let said = said(&work);
        assert_eq!(said.len(), 3);
        for (verdict, message) in said {
            assert_eq!(verdict, Verdict::Refused);
            assert!(
                message.contains("line 2 has the same reference, written otherwise"),
                "{message}"
            );
        }
    }
}
