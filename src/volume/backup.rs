//! Backups of a volume's header: both copies and the area for keyslots, as `cryptsetup luksHeaderBackup` makes them and
//! `luksHeaderRestore` takes them.

use super::difference::HeaderDifference;
use super::edit::Locked;
use super::error::{
    BackupError, Changed, NotRestored, ReadHeaderError, RestoreError, StorageError, Truncated, random,
};
use super::geometry::Geometry;
use super::header::{Header, disagreement, fault, settled};
use crate::keys::{Expect, Uuid};
use crate::luks2::{HeaderCopy, NotSupported, ParseError, Warning, escaped};
use crate::storage::{Kind, MemoryStorage, Storage};

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
/// use atrest::keys::Expect;
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
/// let expect = Expect::volume(backup.header().uuid());
/// HeaderBackup::parse(&stored)?.restore(&file, &expect, false)?;
/// Volume::open(file, &Providers::new().with(keystore), &expect, Mode::ReadWrite)?;
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
    /// Takes a backup of the header of the volume in `storage`: 16 MiB for a volume that was made here. If one copy is
    /// damaged, or they differ, the backup has the one that is used twice, and the warnings say so; the volume is left
    /// as it is. While somebody changes the header it is read again, for ten seconds at most.
    ///
    /// # Errors
    /// [`BackupError`], with [`NotSupported`] for more than 128 MiB of keyslots.
    pub fn take<S: Storage + ?Sized>(storage: &S) -> Result<(HeaderBackup, Vec<Warning>), BackupError> {
        let disagrees = |read: &Result<(HeaderBackup, Vec<Warning>), BackupError>| match read {
            Ok((backup, warnings)) => disagreement(&backup.header, warnings),
            Err(BackupError::Changed(_)) => Some(String::new()),
            Err(BackupError::Header(error)) => fault(error),
            Err(_) => None,
        };
        settled(storage, || HeaderBackup::read_once(storage), disagrees)
    }

    /// The same for a backup in memory.
    ///
    /// # Errors
    /// As for [`HeaderBackup::read`].
    pub fn parse(bytes: &[u8]) -> Result<HeaderBackup, BackupError> {
        let storage = MemoryStorage::from(bytes);
        HeaderBackup::read(&storage).map(|(backup, _)| backup)
    }

    /// Reads a backup from the storage that it was saved in. What follows the header is not read: a copy of a whole
    /// volume serves as well.
    ///
    /// # Errors
    /// As for [`HeaderBackup::take`].
    pub fn read<S: Storage + ?Sized>(storage: &S) -> Result<(HeaderBackup, Vec<Warning>), BackupError> {
        HeaderBackup::read_once(storage)
    }

    fn read_once<S: Storage + ?Sized>(storage: &S) -> Result<(HeaderBackup, Vec<Warning>), BackupError> {
        let (header, _) = Header::read_once(storage)?;
        let keyslots = header.keyslots_size();
        if keyslots > MAX_KEYSLOTS {
            let why =
                format!("its area for keyslots takes {keyslots} bytes, and at most {MAX_KEYSLOTS} are read");
            return Err(NotSupported(why).into());
        }
        let (length, needed) = (length(storage)?, header.area_length());
        if length < needed {
            return Err(Truncated { length, needed }.into());
        }
        let mut bytes = vec![0; needed as usize];
        match storage.read_at(&mut bytes, 0) {
            Ok(()) => {}
            // A copy on bad sectors is written anew below, from the other.
            Err(_) => {
                let from = 2 * header.copy_size();
                let keyslots = storage.read_at(&mut bytes[from as usize..], from);
                keyslots.map_err(StorageError::of("reading the area for keyslots"))?;
                let warnings = Header::read_once(storage)?.1;
                encode_both(&header, &mut bytes)?;
                return Ok((HeaderBackup { header, bytes }, warnings));
            }
        }
        // What counts is what was read now: the storage may have changed meanwhile.
        let (header, warnings) = Header::parse(&bytes)?;
        if header.area_length() != needed {
            return Err(Changed.into());
        }
        if !warnings.is_empty() {
            encode_both(&header, &mut bytes)?;
        }
        Ok((HeaderBackup { header, bytes }, warnings))
    }

    /// The header in it.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The backup as it is stored, in the format of cryptsetup's.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Puts the backup in the place of the header of the volume in `storage`, which must be open for reading and writing.
    /// The sequence number becomes higher than both; whoever has the volume open keeps its keys.
    ///
    /// The backup must be that of an [expected](Expect) volume, as far as it can be said without its keys. Nothing in it is
    /// authenticated: opening the volume does that.
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
    /// [`RestoreError`]. [`NotRestored`] is what force overrides. After failures of the writing one valid copy is there if
    /// one was before; else nothing is changed.
    pub fn restore<S: Storage + ?Sized>(
        &self,
        storage: &S,
        expect: &Expect,
        force: bool,
    ) -> Result<HeaderRestored, RestoreError> {
        self.header.check(expect)?;
        let locked = Locked::take_all(storage)?;
        let length = length(storage)?;
        let kind = storage.kind().map_err(StorageError::of("asking for the file's type"))?;
        let mut found = Vec::new();
        let current = match locked.read() {
            Ok((header, _)) => Some(header),
            Err(ReadHeaderError::Destroyed(note)) => {
                found.extend(other_volume(&self.header, note.uuid));
                None
            }
            Err(ReadHeaderError::Header(error @ ParseError::Luks1)) => return Err(error.into()),
            Err(ReadHeaderError::Header(_)) => None,
            Err(ReadHeaderError::Storage(error)) => return Err(error.into()),
        };
        if let Some(current) = &current {
            found.extend(between(&self.header, current));
        }
        if let (None, Err(error)) = (&current, self.header.data_cipher()) {
            found.push(HeaderDifference::Unplaced(error.to_string()));
        }
        let exact = current.is_none() && kind != Kind::Fixed;
        found.extend(other_length(&self.header, length, exact));
        if !force && !found.is_empty() {
            return Err(NotRestored(found).into());
        }
        let needed = self.bytes.len() as u64;
        if length < needed {
            return Err(Truncated { length, needed }.into());
        }
        let mut header = Header::from(self.header.in_place_of(current.as_deref()));
        let area = 2 * self.header.copy_size();
        if let Some(current) = &current {
            locked.secure(current.used_copy(), current.copy_size())?;
        }
        locked.overwrite(&self.bytes[area as usize..], area)?;
        locked.write(&mut header)?;
        Ok(HeaderRestored { header, compared: current.is_some(), differences: found })
    }
}

fn length<S: Storage + ?Sized>(storage: &S) -> Result<u64, StorageError> {
    storage.len().map_err(StorageError::of("finding the length of the file"))
}

/// Writes both copies alike to the beginning of `bytes`, with the sequence number that the header has.
fn encode_both(header: &Header, bytes: &mut [u8]) -> Result<(), BackupError> {
    let copies = bytes.chunks_exact_mut(header.copy_size() as usize);
    for (copy, to) in [HeaderCopy::First, HeaderCopy::Second].into_iter().zip(copies) {
        to.copy_from_slice(&header.encode(copy, &random()?)?);
    }
    Ok(())
}

/// Whether the backup is one of this volume.
fn other_volume(backup: &Header, volume: Uuid) -> Option<HeaderDifference> {
    let backup = backup.uuid();
    (backup != volume).then_some(HeaderDifference::Uuid { backup, volume })
}

/// What differs from a header that can be read. A backup that is newer than the header takes nothing back that its
/// owner did since, so that what opens the volume is compared for older ones alone.
fn between(backup: &Header, current: &Header) -> Vec<HeaderDifference> {
    let mut found = Vec::new();
    found.extend(other_volume(backup, current.uuid()));
    let layouts = layout(backup).into_iter().zip(layout(current));
    for ((what, backup), (_, volume)) in layouts.filter(|(backup, volume)| backup != volume) {
        found.push(HeaderDifference::Layout { what, backup, volume });
    }
    let (old, new) = (backup.sequence(), current.sequence());
    if old > new {
        return found;
    }
    if old < new {
        found.push(HeaderDifference::Older { backup: old, volume: new });
    }
    // A token that is damaged says nothing of wrappings.
    let wrappings = backup.envelope().is_ok() && current.envelope().is_ok();
    let [then, now] = [backup, current].map(|header| openers(header, wrappings));
    let only = |these: &[Opener], others: &[Opener]| -> Vec<String> {
        these.iter().filter(|opener| !others.contains(opener)).map(|opener| opener.name.clone()).collect()
    };
    found.extend(only(&then, &now).into_iter().map(HeaderDifference::BringsBack));
    found.extend(only(&now, &then).into_iter().map(HeaderDifference::TakesAway));
    found
}

/// Whether the file has the length of the backup's volume: that very length, or at least as much.
fn other_length(backup: &Header, length: u64, exact: bool) -> Option<HeaderDifference> {
    let own = backup.size().ok().flatten();
    let (segment, cipher) = backup.data_cipher().ok()?;
    let geometry = Geometry::new(segment, cipher, own.or(segment.size).unwrap_or(0));
    let needed = geometry.storage_length().unwrap_or(u64::MAX);
    // Volumes of other tools reach to the end of whatever they are in.
    let fits = if exact && own.is_some() { length == needed } else { length >= needed };
    (!fits).then_some(HeaderDifference::Length { needed, length })
}

/// What decides where data lies and how it is read.
fn layout(header: &Header) -> [(&'static str, String); 4] {
    let segments = header.segments().iter().map(|segment| {
        let size = segment.size.map_or("to the end".to_owned(), |size| format!("{size} bytes"));
        let cipher = segment.cipher.as_ref().map(|cipher| {
            let encryption = escaped(&cipher.encryption);
            format!(", {encryption} in sectors of {} from {}", cipher.sector_size, cipher.iv_tweak)
        });
        format!("from byte {}, {size}{}", segment.offset, cipher.unwrap_or_default())
    });
    let size = header.size().ok().flatten().map_or("not known".to_owned(), |size| format!("{size} bytes"));
    [
        ("header size", format!("{} bytes", header.copy_size())),
        ("area for keyslots", format!("{} bytes", header.keyslots_size())),
        ("place for its data", segments.collect::<Vec<_>>().join(" and ")),
        ("size", size),
    ]
}

/// Something that opens a volume.
#[derive(PartialEq)]
struct Opener {
    name: String,
    /// What tells it from another of that name.
    detail: String,
}

/// The wrappings of the root key, if they are asked for, and the keyslots of cryptsetup's.
fn openers(header: &Header, wrappings: bool) -> Vec<Opener> {
    let mut all = Vec::new();
    if let (true, Ok(Some(envelope))) = (wrappings, header.envelope()) {
        for slot in envelope.slots() {
            let material = slot.material.as_ref().map(|id| format!(" (material {id})")).unwrap_or_default();
            let name = format!("the wrapping by {}:{}{material}", slot.provider, slot.key);
            all.push(Opener { name, detail: String::new() });
        }
    }
    for keyslot in header.keyslots() {
        let name = format!("cryptsetup's keyslot {}", keyslot.id);
        all.push(Opener { name, detail: header.keyslot_json(keyslot.id) });
    }
    all
}
