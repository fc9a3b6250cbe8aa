//! Protected buffers as a board's media pipeline uses them: a protected session that decrypts units into
//! memory of which the host knows the name.
//!
//! The content is a unit under two keys of one value: [`HIGH`] for a protected session, and [`MEDIUM`],
//! with which a clear session decrypts the same bytes to where anybody sees them.

use keybearer_client::AnchorDigest;
use keybearer_crypto::Secret;
use keybearer_license::{IvKind, KeyId, Scheme, TrackType};
use keybearer_rules::Level;
use keybearer_server::{ContentSpec, KeySpec};
use keybearer_tee::{BufferRange, CallError, Media, ProtectedSession};
use keybearer_wire::body::{self, Decrypted};
use keybearer_wire::field::Blob;

use crate::bare::{Bare, acquisition, decryption, no_capabilities, table};
use crate::high::scenarios::Ground;
use crate::post;

/// Id of the key for High.
pub const HIGH: [u8; 16] = [0xd1; 16];
/// Id of the key of the same value for Medium.
pub const MEDIUM: [u8; 16] = [0xd2; 16];
/// The value of both.
pub const KEY: [u8; 16] = [0x2b; 16];
/// The unit's initialisation vector.
pub const IV: [u8; 16] = [
    0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0, 0, 0, 0, 0, 0, 0, 0,
];

/// Puts both keys into the service; a simulated trusted side has `level` None for either.
///
/// # Panics
/// When the service refuses.
pub fn register(ground: &Ground, level: Level) {
    let specification = |id, lowest| {
        let secret = Secret::copied_from(&KEY);
        let mut wanted = KeySpec::new(KeyId(id), secret, TrackType::Sd, Scheme::Cenc);
        wanted.iv = IvKind::PerSample16;
        wanted.lowest_level = lowest;
        wanted
    };
    let keys = vec![
        specification(HIGH, level),
        specification(MEDIUM, level.min(Level::Medium)),
    ];
    let content = ContentSpec::open("buffers", keys);
    let registry = ground.service.server().registry();
    registry
        .put_content(content)
        .expect("the content is acceptable");
}

/// A protected session with a licence for [`HIGH`].
pub struct Viewer {
    /// The session; its buffers are wiped when it is dropped.
    pub keys: ProtectedSession,
    session: u64,
}

impl Viewer {
    /// Opens a session and acquires the licence.
    ///
    /// # Panics
    /// When any of it is refused.
    #[must_use]
    pub fn new(ground: &Ground) -> Self {
        let url = ground.service.server().url();
        let info = post::service_info(&url).expect("the service answers");
        let keys = ProtectedSession::open(std::sync::Arc::clone(&ground.tee));
        let mut viewer = Self {
            keys: keys.expect("the trusted side is there"),
            session: 0,
        };
        viewer
            .acquire(&url, ground.service.anchor(), &info)
            .expect("the trusted side grants it");
        viewer
    }

    fn acquire(&mut self, url: &str, anchor: AnchorDigest, info: &[u8]) -> Result<(), CallError> {
        let open = body::OpenSession {
            anchor: anchor.0,
            service_info: Blob(info),
            protected: true,
        };
        self.session = self.keys.exchange(&open)?.session;
        let capabilities = no_capabilities();
        let build = acquisition(self.session, &[HIGH], &capabilities);
        let message = self.keys.exchange(&build)?.bytes.0.to_vec();
        let answer = post::license(url, &message).expect("the service gives a licence");
        let load = body::LoadAnswer {
            session: self.session,
            answer: Blob(&answer),
        };
        let loaded = self.keys.exchange(&load)?;
        assert!(loaded.license.is_some(), "a licence was denied");
        Ok(())
    }

    /// Decrypts a unit into a range of a buffer.
    ///
    /// # Errors
    /// Those of the trusted side.
    pub fn deliver(&mut self, unit: &[u8], to: BufferRange) -> Result<Decrypted, CallError> {
        let table = table(&IV, [unit.len()]);
        let request = decryption(self.session, HIGH, 40, &table);
        self.keys.deliver(&request, unit, to)
    }
}

/// Decrypts a unit to ordinary memory, with a session of either kind.
///
/// # Errors
/// Those of the trusted side.
pub fn decrypt_openly(
    ground: &Ground,
    protected: bool,
    unit: &[u8],
    output: &mut [u8],
) -> Result<Decrypted, CallError> {
    let url = ground.service.server().url();
    let info = post::service_info(&url).expect("the service answers");
    let anchor = ground.service.anchor();
    let (mut session, id) = if protected {
        (Bare::open_protected(&*ground.tee, anchor, &info)?, HIGH)
    } else {
        (Bare::open(&*ground.tee, anchor, &info)?, MEDIUM)
    };
    session.acquire(&url, id)?;
    let table = table(&IV, [unit.len()]);
    let request = decryption(session.session, id, 40, &table);
    let media = Media::Into {
        input: unit,
        output,
    };
    session.connection.decrypt(&request, media)
}
