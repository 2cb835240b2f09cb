//! Destroying a volume: the key first, where it is the volume's own, then the header and the area for keyslots.

use super::data_path::Volume;
use super::edit::{CHUNK, Locked};
use super::error::{
    DestroyError, NotAuthenticated, NotScratch, OtherVolume, OverwriteError, ReadHeaderError, StillOpens,
    StorageError, UuidMismatch,
};
use super::header::Header;
use super::tombstone::Tombstone;
use crate::keys::{
    Class, EnvelopeOpenError, ErrorClass, Expect, KeyProvider as _, LocalKeystore, Providers, Uuid, block_on,
};
use crate::luks2::{self, ParseError};
use crate::storage::Storage;

/// How much is overwritten where no header tells, in bytes: all that comes before the data of a volume made here.
const USUAL_AREA: u64 = super::create::DATA_OFFSET;

/// How a volume is destroyed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DestroyOptions {
    /// What the volume must be.
    pub expect: Expect,
    /// The volume's UUID, given by hand: where the file does not tell it any more, because its header is damaged or
    /// overwritten; and where no key opens the volume, so that nothing else proves which one it is.
    pub uuid: Option<Uuid>,
    /// Overwrite the header of a volume that is no scratch volume, too: copies of the header still open with its keys.
    /// Overwrite the first 16 MiB of a file without a header, or with a damaged one that does not name the volume, when a
    /// UUID is given.
    pub force: bool,
}

impl DestroyOptions {
    /// A scratch volume with a sound header, which is an expected one.
    #[must_use]
    pub const fn new(expect: Expect) -> DestroyOptions {
        DestroyOptions { expect, uuid: None, force: false }
    }

    /// With the volume's UUID.
    #[must_use]
    pub const fn uuid(mut self, uuid: Option<Uuid>) -> DestroyOptions {
        self.uuid = uuid;
        self
    }

    /// With or without force.
    #[must_use]
    pub const fn force(mut self, force: bool) -> DestroyOptions {
        self.force = force;
        self
    }
}

/// What [`Volume::destroy`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Destroyed {
    /// The volume's UUID.
    pub uuid: Uuid,
    /// Its class, as its header or what stood in that place said; `None` where nothing could be read.
    pub class: Option<Class>,
    /// How many keyslots of cryptsetup's the header had: copies of it open with their passphrases, whatever the class.
    pub keyslots: usize,
    /// Whether its header was authenticated with its keys. Else no key opened it, and its UUID was given by hand, or its key
    /// was being erased already.
    pub authenticated: bool,
    /// Whether a key of its own was in the keystore, and is erased now; the header that was there was proved not to open
    /// any more.
    pub key_erased: bool,
    /// How many bytes are overwritten now, from the beginning of the file; 0 for a file without a header, which is left
    /// as it was.
    pub overwritten: u64,
}

impl<S: Storage> Volume<S> {
    /// Destroys the volume in `storage`, which must be open for reading and writing: erases its own key in `keystore`
    /// ([`LocalKeystore::destroy_scratch`]), then overwrites both copies of its header and the area for keyslots with
    /// zeros, but for a note that says so. No data is read, and none is overwritten: it is ciphertext whose key is
    /// gone.
    ///
    /// Before that the volume is opened, by `keystore` or, where it is no scratch volume, by `providers`, and its header
    /// authenticated: a header that somebody else wrote cannot have another volume's key erased. If no key opens it, its
    /// [UUID](DestroyOptions::uuid) has to be given. Once the key is erased, it is tried again on the header that was there.
    ///
    /// It may be repeated, and finishes what an interruption left: at every moment either the header or the note is
    /// there to be read, and the key is gone before either changes. `keystore` is `None` where there is no keystore at all.
    ///
    /// Whoever has the volume open keeps the keys until it is closed. Of a volume that is no scratch volume, and with
    /// `force` only, the header alone is overwritten: its keys have a life of their own.
    ///
    /// # Errors
    /// [`DestroyError`]. When the key cannot be erased, which is [`DestroyError::Key`], the header
    /// is as it was; after [`StillOpens`], a [`StorageError`] from the writing, and
    /// [`NotOverwritten`](super::NotOverwritten), the key is gone; else nothing is changed.
    pub fn destroy(
        storage: &S,
        keystore: Option<&LocalKeystore>,
        providers: &Providers,
        options: &DestroyOptions,
    ) -> Result<Destroyed, DestroyError> {
        let locked = Locked::take_all(storage)?;
        let length = storage.len().map_err(StorageError::of("finding the length of the file"))?;
        let Found { uuid, class, keyslots, area, header } = examine(&locked, storage, options)?;
        let scratch = keystore.map_or(Providers::new(), |keystore| Providers::new().with(keystore.clone()));
        let providers = match class {
            Some(Class::Persistent) => providers.without_cache(),
            _ => scratch,
        };
        let named = options.uuid.is_some();
        // What was cut off is finished: it was asked for, and nothing opens the volume any more.
        let begun = keystore.map_or(Ok(false), |keystore| keystore.is_destroying_scratch(uuid))?;
        let authenticated = match &header {
            Some(header) if !begun => authenticate(header, &providers, options)?,
            _ => false,
        };
        // What is there may name any volume: a note, or a header without a token, is written by whoever writes the disk.
        if !(authenticated || begun || named) && keystore.is_some_and(|keystore| has_key(keystore, uuid)) {
            let why = "its key is there, and nothing on the storage is under it".to_owned();
            return Err(NotAuthenticated { volume: uuid, why }.into());
        }
        // A persistent volume has no key of its own, whatever UUID its header has; but whoever names the UUID means that one.
        let keystore = keystore.filter(|_| class != Some(Class::Persistent) || named);
        let key_erased = match keystore {
            Some(keystore) => keystore.destroy_scratch(uuid)?,
            None => false,
        };
        if let Some(header) = header.filter(|_| key_erased)
            && authenticate(&header, &providers, options).is_ok_and(|opens| opens)
        {
            return Err(StillOpens { volume: uuid }.into());
        }
        let overwritten = area.unwrap_or(0).min(length);
        if overwritten > 0 {
            wipe(&locked, &Tombstone { uuid, class, area: overwritten })?;
        }
        Ok(Destroyed { uuid, class, keyslots, authenticated, key_erased, overwritten })
    }
}

/// Whether the keystore has the own key of a scratch volume, as far as it can be said: one that cannot be read is there.
fn has_key(keystore: &LocalKeystore, volume: Uuid) -> bool {
    let described = block_on(keystore.describe(&LocalKeystore::scratch_key_name(volume)));
    described.map_or_else(|error| error.class() != ErrorClass::KeyNotFound, |_| true)
}

/// Opens the header with the keys that are there, and authenticates it. Where none opens it, its UUID must have been given.
fn authenticate(
    header: &Header,
    providers: &Providers,
    options: &DestroyOptions,
) -> Result<bool, DestroyError> {
    let Ok(own) = header.own_token() else { return Ok(false) };
    match block_on(own.envelope.open(providers, &options.expect)) {
        Ok(opened) => {
            header.authenticate(&own, &opened.keys)?;
            Ok(true)
        }
        Err(EnvelopeOpenError::Unexpected(error)) => Err(error.into()),
        Err(EnvelopeOpenError::NoSlotOpened(_)) if options.uuid.is_some() => Ok(false),
        Err(EnvelopeOpenError::NoSlotOpened(error)) => {
            let why = error.failures.iter().map(|slot| slot.error.to_string()).collect::<Vec<_>>().join("; ");
            Err(NotAuthenticated { volume: header.uuid(), why }.into())
        }
    }
}

/// What is to be destroyed.
struct Found {
    uuid: Uuid,
    class: Option<Class>,
    keyslots: usize,
    /// How much of the file comes before its data; `None` where the file is to be left alone.
    area: Option<u64>,
    /// The header, if it has an envelope.
    header: Option<Header>,
}

/// Which volume it is. Refuses what is not to be destroyed.
fn examine<S: Storage>(
    locked: &Locked<'_, S>,
    storage: &S,
    options: &DestroyOptions,
) -> Result<Found, DestroyError> {
    let headerless = |uuid, class, area| Ok(Found { uuid, class, keyslots: 0, area, header: None });
    let header = match (locked.read(), options.uuid) {
        (Ok((header, _)), _) => header,
        (Err(ReadHeaderError::Destroyed(Tombstone { uuid, class, area })), given) => {
            return headerless(agreed(uuid, given)?, class, Some(area));
        }
        (Err(ReadHeaderError::Header(ParseError::Damaged { .. })), Some(uuid)) => {
            // What is left of it must say so: it may be another volume's, which cannot be read just now.
            let ours =
                options.force || luks2::SIZES.into_iter().chain([0]).any(|at| names(storage, at, uuid));
            return headerless(uuid, None, ours.then_some(USUAL_AREA));
        }
        (Err(ReadHeaderError::Header(ParseError::NotLuks | ParseError::TooShort { .. })), Some(uuid)) => {
            // It may be anything: somebody made something else in its place.
            return headerless(uuid, None, options.force.then_some(USUAL_AREA));
        }
        (Err(ReadHeaderError::Storage(error)), _) => return Err(error.into()),
        (Err(ReadHeaderError::Header(error)), _) => return Err(error.into()),
    };
    header.check(&options.expect)?;
    let (envelope, class) = match header.envelope() {
        Ok(Some(envelope)) => (Some(envelope.volume()), Some(envelope.class())),
        Ok(None) => (None, None),
        // Who names the volume need not rely on a token that is damaged.
        Err(error) if options.uuid.is_none() && !options.force => return Err(error.into()),
        Err(_) => (None, None),
    };
    let uuid = match (options.uuid, envelope) {
        // Keys are named after the UUID that they were made for.
        (Some(uuid), Some(envelope)) if uuid == envelope => uuid,
        (None, Some(envelope)) if envelope != header.uuid() => {
            return Err(UuidMismatch { header: header.uuid(), envelope }.into());
        }
        (Some(given), Some(envelope)) if given == header.uuid() => {
            return Err(UuidMismatch { header: given, envelope }.into());
        }
        (given, _) => agreed(header.uuid(), given)?,
    };
    if class != Some(Class::Scratch) && !options.force {
        let keys = match header.envelope() {
            Ok(Some(envelope)) => {
                let names = envelope.slots().iter().map(|slot| format!("{}:{}", slot.provider, slot.key));
                names.collect::<Vec<_>>().join(" or ")
            }
            _ => "the passphrases that cryptsetup gave it".to_owned(),
        };
        return Err(NotScratch { keys }.into());
    }
    let (keyslots, area) = (header.keyslots().len(), Some(header.area_length()));
    Ok(Found { uuid, class, keyslots, area, header: class.map(|_| header) })
}

/// Whether the binary header at this place is of the volume, damaged or not.
fn names<S: Storage>(storage: &S, at: u64, uuid: Uuid) -> bool {
    let mut binary = [0; luks2::BINARY_SIZE];
    storage.read_at(&mut binary, at).is_ok() && luks2::peek_uuid(&binary) == Some(uuid)
}

/// The volume's UUID, unless somebody meant another.
fn agreed(uuid: Uuid, given: Option<Uuid>) -> Result<Uuid, OtherVolume> {
    match given {
        Some(given) if given != uuid => Err(OtherVolume { volume: uuid, given }),
        _ => Ok(uuid),
    }
}

/// Puts the note in the place of the header, and zeros behind it. Until the note is there the first copy of the header
/// is, and then, until it is overwritten, the second one.
fn wipe<S: Storage>(locked: &Locked<'_, S>, tombstone: &Tombstone) -> Result<(), OverwriteError> {
    let note = tombstone.to_bytes();
    let note = &note[..note.len().min(tombstone.area as usize)];
    locked.overwrite(note, 0)?;
    let zeros = vec![0; CHUNK];
    let mut offset = note.len() as u64;
    while offset < tombstone.area {
        // Up to a multiple of the chunk's length.
        let part = (CHUNK as u64 - offset % CHUNK as u64).min(tombstone.area - offset);
        locked.overwrite(&zeros[..part as usize], offset)?;
        offset += part;
    }
    Ok(())
}
