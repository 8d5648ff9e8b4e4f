//! Fetches the contents of attachments: what came is kept, enciphered, until all of it is there, so that a broken line
//! costs what was on it and no more. Nothing is written in the clear before all of it has opened and is what its maker
//! said.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Method;
use reqwest::header::RANGE;
use zeroize::Zeroizing;

use super::api::{Api, ApiError, BULK};
use super::error::CliError;
use super::profile::{self, Profile, ProfileError};
use super::transfer::Transfer;
use crate::crypto::blob::{BlobKey, CHUNK_BYTES, blob_bytes};
use crate::crypto::digest::Digest;
use crate::crypto::secret_file::{self, SecretFileError};
use crate::wire::parts::{AttachmentPart, MediaType};

/// The folder in the profile.
const FOLDER: &str = "attachments";
/// Requests in a row that may bring nothing further.
const TRIES: u32 = 3;
/// The pause after the first of them; it doubles.
const PAUSE: Duration = Duration::from_millis(400);
/// The longest stem of a name that is written, in characters.
const STEM_MOST: usize = 60;

/// Fetches one attachment, and opens it.
///
/// # Errors
/// When it is not what its maker said, or the line breaks: then what came is kept, and the next call goes on behind it.
pub async fn fetch(
    profile: &Profile,
    api: &Api,
    part: &AttachmentPart,
) -> Result<Zeroizing<Vec<u8>>, CliError> {
    let size = usize::try_from(part.size).ok().and_then(blob_bytes);
    let key = BlobKey::from_b64url(&part.key);
    let (Some(size), Some(key), true) = (size, key, part.chunk as usize == CHUNK_BYTES) else {
        return Err(CliError::refused(
            "this attachment is described in a way that this program does not know",
            "Update the client; if it is current, tell whoever notified it.",
        ));
    };
    let folder = profile.path(FOLDER);
    secret_file::create_dir(&folder).map_err(ProfileError::from)?;
    let path = folder.join(format!("{}.part", part.blob));
    complete(api, &part.blob, size, &path).await?;
    let blob = profile::read_private(&path)?;
    let opened = open(&blob, &key, part);
    // Whole and right, it is written where it was asked for; whole and wrong, it is of no use.
    fs::remove_file(&path).map_err(profile::io_error(&path, "removed"))?;
    opened
}

fn open(blob: &[u8], key: &BlobKey, part: &AttachmentPart) -> Result<Zeroizing<Vec<u8>>, CliError> {
    let wrong = |why: String| {
        CliError::failed(
            format!("an attachment is not what its maker said: {why}"),
            "Nothing was written. Fetch it again; if it stays so, call whoever notified it on a number that you know.",
        )
    };
    if Digest::of(blob) != part.blob {
        return Err(wrong("its content came altered".to_owned()));
    }
    let text = key.open(blob).map_err(|error| wrong(error.to_string()))?;
    if Digest::of(&text) != part.sha256 || text.len() as u64 != part.size {
        return Err(wrong("its content is another file".to_owned()));
    }
    if MediaType::of_bytes(&text) != Some(part.media_type) {
        return Err(wrong(format!(
            "its content is no {}",
            part.media_type.as_str()
        )));
    }
    Ok(text)
}

/// Goes on with the file until it has `size` bytes.
async fn complete(api: &Api, digest: &Digest, size: usize, path: &Path) -> Result<(), CliError> {
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(nix::libc::O_NOFOLLOW)
        .open(path)
        .map_err(profile::io_error(path, "opened"))?;
    let length = |file: &File| -> Result<usize, CliError> {
        let length = file
            .metadata()
            .map_err(profile::io_error(path, "read"))?
            .len();
        Ok(usize::try_from(length).unwrap_or(usize::MAX))
    };
    if length(&file)? > size {
        file.set_len(0)
            .map_err(profile::io_error(path, "written"))?;
    }
    let (mut idle, mut pause) = (0, PAUSE);
    let mut transfer = api.transfer("fetching an attachment", length(&file)?, size);
    loop {
        let before = length(&file)?;
        if before == size {
            return Ok(file.sync_all().map_err(profile::io_error(path, "synced"))?);
        }
        match api
            .blob_from(digest, (before, size), path, &mut file, &mut transfer)
            .await
        {
            Ok(()) => {}
            Err(CliError::Api(error)) if error.is_temporary() => {
                if length(&file)? > before {
                    (idle, pause) = (0, PAUSE);
                }
                idle += 1;
                if idle >= TRIES {
                    return Err(error.into());
                }
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            Err(error) => return Err(error),
        }
    }
}

impl Api {
    /// Appends what follows `from` to a file as it comes.
    async fn blob_from(
        &self,
        digest: &Digest,
        (from, size): (usize, usize),
        path: &Path,
        file: &mut File,
        transfer: &mut Transfer,
    ) -> Result<(), CliError> {
        let request = self
            .request(Method::GET, &format!("/v1/blobs/{digest}"))
            .header(RANGE, format!("bytes={from}-"))
            .timeout(BULK);
        let mut response = request.send().await.map_err(|e| self.unreachable(&e))?;
        if response.status().as_u16() != 206 {
            // What stands against it comes with its reason; a server that ignores ranges is none of ours.
            let again = self.request(Method::GET, &format!("/v1/blobs/{digest}"));
            self.once(again.header(RANGE, format!("bytes={from}-")))
                .await?;
            return Err(other_answer(
                digest,
                "it sent another range than it was asked for",
            ));
        }
        let mut have = from;
        while let Some(chunk) = response.chunk().await.map_err(|e| self.unreachable(&e))? {
            have += chunk.len();
            if have > size {
                return Err(other_answer(digest, "it is longer than its maker said"));
            }
            file.write_all(&chunk)
                .map_err(profile::io_error(path, "written"))?;
            transfer.at(have);
        }
        if have == from {
            return Err(other_answer(digest, "it ends before its end"));
        }
        Ok(())
    }
}

fn other_answer(digest: &Digest, why: &str) -> CliError {
    ApiError::Answer {
        operation: format!("GET /v1/blobs/{digest}"),
        why: why.to_owned(),
    }
    .into()
}

/// A name that is fit for any folder: letters, digits, `-`, `_` and `.` of what its maker called it, with the extension of
/// what it is. It cannot lead elsewhere, hide, or be taken for another kind of file.
pub fn file_name(reference: &str, n: usize, part: &AttachmentPart) -> String {
    let stem = Path::new(&part.name)
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    let stem: String = stem
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || matches!(c, '-' | '_') {
                c
            } else {
                '_'
            }
        })
        .take(STEM_MOST)
        .collect();
    let extension = part.media_type.extensions().first().unwrap_or(&"bin");
    format!("{reference}-{n}-{stem}.{extension}")
}

/// Writes a file for its owner alone. What stands there already, a link included, is left as it is; gives whether it was
/// there with this very content.
///
/// # Errors
/// When something else stands there, or it cannot be written.
pub fn write(folder: &Path, name: &str, text: &[u8]) -> Result<(PathBuf, bool), CliError> {
    let path = folder.join(name);
    match secret_file::create(&path, text) {
        Ok(()) => Ok((path, false)),
        Err(SecretFileError::Exists(_)) => {
            let is_link = fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_symlink());
            let same = !is_link && fs::read(&path).is_ok_and(|there| there == text);
            if same {
                return Ok((path, true));
            }
            Err(CliError::refused(
                format!("{} is there already, and is another file", path.display()),
                "Move it away, or name another folder with --out.",
            ))
        }
        Err(error) => Err(CliError::failed(
            error.to_string(),
            "Free space or mend permissions, then repeat; what was fetched is fetched again.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn part(name: &str) -> AttachmentPart {
        AttachmentPart {
            name: name.to_owned(),
            media_type: MediaType::Jpeg,
            size: 3,
            sha256: Digest::of(&[0xff, 0xd8, 0xff]),
            blob: Digest::of(b""),
            key: BlobKey::generate().to_b64url(),
            chunk: 65_536,
        }
    }

    #[test]
    fn a_name_leads_nowhere_and_says_what_it_is() {
        for (given, expected) in [
            ("roof.jpg", "HN-2-1-roof.jpg"),
            ("../../etc/passwd", "HN-2-1-passwd.jpg"),
            ("..", "HN-2-1-.jpg"),
            ("/", "HN-2-1-.jpg"),
            (".profile", "HN-2-1-_profile.jpg"),
            ("a\\b\0c\u{202e}gpj.exe", "HN-2-1-a_b_c_gpj.jpg"),
            ("سطح المستشفى.png", "HN-2-1-سطح_المستشفى.jpg"),
            ("a;rm -rf $HOME.jpg", "HN-2-1-a_rm_-rf__HOME.jpg"),
        ] {
            assert_eq!(file_name("HN-2", 1, &part(given)), expected);
        }
        assert!(file_name("HN-2", 1, &part(&"x".repeat(255))).len() < 80);
    }

    #[test]
    fn what_stands_there_is_left_and_no_link_is_followed() {
        let dir = tempfile::tempdir().expect("a directory");
        let elsewhere = dir.path().join("elsewhere");
        let (path, there) = write(dir.path(), "a.jpg", b"one").expect("written");
        assert!(!there);
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(write(dir.path(), "a.jpg", b"one").expect("the same").1);
        assert!(write(dir.path(), "a.jpg", b"two").is_err());
        assert_eq!(fs::read(&path).expect("read"), b"one");
        std::os::unix::fs::symlink(&elsewhere, dir.path().join("b.jpg")).expect("linked");
        assert!(write(dir.path(), "b.jpg", b"one").is_err());
        assert!(!elsewhere.exists());
        fs::write(&elsewhere, b"one").expect("written");
        assert!(
            write(dir.path(), "b.jpg", b"one").is_err(),
            "nor read through"
        );
    }

    #[test]
    fn a_content_that_is_not_what_was_said_is_not_given_out() {
        let key = BlobKey::generate();
        let jpeg = [0xff, 0xd8, 0xff];
        let blob = key.seal(&jpeg).expect("sealed");
        let good = AttachmentPart {
            blob: Digest::of(&blob),
            key: key.to_b64url(),
            ..part("roof.jpg")
        };
        assert_eq!(*open(&blob, &key, &good).expect("opened"), jpeg);
        assert!(open(&blob[1..], &key, &good).is_err());
        let swapped = BlobKey::generate();
        assert!(open(&blob, &swapped, &good).is_err());
        for wrong in [
            AttachmentPart {
                sha256: Digest::of(b"another"),
                ..good.clone()
            },
            AttachmentPart {
                size: 4,
                ..good.clone()
            },
            AttachmentPart {
                media_type: MediaType::Pdf,
                ..good
            },
        ] {
            assert!(open(&blob, &key, &wrong).is_err());
        }
    }
}
