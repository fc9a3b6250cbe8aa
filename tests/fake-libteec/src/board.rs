//! A simulated device, and what a test does to it behind the interface's back.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keybearer_core::{Caller, ClientId, Outputs};
use keybearer_ta_entry::params::{CommandSlots, GivenSlots, SharedInput};
use optee_teec_sys as raw;

use crate::application::{Answer, Application};
use crate::decoder::Instance;
use crate::monitor::BoardOutputs;
use crate::platform::Machine;
use crate::protected::ProtectedBuffers;

/// A call of the interface that a test may let fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// `TEEC_InitializeContext`.
    InitializeContext,
    /// `TEEC_OpenSession`.
    OpenSession,
    /// `TEEC_AllocateSharedMemory` and `TEEC_RegisterSharedMemory`.
    SharedMemory,
    /// `TEEC_InvokeCommand`.
    InvokeCommand,
}

/// What is open on a board, in the words of [`Board::open`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handle {
    Context,
    Session,
    Memory,
}

impl Handle {
    const fn name(self) -> &'static str {
        match self {
            Self::Context => "context",
            Self::Session => "session",
            Self::Memory => "memory",
        }
    }
}

/// Instances of the decoder at once, as its heap and the memory of OP-TEE's usual image allow.
const DECODERS: usize = 1;

/// A session of the TEE.
enum Session {
    /// With the key TA; `None`: the instance that served it has died.
    Key(Option<ClientId>),
    /// With an instance of the decoder of its own.
    Decoder(Arc<Instance>),
    /// With the test monitor.
    Monitor,
}

/// Answers commands in the trusted application's place: command, request, media.
type Script = Box<dyn FnMut(u32, &[u8], &[u8]) -> Answer + Send>;

/// What is behind the board's lock: one call at a time, as in a single-instance application. A call of
/// the decoder runs outside of it and takes it when it calls the key TA.
struct State {
    machine: Machine,
    application: Option<Application>,
    sessions: BTreeMap<u32, Session>,
    next_session: u32,
    decoders: usize,
    refusals: BTreeMap<Call, u32>,
    script: Option<Script>,
    open: Vec<Handle>,
    memories: Vec<usize>,
    commands: Vec<u32>,
}

/// A simulated device. Clones are the same one; it lives as long as one of them or a context.
#[derive(Clone)]
pub struct Board {
    state: Arc<Mutex<State>>,
    /// Apart from the state, which is locked for the time of a call.
    cancellations: Arc<AtomicUsize>,
    buffers: ProtectedBuffers,
    /// Apart from the state too: the key TA asks during its calls.
    outputs: BoardOutputs,
}

thread_local! {
    /// Boards plugged in for this thread; the last one is the TEE that it finds.
    static PLUGGED: RefCell<Vec<Board>> = const { RefCell::new(Vec::new()) };
}

/// A board plugged in for this thread; dropping it takes the board out again.
pub struct Plugged {
    _of_this_thread: PhantomData<*const ()>,
}

impl Drop for Plugged {
    fn drop(&mut self) {
        PLUGGED.with_borrow_mut(Vec::pop);
    }
}

impl Default for Board {
    fn default() -> Self {
        Self::new()
    }
}

impl Board {
    /// A device that has never been used.
    #[must_use]
    pub fn new() -> Self {
        Self::of(BoardOutputs::default())
    }

    /// As [`Self::new`], with a test monitor, whose word on the outputs is the only one.
    #[must_use]
    pub fn monitored() -> Self {
        Self::of(BoardOutputs::with_monitor())
    }

    fn of(outputs: BoardOutputs) -> Self {
        let state = State {
            machine: Machine::new(outputs.clone()),
            application: None,
            sessions: BTreeMap::new(),
            next_session: 1,
            decoders: DECODERS,
            refusals: BTreeMap::new(),
            script: None,
            open: Vec::new(),
            memories: Vec::new(),
            commands: Vec::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            cancellations: Arc::default(),
            buffers: ProtectedBuffers::default(),
            outputs,
        }
    }

    /// Has it say that it is a TEE of level High which accepts this anchor alone, as the genuine
    /// application's build does: for what depends on levels. It stays marked as a debug device, and only
    /// an instance that is not running yet says so.
    #[must_use]
    pub fn posing_as_high(self, anchor: [u8; 32]) -> Self {
        self.state().machine.pose(anchor);
        self
    }

    /// Makes it the TEE of contexts that this thread opens from now on.
    #[must_use = "it is taken out again when the result is dropped"]
    pub fn plug(&self) -> Plugged {
        PLUGGED.with_borrow_mut(|plugged| plugged.push(self.clone()));
        Plugged {
            _of_this_thread: PhantomData,
        }
    }

    /// Lets every such call fail with this code from now on; 0 lets it work again.
    pub fn refuse(&self, call: Call, code: u32) {
        self.state().refusals.insert(call, code);
    }

    /// Answers commands in the application's place from now on.
    pub fn script(&self, script: impl FnMut(u32, &[u8], &[u8]) -> Answer + Send + 'static) {
        self.state().script = Some(Box::new(script));
    }

    /// Leaves commands to the application again.
    pub fn unscript(&self) {
        self.state().script = None;
    }

    /// The key TA dies, as by a panic: its sessions are of no more use, what it had in memory is
    /// gone, and the next session starts another instance over the same storage.
    pub fn kill(&self) {
        self.state().die();
    }

    /// Every instance of the decoder dies, and nobody else.
    pub fn kill_decoders(&self) {
        for instance in self.instances() {
            instance.die(self);
        }
    }

    /// So many instances of the decoder find memory from now on; at first it is one.
    pub fn decoders(&self, at_once: usize) {
        self.state().decoders = at_once;
    }

    /// Power off and on: both applications die, and the clock starts anew.
    pub fn reboot(&self) {
        self.kill_decoders();
        let mut state = self.state();
        state.die();
        state.machine.reboot();
    }

    /// Lets time pass at once.
    pub fn advance(&self, by: Duration) {
        self.state().machine.advance(by);
    }

    /// Sets the clock back, as no clock of a device may be.
    pub fn set_back(&self, by: Duration) {
        self.state().machine.set_back(by);
    }

    /// What is open, oldest first: `context`, `session`, `memory`.
    #[must_use]
    pub fn open(&self) -> Vec<&'static str> {
        self.state().open.iter().map(|open| open.name()).collect()
    }

    /// Sizes of the memories shared so far, in bytes.
    #[must_use]
    pub fn memories(&self) -> Vec<usize> {
        self.state().memories.clone()
    }

    /// Commands that arrived so far.
    #[must_use]
    pub fn commands(&self) -> Vec<u32> {
        self.state().commands.clone()
    }

    /// How often a client has asked to cancel a call; a script may look at it while it answers one.
    #[must_use]
    pub fn cancellations(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.cancellations)
    }

    /// A buffer of `size` bytes that no client can look into, as the TEE's heap gives out.
    ///
    /// # Panics
    /// When the system has no descriptor left.
    #[must_use]
    pub fn protected_buffer(&self, size: usize) -> OwnedFd {
        self.buffers.make(size)
    }

    /// What is in the buffer of `fd`.
    #[must_use]
    pub fn protected_content(&self, fd: BorrowedFd<'_>) -> Option<Vec<u8>> {
        self.buffers.content(fd)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the C interface needs.
impl Board {
    /// The board that this thread finds.
    pub(crate) fn plugged() -> Option<Self> {
        PLUGGED.with_borrow(|plugged| plugged.last().cloned())
    }

    /// The code that a test wants of a call, if any.
    pub(crate) fn refusal(&self, call: Call) -> Result<(), u32> {
        match self.state().refusals.get(&call) {
            None | Some(&raw::TEEC_SUCCESS) => Ok(()),
            Some(code) => Err(*code),
        }
    }

    pub(crate) fn opened(&self, handle: Handle) {
        self.state().open.push(handle);
    }

    /// # Panics
    /// When nothing of it is open, or a context goes before what it holds: a client's mistake that
    /// the genuine libteec turns into undefined behaviour.
    pub(crate) fn closed(&self, handle: Handle) {
        let mut state = self.state();
        let at = state.open.iter().rposition(|open| *open == handle);
        state.open.remove(at.expect("closed without being open"));
        let contexts = state.open.iter().filter(|open| **open == Handle::Context);
        assert!(
            handle != Handle::Context || contexts.count() > 0 || state.open.is_empty(),
            "a context goes last"
        );
    }

    /// Where the buffer of a descriptor lies, if the board has made it.
    pub(crate) fn protected(&self, fd: BorrowedFd<'_>) -> Option<(*mut u8, usize)> {
        self.buffers.find(fd)
    }

    pub(crate) fn shared(&self, size: usize) {
        self.state().memories.push(size);
    }

    /// Opens a session of the key TA for `caller`, starting it where it does not run.
    pub(crate) fn open_session(&self, caller: Caller) -> Result<u32, u32> {
        let mut state = self.state();
        let State {
            application,
            machine,
            ..
        } = &mut *state;
        if application.is_none() {
            *application = Application::start(machine);
        }
        let application = application.as_mut().ok_or(raw::TEEC_ERROR_OUT_OF_MEMORY)?;
        let client = application.open(caller).ok_or(raw::TEEC_ERROR_BUSY)?;
        Ok(state.remember(Session::Key(Some(client))))
    }

    /// Opens a session of the decoder, which gets an instance of its own if there is memory for one.
    pub(crate) fn open_decoder(&self) -> Result<u32, u32> {
        let mut state = self.state();
        let sessions = state.sessions.values();
        let living = sessions.filter(|session| match session {
            Session::Decoder(instance) => instance.lives(),
            Session::Key(_) | Session::Monitor => false,
        });
        if living.count() >= state.decoders {
            return Err(raw::TEEC_ERROR_OUT_OF_MEMORY);
        }
        Ok(state.remember(Session::Decoder(Arc::new(Instance::new()))))
    }

    /// Opens a session of the test monitor, where the board has one.
    pub(crate) fn open_monitor(&self) -> Result<u32, u32> {
        if self.outputs.has_monitor() {
            Ok(self.state().remember(Session::Monitor))
        } else {
            Err(raw::TEEC_ERROR_ITEM_NOT_FOUND)
        }
    }

    pub(crate) fn close_session(&self, number: u32) {
        let mut state = self.state();
        match state.sessions.remove(&number) {
            Some(Session::Key(Some(client))) => {
                if let Some(application) = &mut state.application {
                    application.close(client);
                }
            }
            Some(Session::Decoder(instance)) => {
                drop(state); // its last words go to the key TA
                instance.close(self);
            }
            _ => {}
        }
    }

    /// Runs a command that the host sends to a session.
    pub(crate) fn invoke(&self, number: u32, command: u32, mut slots: GivenSlots<'_>) -> Outcome {
        let mut state = self.state();
        state.commands.push(command);
        if let Some(Session::Decoder(instance)) = state.sessions.get(&number)
            && state.script.is_none()
        {
            let instance = Arc::clone(instance);
            drop(state);
            return match &mut slots.0 {
                Ok(slots) => instance.invoke(self, command, slots).into(),
                Err(error) => error.raw_code().into(),
            };
        }
        let monitor = matches!(state.sessions.get(&number), Some(Session::Monitor));
        drop(state);
        if monitor {
            return match &mut slots.0 {
                Ok(slots) => self.outputs.invoke(command, slots).into(),
                Err(error) => error.raw_code().into(),
            };
        }
        self.serve(number, command, slots)
    }

    /// Runs a command of the key TA, or lets the script answer it.
    pub(crate) fn serve(&self, number: u32, command: u32, mut slots: GivenSlots<'_>) -> Outcome {
        let mut state = self.state();
        let client = match state.sessions.get(&number) {
            None => return raw::TEEC_ERROR_BAD_PARAMETERS.into(),
            Some(Session::Key(None)) => return raw::TEEC_ERROR_TARGET_DEAD.into(),
            Some(Session::Key(Some(client))) => Some(*client),
            Some(Session::Decoder(_) | Session::Monitor) => None,
        };
        let State {
            application,
            script,
            ..
        } = &mut *state;
        // A panic ends the application and must not cross the C interface.
        let served = catch_unwind(AssertUnwindSafe(|| match (script, application, client) {
            (Some(script), ..) => Some(match &mut slots.0 {
                Ok(slots) => scripted(script, command, slots),
                Err(error) => error.raw_code().into(),
            }),
            (None, Some(application), Some(client)) => {
                Some(application.invoke(client, command, &mut slots))
            }
            _ => None,
        }));
        served.ok().flatten().unwrap_or_else(|| {
            state.die();
            raw::TEEC_ERROR_TARGET_DEAD.into()
        })
    }

    fn instances(&self) -> Vec<Arc<Instance>> {
        let state = self.state();
        let sessions = state.sessions.values();
        let instances = sessions.filter_map(|session| match session {
            Session::Decoder(instance) => Some(Arc::clone(instance)),
            Session::Key(_) | Session::Monitor => None,
        });
        instances.collect()
    }
}

impl State {
    fn remember(&mut self, session: Session) -> u32 {
        let number = self.next_session;
        self.next_session += 1;
        self.sessions.insert(number, session);
        number
    }

    fn die(&mut self) {
        self.application = None;
        for session in self.sessions.values_mut() {
            if let Session::Key(client) = session {
                *client = None;
            }
        }
    }
}

/// How a command ended.
pub(crate) struct Outcome {
    pub(crate) code: u32,
    /// Sizes of response and media to tell the client, where a script lies about them.
    pub(crate) claimed: Option<(usize, usize)>,
}

impl From<u32> for Outcome {
    fn from(code: u32) -> Self {
        let claimed = None;
        Self { code, claimed }
    }
}

/// Lets a script answer, within the room that the client gave.
fn scripted(script: &mut Script, command: u32, slots: &mut CommandSlots<'_>) -> Outcome {
    let copied = |slot: &SharedInput<'_>| {
        let mut bytes = vec![0; slot.len()];
        slot.read(0, &mut bytes).map(|()| bytes)
    };
    let (Ok(request), Ok(media)) = (copied(&slots.request), copied(&slots.media_in)) else {
        return raw::TEEC_ERROR_BAD_PARAMETERS.into();
    };
    let answer = script(command, &request, &media);
    let outputs = [
        (&mut slots.response, &answer.response),
        (&mut slots.media_out, &answer.media),
    ];
    for (slot, bytes) in outputs {
        let fits = bytes.len().min(slot.capacity());
        if slot
            .write(0, &bytes[..fits])
            .and(slot.set_len(fits))
            .is_err()
        {
            return raw::TEEC_ERROR_SHORT_BUFFER.into();
        }
    }
    Outcome {
        code: answer.code,
        claimed: answer.claimed,
    }
}
