//! How AWS KMS is reached.

use super::arn::is_name;
use atrest::environment::variable;
use atrest::keys::{ErrorClass, ProviderError};
use std::time::Duration;

/// The longest grant token, in bytes.
pub(super) const MAX_TOKEN: usize = 8192;

/// How AWS KMS is reached. What is not said here comes from the SDK's usual chain: environment variables
/// (`AWS_REGION`, `AWS_PROFILE`, `AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID` and so on), the files in `~/.aws`, web
/// identities, and the metadata services of containers and instances. Credentials come from there alone. Profiles that
/// sign in through a browser (SSO) work by way of `credential_process`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KmsOptions {
    /// The region of keys that are not named by an ARN, which says its own.
    pub region: Option<String>,
    /// The profile in the files in `~/.aws`.
    pub profile: Option<String>,
    /// The URL of another service than AWS's own. `http:` is taken for this machine's own addresses alone: plaintext keys
    /// come back in the answers.
    pub endpoint: Option<String>,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long one attempt may take, from the request to the whole answer.
    pub attempt_timeout: Duration,
    /// How long a call of a [`KeyProvider`](atrest::keys::KeyProvider) method may take in all: every request of it,
    /// every attempt and the pauses between them.
    pub timeout: Duration,
    /// How often a request is attempted that fails for a reason that may pass (throttling, a broken connection, an
    /// error in the service), with growing and random pauses in between; 1 to 10.
    pub attempts: u32,
    /// Tokens of grants that are too new to be known everywhere in the service; at most 10.
    pub grant_tokens: Vec<String>,
}

impl Default for KmsOptions {
    /// 3 s for a connection, 6 s for an attempt, 20 s for a call, 3 attempts.
    fn default() -> KmsOptions {
        KmsOptions {
            region: None,
            profile: None,
            endpoint: None,
            connect_timeout: Duration::from_secs(3),
            attempt_timeout: Duration::from_secs(6),
            timeout: Duration::from_secs(20),
            attempts: 3,
            grant_tokens: Vec::new(),
        }
    }
}

impl KmsOptions {
    /// The defaults, with the grant tokens that `ATREST_GRANT_TOKENS` lists (between commas or spaces). Everything else
    /// comes from the environment in any case, but for these the SDK has no variable.
    pub fn from_env() -> KmsOptions {
        let tokens = variable("ATREST_GRANT_TOKENS").unwrap_or_default();
        let tokens = tokens.to_string_lossy();
        let tokens = tokens.split([',', ' ']).filter(|token| !token.is_empty()).map(str::to_owned);
        KmsOptions { grant_tokens: tokens.collect(), ..KmsOptions::default() }
    }

    pub(super) fn check(&self) -> Result<(), ProviderError> {
        let refuse = |why: &str| {
            Err(ProviderError::new(ErrorClass::InvalidRequest, format!("AWS KMS options: {why}")))
        };
        let times = [self.connect_timeout, self.attempt_timeout, self.timeout];
        if times.iter().any(|time| time.is_zero() || *time > Duration::from_secs(3600)) {
            return refuse("each timeout is more than 0 and at most an hour");
        }
        if !(1..=10).contains(&self.attempts) {
            return refuse("1 to 10 attempts");
        }
        if self.grant_tokens.len() > 10 || !self.grant_tokens.iter().all(|token| is_name(token, MAX_TOKEN)) {
            return refuse(
                "at most 10 grant tokens, each 1 to 8192 printable ASCII characters without spaces",
            );
        }
        Ok(())
    }
}
