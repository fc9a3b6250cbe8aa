//! Memory that changes while the decoder of a High session reads it, and the key TA, to which the decoder
//! names the media: every call is answered, and the same decoder plays afterwards.
//!
//! That an answer follows from one reading of each byte is tried on an ordinary machine, against the same
//! code; here it is OP-TEE that maps the memory, for both applications.

use keybearer_tests::clips::{Clip, protect};
use keybearer_tests::guest::{rounds, timed};
use keybearer_tests::raw::{Client, Parameter, Registered, SUCCESS, Way};
use keybearer_wire::decoder::{Exchange, MAX_DECODER_RESPONSE, body};
use keybearer_wire::field::{Blob, Body};
use keybearer_wire::limits::MAX_REQUEST;
use keybearer_wire::{Status, decode_response};

use crate::decoder_parameters::{KEY, Sharing, exchange, make_ready, play};
use crate::parameters::while_it_changes;

/// Where the memory holds the response and the media, behind the request.
const RESPONSE_AT: usize = 4096;
const MEDIA_AT: usize = 2 * 4096;
const MEMORY: usize = 64 * 1024;

/// What comes of a request and media that somebody else changes: an answer or a status, or the test ends.
fn changing<'r, R: Exchange<'r>, A: for<'a> Body<'a>>(
    client: &mut Client,
    memory: &Registered,
    request: &R,
    media: &[u8],
) -> Result<A, Status> {
    let request = request.encode(MAX_REQUEST).unwrap();
    assert!(request.len() <= RESPONSE_AT && media.len() <= MEMORY - MEDIA_AT);
    memory.fill(0, &request);
    memory.fill(MEDIA_AT, media);
    let range = |way, offset, len| Parameter::Range(way, memory, offset, len);
    let parameters = [
        range(Way::In, 0, request.len()),
        range(Way::Out, RESPONSE_AT, MAX_DECODER_RESPONSE),
        range(Way::In, MEDIA_AT, media.len()),
        Parameter::Null(Way::Out, 0),
    ];
    let outcome = client.call(R::COMMAND.code(), parameters);
    assert_eq!(outcome.code, SUCCESS, "{:?}", R::COMMAND);
    let response = memory.copy(RESPONSE_AT, outcome.sizes[1]);
    decode_response(&response).unwrap()
}

#[test]
fn memory_that_changes_during_a_call_of_the_decoder_harms_nobody() {
    let mut at = Sharing::new(MEMORY);
    let (memory, client) = (&at.memory, &mut at.client);
    let clip = Clip::read("baseline-64x48");
    let numbered = (1..).zip(&clip.units);
    let units: Vec<_> = numbered
        .map(|(number, unit)| protect(KEY.scheme, &KEY.key, number, unit))
        .collect();
    let configure = body::Configure {
        codec: *b"avc1",
        record: Blob(&clip.record),
    };
    let first = units[0].decode(KEY.scheme, KEY.kid, 0);
    let mut keys = at.ground.licensed(&KEY);
    make_ready(client, &mut keys, &clip);
    let (mut answered, mut refused) = (0, 0);
    let mut count = |refusal: bool| *if refusal { &mut refused } else { &mut answered } += 1;
    let ((), taken) = timed(|| {
        while_it_changes(memory, MEDIA_AT, || {
            for _ in 0..rounds(10, 200) {
                let taken: Result<body::Configured, _> = changing(client, memory, &configure, &[]);
                count(taken.is_err());
                let _: body::Configured = exchange(client, &configure, &mut []).unwrap();
                for (time, unit) in (0..).zip(&units) {
                    let decode = unit.decode(KEY.scheme, KEY.kid, time);
                    let decoded: Result<body::Presented, _> =
                        changing(client, memory, &decode, &unit.bytes);
                    count(decoded.is_err());
                    // From an IDR picture on again, and without a row of rejections that closes the key.
                    let mut bytes = units[0].bytes.clone();
                    let _: body::Presented = exchange(client, &first, &mut bytes).unwrap();
                }
            }
        });
    });
    println!(
        "figure: {answered} calls of the decoder answered, {refused} refused while their bytes changed, in {taken:?}"
    );
    assert!(answered > 0 && refused > 0, "the changes hit nothing");

    let _: body::Presented = exchange(client, &body::Flush {}, &mut []).unwrap();
    // The key TA serves somebody new, and both play.
    for keys in [&mut keys, &mut at.ground.licensed(&KEY)] {
        make_ready(client, keys, &clip);
        assert_eq!(play(client, &clip), clip.digests());
    }
}
