//! The SDK's clients, one for each region that keys are in.

use super::routes::Routes;
use super::{Arn, KmsOptions};
use atrest::keys::{ErrorClass, ProviderError};
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_kms::Client;
use aws_sdk_kms::config::Region;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use tokio::sync::OnceCell;

/// What the thread keeps between calls.
pub struct Clients {
    options: KmsOptions,
    shared: OnceCell<SdkConfig>,
    by_region: RefCell<HashMap<String, Client>>,
    /// ARNs of keys that were found fit for wrapping. What a key is does not change.
    fit: RefCell<HashSet<String>>,
    tokens: RefCell<Vec<String>>,
}

/// The most grant tokens that KMS takes in one request.
const MAX_TOKENS: usize = 10;

/// Clients of as many regions are kept. Headers name regions, and whoever writes a disk could name a new one each time: then
/// all are made anew.
const MAX_CLIENTS: usize = 16;

/// As many keys are remembered to be fit.
const MAX_FIT: usize = 1024;

impl Clients {
    pub fn new(options: KmsOptions) -> Clients {
        let tokens = options.grant_tokens.clone();
        Clients {
            options,
            shared: OnceCell::new(),
            by_region: RefCell::default(),
            fit: RefCell::default(),
            tokens: RefCell::new(tokens),
        }
    }

    /// A client for the region of `key`, if that is an ARN, else for the configured one.
    pub async fn of(&self, key: &str) -> Result<Client, ProviderError> {
        let shared = self.shared.get_or_init(|| self.load()).await;
        let Some(region) = self.region(key) else {
            return Err(ProviderError::new(
                ErrorClass::InvalidRequest,
                format!("no AWS region is set for the key {key}: set AWS_REGION, or name the key by its ARN"),
            ));
        };
        let mut clients = self.by_region.borrow_mut();
        let new = || {
            let config =
                aws_sdk_kms::config::Builder::from(shared).region(Region::new(region.clone())).build();
            Client::from_conf(config)
        };
        if clients.len() >= MAX_CLIENTS && !clients.contains_key(&region) {
            clients.clear();
        }
        Ok(clients.entry(region.clone()).or_insert_with(new).clone())
    }

    /// The region of `key`, if that is an ARN, else the configured one; that is known once there is a client.
    pub fn region(&self, key: &str) -> Option<String> {
        let shared = self.shared.get();
        match (Arn::parse(key), shared.and_then(SdkConfig::region)) {
            (Some(arn), _) => Some(arn.region.to_owned()),
            (None, Some(region)) => Some(region.to_string()),
            // A service of one's own may have no regions; the signature needs some name.
            (None, None) => shared.and_then(SdkConfig::endpoint_url).map(|_| "us-east-1".to_owned()),
        }
    }

    async fn load(&self) -> SdkConfig {
        let options = &self.options;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(options.connect_timeout)
            .read_timeout(options.attempt_timeout)
            .operation_attempt_timeout(options.attempt_timeout)
            .operation_timeout(options.timeout)
            .build();
        let retries = RetryConfig::standard().with_max_attempts(options.attempts.clamp(1, 10));
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(Routes::new())
            .timeout_config(timeouts)
            .retry_config(retries);
        if let Some(region) = &options.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(profile) = &options.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(endpoint) = &options.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        loader.load().await
    }

    /// Whether the key with this ARN was found fit for wrapping before.
    pub fn is_fit(&self, arn: &str) -> bool {
        self.fit.borrow().contains(arn)
    }

    pub fn found_fit(&self, arn: &str) {
        let mut fit = self.fit.borrow_mut();
        if fit.len() >= MAX_FIT {
            fit.clear();
        }
        fit.insert(arn.to_owned());
    }

    /// The grant tokens to send along; `None` rather than an empty list, which KMS refuses.
    pub fn tokens(&self) -> Option<Vec<String>> {
        Some(self.tokens.borrow().clone()).filter(|tokens| !tokens.is_empty())
    }

    /// Has the token of a new grant used from now on. The oldest one goes when there are too many: it has spread.
    pub fn add_token(&self, token: &str) {
        let mut tokens = self.tokens.borrow_mut();
        if tokens.iter().all(|other| other != token) {
            if tokens.len() >= MAX_TOKENS {
                tokens.remove(0);
            }
            tokens.push(token.to_owned());
        }
    }
}
