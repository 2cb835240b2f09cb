//! What this command's user can do about a failure of a key: the library says what is wrong and what is needed, and here
//! stand the commands and variables that do it, by the code of the error.

use std::time::{SystemTime, UNIX_EPOCH};

use atrest::Code;
use atrest::environment::has_elevated_rights;
use atrest::keys::{EnvelopeChangeError, LocalKeystore, NoSlotOpened, ProviderError};
use atrest::volume::Error;

/// A failure to use a key, with what can be done about it.
pub fn with_key(scheme: &str, key: &str, error: &ProviderError) -> String {
    with(error, advice(scheme, key, error))
}

/// A failure of no certain key: to find or to open the local keystore, for example.
pub fn with_keystore(error: &ProviderError) -> String {
    with(error, of_keystore(error.code()))
}

/// A failure with a volume, with what can be done about each of its keys that failed.
pub fn with_volume(error: &Error) -> String {
    let mut all: Vec<String> = match error {
        Error::NoSlotOpened(NoSlotOpened { failures, .. })
        | Error::Change(EnvelopeChangeError::NoSlotOpened(NoSlotOpened { failures, .. })) => {
            failures.iter().filter_map(|slot| advice(&slot.provider, &slot.key, &slot.error)).collect()
        }
        Error::Change(EnvelopeChangeError::Provider(error)) | Error::Key(error) => {
            of_keystore(error.code()).into_iter().collect()
        }
        _ => Vec::new(),
    };
    all.dedup();
    all.into_iter().fold(error.to_string(), |line, advice| format!("{line}; {advice}"))
}

fn with(error: &ProviderError, advice: Option<String>) -> String {
    match advice {
        Some(advice) => format!("{error}; {advice}"),
        None => error.to_string(),
    }
}

fn of_keystore(code: Code) -> Option<String> {
    // Where it is not read, it is no help.
    let selects = matches!(code, Code::KeystoreIo) && !has_elevated_rights();
    selects.then(|| "ATREST_HOME selects another keystore".to_owned())
}

fn advice(scheme: &str, key: &str, error: &ProviderError) -> Option<String> {
    let local = scheme == LocalKeystore::SCHEME;
    let name = format!("{scheme}:{key}");
    Some(match error.code() {
        Code::KeyDisabled => format!("enable it with `atrest key enable {name}`"),
        Code::KeyPendingDeletion if local && error.deletion().is_some_and(|date| date <= now()) => {
            format!(
                "erase it with `atrest key purge {name}`, or cancel with `atrest key delete {name} --cancel`"
            )
        }
        Code::KeyPendingDeletion => format!("cancel the deletion with `atrest key delete {name} --cancel`"),
        Code::NotAuthorised => format!("`atrest key policy {name}` prints a policy that allows it"),
        Code::KeyNotFound | Code::WrongKey if local => return of_keystore(Code::KeystoreIo),
        Code::LimitExceeded if local => {
            "`atrest rewrap VOLUME --key` brings a volume under another key".to_owned()
        }
        Code::KeyName if local && LocalKeystore::scratch_volume_of(key).is_some() => {
            "`atrest create --scratch` makes such a key with its volume".to_owned()
        }
        Code::InvalidRequest if local => match LocalKeystore::scratch_volume_of(key) {
            Some(volume) => {
                format!("`atrest destroy VOLUME` does that, or `--uuid {volume}` where the volume is gone")
            }
            None => return None,
        },
        code => return of_keystore(code),
    })
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
