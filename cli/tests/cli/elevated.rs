//! The program with rights that whoever starts it has not: its environment decides nothing.

use std::path::Path;

use super::common::elevated::elevated;
use super::place::{ATREST, Place, text};

#[test]
fn the_environment_chooses_no_keystore_and_no_key() {
    let place = Place::with_key();
    let directory = tempfile::tempdir().unwrap();
    let run = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = elevated(Path::new(ATREST), directory.path())?;
        command.env_clear().envs(variables.iter().copied());
        Some(command.args(arguments).output().unwrap())
    };
    let home = place.home().display().to_string();
    for variables in [&[("ATREST_HOME", &*home)][..], &[("XDG_DATA_HOME", &*home)], &[("HOME", &*home)]] {
        let Some(output) = run(variables, &["key", "list"]) else { return };
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""), "{variables:?}: {said}");
        assert!(said.contains("elevated rights") && !said.contains(&home), "{variables:?}: {said}");
    }
    // The variable would be an error if it were read.
    let volume = directory.path().join("v");
    let create = ["create", "--size", "1M", volume.to_str().unwrap()];
    let Some(output) = run(&[("ATREST_KEY", "nothing like a key"), ("ATREST_HOME", &home)], &create) else {
        return;
    };
    let said = text(&output.stderr);
    assert!(said.contains("elevated rights") && !said.contains("ATREST_KEY"), "{said}");
    assert!(!volume.exists());
}
