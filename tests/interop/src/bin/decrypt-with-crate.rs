//! Makes commands of two crates, so that one that crashes takes no test with it.
//!
//! `decrypt-with-crate bento4|vsd-mp4 INPUT OUTPUT KID:KEY...`

#![forbid(unsafe_code)]

use std::error::Error;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::process::ExitCode;

use mp4decrypt::Ap4CencDecryptingProcessor;
use vsd_mp4::decrypt::CencDecrypter;

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let [name, input, output, keys @ ..] = arguments else {
        return Err("expected bento4|vsd-mp4 INPUT OUTPUT KID:KEY...".into());
    };
    let keys: Option<Vec<(&str, &str)>> = keys.iter().map(|key| key.split_once(':')).collect();
    let keys = keys.ok_or("expected KID:KEY")?;
    match (name.as_str(), &keys[..]) {
        ("bento4", keys) => {
            let mut decryptor = Ap4CencDecryptingProcessor::new();
            for (id, key) in keys {
                decryptor = decryptor.key(id, key)?;
            }
            decryptor.build()?.decrypt_file(input, output, None)?;
        }
        ("vsd-mp4", [(_, key)]) => {
            let mut reader = BufReader::new(File::open(input)?);
            let mut writer = BufWriter::new(File::create(output)?);
            CencDecrypter::new(key)?.decrypt_stream(&mut reader, &mut writer, None)?;
            writer.flush()?;
        }
        _ => return Err("expected bento4 with keys or vsd-mp4 with one".into()),
    }
    Ok(())
}
