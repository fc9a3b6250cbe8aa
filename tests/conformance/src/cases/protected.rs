//! Protected sessions: content that is decrypted for a decoder in the trusted side and for nobody
//! else.

use keybearer_license::{Codec, DenialReason};
use keybearer_rules::{Level, SecureMediaPath};
use keybearer_scripted_service::{cenc_use, key, license, secret};
use keybearer_tee::{Media, TeeError};
use keybearer_wire::body::{
    CloseChannel, DecryptUnit, KeyStatus, MAX_REJECTIONS, ReasonField, RedeemTicket,
};
use keybearer_wire::field::Blob;
use keybearer_wire::limits::MAX_REQUEST;
use keybearer_wire::{Exchange, Status};

use crate::case::{hold, refused, same};
use crate::clip::{Clip, Player, ProtectedUnit};
use crate::connection::{Failure, KEY, Loaded};
use crate::encryption::{Batch, noise};
use crate::ground::{Ground, Scene, granting};
use crate::{Case, Fault, Need, Verdict};

pub(super) const CASES: &[Case] = &[
    Case {
        id: "KB-HIGH-01",
        promise: "Where there is a decoder a protected session has the highest level of its trusted side, and every request says so; elsewhere there are no protected sessions.",
        needs: &[],
        run: levels_of_protected_sessions,
    },
    Case {
        id: "KB-HIGH-02",
        promise: "A protected session decrypts nothing for the host, and no other kind of session has tickets.",
        needs: &[Need::Decoder],
        run: nothing_clear_for_the_host,
    },
    Case {
        id: "KB-HIGH-03",
        promise: "No host redeems a ticket, decrypts a unit or closes a channel: that is for decoders, and nothing in a request makes a host one.",
        needs: &[],
        run: a_host_is_no_decoder,
    },
    Case {
        id: "KB-HIGH-04",
        promise: "A key for level high or for a secure media path serves in a protected session of that level alone; any other is told the level needed.",
        needs: &[Need::Decoder],
        run: keys_for_high,
    },
    Case {
        id: "KB-HIGH-05",
        promise: "A decoder accepts protected units and says which pictures it presented, in their order; only a test build says more.",
        needs: &[Need::Decoder],
        run: units_are_presented,
    },
    Case {
        id: "KB-HIGH-06",
        promise: "A ticket is redeemed once, gives way to later ones, and dies with its session, as does what was redeemed for it.",
        needs: &[Need::Decoder],
        run: tickets_die,
    },
    Case {
        id: "KB-HIGH-07",
        promise: "Whatever is wrong with a unit, the answer is the same and no longer.",
        needs: &[Need::Decoder],
        run: rejections_are_alike,
    },
    Case {
        id: "KB-HIGH-08",
        promise: "Eight rejected units in a row close the key for its session and for no other; the reason is told.",
        needs: &[Need::Decoder],
        run: a_row_of_rejections_closes_the_key,
    },
    Case {
        id: "KB-HIGH-09",
        promise: "A decoder that dies takes no key and no other session along, and another one goes on at the next IDR.",
        needs: &[Need::Decoder, Need::TestBuild],
        run: a_dead_decoder_is_replaced,
    },
];

/// A protected session that holds [`KEY`], and a decoder that plays the clip with it.
fn playing(ground: &Ground<'_>, clip: &Clip) -> Result<(Scene, Player), Fault> {
    let mut scene = ground.protected()?;
    scene.acquire(granting(1, 7))?;
    let player = attached(&mut scene, clip)?;
    Ok((scene, player))
}

/// A decoder that plays the clip.
fn attached(scene: &mut Scene, clip: &Clip) -> Result<Player, Fault> {
    let mut player = Player::start(&*scene.device.tee())?;
    let ticket = scene.at.ticket(scene.session, cenc_use().track.code())?;
    player.attach(ticket)?;
    player.configure(clip)?;
    Ok(player)
}

fn units(clip: &Clip) -> Vec<ProtectedUnit> {
    clip.protected(secret(7), &cenc_use())
}

fn levels_of_protected_sessions(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let (anchor, info) = (scene.service.anchor().0, scene.service.info());
    let opened = scene.at.open_protected(anchor, &info);
    if !ground.described.protected {
        return refused(opened, Status::LevelTooLow, "without a decoder");
    }
    let request = scene.at.request(opened?, &[KEY])?;
    let said = scene.service.read(&request).request;
    same(said.evidence.level, ground.ceiling(), "the level attested")?;
    let codecs = said.capabilities.codecs_at_high;
    same(codecs, Some(vec![Codec::H264]), "the codecs")
}

fn nothing_clear_for_the_host(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.protected()?;
    scene.acquire(granting(1, 7))?;
    let batch = Batch::simple(48);
    let clear = batch.refusal(&mut scene.at, scene.session, |_| ())?;
    refused(clear, Status::UnprotectedOutput, "decryption for the host")?;
    let (anchor, info) = (scene.service.anchor().0, scene.service.info());
    let clear = scene.at.open_session(anchor, &info)?;
    let ticket = scene.at.ticket(clear, cenc_use().track.code());
    refused(ticket, Status::WrongSessionKind, "a clear session's ticket")
}

fn a_host_is_no_decoder(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    // Where there are tickets it has a genuine one; a channel's handle is like a session's.
    let (anchor, info) = (scene.service.anchor().0, scene.service.info());
    let mut ticket = [7; 16];
    if ground.described.protected {
        scene.session = scene.at.open_protected(anchor, &info)?;
        scene.acquire(granting(1, 7))?;
        ticket = scene.at.ticket(scene.session, cenc_use().track.code())?;
    }
    let sample = [&[0; 16][..], &48_u32.to_be_bytes(), &[0; 4]].concat();
    let channel = scene.session;
    let unit = DecryptUnit {
        channel,
        key_id: KEY,
        license: None,
        scheme: cenc_use().scheme.code(),
        iv_size: 8,
        constant_iv: None,
        crypt_blocks: 0,
        skip_blocks: 0,
        duration_ms: 40,
        samples: Blob(&sample),
        subsamples: Blob(&[]),
        rejected: 0,
        decoded: 0,
    };
    let close = CloseChannel {
        channel,
        rejected: 0,
        decoded: 0,
    };
    let redeem = RedeemTicket {
        ticket,
        debug: false,
    };
    tried(&mut scene, &redeem)?;
    tried(&mut scene, &unit)?;
    tried(&mut scene, &close)
}

/// Gives a decoder's command as a host: refused as such, and nothing is written.
fn tried<'r, R: Exchange<'r>>(scene: &mut Scene, request: &R) -> Verdict {
    let bytes = request
        .encode(MAX_REQUEST)
        .map_err(|_| Failure::Malformed)?;
    let mut output = [0x55; 48];
    let media = Media::Into {
        input: &[0x33; 48],
        output: &mut output,
    };
    let answered = scene.at.raw(R::COMMAND.code(), &bytes, media)?;
    let name = R::COMMAND.name();
    same(answered, Some(Status::NotPermitted), name)?;
    hold(output == [0x55; 48], format!("{name} wrote something"))
}

fn keys_for_high(ground: &Ground<'_>) -> Verdict {
    let mut lowest = cenc_use();
    lowest.lowest_level = Level::High;
    let mut secure = cenc_use();
    secure.policy.secure_media_path = SecureMediaPath::Required;
    let denied = Loaded::Denied {
        reason: DenialReason::LevelTooLow.code(),
        level_needed: Some(Level::High.code()),
    };
    for (id, usage) in (1..).zip([lowest, secure]) {
        let made = || license(id, vec![key(7, usage.clone())]);
        let mut clear = ground.ready()?;
        same(clear.answered(made())?, denied.clone(), "a clear session")?;
        // On one device both kinds may be open at once, and each goes by its own level.
        let mut protected = ground.protected()?;
        if ground.ceiling() < Level::High {
            let below = "a protected session of a lower level";
            same(protected.answered(made())?, denied.clone(), below)?;
            continue;
        }
        let report = protected.acquire(made())?;
        // A secure media path also demands outputs that somebody trusted vouches for.
        let [(_, reason)] = report.statuses()[..] else {
            return Err(Fault("not one key".into()));
        };
        let reached = matches!(reason, None | Some(ReasonField::Outputs));
        hold(reached, format!("a protected session: {reason:?}"))?;
    }
    Ok(())
}

fn units_are_presented(ground: &Ground<'_>) -> Verdict {
    let clip = Clip::new();
    let (_scene, mut player) = playing(ground, &clip)?;
    let (mut times, mut digests) = (Vec::new(), Vec::new());
    let units = units(&clip);
    for unit in &units {
        let clear = clip.units.iter().any(|clear| clear.bytes == unit.bytes);
        hold(!clear, "nothing was protected")?;
        let presented = player.play(unit)?;
        times.extend(presented.times.0);
        digests.extend(presented.digests.map(|it| it.0).unwrap_or_default());
    }
    let last = player.flush()?;
    times.extend(last.times.0);
    digests.extend(last.digests.map(|it| it.0).unwrap_or_default());
    let expected: Vec<u64> = units.iter().map(|unit| unit.request().time).collect();
    same(times, expected, "the pictures presented")?;
    let expected = if ground.described.debug {
        clip.digests
    } else {
        Vec::new()
    };
    same(digests, expected, "what is said of the pictures")
}

fn tickets_die(ground: &Ground<'_>) -> Verdict {
    let clip = Clip::new();
    let (mut scene, mut player) = playing(ground, &clip)?;
    let track = cenc_use().track.code();
    let ticket = scene.at.ticket(scene.session, track)?;
    player.attach(ticket)?;
    let again = player.attach(ticket);
    refused(again, Status::UnknownTicket, "a ticket twice")?;
    let mut invented = scene.at.ticket(scene.session, track)?;
    invented[0] ^= 1;
    let found = player.attach(invented);
    refused(found, Status::UnknownTicket, "an invented ticket")?;

    let oldest = scene.at.ticket(scene.session, track)?;
    for _ in 0..keybearer_wire::limits::MAX_TICKETS_PER_SESSION {
        scene.at.ticket(scene.session, track)?;
    }
    let found = player.attach(oldest);
    refused(found, Status::UnknownTicket, "the oldest ticket")?;

    let good = scene.at.ticket(scene.session, track)?;
    player.attach(good)?;
    player.configure(&clip)?;
    let units = units(&clip);
    player.play(&units[0])?;
    let kept = scene.at.ticket(scene.session, track)?;
    scene.at.close(scene.session)?;
    let after = player.play(&units[1]);
    hold(after.is_err(), "a unit of a closed session")?;
    let dead = player.attach(kept);
    refused(dead, Status::UnknownTicket, "a closed session's ticket")
}

fn rejections_are_alike(ground: &Ground<'_>) -> Verdict {
    let clip = Clip::new();
    let (_scene, mut player) = playing(ground, &clip)?;
    let good = units(&clip);
    let mut answers = std::collections::BTreeSet::new();
    for seed in 0..24 {
        // A good picture between two bad ones, so that no row closes the key.
        player.play(&good[0])?;
        let mut bad = units(&clip).remove(0);
        let len = bad.bytes.len();
        match seed % 3 {
            // Every bit of the slice made up, some of it, or another unit's.
            0 => bad.bytes[len - 600..].copy_from_slice(&noise(600, seed + 500)),
            1 => bad.bytes[len - 620..len - 600].copy_from_slice(&noise(20, seed + 500)),
            _ => bad.bytes[len - 624..].fill(u8::try_from(seed).unwrap_or(0)),
        }
        match player.play(&bad) {
            // What the bits make of it may even be a picture.
            Ok(_) => {}
            Err(Failure::Refused(_)) => {
                answers.insert(player.response.clone());
            }
            Err(other) => return Err(other.into()),
        }
    }
    hold(!answers.is_empty(), "nothing was rejected")?;
    same(answers.len(), 1, "kinds of answer to a rejected unit")
}

/// A unit whose slice is made up, so that no picture comes of it.
fn hopeless(clip: &Clip) -> ProtectedUnit {
    let mut bad = units(clip).remove(0);
    let len = bad.bytes.len();
    bad.bytes[len - 624..].copy_from_slice(&noise(624, 77));
    bad
}

fn a_row_of_rejections_closes_the_key(ground: &Ground<'_>) -> Verdict {
    let clip = Clip::new();
    let (mut scene, mut player) = playing(ground, &clip)?;
    let good = units(&clip).remove(0);
    let bad = hopeless(&clip);
    let rejected = |player: &mut Player, times, what: &str| -> Verdict {
        for _ in 0..times {
            refused(player.play(&bad), Status::ContentRejected, what)?;
        }
        Ok(())
    };
    rejected(&mut player, MAX_REJECTIONS - 1, "a first row")?;
    player.play(&good)?;
    rejected(&mut player, MAX_REJECTIONS, "a whole row")?;
    // The decoder tells of the last one with its next call.
    refused(player.play(&good), Status::KeyNotUsable, "after the row")?;
    let closed = scene.only()?.statuses();
    let expected = (KeyStatus::InternalError, Some(ReasonField::Rejections));
    same(closed, vec![expected], "the key")?;
    drop(player);

    let (anchor, info) = (scene.service.anchor().0, scene.service.info());
    scene.session = scene.at.open_protected(anchor, &info)?;
    scene.acquire(granting(2, 7))?;
    let mut player = attached(&mut scene, &clip)?;
    player.play(&good)?;
    Ok(())
}

fn a_dead_decoder_is_replaced(ground: &Ground<'_>) -> Verdict {
    let clip = Clip::new();
    let (mut scene, mut player) = playing(ground, &clip)?;
    let units = units(&clip);
    player.play(&units[0])?;
    let death = player.die();
    hold(
        matches!(death, Err(Failure::Transport(TeeError::Dead))),
        "the decoder does not die",
    )?;
    let after = player.play(&units[1]);
    hold(
        matches!(after, Err(Failure::Transport(TeeError::Dead))),
        "a dead decoder answers",
    )?;
    drop(player);
    same(
        scene.only()?.statuses(),
        vec![(KeyStatus::Usable, None)],
        "the key",
    )?;
    let mut player = attached(&mut scene, &clip)?;
    let presented = player.play(&units[0])?;
    let flushed = player.flush()?;
    let times = [presented.times.0, flushed.times.0].concat();
    same(times, vec![units[0].request().time], "the picture again")
}
