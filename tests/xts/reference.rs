//! AES-XTS by others, which is what the backends are held to.
//!
//! OpenSSL shares no code with this crate and is fast; where the system has none, xts-mode stands in for it. xts-mode is
//! Rust's; its cipher is the `aes` crate, as in the backend `soft`, its mode is its own. Encryption is enough: XTS is a
//! permutation, so that decryption is right when it turns every reference ciphertext back.

use std::cell::RefCell;

use aes::{
    Aes128, Aes256,
    cipher::{Array, KeyInit},
};
use xts_mode::Xts128;

use crate::{data, openssl::OpenSsl};

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

/// OpenSSL, or xts-mode where the system has none.
pub enum Fast {
    OpenSsl(RefCell<OpenSsl>),
    XtsMode(XtsMode),
}

impl Fast {
    /// key1 and key2, which must differ: 32 bytes or 64.
    pub fn new(key: &[u8]) -> Fast {
        match OpenSsl::new(key, true) {
            Some(openssl) => Fast::OpenSsl(RefCell::new(openssl)),
            None => {
                assert!(
                    std::env::var_os("ATREST_REQUIRE_PEERS").is_none(),
                    "the system has no OpenSSL (libcrypto)"
                );
                Fast::XtsMode(XtsMode::new(key))
            }
        }
    }
}

impl Reference for Fast {
    fn encrypt_unit(&self, tweak: [u8; 16], unit: &mut [u8]) {
        match self {
            Fast::OpenSsl(openssl) => openssl.borrow_mut().unit(&tweak, unit),
            Fast::XtsMode(xts_mode) => xts_mode.encrypt_unit(tweak, unit),
        }
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
        let (fast, xts_mode) = (Fast::new(&key), XtsMode::new(&key));
        for len in (16..=1100).step_by(7).chain([4096, 4101, 65536, 65551]) {
            let plain = data::bytes(len as u64, len);
            let tweak = |_| data::bytes(!(len as u64), 16).try_into().expect("16 bytes");
            let cipher = fast.encrypt(len, &plain, tweak);
            assert_ne!(cipher, plain);
            data::assert_same(&xts_mode.encrypt(len, &plain, tweak), &cipher, || format!("{len} bytes"));
        }
    }
}
