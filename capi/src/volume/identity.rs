//! Which volume it is, and what opened it

use core::ffi::{c_char, c_int};

use super::atrest_volume;
use crate::boundary::guarded;
use crate::error::{Failure, explained};
use crate::pointer;
use crate::status::atrest_status;
use atrest::Code;

/// Room for a pin with its NUL, in bytes.
pub const ATREST_PIN_SIZE: usize = 96;

/// The pin of an open volume: one line that says which volume it is, and which root key it has. A set of providers that
/// expects it (atrest_providers_expect()) opens this volume and no other, whatever somebody writes over its header. Keep
/// it where those who write the disk cannot change it, in a unit file or a database of yours. It is no secret, and stays
/// the same when keys are rewrapped, added and removed.
///
/// Take it of a volume that was just made. Of one that was opened it is as good as what was expected then: without an
/// expectation somebody may have exchanged the header before.
///
/// `pin` receives UUID:COMMITMENT:VERSION, 82 characters or a few more, and a NUL; on failure it is untouched. `len`: its
/// room in bytes; ATREST_PIN_SIZE is always enough. Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH (too small,
/// too). Does not wait.
///
/// # Safety
/// `volume` is NULL or open; `pin` is NULL or writable for `len` bytes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_pin(
    volume: *const atrest_volume,
    pin: *mut c_char,
    len: usize,
) -> atrest_status {
    guarded(|| {
        // SAFETY: this function's own contract.
        let (volume, room) = unsafe {
            pointer::reference(pin)?;
            (pointer::reference(volume)?, pointer::bytes_mut(pin.cast::<u8>(), len)?)
        };
        let pin = volume.volume.header().pin().map_err(|error| error.code())?.ok_or(Code::NotAVolume)?;
        let line = format!("{pin}\0");
        room.get_mut(..line.len()).ok_or(Code::BufferLength)?.copy_from_slice(line.as_bytes());
        Ok(())
    })
}

/// Which wrapping of its key opened a volume, counted from 0; the number for atrest_envelope_key() of
/// atrest_volume_envelope(). -1 for a volume that this process made, and for NULL. Another number than 0 says that the
/// slots before did not open, or were not expected: atrest_volume_slot_failure() tells why.
///
/// # Safety
/// `volume` is NULL or open.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_slot(volume: *const atrest_volume) -> c_int {
    // SAFETY: this function's own contract.
    let slot = unsafe { pointer::reference(volume) }.ok().and_then(|volume| volume.volume.slot());
    slot.and_then(|slot| slot.try_into().ok()).unwrap_or(-1)
}

/// How many changes of its header a volume has seen that unwrapped its key, as the header says that opened it; authenticated with
/// the rest. Whoever keeps the highest one that it saw, beside the pin, notices an older header that was put back: keys that were
/// removed since may open it. A rewrap inside a key service that lets nobody decrypt does not raise it. 0 for a header of atrest
/// before 0.2.0, which counts nothing, and for NULL.
///
/// # Safety
/// `volume` is NULL or open.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_generation(volume: *const atrest_volume) -> u64 {
    // SAFETY: this function's own contract.
    let token = unsafe { pointer::reference(volume) }
        .ok()
        .and_then(|volume| volume.volume.header().token().ok().flatten());
    token.map_or(0, |token| token.generation())
}

/// Why a slot did not open a volume that was tried before the one that did: a key that is disabled, for example, while
/// another one still opens.
///
/// `slot`: from 0. `error`, `error_len`: room for one line that names the key and says why, as for atrest_volume_open();
/// empty where there is nothing to tell.
///
/// Returns the status of the slot, one of those of key providers (65 to 84, 86, 87); ATREST_OK for the slot that opened
/// and those that were not tried, ATREST_ERROR_SLOT if there is no such slot; ATREST_ERROR_NULL, _BUFFER_LENGTH. Does not
/// wait.
///
/// # Safety
/// `volume` is NULL or open; `error` is NULL or writable for `error_len` bytes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_slot_failure(
    volume: *const atrest_volume,
    slot: usize,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        explained(error, error_len, |_| {
            let volume = &pointer::reference(volume)?.volume;
            if let Some(failure) = volume.slot_failures().iter().find(|failure| failure.slot == slot) {
                return Err(Failure::new(failure.error.code(), failure.to_string()));
            }
            let slots = volume.header().envelope()?.map_or(0, |envelope| envelope.slots().len());
            if slot < slots { Ok(()) } else { Err(Code::Slot.into()) }
        })
    }
}
