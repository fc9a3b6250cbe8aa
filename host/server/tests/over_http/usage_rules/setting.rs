//! A server under usage rules, players that ask it, and a service of the operator.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keybearer_backend::{BackendChoice, BackendOptions, detect};
use keybearer_client::{
    AnchorDigest, Client, ClientError, Denial, LicenseWanted, ProvisionToken, RetryPolicy, Session,
};
use keybearer_license::{Capabilities, HardwareModel, KeyUse, TrackType};
use keybearer_rules::{Column, Drm, OutputPolicy, Readings, Rules};
use keybearer_server::{Config, ContentKind, ContentSpec, Credential, KeySpec, TokenKey};
use serde_json::{Value, json};

use crate::support::{Answer, Device, World, exchange, key, kid, license, request};

/// The secret of the tests' issuer of tokens.
const SECRET: [u8; 32] = [0x5a; 32];

/// One attempt, so that the first denial shows.
const ONCE: RetryPolicy = RetryPolicy {
    attempts: 1,
    first_pause: Duration::ZERO,
    deadline: Duration::from_secs(20),
};

/// A server whose tenants `default` and `lab` (integration) believe the tests' issuer.
pub(crate) struct Setting {
    pub(crate) world: World,
    folder: tempfile::TempDir,
}

/// A device: the real client over the software backend, provisioned, at level Low.
pub(crate) struct Player {
    client: Client,
    session: Session,
}

impl Setting {
    /// With these contents.
    pub(crate) fn new(contents: Vec<ContentSpec>) -> Self {
        Self::with(contents, |_| {})
    }

    /// With these contents, and the tenants as `change` has them.
    pub(crate) fn with(
        contents: Vec<ContentSpec>,
        change: impl FnOnce(&mut Vec<keybearer_server::Tenant>),
    ) -> Self {
        Self::with_config(contents, |config| change(&mut config.tenants))
    }

    /// With these contents, and the configuration as `change` has it.
    pub(crate) fn with_config(
        contents: Vec<ContentSpec>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let world = World::with(|config| {
            config.contents = contents;
            for tenant in &mut config.tenants {
                tenant.credentials = vec![Credential {
                    kid: "issuer".into(),
                    key: TokenKey::hs256(&SECRET).unwrap(),
                }];
            }
            change(config);
        });
        Self {
            world,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A player of a model of a rule family.
    pub(crate) fn player(&self, family: Drm) -> Player {
        self.player_of(family, &format!("{family} player"))
    }

    /// A player of the model `name`, which belongs to a rule family from now on.
    pub(crate) fn player_of(&self, family: Drm, name: &str) -> Player {
        self.family(name, family);
        let state = self.folder.path().join(name);
        let options = BackendOptions::new(state);
        let tee = detect(BackendChoice::InProcess, &options).unwrap().0;
        let url = self.world.server.url().parse().unwrap();
        let anchor = AnchorDigest(self.world.server.anchor().digest.0);
        let client = Client::new(Arc::clone(&tee), url, anchor).with_retry(ONCE);
        let token = ProvisionToken::Enrollment(self.world.enrolment("default"));
        client.provision(&token, name).unwrap();
        let session = client.open_session().unwrap();
        Player { client, session }
    }

    /// A device of the licence room, of a model of a rule family, not yet certified.
    pub(crate) fn device(&self, family: Drm) -> Device {
        let name = format!("{family} player");
        self.family(&name, family);
        let mut device = Device::new(&self.world);
        device.model = HardwareModel::new(&name).unwrap();
        device
    }

    /// How a certified device of a family may use key `n`, asked for as `change` has the request.
    pub(crate) fn usage(
        &self,
        family: Drm,
        n: u8,
        change: impl FnOnce(&mut keybearer_license::LicenseRequest),
    ) -> KeyUse {
        let mut device = self.device(family);
        device.enrol(&self.world.enrolment("default"));
        let mut license = license(device.acquire_with(&[kid(n)], change));
        license.keys.remove(0).usage
    }

    fn family(&self, model: &str, family: Drm) {
        let path = format!("/admin/v1/device-models/{}", model.replace(' ', "%20"));
        let form = json!({ "family": family.name() });
        self.done("PUT", &path, &form);
    }

    /// What the operator's side answers.
    pub(crate) fn admin(&self, method: &str, path: &str, body: &Value) -> Answer {
        let bearer = format!("Bearer {}", self.world.admin_token());
        let headers = [("Authorization", bearer.as_str())];
        let body = match body {
            Value::Null => Vec::new(),
            body => serde_json::to_vec(body).unwrap(),
        };
        exchange(
            self.world.server.admin_addr(),
            &request(method, path, &headers, &body),
        )
    }

    /// The answer to something that works.
    pub(crate) fn done(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.admin(method, path, body);
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!((200..300).contains(&answer.status), "{path}: {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// Why something does not work.
    pub(crate) fn refused(&self, method: &str, path: &str, body: &Value) -> String {
        let answer = self.admin(method, path, body);
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
        answer.json()["message"].as_str().unwrap().to_owned()
    }

    /// Adds or changes a profile.
    pub(crate) fn profile(&self, id: &str, form: &Value) -> Value {
        self.done("PUT", &format!("/admin/v1/profiles/{id}"), form)
    }

    /// A token with these rights, for a minute.
    pub(crate) fn token(&self, rights: &Value) -> Vec<u8> {
        self.token_with(|claims| claims["contentRights"] = rights.clone())
    }

    /// A token for the content `film`, as `change` has its claims.
    pub(crate) fn token_with(&self, change: impl FnOnce(&mut Value)) -> Vec<u8> {
        let mut claims = json!({
            "typ": "ContentAuthZ",
            "ver": "1.0",
            "exp": self.world.clock_now() + 60,
            "contentRights": [{ "contentId": "film" }],
        });
        change(&mut claims);
        let header = json!({ "typ": "JWT", "alg": "HS256", "kid": "issuer" });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &SECRET);
        let tag = ring::hmac::sign(&key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag)).into_bytes()
    }

    /// The same server after a restart.
    pub(crate) fn restarted(self) -> Self {
        let Self { world, folder } = self;
        Self {
            world: world.restarted(|_| {}),
            folder,
        }
    }

    /// The newest entry of the log.
    pub(crate) fn logged(&self) -> Value {
        let log = self.done("GET", "/admin/v1/log?limit=1000", &Value::Null);
        log["entries"].as_array().unwrap().last().unwrap().clone()
    }
}

/// What a player asks for, apart from the keys.
#[derive(Default)]
pub(crate) struct Ask {
    pub(crate) token: Option<Vec<u8>>,
    pub(crate) says: Capabilities,
}

impl Ask {
    pub(crate) fn token(token: Vec<u8>) -> Self {
        Self {
            token: Some(token),
            ..Self::default()
        }
    }
}

impl Player {
    /// The key ids that the player gets, in the form `n` of [`kid`].
    pub(crate) fn acquire(&self, keys: &[u8], ask: Ask) -> Result<Vec<u8>, Denial> {
        let wanted = LicenseWanted {
            key_ids: keys.iter().map(|n| kid(*n).0).collect(),
            token: ask.token,
            capabilities: ask.says,
            ..LicenseWanted::default()
        };
        match self.client.acquire(&self.session, &wanted) {
            Ok(license) => Ok(license.keys.iter().map(|key| key.id[0]).collect()),
            Err(ClientError::Denied(denial)) => Err(denial),
            Err(other) => panic!("{other}"),
        }
    }
}

/// The denial, whose rule begins with `rule`.
pub(crate) fn broken(result: Result<Vec<u8>, Denial>, rule: &str) -> Denial {
    let denial = result.unwrap_err();
    let found = denial.rule.clone().unwrap_or_default();
    assert!(found.starts_with(rule), "{rule}: {denial:?}");
    denial
}

/// A content that needs a token.
pub(crate) fn film() -> ContentSpec {
    ContentSpec {
        open: false,
        ..ContentSpec::open("film", vec![key(1)])
    }
}

/// An open channel with one key, `n`, under a profile.
pub(crate) fn channel_under(id: &str, n: u8, profile: Option<&str>) -> ContentSpec {
    ContentSpec {
        kind: Some(ContentKind::Channel),
        usage_rules_profile_id: profile.map(str::to_owned),
        ..ContentSpec::open(id, vec![key(n)])
    }
}

/// A key of another track.
pub(crate) fn key_of(n: u8, track: TrackType) -> KeySpec {
    KeySpec { track, ..key(n) }
}

/// The canonical meaning of a built-in column.
pub(crate) fn policy(family: Drm, column: Column) -> OutputPolicy {
    Rules::column(family, column).policy(&Readings::default())
}

/// Answers each request with the next of `answers`, and tells what it was asked.
pub(crate) fn operator(answers: Vec<Vec<u8>>) -> (String, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/authorise", listener.local_addr().unwrap());
    let (tell, asked) = channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = Vec::new();
            let mut piece = [0; 4096];
            let (head, body) = loop {
                let read = stream.read(&mut piece).unwrap();
                bytes.extend_from_slice(&piece[..read]);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else {
                    continue;
                };
                let length = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(':')?;
                    name.eq_ignore_ascii_case("content-length")
                        .then(|| value.trim().parse::<usize>().unwrap())
                });
                if body.len() >= length.unwrap_or(0) {
                    break (head.to_owned(), serde_json::from_str(body).unwrap());
                }
            };
            let _ = tell.send((head, body));
            let _ = stream.write_all(&answer);
        }
    });
    (url, asked)
}

/// An answer of the operator's service.
pub(crate) fn says(status: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
    .into_bytes()
}
