//! Volumes that are written from their beginning to their end, and get their header last.
#![cfg(feature = "volume")]

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use atrest::luks2::ParseError;
use atrest::volume::{
    CreateError, CreateOptions, Header, NotWritable, OptionsError, ReadHeaderError, TargetError, Volume,
    Writer,
};
use common::{DATA_OFFSET, Place, new_file, noise, read_all, read_only};

/// A volume at `name` with `content`, appended in parts of `part` bytes, for which `expected` bytes were announced.
fn written(place: &Place, name: &str, content: &[u8], part: usize, options: &CreateOptions) -> Volume {
    let (envelope, keys) = place.envelope();
    let mut writer = Writer::new(new_file(&place.path(name)), options, envelope, &keys).unwrap();
    for part in content.chunks(part) {
        writer.append(part).unwrap();
    }
    assert_eq!(writer.size(), content.len() as u64);
    writer.finish().unwrap()
}

#[test]
fn parts_of_any_length_come_together() {
    let place = Place::new();
    for (i, length) in [0, 1, 511, 512, 4095, 4096, 4097, 131_072, 300_001].into_iter().enumerate() {
        let content = noise(length, i as u64);
        for (j, part) in [1, 7, 512, 1000, 4096, 5000, 131_072, 200_000].into_iter().enumerate() {
            if length / part > 5000 {
                continue;
            }
            for sector_size in [512, 4096] {
                let name = format!("v{i}-{j}-{sector_size}");
                let options = CreateOptions::new(0).sector_size(sector_size);
                let volume = written(&place, &name, &content, part, &options);
                assert_eq!(volume.size(), length as u64);
                assert!(read_all(&volume) == content);
                let volume = place.open(&name).unwrap();
                assert!(read_all(&volume) == content, "{length} in parts of {part}");
                let sectors = length.next_multiple_of(sector_size) as u64;
                assert_eq!(fs::metadata(place.path(&name)).unwrap().len(), DATA_OFFSET + sectors);
                fs::remove_file(place.path(&name)).unwrap();
            }
        }
    }
}

#[test]
fn a_written_volume_can_be_changed() {
    let place = Place::new();
    let volume = written(&place, "v", &noise(10_000, 1), 999, &CreateOptions::new(0).label("name"));
    volume.write_at(b"changed", 9_993).unwrap();
    assert_eq!(volume.header().label(), "name");
    let content = read_all(&place.open("v").unwrap());
    assert!(content[..9_993] == noise(10_000, 1)[..9_993] && &content[9_993..] == b"changed");
}

#[test]
fn what_was_expected_binds_nobody() {
    let place = Place::new();
    for (name, expected) in [("less", 8 << 20), ("more", 10)] {
        let volume = written(&place, name, &noise(100_000, 2), 50_000, &CreateOptions::new(expected));
        assert_eq!(volume.size(), 100_000);
        // What was reserved is given back.
        let file = fs::metadata(place.path(name)).unwrap();
        assert_eq!(file.len(), DATA_OFFSET + 100_000_u64.next_multiple_of(4096));
        assert!(file.blocks() * 512 < 1 << 20, "{name}: {}", file.blocks());
    }
}

#[test]
fn without_an_end_there_is_no_volume() {
    let place = Place::new();
    let (envelope, keys) = place.envelope();
    let mut writer =
        Writer::new(new_file(&place.path("v")), &CreateOptions::new(1 << 20), envelope, &keys).unwrap();
    writer.append(&noise(1 << 20, 3)).unwrap();
    drop(writer);
    assert!(matches!(
        Header::read(&read_only(&place.path("v"))),
        Err(ReadHeaderError::Header(ParseError::NotLuks))
    ));
}

/// A disk that fails at the very end, with the last sector or with the header.
#[cfg(target_os = "linux")]
#[test]
fn a_failure_at_the_end_leaves_no_volume() {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

    let place = Place::new();
    for (length, failed) in [(4097, "writing the volume failed"), (8192, "writing the header failed")] {
        let file = fs::File::from(memfd_create("volume", MemfdFlags::ALLOW_SEALING).unwrap());
        let (envelope, keys) = place.envelope();
        let mut writer =
            Writer::new(file.try_clone().unwrap(), &CreateOptions::new(0), envelope, &keys).unwrap();
        writer.append(&noise(length, 5)).unwrap();
        fcntl_add_seals(&file, SealFlags::WRITE).unwrap();
        let error = writer.finish().unwrap_err();
        assert!(error.to_string().starts_with(failed), "{error}");
        assert_eq!(file.metadata().unwrap().len(), 0);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_expected_is_reserved() {
    use rustix::fs::{FallocateFlags, fallocate};

    let place = Place::new();
    let other = new_file(&place.path("other"));
    if fallocate(&other, FallocateFlags::KEEP_SIZE, 0, 4096).is_err() {
        return common::peers::left_out("this file system reserves no space");
    }
    let (envelope, keys) = place.envelope();
    let options = CreateOptions::new(8 << 20);
    let _writer = Writer::new(new_file(&place.path("v")), &options, envelope, &keys).unwrap();
    assert!(fs::metadata(place.path("v")).unwrap().blocks() * 512 >= 8 << 20);
}

#[test]
fn what_no_volume_can_be_is_refused() {
    let place = Place::new();
    let (envelope, keys) = place.envelope();
    let (_, others) = place.envelope();
    let new = |name: &str, options, keys| {
        Writer::new(new_file(&place.path(name)), &options, envelope.clone(), keys).map(|_| ()).unwrap_err()
    };
    let options = CreateOptions::new(0);
    assert!(matches!(
        new("a", options.clone().sector_size(3000), &keys),
        CreateError::Options(OptionsError::SectorSize(3000))
    ));
    assert!(matches!(
        new("b", CreateOptions::new(u64::MAX), &keys),
        CreateError::Options(OptionsError::Size { size: u64::MAX, .. })
    ));
    assert!(matches!(
        new("c", options.clone().label("x".repeat(48)), &keys),
        CreateError::Options(OptionsError::Label { length: 48 })
    ));
    assert!(matches!(new("d", options.clone(), &others), CreateError::WrongKeys(_)));
    for name in ["a", "b", "c", "d"] {
        assert_eq!(fs::metadata(place.path(name)).unwrap().len(), 0);
    }

    fs::write(place.path("full"), "content").unwrap();
    let open = |write| fs::File::options().read(true).write(write).open(place.path("full")).unwrap();
    let on = |file| Writer::new(file, &options, envelope.clone(), &keys).map(|_| ()).unwrap_err();
    assert!(matches!(on(open(true)), CreateError::Target(TargetError::NotEmpty { length: 7 })));
    assert!(matches!(on(open(false)), CreateError::NotWritable(NotWritable::ReadOnly)));
    assert_eq!(fs::read(place.path("full")).unwrap(), b"content");
}
