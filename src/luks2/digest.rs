//! The digest of the volume key: PBKDF2 over the key, by which cryptsetup knows the right one.

use pbkdf2::pbkdf2_hmac;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq as _;

use super::error::{NotSupported, VolumeKeyError};
use super::json::escaped;
use super::metadata::Digest;
// HMAC leaves the key on the stack, masked by a constant.
use crate::stack::on_wiped_stack;

/// cryptsetup's own least. A volume key has all its 512 bits at random: there is nothing to slow down.
const ITERATIONS: u32 = 1000;
/// The most that is worked through, some seconds: a hostile header could ask for four billion.
const MAX_ITERATIONS: u32 = 10_000_000;

/// The digest of a new volume's key, for segment 0, with a salt of random bytes.
fn new(key: &[u8], salt: &[u8; 32]) -> Digest {
    let mut digest = vec![0; 32];
    on_wiped_stack(|| pbkdf2_hmac::<Sha256>(key, salt, ITERATIONS, &mut digest));
    Digest {
        id: 0,
        kind: "pbkdf2".into(),
        hash: "sha256".into(),
        iterations: ITERATIONS,
        salt: salt.to_vec(),
        digest,
        segments: vec![0],
        keyslots: Vec::new(),
    }
}

impl Digest {
    /// That of a new volume's key, for segment 0; the salt is random bytes.
    pub(crate) fn of(key: &[u8], salt: &[u8; 32]) -> Digest {
        new(key, salt)
    }
}

/// The digest that the key of a segment is held against.
pub(super) fn of_segment(digests: &[Digest], segment: u32) -> Option<&Digest> {
    digests.iter().find(|digest| digest.segments.contains(&segment))
}

/// PBKDF2 with one hash: key, salt, iterations, output.
type Pbkdf2 = fn(&[u8], &[u8], u32, &mut [u8]);

/// Checks `key` against the digest of `segment`, in constant time.
pub(super) fn check(digests: &[Digest], segment: u32, key: &[u8]) -> Result<(), VolumeKeyError> {
    let refuse = |why: String| Err(NotSupported(why).into());
    let Some(digest) = of_segment(digests, segment) else {
        return refuse(
            "it has no digest of the volume key, so a wrong key could not be told from the right one".into(),
        );
    };
    if digest.kind != "pbkdf2" {
        return refuse(format!(
            "its digest has type \"{}\", and only pbkdf2 is supported",
            escaped(&digest.kind)
        ));
    }
    if !(1..=MAX_ITERATIONS).contains(&digest.iterations) {
        return refuse(format!(
            "its digest asks for {} iterations, and 1 to {MAX_ITERATIONS} are done",
            digest.iterations
        ));
    }
    let (pbkdf2, length): (Pbkdf2, _) = match &digest.hash[..] {
        "sha256" => (pbkdf2_hmac::<Sha256>, 32),
        "sha512" => (pbkdf2_hmac::<Sha512>, 64),
        hash => return refuse(format!("its digest's hash is \"{}\", not sha256 or sha512", escaped(hash))),
    };
    if digest.digest.len() != length {
        return refuse(format!("its digest has {} bytes, not {length}", digest.digest.len()));
    }
    let mut computed = [0; 64];
    let computed = &mut computed[..length];
    on_wiped_stack(|| pbkdf2(key, &digest.salt, digest.iterations, computed));
    if computed.ct_eq(&digest.digest).into() { Ok(()) } else { Err(VolumeKeyError::WrongKey) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_right_key() {
        let digest = new(&[7; 64], &[3; 32]);
        let check = |digest: &Digest, key: &[u8]| check(core::slice::from_ref(digest), 0, key);
        assert!(check(&digest, &[7; 64]).is_ok());
        assert!(matches!(check(&digest, &[8; 64]), Err(VolumeKeyError::WrongKey)));
        assert!(matches!(check(&digest, &[7; 32]), Err(VolumeKeyError::WrongKey)));
        assert!(matches!(super::check(&[digest], 1, &[7; 64]), Err(VolumeKeyError::NotSupported(_))));
    }

    #[test]
    fn refuses_what_would_take_forever_or_check_nothing() {
        let good = new(&[7; 64], &[3; 32]);
        let refused = |change: fn(&mut Digest), because: &str| {
            let mut digest = good.clone();
            change(&mut digest);
            let error = check(&[digest], 0, &[7; 64]).unwrap_err().to_string();
            assert!(error.contains(because), "{error}");
        };
        refused(|digest| digest.iterations = 0, "0 iterations");
        refused(|digest| digest.iterations = 10_000_001, "1 to 10000000");
        refused(|digest| digest.digest.clear(), "0 bytes");
        refused(|digest| digest.digest.truncate(31), "31 bytes");
        refused(|digest| digest.hash = "sha1".into(), "sha1");
        refused(|digest| digest.kind = "x".into(), "only pbkdf2");
    }

    #[test]
    fn agrees_with_an_independent_pbkdf2() {
        // Python: hashlib.pbkdf2_hmac(HASH, bytes(range(64)), bytes(range(32)), 1000).hex()
        let key: Vec<u8> = (0..64).collect();
        for (hash, expected) in [("sha256", SHA256), ("sha512", SHA512)] {
            let digest = (0..expected.len()).step_by(2);
            let digest = digest.map(|i| u8::from_str_radix(&expected[i..i + 2], 16).unwrap()).collect();
            let salt = (0..32).collect();
            let digest = Digest { hash: hash.into(), salt, digest, ..new(&key, &[3; 32]) };
            assert!(check(&[digest], 0, &key).is_ok(), "{hash}");
        }
    }

    const SHA256: &str = "2d13b9ec9577e76d175ea6736c0647897bfd85b4dbf090930a638c08d8bdcded";

    const SHA512: &str = concat!(
        "431fe246bbf8900893d39a3ae6a0a285c5e7e16a01a5727229ec2638671baed7",
        "36d43399ed2e2968049cbac3507d8819a991ee8680d6cab44c622abcfaf72ba9",
    );
}
