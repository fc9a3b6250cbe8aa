//! What each trusted application is made of is what a reviewer has read: `dependencies.txt` beside its
//! package lists every crate that is linked into its image, and every one that runs to build it.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::{collections::BTreeSet, env, fs, path::Path, process::Command};

/// The packages of the trees along these edges, each as name and version.
fn tree(package: &str, edges: &str) -> BTreeSet<String> {
    let output = Command::new(env::var_os("CARGO").unwrap())
        .current_dir(workspace())
        .args(["tree", "--locked", "--prefix", "none", "--no-dedupe"])
        .args(["--target", "aarch64-unknown-linux-gnu", "--edges", edges])
        .args(["--package", package, "--features", &format!("{package}/ta")])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree: {told}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let packages = lines.lines().filter_map(|line| {
        let (name, rest) = line.split_once(" v")?;
        let version = rest.split(' ').next()?;
        Some(format!("{name} {version}"))
    });
    packages.collect()
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn list(package: &str) -> String {
    let linked = tree(package, "normal,no-proc-macro");
    let all = tree(package, "normal,build");
    let linked_lines = linked.iter().map(|one| format!("linked {one}\n"));
    let at_build = all.difference(&linked);
    linked_lines
        .chain(at_build.map(|one| format!("at build {one}\n")))
        .collect()
}

fn assert_pinned(room: &str, package: &str) {
    let place = workspace().join(room).join("dependencies.txt");
    let found = list(package);
    let pinned = fs::read_to_string(&place).unwrap_or_default();
    assert!(
        found == pinned,
        "{} is not what {package} is made of; when the change is meant and read, it is:\n{found}",
        place.display()
    );
}

#[test]
fn the_key_ta_is_made_of_what_was_read() {
    assert_pinned("keybearer", "keybearer-ta");
}

#[test]
fn the_decoder_is_made_of_what_was_read() {
    assert_pinned("decoder", "keybearer-ta-decoder");
}

#[test]
fn the_test_monitor_is_made_of_what_was_read() {
    assert_pinned("monitor", "keybearer-ta-monitor");
}

/// The parser of hostile content has no business with a key, nor the key TA with that parser.
#[test]
fn neither_links_what_the_other_is_for() {
    let names = |package| -> BTreeSet<String> {
        let linked = tree(package, "normal,no-proc-macro");
        let name = |one: &String| one.split(' ').next().unwrap().to_owned();
        linked.iter().map(name).collect()
    };
    let decoder = names("keybearer-ta-decoder");
    for barred in [
        "keybearer-core",
        "keybearer-crypto",
        "keybearer-license",
        "aes",
        "p256",
    ] {
        assert!(!decoder.contains(barred), "the decoder links {barred}");
    }
    let key = names("keybearer-ta");
    for barred in [
        "keybearer-video",
        "keybearer-ta-decoder",
        "keybearer-ta-monitor",
    ] {
        assert!(!key.contains(barred), "the key TA links {barred}");
    }
}
