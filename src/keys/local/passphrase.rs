//! Passphrases for keys: held in secret memory, asked for when a key needs one, and what trying one costs.

use super::super::{ErrorClass, ProviderError, Secret, SecretError};
use std::{fmt, sync::Arc};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize as _;

/// A passphrase, in secret memory. Copies share that memory, which is wiped with the last one.
#[derive(Clone)]
pub struct Passphrase {
    bytes: Arc<Secret<{ Passphrase::MAX }>>,
    length: usize,
}

impl Passphrase {
    /// The longest passphrase, in bytes.
    pub const MAX: usize = 1024;

    /// Moves a passphrase into secret memory, and wipes `source` in every case. Any bytes do; text should be UTF-8.
    ///
    /// # Errors
    /// [`ErrorClass::InvalidRequest`] unless there are 1 to [`Passphrase::MAX`] bytes, [`ErrorClass::Secret`].
    ///
    /// ```
    /// use atrest::keys::Passphrase;
    ///
    /// let mut typed = *b"correct horse battery staple";
    /// let passphrase = Passphrase::take(&mut typed)?;
    /// assert!(typed.iter().all(|byte| *byte == 0));
    /// # Ok::<(), atrest::keys::ProviderError>(())
    /// ```
    pub fn take(source: &mut [u8]) -> Result<Passphrase, ProviderError> {
        let taken = Passphrase::copy(source);
        source.zeroize();
        taken
    }

    /// The same from memory that is not to be written.
    pub fn copy(source: &[u8]) -> Result<Passphrase, ProviderError> {
        let length = source.len();
        if !(1..=Passphrase::MAX).contains(&length) {
            let message = format!("a passphrase has 1 to {} bytes, not {length}", Passphrase::MAX);
            return Err(ProviderError::new(ErrorClass::InvalidRequest, message));
        }
        let mut bytes = Secret::new()?;
        bytes.expose_mut()[..length].copy_from_slice(source);
        Ok(Passphrase { bytes: Arc::new(bytes), length })
    }

    pub(super) fn expose(&self) -> Result<&[u8], SecretError> {
        if self.bytes.is_wiped() {
            return Err(SecretError::Forked);
        }
        Ok(&self.bytes.expose()[..self.length])
    }
}

/// Compared in a time that depends on the lengths alone. In a fork none equals another.
impl PartialEq for Passphrase {
    fn eq(&self, other: &Passphrase) -> bool {
        match (self.expose(), other.expose()) {
            (Ok(own), Ok(other)) => own.ct_eq(other).into(),
            _ => false,
        }
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// What asks for the passphrase of a key, by the key's name.
pub type Source = Arc<dyn Fn(&str) -> Result<Passphrase, ProviderError> + Send + Sync>;

/// What it costs to try a passphrase: the parameters of Argon2id (RFC 9106), for whoever opens the key and for whoever
/// guesses.
///
/// The default is the RFC's second recommendation: 64 MiB, 3 passes, 4 lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PassphraseCost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl PassphraseCost {
    /// The most memory, in KiB: 1 GiB.
    pub const MAX_MEMORY_KIB: u32 = 1 << 20;
    /// The most passes over it.
    pub const MAX_PASSES: u32 = 16;
    /// The most lanes, which are computed one after the other here.
    pub const MAX_LANES: u32 = 16;

    /// These parameters. Key files that ask for more than the limits are refused, so that nobody's file takes all of a
    /// machine's memory.
    ///
    /// # Errors
    /// [`ErrorClass::InvalidRequest`] unless there are 8 KiB for each lane to [`PassphraseCost::MAX_MEMORY_KIB`], 1 to
    /// [`PassphraseCost::MAX_PASSES`] passes, and 1 to [`PassphraseCost::MAX_LANES`] lanes.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<PassphraseCost, ProviderError> {
        let within = (1..=PassphraseCost::MAX_LANES).contains(&lanes)
            && (1..=PassphraseCost::MAX_PASSES).contains(&passes)
            && (8 * lanes..=PassphraseCost::MAX_MEMORY_KIB).contains(&memory_kib);
        if within {
            return Ok(PassphraseCost { memory_kib, passes, lanes });
        }
        let message = format!(
            "Argon2id takes 8 KiB for each lane to 1 GiB here, 1 to 16 passes and 1 to 16 lanes; not {memory_kib} KiB, \
             {passes} and {lanes}"
        );
        Err(ProviderError::new(ErrorClass::InvalidRequest, message))
    }

    /// Memory in KiB, passes, lanes.
    pub(super) fn parameters(self) -> (u32, u32, u32) {
        (self.memory_kib, self.passes, self.lanes)
    }
}

impl Default for PassphraseCost {
    fn default() -> PassphraseCost {
        PassphraseCost { memory_kib: 64 * 1024, passes: 3, lanes: 4 }
    }
}
