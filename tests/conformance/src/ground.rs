//! Where a case stands: a subject, services of its own, and the time they go by.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use keybearer_license::{DebugStatus, License, Roles};
use keybearer_rules::Level;
use keybearer_scripted_service::{Service, cenc_use, key, license};
use keybearer_tee::TeeError;

use crate::case::{Fault, Need};
use crate::connection::{
    Connection, Described, Failure, KEY, License as Report, Loaded, Provisioned,
};
use crate::{Device, Subject};

/// The seconds by which services are ahead of this machine, because a case has moved them: the one
/// device of a subject does not go back.
static AHEAD: AtomicU64 = AtomicU64::new(0);
/// Makes every service and revocation list of a run another one.
static SERIAL: AtomicU64 = AtomicU64::new(0);

/// What a case is given.
pub(crate) struct Ground<'a> {
    pub(crate) subject: &'a dyn Subject,
    /// What its trusted side says of itself.
    pub(crate) described: Described,
    /// Whether it shares memory with its host.
    shares_memory: bool,
    /// Whether it has a decoder.
    decodes: bool,
}

/// A provisioned device with a connection and a session, and the service it is provisioned with.
pub(crate) struct Scene {
    pub(crate) service: Service,
    pub(crate) device: Box<dyn Device>,
    pub(crate) at: Connection,
    pub(crate) session: u64,
}

/// Seconds since 1970 by the services' clock.
fn now() -> u64 {
    let real = SystemTime::now().duration_since(UNIX_EPOCH);
    real.map_or(0, |since| since.as_secs()) + AHEAD.load(Ordering::Relaxed)
}

fn unique() -> u64 {
    let run = SystemTime::now().duration_since(UNIX_EPOCH);
    let run = run.map_or(0, |since| since.as_secs() << 16);
    run + SERIAL.fetch_add(1, Ordering::Relaxed)
}

impl<'a> Ground<'a> {
    pub(crate) fn new(subject: &'a dyn Subject) -> Result<Self, Fault> {
        let device = subject.device().map_err(Fault)?;
        let mut at = Connection::open(&*device.tee())?;
        // One that is there and does not open would leave its cases out for a fault of its own.
        let decodes = match device.tee().connect_decoder() {
            Ok(_) => true,
            Err(TeeError::NoDecoder(_)) => false,
            Err(error) => return Err(Fault(format!("its decoder does not open: {error}"))),
        };
        Ok(Self {
            subject,
            described: at.describe()?,
            shares_memory: at.shared_memory(1)?.is_some(),
            decodes,
        })
    }

    /// Why the subject does not meet a need, if it does not.
    pub(crate) fn lacks(&self, need: Need) -> bool {
        let fresh = !self.subject.only_one() || self.subject.disposable();
        match need {
            Need::Clock => !self.described.clock,
            Need::OwnAnchors => !self.described.application_anchors,
            Need::BuiltInAnchors => self.described.application_anchors,
            Need::FreshDevice => !fresh,
            Need::SharedMemory => !self.shares_memory,
            Need::Disposable => !self.subject.disposable(),
            Need::Decoder => !self.decodes,
            Need::TestBuild => !self.described.debug,
            Need::Level(least) => self.described.level < least.code(),
            Need::Restart | Need::Kill | Need::MovableClock => !self.subject.can(need),
        }
    }

    /// The highest level of the subject's sessions: what it is certified for.
    pub(crate) fn ceiling(&self) -> Level {
        Level::from_code(self.described.level).unwrap_or(Level::None)
    }

    /// The level of its clear sessions, which are what cases open unless they say otherwise.
    pub(crate) fn level(&self) -> Level {
        self.ceiling().min(Level::Medium)
    }

    /// A number that rises.
    pub(crate) fn number(&self) -> u64 {
        unique()
    }

    /// A service with all roles and keys of its own: under the operator's anchor where that is built
    /// in, else under an anchor of its own.
    pub(crate) fn service(&self) -> Service {
        let seed = unique();
        let root = self.subject.operator().unwrap_or_else(|| {
            let mut root = [0x11; 32];
            root[24..].copy_from_slice(&seed.to_be_bytes());
            root
        });
        let root = keybearer_crypto::Secret::copied_from(&root);
        let mut service = Service::of_operator(seed, root, now());
        service.certifies = (self.ceiling(), self.debug());
        service
    }

    /// The debug state that the subject's evidence states.
    pub(crate) fn debug(&self) -> DebugStatus {
        if self.described.debug {
            DebugStatus::Enabled
        } else {
            DebugStatus::Disabled
        }
    }

    /// A device without an identity under this service's anchor.
    pub(crate) fn fresh(&self, service: &Service) -> Result<Box<dyn Device>, Fault> {
        let device = self.subject.device().map_err(Fault)?;
        if self.subject.only_one() {
            Connection::open(&*device.tee())?.erase(service.anchor().0)?;
        }
        Ok(device)
    }

    /// A provisioned device with a session.
    pub(crate) fn ready(&self) -> Result<Scene, Fault> {
        let mut service = self.service();
        let device = self.subject.device().map_err(Fault)?;
        let mut at = Connection::open(&*device.tee())?;
        let known = at.device_key(service.anchor().0);
        if !known.is_ok_and(|(_, provisioned)| provisioned) {
            provision(&mut at, &mut service)?;
        }
        let session = open(&mut at, &mut service)?;
        Ok(Scene {
            service,
            device,
            at,
            session,
        })
    }

    /// As [`Self::ready`], with a protected session.
    pub(crate) fn protected(&self) -> Result<Scene, Fault> {
        let mut scene = self.ready()?;
        let info = scene.service.info();
        let anchor = scene.service.anchor().0;
        scene.at.close(scene.session)?;
        scene.session = scene.at.open_protected(anchor, &info)?;
        Ok(scene)
    }

    /// A provisioned device that has not learned the time under its anchor, the service that
    /// provisioned it and cannot tell the time, and another that can.
    pub(crate) fn timeless(&self) -> Result<(Scene, Service), Fault> {
        let silent = Roles::LICENSE
            .union(Roles::PROVISIONING)
            .union(Roles::REVOCATION);
        let mut service = self.service().sibling(unique(), "silent.example", silent);
        service.certifies = (self.ceiling(), self.debug());
        let telling = Roles::LICENSE.union(Roles::TIME);
        let clock = service.sibling(unique(), "time.example", telling);
        let device = self.fresh(&service)?;
        let mut at = Connection::open(&*device.tee())?;
        provision(&mut at, &mut service)?;
        let session = open(&mut at, &mut service)?;
        let scene = Scene {
            service,
            device,
            at,
            session,
        };
        Ok((scene, clock))
    }

    /// A session that holds one `cenc` key, [`KEY`].
    pub(crate) fn licensed(&self) -> Result<Scene, Fault> {
        let mut scene = self.ready()?;
        scene.acquire(granting(1, 7))?;
        Ok(scene)
    }

    /// Moves a service's clock, and those of all services after it, forward.
    pub(crate) fn jump(&self, service: &mut Service, seconds: u64) {
        service.now += seconds;
        AHEAD.fetch_add(seconds, Ordering::Relaxed);
    }
}

/// Provisions the device behind a connection.
pub(crate) fn provision(at: &mut Connection, service: &mut Service) -> Result<(), Fault> {
    let anchor = service.anchor().0;
    let request = at.begin(anchor, &service.info())?;
    match at.finish(anchor, &service.certify(&request))? {
        Provisioned::Certified { .. } => Ok(()),
        Provisioned::Denied(reason) => Err(Fault(format!("certified as denied: {reason}"))),
    }
}

/// Opens a session towards a service.
pub(crate) fn open(at: &mut Connection, service: &mut Service) -> Result<u64, Fault> {
    Ok(at.open_session(service.anchor().0, &service.info())?)
}

/// A licence for one `cenc` key without limits; the key's id is its number sixteen times.
pub(crate) fn granting(id: u8, number: u8) -> License {
    license(id, vec![key(number, cenc_use())])
}

impl Scene {
    /// Asks for a licence and loads the answer.
    pub(crate) fn acquire(&mut self, made: License) -> Result<Report, Fault> {
        match self.outcome(made)? {
            Ok(report) => Ok(report),
            Err(status) => Err(Fault(format!(
                "a licence is refused with {}",
                status.name()
            ))),
        }
    }

    /// Asks for a licence and says what comes of it; a denial is unexpected.
    pub(crate) fn outcome(
        &mut self,
        made: License,
    ) -> Result<Result<Report, keybearer_wire::Status>, Fault> {
        match self.answered(made) {
            Ok(Loaded::License(report)) => Ok(Ok(report)),
            Ok(denied) => Err(Fault(format!("a licence is loaded as {denied:?}"))),
            Err(Failure::Refused(status)) => Ok(Err(status)),
            Err(other) => Err(other.into()),
        }
    }

    /// Asks for a licence and loads the answer, whatever comes of it.
    pub(crate) fn answered(&mut self, made: License) -> Result<Loaded, Failure> {
        let info = self.service.info();
        let request = self.at.request_fresh(self.session, &[KEY], &info)?;
        let answer = self.service.license(&request, made);
        self.at.load(self.session, &answer)
    }

    /// The only licence of the session.
    pub(crate) fn only(&mut self) -> Result<Report, Fault> {
        let mut held = self.at.statuses(self.session)?.licenses;
        match (held.pop(), held.is_empty()) {
            (Some(license), true) => Ok(license),
            _ => Err(Fault("the session holds not one licence".into())),
        }
    }
}
