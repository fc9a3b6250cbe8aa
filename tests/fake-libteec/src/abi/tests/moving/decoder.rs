//! The same at the decoder, whose media the key TA reads where the host has it.
//!
//! What a command comes to is its answer, and which pictures are shown after it, of which the test output
//! tells the digests.

use std::slice;
use std::sync::Arc;

use keybearer_license::{Scheme, TrackType};
use keybearer_rules::Level;
use keybearer_ta_entry::session;
use keybearer_tee_optee::OpteeTee;
use keybearer_tests::bare::Bare;
use keybearer_tests::clips::{Clip, Protected, protect};
use keybearer_tests::high::{Key, scenarios::Ground};
use keybearer_tests::service::Service;
use keybearer_wire::body::{IssueTicket, Ticket};
use keybearer_wire::decoder::{Command, Exchange, MAX_DECODER_RESPONSE, body};
use keybearer_wire::field::Blob;

use super::*;

const KEY: Key = Key {
    kid: [0xd5; 16],
    key: [0x3c; 16],
    scheme: Scheme::Cenc,
};
/// Where the shared memory holds the response and the media, behind the request.
const RESPONSE_AT: usize = 512;
const MEDIA_AT: usize = RESPONSE_AT + MAX_DECODER_RESPONSE;
/// Bytes of parameter sets and slice header at most.
const SAMPLES_AT: usize = 60;
/// Calls while a byte changes.
const CALLS: usize = 8;

/// A command as it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tried {
    Attach,
    Configure,
    Protected,
    Clear,
    Flush,
    Skip,
}

impl Tried {
    fn code(self) -> u32 {
        let command = match self {
            Self::Attach => Command::Attach,
            Self::Configure => Command::Configure,
            Self::Protected | Self::Clear => Command::Decode,
            Self::Flush => Command::Flush,
            Self::Skip => Command::Skip,
        };
        command.code()
    }
}

/// What is played: the first picture of a clip.
struct Picture {
    record: Vec<u8>,
    /// With its parameter sets.
    clear: Vec<u8>,
    protected: Protected,
    /// Without them: how it is decoded tells which ones the decoder has.
    slice: Protected,
}

impl Picture {
    fn new() -> Self {
        let clip = Clip::read("main-deblock-96x64");
        // Kinds of NAL units (ITU-T H.264 table 7-1): parameter sets and the slices of an IDR picture.
        let (clear, slice) = (only(&[7, 8, 5], &clip.units[0]), only(&[5], &clip.units[0]));
        let [protected, slice] =
            [&clear, &slice].map(|unit| protect(KEY.scheme, &KEY.key, 1, unit));
        Self {
            record: clip.record,
            clear,
            protected,
            slice,
        }
    }

    fn configure(&self) -> body::Configure<'_> {
        body::Configure {
            codec: *b"avc1",
            record: Blob(&self.record),
        }
    }
}

/// The NAL units of these kinds.
fn only(kinds: &[u8], unit: &[u8]) -> Vec<u8> {
    let (mut parts, mut rest) = (Vec::new(), unit);
    while let [a, b, c, d, kind, ..] = rest {
        let size = 4 + u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        if kinds.contains(&(kind & 31)) {
            parts.extend(&rest[..size]);
        }
        rest = &rest[size..];
    }
    parts
}

/// The answer to a command, and those that tell what became of it.
#[derive(Debug, PartialEq, Eq)]
struct Came(Vec<u8>, [Result<body::Presented, Status>; 3]);

/// A host with a licence and a decoder, and memory that everybody writes to.
struct Playing<'m> {
    keys: Bare,
    _ground: Ground,
    client: Client,
    memory: raw::TEEC_SharedMemory,
    bytes: &'m [AtomicU8],
    picture: &'m Picture,
}

impl Drop for Playing<'_> {
    fn drop(&mut self) {
        TEEC_ReleaseSharedMemory(&raw mut self.memory);
    }
}

impl<'m> Playing<'m> {
    fn new(bytes: &'m [AtomicU8], picture: &'m Picture) -> Self {
        let uuid = session::uuid(DECODER_TA);
        let client = Client::of(&raw::TEEC_UUID {
            timeLow: uuid.timeLow,
            timeMid: uuid.timeMid,
            timeHiAndVersion: uuid.timeHiAndVersion,
            clockSeqAndNode: uuid.clockSeqAndNode,
        });
        let _plugged = client.board.plug();
        let (tee, service) = (Arc::new(OpteeTee), Service::start(&[]));
        let ground = Ground::with_keys(tee, service, Level::None, &[KEY]);
        let mut memory = memory(bytes.as_ptr().cast_mut().cast(), bytes.len(), 3);
        let context = (&raw const *client.context).cast_mut();
        assert_eq!(TEEC_RegisterSharedMemory(context, &raw mut memory), 0);
        Self {
            keys: ground.licensed(&KEY),
            _ground: ground,
            client,
            memory,
            bytes,
            picture,
        }
    }

    /// With a ticket that was never used.
    fn attach(&mut self) -> body::Attach {
        let issue = IssueTicket {
            session: self.keys.session,
            track_type: TrackType::Sd.code(),
        };
        let Ticket { ticket } = self.keys.connection.exchange(&issue).unwrap();
        body::Attach { ticket }
    }

    /// A command in memory that nobody changes.
    fn calmly<'r, R: Exchange<'r>, A: for<'a> Body<'a>>(
        &mut self,
        request: &R,
        media: &[u8],
    ) -> Result<A, Status> {
        let mut request = request.encode(MAX_REQUEST).unwrap();
        let (code, mut media) = (R::COMMAND.code(), media.to_vec());
        decode_response(&self.client.send(code, &mut request, &mut media)).unwrap()
    }

    fn decode(&mut self, time: u64, unit: &Protected) -> Result<body::Presented, Status> {
        self.calmly(&unit.decode(KEY.scheme, KEY.kid, time), &unit.bytes)
    }

    fn flush(&mut self) -> Result<body::Presented, Status> {
        self.calmly(&body::Flush {}, &[])
    }

    /// Whatever was before: the clip's configuration, a channel, no row of rejections, and one picture
    /// that waits.
    fn settle(&mut self) {
        let attach = self.attach();
        let Empty {} = self.calmly(&attach, &[]).unwrap();
        let configure = self.picture.configure();
        let _: body::Configured = self.calmly(&configure, &[]).unwrap();
        let decoded = self.decode(1, &self.picture.protected).unwrap();
        assert!(decoded.times.0.is_empty(), "it waits");
    }

    /// A good request, and the media.
    fn request(&mut self, tried: Tried) -> (Vec<u8>, &'m [u8]) {
        let picture = self.picture;
        let mut decode = picture.protected.decode(KEY.scheme, KEY.kid, 7);
        let nothing: &[u8] = &[];
        let (request, media) = match tried {
            Tried::Attach => (self.attach().encode(MAX_REQUEST), nothing),
            Tried::Configure => (picture.configure().encode(MAX_REQUEST), nothing),
            Tried::Protected => (decode.encode(MAX_REQUEST), &picture.protected.bytes[..]),
            Tried::Clear => {
                decode.protection = None;
                (decode.encode(MAX_REQUEST), &picture.clear[..])
            }
            Tried::Flush => (body::Flush {}.encode(MAX_REQUEST), nothing),
            Tried::Skip => (body::Skip {}.encode(MAX_REQUEST), nothing),
        };
        (request.unwrap(), media)
    }

    /// What the command comes to whose request and media lie in the memory that everybody writes to,
    /// with a byte changed there or none.
    fn come(&mut self, tried: Tried, change: Option<usize>) -> Came {
        self.settle();
        let (request, media) = self.request(tried);
        fill(self.bytes, 0, &request);
        fill(self.bytes, MEDIA_AT, media);
        if let Some(at) = change {
            self.bytes[at].fetch_xor(CHANGE, Ordering::Relaxed);
        }
        let mut part = |offset, size| range(&mut self.memory, offset, size);
        let mut params = [
            part(0, request.len()),
            part(RESPONSE_AT, MAX_DECODER_RESPONSE),
            part(MEDIA_AT, media.len()),
            part(MEDIA_AT, 0),
        ];
        let client = &mut self.client;
        let (code, _) = reading_none_twice(self.bytes, || {
            client.give(tried.code(), RIGHT | 0x8888, &mut params)
        });
        assert_eq!(code, raw::TEEC_SUCCESS);
        // SAFETY: written as registered references above.
        let [response, clear] = [1, 3].map(|at| unsafe { params[at].memref.size });
        assert_eq!(clear, 0, "no media comes out of a decoder");
        let answer = copy(self.bytes, RESPONSE_AT, response);
        let shown = [
            self.flush(),
            self.decode(8, &self.picture.slice),
            self.flush(),
        ];
        Came(answer, shown)
    }
}

/// Bytes for [`Playing`].
fn memory_for(picture: &Picture) -> Vec<AtomicU8> {
    let size = MEDIA_AT + picture.clear.len();
    (0..size).map(|_| AtomicU8::new(0)).collect()
}

#[test]
fn what_a_decoder_shows_follows_from_one_reading_of_each_byte() {
    let picture = Picture::new();
    let bytes = memory_for(&picture);
    let mut playing = Playing::new(&bytes, &picture);
    let (mut one, mut other) = (0, 0);
    for tried in [
        Tried::Attach,
        Tried::Configure,
        Tried::Protected,
        Tried::Clear,
        Tried::Flush,
        Tried::Skip,
    ] {
        let (request, media) = playing.request(tried);
        let right = playing.come(tried, None);
        let mut changed = 0;
        // Of the media all that comes before the picture's samples, and some of those.
        let places = (0..media.len()).filter(|at| *at < SAMPLES_AT || at % 40 == 0);
        let places = places.map(|at| MEDIA_AT + at);
        for place in (0..request.len()).chain(places) {
            let wrong = playing.come(tried, Some(place));
            // Again, so that the one is no consequence of the other.
            assert_eq!(playing.come(tried, None), right, "{tried:?}, after {place}");
            changed += usize::from(wrong != right);
            while_they_change(slice::from_ref(&bytes[place]), || {
                for call in 0..CALLS {
                    // Where both threads share a processor, the other one may have no time: so half of
                    // the calls begin with the one, and half with the other.
                    let came = playing.come(tried, Some(place).filter(|_| call % 2 == 0));
                    one += usize::from(came == right && came != wrong);
                    other += usize::from(came == wrong && came != right);
                    let known = came == right || came == wrong;
                    assert!(known, "{tried:?}, byte {place}: {came:?}");
                }
            });
        }
        assert!(changed > request.len() / 2, "{tried:?}: {changed}");
    }
    assert!(one > 100 && other > 100, "{one} and {other} calls");
}

/// All of the media at once: then it is one of too many units to name what comes of it.
#[test]
fn media_that_changes_is_a_unit_or_none() {
    let picture = Picture::new();
    let bytes = memory_for(&picture);
    let mut playing = Playing::new(&bytes, &picture);
    let right = [Tried::Protected, Tried::Clear].map(|tried| (tried, playing.come(tried, None)));
    let mut rejected = 0;
    while_they_change(&bytes[MEDIA_AT..], || {
        for (call, (tried, _)) in right.iter().cycle().take(200).enumerate() {
            // The other thread may have no time; so half of them are changed once in any case.
            let change = Some(MEDIA_AT + call % picture.clear.len());
            let Came(answer, _) = playing.come(*tried, change.filter(|_| call % 4 < 2));
            match decode_response::<body::Presented>(&answer).unwrap() {
                Ok(_) => {}
                Err(Status::ContentRejected) => rejected += 1,
                Err(other) => panic!("{tried:?}: {other:?}"),
            }
        }
    });
    assert!(rejected > 20, "{rejected} units were none");
    for (tried, right) in right {
        assert_eq!(playing.come(tried, None), right);
    }
}
