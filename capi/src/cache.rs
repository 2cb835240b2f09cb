//! A cache of root keys

use std::time::Duration;

use super::boundary::guarded;
use super::error::explained;
use super::pointer;
use super::providers::atrest_providers;
use super::status::atrest_status;
use atrest::keys::RootKeyCache;

/// Makes a set of providers keep the root keys that it unwraps, for programs that open the same volumes again and
/// again: opening one then asks the key service only for a key that is not in the cache. It is off unless you call
/// this, since a key that its owner revokes goes on opening volumes until its time in the cache is over. Rewraps and
/// rechecks always ask the key service.
///
/// `max_keys`: how many to keep, 1 to 1024, each in a locked page of memory; the oldest makes room. 0 turns the cache
/// off. `time_ms`: how long to keep a key from the moment at which the provider was asked, 1 to 86400000 milliseconds
/// (a day); on Linux suspended time counts. Then it is wiped, by a thread that lives as long as there are keys and ends
/// with the set. What was kept before the call is wiped, too. A forked child finds nothing in the cache and keeps
/// nothing.
///
/// `error`, `error_len`: as for atrest_volume_open().
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _INVALID_REQUEST, _SECRET_MEMORY, which leave the set as it
/// was. No network. No other thread may be using the set.
///
/// # Safety
/// `providers` is NULL or a set; `error` is NULL or writable for `error_len` bytes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_providers_set_cache(
    providers: *mut atrest_providers,
    max_keys: usize,
    time_ms: u32,
    error: *mut core::ffi::c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        explained(error, error_len, |_| {
            let providers = pointer::exclusive(providers)?;
            let uncached = providers.providers.without_cache();
            providers.providers = match max_keys {
                0 => uncached,
                _ => uncached.with_cache(RootKeyCache::new(max_keys, Duration::from_millis(time_ms.into()))?),
            };
            Ok(())
        })
    }
}

/// Wipes the root keys that a set of providers keeps, and keeps none that is being unwrapped now: for when a key was
/// revoked, or the machine is about to be suspended. Without a cache there is nothing to do.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL. Other threads may be using the set.
///
/// # Safety
/// `providers` is NULL or a set.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_providers_clear_cache(providers: *const atrest_providers) -> atrest_status {
    guarded(|| {
        // SAFETY: this function's own contract.
        if let Some(cache) = unsafe { pointer::reference(providers) }?.providers.cache() {
            cache.clear();
        }
        Ok(())
    })
}
