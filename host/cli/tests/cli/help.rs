use crate::run::keybearer;

#[test]
fn every_help_has_an_example() {
    let commands: [&[&str]; 10] = [
        &["demo"],
        &["serve"],
        &["serve", "init"],
        &["serve", "renew"],
        &["provision"],
        &["play"],
        &["decrypt"],
        &["inspect"],
        &["explain"],
        &["rules"],
    ];
    for command in commands {
        let ran = keybearer(command.iter().chain(&["--help"])).exits(0);
        let name = command.join(" ");
        let (_, examples) = ran
            .out
            .split_once("Examples:")
            .unwrap_or_else(|| panic!("{name}: {}", ran.out));
        for line in examples.lines() {
            assert!(line.chars().count() < 80, "{name}: {line}");
        }
        assert!(
            examples.contains(&format!("keybearer {name}")),
            "{name}: {examples}"
        );
    }
}

#[test]
fn the_top_help_lists_commands_and_exit_codes() {
    let ran = keybearer(["--help"]).exits(0);
    for word in [
        "demo",
        "serve",
        "provision",
        "play",
        "decrypt",
        "inspect",
        "explain",
        "rules",
        "Exit codes:",
    ] {
        assert!(ran.out.contains(word), "{word}");
    }
    keybearer(["frobnicate"]).exits(2).says("frobnicate");
    keybearer([""; 0]).exits(2);
}
