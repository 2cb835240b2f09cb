//! A volume's root key and the keys derived from it.

use super::{Secret, SecretError, Uuid, on_wiped_stack};
use core::fmt;
use hmac::{
    Hmac, KeyInit, Mac,
    digest::{FixedOutput, array::Array},
};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The bytes of a SHA-256 digest, and so of HKDF's blocks and of HMAC tags.
const HASH: usize = 32;

/// Each derived key has a label of its own, so that none says anything about another.
const XTS_LABEL: &[u8] = b"atrest v1 xts key";
const HEADER_LABEL: &[u8] = b"atrest v1 header authentication";
const HEADER_3_LABEL: &[u8] = b"atrest v3 header authentication";
const COMMITMENT_LABEL: &[u8] = b"atrest v1 key commitment";

/// The 32 bytes from which all keys of one volume are derived.
///
/// A key provider makes it and stores it wrapped; it is never used as a key itself.
pub struct RootKey(Secret<32>);

impl RootKey {
    /// A new root key from the system's random number generator.
    ///
    /// # Errors
    /// Those of [`Secret::random`].
    pub fn generate() -> Result<RootKey, SecretError> {
        Secret::random().map(RootKey)
    }

    /// Moves the bytes of a root key into secret memory, and wipes `bytes` in every case.
    ///
    /// # Errors
    /// Those of [`Secret::take`].
    pub fn take(bytes: &mut [u8; 32]) -> Result<RootKey, SecretError> {
        Secret::take(bytes).map(RootKey)
    }

    /// The root key itself, for a provider that wraps it.
    ///
    /// # Panics
    /// In a forked child, see [`Secret::expose`].
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// Which protections took hold for the memory of this key.
    pub(super) fn protection(&self) -> super::Protection {
        self.0.protection()
    }

    /// Derives the keys of `volume` by HKDF-SHA256 (RFC 5869) with the UUID's 16 bytes, in the order in which
    /// they are written, as salt.
    ///
    /// # Errors
    /// Those of [`Secret::new`], and [`SecretError::Forked`] in a forked child.
    pub fn derive(&self, volume: Uuid) -> Result<VolumeKeys, SecretError> {
        if self.0.is_wiped() {
            return Err(SecretError::Forked);
        }
        let mut keys = VolumeKeys(Secret::new()?);
        on_wiped_stack(|| {
            let prk = extract(volume.as_bytes(), self.expose());
            let (xts, rest) = keys.0.expose_mut().split_at_mut(64);
            let (header, rest) = rest.split_at_mut(HASH);
            let (commitment, header_3) = rest.split_at_mut(HASH);
            expand(&prk, XTS_LABEL, xts);
            expand(&prk, HEADER_LABEL, header);
            expand(&prk, COMMITMENT_LABEL, commitment);
            expand(&prk, HEADER_3_LABEL, header_3);
        });
        Ok(keys)
    }
}

impl From<Secret<32>> for RootKey {
    fn from(secret: Secret<32>) -> RootKey {
        RootKey(secret)
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey(..)")
    }
}

/// The keys of one volume: 64 bytes for AES-256-XTS, twice 32 for authenticating its header, and the 32 bytes of its
/// key commitment, side by side in one secret so that a volume locks a single page.
pub struct VolumeKeys(Secret<160>);

/// Which key authenticates a header: each has a label of its own, so that a code of one is none of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderKey {
    /// That of tokens of version 1 and 2.
    First,
    /// That of tokens of version 3.
    Third,
}

impl VolumeKeys {
    /// The XTS key: key1 || key2.
    ///
    /// # Panics
    /// In a forked child, see [`Secret::expose`].
    #[must_use]
    pub fn xts_key(&self) -> &[u8; 64] {
        self.part::<0, 64>()
    }

    /// The HMAC-SHA256 (RFC 2104) of `message` under a header-authentication key.
    ///
    /// # Panics
    /// In a forked child, see [`Secret::expose`].
    #[must_use]
    pub fn authenticate(&self, key: HeaderKey, message: &[u8]) -> [u8; 32] {
        let key = match key {
            HeaderKey::First => self.part::<64, HASH>(),
            HeaderKey::Third => self.part::<128, HASH>(),
        };
        on_wiped_stack(|| {
            let mut tag = [0; HASH];
            hmac(key, &[message], &mut tag);
            tag
        })
    }

    /// Whether `tag` is the [authentication](VolumeKeys::authenticate) of `message`, in time that depends on
    /// their lengths alone. False for a tag that is not 32 bytes long.
    ///
    /// # Panics
    /// In a forked child, see [`Secret::expose`].
    #[must_use]
    pub fn verify(&self, key: HeaderKey, message: &[u8], tag: &[u8]) -> bool {
        // Wiped, because for a forged message the right tag is a secret.
        let expected = Zeroizing::new(self.authenticate(key, message));
        expected.as_slice().ct_eq(tag).into()
    }

    /// A value that only this volume's root key and UUID give, and that tells nothing of the keys.
    ///
    /// An [`Envelope`](super::Envelope) stores it, because neither AES-GCM-SIV nor an answer from a service
    /// rules out by itself that one wrapped key opens to two different root keys.
    ///
    /// # Panics
    /// In a forked child, see [`Secret::expose`].
    #[must_use]
    pub fn commitment(&self) -> [u8; 32] {
        *self.part::<96, 32>()
    }

    /// Whether these keys belong to `commitment`, in constant time.
    pub(super) fn committed(&self, commitment: &[u8; 32]) -> bool {
        self.part::<96, 32>().ct_eq(commitment).into()
    }

    /// Which protections took hold for the memory of these keys.
    #[must_use]
    pub fn protection(&self) -> super::Protection {
        self.0.protection()
    }

    fn part<const AT: usize, const N: usize>(&self) -> &[u8; N] {
        const { assert!(AT + N <= 160) };
        self.0.expose()[AT..].first_chunk().expect("checked at compile time")
    }
}

impl fmt::Debug for VolumeKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VolumeKeys(..)")
    }
}

// HKDF stands here, over the hmac crate, because the hkdf crate leaves the pseudorandom key and each block of
// output behind in memory that it does not wipe. These write every block where it is to stay.

/// HMAC-SHA256 of the `parts`, one after the other.
fn hmac(key: &[u8], parts: &[&[u8]], tag: &mut [u8; HASH]) {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize_into(<&mut Array<u8, _>>::from(tag));
}

/// HKDF-Extract, RFC 5869 section 2.2.
fn extract(salt: &[u8], input: &[u8]) -> Zeroizing<[u8; HASH]> {
    let mut prk = Zeroizing::new([0; HASH]);
    hmac(salt, &[input], &mut prk);
    prk
}

/// HKDF-Expand, RFC 5869 section 2.3, for outputs of 1 to 255 whole blocks.
pub(super) fn expand(prk: &[u8; HASH], label: &[u8], output: &mut [u8]) {
    let (blocks, rest) = output.as_chunks_mut::<HASH>();
    assert!(rest.is_empty() && blocks.len() <= 255, "whole blocks, at most 255");
    for i in 0..blocks.len() {
        let (done, todo) = blocks.split_at_mut(i);
        let previous = done.last().map_or(&[][..], |block| &block[..]);
        hmac(prk, &[previous, label, &[i as u8 + 1]], &mut todo[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected values computed with Python's hashlib and hmac.
    const VOLUME: Uuid = uuid::uuid!("6ba7b810-9dad-41d1-80b4-00c04fd430c8");
    const XTS: &str = "6bb99aaeb3ec03d5d13abb415489a7b2ed6decade955adc2922aa40f2dcaa0e9\
                       6fb50f701821bdb9453c47945177953bcd789166d30c6b530fff4fd0bc1d99e4";
    const COMMITMENT: &str = "76cb659e3965d21837d06f355eb4150d3855cee3dc491ccaf405729bd9d15e46";
    const TAG: &str = "4e8cd4397c2b170890ad3c8d2e0242af148dc1d45db5eb605d6d4e28ff898d1d";
    const THIRD_TAG: &str = "464cfcf6149d12f975ba8c19d153c32509a43a8316272f360f3f775064483c3b";
    const EMPTY_TAG: &str = "2ee40d43940bebd661b1190449d6a4a7828644b5870f524a098a2278bf9c62cf";

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn root() -> RootKey {
        RootKey::take(&mut core::array::from_fn(|i| i as u8)).unwrap()
    }

    #[test]
    fn derived_keys_match_an_independent_computation() {
        let keys = root().derive(VOLUME).unwrap();
        assert_eq!(hex(keys.xts_key()), XTS);
        assert_eq!(hex(&keys.commitment()), COMMITMENT);
        assert_eq!(hex(&keys.authenticate(HeaderKey::First, b"the header")), TAG);
        assert_eq!(hex(&keys.authenticate(HeaderKey::First, b"")), EMPTY_TAG);
        assert_eq!(hex(&keys.authenticate(HeaderKey::Third, b"the header")), THIRD_TAG);
    }

    /// RFC 5869 appendix A.1, whose 42 bytes are the front of two blocks.
    #[test]
    fn hkdf_matches_its_rfc() {
        let salt: [u8; 13] = core::array::from_fn(|i| i as u8);
        let info: [u8; 10] = core::array::from_fn(|i| 0xf0 + i as u8);
        let prk = extract(&salt, &[0x0b; 22]);
        assert_eq!(hex(&*prk), "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
        let mut output = [0; 64];
        expand(&prk, &info, &mut output);
        let expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
        assert_eq!(hex(&output[..42]), expected);
    }

    #[test]
    fn hkdf_matches_its_crate_to_the_last_block() {
        let (prk, expander) = hkdf::Hkdf::<Sha256>::extract(Some(b"salt"), b"input");
        let own = extract(b"salt", b"input");
        assert_eq!(own.as_slice(), prk.as_slice());
        let (mut ours, mut theirs) = ([0; 255 * HASH], [0; 255 * HASH]);
        expand(&own, b"label", &mut ours);
        expander.expand(b"label", &mut theirs).unwrap();
        assert_eq!(ours, theirs);
    }

    #[test]
    fn every_part_depends_on_root_and_volume() {
        let keys = root().derive(VOLUME).unwrap();
        let other_volume = root().derive(Uuid::nil()).unwrap();
        let other_root = RootKey::take(&mut [0; 32]).unwrap().derive(VOLUME).unwrap();
        for other in [other_volume, other_root] {
            assert_ne!(keys.xts_key(), other.xts_key());
            assert_ne!(keys.commitment(), other.commitment());
            assert_ne!(keys.authenticate(HeaderKey::First, b"m"), other.authenticate(HeaderKey::First, b"m"));
            assert!(!keys.committed(&other.commitment()) && keys.committed(&keys.commitment()));
        }
    }

    #[test]
    fn verify_refuses_every_flipped_bit_and_other_lengths() {
        let keys = root().derive(VOLUME).unwrap();
        let tag = keys.authenticate(HeaderKey::First, b"message");
        assert!(keys.verify(HeaderKey::First, b"message", &tag));
        assert!(!keys.verify(HeaderKey::First, b"Message", &tag));
        for bit in 0..256 {
            let mut forged = tag;
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(!keys.verify(HeaderKey::First, b"message", &forged), "bit {bit}");
        }
        assert!(!keys.verify(HeaderKey::First, b"message", &tag[..31]));
        assert!(!keys.verify(HeaderKey::First, b"message", &[&tag[..], &[0]].concat()));
        assert!(!keys.verify(HeaderKey::First, b"message", b""));
    }

    #[test]
    fn take_wipes_its_source_and_debug_shows_nothing() {
        let mut bytes = [0xa5; 32];
        let root = RootKey::take(&mut bytes).unwrap();
        assert_eq!(bytes, [0; 32]);
        assert_eq!(root.expose(), &[0xa5; 32]);
        assert_eq!(format!("{root:?}"), "RootKey(..)");
        assert_eq!(format!("{:?}", root.derive(VOLUME).unwrap()), "VolumeKeys(..)");
        assert_ne!(RootKey::generate().unwrap().expose(), RootKey::generate().unwrap().expose());
    }
}
