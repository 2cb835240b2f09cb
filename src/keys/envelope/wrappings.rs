//! Changes of an envelope's wrappings: the root key stays, and so do the data that its keys encrypt.

use super::{
    super::{EncryptionContext, ErrorClass, Expect, KeyProvider, Providers, RootKey, VolumeKeys, WrappedKey},
    Class, Envelope, EnvelopeChangeError, EnvelopeFormatError, WrongClass, malformed,
};

/// An envelope whose wrappings were changed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rewrapped {
    /// The new envelope; volume, class and commitment are those of the old one.
    pub envelope: Envelope,
    /// The volume's keys, out of the new wrapping: it has opened, to the root key that the envelope commits to. `None` where
    /// the service rewrapped it and does not let the caller open it: then it is known good by the service's word alone, in
    /// which the provider checked keys and material.
    pub keys: Option<VolumeKeys>,
}

impl Envelope {
    /// Replaces the wrapping in slot number `slot`, counted from 0, by one under `key` of the provider named
    /// `provider`. The same key is fine: it wraps with its newest material.
    ///
    /// Within one provider that can do it ([`KeyProvider::rewrap`]) the service rewraps it. Else the root key is unwrapped
    /// into secret memory and wrapped by the new key. Either way the new wrapping is unwrapped again before it is believed,
    /// where the service allows that.
    ///
    /// # Errors
    /// [`EnvelopeChangeError::NoSuchSlot`]; [`EnvelopeChangeError::SlotExists`]; [`EnvelopeChangeError::Class`] for a scratch
    /// volume, and for the key of one; [`EnvelopeChangeError::Unexpected`]; [`EnvelopeChangeError::Provider`] for what a
    /// provider fails at, with [`ErrorClass::WrongKey`] when the slot holds another root key than the envelope commits to.
    pub async fn rewrap(
        &self,
        slot: usize,
        provider: &str,
        key: &str,
        providers: &Providers,
        expect: &Expect,
    ) -> Result<Rewrapped, EnvelopeChangeError> {
        self.slot(slot)?;
        self.expected_slots(providers, &expect.clone().only_slot(slot))?;
        self.rewrap_root(slot, provider, key, providers, None).await
    }

    /// The same without a look at what is expected; the root key is unwrapped unless it is there.
    pub(crate) async fn rewrap_root(
        &self,
        slot: usize,
        provider: &str,
        key: &str,
        providers: &Providers,
        root: Option<&RootKey>,
    ) -> Result<Rewrapped, EnvelopeChangeError> {
        let old = self.slot(slot)?;
        self.may_change()?;
        self.class.takes(self.volume, provider, key)?;
        let to = &**providers.require(provider)?;
        if old.provider == to.name() {
            match to.rewrap(old, key).await {
                Ok(new) => {
                    let envelope = self.with(Some(slot), new, to, key)?;
                    let keys = match to.unwrap(&envelope.slots[slot]).await {
                        Ok(root) => Some(self.committed(&root)?),
                        Err(error) if error.class() == ErrorClass::NotAuthorised => None,
                        Err(error) => return Err(error.into()),
                    };
                    return Ok(Rewrapped { envelope, keys });
                }
                Err(error) if error.class() == ErrorClass::Unsupported => {}
                Err(error) => return Err(error.into()),
            }
        }
        match root {
            Some(root) => self.wrap_root(Some(slot), root, to, key).await,
            None => {
                let root = providers.require(&old.provider)?.unwrap(old).await?;
                self.wrap_root(Some(slot), &root, to, key).await
            }
        }
    }

    /// [`rewrap`](Envelope::rewrap) by the key that the slot is under: it wraps with its newest material.
    ///
    /// # Errors
    /// As for [`rewrap`](Envelope::rewrap).
    pub async fn renew(
        &self,
        slot: usize,
        providers: &Providers,
        expect: &Expect,
    ) -> Result<Rewrapped, EnvelopeChangeError> {
        let WrappedKey { provider, key, .. } = self.slot(slot)?;
        self.rewrap(slot, provider, key, providers, expect).await
    }

    /// Adds a wrapping of the same root key under `key` of the provider named `provider`, behind those that are there.
    /// One of these is opened for it; the new one is opened, too, before it is believed.
    ///
    /// # Errors
    /// [`EnvelopeChangeError::Full`]; [`EnvelopeChangeError::SlotExists`]; [`EnvelopeChangeError::Class`];
    /// [`EnvelopeChangeError::Unexpected`]; [`EnvelopeChangeError::NoSlotOpened`]; [`EnvelopeChangeError::Provider`].
    pub async fn add_slot(
        &self,
        provider: &str,
        key: &str,
        providers: &Providers,
        expect: &Expect,
    ) -> Result<Rewrapped, EnvelopeChangeError> {
        let slots = self.expected_slots(providers, expect)?;
        self.may_add(provider, key, providers)?;
        let (root, _) = self.open_slots(&slots, &providers.without_cache()).await?;
        self.add_root(provider, key, providers, &root).await
    }

    /// The same for a root key that is there already.
    pub(crate) async fn add_root(
        &self,
        provider: &str,
        key: &str,
        providers: &Providers,
        root: &RootKey,
    ) -> Result<Rewrapped, EnvelopeChangeError> {
        let to = self.may_add(provider, key, providers)?;
        self.wrap_root(None, root, to, key).await
    }

    /// The provider that is to wrap for another slot, if there can be one.
    fn may_add<'a>(
        &self,
        provider: &str,
        key: &str,
        providers: &'a Providers,
    ) -> Result<&'a dyn KeyProvider, EnvelopeChangeError> {
        self.may_change()?;
        self.class.takes(self.volume, provider, key)?;
        if self.slots.len() >= Self::MAX_SLOTS {
            return Err(EnvelopeChangeError::Full);
        }
        Ok(&**providers.require(provider)?)
    }

    /// Removes the wrapping in slot number `slot`, counted from 0. No key is needed for it.
    ///
    /// Whoever has a copy of the old envelope and the use of its key still opens the volume.
    ///
    /// # Errors
    /// [`EnvelopeChangeError::NoSuchSlot`]; [`EnvelopeChangeError::LastSlot`]; [`EnvelopeChangeError::Class`].
    pub fn remove_slot(&self, slot: usize) -> Result<Envelope, EnvelopeChangeError> {
        self.slot(slot)?;
        self.may_change()?;
        if self.slots.len() == 1 {
            return Err(EnvelopeChangeError::LastSlot);
        }
        let mut envelope = self.clone();
        envelope.slots.remove(slot);
        Ok(envelope)
    }

    /// Whether `other` wraps the same root key of the same volume, as far as the two envelopes say: volume, class and
    /// commitment are equal. Whoever stores envelopes checks this before one takes another's place.
    #[must_use]
    pub fn is_rewrapping_of(&self, other: &Envelope) -> bool {
        (self.volume, self.class, self.commitment) == (other.volume, other.class, other.commitment)
    }

    /// The wrapping of a scratch volume's key stays as it is: any other would outlive the volume's destruction.
    fn may_change(&self) -> Result<(), WrongClass> {
        match self.class {
            Class::Scratch => Err(WrongClass::Scratch { volume: self.volume }),
            Class::Persistent => Ok(()),
        }
    }

    fn slot(&self, slot: usize) -> Result<&WrappedKey, EnvelopeChangeError> {
        self.slots.get(slot).ok_or(EnvelopeChangeError::NoSuchSlot { slot, slots: self.slots.len() })
    }

    /// Wraps `root` and puts the wrapping into `slot`, or behind all of them.
    async fn wrap_root(
        &self,
        slot: Option<usize>,
        root: &RootKey,
        to: &dyn KeyProvider,
        key: &str,
    ) -> Result<Rewrapped, EnvelopeChangeError> {
        // A root key that is not the volume's is not given to anybody.
        self.committed(root)?;
        let context = EncryptionContext::for_volume(self.volume);
        let new = to.wrap(root, key, &context).await?;
        let envelope = self.with(slot, new, to, key)?;
        let new = envelope.slots.get(slot.unwrap_or(self.slots.len())).expect("the slot was just filled");
        let keys = self.committed(&to.unwrap(new).await?)?;
        Ok(Rewrapped { envelope, keys: Some(keys) })
    }

    /// The envelope with another wrapping in `slot`, or behind all of them, if it then keeps the format's rules.
    fn with(
        &self,
        slot: Option<usize>,
        new: WrappedKey,
        to: &dyn KeyProvider,
        key: &str,
    ) -> Result<Envelope, EnvelopeChangeError> {
        if new.provider != to.name() {
            return Err(malformed(to, key, "it is for another provider").into());
        }
        let same = |(i, other): (usize, &WrappedKey)| {
            let twin =
                (&other.provider, &other.key, &other.material) == (&new.provider, &new.key, &new.material);
            (Some(i) != slot && twin).then_some(i)
        };
        if let Some(slot) = self.slots.iter().enumerate().find_map(same) {
            return Err(EnvelopeChangeError::SlotExists {
                slot,
                key: format!("{}:{}", new.provider, new.key),
            });
        }
        let mut envelope = self.clone();
        match slot {
            Some(slot) => envelope.slots[slot] = new,
            None => envelope.slots.push(new),
        }
        match envelope.check() {
            Err(EnvelopeFormatError::TooLong(length)) => Err(EnvelopeChangeError::TooLong(length)),
            Err(error) => Err(malformed(to, key, &error.to_string()).into()),
            Ok(()) => Ok(envelope),
        }
    }
}
