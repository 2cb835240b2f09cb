//! AES-XTS by others, which is what the backends are held to.
//!
//! OpenSSL shares no code with this crate and is fast. `xts-mode` is Rust's; its cipher is the `aes` crate, as in the
//! backend `soft`, its mode is its own. Encryption is enough: XTS is a permutation, so that decryption is right when
//! it turns every reference ciphertext back.

use std::cell::RefCell;

use aes::{
    Aes128, Aes256,
    cipher::{Array, KeyInit},
};
use openssl::{cipher::Cipher, cipher_ctx::CipherCtx};
use xts_mode::Xts128;

use crate::data;

pub trait Reference {
    /// Encrypts one data unit in place.
    fn encrypt_unit(&self, tweak: [u8; 16], unit: &mut [u8]);

    /// Encrypts data units of `size` bytes, the i-th under `tweak(i)`.
    fn encrypt(&self, size: usize, plain: &[u8], tweak: impl Fn(u128) -> [u8; 16]) -> Vec<u8> {
        assert_eq!(plain.len() % size, 0);
        let mut cipher = plain.to_vec();
        for (i, unit) in (0..).zip(cipher.chunks_exact_mut(size)) {
            self.encrypt_unit(tweak(i), unit);
        }
        cipher
    }
}

pub struct OpenSsl(RefCell<CipherCtx>);

impl OpenSsl {
    /// key1 and key2, which it wants different: 32 bytes or 64.
    pub fn new(key: &[u8]) -> OpenSsl {
        let cipher = if key.len() == 32 { Cipher::aes_128_xts() } else { Cipher::aes_256_xts() };
        let mut ctx = CipherCtx::new().expect("memory");
        ctx.encrypt_init(Some(cipher), Some(key), None).expect("OpenSSL takes the key");
        OpenSsl(RefCell::new(ctx))
    }
}

impl Reference for OpenSsl {
    fn encrypt_unit(&self, tweak: [u8; 16], unit: &mut [u8]) {
        let mut ctx = self.0.borrow_mut();
        ctx.encrypt_init(None, None, Some(&tweak)).expect("OpenSSL takes the tweak");
        let len = unit.len();
        let written = ctx.cipher_update_inplace(unit, len).expect("OpenSSL takes the unit");
        assert_eq!(written, len);
    }
}

pub enum XtsMode {
    Aes128(Box<Xts128<Aes128>>),
    Aes256(Box<Xts128<Aes256>>),
}

impl XtsMode {
    /// key1 and key2: 32 bytes or 64.
    pub fn new(key: &[u8]) -> XtsMode {
        fn xts<C: KeyInit + aes::cipher::BlockSizeUser<BlockSize = aes::cipher::consts::U16>>(
            key: &[u8],
        ) -> Box<Xts128<C>> {
            let (key1, key2) = key.split_at(key.len() / 2);
            let cipher = |key| C::new_from_slice(key).expect("the caller gives 32 bytes or 64");
            Box::new(Xts128::new(cipher(key1), cipher(key2)))
        }
        if key.len() == 32 { XtsMode::Aes128(xts(key)) } else { XtsMode::Aes256(xts(key)) }
    }
}

impl Reference for XtsMode {
    fn encrypt_unit(&self, tweak: [u8; 16], unit: &mut [u8]) {
        match self {
            XtsMode::Aes128(xts) => xts.encrypt_sector(unit, Array(tweak)),
            XtsMode::Aes256(xts) => xts.encrypt_sector(unit, Array(tweak)),
        }
    }
}

/// The two agree wherever the suite trusts the faster one alone.
pub fn agree() {
    for key in data::keys() {
        let (openssl, xts_mode) = (OpenSsl::new(&key), XtsMode::new(&key));
        for len in (16..=1100).step_by(7).chain([4096, 4101, 65536, 65551]) {
            let plain = data::bytes(len as u64, len);
            let tweak = |_| data::bytes(!(len as u64), 16).try_into().expect("16 bytes");
            let cipher = openssl.encrypt(len, &plain, tweak);
            assert_ne!(cipher, plain);
            data::assert_same(&xts_mode.encrypt(len, &plain, tweak), &cipher, || format!("{len} bytes"));
        }
    }
}
