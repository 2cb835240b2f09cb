//! `atrest key policy`: the least policies for the use of a key.

use std::path::Path;

use atrest::keys::{KeyAdmin, KeyRef, KeyRole, Policy, PolicyRequest, block_on};
use serde_json::{Value, json};

use super::administer;
use crate::failure::Failure;
use crate::text::escaped_json;
use crate::{opening, stdout};

pub fn run(
    key: &KeyRef,
    role: KeyRole,
    principal: Option<&str>,
    volume: Option<&Path>,
) -> Result<(), Failure> {
    let mut request = PolicyRequest::new(role);
    request.principal = principal.map(str::to_owned);
    request.volume = volume.map(opening::envelope_of).transpose()?.map(|envelope| envelope.volume());
    let policies = administer(key, |admin| block_on(admin.policies(key.key(), &request)))?;
    let parts =
        |policy: &Policy| json!({ "required": value(&policy.required), "optional": value(&policy.optional) });
    // The names of these fields are fixed: programs read them.
    stdout::print(&escaped_json(&json!({
        "role": role.name(),
        "key_policy_statements": policies.of_key.as_ref().map(parts),
        "iam_policy": policies.of_identity.as_ref().map(parts),
    })))
}

/// What the key's own policy must say at least, for the key's own account; `None` where there is no such thing.
pub fn required(admin: &dyn KeyAdmin, key: &str, role: KeyRole) -> Option<Value> {
    let policies = block_on(admin.policies(key, &PolicyRequest::new(role))).ok()?;
    Some(value(&policies.of_key?.required))
}

/// JSON as it is, and other languages as text.
fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}
