//! The seeds reach what they are for, and cores that are wrong on purpose are found out.

use keybearer_wire::{Body, Command, body};

use super::*;

/// A core with one thing wrong about it.
struct Wrong {
    core: Box<dyn Subject>,
    flaw: Flaw,
    clients: Vec<ClientId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    /// Statuses show a piece of a key.
    Leaks,
    /// Any client may use any session.
    Shares,
    /// A closed session answers.
    Lingers,
    /// A refusal fills the output.
    Scribbles,
    /// The last byte is not decrypted.
    Slips,
    /// A client's sessions stay when it goes.
    Stays,
    /// Time stands still.
    Forgets,
}

impl Subject for Wrong {
    fn connect(&mut self, caller: Caller) -> Option<ClientId> {
        let client = self.core.connect(caller)?;
        self.clients.push(client);
        Some(client)
    }

    fn disconnect(&mut self, client: ClientId) {
        if self.flaw != Flaw::Stays {
            self.core.disconnect(client);
        }
    }

    fn call(
        &mut self,
        client: ClientId,
        command: u32,
        request: &[u8],
        media: &mut dyn Media,
    ) -> Vec<u8> {
        let decrypt = command == Command::Decrypt.code();
        let mut response = self.core.call(client, command, request, media);
        let refused = response[0] == 0xa1;
        match self.flaw {
            Flaw::Leaks if command == Command::Statuses.code() && !refused => {
                response = leaking(&response);
            }
            Flaw::Shares if refused => {
                for other in &self.clients {
                    response = self.core.call(*other, command, request, media);
                    if response[0] == 0xa2 {
                        break;
                    }
                }
            }
            Flaw::Lingers if command == Command::CloseSession.code() => {
                response = vec![0xa2, 0, 0, 1, 0xa0];
            }
            Flaw::Lingers if command == Command::Statuses.code() && refused => {
                response = keybearer_wire::encode_answer(&body::Empty {}).expect("it is small");
            }
            Flaw::Scribbles if decrypt && refused && media.output_len() > 0 => {
                media.write(0, &[0x77]).expect("there is room");
            }
            Flaw::Slips if decrypt && !refused && media.output_len() > 0 => {
                media
                    .write(media.output_len() - 1, &[0x77])
                    .expect("there is room");
            }
            _ => {}
        }
        response
    }

    fn held(&self) -> i64 {
        self.core.held()
    }
}

/// The statuses of a core that shows keys where it should show licence ids.
fn leaking(response: &[u8]) -> Vec<u8> {
    let report = keybearer_wire::decode_response::<body::StatusReport<'_>>(response);
    let mut report = report.expect("it decodes").expect("it is an answer");
    for license in &mut report.licenses.0 {
        license.license = grants::secret(0);
    }
    keybearer_wire::encode_answer(&report).expect("it is no larger")
}

/// Judges a story about a core with a flaw.
fn told(flaw: Flaw, story: &[u8]) -> Verdict {
    judge(story, &|variant, device| {
        let device = match flaw {
            // Its clock is one that the story does not reach.
            Flaw::Forgets => &Shared::new(device.get().clone()),
            _ => device,
        };
        Box::new(Wrong {
            core: real(variant, device),
            flaw,
            clients: Vec::new(),
        })
    })
}

fn seed(name: &str) -> Vec<u8> {
    let seeds = seeds();
    let seed = seeds.iter().find(|seed| seed.name == name);
    seed.expect("there is one of the name").bytes.clone()
}

/// A story of one licence, its use, a stranger's try, an end of the session and a try after it.
fn whole() -> Vec<u8> {
    let mut story = seed("play");
    // Another client looks at the session, and takes its statuses.
    story.extend([0, 11, 0xa0, 1]);
    // A batch that is too long, and one that is right.
    story.extend([15, 0, 0, 0, 0xe0, 0, 0, 4, 0]);
    story.extend([4, 0, 0, 11, 0, 0]);
    story
}

#[test]
fn the_seeds_decrypt_and_load() {
    let (mut decrypted, mut loaded) = (0, 0);
    for seed in seeds() {
        let mut story = Story::tell(&seed.bytes, &real).expect("the core is right");
        story.end().expect("the core is right");
        decrypted += story.oracle.decrypted;
        loaded += story.oracle.loaded;
    }
    assert!(loaded >= 20, "{loaded}");
    assert!(decrypted >= 16, "{decrypted}");
}

#[test]
fn every_key_of_every_scheme_is_decrypted_with() {
    for id in 0..grants::KEYS {
        let story = Story::tell(&seed(&format!("key-{id}")), &real).expect("the core is right");
        // The last one is for devices of a higher level.
        assert_eq!(story.oracle.decrypted, usize::from(id != 7), "key {id}");
    }
}

#[test]
fn wrong_cores_are_found_out() {
    let cases = [
        (Flaw::Leaks, "a piece of a key"),
        (Flaw::Shares, "foreign handle"),
        (Flaw::Lingers, "stale or foreign handle"),
        (Flaw::Scribbles, "touched the output"),
        (Flaw::Slips, "other bytes than the reference"),
        (Flaw::Stays, "no place for a session"),
    ];
    for (flaw, words) in cases {
        let story = if flaw == Flaw::Stays {
            seed("crowd")
        } else {
            whole()
        };
        let verdict = told(flaw, &story);
        let found = verdict
            .err()
            .unwrap_or_else(|| panic!("{flaw:?} is not found out"));
        assert!(found.contains(words), "{flaw:?}: {found}");
    }
    judge(&whole(), &real).expect("the core is right");
}

#[test]
fn a_core_that_lets_keys_live_on_is_found_out() {
    let found = told(Flaw::Forgets, &seed("ends")).expect_err("it is wrong");
    assert!(found.contains("after its end"), "{found}");
    judge(&seed("ends"), &real).expect("the core is right");
}

#[test]
fn memory_that_stays_is_found_out() {
    struct Greedy(Box<dyn Subject>);
    impl Subject for Greedy {
        fn connect(&mut self, caller: Caller) -> Option<ClientId> {
            self.0.connect(caller)
        }
        fn disconnect(&mut self, client: ClientId) {
            self.0.disconnect(client);
        }
        fn call(&mut self, c: ClientId, n: u32, request: &[u8], media: &mut dyn Media) -> Vec<u8> {
            self.0.call(c, n, request, media)
        }
        fn held(&self) -> i64 {
            self.0.held() + LEFT_OVER
        }
    }
    let make =
        |variant, device: &Shared| -> Box<dyn Subject> { Box::new(Greedy(real(variant, device))) };
    assert!(judge(&whole(), &make).is_err_and(|words| words.contains("bytes held")));
}

#[test]
fn requests_are_damaged_as_told() {
    let request = body::Describe {}.encode(16).expect("it is small");
    assert_eq!(request, [0xa0]);
    // Damage to the description's request: the story goes on, and the core refuses.
    let story = [0, 27, 1, 0, 0, 0xff, 25, 0, 0, 2];
    judge(&story, &real).expect("the core is right");
}
