//! A licence serves one device, one session and one request: four of each, and only the diagonal
//! loads.

use keybearer_wire::Status;

use crate::support::{Device, Service, cenc_use, key, license, samples};

const COUNT: u8 = 4;

#[test]
fn only_the_diagonal_loads() {
    let mut service = Service::new(1);
    let mut devices = Vec::new();
    for seed in 0..COUNT {
        let mut device = Device::new(u64::from(seed) + 1);
        device.provision(&mut service);
        let sessions: Vec<u64> = (0..COUNT)
            .map(|_| device.open(&mut service).unwrap())
            .collect();
        devices.push((device, sessions));
    }
    // One request for each device, session and key; each answered for exactly that key.
    let mut answers = Vec::new();
    for (d, (device, sessions)) in (0..).zip(&mut devices) {
        for (s, session) in (0..).zip(sessions.iter()) {
            for k in 0..COUNT {
                let info = service.info();
                let request = device.request_fresh(*session, &[[k; 16]], &info).unwrap();
                let made = license(d * 16 + s * 4 + k, vec![key(k, cenc_use())]);
                answers.push(((d, s, k), service.license(&request, made)));
            }
        }
    }
    // Each answer is offered to every device and session; the one it is for comes last.
    for ((d, s, k), answer) in &answers {
        for (other, (device, sessions)) in (0..).zip(&mut devices) {
            for (place, session) in (0..).zip(sessions.iter()) {
                if (other, place) != (*d, *s) {
                    assert_eq!(
                        device.load(*session, answer),
                        Err(Status::NotForThisRequest)
                    );
                }
            }
        }
        let (device, sessions) = &mut devices[usize::from(*d)];
        let session = sessions[usize::from(*s)];
        let loaded = device.load(session, answer).unwrap().license();
        assert_eq!(
            loaded.keys.iter().map(|key| key.key_id).collect::<Vec<_>>(),
            [[*k; 16]]
        );
        // It brought its own key and no other.
        for other in 0..COUNT {
            let known = other <= *k;
            let outcome = device.decrypt(session, [other; 16], &samples(&[16]), &mut [0; 16]);
            assert_eq!(
                outcome,
                if known {
                    Ok(16)
                } else {
                    Err(Status::UnknownKey)
                }
            );
        }
        assert_eq!(device.load(session, answer), Err(Status::NotForThisRequest));
    }
}
