//! The envelope: one volume's root key in all its wrappings.

mod class;
mod error;
mod json;
mod wrappings;

use super::{
    EncryptionContext, ErrorClass, Expect, KeyProvider, Pin, ProviderError, Providers, RootKey, Unexpected,
    Uuid, VolumeKeys, WrappedKey, keyref::is_scheme,
};
pub use class::Class;
pub(super) use class::{SCRATCH_PREFIX, scratch_key_name, scratch_volume_of};
pub use error::{
    EnvelopeChangeError, EnvelopeCreateError, EnvelopeFormatError, EnvelopeOpenError, NoSlotOpened,
    SlotFailure, WrongClass,
};
use error::{MAX_JSON, MAX_SLOTS};
use std::sync::Arc;
pub use wrappings::Rewrapped;

/// A volume's root key, wrapped by one or more key-encryption keys, as a small JSON document that any store
/// can carry.
///
/// Nothing in it is secret, and nothing in it is authenticated by itself: a volume's header covers the class and
/// the commitment with [`VolumeKeys::authenticate`]. What an attacker can reach by editing the wrappings is that
/// none opens, since each is bound to the volume by its context, and to the root key by the commitment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    volume: Uuid,
    class: Class,
    commitment: [u8; 32],
    slots: Vec<WrappedKey>,
}

/// What [`Envelope::open`] gives.
#[derive(Debug)]
#[non_exhaustive]
pub struct Opened {
    /// The volume's keys.
    pub keys: VolumeKeys,
    /// The slot that opened, counted from 0.
    pub slot: usize,
    /// Why those that were tried before did not.
    pub failures: Arc<[SlotFailure]>,
}

impl Envelope {
    /// The longest document that is read or written, in bytes.
    pub const MAX_JSON: usize = MAX_JSON;
    /// The most slots in an envelope.
    pub const MAX_SLOTS: usize = MAX_SLOTS;
    /// The longest wrapped key, in bytes; AWS KMS gives at most 6144.
    pub const MAX_WRAPPED: usize = 6144;

    /// Makes a volume's root key with `provider`, wrapped under `key`, and the envelope around it.
    ///
    /// The provider makes the key and returns it wrapped only; unwrapping it once, for the commitment and for
    /// the keys returned here, also proves that it can be unwrapped before anything depends on it.
    ///
    /// # Errors
    /// [`EnvelopeCreateError::Provider`] when the provider fails, or when its answer is not for this provider and
    /// context or exceeds a limit of the format; [`EnvelopeCreateError::Class`] for a key of the other [`Class`], before
    /// the provider is asked.
    pub async fn create(
        provider: &dyn KeyProvider,
        key: &str,
        volume: Uuid,
        class: Class,
    ) -> Result<(Envelope, VolumeKeys), EnvelopeCreateError> {
        class.takes(volume, provider.name(), key)?;
        let context = EncryptionContext::for_volume(volume);
        let wrapped = provider.generate(key, &context).await?;
        if wrapped.provider != provider.name() || wrapped.context != context {
            return Err(malformed(provider, key, "it is for another provider or context").into());
        }
        let keys = provider.unwrap(&wrapped).await?.derive(volume)?;
        let envelope = Envelope { volume, class, commitment: keys.commitment(), slots: vec![wrapped] };
        envelope.check().map_err(|error| malformed(provider, key, &error.to_string()))?;
        Ok((envelope, keys))
    }

    /// Unwraps the volume's keys: the slots that are [expected](Expect) are tried in order until one opens. Where the
    /// providers have a [cache](Providers::with_cache), a root key in it opens its slot.
    ///
    /// # Errors
    /// [`EnvelopeOpenError`]: [`Unexpected`](super::Unexpected) before any provider is asked; [`NoSlotOpened`] with each
    /// slot's failure. A slot whose root key is not the one that the envelope commits to (compared in constant time) fails
    /// as [`ErrorClass::WrongKey`].
    pub async fn open(&self, providers: &Providers, expect: &Expect) -> Result<Opened, EnvelopeOpenError> {
        let slots = self.expected_slots(providers, expect)?;
        Ok(self.open_slots(&slots, providers).await?.1)
    }

    /// The slots that are expected, if the volume is.
    pub(crate) fn expected_slots(
        &self,
        providers: &Providers,
        expect: &Expect,
    ) -> Result<Vec<usize>, Unexpected> {
        expect.check(self.volume, &self.commitment, None)?;
        expect.slots(self.volume, &self.slots, providers)
    }

    /// The same for slots that were chosen, with the root key in the one that opened.
    pub(crate) async fn open_slots(
        &self,
        slots: &[usize],
        providers: &Providers,
    ) -> Result<(Arc<RootKey>, Opened), NoSlotOpened> {
        let mut failures = Vec::new();
        for &number in slots {
            let slot = &self.slots[number];
            match self.open_slot(slot, providers).await {
                Ok((root, keys)) => {
                    return Ok((root, Opened { keys, slot: number, failures: failures.into() }));
                }
                Err(error) => failures.push(SlotFailure {
                    slot: number,
                    provider: slot.provider.clone(),
                    key: slot.key.clone(),
                    error,
                }),
            }
        }
        Err(NoSlotOpened { volume: self.volume, failures })
    }

    async fn open_slot(
        &self,
        slot: &WrappedKey,
        providers: &Providers,
    ) -> Result<(Arc<RootKey>, VolumeKeys), ProviderError> {
        let root = providers.unwrap(slot).await?;
        let keys = self.committed(&root).inspect_err(|_| {
            // It may be another one the next time.
            if let Some(cache) = providers.cache() {
                cache.forget(slot);
            }
        })?;
        Ok((root, keys))
    }

    /// The keys of a root key that is the one which the envelope commits to.
    fn committed(&self, root: &RootKey) -> Result<VolumeKeys, ProviderError> {
        let keys = root.derive(self.volume)?;
        if self.is_for(&keys) {
            return Ok(keys);
        }
        Err(ProviderError::new(
            ErrorClass::WrongKey,
            "the unwrapped key is not the one this envelope was made with; restore the envelope from a backup",
        ))
    }

    /// Whether these are the keys that the envelope commits to, compared in constant time.
    ///
    /// # Panics
    /// In a forked child, see [`Secret::expose`](crate::keys::Secret::expose).
    #[must_use]
    pub fn is_for(&self, keys: &VolumeKeys) -> bool {
        keys.committed(&self.commitment)
    }

    /// The volume whose root key this is.
    #[must_use]
    pub fn volume(&self) -> Uuid {
        self.volume
    }

    /// The salt of the derivation by which the volume's keys come from its root key.
    #[must_use]
    pub fn salt(&self) -> &[u8; 16] {
        self.volume.as_bytes()
    }

    /// Whether the key outlives the volume.
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
    }

    /// The [key commitment](VolumeKeys::commitment).
    #[must_use]
    pub fn commitment(&self) -> &[u8; 32] {
        &self.commitment
    }

    /// The [pin](Pin) of its volume, for tokens of this version and later ones. Take it of an envelope that was just created,
    /// or that has opened.
    #[must_use]
    pub fn pin(&self, token_version: u32) -> Pin {
        Pin::new(self.volume, self.commitment, token_version)
    }

    /// The wrappings, 1 to 8, in the order in which they are tried.
    #[must_use]
    pub fn slots(&self) -> &[WrappedKey] {
        &self.slots
    }

    /// What the format demands beyond its syntax; for envelopes that were read and for those just made.
    fn check(&self) -> Result<(), EnvelopeFormatError> {
        let require = |holds: bool, field, rule| {
            if holds { Ok(()) } else { Err(EnvelopeFormatError::Field { field, rule }) }
        };
        require((1..=Self::MAX_SLOTS).contains(&self.slots.len()), "slots", "1 to 8 slots")?;
        let context = EncryptionContext::for_volume(self.volume);
        for (i, slot) in self.slots.iter().enumerate() {
            require(is_scheme(&slot.provider), "provider", "1 to 32 of a-z, 0-9 and -")?;
            require(
                is_graphic(&slot.key, 2048),
                "key",
                "1 to 2048 printable ASCII characters without spaces",
            )?;
            require(
                slot.material.as_ref().is_none_or(|material| is_graphic(material, 128)),
                "material",
                "1 to 128 printable ASCII characters without spaces",
            )?;
            require(slot.context == context, "context", "it must be the volume's own UUID and version 1")?;
            require(
                (1..=Self::MAX_WRAPPED).contains(&slot.wrapped.len()),
                "wrapped",
                "1 to 6144 bytes in standard base64 with padding",
            )?;
            let same = |other: &WrappedKey| {
                (&other.provider, &other.key, &other.material) == (&slot.provider, &slot.key, &slot.material)
            };
            require(!self.slots[..i].iter().any(same), "slots", "each key and material at most once")?;
            let key = match self.class {
                Class::Scratch => "in a scratch volume, the local key that is its own, scratch- and its UUID",
                Class::Persistent => "in a persistent volume, no local key of a scratch volume",
            };
            let takes = self.class.takes(self.volume, &slot.provider, &slot.key);
            require(takes.is_ok(), "key", key)?;
        }
        let one = self.class == Class::Persistent || self.slots.len() == 1;
        require(one, "slots", "one slot in a scratch volume")?;
        match self.to_json().len() {
            0..=Self::MAX_JSON => Ok(()),
            length => Err(EnvelopeFormatError::TooLong(length)),
        }
    }
}

fn malformed(provider: &dyn KeyProvider, key: &str, why: &str) -> ProviderError {
    let name = provider.name();
    ProviderError::new(
        ErrorClass::Malformed,
        format!("the answer of {name} for key {key:?} is not usable: {why}"),
    )
}

fn is_graphic(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
