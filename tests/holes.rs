//! Volumes whose holes read as zeros.
#![cfg(feature = "volume")]

use std::sync::Arc;

use atrest::keys::{Class, Envelope, Expect, LocalKeystore, Providers, VolumeKeys, block_on, new_uuid};
use atrest::storage::{MemoryStorage, Storage as _};
use atrest::volume::{CreateOptions, Error, Header, Mode, SectorCipher, Volume, Writer};

struct Place {
    _dir: tempfile::TempDir,
    providers: Providers,
    envelope: Envelope,
    keys: VolumeKeys,
}

fn place() -> Place {
    let dir = tempfile::tempdir().unwrap();
    let keystore = LocalKeystore::open_or_create(dir.path().join("keys")).unwrap();
    keystore.ensure_key("default").unwrap();
    let made = Envelope::create(&keystore, "default", new_uuid().unwrap(), Class::Persistent);
    let (envelope, keys) = block_on(made).unwrap();
    Place { _dir: dir, providers: Providers::new().with(keystore), envelope, keys }
}

const OFFSET: u64 = 16 << 20;

fn raw(storage: &MemoryStorage, offset: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    storage.read_at(&mut bytes, OFFSET + offset).unwrap();
    bytes
}

fn read<S: atrest::storage::Storage>(volume: &Volume<S>, offset: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![1; length];
    volume.read_at(&mut bytes, offset).unwrap();
    bytes
}

#[test]
fn what_was_left_out_reads_as_zeros() {
    for (fixed, sector_size) in [(false, 512), (false, 4096), (true, 4096)] {
        let Place { providers, envelope, keys, .. } = &place();
        let storage = Arc::new(match fixed {
            true => MemoryStorage::from(&vec![0xa5; (OFFSET as usize) + (1 << 20)][..]),
            false => MemoryStorage::growable(),
        });
        let options = CreateOptions::new(0).sector_size(sector_size).holes(true);
        let mut writer = Writer::new(Arc::clone(&storage), &options, envelope.clone(), keys).unwrap();
        let mut expected = Vec::new();
        // Across sectors, whole ones, and to an end that is none's.
        for (length, zeros) in
            [(5, false), (10_000, true), (3, false), (4096, true), (300_000, true), (7, false), (9001, true)]
        {
            match zeros {
                true => writer.append_zeros(length).unwrap(),
                false => writer.append(&vec![7; length as usize]).unwrap(),
            }
            expected.extend(std::iter::repeat_n(if zeros { 0 } else { 7 }, length as usize));
        }
        drop(writer.finish().unwrap());
        let volume = Volume::open(Arc::clone(&storage), providers, &Expect::any(), Mode::ReadWrite).unwrap();
        assert!(volume.header().holes().unwrap());
        assert!(read(&volume, 0, expected.len()) == expected, "{sector_size}");
        let hole = raw(&storage, 16384, 4096);
        assert!(hole.iter().all(|byte| *byte == 0));
        // A write into a hole leaves what is around it zero.
        volume.write_at(b"here", 100_001).unwrap();
        expected[100_001..100_005].copy_from_slice(b"here");
        assert!(read(&volume, 0, expected.len()) == expected);
        assert!(raw(&storage, 100_001 / 4096 * 4096, 4096).iter().any(|byte| *byte != 0));
        // Zeros that are written do not show, and what is given back is zeros again.
        volume.write_zeros(8192, 16384).unwrap();
        assert!(raw(&storage, 16384, 8192).chunks(512).all(|sector| sector.iter().any(|byte| *byte != 0)));
        let volume = volume.allow_discards(true);
        volume.write_at(&[9; 8192], 16384).unwrap();
        volume.discard(8192, 16384).unwrap();
        assert!(read(&volume, 0, expected.len()) == expected);
    }
}

/// Whoever writes the disk decides nothing of it.
#[test]
fn the_header_vouches_for_it() {
    let Place { providers, envelope, keys, .. } = &place();
    let made = |holes: bool| {
        let storage = Arc::new(MemoryStorage::growable());
        let options = CreateOptions::new(8192).holes(holes);
        drop(Volume::create(Arc::clone(&storage), &options, envelope.clone(), keys).unwrap());
        storage
    };
    let header = |storage: &MemoryStorage| Header::read(storage).unwrap().0;
    let open = |storage: Arc<MemoryStorage>| Volume::open(storage, providers, &Expect::any(), Mode::ReadOnly);
    let (with, without) = (made(true), made(false));
    assert_eq!(header(&with).requirements(), ["atrest-holes"]);
    assert!(header(&without).requirements().is_empty());
    assert_eq!(read(&open(Arc::clone(&with)).unwrap(), 0, 8192), [0; 8192]);
    assert_ne!(read(&open(Arc::clone(&without)).unwrap(), 0, 8192), [0; 8192]);
    // The two headers differ in that alone, and each code is of no use to the other.
    let token = |storage: &MemoryStorage| {
        let header = header(storage);
        header.token().unwrap().unwrap()
    };
    for storage in [with, without] {
        let other = token(&storage);
        let holes = other.holes();
        let mut forged = (*header(&storage)).clone();
        forged.put_token(&other.with_holes(!holes)).unwrap();
        let mut forged = Header::from(forged);
        forged.update(&*storage).unwrap();
        let error = open(Arc::clone(&storage)).unwrap_err();
        assert!(matches!(Error::from(error), Error::Forged(_)));
    }
}

/// An engine of others would show noise.
#[test]
fn a_cipher_of_sectors_is_refused() {
    let Place { envelope, keys, .. } = &place();
    let storage = Arc::new(MemoryStorage::growable());
    let options = CreateOptions::new(8192).holes(true);
    drop(Volume::create(Arc::clone(&storage), &options, envelope.clone(), keys).unwrap());
    let (header, _) = Header::read(&*storage).unwrap();
    for refused in [
        SectorCipher::new(&header, keys, &Expect::any()),
        SectorCipher::with_volume_key(&header, keys.xts_key(), u64::MAX),
    ] {
        assert!(refused.unwrap_err().to_string().contains("holes read as zeros"));
    }
    // A volume knows of them, with the raw key too.
    let volume = Volume::open_with_volume_key(storage, keys.xts_key(), Mode::ReadOnly).unwrap();
    assert_eq!(read(&volume, 0, 8192), [0; 8192]);
}
