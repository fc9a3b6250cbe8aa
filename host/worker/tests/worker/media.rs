//! Media: in shared memory without a copy on this side, elsewhere through a copy; right in both.

use keybearer_tee::{CallError, Media, SharedMemory, Tee, TeeError};
use keybearer_wire::Status;
use keybearer_wire::limits::MAX_MEDIA;
use rustix::process::Signal;

use crate::support::{
    clear, connect, decrypt, eventually, proc, protected, ready, signal, started,
};

const LEN: usize = 200_000;

/// Minor page faults and copies cannot be told apart from outside, but the worker's table of mappings
/// can: memory that was shared is mapped there, and nothing else is mapped for the call.
fn media_mappings(pid: u32) -> Vec<String> {
    let maps = std::fs::read_to_string(proc(pid, "maps")).unwrap();
    let media = maps.lines().filter(|line| line.contains("keybearer-media"));
    let range = |line: &str| line.split(' ').next().unwrap().to_owned();
    media.map(range).collect()
}

#[test]
fn memory_shared_with_the_worker_is_decrypted_where_it_stands() {
    let (_dir, tee) = started();
    let (mut session, licensed) = ready(&tee, 31);
    let arena = media_mappings(tee.process_id());
    assert_eq!(arena.len(), 1, "what the connection itself shares");

    let mut memory = session.shared_memory(LEN).unwrap().unwrap();
    assert_eq!(memory.bytes(), vec![0; LEN]);
    assert_eq!(media_mappings(tee.process_id()).len(), 2);
    memory.bytes_mut().copy_from_slice(&protected(LEN));
    let answer = decrypt(&mut session, licensed, Media::InPlace(memory.bytes_mut()));
    assert_eq!(answer.unwrap(), LEN as u64);
    assert_eq!(memory.bytes(), clear(LEN));
    // Nothing was copied elsewhere for it.
    assert_eq!(media_mappings(tee.process_id()).len(), 2);
    drop(memory);
    eventually("it is let go", || media_mappings(tee.process_id()) == arena);
}

/// The batches of a fragment are pieces of one memory.
#[test]
fn pieces_of_shared_memory_are_found_and_nothing_beside_them_is_touched() {
    let (_dir, tee) = started();
    let (mut session, licensed) = ready(&tee, 32);
    let mut memory = session.shared_memory(LEN).unwrap().unwrap();
    for (from, to) in [
        (0, 1),
        (1, 17),
        (4_095, 4_097),
        (100_000, LEN - 1),
        (LEN - 1, LEN),
    ] {
        memory.bytes_mut().fill(0xee);
        let piece = &mut memory.bytes_mut()[from..to];
        piece.copy_from_slice(&protected(to - from));
        decrypt(&mut session, licensed, Media::InPlace(piece)).unwrap();
        assert_eq!(memory.bytes()[from..to], clear(to - from));
        assert!(memory.bytes()[..from].iter().all(|byte| *byte == 0xee));
        assert!(memory.bytes()[to..].iter().all(|byte| *byte == 0xee));
    }
}

#[test]
fn media_elsewhere_comes_out_the_same() {
    let (_dir, tee) = started();
    let (mut session, licensed) = ready(&tee, 33);
    // Also beyond what one call's memory was first made for, and back.
    for len in [1, LEN, 3 * 1024 * 1024 + 5, 10, LEN] {
        let mut data = protected(len);
        decrypt(&mut session, licensed, Media::InPlace(&mut data)).unwrap();
        assert!(data == clear(len), "{len}");
    }
}

/// Every pair of places that input and output can lie in.
#[test]
fn input_and_output_may_lie_in_different_places() {
    let (_dir, tee) = started();
    let (mut session, licensed) = ready(&tee, 34);
    let mut shared: Vec<Box<dyn SharedMemory>> = Vec::new();
    for _ in 0..2 {
        shared.push(session.shared_memory(LEN).unwrap().unwrap());
    }
    let [from, to] = &mut shared[..] else {
        unreachable!()
    };
    let outside = protected(LEN);
    from.bytes_mut().copy_from_slice(&outside);
    let mut output = vec![0xee; LEN + 10];
    for (input, in_shared) in [(&outside[..], false), (from.bytes(), true)] {
        output.fill(0xee);
        let media = Media::Into {
            input,
            output: &mut output,
        };
        assert_eq!(decrypt(&mut session, licensed, media).unwrap(), LEN as u64);
        assert_eq!(output[..LEN], clear(LEN), "from shared: {in_shared}");
        assert_eq!(output[LEN..], [0xee; 10]);

        to.bytes_mut().fill(0xee);
        let media = Media::Into {
            input,
            output: to.bytes_mut(),
        };
        decrypt(&mut session, licensed, media).unwrap();
        assert_eq!(to.bytes(), clear(LEN), "from shared: {in_shared}");
    }
    assert_eq!(from.bytes(), outside, "input stays");
}

#[test]
fn a_refused_call_leaves_media_as_it_is() {
    let (_dir, tee) = started();
    let (mut session, licensed) = ready(&tee, 35);
    let unknown = licensed + 1;
    let mut data = protected(LEN);
    let mut output = vec![0xee; LEN];
    let mut memory = session.shared_memory(LEN).unwrap().unwrap();
    memory.bytes_mut().copy_from_slice(&data);

    let refused = decrypt(&mut session, unknown, Media::InPlace(&mut data));
    assert!(matches!(
        refused,
        Err(CallError::Refused(Status::UnknownSession))
    ));
    let media = Media::Into {
        input: &data,
        output: &mut output,
    };
    assert!(decrypt(&mut session, unknown, media).is_err());
    assert!(decrypt(&mut session, unknown, Media::InPlace(memory.bytes_mut())).is_err());
    assert_eq!(data, protected(LEN));
    assert_eq!(memory.bytes(), data);
    assert_eq!(output, vec![0xee; LEN]);

    // Room for less than the input is refused by the core, as anywhere else.
    let media = Media::Into {
        input: &data,
        output: &mut output[..LEN - 1],
    };
    let refused = decrypt(&mut session, licensed, media);
    assert!(matches!(refused, Err(CallError::Refused(_))), "{refused:?}");
    assert_eq!(output, vec![0xee; LEN]);
}

#[test]
fn what_exceeds_the_limits_is_refused_before_it_is_copied() {
    let (_dir, tee) = started();
    let (mut session, licensed) = ready(&tee, 36);
    let mut data = vec![0; MAX_MEDIA + 1];
    let refused = decrypt(&mut session, licensed, Media::InPlace(&mut data));
    assert!(
        matches!(
            refused,
            Err(CallError::Transport(TeeError::TooLarge {
                what: "media",
                limit: MAX_MEDIA,
                ..
            }))
        ),
        "{refused:?}"
    );
    let refused = session.shared_memory(usize::MAX);
    assert!(matches!(refused, Err(TeeError::TooLarge { .. })));
    // What is allowed reaches the core, whose own limits then count.
    let refused = decrypt(&mut session, licensed + 1, Media::InPlace(&mut data[1..]));
    assert!(
        matches!(refused, Err(CallError::Refused(Status::UnknownSession))),
        "{refused:?}"
    );
}

/// Memory belongs to the backend, not to the connection it was asked through.
#[test]
fn memory_of_one_connection_serves_another() {
    let (_dir, tee) = started();
    let mut lender = connect(&tee);
    let (mut session, licensed) = ready(&tee, 37);
    let mut memory = lender.shared_memory(LEN).unwrap().unwrap();
    drop(lender);
    memory.bytes_mut().copy_from_slice(&protected(LEN));
    let before = media_mappings(tee.process_id());
    decrypt(&mut session, licensed, Media::InPlace(memory.bytes_mut())).unwrap();
    assert_eq!(memory.bytes(), clear(LEN));
    assert_eq!(media_mappings(tee.process_id()), before);
}

/// Pieces of one memory may be with several connections at once, also when the worker has yet to be
/// told of it.
#[test]
fn one_memory_serves_many_connections_at_once() {
    const CONNECTIONS: usize = 8;
    let (_dir, tee) = started();
    let mut memory = connect(&tee).shared_memory(CONNECTIONS * LEN).unwrap();
    let memory = memory.as_mut().unwrap();
    for seed in 60..63 {
        let sessions: Vec<_> = (0..CONNECTIONS).map(|_| ready(&tee, seed)).collect();
        let pieces = memory.bytes_mut().chunks_exact_mut(LEN);
        let together = std::sync::Barrier::new(CONNECTIONS);
        std::thread::scope(|scope| {
            for ((mut session, licensed), piece) in sessions.into_iter().zip(pieces) {
                let together = &together;
                scope.spawn(move || {
                    piece.copy_from_slice(&protected(LEN));
                    together.wait();
                    decrypt(&mut session, licensed, Media::InPlace(piece)).unwrap();
                    assert!(piece == clear(LEN));
                });
            }
        });
        signal(tee.process_id(), Signal::KILL);
        eventually("another worker", || tee.connect().is_ok());
    }
}

/// Memory for media that lies elsewhere is not kept for ever once it was large.
#[test]
fn what_was_copied_through_is_let_go_when_it_was_large() {
    let (_dir, tee) = started();
    let (mut session, licensed) = ready(&tee, 39);
    let before = media_mappings(tee.process_id());
    let mut data = vec![0; 9 << 20];
    decrypt(&mut session, licensed, Media::InPlace(&mut data)).unwrap();
    eventually("it is let go", || {
        media_mappings(tee.process_id()) == before
    });
    decrypt(&mut session, licensed, Media::InPlace(&mut data[..1000])).unwrap();
    assert_eq!(media_mappings(tee.process_id()).len(), before.len() + 1);
}

#[test]
fn memory_of_no_size_is_memory() {
    let (_dir, tee) = started();
    let mut session = connect(&tee);
    let mut memory = session.shared_memory(0).unwrap().unwrap();
    assert_eq!(memory.bytes(), []);
    assert_eq!(memory.bytes_mut(), []);
}

/// Nothing piles up: not here, not in the worker.
#[test]
fn memory_comes_and_goes() {
    let (_dir, tee) = started();
    let (mut session, licensed) = ready(&tee, 38);
    let before = media_mappings(tee.process_id()).len();
    for round in 0..600 {
        let mut memory = session.shared_memory(1000).unwrap().unwrap();
        memory.bytes_mut().copy_from_slice(&protected(1000));
        decrypt(&mut session, licensed, Media::InPlace(memory.bytes_mut())).unwrap();
        assert_eq!(memory.bytes(), clear(1000), "{round}");
    }
    eventually("all is let go", || {
        media_mappings(tee.process_id()).len() == before
    });
}
