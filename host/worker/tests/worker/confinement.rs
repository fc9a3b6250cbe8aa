//! What `/proc` says of a live worker.

use std::fs;

use keybearer_tee::Tee;

use crate::support::{proc, started, status_of};

#[test]
fn it_is_filtered_without_privileges_to_gain_and_alone() {
    let (_dir, tee) = started();
    let pid = tee.process_id();
    let status = |name| status_of(pid, name).unwrap();
    assert_eq!(status("Seccomp"), "2", "a filter is in force");
    assert_eq!(status("NoNewPrivs"), "1");
    assert_eq!(status("Threads"), "1");
}

#[test]
fn it_leaves_no_core_file() {
    let (_dir, tee) = started();
    let pid = tee.process_id();
    let limits = fs::read_to_string(proc(pid, "limits")).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    let words: Vec<&str> = core.split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{core}");
}

#[test]
fn it_has_no_environment_and_no_descriptors_but_its_own() {
    // What a careless program leaves open for its children.
    let inherited = fs::File::open("/etc/passwd").unwrap();
    rustix::io::fcntl_setfd(&inherited, rustix::io::FdFlags::empty()).unwrap();
    let (dir, tee) = started();
    let pid = tee.process_id();
    assert_eq!(fs::read(proc(pid, "environ")).unwrap(), b"");
    assert_eq!(fs::read_link(proc(pid, "cwd")).unwrap().to_str(), Some("/"));

    let _session = tee.connect().unwrap();
    let mut open: Vec<String> = fs::read_dir(proc(pid, "fd"))
        .unwrap()
        .map(|entry| fs::read_link(entry.unwrap().path()).unwrap())
        .map(|target| target.display().to_string())
        .map(|target| match target.split_once(':') {
            Some(("socket", _)) => "socket".to_owned(),
            _ => target,
        })
        .collect();
    open.sort();
    let state = dir.path().join("state");
    let file = |name: &str| state.join(name).display().to_string();
    let mut own = vec![
        file("lock"),
        file("vault"),
        "/dev/null".into(),
        "/dev/null".into(),
        "/dev/null".into(),
        "socket".into(),
        "socket".into(),
    ];
    own.sort();
    assert_eq!(open, own);
}

#[test]
fn its_heap_is_locked_where_it_says_so() {
    let (_dir, tee) = started();
    let locked: u64 = status_of(tee.process_id(), "VmLck")
        .unwrap()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    let says = tee.info().detail;
    if says.contains("is not swapped out") {
        assert!(locked >= 4 * 1024, "{locked} kB, yet {says}");
    } else {
        assert!(says.contains("may be swapped out"), "{says}");
        assert_eq!(locked, 0);
    }
}
