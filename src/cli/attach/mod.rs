//! From a file on this machine to an attachment: held to be what its name says, freed of what cameras and programs wrote
//! into it beside the picture, and enciphered here, before anything leaves.

mod jpeg;
mod png;

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde_json::{Value, json};

use super::error::CliError;
use crate::crypto::blob::{BlobError, BlobKey, CHUNK_BYTES, MAX_TEXT_BYTES};
use crate::crypto::digest::Digest;
use crate::wire::parts::{AttachmentPart, MAX_ATTACHMENT_NAME_BYTES, MediaType, NamedBlob};

/// The longest file that is read, in bytes: what is taken out of it may bring it below what is sent.
const FILE_MOST: u64 = 16 << 20;

/// What is wrong with a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum PictureError {
    /// It ends too early.
    #[error("it is cut off")]
    CutOff,
    /// It is not put together as such a picture is.
    #[error("it is damaged, or holds something that this program does not know")]
    Damaged,
}

/// A file, ready to be sent.
pub struct Attached {
    /// What its part says.
    pub part: AttachmentPart,
    /// Its content, enciphered.
    pub blob: Vec<u8>,
    /// How many pieces of metadata were taken out of it.
    pub taken_out: usize,
}

impl Attached {
    /// For programs: what it is, and how many pieces of metadata were taken out of it.
    pub fn json(&self) -> Value {
        json!({
            "name": self.part.name, "media_type": self.part.media_type, "size": self.part.size,
            "taken_out": self.taken_out,
        })
    }

    /// As the statement names it to the server.
    pub fn named(&self) -> NamedBlob {
        NamedBlob {
            blob: self.part.blob,
            size: self.blob.len() as u64,
        }
    }
}

impl fmt::Debug for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attached([sealed])")
    }
}

/// Reads a file and makes it ready. A PDF's metadata (author, program, times) cannot be taken out without remaking the
/// document, so it is sent only when `keep_metadata` says that it may stay.
///
/// # Errors
/// When the file cannot be read, is not what its name says, is damaged or too large, or is a PDF and its metadata may
/// not stay.
pub fn prepare(path: &Path, keep_metadata: bool) -> Result<Attached, CliError> {
    let shown = path.display();
    let refused = |what: String, action: &str| CliError::refused(what, action);
    let bytes = read(path)?;
    let media = named_as_it_is(path, &bytes)?;
    let (text, taken_out) = match media {
        MediaType::Jpeg => jpeg::strip(&bytes),
        MediaType::Png => png::strip(&bytes),
        MediaType::Pdf if keep_metadata => Ok((bytes, 0)),
        MediaType::Pdf => {
            return Err(refused(
                format!("{shown} is a PDF, and what it says of its author, program and times stays in it"),
                "Print it to a new PDF, or scan it as a picture; or send it as it is with --keep-metadata.",
            ));
        }
    }
    .map_err(|error| refused(format!("{shown} cannot be attached: {error}"), "Open it and save it anew, then attach that."))?;
    seal(path, media, &text, taken_out)
}

/// Reads a letter and makes it ready, byte for byte as it came: what is transcribed from it must stand in what is kept.
///
/// # Errors
/// When the file cannot be read, is not what its name says, or is too large.
pub fn letter(path: &Path) -> Result<Attached, CliError> {
    let bytes = read(path)?;
    let media = named_as_it_is(path, &bytes)?;
    seal(path, media, &bytes, 0)
}

/// What a file is, when its name says the same.
fn named_as_it_is(path: &Path, bytes: &[u8]) -> Result<MediaType, CliError> {
    let shown = path.display();
    let Some(media) = MediaType::of_bytes(bytes) else {
        return Err(CliError::refused(
            format!("{shown} is neither a JPEG nor a PNG picture nor a PDF document"),
            "Save it as one of these, then attach that.",
        ));
    };
    let extension = path.extension().and_then(|e| e.to_str());
    let named_so = extension.is_some_and(|given| {
        let known = media.extensions();
        known.iter().any(|known| known.eq_ignore_ascii_case(given))
    });
    if named_so {
        return Ok(media);
    }
    Err(CliError::refused(
        format!(
            "{shown} is not what its name says: its content is {}",
            media.as_str()
        ),
        "Look at what it is; then give it the name that fits.",
    ))
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    let failed = |error: std::io::Error| {
        CliError::failed(
            format!("{} cannot be read: {error}", path.display()),
            "Give a readable file.",
        )
    };
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(FILE_MOST + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > FILE_MOST {
        return Err(too_large(path));
    }
    Ok(bytes)
}

fn too_large(path: &Path) -> CliError {
    CliError::refused(
        format!(
            "{} has more than {} MiB",
            path.display(),
            MAX_TEXT_BYTES >> 20
        ),
        "Save the picture smaller: half its width and height show a plate or a roof as well.",
    )
}

fn seal(
    path: &Path,
    media_type: MediaType,
    text: &[u8],
    taken_out: usize,
) -> Result<Attached, CliError> {
    let key = BlobKey::generate();
    let blob = key.seal(text).map_err(|error| match error {
        BlobError::TooLong => too_large(path),
        error => CliError::refused(
            format!("{} cannot be attached: {error}", path.display()),
            "Give another file.",
        ),
    })?;
    let mut name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    while name.len() > MAX_ATTACHMENT_NAME_BYTES {
        name.pop();
    }
    Ok(Attached {
        part: AttachmentPart {
            name,
            media_type,
            size: text.len() as u64,
            sha256: Digest::of(text),
            blob: Digest::of(&blob),
            key: key.to_b64url(),
            chunk: u32::try_from(CHUNK_BYTES).unwrap_or(u32::MAX),
        },
        blob,
        taken_out,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        (dir, path)
    }

    fn refused(name: &str, bytes: &[u8]) -> String {
        let (_dir, path) = file(name, bytes);
        match prepare(&path, false) {
            Err(CliError::Refused { what, .. }) => what,
            other => panic!("{name} is refused, not {other:?}"),
        }
    }

    #[test]
    fn a_file_that_is_not_what_its_name_says_is_refused() {
        let png = png::tests::picture(&[]);
        for name in ["roof.jpg", "roof", "roof.pdf"] {
            assert!(refused(name, &png).contains("not what its name says"));
        }
        assert!(refused("roof.png", b"MZ...").contains("neither"));
        assert!(refused("roof.png", b"").contains("neither"));
        let (_dir, path) = file("ROOF.PNG", &png);
        assert_eq!(
            prepare(&path, false).expect("taken").part.media_type,
            MediaType::Png
        );
    }

    #[test]
    fn a_pdf_is_sent_only_when_its_metadata_may_stay() {
        let pdf = b"%PDF-1.7\n1 0 obj<</Author(A. Person)>>endobj\n%%EOF";
        assert!(refused("letter.pdf", pdf).contains("author"));
        let (_dir, path) = file("letter.pdf", pdf);
        let attached = prepare(&path, true).expect("taken");
        assert_eq!(attached.part.sha256, Digest::of(pdf));
    }

    #[test]
    fn what_is_sent_opens_with_the_key_of_the_part_alone() {
        let (_dir, path) = file("roof.png", &png::tests::picture(&[]));
        let attached = prepare(&path, false).expect("taken");
        assert_eq!(attached.part.blob, Digest::of(&attached.blob));
        let key = BlobKey::from_b64url(&attached.part.key).expect("a key");
        let text = key.open(&attached.blob).expect("opened");
        assert_eq!(Digest::of(&text), attached.part.sha256);
        assert_eq!(attached.named().size, attached.blob.len() as u64);
        assert_eq!(format!("{attached:?}"), "Attached([sealed])");
    }

    #[test]
    fn what_is_too_large_is_refused_before_it_is_enciphered() {
        let mut large = b"%PDF-1.7".to_vec();
        large.resize(MAX_TEXT_BYTES + 1, 0);
        let (_dir, path) = file("letter.pdf", &large);
        let error = prepare(&path, true).expect_err("refused").to_string();
        assert!(error.contains("more than 5 MiB"), "{error}");
    }
}
