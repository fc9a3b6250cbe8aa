use crate::run::keybearer;

#[test]
fn the_tables_are_shown_with_every_cell() {
    let ran = keybearer(["rules", "table", "--json"]).exits(0);
    let tables = ran.json();
    let cells: usize = tables
        .as_object()
        .unwrap()
        .values()
        .flat_map(|rules| rules.as_object().unwrap().values())
        .map(|profiles| profiles.as_object().unwrap().len())
        .sum();
    assert_eq!(cells, 295);
    assert_eq!(tables["Widevine"]["cgmsFlag"]["SD"], "COPY_NEVER");
    let one = keybearer(["rules", "table", "wiseplay", "--profile", "uhd"]).exits(0);
    for word in ["WisePlay", "UHD", "securityLevel", "NONPERSISTENT"] {
        assert!(one.out.contains(word), "{word}: {}", one.out);
    }
    assert!(
        !one.out.contains("PRM") && !one.out.contains("SD"),
        "{}",
        one.out
    );
}

#[test]
fn generic_rules_are_converted() {
    let ran = keybearer(["rules", "convert", "--json"]).exits(0);
    assert_eq!(ran.json()["WisePlay"]["securityLevel"]["HD"], "1");
    assert!(ran.json().get("Generic").is_none());
    // The five cells that the built-in profiles have otherwise are marked.
    let ran = keybearer(["rules", "convert"]).exits(0);
    let marked = ran.out.matches(" *").count();
    assert_eq!(marked, 5, "{}", ran.out);
    let set = [
        "rules",
        "convert",
        "--profile",
        "UHD",
        "--set",
        "minLevel=2",
        "--set",
        "hdcp=FALSE",
    ];
    let ran = keybearer(set.iter().chain(&["--json"])).exits(0);
    assert_eq!(
        ran.json()["PlayReady"]["minimumSecurityLevel"]["UHD"],
        "2000"
    );
    assert_eq!(ran.json()["Widevine"]["hdcp"]["UHD"], "255");
}

#[test]
fn profiles_are_compared() {
    let ran = keybearer(["rules", "diff", "HD", "UHD", "--drm", "FairPlay", "--json"]).exits(0);
    assert_eq!(
        ran.json(),
        serde_json::json!({ "FairPlay": {
            "airPlayAllowed": { "HD": "TRUE", "UHD": "FALSE" },
            "hdcpLevel": { "HD": "0x40791AC78BD5C571", "UHD": "0x285A0863BBA8E1D3" },
        } })
    );
    let same = keybearer(["rules", "diff", "UHD", "default", "--drm", "FairPlay"]).exits(0);
    assert_eq!(same.out, "no difference\n");
}

#[test]
fn what_does_not_exist_is_named_with_what_does() {
    keybearer(["rules", "table", "CSS"])
        .exits(2)
        .says("WisePlay");
    keybearer(["rules", "diff", "HD", "4K"])
        .exits(2)
        .says("UHD");
    keybearer(["rules", "convert", "--set", "level=1"])
        .exits(2)
        .says("minLevel");
    keybearer(["rules", "convert", "--set", "minLevel=7"])
        .exits(2)
        .says("minLevel: found \"7\", expected 0, 1, 2, 3 or 4");
    keybearer(["rules", "convert", "--set", "minLevel"])
        .exits(2)
        .says("RULE=VALUE");
}

#[test]
fn a_policy_is_explained_before_any_licence() {
    let explain = |outputs: &str, more: &[&str]| {
        let arguments = ["explain", "--policy", "UHD", "--outputs", outputs, "--json"];
        let ran = keybearer(arguments.iter().chain(more)).exits(0);
        let seen = ran.json();
        let status = seen["status"].as_str().unwrap().to_owned();
        (status, seen["reasons"].clone())
    };
    let usable = ("usable".to_owned(), serde_json::json!([]));
    assert_eq!(explain("internal,hdmi:2.2", &[]), usable);
    let (status, reasons) = explain("hdmi:2.2,analog", &[]);
    assert_eq!(status, "output-restricted");
    assert_eq!(reasons[0]["field"], "analog_video");
    assert_eq!(reasons[0]["output"], "composite");
    let (status, reasons) = explain("hdmi:1.4", &[]);
    assert_eq!(status, "output-restricted");
    assert_eq!(reasons[0]["wanted"], "HDCP 2.2 type 1");
    assert_eq!(reasons[0]["found"], "HDCP 1.x");
    let (status, reasons) = explain("none", &["--level", "medium"]);
    assert_eq!(status, "output-restricted");
    assert_eq!(reasons[0]["field"], "min_security");
    let ran = keybearer(["explain", "--policy", "UHD", "--outputs", "hdmi:1.4"]).exits(0);
    assert!(
        ran.out
            .contains("digital_video on hdmi: wanted HDCP 2.2 type 1"),
        "{}",
        ran.out
    );
    keybearer(["explain", "--policy", "UHD", "--outputs", "scart"])
        .exits(2)
        .says("composite");
    keybearer(["explain", "--policy", "UHD", "--outputs", "hdmi:3.0"])
        .exits(2)
        .says("no protection");
    keybearer(["explain", "--policy", "UHD"])
        .exits(2)
        .says("--outputs");
}
