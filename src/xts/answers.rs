//! Known answers, and what backends gave: none makes a key before it gave them.
//!
//! An emulator, a processor with a fault, or a build by a wrong compiler computes noise as readily as ciphertext, and what
//! it wrote nobody can read. So the first key of a process that is for a backend waits some microseconds, until
//! that backend has encrypted and decrypted known sectors in each of its schedules; keys after it look at one byte.
//!
//! Expected digests are those of OpenSSL, and of the crates `xts-mode` and `aes`, with which the tests below compute them anew.

use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

use super::simd::{Backend, ByteOrder, Cipher, CounterWidth, Direction, Job, Numbers, Runnable, Sequence};

/// What a backend gave, at its place in [`Backend::ALL`]. Threads that ask at the same time find the same, and nothing
/// else is read by way of it: no order is needed.
static GIVEN: [AtomicU8; Backend::ALL.len()] = [const { AtomicU8::new(NOT_ASKED) }; Backend::ALL.len()];

/// verify/src/subject.rs sets the others, too.
const NOT_ASKED: u8 = 0;
const RIGHT: u8 = 1;
const WRONG: u8 = 2;

/// Whether a backend that the processor supports gives the known answers; asked once in a process.
#[inline(always)]
pub(super) fn are_given_by(backend: Backend) -> bool {
    match GIVEN[backend as usize].load(Relaxed) {
        RIGHT => true,
        WRONG => false,
        _ => ask(backend),
    }
}

/// Whether a backend was asked, and gave a wrong answer.
pub(super) fn were_wrong_of(backend: Backend) -> bool {
    GIVEN[backend as usize].load(Relaxed) == WRONG
}

#[cold]
#[inline(never)]
fn ask(backend: Backend) -> bool {
    // Bitsliced code takes ten times as long, and has fewer paths.
    let answers = if backend.needs().contains(&"aes") { &OF_AES } else { &OF_SLICED };
    let right = are_right(backend, answers);
    GIVEN[backend as usize].store(if right { RIGHT } else { WRONG }, Relaxed);
    right
}

/// Sizes and counts of sectors, numbered from [`FIRST`] on, and digests of their ciphertexts, for each of [`KEY_LENS`].
struct Answers {
    geometries: &'static [(usize, usize)],
    digests: [u64; 2],
}

/// The lengths of keys, both halves together.
pub(super) const KEY_LENS: [usize; 2] = [32, 64];

/// Stealing; a sector by itself that is long; sectors of a tile and ends behind it; sectors of less than a tile.
const OF_AES: Answers = Answers {
    geometries: &[(17, 1), (1057, 1), (536, 3), (48, 5)],
    digests: [0xbb9b_57a5_b6b6_90d7, 0x7bb7_b273_8605_28f7],
};

/// A sector by itself, of whole passes and more and with stealing; and several.
const OF_SLICED: Answers =
    Answers { geometries: &[(281, 1), (32, 2)], digests: [0x72ba_0d08_f314_5a48, 0x8f8d_d0b3_a800_54f6] };

/// The longest of them, in bytes.
const MOST: usize = 1608;

/// The fifth number from here on is past 2^64, and the third is not.
const FIRST: u64 = u64::MAX - 3;

#[cfg(test)]
static PLAIN: [u8; MOST] = pattern();
static KEY: [u8; 64] = pattern();

/// Holds each of a backend's schedules to answers.
fn are_right(backend: Backend, answers: &Answers) -> bool {
    let first = u128::from(FIRST);
    let sequence = Sequence { first, step: 1, width: CounterWidth::Bits128, order: ByteOrder::Little };
    let tweaks = || Numbers::Sequence(sequence);
    // Made here, and no constant: it would be a larger part of a small program than the code that makes it.
    let plaintext: [u8; MOST] = pattern();
    let mut memory = [0; MOST];
    backend.schedules().iter().all(|&schedule| {
        KEY_LENS.iter().zip(&answers.digests).all(|(&len, &expected)| {
            let Some(runnable) = Runnable::new(backend, Some(schedule), 4 * len) else { return false };
            let (key1, key2) = KEY[..len].split_at(len / 2);
            let mut cipher = Cipher::empty(runnable, len == 64);
            cipher.expand(key1, key2);
            let mut digest = Digest::new();
            let all = answers.geometries.iter().all(|&(size, count)| {
                let (plain, data) = (&plaintext[..size * count], &mut memory[..size * count]);
                cipher.run(Direction::Encrypt, Job::apart(plain, data, size, tweaks()));
                digest.add(data);
                cipher.run(Direction::Decrypt, Job::in_place(data, size, tweaks()));
                data == plain
            });
            all && digest.value() == expected
        })
    })
}

/// FNV-1a on words, in four lanes that do not wait for each other. It is there to notice errors, not forgers.
pub(super) struct Digest([u64; 4]);

impl Digest {
    pub(super) fn new() -> Digest {
        Digest([0xcbf2_9ce4_8422_2325; 4])
    }

    /// Adds data, whose end is told by where it lies in what is added: not by its length.
    pub(super) fn add(&mut self, data: &[u8]) {
        let (chunks, rest) = data.as_chunks::<32>();
        for chunk in chunks {
            self.chunk(chunk);
        }
        if !rest.is_empty() {
            let mut chunk = [0; 32];
            chunk[..rest.len()].copy_from_slice(rest);
            self.chunk(&chunk);
        }
    }

    fn chunk(&mut self, chunk: &[u8; 32]) {
        for (lane, word) in self.0.iter_mut().zip(chunk.as_chunks::<8>().0) {
            *lane = step(*lane, u64::from_le_bytes(*word));
        }
    }

    pub(super) fn value(&self) -> u64 {
        self.0.into_iter().fold(0, step)
    }
}

/// Different for different words.
fn step(lane: u64, word: u64) -> u64 {
    // Turned, so that no bit is lost to the product's upper end.
    (lane ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(23)
}

/// Bytes 0, 167, 334 and so on, with a carry that keeps blocks apart.
pub(super) const fn pattern<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let mut i = 0;
    while i < N {
        bytes[i] = (i * 167 + (i >> 8)) as u8;
        i += 1;
    }
    bytes
}

#[cfg(test)]
pub(super) mod tests {
    use std::{
        env,
        process::Command,
        string::{String, ToString as _},
    };

    use aes::{
        Aes128, Aes256,
        cipher::{Array, KeyInit},
    };
    use xts_mode::Xts128;

    use super::*;
    use crate::xts::{Error, Key, simd::planted};

    /// Encrypts sectors, numbered from `first` on, without this crate.
    pub(crate) fn by_xts_mode(key: &[u8], first: u64, size: usize, data: &mut [u8]) {
        let (key1, key2) = key.split_at(key.len() / 2);
        let by_128 =
            || Some(Xts128::new(Aes128::new_from_slice(key1).ok()?, Aes128::new_from_slice(key2).ok()?));
        let by_256 =
            || Some(Xts128::new(Aes256::new_from_slice(key1).ok()?, Aes256::new_from_slice(key2).ok()?));
        let tweak = |i: u128| Array((u128::from(first) + i).to_le_bytes());
        match (by_128(), by_256()) {
            (Some(xts), _) => xts.encrypt_area(data, size, 0, tweak),
            (_, Some(xts)) => xts.encrypt_area(data, size, 0, tweak),
            _ => panic!("a key of {} bytes", key.len()),
        }
    }

    #[test]
    fn answers_are_those_of_xts_mode() {
        for answers in [&OF_AES, &OF_SLICED] {
            let found = KEY_LENS.map(|len| {
                let mut digest = Digest::new();
                for &(size, count) in answers.geometries {
                    let mut data = PLAIN[..size * count].to_vec();
                    by_xts_mode(&KEY[..len], FIRST, size, &mut data);
                    digest.add(&data);
                }
                digest.value()
            });
            assert_eq!(found, answers.digests, "{found:#x?}");
        }
    }

    #[test]
    fn every_backend_gives_both_and_no_others() {
        for backend in Backend::supported() {
            assert!(are_given_by(backend) && !were_wrong_of(backend), "{backend}");
            for Answers { geometries, digests } in [OF_AES, OF_SLICED] {
                assert!(are_right(backend, &Answers { geometries, digests }), "{backend}");
                for wrong in 0..2 {
                    let mut digests = digests;
                    digests[wrong] ^= 1 << 63;
                    assert!(!are_right(backend, &Answers { geometries, digests }), "{backend}, {wrong}");
                }
            }
        }
    }

    #[test]
    fn a_digest_changes_with_every_bit() {
        let data = pattern::<500>();
        let of = |data: &[u8]| {
            let mut digest = Digest::new();
            digest.add(data);
            digest.value()
        };
        for bit in 0..8 * data.len() {
            let mut flipped = data;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(of(&flipped), of(&data), "bit {bit}");
            // Nor do two errors in the same place of two words cancel.
            flipped[(bit / 8 + 32) % 500] ^= 1 << (bit % 8);
            assert_ne!(of(&flipped), of(&data), "bit {bit} and the one a chunk on");
        }
    }

    /// What a process says in which some backends compute wrongly; run as a child by the next test, and nothing by itself.
    #[test]
    fn in_a_process_with_planted_faults() {
        if env::var_os(planted::VARIABLE).is_none() {
            return;
        }
        let bytes = pattern::<64>();
        let chosen = Key::new(&bytes);
        let mut data = PLAIN[..48].to_vec();
        if let Ok(key) = &chosen {
            key.encrypt_sectors(FIRST, 48, &mut data).unwrap();
        }
        let mut expected = PLAIN[..48].to_vec();
        by_xts_mode(&bytes, FIRST, 48, &mut expected);
        let names = |backends: &mut dyn Iterator<Item = Backend>| -> String {
            backends.map(|backend| " ".to_string() + backend.name()).collect()
        };
        std::println!("chosen: {:?}", chosen.as_ref().map(Key::backend));
        std::println!("right: {}", data == expected);
        std::println!("known to be wrong:{}", names(&mut Backend::wrong()));
        std::println!("usable:{}", names(&mut Backend::usable()));
        for backend in Backend::supported() {
            let forced = Key::options().backend(backend).build(&bytes);
            std::println!("{backend}: {:?}", forced.as_ref().map(Key::backend));
        }
        std::println!("selftest: {:?}", crate::xts::selftest());
    }

    #[test]
    fn a_backend_that_computes_wrongly_makes_no_key() {
        let all: Vec<Backend> = Backend::supported().collect();
        for wrong in 1..=all.len() {
            let (right, wrong) = all.split_at(all.len() - wrong);
            let name = |backends: &[Backend]| backends.iter().map(|b| b.name()).collect::<Vec<_>>().join(" ");
            let child = Command::new(env::current_exe().unwrap())
                .args(["--exact", "--nocapture", "xts::answers::tests::in_a_process_with_planted_faults"])
                .env(planted::VARIABLE, name(wrong))
                .env_remove("ATREST_BACKEND")
                .output()
                .unwrap();
            let said = String::from_utf8(child.stdout).unwrap();
            let mut expected = Vec::new();
            match right.last() {
                Some(best) => {
                    expected.push(std::format!("chosen: {:?}\nright: true\n", Ok::<_, Error>(best)))
                }
                None => expected.push(std::format!("chosen: {:?}\n", Err::<(), _>(Error::SelfTest(all[0])))),
            }
            expected.push(std::format!("known to be wrong: {}\n", name(wrong)));
            expected.push(std::format!(
                "usable:{}{}\n",
                if right.is_empty() { "" } else { " " },
                name(right)
            ));
            for backend in right {
                expected.push(std::format!("{backend}: {:?}\n", Ok::<_, Error>(backend)));
            }
            for backend in wrong {
                expected.push(std::format!("{backend}: {:?}\n", Err::<(), _>(Error::SelfTest(*backend))));
            }
            expected.push(std::format!("selftest: {:?}\n", Err::<(), _>(Error::SelfTest(wrong[0]))));
            for line in expected {
                assert!(said.contains(&line), "{} wrong: {line:?} is not in\n{said}", name(wrong));
            }
        }
    }
}
