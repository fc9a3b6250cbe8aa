//! Demands on outputs: what a report changes, whose report counts, and for how long.

use std::num::NonZeroU32;

use keybearer_core::{Anchors, Buffers, Caller, OutputSource};
use keybearer_license::KeyUse;
use keybearer_rules::{
    AnalogVideo, Column, DigitalVideo, Drm, Hdcp, Level, Output, OutputKind, PictureLimit,
    Readings, Rules, TrustedOutputs, Type1Version,
};
use keybearer_wire::Status;
use keybearer_wire::body::{KeyReport, KeyStatus, OutputReport, ReasonField};

use crate::support::{Device, Placed, Sample, Service, cenc_use, forever, key, license, samples};

#[test]
fn without_reports_only_an_internal_panel_counts() {
    let mut service = Service::new(1);
    let anchor = service.anchor();
    let demanding = || {
        let mut usage = cenc_use();
        usage.policy.digital_video = DigitalVideo::Block;
        usage
    };
    let trusting = || {
        let mut usage = demanding();
        usage.policy.trusted_outputs = TrustedOutputs::Required;
        usage
    };
    let (host, platform) = (Some(OutputSource::Host), Some(OutputSource::Platform));
    let cases = [
        (Level::Low, host, [true, false]),
        (Level::Medium, None, [false, false]),
        (Level::Medium, host, [true, false]),
        (Level::Medium, platform, [true, true]),
        (Level::High, host, [false, false]),
        (Level::High, platform, [true, true]),
    ];
    for (level, panel, usable) in cases {
        let mut device = Device::with(1, |config, _| {
            config.level = level;
            if level > Level::Low {
                config.anchors = Anchors::Fixed(forever(vec![anchor]));
            }
        });
        device.world.get().panel = panel;
        device.provision(&mut service);
        let session = device
            .open_kind(&mut service, level == Level::High)
            .unwrap();
        let keys = vec![key(1, demanding()), key(2, trusting()), key(3, cenc_use())];
        let loaded = device
            .acquire(session, &mut service, license(1, keys))
            .unwrap()
            .license();
        let found: Vec<_> = loaded
            .keys
            .iter()
            .map(|key| key.status == KeyStatus::Usable)
            .collect();
        assert_eq!(found, [usable[0], usable[1], true], "{level:?} {panel:?}");
        for key in loaded
            .keys
            .iter()
            .filter(|key| key.status != KeyStatus::Usable)
        {
            assert_eq!(key.status, KeyStatus::OutputRestricted);
            assert_eq!(key.reasons.0[0].field, ReasonField::Outputs);
        }
        // A key that is usable because the host says so says that; one that asks nothing does not.
        let marked = loaded.keys.iter().map(|key| {
            let fields = key.reasons.0.iter().map(|reason| reason.field);
            fields.collect::<Vec<_>>() == vec![ReasonField::HostReported]
        });
        let by_host = usable[0] && panel == host;
        assert_eq!(marked.collect::<Vec<_>>(), [by_host, false, false]);
        // A panel that comes and goes takes its keys along.
        let before = device.statuses(session).unwrap().sequence;
        device.world.get().panel = if found[0] { None } else { platform };
        assert!(device.statuses(session).unwrap().sequence > before);
    }
}

const HDMI: u8 = 2;
const COMPOSITE: u8 = 4;

/// An output of which the host states no more than the HDCP.
fn output(kind: u8, hdcp_version: u8, hdcp_stream_type: u8) -> OutputReport {
    OutputReport {
        kind,
        hdcp_version,
        hdcp_stream_type,
        cgms_a: 0,
        agc: false,
        color_stripe: false,
        scms: false,
        sound: 0,
        picture: None,
    }
}

/// The use of an HD key under a column of the generic rules.
fn under(column: Column) -> KeyUse {
    let mut usage = cenc_use();
    usage.policy = Rules::column(Drm::Generic, column).policy(&Readings::default());
    usage
}

/// A device at Low with keys 1, 2 and so on, and no panel.
fn with_keys(usages: Vec<KeyUse>) -> (Device, u64) {
    with_keys_on(Device::new(1), usages)
}

fn with_keys_on(mut device: Device, usages: Vec<KeyUse>) -> (Device, u64) {
    let mut service = Service::new(1);
    device.provision(&mut service);
    let session = device.open(&mut service).unwrap();
    let keys = (1..).zip(usages).map(|(id, usage)| key(id, usage));
    let granted = license(1, keys.collect());
    device.acquire(session, &mut service, granted).unwrap();
    (device, session)
}

fn keys(device: &mut Device, session: u64) -> Vec<KeyReport> {
    let statuses = device.statuses(session).unwrap();
    statuses
        .licenses
        .into_iter()
        .flat_map(|license| license.keys)
        .collect()
}

fn fields(key: &KeyReport) -> Vec<ReasonField> {
    key.reasons.0.iter().map(|reason| reason.field).collect()
}

fn decrypts(device: &mut Device, session: u64, id: u8) -> Result<u64, Status> {
    let table: Vec<Sample> = samples(&[16]);
    device.decrypt(session, [id; 16], &table, &mut [0; 16])
}

#[test]
fn hdcp_dropped_stops_the_hd_key_at_once_and_the_sd_key_plays_on() {
    let (mut device, session) = with_keys(vec![under(Column::Hd), under(Column::Sd)]);
    device.report(1, vec![output(HDMI, 4, 1)]).unwrap();
    assert_eq!(decrypts(&mut device, session, 1), Ok(16));
    let before = device.statuses(session).unwrap().sequence;
    device.report(2, vec![output(HDMI, 0, 0)]).unwrap();
    assert_eq!(decrypts(&mut device, session, 1), Err(Status::KeyNotUsable));
    assert_eq!(decrypts(&mut device, session, 2), Ok(16));
    assert!(device.statuses(session).unwrap().sequence > before);
    let keys = keys(&mut device, session);
    assert_eq!(keys[0].status, KeyStatus::OutputRestricted);
    assert_eq!(keys[0].largest_picture, Some(0));
    let reason = &keys[0].reasons.0[0];
    assert_eq!(reason.field, ReasonField::DigitalVideo);
    assert_eq!(
        (reason.wanted, reason.found, reason.output),
        (Some(10), Some(0), Some(HDMI))
    );
    assert_eq!(fields(&keys[0])[1..], [ReasonField::HostReported]);
    assert_eq!(
        (keys[1].status, keys[1].largest_picture),
        (KeyStatus::Usable, None)
    );
    device.report(3, vec![output(HDMI, 1, 0)]).unwrap();
    assert_eq!(decrypts(&mut device, session, 1), Ok(16));
}

#[test]
fn a_report_counts_for_two_seconds() {
    let (mut device, session) = with_keys(vec![under(Column::Uhd), under(Column::Hd)]);
    let restricted = [ReasonField::Outputs];
    assert_eq!(fields(&keys(&mut device, session)[1]), restricted);
    device.report(1, vec![output(HDMI, 5, 1)]).unwrap();
    device.advance(2000);
    assert_eq!(decrypts(&mut device, session, 2), Ok(16));
    device.advance(1);
    assert_eq!(decrypts(&mut device, session, 2), Err(Status::KeyNotUsable));
    assert_eq!(fields(&keys(&mut device, session)[1]), restricted);
    // After a restart of the clock nothing tells its age.
    device.report(2, vec![output(HDMI, 5, 1)]).unwrap();
    assert_eq!(decrypts(&mut device, session, 2), Ok(16));
    device.world.get().boot[0] ^= 1;
    assert_eq!(decrypts(&mut device, session, 2), Err(Status::KeyNotUsable));
}

#[test]
fn a_report_that_is_not_newer_is_refused_and_changes_nothing() {
    let (mut device, session) = with_keys(vec![under(Column::Hd)]);
    device.report(7, vec![output(HDMI, 0, 0)]).unwrap();
    for stale in [7, 6, 0] {
        let replayed = device.report(stale, vec![output(HDMI, 5, 1)]);
        assert_eq!(replayed, Err(Status::StaleReport), "{stale}");
        assert_eq!(decrypts(&mut device, session, 1), Err(Status::KeyNotUsable));
    }
    device.report(u64::MAX, vec![]).unwrap();
    assert_eq!(decrypts(&mut device, session, 1), Ok(16));
    assert_eq!(device.report(u64::MAX, vec![]), Err(Status::StaleReport));
}

#[test]
fn a_report_counts_for_its_own_client_only() {
    let (mut device, session) = with_keys(vec![under(Column::Hd)]);
    let foreign = device.core.connect(Caller::Host).unwrap();
    let good = || vec![output(HDMI, 5, 1)];
    device
        .as_client(foreign, |it| it.report(1, good()))
        .unwrap();
    assert_eq!(decrypts(&mut device, session, 1), Err(Status::KeyNotUsable));
    // Nor does another's take this one's number.
    device.report(1, good()).unwrap();
    assert_eq!(decrypts(&mut device, session, 1), Ok(16));
    let decoder = device.decoder();
    let refused = device.as_client(decoder, |it| it.report(9, good()));
    assert_eq!(refused, Err(Status::NotPermitted));
    // A client that is gone is forgotten; its number may begin anew.
    device.core.disconnect(foreign);
    let again = device.core.connect(Caller::Host).unwrap();
    device.as_client(again, |it| it.report(1, good())).unwrap();
}

#[test]
fn analogue_refuses_at_low_and_medium_and_names_the_largest_picture() {
    let mut small = under(Column::Sd);
    small.policy.max_res_analog = PictureLimit::CONSTRAINED;
    let large = small.clone();
    small.max_pixels = NonZeroU32::new(414_720);
    let (mut device, session) = with_keys(vec![large, small]);
    device.report(1, vec![output(COMPOSITE, 0, 0)]).unwrap();
    let keys = keys(&mut device, session);
    assert_eq!(keys[0].status, KeyStatus::OutputRestricted);
    assert_eq!(keys[0].largest_picture, Some(520_000));
    assert_eq!(
        fields(&keys[0]),
        [ReasonField::AnalogPicture, ReasonField::HostReported]
    );
    assert_eq!(keys[1].status, KeyStatus::Usable);
    assert_eq!(decrypts(&mut device, session, 2), Ok(16));
}

/// A trusted application at High with a monitor.
fn monitored(service: &Service, shown: Option<Vec<Output>>) -> Device {
    let anchor = service.anchor();
    let device = Device::with(1, |config, _| {
        config.level = Level::High;
        config.anchors = Anchors::Fixed(forever(vec![anchor]));
    });
    device.world.get().monitor = Some(shown);
    device
}

fn protected_hdmi() -> Output {
    Output {
        hdcp: Some(Hdcp::Type1(Type1Version::V2_2)),
        ..Output::of(OutputKind::Hdmi)
    }
}

#[test]
fn analogue_downscales_at_high_and_the_decoder_is_told() {
    let mut service = Service::new(1);
    let mut device = monitored(&service, Some(vec![protected_hdmi()]));
    device.provision(&mut service);
    let session = device.open_kind(&mut service, true).unwrap();
    let mut usage = under(Column::Uhd);
    usage.policy.analog_video = AnalogVideo::AllowAny;
    usage.policy.max_res_analog = PictureLimit::CONSTRAINED;
    let granted = license(1, vec![key(7, usage)]);
    device.acquire(session, &mut service, granted).unwrap();
    let ticket = device.ticket(session, 3).unwrap();
    let decoder = device.decoder();
    let (channel, _) = device.redeem(decoder, ticket).unwrap();
    let unit = |device: &mut Device| {
        let mut clear = [0; 16];
        let media = (&[0; 16][..], &mut clear[..]);
        device.units(decoder, channel, &samples(&[16]), media, |_| ())
    };
    let buffer = |device: &mut Device| {
        let (input, output) = (&[0; 16][..], &mut [0; 16][..]);
        let mut media = Placed::to_a_buffer(Buffers { input, output });
        device.decrypt_with(session, [7; 16], &samples(&[16]), &mut media, |_| ())
    };
    assert_eq!(unit(&mut device).unwrap().largest_picture, None);
    assert_eq!(buffer(&mut device), Ok(16));
    let analogue = Output::of(OutputKind::AnalogComponent);
    device.world.get().monitor = Some(Some(vec![protected_hdmi(), analogue]));
    assert_eq!(unit(&mut device).unwrap().largest_picture, Some(520_000));
    let seen = keys(&mut device, session);
    assert_eq!(seen[0].status, KeyStatus::OutputDownscaled);
    assert_eq!(fields(&seen[0]), [ReasonField::AnalogPicture]);
    // Nobody here makes it smaller on the way to a hardware decoder.
    assert_eq!(buffer(&mut device), Err(Status::PictureTooLarge));
    // HDCP lost stops it within one call.
    device.world.get().monitor = Some(Some(vec![Output::of(OutputKind::Hdmi)]));
    assert_eq!(unit(&mut device), Err(Status::KeyNotUsable));
    device.world.get().monitor = Some(Some(vec![protected_hdmi()]));
    assert_eq!(unit(&mut device).unwrap().largest_picture, None);
}

#[test]
fn where_there_is_a_monitor_its_word_is_the_only_one() {
    let device = monitored(&Service::new(1), None);
    let (mut device, session) = with_keys_on(device, vec![under(Column::Hd)]);
    // The monitor does not answer, and the host cannot answer for it.
    let told = device.report(1, vec![output(HDMI, 5, 1)]);
    assert_eq!(told, Err(Status::NotSupported));
    assert_eq!(decrypts(&mut device, session, 1), Err(Status::KeyNotUsable));
    assert_eq!(
        fields(&keys(&mut device, session)[0]),
        [ReasonField::Outputs]
    );
    device.world.get().monitor = Some(Some(vec![protected_hdmi()]));
    assert_eq!(decrypts(&mut device, session, 1), Ok(16));
    // Nobody but the monitor vouches, so nothing is marked.
    assert_eq!(fields(&keys(&mut device, session)[0]), []);
    device.world.get().monitor = Some(None);
    assert_eq!(decrypts(&mut device, session, 1), Err(Status::KeyNotUsable));
}

#[test]
fn at_high_the_hosts_word_counts_for_nothing() {
    let mut service = Service::new(1);
    let mut device = monitored(&service, None);
    device.world.get().monitor = None;
    device.provision(&mut service);
    for (protected, status) in [
        (true, KeyStatus::OutputRestricted),
        (false, KeyStatus::Usable),
    ] {
        let session = device.open_kind(&mut service, protected).unwrap();
        let granted = license(1, vec![key(7, under(Column::Hd))]);
        device.acquire(session, &mut service, granted).unwrap();
        let sequence = u64::from(!protected);
        device.report(sequence, vec![output(HDMI, 5, 1)]).unwrap();
        let held = keys(&mut device, session);
        assert_eq!(held[0].status, status, "{protected}");
    }
}
