use super::*;
use crate::fake_platform::{FakePlatform, Shared, parts};
use keybearer_license::{Isolation, Version};

use crate::config::{Anchors, VERSION};

const ANCHOR: Digest = Digest([1; 32]);

pub(crate) fn config() -> Config {
    Config {
        level: Level::Low,
        decoder: false,
        isolation: Isolation::InProcess,
        debug: true,
        ta_version: None,
        anchors: Anchors::Application,
        max_media: 1 << 20,
        oem: None,
    }
}

fn opened(parts: &mut Parts<FakePlatform>) -> Result<(), Status> {
    under(&mut Vec::new(), parts, &config(), &ANCHOR).map(|_| ())
}

fn sealed_floor(parts: &mut Parts<FakePlatform>) -> Floor {
    let record = seal::load(parts, &ANCHOR, SlotKind::Floor, floor::MAX_RECORD);
    Floor::from_record(&record.unwrap().unwrap()).unwrap()
}

/// This core is the older one: it refuses what a newer one has sealed, and writes nothing.
#[test]
fn an_older_core_refuses_the_records_of_a_newer_one() {
    let shared = Shared::new(1);
    let mut parts = parts(&shared);
    create_identity(&mut parts, &ANCHOR).unwrap();
    assert_eq!(opened(&mut parts), Ok(()));
    assert_eq!(sealed_floor(&mut parts), Floor::RUNNING);
    let newer = [
        Floor {
            core: Version {
                patch: VERSION.patch + 1,
                ..VERSION
            },
            ..Floor::RUNNING
        },
        Floor {
            protocol: Floor::RUNNING.protocol + 1,
            ..Floor::RUNNING
        },
    ];
    for floor in newer {
        let record = floor.to_record().unwrap();
        seal::store(&mut parts, &ANCHOR, SlotKind::Floor, record).unwrap();
        let before = shared.get().slots.clone();
        assert_eq!(opened(&mut parts), Err(Status::UnsupportedVersion));
        assert_eq!(shared.get().slots, before);
    }
}

/// This core is the newer one: it goes on with older records and raises the floor first.
#[test]
fn a_newer_core_raises_the_floor_before_it_goes_on() {
    let shared = Shared::new(1);
    let mut parts = parts(&shared);
    create_identity(&mut parts, &ANCHOR).unwrap();
    let older = Floor {
        core: Version {
            major: 0,
            minor: 0,
            patch: 0,
        },
        protocol: 0,
    };
    let record = older.to_record().unwrap();
    seal::store(&mut parts, &ANCHOR, SlotKind::Floor, record).unwrap();
    shared.get().writes_left = Some(0);
    assert_eq!(opened(&mut parts), Err(Status::Platform));
    shared.get().writes_left = None;
    assert_eq!(opened(&mut parts), Ok(()));
    assert_eq!(sealed_floor(&mut parts), Floor::RUNNING);
}
