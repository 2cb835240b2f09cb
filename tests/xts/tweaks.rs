//! Which tweak each sector gets. The expected ones are written out byte by byte from the layout's definition.

use atrest::xts::{
    CounterWidth::{self, Bits32, Bits64, Bits128},
    Error, Key, TweakSource, Tweaks,
};

use crate::{
    data::{Call, Direction, Subject, assert_same, bytes, key, keys},
    guarded,
    reference::{Fast, Reference, XtsMode},
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

pub fn plain(subject: Subject) {
    let starts = [0, 1, 0xff, 0xdead_beef, (7 << 32) + 3].into_iter();
    for first in starts.chain(starts_before(1 << 32).map(|first| first as u64)) {
        for size in [16, 48, 100, 512, 4096] {
            check(subject, Tweaks::plain(first), size, SECTORS, |i| {
                let mut tweak = [0; 16];
                tweak[..4].copy_from_slice(&(first as u32).wrapping_add(i as u32).to_le_bytes());
                tweak
            });
        }
    }
}

pub fn upper64(subject: Subject) {
    let last = u64::MAX - (SECTORS as u64 - 1);
    for first in [0, 1, 0xdead_beef, (1 << 32) - 30, last] {
        for size in [16, 48, 100, 512, 4096] {
            check(subject, Tweaks::upper64(first), size, SECTORS, |i| little_endian(0, first + i as u64));
        }
    }
    for (size, step) in [(512, 1), (1536, 3), (4096, 8)] {
        for first in [0, 8, (1 << 32) - 5, u64::MAX - 34 * step] {
            check(subject, Tweaks::upper64_in_512(first), size, 35, |i| {
                little_endian(0, first + i as u64 * step)
            });
        }
    }
}

/// `{1'b0, ~LBA[62:0], LBA[63:0]}`, as SPDK writes it.
pub fn with_complement(subject: Subject) {
    let last = (1 << 63) - SECTORS as u64;
    for first in [0, 1, 0xdead_beef, (1 << 32) - 30, last] {
        for size in [16, 48, 100, 512, 4096] {
            check(subject, Tweaks::with_complement(first), size, SECTORS, |i| {
                let number = first + i as u64;
                little_endian(number, !number & !(1 << 63))
            });
        }
    }
}

pub fn counter32(subject: Subject) {
    for above in [0, 0x0102_0304_0506_0708_090a_0b0c << 32] {
        for first in [0, 77, u32::MAX - (SECTORS as u32 - 1)] {
            for size in [16, 100, 512, 4096] {
                check(subject, Tweaks::counter32(above | u128::from(first)), size, SECTORS, |i| {
                    let mut tweak = u128::to_le_bytes(above);
                    tweak[..4].copy_from_slice(&(first + i as u32).to_le_bytes());
                    tweak
                });
            }
        }
    }
}

/// Adds `step` to the first `bytes` of a little-endian number, byte by byte, and drops what leaves them.
fn advance(number: &mut [u8; 16], step: &[u8; 16], bytes: usize) {
    let mut carry = 0;
    for (digit, step) in number.iter_mut().zip(step).take(bytes) {
        let sum = u16::from(*digit) + u16::from(*step) + carry;
        (*digit, carry) = (sum as u8, sum >> 8);
    }
}

/// The tweaks of a sequence, step by step.
pub fn sequence(first: u128, step: i128, width: CounterWidth, big: bool, sectors: usize) -> Vec<[u8; 16]> {
    let bytes = match width {
        Bits32 => 4,
        Bits64 => 8,
        Bits128 => 16,
    };
    let mut number = first.to_le_bytes();
    let mut tweaks = Vec::new();
    for _ in 0..sectors {
        let mut tweak = number;
        if big {
            tweak.reverse();
        }
        tweaks.push(tweak);
        advance(&mut number, &step.to_le_bytes(), bytes);
    }
    tweaks
}

const UPPER: i128 = 1 << 64;
/// Steps up and down: in the lower half, the upper half and both, with carries and without.
const STEPS: [i128; 14] = [
    0,
    1,
    -1,
    3,
    -250,
    1 << 31,
    (1 << 63) + 1,
    UPPER,
    -UPPER,
    1 - UPPER,
    3 * UPPER - 2,
    0x0123_4567_89ab_cdef_0011_2233_4455_6677,
    i128::MAX,
    i128::MIN,
];

/// Any first number, step, width and byte order, past every end: counters wrap in any place of a batch and a vector.
pub fn sequences(subject: Subject) {
    const ABOVE: u128 = 0xf0e1_d2c3_b4a5_9687_7869_5a4b_3c2d_1e0f;
    let key_bytes = &keys()[1];
    let (key, fast) = (key(subject, key_bytes), Fast::new(key_bytes));
    // An emulator takes a minute and a half for the long ones, which other tests have under sequences, too.
    let sizes = if std::env::var_os("ATREST_EMULATED").is_some() {
        &[16, 48, 100][..]
    } else {
        &[16, 48, 100, 512, 520, 4096]
    };
    for (i, step) in STEPS.into_iter().enumerate() {
        for (j, width) in [Bits32, Bits64, Bits128].into_iter().enumerate() {
            let bits = 32 << j;
            let above = if width == Bits128 { 0 } else { ABOVE >> bits << bits };
            // Where the counter is at an end `distance` steps later.
            let distances = [0, 1, 2, 30, 127, 128, 129, SECTORS as i128 - 1];
            let first = distances.map(|distance| {
                let counter = 0_u128.wrapping_sub(step.wrapping_mul(distance) as u128);
                above | counter & u128::MAX >> (128 - bits)
            });
            for (n, first) in first.into_iter().enumerate() {
                for big in [false, true] {
                    let size = sizes[(i + j + n) % sizes.len()];
                    let mut tweaks = Tweaks::sequence(first, step).width(width).wrapping();
                    if big {
                        tweaks = tweaks.big_endian();
                    }
                    let list = sequence(first, step, width, big, SECTORS);
                    let plain = bytes(size as u64, SECTORS * size);
                    let cipher = fast.encrypt(size, &plain, |i| list[i as usize]);
                    Call::Sectors(tweaks, size).check(&key, &plain, &cipher);
                    let at = plain.len() / 3;
                    Call::InPieces(tweaks, size, at).check(&key, &plain, &cipher);
                }
            }
        }
    }
    // The order in which a sequence is described does not matter.
    let described = Tweaks::sequence(9, -4).wrapping().in_512().big_endian().width(Bits32);
    assert_eq!(described, Tweaks::sequence(9, -4).width(Bits32).big_endian().in_512().wrapping());
}

/// A step for 512 bytes, up and down.
pub fn sequences_in_512(subject: Subject) {
    let key_bytes = &keys()[0];
    let key = key(subject, key_bytes);
    for step in STEPS {
        for (width, size) in [(Bits32, 1024), (Bits64, 4096), (Bits128, 512), (Bits128, 1536)] {
            let tweaks = Tweaks::sequence(1 << 100 | 5, step).width(width).wrapping().in_512();
            let list = sequence(1 << 100 | 5, step.wrapping_mul(size as i128 / 512), width, false, 35);
            let plain = bytes(size as u64, 35 * size);
            let cipher = XtsMode::new(key_bytes).encrypt(size, &plain, |i| list[i as usize]);
            Call::Sectors(tweaks, size).check(&key, &plain, &cipher);
        }
    }
}

/// A tweak for each sector, in no order.
pub fn lists(subject: Subject) {
    for key_bytes in keys() {
        let (key, fast) = (key(subject, &key_bytes), Fast::new(&key_bytes));
        let all: Vec<[u8; 16]> = bytes(9, 16 * 300).as_chunks().0.to_vec();
        for (size, counts) in [
            (16, &[1, 2, 3, 5, 127, 128, 129, 300][..]),
            (48, &[4, 140]),
            (100, &[7, 131]),
            (512, &[1, 2, 3, 4, 6, 128, 131, 257]),
            (520, &[1, 9, 130]),
            (1024, &[1, 3]),
            (4096, &[1, 2, 130]),
            (12304, &[3]),
        ] {
            for &count in counts {
                let list = &all[300 - count..];
                let plain = bytes(size as u64, count * size);
                let cipher = fast.encrypt(size, &plain, |i| list[i as usize]);
                Call::List(list, size).check(&key, &plain, &cipher);
                for at in [plain.len() / 3, size, size / 2] {
                    Call::ListInPieces(list, size, at).check(&key, &plain, &cipher);
                }
                // Nothing beside the list is read.
                guarded::at_both_ends(list.as_flattened(), |list| {
                    let mut data = plain.clone();
                    key.encrypt_sectors(list.as_chunks().0, size, &mut data).expect("good");
                    assert_same(&data, &cipher, || {
                        format!("{key:?}, {count} of {size}, between guard pages")
                    });
                });
            }
        }
    }
}

/// There must be as many tweaks as sectors.
pub fn lists_that_are_refused(subject: Subject) {
    let key = key(subject, &keys()[1]);
    let list = [[3; 16]; 9];
    for size in [16, 512, 600, 4096] {
        for (tweaks, sectors) in [(0, 1), (1, 0), (1, 2), (2, 1), (8, 9), (9, 8), (9, 0)] {
            let data = bytes(1, sectors * size);
            let expected = Err(Error::TweakCount { tweaks, sectors });
            for call in [Call::List(&list[..tweaks], size), Call::ListInPieces(&list[..tweaks], size, 0)] {
                for direction in Direction::BOTH {
                    let mut found = data.clone();
                    assert_eq!(call.in_place(&key, direction, &mut found), expected, "{call:?}");
                    assert_eq!(found, data);
                    let mut dst = vec![0xa5; data.len()];
                    assert_eq!(call.apart(&key, direction, &data, &mut dst), expected, "{call:?}");
                    assert!(dst.iter().all(|&byte| byte == 0xa5));
                }
            }
        }
        assert_eq!(key.encrypt_sectors(&list[..0], size, &mut []), Ok(()));
        // What is wrong with the data is said first.
        let short = Error::DataLength { len: 1, sector_size: size };
        assert_eq!(key.encrypt_sectors(&list, size, &mut [0]), Err(short));
    }
    assert_eq!(TweakSource::from(&list), TweakSource::List(&list));
    assert_eq!(TweakSource::from(7), TweakSource::Sequence(Tweaks::plain64(7)));
}

/// The last sector's number must fit; one more is refused, and nothing is written.
pub fn overflow(subject: Subject) {
    let key = key(subject, &keys()[1]);
    let top = |width: CounterWidth| match width {
        Bits32 => u128::from(u32::MAX),
        Bits64 => u128::from(u64::MAX),
        Bits128 => u128::MAX,
    };
    let mut cases = vec![
        (Tweaks::plain64be(u64::MAX - 4), 5, 16),
        (Tweaks::plain64be(u64::MAX), 1, 512),
        (Tweaks::number128(u128::MAX - 4), 5, 16),
        (Tweaks::number128(u128::MAX), 1, 512),
        (Tweaks::number128be(u128::MAX - 4), 5, 16),
        (Tweaks::number128be(u128::MAX), 1, 512),
        (Tweaks::upper64(u64::MAX - 4), 5, 16),
        (Tweaks::upper64(u64::MAX), 1, 512),
        (Tweaks::upper64_in_512(u64::MAX - 39), 5, 4096),
        (Tweaks::upper64_in_512(u64::MAX - 40), 6, 4096),
        (Tweaks::with_complement((1 << 63) - 5), 5, 16),
        (Tweaks::with_complement((1 << 63) - 1), 1, 512),
        (Tweaks::counter32(5 << 32 | 0xffff_fffb), 5, 16),
        (Tweaks::counter32(u128::MAX), 1, 512),
        // Steps that fit into no 64 bits.
        (Tweaks::sequence(0, i128::MAX), 3, 16),
        (Tweaks::sequence(u128::MAX, -i128::MAX), 3, 16),
        (Tweaks::sequence(u128::MAX, i128::MIN), 2, 16),
        (Tweaks::sequence(1, i128::MAX).in_512(), 1, 4096),
        (Tweaks::sequence(1, i128::MIN).in_512(), 1, 4096),
        (Tweaks::sequence(0, 1 << 124).in_512(), 2, 4096),
        (Tweaks::sequence(u128::MAX, -(1 << 124)).in_512(), 2, 4096),
        // A step that is wider than the counter.
        (Tweaks::sequence(0, 1 << 32).width(Bits32), 1, 16),
        (Tweaks::sequence(0, 1 << 64).width(Bits64), 1, 16),
    ];
    for width in [Bits32, Bits64, Bits128] {
        let top = top(width);
        for above in [0, !top] {
            for tweaks in [
                Tweaks::sequence(above | (top - 12), 3),
                Tweaks::sequence(above | (top - 14), 3),
                Tweaks::sequence(above | 12, -3),
                Tweaks::sequence(above | 14, -3),
            ] {
                cases.push((tweaks.width(width), 5, 48));
                cases.push((tweaks.big_endian().width(width), 5, 512));
            }
            cases.push((Tweaks::sequence(above, -1).width(width), 1, 600));
        }
    }
    for (first, fitting, size) in cases {
        let data = bytes(1, (fitting + 1) * size);
        let call = Call::Sectors(first, size);
        for direction in Direction::BOTH {
            let mut fits = data[size..].to_vec();
            call.in_place(&key, direction, &mut fits).expect("the last number fits");
            assert_ne!(fits, data[size..]);

            let mut found = data.clone();
            assert_eq!(
                call.in_place(&key, direction, &mut found),
                Err(Error::SectorNumberOverflow),
                "{call:?}"
            );
            assert_eq!(found, data);
            let mut dst = vec![0xa5; data.len()];
            assert_eq!(call.apart(&key, direction, &data, &mut dst), Err(Error::SectorNumberOverflow));
            assert!(dst.iter().all(|&byte| byte == 0xa5));

            // Wrapping takes it.
            let call = Call::Sectors(first.wrapping(), size);
            call.in_place(&key, direction, &mut found).expect("nothing is too large");
            assert_same(&found[..fits.len()], &once(&key, direction, first, size, &data), || {
                format!("{call:?}")
            });
        }
    }
    for number in [1 << 63, u64::MAX] {
        let mut data = [0; 512];
        let refused = key.encrypt_sectors(Tweaks::with_complement(number), 512, &mut data);
        assert_eq!(refused, Err(Error::SectorNumberOverflow));
        assert_eq!(data, [0; 512]);
    }
    // No sectors are no error.
    assert_eq!(key.encrypt_sectors(Tweaks::with_complement(1 << 63), 512, &mut []), Ok(()));
}

/// All sectors but the last.
fn once(key: &Key, direction: Direction, first: Tweaks, size: usize, data: &[u8]) -> Vec<u8> {
    let mut data = data[..data.len() - size].to_vec();
    Call::Sectors(first, size).in_place(key, direction, &mut data).expect("these fit");
    data
}

/// Of what stands in the documentation's table: the constructors are the sequences that it says.
pub fn layouts_are_sequences() {
    let n = 0x0123_4567_89ab_cdef_u64;
    let number = u128::from(n);
    let upper = number << 64;
    let any = upper | 77;
    for (layout, sequence) in [
        (Tweaks::plain(n), Tweaks::sequence(number & 0xffff_ffff, 1).width(Bits32).wrapping()),
        (Tweaks::plain64(n), Tweaks::sequence(number, 1)),
        (n.into(), Tweaks::sequence(number, 1)),
        (Tweaks::plain64be(n), Tweaks::sequence(number, 1).width(Bits64).big_endian()),
        (Tweaks::plain64_in_512(n), Tweaks::sequence(number, 1).in_512()),
        (Tweaks::upper64(n), Tweaks::sequence(upper, 1 << 64)),
        (Tweaks::upper64_in_512(n), Tweaks::sequence(upper, 1 << 64).in_512()),
        (Tweaks::counter32(any), Tweaks::sequence(any, 1).width(Bits32)),
        (Tweaks::number128(any), Tweaks::sequence(any, 1)),
        (Tweaks::number128be(any), Tweaks::sequence(any, 1).big_endian()),
    ] {
        assert_eq!(layout, sequence);
    }
    // This one has a smaller largest number.
    let complement = Tweaks::sequence(u128::from(i64::MAX as u64 - n) << 64 | number, 1 - (1 << 64));
    assert_eq!(Tweaks::with_complement(n).wrapping(), complement.wrapping());
}
