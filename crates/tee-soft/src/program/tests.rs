#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::fs::Permissions;

use super::*;

fn executable(folder: &Path) -> PathBuf {
    fs::create_dir_all(folder).unwrap();
    let path = folder.join(NAME);
    fs::write(&path, "#!/bin/true").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn places_are_looked_at_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let [bin, lib] = ["usr/bin", "opt/lib"].map(|name| dir.path().join(name));
    let homes = [bin.clone(), lib.clone()];
    let found = || search(None, &homes);
    let SoftError::NoWorker { searched } = found().unwrap_err() else {
        panic!("nothing is there")
    };
    let expected = [
        bin.join(NAME),
        lib.join(NAME),
        dir.path().join("usr/libexec").join(NAME),
        dir.path().join("opt/libexec").join(NAME),
        PathBuf::from("/usr/local/libexec").join(NAME),
        PathBuf::from("/usr/libexec").join(NAME),
    ];
    assert_eq!(searched, expected);
    for place in expected[..4].iter().rev() {
        let path = executable(place.parent().unwrap());
        assert_eq!(found().unwrap(), WorkerProgram::at(path));
    }
}

#[test]
fn what_is_named_is_taken_or_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let homes = [dir.path().to_path_buf()];
    executable(dir.path());
    let missing = dir.path().join("elsewhere");
    let SoftError::NoWorker { searched } = search(Some(missing.as_os_str()), &homes).unwrap_err()
    else {
        panic!("the one named is not there")
    };
    assert_eq!(searched, [missing]);
    let named = executable(&dir.path().join("there"));
    let found = search(Some(named.as_os_str()), &homes).unwrap();
    assert_eq!(found, WorkerProgram::at(named));
}

#[test]
fn what_cannot_be_executed_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = executable(dir.path());
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    fs::create_dir_all(dir.path().join("folder").join(NAME)).unwrap();
    let homes = [dir.path().to_path_buf(), dir.path().join("folder")];
    assert!(search(None, &homes).is_err());
}

#[test]
fn the_error_names_the_places_and_the_remedy() {
    let text = search(None, &[PathBuf::from("/opt/player")])
        .unwrap_err()
        .to_string();
    assert!(text.contains("/opt/player/keybearer-worker"), "{text}");
    assert!(text.contains(WORKER_VARIABLE), "{text}");
}

#[test]
fn the_file_behind_an_address_is_found() {
    let maps = "\
55d0a0000000-55d0a0001000 r--p 00000000 08:01 11 /usr/bin/player
7f0000000000-7f0000002000 r-xp 00001000 08:01 12 /opt/my lib/libkeybearer.so
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0 [stack]
";
    let file = |address| mapped_at(maps, address);
    assert_eq!(file(0x55d0_a000_0fff), Some("/usr/bin/player".into()));
    let library = Some("/opt/my lib/libkeybearer.so".into());
    assert_eq!(file(0x7f00_0000_0000), library);
    assert_eq!(file(0x7f00_0000_2000), None);
    assert_eq!(file(0x7ffc_0000_0000), None);
    // And in truth: the tests are in one file with the code.
    let folder = env::current_exe().unwrap().parent().unwrap().to_path_buf();
    assert_eq!(homes(), [folder]);
}
