//! What is still done when a signal ends the process: files are removed, and a terminal shows again what is typed.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

/// Something that is done before a signal ends the process, unless this is dropped before.
pub struct Cleanup(u64);

type Work = Box<dyn Fn() + Send>;

struct Registered {
    /// The number of the next one.
    next: u64,
    work: BTreeMap<u64, Work>,
    listening: bool,
}

static REGISTERED: Mutex<Registered> =
    Mutex::new(Registered { next: 0, work: BTreeMap::new(), listening: false });

/// Has this done when a signal asks the process to end; then it ends as that signal has it.
pub fn before_end(work: impl Fn() + Send + 'static) -> io::Result<Cleanup> {
    let mut registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    if !registered.listening {
        listen()?;
        registered.listening = true;
    }
    let number = registered.next;
    registered.next += 1;
    registered.work.insert(number, Box::new(work));
    Ok(Cleanup(number))
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        REGISTERED.lock().unwrap_or_else(PoisonError::into_inner).work.remove(&self.0);
    }
}

/// Has a write beyond the limit on the size of files (setrlimit(2), RLIMIT_FSIZE) fail, instead of ending the process
/// before it can clean up and say why.
pub fn let_large_writes_fail() {
    // Where that cannot be done the process ends as the system has it.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
}

fn listen() -> io::Result<()> {
    // The threads come first: signals that are caught, and that nobody hears, would not end the process any more.
    let (begin, begun) = mpsc::channel();
    let (done, end) = mpsc::channel();
    thread::Builder::new().name("cleanup".into()).spawn(move || {
        if begun.recv().is_ok() {
            // Held to the end, so that nothing else begins in between.
            let registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
            registered.work.values().for_each(|work| work());
            let _ = done.send(());
            // Until the process ends.
            let _ = begun.recv();
        }
    })?;
    let (give, signals) = mpsc::channel::<Signals>();
    thread::Builder::new().name("signals".into()).spawn(move || {
        let Ok(mut signals) = signals.recv() else { return };
        let Some(signal) = signals.forever().next() else { return };
        let _ = begin.send(());
        // What is still to be done may wait for somebody else, a lock for example: not for ever, and not against who is in
        // a hurry and sends another signal.
        let deadline = Instant::now() + PATIENCE;
        while end.recv_timeout(PAUSE).is_err_and(|error| error == RecvTimeoutError::Timeout)
            && Instant::now() < deadline
            && signals.pending().next().is_none()
        {}
        if signal_hook::low_level::emulate_default_handler(signal).is_err() {
            std::process::exit(1);
        }
    })?;
    // A signal that is ignored, as under nohup, stays ignored.
    let signals = [SIGHUP, SIGINT, SIGQUIT, SIGTERM].into_iter().filter(|signal| !is_ignored(*signal));
    let _ = give.send(Signals::new(signals.collect::<Vec<i32>>())?);
    Ok(())
}

/// How long a signal waits for what is done before the process ends.
const PATIENCE: Duration = Duration::from_secs(2);

/// How soon another signal is noticed.
const PAUSE: Duration = Duration::from_millis(20);

/// Whether the signal is ignored, as far as the system tells (proc(5), SigIgn in /proc/PID/status).
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
