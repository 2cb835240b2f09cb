//! Root keys that were unwrapped a short while ago, for one process.

use super::{
    ErrorClass, KeyProvider, ProviderError, RootKey, WrappedKey,
    flight::Joined,
    kept::{Found, Shared},
};
use crate::Process;
use std::{fmt, sync::Arc, thread::JoinHandle, time::Duration};

/// Unwrapped root keys, for a program that opens the same volumes again and again, or many volumes of one envelope:
/// [`Providers::with_cache`](super::Providers::with_cache) makes them open without a call to the key service.
///
/// **A key that its owner withdraws goes on opening volumes** until its time here has ended, or [`RootKeyCache::clear`].
/// That is why there is none unless a program asks for it. Local keys that a passphrase guards open without it as long.
///
/// - A key is kept for the time to live, from the moment at which the provider was asked; being used does not prolong
///   that. The clock counts suspended time, on Linux and Android. When a cache is full the oldest key makes room.
/// - Keys are in [`Secret`](super::Secret) memory, one locked page each, and are wiped when their time has ended (by a
///   thread that lives while there are keys; within a minute after a machine was suspended), when they make room, by
///   `clear`, and with the cache. Calls under way keep theirs to their end.
/// - A wrapping is found again by all of it: provider, key, material, encryption context and the wrapped bytes. What does
///   not fit an envelope's commitment is not kept; neither are failures.
/// - Callers that want the same key at the same time share one call of the provider, and its failure. It ends when the
///   last of them has given up.
/// - A forked child finds nothing here and keeps nothing: it asks the providers each time.
///
/// ```
/// use atrest::keys::{Class, Envelope, LocalKeystore, Providers, RootKeyCache, block_on, new_uuid};
/// use std::time::Duration;
///
/// # let home = tempfile::tempdir()?;
/// # let keystore = LocalKeystore::open_or_create(home.path().join("atrest"))?;
/// # keystore.ensure_key("default")?;
/// # let (envelope, _) = block_on(Envelope::create(&keystore, "default", new_uuid()?, Class::Persistent))?;
/// let cache = RootKeyCache::new(64, Duration::from_secs(300))?;
/// let providers = Providers::new().with(keystore).with_cache(cache);
/// block_on(envelope.open(&providers))?;
/// block_on(envelope.open(&providers))?; // nobody is asked
/// assert_eq!(providers.cache().unwrap().statistics().hits, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RootKeyCache {
    shared: Arc<Shared>,
}

/// What a cache has done so far; no secret is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStatistics {
    /// Keys that are kept now.
    pub keys: usize,
    /// Keys among these whose memory lacks a [protection](super::Protection), a lock against swapping for example.
    pub unprotected: usize,
    /// Root keys that were found here.
    pub hits: u64,
    /// Calls of a provider.
    pub misses: u64,
    /// Callers who waited for a call that another one had begun.
    pub joined: u64,
}

impl RootKeyCache {
    /// The most keys that a cache can be asked to keep.
    pub const MAX_KEYS: usize = 1024;
    /// The longest time that keys can be kept for: a day.
    pub const MAX_TIME_TO_LIVE: Duration = Duration::from_secs(86_400);

    /// A cache for at most `max_keys` root keys (1 to 1024, each of which takes a page of memory that is locked, where
    /// `RLIMIT_MEMLOCK` allows it), each for `time_to_live` (more than 0, at most a day).
    ///
    /// # Errors
    /// [`ErrorClass::InvalidRequest`] for numbers out of their ranges.
    pub fn new(max_keys: usize, time_to_live: Duration) -> Result<RootKeyCache, ProviderError> {
        if !(1..=Self::MAX_KEYS).contains(&max_keys) {
            let why = format!("a cache of {max_keys} root keys is not possible: 1 to {} are", Self::MAX_KEYS);
            return Err(ProviderError::new(ErrorClass::InvalidRequest, why));
        }
        if time_to_live.is_zero() || time_to_live > Self::MAX_TIME_TO_LIVE {
            let why = format!(
                "root keys are not kept for {time_to_live:?}: more than 0 and at most a day are possible"
            );
            return Err(ProviderError::new(ErrorClass::InvalidRequest, why));
        }
        Ok(RootKeyCache { shared: Arc::new(Shared::new(max_keys, time_to_live, Process::current())) })
    }

    /// Forgets and wipes every key, and keeps none for which a provider is being asked now.
    pub fn clear(&self) {
        // In a forked child there is nothing, and the lock may be one that nobody is there to open.
        if self.shared.process.is_current() {
            self.shared.lock().forget_all();
            self.shared.changed.notify_all();
        }
    }

    /// What it holds and what it has done; zeros in a forked child.
    pub fn statistics(&self) -> CacheStatistics {
        if !self.shared.process.is_current() {
            return CacheStatistics::default();
        }
        self.shared.lock().statistics()
    }

    /// An empty one with the same limits; `None` where there is no memory for it.
    pub(super) fn another(&self) -> Option<RootKeyCache> {
        RootKeyCache::new(self.shared.max_keys, self.shared.time_to_live).ok()
    }

    /// The root key of a wrapping: one that is kept, or the provider's answer.
    pub(super) async fn unwrap(
        &self,
        provider: &Arc<dyn KeyProvider>,
        wrapped: &WrappedKey,
    ) -> Result<Arc<RootKey>, ProviderError> {
        if !self.shared.process.is_current() {
            return provider.unwrap(wrapped).await.map(Arc::new);
        }
        let flight = match self.shared.find(wrapped, provider) {
            Found::Key(root) => return Ok(root),
            Found::Flight(flight) => flight,
        };
        Joined(flight).await
    }

    /// Forgets the key of one wrapping.
    pub(super) fn forget(&self, wrapped: &WrappedKey) {
        if self.shared.process.is_current() {
            self.shared.lock().forget(wrapped);
        }
    }
}

impl Drop for RootKeyCache {
    fn drop(&mut self) {
        if !self.shared.process.is_current() {
            return;
        }
        let wiper = self.shared.lock().close();
        self.shared.changed.notify_all();
        // So that none of this library's code runs any more, for a program that unloads it.
        wiper.map(JoinHandle::join);
    }
}

/// Shows no secret.
impl fmt::Debug for RootKeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootKeyCache")
            .field("max_keys", &self.shared.max_keys)
            .field("time_to_live", &self.shared.time_to_live)
            .finish_non_exhaustive()
    }
}
