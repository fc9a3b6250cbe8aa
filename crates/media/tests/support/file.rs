//! The bytes of a file of the wanted form.

use super::*;

/// The file, the samples with their places, and where `moov` is.
pub(super) type LaidOut = (Vec<u8>, Vec<(usize, Vec<u8>)>, Range<usize>);

/// Puts the boxes and the samples one behind the other, and notes where they come to stand.
pub(super) fn lay_out(maker: &mut Maker<'_>, ftyp: &[u8], moov: &[u8]) -> LaidOut {
    let options = maker.options;
    let mut file = ftyp.to_vec();
    let mut moov_at = 0..0;
    let place_moov = |file: &mut Vec<u8>, moov_at: &mut Range<usize>| {
        *moov_at = file.len()..file.len() + moov.len();
        file.extend(moov);
    };
    if !options.moov_last {
        place_moov(&mut file, &mut moov_at);
    }
    file.extend(bx(b"uuid", &[&[7; 16], b"of another house"]));
    let information: Vec<Vec<Vec<u8>>> = (0..maker.tracks.len())
        .map(|track| maker.all_information(track))
        .collect();
    let rounds = maker.chunks.iter().map(Vec::len).max().unwrap();
    let mut order: Vec<(usize, usize)> = (0..rounds)
        .flat_map(|round| (0..maker.chunks.len()).map(move |track| (track, round)))
        .filter(|(track, round)| *round < maker.chunks[*track].len())
        .collect();
    if options.reverse_chunks {
        order.reverse();
    }
    let (first, second) = order.split_at(if options.two_mdats {
        order.len() / 2
    } else {
        0
    });
    let mut samples = Vec::new();
    for (half, list) in [first, second].into_iter().enumerate() {
        if half == 0 && !options.two_mdats {
            continue;
        }
        let start = file.len();
        let header = if options.wide_boxes { 16 } else { 8 };
        file.extend(vec![0; header]);
        let pointed = matches!(options.auxiliary, Auxiliary::PointedInMdat { .. });
        let each = options.auxiliary == Auxiliary::PointedInMdat { each_chunk: true };
        if pointed && !each && start < file.len() && (half == 1 || options.two_mdats) {
            for (track, found) in information.iter().enumerate() {
                if half == 0 || !options.two_mdats {
                    maker.chunks[track][0].information_at = file.len();
                    file.extend(found.concat());
                }
            }
        }
        for (track, round) in list {
            let chunk = &mut maker.chunks[*track][*round];
            if each {
                chunk.information_at = file.len();
                file.extend(information[*track][chunk.samples.clone()].concat());
            }
            if options.gaps {
                file.extend([0xee; 77]);
            }
            chunk.at = file.len();
            for sample in &maker.tracks[*track].samples[chunk.samples.clone()] {
                samples.push((file.len(), sample.clear.clone()));
                file.extend(if options.clear {
                    &sample.clear
                } else {
                    &sample.data
                });
            }
        }
        let size = file.len() - start;
        let head = match (options.wide_boxes, options.open_end) {
            (_, true) => [&[0; 4][..], b"mdat"].concat(),
            (true, _) => [&[0, 0, 0, 1][..], b"mdat", &(size as u64).to_be_bytes()].concat(),
            _ => [&(size as u32).to_be_bytes()[..], b"mdat"].concat(),
        };
        file[start..start + head.len()].copy_from_slice(&head);
        if options.moov_last && half == usize::from(!options.two_mdats) {
            place_moov(&mut file, &mut moov_at);
        }
    }
    if !options.open_end {
        file.extend(bx(b"free", &[b"the end"]));
    }
    // Where the information in `moov` is.
    let mut from = 0;
    for mark in &mut maker.marks {
        let wanted: &[u8] = match options.auxiliary {
            Auxiliary::SencInStbl => b"senc",
            _ => MARK,
        };
        let found = moov[from..]
            .windows(wanted.len())
            .position(|bytes| bytes == wanted);
        if let Some(found) = found {
            from += found + wanted.len();
            let behind = if wanted == b"senc" { 8 } else { 0 };
            *mark = moov_at.start + from + behind;
        }
    }
    (file, samples, moov_at)
}
