//! `atrest key policy`: the least policies for the use of a key.

use atrest::keys::{KeyAdmin, KeyRef, Policy, block_on};
use serde_json::{Value, json};

use super::administer;
use crate::failure::Failure;
use crate::stdout;
use crate::text::escaped_json;

pub fn run(key: &KeyRef, principal: Option<&str>) -> Result<(), Failure> {
    let policies = administer(key, |admin| block_on(admin.policies(key.key(), principal)))?;
    let parts =
        |policy: &Policy| json!({ "required": value(&policy.required), "optional": value(&policy.optional) });
    // The names of these fields are fixed: programs read them.
    stdout::print(&escaped_json(&json!({
        "key_policy_statements": policies.of_key.as_ref().map(parts),
        "iam_policy": policies.of_identity.as_ref().map(parts),
    })))
}

/// What the key's own policy must say at least, for the key's own account; `None` where there is no such thing.
pub fn required(admin: &dyn KeyAdmin, key: &str) -> Option<Value> {
    let policies = block_on(admin.policies(key, None)).ok()?;
    Some(value(&policies.of_key?.required))
}

/// JSON as it is, and other languages as text.
fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}
