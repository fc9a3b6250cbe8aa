//! The whole core: sequences of commands by several clients over a platform that fails.

mod grants;
mod media;
mod oracle;
mod platform;
mod story;

use allocation_counter::measure;
use keybearer_core::{Caller, ClientId, Core, Media};

use crate::Seed;
use crate::verdict::{Verdict, claim};
use platform::{Fuzzed, Shared, Variant};
use story::Story;

/// Bytes that a core without clients and identities may hold on top of what it held at first: the
/// empty list of what it knew under its anchors, which keeps the room for eight.
const LEFT_OVER: i64 = 10 << 10;

/// **Claim**: whatever commands come in whatever order, from however many clients, with whatever
/// bytes, handles and media, while clocks jump and storage, generator, clock and media fail:
///
/// * the core answers, within the length promised, with a status that is known;
/// * no response holds eight bytes in a row of a content key or of the device's own keys;
/// * a refused call leaves the output as it was, and media that fails half way holds the right
///   beginning;
/// * a handle means something to the client it was given to, while its session is open, and nothing
///   before, after or to anybody else; none is given out twice;
/// * a licence is loaded only into the session that asked for it;
/// * what is decrypted is what the reference makes of it, under a licence of this very session that
///   holds the key, for samples the key is for, and never after the end of that licence;
/// * a protected session gives clear media to a decoder that redeemed one of its tickets, each of
///   which is good once, and to nobody else;
/// * when a client has gone, its sessions are, and when all have, so is the memory they took.
///
/// The bytes tell a story: a platform, then steps with their particulars.
///
/// # Panics
/// When `data` falsifies it.
pub fn run(data: &[u8]) {
    judge(data, &real).unwrap_or_else(|words| panic!("{words}"));
}

/// What a story is told about: the core, or something wrong in a test.
pub(crate) trait Subject {
    fn connect(&mut self, caller: Caller) -> Option<ClientId>;
    fn disconnect(&mut self, client: ClientId);
    fn call(
        &mut self,
        client: ClientId,
        command: u32,
        request: &[u8],
        media: &mut dyn Media,
    ) -> Vec<u8>;
    /// Bytes held on top of those held when it was made.
    fn held(&self) -> i64;
}

/// The core, with a count of its memory.
pub(crate) struct Real {
    core: Core<Fuzzed>,
    held: i64,
}

pub(crate) fn real(variant: Variant, device: &Shared) -> Box<dyn Subject> {
    Box::new(Real {
        core: variant.core(device, story::anchors()),
        held: 0,
    })
}

impl Subject for Real {
    fn connect(&mut self, caller: Caller) -> Option<ClientId> {
        self.core.connect(caller)
    }

    fn disconnect(&mut self, client: ClientId) {
        self.held += measure(|| self.core.disconnect(client)).bytes_current;
    }

    fn call(
        &mut self,
        client: ClientId,
        command: u32,
        request: &[u8],
        media: &mut dyn Media,
    ) -> Vec<u8> {
        let mut response = Vec::with_capacity(keybearer_wire::limits::MAX_RESPONSE);
        let counted = measure(|| {
            response.extend_from_slice(&self.core.call(client, command, request, media));
        });
        self.held += counted.bytes_current;
        response
    }

    fn held(&self) -> i64 {
        self.held
    }
}

/// The same about any subject.
fn judge(data: &[u8], make: &dyn Fn(Variant, &Shared) -> Box<dyn Subject>) -> Verdict {
    let mut story = Story::tell(data, make)?;
    story.end()?;
    let held = story.subject.held();
    claim!(
        held <= LEFT_OVER,
        "{held} bytes held for clients that are gone"
    );
    Ok(())
}

/// Stories that go well, one for each way through the commands.
pub(crate) fn seeds() -> Vec<Seed> {
    // Steps: 2 open, 8 acquire, 11 statuses, 13 time, 15 decrypt, 19 time passes; see `Story::step`.
    let open: &[u8] = &[2, 0, 0];
    let acquire = |keys: u8, limits: u8, id: u8| vec![8, 0, 0, 0, id, 0, keys, limits, id];
    let decrypt = |id: u8| vec![15, 0, 0, id, 0, 0, 1, 7, 2, 5, 9, 4, 3, 6, 0];
    // A client opens sessions until there is no place.
    let crowd = |client: u8| [&[26], &[client, 0].repeat(17)[..]].concat();
    let all: &[u8] = &[0];
    let begin = |variant: u8, rest: &[&[u8]]| [&[variant], &rest.concat()[..]].concat();
    let mut seeds = vec![
        Seed::new(
            "play",
            begin(0, &[open, &acquire(0, 0, 0), &decrypt(0), &[11, 0, 0]]),
        ),
        Seed::new(
            "ends",
            begin(
                0,
                &[open, &acquire(0, 26, 0), &decrypt(0), &[19, 5], &decrypt(0)],
            ),
        ),
        Seed::new(
            "timeless",
            begin(
                1,
                &[open, &acquire(1, 0, 1), &decrypt(1), &acquire(1, 2, 2)],
            ),
        ),
        Seed::new(
            "trusted",
            begin(2, &[open, &[13, 0, 0, 3], &acquire(7, 3, 3), &decrypt(7)]),
        ),
        Seed::new(
            "renewed",
            begin(
                0,
                &[
                    open,
                    &acquire(2, 1, 2),
                    &[8, 0, 0, 3, 2, 0, 2, 1, 2],
                    &decrypt(2),
                ],
            ),
        ),
        Seed::new(
            "crowd",
            begin(0, &[&[0, 0], &crowd(0), &crowd(1), &[1, 0, 1, 1, 2, 2, 0]]),
        ),
        Seed::new(
            "strangers",
            begin(0, &[open, all, &acquire(0, 0, 0), &[15, 0xa0, 1, 0]]),
        ),
        Seed::new(
            "provision",
            begin(0, &[&[24, 1, 0], &[2, 0, 0xe0], &[25, 0, 0, 0], open]),
        ),
        Seed::new(
            "restart",
            begin(0, &[open, &acquire(0, 0, 0), &[20, 1], &decrypt(0), open]),
        ),
        // 25 with 3: opens a protected session, acquires, then a ticket, a channel and units.
        Seed::new(
            "protected",
            begin(
                2,
                &[
                    &[25, 0, 0, 3, 0, 0, 0],
                    &acquire(0, 0, 0),
                    &[25, 0, 0, 3, 1, 0, 0, 3],
                    &[25, 0, 0, 3, 2, 0, 0],
                    &[25, 0, 0, 3, 3, 0, 0, 1, 0, 0, 0, 4, 1, 7, 2, 5],
                    &[25, 0, 0, 3, 3, 0, 0, 0, 9, 0, 0, 4, 1, 7, 2, 5],
                    &[25, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 4, 1, 7, 2, 5],
                    &decrypt(0),
                    &[25, 0, 0, 3, 4, 0, 0],
                    &[25, 0, 0, 3, 5, 0],
                ],
            ),
        ),
        Seed::new(
            "revoked",
            begin(0, &[open, &[14, 0, 1, 0xf0], &acquire(0, 0, 0), open]),
        ),
    ];
    for id in 0..grants::KEYS {
        let story = begin(
            0,
            &[
                open,
                &[22, 2],
                &acquire(id, 0, id),
                &decrypt(id),
                &[4, 0, 0],
            ],
        );
        seeds.push(Seed::new(&format!("key-{id}"), story));
    }
    for part in 0..5 {
        for fuse in 0..3 {
            let fault: &[u8] = &[21, part, fuse];
            let story = begin(
                0,
                &[open, fault, &acquire(0, 0, 0), &decrypt(0), fault, open],
            );
            seeds.push(Seed::new(&format!("fault-{part}-{fuse}"), story));
        }
    }
    seeds
}

#[cfg(test)]
mod tests;
