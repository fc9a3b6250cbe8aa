use alloc::{format, string::String, vec, vec::Vec};

use super::*;
use crate::field::{Body, CodecError};
use crate::golden::{encoding, golden};
use crate::limits::MAX_RESPONSE;
use crate::{Command, Exchange};

const ANCHOR: [u8; 32] = [0xa1; 32];
const KEY_ID: [u8; 16] = [0x11; 16];
const LICENSE: [u8; 16] = [0x44; 16];

golden! {
    "Describe" => Describe: Describe {};
    "Description" => Description<'_>: Description {
        abi: 1, version: Text("0.1.0"), level: 1, isolation: Isolation::InProcess, debug: true,
        counter: Some(1), clock: true, max_media: 4 << 20, application_anchors: false,
        protected: false,
    };
    "DescriptionWithoutCounter" => Description<'_>: Description {
        abi: 1, version: Text("0.1.0"), level: 2, isolation: Isolation::Tee, debug: false,
        counter: None, clock: false, max_media: 64 << 10, application_anchors: true,
        protected: true,
    };
    "DeviceKey" => DeviceKey: DeviceKey { anchor: ANCHOR };
    "DeviceKeyAnswer" => DeviceKeyAnswer:
        DeviceKeyAnswer { key_digest: [0xd1; 32], provisioned: false };
    "BeginProvisioning" => BeginProvisioning<'_>: BeginProvisioning {
        anchor: ANCHOR, service_info: Blob(b"info"), token_kind: TokenKind::Factory,
        token: Blob(b"token"), model: Text("Model X"),
    };
    "Message" => Message<'_>: Message { bytes: Blob(b"sealed") };
    "FinishProvisioning" => FinishProvisioning<'_>:
        FinishProvisioning { anchor: ANCHOR, answer: Blob(b"answer") };
    "ProvisioningFinished" => ProvisioningFinished<'_>: ProvisioningFinished {
        certified: Some(Provisioned { level: 2, debug: true }), denial: None,
    };
    "ProvisioningFinishedDenial" => ProvisioningFinished<'_>: ProvisioningFinished {
        certified: None,
        denial: Some(DenialReport {
            reason: 27, rule: Some(Text("token-used")), wanted: None, found: None,
            server_code: None, retry_after: None, level_needed: None, key_id: None,
        }),
    };
    "EraseIdentity" => EraseIdentity: EraseIdentity { anchor: ANCHOR };
    "Empty" => Empty: Empty {};
    "OpenSession" => OpenSession<'_>:
        OpenSession { anchor: ANCHOR, service_info: Blob(b"info"), protected: true };
    "SessionOpened" => SessionOpened: SessionOpened { session: (1 << 32) + 2 };
    "CloseSession" => CloseSession: CloseSession { session: (1 << 32) + 2 };
    "BuildRequest" => BuildRequest<'_>: BuildRequest {
        session: 7, kind: RequestKind::Renew, key_ids: List(vec![KEY_ID, [0x22; 16]]),
        init_data: List(vec![InitData { system_id: [0x33; 16], data: Blob(b"pssh") }]),
        stored: false, token: Some(Blob(b"grant")), capabilities: Blob(b"\xa0"),
        license: Some(LICENSE), service_info: Some(Blob(b"newer")),
    };
    "BuildRequestBare" => BuildRequest<'_>: BuildRequest {
        session: 7, kind: RequestKind::Acquire, key_ids: List(vec![]), init_data: List(vec![]),
        stored: true, token: None, capabilities: Blob(b"\xa0"), license: None, service_info: None,
    };
    "LoadAnswer" => LoadAnswer<'_>: LoadAnswer { session: 7, answer: Blob(b"answer") };
    "AnswerLoadedLicense" => AnswerLoaded<'_>: AnswerLoaded {
        license: Some(LicenseReport {
            license: LICENSE, sequence: 3, ends: Some(1_700_000_000),
            renew_at: Some(1_699_999_000), renewal_url: Some(Text("https://example.org/renew")),
            keys: List(vec![KeyReport {
                key_id: KEY_ID, status: KeyStatus::OutputRestricted,
                reasons: List(vec![
                    Reason { field: ReasonField::DigitalVideo, wanted: Some(122), found: Some(0), output: Some(2) },
                    Reason { field: ReasonField::TrustedTime, wanted: None, found: None, output: None },
                ]),
                track_type: 3, level: 2, scheme: 4, largest_picture: Some(520_000),
            }]),
            renew_retry: Some(30),
        }),
        denial: None,
    };
    "AnswerLoadedDenial" => AnswerLoaded<'_>: AnswerLoaded {
        license: None,
        denial: Some(DenialReport {
            reason: 9, rule: Some(Text("UR-07")), wanted: Some(Text("Medium")),
            found: Some(Text("Low")), server_code: Some(4044), retry_after: Some(60),
            level_needed: Some(2), key_id: Some(KEY_ID),
        }),
    };
    "Statuses" => Statuses: Statuses { session: 7 };
    "StatusReport" => StatusReport<'_>: StatusReport {
        sequence: 5, time: Some(1_700_000_000),
        licenses: List(vec![LicenseReport {
            license: LICENSE, sequence: 3, ends: None, renew_at: None, renewal_url: None,
            keys: List(vec![]), renew_retry: None,
        }]),
    };
    "RemoveLicense" => RemoveLicense: RemoveLicense { session: 7, license: LICENSE };
    "BuildTimeRequest" => BuildTimeRequest<'_>:
        BuildTimeRequest { session: 7, service_info: Some(Blob(b"newer")) };
    "BuildTimeRequestBare" => BuildTimeRequest<'_>:
        BuildTimeRequest { session: 7, service_info: None };
    "LoadTimeAnswer" => LoadTimeAnswer<'_>: LoadTimeAnswer { session: 7, answer: Blob(b"time") };
    "TimeLoaded" => TimeLoaded<'_>: TimeLoaded { denial: None };
    "LoadRevocationList" => LoadRevocationList<'_>:
        LoadRevocationList { anchor: ANCHOR, list: Blob(b"list") };
    "ReportOutputs" => ReportOutputs: ReportOutputs {
        sequence: 7,
        outputs: List(vec![
            OutputReport {
                kind: 2, hdcp_version: 4, hdcp_stream_type: 1, cgms_a: 3, agc: true,
                color_stripe: false, scms: true, sound: 2, picture: Some(2000),
            },
            OutputReport {
                kind: 1, hdcp_version: 0, hdcp_stream_type: 0, cgms_a: 0, agc: false,
                color_stripe: false, scms: false, sound: 0, picture: None,
            },
        ]),
    };
    "Decrypt" => Decrypt<'_>: Decrypt {
        session: 7, key_id: KEY_ID, license: Some(LICENSE), track_type: 2, scheme: 4, iv_size: 0,
        constant_iv: Some(Blob(&[0x55; 16])), crypt_blocks: 1, skip_blocks: 9, duration_ms: 2000,
        width: Some(1920), height: Some(1080), samples: Blob(&[0; 24]), subsamples: Blob(&[1; 8]),
    };
    "DecryptBare" => Decrypt<'_>: Decrypt {
        session: 7, key_id: KEY_ID, license: None, track_type: 1, scheme: 1, iv_size: 8,
        constant_iv: None, crypt_blocks: 0, skip_blocks: 0, duration_ms: 40, width: None,
        height: None, samples: Blob(&[0; 24]), subsamples: Blob(&[]),
    };
    "Decrypted" => Decrypted: Decrypted { bytes: 4096, sequence: 5 };
    "IssueTicket" => IssueTicket: IssueTicket { session: 7, track_type: 2 };
    "Ticket" => Ticket: Ticket { ticket: [0x77; 16] };
    "RedeemTicket" => RedeemTicket: RedeemTicket { ticket: [0x77; 16], debug: true };
    "ChannelOpened" => ChannelOpened: ChannelOpened { channel: (1 << 32) + 2, track_type: 2 };
    "DecryptUnit" => DecryptUnit<'_>: DecryptUnit {
        channel: 9, key_id: KEY_ID, license: Some(LICENSE), scheme: 4, iv_size: 0,
        constant_iv: Some(Blob(&[0x55; 16])), crypt_blocks: 1, skip_blocks: 9, duration_ms: 40,
        samples: Blob(&[0; 24]), subsamples: Blob(&[1; 8]), rejected: 3, decoded: 1,
    };
    "DecryptUnitBare" => DecryptUnit<'_>: DecryptUnit {
        channel: 9, key_id: KEY_ID, license: None, scheme: 1, iv_size: 8, constant_iv: None,
        crypt_blocks: 0, skip_blocks: 0, duration_ms: 40, samples: Blob(&[0; 24]),
        subsamples: Blob(&[]), rejected: 0, decoded: 0,
    };
    "UnitDecrypted" => UnitDecrypted:
        UnitDecrypted { bytes: 4096, sequence: 5, largest_picture: Some(352 * 288) };
    "UnitDecryptedAnySize" => UnitDecrypted:
        UnitDecrypted { bytes: 4096, sequence: 5, largest_picture: None };
    "CloseChannel" => CloseChannel: CloseChannel { channel: 9, rejected: 1, decoded: 0 };
    "WipeBuffer" => WipeBuffer: WipeBuffer {};
}

/// Names of request and answer of each command, as the golden file spells them.
#[test]
fn every_command_has_a_golden_request_and_answer() {
    let list = include_str!("golden.txt");
    for command in Command::ALL {
        let (request, answer) = match command {
            Command::Describe => ("Describe", "Description"),
            Command::DeviceKey => ("DeviceKey", "DeviceKeyAnswer"),
            Command::BeginProvisioning => ("BeginProvisioning", "Message"),
            Command::FinishProvisioning => ("FinishProvisioning", "ProvisioningFinished"),
            Command::EraseIdentity => ("EraseIdentity", "Empty"),
            Command::OpenSession => ("OpenSession", "SessionOpened"),
            Command::CloseSession => ("CloseSession", "Empty"),
            Command::BuildRequest => ("BuildRequest", "Message"),
            Command::LoadAnswer => ("LoadAnswer", "AnswerLoadedLicense"),
            Command::Statuses => ("Statuses", "StatusReport"),
            Command::RemoveLicense => ("RemoveLicense", "Empty"),
            Command::BuildTimeRequest => ("BuildTimeRequest", "Message"),
            Command::LoadTimeAnswer => ("LoadTimeAnswer", "TimeLoaded"),
            Command::LoadRevocationList => ("LoadRevocationList", "Empty"),
            Command::ReportOutputs => ("ReportOutputs", "Empty"),
            Command::Decrypt => ("Decrypt", "Decrypted"),
            Command::IssueTicket => ("IssueTicket", "Ticket"),
            Command::RedeemTicket => ("RedeemTicket", "ChannelOpened"),
            Command::DecryptUnit => ("DecryptUnit", "UnitDecrypted"),
            Command::CloseChannel => ("CloseChannel", "Empty"),
            Command::WipeBuffer => ("WipeBuffer", "Empty"),
        };
        assert!(!encoding(list, request).is_empty() && !encoding(list, answer).is_empty());
    }
}

/// Pins the numbers and texts of every enumeration that travels.
#[test]
fn enumerations_are_pinned() {
    fn table<T: Copy>(
        all: &[T],
        code: impl Fn(T) -> u16,
        text: impl Fn(T) -> &'static str,
    ) -> String {
        all.iter()
            .map(|value| format!("{} {}; ", code(*value), text(*value)))
            .collect()
    }
    assert_eq!(
        table(KeyStatus::ALL, KeyStatus::code, KeyStatus::text),
        "0 usable; 1 usable in the future; 2 expired; 3 released; 4 output restricted; \
         5 output downscaled; 6 status pending; 7 internal error; "
    );
    let reasons: Vec<u16> = ReasonField::ALL.iter().map(|field| field.code()).collect();
    let pinned: Vec<u16> = (1..=9).chain(11..=14).chain(20..=35).collect();
    assert_eq!(reasons, pinned);
    assert_eq!(
        (
            ReasonField::NotBefore.code(),
            ReasonField::ServiceCertificate.code()
        ),
        (1, 9)
    );
    assert_eq!(
        (ReasonField::TrustedTime.code(), ReasonField::Worker.code()),
        (6, 11)
    );
    assert_eq!(
        (
            ReasonField::HostReported.code(),
            ReasonField::Recovery.code(),
            ReasonField::Rejections.code()
        ),
        (12, 13, 14)
    );
    assert_eq!(
        Isolation::ALL,
        [Isolation::Tee, Isolation::Worker, Isolation::InProcess]
    );
    assert_eq!(
        Isolation::ALL.iter().map(|i| i.code()).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert_eq!(
        (RequestKind::Acquire.code(), RequestKind::Renew.code()),
        (1, 2)
    );
    assert_eq!(
        (TokenKind::Enrollment.code(), TokenKind::Factory.code()),
        (1, 2)
    );
}

#[test]
fn unknown_numbers_of_an_enumeration_are_refused() {
    let mut bytes = encoding(include_str!("golden.txt"), "Description");
    let at = bytes
        .windows(2)
        .position(|pair| pair == [3, 3])
        .expect("3 => Isolation::InProcess");
    for unknown in [0_u8, 4, 23] {
        bytes[at + 1] = unknown;
        assert_eq!(
            Description::decode(&bytes, MAX_RESPONSE),
            Err(CodecError::Value)
        );
    }
}

/// Each limit of a body, one beyond it: neither encoded nor decoded.
#[test]
fn values_beyond_their_named_limits_are_refused() {
    let long = vec![0_u8; MAX_SERVICE_MESSAGE + 1];
    let message = Message { bytes: Blob(&long) };
    assert_eq!(message.encode(MAX_REQUEST), Err(CodecError::SizeCap));
    assert!(
        Message {
            bytes: Blob(&long[1..])
        }
        .encode(MAX_REQUEST)
        .is_ok()
    );
    let forged = keybearer_cbor::encode(MAX_REQUEST, |e| e.map(|m| m.entry(0, |e| e.bytes(&long))));
    assert_eq!(
        Message::decode(&forged.unwrap(), MAX_REQUEST),
        Err(CodecError::SizeCap)
    );

    let name = "x".repeat(MAX_MODEL + 1);
    let begin = BeginProvisioning {
        anchor: ANCHOR,
        service_info: Blob(b""),
        token_kind: TokenKind::Enrollment,
        token: Blob(b""),
        model: Text(&name),
    };
    assert_eq!(begin.encode(MAX_REQUEST), Err(CodecError::SizeCap));
    let longest = BeginProvisioning {
        model: Text(&name[1..]),
        ..begin
    };
    assert!(longest.encode(MAX_REQUEST).is_ok());

    let many = List::<[u8; 16], MAX_KEY_IDS>(vec![KEY_ID; MAX_KEY_IDS + 1]);
    let forged =
        keybearer_cbor::encode(MAX_REQUEST, |e| e.list(many.0.iter(), |e, id| e.bytes(id)));
    assert_eq!(
        keybearer_cbor::encode(MAX_REQUEST, |e| crate::field::Field::write(&many, e)),
        Err(CodecError::SizeCap)
    );
    let full = List::<[u8; 16], MAX_KEY_IDS>(vec![KEY_ID; MAX_KEY_IDS]);
    let written = keybearer_cbor::encode(MAX_REQUEST, |e| crate::field::Field::write(&full, e));
    assert!(written.is_ok());
    let read = keybearer_cbor::decode(&forged.unwrap(), MAX_REQUEST, |d| {
        <List<[u8; 16], MAX_KEY_IDS> as crate::field::Field<'_>>::read(d)
    });
    assert!(
        matches!(read, Err(CodecError::Count | CodecError::SizeCap)),
        "{read:?}"
    );
}

#[test]
fn a_body_beyond_its_cap_is_refused_before_it_is_read() {
    let bytes = encoding(include_str!("golden.txt"), "Decrypt");
    assert_eq!(
        Decrypt::decode(&bytes, bytes.len() - 1),
        Err(CodecError::SizeCap)
    );
}

#[test]
fn a_full_decrypt_call_fits_the_request_limit() {
    let samples = vec![0xff; MAX_SAMPLE_RECORDS];
    let subsamples = vec![0xff; MAX_SUBSAMPLE_RECORDS];
    let fullest = Decrypt {
        session: u64::MAX,
        key_id: KEY_ID,
        license: Some(LICENSE),
        track_type: u8::MAX,
        scheme: u8::MAX,
        iv_size: u8::MAX,
        constant_iv: Some(Blob(&[0; 16])),
        crypt_blocks: u8::MAX,
        skip_blocks: u8::MAX,
        duration_ms: u32::MAX,
        width: Some(u32::MAX),
        height: Some(u32::MAX),
        samples: Blob(&samples),
        subsamples: Blob(&subsamples),
    };
    assert!(fullest.encode(MAX_REQUEST).is_ok());
    let fullest = DecryptUnit {
        channel: u64::MAX,
        key_id: KEY_ID,
        license: Some(LICENSE),
        scheme: u8::MAX,
        iv_size: u8::MAX,
        constant_iv: Some(Blob(&[0; 16])),
        crypt_blocks: u8::MAX,
        skip_blocks: u8::MAX,
        duration_ms: u32::MAX,
        samples: Blob(&samples),
        subsamples: Blob(&subsamples),
        rejected: u32::MAX,
        decoded: u32::MAX,
    };
    assert!(fullest.encode(MAX_REQUEST).is_ok());
    assert_eq!(<Decrypt<'_> as Exchange<'_>>::COMMAND, Command::Decrypt);
}
