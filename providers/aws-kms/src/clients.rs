//! The SDK's clients, one for each region that keys are in.

use super::{Arn, KmsOptions};
use atrest::keys::{ErrorClass, ProviderError};
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_kms::Client;
use aws_sdk_kms::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::config::{ConfigBag, Intercept, Region, RuntimeComponents};
use aws_sdk_kms::error::BoxError;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
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
            let config = aws_sdk_kms::config::Builder::from(shared)
                .region(Region::new(region.clone()))
                .interceptor(LoopbackOrTls)
                .build();
            Client::from_conf(config)
        };
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
        let mut loader =
            aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts).retry_config(retries);
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
        self.fit.borrow_mut().insert(arn.to_owned());
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

/// Lets no request out that neither TLS protects nor stays on this machine: the answers hold plaintext keys.
#[derive(Debug)]
struct LoopbackOrTls;

/// A request that was not let out.
#[derive(Debug, thiserror::Error)]
#[error(
    "the endpoint {0} is not https:, and not on this machine: keys would cross the network in the clear; give an \
     https: URL"
)]
pub struct InsecureEndpoint(String);

impl Intercept for LoopbackOrTls {
    fn name(&self) -> &'static str {
        "atrest: loopback or TLS"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        match context.request().uri() {
            uri if is_protected(uri) => Ok(()),
            uri => Err(InsecureEndpoint(uri.chars().take(200).collect()).into()),
        }
    }
}

/// Whether the URL is of TLS, or of this machine.
fn is_protected(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    if scheme.eq_ignore_ascii_case("https") {
        return true;
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = match authority.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or(six),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    // Whoever writes a user name there gets no exception made: `127.0.0.1:1@example.org` is elsewhere.
    !authority.contains('@')
        && (host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::is_protected;

    #[test]
    fn only_this_machine_is_spoken_to_without_tls() {
        for url in [
            "https://kms.eu-west-1.amazonaws.com/",
            "HTTPS://x",
            "http://127.0.0.1:5000/",
            "http://[::1]:5000/",
        ] {
            assert!(is_protected(url), "{url}");
        }
        assert!(is_protected("http://localhost/") && is_protected("http://127.8.9.1?x"));
        for url in [
            "http://kms.eu-west-1.amazonaws.com/",
            "http://10.0.0.1:80/",
            "http://127.0.0.1.example.org/",
            "http://127.0.0.1:1@example.org/",
            "http://localhost.example.org",
            "http://example.org/?https://",
            "127.0.0.1",
            "",
        ] {
            assert!(!is_protected(url), "{url}");
        }
    }
}
