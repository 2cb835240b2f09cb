//! A volume without I/O beside one with: the same sectors, whoever encrypts them.
#![cfg(feature = "volume")]

mod common;

use std::fs;
use std::io::{IoSlice, IoSliceMut};
use std::os::unix::fs::FileExt as _;

use atrest::keys::Expect;
use atrest::luks2::VolumeKeyError;
use atrest::volume::{
    CreateOptions, Header, Mode, OpenError, OutOfBounds, SectorCipher, SectorError, Volume,
};
use atrest::xts;
use common::{DATA_OFFSET, Place, edited, header_of, noise, put_header, read_all, read_only, read_write};

const SIZE: usize = 300_001;

/// The header of the volume `v`, as an engine reads it.
fn header(place: &Place) -> Header {
    let bytes = header_of(&place.path("v"));
    assert_eq!(Header::length(&bytes[..4096]), bytes.len() as u64);
    let (header, warnings) = Header::parse(&bytes).unwrap();
    assert!(warnings.is_empty());
    header
}

/// A volume with content, its cipher, and its sectors as they lie in the file.
fn sealed(place: &Place, sector_size: usize) -> (Vec<u8>, SectorCipher, Vec<u8>) {
    let _ = fs::remove_file(place.path("v"));
    let content = noise(SIZE, sector_size as u64);
    let keys = place.volume_of("v", &content, sector_size);
    let cipher = SectorCipher::new(&header(place), &keys, &Expect::any()).unwrap();
    let sealed = fs::read(place.path("v")).unwrap().split_off(DATA_OFFSET as usize);
    (content, cipher, sealed)
}

#[test]
fn its_sectors_are_those_of_the_volume() {
    let place = Place::new();
    for sector_size in [512, 1024, 2048, 4096] {
        let (content, cipher, sealed) = sealed(&place, sector_size);
        assert_eq!((cipher.size(), cipher.sector_size()), (SIZE as u64, sector_size));
        assert_eq!(cipher.sectors(), SIZE.div_ceil(sector_size) as u64);
        assert_eq!(cipher.data_offset(), DATA_OFFSET);
        assert_eq!(cipher.storage_length(), fs::metadata(place.path("v")).unwrap().len());
        let last = cipher.sectors() - 1;
        assert_eq!(cipher.position(last) + sector_size as u64, cipher.storage_length());
        let mut padded = content.clone();
        padded.resize(sealed.len(), 0);

        // One by one, in place; many at once, apart.
        for (number, (sector, plain)) in
            sealed.chunks(sector_size).zip(padded.chunks(sector_size)).enumerate()
        {
            let mut data = sector.to_vec();
            cipher.decrypt(number as u64, &mut data).unwrap();
            assert!(data == plain, "sector {number} of {sector_size}");
            cipher.encrypt(number as u64, &mut data).unwrap();
            assert!(data == sector);
        }
        let first = 5;
        let from = first * sector_size;
        let mut apart = vec![0; sealed.len() - from];
        cipher.decrypt_to(first as u64, &sealed[from..], &mut apart).unwrap();
        assert!(apart == padded[from..]);
        cipher.encrypt_to(first as u64, &padded[from..], &mut apart).unwrap();
        assert!(apart == sealed[from..]);

        // In pieces that are cut anywhere.
        let mut pieces = sealed[from..].to_vec();
        let (head, rest) = pieces.split_at_mut(777);
        let (middle, tail) = rest.split_at_mut(50_000);
        let mut slices = [head, middle, tail].map(IoSliceMut::new);
        cipher.decrypt_vectored(first as u64, &mut slices).unwrap();
        assert!(pieces == padded[from..]);
        let mut slices = [IoSliceMut::new(&mut pieces)];
        cipher.encrypt_vectored(first as u64, &mut slices).unwrap();
        assert!(pieces == sealed[from..]);
        let (one, two) = padded[from..].split_at(12_345);
        let mut to = vec![0; sealed.len() - from];
        let (head, tail) = to.split_at_mut(3);
        let sources = [IoSlice::new(one), IoSlice::new(two)];
        cipher
            .encrypt_vectored_to(first as u64, &sources, &mut [IoSliceMut::new(head), IoSliceMut::new(tail)])
            .unwrap();
        assert!(to == sealed[from..]);
        let mut back = vec![0; to.len()];
        cipher.decrypt_vectored_to(first as u64, &[&to[..]], &mut [&mut back[..]]).unwrap();
        assert!(back == padded[from..]);
    }
}

/// What an engine writes by itself the volume reads, and other tools read.
#[test]
fn what_an_engine_writes_is_read_by_the_volume() {
    let place = Place::new();
    let (mut content, cipher, _) = sealed(&place, 4096);
    let file = read_write(&place.path("v"));
    let plain = noise(3 * 4096, 99);
    let mut data = plain.clone();
    cipher.encrypt(20, &mut data).unwrap();
    file.write_all_at(&data, cipher.position(20)).unwrap();
    content[20 * 4096..][..3 * 4096].copy_from_slice(&plain);
    assert!(read_all(&place.open("v").unwrap()) == content);
    // The volume writes, and the engine reads.
    let volume = Volume::open(file, &place.providers(), &Expect::any(), Mode::ReadWrite).unwrap();
    volume.write_at(b"written", 4090).unwrap();
    let mut sectors = vec![0; 2 * 4096];
    read_only(&place.path("v")).read_exact_at(&mut sectors, cipher.position(0)).unwrap();
    cipher.decrypt(0, &mut sectors).unwrap();
    assert_eq!(&sectors[4090..4097], b"written");
}

#[test]
fn sectors_that_are_not_there_are_refused_and_nothing_is_touched() {
    let place = Place::new();
    let (_, cipher, _) = sealed(&place, 4096);
    let sectors = cipher.sectors();
    for (first, length) in
        [(sectors, 4096), (sectors - 1, 8192), (u64::MAX, 4096), (u64::MAX - 1, 8192), (0, SIZE + 8192)]
    {
        let length = length / 4096 * 4096;
        let mut data = vec![9; length];
        let error = cipher.encrypt(first, &mut data).unwrap_err();
        let expected = SIZE as u64;
        assert!(
            matches!(error, SectorError::OutOfBounds(OutOfBounds { size, .. }) if size == expected),
            "{error}"
        );
        assert!(cipher.decrypt_vectored(first, &mut [&mut data[..]]).is_err());
        assert!(data.iter().all(|byte| *byte == 9));
    }
    let error = cipher.decrypt(0, &mut [9; 4095]).unwrap_err();
    assert!(matches!(error, SectorError::Cipher(xts::Error::DataLength { .. })), "{error}");
    let error = cipher.encrypt_to(0, &[9; 8192], &mut [9; 4096]).unwrap_err();
    assert!(matches!(error, SectorError::Cipher(xts::Error::LengthMismatch { .. })), "{error}");
    cipher.encrypt(sectors, &mut []).unwrap();
}

#[test]
fn only_an_authentic_header_and_the_right_keys_make_one() {
    let place = Place::new();
    let keys = place.volume_of("v", &noise(10_000, 1), 4096);
    let other = place.volume_of("other", b"content", 4096);
    let good = header_of(&place.path("v"));
    let refused = SectorCipher::new(&header(&place), &other, &Expect::any()).unwrap_err();
    assert!(matches!(refused, OpenError::WrongKeys(_)), "{refused}");
    let forged = edited(&good, |json| json["segments"]["0"]["offset"] = "16781312".into());
    let refused = SectorCipher::new(&Header::parse(&forged).unwrap().0, &keys, &Expect::any()).unwrap_err();
    assert!(matches!(refused, OpenError::Forged(_)), "{refused}");
    let null = edited(&good, |json| json["segments"]["0"]["encryption"] = "cipher_null-ecb".into());
    let refused = SectorCipher::new(&Header::parse(&null).unwrap().0, &keys, &Expect::any()).unwrap_err();
    assert!(matches!(refused, OpenError::NotSupported(_)), "{refused}");

    // With the raw key, of a volume whose header says how long it is, and of one that reaches to the end.
    let length = fs::metadata(place.path("v")).unwrap().len();
    let raw = SectorCipher::with_volume_key(&header(&place), keys.xts_key(), length).unwrap();
    assert_eq!(raw.size(), 10_000);
    let refused = SectorCipher::with_volume_key(&header(&place), other.xts_key(), length).unwrap_err();
    assert!(matches!(refused, OpenError::VolumeKey(VolumeKeyError::WrongKey)), "{refused}");
    let foreign = edited(&good, |json| json["tokens"] = serde_json::json!({}));
    let foreign = Header::parse(&foreign).unwrap().0;
    let raw = SectorCipher::with_volume_key(&foreign, keys.xts_key(), length).unwrap();
    assert_eq!(raw.size(), length - DATA_OFFSET);
    let refused = SectorCipher::with_volume_key(&foreign, keys.xts_key(), DATA_OFFSET - 1).unwrap_err();
    assert!(matches!(refused, OpenError::Truncated(_)), "{refused}");
    put_header(&place.path("v"), &good);
}

#[test]
fn debug_output_has_no_secret() {
    let place = Place::new();
    let (_, keys) = place.create("v", &CreateOptions::new(1));
    let shown = format!("{:?}", SectorCipher::new(&header(&place), &keys, &Expect::any()).unwrap());
    assert!(shown.contains("sector_size"));
    let list = format!("{:?}", &keys.xts_key()[..4]);
    assert!(!shown.contains(list.trim_matches(['[', ']'])));
}
