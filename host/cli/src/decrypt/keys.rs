//! Keys as people write them down: `KID:KEY`, hexadecimal.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use keybearer_cenc::ContentKey;
use keybearer_client::{KeyId, explain::kid};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::given;
use crate::terminal::Terminal;

/// Largest key file in bytes: some 15,000 keys.
const MAX_KEY_FILE: u64 = 1 << 20;
const EXPECTED: &str = "expected KID:KEY, 32 hexadecimal digits each";

/// Content keys by their ids. Boxed, since moving a key could leave a copy of it behind.
#[derive(Default)]
pub(super) struct Keys(BTreeMap<KeyId, Key>);

struct Key {
    ready: Box<ContentKey>,
    /// To tell a repeated key from a contradiction.
    plain: Zeroizing<[u8; 16]>,
}

impl Keys {
    /// Reads a key file.
    pub(super) fn read(&mut self, path: &Path, terminal: Terminal) -> Result<(), Failure> {
        let name = path.display();
        let unread = |error: &std::io::Error| {
            Failure::input(format!("cannot read key file {name}")).cause(error)
        };
        given::refuse_folder(path, "a file of KID:KEY lines")?;
        let file = std::fs::File::open(path).map_err(|error| unread(&error))?;
        warn_if_others_can_read(path, &file, terminal);
        let mut bytes = Zeroizing::new(Vec::new());
        file.take(MAX_KEY_FILE + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| unread(&error))?;
        if bytes.len() as u64 > MAX_KEY_FILE {
            return Err(Failure::input(format!(
                "key file {name} has more than {MAX_KEY_FILE} bytes; is it the right file?"
            )));
        }
        let before = self.0.len();
        for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let line = line
                .split(|byte| *byte == b'#')
                .next()
                .unwrap_or(line)
                .trim_ascii();
            if !line.is_empty() {
                self.add(line).map_err(|what| {
                    // The line itself may hold a key and is never shown.
                    Failure::input(format!("key file {name}, line {}: {what}", number + 1))
                        .hint("each line is KID:KEY, hexadecimal; # begins a comment")
                })?;
            }
        }
        if self.0.len() == before {
            return Err(Failure::input(format!(
                "key file {name} holds no key; {EXPECTED}"
            )));
        }
        Ok(())
    }

    /// Takes a key from an argument.
    pub(super) fn add_argument(&mut self, text: String) -> Result<(), Failure> {
        let text = Zeroizing::new(text);
        self.add(text.trim().as_bytes())
            .map_err(|what| Failure::usage(format!("--key: {what}")))
    }

    fn add(&mut self, text: &[u8]) -> Result<(), String> {
        let Some(colon) = text.iter().position(|byte| *byte == b':') else {
            return Err(format!("no colon found; {EXPECTED}"));
        };
        let (id, key) = (text[..colon].trim_ascii(), text[colon + 1..].trim_ascii());
        let id = digits("key id", id)?;
        let plain = Zeroizing::new(digits("key", key)?);
        if let Some(other) = self.0.get(&id) {
            return if *other.plain == *plain {
                Ok(())
            } else {
                Err(format!(
                    "another key was given for key id {} before",
                    kid(&id)
                ))
            };
        }
        let ready = Box::new(ContentKey::new(&plain));
        self.0.insert(id, Key { ready, plain });
        Ok(())
    }

    pub(super) fn get(&self, id: &KeyId) -> Option<&ContentKey> {
        self.0.get(id).map(|key| &*key.ready)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &KeyId> {
        self.0.keys()
    }
}

/// Sixteen bytes; the dashes of a UUID are passed over.
fn digits(what: &str, text: &[u8]) -> Result<[u8; 16], String> {
    let plain: Zeroizing<Vec<u8>> =
        Zeroizing::new(text.iter().copied().filter(|byte| *byte != b'-').collect());
    let mut bytes = [0; 16];
    match hex::decode_to_slice(plain.as_slice(), &mut bytes) {
        Ok(()) => Ok(bytes),
        Err(hex::FromHexError::InvalidHexCharacter { index, .. }) => Err(format!(
            "{what}: character {} is no hexadecimal digit; {EXPECTED}",
            index + 1
        )),
        Err(_) => Err(format!("{what}: {} digits found; {EXPECTED}", plain.len())),
    }
}

#[cfg(unix)]
fn warn_if_others_can_read(path: &Path, file: &std::fs::File, terminal: Terminal) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(about) = file.metadata() else { return };
    let mode = about.permissions().mode() & 0o777;
    // Of a device or a pipe the mode says nothing about who reads what comes out of it.
    if about.is_file() && mode & 0o077 != 0 {
        let name = path.display();
        terminal.warn(format!(
            "key file {name} has mode {mode:o}, so others can read it: chmod 600 {name}"
        ));
    }
}

#[cfg(not(unix))]
fn warn_if_others_can_read(_: &Path, _: &std::fs::File, _: Terminal) {}

#[cfg(test)]
mod tests {
    use super::Keys;

    const KID: &str = "00112233445566778899aabbccddeeff";

    fn add(text: &str) -> Result<usize, String> {
        let mut keys = Keys::default();
        keys.add(text.as_bytes()).map(|()| keys.ids().count())
    }

    #[test]
    fn keys_with_zero_bytes_and_uuids_are_taken() {
        assert_eq!(add(&format!("{KID}:{}", "00".repeat(16))), Ok(1));
        assert_eq!(
            add(&format!("00112233-4455-6677-8899-AABBCCDDEEFF : {KID}")),
            Ok(1)
        );
    }

    #[test]
    fn what_is_wrong_is_said_without_the_key() {
        let secret = "5ec7e75ec7e75ec7e75ec7e75ec7e7";
        for (text, said) in [
            (format!("{KID}{secret}"), "no colon"),
            (format!("{KID}:{secret}"), "key: 30 digits found"),
            (format!("{KID}:{secret}xx"), "key: character 31 is no"),
            (format!("0011:{secret}00"), "key id: 4 digits found"),
        ] {
            let error = add(&text).expect_err("not a key");
            assert!(error.contains(said), "{error}");
            assert!(!error.contains("5ec7e7"), "{error}");
        }
    }

    #[test]
    fn one_id_has_one_key() {
        let mut keys = Keys::default();
        keys.add(format!("{KID}:{KID}").as_bytes()).expect("a key");
        keys.add(format!("{KID}:{KID}").as_bytes())
            .expect("the same again");
        let error = keys.add(format!("{KID}:{}", "00".repeat(16)).as_bytes());
        assert!(error.expect_err("contradiction").contains("another key"));
    }
}
