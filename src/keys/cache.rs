//! Root keys that were unwrapped a short while ago, for one process: a cache with a time to live, whose callers share
//! requests that are under way.

use super::{
    ErrorClass, KeyProvider, ProviderError, RootKey, WrappedKey, clock,
    single_flight::{Flight, Joined},
};
use crate::Process;
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    thread::{Builder, JoinHandle},
    time::Duration,
};

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
/// use atrest::keys::{Expect, Class, Envelope, LocalKeystore, Providers, RootKeyCache, block_on, new_uuid};
/// use std::time::Duration;
///
/// # let home = tempfile::tempdir()?;
/// # let keystore = LocalKeystore::open_or_create(home.path().join("atrest"))?;
/// # keystore.ensure_key("default")?;
/// # let (envelope, _) = block_on(Envelope::create(&keystore, "default", new_uuid()?, Class::Persistent))?;
/// let cache = RootKeyCache::new(64, Duration::from_secs(300))?;
/// let providers = Providers::new().with(keystore).with_cache(cache);
/// block_on(envelope.open(&providers, &Expect::any()))?;
/// block_on(envelope.open(&providers, &Expect::any()))?; // nobody is asked
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
    #[must_use]
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

/// The longest sleep of the thread that wipes: its alarm clock stands still while the machine is suspended.
const NAP: Duration = Duration::from_secs(60);

/// A cache, as its owner, its thread and its requests share it.
struct Shared {
    max_keys: usize,
    time_to_live: Duration,
    process: Process,
    state: Mutex<State>,
    /// Something was taken away, so that the thread has nothing to wait for perhaps.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The oldest in front.
    entries: VecDeque<Entry>,
    under_way: Vec<UnderWay>,
    /// How many requests there were.
    requests: u64,
    /// Wipes keys whose time has ended; there is none, or one that ends, while none is kept.
    wiper: Option<JoinHandle<()>>,
    wiping: bool,
    /// Counts the times when everything was forgotten: what was asked for before is not kept.
    age: u64,
    closed: bool,
    hits: u64,
    joined: u64,
}

/// A key in the cache.
struct Entry {
    wrapped: WrappedKey,
    root: Arc<RootKey>,
    until: Duration,
}

/// A request that has not ended.
struct UnderWay {
    number: u64,
    wrapped: WrappedKey,
    flight: Weak<Flight>,
}

/// Part of a request: when that ends, however it does, nobody waits for it any more.
struct Landing {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Landing {
    fn drop(&mut self) {
        // In a forked child the lock may be one that nobody is there to open.
        if self.shared.process.is_current() {
            self.shared.lock().under_way.retain(|other| other.number != self.number);
        }
    }
}

/// Where a key is to be had.
enum Found {
    Key(Arc<RootKey>),
    Flight(Arc<Flight>),
}

impl Shared {
    fn new(max_keys: usize, time_to_live: Duration, process: Process) -> Shared {
        let (state, changed) = (Mutex::default(), Condvar::new());
        Shared { max_keys, time_to_live, process, state, changed }
    }

    /// What a panic leaves behind is whole: it would come from an allocation, and nothing is half done by then.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key, or the request for it: one under way, or a new one that nobody has begun to drive.
    fn find(self: &Arc<Self>, wrapped: &WrappedKey, provider: &Arc<dyn KeyProvider>) -> Found {
        let mut state = self.lock();
        let asked = clock::now();
        state.wipe_expired(asked);
        if let Some(entry) = state.entries.iter().find(|entry| entry.wrapped == *wrapped) {
            let root = Arc::clone(&entry.root);
            state.hits += 1;
            return Found::Key(root);
        }
        let same = state.under_way.iter().find(|other| other.wrapped == *wrapped);
        // Not upgraded but to be returned: a flight must not end while the lock is held.
        if let Some(flight) = same.and_then(|other| other.flight.upgrade()) {
            state.joined += 1;
            return Found::Flight(flight);
        }
        state.requests += 1;
        let (number, age) = (state.requests, state.age);
        let landing = Landing { shared: Arc::clone(self), number };
        let (provider, to_unwrap) = (Arc::clone(provider), wrapped.clone());
        let flight = Arc::new(Flight::new(Box::pin(async move {
            let root = Arc::new(provider.unwrap(&to_unwrap).await?);
            landing.shared.keep(to_unwrap, &root, asked, age);
            Ok(root)
        })));
        let wrapped = wrapped.clone();
        state.under_way.push(UnderWay { number, wrapped, flight: Arc::downgrade(&flight) });
        Found::Flight(flight)
    }

    /// Keeps an answer to what was asked at `asked`, unless everything was forgotten since.
    fn keep(self: &Arc<Self>, wrapped: WrappedKey, root: &Arc<RootKey>, asked: Duration, age: u64) {
        let mut state = self.lock();
        let until = asked + self.time_to_live;
        if state.age != age || clock::now() >= until || !state.has_wiper(self) {
            return;
        }
        if state.entries.len() == self.max_keys {
            state.entries.pop_front();
        }
        let behind = state.entries.partition_point(|entry| entry.until <= until);
        state.entries.insert(behind, Entry { wrapped, root: Arc::clone(root), until });
        // It may be the first to go.
        self.changed.notify_all();
    }

    /// The thread that wipes what nobody asks for any more.
    fn wipe(&self) {
        let mut state = self.lock();
        loop {
            let now = clock::now();
            state.wipe_expired(now);
            let Some(oldest) = state.entries.front() else {
                state.wiping = false;
                return;
            };
            let nap = oldest.until.saturating_sub(now).min(NAP);
            let woken = self.changed.wait_timeout(state, nap);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl State {
    fn statistics(&self) -> CacheStatistics {
        CacheStatistics {
            keys: self.entries.len(),
            unprotected: self.entries.iter().filter(|entry| !entry.root.protection().is_full()).count(),
            hits: self.hits,
            misses: self.requests,
            joined: self.joined,
        }
    }

    fn forget(&mut self, wrapped: &WrappedKey) {
        self.entries.retain(|entry| entry.wrapped != *wrapped);
    }

    /// Keeps nothing from now on, and gives the thread, which ends.
    fn close(&mut self) -> Option<JoinHandle<()>> {
        self.closed = true;
        self.forget_all();
        self.wiper.take()
    }

    fn wipe_expired(&mut self, now: Duration) {
        let expired = self.entries.partition_point(|entry| entry.until <= now);
        self.entries.drain(..expired);
    }

    fn forget_all(&mut self) {
        self.age += 1;
        self.entries.clear();
        self.under_way.clear();
    }

    /// Whether there is a thread that wipes in time, which is started where there is none. Without one nothing is kept.
    fn has_wiper(&mut self, shared: &Arc<Shared>) -> bool {
        if !self.wiping && !self.closed {
            // One that was there has let the lock go, and ends.
            self.wiper.take().map(JoinHandle::join);
            let shared = Arc::clone(shared);
            let started = Builder::new().name("atrest-cache".to_owned()).spawn(move || shared.wipe());
            self.wiping = started.is_ok();
            self.wiper = started.ok();
        }
        self.wiping && !self.closed
    }
}
