//! Making a new volume.

use std::fs::File;
use std::os::unix::fs::{FileExt as _, FileTypeExt as _};

use serde_json::{Value, json};

use super::error::Error;
use super::header::{Header, fits};
use super::io::{Geometry, MAX_SECTOR, Mode, Volume, expand};
use super::json::Object;
use super::luks2::{BINARY_SIZE, Contents, LABEL_SIZE, SIZES};
use super::metadata::{Digest, Metadata, Segment, SegmentCipher};
use super::token::Token;
use super::{digest, disk, policy};
use crate::keys::{Envelope, VolumeKeys};
use crate::xts::Key;

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
}

impl CreateOptions {
    /// A volume of `size` bytes with sectors of 4096 bytes and no label.
    pub fn new(size: u64) -> CreateOptions {
        CreateOptions { size, sector_size: 4096, label: String::new() }
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

    /// Refuses what no volume can be, before anything is made for it.
    ///
    /// # Errors
    /// [`Error::SectorSize`], [`Error::Size`], [`Error::Label`].
    pub fn check(&self) -> Result<(), Error> {
        if !(matches!(self.sector_size, 512 | 1024 | 2048 | 4096)) {
            return Err(Error::SectorSize(self.sector_size));
        }
        if self.size > MAX_SIZE {
            return Err(Error::Size { size: self.size, limit: MAX_SIZE });
        }
        if self.label.len() >= LABEL_SIZE || self.label.contains('\0') {
            return Err(Error::Label { length: self.label.len() });
        }
        Ok(())
    }

    pub(super) fn geometry(&self) -> Geometry {
        Geometry { offset: DATA_OFFSET, size: self.size, sector_size: self.sector_size, iv_tweak: 0 }
    }
}

impl Volume {
    /// Makes a volume in an empty regular file, which becomes 16 MiB longer than the volume (and sparse), or on a
    /// block device, whose first 16 MiB are overwritten. `envelope` and `keys` are those of
    /// [`Envelope::create`]; the volume's UUID is the envelope's.
    ///
    /// The header is on the disk when this returns. The data area is left as it is: until it is written, reading it
    /// gives bytes without meaning. `file` must be open for reading and writing.
    ///
    /// # Errors
    /// [`Error::SectorSize`], [`Error::Size`], [`Error::Label`], [`Error::WrongKeys`], [`Error::NotEmpty`],
    /// [`Error::FileType`], [`Error::FileReadOnly`], [`Error::FileAppends`], [`Error::DeviceTooSmall`], which leave the file as it is;
    /// [`Error::Io`], [`Error::NotVerified`], [`Error::Random`], after which a regular file is empty again, and on a block
    /// device one copy of the header may stand.
    pub fn create(
        file: File,
        options: &CreateOptions,
        envelope: Envelope,
        keys: &VolumeKeys,
    ) -> Result<Volume, Error> {
        let (needed, key) = begin(options, &envelope, keys)?;
        let mut header = new_header(options, envelope, keys)?;
        let target = Target::of(&file, needed)?;
        let written = target.clear(&file, needed).and_then(|()| header.write(&file));
        written.inspect_err(|_| target.give_up(&file))?;
        Ok(Volume::assemble(file, key, header, Vec::new(), options.geometry(), Mode::ReadWrite))
    }
}

/// What comes before anything is made: refuses what no volume can be, and the keys of another envelope. Gives the length
/// of the volume's file, and its XTS key.
pub(super) fn begin(
    options: &CreateOptions,
    envelope: &Envelope,
    keys: &VolumeKeys,
) -> Result<(u64, Box<Key>), Error> {
    options.check()?;
    if !envelope.is_for(keys) {
        return Err(Error::WrongKeys);
    }
    let needed = options.geometry().file_length();
    let needed = needed.ok_or(Error::Size { size: options.size, limit: MAX_SIZE })?;
    Ok((needed, expand(keys.xts_key())?))
}

/// What a volume is made in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    RegularFile,
    BlockDevice,
}

impl Target {
    /// After a failure: nothing stays in a regular file. Best effort: the error that there is already says more than one
    /// from here would.
    pub(super) fn give_up(self, file: &File) {
        if self == Target::RegularFile {
            let _ = file.set_len(0);
        }
    }

    /// Looks at the file without changing it.
    pub(super) fn of(file: &File, needed: u64) -> Result<Target, Error> {
        let kind = file.metadata().map_err(Error::io("asking for the file's type"))?.file_type();
        let target = match () {
            () if kind.is_file() => Target::RegularFile,
            () if kind.is_block_device() => Target::BlockDevice,
            () => return Err(Error::FileType),
        };
        disk::check_writable(file)?;
        let length = disk::length(file)?;
        match target {
            Target::RegularFile if length != 0 => Err(Error::NotEmpty { length }),
            Target::BlockDevice if length < needed => Err(Error::DeviceTooSmall { length, needed }),
            _ => Ok(target),
        }
    }

    /// Makes everything before the data zero, so that no older header stands where a second copy is looked for.
    pub(super) fn clear(self, file: &File, needed: u64) -> Result<(), Error> {
        match self {
            Target::RegularFile => file.set_len(needed).map_err(Error::io("extending the file")),
            Target::BlockDevice => {
                let zeros = vec![0; 1 << 20];
                (0..DATA_OFFSET).step_by(zeros.len()).try_for_each(|offset| {
                    file.write_all_at(&zeros, offset).map_err(Error::io("clearing the header area"))
                })
            }
        }
    }
}

/// The header of a new volume, after [`begin`].
pub(super) fn new_header(
    options: &CreateOptions,
    envelope: Envelope,
    keys: &VolumeKeys,
) -> Result<Header, Error> {
    let uuid = envelope.volume();
    let segment = Segment {
        id: 0,
        kind: "crypt".into(),
        offset: DATA_OFFSET,
        // To the file's end, as cryptsetup makes it; the exact size is in the token.
        size: None,
        cipher: Some(SegmentCipher {
            encryption: policy::CIPHER.into(),
            sector_size: options.sector_size as u32,
            iv_tweak: 0,
        }),
        other: Vec::new(),
    };
    let token = Token::new(envelope, options.size, uuid, &segment, keys).to_json()?;
    let digest = digest::new(keys.xts_key())?;
    let (size, object) = sized(&token, &digest, &segment)?;
    let mut label = [0; LABEL_SIZE];
    label[..options.label.len()].copy_from_slice(options.label.as_bytes());
    let metadata = Metadata::new(object, size).map_err(Error::Token)?;
    let subsystem = [0; LABEL_SIZE];
    Ok(Header::new(Contents { size, sequence: 0, label, subsystem, uuid, metadata }))
}

/// The header's JSON, and the smallest size for a copy in which it takes at most half: the rest is for the keyslots
/// and tokens that cryptsetup may add. An envelope of the largest size leaves that room in the larger copies.
fn sized(token: &Value, digest: &Digest, segment: &Segment) -> Result<(u64, Object), Error> {
    for size in SIZES {
        let object = metadata_json(token, digest, segment, size);
        let half = (size as usize - BINARY_SIZE) / 2;
        if fits(&object, size).is_ok_and(|json| json.len() <= half) {
            return Ok((size, object));
        }
    }
    Err(Error::Token("its envelope is too large for a header".into()))
}

fn metadata_json(token: &Value, digest: &Digest, segment: &Segment, size: u64) -> Object {
    let json = json!({
        "keyslots": {},
        "tokens": { "0": token },
        "segments": { "0": segment.to_json() },
        "digests": { "0": digest.to_json() },
        "config": {
            "json_size": (size - BINARY_SIZE as u64).to_string(),
            "keyslots_size": (DATA_OFFSET - 2 * size).to_string(),
        },
    });
    match json {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}
