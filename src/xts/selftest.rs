//! The self-test: known answers of every backend of this processor, more of them than each gives before its first key
//! ([`answers`](super::answers)).

use super::{
    answers::{Digest, KEY_LENS, pattern},
    error::Error,
    key::Key,
    simd::{Backend, Schedule},
    tweak::Tweaks,
};

/// Runs known answers on every backend that this processor runs, in each of its schedules, whichever of them the caller's keys use.
///
/// The answers are vectors of IEEE Std 1619-2007, Annex B (both key sizes, ciphertext stealing), and digests of longer
/// data: batches of more sectors than the kernel takes at once, sectors of odd lengths, sectors in pieces, and numbers
/// that carry past 2^64. Each is encrypted, compared, and decrypted again.
///
/// It takes a few milliseconds, most of them for [`Backend::Soft`], and 20 KiB of stack; it allocates nothing.
///
/// # Errors
/// [`Error::SelfTest`] names the first backend that gave a wrong answer.
pub fn selftest() -> Result<(), Error> {
    runnable().try_for_each(|run| check(run, &VECTORS, &BATCHES))
}

/// A backend in one of its schedules.
type Run = (Backend, Schedule);

/// What this processor runs.
fn runnable() -> impl Iterator<Item = Run> {
    Backend::supported()
        .flat_map(|backend| backend.schedules().iter().map(move |&schedule| (backend, schedule)))
}

/// Holds one of them to the answers.
fn check((backend, schedule): Run, vectors: &[Vector], digests: &[(usize, u64)]) -> Result<(), Error> {
    for vector in vectors {
        if !vector.is_given_by((backend, schedule))? {
            return Err(Error::SelfTest(backend));
        }
    }
    for &(key_len, digest) in digests {
        let key = Key::options().backend_in(backend, schedule).build(&pattern::<64>()[..key_len])?;
        if batches(&key)? != Some(digest) {
            return Err(Error::SelfTest(backend));
        }
    }
    Ok(())
}

/// Key lengths, and the digest of what [`batches`] encrypts. The tests below compute these with the xts-mode crate.
const BATCHES: [(usize, u64); 2] =
    [(KEY_LENS[0], 0x736f_e804_7d62_bef9), (KEY_LENS[1], 0x3e11_a8ff_67cc_7f6c)];

/// Sector sizes and counts: more sectors than a batch of the kernel, single blocks, stealing, sectors of several tiles,
/// and one that is longer than most.
const GEOMETRIES: [(usize, usize); 7] =
    [(16, 131), (48, 131), (512, 15), (520, 15), (1040, 7), (4096, 2), (8191, 1)];

/// The longest of them, in bytes.
const MOST: usize = 8192;

/// The last sectors' numbers are past 2^64.
const FIRST: u64 = u64::MAX - 3;

/// The digest of all geometries' ciphertexts; `None` if decryption, or the same in pieces, gives anything else.
fn batches(key: &Key) -> Result<Option<u64>, Error> {
    let plain = pattern::<MOST>();
    let mut digest = Digest::new();
    for (size, count) in GEOMETRIES {
        let plain = &plain[..size * count];
        let mut data = [0; MOST];
        let data = &mut data[..size * count];
        key.encrypt_sectors_to(FIRST, size, plain, data)?;
        digest.add(data);
        let (first, rest) = data.split_at_mut(size / 2 + 1);
        key.decrypt_sectors_vectored(FIRST, size, &mut [first, rest])?;
        if data != plain {
            return Ok(None);
        }
        let (first, rest) = data.split_at_mut(size * count / 3);
        key.encrypt_sectors_vectored(FIRST, size, &mut [first, rest])?;
        digest.add(data);
        key.decrypt_sectors(FIRST, size, data)?;
        if data != plain {
            return Ok(None);
        }
    }
    Ok(Some(digest.value()))
}

/// One unit of Annex B.
#[derive(Clone, Copy)]
struct Vector {
    key1: &'static [u8],
    key2: &'static [u8],
    tweak: u64,
    plain: &'static [u8],
    cipher: &'static [u8],
}

const COUNTING: [u8; 32] = {
    let mut bytes = [0; 32];
    let mut i = 0;
    while i < bytes.len() {
        bytes[i] = i as u8;
        i += 1;
    }
    bytes
};

/// Vectors 2, 10 (its first two blocks, which depend on nothing behind them), 15 and 18.
const VECTORS: [Vector; 4] = [
    Vector {
        key1: &[0x11; 16],
        key2: &[0x22; 16],
        tweak: 0x33_3333_3333,
        plain: &[0x44; 32],
        cipher: &hex::<32>("c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0"),
    },
    Vector {
        key1: &hex::<32>("2718281828459045235360287471352662497757247093699959574966967627"),
        key2: &hex::<32>("3141592653589793238462643383279502884197169399375105820974944592"),
        tweak: 0xff,
        plain: &COUNTING,
        cipher: &hex::<32>("1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b"),
    },
    Vector {
        key1: &hex::<16>("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0"),
        key2: &hex::<16>("bfbebdbcbbbab9b8b7b6b5b4b3b2b1b0"),
        tweak: 0x12_3456_789a,
        plain: COUNTING.split_at(17).0,
        cipher: &hex::<17>("6c1625db4671522d3d7599601de7ca09ed"),
    },
    Vector {
        key1: &hex::<16>("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0"),
        key2: &hex::<16>("bfbebdbcbbbab9b8b7b6b5b4b3b2b1b0"),
        tweak: 0x12_3456_789a,
        plain: COUNTING.split_at(20).0,
        cipher: &hex::<20>("9d84c813f719aa2c7be3f66171c7c5c2edbf9dac"),
    },
];

impl Vector {
    /// Whether a backend encrypts it as the standard says, and decrypts it again.
    fn is_given_by(&self, (backend, schedule): Run) -> Result<bool, Error> {
        let Vector { key1, key2, tweak, plain, cipher } = *self;
        let mut key = [0; 64];
        key[..key1.len()].copy_from_slice(key1);
        key[key1.len()..2 * key1.len()].copy_from_slice(key2);
        let key = Key::options().backend_in(backend, schedule).build(&key[..2 * key1.len()])?;
        let mut unit = [0; 32];
        let unit = &mut unit[..plain.len()];
        key.encrypt_unit_to(&u128::from(tweak).to_le_bytes(), plain, unit)?;
        let encrypted = unit == cipher;
        key.decrypt_sectors(Tweaks::plain64(tweak), plain.len(), unit)?;
        Ok(encrypted && unit == plain)
    }
}

/// Hexadecimal digits at compile time.
const fn hex<const N: usize>(digits: &str) -> [u8; N] {
    const fn nibble(digit: u8) -> u8 {
        match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => panic!("not a hexadecimal digit"),
        }
    }
    let digits = digits.as_bytes();
    assert!(digits.len() == 2 * N);
    let mut bytes = [0; N];
    let mut i = 0;
    while i < N {
        bytes[i] = nibble(digits[2 * i]) << 4 | nibble(digits[2 * i + 1]);
        i += 1;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xts::answers::tests::by_xts_mode;

    #[test]
    fn digests_are_those_of_xts_mode() {
        for (key_len, expected) in BATCHES {
            let mut digest = Digest::new();
            for (size, count) in GEOMETRIES {
                let mut data = pattern::<MOST>()[..size * count].to_vec();
                by_xts_mode(&pattern::<64>()[..key_len], FIRST, size, &mut data);
                // From one buffer into another, and in pieces.
                digest.add(&data);
                digest.add(&data);
            }
            let digest = digest.value();
            assert_eq!(digest, expected, "{key_len} bytes of key: {digest:#x}");
        }
    }

    #[test]
    fn a_wrong_digest_is_noticed() {
        for run in runnable() {
            for wrong in 0..BATCHES.len() {
                let mut digests = BATCHES;
                digests[wrong].1 ^= 1 << 40;
                assert_eq!(check(run, &VECTORS, &digests), Err(Error::SelfTest(run.0)), "digest {wrong}");
            }
        }
    }

    #[test]
    fn a_wrong_vector_is_noticed() {
        for run in runnable() {
            for wrong in 0..VECTORS.len() {
                let mut vectors = VECTORS;
                vectors[wrong].cipher = &[0x5a; 32][..vectors[wrong].plain.len()];
                assert_eq!(check(run, &vectors, &BATCHES), Err(Error::SelfTest(run.0)), "vector {wrong}");
            }
        }
    }
}
