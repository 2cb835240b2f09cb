//! The calls on several threads: the same as those on one, which the rest of the suite holds to the references.

use atrest::xts::{CounterWidth, Error, Key, TweakSource, Tweaks};
use rayon_core::{ThreadPool, ThreadPoolBuilder};

use crate::data::{Call, Direction, Subject, assert_same, bytes, key, keys};

/// Below, the calling thread does it all; see `src/xts/parallel.rs`.
const LEAST: usize = 2 << 20;

fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).build().expect("threads")
}

fn in_place(
    key: &Key,
    direction: Direction,
    first: TweakSource<'_>,
    size: usize,
    data: &mut [u8],
) -> Result<(), Error> {
    match direction {
        Direction::Encrypt => key.par_encrypt_sectors(first, size, data),
        Direction::Decrypt => key.par_decrypt_sectors(first, size, data),
    }
}

fn apart(
    key: &Key,
    direction: Direction,
    first: TweakSource<'_>,
    size: usize,
    src: &[u8],
    dst: &mut [u8],
) -> Result<(), Error> {
    match direction {
        Direction::Encrypt => key.par_encrypt_sectors_to(first, size, src, dst),
        Direction::Decrypt => key.par_decrypt_sectors_to(first, size, src, dst),
    }
}

/// Both directions, in place and apart: what the sequential call gives.
fn check<'a>(pool: &ThreadPool, key: &Key, first: impl Into<TweakSource<'a>>, size: usize, sectors: usize) {
    let first = first.into();
    let input = bytes(size as u64, size * sectors);
    for direction in Direction::BOTH {
        let what = || {
            format!("{first:?}, {direction:?}, {sectors} of {size}, {} threads", pool.current_num_threads())
        };
        let mut expected = input.clone();
        let sequential = match first {
            TweakSource::Sequence(first) => Call::Sectors(first, size),
            TweakSource::List(list) => Call::List(list, size),
        };
        sequential.in_place(key, direction, &mut expected).expect("good arguments");

        let mut data = input.clone();
        pool.install(|| in_place(key, direction, first, size, &mut data)).expect("good arguments");
        assert_same(&data, &expected, || format!("{}, in place", what()));

        let mut dst = vec![0xa5; input.len()];
        pool.install(|| apart(key, direction, first, size, &input, &mut dst)).expect("good arguments");
        assert_same(&dst, &expected, || format!("{}, apart", what()));
    }
}

/// Every layout, with carries in later parts, up to the highest first number that fits.
pub fn every_layout(subject: Subject) {
    let pool = pool(3);
    let key = key(subject, &keys()[1]);
    for (size, sectors) in [(512, 4200), (4096, 520)] {
        let last = sectors as u64 - 1;
        for first in [
            Tweaks::plain64(7),
            Tweaks::plain64(u64::MAX - 600),
            Tweaks::plain64be(u64::MAX - last),
            Tweaks::plain64be((1 << 32) - 100),
            Tweaks::plain64_in_512(9),
            Tweaks::plain64_in_512(u64::MAX - 600),
            Tweaks::number128(u128::MAX - u128::from(last)),
            Tweaks::number128((1 << 64) - 100),
            Tweaks::plain((1 << 32) - 100),
            Tweaks::upper64(u64::MAX - last),
            Tweaks::upper64_in_512(9),
            Tweaks::with_complement((1 << 63) - 1 - last),
            Tweaks::counter32(7 << 32),
            Tweaks::sequence(9 << 100 | 400, -3).width(CounterWidth::Bits32).wrapping().big_endian(),
            Tweaks::sequence(u128::MAX, i128::MAX).wrapping(),
        ] {
            check(&pool, &key, first, size, sectors);
        }
        let list: Vec<[u8; 16]> = bytes(6, 16 * sectors).as_chunks().0.to_vec();
        check(&pool, &key, &list[..], size, sectors);
    }
}

/// Around the least size that is split, with stealing, with sectors longer than a part.
pub fn every_size(subject: Subject) {
    let pool = pool(2);
    let key = key(subject, &keys()[0]);
    for size in [17, 520, 4111, 100_000, LEAST - 1, LEAST + 17] {
        let around = (LEAST / size).max(1);
        for sectors in [around, around + 1] {
            check(&pool, &key, Tweaks::plain64(u64::MAX - 5), size, sectors);
        }
    }
}

/// One thread has nobody to share with; many have less than a part each.
pub fn every_pool(subject: Subject) {
    let key = key(subject, &keys()[1]);
    for threads in [1, 2, 20] {
        check(&pool(threads), &key, Tweaks::plain64(5), 1040, 2100);
    }
}

/// Without a pool around it, a call goes to the global one.
pub fn no_pool(subject: Subject) {
    let key = key(subject, &keys()[1]);
    let input = bytes(1, 2 * LEAST);
    let (mut found, mut expected) = (input.clone(), input);
    key.par_encrypt_sectors(1, 512, &mut found).expect("good arguments");
    key.encrypt_sectors(1, 512, &mut expected).expect("good arguments");
    assert_same(&found, &expected, || format!("{key:?}, the global pool"));
}

/// A call that is refused writes to no part of the data, not even to those that are good by themselves.
pub fn errors(subject: Subject) {
    let pool = pool(2);
    let key = key(subject, &keys()[1]);
    let whole = 2 * LEAST;
    let sectors = (whole / 512) as u64;
    let list = vec![[1; 16]; whole / 512 + 1];
    let count = |tweaks| Error::TweakCount { tweaks, sectors: whole / 512 };
    let cases = [
        (Tweaks::plain64(1), 8, whole, Error::SectorSize { size: 8 }),
        (Tweaks::plain64(1), 0, whole, Error::SectorSize { size: 0 }),
        (Tweaks::plain64(1), 512, whole - 1, Error::DataLength { len: whole - 1, sector_size: 512 }),
        (Tweaks::plain64_in_512(1), 1040, 1040 * 2999, Error::SectorSizeNot512 { size: 1040 }),
        (Tweaks::plain64be(u64::MAX - sectors + 2), 512, whole, Error::SectorNumberOverflow),
        (Tweaks::number128(u128::MAX - u128::from(sectors) + 2), 512, whole, Error::SectorNumberOverflow),
        (Tweaks::with_complement((1 << 63) + 1 - sectors), 512, whole, Error::SectorNumberOverflow),
        (Tweaks::counter32((1 << 32) + 1 - u128::from(sectors)), 512, whole, Error::SectorNumberOverflow),
    ];
    let lists = [(&list[..], count(list.len())), (&list[2..], count(list.len() - 2))];
    let lists = lists.map(|(list, error)| (TweakSource::List(list), 512, whole, error));
    for (first, size, len, expected) in
        cases.map(|(first, size, len, error)| (first.into(), size, len, error)).into_iter().chain(lists)
    {
        let input = bytes(1, len);
        for direction in Direction::BOTH {
            let mut data = input.clone();
            let refused = pool.install(|| in_place(&key, direction, first, size, &mut data));
            assert_eq!(refused, Err(expected));
            assert!(data == input, "{expected:?}: wrote in place");
            let mut dst = vec![0xa5; len];
            let refused = pool.install(|| apart(&key, direction, first, size, &input, &mut dst));
            assert_eq!(refused, Err(expected));
            assert!(dst.iter().all(|&byte| byte == 0xa5), "{expected:?}: wrote apart");
        }
    }
    for (src, dst) in [(whole, whole - 512), (0, whole), (whole, 0)] {
        let mut found = vec![0xa5; dst];
        let refused = pool.install(|| key.par_encrypt_sectors_to(1, 512, &bytes(1, src), &mut found));
        assert_eq!(refused, Err(Error::LengthMismatch { src, dst }));
        assert!(found.iter().all(|&byte| byte == 0xa5));
    }
}
