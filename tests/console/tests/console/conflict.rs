//! Two operators at one profile.

use keybearer_console_tests::Browser;
use serde_json::json;

use crate::operator::{self, Operator};

/// What another operator saved meanwhile is not undone, and neither are one's own changes lost.
pub(crate) fn meet_another_operator(operator: &Operator, browser: &Browser) {
    let save = || {
        browser.until("it can be saved", || {
            (browser.property("[data-act=save]", "disabled") == false).then_some(())
        });
        browser.find("[data-act=save]").click();
    };
    let rule = |rule: &str, value: &str| {
        browser.until(rule, || {
            (browser.property(&format!("#rule-{rule}"), "value") == value).then_some(())
        });
    };
    let stored = |id: &str| json!(operator.profile(id).own);
    let open = |id: &str| {
        browser.named("Profiles").click();
        browser.named("PRM").click();
        browser.named(id).click();
        browser.shows(&format!("Profile {id}"));
    };

    // Each has changed another rule: both changes are kept.
    open("HD");
    rule("minLevel", "1000");
    browser.find("#rule-minLevel").enter("3000");
    operator.another_saves(
        "HD",
        &json!({ "PRM": { "minLevel": 2000, "hdcpType": "TYPE_1" } }),
    );
    save();
    browser.shows("HD was changed elsewhere while you edited it");
    browser.shows("PRM.hdcpType");
    browser.shows("yours: 3000");
    rule("minLevel", "3000");
    assert_eq!(browser.property("[data-act=save]", "disabled"), true);
    browser.resize(880);
    operator::picture(browser, "conflict");
    browser.resize(820);
    // It is still so when one comes back.
    open("UHD");
    open("HD");
    browser.shows("yours: 3000");
    assert_eq!(
        stored("HD"),
        json!({ "PRM": { "minLevel": 2000, "hdcpType": "TYPE_1" } }),
        "nothing was written"
    );
    browser.named("Keep my changes").click();
    rule("hdcpType", "TYPE_1");
    rule("minLevel", "3000");
    save();
    browser.shows("Saved HD");
    let both = json!({ "PRM": { "minLevel": 3000, "hdcpType": "TYPE_1" } });
    assert_eq!(stored("HD"), both);

    // Giving back what somebody else has just changed is not done unseen either.
    rule("minLevel", "3000");
    browser.find("[data-act=remove]").click();
    operator.another_saves("HD", &json!({ "PRM": { "minLevel": 2000 } }));
    browser.named("Restore").click();
    browser.shows("was changed since it was read; nothing was written");
    rule("minLevel", "2000");
    assert_eq!(stored("HD"), json!({ "PRM": { "minLevel": 2000 } }));

    // One's own are given up.
    browser.find("#rule-minLevel").enter("3000");
    operator.another_saves("HD", &json!({ "PRM": { "minLevel": 4000 } }));
    save();
    browser.named("Discard mine").click();
    rule("minLevel", "4000");
    assert_eq!(stored("HD"), json!({ "PRM": { "minLevel": 4000 } }));

    // One that is gone is made anew, if that is wanted.
    open("cinema");
    rule("hdcpType", "TYPE_0");
    browser.find("#rule-minLevel").enter("2000");
    operator.another_removes("cinema");
    save();
    browser.shows("cinema was deleted while you edited it");
    browser.named("Keep my changes").click();
    rule("minLevel", "2000");
    save();
    browser.shows("Saved cinema");
    let all = json!({ "PRM": { "hdcpType": "TYPE_0", "minLevel": 2000 } });
    assert_eq!(stored("cinema"), all);
}
