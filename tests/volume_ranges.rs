//! Zeros that are written, and discards: what they leave in the file, and what they never touch.
#![cfg(feature = "volume")]

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use atrest::keys::Expect;
use atrest::volume::{DiscardError, Mode, OutOfBounds, Volume, WriteError};
use common::{DATA_OFFSET, Place, noise, read_all, read_write};

/// The ciphertext of the volume `v`.
fn ciphertext(place: &Place) -> Vec<u8> {
    fs::read(place.path("v")).unwrap().split_off(DATA_OFFSET as usize)
}

fn open(place: &Place, mode: Mode) -> Volume {
    Volume::open(read_write(&place.path("v")), &place.providers(), &Expect::any(), mode).unwrap()
}

#[test]
fn zeros_are_encrypted() {
    let place = Place::new();
    let mut content = noise(600_000, 1);
    place.volume_of("v", &content, 4096);
    let volume = open(&place, Mode::ReadWrite);
    volume.write_zeros(400_000, 100_001).unwrap();
    content[100_001..500_001].fill(0);
    assert!(read_all(&volume) == content);
    // Nothing in the file tells that they are zeros, not even that they are alike.
    let sealed = ciphertext(&place);
    let mut blocks: Vec<&[u8]> = sealed.chunks(16).collect();
    let count = blocks.len();
    blocks.sort_unstable();
    blocks.dedup();
    assert_eq!(blocks.len(), count);
}

#[test]
#[cfg(any(target_os = "linux", target_os = "android"))]
fn a_discard_takes_whole_sectors_and_no_more() {
    let place = Place::new();
    let size = 600_000; // 146 sectors and a half
    let content = noise(size, 2);
    place.volume_of("v", &content, 4096);
    let before = ciphertext(&place);
    let volume = open(&place, Mode::ReadWrite).allow_discards(true);
    // Offset and length, and the sectors that go.
    let cases = [
        (0u64, 0u64, 0..0usize),
        (1, 4096, 0..0),
        (4095, 4097, 1..2),
        (4096, 4096, 1..2),
        (10_000, 300_000, 3..75),
        (598_017, 1000, 0..0),
        (598_016, 1984, 146..147),
        (0, 600_000, 0..147),
    ];
    for (offset, length, gone) in cases {
        volume.write_at(&content, 0).unwrap();
        volume.discard(length, offset).unwrap();
        let mut expected = before.clone();
        expected[gone.start * 4096..gone.end * 4096].fill(0);
        assert!(ciphertext(&place) == expected, "{offset} {length}");
        let (plain, sealed) = (read_all(&volume), gone.start * 4096..(gone.end * 4096).min(size));
        for (i, (found, was)) in plain.chunks(4096).zip(content.chunks(4096)).enumerate() {
            assert!((found == was) != gone.contains(&i), "sector {i} after {offset} {length}");
        }
        // Without meaning, and no zeros either.
        assert!(sealed.is_empty() || plain[sealed].iter().any(|&byte| byte != 0));
    }
    volume.flush().unwrap();
    assert!(fs::metadata(place.path("v")).unwrap().blocks() * 512 < size as u64 / 2, "the space is back");

    volume.write_at(&content, 0).unwrap();
    assert!(read_all(&place.open("v").unwrap()) == content);
}

#[test]
fn ranges_that_cannot_be_change_nothing() {
    let place = Place::new();
    let content = noise(100_000, 3);
    place.volume_of("v", &content, 512);
    let length = fs::metadata(place.path("v")).unwrap().len();
    let before = ciphertext(&place);
    let volume = open(&place, Mode::ReadWrite);
    assert!(!volume.allows_discards());
    assert!(matches!(volume.discard(512, 0), Err(DiscardError::DiscardOff(_))));
    let volume = volume.allow_discards(true);
    for (length, offset) in [(100_001, 0), (1, 100_000), (u64::MAX, 1), (1, u64::MAX), (u64::MAX, u64::MAX)] {
        assert!(matches!(
            volume.discard(length, offset),
            Err(DiscardError::OutOfBounds(OutOfBounds { size: 100_000, .. }))
        ));
        assert!(matches!(volume.write_zeros(length, offset), Err(WriteError::OutOfBounds(_))));
    }
    volume.write_zeros(0, 100_000).unwrap();
    let read = open(&place, Mode::ReadOnly).allow_discards(true);
    assert!(matches!(read.discard(512, 0), Err(DiscardError::ReadOnly(_))));
    assert!(matches!(read.write_zeros(512, 0), Err(WriteError::ReadOnly(_))));
    assert!(ciphertext(&place) == before);
    assert_eq!(fs::metadata(place.path("v")).unwrap().len(), length);

    // Nothing beside the data is touched, even where all of the data goes.
    let header = common::header_of(&place.path("v"));
    // Where the system has discards at all.
    let _ = volume.discard(100_000, 0);
    assert!(common::header_of(&place.path("v")) == header);
    assert_eq!(fs::metadata(place.path("v")).unwrap().len(), length);
}
