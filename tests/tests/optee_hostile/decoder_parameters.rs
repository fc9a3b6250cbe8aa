//! Parameters that no honest client sends to the decoder of a High session, which is an application of its
//! own: it refuses them, and the same session plays afterwards.

use std::sync::MutexGuard;

use keybearer_license::{Scheme, TrackType};
use keybearer_rules::Level;
use keybearer_tests::bare::Bare;
use keybearer_tests::clips::{Clip, protect};
use keybearer_tests::guest::{DECODER_TA, noise, operator, optee, turn};
use keybearer_tests::high::Key;
use keybearer_tests::high::scenarios::Ground;
use keybearer_tests::raw::{
    BAD_PARAMETERS, Client, Outcome, Parameter, Registered, SUCCESS, TARGET_DEAD, Way,
};
use keybearer_wire::body::{Empty, IssueTicket, Ticket};
use keybearer_wire::decoder::{Command, Exchange, MAX_DECODER_RESPONSE, MAX_UNIT, body};
use keybearer_wire::field::{Blob, Body};
use keybearer_wire::limits::MAX_REQUEST;
use keybearer_wire::{Status, decode_response};
use tempfile::TempDir;

use crate::parameters::{KINDS, RIGHT, assert_refused, laid_out, parameter, right};

/// More than the largest unit.
const MEMORY: usize = 2 * MAX_UNIT;
pub(crate) const KEY: Key = Key {
    kid: [0xdb; 16],
    key: [0x6d; 16],
    scheme: Scheme::Cenc,
};

/// Its commands, that of another application, and what is none.
fn commands() -> impl Iterator<Item = u32> {
    let own = Command::ALL.iter().map(|command| command.code());
    own.chain([0, keybearer_wire::Command::Decrypt.code(), u32::MAX])
}

/// Slots of types that are not the one that every command has.
fn assert_types_refused(client: &mut Client, memory: &Registered) -> usize {
    let mut refused = 0;
    for command in commands() {
        for (slot, kind) in (0..4).flat_map(|slot| (0..KINDS).map(move |kind| (slot, kind))) {
            let mut parameters = right(memory);
            let (other, way) = parameter(kind, memory);
            if way == Some(RIGHT[slot]) {
                continue;
            }
            parameters[slot] = other;
            let Outcome { code, .. } = client.call(command, parameters);
            assert_eq!(code, BAD_PARAMETERS, "{command:#x}, {slot}, kind {kind}");
            refused += 1;
        }
    }
    let mut mixtures = noise(4 * 200, 31).into_iter().map(usize::from);
    for _ in 0..200 {
        let kinds: [usize; 4] = std::array::from_fn(|_| mixtures.next().unwrap() % KINDS);
        let ways = kinds.map(|kind| parameter(kind, memory).1);
        let parameters = kinds.map(|kind| parameter(kind, memory).0);
        let Outcome { code, .. } = client.call(Command::Decode.code(), parameters);
        let right = ways == RIGHT.map(Some);
        assert_eq!(
            code,
            if right { SUCCESS } else { BAD_PARAMETERS },
            "{kinds:?}"
        );
        refused += usize::from(!right);
    }
    refused
}

/// Sizes at the limits in each slot, with memory and without, around a request that is none.
fn assert_sizes_refused(client: &mut Client, memory: &Registered) {
    let sizes = [
        0,
        1,
        MAX_DECODER_RESPONSE - 1,
        MAX_REQUEST,
        MAX_REQUEST + 1,
        MAX_UNIT,
        MAX_UNIT + 1,
        MEMORY,
    ];
    let mut answered = 0;
    for command in [Command::Configure, Command::Decode, Command::Die] {
        for (slot, size) in (0..4).flat_map(|slot| sizes.map(|size| (slot, size))) {
            for null in [false, true] {
                let layout = [(0, 16), (4096, MAX_DECODER_RESPONSE), (0, 0), (0, 0)];
                let mut parameters = laid_out(memory, layout);
                parameters[slot] = match null {
                    true => Parameter::Null(RIGHT[slot], size),
                    false => Parameter::Range(RIGHT[slot], memory, 0, size),
                };
                memory.fill(0, &[0; 16]);
                let outcome = client.call(command.code(), parameters);
                let what = format!("{command:?}, slot {slot}, {size} bytes, null {null}");
                assert_ne!(outcome.code, TARGET_DEAD, "{what}");
                if outcome.code == SUCCESS && slot != 1 {
                    assert_refused(memory, 4096, &outcome, &what);
                    answered += 1;
                }
            }
        }
    }
    assert!(answered > 0, "nothing got as far as the application");
}

/// Slots that overlap, filled with nothing that means anything.
fn assert_overlaps_do_no_harm(client: &mut Client, memory: &Registered) {
    let (bytes, mut answered) = (noise(16_384, 37), 0);
    let layouts: [[(usize, usize); 4]; 4] = [
        [(0, 60_000); 4],
        [
            (0, 4096),
            (1, MAX_DECODER_RESPONSE),
            (2, 60_000),
            (3, 60_000),
        ],
        [
            (MAX_DECODER_RESPONSE, 4096),
            (0, MAX_DECODER_RESPONSE),
            (0, 9),
            (5, 9),
        ],
        [
            (0, 4096),
            (8192, MAX_DECODER_RESPONSE),
            (0, MAX_UNIT),
            (1, MAX_UNIT),
        ],
    ];
    for (command, layout) in commands().flat_map(|command| layouts.map(|layout| (command, layout)))
    {
        memory.fill(0, &bytes);
        let outcome = client.call(command, laid_out(memory, layout));
        let what = format!("{command:#x}, {layout:?}");
        assert_ne!(outcome.code, TARGET_DEAD, "{what}");
        // OP-TEE itself maps some of them and refuses others.
        if outcome.code == SUCCESS {
            assert_refused(memory, layout[1].0, &outcome, &what);
            answered += 1;
        }
    }
    assert!(answered > 0, "nothing got as far as the application");
}

/// A request as an honest client sends it.
pub(crate) fn exchange<'r, R: Exchange<'r>, A: for<'a> Body<'a>>(
    client: &mut Client,
    request: &R,
    media: &mut [u8],
) -> Result<A, Status> {
    let mut response = vec![0; MAX_DECODER_RESPONSE];
    let mut request = request.encode(MAX_REQUEST).unwrap();
    let outcome = client.call(
        R::COMMAND.code(),
        [
            Parameter::Temporary(Way::In, &mut request),
            Parameter::Temporary(Way::Out, &mut response),
            Parameter::Temporary(Way::In, media),
            Parameter::Null(Way::Out, 0),
        ],
    );
    assert_eq!(outcome.code, SUCCESS, "{:?}", R::COMMAND);
    decode_response(&response[..outcome.sizes[1]]).unwrap()
}

/// A channel to a licence session and the clip's configuration, as an honest client asks for them.
pub(crate) fn make_ready(client: &mut Client, keys: &mut Bare, clip: &Clip) {
    let issue = IssueTicket {
        session: keys.session,
        track_type: TrackType::Sd.code(),
    };
    let Ticket { ticket } = keys.connection.exchange(&issue).unwrap();
    let Empty {} = exchange(client, &body::Attach { ticket }, &mut []).unwrap();
    let configure = body::Configure {
        codec: *b"avc1",
        record: Blob(&clip.record),
    };
    let _: body::Configured = exchange(client, &configure, &mut []).unwrap();
}

/// The digest of each picture of the clip, as an honest client plays it.
pub(crate) fn play(client: &mut Client, clip: &Clip) -> Vec<[u8; 32]> {
    let mut digests = Vec::new();
    for (time, unit) in (0..).zip(&clip.units) {
        let mut unit = protect(KEY.scheme, &KEY.key, time + 1, unit);
        let mut bytes = std::mem::take(&mut unit.bytes);
        let decode = unit.decode(KEY.scheme, KEY.kid, time);
        let presented: body::Presented = exchange(client, &decode, &mut bytes).unwrap();
        digests.extend(presented.digests.unwrap().0);
    }
    let rest: body::Presented = exchange(client, &body::Flush {}, &mut []).unwrap();
    digests.extend(rest.digests.unwrap().0);
    digests
}

/// A client of the decoder with memory that it shares, on a device whose service has [`KEY`].
pub(crate) struct Sharing {
    pub(crate) memory: Registered,
    pub(crate) client: Client,
    pub(crate) ground: Ground,
    _folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Sharing {
    pub(crate) fn new(bytes: usize) -> Self {
        let turn = turn();
        let folder = tempfile::tempdir().unwrap();
        let service = operator(folder.path(), &[]);
        let ground = Ground::with_keys(optee(), service, Level::High, &[KEY]);
        let client = Client::open(DECODER_TA).unwrap();
        Self {
            memory: client.register(bytes),
            client,
            ground,
            _folder: folder,
            _turn: turn,
        }
    }
}

#[test]
fn the_decoder_refuses_what_no_honest_client_sends_and_plays_afterwards() {
    let mut at = Sharing::new(MEMORY);
    let (memory, client) = (&at.memory, &mut at.client);
    let (refused, taken) = keybearer_tests::guest::timed(|| {
        let refused = assert_types_refused(client, memory);
        assert_sizes_refused(client, memory);
        assert_overlaps_do_no_harm(client, memory);
        refused
    });
    println!("figure: {refused} types refused, with sizes and overlaps in {taken:?}");

    // The same session, and the instance that got all that.
    let nothing: body::Presented = exchange(client, &body::Flush {}, &mut []).unwrap();
    assert!(nothing.times.0.is_empty());
    let mut keys = at.ground.licensed(&KEY);
    let clip = Clip::read("baseline-64x48");
    make_ready(client, &mut keys, &clip);
    assert_eq!(play(client, &clip), clip.digests());
}
