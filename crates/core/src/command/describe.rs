//! `Describe`: what this trusted side is.

use keybearer_wire::body::{Describe, Description};
use keybearer_wire::field::Text;
use keybearer_wire::limits::ABI_VERSION;

use crate::command::Outcome;
use crate::config::Anchors;
use crate::core::{Call, Core};
use crate::evidence::counter_strength;
use crate::platform::Platform;
use crate::report;
use crate::response::Response;

pub(crate) fn run<P: Platform>(core: &mut Core<P>, _call: &Call, _request: Describe) -> Outcome {
    let config = &core.config;
    let counter = core
        .parts
        .counter
        .as_ref()
        .map(|_| counter_strength(&core.parts).code());
    Ok(Response::answer(&Description {
        abi: ABI_VERSION,
        version: Text(env!("CARGO_PKG_VERSION")),
        level: config.level.code(),
        isolation: report::isolation(config.isolation),
        debug: config.debug,
        counter,
        clock: core.parts.clock.is_some(),
        max_media: config.max_media,
        application_anchors: config.anchors == Anchors::Application,
        protected: config.session_level(true).is_some(),
    }))
}
