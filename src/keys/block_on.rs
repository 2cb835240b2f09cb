//! Waiting for futures on threads without an async runtime.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::Thread,
    time::{Duration, Instant},
};

/// Runs a future to its end on this thread, which sleeps while the future waits.
///
/// There is no async runtime behind it, so it works anywhere, inside somebody else's runtime too (where it
/// blocks that runtime's thread), and suits the futures of this module, which need none.
///
/// ```
/// assert_eq!(atrest::keys::block_on(async { 1 + 1 }), 2);
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
/// use atrest::keys::block_on_timeout;
///
/// assert_eq!(block_on_timeout(async { 1 + 1 }, Duration::ZERO), Some(2));
/// assert_eq!(block_on_timeout(std::future::pending::<()>(), Duration::from_millis(1)), None);
/// ```
pub fn block_on_timeout<F: Future>(future: F, timeout: Duration) -> Option<F::Output> {
    // None: so far away that the clock cannot count to it.
    let Some(deadline) = Instant::now().checked_add(timeout) else { return Some(block_on(future)) };
    block_on_while(future, || {
        let left = deadline.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    })
}

/// [`block_on`] for as long as `patience` gives a time, which is how long it sleeps until it asks again; unparking the
/// thread makes it ask earlier. `None` when it gives none: the future is dropped then. For threads that somebody else may
/// end while they wait.
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use std::time::Duration;
/// use atrest::keys::block_on_while;
///
/// let stop = AtomicBool::new(true);
/// let patience = || (!stop.load(Ordering::Relaxed)).then_some(Duration::from_secs(1));
/// assert_eq!(block_on_while(std::future::pending::<()>(), patience), None);
/// ```
pub fn block_on_while<F: Future>(
    future: F,
    mut patience: impl FnMut() -> Option<Duration>,
) -> Option<F::Output> {
    let mut future = pin!(future);
    let waker = unparking();
    loop {
        if let Some(output) = ready(future.as_mut(), &waker) {
            return Some(output);
        }
        std::thread::park_timeout(patience()?);
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
