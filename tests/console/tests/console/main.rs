//! The console as its operator uses it: a real server, a real browser, and real clients that ask for
//! licences between one click and the next.
//!
//! The pictures of the console's README are taken on the way, into the build's folder for temporary
//! files; `tests/console/pictures.sh` takes them over.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

mod conflict;
mod devices;
mod operator;

use keybearer_client::DenialReason;
use keybearer_console_tests::{Browser, key};
use operator::Operator;
use serde_json::json;

/// A name that would be a program if it were taken for markup.
const HOSTILE: &str = "<img src=x onerror=alert(1)>";

#[test]
fn an_operator_edits_a_profile_and_the_next_licence_follows() {
    let operator = Operator::new(HOSTILE);
    let browser = Browser::start();
    browser.prefer_dark(false);
    sign_in(&operator, &browser);
    compare(&browser);
    edit(&operator, &browser);
    see_the_licences(&browser);
    give_back(&operator, &browser);
    see_contents_and_devices(&operator, &browser);
    devices::page_through_devices(&browser);
    add_a_profile(&operator, &browser);
    conflict::meet_another_operator(&operator, &browser);
    conflict::put_changes_together(&browser);
    conflict::meet_a_proxy(&operator, &browser);
    nothing_from_elsewhere(&operator, &browser);
    sign_out(&browser);
}

/// The token is asked for, checked and kept out of the address; a wrong one opens nothing.
fn sign_in(operator: &Operator, browser: &Browser) {
    browser.open(&operator.admin_url());
    browser.shows("Admin token");
    assert!(browser.url().ends_with("/console/"), "{}", browser.url());
    browser.press("not the token");
    browser.press(&key::ENTER.to_string());
    browser.shows("does not know this token");
    assert_eq!(browser.run("return sessionStorage.length"), 0);
    // The browser's own note of the refusal.
    let refused = browser.complaints();
    assert!(
        refused.iter().all(|said| said.contains("401")),
        "{refused:?}"
    );
    browser.find("#token").enter(&operator.token());
    browser.press(&key::ENTER.to_string());
    browser.shows("Usage-rules profiles");
    assert!(!browser.url().contains(&operator.token()));
    // A reload does not ask again.
    browser.open(&browser.url());
    browser.shows("Usage-rules profiles");
}

/// The built-in profiles stand side by side, and what differs stands out.
fn compare(browser: &Browser) {
    browser.named("Widevine").click();
    browser.shows("minimumSecurityLevel");
    let heads = browser.run(
        "return [...document.querySelectorAll('.comparison thead th')].map(th => th.querySelector('a, span').textContent)",
    );
    assert_eq!(heads, json!(["Rule", "Test", "SD", "HD", "UHD", "default"]));
    let row = |rule: &str| {
        browser.run(&format!(
            "const row = [...document.querySelectorAll('.comparison tbody tr')].find(tr => tr.querySelector('th').textContent === '{rule}');
             return [...row.querySelectorAll('td')].map(td => td.querySelector('code').textContent + (td.classList.contains('differs') ? ' differs' : ''))"
        ))
    };
    assert_eq!(
        row("hdcp"),
        json!(["0 differs", "0 differs", "1 differs", "5", "5"])
    );
    assert_eq!(
        row("disableAnalogOutput"),
        json!(["FALSE differs", "FALSE differs", "TRUE", "TRUE", "TRUE"])
    );
    browser.resize(680);
    operator::picture(browser, "profiles");
    // Only what differs: in HD's and UHD's common rule there is something left of the table.
    let rows = || browser.run("return document.querySelectorAll('.comparison tbody tr').length");
    let all = rows();
    browser.named("Only rules that differ").click();
    browser.until("fewer rules", || {
        (rows().as_u64() < all.as_u64()).then_some(())
    });
    browser.named("Only rules that differ").click();
}

/// What is typed is judged at once, beside its rule, and cannot be saved while it is wrong.
fn edit(operator: &Operator, browser: &Browser) {
    assert_eq!(operator.player_gets(), Ok(()), "before anything is changed");
    browser.named("PRM").click();
    browser.named("HD").click();
    browser.shows("Profile HD");
    browser.until("the rules", || {
        (browser.property("#rule-minLevel", "value") == "1000").then_some(())
    });
    let level = browser.find("#rule-minLevel");
    let save = "[data-act=save]";
    let is_off = |what: &str, off: bool| {
        browser.until(what, || {
            (browser.property(save, "disabled") == off).then_some(())
        });
    };
    is_off("nothing to save", true);

    level.enter("1500");
    browser.until("the problem beside its rule", || {
        let said = browser.text_of("#rule-minLevel-flaw");
        said.contains("PRM.minLevel = 1500, expected 0, 1000")
            .then_some(())
    });
    assert_eq!(browser.property("#rule-minLevel", "ariaInvalid"), "true");
    is_off("a wrong value cannot be saved", true);
    assert_eq!(browser.text_of("#rule-hdcpType-flaw"), "");
    // Rules that contradict each other, in another family; both problems are counted.
    browser.named("FairPlay").click();
    browser.find("#rule-hdcpStrictEnforcement").enter("FALSE");
    browser.shows("UR-24");
    browser.shows("2 problems");
    browser.named("Back to TRUE").click();
    browser.shows("1 problem");
    operator::picture_of_editor(browser, "PRM", "editor");
    assert_eq!(operator.player_gets(), Ok(()), "nothing was written yet");

    level.enter("3000");
    is_off("a sound value can be saved", false);
    assert_eq!(browser.text_of("#rule-minLevel-flaw"), "");
    assert_eq!(browser.property("#rule-minLevel", "ariaInvalid"), "false");
    browser.find(save).click();
    browser.shows("Saved HD");
    is_off("all is saved", true);
    let refused = operator.player_gets().unwrap_err();
    assert_eq!(refused.reason, Some(DenialReason::LevelTooLow));
    assert_eq!(refused.rule.as_deref(), Some("UR-15 PRM.minLevel"));
}

/// The licence that was refused is seen with the rule that decided, and so is the one before it.
fn see_the_licences(browser: &Browser) {
    browser.named("Licences").click();
    browser.shows("UR-15 PRM.minLevel");
    browser.shows("wanted 3000, found 1000");
    browser.shows("PRM · HD");
    let first = browser.text_of("tbody tr:first-child");
    assert!(
        first.contains("refused") && first.contains("level-too-low"),
        "{first}"
    );
}

/// Giving the built-in values back is asked about first, and the page follows the server by itself.
fn give_back(operator: &Operator, browser: &Browser) {
    browser.named("Profiles").click();
    browser.named("HD").click();
    browser.named("Restore built-in").click();
    browser.shows("Give HD its built-in values back?");
    browser.named("Cancel").click();
    assert!(operator.player_gets().is_err(), "it was only asked about");
    browser.named("Restore built-in").click();
    browser.named("Restore").click();
    browser.shows("HD is as it was built in");
    browser.named("Licences").click();
    browser.shows("Recent licences");
    let newest =
        || browser.run("return document.querySelector('tbody tr')?.dataset.number ?? null");
    let before = newest();
    operator.others_ask();
    assert_eq!(operator.player_gets(), Ok(()));
    browser.until("the page follows", || (newest() != before).then_some(()));
    browser.shows("granted");
    browser.until("the newest licence", || {
        browser
            .text_of("tbody tr:first-child")
            .contains("granted")
            .then_some(())
    });
    // Denials say of which content the key was, and not every content was asked for to know that.
    browser.shows("news");
    let listed = "return performance.getEntriesByType('resource').some(({ name }) => name.endsWith('/contents'))";
    assert_eq!(browser.run(listed), false);
    browser.resize(720);
    operator::picture(browser, "licences");
}

/// Names from outside are text, whatever they look like.
fn see_contents_and_devices(operator: &Operator, browser: &Browser) {
    browser.named("Contents").click();
    browser.shows("Video on demand");
    for text in [
        "sport-1",
        "film-3",
        "film-3-trailer.mp4",
        "UHD1",
        "unknown: no licence",
    ] {
        browser.shows(text);
    }
    browser.resize(800);
    operator::picture(browser, "contents");
    see_groups(browser);
    browser.named("Devices").click();
    browser.shows(HOSTILE);
    assert_eq!(
        browser.run("return document.querySelectorAll('main img').length"),
        0
    );
    browser.find("input[type=search]").enter("living");
    browser.until("one device is left", || {
        let rows = browser.run("return document.querySelectorAll('tbody tr').length");
        (rows == 1).then_some(())
    });
    browser.named("Suspend").click();
    browser.until("the device is suspended", || {
        let row = browser.text_of("tbody tr");
        row.contains("suspended").then_some(())
    });
    let refused = operator.player_gets().unwrap_err();
    assert_eq!(refused.reason, Some(DenialReason::DeviceRevoked));
    browser.named("Resume").click();
    browser.shows("in order");
    assert_eq!(operator.player_gets(), Ok(()));
    browser.find("input[type=search]").enter(" ");
    browser.shows(HOSTILE);
    browser.resize(480);
    operator::picture(browser, "devices");
    browser.resize(820);
}

/// What contents and device models come to their rules by.
fn see_groups(browser: &Browser) {
    browser.named("Groups").click();
    browser.shows("Values for single models");
    let rows = |section: &str| {
        browser.run(&format!(
            "return [...document.querySelectorAll('section[aria-label=\"{section}\"] tbody tr')]
               .map(tr => [...tr.children].map(cell => cell.innerText.replace(/\\s+/g, ' ').trim()))"
        ))
    };
    assert_eq!(
        rows("DRM groups"),
        json!([["premium", "low", "non-persistent", "film-3"]])
    );
    assert_eq!(
        rows("Device groups"),
        json!([["boxes", "PlayReady", "Set-Top Box 4"]])
    );
    assert_eq!(
        rows("Device models"),
        json!([
            [HOSTILE, "Generic", "none"],
            ["Kitchen Tablet", "Widevine", "none"],
            ["Living Room TV", "PRM", "none"],
            ["Set-Top Box 4", "PlayReady group boxes", "hardware"],
        ])
    );
    assert_eq!(
        rows("Values for single models"),
        json!([["UHD", "PRM", "Kitchen Tablet", "hdcpType TYPE_0"]])
    );
    browser.shows("Every Widevine device is asked about HDCP.");
    let markup = "return document.querySelectorAll('main img').length";
    assert_eq!(browser.run(markup), 0);
    browser.resize(1080);
    operator::picture(browser, "groups");
    browser.resize(820);
}

/// A profile of the operator's own, by keyboard alone.
fn add_a_profile(operator: &Operator, browser: &Browser) {
    browser.named("Profiles").click();
    browser.named("New profile").click();
    browser.find("#profile-id").click();
    browser.press("two words");
    browser.shows("its id must be");
    browser.find("#profile-id").enter("HD");
    browser.shows("there is a profile HD already");
    browser.find("#profile-id").enter("cinema");
    let tab = key::TAB.to_string();
    // Family, then whether the profile speaks of it, then its first rule.
    browser.press(&tab);
    browser.press(&tab);
    browser.press(" ");
    browser.until("its rules", || {
        let rules = browser.run("return document.querySelectorAll('.rule').length");
        (rules.as_u64() > Some(5)).then_some(())
    });
    browser.find("#rule-hdcpType").enter("TYPE_0");
    browser.until("it can be saved", || {
        (browser.property("[data-act=save]", "disabled") == false).then_some(())
    });
    browser.find("[data-act=save]").click();
    browser.shows("Saved cinema");
    browser.shows("Profile cinema");
    let stored = operator.profile("cinema");
    assert_eq!(
        stored.own,
        serde_json::from_value(json!({ "PRM": { "hdcpType": "TYPE_0" } })).unwrap()
    );
    browser.prefer_dark(true);
    browser.named("Profiles").click();
    browser.shows("cinema");
    browser.named("PRM").click();
    browser.resize(800);
    operator::picture(browser, "profiles-dark");
    browser.prefer_dark(false);
}

/// The policy is in force, and was never broken; nobody else was asked for anything.
fn nothing_from_elsewhere(operator: &Operator, browser: &Browser) {
    let origin = operator.admin_url();
    let asked =
        browser.run("return performance.getEntriesByType('resource').map(entry => entry.name)");
    let asked = asked.as_array().unwrap();
    assert!(asked.len() > 5);
    for url in asked {
        assert!(url.as_str().unwrap().starts_with(&origin), "{url}");
        assert!(!url.as_str().unwrap().contains(&operator.token()));
    }
    // The browser notes each refusal of the server: what the check found, which is what the editor asked
    // for, and what another operator was before with.
    let refused = [
        ("/check - ", "status of 400"),
        ("/profiles/HD - ", "status of 412"),
        ("/profiles/cinema - ", "status of 412"),
        ("/profiles/cinema - ", "status of 404"),
    ];
    let mut complaints = browser.complaints();
    complaints.retain(|said| {
        let known = |(at, status): &(&str, &str)| said.contains(at) && said.contains(status);
        !refused.iter().any(known)
    });
    assert_eq!(complaints, [""; 0]);
    let refused = browser.run(
        "try { document.querySelector('main').innerHTML = '<b>markup</b>'; return 'taken'; }
         catch (error) { return error.name; }",
    );
    assert_eq!(refused, "TypeError", "text does not become markup");
    let complaints = browser.complaints();
    assert!(
        complaints.iter().all(|said| said.contains("TrustedHTML")),
        "{complaints:?}"
    );
    assert!(!complaints.is_empty());
}

fn sign_out(browser: &Browser) {
    browser.named("Sign out").click();
    browser.shows("Admin token");
    assert_eq!(browser.run("return sessionStorage.length"), 0);
    browser.open(&browser.url());
    browser.shows("Admin token");
}
