//! Every API operation, called by everyone: who is let in is exactly what the table says, and who is not learns why from
//! the status and the problem.

use std::collections::BTreeSet;

use herald::domain::actor::Role;
use herald::domain::policy::{Access, OPERATIONS};
use herald::http::chunks::CHUNKS_TYPE;
use herald::wire::envelope::{ENVELOPE_TYPE, ENVELOPES_TYPE};
use herald::wire::problem::ProblemKind as P;
use reqwest::{Client, Method};

use super::devices::{Fresh, client};
use super::world::World;

/// A call that its handler answers in one known way when the gate lets it through: a status, and a problem if it is one.
struct Call {
    method: Method,
    template: &'static str,
    path: &'static str,
    body: Option<(&'static str, &'static [u8])>,
    served: (u16, Option<P>),
}

const JSON: &str = "application/json";

/// The walk. An operation of the table that is not here fails the test, and so does one that is not in the table.
fn calls() -> Vec<Call> {
    let read = |path: &'static str, served| Call {
        method: Method::GET,
        template: path,
        path,
        body: None,
        served,
    };
    let post = |path: &'static str, media, body: &'static [u8], served| Call {
        method: Method::POST,
        template: path,
        path,
        body: Some((media, body)),
        served,
    };
    let put = |path: &'static str, body: &'static [u8], served| Call {
        method: Method::PUT,
        ..post(path, JSON, body, served)
    };
    vec![
        post("/v1/enrol", JSON, b"{}", (400, Some(P::MissingMember))),
        Call {
            template: "/v1/keys",
            ..read("/v1/keys?ctx=yem", (200, None))
        },
        Call {
            template: "/v1/policy",
            ..read("/v1/policy?ctx=yem", (200, None))
        },
        read("/openapi.json", (200, None)),
        post("/v1/renew", JSON, b"{}", (400, Some(P::MissingMember))),
        read("/v1/devices", (200, None)),
        read("/v1/me", (200, None)),
        post(
            "/v1/statements",
            ENVELOPE_TYPE,
            b"HN2",
            (400, Some(P::MalformedBody)),
        ),
        post("/v1/statements/bulk", ENVELOPES_TYPE, b"", (200, None)),
        read("/v1/events", (200, None)),
        Call {
            template: "/v1/events/{seq}",
            ..read("/v1/events/999999", (404, Some(P::NotFound)))
        },
        put("/v1/cursor", b"{\"seq\":0}", (200, None)),
        read("/v1/stream", (400, Some(P::SubprotocolMissing))),
        Call {
            method: Method::PUT,
            template: "/v1/blobs/{digest}",
            ..post(
                "/v1/blobs/none?offset=0&size=1",
                CHUNKS_TYPE,
                b"",
                (404, Some(P::NotFound)),
            )
        },
        Call {
            template: "/v1/blobs/{digest}",
            ..read("/v1/blobs/none", (404, Some(P::NotFound)))
        },
        read("/v1/notifications", (200, None)),
        Call {
            template: "/v1/notifications/{id}",
            ..read(
                "/v1/notifications/HN-2222-2222",
                (404, Some(P::UnknownNotification)),
            )
        },
        read("/v1/queue", (200, None)),
        read("/v1/changes", (200, None)),
        put("/v1/look", b"{\"pos\":0}", (200, None)),
        read("/v1/silence", (200, None)),
        read("/v1/distress", (200, None)),
        post(
            "/v1/distress",
            ENVELOPE_TYPE,
            b"HN2",
            (400, Some(P::MalformedBody)),
        ),
        read("/v1/threads", (200, None)),
        read("/v1/nudge", (200, None)),
        Call {
            method: Method::PUT,
            ..post("/v1/nudge", JSON, b"{}", (400, Some(P::MissingMember)))
        },
        Call {
            method: Method::DELETE,
            body: None,
            ..read("/v1/nudge", (204, None))
        },
        post("/v1/nudge/test", JSON, b"", (409, Some(P::NudgeNowhere))),
        post(
            "/v1/checks",
            ENVELOPE_TYPE,
            b"HN2",
            (400, Some(P::MalformedBody)),
        ),
        read("/v1/statistics", (200, None)),
    ]
}

/// Who calls.
enum Caller {
    Nobody,
    Unknown,
    Revoked,
    /// Renewed since: this is the certificate from before.
    Former,
    Pending(Role),
    Active(Role),
}

fn expected(access: Access, caller: &Caller, served: (u16, Option<P>)) -> (u16, Option<P>) {
    let refused = match (access, caller) {
        (Access::Open, _)
        | (Access::Renewing, Caller::Former | Caller::Pending(_) | Caller::Active(_))
        | (Access::AnyDevice, Caller::Pending(_) | Caller::Active(_)) => None,
        (_, Caller::Nobody) => Some(P::CertificateMissing),
        (_, Caller::Unknown | Caller::Former) => Some(P::CertificateUnknown),
        (_, Caller::Revoked) => Some(P::CertificateRevoked),
        (Access::Roles(roles), Caller::Pending(role) | Caller::Active(role))
            if !roles.contains(role) =>
        {
            Some(P::NotAllowed)
        }
        (Access::Roles(_), Caller::Pending(_)) => Some(P::NotAdmitted),
        (Access::Roles(_), Caller::Active(_)) => None,
    };
    refused.map_or(served, |kind| (kind.spec().status, Some(kind)))
}

fn callers(world: &World) -> Vec<(&'static str, Caller, Client)> {
    // A certificate of our own CA for a device that never enrolled.
    let fresh = Fresh::new();
    let certificate = world.issue(&fresh);
    let unknown = client(&world.ca, Some((&certificate, &fresh.tls)));
    let active = |name, unit: &super::Unit| (name, Caller::Active(unit.role), unit.http.clone());
    vec![
        ("nobody", Caller::Nobody, world.nobody.clone()),
        ("an unknown device", Caller::Unknown, unknown),
        (
            "a revoked device",
            Caller::Revoked,
            world.revoked.http.clone(),
        ),
        (
            "a pending device",
            Caller::Pending(world.pending.role),
            world.pending.http.clone(),
        ),
        (
            "a device that renewed, with its old certificate",
            Caller::Former,
            world.relief.first().http.clone(),
        ),
        active("the coordinator", world.coordinator.first()),
        active("an organisation", world.msf.first()),
        active("a party's desk", world.east.first()),
        active("a party's planner", &world.east.devices[1]),
        active("an auditor", world.auditor.first()),
        active("an operator", world.operator.first()),
        active("an organisation not admitted", world.stranger.first()),
        active("a suspended organisation", world.suspended.first()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_lets_in_exactly_whom_the_table_names() {
    let world = World::start().await;
    let former = world.relief.first();
    let renewal = world.renewal(former, &Fresh::new());
    let renewed = world.post_json(&former.http, "/v1/renew", &renewal).await;
    assert_eq!(renewed.status.as_u16(), 200);
    let calls = calls();
    let tabled: BTreeSet<_> = OPERATIONS.iter().map(|(m, t, _)| (*m, *t)).collect();
    let walked: BTreeSet<_> = calls
        .iter()
        .map(|c| (c.method.as_str(), c.template))
        .collect();
    assert_eq!(
        tabled, walked,
        "each operation stands in the table and in this walk"
    );

    let callers = callers(&world);
    let roles: BTreeSet<Role> = callers
        .iter()
        .filter_map(|(_, caller, _)| match caller {
            Caller::Active(role) => Some(*role),
            _ => None,
        })
        .collect();
    for role in Role::ALL {
        assert!(
            *role == Role::Node || roles.contains(role),
            "{role} calls too"
        );
    }
    for (who, caller, http) in &callers {
        for (method, template, access) in OPERATIONS {
            let call = calls
                .iter()
                .find(|c| c.method.as_str() == *method && c.template == *template)
                .unwrap();
            let body = call.body.map(|(media, body)| (media, body.to_vec()));
            let answer = world.call(http, call.method.clone(), call.path, body).await;
            assert_eq!(
                (answer.status.as_u16(), answer.refused()),
                expected(*access, caller, call.served),
                "{who}: {method} {template}: {answer:?}"
            );
        }
        // What is in no table is served to nobody.
        let answer = world.call(http, Method::GET, "/v1/secrets", None).await;
        assert_eq!(answer.refused(), Some(P::NotFound), "{who}");
        let answer = world.call(http, Method::DELETE, "/v1/keys", None).await;
        assert_eq!(answer.refused(), Some(P::MethodNotAllowed), "{who}");
    }
}
