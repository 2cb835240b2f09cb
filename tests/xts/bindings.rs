//! What is there for bindings to other languages: the direction as a value, keys in memory of the caller's, backends by
//! name, and pieces that the caller describes.

use std::mem::MaybeUninit;

use atrest::xts::{Direction, Error, Key, Pieces, TweakSource, Tweaks};

use crate::data::{Subject, bytes, key, keys};

const SIZE: usize = 520;
const SECTORS: usize = 9;

fn tweaks() -> TweakSource<'static> {
    Tweaks::upper64(7).into()
}

/// Both give what the calls for each direction give.
pub fn directions(subject: Subject) {
    let key = key(subject, &keys()[1]);
    let plain = bytes(3, SIZE * SECTORS);
    let mut cipher = plain.clone();
    key.encrypt_sectors(tweaks(), SIZE, &mut cipher).expect("good arguments");
    for (direction, from, to) in
        [(Direction::Encrypt, &plain, &cipher), (Direction::Decrypt, &cipher, &plain)]
    {
        let mut data = from.clone();
        key.crypt_sectors(direction, tweaks(), SIZE, &mut data).expect("good arguments");
        assert!(data == *to, "{direction:?} in place");
        let mut data = vec![0xa5; from.len()];
        key.crypt_sectors_to(direction, tweaks(), SIZE, from, &mut data).expect("good arguments");
        assert!(data == *to, "{direction:?} apart");
        let mut short = vec![0xa5; from.len() - SIZE];
        let refused = key.crypt_sectors_to(direction, tweaks(), SIZE, from, &mut short);
        assert_eq!(refused, Err(Error::LengthMismatch { src: from.len(), dst: short.len() }));
        assert!(short.iter().all(|&byte| byte == 0xa5));
    }
}

/// As a binding has them: addresses and lengths.
struct List(Vec<(*mut u8, usize)>);

// SAFETY: the tests below put good pieces into it alone; a list panics where there is none.
unsafe impl Pieces for List {
    fn piece(&mut self, i: usize) -> (*mut u8, usize) {
        self.0[i]
    }
}

impl List {
    /// Pieces of `len` bytes and less.
    fn of(memory: &mut [u8], len: usize) -> List {
        List(memory.chunks_mut(len).map(|piece| (piece.as_mut_ptr(), piece.len())).collect())
    }
}

pub fn pieces_of_the_callers(subject: Subject) {
    let key = key(subject, &keys()[0]);
    let mut plain = bytes(4, SIZE * SECTORS);
    let len = plain.len();
    let mut cipher = plain.clone();
    key.encrypt_sectors(tweaks(), SIZE, &mut cipher).expect("good arguments");
    for (cut, other_cut) in [(SIZE, SIZE), (100, 4096), (1, 1000), (len, 17)] {
        let mut data = vec![0xa5; len];
        let (mut src, mut dst) = (List::of(&mut plain, cut), List::of(&mut data, other_cut));
        // SAFETY: the pieces are exclusive borrows of two vectors, which live on.
        let done =
            unsafe { key.crypt_pieces(Direction::Encrypt, tweaks(), SIZE, Some(&mut src), &mut dst, len) };
        assert_eq!(done, Ok(()));
        assert!(data == cipher, "apart, {cut} and {other_cut}");
        let mut both = List::of(&mut data, cut);
        // SAFETY: as above.
        let done = unsafe {
            key.crypt_pieces(Direction::Decrypt, tweaks(), SIZE, None::<&mut List>, &mut both, len)
        };
        assert_eq!(done, Ok(()));
        assert!(data == plain, "in place, {cut}");
    }
    let mut none = List(Vec::new());
    // SAFETY: there are no pieces, and none is asked for.
    let refused =
        unsafe { key.crypt_pieces(Direction::Encrypt, tweaks(), 8, None::<&mut List>, &mut none, 16) };
    assert_eq!(refused, Err(Error::SectorSize { size: 8 }));
}

/// The same key as elsewhere; and where it is refused, the memory is as it was.
pub fn keys_in_place(subject: Subject) {
    for key_bytes in keys() {
        let (key1, key2) = key_bytes.split_at(key_bytes.len() / 2);
        let plain = bytes(5, 2048);
        let (mut expected, mut found) = (plain.clone(), plain.clone());
        key(subject, &key_bytes).encrypt_sectors(1, 512, &mut expected).expect("good arguments");
        let mut place = MaybeUninit::uninit();
        let made = subject.options().build_in_place(key1, key2, &mut place).expect("good halves");
        assert_eq!((Subject::of(made), made.aes_bits()), (subject, 8 * key1.len()));
        made.encrypt_sectors(1, 512, &mut found).expect("good arguments");
        assert!(found == expected && found != plain);
        // SAFETY: made above, and not used any more.
        unsafe { place.assume_init_drop() };
    }

    let mut place = MaybeUninit::<Key>::uninit();
    // SAFETY: memory of that size; bytes are never a key here.
    unsafe { place.as_mut_ptr().cast::<u8>().write_bytes(0xa5, size_of::<Key>()) };
    let half = bytes(6, 33);
    for (key1, key2, error) in [
        (&half[..15], &half[..15], Error::HalfLengths { key1: 15, key2: 15 }),
        (&half[..16], &half[..32], Error::HalfLengths { key1: 16, key2: 32 }),
        (&half[..33], &half[..33], Error::HalfLengths { key1: 33, key2: 33 }),
        (&half[..32], &half[..32], Error::EqualHalves),
    ] {
        assert_eq!(subject.options().build_in_place(key1, key2, &mut place).err(), Some(error));
        // SAFETY: written above, and not a key since.
        let memory = unsafe { std::slice::from_raw_parts(place.as_ptr().cast::<u8>(), size_of::<Key>()) };
        assert!(memory.iter().all(|&byte| byte == 0xa5), "{error:?}");
    }
}

/// As `ATREST_BACKEND` names them.
pub fn backends_by_name(subject: Subject) {
    let key_bytes = &keys()[1];
    let named = Key::options().backend_named(&subject.to_string()).expect("a name");
    assert_eq!(Subject::of(&named.build(key_bytes).expect("a good key")), subject);
    let named = Key::options().backend_named(subject.backend.name()).expect("a name");
    let expected = Key::options().backend(subject.backend).build(key_bytes).expect("a good key");
    assert_eq!(Subject::of(&named.build(key_bytes).expect("a good key")), Subject::of(&expected));
    for name in ["", "no-such-backend", ":", "soft:", "soft:fast"] {
        assert_eq!(Key::options().backend_named(name).err(), Some(Error::UnknownBackend), "{name:?}");
    }
}
