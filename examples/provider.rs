//! A key provider of one's own, against the public API: keys are files of 32 bytes in a directory, `file:NAME`, and wrap
//! root keys with AES-256-GCM-SIV. It is here to be copied; a real one would talk to a key service instead.
//!
//! `FILE_KEYS=DIR cargo run --example provider --features keys -- NAME` makes a volume's keys under `DIR/NAME`, and opens
//! them again. A program with this provider in it and three lines is the whole command: see `atrest_cli`.

use aes_gcm_siv::{AeadInOut as _, Aes256GcmSiv, KeyInit as _, Nonce, Tag, aead::inout::InOutBuf};
use atrest::keys::{
    BoxFuture, Class, EncryptionContext, Envelope, ErrorClass, Expect, KeyDescription, KeyProvider,
    ProviderError, Registry, RootKey, Scheme, Secret, WrappedKey, block_on, fill_random, new_uuid,
    on_wiped_stack,
};
use std::{error::Error, fs::File, io::Read as _, path::PathBuf};

/// The provider's name in envelopes, and the scheme of its keys.
const NAME: &str = "file";

/// What a registry takes: how keys are named, and how the provider is made. Where the keys are, the host's own settings
/// say, here a variable; a volume's header, which names a key, never does.
pub fn scheme() -> Scheme {
    Scheme::new(NAME, || match std::env::var_os("FILE_KEYS") {
        Some(directory) => Ok(FileKeys { directory: directory.into() }),
        None => Err(ProviderError::new(ErrorClass::InvalidRequest, "FILE_KEYS names no directory of keys")),
    })
    .forms(&["NAME"])
    .about("a key in a file, in the directory that FILE_KEYS names")
    .names(|name| match !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        true => Ok(()),
        false => Err("use letters and digits".to_owned()),
    })
}

/// Keys in files.
#[derive(Clone, Debug)]
pub struct FileKeys {
    /// Where they are.
    pub directory: PathBuf,
}

impl FileKeys {
    /// The cipher under the key `name`. The name may come from a header: it is checked before it is part of a path.
    fn cipher(&self, name: &str) -> Result<Aes256GcmSiv, ProviderError> {
        scheme().check(name).map_err(|error| ProviderError::new(ErrorClass::KeyName, error.to_string()))?;
        let failed = |error: std::io::Error| {
            let class = match error.kind() {
                std::io::ErrorKind::NotFound => ErrorClass::KeyNotFound,
                _ => ErrorClass::KeyUnavailable,
            };
            ProviderError::new(class, format!("cannot read the key file:{name}")).with_source(error)
        };
        let mut key = Secret::<32>::new()?;
        let mut file = File::open(self.directory.join(name)).map_err(failed)?;
        file.read_exact(key.expose_mut()).map_err(failed)?;
        Ok(on_wiped_stack(|| Aes256GcmSiv::new(key.expose().into())))
    }

    /// The wrapped key: nonce (12 bytes), encrypted root key (32), tag (16); name and context are bound to it.
    fn seal(
        &self,
        root: &RootKey,
        name: &str,
        context: &EncryptionContext,
    ) -> Result<WrappedKey, ProviderError> {
        let cipher = self.cipher(name)?;
        let mut nonce = [0; 12];
        fill_random(&mut nonce)?;
        let mut wrapped = [&nonce[..], &[0; 48]].concat();
        let (encrypted, tag) = wrapped[12..].split_at_mut(32);
        let sealed = on_wiped_stack(|| {
            let buffer = InOutBuf::new(root.expose(), encrypted).expect("32 bytes each");
            cipher.encrypt_inout_detached(&Nonce::from(nonce), &bound(name, context), buffer)
        });
        tag.copy_from_slice(&sealed.expect("no message is too long"));
        let (provider, key, context) = (NAME.to_owned(), name.to_owned(), context.clone());
        Ok(WrappedKey { provider, key, material: None, context, wrapped })
    }

    fn open(&self, wrapped: &WrappedKey) -> Result<RootKey, ProviderError> {
        let WrappedKey { key: name, context, wrapped, .. } = wrapped;
        let cipher = self.cipher(name)?;
        let Ok(wrapped) = <&[u8; 60]>::try_from(&**wrapped) else {
            let message = format!("a wrapping by file:{name} is 60 bytes long, not {}", wrapped.len());
            return Err(ProviderError::new(ErrorClass::Malformed, message));
        };
        let nonce = Nonce::try_from(&wrapped[..12]).expect("12 bytes");
        let tag = Tag::try_from(&wrapped[44..]).expect("16 bytes");
        let mut root = Secret::<32>::new()?;
        on_wiped_stack(|| {
            let buffer = InOutBuf::new(&wrapped[12..44], root.expose_mut()).expect("32 bytes each");
            cipher.decrypt_inout_detached(&nonce, &bound(name, context), buffer, &tag)
        })
        .map_err(|_| {
            let message = format!("what file:{name} wrapped was changed, or belongs to another volume");
            ProviderError::new(ErrorClass::ContextMismatchOrCorrupt, message)
        })?;
        Ok(root.into())
    }
}

/// What a wrapping is bound to: in another context, or under another name, it does not open.
fn bound(name: &str, context: &EncryptionContext) -> Vec<u8> {
    [name.as_bytes(), &[0], &context.canonical_bytes()].concat()
}

/// These futures never wait. Those of a provider that talks to a service do, and need no async runtime around them.
impl KeyProvider for FileKeys {
    fn name(&self) -> &'static str {
        NAME
    }

    fn generate<'a>(
        &'a self,
        key: &'a str,
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<WrappedKey, ProviderError>> {
        Box::pin(async move { self.seal(&RootKey::generate()?, key, context) })
    }

    fn unwrap<'a>(&'a self, wrapped: &'a WrappedKey) -> BoxFuture<'a, Result<RootKey, ProviderError>> {
        Box::pin(async move { self.open(wrapped) })
    }

    fn describe<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<KeyDescription, ProviderError>> {
        Box::pin(async move { self.cipher(key).map(|_| KeyDescription::new(NAME, key)) })
    }

    fn wrap<'a>(
        &'a self,
        root: &'a RootKey,
        key: &'a str,
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<WrappedKey, ProviderError>> {
        Box::pin(async move { self.seal(root, key, context) })
    }
}

#[allow(dead_code, reason = "tests take the provider alone")]
fn main() -> Result<(), Box<dyn Error>> {
    let registry = Registry::new().with(scheme());
    let name = std::env::args().nth(1).ok_or("give the name of a key")?;
    let key = registry.parse(&format!("{NAME}:{name}"))?;

    let provider = registry.provider(key.provider())?;
    let create = Envelope::create(&*provider, key.key(), new_uuid()?, Class::Persistent);
    let (envelope, keys) = block_on(create)?;
    println!("{}", envelope.to_json());

    let opened = block_on(envelope.open(&registry.providers_for(&envelope)?, &Expect::any()))?;
    assert_eq!(opened.keys.xts_key(), keys.xts_key());
    Ok(())
}
