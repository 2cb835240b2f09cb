//! Sectors in pieces of memory: the same as in one buffer, wherever it is cut.

use std::io::{IoSlice, IoSliceMut};

use atrest::xts::{CounterWidth, Error, Key, MAX_UNIT_LEN, Tweaks};

use crate::{
    data::{Call, Direction, Subject, assert_same, bytes, key, keys},
    guarded::Pair,
    reference::{Fast, Reference},
};

const FIRST: u64 = 0xffff_fff0;

fn tweak(i: u128) -> [u8; 16] {
    (u128::from(FIRST) + i).to_le_bytes()
}

/// Sector sizes around a block, a vector, a group, the buffer for what straddles, and its parts; and how many sectors.
const SIZES: [(usize, usize); 26] = [
    (16, 300),
    (17, 140),
    (31, 40),
    (32, 130),
    (48, 30),
    (63, 30),
    (100, 129),
    (256, 20),
    (511, 20),
    (512, 150),
    (520, 140),
    (528, 20),
    (600, 33),
    (1024, 20),
    (4096, 10),
    (4104, 9),
    (8176, 3),
    (8191, 3),
    (8192, 3),
    (8193, 3),
    (8200, 4),
    (8208, 3),
    (12288, 3),
    (12304, 2),
    (12319, 3),
    (65551, 2),
];

/// Where to cut `len` bytes.
enum Cut {
    /// Pieces of one length.
    Every(usize),
    /// Pieces of up to this length, empty ones among them.
    Random(u64, usize),
}

impl Cut {
    fn lengths(&self, len: usize) -> Vec<usize> {
        let mut left = len;
        let mut random =
            bytes(if let Cut::Random(seed, _) = self { *seed } else { 0 }, 8 * (len + 1)).into_iter();
        let mut lengths = Vec::new();
        while left != 0 {
            let next = match *self {
                Cut::Every(length) => length,
                Cut::Random(_, most) => {
                    let number =
                        random.by_ref().take(8).fold(0, |number, byte| number << 8 | usize::from(byte));
                    number % (most + 1)
                }
            };
            lengths.push(next.min(left));
            left -= next.min(left);
        }
        lengths.push(0);
        lengths
    }
}

fn cuts(size: usize) -> Vec<Cut> {
    let seed = size as u64;
    let mut cuts = vec![
        Cut::Every(usize::MAX),
        Cut::Every(size),
        Cut::Every(2 * size),
        Cut::Every(size + 1),
        Cut::Every(size - 1),
        Cut::Every(4096),
        Cut::Random(seed, 40),
        Cut::Random(seed + 1, size + 100),
        Cut::Random(seed + 2, 5 * size),
    ];
    if size < 2000 {
        cuts.extend([Cut::Every(1), Cut::Every(7), Cut::Every(16)]);
    }
    cuts
}

fn split<'a>(mut data: &'a [u8], lengths: &[usize]) -> Vec<IoSlice<'a>> {
    let mut next = |length: &usize| IoSlice::new(data.split_off(..*length).expect("the lengths fit"));
    lengths.iter().map(&mut next).collect()
}

fn split_mut<'a>(mut data: &'a mut [u8], lengths: &[usize]) -> Vec<IoSliceMut<'a>> {
    let mut next = |length: &usize| IoSliceMut::new(data.split_off_mut(..*length).expect("the lengths fit"));
    lengths.iter().map(&mut next).collect()
}

fn in_place(
    key: &Key,
    direction: Direction,
    first: Tweaks,
    size: usize,
    data: &mut [IoSliceMut<'_>],
) -> Result<(), Error> {
    match direction {
        Direction::Encrypt => key.encrypt_sectors_vectored(first, size, data),
        Direction::Decrypt => key.decrypt_sectors_vectored(first, size, data),
    }
}

fn apart(
    key: &Key,
    direction: Direction,
    first: Tweaks,
    size: usize,
    src: &[IoSlice<'_>],
    dst: &mut [IoSliceMut<'_>],
) -> Result<(), Error> {
    match direction {
        Direction::Encrypt => key.encrypt_sectors_vectored_to(first, size, src, dst),
        Direction::Decrypt => key.decrypt_sectors_vectored_to(first, size, src, dst),
    }
}

/// Every size under every cut, in place, and from each cut into another one.
pub fn equal_one_buffer(subject: Subject) {
    for key_bytes in keys() {
        let key = key(subject, &key_bytes);
        let fast = Fast::new(&key_bytes);
        for (size, sectors) in SIZES {
            let plain = bytes(size as u64, sectors * size);
            let cipher = fast.encrypt(size, &plain, tweak);
            let lengths: Vec<_> = cuts(size).iter().map(|cut| cut.lengths(plain.len())).collect();
            for direction in Direction::BOTH {
                let (input, expected) = direction.order(&plain, &cipher);
                for (i, cut) in lengths.iter().enumerate() {
                    let what =
                        || format!("{key:?}, {direction:?}, {sectors} sectors of {size} bytes, cut {i}");
                    let mut data = input.clone();
                    in_place(&key, direction, FIRST.into(), size, &mut split_mut(&mut data, cut))
                        .expect("good");
                    assert_same(&data, expected, || format!("{}, in place", what()));

                    let other = &lengths[(i + 1) % lengths.len()];
                    for (from, to) in [(cut, other), (cut, cut), (&lengths[0], cut), (cut, &lengths[0])] {
                        let mut dst = vec![0xa5; input.len()];
                        let src = split(input, from);
                        apart(&key, direction, FIRST.into(), size, &src, &mut split_mut(&mut dst, to))
                            .expect("good");
                        assert_same(&dst, expected, || format!("{}, apart", what()));
                    }
                }
            }
        }
    }
}

/// Pieces in no order at all, with other memory between them that stays as it is.
pub fn lie_anywhere(subject: Subject) {
    let key_bytes = &keys()[1];
    let key = key(subject, key_bytes);
    let fast = Fast::new(key_bytes);
    for (size, sectors) in [(512, 130), (520, 70), (24, 90)] {
        let plain = bytes(9, sectors * size);
        let cipher = fast.encrypt(size, &plain, tweak);
        // Piece i lies at `order(i)`, 10 bytes apart from its neighbours.
        let order = |i: usize| (i * 37) % sectors;
        let stride = size + 10;
        let mut memory = vec![0xa5; sectors * stride];
        for (i, sector) in plain.chunks(size).enumerate() {
            memory[order(i) * stride..][..size].copy_from_slice(sector);
        }
        let mut slots: Vec<_> = memory.chunks_mut(stride).map(Some).collect();
        let mut pieces: Vec<_> = (0..sectors)
            .map(|i| IoSliceMut::new(&mut slots[order(i)].take().expect("each once")[..size]))
            .collect();
        key.encrypt_sectors_vectored(FIRST, size, &mut pieces).expect("good");
        for i in 0..sectors {
            let (found, between) = memory[order(i) * stride..][..stride].split_at(size);
            assert_same(found, &cipher[i * size..][..size], || {
                format!("{key:?}, sector {i} of {size} bytes")
            });
            assert!(between == [0xa5; 10], "{key:?}: wrote between sectors of {size} bytes");
        }
    }
}

/// One source piece may stand for several.
pub fn sources_repeat(subject: Subject) {
    let key = key(subject, &keys()[0]);
    let piece = bytes(3, 700);
    let src = [&piece[..]; 512];
    let whole = piece.repeat(512);
    let (mut expected, mut found) = (vec![0; whole.len()], vec![0; whole.len()]);
    key.encrypt_sectors_to(5, 512, &whole, &mut expected).expect("good");
    key.encrypt_sectors_vectored_to(5, 512, &src, &mut [&mut found[..]]).expect("good");
    assert_same(&found, &expected, || format!("{key:?}"));
}

/// The last piece ends where memory does, and the first begins where it does.
pub fn between_guard_pages(subject: Subject) {
    let key_bytes = &keys()[1];
    let key = key(subject, key_bytes);
    let fast = Fast::new(key_bytes);
    let mut buffers = Pair::new(5 * 8207);
    for size in [16, 17, 40, 512, 520, 4104, 8207] {
        let plain = bytes(size as u64, 5 * size);
        let cipher = fast.encrypt(size, &plain, tweak);
        for at in [0, size / 2, size, size + 3, 5 * size] {
            buffers.check(Call::InPieces(FIRST.into(), size, at), &key, &plain, &cipher);
        }
    }
}

/// The numbers go on across the pieces, in every layout.
pub fn layouts(subject: Subject) {
    let key = key(subject, &keys()[0]);
    for first in [
        Tweaks::plain64(u64::MAX - 2),
        Tweaks::plain64be(77),
        Tweaks::plain64_in_512(9),
        Tweaks::number128((5 << 64) - 2),
        Tweaks::plain(0xffff_fff0),
        Tweaks::upper64(77),
        Tweaks::with_complement(77),
        Tweaks::sequence(9 << 100 | 200, -3).width(CounterWidth::Bits64).wrapping().big_endian(),
    ] {
        for (size, sectors) in [(512, 200), (1024, 140), (12288, 4)] {
            let plain = bytes(4, sectors * size);
            let mut expected = plain.clone();
            key.encrypt_sectors(first, size, &mut expected).expect("good");
            assert_ne!(expected, plain);
            for cut in cuts(size) {
                let mut data = plain.clone();
                let lengths = cut.lengths(data.len());
                key.encrypt_sectors_vectored(first, size, &mut split_mut(&mut data, &lengths)).expect("good");
                assert_same(&data, &expected, || format!("{key:?}, {first:?}, {size} bytes"));
            }
        }
    }
}

/// And a list goes on across them.
pub fn lists(subject: Subject) {
    let key_bytes = &keys()[0];
    let (key, fast) = (key(subject, key_bytes), Fast::new(key_bytes));
    for (size, sectors) in [(17, 140), (512, 200), (4096, 10), (12288, 4), (12319, 3)] {
        let list: Vec<[u8; 16]> = bytes(6, 16 * sectors).as_chunks().0.to_vec();
        let plain = bytes(4, sectors * size);
        let cipher = fast.encrypt(size, &plain, |i| list[i as usize]);
        for cut in cuts(size) {
            let lengths = cut.lengths(plain.len());
            let mut data = plain.clone();
            key.encrypt_sectors_vectored(&list[..], size, &mut split_mut(&mut data, &lengths)).expect("good");
            assert_same(&data, &cipher, || format!("{key:?}, {size} bytes"));
            let mut dst = vec![0xa5; data.len()];
            let (src, to) = (split(&cipher, &lengths), &mut split_mut(&mut dst, &lengths));
            key.decrypt_sectors_vectored_to(&list[..], size, &src, to).expect("good");
            assert_same(&dst, &plain, || format!("{key:?}, {size} bytes, decrypted"));
        }
    }
}

pub fn refused(subject: Subject) {
    let key = key(subject, &keys()[1]);
    let input = bytes(1, 2048);
    let plain = Tweaks::plain64(0);
    let cases = [
        (plain, 15, vec![10, 5], Error::SectorSize { size: 15 }),
        (plain, MAX_UNIT_LEN + 1, vec![10], Error::SectorSize { size: MAX_UNIT_LEN + 1 }),
        (plain, 512, vec![500, 500], Error::DataLength { len: 1000, sector_size: 512 }),
        (Tweaks::plain64_in_512(0), 520, vec![1000, 40], Error::SectorSizeNot512 { size: 520 }),
        (Tweaks::plain64be(u64::MAX), 512, vec![1000, 24], Error::SectorNumberOverflow),
    ];
    for (first, size, lengths, error) in cases {
        let input = &input[..lengths.iter().sum()];
        for direction in Direction::BOTH {
            let mut data = input.to_vec();
            let found = in_place(&key, direction, first, size, &mut split_mut(&mut data, &lengths));
            assert_eq!(found, Err(error), "{size}");
            assert!(data == input, "wrote before it refused");
            let mut dst = vec![0xa5; input.len()];
            let src = split(input, &lengths);
            let found = apart(&key, direction, first, size, &src, &mut split_mut(&mut dst, &lengths));
            assert_eq!(found, Err(error), "{size}");
            assert!(dst.iter().all(|&byte| byte == 0xa5), "wrote before it refused");
        }
    }
    let mut dst = vec![0xa5; 1024];
    let found = key.encrypt_sectors_vectored_to(
        0,
        512,
        &split(&input, &[512, 1000]),
        &mut split_mut(&mut dst, &[1024]),
    );
    assert_eq!(found, Err(Error::LengthMismatch { src: 1512, dst: 1024 }));
    assert!(dst.iter().all(|&byte| byte == 0xa5), "wrote before it refused");
    for pieces in [&mut [][..], &mut [IoSliceMut::new(&mut []), IoSliceMut::new(&mut [])]] {
        assert_eq!(key.encrypt_sectors_vectored(0, 512, pieces), Ok(()));
    }
}
