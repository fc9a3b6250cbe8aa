//! Makes the corpora's seeds, lists the targets, and judges single inputs.

#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

use keybearer_fuzz::TARGETS;

const USAGE: &str = "usage: keybearer-fuzz list | seed | run TARGET FILE...
  list   the names of the targets
  seed   writes each target's seeds into tests/fuzz/corpus
  run    judges inputs, such as a finding of libFuzzer";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match *words {
        ["list"] => {
            for target in TARGETS {
                println!("{}", target.name);
            }
            Ok(())
        }
        ["seed"] => seed(),
        ["run", name, ref files @ ..] if !files.is_empty() => run(name, files),
        _ => Err(io::Error::other(USAGE)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn seed() -> io::Result<()> {
    for target in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(target.name);
        fs::create_dir_all(&folder)?;
        for seed in (target.seeds)() {
            fs::write(folder.join(&seed.name), &seed.bytes)?;
        }
    }
    Ok(())
}

fn run(name: &str, files: &[&str]) -> io::Result<()> {
    let target = TARGETS.iter().find(|target| target.name == name);
    let target = target.ok_or_else(|| io::Error::other(format!("no target {name}")))?;
    for file in files {
        (target.run)(&fs::read(file)?);
        println!("{file}: the claim holds");
    }
    Ok(())
}
