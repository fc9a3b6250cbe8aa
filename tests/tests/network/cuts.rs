//! Messages cut and altered at every byte.

use keybearer_client::{ClientError, Device, Session, TransportError};
use keybearer_tests::post;
use keybearer_tests::proxy::Fault;
use keybearer_tests::service::MODEL;

use crate::Setting;

/// How many bytes the messages of one licence exchange have on the wire.
fn lengths(setting: &Setting, session: &Session) -> (usize, usize) {
    setting.proxy.forget();
    let request = setting.request(session);
    let answer = post::license(&setting.proxy.url(), &request).unwrap();
    let license = session.load_license(&answer).unwrap();
    session.remove_license(&license.id).unwrap();
    let recorded = setting.proxy.recorded();
    (recorded[0].request.len(), recorded[0].response.len())
}

#[test]
fn a_response_cut_at_any_byte_is_an_error_and_the_same_request_brings_it_whole() {
    let setting = Setting::provisioned();
    let session = setting.client.open_session().unwrap();
    let (_, length) = lengths(&setting, &session);
    let before = setting.licenses();
    // One request serves for all offsets: the service answers it the same way each time.
    let request = setting.request(&session);
    for cut in 0..length {
        setting.proxy.arm(Fault::CutResponse(cut));
        let error = post::license(&setting.proxy.url(), &request).unwrap_err();
        assert!(
            !matches!(error, TransportError::Timeout { .. }),
            "byte {cut}: {error}"
        );
    }
    setting.proxy.arm(Fault::None);
    let answer = post::license(&setting.proxy.url(), &request).unwrap();
    assert_eq!(session.load_license(&answer).unwrap().keys.len(), 1);
    assert_eq!(
        setting.licenses(),
        before + 1,
        "{length} repeats were counted"
    );
}

#[test]
fn a_request_cut_at_any_byte_is_refused_and_not_counted() {
    let setting = Setting::provisioned();
    let session = setting.client.open_session().unwrap();
    let (length, _) = lengths(&setting, &session);
    let before = setting.licenses();
    let request = setting.request(&session);
    for cut in 0..length {
        setting.proxy.arm(Fault::CutRequest(cut));
        assert!(
            post::license(&setting.proxy.url(), &request).is_err(),
            "byte {cut}"
        );
    }
    assert_eq!(setting.licenses(), before, "a cut request was counted");
    setting.proxy.arm(Fault::None);
    let answer = post::license(&setting.proxy.url(), &request).unwrap();
    assert_eq!(session.load_license(&answer).unwrap().keys.len(), 1);
    assert_eq!(setting.licenses(), before + 1);
}

/// Cuts the answer of an exchange at every byte, and compares what comes whole afterwards with
/// what came whole before.
fn cut_answers(
    setting: &Setting,
    what: &str,
    ask: impl Fn(&str) -> Result<Vec<u8>, TransportError>,
) -> (Vec<u8>, Vec<u8>) {
    setting.proxy.arm(Fault::None);
    setting.proxy.forget();
    let whole = ask(&setting.proxy.url()).unwrap();
    let length = setting.proxy.recorded()[0].response.len();
    assert!(length > whole.len(), "{what}: head and body are cut");
    for cut in 0..length {
        setting.proxy.arm(Fault::CutResponse(cut));
        let error = ask(&setting.proxy.url()).unwrap_err();
        assert!(
            !matches!(error, TransportError::Timeout { .. }),
            "{what}, byte {cut}: {error}"
        );
    }
    setting.proxy.arm(Fault::None);
    (whole, ask(&setting.proxy.url()).unwrap())
}

/// Cuts the request of an exchange at every byte; none of them is answered.
fn cut_requests(
    setting: &Setting,
    what: &str,
    ask: impl Fn(&str) -> Result<Vec<u8>, TransportError>,
    length: usize,
) {
    for cut in 0..length {
        setting.proxy.arm(Fault::CutRequest(cut));
        assert!(ask(&setting.proxy.url()).is_err(), "{what}, byte {cut}");
    }
    setting.proxy.arm(Fault::None);
}

/// How many bytes the last request had on the wire.
fn request_length(setting: &Setting) -> usize {
    setting.proxy.recorded().last().unwrap().request.len()
}

#[test]
fn service_info_cut_at_any_byte_is_an_error_and_half_of_it_opens_no_session() {
    let setting = Setting::provisioned();
    let (first, second) = cut_answers(&setting, "service info", post::service_info);
    assert_ne!(first, second, "each has a challenge of its own");
    let length = request_length(&setting);
    cut_requests(&setting, "service info", post::service_info, length);
    let anchor = setting.service.anchor();
    let connected = || Device::connect(&*setting.tee).unwrap();
    for cut in 0..second.len() {
        let refused = connected().open_session(&anchor, &second[..cut]).map(drop);
        assert!(
            matches!(refused, Err(ClientError::Refused { .. })),
            "the first {cut} bytes"
        );
    }
    connected().open_session(&anchor, &second).unwrap();
}

#[test]
fn provisioning_cut_at_any_byte_is_an_error_and_uses_its_token_once() {
    let setting = Setting::new();
    let anchor = setting.service.anchor();
    let token = setting.service.enrollment_token();
    let mut device = Device::connect(&*setting.tee).unwrap();
    let info = post::service_info(&setting.service.server().url()).unwrap();
    let request = device
        .provision_request(&anchor, &info, &token, MODEL)
        .unwrap();
    let ask = |url: &str| post::provision(url, &request);
    let provisions = || {
        setting
            .service
            .server()
            .registry()
            .totals()
            .unwrap()
            .provisions
    };

    // The length first, of a request that the service does not see.
    setting.proxy.arm(Fault::CutRequest(0));
    ask(&setting.proxy.url()).unwrap_err();
    let length = request_length(&setting);
    cut_requests(&setting, "provisioning", ask, length);
    assert_eq!(provisions(), 0, "a cut request was counted");

    let (first, last) = cut_answers(&setting, "provisioning", ask);
    assert_eq!(first, last, "a repeat was answered anew");
    assert_eq!(provisions(), 1, "repeats were counted");
    for cut in 0..last.len() {
        let refused = device.finish_provisioning(&anchor, &last[..cut]);
        assert!(
            matches!(refused, Err(ClientError::Refused { .. })),
            "the first {cut} bytes"
        );
        assert!(
            !device.device_key(&anchor).unwrap().provisioned,
            "{cut} bytes made a certificate"
        );
    }
    device.finish_provisioning(&anchor, &last).unwrap();
    assert!(device.device_key(&anchor).unwrap().provisioned);
}

#[test]
fn a_time_answer_cut_at_any_byte_is_an_error_and_brings_no_time() {
    let setting = Setting::provisioned();
    let session = setting.client.open_session().unwrap();
    let request = session.time_request().unwrap();
    let ask = |url: &str| post::time(url, &request);
    let (first, last) = cut_answers(&setting, "time", ask);
    assert_eq!(first, last, "a repeat was answered anew");
    let length = request_length(&setting);
    cut_requests(&setting, "time", ask, length);

    // A fresh one: an answer counts for half a minute, and the cuts may have taken longer.
    let session = setting.client.open_session().unwrap();
    let request = session.time_request().unwrap();
    let answer = post::time(&setting.proxy.url(), &request).unwrap();
    for cut in 0..answer.len() {
        assert!(
            matches!(
                session.load_time_answer(&answer[..cut]),
                Err(ClientError::Refused { .. })
            ),
            "the first {cut} bytes"
        );
    }
    session.load_time_answer(&answer).unwrap();
}

#[test]
fn an_answer_altered_at_any_byte_is_refused() {
    let setting = Setting::provisioned();
    let session = setting.client.open_session().unwrap();
    let request = setting.request(&session);
    let answer = post::license(&setting.proxy.url(), &request).unwrap();
    for place in 0..answer.len() {
        let mut altered = answer.clone();
        altered[place] ^= 1;
        assert!(
            matches!(
                session.load_license(&altered),
                Err(ClientError::Refused { .. })
            ),
            "byte {place}"
        );
        assert!(
            matches!(
                session.load_license(&answer[..place]),
                Err(ClientError::Refused { .. })
            ),
            "the first {place} bytes"
        );
    }
    assert_eq!(session.load_license(&answer).unwrap().keys.len(), 1);
}
