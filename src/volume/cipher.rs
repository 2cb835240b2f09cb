//! A volume without I/O: a cipher for its sectors, and where they lie.

use core::fmt;

use super::error::{OpenError, OutOfBounds, SectorError};
use super::geometry::Geometry;
use super::header::Header;
use crate::keys::{Expect, VolumeKeys};
use crate::luks2::NotSupported;
use crate::stack::on_wiped_stack;
use crate::xts::{Backend, Direction, Key, Piece, PieceMut, Pieces, TweakSource, Tweaks};

/// Encrypts and decrypts the sectors of a volume for an engine that has its own input and output (SPDK, io_uring, a
/// hypervisor), and tells it where they lie. It is made from the bytes of a header and the keys of its envelope, and does
/// no I/O itself: sector `n` of the volume is the [`sector_size`](SectorCipher::sector_size) bytes at
/// [`position`](SectorCipher::position)`(n)` of the storage.
///
/// Its sectors are those of [`Volume`](super::Volume), of dm-crypt and of cryptsetup. It may be used by many threads at
/// once. What it does not do: keep a write of a part of a sector from another one (read, change and write whole sectors
/// under a lock of your own), and notice that a key is withdrawn.
///
/// ```
/// use atrest::volume::{Header, SectorCipher};
/// # use atrest::keys::{Class, Envelope, Expect, LocalKeystore, Providers, block_on, new_uuid};
/// # use atrest::storage::{MemoryStorage, Storage};
/// # use atrest::volume::{CreateOptions, Volume};
/// # use std::sync::Arc;
/// # let dir = tempfile::tempdir()?;
/// # let keystore = LocalKeystore::open_or_create(dir.path().join("keys"))?;
/// # keystore.ensure_key("default")?;
/// # let (envelope, keys) = block_on(Envelope::create(&keystore, "default", new_uuid()?, Class::Persistent))?;
/// # let device = Arc::new(MemoryStorage::growable());
/// # Volume::create(Arc::clone(&device), &CreateOptions::new(1 << 20), envelope, &keys)?.write_at(&[7; 4096], 8192)?;
/// # let providers = Providers::new().with(keystore);
/// # let read = |offset: u64, length: u64| { let mut bytes = vec![0; length as usize]; device.read_at(&mut bytes, offset).map(|()| bytes) };
/// // The engine reads: first what tells how much, then the header.
/// let length = Header::length(&read(0, 4096)?).min(device.len()?);
/// let (header, warnings) = Header::parse(&read(0, length)?)?;
/// assert!(warnings.is_empty());
/// let envelope = header.envelope()?.ok_or("a volume of another tool")?;
/// let expect = Expect::volume(header.uuid()); // better: the pin that was printed when the volume was made
/// let opened = block_on(envelope.open(&providers, &expect))?;
/// let cipher = SectorCipher::new(&header, &opened.keys, &expect)?;
///
/// // Sector 2, by the engine's own means.
/// let mut sector = read(cipher.position(2), cipher.sector_size() as u64)?;
/// cipher.decrypt(2, &mut sector)?;
/// assert_eq!(sector, [7; 4096]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SectorCipher {
    /// Boxed because a move would leave copies of the round keys behind.
    key: Box<Key>,
    geometry: Geometry,
}

impl SectorCipher {
    /// The cipher of a volume with an atrest token, if it is an [expected](Expect) one. The header is authenticated with the
    /// keys.
    ///
    /// Whether the storage is long enough is up to the caller: [`storage_length`](SectorCipher::storage_length).
    ///
    /// # Errors
    /// [`OpenError`]: what [`Header::data_segment`](crate::luks2::Header::data_segment) gives; no token, or a damaged
    /// one; [`Unexpected`](crate::keys::Unexpected); [`Forged`](super::Forged), [`Reencrypted`](super::Reencrypted) and
    /// [`WrongKeys`](super::WrongKeys).
    ///
    /// # Panics
    /// In a forked child of the process that made the keys, see [`Secret::expose`](crate::keys::Secret::expose).
    pub fn new(header: &Header, keys: &VolumeKeys, expect: &Expect) -> Result<SectorCipher, OpenError> {
        let own = header.own_token()?;
        own.check(expect)?;
        header.authenticate(&own, keys)?;
        // The size is in the token, so that no length of a storage decides it.
        let geometry = Geometry::within(header, Some(own.token.size()), u64::MAX)?;
        refuse_holes(own.token.holes())?;
        SectorCipher::with(keys.xts_key(), geometry)
    }

    /// The cipher of any LUKS2 volume that is opened here, whatever tool made it, with its raw volume key of 32 or 64
    /// bytes. The key is checked against the digest in the header. **The header is not authenticated**: who can write to
    /// the storage decides which part of it is decrypted. `storage_length`, in bytes, is the size's measure where the
    /// header has none.
    ///
    /// # Errors
    /// [`OpenError`]: what [`Header::data_segment`](crate::luks2::Header::data_segment) and
    /// [`Header::check_volume_key`](crate::luks2::Header::check_volume_key) give;
    /// [`Truncated`](super::Truncated) for a storage that is too short.
    pub fn with_volume_key(
        header: &Header,
        key: &[u8],
        storage_length: u64,
    ) -> Result<SectorCipher, OpenError> {
        refuse_holes(header.holes()?)?;
        SectorCipher::of_volume_key(header, key, storage_length)
    }

    /// The same for a volume, which knows of holes.
    pub(super) fn of_volume_key(
        header: &Header,
        key: &[u8],
        storage_length: u64,
    ) -> Result<SectorCipher, OpenError> {
        header.check_volume_key(key)?;
        let geometry = Geometry::within(header, header.size()?, storage_length)?;
        SectorCipher::with(key, geometry.with_holes(header.holes()?))
    }

    /// Expands the key where it is to stay.
    pub(super) fn with(key: &[u8], geometry: Geometry) -> Result<SectorCipher, OpenError> {
        let key = on_wiped_stack(|| Key::new(key).map(Box::new))?;
        Ok(SectorCipher { key, geometry })
    }

    /// The volume's exact size in bytes; it need not be a whole number of sectors.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.geometry.size
    }

    /// The size of a sector in bytes: 512, 1024, 2048 or 4096.
    #[must_use]
    pub fn sector_size(&self) -> usize {
        self.geometry.sector_size
    }

    /// How many sectors the volume has. The last one is whole: what is in it beyond the volume's size is zero.
    #[must_use]
    pub fn sectors(&self) -> u64 {
        self.geometry.sectors()
    }

    /// Where sector 0 lies, in bytes from the beginning of the storage: a multiple of 512.
    #[must_use]
    pub fn data_offset(&self) -> u64 {
        self.geometry.offset
    }

    /// Where a sector of the volume lies, in bytes from the beginning of the storage.
    ///
    /// # Panics
    /// For one that the volume does not have, if its place is above 2^64.
    #[must_use]
    pub fn position(&self, sector: u64) -> u64 {
        self.geometry.position(sector)
    }

    /// How long the storage must be to hold the volume, in bytes.
    #[must_use]
    pub fn storage_length(&self) -> u64 {
        self.geometry.storage_length().unwrap_or(u64::MAX)
    }

    /// The code that encrypts and decrypts.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.key.backend()
    }

    /// Encrypts whole sectors in place; the first one has the number `first`.
    ///
    /// # Errors
    /// [`OutOfBounds`](super::OutOfBounds) for sectors that the volume does not have, and
    /// [`xts::Error::DataLength`](crate::xts::Error::DataLength) for less than a sector; `data` is then untouched.
    pub fn encrypt(&self, first: u64, data: &mut [u8]) -> Result<(), SectorError> {
        let tweaks = self.tweaks(first, data.len())?;
        Ok(self.key.encrypt_sectors(tweaks, self.sector_size(), data)?)
    }

    /// Decrypts whole sectors in place; the reverse of [`encrypt`](SectorCipher::encrypt).
    ///
    /// # Errors
    /// As for [`encrypt`](SectorCipher::encrypt).
    pub fn decrypt(&self, first: u64, data: &mut [u8]) -> Result<(), SectorError> {
        let tweaks = self.tweaks(first, data.len())?;
        Ok(self.key.decrypt_sectors(tweaks, self.sector_size(), data)?)
    }

    /// Encrypts whole sectors from `src` to `dst`, which is as long.
    ///
    /// # Errors
    /// As for [`encrypt`](SectorCipher::encrypt), and
    /// [`xts::Error::LengthMismatch`](crate::xts::Error::LengthMismatch); `dst` is then untouched.
    pub fn encrypt_to(&self, first: u64, src: &[u8], dst: &mut [u8]) -> Result<(), SectorError> {
        let tweaks = self.tweaks(first, src.len())?;
        Ok(self.key.encrypt_sectors_to(tweaks, self.sector_size(), src, dst)?)
    }

    /// Decrypts whole sectors from `src` to `dst`; the reverse of [`encrypt_to`](SectorCipher::encrypt_to).
    ///
    /// # Errors
    /// As for [`encrypt_to`](SectorCipher::encrypt_to).
    pub fn decrypt_to(&self, first: u64, src: &[u8], dst: &mut [u8]) -> Result<(), SectorError> {
        let tweaks = self.tweaks(first, src.len())?;
        Ok(self.key.decrypt_sectors_to(tweaks, self.sector_size(), src, dst)?)
    }

    /// Encrypts whole sectors in place that lie in pieces of memory (`&mut [u8]` or `IoSliceMut`), cut anywhere; see
    /// [`Key::encrypt_sectors_vectored`].
    ///
    /// # Errors
    /// As for [`encrypt`](SectorCipher::encrypt).
    pub fn encrypt_vectored(&self, first: u64, data: &mut [impl PieceMut]) -> Result<(), SectorError> {
        let tweaks = self.tweaks(first, total_mut(data))?;
        Ok(self.key.encrypt_sectors_vectored(tweaks, self.sector_size(), data)?)
    }

    /// Decrypts whole sectors in place that lie in pieces of memory; the reverse of
    /// [`encrypt_vectored`](SectorCipher::encrypt_vectored).
    ///
    /// # Errors
    /// As for [`encrypt`](SectorCipher::encrypt).
    pub fn decrypt_vectored(&self, first: u64, data: &mut [impl PieceMut]) -> Result<(), SectorError> {
        let tweaks = self.tweaks(first, total_mut(data))?;
        Ok(self.key.decrypt_sectors_vectored(tweaks, self.sector_size(), data)?)
    }

    /// Encrypts whole sectors from the pieces `src` to the pieces `dst`, which may be cut in other places but are equally
    /// long in all.
    ///
    /// # Errors
    /// As for [`encrypt_to`](SectorCipher::encrypt_to).
    pub fn encrypt_vectored_to(
        &self,
        first: u64,
        src: &[impl Piece],
        dst: &mut [impl PieceMut],
    ) -> Result<(), SectorError> {
        let tweaks = self.tweaks(first, total_mut(dst))?;
        Ok(self.key.encrypt_sectors_vectored_to(tweaks, self.sector_size(), src, dst)?)
    }

    /// Decrypts whole sectors from the pieces `src` to the pieces `dst`; the reverse of
    /// [`encrypt_vectored_to`](SectorCipher::encrypt_vectored_to).
    ///
    /// # Errors
    /// As for [`encrypt_to`](SectorCipher::encrypt_to).
    pub fn decrypt_vectored_to(
        &self,
        first: u64,
        src: &[impl Piece],
        dst: &mut [impl PieceMut],
    ) -> Result<(), SectorError> {
        let tweaks = self.tweaks(first, total_mut(dst))?;
        Ok(self.key.decrypt_sectors_vectored_to(tweaks, self.sector_size(), src, dst)?)
    }

    /// Encrypts or decrypts whole sectors, `len` bytes, that lie in pieces of memory which the caller describes, for
    /// bindings whose lists of pieces are not Rust's; in place where `src` is `None`. See [`Key::crypt_pieces`].
    ///
    /// # Errors
    /// As for [`encrypt`](SectorCipher::encrypt).
    ///
    /// # Panics
    /// As for [`Key::crypt_pieces`].
    ///
    /// # Safety
    /// Those of [`Key::crypt_pieces`].
    #[allow(unsafe_code, reason = "the promises are passed on as they are")]
    pub unsafe fn crypt_pieces<S: Pieces, D: Pieces>(
        &self,
        direction: Direction,
        first: u64,
        src: Option<&mut S>,
        dst: &mut D,
        len: usize,
    ) -> Result<(), SectorError> {
        let tweaks = TweakSource::from(self.tweaks(first, len)?);
        // SAFETY: this function's contract is that one's.
        Ok(unsafe { self.key.crypt_pieces(direction, tweaks, self.sector_size(), src, dst, len) }?)
    }

    /// The same for a volume of another size, in bytes.
    pub(super) fn resized(mut self, size: u64) -> SectorCipher {
        self.geometry.size = size;
        self
    }

    pub(super) fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// The tweaks of `length` bytes from a sector on, which the volume has.
    fn tweaks(&self, first: u64, length: usize) -> Result<Tweaks, SectorError> {
        let sectors = (length / self.geometry.sector_size) as u64;
        match first.checked_add(sectors) {
            Some(end) if end <= self.geometry.sectors() => Ok(self.geometry.tweaks(first)),
            _ => Err(self.out_of_bounds(first, length).into()),
        }
    }

    #[cold]
    fn out_of_bounds(&self, first: u64, length: usize) -> OutOfBounds {
        let offset = first.saturating_mul(self.geometry.sector_size as u64);
        OutOfBounds { offset, length: length as u64, size: self.geometry.size }
    }
}

/// Engines of others would show what zeros decrypt to.
fn refuse_holes(holes: bool) -> Result<(), NotSupported> {
    let why =
        || "its holes read as zeros, which a cipher of sectors does not know: open it as a volume".to_owned();
    if holes { Err(NotSupported(why())) } else { Ok(()) }
}

/// The same source may occur any number of times, so that the sum need not fit; no destination is that long.
fn total_mut(pieces: &[impl PieceMut]) -> usize {
    pieces.iter().map(|piece| piece.len()).fold(0, usize::saturating_add)
}

/// Shows no secret.
impl fmt::Debug for SectorCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SectorCipher")
            .field("size", &self.size())
            .field("sector_size", &self.sector_size())
            .field("data_offset", &self.data_offset())
            .field("backend", &self.backend())
            .finish_non_exhaustive()
    }
}
