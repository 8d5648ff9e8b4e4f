//! `herald nudge` as a person uses it: set an address, send oneself a test, stand in for a colleague, and be rid of it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use herald::cli::exit::Exit;
use serde_json::json;

use super::World;
use crate::server::nudges::post::PostOffice;

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sets_an_address_tests_it_goes_on_leave_and_erases_it() {
    let post = PostOffice::open();
    let mut world = World::new().await;
    world.admitted("msf", "organisation").await;
    let nothing = world.words("msf", &["nudge"]).await;
    assert!(nothing.contains("You are not nudged"), "{nothing}");
    let unset = world.herald("msf", &["nudge", "back"]).await;
    assert_eq!(unset.exit, Exit::Refused);
    assert!(unset.err.contains("herald nudge --email"), "{}", unset.err);

    // The operator names a mail server.
    world.stop().await;
    let deployment = world.path("deployment");
    let private = |name: &str, said: &[u8]| {
        let path = deployment.join(name);
        fs::write(&path, said).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    };
    let said = serde_json::to_vec(&json!({"mail": post.config()})).unwrap();
    private("nudge.json", &said);
    private("smtp-password", b"correct horse\n");
    world.start().await;

    let args = [
        "nudge",
        "--email",
        "desk@msf.example",
        "--severity",
        "urgent",
    ];
    let set = world.words("msf", &args).await;
    assert!(set.contains("desk@msf.example"), "{set}");
    assert!(set.contains("for: urgent"), "{set}");
    let tested = world.words("msf", &["nudge", "test"]).await;
    assert!(tested.contains("handed over"), "{tested}");
    let mails = post.took(1).await;
    assert!(mails[0].header("To").contains("desk@msf.example"));

    // A colleague's device stands in, and says so; one's own cannot.
    let me = world.herald("msf", &["devices"]).await.json();
    let me = me["me"]["device"].as_str().unwrap().to_owned();
    let args = ["nudge", "leave", "--until", "2099-12-01", "--cover", &me];
    assert_eq!(world.herald("msf", &args).await.exit, Exit::Refused);
    let wrong = ["nudge", "--email", "no address"];
    assert_eq!(world.herald("msf", &wrong).await.exit, Exit::Usage);

    world.herald("msf", &["nudge", "--off"]).await.json();
    let nothing = world.words("msf", &["nudge"]).await;
    assert!(nothing.contains("You are not nudged"), "{nothing}");
    let off = world.herald("msf", &["nudge", "test"]).await;
    assert_ne!(off.exit, Exit::Ok);
    world.stop().await;
}
