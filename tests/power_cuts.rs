//! Power cuts during every operation that changes a header, at every moment; bad sectors, and writes that are lost.
//!
//! On storage that tells each state in which a loss of power can leave it.
#![cfg(feature = "volume")]

mod common;

use std::io::ErrorKind;
use std::sync::Arc;

use atrest::Code;
use atrest::keys::{Envelope, Expect, Pin, Uuid, VolumeKeys, new_uuid};
use atrest::luks2::{HeaderCopy, HeaderFault, ParseError, Warning};
use atrest::storage::{Access, FaultyStorage, MemoryStorage, Operation, Storage};
use atrest::volume::{
    Changed, CreateOptions, DestroyError, DestroyOptions, Destroyed, Header, HeaderBackup, HeaderEdit,
    HeaderError, Mode, NotWritable, ReadHeaderError, Volume, WrappingChange, WrappingError, Writer, edit,
};
use common::{COPY, DATA_OFFSET, Place};

const CONTENT: &[u8] = b"content";

/// A place with the keys default and new.
fn place() -> Place {
    let place = Place::new();
    place.keystore.ensure_key("new").unwrap();
    place
}

/// A new volume with content, in memory.
fn volume(place: &Place) -> (MemoryStorage, VolumeKeys) {
    let (envelope, keys) = place.envelope();
    let storage = Arc::new(MemoryStorage::growable());
    let options = CreateOptions::new(CONTENT.len() as u64);
    let volume = Volume::create(Arc::clone(&storage), &options, envelope, &keys).unwrap();
    volume.write_at(CONTENT, 0).unwrap();
    (MemoryStorage::clone(&storage), keys)
}

fn read(storage: &impl Storage, offset: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    storage.read_at(&mut bytes, offset).unwrap();
    bytes
}

fn flip(storage: &impl Storage, offset: u64) {
    let byte = read(storage, offset, 1)[0];
    storage.write_at(&[byte ^ 1], offset).unwrap();
}

fn envelope_of(storage: &impl Storage) -> Envelope {
    Header::read(storage).unwrap().0.envelope().unwrap().unwrap()
}

/// The volume as it opens, and its envelope.
#[track_caller]
fn opens(place: &Place, left: MemoryStorage) -> Envelope {
    let volume = Volume::open(left, &place.providers(), &Expect::any(), Mode::ReadOnly).unwrap();
    let mut content = [0; CONTENT.len()];
    volume.read_at(&mut content, 0).unwrap();
    assert_eq!(content, CONTENT);
    volume.header().envelope().unwrap().unwrap()
}

/// Changes a volume, with either copy in use, and cuts the power at every moment: it opens each time, by the envelope
/// from before or the one from after.
#[track_caller]
fn survives(place: &Place, before: &MemoryStorage, change: impl Fn(&FaultyStorage)) {
    for damaged in [None, Some(0), Some(COPY as u64 + 5000)] {
        let before = before.clone();
        damaged.inspect(|at| flip(&before, *at));
        let old = envelope_of(&before);
        let storage = FaultyStorage::new(before);
        change(&storage);
        let new = envelope_of(&storage);
        let (mut with_old, mut with_new) = (0, 0);
        for cut in storage.power_cuts() {
            match opens(place, cut.left) {
                envelope if envelope == old => with_old += 1,
                envelope if envelope == new => with_new += 1,
                other => panic!("neither the old envelope nor the new, but {other:?}"),
            }
        }
        if old != new {
            assert!(with_old > 5 && with_new > 5, "{with_old} {with_new}");
        }
        assert!(with_old + with_new >= 9, "{with_old} {with_new}");
        // When it is done all is on the medium, whatever becomes of the power.
        assert!((0..20).all(|seed| opens(place, storage.power_cut(seed).left) == new));
        assert_eq!(Header::read(&storage).unwrap().1, []);
    }
}

#[test]
fn an_update() {
    let place = place();
    let (before, keys) = volume(&place);
    survives(&place, &before, |storage| {
        edit(storage, &Expect::any(), |_| Ok::<_, HeaderError>(())).unwrap();
    });
    survives(&place, &before, |storage| {
        let (mut header, _) = Header::read(storage).unwrap();
        header.set_envelope(envelope_of(storage), &keys).unwrap();
        header.update(storage).unwrap();
    });
}

#[test]
fn wrappings() {
    let place = place();
    let (one, _) = volume(&place);
    let change = |change: WrappingChange<'static>| {
        let providers = place.providers();
        move |storage: &FaultyStorage| {
            let changed = Volume::change_wrappings(storage, change, &providers, &Expect::any()).unwrap();
            assert_eq!(changed.new, envelope_of(storage));
        }
    };
    let add = change(WrappingChange::Add { provider: "local", key: "new" });
    survives(&place, &one, change(WrappingChange::Rewrap { slot: 0, provider: "local", key: "new" }));
    survives(&place, &one, change(WrappingChange::Renew { slot: 0 }));
    survives(&place, &one, &add);
    let two = FaultyStorage::new(one);
    add(&two);
    survives(&place, &two.content(), change(WrappingChange::Remove { slot: 0 }));
}

#[test]
fn the_old_wrapping_is_in_neither_copy_when_it_is_done() {
    let place = place();
    let (storage, _) = volume(&place);
    let wrapped = |storage: &MemoryStorage| envelope_of(storage).slots()[0].wrapped.clone();
    let text = {
        use base64ct::Encoding as _;
        base64ct::Base64::encode_string(&wrapped(&storage))
    };
    let holds = |storage: &MemoryStorage| {
        read(storage, 0, DATA_OFFSET as usize).windows(text.len()).any(|part| part == text.as_bytes())
    };
    assert!(holds(&storage));
    let change = WrappingChange::Rewrap { slot: 0, provider: "local", key: "new" };
    Volume::change_wrappings(&storage, change, &place.providers(), &Expect::any()).unwrap();
    assert!(!holds(&storage));
}

#[test]
fn a_restoration() {
    let place = place();
    let (before, _) = volume(&place);
    // A backup with other keyslots, and a header that has changed since.
    let mut stored = HeaderBackup::take(&before).unwrap().0.as_bytes().to_vec();
    stored[2 * COPY..4 * COPY].fill(7);
    let backup = HeaderBackup::parse(&stored).unwrap();
    let change = WrappingChange::Rewrap { slot: 0, provider: "local", key: "new" };
    Volume::change_wrappings(&before, change, &place.providers(), &Expect::any()).unwrap();
    survives(&place, &before, |storage| {
        let current = Header::read(storage).unwrap().0.sequence();
        let restored = backup.restore(storage, &Expect::any(), true).unwrap();
        assert!(restored.compared && restored.header.sequence() > current);
        for cut in storage.power_cuts() {
            let (header, _) = Header::read(&cut.left).unwrap();
            if header.sequence() > current {
                let keyslots = read(&cut.left, 2 * COPY as u64, 2 * COPY);
                assert!(keyslots.iter().all(|byte| *byte == 7), "its keyslots are there before it is");
            }
        }
    });
    // Over a header that is gone.
    let gone = FaultyStorage::new(before);
    gone.write_zeros(2 * COPY as u64, 0).unwrap();
    gone.sync().unwrap();
    backup.restore(&gone, &Expect::any(), false).unwrap();
    opens(&place, gone.content());
    for cut in gone.power_cuts() {
        match Header::read(&cut.left) {
            Ok(_) => drop(opens(&place, cut.left)),
            Err(ReadHeaderError::Header(ParseError::NotLuks | ParseError::Damaged { .. })) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Nothing, or what was there before, or the new volume.
fn nothing_old_or_new(
    place: &Place,
    storage: &FaultyStorage,
    keys: &VolumeKeys,
    old: Option<Uuid>,
    new: Uuid,
) {
    let (mut none, mut found) = (0, 0);
    for cut in storage.power_cuts() {
        match Header::read(&cut.left) {
            Ok((header, _)) if header.uuid() == new => {
                Volume::open_with_keys(cut.left, keys, &Expect::any(), Mode::ReadOnly).unwrap();
                found += 1;
            }
            Ok((header, _)) if Some(header.uuid()) == old => drop(opens(place, cut.left)),
            Ok((header, _)) => panic!("{}", header.uuid()),
            Err(_) => none += 1,
        }
    }
    assert!(none > 10 && found > 10, "{none} {found}");
}

#[test]
fn a_new_volume() {
    let place = place();
    let (old, _) = volume(&place);
    let device = MemoryStorage::new(DATA_OFFSET + (1 << 20));
    device.write_at(&read(&old, 0, 2 * COPY), 0).unwrap();
    device.write_at(&read(&old, DATA_OFFSET, 4096), DATA_OFFSET).unwrap();
    let old = Header::read(&device).unwrap().0.uuid();
    for (base, old) in [(MemoryStorage::growable(), None), (device, Some(old))] {
        let (envelope, keys) = place.envelope();
        let uuid = envelope.volume();
        let storage = Arc::new(FaultyStorage::new(base.clone()));
        Volume::create(Arc::clone(&storage), &CreateOptions::new(9000), envelope, &keys).unwrap();
        nothing_old_or_new(&place, &storage, &keys, old, uuid);

        let (envelope, keys) = place.envelope();
        let uuid = envelope.volume();
        let storage = Arc::new(FaultyStorage::new(base));
        let mut writer = Writer::new(Arc::clone(&storage), &CreateOptions::new(0), envelope, &keys).unwrap();
        writer.append(&[7; 9000]).unwrap();
        writer.finish().unwrap();
        nothing_old_or_new(&place, &storage, &keys, old, uuid);
        // Where its header is, all of the data is.
        for cut in storage.power_cuts() {
            if Header::read(&cut.left).is_ok_and(|(header, _)| header.uuid() == uuid) {
                let volume = Volume::open_with_keys(cut.left, &keys, &Expect::any(), Mode::ReadOnly).unwrap();
                let mut found = [0; 9000];
                volume.read_at(&mut found, 0).unwrap();
                assert_eq!(found, [7; 9000]);
            }
        }
    }
}

fn destroy<S: Storage>(place: &Place, storage: &S, uuid: Option<Uuid>) -> Result<Destroyed, DestroyError> {
    let options = DestroyOptions::new(Expect::any()).uuid(uuid);
    Volume::destroy(storage, Some(&place.keystore), &place.providers(), &options)
}

/// The key is gone before, so that what is left need not open; but it must tell what it is, and be destroyed again.
#[test]
fn a_destruction() {
    let place = place();
    let uuid = new_uuid().unwrap();
    let (envelope, keys) = place.keystore.create_scratch(uuid, None).unwrap();
    let sound = Arc::new(MemoryStorage::growable());
    Volume::create(Arc::clone(&sound), &CreateOptions::new(7), envelope, &keys).unwrap();
    sound.write_at(&[7; COPY], 2 * COPY as u64).unwrap();
    for damaged in [None, Some(0), Some(COPY as u64 + 5000)] {
        let before = MemoryStorage::clone(&sound);
        damaged.inspect(|at| flip(&before, *at));
        let storage = FaultyStorage::new(before);
        // After the first time, the key is gone that would say which volume it is.
        let destroyed = destroy(&place, &storage, damaged.map(|_| uuid)).unwrap();
        assert_eq!(destroyed.authenticated, damaged.is_none());
        assert_eq!((destroyed.uuid, destroyed.overwritten), (uuid, DATA_OFFSET));
        let (mut headers, mut notes) = (0, 0);
        for cut in storage.power_cuts() {
            match Header::read(&cut.left) {
                Ok((header, _)) if header.uuid() == uuid => headers += 1,
                Err(ReadHeaderError::Destroyed(note)) if note.uuid == uuid => notes += 1,
                other => panic!("neither the header nor the note: {other:?}"),
            }
            let again = destroy(&place, &cut.left, Some(uuid)).unwrap();
            assert_eq!((again.uuid, again.key_erased), (uuid, false));
            assert!(read(&cut.left, 256, DATA_OFFSET as usize - 256).iter().all(|byte| *byte == 0));
        }
        assert!(headers >= 2 && notes > 50, "{headers} {notes}");
        // What is done is not done again.
        let done = storage.events();
        destroy(&place, &storage, None).unwrap();
        assert_eq!(storage.events(), done);
    }
}

#[test]
fn a_copy_on_bad_sectors_is_as_a_damaged_one() {
    let place = place();
    let (before, _) = volume(&place);
    let uuid = Header::read(&before).unwrap().0.uuid();
    let size = COPY as u64;
    for (bad, used) in [
        (0..1, HeaderCopy::Second),
        (5000..5001, HeaderCopy::Second),
        (size..size + 1, HeaderCopy::First),
        (2 * size - 1..2 * size, HeaderCopy::First),
    ] {
        let storage = FaultyStorage::new(before.clone());
        storage.fail(Operation::Read, bad, ErrorKind::Other);
        let (header, warnings) = Header::read(&storage).unwrap();
        assert_eq!((header.used_copy(), header.uuid()), (used, uuid));
        let fault = HeaderFault::Unreadable(ErrorKind::Other);
        assert_eq!(warnings, [Warning::CopyDamaged { copy: used.other(), fault }]);
        // A backup has the sound copy twice.
        let (backup, _) = HeaderBackup::take(&storage).unwrap();
        assert_eq!(Header::parse(backup.as_bytes()).unwrap().1, []);
    }
    let storage = FaultyStorage::new(before);
    storage.fail(Operation::Read, 0..2 * size, ErrorKind::Other);
    let read = Header::read(&storage);
    assert!(matches!(read, Err(ReadHeaderError::Header(ParseError::Damaged { .. }))));
}

#[test]
fn the_copy_in_use_is_written_last() {
    let place = place();
    let (before, _) = volume(&place);
    let size = COPY as u64;
    let update = |storage: &FaultyStorage| edit(storage, &Expect::any(), |_| Ok::<_, HeaderError>(()));
    for (damaged, other, used) in [(size + 5000, size, 0), (0, 0, size)] {
        let before = before.clone();
        flip(&before, damaged);
        let storage = FaultyStorage::new(before.clone());
        // The other copy cannot be written: the only valid one is left alone.
        storage.fail(Operation::Write, other..other + size, ErrorKind::StorageFull);
        let failed = update(&storage);
        assert!(matches!(failed, Err(HeaderError::Storage(_))), "{failed:?}");
        // But for what makes sure that it is on the disk.
        assert_eq!(storage.writes(), [(used, COPY)]);
        assert_eq!(read(&storage, used, COPY), read(&before, used, COPY));
        // What was written does not come back from the disk.
        storage.heal();
        storage.lose_writes(true);
        let failed = update(&storage);
        assert!(matches!(failed, Err(HeaderError::NotVerified(_))), "{failed:?}");
        assert_eq!(storage.writes(), [(used, COPY), (used, COPY), (other, COPY)]);
        storage.heal();
        storage.fail(Operation::Sync, 0..0, ErrorKind::Other);
        assert!(matches!(update(&storage), Err(HeaderError::Storage(_))));
        assert_eq!(read(&storage, used, COPY), read(&before, used, COPY));
        storage.heal();
        update(&storage).unwrap();
        assert_eq!(Header::read(&storage).unwrap().1, []);
    }
}

/// However many operations it takes until the disk is gone, the volume opens when it is back.
#[test]
fn a_disk_that_is_pulled_out() {
    let place = place();
    let (before, _) = volume(&place);
    let change = WrappingChange::Rewrap { slot: 0, provider: "local", key: "new" };
    for operations in 0..=7 {
        let storage = FaultyStorage::new(before.clone());
        storage.fail_after(operations);
        let changed = Volume::change_wrappings(&storage, change, &place.providers(), &Expect::any());
        assert_eq!(changed.is_ok(), operations == 7, "{changed:?}");
        storage.heal();
        opens(&place, storage.content());
        for cut in storage.power_cuts() {
            opens(&place, cut.left);
        }
    }
}

#[test]
fn what_cannot_be_written_is_refused_before_any_key_is_asked() {
    let place = place();
    let (before, _) = volume(&place);
    let storage = FaultyStorage::new(before);
    let change = || {
        let change = WrappingChange::Remove { slot: 0 };
        Volume::change_wrappings(&storage, change, &atrest::keys::Providers::new(), &Expect::any())
            .unwrap_err()
    };
    for (access, refused) in
        [(Access::ReadOnly, NotWritable::ReadOnly), (Access::Append, NotWritable::Appends)]
    {
        storage.set_access(access);
        let error = change();
        assert!(matches!(&error, WrappingError::NotWritable(found) if *found == refused), "{error}");
    }
    storage.heal();
    storage.fail(Operation::Lock, 0..0, ErrorKind::WouldBlock);
    assert!(matches!(change(), WrappingError::Busy(_)));
}

#[test]
fn only_what_is_expected_is_changed() {
    let place = place();
    let (storage, _) = volume(&place);
    let uuid = Header::read(&storage).unwrap().0.uuid();
    let other = new_uuid().unwrap();
    let touch = |expect: Expect| edit(&storage, &expect, |_| Ok::<_, HeaderError>(()));
    let sequence = || Header::read(&storage).unwrap().0.sequence();
    let before = sequence();
    let pin = Header::read(&storage).unwrap().0.pin().unwrap().unwrap();
    let text = pin.to_string();
    let of_another_key: Pin =
        text.replace(&text[37..39], if &text[37..39] == "AA" { "BB" } else { "AA" }).parse().unwrap();
    let of_a_later_version: Pin = text.replace(":3", ":4").parse().unwrap();
    for (expect, why) in [
        (Expect::volume(other), format!("this is volume {uuid}, and {other} is expected")),
        (Expect::pin(of_another_key), "another root key".to_owned()),
        (Expect::pin(of_a_later_version), "version 3, and version 4 or later".to_owned()),
        (Expect::pin(pin).and_volume(other), format!("{other} is expected")),
    ] {
        let error = touch(expect).unwrap_err();
        assert!(matches!(&error, HeaderError::Unexpected(_)), "{error}");
        assert!(error.to_string().contains(&why), "{error}");
        assert_eq!(error.code(), Code::Unexpected);
    }
    assert_eq!(sequence(), before);
    touch(Expect::volume(other).and_volume(uuid).and_pin(of_another_key).and_pin(pin)).unwrap();
    let revision = Header::read(&storage).unwrap().0.revision();
    assert_eq!(sequence(), before + 1);
    let unchanged = || HeaderEdit::begin(&storage, &Expect::volume(uuid)).unwrap().unchanged_since(revision);
    unchanged().unwrap().commit().unwrap();
    assert_eq!(sequence(), before + 2);
    assert!(matches!(unchanged(), Err(Changed)));
    // What fails changes nothing.
    let failed = edit(&storage, &Expect::any(), |_| Err::<(), _>(HeaderError::from(Changed)));
    assert!(failed.is_err() && sequence() == before + 2);
}
