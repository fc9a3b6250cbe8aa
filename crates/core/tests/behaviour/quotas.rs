//! How many keys are held, by whom.

use keybearer_core::Caller;
use keybearer_wire::Status;
use keybearer_wire::limits::{MAX_KEYS, MAX_KEYS_PER_CLIENT, MAX_KEYS_PER_SESSION};

use crate::support::{Device, Service, cenc_use, key, license};

/// Opens a session and loads a licence with so many keys.
fn load(device: &mut Device, service: &mut Service, keys: usize) -> Result<u64, Status> {
    let keys = (1..=keys).map(|at| key(u8::try_from(at).unwrap(), cenc_use()));
    let made = license(1, keys.collect());
    let session = device.open(service).unwrap();
    match device.acquire(session, service, made) {
        Ok(_) => Ok(session),
        Err(status) => {
            device.close(session).unwrap();
            Err(status)
        }
    }
}

/// One client's keys leave room for another's, and all together stay within the total.
#[test]
fn one_client_cannot_take_the_room_for_all_keys() {
    let (mut device, mut service) = (Device::new(1), Service::new(1));
    device.provision(&mut service);
    let mut owners = Vec::new();
    for _ in 0..MAX_KEYS / MAX_KEYS_PER_CLIENT {
        let mut last = 0;
        for _ in 0..MAX_KEYS_PER_CLIENT / MAX_KEYS_PER_SESSION {
            last = load(&mut device, &mut service, MAX_KEYS_PER_SESSION).unwrap();
        }
        assert_eq!(load(&mut device, &mut service, 1), Err(Status::TooManyKeys));
        owners.push((device.client, last));
        device.client = device.core.connect(Caller::Host).unwrap();
    }
    let newcomer = device.client;
    assert_eq!(load(&mut device, &mut service, 1), Err(Status::TooManyKeys));
    // What one closes, any may use.
    let (owner, session) = owners.remove(0);
    device.client = owner;
    device.close(session).unwrap();
    device.client = newcomer;
    assert!(load(&mut device, &mut service, MAX_KEYS_PER_SESSION).is_ok());
    assert_eq!(load(&mut device, &mut service, 1), Err(Status::TooManyKeys));
}
