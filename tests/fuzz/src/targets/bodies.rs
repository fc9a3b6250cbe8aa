//! Parsers of single structures: the bodies of the wire, sample tables, what the licence protocol
//! stores or carries in `pssh` boxes, and what host and worker say to each other.

use keybearer_cbor::Error;
use keybearer_license::{
    Capabilities, CertificateChain, ContentInit, LicenseError, UsageRecord, cose_key, peek_device,
    peek_encrypt, peek_issuer, peek_service, peek_sign1, public_key_from_cose,
};
use keybearer_tee_soft::channel::{Answer, Call, FromHost, FromWorker, Hello, Malformed};
use keybearer_wire::decoder::body as decoder;
use keybearer_wire::limits::{MAX_REQUEST, SAMPLE_RECORD, SUBSAMPLE_RECORD};
use keybearer_wire::{Body, SampleTable, body, decode_response};

use crate::Seed;
use crate::golden::vector;
use crate::verdict::{Verdict, bytes as count, claim, peak};

/// Reads a structure and writes it again; `None` where the bytes are refused.
type Again = fn(&[u8]) -> Option<Result<Vec<u8>, String>>;

fn body_again<'a, B: Body<'a>>(bytes: &'a [u8]) -> Option<Result<Vec<u8>, String>> {
    let body = B::decode(bytes, MAX_REQUEST).ok()?;
    Some(
        body.encode(MAX_REQUEST)
            .map_err(|error: Error| error.to_string()),
    )
}

fn part_again<T>(
    bytes: &[u8],
    read: fn(&[u8]) -> Result<T, LicenseError>,
    write: fn(&T) -> Result<Vec<u8>, LicenseError>,
) -> Option<Result<Vec<u8>, String>> {
    let part = read(bytes).ok()?;
    Some(write(&part).map_err(|error| error.to_string()))
}

fn message_again<T>(
    bytes: &[u8],
    read: fn(&[u8]) -> Result<T, Malformed>,
    write: fn(&T) -> Vec<u8>,
) -> Option<Result<Vec<u8>, String>> {
    Some(Ok(write(&read(bytes).ok()?)))
}

/// Every structure with one encoding, by the input's first byte.
const STRUCTURES: [(&str, Again); 45] = [
    ("describe", |b| body_again::<body::Describe>(b)),
    ("device-key", |b| body_again::<body::DeviceKey>(b)),
    ("begin-provisioning", |b| {
        body_again::<body::BeginProvisioning<'_>>(b)
    }),
    ("finish-provisioning", |b| {
        body_again::<body::FinishProvisioning<'_>>(b)
    }),
    ("erase-identity", |b| body_again::<body::EraseIdentity>(b)),
    ("open-session", |b| body_again::<body::OpenSession<'_>>(b)),
    ("close-session", |b| body_again::<body::CloseSession>(b)),
    ("build-request", |b| body_again::<body::BuildRequest<'_>>(b)),
    ("load-answer", |b| body_again::<body::LoadAnswer<'_>>(b)),
    ("statuses", |b| body_again::<body::Statuses>(b)),
    ("remove-license", |b| body_again::<body::RemoveLicense>(b)),
    ("build-time-request", |b| {
        body_again::<body::BuildTimeRequest<'_>>(b)
    }),
    ("load-time-answer", |b| {
        body_again::<body::LoadTimeAnswer<'_>>(b)
    }),
    ("load-revocation-list", |b| {
        body_again::<body::LoadRevocationList<'_>>(b)
    }),
    ("decrypt", |b| body_again::<body::Decrypt<'_>>(b)),
    ("description", |b| body_again::<body::Description<'_>>(b)),
    ("answer-loaded", |b| body_again::<body::AnswerLoaded<'_>>(b)),
    ("status-report", |b| body_again::<body::StatusReport<'_>>(b)),
    ("provisioning-finished", |b| {
        body_again::<body::ProvisioningFinished<'_>>(b)
    }),
    ("message", |b| body_again::<body::Message<'_>>(b)),
    ("decrypted", |b| body_again::<body::Decrypted>(b)),
    ("chain", |b| {
        part_again(b, CertificateChain::from_bytes, CertificateChain::to_bytes)
    }),
    ("content-init", |b| {
        part_again(b, ContentInit::from_bytes, ContentInit::to_bytes)
    }),
    ("capabilities", |b| {
        part_again(b, Capabilities::from_bytes, Capabilities::to_bytes)
    }),
    ("usage-record", |b| {
        part_again(b, UsageRecord::from_bytes, UsageRecord::to_bytes)
    }),
    ("cose-key", |b| {
        part_again(b, public_key_from_cose, cose_key)
    }),
    ("worker-hello", |b| {
        message_again(b, Hello::decode, |m| m.encode())
    }),
    ("worker-from-host", |b| {
        message_again(b, FromHost::decode, FromHost::encode)
    }),
    ("worker-from-worker", |b| {
        message_again(b, FromWorker::decode, FromWorker::encode)
    }),
    ("worker-call", |b| {
        message_again(b, Call::decode, |m| m.encode().to_vec())
    }),
    ("worker-answer", |b| {
        message_again(b, Answer::decode, |m| m.encode().to_vec())
    }),
    ("issue-ticket", |b| body_again::<body::IssueTicket>(b)),
    ("ticket", |b| body_again::<body::Ticket>(b)),
    ("redeem-ticket", |b| body_again::<body::RedeemTicket>(b)),
    ("channel-opened", |b| body_again::<body::ChannelOpened>(b)),
    ("decrypt-unit", |b| body_again::<body::DecryptUnit<'_>>(b)),
    ("unit-decrypted", |b| body_again::<body::UnitDecrypted>(b)),
    ("close-channel", |b| body_again::<body::CloseChannel>(b)),
    ("report-outputs", |b| body_again::<body::ReportOutputs>(b)),
    ("attach", |b| body_again::<decoder::Attach>(b)),
    ("configure", |b| body_again::<decoder::Configure<'_>>(b)),
    ("configured", |b| body_again::<decoder::Configured>(b)),
    ("decode", |b| body_again::<decoder::Decode<'_>>(b)),
    ("presented", |b| body_again::<decoder::Presented>(b)),
    ("wipe-buffer", |b| body_again::<body::WipeBuffer>(b)),
];

/// **Claim**: a structure is read from its only encoding, for it is written in the same bytes again;
/// reading holds at most 64 bytes for each byte of input, and 4 KiB. A sample table counts the samples
/// and subsamples that are there. A response and an unverified message are read or refused.
///
/// The first byte chooses the structure.
///
/// # Panics
/// When `data` falsifies it.
pub fn run(data: &[u8]) {
    let Some((selector, rest)) = data.split_first() else {
        return;
    };
    let selector = usize::from(*selector) % (STRUCTURES.len() + 2);
    match STRUCTURES.get(selector) {
        Some((name, again)) => {
            judge(rest, *again).unwrap_or_else(|words| panic!("{name}: {words}"));
        }
        None if selector == STRUCTURES.len() => {
            table(rest).unwrap_or_else(|words| panic!("{words}"))
        }
        None => unverified(rest),
    }
}

/// The same about any way of reading and writing.
fn judge(rest: &[u8], again: Again) -> Verdict {
    let (written, peak) = peak(|| again(rest));
    // Writing reserves what a request may take at most, whatever it then takes.
    let bound = 64 * count(rest.len()) + 4096 + 2 * count(MAX_REQUEST);
    claim!(peak <= bound, "{peak} bytes of memory, at most {bound}");
    if let Some(written) = written {
        claim!(
            written.as_deref() == Ok(rest),
            "written again as {written:x?}"
        );
    }
    Ok(())
}

/// A sample table from two strings, of which the first two bytes say how long the first is.
fn table(bytes: &[u8]) -> Verdict {
    let Some((len, rest)) = bytes.split_first_chunk::<2>() else {
        return Ok(());
    };
    let (samples, subsamples) =
        rest.split_at(usize::from(u16::from_be_bytes(*len)).min(rest.len()));
    let Ok(table) = SampleTable::parse(samples, subsamples) else {
        return Ok(());
    };
    let sizes: u64 = table.iter().map(|(sample, _)| u64::from(sample.size)).sum();
    let entries: usize = table.iter().map(|(_, entries)| entries.count()).sum();
    claim!(
        table.len() * SAMPLE_RECORD == samples.len(),
        "other samples"
    );
    claim!(
        entries * SUBSAMPLE_RECORD == subsamples.len(),
        "other subsamples"
    );
    claim!(sizes == count(table.total_size()), "another size");
    Ok(())
}

/// What tools show of messages that nobody verified, and what a host takes from a core.
fn unverified(bytes: &[u8]) {
    drop(peek_sign1(bytes));
    drop(peek_encrypt(bytes));
    drop((peek_service(bytes), peek_issuer(bytes), peek_device(bytes)));
    drop(decode_response::<body::Description<'_>>(bytes));
    drop(decode_response::<body::StatusReport<'_>>(bytes));
    drop(decode_response::<body::AnswerLoaded<'_>>(bytes));
}

/// The golden structures, and an encoding of each body that needs little.
pub(crate) fn seeds() -> Vec<Seed> {
    let at = |name: &str| STRUCTURES.iter().position(|(other, _)| *other == name);
    let seed = |name: &str, bytes: Vec<u8>| {
        let selector = u8::try_from(at(name).unwrap_or(STRUCTURES.len() + 1)).unwrap_or(0);
        Seed::new(name, [&[selector], &bytes[..]].concat())
    };
    let session = |name| seed(name, vec![0xa1, 0, 0x19, 1, 0]);
    let written = |body: Result<Vec<u8>, Error>| body.expect("it is small");
    let decrypt = body::Decrypt {
        session: 256,
        key_id: [7; 16],
        license: Some([1; 16]),
        track_type: 3,
        scheme: 1,
        iv_size: 8,
        constant_iv: None,
        crypt_blocks: 0,
        skip_blocks: 0,
        duration_ms: 40,
        width: Some(640),
        height: None,
        samples: keybearer_wire::field::Blob(&[5; 24]),
        subsamples: keybearer_wire::field::Blob(&[]),
    };
    let license = body::LicenseReport {
        license: [1; 16],
        sequence: 1,
        ends: Some(9),
        renew_at: None,
        renew_retry: None,
        renewal_url: Some(keybearer_wire::field::Text("https://license.example")),
        keys: keybearer_wire::field::List(Vec::new()),
    };
    let report = body::StatusReport {
        sequence: 3,
        time: Some(1_800_000_000),
        licenses: keybearer_wire::field::List(vec![license]),
    };
    let decode = decoder::Decode {
        time: 90_000,
        duration_ms: 40,
        protection: Some(decoder::Protection {
            key_id: [7; 16],
            license: None,
            scheme: 1,
            iv_size: 8,
            constant_iv: None,
            crypt_blocks: 0,
            skip_blocks: 0,
            sample: [5; SAMPLE_RECORD],
            subsamples: keybearer_wire::field::Blob(&[1; SUBSAMPLE_RECORD]),
        }),
    };
    let table = u8::try_from(STRUCTURES.len()).unwrap_or(0);
    let table = [&[table, 0, 24], &[5; 19][..], &[64, 0, 0, 0, 1], &[0; 8]].concat();
    vec![
        seed("describe", vec![0xa0]),
        session("close-session"),
        session("statuses"),
        session("build-time-request"),
        seed("decrypt", written(decrypt.encode(MAX_REQUEST))),
        seed("status-report", written(report.encode(MAX_REQUEST))),
        seed("decode", written(decode.encode(MAX_REQUEST))),
        seed("chain", vector!("certificate-chain")),
        seed("content-init", vector!("content-init")),
        seed("capabilities", vec![0xa2, 2, 0xf5, 7, 0xf4]),
        seed("unverified", vector!("license")),
        seed("certificate", vector!("device-certificate")),
        seed("worker-hello", Hello { version: 1, abi: 1 }.encode()),
        seed(
            "worker-from-host",
            FromHost::Share {
                region: 1,
                len: 4096,
            }
            .encode(),
        ),
        seed("worker-from-worker", FromWorker::Done.encode()),
        Seed::new("table", table),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_are_read() {
        for seed in seeds() {
            if let Some((name, again)) = STRUCTURES.get(usize::from(seed.bytes[0])) {
                assert!(again(&seed.bytes[1..]).is_some(), "{name}");
            }
        }
    }

    #[test]
    fn what_reads_or_writes_otherwise_is_found_out() {
        assert!(judge(&[0xa0], |_| Some(Ok(vec![0xa1]))).is_err());
        assert!(judge(&[0xa0], |_| Some(Err("no memory".into()))).is_err());
        assert!(judge(&[0xa0], |_| Some(Ok(vec![0xa0]))).is_ok());
        let greedy: Again = |_| {
            std::hint::black_box(vec![0_u8; 1 << 20]);
            None
        };
        assert!(judge(&[0xa0], greedy).is_err());
    }
}
