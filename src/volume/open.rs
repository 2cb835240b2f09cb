//! Opening a volume: with its envelope's keys, or with a raw volume key.

use super::cipher::SectorCipher;
use super::data_path::{Mode, OpenedSlot, Volume};
use super::edit::{check_writable, claim};
use super::error::{OpenError, StorageError};
use super::geometry::Geometry;
use super::header::{Header, OwnToken};
use crate::keys::{Envelope, Expect, Opened, Providers, VolumeKeys, block_on};
use crate::luks2::Warning;
use crate::storage::{Claim, Lock, Storage};
use std::sync::Arc;

impl<S: Storage> Volume<S> {
    /// Opens a volume: its header is read and checked, it is held against what is [expected](Expect), its envelope opened by
    /// one of `providers`, and the header authenticated, before any data is touched. Nothing is written. Blocks until the
    /// provider has answered.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(
        storage: S,
        providers: &Providers,
        expect: &Expect,
        mode: Mode,
    ) -> Result<Volume<S>, OpenError> {
        block_on(Volume::open_async(storage, providers, expect, mode))
    }

    /// [`Volume::open`] for callers on an asynchronous runtime. Only the provider is awaited: the storage is read in
    /// place, at most 8 MiB of header.
    ///
    /// # Errors
    /// As for [`Volume::open`].
    pub async fn open_async(
        storage: S,
        providers: &Providers,
        expect: &Expect,
        mode: Mode,
    ) -> Result<Volume<S>, OpenError> {
        let closed = ClosedVolume::read(storage, mode)?;
        let opened = closed.unwrap(providers, expect).await?;
        closed.open(&opened, expect)
    }

    /// Opens a volume with keys that were unwrapped earlier, for example to open it once more. Of what is expected, that
    /// which concerns the volume is checked; which key-encryption key unwrapped these is not known.
    ///
    /// # Errors
    /// As for [`Volume::open`], with [`WrongKeys`](super::WrongKeys) for the keys of another volume.
    pub fn open_with_keys(
        storage: S,
        keys: &VolumeKeys,
        expect: &Expect,
        mode: Mode,
    ) -> Result<Volume<S>, OpenError> {
        ClosedVolume::read(storage, mode)?.open_with(keys, expect, None)
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
        let (lock, header, warnings) = read(&storage, mode)?;
        let cipher = SectorCipher::of_volume_key(&header, key, length(&storage)?)?;
        let mut volume = Volume::assemble(storage, cipher, header, warnings, mode).holding(lock);
        volume.is_enveloped = false;
        Ok(volume)
    }
}

/// A volume whose header was read, once, and whose keys are to come: for those who choose key providers by what is in the
/// envelope.
///
/// ```
/// use atrest::volume::{ClosedVolume, Mode};
/// # use atrest::keys::{Class, Envelope, Expect, LocalKeystore, Providers, block_on, new_uuid};
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
/// let expect = Expect::any().and_provider("local");
/// let opened = block_on(closed.unwrap(&providers, &expect))?;
/// let volume = closed.open(&opened, &expect)?;
/// assert_eq!((volume.size(), volume.slot()), (1000, Some(0)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ClosedVolume<S: Storage> {
    storage: S,
    mode: Mode,
    lock: Lock,
    header: Header,
    warnings: Vec<Warning>,
    own: OwnToken,
}

impl<S: Storage> ClosedVolume<S> {
    /// Reads the header, for [`Mode::ReadWrite`] once nobody else may write. What the header alone rules out is refused here,
    /// before a key service is asked.
    ///
    /// # Errors
    /// [`OpenError`], but for what needs the keys.
    pub fn read(storage: S, mode: Mode) -> Result<ClosedVolume<S>, OpenError> {
        let (lock, header, warnings) = read(&storage, mode)?;
        let own = header.own_token()?;
        Ok(ClosedVolume { storage, mode, lock, header, warnings, own })
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

    /// Checks that the volume is an expected one, and has its keys unwrapped by one of the providers: the slots that are
    /// expected are tried in order.
    ///
    /// # Errors
    /// [`Unexpected`](crate::keys::Unexpected), before a provider is asked;
    /// [`NoSlotOpened`](crate::keys::NoSlotOpened).
    pub async fn unwrap(&self, providers: &Providers, expect: &Expect) -> Result<Opened, OpenError> {
        self.own.check(expect)?;
        Ok(self.own.envelope.open(providers, expect).await?)
    }

    /// Authenticates the header with the volume's keys, and opens the volume.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(self, opened: &Opened, expect: &Expect) -> Result<Volume<S>, OpenError> {
        let slot = OpenedSlot { number: opened.slot, failures: Arc::clone(&opened.failures) };
        self.open_with(&opened.keys, expect, Some(slot))
    }

    fn open_with(
        self,
        keys: &VolumeKeys,
        expect: &Expect,
        slot: Option<OpenedSlot>,
    ) -> Result<Volume<S>, OpenError> {
        self.own.check(expect)?;
        self.header.authenticate(&self.own, keys)?;
        let size = Some(self.own.token.size());
        let geometry = Geometry::within(&self.header, size, length(&self.storage)?)?;
        let cipher = SectorCipher::with(keys.xts_key(), geometry.with_holes(self.own.token.holes()))?;
        let mut volume = Volume::assemble(self.storage, cipher, self.header, self.warnings, self.mode);
        volume.expect = expect.clone();
        volume.slot = slot;
        Ok(volume.holding(self.lock))
    }
}

fn read<S: Storage>(storage: &S, mode: Mode) -> Result<(Lock, Header, Vec<Warning>), OpenError> {
    let lock = match mode {
        Mode::ReadOnly => Lock::none(),
        Mode::ReadWrite => {
            check_writable(storage)?;
            claim(storage, Claim::Data)?
        }
    };
    let (header, warnings) = Header::read(storage)?;
    header.data_segment()?;
    Ok((lock, header, warnings))
}

fn length<S: Storage>(storage: &S) -> Result<u64, StorageError> {
    storage.len().map_err(StorageError::of("finding the length of the file"))
}
