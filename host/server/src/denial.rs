//! Denials in words: which rule, what it wants, what was found.
//!
//! Whatever a request or a token says may stand in a denial only after it has been cut to what a
//! denial may hold: 64 printable ASCII characters.

use std::fmt::Display;

use keybearer_license::{Denial, DenialReason};

/// Longest text in a denial, in characters.
const MAX_TEXT: usize = 64;

/// The public codes of NAGRA's licence servers (SSP 20.49) for what this server refuses
/// as well; those of single usage rules are the rules room's.
pub(crate) mod code {
    /// The rights of the token do not cover what was asked for.
    pub(crate) const UNGRANTED: u32 = 4000;
    /// No authorisation token.
    pub(crate) const NO_TOKEN: u32 = 4001;
    /// The token's expiry is missing, over, or too far away.
    pub(crate) const BAD_EXPIRY: u32 = 4005;
    /// The token was used before.
    pub(crate) const TOKEN_REPLAYED: u32 = 4006;
    /// The token is for another device.
    pub(crate) const DEVICE_MISMATCH: u32 = 4007;
    /// The device's security level is too low.
    pub(crate) const LEVEL: u32 = 4008;
}

/// A denial that names the rule that was broken.
pub(crate) fn refusal(reason: DenialReason, rule: &str) -> Denial {
    let mut denial = Denial::new(reason);
    denial.rule = text(&rule);
    denial
}

/// What [`refusal`] is completed with.
pub(crate) trait Because: Sized {
    /// What the rule wants, and what was found instead.
    fn because(self, wanted: impl Display, found: impl Display) -> Self;
    /// The number under which the refusal is known to the public.
    fn public(self, code: u32) -> Self;
}

impl Because for Denial {
    fn because(mut self, wanted: impl Display, found: impl Display) -> Self {
        self.wanted = text(&wanted);
        self.found = text(&found);
        self
    }

    fn public(mut self, code: u32) -> Self {
        self.public_code = Some(code);
        self
    }
}

/// What of a text may stand in a denial, if anything.
fn text(of: &impl Display) -> Option<String> {
    let shown: String = of
        .to_string()
        .chars()
        .map(|char| if matches!(char, ' '..='~') { char } else { '?' })
        .take(MAX_TEXT)
        .collect();
    (!shown.is_empty()).then_some(shown)
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        reason = "a failed expectation is how a test reports"
    )]

    use super::*;

    #[test]
    fn what_a_token_says_is_cut_to_what_a_denial_may_hold() {
        let denial = refusal(DenialReason::TokenInvalid, "token.alg")
            .because("HS256", "n\u{f6}ne\n\u{0}".to_owned() + &"x".repeat(100))
            .public(code::UNGRANTED);
        let found = denial.found.unwrap();
        assert_eq!(found.len(), MAX_TEXT);
        assert!(found.starts_with("n?ne??xxx"));
        assert_eq!(denial.wanted.unwrap(), "HS256");
        assert_eq!(denial.public_code, Some(4000));
        assert_eq!(refusal(DenialReason::TokenInvalid, "").rule, None);
    }
}
