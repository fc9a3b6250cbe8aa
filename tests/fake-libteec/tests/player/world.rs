//! A service with the keys of some sample files, and a client on a board.

use std::path::PathBuf;
use std::sync::Arc;

use keybearer_client::{
    Client, ClientError, Level, Presented, ProtectedPlayer, ProtectedSession, Route, Session,
    TrackBatch, UnitReport, Viewer,
};
use keybearer_crypto::Secret;
use keybearer_fake_libteec::{Board, Plugged};
use keybearer_license::{IvKind, KeyId, Scheme, TrackType};
use keybearer_server::{ContentSpec, KeySpec, LogEvent};
use keybearer_tee::Tee;
use keybearer_tee_optee::OpteeTee;
use keybearer_tests::samples::{self, Sample};
use keybearer_tests::service::Service;

/// A device on a board, and a service that knows it.
pub(crate) struct World {
    pub(crate) service: Service,
    pub(crate) client: Client,
    pub(crate) board: Board,
    _plugged: Plugged,
}

/// A sample file.
pub(crate) fn sample(name: &str) -> PathBuf {
    samples::folder().join(name)
}

/// The digest of each picture of the sample files, as FFmpeg decodes the clear one, in the order of
/// presentation.
pub(crate) fn ffmpegs_pictures() -> Vec<[u8; 32]> {
    let list = std::fs::read_to_string(sample("clear-video.sha256")).expect("make.sh writes it");
    let digest = |line: &str| {
        let mut digest = [0; 32];
        let (_, hexadecimal) = line.split_once(' ').expect("size and digest");
        hex::decode_to_slice(hexadecimal, &mut digest).expect("a digest");
        digest
    };
    let digests: Vec<_> = list.lines().map(digest).collect();
    assert_eq!(digests.len(), 50);
    digests
}

/// The samples of sound of the clear file, one behind the other.
pub(crate) fn sound() -> Vec<u8> {
    let (mut rest, mut media) = (
        &std::fs::read(sample("clear-audio.mp4")).expect("it is there")[..],
        Vec::new(),
    );
    while let Some((size, _)) = rest.split_first_chunk::<4>() {
        let size = u32::from_be_bytes(*size) as usize;
        if &rest[4..8] == b"mdat" {
            media.extend_from_slice(&rest[8..size]);
        }
        rest = &rest[size..];
    }
    media
}

fn content(file: &Sample, change: impl Fn(&mut KeySpec, bool)) -> ContentSpec {
    let scheme = match file.scheme.as_str() {
        "cenc" => Scheme::Cenc,
        "cbcs" => Scheme::Cbcs,
        other => panic!("{other} is not played here"),
    };
    let keys = file.tracks.iter().map(|track| {
        let picture = track.kind == "video";
        let kind = if picture {
            TrackType::Sd
        } else {
            TrackType::Audio
        };
        let secret = Secret::copied_from(&track.key);
        let mut key = KeySpec::new(KeyId(track.kid), secret, kind, scheme);
        key.iv = match scheme {
            Scheme::Cbcs => IvKind::Constant16,
            _ if file.has_short_ivs() => IvKind::PerSample8,
            _ => IvKind::PerSample16,
        };
        change(&mut key, picture);
        key
    });
    ContentSpec::open(&file.file, keys.collect())
}

impl World {
    /// A board that poses as a TEE of level High.
    pub(crate) fn high(names: &[&str], change: impl Fn(&mut KeySpec, bool)) -> Self {
        let service = Service::start(&[]);
        let board = Board::new().posing_as_high(service.anchor().0);
        Self::on(board, service, names, change)
    }

    /// A board that says what it is: level None, which its keys allow.
    pub(crate) fn simulated(names: &[&str], change: impl Fn(&mut KeySpec, bool)) -> Self {
        Self::on(Board::new(), Service::start(&[]), names, |key, picture| {
            key.lowest_level = Level::None;
            change(key, picture);
        })
    }

    fn on(
        board: Board,
        service: Service,
        names: &[&str],
        change: impl Fn(&mut KeySpec, bool),
    ) -> Self {
        let plugged = board.plug();
        let files = samples::all();
        for name in names {
            let mut files = files.iter();
            let file = files.find(|file| file.file == *name).expect("a sample");
            let put = service
                .server()
                .registry()
                .put_content(content(file, &change));
            put.expect("the content is acceptable");
        }
        let tee: Arc<dyn Tee> = Arc::new(OpteeTee);
        let (client, _) = service.provisioned(tee).expect("the device is provisioned");
        Self {
            service,
            client,
            board,
            _plugged: plugged,
        }
    }

    /// A protected session, and a clear one beside it.
    pub(crate) fn sessions(&self) -> (ProtectedSession, Session) {
        let protected = self.client.open_protected_session();
        let clear = self.client.open_session();
        (protected.expect("there is a decoder"), clear.expect("open"))
    }

    pub(crate) fn player<'a>(
        &'a self,
        protected: &'a ProtectedSession,
        clear: &'a Session,
        route: Route,
    ) -> ProtectedPlayer<'a> {
        let player = ProtectedPlayer::new(&self.client, protected, clear, None, route);
        player.expect("the sessions are open")
    }

    /// The levels at which licences were issued, in order, each once: what the evidence of the requests
    /// carried.
    pub(crate) fn levels_in_the_log(&self) -> Vec<String> {
        let log = self.service.server().registry().log(0, 1000);
        let entries = log.expect("there is a log").into_iter();
        let mut levels: Vec<String> = entries
            .filter_map(|entry| match entry.event {
                LogEvent::License { level, .. } => Some(level),
                _ => None,
            })
            .collect();
        levels.dedup();
        levels
    }
}

/// The digests of pictures, which a test build gives of each.
pub(crate) fn digests(presented: &Presented) -> &[[u8; 32]] {
    // Where a decoder was lost, nobody tells of no picture.
    let digests = presented.digests.as_deref().unwrap_or_default();
    assert_eq!(digests.len(), presented.times.len());
    digests
}

/// Keeps what a play shows.
#[derive(Default)]
pub(crate) struct Shown {
    pub(crate) digests: Vec<[u8; 32]>,
    /// Numbers of the units whose pictures these are.
    pub(crate) times: Vec<u64>,
    pub(crate) sound: Vec<u8>,
}

impl Viewer for Shown {
    fn unit(&mut self, report: &UnitReport<'_>) {
        match report.outcome {
            Ok(presented) => self.rest(presented),
            Err(error) => panic!("unit {}: {error}", report.number),
        }
    }

    fn rest(&mut self, presented: &Presented) {
        self.times.extend(&presented.times);
        self.digests.extend(digests(presented));
    }

    fn clear(&mut self, _: &TrackBatch<'_>, samples: Result<&[u8], &ClientError>) {
        self.sound
            .extend_from_slice(samples.expect("its key allows it"));
    }
}
