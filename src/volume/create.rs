//! Making a new volume.

use super::cipher::SectorCipher;
use super::data_path::{Mode, Volume};
use super::edit::{check_writable, claim, write};
use super::error::{
    CreateError, EnvelopeTooLarge, NewHeaderError, OpenError, OptionsError, StorageError, TargetError,
    WrongKeys, random,
};
use super::geometry::{Geometry, MAX_SECTOR};
use super::header::{Header, header_key, token_message};
use crate::keys::{Envelope, VolumeKeys};
use crate::luks2::{self, Digest, LABEL_SIZE, NewHeader, Segment, Token};
use crate::storage::{Claim, Kind, Storage};

/// Where a new volume's data begins, in bytes: cryptsetup's default, which leaves room for 32 keyslots.
pub(super) const DATA_OFFSET: u64 = 16 * 1024 * 1024;
/// The largest new volume in bytes: the file's length stays below 2^63.
pub(super) const MAX_SIZE: u64 = i64::MAX as u64 - DATA_OFFSET - MAX_SECTOR as u64;

/// What a new volume is like.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CreateOptions {
    /// The exact size in bytes, 0 to 2^63 - 16 MiB - 4097; any number, not only whole sectors.
    pub size: u64,
    /// The encryption sector in bytes: 512, 1024, 2048 or 4096.
    pub sector_size: usize,
    /// A label of at most 47 bytes, which `blkid` and udev show; it is not secret and not authenticated.
    pub label: String,
    /// Whether holes read as zeros: [`CreateOptions::holes`].
    pub holes: bool,
}

impl CreateOptions {
    /// A volume of `size` bytes with sectors of 4096 bytes and no label.
    #[must_use]
    pub fn new(size: u64) -> CreateOptions {
        CreateOptions { size, sector_size: 4096, label: String::new(), holes: false }
    }

    /// With another sector size.
    #[must_use]
    pub fn sector_size(mut self, sector_size: usize) -> CreateOptions {
        self.sector_size = sector_size;
        self
    }

    /// With a label.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> CreateOptions {
        self.label = label.into();
        self
    }

    /// With holes that read as zeros: a sector that is all zeros in the storage, because it was never written, because
    /// [`Writer::append_zeros`](super::Writer::append_zeros) left it out or [`Volume::discard`] gave it back, is zeros in the
    /// volume. Elsewhere it is what zeros decrypt to, which has no meaning.
    ///
    /// It has its price. Holes show everybody which sectors are zeros. Whoever can write to the storage can make any sector
    /// zeros, and not only noise. And dm-crypt knows nothing of it and would show noise, so the header says what a reader must
    /// know, for which cryptsetup refuses the volume; [`SectorCipher`] does too.
    #[must_use]
    pub fn holes(mut self, holes: bool) -> CreateOptions {
        self.holes = holes;
        self
    }

    /// Refuses what no volume can be, before anything is made for it.
    ///
    /// # Errors
    /// [`OptionsError`].
    pub fn check(&self) -> Result<(), OptionsError> {
        if !(matches!(self.sector_size, 512 | 1024 | 2048 | 4096)) {
            return Err(OptionsError::SectorSize(self.sector_size));
        }
        if self.size > MAX_SIZE {
            return Err(OptionsError::Size { size: self.size, limit: MAX_SIZE });
        }
        if self.label.len() >= LABEL_SIZE || self.label.contains('\0') {
            return Err(OptionsError::Label { length: self.label.len() });
        }
        Ok(())
    }

    /// To the storage's end, as cryptsetup makes it; the exact size is in the token.
    fn segment(&self) -> Segment {
        Segment::to_the_end(DATA_OFFSET, self.sector_size as u32)
    }

    /// Where the data of a volume like this one lies.
    pub(super) fn geometry(&self) -> Geometry {
        let segment = self.segment();
        let cipher = segment.cipher.as_ref().expect("a new segment is encrypted");
        Geometry::new(&segment, cipher, self.size).with_holes(self.holes)
    }
}

impl<S: Storage> Volume<S> {
    /// Makes a volume in a storage that grows and is empty (a regular file), which becomes 16 MiB longer than the volume
    /// (and sparse), or in one of a fixed length (a block device), whose first 16 MiB are overwritten. `envelope` and
    /// `keys` are those of [`Envelope::create`]; the volume's UUID is the envelope's.
    ///
    /// The header is on the disk when this returns. The data area is left as it is: until it is written, reading it
    /// gives bytes without meaning. The storage must be open for reading and writing.
    ///
    /// # Errors
    /// [`CreateError`]. [`OptionsError`], [`WrongKeys`], [`TargetError`], [`NotWritable`](super::NotWritable) and
    /// [`Busy`](super::Busy) leave the storage as it is. After the others one that grows is empty again, and in one of a fixed length one copy of the
    /// header may stand.
    pub fn create(
        storage: S,
        options: &CreateOptions,
        envelope: Envelope,
        keys: &VolumeKeys,
    ) -> Result<Volume<S>, CreateError> {
        let (needed, cipher) = begin(options, &envelope, keys)?;
        let mut header = new_header(options, &envelope, keys)?;
        let target = Target::of(&storage, needed)?;
        let lock = claim(&storage, Claim::Data)?;
        let changing = claim(&storage, Claim::Header)?;
        let cleared = target.clear(&storage, needed).map_err(CreateError::from);
        let written = cleared.and_then(|()| Ok(write(&storage, &mut header)?));
        written.inspect_err(|_| target.give_up(&storage))?;
        drop(changing);
        Ok(Volume::assemble(storage, cipher, header, Vec::new(), Mode::ReadWrite).holding(lock))
    }
}

/// What comes before anything is made: refuses what no volume can be, and the keys of another envelope. Gives the length
/// of the volume's storage, and its cipher.
pub(super) fn begin(
    options: &CreateOptions,
    envelope: &Envelope,
    keys: &VolumeKeys,
) -> Result<(u64, SectorCipher), CreateError> {
    options.check()?;
    if !envelope.is_for(keys) {
        return Err(WrongKeys.into());
    }
    let geometry = options.geometry();
    let too_large = OptionsError::Size { size: options.size, limit: MAX_SIZE };
    Ok((geometry.storage_length().ok_or(too_large)?, cipher(geometry, keys)?))
}

/// The cipher of a new volume.
pub(super) fn cipher(geometry: Geometry, keys: &VolumeKeys) -> Result<SectorCipher, CreateError> {
    SectorCipher::with(keys.xts_key(), geometry).map_err(|error| match error {
        OpenError::Cipher(error) => error.into(),
        error => unreachable!("only the key is looked at: {error}"),
    })
}

/// What a volume is made in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Growable,
    Fixed,
}

impl Target {
    /// After a failure: nothing stays in a storage that grows. Best effort: the error that there is already says more
    /// than one from here would.
    pub(super) fn give_up<S: Storage>(self, storage: &S) {
        if self == Target::Growable {
            let _ = storage.set_len(0);
        }
    }

    /// Looks at the storage without changing it.
    pub(super) fn of<S: Storage>(storage: &S, needed: u64) -> Result<Target, CreateError> {
        let target = match storage.kind().map_err(StorageError::of("asking for the file's type"))? {
            Kind::Growable => Target::Growable,
            Kind::Fixed => Target::Fixed,
            Kind::Unfit => return Err(TargetError::Unfit.into()),
        };
        check_writable(storage)?;
        let length = storage.len().map_err(StorageError::of("finding the length of the file"))?;
        match target {
            Target::Growable if length != 0 => Err(TargetError::NotEmpty { length }.into()),
            Target::Fixed if length < needed => Err(TargetError::TooSmall { length, needed }.into()),
            _ => Ok(target),
        }
    }

    /// Makes everything before the data zero, so that no older header stands where a second copy is looked for.
    pub(super) fn clear<S: Storage>(self, storage: &S, needed: u64) -> Result<(), StorageError> {
        match self {
            Target::Growable => storage.set_len(needed).map_err(StorageError::of("extending the file")),
            // On the disk before any data is: an older header must not open what is another volume's.
            Target::Fixed => {
                let cleared = storage.write_zeros(DATA_OFFSET, 0).and_then(|()| storage.sync());
                cleared.map_err(StorageError::of("clearing the header area"))
            }
        }
    }
}

/// The header of a new volume, after [`begin`].
pub(super) fn new_header(
    options: &CreateOptions,
    envelope: &Envelope,
    keys: &VolumeKeys,
) -> Result<Header, NewHeaderError> {
    let (uuid, segment) = (envelope.volume(), options.segment());
    let digest = Digest::of(keys.xts_key(), &random()?);
    let token = Token::new(0, envelope.to_json(), options.size, 0).with_holes(options.holes);
    let message = token_message(&token, uuid, &segment, Some(&digest), envelope);
    let code = keys.authenticate(header_key(&token), &message);
    let token = token.with_authentication(&code);
    let new = NewHeader { uuid, label: &options.label, segment: &segment, token: &token, digest: &digest };
    Ok(luks2::Header::new(&new).map_err(EnvelopeTooLarge)?.into())
}
