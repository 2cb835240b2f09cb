//! The keystore as a key provider: root keys made, wrapped and unwrapped, by AES-256-GCM-SIV (RFC 8452).
//!
//! A wrapped key, version 1, is 61 bytes: the version (1), a random nonce (12), the encrypted root key (32), the
//! tag (16). The associated data are a label with the version, the key's name, its material id, and the
//! encryption context.

use super::{
    super::{
        BoxFuture, EncryptionContext, ErrorClass, KeyAdmin, KeyDescription, KeyProvider, ProviderError,
        RootKey, Secret, SecretError, WrappedKey, fill_random, on_wiped_stack,
    },
    LocalKeystore,
    keyfile::{Material, Which},
    names::{NAME, refuse_other_volume},
};
use aes_gcm_siv::{AeadInOut, Aes256GcmSiv, KeyInit, Nonce, Tag, aead::inout::InOutBuf};

impl LocalKeystore {
    fn wrap_local(
        &self,
        root: &RootKey,
        name: &str,
        context: &EncryptionContext,
    ) -> Result<WrappedKey, ProviderError> {
        refuse_other_volume(name, context)?;
        let material = self.usable_material(name, Which::Current)?;
        Ok(WrappedKey {
            provider: NAME.to_owned(),
            key: name.to_owned(),
            wrapped: seal(&material, name, context, root)?,
            material: Some(material.id),
            context: context.clone(),
        })
    }

    pub(super) fn unwrap_local(&self, wrapped: &WrappedKey) -> Result<RootKey, ProviderError> {
        let WrappedKey { provider, key, material, context, wrapped } = wrapped;
        let (NAME, Some(id)) = (provider.as_str(), material) else {
            let message =
                format!("{provider}:{key} is no wrapping of the local keystore: provider or material id");
            return Err(ProviderError::new(ErrorClass::Malformed, message));
        };
        let material = self.usable_material(key, Which::Id(id))?;
        open(&material, key, context, wrapped)
    }

    /// A material of a key that can be used.
    fn usable_material(&self, name: &str, which: Which<'_>) -> Result<Material, ProviderError> {
        self.with_file(name, |file| {
            file.state().usable(name)?;
            let lock = file.unlock(self.ask(&file)?.as_ref())?;
            file.material(which, lock.as_ref())
        })
    }
}

impl KeyProvider for LocalKeystore {
    fn name(&self) -> &'static str {
        NAME
    }

    fn generate<'a>(
        &'a self,
        key: &'a str,
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<WrappedKey, ProviderError>> {
        Box::pin(async move { self.wrap_local(&RootKey::generate()?, key, context) })
    }

    fn unwrap<'a>(&'a self, wrapped: &'a WrappedKey) -> BoxFuture<'a, Result<RootKey, ProviderError>> {
        Box::pin(async move { self.unwrap_local(wrapped) })
    }

    fn describe<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<KeyDescription, ProviderError>> {
        Box::pin(async move { self.describe_key(key) })
    }

    fn wrap<'a>(
        &'a self,
        root: &'a RootKey,
        key: &'a str,
        context: &'a EncryptionContext,
    ) -> BoxFuture<'a, Result<WrappedKey, ProviderError>> {
        Box::pin(async move { self.wrap_local(root, key, context) })
    }

    fn admin(&self) -> Option<&dyn KeyAdmin> {
        Some(self)
    }
}

const VERSION: u8 = 1;
const LABEL: &[u8] = b"atrest local wrapping v1";
const NONCE: usize = 12;
const ROOT: usize = 32;
const TAG: usize = 16;
/// The length of a wrapped key, in bytes.
const WRAPPED: usize = 1 + NONCE + ROOT + TAG;

/// Wraps `root` under a material of the key `name`.
fn seal(
    material: &Material,
    name: &str,
    context: &EncryptionContext,
    root: &RootKey,
) -> Result<Vec<u8>, SecretError> {
    let mut wrapped = vec![0; WRAPPED];
    wrapped[0] = VERSION;
    let (nonce, rest) = wrapped[1..].split_at_mut(NONCE);
    let (encrypted, tag) = rest.split_at_mut(ROOT);
    // Random nonces: a repetition, at any number of wrappings, would in this mode only show that two root keys
    // under the same context are equal.
    fill_random(nonce)?;
    let data = associated_data(name, &material.id, context);
    let nonce = Nonce::try_from(&*nonce).expect("12 bytes");
    let sealed = on_wiped_stack(|| {
        let buffer = InOutBuf::new(root.expose(), encrypted).expect("32 bytes each");
        cipher(material).encrypt_inout_detached(&nonce, &data, buffer)
    });
    tag.copy_from_slice(&sealed.expect("the lengths are far below the mode's limits"));
    Ok(wrapped)
}

/// Unwraps what [`seal`] made, given the same key, material and context.
fn open(
    material: &Material,
    name: &str,
    context: &EncryptionContext,
    wrapped: &[u8],
) -> Result<RootKey, ProviderError> {
    let Ok(wrapped) = <&[u8; WRAPPED]>::try_from(wrapped) else {
        let message = format!("a wrapping by the local key {name} is {WRAPPED} bytes, not {}", wrapped.len());
        return Err(ProviderError::new(ErrorClass::Malformed, message));
    };
    let (version, rest) = (wrapped[0], &wrapped[1..]);
    if version != VERSION {
        let message = format!("a wrapping by the local key {name} has version {version}; this build reads 1");
        return Err(ProviderError::new(ErrorClass::Malformed, message));
    }
    let (nonce, rest) = rest.split_at(NONCE);
    let (encrypted, tag) = rest.split_at(ROOT);
    let data = associated_data(name, &material.id, context);
    let nonce = Nonce::try_from(nonce).expect("12 bytes");
    let tag = Tag::try_from(tag).expect("16 bytes");
    let mut root = Secret::<ROOT>::new()?;
    let opened = on_wiped_stack(|| {
        let buffer = InOutBuf::new(encrypted, root.expose_mut()).expect("32 bytes each");
        cipher(material).decrypt_inout_detached(&nonce, &data, buffer, &tag)
    });
    match opened {
        Ok(()) => Ok(root.into()),
        Err(_) => Err(ProviderError::new(
            ErrorClass::ContextMismatchOrCorrupt,
            format!(
                "the key wrapped by the local key {name} is corrupt, or belongs to another volume or key; \
                 restore the envelope from a backup"
            ),
        )),
    }
}

fn cipher(material: &Material) -> Aes256GcmSiv {
    Aes256GcmSiv::new(material.key.expose().into())
}

/// Everything the wrapping is bound to; each part of variable length is preceded by its length.
fn associated_data(name: &str, material: &str, context: &EncryptionContext) -> Vec<u8> {
    let mut data = LABEL.to_vec();
    for text in [name, material] {
        data.extend_from_slice(&(text.len() as u32).to_le_bytes());
        data.extend_from_slice(text.as_bytes());
    }
    data.extend_from_slice(&context.canonical_bytes());
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOLUME: uuid::Uuid = uuid::uuid!("6ba7b810-9dad-41d1-80b4-00c04fd430c8");

    fn material(id: &str, first: u8) -> Material {
        let key = Secret::take(&mut core::array::from_fn(|i| first + i as u8)).unwrap();
        Material { id: id.to_owned(), created: 0, key }
    }

    #[test]
    fn a_wrapping_is_bound_to_all_it_should_be() {
        let context = EncryptionContext::for_volume(VOLUME);
        let root = RootKey::generate().unwrap();
        let own = material("m-1", 0);
        let wrapped = seal(&own, "default", &context, &root).unwrap();
        assert_eq!(wrapped.len(), 61);
        assert_eq!(open(&own, "default", &context, &wrapped).unwrap().expose(), root.expose());

        let other = EncryptionContext::for_volume(uuid::Uuid::nil());
        let refused = [
            open(&own, "defaul", &context, &wrapped),
            open(&own, "default", &other, &wrapped),
            open(&own, "default", &EncryptionContext::new(), &wrapped),
            open(&material("m-2", 0), "default", &context, &wrapped),
            open(&material("m-1", 1), "default", &context, &wrapped),
            // The boundary between name and material id is part of it.
            open(&material("tm-1", 0), "defaul", &context, &wrapped),
        ];
        for (i, result) in refused.into_iter().enumerate() {
            assert_eq!(result.unwrap_err().class(), ErrorClass::ContextMismatchOrCorrupt, "case {i}");
        }
    }

    #[test]
    fn nonces_differ() {
        let context = EncryptionContext::for_volume(VOLUME);
        let root = RootKey::generate().unwrap();
        let [a, b] = [(); 2].map(|()| seal(&material("m", 0), "k", &context, &root).unwrap());
        assert_ne!(a[1..13], b[1..13]);
        assert_ne!(a[13..], b[13..]);
    }
}
