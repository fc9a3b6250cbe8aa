#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::fs::File;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use super::*;

#[test]
fn messages_are_whole_and_in_order() {
    let (one, other) = Socket::pair().unwrap();
    one.send(b"first").unwrap();
    one.send(b"second").unwrap();
    let mut room = [0; 10];
    assert_eq!(other.receive(&mut room).unwrap(), Some(&b"first"[..]));
    assert_eq!(other.receive(&mut room).unwrap(), Some(&b"second"[..]));
}

#[test]
fn a_message_longer_than_its_room_is_refused_and_the_next_is_not() {
    let (one, other) = Socket::pair().unwrap();
    let mut room = [0; 4];
    for with_descriptors in [false, true] {
        one.send(b"12345").unwrap();
        one.send(b"1234").unwrap();
        let mut receive = || match with_descriptors {
            false => other.receive(&mut room).map(|_| ()),
            true => other.receive_with(&mut room).map(|_| ()),
        };
        let refused = receive().unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
        receive().unwrap();
    }
}

#[test]
fn descriptors_go_along_up_to_two() {
    let (one, other) = Socket::pair().unwrap();
    let file = File::open("/dev/null").unwrap();
    let fd = file.as_fd();
    let mut room = [0; 4];
    for count in 0..=2 {
        one.send_with(b"fd", &vec![fd; count]).unwrap();
        let (message, descriptors) = other.receive_with(&mut room).unwrap().unwrap();
        assert_eq!((message, descriptors.len()), (&b"fd"[..], count));
        for descriptor in descriptors {
            let flags = rustix::io::fcntl_getfd(&descriptor).unwrap();
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        }
    }
    let refused = one.send_with(b"fd", &[fd; 3]).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn a_peer_that_is_gone_is_an_end_and_no_signal() {
    let (one, other) = Socket::pair().unwrap();
    other.send(b"unread").unwrap();
    drop(one);
    let mut room = [0; 4];
    // Gone with something unread, which the system reports in another way.
    assert_eq!(other.receive(&mut room).unwrap(), None);
    assert!(other.receive_with(&mut room).unwrap().is_none());
    let refused = other.send(b"more").unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn one_side_may_finish_before_the_other() {
    let (one, other) = Socket::pair().unwrap();
    one.finish().unwrap();
    let mut room = [0; 4];
    assert_eq!(other.receive(&mut room).unwrap(), None);
    other.send(b"bye").unwrap();
    assert_eq!(one.receive(&mut room).unwrap(), Some(&b"bye"[..]));
}

#[test]
fn waiting_has_an_end() {
    let (one, _other) = Socket::pair().unwrap();
    one.set_deadline(Some(Duration::from_millis(50))).unwrap();
    let begin = Instant::now();
    let late = one.receive(&mut [0; 4]).unwrap_err();
    assert_eq!(late.kind(), io::ErrorKind::WouldBlock);
    assert!(begin.elapsed() >= Duration::from_millis(45));
    // Nobody reads at the other end.
    let full = (0..10_000).find_map(|_| one.send(&[0; 1000]).err());
    assert_eq!(full.unwrap().kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn only_such_a_socket_is_taken() {
    let stream = UnixStream::pair().unwrap().0;
    for other in [
        OwnedFd::from(stream),
        File::open("/dev/null").unwrap().into(),
    ] {
        assert!(Socket::from_descriptor(other).is_err());
    }
    let (one, _other) = Socket::pair().unwrap();
    assert!(Socket::from_descriptor(one.into()).is_ok());
}

#[test]
fn a_message_and_an_end_are_there_to_be_received() {
    let (one, other) = Socket::pair().unwrap();
    assert!(!other.is_ready());
    one.send(b"hello").unwrap();
    assert!(other.is_ready());
    assert!(other.is_ready(), "looking takes nothing away");
    assert_eq!(other.receive(&mut [0; 8]).unwrap(), Some(&b"hello"[..]));
    assert!(!other.is_ready());
    drop(one);
    assert!(other.is_ready());
    assert_eq!(other.receive(&mut [0; 8]).unwrap(), None);
}
