//! The claims over their corpora and a fixed number of variations, the same in every run.

use std::fs;
use std::path::Path;

use keybearer_fuzz::mutation::{Dice, vary};
use keybearer_fuzz::{Seed, TARGETS, Target};

/// The inputs of a target's corpus, in the order of their names.
fn corpus(name: &str) -> Vec<Seed> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name);
    let mut seeds: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| {
            let path = entry.expect("the folder is read").path();
            let name = path.file_name().expect("a file").to_string_lossy();
            Seed {
                name: name.into_owned(),
                bytes: fs::read(&path).expect("the file is read"),
            }
        })
        .collect();
    seeds.sort_by(|a, b| a.name.cmp(&b.name));
    seeds
}

/// Judges the corpus and its variations; a failed claim is reported with the input that failed it.
fn hold(target: &Target) {
    let corpus = corpus(target.name);
    for seed in &corpus {
        let judged = std::panic::catch_unwind(|| (target.run)(&seed.bytes));
        assert!(judged.is_ok(), "corpus/{}/{}", target.name, seed.name);
    }
    let inputs: Vec<_> = corpus.into_iter().map(|seed| seed.bytes).collect();
    let mut dice = Dice::new(1);
    for round in 0..target.variations {
        let input = vary(&inputs, &mut dice);
        let judged = std::panic::catch_unwind(|| (target.run)(&input));
        assert!(judged.is_ok(), "variation {round}: {}", hex::encode(&input));
    }
}

/// Defines one test a target, so that they run side by side, and sees that none is forgotten.
macro_rules! bounded {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            let target = TARGETS.iter().find(|target| target.name == stringify!($name));
            hold(target.expect("it is a target"));
        })*

        #[test]
        fn every_target_is_tested() {
            let tested = [$(stringify!($name)),*];
            let targets: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(targets, tested);
        }
    };
}

bounded! { cbor request answer samples core boxes bodies texts }

/// A newcomer makes the same seeds, and the corpora hold them: a changed protocol shows here.
#[test]
fn the_corpora_hold_the_seeds() {
    for target in TARGETS {
        let corpus = corpus(target.name);
        for seed in (target.seeds)() {
            assert!(
                corpus.contains(&seed),
                "corpus/{}/{} is missing or stale: cargo run -p keybearer-fuzz -- seed",
                target.name,
                seed.name
            );
        }
    }
}

/// The corpora are for people's checkouts, not for a fuzzer's disk.
#[test]
fn the_corpora_are_small() {
    let bytes: usize = TARGETS
        .iter()
        .flat_map(|target| corpus(target.name))
        .map(|seed| seed.bytes.len())
        .sum();
    assert!(bytes < 500_000, "{bytes} bytes in all corpora");
}
