//! The whole story on one trusted side: provision, acquire, decrypt, compare.

use std::sync::Arc;

use keybearer_client::{Certified, Client, Licensed, decrypt_file};
use keybearer_tee::Tee;

use crate::payloads::media_data;
use crate::samples::Sample;
use crate::service::{Service, paths};

/// Plays a sample under a licence and gives the clear file.
///
/// # Panics
/// When anything of it fails, naming the sample.
#[must_use]
pub fn play(client: &Client, sample: &Sample) -> Vec<u8> {
    let name = &sample.file;
    let (protected, _) = paths(sample);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let output = folder.path().join("clear.mp4");
    let session = client
        .open_session()
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut licensed =
        Licensed::new(client, &session, None).unwrap_or_else(|error| panic!("{name}: {error}"));
    let summary = decrypt_file(&protected, &output, &mut licensed, &mut |_| ())
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(
        summary.protected_samples > 0,
        "{name}: nothing was decrypted"
    );
    std::fs::read(&output).expect("the clear file is there")
}

/// Provisions `tee` at the service and plays every sample; each clear file carries what its clear
/// counterpart carries. Gives the certificate's say and the clear files.
///
/// # Panics
/// When anything of it fails, naming the sample.
#[must_use]
pub fn play_all(
    service: &Service,
    tee: &Arc<dyn Tee>,
    samples: &[Sample],
) -> (Certified, Vec<Vec<u8>>) {
    let (client, certified) = service
        .provisioned(Arc::clone(tee))
        .unwrap_or_else(|error| panic!("{error}"));
    let played = samples
        .iter()
        .map(|sample| {
            let clear = play(&client, sample);
            let (protected, counterpart) = paths(sample);
            let read = |path| std::fs::read(path).expect("the sample is there");
            assert!(
                media_data(&clear) == media_data(&read(counterpart)),
                "{}: differs from its clear counterpart",
                sample.file
            );
            assert!(
                media_data(&clear) != media_data(&read(protected)),
                "{}: was never protected",
                sample.file
            );
            clear
        })
        .collect();
    (certified, played)
}
