//! How a command table is written: numbers, names and the types of requests and answers.
//!
//! Each trusted application has a table of its own, and with it a `Command` and an `Exchange` of its
//! own: a request of one cannot be sent to the other by mistake, because it does not compile.

/// One table declares number, name, request and answer; what stands before it says whose commands
/// they are. The bodies are those of the module `body` where the table stands. A number is never used
/// again: a retired command leaves a comment in its table.
macro_rules! commands {
    ($whose:literal; $($code:literal => $name:ident, $request:ident $(<$rlt:lifetime>)?, $answer:ident $(<$alt:lifetime>)?, $text:literal;)*) => {
        /// Ties a command number to the types of its request and answer.
        pub trait Exchange<'a>: $crate::field::Body<'a> {
            /// The command whose request this is.
            const COMMAND: Command;
            /// The answer under [`crate::Status::Ok`].
            type Answer<'b>: $crate::field::Body<'b>;
        }

        #[doc = $whose]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum Command {
            $(#[doc = $text] $name = $code,)*
        }

        impl Command {
            /// Every command, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The number on the wire.
            #[must_use]
            pub const fn code(self) -> u32 {
                match self { $(Self::$name => $code),* }
            }

            /// The command of a number.
            #[must_use]
            pub const fn from_code(code: u32) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }

        $(commands!(@exchange $name, $request, ($($rlt)?), $answer, ($($alt)?));)*
    };
    (@exchange $name:ident, $request:ident, (), $answer:ident, ()) => {
        impl<'a> Exchange<'a> for body::$request {
            const COMMAND: Command = Command::$name;
            type Answer<'b> = body::$answer;
        }
    };
    (@exchange $name:ident, $request:ident, ($rlt:lifetime), $answer:ident, ()) => {
        impl<'a> Exchange<'a> for body::$request<'a> {
            const COMMAND: Command = Command::$name;
            type Answer<'b> = body::$answer;
        }
    };
    (@exchange $name:ident, $request:ident, (), $answer:ident, ($alt:lifetime)) => {
        impl<'a> Exchange<'a> for body::$request {
            const COMMAND: Command = Command::$name;
            type Answer<'b> = body::$answer<'b>;
        }
    };
    (@exchange $name:ident, $request:ident, ($rlt:lifetime), $answer:ident, ($alt:lifetime)) => {
        impl<'a> Exchange<'a> for body::$request<'a> {
            const COMMAND: Command = Command::$name;
            type Answer<'b> = body::$answer<'b>;
        }
    };
}
pub(crate) use commands;
