//! `atrest key policy`: the least policies for the use of a key.

use atrest::keys::KeyRef;

use crate::failure::Failure;
use crate::providers;

#[cfg(feature = "aws")]
pub fn run(key: &KeyRef, principal: Option<&str>) -> Result<(), Failure> {
    use atrest::keys::{Arn, block_on, policies};

    let refused = |why: &str| providers::unusable(key, &why);
    if key.provider() != "aws" {
        return Err(refused("only AWS KMS has policies; the files of a local key are its owner's"));
    }
    // An alias has no policy: the key behind it has.
    let arn = match Arn::parse(key.key()).and_then(|arn| arn.key_id()) {
        Some(_) => key.key().to_owned(),
        None => {
            let provider = providers::provider("aws").map_err(|error| providers::unusable(key, &error))?;
            let description =
                block_on(provider.describe(key.key())).map_err(|error| providers::unusable(key, &error))?;
            description.key
        }
    };
    let principal = principal.map_or_else(|| account(&arn), str::to_owned);
    let policies = policies(&arn, &principal).ok_or_else(|| refused("it is no ARN of a key"))?;
    crate::stdout::print(&crate::text::escaped_json(&serde_json::json!({
        "key_policy_statements": { "required": policies.key_required, "optional": policies.key_optional },
        "iam_policy": { "required": policies.iam_required, "optional": policies.iam_optional },
    })))
}

/// The statements that a key's policy needs at least, for the key's own account.
#[cfg(feature = "aws")]
pub fn required(arn: &str) -> Option<serde_json::Value> {
    Some(atrest::keys::policies(arn, &account(arn))?.key_required)
}

/// Everybody in the key's account to whom its own policies give the right.
#[cfg(feature = "aws")]
fn account(arn: &str) -> String {
    let parts = atrest::keys::Arn::parse(arn);
    parts.map(|arn| format!("arn:{}:iam::{}:root", arn.partition, arn.account)).unwrap_or_default()
}

#[cfg(not(feature = "aws"))]
pub fn run(key: &KeyRef, _: Option<&str>) -> Result<(), Failure> {
    Err(providers::unusable(key, &"this build knows no keys that have policies (AWS KMS is the feature kms)"))
}

#[cfg(not(feature = "aws"))]
pub fn required(_: &str) -> Option<serde_json::Value> {
    None
}
