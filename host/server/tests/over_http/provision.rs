//! Provisioning: both kinds of token, and what each is worth.

use keybearer_license::{
    DebugStatus, DenialReason, HardwareModel, Isolation, ProvisionToken, Ueid, Version,
};
use keybearer_rules::Level;
use keybearer_server::{DeviceQuery, EnrolmentToken, FactoryToken};

use crate::support::{Device, World, post};

fn refused(device: &mut Device, token: ProvisionToken) -> (DenialReason, Option<String>) {
    let denial = device.provision(token).expect_err("must be refused");
    assert!(
        device.chain.is_none(),
        "no certificate comes with a refusal"
    );
    (denial.reason, denial.rule)
}

fn rule(rule: &str) -> (DenialReason, Option<String>) {
    (DenialReason::EnrolmentRefused, Some(rule.to_owned()))
}

fn factory_token(world: &World, device: &Device, level: Level) -> ProvisionToken {
    let token = FactoryToken {
        tenant: "default".into(),
        key_digest: device.key_digest(),
        level,
        model: None,
        valid_seconds: 3600,
    };
    let minted = world.server.registry().mint_factory(&token).unwrap();
    ProvisionToken::Factory(minted.token.into_bytes())
}

#[test]
fn an_enrolment_token_certifies_low_whatever_the_evidence_says() {
    let world = World::new(Vec::new());
    for (level, isolation, expected) in [
        (Level::None, Isolation::InProcess, Level::None),
        (Level::Low, Isolation::InProcess, Level::Low),
        (Level::Medium, Isolation::Tee, Level::Low),
        (Level::High, Isolation::Tee, Level::Low),
    ] {
        let mut device = Device::new(&world);
        device.evidence.level = level;
        device.evidence.isolation = isolation;
        let certified = device.enrol(&world.enrolment("default"));
        assert_eq!(certified.claims.highest_level, expected);
        assert_eq!(certified.claims.ueid, device.ueid);
        assert_eq!(certified.claims.signing_key, device.public);
    }
}

#[test]
fn a_factory_token_certifies_what_both_token_and_evidence_carry() {
    let world = World::new(Vec::new());
    for (token, evidence, isolation, expected) in [
        (Level::Medium, Level::Medium, Isolation::Tee, Level::Medium),
        (Level::Medium, Level::High, Isolation::Tee, Level::Medium),
        (Level::High, Level::High, Isolation::Tee, Level::High),
        (Level::High, Level::Medium, Isolation::Tee, Level::Medium),
        (Level::High, Level::Low, Isolation::Worker, Level::Low),
        // Outside a TEE nothing is more than Low, whatever it says of itself.
        (Level::High, Level::High, Isolation::InProcess, Level::Low),
    ] {
        let mut device = Device::new(&world);
        device.evidence.level = evidence;
        device.evidence.isolation = isolation;
        let token = factory_token(&world, &device, token);
        let certified = device.provision(token).unwrap();
        assert_eq!(certified.claims.highest_level, expected);
    }
}

#[test]
fn a_factory_token_is_for_the_key_it_names() {
    let world = World::new(Vec::new());
    let (meant, mut other) = (Device::new(&world), Device::new(&world));
    let token = factory_token(&world, &meant, Level::Medium);
    assert_eq!(refused(&mut other, token.clone()), rule("key-digest"));
    let mut meant = meant;
    meant
        .provision(token)
        .expect("the refusal did not use the token up");
}

#[test]
fn an_enrolment_token_serves_one_device() {
    let world = World::new(Vec::new());
    let token = world.enrolment("default");
    let mut first = Device::new(&world);
    let certified = first.enrol(&token);
    let mut second = Device::new(&world);
    assert_eq!(
        refused(&mut second, ProvisionToken::Enrolment(token.clone())),
        rule("token-used")
    );
    // The device that used it lost its answer and asks anew: the same certificate, not a second.
    let again = first.enrol(&token);
    assert_eq!(again.digest, certified.digest);
    assert_eq!(world.server.registry().totals().unwrap().provisions, 1);
}

#[test]
fn one_token_is_consumed_once_by_32_devices_at_once() {
    let world = World::new(Vec::new());
    let token = world.enrolment("default");
    let devices: Vec<Device> = (0..32).map(|_| Device::new(&world)).collect();
    let threads: Vec<_> = devices
        .into_iter()
        .map(|mut device| {
            let token = ProvisionToken::Enrolment(token.clone());
            std::thread::spawn(move || device.provision(token).is_ok())
        })
        .collect();
    let served = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .filter(|ok| *ok)
        .count();
    assert_eq!(served, 1);
    assert_eq!(world.metric("keybearer_provisions_total"), 1);
    assert_eq!(
        world.metric("keybearer_denials_total{reason=\"enrolment-refused\"}"),
        31
    );
}

#[test]
fn tokens_that_do_not_count_are_refused_by_name() {
    let world = World::new(Vec::new());
    let mut device = Device::new(&world);
    let made_up = ProvisionToken::Enrolment(b"kbe_made-up".to_vec());
    assert_eq!(refused(&mut device, made_up), rule("token-unknown"));

    // A factory token is no enrolment token and the other way round.
    let ProvisionToken::Factory(factory) = factory_token(&world, &device, Level::High) else {
        unreachable!("made as one")
    };
    assert_eq!(
        refused(&mut device, ProvisionToken::Enrolment(factory)),
        rule("token-unknown")
    );
    let enrolment = world.enrolment("default");
    assert_eq!(
        refused(&mut device, ProvisionToken::Factory(enrolment.clone())),
        rule("token-unknown")
    );

    let for_model = EnrolmentToken {
        tenant: "default".into(),
        model: Some(HardwareModel::new("another-box").unwrap()),
        valid_seconds: 60,
    };
    let for_model = world
        .server
        .registry()
        .mint_enrolment(&for_model)
        .unwrap()
        .token;
    let for_model = ProvisionToken::Enrolment(for_model.into_bytes());
    assert_eq!(refused(&mut device, for_model), rule("model"));

    world.clock.advance(3600);
    assert_eq!(
        refused(&mut device, ProvisionToken::Enrolment(enrolment)),
        rule("token-expired")
    );
}

#[test]
fn a_ueid_belongs_to_the_key_that_had_it_first() {
    let world = World::new(Vec::new());
    let victim = world.low_device();
    let mut thief = Device::new(&world);
    thief.ueid = victim.ueid;
    let token = ProvisionToken::Enrolment(world.enrolment("default"));
    assert_eq!(refused(&mut thief, token.clone()), rule("ueid-in-use"));
    thief.ueid = Ueid::from_device(&[9; 32]);
    thief
        .provision(token)
        .expect("under its own name, and the token is still good");
}

#[test]
fn a_debug_device_is_for_integration_tenants() {
    let world = World::new(Vec::new());
    let mut device = Device::new(&world);
    device.evidence.debug = DebugStatus::Enabled;
    let production = ProvisionToken::Enrolment(world.enrolment("default"));
    assert_eq!(
        refused(&mut device, production).0,
        DenialReason::DebugDevice
    );
    let certified = device.enrol(&world.enrolment("lab"));
    assert!(certified.claims.debug.is_debug(), "the certificate says so");
}

#[test]
fn a_barred_model_and_an_old_core_are_not_certified() {
    let minimum = Version {
        major: 0,
        minor: 2,
        patch: 0,
    };
    let world = World::with(|config| config.minimum_core = Some(minimum));
    let mut device = Device::new(&world);
    let token = ProvisionToken::Enrolment(world.enrolment("lab"));
    let denial = device.provision(token.clone()).expect_err("too old");
    assert_eq!(denial.reason, DenialReason::UpdateRequired);
    assert_eq!(denial.wanted.as_deref(), Some("0.2.0"));
    device.evidence.core_version = minimum;
    device.model = HardwareModel::new("barred").unwrap();
    assert_eq!(
        refused(&mut device, token.clone()).0,
        DenialReason::DeviceModelBarred
    );
    device.model = HardwareModel::new("welcome").unwrap();
    device.provision(token).unwrap();
}

#[test]
fn a_revoked_device_is_not_certified_again() {
    let world = World::new(Vec::new());
    let mut device = Device::new(&world);
    let certified = device.enrol(&world.enrolment("default"));
    world
        .server
        .registry()
        .revoke_device(&certified.claims.serial)
        .unwrap();
    device.chain = None;
    let fresh = ProvisionToken::Enrolment(world.enrolment("default"));
    assert_eq!(refused(&mut device, fresh).0, DenialReason::DeviceRevoked);
}

#[test]
fn a_repeated_provision_request_gets_the_same_bytes() {
    let world = World::new(Vec::new());
    let mut device = Device::new(&world);
    let token = ProvisionToken::Enrolment(world.enrolment("default"));
    let (message, pending) = device.provision_request(token);
    let first = post(world.server.local_addr(), "/v1/provision", &message);
    let again = post(world.server.local_addr(), "/v1/provision", &message);
    assert_eq!(first.body, again.body);
    device.finish_provisioning(&pending, &again.body).unwrap();
    assert_eq!(world.metric("keybearer_provisions_total"), 1);
    assert_eq!(world.metric("keybearer_replays_total{kind=\"repeat\"}"), 1);
}

#[test]
fn a_used_token_certifies_no_second_device_with_the_same_key() {
    let world = World::new(Vec::new());
    let registry = world.server.registry();
    let mut device = Device::new(&world);
    let enrolment = ProvisionToken::Enrolment(world.enrolment("default"));
    let factory = factory_token(&world, &device, Level::Medium);
    let honest = device.ueid;
    for token in [enrolment, factory] {
        device.ueid = honest;
        device.provision(token.clone()).unwrap();
        for n in 1..=5 {
            device.chain = None;
            device.ueid = Ueid::from_device(&[n; 32]);
            assert_eq!(refused(&mut device, token.clone()), rule("token-used"));
        }
    }
    let devices = registry.devices(&DeviceQuery::default()).unwrap();
    assert_eq!(devices.total, 1);
}

#[test]
fn a_key_that_is_certified_is_refused_under_another_ueid() {
    let world = World::new(Vec::new());
    let mut device = world.low_device();
    device.chain = None;
    device.ueid = Ueid::from_device(&[9; 32]);
    let fresh = ProvisionToken::Enrolment(world.enrolment("default"));
    assert_eq!(refused(&mut device, fresh.clone()), rule("key-in-use"));
    // The refusal did not use the token up.
    Device::new(&world).provision(fresh).unwrap();
}

#[test]
fn a_revoked_key_is_refused_under_any_ueid() {
    let world = World::new(Vec::new());
    let mut device = Device::new(&world);
    let used = world.enrolment("default");
    let certified = device.enrol(&used);
    let serial = certified.claims.serial;
    world.server.registry().revoke_device(&serial).unwrap();
    for n in 1..=5 {
        device.chain = None;
        device.ueid = Ueid::from_device(&[n; 32]);
        let fresh = ProvisionToken::Enrolment(world.enrolment("default"));
        assert_eq!(refused(&mut device, fresh).0, DenialReason::DeviceRevoked);
        let used = ProvisionToken::Enrolment(used.clone());
        refused(&mut device, used);
    }
    assert_eq!(world.server.registry().totals().unwrap().provisions, 1);
}
