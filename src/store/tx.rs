//! The one way for a request to reach the application's pool: a transaction whose first statement says who is asking.
//! Row-level security reads it; without it every table is empty.

use sqlx::{AssertSqlSafe, PgPool, Postgres};

use super::error::StoreError;
use crate::crypto::digest::Digest;
use crate::domain::actor::ActorKind;
use crate::domain::ids::{ActorId, ContextId};

/// A transaction.
pub type Transaction = sqlx::Transaction<'static, Postgres>;

/// Whose rows a transaction may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// The context.
    pub ctx: ContextId,
    /// The actor.
    pub actor: ActorId,
    /// What it is: a coordinator sees its whole context.
    pub kind: ActorKind,
}

/// Begins a transaction as a tenant.
///
/// # Errors
/// [`StoreError`] when the database cannot be reached.
pub async fn begin(pool: &PgPool, tenant: &Tenant) -> Result<Transaction, StoreError> {
    let (ctx, actor) = (tenant.ctx.as_str(), tenant.actor.as_str());
    begin_as(pool, [ctx, actor, tenant.kind.as_str(), ""]).await
}

/// Begins a transaction that can see one thing: the device with this certificate key.
///
/// # Errors
/// [`StoreError`] when the database cannot be reached.
pub async fn begin_for_certificate(
    pool: &PgPool,
    spki: &Digest,
) -> Result<Transaction, StoreError> {
    begin_as(pool, ["", "", "", &hex(spki)]).await
}

fn hex(digest: &Digest) -> String {
    let digits = digest.as_bytes().iter().map(|byte| format!("{byte:02x}"));
    digits.collect()
}

/// Begins and says who asks in one message to the database: this stands before every read of every request.
async fn begin_as(pool: &PgPool, names: [&str; 4]) -> Result<Transaction, StoreError> {
    Ok(pool.begin_with(AssertSqlSafe(opening(names)?)).await?)
}

/// Such a message takes no arguments: the names stand in its text. They are of letters, digits and a few signs; whatever they
/// came from, nothing else goes in.
fn opening(names: [&str; 4]) -> Result<String, StoreError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !names.iter().all(|name| name.chars().all(plain)) {
        return Err(StoreError::Decode("a name".to_owned()));
    }
    let [ctx, actor, kind, spki] = names;
    Ok(format!(
        "BEGIN; SELECT set_config('hn.ctx', '{ctx}', true), set_config('hn.actor', '{actor}', true), \
         set_config('hn.kind', '{kind}', true), set_config('hn.spki', '{spki}', true)"
    ))
}

#[cfg(test)]
mod tests {
    use super::opening;

    #[test]
    fn nothing_but_names_goes_into_the_text_of_a_message() {
        let said = opening(["yem", "msf", "organisation", ""]).unwrap();
        assert!(said.contains("'hn.actor', 'msf', true"), "{said}");
        for odd in [
            "m'sf", "msf\\", "msf;", "ms f", "msf\n", "msf\0", "msf$1", "мсф", "msf’", "--'",
        ] {
            for place in 0..4 {
                let mut names = ["yem", "msf", "organisation", "00ff"];
                names[place] = odd;
                assert!(opening(names).is_err(), "{odd:?} at {place}");
            }
        }
    }
}
