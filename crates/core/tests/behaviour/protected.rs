//! Protected sessions: who may open one, what level it has, and how its media reaches a decoder and
//! nobody else.

use keybearer_core::{Anchors, Caller, ClientId, OutputSource};
use keybearer_license::{Codec, DebugStatus, DenialReason};
use keybearer_rules::{Level, SecureMediaPath};
use keybearer_wire::Status;
use keybearer_wire::body::{DecryptUnit, KeyStatus, UnitDecrypted};
use keybearer_wire::field::Blob;
use keybearer_wire::limits::{MAX_CHANNELS_PER_SESSION, MAX_TICKETS_PER_SESSION};

use crate::support::{
    Device, Loaded, Sample, Service, cenc_use, forever, key, license, samples, secret,
};

/// The track type of [`cenc_use`].
pub(crate) const TRACK: u8 = 3;
/// Clear bytes that nothing but the right key gives.
const CLEAR: [u8; 48] = [0x5a; 48];

/// A device of this ceiling, with a decoder, certified by the service.
pub(crate) fn device_of(level: Level, service: &mut Service) -> Device {
    let anchor = service.anchor();
    let mut device = Device::with(1, |config, _| {
        config.level = level;
        if level > Level::Low {
            config.anchors = Anchors::Fixed(forever(vec![anchor]));
        }
    });
    service.certifies = (level, DebugStatus::Enabled);
    device.provision(service);
    device
}

/// A High device with a protected session that holds [`cenc_use`]'s key, and a decoder.
pub(crate) fn playing() -> (Device, Service, u64, ClientId) {
    let mut service = Service::new(1);
    let mut device = device_of(Level::High, &mut service);
    let session = device.open_kind(&mut service, true).unwrap();
    let made = license(1, vec![key(7, cenc_use())]);
    device.acquire(session, &mut service, made).unwrap();
    let decoder = device.decoder();
    (device, service, session, decoder)
}

pub(crate) fn channel(device: &mut Device, session: u64, decoder: ClientId) -> u64 {
    let ticket = device.ticket(session, TRACK).unwrap();
    device.redeem(decoder, ticket).unwrap().0
}

/// One unit, protected under key 7 with `cenc`.
pub(crate) fn unit() -> (Vec<Sample>, Vec<u8>) {
    use keybearer_cenc::{ContentKey, Pattern, Scheme};
    let samples = samples(&[48]);
    let mut key = None;
    ContentKey::expand(&mut key, &secret(7));
    let mut data = CLEAR;
    // In counter mode protecting is what removing the protection is.
    let pattern = Pattern { crypt: 0, skip: 0 };
    let mut sample = key
        .as_ref()
        .unwrap()
        .sample(Scheme::Cenc, pattern, &samples[0].iv[..8])
        .unwrap();
    sample.whole(48).unwrap();
    sample.piece(&mut data).unwrap();
    assert_ne!(data, CLEAR);
    (samples, data.to_vec())
}

/// Gives a unit to a decoder; what comes out, where anything does.
pub(crate) fn give(
    device: &mut Device,
    decoder: ClientId,
    channel: u64,
    edit: impl FnOnce(&mut DecryptUnit<'_>),
) -> Result<UnitDecrypted, Status> {
    let (samples, input) = unit();
    let mut output = [0x77; 48];
    let outcome = device.units(decoder, channel, &samples, (&input, &mut output), edit);
    let expected = if outcome.is_ok() { CLEAR } else { [0x77; 48] };
    assert_eq!(output, expected);
    outcome
}

#[test]
fn a_session_has_the_level_of_its_kind_and_the_evidence_says_so() {
    let cases = [
        (Level::None, true, [Some(Level::None), Some(Level::None)]),
        (Level::Low, true, [Some(Level::Low), None]),
        (Level::Medium, true, [Some(Level::Medium), None]),
        (Level::High, true, [Some(Level::Medium), Some(Level::High)]),
        (Level::None, false, [Some(Level::None), None]),
        (Level::High, false, [Some(Level::Medium), None]),
    ];
    for (ceiling, decoder, levels) in cases {
        let mut service = Service::new(1);
        let anchor = service.anchor();
        let mut device = Device::with(1, |config, _| {
            config.level = ceiling;
            config.decoder = decoder;
            config.anchors = if ceiling > Level::Low {
                Anchors::Fixed(forever(vec![anchor]))
            } else {
                Anchors::Application
            };
        });
        device.provision(&mut service);
        for (protected, level) in [false, true].into_iter().zip(levels) {
            let opened = device.open_kind(&mut service, protected);
            let Some(level) = level else {
                assert_eq!(opened, Err(Status::LevelTooLow), "{ceiling:?} {decoder}");
                continue;
            };
            let request = device.request(opened.unwrap(), &[[7; 16]]).unwrap();
            let request = service.read(&request).request;
            assert_eq!(request.evidence.level, level, "{ceiling:?} {protected}");
            let codecs = request.capabilities.codecs_at_high;
            assert_eq!(codecs, protected.then(|| vec![Codec::H264]));
        }
    }
}

/// The lowest level of a key against both kinds of session of every ceiling.
#[test]
fn keys_are_granted_by_the_level_of_the_session() {
    let levels = [Level::None, Level::Low, Level::Medium, Level::High];
    for ceiling in levels {
        let mut service = Service::new(1);
        let mut device = device_of(ceiling, &mut service);
        for protected in [false, true] {
            let Ok(session) = device.open_kind(&mut service, protected) else {
                assert!(matches!(ceiling, Level::Low | Level::Medium) && protected);
                continue;
            };
            let own = if protected {
                ceiling
            } else {
                ceiling.min(Level::Medium)
            };
            for (id, lowest) in (1..).zip(levels) {
                let mut usage = cenc_use();
                usage.lowest_level = lowest;
                let made = license(id, vec![key(7, usage.clone())]);
                let loaded = device.acquire(session, &mut service, made).unwrap();
                if lowest <= own {
                    assert_eq!(loaded.license().keys[0].status, KeyStatus::Usable);
                } else {
                    let denied = Loaded::Denied {
                        reason: DenialReason::LevelTooLow.code(),
                        level_needed: Some(lowest.code()),
                    };
                    assert_eq!(loaded, denied, "{ceiling:?} {protected} {lowest:?}");
                }
                // Beside a key for this level it stops nothing.
                let made = license(id + 10, vec![key(7, usage), key(8, cenc_use())]);
                let keys = device.acquire(session, &mut service, made).unwrap();
                let found = keys
                    .license()
                    .keys
                    .iter()
                    .map(|key| key.status)
                    .collect::<Vec<_>>();
                let first = if lowest <= own {
                    KeyStatus::Usable
                } else {
                    KeyStatus::OutputRestricted
                };
                assert_eq!(found, [first, KeyStatus::Usable]);
            }
        }
    }
}

/// The level needed is the lowest that opens any key of the licence, and is told with that key.
#[test]
fn the_level_needed_is_the_nearest() {
    let mut service = Service::new(1);
    let mut device = device_of(Level::High, &mut service);
    let session = device.open_kind(&mut service, false).unwrap();
    let mut secure = cenc_use();
    secure.policy.secure_media_path = SecureMediaPath::Required;
    let made = license(1, vec![key(7, secure.clone())]);
    let denied = device.acquire(session, &mut service, made);
    let high = Loaded::Denied {
        reason: DenialReason::LevelTooLow.code(),
        level_needed: Some(Level::High.code()),
    };
    assert_eq!(denied, Ok(high));
    // A secure media path also demands outputs that the platform vouches for.
    device.world.get().panel = Some(OutputSource::Platform);
    let protected = device.open_kind(&mut service, true).unwrap();
    let made = license(1, vec![key(7, secure)]);
    let loaded = device.acquire(protected, &mut service, made).unwrap();
    assert_eq!(loaded.license().keys[0].status, KeyStatus::Usable);

    let mut low = Device::new(1);
    low.provision(&mut service);
    let session = low.open(&mut service).unwrap();
    let above = |level| {
        let mut usage = cenc_use();
        usage.lowest_level = level;
        usage
    };
    let keys = vec![key(7, above(Level::High)), key(8, above(Level::Medium))];
    let needed = low.acquire(session, &mut service, license(1, keys));
    let medium = Loaded::Denied {
        reason: DenialReason::LevelTooLow.code(),
        level_needed: Some(Level::Medium.code()),
    };
    assert_eq!(needed, Ok(medium));
    // The answer is used up, and its challenge serves the next request.
    assert!(low.request(session, &[[7; 16]]).is_ok());
}

#[test]
fn a_unit_comes_out_clear_in_the_decoders_memory() {
    let (mut device, mut service, session, decoder) = playing();
    let channel = channel(&mut device, session, decoder);
    let answer = give(&mut device, decoder, channel, |_| ()).unwrap();
    assert_eq!((answer.bytes, answer.largest_picture), (48, None));
    // What the decoder may show comes with each answer: the stricter of both limits.
    let mut usage = cenc_use();
    usage.max_pixels = core::num::NonZeroU32::new(921_600);
    let made = license(2, vec![key(7, usage)]);
    device.acquire(session, &mut service, made).unwrap();
    let answer = give(&mut device, decoder, channel, |_| ()).unwrap();
    assert_eq!(answer.largest_picture, Some(921_600));
    let sequence = device.statuses(session).unwrap().sequence;
    assert_eq!(answer.sequence, sequence);
}

#[test]
fn only_a_protected_session_has_tickets() {
    let (mut device, mut service, session, _) = playing();
    let clear = device.open_kind(&mut service, false).unwrap();
    assert_eq!(device.ticket(clear, TRACK), Err(Status::WrongSessionKind));
    assert_eq!(device.ticket(session, 0), Err(Status::WrongTrackType));
    assert_eq!(device.ticket(session, 200), Err(Status::WrongTrackType));
    assert_eq!(
        device.ticket(session + 256, TRACK),
        Err(Status::UnknownSession)
    );
    let other = device.core.connect(Caller::Host).unwrap();
    let stolen = device.as_client(other, |it| it.ticket(session, TRACK));
    assert_eq!(stolen, Err(Status::UnknownSession));
    device.world.get().rng_fails = true;
    assert_eq!(device.ticket(session, TRACK), Err(Status::Platform));
}

#[test]
fn tickets_are_random_and_redeemed_once() {
    let (mut device, _, session, decoder) = playing();
    let tickets: Vec<_> = (0..MAX_TICKETS_PER_SESSION)
        .map(|_| device.ticket(session, TRACK).unwrap())
        .collect();
    let mut bits = tickets.clone();
    bits.dedup();
    assert_eq!(bits.len(), tickets.len());
    assert!(tickets.iter().all(|ticket| *ticket != [0; 16]));
    let mut invented = tickets[0];
    invented[15] ^= 1;
    assert_eq!(device.redeem(decoder, invented), Err(Status::UnknownTicket));
    for ticket in &tickets {
        assert_eq!(device.redeem(decoder, *ticket).map(|it| it.1), Ok(TRACK));
        assert_eq!(device.redeem(decoder, *ticket), Err(Status::UnknownTicket));
    }
    let refused = device.ticket(session, TRACK).unwrap();
    let full = device.redeem(decoder, refused);
    assert_eq!(
        (tickets.len(), full),
        (MAX_CHANNELS_PER_SESSION, Err(Status::TooManyChannels))
    );
    // A decoder that goes makes room, and the ticket is still good.
    device.core.disconnect(decoder);
    let other = device.decoder();
    assert!(device.redeem(other, refused).is_ok());
}

/// A decoder of a test build tells its host more than accepted or rejected.
#[test]
fn a_decoder_of_a_test_build_gets_nothing_of_a_core_that_is_none() {
    use keybearer_core::NoMedia;
    use keybearer_wire::body::RedeemTicket;
    for debug in [true, false] {
        let mut service = Service::new(1);
        let mut device = Device::with(1, |config, _| {
            config.level = Level::None;
            config.debug = debug;
        });
        device.provision(&mut service);
        let session = device.open_kind(&mut service, true).unwrap();
        let ticket = device.ticket(session, TRACK).unwrap();
        let decoder = device.decoder();
        let redeem = RedeemTicket {
            ticket,
            debug: true,
        };
        let redeemed = device.as_client(decoder, |it| {
            it.call(&redeem, &mut NoMedia, |a| a.track_type)
        });
        let expected = if debug {
            Ok(TRACK)
        } else {
            Err(Status::NotPermitted)
        };
        assert_eq!(redeemed, expected);
        // Refused, the ticket is still there for a decoder that keeps silent.
        assert_eq!(device.redeem(decoder, ticket).is_ok(), !debug);
    }
}

#[test]
fn tickets_and_channels_die_with_their_session() {
    type End = fn(&mut Device, &Service, u64);
    let ends: [End; 3] = [
        |device, _, session| device.close(session).unwrap(),
        |device, _, _| device.core.disconnect(device.client),
        |device, service, _| device.erase(service.anchor()).unwrap(),
    ];
    for end in ends {
        let (mut device, service, session, decoder) = playing();
        let ticket = device.ticket(session, TRACK).unwrap();
        let channel = channel(&mut device, session, decoder);
        give(&mut device, decoder, channel, |_| ()).unwrap();
        end(&mut device, &service, session);
        assert_eq!(device.redeem(decoder, ticket), Err(Status::UnknownTicket));
        let gone = give(&mut device, decoder, channel, |_| ());
        assert_eq!(gone, Err(Status::UnknownChannel));
        assert_eq!(
            device.hang_up(decoder, channel, (0, 0)),
            Err(Status::UnknownChannel)
        );
    }
}

#[test]
fn a_channel_is_one_decoders_and_of_one_track() {
    let (mut device, mut service, session, decoder) = playing();
    let own = channel(&mut device, session, decoder);
    let other = device.decoder();
    let stolen = give(&mut device, other, own, |_| ());
    assert_eq!(stolen, Err(Status::UnknownChannel));
    assert_eq!(
        device.hang_up(other, own, (0, 0)),
        Err(Status::UnknownChannel)
    );
    // A session's handle is no channel's, though both have the same place.
    let session_handle = give(&mut device, decoder, session, |_| ());
    assert_eq!(session_handle, Err(Status::UnknownChannel));

    let mut usage = cenc_use();
    usage.track = keybearer_license::TrackType::Uhd1;
    let made = license(2, vec![key(8, usage)]);
    device.acquire(session, &mut service, made).unwrap();
    let foreign = give(&mut device, decoder, own, |call| call.key_id = [8; 16]);
    assert_eq!(foreign, Err(Status::WrongTrackType));
    device.hang_up(decoder, own, (0, 0)).unwrap();
    let closed = give(&mut device, decoder, own, |_| ());
    assert_eq!(closed, Err(Status::UnknownChannel));
}

/// Each check of a host's call, made of a decoder's as well; nothing is read or written.
#[test]
fn a_decoders_call_is_checked_as_a_hosts() {
    type Edit = fn(&mut DecryptUnit<'_>);
    let cases: [(Edit, Status); 10] = [
        (|c| c.key_id = [9; 16], Status::UnknownKey),
        (|c| c.license = Some([9; 16]), Status::UnknownLicense),
        (|c| c.scheme = 2, Status::WrongScheme),
        (|c| c.iv_size = 16, Status::WrongIv),
        (|c| c.constant_iv = Some(Blob(&[1; 8])), Status::WrongIv),
        (
            |c| (c.crypt_blocks, c.skip_blocks) = (1, 9),
            Status::WrongPattern,
        ),
        (|c| c.duration_ms = 2_001, Status::DurationTooLong),
        (|c| c.samples = Blob(&[]), Status::BadSampleTable),
        (|c| c.samples = Blob(&[0; 24]), Status::MediaMismatch),
        (|c| c.subsamples = Blob(&[0; 8]), Status::BadSampleTable),
    ];
    let (mut device, mut service, session, decoder) = playing();
    let channel = channel(&mut device, session, decoder);
    for (at, (edit, refusal)) in cases.into_iter().enumerate() {
        let refused = give(&mut device, decoder, channel, edit);
        assert_eq!(refused, Err(refusal), "case {at}");
    }
    let mut usage = cenc_use();
    usage.max_clear_bytes = Some(7);
    let made = license(2, vec![key(7, usage)]);
    device.acquire(session, &mut service, made).unwrap();
    let mut samples = samples(&[48]);
    samples[0].subsamples = vec![(8, 40)];
    let mut output = [0x77; 48];
    let media = (&[0x33; 48][..], &mut output[..]);
    let refused = device.units(decoder, channel, &samples, media, |_| ());
    assert_eq!(refused, Err(Status::ClearRangeTooLarge));
    assert_eq!(output, [0x77; 48]);
    device.world.get().clock_fails = true;
    let refused = give(&mut device, decoder, channel, |_| ());
    assert_eq!(refused, Err(Status::Platform));
}
