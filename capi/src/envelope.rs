//! Envelopes

use core::ffi::c_char;
use std::ffi::CString;

use super::boundary::guarded;
use super::error::{Failure, explained};
use super::key::{atrest_xts, atrest_xts_new};
use super::providers::{atrest_providers, key_ref, provider, wait};
use super::status::atrest_status;
use super::volume::atrest_volume;
use super::{handle, pointer};
use atrest::Code;
use atrest::keys::{Class, Envelope, Opened, Uuid, new_uuid};

/// A volume's root key in its wrappings, for programs that keep it in a store of their own instead of a volume's
/// header. Nothing in it is secret, and nothing changes it once it is made.
#[allow(non_camel_case_types)]
pub struct atrest_envelope {
    envelope: Envelope,
    json: CString,
    /// What wraps the root key, slot by slot.
    keys: Vec<CString>,
}

impl atrest_envelope {
    pub(crate) fn new(envelope: Envelope) -> Result<atrest_envelope, Failure> {
        // Neither JSON nor what an envelope takes for a key has a NUL.
        let string = |text: String| CString::new(text).map_err(|_| Code::Internal);
        let json = string(envelope.to_json())?;
        let keys = envelope.slots().iter().map(|slot| string(format!("{}:{}", slot.provider, slot.key)));
        let keys = keys.collect::<Result<_, _>>()?;
        Ok(atrest_envelope { envelope, json, keys })
    }
}

/// Makes a new root key, wrapped under a key, and the envelope around it. The root key comes from the key's provider
/// and is unwrapped once, which proves that it can be.
///
/// `key`: "local:NAME", or "aws:" and an ARN, a key id or an alias. `uuid`: the 16 bytes of the UUID of what is to be
/// encrypted, to which the wrapping is bound and from which, with the root key, the XTS key is derived; NULL for a
/// random one. `timeout_ms`: how long to wait for the key's provider in milliseconds, negative for as long as it takes,
/// as with poll(); this call may wait on a network, and with local keys it reads a file and does not wait. `*out`
/// receives the envelope; free it with atrest_envelope_free(). On failure `*out` is NULL. `error`, `error_len`: room
/// for one line that says why it failed, as for atrest_volume_open(); may be NULL.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _KEY_NAME, _UNREACHABLE (no provider was added for the key,
/// too), _KEY_NOT_FOUND, _TIMED_OUT and the other statuses of key providers (65 to 84, 86, 87), _NO_MEMORY. Any number of
/// threads may use one set of providers.
///
/// cbindgen:ptrs-as-arrays=[[uuid;16]]
///
/// # Safety
/// `providers` is NULL or a set; `key` is NULL or a NUL-terminated string; `uuid` is NULL or readable for 16 bytes;
/// `out` is NULL or writable; `error` is NULL or writable for `error_len` bytes.
#[allow(rustdoc::broken_intra_doc_links, reason = "the line for cbindgen, which shows an array in C")]
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_envelope_create(
    providers: *const atrest_providers,
    key: *const c_char,
    uuid: *const u8,
    timeout_ms: i32,
    out: *mut *mut atrest_envelope,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        handle::make(out, error, error_len, |_| {
            let (providers, key) = (pointer::reference(providers)?, key_ref(key)?);
            let volume = match uuid.cast::<[u8; 16]>().as_ref() {
                Some(&bytes) => Uuid::from_bytes(bytes),
                None => new_uuid()?,
            };
            let provider = provider(&providers.providers, &key)?;
            let create = Envelope::create(provider, key.key(), volume, Class::Persistent);
            let (envelope, _) = wait(timeout_ms, create)?;
            atrest_envelope::new(envelope)
        })
    }
}

/// Reads an envelope from its JSON document.
///
/// `json`: `json_len` bytes, at most 65536, without a NUL at the end. `*out` receives the envelope; free it with
/// atrest_envelope_free(). On failure `*out` is NULL. `error`, `error_len`: room for one line that says why it failed,
/// as for atrest_volume_open(); may be NULL.
///
/// Nothing in an envelope is authenticated by itself. What an attacker reaches by changing one is that it does not
/// open.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _ENVELOPE, _NO_MEMORY. Any thread may call it at any time.
///
/// # Safety
/// `json` is NULL or readable for `json_len` bytes; `out` is NULL or writable; `error` is NULL or writable for
/// `error_len` bytes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_envelope_parse(
    json: *const u8,
    json_len: usize,
    out: *mut *mut atrest_envelope,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        handle::make(out, error, error_len, |_| {
            atrest_envelope::new(Envelope::from_json(pointer::bytes(json, json_len)?)?)
        })
    }
}

/// The envelope in a volume's header, as it was when the volume was opened: to back the wrapped key up, or to see which
/// keys wrap it.
///
/// `*out` receives a copy, which outlives the volume; free it with atrest_envelope_free(). Returns ATREST_OK, or
/// ATREST_ERROR_NULL, _NO_MEMORY.
///
/// # Safety
/// `volume` is NULL or open; `out` is NULL or writable.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_envelope(
    volume: *const atrest_volume,
    out: *mut *mut atrest_envelope,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        handle::make(out, core::ptr::null_mut(), 0, |_| {
            let envelope = pointer::reference(volume)?.volume().header().envelope()?;
            atrest_envelope::new(envelope.ok_or(Code::NotAVolume)?)
        })
    }
}

/// The JSON document of an envelope: at most 65536 bytes and a NUL. Equal envelopes have equal documents. It lives as
/// long as the envelope. NULL for a NULL envelope.
///
/// # Safety
/// `envelope` is NULL or an envelope.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_envelope_json(envelope: *const atrest_envelope) -> *const c_char {
    // SAFETY: this function's own contract.
    match unsafe { pointer::reference(envelope) } {
        Ok(envelope) => envelope.json.as_ptr(),
        Err(_) => core::ptr::null(),
    }
}

/// A key that wraps an envelope's root key, as "local:NAME" (or "aws:" and an ARN): of its first wrapping with `slot`
/// 0, and so on. It lives as long as the envelope. NULL where the envelope has no such slot, and for a NULL envelope.
/// Nothing has checked that the key exists, or that it opens the envelope. Any thread may call it at any time.
///
/// # Safety
/// `envelope` is NULL or an envelope.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_envelope_key(envelope: *const atrest_envelope, slot: usize) -> *const c_char {
    // SAFETY: this function's own contract.
    let envelope = unsafe { pointer::reference(envelope) };
    let key = envelope.ok().and_then(|envelope| envelope.keys.get(slot));
    key.map_or(core::ptr::null(), |key| key.as_ptr())
}

/// The UUID that an envelope's wrappings are bound to.
///
/// `uuid` receives 16 bytes in the order in which they are written; on failure it is untouched. Returns ATREST_OK, or
/// ATREST_ERROR_NULL.
///
/// cbindgen:ptrs-as-arrays=[[uuid;16]]
///
/// # Safety
/// `envelope` is NULL or an envelope; `uuid` is NULL or writable for 16 bytes.
#[allow(rustdoc::broken_intra_doc_links, reason = "the line for cbindgen, which shows an array in C")]
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_envelope_uuid(
    envelope: *const atrest_envelope,
    uuid: *mut u8,
) -> atrest_status {
    guarded(|| {
        // SAFETY: this function's own contract.
        unsafe {
            let volume = pointer::reference(envelope)?.envelope.volume();
            Ok(pointer::write(uuid.cast::<[u8; 16]>(), volume.into_bytes())?)
        }
    })
}

/// Unwraps an envelope's root key and makes the XTS key that is derived from it: AES-256, the key of the volume with
/// this envelope.
///
/// `timeout_ms`: how long to wait for the keys' providers, as for atrest_envelope_create(); this call may wait on a
/// network. `*out` receives the key; free it with atrest_xts_free(). On failure `*out` is NULL. `error`, `error_len`:
/// room for one line that says why it failed, as for atrest_volume_open(); may be NULL.
///
/// Reads the environment variable ATREST_BACKEND, as atrest_xts_new() does. The root key is wiped before this returns;
/// the XTS key is in ordinary memory, as with atrest_xts_new(), and so works in a forked child, too.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _UNEXPECTED, _SLOT (it is not what `providers` expect),
/// _TIMED_OUT and the other statuses of key providers (65 to 84; of the first wrapping, where several failed),
/// _UNKNOWN_BACKEND, _UNSUPPORTED_BACKEND, _NO_MEMORY. Any number of
/// threads may use one envelope and one set of providers.
///
/// # Safety
/// `envelope` is NULL or an envelope; `providers` is NULL or a set; `out` is NULL or writable; `error` is NULL or
/// writable for `error_len` bytes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_envelope_unwrap(
    envelope: *const atrest_envelope,
    providers: *const atrest_providers,
    timeout_ms: i32,
    out: *mut *mut atrest_xts,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        let emptied = pointer::write(out, core::ptr::null_mut());
        explained(error, error_len, |_| {
            emptied?;
            let keys = unwrap(envelope, providers, timeout_ms)?.keys;
            let key = keys.xts_key();
            match atrest_xts_new(key.as_ptr(), key.len(), out) {
                status if status == Code::Ok => Ok(()),
                status => Err(status.into()),
            }
        })
    }
}

/// The same, and gives the XTS key as bytes: key1, then key2.
///
/// `key` receives 64 bytes, which the caller wipes after use; on failure it is untouched. Everything else as for
/// atrest_envelope_unwrap(), but for the backend, which is none of this call's business.
///
/// cbindgen:ptrs-as-arrays=[[key;64]]
///
/// # Safety
/// As atrest_envelope_unwrap(); `key` is NULL or writable for 64 bytes.
#[allow(rustdoc::broken_intra_doc_links, reason = "the line for cbindgen, which shows an array in C")]
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_envelope_unwrap_key(
    envelope: *const atrest_envelope,
    providers: *const atrest_providers,
    timeout_ms: i32,
    key: *mut u8,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract. The key goes straight from secret memory to where the caller wants it.
    unsafe {
        explained(error, error_len, |_| {
            let key = pointer::bytes_mut(key, 64)?;
            key.copy_from_slice(unwrap(envelope, providers, timeout_ms)?.keys.xts_key());
            Ok(())
        })
    }
}

/// # Safety
/// As [`atrest_envelope_unwrap`].
unsafe fn unwrap(
    envelope: *const atrest_envelope,
    providers: *const atrest_providers,
    timeout_ms: i32,
) -> Result<Opened, Failure> {
    // SAFETY: this function's contract.
    let (envelope, providers) = unsafe { (pointer::reference(envelope)?, pointer::reference(providers)?) };
    wait(timeout_ms, envelope.envelope.open(&providers.providers, &providers.expected()))
}

/// Replaces one wrapping of an envelope's root key by one under another key, or by the newest material of the same. The
/// root key stays, and so does what its XTS key encrypted. Within a key service that can do it the plaintext does not
/// leave the service; else it is unwrapped, wrapped and, before it is believed, unwrapped again.
///
/// `slot`: which wrapping, from 0. `key`: what is to wrap it, as for atrest_envelope_create(). `timeout_ms`: how long
/// to wait for the providers of both keys, as for atrest_envelope_create(); this call may wait on a network. `*out`
/// receives the new envelope, and is NULL on failure; the old one is as it was, and opens as before: whoever keeps a
/// copy of it and may use its key still gets the root key. `error`, `error_len`: as for atrest_volume_open(); may be
/// NULL.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _NO_EXPECTATION (`providers` expect nothing), _UNEXPECTED,
/// _KEY_NAME, _SLOT, _UNREACHABLE (no provider was added for one of the keys, too), _TIMED_OUT and the other statuses of
/// key providers, _NO_MEMORY. Any number of threads may use one envelope and one set of providers.
///
/// # Safety
/// `envelope` is NULL or an envelope; `key` is NULL or a NUL-terminated string; `providers` is NULL or a set; `out` is
/// NULL or writable; `error` is NULL or writable for `error_len` bytes.
#[allow(clippy::too_many_arguments, reason = "C has no options to leave out")]
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_envelope_rewrap(
    envelope: *const atrest_envelope,
    slot: usize,
    providers: *const atrest_providers,
    key: *const c_char,
    timeout_ms: i32,
    out: *mut *mut atrest_envelope,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        handle::make(out, error, error_len, |_| {
            let (envelope, providers) =
                (&pointer::reference(envelope)?.envelope, pointer::reference(providers)?);
            let key = key_ref(key)?;
            let expect = providers.expected_to_write()?;
            let rewrapped = envelope.rewrap(slot, key.provider(), key.key(), &providers.providers, &expect);
            atrest_envelope::new(wait(timeout_ms, rewrapped)?.envelope)
        })
    }
}

/// Frees an envelope, and its JSON. NULL is fine. No other thread may be using either.
///
/// # Safety
/// `envelope` is NULL or an envelope that has not been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn atrest_envelope_free(envelope: *mut atrest_envelope) {
    // SAFETY: this function's own contract.
    unsafe { handle::free(envelope) }
}
