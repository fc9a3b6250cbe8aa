//! What the front page shows is what the command prints.

use std::path::Path;

use crate::run::keybearer;

/// Top folder of the checkout.
const TOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The captured blocks of the front page.
fn captures() -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(TOP).join("README.md")).unwrap();
    text.split("```text\n")
        .skip(1)
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

/// A line without what differs from run to run: licence ids and the time it took.
fn stable(line: &str) -> String {
    let words = line.split(' ').map(|word| {
        let id = word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let time = word.parse::<f64>().is_ok() && word.contains('.');
        if id || time { "*" } else { word }
    });
    words.collect::<Vec<_>>().join(" ").trim_end().to_owned()
}

fn assert_same(shown: &str, printed: &str) {
    let shown: Vec<String> = shown.lines().map(stable).collect();
    let printed: Vec<String> = printed.lines().map(stable).collect();
    assert_eq!(shown, printed);
}

#[test]
fn the_demo_prints_what_the_front_page_shows() {
    let demo = captures()
        .into_iter()
        .find(|block| block.contains("all 8 files verified"))
        .unwrap();
    let ran = keybearer(["demo", "--tee", "in-process"]).exits(0);
    assert_same(&demo, &ran.out);
}

#[test]
fn inspect_prints_what_the_front_page_shows() {
    let captures = captures();
    let (command, shown) = captures
        .iter()
        .find_map(|block| block.strip_prefix("$ keybearer ")?.split_once('\n'))
        .unwrap();
    let arguments = command.split(' ').map(|word| {
        if word.contains('/') {
            Path::new(TOP).join(word).to_str().unwrap().to_owned()
        } else {
            word.to_owned()
        }
    });
    let ran = keybearer(arguments).exits(0);
    // The page names the file from the top of the checkout.
    let printed = ran.out.replace(&format!("{TOP}/"), "");
    assert_same(shown, &printed);
}
