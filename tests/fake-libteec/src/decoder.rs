//! The decoder on a board: an instance a session, whose calls of the key TA find the board that it
//! runs on.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use keybearer_ta_decoder::Session;
use keybearer_ta_decoder::output::of_this_platform;
use keybearer_ta_decoder::sys::KeyTa;
use keybearer_ta_entry::params::CommandSlots;
use keybearer_ta_entry::serve::serve;
use keybearer_wire::decoder::MAX_DECODER_RESPONSE;
use optee_teec_sys as raw;

use crate::abi::Moved;
use crate::board::Board;

/// An instance of the decoder; empty once it has died.
pub(crate) struct Instance {
    session: Mutex<Option<Moved>>,
    /// Its sessions of the key TA, which OP-TEE closes when the instance dies.
    opened: Arc<Mutex<Vec<u32>>>,
}

/// Milliseconds since somebody asked first: the board's clock, as its decoders read it.
fn now() -> u64 {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(BEGIN.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Where the instance that this thread runs finds the key TA.
#[derive(Clone)]
pub(crate) struct Place {
    board: Board,
    opened: Arc<Mutex<Vec<u32>>>,
}

thread_local! {
    /// `None` while no instance runs on this thread, and while one dies: then there is no key TA.
    static RUNNING: RefCell<Option<Place>> = const { RefCell::new(None) };
}

/// Ends a run, also when it panics.
struct Run;

impl Run {
    fn of(place: Place) -> Self {
        RUNNING.with_borrow_mut(|running| *running = Some(place));
        Self
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        RUNNING.with_borrow_mut(Option::take);
    }
}

impl Place {
    /// The place of the instance that this thread runs.
    pub(crate) fn of_this_thread() -> Option<Self> {
        RUNNING.with_borrow(Clone::clone)
    }

    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    pub(crate) fn opened(&self, number: u32) {
        locked(&self.opened).push(number);
    }

    pub(crate) fn closed(&self, number: u32) {
        locked(&self.opened).retain(|open| *open != number);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Instance {
    pub(crate) fn new() -> Self {
        Self {
            session: Mutex::new(Some(Moved(Session::new(KeyTa, of_this_platform(), now)))),
            opened: Arc::default(),
        }
    }

    pub(crate) fn lives(&self) -> bool {
        // One that is at work lives.
        self.session
            .try_lock()
            .map_or(true, |session| session.is_some())
    }

    /// Runs a command, as `ta/decoder`'s entry point does it.
    pub(crate) fn invoke(&self, board: &Board, command: u32, slots: &mut CommandSlots<'_>) -> u32 {
        let mut session = locked(&self.session);
        let Some(alive) = session.as_mut() else {
            return raw::TEEC_ERROR_TARGET_DEAD;
        };
        let run = Run::of(self.place(board));
        // A panic ends the instance and must not cross the C interface.
        let served = catch_unwind(AssertUnwindSafe(|| {
            serve(slots, MAX_DECODER_RESPONSE, |request, media| {
                alive.0.call(command, request, media.input())
            })
        }));
        drop(run);
        match served {
            Ok(Ok(())) => raw::TEEC_SUCCESS,
            Ok(Err(error)) => error.raw_code(),
            Err(_) => {
                self.end(&mut session, board);
                raw::TEEC_ERROR_TARGET_DEAD
            }
        }
    }

    /// Ends the session in order.
    pub(crate) fn close(&self, board: &Board) {
        let _run = Run::of(self.place(board));
        locked(&self.session).take();
    }

    /// The instance dies, with everything in its memory.
    pub(crate) fn die(&self, board: &Board) {
        self.end(&mut locked(&self.session), board);
    }

    /// No last words reach the key TA, since no instance runs on this thread: it learns of the death
    /// by OP-TEE's closing the sessions.
    fn end(&self, session: &mut Option<Moved>, board: &Board) {
        session.take();
        let opened = std::mem::take(&mut *locked(&self.opened));
        opened
            .into_iter()
            .for_each(|number| board.close_session(number));
    }

    fn place(&self, board: &Board) -> Place {
        Place {
            board: board.clone(),
            opened: Arc::clone(&self.opened),
        }
    }
}
