//! The key of a new volume when no --key names one.

use super::place::{Place, failed, text};

/// The key of a new volume.
fn key_of(place: &Place, variable: Option<&str>) -> String {
    let mut command = place.command(&["create", "v", "--size", "1M", "--force"]);
    let output = command.envs(variable.map(|key| ("ATREST_KEY", key))).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let slots = place.succeed(&["slot", "list", "v"]).stdout;
    text(&slots).trim_start_matches("0\t").trim_end().to_owned()
}

#[test]
fn the_configured_key_wraps_new_volumes() {
    let place = Place::with_key();
    for name in ["local:a", "local:b"] {
        place.succeed(&["key", "create", name]);
    }
    assert_eq!(text(&place.succeed(&["key", "default"]).stdout), "local:default\n");
    assert_eq!(key_of(&place, None), "local:default");
    place.succeed(&["key", "default", "local:a"]);
    assert_eq!(key_of(&place, None), "local:a");
    let output = place.succeed(&["key", "default"]);
    assert_eq!(text(&output.stdout), "local:a\n");
    assert!(text(&output.stderr).contains("config.json"));
    assert_eq!(key_of(&place, Some("local:b")), "local:b");
    assert_eq!(key_of(&place, Some("")), "local:a");
    place.put("in", b"content");
    place.succeed(&["encrypt", "in", "w"]);
    assert_eq!(text(&place.succeed(&["slot", "list", "w"]).stdout), "0\tlocal:a\n");
    // A rewrap renews under the volume's own key.
    place.succeed(&["encrypt", "in", "x", "--key", "local:b"]);
    place.succeed(&["rewrap", "x"]);
    assert_eq!(text(&place.succeed(&["slot", "list", "x"]).stdout), "0\tlocal:b\n");
    let listed = place.succeed(&["key", "list"]);
    assert_eq!(text(&listed.stdout), "local:a\tenabled\tdefault\nlocal:b\tenabled\nlocal:default\tenabled\n");
    place.succeed(&["key", "default", "--unset"]);
    assert_eq!(key_of(&place, None), "local:default");
}

#[test]
fn wrong_defaults_are_refused() {
    let place = Place::with_key();
    place.refuses(&["key", "default", "local:none"], &["local:none", "atrest key create local:none"]);
    let output =
        place.command(&["create", "v", "--size", "1M"]).env("ATREST_KEY", "default").output().unwrap();
    failed(&output, &["ATREST_KEY", "\"default\" names no key"]);
    assert!(place.names().is_empty());
    // The key went after it was set.
    place.succeed(&["key", "create", "local:a"]);
    place.succeed(&["key", "default", "local:a"]);
    std::fs::remove_file(place.home().join("keys/a.json")).unwrap();
    place.refuses(&["create", "v", "--size", "1M"], &["local:a", "atrest key create"]);
    // Settings that cannot be read are no settings to go without.
    let config = place.home().join("config.json");
    std::fs::write(&config, "{\"version\":1,\"defualt_key\":\"local:default\"}").unwrap();
    for arguments in [
        &["create", "v", "--size", "1M"][..],
        &["key", "default"],
        &["key", "list"],
        &["key", "default", "--unset"],
    ] {
        place.refuses(arguments, &["config.json", "defualt_key"]);
    }
    place.succeed(&["create", "v", "--size", "1M", "--key", "local:default"]);
}

#[test]
fn a_default_is_set_before_there_is_a_keystore() {
    let place = Place::new();
    place.succeed(&["key", "default", "--unset"]);
    assert!(!place.home().exists());
    place.succeed(&["key", "default", "aws:alias/prod"]);
    assert_eq!(text(&place.succeed(&["key", "default"]).stdout), "aws:alias/prod\n");
}
