//! Threads, runtimes and forks around a provider.

use std::time::{Duration, Instant};

use atrest::envelope::{EncryptionContext, ErrorClass, KeyProvider as _, block_on, new_uuid};

use crate::Own;
use crate::fake::Fault;
use crate::server::Server;

pub const OWN: &[(&str, Own)] = &[
    ("inside_somebody_elses_runtime", inside_somebody_elses_runtime),
    ("many_threads_share_one", many_threads_share_one),
    ("a_call_that_is_dropped_holds_up_nobody", a_call_that_is_dropped_holds_up_nobody),
    ("after_a_fork_it_says_so", after_a_fork_it_says_so),
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
    });
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
    let (kms, key) = (server.provider(), server.key());
    let context = EncryptionContext::for_volume(new_uuid().unwrap());
    let wrapped = block_on(kms.generate(&key, &context)).unwrap();
    fake.fault("Decrypt", Fault::Hang, 1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let started = Instant::now();
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_millis(200), kms.unwrap(&wrapped)).await.unwrap_err();
    });
    block_on(kms.unwrap(&wrapped)).unwrap();
    assert!(started.elapsed() < Duration::from_secs(3));
}

fn after_a_fork_it_says_so() {
    use std::os::unix::process::CommandExt as _;

    let (server, _) = Server::fake();
    let (kms, key) = (server.provider(), server.key());
    block_on(kms.describe(&key)).unwrap();
    let (inner, inner_key) = (kms.clone(), key.clone());
    let in_child = move || match block_on(inner.describe(&inner_key)) {
        Err(error) if error.class() == ErrorClass::Forked => Ok(()),
        // Whoever waits for a thread that the fork left behind waits for ever.
        _ => Err(std::io::Error::other("not the error of a fork")),
    };
    let mut command = std::process::Command::new("true");
    // SAFETY: the closure runs between fork and exec. It allocates an error message, for which the C library makes its
    // allocator fit in the child; it takes no lock of this program's, and starts no thread.
    unsafe { command.pre_exec(in_child) };
    assert!(command.status().expect("the child gets the error of a fork").success());
    block_on(kms.describe(&key)).unwrap();
}
