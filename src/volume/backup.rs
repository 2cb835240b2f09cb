//! Backups of a volume's header: both copies and the area for keyslots, as `cryptsetup luksHeaderBackup` makes them and
//! `luksHeaderRestore` takes them.

use std::fs::File;
use std::os::unix::fs::FileTypeExt as _;

use super::differences::{self, HeaderDifference};
use super::disk::{self, Disk, HeaderLock};
use super::error::{Error, Warning};
use super::header::{Header, Source};

/// The largest area for keyslots, in bytes: cryptsetup's own limit. It bounds what is allocated for a header that says
/// anything.
const MAX_KEYSLOTS: u64 = 128 * 1024 * 1024;

/// A backup of a volume's header. Whoever has it, and the use of a key that wrapped the volume's key when it was made,
/// opens the volume: whatever became of its header since.
///
/// Nothing in it is authenticated; opening the volume with it does that.
///
/// ```
/// # use atrest::keys::{Class, Envelope, LocalKeystore, Providers, block_on, new_uuid};
/// use atrest::volume::{CreateOptions, HeaderBackup, Mode, Volume};
/// # use std::os::unix::fs::FileExt as _;
///
/// # let dir = tempfile::tempdir()?;
/// # let keystore = LocalKeystore::open_or_create(dir.path().join("keys"))?;
/// # keystore.ensure_key("default")?;
/// # let (envelope, keys) = block_on(Envelope::create(&keystore, "default", new_uuid()?, Class::Persistent))?;
/// # let file = std::fs::File::options().read(true).write(true).create_new(true).open(dir.path().join("v"))?;
/// # Volume::create(file.try_clone()?, &CreateOptions::new(7), envelope, &keys)?;
/// let (backup, _) = HeaderBackup::take(&file)?;
/// let stored = backup.as_bytes().to_vec();
///
/// file.write_all_at(&[0; 32768], 0)?; // an accident
/// HeaderBackup::parse(&stored)?.restore(&file, false)?;
/// Volume::open(file, &Providers::new().with(keystore), Mode::ReadWrite)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct HeaderBackup {
    header: Header,
    bytes: Vec<u8>,
}

/// What [`HeaderBackup::restore`] did.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HeaderRestored {
    /// The header as it now is on the disk.
    pub header: Header,
    /// Whether the volume's own header could be read, and was compared. Else the UUID of a destroyed volume and the
    /// length of the file are all that was held against the backup.
    pub compared: bool,
    /// What was restored all the same, by force.
    pub differences: Vec<HeaderDifference>,
}

impl HeaderBackup {
    /// Takes a backup of the header of the volume in `file`: 16 MiB for a volume that was made here. If one copy is
    /// damaged, or they differ, the backup has the one that is used twice, and the warnings say so; the volume is left
    /// as it is. The file's lock is held meanwhile, shared with other readers.
    ///
    /// # Errors
    /// What [`Header::read`] gives; [`Error::Busy`]; [`Error::Truncated`] for a file that is shorter than its header
    /// says; [`Error::Refused`] for more than 128 MiB of keyslots.
    pub fn take(file: &File) -> Result<(HeaderBackup, Vec<Warning>), Error> {
        let _lock = HeaderLock::take_shared(file)?;
        HeaderBackup::load(file)
    }

    /// Reads a backup from a file. What follows the header is not read: a copy of a whole volume serves as well.
    ///
    /// # Errors
    /// As for [`HeaderBackup::take`], but for the lock.
    pub fn read(file: &File) -> Result<(HeaderBackup, Vec<Warning>), Error> {
        HeaderBackup::load(file)
    }

    /// The same for a backup in memory.
    ///
    /// # Errors
    /// As for [`HeaderBackup::read`].
    pub fn parse(bytes: &[u8]) -> Result<HeaderBackup, Error> {
        HeaderBackup::load(bytes).map(|(backup, _)| backup)
    }

    fn load(source: &(impl Source + ?Sized)) -> Result<(HeaderBackup, Vec<Warning>), Error> {
        let (header, _) = Header::load(source)?;
        let keyslots = header.keyslots_size();
        if keyslots > MAX_KEYSLOTS {
            return Err(Error::Refused(format!(
                "its area for keyslots takes {keyslots} bytes, and at most {MAX_KEYSLOTS} are read"
            )));
        }
        let (length, needed) = (source.length()?, header.area_length());
        if length < needed {
            return Err(Error::Truncated { length, needed });
        }
        let mut bytes = vec![0; needed as usize];
        match source.fill(&mut bytes, 0) {
            Ok(()) => {}
            // A copy on bad sectors is written anew below, from the other.
            Err(_) => {
                let from = 2 * header.copy_size();
                let keyslots = &mut bytes[from as usize..];
                source.fill(keyslots, from).map_err(Error::io("reading the area for keyslots"))?;
                let warnings = Header::load(source)?.1;
                header.encode_both(&mut bytes)?;
                return Ok((HeaderBackup { header, bytes }, warnings));
            }
        }
        // What counts is what was read now: the file may have changed meanwhile.
        let (header, warnings) = Header::load(&bytes[..])?;
        if header.area_length() != needed {
            return Err(Error::Changed);
        }
        if !warnings.is_empty() {
            header.encode_both(&mut bytes)?;
        }
        Ok((HeaderBackup { header, bytes }, warnings))
    }

    /// The header in it.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The backup as it is stored, in the format of cryptsetup's.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Puts the backup in the place of the header of the volume in `file`, which must be open for reading and writing.
    /// The sequence number becomes higher than both; whoever has the volume open keeps its keys.
    ///
    /// The header that is there is compared first, if it can be read. Without `force` a backup of another volume, of
    /// another layout, or an older one is refused, with [what differs](HeaderDifference) and what it would bring back.
    /// If it cannot be read, the file must have the length that the backup's volume has.
    ///
    /// The area for keyslots comes first, then one copy of the header after the other, each synced and read back: so
    /// whenever that is interrupted, one valid copy is there if one was before, and it opens the volume. (Keyslots of
    /// cryptsetup's that differ open again once it is repeated.)
    ///
    /// # Errors
    /// [`Error::NotRestored`]; [`Error::Truncated`] for a file that is shorter than the backup; [`Error::Luks1`];
    /// [`Error::FileReadOnly`]; [`Error::FileAppends`]; [`Error::Busy`]: nothing is changed then. [`Error::Io`],
    /// [`Error::NotOverwritten`], [`Error::NotVerified`] and [`Error::Random`] from the writing.
    pub fn restore(&self, file: &File, force: bool) -> Result<HeaderRestored, Error> {
        disk::check_writable(file)?;
        let _lock = HeaderLock::take(file)?;
        let length = disk::length(file)?;
        let device = file.metadata().map_err(Error::io("asking for the file's type"))?.file_type();
        let mut found = Vec::new();
        let current = match Header::read(file) {
            Ok((header, _)) => Some(header),
            Err(Error::Destroyed(note)) => {
                found.extend(differences::uuid(&self.header, note.uuid));
                None
            }
            Err(Error::NotLuks | Error::Damaged { .. } | Error::TooShort { .. }) => None,
            Err(error) => return Err(error),
        };
        if let Some(current) = &current {
            found.extend(differences::between(&self.header, current));
        }
        if let (None, Err(error)) = (&current, self.header.data_cipher()) {
            found.push(HeaderDifference::Unplaced(error.to_string()));
        }
        let exact = current.is_none() && !device.is_block_device();
        found.extend(differences::length(&self.header, length, exact));
        if !force && !found.is_empty() {
            return Err(Error::NotRestored(found));
        }
        let needed = self.bytes.len() as u64;
        if length < needed {
            return Err(Error::Truncated { length, needed });
        }
        let mut header = self.header.in_place_of(current.as_ref());
        self.write(file, &mut header)?;
        Ok(HeaderRestored { header, compared: current.is_some(), differences: found })
    }

    /// Writes the area for keyslots, and both copies of the header.
    pub(super) fn write(&self, disk: &impl Disk, header: &mut Header) -> Result<(), Error> {
        let area = 2 * self.header.copy_size();
        disk::overwrite(disk, &self.bytes[area as usize..], area)?;
        header.write(disk)
    }
}
