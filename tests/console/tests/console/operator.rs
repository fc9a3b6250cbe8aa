//! A server with something to look at, its operator's token, and the devices that ask it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keybearer_backend::{BackendChoice, BackendOptions, detect};
use keybearer_client::{
    AnchorDigest, Client, ClientError, Denial, LicenseWanted, ProvisionToken, RetryPolicy, Session,
};
use keybearer_console_tests::Browser;
use keybearer_crypto::Secret;
use keybearer_license::{HardwareModel, KeyId, Scheme, ServiceId, TrackType};
use keybearer_server::{
    Config, ContentKind, ContentSpec, DeviceModel, EnrolmentToken, KeyDirectory, KeySpec,
    ProfileForm, ProfileView, RunningServer, Server, SystemClock,
};
use serde_json::json;

/// One attempt, so that the first denial shows.
const ONCE: RetryPolicy = RetryPolicy {
    attempts: 1,
    first_pause: Duration::ZERO,
    deadline: Duration::from_secs(20),
};

/// A device with the real client over the software backend.
struct Player {
    client: Client,
    session: Session,
}

/// A running server and some devices.
pub(crate) struct Operator {
    server: RunningServer,
    players: Vec<Player>,
    _folder: tempfile::TempDir,
}

impl Operator {
    /// With a device whose model has the given name, beside ordinary ones.
    pub(crate) fn new(odd_model: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        let name = ServiceId::new("example.tv").unwrap();
        KeyDirectory::create(&keys, &name, &SystemClock).unwrap();
        let mut config = Config::new(keys, folder.path().join("store.redb"));
        config.contents = contents();
        let rules = json!({
            "drm_groups": { "premium": { "level": "low" } },
            "device_groups": { "boxes": { "family": "PlayReady" } },
            "overrides": { "UHD": { "PRM": { "Kitchen Tablet": { "hdcpType": "TYPE_0" } } } },
        });
        config.usage_rules = serde_json::from_value(rules).unwrap();
        let server = Server::bind(config).unwrap();
        let models = [
            ("Living Room TV", "PRM"),
            ("Kitchen Tablet", "Widevine"),
            ("Set-Top Box 4", "PlayReady"),
            (odd_model, "Generic"),
        ];
        let players = models.map(|(model, family)| player(&server, folder.path(), model, family));
        let boxes = json!({ "group": "boxes", "counter": "hardware" });
        define(&server, "Set-Top Box 4", boxes);
        Self {
            server,
            players: players.into(),
            _folder: folder,
        }
    }

    pub(crate) fn admin_url(&self) -> String {
        self.server.admin_url()
    }

    pub(crate) fn token(&self) -> String {
        let token = std::fs::read_to_string(self.server.admin_token_file()).unwrap();
        token.trim().to_owned()
    }

    pub(crate) fn profile(&self, id: &str) -> ProfileView {
        self.server.registry().profile(id).unwrap()
    }

    /// Another operator saves a profile.
    pub(crate) fn another_saves(&self, id: &str, form: &serde_json::Value) {
        let form: ProfileForm = serde_json::from_value(form.clone()).unwrap();
        self.server.registry().put_profile(id, &form).unwrap();
    }

    /// Another operator deletes a profile.
    pub(crate) fn another_removes(&self, id: &str) {
        self.server.registry().remove_profile(id).unwrap();
    }

    /// Whether the device in the living room gets the channel's track for HD now.
    pub(crate) fn player_gets(&self) -> Result<(), Denial> {
        ask(&self.players[0], 2)
    }

    /// The others ask for this and that: some of it they get, for some of it something is missing.
    pub(crate) fn others_ask(&self) {
        let [_, tablet, stb, odd] = self.players.as_slice() else {
            panic!("four devices")
        };
        let _ = ask(tablet, 1);
        ask(stb, 2).unwrap();
        ask(stb, 3).unwrap_err();
        ask(odd, 4).unwrap();
        ask(tablet, 5).unwrap_err();
        ask(odd, 6).unwrap_err();
    }
}

fn ask(player: &Player, n: u8) -> Result<(), Denial> {
    let wanted = LicenseWanted {
        key_ids: vec![kid(n).0],
        ..LicenseWanted::default()
    };
    match player.client.acquire(&player.session, &wanted) {
        Ok(license) => {
            assert_eq!(license.keys.len(), 1);
            Ok(())
        }
        Err(ClientError::Denied(denial)) => Err(denial),
        Err(other) => panic!("{other}"),
    }
}

fn define(server: &RunningServer, model: &str, form: serde_json::Value) {
    let form: DeviceModel = serde_json::from_value(form).unwrap();
    let name = HardwareModel::new(model).unwrap();
    server.registry().put_device_model(&name, &form).unwrap();
}

fn player(server: &RunningServer, folder: &Path, model: &str, family: &str) -> Player {
    let registry = server.registry();
    define(server, model, json!({ "family": family }));
    let options = BackendOptions::new(folder.join(family));
    let tee = detect(BackendChoice::InProcess, &options).unwrap().0;
    let anchor = AnchorDigest(server.anchor().digest.0);
    let client = Client::new(Arc::clone(&tee), server.url().parse().unwrap(), anchor);
    let client = client.with_retry(ONCE);
    let token = EnrolmentToken {
        tenant: "default".into(),
        model: None,
        valid_seconds: 600,
    };
    let minted = registry.mint_enrolment(&token).unwrap();
    let token = ProvisionToken::Enrollment(minted.token.into_bytes());
    client.provision(&token, model).unwrap();
    let session = client.open_session().unwrap();
    Player { client, session }
}

fn kid(n: u8) -> KeyId {
    let mut kid = *b"\x5a\x0d\x31\xc2\x77\x40\x4e\x19\x9b\xd3\x10\xfe\x66\x8a\xc4\x00";
    kid[0] = kid[0].wrapping_add(n.wrapping_mul(53));
    kid[15] = n;
    KeyId(kid)
}

fn key(n: u8, track: TrackType) -> KeySpec {
    let secret = Secret::copied_from(&[n; 16]);
    KeySpec::new(kid(n), secret, track, Scheme::Cbcs)
}

/// Two channels, video on demand, and a content that is neither.
fn contents() -> Vec<ContentSpec> {
    let mut uhd = key(3, TrackType::Uhd1);
    uhd.usage_rules_profile_id = Some("UHD".into());
    vec![
        ContentSpec {
            kind: Some(ContentKind::Channel),
            usage_rules_profile_id: Some("HD".into()),
            ..ContentSpec::open(
                "sport-1",
                vec![key(1, TrackType::Sd), key(2, TrackType::Hd), uhd],
            )
        },
        ContentSpec {
            kind: Some(ContentKind::Channel),
            usage_rules_profile_id: Some("premiere".into()),
            ..ContentSpec::open("news", vec![key(5, TrackType::Hd)])
        },
        ContentSpec {
            kind: Some(ContentKind::Vod),
            file_ids: vec!["film-3.mp4".into(), "film-3-trailer.mp4".into()],
            usage_rules_profile_id: Some("SD".into()),
            drm_group: Some("premium".into()),
            open: false,
            ..ContentSpec::open("film-3", vec![key(6, TrackType::Hd)])
        },
        ContentSpec::open("clip", vec![key(4, TrackType::Sd)]),
    ]
}

/// Takes a picture for the README, into the build's folder for temporary files.
pub(crate) fn picture(browser: &Browser, name: &str) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("console");
    std::fs::create_dir_all(&folder).unwrap();
    // Without what is only there for a moment.
    let _ = browser.run(
        "document.getElementById('notice').className = 'notice'; document.activeElement?.blur()",
    );
    browser.picture(&folder.join(format!("{name}.png")));
}

/// The same of the editor's family.
pub(crate) fn picture_of_editor(browser: &Browser, family: &str, name: &str) {
    browser
        .find(&format!("input[value={family}] + span"))
        .click();
    browser.resize(880);
    picture(browser, name);
}
