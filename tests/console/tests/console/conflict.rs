//! Two operators at one profile.

use keybearer_console_tests::Browser;
use serde_json::{Value, json};

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
    // What is one's own may change until it is decided, and is told as it is.
    browser.find("#rule-minLevel").enter("4000");
    browser.shows("yours: 4000");
    browser.find("#rule-minLevel").enter("3000");
    browser.shows("yours: 3000");
    browser.until("it is checked", || {
        (browser.text_of("#state") == "sound").then_some(())
    });
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
    save_twice(browser);
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
    assert_eq!(browser.property("[data-act=remove]", "disabled"), true);
    browser.named("Keep my changes").click();
    rule("minLevel", "2000");
    save();
    browser.shows("Saved cinema");
    let all = json!({ "PRM": { "hdcpType": "TYPE_0", "minLevel": 2000 } });
    assert_eq!(stored("cinema"), all);
}

/// Who presses twice saves once, and is no other operator to himself.
fn save_twice(browser: &Browser) {
    browser.until("it can be saved", || {
        (browser.property("[data-act=save]", "disabled") == false).then_some(())
    });
    let _ = browser.run(
        "window.served = window.fetch;
         window.puts = 0;
         window.fetch = (address, options) => {
           if (options.method === 'PUT') window.puts += 1;
           return window.served(address, options);
         };
         const save = document.querySelector('[data-act=save]');
         save.click();
         window.held = document.querySelector('.rules').inert;
         save.click();",
    );
    browser.until("all is saved", || {
        let said = browser.property("#notice", "textContent");
        said.as_str()?.contains("Saved HD").then_some(())
    });
    assert_eq!(
        browser.run("return [window.puts, window.held]"),
        json!([1, true])
    );
    browser.until("it goes on", || {
        (browser.property(".rules", "inert") == false).then_some(())
    });
    assert_eq!(browser.text_of(".conflict"), "", "there was nobody else");
    let _ = browser.run("window.fetch = window.served;");
}

/// How the changes of two become one form, rule by rule and family by family.
pub(crate) fn put_changes_together(browser: &Browser) {
    let merged = |base: &Value, mine: &Value, theirs: &Value, built_in: bool| {
        browser.run(&format!(
            "return import('/console/conflict.js')
               .then(({{ merged }}) => merged({base}, {mine}, {theirs}, {built_in}))"
        ))
    };
    let none = json!({});
    let was = json!({ "PRM": { "a": 1, "c": 5 } });
    let mine = json!({ "PRM": { "a": 2, "c": 5 } });
    let theirs = json!({ "PRM": { "a": 3, "b": 4, "c": 6 } });
    let both = json!({ "PRM": { "a": 2, "b": 4, "c": 6 } });
    assert_eq!(merged(&was, &mine, &theirs, false), both);
    // A family that they left out and that I changed stays as I saw it; one that I did not change goes.
    assert_eq!(merged(&was, &mine, &none, false), mine);
    assert_eq!(merged(&was, &was, &none, false), none);
    // What I left out stays out, and what both took in has what both put into it.
    assert_eq!(merged(&was, &none, &theirs, false), none);
    let both = json!({ "PRM": { "a": 2, "b": 4, "c": 5 } });
    assert_eq!(merged(&none, &mine, &theirs, false), both);
    // Of a built-in profile no family goes: without a value of one's own a rule is as it was built in.
    let changed = json!({ "PRM": { "a": 2 } });
    assert_eq!(merged(&was, &mine, &none, true), changed);
}

/// Through a proxy that makes tags weak nothing can be saved, which is told and is no conflict.
pub(crate) fn meet_a_proxy(operator: &Operator, browser: &Browser) {
    let _ = browser.run(
        "window.served = window.fetch;
         window.fetch = async (address, options) => {
           const answer = await window.served(address, options);
           const tag = answer.headers.get('ETag');
           if (tag === null) return answer;
           return new Response(answer.body, { status: answer.status, headers: { ETag: `W/${tag}` } });
         };",
    );
    let before = operator.profile("UHD");
    browser.named("Profiles").click();
    browser.named("PRM").click();
    browser.named("UHD").click();
    browser.shows("Profile UHD");
    browser.shows("A proxy between here and the server alters its ETags");
    browser.find("#rule-minLevel").enter("1000");
    browser.until("it looks as if it could be saved", || {
        (browser.property("[data-act=save]", "disabled") == false).then_some(())
    });
    browser.find("[data-act=save]").click();
    browser.until("it is told", || {
        let said = browser.property("#notice", "textContent");
        said.as_str()?
            .contains("nothing can be changed")
            .then_some(())
    });
    assert_eq!(browser.text_of(".conflict"), "");
    assert_eq!(operator.profile("UHD"), before);
    browser.find("[data-act=discard]").click();
    let _ = browser.run("window.fetch = window.served;");
}
