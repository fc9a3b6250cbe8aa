//! The interop table: every protected file, the product and its peers, sample by sample.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::fs;
use std::path::{Path, PathBuf};

use keybearer_interop::files::{self, ProtectedFile};
use keybearer_interop::judge::{Judge, Outcome, Verdict};
use keybearer_interop::peers::Peer;
use keybearer_interop::table::{cells, is_of_sixteen, markdown, product, rows};
use keybearer_interop::tools::Tools;

const README: &str = include_str!("../README.md");

fn tools() -> Tools {
    Tools::find(env!("CARGO_BIN_EXE_decrypt-with-crate"))
}

#[test]
fn every_sample_of_every_packager_comes_out_clear() {
    let tools = tools();
    let scratch = tempfile::tempdir().unwrap();
    let files = files::all(&tools, scratch.path());
    let rows = rows(&tools, &files);
    let table = markdown(&rows);
    let versions = tools.versions();
    println!("{versions}\n\n{table}");
    // tests/run shows it.
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop-table.md");
    fs::write(kept, format!("{versions}\n\n{table}")).unwrap();

    let mut failed = Vec::new();
    for (row, file) in rows.iter().zip(&files) {
        let licensed = match file.shares_a_key() {
            true => row.licensed == Verdict::Refused && row.said.contains("another track type"),
            false => matches!(row.licensed, Verdict::Ok { .. }),
        };
        if !licensed || !matches!(row.key_file, Verdict::Ok { .. }) {
            failed.push(format!(
                "{}: licence {}, key file {}. {}",
                row.name, row.licensed, row.key_file, row.said
            ));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));

    // The product's columns and the list of files in the README are true. Of its peers' columns
    // only what they are today is reported: Debian's FFmpeg, for one, is not pinned.
    let (shown, found) = (cells(README), cells(&table));
    let copy = "tests/interop/README.md should show target/tmp/interop-table.md";
    assert_eq!(shown.len(), found.len(), "{copy}");
    for (shown, found) in shown.iter().zip(&found) {
        assert_eq!(shown[..5], found[..5], "{copy}");
    }
    for (shown, found) in shown.iter().zip(&found).filter(|(a, b)| a != b) {
        println!("README shows {shown:?}\n       found {found:?}");
    }
}

/// A file that says its samples are protected and not by which IVs is refused, not copied.
#[test]
fn files_without_initialisation_vectors_are_refused() {
    let tools = tools();
    let judge = Judge::new(&tools);
    let folder = tempfile::tempdir().unwrap();
    for file in files::without_ivs(&tools, folder.path()) {
        let (verdicts, said) = product(&judge, &file, folder.path());
        assert_eq!(
            verdicts,
            [Verdict::Refused, Verdict::Refused],
            "{}: {said}",
            file.name
        );
    }
}

#[test]
fn the_packager_files_are_sixteen_and_more() {
    let files = files::shipped();
    let sixteen = files.iter().filter(|file| is_of_sixteen(&file.name));
    assert_eq!(sixteen.count(), 16, "four codecs in four schemes");
    let changing = files.iter().filter(|file| file.keys.len() == 4);
    assert_eq!(changing.count(), 4, "files whose keys change");
}

/// A shipped file by name.
fn shipped(name: &str) -> ProtectedFile {
    let files = files::shipped();
    files.into_iter().find(|file| file.name == name).unwrap()
}

/// Positive controls: the judge can say everything that a cell can hold.
#[test]
fn the_judge_tells_each_kind_of_failure() {
    let tools = tools();
    let judge = Judge::new(&tools);
    let folder = tempfile::tempdir().unwrap();
    let file = shipped("cenc-video");
    let says = |outcome: Outcome| judge.judge(&file.path, &file.clear, outcome);
    let given = |path: &Path| says(Outcome::Files(vec![path.to_path_buf()]));
    let altered = |name: &str, alter: &dyn Fn(&mut Vec<u8>)| -> PathBuf {
        let mut bytes = fs::read(&file.clear).unwrap();
        alter(&mut bytes);
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };

    assert_eq!(given(&file.clear), Verdict::Ok { samples: 50 });
    let untouched = given(&file.path);
    assert_eq!(
        untouched,
        Verdict::StillEncrypted {
            samples: 50,
            of: 50
        }
    );
    // One bit of the last sample.
    let bit = altered("bit.mp4", &|bytes| *bytes.last_mut().unwrap() ^= 1);
    assert_eq!(given(&bit), Verdict::Wrong { samples: 1, of: 50 });
    // The second fragment is gone.
    let cut = altered("cut.mp4", &|bytes| {
        let moofs: Vec<usize> = (0..bytes.len() - 4)
            .filter(|at| &bytes[*at..at + 4] == b"moof")
            .collect();
        bytes.truncate(moofs[1] - 4);
    });
    assert_eq!(
        given(&cut),
        Verdict::Wrong {
            samples: 25,
            of: 50
        }
    );
    // Nothing at all.
    let missing = folder.path().join("missing.mp4");
    assert_eq!(
        given(&missing),
        Verdict::Wrong {
            samples: 50,
            of: 50
        }
    );
    // A lead left clear, the rest left as it was.
    let lead = shipped("cenc-lead-video");
    let untouched = judge.judge(
        &lead.path,
        &lead.clear,
        Outcome::Files(vec![lead.path.clone()]),
    );
    assert_eq!(
        untouched,
        Verdict::StillEncrypted {
            samples: 25,
            of: 50
        }
    );
    // A wrong key, with a peer that cannot know.
    let mut wrong = shipped("cbcs-audio");
    wrong.keys[0].key[3] ^= 1;
    let outcome = Peer::Ffmpeg8.decrypt(&tools, &wrong, folder.path());
    let verdict = judge.judge(&wrong.path, &wrong.clear, outcome);
    assert!(matches!(verdict, Verdict::Wrong { .. }), "{verdict}");
    // A file that is none, with peers that end in an error.
    let mut none = shipped("cenc-video");
    none.path = folder.path().join("none.mp4");
    fs::write(&none.path, b"no such format").unwrap();
    for peer in [Peer::Packager, Peer::Ffmpeg8] {
        let outcome = peer.decrypt(&tools, &none, folder.path());
        assert!(matches!(outcome, Outcome::Refused), "{peer:?}");
    }
}
