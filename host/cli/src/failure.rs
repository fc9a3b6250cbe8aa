//! What went wrong, for people: one line of what, what to do next, and the causes beneath.

use std::error::Error;

use std::path::Path;

use keybearer_backend::BackendError;
use keybearer_client::{
    ClientError, DecoderProblem, Denial, Level, PlaybackError, Status, TransportError,
};
use keybearer_media::MediaError;

use crate::exit::Exit;

/// A failure of the command. Holds no secret: keys and tokens never enter its texts.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// What failed, found and expected, in one line.
    pub(crate) what: String,
    /// What to do next.
    pub(crate) hint: Option<String>,
    /// Why, outermost first.
    pub(crate) causes: Vec<String>,
    /// More of it for `--json`, under names of its own.
    pub(crate) details: Option<serde_json::Value>,
    /// Whoever read our output went away: nobody is left to tell.
    pub(crate) quiet: bool,
}

impl Failure {
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
            hint: None,
            causes: Vec::new(),
            details: None,
            quiet: false,
        }
    }

    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    pub(crate) fn input(what: impl Into<String>) -> Self {
        Self::new(Exit::Input, what)
    }

    pub(crate) fn interrupted() -> Self {
        Self::new(
            Exit::Interrupted,
            "interrupted; nothing was left under the final name",
        )
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn details(mut self, details: serde_json::Value) -> Self {
        self.details = Some(details);
        self
    }

    /// Adds an error and all it says about its own causes. What a line above says already is left
    /// out, since errors often repeat their source.
    pub(crate) fn cause(mut self, error: &(dyn Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            let text = error.to_string();
            let said = self
                .causes
                .iter()
                .chain([&self.what])
                .any(|line| line.contains(&text));
            if !said {
                self.causes.push(text);
            }
            next = error.source();
        }
        self
    }

    /// All of it, for `--json`.
    pub(crate) fn document(&self) -> serde_json::Value {
        let mut document = serde_json::json!({
            "exit": self.exit.code(),
            "kind": self.exit.name(),
            "message": self.what,
            "causes": self.causes,
            "hint": self.hint,
        });
        if let Some(details) = &self.details {
            document["details"] = details.clone();
        }
        document
    }

    /// The causes below an error whose own text is already `what`.
    fn of(exit: Exit, error: &(dyn Error + 'static)) -> Self {
        Self::new(exit, error.to_string()).cause(error)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        if error.is_cancelled() {
            return Self::interrupted();
        }
        let (exit, hint) = match &error {
            ClientError::Denied(denial) => (Exit::Denied, of_denial(denial)),
            ClientError::KeysMissing {
                denial: Some(denial),
                ..
            } => (Exit::Denied, of_denial(denial)),
            ClientError::Decoder { problem, .. } => (
                match problem {
                    DecoderProblem::ContentRejected
                    | DecoderProblem::NoMemory
                    | DecoderProblem::UnsupportedCodec => Exit::Input,
                    _ => Exit::Trusted,
                },
                None,
            ),
            error if error.is_restricted_by_outputs() => {
                (Exit::Restricted, Some(NO_OUTPUTS.to_owned()))
            }
            ClientError::KeyNotUsable { .. }
            | ClientError::KeysMissing { .. }
            | ClientError::KeysNotInTime { .. } => (Exit::Denied, None),
            ClientError::ProtectedPathTaken { .. } => {
                (Exit::Denied, Some(KEY_OF_ITS_OWN.to_owned()))
            }
            ClientError::Http { source, .. } => (Exit::Service, on_the_way(source)),
            ClientError::Refused { status, .. } => (
                exit_of(*status),
                Some(format!("keybearer explain {}", status.name())),
            ),
            ClientError::Input { .. } | ClientError::SampleTooLong { .. } => (Exit::Input, None),
            _ => (Exit::Trusted, None),
        };
        let mut failure = Self::of(exit, &error);
        failure.hint = hint;
        failure
    }
}

/// Where a service's refusal is explained, and what is to be tried where it is for the level.
fn of_denial(denial: &Denial) -> Option<String> {
    let reason = denial.reason?;
    let explained = format!("keybearer explain {reason:?}");
    Some(match denial.level_needed {
        Some(Level::High) => {
            format!("{explained}; a device of level high plays such a key with play --protected")
        }
        _ => explained,
    })
}

/// What to try where a key demands something of outputs.
const NO_OUTPUTS: &str = "say which outputs are active with --outputs, or that there is a panel with \
    --internal-panel; keybearer explain --policy shows what a profile asks of them";

/// What to do where a track has the key of the one that the trusted side decodes.
const KEY_OF_ITS_OWN: &str = "what is played beside the pictures needs a key of its own, which allows \
    level medium: protect the file with one key for each track";

/// What to try where the way to the service fails.
fn on_the_way(error: &TransportError) -> Option<String> {
    match error {
        TransportError::Tls { .. } => Some(
            "a service that has no TLS before it, as `keybearer serve` by itself, is named with http://"
                .into(),
        ),
        _ => None,
    }
}

/// What a refusal of the trusted side means for the one who asked: that the licence does not allow it,
/// that the service is not to be believed, that the file is wrong, or that the trusted side cannot.
const fn exit_of(status: Status) -> Exit {
    match status {
        // The licence demands what is not so: of the platform, of the time, of the file.
        Status::LevelTooLow
        | Status::StoredNotSupported
        | Status::CounterTooWeak
        | Status::NoTrustedTime
        | Status::LicenseEnded
        | Status::WorkerRequired
        | Status::UseDenied
        | Status::UnknownKey
        | Status::KeyNotUsable
        | Status::WrongTrackType
        | Status::WrongScheme
        | Status::WrongIv
        | Status::WrongPattern
        | Status::ClearRangeTooLarge
        | Status::PictureTooLarge => Exit::Denied,
        // What came as the service's is not, or not as it must be: another's, cut, late or ended.
        Status::BadChain
        | Status::RoleMissing
        | Status::OutsideValidity
        | Status::Revoked
        | Status::RevocationListNeeded
        | Status::StaleRevocationList
        | Status::BadMessage
        | Status::BadSignature
        | Status::NotForThisRequest
        | Status::NotForThisDevice
        | Status::WrongService
        | Status::UnsupportedVersion
        | Status::Late
        | Status::StaleSequence
        | Status::StaleServiceInfo => Exit::Service,
        // The file's own tables and sizes.
        Status::BadSampleTable
        | Status::MediaTooLarge
        | Status::ContentRejected
        | Status::NoDecoderMemory
        | Status::UnsupportedCodec => Exit::Input,
        // Everything else is between this command and the trusted side; a status of a later core too.
        _ => Exit::Trusted,
    }
}

impl From<BackendError> for Failure {
    fn from(error: BackendError) -> Self {
        Self::of(Exit::Trusted, &error)
    }
}

impl From<MediaError> for Failure {
    fn from(error: MediaError) -> Self {
        Self::of(Exit::Input, &error)
    }
}

impl Failure {
    /// Why `input` was not decrypted. What is wrong with a file is said by its name.
    pub(crate) fn of_playback<E>(error: PlaybackError<E>, input: &Path) -> Self
    where
        E: Error + Send + Sync + 'static,
        Failure: From<E>,
    {
        match error {
            PlaybackError::Decryptor(error) => error.into(),
            PlaybackError::Write { .. } | PlaybackError::Output(_) => {
                Self::of(Exit::Output, &error)
            }
            PlaybackError::SameFile { .. } => Self::of(Exit::Usage, &error),
            PlaybackError::Input(error) => {
                Self::input(format!("{}: {error}", input.display())).cause(&error)
            }
            _ => Self::of(Exit::Input, &error),
        }
    }
}

#[cfg(test)]
mod tests {
    use keybearer_client::ClientError;

    use super::{Exit, Failure, Status, exit_of};

    /// The licence does not allow it, and the file is to be made anew: not a file that is damaged.
    #[test]
    fn a_track_under_the_key_of_the_protected_path_is_named_with_what_it_needs() {
        let failure = Failure::from(ClientError::ProtectedPathTaken {
            track: 2,
            key_id: [0x5e; 16],
            playing: 1,
        });
        assert_eq!(failure.exit, Exit::Denied);
        let what = &failure.what;
        assert!(
            what.starts_with("track 2 cannot be played: its key 5e5e"),
            "{what}"
        );
        assert!(what.contains("protected path alone"), "{what}");
        assert!(
            failure
                .hint
                .is_some_and(|hint| hint.contains("a key of its own"))
        );
    }

    #[derive(Debug, thiserror::Error)]
    #[error("outer: inner")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("inner")]
    struct Inner;

    #[test]
    fn every_status_has_the_exit_code_that_its_cause_deserves() {
        use Exit::{Denied, Input, Service, Trusted};
        // By number, in the order of the statuses: a new one must be given its place here.
        let table = [
            (0, Trusted),
            (1, Trusted),
            (2, Trusted),
            (3, Trusted),
            (4, Trusted),
            (5, Input),
            (6, Trusted),
            (7, Trusted),
            (8, Trusted),
            (9, Trusted),
            (10, Trusted),
            (11, Trusted),
            (32, Trusted),
            (33, Trusted),
            (34, Trusted),
            (35, Trusted),
            (36, Trusted),
            (37, Trusted),
            (38, Trusted),
            (39, Trusted),
            (40, Trusted),
            (64, Trusted),
            (65, Trusted),
            (66, Trusted),
            (67, Service),
            (68, Service),
            (69, Service),
            (70, Service),
            (71, Service),
            (72, Service),
            (73, Trusted),
            (74, Trusted),
            (96, Service),
            (97, Service),
            (98, Service),
            (99, Service),
            (100, Service),
            (101, Service),
            (102, Service),
            (103, Service),
            (104, Trusted),
            (105, Service),
            (128, Denied),
            (129, Denied),
            (130, Denied),
            (131, Denied),
            (132, Denied),
            (133, Denied),
            (134, Denied),
            (135, Trusted),
            (160, Denied),
            (161, Denied),
            (162, Denied),
            (163, Denied),
            (164, Denied),
            (165, Denied),
            (166, Input),
            (167, Denied),
            (168, Denied),
            (169, Trusted),
            (170, Trusted),
            (171, Trusted),
            (192, Input),
            (193, Input),
            (194, Input),
            (195, Trusted),
            (196, Trusted),
        ];
        let given: Vec<(u16, Exit)> = Status::ALL
            .iter()
            .map(|status| (status.code(), exit_of(*status)))
            .collect();
        assert_eq!(given, table);
    }

    #[test]
    fn causes_are_not_repeated() {
        let failure = Failure::input("cannot").cause(&Outer(Inner));
        assert_eq!(failure.causes, ["outer: inner"]);
        assert_eq!(Failure::of(Exit::Input, &Outer(Inner)).causes, [""; 0]);
    }
}
