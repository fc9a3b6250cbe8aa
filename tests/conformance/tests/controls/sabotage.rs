//! A trusted side that breaks one promise: the genuine one, with its answers tampered with on the
//! way.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keybearer_conformance::{Device, Need, Subject};
use keybearer_scripted_service::secret;
use keybearer_tee::{BackendInfo, Media, SharedMemory, Tee, TeeError, TeeSession};
use keybearer_wire::body::{
    AnswerLoaded, Decrypted, Description, DeviceKeyAnswer, Empty, KeyStatus, LicenseReport,
    Message, Provisioned, ProvisioningFinished, SessionOpened, StatusReport, Ticket, TimeLoaded,
};
use keybearer_wire::field::{Blob, Body, List};
use keybearer_wire::{Command, Status, decode_response, decoder, encode_answer, encode_status};

/// Which promise is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// None.
    Nothing,
    /// What should be refused with this status seems done.
    Accept(Status),
    /// This command is always refused with this status.
    Refuse(Command, Status),
    /// This command seems done and is not.
    Skip(Command),
    /// One bit of every decrypted batch is wrong.
    Scramble,
    /// A refused decryption writes to its output.
    WriteOnRefusal,
    /// Decryption writes behind its samples.
    WriteBehind,
    /// Keys are reported usable, whatever they are.
    AllUsable,
    /// Licences are reported without their keys.
    NoKeys,
    /// Denials look like success.
    SwallowDenials,
    /// It claims a level that it does not have.
    Boast,
    /// Every licence request is the first one again.
    Replay,
    /// What is sealed shows a content key.
    LeakKey,
    /// What is sealed shows the token.
    LeakToken,
    /// Every device has the same key.
    OneKey,
    /// Every session has the same handle.
    OneHandle,
    /// The sequence number stands still.
    FrozenSequence,
    /// The time goes back with every look at it.
    TimeGoesBack,
    /// Nonsense from anybody makes everybody's licences disappear.
    Fragile,
    /// Connections that end keep what they held.
    NeverHangsUp,
    /// A restart forgets everything.
    Forgetful,
    /// Death looks like a passing fault.
    HidesDeath,
    /// What is too large for the transport seems done.
    AcceptOversize,
    /// The decoder refuses every unit with this status.
    DecoderRefuses(Status),
    /// What the decoder should refuse seems done.
    DecoderAccepts,
    /// The decoder says why it rejects a unit.
    DecoderTells,
    /// The decoder is started once and never again.
    OneDecoder,
    /// The decoder is there and does not start.
    LockedDecoder,
    /// There is no decoder.
    WithoutDecoder,
}

/// A subject that is sabotaged.
pub(crate) struct Sabotaged<S> {
    pub(crate) genuine: S,
    pub(crate) sabotage: Sabotage,
}

impl<S: Subject> Subject for Sabotaged<S> {
    fn name(&self) -> &str {
        self.genuine.name()
    }

    fn device(&self) -> Result<Box<dyn Device>, String> {
        let mut spare = None;
        if self.sabotage == Sabotage::Forgetful {
            spare = Some(self.genuine.device()?);
        }
        Ok(Box::new(SabotagedDevice {
            genuine: self.genuine.device()?,
            spare,
            plot: Arc::new(Plot {
                sabotage: self.sabotage,
                disturbed: AtomicBool::new(false),
                first_request: Mutex::new(None),
                kept: Mutex::new(Vec::new()),
                looks: Mutex::new(0),
                decoders: AtomicUsize::new(0),
            }),
        }))
    }

    fn can(&self, need: Need) -> bool {
        self.genuine.can(need)
    }
}

/// What the connections of one device share.
struct Plot {
    sabotage: Sabotage,
    disturbed: AtomicBool,
    first_request: Mutex<Option<Vec<u8>>>,
    kept: Mutex<Vec<Box<dyn TeeSession>>>,
    looks: Mutex<u64>,
    decoders: AtomicUsize,
}

struct SabotagedDevice {
    genuine: Box<dyn Device>,
    /// Takes the other's place in a restart.
    spare: Option<Box<dyn Device>>,
    plot: Arc<Plot>,
}

impl Device for SabotagedDevice {
    fn tee(&self) -> Arc<dyn Tee> {
        Arc::new(SabotagedTee {
            genuine: self.genuine.tee(),
            plot: Arc::clone(&self.plot),
        })
    }

    fn restart(&mut self) -> Result<(), String> {
        match self.spare.take() {
            Some(spare) => self.genuine = spare,
            None => self.genuine.restart()?,
        }
        Ok(())
    }

    fn kill(&self) {
        self.genuine.kill();
    }

    fn advance(&self, by: Duration) {
        self.genuine.advance(by);
    }
}

struct SabotagedTee {
    genuine: Arc<dyn Tee>,
    plot: Arc<Plot>,
}

impl Tee for SabotagedTee {
    fn info(&self) -> BackendInfo {
        self.genuine.info()
    }

    fn connect(&self) -> Result<Box<dyn TeeSession>, TeeError> {
        Ok(Box::new(SabotagedSession {
            genuine: Some(self.genuine.connect()?),
            plot: Arc::clone(&self.plot),
        }))
    }

    fn connect_decoder(&self) -> Result<Box<dyn TeeSession>, TeeError> {
        match self.plot.sabotage {
            Sabotage::LockedDecoder => return Err(TeeError::Unavailable("a bad signature".into())),
            Sabotage::WithoutDecoder => return Err(TeeError::NoDecoder("none was built".into())),
            _ => {}
        }
        let before = self.plot.decoders.fetch_add(1, Ordering::Relaxed);
        if self.plot.sabotage == Sabotage::OneDecoder && before > 0 {
            return Err(TeeError::NoDecoderMemory);
        }
        Ok(Box::new(SabotagedDecoder {
            genuine: self.genuine.connect_decoder()?,
            plot: Arc::clone(&self.plot),
        }))
    }
}

struct SabotagedDecoder {
    genuine: Box<dyn TeeSession>,
    plot: Arc<Plot>,
}

impl TeeSession for SabotagedDecoder {
    fn call<'a>(
        &mut self,
        command: u32,
        request: &[u8],
        response: &mut Vec<u8>,
        media: Media<'a>,
    ) -> Result<(), TeeError> {
        let command = decoder::Command::from_code(command).expect("the suite knows the commands");
        let first = media.len();
        self.genuine
            .call(command.code(), request, response, media)?;
        let refusal = decode_response::<Empty>(response)
            .ok()
            .and_then(Result::err);
        let unit = command == decoder::Command::Decode;
        match (self.plot.sabotage, refusal) {
            (Sabotage::DecoderRefuses(status), _) if unit => {
                *response = encode_status(status).expect("three bytes");
            }
            (Sabotage::DecoderAccepts, Some(_)) => *response = decoded(command),
            (Sabotage::DecoderTells, Some(Status::ContentRejected)) if unit => {
                let looks = self.plot.decoders.fetch_add(1, Ordering::Relaxed);
                let telling = [Status::ContentRejected, Status::BadSampleTable];
                let status = telling[(looks + first) % 2];
                *response = encode_status(status).expect("three bytes");
            }
            _ => {}
        }
        Ok(())
    }
}

/// A decoder's answer that claims success.
fn decoded(command: decoder::Command) -> Vec<u8> {
    match command {
        decoder::Command::Decode | decoder::Command::Flush => encoded(&decoder::body::Presented {
            times: List(Vec::new()),
            largest: None,
            sequence: None,
            digests: None,
        }),
        _ => encoded(&Empty {}),
    }
}

struct SabotagedSession {
    genuine: Option<Box<dyn TeeSession>>,
    plot: Arc<Plot>,
}

impl Drop for SabotagedSession {
    fn drop(&mut self) {
        if self.plot.sabotage == Sabotage::NeverHangsUp {
            let kept = self.plot.kept.lock();
            kept.unwrap_or_else(PoisonError::into_inner)
                .extend(self.genuine.take());
        }
    }
}

impl TeeSession for SabotagedSession {
    fn call<'a>(
        &mut self,
        command: u32,
        request: &[u8],
        response: &mut Vec<u8>,
        mut media: Media<'a>,
    ) -> Result<(), TeeError> {
        let plot = Arc::clone(&self.plot);
        let known = Command::from_code(command).unwrap_or(Command::Describe);
        let len = media.len();
        match plot.sabotage {
            Sabotage::Refuse(refused, status) if refused.code() == command => {
                *response = encode_status(status).expect("three bytes");
                return Ok(());
            }
            Sabotage::Skip(skipped) if skipped.code() == command => {
                *response = done(skipped, len);
                return Ok(());
            }
            _ => {}
        }
        let genuine = self.genuine.as_mut().expect("taken only in the end");
        let outcome = genuine.call(command, request, response, reborrowed(&mut media));
        match (plot.sabotage, outcome) {
            (Sabotage::HidesDeath, Err(TeeError::Dead)) => {
                return Err(TeeError::Io {
                    what: "calling",
                    code: 1,
                });
            }
            (Sabotage::AcceptOversize, Err(TeeError::TooLarge { .. })) => {
                *response = done(known, len);
                return Ok(());
            }
            (_, outcome) => outcome?,
        }
        plot.tamper(known, response, &mut media);
        Ok(())
    }

    fn shared_memory(&mut self, len: usize) -> Result<Option<Box<dyn SharedMemory>>, TeeError> {
        let genuine = self.genuine.as_mut().expect("taken only in the end");
        genuine.shared_memory(len)
    }
}

fn reborrowed<'b>(media: &'b mut Media<'_>) -> Media<'b> {
    match media {
        Media::None => Media::None,
        Media::Input(input) => Media::Input(input),
        Media::InPlace(data) => Media::InPlace(data),
        Media::Into { input, output } => Media::Into { input, output },
    }
}

/// What the call writes to.
fn output<'b>(media: &'b mut Media<'_>) -> &'b mut [u8] {
    match media {
        Media::None | Media::Input(_) => &mut [],
        Media::InPlace(data) => data,
        Media::Into { output, .. } => output,
    }
}

impl Plot {
    fn tamper(&self, command: Command, response: &mut Vec<u8>, media: &mut Media<'_>) {
        let refusal = decode_response::<Empty>(response)
            .ok()
            .and_then(Result::err);
        match self.sabotage {
            Sabotage::Accept(status) if refusal == Some(status) => {
                *response = done(command, media.len());
            }
            Sabotage::Scramble if command == Command::Decrypt && refusal.is_none() => {
                if let Some(byte) = output(media).first_mut() {
                    *byte ^= 0x10;
                }
            }
            Sabotage::WriteOnRefusal if command == Command::Decrypt && refusal.is_some() => {
                output(media).fill(0);
            }
            Sabotage::WriteBehind if command == Command::Decrypt => {
                if let Some(byte) = output(media).last_mut() {
                    *byte ^= 1;
                }
            }
            Sabotage::Fragile if refusal == Some(Status::Malformed) => {
                self.disturbed.store(true, Ordering::Relaxed);
            }
            _ if refusal.is_none() => {
                if let Some(tampered) = self.retold(command, response) {
                    *response = tampered;
                }
            }
            _ => {}
        }
    }

    /// An answer as the sabotage tells it.
    fn retold(&self, command: Command, response: &[u8]) -> Option<Vec<u8>> {
        match (self.sabotage, command) {
            (Sabotage::Boast, Command::Describe) => {
                let mut said: Description<'_> = answer(response)?;
                said.level += 1;
                Some(encoded(&said))
            }
            (Sabotage::Boast, Command::FinishProvisioning) => {
                let mut said: ProvisioningFinished<'_> = answer(response)?;
                said.certified.as_mut()?.level += 1;
                Some(encoded(&said))
            }
            (Sabotage::OneKey, Command::DeviceKey) => {
                let mut said: DeviceKeyAnswer = answer(response)?;
                said.key_digest = [1; 32];
                Some(encoded(&said))
            }
            (Sabotage::OneHandle, Command::OpenSession) => {
                Some(encoded(&SessionOpened { session: 5 }))
            }
            (Sabotage::Replay, Command::BuildRequest) => {
                let mut first = self.first_request.lock().ok()?;
                Some(first.get_or_insert_with(|| response.to_vec()).clone())
            }
            (Sabotage::LeakKey, Command::BuildTimeRequest) => leaking(response, &secret(7)),
            (Sabotage::LeakToken, Command::BuildRequest) => {
                leaking(response, b"authorisation token")
            }
            (Sabotage::SwallowDenials, Command::LoadAnswer | Command::FinishProvisioning) => {
                let denied = match command {
                    Command::LoadAnswer => answer::<AnswerLoaded<'_>>(response)?.denial,
                    _ => answer::<ProvisioningFinished<'_>>(response)?.denial,
                };
                denied.map(|_| done(command, 0))
            }
            (_, Command::LoadAnswer) => {
                let mut said: AnswerLoaded<'_> = answer(response)?;
                self.retell(said.license.as_mut()?);
                Some(encoded(&said))
            }
            (_, Command::Statuses) => {
                let mut said: StatusReport<'_> = answer(response)?;
                said.licenses
                    .0
                    .iter_mut()
                    .for_each(|license| self.retell(license));
                match self.sabotage {
                    Sabotage::FrozenSequence => said.sequence = 1,
                    Sabotage::Fragile if self.disturbed.load(Ordering::Relaxed) => {
                        said.licenses.0.clear();
                    }
                    Sabotage::TimeGoesBack => {
                        let mut looks = self.looks.lock().ok()?;
                        *looks += 1;
                        said.time = said.time.map(|time| time - 60 * *looks);
                    }
                    _ => {}
                }
                Some(encoded(&said))
            }
            _ => None,
        }
    }

    fn retell(&self, license: &mut LicenseReport<'_>) {
        match self.sabotage {
            Sabotage::AllUsable => {
                for key in &mut license.keys.0 {
                    key.status = KeyStatus::Usable;
                    key.reasons.0.clear();
                }
            }
            Sabotage::NoKeys => license.keys.0.clear(),
            _ => {}
        }
    }
}

/// A message with something behind it.
fn leaking(response: &[u8], what: &[u8]) -> Option<Vec<u8>> {
    let said: Message<'_> = answer(response)?;
    let bytes = [said.bytes.0, what].concat();
    let bytes = Blob(&bytes);
    Some(encoded(&Message { bytes }))
}

fn answer<'a, B: Body<'a>>(response: &'a [u8]) -> Option<B> {
    decode_response(response).ok()?.ok()
}

fn encoded<'a>(answer: &impl Body<'a>) -> Vec<u8> {
    encode_answer(answer).expect("an answer of the interface's own size")
}

/// An answer that claims success.
fn done(command: Command, media: usize) -> Vec<u8> {
    let license = LicenseReport {
        license: [1; 16],
        sequence: 1,
        ends: None,
        renew_at: None,
        renew_retry: None,
        renewal_url: None,
        keys: List(Vec::new()),
    };
    match command {
        Command::OpenSession => encoded(&SessionOpened { session: 1 }),
        Command::BuildRequest | Command::BeginProvisioning | Command::BuildTimeRequest => {
            encoded(&Message { bytes: Blob(b"x") })
        }
        Command::LoadAnswer => encoded(&AnswerLoaded {
            license: Some(license),
            denial: None,
        }),
        Command::LoadTimeAnswer => encoded(&TimeLoaded { denial: None }),
        Command::Statuses => encoded(&StatusReport {
            sequence: 1,
            time: None,
            licenses: List(Vec::new()),
        }),
        Command::FinishProvisioning => encoded(&ProvisioningFinished {
            certified: Some(Provisioned {
                level: 1,
                debug: true,
            }),
            denial: None,
        }),
        Command::DeviceKey => encoded(&DeviceKeyAnswer {
            key_digest: [1; 32],
            provisioned: true,
        }),
        Command::Decrypt => encoded(&Decrypted {
            bytes: media as u64,
            sequence: 1,
        }),
        Command::IssueTicket => encoded(&Ticket { ticket: [1; 16] }),
        _ => encoded(&Empty {}),
    }
}
