#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says where by panicking"
)]

use super::{Condition, Revision, States};

fn states(texts: &[&str]) -> Option<States> {
    let known = texts.iter().map(|text| Revision::stated(text));
    Some(States::OneOf(known.collect()))
}

#[test]
fn equal_things_are_of_one_revision_and_others_of_another() {
    let of = |value: &[u8]| Revision::of(&value).unwrap();
    assert_eq!(of(&[1, 2]), of(&[1, 2]));
    assert_ne!(of(&[1, 2]), of(&[2, 1]));
    assert_eq!(of(&[1, 2]).as_str().len(), 64);
    let with = |hidden: &[u8]| Revision::with(&"shown", &[hidden]).unwrap();
    assert_eq!(with(&[7]), with(&[7]));
    assert_ne!(with(&[7]), with(&[8]), "what is not shown counts as well");
    assert_eq!(with(&[]), Revision::of(&"shown").unwrap());
}

#[test]
fn a_condition_holds_of_the_states_that_it_names() {
    let (a, b) = (Revision::stated("a"), Revision::stated("b"));
    let any = Some(States::Any);
    // The condition, and whether it holds of a, of b, and of what is not there.
    for (is, is_not, holds) in [
        (None, None, [true, true, true]),
        (any.clone(), None, [true, true, false]),
        (states(&["a"]), None, [true, false, false]),
        (states(&["b", "a"]), None, [true, true, false]),
        (states(&[]), None, [false, false, false]),
        (None, any.clone(), [false, false, true]),
        (None, states(&["a"]), [false, true, true]),
        (any, states(&["a"]), [false, true, false]),
    ] {
        let condition = Condition { is, is_not };
        for (current, holds) in [Some(&a), Some(&b), None].into_iter().zip(holds) {
            let checked = condition.check("it", || Ok(current.cloned()));
            assert_eq!(checked.is_ok(), holds, "{condition:?} of {current:?}");
        }
    }
    assert!(
        Condition::unchanged(a.clone())
            .check("it", || Ok(Some(a)))
            .is_ok()
    );
    assert!(Condition::absent().check("it", || Ok(None)).is_ok());
}

#[test]
fn a_refusal_says_what_became_of_it() {
    let said = |condition: Condition, current: Option<&str>| {
        let current = current.map(Revision::stated);
        let refused = condition.check("profile \"HD\"", || Ok(current));
        refused.unwrap_err().to_string()
    };
    let a = || Condition::unchanged(Revision::stated("a"));
    assert!(said(a(), Some("b")).starts_with("profile \"HD\" was changed since it was read"));
    assert!(said(a(), None).starts_with("profile \"HD\" is not there, or not any more"));
    assert!(said(Condition::absent(), Some("b")).starts_with("profile \"HD\" is there already"));
}
