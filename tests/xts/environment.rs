//! How a key gets its backend: the processor, `ATREST_BACKEND`, the option.
//!
//! A process's environment belongs to all its threads, so that each value is tried in a child: this very program, which
//! then makes one key and prints what it got.

use std::{
    env,
    process::{Command, ExitCode},
};

use atrest::xts::{Backend, Error, Key, Schedule};

use crate::data::{Subject, keys};

const VARIABLE: &str = "ATREST_BACKEND";
/// Set, to the backend for [`Key::options`] or to nothing, in a child alone.
const CHILD: &str = "ATREST_TEST_CHILD";

pub fn is_child() -> bool {
    env::var_os(CHILD).is_some()
}

/// Prints the backend's name and its schedule, or the error.
pub fn child() -> ExitCode {
    let key_bytes = &keys()[1];
    let option = env::var(CHILD).expect("UTF-8, as the parent sets it");
    let key = if option.is_empty() {
        Key::new(key_bytes)
    } else {
        let subject = Subject::all().find(|subject| subject.to_string() == option);
        subject.expect("a backend and its schedule").options().build(key_bytes)
    };
    match key {
        Ok(key) => {
            print!("{}", Subject::of(&key));
            ExitCode::SUCCESS
        }
        Err(error) => {
            print!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a child under the variable and the option; its backend, or its error.
fn choose(variable: Option<&str>, option: &str) -> Result<String, String> {
    let mut command = Command::new(env::current_exe().expect("this program's path"));
    command.env(CHILD, option).env_remove(VARIABLE);
    if let Some(name) = variable {
        command.env(VARIABLE, name);
    }
    let output = command.output().expect("this program runs");
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(!printed.is_empty(), "the child died: {}", String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(printed) } else { Err(printed) }
}

pub fn forces(subject: Subject) {
    assert_eq!(choose(Some(&subject.to_string()), ""), Ok(subject.to_string()));
    // Without a schedule, the one that suits the processor runs.
    let chosen = choose(Some(subject.backend.name()), "").expect("a supported backend");
    assert_eq!(Ok(chosen), Key::options().backend(subject.backend).build(&keys()[1]).map(name));
}

fn name(key: Key) -> String {
    Subject::of(&key).to_string()
}

/// The option wins, even over a variable that would be an error by itself.
pub fn option_overrides(subject: Subject) {
    for variable in [None, Some("soft"), Some("no-such-backend")] {
        assert_eq!(choose(variable, &subject.to_string()), Ok(subject.to_string()), "{variable:?}");
    }
}

pub fn default_is_fastest() {
    let fastest = Backend::fastest();
    assert!(fastest.is_usable());
    for variable in [None, Some("")] {
        let expected = Key::options().backend(fastest).build(&keys()[1]).map(name);
        assert_eq!(choose(variable, "").map_err(|_| Error::UnknownBackend), expected, "{variable:?}");
    }
}

pub fn unknown_names() {
    for name in
        ["no-such-backend", "AESNI", "soft ", "soft,aesni", "1", "soft:", "soft:fast", "soft:tiles:", ":rows"]
    {
        assert_eq!(choose(Some(name), ""), Err(Error::UnknownBackend.to_string()), "{name:?}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        let output = Command::new(env::current_exe().expect("this program's path"))
            .env(CHILD, "")
            .env(VARIABLE, std::ffi::OsStr::from_bytes(b"soft\xff"))
            .output()
            .expect("this program runs");
        assert!(!output.status.success(), "a name that is not UTF-8");
        assert_eq!(String::from_utf8_lossy(&output.stdout), Error::UnknownBackend.to_string());
    }
}

/// In a program with rights that whoever starts it has not, the variable decides nothing.
#[cfg(target_os = "linux")]
pub fn elevated_rights() {
    assert!(!atrest::environment::has_elevated_rights());
    let directory = tempfile::tempdir().expect("a directory");
    let program = env::current_exe().expect("this program's path");
    let Some(mut command) = crate::elevated::elevated(&program, directory.path()) else { return };
    for variable in ["soft", "no-such-backend"] {
        let output = command.env(CHILD, "").env(VARIABLE, variable).output().expect("this program runs");
        let key = Key::options().backend(Backend::fastest()).build(&keys()[1]).expect("a key");
        assert_eq!(String::from_utf8_lossy(&output.stdout), name(key), "{variable}");
    }
}

/// Those that this processor lacks; nothing to see where it has them all.
pub fn unsupported_names() {
    for &backend in Backend::ALL.iter().filter(|backend| !backend.is_supported()) {
        let expected = Error::UnsupportedBackend(backend);
        assert_eq!(choose(Some(backend.name()), ""), Err(expected.to_string()));
        let refused = Key::options().backend(backend).build(&keys()[1]);
        assert_eq!(refused.err(), Some(expected));
    }
    let refused = Error::UnsupportedBackend(Backend::Soft);
    assert_eq!(choose(Some("soft:rows"), ""), Err(refused.to_string()));
    assert_eq!(
        Key::options().backend_in(Backend::Soft, Schedule::Rows).build(&keys()[1]).err(),
        Some(refused)
    );
}

/// A backend that is wrongly denied would have its tests ignored: the standard library's detection is asked too.
pub fn detection() {
    assert_eq!(Backend::supported().next(), Some(Backend::Soft));
    assert_eq!(Backend::usable().next_back(), Some(Backend::fastest()));
    assert!(Backend::supported().eq(Backend::usable()) && Backend::wrong().next().is_none());
    for &backend in Backend::ALL {
        let here = backend.architecture().is_none_or(|architecture| architecture == env::consts::ARCH);
        let expected = here && backend.needs().iter().all(|feature| has(feature));
        assert_eq!(backend.is_supported(), expected, "{backend}");
    }
}

/// Whether the processor has a feature, by the standard library.
fn has(feature: &str) -> bool {
    #[cfg(target_arch = "x86_64")]
    macro_rules! find {
        ($($name:tt)*) => { match feature { $($name => is_x86_feature_detected!($name),)* _ => false } };
    }
    #[cfg(target_arch = "aarch64")]
    macro_rules! find {
        ($($name:tt)*) => {
            match feature { $($name => std::arch::is_aarch64_feature_detected!($name),)* _ => false }
        };
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
    #[cfg(target_arch = "x86_64")]
    return find!("sse2" "ssse3" "avx2" "aes" "vaes" "avx512f" "avx512bw" "avx512vbmi");
    #[cfg(target_arch = "aarch64")]
    return find!("neon" "aes" "sha3");
}
