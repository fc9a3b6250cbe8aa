//! What a device may send to a service: licence, provision and time requests.

use std::sync::LazyLock;

use ciborium::Value;
use keybearer_crypto::PrivateKeys;
use keybearer_crypto_soft::SoftCrypto;
use keybearer_license::{
    Attestation, Attested, BootId, Capabilities, ContentInit, CounterStrength, DebugStatus, Denial,
    DenialReason, Digest, Evidence, Exchange, HardwareModel, Isolation, KeyId, LicenseError,
    LicenseKind, LicenseRequest, OpenedLicense, OpenedProvision, OpenedTime, ProvisionRequest,
    ProvisionToken, RequestKind, TimeRequest, Version, build_license_request,
    build_provision_request, build_time_request, check_challenge, open_license_request,
    open_provision_request, open_time_request, seal_denial, unattested,
};
use keybearer_rules::Level;

use crate::Seed;
use crate::golden::{self, claim_of, vector};
use crate::provider::{Forge, Part, Toy, pieces};
use crate::verdict::{Verdict, bytes as count, claim, peak};
use crate::world::{NOW, NamedRng, World};

/// The three kinds of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    License,
    Provision,
    Time,
}

/// Where the fuzzer's bytes stand in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    /// They are the message.
    Message,
    /// They are the signed message, sealed honestly.
    Signed,
    /// They are the body, signed and sealed honestly.
    Body,
    /// They are the protected header of an honest body, signed and sealed honestly.
    Header,
}

/// The same with real cryptography and with toys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum With {
    Soft,
    Toy,
}

const KINDS: [Kind; 3] = [Kind::License, Kind::Provision, Kind::Time];
const LAYERS: [(Layer, With); 5] = [
    (Layer::Body, With::Toy),
    (Layer::Header, With::Toy),
    (Layer::Message, With::Soft),
    (Layer::Signed, With::Soft),
    (Layer::Body, With::Soft),
];

/// What a service finds in a request.
#[derive(Debug)]
pub(crate) enum Found {
    License(Box<OpenedLicense>),
    Provision(Box<OpenedProvision>),
    Time(Box<OpenedTime>),
}

static SOFT: LazyLock<World<SoftCrypto>> = LazyLock::new(|| World::new(SoftCrypto));
static TOY: LazyLock<World<Toy>> = LazyLock::new(|| World::new(Toy));
/// An honest message and its signed form.
type Honest = (Kind, Vec<u8>, Vec<u8>);
/// Honest messages with real cryptography.
static HONEST: LazyLock<Vec<Honest>> = LazyLock::new(|| {
    let honest = |(kind, _, body): (Kind, _, Vec<u8>)| {
        let (message, signed) = message(&*SOFT, kind, Part::Body(&body));
        (kind, message, signed)
    };
    bodies(&*SOFT).into_iter().map(honest).collect()
});

/// **Claim**: whatever a device sends is opened or refused, without a panic and holding at most
/// four times its bytes and 32 KiB. What is opened was sent by the device exactly so: no byte of
/// the message, and inside the seal none but those of the signature, can be another. A body that the
/// device signed and the service took is the only encoding of what was found in it; what is found
/// can be answered.
///
/// The first byte chooses the kind of request and where the rest stands: as the message, as the
/// signed message inside an honest seal, as body or protected header under an honest signature.
///
/// # Panics
/// When `data` falsifies it.
pub fn run(data: &[u8]) {
    let Some((selector, rest)) = data.split_first() else {
        return;
    };
    let selector = usize::from(*selector);
    let kind = KINDS[selector % KINDS.len()];
    let (layer, with) = LAYERS[selector / KINDS.len() % LAYERS.len()];
    let verdict = match with {
        With::Soft => judge(&*SOFT, kind, layer, rest, &open),
        With::Toy => judge(&*TOY, kind, layer, rest, &open),
    };
    verdict.unwrap_or_else(|words| panic!("{kind:?} {layer:?}: {words}"));
}

/// A way of opening requests.
type Open<C> = dyn Fn(&World<C>, Kind, &[u8]) -> Result<Found, LicenseError>;

/// The same about any way of opening.
fn judge<C: PrivateKeys>(
    world: &World<C>,
    kind: Kind,
    layer: Layer,
    rest: &[u8],
    open: &Open<C>,
) -> Verdict {
    let (message, _) = match layer {
        Layer::Message => (rest.to_vec(), Vec::new()),
        Layer::Signed => message(world, kind, Part::Signed(rest)),
        Layer::Body => message(world, kind, Part::Body(rest)),
        Layer::Header => message(world, kind, Part::Header(rest)),
    };
    let (opened, peak) = peak(|| open(world, kind, &message));
    let bound = 4 * count(message.len()) + (32 << 10);
    claim!(peak <= bound, "{peak} bytes of memory, at most {bound}");
    let Ok(found) = opened else { return Ok(()) };
    match layer {
        Layer::Message => claim!(
            HONEST.iter().any(|honest| honest.1 == rest),
            "opened a message that the device did not send"
        ),
        Layer::Signed => claim!(
            HONEST
                .iter()
                .any(|honest| same_but_signature(&honest.2, rest)),
            "opened a message that the device did not sign"
        ),
        Layer::Body => {
            let again = again(world, &found, rest).map_err(|error| error.to_string());
            claim!(again.as_deref() == Ok(rest), "written again as {again:x?}");
        }
        Layer::Header => {}
    }
    served(world, &found)
}

/// Whether two signed messages differ in the signature alone, which ends them.
fn same_but_signature(honest: &[u8], other: &[u8]) -> bool {
    let without = |bytes: &[u8]| bytes.len().saturating_sub(64);
    honest.len() == other.len() && honest[..without(honest)] == other[..without(other)]
}

/// Opens a request as the service does.
fn open<C: PrivateKeys>(
    world: &World<C>,
    kind: Kind,
    message: &[u8],
) -> Result<Found, LicenseError> {
    let (crypto, keys, trust) = (&world.crypto, world.keys(), world.trust());
    Ok(match kind {
        Kind::License => {
            Found::License(open_license_request(crypto, &keys, &trust, message)?.into())
        }
        Kind::Provision => Found::Provision(open_provision_request(crypto, &keys, message)?.into()),
        Kind::Time => Found::Time(open_time_request(crypto, &keys, &trust, message)?.into()),
    })
}

/// The body that a device would write to ask the same under the same id and keys.
fn again<C: PrivateKeys>(
    world: &World<C>,
    found: &Found,
    body: &[u8],
) -> Result<Vec<u8>, LicenseError> {
    let key = claim_of(body, golden::AGREEMENT_KEY).unwrap_or(Value::Null);
    let key = keybearer_license::public_key_from_cose(&golden::written(&key))?;
    let exchange = found.exchange();
    let nonce = claim_of(body, golden::NONCE).and_then(|nonce| nonce.into_bytes().ok());
    let first = [&exchange.request_id.0[..], &nonce.unwrap_or_default()].concat();
    let forge = Forge::new(&world.crypto, &world.device.private, Part::Nothing).generating(key);
    let mut rng = NamedRng::new("again").after(&first);
    match found {
        Found::License(opened) => world
            .asking(|device| {
                let said = &mut |_: &Digest| Ok(said(opened.attested.as_ref()));
                build_license_request(
                    &forge,
                    &mut rng,
                    device,
                    &world.service,
                    &opened.request,
                    said,
                )
            })
            .map(drop)?,
        Found::Time(opened) => world
            .asking(|device| {
                build_time_request(&forge, &mut rng, device, &world.service, &opened.request)
            })
            .map(drop)?,
        Found::Provision(opened) => build_provision_request(
            &forge,
            &mut rng,
            &mut world.device.signer(&world.crypto),
            &world.service,
            &opened.request,
            &mut |_| Ok(said(opened.attested.as_ref())),
        )
        .map(drop)?,
    }
    Ok(forge.payload())
}

/// What the platform said, to be said again.
fn said(attested: Option<&Attested>) -> Option<Attestation> {
    attested.map(|attested| attested.attestation.clone())
}

impl Found {
    fn exchange(&self) -> &Exchange {
        match self {
            Self::License(opened) => &opened.exchange,
            Self::Provision(opened) => &opened.exchange,
            Self::Time(opened) => &opened.exchange,
        }
    }
}

/// What a service does next: it judges the challenge, reads init data and answers.
fn served<C: PrivateKeys>(world: &World<C>, found: &Found) -> Verdict {
    let challenge = match found {
        Found::License(opened) => &opened.request.challenge,
        Found::Provision(opened) => &opened.request.challenge,
        Found::Time(opened) => &opened.request.challenge,
    };
    let ours = *challenge == world.challenge();
    let taken = check_challenge(&world.crypto, &world.mac, challenge, NOW).is_ok();
    claim!(!taken || ours, "took a challenge that was not given");
    if let Found::License(opened) = found {
        for init in &opened.request.init_data {
            if let Ok(content) = ContentInit::from_bytes(&init.data) {
                let again = content.to_bytes().map_err(|error| error.to_string());
                claim!(again.as_ref() == Ok(&init.data), "init data: {again:x?}");
            }
        }
    }
    let denial = Denial::new(DenialReason::KeyUnknown);
    let answered = world.answering(|service| {
        let mut rng = NamedRng::new("answer");
        let (crypto, head) = (&world.crypto, world.head());
        seal_denial(crypto, &mut rng, service, found.exchange(), &head, &denial)
    });
    // A key that is no point of the curve is the device's own loss.
    let fitting = matches!(answered, Ok(_) | Err(LicenseError::Sealed));
    claim!(fitting, "cannot be answered: {answered:?}");
    Ok(())
}

/// A request with `part` in it, and its honest signed form.
pub(crate) fn message<C: PrivateKeys>(
    world: &World<C>,
    kind: Kind,
    part: Part<'_>,
) -> (Vec<u8>, Vec<u8>) {
    let forge =
        Forge::new(&world.crypto, &world.device.private, part).generating(world.signing.public);
    // The envelope shows the same id as the body.
    let id = match part {
        Part::Body(body) => claim_of(body, golden::ID).and_then(|id| id.into_bytes().ok()),
        _ => None,
    };
    let mut rng = NamedRng::new("request").after(&id.unwrap_or_default());
    let challenge = world.challenge();
    let message = match kind {
        Kind::License => world.asking(|device| {
            let request = license_request(world);
            build_license_request(
                &forge,
                &mut rng,
                device,
                &world.service,
                &request,
                &mut unattested,
            )
            .map(|built| built.0)
        }),
        Kind::Time => world.asking(|device| {
            let request = TimeRequest { challenge };
            build_time_request(&forge, &mut rng, device, &world.service, &request)
                .map(|built| built.0)
        }),
        Kind::Provision => {
            let mut signer = world.device.signer(&world.crypto);
            let request = provision_request(world);
            build_provision_request(
                &forge,
                &mut rng,
                &mut signer,
                &world.service,
                &request,
                &mut unattested,
            )
            .map(|built| built.0)
        }
    };
    let signed = crate::provider::forge(
        &world.crypto,
        &world.device.private,
        &forge.given.borrow(),
        part,
    );
    // Only a forged part over the message's cap cannot be sealed; nothing reaches a service then.
    (message.unwrap_or_default(), signed)
}

fn evidence() -> Evidence {
    Evidence {
        level: Level::Low,
        isolation: Isolation::Worker,
        core_version: Version {
            major: 1,
            minor: 0,
            patch: 0,
        },
        ta_version: None,
        debug: DebugStatus::Disabled,
        boot_id: BootId([0xb0; 16]),
        counter: CounterStrength::None,
        time_anchored: false,
    }
}

fn model() -> HardwareModel {
    HardwareModel::new("Test Box 1").expect("a name")
}

/// The least that a licence request says.
pub(crate) fn license_request<C: PrivateKeys>(world: &World<C>) -> LicenseRequest {
    LicenseRequest {
        challenge: world.challenge(),
        kind: RequestKind::Acquire,
        keys: vec![KeyId([0x11; 16])],
        init_data: Vec::new(),
        wanted: LicenseKind::Session,
        evidence: evidence(),
        capabilities: Capabilities::default(),
        host_stated: Capabilities::default(),
        model: model(),
        token: None,
    }
}

/// The least that a provision request says.
pub(crate) fn provision_request<C: PrivateKeys>(world: &World<C>) -> ProvisionRequest {
    ProvisionRequest {
        challenge: world.challenge(),
        ueid: world.ueid(),
        oem: None,
        model: model(),
        evidence: evidence(),
        token: ProvisionToken::Enrolment(b"token".to_vec()),
    }
}

/// The golden bodies, addressed to the service of this world.
pub(crate) fn bodies<C: PrivateKeys>(world: &World<C>) -> Vec<(Kind, &'static str, Vec<u8>)> {
    let claims = [
        (
            golden::AUDIENCE,
            Value::Bytes(world.service.digest.0.to_vec()),
        ),
        (
            golden::EAT_NONCE,
            Value::Bytes(world.challenge().0.to_vec()),
        ),
        (golden::UEID, Value::Bytes(world.ueid().as_bytes().to_vec())),
        (
            golden::AGREEMENT_KEY,
            golden::cose_key(&world.signing.public),
        ),
    ];
    let bodies = [
        (Kind::License, "acquire", vector!("acquire.signed")),
        (
            Kind::License,
            "acquire-bare",
            vector!("acquire-bare.signed"),
        ),
        (Kind::License, "renew", vector!("renew.signed")),
        (Kind::License, "release", vector!("release.signed")),
        (
            Kind::Provision,
            "provision",
            vector!("provision-request.signed"),
        ),
        (Kind::Time, "time", vector!("time-request.signed")),
    ];
    bodies
        .into_iter()
        .map(|(kind, name, signed)| (kind, name, golden::body(&signed, &claims)))
        .collect()
}

/// Each golden message on each layer.
pub(crate) fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |kind: Kind, layer: usize, name: &str, bytes: &[u8]| {
        let kind = KINDS.iter().position(|other| *other == kind).unwrap_or(0);
        let selector = u8::try_from(layer * KINDS.len() + kind).unwrap_or(0);
        let name = format!("{name}-{layer}");
        seeds.push(Seed::new(&name, [&[selector], bytes].concat()));
    };
    for (kind, name, body) in bodies(&*SOFT) {
        let (message, signed) = message(&*SOFT, kind, Part::Body(&body));
        add(kind, 2, name, &message);
        add(kind, 3, name, &signed);
        if kind == Kind::Time {
            add(kind, 4, name, &body);
        }
    }
    for (kind, name, body) in bodies(&*TOY) {
        let (_, signed) = message(&*TOY, kind, Part::Body(&body));
        add(kind, 0, name, &body);
        if name != "acquire" && name != "renew" && name != "release" {
            add(kind, 1, name, &pieces(&signed).protected);
        }
    }
    // As it was made elsewhere: sealed to another service.
    add(Kind::License, 0, "foreign", &vector!("acquire-bare"));
    seeds
}

#[cfg(test)]
mod tests;
