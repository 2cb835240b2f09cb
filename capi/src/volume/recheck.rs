//! Closing a volume when its key is withdrawn

use core::ffi::c_char;
use std::time::Duration;

use super::atrest_volume;
use crate::error::explained;
use crate::pointer;
use crate::providers::atrest_providers;
use crate::status::atrest_status;
use atrest::volume::Recheck;

/// Has the key providers asked again and again, while a volume is open, whether its key may still be used, and the volume
/// close itself when it may not. Without this an open volume goes on working when its key is withdrawn.
///
/// `interval_ms`: how often, 10 to 604800000 milliseconds (a week). `grace_ms`: how long after that the volume goes on
/// without an answer, in the same range; longer than the providers take, 20 seconds for AWS KMS with its retries. An
/// answer is good for both times together, from the moment of the question. Each check reads the header from the file and
/// has its wrapped key unwrapped, as an open does: all wrappings are tried, and a cache is left aside. The first one begins
/// at once, and is not waited for.
///
/// A refusal (not authorised, no such key, disabled, pending deletion, the wrong key, by all that can be asked) closes the
/// volume at once. All else (unreachable, throttled, timed out, no credentials and so on) is tried again, and closes it
/// when both times have passed since the last success; suspended time counts, on Linux. From then on, and until the volume
/// is closed and opened again, each call on data answers ATREST_ERROR_WITHDRAWN but for atrest_volume_flush(), which still
/// brings to the disk what was written before; the key is wiped as soon as the calls under way are done.
/// atrest_volume_check_lease() tells why.
///
/// Starts a thread, which ends in atrest_volume_close(). `providers` is not needed any more once this has returned. A
/// second call replaces times and providers. After a fork the child has no such thread: there the volume closes itself
/// when its time is over, unless the child calls this for itself, with providers of its own where these are AWS KMS. (So
/// a daemon calls this when it is in the background.)
///
/// `error`, `error_len`: room for one line that says why it failed, as for atrest_volume_open(); may be NULL.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _INVALID_REQUEST (times out of their ranges, or no provider
/// for any of the volume's wrappings), _WITHDRAWN, _FORKED, _IO (no thread, or no descriptor), _SECRET_MEMORY; the volume
/// is as it was then. No network. No other thread may be using the volume.
///
/// # Safety
/// `volume` is NULL or open; `providers` is NULL or a set; `error` is NULL or writable for `error_len` bytes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_recheck(
    volume: *mut atrest_volume,
    providers: *const atrest_providers,
    interval_ms: u32,
    grace_ms: u32,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        explained(error, error_len, |_| {
            let (volume, providers) = (pointer::exclusive(volume)?, pointer::reference(providers)?);
            let milliseconds = |time: u32| Duration::from_millis(time.into());
            let recheck = Recheck::new(milliseconds(interval_ms), milliseconds(grace_ms));
            let _running = volume.calls.begin()?;
            Ok(volume.volume.recheck(&providers.0, recheck)?)
        })
    }
}

/// Whether a volume may use its key, as each call on data asks before it does; always so without atrest_volume_recheck().
///
/// `error`, `error_len`: room for one line that says why not, since when and what to do, as for atrest_volume_open(); 700
/// bytes hold most; may be NULL.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH; _WITHDRAWN, whose reason may be the answer of a key provider
/// or that there was none for too long. Does not wait. Any thread may call it at any time.
///
/// # Safety
/// `volume` is NULL or open; `error` is NULL or writable for `error_len` bytes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_check_lease(
    volume: *const atrest_volume,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe { explained(error, error_len, |_| Ok(pointer::reference(volume)?.volume.check_lease()?)) }
}
