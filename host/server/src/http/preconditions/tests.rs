#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says where by panicking"
)]

use axum::extract::FromRequestParts;
use axum::http::Request;

use super::When;
use crate::registry::{Condition, Revision, States};

async fn when(headers: &[(&str, &str)]) -> Option<Condition> {
    let mut request = Request::builder();
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    let when = When::from_request_parts(&mut parts, &()).await;
    when.ok().map(|when| when.0)
}

fn of(tags: &[&str]) -> Option<States> {
    let tags = tags.iter().map(|tag| Revision::stated(tag));
    Some(States::OneOf(tags.collect()))
}

#[tokio::test]
async fn the_forms_of_the_standard_are_read() {
    assert_eq!(when(&[]).await, Some(Condition::default()));
    for (said, states) in [
        ("*", Some(States::Any)),
        (" * ", Some(States::Any)),
        ("\"a\"", of(&["a"])),
        ("\"\"", of(&[""])),
        ("\"a\", \"b\"", of(&["a", "b"])),
        ("\"a\",\t,\"b\" ,", of(&["a", "b"])),
        ("\"a,b\"", of(&["a,b"])),
    ] {
        let matching = when(&[("If-Match", said)]).await.unwrap();
        assert_eq!((&matching.is, &matching.is_not), (&states, &None), "{said}");
        let other = when(&[("If-None-Match", said)]).await.unwrap();
        assert_eq!((&other.is, &other.is_not), (&None, &states), "{said}");
    }
    let both = [("If-Match", "\"a\""), ("If-None-Match", "*")];
    let both = when(&both).await.unwrap();
    assert_eq!((both.is, both.is_not), (of(&["a"]), Some(States::Any)));
    let lines = [("If-Match", "\"a\""), ("If-Match", "\"b\"")];
    assert_eq!(when(&lines).await.unwrap().is, of(&["a", "b"]));
}

#[tokio::test]
async fn a_weak_tag_is_enough_for_reading_and_never_for_writing() {
    let said = "W/\"a\", \"b\"";
    assert_eq!(
        when(&[("If-Match", said)]).await.unwrap().is,
        of(&["b"]),
        "none of the weak ones"
    );
    // A list of which nothing counts is still a demand, and not met.
    let weak = when(&[("If-Match", "W/\"a\"")]).await.unwrap();
    assert!(weak.misses(Some(&Revision::stated("a"))));
    let other = when(&[("If-None-Match", said)]).await.unwrap();
    assert_eq!(other.is_not, of(&["a", "b"]));
}

#[tokio::test]
async fn what_is_not_understood_is_refused_and_not_passed_over() {
    for said in [
        "",
        ",",
        "a",
        "\"a",
        "a\"",
        "'a'",
        "W/a",
        "w/\"a\"",
        "\"a\"\"b\"",
        "\"a\" \"b\"",
        "*, \"a\"",
        "\"a\", *",
        "**",
    ] {
        for name in ["If-Match", "If-None-Match"] {
            assert_eq!(when(&[(name, said)]).await, None, "{name}: {said}");
        }
    }
}
