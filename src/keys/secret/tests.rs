//! What the type promises, and what the kernel says of it.

use super::*;

#[test]
fn take_moves_and_wipes() {
    let mut bytes = [9; 48];
    let mut secret = Secret::take(&mut bytes).unwrap();
    assert_eq!(bytes, [0; 48]);
    assert_eq!(secret.expose(), &[9; 48]);
    secret.expose_mut()[47] = 1;
    assert_eq!(secret.expose()[46..], [9, 1]);
    assert!(!secret.is_wiped());
}

#[test]
fn new_is_zero_and_random_is_not() {
    assert_eq!(Secret::<4096>::new().unwrap().expose(), &[0; 4096]);
    let (a, b) = (Secret::<32>::random().unwrap(), Secret::<32>::random().unwrap());
    assert_ne!(a.expose(), b.expose());
    assert_ne!(a.expose()[24..], [0; 8]);
}

#[test]
fn debug_and_display_are_redacted() {
    let secret = Secret::take(&mut [0xa5; 16]).unwrap();
    assert_eq!(format!("{secret:?} {secret:#?}"), "Secret<16>(..) Secret<16>(..)");
    let mut protection = Protection { guarded: true, locked: true, undumpable: true, wiped_on_fork: true };
    assert!(protection.is_full());
    assert_eq!(protection.to_string(), "full");
    (protection.locked, protection.wiped_on_fork) = (false, false);
    assert!(!protection.is_full());
    assert_eq!(protection.to_string(), "without mlock, wipe-on-fork");
}

/// The fallback of other platforms holds bytes, all of them its own, and claims no protection.
#[test]
fn plain_memory_claims_nothing() {
    for size in [MARK + 1, MARK + 32, MARK + 128] {
        let region = plain::Region::new(size).unwrap();
        assert!(region.len >= size && region.len < size + 8);
        // SAFETY: the region is `len` bytes, and nothing else refers to it.
        let bytes = unsafe { core::slice::from_raw_parts_mut(region.start(), region.len) };
        assert!(bytes.iter().all(|byte| *byte == 0));
        bytes.fill(0xff);
        let missing = "without guard pages, mlock, dump exclusion, wipe-on-fork";
        assert_eq!(region.protection.to_string(), missing);
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::super::*;
    use std::{io, os::unix::process::CommandExt, process::Command, sync::Arc};

    /// The mapping of `address`: its permissions and `VmFlags`, and the permissions of its two neighbours.
    fn mapping(address: usize) -> (String, String, [String; 2]) {
        let text = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut maps: Vec<(usize, usize, String, String)> = Vec::new();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let first = words.next().unwrap_or_default();
            let ends = first.split_once('-').map(|(a, b)| [a, b].map(|n| usize::from_str_radix(n, 16)));
            if let Some([Ok(start), Ok(end)]) = ends {
                maps.push((start, end, words.next().unwrap().to_owned(), String::new()));
            } else if first == "VmFlags:" {
                maps.last_mut().unwrap().3 = format!("{line} ");
            }
        }
        let i = maps.iter().position(|map| (map.0..map.1).contains(&address)).unwrap();
        let (before, map, after) = (&maps[i - 1], &maps[i], &maps[i + 1]);
        assert_eq!((before.1, after.0), (map.0, map.1), "the neighbours touch");
        (map.2.clone(), map.3.clone(), [before.2.clone(), after.2.clone()])
    }

    #[test]
    fn the_kernel_agrees_about_the_protection() {
        let secret = Secret::<64>::random().unwrap();
        let start = secret.expose().as_ptr().addr();
        let (own, flags, neighbours) = mapping(start);
        assert_eq!(own, "rw-p");
        assert_eq!(neighbours, ["---p", "---p"]);
        let protection = secret.protection();
        assert!(protection.guarded && protection.undumpable && protection.wiped_on_fork, "{protection}");
        assert!(flags.contains(" dd ") && flags.contains(" wf "), "{flags}");
        // AddressSanitizer makes mlock() do nothing, and say that it did.
        assert!(cfg!(asan) || flags.contains(" lo ") == protection.locked, "{flags}");
        let page = rustix::param::page_size();
        assert_eq!((start + 64) % page, 0, "the secret ends at the guard page");
    }

    #[test]
    fn sizes_around_a_page_stay_between_the_guards() {
        let page = rustix::param::page_size();
        assert_eq!(page % 4096, 0);
        let mut large = Secret::<4096>::new().unwrap();
        large.expose_mut().fill(0xff);
        assert_eq!(mapping(large.expose().as_ptr().addr()).2, ["---p", "---p"]);
        assert!(!large.is_wiped(), "the mark before the secret is untouched");
    }

    /// Runs `check` in a forked child, which must not allocate, and gives what it answered.
    fn in_child(user: Option<u32>, check: impl Fn() -> bool + Send + Sync + 'static) -> bool {
        let mut command = Command::new("true");
        if let Some(user) = user {
            command.uid(user);
        }
        let check = move || if check() { Ok(()) } else { Err(io::Error::from_raw_os_error(95)) };
        // SAFETY: the closure reads memory and makes system calls, all of which a forked child may do.
        let child = unsafe { command.pre_exec(check) }.status();
        match child {
            Ok(status) => status.success(),
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(95), "{error}");
                false
            }
        }
    }

    #[test]
    fn a_fork_finds_the_secret_wiped() {
        let secret = Arc::new(Secret::take(&mut [0xa5; 32]).unwrap());
        let theirs = Arc::clone(&secret);
        assert!(in_child(None, move || theirs.is_wiped()));
        let theirs = Arc::clone(&secret);
        assert!(in_child(None, move || {
            // SAFETY: the 32 bytes are mapped in the child too; `expose` would panic here.
            let bytes = unsafe { core::ptr::read_volatile(theirs.bytes()) };
            bytes == [0; 32]
        }));
        assert_eq!(secret.expose(), &[0xa5; 32], "the parent keeps it");
    }

    #[test]
    fn keys_are_not_derived_in_a_fork() {
        use crate::keys::{RootKey, Uuid};
        let root = RootKey::generate().unwrap();
        assert!(in_child(None, move || matches!(root.derive(Uuid::nil()), Err(SecretError::Forked))));
    }

    #[test]
    #[cfg_attr(asan, ignore = "AddressSanitizer makes mlock() do nothing, and say that it did")]
    fn a_refused_lock_is_reported() {
        use rustix::process::{Resource, Rlimit, geteuid, setrlimit};
        // The superuser may lock beyond any limit.
        let user = geteuid().is_root().then_some(65534);
        assert!(in_child(user, || {
            let none = Rlimit { current: Some(0), maximum: Some(0) };
            let secret = setrlimit(Resource::Memlock, none).ok().and_then(|()| Secret::<32>::new().ok());
            secret.is_some_and(|secret| {
                let protection = secret.protection();
                !protection.locked && protection.undumpable && !protection.is_full()
            })
        }));
    }
}
