//! Samples of one fragment that do not lie side by side.

use super::*;

/// Bytes between two runs of samples in the file that `with_gap` makes.
const GAP: usize = 100;

/// `cenc-audio.mp4` with the samples of its first fragment in two `trun` boxes (ISO/IEC 14496-12
/// section 8.8.8) and a gap between their data. Gives the file and where the gap is in its media.
fn with_gap(mut file: Vec<u8>) -> (Vec<u8>, usize) {
    let find = |file: &[u8], kind: &[u8; 4]| {
        file.windows(4).position(|window| window == kind).unwrap() - 4
    };
    let number = |file: &[u8], at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap());
    let add = |file: &mut Vec<u8>, at: usize, more: usize| {
        let sum = number(file, at) + u32::try_from(more).unwrap();
        file[at..at + 4].copy_from_slice(&sum.to_be_bytes());
    };
    let size = |number: u32| usize::try_from(number).unwrap();

    // Version and flags 0x000201: a data offset, then a size for each sample, and nothing else.
    let run = find(&file, b"trun");
    assert_eq!(number(&file, run + 8), 0x201);
    let samples = number(&file, run + 12);
    let half = samples / 2;
    let second = run + 20 + size(half) * 4;
    let first_half: u32 = (run + 20..second)
        .step_by(4)
        .map(|at| number(&file, at))
        .sum();
    let gap_at = size(first_half);

    // The head of the second box comes between the sizes; all that lies behind moves by as much.
    const HEAD: u32 = 20;
    let media = find(&file, b"mdat") + 8;
    file.splice(media + gap_at..media + gap_at, [0xee; GAP]);
    add(&mut file, media - 8, GAP);
    let offset = number(&file, run + 16) + HEAD;
    let second_offset = offset + first_half + u32::try_from(GAP).unwrap();
    let rest = samples - half;
    let boxes = [
        HEAD + rest * 4,
        u32::from_be_bytes(*b"trun"),
        0x201,
        rest,
        second_offset,
    ];
    file.splice(
        second..second,
        boxes.iter().flat_map(|word| word.to_be_bytes()),
    );
    for (at, value) in [(run, HEAD + half * 4), (run + 12, half), (run + 16, offset)] {
        file[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }
    for kind in [b"moof", b"traf"] {
        let at = find(&file, kind);
        add(&mut file, at, size(HEAD));
    }
    // One entry of version 0: where the first IV is.
    let auxiliary = find(&file, b"saio") + 16;
    add(&mut file, auxiliary, size(HEAD));
    (file, gap_at)
}

#[test]
fn samples_that_do_not_lie_side_by_side_go_in_batches_of_their_own() {
    let (_, clear, keys) = listed()
        .into_iter()
        .find(|f| f.0 == "cenc-audio.mp4")
        .unwrap();
    let (file, gap_at) = with_gap(fs::read(sample("cenc-audio.mp4")).unwrap());
    let mut decryptor = RawKeys::new(&keys);
    let mut written = Vec::new();
    decrypt_stream(&file[..], &mut written, &mut decryptor, &mut |_| ()).unwrap();
    let mut expected = media(&fs::read(sample(&clear)).unwrap());
    expected.splice(gap_at..gap_at, [0xee; GAP]);
    assert_eq!(media(&written), expected);
    // The first fragment's samples in two batches instead of one.
    let mut whole = RawKeys::new(&keys);
    let unchanged = File::open(sample("cenc-audio.mp4")).unwrap();
    decrypt_stream(unchanged, io::sink(), &mut whole, &mut |_| ()).unwrap();
    let counts = |decryptor: &RawKeys| {
        decryptor
            .batches
            .iter()
            .map(|batch| batch.1)
            .collect::<Vec<_>>()
    };
    let (halves, whole) = (counts(&decryptor), counts(&whole));
    assert_eq!(halves[0] + halves[1], whole[0]);
    assert_eq!(halves[2..], whole[1..]);
}
