//! Takes out of a PNG what programs wrote beside the picture: texts, times, Exif, and what hangs behind its end. What
//! stays is what a decoder needs (W3C PNG, third edition): the critical chunks, transparency and colours.

use super::PictureError;
use crate::wire::parts::MediaType;

/// The chunks that stay.
const KEPT: [&[u8; 4]; 11] = [
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB",
    b"cICP",
];
/// Length, type and checksum of a chunk, in bytes.
const AROUND: usize = 12;

/// The picture without its metadata, and how many pieces were taken out.
pub(super) fn strip(bytes: &[u8]) -> Result<(Vec<u8>, usize), PictureError> {
    let mut rest = bytes
        .strip_prefix(MediaType::Png.magic())
        .ok_or(PictureError::Damaged)?;
    let mut out = MediaType::Png.magic().to_vec();
    let (mut taken_out, mut first, mut picture) = (0, true, false);
    loop {
        let (length, after) = rest.split_first_chunk::<4>().ok_or(PictureError::CutOff)?;
        let kind = after.first_chunk::<4>().ok_or(PictureError::CutOff)?;
        let length = usize::try_from(u32::from_be_bytes(*length))
            .ok()
            .and_then(|length| length.checked_add(AROUND))
            .ok_or(PictureError::Damaged)?;
        let (chunk, behind) = rest.split_at_checked(length).ok_or(PictureError::CutOff)?;
        if first != (kind == b"IHDR") {
            return Err(PictureError::Damaged);
        }
        first = false;
        picture |= kind == b"IDAT";
        if KEPT.contains(&kind) {
            out.extend_from_slice(chunk);
        } else if kind.first().is_some_and(u8::is_ascii_uppercase) {
            // A critical chunk that nobody here knows: without it the picture would be another.
            return Err(PictureError::Damaged);
        } else {
            taken_out += 1;
        }
        if kind == b"IEND" {
            taken_out += usize::from(!behind.is_empty());
            return if picture {
                Ok((out, taken_out))
            } else {
                Err(PictureError::Damaged)
            };
        }
        rest = behind;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn chunk(kind: [u8; 4], contents: &[u8]) -> Vec<u8> {
        let mut crc = flate2::Crc::new();
        crc.update(&kind);
        crc.update(contents);
        let length = u32::try_from(contents.len()).expect("short");
        [
            &length.to_be_bytes()[..],
            &kind,
            contents,
            &crc.sum().to_be_bytes(),
        ]
        .concat()
    }

    /// A picture of one grey pixel, with these chunks behind its header.
    pub fn picture(more: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let mut out = MediaType::Png.magic().to_vec();
        out.extend(chunk(*b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]));
        for (kind, contents) in more {
            out.extend(chunk(**kind, contents));
        }
        out.extend(chunk(*b"IDAT", b"\x78\x9c\x63\x60\x00\x00\x00\x02\x00\x01"));
        out.extend(chunk(*b"IEND", b""));
        out
    }

    #[test]
    fn texts_times_and_exif_are_gone_and_colours_stay() {
        let colours: [(&[u8; 4], &[u8]); 2] = [(b"gAMA", b"\0\0\xb1\x8f"), (b"sRGB", b"\0")];
        let marked = picture(&[
            colours[0],
            (b"tEXt", b"Author\0A. Person"),
            (b"zTXt", b"Comment\0\0x"),
            (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta/>"),
            (b"eXIf", b"MM\0*GPSLatitude"),
            (b"tIME", b"\x07\xea\x05\x03\x06\0\0"),
            (b"pHYs", b"\0\0\x0b\x13\0\0\x0b\x13\x01"),
            colours[1],
        ]);
        let marked = [&marked[..], b"behind the end"].concat();
        let (out, taken_out) = strip(&marked).expect("stripped");
        assert_eq!(out, picture(&colours));
        assert_eq!(taken_out, 7);
    }

    #[test]
    fn a_picture_cut_off_anywhere_or_with_a_foreign_critical_chunk_is_refused() {
        let marked = picture(&[(b"tEXt", b"Author\0A. Person")]);
        for cut in 0..marked.len() {
            assert!(strip(&marked[..cut]).is_err(), "{cut}");
        }
        let foreign = picture(&[(b"CgBI", b"\x50\0\x20\x02")]);
        assert_eq!(strip(&foreign), Err(PictureError::Damaged));
        assert_eq!(strip(b"\xff\xd8\xff"), Err(PictureError::Damaged));
    }
}
