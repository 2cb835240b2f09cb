//! Opening a volume: with its envelope's keys, or with a raw volume key.

use super::cipher::SectorCipher;
use super::data_path::{Mode, Volume};
use super::edit::check_writable;
use super::error::{OpenError, StorageError};
use super::geometry::Geometry;
use super::header::{Header, OwnToken};
use crate::keys::{Envelope, Providers, VolumeKeys, block_on};
use crate::luks2::Warning;
use crate::storage::Storage;

impl<S: Storage> Volume<S> {
    /// Opens a volume: its header is read and checked, its envelope opened by one of `providers`, and the header
    /// authenticated, before any data is touched. Nothing is written. Blocks until the provider has answered.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(storage: S, providers: &Providers, mode: Mode) -> Result<Volume<S>, OpenError> {
        block_on(Volume::open_async(storage, providers, mode))
    }

    /// [`Volume::open`] for callers on an asynchronous runtime. Only the provider is awaited: the storage is read in
    /// place, at most 8 MiB of header.
    ///
    /// # Errors
    /// As for [`Volume::open`].
    pub async fn open_async(storage: S, providers: &Providers, mode: Mode) -> Result<Volume<S>, OpenError> {
        let closed = ClosedVolume::read(storage, mode)?;
        let keys = closed.envelope().open(providers).await?;
        closed.open(&keys)
    }

    /// Opens a volume with keys that were unwrapped earlier, for example to open it once more.
    ///
    /// # Errors
    /// As for [`Volume::open`], with [`WrongKeys`](super::WrongKeys) for the keys of another volume.
    pub fn open_with_keys(storage: S, keys: &VolumeKeys, mode: Mode) -> Result<Volume<S>, OpenError> {
        ClosedVolume::read(storage, mode)?.open(keys)
    }

    /// Opens a LUKS2 volume with its raw volume key of 32 or 64 bytes, whatever tool made it. The key is checked
    /// against the digest in the header, for at most 10 million iterations.
    ///
    /// **The header is not authenticated**: only the root key can do that. Who can write to the disk decides which
    /// part of it is decrypted. The size is that of the segment, or the exact one in the atrest token of a volume
    /// made here.
    ///
    /// # Errors
    /// As for [`Volume::open`], with [`VolumeKeyError`](crate::luks2::VolumeKeyError).
    pub fn open_with_volume_key(storage: S, key: &[u8], mode: Mode) -> Result<Volume<S>, OpenError> {
        let (header, warnings) = read(&storage, mode)?;
        let cipher = SectorCipher::with_volume_key(&header, key, length(&storage)?)?;
        let mut volume = Volume::assemble(storage, cipher, header, warnings, mode);
        volume.is_enveloped = false;
        Ok(volume)
    }
}

/// A volume whose header was read, once, and whose keys are to come: for those who choose key providers by what is in the
/// envelope.
///
/// ```
/// use atrest::volume::{ClosedVolume, Mode};
/// # use atrest::keys::{Class, Envelope, LocalKeystore, Providers, block_on, new_uuid};
/// # use atrest::storage::MemoryStorage;
/// # use atrest::volume::{CreateOptions, Volume};
/// # use std::sync::Arc;
/// # let dir = tempfile::tempdir()?;
/// # let keystore = LocalKeystore::open_or_create(dir.path().join("keys"))?;
/// # keystore.ensure_key("default")?;
/// # let (envelope, keys) = block_on(Envelope::create(&keystore, "default", new_uuid()?, Class::Persistent))?;
/// # let storage = Arc::new(MemoryStorage::growable());
/// # Volume::create(Arc::clone(&storage), &CreateOptions::new(1000), envelope, &keys)?;
///
/// let closed = ClosedVolume::read(storage, Mode::ReadOnly)?;
/// let mut providers = Providers::new();
/// for slot in closed.envelope().slots() {
///     if slot.provider == "local" {
///         providers = providers.with(keystore.clone());
///     }
/// }
/// let keys = block_on(closed.envelope().open(&providers))?;
/// let volume = closed.open(&keys)?;
/// assert_eq!(volume.size(), 1000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ClosedVolume<S: Storage> {
    storage: S,
    mode: Mode,
    header: Header,
    warnings: Vec<Warning>,
    own: OwnToken,
}

impl<S: Storage> ClosedVolume<S> {
    /// Reads the header. What it alone rules out is refused here, before a key service is asked.
    ///
    /// # Errors
    /// [`OpenError`], but for what needs the keys.
    pub fn read(storage: S, mode: Mode) -> Result<ClosedVolume<S>, OpenError> {
        let (header, warnings) = read(&storage, mode)?;
        let own = header.own_token()?;
        Ok(ClosedVolume { storage, mode, header, warnings, own })
    }

    /// The header, which is not authenticated yet.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The envelope in it.
    pub fn envelope(&self) -> &Envelope {
        &self.own.envelope
    }

    /// What the user should be told of the header.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Authenticates the header with the volume's keys, and opens the volume.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(self, keys: &VolumeKeys) -> Result<Volume<S>, OpenError> {
        self.header.authenticate(&self.own, keys)?;
        let size = Some(self.own.token.size());
        let geometry = Geometry::within(&self.header, size, length(&self.storage)?)?;
        let cipher = SectorCipher::with(keys.xts_key(), geometry)?;
        Ok(Volume::assemble(self.storage, cipher, self.header, self.warnings, self.mode))
    }
}

fn read<S: Storage>(storage: &S, mode: Mode) -> Result<(Header, Vec<Warning>), OpenError> {
    if mode == Mode::ReadWrite {
        check_writable(storage)?;
    }
    let (header, warnings) = Header::read(storage)?;
    header.data_segment()?;
    Ok((header, warnings))
}

fn length<S: Storage>(storage: &S) -> Result<u64, StorageError> {
    storage.len().map_err(StorageError::of("finding the length of the file"))
}
