//! Protected buffers: media of a protected session goes to memory that the normal world cannot read, and
//! never comes back from there.

use keybearer_core::{Buffers, ClientId};
use keybearer_wire::body::{self, Describe, WipeBuffer};
use keybearer_wire::{Command, Status};

use super::protected::{channel, playing, unit};
use crate::support::{Device, Placed, cenc_use, key, license};

const KEY: [u8; 16] = [7; 16];
/// What [`unit`] is when it is clear, and what stood in the output before.
const CLEAR: [u8; 48] = [0x5a; 48];
const BEFORE: u8 = 0x77;

/// Whether input, output and response are protected memory: those of a host, of a host that names a
/// buffer to write to, and of a decoder.
type Kind = [bool; 3];
const ORDINARY: Kind = [false; 3];
const BUFFER: Kind = [false, true, false];
const DECODER: Kind = [true; 3];

fn placed<'a>(
    [input, output, response]: Kind,
    from: &'a [u8],
    to: &'a mut [u8],
) -> Placed<Buffers<'a>> {
    let media = Buffers {
        input: from,
        output: to,
    };
    Placed {
        media,
        input,
        output,
        response,
    }
}

/// Decrypts the unit as a host into `room` bytes of memory of a kind.
fn deliver(
    device: &mut Device,
    session: u64,
    room: usize,
    kind: Kind,
) -> (Result<u64, Status>, Vec<u8>) {
    let (samples, input) = unit();
    let mut output = vec![BEFORE; room];
    let mut media = placed(kind, &input, &mut output);
    let outcome = device.decrypt_with(session, KEY, &samples, &mut media, |_| ());
    (outcome, output)
}

fn wipe(
    device: &mut Device,
    client: ClientId,
    kind: Kind,
    output: &mut [u8],
) -> Result<(), Status> {
    let mut media = placed(kind, &[], output);
    device.as_client(client, |it| it.call(&WipeBuffer {}, &mut media, |_| ()))
}

#[test]
fn a_unit_lands_in_the_buffer_and_the_rest_of_it_is_zeros() {
    let (mut device, _, session, _) = playing();
    let (outcome, output) = deliver(&mut device, session, 100, BUFFER);
    assert_eq!(outcome, Ok(48));
    assert_eq!(output, [&CLEAR[..], &[0; 52]].concat());
    // Longer than what is written at a time.
    let (outcome, output) = deliver(&mut device, session, 150_000, BUFFER);
    assert_eq!(outcome, Ok(48));
    assert!(output[48..].iter().all(|byte| *byte == 0));
}

/// Rule 1, whoever asks: a host, and a decoder that names memory of the normal world as its own.
#[test]
fn nothing_of_a_protected_session_goes_to_memory_that_can_be_read() {
    let (mut device, mut service, session, decoder) = playing();
    let (outcome, output) = deliver(&mut device, session, 48, ORDINARY);
    assert_eq!(
        (outcome, output),
        (Err(Status::UnprotectedOutput), vec![BEFORE; 48])
    );

    let channel = channel(&mut device, session, decoder);
    let (samples, input) = unit();
    let (records, subsamples) = crate::support::records(&samples);
    let request = crate::support::unit(channel, &records, &subsamples);
    for (protected, expected) in [(false, Err(Status::UnprotectedOutput)), (true, Ok(48))] {
        let mut output = [BEFORE; 48];
        // With its own memory as input the other rule would refuse it first.
        let mut media = placed([false, protected, true], &input, &mut output);
        let outcome = device.as_client(decoder, |it| it.call(&request, &mut media, |a| a.bytes));
        assert_eq!(outcome, expected);
        assert_eq!(output == CLEAR, protected);
    }
    // A clear session may fill a buffer too: the host gets less than it might.
    let clear = device.open_kind(&mut service, false).unwrap();
    let made = license(2, vec![key(7, cenc_use())]);
    device.acquire(clear, &mut service, made).unwrap();
    let (outcome, output) = deliver(&mut device, clear, 48, BUFFER);
    assert_eq!((outcome, output), (Ok(48), CLEAR.to_vec()));
}

/// Rule 2: whatever the command, the caller and the rest of the request.
#[test]
fn no_command_takes_from_a_buffer_and_gives_to_memory_that_can_be_read() {
    let (mut device, mut service, session, decoder) = playing();
    let clear = device.open_kind(&mut service, false).unwrap();
    let made = license(2, vec![key(7, cenc_use())]);
    device.acquire(clear, &mut service, made).unwrap();
    for session in [clear, session] {
        for (output, response) in [(false, false), (false, true), (true, false)] {
            let (outcome, written) = deliver(&mut device, session, 48, [true, output, response]);
            assert_eq!(outcome, Err(Status::ProtectedInput), "{output} {response}");
            assert_eq!(written, [BEFORE; 48]);
        }
    }
    let host = device.client;
    for command in Command::ALL {
        for client in [host, decoder] {
            for (input, response, leaks) in [
                (true, false, true),
                (true, true, false),
                (false, false, false),
            ] {
                let mut media = placed([input, false, response], &[0; 16], &mut []);
                let answer =
                    device.as_client(client, |it| it.raw(command.code(), &[0xff], &mut media));
                let status = keybearer_wire::decode_response::<body::Empty>(&answer).unwrap();
                let told = status == Err(Status::ProtectedInput);
                // The size of an answer reaches a host, wherever the answer lies.
                let leaks = leaks || input && client == host;
                let expected = leaks && status != Err(Status::NotPermitted);
                assert_eq!(told, expected, "{command:?} {input} {response}");
            }
        }
    }
    let mut media = placed(DECODER, &[], &mut []);
    assert_eq!(
        device.call(&Describe {}, &mut media, |_| ()),
        Err(Status::ProtectedInput)
    );
}

#[test]
fn what_is_wiped_is_zeros_and_nothing_else_is() {
    let (mut device, _, _, decoder) = playing();
    let host = device.client;
    for len in [1, 48, 65_536, 65_537, 200_000] {
        let mut buffer = vec![BEFORE; len];
        wipe(&mut device, host, BUFFER, &mut buffer).unwrap();
        assert!(buffer.iter().all(|byte| *byte == 0), "{len}");
    }
    let mut memory = [BEFORE; 48];
    let refused = wipe(&mut device, host, ORDINARY, &mut memory);
    assert_eq!(
        (refused, memory),
        (Err(Status::UnprotectedOutput), [BEFORE; 48])
    );
    let refused = wipe(&mut device, host, ORDINARY, &mut []);
    assert_eq!(refused, Err(Status::UnprotectedOutput));
    let refused = wipe(&mut device, decoder, DECODER, &mut memory);
    assert_eq!(refused, Err(Status::NotPermitted));
    // More than a call may carry, of a buffer as of other media.
    let mut large = vec![BEFORE; (8 << 20) + 1];
    let refused = wipe(&mut device, host, BUFFER, &mut large);
    assert_eq!(refused, Err(Status::MediaTooLarge));
    assert!(large.iter().all(|byte| *byte == BEFORE));
}

#[test]
fn a_buffer_has_the_size_of_other_media_at_most() {
    let (mut device, _, session, _) = playing();
    let (outcome, output) = deliver(&mut device, session, (8 << 20) + 1, BUFFER);
    assert_eq!(outcome, Err(Status::MediaTooLarge));
    assert!(output.iter().all(|byte| *byte == BEFORE));
}

/// A wiped buffer is whoever's: it needs no session, no licence and no identity.
#[test]
fn a_core_that_has_just_started_wipes_what_another_left() {
    let mut device = Device::new(1);
    let client = device.client;
    let mut buffer = [BEFORE; 48];
    wipe(&mut device, client, BUFFER, &mut buffer).unwrap();
    assert_eq!(buffer, [0; 48]);
}
