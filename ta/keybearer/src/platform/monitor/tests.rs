#![allow(clippy::unwrap_used)] // a test that cannot go on must stop

extern crate std;

use super::*;
use alloc::vec::Vec;
use keybearer_rules::{CgmsA, Hdcp, Output, OutputKind, SoundForm, Type1Version};
use keybearer_wire::{Status, encode_answer, encode_status, field::List};
use optee_utee_sys::{
    mock_api::{
        TEE_CloseTASession_context, TEE_InvokeTACommand_context, TEE_OpenTASession_context,
    },
    mock_utils::SERIAL_TEST_LOCK,
};
use std::{
    any::Any,
    boxed::Box,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    vec,
};

const MONITOR: &str = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";

/// One answer of the TEE: a code, and what stands in the response slot then.
type Answer = (u32, Vec<u8>);

/// A TEE in which these answers come one after the other, and what was done in it.
struct Tee {
    done: Arc<Mutex<Vec<&'static str>>>,
    /// What is expected, for as long as these live.
    _expected: [Box<dyn Any>; 3],
    _turn: MutexGuard<'static, ()>,
}

impl Tee {
    fn with(answers: Vec<Answer>) -> Self {
        let turn = SERIAL_TEST_LOCK
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let done = Arc::<Mutex<Vec<&'static str>>>::default();
        let log = |what: &'static str| {
            let done = Arc::clone(&done);
            move || done.lock().unwrap().push(what)
        };
        let opened = log("open");
        let open = TEE_OpenTASession_context();
        open.expect()
            .withf(|asked, _, types, _, _, _| {
                // SAFETY: the code under test passes a UUID.
                let asked = unsafe { **asked };
                asked.timeLow == 0x0f1e_2d3c && *types == 0
            })
            .returning(move |_, _, _, _, session, _| {
                opened();
                // SAFETY: the code under test passes room for it.
                unsafe { *session = 0x7a as _ };
                raw::TEE_SUCCESS
            });
        let closed = log("close");
        let close = TEE_CloseTASession_context();
        close.expect().returning(move |_| closed());
        let asked = log("ask");
        let mut answers = answers.into_iter();
        let invoke = TEE_InvokeTACommand_context();
        invoke
            .expect()
            .withf(|_, _, command, _, _, _| *command == 0x60)
            .returning(move |_, _, _, _, params, _| {
                asked();
                let (code, response) = answers.next().unwrap();
                // SAFETY: four memory references, of which the second has room for any answer here.
                unsafe {
                    let slot = &mut (*params.add(1)).memref;
                    assert!(response.len() <= slot.size);
                    core::ptr::copy(response.as_ptr(), slot.buffer.cast(), response.len());
                    slot.size = response.len();
                }
                code
            });
        Self {
            done,
            _expected: [Box::new(open), Box::new(close), Box::new(invoke)],
            _turn: turn,
        }
    }

    /// What was done since it was asked last.
    fn done(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.done.lock().unwrap())
    }
}

fn seen(outputs: Vec<body::OutputReport>) -> Answer {
    let answer = body::Seen {
        outputs: List(outputs),
    };
    (raw::TEE_SUCCESS, encode_answer(&answer).unwrap())
}

fn hdmi() -> body::OutputReport {
    body::OutputReport {
        kind: 2,
        hdcp_version: 4,
        hdcp_stream_type: 1,
        cgms_a: 3,
        agc: true,
        color_stripe: true,
        scms: true,
        sound: 2,
        picture: Some(2_073_600),
    }
}

/// Asks these outputs: what they saw, or that there was no answer.
fn ask_once(outputs: &mut MonitoredOutputs) -> Result<Vec<Output>, PlatformError> {
    let mut list = OutputList::EMPTY;
    outputs.monitor(&mut list)?;
    Ok(list.as_slice().to_vec())
}

#[test]
fn without_a_monitor_nobody_is_asked() {
    let mut outputs = MonitoredOutputs::of(None);
    assert!(!outputs.has_monitor());
    assert_eq!(ask_once(&mut outputs), Err(PlatformError::Monitor));
    assert_eq!(outputs.internal_panel(), None);
}

#[test]
fn it_is_asked_at_each_call_over_one_session() {
    let tee = Tee::with(vec![seen(vec![hdmi()]), seen(vec![])]);
    let mut outputs = MonitoredOutputs::of(Some(MONITOR));
    assert!(outputs.has_monitor());
    let output = Output {
        kind: OutputKind::Hdmi,
        hdcp: Some(Hdcp::Type1(Type1Version::V2_2)),
        cgms_a: Some(CgmsA::CopyNever),
        agc: true,
        color_stripe: true,
        scms: true,
        sound: SoundForm::Uncompressed,
        picture: core::num::NonZeroU32::new(2_073_600),
    };
    assert_eq!(ask_once(&mut outputs), Ok(vec![output]));
    assert_eq!(ask_once(&mut outputs), Ok(vec![]));
    assert_eq!(tee.done(), ["open", "ask", "ask"]);
    drop(outputs);
    assert_eq!(tee.done(), ["close"]);
}

#[test]
fn one_that_died_is_opened_anew_within_the_call() {
    let dead = (raw::TEE_ERROR_TARGET_DEAD, vec![]);
    let tee = Tee::with(vec![seen(vec![]), dead, seen(vec![hdmi()])]);
    let mut outputs = MonitoredOutputs::of(Some(MONITOR));
    ask_once(&mut outputs).unwrap();
    assert_eq!(ask_once(&mut outputs).unwrap().len(), 1);
    assert_eq!(tee.done(), ["open", "ask", "ask", "close", "open", "ask"]);
}

#[test]
fn what_is_no_answer_shows_nothing() {
    let refused = encode_status(Status::NotPermitted).unwrap();
    let whole = seen(vec![hdmi()]).1;
    let mut longer = whole.clone();
    longer.push(0);
    for bad in [refused, vec![], whole[..whole.len() - 1].to_vec(), longer] {
        let tee = Tee::with(vec![(raw::TEE_SUCCESS, bad)]);
        let mut outputs = MonitoredOutputs::of(Some(MONITOR));
        assert_eq!(ask_once(&mut outputs), Err(PlatformError::Monitor));
        // The next call begins anew.
        assert_eq!(tee.done(), ["open", "ask", "close"]);
    }
}
