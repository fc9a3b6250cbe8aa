//! Falsifiable claims about everything here that takes bytes from outside.
//!
//! A claim is one function over bytes that panics when the bytes falsify it. It is used three ways:
//! by the ordinary tests over the corpus and a fixed number of its variations, by libFuzzer, led by
//! coverage, and by both under AddressSanitizer. Next to each claim stand tests that show that it can
//! be falsified: implementations that are wrong on purpose, each of which must be found out.
//!
//! `README.md` says how to run them.

#![forbid(unsafe_code)]

mod golden;
pub mod mutation;
mod provider;
mod reference;
mod targets;
mod verdict;
mod world;

/// An input to begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// Name of its file in the corpus.
    pub name: String,
    /// The input.
    pub bytes: Vec<u8>,
}

impl Seed {
    fn new(name: &str, bytes: Vec<u8>) -> Self {
        Self {
            name: name.to_owned(),
            bytes,
        }
    }
}

/// A claim with the inputs to begin with.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Name of its corpus and its libFuzzer binary.
    pub name: &'static str,
    /// The claim.
    pub run: fn(&[u8]),
    /// Inputs to begin with, the same in every run.
    pub seeds: fn() -> Vec<Seed>,
    /// Variations that the ordinary tests try.
    pub variations: usize,
}

/// Defines the targets and a function of each name, for libFuzzer.
macro_rules! targets {
    ($($name:ident: $variations:literal;)*) => {
        /// Every target.
        pub const TARGETS: &[Target] = &[$(Target {
            name: stringify!($name),
            run: targets::$name::run,
            seeds: targets::$name::seeds,
            variations: $variations,
        }),*];

        $(pub use targets::$name::run as $name;)*
    };
}

targets! {
    cbor: 20_000;
    request: 800;
    answer: 800;
    samples: 8_000;
    core: 800;
    boxes: 800;
    bodies: 20_000;
    texts: 5_000;
}
