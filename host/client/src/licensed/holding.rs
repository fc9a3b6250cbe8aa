//! What a session holds for a decryptor, and which licence makes room for a new one.

use std::collections::{HashMap, HashSet};

use crate::client::Intake;
use crate::{KeyId, License, LicenseId, Session, Statuses, TrackType};

/// The keys at hand and the licences that were acquired for them.
#[derive(Default)]
pub(super) struct Holding {
    /// Every licence that came or was held at the beginning, as it was then.
    pub(super) licenses: Vec<License>,
    /// What the keys that the session holds are for.
    tracks: HashMap<KeyId, TrackType>,
    /// Keys that were given up for others.
    given_up: HashSet<KeyId>,
    /// The licences that were acquired here and are held, each with the use it was last of.
    acquired: Vec<(LicenseId, u64)>,
    /// The newest of them that holds a key, by its id.
    holders: HashMap<KeyId, LicenseId>,
    uses: u64,
    /// A licence that was of use after this one is needed now.
    begun: u64,
}

impl Holding {
    /// Takes over what the session holds now.
    pub(super) fn look(&mut self, statuses: &Statuses) {
        let held = statuses.licenses.iter().flat_map(|license| &license.keys);
        let held = held.filter_map(|key| statuses.key(&key.id));
        self.tracks = held.map(|key| (key.id, key.track_type)).collect();
    }

    /// Forgets what a trusted side that died has lost.
    pub(super) fn lost(&mut self) {
        self.tracks.clear();
        self.acquired.clear();
        self.holders.clear();
    }

    /// From here on licences come that are needed together: none of them makes room for another.
    pub(super) fn begin(&mut self) {
        self.begun = self.uses;
    }

    /// The keys that the session holds.
    pub(super) fn key_ids(&self) -> Vec<KeyId> {
        let mut ids: Vec<KeyId> = self.tracks.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// What a key is for, if it is held.
    pub(super) fn track(&self, key: &KeyId) -> Option<TrackType> {
        self.tracks.get(key).copied()
    }

    /// Whether a key was given up and is not held again.
    pub(super) fn is_given_up(&self, key: &KeyId) -> bool {
        self.given_up.contains(key) && !self.tracks.contains_key(key)
    }

    /// A key is used.
    pub(super) fn used(&mut self, key: &KeyId) {
        self.uses += 1;
        let holder = self.holders.get(key);
        let mut acquired = self.acquired.iter_mut();
        if let Some((_, used)) = acquired.find(|(id, _)| Some(id) == holder) {
            *used = self.uses;
        }
    }
}

impl Intake for Holding {
    fn came(&mut self, license: License) {
        self.uses += 1;
        let id = license.id;
        self.acquired.retain(|(other, _)| *other != id);
        self.acquired.push((id, self.uses));
        for key in &license.keys {
            self.tracks.insert(key.id, key.track_type);
            self.holders.insert(key.id, id);
        }
        self.licenses.push(license);
    }

    /// Takes away the licence that was of use longest ago.
    fn make_room(&mut self, session: &Session) -> bool {
        let old = self.acquired.iter().enumerate();
        let old = old.filter(|(_, (_, used))| *used <= self.begun);
        let Some((at, _)) = old.min_by_key(|(_, (_, used))| *used) else {
            return false;
        };
        let (id, _) = self.acquired.remove(at);
        self.holders.retain(|key, holder| {
            if *holder == id {
                self.tracks.remove(key);
                self.given_up.insert(*key);
            }
            *holder != id
        });
        // One that the trusted side has taken away itself has made room already; of a dead one the next
        // call tells.
        let _ = session.remove_license(&id);
        true
    }
}
