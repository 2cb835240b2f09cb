//! Batches of sectors: the same as the sectors one by one.

use crate::{
    data::{Call, Direction, Subject, assert_same, bytes, key, keys},
    guarded::Pair,
    reference::{Fast, Reference},
};

const FIRST: u64 = 0x0123_4567_89ab_cdef;

fn tweak(i: u128) -> [u8; 16] {
    (u128::from(FIRST) + i).to_le_bytes()
}

/// Sector sizes on both sides of what the loop treats differently: a block, a vector, a group, and stealing in each.
const SIZES: [usize; 32] = [
    16, 17, 31, 32, 33, 47, 48, 63, 64, 65, 80, 96, 112, 127, 128, 144, 240, 255, 256, 257, 272, 384, 496,
    511, 512, 513, 520, 528, 1024, 1040, 4096, 4104,
];

/// 1 to 40 sectors, against OpenSSL's single units and against our own.
pub fn equal_single_units(subject: Subject) {
    const MOST: usize = 40;
    for key_bytes in keys() {
        let key = key(subject, &key_bytes);
        let fast = Fast::new(&key_bytes);
        for size in SIZES {
            let plain = bytes(size as u64, MOST * size);
            let cipher = fast.encrypt(size, &plain, tweak);

            let mut singles = plain.clone();
            for (i, sector) in (0..).zip(singles.chunks_exact_mut(size)) {
                key.encrypt_unit(&tweak(i), sector).expect("a good unit");
            }
            assert_same(&singles, &cipher, || format!("{key:?}, single units of {size} bytes"));

            for sectors in 1..=MOST {
                let len = sectors * size;
                Call::Sectors(FIRST.into(), size).check(&key, &plain[..len], &cipher[..len]);
            }
        }
    }
}

/// Enough sectors for several of the loop's batches, at every count that can be left over after them.
pub fn long(subject: Subject) {
    for size in [16, 32, 48, 50] {
        counts(subject, size, 41..=300);
    }
    for size in [250, 512, 520, 528, 1024, 1033] {
        counts(subject, size, (126..=131).chain(254..=259));
    }
    // 2 MiB and more are taken to lie in memory.
    counts(subject, 512, [2048, 4099]);
}

fn counts(subject: Subject, size: usize, counts: impl IntoIterator<Item = usize> + Clone) {
    let most = counts.clone().into_iter().max().expect("counts");
    for key_bytes in keys() {
        let key = key(subject, &key_bytes);
        let plain = bytes(size as u64, most * size);
        let cipher = Fast::new(&key_bytes).encrypt(size, &plain, tweak);
        for sectors in counts.clone() {
            let len = sectors * size;
            Call::Sectors(FIRST.into(), size).check(&key, &plain[..len], &cipher[..len]);
        }
    }
}

/// Every sector size of 16 to 1100 bytes, in batches: what follows a sector there is the next one.
pub fn every_sector_size(subject: Subject) {
    const COUNTS: [usize; 2] = [3, 9];
    let mut buffers = Pair::new(1100 * COUNTS[1]);
    for key_bytes in keys() {
        let key = key(subject, &key_bytes);
        let fast = Fast::new(&key_bytes);
        for size in 16..=1100 {
            let plain = bytes(size as u64, COUNTS[1] * size);
            let cipher = fast.encrypt(size, &plain, tweak);
            for sectors in COUNTS {
                let len = sectors * size;
                buffers.check(Call::Sectors(FIRST.into(), size), &key, &plain[..len], &cipher[..len]);
            }
        }
    }
}

pub fn between_guard_pages(subject: Subject) {
    let counts = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23, 31, 32, 33, 40];
    let mut buffers = Pair::new(4104 * 40);
    for key_bytes in keys() {
        let key = key(subject, &key_bytes);
        let fast = Fast::new(&key_bytes);
        for size in SIZES {
            let plain = bytes(!(size as u64), 40 * size);
            let cipher = fast.encrypt(size, &plain, tweak);
            for sectors in counts {
                let len = sectors * size;
                buffers.check(Call::Sectors(FIRST.into(), size), &key, &plain[..len], &cipher[..len]);
            }
        }
    }
}

/// Two calls, cut at any sector, give what one call gives.
pub fn resume_anywhere(subject: Subject) {
    const SECTORS: usize = 40;
    for key_bytes in keys() {
        let key = key(subject, &key_bytes);
        let fast = Fast::new(&key_bytes);
        for size in [16, 48, 100, 512, 520] {
            let plain = bytes(size as u64, SECTORS * size);
            let cipher = fast.encrypt(size, &plain, tweak);
            for (cut, direction) in (0..=SECTORS).flat_map(|cut| Direction::BOTH.map(|d| (cut, d))) {
                let (input, expected) = direction.order(&plain, &cipher);
                let mut data = input.clone();
                let (head, tail) = data.split_at_mut(cut * size);
                Call::Sectors(FIRST.into(), size).in_place(&key, direction, head).expect("good arguments");
                let first = FIRST + cut as u64;
                Call::Sectors(first.into(), size).in_place(&key, direction, tail).expect("good arguments");
                assert_same(&data, expected, || {
                    format!("{key:?}, {direction:?}, {size} bytes, cut at {cut}")
                });
            }
        }
    }
}

pub fn one_key_for_many_threads(subject: Subject) {
    let [_, key_bytes] = keys();
    let key = &key(subject, &key_bytes);
    let plain = bytes(3, 128 * 512);
    let cipher = Fast::new(&key_bytes).encrypt(512, &plain, tweak);
    let (plain, cipher) = (&plain, &cipher);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                for round in 0..8 {
                    // Each has another range in hand at the same time.
                    let from = 512 * ((thread * 31 + round * 7) % 64);
                    let first = FIRST + from as u64 / 512;
                    let call = Call::Sectors(first.into(), 512);
                    call.check(key, &plain[from..][..64 * 512], &cipher[from..][..64 * 512]);
                }
            });
        }
    });
}
