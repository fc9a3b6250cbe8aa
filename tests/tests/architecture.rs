//! The rooms, the direction of their dependencies and the boundary of `unsafe` are as decided.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Each room, whether it is `no_std`, and the rooms it may depend on outside its tests.
const ROOMS: &[(&str, bool, &[&str])] = &[
    ("crates/cbor", true, &[]),
    ("crates/crypto", true, &[]),
    ("crates/crypto-soft", true, &["crates/crypto"]),
    ("crates/crypto-ring", false, &["crates/crypto"]),
    ("crates/cenc", true, &[]),
    ("crates/rules", true, &["crates/cbor"]),
    ("crates/wire", true, &["crates/cbor"]),
    (
        "crates/license",
        true,
        &["crates/cbor", "crates/rules", "crates/crypto"],
    ),
    (
        "crates/core",
        true,
        &[
            "crates/license",
            "crates/rules",
            "crates/wire",
            "crates/crypto",
            "crates/cenc",
            "crates/cbor",
        ],
    ),
    ("crates/video", true, &[]),
    ("crates/media", false, &["crates/cenc"]),
    ("crates/tee", false, &["crates/wire"]),
    (
        "crates/tee-soft",
        false,
        &[
            "crates/tee",
            "crates/wire",
            "crates/core",
            "crates/license",
            "crates/rules",
            "crates/crypto",
            "crates/crypto-soft",
        ],
    ),
    ("crates/tee-optee", false, &["crates/tee", "crates/wire"]),
    (
        "host/worker",
        false,
        &[
            "crates/core",
            "crates/license",
            "crates/tee-soft",
            "crates/wire",
        ],
    ),
    (
        "host/backend",
        false,
        &[
            "crates/tee",
            "crates/tee-soft",
            "crates/tee-optee",
            "crates/wire",
        ],
    ),
    (
        "host/client",
        false,
        &[
            "crates/tee",
            "crates/wire",
            "crates/license",
            "crates/rules",
            "crates/media",
        ],
    ),
    (
        "host/cli",
        false,
        &[
            "host/client",
            "host/backend",
            "host/server",
            "host/worker",
            "crates/cenc",
            "crates/license",
            "crates/media",
            "crates/rules",
            "crates/tee",
            "crates/wire",
        ],
    ),
    (
        "host/server",
        false,
        &[
            "crates/license",
            "crates/rules",
            "crates/crypto",
            "crates/crypto-ring",
            "crates/crypto-soft",
            "crates/cbor",
        ],
    ),
];

/// Files that may hold `unsafe`: the glue to C interfaces and nothing else.
const UNSAFE_ALLOWED: &[&str] = &[
    "crates/tee-optee/src/sys",
    "crates/tee-optee/src/sys.rs",
    "crates/tee-soft/src/sys.rs",
    "host/worker/src/sys.rs",
    "ta/decoder/src",
    "ta/entry/src",
    "ta/keybearer/src",
    "tests/constant-time/src/valgrind.rs",
    "tests/fake-libteec/src/abi",
    "tests/fake-libteec/src/abi.rs",
    "tests/src/raw.rs",
];

/// Tests that measure or refuse allocations: an allocator cannot be had without it.
const TEST_ALLOCATORS: &[&str] = &[
    "crates/core/tests/exhaustion.rs",
    "crates/core/tests/heap.rs",
    "crates/video/tests/memory/main.rs",
    "host/client/tests/memory.rs",
    "tests/fake-libteec/tests/decoder_exhaustion",
    "tests/fake-libteec/tests/decoder_heap.rs",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

/// Each workspace room with the rooms its normal and build dependencies name.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = MetadataCommand::new()
        .current_dir(root())
        .no_deps()
        .other_options(vec!["--offline".into()])
        .exec()
        .unwrap();
    let room = |manifest: &Path| {
        manifest
            .parent()
            .unwrap()
            .strip_prefix(root())
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    let rooms: BTreeMap<String, String> = metadata
        .packages
        .iter()
        .map(|package| {
            (
                package.name.to_string(),
                room(package.manifest_path.as_std_path()),
            )
        })
        .collect();
    metadata
        .packages
        .iter()
        .map(|package| {
            let named = package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind != DependencyKind::Development)
                .filter_map(|dependency| rooms.get(&dependency.name).cloned())
                .collect();
            (rooms[package.name.as_str()].clone(), named)
        })
        .collect()
}

/// Every Rust source below `folder`, with its path from the root.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path.strip_prefix(root()).unwrap().to_path_buf());
        }
    }
}

fn all_sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["crates", "host", "ta", "tests"] {
        sources(&root().join(folder), &mut found);
    }
    found
}

#[test]
fn dependencies_follow_the_decided_direction() {
    let mut found = dependencies();
    // What stands below `tests` may depend on anything.
    found.retain(|room, _| !Path::new(room).starts_with("tests"));
    let known: BTreeSet<&str> = ROOMS.iter().map(|(room, ..)| *room).collect();
    assert_eq!(
        found.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        known,
        "every room of the workspace is listed here, and every listed room exists"
    );
    for (room, _, allowed) in ROOMS {
        for dependency in &found[*room] {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{room} must not depend on {dependency}"
            );
        }
    }
}

#[test]
fn the_client_never_reaches_the_core() {
    let edges = dependencies();
    let mut reached = BTreeSet::new();
    let mut open = vec!["host/client".to_owned()];
    while let Some(room) = open.pop() {
        if reached.insert(room.clone()) {
            open.extend(edges[&room].iter().cloned());
        }
    }
    for barred in ["crates/core", "crates/crypto-soft", "crates/tee-soft"] {
        assert!(!reached.contains(barred), "host/client reaches {barred}");
    }
}

/// What an application gets without asking keeps the core out of its process: the room that talks to
/// the worker is built without the core unless a feature says otherwise, and none is on by default.
#[test]
fn the_core_is_in_an_applications_process_only_where_it_asks_for_it() {
    let metadata = MetadataCommand::new()
        .current_dir(root())
        .no_deps()
        .other_options(vec!["--offline".into()])
        .exec()
        .unwrap();
    let package = |name: &str| metadata.packages.iter().find(|one| *one.name == name);
    let soft = package("keybearer-tee-soft").unwrap();
    for dependency in &soft.dependencies {
        let always = ["keybearer-tee", "keybearer-wire"].contains(&dependency.name.as_str());
        assert!(
            !dependency.name.starts_with("keybearer-") || always || dependency.optional,
            "tee-soft always depends on {}",
            dependency.name
        );
    }
    assert!(!soft.features.contains_key("default"));
    let backend = package("keybearer-backend").unwrap();
    assert_eq!(backend.features["default"], ["worker"]);
    assert_eq!(backend.features["worker"], ["dep:keybearer-tee-soft"]);
    let soft = backend
        .dependencies
        .iter()
        .find(|dependency| dependency.name == "keybearer-tee-soft");
    assert_eq!(soft.unwrap().features, [""; 0]);
}

#[test]
fn core_rooms_are_no_std() {
    for (room, no_std, _) in ROOMS {
        let lib = fs::read_to_string(root().join(room).join("src/lib.rs"))
            .or_else(|_| fs::read_to_string(root().join(room).join("src/main.rs")))
            .unwrap();
        assert_eq!(
            lib.contains("#![no_std]"),
            *no_std,
            "{room}: no_std as decided"
        );
    }
}

#[test]
fn unsafe_stays_where_it_is_allowed() {
    for (room, ..) in ROOMS {
        let allowed = UNSAFE_ALLOWED.iter().any(|path| path.starts_with(room));
        for name in ["src/lib.rs", "src/main.rs"] {
            if let Ok(text) = fs::read_to_string(root().join(room).join(name)) {
                assert!(
                    allowed || text.contains("#![forbid(unsafe_code)]"),
                    "{room}/{name} does not forbid unsafe code"
                );
            }
        }
    }
    for path in all_sources() {
        if UNSAFE_ALLOWED
            .iter()
            .chain(TEST_ALLOCATORS)
            .any(|allowed| path.starts_with(allowed))
            || path.ends_with(file!())
        {
            continue;
        }
        let text = fs::read_to_string(root().join(&path)).unwrap();
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap();
            // The room that has such glue names the one module that may hold it.
            let room = UNSAFE_ALLOWED.iter().any(|allowed| {
                Path::new(allowed).parent() == path.parent() && code.contains("allow(unsafe_code")
            });
            let uses = [
                "unsafe {",
                "unsafe fn",
                "unsafe impl",
                "unsafe extern",
                "allow(unsafe_code",
            ];
            assert!(
                room || !uses.iter().any(|word| code.contains(word)),
                "{}:{} uses unsafe outside its rooms",
                path.display(),
                number + 1
            );
        }
    }
}

#[test]
fn names_say_what_things_are() {
    for path in all_sources() {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        for vague in [
            "util", "utils", "helper", "helpers", "manager", "misc", "common",
        ] {
            assert_ne!(stem, vague, "{} is named after nothing", path.display());
        }
    }
}

#[test]
fn files_stay_readable_in_one_sitting() {
    for path in all_sources() {
        let lines = fs::read_to_string(root().join(&path))
            .unwrap()
            .lines()
            .count();
        assert!(
            lines <= 500,
            "{} has {lines} lines; split it where a reader would",
            path.display()
        );
    }
}

#[test]
fn every_path_that_the_documents_name_exists() {
    let mut documents = vec![root().join("README.md")];
    for folder in ["crates", "host", "ta", "tests"] {
        markdown(&root().join(folder), &mut documents);
    }
    let mut named = 0;
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        let folder = document.parent().unwrap();
        for word in text.split(|c: char| c.is_whitespace() || "`()[]|,;".contains(c)) {
            let word = word.trim_end_matches(['.', ':']);
            let starts = ["crates/", "host/", "ta/", "tests/", "./"];
            if !starts.iter().any(|start| word.starts_with(start))
                || word.contains(['*', '{', '<', '$'])
            {
                continue;
            }
            named += 1;
            let path = word.split('#').next().unwrap();
            assert!(
                root().join(path).exists() || folder.join(path).exists(),
                "{} names {word}, which does not exist",
                document.strip_prefix(root()).unwrap().display()
            );
        }
    }
    assert!(
        named > 10,
        "the documents name only {named} paths; is the scan broken?"
    );
}

fn markdown(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                markdown(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}
