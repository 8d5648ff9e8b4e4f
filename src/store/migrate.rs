//! Brings the schema up to this version at start, or refuses. The migrations are part of the binary; each runs in its
//! own transaction together with its record, under an advisory lock, so that several nodes may start at once. They go
//! forward only: a database that a newer version migrated is refused before anything is changed.

use std::borrow::Cow;

use sqlx::migrate::Migrator;
use sqlx::{Connection as _, Executor as _, PgConnection};

use super::endpoint::Endpoint;
use super::error::StoreError;
use super::role::Role;

/// The schema that everything of ours stands in.
const SCHEMA: &str = "hn";

/// Where sqlx records what was applied.
const RECORD: &str = "hn._sqlx_migrations";

/// The migration that creates the roles.
const CREATE_ROLES: i64 = 20_261_101_000_000;

/// How long to wait for another node's migration (milliseconds).
const LOCK_TIMEOUT_MS: u32 = 60_000;

/// The migrations of this binary.
#[must_use]
pub fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!("./migrations");
    migrator.create_schemas = Cow::Borrowed(&[Cow::Borrowed(SCHEMA)]);
    migrator.table_name = Cow::Borrowed(RECORD);
    migrator
}

/// Applies what is missing. Says how many migrations it applied.
///
/// # Errors
/// [`StoreError::SchemaNewer`], [`StoreError::SchemaDiffers`], [`StoreError::Migration`], or that the database is not
/// available.
pub async fn run(endpoint: &Endpoint) -> Result<usize, StoreError> {
    run_with(endpoint, &migrator()).await
}

/// As [`run`], with other migrations than the binary's own.
///
/// # Errors
/// As [`run`].
pub async fn run_with(endpoint: &Endpoint, migrator: &Migrator) -> Result<usize, StoreError> {
    let options = endpoint
        .options(Role::Admin)
        .options([("lock_timeout", LOCK_TIMEOUT_MS)]);
    let mut connection = PgConnection::connect_with(&options).await?;
    ensure_postgis(&mut connection).await?;
    let before = applied(&mut connection).await?;
    let known = migrator
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0);
    if let Some(&found) = before.iter().max().filter(|&&found| found > known) {
        return Err(StoreError::SchemaNewer { found, known });
    }
    // Takes the lock and reads the record again under it.
    migrator.run(&mut connection).await.map_err(explain)?;
    let after = applied(&mut connection).await?;
    connection.close().await?;
    Ok(after.len().saturating_sub(before.len()))
}

/// Creates the PostGIS extension where it is missing.
///
/// # Errors
/// [`StoreError::NoPostgis`] where that takes a superuser and we are none.
pub(super) async fn ensure_postgis(connection: &mut PgConnection) -> Result<(), StoreError> {
    let there: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'postgis')",
    )
    .fetch_one(&mut *connection)
    .await?;
    if there {
        return Ok(());
    }
    match connection
        .execute("CREATE EXTENSION IF NOT EXISTS postgis")
        .await
        .map_err(StoreError::from)
    {
        Ok(_) => Ok(()),
        // 0A000, 58P01: the server does not have its files.
        Err(StoreError::Forbidden) => Err(StoreError::NoPostgis),
        Err(StoreError::Database(code)) if code == "0A000" || code == "58P01" => {
            Err(StoreError::NoPostgis)
        }
        Err(error) => Err(error),
    }
}

/// Says what to do where the first migration may not create the roles.
fn explain(error: sqlx::migrate::MigrateError) -> StoreError {
    match StoreError::from(error) {
        StoreError::Migration {
            version: CREATE_ROLES,
            cause,
        } if *cause == StoreError::Forbidden => StoreError::NoRoles,
        error => error,
    }
}

/// The versions that were applied; none where nothing was yet.
async fn applied(connection: &mut PgConnection) -> Result<Vec<i64>, StoreError> {
    let there: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(RECORD)
        .fetch_one(&mut *connection)
        .await?;
    if !there {
        return Ok(Vec::new());
    }
    Ok(
        sqlx::query_scalar("SELECT version FROM hn._sqlx_migrations ORDER BY version")
            .fetch_all(connection)
            .await?,
    )
}
