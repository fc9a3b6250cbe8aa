//! Code as it must not be. What does not find these finds nothing.

use core::hint::black_box;

use crate::cases::Case;
use crate::inputs::Fixed;
use crate::valgrind::secret;
use keybearer_crypto::{Rng, Secret};

/// One leak of each kind; each is declared to take no decision, and takes some.
pub const LEAKY: &[Case] = &[
    Case {
        name: "comparison that stops at the first difference",
        decisions: 0,
        run: || {
            let (key, other) = keys();
            secret(key.expose());
            black_box(naive_equal(key.expose(), other.expose()));
        },
    },
    Case {
        name: "table looked up by a secret",
        decisions: 0,
        run: || {
            let (key, _) = keys();
            let table: Vec<u8> = (0..=255).rev().collect();
            secret(key.expose());
            black_box(black_box(&table)[usize::from(key.expose()[3])]);
        },
    },
    Case {
        name: "work that depends on a secret's bits",
        decisions: 0,
        run: || {
            let (key, _) = keys();
            secret(key.expose());
            let mut sum = 1_u64;
            for bit in 0..8 {
                if key.expose()[0] >> bit & 1 == 1 {
                    sum = black_box(sum.wrapping_mul(3));
                }
            }
            black_box(sum);
        },
    },
];

fn keys() -> (Secret<32>, Secret<32>) {
    let mut rng = Fixed(1);
    let mut key = || Secret::try_filled(|bytes| rng.fill(bytes));
    match (key(), key()) {
        (Ok(key), Ok(other)) => (key, other),
        _ => unreachable!("the fixed generator does not fail"),
    }
}

/// Compares as one does who does not know better.
#[must_use]
#[inline(never)]
pub fn naive_equal(a: &[u8], b: &[u8]) -> bool {
    for (a, b) in a.iter().zip(b) {
        if black_box(a) != black_box(b) {
            return false;
        }
    }
    a.len() == b.len()
}
