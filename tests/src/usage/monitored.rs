//! Outputs in the word of the platform's monitor: what a test tells the test monitor, the key TA acts on
//! within one call, at Medium and at High, and whatever the host says is nothing beside it.

use std::num::NonZeroU32;
use std::sync::Arc;

use keybearer_crypto::Secret;
use keybearer_license::{IvKind, KeyId, Scheme, TrackType};
use keybearer_rules::{DigitalVideo, Hdcp, HdcpVersion, Level, PictureLimit};
use keybearer_server::{ContentSpec, KeySpec};
use keybearer_tee::{CallError, Media, Tee, TeeError, TeeSession};
use keybearer_wire::body::{Describe, KeyStatus, ReasonField};
use keybearer_wire::field::{Body, List};
use keybearer_wire::limits::MAX_REQUEST;
use keybearer_wire::monitor::{Exchange, body};
use keybearer_wire::{Status, decode_response};

use super::film::Film;
use super::player::{Player, adopt, publish};
use super::situations::{ANALOG, BARE_HDMI, Connected, GOOD_HDMI};
use crate::bare::Bare;
use crate::clips::{Clip, Protected, protect};
use crate::high::{Decoder, Key, refusal};
use crate::post;
use crate::service::{MODEL, Service};

/// The clip of protected sessions: larger than [`SMALL`].
const CLIP: &str = "high-352x288";
/// Most pixels of an analogue picture here.
const SMALL: u32 = 176 * 144;
/// The clip's key; HDCP is demanded of it, and a small picture on analogue outputs.
const CLIP_KEY: Key = Key {
    kid: [0xc1; 16],
    key: [0x71; 16],
    scheme: Scheme::Cenc,
};

/// A connection to the test monitor.
pub struct TestMonitor {
    session: Box<dyn TeeSession>,
    response: Vec<u8>,
}

impl TestMonitor {
    /// Over a connection of the backend's.
    #[must_use]
    pub fn new(session: Box<dyn TeeSession>) -> Self {
        Self {
            session,
            response: Vec::new(),
        }
    }

    fn exchange<'r, R: Exchange<'r>, A: for<'a> Body<'a>>(
        &mut self,
        request: &R,
    ) -> Result<A, CallError> {
        let request = request.encode(MAX_REQUEST).map_err(CallError::Request)?;
        let code = R::COMMAND.code();
        self.session
            .call(code, &request, &mut self.response, Media::None)?;
        decode_response(&self.response)
            .map_err(|_| TeeError::BadAnswer("the response is not well formed"))?
            .map_err(CallError::Refused)
    }

    /// Says what it shall tell from now on; `None`: it shall not answer.
    ///
    /// # Panics
    /// When it does not take it.
    pub fn show(&mut self, outputs: Option<&[Connected]>) {
        let outputs = outputs.map(|outputs| List(outputs.iter().map(Connected::report).collect()));
        let told = self.exchange::<_, body::Empty>(&body::Show { outputs });
        told.expect("the test monitor does what a test says");
    }

    /// Asks it what the key TA asks.
    ///
    /// # Errors
    /// Those of the monitor.
    pub fn look(&mut self) -> Result<body::Seen, CallError> {
        self.exchange(&body::Look {})
    }

    /// Lets it die.
    ///
    /// # Errors
    /// Always: the transport's, where it works.
    pub fn die(&mut self) -> Result<(), CallError> {
        let body::Empty {} = self.exchange(&body::Die {})?;
        Ok(())
    }
}

/// A device with a test monitor, provisioned, and the service that has its content.
pub struct Ground {
    tee: Arc<dyn Tee>,
    service: Service,
    connect: fn() -> Result<Box<dyn TeeSession>, TeeError>,
    hd: Film,
    sd: Film,
}

impl Ground {
    /// Puts the contents into the service and provisions the device, of this ceiling.
    ///
    /// # Panics
    /// When service or device refuse.
    #[must_use]
    pub fn new(
        tee: Arc<dyn Tee>,
        service: Service,
        ceiling: Level,
        connect: fn() -> Result<Box<dyn TeeSession>, TeeError>,
    ) -> Self {
        let hd = Film::read("cenc-video.mp4", TrackType::Hd);
        let sd = Film::read("cenc-hevc.mp4", TrackType::Sd);
        publish(&service, &[&hd, &sd]);
        // The one family that asks for HDCP of pictures and for no level: for any trusted side.
        adopt(&service, "TVKeyCloud");
        let secret = Secret::copied_from(&CLIP_KEY.key);
        let mut key = KeySpec::new(KeyId(CLIP_KEY.kid), secret, TrackType::Sd, CLIP_KEY.scheme);
        key.iv = IvKind::PerSample16;
        key.lowest_level = Level::None;
        key.policy.digital_video = DigitalVideo::HdcpRequired(Hdcp::Type0(HdcpVersion::V1));
        let small = NonZeroU32::new(SMALL).expect("it is some");
        key.policy.max_res_analog = PictureLimit::Pixels(small);
        let put = ContentSpec::open("clip", vec![key]);
        let put = service.server().registry().put_content(put);
        put.expect("the content is acceptable");
        if ceiling == Level::High {
            let token = service.factory_token(&*tee, ceiling).expect("a token");
            let certified = service.client(Arc::clone(&tee)).provision(&token, MODEL);
            assert_eq!(certified.expect("a certificate").level, ceiling);
        } else {
            let provisioned = service.provisioned(Arc::clone(&tee));
            provisioned.expect("the device is certified");
        }
        Self {
            tee,
            service,
            connect,
            hd,
            sd,
        }
    }

    fn monitor(&self) -> TestMonitor {
        TestMonitor::new((self.connect)().expect("the test monitor is there"))
    }

    fn player(&self) -> Player {
        Player::new(&self.tee, &self.service, false)
    }

    /// A licence session for the clip.
    fn clip(&self, protected: bool) -> Bare {
        let url = self.service.server().url();
        let info = post::service_info(&url).expect("the service answers");
        let open = if protected {
            Bare::open_protected
        } else {
            Bare::open
        };
        let mut keys = open(&*self.tee, self.service.anchor(), &info).expect("a session");
        keys.acquire(&url, CLIP_KEY.kid).expect("a licence");
        keys
    }
}

/// A build for the test monitor says that it is one for development, in evidence as here.
///
/// # Panics
/// When it does not.
pub fn the_trusted_side_says_that_it_is_a_debug_build(ground: &Ground) {
    let mut player = ground.player();
    let described = player.connection.exchange(&Describe {});
    assert!(described.expect("it describes itself").debug);
}

/// HDCP is lost while both tracks play.
///
/// # Panics
/// When the HD key does not stop within one call, or the SD key does.
pub fn hdcp_dropped_stops_the_hd_key_within_one_call_and_the_sd_key_plays_on(ground: &Ground) {
    let mut monitor = ground.monitor();
    monitor.show(Some(&[GOOD_HDMI]));
    let mut player = ground.player();
    let hd = player.acquire("HD", &[ground.hd.kid()]).expect("a licence");
    let sd = player.acquire("SD", &[ground.sd.kid()]).expect("a licence");
    ground
        .hd
        .play(&mut player.connection, hd)
        .expect("it plays");
    // Nobody but the monitor vouches for it, so that nothing is marked.
    assert!(player.key(hd, ground.hd.kid()).reasons.0.is_empty());
    let (_, before) = player.keys(hd);

    monitor.show(Some(&[BARE_HDMI]));
    let stopped = ground.hd.decrypt(0, &mut player.connection, hd);
    assert_eq!(refusal(stopped), Status::KeyNotUsable);
    ground
        .sd
        .play(&mut player.connection, sd)
        .expect("to its end");
    let (keys, after) = player.keys(hd);
    assert!(after > before, "an event is due");
    assert_eq!(keys[0].status, KeyStatus::OutputRestricted);
    let fields: Vec<_> = keys[0]
        .reasons
        .0
        .iter()
        .map(|reason| reason.field)
        .collect();
    assert_eq!(fields, [ReasonField::DigitalVideo]);

    monitor.show(Some(&[GOOD_HDMI]));
    ground
        .hd
        .play(&mut player.connection, hd)
        .expect("it comes back with HDCP");
}

/// An analogue cable is plugged in: the decoder makes the picture smaller, and where there is none the
/// key is refused and says how large a picture may be.
///
/// # Panics
/// When it is otherwise.
pub fn analogue_plugged_in_downscales_at_high_and_refuses_at_medium(ground: &Ground) {
    let clip = Clip::read(CLIP);
    let units: Vec<Protected> = (1..)
        .zip(&clip.units)
        .map(|(number, unit)| protect(CLIP_KEY.scheme, &CLIP_KEY.key, number, unit))
        .collect();
    let mut monitor = ground.monitor();
    monitor.show(Some(&[GOOD_HDMI]));
    let mut keys = ground.clip(true);
    let mut decoder = Decoder::open(&*ground.tee).expect("there is memory for one");
    decoder.attach(&mut keys).expect("the ticket is good");
    decoder.configure(&clip.record).expect("the clip fits");
    let whole = play(&mut decoder, &units);
    assert_eq!(whole, (vec![None], clip.digests()));

    monitor.show(Some(&[GOOD_HDMI, ANALOG]));
    decoder.skip().expect("from the first unit again");
    let small = play(&mut decoder, &units);
    assert_eq!(small, (vec![Some(SMALL.into())], clip.scaled(SMALL.into())));
    assert_eq!(
        status(&mut keys),
        (KeyStatus::OutputDownscaled, Some(SMALL))
    );

    monitor.show(Some(&[BARE_HDMI]));
    let stopped = decoder.decode(&CLIP_KEY, 0, &units[0]);
    assert_eq!(refusal(stopped), Status::KeyNotUsable);
    drop(decoder);
    drop(keys);

    // The same key for the host's own decoder.
    let mut keys = ground.clip(false);
    monitor.show(Some(&[GOOD_HDMI]));
    assert_eq!(status(&mut keys), (KeyStatus::Usable, None));
    monitor.show(Some(&[GOOD_HDMI, ANALOG]));
    assert_eq!(
        status(&mut keys),
        (KeyStatus::OutputRestricted, Some(SMALL))
    );
    monitor.show(Some(&[GOOD_HDMI]));
    assert_eq!(status(&mut keys), (KeyStatus::Usable, None));
}

/// What a decoder says of the largest picture, each value once, and the pictures' digests.
fn play(decoder: &mut Decoder, units: &[Protected]) -> (Vec<Option<u64>>, Vec<[u8; 32]>) {
    let (mut largest, mut digests) = (Vec::new(), Vec::new());
    for (time, unit) in (0..).zip(units) {
        let presented = decoder.decode(&CLIP_KEY, time, unit).expect("accepted");
        largest.push(presented.largest);
        digests.extend(presented.digests.expect("a test build gives digests").0);
    }
    let rest = decoder.flush().expect("the rest is presented");
    digests.extend(rest.digests.expect("a test build gives digests").0);
    largest.dedup();
    (largest, digests)
}

fn status(keys: &mut Bare) -> (KeyStatus, Option<u32>) {
    let session = keys.session;
    let report = keys
        .connection
        .exchange(&keybearer_wire::body::Statuses { session })
        .expect("the session is there");
    let key = &report.licenses.0[0].keys.0[0];
    (key.status, key.largest_picture)
}

/// Where there is a monitor the host's reports are refused.
///
/// # Panics
/// When one counts.
pub fn a_report_forged_by_the_host_is_refused(ground: &Ground) {
    let mut monitor = ground.monitor();
    monitor.show(Some(&[BARE_HDMI]));
    let mut player = ground.player();
    let hd = player.acquire("HD", &[ground.hd.kid()]).expect("a licence");
    for sequence in [1, u64::MAX] {
        let told = player.report(sequence, &[GOOD_HDMI]);
        assert_eq!(refusal(told), Status::NotSupported);
        let played = ground.hd.decrypt(0, &mut player.connection, hd);
        assert_eq!(refusal(played), Status::KeyNotUsable);
    }
}

/// A monitor that is silent or dead shows nothing; one that is told again is believed again.
///
/// # Panics
/// When something plays that demands outputs, or nothing plays again.
pub fn a_monitor_that_does_not_answer_closes_what_demands_outputs(ground: &Ground) {
    let mut monitor = ground.monitor();
    monitor.show(Some(&[GOOD_HDMI]));
    let mut player = ground.player();
    let hd = player.acquire("HD", &[ground.hd.kid()]).expect("a licence");
    let sd = player.acquire("SD", &[ground.sd.kid()]).expect("a licence");
    ground
        .hd
        .play(&mut player.connection, hd)
        .expect("it plays");
    let closed = |player: &mut Player| {
        let played = ground.hd.decrypt(0, &mut player.connection, hd);
        assert_eq!(refusal(played), Status::KeyNotUsable);
        let key = player.key(hd, ground.hd.kid());
        assert_eq!(key.reasons.0[0].field, ReasonField::Outputs);
        ground
            .sd
            .play(&mut player.connection, sd)
            .expect("it demands nothing");
    };
    monitor.show(None);
    closed(&mut player);
    monitor.show(Some(&[GOOD_HDMI]));
    ground
        .hd
        .play(&mut player.connection, hd)
        .expect("it plays again");

    let dead = monitor.die();
    assert!(
        matches!(dead, Err(CallError::Transport(TeeError::Dead))),
        "{dead:?}"
    );
    // The next one was told nothing yet.
    closed(&mut player);
    let mut monitor = ground.monitor();
    monitor.show(Some(&[GOOD_HDMI]));
    ground
        .hd
        .play(&mut player.connection, hd)
        .expect("it plays again");
}

/// Who asks the monitor without being the key TA gets nothing.
///
/// # Panics
/// When it does.
pub fn the_monitor_tells_the_key_ta_and_nobody_else(ground: &Ground) {
    let mut monitor = ground.monitor();
    for outputs in [None, Some(&[GOOD_HDMI][..])] {
        monitor.show(outputs);
        assert_eq!(refusal(monitor.look()), Status::NotPermitted);
    }
}
