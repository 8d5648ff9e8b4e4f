//! A database for one test: a copy of the migrated template, dropped again at the end.

use std::sync::atomic::{AtomicU32, Ordering};

use herald::store::endpoint::Endpoint;
use herald::store::pool::{PoolBounds, Pools};
use herald::store::role::Role;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use super::server::shared_server;

/// A fresh, migrated database of its own. Dropped (with whatever sessions are left on it) when the value is.
pub struct TestDb {
    server: Endpoint,
    name: String,
}

impl TestDb {
    /// Copies the template: about 30 ms.
    pub async fn new() -> Self {
        let server = shared_server().await;
        Self::create(&format!("TEMPLATE {}", server.template)).await
    }

    /// A database with PostGIS and without our schema.
    pub async fn unmigrated() -> Self {
        Self::create("TEMPLATE herald").await
    }

    async fn create(how: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let shared = shared_server().await;
        let (server, strategy) = (shared.endpoint.clone(), shared.strategy);
        let name = format!(
            "t_{}_{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let mut admin = PgConnection::connect_with(&server.options(Role::Admin))
            .await
            .unwrap();
        for sql in [
            format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            format!("CREATE DATABASE {name} {how} {strategy}"),
        ] {
            admin.execute(AssertSqlSafe(sql)).await.unwrap();
        }
        admin.close().await.unwrap();
        Self { server, name }
    }

    /// How to reach it.
    pub fn endpoint(&self) -> Endpoint {
        self.server.with_database(&self.name)
    }

    /// Its URL, for a program that is given one (`--database-url`, `pg_dump`): logs in as the superuser.
    pub async fn url(&self) -> String {
        let socket_dir = shared_server()
            .await
            .socket_dir
            .to_str()
            .unwrap()
            .replace('/', "%2F");
        format!("postgresql://{}@{socket_dir}/{}", Role::Admin, self.name)
    }

    /// Pools with the server's own bounds.
    pub async fn pools(&self) -> Pools {
        Pools::open(&self.endpoint(), &PoolBounds::default())
            .await
            .unwrap()
    }

    /// One session as `role`. As [`Role::Admin`] it sees everything: for looking at what a test did, not for doing it.
    pub async fn connect(&self, role: Role) -> PgConnection {
        PgConnection::connect_with(&self.endpoint().options(role))
            .await
            .unwrap()
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // The test's own runtime may be single-threaded and is busy dropping us.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let mut admin = PgConnection::connect_with(&server.options(Role::Admin))
                    .await
                    .unwrap();
                let sql = format!("DROP DATABASE {name} WITH (FORCE)");
                admin.execute(AssertSqlSafe(sql)).await.unwrap();
            });
        })
        .join();
        assert!(
            dropped.is_ok() || std::thread::panicking(),
            "the test's database could not be dropped"
        );
    }
}
