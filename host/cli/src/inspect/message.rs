//! Messages and certificates of the licence protocol, as they present themselves. No signature is
//! verified and nothing is opened: what is sealed is shown by its envelope.

use ciborium::Value;
use keybearer_client::explain::time;
use keybearer_license::{
    CertificateChain, Issues, MessageType, PublicKey, Roles, SealedView, SignedView, UnixTime,
    Validity, peek_device, peek_encrypt, peek_issuer, peek_service, peek_sign1,
    public_key_from_cose,
};
use serde::Serialize;

use super::tree::Tree;
use crate::failure::Failure;
use crate::sizes::counted;

/// What a message says of itself.
#[derive(Debug, Serialize)]
pub(super) struct MessageReport {
    bytes: usize,
    /// What it is, or looks like.
    message: String,
    /// Always false, so that nobody builds on it.
    verified: bool,
    fields: Vec<Field>,
    certificates: Vec<Certificate>,
}

/// A name and a value.
#[derive(Debug, Serialize)]
struct Field {
    name: String,
    value: String,
}

/// A certificate.
#[derive(Debug, Serialize)]
struct Certificate {
    what: &'static str,
    fields: Vec<Field>,
}

fn field(name: &str, value: impl ToString) -> Field {
    Field {
        name: name.to_owned(),
        value: value.to_string(),
    }
}

impl MessageReport {
    pub(super) fn of(bytes: &[u8], from: &str) -> Result<Self, Failure> {
        let mut report = Self {
            bytes: bytes.len(),
            message: String::new(),
            verified: false,
            fields: Vec::new(),
            certificates: Vec::new(),
        };
        let signed = match peek_sign1(bytes) {
            Ok(signed) => {
                report.signed(bytes, &signed);
                return Ok(report);
            }
            Err(error) => error,
        };
        if let Ok(sealed) = peek_encrypt(bytes) {
            report.sealed(&sealed);
        } else if let Ok(chain) = CertificateChain::from_bytes(bytes) {
            report.message = "certificate chain".into();
            report.chain(std::iter::once(&chain.leaf).chain(&chain.issuers));
        } else if let Ok(key) = public_key_from_cose(bytes) {
            report.message = "public key".into();
            report.fields.extend(point(&key));
        } else {
            return Err(Failure::input(format!(
                "{from}: neither a media file nor a pssh box nor a message of this protocol"
            ))
            .cause(&signed));
        }
        Ok(report)
    }

    fn signed(&mut self, bytes: &[u8], signed: &SignedView) {
        self.message = kind(signed.kind).into();
        if matches!(
            signed.kind,
            MessageType::ServiceCertificate
                | MessageType::IssuerCertificate
                | MessageType::DeviceCertificate
        ) {
            self.fields = certificate(bytes).fields;
            return;
        }
        self.fields.extend(payload(&signed.payload));
        if let Some(root) = &signed.root {
            self.fields.push(field("root key x", hex::encode(root.x)));
        }
        self.chain(signed.chain.iter());
    }

    fn sealed(&mut self, sealed: &SealedView) {
        // Requests carry their id in the envelope, answers the digest of the request.
        self.message = if sealed.request.is_some() {
            "sealed answer"
        } else {
            "sealed request"
        }
        .into();
        self.fields.push(field(
            "sealed",
            counted(sealed.ciphertext_len as u64, "byte"),
        ));
        self.fields
            .extend(sealed.request_id.map(|id| field("request id", id)));
        self.fields.extend(
            sealed
                .request
                .map(|digest| field("answers", hex::encode(digest.0))),
        );
        self.fields
            .extend(sealed.license_id.map(|id| field("licence id", id)));
        self.fields
            .push(field("ephemeral x", hex::encode(sealed.ephemeral.x)));
    }

    fn chain<'a>(&mut self, certificates: impl Iterator<Item = &'a Vec<u8>>) {
        self.certificates
            .extend(certificates.map(|bytes| certificate(bytes)));
    }

    pub(super) fn tree(&self, name: &str) -> Tree {
        let size = counted(self.bytes as u64, "byte");
        let chain = self.certificates.iter().map(|certificate| {
            Tree::new(certificate.what).with(certificate.fields.iter().map(Field::tree))
        });
        Tree::new(format!("{name}  {size}, {}, UNVERIFIED", self.message))
            .with(self.fields.iter().map(Field::tree))
            .with(chain)
    }
}

impl Field {
    fn tree(&self) -> Tree {
        Tree::field(&self.name, &self.value)
    }
}

const fn kind(kind: MessageType) -> &'static str {
    match kind {
        MessageType::ServiceInfo => "service info",
        MessageType::ProvisionRequest => "provision request",
        MessageType::ProvisionAnswer => "provision answer",
        MessageType::LicenseRequest => "licence request",
        MessageType::License => "licence",
        MessageType::Denial => "denial",
        MessageType::TimeRequest => "time request",
        MessageType::TimeAnswer => "time answer",
        MessageType::RevocationList => "revocation list",
        MessageType::Released => "release answer",
        MessageType::ServiceCertificate => "service certificate",
        MessageType::IssuerCertificate => "issuer certificate",
        MessageType::DeviceCertificate => "device certificate",
    }
}

/// A certificate's claims, whichever kind it is.
fn certificate(bytes: &[u8]) -> Certificate {
    if let Ok(claims) = peek_service(bytes) {
        let mut fields = vec![
            field("service", claims.service.as_str()),
            field("roles", roles(claims.roles)),
        ];
        fields.extend(validity(claims.validity));
        fields.push(field("serial", claims.serial));
        fields.push(field("signing x", hex::encode(claims.signing_key.x)));
        fields.push(field("agreement x", hex::encode(claims.agreement_key.x)));
        return Certificate {
            what: "service certificate",
            fields,
        };
    }
    if let Ok(claims) = peek_issuer(bytes) {
        let mut fields = vec![
            field("issuer", claims.name.as_str()),
            field("issues", issues(claims.issues)),
        ];
        fields.push(field("roles", roles(claims.roles)));
        fields.extend(validity(claims.validity));
        fields.push(field("serial", claims.serial));
        fields.push(field("signing x", hex::encode(claims.signing_key.x)));
        return Certificate {
            what: "issuer certificate",
            fields,
        };
    }
    if let Ok(claims) = peek_device(bytes) {
        let mut fields = vec![
            field("model", claims.model.as_str()),
            field("level", format!("at most {}", claims.highest_level)),
            field(
                "debug",
                if claims.debug.is_debug() {
                    "development device"
                } else {
                    "no"
                },
            ),
        ];
        fields.extend(validity(claims.validity));
        fields.push(field("serial", claims.serial));
        fields.push(field("device", claims.ueid));
        fields.push(field("signing x", hex::encode(claims.signing_key.x)));
        return Certificate {
            what: "device certificate",
            fields,
        };
    }
    Certificate {
        what: "certificate that cannot be read",
        fields: Vec::new(),
    }
}

fn point(key: &PublicKey) -> [Field; 2] {
    [
        field("x", hex::encode(key.x)),
        field("y", hex::encode(key.y)),
    ]
}

fn validity(validity: Validity) -> [Field; 2] {
    let UnixTime(from) = validity.not_before;
    let UnixTime(until) = validity.not_after;
    [field("from", time(from)), field("until", time(until))]
}

fn roles(roles: Roles) -> String {
    let all = [
        (Roles::LICENSE, "licence"),
        (Roles::TIME, "time"),
        (Roles::REVOCATION, "revocation"),
        (Roles::PROVISIONING, "provisioning"),
    ];
    listed(all.into_iter().filter(|(role, _)| roles.contains(*role)))
}

fn issues(issues: Issues) -> String {
    let all = [(Issues::SERVICES, "services"), (Issues::DEVICES, "devices")];
    listed(all.into_iter().filter(|(kind, _)| issues.contains(*kind)))
}

fn listed<T>(named: impl Iterator<Item = (T, &'static str)>) -> String {
    let names: Vec<&str> = named.map(|(_, name)| name).collect();
    if names.is_empty() {
        "none".into()
    } else {
        names.join(", ")
    }
}

/// Claims that stand in the open: those of service info and revocation lists (docs of
/// `keybearer_license`, RFC 8392, RFC 9711).
const CLAIMS: &[(i128, &str, bool)] = &[
    (6, "made at", true),
    (-65543, "challenge", false),
    (-65560, "list number", false),
    (-65566, "next update", true),
    (-65567, "serials", false),
];

/// A payload's top-level claims. It was decoded strictly before, so this reading can be lenient.
fn payload(bytes: &[u8]) -> Vec<Field> {
    let Ok(Value::Map(claims)) = ciborium::from_reader::<Value, _>(bytes) else {
        return vec![field("payload", counted(bytes.len() as u64, "byte"))];
    };
    let claims = claims.iter().map(|(key, value)| {
        let number = key.as_integer().map(i128::from);
        let known = CLAIMS.iter().find(|(claim, ..)| Some(*claim) == number);
        let name = match (known, number) {
            (Some((_, name, _)), _) => (*name).to_owned(),
            (None, Some(number)) => format!("claim {number}"),
            (None, None) => "claim".to_owned(),
        };
        let seconds = value
            .as_integer()
            .and_then(|value| u64::try_from(i128::from(value)).ok());
        let text = match (known, seconds) {
            (Some((.., true)), Some(seconds)) => time(seconds),
            _ => shown(value),
        };
        Field { name, value: text }
    });
    claims.collect()
}

/// A value in a few words.
fn shown(value: &Value) -> String {
    match value {
        Value::Integer(number) => i128::from(*number).to_string(),
        // A challenge is opaque; its head is enough to tell two apart.
        Value::Bytes(bytes) if bytes.len() > 32 => {
            let head = hex::encode(bytes.get(..16).unwrap_or(bytes));
            format!("{head}… ({})", counted(bytes.len() as u64, "byte"))
        }
        Value::Bytes(bytes) => hex::encode(bytes),
        Value::Text(text) => text.escape_debug().to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) if items.len() <= 8 => {
            items.iter().map(shown).collect::<Vec<_>>().join(", ")
        }
        Value::Array(items) => counted(items.len() as u64, "item"),
        Value::Map(entries) => counted(entries.len() as u64, "entry").replace("entrys", "entries"),
        _ => "…".to_owned(),
    }
}
