//! The thread on which the SDK runs: it needs a tokio runtime, and callers may have another, or none.

use super::KmsOptions;
use super::clients::Clients;
use super::trace::Caller;
use atrest::Process;
use atrest::keys::{BoxFuture, ErrorClass, ProviderError};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

type Job = Box<dyn FnOnce(Rc<Clients>) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// The thread, seen from outside. It ends when this is dropped, and leaves then what it was doing.
pub struct Worker {
    jobs: mpsc::UnboundedSender<Job>,
    timeout: Duration,
    /// Threads do not come along into a forked child.
    process: Process,
}

impl Worker {
    pub fn start(options: KmsOptions) -> Result<Worker, ProviderError> {
        let failed = |error: std::io::Error| {
            ProviderError::new(ErrorClass::Unreachable, "cannot start the thread that talks to AWS KMS")
                .with_source(error)
        };
        let timeout = options.timeout;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (jobs, mut received) = mpsc::unbounded_channel::<Job>();
        let run = move || {
            let tasks = LocalSet::new();
            tasks.block_on(&runtime, async {
                let clients = Rc::new(Clients::new(options));
                while let Some(job) = received.recv().await {
                    tokio::task::spawn_local(job(Rc::clone(&clients)));
                }
            });
        };
        std::thread::Builder::new().name("atrest-kms".to_owned()).spawn(run).map_err(failed)?;
        Ok(Worker { jobs, timeout, process: Process::current() })
    }

    /// Whether this is the process that started the thread.
    pub fn check_process(&self) -> Result<(), ProviderError> {
        if self.process.is_current() {
            return Ok(());
        }
        Err(ProviderError::new(
            ErrorClass::Forked,
            "this AWS KMS provider was made before the process was forked: make another in this process",
        ))
    }

    /// Has `work` done on the thread, within the time that a call may take. Whoever drops the future ends the work.
    pub fn call<T, W>(&self, operation: &'static str, work: W) -> BoxFuture<'_, Result<T, ProviderError>>
    where
        T: Send + 'static,
        W: AsyncFnOnce(Rc<Clients>) -> Result<T, ProviderError> + Send + 'static,
    {
        Box::pin(async move {
            self.check_process()?;
            let gone =
                || ProviderError::new(ErrorClass::Unreachable, "the thread that talks to AWS KMS is gone");
            let (mut answer, answered) = oneshot::channel();
            let timeout = self.timeout;
            let caller = Caller::here();
            let job: Job = Box::new(move |clients| {
                Box::pin(async move {
                    let mut work = pin!(tokio::time::timeout(timeout, caller.traced(work(clients))));
                    let done = poll_fn(|context| match work.as_mut().poll(context) {
                        Poll::Ready(done) => Poll::Ready(Some(done)),
                        Poll::Pending => answer.poll_closed(context).map(|()| None),
                    });
                    let Some(done) = done.await else { return };
                    let late = |_| Err(late(operation, timeout));
                    // Nobody may be there any more to take it.
                    let _ = answer.send(done.unwrap_or_else(late));
                })
            });
            self.jobs.send(job).map_err(|_| gone())?;
            answered.await.map_err(|_| gone())?
        })
    }
}

fn late(operation: &str, timeout: Duration) -> ProviderError {
    ProviderError::new(
        ErrorClass::TimedOut,
        format!(
            "AWS KMS did not answer {operation} within {} s: check the network and the endpoint, or allow more time",
            timeout.as_secs_f64()
        ),
    )
}
