//! `FinishProvisioning`: takes the certificate that a provision answer brings. Anything wrong
//! about the answer writes nothing, and the request goes on waiting.

use keybearer_crypto::Digest;
use keybearer_license::{ProvisionOutcome, Trust, open_provision_answer};
use keybearer_wire::body::{FinishProvisioning, Provisioned, ProvisioningFinished};

use crate::anchor::{self, Certificate};
use crate::command::Outcome;
use crate::core::{Call, Core};
use crate::platform::Platform;
use crate::refusal;
use crate::report;
use crate::response::Response;

pub(crate) fn run<P: Platform>(
    core: &mut Core<P>,
    call: &Call,
    request: FinishProvisioning<'_>,
) -> Outcome {
    let now = call.now()?;
    let anchor = Digest(request.anchor);
    let state = anchor::under(&mut core.states, &mut core.parts, &core.config, &anchor)?;
    let pending = core.provisionings.get(call.client, &anchor)?;
    let (root, sent) = (pending.root, pending.sent);
    let trust = Trust {
        anchor: &root,
        time: state.time.view(),
        revoked: &state.revocation.serials,
    };
    let answer = open_provision_answer(
        &core.parts.crypto,
        &pending.request,
        &trust,
        request.answer.0,
    )
    .map_err(refusal::of_message)?;
    if let ProvisionOutcome::Provisioned { device, .. } = &answer.outcome {
        state.check_replacement(device.claims.highest_level, device.claims.debug)?;
    }
    let mut time = state.time;
    time.answered(answer.time_anchor, sent, now);
    let (certificate, response) = match answer.outcome {
        ProvisionOutcome::Provisioned { chain, device } => {
            let response = Response::encoded(&ProvisioningFinished {
                certified: Some(Provisioned {
                    level: device.claims.highest_level.code(),
                    debug: device.claims.debug.is_debug(),
                }),
                denial: None,
            })?;
            (Some(Certificate::new(root, chain)?), response)
        }
        ProvisionOutcome::Denied(denial) => {
            let response = Response::encoded(&ProvisioningFinished {
                certified: None,
                denial: Some(report::denial(&denial)),
            })?;
            (None, response)
        }
    };
    state.settle_time(&mut core.parts, time)?;
    if let Some(certificate) = certificate {
        state.certify(&mut core.parts, certificate)?;
    }
    core.provisionings.remove(call.client, &anchor);
    Ok(response)
}
