//! What a service, or whoever claims to be one, may send to a device.

mod asked;

use std::sync::LazyLock;

use keybearer_crypto::PrivateKeys;
use keybearer_crypto_soft::SoftCrypto;
use keybearer_license::{
    AnchorRef, AnswerHead, CertificateChain, Denial, License, LicenseError, LicenseOutcome,
    OpenedServiceInfo, ProvisionOutcome, Released, RevocationList, TimeOutcome,
    open_license_answer, open_provision_answer, open_revocation_list, open_service_info,
    open_time_answer, seal_denial, seal_license, seal_provision_answer, seal_released,
    seal_service_info, seal_time_answer, sign_revocation_list,
};

use crate::Seed;
use crate::provider::{Forge, Part, Toy, pieces};
use crate::verdict::{Verdict, bytes as count, claim, peak};
use crate::world::{NamedRng, World};
use asked::Asked;

/// The answers to the five questions, denials among them, and what a service publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    License,
    Denial,
    Renewed,
    Released,
    Time,
    TimeDenied,
    Provisioned,
    Info,
    List,
}

const KINDS: [Kind; 9] = [
    Kind::License,
    Kind::Denial,
    Kind::Renewed,
    Kind::Released,
    Kind::Time,
    Kind::TimeDenied,
    Kind::Provisioned,
    Kind::Info,
    Kind::List,
];

/// Where the fuzzer's bytes stand in the message, as for requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    Message,
    Signed,
    Body,
    Header,
}

/// Bodies come from toys, which cost nothing; messages and their signed forms need real cryptography.
const LAYERS: [Layer; 4] = [Layer::Body, Layer::Header, Layer::Message, Layer::Signed];

/// What a device finds in an answer.
pub(crate) enum Found {
    License(AnswerHead, Box<License>),
    Denied(AnswerHead, Denial),
    Released(AnswerHead, Released),
    Time(AnswerHead),
    Provisioned(AnswerHead, CertificateChain),
    Info(Box<OpenedServiceInfo>),
    List(RevocationList),
}

/// An honest message and its signed form.
type Honest = (Kind, Vec<u8>, Vec<u8>);
static SOFT: LazyLock<Asked<SoftCrypto>> = LazyLock::new(|| Asked::new(World::new(SoftCrypto)));
static TOY: LazyLock<Asked<Toy>> = LazyLock::new(|| Asked::new(World::new(Toy)));
static HONEST: LazyLock<Vec<Honest>> = LazyLock::new(|| {
    let honest = |(kind, body): (Kind, Vec<u8>)| {
        let (message, signed) = message(&SOFT, kind, Part::Body(&body));
        (kind, message, signed)
    };
    SOFT.bodies().into_iter().map(honest).collect()
});

/// **Claim**: whatever a device receives is believed or refused, without a panic and holding at most
/// four times its bytes and 32 KiB. What is believed was sent by the service exactly so: no byte of
/// the message, and inside the seal none but those of the signature, can be another. A body that the
/// service signed and the device took is the only encoding of what was found in it.
///
/// The first byte chooses the kind of message and where the rest stands, as for requests.
///
/// # Panics
/// When `data` falsifies it.
pub fn run(data: &[u8]) {
    let Some((selector, rest)) = data.split_first() else {
        return;
    };
    let selector = usize::from(*selector);
    let kind = KINDS[selector % KINDS.len()];
    let layer = LAYERS[selector / KINDS.len() % LAYERS.len()];
    let verdict = match layer {
        Layer::Message | Layer::Signed => judge(&SOFT, kind, layer, rest, &open),
        Layer::Body | Layer::Header => judge(&TOY, kind, layer, rest, &open),
    };
    verdict.unwrap_or_else(|words| panic!("{kind:?} {layer:?}: {words}"));
}

/// A way of opening answers.
type Open<C> = dyn Fn(&Asked<C>, Kind, &[u8]) -> Result<Found, LicenseError>;

/// The same about any of them.
fn judge<C: PrivateKeys>(
    asked: &Asked<C>,
    kind: Kind,
    layer: Layer,
    rest: &[u8],
    open: &Open<C>,
) -> Verdict {
    let (message, _) = match layer {
        Layer::Message => (rest.to_vec(), Vec::new()),
        Layer::Signed => message(asked, kind, Part::Signed(rest)),
        Layer::Body => message(asked, kind, Part::Body(rest)),
        Layer::Header => message(asked, kind, Part::Header(rest)),
    };
    let (opened, peak) = peak(|| open(asked, kind, &message));
    let bound = 4 * count(message.len()) + (32 << 10);
    claim!(peak <= bound, "{peak} bytes of memory, at most {bound}");
    let Ok(found) = opened else { return Ok(()) };
    match layer {
        Layer::Message if sealed(kind) => claim!(
            HONEST.iter().any(|honest| honest.1 == rest),
            "believed a message that the service did not send"
        ),
        Layer::Message | Layer::Signed => claim!(
            HONEST
                .iter()
                .any(|honest| same_but_signature(&honest.2, rest)),
            "believed a message that the service did not sign"
        ),
        Layer::Body => {
            let again = again(asked, kind, &found).map_err(|error| error.to_string());
            claim!(again.as_deref() == Ok(rest), "written again as {again:x?}");
        }
        Layer::Header => {}
    }
    Ok(())
}

/// Whether messages of a kind are sealed; what a service publishes is signed only, and an ECDSA
/// signature has a second form that anybody can write.
fn sealed(kind: Kind) -> bool {
    !matches!(kind, Kind::Info | Kind::List)
}

fn same_but_signature(honest: &[u8], other: &[u8]) -> bool {
    let without = |bytes: &[u8]| bytes.len().saturating_sub(64);
    honest.len() == other.len() && honest[..without(honest)] == other[..without(other)]
}

/// Opens an answer as a device does.
fn open<C: PrivateKeys>(
    asked: &Asked<C>,
    kind: Kind,
    message: &[u8],
) -> Result<Found, LicenseError> {
    let (crypto, trust) = (&asked.world.crypto, asked.world.trust());
    let license = |pending| {
        let answer = open_license_answer(crypto, pending, &trust, message)?;
        let head = head(answer.server_time, answer.next_challenge);
        Ok(match answer.outcome {
            LicenseOutcome::License(license) => Found::License(head, license.into()),
            LicenseOutcome::Denied(denial) => Found::Denied(head, denial),
            LicenseOutcome::Released(released) => Found::Released(head, released),
        })
    };
    match kind {
        Kind::License | Kind::Denial => license(&asked.acquire.pending),
        Kind::Renewed => license(&asked.renew.pending),
        Kind::Released => license(&asked.release.pending),
        Kind::Time | Kind::TimeDenied => {
            let answer = open_time_answer(crypto, &asked.time.pending, &trust, message)?;
            let head = head(answer.server_time, answer.next_challenge);
            Ok(match answer.outcome {
                TimeOutcome::Time => Found::Time(head),
                TimeOutcome::Denied(denial) => Found::Denied(head, denial),
            })
        }
        Kind::Provisioned => {
            let pending = &asked.provision.pending;
            let answer = open_provision_answer(crypto, pending, &trust, message)?;
            let head = head(answer.server_time, answer.next_challenge);
            Ok(match answer.outcome {
                ProvisionOutcome::Provisioned { chain, .. } => Found::Provisioned(head, chain),
                ProvisionOutcome::Denied(denial) => Found::Denied(head, denial),
            })
        }
        Kind::Info => {
            let anchor = AnchorRef::Key(trust.anchor);
            open_service_info(crypto, anchor, trust.time, trust.revoked, message)
                .map(|opened| Found::Info(opened.into()))
        }
        Kind::List => open_revocation_list(crypto, &trust, message).map(Found::List),
    }
}

fn head(
    server_time: keybearer_license::UnixTime,
    next_challenge: keybearer_license::Challenge,
) -> AnswerHead {
    AnswerHead {
        server_time,
        next_challenge,
    }
}

/// The body that the service would write to say the same.
fn again<C: PrivateKeys>(
    asked: &Asked<C>,
    kind: Kind,
    found: &Found,
) -> Result<Vec<u8>, LicenseError> {
    let (_, signed) = seal(asked, kind, found, Part::Nothing)?;
    Ok(pieces(&signed).payload)
}

/// Seals an answer with `part` in it; the message, and its signed form as it was before.
fn seal<C: PrivateKeys>(
    asked: &Asked<C>,
    kind: Kind,
    found: &Found,
    part: Part<'_>,
) -> Result<(Vec<u8>, Vec<u8>), LicenseError> {
    let world = &asked.world;
    let forge = Forge::new(&world.crypto, &world.signing.private, part);
    let mut rng = NamedRng::new("answer");
    let exchange = asked.exchange(kind);
    let message = world.answering(|service| match found {
        Found::License(head, license) => {
            seal_license(&forge, &mut rng, service, exchange, head, license)
        }
        Found::Denied(head, denial) => {
            seal_denial(&forge, &mut rng, service, exchange, head, denial)
        }
        Found::Released(head, released) => {
            seal_released(&forge, &mut rng, service, exchange, head, released)
        }
        Found::Time(head) => seal_time_answer(&forge, &mut rng, service, exchange, head),
        Found::Provisioned(head, chain) => {
            let opened = &asked.provision.opened;
            seal_provision_answer(&forge, &mut rng, service, opened, head, chain)
        }
        Found::Info(opened) => {
            seal_service_info(&world.crypto, service, &world.root.public, &opened.info)
        }
        Found::List(list) => sign_revocation_list(service, list),
    })?;
    if sealed(kind) {
        let given = forge.given.borrow().clone();
        return Ok((message, given));
    }
    let forged = crate::provider::forge(&world.crypto, &world.signing.private, &message, part);
    Ok((forged, message))
}

/// An honest answer of a kind with `part` in it, and its signed form.
fn message<C: PrivateKeys>(asked: &Asked<C>, kind: Kind, part: Part<'_>) -> (Vec<u8>, Vec<u8>) {
    let base = asked.base(kind, part);
    let (message, given) = seal(asked, kind, &base, part).unwrap_or_default();
    if message.is_empty() {
        // Only a forged part over the message's cap cannot be sealed; nothing reaches a device then.
        return (message, given);
    }
    let world = &asked.world;
    let signed = crate::provider::forge(&world.crypto, &world.signing.private, &given, part);
    (message, signed)
}

/// Each golden answer on each layer.
pub(crate) fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |kind: Kind, layer: Layer, bytes: &[u8]| {
        let of = |found: Option<usize>| found.unwrap_or(0);
        let place = of(KINDS.iter().position(|other| *other == kind));
        let selector = of(LAYERS.iter().position(|other| *other == layer)) * KINDS.len() + place;
        let name = format!("{kind:?}-{layer:?}").to_lowercase();
        let selector = u8::try_from(selector).unwrap_or(0);
        seeds.push(Seed::new(&name, [&[selector], bytes].concat()));
    };
    for (kind, message, signed) in HONEST.iter() {
        add(*kind, Layer::Message, message);
        if sealed(*kind) {
            add(*kind, Layer::Signed, signed);
        }
    }
    for (kind, body) in TOY.bodies() {
        let (_, signed) = message(&TOY, kind, Part::Body(&body));
        add(kind, Layer::Header, &pieces(&signed).protected);
        add(kind, Layer::Body, &body);
    }
    seeds
}

#[cfg(test)]
mod tests;
