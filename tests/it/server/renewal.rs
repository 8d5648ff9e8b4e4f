//! A renewal whose answer is lost: the device has its old certificate, the server its new keys.

use herald::wire::api::EnrolResponse;
use herald::wire::problem::ProblemKind;

use super::World;
use super::devices::Fresh;

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_answered_into_the_void_is_asked_for_again_and_nothing_else_with_the_old_certificate()
 {
    let world = World::start().await;
    let unit = world.relief.first();
    let fresh = Fresh::new();
    let request = world.renewal(unit, &fresh);
    let first: EnrolResponse = world
        .post_json(&unit.http, "/v1/renew", &request)
        .await
        .json();
    // The answer is lost here; the device asks again with the exact statement and all that it has.
    let again: EnrolResponse = world
        .post_json(&unit.http, "/v1/renew", &request)
        .await
        .json();
    assert_eq!(first.receipt, again.receipt);
    let me = world.get(unit, "/v1/me").await;
    assert_eq!(me.refused(), Some(ProblemKind::CertificateUnknown));
    let renewed = fresh.enrolled(&world.ca, &again);
    assert_eq!(world.me(&renewed).await.device, unit.id);
    let other = world.renewal(unit, &Fresh::new());
    let stolen = world.post_json(&unit.http, "/v1/renew", &other).await;
    assert_eq!(
        stolen.refused(),
        Some(ProblemKind::UnknownKey),
        "the old key renews nothing more"
    );
}
