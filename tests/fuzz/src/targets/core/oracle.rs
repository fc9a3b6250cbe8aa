//! What must hold of every call whatever came before: a model of who owns what, kept from the bytes
//! that really went in and came out.

mod protected;

use std::collections::{BTreeMap, HashSet};

use keybearer_cenc::{Pattern, Scheme, Subsample};
use keybearer_core::{ClientId, response_limit};
use keybearer_license::IvKind;
use keybearer_wire::limits::{
    MAX_MEDIA_DURATION_MS, MAX_SESSIONS, MAX_SESSIONS_PER_CLIENT, SAMPLE_RECORD, SUBSAMPLE_RECORD,
};
use keybearer_wire::{Body, Command, Status, body, decode_response};

use super::grants::{Grant, key_use, secret};
use super::media::Place;
use crate::reference::Protected;
use crate::verdict::{Verdict, claim};

/// Bytes in a row of a key that no response may hold. Four would turn up by chance.
const PIECE: usize = 8;
/// Milliseconds by which a service's time, in whole seconds, lags.
const ROUNDING: u64 = 1000;

/// One call with what came of it.
pub(crate) struct Exchange<'a> {
    pub(crate) client: ClientId,
    pub(crate) command: u32,
    pub(crate) request: &'a [u8],
    pub(crate) response: &'a [u8],
    /// Media before the call.
    pub(crate) media: &'a [u8],
    /// Room for output before and after the call, where there was any.
    pub(crate) room: Option<(&'a [u8], &'a [u8])>,
    /// Whose memory it was.
    pub(crate) place: Place,
    /// True time in milliseconds.
    pub(crate) now: u64,
}

/// A session as the model has it.
struct Held {
    owner: ClientId,
    anchor: [u8; 32],
    protected: bool,
    /// Tickets that may still be redeemed, oldest first.
    tickets: Vec<[u8; 16]>,
    licenses: Vec<Grant>,
    /// A failure half way through an erasure may have closed it.
    doubtful: bool,
}

/// The model.
#[derive(Default)]
pub(crate) struct Oracle {
    open: BTreeMap<u64, Held>,
    /// Every handle given out since the core was started.
    issued: HashSet<u64>,
    /// Channels: the decoder, the session and the track.
    channels: BTreeMap<u64, (ClientId, u64, u8)>,
    decoders: Vec<ClientId>,
    /// The track that each ticket was issued for.
    tracks: BTreeMap<[u8; 16], u8>,
    granted: Vec<Grant>,
    canaries: HashSet<[u8; PIECE]>,
    /// Samples decrypted as they had to be, for tests that ask whether anything was judged.
    pub(crate) decrypted: usize,
    /// Licences loaded.
    pub(crate) loaded: usize,
}

fn pieces(secret: &[u8]) -> impl Iterator<Item = [u8; PIECE]> + '_ {
    secret
        .windows(PIECE)
        .filter_map(|piece| piece.try_into().ok())
}

impl Oracle {
    /// Notes what the service granted: its keys must never be seen again.
    pub(crate) fn granted(&mut self, grant: Grant) {
        for id in &grant.keys {
            self.canaries.extend(pieces(&secret(*id)));
        }
        self.granted.push(grant);
    }

    /// Notes that a client is a decoder.
    pub(crate) fn decoder(&mut self, client: ClientId) {
        self.decoders.push(client);
    }

    /// The core was started anew: nobody is connected, and handles begin anew.
    pub(crate) fn restarted(&mut self) {
        self.open.clear();
        self.channels.clear();
        self.decoders.clear();
        self.issued.clear();
    }

    /// A client has gone.
    pub(crate) fn gone(&mut self, client: ClientId) {
        self.open.retain(|_, held| held.owner != client);
        self.channels.retain(|_, channel| channel.0 != client);
    }

    /// Judges a call and moves on. `identities` are the device's own secrets.
    pub(crate) fn judge(&mut self, call: &Exchange<'_>, identities: &[Vec<u8>]) -> Verdict {
        let response = call.response;
        claim!(
            response.len() <= response_limit(call.command),
            "a response longer than promised"
        );
        let own: HashSet<[u8; PIECE]> = identities
            .iter()
            .flat_map(|secret| pieces(secret))
            .collect();
        claim!(
            pieces(response).all(|piece| !self.canaries.contains(&piece) && !own.contains(&piece)),
            "a response holds a piece of a key"
        );
        let status = status(response)?;
        if status != Status::Ok {
            let untouched = call.room.is_none_or(|(before, after)| before == after);
            // The media itself failed half way: what was written until then is right.
            let writes = [Command::Decrypt, Command::DecryptUnit, Command::WipeBuffer];
            let half = status == Status::Platform
                && writes.iter().any(|command| command.code() == call.command);
            claim!(untouched || half, "a refusal ({status}) touched the output");
        }
        let Some(command) = Command::from_code(call.command) else {
            claim!(
                status == Status::UnknownCommand,
                "an unknown command: {status}"
            );
            return Ok(());
        };
        let decoders = matches!(
            command,
            Command::RedeemTicket | Command::DecryptUnit | Command::CloseChannel
        );
        claim!(
            (decoders != self.decoders.contains(&call.client)) == (status == Status::NotPermitted),
            "{command:?} by the wrong kind of caller: {status}"
        );
        if let Some((before, after)) = call.room {
            let out = self.decoders.contains(&call.client)
                && call.place.response
                && (after.is_empty() || call.place.output);
            claim!(
                !call.place.input || out || status != Status::Ok && before == after,
                "{command:?} took from protected memory and gave to other: {status}"
            );
        }
        if let Some(session) = session(command, call.request) {
            self.ownership(call, session, status)?;
        }
        self.quotas(call, command, status)?;
        match command {
            Command::Decrypt if status == Status::Ok || status == Status::Platform => {
                let request = decode::<body::Decrypt<'_>>(call.request)?;
                self.decryption(call, status, &request)
            }
            Command::DecryptUnit if status == Status::Ok || status == Status::Platform => {
                let unit = decode::<body::DecryptUnit<'_>>(call.request)?;
                let request = self.of_unit(call.client, &unit)?;
                self.decryption(call, status, &request)
            }
            Command::WipeBuffer if status == Status::Ok => {
                let zeros = |(_, after): (&[u8], &[u8])| after.iter().all(|byte| *byte == 0);
                claim!(
                    call.place.output && call.room.is_some_and(zeros),
                    "wiped what is no protected buffer, or not all of it"
                );
                Ok(())
            }
            _ if status == Status::Ok => self.effects(call, command),
            Command::EraseIdentity => {
                // Refused, but the key may be gone, and its sessions with it.
                if let Ok(request) = decode::<body::EraseIdentity>(call.request) {
                    let under = |held: &&mut Held| held.anchor == request.anchor;
                    let sessions = self.open.values_mut().filter(under);
                    sessions.for_each(|held| held.doubtful = true);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A handle means something to its owner while its session is open, and nothing otherwise.
    fn ownership(&self, call: &Exchange<'_>, session: u64, status: Status) -> Verdict {
        let held = self.open.get(&session);
        let own = held.is_some_and(|held| held.owner == call.client);
        claim!(
            own || status != Status::Ok,
            "a stale or foreign handle was served"
        );
        let doubtful = held.is_some_and(|held| held.doubtful);
        claim!(
            !own || doubtful || status != Status::UnknownSession,
            "an open session is unknown to its owner"
        );
        Ok(())
    }

    /// Places are refused only when they are taken: what a client held is free when it has gone.
    fn quotas(&self, call: &Exchange<'_>, command: Command, status: Status) -> Verdict {
        if (command, status) == (Command::OpenSession, Status::TooManySessions) {
            let own = self.open.values().filter(|held| held.owner == call.client);
            let full = own.count() >= MAX_SESSIONS_PER_CLIENT || self.open.len() >= MAX_SESSIONS;
            claim!(full, "no place for a session although there is one");
        }
        Ok(())
    }

    /// What a command that succeeded has changed.
    fn effects(&mut self, call: &Exchange<'_>, command: Command) -> Verdict {
        match command {
            Command::OpenSession => {
                let answer: body::SessionOpened = answer(call.response)?;
                claim!(
                    self.issued.insert(answer.session),
                    "a handle was given twice"
                );
                let request = decode::<body::OpenSession<'_>>(call.request)?;
                let held = Held {
                    owner: call.client,
                    anchor: request.anchor,
                    protected: request.protected,
                    tickets: Vec::new(),
                    licenses: Vec::new(),
                    doubtful: false,
                };
                self.open.insert(answer.session, held);
            }
            Command::CloseSession => {
                let request = decode::<body::CloseSession>(call.request)?;
                self.open.remove(&request.session);
            }
            Command::EraseIdentity => {
                let request = decode::<body::EraseIdentity>(call.request)?;
                self.open.retain(|_, held| held.anchor != request.anchor);
            }
            Command::LoadAnswer => self.load(call)?,
            Command::IssueTicket | Command::RedeemTicket | Command::CloseChannel => {
                self.handover(call, command)?;
            }
            Command::RemoveLicense => {
                let request = decode::<body::RemoveLicense>(call.request)?;
                if let Some(held) = self.open.get_mut(&request.session) {
                    held.licenses.retain(|grant| grant.id != request.license);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A licence that is loaded was granted, and to this very session.
    fn load(&mut self, call: &Exchange<'_>) -> Verdict {
        let request = decode::<body::LoadAnswer<'_>>(call.request)?;
        let answer: body::AnswerLoaded<'_> = answer(call.response)?;
        let Some(report) = answer.license else {
            return Ok(());
        };
        let same = |grant: &&Grant| grant.id == report.license && grant.sequence == report.sequence;
        let grant = self.granted.iter().find(same).cloned();
        let grant = grant.ok_or("a licence was loaded that nobody granted")?;
        claim!(
            grant.session == request.session,
            "a licence was loaded into another session than asked for it"
        );
        if let Some(held) = self.open.get_mut(&request.session) {
            held.licenses.retain(|other| other.id != grant.id);
            held.licenses.push(grant);
        }
        self.loaded += 1;
        Ok(())
    }

    /// What was decrypted was allowed to be, and rightly.
    fn decryption(
        &mut self,
        call: &Exchange<'_>,
        status: Status,
        request: &body::Decrypt<'_>,
    ) -> Verdict {
        let Some((before, after)) = call.room else {
            return Ok(());
        };
        if status != Status::Ok && before == after {
            return Ok(());
        }
        let held = self.open.get(&request.session);
        let held = held.ok_or("decrypted in a session that is closed")?;
        let to_host = call.command == Command::Decrypt.code();
        claim!(
            held.protected || to_host,
            "a clear session decrypted for a decoder"
        );
        claim!(
            !held.protected || call.place.output,
            "a protected session decrypted to memory that can be read"
        );
        let id = request.key_id[0];
        let grants = |grant: &&Grant| {
            grant.keys.contains(&id)
                && request.key_id == [id; 16]
                && request.license.is_none_or(|license| license == grant.id)
        };
        let mut found = held.licenses.iter().filter(grants).peekable();
        claim!(
            found.peek().is_some(),
            "decrypted with a key that no licence here holds"
        );
        claim!(
            found.any(|grant| grant.ends.is_none_or(|end| call.now < end + ROUNDING)),
            "decrypted with a key after its end"
        );
        claim!(
            request.duration_ms <= MAX_MEDIA_DURATION_MS,
            "more than two seconds"
        );
        let clear = clear_of(request, id, call.media)?;
        claim!(after.len() == before.len(), "the output grew");
        let written = if status == Status::Ok {
            clear.len()
        } else {
            // The beginning that differs from what stood there; the rest is untouched.
            (0..clear.len())
                .rev()
                .find(|at| after[*at] != before[*at])
                .map_or(0, |at| at + 1)
        };
        claim!(
            after[..written] == clear[..written],
            "decrypted to other bytes than the reference"
        );
        // Of a protected buffer the rest is wiped, as far as the media lasted.
        let wiped = held.protected && to_host;
        let beyond = before[written..].iter().zip(&after[written..]);
        claim!(
            beyond
                .clone()
                .all(|(before, after)| before == after || wiped && *after == 0),
            "wrote beyond the samples"
        );
        let all = status != Status::Ok || !wiped || after[written..].iter().all(|byte| *byte == 0);
        claim!(all, "left something of a protected buffer as it was");
        self.decrypted += usize::from(status == Status::Ok);
        Ok(())
    }
}

/// The clear form of a batch by the reference, if the key is for such.
fn clear_of(request: &body::Decrypt<'_>, id: u8, media: &[u8]) -> Result<Vec<u8>, String> {
    let usage = key_use(id);
    let constant = request.constant_iv.as_ref().map(|iv| iv.0.to_vec());
    let iv_size = match usage.iv {
        IvKind::PerSample8 => 8,
        IvKind::PerSample16 => 16,
        IvKind::Constant8 | IvKind::Constant16 => 0,
    };
    let scheme = match request.scheme {
        1 => Scheme::Cenc,
        2 => Scheme::Cens,
        3 => Scheme::Cbc1,
        _ => Scheme::Cbcs,
    };
    let pattern = Pattern {
        crypt: request.crypt_blocks,
        skip: request.skip_blocks,
    };
    let licensed = usage.scheme.code() == request.scheme
        && usage.track.code() == request.track_type
        && iv_size == request.iv_size
        && constant.is_some() == (iv_size == 0)
        && usage
            .pattern
            .is_none_or(|wanted| (wanted.crypt, wanted.skip) == (pattern.crypt, pattern.skip));
    claim_licensed(licensed)?;
    let (samples, _) = request.samples.0.as_chunks::<SAMPLE_RECORD>();
    let (subsamples, _) = request.subsamples.0.as_chunks::<SUBSAMPLE_RECORD>();
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte))
    };
    let mut entries = subsamples.iter().map(|record| Subsample {
        clear: number(&record[..4]),
        protected: number(&record[4..]),
    });
    let mut clear = media.to_vec();
    let mut rest = &mut clear[..];
    for record in samples {
        let size = number(&record[16..20]) as usize;
        let count = number(&record[20..24]) as usize;
        let table: Vec<_> = entries.by_ref().take(count).collect();
        let sample = rest
            .split_off_mut(..size)
            .ok_or("decrypted beyond the media")?;
        let own = record[..usize::from(request.iv_size)].to_vec();
        let protected = Protected {
            scheme,
            pattern,
            iv: constant.clone().unwrap_or(own),
            table: (count > 0).then_some(table),
        };
        if !protected.sound(size) {
            return Err("decrypted a sample that the standard does not allow".into());
        }
        let bound = usage.max_clear_bytes.map(u64::from);
        let open: u64 = protected
            .table
            .iter()
            .flatten()
            .map(|entry| u64::from(entry.clear))
            .sum();
        if bound.is_some_and(|bound| open > bound) {
            return Err("decrypted a sample with more in clear than the licence allows".into());
        }
        protected.decrypt(&secret(id), sample);
    }
    if rest.is_empty() {
        Ok(clear)
    } else {
        Err("decrypted less than the media".into())
    }
}

fn claim_licensed(licensed: bool) -> Verdict {
    claim!(licensed, "decrypted with a key that is for other samples");
    Ok(())
}

fn decode<'a, B: Body<'a>>(request: &'a [u8]) -> Result<B, String> {
    B::decode(request, keybearer_wire::limits::MAX_REQUEST)
        .map_err(|error| format!("served a request that does not decode: {error}"))
}

fn answer<'a, B: Body<'a>>(response: &'a [u8]) -> Result<B, String> {
    match decode_response::<B>(response) {
        Ok(Ok(answer)) => Ok(answer),
        other => Err(format!("an answer that does not decode: {:?}", other.err())),
    }
}

/// The status of a response, whatever it answers.
fn status(response: &[u8]) -> Result<Status, String> {
    let status = keybearer_cbor::decode(response, response.len(), |d| {
        d.map(|m| {
            let status = m.required(0, keybearer_cbor::Decoder::u16)?;
            m.optional(1, |d| d.raw().map(drop))?;
            Ok(status)
        })
    });
    let status = status.map_err(|error| format!("a response that does not decode: {error}"))?;
    Status::from_code(status).ok_or_else(|| format!("an unknown status: {status}"))
}

/// The session that a request names, if the command has one and the request decodes.
fn session(command: Command, request: &[u8]) -> Option<u64> {
    Some(match command {
        Command::CloseSession => decode::<body::CloseSession>(request).ok()?.session,
        Command::BuildRequest => decode::<body::BuildRequest<'_>>(request).ok()?.session,
        Command::LoadAnswer => decode::<body::LoadAnswer<'_>>(request).ok()?.session,
        Command::Statuses => decode::<body::Statuses>(request).ok()?.session,
        Command::RemoveLicense => decode::<body::RemoveLicense>(request).ok()?.session,
        Command::BuildTimeRequest => decode::<body::BuildTimeRequest<'_>>(request).ok()?.session,
        Command::LoadTimeAnswer => decode::<body::LoadTimeAnswer<'_>>(request).ok()?.session,
        Command::Decrypt => decode::<body::Decrypt<'_>>(request).ok()?.session,
        Command::IssueTicket => decode::<body::IssueTicket>(request).ok()?.session,
        _ => return None,
    })
}
