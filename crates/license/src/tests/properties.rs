//! Properties of every body: what is written is read back, and what is read is written again.

use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use keybearer_cbor::{MapDecoder, decode};
use keybearer_crypto::{Digest, Secret};
use keybearer_rules::{
    Level, OutputPolicy, Permission, Recording, SecureMediaPath, TrustedOutputs,
};
use proptest::collection::vec;
use proptest::prelude::*;

use super::exchanges::{answer, ask, granted};
use super::samples::{bare_acquire, head, service};
use super::world::{CRYPTO, World, public};
use crate::answer::{Body as AnswerBody, BoundHead, encode_body};
use crate::request::{self, Body as RequestBody, Head};
use crate::*;

/// Turns bytes into values: every list of bytes is some message.
struct Draw<'a>(&'a [u8]);

impl Draw<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        core::array::from_fn(|_| self.byte())
    }

    fn bool(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// Small numbers often, large ones too.
    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array()) >> (u32::from(self.byte()) % 64)
    }

    fn u32(&mut self) -> u32 {
        u32::try_from(self.u64() >> 32).unwrap() >> (u32::from(self.byte()) % 32)
    }

    fn nonzero(&mut self) -> NonZeroU32 {
        NonZeroU32::new(self.u32()).unwrap_or(NonZeroU32::MIN)
    }

    fn maybe<T>(&mut self, draw: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.bool().then(|| draw(self))
    }

    fn list<T>(&mut self, most: usize, mut draw: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = usize::from(self.byte()) % (most + 1);
        (0..count).map(|_| draw(self)).collect()
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::from(self.byte()) % all.len()]
    }

    fn text(&mut self, most: usize) -> String {
        let count = usize::from(self.byte()) % most + 1;
        (0..count)
            .map(|_| char::from(0x20 + self.byte() % 0x5f))
            .collect()
    }

    fn time(&mut self) -> UnixTime {
        UnixTime(self.u64() % (MAX_UNIX_TIME + 1))
    }

    fn digest(&mut self) -> Digest {
        Digest(self.array())
    }

    fn challenge(&mut self) -> Challenge {
        Challenge(self.array())
    }

    fn version(&mut self) -> Version {
        let [major, minor, patch] = core::array::from_fn(|_| u16::from_le_bytes(self.array()));
        Version {
            major,
            minor,
            patch,
        }
    }

    fn model(&mut self) -> HardwareModel {
        HardwareModel::new(&self.text(MAX_HARDWARE_MODEL)).unwrap()
    }

    fn evidence(&mut self) -> Evidence {
        Evidence {
            level: self.pick(&[Level::None, Level::Low, Level::Medium, Level::High]),
            isolation: self.pick(Isolation::ALL),
            core_version: self.version(),
            ta_version: self.maybe(Self::version),
            debug: self.pick(DebugStatus::ALL),
            boot_id: BootId(self.array()),
            counter: self.pick(CounterStrength::ALL),
            time_anchored: self.bool(),
        }
    }

    fn attestation(&mut self) -> Attestation {
        Attestation {
            format: self.pick(AttestationFormat::ALL),
            key: self.digest(),
            measurement: self.digest(),
            proof: self
                .list(600, Self::byte)
                .into_iter()
                .chain([self.byte()])
                .collect(),
        }
    }

    fn capabilities(&mut self) -> Capabilities {
        Capabilities {
            outputs: self.maybe(|d| {
                d.list(MAX_OUTPUTS, |d| OutputCapability {
                    kind: d.pick(OutputKind::ALL),
                    hdcp: d.pick(HdcpCapability::ALL),
                    stream_type: d.maybe(|d| u8::from(d.bool())),
                    cgms_a: d.maybe(Self::bool),
                    max_pixels: d.maybe(Self::nonzero),
                })
            }),
            digital_output: self.maybe(Self::bool),
            analog: self.maybe(|d| d.pick(AnalogOutput::ALL)),
            max_decode_pixels: self.maybe(Self::nonzero),
            codecs_at_high: self.maybe(|d| d.list(MAX_CODECS, |d| d.pick(Codec::ALL))),
            hdcp_enforcement: self.maybe(Self::bool),
            airplay_in_use: self.maybe(Self::bool),
            adapter_in_use: self.maybe(Self::bool),
            platform: self.maybe(|d| d.pick(PlatformStatus::ALL)),
            secure_storage: self.maybe(|d| d.pick(SecureStorage::ALL)),
            vulnerability: self.maybe(|d| d.pick(Vulnerability::ALL)),
            system_id: self.maybe(Self::u32),
            client: self.maybe(|d| d.pick(ClientKind::ALL)),
        }
    }

    fn record(&mut self, license_id: LicenseId) -> UsageRecord {
        UsageRecord {
            license_id,
            first_use: self.maybe(Self::time),
            last_use: self.maybe(Self::time),
            plays: self.u32(),
            counter: self.u64(),
            previous: self.maybe(Self::digest),
            released: self.bool(),
            rollback_possible: self.bool(),
        }
    }

    fn license_ref(&mut self) -> LicenseRef {
        let license_id = LicenseId(self.array());
        let usage = self.list(MAX_USAGE_RECORDS, |d| d.record(license_id));
        LicenseRef {
            license_id,
            sequence: self.u64(),
            usage,
        }
    }

    fn license_request(&mut self) -> LicenseRequest {
        LicenseRequest {
            challenge: self.challenge(),
            kind: match self.byte() % 3 {
                0 => RequestKind::Acquire,
                1 => RequestKind::Renew(self.license_ref()),
                _ => RequestKind::Release(self.license_ref()),
            },
            keys: self.list(MAX_KEYS, |d| KeyId(d.array())),
            init_data: self.list(MAX_INIT_DATA, |d| InitData {
                system_id: d.array(),
                data: d.list(60, Self::byte),
            }),
            wanted: self.pick(LicenseKind::ALL),
            evidence: self.evidence(),
            capabilities: self.capabilities(),
            host_stated: self.capabilities(),
            model: self.model(),
            token: self.maybe(|d| d.list(80, Self::byte)),
        }
    }

    fn provision_request(&mut self) -> ProvisionRequest {
        let token = core::iter::once(self.byte())
            .chain(self.list(50, Self::byte))
            .collect();
        ProvisionRequest {
            challenge: self.challenge(),
            ueid: Ueid::from_device(&self.array()),
            oem: self.maybe(|d| OemId(d.array())),
            model: self.model(),
            evidence: self.evidence(),
            token: if self.bool() {
                ProvisionToken::Enrolment(token)
            } else {
                ProvisionToken::Factory(token)
            },
        }
    }

    /// A few fields only: the policy's own room tests the rest.
    fn policy(&mut self) -> OutputPolicy {
        OutputPolicy {
            airplay: self.pick(&[
                Permission::Unspecified,
                Permission::Allow,
                Permission::Block,
            ]),
            recording: self.pick(&[Recording::Unspecified, Recording::Restricted]),
            secure_media_path: self
                .pick(&[SecureMediaPath::Unspecified, SecureMediaPath::Required]),
            trusted_outputs: self.pick(&[TrustedOutputs::Optional, TrustedOutputs::Required]),
            ..OutputPolicy::UNSPECIFIED
        }
    }

    fn key_use(&mut self) -> KeyUse {
        KeyUse {
            track: self.pick(TrackType::ALL),
            scheme: self.pick(Scheme::ALL),
            iv: self.pick(IvKind::ALL),
            pattern: self.maybe(|d| Pattern {
                crypt: d.byte() % 16,
                skip: d.byte() % 16,
            }),
            lowest_level: self.pick(&[Level::None, Level::Low, Level::Medium, Level::High]),
            require_worker: self.bool(),
            policy: self.policy(),
            max_pixels: self.maybe(Self::nonzero),
            max_clear_bytes: self.maybe(Self::u32),
            source: PolicySource {
                origin: self.pick(PolicyOrigin::ALL),
                profile: self.maybe(|d| d.text(MAX_TEXT)),
            },
        }
    }

    fn timing(&mut self) -> Timing {
        Timing {
            not_before: self.maybe(Self::time),
            not_after: self.maybe(Self::time),
            license_seconds: self.maybe(Self::nonzero),
            rental_seconds: self.maybe(Self::nonzero),
            playback_seconds: self.maybe(Self::nonzero),
            start_grace_seconds: self.maybe(Self::nonzero),
            offline_grace_seconds: self.maybe(Self::nonzero),
            store_until: self.maybe(Self::time),
            enforce_absolute: self.pick(Enforcement::ALL),
            enforce_rental: self.pick(Enforcement::ALL),
            enforce_playback: self.pick(Enforcement::ALL),
        }
    }

    fn license(&mut self) -> License {
        License {
            license_id: LicenseId(self.array()),
            sequence: self.u64(),
            kind: self.pick(LicenseKind::ALL),
            counter: self.pick(CounterStrength::ALL),
            max_plays: self.maybe(Self::nonzero),
            timing: self.timing(),
            least_revocation: self.u64(),
            keys: self.list(12, |d| ContentKey {
                key_id: KeyId(d.array()),
                key: Secret::copied_from(&d.array()),
                usage: d.key_use(),
                period: d.maybe(Self::u64),
            }),
            roots: self.list(4, |d| RootKey {
                root_id: RootId(d.array()),
                key: Secret::copied_from(&d.array()),
                usage: d.key_use(),
                first_period: d.u64(),
                last_period: d.u64(),
            }),
            renewal: self.maybe(|d| Renewal {
                url: d.maybe(|d| d.text(200)),
                delay_seconds: d.u32(),
                retry_seconds: d.u32(),
                recovery_seconds: d.maybe(Self::nonzero),
                on_first_use: d.bool(),
                with_usage: d.bool(),
            }),
            rotation: self.maybe(|d| Rotation {
                period_index: d.u64(),
                period_start: d.time(),
                period_seconds: d.nonzero(),
            }),
        }
    }

    fn denial(&mut self) -> Denial {
        Denial {
            reason: self.pick(DenialReason::ALL),
            key_id: self.maybe(|d| KeyId(d.array())),
            wanted: self.maybe(|d| d.text(MAX_TEXT)),
            found: self.maybe(|d| d.text(MAX_TEXT)),
            rule: self.maybe(|d| d.text(MAX_TEXT)),
            level_needed: self.maybe(|d| d.pick(&[Level::Low, Level::Medium, Level::High])),
            public_code: self.maybe(Self::u32),
            retry_after_seconds: self.maybe(Self::nonzero),
        }
    }
}

fn request_head<B: RequestBody>(attestation: Option<Attestation>) -> Head {
    Head {
        audience: Digest([1; 32]),
        request_id: RequestId([2; 16]),
        agreement_key: public("agreement"),
        nonce: B::NONCE.then_some(Nonce([3; 16])),
        attestation: attestation.filter(|_| B::ATTESTED),
    }
}

fn read<'a, T>(
    bytes: &'a [u8],
    read: impl FnOnce(&mut MapDecoder<'_, 'a>) -> Result<T, keybearer_cbor::Error>,
) -> Option<T> {
    decode(bytes, 1 << 16, |d| d.map(read)).ok()
}

/// What is written is read back, and no altered byte is read as what would be written otherwise.
fn request_holds<B: RequestBody + PartialEq + core::fmt::Debug>(
    body: &B,
    attestation: Option<Attestation>,
    alterations: &[(u16, u8)],
) {
    let written = request_head::<B>(attestation);
    let bytes = request::encode_body(&written, body).unwrap();
    let (head, found) = read(&bytes, request::decode_body::<B>).unwrap();
    assert_eq!(found, *body);
    assert_eq!(head.attestation, written.attestation);
    let altered = alter(&bytes, alterations);
    if let Some((head, found)) = read(&altered, request::decode_body::<B>) {
        assert_eq!(request::encode_body(&head, &found).unwrap(), altered);
    }
}

fn answer_body<B: AnswerBody>(bound: &BoundHead, body: &B) -> Vec<u8> {
    encode_body(bound, body).unwrap().to_vec()
}

fn answer_holds<B: AnswerBody>(body: &B, alterations: &[(u16, u8)]) {
    let bound = BoundHead {
        head: head("next"),
        request: Digest([4; 32]),
    };
    let bytes = answer_body(&bound, body);
    let (bound, found) = read(&bytes, B::decode).unwrap();
    assert_eq!(answer_body(&bound, &found), bytes);
    let altered = alter(&bytes, alterations);
    if let Some((bound, found)) = read(&altered, B::decode) {
        assert_eq!(answer_body(&bound, &found), altered);
    }
}

fn alter(bytes: &[u8], alterations: &[(u16, u8)]) -> Vec<u8> {
    let mut altered = bytes.to_vec();
    for (place, value) in alterations {
        let place = usize::from(*place) % altered.len();
        altered[place] = *value;
    }
    altered
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn license_requests_hold(seed in vec(any::<u8>(), 0..900), altered in vec(any::<(u16, u8)>(), 1..4)) {
        let mut draw = Draw(&seed);
        request_holds(&draw.license_request(), draw.maybe(Draw::attestation), &altered);
    }

    #[test]
    fn provision_requests_hold(seed in vec(any::<u8>(), 0..300), altered in vec(any::<(u16, u8)>(), 1..4)) {
        let mut draw = Draw(&seed);
        request_holds(&draw.provision_request(), draw.maybe(Draw::attestation), &altered);
    }

    #[test]
    fn licences_hold(seed in vec(any::<u8>(), 0..900), altered in vec(any::<(u16, u8)>(), 1..4)) {
        answer_holds(&Draw(&seed).license(), &altered);
    }

    #[test]
    fn denials_hold(seed in vec(any::<u8>(), 0..300), altered in vec(any::<(u16, u8)>(), 1..4)) {
        answer_holds(&Draw(&seed).denial(), &altered);
    }

    #[test]
    fn capabilities_and_records_are_stored_and_read_back(seed in vec(any::<u8>(), 0..300)) {
        let mut draw = Draw(&seed);
        let capabilities = draw.capabilities();
        prop_assert_eq!(Capabilities::from_bytes(&capabilities.to_bytes().unwrap()), Ok(capabilities));
        let record = draw.record(LicenseId([7; 16]));
        prop_assert_eq!(UsageRecord::from_bytes(&record.to_bytes().unwrap()), Ok(record));
    }

    #[test]
    fn nothing_read_from_any_bytes_is_written_otherwise(bytes in vec(any::<u8>(), 0..200)) {
        if let Ok(init) = ContentInit::from_bytes(&bytes) {
            prop_assert_eq!(init.to_bytes().unwrap(), bytes.clone());
        }
        if let Ok(capabilities) = Capabilities::from_bytes(&bytes) {
            prop_assert_eq!(capabilities.to_bytes().unwrap(), bytes.clone());
        }
        if let Ok(record) = UsageRecord::from_bytes(&bytes) {
            prop_assert_eq!(record.to_bytes().unwrap(), bytes);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// A licence that may be sealed at all arrives as it was sent.
    #[test]
    fn licences_arrive_as_sent(seed in vec(any::<u8>(), 200..900)) {
        let mut license = Draw(&seed).license();
        license.rotation = license.rotation.or(super::samples::license().rotation);
        license.max_plays = None;
        license.timing = Timing { not_before: None, ..license.timing };
        license.kind = LicenseKind::Session;
        for root in &mut license.roots {
            root.last_period = root.last_period.max(root.first_period);
        }
        prop_assume!(license.check().is_ok());
        let world = World::new();
        let mut service = service(&world);
        let (pending, opened) = ask(&world, &service, &mut world.device("device"), &bare_acquire());
        let bytes = answer(&mut service, &opened, &license);
        let answer = open_license_answer(&CRYPTO, &pending, &world.trust(), &bytes).ok().unwrap();
        let bound = BoundHead { head: head("next"), request: Digest([4; 32]) };
        let found = granted(answer.outcome);
        prop_assert_eq!(answer_body(&bound, &found), answer_body(&bound, &license));
    }
}
