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
    let mut time = state.time;
    time.answered(answer.time_anchor, sent, now);
    state.settle_time(&mut core.parts, time)?;
    let response = match answer.outcome {
        ProvisionOutcome::Provisioned { chain, device } => {
            state.certify(&mut core.parts, Certificate::new(root, chain)?)?;
            Response::answer(&ProvisioningFinished {
                certified: Some(Provisioned {
                    level: device.claims.highest_level.code(),
                    debug: device.claims.debug.is_debug(),
                }),
                denial: None,
            })
        }
        ProvisionOutcome::Denied(denial) => Response::answer(&ProvisioningFinished {
            certified: None,
            denial: Some(report::denial(&denial)),
        }),
    };
    core.provisionings.remove(call.client, &anchor);
    Ok(response)
}
