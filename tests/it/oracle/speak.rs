//! Making the statements of a sequence: the model's numbers become ids, hashes and keys, and what is wrong on purpose is
//! put in.

use std::collections::BTreeMap;

use herald::crypto::digest::Digest;
use herald::domain::ack::AckState;
use herald::domain::actor::{ActorKind, Mode, Role};
use herald::domain::exchange::{Answer, DISTRESS_SENTENCE, RELAY_SENTENCE, WARNING_SENTENCE};
use herald::domain::ids::{ActorId, ContextId, Issuer, Nid, Revision};
use herald::domain::notification::Tier;
use herald::wire::build::{Built, Part, build};
use herald::wire::claims::{
    About, AckClaims, AckItem, Admission, AdmitClaims, Checked, Claims, CloseClaims, Common,
    ConfirmClaims, CosignClaims, DeviceKey, DistressClaims, DutyClaims, HandoverClaims,
    InviteClaims, KeysClaims, MovementClaims, NotificationClaims, OnBehalf, PolicyClaims,
    ProgressClaims, RelayClaims, ReplyClaims, ResolveClaims, RespondClaims, RevocationReason,
    RevokeClaims, ScreenClaims, ScreenResult, WarnClaims, WithdrawClaims,
};
use herald::wire::invite::InviteCode;
use herald::wire::parts::{Audience, Blobs, InvitedPerson, name};
use herald::wire::policy::Policy;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::cast::{Desk, Who};
use super::model::{Model, UNDER_WAY_H, named};
use super::steps::{Follow, Item, LABELS, Of, Revise, Rules, Standing, Step, Twist, Way, What};
use crate::server::{Attached, Member, Site, Unit, World};

/// Where everything lies.
const PLACE: [f64; 2] = [44.2, 15.4];
/// Where a party enters it wrongly.
const FAR: [f64; 2] = [44.7, 15.9];

/// What the numbers of a sequence stand for.
pub struct Bound {
    /// Notifications.
    pub nids: [Nid; LABELS],
    /// The hashes of their revisions.
    pub revs: BTreeMap<usize, Vec<Digest>>,
    /// Calls for help.
    pub call_nids: [Nid; LABELS],
    /// The hashes of the calls.
    pub calls: BTreeMap<usize, Digest>,
    /// The hash of each statement that was taken.
    pub hashes: Vec<Digest>,
    /// The last id that a device gave a statement that was taken.
    pub jtis: BTreeMap<Who, Uuid>,
    /// The code that the newcomer was invited with.
    pub code: Option<InviteCode>,
    /// The newcomer's device.
    pub newcomer: Option<Unit>,
    /// The version of the policy in force.
    pub policy: u32,
}

impl Bound {
    /// Nothing said yet.
    pub fn new(policy: u32) -> Self {
        Self {
            nids: [(); LABELS].map(|()| Nid::random()),
            revs: BTreeMap::new(),
            call_nids: [(); LABELS].map(|()| Nid::random()),
            calls: BTreeMap::new(),
            hashes: Vec::new(),
            jtis: BTreeMap::new(),
            code: None,
            newcomer: None,
            policy,
        }
    }
}

/// One who makes statements: everything that a statement depends on.
pub struct Speaker<'a> {
    /// The server and its cast.
    pub world: &'a World,
    /// What the model holds.
    pub model: &'a Model,
    /// What its numbers stand for.
    pub bound: &'a Bound,
    /// A photo that each of them has sent.
    pub photos: &'a BTreeMap<Desk, Attached>,
    /// The other context.
    pub elsewhere: &'a ContextId,
    /// The deployment's time, in whole seconds.
    pub signed: OffsetDateTime,
}

/// A desk's actor.
pub fn member(world: &World, desk: Desk) -> &Member {
    match desk {
        Desk::Ocha => &world.coordinator,
        Desk::Msf => &world.msf,
        Desk::Relief => &world.relief,
        Desk::Paused => &world.suspended,
        Desk::Stranger => &world.stranger,
        Desk::East => &world.east,
        Desk::West => &world.west,
    }
}

/// A device; the newcomer's only when it has enrolled.
pub fn unit<'a>(world: &'a World, bound: &'a Bound, who: Who) -> &'a Unit {
    match who {
        Who::Ada => &world.msf.devices[0],
        Who::Bo => &world.msf.devices[1],
        Who::AdaAgain => &world.msf.devices[2],
        Who::Lost => &world.revoked,
        Who::Pending => &world.pending,
        Who::Newcomer => bound.newcomer.as_ref().expect("it has enrolled"),
        Who::Pia => &world.east.devices[1],
        Who::Pat => &world.west.devices[1],
        Who::Aud => world.auditor.first(),
        Who::Ope => world.operator.first(),
        Who::Cora | Who::Rae | Who::Stran | Who::Pau | Who::Eve | Who::Wes => {
            member(world, who.desk().expect("a desk's")).first()
        }
    }
}

fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap()
}

/// A hash of nothing that was ever said.
fn nothing() -> Digest {
    Digest::of(b"nothing that was said")
}

impl Speaker<'_> {
    /// The statement of a step.
    pub fn build(&self, step: &Step) -> Built {
        if step.what == What::Keys {
            return self.keys();
        }
        let unit = unit(self.world, self.bound, step.who);
        let (claims, parts) = self.claims(step, self.common(step, unit.issuer()));
        build(claims, &parts, &unit.signing).unwrap()
    }

    /// The claims that every statement has.
    pub fn common(&self, step: &Step, iss: Issuer) -> Common {
        let mut common = Common {
            iss,
            aud: self.world.aud.clone(),
            ctx: self.world.ctx.clone(),
            mode: self.world.mode,
            jti: Uuid::new_v4(),
            iat: self.signed.unix_timestamp(),
        };
        match step.twist {
            Twist::Deployment => common.aud.push('x'),
            Twist::Context => common.ctx = self.elsewhere.clone(),
            Twist::Mode if common.mode == Mode::Live => common.mode = Mode::Exercise,
            Twist::Mode => common.mode = Mode::Live,
            Twist::Old => common.iat -= 14 * 86_400,
            Twist::Early => common.iat += 3_600,
            Twist::Jti => {
                let before = self.bound.jtis.get(&step.who);
                common.jti = before.copied().unwrap_or(common.jti);
                // Without parts, what is said in the same second would be the same bytes.
                common.iat -= 7;
            }
            Twist::None | Twist::Bearer | Twist::Abroad | Twist::Carried => {}
        }
        common
    }

    fn sealed(&self, name: &str, value: &Value) -> Part {
        Part::new(name, value)
            .unwrap()
            .sealed_to(&self.world.reader)
    }

    fn officer() -> Value {
        json!({"name": "Off Icer", "phone": "+967 1"})
    }

    /// A revision by number, with its hash or another.
    fn revision(&self, label: usize, of: Of) -> (Nid, Revision, Digest) {
        let (number, right) = self.model.number(label, of);
        let hash = self.bound.revs.get(&label).map(|revs| revs[number - 1]);
        let hash = hash.filter(|_| right).unwrap_or_else(nothing);
        (self.bound.nids[label], revision(number), hash)
    }

    /// The number and `prev` of what follows the latest revision.
    fn follow(&self, label: usize, follow: Follow) -> (Revision, Option<Digest>) {
        let revs = self.bound.revs.get(&label).map_or(&[][..], Vec::as_slice);
        let (last, latest) = (revs.last().copied(), revs.len());
        match follow {
            Follow::Next => (revision(latest + 1), last),
            // Of the first revision there is no number before it, but it has nothing before it either.
            Follow::Same => (revision(latest.max(1)), Some(nothing())),
            Follow::Gap => (revision(latest + 2), last.or(Some(nothing()))),
            Follow::Fork => (revision(latest + 1), Some(nothing())),
        }
    }

    fn on_behalf(step: &Step) -> Option<OnBehalf> {
        let org = step.behalf?.name().parse().unwrap();
        Some(OnBehalf {
            org,
            source: Digest::of(b"a letter"),
        })
    }

    #[allow(
        clippy::too_many_lines,
        reason = "one arm a kind, and each is a line or two"
    )]
    fn claims(&self, step: &Step, common: Common) -> (Claims, Vec<Part>) {
        let detail = |value: Value| vec![self.sealed(name::DETAIL, &value)];
        match &step.what {
            What::Revise(revise) => self.revise(step, revise, common),
            What::Withdraw {
                label,
                follow,
                reason,
            } => {
                let (rev, prev) = self.follow(*label, *follow);
                let prev = prev.unwrap_or_else(nothing);
                let said = json!({"text": "It was never there."});
                let parts = reason.then(|| self.sealed(name::REASON, &said)).into_iter();
                let behalf = Self::on_behalf(step);
                let claims =
                    WithdrawClaims::new(common, self.bound.nids[*label], rev, prev, behalf);
                (claims.into(), parts.collect())
            }
            What::Close {
                label,
                follow,
                outcome,
            } => {
                let (rev, prev) = self.follow(*label, *follow);
                let prev = prev.unwrap_or_else(nothing);
                let (nid, behalf) = (self.bound.nids[*label], Self::on_behalf(step));
                (
                    CloseClaims::new(common, nid, rev, prev, *outcome, behalf).into(),
                    Vec::new(),
                )
            }
            What::Screen {
                label,
                of,
                returned,
            } => {
                let (nid, rev, of) = self.revision(*label, *of);
                let (result, checked, parts) = if *returned {
                    let said = json!({"reasons": [{"text": "Which of the two?"}]});
                    let part = self.sealed(name::REASONS, &said);
                    (ScreenResult::Returned, Vec::new(), vec![part])
                } else {
                    (ScreenResult::Screened, vec![Checked::Form], Vec::new())
                };
                (
                    ScreenClaims::new(common, nid, rev, of, result, checked).into(),
                    parts,
                )
            }
            What::Cosign { label, of } => {
                let (nid, rev, of) = self.revision(*label, *of);
                (CosignClaims::new(common, nid, rev, of).into(), Vec::new())
            }
            What::Ack { to, items } => self.ack(step, *to, items, common),
            What::Relay {
                to,
                party,
                label,
                of,
                wrong,
            } => self.relay((*to, *party), (*label, *of), *wrong, common),
            What::Warn {
                to,
                label,
                of,
                cease_h,
            } => {
                let (nid, rev, of) = self.revision(*label, *of);
                let mut said = json!({"officer": Self::officer(), "alleges": "something", "says": WARNING_SENTENCE});
                if let Some(hours) = cease_h {
                    said["cease_by"] = self.in_hours(*hours).into();
                }
                (
                    WarnClaims::new(common, actor(*to), nid, rev, of).into(),
                    detail(said),
                )
            }
            What::Reply {
                to,
                label,
                thread,
                answer,
                amended,
            } => self.reply(step, (*to, *label, *thread), (*answer, *amended), common),
            What::Progress {
                label,
                of,
                way,
                early,
            } => {
                let (nid, rev, of) = self.revision(*label, *of);
                let at = self.in_hours(if *early { 5 } else { -1 });
                let said = match way {
                    Way::Departed => json!({"step": "departed", "at": at}),
                    Way::At(waypoint) => {
                        json!({"step": "at_waypoint", "waypoint": waypoint, "at": at})
                    }
                    Way::Late(hours) => {
                        json!({"step": "delayed", "delay_s": hours * 3_600, "at": at})
                    }
                };
                let parts = vec![self.sealed(name::PROGRESS, &said)];
                (
                    ProgressClaims::new(common, nid, rev, of, Self::on_behalf(step)).into(),
                    parts,
                )
            }
            What::Confirm { label, of } => {
                let (nid, rev, of) = self.revision(*label, *of);
                (
                    ConfirmClaims::new(common, nid, rev, of, Self::on_behalf(step)).into(),
                    Vec::new(),
                )
            }
            What::Distress {
                call,
                about,
                here,
                tiers,
            } => self.distress(*call, *about, *here, *tiers, common),
            What::Respond { to, call } => {
                let (nid, re) = self.call(*call);
                let claims = RespondClaims::new(common, actor(*to), nid, re);
                (claims.into(), detail(json!({"officer": Self::officer()})))
            }
            What::Resolve { call } => {
                let (nid, re) = self.call(*call);
                (
                    ResolveClaims::new(common, nid, re).into(),
                    detail(json!({"outcome": "over"})),
                )
            }
            What::Policy { rules, skip } => {
                let version = self.bound.policy + 1 + u32::from(*skip);
                (
                    PolicyClaims::new(common, version, policy(*rules)).into(),
                    Vec::new(),
                )
            }
            What::Admit { desk, to, from_h } => {
                (self.admit(*desk, *to, *from_h, common), Vec::new())
            }
            What::Duty => {
                let phone = "+967 1 234 567".to_owned();
                (
                    DutyClaims::new(common, phone, Vec::new()).into(),
                    Vec::new(),
                )
            }
            What::Handover => {
                let note = Part::new(name::NOTE, &json!({"text": "Call them again."})).unwrap();
                let desk = step.who.desk().unwrap_or(Desk::Ocha);
                let note = note.sealed_to(member(self.world, desk).reader());
                (HandoverClaims::new(common).into(), vec![note])
            }
            What::Invite => self.invite(common),
            What::Revoke => {
                let device = self
                    .bound
                    .newcomer
                    .as_ref()
                    .expect("it has enrolled")
                    .id
                    .clone();
                let reason = RevocationReason::Left;
                (
                    RevokeClaims::new(common, actor(Desk::Msf), device, reason).into(),
                    Vec::new(),
                )
            }
            What::Keys
            | What::Renew
            | What::Again { .. }
            | What::Jump { .. }
            | What::Restart
            | What::Break => {
                unreachable!("these are made elsewhere")
            }
        }
    }

    fn in_hours(&self, hours: i64) -> String {
        rfc3339(self.signed + Duration::hours(hours))
    }

    fn revise(&self, step: &Step, revise: &Revise, common: Common) -> (Claims, Vec<Part>) {
        let mut site = if revise.moves {
            Site::convoy(PLACE, [44.3, 15.5])
        } else {
            Site::at(PLACE[0], PLACE[1])
        };
        let properties = &mut site.place["properties"];
        match (revise.moves, revise.begins_h) {
            (true, Some(h)) => {
                let (from, until) = (self.in_hours(h), self.in_hours(h + UNDER_WAY_H));
                properties["waypoints"] = json!([{"at": from}, {"at": until}]);
            }
            (true, None) => drop(properties.as_object_mut().unwrap().remove("waypoints")),
            (false, begins) => {
                let mut window = json!({});
                if let Some(h) = begins {
                    window["from"] = self.in_hours(h).into();
                }
                if let Some(lasts) = revise.lasts_h {
                    window["until"] = self.in_hours(begins.unwrap_or(0) + lasts).into();
                }
                properties["window"] = window;
            }
        }
        let told = named(revise.tiers);
        for (party, tier) in &told {
            site = site.to(member(self.world, *party), *tier);
        }
        let parties = |tiers: &[Tier]| -> Vec<&Member> {
            let among = told.iter().filter(|(_, tier)| tiers.contains(tier));
            among.map(|(party, _)| member(self.world, *party)).collect()
        };
        if revise.contact {
            let mut readers = parties(&[Tier::Exact, Tier::OnCheck]);
            readers.push(&self.world.coordinator);
            site = site.contact(&readers);
        }
        let photo = step.who.desk().and_then(|desk| self.photos.get(&desk));
        if let (true, Some(photo)) = (revise.attach, photo) {
            let mut readers = parties(&[Tier::Exact]);
            readers.push(&self.world.coordinator);
            let own = step
                .speaks_for()
                .filter(|own| self.has_desk(*own) && *own != Desk::Ocha);
            readers.extend(own.map(|own| member(self.world, own)));
            site = site.attach(&[photo], &readers);
        }
        let (nid, behalf) = (self.bound.nids[revise.label], Self::on_behalf(step));
        let (rev, prev) = self.follow(revise.label, revise.follow);
        let claims = if revise.moves {
            MovementClaims::new(common, nid, rev, prev, false, behalf).into()
        } else {
            NotificationClaims::new(common, nid, rev, prev, false, behalf).into()
        };
        (claims, site.parts(self.world))
    }

    fn ack(&self, step: &Step, to: Desk, items: &[Item], common: Common) -> (Claims, Vec<Part>) {
        let (mut said, mut details) = (Vec::new(), Vec::new());
        for item in items {
            let (nid, rev, of) = self.revision(item.label, item.of);
            let mut detail = json!({"nid": nid});
            match item.state {
                AckState::Entered => {
                    let position = if item.far { FAR } else { PLACE };
                    detail["entered"] = json!({"list": "NSL", "position": position});
                }
                AckState::NotEntered => detail["reason"] = "unknown to us".into(),
                AckState::Queried => {
                    detail["question"] = "Which of the two?".into();
                    if let Some(ask) = item.ask {
                        detail["ask"] = ask.as_str().into();
                    }
                    if let Some(hours) = item.due_h {
                        detail["due"] = self.in_hours(hours).into();
                    }
                }
                AckState::ReachedDesk | AckState::Received | AckState::Removed => {}
            }
            details.push(detail);
            said.push(AckItem {
                nid,
                rev,
                of,
                opened: Vec::new(),
                state: item.state,
            });
        }
        let transcribed = step.behalf.is_some();
        let device = items.iter().all(|item| item.state == AckState::ReachedDesk);
        let mut parts = Vec::new();
        if transcribed || !device {
            let detail = json!({"officer": Self::officer(), "items": details});
            parts.push(self.sealed(name::DETAIL, &detail));
        }
        if transcribed {
            parts.extend(self.letter(to));
        }
        let claims = AckClaims::new(common, actor(to), said, Self::on_behalf(step));
        (claims.into(), parts)
    }

    /// The letter that an acknowledgement is transcribed from: for the coordinator, and the organisation if it has a desk.
    fn letter(&self, to: Desk) -> [Part; 2] {
        let photo = &self.photos[&Desk::Ocha];
        let mut letter = Part::new(name::attachment(1), &photo.part()).unwrap();
        letter = letter.sealed_to(self.world.coordinator.reader());
        if self.has_desk(to) && to != Desk::Ocha {
            letter = letter.sealed_to(member(self.world, to).reader());
        }
        let blobs = Blobs {
            blobs: vec![photo.named()],
        };
        let blobs = Part::new(name::BLOBS, &blobs).unwrap();
        [letter, blobs.sealed_to(&self.world.reader)]
    }

    /// Whether the coordinator has admitted a desk, so that something may be sealed to it.
    fn has_desk(&self, desk: Desk) -> bool {
        self.model.standing[&desk] != Standing::Enrolled
    }

    fn relay(
        &self,
        (to, party): (Desk, Desk),
        (label, of): (usize, Of),
        wrong: bool,
        common: Common,
    ) -> (Claims, Vec<Part>) {
        let number = self.model.number(label, of).0;
        let rev = self
            .model
            .things
            .get(&label)
            .and_then(|thing| thing.rev(number));
        let tier = rev.and_then(|rev| rev.told.get(&party)).copied();
        let ended = self
            .model
            .things
            .get(&label)
            .is_some_and(|thing| thing.ended);
        let tier = tier.map(|tier| if ended { Tier::Withdrawn } else { tier });
        let tier = match tier.unwrap_or(Tier::Exact) {
            Tier::Exact if wrong => Tier::Cell,
            _ if wrong => Tier::Exact,
            tier => tier,
        };
        let (nid, rev, of) = self.revision(label, of);
        let said = json!({
            "items": [{"nid": nid, "tier": tier.as_str()}],
            "means": "email", "recipient": "liaison@example.org", "officer": Self::officer(), "serial": 1,
            "files": [{"name": "list.xlsx", "sha256": nothing(), "size": 10}],
            "says": RELAY_SENTENCE,
        });
        let claims = RelayClaims::new(
            common,
            actor(to),
            actor(party),
            vec![About { nid, rev, of }],
        );
        (claims.into(), vec![self.sealed(name::DETAIL, &said)])
    }

    fn reply(
        &self,
        step: &Step,
        (to, label, thread): (Desk, usize, Option<usize>),
        (answer, amended): (Answer, Of),
        common: Common,
    ) -> (Claims, Vec<Part>) {
        let opened = self.model.thread(thread, label);
        let (number, re) = opened.map_or((1, nothing()), |number| {
            let thread = &self.model.threads[number];
            (thread.rev, self.bound.hashes[thread.by])
        });
        let mut said = json!({"answer": answer.as_str(), "text": "We say so."});
        if answer == Answer::Amended {
            said["amended"] = self.model.number(label, amended).0.into();
        }
        let nid = self.bound.nids[label];
        let claims = ReplyClaims::new(
            common,
            actor(to),
            nid,
            revision(number),
            re,
            Self::on_behalf(step),
        );
        (claims.into(), vec![self.sealed(name::DETAIL, &said)])
    }

    fn distress(
        &self,
        call: usize,
        about: Option<(usize, Of)>,
        here: bool,
        tiers: [Option<Tier>; 2],
        common: Common,
    ) -> (Claims, Vec<Part>) {
        let about = about.map(|(label, of)| {
            let (nid, rev, of) = self.revision(label, of);
            About { nid, rev, of }
        });
        let said = json!({"text": "under fire", "says": DISTRESS_SENTENCE});
        let mut parts = vec![self.sealed(name::DETAIL, &said)];
        if here {
            parts.push(self.sealed(name::POSITION, &json!({"position": PLACE})));
        }
        for (party, tier) in named(tiers) {
            let party = actor(party);
            let audience = Audience {
                party: party.clone(),
                tier,
                onward: false,
                cells: Vec::new(),
            };
            let part = Part::new(name::audience(&party), &audience).unwrap();
            parts.push(part.sealed_to(&self.world.reader));
        }
        let claims =
            DistressClaims::new(common, self.bound.call_nids[call], Revision::FIRST, about);
        (claims.into(), parts)
    }

    fn call(&self, call: usize) -> (Nid, Digest) {
        let hash = self.bound.calls.get(&call).copied();
        (self.bound.call_nids[call], hash.unwrap_or_else(nothing))
    }

    fn admit(&self, desk: Desk, to: Standing, from_h: Option<i64>, common: Common) -> Claims {
        let member = member(self.world, desk);
        let state = match to {
            Standing::Suspended => Admission::Suspended,
            Standing::Left => Admission::Left,
            Standing::Admitted | Standing::Enrolled => Admission::Admitted,
        };
        let (id, kind) = (member.id.clone(), member.kind);
        let (root, name) = (
            member.root.verifying_key().kid(),
            format!("The {}", desk.name()),
        );
        let from = from_h.map(|hours| common.iat + hours * 3_600);
        AdmitClaims::new(common, id, kind, name, root, state, from).into()
    }

    fn invite(&self, common: Common) -> (Claims, Vec<Part>) {
        let code = self.bound.code.as_ref().expect("it was drawn");
        let exp = common.iat + 86_400;
        let named = "The msf".to_owned();
        let (kind, role) = (ActorKind::Organisation, Role::Organisation);
        let claims = InviteClaims::new(
            common,
            code.hash(),
            code.actor.clone(),
            kind,
            named,
            role,
            exp,
        );
        let person = Part::new(
            name::PERSON,
            &InvitedPerson {
                name: "New Comer".to_owned(),
            },
        )
        .unwrap();
        (claims.into(), vec![person.sealed_to(&self.world.reader)])
    }

    /// Msf's root names its devices and the newcomer, to which the desk's key is handed.
    fn keys(&self) -> Built {
        let msf = &self.world.msf;
        let newcomer = self.bound.newcomer.as_ref().expect("it has enrolled");
        let devices: Vec<DeviceKey> = msf
            .devices
            .iter()
            .chain([newcomer])
            .map(Unit::key)
            .collect();
        let step = Step {
            id: 0,
            side: 0,
            who: Who::Ada,
            behalf: None,
            twist: Twist::None,
            what: What::Keys,
        };
        let common = self.common(&step, Issuer::root(msf.id.clone()));
        let desk = msf.desk.public_key().clone();
        let claims = KeysClaims::new(
            common,
            msf.serial + 1,
            msf.keys,
            *msf.root.verifying_key(),
            devices,
            desk,
        );
        let seed = json!({"seed": "a key that the server cannot read"});
        let part = Part::new(name::desk(&newcomer.id), &seed).unwrap();
        build(
            claims,
            &[part.sealed_to(newcomer.seal.public_key())],
            &msf.root,
        )
        .unwrap()
    }
}

/// A revision by its number.
pub fn revision(number: usize) -> Revision {
    Revision::new(u32::try_from(number).unwrap()).unwrap()
}

/// A desk's actor, by name.
pub fn actor(desk: Desk) -> ActorId {
    desk.name().parse().unwrap()
}

/// The policy of these rules.
fn policy(rules: Rules) -> Policy {
    let tiers: &[Tier] = if rules.cells {
        &[Tier::Exact, Tier::OnCheck, Tier::Cell]
    } else {
        &[Tier::Exact, Tier::OnCheck]
    };
    Policy {
        second_signature: rules.second,
        tiers: tiers.to_vec(),
        reconfirm_days: rules.reconfirm_days,
        close_days: rules.close_days,
        reply_within_h: rules.reply_within_h,
        ..Policy::default()
    }
}
