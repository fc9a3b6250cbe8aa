//! The cases themselves on trial: each fails against a trusted side that breaks its promise, and for
//! that reason.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

#[path = "../board/mod.rs"]
mod board;
mod decoder;
mod sabotage;

use std::collections::BTreeSet;

use board::Simulated;
use keybearer_backend::BackendChoice;
use keybearer_conformance::{Case, Chosen, Outcome, Subject, all, run};
use keybearer_wire::{Command, Status};
use sabotage::Sabotage::{
    Accept, AcceptOversize, AllUsable, Boast, DecoderAccepts, DecoderRefuses, DecoderTells,
    Forgetful, Fragile, FrozenSequence, HidesDeath, LeakKey, LeakToken, NeverHangsUp, NoKeys,
    Nothing, OneDecoder, OneHandle, OneKey, Refuse, Replay, Scramble, Skip, SwallowDenials,
    TimeGoesBack, WriteBehind, WriteOnRefusal,
};
use sabotage::{Sabotage, Sabotaged};

/// A case, a way to break its promise, and what the case then says, in part.
const CONTROLS: &[(&str, Sabotage, &str)] = &[
    ("KB-CALL-01", Boast, "the level attested"),
    (
        "KB-CALL-02",
        Accept(Status::UnknownCommand),
        "UnknownCommand",
    ),
    ("KB-CALL-03", Accept(Status::Malformed), "Malformed"),
    ("KB-CALL-04", AcceptOversize, "beyond its limit"),
    ("KB-CALL-05", Fragile, "the licences"),
    ("KB-CALL-06", LeakKey, "a piece of a content key"),
    ("KB-CALL-07", HidesDeath, "a call to the dead"),
    (
        "KB-PROV-01",
        Accept(Status::NotProvisioned),
        "NotProvisioned is promised",
    ),
    ("KB-PROV-02", Boast, "the level in the evidence"),
    (
        "KB-PROV-03",
        Accept(Status::BadSignature),
        "a damaged answer",
    ),
    (
        "KB-PROV-03",
        Accept(Status::NotForThisRequest),
        "another request",
    ),
    (
        "KB-PROV-03",
        Accept(Status::WrongService),
        "another service's answer",
    ),
    (
        "KB-PROV-03",
        Accept(Status::RoleMissing),
        "without the role",
    ),
    (
        "KB-PROV-03",
        Accept(Status::BadChain),
        "under another anchor",
    ),
    (
        "KB-PROV-04",
        Accept(Status::NoPendingProvisioning),
        "another connection's answer",
    ),
    ("KB-PROV-05", SwallowDenials, "the denial"),
    ("KB-PROV-06", Accept(Status::BadChain), "a stranger"),
    (
        "KB-PROV-06",
        Accept(Status::RoleMissing),
        "without the role",
    ),
    ("KB-PROV-07", Accept(Status::LowerLevel), "a lower level"),
    (
        "KB-PROV-08",
        Skip(Command::EraseIdentity),
        "the erased identity",
    ),
    ("KB-PROV-08", OneKey, "the key is the same"),
    ("KB-PROV-09", Forgetful, "NotProvisioned"),
    ("KB-PROV-11", OneKey, "one key for two anchors"),
    (
        "KB-PROV-12",
        Accept(Status::LimitExceeded),
        "one identity too many",
    ),
    (
        "KB-BIND-01",
        Accept(Status::NotForThisRequest),
        "the licence of session",
    ),
    (
        "KB-BIND-02",
        Accept(Status::NotForThisRequest),
        "the same answer again",
    ),
    (
        "KB-BIND-03",
        Accept(Status::BadMessage),
        "an altered answer loads",
    ),
    (
        "KB-BIND-03",
        Accept(Status::BadSignature),
        "an altered answer loads",
    ),
    (
        "KB-BIND-04",
        Accept(Status::WrongService),
        "another service",
    ),
    (
        "KB-BIND-04",
        Accept(Status::RoleMissing),
        "without the role",
    ),
    ("KB-BIND-04", Accept(Status::BadChain), "a stranger"),
    ("KB-BIND-04", Accept(Status::OutsideValidity), "has ended"),
    ("KB-BIND-05", LeakToken, "shows the token"),
    ("KB-BIND-05", Replay, "two requests are the same"),
    (
        "KB-BIND-06",
        Accept(Status::NoChallenge),
        "a second request",
    ),
    (
        "KB-BIND-07",
        Accept(Status::StaleServiceInfo),
        "an older certificate",
    ),
    (
        "KB-BIND-07",
        Accept(Status::WrongService),
        "another service",
    ),
    (
        "KB-BIND-08",
        Accept(Status::BadSignature),
        "a spoiled signature",
    ),
    (
        "KB-BIND-08",
        Accept(Status::RoleMissing),
        "without the role",
    ),
    ("KB-BIND-08", Accept(Status::OutsideValidity), "has ended"),
    (
        "KB-BIND-09",
        Accept(Status::NotForThisRequest),
        "the oldest request's answer",
    ),
    ("KB-LIC-01", NoKeys, "the keys"),
    ("KB-LIC-02", SwallowDenials, "the denial"),
    (
        "KB-LIC-03",
        Accept(Status::UnknownKey),
        "before any licence",
    ),
    ("KB-LIC-03", WriteOnRefusal, "wrote to its output"),
    (
        "KB-LIC-04",
        Accept(Status::StaleSequence),
        "of the same number",
    ),
    ("KB-LIC-04", Accept(Status::UnknownKey), "left out"),
    (
        "KB-LIC-05",
        Accept(Status::ClearRangeTooLarge),
        "under the newest licence",
    ),
    ("KB-LIC-06", Skip(Command::RemoveLicense), "another licence"),
    (
        "KB-LIC-06",
        Accept(Status::UnknownKey),
        "a key of a removed licence",
    ),
    (
        "KB-LIC-07",
        Accept(Status::StoredNotSupported),
        "a stored licence",
    ),
    ("KB-LIC-07", Accept(Status::NotSupported), "a root"),
    ("KB-LIC-08", FrozenSequence, "does not show"),
    ("KB-LEVEL-01", SwallowDenials, "a licence for level"),
    ("KB-LEVEL-01", AllUsable, "a licence for level"),
    (
        "KB-LEVEL-02",
        Refuse(Command::LoadAnswer, Status::LevelTooLow),
        "LevelTooLow",
    ),
    (
        "KB-LEVEL-03",
        Accept(Status::WorkerRequired),
        "in this process",
    ),
    ("KB-LEVEL-04", Accept(Status::UseDenied), "a denied key"),
    ("KB-LEVEL-05", AllUsable, "the keys"),
    (
        "KB-LEVEL-05",
        Accept(Status::KeyNotUsable),
        "the restricted key",
    ),
    ("KB-DEC-01", Scramble, "decrypts wrongly"),
    ("KB-DEC-02", Scramble, "decrypts wrongly"),
    ("KB-DEC-03", Scramble, "decrypts wrongly"),
    ("KB-DEC-04", Scramble, "decrypts wrongly"),
    ("KB-DEC-05", Scramble, "into another buffer"),
    ("KB-DEC-05", WriteBehind, "behind the samples"),
    ("KB-DEC-06", Scramble, "decrypts wrongly"),
    ("KB-DEC-07", Scramble, "one client among several"),
    ("KB-DEC-08", Scramble, "decrypts wrongly"),
    ("KB-DEC-08", WriteOnRefusal, "decrypts wrongly"),
    (
        "KB-CONT-01",
        Accept(Status::WrongTrackType),
        "an audio track",
    ),
    ("KB-CONT-01", WriteOnRefusal, "wrote to its output"),
    ("KB-CONT-02", Accept(Status::WrongScheme), "no scheme"),
    (
        "KB-CONT-02",
        Accept(Status::WrongPattern),
        "a pattern in cenc",
    ),
    ("KB-CONT-03", Accept(Status::WrongIv), "16 bytes"),
    (
        "KB-CONT-04",
        Accept(Status::PictureTooLarge),
        "a column more",
    ),
    (
        "KB-CONT-05",
        Accept(Status::DurationTooLong),
        "a millisecond more",
    ),
    (
        "KB-CONT-06",
        Accept(Status::ClearRangeTooLarge),
        "clear ranges",
    ),
    ("KB-CONT-07", Accept(Status::BadSampleTable), "no samples"),
    (
        "KB-CONT-08",
        Accept(Status::MediaMismatch),
        "MediaMismatch is promised",
    ),
    (
        "KB-HIGH-01",
        Accept(Status::LevelTooLow),
        "without a decoder",
    ),
    ("KB-HIGH-01", Boast, "the level attested"),
    (
        "KB-HIGH-02",
        Accept(Status::UnprotectedOutput),
        "decryption for the host",
    ),
    ("KB-HIGH-02", WriteOnRefusal, "wrote to its output"),
    ("KB-HIGH-03", Accept(Status::NotPermitted), "RedeemTicket"),
    ("KB-HIGH-04", SwallowDenials, "a clear session"),
    (
        "KB-HIGH-05",
        DecoderRefuses(Status::ContentRejected),
        "ContentRejected",
    ),
    ("KB-HIGH-06", DecoderAccepts, "a ticket twice"),
    ("KB-HIGH-07", DecoderTells, "kinds of answer"),
    ("KB-HIGH-08", DecoderAccepts, "a first row"),
    ("KB-HIGH-08", AllUsable, "the key"),
    ("KB-HIGH-09", OneDecoder, "decoder"),
    (
        "KB-SESS-01",
        Accept(Status::UnknownSession),
        "another's handle",
    ),
    ("KB-SESS-02", Skip(Command::CloseSession), "a closed handle"),
    ("KB-SESS-03", OneHandle, ""),
    ("KB-SESS-04", NeverHangsUp, "TooManySessions"),
    (
        "KB-SESS-05",
        Skip(Command::CloseSession),
        "the closed session's key",
    ),
    (
        "KB-QUOTA-01",
        Accept(Status::TooManySessions),
        "one session too many",
    ),
    (
        "KB-QUOTA-02",
        Accept(Status::TooManySessions),
        "a greedy client",
    ),
    (
        "KB-QUOTA-03",
        Accept(Status::TooManyLicenses),
        "one licence too many",
    ),
    (
        "KB-QUOTA-03",
        Accept(Status::TooManyKeys),
        "one key too many",
    ),
    (
        "KB-REV-01",
        Accept(Status::RevocationListNeeded),
        "without the list",
    ),
    (
        "KB-REV-02",
        Accept(Status::StaleRevocationList),
        "an older list",
    ),
    (
        "KB-REV-03",
        Accept(Status::BadSignature),
        "a spoiled signature",
    ),
    ("KB-REV-03", Accept(Status::RoleMissing), "without the role"),
    (
        "KB-REV-04",
        Skip(Command::LoadRevocationList),
        "its licence",
    ),
    ("KB-REV-05", Forgetful, "after a restart"),
    ("KB-TIME-01", AllUsable, "before any time"),
    (
        "KB-TIME-01",
        Accept(Status::KeyNotUsable),
        "a use before any time",
    ),
    (
        "KB-TIME-02",
        Accept(Status::NotForThisRequest),
        "another session's answer",
    ),
    (
        "KB-TIME-03",
        Accept(Status::WrongService),
        "another service",
    ),
    ("KB-TIME-04", Accept(Status::Late), "after 30.5 s"),
    (
        "KB-TIME-05",
        Accept(Status::LicenseEnded),
        "a licence that has ended",
    ),
    ("KB-TIME-05", AllUsable, "begins in an hour"),
    (
        "KB-TIME-06",
        Accept(Status::KeyNotUsable),
        "a use after its end",
    ),
    (
        "KB-TIME-07",
        Accept(Status::KeyNotUsable),
        "after the playback time",
    ),
    ("KB-TIME-08", TimeGoesBack, "the time went back"),
    ("KB-TIME-09", Accept(Status::RoleMissing), "a time request"),
];

/// Cases that only a TEE can run, hence none of the backends of this machine: built-in anchors, and
/// what begins at Medium.
const ONLY_A_TEE: &[&str] = &["KB-PROV-10", "KB-REV-06"];

fn case(id: &str) -> &'static Case {
    all().find(|case| case.id == id).unwrap()
}

fn tried<S: Subject>(genuine: S, sabotage: Sabotage, id: &str) -> Outcome {
    let subject = Sabotaged { genuine, sabotage };
    let mut reports = run(&subject, [case(id)], |_| ()).unwrap();
    reports.remove(0).outcome
}

#[test]
fn each_case_fails_where_its_promise_is_broken_and_says_so() {
    // By several threads: some cases wait for time to pass.
    let (some, others) = CONTROLS.split_at(CONTROLS.len() / 2);
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let running = [some, others].map(|part| scope.spawn(|| misjudged(part)));
        running
            .into_iter()
            .flat_map(|part| part.join().unwrap())
            .collect()
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Controls whose case did not fail, or for another reason.
fn misjudged(controls: &[(&str, Sabotage, &str)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, sabotage, reason) in controls {
        // No level is below that of the simulated TEE, and it has a decoder.
        let lower = matches!(sabotage, Accept(Status::LowerLevel | Status::LevelTooLow));
        let outcome = if lower {
            tried(Chosen::new(BackendChoice::InProcess), *sabotage, id)
        } else {
            tried(Simulated, *sabotage, id)
        };
        match outcome {
            Outcome::Failed(why) if why.contains(reason) => {}
            other => wrong.push(format!("{id} against {sabotage:?}: {other:?}")),
        }
    }
    wrong
}

#[test]
fn every_case_has_a_control() {
    let controlled: BTreeSet<&str> = CONTROLS.iter().map(|(id, ..)| *id).collect();
    let without: Vec<&str> = all()
        .map(|case| case.id)
        .filter(|id| !controlled.contains(id))
        .collect();
    assert_eq!(without, ONLY_A_TEE);
}

/// The wrapper itself breaks nothing.
#[test]
fn an_honest_trusted_side_passes_through_it() {
    for id in [
        "KB-BIND-02",
        "KB-LIC-01",
        "KB-DEC-05",
        "KB-SESS-04",
        "KB-CALL-07",
    ] {
        assert_eq!(tried(Simulated, Nothing, id), Outcome::Ok, "{id}");
    }
}

#[test]
fn ids_are_unique_and_promises_are_sentences() {
    let mut known = BTreeSet::new();
    for case in all() {
        assert!(known.insert(case.id), "{} twice", case.id);
        assert!(case.id.starts_with("KB-"), "{}", case.id);
        let sentence = case.promise.ends_with('.') && case.promise.starts_with(char::is_uppercase);
        assert!(sentence, "{}: {}", case.id, case.promise);
        assert!(!case.promise.contains(['|', '\t', '\n']), "{}", case.id);
    }
}
