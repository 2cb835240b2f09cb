//! One request to a key provider that several callers wait for.

use super::{BoxFuture, ProviderError, RootKey};
use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

/// What a provider answers, for several callers.
type Answer = Result<Arc<RootKey>, ProviderError>;

/// A request under way. Each caller awaits a [`Joined`] of it, and any of them drives it: so it goes on when one of them
/// gives up, or is not polled for a while because its thread waits for something else. With the last caller the request
/// is dropped, and ends there.
pub(super) struct Flight {
    progress: Mutex<Progress>,
    callers: Arc<Callers>,
}

enum Progress {
    Asking(BoxFuture<'static, Answer>),
    Answered(Answer),
    /// The provider panicked; or it is being polled, which nobody sees who does not hold the lock.
    Lost,
}

impl Flight {
    pub fn new(request: BoxFuture<'static, Answer>) -> Flight {
        Flight { progress: Mutex::new(Progress::Asking(request)), callers: Arc::default() }
    }

    /// Polls the request, for whoever waits. The lock is held meanwhile: a provider that works within a poll, as the local
    /// keystore does, holds up the other callers for as long as they would have worked themselves.
    fn poll(&self) -> Poll<Answer> {
        let mut progress = lock(&self.progress);
        if let Progress::Asking(_) = &*progress {
            let Progress::Asking(mut request) = std::mem::replace(&mut *progress, Progress::Lost) else {
                unreachable!("looked at just now")
            };
            let all = Waker::from(Arc::clone(&self.callers));
            *progress = match request.as_mut().poll(&mut Context::from_waker(&all)) {
                Poll::Pending => Progress::Asking(request),
                Poll::Ready(answer) => {
                    self.callers.wake_all();
                    Progress::Answered(answer)
                }
            };
        }
        match &*progress {
            Progress::Asking(_) => Poll::Pending,
            Progress::Answered(Ok(root)) => Poll::Ready(Ok(Arc::clone(root))),
            Progress::Answered(Err(error)) => Poll::Ready(Err(again(error))),
            Progress::Lost => Poll::Ready(Err(lost())),
        }
    }
}

/// The wait for a request, for one caller.
pub(super) struct Joined(pub Arc<Flight>);

impl Future for Joined {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        // Before the request is polled: what wakes it from then on wakes this caller, too.
        self.0.callers.add(context.waker());
        self.0.poll()
    }
}

/// Those who wait; all of them are woken, since any may be gone or asleep.
#[derive(Default)]
struct Callers(Mutex<Vec<Waker>>);

impl Callers {
    fn add(&self, waker: &Waker) {
        let mut wakers = lock(&self.0);
        if !wakers.iter().any(|known| known.will_wake(waker)) {
            wakers.push(waker.clone());
        }
    }

    fn wake_all(&self) {
        let wakers = std::mem::take(&mut *lock(&self.0));
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Wake for Callers {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_all();
    }
}

/// The same failure once more: its text has that of its causes in it.
fn again(error: &ProviderError) -> ProviderError {
    let copy = ProviderError::new(error.class(), error.to_string()).with_deletion(error.deletion());
    match error.answer() {
        Some(answer) => copy.with_answer(answer.clone()),
        None => copy,
    }
}

fn lost() -> ProviderError {
    ProviderError::new(
        super::ErrorClass::Malformed,
        "the key provider panicked while another caller waited for it: that is a defect of it",
    )
}

/// What a panic leaves behind is whole: nothing here is changed in two steps.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
