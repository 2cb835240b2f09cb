//! What becomes of keys: rotated, disabled, deleted; and what the files say of it.

use super::*;
use crate::keys::{KeyAdmin, KeyRole, KeyState, PermissionOutcome};

/// The key file as it is.
fn file_of(keystore: &LocalKeystore, name: &str) -> serde_json::Value {
    let path = keystore.path().join("keys").join(format!("{name}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// As if the waiting period had begun so long ago that it has ended.
fn end_waiting_period(keystore: &LocalKeystore, name: &str) {
    let mut file = file_of(keystore, name);
    file["deletion"] = 1_000_000.into();
    put(keystore, name, file.to_string().as_bytes());
}

fn state_of(keystore: &LocalKeystore, name: &str) -> (KeyState, Option<u64>) {
    let key = block_on(keystore.describe(name)).unwrap();
    (key.state, key.deletion)
}

#[test]
fn rotated_material_wraps_and_the_old_still_unwraps() {
    let (_parent, keystore) = keystore();
    let mut wrapped = vec![generate(&keystore, "default").unwrap()];
    let before = block_on(keystore.describe("default")).unwrap();
    for _ in 0..3 {
        block_on(keystore.rotate("default")).unwrap();
        wrapped.push(generate(&keystore, "default").unwrap());
    }
    let key = block_on(keystore.describe("default")).unwrap();
    assert_eq!(key.created, before.created);
    let stale: Vec<_> = wrapped.iter().map(|wrapped| wrapped.is_stale(&key).unwrap()).collect();
    assert_eq!(stale, [true, true, true, false]);
    for wrapped in &wrapped {
        block_on(keystore.unwrap(wrapped)).unwrap();
    }
    let file = file_of(&keystore, "default");
    assert_eq!((&file["version"], file["materials"].as_array().unwrap().len()), (&1.into(), 4));
    assert!(!block_on(keystore.rotation("default")).unwrap().enabled);
    block_on(keystore.set_rotation("default", false, None)).unwrap();
    let refusal = block_on(keystore.set_rotation("default", true, Some(90)));
    refused(refusal, ErrorClass::Unsupported, &["backup", "rotate default when it is time"]);
    refused(block_on(keystore.rotate("none")), ErrorClass::KeyNotFound, &["none"]);
}

#[test]
fn a_key_has_room_for_so_many_materials() {
    let (_parent, keystore) = keystore();
    let materials: Vec<String> = (0..255).map(|i| material(&format!("{ID}-{i}"), KEY)).collect();
    let text = key_file("1", "full", &format!("{},{}", material(ID, KEY), materials.join(",")));
    put(&keystore, "full", text.as_bytes());
    refused(block_on(keystore.rotate("full")), ErrorClass::LimitExceeded, &["256 materials", "another key"]);
    let text = key_file("1", "full", &format!("{},{}", material(ID, KEY), materials[1..].join(",")));
    put(&keystore, "full", text.as_bytes());
    block_on(keystore.rotate("full")).unwrap();
    generate(&keystore, "full").unwrap();
}

#[test]
fn a_disabled_key_is_not_used_until_it_is_enabled() {
    let (_parent, keystore) = keystore();
    let wrapped = generate(&keystore, "default").unwrap();
    let before = file_of(&keystore, "default");
    block_on(keystore.set_enabled("default", false)).unwrap();
    block_on(keystore.set_enabled("default", false)).unwrap();
    assert_eq!(state_of(&keystore, "default"), (KeyState::Disabled, None));
    assert_eq!(file_of(&keystore, "default")["version"], 2, "an older reader must not overlook it");
    let parts = ["default", "disabled", "its owner can enable it"];
    refused(generate(&keystore, "default"), ErrorClass::KeyDisabled, &parts);
    refused(block_on(keystore.unwrap(&wrapped)), ErrorClass::KeyDisabled, &parts);
    refused(block_on(keystore.rotate("default")), ErrorClass::KeyDisabled, &parts);
    let check = block_on(keystore.check("default", Some(&wrapped))).unwrap();
    assert!(!check.passed(KeyRole::Node) && check.unusable.unwrap().contains("disabled"));
    assert!(!keystore.ensure_key("default").unwrap());
    block_on(keystore.set_enabled("default", true)).unwrap();
    assert_eq!(file_of(&keystore, "default"), before, "nothing else was changed");
    block_on(keystore.unwrap(&wrapped)).unwrap();
    generate(&keystore, "default").unwrap();
}

#[test]
fn a_deletion_waits_and_can_be_cancelled() {
    const DAY: u64 = 86_400;
    let (_parent, keystore) = keystore();
    let wrapped = generate(&keystore, "default").unwrap();
    for days in [0, 6, 31, u32::MAX] {
        let refusal = block_on(keystore.schedule_deletion("default", Some(days)));
        refused(refusal, ErrorClass::InvalidRequest, &["7 to 30 days", &days.to_string()]);
    }
    refused(
        block_on(keystore.cancel_deletion("default")),
        ErrorClass::InvalidRequest,
        &["default", "begins"],
    );
    refused(block_on(keystore.purge("default")), ErrorClass::InvalidRequest, &["default", "begins"]);
    for (days, expected) in [(Some(7), 7), (Some(30), 30), (None, 30)] {
        let before = state::now();
        let date = block_on(keystore.schedule_deletion("default", days)).unwrap().unwrap();
        assert!((before..=state::now()).contains(&(date - expected * DAY)));
        assert_eq!(state_of(&keystore, "default"), (KeyState::PendingDeletion, Some(date)));
        let parts = ["default", &crate::keys::utc_date(date), "its owner can cancel that"];
        for refusal in [
            generate(&keystore, "default").map(drop),
            block_on(keystore.unwrap(&wrapped)).map(drop),
            block_on(keystore.rotate("default")),
            block_on(keystore.set_enabled("default", true)),
            block_on(keystore.set_enabled("default", false)),
            block_on(keystore.schedule_deletion("default", Some(7))).map(drop),
            block_on(keystore.purge("default")),
        ] {
            assert_eq!(refusal.as_ref().unwrap_err().deletion(), Some(date));
            refused(refusal, ErrorClass::KeyPendingDeletion, &parts);
        }
        block_on(keystore.cancel_deletion("default")).unwrap();
        assert_eq!(state_of(&keystore, "default"), (KeyState::Disabled, None), "as AWS KMS leaves it");
        block_on(keystore.set_enabled("default", true)).unwrap();
        block_on(keystore.unwrap(&wrapped)).unwrap();
    }
}

#[test]
fn a_key_is_erased_when_its_owner_says_so_and_not_before() {
    let (_parent, keystore) = keystore();
    let wrapped = generate(&keystore, "default").unwrap();
    block_on(keystore.schedule_deletion("default", None)).unwrap();
    end_waiting_period(&keystore, "default");
    let parts = ["1970-01-12", "can erase it for good"];
    refused(block_on(keystore.unwrap(&wrapped)), ErrorClass::KeyPendingDeletion, &parts);
    // A clock that went wrong has done no harm.
    let listed = block_on(KeyAdmin::list(&keystore)).unwrap();
    assert_eq!(listed[0].key.as_ref().unwrap().state, KeyState::PendingDeletion);
    block_on(keystore.cancel_deletion("default")).unwrap();
    block_on(keystore.set_enabled("default", true)).unwrap();
    block_on(keystore.unwrap(&wrapped)).unwrap();

    block_on(keystore.schedule_deletion("default", None)).unwrap();
    end_waiting_period(&keystore, "default");
    block_on(keystore.purge("default")).unwrap();
    assert_eq!(names(&keystore.path().join("keys")), [".lock"]);
    refused(block_on(keystore.unwrap(&wrapped)), ErrorClass::KeyNotFound, &["default"]);
    refused(block_on(keystore.purge("default")), ErrorClass::KeyNotFound, &["default"]);
    // A new key of that name is another key.
    keystore.create_key("default").unwrap();
    refused(block_on(keystore.unwrap(&wrapped)), ErrorClass::WrongKey, &["another key of that name"]);
}

#[test]
fn a_check_tries_what_volumes_need() {
    let (_parent, keystore) = keystore();
    let mut wrapped = generate(&keystore, "default").unwrap();
    let check = block_on(keystore.check("default", Some(&wrapped))).unwrap();
    assert!(check.passed(KeyRole::Node));
    let names: Vec<_> = check.permissions.iter().map(|one| one.permission.as_str()).collect();
    assert_eq!(names, ["read the key", "unwrap the volume's key", "change the key"]);
    assert!(check.permissions.iter().all(|one| one.outcome == PermissionOutcome::Allowed));
    wrapped.wrapped[20] ^= 1;
    let check = block_on(keystore.check("default", Some(&wrapped))).unwrap();
    assert!(!check.passed(KeyRole::Node));
    let PermissionOutcome::Denied(why) = &check.permissions[1].outcome else { panic!("{check:?}") };
    assert!(why.contains("corrupt"));
    refused(block_on(keystore.check("none", None)), ErrorClass::KeyNotFound, &["none"]);
}

/// Nothing is written for a request that changes nothing, or cannot be carried out.
#[test]
fn requests_for_nothing_leave_no_trace() {
    let (_parent, keystore) = keystore();
    let keys = keystore.path().join("keys");
    let before = std::fs::metadata(keys.join("default.json")).unwrap();
    block_on(keystore.set_enabled("default", true)).unwrap();
    refused(block_on(keystore.purge("default")), ErrorClass::InvalidRequest, &["default"]);
    let after = std::fs::metadata(keys.join("default.json")).unwrap();
    assert_eq!(before.modified().unwrap(), after.modified().unwrap());
    std::fs::remove_file(keys.join(LOCK)).unwrap();
    for refusal in [
        block_on(keystore.rotate("none")),
        block_on(keystore.set_enabled("../none", false)),
        block_on(keystore.schedule_deletion("none", None)).map(drop),
        block_on(keystore.purge("none")),
    ] {
        assert!(refusal.is_err());
    }
    assert_eq!(names(&keys), ["default.json"]);
}
