//! Constant time, shown: secrets are marked as undefined memory, and a tool that follows undefined bytes through every
//! instruction reports each branch and each address that depends on one.
//!
//! `tests/run constant-time` runs this program under Valgrind's memcheck, which sees the machine code of `soft`,
//! `ssse3`, `avx2` and `aesni` as they ship, and built with MemorySanitizer, which knows VAES too (SECURITY.md, "Time").
//! By itself, as `cargo test` runs it, it watches nothing and says so.
//!
//! A tool that lost sight of the secrets would find nothing wrong. So every output must still be undefined when a call
//! returns, and leaks that are planted on outputs must be reported.

mod calls;
mod leaks;
#[cfg_attr(msan, path = "memory_sanitizer.rs")]
#[cfg_attr(not(msan), path = "memcheck.rs")]
mod tool;

use std::process::ExitCode;

use atrest::xts::{Backend, Key};

/// What is undefined. Either alone suffices, and shows for each that it reaches all of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Secret {
    Key,
    Data,
}

fn main() -> ExitCode {
    if !tool::watches() {
        println!("constant_time: no tool watches, and nothing was checked; see tests/run constant-time");
        return ExitCode::SUCCESS;
    }
    let mut findings = Findings::default();
    let (backends, others): (Vec<Backend>, Vec<Backend>) =
        Backend::ALL.iter().partition(|backend| backend.is_supported());
    for &backend in &backends {
        let calls = findings.calls;
        for (bits, secret) in
            [128, 256].into_iter().flat_map(|bits| [(bits, Secret::Key), (bits, Secret::Data)])
        {
            calls::all(backend, bits, secret, &mut findings);
        }
        println!("{backend}: {} calls under {}", findings.calls - calls, tool::NAME);
    }
    for backend in others {
        println!("{backend}: not seen, since {} or this processor does not run it", tool::NAME);
    }
    // Last, so that whatever else is reported comes before it.
    for bits in [128, 256] {
        leaks::comparison_decides_once(bits, &mut findings);
    }
    for &backend in &backends {
        leaks::are_reported(backend, &mut findings);
    }
    for finding in &findings.list {
        println!("constant_time: {finding}");
    }
    if !findings.list.is_empty() {
        return ExitCode::FAILURE;
    }
    println!("constant_time: passed");
    ExitCode::SUCCESS
}

#[derive(Default)]
struct Findings {
    calls: usize,
    list: Vec<String>,
}

impl Findings {
    /// A call that must not be reported.
    fn watch(&mut self, what: &str, call: impl FnOnce()) {
        self.calls += 1;
        let before = tool::reports();
        call();
        let reports = tool::reports() - before;
        self.expect(reports == 0, || format!("{what}: {reports} branches or addresses depend on a secret"));
    }

    fn expect(&mut self, right: bool, wrong: impl FnOnce() -> String) {
        if !right {
            self.list.push(wrong());
        }
    }
}

/// key1 and key2 of `bits` bits each.
fn key_bytes(bits: usize) -> Vec<u8> {
    (0..bits / 4).map(|i| (i * 29 + 7) as u8).collect()
}

/// A key, from secret bytes if the key is the secret. The halves are not compared: see
/// [`leaks::comparison_decides_once`].
fn key(backend: Backend, bits: usize, secret: Secret, findings: &mut Findings) -> Box<Key> {
    let mut bytes = key_bytes(bits);
    if secret == Secret::Key {
        tool::undefine(&mut bytes);
    }
    let mut key = None;
    let make = || {
        let built = Key::options().backend(backend).allow_equal_halves(true).build(&bytes);
        key = Some(Box::new(built.expect("32 or 64 bytes for a backend that is there")));
    };
    let by_instructions = ![Backend::Soft, Backend::Ssse3, Backend::Avx2].contains(&backend);
    if secret == Secret::Key && by_instructions && !tool::KNOWS_KEY_EXPANSION {
        tool::unreported(make);
    } else {
        findings.watch(&format!("{backend}: setup of a {bits}-bit key"), make);
    }
    tool::define(&mut bytes);
    key.expect("made above")
}
