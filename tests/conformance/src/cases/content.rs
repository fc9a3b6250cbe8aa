//! What is checked before the first byte of media: a refused call leaves its output as it was.

use core::num::NonZeroU32;

use keybearer_license::{IvKind, KeyUse, Pattern, Scheme, TrackType};
use keybearer_scripted_service::{cenc_use, key, license, secret};
use keybearer_tee::Media;
use keybearer_wire::Status;
use keybearer_wire::body::Decrypt;
use keybearer_wire::field::Blob;
use keybearer_wire::limits::{MAX_MEDIA_DURATION_MS, SAMPLE_RECORD};

use crate::case::{hold, refused, same};
use crate::encryption::Batch;
use crate::ground::{Ground, Scene};
use crate::{Case, Verdict};

pub(super) const CASES: &[Case] = &[
    Case {
        id: "KB-CONT-01",
        promise: "A key serves only the track type that it was licensed for.",
        needs: &[],
        run: track_type,
    },
    Case {
        id: "KB-CONT-02",
        promise: "A key serves only its own protection scheme, with its own pattern.",
        needs: &[],
        run: scheme_and_pattern,
    },
    Case {
        id: "KB-CONT-03",
        promise: "A key serves only its own kind and size of initialisation vector.",
        needs: &[],
        run: vectors,
    },
    Case {
        id: "KB-CONT-04",
        promise: "A picture that is stated larger than the key allows is refused.",
        needs: &[],
        run: pictures,
    },
    Case {
        id: "KB-CONT-05",
        promise: "A call covers at most two seconds of media.",
        needs: &[],
        run: two_seconds,
    },
    Case {
        id: "KB-CONT-06",
        promise: "A sample that leaves more bytes clear than the licence allows is refused.",
        needs: &[],
        run: clear_ranges,
    },
    Case {
        id: "KB-CONT-07",
        promise: "A sample table that contradicts itself is refused.",
        needs: &[],
        run: tables,
    },
    Case {
        id: "KB-CONT-08",
        promise: "Media that do not fit their sample table are refused.",
        needs: &[],
        run: media,
    },
];

/// A session with one key of this use, and a batch that it decrypts.
fn with(ground: &Ground<'_>, usage: &KeyUse) -> Result<(Scene, Batch), crate::Fault> {
    let mut scene = ground.ready()?;
    scene.acquire(license(1, vec![key(7, usage.clone())]))?;
    let batch = Batch::new(secret(7), usage, &[&[(0, 320)]]);
    Ok((scene, batch))
}

/// A change to a request, in words, and the status that it is refused with.
type Change<'b> = (&'static str, Status, fn(&mut Decrypt<'b>));

/// Each change is refused with its status; then the batch as it is still comes out clear.
fn all_refused<'b>(scene: &mut Scene, batch: &'b Batch, changes: &[Change<'b>]) -> Verdict {
    for (what, status, change) in changes {
        let outcome = batch.refusal(&mut scene.at, scene.session, *change)?;
        refused(outcome, *status, what)?;
    }
    hold(
        batch.comes_out_clear(&mut scene.at, scene.session)?,
        "after the refusals the key decrypts wrongly",
    )
}

fn track_type(ground: &Ground<'_>) -> Verdict {
    let wrong = Status::WrongTrackType;
    let (mut scene, batch) = with(ground, &cenc_use())?;
    all_refused(
        &mut scene,
        &batch,
        &[
            ("an audio track", wrong, |c| {
                c.track_type = TrackType::Audio.code()
            }),
            ("an SD track", wrong, |c| {
                c.track_type = TrackType::Sd.code()
            }),
            ("no track type", wrong, |c| c.track_type = 0),
            ("an unknown track type", wrong, |c| c.track_type = 0xff),
        ],
    )
}

fn scheme_and_pattern(ground: &Ground<'_>) -> Verdict {
    let (scheme, pattern) = (Status::WrongScheme, Status::WrongPattern);
    let (mut scene, batch) = with(ground, &cenc_use())?;
    all_refused(
        &mut scene,
        &batch,
        &[
            ("no scheme", scheme, |c| c.scheme = 0),
            ("cens", scheme, |c| c.scheme = Scheme::Cens.code()),
            ("cbc1", scheme, |c| c.scheme = Scheme::Cbc1.code()),
            ("cbcs", scheme, |c| c.scheme = Scheme::Cbcs.code()),
            ("an unknown scheme", scheme, |c| c.scheme = 5),
            ("a pattern in cenc", pattern, |c| {
                (c.crypt_blocks, c.skip_blocks) = (1, 9)
            }),
            ("a pattern that skips all", pattern, |c| c.skip_blocks = 9),
            ("a pattern too long", pattern, |c| c.crypt_blocks = 16),
        ],
    )?;
    let cbcs = KeyUse {
        scheme: Scheme::Cbcs,
        iv: IvKind::Constant16,
        pattern: Some(Pattern { crypt: 1, skip: 9 }),
        ..cenc_use()
    };
    let (mut scene, batch) = with(ground, &cbcs)?;
    all_refused(
        &mut scene,
        &batch,
        &[
            ("cenc", scheme, |c| c.scheme = Scheme::Cenc.code()),
            ("another pattern", pattern, |c| {
                (c.crypt_blocks, c.skip_blocks) = (5, 5)
            }),
            ("no pattern", pattern, |c| {
                (c.crypt_blocks, c.skip_blocks) = (0, 0)
            }),
        ],
    )
}

fn vectors(ground: &Ground<'_>) -> Verdict {
    let wrong = Status::WrongIv;
    let (mut scene, batch) = with(ground, &cenc_use())?;
    all_refused(
        &mut scene,
        &batch,
        &[
            ("16 bytes", wrong, |c| c.iv_size = 16),
            ("none", wrong, |c| c.iv_size = 0),
            ("seven bytes", wrong, |c| c.iv_size = 7),
            ("a constant one as well", wrong, |c| {
                c.constant_iv = Some(Blob(&[0; 8]))
            }),
            ("a constant one instead", wrong, |c| {
                c.iv_size = 0;
                c.constant_iv = Some(Blob(&[0; 8]));
            }),
        ],
    )?;
    let cbcs = KeyUse {
        scheme: Scheme::Cbcs,
        iv: IvKind::Constant16,
        ..cenc_use()
    };
    let (mut scene, batch) = with(ground, &cbcs)?;
    all_refused(
        &mut scene,
        &batch,
        &[
            ("eight constant bytes", wrong, |c| {
                c.constant_iv = Some(Blob(&[9; 8]))
            }),
            ("no constant bytes", wrong, |c| {
                c.constant_iv = Some(Blob(&[]))
            }),
            ("no constant vector", wrong, |c| c.constant_iv = None),
            ("one a sample", wrong, |c| c.iv_size = 16),
        ],
    )
}

fn pictures(ground: &Ground<'_>) -> Verdict {
    let large = Status::PictureTooLarge;
    let usage = KeyUse {
        max_pixels: NonZeroU32::new(1_280 * 720),
        ..cenc_use()
    };
    let (mut scene, batch) = with(ground, &usage)?;
    all_refused(
        &mut scene,
        &batch,
        &[
            ("a column more", large, |c| {
                (c.width, c.height) = (Some(1_281), Some(720));
            }),
            ("sizes that overflow", large, |c| {
                (c.width, c.height) = (Some(u32::MAX), Some(u32::MAX));
            }),
            ("a width that is too much alone", large, |c| {
                c.width = Some(1_280 * 720 + 1)
            }),
        ],
    )?;
    let at_the_limit = batch.refusal(&mut scene.at, scene.session, |c| {
        (c.width, c.height) = (Some(1_280), Some(720));
    })?;
    same(at_the_limit?, 320, "the largest picture")
}

fn two_seconds(ground: &Ground<'_>) -> Verdict {
    let (mut scene, batch) = with(ground, &cenc_use())?;
    let long = Status::DurationTooLong;
    all_refused(
        &mut scene,
        &batch,
        &[
            ("a millisecond more", long, |c| {
                c.duration_ms = MAX_MEDIA_DURATION_MS + 1
            }),
            ("for ever", long, |c| c.duration_ms = u32::MAX),
        ],
    )?;
    let at_the_limit = batch.refusal(&mut scene.at, scene.session, |c| {
        c.duration_ms = MAX_MEDIA_DURATION_MS;
    })?;
    same(at_the_limit?, 320, "two seconds")
}

fn clear_ranges(ground: &Ground<'_>) -> Verdict {
    let usage = KeyUse {
        max_clear_bytes: Some(100),
        ..cenc_use()
    };
    let (mut scene, _) = with(ground, &usage)?;
    for subsamples in [&[(101, 99)][..], &[(50, 9), (51, 90)], &[(0, 16), (101, 0)]] {
        let batch = Batch::new(secret(7), &usage, &[&[(0, 32)], subsamples]);
        let outcome = batch.refusal(&mut scene.at, scene.session, |_| ())?;
        let what = format!("clear ranges {subsamples:?}");
        refused(outcome, Status::ClearRangeTooLarge, &what)?;
    }
    let at_the_bound = Batch::new(secret(7), &usage, &[&[(50, 10), (50, 90)]]);
    hold(
        at_the_bound.comes_out_clear(&mut scene.at, scene.session)?,
        "at the bound it decrypts wrongly",
    )
}

fn tables(ground: &Ground<'_>) -> Verdict {
    let (mut scene, _) = with(ground, &cenc_use())?;
    let batch = Batch::new(secret(7), &cenc_use(), &[&[(16, 32)], &[(8, 24)]]);
    let bad = Status::BadSampleTable;
    all_refused(
        &mut scene,
        &batch,
        &[
            ("no samples", bad, |c| c.samples = Blob(&[])),
            ("a part of a sample", bad, |c| {
                c.samples = Blob(&c.samples.0[..SAMPLE_RECORD - 1]);
            }),
            ("a part of a subsample", bad, |c| {
                c.subsamples = Blob(&c.subsamples.0[..15])
            }),
            ("too few subsamples", bad, |c| {
                c.subsamples = Blob(&c.subsamples.0[..8])
            }),
            ("subsamples that belong to none", bad, |c| {
                c.samples = Blob(&c.samples.0[..SAMPLE_RECORD]);
            }),
        ],
    )?;
    let original = batch.request(scene.session);
    // Sizes that change places still add up to the media, and no longer to their subsamples.
    let mut records = original.samples.0.to_vec();
    for at in 16..20 {
        records.swap(at, SAMPLE_RECORD + at);
    }
    let swapped = Decrypt {
        samples: Blob(&records),
        ..batch.request(scene.session)
    };
    let outcome = batch.refusal_of(&mut scene.at, &swapped)?;
    refused(outcome, bad, "sample sizes that changed places")?;
    for at in [4, 7, 11, 15] {
        let mut records = original.subsamples.0.to_vec();
        records[at] ^= 0x80;
        let request = Decrypt {
            subsamples: Blob(&records),
            ..batch.request(scene.session)
        };
        let outcome = batch.refusal_of(&mut scene.at, &request)?;
        refused(outcome, bad, &format!("a wrong subsample size at {at}"))?;
    }
    Ok(())
}

fn media(ground: &Ground<'_>) -> Verdict {
    let (mut scene, batch) = with(ground, &cenc_use())?;
    let whole = batch.protected.len();
    for len in [0, 1, whole - 1, whole + 1] {
        let mut data = vec![0x55; len];
        let outcome = scene
            .at
            .decrypt(&batch.request(scene.session), Media::InPlace(&mut data));
        refused(
            outcome,
            Status::MediaMismatch,
            &format!("{len} bytes of {whole}"),
        )?;
        hold(
            data.iter().all(|byte| *byte == 0x55),
            "refused media were changed",
        )?;
    }
    let outcome = scene.at.decrypt(&batch.request(scene.session), Media::None);
    refused(outcome, Status::MediaMismatch, "no media")?;
    hold(
        batch.comes_out_clear(&mut scene.at, scene.session)?,
        "after the refusals the key decrypts wrongly",
    )
}
