//! Revocation lists.

use keybearer_license::{Roles, Serial, UnixTime, Validity};
use keybearer_wire::Status;
use keybearer_wire::body::KeyStatus;

use super::scenes::{outcome, ready, spoiled};
use crate::support::{Device, NOW, Service, cenc_use, key, license};

#[test]
fn a_licence_names_the_least_revocation_list() {
    let (mut device, mut service, session) = ready(1);
    let request = device.request(session, &[[7; 16]]).unwrap();
    let mut made = license(1, vec![key(7, cenc_use())]);
    made.least_revocation = 4;
    let answer = service.license(&request, made);
    assert_eq!(
        device.load(session, &answer),
        Err(Status::RevocationListNeeded)
    );
    let old = service.revocation_list(3, &[]);
    device.load_list(service.anchor(), &old).unwrap();
    assert_eq!(
        device.load(session, &answer),
        Err(Status::RevocationListNeeded)
    );
    let new = service.revocation_list(4, &[]);
    device.load_list(service.anchor(), &new).unwrap();
    assert!(device.load(session, &answer).is_ok());
}

#[test]
fn the_revocation_lists_number_never_goes_back() {
    let (mut device, mut service, _) = ready(1);
    let anchor = service.anchor();
    let (two, three) = (
        service.revocation_list(2, &[]),
        service.revocation_list(3, &[]),
    );
    device.load_list(anchor, &three).unwrap();
    assert_eq!(
        device.load_list(anchor, &two),
        Err(Status::StaleRevocationList)
    );
    device.load_list(anchor, &three).unwrap();
    device.reboot();
    assert_eq!(
        device.load_list(anchor, &two),
        Err(Status::StaleRevocationList)
    );
    assert_eq!(device.load_list(anchor, &[0xa0]), Err(Status::BadMessage));
    let four = service.revocation_list(4, &[]);
    assert_eq!(
        device.load_list(anchor, &spoiled(&four)),
        Err(Status::BadSignature)
    );
    let mut unfit = service.sibling(5, "other.example", Roles::LICENSE);
    let unfit = unfit.revocation_list(5, &[]);
    assert_eq!(device.load_list(anchor, &unfit), Err(Status::RoleMissing));
    let foreign = Service::new(9).revocation_list(5, &[]);
    assert_eq!(device.load_list(anchor, &foreign), Err(Status::BadChain));
    let mut other = Device::new(5);
    assert_eq!(other.load_list(anchor, &four), Err(Status::NotProvisioned));
    other.begin(anchor, &service.info()).unwrap();
    assert_eq!(other.load_list(anchor, &four), Err(Status::NotProvisioned));
}

/// Two services may sign lists under one anchor, and one may go wrong: what has been revoked under a
/// number stays revoked. The same serials signed again only put off when the next list is due.
#[test]
fn another_list_of_the_same_number_is_stale() {
    let (mut device, mut service, _) = ready(1);
    let anchor = service.anchor();
    let revoked = [Serial([1; 16]), Serial([2; 16])];
    let five = service.revocation_list(5, &revoked);
    device.load_list(anchor, &five).unwrap();
    for other in [&revoked[..1], &[], &[Serial([1; 16]), Serial([3; 16])]] {
        let other = service.revocation_list(5, other);
        assert_eq!(
            device.load_list(anchor, &other),
            Err(Status::StaleRevocationList)
        );
    }
    let writes = device.world.get().writes;
    assert_eq!(device.load_list(anchor, &five), Ok(()));
    assert_eq!(device.world.get().writes, writes, "the same list again");
    service.now += 100;
    let later = service.revocation_list(5, &revoked);
    assert_eq!(device.load_list(anchor, &later), Ok(()));
    assert_eq!(device.load_list(anchor, &five), Ok(()));
    assert_eq!(device.world.get().writes, writes + 1, "the later due date");
}

#[test]
fn a_list_of_an_ended_or_revoked_signer_is_refused() {
    let (mut device, mut service, _) = ready(1);
    let anchor = service.anchor();
    let mut ended = service.sibling(2, "ended.example", Roles::REVOCATION);
    let validity = Validity {
        not_before: UnixTime(NOW - 100),
        not_after: UnixTime(NOW - 50),
    };
    ended.recertify(Roles::REVOCATION, validity);
    let list = ended.revocation_list(1, &[]);
    assert_eq!(
        device.load_list(anchor, &list),
        Err(Status::OutsideValidity)
    );
    let list = service.revocation_list(1, &[service.serial]);
    device.load_list(anchor, &list).unwrap();
    let next = service.revocation_list(2, &[]);
    assert_eq!(device.load_list(anchor, &next), Err(Status::Revoked));
}

#[test]
fn a_revoked_service_stays_revoked_across_restarts() {
    let (mut device, mut service, _) = ready(1);
    let list = service.revocation_list(1, &[service.serial]);
    device.load_list(service.anchor(), &list).unwrap();
    device.reboot();
    assert_eq!(device.open(&mut service), Err(Status::Revoked));
}

#[test]
fn at_medium_a_revocation_list_ages() {
    let mut service = Service::new(1);
    let mut low = Device::new(1);
    let mut medium = Device::trusted(2, service.anchor());
    // A day to the next update and seven of grace.
    let last = 8 * 24 * 60 * 60;
    for (device, at_end) in [
        (&mut low, Ok(vec![KeyStatus::Usable])),
        (&mut medium, Err(Status::RevocationListNeeded)),
    ] {
        service.now = NOW;
        device.provision(&mut service);
        let made = || license(1, vec![key(7, cenc_use())]);
        // Without any list none is missed.
        assert_eq!(
            outcome(device, &mut service, made()),
            Ok(vec![KeyStatus::Usable])
        );
        let list = service.revocation_list(1, &[]);
        device.load_list(service.anchor(), &list).unwrap();
        service.now += last - 1;
        device.advance((last - 1) * 1_000);
        assert_eq!(
            outcome(device, &mut service, made()),
            Ok(vec![KeyStatus::Usable])
        );
        service.now += 1;
        device.advance(1_000);
        assert_eq!(outcome(device, &mut service, made()), at_end);
    }
}
