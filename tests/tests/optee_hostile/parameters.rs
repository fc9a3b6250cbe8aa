//! Parameters that no honest client sends, and memory that changes while the trusted application reads
//! it. It answers or refuses, and lives.
//!
//! On an ordinary machine every one of the 65,536 type words is tried against the same code; here it is
//! OP-TEE that maps them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use keybearer_tee::{BackendInfo, CallError, Media, Tee, TeeError, TeeSession};
use keybearer_tests::bare::Bare;
use keybearer_tests::guest::{KEY_TA, Setting, noise};
use keybearer_tests::raw::{
    BAD_PARAMETERS, Client, FROM_THE_APPLICATION, Outcome, Parameter, Registered, SUCCESS,
    TARGET_DEAD, Way,
};
use keybearer_wire::body::{Describe, Description, Empty};
use keybearer_wire::field::Body;
use keybearer_wire::limits::{MAX_REQUEST, MAX_RESPONSE, OPTEE_MAX_MEDIA};
use keybearer_wire::{Command, decode_response};

const WAYS: [Way; 3] = [Way::In, Way::Out, Way::Both];
/// The way of each of the four parameters.
pub(crate) const RIGHT: [Way; 4] = [Way::In, Way::Out, Way::In, Way::Out];
/// Kinds of parameters: none, values, memory of both kinds, and what has no meaning.
pub(crate) const KINDS: usize = 14;

fn commands() -> impl Iterator<Item = u32> {
    let known = Command::ALL.iter().map(|command| command.code());
    known.chain([0, 0x7777, u32::MAX])
}

/// A parameter of some kind, and the way that memory goes in it as OP-TEE hands it on.
pub(crate) fn parameter(kind: usize, memory: &Registered) -> (Parameter<'_>, Option<Way>) {
    match kind {
        0 => (Parameter::Absent, None),
        1..4 => (Parameter::Value(WAYS[kind - 1], 1, 2), None),
        4..7 => (Parameter::Null(WAYS[kind - 4], 0), Some(WAYS[kind - 4])),
        7..10 => {
            let way = WAYS[kind - 7];
            (Parameter::Range(way, memory, 0, 4096), Some(way))
        }
        10 => (Parameter::Whole(memory), Some(Way::Both)),
        11 => (Parameter::Reserved(4), None),
        12 => (Parameter::Reserved(8), None),
        _ => (Parameter::Reserved(11), None),
    }
}

pub(crate) fn right(memory: &Registered) -> [Parameter<'_>; 4] {
    RIGHT.map(|way| Parameter::Range(way, memory, 0, 4096))
}

/// The four slots, each of the right type, at these offsets and of these sizes.
pub(crate) fn laid_out(memory: &Registered, layout: [(usize, usize); 4]) -> [Parameter<'_>; 4] {
    let mut slots = RIGHT.into_iter().zip(layout);
    std::array::from_fn(|_| {
        let (way, (offset, size)) = slots.next().unwrap();
        Parameter::Range(way, memory, offset, size)
    })
}

/// It still answers as it should, to this client.
fn assert_lives(client: &mut Client) {
    let mut response = vec![0; MAX_RESPONSE];
    let mut request = Describe {}.encode(MAX_REQUEST).unwrap();
    let outcome = client.call(
        Command::Describe.code(),
        [
            Parameter::Temporary(Way::In, &mut request),
            Parameter::Temporary(Way::Out, &mut response),
            Parameter::Null(Way::In, 0),
            Parameter::Null(Way::Out, 0),
        ],
    );
    assert_eq!(outcome.code, SUCCESS);
    let answer = decode_response::<Description<'_>>(&response[..outcome.sizes[1]]);
    assert!(answer.unwrap().is_ok());
}

#[test]
fn one_parameter_of_another_type_is_refused_in_every_command() {
    let setting = Setting::new();
    let mut client = Client::open(KEY_TA).unwrap();
    let memory = client.register(4096);
    let mut refused = 0;
    for command in commands() {
        for (slot, kind) in (0..4).flat_map(|slot| (0..KINDS).map(move |kind| (slot, kind))) {
            let mut parameters = right(&memory);
            let (other, way) = parameter(kind, &memory);
            if way == Some(RIGHT[slot]) {
                continue;
            }
            parameters[slot] = other;
            let Outcome { code, .. } = client.call(command, parameters);
            assert_eq!(code, BAD_PARAMETERS, "{command:#x}, {slot}, kind {kind}");
            refused += 1;
        }
    }
    println!("figure: {refused} calls refused");
    assert_lives(&mut client);
    setting.assert_serving();
}

#[test]
fn any_mixture_of_types_is_refused_but_the_one() {
    let setting = Setting::new();
    let mut client = Client::open(KEY_TA).unwrap();
    let memory = client.register(4096);
    let mut mixtures = noise(4 * 1500, 23).into_iter().map(usize::from);
    for _ in 0..1500 {
        let kinds: [usize; 4] = std::array::from_fn(|_| mixtures.next().unwrap() % KINDS);
        let (parameters, ways): (Vec<_>, Vec<_>) =
            kinds.iter().map(|kind| parameter(*kind, &memory)).unzip();
        let Ok(parameters) = <[Parameter<'_>; 4]>::try_from(parameters) else {
            unreachable!("there are four");
        };
        let Outcome { code, .. } = client.call(Command::Decrypt.code(), parameters);
        let expected = if ways == RIGHT.map(Some) {
            SUCCESS
        } else {
            BAD_PARAMETERS
        };
        assert_eq!(code, expected, "{kinds:?}");
    }
    assert_lives(&mut client);
    drop(setting);
}

#[test]
fn every_size_in_every_slot_is_answered_or_refused() {
    let setting = Setting::new();
    let mut client = Client::open(KEY_TA).unwrap();
    let memory = client.register(OPTEE_MAX_MEDIA + 4096);
    let sizes = [
        0,
        1,
        15,
        4095,
        4096,
        MAX_RESPONSE,
        MAX_RESPONSE + 1,
        MAX_REQUEST,
        MAX_REQUEST + 1,
        1 << 20,
        OPTEE_MAX_MEDIA,
        OPTEE_MAX_MEDIA + 1,
    ];
    let asked = [Command::Describe, Command::OpenSession, Command::Decrypt];
    for command in asked.map(Command::code).into_iter().chain([u32::MAX]) {
        for (slot, size) in (0..4).flat_map(|slot| sizes.map(|size| (slot, size))) {
            for null in [false, true] {
                let mut parameters = [
                    Parameter::Range(Way::In, &memory, 0, 16),
                    Parameter::Range(Way::Out, &memory, 4096, MAX_RESPONSE),
                    Parameter::Range(Way::In, &memory, 0, 0),
                    Parameter::Range(Way::Out, &memory, 0, 0),
                ];
                parameters[slot] = match null {
                    true => Parameter::Null(RIGHT[slot], size),
                    false => Parameter::Range(RIGHT[slot], &memory, 0, size),
                };
                memory.fill(0, &[0; 16]);
                let outcome = client.call(command, parameters);
                let what = format!("{command:#x}, slot {slot}, {size} bytes, null {null}");
                assert_ne!(outcome.code, TARGET_DEAD, "{what}");
                if outcome.code == SUCCESS && slot != 1 {
                    assert_refused(&memory, 4096, &outcome, &what);
                }
            }
        }
    }
    assert_lives(&mut client);
    setting.assert_serving();
}

/// A refusal lies in the memory: all these requests are malformed.
pub(crate) fn assert_refused(memory: &Registered, offset: usize, outcome: &Outcome, what: &str) {
    let len = outcome.sizes[1];
    assert!((1..=MAX_RESPONSE).contains(&len), "{what}: {len}");
    let response = memory.copy(offset, len);
    let answer = decode_response::<Empty>(&response);
    assert!(matches!(answer, Ok(Err(_))), "{what}: {answer:?}");
}

#[test]
fn ranges_outside_registered_memory_never_reach_the_application() {
    let setting = Setting::new();
    let mut client = Client::open(KEY_TA).unwrap();
    let memory = client.register(8192);
    let ranges = [
        (0, 8193),
        (8192, 1),
        (8193, 0),
        (4096, 4097),
        (usize::MAX, 1),
        (1, usize::MAX),
        (usize::MAX / 2, usize::MAX / 2 + 2),
    ];
    for (slot, (offset, size)) in (0..4).flat_map(|slot| ranges.map(|range| (slot, range))) {
        let mut parameters = right(&memory);
        parameters[slot] = Parameter::Range(RIGHT[slot], &memory, offset, size);
        let outcome = client.call(Command::Describe.code(), parameters);
        assert_ne!(outcome.code, SUCCESS, "slot {slot}, {offset} + {size}");
        assert_ne!(outcome.code, TARGET_DEAD, "slot {slot}, {offset} + {size}");
        assert_ne!(outcome.origin, FROM_THE_APPLICATION);
    }
    assert_lives(&mut client);
    drop(setting);
}

#[test]
fn slots_that_overlap_do_no_harm() {
    let setting = Setting::new();
    let mut client = Client::open(KEY_TA).unwrap();
    let memory = client.register(1 << 20);
    let (bytes, info) = (noise(1 << 20, 5), setting.info());
    let layouts: [[(usize, usize); 4]; 5] = [
        [(0, 60_000); 4],
        [(0, 4096), (1, MAX_RESPONSE), (2, 60_000), (3, 60_000)],
        [(MAX_RESPONSE, 4096), (4096, MAX_RESPONSE), (0, 9), (5, 9)],
        [(0, 4096), (8192, MAX_RESPONSE), (0, 500_000), (1, 500_000)],
        [
            (0, 4096),
            (8192, MAX_RESPONSE),
            (8000, 70_000),
            (8100, 70_000),
        ],
    ];
    for (command, layout) in commands().flat_map(|command| layouts.map(|layout| (command, layout)))
    {
        memory.fill(0, &bytes);
        memory.fill(0, &info);
        let outcome = client.call(command, laid_out(&memory, layout));
        assert_ne!(outcome.code, TARGET_DEAD, "{command:#x}, {layout:?}");
    }
    assert_lives(&mut client);
    setting.assert_serving();
}

/// Where a [`Flipped`] connection has its request, its response and its media.
const RESPONSE_AT: usize = MAX_REQUEST;
const MEDIA_AT: usize = MAX_REQUEST + MAX_RESPONSE;
const MEDIA: usize = 64 * 1024;

/// OP-TEE, whose connections let somebody else change what they send while it is read.
#[derive(Default)]
struct Flippable(Mutex<Option<Arc<Registered>>>);

impl Tee for Flippable {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            name: "flippable",
            detail: String::new(),
        }
    }

    fn connect(&self) -> Result<Box<dyn TeeSession>, TeeError> {
        let client = Client::open(KEY_TA)?;
        let memory = Arc::new(client.register(MEDIA_AT + MEDIA));
        *self.0.lock().unwrap() = Some(Arc::clone(&memory));
        Ok(Box::new(Flipped { client, memory }))
    }
}

struct Flipped {
    client: Client,
    memory: Arc<Registered>,
}

impl TeeSession for Flipped {
    fn call<'a>(
        &mut self,
        command: u32,
        request: &[u8],
        response: &mut Vec<u8>,
        media: Media<'a>,
    ) -> Result<(), TeeError> {
        let memory = &*self.memory;
        let len = media.len();
        assert!(len <= MEDIA, "more than there is room for");
        memory.fill(0, request);
        if let Media::InPlace(data) = &media {
            memory.fill(MEDIA_AT, data);
        }
        let range = |way, offset, len| Parameter::Range(way, memory, offset, len);
        let parameters = [
            range(Way::In, 0, request.len()),
            range(Way::Out, RESPONSE_AT, MAX_RESPONSE),
            range(Way::In, MEDIA_AT, len),
            range(Way::Out, MEDIA_AT, len),
        ];
        let outcome = self.client.call(command, parameters);
        assert_eq!(outcome.code, SUCCESS, "{command:#x}");
        let [_, written, _, clear] = outcome.sizes;
        assert!(written <= MAX_RESPONSE && clear <= len);
        *response = memory.copy(RESPONSE_AT, written);
        if let Media::InPlace(data) = media {
            data[..clear].copy_from_slice(&memory.copy(MEDIA_AT, clear));
        }
        Ok(())
    }
}

/// Says that it has ended, however it ends.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `test` while another thread has bytes of this memory go to and fro.
pub(crate) fn while_it_changes<R>(
    memory: &Registered,
    media_at: usize,
    test: impl FnOnce() -> R,
) -> R {
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Two thirds of them in the request, which is some 150 bytes long, the rest in the media.
            let places = noise(4096, 29).into_iter().cycle();
            for (turn, place) in places.enumerate() {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                let at = usize::from(place) % 150;
                let at = if turn % 3 == 0 { media_at + at } else { at };
                for _ in 0..2 {
                    memory.bytes()[at].fetch_xor(0x41, Ordering::Relaxed);
                    thread::yield_now();
                }
            }
        });
        let _ending = Ending(&ended);
        test()
    })
}

#[test]
fn memory_that_changes_during_a_call_harms_nobody() {
    let setting = Setting::new();
    let tee = Flippable::default();
    let opened = Bare::open(&tee, setting.service.anchor(), &setting.info()).unwrap();
    let mut session = setting.licensed(opened);
    let memory = tee.0.lock().unwrap().clone().unwrap();
    let protected = noise(MEDIA, 17);
    let (mut answered, mut refused) = (0, 0);
    while_it_changes(&memory, MEDIA_AT, || {
        for _ in 0..600 {
            let mut data = protected[..1000].to_vec();
            // A response that is not well formed is an error of the transport, which panics here.
            match session.decrypt(setting.sample(), &mut data) {
                Ok(_) => answered += 1,
                Err(CallError::Refused(_)) => refused += 1,
                Err(other) => panic!("{other}"),
            }
        }
    });
    println!("figure: {answered} calls answered, {refused} refused while their bytes changed");
    assert!(answered > 0 && refused > 0, "the changes hit nothing");
    let mut data = protected.clone();
    session.decrypt(setting.sample(), &mut data).unwrap();
    assert!(data == setting.in_software(&protected), "afterwards");
    setting.assert_serving();
}
