//! The example that the server ships shows all there is.

use super::*;

const EXAMPLE: &str = include_str!("../../../example.toml");

#[test]
fn the_example_is_a_configuration() {
    let config = parse(EXAMPLE).unwrap();
    assert_eq!(config.contents[0].keys.len(), 2);
    assert!(config.tenants[1].integration);
    assert_eq!(config.usage_rules.profiles.len(), 2);
    assert_eq!(config.usage_rules.overrides.len(), 1);
}

/// The settings of a table, out of the parser's own mouth: it names them where it meets another.
fn known(before: &str) -> Vec<String> {
    let error = error(&format!("{before}\nno_such_setting = 1\n"));
    let (_, known) = error.split_once("expected one of ").unwrap();
    known
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_example_has_every_setting_there_is() {
    let film = "[[content]]\nid = \"film\"";
    let key = format!("{film}\n[[content.key]]");
    for (table, before) in [
        ("", MINIMAL.to_owned()),
        ("[limits]", "[limits]".to_owned()),
        ("[[tenant]]", "[[tenant]]\nname = \"a\"".to_owned()),
        (
            "[[tenant.credential]]",
            "[[tenant]]\nname = \"a\"\n[[tenant.credential]]".to_owned(),
        ),
        (
            "[tenant.callback]",
            "[[tenant]]\nname = \"a\"\n[tenant.callback]".to_owned(),
        ),
        ("[usage_rules]", "[usage_rules]".to_owned()),
        (
            "[usage_rules.device_models",
            "[usage_rules.device_models.Box]".to_owned(),
        ),
        ("[[content]]", film.to_owned()),
        ("[content.timing]", format!("{film}\n[content.timing]")),
        ("[content.renewal]", format!("{film}\n[content.renewal]")),
        ("[[content.key]]", key.clone()),
        (
            "[content.key.policy]",
            format!("{key}\n[content.key.policy]"),
        ),
    ] {
        // All tables of that name, each up to the next header.
        let shown: String = format!("\n{EXAMPLE}")
            .split("\n[")
            .enumerate()
            .filter(|(at, text)| match table {
                "" => *at == 0,
                table => text.starts_with(&table[1..]),
            })
            .map(|(_, text)| format!("{text}\n"))
            .collect();
        let settings = known(&before);
        assert!(settings.len() > 2, "{table}: {settings:?}");
        for setting in settings {
            let is_table = EXAMPLE.contains(&format!("[{setting}]"))
                || EXAMPLE.contains(&format!(".{setting}]"))
                || EXAMPLE.contains(&format!("[usage_rules.{setting}."))
                // The plural is for the admin interface's JSON.
                || matches!(
                    (table, setting.as_str()),
                    ("", "tenants" | "contents")
                        | ("[[content]]", "keys")
                        | ("[[tenant]]", "credentials")
                );
            let is_shown = shown.contains(&format!("\n{setting} = "));
            // What is there to be refused by its name, and the spelling of other servers.
            let is_no_setting = setting.starts_with("usage_rules") && setting.ends_with("rules")
                || setting.contains(|letter: char| letter.is_ascii_uppercase());
            let is_for_the_admin = setting == "generate" && shown.contains("(generate = true");
            assert!(
                is_table || is_shown || is_no_setting || is_for_the_admin,
                "{table} {setting} is not in the example"
            );
        }
    }
}

#[test]
fn the_example_names_every_word_of_a_key() {
    fn words<T: Named>() -> impl Iterator<Item = &'static str> {
        T::all().iter().map(|value| value.word())
    }
    let words = words::<IvKind>()
        .chain(words::<TrackType>())
        .chain(words::<Scheme>())
        .chain(words::<Level>());
    for word in words {
        assert!(EXAMPLE.contains(word), "{word} is not in the example");
    }
}
