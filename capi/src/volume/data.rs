//! Reading and writing a volume

use super::atrest_volume;
use crate::boundary::guarded;
use crate::pointer;
use crate::status::atrest_status;

/// Reads a part of a volume, and decrypts it.
///
/// `offset`, `len`: any range within the volume; ranges of whole sectors are the fastest. `buf` may be NULL if `len` is
/// 0.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _OUT_OF_BOUNDS, _FORKED, which leave `buf` untouched; _IO,
/// _TRUNCATED (the file was cut off meanwhile) and _WITHDRAWN (see atrest_volume_recheck()), after which `buf` holds
/// any mix of plaintext, ciphertext and what it held before. ATREST_OK does not say that the plaintext is what was
/// written: XTS authenticates nothing, and whoever can write to the file can garble sectors or bring old ones back.
///
/// Blocks on the file; no network. Any number of threads may use one volume: within each aligned 128 KiB of the volume
/// the call is atomic against writes of the same volume. Allocates nothing.
///
/// # Safety
/// `volume` is NULL or open; `buf` is NULL or writable for `len` bytes, and nobody else touches it.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_read(
    volume: *const atrest_volume,
    buf: *mut u8,
    len: usize,
    offset: u64,
) -> atrest_status {
    guarded(|| {
        // SAFETY: this function's own contract.
        let (volume, buf) = unsafe { (pointer::reference(volume)?, pointer::bytes_mut(buf, len)?) };
        Ok(volume.with(|volume| volume.read_at(buf, offset))?)
    })
}

/// Encrypts bytes, and writes them to a part of a volume.
///
/// `offset`, `len`: any range within the volume; a sector that is written in part is read first. `buf` is only read,
/// and may be NULL if `len` is 0.
///
/// Everybody reads what was written from then on, but it outlives a loss of power only after atrest_volume_flush(). A
/// write that must be on the disk when it is answered (FUA) is this call and then that one.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _READ_ONLY, _OUT_OF_BOUNDS, _FORKED, which leave the volume
/// untouched; _WITHDRAWN, _IO, _NO_SPACE, _TRUNCATED, _NO_MEMORY (for 128 KiB, at most once for each thread that writes
/// at the same time), after which each sector of the range holds its old or its new bytes, and a sector that the
/// failure cut may hold both.
///
/// Blocks on the file; no network. Any number of threads may use one volume: the call is atomic within each aligned 128
/// KiB of the volume, and writes to different bytes of one sector do not disturb each other. Two open volumes over one
/// file know nothing of each other: do not write through both.
///
/// # Safety
/// `volume` is NULL or open; `buf` is NULL or readable for `len` bytes, and nobody changes it.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_write(
    volume: *const atrest_volume,
    buf: *const u8,
    len: usize,
    offset: u64,
) -> atrest_status {
    guarded(|| {
        // SAFETY: this function's own contract.
        let (volume, buf) = unsafe { (pointer::reference(volume)?, pointer::bytes(buf, len)?) };
        Ok(volume.with(|volume| volume.write_at(buf, offset))?)
    })
}

/// Writes zeros to a part of a volume. They are encrypted like any other data: they take the same space and time, do
/// not show in the file, and read as zeros from then on, here and with dm-crypt.
///
/// `offset`, `len`: any range within the volume. Returns and blocks as atrest_volume_write() does.
///
/// # Safety
/// `volume` is NULL or open.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_write_zeros(
    volume: *const atrest_volume,
    len: u64,
    offset: u64,
) -> atrest_status {
    guarded(|| {
        // SAFETY: this function's own contract.
        let volume = unsafe { pointer::reference(volume) }?;
        Ok(volume.with(|volume| volume.write_zeros(len, offset))?)
    })
}

/// Gives the space of the whole sectors in a part of a volume back to the file system or the device (trim, unmap).
/// Sectors that lie in the range only in part keep their content.
///
/// Until it is written again, what was discarded reads as undefined bytes, and not as zeros: the hole in the file is
/// zero, and zeros are not what zeros encrypt to. If you need zeros use atrest_volume_write_zeros(). Holes show whoever
/// sees the file which parts of the volume are unused, so a volume must be opened with ATREST_VOLUME_DISCARD for this.
///
/// `offset`, `len`: any range within the volume. Returns ATREST_OK, or ATREST_ERROR_NULL, _READ_ONLY, _OUT_OF_BOUNDS,
/// _DISCARD_OFF, _FORKED, _WITHDRAWN, which leave the volume untouched; _UNSUPPORTED (the system, the file system or
/// the device cannot do it; you may go on without) and _IO, after which each sector of the range is as it was or
/// discarded. Blocks on the file; no network.
///
/// # Safety
/// `volume` is NULL or open.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_discard(
    volume: *const atrest_volume,
    len: u64,
    offset: u64,
) -> atrest_status {
    guarded(|| {
        // SAFETY: this function's own contract.
        let volume = unsafe { pointer::reference(volume) }?;
        Ok(volume.with(|volume| volume.discard(len, offset))?)
    })
}

/// Waits until everything that any thread wrote through this volume before the call is on the disk (fdatasync).
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _FORKED; _IO, _NO_SPACE: what was written since the last flush that
/// succeeded may be lost, and a later flush that succeeds does not say otherwise. Blocks on the disk; no network.
///
/// # Safety
/// `volume` is NULL or open.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_flush(volume: *const atrest_volume) -> atrest_status {
    guarded(|| {
        // SAFETY: this function's own contract.
        let volume = unsafe { pointer::reference(volume) }?;
        Ok(volume.with(atrest::volume::Volume::flush)?)
    })
}

/// The exact size of a volume in bytes, which need not be a whole number of sectors; 0 for a NULL volume.
///
/// # Safety
/// `volume` is NULL or open.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_size(volume: *const atrest_volume) -> u64 {
    // SAFETY: this function's own contract.
    unsafe { pointer::reference(volume) }.map_or(0, |volume| volume.volume.size())
}

/// The size of a volume's encryption sectors in bytes: 512, 1024, 2048 or 4096; 0 for a NULL volume.
///
/// # Safety
/// `volume` is NULL or open.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_sector_size(volume: *const atrest_volume) -> usize {
    // SAFETY: this function's own contract.
    unsafe { pointer::reference(volume) }.map_or(0, |volume| volume.volume.sector_size())
}

/// A volume's UUID, which is in its header and in the encryption context of its keys.
///
/// `uuid` receives 16 bytes in the order in which they are written; on failure it is untouched. Returns ATREST_OK, or
/// ATREST_ERROR_NULL.
///
/// cbindgen:ptrs-as-arrays=[[uuid;16]]
///
/// # Safety
/// `volume` is NULL or open; `uuid` is NULL or writable for 16 bytes.
#[allow(rustdoc::broken_intra_doc_links, reason = "the line for cbindgen, which shows an array in C")]
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_uuid(volume: *const atrest_volume, uuid: *mut u8) -> atrest_status {
    guarded(|| {
        // SAFETY: this function's own contract.
        unsafe {
            let bytes = pointer::reference(volume)?.volume.header().uuid().into_bytes();
            Ok(pointer::write(uuid.cast::<[u8; 16]>(), bytes)?)
        }
    })
}
