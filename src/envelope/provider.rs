//! Key providers: whatever makes, wraps and unwraps root keys.

use super::{EncryptionContext, KeyAdmin, KeyDescription, ProviderError, RootKey};
use std::{
    collections::BTreeMap,
    fmt,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::Thread,
    time::{Duration, Instant},
};

/// A future on the heap, as the methods of [`KeyProvider`] return it so that the trait is object-safe.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A root key as a provider wrapped it, with all that is needed to have it unwrapped. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    /// The [name](KeyProvider::name) of the provider that can unwrap it.
    pub provider: String,
    /// The key-encryption key, by the provider's own lasting name for it (an ARN, never an alias; a local name).
    pub key: String,
    /// Which material of that key wrapped it, where the provider tells: a rotated key has several.
    pub material: Option<String>,
    /// The context that the wrapping is bound to.
    pub context: EncryptionContext,
    /// The wrapped root key, in the provider's own format.
    pub wrapped: Vec<u8>,
}

impl WrappedKey {
    /// Whether the key has newer material than the one that wrapped this, so that a rewrap would renew it; `None`
    /// where one of the two material ids is not known.
    pub fn is_stale(&self, key: &KeyDescription) -> Option<bool> {
        Some(self.material.as_ref()? != key.material.as_ref()?)
    }
}

/// A source of root keys: a key management service, or the [local keystore](super::LocalKeystore).
///
/// The futures must not need an async runtime around them: a provider whose client needs one owns it, on a
/// thread of its own. So async callers await them under any runtime, and all others call [`block_on`].
///
/// Four methods are what opening and making volumes takes. [`wrap`](KeyProvider::wrap) and
/// [`rewrap`](KeyProvider::rewrap) serve changes of the wrapping; the care of the keys themselves is a trait of its
/// own, [`KeyAdmin`].
pub trait KeyProvider: Send + Sync {
    /// The provider's name, as envelopes store it: 1 to 32 of `a-z`, `0-9` and `-`.
    fn name(&self) -> &'static str;

    /// Makes a new root key and returns it wrapped under `key`, bound to `context`. The plaintext does not
    /// leave the provider.
    fn generate<'a>(
        &'a self,
        key: &'a str,
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<WrappedKey, ProviderError>>;

    /// Unwraps a root key under the context that it carries.
    fn unwrap<'a>(&'a self, wrapped: &'a WrappedKey) -> BoxFuture<'a, Result<RootKey, ProviderError>>;

    /// Tells what `key` is, and in which state.
    fn describe<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<KeyDescription, ProviderError>>;

    /// Wraps a root key that exists already under `key`, bound to `context`.
    ///
    /// A provider without this answers [`ErrorClass::Unsupported`](super::ErrorClass::Unsupported), and no existing key
    /// comes under its keys.
    fn wrap<'a>(
        &'a self,
        root: &'a RootKey,
        key: &'a str,
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<WrappedKey, ProviderError>> {
        let _ = (root, key, context);
        Box::pin(async { Err(ProviderError::unsupported(self.name(), "wrapping an existing key")) })
    }

    /// Wraps anew under `key`, inside the service, what a key of this provider wrapped: the plaintext does not reach
    /// this process. The context stays, and so does the root key. Provider, keys and material that the service names
    /// in its answer must have been checked by the provider; nobody else can.
    ///
    /// A provider without this answers [`ErrorClass::Unsupported`](super::ErrorClass::Unsupported), and
    /// [`Envelope::rewrap`] unwraps and wraps.
    ///
    /// [`Envelope::rewrap`]: super::Envelope::rewrap
    fn rewrap<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        key: &'a str,
    ) -> BoxFuture<'a, Result<WrappedKey, ProviderError>> {
        let _ = (wrapped, key);
        Box::pin(async { Err(ProviderError::unsupported(self.name(), "rewrapping without the plaintext")) })
    }

    /// What can be done with this provider's keys beyond wrapping; `None` where that is nothing.
    fn admin(&self) -> Option<&dyn KeyAdmin> {
        None
    }
}

/// The key providers that a caller has, by name.
///
/// ```no_run
/// use atrest::envelope::{LocalKeystore, Providers};
///
/// let keystore = LocalKeystore::open(LocalKeystore::default_path()?)?;
/// let providers = Providers::new().with(keystore);
/// assert!(providers.get("local").is_some());
/// # Ok::<(), atrest::envelope::ProviderError>(())
/// ```
#[derive(Clone, Default)]
pub struct Providers(BTreeMap<&'static str, Arc<dyn KeyProvider>>);

impl Providers {
    /// A set without any provider: no envelope opens with it.
    pub const fn new() -> Providers {
        Providers(BTreeMap::new())
    }

    /// Adds a provider; one that was there under the same name is replaced.
    #[must_use]
    pub fn with(mut self, provider: impl KeyProvider + 'static) -> Providers {
        self.insert(Arc::new(provider));
        self
    }

    /// Adds a provider that the caller shares; one that was there under the same name is replaced.
    pub fn insert(&mut self, provider: Arc<dyn KeyProvider>) {
        self.0.insert(provider.name(), provider);
    }

    /// The provider of that name.
    pub fn get(&self, name: &str) -> Option<&dyn KeyProvider> {
        self.0.get(name).map(|provider| &**provider)
    }

    /// The names of all providers, in byte order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &'static str> {
        self.0.keys().copied()
    }
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Runs a future to its end on this thread, which sleeps while the future waits.
///
/// There is no async runtime behind it, so it works anywhere, inside somebody else's runtime too (where it
/// blocks that runtime's thread), and suits the futures of this module, which need none.
///
/// ```
/// assert_eq!(atrest::envelope::block_on(async { 1 + 1 }), 2);
/// ```
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = unparking();
    loop {
        if let Some(output) = ready(future.as_mut(), &waker) {
            return output;
        }
        // Somebody else's unpark wakes this early, which costs one more poll.
        std::thread::park();
    }
}

/// [`block_on`] for at most this long: `None` when the future has not ended by then. It is dropped before this returns,
/// so that nothing of it goes on. A future that ends without waiting gives its output even with a timeout of zero.
///
/// The time within a poll counts, and cannot be cut short: the local keystore reads its files there.
///
/// ```
/// use std::time::Duration;
/// use atrest::envelope::block_on_timeout;
///
/// assert_eq!(block_on_timeout(async { 1 + 1 }, Duration::ZERO), Some(2));
/// assert_eq!(block_on_timeout(std::future::pending::<()>(), Duration::from_millis(1)), None);
/// ```
pub fn block_on_timeout<F: Future>(future: F, timeout: Duration) -> Option<F::Output> {
    // None: so far away that the clock cannot count to it.
    let Some(deadline) = Instant::now().checked_add(timeout) else { return Some(block_on(future)) };
    let mut future = pin!(future);
    let waker = unparking();
    loop {
        if let Some(output) = ready(future.as_mut(), &waker) {
            return Some(output);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        std::thread::park_timeout(left);
    }
}

/// Polls a future once.
fn ready<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(waker)) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// A waker that unparks this thread.
fn unparking() -> Waker {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }

        fn wake_by_ref(self: &Arc<Self>) {
            self.0.unpark();
        }
    }

    Waker::from(Arc::new(Unpark(std::thread::current())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Mutex, mpsc};

    /// Ready once another thread has said so.
    struct Signal(Arc<Mutex<(bool, Option<Waker>)>>);

    impl Future for Signal {
        type Output = &'static str;

        fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<&'static str> {
            let mut state = self.0.lock().unwrap();
            if state.0 {
                return Poll::Ready("done");
            }
            state.1 = Some(context.waker().clone());
            Poll::Pending
        }
    }

    #[test]
    fn block_on_sleeps_until_it_is_woken() {
        let state = Arc::new(Mutex::new((false, None::<Waker>)));
        let theirs = Arc::clone(&state);
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || sender.send(block_on(Signal(theirs))));
        // It waits, until the flag is set and its waker is called.
        assert!(receiver.recv_timeout(Duration::from_millis(50)).is_err());
        let waker = loop {
            let mut state = state.lock().unwrap();
            if let Some(waker) = state.1.take() {
                state.0 = true;
                break waker;
            }
            drop(state);
            std::thread::yield_now();
        };
        waker.wake();
        assert_eq!(receiver.recv_timeout(Duration::from_secs(60)), Ok("done"));
    }

    #[test]
    fn a_timeout_ends_the_wait_and_drops_the_future() {
        let state = Arc::new(Mutex::new((false, None::<Waker>)));
        let before = Instant::now();
        let answer = block_on_timeout(Signal(Arc::clone(&state)), Duration::from_millis(30));
        assert_eq!(answer, None);
        assert!(before.elapsed() >= Duration::from_millis(30));
        assert_eq!(Arc::strong_count(&state), 1, "the future is gone");

        // In time, and with the longest timeout that there is.
        for timeout in [Duration::from_secs(60), Duration::MAX] {
            let state = Arc::new(Mutex::new((false, None::<Waker>)));
            let theirs = Arc::clone(&state);
            let waiting = std::thread::spawn(move || block_on_timeout(Signal(theirs), timeout));
            let waker = loop {
                let mut state = state.lock().unwrap();
                if let Some(waker) = state.1.take() {
                    state.0 = true;
                    break waker;
                }
                drop(state);
                std::thread::yield_now();
            };
            waker.wake();
            assert_eq!(waiting.join().unwrap(), Some("done"));
        }
    }
}
