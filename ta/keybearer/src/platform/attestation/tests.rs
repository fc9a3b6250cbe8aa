#![allow(clippy::unwrap_used)] // a test that cannot go on must stop

extern crate std;

use super::*;
use optee_utee_sys::{mock_api, mock_utils::SERIAL_TEST_LOCK};
use std::{sync::PoisonError, vec, vec::Vec};

/// `TEE_PARAM_TYPES` of the PTA's two commands, from its header: outputs 6, inputs 5, values 2.
const PUBLIC_KEY_TYPES: u32 = 0x0266;
const MEASURE_TYPES: u32 = 0x0065;

/// What the PTA under test answers.
#[derive(Clone)]
struct Pta {
    opens: u32,
    algorithm: u32,
    modulus: Vec<u8>,
    measures: u32,
    /// What it writes for `HASH_TA_MEMORY`.
    said: Vec<u8>,
    /// The size that it claims to have written.
    claims: Option<usize>,
}

impl Pta {
    fn good() -> Self {
        Self {
            opens: raw::TEE_SUCCESS,
            algorithm: 0x7041_4930,
            modulus: vec![0xc5; 384],
            measures: raw::TEE_SUCCESS,
            said: [vec![0x3e; 32], vec![0x51; 384]].concat(),
            claims: None,
        }
    }
}

/// Writes `bytes` to a parameter that is an output, and says how many there are.
fn write(param: &mut raw::TEE_Param, bytes: &[u8], claims: usize) {
    // SAFETY: the type word was checked: the parameter is a memory reference with that much room.
    unsafe {
        assert!(param.memref.size >= bytes.len());
        param
            .memref
            .buffer
            .cast::<u8>()
            .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        param.memref.size = claims;
    }
}

/// Runs `test` on a TEE with this PTA. Every session that is opened must be closed.
fn on<T>(pta: &Pta, sessions: usize, test: impl FnOnce() -> T) -> T {
    let _turn = SERIAL_TEST_LOCK
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let open = mock_api::TEE_OpenTASession_context();
    let opens = pta.opens;
    open.expect()
        .returning(move |uuid, _, types, _, session, _| {
            // SAFETY: the wrapper passes a UUID and room for a handle.
            let uuid = unsafe {
                *session = 0x7a_usize as _;
                *uuid
            };
            assert_eq!(
                (uuid.timeLow, uuid.timeMid, uuid.timeHiAndVersion),
                (0x3980_0861, 0x182a, 0x4720)
            );
            let tail = [0x9b, 0x67, 0x2b, 0xcd, 0x62, 0x2b, 0xc0, 0xb5];
            assert_eq!((uuid.clockSeqAndNode, types), (tail, 0));
            opens
        });
    let close = mock_api::TEE_CloseTASession_context();
    close.expect().times(sessions).return_const(());
    let invoke = mock_api::TEE_InvokeTACommand_context();
    let pta = pta.clone();
    invoke
        .expect()
        .returning(move |_, _, command, types, params, _| {
            // SAFETY: the wrapper passes four parameters.
            let params = unsafe { core::slice::from_raw_parts_mut(params, 4) };
            match (command, types) {
                (0, PUBLIC_KEY_TYPES) => {
                    write(&mut params[0], &[1, 0, 1], 3);
                    write(&mut params[1], &pta.modulus, pta.modulus.len());
                    params[2].value = raw::Value {
                        a: pta.algorithm,
                        b: 0,
                    };
                    raw::TEE_SUCCESS
                }
                (2, MEASURE_TYPES) => {
                    // SAFETY: an input that lives as long as the call.
                    let nonce = unsafe {
                        let memref = params[0].memref;
                        core::slice::from_raw_parts(memref.buffer.cast::<u8>(), memref.size)
                    };
                    assert_eq!(nonce, [0x11; 32]);
                    let claims = pta.claims.unwrap_or(pta.said.len());
                    write(&mut params[1], &pta.said, claims);
                    pta.measures
                }
                other => panic!("no such command: {other:x?}"),
            }
        });
    let done = test();
    open.checkpoint();
    close.checkpoint();
    invoke.checkpoint();
    done
}

fn attest(pta: &Pta) -> Result<Attestation, PlatformError> {
    on(pta, 1, || AttestationPta.attest(&Digest([0x11; 32])))
}

#[test]
fn measurement_and_signature_are_handed_on_with_the_digest_of_the_key() {
    let said = attest(&Pta::good()).unwrap();
    assert_eq!(said.format, AttestationFormat::Optee);
    assert_eq!(said.measurement, Digest([0x3e; 32]));
    assert_eq!(said.proof, [0x51; 384]);
    assert_eq!(said.key, SoftCrypto.sha256(&[&[0xc5; 384]]));
}

#[test]
fn a_tee_without_the_pta_has_no_attestation() {
    let opens = |code| Pta {
        opens: code,
        ..Pta::good()
    };
    let there = |pta: &Pta, sessions| {
        on(pta, sessions, AttestationPta::of_this_tee).map(|found| found.is_some())
    };
    assert_eq!(there(&Pta::good(), 1), Ok(true));
    assert_eq!(there(&opens(raw::TEE_ERROR_ITEM_NOT_FOUND), 0), Ok(false));
    // What nobody knows now is asked again, by an instance to come.
    let unknown = Err(PlatformError::Attestation);
    assert_eq!(there(&opens(raw::TEE_ERROR_COMMUNICATION), 0), unknown);
    assert_eq!(there(&opens(raw::TEE_ERROR_OUT_OF_MEMORY), 0), unknown);
}

#[test]
fn what_is_not_a_signed_measurement_is_a_failure() {
    let with = |edit: fn(&mut Pta)| {
        let mut pta = Pta::good();
        edit(&mut pta);
        attest(&pta).unwrap_err()
    };
    let failed = PlatformError::Attestation;
    assert_eq!(with(|pta| pta.said.truncate(32)), failed, "no signature");
    assert_eq!(with(|pta| pta.said.truncate(31)), failed, "no measurement");
    assert_eq!(
        with(|pta| pta.algorithm = 0x7000_4830),
        failed,
        "PKCS #1 v1.5"
    );
    assert_eq!(with(|pta| pta.measures = raw::TEE_ERROR_GENERIC), failed);
    assert_eq!(
        with(|pta| pta.measures = raw::TEE_ERROR_SHORT_BUFFER),
        failed
    );
    let memory = with(|pta| pta.measures = raw::TEE_ERROR_OUT_OF_MEMORY);
    assert_eq!(memory, PlatformError::Memory);
    assert_eq!(
        with(|pta| pta.claims = Some(545)),
        failed,
        "more than there is room for"
    );
}

#[test]
fn a_pta_that_does_not_open_is_a_failure() {
    let pta = Pta {
        opens: raw::TEE_ERROR_ITEM_NOT_FOUND,
        ..Pta::good()
    };
    let said = on(&pta, 0, || AttestationPta.attest(&Digest([0x11; 32])));
    assert_eq!(said, Err(PlatformError::Attestation));
}
