//! One rule's value as people and files write it.
//!
//! The tables write `-`, `TRUE`, `3000`, `0x40791AC78BD5C571` and `TYPE_1`. A [`Form`] is any of
//! these before a rule has looked at it; only [`RuleValue::read`] turns it into a value, and what is
//! no value of the rule it refuses.

use core::fmt;

/// A value as it is written, of whatever rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form<'a> {
    /// `-`: the rule is not set.
    Unset,
    /// `TRUE` or `FALSE`.
    Bool(bool),
    /// A number in decimal.
    Int(u64),
    /// A constant in hexadecimal, with its prefix.
    Hex(u64),
    /// Any other word.
    Word(&'a str),
}

impl<'a> Form<'a> {
    /// Reads the writing of the tables. Whatever is nothing else is a word.
    #[must_use]
    pub fn from_text(text: &'a str) -> Self {
        let hex = |text: &str| {
            // `from_str_radix` takes a sign, which no constant has.
            let digits = text.strip_prefix("0x")?;
            let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            u64::from_str_radix(digits, 16).ok().filter(|_| plain)
        };
        let int = |text: &str| {
            let plain = text.bytes().all(|digit| digit.is_ascii_digit());
            text.parse().ok().filter(|_| plain)
        };
        match text {
            "-" => Self::Unset,
            "TRUE" => Self::Bool(true),
            "FALSE" => Self::Bool(false),
            _ => int(text)
                .map(Self::Int)
                .or_else(|| hex(text).map(Self::Hex))
                .unwrap_or(Self::Word(text)),
        }
    }
}

impl fmt::Display for Form<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset => f.write_str("-"),
            Self::Bool(true) => f.write_str("TRUE"),
            Self::Bool(false) => f.write_str("FALSE"),
            Self::Int(number) => number.fmt(f),
            Self::Hex(number) => write!(f, "0x{number:016X}"),
            Self::Word(word) => f.write_str(word),
        }
    }
}

/// Why a rule was not set. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The rule family has no rule of this name.
    #[error("no such rule in this family")]
    UnknownRule,
    /// The value is none of the rule's.
    #[error("{rule}: expected {expected}")]
    Value {
        /// The rule.
        rule: &'static str,
        /// The values that it takes.
        expected: &'static str,
    },
}

/// A type whose values are those of a rule, all of them and no others.
pub trait RuleValue: Copy {
    /// The values as an error message names them.
    const EXPECTED: &'static str;

    /// The value as the tables write it.
    fn form(self) -> Form<'static>;

    /// The value of a form, if it is one.
    fn read(form: Form<'_>) -> Option<Self>;
}

impl RuleValue for bool {
    const EXPECTED: &'static str = "TRUE or FALSE";

    fn form(self) -> Form<'static> {
        Form::Bool(self)
    }

    fn read(form: Form<'_>) -> Option<Self> {
        match form {
            Form::Bool(value) => Some(value),
            _ => None,
        }
    }
}

/// An optional rule; `-` is always among its values.
impl<T: RuleValue> RuleValue for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    fn form(self) -> Form<'static> {
        self.map_or(Form::Unset, T::form)
    }

    fn read(form: Form<'_>) -> Option<Self> {
        match form {
            Form::Unset => Some(None),
            set => T::read(set).map(Some),
        }
    }
}

/// Defines a rule's values where they are numbers.
macro_rules! numbers {
    (
        $(#[$meta:meta])*
        $enum:ident as $form:ident, $expected:literal {
            $($(#[$variant_meta:meta])* $variant:ident = $number:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $enum {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $enum {
            /// Every value, in the order of the tables.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The number in the tables.
            #[must_use]
            pub const fn number(self) -> u64 {
                match self {
                    $(Self::$variant => $number,)+
                }
            }

            /// The value with this number.
            #[must_use]
            pub const fn from_number(number: u64) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl $crate::form::RuleValue for $enum {
            const EXPECTED: &'static str = $expected;

            fn form(self) -> $crate::form::Form<'static> {
                $crate::form::Form::$form(self.number())
            }

            fn read(form: $crate::form::Form<'_>) -> Option<Self> {
                match form {
                    $crate::form::Form::$form(number) => Self::from_number(number),
                    _ => None,
                }
            }
        }
    };
}

/// Defines a rule's values where they are words.
macro_rules! words {
    (
        $(#[$meta:meta])*
        $enum:ident, $expected:literal {
            $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $enum {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $enum {
            /// Every value, in the order of the tables.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word in the tables.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// The value with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl core::fmt::Display for $enum {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl $crate::form::RuleValue for $enum {
            const EXPECTED: &'static str = $expected;

            fn form(self) -> $crate::form::Form<'static> {
                $crate::form::Form::Word(self.name())
            }

            fn read(form: $crate::form::Form<'_>) -> Option<Self> {
                match form {
                    $crate::form::Form::Word(word) => Self::from_name(word),
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use {numbers, words};

#[cfg(test)]
mod tests;
