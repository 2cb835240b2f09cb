//! Keys, plaintext and comparisons for all tests.

use std::{
    fmt,
    io::{IoSlice, IoSliceMut},
};

use atrest::xts::{Backend, Error, Key, KeyOptions, Schedule, TweakSource, Tweaks};

/// What is tested: a backend in one of its schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    pub backend: Backend,
    pub schedule: Schedule,
}

impl Subject {
    pub fn all() -> impl Iterator<Item = Subject> {
        Backend::ALL.iter().flat_map(|&backend| {
            backend.schedules().iter().map(move |&schedule| Subject { backend, schedule })
        })
    }

    pub fn options(self) -> KeyOptions {
        Key::options().backend_in(self.backend, self.schedule)
    }

    /// What a key runs on.
    pub fn of(key: &Key) -> Subject {
        Subject { backend: key.backend(), schedule: key.schedule() }
    }
}

/// As `ATREST_BACKEND` takes it.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [_] = self.backend.schedules() {
            write!(f, "{}", self.backend)
        } else {
            write!(f, "{}:{}", self.backend, self.schedule)
        }
    }
}

/// Bytes that look random and are the same in every run: splitmix64 from `seed`.
pub fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let mut bytes: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| next().to_le_bytes()).collect();
    bytes.truncate(len);
    bytes
}

/// key1 and key2 for AES-128, and for AES-256.
pub fn keys() -> [Vec<u8>; 2] {
    [bytes(128, 32), bytes(256, 64)]
}

pub fn key(subject: Subject, bytes: &[u8]) -> Key {
    let key = subject.options().build(bytes).expect("a good key for a supported backend");
    assert_eq!(Subject::of(&key), subject);
    key
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Encrypt,
    Decrypt,
}

impl Direction {
    pub const BOTH: [Direction; 2] = [Direction::Encrypt, Direction::Decrypt];

    /// Which of the two goes in, and which must come out.
    pub fn order<T>(self, plain: T, cipher: T) -> (T, T) {
        match self {
            Direction::Encrypt => (plain, cipher),
            Direction::Decrypt => (cipher, plain),
        }
    }
}

/// A data call without its buffers, so that one check can go through all eight of them.
#[derive(Clone, Copy, Debug)]
pub enum Call<'a> {
    Unit([u8; 16]),
    Sectors(Tweaks, usize),
    /// The same in two pieces, cut at the last number.
    InPieces(Tweaks, usize, usize),
    /// A tweak for each sector.
    List(&'a [[u8; 16]], usize),
    ListInPieces(&'a [[u8; 16]], usize, usize),
}

/// Of a call on sectors: the tweaks, the sector size, and where it is cut.
type Parts<'a> = (TweakSource<'a>, usize, Option<usize>);

impl<'a> Call<'a> {
    fn parts(self) -> Result<Parts<'a>, [u8; 16]> {
        match self {
            Call::Unit(tweak) => Err(tweak),
            Call::Sectors(first, size) => Ok((first.into(), size, None)),
            Call::InPieces(first, size, at) => Ok((first.into(), size, Some(at))),
            Call::List(list, size) => Ok((list.into(), size, None)),
            Call::ListInPieces(list, size, at) => Ok((list.into(), size, Some(at))),
        }
    }

    pub fn in_place(self, key: &Key, direction: Direction, data: &mut [u8]) -> Result<(), Error> {
        match (self.parts(), direction) {
            (Err(tweak), Direction::Encrypt) => key.encrypt_unit(&tweak, data),
            (Err(tweak), Direction::Decrypt) => key.decrypt_unit(&tweak, data),
            (Ok((tweaks, size, None)), Direction::Encrypt) => key.encrypt_sectors(tweaks, size, data),
            (Ok((tweaks, size, None)), Direction::Decrypt) => key.decrypt_sectors(tweaks, size, data),
            (Ok((tweaks, size, Some(at))), _) => {
                let (a, b) = data.split_at_mut(at);
                let pieces = &mut [IoSliceMut::new(a), IoSliceMut::new(b)];
                match direction {
                    Direction::Encrypt => key.encrypt_sectors_vectored(tweaks, size, pieces),
                    Direction::Decrypt => key.decrypt_sectors_vectored(tweaks, size, pieces),
                }
            }
        }
    }

    pub fn apart(self, key: &Key, direction: Direction, src: &[u8], dst: &mut [u8]) -> Result<(), Error> {
        match (self.parts(), direction) {
            (Err(tweak), Direction::Encrypt) => key.encrypt_unit_to(&tweak, src, dst),
            (Err(tweak), Direction::Decrypt) => key.decrypt_unit_to(&tweak, src, dst),
            (Ok((tweaks, size, None)), Direction::Encrypt) => key.encrypt_sectors_to(tweaks, size, src, dst),
            (Ok((tweaks, size, None)), Direction::Decrypt) => key.decrypt_sectors_to(tweaks, size, src, dst),
            (Ok((tweaks, size, Some(at))), _) => {
                let ((a, b), (c, d)) = (src.split_at(at), dst.split_at_mut(at));
                let (src, dst) =
                    ([IoSlice::new(a), IoSlice::new(b)], &mut [IoSliceMut::new(c), IoSliceMut::new(d)]);
                match direction {
                    Direction::Encrypt => key.encrypt_sectors_vectored_to(tweaks, size, &src, dst),
                    Direction::Decrypt => key.decrypt_sectors_vectored_to(tweaks, size, &src, dst),
                }
            }
        }
    }

    /// Both directions, in place and apart, in buffers of the heap: `plain` and `cipher` belong together.
    pub fn check(self, key: &Key, plain: &[u8], cipher: &[u8]) {
        for direction in Direction::BOTH {
            let (input, expected) = direction.order(plain, cipher);
            let what = || format!("{key:?}, {self:?}, {direction:?}, {} bytes", input.len());

            let mut data = input.to_vec();
            self.in_place(key, direction, &mut data).expect("good arguments");
            assert_same(&data, expected, || format!("{}, in place", what()));

            let mut dst = vec![0xa5; input.len()];
            self.apart(key, direction, input, &mut dst).expect("good arguments");
            assert_same(&dst, expected, || format!("{}, apart", what()));
        }
    }
}

/// Fails with the place of the first difference, where `assert_eq` would print both buffers.
pub fn assert_same(found: &[u8], expected: &[u8], what: impl Fn() -> String) {
    assert_eq!(found.len(), expected.len(), "{}", what());
    if found != expected {
        let at = found.iter().zip(expected).position(|(a, b)| a != b);
        let differing = found.iter().zip(expected).filter(|(a, b)| a != b).count();
        panic!("{}: {differing} bytes differ, first at {at:?}", what());
    }
}
