//! What people and other programs hand over as text: addresses, enrolment bundles, configurations.

use std::path::Path;
use std::str::FromStr;

use keybearer_client::{AnchorDigest, Enrollment, ServerUrl};
use keybearer_server::{Config, ContentSpec};

use crate::Seed;
use crate::verdict::{Verdict, claim};

/// A content key that stands in a configuration, and of which no error may show eight digits.
const CANARY: &str = "6b3f19c2d0a87e54f1b6a3907cd825e1";
/// Digits in a row that count as shown.
const SHOWN: usize = 8;

/// **Claim**: an address that is taken is shown as it will be asked, within 512 bytes, names a host
/// and no user, and is taken as the same again. A bundle that is taken names such an address. A
/// configuration is taken or refused without a panic, and no refusal, of a file or of a content that
/// comes over the network, shows a key that stands in it.
///
/// The first byte chooses the kind of text. In a configuration the third line is one that gives a key.
///
/// # Panics
/// When `data` falsifies it.
pub fn run(data: &[u8]) {
    let Some((selector, rest)) = data.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(rest);
    let verdict = match selector % 4 {
        0 => address(&text, &|text| text.parse().ok()),
        1 => bundle(rest),
        2 => configuration(&text, &|text| {
            let parsed = Config::parse(text, Path::new("/"));
            parsed.err().map(|error| format!("{error} {error:?}"))
        }),
        _ => configuration(&text, &|text| {
            let parsed = serde_json::from_str::<ContentSpec>(text);
            parsed.err().map(|error| format!("{error} {error:?}"))
        }),
    };
    verdict.unwrap_or_else(|words| panic!("{words}"));
}

/// The same about any parser of addresses.
fn address(text: &str, parse: &dyn Fn(&str) -> Option<ServerUrl>) -> Verdict {
    let Some(url) = parse(text) else {
        return Ok(());
    };
    let shown = url.to_string();
    claim!(shown.len() <= 512, "{} bytes of address", shown.len());
    claim!(text.starts_with(&shown), "shown as {shown:?}");
    let rest = shown
        .strip_prefix("http://")
        .or(shown.strip_prefix("https://"));
    // Schemes may be written in capitals.
    let rest = rest.or_else(|| shown.split_once("://").map(|(_, rest)| rest));
    let authority = rest
        .and_then(|rest| rest.split('/').next())
        .unwrap_or_default();
    claim!(
        !authority.is_empty() && !authority.starts_with(':') && !authority.contains('@'),
        "not a host alone in {shown:?}"
    );
    claim!(
        !shown.contains(['?', '#', '\n', ' ']),
        "more than an address: {shown:?}"
    );
    let again = ServerUrl::from_str(&shown);
    claim!(again.as_ref() == Ok(&url), "taken again as {again:?}");
    Ok(())
}

fn bundle(json: &[u8]) -> Verdict {
    let Ok(bundle) = Enrollment::parse(json) else {
        return Ok(());
    };
    let anchor = bundle.anchor.to_string();
    claim!(
        AnchorDigest::from_str(&anchor) == Ok(bundle.anchor),
        "anchor {anchor}"
    );
    let url = bundle.url.to_string();
    address(&url, &|text| text.parse().ok())
}

/// The same about any parser that gives its refusal's words.
fn configuration(text: &str, refusal: &dyn Fn(&str) -> Option<String>) -> Verdict {
    // Inside a text of several lines, or of a name, the line gives no key.
    if text.contains("\"\"\"") || text.contains("'''") {
        return Ok(());
    }
    let json = text.trim_start().starts_with('{');
    let line = if json {
        format!("\"key\": \"{CANARY}\",")
    } else {
        format!("key = \"{CANARY}\"")
    };
    let mut lines: Vec<&str> = text.lines().collect();
    // In JSON the line must stand between two members, so that it is one.
    let place = lines.iter().position(|line| line.trim() == "#key#");
    let Some(place) = place else {
        drop(refusal(text));
        return Ok(());
    };
    lines[place] = &line;
    let words = refusal(&lines.join("\n")).unwrap_or_default();
    let shown = (0..=CANARY.len() - SHOWN).any(|at| words.contains(&CANARY[at..at + SHOWN]));
    claim!(!shown, "a refusal shows a key: {words}");
    Ok(())
}

const CONFIGURATION: &str = r#"key_dir = "keys"
store = "store.redb"
listen = "127.0.0.1:8080"
public_url = "https://license.example"

[limits]
max_connections = 100

[[tenant]]
name = "default"

[[content]]
id = "movie"
[[content.keys]]
kid = "00112233445566778899aabbccddeeff"
#key#
track = "hd"
scheme = "cenc"
"#;

const CONTENT: &str = r#"{"id": "movie", "keys": [{
"kid": "00112233445566778899aabbccddeeff",
#key#
"track": "hd", "scheme": "cenc"}]}"#;

/// One of each, right and wrong.
pub(crate) fn seeds() -> Vec<Seed> {
    let seed =
        |name: &str, kind: u8, text: &str| Seed::new(name, [&[kind], text.as_bytes()].concat());
    let anchor = "ab".repeat(32);
    let bundle = format!(
        r#"{{"anchor": "{anchor}", "url": "http://127.0.0.1:8080/", "token": "kbe_x", "factory": false}}"#
    );
    vec![
        seed("url", 0, "https://license.example:8443/path/"),
        seed("url-address", 0, "http://[::1]:80"),
        seed("url-user", 0, "http://user:password@host"),
        seed("url-capitals", 0, "HTTP://HOST"),
        seed("bundle", 1, &bundle),
        seed("configuration", 2, CONFIGURATION),
        seed("configuration-wrong", 2, &CONFIGURATION.replace("hd", "4k")),
        seed("content", 3, CONTENT),
        seed("content-wrong", 3, &CONTENT.replace("\"hd\"", "7")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_are_read() {
        assert!(
            "https://license.example:8443/path/"
                .parse::<ServerUrl>()
                .is_ok()
        );
        let taken = CONFIGURATION.replace("#key#", &format!("key = \"{CANARY}\""));
        let config = Config::parse(&taken, Path::new("/"));
        assert!(config.is_ok(), "{:?}", config.err());
        let taken = CONTENT.replace("#key#", &format!("\"key\": \"{CANARY}\","));
        let content = serde_json::from_str::<ContentSpec>(&taken);
        assert!(content.is_ok(), "{:?}", content.err());
    }

    #[test]
    fn a_parser_that_tells_keys_is_found_out() {
        let talking = |text: &str| Some(format!("cannot read {text}"));
        assert!(configuration(CONFIGURATION, &talking).is_err());
        assert!(configuration(CONTENT, &talking).is_err());
    }

    #[test]
    fn a_parser_that_takes_another_address_is_found_out() {
        let other = |_: &str| "http://elsewhere".parse().ok();
        assert!(address("http://here", &other).is_err());
        assert!(address("http://elsewhere/", &other).is_ok());
    }
}
