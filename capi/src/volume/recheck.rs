//! Closing a volume when its key is withdrawn

use core::ffi::c_char;
use std::time::Duration;

use super::atrest_volume;
use crate::error::explained;
use crate::pointer;
use crate::providers::atrest_providers;
use crate::status::atrest_status;
use atrest::volume::Recheck;

/// By default an open volume keeps working after its key is revoked. This call has the key providers asked again and
/// again whether the key may still be used, and closes the volume when it may not.
///
/// `interval_ms`: how often to ask, 10 to 604800000 milliseconds (a week). `grace_ms`: how long the volume then goes on
/// without an answer, in the same range; longer than the providers take, which is up to 20 seconds for AWS KMS with its
/// retries. An answer counts for both times together, from the moment of the question. Each check reads the header and
/// has the wrapped key unwrapped, as an open does: it tries all wrappings, and no cache. The first one begins at once,
/// and is not waited for.
///
/// A refusal (not authorised, no such key, disabled, pending deletion, the wrong key, from everyone that can be asked)
/// closes the volume at once. After anything else (unreachable, throttled, timed out, no credentials and so on) it is
/// tried again; when both times have passed since the last success, the volume closes. On Linux suspended time counts.
/// From then on, and until the volume is closed and opened again, each call on data answers ATREST_ERROR_WITHDRAWN,
/// except for atrest_volume_flush(), which still brings earlier writes to the disk. The key is wiped as soon as the
/// calls under way are done. atrest_volume_check_lease() tells why.
///
/// Starts a thread, which ends in atrest_volume_close(). `providers` is not needed afterwards. A second call replaces
/// times and providers. After a fork the child has no such thread: its volume closes when its time is over, unless the
/// child makes this call itself, with providers of its own if they are AWS KMS. (So a daemon makes it once it is in the
/// background.)
///
/// `error`, `error_len`: as for atrest_volume_open().
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _INVALID_REQUEST (times out of range, or no provider for
/// any of the volume's wrappings), _WITHDRAWN, _FORKED, _IO (no thread, or no descriptor), _SECRET_MEMORY, which leave
/// the volume as it was. No network. No other thread may be using the volume.
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
            Ok(volume.volume.recheck(&providers.providers, recheck)?)
        })
    }
}

/// Whether a volume may still use its key, as each call on data asks first. Without atrest_volume_recheck() it always
/// may.
///
/// `error`, `error_len`: room for one line that says why not, since when, and what is needed, as for
/// atrest_volume_open(); 700 bytes hold most.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH; _WITHDRAWN, for a key provider's refusal or for too long
/// without an answer. Does not wait.
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
