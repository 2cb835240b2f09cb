//! The requests that wrap and unwrap root keys.

use super::arn::{another_key, answered_arn, is_name, is_reserved};
use super::clients::Clients;
use super::fault::{malformed, printable};
use super::keys::{explain, require_fit, require_fit_now};
use super::trace::send;
use super::{Arn, NAME};
use atrest::keys::{EncryptionContext, ErrorClass, ProviderError, RootKey, Secret, WrappedKey};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use std::collections::HashMap;
use zeroize::Zeroizing;

/// The longest id of a key's material, in bytes, that an envelope keeps; KMS's own have 64.
const MAX_MATERIAL: usize = 128;

/// An encryption context as the SDK takes it.
pub fn pairs(context: &EncryptionContext) -> Option<HashMap<String, String>> {
    Some(context.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// GenerateDataKeyWithoutPlaintext. What the key is, is asked afterwards, and only the first time: by then the alias
/// has become an ARN, and nothing is written before this returns.
pub async fn generate(
    kms: &Clients,
    key: &str,
    context: EncryptionContext,
) -> Result<WrappedKey, ProviderError> {
    const OPERATION: &str = "GenerateDataKeyWithoutPlaintext";
    if is_reserved(key) {
        let why = format!(
            "the AWS KMS key {key} cannot be used: it is managed by AWS for one of its services, which alone can use \
             it; create a symmetric encryption key instead (`aws kms create-key`, whose defaults are right)"
        );
        return Err(ProviderError::new(ErrorClass::WrongKeyType, why));
    }
    let request = kms.of(key).await?.generate_data_key_without_plaintext();
    let request = request
        .key_id(key)
        .key_spec(DataKeySpec::Aes256)
        .set_encryption_context(pairs(&context))
        .set_grant_tokens(kms.tokens());
    let answer = match send!(kms, OPERATION, key, request) {
        Ok(answer) => answer,
        Err(error) => return Err(explain(kms, key, error).await),
    };
    let arn = answered_arn(OPERATION, key, answer.key_id)?;
    require_fit(kms, &arn).await?;
    let wrapped = ciphertext(OPERATION, key, answer.ciphertext_blob)?;
    let material = material(OPERATION, key, answer.key_material_id)?;
    Ok(WrappedKey { provider: NAME.to_owned(), key: arn, material, context, wrapped })
}

/// Decrypt.
pub async fn decrypt(kms: &Clients, wrapped: WrappedKey) -> Result<RootKey, ProviderError> {
    const OPERATION: &str = "Decrypt";
    let WrappedKey { key, context, wrapped, .. } = wrapped;
    let request = kms.of(&key).await?.decrypt();
    let request = request
        .key_id(&key)
        .ciphertext_blob(Blob::new(wrapped))
        .set_encryption_context(pairs(&context))
        .set_grant_tokens(kms.tokens());
    let answer = match send!(kms, OPERATION, &key, request) {
        Ok(answer) => answer,
        Err(error) => return Err(explain(kms, &key, error).await),
    };
    // Wiped, whatever comes of it.
    let plaintext = answer.plaintext.map(|blob| Zeroizing::new(blob.into_inner()));
    match answer.key_id {
        Some(answered) if answered == key => {}
        Some(answered) => return Err(another_key(OPERATION, &key, &answered)),
        None => return Err(malformed(OPERATION, &key, "it names no key")),
    }
    let Some(plaintext) = plaintext else {
        return Err(malformed(OPERATION, &key, "it holds no plaintext"));
    };
    if plaintext.len() != 32 {
        let why = format!("its plaintext is {} bytes long, not 32", plaintext.len());
        return Err(malformed(OPERATION, &key, &why));
    }
    let mut root = Secret::<32>::new()?;
    root.expose_mut().copy_from_slice(&plaintext);
    Ok(root.into())
}

/// Encrypt. The key is looked at before the plaintext goes out to it.
pub async fn encrypt(
    kms: &Clients,
    root: &Secret<32>,
    key: &str,
    context: EncryptionContext,
) -> Result<WrappedKey, ProviderError> {
    const OPERATION: &str = "Encrypt";
    let arn = if kms.is_fit(key) { key.to_owned() } else { require_fit_now(kms, key).await?.key };
    let request = kms.of(&arn).await?.encrypt();
    let request = request
        .key_id(&arn)
        .plaintext(Blob::new(root.expose().as_slice()))
        .set_encryption_context(pairs(&context))
        .set_grant_tokens(kms.tokens());
    let answer = match send!(kms, OPERATION, &arn, request) {
        Ok(answer) => answer,
        Err(error) => return Err(explain(kms, &arn, error).await),
    };
    let arn = answered_arn(OPERATION, &arn, answer.key_id)?;
    let wrapped = ciphertext(OPERATION, &arn, answer.ciphertext_blob)?;
    // Encrypt, unlike all others, does not tell the material, and what DescribeKey says may be out of date.
    Ok(WrappedKey { provider: NAME.to_owned(), key: arn, material: None, context, wrapped })
}

/// ReEncrypt. No plaintext leaves KMS, so all that can be checked of its work is which keys and which material it says
/// that it used.
pub async fn re_encrypt(kms: &Clients, old: WrappedKey, key: &str) -> Result<WrappedKey, ProviderError> {
    const OPERATION: &str = "ReEncrypt";
    let destination = if kms.is_fit(key) { key.to_owned() } else { require_fit_now(kms, key).await?.key };
    let region = |arn: &str| Arn::parse(arn).map(|arn| (arn.partition.to_owned(), arn.region.to_owned()));
    if region(&old.key) != region(&destination) {
        return Err(ProviderError::unsupported(NAME, "rewrapping from one region to another within KMS"));
    }
    let request = kms.of(&destination).await?.re_encrypt();
    let request = request
        .source_key_id(&old.key)
        .destination_key_id(&destination)
        .ciphertext_blob(Blob::new(old.wrapped))
        .set_source_encryption_context(pairs(&old.context))
        .set_destination_encryption_context(pairs(&old.context))
        .set_grant_tokens(kms.tokens());
    let answer = match send!(kms, OPERATION, &destination, request) {
        Ok(answer) => answer,
        Err(error) => {
            // Either key may be the reason.
            let error = explain(kms, &old.key, error).await;
            return Err(explain(kms, &destination, error).await);
        }
    };
    match answer.source_key_id {
        Some(answered) if answered == old.key => {}
        Some(answered) => return Err(another_key(OPERATION, &old.key, &answered)),
        None => return Err(malformed(OPERATION, &old.key, "it names no source key")),
    }
    same_material(OPERATION, &old.key, &old.material, &answer.source_key_material_id)?;
    let arn = answered_arn(OPERATION, &destination, answer.key_id)?;
    let wrapped = ciphertext(OPERATION, &destination, answer.ciphertext_blob)?;
    let material = material(OPERATION, &destination, answer.destination_key_material_id)?;
    Ok(WrappedKey { provider: NAME.to_owned(), key: arn, material, context: old.context, wrapped })
}

/// The material that unwrapped must be the one that wrapped, where both are known.
fn same_material(
    operation: &str,
    key: &str,
    stored: &Option<String>,
    answered: &Option<String>,
) -> Result<(), ProviderError> {
    match (stored, answered) {
        (Some(stored), Some(answered)) if stored != answered => Err(ProviderError::new(
            ErrorClass::WrongKey,
            format!(
                "the answer of AWS KMS to {operation} with the key {key} comes from the material {}, and the wrapping \
                 is by {stored}",
                printable(answered)
            ),
        )),
        _ => Ok(()),
    }
}

/// The id of the material that wrapped, which envelopes keep.
fn material(operation: &str, key: &str, answered: Option<String>) -> Result<Option<String>, ProviderError> {
    match answered {
        Some(material) if !is_name(&material, MAX_MATERIAL) => {
            let why = format!("{:?} is no id of a key's material", printable(&material));
            Err(malformed(operation, key, &why))
        }
        other => Ok(other),
    }
}

fn ciphertext(operation: &str, key: &str, blob: Option<Blob>) -> Result<Vec<u8>, ProviderError> {
    match blob.map(Blob::into_inner) {
        Some(wrapped) if (1..=atrest::keys::Envelope::MAX_WRAPPED).contains(&wrapped.len()) => Ok(wrapped),
        Some(wrapped) => Err(malformed(
            operation,
            key,
            &format!("its ciphertext is {} bytes long, not 1 to 6144", wrapped.len()),
        )),
        None => Err(malformed(operation, key, "it holds no ciphertext")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn material_is_told_of_by_an_id_or_not_at_all() {
        let of = |answered: Option<&str>| material("ReEncrypt", "k", answered.map(str::to_owned));
        let longest = "a".repeat(MAX_MATERIAL);
        for fits in [None, Some("0123abcd"), Some(&*longest)] {
            assert_eq!(of(fits).unwrap().as_deref(), fits);
        }
        for none in ["", "a b", "a\n", "\u{e9}", &format!("{longest}a")] {
            let error = of(Some(none)).unwrap_err();
            assert_eq!(error.class(), ErrorClass::Malformed, "{none:?}");
            assert!(!error.to_string().contains(char::is_control));
        }
    }
}
