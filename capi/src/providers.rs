//! Key providers

use core::ffi::{CStr, c_char};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use super::boundary::guarded;
use super::error::{Failure, explained};
use super::status::atrest_status;
use super::{handle, pointer};
use atrest::Code;
use atrest::keys::{
    Expect, KeyProvider, KeyRef, LocalKeystore, Passphrase, ProviderError, Providers, Registry, block_on,
    block_on_timeout,
};

/// The schemes whose keys' names this library can judge: those of the providers that it is built with, which calls of
/// their own add to a set of providers.
fn registry() -> &'static Registry {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
        let registry = Registry::new().with(LocalKeystore::scheme());
        #[cfg(feature = "aws")]
        let registry = registry.with(atrest_aws_kms::scheme());
        registry
    });
    &REGISTRY
}

/// A set of key providers: what wraps and unwraps the keys of volumes; with it, what is expected of these. Any number of
/// threads may use one at once, but none while a provider is added or an expectation set.
#[allow(non_camel_case_types)]
pub struct atrest_providers {
    pub(crate) providers: Providers,
    /// What was said about it; `None`: nothing.
    expect: Option<Expect>,
}

impl atrest_providers {
    /// What is expected of a volume that is read: anything, where nothing was said.
    pub(crate) fn expected(&self) -> Expect {
        self.expect.clone().unwrap_or(Expect::any())
    }

    /// What is expected of a volume that is written or changed: which one it is must have been said, or that any will do.
    pub(crate) fn expected_to_write(&self) -> Result<Expect, Failure> {
        let text = match &self.expect {
            Some(expect) if expect.vouches() => return Ok(expect.clone()),
            Some(_) => {
                "what is expected does not say which volume it is, so that whoever writes the disk could put the header of another \
                 one in its place, and read what is written: add its pin, or the word any"
            }
            None => {
                "nothing is expected of the volume, so that whoever writes the disk decides who can read what is written: \
                 call atrest_providers_expect(), or atrest_providers_expect_any()"
            }
        };
        Err(Failure::new(Code::NoExpectation, text))
    }

    /// Whether anything was said.
    pub(crate) fn expects(&self) -> bool {
        self.expect.is_some()
    }
}

/// Makes an empty set of key providers.
///
/// `*out` receives it; free it with atrest_providers_free(). Returns ATREST_OK, or ATREST_ERROR_NULL, _NO_MEMORY.
///
/// # Safety
/// `out` is NULL or writable.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_providers_new(out: *mut *mut atrest_providers) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        handle::make(out, core::ptr::null_mut(), 0, |_| {
            Ok(atrest_providers { providers: Providers::new(), expect: None })
        })
    }
}

/// Frees a set of providers. NULL is fine. No other thread may be using it. Volumes and envelopes that were opened with
/// it do not need it.
///
/// # Safety
/// `providers` is NULL or a set that has not been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn atrest_providers_free(providers: *mut atrest_providers) {
    // SAFETY: this function's own contract.
    unsafe { handle::free(providers) }
}

/// Says what is expected of the volumes that are opened and changed with this set: which ones they are, and whose keys
/// open them. A header comes from a disk that somebody else may have written; without an expectation it would choose by
/// whose key a volume opens, and so who can read what is written next.
///
/// `expectation`: words, apart by white space. A pin, as `atrest create` and atrest_volume_pin() give it, is one volume
/// and its root key. Then `volume=UUID`, `key=KEY` (an AWS key by its ARN or id; an alias is none), `account=ACCOUNT`,
/// `region=REGION`, `provider=NAME`. Of several words of one kind any may hold; of each kind that is there one must.
/// `any` in place of pins: any volume that the other words allow. Besides, `slot=NUMBER` has one wrapping tried alone,
/// counted from 0. From `#` to the end of a line is a comment. `error`, `error_len`: as for atrest_volume_open();
/// may be NULL.
///
/// Only a pin, or `any`, lets a volume be written or changed: the header of another volume under the same key satisfies
/// `key=KEY` and all the others. Without either these return ATREST_ERROR_NO_EXPECTATION.
///
/// Volumes are held against it before a key service is asked, and only wrappings by expected keys are tried: what is not
/// expected is refused with ATREST_ERROR_UNEXPECTED. It holds for the calls that begin afterwards; volumes that are open
/// keep what they were opened with.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _EXPECTATION for a text that says nothing of that kind, which
/// leaves the set as it was. No other thread may be using the set.
///
/// # Safety
/// `providers` is NULL or a set; `expectation` is NULL or a NUL-terminated string; `error` is NULL or writable for
/// `error_len` bytes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_providers_expect(
    providers: *mut atrest_providers,
    expectation: *const c_char,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        explained(error, error_len, |_| {
            let providers = pointer::exclusive(providers)?;
            let text = pointer::string(expectation)?.to_string_lossy();
            providers.expect = Some(text.parse::<Expect>()?);
            Ok(())
        })
    }
}

/// Says that any volume will do, under any key that the providers open: for those who know by other means that nobody
/// else writes the disk, or who only move data that they do not trust. Without this and without
/// atrest_providers_expect(), volumes open for reading alone, and everything that writes or changes one returns
/// ATREST_ERROR_NO_EXPECTATION.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL. No other thread may be using the set.
///
/// # Safety
/// `providers` is NULL or a set.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_providers_expect_any(providers: *mut atrest_providers) -> atrest_status {
    guarded(|| {
        // SAFETY: this function's own contract.
        unsafe { pointer::exclusive(providers) }?.expect = Some(Expect::any());
        Ok(())
    })
}

/// Adds a local keystore, which holds the keys "local:NAME"; it replaces one that was there before.
///
/// `keystore`: the path of its directory, which must exist; or NULL for the user's own: $ATREST_HOME, else
/// $XDG_DATA_HOME/atrest, else ~/.local/share/atrest (~/Library/Application Support/atrest on macOS). With NULL it
/// reads the environment: no other thread may call setenv() or putenv() meanwhile. `error`, `error_len`: room for one
/// line that says what failed, as for atrest_volume_open().
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _KEYSTORE_IO (no such directory, for example),
/// _KEYSTORE_PERMISSIONS, which leave the set as it was. Reads the attributes of the directory; no network. No other
/// thread may be using the set.
///
/// # Safety
/// `providers` is NULL or a set; `keystore` is NULL or a NUL-terminated string; `error` is NULL or writable for
/// `error_len` bytes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_providers_add_local(
    providers: *mut atrest_providers,
    keystore: *const c_char,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        explained(error, error_len, |_| {
            let providers = pointer::exclusive(providers)?;
            let keystore = LocalKeystore::open(keystore_path(keystore)?)?;
            providers.providers.insert(std::sync::Arc::new(keystore));
            Ok(())
        })
    }
}

/// Adds a local keystore as atrest_providers_add_local() does, with the passphrase that guards some of its keys. It is
/// tried for each key that has one, which takes about 0.1 seconds and 64 MiB each time that a volume is opened.
///
/// `passphrase`, `passphrase_len`: 1 to 1024 bytes, without a line end or NUL. They are copied into locked memory,
/// which is wiped when the set is freed and in a forked child; wipe your own copy when this returns. `keystore`,
/// `error`, `error_len`: as for atrest_providers_add_local().
///
/// Returns what atrest_providers_add_local() does, and ATREST_ERROR_NULL for a NULL passphrase; also _INVALID_REQUEST
/// for a length out of range, _SECRET_MEMORY. The passphrase is not tried yet: calls that need a key answer
/// ATREST_ERROR_WRONG_PASSPHRASE, after a fork _FORKED, and without this call _PASSPHRASE_REQUIRED. No other thread may
/// be using the set.
///
/// # Safety
/// As for atrest_providers_add_local(); `passphrase` is NULL or readable for `passphrase_len` bytes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_providers_add_local_with_passphrase(
    providers: *mut atrest_providers,
    keystore: *const c_char,
    passphrase: *const u8,
    passphrase_len: usize,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        explained(error, error_len, |_| {
            let providers = pointer::exclusive(providers)?;
            pointer::reference(passphrase)?;
            let passphrase = Passphrase::copy(pointer::bytes(passphrase, passphrase_len)?)?;
            let keystore = LocalKeystore::open(keystore_path(keystore)?)?;
            let keystore = keystore.with_passphrase(move |_| Ok(passphrase.clone()));
            providers.providers.insert(std::sync::Arc::new(keystore));
            Ok(())
        })
    }
}

/// Adds AWS Key Management Service, which holds the keys "aws:" and an ARN, a key id or an alias; one that was there
/// before is replaced.
///
/// `region`: of keys that are not named by an ARN; `profile`: in the files in ~/.aws; `endpoint`: the URL of another
/// service than AWS's own ("http:" for this machine's own addresses alone). Each may be NULL, and is then what the AWS
/// SDKs take from the environment and the files in ~/.aws, as credentials always are. `error`, `error_len`: as for
/// atrest_volume_open(); may be NULL.
///
/// Starts a thread, which ends when the set is freed. Nobody is asked before the first call that needs a key; that one
/// reads the environment. Each such call takes at most 20 seconds, or its `timeout_ms` where that is less. After a fork
/// the child gets ATREST_ERROR_FORKED from this provider, and needs a new set.
///
/// Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _INVALID_REQUEST, _UNREACHABLE (no thread); the set is as
/// it was then. No other thread may be using the set.
///
/// # Safety
/// `providers` is NULL or a set; `region`, `profile` and `endpoint` are NULL or NUL-terminated strings; `error` is NULL
/// or writable for `error_len` bytes.
#[cfg(feature = "aws")]
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_providers_add_aws(
    providers: *mut atrest_providers,
    region: *const c_char,
    profile: *const c_char,
    endpoint: *const c_char,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        explained(error, error_len, |_| {
            let providers = pointer::exclusive(providers)?;
            let text = |text: *const c_char| {
                pointer::string(text).ok().map(|text| text.to_string_lossy().into_owned())
            };
            let mut options = atrest_aws_kms::KmsOptions::default();
            (options.region, options.profile, options.endpoint) =
                (text(region), text(profile), text(endpoint));
            providers.providers.insert(std::sync::Arc::new(atrest_aws_kms::AwsKms::new(options)?));
            Ok(())
        })
    }
}

/// Makes a key in a local keystore, and the keystore itself if there is none. Back its directory up: without it nobody
/// can open the volumes of its keys.
///
/// `keystore`: as for atrest_providers_add_local(). `key`: "local:" and a name, 1 to 64 of A-Z a-z 0-9 . _ - that does
/// not begin with a dot. `error`, `error_len`: as for atrest_volume_open().
///
/// Returns ATREST_OK once the key is on the disk, or ATREST_ERROR_KEY_EXISTS, which leaves that key as it is and which
/// you may take for success if any key of that name will do; ATREST_ERROR_NULL, _BUFFER_LENGTH, _KEY_NAME,
/// _KEYSTORE_IO, _KEYSTORE_PERMISSIONS, _SECRET_MEMORY. No network. Any thread, and any process, may call it at any
/// time.
///
/// # Safety
/// `keystore` is NULL or a NUL-terminated string, and so is `key`; `error` is NULL or writable for `error_len` bytes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn atrest_local_create_key(
    keystore: *const c_char,
    key: *const c_char,
    error: *mut c_char,
    error_len: usize,
) -> atrest_status {
    // SAFETY: this function's own contract.
    unsafe {
        explained(error, error_len, |_| {
            let key = key_ref(key)?;
            let Some(name) = key.of(LocalKeystore::SCHEME) else {
                return Err(Failure::new(Code::KeyName, "only local keys are made: write local:NAME"));
            };
            LocalKeystore::open_or_create(keystore_path(keystore)?)?.create_key(name)?;
            Ok(())
        })
    }
}

/// # Safety
/// `path` is NULL or a NUL-terminated string.
pub(crate) unsafe fn keystore_path(path: *const c_char) -> Result<PathBuf, ProviderError> {
    // SAFETY: this function's contract.
    match unsafe { pointer::string(path) } {
        Ok(path) => Ok(as_path(path).to_owned()),
        Err(_) => LocalKeystore::default_path(),
    }
}

pub(crate) fn as_path(path: &CStr) -> &Path {
    Path::new(OsStr::from_bytes(path.to_bytes()))
}

/// # Safety
/// `key` is NULL or a NUL-terminated string.
pub(crate) unsafe fn key_ref(key: *const c_char) -> Result<KeyRef, Failure> {
    // SAFETY: this function's contract.
    let text = unsafe { pointer::string(key) }?.to_string_lossy();
    let key: KeyRef = text.parse()?;
    registry().check(&key)?;
    Ok(key)
}

/// The provider that holds a key.
pub(crate) fn provider<'a>(providers: &'a Providers, key: &KeyRef) -> Result<&'a dyn KeyProvider, Failure> {
    let scheme = key.provider();
    providers.get(scheme).ok_or_else(|| {
        Failure::new(Code::Unreachable, format!("no provider for {scheme}: keys was added to the providers"))
    })
}

/// Waits for a key provider: for so many milliseconds, or without limit where the number is negative.
pub(crate) fn wait<T, E>(timeout_ms: i32, future: impl Future<Output = Result<T, E>>) -> Result<T, Failure>
where
    Failure: From<E>,
{
    let answer = match u64::try_from(timeout_ms) {
        Ok(timeout) => block_on_timeout(future, Duration::from_millis(timeout)).ok_or_else(|| {
            Failure::new(
                Code::TimedOut,
                format!(
                    "the key provider did not answer within {timeout_ms} ms: give it longer, or try again"
                ),
            )
        })?,
        Err(_) => block_on(future),
    };
    Ok(answer?)
}
