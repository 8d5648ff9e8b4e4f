//! What one statement proves, and what it does not. The two always stand together, so that a signature is never taken for
//! more than it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;

use crate::cli::relay::words::not_signed_by;
use crate::cli::words::{self, ack_words};
use crate::crypto::digest::Digest;
use crate::crypto::disclosure::Disclosure;
use crate::crypto::statement;
use crate::domain::check::Verdict;
use crate::domain::plural::count;
use crate::spatial::parse::format_rfc3339;
use crate::wire::check::read_answer;
use crate::wire::claims::{AckClaims, AnswerClaims, Claims, ReceiptClaims, ScreenResult};
use crate::wire::envelope::{Content, Envelope, Event};
use crate::wire::trust::{Checked, SERVER, Trust, TrustError};

/// Something to be held against keys.
pub(super) enum Item {
    /// A statement alone.
    Statement(String),
    /// A statement with what travels beside it.
    Envelope(Envelope),
    /// An event of a mailbox: statement, receipt, position.
    Event(Box<Event>),
}

impl Item {
    /// The statement in it.
    pub fn statement(&self) -> &str {
        match self {
            Self::Statement(text) => text,
            Self::Envelope(envelope) => &envelope.statement,
            Self::Event(event) => &event.envelope.statement,
        }
    }
}

/// What was given beside an item.
#[derive(Default)]
pub(super) struct Given {
    /// Every statement, by its hash; read, not believed.
    pub statements: BTreeMap<Digest, Claims>,
    /// Of which statements a receipt was given that holds.
    pub receipted: BTreeSet<Digest>,
}

/// What came of it.
#[derive(Serialize)]
pub(super) struct Finding {
    #[serde(skip)]
    pub holds: bool,
    /// The keys at hand do not name the device that is said to have signed: they may be older than it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keys_too_old: bool,
    /// What it is.
    what: String,
    /// Hash of the statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<Digest>,
    /// Why it does not hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<String>,
    /// What it proves.
    proves: Vec<String>,
    /// What it does not.
    does_not: Vec<String>,
}

impl Finding {
    /// Not something that can be held against anything.
    pub fn unreadable(why: &str) -> Self {
        Self {
            holds: false,
            keys_too_old: false,
            what: "something unreadable".to_owned(),
            hash: None,
            faults: vec![why.to_owned()],
            proves: Vec::new(),
            does_not: Vec::new(),
        }
    }

    /// For people.
    pub fn text(&self, file: &Path) -> String {
        let word = match (self.holds, self.keys_too_old) {
            (true, _) => "HOLDS",
            (false, true) => "CANNOT BE TOLD WITH THE KEYS AT HAND",
            (false, false) => "DOES NOT HOLD",
        };
        let mut text = format!("{}: {}, {word}\n", file.display(), self.what);
        let hash = self.hash.map(|hash| format!("statement {hash}"));
        let groups = [
            ("Why not", &self.faults),
            ("Proves", &self.proves),
            ("Does not prove", &self.does_not),
        ];
        if let Some(line) = hash {
            text.extend(["  ", &line, "\n"]);
        }
        for (title, lines) in groups {
            for line in lines {
                text.extend(["  ", title, ": ", line, "\n"]);
            }
        }
        text
    }
}

/// Holds one item against the keys, and against the other statements that were given.
pub(super) fn item(item: &Item, trust: &Trust, given: &Given) -> Finding {
    let known = &given.statements;
    let text = item.statement();
    let checked = match trust.check(text) {
        Ok(checked) => checked,
        Err(error) => return disbelieved(text, &error, trust),
    };
    let hash = statement::hash(text);
    let (mut proves, mut does_not) = (Vec::new(), Vec::new());
    let mut faults = Vec::new();
    signed(&checked, &mut proves);
    if checked.since_revoked {
        does_not.push("that the device still speaks for its actor: it has been taken back since. What it signed before stays signed; the position in a receipt tells which came first".to_owned());
    }
    if let Some(not_signed) = not_signed_by(&checked.claims) {
        does_not.push(format!("that somebody else signed: it was {not_signed}"));
    }
    match (&checked.claims, item) {
        (Claims::Receipt(claims), _) => receipt(claims, known, &mut proves, &mut does_not),
        (Claims::Ack(claims), _) => acknowledgement(claims, &mut proves, &mut does_not),
        (Claims::Answer(claims), Item::Envelope(envelope)) => {
            answer(
                claims,
                envelope,
                known,
                &mut proves,
                &mut does_not,
                &mut faults,
            );
        }
        (Claims::Answer(_), Item::Statement(_) | Item::Event(_)) => {
            faults.push(
                "the answer's content does not travel with it; give the whole envelope".to_owned(),
            );
        }
        (claims, item) => {
            other(claims, &mut proves, &mut does_not);
            // An event carries its receipt.
            if given.receipted.contains(&hash) {
                proves.push("that the server had it: its receipt was given beside it".to_owned());
            } else if !matches!(item, Item::Event(_)) {
                does_not.push("without a receipt: that the server ever had it".to_owned());
            }
        }
    }
    match item {
        Item::Event(event) => {
            delivered(event, trust, hash, &mut proves, &mut faults);
            parts(&checked.claims, &event.envelope, &mut proves, &mut faults);
        }
        Item::Envelope(envelope) => parts(&checked.claims, envelope, &mut proves, &mut faults),
        Item::Statement(_) => {}
    }
    Finding {
        holds: faults.is_empty(),
        keys_too_old: false,
        what: format!(
            "{} of {}",
            kind_words(&checked.claims),
            checked.claims.common().iss
        ),
        hash: Some(hash),
        faults,
        proves,
        does_not,
    }
}

fn disbelieved(text: &str, error: &TrustError, trust: &Trust) -> Finding {
    let read = crate::wire::read::read(text).ok();
    let keys_too_old = is_of_an_unnamed_device(error, trust);
    let why = if keys_too_old {
        "the keys at hand do not name the device that is said to have signed; they may be older than it. Fetch them \
         again (`herald devices`, or a newer --keys DIRECTORY.json) and verify again. If they still do not name it, this \
         does not hold: tell the coordinator"
            .to_owned()
    } else {
        error.to_string()
    };
    Finding {
        keys_too_old,
        what: read.map_or_else(
            || "a statement".to_owned(),
            |(_, claims)| format!("{} that names {}", kind_words(&claims), claims.common().iss),
        ),
        hash: Some(statement::hash(text)),
        ..Finding::unreadable(&why)
    }
}

/// A device that no keys name; a known device's signature under another key than it has had is no question of age.
fn is_of_an_unnamed_device(error: &TrustError, trust: &Trust) -> bool {
    let TrustError::UnknownKey { iss } = error else {
        return false;
    };
    let (Some(device), Ok(actor)) = (&iss.device, trust.actor(&iss.actor)) else {
        return false;
    };
    actor.device(device).is_none()
}

fn kind_words(claims: &Claims) -> String {
    match claims {
        Claims::Ack(_) => "an acknowledgement".to_owned(),
        Claims::Answer(_) => "an answer".to_owned(),
        Claims::Admit(_) => "an admission".to_owned(),
        Claims::Invite(_) => "an invite".to_owned(),
        Claims::Keys(_) => "keys".to_owned(),
        other => format!("a {} statement", words::kind_words(other.kind())),
    }
}

fn signed(checked: &Checked, proves: &mut Vec<String>) {
    let common = checked.claims.common();
    let root = if common.iss.actor.as_str() == SERVER {
        "the deployment's root"
    } else {
        "its actor's root"
    };
    let at = time::OffsetDateTime::from_unix_timestamp(common.iat)
        .map_or_else(|_| "an unknown time".to_owned(), format_rfc3339);
    proves.push(format!(
        "{} signed exactly these bytes, with a key under {root}; by its own clock at {at}; context {}, {}",
        common.iss, common.ctx, common.mode
    ));
}

fn receipt(
    claims: &ReceiptClaims,
    known: &BTreeMap<Digest, Claims>,
    proves: &mut Vec<String>,
    does_not: &mut Vec<String>,
) {
    proves.push(format!(
        "the server stored the statement {} at position {}, at {} by the database's clock",
        claims.of, claims.pos, claims.at
    ));
    match known.get(&claims.of) {
        Some(of) => proves.push(format!(
            "that statement is the {} statement of {} given beside it",
            of.kind(),
            of.common().iss
        )),
        None => does_not
            .push("what that statement says: it was not given beside the receipt".to_owned()),
    }
    does_not.push("that anybody read the statement, or that what it says is true".to_owned());
}

fn acknowledgement(claims: &AckClaims, proves: &mut Vec<String>, does_not: &mut Vec<String>) {
    let says = match &claims.on_behalf {
        None => "the party says".to_owned(),
        Some(word) => format!("the coordinator says that a letter of {} says", word.org),
    };
    for item in &claims.items {
        proves.push(format!(
            "{says} of {} revision {} (statement {}): {}",
            item.nid.reference(),
            item.rev,
            item.of,
            ack_words(item.state)
        ));
    }
    does_not.push("approval of anything, or access: an acknowledgement is word that a notification came, and its absence takes no protection away".to_owned());
    does_not.push("that any unit beyond the party's desk knows of it".to_owned());
}

fn answer(
    claims: &AnswerClaims,
    envelope: &Envelope,
    known: &BTreeMap<Digest, Claims>,
    proves: &mut Vec<String>,
    does_not: &mut Vec<String>,
    faults: &mut Vec<String>,
) {
    let answer = match read_answer(claims, envelope) {
        Ok(answer) => answer,
        Err(error) => {
            faults.push(error.to_string());
            return;
        }
    };
    proves.push(format!(
        "asked the question {}, the server answered {} as of {}, with {} in the party's mailbox: {} hit, {} considered",
        claims.of,
        answer.verdict.as_str().replace('_', " "),
        format_rfc3339(answer.as_of),
        count(answer.serial, "event"),
        count(answer.hits_total, "object"),
        count(answer.considered.len(), "revision")
    ));
    for hit in &answer.hits {
        proves.push(format!(
            "hit: {} revision {} of {} (statement {})",
            hit.reference, hit.rev, hit.organisation, hit.of
        ));
    }
    match known.get(&claims.of) {
        Some(Claims::Check(check)) => proves.push(format!(
            "that question is the check of {} given beside it",
            check.iss
        )),
        Some(_) => faults.push("the statement that it answers is no check".to_owned()),
        None => {
            does_not
                .push("what was asked: the question was not given beside the answer".to_owned());
        }
    }
    does_not.push(format!("that nobody is there. {}", answer.absence));
    if answer.verdict == Verdict::Indeterminate {
        does_not.push("anything about the area: it is to be treated as a conflict".to_owned());
    }
}

fn other(claims: &Claims, proves: &mut Vec<String>, does_not: &mut Vec<String>) {
    match claims {
        Claims::Site(c) => about(c.nid.reference().as_str(), c.rev.get(), "notified", proves),
        Claims::Movement(c) => about(c.nid.reference().as_str(), c.rev.get(), "notified", proves),
        Claims::Withdraw(c) => about(c.nid.reference().as_str(), c.rev.get(), "took back", proves),
        Claims::Close(c) => about(c.nid.reference().as_str(), c.rev.get(), "closed", proves),
        Claims::Screen(c) => proves.push(format!(
            "the coordinator's word on {} revision {}: {}",
            c.nid.reference(),
            c.rev,
            match c.result {
                ScreenResult::Screened =>
                    format!("looked at: {}", words::checked_words(&c.checked)),
                ScreenResult::Returned => "returned with reasons".to_owned(),
            }
        )),
        Claims::Progress(c) => about(
            c.nid.reference().as_str(),
            c.rev.get(),
            "said how far it was with",
            proves,
        ),
        Claims::Confirm(c) => about(c.nid.reference().as_str(), c.rev.get(), "confirmed", proves),
        Claims::Alert(_) => {
            proves.push(
                "the server's word, by its own clock, that a time had passed, and what it had not received, or destroyed, or counted no longer, by then".to_owned(),
            );
            does_not.push("that nobody knew; silence changes no one's protection".to_owned());
        }
        Claims::Relay(c) => {
            proves.push(format!(
                "the coordinator's word that {} of {} stood in a package to {}",
                count(c.items.len(), "notification"),
                c.to,
                c.party
            ));
            does_not.push("that the party received it: nothing in it is signed by the party, and it is not counted as reached".to_owned());
        }
        Claims::Handover(_) => proves.push(
            "that one of its devices left a note to its own desk; what the note says only that desk can open".to_owned(),
        ),
        Claims::Warn(_) | Claims::Reply(_) => return exchanged(claims, proves, does_not),
        Claims::Keys(_)
        | Claims::Renew(_)
        | Claims::Policy(_)
        | Claims::Admit(_)
        | Claims::Invite(_)
        | Claims::Revoke(_)
        | Claims::Duty(_)
        | Claims::Cosign(_)
        | Claims::Ack(_)
        | Claims::Check(_)
        | Claims::Receipt(_)
        | Claims::Answer(_)
        | Claims::Distress(_)
        | Claims::Respond(_)
        | Claims::Resolve(_)
        | Claims::Notice(_) => {}
    }
    does_not.push("that what it says is true".to_owned());
}

/// What one says to another proves that it was said.
fn exchanged(claims: &Claims, proves: &mut Vec<String>, does_not: &mut Vec<String>) {
    match claims {
        Claims::Warn(c) => {
            proves.push(format!(
                "the party {} warned {} about {} revision {} (statement {}), in the words of its part `detail`",
                c.iss.actor,
                c.to,
                c.nid.reference(),
                c.rev,
                c.of
            ));
            does_not.push("that what it alleges is true, nor any change of status: this system determines none".to_owned());
        }
        Claims::Reply(c) => {
            proves.push(format!(
                "the organisation {} replied to {} on {} revision {}, to the statement {}",
                claims.speaks_for(),
                c.to,
                c.nid.reference(),
                c.rev,
                c.re
            ));
            does_not.push(
                "that what it says is true, or that anything was agreed between the two".to_owned(),
            );
        }
        _ => {}
    }
}

fn about(reference: &str, rev: u32, did: &str, proves: &mut Vec<String>) {
    proves.push(format!(
        "the organisation {did} {reference}, revision {rev}"
    ));
}

/// The receipt beside an event is for this statement, at this position.
fn delivered(
    event: &Event,
    trust: &Trust,
    hash: Digest,
    proves: &mut Vec<String>,
    faults: &mut Vec<String>,
) {
    match trust.check_receipt(&event.receipt, hash) {
        Ok(receipt) if receipt.pos == event.pos => proves.push(format!(
            "the server stored it at position {}, at {} by the database's clock",
            receipt.pos, receipt.at
        )),
        Ok(receipt) => faults.push(format!(
            "its receipt names position {}, the event position {}",
            receipt.pos, event.pos
        )),
        Err(error) => faults.push(format!("its receipt: {error}")),
    }
}

/// Parts in the clear are those that were signed; of sealed ones, whether the statement names them.
fn parts(claims: &Claims, envelope: &Envelope, proves: &mut Vec<String>, faults: &mut Vec<String>) {
    let mut sealed = 0_usize;
    for attachment in &envelope.attachments {
        let part = &attachment.part;
        if !claims.sd().contains(&attachment.sd) {
            faults.push(format!("the part {part} is not named by the statement"));
            continue;
        }
        match &attachment.content {
            Content::Seal { .. } => sealed += 1,
            Content::Disclosure(text) => {
                match Disclosure::parse_expecting(text.as_bytes(), &attachment.sd) {
                    Ok(disclosure) if disclosure.name() == part => {
                        proves.push(format!(
                            "the part {part} beside it is the one that was signed"
                        ));
                    }
                    Ok(_) => faults.push(format!("the part {part} carries another name inside")),
                    Err(error) => faults.push(format!("the part {part}: {error}")),
                }
            }
        }
    }
    if sealed > 0 {
        proves.push(format!(
            "{} beside it named by the statement; nothing sealed was opened here",
            count(sealed, "sealed part")
        ));
    }
}
