//! What a cache of root keys keeps, and the requests under way for it.

use super::{CacheStatistics, KeyProvider, RootKey, WrappedKey, clock, flight::Flight};
use crate::Process;
use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    thread::{Builder, JoinHandle},
    time::Duration,
};

/// The longest sleep of the thread that wipes: its alarm clock stands still while the machine is suspended.
const NAP: Duration = Duration::from_secs(60);

/// A cache, as its owner, its thread and its requests share it.
pub(super) struct Shared {
    pub max_keys: usize,
    pub time_to_live: Duration,
    pub process: Process,
    state: Mutex<State>,
    /// Something was taken away, so that the thread has nothing to wait for perhaps.
    pub changed: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    /// The oldest in front.
    kept: VecDeque<Kept>,
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

struct Kept {
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
pub(super) enum Found {
    Key(Arc<RootKey>),
    Flight(Arc<Flight>),
}

impl Shared {
    pub fn new(max_keys: usize, time_to_live: Duration, process: Process) -> Shared {
        let (state, changed) = (Mutex::default(), Condvar::new());
        Shared { max_keys, time_to_live, process, state, changed }
    }

    /// What a panic leaves behind is whole: it would come from an allocation, and nothing is half done by then.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key, or the request for it: one under way, or a new one that nobody has begun to drive.
    pub fn find(self: &Arc<Self>, wrapped: &WrappedKey, provider: &Arc<dyn KeyProvider>) -> Found {
        let mut state = self.lock();
        let asked = clock::now();
        state.wipe_expired(asked);
        if let Some(kept) = state.kept.iter().find(|kept| kept.wrapped == *wrapped) {
            let root = Arc::clone(&kept.root);
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
        if state.kept.len() == self.max_keys {
            state.kept.pop_front();
        }
        let behind = state.kept.partition_point(|kept| kept.until <= until);
        state.kept.insert(behind, Kept { wrapped, root: Arc::clone(root), until });
        // It may be the first to go.
        self.changed.notify_all();
    }

    /// The thread that wipes what nobody asks for any more.
    fn wipe(&self) {
        let mut state = self.lock();
        loop {
            let now = clock::now();
            state.wipe_expired(now);
            let Some(oldest) = state.kept.front() else {
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
    pub fn statistics(&self) -> CacheStatistics {
        CacheStatistics {
            keys: self.kept.len(),
            unprotected: self.kept.iter().filter(|kept| !kept.root.protection().is_full()).count(),
            hits: self.hits,
            misses: self.requests,
            joined: self.joined,
        }
    }

    pub fn forget(&mut self, wrapped: &WrappedKey) {
        self.kept.retain(|kept| kept.wrapped != *wrapped);
    }

    /// Keeps nothing from now on, and gives the thread, which ends.
    pub fn close(&mut self) -> Option<JoinHandle<()>> {
        self.closed = true;
        self.forget_all();
        self.wiper.take()
    }

    fn wipe_expired(&mut self, now: Duration) {
        let expired = self.kept.partition_point(|kept| kept.until <= now);
        self.kept.drain(..expired);
    }

    pub fn forget_all(&mut self) {
        self.age += 1;
        self.kept.clear();
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
