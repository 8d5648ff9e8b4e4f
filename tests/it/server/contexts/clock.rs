//! The clock that drills move is the deployment's, so it moves only where every context is an exercise; and what starts is
//! exactly what the files say.

use herald::app::{Server, StartError};
use herald::domain::actor::Mode;
use herald::service::deployment::{self, DeploymentError};
use sqlx::Executor as _;

use super::super::World;
use super::super::devices::now;
use super::super::world::{PASSPHRASE, new_context};
use crate::support::{TestDb, scratch_dir};
use herald::store::role::Role as Database;

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_clock_is_served_to_exercises_alone() {
    let (db, dir) = (TestDb::new().await, scratch_dir());
    let config = World::configured(&db.url().await, dir.path(), |_| ());
    World::made(&config, &[("one", Mode::Exercise), ("two", Mode::Exercise)]);
    let mut admin = db.connect(Database::Admin).await;
    admin
        .execute("UPDATE hn.head SET ahead = interval '2 hours'")
        .await
        .unwrap();
    let server = Server::start(config.clone()).await.unwrap();
    assert_eq!(server.core.deployment.contexts.len(), 2);
    server.stop().await;

    let root = config.dir.join(deployment::ROOT);
    let add = |ctx, mode| {
        let new = new_context(ctx, mode);
        deployment::add_context(&config.dir, &root, &new, PASSPHRASE, now())
    };
    assert!(matches!(
        add("two", Mode::Live).err(),
        Some(DeploymentError::ContextExists(_))
    ));
    add("three", Mode::Live).unwrap();
    let refused = Server::start(config.clone()).await.err().unwrap();
    let StartError::TimeMoved { ctx, .. } = &refused else {
        panic!("{refused}");
    };
    assert_eq!(ctx.as_str(), "three");
    assert!(refused.to_string().contains("UPDATE hn.head"), "{refused}");
    admin
        .execute("UPDATE hn.head SET ahead = interval '0'")
        .await
        .unwrap();
    let server = Server::start(config.clone()).await.unwrap();
    assert_eq!(server.core.deployment.contexts.len(), 3);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_knows_other_contexts_than_the_files_is_not_served() {
    let (db, dir) = (TestDb::new().await, scratch_dir());
    let config = World::configured(&db.url().await, dir.path(), |_| ());
    World::made(&config, &[("one", Mode::Live), ("two", Mode::Exercise)]);
    Server::start(config.clone()).await.unwrap().stop().await;
    let mut admin = db.connect(Database::Admin).await;
    for (sql, back, words) in [
        (
            "INSERT INTO hn.context (ctx, mode, policy) VALUES ('three', 'live', '{}')",
            "DELETE FROM hn.context WHERE ctx = 'three'",
            "holds the context three",
        ),
        (
            "UPDATE hn.context SET mode = 'live' WHERE ctx = 'two'",
            "UPDATE hn.context SET mode = 'exercise' WHERE ctx = 'two'",
            "never turned from an exercise into live",
        ),
    ] {
        admin.execute(sql).await.unwrap();
        let refused = Server::start(config.clone()).await.err().unwrap();
        assert!(refused.to_string().contains(words), "{refused}");
        admin.execute(back).await.unwrap();
    }
    // Keys that were restored in each other's place.
    let keys = |ctx: &str| config.dir.join("keys/contexts").join(ctx).join("keys.jws");
    std::fs::copy(keys("one"), keys("two")).unwrap();
    let refused = Server::start(config.clone()).await.err().unwrap();
    assert!(
        refused.to_string().contains("another context's"),
        "{refused}"
    );
}
