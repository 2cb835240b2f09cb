//! The check before use: each permission is tried, without doing what it permits.

use super::calls::pairs;
use super::clients::Clients;
use super::keys::{describe, unfit, unusable};
use super::policy::{
    CREATE_GRANT, DECRYPT, DESCRIBE, ENCRYPT, GENERATE, LIST_ALIASES, RE_ENCRYPT_FROM, RE_ENCRYPT_TO,
    roles_of,
};
use super::trace::send;
use super::{Arn, admin};
use atrest::keys::{
    EncryptionContext, ErrorClass, KeyCheck, PermissionCheck, PermissionOutcome, ProviderError, WrappedKey,
    new_uuid,
};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DataKeySpec, DryRunModifierType, GrantConstraints, GrantOperation};

/// What a dry run ends with when the real one would have succeeded.
const WOULD_SUCCEED: &str = "DryRunOperationException";

/// Tries everything. An error is returned only for what makes all of it pointless: no network, no credentials.
pub async fn check(kms: &Clients, key: &str, wrapped: Option<WrappedKey>) -> Result<KeyCheck, ProviderError> {
    let description = describe(kms, key).await;
    if let Err(error) = &description
        && !is_an_answer(error)
    {
        return Err(description.expect_err("it is one"));
    }
    // Without its ARN an alias may still do.
    let key = description.as_ref().map_or(key, |description| &description.key).to_owned();
    let context = match &wrapped {
        Some(wrapped) => wrapped.context.clone(),
        None => EncryptionContext::for_volume(new_uuid()?),
    };
    let client = kms.of(&key).await?;
    let context_pairs = pairs(&context);
    let tokens = kms.tokens();

    let request = client
        .generate_data_key_without_plaintext()
        .key_id(&key)
        .key_spec(DataKeySpec::Aes256)
        .set_encryption_context(context_pairs.clone())
        .set_grant_tokens(tokens.clone());
    let dry = send!(kms, "GenerateDataKeyWithoutPlaintext", &key, request.clone().dry_run(true)).map(drop);
    let generate = outcome(dry);

    // The volume's own wrapping, or a new one that nobody keeps; else no ciphertext, which KMS can be told to pass over.
    let blob = match &wrapped {
        Some(wrapped) => Some(wrapped.wrapped.clone()),
        None if generate == PermissionOutcome::Allowed => {
            let made = send!(kms, "GenerateDataKeyWithoutPlaintext", &key, request)?;
            made.ciphertext_blob.map(Blob::into_inner)
        }
        None => None,
    };
    let without = blob.is_none().then(|| vec![DryRunModifierType::IgnoreCiphertext]);
    let blob = blob.map(Blob::new);

    let request = client
        .decrypt()
        .key_id(&key)
        .set_ciphertext_blob(blob.clone())
        .set_encryption_context(context_pairs.clone())
        .set_grant_tokens(tokens.clone())
        .dry_run(true)
        .set_dry_run_modifiers(without.clone());
    let decrypt = outcome(send!(kms, "Decrypt", &key, request).map(|answer| {
        // A service that passes over DryRun answers in earnest.
        drop(answer.plaintext.map(|blob| zeroize::Zeroizing::new(blob.into_inner())));
    }));

    let request = client
        .encrypt()
        .key_id(&key)
        .plaintext(Blob::new([0; 32]))
        .set_encryption_context(context_pairs.clone())
        .set_grant_tokens(tokens.clone())
        .dry_run(true);
    let encrypt = outcome(send!(kms, "Encrypt", &key, request).map(drop));

    let request = client
        .re_encrypt()
        .source_key_id(&key)
        .destination_key_id(&key)
        .set_ciphertext_blob(blob)
        .set_source_encryption_context(context_pairs.clone())
        .set_destination_encryption_context(context_pairs)
        .set_grant_tokens(tokens)
        .dry_run(true)
        .set_dry_run_modifiers(without);
    let (from, to) = directions(outcome(send!(kms, "ReEncrypt", &key, request).map(drop)));

    let grant = create_grant(kms, &key, &context).await;
    let aliases = outcome(send!(kms, "ListAliases", &key, client.list_aliases().limit(1)).map(drop));
    let describe = match &description {
        Ok(_) => PermissionOutcome::Allowed,
        Err(error) => denied(error),
    };

    let tried = [
        (DECRYPT, decrypt),
        (GENERATE, generate),
        (DESCRIBE, describe),
        (RE_ENCRYPT_FROM, from),
        (RE_ENCRYPT_TO, to),
        (CREATE_GRANT, grant),
        (ENCRYPT, encrypt),
        (LIST_ALIASES, aliases),
    ];
    let permissions =
        tried.map(|(action, outcome)| PermissionCheck::new(action, &roles_of(action), outcome)).into();
    let unusable = description
        .as_ref()
        .ok()
        .and_then(|description| unfit(description).or_else(|| unusable(description).map(|(_, why)| why)));
    let rotation = admin::rotation(kms, &key).await.ok();
    Ok(KeyCheck::new(description.ok(), rotation, unusable, permissions))
}

/// ReEncrypt asks for one permission on the key that it comes from and for one on that which it goes to; a denial names the one
/// that is missing, and the first of them alone.
fn directions(outcome: PermissionOutcome) -> (PermissionOutcome, PermissionOutcome) {
    match &outcome {
        PermissionOutcome::Denied(why) if why.contains("ReEncryptFrom") => {
            let not_tried = format!("not told where {RE_ENCRYPT_FROM} is denied");
            (outcome, PermissionOutcome::Unknown(not_tried))
        }
        PermissionOutcome::Denied(why) if why.contains("ReEncryptTo") => {
            (PermissionOutcome::Allowed, outcome)
        }
        _ => (outcome.clone(), outcome),
    }
}

/// A grant to the key's own account, which exists in any case.
async fn create_grant(kms: &Clients, key: &str, context: &EncryptionContext) -> PermissionOutcome {
    let Some(arn) = Arn::parse(key).filter(|arn| arn.key_id().is_some()) else {
        return PermissionOutcome::Unknown("the key's ARN is not known".to_owned());
    };
    let client = match kms.of(key).await {
        Ok(client) => client,
        Err(error) => return PermissionOutcome::Unknown(error.to_string()),
    };
    let request = client
        .create_grant()
        .key_id(key)
        .grantee_principal(format!("arn:{}:iam::{}:root", arn.partition, arn.account))
        .operations(GrantOperation::Decrypt)
        .operations(GrantOperation::DescribeKey)
        .constraints(GrantConstraints::builder().set_encryption_context_subset(pairs(context)).build())
        .set_grant_tokens(kms.tokens())
        .dry_run(true);
    match send!(kms, "CreateGrant", key, request) {
        Ok(answer) => {
            // A service that passes over DryRun has made a grant, which goes again.
            if let Some(id) = answer.grant_id {
                let request = client.revoke_grant().key_id(key).grant_id(id);
                let _ = send!(kms, "RevokeGrant", key, request);
            }
            PermissionOutcome::Allowed
        }
        Err(error) => outcome(Err(error)),
    }
}

/// Whether the service said something, so that it makes sense to go on asking.
fn is_an_answer(error: &ProviderError) -> bool {
    error.answer().is_some()
        && !matches!(
            error.class(),
            ErrorClass::NoCredentials
                | ErrorClass::Throttled
                | ErrorClass::Unreachable
                | ErrorClass::KeyNotFound
        )
}

fn outcome(result: Result<(), ProviderError>) -> PermissionOutcome {
    match result {
        Ok(()) => PermissionOutcome::Allowed,
        Err(error) if error.answer().and_then(|answer| answer.code.as_deref()) == Some(WOULD_SUCCEED) => {
            PermissionOutcome::Allowed
        }
        Err(error) => denied(&error),
    }
}

fn denied(error: &ProviderError) -> PermissionOutcome {
    let said = error.answer().and_then(|answer| answer.message.clone().or(answer.code.clone()));
    let why = said.unwrap_or_else(|| error.class().message().to_owned());
    match error.class() {
        ErrorClass::NotAuthorised => PermissionOutcome::Denied(why),
        _ => PermissionOutcome::Unknown(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_of_re_encrypt_says_which_way() {
        let denied = |action: &str| PermissionOutcome::Denied(format!("not authorized to perform: {action}"));
        let allowed = PermissionOutcome::Allowed;
        assert_eq!(directions(allowed.clone()), (allowed.clone(), allowed.clone()));
        assert_eq!(directions(denied(RE_ENCRYPT_TO)), (allowed, denied(RE_ENCRYPT_TO)));
        let (from, to) = directions(denied(RE_ENCRYPT_FROM));
        assert_eq!(from, denied(RE_ENCRYPT_FROM));
        assert!(matches!(to, PermissionOutcome::Unknown(_)));
        assert_eq!(directions(denied("kms:Other")), (denied("kms:Other"), denied("kms:Other")));
    }
}
