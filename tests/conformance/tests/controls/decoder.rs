//! Only a subject without a decoder may leave the cases out that need one.

use keybearer_conformance::{Fault, Outcome, Report, run};

use super::{Sabotage, Sabotaged, Simulated, case};

/// A case that needs a decoder, against a simulated TEE that is sabotaged so.
fn tried(sabotage: Sabotage) -> Result<Vec<Report>, Fault> {
    let genuine = Simulated;
    let subject = Sabotaged { genuine, sabotage };
    run(&subject, [case("KB-HIGH-02")], |_| ())
}

#[test]
fn where_there_is_none_its_cases_do_not_apply() {
    let [report] = &tried(Sabotage::WithoutDecoder).unwrap()[..] else {
        panic!("one case was asked for");
    };
    assert!(matches!(&report.outcome, Outcome::NotApplicable(why) if why.contains("decoder")));
}

#[test]
fn one_that_does_not_open_fails_the_run_and_says_why() {
    let Fault(why) = tried(Sabotage::LockedDecoder).unwrap_err();
    assert!(
        why.contains("decoder does not open") && why.contains("a bad signature"),
        "{why}"
    );
}
