//! Takes out of a JPEG what a camera wrote beside the picture: place, time, device, owner, thumbnails, comments, and what
//! hangs behind its end (a second picture, a film). What stays is what a decoder needs (ITU-T T.81): frames, tables, scans;
//! of the application's segments JFIF without its thumbnail, an ICC profile, Adobe's word on colours; and which way is up,
//! in an Exif segment that says nothing else.
//!
//! The crate img-parts was weighed: it keeps everything from the first scan on as it stands, and with it the pictures
//! behind the end and segments between scans. Walking to the end is a page.

use super::PictureError;

const TEM: u8 = 0x01;
const SOF0: u8 = 0xc0;
const DAC: u8 = 0xcf;
const RST0: u8 = 0xd0;
const RST7: u8 = 0xd7;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const DQT: u8 = 0xdb;
const EXP: u8 = 0xdf;
const APP0: u8 = 0xe0;
const APP1: u8 = 0xe1;
const APP2: u8 = 0xe2;
const APP14: u8 = 0xee;

const JFIF: &[u8] = b"JFIF\0";
const ICC: &[u8] = b"ICC_PROFILE\0";
const ADOBE: &[u8] = b"Adobe";
const EXIF: &[u8] = b"Exif\0\0";
/// Bytes of JFIF before its thumbnail, the thumbnail's size included.
const JFIF_BYTES: usize = 14;
/// The tag of the orientation (Exif 2.3, 4.6.4).
const ORIENTATION: u16 = 0x0112;

struct Walk<'a> {
    rest: &'a [u8],
}

impl<'a> Walk<'a> {
    fn byte(&mut self) -> Result<u8, PictureError> {
        let (first, rest) = self.rest.split_first().ok_or(PictureError::CutOff)?;
        self.rest = rest;
        Ok(*first)
    }

    /// The next marker; fill bytes before it are left out.
    fn marker(&mut self) -> Result<u8, PictureError> {
        if self.byte()? != 0xff {
            return Err(PictureError::Damaged);
        }
        loop {
            match self.byte()? {
                0xff => {}
                0x00 => return Err(PictureError::Damaged),
                marker => return Ok(marker),
            }
        }
    }

    fn segment(&mut self) -> Result<&'a [u8], PictureError> {
        let length = usize::from(u16::from_be_bytes([self.byte()?, self.byte()?]));
        let length = length.checked_sub(2).ok_or(PictureError::Damaged)?;
        let (contents, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(PictureError::CutOff)?;
        self.rest = rest;
        Ok(contents)
    }

    /// What follows the header of a scan, up to the next marker that is none of its own.
    fn scan(&mut self) -> Result<&'a [u8], PictureError> {
        let ends = self.rest.windows(2).position(
            |pair| matches!(pair, [0xff, next] if *next != 0x00 && !(RST0..=RST7).contains(next)),
        );
        let (scan, rest) = self
            .rest
            .split_at_checked(ends.ok_or(PictureError::CutOff)?)
            .ok_or(PictureError::CutOff)?;
        self.rest = rest;
        Ok(scan)
    }
}

/// The picture without its metadata, and how many pieces were taken out.
pub(super) fn strip(bytes: &[u8]) -> Result<(Vec<u8>, usize), PictureError> {
    let body = bytes
        .strip_prefix(&[0xff, 0xd8])
        .ok_or(PictureError::Damaged)?;
    let mut walk = Walk { rest: body };
    let (mut first, mut out) = (Vec::new(), Vec::with_capacity(bytes.len()));
    let (mut taken_out, mut frame, mut scan, mut turned) = (0, false, false, None);
    loop {
        let marker = walk.marker()?;
        match marker {
            EOI => break,
            TEM | RST0..=RST7 => {}
            SOS => {
                put(&mut out, SOS, walk.segment()?);
                out.extend_from_slice(walk.scan()?);
                scan = true;
            }
            SOF0..=DAC | DQT..=EXP => {
                put(&mut out, marker, walk.segment()?);
                frame = true;
            }
            0xd8 | 0x00 => return Err(PictureError::Damaged),
            _ => {
                let contents = walk.segment()?;
                match kept(marker, contents, first.is_empty()) {
                    Some(Kept::First(header)) => {
                        taken_out += usize::from(header.len() < contents.len());
                        put(&mut first, APP0, &header);
                    }
                    Some(Kept::AsItIs) => put(&mut out, marker, contents),
                    None => {
                        taken_out += 1;
                        turned = turned.or_else(|| orientation(marker, contents));
                    }
                }
            }
        }
    }
    if !frame || !scan {
        return Err(PictureError::Damaged);
    }
    taken_out += usize::from(!walk.rest.is_empty());
    let mut whole = vec![0xff, 0xd8];
    whole.append(&mut first);
    if let Some(turned) = turned {
        put(&mut whole, APP1, &upright(turned));
    }
    whole.append(&mut out);
    whole.extend_from_slice(&[0xff, EOI]);
    Ok((whole, taken_out))
}

enum Kept {
    /// JFIF, which stands first, without its thumbnail.
    First(Vec<u8>),
    AsItIs,
}

fn kept(marker: u8, contents: &[u8], no_header_yet: bool) -> Option<Kept> {
    match marker {
        APP0 if contents.starts_with(JFIF) && no_header_yet => {
            let mut header = contents.get(..JFIF_BYTES)?.to_vec();
            for byte in header.iter_mut().skip(JFIF_BYTES - 2) {
                *byte = 0;
            }
            Some(Kept::First(header))
        }
        APP2 if contents.starts_with(ICC) => Some(Kept::AsItIs),
        APP14 if contents.starts_with(ADOBE) => Some(Kept::AsItIs),
        _ => None,
    }
}

fn put(out: &mut Vec<u8>, marker: u8, contents: &[u8]) {
    // What came out of a segment fits into one.
    let length = u16::try_from(contents.len() + 2).unwrap_or(u16::MAX);
    out.extend_from_slice(&[0xff, marker]);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(contents);
}

/// Which way is up, 2 to 8; nothing when it is as it lies, or when the segment does not say.
fn orientation(marker: u8, contents: &[u8]) -> Option<u8> {
    if marker != APP1 {
        return None;
    }
    let tiff = contents.strip_prefix(EXIF)?;
    let little = match tiff.get(..4)? {
        [b'I', b'I', 42, 0] => true,
        [b'M', b'M', 0, 42] => false,
        _ => return None,
    };
    let short = |at: usize| -> Option<u16> {
        let bytes = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if little {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        })
    };
    let (a, b) = (short(4)?, short(6)?);
    let (high, low) = if little { (b, a) } else { (a, b) };
    let directory = usize::try_from(u32::from(high) << 16 | u32::from(low)).ok()?;
    let entries = usize::from(short(directory)?);
    let begins = directory.checked_add(2)?;
    let tag = |n: usize| begins.checked_add(n * 12);
    let entry = (0..entries).find_map(|n| {
        let at = tag(n)?;
        (short(at)? == ORIENTATION && short(at + 2)? == 3).then_some(at)
    })?;
    u8::try_from(short(entry + 8)?)
        .ok()
        .filter(|turned| (2..=8).contains(turned))
}

/// An Exif segment that says which way is up, and nothing else.
fn upright(turned: u8) -> Vec<u8> {
    let mut out = EXIF.to_vec();
    out.extend_from_slice(b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0");
    out.push(turned);
    out.extend_from_slice(&[0; 6]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(marker: u8, contents: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, marker, contents);
        out
    }

    /// What a telephone writes: orientation 6, and a GPS directory with a latitude.
    fn exif() -> Vec<u8> {
        let mut tiff = b"II\x2a\0\x08\0\0\0\x02\0".to_vec();
        tiff.extend_from_slice(b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0");
        tiff.extend_from_slice(b"\x25\x88\x04\0\x01\0\0\0\x26\0\0\0\0\0\0\0");
        tiff.extend_from_slice(b"\x01\0\x02\0\x05\0\x18\0\0\0\x34\0\0\0");
        tiff.extend_from_slice(b"15/1 20/1 50/1 GPSLatitude N");
        [EXIF, &tiff].concat()
    }

    fn picture(more: &[Vec<u8>]) -> Vec<u8> {
        let mut out = vec![0xff, 0xd8];
        out.extend(more.concat());
        out.extend(segment(DQT, &[0; 65]));
        out.extend(segment(0xc2, &[8, 0, 1, 0, 1, 1, 1, 0x11, 0]));
        out.extend(segment(0xc4, &[0; 20]));
        for scan in [&b"\x12\xff\x00\x34\xff\xd0\x56"[..], b"\x78\x9a"] {
            out.extend(segment(SOS, &[1, 1, 0, 0, 63, 0]));
            out.extend_from_slice(scan);
        }
        out.extend_from_slice(&[0xff, EOI]);
        out
    }

    fn has(bytes: &[u8], what: &[u8]) -> bool {
        bytes.windows(what.len()).any(|window| window == what)
    }

    #[test]
    fn place_time_owner_thumbnail_and_comment_are_gone_and_the_picture_is_the_same() {
        let jfif = [JFIF, &[1, 1, 0, 0, 72, 0, 72, 1, 3], b"THUMBNAIL"].concat();
        let icc = [ICC, &[1, 1], b"colours"].concat();
        let adobe = [ADOBE, &[0, 100, 0, 0, 0, 0, 1]].concat();
        let marked = picture(&[
            segment(APP0, &jfif),
            segment(APP1, &exif()),
            segment(
                APP1,
                b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>Creator</x:xmpmeta>",
            ),
            segment(APP2, &icc),
            segment(APP2, b"MPF\0second picture"),
            segment(0xed, b"Photoshop 3.0\0IPTC byline"),
            segment(APP14, &adobe),
            segment(0xfe, b"taken by A. Person"),
        ]);
        let marked = [&marked[..], b"MotionPhoto_Data GPSLatitude"].concat();
        let (out, taken_out) = strip(&marked).expect("stripped");
        for gone in [
            &b"GPSLatitude"[..],
            b"15/1",
            b"xmpmeta",
            b"MPF",
            b"byline",
            b"Person",
            b"THUMBNAIL",
            b"MotionPhoto",
        ] {
            assert!(has(&marked, gone) && !has(&out, gone), "{gone:?}");
        }
        assert_eq!(taken_out, 7);
        let header = [JFIF, &[1, 1, 0, 0, 72, 0, 72, 0, 0]].concat();
        let expected = picture(&[
            segment(APP0, &header),
            segment(APP1, &upright(6)),
            segment(APP2, &icc),
            segment(APP14, &adobe),
        ]);
        assert_eq!(out, expected);
        assert_eq!(orientation(APP1, &upright(6)), Some(6));
        // Done twice, nothing more is taken out but the word on which way is up, which is written anew.
        assert_eq!(strip(&out).expect("stripped").0, out);
    }

    #[test]
    fn metadata_between_scans_is_gone_too() {
        let plain = picture(&[]);
        let mut marked = plain.clone();
        let second = marked
            .windows(2)
            .rposition(|pair| pair == [0xff, SOS])
            .expect("two scans");
        marked.splice(second..second, segment(APP1, &exif()));
        let (out, taken_out) = strip(&marked).expect("stripped");
        assert!(!has(&out, b"GPSLatitude"));
        assert_eq!(taken_out, 1);
        let (again, _) = strip(&picture(&[segment(APP1, &exif())])).expect("stripped");
        assert_eq!(out, again);
    }

    #[test]
    fn a_picture_cut_off_anywhere_is_refused_and_none_makes_it_stumble() {
        let marked = picture(&[segment(APP1, &exif())]);
        for cut in 0..marked.len() {
            assert!(strip(&marked[..cut]).is_err(), "{cut}");
        }
        for at in 0..marked.len() {
            for bit in [0x01, 0x80, 0xff] {
                let mut altered = marked.clone();
                altered[at] ^= bit;
                if let Ok((out, _)) = strip(&altered) {
                    assert!(out.len() <= altered.len() + 64);
                }
            }
        }
    }
}
