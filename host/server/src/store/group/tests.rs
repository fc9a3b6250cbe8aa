#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on says where by panicking"
)]

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use redb::{Database, StorageBackend};

use super::{Groups, MOST, lock};
use crate::store::{Change, Store, StoreError};

/// What was written, and what of it would outlive a crash: what was there when it was last synced.
#[derive(Debug, Default)]
struct Platter {
    written: Vec<u8>,
    synced: Vec<u8>,
    syncs: usize,
    broken: bool,
}

#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<Platter>>);

impl Disk {
    fn store(&self) -> Store {
        Store {
            database: Database::builder()
                .create_with_backend(self.clone())
                .unwrap(),
            groups: Groups::default(),
        }
    }

    /// A number of the store, as it would be found after a crash at this moment.
    fn after_a_crash(&self, name: &str) -> u64 {
        let written = lock(&self.0).synced.clone();
        let left = Self(Arc::new(Mutex::new(Platter {
            written,
            ..Platter::default()
        })));
        left.store().view().unwrap().number(name).unwrap()
    }

    fn syncs(&self) -> usize {
        lock(&self.0).syncs
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(lock(&self.0).written.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        out.copy_from_slice(&lock(&self.0).written[at..][..out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        lock(&self.0)
            .written
            .resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platter = lock(&self.0);
        if platter.broken {
            return Err(io::Error::other("the disk is broken"));
        }
        platter.synced = platter.written.clone();
        platter.syncs += 1;
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        lock(&self.0).written[at..][..data.len()].copy_from_slice(data);
        Ok(())
    }
}

/// What one member does in its turn.
type Work<'a> = &'a (dyn Fn(&Change) -> Result<(), StoreError> + Sync);

/// Makes a first change that keeps its turn until the others wait for theirs, so that they are its
/// company. Gives what became of each, the first one's last, and how often that was done.
fn in_company(
    store: &Store,
    others: &[Work<'_>],
) -> (Vec<thread::Result<Result<(), StoreError>>>, usize) {
    let done = AtomicUsize::new(0);
    let outcomes = thread::scope(|scope| {
        let first = scope.spawn(|| {
            store.change(|change| {
                if done.fetch_add(1, Ordering::Relaxed) == 0 {
                    while store.groups.arriving.load(Ordering::Relaxed) < others.len() {
                        thread::yield_now();
                    }
                }
                change.set_number("first", 1)
            })
        });
        while done.load(Ordering::Relaxed) == 0 {
            thread::yield_now();
        }
        let others: Vec<_> = others
            .iter()
            .map(|work| scope.spawn(move || store.change(work)))
            .collect();
        let members = others.into_iter().chain([first]);
        members.map(thread::ScopedJoinHandle::join).collect()
    });
    (outcomes, done.into_inner())
}

#[test]
fn changes_that_wait_for_one_another_are_durable_with_one_commit() {
    let disk = Disk::default();
    let store = disk.store();
    store
        .change(|change| change.set_number("syncs", 1))
        .unwrap();
    let alone = disk.syncs();
    store
        .change(|change| change.set_number("syncs", 2))
        .unwrap();
    let alone = disk.syncs() - alone;
    let (most, before) = (AtomicUsize::new(0), disk.syncs());
    let names = ["second", "third", "fourth"];
    let others = names.map(|name| {
        let (store, most) = (&store, &most);
        move |change: &Change| {
            change.set_number(name, 1)?;
            let mut seen = 0;
            for name in ["first", "second", "third", "fourth"] {
                seen += usize::try_from(change.number(name)?).unwrap();
                assert_eq!(
                    store.view()?.number(name)?,
                    0,
                    "nobody else sees {name} yet"
                );
            }
            most.fetch_max(seen, Ordering::Relaxed);
            Ok(())
        }
    });
    let (outcomes, done) = in_company(&store, &others.each_ref().map(|work| work as Work<'_>));
    assert!(outcomes.into_iter().all(|outcome| outcome.unwrap().is_ok()));
    assert_eq!(done, 1);
    assert_eq!(most.into_inner(), 4, "each sees those before it");
    assert_eq!(disk.syncs() - before, alone, "as many as a change alone");
    for name in ["first", "second", "third", "fourth"] {
        assert_eq!(disk.after_a_crash(name), 1, "{name}");
    }
}

#[test]
fn a_change_is_durable_when_its_caller_hears_of_it() {
    let disk = Disk::default();
    let store = disk.store();
    thread::scope(|scope| {
        for name in ["a", "b", "c", "d"] {
            let (disk, store) = (&disk, &store);
            scope.spawn(move || {
                for number in 1..8 {
                    store
                        .change(|change| change.set_number(name, number))
                        .unwrap();
                    assert_eq!(disk.after_a_crash(name), number, "{name}");
                }
            });
        }
    });
}

#[test]
fn a_change_that_fails_takes_nobody_with_it() {
    let disk = Disk::default();
    let store = disk.store();
    let fails = |change: &Change| {
        change.set_number("second", 1)?;
        Err(StoreError::Random)
    };
    let works = |change: &Change| change.set_number("third", 1);
    let (mut outcomes, done) = in_company(&store, &[&fails, &works]);
    let (first, third, second) = (outcomes.pop(), outcomes.pop(), outcomes.pop());
    assert!(matches!(second.unwrap().unwrap(), Err(StoreError::Random)));
    third.unwrap().unwrap().unwrap();
    first.unwrap().unwrap().unwrap();
    assert_eq!(done, 2, "it was undone with the other, and done again");
    let left = ["first", "second", "third"].map(|name| disk.after_a_crash(name));
    assert_eq!(left, [1, 0, 1]);
}

#[test]
fn a_change_that_panics_takes_nobody_with_it() {
    let disk = Disk::default();
    let store = disk.store();
    let panics = |change: &Change| {
        change.set_number("second", 1)?;
        panic!("what a change may do at worst")
    };
    let (mut outcomes, _) = in_company(&store, &[&panics]);
    let first = outcomes.pop();
    assert!(outcomes.pop().unwrap().is_err());
    first.unwrap().unwrap().unwrap();
    store
        .change(|change| change.set_number("third", 1))
        .unwrap();
    let left = ["first", "second", "third"].map(|name| disk.after_a_crash(name));
    assert_eq!(left, [1, 0, 1]);
}

#[test]
fn a_commit_that_fails_fails_for_all() {
    let disk = Disk::default();
    let store = disk.store();
    store
        .change(|change| change.set_number("before", 1))
        .unwrap();
    let breaks = |change: &Change| {
        lock(&disk.0).broken = true;
        change.set_number("second", 1)
    };
    let (outcomes, done) = in_company(&store, &[&breaks]);
    for outcome in outcomes {
        assert!(matches!(outcome.unwrap(), Err(StoreError::Group(_))));
    }
    assert_eq!(done, 1, "what may be durable is not done again");
    assert_eq!(disk.after_a_crash("before"), 1);
    assert_eq!(disk.after_a_crash("second"), 0);
}

#[test]
fn a_full_group_waits_for_nobody() {
    let disk = Disk::default();
    let store = disk.store();
    // One that never comes.
    store.groups.arriving.fetch_add(1, Ordering::Relaxed);
    thread::scope(|scope| {
        for _ in 0..MOST {
            scope.spawn(|| {
                store.change(|change| change.set_number("members", change.number("members")? + 1))
            });
        }
    });
    assert_eq!(disk.after_a_crash("members"), MOST as u64);
}

#[test]
fn a_change_that_was_announced_is_waited_for() {
    let disk = Disk::default();
    let mut store = disk.store();
    store.groups.patience = Duration::from_secs(3600);
    let coming = store.announce();
    thread::scope(|scope| {
        let first = scope.spawn(|| store.change(|change| change.set_number("first", 1)));
        while lock(&store.groups.open).is_none() {
            thread::yield_now();
        }
        assert_eq!(disk.after_a_crash("first"), 0, "it waits");
        let before = disk.syncs();
        drop(coming);
        store
            .change(|change| change.set_number("second", change.number("first")?))
            .unwrap();
        assert!(disk.syncs() > before);
        first.join().unwrap().unwrap();
    });
    assert_eq!(disk.after_a_crash("first"), 1);
    assert_eq!(disk.after_a_crash("second"), 1, "it came into the group");
}

#[test]
fn a_change_that_was_announced_and_does_not_come_is_not_waited_for_long() {
    let disk = Disk::default();
    let store = disk.store();
    let _stays_away = store.announce();
    thread::scope(|scope| {
        for name in ["first", "second", "third"] {
            let (disk, store) = (&disk, &store);
            scope.spawn(move || {
                store.change(|change| change.set_number(name, 1)).unwrap();
                assert_eq!(disk.after_a_crash(name), 1, "{name}");
            });
        }
    });
}
