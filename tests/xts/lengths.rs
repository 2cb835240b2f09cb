//! Single data units of every kind of length and place.

use atrest::xts::MAX_UNIT_LEN;

use crate::{
    data::{Call, Direction, Subject, assert_same, bytes, key, keys},
    guarded::Pair,
    reference::{Fast, Reference, XtsMode},
};

/// Lengths go through every way that groups, single vectors, single blocks and a stolen tail can follow each other.
pub fn every_length(subject: Subject) {
    between_guard_pages(subject, 16..=1100);
}

pub fn around_pages(subject: Subject) {
    between_guard_pages(subject, (4096 - 33..=4096 + 33).chain(65536 - 33..=65536 + 33));
}

fn between_guard_pages(subject: Subject, lengths: impl Iterator<Item = usize> + Clone) {
    let longest = lengths.clone().max().expect("lengths");
    let mut buffers = Pair::new(longest);
    for key_bytes in keys() {
        let key = key(subject, &key_bytes);
        let (fast, xts_mode) = (Fast::new(&key_bytes), XtsMode::new(&key_bytes));
        for len in lengths.clone() {
            let plain = bytes(len as u64, len);
            let tweak = bytes(!(len as u64), 16).try_into().expect("16 bytes");
            let cipher = fast.encrypt(len, &plain, |_| tweak);
            if len % 13 == 0 {
                assert_same(&xts_mode.encrypt(len, &plain, |_| tweak), &cipher, || format!("{len} bytes"));
            }
            buffers.check(Call::Unit(tweak), &key, &plain, &cipher);
        }
    }
}

/// Source and destination at every offset from a cache line's start, each against several of the other's.
pub fn unaligned(subject: Subject) {
    const LINE: usize = 64;
    for key_bytes in keys() {
        let key = key(subject, &key_bytes);
        let fast = Fast::new(&key_bytes);
        for (sector_size, sectors) in [(16, 9), (31, 1), (250, 2), (512, 5), (520, 3), (4096, 1), (4111, 1)] {
            let len = sector_size * sectors;
            let plain = bytes(len as u64, len);
            let cipher = fast.encrypt(sector_size, &plain, |i| (i + 7).to_le_bytes());
            let call = Call::Sectors(7.into(), sector_size);
            // Any start within the line will do: all offsets from it are gone through.
            let (mut a, mut b) = (vec![0; len + 2 * LINE], vec![0; len + 2 * LINE]);
            let (line_a, line_b) = (a.as_ptr().align_offset(LINE), b.as_ptr().align_offset(LINE));
            for (src_at, dst_at) in (0..LINE).flat_map(|i| [(i, i), (i, (7 * i + 13) % LINE), (i, 0), (0, i)])
            {
                for direction in Direction::BOTH {
                    let (input, expected) = direction.order(&plain, &cipher);
                    let what = || {
                        format!(
                            "{key:?}, {call:?}, {direction:?}, source at {src_at}, destination at {dst_at}"
                        )
                    };
                    let src = &mut a[line_a + src_at..][..len];
                    src.copy_from_slice(input);
                    let dst = &mut b[line_b + dst_at..][..len];
                    dst.fill(0xa5);
                    call.apart(&key, direction, src, dst).expect("good arguments");
                    assert_same(dst, expected, what);
                    call.in_place(&key, direction, src).expect("good arguments");
                    assert_same(src, expected, what);
                }
            }
        }
    }
}

/// Copies that may go past the caches: to every offset from a cache line's start, in sectors of one tile and of many, with
/// canaries on both sides of the destination.
pub fn large_copies(subject: Subject) {
    const LINE: usize = 64;
    const MOST: usize = (2 << 20) + 3 * 4096;
    let [_, key_bytes] = keys();
    let key = key(subject, &key_bytes);
    let fast = Fast::new(&key_bytes);
    let plain = bytes(11, MOST);
    let mut target = vec![0; MOST + 4 * LINE];
    let line = LINE + target.as_ptr().align_offset(LINE);
    for (sector_size, len) in [(512, MOST), (4096, MOST), (1 << 20, 2 << 20), (MOST, MOST)] {
        let plain = &plain[..len];
        let cipher = fast.encrypt(sector_size, plain, |i| (i + 7).to_le_bytes());
        let call = Call::Sectors(7.into(), sector_size);
        for offset in (0..LINE).step_by(if sector_size == 512 { 1 } else { 13 }) {
            let direction = Direction::BOTH[offset % 2];
            let (input, expected) = direction.order(plain, &cipher);
            target.fill(0xa5);
            call.apart(&key, direction, input, &mut target[line + offset..][..len]).expect("good arguments");
            let what = || format!("{key:?}, {call:?}, {direction:?}, {offset} bytes behind a line's start");
            let (before, rest) = target.split_at(line + offset);
            assert_same(&rest[..len], expected, what);
            assert!(before.iter().chain(&rest[len..]).all(|&byte| byte == 0xa5), "{}: wrote beside", what());
        }
    }
}

/// 2^20 blocks, which is where IEEE Std 1619-2007, 5.1 ends, and one byte less, with a stolen tail.
pub fn largest_unit(subject: Subject) {
    let [_, key_bytes] = keys();
    let key = key(subject, &key_bytes);
    let fast = Fast::new(&key_bytes);
    let tweak = [0xee; 16];
    let plain = bytes(1, MAX_UNIT_LEN);
    let mut data = vec![0; MAX_UNIT_LEN];
    for len in [MAX_UNIT_LEN, MAX_UNIT_LEN - 1] {
        let (plain, data) = (&plain[..len], &mut data[..len]);
        let cipher = fast.encrypt(len, plain, |_| tweak);
        key.encrypt_unit_to(&tweak, plain, data).expect("the longest unit");
        assert_same(data, &cipher, || format!("encryption of {len} bytes"));
        key.decrypt_unit(&tweak, data).expect("the longest unit");
        assert_same(data, plain, || format!("decryption of {len} bytes"));
    }
}
