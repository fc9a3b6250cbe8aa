//! A level is the lower of certificate and evidence, and nothing lifts it.

use keybearer_license::{DenialReason, Isolation, ProvisionToken};
use keybearer_rules::{Level, MinSecurity};
use keybearer_server::{ContentSpec, FactoryToken};

use crate::support::{Device, World, denial, key, kid, license};

/// A device certified at `certificate`, whose evidence then says `evidence`.
fn device(world: &World, certificate: Level, evidence: Level) -> Device {
    let mut device = Device::new(world);
    device.evidence.level = certificate;
    device.evidence.isolation = if certificate >= Level::Medium {
        Isolation::Tee
    } else {
        Isolation::Worker
    };
    if certificate >= Level::Medium {
        let token = FactoryToken {
            tenant: "default".into(),
            key_digest: device.key_digest(),
            level: certificate,
            model: None,
            valid_seconds: 60,
        };
        let minted = world.server.registry().mint_factory(&token).unwrap();
        device
            .provision(ProvisionToken::Factory(minted.token.into_bytes()))
            .unwrap();
    } else {
        device.enrol(&world.enrolment("default"));
    }
    device.evidence.level = evidence;
    device.evidence.isolation = if evidence >= Level::Medium {
        Isolation::Tee
    } else {
        Isolation::Worker
    };
    device
}

#[test]
fn every_pair_of_certificate_and_evidence_meets_every_lowest_level() {
    const LEVELS: [Level; 4] = [Level::None, Level::Low, Level::Medium, Level::High];
    let keys = LEVELS.iter().zip(1..).map(|(level, n)| {
        let mut key = key(n);
        key.lowest_level = *level;
        key
    });
    let world = World::new(vec![ContentSpec::open("film", keys.collect())]);
    for certificate in LEVELS {
        for evidence in LEVELS {
            let device = device(&world, certificate, evidence);
            for (needed, n) in LEVELS.iter().zip(1..) {
                let outcome = device.acquire(&[kid(n)]);
                if certificate.min(evidence) >= *needed {
                    assert_eq!(license(outcome).keys[0].usage.lowest_level, *needed);
                } else {
                    let refused = denial(outcome);
                    assert_eq!(refused.reason, DenialReason::LevelTooLow);
                    assert_eq!(refused.level_needed, Some(*needed));
                    assert_eq!(
                        refused.found.as_deref(),
                        Some(certificate.min(evidence).name())
                    );
                }
            }
        }
    }
}

#[test]
fn the_policy_can_ask_for_more_than_the_key() {
    let mut least = key(1);
    least.policy.min_security = MinSecurity::AtLeast(Level::Medium);
    let mut nobody = key(2);
    nobody.policy.min_security = MinSecurity::Deny;
    let world = World::new(vec![ContentSpec::open("film", vec![least, nobody])]);
    let low = device(&world, Level::Low, Level::Low);
    assert_eq!(
        denial(low.acquire(&[kid(1)])).level_needed,
        Some(Level::Medium)
    );
    let medium = device(&world, Level::Medium, Level::Medium);
    license(medium.acquire(&[kid(1)]));
    assert_eq!(
        denial(medium.acquire(&[kid(2)])).reason,
        DenialReason::NotAuthorised
    );
}

#[test]
fn a_key_may_demand_a_worker_at_low() {
    let mut key = key(1);
    key.require_worker = true;
    let world = World::new(vec![ContentSpec::open("film", vec![key])]);
    let mut device = world.low_device();
    assert_eq!(
        denial(device.acquire(&[kid(1)])).reason,
        DenialReason::WorkerRequired
    );
    device.evidence.isolation = Isolation::Worker;
    assert!(
        license(device.acquire(&[kid(1)])).keys[0]
            .usage
            .require_worker
    );
}
