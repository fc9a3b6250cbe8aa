//! The report. Two classes of input, mixed at random, and how sure their times are to differ: a `t`
//! far from 0 (above 10, say) means that somebody who measures can tell them apart.
//!
//! The naive comparison is the control: where it does not stand out, nothing here would.

#![allow(
    missing_docs,
    reason = "the macro that makes main makes public items without"
)]

use core::cell::RefCell;
use core::hint::black_box;

use dudect_bencher::rand::RngExt;
use dudect_bencher::{BenchRng, Class, CtRunner, ctbench_main};
use keybearer_constant_time::{naive_equal, opened_message, sealed_message};
use keybearer_crypto::{Crypto, Secret};
use keybearer_crypto_soft::SoftCrypto;

/// Measurements of one run. The classes are drawn for each, since machines have moods.
const SAMPLES: usize = 100_000;

/// Bytes that are compared.
type Pair = ([u8; 32], [u8; 32]);

/// Left: equal. Right: different from the first byte on.
fn pairs(rng: &mut BenchRng) -> Vec<(Class, Pair)> {
    (0..SAMPLES)
        .map(|_| {
            let a: [u8; 32] = rng.random();
            let mut b = a;
            if rng.random() {
                (Class::Left, (a, b))
            } else {
                b[0] ^= 0xff;
                (Class::Right, (a, b))
            }
        })
        .collect()
}

fn control_naive_compare(runner: &mut CtRunner, rng: &mut BenchRng) {
    for (class, (a, b)) in pairs(rng) {
        runner.run_one(class, || {
            black_box(naive_equal(black_box(&a), black_box(&b)))
        });
    }
}

fn compare_tags(runner: &mut CtRunner, rng: &mut BenchRng) {
    for (class, (a, b)) in pairs(rng) {
        runner.run_one(class, || {
            black_box(SoftCrypto.equal(black_box(&a), black_box(&b)))
        });
    }
}

/// Left: the tag is wrong in its first byte. Right: in its last.
fn open_forged_message(runner: &mut CtRunner, rng: &mut BenchRng) {
    let key = Secret::copied_from(&rng.random());
    let sealed = sealed_message(&key, &[1; 64]);
    let first = sealed.len() - 16;
    for _ in 0..SAMPLES / 10 {
        let (class, at) = if rng.random() {
            (Class::Left, first)
        } else {
            (Class::Right, first + 15)
        };
        let mut forged = sealed.clone();
        forged[at] ^= 0x55;
        let forged = RefCell::new(forged);
        runner.run_one(class, || {
            black_box(opened_message(&key, &mut forged.borrow_mut()))
        });
    }
}

ctbench_main!(control_naive_compare, compare_tags, open_forged_message);
