//! What holds of every call.

use keybearer_license::DebugStatus;
use keybearer_scripted_service::secret;
use keybearer_tee::{Media, TeeError};
use keybearer_wire::body::{Isolation, KeyStatus};
use keybearer_wire::limits::{ABI_VERSION, MAX_REQUEST};
use keybearer_wire::{Command, Status};

use crate::case::{hold, same};
use crate::connection::{Connection, Failure};
use crate::encryption::{Batch, noise};
use crate::ground::{Ground, granting};
use crate::{Case, Fault, Need, Verdict};

pub(super) const CASES: &[Case] = &[
    Case {
        id: "KB-CALL-01",
        promise: "A trusted side says which interface it speaks, at which level and where it runs, and says the same in every licence request.",
        needs: &[],
        run: says_what_it_is,
    },
    Case {
        id: "KB-CALL-02",
        promise: "A number that is no command is refused.",
        needs: &[],
        run: unknown_commands,
    },
    Case {
        id: "KB-CALL-03",
        promise: "A request that is not strictly encoded is refused by every command, whatever it was meant to say.",
        needs: &[],
        run: malformed_requests,
    },
    Case {
        id: "KB-CALL-04",
        promise: "Requests and media beyond their limits are refused and nothing of them is used.",
        needs: &[],
        run: oversize,
    },
    Case {
        id: "KB-CALL-05",
        promise: "Nonsense from one client disturbs no other.",
        needs: &[],
        run: nonsense_disturbs_nobody,
    },
    Case {
        id: "KB-CALL-06",
        promise: "No response of any command holds a piece of a content key.",
        needs: &[],
        run: no_key_comes_out,
    },
    Case {
        id: "KB-CALL-07",
        promise: "When the trusted side dies, every connection learns it, its keys are gone, and a new connection finds the device still provisioned.",
        needs: &[Need::Kill],
        run: death_is_told,
    },
];

fn says_what_it_is(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.ready()?;
    let said = scene.at.describe()?;
    same(said, ground.described, "the description, asked twice")?;
    same(said.abi, ABI_VERSION, "the interface's version")?;
    let info = scene.service.info();
    let request = scene.at.request_fresh(scene.session, &[[7; 16]], &info)?;
    let evidence = scene.service.read(&request).request.evidence;
    same(evidence.level, ground.level(), "the level attested")?;
    same(
        u16::from(evidence.isolation.code()),
        said.isolation.code(),
        "the isolation attested",
    )?;
    same(
        evidence.debug == DebugStatus::Enabled,
        said.debug,
        "the debug mark attested",
    )?;
    // A simulated TEE must not be taken for one.
    hold(
        said.level > 0 || said.debug,
        "a backend of level None without the debug mark",
    )?;
    let medium = said.level >= keybearer_rules::Level::Medium.code();
    hold(
        medium == (said.isolation == Isolation::Tee) || said.level == 0,
        "the level does not fit the place",
    )
}

fn unknown_commands(ground: &Ground<'_>) -> Verdict {
    let device = ground.subject.device().map_err(Fault)?;
    let mut at = Connection::open(&*device.tee())?;
    for command in [0, 6, 0x0f, 0x1f, 0x26, 0x100, 0x0101_0020, u32::MAX] {
        for body in [&[0xa0][..], &[]] {
            let status = at.raw(command, body, Media::None)?;
            same(
                status,
                Some(Status::UnknownCommand),
                &format!("command {command:#x}"),
            )?;
        }
    }
    Ok(())
}

/// Bytes that are no request of any command: cut short, trailing, indefinite, unordered, unknown.
const MALFORMED: &[&[u8]] = &[
    &[],
    &[0xff],
    &[0x00],
    &[0xbf, 0xff],
    &[0xa1, 0x00],
    &[0xa0, 0x00],
    &[0xb8, 0x00],
    &[0xa1, 0x18, 0x63, 0x00],
    &[0xa2, 0x00, 0x00, 0x00, 0x00],
    &[0xc0, 0xa0],
];

fn malformed_requests(ground: &Ground<'_>) -> Verdict {
    let device = ground.subject.device().map_err(Fault)?;
    let mut at = Connection::open(&*device.tee())?;
    for command in Command::ALL {
        let random = (0..20).map(|seed| noise(1 << (seed % 16), seed));
        let fixed = MALFORMED.iter().map(|body| body.to_vec());
        for body in fixed.chain(random) {
            let mut media = [7; 32];
            let status = at.raw(command.code(), &body, Media::InPlace(&mut media))?;
            let what = format!("{} of {} bytes", command.name(), body.len());
            // A command that is not a host's is refused as such, before it is read.
            let refusal = match command {
                Command::RedeemTicket | Command::DecryptUnit | Command::CloseChannel => {
                    Status::NotPermitted
                }
                _ => Status::Malformed,
            };
            same(status, Some(refusal), &what)?;
            hold(
                media == [7; 32],
                format!("{what}: a refused call changed the media"),
            )?;
        }
    }
    Ok(())
}

fn oversize(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.licensed()?;
    let load = Command::LoadAnswer.code();
    let status = scene.at.raw(load, &noise(MAX_REQUEST, 5), Media::None)?;
    same(status, Some(Status::Malformed), "the largest request")?;
    too_large(
        scene.at.raw(load, &vec![0; MAX_REQUEST + 1], Media::None),
        Status::RequestTooLarge,
        "a request beyond its limit",
    )?;
    let limit = usize::try_from(ground.described.max_media).unwrap_or(usize::MAX);
    let batch = Batch::simple(16);
    let mut media = vec![0x55; limit + 1];
    let refused = scene
        .at
        .decrypt(&batch.request(scene.session), Media::InPlace(&mut media))
        .map(|_| None);
    too_large(refused, Status::MediaTooLarge, "media beyond their limit")?;
    hold(
        media.iter().all(|byte| *byte == 0x55),
        "refused media were changed",
    )?;
    hold(
        batch.comes_out_clear(&mut scene.at, scene.session)?,
        "after that the key decrypts wrongly",
    )
}

/// Refused by the trusted side, or already on the way to it.
fn too_large(found: Result<Option<Status>, Failure>, expected: Status, what: &str) -> Verdict {
    match found {
        Err(Failure::Transport(TeeError::TooLarge { .. })) => Ok(()),
        Ok(Some(status)) | Err(Failure::Refused(status)) => same(status, expected, what),
        Ok(None) => Err(Fault(format!("{what}: done"))),
        Err(other) => Err(other.into()),
    }
}

fn nonsense_disturbs_nobody(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.licensed()?;
    let before = scene.at.statuses(scene.session)?;
    let mut stranger = Connection::open(&*scene.device.tee())?;
    for seed in 0..200 {
        let command = Command::ALL[usize::try_from(seed).unwrap_or(0) % Command::ALL.len()];
        let len = usize::try_from(seed * 37 % 600).unwrap_or(0);
        stranger.raw(
            command.code(),
            &noise(len, seed),
            Media::InPlace(&mut [0; 48]),
        )?;
    }
    drop(stranger);
    let after = scene.at.statuses(scene.session)?;
    same(after.licenses, before.licenses, "the licences")?;
    hold(
        Batch::simple(100).comes_out_clear(&mut scene.at, scene.session)?,
        "the key decrypts wrongly",
    )
}

fn no_key_comes_out(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.licensed()?;
    let anchor = scene.service.anchor().0;
    let batch = Batch::simple(64);
    batch.comes_out_clear(&mut scene.at, scene.session)?;
    batch
        .refusal(&mut scene.at, scene.session, |call| {
            call.duration_ms = 5_000
        })?
        .err()
        .ok_or_else(|| Fault("five seconds at once".into()))?;
    let info = scene.service.info();
    let renewal = scene.at.renewal(scene.session, [1; 16], &info)?;
    let mut renewed = granting(1, 7);
    renewed.sequence = 2;
    let answer = scene.service.license(&renewal, renewed);
    scene.at.load(scene.session, &answer)?;
    scene.at.statuses(scene.session)?;
    scene.at.device_key(anchor)?;
    for command in Command::ALL {
        for body in MALFORMED {
            scene.at.raw(command.code(), body, Media::None)?;
        }
    }
    let info = scene.service.info();
    scene.at.time_request(scene.session, &info)?;
    scene.at.remove(scene.session, [1; 16])?;
    scene.at.close(scene.session)?;
    let seen = &scene.at.seen;
    hold(seen.len() > 1_000, "too little was said to be searched")?;
    let leaked = secret(7)
        .windows(8)
        .any(|piece| seen.windows(8).any(|window| window == piece));
    hold(!leaked, "a response holds a piece of a content key")
}

fn death_is_told(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.licensed()?;
    let tee = scene.device.tee();
    let mut other = Connection::open(&*tee)?;
    scene.device.kill();
    let mut data = [0x55; 16];
    let batch = Batch::simple(16);
    for at in [&mut scene.at, &mut other] {
        for _ in 0..2 {
            let media = Media::InPlace(&mut data);
            match at.decrypt(&batch.request(scene.session), media) {
                Err(Failure::Transport(TeeError::Dead)) => {}
                found => return Err(Fault(format!("a call to the dead: {found:?}"))),
            }
        }
    }
    hold(data == [0x55; 16], "a call to the dead changed the media")?;
    let mut again = Connection::open(&*tee)?;
    let (_, provisioned) = again.device_key(scene.service.anchor().0)?;
    hold(provisioned, "the identity died as well")?;
    crate::case::refused(
        again.statuses(scene.session),
        Status::UnknownSession,
        "a session of before",
    )?;
    (scene.at, scene.session) = {
        let session = crate::ground::open(&mut again, &mut scene.service)?;
        (again, session)
    };
    let report = scene.acquire(granting(1, 7))?;
    same(
        report.statuses(),
        vec![(KeyStatus::Usable, None)],
        "a key acquired again",
    )
}
