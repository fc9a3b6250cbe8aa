//! Demands on outputs, before there are output reports.

use keybearer_core::{Anchors, OutputSource};
use keybearer_rules::{DigitalVideo, Level, TrustedOutputs};
use keybearer_wire::body::{KeyStatus, ReasonField};

use crate::support::{Device, Service, cenc_use, forever, key, license};

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
