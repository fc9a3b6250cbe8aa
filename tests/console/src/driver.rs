//! The browser's process, its session, and the commands that are about neither an element nor a key.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Longest wait for anything that a page is to do.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(20);
/// Longest answer of the driver that is read: a screenshot in base64.
const MAX_ANSWER: u64 = 16 * 1024 * 1024;
/// The window, in CSS pixels.
const WINDOW: (u32, u32) = (1280, 820);

/// A browser of its own, without a history and without a screen. It ends when it is dropped.
pub struct Browser {
    driver: Child,
    session: String,
    agent: ureq::Agent,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts one.
    ///
    /// # Panics
    /// Where Chromium or its driver is missing or does not start.
    #[must_use]
    pub fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("chromedriver does not start ({error}): run tests/console/setup.sh")
            });
        let said = driver.stdout.take().expect("its output is piped");
        let port = BufReader::new(said)
            .lines()
            .map_while(Result::ok)
            .find_map(|line| port(&line))
            .expect("chromedriver says which port it took");
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(60)))
            // A refusal has a body that says why.
            .http_status_as_error(false)
            // The driver is on this machine, whatever proxy there is to others.
            .proxy(None)
            .build()
            .into();
        let mut browser = Self {
            driver,
            session: format!("http://127.0.0.1:{port}/session"),
            agent,
            _profile: tempfile::tempdir().expect("a temporary folder can be made"),
        };
        let profile = browser._profile.path().display();
        let answer = browser.post(
            "",
            &json!({ "capabilities": { "alwaysMatch": {
                "goog:loggingPrefs": { "browser": "ALL" },
                "goog:chromeOptions": { "args": [
                    "--headless=new",
                    // Chromium's own sandbox cannot be had as root, which test machines often are.
                    "--no-sandbox",
                    "--disable-dev-shm-usage",
                    "--disable-gpu",
                    "--disable-quic",
                    "--no-first-run",
                    // Nothing is asked of anyone but the server under test.
                    "--disable-background-networking",
                    "--disable-component-update",
                    "--disable-sync",
                    "--hide-scrollbars",
                    "--lang=en-GB",
                    "--force-device-scale-factor=1",
                    format!("--window-size={},{}", WINDOW.0, WINDOW.1),
                    format!("--user-data-dir={profile}"),
                ] },
            } } }),
        );
        let id = answer["sessionId"]
            .as_str()
            .unwrap_or_else(|| panic!("Chromium does not start: {answer}"));
        browser.session = format!("{}/{id}", browser.session);
        browser
    }

    /// Goes to an address, and waits for the page.
    pub fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// The address shown.
    #[must_use]
    pub fn url(&self) -> String {
        let url = self.ask("GET", "/url", None);
        url.as_str().expect("an address is text").to_owned()
    }

    /// What a function's body returns in the page.
    #[must_use]
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Whether the operator's setting is for dark pages; nothing moves in either.
    pub fn prefer_dark(&self, dark: bool) {
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.devtools(
            "Emulation.setEmulatedMedia",
            &json!({ "features": features }),
        );
    }

    /// Sets the height of what is shown, in CSS pixels.
    pub fn resize(&self, height: u32) {
        let size =
            json!({ "width": WINDOW.0, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &size);
    }

    fn devtools(&self, command: &str, parameters: &Value) {
        self.post(
            "/goog/cdp/execute",
            &json!({ "cmd": command, "params": parameters }),
        );
    }

    /// Writes what is shown to a PNG file.
    pub fn picture(&self, file: &Path) {
        let picture = self.ask("GET", "/screenshot", None);
        let picture = picture.as_str().expect("a picture is text");
        let bytes = STANDARD.decode(picture).expect("a picture is base64");
        std::fs::write(file, bytes).expect("the picture can be written");
    }

    /// What the browser complained of since it was asked last: errors of scripts, breaches of the
    /// content security policy, what could not be loaded.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({ "type": "browser" }));
        let entries = log.as_array().into_iter().flatten();
        entries
            .filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING")
            .map(|entry| entry["message"].to_string())
            .collect()
    }

    /// Waits until `look` finds something.
    ///
    /// # Panics
    /// With `what` and the page's text where it does not.
    pub fn until<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> T {
        let begin = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(
                begin.elapsed() < PATIENCE,
                "{what}: not within {PATIENCE:?}; the page says:\n{}\n{:?}",
                self.run("return document.body.innerText"),
                self.complaints(),
            );
            std::thread::sleep(LOOK);
        }
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        self.ask("POST", path, Some(body))
    }

    /// A command that must succeed.
    pub(crate) fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        self.attempt(method, path, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// A command, or the error that the driver answers.
    pub(crate) fn attempt(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Value> {
        let url = format!("{}{path}", self.session);
        let answer = match body {
            Some(body) => self.agent.post(&url).send(body.to_string()),
            None if method == "DELETE" => self.agent.delete(&url).call(),
            None => self.agent.get(&url).call(),
        };
        let mut answer = answer.unwrap_or_else(|error| panic!("{method} {url}: {error}"));
        let text = answer
            .body_mut()
            .with_config()
            .limit(MAX_ANSWER)
            .read_to_string()
            .expect("the driver answers");
        let mut json: Value = serde_json::from_str(&text).expect("the driver answers JSON");
        let value = json["value"].take();
        if answer.status().is_success() {
            Ok(value)
        } else {
            Err(value)
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser as well; a driver that is killed would leave it behind.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The port in "ChromeDriver was started successfully on port 12345."
fn port(line: &str) -> Option<u16> {
    let (_, port) = line.split_once("started successfully on port ")?;
    port.trim_end_matches('.').parse().ok()
}
