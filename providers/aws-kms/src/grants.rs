//! Grants: made, listed, taken back.

use super::arn::is_name;
use super::calls::pairs;
use super::clients::Clients;
use super::fault::{malformed, printable};
use super::keys::{explain, require_fit_now, resolve};
use super::options::MAX_TOKEN;
use super::trace::send;
use atrest::keys::{ErrorClass, Grant, GrantDescription, GrantRequest, Operation, ProviderError};
use aws_sdk_kms::types::{GrantConstraints, GrantListEntry, GrantOperation};
use sha2::{Digest as _, Sha256};

/// The longest id of a grant, in bytes.
const MAX_ID: usize = 128;

/// The most entries of a list, over all its pages: twice as many keys as an account has in a region.
const MAX_LISTED: usize = 200_000;

/// CreateGrant.
pub async fn create(kms: &Clients, key: &str, request: GrantRequest) -> Result<Grant, ProviderError> {
    const OPERATION: &str = "CreateGrant";
    // The grant of a key that cannot wrap would be of no use; the ARN is needed in any case.
    let arn = require_fit_now(kms, key).await?.key;
    let mut operations = request.operations.clone();
    operations.sort_unstable();
    operations.dedup();
    let name = request.name.clone().unwrap_or_else(|| name(&arn, &request, &operations));
    let constraints = request
        .context
        .as_ref()
        .map(|context| GrantConstraints::builder().set_encryption_context_subset(pairs(context)).build());
    let call = kms.of(&arn).await?.create_grant();
    let call = call
        .key_id(&arn)
        .grantee_principal(&request.principal)
        .set_operations(Some(operations.iter().map(|operation| sdk(*operation)).collect()))
        .set_constraints(constraints)
        .set_retiring_principal(request.retiring_principal.clone())
        .name(name)
        .set_grant_tokens(kms.tokens());
    let answer = match send!(kms, OPERATION, &arn, call) {
        Ok(answer) => answer,
        // The key's ARN is known good by now.
        Err(error) if error.class() == ErrorClass::KeyName => return Err(no_principal(&request, &error)),
        Err(error) => return Err(explain(kms, &arn, error).await),
    };
    let grant = granted(&arn, answer.grant_id, answer.grant_token)?;
    // What follows here may need the grant before it has spread.
    grant.token.iter().for_each(|token| kms.add_token(token));
    Ok(grant)
}

/// The grant that an answer to CreateGrant tells of.
fn granted(key: &str, id: Option<String>, token: Option<String>) -> Result<Grant, ProviderError> {
    const OPERATION: &str = "CreateGrant";
    let Some(id) = id else {
        return Err(malformed(OPERATION, key, "it holds no grant id"));
    };
    if !is_name(&id, MAX_ID) {
        return Err(malformed(OPERATION, key, &format!("{:?} is no grant id", printable(&id))));
    }
    // It would go along with every later request.
    if token.as_ref().is_some_and(|token| !is_name(token, MAX_TOKEN)) {
        let why = format!(
            "the token of the grant {id} is not 1 to {MAX_TOKEN} printable ASCII characters without spaces"
        );
        return Err(malformed(OPERATION, key, &why));
    }
    Ok(Grant::new(&id, token.as_deref()))
}

/// KMS makes nothing of the names of those whom a grant is for.
fn no_principal(request: &GrantRequest, error: &ProviderError) -> ProviderError {
    let retiring = request.retiring_principal.as_deref().map(|name| format!(" or {}", printable(name)));
    let why = format!(
        "AWS KMS takes no grant for {}{}: give the ARN of a role, a user or an account ({error})",
        printable(&request.principal),
        retiring.unwrap_or_default()
    );
    let better = ProviderError::new(ErrorClass::InvalidRequest, why);
    match error.answer() {
        Some(answer) => better.with_answer(answer.clone()),
        None => better,
    }
}

/// A name that follows from the request, so that KMS takes a repeated request for the same grant.
fn name(arn: &str, request: &GrantRequest, operations: &[Operation]) -> String {
    let mut hash = Sha256::new();
    let mut part = |text: &[u8]| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    part(arn.as_bytes());
    part(request.principal.as_bytes());
    part(request.retiring_principal.as_deref().unwrap_or_default().as_bytes());
    part(&request.context.as_ref().map(|context| context.canonical_bytes()).unwrap_or_default());
    operations.iter().for_each(|operation| part(operation.name().as_bytes()));
    let hex: String = hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("atrest-{hex}")
}

/// The operations have AWS's own names.
pub fn sdk(operation: Operation) -> GrantOperation {
    GrantOperation::from(operation.name())
}

/// ListGrants, all pages.
pub async fn list(kms: &Clients, key: &str) -> Result<Vec<GrantDescription>, ProviderError> {
    const OPERATION: &str = "ListGrants";
    let arn = resolve(kms, key).await?;
    let client = kms.of(&arn).await?;
    let mut grants = Vec::new();
    let mut marker = None;
    loop {
        let request = client.list_grants().key_id(&arn).set_marker(marker.clone());
        let answer = match send!(kms, OPERATION, &arn, request) {
            Ok(answer) => answer,
            Err(error) => return Err(explain(kms, &arn, error).await),
        };
        grants.extend(answer.grants.unwrap_or_default().into_iter().map(description));
        match next_page(OPERATION, &arn, grants.len(), answer.truncated, answer.next_marker, &marker)? {
            Some(next) => marker = Some(next),
            None => return Ok(grants),
        }
    }
}

/// Where the next page begins, behind so many entries. A service that says there is one, and not where, or that sends one in
/// circles, would keep its caller for ever; one whose list does not end would fill the memory.
pub fn next_page(
    operation: &str,
    key: &str,
    found: usize,
    truncated: bool,
    next: Option<String>,
    last: &Option<String>,
) -> Result<Option<String>, ProviderError> {
    if found > MAX_LISTED {
        return Err(malformed(operation, key, &format!("it is a list of more than {MAX_LISTED} entries")));
    }
    match next.filter(|next| !next.is_empty()) {
        _ if !truncated => Ok(None),
        None => Err(malformed(operation, key, "it is cut off, and names no next page")),
        next if next == *last => Err(malformed(operation, key, "its next page is the last one again")),
        next => Ok(next),
    }
}

fn description(entry: GrantListEntry) -> GrantDescription {
    let text = |text: Option<String>| text.map(|text| printable(&text)).filter(|text| !text.is_empty());
    let constraints = entry.constraints;
    let equals = constraints.as_ref().and_then(|constraints| constraints.encryption_context_equals.clone());
    let subset = constraints.and_then(|constraints| constraints.encryption_context_subset);
    let exact = equals.as_ref().is_some_and(|pairs| !pairs.is_empty());
    let pairs = if exact { equals } else { subset };
    let mut constraint: Vec<(String, String)> = pairs
        .unwrap_or_default()
        .into_iter()
        .map(|(name, value)| (printable(&name), printable(&value)))
        .collect();
    constraint.sort();
    let operations = entry.operations.unwrap_or_default();
    let mut grant = GrantDescription::default();
    grant.id = text(entry.grant_id).unwrap_or_default();
    grant.name = text(entry.name);
    grant.principal = text(entry.grantee_principal.or(entry.grantee_service_principal));
    grant.retiring_principal = text(entry.retiring_principal.or(entry.retiring_service_principal));
    grant.operations = operations.iter().map(|operation| printable(operation.as_str())).collect();
    grant.constraint = constraint;
    grant.exact = exact;
    grant.created = entry.creation_date.and_then(|date| u64::try_from(date.secs()).ok());
    grant
}

/// RevokeGrant.
pub async fn revoke(kms: &Clients, key: &str, grant: &str) -> Result<(), ProviderError> {
    const OPERATION: &str = "RevokeGrant";
    let arn = resolve(kms, key).await?;
    let request = kms.of(&arn).await?.revoke_grant().key_id(&arn).grant_id(grant);
    grant_gone(send!(kms, OPERATION, &arn, request).map(drop), &arn, grant)
}

/// RetireGrant.
pub async fn retire(kms: &Clients, key: &str, grant: &str) -> Result<(), ProviderError> {
    const OPERATION: &str = "RetireGrant";
    let arn = resolve(kms, key).await?;
    let request = kms.of(&arn).await?.retire_grant().key_id(&arn).grant_id(grant);
    grant_gone(send!(kms, OPERATION, &arn, request).map(drop), &arn, grant)
}

/// Not found is here more often the grant than the key.
fn grant_gone(result: Result<(), ProviderError>, key: &str, grant: &str) -> Result<(), ProviderError> {
    result.map_err(|error| match (error.class(), error.answer()) {
        (ErrorClass::KeyNotFound, Some(answer)) => {
            let text = format!(
                "the AWS KMS key {key} has no grant {}: it may be gone already; see the list of them",
                printable(grant)
            );
            ProviderError::new(ErrorClass::InvalidRequest, text).with_answer(answer.clone())
        }
        _ => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use atrest::keys::EncryptionContext;

    #[test]
    fn the_name_of_a_grant_follows_from_what_it_grants() {
        let request = GrantRequest::to_open("arn:aws:iam::1:role/a");
        let of = |request: &GrantRequest| name("key", request, &request.operations);
        let mut others = vec![of(&request)];
        assert_eq!(others[0], of(&request.clone()));
        assert!(others[0].len() <= 64 && others[0].starts_with("atrest-"));
        others.push(name("other", &request, &request.operations));
        let mut other = |edit: fn(&mut GrantRequest)| {
            let mut changed = request.clone();
            edit(&mut changed);
            others.push(of(&changed));
        };
        other(|request| request.principal.push('b'));
        other(|request| request.retiring_principal = Some("b".to_owned()));
        other(|request| request.context = Some(EncryptionContext::new()));
        other(|request| request.context = Some(EncryptionContext::for_volume(atrest::keys::Uuid::nil())));
        other(|request| request.operations = vec![Operation::Decrypt]);
        let count = others.len();
        others.sort();
        others.dedup();
        assert_eq!(others.len(), count);
    }

    #[test]
    fn a_grant_is_told_of_by_names_alone() {
        let of = |id: &str, token: Option<&str>| granted("k", Some(id.to_owned()), token.map(str::to_owned));
        assert_eq!(of("0123abcd", Some("AQpA")).unwrap(), Grant::new("0123abcd", Some("AQpA")));
        assert_eq!(of("0123abcd", None).unwrap(), Grant::new("0123abcd", None));
        let (long_id, long_token) = ("a".repeat(MAX_ID + 1), "a".repeat(MAX_TOKEN + 1));
        let none = [
            of("", None),
            of("a\u{1b}[2Jb", None),
            of(&long_id, None),
            of("a", Some("")),
            of("a", Some("b c")),
            of("a", Some(&long_token)),
            granted("k", None, Some("AQpA".to_owned())),
        ];
        for refused in none {
            let error = refused.unwrap_err();
            assert_eq!(error.class(), ErrorClass::Malformed);
            assert!(error.to_string().len() < 1000, "{error}");
        }
    }

    #[test]
    fn pages_come_to_an_end() {
        let page = |truncated, next: Option<&str>, last: Option<&str>| {
            next_page("ListGrants", "k", 1, truncated, next.map(str::to_owned), &last.map(str::to_owned))
        };
        assert_eq!(page(false, Some("a"), None).unwrap(), None);
        assert_eq!(page(true, Some("b"), Some("a")).unwrap(), Some("b".to_owned()));
        for circle in [page(true, Some("a"), Some("a")), page(true, None, None), page(true, Some(""), None)] {
            assert!(circle.is_err());
        }
        let long = |found| next_page("ListGrants", "k", found, true, Some("b".to_owned()), &None);
        assert!(long(MAX_LISTED).is_ok());
        assert_eq!(long(MAX_LISTED + 1).unwrap_err().class(), ErrorClass::Malformed);
    }
}
