//! The keystore as a key provider: root keys made, wrapped and unwrapped.

use super::{
    super::{
        BoxFuture, EncryptionContext, ErrorClass, KeyAdmin, KeyDescription, KeyProvider, ProviderError,
        RootKey, WrappedKey,
    },
    LocalKeystore, NAME,
    guarded::unlock,
    keyfile::{Material, Which},
    scratch, wrap,
};

impl LocalKeystore {
    fn wrap_local(
        &self,
        root: &RootKey,
        name: &str,
        context: &EncryptionContext,
    ) -> Result<WrappedKey, ProviderError> {
        scratch::refuse_other_volume(name, context)?;
        let material = self.usable_material(name, Which::Current)?;
        Ok(WrappedKey {
            provider: NAME.to_owned(),
            key: name.to_owned(),
            wrapped: wrap::seal(&material, name, context, root)?,
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
        wrap::open(&material, key, context, wrapped)
    }

    /// A material of a key that can be used.
    fn usable_material(&self, name: &str, which: Which<'_>) -> Result<Material, ProviderError> {
        self.with_file(name, |file| {
            file.state().usable(name)?;
            let lock = unlock(&file, self.ask(&file)?.as_ref())?;
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
