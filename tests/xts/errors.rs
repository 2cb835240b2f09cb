//! Arguments that are refused, and what is left behind.

use atrest::xts::{Error, Key, MAX_UNIT_LEN, Tweaks};

use crate::data::{Call, Direction, Subject, bytes, key, keys};

/// Calls with `len` bytes, in place and apart, in both directions: all give the error, and none writes.
fn refused(key: &Key, call: Call, len: usize, expected: Error) {
    let data = bytes(len as u64, len);
    let mut found = data.clone();
    let mut dst = vec![0xa5; len];
    for direction in Direction::BOTH {
        assert_eq!(call.in_place(key, direction, &mut found), Err(expected), "{call:?}, {len} bytes");
        assert!(found == data, "{call:?}, {direction:?}: wrote {len} bytes in place");
        assert_eq!(call.apart(key, direction, &data, &mut dst), Err(expected), "{call:?}, {len} bytes");
        assert!(dst.iter().all(|&byte| byte == 0xa5), "{call:?}, {direction:?}: wrote {len} bytes apart");
    }
}

pub fn leave_data_untouched(subject: Subject) {
    let key = key(subject, &keys()[1]);
    let plain = Tweaks::plain64(1);

    for size in [0, 1, 8, 15, MAX_UNIT_LEN + 1, usize::MAX] {
        for len in [0, 16, 512, 4096] {
            refused(&key, Call::Sectors(plain, size), len, Error::SectorSize { size });
        }
    }
    for (sector_size, len) in [
        (16, 15),
        (16, 17),
        (512, 1),
        (512, 511),
        (512, 4000),
        (3000, 4096),
        (3000, 2999),
        (MAX_UNIT_LEN, 4096),
    ] {
        refused(&key, Call::Sectors(plain, sector_size), len, Error::DataLength { len, sector_size });
    }
    for size in [16, 256, 520, 3000] {
        let call = Call::Sectors(Tweaks::plain64_in_512(0), size);
        refused(&key, call, 2 * size, Error::SectorSizeNot512 { size });
    }
    for len in [0, 1, 15, MAX_UNIT_LEN + 1] {
        refused(&key, Call::Unit([1; 16]), len, Error::UnitLength { len });
    }

    let unit = Call::Unit([1; 16]);
    for call in [unit, Call::Sectors(plain, 16), Call::Sectors(plain, 32)] {
        for (src, dst) in [(32, 31), (32, 33), (32, 64), (64, 32), (0, 32), (32, 0)] {
            for direction in Direction::BOTH {
                let mut found = vec![0xa5; dst];
                let expected = Err(Error::LengthMismatch { src, dst });
                assert_eq!(call.apart(&key, direction, &bytes(1, src), &mut found), expected, "{call:?}");
                assert!(found.iter().all(|&byte| byte == 0xa5));
            }
        }
    }
}

/// No sectors are no error, even where the next one's number would be; a bad sector size still is.
pub fn empty_data_is_fine(subject: Subject) {
    let key = key(subject, &keys()[0]);
    for tweaks in [Tweaks::plain64(u64::MAX), Tweaks::plain64be(u64::MAX), Tweaks::number128(u128::MAX)] {
        for direction in Direction::BOTH {
            assert_eq!(Call::Sectors(tweaks, 512).in_place(&key, direction, &mut []), Ok(()));
            assert_eq!(Call::Sectors(tweaks, 520).apart(&key, direction, &[], &mut []), Ok(()));
            let refused = Call::Sectors(tweaks, 8).in_place(&key, direction, &mut []);
            assert_eq!(refused, Err(Error::SectorSize { size: 8 }));
        }
    }
}

pub fn keys_that_are_refused(subject: Subject) {
    let options = subject.options();
    for len in (0..=130).filter(|len| ![32, 64].contains(len)) {
        for allow in [false, true] {
            let refused = options.allow_equal_halves(allow).build(&bytes(1, len));
            assert_eq!(refused.err(), Some(Error::KeyLength { len }));
        }
    }
    for half in [16, 32] {
        let key_bytes = bytes(1, half).repeat(2);
        assert_eq!(options.build(&key_bytes).err(), Some(Error::EqualHalves));
        let key = options.allow_equal_halves(true).build(&key_bytes).expect("by choice");
        assert_eq!((Subject::of(&key), key.aes_bits()), (subject, 8 * half));
        // One bit is difference enough, wherever it is.
        for at in 0..8 * half {
            let mut key_bytes = key_bytes.clone();
            key_bytes[half + at / 8] ^= 1 << (at % 8);
            assert_eq!(options.build(&key_bytes).map(|key| key.aes_bits()), Ok(8 * half), "bit {at}");
        }
    }
}

/// The same key as from both in one, wherever the halves lie; and what is refused.
pub fn keys_from_halves(subject: Subject) {
    let options = subject.options();
    for key_bytes in keys() {
        let (key1, key2) = key_bytes.split_at(key_bytes.len() / 2);
        let (joined, halves) = (options.build(&key_bytes), options.build_from_halves(key1, key2));
        let (joined, halves) = (joined.expect("a good key"), halves.expect("good halves"));
        assert_eq!((Subject::of(&halves), halves.aes_bits()), (subject, 8 * key1.len()));
        let swapped = options.build_from_halves(key2, key1).expect("good halves");
        let data = bytes(5, 2048);
        for direction in Direction::BOTH {
            let call = Call::Sectors(Tweaks::plain64(3), 512);
            let [mut a, mut b, mut c] = [(); 3].map(|()| data.clone());
            call.in_place(&joined, direction, &mut a).expect("good");
            call.in_place(&halves, direction, &mut b).expect("good");
            call.in_place(&swapped, direction, &mut c).expect("good");
            assert!(a == b && a != c && a != data);
        }
        assert!(Key::from_halves(key1, key2).is_ok());
    }
    let half = bytes(1, 70);
    for key1 in [0, 1, 15, 16, 17, 31, 32, 33, 48, 64] {
        for key2 in [0, 15, 16, 17, 24, 31, 32, 33, 48, 64] {
            let made = options.build_from_halves(&half[..key1], &half[70 - key2..]);
            if key1 == key2 && matches!(key1, 16 | 32) {
                assert!(made.is_ok());
            } else {
                assert_eq!(made.err(), Some(Error::HalfLengths { key1, key2 }));
            }
        }
    }
    for len in [16, 32] {
        let equal = &half[..len];
        assert_eq!(options.build_from_halves(equal, equal).err(), Some(Error::EqualHalves));
        assert!(options.allow_equal_halves(true).build_from_halves(equal, equal).is_ok());
    }
}
