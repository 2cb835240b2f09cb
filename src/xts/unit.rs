//! Single data units under a raw tweak.

use super::{
    error::Error,
    key::Key,
    simd::{Direction, Job, MAX_UNIT_LEN, MIN_UNIT_LEN, Numbers},
};

impl Key {
    /// Encrypts one data unit in place under the 16-byte tweak that IEEE Std 1619-2007, 5.1 calls the data unit
    /// sequence number.
    ///
    /// `data` is 16 bytes to 2^20 blocks (16 MiB) long, any length in between, with ciphertext stealing where it is
    /// not a multiple of 16. A tweak is used for one unit of a key only.
    ///
    /// # Errors
    /// [`Error::UnitLength`]; `data` is then untouched.
    #[inline]
    pub fn encrypt_unit(&self, tweak: &[u8; 16], data: &mut [u8]) -> Result<(), Error> {
        self.unit_in_place(Direction::Encrypt, tweak, data)
    }

    /// Decrypts one data unit in place; the reverse of [`encrypt_unit`](Key::encrypt_unit).
    ///
    /// # Errors
    /// As [`encrypt_unit`](Key::encrypt_unit).
    #[inline]
    pub fn decrypt_unit(&self, tweak: &[u8; 16], data: &mut [u8]) -> Result<(), Error> {
        self.unit_in_place(Direction::Decrypt, tweak, data)
    }

    /// Encrypts one data unit from `src` into `dst`, which are equally long; as [`encrypt_unit`](Key::encrypt_unit)
    /// otherwise.
    ///
    /// # Errors
    /// [`Error::UnitLength`], [`Error::LengthMismatch`]; `dst` is then untouched.
    #[inline]
    pub fn encrypt_unit_to(&self, tweak: &[u8; 16], src: &[u8], dst: &mut [u8]) -> Result<(), Error> {
        self.unit_apart(Direction::Encrypt, tweak, src, dst)
    }

    /// Decrypts one data unit from `src` into `dst`; the reverse of [`encrypt_unit_to`](Key::encrypt_unit_to).
    ///
    /// # Errors
    /// As [`encrypt_unit_to`](Key::encrypt_unit_to).
    #[inline]
    pub fn decrypt_unit_to(&self, tweak: &[u8; 16], src: &[u8], dst: &mut [u8]) -> Result<(), Error> {
        self.unit_apart(Direction::Decrypt, tweak, src, dst)
    }

    #[inline(never)]
    fn unit_in_place(&self, direction: Direction, tweak: &[u8; 16], data: &mut [u8]) -> Result<(), Error> {
        let len = check(data.len())?;
        self.cipher.run(direction, Job::in_place(data, len, Numbers::raw(tweak)));
        Ok(())
    }

    #[inline(never)]
    fn unit_apart(
        &self,
        direction: Direction,
        tweak: &[u8; 16],
        src: &[u8],
        dst: &mut [u8],
    ) -> Result<(), Error> {
        if src.len() != dst.len() {
            return Err(Error::LengthMismatch { src: src.len(), dst: dst.len() });
        }
        let len = check(src.len())?;
        self.cipher.run(direction, Job::apart(src, dst, len, Numbers::raw(tweak)));
        Ok(())
    }
}

fn check(len: usize) -> Result<usize, Error> {
    if (MIN_UNIT_LEN..=MAX_UNIT_LEN).contains(&len) { Ok(len) } else { Err(Error::UnitLength { len }) }
}
