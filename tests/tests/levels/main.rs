//! The level matrix: trusted side and kind of session (which is what the evidence says) x certificate x
//! lowest level of the key x rule of the server, each cell a licence asked of the real server by the
//! real core.
//!
//! A key is granted as far as both certificate and evidence reach, and whoever finds that they do not,
//! the server or the core, the host is told the level needed.

mod trusted;

use std::sync::Arc;

use keybearer_client::{ClientError, Device, ProvisionToken};
use keybearer_crypto::{Digest, Secret};
use keybearer_license::{DenialReason, Isolation, KeyId, Scheme, TrackType};
use keybearer_rules::{Level, MinSecurity, SecureMediaPath};
use keybearer_server::{ContentSpec, FactoryToken, KeySpec};
use keybearer_tee::{CallError, Tee};
use keybearer_tests::bare::Bare;
use keybearer_tests::post;
use keybearer_tests::service::{MODEL, Service};
use keybearer_wire::Status;
use keybearer_wire::body::{KeyStatus, LoadAnswer};
use keybearer_wire::field::Blob;

use trusted::Trusted;

const LEVELS: [Level; 4] = [Level::None, Level::Low, Level::Medium, Level::High];

/// What the server says of a key beside its lowest level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Nothing,
    AtLeast(Level),
    SecureMediaPath,
    Worker,
    Deny,
}

const RULES: [Rule; 8] = [
    Rule::Nothing,
    Rule::AtLeast(Level::None),
    Rule::AtLeast(Level::Low),
    Rule::AtLeast(Level::Medium),
    Rule::AtLeast(Level::High),
    Rule::SecureMediaPath,
    Rule::Worker,
    Rule::Deny,
];

/// A trusted side, where it runs, the kind of session, and the level of that session.
const SIDES: [(Level, Isolation, bool, Level); 7] = [
    (Level::None, Isolation::InProcess, false, Level::None),
    (Level::None, Isolation::InProcess, true, Level::None),
    (Level::Low, Isolation::InProcess, false, Level::Low),
    (Level::Low, Isolation::Worker, false, Level::Low),
    (Level::Medium, Isolation::Tee, false, Level::Medium),
    (Level::High, Isolation::Tee, false, Level::Medium),
    (Level::High, Isolation::Tee, true, Level::High),
];

/// What a licence came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Usable,
    /// Denied for the level, by whichever side, with the level needed.
    Needs(Level),
    NeedsWorker,
    Denied,
}

/// What it should come to, written from the rules and from nothing that runs.
fn expected(granted: Level, isolation: Isolation, lowest: Level, rule: Rule) -> Outcome {
    let needed = match rule {
        Rule::Deny => return Outcome::Denied,
        Rule::AtLeast(least) => lowest.max(least),
        Rule::SecureMediaPath => Level::High,
        Rule::Nothing | Rule::Worker => lowest,
    };
    if granted < needed {
        return Outcome::Needs(needed);
    }
    if rule == Rule::Worker && isolation == Isolation::InProcess {
        return Outcome::NeedsWorker;
    }
    Outcome::Usable
}

/// A key id that names its cell.
fn kid(lowest: usize, rule: usize) -> [u8; 16] {
    let mut kid = [0; 16];
    kid[..8].copy_from_slice(&lowest.to_be_bytes());
    kid[8..].copy_from_slice(&rule.to_be_bytes());
    kid
}

/// A content for each cell of key and rule.
fn contents() -> impl Iterator<Item = ContentSpec> {
    LEVELS.iter().enumerate().flat_map(|(row, lowest)| {
        RULES.iter().enumerate().map(move |(column, rule)| {
            let id = kid(row, column);
            let secret = Secret::copied_from(&id);
            let mut key = KeySpec::new(KeyId(id), secret, TrackType::Hd, Scheme::Cenc);
            key.lowest_level = *lowest;
            match rule {
                Rule::Nothing => {}
                Rule::AtLeast(level) => key.policy.min_security = MinSecurity::AtLeast(*level),
                Rule::SecureMediaPath => key.policy.secure_media_path = SecureMediaPath::Required,
                Rule::Worker => key.require_worker = true,
                Rule::Deny => key.policy.min_security = MinSecurity::Deny,
            }
            ContentSpec::open(&format!("cell-{row}-{column}"), vec![key])
        })
    })
}

/// Certifies a trusted side of this ceiling for `level`, or for what it gets: software shows no key
/// before it is provisioned, so that no factory can name one.
fn certified(
    service: &Service,
    tee: &Trusted,
    ceiling: Level,
    level: Level,
) -> Result<Level, ClientError> {
    let token = if level >= Level::Medium && ceiling > Level::Low {
        let key = Device::connect(tee)?.device_key(&service.anchor())?;
        let wanted = FactoryToken {
            tenant: "default".into(),
            key_digest: Digest(key.digest),
            level,
            model: None,
            valid_seconds: 600,
        };
        let minted = service.server().registry().mint_factory(&wanted);
        ProvisionToken::Factory(minted.expect("a token").token.into_bytes())
    } else {
        service.enrollment_token()
    };
    let client = service.client(Arc::new(tee.clone()));
    Ok(client.provision(&token, MODEL)?.level)
}

/// Asks for a key in a session of this kind.
fn outcome(service: &Service, tee: &dyn Tee, protected: bool, kid: [u8; 16]) -> Outcome {
    let url = service.server().url();
    let info = post::service_info(&url).expect("the service says what it is");
    let opened = if protected {
        Bare::open_protected(tee, service.anchor(), &info)
    } else {
        Bare::open(tee, service.anchor(), &info)
    };
    let mut bare = opened.expect("a session");
    let request = bare.request(kid).expect("a request");
    let answer = post::license(&url, &request).expect("an answer, if only a denial");
    let load = LoadAnswer {
        session: bare.session,
        answer: Blob(&answer),
    };
    match bare.connection.exchange(&load) {
        Ok(loaded) => match (loaded.license, loaded.denial) {
            (Some(license), None) => {
                assert_eq!(license.keys.0[0].status, KeyStatus::Usable);
                Outcome::Usable
            }
            (None, Some(denial)) => match DenialReason::from_code(denial.reason) {
                Some(DenialReason::LevelTooLow) => {
                    let needed = denial.level_needed.and_then(Level::from_code);
                    Outcome::Needs(needed.expect("the level needed is told"))
                }
                Some(DenialReason::WorkerRequired) => Outcome::NeedsWorker,
                _ => Outcome::Denied,
            },
            _ => panic!("neither a licence nor a denial"),
        },
        Err(CallError::Refused(Status::WorkerRequired)) => Outcome::NeedsWorker,
        Err(CallError::Refused(Status::UseDenied)) => Outcome::Denied,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn every_cell_of_the_level_matrix() {
    let service = Service::start(&[]);
    for content in contents() {
        service
            .server()
            .registry()
            .put_content(content)
            .expect("a content");
    }
    let mut cells = 0;
    let mut wrong = Vec::new();
    for (ceiling, isolation, protected, evidence) in SIDES {
        for certificate in [Level::Low, Level::Medium, Level::High] {
            let tee = Trusted::new(ceiling, isolation, service.anchor().0);
            // A certificate is for no more than the evidence carries when it is asked for.
            let held = certified(&service, &tee, ceiling, certificate).expect("a certificate");
            assert_eq!(
                held,
                certificate.min(ceiling),
                "{ceiling:?} {certificate:?}"
            );
            if held < certificate && certificate > Level::Low {
                // The same cells as those of the certificate that it got.
                continue;
            }
            for (row, lowest) in LEVELS.into_iter().enumerate() {
                for (column, rule) in RULES.into_iter().enumerate() {
                    let wanted = expected(held.min(evidence), isolation, lowest, rule);
                    let found = outcome(&service, &tee, protected, kid(row, column));
                    if found != wanted {
                        wrong.push(format!(
                            "{ceiling:?}/{isolation:?} protected {protected}, certificate {held:?}, \
                             lowest {lowest:?}, {rule:?}: {found:?}, not {wanted:?}"
                        ));
                    }
                    cells += 1;
                }
            }
        }
    }
    // Four sides below Medium with one certificate each, one of Medium with two, two of High with all.
    assert_eq!(cells, (4 + 2 + 2 * 3) * LEVELS.len() * RULES.len());
    assert!(wrong.is_empty(), "{} of {cells}: {wrong:#?}", wrong.len());
}
