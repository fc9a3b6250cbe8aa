//! Exit codes: part of the interface, so the numbers never change their meaning.

/// What the command's exit code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// A clear file is not what it should be.
    Unverified = 1,
    /// The arguments contradict each other or name what does not exist.
    Usage = 2,
    /// What came in cannot be used: a media, key, configuration, bundle or message file.
    Input = 3,
    /// The service refused, or a licence does not allow it.
    Denied = 4,
    /// The service could not be reached, answered nonsense, is not to be believed, or could not be
    /// started.
    Service = 5,
    /// The trusted side is missing, died or refused.
    Trusted = 6,
    /// The result could not be written.
    Output = 7,
    /// The active outputs do not give what a key demands of them.
    Restricted = 8,
    /// Ctrl-C.
    Interrupted = 130,
}

/// Every code with its name and what it means, in the order of the numbers.
pub(crate) const CODES: &[(u8, &str, &str)] = &[
    (0, "ok", "everything asked for was done"),
    (
        1,
        "unverified",
        "a decrypted file differs from what it should be (demo)",
    ),
    (2, "usage", "the arguments are wrong"),
    (
        3,
        "input",
        "an input cannot be used: media, key, configuration, bundle or message",
    ),
    (
        4,
        "denied",
        "the service refused, or the licence does not allow it",
    ),
    (
        5,
        "service",
        "the service cannot be reached, started or trusted, or answered nonsense",
    ),
    (6, "trusted", "the trusted side is missing, died or refused"),
    (7, "output", "the result could not be written"),
    (
        8,
        "restricted",
        "the active outputs do not give what a key's rules demand",
    ),
    (
        130,
        "interrupted",
        "stopped by Ctrl-C; nothing is left under the final name",
    ),
];

impl Exit {
    /// Every code but 0.
    const ALL: [Self; 9] = [
        Self::Unverified,
        Self::Usage,
        Self::Input,
        Self::Denied,
        Self::Service,
        Self::Trusted,
        Self::Output,
        Self::Restricted,
        Self::Interrupted,
    ];

    /// What another process of this command ended with.
    pub(crate) fn of_code(code: i32) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|exit| i32::from(exit.code()) == code)
    }

    /// The number.
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }

    /// The name, as `--json` gives it.
    pub(crate) fn name(self) -> &'static str {
        CODES
            .iter()
            .find(|(code, ..)| *code == self.code())
            .map_or("unknown", |(_, name, _)| name)
    }
}

/// The table for `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
    0  ok
    1  a decrypted file differs from what it should be (demo)
    2  the arguments are wrong
    3  an input cannot be used: media, key, configuration, bundle or message
    4  the service refused, or the licence does not allow it
    5  the service cannot be reached, started or trusted, or answered nonsense
    6  the trusted side is missing, died or refused
    7  the result could not be written
    8  the active outputs do not give what a key's rules demand
  130  stopped by Ctrl-C; nothing is left under the final name";

#[cfg(test)]
mod tests {
    use super::{CODES, Exit, HELP};

    #[test]
    fn every_code_has_one_row_and_the_help_says_the_same() {
        assert_eq!(CODES.len(), Exit::ALL.len() + 1, "and 0");
        for exit in Exit::ALL {
            assert_eq!(Exit::of_code(exit.code().into()), Some(exit));
            assert_eq!(
                CODES
                    .iter()
                    .filter(|(code, ..)| *code == exit.code())
                    .count(),
                1
            );
            assert_ne!(exit.name(), "unknown");
        }
        for (code, _, meaning) in &CODES[1..] {
            assert!(HELP.contains(&format!("{code:>5}  {meaning}")), "{code}");
        }
    }
}
