//! A fragmented file, sample by sample.

use super::*;

/// Takes a fragmented file apart.
pub(super) fn take_apart(name: &str, keys: &Keys) -> (Vec<u8>, Vec<Track>) {
    let file = load(name);
    let mut reader = MediaReader::open(file.as_slice()).unwrap();
    let init = reader.init().to_vec();
    let entries = |track: &keybearer_media::Track| {
        track.entries.iter().map(|entry| entry.protection).collect()
    };
    let tracks = reader.presentation().tracks.iter();
    let mut tracks: Vec<Track> = tracks
        .map(|track| Track {
            samples: Vec::new(),
            protections: entries(track),
        })
        .collect();
    while let Some(part) = reader.next_part().unwrap() {
        let Part::Fragment(fragment) = part else {
            continue;
        };
        let (of_tracks, media) = fragment.split();
        let protected = media.to_vec();
        for of_track in of_tracks {
            for batch in of_track.batches(BatchLimit::UNLIMITED) {
                decrypt_batch(&batch, media, keys);
                let track = &mut tracks[of_track.track];
                track
                    .samples
                    .extend(batch.samples().iter().map(|sample| Sample {
                        data: protected[sample.range()].to_vec(),
                        clear: media[sample.range()].to_vec(),
                        duration: sample.duration,
                        entry: of_track.entry,
                        protection: batch.protection().copied(),
                        iv: match batch.protection().map(|protection| protection.iv) {
                            Some(IvSource::PerSample { .. }) => sample.iv.as_slice().to_vec(),
                            _ => Vec::new(),
                        },
                        subsamples: batch.subsamples(sample).to_vec(),
                    }));
            }
        }
    }
    (init, tracks)
}
