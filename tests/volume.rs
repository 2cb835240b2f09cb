//! Volumes through their public interface: what is written is read, by many threads at once, and what cannot be is
//! refused and changes nothing.
#![cfg(feature = "volume")]

mod common;

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::thread;

use aes::{Aes256, cipher::KeyInit as _};
use atrest::keys::Expect;
use atrest::luks2::VolumeKeyError;
use atrest::volume::{
    CreateError, CreateOptions, Error, HeaderError, Mode, NotWritable, OpenError, OutOfBounds, ReadError,
    TargetError, Volume, WriteError,
};
use common::{DATA_OFFSET, Place, noise, read_all, read_only, read_write};
use proptest::prelude::*;
use xts_mode::Xts128;

#[test]
fn a_volume_is_read_again_with_its_exact_size() {
    let place = Place::new();
    for sector_size in [512, 1024, 2048, 4096] {
        for size in [0, 1, 15, 511, 512, 513, 4095, 4096, 4097, 131_071, 131_072, 131_073, 1_000_003] {
            let name = format!("v{sector_size}-{size}");
            let content = noise(size, 7);
            place.volume_of(&name, &content, sector_size);
            let volume = place.open(&name).unwrap();
            assert_eq!((volume.size(), volume.sector_size()), (size as u64, sector_size));
            assert_eq!(volume.warnings(), []);
            assert!(read_all(&volume) == content, "{sector_size} {size}");
            let length = fs::metadata(place.path(&name)).unwrap().len();
            assert_eq!(length, DATA_OFFSET + (size as u64).next_multiple_of(sector_size as u64));
        }
    }
}

#[test]
fn sectors_on_disk_are_aes_xts_with_tweaks_in_units_of_512() {
    let place = Place::new();
    let content = noise(3 * 4096 + 100, 1);
    for sector_size in [512, 4096] {
        let name = format!("v{sector_size}");
        let keys = place.volume_of(&name, &content, sector_size);
        let mut padded = content.clone();
        padded.resize(content.len().next_multiple_of(sector_size), 0);
        let key = keys.xts_key();
        let mut expected = Vec::new();
        for (i, sector) in padded.chunks(sector_size).enumerate() {
            let mut tweak = [0; 16];
            tweak[..8].copy_from_slice(&((i * sector_size / 512) as u64).to_le_bytes());
            let mut sector = sector.to_vec();
            independent(key).encrypt_sector(&mut sector, tweak.into());
            expected.extend(sector);
        }
        let mut found = vec![0; expected.len()];
        read_only(&place.path(&name)).read_exact_at(&mut found, DATA_OFFSET).unwrap();
        assert!(found == expected, "sectors of {sector_size}");
    }
}

/// AES-XTS by others: the xts-mode crate.
fn independent(key: &[u8; 64]) -> Xts128<Aes256> {
    let cipher = |key| Aes256::new_from_slice(key).unwrap();
    Xts128::new(cipher(&key[..32]), cipher(&key[32..]))
}

#[test]
fn the_padding_is_zero_after_a_partial_write_too() {
    let place = Place::new();
    let (volume, keys) = place.create("v", &CreateOptions::new(1000).sector_size(4096));
    // The sector behind this was never written: what was read from it is noise.
    volume.write_at(&[7; 10], 500).unwrap();
    let mut sector = vec![0; 4096];
    read_only(&place.path("v")).read_exact_at(&mut sector, DATA_OFFSET).unwrap();
    independent(keys.xts_key()).decrypt_sector(&mut sector, [0; 16].into());
    let plain = sector;
    assert_eq!(plain[500..510], [7; 10]);
    assert!(plain[1000..].iter().all(|&byte| byte == 0) && plain[..500].iter().any(|&byte| byte != 0));
}

/// One step against a volume and against plain memory.
#[derive(Clone, Debug)]
enum Step {
    Read(u64, usize),
    Write(u64, usize, u64),
    Zero(u64, usize),
}

fn steps(size: u64) -> impl Strategy<Value = Vec<Step>> {
    // Lengths around one sector, and around the 128 KiB in which the volume works.
    let length = prop_oneof![0usize..600, 3000usize..9000, 120_000usize..300_000];
    let range =
        (0..=size, length).prop_map(move |(offset, length)| (offset, length.min((size - offset) as usize)));
    let step = (range, any::<u64>(), 0..5).prop_map(|((offset, length), seed, kind)| match kind {
        0 | 1 => Step::Read(offset, length),
        2 | 3 => Step::Write(offset, length, seed),
        _ => Step::Zero(offset, length),
    });
    prop::collection::vec(step, 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn behaves_as_plain_memory(steps in steps(700_001), sector_size in prop::sample::select(vec![512, 1024, 2048, 4096])) {
        let place = Place::new();
        let mut model = noise(700_001, 3);
        place.volume_of("v", &model, sector_size);
        let volume = Volume::open(read_write(&place.path("v")), &place.providers(), &Expect::any(), Mode::ReadWrite).unwrap();
        for step in steps {
            match step {
                Step::Read(offset, length) => {
                    let mut found = vec![0; length];
                    volume.read_at(&mut found, offset).unwrap();
                    prop_assert!(found == model[offset as usize..][..length]);
                }
                Step::Write(offset, length, seed) => {
                    let bytes = noise(length, seed);
                    volume.write_at(&bytes, offset).unwrap();
                    model[offset as usize..][..length].copy_from_slice(&bytes);
                }
                Step::Zero(offset, length) => {
                    volume.write_zeros(length as u64, offset).unwrap();
                    model[offset as usize..][..length].fill(0);
                }
            }
        }
        prop_assert!(read_all(&volume) == model);
        prop_assert!(read_all(&place.open("v").unwrap()) == model);
    }
}

#[test]
fn accesses_beyond_the_end_are_refused_and_change_nothing() {
    let place = Place::new();
    let (volume, _) = place.create("v", &CreateOptions::new(1000));
    volume.write_at(&[5; 1000], 0).unwrap();
    for (offset, length) in [(0, 1001), (1000, 1), (999, 2), (u64::MAX, 1), (u64::MAX, 0), (1001, 0)] {
        let mut buffer = vec![9; length];
        let error = volume.read_at(&mut buffer, offset).unwrap_err();
        assert!(matches!(error, ReadError::OutOfBounds(OutOfBounds { size: 1000, .. })), "{error}");
        assert!(buffer.iter().all(|&byte| byte == 9));
        assert!(matches!(volume.write_at(&buffer, offset), Err(WriteError::OutOfBounds(_))));
    }
    assert_eq!(read_all(&volume), [5; 1000]);
    volume.read_at(&mut [], 1000).unwrap();
    volume.write_at(&[], 1000).unwrap();
}

#[test]
fn writers_of_different_bytes_of_one_sector_lose_nothing() {
    const THREADS: usize = 8;
    const LENGTH: usize = 140_000;
    let place = Place::new();
    let (volume, _) = place.create("v", &CreateOptions::new(LENGTH as u64));
    volume.write_at(&vec![0; LENGTH], 0).unwrap();
    thread::scope(|scope| {
        for me in 0..THREADS {
            let volume = &volume;
            scope.spawn(move || {
                // Thread i owns every eighth run of 7 bytes around the boundary of two chunks.
                for at in (130_000 + me * 7..133_000).step_by(THREADS * 7) {
                    volume.write_at(&[me as u8 + 1; 7], at as u64).unwrap();
                    let mut back = [0; 7];
                    volume.read_at(&mut back, at as u64).unwrap();
                    assert_eq!(back, [me as u8 + 1; 7]);
                }
            });
        }
    });
    let content = read_all(&volume);
    for (i, run) in content[130_000..133_000].chunks_exact(7).enumerate() {
        assert!(run.iter().all(|&byte| usize::from(byte) == i % THREADS + 1), "run {i}: {run:?}");
    }
    assert!(content[..130_000].iter().all(|&byte| byte == 0));
}

#[test]
fn a_read_beside_a_write_sees_whole_sectors() {
    let place = Place::new();
    let (volume, _) = place.create("v", &CreateOptions::new(4096));
    volume.write_at(&[1; 4096], 0).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0..2000 {
                volume.write_at(&[1 + i as u8 % 3; 4096], 0).unwrap();
            }
        });
        for _ in 0..2000 {
            let mut sector = [0; 4096];
            volume.read_at(&mut sector, 0).unwrap();
            assert!((1..=3).contains(&sector[0]) && sector.iter().all(|&byte| byte == sector[0]));
        }
    });
}

#[test]
fn options_that_cannot_be_are_refused_and_leave_the_file_empty() {
    let place = Place::new();
    let refused = |options: CreateOptions, because: &str| {
        let (envelope, keys) = place.envelope();
        let path = place.path("refused");
        let _ = fs::remove_file(&path);
        let error = Volume::create(common::new_file(&path), &options, envelope, &keys).unwrap_err();
        assert!(error.to_string().contains(because), "{error}");
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    };
    for sector_size in [0, 8, 256, 520, 3000, 4104, 8192, usize::MAX] {
        refused(CreateOptions::new(1).sector_size(sector_size), "512, 1024, 2048 or 4096");
    }
    refused(CreateOptions::new(u64::MAX), "the limit is 9223372036837994495");
    refused(CreateOptions::new(i64::MAX as u64 - DATA_OFFSET), "the limit is");
    refused(CreateOptions::new(1).label("x".repeat(48)), "at most 47");
    refused(CreateOptions::new(1).label("a\0b"), "without NUL");
    let (envelope, _) = place.envelope();
    let (_, other) = place.envelope();
    let error = Volume::create(common::new_file(&place.path("w")), &CreateOptions::new(1), envelope, &other);
    assert!(matches!(error, Err(CreateError::WrongKeys(_))));
}

#[test]
fn a_file_with_content_is_not_overwritten() {
    let place = Place::new();
    fs::write(place.path("v"), "precious").unwrap();
    let (envelope, keys) = place.envelope();
    let made = Volume::create(read_write(&place.path("v")), &CreateOptions::new(1), envelope.clone(), &keys);
    assert!(matches!(made, Err(CreateError::Target(TargetError::NotEmpty { length: 8 }))));
    assert_eq!(fs::read(place.path("v")).unwrap(), b"precious");

    let made =
        Volume::create(fs::File::open("/dev/null").unwrap(), &CreateOptions::new(1), envelope.clone(), &keys);
    assert!(matches!(made, Err(CreateError::Target(TargetError::Unfit))));
    fs::write(place.path("w"), "").unwrap();
    let made = Volume::create(read_only(&place.path("w")), &CreateOptions::new(1), envelope, &keys);
    assert!(matches!(made, Err(CreateError::NotWritable(NotWritable::ReadOnly))));
}

#[test]
fn reading_only_is_kept() {
    let place = Place::new();
    place.volume_of("v", b"content", 4096);
    let volume = place.open("v").unwrap();
    assert_eq!(volume.mode(), Mode::ReadOnly);
    assert!(matches!(volume.write_at(b"x", 0), Err(WriteError::ReadOnly(_))));
    let opened =
        Volume::open(read_only(&place.path("v")), &place.providers(), &Expect::any(), Mode::ReadWrite);
    assert!(matches!(opened, Err(OpenError::NotWritable(NotWritable::ReadOnly))));
}

#[test]
fn only_keys_of_the_volume_open_it() {
    let place = Place::new();
    let keys = place.volume_of("v", b"content", 4096);
    let other = place.volume_of("other", b"content", 4096);
    let open =
        |keys| Volume::open_with_keys(read_only(&place.path("v")), keys, &Expect::any(), Mode::ReadOnly);
    assert_eq!(read_all(&open(&keys).unwrap()), b"content");
    assert!(matches!(open(&other), Err(OpenError::WrongKeys(_))));

    let with_key =
        |key: &[u8]| Volume::open_with_volume_key(read_only(&place.path("v")), key, Mode::ReadOnly);
    assert_eq!(read_all(&with_key(keys.xts_key()).unwrap()), b"content");
    assert!(matches!(with_key(other.xts_key()), Err(OpenError::VolumeKey(VolumeKeyError::WrongKey))));
    assert!(matches!(with_key(&[1; 31]), Err(OpenError::VolumeKey(VolumeKeyError::Length { length: 31 }))));

    let stranger = Place::new();
    let error =
        Volume::open(read_only(&place.path("v")), &stranger.providers(), &Expect::any(), Mode::ReadOnly)
            .unwrap_err();
    assert!(matches!(error, OpenError::NoSlotOpened(_)), "{error}");
}

#[test]
fn debug_output_has_no_secret() {
    let place = Place::new();
    let (volume, keys) = place.create("v", &CreateOptions::new(1));
    let shown = format!("{volume:?} {:?}", volume.header());
    let hex: String = keys.xts_key()[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    let list = format!("{:?}", &keys.xts_key()[..4]);
    assert!(!shown.contains(&hex) && !shown.contains(list.trim_matches(['[', ']'])));
}

#[test]
fn failures_of_the_disk_are_reported_and_leave_no_half_header() {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

    let place = Place::new();
    let memory = || fs::File::from(memfd_create("volume", MemfdFlags::ALLOW_SEALING).unwrap());
    let create = |file| {
        let (envelope, keys) = place.envelope();
        Volume::create(file, &CreateOptions::new(10_000), envelope, &keys)
    };
    // A file that cannot grow is as good as a full disk.
    let file = memory();
    fcntl_add_seals(&file, SealFlags::GROW).unwrap();
    let error = create(file.try_clone().unwrap()).unwrap_err();
    assert!(error.to_string().starts_with("extending the file failed: "), "{error}");
    assert_eq!(file.metadata().unwrap().len(), 0);
    // One that grows, and then takes no write: what was made of it goes again.
    let file = memory();
    fcntl_add_seals(&file, SealFlags::WRITE).unwrap();
    let error = create(file.try_clone().unwrap()).unwrap_err();
    assert!(error.to_string().starts_with("writing the header failed: "), "{error}");
    assert_eq!(file.metadata().unwrap().len(), 0);

    let file = memory();
    let volume = create(file.try_clone().unwrap()).unwrap();
    volume.write_at(&[1; 10_000], 0).unwrap();
    fcntl_add_seals(&file, SealFlags::WRITE).unwrap();
    let error = volume.write_at(&[2; 5000], 3000).unwrap_err();
    assert!(matches!(&error, WriteError::Storage(error) if error.action == "writing the volume"), "{error}");
    assert_eq!(read_all(&volume), [1; 10_000]);

    let file = memory();
    let volume = create(file.try_clone().unwrap()).unwrap();
    volume.write_at(&[1; 10_000], 0).unwrap();
    file.set_len(DATA_OFFSET + 4096).unwrap();
    let error = volume.read_at(&mut [0; 10], 9000).unwrap_err();
    assert!(matches!(&error, ReadError::Truncated(cut) if cut.needed == DATA_OFFSET + 3 * 4096), "{error}");
}

/// Where a file is open for appending, Linux ignores the place that a write is for.
#[test]
fn files_open_for_appending_are_refused() {
    let place = Place::new();
    place.volume_of("v", b"content", 4096);
    let appending =
        |name| fs::File::options().read(true).append(true).create(true).open(place.path(name)).unwrap();
    let before = fs::read(place.path("v")).unwrap();
    let open = |mode| Volume::open(appending("v"), &place.providers(), &Expect::any(), mode);
    assert!(matches!(open(Mode::ReadWrite), Err(OpenError::NotWritable(NotWritable::Appends))));
    assert_eq!(read_all(&open(Mode::ReadOnly).unwrap()), b"content");
    let mut header = atrest::volume::Header::read(&read_only(&place.path("v"))).unwrap().0;
    assert!(matches!(header.update(&appending("v")), Err(HeaderError::NotWritable(NotWritable::Appends))));
    assert!(fs::read(place.path("v")).unwrap() == before);

    let (envelope, keys) = place.envelope();
    let created = Volume::create(appending("new"), &CreateOptions::new(10), envelope, &keys);
    assert!(matches!(created, Err(CreateError::NotWritable(NotWritable::Appends))));
    assert_eq!(fs::metadata(place.path("new")).unwrap().len(), 0);
}

#[test]
fn a_volume_is_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Volume>();
    shared::<atrest::volume::Header>();
    shared::<Error>();
}
