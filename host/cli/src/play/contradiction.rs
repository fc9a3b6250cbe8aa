//! Where file and licence contradict each other: the trusted side says only that they do, so what each
//! of them says is added here, and where it is mended.

use keybearer_client::{
    ClientError, Key, KeyId, Licensed, SampleDecryptor, Status, TrackBatch, TrackType, explain::kid,
};
use keybearer_media::{BatchLimit, IvSource, Protection, Pssh, TrackKind};
use keybearer_tee::SharedMemory;

use crate::failure::Failure;

/// Decrypts by licences, and explains contradictions between them and the file.
pub(super) struct Contradicted<'a>(pub(super) Licensed<'a>);

/// Why a batch was not decrypted.
#[derive(Debug, thiserror::Error)]
pub(super) enum Contradiction {
    /// The file has one thing and the licence's key is for another.
    #[error(
        "track {track}: the file has {what} {found}, but the licence's key {} is for {expected}",
        kid(key_id)
    )]
    Differs {
        track: u32,
        key_id: KeyId,
        /// As people call it.
        what: &'static str,
        /// Setting and value that the service's configuration would need.
        setting: String,
        found: String,
        expected: String,
        source: ClientError,
    },
    /// Everything else.
    #[error(transparent)]
    Other(ClientError),
}

impl From<Contradiction> for Failure {
    fn from(error: Contradiction) -> Self {
        match error {
            Contradiction::Other(error) => error.into(),
            Contradiction::Differs {
                ref setting,
                ref source,
                ..
            } => {
                let status = match source {
                    ClientError::Refused { status, .. } => status.name(),
                    _ => "",
                };
                Self::new(crate::exit::Exit::Denied, error.to_string()).hint(format!(
                    "if the file is right, whoever runs the service sets {setting} for this key in its \
                     configuration; keybearer explain {status}"
                ))
            }
        }
    }
}

impl Contradicted<'_> {
    fn explained(&self, batch: &TrackBatch<'_>, source: ClientError) -> Contradiction {
        let ClientError::Refused { status, .. } = source else {
            return Contradiction::Other(source);
        };
        let protection = batch.protection;
        let key_id = protection.kid;
        let mut licenses = self.0.licenses().iter().rev();
        let key = licenses.find_map(|license| license.key(&key_id));
        let Some(difference) = difference(status, protection, batch.track.kind, key) else {
            return Contradiction::Other(source);
        };
        Contradiction::Differs {
            track: batch.track.id,
            key_id,
            what: difference.what,
            setting: format!("{} = \"{}\"", difference.name, difference.found),
            found: difference.found,
            expected: difference.expected.unwrap_or_else(|| "another".into()),
            source,
        }
    }
}

/// What file and licence say.
#[derive(Debug, PartialEq, Eq)]
struct Difference {
    what: &'static str,
    /// The setting in the service's configuration.
    name: &'static str,
    found: String,
    /// `None` where the licence does not tell and more than one would do.
    expected: Option<String>,
}

fn difference(
    status: Status,
    protection: &Protection,
    kind: TrackKind,
    key: Option<&Key>,
) -> Option<Difference> {
    let scheme = protection.scheme.to_string();
    Some(match status {
        Status::WrongIv => Difference {
            what: "IVs of the kind",
            name: "iv",
            found: iv(protection.iv)?.into(),
            // These schemes take two kinds, so that one of them is left.
            expected: match (scheme.as_str(), iv(protection.iv)?) {
                ("cenc" | "cens", "per-sample-16") => Some("per-sample-8".into()),
                ("cenc" | "cens", "per-sample-8") => Some("per-sample-16".into()),
                ("cbc1", found) if found != "per-sample-16" => Some("per-sample-16".into()),
                _ => None,
            },
        },
        Status::WrongScheme => Difference {
            what: "the scheme",
            name: "scheme",
            found: scheme,
            expected: key.map(|key| key.scheme.to_string()),
        },
        Status::WrongPattern => Difference {
            what: "the pattern",
            name: "pattern",
            found: format!("{}:{}", protection.pattern.crypt, protection.pattern.skip),
            expected: None,
        },
        Status::WrongTrackType => Difference {
            what: "a track of the type",
            name: "track",
            found: match kind {
                TrackKind::Video => "sd",
                TrackKind::Audio => "audio",
                TrackKind::Other => "other",
            }
            .into(),
            expected: key.map(|key| track(key.track_type).into()),
        },
        _ => return None,
    })
}

/// A source of IVs in the words of the service's configuration.
fn iv(source: IvSource) -> Option<&'static str> {
    Some(match source {
        IvSource::PerSample { size: 8 } => "per-sample-8",
        IvSource::PerSample { .. } => "per-sample-16",
        IvSource::Constant(iv) if iv.as_slice().len() == 8 => "constant-8",
        IvSource::Constant(_) => "constant-16",
        IvSource::None => return None,
    })
}

/// A track type in those words.
fn track(kind: TrackType) -> &'static str {
    match kind {
        TrackType::Audio => "audio",
        TrackType::Sd => "sd",
        TrackType::Hd => "hd",
        TrackType::Uhd1 => "uhd1",
        TrackType::Uhd2 => "uhd2",
        TrackType::Other => "other",
    }
}

impl SampleDecryptor for Contradicted<'_> {
    type Error = Contradiction;

    fn limit(&self) -> BatchLimit {
        self.0.limit()
    }

    fn begin(&mut self, init: &[u8]) -> Result<(), Contradiction> {
        self.0.begin(init).map_err(Contradiction::Other)
    }

    fn go_on(&mut self) -> Result<(), Contradiction> {
        self.0.go_on().map_err(Contradiction::Other)
    }

    fn end(&mut self) -> Result<(), Contradiction> {
        self.0.end().map_err(Contradiction::Other)
    }

    fn prepare(&mut self, key_ids: &[KeyId], pssh: &[Pssh]) -> Result<(), Contradiction> {
        self.0.prepare(key_ids, pssh).map_err(Contradiction::Other)
    }

    fn decrypt(&mut self, batch: &TrackBatch<'_>, data: &mut [u8]) -> Result<(), Contradiction> {
        self.0
            .decrypt(batch, data)
            .map_err(|error| self.explained(batch, error))
    }

    fn memory(&mut self, len: usize) -> Option<Box<dyn SharedMemory>> {
        self.0.memory(len)
    }

    fn recover(&mut self, error: &Contradiction) -> bool {
        match error {
            Contradiction::Other(error) => self.0.recover(error),
            // What the rules refuse they refuse again.
            Contradiction::Differs { .. } => false,
        }
    }
}
