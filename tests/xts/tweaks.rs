//! Which tweak each sector gets. The expected ones are written out byte by byte from the layout's definition.

use atrest::xts::{Error, Tweaks};

use crate::{
    data::{Call, Direction, Subject, bytes, key, keys},
    reference::{Fast, Reference},
};

/// Holds sectors under `first` to units under `tweak(i)`.
fn check(subject: Subject, first: Tweaks, size: usize, sectors: usize, tweak: impl Fn(u128) -> [u8; 16]) {
    for key_bytes in keys() {
        let plain = bytes(size as u64, sectors * size);
        let cipher = Fast::new(&key_bytes).encrypt(size, &plain, &tweak);
        Call::Sectors(first, size).check(&key(subject, &key_bytes), &plain, &cipher);
    }
}

/// More sectors than any backend takes tweaks in a batch, so that a carry falls into each place of one.
const SECTORS: usize = 140;

/// Starts whose carry, if they have one, comes 1, 2, 30 or 139 sectors later.
fn starts_before(limit: u128) -> impl Iterator<Item = u128> {
    [1, 2, 30, SECTORS as u128 - 1].into_iter().map(move |distance| limit - distance)
}

/// Low half, then high half, each little-endian, without the arithmetic of a 128-bit type.
fn little_endian(low: u64, high: u64) -> [u8; 16] {
    let mut tweak = [0; 16];
    tweak[..8].copy_from_slice(&low.to_le_bytes());
    tweak[8..].copy_from_slice(&high.to_le_bytes());
    tweak
}

/// `first + i` as (low, high).
fn add(first: u64, i: u128) -> (u64, u64) {
    let (low, carry) = first.overflowing_add(u64::try_from(i).expect("a small number"));
    (low, u64::from(carry))
}

pub fn plain64(subject: Subject) {
    let starts =
        [0, 1, 0xff, 0xdead_beef].into_iter().chain(starts_before(1 << 32)).chain(starts_before(1 << 64));
    for first in starts {
        let first = u64::try_from(first).expect("below 2^64");
        for size in [16, 48, 100, 512] {
            let tweak = |i| {
                let (low, high) = add(first, i);
                little_endian(low, high)
            };
            check(subject, Tweaks::plain64(first), size, SECTORS, tweak);
            check(subject, first.into(), size, SECTORS, tweak);
        }
    }
}

pub fn plain64be(subject: Subject) {
    let last = u64::MAX - (SECTORS as u64 - 1);
    let starts = [0, 0xff, 0xdead_beef, last].into_iter();
    for first in starts.chain(starts_before(1 << 32).map(|first| first as u64)) {
        for size in [16, 48, 100, 512] {
            check(subject, Tweaks::plain64be(first), size, SECTORS, |i| {
                let mut tweak = [0; 16];
                tweak[8..].copy_from_slice(&(first + i as u64).to_be_bytes());
                tweak
            });
        }
    }
}

pub fn plain64_in_512(subject: Subject) {
    for (size, step) in [(512, 1), (1024, 2), (1536, 3), (2048, 4), (4096, 8)] {
        for first in [0, 8, (1 << 32) - 5, (1 << 32) - 16 * step, u64::MAX - 3, u64::MAX - 16 * step] {
            check(subject, Tweaks::plain64_in_512(first), size, 35, |i| {
                let (low, high) = add(first, i * u128::from(step));
                little_endian(low, high)
            });
        }
    }
    // The whole jump at once: a sector of 2^20 blocks is 32768 of the units.
    let key_bytes = &keys()[1];
    let plain = bytes(5, 2 << 24);
    let fast = Fast::new(key_bytes);
    let cipher = fast.encrypt(1 << 24, &plain, |i| little_endian(9 + 32768 * i as u64, 0));
    let mut data = plain;
    key(subject, key_bytes)
        .encrypt_sectors(Tweaks::plain64_in_512(9), 1 << 24, &mut data)
        .expect("the longest sector");
    assert!(data == cipher, "sectors of 16 MiB, counted in units of 512 bytes");
}

pub fn number128(subject: Subject) {
    let highest = u128::MAX - (SECTORS as u128 - 1);
    let starts = [0, 1 << 100, highest].into_iter();
    let starts =
        starts.chain(starts_before(1 << 32)).chain(starts_before(1 << 64)).chain(starts_before(7 << 96));
    for first in starts {
        for size in [16, 48, 100, 512] {
            check(subject, Tweaks::number128(first), size, SECTORS, |i| {
                let number = first + i;
                little_endian(number as u64, (number >> 64) as u64)
            });
        }
    }
}

pub fn number128be(subject: Subject) {
    let highest = u128::MAX - (SECTORS as u128 - 1);
    let starts =
        [0, 1 << 100, highest].into_iter().chain(starts_before(1 << 64)).chain(starts_before(7 << 96));
    for first in starts {
        for size in [16, 100, 512] {
            check(subject, Tweaks::number128be(first), size, SECTORS, |i| {
                let number = first + i;
                let mut tweak = little_endian(number as u64, (number >> 64) as u64);
                tweak.reverse();
                tweak
            });
        }
    }
}

/// The last sector's number must fit; one more is refused, and nothing is written.
pub fn overflow(subject: Subject) {
    let key = key(subject, &keys()[1]);
    for (first, fitting, size) in [
        (Tweaks::plain64be(u64::MAX - 4), 5, 16),
        (Tweaks::plain64be(u64::MAX), 1, 512),
        (Tweaks::number128(u128::MAX - 4), 5, 16),
        (Tweaks::number128(u128::MAX), 1, 512),
        (Tweaks::number128be(u128::MAX - 4), 5, 16),
        (Tweaks::number128be(u128::MAX), 1, 512),
    ] {
        let data = bytes(1, (fitting + 1) * size);
        let call = Call::Sectors(first, size);
        for direction in Direction::BOTH {
            let mut fits = data[size..].to_vec();
            call.in_place(&key, direction, &mut fits).expect("the last number fits");
            assert_ne!(fits, data[size..]);

            let mut found = data.clone();
            assert_eq!(call.in_place(&key, direction, &mut found), Err(Error::SectorNumberOverflow));
            assert_eq!(found, data);
            let mut dst = vec![0xa5; data.len()];
            assert_eq!(call.apart(&key, direction, &data, &mut dst), Err(Error::SectorNumberOverflow));
            assert!(dst.iter().all(|&byte| byte == 0xa5));
        }
    }
}
