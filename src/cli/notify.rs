//! The command `notify`: from a file or from the command line to signed, sealed statements in the outbox, and from there
//! to the server as soon as it can be reached. What was typed is shown beside what it is read as before anything leaves.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::api::{Api, ApiError};
use super::attach::{self, Attached};
use super::composing::{ComposeArgs, Known, known};
use super::draft::compose::{Composed, Composition, Settings, compose, flags};
use super::draft::confirm::{self, Confirmed};
use super::draft::finding::{Finding, Severity};
use super::draft::parties::Parties;
use super::draft::sign::{Next, SignError, sign_with};
use super::draft::{Cells, Draft, drafts};
use super::error::CliError;
use super::exit::Exit;
use super::journal::Journal;
use super::lint::command_line;
use super::outbox::{Meta, Outbox};
use super::own::{self, Former};
use super::profile::{Profile, ProfileLock};
use super::rows::{ROWS, ROWS_WAIT, Row, Rows, Seen, Standing};
use super::tabular::columns::Field;
use super::{Context, send, source, tabular};
use crate::domain::ids::{Nid, Reference, Revision};
use crate::domain::kind::Kind;
use crate::domain::notification::Subject;
use crate::domain::plural::count;
use crate::wire::envelope::MAX_ATTACHMENTS as MAX_SEALS;
use crate::wire::parts::{MAX_ATTACHMENTS, MediaType};

const EXAMPLES: &str = "\
Examples:
  herald notify sites.xlsx --party east:exact --party west:cell
  herald notify --category hospital --name \"Trauma Centre\" --at \"36°43'4.91\\\"N 68°51'43.96\\\"E\" \\
      --country AFG --buffer 500 --party east:exact --party west:on_check
  herald notify --name \"Food convoy\" --waypoint \"15.5007, 32.5599 @ 2026-05-03T06:00Z ±15m\" \\
      --waypoint \"Wad Madani = 14.4012, 33.5199 @ 2026-05-03T08:40Z ±30m\" --half-width 100 --party east:exact
  herald notify --category clinic --name \"Clinic\" --at 42SVF8769463602 --party east:exact \\
      --attach roof.jpg --attach letter.pdf --keep-metadata
  herald notify --revise HN-2217-0AB4 --category hospital --name \"Trauma Centre\" --at 42SVF8769463602 --party east:exact

The same file again, mended or not, says nothing twice: a row that did not change is left out as `unchanged`, one that did \
becomes the next revision of the same notification, and only what is new is new. Rows are known again by your own \
reference, or by name, country and place (a movement: its times too) where they have none. A revision says the whole \
anew: what the one before had and it has not is named (`no longer in this revision`).

What looks like a slip (swapped axes, lost signs, a place in the sea or in another country, too few digits) is asked about \
at a terminal, row by row, and refused elsewhere unless --confirm says that it is meant so.

 `herald import` does the same \
for large files, and knows the rows of either: it reads as a stream, writes what became of each row into a file instead \
of showing it, and needs a line. `notify` shows everything as typed beside what it is read as, and works without a line: \
the signed bytes wait in the outbox and `herald send` sends them (exit code 4).";

/// Notifications of one run; more belongs into `herald import`.
const MAX_NOTIFICATIONS: usize = 5_000;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A file: .xlsx, .csv, .geojson; or give one site or movement with the options below
    #[arg(conflicts_with_all = ["category", "name", "at", "waypoint"])]
    pub file: Option<PathBuf>,
    /// How to read it, and whom to notify.
    #[command(flatten)]
    pub compose: ComposeArgs,
    /// One site or movement.
    #[command(flatten)]
    pub given: Given,
    /// Revise this notification: its reference (HN-…) or id. Give everything anew; what is left out is named
    #[arg(long, value_name = "HN-…", conflicts_with = "file")]
    pub revise: Option<String>,
    /// A photo or a letter (JPEG, PNG, PDF) for those who see the exact place; one for each, at most ten. Position, time
    /// and owner are taken out of pictures before they are enciphered
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    pub attach: Vec<PathBuf>,
    /// Send PDFs although what they say of author, program and times stays in them
    #[arg(long, requires = "attach")]
    pub keep_metadata: bool,
    /// Sign and keep, and send later with `herald send`
    #[arg(long)]
    pub no_send: bool,
}

/// One site or movement, on the command line.
#[derive(Debug, Default, clap::Args)]
pub struct Given {
    /// What it is for: hospital, clinic, warehouse …
    #[arg(long)]
    pub category: Option<String>,
    /// What people there call it, Latin script
    #[arg(long)]
    pub name: Option<String>,
    /// Its name in the local script
    #[arg(long)]
    pub name_local: Option<String>,
    /// Where it is, as you have it: decimal, degrees-minutes-seconds or MGRS
    #[arg(
        long,
        value_name = "POSITION",
        conflicts_with = "waypoint",
        allow_hyphen_values = true
    )]
    pub at: Option<String>,
    /// A waypoint: "[NAME =] POSITION [@ ARRIVAL [to DEPARTURE] [±SLACK]]"; one for each
    #[arg(long, value_name = "WAYPOINT", allow_hyphen_values = true)]
    pub waypoint: Vec<String>,
    /// From when, with its zone: 2027-05-03T06:00Z or 030600ZMAY27
    #[arg(long)]
    pub from: Option<String>,
    /// Until when, with its zone
    #[arg(long)]
    pub until: Option<String>,
    /// Half the width of a movement's corridor, metres
    #[arg(long)]
    pub half_width: Option<String>,
    /// Your own reference: the site or movement is known again by it
    #[arg(long)]
    pub reference: Option<String>,
    /// The administrative area's code (OCHA P-code), like YE1709
    #[arg(long)]
    pub pcode: Option<String>,
    /// How it is marked, like: red cross on the roof
    #[arg(long)]
    pub marking: Option<String>,
    /// Whether the marking shows in infrared: yes, no, unknown
    #[arg(long)]
    pub infrared: Option<String>,
    /// How accurate the coordinates are, metres
    #[arg(long)]
    pub accuracy: Option<String>,
    /// Where the coordinates come from: gnss, imagery, map, gazetteer, other
    #[arg(long)]
    pub source: Option<String>,
    /// Who can be called; the server cannot read contacts
    #[arg(long)]
    pub contact: Option<String>,
    /// That person's number, with +
    #[arg(long)]
    pub phone: Option<String>,
    /// A vehicle; one for each
    #[arg(long)]
    pub vehicle: Vec<String>,
    /// Its number plate, in the same order
    #[arg(long)]
    pub plate: Vec<String>,
    /// How many people
    #[arg(long)]
    pub people: Option<String>,
    /// What is carried
    #[arg(long)]
    pub cargo: Option<String>,
    /// Radio call sign
    #[arg(long)]
    pub call_sign: Option<String>,
    /// Where a night is spent; one for each
    #[arg(long)]
    pub overnight: Vec<String>,
    /// A note
    #[arg(long)]
    pub note: Option<String>,
    /// As an emergency, with less lead time
    #[arg(long)]
    pub emergency: bool,
}

impl Given {
    /// As a draft.
    ///
    /// # Errors
    /// When nothing is given.
    fn draft(self) -> Result<Draft, CliError> {
        if self.at.is_none() && self.waypoint.is_empty() {
            return Err(CliError::Usage(
                "name a FILE, or give --at for a site, or --waypoint for a movement".into(),
            ));
        }
        let several = |texts: Vec<String>| (!texts.is_empty()).then(|| texts.join("; "));
        let pairs = [
            (Field::Category, self.category),
            (Field::Name, self.name),
            (Field::NameLocal, self.name_local),
            (Field::Coordinates, self.at),
            (Field::From, self.from),
            (Field::Until, self.until),
            (Field::HalfWidth, self.half_width),
            (Field::Reference, self.reference),
            (Field::Pcode, self.pcode),
            (Field::Marking, self.marking),
            (Field::Infrared, self.infrared),
            (Field::Accuracy, self.accuracy),
            (Field::Source, self.source),
            (Field::ContactName, self.contact),
            (Field::ContactPhone, self.phone),
            (Field::Vehicles, several(self.vehicle)),
            (Field::Plates, several(self.plate)),
            (Field::People, self.people),
            (Field::Cargo, self.cargo),
            (Field::CallSign, self.call_sign),
            (Field::Overnight, several(self.overnight)),
            (Field::Note, self.note),
            (Field::Emergency, self.emergency.then(|| "yes".to_owned())),
        ];
        let values = pairs
            .into_iter()
            .filter_map(|(field, text)| Some((field, text?)))
            .collect();
        let subject = if self.waypoint.is_empty() {
            Subject::Site
        } else {
            Subject::Movement
        };
        let stops = (1..)
            .zip(&self.waypoint)
            .map(|(number, text)| Cells {
                origin: command_line().row(number),
                values: waypoint(text),
            })
            .collect();
        Ok(Draft {
            subject,
            cells: Cells {
                origin: command_line(),
                values,
            },
            geometry: None,
            stops,
            mapping: flags(),
        })
    }
}

/// `[NAME =] POSITION [@ ARRIVAL [to DEPARTURE] [±SLACK]]`, cut into cells; each is read by its own reader.
fn waypoint(text: &str) -> BTreeMap<Field, String> {
    let mut cells = BTreeMap::new();
    let mut put = |field, text: &str| {
        let text = text.trim();
        if !text.is_empty() {
            cells.insert(field, text.to_owned());
        }
    };
    let rest = text.split_once('=').map_or(text, |(name, rest)| {
        put(Field::WaypointName, name);
        rest
    });
    let (position, times) = rest.split_once('@').unwrap_or((rest, ""));
    put(Field::Coordinates, position);
    let cut = ["±", "+/-", "+-"]
        .iter()
        .find_map(|sign| times.split_once(sign));
    let times = cut.map_or(times, |(times, slack)| {
        put(Field::Slack, slack);
        times
    });
    let (at, depart) = times.split_once(" to ").unwrap_or((times, ""));
    put(Field::At, at);
    put(Field::Depart, depart);
    cells
}

/// Runs it.
///
/// # Errors
/// When something is refused before anything is signed, or the outbox cannot keep it.
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let (profile, api) = context.connect()?;
    let known = known(&profile, &api).await?;
    let parties = Parties::of(&known.trust);
    args.compose.check_parties(&parties)?;
    let settings = args
        .compose
        .settings(known.policy.clone(), Some(parties), context)?;
    let revised = match &args.revise {
        Some(reference) => Some(revised(reference, &profile, &api, known.offline.is_some()).await?),
        None => None,
    };
    let drafts: Vec<Result<Draft, Finding>> = match &args.file {
        Some(file) => drafts(tabular::open(file, &args.compose.options())?)
            .take(MAX_NOTIFICATIONS + 1)
            .collect(),
        None => vec![Ok(args.given.draft()?)],
    };
    if drafts.len() > MAX_NOTIFICATIONS {
        return Err(CliError::refused(
            format!("the file has more than {MAX_NOTIFICATIONS} sites or movements"),
            "Use: herald import FILE",
        ));
    }
    if drafts.is_empty() {
        return Err(CliError::refused(
            "the file has nothing to notify: no row is filled in besides its header and the example",
            "Fill in a row for each place, below the example, and notify it again.",
        ));
    }
    let signing = Signing {
        profile: &profile,
        known: &known,
        settings: &settings,
        strict: args.compose.strict,
        confirmed: &args.compose.confirm,
        attached: attached(&args.attach, args.keep_metadata, context)?,
        context,
    };
    let mut outcome = Outcome {
        attached: signing.attached.iter().map(Attached::json).collect(),
        ..Outcome::default()
    };
    let ended = sign_all(drafts, revised.as_ref(), &signing, &mut outcome);
    if ended.is_ok() || !outcome.signed.is_empty() {
        show(context, &outcome);
    }
    if ended.is_err() && !outcome.signed.is_empty() {
        context
            .out
            .note("What is shown above was signed and waits in the outbox: herald send.");
    }
    ended?;
    if outcome.signed.is_empty() && outcome.unchanged.is_empty() {
        return Ok(Exit::Refused);
    }
    let exit = deliver(&profile, &api, known, args.no_send, context).await?;
    Ok(if exit == Exit::Ok && outcome.refused > 0 {
        Exit::Refused
    } else {
        exit
    })
}

async fn deliver(
    profile: &Profile,
    api: &Api,
    known: Known,
    no_send: bool,
    context: &Context,
) -> Result<Exit, CliError> {
    let waiting = Outbox::open(profile.dir())?.pending()?.len();
    let flushed = match known.offline {
        _ if no_send => send::Flushed {
            waiting,
            ..send::Flushed::default()
        },
        Some(error) => send::Flushed {
            waiting,
            stopped: Some(error),
            ..send::Flushed::default()
        },
        None => send::flush(profile, api, &known.trust).await?,
    };
    send::show(context, &flushed);
    Ok(flushed.exit())
}

/// The revision after the latest one: that is found in revision: what waits here, what the server knows, what was sent from here.
async fn revised(
    reference: &str,
    profile: &Profile,
    api: &Api,
    offline: bool,
) -> Result<Next, CliError> {
    let nid: Option<Nid> = reference.parse().ok();
    let spoken: Option<Reference> = reference.parse().ok();
    if nid.is_none() && spoken.is_none() {
        return Err(CliError::Usage(format!(
            "{reference} is no reference like HN-2217-0AB4; check it once more with whoever read it to you"
        )));
    }
    let means =
        |candidate: Nid| nid == Some(candidate) || spoken.as_ref() == Some(&candidate.reference());
    let outbox = Outbox::open(profile.dir())?;
    let here = outbox.latest(|meta| {
        matches!(
            meta.kind,
            Kind::Site | Kind::Movement | Kind::Withdraw | Kind::Close
        ) && meta.nid.is_some_and(means)
    })?;
    let mut next = here.as_ref().and_then(|meta| {
        Some(Next::after(
            meta.nid?,
            meta.rev?,
            meta.hash,
            meta.parties.clone(),
        ))
    });
    if !offline {
        match api.notification(reference).await {
            Ok(status) => {
                let parties = status
                    .parties
                    .iter()
                    .map(|party| party.party.clone())
                    .collect();
                let there = status
                    .revisions
                    .last()
                    .map(|revision| Next::after(status.nid, revision.rev, revision.of, parties));
                if let Some(there) =
                    there.filter(|there| next.as_ref().is_none_or(|here| here.rev < there.rev))
                {
                    next = Some(there);
                }
            }
            Err(ApiError::Problem(problem)) if problem.status == 404 => {}
            Err(error) => return Err(error.into()),
        }
    }
    next.ok_or_else(|| {
        CliError::refused(
            format!("no notification {reference} is known here"),
            "Check the reference; connect, if a colleague's device notified it.",
        )
    })
}

/// Makes the files ready, and says what was taken out of them.
fn attached(
    files: &[PathBuf],
    keep_metadata: bool,
    context: &Context,
) -> Result<Vec<Attached>, CliError> {
    if files.len() > MAX_ATTACHMENTS {
        return Err(CliError::refused(
            format!("{} files are more than one revision takes", files.len()),
            format!("Attach at most {MAX_ATTACHMENTS}."),
        ));
    }
    let mut out = Vec::with_capacity(files.len());
    for file in files {
        let one = attach::prepare(file, keep_metadata)?;
        let said = match (one.part.media_type, one.taken_out) {
            (MediaType::Pdf, _) => {
                "what it says of its author, program and times stays in it".to_owned()
            }
            (_, 0) => "no metadata was found in it".to_owned(),
            (_, pieces) => format!("{} of metadata taken out", count(pieces, "piece")),
        };
        context.out.note(format!(
            "{}: {said}. What the picture or page itself shows stays.",
            file.display()
        ));
        out.push(one);
    }
    Ok(out)
}

struct Signing<'a> {
    profile: &'a Profile,
    known: &'a Known,
    settings: &'a Settings,
    strict: bool,
    confirmed: &'a [Confirmed],
    attached: Vec<Attached>,
    context: &'a Context,
}

/// A notification that was signed.
struct Signed {
    nid: Nid,
    rev: Revision,
    composed: Box<Composed>,
    /// What the revision before had and this one has not.
    no_longer: Vec<String>,
}

/// A row that was left out.
struct Unchanged {
    nid: Option<Nid>,
    name: String,
    remark: Option<String>,
}

/// What was signed and what was not.
#[derive(Default)]
struct Outcome {
    signed: Vec<Signed>,
    unchanged: Vec<Unchanged>,
    findings: Vec<Finding>,
    refused: usize,
    /// The files that go with it, for programs.
    attached: Vec<Value>,
}

impl Outcome {
    fn refuse(&mut self, finding: Finding) {
        self.findings.push(finding);
        self.refused += 1;
    }

    /// What was composed, unless something in it is refused.
    fn read(
        &mut self,
        mut composition: Composition,
        signing: &Signing<'_>,
    ) -> Option<Box<Composed>> {
        let odd = composition.has_warnings();
        let composed = composition.composed.take();
        let composed = composed.filter(|composed| {
            let name = &composed.place.properties.name;
            if signing.strict {
                !odd
            } else {
                signing.confirm(name, &mut composition.findings)
            }
        });
        self.findings.extend(composition.findings);
        if composed.is_none() {
            self.refused += 1;
        }
        composed
    }
}

impl Signing<'_> {
    /// Whether a person will be asked about what was found.
    fn asks(&self, findings: &[Finding]) -> bool {
        !self.strict
            && self.context.out.can_ask()
            && !confirm::open(findings, self.confirmed).is_empty()
    }

    /// Whether everything grave that was found is meant so: said beforehand, or now, where somebody can be asked.
    fn confirm(&self, name: &str, findings: &mut [Finding]) -> bool {
        let open = confirm::open(findings, self.confirmed);
        if open.is_empty() {
            return true;
        }
        let out = &self.context.out;
        if out.can_ask() {
            for finding in findings.iter().filter(|finding| confirm::is_grave(finding)) {
                out.note(format!("! {finding}"));
            }
            if out.ask(format!(
                "Notify {name} all the same, exactly as it is given?"
            )) {
                return true;
            }
        }
        confirm::refuse(findings, self.confirmed);
        false
    }
}

/// While nobody else decides which rows are new: what is known of them. An import lets others in between its batches.
struct Turn {
    lock: Option<ProfileLock>,
    journal: Journal,
    rows: Rows,
    seen: Seen,
}

impl Turn {
    fn take(profile: &Profile) -> Result<Self, CliError> {
        let lock = Some(profile.lock_within(ROWS, ROWS_WAIT)?);
        let mut journal = Journal::open(profile)?;
        let rows = Rows::open(profile, &mut journal)?;
        Ok(Self {
            lock,
            journal,
            rows,
            seen: Seen::default(),
        })
    }

    /// Lets others in while a person thinks, then looks again what they have notified.
    fn aside<T>(&mut self, profile: &Profile, ask: impl FnOnce() -> T) -> Result<T, CliError> {
        self.lock = None;
        let answer = ask();
        self.lock = Some(profile.lock_within(ROWS, ROWS_WAIT)?);
        self.rows = Rows::open(profile, &mut self.journal)?;
        Ok(answer)
    }

    /// Whether a row still becomes what it was to become.
    fn still(&self, row: &Row, composed: &Composed, next: &Next) -> bool {
        match self.rows.standing(row, composed) {
            Standing::New => next.prev.is_none(),
            Standing::Changed(now) => now == *next,
            Standing::Unchanged { .. } | Standing::Refused(_) => false,
        }
    }
}

/// Signs what can be signed. `outcome` holds what was signed also when it ends early.
fn sign_all(
    drafts: Vec<Result<Draft, Finding>>,
    revised: Option<&Next>,
    signing: &Signing<'_>,
    outcome: &mut Outcome,
) -> Result<(), CliError> {
    let mut turn = Turn::take(signing.profile)?;
    for draft in drafts {
        match draft {
            Ok(draft) => sign_one(&draft, revised, signing, &mut turn, outcome)?,
            Err(finding) => outcome.refuse(finding),
        }
    }
    Ok(())
}

fn sign_one(
    draft: &Draft,
    revised: Option<&Next>,
    signing: &Signing<'_>,
    turn: &mut Turn,
    outcome: &mut Outcome,
) -> Result<(), CliError> {
    let mut composition = compose(draft, signing.settings, None);
    let Some(composed) = &composition.composed else {
        outcome.read(composition, signing);
        return Ok(());
    };
    let mut row = turn.rows.row(composed);
    row.files = turn
        .rows
        .files(signing.attached.iter().map(|one| &one.part.sha256));
    let origin = &draft.cells.origin;
    let standing = match revised {
        Some(next) => match turn.rows.taken(&row, composed, next.nid) {
            Some(other) => Standing::Refused(format!(
                "its reference, or its name and place, are those of {}, which is another notification; revise that one, or give this its own reference",
                other.reference()
            )),
            None => Standing::Changed(next.clone()),
        },
        None => turn
            .seen
            .again(origin.row, &row, composed)
            .unwrap_or_else(|| turn.rows.standing(&row, composed)),
    };
    let (next, former) = match standing {
        Standing::New => (Next::first(), None),
        Standing::Changed(next) => {
            let former = own::former(signing.profile, next.nid)?;
            (next, former)
        }
        Standing::Unchanged { nid, remark } => {
            let name = composed.place.properties.name.clone();
            outcome.unchanged.push(Unchanged { nid, name, remark });
            return Ok(());
        }
        Standing::Refused(why) => {
            outcome.refuse(Finding::refused("notified-before", origin.clone(), why));
            return Ok(());
        }
    };
    if row.files.is_none() && turn.rows.had_files(next.nid) {
        let what = format!(
            "{} had attachments, and this revision has none; give them again with --attach where they still hold",
            next.nid.reference()
        );
        outcome.findings.push(Finding::warning(
            "attachments-left-out",
            origin.clone(),
            what,
        ));
    }
    if let Some(last) = former.as_ref().and_then(Former::last) {
        // Once more, held against the revision before.
        composition = compose(draft, signing.settings, Some(last));
    }
    let asks = signing.asks(&composition.findings);
    let read = if asks {
        turn.aside(signing.profile, || outcome.read(composition, signing))?
    } else {
        outcome.read(composition, signing)
    };
    let Some(composed) = read else {
        return Ok(());
    };
    if asks && revised.is_none() && !turn.still(&row, &composed, &next) {
        let why = "another run has notified this row meanwhile; repeat the same command";
        outcome.refuse(Finding::refused("notified-before", origin.clone(), why));
        return Ok(());
    }
    let source = source::Source::of(draft, next.nid, next.rev);
    source::keep(signing.profile, source.as_slice())?;
    let no_longer = former.map_or_else(Vec::new, |former| former.no_longer_in(&composed));
    match keep(composed, &next, row, signing)? {
        Ok(signed) => outcome.signed.push(Signed {
            no_longer,
            ..signed
        }),
        // A key that is not believed, or a part too large: this row's trouble, and no reason to be silent about the others.
        Err(error) => {
            let why = format!("it was not signed: {error}");
            outcome.refuse(Finding::refused("not-signed", origin.clone(), why));
        }
    }
    Ok(())
}

/// Signs, and keeps the exact bytes with the row that they came from: from then on the row counts as notified.
fn keep(
    composed: Box<Composed>,
    next: &Next,
    row: Row,
    signing: &Signing<'_>,
) -> Result<Result<Signed, SignError>, CliError> {
    let (profile, clock) = (signing.profile, &signing.context.clock);
    let key = profile.signing_key()?;
    let common = profile.common(clock);
    let attached = &signing.attached;
    let trust = &signing.known.trust;
    let signed = match sign_with(&composed, attached, next, common, trust, &key) {
        Ok(signed) => signed,
        Err(error) => return Ok(Err(error)),
    };
    if signed.built.envelope.attachments.len() > MAX_SEALS {
        return Err(CliError::refused(
            format!(
                "{} parties with these attachments need more seals than one statement carries",
                signed.parties.len()
            ),
            "Attach fewer files.",
        ));
    }
    let kind = match composed.subject {
        Subject::Site => Kind::Site,
        Subject::Movement => Kind::Movement,
    };
    let meta = Meta::of(kind, &signed.built.envelope.statement, clock.now())
        .about(next.nid, next.rev)
        .naming(signed.parties.clone())
        .with_blobs(attached.iter().map(|one| one.part.blob).collect())
        .from_row(row);
    own::keep(profile, next.nid, &signed.built)?;
    let outbox = Outbox::open(profile.dir())?;
    for one in attached {
        outbox.put_blob(&one.part.blob, &one.blob)?;
    }
    outbox.put(&signed.built.envelope, &meta)?;
    Ok(Ok(Signed {
        nid: next.nid,
        rev: next.rev,
        composed,
        no_longer: Vec::new(),
    }))
}

fn show(context: &Context, outcome: &Outcome) {
    let signed: Vec<Value> = outcome
        .signed
        .iter()
        .map(|Signed { nid, rev, composed, no_longer }| {
            let shown: Vec<Value> = composed.shown.iter().map(|shown| json!({"what": shown.what, "typed": shown.typed, "read": shown.read})).collect();
            json!({"nid": nid, "rev": rev, "reference": nid.reference(), "name": composed.place.properties.name, "read_as": shown, "no_longer": no_longer})
        })
        .collect();
    let unchanged: Vec<Value> = outcome
        .unchanged
        .iter()
        .map(|row| json!({"nid": row.nid, "reference": row.nid.map(Nid::reference), "name": row.name, "remark": row.remark}))
        .collect();
    let findings: Vec<Value> = outcome.findings.iter().map(Finding::json).collect();
    let value = json!({"signed": signed, "unchanged": unchanged, "refused": outcome.refused, "findings": findings, "attached": outcome.attached});
    context.out.emit(&value, || {
        let mut lines: Vec<String> = outcome.signed.iter().flat_map(signed_lines).collect();
        lines.extend(outcome.unchanged.iter().map(unchanged_line));
        lines.extend(outcome.findings.iter().map(|finding| {
            let mark = if finding.severity == Severity::Note {
                "  "
            } else {
                "! "
            };
            format!("{mark}{finding}")
        }));
        lines.push(totals(outcome));
        lines.join("\n")
    });
}

fn signed_lines(signed: &Signed) -> Vec<String> {
    let Signed {
        nid,
        rev,
        composed,
        no_longer,
    } = signed;
    let parties: Vec<String> = composed
        .audience
        .iter()
        .map(|part| format!("{} ({})", part.party, part.tier))
        .collect();
    let parties = if parties.is_empty() {
        "no party; the coordinator alone".to_owned()
    } else {
        parties.join(", ")
    };
    let replaces = if *rev == Revision::FIRST {
        ""
    } else {
        ", of the same notification"
    };
    let name = &composed.place.properties.name;
    let mut lines = Vec::new();
    if !no_longer.is_empty() {
        lines.push(format!(
            "! {}, no longer in this revision: {}",
            nid.reference(),
            no_longer.join(", ")
        ));
    }
    lines.push(format!(
        "{}, revision {rev}{replaces}: {name}, for {parties}",
        nid.reference()
    ));
    lines.extend(composed.shown.iter().map(|shown| {
        format!(
            "  {:<22} typed {}\n  {:<22} read  {}",
            shown.what, shown.typed, "", shown.read
        )
    }));
    lines
}

fn unchanged_line(row: &Unchanged) -> String {
    let reference = row
        .nid
        .map_or_else(String::new, |nid| format!("{}, ", nid.reference()));
    let remark = row
        .remark
        .as_ref()
        .map_or_else(String::new, |remark| format!(" ({remark})"));
    format!(
        "{reference}unchanged: {}; not notified again{remark}",
        row.name
    )
}

fn totals(outcome: &Outcome) -> String {
    let signed = outcome.signed.len();
    let new = outcome
        .signed
        .iter()
        .filter(|signed| signed.rev == Revision::FIRST)
        .count();
    format!(
        "{signed} signed ({new} new, {} revised), {} unchanged, {} refused.",
        signed - new,
        outcome.unchanged.len(),
        outcome.refused
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waypoint_on_the_command_line_is_cut_into_place_times_and_slack() {
        let cells =
            waypoint("Wad Madani = 14.4012, 33.5199 @ 2026-05-03T08:40Z to 2026-05-03T09:40Z ±30m");
        let expected = [
            (Field::WaypointName, "Wad Madani"),
            (Field::Coordinates, "14.4012, 33.5199"),
            (Field::At, "2026-05-03T08:40Z"),
            (Field::Depart, "2026-05-03T09:40Z"),
            (Field::Slack, "30m"),
        ];
        for (field, text) in expected {
            assert_eq!(cells.get(&field).map(String::as_str), Some(text), "{field}");
        }
        assert_eq!(waypoint("15.5007, 32.5599").len(), 1);
    }

    #[test]
    fn while_a_person_thinks_others_get_in() {
        let world = crate::cli::testing::World::new();
        let profile = world.profile();
        let mut turn = Turn::take(&profile).expect("free");
        let busy = || profile.lock(ROWS).is_err();
        assert!(busy());
        let meanwhile = turn.aside(&profile, busy).expect("taken again");
        assert!(!meanwhile && busy());
    }

    #[test]
    fn nothing_given_is_a_matter_of_usage() {
        assert!(matches!(Given::default().draft(), Err(CliError::Usage(_))));
        let site = Given {
            at: Some("1, 2".into()),
            ..Given::default()
        };
        assert_eq!(site.draft().expect("a draft").subject, Subject::Site);
    }
}
