//! What is said: a site, or a call for help, each to all parties at the tier `exact`.

use herald::cli::profile::Profile;
use herald::domain::clock::Clock;
use herald::domain::exchange::DISTRESS_SENTENCE;
use herald::domain::ids::{ActorId, Nid, Revision};
use herald::domain::kind::Kind;
use herald::domain::notification::Tier;
use herald::wire::build::{Built, Part, build};
use herald::wire::claims::{Claims, DistressClaims, NotificationClaims};
use herald::wire::parts::{Audience, name};
use herald::wire::trust::Trust;
use serde_json::json;

use super::Outcome;

/// Signs one, as a new notification.
pub fn make(
    (kind, nid): (Kind, Nid),
    profile: &Profile,
    trust: &Trust,
    to: &[ActorId],
) -> Outcome<Built> {
    let rev = Revision::FIRST;
    let common = profile.common(&Clock::System);
    let (claims, mut parts): (Claims, Vec<Part>) = if kind == Kind::Distress {
        let detail = json!({"text": "under fire", "says": DISTRESS_SENTENCE});
        let position = json!({"position": [44.2, 15.35]});
        let parts = vec![
            Part::new(name::DETAIL, &detail)?,
            Part::new(name::POSITION, &position)?,
        ];
        (DistressClaims::new(common, nid, rev, None).into(), parts)
    } else {
        let place = json!({
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [44.2, 15.35]},
            "properties": {"category": "hospital", "name": "A hospital", "relation": "run"},
        });
        let claims = NotificationClaims::new(common, nid, rev, None, false, None);
        (claims.into(), vec![Part::new(name::PLACE, &place)?])
    };
    for party in to {
        let audience = Audience {
            party: party.clone(),
            tier: Tier::Exact,
            onward: false,
            cells: Vec::new(),
        };
        parts.push(Part::new(name::audience(party), &audience)?);
    }
    let parts: Vec<Part> = parts
        .into_iter()
        .map(|part| part.sealed_to(trust.server_seal()))
        .collect();
    Ok(build(claims, &parts, &profile.signing_key()?)?)
}
