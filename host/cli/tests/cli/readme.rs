//! What the front page and this command's own page show is what the command prints.

use std::path::Path;

use crate::run::keybearer;

/// Top folder of the checkout.
const TOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const FRONT: &str = "README.md";
const OWN: &str = "host/cli/README.md";

pub(crate) fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(TOP).join(name)).unwrap()
}

/// The fenced blocks of a page that hold this text.
pub(crate) fn blocks(page: &str, text: &str) -> Vec<String> {
    let fenced = page.split("```").skip(1).step_by(2);
    // Behind the opening fence stands the language, if any.
    let blocks = fenced.filter_map(|block| Some(block.split_once('\n')?.1.to_owned()));
    blocks.filter(|block| block.contains(text)).collect()
}

fn block(name: &str, text: &str) -> String {
    blocks(&page(name), text).into_iter().next().unwrap()
}

/// A line without what differs from run to run and from machine to machine: licence ids, the time it
/// took, and whether the machine lets memory be locked.
fn stable(line: &str) -> String {
    let line = line.split("level Low; ").next().unwrap();
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
fn the_demo_prints_what_the_pages_show() {
    let ran = keybearer(["demo", "--tee", "worker"]).exits(0);
    for name in [FRONT, OWN] {
        let shown = block(name, "all 8 files verified");
        let table = shown.trim_start_matches("$ keybearer demo\n");
        assert_same(table, &ran.out);
    }
}

#[test]
fn inspect_prints_what_the_pages_show() {
    for name in [FRONT, OWN] {
        let shown = block(name, "$ keybearer inspect ");
        let (command, shown) = shown.split_once('\n').unwrap();
        let file = command.rsplit(' ').next().unwrap();
        // This command's own page names the file as from its folder.
        let path = Path::new(TOP).join("tests/samples");
        let path = path.join(Path::new(file).file_name().unwrap());
        let ran = keybearer(["inspect", path.to_str().unwrap()]).exits(0);
        assert_same(shown, &ran.out.replace(path.to_str().unwrap(), file));
    }
}

/// The table of exit codes, its rows without the marks of the page.
#[test]
fn the_exit_codes_of_the_page_are_those_of_the_command() {
    let page = page(OWN);
    let section = page.split("## Exit codes").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows: Vec<[String; 3]> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .filter_map(|line| {
            let mut cells = line.splitn(3, " | ").map(str::to_owned);
            Some([cells.next()?, cells.next()?, cells.next()?])
        })
        .filter(|[code, ..]| code.parse::<u8>().is_ok())
        .collect();
    let known = keybearer(["explain", "exit", "--json"]).exits(0).json();
    let known: Vec<[String; 3]> = known
        .as_array()
        .unwrap()
        .iter()
        .map(|topic| {
            let text = |name: &str| topic[name].as_str().unwrap().to_owned();
            [topic["number"].to_string(), text("name"), text("meaning")]
        })
        .collect();
    assert_eq!(rows, known);
}
