use core::{fmt, mem::MaybeUninit};

use zeroize::zeroize_stack;

use super::{
    choice::Choice,
    error::Error,
    simd::{Backend, Cipher, Runnable, Schedule},
};

/// An XTS-AES key, expanded for both directions.
///
/// Immutable after creation: share one between any number of threads. Expansion costs a fraction of a microsecond and
/// some 2 KiB; data calls allocate nothing. The round keys are wiped on drop; [`Debug`](fmt::Debug) shows none of them.
///
/// A move is a copy of bytes, and leaves round keys where the key was: box a key, or put it into an `Arc`, where you
/// make it, rather than pass it on by value.
///
/// ```
/// use std::sync::Arc;
///
/// use atrest::xts::Key;
///
/// # let (key1, key2) = ([1; 32], [2; 32]);
/// let key = Arc::new(Key::from_halves(&key1, &key2)?); // 32 bytes each: XTS-AES-256
/// assert_eq!(key.aes_bits(), 256);
/// let mut sector = [0; 512];
/// key.encrypt_sectors(9, 512, &mut sector)?;
/// # Ok::<(), atrest::xts::Error>(())
/// ```
pub struct Key {
    pub(super) cipher: Cipher,
    bits: u16,
}

impl Key {
    /// Makes a key from key1 followed by key2: 32 bytes for XTS-AES-128, 64 bytes for XTS-AES-256.
    ///
    /// The backend is the one that the environment variable `ATREST_BACKEND` names (with the feature `std`), else the
    /// fastest that this processor runs and that computes rightly here: before its first key in a process a backend gives
    /// known answers, in some microseconds, and one that gives a wrong answer is [left out](Backend::wrong). Behind a backend's name
    /// the variable may name a [`Schedule`], as in `vaes512:tiles`.
    ///
    /// # Errors
    /// [`Error::KeyLength`], [`Error::EqualHalves`]; [`Error::UnknownBackend`], [`Error::UnsupportedBackend`] and
    /// [`Error::SelfTest`] for what the variable names; [`Error::SelfTest`] also if no backend computes rightly.
    pub fn new(key: &[u8]) -> Result<Key, Error> {
        Key::options().build(key)
    }

    /// Makes a key from key1, which encrypts data, and key2, which encrypts tweaks: 16 bytes each for XTS-AES-128, 32
    /// bytes each for XTS-AES-256. As [`Key::new`] otherwise.
    ///
    /// # Errors
    /// [`Error::HalfLengths`], and those of [`Key::new`].
    pub fn from_halves(key1: &[u8], key2: &[u8]) -> Result<Key, Error> {
        Key::options().build_from_halves(key1, key2)
    }

    /// The choices that [`Key::new`] makes for the caller.
    #[must_use]
    pub fn options() -> KeyOptions {
        KeyOptions { choice: None, allow_equal_halves: false }
    }

    /// The backend that this key's data calls run on.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.cipher.backend()
    }

    /// The schedule that its backend's loop runs in.
    #[must_use]
    pub fn schedule(&self) -> Schedule {
        self.cipher.schedule()
    }

    /// 128 or 256: the size of each of the two AES keys, in bits.
    #[must_use]
    pub fn aes_bits(&self) -> usize {
        usize::from(self.bits)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("aes_bits", &self.bits)
            .field("backend", &self.backend())
            .field("schedule", &self.schedule())
            .finish_non_exhaustive()
    }
}

/// How to make a [`Key`], for callers with a reason to choose.
#[derive(Clone, Copy, Debug)]
pub struct KeyOptions {
    choice: Option<Choice>,
    allow_equal_halves: bool,
}

impl KeyOptions {
    /// Forces a backend, whatever `ATREST_BACKEND` says.
    #[must_use]
    pub fn backend(self, backend: Backend) -> KeyOptions {
        self.choice(Choice { backend, schedule: None })
    }

    /// Forces a backend and one of its [schedules](Backend::schedules), whatever `ATREST_BACKEND` says: for measurements,
    /// and for tests of what other processors run.
    #[must_use]
    pub fn backend_in(self, backend: Backend, schedule: Schedule) -> KeyOptions {
        self.choice(Choice { backend, schedule: Some(schedule) })
    }

    /// Forces the backend of this name, and the schedule behind a colon if there is one, as `ATREST_BACKEND` names them:
    /// `vaes512`, `vaes512:tiles`.
    ///
    /// # Errors
    /// [`Error::UnknownBackend`].
    pub fn backend_named(self, name: &str) -> Result<KeyOptions, Error> {
        Ok(self.choice(name.parse()?))
    }

    fn choice(mut self, choice: Choice) -> KeyOptions {
        self.choice = Some(choice);
        self
    }

    /// Accepts key1 = key2, for test vectors and old data alone: with equal halves XTS is no longer secure against
    /// chosen ciphertexts (Rogaway 2004, section 6), and NIST forbids it.
    #[must_use]
    pub fn allow_equal_halves(mut self, allow: bool) -> KeyOptions {
        self.allow_equal_halves = allow;
        self
    }

    /// Makes the key; see [`Key::new`].
    ///
    /// # Errors
    /// Those of [`Key::new`].
    pub fn build(self, key: &[u8]) -> Result<Key, Error> {
        if !matches!(key.len(), 32 | 64) {
            return Err(Error::KeyLength { len: key.len() });
        }
        let (key1, key2) = key.split_at(key.len() / 2);
        self.build_from_halves(key1, key2)
    }

    /// Makes the key from its halves; see [`Key::from_halves`].
    ///
    /// # Errors
    /// Those of [`Key::from_halves`].
    pub fn build_from_halves(self, key1: &[u8], key2: &[u8]) -> Result<Key, Error> {
        let built = self.built(key1, key2);
        // Where a frame below holds the key before it gets to the caller, this writes.
        zeroize_stack::<{ if cfg!(optimized) { 4096 } else { 16384 } }>();
        built
    }

    #[inline(never)]
    fn built(self, key1: &[u8], key2: &[u8]) -> Result<Key, Error> {
        let runnable = self.check(key1, key2)?;
        let mut built = Key::empty(runnable, key1.len());
        built.expand(key1, key2);
        Ok(built)
    }

    /// Makes the key from its halves in memory of the caller's, where it stays: no copy of the round keys is left
    /// anywhere. The caller drops it there, which wipes it. As [`Key::from_halves`] otherwise.
    ///
    /// ```
    /// use atrest::xts::Key;
    /// use core::mem::MaybeUninit;
    ///
    /// let mut place = MaybeUninit::uninit();
    /// let key = Key::options().build_in_place(&[1; 32], &[2; 32], &mut place)?;
    /// key.encrypt_sectors(0, 512, &mut [0; 1024])?;
    /// // SAFETY: it was made there, and is not used any more.
    /// unsafe { place.assume_init_drop() };
    /// # Ok::<(), atrest::xts::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Key::from_halves`]; the memory is untouched then.
    #[inline(always)]
    pub fn build_in_place<'a>(
        self,
        key1: &[u8],
        key2: &[u8],
        place: &'a mut MaybeUninit<Key>,
    ) -> Result<&'a mut Key, Error> {
        let runnable = self.check(key1, key2)?;
        // Expanded where it lies.
        let key = place.write(Key::empty(runnable, key1.len()));
        key.expand(key1, key2);
        Ok(key)
    }

    /// Looks at the halves of a key, and says what will run it.
    #[inline(always)]
    fn check(self, key1: &[u8], key2: &[u8]) -> Result<Runnable, Error> {
        if !matches!(key1.len(), 16 | 32) || key1.len() != key2.len() {
            return Err(Error::HalfLengths { key1: key1.len(), key2: key2.len() });
        }
        if !self.allow_equal_halves && equal(key1, key2) {
            return Err(Error::EqualHalves);
        }
        let choice = match self.choice {
            Some(choice) => choice,
            None => Choice::of_environment()?,
        };
        choice.runnable(8 * key1.len())
    }
}

impl Key {
    /// The key to be, of halves of `len` bytes, 16 or 32, without anything of the secret, which [`expand`](Key::expand)
    /// then puts where it lies.
    #[inline(always)]
    fn empty(runnable: Runnable, len: usize) -> Key {
        Key { cipher: Cipher::empty(runnable, len == 32), bits: len as u16 * 8 }
    }

    /// Takes the halves that [`KeyOptions::check`] looked at.
    #[inline(always)]
    fn expand(&mut self, key1: &[u8], key2: &[u8]) {
        self.cipher.expand(key1, key2);
        // The key schedule may leave copies of round keys below this frame.
        self.cipher.wipe_stack();
    }
}

/// Compares in a time that does not depend on the content: both are halves of a secret.
fn equal(a: &[u8], b: &[u8]) -> bool {
    let difference = a.iter().zip(b).fold(0, |acc, (a, b)| acc | (a ^ b));
    core::hint::black_box(difference) == 0
}
