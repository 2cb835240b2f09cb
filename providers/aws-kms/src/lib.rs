//! AWS KMS as a key provider.

#![forbid(unsafe_code)]

mod admin;
mod arn;
mod calls;
mod check;
mod clients;
mod fault;
mod grants;
mod keys;
mod options;
mod policy;
mod routes;
mod trace;
mod worker;

use atrest::environment::has_elevated_rights;
use atrest::keys::{
    BoxFuture, EncryptionContext, ErrorClass, KeyAdmin, KeyDescription, KeyLocation, KeyProvider,
    ProviderError, RootKey, Scheme, Secret, WrappedKey,
};
use std::fmt;
use worker::Worker;

pub use arn::Arn;
pub use options::KmsOptions;
pub use policy::policies;

/// The provider's name in envelopes, and the scheme of its keys.
const NAME: &str = "aws";

/// What a [`Registry`](atrest::keys::Registry) takes: keys are `aws:` and an ARN, an id or `alias/NAME`, and the service
/// is the one that [`KmsOptions::from_env`] says.
pub fn scheme() -> Scheme {
    Scheme::new(NAME, || AwsKms::new(KmsOptions::from_env()))
        .forms(&["ARN", "ID", "alias/NAME"])
        .about("an AWS KMS key; settings come from the AWS environment (AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL, ...)")
        .names(arn::check_name)
}

/// AWS Key Management Service, or a service that speaks its protocol.
///
/// Keys are named as in KMS: by ARN, id, alias or the alias's ARN; what an envelope stores is always the key's ARN, as
/// KMS answered it, and its region is where requests go. Only symmetric keys for encryption, managed by the customer,
/// wrap; what others are is told by the error.
///
/// - Opening a volume takes one request (Decrypt). Making one takes two (GenerateDataKeyWithoutPlaintext and Decrypt),
///   and DescribeKey the first time that this provider meets the key.
/// - Rewrapping within one region is one request (ReEncrypt, after DescribeKey for a key that is new here), and no
///   plaintext leaves KMS. Between regions [`Envelope::rewrap`](atrest::keys::Envelope::rewrap) unwraps and wraps.
/// - Each answer is checked: the ARN of the key, the id of its material, the length of a plaintext key.
///
/// The SDK runs on a thread of its own with a runtime of its own, so calls can be awaited under any runtime, and be
/// waited for by [`block_on`](atrest::keys::block_on). It is shared by clones. After a fork the child gets errors of the class
/// [`ErrorClass::Forked`]; it needs a provider of its own.
///
/// With `tracing`, each request has a span `kms` of level DEBUG within the caller's own, for the caller's subscriber:
/// `operation`, `key`, `region`, `request_id`, and `class` if it fails. The SDK's events come along, but for those of
/// level TRACE, which hold plaintext keys and grant tokens.
///
/// Plaintext keys come in over TLS, and are moved into [`Secret`] memory; the copies that the SDK makes while it reads
/// the answer, and the TLS library's, are out of reach.
///
/// ```no_run
/// use atrest::keys::{Class, Envelope, block_on, new_uuid};
/// use atrest_aws_kms::{AwsKms, KmsOptions};
///
/// let kms = AwsKms::new(KmsOptions::default())?;
/// let (envelope, keys) = block_on(Envelope::create(&kms, "alias/prod", new_uuid()?, Class::Persistent))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AwsKms {
    worker: std::sync::Arc<Worker>,
}

impl AwsKms {
    /// The service as these options say. Nothing is read and nobody is asked before the first call.
    ///
    /// # Errors
    /// [`ErrorClass::Unreachable`] when no thread can be started;
    /// [`ErrorClass::InvalidRequest`] for options out of their ranges;
    /// [`ErrorClass::Unsupported`] in a program with
    /// [elevated rights](atrest::environment::has_elevated_rights): settings and credentials come from the environment, by
    /// which whoever starts such a program would decide whom it talks to.
    pub fn new(options: KmsOptions) -> Result<AwsKms, ProviderError> {
        options.check()?;
        if has_elevated_rights() {
            let why = "AWS KMS takes settings and credentials from the environment, which decides nothing in a program with \
                       elevated rights (setuid, setgid or file capabilities): run it without them";
            return Err(ProviderError::new(ErrorClass::Unsupported, why));
        }
        Ok(AwsKms { worker: std::sync::Arc::new(Worker::start(options)?) })
    }
}

impl fmt::Debug for AwsKms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsKms(..)")
    }
}

impl KeyProvider for AwsKms {
    fn name(&self) -> &'static str {
        NAME
    }

    fn location(&self, key: &str) -> KeyLocation {
        arn::location(key)
    }

    fn is_key(&self, name: &str, key: &str) -> bool {
        arn::is_key(name, key)
    }

    fn generate<'a>(
        &'a self,
        key: &'a str,
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<WrappedKey, ProviderError>> {
        let (key, context) = (key.to_owned(), context.clone());
        self.worker.call("GenerateDataKeyWithoutPlaintext", async move |kms| {
            calls::generate(&kms, &key, context).await
        })
    }

    fn unwrap<'a>(&'a self, wrapped: &'a WrappedKey) -> BoxFuture<'a, Result<RootKey, ProviderError>> {
        let wrapped = wrapped.clone();
        self.worker.call("Decrypt", async move |kms| calls::decrypt(&kms, wrapped).await)
    }

    fn describe<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<KeyDescription, ProviderError>> {
        let key = key.to_owned();
        self.worker.call("DescribeKey", async move |kms| keys::describe(&kms, &key).await)
    }

    fn wrap<'a>(
        &'a self,
        root: &'a RootKey,
        key: &'a str,
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<WrappedKey, ProviderError>> {
        Box::pin(async move {
            // In a forked child the root key would be wiped.
            self.worker.check_process()?;
            let mut copy = Secret::<32>::new()?;
            copy.expose_mut().copy_from_slice(root.expose());
            let (key, context) = (key.to_owned(), context.clone());
            let call = self
                .worker
                .call("Encrypt", async move |kms| calls::encrypt(&kms, &copy, &key, context).await);
            call.await
        })
    }

    fn rewrap<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        key: &'a str,
    ) -> BoxFuture<'a, Result<WrappedKey, ProviderError>> {
        let (wrapped, key) = (wrapped.clone(), key.to_owned());
        self.worker.call("ReEncrypt", async move |kms| calls::re_encrypt(&kms, wrapped, &key).await)
    }

    fn admin(&self) -> Option<&dyn KeyAdmin> {
        Some(self)
    }
}
