//! Software backend: the trusted core on the same operating system (level Low).

#![forbid(unsafe_code)]
