//! A story: what clients of one core do, step by step, as the fuzzer's bytes tell it.

mod commands;
mod device;
mod protected;
mod service;

use std::sync::LazyLock;

use arbitrary::Unstructured;
use keybearer_core::{Caller, ClientId, NoMedia, SlotKind};
use keybearer_crypto::Digest;
use keybearer_license::anchor_digest;
use keybearer_wire::limits::MAX_REQUEST;
use keybearer_wire::{Command, Exchange as Typed, body, decode_response};

use super::oracle::{Exchange, Oracle};
use super::platform::{Device, Shared, Variant};
use super::{Subject, media};
use crate::provider::Toy;
use crate::verdict::Verdict;
use crate::world::{NamedRng, World};

/// The operators; devices begin with a certificate of the first.
pub(crate) static OPERATORS: LazyLock<[World<Toy>; 2]> =
    LazyLock::new(|| [World::new(Toy), World::of(Toy, "other")]);
/// Their anchors.
static ANCHORS: LazyLock<[Digest; 2]> = LazyLock::new(|| {
    OPERATORS
        .each_ref()
        .map(|operator| anchor_digest(&Toy, &operator.root.public).expect("a key is written"))
});
/// A device with a certificate of the first operator, on each platform.
static CERTIFIED: LazyLock<[Device; 3]> = LazyLock::new(|| {
    Variant::ALL.map(|variant| {
        let device = Device {
            millis: 1_000_000,
            ..Device::default()
        };
        let mut story = Story::begin(variant, device, &super::real);
        story.provision(0, 0).expect("nothing fails yet");
        story.device.get().clone()
    })
});

/// The anchors, for platforms that have them built in.
pub(crate) fn anchors() -> &'static [Digest] {
    &*ANCHORS
}

/// Most steps of one story: enough to fill a session, and a story takes milliseconds.
const MAX_STEPS: usize = 48;

/// A licence or time request on its way.
struct Asked {
    operator: usize,
    session: u64,
    message: Vec<u8>,
}

/// The story so far.
pub(crate) struct Story<'m> {
    variant: Variant,
    pub(crate) device: Shared,
    make: &'m dyn Fn(Variant, &Shared) -> Box<dyn Subject>,
    pub(crate) subject: Box<dyn Subject>,
    pub(crate) oracle: Oracle,
    pub(crate) clients: Vec<ClientId>,
    /// Handles given out, and to whom; none is ever taken out.
    pub(crate) handles: Vec<(u64, ClientId)>,
    /// Decoders, tickets and channels that there ever were.
    decoders: Vec<ClientId>,
    tickets: Vec<[u8; 16]>,
    channels: Vec<(u64, ClientId)>,
    asked: Vec<Asked>,
    answers: Vec<Vec<u8>>,
    /// Milliseconds since the story began, by a clock that nobody can touch.
    now: u64,
    /// Milliseconds by which the device's clock was set back: the core trusts it, and lags so much.
    lost: u64,
    /// The request sent last, with its damage.
    sent: Vec<u8>,
    /// Licences granted so far.
    sequence: u64,
    rng: NamedRng,
    /// What is done to the next request's bytes.
    damage: Option<(u8, u16, u8)>,
    /// The device's own secrets: its storage is read again after whatever may change it.
    identities: Vec<Vec<u8>>,
}

/// Reads the story's next bytes; zeros when there are none.
fn byte(u: &mut Unstructured<'_>) -> u8 {
    u.arbitrary().unwrap_or(0)
}

impl<'m> Story<'m> {
    fn begin(
        variant: Variant,
        device: Device,
        make: &'m dyn Fn(Variant, &Shared) -> Box<dyn Subject>,
    ) -> Self {
        let device = Shared::new(device);
        let mut subject = make(variant, &device);
        let clients = subject.connect(Caller::Host).into_iter().collect();
        Self {
            variant,
            device,
            make,
            subject,
            oracle: Oracle::default(),
            clients,
            handles: Vec::new(),
            decoders: Vec::new(),
            tickets: Vec::new(),
            channels: Vec::new(),
            asked: Vec::new(),
            answers: Vec::new(),
            now: 0,
            lost: 0,
            sent: Vec::new(),
            sequence: 0,
            rng: NamedRng::new("service"),
            damage: None,
            identities: Vec::new(),
        }
    }

    /// Tells a whole story over a core that `make` makes.
    pub(crate) fn tell(
        data: &[u8],
        make: &'m dyn Fn(Variant, &Shared) -> Box<dyn Subject>,
    ) -> Result<Self, String> {
        let mut u = Unstructured::new(data);
        let variant = usize::from(byte(&mut u)) % Variant::ALL.len();
        let device = CERTIFIED[variant].clone();
        let mut story = Self::begin(Variant::ALL[variant], device, make);
        story.note_identities();
        for _ in 0..MAX_STEPS {
            if u.is_empty() {
                break;
            }
            story.step(&mut u)?;
        }
        Ok(story)
    }

    fn step(&mut self, u: &mut Unstructured<'_>) -> Verdict {
        match byte(u) % 28 {
            0 => {
                if self.clients.len() < 8 {
                    let client = self.subject.connect(Caller::Host);
                    self.clients.extend(client);
                }
            }
            1 => {
                let client = self.client(u);
                self.subject.disconnect(client);
                self.oracle.gone(client);
            }
            2 | 3 => self.open(u).map(drop)?,
            4 => {
                let (client, session) = self.handle(u);
                self.typed(client, &body::CloseSession { session })?;
            }
            5 | 6 => self.ask(u)?,
            7 => self.answer(u),
            8 | 9 => {
                self.ask(u)?;
                self.answer(u);
                self.load_last()?;
            }
            10 => self.load(u)?,
            11 => {
                let (client, session) = self.handle(u);
                self.typed(client, &body::Statuses { session })?;
            }
            12 => {
                let (client, session) = self.handle(u);
                let license = [byte(u) % 4; 16];
                self.typed(client, &body::RemoveLicense { session, license })?;
            }
            13 => self.fetch_time(u)?,
            14 => self.revoke(u)?,
            15..=18 => self.decrypt(u)?,
            19 => self.pass(u),
            20 => self.restart(u),
            21 => self.fault(u),
            22 => {
                use keybearer_core::OutputSource::{Host, Platform};
                let panel = [None, Some(Host), Some(Platform)];
                self.device.get().panel = panel[usize::from(byte(u)) % 3];
            }
            23 => {
                let client = self.client(u);
                let (command, len) = (byte(u), usize::from(byte(u)));
                let request = u.bytes(len.min(u.len())).unwrap_or_default();
                self.send(client, command.into(), request, &mut media::Slots::none())?;
            }
            24 => {
                let (operator, tamper) = (usize::from(byte(u)) % 2, byte(u));
                self.provision(operator, tamper).or_else(service::refused)?;
            }
            25 => {
                let client = self.client(u);
                let anchor = ANCHORS[usize::from(byte(u)) % 2].0;
                match byte(u) % 4 {
                    0 => self.typed(client, &body::EraseIdentity { anchor })?,
                    1 => self.typed(client, &body::DeviceKey { anchor })?,
                    3 => return self.protect(u),
                    _ => self.typed(client, &body::Describe {})?,
                };
            }
            26 => self.crowd(u)?,
            _ => self.damage = Some((byte(u), u.arbitrary().unwrap_or(0), byte(u))),
        }
        Ok(())
    }

    /// Any client that there ever was.
    fn client(&mut self, u: &mut Unstructured<'_>) -> ClientId {
        let place = usize::from(byte(u));
        if self.clients.is_empty() {
            let client = self.subject.connect(Caller::Host);
            let client = client.expect("nobody else is connected");
            self.clients.push(client);
        }
        self.clients[place % self.clients.len()]
    }

    /// A handle, mostly one that was given out, mostly from whom it was given to.
    fn handle(&mut self, u: &mut Unstructured<'_>) -> (ClientId, u64) {
        let (choice, client) = (byte(u), self.client(u));
        if self.handles.is_empty() {
            return (client, u64::from(choice) << 8);
        }
        let (handle, owner) = self.handles[usize::from(choice & 0x1f) % self.handles.len()];
        match choice >> 5 {
            0..=4 => (owner, handle),
            5 => (client, handle),
            6 => (owner, handle.wrapping_add(u64::from(byte(u)) << 8)),
            _ => (owner, u.arbitrary().unwrap_or(0)),
        }
    }

    /// Sends a request, damaged if it is its turn, and has the oracle judge what comes of it.
    fn send(
        &mut self,
        client: ClientId,
        command: u32,
        request: &[u8],
        slots: &mut media::Slots,
    ) -> Result<Vec<u8>, String> {
        let mut request = request.to_vec();
        if let Some((kind, at, by)) = self.damage.take() {
            damage(&mut request, kind, at, by);
        }
        let response = match slots.access() {
            Some(mut access) => self.subject.call(client, command, &request, &mut *access),
            None => self.subject.call(client, command, &request, &mut NoMedia),
        };
        let exchange = Exchange {
            client,
            command,
            request: &request,
            response: &response,
            media: &slots.media,
            room: slots.room(),
            place: slots.place,
            now: self.milliseconds() - self.lost,
        };
        self.oracle.judge(&exchange, &self.identities)?;
        self.sent = request;
        if Command::from_code(command) == Some(Command::EraseIdentity)
            || Command::from_code(command) == Some(Command::DeviceKey)
            || Command::from_code(command) == Some(Command::BeginProvisioning)
        {
            self.note_identities();
        }
        Ok(response)
    }

    fn note_identities(&mut self) {
        let device = self.device.get();
        for (slot, record) in &device.slots {
            // The record's first byte is its version.
            let secrets = record.get(1..).unwrap_or_default();
            if slot.kind == SlotKind::Identity
                && !self.identities.iter().any(|known| known == secrets)
            {
                self.identities.push(secrets.to_vec());
            }
        }
    }

    fn typed<'r, R: Typed<'r>>(
        &mut self,
        client: ClientId,
        request: &R,
    ) -> Result<Vec<u8>, String> {
        let request = request.encode(MAX_REQUEST).expect("a story's requests fit");
        self.send(
            client,
            R::COMMAND.code(),
            &request,
            &mut media::Slots::none(),
        )
    }

    /// The message in an answer, if it was one.
    fn message<'r, R>(&mut self, client: ClientId, request: &R) -> Result<Option<Vec<u8>>, String>
    where
        R: Typed<'r>,
    {
        let response = self.typed(client, request)?;
        let message = decode_response::<body::Message<'_>>(&response);
        Ok(match message {
            Ok(Ok(message)) => Some(message.bytes.0.to_vec()),
            _ => None,
        })
    }

    /// Everybody leaves: nothing that anybody held is there any more.
    pub(crate) fn end(&mut self) -> Verdict {
        let clients = [&self.clients[..], &self.decoders].concat();
        for client in clients {
            self.subject.disconnect(client);
            self.oracle.gone(client);
        }
        {
            let mut device = self.device.get();
            (device.draws, device.writes, device.reads, device.clock) = (None, None, None, None);
        }
        let client = self
            .subject
            .connect(Caller::Host)
            .ok_or("no place for a client although all left")?;
        let handles: Vec<u64> = self.handles.iter().map(|(handle, _)| *handle).collect();
        for session in handles {
            self.typed(client, &body::Statuses { session })?;
        }
        for anchor in ANCHORS.iter() {
            self.typed(client, &body::EraseIdentity { anchor: anchor.0 })?;
        }
        self.subject.disconnect(client);
        Ok(())
    }
}

fn damage(request: &mut Vec<u8>, kind: u8, at: u16, by: u8) {
    let at = usize::from(at) % request.len().max(1);
    match kind % 5 {
        0 | 1 if at < request.len() => request[at] ^= by,
        2 => request.truncate(at),
        3 => request.insert(at.min(request.len()), by),
        _ => request.resize(MAX_REQUEST + usize::from(by), 0),
    }
}
