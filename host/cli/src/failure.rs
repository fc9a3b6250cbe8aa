//! What went wrong, for people: one line of what, what to do next, and the causes beneath.

use std::error::Error;

use keybearer_backend::BackendError;
use keybearer_client::{ClientError, PlaybackError};
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

    /// The causes below an error whose own text is already `what`.
    fn of(exit: Exit, error: &(dyn Error + 'static)) -> Self {
        Self::new(exit, error.to_string()).cause(error)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let (exit, hint) = match &error {
            ClientError::Denied(denial) => (
                Exit::Denied,
                denial
                    .reason
                    .map(|reason| format!("keybearer explain {reason:?}")),
            ),
            ClientError::KeyNotUsable { .. } | ClientError::KeysMissing { .. } => {
                (Exit::Denied, None)
            }
            ClientError::Http { .. } => (Exit::Service, None),
            ClientError::Refused { status, .. } => (
                Exit::Trusted,
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

impl<E> From<PlaybackError<E>> for Failure
where
    E: Error + Send + Sync + 'static,
    Failure: From<E>,
{
    fn from(error: PlaybackError<E>) -> Self {
        match error {
            PlaybackError::Decryptor(error) => error.into(),
            PlaybackError::Write { .. } => Self::of(Exit::Output, &error),
            PlaybackError::SameFile { .. } => Self::of(Exit::Usage, &error),
            _ => Self::of(Exit::Input, &error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Exit, Failure};

    #[derive(Debug, thiserror::Error)]
    #[error("outer: inner")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("inner")]
    struct Inner;

    #[test]
    fn causes_are_not_repeated() {
        let failure = Failure::input("cannot").cause(&Outer(Inner));
        assert_eq!(failure.causes, ["outer: inner"]);
        assert_eq!(Failure::of(Exit::Input, &Outer(Inner)).causes, [""; 0]);
    }
}
