//! `atrest key check`: whether a key will do, before anything depends on it.

use std::path::Path;

use atrest::keys::{KeyCheck, KeyRef, KeyRole, KeyState, PermissionOutcome, WrappedKey, block_on};
use serde_json::{Value, json};

use super::{administer, policy, show};
use crate::failure::Failure;
use crate::text::{Table, date, escaped_json};
use crate::{opening, stdout};

pub fn run(key: &KeyRef, role: KeyRole, volume: Option<&Path>, json: bool) -> Result<(), Failure> {
    let wrapped = volume.map(|path| wrapping_by(path, key)).transpose()?;
    let (check, statements) = administer(key, |admin| {
        let check = block_on(admin.check(key.key(), wrapped.as_ref()))?;
        // What would grant the required permissions that are missing, where there is such a thing.
        let lasting = check.key.as_ref().map_or(key.key(), |key| &key.key);
        let statements =
            (!missing(&check, role).is_empty()).then(|| policy::required(admin, lasting, role)).flatten();
        Ok((check, statements))
    })?;
    let stale = match (&wrapped, &check.key) {
        (Some(wrapped), Some(key)) => wrapped.is_stale(key),
        _ => None,
    };
    if json {
        stdout::print(&escaped_json(&facts(&check, role, stale, statements)))?;
    } else {
        stdout::print(&table(&check, role, stale, statements.as_ref()))?;
    }
    if check.passed(role) {
        return Ok(());
    }
    let disabled = check.key.as_ref().is_some_and(|key| key.state == KeyState::Disabled);
    let why = match &check.unusable {
        Some(why) if disabled => format!("{why}; enable it with `atrest key enable {key}`"),
        Some(why) => why.clone(),
        None => format!("missing permissions: {}", missing(&check, role).join(", ")),
    };
    let what = match role {
        KeyRole::Node => "cannot open volumes",
        KeyRole::Owner => "cannot be rewrapped to and from",
        KeyRole::Granter => "cannot be granted to others",
        _ => "cannot wrap volumes",
    };
    let failure = Failure::new(format!("the key {key} {what}: {why}"));
    Err(match check.key.as_ref().map(|key| key.state) {
        Some(KeyState::Disabled) => failure.and(&format!("enable it with `atrest key enable {key}`")),
        Some(KeyState::PendingDeletion) => {
            failure.and(&format!("cancel the deletion with `atrest key delete {key} --cancel`"))
        }
        _ => failure,
    })
}

/// The wrapping in the volume that this key made; else the first of its provider.
fn wrapping_by(path: &Path, key: &KeyRef) -> Result<WrappedKey, Failure> {
    let envelope = opening::envelope_of(path)?;
    let of_provider = || envelope.slots().iter().filter(|slot| slot.provider == key.provider());
    let found = of_provider().find(|slot| slot.key == key.key()).or_else(|| of_provider().next());
    found.cloned().ok_or_else(|| {
        Failure::new(format!(
            "cannot check the key {key}: the volume {1} is not wrapped by any {0}: key",
            key.provider(),
            path.display()
        ))
    })
}

fn missing(check: &KeyCheck, role: KeyRole) -> Vec<&str> {
    let lacks = check
        .permissions
        .iter()
        .filter(|one| one.is_needed_by(role) && one.outcome != PermissionOutcome::Allowed);
    lacks.map(|one| one.permission.as_str()).collect()
}

fn facts(check: &KeyCheck, role: KeyRole, stale: Option<bool>, statements: Option<Value>) -> Value {
    let permissions: Vec<Value> = check
        .permissions
        .iter()
        .map(|one| {
            let (allowed, why) = match &one.outcome {
                PermissionOutcome::Allowed => (Some(true), None),
                PermissionOutcome::Denied(why) => (Some(false), Some(why)),
                PermissionOutcome::Unknown(why) => (None, Some(why)),
                _ => (None, None),
            };
            let roles: Vec<&str> = one.roles.iter().map(|role| role.name()).collect();
            json!({
                "permission": one.permission,
                "roles": roles,
                "required": one.is_needed_by(role),
                "allowed": allowed,
                "why": why,
            })
        })
        .collect();
    let rotation = check.rotation.as_ref().map(|rotation| {
        json!({ "enabled": rotation.enabled, "period_days": rotation.period_days, "next": rotation.next.map(date) })
    });
    json!({
        "role": role.name(),
        "passed": check.passed(role),
        "key": check.key.as_ref().map(show::facts),
        "unusable": check.unusable,
        "rotation": rotation,
        "wrapping_stale": stale,
        "permissions": permissions,
        "key_policy_statements": statements,
    })
}

fn table(check: &KeyCheck, role: KeyRole, stale: Option<bool>, statements: Option<&Value>) -> String {
    let mut table = Table::default();
    if let Some(key) = &check.key {
        show::rows(&mut table, key);
    }
    if let Some(rotation) = &check.rotation {
        let period = rotation.period_days.map(|days| format!(", every {days} days")).unwrap_or_default();
        table.row("Rotation", if rotation.enabled { format!("on{period}") } else { "off".to_owned() });
    }
    match stale {
        Some(true) => table.row("Wrapping", "stale: wrapped with older material; `atrest rewrap` renews it"),
        Some(false) => table.row("Wrapping", "wrapped with the key's current material"),
        None => {}
    }
    for one in &check.permissions {
        let need = if one.is_needed_by(role) { "required" } else { "optional" };
        let outcome = match &one.outcome {
            PermissionOutcome::Allowed => "allowed".to_owned(),
            PermissionOutcome::Denied(why) => format!("DENIED ({why})"),
            PermissionOutcome::Unknown(why) => format!("unknown ({why})"),
            _ => "unknown".to_owned(),
        };
        table.row(need, format_args!("{:<36} {outcome}", one.permission));
    }
    if let Some(statements) = statements {
        table.0.push_str("\nThese statements in the key's policy would allow what is required:\n");
        table.0.push_str(&escaped_json(statements));
    }
    table.0
}
