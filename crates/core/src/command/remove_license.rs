//! `RemoveLicense`: erases one licence with its keys.

use keybearer_license::LicenseId;
use keybearer_wire::body::RemoveLicense;

use crate::command::Outcome;
use crate::core::{Call, Core};
use crate::platform::Platform;
use crate::response::Response;

pub(crate) fn run<P: Platform>(core: &mut Core<P>, call: &Call, request: RemoveLicense) -> Outcome {
    core.sessions
        .get(call.client, request.session)?
        .remove(LicenseId(request.license))?;
    Ok(Response::empty())
}
