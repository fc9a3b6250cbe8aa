//! The CDDL beside the crate describes what the code reads, no more and no less.
//!
//! The `cddl` crate, which nobody here wrote, validates every message against its rule; then whole
//! messages and single fields are altered, and validator and codec must come to the same verdict.

extern crate std;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use std::collections::BTreeMap;

use cddl::ast::CDDL;
use cddl::validator::Validator as _;
use cddl::validator::cbor::CBORValidator;
use coset::CborSerializable as _;
use coset::cbor::value::Value;
use keybearer_cbor::{Decoder, Error as Cbor, MapDecoder, decode};

use super::vectors::{Vector, all};
use crate::answer::provision::ProvisionBody;
use crate::answer::time::TimeBody;
use crate::cose::sign::Sign1;
use crate::{
    CertificateChain, ContentInit, Denial, License, LicenseRequest, ProvisionRequest, Released,
    TimeRequest,
};

const DOCUMENT: &str = include_str!("../../keybearer.cddl");

/// The document with `rule` first, which is where a validator starts.
fn starting_at(rule: &str) -> String {
    format!("start = {rule}\n{DOCUMENT}")
}

fn parse(document: &str) -> CDDL<'_> {
    cddl::cddl_from_str(document, true).unwrap()
}

fn judge(rules: &CDDL<'_>, value: &Value) -> Result<(), String> {
    CBORValidator::new(rules, value.clone().into(), None)
        .validate()
        .map_err(|error| error.to_string())
}

#[test]
fn messages_match_their_own_rules_and_no_others() {
    let all = all();
    let mut by_rule: BTreeMap<&str, Vec<&Vector>> = BTreeMap::new();
    for vector in &all {
        by_rule.entry(vector.rule).or_default().push(vector);
    }
    for (rule, own) in &by_rule {
        let document = starting_at(rule);
        let rules = parse(&document);
        for vector in own {
            let verdict = judge(&rules, &Value::from_slice(&vector.bytes).unwrap());
            assert_eq!(verdict, Ok(()), "{} is no {rule}", vector.name);
        }
        // One of each other rule is enough, and the smallest is the fastest.
        for (other, foreign) in by_rule.iter().filter(|(other, _)| *other != rule) {
            let vector = foreign
                .iter()
                .min_by_key(|vector| vector.bytes.len())
                .unwrap();
            let verdict = judge(&rules, &Value::from_slice(&vector.bytes).unwrap());
            assert!(verdict.is_err(), "{other} matches {rule}");
        }
    }
}

/// Whether the codec reads `bytes` as the body of `rule`, whatever it makes of the contents.
fn reads(rule: &str, bytes: &[u8]) -> bool {
    fn body<'a, T>(
        bytes: &'a [u8],
        read: impl FnOnce(&mut MapDecoder<'_, 'a>) -> Result<T, Cbor>,
    ) -> bool {
        decode(bytes, 1 << 16, |d: &mut Decoder<'a>| d.map(read)).is_ok()
    }
    use crate::answer::Body as Answer;
    use crate::request::decode_body;
    match rule {
        "provision-claims" => body(bytes, decode_body::<ProvisionRequest>),
        "license-claims" => body(bytes, decode_body::<LicenseRequest>),
        "time-claims" => body(bytes, decode_body::<TimeRequest>),
        "provision-body" => body(bytes, <ProvisionBody as Answer>::decode),
        "time-body" => body(bytes, <TimeBody as Answer>::decode),
        "denial-body" => body(bytes, <Denial as Answer>::decode),
        "released-body" => body(bytes, <Released as Answer>::decode),
        "license-body" => body(bytes, <License as Answer>::decode),
        "service-claims" => crate::certificate::read_service(bytes).is_ok(),
        "issuer-claims" => crate::certificate::read_issuer(bytes).is_ok(),
        "device-claims" => crate::certificate::read_device(bytes).is_ok(),
        "content-init" => ContentInit::from_bytes(bytes).is_ok(),
        "certificate-chain" => CertificateChain::from_bytes(bytes).is_ok(),
        other => panic!("no reader for {other}"),
    }
}

/// Every value with one alteration somewhere inside, and where: left out, of another type, out of
/// range, or with a key that nobody knows.
fn altered(value: &Value, at: &str) -> Vec<(String, Value)> {
    let mut all = vec![
        (format!("{at}=null"), Value::Null),
        (format!("{at}=text"), Value::Text("x".to_string())),
        (
            format!("{at}=large"),
            Value::Integer(1_000_000_000_000_u64.into()),
        ),
        (format!("{at}=negative"), Value::Integer((-1).into())),
    ];
    match value {
        // The validator takes a byte string for a number in a range that holds its length.
        Value::Integer(_) => {}
        _ => all.push((format!("{at}=bytes"), Value::Bytes(b"bytes".to_vec()))),
    }
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let at = format!("{at}[{index}]");
                let mut shorter = items.clone();
                shorter.remove(index);
                all.push((format!("{at} left out"), Value::Array(shorter)));
                for (at, inside) in altered(item, &at) {
                    let mut changed = items.clone();
                    changed[index] = inside;
                    all.push((at, Value::Array(changed)));
                }
            }
        }
        Value::Map(entries) => {
            // 99 sorts behind the small keys and before the large and the negative ones.
            let small = |key: &Value| {
                key.as_integer()
                    .is_some_and(|key| (0..99).contains(&i128::from(key)))
            };
            let place = entries.iter().take_while(|(key, _)| small(key)).count();
            let mut longer = entries.clone();
            longer.insert(place, (Value::Integer(99.into()), Value::Null));
            all.push((format!("{at}/99 added"), Value::Map(longer)));
            for (index, (key, inner)) in entries.iter().enumerate() {
                let at = format!("{at}/{}", i128::from(key.as_integer().unwrap()));
                let mut shorter = entries.clone();
                shorter.remove(index);
                all.push((format!("{at} left out"), Value::Map(shorter)));
                for (at, inside) in altered(inner, &at) {
                    let mut changed = entries.clone();
                    changed[index] = (key.clone(), inside);
                    all.push((at, Value::Map(changed)));
                }
            }
        }
        _ => {}
    }
    all
}

/// What only one of the two accepts.
#[derive(Default)]
struct Comparison {
    only_cddl: Vec<String>,
    only_codec: Vec<String>,
    refused: usize,
    accepted: usize,
}

impl Comparison {
    fn add(&mut self, rule: &str, bytes: &[u8]) {
        let document = starting_at(rule);
        let rules = parse(&document);
        let whole = Value::from_slice(bytes).unwrap();
        assert_eq!(judge(&rules, &whole), Ok(()));
        assert!(reads(rule, bytes));
        for (at, value) in altered(&whole, rule) {
            let bytes = value.clone().to_vec().unwrap();
            match (judge(&rules, &value).is_ok(), reads(rule, &bytes)) {
                (true, true) => self.accepted += 1,
                (false, false) => self.refused += 1,
                (true, false) => self.only_cddl.push(at),
                (false, true) => self.only_codec.push(at),
            }
        }
    }
}

#[test]
fn codec_and_cddl_agree_on_every_alteration() {
    let all = all();
    let payload = |name: &str| {
        let vector = all.iter().find(|vector| vector.name == name).unwrap();
        let signed = Sign1::parse(&vector.bytes, 1 << 16).unwrap();
        signed.unverified_payload().to_vec()
    };
    let mut found = Comparison::default();
    for (rule, name) in [
        ("provision-claims", "provision-request.signed"),
        ("license-claims", "acquire.signed"),
        ("license-claims", "release.signed"),
        ("time-claims", "time-request.signed"),
        ("time-body", "time-answer.signed"),
        ("denial-body", "denial.signed"),
        ("released-body", "released.signed"),
        ("license-body", "license.signed"),
        ("license-body", "license-bare.signed"),
        ("service-claims", "service-certificate"),
        ("issuer-claims", "issuer-certificate"),
        ("device-claims", "device-certificate"),
    ] {
        found.add(rule, &payload(name));
    }
    let Comparison {
        only_cddl,
        only_codec,
        refused,
        accepted,
    } = found;
    assert_eq!(only_codec, Vec::<String>::new());
    assert_eq!(only_cddl, Vec::<String>::new());
    // Most alterations break a rule; leaving out what is optional breaks none.
    assert!(
        refused > 2000 && accepted > 60,
        "{refused} refused, {accepted} accepted"
    );
}
