//! Tickets and channels against a model, in whatever order they are used.

use std::collections::BTreeMap;

use keybearer_core::{Caller, ClientId};
use keybearer_rules::Level;
use keybearer_wire::Status;
use keybearer_wire::limits::{MAX_CHANNELS_PER_SESSION, MAX_TICKETS_PER_SESSION};
use proptest::prelude::*;

use super::protected::{TRACK, device_of, give};
use crate::support::{Device, Service, cenc_use, key, license};

#[derive(Clone, Debug)]
enum Step {
    Open,
    Close(usize),
    Issue(usize),
    /// A ticket that was issued once, and the decoder that tries it.
    Redeem(usize, usize),
    /// A channel that was opened once, and the decoder that tries it.
    Give(usize, usize),
    HangUp(usize, usize),
    /// A decoder dies and another one starts in its place.
    Die(usize),
    /// The host dies and another one starts in its place.
    HostDies,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Open),
        1 => any::<usize>().prop_map(Step::Close),
        5 => any::<usize>().prop_map(Step::Issue),
        5 => any::<(usize, usize)>().prop_map(|(a, b)| Step::Redeem(a, b)),
        5 => any::<(usize, usize)>().prop_map(|(a, b)| Step::Give(a, b)),
        1 => any::<(usize, usize)>().prop_map(|(a, b)| Step::HangUp(a, b)),
        1 => any::<usize>().prop_map(Step::Die),
        1 => Just(Step::HostDies),
    ]
}

/// A session as it should be.
#[derive(Default)]
struct Model {
    tickets: Vec<[u8; 16]>,
    channels: BTreeMap<u64, ClientId>,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_ticket_leads_once_to_its_own_session_and_a_channel_serves_its_own_decoder(
        steps in prop::collection::vec(step(), 1..60)
    ) {
        let mut service = Service::new(1);
        let mut device = device_of(Level::High, &mut service);
        let mut decoders = [device.decoder(), device.decoder()];
        let mut sessions: BTreeMap<u64, Model> = BTreeMap::new();
        let (mut tickets, mut channels) = (Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Open if sessions.len() < 3 => {
                    let session = open(&mut device, &mut service);
                    sessions.insert(session, Model::default());
                }
                Step::Open => {}
                Step::Close(at) => {
                    let Some(session) = nth(&sessions, at) else { continue };
                    device.close(session).unwrap();
                    sessions.remove(&session);
                }
                Step::Issue(at) => {
                    let Some(session) = nth(&sessions, at) else { continue };
                    let ticket = device.ticket(session, TRACK).unwrap();
                    prop_assert!(!tickets.contains(&ticket), "issued twice");
                    tickets.push(ticket);
                    let model = sessions.get_mut(&session).unwrap();
                    model.tickets.push(ticket);
                    if model.tickets.len() > MAX_TICKETS_PER_SESSION {
                        model.tickets.remove(0);
                    }
                }
                Step::Redeem(at, by) => {
                    if tickets.is_empty() { continue }
                    let (ticket, by) = (tickets[at % tickets.len()], decoders[by % 2]);
                    let redeemed = device.redeem(by, ticket);
                    let owner = sessions.values_mut().find(|it| it.tickets.contains(&ticket));
                    match owner {
                        None => prop_assert_eq!(redeemed, Err(Status::UnknownTicket)),
                        Some(full) if full.channels.len() >= MAX_CHANNELS_PER_SESSION => {
                            prop_assert_eq!(redeemed, Err(Status::TooManyChannels));
                        }
                        Some(model) => {
                            let (channel, track) = redeemed.unwrap();
                            prop_assert_eq!(track, TRACK);
                            prop_assert!(!channels.contains(&channel), "a handle given twice");
                            channels.push(channel);
                            model.tickets.retain(|it| *it != ticket);
                            model.channels.insert(channel, by);
                        }
                    }
                }
                Step::Give(at, by) | Step::HangUp(at, by) => {
                    if channels.is_empty() { continue }
                    let (channel, by) = (channels[at % channels.len()], decoders[by % 2]);
                    let mut open = sessions.values_mut();
                    let owner = open.find(|it| it.channels.get(&channel) == Some(&by));
                    // Decoded, so that no row of rejections closes the key.
                    let outcome = match &step {
                        Step::Give(..) => give(&mut device, by, channel, |call| call.decoded = 1)
                            .map(|answer| assert_eq!(answer.bytes, 48)),
                        _ => device.hang_up(by, channel, (0, 1)),
                    };
                    match owner {
                        None => prop_assert_eq!(outcome, Err(Status::UnknownChannel)),
                        Some(model) => {
                            prop_assert_eq!(outcome, Ok(()));
                            if matches!(step, Step::HangUp(..)) {
                                model.channels.remove(&channel);
                            }
                        }
                    }
                }
                Step::Die(which) => {
                    let dead = decoders[which % 2];
                    for model in sessions.values_mut() {
                        for (channel, owner) in &model.channels {
                            if *owner == dead {
                                // Said before it dies, or its last unit would count as rejected.
                                let _ = give(&mut device, dead, *channel, |call| {
                                    (call.decoded, call.duration_ms) = (1, 5_000);
                                });
                            }
                        }
                        model.channels.retain(|_, owner| *owner != dead);
                    }
                    device.core.disconnect(dead);
                    decoders[which % 2] = device.decoder();
                }
                Step::HostDies => {
                    device.core.disconnect(device.client);
                    device.client = device.core.connect(Caller::Host).unwrap();
                    sessions.clear();
                }
            }
        }
    }
}

fn open(device: &mut Device, service: &mut Service) -> u64 {
    let session = device.open_kind(service, true).unwrap();
    let made = license(1, vec![key(7, cenc_use())]);
    device.acquire(session, service, made).unwrap();
    session
}

fn nth(sessions: &BTreeMap<u64, Model>, at: usize) -> Option<u64> {
    let at = at.checked_rem(sessions.len())?;
    sessions.keys().nth(at).copied()
}
