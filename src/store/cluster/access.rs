//! Which user PostgreSQL runs as, and whether that user can reach its directory. PostgreSQL refuses to be root, so a
//! server that is root hands the cluster to an unprivileged user; what lies above the data directory belongs to someone
//! else and is never changed.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid, User};

use super::error::ClusterError;

/// The user that PostgreSQL's processes run as.
#[derive(Debug, Clone)]
pub struct RunAs {
    /// Name of the user that this server runs as, for the peer map.
    pub server_user: String,
    /// Set when this server is root and PostgreSQL must not be.
    pub drop_to: Option<User>,
}

impl RunAs {
    /// As root: `unprivileged`; otherwise whoever we are.
    ///
    /// # Errors
    /// [`ClusterError::NoUser`] when either has no entry in the user database: PostgreSQL needs a name for both.
    pub fn resolve(unprivileged: &str) -> Result<Self, ClusterError> {
        let me = Uid::effective();
        let server_user = User::from_uid(me)
            .ok()
            .flatten()
            .ok_or_else(|| ClusterError::NoUser(format!("user number {me} has no entry in the user database, and PostgreSQL needs its name: add one with useradd")))?
            .name;
        if !me.is_root() {
            return Ok(Self {
                server_user,
                drop_to: None,
            });
        }
        let user = User::from_name(unprivileged).ok().flatten().ok_or_else(|| {
            ClusterError::NoUser(format!("started as root, PostgreSQL must run as the user `{unprivileged}`, which does not exist: create it with useradd --system {unprivileged}"))
        })?;
        if user.uid.is_root() {
            return Err(ClusterError::NoUser(
                "PostgreSQL refuses to run as root: name an unprivileged user".to_owned(),
            ));
        }
        Ok(Self {
            server_user,
            drop_to: Some(user),
        })
    }

    /// Hands `path` to the user that PostgreSQL runs as.
    ///
    /// # Errors
    /// [`ClusterError::Io`].
    pub fn give(&self, path: &Path) -> Result<(), ClusterError> {
        let Some(user) = &self.drop_to else {
            return Ok(());
        };
        std::os::unix::fs::chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
            .map_err(ClusterError::io("change the owner of", path))
    }

    /// As root: makes sure that PostgreSQL's user gets as far as `root`, the canonical data directory.
    ///
    /// # Errors
    /// [`ClusterError::Unreachable`], naming the topmost directory in the way; [`ClusterError::Io`].
    pub fn make_reachable(&self, root: &Path) -> Result<(), ClusterError> {
        if let Some(user) = &self.drop_to {
            // The directory itself was given to us: open it for passing through (not for reading). What lies above
            // belongs to someone else and is never changed.
            let meta = fs::metadata(root).map_err(ClusterError::io("look at", root))?;
            if !may_enter(&meta, user.uid, user.gid) && meta.uid() == Uid::effective().as_raw() {
                fs::set_permissions(root, Permissions::from_mode(meta.mode() & 0o7777 | 0o011))
                    .map_err(ClusterError::io("change the mode of", root))?;
            }
            if let Some(blocked) = first_blocked(root, user.uid, user.gid)? {
                return Err(ClusterError::Unreachable {
                    user: user.name.clone(),
                    blocked,
                });
            }
        }
        Ok(())
    }
}

/// Whether a user may pass through a directory, by its mode bits.
fn may_enter(meta: &fs::Metadata, uid: Uid, gid: Gid) -> bool {
    let bit = if meta.uid() == uid.as_raw() {
        0o100
    } else if meta.gid() == gid.as_raw() {
        0o010
    } else {
        0o001
    };
    meta.mode() & bit != 0
}

/// The topmost directory on the way to `path`, itself included, that a user may not pass through.
fn first_blocked(path: &Path, uid: Uid, gid: Gid) -> Result<Option<PathBuf>, ClusterError> {
    let mut way: Vec<&Path> = path.ancestors().collect();
    way.reverse();
    for dir in way {
        let meta = fs::metadata(dir).map_err(ClusterError::io("look at", dir))?;
        if !may_enter(&meta, uid, gid) {
            return Ok(Some(dir.to_owned()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topmost_directory_that_stops_a_user_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        let closed = dir.path().join("closed");
        fs::create_dir_all(closed.join("open")).unwrap();
        fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
        let nobody = (Uid::from_raw(65_534), Gid::from_raw(65_534));
        let blocked = first_blocked(&closed.join("open"), nobody.0, nobody.1).unwrap();
        assert_eq!(blocked, Some(closed));
    }
}
