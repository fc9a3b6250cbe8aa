//! What `play` tells of its licences and keys, and what `provision` does on a full disk.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::machines::{Device, Server};
use crate::run::names;

#[test]
fn a_play_tells_what_became_of_its_keys() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["cenc-both.mp4"], "");
    let device = Device::new();
    let bundle = folder.path().join("bundle.json");
    device
        .run(&["provision", "--bundle", bundle.to_str().unwrap()])
        .exits(0);
    let report = device.play("cenc-both.mp4", &["--json"]).exits(0).json();
    let keys = report["key_ids"].as_array().unwrap();
    let changed = |id: &Value| {
        json!({
            "key_id": id,
            "old": null,
            "new": "usable",
            "largest_picture": null,
            "why": "usable",
        })
    };
    let mut expected: Vec<Value> = keys.iter().map(changed).collect();
    expected.sort_by_key(|change| change["key_id"].to_string());
    assert_eq!(report["key_changes"], json!(expected));
    assert_eq!(report["renewals"], json!([]), "none was due");
    drop(server);
}

/// The list of services does not fit any more: what stands there stays as it is, whole.
#[test]
fn a_service_that_cannot_be_remembered_is_said_and_the_list_stays_whole() {
    let folder = tempfile::tempdir().unwrap();
    let _server = Server::start(folder.path(), &["cenc-both.mp4"], "");
    let device = Device::new();
    let state = device.state();
    fs::create_dir(&state).unwrap();
    let services: Vec<Value> = (0..40_000)
        .map(|number| {
            let url = format!("http://service-{number}.example");
            json!({ "url": url, "anchor": "ab".repeat(32) })
        })
        .collect();
    let list = json!({ "services": services }).to_string();
    let path = state.join("services.json");
    fs::write(&path, &list).unwrap();
    // Three megabytes: more than the device itself writes and shares with its worker, less than the list.
    let limited = "ulimit -f 6144 && exec \"$0\" \"$@\"";
    let output = Command::new("sh")
        .args(["-c", limited, env!("CARGO_BIN_EXE_keybearer"), "provision"])
        .arg("--bundle")
        .arg(folder.path().join("bundle.json"))
        .args(["--tee", "worker", "--state"])
        .arg(&state)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(7), "{said}");
    assert!(said.contains("cannot remember the service"), "{said}");
    assert!(said.contains("is provisioned all the same"), "{said}");
    assert_eq!(fs::read_to_string(&path).unwrap(), list);
    assert_eq!(names(&state), ["device", "services.json"]);
}
