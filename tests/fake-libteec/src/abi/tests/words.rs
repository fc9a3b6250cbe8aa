//! All words that a client may say of the types of its parameters.

use keybearer_wire::body::{CloseSession, DeviceKey, DeviceKeyAnswer, EraseIdentity, OpenSession};
use keybearer_wire::field::Blob;

use super::licensed::Licensed;
use super::*;

/// What OP-TEE makes of four bits of a client's type word, where the application can take it.
fn taken(kind: u32) -> Option<u32> {
    match kind {
        5 | 0xd => Some(5),
        6 | 0xe => Some(6),
        _ => None,
    }
}

/// Whether the key TA gets request in, response out, media in, media out of this word.
fn is_right(types: u32) -> bool {
    let kinds = [0, 4, 8, 12].map(|shift| taken(types >> shift & 0xf));
    kinds == [Some(5), Some(6), Some(5), Some(6)]
}

/// Memory to name as the one kind and as the other.
struct Slots {
    bytes: [Vec<u8>; 2],
    shared: [raw::TEEC_SharedMemory; 2],
}

impl Slots {
    fn new(client: &mut Client, request: Vec<u8>) -> Self {
        let mut bytes = [request, vec![0; MAX_RESPONSE]];
        let shared = bytes.each_mut().map(|bytes| {
            let mut memory = memory(bytes.as_mut_ptr(), bytes.len(), 3);
            let context = &raw mut *client.context;
            assert_eq!(TEEC_RegisterSharedMemory(context, &raw mut memory), 0);
            memory
        });
        Self { bytes, shared }
    }

    /// Inputs are the request and outputs the response.
    fn params(&mut self, types: u32) -> [raw::TEEC_Parameter; 4] {
        let mut at = 0..4;
        [NONE; 4].map(|none| {
            let at = at.next().unwrap();
            let (bytes, shared) = (&mut self.bytes[at % 2], &mut self.shared[at % 2]);
            match types >> (4 * at) & 0xf {
                5..=7 => temporary(bytes),
                0xc.. => range(shared, 0, bytes.len()),
                _ => none,
            }
        })
    }

    fn release(mut self) {
        for shared in &mut self.shared {
            TEEC_ReleaseSharedMemory(shared);
        }
    }
}

#[test]
fn of_all_type_words_only_the_one_layout_is_taken() {
    let mut client = Client::new();
    let mut slots = Slots::new(&mut client, describe());
    let mut accepted = 0;
    for types in 0..=0xffff_u32 {
        let (code, _) = client.invoke(types, &mut slots.params(types));
        if is_right(types) {
            assert_eq!(code, raw::TEEC_SUCCESS, "{types:#06x}");
            accepted += 1;
        } else {
            assert_eq!(code, BAD, "{types:#06x}");
        }
    }
    assert_eq!(accepted, 16);
    slots.release();
}

/// All that is told of the licences but the time at which it is told.
fn statuses(at: &mut Licensed) -> String {
    let mut told = at.statuses();
    assert!(told.time.take().is_some());
    format!("{told:?}")
}

/// The requests are such that the commands would do something, were they taken: close the caller's
/// session, erase the device's identity.
#[test]
fn a_command_with_another_type_word_is_refused_and_does_nothing() {
    let mut at = Licensed::new();
    let (anchor, info) = (at.service.anchor().0, at.info());
    let open = OpenSession {
        anchor,
        service_info: Blob(&info),
        protected: false,
    };
    let open = open.encode(MAX_REQUEST).unwrap();
    let session = at.open();
    let close = CloseSession { session }.encode(MAX_REQUEST).unwrap();
    let erase = EraseIdentity { anchor }.encode(MAX_REQUEST).unwrap();
    let before = statuses(&mut at);

    let mut slots = Vec::new();
    for command in Command::ALL {
        let request = match command {
            Command::EraseIdentity => &erase,
            Command::OpenSession => &open,
            _ => &close,
        };
        let mut slot = Slots::new(&mut at.client, request.clone());
        for types in (0..=0xffff_u32).filter(|types| !is_right(*types)) {
            let mut params = slot.params(types);
            let (code, _) = at.client.give(command.code(), types, &mut params);
            assert_eq!(code, BAD, "{command:?} {types:#06x}");
        }
        slots.push(slot);
    }
    slots.into_iter().for_each(Slots::release);

    assert_eq!(statuses(&mut at), before);
    at.decrypt(&mut [7; 32]).unwrap();
    let answer = at.client.ask(&DeviceKey { anchor });
    let key: DeviceKeyAnswer = decode_response(&answer).unwrap().unwrap();
    assert!(key.provisioned);
    // It is there still, and with the right word it is closed.
    let answer = at.client.ask(&CloseSession { session });
    assert_eq!(decode_response(&answer).unwrap(), Ok(Empty {}));
}
