//! `If-Match` and `If-None-Match` (RFC 9110 section 13.1): what a request demands of what it is about.

use axum::extract::FromRequestParts;
use axum::http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};

use super::problem::Problem;
use crate::registry::{Condition, Revision, States};

/// The conditions of a request. One that is not understood is refused: whoever sends it relies on it.
pub(super) struct When(pub(super) Condition);

impl<S: Sync> FromRequestParts<S> for When {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // A weak tag says that two states will do for each other, which is enough for not sending one
        // again, and never for writing (sections 8.8.3.2 and 13.1).
        Ok(Self(Condition {
            is: states(&parts.headers, &IF_MATCH, false)?,
            is_not: states(&parts.headers, &IF_NONE_MATCH, true)?,
        }))
    }
}

fn states(headers: &HeaderMap, name: &HeaderName, weak: bool) -> Result<Option<States>, Problem> {
    // Several fields of a name are one list (section 5.3).
    let lines: Result<Vec<&str>, _> = headers
        .get_all(name)
        .iter()
        .map(HeaderValue::to_str)
        .collect();
    match lines.map(|lines| lines.join(",")) {
        Ok(list) if list.is_empty() && !headers.contains_key(name) => Ok(None),
        Ok(list) if list.trim() == "*" => Ok(Some(States::Any)),
        Ok(list) => match tags(&list, weak) {
            Some(tags) => Ok(Some(States::OneOf(tags))),
            None => Err(not_understood()),
        },
        Err(_) => Err(not_understood()),
    }
}

fn not_understood() -> Problem {
    Problem::parameter("If-Match and If-None-Match: * or what ETag says, with its double quotes")
}

/// The entity tags of a list; none where it is no such list. Weak ones are left out unless they count.
fn tags(list: &str, weak_count: bool) -> Option<Vec<Revision>> {
    const BETWEEN: [char; 3] = [',', ' ', '\t'];
    let mut tags = Vec::new();
    let mut rest = list.trim_matches(BETWEEN);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let strong = rest.strip_prefix("W/");
        let counts = strong.is_none() || weak_count;
        let (tag, behind) = strong.unwrap_or(rest).strip_prefix('"')?.split_once('"')?;
        if counts {
            tags.push(Revision::stated(tag));
        }
        rest = behind.trim_start_matches(BETWEEN);
        // Two tags have a comma between them.
        if !rest.is_empty() && !behind[..behind.len() - rest.len()].contains(',') {
            return None;
        }
    }
    Some(tags)
}

#[cfg(test)]
mod tests;
