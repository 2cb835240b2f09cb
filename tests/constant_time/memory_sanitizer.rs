//! MemorySanitizer, asked through its runtime (sanitizer/msan_interface.h).

use std::ffi::{CStr, c_char, c_int, c_void};
use std::process::abort;
use std::sync::atomic::{AtomicUsize, Ordering};

pub const NAME: &str = "MemorySanitizer";
/// It does not know `aeskeygenassist`, and takes every use of it for a leak; `aesimc` and the rounds it does know.
pub const KNOWS_KEY_EXPANSION: bool = false;

unsafe extern "C" {
    fn __msan_poison(start: *const c_void, size: usize);
    fn __msan_unpoison(start: *const c_void, size: usize);
    fn __msan_unpoison_string(text: *const c_char);
    fn __msan_test_shadow(start: *const c_void, size: usize) -> isize;
    fn __msan_set_expect_umr(expect: c_int);
}

static REPORTS: AtomicUsize = AtomicUsize::new(0);
/// Reports are slow, and a leak in a loop makes hundreds of thousands. Those of leaks that are meant are some twenty.
const ENOUGH: usize = 40;

/// The runtime calls this with all that it prints.
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_on_print(text: *const c_char) {
    // SAFETY: the runtime gives a string that ends in a zero byte. It lies on the stack, in what may be undefined.
    let text = unsafe {
        __msan_unpoison_string(text);
        CStr::from_ptr(text).to_bytes()
    };
    let report = b"WARNING: MemorySanitizer";
    if text.windows(report.len()).any(|part| part == report)
        && REPORTS.fetch_add(1, Ordering::Relaxed) == ENOUGH
    {
        abort();
    }
}

pub fn watches() -> bool {
    true
}

pub fn undefine(bytes: &mut [u8]) {
    // SAFETY: a slice; no byte changes.
    unsafe { __msan_poison(bytes.as_ptr().cast(), bytes.len()) }
}

pub fn define(bytes: &mut [u8]) {
    // SAFETY: a slice; no byte changes.
    unsafe { __msan_unpoison(bytes.as_ptr().cast(), bytes.len()) }
}

/// Whether each byte has undefined bits.
pub fn is_undefined(bytes: &[u8]) -> bool {
    // SAFETY: one byte of a slice. The answer is the first byte with undefined bits.
    bytes.iter().all(|byte| unsafe { __msan_test_shadow(std::ptr::from_ref(byte).cast(), 1) } == 0)
}

/// Branches and addresses that depended on undefined bytes so far.
pub fn reports() -> usize {
    REPORTS.load(Ordering::Relaxed)
}

/// Calls what the tool cannot follow. It ends the program if there is nothing to report.
pub fn unreported(call: impl FnOnce()) {
    // SAFETY: switches the runtime's reports off, and on again.
    unsafe {
        __msan_set_expect_umr(1);
        call();
        __msan_set_expect_umr(0);
    }
}
