//! Scratch volumes, and the end of a volume

use core::ffi::c_char;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

use super::atrest_volume;
use super::open::{ATREST_VOLUME_DISCARD, Flags, checked, create_options, io_failure, new_volume_at};
use super::storage::AnyStorage;
use crate::error::{Failure, explained};
use crate::providers::{as_path, keystore_path};
use crate::status::atrest_status;
use crate::{handle, pointer};
use atrest::Code;
use atrest::keys::{Class, Expect, LocalKeystore, Providers, Uuid, new_uuid};
use atrest::storage::Storage;
use atrest::volume::{CreateOptions, DestroyOptions, Volume};

/// A flag for atrest_volume_destroy() and atrest_volume_restore_header(): do it even where the call would refuse with
/// ATREST_ERROR_NEEDS_FORCE.
pub const ATREST_FORCE: u32 = 1;

/// Makes a scratch volume in a new file, and opens it for reading and writing. Its key is its own, and only the local
/// keystore holds it; once atrest_volume_destroy() has erased it, nothing opens the volume, from any copy. The volume
/// is opened like any other with a local key, and no other key can wrap its key.
///
/// `path`, `size`, `sector_size`, `flags`, `out`: as for atrest_volume_create(). `keystore`: as for
/// atrest_local_create_key(); it is made if there is none, and a backup of it would keep the key. `path` is recorded in
/// the key's file, for people. `error`, `error_len`: as for atrest_volume_open(). Does not wait on a network. On
/// failure neither a file nor a key is left.
///
/// Returns what atrest_volume_create() does for the file; _KEYSTORE_IO, _KEYSTORE_PERMISSIONS, _SECRET_MEMORY.
///
/// # Safety
/// `path` is NULL or a NUL-terminated string, and so is `keystore`; `out` is NULL or writable; `error` is NULL or
/// writable for `error_len` bytes.
#[allow(clippy::too_many_arguments, reason = "C has no options to leave out")]
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_create_scratch(
    path: *const c_char,
    size: u64,
    sector_size: usize,
    flags: u32,
    keystore: *const c_char,
    out: *mut *mut atrest_volume,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        handle::make(out, error, error_len, |_| {
            let path = as_path(pointer::string(path)?);
            let new = NewScratch::of(size, sector_size, flags, keystore)?;
            let place = std::path::absolute(path).ok();
            new.or_no_key(new_volume_at(path, |file| new.make(AnyStorage::File(file), place.as_deref())))
        })
    }
}

/// A scratch volume to be made, with arguments that are sound.
pub(crate) struct NewScratch {
    options: CreateOptions,
    discards: bool,
    keystore: LocalKeystore,
    uuid: Uuid,
}

impl NewScratch {
    /// # Safety
    /// As [`atrest_volume_create_scratch`].
    pub(crate) unsafe fn of(
        size: u64,
        sector_size: usize,
        flags: u32,
        keystore: *const c_char,
    ) -> Result<NewScratch, Failure> {
        let discards = Flags::of(flags, ATREST_VOLUME_DISCARD)?.discards;
        let options = create_options(size, sector_size)?;
        // SAFETY: this function's contract.
        let keystore = LocalKeystore::open_or_create(unsafe { keystore_path(keystore)? })?;
        Ok(NewScratch { options, discards, keystore, uuid: new_uuid()? })
    }

    /// Makes the key, with a note for people where the volume lies, and the volume.
    pub(crate) fn make(&self, storage: AnyStorage, place: Option<&Path>) -> Result<atrest_volume, Failure> {
        let (envelope, keys) = self.keystore.create_scratch(self.uuid, place)?;
        let volume = Volume::create(storage, &self.options, envelope, &keys)?;
        Ok(atrest_volume::new(volume.allow_discards(self.discards)))
    }

    /// What was made; on failure no key is left.
    pub(crate) fn or_no_key(&self, made: Result<atrest_volume, Failure>) -> Result<atrest_volume, Failure> {
        made.inspect_err(|_| {
            // Best effort: there is an error already that says more.
            let _ = self.keystore.destroy_scratch(self.uuid);
        })
    }
}

/// Destroys a volume: erases the key of a scratch volume, then overwrites both copies of the header and the area for
/// keyslots. Reads and writes no data. It can be repeated, and finishes what an interruption left; a key that is gone
/// already is no failure.
///
/// Before that the header is authenticated with the key that the keystore still has, and after it the key is proved to
/// open the header no more: a header that somebody put there cannot have another volume's key erased. Where no key of the
/// keystore opens it, the UUID must be given.
///
/// `path`: the volume's file, or what was its file if `uuid` names the volume. `uuid`: NULL, or the 16 bytes of the
/// volume's UUID, for a header that is damaged or that no key opens, or a file that is gone. `keystore`: as for
/// atrest_providers_add_local(); it need not exist. `flags`: 0, or ATREST_FORCE to overwrite the header of a volume that
/// is no scratch volume, whose keys stay, and to overwrite the first 16 MiB of a file without a header, or with a damaged
/// one that does not name the volume. `error`, `error_len`: as for atrest_volume_open(); on success it says if there was no key, or if
/// passphrases of cryptsetup's open copies of the header. Waits up to five seconds for the file's lock (flock); no
/// network.
///
/// Whoever has the volume open keeps its keys until it is closed. File systems and drives that write elsewhere than
/// they are told (flash, copy on write, snapshots), and backups of the keystore, may keep the key.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _FLAGS, _NEEDS_FORCE, _NOT_A_VOLUME (also if it has another
/// UUID), _DAMAGED without a UUID, _NO_EXPECTATION (no key opens it, and there is no UUID), _FORGED, _REENCRYPTED, _BUSY,
/// and what atrest_volume_open() answers for the file, which change nothing; _KEYSTORE_IO and _KEYSTORE_PERMISSIONS,
/// which leave the header as it was; _KEY_EXISTS (the key still opens the header, which is as it was), _IO, and _DAMAGED
/// for what does not read back: the key is gone.
///
/// # Safety
/// `path` is NULL or a NUL-terminated string, and so is `keystore`; `uuid` is NULL or readable for 16 bytes; `error` is
/// NULL or writable for `error_len` bytes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_destroy(
    path: *const c_char,
    uuid: *const u8,
    keystore: *const c_char,
    flags: u32,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        let file = || open_exclusively(as_path(pointer::string(path)?));
        destroy(file, uuid, keystore, flags, (error, error_len))
    }
}

/// A call that destroys the volume in what `storage` gives.
///
/// # Safety
/// As [`atrest_volume_destroy`]; `error` is a buffer and its length.
pub(crate) unsafe fn destroy<S: Storage>(
    storage: impl FnOnce() -> Result<S, Failure>,
    uuid: *const u8,
    keystore: *const c_char,
    flags: u32,
    error: (*mut c_char, usize),
) -> atrest_status {
    // SAFETY: this function's contract.
    unsafe {
        explained(error.0, error.1, |line| {
            let uuid = match uuid.is_null() {
                true => None,
                false => Some(Uuid::from_bytes(pointer::read(uuid.cast::<[u8; 16]>())?)),
            };
            let options = DestroyOptions::new(Expect::any()).uuid(uuid).force(force(flags)?);
            let home = keystore_path(keystore)?;
            let keystore = match home.try_exists() {
                Ok(true) => Some(LocalKeystore::open(home)?),
                Ok(false) => None,
                // It may be there, with the key in it.
                Err(error) => {
                    let text = format!("cannot look for the keystore {}: {error}", home.display());
                    return Err(Failure::new(Code::KeystoreIo, text));
                }
            };
            let (uuid, erased, keyslots, scratch) = match (storage(), uuid) {
                (Err(failure), Some(uuid)) if failure.status == Code::NotFound => {
                    let erased =
                        keystore.as_ref().map_or(Ok(false), |keystore| keystore.destroy_scratch(uuid))?;
                    (uuid, erased, 0, true)
                }
                (storage, _) => {
                    let providers =
                        keystore.clone().map_or(Providers::new(), |keystore| Providers::new().with(keystore));
                    let done = Volume::destroy(&storage?, keystore.as_ref(), &providers, &options)?;
                    (done.uuid, done.key_erased, done.keyslots, done.class != Some(Class::Persistent))
                }
            };
            if keyslots != 0 {
                line.put("copies of the header open with the passphrases that cryptsetup gave it");
            } else if scratch && !erased {
                line.put(&format!(
                    "the volume {uuid} has no key in this keystore: it was erased before, or is in another one"
                ));
            }
            Ok(())
        })
    }
}

/// What the flags of a call say that takes ATREST_FORCE alone.
pub(crate) fn force(flags: u32) -> Result<bool, Code> {
    if flags & !ATREST_FORCE == 0 { Ok(flags != 0) } else { Err(Code::Flags) }
}

/// A volume's file for writing; a device that something else uses is refused by the system (open(2), O_EXCL without
/// O_CREAT).
fn open_exclusively(path: &Path) -> Result<File, Failure> {
    let device = std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_block_device());
    let mut flags = OFlags::NONBLOCK;
    if device && cfg!(target_os = "linux") {
        flags |= OFlags::EXCL;
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(flags.bits() as i32);
    checked(options.open(path).map_err(io_failure("opening the file"))?)
}
