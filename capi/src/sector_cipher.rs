//! Sectors of a volume, without I/O
//!
//! For engines that have I/O of their own (SPDK, io_uring, a hypervisor): from the bytes of a volume's header comes
//! what encrypts and decrypts its sectors by number, and what tells where they lie. dm-crypt and atrest_volume_read()
//! read the same. What such an engine has to do itself: keep writes of one sector apart, and notice that a key is
//! withdrawn.

use core::ffi::c_char;

use super::boundary::guarded;
use super::handle;
use super::iov::{Lists, iovec};
use super::pointer::{self, Buffers};
use super::providers::{atrest_providers, wait};
use super::status::atrest_status;
use atrest::Code;
use atrest::volume::{Header, SectorCipher, SectorError};
use atrest::xts::Direction;

/// What encrypts and decrypts the sectors of a volume. Nothing changes it once it is made: any number of threads may
/// use one at once, and so may a forked child.
#[allow(non_camel_case_types)]
pub struct atrest_sector_cipher {
    cipher: SectorCipher,
    /// Whether somebody said what is expected of the volume.
    may_encrypt: bool,
}

impl atrest_sector_cipher {
    /// The cipher, for one direction.
    fn to(&self, direction: Direction) -> Result<&SectorCipher, atrest_status> {
        match direction {
            Direction::Encrypt if !self.may_encrypt => Err(Code::NoExpectation.into()),
            _ => Ok(&self.cipher),
        }
    }
}

/// How many bytes from the beginning of a storage hold a volume's header: 32 KiB for most, at most 8 MiB.
///
/// `start`: the first `len` bytes of the storage, 4096 or more. Where they do not tell, because they are damaged or no
/// header, it is 8 MiB: the header's second copy may be anywhere in there. 0 for NULL. Any thread may call it at any
/// time.
///
/// # Safety
/// `start` is NULL or readable for `len` bytes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_volume_header_length(start: *const u8, len: usize) -> usize {
    // SAFETY: this function's own contract.
    match unsafe { pointer::bytes(start, len) } {
        Ok(start) if !start.is_empty() => Header::length(start) as usize,
        _ => 0,
    }
}

/// Makes the cipher of a volume from its header: has its key unwrapped, and checks with it that nobody else changed the
/// header.
///
/// `header`: the first `header_len` bytes of the storage, as many as atrest_volume_header_length() says, or all where
/// the storage has less; not needed any more once this has returned. `providers`, `timeout_ms`: as for
/// atrest_volume_open(), but that a cipher of a set without an expectation decrypts alone; this call may wait on a
/// network. `*out` receives the cipher; free it with atrest_sector_cipher_free(). On failure `*out` is NULL. `error`,
/// `error_len`: as for atrest_volume_open(), warnings included.
///
/// Reads the environment variable ATREST_BACKEND, as atrest_xts_new() does.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, and what atrest_volume_open() answers for what is in the
/// file and for its key. That the storage is as long as atrest_sector_cipher_storage_length() is for you to check. Any
/// number of threads may use one set of providers.
///
/// # Safety
/// `header` is NULL or readable for `header_len` bytes; `providers` is NULL or a set; `out` is NULL or writable;
/// `error` is NULL or writable for `error_len` bytes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_sector_cipher_new(
    header: *const u8,
    header_len: usize,
    providers: *const atrest_providers,
    timeout_ms: i32,
    out: *mut *mut atrest_sector_cipher,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        handle::make(out, error, error_len, |line| {
            let providers = pointer::reference(providers)?;
            if header.is_null() {
                return Err(Code::Null.into());
            }
            let (header, warnings) = Header::parse(pointer::bytes(header, header_len)?)?;
            let envelope = header.envelope()?.ok_or(Code::NotAVolume)?;
            let expect = providers.expected();
            let opened = wait(timeout_ms, envelope.open(&providers.providers, &expect))?;
            let cipher = SectorCipher::new(&header, &opened.keys, &expect)?;
            line.warn(&warnings);
            Ok(atrest_sector_cipher { cipher, may_encrypt: providers.expects() })
        })
    }
}

/// Wipes and frees a cipher. NULL is fine. No other thread may be using it.
///
/// # Safety
/// `cipher` is NULL or a cipher that has not been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn atrest_sector_cipher_free(cipher: *mut atrest_sector_cipher) {
    // SAFETY: this function's own contract.
    unsafe { handle::free(cipher) }
}

/// The exact size of the volume in bytes, which need not be a whole number of sectors; 0 for a NULL cipher. Any thread
/// may call it at any time.
///
/// # Safety
/// `cipher` is NULL or a cipher.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_sector_cipher_size(cipher: *const atrest_sector_cipher) -> u64 {
    // SAFETY: this function's own contract.
    unsafe { pointer::reference(cipher) }.map_or(0, |cipher| cipher.cipher.size())
}

/// The size of a sector in bytes: 512, 1024, 2048 or 4096; 0 for a NULL cipher. Any thread may call it at any time.
///
/// # Safety
/// `cipher` is NULL or a cipher.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_sector_cipher_sector_size(cipher: *const atrest_sector_cipher) -> usize {
    // SAFETY: this function's own contract.
    unsafe { pointer::reference(cipher) }.map_or(0, |cipher| cipher.cipher.sector_size())
}

/// Where sector 0 lies, in bytes from the beginning of the storage, a multiple of 512; the others follow. 0 for a NULL
/// cipher. Any thread may call it at any time.
///
/// # Safety
/// `cipher` is NULL or a cipher.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_sector_cipher_data_offset(cipher: *const atrest_sector_cipher) -> u64 {
    // SAFETY: this function's own contract.
    unsafe { pointer::reference(cipher) }.map_or(0, |cipher| cipher.cipher.data_offset())
}

/// How long the storage must be to hold all sectors, the last one whole, in bytes; 0 for a NULL cipher. Any thread may
/// call it at any time.
///
/// # Safety
/// `cipher` is NULL or a cipher.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_sector_cipher_storage_length(cipher: *const atrest_sector_cipher) -> u64 {
    // SAFETY: this function's own contract.
    unsafe { pointer::reference(cipher) }.map_or(0, |cipher| cipher.cipher.storage_length())
}

/// Encrypts whole sectors of the volume, of which the first has the number `first_sector`; number 0 is the first of the
/// volume, whatever the sector size.
///
/// `len`: a whole number of sectors, in bytes; 0 does nothing. `dst` == `src` (in place), or the two do not overlap.
/// Neither needs any alignment. What lies in the last sector beyond the volume's size should be zeros.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _OVERLAP, _DATA_LENGTH, _OUT_OF_BOUNDS (a sector that the
/// volume does not have), _NO_EXPECTATION (the providers that the cipher was made with expect nothing, see
/// atrest_providers_expect()); `dst` is untouched then. Allocates nothing, takes no lock, uses up to 16 KiB of stack; any
/// number of threads may use one cipher.
///
/// # Safety
/// `cipher` is NULL or a cipher; `src` is NULL or readable and `dst` NULL or writable for `len` bytes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_sector_cipher_encrypt(
    cipher: *const atrest_sector_cipher,
    first_sector: u64,
    src: *const u8,
    dst: *mut u8,
    len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe { data_call(Direction::Encrypt, cipher, first_sector, src, dst, len) }
}

/// Decrypts whole sectors of the volume: the reverse of atrest_sector_cipher_encrypt(), with the same arguments and
/// results. As with atrest_xts_decrypt_sectors(), ATREST_OK does not say that the plaintext is right.
///
/// # Safety
/// As atrest_sector_cipher_encrypt().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_sector_cipher_decrypt(
    cipher: *const atrest_sector_cipher,
    first_sector: u64,
    src: *const u8,
    dst: *mut u8,
    len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe { data_call(Direction::Decrypt, cipher, first_sector, src, dst, len) }
}

/// Encrypts whole sectors of the volume that lie in pieces of memory, from the pieces `src` into the pieces `dst`; as
/// atrest_sector_cipher_encrypt() otherwise, with the lists of atrest_xts_encrypt_iov().
///
/// Returns what atrest_sector_cipher_encrypt() does; also ATREST_ERROR_LENGTH_MISMATCH. Uses up to 28 KiB of stack.
///
/// # Safety
/// `cipher` is NULL or a cipher; the rest as atrest_xts_encrypt_iov().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_sector_cipher_encrypt_iov(
    cipher: *const atrest_sector_cipher,
    first_sector: u64,
    src: *const iovec,
    src_count: usize,
    dst: *const iovec,
    dst_count: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe { iov_call(Direction::Encrypt, cipher, first_sector, (src, src_count), (dst, dst_count)) }
}

/// Decrypts whole sectors of the volume that lie in pieces of memory: the reverse of
/// atrest_sector_cipher_encrypt_iov(), with the same arguments and results. As with atrest_xts_decrypt_sectors(),
/// ATREST_OK does not say that the plaintext is right.
///
/// # Safety
/// As atrest_sector_cipher_encrypt_iov().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_sector_cipher_decrypt_iov(
    cipher: *const atrest_sector_cipher,
    first_sector: u64,
    src: *const iovec,
    src_count: usize,
    dst: *const iovec,
    dst_count: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe { iov_call(Direction::Decrypt, cipher, first_sector, (src, src_count), (dst, dst_count)) }
}

/// # Safety
/// As [`atrest_sector_cipher_encrypt`].
#[inline(always)]
unsafe fn data_call(
    direction: Direction,
    cipher: *const atrest_sector_cipher,
    first_sector: u64,
    src: *const u8,
    dst: *mut u8,
    len: usize,
) -> atrest_status {
    guarded(|| {
        // SAFETY: the C caller's contract.
        let (cipher, buffers) =
            unsafe { (pointer::reference(cipher)?.to(direction)?, pointer::buffers(src, dst, len)?) };
        done(match (direction, buffers) {
            (Direction::Encrypt, Buffers::Same(data)) => cipher.encrypt(first_sector, data),
            (Direction::Encrypt, Buffers::Apart(src, dst)) => cipher.encrypt_to(first_sector, src, dst),
            (Direction::Decrypt, Buffers::Same(data)) => cipher.decrypt(first_sector, data),
            (Direction::Decrypt, Buffers::Apart(src, dst)) => cipher.decrypt_to(first_sector, src, dst),
        })
    })
}

/// # Safety
/// As [`atrest_sector_cipher_encrypt_iov`].
unsafe fn iov_call(
    direction: Direction,
    cipher: *const atrest_sector_cipher,
    first_sector: u64,
    src: (*const iovec, usize),
    dst: (*const iovec, usize),
) -> atrest_status {
    guarded(|| {
        // SAFETY: the C caller's contract.
        let (cipher, mut lists) =
            unsafe { (pointer::reference(cipher)?.to(direction)?, Lists::new(src, dst)?) };
        let len = lists.len();
        let (source, target) = (lists.source.as_mut(), &mut lists.target);
        // SAFETY: both lists have `len` bytes; the rest is the C caller's contract.
        done(unsafe { cipher.crypt_pieces(direction, first_sector, source, target, len) })
    })
}

fn done(result: Result<(), SectorError>) -> Result<(), atrest_status> {
    result.map_err(|error| error.code().into())
}
