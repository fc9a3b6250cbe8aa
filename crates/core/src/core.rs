//! The core itself: one call in, one response out.

use alloc::vec::Vec;

use keybearer_cbor::Error as Cbor;
use keybearer_crypto::Rng;
use keybearer_wire::limits::{MAX_CLIENTS, MAX_REQUEST};
use keybearer_wire::{Body, Command, Status};

use crate::anchor::{AnchorState, time_under};
use crate::command;
use crate::config::Config;
use crate::media::{self, Media};
use crate::outputs::Sight;
use crate::platform::{Clock, Moment, Parts, Platform, PlatformError};
use crate::provisioning::Provisionings;
use crate::response::Response;
use crate::session::Sessions;

/// Bytes of media that are read, decrypted and written at a time; a multiple of every block size.
const SCRATCH: usize = 64 * 1024;

/// Who is at the other end of a connection, as the platform under the core knows it.
///
/// Porting: in a trusted application by the client's identity (GlobalPlatform TEE Internal Core API,
/// `gpd.client.identity`): a decoder's login is `TEE_LOGIN_TRUSTED_APP` and its UUID the one that
/// the build names. Where nothing vouches for it, everybody is a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A program of the normal world.
    Host,
    /// The decoder.
    Decoder,
}

impl Caller {
    /// Whose command it is. There is none that both may give.
    const fn of(command: Command) -> Self {
        match command {
            Command::RedeemTicket | Command::DecryptUnit | Command::CloseChannel => Self::Decoder,
            _ => Self::Host,
        }
    }
}

/// A client of the core: one connection of one program. Never given out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientId {
    number: u64,
    caller: Caller,
}

#[cfg(test)]
impl ClientId {
    /// A client that no core gave out.
    pub(crate) const fn of(number: u64) -> Self {
        Self {
            number,
            caller: Caller::Host,
        }
    }
}

/// The trusted core.
pub struct Core<P: Platform> {
    // Fixed at construction.
    pub(crate) config: Config,
    /// Stands for the boot identity on a platform without a clock.
    pub(crate) instance: [u8; 16],
    /// The sample path's only buffer.
    pub(crate) scratch: Vec<u8>,

    // Changes in operation.
    pub(crate) parts: Parts<P>,
    pub(crate) states: Vec<AnchorState>,
    pub(crate) sessions: Sessions,
    pub(crate) provisionings: Provisionings,
    /// What is known of the outputs at this call.
    pub(crate) sight: Sight,
    /// Those connected now.
    clients: Vec<ClientId>,
    /// The last one's number.
    client: u64,
}

/// What every command knows about its call.
pub(crate) struct Call {
    pub(crate) client: ClientId,
    now: Result<Option<Moment>, PlatformError>,
}

impl Call {
    /// The moment of this call; `None` on a platform without a clock.
    ///
    /// # Errors
    /// [`Status::Platform`] when there is a clock and it failed.
    pub(crate) fn now(&self) -> Result<Option<Moment>, Status> {
        Ok(self.now?)
    }
}

impl<P: Platform> Core<P> {
    /// A core over a platform.
    ///
    /// # Errors
    /// [`PlatformError::Memory`], [`PlatformError::Random`].
    pub fn new(mut parts: Parts<P>, config: Config) -> Result<Self, PlatformError> {
        let mut instance = [0; 16];
        parts
            .rng
            .fill(&mut instance)
            .map_err(|_| PlatformError::Random)?;
        let mut scratch = Vec::new();
        scratch
            .try_reserve_exact(SCRATCH)
            .map_err(|_| PlatformError::Memory)?;
        scratch.resize(SCRATCH, 0);
        let mut clients = Vec::new();
        clients
            .try_reserve_exact(MAX_CLIENTS)
            .map_err(|_| PlatformError::Memory)?;
        Ok(Self {
            config,
            instance,
            scratch,
            parts,
            states: Vec::new(),
            sessions: Sessions::new()?,
            provisionings: Provisionings::default(),
            sight: Sight::new(),
            clients,
            client: 0,
        })
    }

    /// Registers a client; `None` while [`MAX_CLIENTS`] are connected. `caller` is what it may do.
    pub fn connect(&mut self, caller: Caller) -> Option<ClientId> {
        if self.clients.len() >= MAX_CLIENTS {
            return None;
        }
        self.client = self.client.checked_add(1)?;
        let client = ClientId {
            number: self.client,
            caller,
        };
        // The room was reserved at construction.
        self.clients.push(client);
        Some(client)
    }

    /// Frees everything a client owns: its sessions with their keys, its channels, its pending
    /// requests.
    pub fn disconnect(&mut self, client: ClientId) {
        self.clients.retain(|other| *other != client);
        self.sessions.close_all(|session| session.owner == client);
        for session in self.sessions.iter_mut() {
            session.hang_up(|_, decoder| decoder == client);
        }
        self.sight.forget(client);
        self.provisionings
            .remove_all(|pending| pending.client == client);
    }

    /// Runs one command. `request` must be memory that the host cannot change meanwhile; `media`
    /// is touched by [`Command::Decrypt`], [`Command::DecryptUnit`] and [`Command::WipeBuffer`] only.
    pub fn call(
        &mut self,
        client: ClientId,
        command: u32,
        request: &[u8],
        media: &mut dyn Media,
    ) -> Response {
        self.dispatch(client, command, request, media)
            .unwrap_or_else(Response::refusal)
    }

    /// What every call begins with, for one that is refused before it comes here: time moves on, and keys
    /// that have ended are gone.
    pub fn pass_time(&mut self) {
        // A clock that fails ends nothing, and no key is used while it does.
        let _ = self.begin();
    }

    /// Ended keys go at the first call after their end, whatever that call is and whatever becomes of it.
    fn begin(&mut self) -> Result<Option<Moment>, PlatformError> {
        let now = self.parts.clock.as_mut().map(Clock::now).transpose()?;
        self.refresh(now);
        Ok(now)
    }

    fn dispatch(
        &mut self,
        client: ClientId,
        command: u32,
        request: &[u8],
        media: &mut dyn Media,
    ) -> Result<Response, Status> {
        // Before anything of the call is looked at.
        let now = self.begin();
        let command = Command::from_code(command).ok_or(Status::UnknownCommand)?;
        if Caller::of(command) != client.caller {
            return Err(Status::NotPermitted);
        }
        if request.len() > MAX_REQUEST {
            return Err(Status::RequestTooLarge);
        }
        if media::would_leak(client.caller, media) {
            return Err(Status::ProtectedInput);
        }
        let call = Call { client, now };
        let call = &call;
        match command {
            Command::Describe => command::describe::run(self, call, decode(request)?),
            Command::DeviceKey => command::device_key::run(self, call, decode(request)?),
            Command::BeginProvisioning => {
                command::begin_provisioning::run(self, call, decode(request)?)
            }
            Command::FinishProvisioning => {
                command::finish_provisioning::run(self, call, decode(request)?)
            }
            Command::EraseIdentity => command::erase_identity::run(self, call, decode(request)?),
            Command::OpenSession => command::open_session::run(self, call, decode(request)?),
            Command::CloseSession => command::close_session::run(self, call, decode(request)?),
            Command::BuildRequest => command::build_request::run(self, call, decode(request)?),
            Command::LoadAnswer => command::load_answer::run(self, call, decode(request)?),
            Command::Statuses => command::statuses::run(self, call, decode(request)?),
            Command::RemoveLicense => command::remove_license::run(self, call, decode(request)?),
            Command::ReportOutputs => command::report_outputs::run(self, call, decode(request)?),
            Command::BuildTimeRequest => {
                command::build_time_request::run(self, call, decode(request)?)
            }
            Command::LoadTimeAnswer => command::load_time_answer::run(self, call, decode(request)?),
            Command::LoadRevocationList => {
                command::load_revocation_list::run(self, call, decode(request)?)
            }
            Command::Decrypt => command::decrypt::run(self, call, decode(request)?, media),
            Command::IssueTicket => command::issue_ticket::run(self, call, decode(request)?),
            Command::RedeemTicket => command::redeem_ticket::run(self, call, decode(request)?),
            Command::DecryptUnit => command::decrypt_unit::run(self, call, decode(request)?, media),
            Command::CloseChannel => command::close_channel::run(self, call, decode(request)?),
            Command::WipeBuffer => command::wipe_buffer::run(self, decode(request)?, media),
        }
    }

    /// Asks for the outputs, moves time on and brings all statuses of all sessions up to date.
    pub(crate) fn refresh(&mut self, now: Option<Moment>) {
        self.sight.look(&mut self.parts.outputs);
        self.bring_up_to_date(now);
    }

    /// Brings all statuses of all sessions up to date with what is known.
    pub(crate) fn bring_up_to_date(&mut self, now: Option<Moment>) {
        for state in &mut self.states {
            state.time.observe(now);
        }
        for session in self.sessions.iter_mut() {
            let time = time_under(&self.states, &session.anchor);
            let circumstances = session.circumstances(&self.config, &self.sight, now, time);
            session.refresh(&circumstances);
        }
    }
}

/// Decodes a request, strictly.
fn decode<'a, B: Body<'a>>(request: &'a [u8]) -> Result<B, Status> {
    B::decode(request, MAX_REQUEST).map_err(|error| match error {
        Cbor::Memory => Status::OutOfMemory,
        _ => Status::Malformed,
    })
}
