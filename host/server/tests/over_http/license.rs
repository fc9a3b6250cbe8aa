//! Licences and every denial that the server gives.

use keybearer_license::{
    ContentInit, DebugStatus, DenialReason, HardwareModel, InitData, LicenseId, LicenseKind,
    LicenseRef, ProvisionToken, RequestKind, SYSTEM_ID, Serial, UsageRecord, Version, peek_device,
};
use keybearer_rules::{DigitalVideo, Hdcp, HdcpVersion, Level};
use keybearer_server::{ContentSpec, RenewalSpec};

use crate::support::{Device, World, content_key, denial, key, kid, license, open_content, post};

fn serial(device: &Device) -> Serial {
    peek_device(&device.chain.as_ref().unwrap().leaf)
        .unwrap()
        .serial
}

#[test]
fn a_licence_holds_the_key_and_says_how_it_may_be_used() {
    let mut spec = key(1);
    spec.policy.digital_video = DigitalVideo::HdcpRequired(Hdcp::Type0(HdcpVersion::V2_2));
    spec.max_clear_bytes = Some(4096);
    let policy = spec.policy;
    let mut content = ContentSpec::open("film", vec![spec]);
    content.timing.license_seconds = std::num::NonZeroU32::new(3600);
    content.renewal = Some(RenewalSpec {
        url: None,
        delay_seconds: 1800,
        retry_seconds: 60,
        recovery_seconds: None,
        on_first_use: false,
        with_usage: false,
    });
    let world = World::new(vec![content]);
    let license = license(world.low_device().acquire(&[kid(1)]));
    assert_eq!(license.sequence, 1);
    assert_eq!(license.kind, LicenseKind::Session);
    assert_eq!(license.least_revocation, 0);
    assert_eq!(license.timing.license_seconds.unwrap().get(), 3600);
    let renewal = license.renewal.unwrap();
    assert_eq!(renewal.url, Some(world.server.url()));
    assert_eq!((renewal.delay_seconds, renewal.retry_seconds), (1800, 60));
    let [key] = license.keys.as_slice() else {
        panic!("one key")
    };
    assert_eq!(key.key_id, kid(1));
    assert_eq!(key.key.expose(), &content_key(1));
    assert_eq!(key.usage.policy, policy);
    assert_eq!(key.usage.lowest_level, Level::Low);
    assert_eq!(key.usage.max_clear_bytes, Some(4096));
}

#[test]
fn keys_of_the_store_are_licensed_like_those_of_the_configuration() {
    let world = World::new(Vec::new());
    let device = world.low_device();
    assert_eq!(
        denial(device.acquire(&[kid(3)])).reason,
        DenialReason::KeyUnknown
    );
    world
        .server
        .registry()
        .put_content(open_content("late", 3))
        .unwrap();
    assert_eq!(
        license(device.acquire(&[kid(3)])).keys[0].key.expose(),
        &content_key(3)
    );
    world.server.registry().remove_content("late").unwrap();
    assert_eq!(
        denial(device.acquire(&[kid(3)])).reason,
        DenialReason::KeyUnknown
    );
}

#[test]
fn key_ids_may_come_in_init_data_of_our_own_system() {
    let world = World::new(vec![open_content("film", 1)]);
    let data = ContentInit {
        keys: vec![kid(1)],
        leaves: Vec::new(),
    }
    .to_bytes()
    .unwrap();
    let device = world.low_device();
    let licensed = license(device.acquire_with(&[], |request| {
        request.init_data = vec![InitData {
            system_id: SYSTEM_ID,
            data: data.clone(),
        }];
    }));
    assert_eq!(licensed.keys[0].key_id, kid(1));
    // Another system's init data is not ours to read.
    let refused = denial(device.acquire_with(&[], |request| {
        request.init_data = vec![InitData {
            system_id: [1; 16],
            data,
        }];
    }));
    assert_eq!(refused.reason, DenialReason::RequestNotUnderstood);
}

#[test]
fn one_refused_key_does_not_stop_another() {
    let mut hd = key(2);
    hd.lowest_level = Level::Medium;
    let world = World::new(vec![ContentSpec::open("film", vec![key(1), hd])]);
    let licensed = license(world.low_device().acquire(&[kid(2), kid(1), kid(9)]));
    let kids: Vec<_> = licensed.keys.iter().map(|key| key.key_id).collect();
    assert_eq!(kids, [kid(1)]);
}

#[test]
fn a_licence_holds_keys_of_one_content() {
    let world = World::new(vec![open_content("one", 1), open_content("two", 2)]);
    let licensed = license(world.low_device().acquire(&[kid(2), kid(1)]));
    let kids: Vec<_> = licensed.keys.iter().map(|key| key.key_id).collect();
    assert_eq!(kids, [kid(2)], "that of the first key asked for");
}

#[test]
fn an_unknown_key_is_denied_by_its_id() {
    let world = World::new(vec![open_content("film", 1)]);
    let refused = denial(world.low_device().acquire(&[kid(7), kid(8)]));
    assert_eq!(refused.reason, DenialReason::KeyUnknown);
    assert_eq!(refused.key_id, Some(kid(7)));
}

#[test]
fn a_content_that_is_not_open_needs_a_list_or_a_token() {
    let closed = |id: &str, n: u8| ContentSpec {
        open: false,
        ..open_content(id, n)
    };
    let model = HardwareModel::new("test-box").unwrap();
    let world = World::new(vec![
        closed("token", 1),
        ContentSpec {
            models: vec![model.clone()],
            ..closed("model", 2)
        },
        ContentSpec {
            models: vec![HardwareModel::new("other").unwrap()],
            ..closed("other", 3)
        },
        ContentSpec {
            tenants: vec!["default".into()],
            ..closed("tenant", 4)
        },
        ContentSpec {
            tenants: vec!["lab".into()],
            ..closed("lab", 5)
        },
        ContentSpec {
            tenants: vec!["lab".into()],
            models: vec![model],
            ..closed("both", 6)
        },
    ]);
    let device = world.low_device();
    assert_eq!(
        denial(device.acquire(&[kid(1)])).reason,
        DenialReason::TokenMissing
    );
    let with_token = denial(device.acquire_with(&[kid(1)], |request| {
        request.token = Some(b"some token".to_vec());
    }));
    assert_eq!(with_token.reason, DenialReason::TokenInvalid);
    license(device.acquire(&[kid(2)]));
    license(device.acquire(&[kid(4)]));
    for (n, rule) in [(3, "models"), (5, "tenants"), (6, "tenants")] {
        let refused = denial(device.acquire(&[kid(n)]));
        assert_eq!(refused.reason, DenialReason::NotAuthorised);
        assert_eq!(refused.rule.as_deref(), Some(rule));
    }
    let mut of_lab = Device::new(&world);
    of_lab.enrol(&world.enrolment("lab"));
    license(of_lab.acquire(&[kid(5)]));
    license(of_lab.acquire(&[kid(6)]));
}

#[test]
fn a_barred_model_is_denied() {
    let content = ContentSpec {
        tenant: "lab".into(),
        ..open_content("film", 1)
    };
    let world = World::new(vec![content]);
    let mut device = Device::new(&world);
    device.model = HardwareModel::new("barred").unwrap();
    // The tenant of its token has not barred it; that of the content has.
    device.enrol(&world.enrolment("default"));
    assert_eq!(
        denial(device.acquire(&[kid(1)])).reason,
        DenialReason::DeviceModelBarred
    );
}

#[test]
fn a_debug_device_gets_contents_of_integration_tenants_only() {
    let world = World::new(vec![
        open_content("production", 1),
        ContentSpec {
            tenant: "lab".into(),
            ..open_content("integration", 2)
        },
    ]);
    let mut device = Device::new(&world);
    device.evidence.debug = DebugStatus::Enabled;
    device.enrol(&world.enrolment("lab"));
    let refused = denial(device.acquire(&[kid(1)]));
    assert_eq!(refused.reason, DenialReason::DebugDevice);
    license(device.acquire(&[kid(2)]));
    // A certificate in debug state is not talked away by evidence, nor the other way round.
    device.evidence.debug = DebugStatus::Disabled;
    assert_eq!(
        denial(device.acquire(&[kid(1)])).reason,
        DenialReason::DebugDevice
    );
    let mut certified = world.low_device();
    license(certified.acquire(&[kid(1)]));
    certified.evidence.debug = DebugStatus::Enabled;
    assert_eq!(
        denial(certified.acquire(&[kid(1)])).reason,
        DenialReason::DebugDevice
    );
}

#[test]
fn a_revoked_device_is_denied_and_listed() {
    let world = World::new(vec![open_content("film", 1)]);
    let (device, other) = (world.low_device(), world.low_device());
    license(device.acquire(&[kid(1)]));
    let number = world
        .server
        .registry()
        .revoke_device(&serial(&device))
        .unwrap();
    assert_eq!(
        denial(device.acquire(&[kid(1)])).reason,
        DenialReason::DeviceRevoked
    );
    assert_eq!(
        device.ask_time().unwrap_err().reason,
        DenialReason::DeviceRevoked
    );
    let licensed = license(other.acquire(&[kid(1)]));
    assert_eq!(
        licensed.least_revocation, number,
        "the device must have seen this list"
    );
    assert_eq!(other.service_info().info.revocation_number, number);
}

#[test]
fn an_old_core_is_told_which_one_it_needs() {
    let world = World::new(vec![open_content("film", 1)]);
    let mut device = world.low_device();
    let minimum = Version {
        major: 1,
        minor: 0,
        patch: 0,
    };
    let world = world.restarted(|config| {
        config.minimum_core = Some(minimum);
        config.contents = vec![open_content("film", 1)];
    });
    device.follow(&world);
    let refused = denial(device.acquire(&[kid(1)]));
    assert_eq!(refused.reason, DenialReason::UpdateRequired);
    assert_eq!(refused.wanted.as_deref(), Some("1.0.0"));
    assert_eq!(refused.found.as_deref(), Some("0.1.0"));
}

#[test]
fn what_is_not_offered_is_denied_by_name() {
    let world = World::new(vec![open_content("film", 1)]);
    let device = world.low_device();
    let stored = denial(device.acquire_with(&[kid(1)], |request| {
        request.wanted = LicenseKind::Stored;
    }));
    assert_eq!(stored.reason, DenialReason::StoredNotAllowed);
    let license_id = LicenseId([5; 16]);
    let record = UsageRecord {
        license_id,
        first_use: None,
        last_use: None,
        plays: 0,
        counter: 0,
        previous: None,
        released: true,
        rollback_possible: true,
    };
    for wanted in [LicenseKind::Session, LicenseKind::Stored] {
        let release = denial(device.acquire_with(&[], |request| {
            let usage = vec![record.clone()];
            request.wanted = wanted;
            request.kind = RequestKind::Release(LicenseRef {
                license_id,
                sequence: 1,
                usage,
            });
        }));
        assert_eq!(release.reason, DenialReason::LicenseUnknown);
    }
    let renew = denial(device.acquire_with(&[kid(1)], |request| {
        let usage = Vec::new();
        request.kind = RequestKind::Renew(LicenseRef {
            license_id,
            sequence: 1,
            usage,
        });
    }));
    assert_eq!(renew.reason, DenialReason::LicenseUnknown);
}

#[test]
fn what_passes_over_the_network_shows_neither_key_nor_device() {
    let world = World::new(vec![open_content("film", 1)]);
    let mut device = Device::new(&world);
    let token = world.enrolment("default");
    let (provision, provision_pending) =
        device.provision_request(ProvisionToken::Enrolment(token.clone()));
    let provisioned = post(world.server.local_addr(), "/v1/provision", &provision);
    device
        .finish_provisioning(&provision_pending, &provisioned.body)
        .unwrap();
    let (request, pending) = device.license_request(&[kid(1)]);
    let licensed = post(world.server.local_addr(), "/v1/license", &request);
    let (denied, denied_pending) = device.license_request(&[kid(2)]);
    let refused = post(world.server.local_addr(), "/v1/license", &denied);
    license(device.open_license(&pending, &licensed.body));
    denial(device.open_license(&denied_pending, &refused.body));
    let secrets: [&[u8]; 8] = [
        &content_key(1),
        &kid(1).0,
        &kid(2).0,
        &device.ueid.as_bytes()[1..],
        &device.public.x,
        &device.public.y,
        &token,
        device.model.as_str().as_bytes(),
    ];
    let public = [
        provision,
        provisioned.body,
        request,
        licensed.body.clone(),
        denied,
        refused.body,
    ];
    for message in public {
        for secret in secrets {
            let run = 8.min(secret.len());
            for part in secret.windows(run) {
                assert!(!message.windows(run).any(|window| window == part));
            }
        }
    }
    let without_times = |head: &str| {
        let lines = head.lines().filter(|line| {
            let line = line.to_ascii_lowercase();
            !line.starts_with("date:") && !line.starts_with("content-length:")
        });
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(without_times(&licensed.head), without_times(&refused.head));
}

#[test]
fn a_content_whose_time_is_over_is_denied() {
    let world = World::new(Vec::new());
    let mut content = open_content("live", 1);
    let end = world.clock_now() + 60;
    content.timing.not_after = Some(end);
    world.server.registry().put_content(content).unwrap();
    let device = world.low_device();
    assert_eq!(
        license(device.acquire(&[kid(1)]))
            .timing
            .not_after
            .unwrap()
            .0,
        end
    );
    world.clock.advance(60);
    let refused = denial(device.acquire(&[kid(1)]));
    assert_eq!(refused.reason, DenialReason::NotAuthorised);
    assert_eq!(refused.rule.as_deref(), Some("not-after"));
}

#[test]
fn a_challenge_is_good_for_five_minutes() {
    let world = World::new(vec![open_content("film", 1)]);
    let device = world.low_device();
    let (fresh, fresh_pending) = device.license_request(&[kid(1)]);
    let (late, late_pending) = device.license_request(&[kid(1)]);
    let send = |message: &[u8]| post(world.server.local_addr(), "/v1/license", message).body;
    world.clock.advance(300);
    license(device.open_license(&fresh_pending, &send(&fresh)));
    world.clock.advance(1);
    let refused = denial(device.open_license(&late_pending, &send(&late)));
    assert_eq!(refused.reason, DenialReason::ChallengeExpired);
    // One that was never made here is no better.
    let forged = denial(device.acquire_with(&[kid(1)], |request| request.challenge.0[55] ^= 1));
    assert_eq!(forged.reason, DenialReason::ChallengeExpired);
}

#[test]
fn the_time_is_an_anchor() {
    let world = World::new(Vec::new());
    let device = world.low_device();
    world.clock.advance(17);
    assert_eq!(device.ask_time().unwrap(), (world.clock_now(), true));
}
