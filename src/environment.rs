//! What environment variables may decide.
//!
//! A program with elevated rights (setuid, setgid, file capabilities) was started by somebody with fewer, who chose its
//! environment. What is a wish elsewhere would be an attack there: a keystore of the attacker's, a file with a passphrase that
//! only the program may read, a backend that is slow.

use std::ffi::OsString;

/// The variable's value: `None` where it is not set or empty, and in a process with [elevated rights](has_elevated_rights).
#[must_use]
pub fn variable(name: &str) -> Option<OsString> {
    if has_elevated_rights() {
        return None;
    }
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Whether this process got rights when it was started that whoever started it has not: `AT_SECURE`, as Linux tells it.
/// Elsewhere `false`.
#[must_use]
pub fn has_elevated_rights() -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        of_linux::is_secure()
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        false
    }
}

/// A crate that has this would be a dependency of everybody's for one call.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[allow(unsafe_code)]
mod of_linux {
    use std::ffi::c_ulong;

    // SAFETY: the C library's declaration. It reads what the kernel gave the process, and nothing that changes.
    unsafe extern "C" {
        safe fn getauxval(kind: c_ulong) -> c_ulong;
    }

    const AT_SECURE: c_ulong = 23;

    pub(super) fn is_secure() -> bool {
        getauxval(AT_SECURE) != 0
    }
}
