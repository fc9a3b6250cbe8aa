use std::fs;

use crate::run::{keybearer, media_data, names, sample, speaks_of_protection};

#[test]
fn demo_verifies_every_scheme() {
    let folder = tempfile::tempdir().unwrap();
    let keep = folder.path().join("clear");
    let ran = keybearer([
        "demo",
        "--tee",
        "worker",
        "--json",
        "--keep",
        keep.to_str().unwrap(),
    ])
    .exits(0);
    let report = ran.json();
    assert_eq!(report["level"], "low");
    assert_eq!(report["certified_level"], "low");
    assert_eq!(
        (report["verified"].as_u64(), report["failed"].as_u64()),
        (Some(8), Some(0))
    );
    let files = report["files"].as_array().unwrap();
    let mut schemes: Vec<&str> = files
        .iter()
        .map(|file| file["scheme"].as_str().unwrap())
        .collect();
    schemes.dedup();
    assert_eq!(schemes, ["cenc", "cens", "cbc1", "cbcs"]);

    // The report is one thing, the files another.
    assert_eq!(names(&keep).len(), files.len());
    for file in files {
        assert_eq!(file["verified"], true);
        assert_eq!(file["license"].as_str().unwrap().len(), 32);
        let name = file["file"].as_str().unwrap();
        let kind = name.split_once('-').unwrap().1;
        let clear = fs::read(keep.join(name)).unwrap();
        let wanted = media_data(&fs::read(sample(&format!("clear-{kind}"))).unwrap());
        assert!(media_data(&clear) == wanted, "{name}");
        assert_eq!(file["bytes"], wanted.len());
        assert!(!speaks_of_protection(&clear), "{name}");
        assert!(
            speaks_of_protection(&fs::read(sample(name)).unwrap()),
            "{name}"
        );
    }
}

#[test]
fn the_table_has_a_row_for_each_file_and_fits_a_terminal() {
    let ran = keybearer(["demo", "--tee", "worker"]).exits(0);
    let verified = ran
        .out
        .lines()
        .filter(|line| line.contains(".mp4") && line.contains("verified"));
    assert_eq!(verified.count(), 8, "{}", ran.out);
    assert!(ran.out.contains("all 8 files verified"), "{}", ran.out);
    for line in ran.out.lines().filter(|line| line.contains(".mp4")) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(!ran.out.contains('\u{1b}'), "no colours in a pipe");
}

#[test]
fn a_trusted_side_that_is_not_there_is_said() {
    keybearer(["demo", "--tee", "tpm"])
        .exits(2)
        .says("expected auto, optee, worker, in-process or qemu");
    keybearer(["demo", "--tee", "optee"]).exits(6).says("optee");
}

#[test]
fn the_operators_keys_are_used_where_named() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let keys = keys.to_str().unwrap();
    let anchor = keybearer(["serve", "init", keys, "--service", "Example"])
        .exits(0)
        .out;
    let ran = keybearer(["demo", "--tee", "worker", "--operator", keys, "--json"]).exits(0);
    assert_eq!(ran.json()["anchor"], anchor.trim());
    let ran = keybearer([
        "demo",
        "--tee",
        "worker",
        "--operator",
        "/nowhere",
        "--json",
    ])
    .exits(5);
    assert_eq!(ran.json()["error"]["kind"], "service");
}

#[test]
fn a_proxy_in_the_environment_does_not_stand_in_the_way() {
    // Nothing listens there.
    let nowhere = "http://127.0.0.1:9";
    let output = crate::run::command()
        .args(["demo", "--tee", "worker"])
        .envs(["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"].map(|name| (name, nowhere)))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
}

#[test]
fn it_begins_with_what_is_used_and_ends_as_what_failed() {
    let ran = keybearer(["demo"]).exits(0);
    let first = ran.err.lines().next().unwrap();
    assert!(first.starts_with("trusted side worker: "), "{first}");
    // Nowhere to put the clear files: none of them is wrong.
    let folder = tempfile::tempdir().unwrap();
    let keep = folder.path().to_str().unwrap();
    let name = folder.path().join("cenc-video.mp4");
    fs::create_dir(&name).unwrap();
    keybearer(["demo", "--keep", keep])
        .exits(7)
        .says("1 of 8 files failed")
        .says("a folder stands there");
}
