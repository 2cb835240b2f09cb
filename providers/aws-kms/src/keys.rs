//! What keys are: their descriptions, and whether they can wrap.

use super::arn::{answered_arn, is_reserved};
use super::clients::Clients;
use super::fault::{malformed, printable};
use super::{Arn, NAME};
use atrest::keys::{ErrorClass, KeyDescription, KeyManager, KeyState, ProviderError};
use aws_sdk_kms::primitives::{DateTime, DateTimeFormat};
use aws_sdk_kms::types::{KeyManagerType, KeyMetadata, KeyState as AwsState};

/// Who looks after the keys that AWS keeps for its own services.
pub const AWS: KeyManager = KeyManager::Provider("AWS");

/// DescribeKey.
pub async fn describe(kms: &Clients, key: &str) -> Result<KeyDescription, ProviderError> {
    const OPERATION: &str = "DescribeKey";
    let request = kms.of(key).await?.describe_key().key_id(key).set_grant_tokens(kms.tokens());
    let answer = crate::trace::send!(kms, OPERATION, key, request)?;
    let Some(metadata) = answer.key_metadata else {
        return Err(malformed(OPERATION, key, "it describes no key"));
    };
    let arn = answered_arn(OPERATION, key, metadata.arn.clone())?;
    let mut description = description(&arn, &metadata);
    if is_reserved(key) {
        description.manager = Some(AWS);
    }
    Ok(description)
}

fn description(arn: &str, metadata: &KeyMetadata) -> KeyDescription {
    let mut description = KeyDescription::new(NAME, arn);
    description.state = match &metadata.key_state {
        Some(AwsState::Enabled) => KeyState::Enabled,
        Some(AwsState::Disabled) => KeyState::Disabled,
        Some(AwsState::PendingDeletion | AwsState::PendingReplicaDeletion) => KeyState::PendingDeletion,
        Some(AwsState::PendingImport) => KeyState::PendingImport,
        None if metadata.enabled => KeyState::Enabled,
        _ => KeyState::Unavailable,
    };
    let seconds = |date: &DateTime| u64::try_from(date.secs()).ok();
    description.created = metadata.creation_date.as_ref().and_then(seconds);
    description.deletion = metadata.deletion_date.as_ref().and_then(seconds);
    description.material = metadata.current_key_material_id.as_deref().map(printable);
    description.spec = metadata.key_spec.as_ref().map(|spec| printable(spec.as_str()));
    description.usage = metadata.key_usage.as_ref().map(|usage| printable(usage.as_str()));
    description.origin = metadata.origin.as_ref().map(|origin| printable(origin.as_str()));
    description.manager = metadata.key_manager.as_ref().map(|manager| match manager {
        KeyManagerType::Customer => KeyManager::Customer,
        // A manager that is not known is not the customer.
        _ => AWS,
    });
    description.multi_region = metadata.multi_region;
    description.description =
        metadata.description.as_deref().map(printable).filter(|description| !description.is_empty());
    description
}

/// Why the key is none for wrapping, whatever its state: it cannot become one.
pub fn unfit(key: &KeyDescription) -> Option<String> {
    const INSTEAD: &str =
        "create a symmetric encryption key instead (`aws kms create-key`, whose defaults are right)";
    if key.manager == Some(AWS) {
        let what = key.description.as_ref().map(|text| format!(" ({text})")).unwrap_or_default();
        return Some(format!(
            "it is managed by AWS for one of its services{what}, which alone can use it; {INSTEAD}"
        ));
    }
    match key.spec.as_deref() {
        Some("SYMMETRIC_DEFAULT") => {}
        Some(spec) => {
            return Some(format!("its key spec is {spec}, and only SYMMETRIC_DEFAULT wraps; {INSTEAD}"));
        }
        None => {
            return Some(format!(
                "it does not tell its key spec, which must be SYMMETRIC_DEFAULT; {INSTEAD}"
            ));
        }
    }
    match key.usage.as_deref() {
        Some("ENCRYPT_DECRYPT") => None,
        usage => {
            Some(format!("its usage is {}, not ENCRYPT_DECRYPT; {INSTEAD}", usage.unwrap_or("not told")))
        }
    }
}

/// Why the key cannot be used now, with its class.
pub fn unusable(key: &KeyDescription) -> Option<(ErrorClass, String)> {
    let (class, why) = match key.state {
        KeyState::Enabled => return None,
        KeyState::Disabled => {
            (ErrorClass::KeyDisabled, "it is disabled; its owner can enable it again".to_owned())
        }
        KeyState::PendingDeletion => {
            let when = key.deletion.map(|date| format!(" on {}", day(date))).unwrap_or_default();
            let why = format!(
                "it is pending deletion, and will be deleted{when}; its owner can cancel that, and then enable \
                 it"
            );
            (ErrorClass::KeyPendingDeletion, why)
        }
        KeyState::PendingImport => (
            ErrorClass::KeyUnavailable,
            "its key material is not there; its owner must import it again".to_owned(),
        ),
        // Unavailable, and what a later version of atrest may know.
        _ => (
            ErrorClass::KeyUnavailable,
            "it is unavailable; its owner must connect its key store, or wait until it is made".to_owned(),
        ),
    };
    Some((class, why))
}

/// Refuses a key that cannot wrap, by what it is or by its state. What it is, is asked once for each key.
pub async fn require_fit(kms: &Clients, key: &str) -> Result<(), ProviderError> {
    if kms.is_fit(key) {
        return Ok(());
    }
    require_fit_now(kms, key).await.map(drop)
}

/// The same, with the description, which is asked for in any case.
pub async fn require_fit_now(kms: &Clients, key: &str) -> Result<KeyDescription, ProviderError> {
    let description = describe(kms, key).await?;
    match refusal(&description) {
        Some(error) => Err(error),
        None => {
            kms.found_fit(&description.key);
            Ok(description)
        }
    }
}

/// The error for a key that cannot be used, by what it is or by its state.
fn refusal(key: &KeyDescription) -> Option<ProviderError> {
    let (class, why) = match unfit(key) {
        Some(why) => (ErrorClass::WrongKeyType, why),
        None => unusable(key)?,
    };
    let error = ProviderError::new(class, format!("the AWS KMS key {} cannot be used: {why}", key.key));
    Some(error.with_deletion(key.deletion))
}

/// Makes more of an error that the key itself may be the reason for: its kind, its state, the date of its deletion.
/// Where the key cannot be described, the error stays as it is.
pub async fn explain(kms: &Clients, key: &str, error: ProviderError) -> ProviderError {
    let may_be_the_key = matches!(
        error.class(),
        ErrorClass::NotAuthorised
            | ErrorClass::KeyDisabled
            | ErrorClass::KeyPendingDeletion
            | ErrorClass::KeyUnavailable
            | ErrorClass::WrongKeyType
            | ErrorClass::InvalidRequest
    );
    if !may_be_the_key {
        return error;
    }
    let Some(why) = describe(kms, key).await.ok().and_then(|description| refusal(&description)) else {
        return error;
    };
    match error.answer() {
        Some(answer) => {
            let said = answer.code.as_deref().unwrap_or("an error");
            let id = answer.request_id.as_ref().map(|id| format!("; request {id}")).unwrap_or_default();
            let (class, deletion) = (why.class(), why.deletion());
            ProviderError::new(class, format!("{why} ({said}{id})"))
                .with_deletion(deletion)
                .with_answer(answer.clone())
        }
        None => why,
    }
}

/// The key's ARN: itself, or what DescribeKey says. Some operations take no alias.
pub async fn resolve(kms: &Clients, key: &str) -> Result<String, ProviderError> {
    match Arn::parse(key) {
        Some(arn) if arn.key_id().is_some() => Ok(key.to_owned()),
        _ => describe(kms, key).await.map(|description| description.key),
    }
}

/// A date as people and programs read it.
fn day(seconds: u64) -> String {
    let date = DateTime::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    date.fmt(DateTimeFormat::DateTime).unwrap_or_else(|_| seconds.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_every_other_kind_are_unfit() {
        let key = |spec: Option<&str>, usage: Option<&str>, manager| {
            let mut key = KeyDescription::new(NAME, "a key");
            (key.spec, key.usage, key.manager) = (spec.map(str::to_owned), usage.map(str::to_owned), manager);
            unfit(&key)
        };
        let (symmetric, encrypt) = (Some("SYMMETRIC_DEFAULT"), Some("ENCRYPT_DECRYPT"));
        assert_eq!(key(symmetric, encrypt, Some(KeyManager::Customer)), None);
        for spec in [
            "RSA_2048",
            "RSA_4096",
            "ECC_NIST_P256",
            "ECC_SECG_P256K1",
            "HMAC_256",
            "SM2",
            "ML_DSA_65",
            "NEW_THING",
        ] {
            let why = key(Some(spec), encrypt, Some(KeyManager::Customer)).unwrap();
            assert!(why.contains(spec) && why.contains("create a symmetric"), "{why}");
        }
        assert!(key(None, encrypt, None).is_some());
        for usage in [None, Some("SIGN_VERIFY"), Some("NEW_THING")] {
            assert!(key(symmetric, usage, None).is_some());
        }
        assert!(key(symmetric, encrypt, Some(AWS)).unwrap().contains("managed by AWS"));
    }
}
