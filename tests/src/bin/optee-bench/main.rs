//! In the QEMU machine: what the trusted applications reach of what their processor can do, and what
//! batching and registered memory save. Ratios of times taken in one boot; the times themselves say
//! nothing about a device.
//!
//! `tests/qemu/bench` builds and runs it, with the trusted applications that it compares with.

#![forbid(unsafe_code)]

mod decoding;

use std::time::Duration;

use keybearer_tests::bare::Bare;
use keybearer_tests::guest::{Setting, timed};
use keybearer_tests::raw::{Client, Parameter, Registered, SUCCESS, Way};
use keybearer_wire::limits::{MAX_RESPONSE, OPTEE_MAX_MEDIA};

/// The application without a core, and its commands.
const BENCH_TA: &str = include_str!("../../../qemu/bench-ta/uuid.txt").trim_ascii();
const NOTHING: u32 = 0;
const CRATE: u32 = 1;
const TEE: u32 = 2;

/// Each figure is the median of so many rounds, in which the candidates take turns.
const ROUNDS: usize = 15;
/// A batch: so many samples of so many bytes, as of sound.
const SAMPLES: usize = 64;
const SAMPLE: usize = 1000;
/// What a call through temporary and registered memory carries both ways.
const CARRIED: usize = 64 * 1024;

fn main() {
    println!(
        "{:58} {:>9} {:>9} {:>7}  aim",
        "", "this", "against", "ratio"
    );
    // First, while OP-TEE's memory holds no application but the key TA.
    decoding::run();
    let setting = Setting::new();
    let opened = setting.open().unwrap_or_else(|error| panic!("{error}"));
    let session = setting.licensed(opened);
    let mut bare = Client::open(BENCH_TA).unwrap_or_else(|error| panic!("{error}"));
    memory(&mut bare);
    ciphers(&setting, &mut bare, session);
}

/// One line: how many times faster `this` is than `against`.
fn line(what: &str, this: Duration, against: Duration, aim: &str) {
    let ratio = against.as_secs_f64() / this.as_secs_f64();
    let millis = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1e3);
    let (this, against) = (millis(this), millis(against));
    println!("{what:58} {this:>9} {against:>9} {ratio:7.2}  {aim}");
}

/// The medians of candidates that take turns.
fn medians<const N: usize>(mut round: impl FnMut() -> [Duration; N]) -> [Duration; N] {
    round();
    let rounds: Vec<[Duration; N]> = (0..ROUNDS).map(|_| round()).collect();
    std::array::from_fn(|candidate| {
        let mut times: Vec<_> = rounds.iter().map(|times| times[candidate]).collect();
        times.sort();
        times[ROUNDS / 2]
    })
}

/// Where the response and the media lie in registered memory, behind the request.
const RESPONSE: usize = 4096;
const BEHIND: usize = RESPONSE + MAX_RESPONSE;

fn registered(memory: &Registered, media: usize) -> [Parameter<'_>; 4] {
    [
        Parameter::Range(Way::In, memory, 0, 64),
        Parameter::Range(Way::Out, memory, RESPONSE, MAX_RESPONSE),
        Parameter::Range(Way::In, memory, BEHIND, media),
        Parameter::Range(Way::Out, memory, BEHIND, media),
    ]
}

/// A call of the application without a core.
fn call(bare: &mut Client, command: u32, parameters: [Parameter<'_>; 4]) -> Duration {
    let (outcome, time) = timed(|| bare.call(command, parameters));
    assert_eq!(outcome.code, SUCCESS);
    time
}

/// Registered memory against temporary, with nothing done.
fn memory(bare: &mut Client) {
    let shared = bare.register(BEHIND + CARRIED);
    let mut own = [
        vec![0; 64],
        vec![0; MAX_RESPONSE],
        vec![0; CARRIED],
        vec![0; CARRIED],
    ];
    let [kept, anew] = medians(|| {
        let kept = call(bare, NOTHING, registered(&shared, CARRIED));
        let [request, response, media, clear] = &mut own;
        let temporary = [
            Parameter::Temporary(Way::In, request),
            Parameter::Temporary(Way::Out, response),
            Parameter::Temporary(Way::In, media),
            Parameter::Temporary(Way::Out, clear),
        ];
        [kept, call(bare, NOTHING, temporary)]
    });
    line("registered memory / temporary, 64 KiB", kept, anew, "");
}

/// The key TA's decryption against the cipher alone, and in one call against many.
fn ciphers(setting: &Setting, bare: &mut Client, mut session: Bare) {
    let shared = bare.register(BEHIND + OPTEE_MAX_MEDIA);
    let lent = session.connection.shared_memory(OPTEE_MAX_MEDIA);
    let lent = lent.unwrap_or_else(|error| panic!("{error}"));
    let mut media = lent.expect("OP-TEE shares memory");
    let [product, cipher, tee] = medians(|| {
        let (done, product) = timed(|| session.decrypt(setting.sample(), media.bytes_mut()));
        assert!(done.is_ok(), "{done:?}");
        let cipher = call(bare, CRATE, registered(&shared, OPTEE_MAX_MEDIA));
        let tee = call(bare, TEE, registered(&shared, OPTEE_MAX_MEDIA));
        [product, cipher, tee]
    });
    line(
        "decryption / aes crate alone, 4 MiB",
        product,
        cipher,
        "0.85",
    );
    line("decryption / TEE_CipherUpdate, 4 MiB", product, tee, "2");

    let all = SAMPLES * SAMPLE;
    let [batched, single] = medians(|| {
        let bytes = &mut media.bytes_mut()[..all];
        let ((), batched) = timed(|| {
            let done = session.decrypt_batch(setting.sample(), bytes, SAMPLE);
            assert_eq!(done.unwrap_or_else(|error| panic!("{error}")), all as u64);
        });
        let ((), single) = timed(|| {
            for sample in bytes.chunks_mut(SAMPLE) {
                let done = session.decrypt(setting.sample(), sample);
                assert!(done.is_ok(), "{done:?}");
            }
        });
        [batched, single]
    });
    line(
        "64 samples of 1000 bytes in one call / in 64",
        batched,
        single,
        "",
    );
}
