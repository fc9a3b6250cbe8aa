//! Provision requests that wait for their answers.

use alloc::vec::Vec;

use keybearer_crypto::{Digest, PublicKey};
use keybearer_license::PendingProvision;
use keybearer_wire::Status;
use keybearer_wire::limits::MAX_ANCHORS;

use crate::core::ClientId;
use crate::platform::Moment;

/// A provision request without its answer.
pub(crate) struct PendingProvisioning {
    pub(crate) client: ClientId,
    pub(crate) anchor: Digest,
    /// Root key that the service info brought and the anchor's digest vouches for.
    pub(crate) root: PublicKey,
    pub(crate) request: PendingProvision,
    /// When it was built; `None` without a clock.
    pub(crate) sent: Option<Moment>,
}

/// All of them: one for each client and anchor.
#[derive(Default)]
pub(crate) struct Provisionings(Vec<PendingProvisioning>);

impl Provisionings {
    /// Tests that [`Self::insert`] has a place for a request, and takes the memory for it.
    ///
    /// # Errors
    /// As [`Self::insert`]; [`Status::OutOfMemory`].
    pub(crate) fn make_room(&mut self, client: ClientId, anchor: &Digest) -> Result<(), Status> {
        if self.0.len() >= MAX_ANCHORS && self.get(client, anchor).is_err() {
            return Err(Status::LimitExceeded);
        }
        self.0.try_reserve(1).map_err(|_| Status::OutOfMemory)
    }

    /// Keeps a request; the client's former one under the anchor is forgotten.
    ///
    /// # Errors
    /// [`Status::LimitExceeded`] when other requests take all the room: nobody else's is dropped.
    pub(crate) fn insert(&mut self, pending: PendingProvisioning) -> Result<(), Status> {
        self.remove(pending.client, &pending.anchor);
        if self.0.len() >= MAX_ANCHORS {
            return Err(Status::LimitExceeded);
        }
        self.0.push(pending);
        Ok(())
    }

    /// The client's request under an anchor.
    ///
    /// # Errors
    /// [`Status::NoPendingProvisioning`].
    pub(crate) fn get(
        &self,
        client: ClientId,
        anchor: &Digest,
    ) -> Result<&PendingProvisioning, Status> {
        self.0
            .iter()
            .find(|pending| pending.client == client && pending.anchor == *anchor)
            .ok_or(Status::NoPendingProvisioning)
    }

    /// Forgets the client's request under an anchor.
    pub(crate) fn remove(&mut self, client: ClientId, anchor: &Digest) {
        self.0
            .retain(|pending| pending.client != client || pending.anchor != *anchor);
    }

    /// Forgets all requests that `which` picks.
    pub(crate) fn remove_all(&mut self, which: impl Fn(&PendingProvisioning) -> bool) {
        self.0.retain(|pending| !which(pending));
    }
}
