//! What local keys are called, and what is not done with those whose names are scratch volumes' own.

use super::super::{
    EncryptionContext, ErrorClass, ProviderError, Uuid,
    envelope::{SCRATCH_PREFIX, scratch_volume_of},
    keyref::excerpt,
};

/// The provider's name in envelopes, and the scheme of its keys.
pub const NAME: &str = "local";
/// What follows a key's name in the name of its file.
pub const EXTENSION: &str = ".json";

/// The name is checked here, before it becomes part of any path.
pub fn file_name(name: &str) -> Result<String, ProviderError> {
    if is_name(name) {
        return Ok(format!("{name}{EXTENSION}"));
    }
    let message = format!("{:?} is no name for a local key: {NAMES}", excerpt(name));
    Err(ProviderError::new(ErrorClass::KeyName, message))
}

/// What keys are called.
pub const NAMES: &str = "use 1 to 64 of A-Z a-z 0-9 . _ - and no dot in front";

/// Refuses what could not be, or should not be, a file's name.
pub fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(allowed)
}

/// Refuses to make, or to choose for other volumes, what has or could be taken for such a name.
pub fn refuse_reserved(name: &str) -> Result<(), ProviderError> {
    // Some file systems do not tell upper case from lower.
    let rest = name
        .get(..SCRATCH_PREFIX.len())
        .filter(|start| start.eq_ignore_ascii_case(SCRATCH_PREFIX))
        .map(|_| &name[SCRATCH_PREFIX.len()..]);
    if rest.is_none_or(|rest| Uuid::try_parse(rest).is_err()) {
        return Ok(());
    }
    let message = format!(
        "{name} is the name of a scratch volume's own key, which serves no other volume and is made with \
         it: choose another name"
    );
    Err(ProviderError::new(ErrorClass::KeyName, message))
}

/// Refuses to wrap anything but the key of its own volume.
pub fn refuse_other_volume(name: &str, context: &EncryptionContext) -> Result<(), ProviderError> {
    match scratch_volume_of(name) {
        Some(volume) if *context != EncryptionContext::for_volume(volume) => {
            let message = format!(
                "the local key {name} serves the scratch volume {volume} alone, and is destroyed with it: choose \
                 another key"
            );
            Err(ProviderError::new(ErrorClass::InvalidRequest, message))
        }
        _ => Ok(()),
    }
}

/// Refuses what the owner of other keys does with them: rotation, deletion, passphrases.
pub fn refuse_care(name: &str) -> Result<(), ProviderError> {
    let Some(volume) = scratch_volume_of(name) else { return Ok(()) };
    let message = format!(
        "the local key {name} is that of a scratch volume, which has no rotation, no passphrase and no waiting period: \
         it is erased when that volume, {volume}, is destroyed"
    );
    Err(ProviderError::new(ErrorClass::InvalidRequest, message))
}
