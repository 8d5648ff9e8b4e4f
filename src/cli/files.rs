//! Files that a person names: read with a bound, and only where they are files (a device has no end, and a pipe that nobody
//! writes to never answers); written for their owner alone, never through a link that somebody else may have laid there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Whether a pipe is read too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pipes {
    /// No: it is one of our own files, or must be read twice.
    Refused,
    /// Yes: somebody may pour into it what is read.
    Read,
}

/// Reads a whole file of at most `most` bytes.
///
/// # Errors
/// What the system says; of what is no file, or is longer, that it is so.
pub fn read(path: &Path, most: u64, pipes: Pipes) -> io::Result<Vec<u8>> {
    read_whole(open(path, pipes)?, most)
}

/// Reads an opened file whole.
///
/// # Errors
/// As [`read`].
pub fn read_whole(file: File, most: u64) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    if length > most {
        return Err(too_long(most));
    }
    up_to(file, most)
}

/// Reads standard input whole, at most `most` bytes.
///
/// # Errors
/// As [`read`].
pub fn read_stdin(most: u64) -> io::Result<Vec<u8>> {
    up_to(io::stdin().lock(), most)
}

/// Opens a file for reading: a regular one, or a pipe where pipes are read.
///
/// # Errors
/// As [`read`].
pub fn open(path: &Path, pipes: Pipes) -> io::Result<File> {
    let reads = |kind: fs::FileType| kind.is_fifo() && pipes == Pipes::Read;
    let mut options = OpenOptions::new();
    options.read(true);
    if !reads(fs::metadata(path)?.file_type()) {
        // Without waiting for whoever writes, should a pipe be put there meanwhile.
        options.custom_flags(nix::libc::O_NONBLOCK);
    }
    let file = options.open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() || reads(kind) {
        return Ok(file);
    }
    Err(io::Error::other("it is not a regular file"))
}

fn up_to(source: impl io::Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(too_long(most));
    }
    Ok(bytes)
}

fn too_long(most: u64) -> io::Error {
    io::Error::other(format!("it is longer than {most} bytes"))
}

/// A new, empty file for its owner alone (0600) under this name, in place of the regular file that may stand there. It is
/// made beside and then named, so that no link is written through and nobody who opened the old file reads the new one.
///
/// # Errors
/// What the system says; that a link, a device or a pipe stands there.
pub fn create_private(path: &Path) -> io::Result<File> {
    match fs::symlink_metadata(path) {
        Ok(meta) if !meta.is_file() => {
            return Err(io::Error::other(
                "a link, a directory, a device or a pipe stands there; name another file",
            ));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(_) | Err(_) => {}
    }
    // A bare file name has an empty parent, which no system opens.
    let dir = path
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let new = tempfile::Builder::new().prefix(".new-").tempfile_in(dir)?;
    Ok(new.persist(path)?)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use nix::sys::stat::Mode;

    use super::*;

    #[test]
    fn what_is_no_file_or_is_too_long_is_refused_and_nothing_hangs() {
        let dir = tempfile::tempdir().expect("a directory");
        let (pipe, file) = (dir.path().join("pipe"), dir.path().join("file"));
        nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).expect("a pipe");
        fs::write(&file, b"12345").expect("written");
        for path in [Path::new("/dev/zero"), &pipe, dir.path()] {
            assert!(read(path, 100, Pipes::Refused).is_err(), "{path:?}");
        }
        assert!(read(Path::new("/dev/zero"), 100, Pipes::Read).is_err());
        assert!(read(&file, 4, Pipes::Refused).is_err());
        assert_eq!(read(&file, 5, Pipes::Refused).expect("read"), b"12345");
    }

    #[test]
    fn a_pipe_that_may_be_read_is_read_up_to_the_bound() {
        let dir = tempfile::tempdir().expect("a directory");
        for (bytes, fits) in [(&b"12345"[..], true), (b"123456", false)] {
            let pipe = dir.path().join(format!("pipe{fits}"));
            nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).expect("a pipe");
            let to = pipe.clone();
            let writer = std::thread::spawn(move || {
                File::create(to)
                    .expect("opened")
                    .write_all(bytes)
                    .expect("taken");
            });
            assert_eq!(read(&pipe, 5, Pipes::Read).is_ok(), fits);
            writer.join().expect("written");
        }
    }

    #[test]
    fn a_new_file_is_its_owners_alone_and_no_link_is_written_through() {
        let dir = tempfile::tempdir().expect("a directory");
        let (target, link) = (dir.path().join("target"), dir.path().join("link"));
        fs::write(&target, b"theirs").expect("written");
        symlink(&target, &link).expect("laid");
        assert!(create_private(&link).is_err());
        assert!(create_private(Path::new("/dev/null")).is_err());
        fs::set_permissions(&target, fs::Permissions::from_mode(0o644)).expect("own");
        create_private(&target)
            .expect("made")
            .write_all(b"ours")
            .expect("written");
        assert_eq!(fs::read(&target).expect("read"), b"ours");
        let mode = fs::metadata(&target).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let names = fs::read_dir(dir.path()).expect("readable").count();
        assert_eq!(names, 2, "nothing is left beside");
    }
}
