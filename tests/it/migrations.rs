//! The schema: applied once, refused when newer, owned by nobody who logs in, closed to everyone else.

use std::borrow::Cow;

use herald::store::endpoint::Endpoint;
use herald::store::error::StoreError;
use herald::store::migrate;
use herald::store::pool::{PoolBounds, Pools};
use herald::store::role::Role;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Executor as _};

use crate::support::TestDb;

#[tokio::test]
async fn migrations_apply_once_and_then_change_nothing() {
    let db = TestDb::unmigrated().await;
    let all = migrate::migrator().iter().count();
    assert_eq!(migrate::run(&db.endpoint()).await.unwrap(), all);
    assert_eq!(migrate::run(&db.endpoint()).await.unwrap(), 0);
}

#[tokio::test]
async fn two_nodes_that_start_at_once_migrate_once() {
    let db = TestDb::unmigrated().await;
    let endpoint = db.endpoint();
    let (one, two) = tokio::join!(migrate::run(&endpoint), migrate::run(&endpoint));
    one.unwrap();
    two.unwrap();
    let mut admin = db.connect(Role::Admin).await;
    let applied: i64 = sqlx::query_scalar("SELECT count(*) FROM hn._sqlx_migrations")
        .fetch_one(&mut admin)
        .await
        .unwrap();
    assert_eq!(
        usize::try_from(applied).unwrap(),
        migrate::migrator().iter().count()
    );
}

#[tokio::test]
async fn databases_of_one_server_create_the_shared_roles_at_the_same_time() {
    let (one, two, three) = tokio::join!(
        TestDb::unmigrated(),
        TestDb::unmigrated(),
        TestDb::unmigrated()
    );
    let (a, b, c) = (one.endpoint(), two.endpoint(), three.endpoint());
    let (a, b, c) = tokio::join!(migrate::run(&a), migrate::run(&b), migrate::run(&c));
    for result in [a, b, c] {
        result.unwrap();
    }
}

#[tokio::test]
async fn a_schema_that_a_newer_version_migrated_is_refused() {
    let db = TestDb::new().await;
    let mut migrations: Vec<Migration> = migrate::migrator().iter().cloned().collect();
    let known = migrations.iter().map(|m| m.version).max().unwrap();
    let sql = sqlx::SqlStr::from_static("SELECT 1");
    migrations.push(Migration::new(
        99_991_231_000_000,
        Cow::Borrowed("later"),
        MigrationType::Simple,
        sql,
        false,
    ));
    let mut newer: Migrator = migrate::migrator();
    newer.migrations = Cow::Owned(migrations);
    assert_eq!(migrate::run_with(&db.endpoint(), &newer).await.unwrap(), 1);

    let error = migrate::run(&db.endpoint()).await.unwrap_err();
    assert_eq!(
        error,
        StoreError::SchemaNewer {
            found: 99_991_231_000_000,
            known
        }
    );
}

#[tokio::test]
async fn nobody_logs_in_as_an_owner_and_only_the_matcher_passes_row_level_security() {
    let db = TestDb::new().await;
    let mut admin = db.connect(Role::Admin).await;
    let roles: Vec<(String, bool, bool, bool)> = sqlx::query_as(
        "SELECT rolname::text, rolcanlogin, rolbypassrls, rolsuper FROM pg_roles WHERE rolname LIKE 'hn\\_%' ORDER BY 1",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    let expected = [
        ("hn_app", true, false, false),
        ("hn_intake", true, false, false),
        ("hn_matcher", false, true, false),
        ("hn_owner", false, false, false),
        ("hn_worker", true, false, false),
    ];
    assert_eq!(
        roles,
        expected.map(|(name, login, bypass, superuser)| (
            name.to_owned(),
            login,
            bypass,
            superuser
        ))
    );
}

#[tokio::test]
async fn everything_belongs_to_the_owner_and_nothing_to_everyone() {
    let db = TestDb::new().await;
    let mut admin = db.connect(Role::Admin).await;
    let strangers: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
         WHERE c.relnamespace = 'hn'::regnamespace AND r.rolname <> 'hn_owner' AND c.relname NOT LIKE '\\_sqlx\\_migrations%'
         UNION ALL
         SELECT p.proname::text FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
         WHERE p.pronamespace = 'hn'::regnamespace AND r.rolname NOT IN ('hn_owner', 'hn_matcher')",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    assert_eq!(strangers, Vec::<String>::new(), "not owned by hn_owner");
    let public: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c, aclexplode(c.relacl) a
         WHERE c.relnamespace = 'hn'::regnamespace AND a.grantee = 0
         UNION ALL
         SELECT p.proname::text FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
         WHERE p.pronamespace = 'hn'::regnamespace AND a.grantee = 0
         UNION ALL
         SELECT 'schema' FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname = 'hn' AND a.grantee = 0",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    assert_eq!(public, Vec::<String>::new(), "granted to PUBLIC");
}

#[tokio::test]
async fn a_request_cannot_create_anything_in_the_database() {
    let db = TestDb::new().await;
    let mut app = db.connect(Role::App).await;
    for sql in [
        "CREATE TABLE hn.mine ()",
        "CREATE TABLE public.mine ()",
        "CREATE SCHEMA mine",
        "SET ROLE hn_owner",
    ] {
        let error = StoreError::from(app.execute(sql).await.unwrap_err());
        assert_eq!(error, StoreError::Forbidden, "{sql}");
    }
}

#[tokio::test]
async fn a_refused_row_names_the_constraint_and_repeats_no_value() {
    let db = TestDb::new().await;
    let mut admin = db.connect(Role::Admin).await;
    let sql = "CREATE TABLE hn.t (v text, CONSTRAINT t_v_key UNIQUE (v)); INSERT INTO hn.t VALUES ('68.8690')";
    admin.execute(sql).await.unwrap();
    let error = StoreError::from(
        admin
            .execute("INSERT INTO hn.t VALUES ('68.8690')")
            .await
            .unwrap_err(),
    );
    assert!(error.violates("t_v_key"), "{error}");
    assert!(!format!("{error} {error:?}").contains("68.8"));
    let error = StoreError::from(admin.execute("SELECT '68.8690'::uuid").await.unwrap_err());
    assert!(!format!("{error} {error:?}").contains("68.8"));
}

#[tokio::test]
async fn each_pool_is_its_own_role_with_bounded_statements() {
    let db = TestDb::new().await;
    let pools = db.pools().await;
    for (pool, name) in [
        (&pools.app, "hn_app"),
        (&pools.intake, "hn_intake"),
        (&pools.worker, "hn_worker"),
    ] {
        let (user, timeout): (String, String) =
            sqlx::query_as("SELECT current_user::text, current_setting('statement_timeout')")
                .fetch_one(pool)
                .await
                .unwrap();
        assert_eq!(user, name);
        assert_ne!(timeout, "0");
    }
    let error = StoreError::from(
        sqlx::query("SELECT pg_sleep(30)")
            .execute(&pools.app)
            .await
            .unwrap_err(),
    );
    assert_eq!(error, StoreError::Timeout);
    pools.close().await;
}

#[tokio::test]
async fn on_a_database_given_by_url_each_pool_takes_on_its_role() {
    let db = TestDb::new().await;
    let endpoint = Endpoint::external(&db.url().await).unwrap();
    let pools = Pools::open(&endpoint, &PoolBounds::default())
        .await
        .unwrap();
    for (pool, name) in [
        (&pools.app, "hn_app"),
        (&pools.intake, "hn_intake"),
        (&pools.worker, "hn_worker"),
    ] {
        let (current, session): (String, String) =
            sqlx::query_as("SELECT current_user::text, session_user::text")
                .fetch_one(pool)
                .await
                .unwrap();
        assert_eq!((current.as_str(), session.as_str()), (name, "herald_admin"));
    }
    pools.close().await;
}

/// A role of someone else's server: no superuser, owner of its database. It is created once for all tests.
async fn as_their_owner(db: &TestDb, granted: bool) -> Endpoint {
    let name = if granted { "t_granted" } else { "t_bare" };
    let mut admin = db.connect(Role::Admin).await;
    let create = format!(
        "DO $$ BEGIN CREATE ROLE {name} NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    );
    admin.execute(AssertSqlSafe(create)).await.unwrap();
    if granted {
        let grant = format!("GRANT hn_owner, hn_app, hn_intake, hn_worker, hn_matcher TO {name}");
        admin.execute(AssertSqlSafe(grant)).await.unwrap();
    }
    let own = format!(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I OWNER TO {name}', current_database()); END $$"
    );
    admin.execute(AssertSqlSafe(own)).await.unwrap();
    Endpoint::external(&format!("{}?options=-c%20role%3D{name}", db.url().await)).unwrap()
}

#[tokio::test]
async fn a_database_owner_who_is_no_superuser_can_migrate_once_the_roles_are_granted() {
    let db = TestDb::unmigrated().await;
    let theirs = as_their_owner(&db, true).await;
    assert_eq!(
        migrate::run(&theirs).await.unwrap(),
        migrate::migrator().iter().count()
    );
    assert_eq!(migrate::run(&theirs).await.unwrap(), 0);
}

#[tokio::test]
async fn a_database_owner_who_lacks_the_roles_is_told_what_to_do() {
    let db = TestDb::unmigrated().await;
    let theirs = as_their_owner(&db, false).await;
    let error = migrate::run(&theirs).await.unwrap_err();
    assert_eq!(error, StoreError::NoRoles);
    assert!(error.to_string().contains("as a superuser"));
}
