//! A trusted side that dies while samples are in its hands.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Memory that counts how many of its kind there are.
struct Counted(Vec<u8>, Arc<AtomicUsize>);

impl SharedMemory for Counted {
    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Spoils a batch and fails, at batches of its choice; decrypts all others.
struct Dying {
    keys: RawKeys,
    /// Batches, counted over all attempts, under which it dies.
    deaths: Vec<usize>,
    recoveries: usize,
    calls: usize,
    /// Bytes of memory that it was asked for.
    asked: Vec<usize>,
    gives_memory: bool,
    /// Pieces of memory that are in use now.
    alive: Arc<AtomicUsize>,
    /// Where the memory is that was given last.
    place: Option<std::ops::Range<usize>>,
    outside: usize,
}

impl Dying {
    fn new(keys: &[(KeyId, [u8; 16])], deaths: &[usize], recoveries: usize) -> Self {
        Self {
            keys: RawKeys::new(keys),
            deaths: deaths.to_vec(),
            recoveries,
            calls: 0,
            asked: Vec::new(),
            gives_memory: true,
            alive: Arc::default(),
            place: None,
            outside: 0,
        }
    }
}

impl SampleDecryptor for Dying {
    type Error = RawError;

    fn limit(&self) -> BatchLimit {
        BatchLimit {
            samples: 7,
            ..BatchLimit::default()
        }
    }

    fn prepare(&mut self, key_ids: &[KeyId], pssh: &[Pssh]) -> Result<(), RawError> {
        self.keys.prepare(key_ids, pssh)
    }

    fn decrypt(&mut self, batch: &TrackBatch<'_>, data: &mut [u8]) -> Result<(), RawError> {
        let at = data.as_ptr().addr();
        if !self.place.as_ref().is_some_and(|place| place.contains(&at)) {
            self.outside += 1;
        }
        self.calls += 1;
        if self.deaths.contains(&(self.calls - 1)) {
            data.fill(0xdd);
            return Err(RawError::Told);
        }
        self.keys.decrypt(batch, data)
    }

    fn memory(&mut self, len: usize) -> Option<Box<dyn SharedMemory>> {
        self.asked.push(len);
        if !self.gives_memory {
            return None;
        }
        let before = self.alive.fetch_add(1, Ordering::Relaxed);
        assert_eq!(before, 0, "there is one piece of memory at a time");
        let memory = vec![0; len];
        let start = memory.as_ptr().addr();
        self.place = Some(start..start + len);
        Some(Box::new(Counted(memory, self.alive.clone())))
    }

    fn recover(&mut self, error: &RawError) -> bool {
        assert!(matches!(error, RawError::Told));
        let left = self.recoveries.checked_sub(1);
        self.recoveries = left.unwrap_or(0);
        left.is_some()
    }
}

fn both() -> (PathBuf, PathBuf, Keys) {
    let (file, clear, keys) = listed()
        .into_iter()
        .find(|f| f.0 == "cbcs-both.mp4")
        .unwrap();
    (sample(&file), sample(&clear), keys)
}

#[test]
fn a_death_under_any_batch_costs_no_sample() {
    let (file, clear, keys) = both();
    let clear = media(&fs::read(clear).unwrap());
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out.mp4");
    let mut whole = Dying::new(&keys, &[], 0);
    let wanted = decrypt_file(&file, &output, &mut whole, &mut |_| ()).unwrap();
    assert!(whole.calls > 10);
    assert_eq!(whole.outside, 0, "all data lay in the decryptor's memory");
    for death in 0..whole.calls {
        // Once more while the fragment is decrypted anew.
        let mut dying = Dying::new(&keys, &[death, death + 1], 2);
        let summary = decrypt_file(&file, &output, &mut dying, &mut |_| ()).unwrap();
        assert_eq!(summary, wanted, "death at {death}");
        assert!(
            media(&fs::read(&output).unwrap()) == clear,
            "death at {death}"
        );
        assert_eq!((dying.outside, dying.recoveries), (0, 0));
    }
}

#[test]
fn what_cannot_be_recovered_from_leaves_no_file() {
    let (file, _, keys) = both();
    let dir = tempfile::tempdir().unwrap();
    for (deaths, recoveries) in [(&[3][..], 0), (&[3, 4, 5], 2)] {
        let mut dying = Dying::new(&keys, deaths, recoveries);
        let failed = decrypt_file(&file, &dir.path().join("out.mp4"), &mut dying, &mut |_| ());
        assert!(matches!(
            failed,
            Err(PlaybackError::Decryptor(RawError::Told))
        ));
        assert_eq!(names(dir.path()), Vec::<String>::new());
    }
}

#[test]
fn of_a_stream_nothing_that_was_lost_is_written() {
    let (file, _, keys) = both();
    let mut dying = Dying::new(&keys, &[9], usize::MAX);
    let mut written = Vec::new();
    let input = File::open(&file).unwrap();
    let failed = decrypt_stream(input, &mut written, &mut dying, &mut |_| ());
    assert!(matches!(
        failed,
        Err(PlaybackError::Decryptor(RawError::Told))
    ));
    assert_eq!(
        dying.recoveries,
        usize::MAX,
        "nobody asked for what is of no use"
    );
    assert!(!written.windows(8).any(|bytes| bytes == [0xdd; 8]));
}

#[test]
fn memory_is_asked_for_when_it_is_too_small_and_not_where_there_is_none() {
    let (file, clear, keys) = both();
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out.mp4");
    let mut with = Dying::new(&keys, &[], 0);
    decrypt_file(&file, &output, &mut with, &mut |_| ()).unwrap();
    assert!(
        with.asked.is_sorted() && with.asked.len() < 4,
        "{:?}",
        with.asked
    );
    // A stream learns from its fragments.
    let mut of_stream = Dying::new(&keys, &[], 0);
    decrypt_stream(
        File::open(&file).unwrap(),
        io::sink(),
        &mut of_stream,
        &mut |_| (),
    )
    .unwrap();
    assert!(!of_stream.asked.is_empty() && of_stream.outside < of_stream.calls);

    let mut without = Dying::new(&keys, &[2], 1);
    without.gives_memory = false;
    decrypt_file(&file, &output, &mut without, &mut |_| ()).unwrap();
    assert_eq!(without.asked.len(), 2, "once, and once after the recovery");
    assert_eq!(
        media(&fs::read(&output).unwrap()),
        media(&fs::read(clear).unwrap())
    );
}

/// Fails when it is asked to get keys, a few times.
struct Forgetful(RawKeys, usize);

impl SampleDecryptor for Forgetful {
    type Error = RawError;

    fn prepare(&mut self, key_ids: &[KeyId], pssh: &[Pssh]) -> Result<(), RawError> {
        self.0.prepare(key_ids, pssh)?;
        if self.1.is_multiple_of(2) {
            Ok(())
        } else {
            Err(RawError::Told)
        }
    }

    fn decrypt(&mut self, batch: &TrackBatch<'_>, data: &mut [u8]) -> Result<(), RawError> {
        self.0.decrypt(batch, data)
    }

    fn recover(&mut self, _: &RawError) -> bool {
        self.1 -= 1;
        true
    }
}

#[test]
fn keys_are_asked_for_again_with_the_same_words_even_of_a_stream() {
    let (file, _, keys) = both();
    let mut forgetful = Forgetful(RawKeys::new(&keys), 1);
    let input = File::open(&file).unwrap();
    decrypt_stream(input, io::sink(), &mut forgetful, &mut |_| ()).unwrap();
    let [first, second] = &forgetful.0.prepared[..] else {
        panic!("{:?}", forgetful.0.prepared)
    };
    assert_eq!(first, second);
}
