//! How far a movement is: who may say it, who is told, and what it does to checks and to silence.

use herald::domain::exchange::AlertEvent;
use herald::domain::notification::{Outcome, Tier};
use herald::wire::build::Part;
use herald::wire::claims::{Claims, CloseClaims, ProgressClaims};
use herald::wire::parts::{ProgressPart, name};
use herald::wire::problem::ProblemKind as P;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use super::devices::now;
use super::time::convoy;
use super::world::World;
use super::{Answer, Member, Notified, Site, Unit};

const HOUR: i64 = 3_600;

impl World {
    async fn progress(&self, unit: &Unit, of: &Notified, said: &Value) -> Answer {
        let part = Part::new(name::PROGRESS, said).unwrap();
        let claims = ProgressClaims::new(self.common(unit), of.nid, of.rev, of.hash, None);
        self.say(unit, claims, &[part.sealed_to(&self.reader)])
            .await
    }

    /// What a desk was told of progress: for each word, whether it could open it and what it says.
    async fn told_of_progress(&self, desk: &Member) -> Vec<Option<ProgressPart>> {
        let read = self.reads(desk).await.into_iter();
        read.filter(|(_, claims, _)| matches!(claims, Claims::Progress(_)))
            .map(|(_, _, mut parts)| {
                let (_, said) = parts.pop()?;
                Some(serde_json::from_value(said).unwrap())
            })
            .collect()
    }
}

fn said(step: &str, more: &Value) -> Value {
    let mut said = json!({"step": step, "at": now().format(&Rfc3339).unwrap()});
    let more = more.as_object().unwrap().clone();
    said.as_object_mut().unwrap().extend(more);
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_see_the_route_are_told_how_far_it_is_and_nobody_below() {
    let world = World::start().await;
    let ada = world.msf.first();
    let site = convoy(-HOUR / 2)
        .to(&world.east, Tier::Exact)
        .to(&world.west, Tier::Cell);
    let convoy = world.notify(ada, &site).await;
    for said in [
        said("departed", &json!({})),
        said("at_waypoint", &json!({"waypoint": 1})),
        said("delayed", &json!({"delay_s": 2_700, "note": "a flat tyre"})),
    ] {
        let answer = world.progress(ada, &convoy, &said).await;
        assert_eq!(answer.status.as_u16(), 201, "{answer:?}");
    }
    for desk in [&world.msf, &world.coordinator, &world.east] {
        let told = world.told_of_progress(desk).await;
        let late: Vec<_> = told.iter().map(|p| p.as_ref().unwrap().delay_s).collect();
        assert_eq!(late, [None, None, Some(2_700)], "{}", desk.id);
    }
    assert_eq!(world.told_of_progress(&world.west).await.len(), 0);
    assert_eq!(world.told_of_progress(&world.relief).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_each_with_its_reason() {
    let world = World::start().await;
    let ada = world.msf.first();
    let moving = world
        .notify(ada, &convoy(-HOUR / 2).to(&world.east, Tier::Exact))
        .await;
    let still = world
        .notify(ada, &Site::at(44.2, 15.4).to(&world.east, Tier::Exact))
        .await;
    let refused: [(&str, Value); 6] = [
        ("/progress/waypoint", said("at_waypoint", &json!({}))),
        (
            "/progress/waypoint",
            said("at_waypoint", &json!({"waypoint": 2})),
        ),
        ("/progress/delay_s", said("delayed", &json!({}))),
        (
            "/progress/delay_s",
            said("departed", &json!({"delay_s": 60})),
        ),
        (
            "/progress/delay_s",
            said("delayed", &json!({"delay_s": 8 * 86_400})),
        ),
        ("/progress/at", {
            let ahead = now() + time::Duration::hours(1);
            json!({"step": "departed", "at": ahead.format(&Rfc3339).unwrap()})
        }),
    ];
    for (pointer, said) in refused {
        let answer = world.progress(ada, &moving, &said).await;
        assert_eq!(answer.refused(), Some(P::InvalidMember), "{said}");
        let problem = answer.problem.unwrap();
        assert_eq!(problem.pointer.as_deref(), Some(pointer), "{problem:?}");
    }
    let departed = said("departed", &json!({}));
    let answer = world.progress(ada, &still, &departed).await;
    assert_eq!(answer.refused(), Some(P::StateForbids));
    let other = world.relief.first();
    let answer = world.progress(other, &moving, &departed).await;
    assert_eq!(answer.refused(), Some(P::UnknownNotification));

    let common = world.common(ada);
    let (next, prev) = (moving.rev.next(), moving.hash);
    let arrived = CloseClaims::new(common, moving.nid, next, prev, Outcome::Arrived, None);
    world.said(ada, arrived, &[]).await;
    let late = said("delayed", &json!({"delay_s": 60}));
    let answer = world.progress(ada, &moving, &late).await;
    assert_eq!(answer.refused(), Some(P::AlreadyClosed), "it has arrived");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_movement_that_says_that_it_is_late_is_missed_that_much_later() {
    let world = World::start().await;
    let ada = world.msf.first();
    let moving = world
        .notify(ada, &convoy(-HOUR / 2).to(&world.east, Tier::Exact))
        .await;
    let late = said("delayed", &json!({"delay_s": 2 * HOUR}));
    let answer = world.progress(ada, &moving, &late).await;
    assert_eq!(answer.status.as_u16(), 201, "{answer:?}");
    world.move_time(HOUR).await;
    world.nothing_more(&world.msf, 0).await;
    world.move_time(3 * HOUR).await;
    let alerts = world.alerted(&world.msf, 1).await;
    assert_eq!(alerts[0].event, AlertEvent::NoSignOfLife);
}
