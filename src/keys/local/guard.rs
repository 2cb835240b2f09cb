//! Key material under a passphrase: Argon2id gives a key, under which AES-256-GCM-SIV encrypts each material.
//!
//! A guarded material is 60 bytes: a random nonce (12), the encrypted key (32), the tag (16). The associated data are a
//! label, and all of the file but the key's state: its name, its time, the parameters and the salt, the list of
//! materials, which one is current, and which one this is. The state is left out so that a key can be disabled, and
//! its deletion cancelled, by an owner who has the file and not the passphrase.
//!
//! Argon2id's output is used for nothing but to derive two values by HKDF-Expand: the key, and a check value, which
//! is in the file. It tells a wrong passphrase from a changed file; who guesses gains nothing by it that the tags
//! would not give as well.

use super::{
    super::{ErrorClass, ProviderError, Secret, SecretError, fill_random, on_wiped_stack, root::expand},
    passphrase::{Passphrase, PassphraseCost},
};
use aes_gcm_siv::{AeadInOut, Aes256GcmSiv, KeyInit, Nonce, Tag, aead::inout::InOutBuf};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64ct::{Base64, Encoding};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const KDF: &str = "argon2id";
const KEY_LABEL: &[u8] = b"atrest key file v2 key";
const CHECK_LABEL: &[u8] = b"atrest key file v2 check";
const SALT: usize = 16;
const CHECK: usize = 32;
const NONCE: usize = 12;
const KEY: usize = 32;
/// The length of a guarded material, in bytes.
pub const SEALED: usize = NONCE + KEY + 16;

/// How a passphrase guards a key, as its file says it.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard<'a> {
    kdf: &'a str,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: &'a str,
    check: &'a str,
}

/// Why a key file gives no key.
pub enum Fault {
    Malformed(String),
    NoMaterial(String),
    Provider(ProviderError),
}

impl From<ProviderError> for Fault {
    fn from(error: ProviderError) -> Fault {
        Fault::Provider(error)
    }
}

impl From<SecretError> for Fault {
    fn from(error: SecretError) -> Fault {
        Fault::Provider(error.into())
    }
}

/// What a passphrase opened, or is to guard a key from now on.
pub struct Lock {
    cost: PassphraseCost,
    salt: [u8; SALT],
    check: [u8; CHECK],
    key: Secret<KEY>,
}

impl Guard<'_> {
    /// Its cost, salt and check value, within their limits.
    pub fn parameters(&self) -> Result<(PassphraseCost, [u8; SALT], [u8; CHECK]), Fault> {
        let malformed = |why: &str| Fault::Malformed(why.to_owned());
        if self.kdf != KDF {
            return Err(malformed("its passphrase is for another function than argon2id"));
        }
        let cost = PassphraseCost::new(self.memory_kib, self.passes, self.lanes)
            .map_err(|error| Fault::Malformed(error.to_string()))?;
        let salt = decode(self.salt).ok_or_else(|| malformed("its salt is not 16 bytes in base64"))?;
        let check =
            decode(self.check).ok_or_else(|| malformed("its check value is not 32 bytes in base64"))?;
        Ok((cost, salt, check))
    }

    /// Tries a passphrase.
    pub fn unlock(&self, name: &str, passphrase: &Passphrase) -> Result<Lock, Fault> {
        let (cost, salt, check) = self.parameters()?;
        let lock = Lock::derive(passphrase, cost, salt)?;
        if bool::from(lock.check.ct_eq(&check)) {
            return Ok(lock);
        }
        let message =
            format!("this is not the passphrase of the local key {name}: try again with the right one");
        Err(ProviderError::new(ErrorClass::WrongPassphrase, message).into())
    }
}

impl Lock {
    /// A lock with a salt of its own.
    pub fn new(passphrase: &Passphrase, cost: PassphraseCost) -> Result<Lock, Fault> {
        let mut salt = [0; SALT];
        fill_random(&mut salt)?;
        Lock::derive(passphrase, cost, salt)
    }

    fn derive(passphrase: &Passphrase, cost: PassphraseCost, salt: [u8; SALT]) -> Result<Lock, Fault> {
        let prk = argon2id(passphrase.expose()?, &salt, cost)?;
        let (mut key, mut check) = (Secret::new()?, [0; CHECK]);
        on_wiped_stack(|| {
            expand(prk.expose(), KEY_LABEL, key.expose_mut());
            expand(prk.expose(), CHECK_LABEL, &mut check);
        });
        Ok(Lock { cost, salt, check, key })
    }

    /// What materials are bound to of it: the parameters of Argon2id, and the salt.
    pub fn parameters(&self) -> ((u32, u32, u32), &[u8; SALT]) {
        (self.cost.parameters(), &self.salt)
    }

    /// Salt and check value as [`Guard`] has them.
    pub fn texts(&self) -> (String, String) {
        (Base64::encode_string(&self.salt), Base64::encode_string(&self.check))
    }

    /// What the file says of this lock.
    pub fn guard<'a>(&self, (salt, check): &'a (String, String)) -> Guard<'a> {
        let (memory_kib, passes, lanes) = self.cost.parameters();
        Guard { kdf: KDF, memory_kib, passes, lanes, salt, check }
    }

    /// Encrypts a material, bound to `data`.
    pub fn seal(&self, data: &[u8], key: &Secret<KEY>) -> Result<[u8; SEALED], Fault> {
        let mut sealed = [0; SEALED];
        let (nonce, rest) = sealed.split_at_mut(NONCE);
        let (encrypted, tag) = rest.split_at_mut(KEY);
        fill_random(nonce)?;
        let nonce = Nonce::try_from(&*nonce).expect("12 bytes");
        let made = on_wiped_stack(|| {
            let buffer = InOutBuf::new(key.expose(), encrypted).expect("32 bytes each");
            self.cipher().encrypt_inout_detached(&nonce, data, buffer)
        });
        tag.copy_from_slice(&made.expect("the lengths are far below the mode's limits"));
        Ok(sealed)
    }

    /// Decrypts a material that is bound to `data`.
    pub fn open(&self, data: &[u8], sealed: &[u8; SEALED]) -> Result<Secret<KEY>, Fault> {
        let (nonce, rest) = sealed.split_at(NONCE);
        let (encrypted, tag) = rest.split_at(KEY);
        let nonce = Nonce::try_from(nonce).expect("12 bytes");
        let tag = Tag::try_from(tag).expect("16 bytes");
        let mut key = Secret::new()?;
        let opened = on_wiped_stack(|| {
            let buffer = InOutBuf::new(encrypted, key.expose_mut()).expect("32 bytes each");
            self.cipher().decrypt_inout_detached(&nonce, data, buffer, &tag)
        });
        match opened {
            Ok(()) => Ok(key),
            Err(_) => Err(Fault::Malformed("it was changed by somebody without its passphrase".to_owned())),
        }
    }

    fn cipher(&self) -> Aes256GcmSiv {
        Aes256GcmSiv::new(self.key.expose().into())
    }
}

/// Argon2id, version 1.3, in memory that is wiped.
fn argon2id(passphrase: &[u8], salt: &[u8], cost: PassphraseCost) -> Result<Secret<32>, ProviderError> {
    let (memory_kib, passes, lanes) = cost.parameters();
    let parameters = Params::new(memory_kib, passes, lanes, Some(32)).expect("within narrower limits");
    let count = parameters.block_count();
    let mut blocks = Zeroizing::new(Vec::new());
    blocks.try_reserve_exact(count).map_err(|_| {
        let message =
            format!("no memory to try a passphrase: Argon2id takes {memory_kib} KiB of it; free some");
        ProviderError::new(ErrorClass::Secret, message)
    })?;
    blocks.resize(count, Block::new());
    let mut output = Secret::new()?;
    on_wiped_stack(|| {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters).hash_password_into_with_memory(
            passphrase,
            salt,
            output.expose_mut(),
            &mut blocks[..],
        )
    })
    .expect("lengths and memory are within the limits");
    Ok(output)
}

/// Exactly `N` bytes.
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let length = Base64::decode(text, &mut bytes).ok()?.len();
    (length == N).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(passphrase: &[u8], salt: &[u8], memory_kib: u32, passes: u32, lanes: u32) -> String {
        let cost = PassphraseCost::new(memory_kib, passes, lanes).unwrap();
        let output = argon2id(passphrase, salt, cost).unwrap();
        output.expose().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// From the tests of the reference implementation (phc-winner-argon2, src/test.c, version 0x13, Argon2id).
    #[test]
    fn argon2id_is_that_of_the_reference() {
        for (passphrase, salt, cost, expected) in [
            (
                "password",
                "somesalt",
                (65536, 2, 1),
                "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7",
            ),
            (
                "password",
                "somesalt",
                (256, 2, 1),
                "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe",
            ),
            (
                "password",
                "somesalt",
                (256, 2, 2),
                "6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037",
            ),
            (
                "differentpassword",
                "somesalt",
                (65536, 2, 1),
                "0b84d652cf6b0c4beaef0dfe278ba6a80df6696281d7e0d2891b817d8c458fde",
            ),
            (
                "password",
                "diffsalt",
                (65536, 2, 1),
                "bdf32b05ccc42eb15d58fd19b1f856b113da1e9a5874fdcc544308565aa8141c",
            ),
        ] {
            let (memory_kib, passes, lanes) = cost;
            assert_eq!(hash(passphrase.as_bytes(), salt.as_bytes(), memory_kib, passes, lanes), expected);
        }
    }
}
