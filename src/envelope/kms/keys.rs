//! What keys are: their ARNs, their descriptions, and whether they can wrap.

use super::super::{ErrorClass, KeyDescription, KeyManager, KeyState, ProviderError};
use super::NAME;
use super::clients::Clients;
use super::fault::{malformed, printable};
use aws_sdk_kms::primitives::{DateTime, DateTimeFormat};
use aws_sdk_kms::types::{KeyManagerType, KeyMetadata, KeyState as AwsState};

/// An ARN of KMS, in its parts: `arn:PARTITION:kms:REGION:ACCOUNT:RESOURCE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    /// The partition, `aws` for most.
    pub partition: &'a str,
    /// The region.
    pub region: &'a str,
    /// The account, 12 digits.
    pub account: &'a str,
    /// `key/ID` or `alias/NAME`.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// The parts of a text that is an ARN of KMS.
    pub fn parse(text: &'a str) -> Option<Arn<'a>> {
        let mut parts = text.splitn(6, ':');
        let mut part = || parts.next().filter(|part| !part.is_empty());
        let ("arn", partition, "kms", region, account, resource) =
            (part()?, part()?, part()?, part()?, part()?, part()?)
        else {
            return None;
        };
        let resource_is = |kind: &str| resource.strip_prefix(kind).is_some_and(|name| !name.is_empty());
        // The region becomes part of a host's name.
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (plain(partition)
            && plain(region)
            && plain(account)
            && (resource_is("key/") || resource_is("alias/")))
        .then_some(Arn { partition, region, account, resource })
    }

    /// The key's id, unless this is an alias.
    pub fn key_id(&self) -> Option<&'a str> {
        self.resource.strip_prefix("key/")
    }
}

/// The ARN that an answer names as the key it used; it must fit the key that was asked for.
pub fn answered_arn(operation: &str, key: &str, answered: Option<String>) -> Result<String, ProviderError> {
    let answered = answered.unwrap_or_default();
    let (shown, arn) = (printable(&answered), Arn::parse(&answered));
    let Some((arn, id)) = arn.and_then(|arn| Some((arn, arn.key_id()?))) else {
        return Err(malformed(operation, key, &format!("{shown:?} is no ARN of a key")));
    };
    let fits = match Arn::parse(key) {
        Some(asked) if asked.key_id().is_some() => key == answered,
        Some(asked) => {
            (asked.partition, asked.region, asked.account) == (arn.partition, arn.region, arn.account)
        }
        None => key.starts_with("alias/") || key == id,
    };
    if fits { Ok(answered) } else { Err(another_key(operation, key, &shown)) }
}

/// Another key answered than the one that was asked for.
pub fn another_key(operation: &str, key: &str, answered: &str) -> ProviderError {
    ProviderError::new(
        ErrorClass::WrongKey,
        format!("the answer of AWS KMS to {operation} comes from the key {}, not {key}", printable(answered)),
    )
}

/// DescribeKey.
pub async fn describe(kms: &Clients, key: &str) -> Result<KeyDescription, ProviderError> {
    const OPERATION: &str = "DescribeKey";
    let request = kms.of(key).await?.describe_key().key_id(key).set_grant_tokens(kms.tokens());
    let answer = super::calls::send!(OPERATION, key, request)?;
    let Some(metadata) = answer.key_metadata else {
        return Err(malformed(OPERATION, key, "it describes no key"));
    };
    let arn = answered_arn(OPERATION, key, metadata.arn.clone())?;
    let mut description = description(&arn, &metadata);
    if is_reserved(key) {
        description.manager = Some(KeyManager::Provider);
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
        _ => KeyManager::Provider,
    });
    description.multi_region = metadata.multi_region;
    description.description =
        metadata.description.as_deref().map(printable).filter(|description| !description.is_empty());
    description
}

/// Whether this is an alias in the part of the names that AWS keeps for its services' own keys.
pub fn is_reserved(key: &str) -> bool {
    key.starts_with("alias/aws/") || Arn::parse(key).is_some_and(|arn| arn.resource.starts_with("alias/aws/"))
}

/// Why the key is none for wrapping, whatever its state: it cannot become one.
pub fn unfit(key: &KeyDescription) -> Option<String> {
    const INSTEAD: &str =
        "create a symmetric encryption key instead (`aws kms create-key`, whose defaults are right)";
    if key.manager == Some(KeyManager::Provider) {
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
        KeyState::Disabled => (
            ErrorClass::KeyDisabled,
            "it is disabled; its owner can enable it again (`atrest key enable`)".to_owned(),
        ),
        KeyState::PendingDeletion => {
            let when = key.deletion.map(|date| format!(" on {}", day(date))).unwrap_or_default();
            let why = format!(
                "it is pending deletion, and will be deleted{when}; its owner can cancel that (`atrest key delete \
                 --cancel`) and then enable it"
            );
            (ErrorClass::KeyPendingDeletion, why)
        }
        KeyState::PendingImport => (
            ErrorClass::KeyUnavailable,
            "its key material is not there; its owner must import it again".to_owned(),
        ),
        KeyState::Unavailable => (
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

    const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    #[test]
    fn arns_are_taken_apart_or_are_none() {
        let arn = Arn::parse(KEY).unwrap();
        assert_eq!((arn.partition, arn.region, arn.account), ("aws", "eu-west-1", "111122223333"));
        assert_eq!(arn.key_id(), Some("1234abcd-12ab-34cd-56ef-1234567890ab"));
        let alias = Arn::parse("arn:aws-cn:kms:cn-north-1:111122223333:alias/a:b/c").unwrap();
        assert_eq!((alias.key_id(), alias.resource), (None, "alias/a:b/c"));
        for none in [
            "",
            "alias/prod",
            "1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws:s3:eu-west-1:1:key/x",
            "arn:aws:kms:eu-west-1:111122223333:key/",
            "arn:aws:kms::111122223333:key/x",
            "arn:aws:kms:example.org/#:111122223333:key/x",
            "arn:aws:kms:eu-west-1:111122223333",
        ] {
            assert_eq!(Arn::parse(none), None, "{none}");
        }
    }

    #[test]
    fn an_answer_must_come_from_the_key_that_was_asked() {
        let check = |key: &str, answered: &str| answered_arn("Decrypt", key, Some(answered.to_owned()));
        let id = Arn::parse(KEY).unwrap().key_id().unwrap();
        for key in [KEY, id, "alias/prod", "arn:aws:kms:eu-west-1:111122223333:alias/prod"] {
            assert_eq!(check(key, KEY).unwrap(), KEY);
        }
        let class = |result: Result<String, ProviderError>| result.unwrap_err().class();
        let other = KEY.replace("12ab", "12ac");
        for key in [KEY, id, "arn:aws:kms:eu-west-2:111122223333:alias/prod"] {
            assert_eq!(class(check(key, &other)), ErrorClass::WrongKey, "{key}");
        }
        for none in ["", id, "arn:aws:kms:eu-west-1:111122223333:alias/prod"] {
            assert_eq!(class(check("alias/prod", none)), ErrorClass::Malformed);
        }
        assert_eq!(class(answered_arn("Decrypt", KEY, None)), ErrorClass::Malformed);
    }

    #[test]
    fn keys_of_every_other_kind_are_unfit() {
        let key = |spec: Option<&str>, usage: Option<&str>, manager| {
            let mut key = KeyDescription::new(NAME, KEY);
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
        assert!(key(symmetric, encrypt, Some(KeyManager::Provider)).unwrap().contains("managed by AWS"));
    }
}
