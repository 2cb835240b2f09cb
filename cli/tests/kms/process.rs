//! Threads, runtimes and forks around a provider.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use atrest::keys::{EncryptionContext, ErrorClass, KeyProvider as _, ProviderError, block_on, new_uuid};
use atrest_aws_kms::AwsKms;

use crate::Own;
use crate::fake::{Fault, HANG};
use crate::server::Server;

pub const OWN: &[(&str, Own)] = &[
    ("inside_somebody_elses_runtime", inside_somebody_elses_runtime),
    ("under_a_runtime_of_many_threads", under_a_runtime_of_many_threads),
    ("many_threads_share_one", many_threads_share_one),
    ("a_call_that_is_dropped_holds_up_nobody", a_call_that_is_dropped_holds_up_nobody),
    ("after_a_fork_it_says_so", after_a_fork_it_says_so),
    ("a_child_gets_along_with_one_of_its_own", a_child_gets_along_with_one_of_its_own),
];

fn inside_somebody_elses_runtime() {
    let (server, _) = Server::fake();
    let (kms, key) = (server.provider(), server.key());
    let context = EncryptionContext::for_volume(new_uuid().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let wrapped = kms.generate(&key, &context).await.unwrap();
        // Blocking there works as well, though it holds up the runtime.
        let root = block_on(kms.unwrap(&wrapped)).unwrap();
        assert_eq!(root.expose(), kms.unwrap(&wrapped).await.unwrap().expose());
        // So does blocking within what one blocks for, and waiting from a thread that the runtime keeps for it.
        block_on(async { block_on(kms.unwrap(&wrapped)) }).unwrap();
        let (kms, wrapped) = (kms.clone(), wrapped.clone());
        let apart = tokio::task::spawn_blocking(move || block_on(kms.unwrap(&wrapped)).unwrap());
        assert_eq!(root.expose(), apart.await.unwrap().expose());
    });
}

/// A runtime of many threads may poll a task on any of them, each time with another waker.
fn under_a_runtime_of_many_threads() {
    fn poll_on_another_thread<T: Send>(
        future: Pin<&mut (dyn Future<Output = T> + Send)>,
        waker: Waker,
    ) -> Poll<T> {
        std::thread::scope(|scope| {
            scope.spawn(|| future.poll(&mut Context::from_waker(&waker))).join().unwrap()
        })
    }
    struct Flag(AtomicBool);
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    let (server, fake) = Server::fake();
    let (kms, key) = (server.provider(), server.key());
    let context = EncryptionContext::for_volume(new_uuid().unwrap());
    let wrapped = block_on(kms.generate(&key, &context)).unwrap();
    // The answer takes its time, so that there is more than one poll.
    fake.fault("Decrypt", Fault::Slow, 1);
    let mut options = server.options();
    options.attempt_timeout = Duration::from_millis(300);
    let kms = AwsKms::new(options).unwrap();
    let mut future = kms.unwrap(&wrapped);
    let first = Arc::new(Flag(AtomicBool::new(false)));
    assert!(poll_on_another_thread(future.as_mut(), first.clone().into()).is_pending());
    let second = Arc::new(Flag(AtomicBool::new(false)));
    assert!(poll_on_another_thread(future.as_mut(), second.clone().into()).is_pending());
    let deadline = Instant::now() + Duration::from_secs(10);
    while !second.0.load(Ordering::SeqCst) {
        assert!(Instant::now() < deadline, "the waker of the last poll is the one to wake");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(!first.0.load(Ordering::SeqCst));
    assert!(poll_on_another_thread(future.as_mut(), second.into()).is_ready());
}

fn many_threads_share_one() {
    let (server, _) = Server::fake();
    let (kms, key) = (server.provider(), server.key());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let kms = kms.clone();
                let context = EncryptionContext::for_volume(new_uuid().unwrap());
                let wrapped = block_on(kms.generate(&key, &context)).unwrap();
                block_on(kms.unwrap(&wrapped)).unwrap();
            });
        }
    });
}

fn a_call_that_is_dropped_holds_up_nobody() {
    let (server, fake) = Server::fake();
    let key = server.key();
    // Whoever waited for the first call would do so until the service ends it.
    let mut options = server.options();
    (options.attempt_timeout, options.timeout) = (2 * HANG, 2 * HANG);
    let kms = AwsKms::new(options).unwrap();
    let context = EncryptionContext::for_volume(new_uuid().unwrap());
    let wrapped = block_on(kms.generate(&key, &context)).unwrap();
    fake.fault("Decrypt", Fault::Hang, 1);
    fake.calls();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let started = Instant::now();
    runtime.block_on(async {
        let mut call = kms.unwrap(&wrapped);
        // The service has it by then.
        while fake.calls().is_empty() {
            tokio::time::timeout(Duration::from_millis(10), &mut call).await.unwrap_err();
        }
    });
    block_on(kms.unwrap(&wrapped)).unwrap();
    assert!(started.elapsed() < HANG);
}

/// Runs `work` in a forked child, and tells whether it returned true there.
fn in_child(work: impl Fn() -> bool + Send + Sync + 'static) -> bool {
    use std::os::unix::process::CommandExt as _;

    let mut command = std::process::Command::new("true");
    let work = move || work().then_some(()).ok_or(std::io::Error::from_raw_os_error(1));
    // SAFETY: the closure runs between fork and exec. It allocates, for which the C library makes its allocator fit in
    // the child, and uses nothing that another thread of this program may have held locked at that moment.
    unsafe { command.pre_exec(work) };
    command.status().is_ok_and(|status| status.success())
}

fn after_a_fork_it_says_so() {
    let (server, _) = Server::fake();
    let (kms, key) = (server.provider(), server.key());
    let context = EncryptionContext::for_volume(new_uuid().unwrap());
    let wrapped = block_on(kms.generate(&key, &context)).unwrap();
    let (inner, inner_key) = (kms.clone(), key.clone());
    let (inner_context, inner_wrapped) = (context.clone(), wrapped.clone());
    // Whoever waits for a thread that the fork left behind waits for ever.
    let says_so = move || {
        let forked = |result: Result<(), ProviderError>| {
            result.is_err_and(|error| {
                error.class() == ErrorClass::Forked && error.to_string().contains("make another")
            })
        };
        let admin = inner.admin().unwrap();
        forked(block_on(inner.describe(&inner_key)).map(drop))
            && forked(block_on(inner.generate(&inner_key, &inner_context)).map(drop))
            && forked(block_on(inner.unwrap(&inner_wrapped)).map(drop))
            && forked(block_on(inner.rewrap(&inner_wrapped, &inner_key)).map(drop))
            && forked(block_on(admin.list()).map(drop))
            && forked(block_on(admin.set_enabled(&inner_key, false)))
    };
    assert!(in_child(says_so), "the child gets the error of a fork");
    // And wrapping, which would wrap a root key that the fork has wiped.
    let (inner, root) = (kms.clone(), block_on(kms.unwrap(&wrapped)).unwrap());
    assert!(in_child(move || {
        block_on(inner.wrap(&root, &key, &context)).is_err_and(|error| error.class() == ErrorClass::Forked)
    }));
    block_on(kms.unwrap(&wrapped)).unwrap();
}

/// The part of the next test that forks, in a process where nothing else goes on: a provider starts a thread, and takes
/// locks that other tests may hold.
const CHILD: &str = "ATREST_TEST_FORKS";

fn a_child_gets_along_with_one_of_its_own() {
    let (server, _) = Server::fake();
    let (kms, key) = (server.provider(), server.key());
    let context = EncryptionContext::for_volume(new_uuid().unwrap());
    if std::env::var_os(CHILD).is_none() {
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "a_child_gets_along_with_one_of_its_own", "--test-threads", "1"]);
        let output = again.env(CHILD, "1").output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
        return;
    }
    let wrapped = block_on(kms.generate(&key, &context)).unwrap();
    let expected = *block_on(kms.unwrap(&wrapped)).unwrap().expose();
    assert!(in_child(move || {
        let forked = block_on(kms.unwrap(&wrapped)).is_err_and(|error| error.class() == ErrorClass::Forked);
        let own = AwsKms::new(server.options()).and_then(|own| block_on(own.unwrap(&wrapped)));
        forked && own.is_ok_and(|root| *root.expose() == expected)
    }));
}
