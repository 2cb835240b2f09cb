//! A provider that a test can hold up, and make fail.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use atrest::keys::{
    BoxFuture, EncryptionContext, ErrorClass, KeyDescription, KeyProvider, LocalKeystore, ProviderError,
    RootKey, WrappedKey,
};

/// What a test makes of a provider, and sees of it.
#[derive(Default)]
pub struct Switch {
    /// Calls of `unwrap`, and those that ran to their end.
    pub calls: AtomicUsize,
    pub ended: AtomicUsize,
    /// Calls wait while it is set.
    pub hold: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
    /// Calls fail with this.
    pub fail: Mutex<Option<ErrorClass>>,
    /// Calls for this key fail with this.
    pub fail_key: Mutex<Option<(&'static str, ErrorClass)>>,
    /// Calls answer another root key.
    pub lie: AtomicBool,
    pub panic: AtomicBool,
}

impl Switch {
    pub fn release(&self) {
        self.hold.store(false, SeqCst);
        self.waiting.lock().unwrap().drain(..).for_each(Waker::wake);
    }

    pub fn calls(&self) -> usize {
        self.calls.load(SeqCst)
    }
}

/// A local keystore behind a switch.
pub struct Switched(pub LocalKeystore, pub Arc<Switch>);

impl KeyProvider for Switched {
    fn name(&self) -> &'static str {
        "local"
    }

    fn generate<'a>(
        &'a self,
        key: &'a str,
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<WrappedKey, ProviderError>> {
        self.0.generate(key, context)
    }

    fn unwrap<'a>(&'a self, wrapped: &'a WrappedKey) -> BoxFuture<'a, Result<RootKey, ProviderError>> {
        Box::pin(async move {
            let switch = &self.1;
            switch.calls.fetch_add(1, SeqCst);
            poll_fn(|context: &mut Context<'_>| {
                // The list first: who releases empties it after the flag is off.
                switch.waiting.lock().unwrap().push(context.waker().clone());
                if switch.hold.load(SeqCst) { Poll::Pending } else { Poll::Ready(()) }
            })
            .await;
            switch.ended.fetch_add(1, SeqCst);
            assert!(!switch.panic.load(SeqCst), "a provider with a defect");
            if let Some((_, class)) = switch.fail_key.lock().unwrap().filter(|(key, _)| *key == wrapped.key) {
                return Err(ProviderError::new(class, "this key is switched off"));
            }
            if let Some(class) = *switch.fail.lock().unwrap() {
                return Err(ProviderError::new(class, "switched off"));
            }
            if switch.lie.load(SeqCst) { Ok(RootKey::generate()?) } else { self.0.unwrap(wrapped).await }
        })
    }

    fn describe<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<KeyDescription, ProviderError>> {
        self.0.describe(key)
    }

    fn wrap<'a>(
        &'a self,
        root: &'a RootKey,
        key: &'a str,
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<WrappedKey, ProviderError>> {
        self.0.wrap(root, key, context)
    }
}

#[track_caller]
pub fn wait_until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "{what}: not within a minute");
        thread::sleep(Duration::from_millis(2));
    }
}
