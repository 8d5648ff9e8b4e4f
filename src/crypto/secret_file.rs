//! Files that only their owner may read: written whole or not at all, and refused when others could have read them,
//! because a key that others could read is no longer a secret.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

/// Longest secret file in bytes.
pub const MAX_SECRET_FILE_BYTES: u64 = 64 * 1024;

/// What is wrong with a secret file.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// It is not there.
    #[error("{0} does not exist")]
    Missing(PathBuf),
    /// It is there already and is not to be replaced.
    #[error("{0} exists already and is left as it is")]
    Exists(PathBuf),
    /// Group or others may read it.
    #[error(
        "{path} can be read by others (mode {mode:04o}): make a new key if they may have read it, else run `chmod 600 {path}`"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Group or others may write into a directory that holds secret files.
    #[error(
        "others may write into {path} (mode {mode:04o}), and put keys or pins of their own there: look whether what stands in it is yours, then run `chmod go-w {path}`"
    )]
    OpenDirectory {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Group or others may write into a file that no stranger may change.
    #[error(
        "others may write into {path} (mode {mode:04o}), and may have put pins or records of their own there: look whether what stands in it is yours, then run `chmod go-w {path}`"
    )]
    Writable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A directory, a device or a pipe.
    #[error("{0} is not a regular file")]
    NotAFile(PathBuf),
    /// Too long to be a key.
    #[error("{0} is longer than {MAX_SECRET_FILE_BYTES} bytes: it is not a key file")]
    TooLong(PathBuf),
    /// The system refused.
    #[error("{path} could not be {doing}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

fn io_error(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> SecretFileError {
    let path = path.to_owned();
    move |source| SecretFileError::Io {
        path,
        doing,
        source,
    }
}

/// Makes a directory, with those above it, that only its owner may enter. One that exists is left as it is.
///
/// # Errors
/// [`SecretFileError::Io`].
pub fn create_dir(path: &Path) -> Result<(), SecretFileError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(io_error(path, "made"))
}

/// Refuses a directory into which anyone but its owner may write: whoever may, can put files of their own in the place of
/// secret ones. One that is not there yet is left to whoever makes it.
///
/// # Errors
/// [`SecretFileError::OpenDirectory`] and [`SecretFileError::Io`].
pub fn check_dir(path: &Path) -> Result<(), SecretFileError> {
    let mode = match fs::metadata(path) {
        Ok(meta) => meta.permissions().mode() & 0o7777,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error(path, "looked at")(error)),
    };
    if mode & 0o022 == 0 {
        return Ok(());
    }
    Err(SecretFileError::OpenDirectory {
        path: path.to_owned(),
        mode,
    })
}

/// Refuses what anyone but its owner may write into; `meta` is the opened file's.
///
/// # Errors
/// [`SecretFileError::Writable`].
pub fn check_mode(meta: &fs::Metadata, path: &Path) -> Result<(), SecretFileError> {
    let mode = meta.permissions().mode() & 0o7777;
    if mode & 0o022 == 0 {
        return Ok(());
    }
    Err(SecretFileError::Writable {
        path: path.to_owned(),
        mode,
    })
}

/// Writes a new secret file with mode 0600; what stands there already is left as it is.
///
/// # Errors
/// [`SecretFileError::Exists`] and [`SecretFileError::Io`]. After an error the file is either whole or not there.
pub fn create(path: &Path, secret: &[u8]) -> Result<(), SecretFileError> {
    let written = write_beside(path, secret)?;
    written
        .persist_noclobber(path)
        .map_err(|e| match e.error.kind() {
            io::ErrorKind::AlreadyExists => SecretFileError::Exists(path.to_owned()),
            _ => io_error(path, "put in place")(e.error),
        })?;
    sync_dir_of(path)
}

/// Writes a secret file with mode 0600, in place of one that may stand there.
///
/// # Errors
/// [`SecretFileError::Io`]. After an error either the old file or the new one is there, whole.
pub fn replace(path: &Path, secret: &[u8]) -> Result<(), SecretFileError> {
    write_beside(path, secret)?
        .persist(path)
        .map_err(|e| io_error(path, "put in place")(e.error))?;
    sync_dir_of(path)
}

/// Writes `length` zeros over a secret file, in its place on the disk, as far as the file system writes in place.
///
/// # Errors
/// [`SecretFileError::Io`].
pub fn wipe(path: &Path, length: usize) -> Result<(), SecretFileError> {
    let mut file = OpenOptions::new()
        .write(true)
        .open(path)
        .map_err(io_error(path, "opened"))?;
    file.write_all(&vec![0; length])
        .map_err(io_error(path, "written over"))?;
    file.sync_all().map_err(io_error(path, "brought to disk"))
}

/// Reads a secret file that nobody but its owner may read. The mode is taken from the opened file, so that it cannot be
/// swapped in between.
///
/// # Errors
/// [`SecretFileError`].
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    // Without blocking: a pipe put in the file's place must not hold the server up.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK)
        .open(path)
        .map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => SecretFileError::Missing(path.to_owned()),
            _ => io_error(path, "opened")(e),
        })?;
    let meta = file.metadata().map_err(io_error(path, "looked at"))?;
    if !meta.is_file() {
        return Err(SecretFileError::NotAFile(path.to_owned()));
    }
    let mode = meta.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SecretFileError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    if meta.len() > MAX_SECRET_FILE_BYTES {
        return Err(SecretFileError::TooLong(path.to_owned()));
    }
    // Room for all of it at once: a vector that grows leaves copies of the secret behind.
    let mut secret = Zeroizing::new(Vec::with_capacity(
        usize::try_from(meta.len()).unwrap_or(0) + 1,
    ));
    file.take(meta.len())
        .read_to_end(&mut secret)
        .map_err(io_error(path, "read"))?;
    Ok(secret)
}

fn parent(path: &Path) -> &Path {
    path.parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// A temporary file beside `path`, mode 0600, written and on disk.
fn write_beside(path: &Path, secret: &[u8]) -> Result<NamedTempFile, SecretFileError> {
    let mut file = tempfile::Builder::new()
        .prefix(".secret-")
        .permissions(fs::Permissions::from_mode(0o600))
        .tempfile_in(parent(path))
        .map_err(io_error(path, "made"))?;
    file.write_all(secret).map_err(io_error(path, "written"))?;
    file.as_file()
        .sync_all()
        .map_err(io_error(path, "brought to disk"))?;
    Ok(file)
}

/// Brings the directory to disk, so that the file's name survives a power cut.
fn sync_dir_of(path: &Path) -> Result<(), SecretFileError> {
    File::open(parent(path))
        .and_then(|dir| dir.sync_all())
        .map_err(io_error(path, "brought to disk"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("there").permissions().mode() & 0o777
    }

    #[test]
    fn a_secret_is_written_for_its_owner_only_and_read_back() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.key");
        create(&path, b"one").expect("written");
        assert_eq!(
            (mode(&path), read(&path).expect("own").as_slice()),
            (0o600, &b"one"[..])
        );
        assert!(matches!(
            create(&path, b"two"),
            Err(SecretFileError::Exists(_))
        ));
        assert_eq!(read(&path).expect("own").as_slice(), b"one");
        replace(&path, b"three").expect("replaced");
        assert_eq!(
            (mode(&path), read(&path).expect("own").as_slice()),
            (0o600, &b"three"[..])
        );
        let names = fs::read_dir(dir.path()).expect("readable").count();
        assert_eq!(names, 1, "no temporary file is left");
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused_saying_what_to_do() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.key");
        create(&path, b"one").expect("written");
        for bad in [0o640, 0o604, 0o660, 0o601, 0o777] {
            fs::set_permissions(&path, fs::Permissions::from_mode(bad)).expect("own file");
            let error = read(&path).expect_err("exposed");
            assert!(
                matches!(error, SecretFileError::Exposed { mode, .. } if mode == bad),
                "{error}"
            );
            assert!(
                error
                    .to_string()
                    .contains(&format!("chmod 600 {}", path.display())),
                "{error}"
            );
        }
        for good in [0o600, 0o400] {
            fs::set_permissions(&path, fs::Permissions::from_mode(good)).expect("own file");
            assert!(read(&path).is_ok());
        }
    }

    #[test]
    fn a_directory_that_others_may_write_into_is_refused_saying_what_to_do() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("profile");
        check_dir(&path).expect("it will be made");
        create_dir(&path).expect("made");
        for bad in [0o777, 0o770, 0o720, 0o702, 0o1777] {
            fs::set_permissions(&path, fs::Permissions::from_mode(bad)).expect("own");
            let said = check_dir(&path).expect_err("open to others").to_string();
            assert!(
                said.contains(&format!("chmod go-w {}", path.display())),
                "{said}"
            );
        }
        for good in [0o700, 0o711, 0o755] {
            fs::set_permissions(&path, fs::Permissions::from_mode(good)).expect("own");
            check_dir(&path).expect("its owner's alone to write");
        }
    }

    #[test]
    fn what_is_no_secret_file_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(matches!(
            read(&dir.path().join("none")),
            Err(SecretFileError::Missing(_))
        ));
        assert!(matches!(
            read(dir.path()),
            Err(SecretFileError::NotAFile(_))
        ));
        let long = dir.path().join("long");
        create(&long, &vec![0; 64 * 1024 + 1]).expect("written");
        assert!(matches!(read(&long), Err(SecretFileError::TooLong(_))));
        let none = dir.path().join("no").join("a.key");
        assert!(matches!(
            create(&none, b"x"),
            Err(SecretFileError::Io { .. })
        ));
        let inner = dir.path().join("x").join("y");
        create_dir(&inner).expect("made");
        assert_eq!(mode(&inner), 0o700);
        create_dir(&inner).expect("there already");
    }
}
