//! What stands on a page, found as an operator would: by what it says.
//!
//! A page changes while it is looked at. So each act finds its element anew and is tried again where
//! the element was replaced under it, and what is read is read in one step.

use serde_json::{Value, json};

use crate::Browser;

/// Under which name WebDriver refers to an element (section 12 of the Recommendation).
const REFERENCE: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keys without a character (section 17.4.2).
pub mod key {
    /// Goes on to the next field.
    pub const TAB: char = '\u{e004}';
    /// Does what is to be done.
    pub const ENTER: char = '\u{e007}';
}

/// Something on the page, looked for anew by each act: pages replace what they show.
pub struct Element<'a> {
    browser: &'a Browser,
    using: &'static str,
    value: String,
}

impl Browser {
    /// The first element that a CSS selector finds.
    #[must_use]
    pub fn find(&self, css: &str) -> Element<'_> {
        Element {
            browser: self,
            using: "css selector",
            value: css.to_owned(),
        }
    }

    /// The first button, link or label with this text that is not hidden.
    #[must_use]
    pub fn named(&self, text: &str) -> Element<'_> {
        let is = format!("normalize-space()={text:?} and not(ancestor-or-self::*[@hidden])");
        Element {
            browser: self,
            using: "xpath",
            value: format!("//button[{is}] | //a[{is}] | //label[{is}]"),
        }
    }

    /// A property of the first element that a CSS selector finds; null where there is none.
    #[must_use]
    pub fn property(&self, css: &str, name: &str) -> Value {
        self.run(&format!(
            "return document.querySelector({css:?})?.[{name:?}] ?? null"
        ))
    }

    /// Its text as it is seen; empty where there is none.
    #[must_use]
    pub fn text_of(&self, css: &str) -> String {
        let text = self.property(css, "innerText");
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page shows a text.
    ///
    /// # Panics
    /// Where it does not in time.
    pub fn shows(&self, text: &str) {
        self.until(text, || self.text_of("body").contains(text).then_some(()));
    }

    /// Presses keys, wherever the focus is.
    pub fn press(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })))
            .collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": strokes });
        self.post("/actions", &json!({ "actions": [keyboard] }));
    }
}

impl Element<'_> {
    /// Presses it, once it is there.
    ///
    /// # Panics
    /// Where it cannot be pressed in time.
    pub fn click(&self) {
        self.act(&[("click", json!({}))]);
    }

    /// Replaces what a field holds by typing.
    ///
    /// # Panics
    /// Where it is not there in time.
    pub fn enter(&self, text: &str) {
        self.act(&[("clear", json!({})), ("value", json!({ "text": text }))]);
    }

    fn act(&self, steps: &[(&str, Value)]) {
        let form = json!({ "using": self.using, "value": self.value });
        self.browser.until(&self.value, || {
            let found = self.browser.attempt("POST", "/element", Some(&form)).ok()?;
            let path = format!("/element/{}", found[REFERENCE].as_str()?);
            steps.iter().try_for_each(|(step, body)| {
                let step = format!("{path}/{step}");
                self.browser
                    .attempt("POST", &step, Some(body))
                    .ok()
                    .map(drop)
            })
        });
    }
}
