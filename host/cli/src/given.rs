//! Files that are given: looked at before anything is asked, and kept from being written over.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::failure::Failure;

/// Boxes that a file or segment may begin with (ISO/IEC 14496-12).
const FIRST: [&[u8; 4]; 14] = [
    b"ftyp", b"styp", b"moov", b"moof", b"sidx", b"ssix", b"emsg", b"prft", b"free", b"skip",
    b"mdat", b"uuid", b"wide", b"meta",
];
/// Bytes of a box's size and kind.
const HEADER: usize = 8;

/// Whether these may be the first bytes of a media file.
pub(crate) fn begins_like_media(start: &[u8]) -> bool {
    start
        .get(4..HEADER)
        .is_some_and(|kind| FIRST.iter().any(|first| first.as_slice() == kind))
}

/// Refuses what is plainly no media file, by its name, and tells its size. What a pipe gives cannot be
/// looked at beforehand, and has no size.
pub(crate) fn media(path: &Path) -> Result<Option<u64>, Failure> {
    let name = path.display();
    let unopened =
        |error: std::io::Error| Failure::input(format!("cannot open {name}")).cause(&error);
    let about = std::fs::metadata(path).map_err(unopened)?;
    refuse_folder(path, "a media file")?;
    if !about.is_file() {
        return Ok(None);
    }
    if about.len() == 0 {
        return Err(Failure::input(format!("{name} is empty")));
    }
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(HEADER as u64).read_to_end(&mut start))
        .map_err(unopened)?;
    if begins_like_media(&start) || could_be_a_box(&start, about.len()) {
        return Ok(Some(about.len()));
    }
    Err(Failure::input(format!(
        "{name} is not an ISO media file (MP4, CMAF): it does not begin with a box of one"
    )))
}

/// A box that this command does not know as the first, but which fits the file.
fn could_be_a_box(start: &[u8], size: u64) -> bool {
    let Some((length, kind)) = start.split_first_chunk::<4>() else {
        return false;
    };
    let length = u64::from(u32::from_be_bytes(*length));
    kind.len() == 4
        && kind.iter().all(|byte| (b' '..=b'~').contains(byte))
        && (HEADER as u64..=size).contains(&length)
}

/// Refuses a folder where a file is expected.
pub(crate) fn refuse_folder(path: &Path, expected: &str) -> Result<(), Failure> {
    if path.is_dir() {
        let what = format!("{} is a folder; expected {expected}", path.display());
        return Err(Failure::input(what));
    }
    Ok(())
}

/// Refuses an output that is one of the inputs, whatever links are on the way to either.
pub(crate) fn keep_apart(output: &Path, inputs: &[(&str, &Path)]) -> Result<(), Failure> {
    let identity = |path: &Path| {
        let about = std::fs::metadata(path).ok()?;
        Some((about.dev(), about.ino()))
    };
    // One that is not there yet is none of them.
    let Some(written) = identity(output) else {
        return Ok(());
    };
    let same = inputs
        .iter()
        .find(|(_, path)| identity(path) == Some(written));
    match same {
        None => Ok(()),
        Some((what, _)) => Err(Failure::usage(format!(
            "{} is {what}; choose another name for the output",
            output.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::could_be_a_box;

    #[test]
    fn a_box_that_fits_the_file_is_left_to_the_reader() {
        for (start, could) in [
            (&b"\0\0\0\x10pnot"[..], true),
            (b"\0\0\0\x10pn", false),
            (b"\0\0\0\x10p\0ot", false),
            (b"\0\0\x10\0pnot", false),
            (b"\0\0\0\x04pnot", false),
            (b"{\n \"note", false),
        ] {
            assert_eq!(could_be_a_box(start, 100), could, "{start:?}");
        }
    }
}
