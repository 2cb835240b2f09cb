//! `atrest key list` and `describe`.

use std::fmt::{Display, Write as _};

use atrest::keys::{
    KeyAdmin, KeyAlias, KeyDescription, KeyManager, KeyRef, LocalKeystore, ProviderError, block_on,
};
use atrest::text::printable;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::text::{Table, date, escaped_json};
use crate::{advice, providers, stdout};

/// Local keys, one in a line: name, state, whether it is the default.
pub fn list_local() -> Result<(), Failure> {
    let failed = |error: &ProviderError| {
        Failure::new(format!("cannot list the local keys: {}", advice::with_keystore(error)))
    };
    let home = LocalKeystore::default_path().map_err(|error| failed(&error))?;
    let keys = match providers::existing(home, failed)? {
        None => Vec::new(),
        Some(keystore) => block_on(KeyAdmin::list(&keystore)).map_err(|error| failed(&error))?,
    };
    let default = providers::configured_default()?;
    let mut lines = String::new();
    for KeyAlias { name, key, .. } in keys {
        let state = match &key {
            Ok(KeyDescription { state, deletion: Some(seconds), .. }) => {
                format!("{state} on {}", date(*seconds))
            }
            Ok(key) => key.state.to_string(),
            Err(why) => format!("? ({})", printable(why)),
        };
        let is_default = default.as_ref().and_then(|key| key.of(LocalKeystore::SCHEME)) == Some(&*name);
        // Writing to a string does not fail.
        let _ = writeln!(lines, "local:{name}\t{state}{}", if is_default { "\tdefault" } else { "" });
    }
    stdout::print(&lines)
}

/// The keys of scratch volumes, one in a line: name, when it was made, and where its volume was.
pub fn list_scratch() -> Result<(), Failure> {
    let failed = |error: &ProviderError| {
        let error = advice::with_keystore(error);
        Failure::new(format!("cannot list the keys of scratch volumes: {error}"))
    };
    let home = LocalKeystore::default_path().map_err(|error| failed(&error))?;
    let keys = match providers::existing(home, failed)? {
        None => Vec::new(),
        Some(keystore) => keystore.scratch_keys().map_err(|error| failed(&error))?,
    };
    let mut lines = String::new();
    for key in keys {
        let created = key.created.map_or("?".to_owned(), date);
        let path = key.path.map_or("?".to_owned(), |path| path.display().to_string());
        // Writing to a string does not fail.
        let _ = writeln!(lines, "local:{}\t{created}\t{}", key.name, printable(&path));
    }
    stdout::print(&lines)
}

/// All keys of a provider, with what they are.
pub fn list(name: &str, json: bool) -> Result<(), Failure> {
    let failed = |error: &dyn Display| Failure::new(format!("cannot list the keys of {name}: {error}"));
    let provider = providers::provider(name).map_err(|error| failed(&error))?;
    let admin = provider.admin().ok_or_else(|| failed(&"it keeps no list"))?;
    let keys = block_on(admin.list()).map_err(|error| failed(&error))?;
    if json {
        let keys: Vec<Value> = keys
            .iter()
            .map(|key| {
                json!({
                    "name": format!("{name}:{}", key.name),
                    "manager": key.manager.as_ref().map(KeyManager::to_string),
                    "key": key.key.as_ref().ok().map(facts),
                    "unknown": key.key.as_ref().err(),
                })
            })
            .collect();
        return stdout::print(&escaped_json(&json!(keys)));
    }
    let mut lines = String::new();
    for key in keys {
        let by = key.manager.as_ref().map_or_else(|| "?".to_owned(), KeyManager::to_string);
        let rest = match &key.key {
            Ok(key) => format!("{}\t{}\t{by}\t{}", key.state, key.spec.as_deref().unwrap_or("?"), key.key),
            Err(why) => format!("?\t?\t{by}\t({why})"),
        };
        // Writing to a string does not fail.
        let _ = writeln!(
            lines,
            "{}",
            printable(&format!("{name}:{}", key.name)).replace('\t', " ") + "\t" + &rest
        );
    }
    stdout::print(&lines)
}

pub fn describe(key: &KeyRef, json: bool) -> Result<(), Failure> {
    let provider = providers::provider(key.provider()).map_err(|error| providers::unusable(key, &error))?;
    let description =
        block_on(provider.describe(key.key())).map_err(|error| providers::unusable(key, &error))?;
    if json {
        return stdout::print(&escaped_json(&facts(&description)));
    }
    let mut table = Table::default();
    rows(&mut table, &description);
    stdout::print(&table.0)
}

/// The names of these fields are fixed: programs read them.
pub fn facts(key: &KeyDescription) -> Value {
    json!({
        "provider": key.provider,
        "key": key.key,
        "state": key.state.to_string(),
        "spec": key.spec,
        "usage": key.usage,
        "manager": key.manager.as_ref().map(KeyManager::to_string),
        "origin": key.origin,
        "multi_region": key.multi_region,
        "material": key.material,
        "created": key.created.map(date),
        "deletion": key.deletion.map(date),
        "description": key.description,
        "passphrase": key.passphrase,
    })
}

pub fn rows(table: &mut Table, key: &KeyDescription) {
    table.row("Key", format_args!("{}:{}", key.provider, key.key));
    table.row("State", key.state);
    let optional =
        [("Spec", &key.spec), ("Usage", &key.usage), ("Origin", &key.origin), ("Material", &key.material)];
    for (name, value) in optional {
        value.iter().for_each(|value| table.row(name, value));
    }
    key.manager.iter().for_each(|by| table.row("Manager", by));
    if key.multi_region == Some(true) {
        table.row("Regions", "multi-Region key");
    }
    if key.passphrase == Some(true) {
        table.row("Passphrase", "required");
    }
    key.created.iter().for_each(|seconds| table.row("Created", date(*seconds)));
    key.deletion.iter().for_each(|seconds| table.row("Deletion", date(*seconds)));
    key.description.iter().for_each(|text| table.row("About", text));
}
