//! Passphrases for keys: held in secret memory, asked for when a key needs one, and what trying one costs.

use super::{
    super::{ErrorClass, KeyDescription, ProviderError, Secret, SecretError},
    LocalKeystore,
    guard::Lock,
    keyfile::{self, Fault, KeyFile},
    scratch,
};
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

impl LocalKeystore {
    /// The same keystore with a source of passphrases, which is asked, by the key's name, each time that a key is used
    /// which a passphrase guards: at a terminal, in a file, from another service. Its errors are passed on.
    ///
    /// Trying a passphrase takes what [`PassphraseCost`] says, about 0.1 seconds and 64 MiB by default, on the thread
    /// that polls.
    #[must_use]
    pub fn with_passphrase(
        mut self,
        source: impl Fn(&str) -> Result<Passphrase, ProviderError> + Send + Sync + 'static,
    ) -> LocalKeystore {
        self.passphrase = Some(Arc::new(source));
        self
    }

    /// Creates the key `name` as [`LocalKeystore::create_key`] does, guarded by a passphrase: its material is stored
    /// under AES-256-GCM-SIV, with a key that Argon2id derives.
    ///
    /// # Errors
    /// As [`LocalKeystore::create_key`].
    pub fn create_key_with_passphrase(
        &self,
        name: &str,
        passphrase: &Passphrase,
        cost: PassphraseCost,
    ) -> Result<KeyDescription, ProviderError> {
        self.create_under(name, Some((passphrase, cost)))
    }

    /// Guards the key `name` by another passphrase, or (`None`) by none. The present one, where there is one, is asked
    /// of the [source](LocalKeystore::with_passphrase). Volumes are not touched; copies of the file that were made
    /// before open as before.
    ///
    /// # Errors
    /// [`ErrorClass::PassphraseRequired`], [`ErrorClass::WrongPassphrase`] of the present one,
    /// [`ErrorClass::KeyNotFound`], [`ErrorClass::Malformed`], [`ErrorClass::LocalPermissions`],
    /// [`ErrorClass::LocalIo`], [`ErrorClass::Secret`]; the key is as it was then.
    pub fn set_passphrase(
        &self,
        name: &str,
        new: Option<(&Passphrase, PassphraseCost)>,
    ) -> Result<(), ProviderError> {
        scratch::refuse_care(name)?;
        let present = self.ask_before_change(name)?;
        // Computed before the lock is held, as the other one cannot be.
        let new = self.derive(name, new)?;
        self.change(name, |file| {
            let old = unlock(&file, present.as_ref())?;
            Ok((Some(keyfile::relock(file, old.as_ref(), new.as_ref())?), ()))
        })
    }

    /// Tries the passphrase that the [source](LocalKeystore::with_passphrase) gives for the key `name`. A key that has
    /// none passes.
    ///
    /// # Errors
    /// As [`LocalKeystore::set_passphrase`].
    pub fn check_passphrase(&self, name: &str) -> Result<(), ProviderError> {
        self.with_file(name, |file| unlock(&file, self.ask(&file)?.as_ref()).map(drop))
    }

    /// The lock of a new passphrase.
    pub(super) fn derive(
        &self,
        name: &str,
        new: Option<(&Passphrase, PassphraseCost)>,
    ) -> Result<Option<Lock>, ProviderError> {
        let lock = new.map(|(passphrase, cost)| Lock::new(passphrase, cost)).transpose();
        lock.map_err(|fault| self.explain(name, fault))
    }

    /// The passphrase of a key that is to be changed. Asking may take a user's time, in which nothing is locked.
    pub(super) fn ask_before_change(&self, name: &str) -> Result<Option<Passphrase>, ProviderError> {
        self.with_file(name, |file| self.ask(&file))
    }

    /// The passphrase of a key, where it has one.
    pub(super) fn ask(&self, file: &KeyFile<'_>) -> Result<Option<Passphrase>, Fault> {
        match (file.guard(), &self.passphrase) {
            (None, _) => Ok(None),
            (Some(_), Some(source)) => Ok(Some(source(file.name())?)),
            (Some(_), None) => Err(required(file.name())),
        }
    }
}

/// What the passphrase of the key opens; `None` for a key that has none.
pub fn unlock(file: &KeyFile<'_>, passphrase: Option<&Passphrase>) -> Result<Option<Lock>, Fault> {
    match (file.guard(), passphrase) {
        (None, _) => Ok(None),
        (Some(guard), Some(passphrase)) => guard.unlock(file.name(), passphrase).map(Some),
        // Somebody gave it one after it was asked for.
        (Some(_), None) => Err(required(file.name())),
    }
}

fn required(name: &str) -> Fault {
    let message =
        format!("the local key {name} needs a passphrase, and this program has none for it: give it one");
    ProviderError::new(ErrorClass::PassphraseRequired, message).into()
}
