//! Samples come out clear, and only what was asked for is touched.

use keybearer_license::{IvKind, KeyUse, Pattern, Scheme};
use keybearer_scripted_service::{cenc_use, key, license, secret};
use keybearer_tee::Media;
use keybearer_wire::Status;
use keybearer_wire::limits::MAX_SAMPLES;

use crate::case::hold;
use crate::connection::Connection;
use crate::encryption::{Batch, Subsample};
use crate::ground::{Ground, granting, open};
use crate::{Case, Fault, Need, Verdict};

pub(super) const CASES: &[Case] = &[
    Case {
        id: "KB-DEC-01",
        promise: "Samples protected with `cenc` come out clear, byte by byte: vectors of 8 and 16 bytes, whole samples and subsamples.",
        needs: &[],
        run: cenc,
    },
    Case {
        id: "KB-DEC-02",
        promise: "Samples protected with `cens` come out clear, with patterns 1:9 and 5:5.",
        needs: &[],
        run: cens,
    },
    Case {
        id: "KB-DEC-03",
        promise: "Samples protected with `cbc1` come out clear, with the chain running on across subsamples.",
        needs: &[],
        run: cbc1,
    },
    Case {
        id: "KB-DEC-04",
        promise: "Samples protected with `cbcs` come out clear, with constant vectors of 8 and 16 bytes and patterns 1:9, 5:5, 10:0 and none.",
        needs: &[],
        run: cbcs,
    },
    Case {
        id: "KB-DEC-05",
        promise: "Decryption in place and from one buffer into another give the same, and leave what lies behind the samples alone.",
        needs: &[],
        run: in_place_or_into,
    },
    Case {
        id: "KB-DEC-06",
        promise: "Batches of every size up to 4 MiB, and of as many samples as a call may hold, come out clear.",
        needs: &[],
        run: batches_of_every_size,
    },
    Case {
        id: "KB-DEC-07",
        promise: "Clients that decrypt at the same time, each with a key of its own under the same id, get each its own clear samples.",
        needs: &[],
        run: clients_do_not_mix,
    },
    Case {
        id: "KB-DEC-08",
        promise: "Samples in memory that is shared with the trusted side come out clear where they stand, nothing beside them changes, and a refused call changes nothing.",
        needs: &[Need::SharedMemory],
        run: shared_memory,
    },
];

/// Layouts of samples: one whole, some with clear heads, one with a clear range at the end.
const BLOCKS: &[&[Subsample]] = &[
    &[(0, 320)],
    &[(5, 160), (9, 480), (1, 16)],
    &[(0, 16), (33, 0)],
    &[(70, 1_600)],
];
/// Layouts whose protected ranges are not whole blocks.
const BYTES: &[&[Subsample]] = &[
    &[(0, 1)],
    &[(0, 333)],
    &[(7, 5), (3, 100), (0, 30), (12, 0), (0, 1)],
    &[(100, 65_541)],
];

/// Samples of each use come out clear, under a licence each, in one session.
fn come_out_clear(ground: &Ground<'_>, uses: &[KeyUse], samples: &[&[Subsample]]) -> Verdict {
    let mut scene = ground.ready()?;
    for (id, usage) in (1..).zip(uses) {
        scene.acquire(license(id, vec![key(7, usage.clone())]))?;
        let batch = Batch::new(secret(7), usage, samples);
        hold(batch.protected != batch.clear, "nothing was protected")?;
        let KeyUse {
            scheme,
            iv,
            pattern,
            ..
        } = usage;
        hold(
            batch.comes_out_clear(&mut scene.at, scene.session)?,
            format!("{scheme:?} with {iv:?} and {pattern:?} decrypts wrongly"),
        )?;
    }
    Ok(())
}

fn usage(scheme: Scheme, iv: IvKind, pattern: Option<(u8, u8)>) -> KeyUse {
    KeyUse {
        scheme,
        iv,
        pattern: pattern.map(|(crypt, skip)| Pattern { crypt, skip }),
        ..cenc_use()
    }
}

fn cenc(ground: &Ground<'_>) -> Verdict {
    let uses = [IvKind::PerSample8, IvKind::PerSample16].map(|iv| usage(Scheme::Cenc, iv, None));
    come_out_clear(ground, &uses, BYTES)?;
    come_out_clear(ground, &uses, BLOCKS)
}

fn cens(ground: &Ground<'_>) -> Verdict {
    let uses = [
        usage(Scheme::Cens, IvKind::PerSample8, Some((1, 9))),
        usage(Scheme::Cens, IvKind::PerSample8, Some((5, 5))),
        usage(Scheme::Cens, IvKind::PerSample16, Some((1, 9))),
        usage(Scheme::Cens, IvKind::PerSample16, Some((5, 5))),
    ];
    come_out_clear(ground, &uses, BLOCKS)
}

fn cbc1(ground: &Ground<'_>) -> Verdict {
    let uses = [usage(Scheme::Cbc1, IvKind::PerSample16, None)];
    come_out_clear(ground, &uses, BLOCKS)
}

fn cbcs(ground: &Ground<'_>) -> Verdict {
    let patterns = [Some((1, 9)), Some((5, 5)), Some((10, 0)), None];
    for iv in [IvKind::Constant8, IvKind::Constant16] {
        let uses = patterns.map(|pattern| usage(Scheme::Cbcs, iv, pattern));
        come_out_clear(ground, &uses, BLOCKS)?;
    }
    Ok(())
}

fn in_place_or_into(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.licensed()?;
    let batch = Batch::new(secret(7), &cenc_use(), BYTES);
    let mut output = vec![0x55; batch.clear.len() + 100];
    let media = Media::Into {
        input: &batch.protected,
        output: &mut output,
    };
    scene.at.decrypt(&batch.request(scene.session), media)?;
    let (decrypted, behind) = output.split_at(batch.clear.len());
    hold(
        decrypted == batch.clear,
        "into another buffer it decrypts wrongly",
    )?;
    hold(
        behind.iter().all(|byte| *byte == 0x55),
        "it wrote behind the samples",
    )?;
    hold(
        batch.comes_out_clear(&mut scene.at, scene.session)?,
        "in place it decrypts wrongly",
    )
}

fn batches_of_every_size(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.licensed()?;
    let most = ground.described.max_media.min(4 << 20);
    for len in [1, 15, 16, 17, 65_535, 65_536, 65_537, 1 << 20, most] {
        hold(
            Batch::simple(len).comes_out_clear(&mut scene.at, scene.session)?,
            format!("a sample of {len} bytes decrypts wrongly"),
        )?;
    }
    let small: &[Subsample] = &[(3, 20)];
    let many = Batch::new(secret(7), &cenc_use(), &vec![small; MAX_SAMPLES]);
    hold(
        many.comes_out_clear(&mut scene.at, scene.session)?,
        format!("{MAX_SAMPLES} samples decrypt wrongly"),
    )
}

fn clients_do_not_mix(ground: &Ground<'_>) -> Verdict {
    const CLIENTS: u8 = 6;
    let mut scene = ground.ready()?;
    let tee = scene.device.tee();
    let mut clients = Vec::new();
    for number in 1..=CLIENTS {
        let mut at = Connection::open(&*tee)?;
        let session = open(&mut at, &mut scene.service)?;
        // Another key under the same id: whoever takes the wrong one gets noise.
        let request = at.request(session, &[crate::connection::KEY])?;
        let mut made = granting(number, 7);
        made.keys[0].key = keybearer_crypto::Secret::copied_from(&secret(100 + number));
        at.load(session, &scene.service.license(&request, made))?;
        let batch = Batch::new(secret(100 + number), &cenc_use(), &[&[(0, 200_000)]]);
        clients.push((at, session, batch));
    }
    let verdicts: Vec<Verdict> = std::thread::scope(|scope| {
        let running: Vec<_> = clients
            .into_iter()
            .map(|(mut at, session, batch)| {
                scope.spawn(move || {
                    for _ in 0..8 {
                        let clear = batch.comes_out_clear(&mut at, session)?;
                        hold(clear, "one client among several decrypts wrongly")?;
                    }
                    Ok(())
                })
            })
            .collect();
        let panicked = |_| Err(Fault("a client panicked".into()));
        running
            .into_iter()
            .map(|client| client.join().unwrap_or_else(panicked))
            .collect()
    });
    verdicts.into_iter().collect()
}

fn shared_memory(ground: &Ground<'_>) -> Verdict {
    let mut scene = ground.licensed()?;
    let batch = Batch::new(secret(7), &cenc_use(), BYTES);
    let len = batch.protected.len();
    let gone = || Fault("the shared memory is gone".into());
    let mut memory = scene.at.shared_memory(len + 5_000)?.ok_or_else(gone)?;
    for begin in [0, 1, 4_095, 5_000] {
        memory.bytes_mut().fill(0x55);
        memory.bytes_mut()[begin..begin + len].copy_from_slice(&batch.protected);
        let mut long = batch.request(scene.session);
        long.duration_ms = 5_000;
        for (request, refused) in [(long, true), (batch.request(scene.session), false)] {
            let slice = &mut memory.bytes_mut()[begin..begin + len];
            let outcome = scene.at.decrypt(&request, Media::InPlace(slice));
            if refused {
                crate::case::refused(outcome, Status::DurationTooLong, "five seconds")?;
            } else {
                outcome?;
            }
            let (before, rest) = memory.bytes().split_at(begin);
            let (data, after) = rest.split_at(len);
            let expected = if refused {
                &batch.protected
            } else {
                &batch.clear
            };
            hold(data == expected, format!("at {begin} it decrypts wrongly"))?;
            let beside = before.iter().chain(after).all(|byte| *byte == 0x55);
            hold(
                beside,
                format!("at {begin} something beside the samples changed"),
            )?;
        }
    }
    // From shared memory into memory of the host's own, and back.
    memory.bytes_mut()[..len].copy_from_slice(&batch.protected);
    let mut output = vec![0x55; len];
    let media = Media::Into {
        input: &memory.bytes()[..len],
        output: &mut output,
    };
    scene.at.decrypt(&batch.request(scene.session), media)?;
    hold(
        output == batch.clear,
        "out of shared memory it decrypts wrongly",
    )?;
    let media = Media::Into {
        input: &batch.protected,
        output: &mut memory.bytes_mut()[..len],
    };
    scene.at.decrypt(&batch.request(scene.session), media)?;
    hold(
        memory.bytes()[..len] == batch.clear,
        "into shared memory it decrypts wrongly",
    )
}
