//! How actors and devices come and go: invites, roots that name devices, admission, renewal, revocation.

use herald::crypto::b64url;
use herald::domain::actor::{ActorKind, Role};
use herald::domain::ids::{ActorId, DeviceId, Issuer};
use herald::wire::api::{EnrolResponse, RenewRequest};
use herald::wire::build;
use herald::wire::claims::{
    Admission, AdmitClaims, DeviceKey, InviteClaims, KeysClaims, RenewClaims, RevocationReason,
    RevokeClaims,
};
use herald::wire::invite::InviteCode;
use herald::wire::parts::{InvitedPerson, name};

use super::World;
use super::devices::{Fresh, Member, Unit};

impl World {
    /// Invites a person; gives the code as it would be handed over.
    pub async fn invite(
        &self,
        actor: &str,
        kind: ActorKind,
        role: Role,
        person: &str,
    ) -> InviteCode {
        let code = InviteCode::fresh(
            self.code.ca,
            self.code.deployment_root,
            Some(self.coordinator.root.verifying_key().kid()),
            actor.parse().unwrap(),
            role,
            self.ctx.clone(),
        );
        let (claims, parts) = self.invite_of(&code, kind, person, 86_400);
        self.said(self.coordinator.first(), claims, &parts).await;
        code
    }

    /// The invitation of a code, good for some seconds.
    pub fn invite_of(
        &self,
        code: &InviteCode,
        kind: ActorKind,
        person: &str,
        seconds: i64,
    ) -> (InviteClaims, [build::Part; 1]) {
        let common = self.common(self.coordinator.first());
        let exp = common.iat + seconds;
        let claims = InviteClaims::new(
            common,
            code.hash(),
            code.actor.clone(),
            kind,
            format!("The {}", code.actor),
            code.role,
            exp,
        );
        let person = InvitedPerson {
            name: person.to_owned(),
        };
        let part = build::Part::new(name::PERSON, &person).unwrap();
        (claims, [part.sealed_to(&self.reader)])
    }

    /// The `keys` of a member's root that names its devices and one more.
    pub fn keys_of(&self, member: &Member, more: Option<DeviceKey>) -> build::Built {
        let mut devices: Vec<DeviceKey> = member.devices.iter().map(Unit::key).collect();
        devices.extend(more);
        self.keys_with(member, devices)
    }

    /// The next `keys` of a member's root, with these devices.
    pub fn keys_with(&self, member: &Member, devices: Vec<DeviceKey>) -> build::Built {
        let claims = KeysClaims::new(
            self.common_of(Issuer::root(member.id.clone())),
            member.serial + 1,
            member.keys,
            *member.root.verifying_key(),
            devices,
            member.desk.public_key().clone(),
        );
        build::build(claims, &[], &member.root).unwrap()
    }

    /// Enrols one more device of a member, named by its root at once.
    pub async fn enrol_with(&self, member: &mut Member, code: &InviteCode, role: Role) {
        let fresh = Fresh::new();
        let keys = self.keys_of(member, Some(fresh.key(role)));
        let request = fresh.request(code, Some(keys.envelope.statement.clone()));
        let answer = self.post_json(&self.nobody, "/v1/enrol", &request).await;
        let answer: EnrolResponse = answer.json();
        member.devices.push(fresh.enrolled(&self.ca, &answer));
        member.serial += 1;
        member.keys = Some(keys.hash);
    }

    /// Enrols a device that its root has not named.
    pub async fn enrol_pending(&self, code: &InviteCode) -> Unit {
        let fresh = Fresh::new();
        let request = fresh.request(code, None);
        let answer = self.post_json(&self.nobody, "/v1/enrol", &request).await;
        fresh.enrolled(&self.ca, &answer.json())
    }

    /// The coordinator compares a fingerprint, and says so.
    pub async fn admit(&self, member: &Member, state: Admission) {
        let claims = self.admission(member, state);
        self.said(self.coordinator.first(), claims, &[]).await;
    }

    /// What the coordinator says of a member.
    pub fn admission(&self, member: &Member, state: Admission) -> AdmitClaims {
        AdmitClaims::new(
            self.common(self.coordinator.first()),
            member.id.clone(),
            member.kind,
            format!("The {}", member.id),
            member.root.verifying_key().kid(),
            state,
            None,
        )
    }

    /// The coordinator takes a device back.
    pub async fn revoke(&self, actor: ActorId, device: DeviceId) {
        let by = self.coordinator.first();
        let claims = RevokeClaims::new(self.common(by), actor, device, RevocationReason::Lost);
        self.said(by, claims, &[]).await;
    }

    /// A renewal of a device, to these keys.
    pub fn renewal(&self, unit: &Unit, to: &Fresh) -> RenewRequest {
        let common = self.common(unit);
        let exp = common.iat + 365 * 86_400;
        let claims = RenewClaims::new(
            common,
            *to.signing.verifying_key(),
            to.seal.public_key().clone(),
            exp,
        );
        let built = build::build(claims, &[], &unit.signing).unwrap();
        RenewRequest {
            statement: built.envelope.statement,
            csr: b64url(&to.tls.make_csr().unwrap()),
        }
    }
}
