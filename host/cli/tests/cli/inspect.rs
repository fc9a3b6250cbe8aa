use std::fs;
use std::io::Write;
use std::process::Stdio;

use crate::run::{command, keybearer, sample};

/// `inspect` of one file, all of it: everything here is a property of the file.
const BOTH: &str = "\
├── track 1     video
│   ├── codec       avc1 320x180
│   ├── scheme      cbcs, pattern 1:9, constant 16-byte IV
│   ├── key id      5ff5434e1f88928baf9b6ba493878a47
│   ├── samples     50 of 20,402 bytes, 2.00 s; 50 protected
│   └── subsamples  4 a sample; 3,747 bytes clear, 16,655 protected
├── track 2     audio
│   ├── codec       mp4a
│   ├── scheme      cbcs, constant 16-byte IV
│   ├── key id      a091b6e14575272813d90c1125e6ef42
│   ├── samples     95 of 11,987 bytes, 2.02 s; 95 protected
│   └── subsamples  none in 95: protected as a whole
├── pssh        W3C common, version 1, 0 bytes of data
│   ├── system id   1077efec-c0b2-4d02-ace3-3c1e52e2fb4b
│   └── key id      5ff5434e1f88928baf9b6ba493878a47
├── pssh        Widevine, version 0, 24 bytes of data
│   └── system id   edef8ba9-79d6-4ace-a3c8-27dcd51d21ed
├── pssh        W3C common, version 1, 0 bytes of data
│   ├── system id   1077efec-c0b2-4d02-ace3-3c1e52e2fb4b
│   └── key id      a091b6e14575272813d90c1125e6ef42
└── pssh        Widevine, version 0, 24 bytes of data
    └── system id   edef8ba9-79d6-4ace-a3c8-27dcd51d21ed
";

/// W3C common `pssh` of version 1 with one key id.
const PSSH: &str = "AAAANHBzc2gBAAAAEHfv7MCyTQKs4zweUuL7SwAAAAGMqn45b0GOZMzdcHoSdhwBAAAAAA==";

#[test]
fn a_file_is_shown_as_a_tree() {
    let file = sample("cbcs-both.mp4");
    let ran = keybearer(["inspect", file.to_str().unwrap()]).exits(0);
    let (title, tree) = ran.out.split_once('\n').unwrap();
    assert!(
        title.ends_with("cbcs-both.mp4  37,106 bytes, 2 fragments, protected"),
        "{title}"
    );
    assert_eq!(tree, BOTH);
    assert!(tree.lines().all(|line| line.chars().count() <= 80));

    let ran = keybearer(["inspect", "--json", "--boxes", file.to_str().unwrap()]).exits(0);
    let report = &ran.json()[0];
    assert_eq!(report["tracks"][1]["protected_samples"], 95);
    assert_eq!(report["boxes"][0]["kind"], "ftyp");
}

#[test]
fn clear_samples_between_protected_ones_are_counted() {
    let file = sample("cenc-lead-video.mp4");
    let ran = keybearer(["inspect", "--json", file.to_str().unwrap()]).exits(0);
    let track = &ran.json()[0]["tracks"][0];
    assert_eq!(
        (&track["samples"], &track["protected_samples"]),
        (&50.into(), &25.into())
    );
    let file = sample("clear-video.mp4");
    let ran = keybearer(["inspect", file.to_str().unwrap()]).exits(0);
    assert!(ran.out.contains("nothing is protected"), "{}", ran.out);
    // Of a clear file no sample is looked at, and none is said to be absent.
    let ran = keybearer(["inspect", "--json", file.to_str().unwrap()]).exits(0);
    assert!(ran.json()[0]["tracks"][0].get("samples").is_none());
}

#[test]
fn a_pssh_box_is_taken_as_text_and_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pssh.txt");
    fs::write(&file, format!("{PSSH}\n")).unwrap();
    let hex = "00000034707373680100000010\
               77efecc0b24d02ace33c1e52e2fb4b000000018caa7e396f418e64ccdd707a12761c0100000000";
    for input in [
        PSSH,
        PSSH.trim_end_matches('='),
        hex,
        file.to_str().unwrap(),
    ] {
        let ran = keybearer(["inspect", input]).exits(0);
        assert!(ran.out.contains("W3C common, version 1"), "{}", ran.out);
        assert!(
            ran.out
                .contains("key id      8caa7e396f418e64ccdd707a12761c01"),
            "{}",
            ran.out
        );
    }
    keybearer(["inspect", &PSSH[..60]])
        .exits(3)
        .says("no usable pssh");
    keybearer(["inspect", "/nowhere.mp4"])
        .exits(3)
        .says("no such file");
    keybearer(["inspect", "AAAA"])
        .exits(3)
        .says("nor a message of this protocol");
}

#[test]
fn messages_are_shown_unverified() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    keybearer([
        "serve",
        "init",
        keys.to_str().unwrap(),
        "--service",
        "Example service",
    ])
    .exits(0);

    let chain = keys.join("service.chain");
    let ran = keybearer(["inspect", chain.to_str().unwrap()]).exits(0);
    assert!(
        ran.out.contains("certificate chain, UNVERIFIED"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("service     Example service"),
        "{}",
        ran.out
    );
    assert!(
        ran.out
            .contains("roles       licence, time, revocation, provisioning"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("issuer certificate"), "{}", ran.out);

    let device_issuer = fs::read(keys.join("device-issuer.cert")).unwrap();
    let mut child = command()
        .args(["inspect", "--json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(&device_issuer)
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report[0]["message"], "issuer certificate");
    assert_eq!(report[0]["verified"], false);

    let anchor = keys.join("anchor.cbor");
    let ran = keybearer(["inspect", anchor.to_str().unwrap()]).exits(0);
    assert!(ran.out.contains("public key, UNVERIFIED"), "{}", ran.out);
    let secret = keys.join("root.key");
    keybearer(["inspect", secret.to_str().unwrap()]).exits(3);
}

#[test]
fn broken_files_are_shown_as_far_as_they_go() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cut.mp4");
    let whole = fs::read(sample("cenc-video.mp4")).unwrap();
    fs::write(&file, &whole[..5000]).unwrap();
    let ran = keybearer(["inspect", file.to_str().unwrap()])
        .exits(3)
        .says("cut short");
    assert!(
        ran.out.contains("8caa7e396f418e64ccdd707a12761c01"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("BROKEN"), "{}", ran.out);
    fs::write(&file, &whole[..700]).unwrap();
    let ran = keybearer(["inspect", file.to_str().unwrap()]).exits(3);
    assert!(ran.out.contains("ftyp 0 +40"), "{}", ran.out);
    // Nothing is wrong with a file that is only not handled, such as one with a second movie in it.
    let moov = whole
        .windows(4)
        .position(|window| window == b"moov")
        .unwrap()
        - 4;
    let size = u32::from_be_bytes(whole[moov..moov + 4].try_into().unwrap()) as usize;
    fs::write(&file, [&whole[..], &whole[moov..moov + size]].concat()).unwrap();
    let ran = keybearer(["inspect", file.to_str().unwrap()]).exits(0);
    assert!(ran.out.contains("not handled"), "{}", ran.out);
}

#[test]
fn keys_by_sample_group_are_shown_beside_the_tracks_own() {
    let rotating = sample("cenc-rotation-video.mp4");
    let ran = keybearer(["inspect", rotating.to_str().unwrap()]).exits(0);
    let shown = "│   ├── key id      8caa7e396f418e64ccdd707a12761c01, by sample group\n";
    assert!(ran.out.contains(shown), "{}", ran.out);
}

#[test]
fn a_reader_that_goes_away_is_no_news() {
    let file = sample("cbcs-both.mp4");
    let mut child = command()
        .args(["inspect", "--boxes", file.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.stderr,
        b"",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_pipe_is_shown_like_the_file_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let file = sample("cenc-video.mp4");
    let writer = std::thread::spawn({
        let (pipe, bytes) = (pipe.clone(), fs::read(&file).unwrap());
        move || fs::write(pipe, bytes).unwrap()
    });
    let shown = |path: &std::path::Path| {
        let ran = keybearer(["inspect", path.to_str().unwrap()]).exits(0);
        ran.out.lines().skip(1).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(shown(&pipe), shown(&file));
    writer.join().unwrap();
}

#[test]
fn what_is_good_is_shown_beside_what_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.mp4");
    fs::write(&empty, "").unwrap();
    let file = sample("cenc-video.mp4");
    let names = [
        "/nowhere.mp4",
        file.to_str().unwrap(),
        folder.path().to_str().unwrap(),
        empty.to_str().unwrap(),
    ];
    let ran = keybearer(["inspect"].iter().chain(&names)).exits(3);
    let ran = ran
        .says("/nowhere.mp4: no such file")
        .says(&format!("{} is a folder", names[2]))
        .says(&format!("{} is empty", names[3]));
    assert!(ran.out.contains("cenc-video.mp4  "), "{}", ran.out);
    let report = keybearer(["inspect", "--json"].iter().chain(&names))
        .exits(3)
        .json();
    let report = report.as_array().unwrap();
    for (name, seen) in names.iter().zip(report) {
        assert_eq!(seen["input"], *name);
        let good = *name == names[1];
        assert_eq!(seen["type"] == "media", good, "{seen}");
        assert_eq!(seen["error"]["exit"] == 3, !good, "{seen}");
    }
    assert_eq!(report.len(), names.len());
}
