//! What a key's owner does with it.

use super::arn::is_reserved;
use super::clients::Clients;
use super::fault::printable;
use super::grants::next_page;
use super::keys::{AWS, describe, explain, resolve};
use super::trace::send;
use super::{Arn, AwsKms, NAME, check, grants, policy};
use atrest::keys::{
    BoxFuture, ErrorClass, Grant, GrantDescription, GrantRequest, KeyAdmin, KeyAlias, KeyCheck, KeyPolicies,
    PolicyRequest, ProviderError, RotationStatus, WrappedKey,
};
use std::rc::Rc;
use tokio::task::JoinSet;

/// How many keys of a list are described at once.
const AT_ONCE: usize = 8;

impl KeyAdmin for AwsKms {
    fn provider(&self) -> &'static str {
        NAME
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<KeyAlias>, ProviderError>> {
        self.worker.call("ListAliases", list)
    }

    fn check<'a>(
        &'a self,
        key: &'a str,
        wrapped: Option<&'a WrappedKey>,
    ) -> BoxFuture<'a, Result<KeyCheck, ProviderError>> {
        let (key, wrapped) = (key.to_owned(), wrapped.cloned());
        self.worker.call("its checks", async move |kms| check::check(&kms, &key, wrapped).await)
    }

    fn grant<'a>(
        &'a self,
        key: &'a str,
        request: &'a GrantRequest,
    ) -> BoxFuture<'a, Result<Grant, ProviderError>> {
        let (key, request) = (key.to_owned(), request.clone());
        self.worker.call("CreateGrant", async move |kms| grants::create(&kms, &key, request).await)
    }

    fn grants<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Vec<GrantDescription>, ProviderError>> {
        let key = key.to_owned();
        self.worker.call("ListGrants", async move |kms| grants::list(&kms, &key).await)
    }

    fn revoke<'a>(&'a self, key: &'a str, grant: &'a str) -> BoxFuture<'a, Result<(), ProviderError>> {
        let (key, grant) = (key.to_owned(), grant.to_owned());
        self.worker.call("RevokeGrant", async move |kms| grants::revoke(&kms, &key, &grant).await)
    }

    fn retire<'a>(&'a self, key: &'a str, grant: &'a str) -> BoxFuture<'a, Result<(), ProviderError>> {
        let (key, grant) = (key.to_owned(), grant.to_owned());
        self.worker.call("RetireGrant", async move |kms| grants::retire(&kms, &key, &grant).await)
    }

    /// An alias has no policy: the key behind it has.
    fn policies<'a>(
        &'a self,
        key: &'a str,
        request: &'a PolicyRequest,
    ) -> BoxFuture<'a, Result<KeyPolicies, ProviderError>> {
        let (key, request) = (key.to_owned(), request.clone());
        self.worker.call("DescribeKey", async move |kms| {
            let arn = resolve(&kms, &key).await?;
            policy::policies(&arn, &request).ok_or_else(|| {
                ProviderError::new(ErrorClass::KeyName, format!("{arn} is no ARN of an AWS KMS key"))
            })
        })
    }

    fn rotation<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<RotationStatus, ProviderError>> {
        let key = key.to_owned();
        self.worker.call("GetKeyRotationStatus", async move |kms| rotation(&kms, &key).await)
    }

    fn set_rotation<'a>(
        &'a self,
        key: &'a str,
        enabled: bool,
        days: Option<u32>,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        let key = key.to_owned();
        self.worker.call("EnableKeyRotation", async move |kms| {
            let (arn, id) = own(&kms, &key).await?;
            let client = kms.of(&arn).await?;
            let done = if enabled {
                let days = days.map(|days| i32::try_from(days).unwrap_or(i32::MAX));
                let request = client.enable_key_rotation().key_id(id).set_rotation_period_in_days(days);
                send!(kms, "EnableKeyRotation", &arn, request).map(drop)
            } else {
                send!(kms, "DisableKeyRotation", &arn, client.disable_key_rotation().key_id(id)).map(drop)
            };
            or_why(&kms, &arn, done).await
        })
    }

    fn rotate<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), ProviderError>> {
        let key = key.to_owned();
        self.worker.call("RotateKeyOnDemand", async move |kms| {
            let (arn, id) = own(&kms, &key).await?;
            let request = kms.of(&arn).await?.rotate_key_on_demand().key_id(id);
            let done = send!(kms, "RotateKeyOnDemand", &arn, request).map(drop);
            or_why(&kms, &arn, done).await
        })
    }

    fn set_enabled<'a>(&'a self, key: &'a str, enabled: bool) -> BoxFuture<'a, Result<(), ProviderError>> {
        let key = key.to_owned();
        self.worker.call("EnableKey", async move |kms| {
            let (arn, id) = own(&kms, &key).await?;
            let client = kms.of(&arn).await?;
            let done = match enabled {
                true => send!(kms, "EnableKey", &arn, client.enable_key().key_id(id)).map(drop),
                false => send!(kms, "DisableKey", &arn, client.disable_key().key_id(id)).map(drop),
            };
            or_why(&kms, &arn, done).await
        })
    }

    fn schedule_deletion<'a>(
        &'a self,
        key: &'a str,
        days: Option<u32>,
    ) -> BoxFuture<'a, Result<Option<u64>, ProviderError>> {
        let key = key.to_owned();
        self.worker.call("ScheduleKeyDeletion", async move |kms| {
            // KMS refuses others as well; here before a key of this importance is touched at all.
            if days.is_some_and(|days| !(7..=30).contains(&days)) {
                return Err(ProviderError::new(
                    ErrorClass::InvalidRequest,
                    "AWS KMS deletes keys after a waiting period of 7 to 30 days",
                ));
            }
            let (arn, id) = own(&kms, &key).await?;
            let days = days.map(|days| days as i32);
            let request =
                kms.of(&arn).await?.schedule_key_deletion().key_id(id).set_pending_window_in_days(days);
            let done = send!(kms, "ScheduleKeyDeletion", &arn, request);
            let answer = or_why(&kms, &arn, done).await?;
            Ok(answer.deletion_date.and_then(|date| u64::try_from(date.secs()).ok()))
        })
    }

    fn cancel_deletion<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), ProviderError>> {
        let key = key.to_owned();
        self.worker.call("CancelKeyDeletion", async move |kms| {
            let (arn, id) = own(&kms, &key).await?;
            let request = kms.of(&arn).await?.cancel_key_deletion().key_id(id);
            let done = send!(kms, "CancelKeyDeletion", &arn, request).map(drop);
            or_why(&kms, &arn, done).await
        })
    }
}

/// The key's ARN and its id, for operations that KMS has for an account's own keys only, by their ids.
async fn own(kms: &Clients, key: &str) -> Result<(String, String), ProviderError> {
    let arn = resolve(kms, key).await?;
    let id = Arn::parse(&arn).and_then(|arn| arn.key_id()).unwrap_or(&arn).to_owned();
    Ok((arn, id))
}

async fn or_why<T>(kms: &Clients, key: &str, done: Result<T, ProviderError>) -> Result<T, ProviderError> {
    match done {
        Ok(done) => Ok(done),
        Err(error) => Err(explain(kms, key, error).await),
    }
}

/// GetKeyRotationStatus.
pub async fn rotation(kms: &Clients, key: &str) -> Result<RotationStatus, ProviderError> {
    let arn = resolve(kms, key).await?;
    let request = kms.of(&arn).await?.get_key_rotation_status().key_id(&arn);
    let answer = or_why(kms, &arn, send!(kms, "GetKeyRotationStatus", &arn, request)).await?;
    let seconds = |date: aws_sdk_kms::primitives::DateTime| u64::try_from(date.secs()).ok();
    let mut status = RotationStatus::default();
    status.enabled = answer.key_rotation_enabled;
    status.period_days = answer.rotation_period_in_days.and_then(|days| u32::try_from(days).ok());
    status.next = answer.next_rotation_date.and_then(seconds);
    status.on_demand_since = answer.on_demand_rotation_start_date.and_then(seconds);
    Ok(status)
}

/// ListAliases, all pages, and what each key is.
async fn list(kms: Rc<Clients>) -> Result<Vec<KeyAlias>, ProviderError> {
    const OPERATION: &str = "ListAliases";
    // No key is asked for; the name stands in messages.
    const ALL: &str = "alias/*";
    let client = kms.of("").await?;
    let mut found = Vec::new();
    let mut marker = None;
    loop {
        let answer = send!(kms, OPERATION, ALL, client.list_aliases().set_marker(marker.clone()))?;
        found.extend(answer.aliases.unwrap_or_default());
        match next_page(OPERATION, ALL, found.len(), answer.truncated, answer.next_marker, &marker)? {
            Some(next) => marker = Some(next),
            None => break,
        }
    }
    let mut keys = Vec::new();
    for some in found.chunks(AT_ONCE) {
        let mut tasks = JoinSet::new();
        for (i, alias) in some.iter().enumerate() {
            let (kms, target) = (Rc::clone(&kms), alias.target_key_id.clone());
            tasks.spawn_local(async move {
                let key = match target {
                    Some(id) => describe(&kms, &id).await.map_err(|error| error.class().message().to_owned()),
                    None => Err("AWS makes it when its service first uses it".to_owned()),
                };
                (i, key)
            });
        }
        let mut described: Vec<_> = tasks.join_all().await;
        described.sort_by_key(|(i, _)| *i);
        keys.extend(some.iter().zip(described).map(|(alias, (_, key))| {
            let name = printable(alias.alias_name.as_deref().unwrap_or_default());
            let manager = match &key {
                _ if is_reserved(&name) => Some(AWS),
                Ok(key) => key.manager.clone(),
                Err(_) => None,
            };
            KeyAlias::new(&name, manager, key)
        }));
    }
    Ok(keys)
}
