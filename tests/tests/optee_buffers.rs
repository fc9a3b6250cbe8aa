//! Inside the QEMU machine, on OP-TEE as Debian has it, without protected memory: what needs a protected
//! buffer is refused by name, and nothing is written elsewhere instead.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::os::fd::AsFd;

use keybearer_rules::Level;
use keybearer_tee::{Media, TeeError};
use keybearer_tee_optee::{PROTECTED_HEAP, protected_buffer};
use keybearer_tests::buffers::{Viewer, decrypt_openly, register};
use keybearer_tests::guest;
use keybearer_tests::high::refusal;
use keybearer_tests::high::scenarios::Ground;
use keybearer_tests::raw;
use keybearer_wire::body::{Empty, WipeBuffer};
use keybearer_wire::limits::MAX_REQUEST;
use keybearer_wire::{Body, Command, Status, decode_response};

#[test]
fn without_protected_memory_nothing_is_delivered() {
    let _turn = guest::turn();
    let folder = tempfile::tempdir().unwrap();
    let ground = Ground::new(
        guest::optee(),
        guest::operator(folder.path(), &[]),
        Level::High,
    );
    register(&ground, Level::High);

    let heap = protected_buffer(4096).unwrap_err();
    assert!(matches!(&heap, TeeError::NoProtectedBuffer(why) if why.contains(PROTECTED_HEAP)));
    println!("no heap: {heap}");

    // A genuine dma-buf, but of ordinary memory.
    let ordinary = raw::ordinary_dma_buf(65_536).unwrap();
    let mut viewer = Viewer::new(&ground);
    let refused = viewer.keys.register_buffer(ordinary.as_fd()).unwrap_err();
    assert!(
        matches!(&refused, TeeError::NoProtectedBuffer(why) if why.contains("0xffff0006")),
        "{refused}"
    );
    println!("/dev/udmabuf: {refused}");

    // The trusted application itself: its output is ordinary memory, by the TEE's word.
    let unit = [0x3c; 1000];
    let mut output = [0x77; 1000];
    let openly = decrypt_openly(&ground, true, &unit, &mut output);
    assert_eq!(refusal(openly), Status::UnprotectedOutput);
    assert_eq!(output, [0x77; 1000]);
    let mut connection = ground.tee.connect().unwrap();
    let request = WipeBuffer {}.encode(MAX_REQUEST).unwrap();
    let mut response = Vec::new();
    let code = Command::WipeBuffer.code();
    let place = Media::InPlace(&mut output);
    connection
        .call(code, &request, &mut response, place)
        .unwrap();
    let answer = decode_response::<Empty>(&response).unwrap();
    assert_eq!(answer, Err(Status::UnprotectedOutput));
    assert_eq!(output, [0x77; 1000]);
    // The same memory serves a clear session.
    decrypt_openly(&ground, false, &unit, &mut output).unwrap();
    assert_ne!(output, [0x77; 1000]);
}
