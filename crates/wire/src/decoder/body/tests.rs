use alloc::vec;

use super::*;
use crate::field::Body;
use crate::golden::golden;
use crate::limits::MAX_REQUEST;

golden! {
    "Attach" => Attach: Attach { ticket: [0x7e; 16] };
    "Configure" => Configure<'_>: Configure { codec: *b"avc1", record: Blob(b"\x01\x42\xc0\x1e") };
    "Configured" => Configured: Configured { width: Some(176), height: Some(144) };
    "ConfiguredInBand" => Configured: Configured { width: None, height: None };
    "Decode" => Decode<'_>: Decode {
        time: 90_000, duration_ms: 40,
        protection: Some(Protection {
            key_id: [0x11; 16], license: Some([0x44; 16]), scheme: 4, iv_size: 0,
            constant_iv: Some(Blob(&[0x55; 16])), crypt_blocks: 1, skip_blocks: 9,
            sample: [0; 24], subsamples: Blob(&[1; 8]),
        }),
    };
    "DecodeBare" => Decode<'_>: Decode {
        time: 0, duration_ms: 40,
        protection: Some(Protection {
            key_id: [0x11; 16], license: None, scheme: 1, iv_size: 8, constant_iv: None,
            crypt_blocks: 0, skip_blocks: 0, sample: [9; 24], subsamples: Blob(b""),
        }),
    };
    "DecodeClear" => Decode<'_>: Decode { time: 1, duration_ms: 0, protection: None };
    "Presented" => Presented: Presented {
        times: List(vec![3_600, 0]), largest: Some(25_344), sequence: Some(5), digests: None,
    };
    "PresentedNothing" => Presented:
        Presented { times: List(vec![]), largest: None, sequence: None, digests: None };
    "PresentedDigest" => Presented: Presented {
        times: List(vec![7]), largest: None, sequence: Some(5),
        digests: Some(List(vec![[0xd1; 32]])),
    };
    "Flush" => Flush: Flush {};
    "Skip" => Skip: Skip {};
    "Die" => Die: Die {};
}

#[test]
fn one_unit_has_one_sample_record() {
    let two = keybearer_cbor::encode(MAX_REQUEST, |e| e.bytes(&[0; 2 * SAMPLE_RECORD])).unwrap();
    let read = keybearer_cbor::decode(&two, MAX_REQUEST, |d| {
        <[u8; SAMPLE_RECORD] as crate::field::Field<'_>>::read(d)
    });
    assert!(read.is_err());
}

#[test]
fn a_configuration_record_has_a_limit() {
    let record = vec![0; MAX_CONFIGURATION + 1];
    let configure = |len: usize| Configure {
        codec: *b"avc1",
        record: Blob(&record[..len]),
    };
    assert!(configure(MAX_CONFIGURATION).encode(MAX_REQUEST).is_ok());
    assert!(
        configure(MAX_CONFIGURATION + 1)
            .encode(MAX_REQUEST)
            .is_err()
    );
}
