//! Real content as calls for its decryption: a sample file taken apart into batches.

use std::fs;

use keybearer_license::{Scheme, TrackType};
use keybearer_media::{BatchLimit, IvSource, MediaReader, Part, Protection};
use keybearer_tee::{CallError, ClearSession, Media};
use keybearer_wire::body;
use keybearer_wire::field::Blob;
use keybearer_wire::{SampleTableBuilder, SubsampleEntry};

use crate::payloads::media_data;
use crate::samples::{Sample, all};
use crate::service::paths;

/// A track of a sample file.
pub struct Film {
    /// The sample.
    pub sample: Sample,
    /// What its key is for.
    pub track: TrackType,
    batches: Vec<Batch>,
    clear: Vec<u8>,
}

/// What one call decrypts.
struct Batch {
    protection: Protection,
    duration_ms: u32,
    samples: SampleTableBuilder,
    protected: Vec<u8>,
}

impl Film {
    /// Takes a file with one protected track apart; all of its samples are protected.
    ///
    /// # Panics
    /// When there is no such file among the samples, or it is not like that.
    #[must_use]
    pub fn read(file: &str, track: TrackType) -> Self {
        let sample = all().into_iter().find(|sample| sample.file == file);
        let sample = sample.unwrap_or_else(|| panic!("no sample {file}"));
        let (protected, counterpart) = paths(&sample);
        let open = |path| fs::read(path).expect("the sample is there");
        let bytes = open(protected);
        let mut reader = MediaReader::open(&bytes[..]).expect("the sample is a media file");
        let mut batches = Vec::new();
        while let Some(part) = reader.next_part().expect("the sample is whole") {
            let Part::Fragment(fragment) = part else {
                continue;
            };
            let (tracks, media) = fragment.split();
            for batch in tracks
                .iter()
                .flat_map(|track| track.batches(BatchLimit::default()))
            {
                let mut samples = SampleTableBuilder::default();
                for one in batch.samples() {
                    let subsamples = batch.subsamples(one).iter().map(|part| SubsampleEntry {
                        clear: part.clear,
                        protected: part.protected,
                    });
                    let listed = samples.push(one.iv.as_slice(), one.size, subsamples);
                    listed.expect("a batch fits a call");
                }
                batches.push(Batch {
                    protection: *batch.protection().expect("every sample is protected"),
                    duration_ms: u32::try_from(batch.duration_ms()).expect("two seconds"),
                    samples,
                    protected: media[batch.range()].to_vec(),
                });
            }
        }
        let clear = media_data(&open(counterpart));
        let size: usize = batches.iter().map(|batch| batch.protected.len()).sum();
        assert_eq!(size, clear.len(), "{file}: one track, wholly protected");
        Self {
            sample,
            track,
            batches,
            clear,
        }
    }

    /// Its key id.
    #[must_use]
    pub fn kid(&self) -> [u8; 16] {
        self.sample.tracks[0].kid
    }

    /// How many calls it takes to play it.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.batches.len()
    }

    /// Decrypts what one call takes; the clear bytes are compared by [`Self::play`].
    ///
    /// # Errors
    /// Those of the trusted side.
    ///
    /// # Panics
    /// When a refused call changed the bytes.
    pub fn decrypt(
        &self,
        call: usize,
        connection: &mut ClearSession,
        session: u64,
    ) -> Result<Vec<u8>, CallError> {
        let batch = &self.batches[call];
        let (iv_size, constant_iv) = match &batch.protection.iv {
            IvSource::PerSample { size } => (*size, None),
            IvSource::Constant(iv) => (0, Some(Blob(iv.as_slice()))),
            IvSource::None => panic!("{}: nothing is protected", self.sample.file),
        };
        let scheme = match self.sample.scheme.as_str() {
            "cenc" => Scheme::Cenc,
            "cens" => Scheme::Cens,
            "cbc1" => Scheme::Cbc1,
            _ => Scheme::Cbcs,
        };
        let request = body::Decrypt {
            session,
            key_id: batch.protection.kid,
            license: None,
            track_type: self.track.code(),
            scheme: scheme.code(),
            iv_size,
            constant_iv,
            crypt_blocks: batch.protection.pattern.crypt,
            skip_blocks: batch.protection.pattern.skip,
            duration_ms: batch.duration_ms,
            width: None,
            height: None,
            samples: Blob(batch.samples.samples()),
            subsamples: Blob(batch.samples.subsamples()),
        };
        let mut data = batch.protected.clone();
        let decrypted = connection.decrypt(&request, Media::InPlace(&mut data));
        if decrypted.is_err() {
            assert!(data == batch.protected, "a refused call leaves the bytes");
        }
        decrypted.map(|_| data)
    }

    /// Plays all of it: the clear bytes are those of the clear counterpart.
    ///
    /// # Errors
    /// Those of the trusted side, of the first call that fails.
    ///
    /// # Panics
    /// When they are others.
    pub fn play(&self, connection: &mut ClearSession, session: u64) -> Result<(), CallError> {
        let mut played = Vec::new();
        for call in 0..self.calls() {
            played.extend(self.decrypt(call, connection, session)?);
        }
        assert!(played == self.clear, "{}: other bytes", self.sample.file);
        Ok(())
    }
}
