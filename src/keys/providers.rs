//! The set of key providers that a caller has.

use super::{ErrorClass, KeyProvider, ProviderError, RootKey, RootKeyCache, WrappedKey};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// The key providers that a caller has, by name.
///
/// ```no_run
/// use atrest::keys::{LocalKeystore, Providers};
///
/// let keystore = LocalKeystore::open(LocalKeystore::default_path()?)?;
/// let providers = Providers::new().with(keystore);
/// assert!(providers.get("local").is_some());
/// # Ok::<(), atrest::keys::ProviderError>(())
/// ```
#[derive(Clone, Default)]
pub struct Providers {
    providers: BTreeMap<&'static str, Arc<dyn KeyProvider>>,
    cache: Option<Arc<RootKeyCache>>,
}

impl Providers {
    /// A set without any provider: no envelope opens with it.
    #[must_use]
    pub const fn new() -> Providers {
        Providers { providers: BTreeMap::new(), cache: None }
    }

    /// Adds a provider; one that was there under the same name is replaced.
    #[must_use]
    pub fn with(mut self, provider: impl KeyProvider + 'static) -> Providers {
        self.insert(Arc::new(provider));
        self
    }

    /// Adds a provider that the caller shares; one that was there under the same name is replaced.
    ///
    /// What a [cache](Providers::with_cache) holds of the one that was there does not serve this set any more.
    pub fn insert(&mut self, provider: Arc<dyn KeyProvider>) {
        let replaced = self.providers.insert(provider.name(), provider).is_some();
        if let Some(cache) = &self.cache
            && (replaced || Arc::strong_count(cache) > 1)
        {
            // Not cleared: clones of this set may share it, and still have the provider that it asked; or get one of that
            // name, which must not be answered by what this one's may do.
            self.cache = cache.another().map(Arc::new);
        }
    }

    /// Keeps root keys, once unwrapped, as `cache` says: [`Envelope::open`](super::Envelope::open), and so opening a
    /// volume, asks a provider only for those that it does not have.
    /// Everything else that needs a root key, changes of wrappings and rechecks of open volumes, asks in any case.
    ///
    /// Clones of the set share the cache, until one of them gets another provider: then that one has a cache of its own.
    #[must_use]
    pub fn with_cache(mut self, cache: RootKeyCache) -> Providers {
        self.cache = Some(Arc::new(cache));
        self
    }

    /// The cache, where there is one.
    #[must_use]
    pub fn cache(&self) -> Option<&Arc<RootKeyCache>> {
        self.cache.as_ref()
    }

    /// The same providers, which are asked each time.
    #[must_use]
    pub fn without_cache(&self) -> Providers {
        Providers { providers: self.providers.clone(), cache: None }
    }

    /// The provider of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&dyn KeyProvider> {
        self.providers.get(name).map(|provider| &**provider)
    }

    /// The names of all providers, in byte order.
    #[must_use]
    pub fn names(&self) -> impl ExactSizeIterator<Item = &'static str> {
        self.providers.keys().copied()
    }

    /// Unwraps a root key with the provider of its wrapping, or takes it from the cache.
    pub(super) async fn unwrap(&self, wrapped: &WrappedKey) -> Result<Arc<RootKey>, ProviderError> {
        let provider = self.require(&wrapped.provider)?;
        match &self.cache {
            Some(cache) => cache.unwrap(provider, wrapped).await,
            None => provider.unwrap(wrapped).await.map(Arc::new),
        }
    }

    /// The provider of that name, or the error that there is none.
    pub(super) fn require(&self, name: &str) -> Result<&Arc<dyn KeyProvider>, ProviderError> {
        self.providers.get(name).ok_or_else(|| {
            ProviderError::new(
                ErrorClass::Unreachable,
                format!("no key provider named {name} is set up; this build or this call has none"),
            )
        })
    }
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.providers.keys()).finish()
    }
}
