//! The configuration files of the private cluster. They are written anew at every start, outside the cluster's own
//! directory, so that a new version's settings apply, a hand edit does not linger, and a server that runs as root
//! never writes into a directory that another user owns.

use std::fmt::Write as _;
use std::path::Path;

use super::Durability;
use crate::store::role::Role;

/// Connections that the cluster accepts: the pools' bounds, the migrator, and a few for a person with `psql`.
const MAX_CONNECTIONS: u32 = 64;

/// The same in tests, where many pools live side by side.
const MAX_CONNECTIONS_IN_TESTS: u32 = 240;

/// `postgresql.conf`.
///
/// Logging: statements, their values and their errors never reach the log, because they can hold places. What stays is
/// the server's own life (`log_min_messages = log` is above `error` in PostgreSQL's order), without details.
pub fn postgresql_conf(socket_dir: &Path, durability: Durability) -> String {
    let mut text = String::from("# Written by Herald at every start. Changes here are lost.\n");
    let socket_dir = quoted(&socket_dir.to_string_lossy());
    let mut set = |key: &str, value: &str| {
        // Writing to a String cannot fail.
        writeln!(text, "{key} = {value}").unwrap_or_default();
    };
    set("listen_addresses", "''");
    set("unix_socket_directories", &socket_dir);
    set("unix_socket_permissions", "0700");
    set("port", "5432");
    set("timezone", "'UTC'");
    set("log_timezone", "'UTC'");
    set("lc_messages", "'C'");
    set("jit", "off");
    // After a crash: one call for the whole file system instead of one for each of a thousand files.
    set("recovery_init_sync_method", "syncfs");
    set("max_wal_size", "'512MB'");
    set("wal_compression", "on");
    set("log_min_messages", "log");
    set("log_min_error_statement", "panic");
    set("log_error_verbosity", "terse");
    set("log_statement", "'none'");
    set("log_parameter_max_length", "0");
    set("log_parameter_max_length_on_error", "0");
    set("log_checkpoints", "off");
    set("log_line_prefix", "'%m [%p] '");
    match durability {
        Durability::Durable => {
            set("fsync", "on");
            set("synchronous_commit", "on");
            set("full_page_writes", "on");
            set("shared_buffers", "'128MB'");
            set("work_mem", "'8MB'");
            set("maintenance_work_mem", "'64MB'");
            set("max_connections", &MAX_CONNECTIONS.to_string());
        }
        Durability::FastForTests => {
            // With commits still handed to the operating system, `kill -9` loses nothing here either; a power cut may.
            set("fsync", "off");
            set("synchronous_commit", "on");
            set("full_page_writes", "off");
            set("wal_level", "minimal");
            set("max_wal_senders", "0");
            set("shared_buffers", "'64MB'");
            set("max_connections", &MAX_CONNECTIONS_IN_TESTS.to_string());
        }
    }
    text
}

/// `pg_hba.conf`: the Unix socket, the operating system's word for who is at its other end, and no other way in.
pub fn pg_hba_conf() -> &'static str {
    "# Written by Herald at every start.\nlocal all all peer map=herald\n"
}

/// `pg_ident.conf`: only the user that this server runs as may be one of [`Role::ALL`].
pub fn pg_ident_conf(os_user: &str) -> String {
    let mut text = String::from("# Written by Herald at every start.\n");
    for role in Role::ALL {
        writeln!(text, "herald \"{os_user}\" {role}").unwrap_or_default();
    }
    text
}

/// A string as a value of `postgresql.conf`.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_durable_cluster_syncs_and_listens_on_no_network() {
        let text = postgresql_conf(Path::new("/run/x"), Durability::Durable);
        for line in [
            "listen_addresses = ''",
            "fsync = on",
            "synchronous_commit = on",
            "full_page_writes = on",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}");
        }
    }

    #[test]
    fn a_quote_in_the_path_cannot_end_the_setting() {
        let text = postgresql_conf(Path::new("/srv/it's"), Durability::Durable);
        assert!(
            text.contains("unix_socket_directories = '/srv/it''s'\n"),
            "{text}"
        );
    }

    #[test]
    fn only_the_servers_own_user_maps_to_the_roles() {
        let text = pg_ident_conf("herald");
        assert_eq!(
            text.lines()
                .filter(|line| line.starts_with("herald \"herald\" "))
                .count(),
            Role::ALL.len()
        );
    }
}
