//! More devices than one answer holds.

use keybearer_console_tests::Browser;

/// A page is shown and more on demand, and one that is changed far behind is looked at again by itself. A
/// server of so many is played here by the page's own `fetch`: it has 150, gives never more than 60 at
/// once, and does not know Box 148 any more.
pub(crate) fn page_through_devices(browser: &Browser) {
    let _ = browser.run(
        "window.served = window.fetch;
         const suspended = new Set();
         const box = (n) => ({ serial: String(n).padStart(32, '0'), tenant: 'default', model: `Box ${n}`, family: 'PRM',
           level: 'low', debug: false, certified: 1700000000 - n, revoked: null, suspended: suspended.has(n) ? 1700000000 : null });
         window.fetch = async (address, options) => {
           const one = address.match(/\\/devices\\/(\\d+)(\\/suspend)?$/);
           if (one?.[2]) {
             suspended.add(Number(one[1]));
             return new Response(null, { status: 204 });
           }
           if (one) return Number(one[1]) === 148
             ? Response.json({ message: 'there is no such device' }, { status: 404 })
             : Response.json(box(Number(one[1])));
           if (!address.includes('/devices?')) return window.served(address, options);
           const asked = new URL(address, location).searchParams;
           const first = Number(asked.get('before') ?? 0);
           const end = Math.min(first + Math.min(Number(asked.get('limit')), 60), 150);
           const devices = Array.from({ length: end - first }, (_, n) => box(first + n));
           return Response.json({ total: 150, devices, next: end < 150 ? String(end) : null });
         };",
    );
    let rows = |wanted: u64| {
        browser.until("devices", || {
            let rows = browser.run("return document.querySelectorAll('tbody tr').length");
            (rows == wanted).then_some(())
        });
    };
    browser.named("Profiles").click();
    browser.shows("Usage-rules profiles");
    browser.named("Devices").click();
    browser.shows("150 certified here");
    rows(100);
    browser.shows("100 shown, newest first");
    browser.named("More").click();
    rows(150);
    let last = browser.text_of("tbody tr:last-child");
    assert!(last.contains("Box 149"), "{last}");
    let more = browser.property("main .tools button:not(.quiet)", "hidden");
    assert_eq!(more, true, "there are no more");

    browser.find("tbody tr:last-child button").click();
    browser.until("the device that was suspended", || {
        let last = browser.text_of("tbody tr:last-child");
        assert!(last.contains("Box 149"), "another took its place: {last}");
        last.contains("suspended").then_some(())
    });
    // One that cannot be looked at again stays as it was seen.
    browser.find("tbody tr:nth-last-child(2) button").click();
    browser.shows("there is no such device");
    let before = browser.text_of("tbody tr:nth-last-child(2)");
    assert!(
        before.contains("Box 148") && before.contains("in order"),
        "{before}"
    );
    rows(150);
    let _ = browser.run("window.fetch = window.served;");
}
