//! What secrets leave on the stack.

/// What derivation and wrapping may leave on the stack, in bytes, generously: key schedules and hash states of
/// the crates below, which wipe most but not all of their temporaries.
const STACK: usize = 16 * 1024;

/// Runs `work`, then overwrites the 16 KiB of stack that it used: ciphers, hashes and key derivations leave temporaries
/// there, and wipe most but not all of them. For providers that work with plaintext keys in this process.
///
/// ```
/// assert_eq!(atrest::keys::on_wiped_stack(|| 1 + 1), 2);
/// ```
pub fn on_wiped_stack<T>(work: impl FnOnce() -> T) -> T {
    // Not inlined: the frames of `work` must lie where `zeroize_stack` writes afterwards.
    #[inline(never)]
    fn apart<T>(work: impl FnOnce() -> T) -> T {
        work()
    }
    let result = apart(work);
    zeroize::zeroize_stack::<STACK>();
    result
}
