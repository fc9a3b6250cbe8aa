//! Changes that become durable together, with one commit.
//!
//! Promises each change what it would have alone: it sees those before it, it is durable when its
//! caller hears of it, and it leaves nothing behind when it fails. Waiting for the disk is what a
//! change costs most, and whoever comes while another waits for it joins the next group. A change may
//! be announced before it comes, and those before it wait for it, for [`PATIENCE`] at most: nobody is
//! made to wait for company of which nothing is known. Trusts no change: one that fails, or panics,
//! takes none of its company with it; nor an announcement, which may come to nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redb::Database;

use super::{Change, StoreError};

/// Members of a group at most, so that those who came first are not kept waiting by those who
/// still come.
const MOST: usize = 64;

/// How long a group waits for those who were announced: about as long as the disk takes.
const PATIENCE: Duration = Duration::from_millis(2);

/// Where changes meet.
pub(super) struct Groups {
    /// The group that more may join. Held while a change is made or a group is committed: changes
    /// come one after the other.
    open: Mutex<Option<Group>>,
    /// How many are about to take their turn. Whoever leaves a group open for them knows that another
    /// will come.
    arriving: AtomicUsize,
    /// How many were announced. Whoever leaves a group open for them ends it if they stay away.
    announced: AtomicUsize,
    /// [`PATIENCE`], but for tests.
    patience: Duration,
}

impl Default for Groups {
    fn default() -> Self {
        Self {
            open: Mutex::default(),
            arriving: AtomicUsize::default(),
            announced: AtomicUsize::default(),
            patience: PATIENCE,
        }
    }
}

/// Says that a change is coming. To be dropped when it comes, or when it turns out that none does.
pub(crate) struct Announced<'a>(&'a AtomicUsize);

impl Drop for Announced<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Changes in one transaction, one after the other.
struct Group {
    // Before the end: the transaction is over when the members hear that it is.
    change: Change,
    members: usize,
    end: Ending,
}

/// How a group ended, for those who wait for it.
#[derive(Default)]
struct End {
    outcome: Mutex<Option<Outcome>>,
    told: Condvar,
}

/// The group's own hold of its end: dropped without a word, it says that all is undone.
#[derive(Default)]
struct Ending(Arc<End>);

#[derive(Clone)]
enum Outcome {
    Durable,
    /// The commit failed. It may have become durable all the same, so nobody may try again.
    Failed(Arc<StoreError>),
    /// A member failed before the commit, and what the others did went with it.
    Undone,
}

impl Groups {
    /// Announces a change.
    pub(super) fn announce(&self) -> Announced<'_> {
        self.announced.fetch_add(1, Ordering::Relaxed);
        Announced(&self.announced)
    }

    /// Makes a change in company. None where a member that came later failed and the change was
    /// undone with it: it is to be made again, [alone](Self::alone).
    pub(super) fn together<T, E: From<StoreError>>(
        &self,
        database: &Database,
        work: &impl Fn(&Change) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        self.arriving.fetch_add(1, Ordering::Relaxed);
        let mut open = lock(&self.open);
        // Changed and read under the lock but for the addition before it, so that what is read is
        // never more than who really comes.
        self.arriving.fetch_sub(1, Ordering::Relaxed);
        let mut group = match open.take() {
            Some(group) => group,
            None => Group::begin(database)?,
        };
        // A failure, or a panic, drops the group here: it is undone, and its members are told.
        let result = work(&group.change)?;
        group.members += 1;
        let expected = [&self.arriving, &self.announced];
        let nobody = |of: &AtomicUsize| of.load(Ordering::Relaxed) == 0;
        if expected.into_iter().all(nobody) || group.members >= MOST {
            group.commit()?;
            return Ok(Some(result));
        }
        let end = Arc::clone(&group.end.0);
        *open = Some(group);
        drop(open);
        let outcome = match end.wait_for(self.patience) {
            Some(outcome) => outcome,
            None => {
                self.end(&end);
                end.wait()
            }
        };
        match outcome {
            Outcome::Durable => Ok(Some(result)),
            Outcome::Failed(error) => Err(StoreError::Group(error).into()),
            Outcome::Undone => Ok(None),
        }
    }

    /// Ends a group that has waited long enough, unless that was done, or somebody comes who will.
    fn end(&self, waited: &Arc<End>) {
        let mut open = lock(&self.open);
        if self.arriving.load(Ordering::Relaxed) > 0 {
            return;
        }
        let group = open.take_if(|group| Arc::ptr_eq(&group.end.0, waited));
        if let Some(group) = group {
            // Should it fail, its members hear of it, who asks among them.
            let _ = group.commit();
        }
    }

    /// Makes a change that nobody else's failure undoes.
    pub(super) fn alone<T, E: From<StoreError>>(
        &self,
        database: &Database,
        work: &impl Fn(&Change) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut open = lock(&self.open);
        if let Some(group) = open.take() {
            // Should it fail, its members hear of it. If the store is done for, so does this change.
            let _ = group.commit();
        }
        let group = Group::begin(database)?;
        let result = work(&group.change)?;
        group.commit()?;
        Ok(result)
    }
}

impl Group {
    fn begin(database: &Database) -> Result<Self, StoreError> {
        let transaction = database.begin_write()?;
        Ok(Self {
            change: Change { transaction },
            members: 0,
            end: Ending::default(),
        })
    }

    /// Makes the group durable and tells its members.
    fn commit(self) -> Result<(), StoreError> {
        match self.change.transaction.commit() {
            Ok(()) => {
                self.end.tell(Outcome::Durable);
                Ok(())
            }
            Err(error) => {
                let error = Arc::new(error.into());
                self.end.tell(Outcome::Failed(Arc::clone(&error)));
                Err(StoreError::Group(error))
            }
        }
    }
}

impl Ending {
    fn tell(&self, outcome: Outcome) {
        lock(&self.0.outcome).get_or_insert(outcome);
        self.0.told.notify_all();
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.tell(Outcome::Undone);
    }
}

impl End {
    /// The outcome, if it is told within this time.
    fn wait_for(&self, time: Duration) -> Option<Outcome> {
        let (outcome, _) = self
            .told
            .wait_timeout_while(lock(&self.outcome), time, |outcome| outcome.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        outcome.clone()
    }

    fn wait(&self) -> Outcome {
        let mut outcome = lock(&self.outcome);
        loop {
            if let Some(outcome) = &*outcome {
                return outcome.clone();
            }
            outcome = self
                .told
                .wait(outcome)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Nothing is left half done under these locks: what a panic interrupts was taken out before.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
