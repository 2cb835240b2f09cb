//! Changes of a volume's wrappings: its keys and its data stay.

use super::data_path::Volume;
use super::edit::HeaderEdit;
use super::error::{NotVouchedFor, WrappingError};
use super::header::Header;
use crate::keys::{
    Envelope, EnvelopeChangeError, ErrorClass, Expect, NoSlotOpened, Providers, Rewrapped, WrappedKey,
    block_on,
};
use crate::luks2::Warning;
use crate::storage::Storage;

/// A change of the wrappings of a volume's root key. Slots are counted from 0; keys are named by their provider and by
/// what it calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WrappingChange<'a> {
    /// Replaces a wrapping by one under another key, or by the newest material of the same. See [`Envelope::rewrap`].
    Rewrap {
        /// The slot.
        slot: usize,
        /// The name of the new key's provider.
        provider: &'a str,
        /// The new key.
        key: &'a str,
    },
    /// Replaces a wrapping by one under the newest material of the key that it is under.
    Renew {
        /// The slot.
        slot: usize,
    },
    /// Adds a wrapping. See [`Envelope::add_slot`].
    Add {
        /// The name of the new key's provider.
        provider: &'a str,
        /// The new key.
        key: &'a str,
    },
    /// Removes a wrapping, but not the last one. See [`Envelope::remove_slot`].
    Remove {
        /// The slot.
        slot: usize,
    },
}

impl WrappingChange<'_> {
    /// The slot that changes; `None` for one that is added.
    const fn slot(&self) -> Option<usize> {
        match *self {
            WrappingChange::Rewrap { slot, .. }
            | WrappingChange::Renew { slot }
            | WrappingChange::Remove { slot } => Some(slot),
            WrappingChange::Add { .. } => None,
        }
    }
}

/// A volume's header after a [`WrappingChange`].
#[derive(Debug)]
#[non_exhaustive]
pub struct WrappingsChanged {
    /// The header as it now is on the disk.
    pub header: Header,
    /// The envelope as it was.
    pub old: Envelope,
    /// The envelope as it now is in the header.
    pub new: Envelope,
    /// What the user should be told of the header as it was.
    pub warnings: Vec<Warning>,
    /// Whether the header was authenticated with the volume's keys. Else nobody here may open it, and its pin was expected.
    pub verified: bool,
    /// Whether the new wrapping has opened. Else the service's word stands for it, which did not let the caller open it; or
    /// there is none, because one was removed.
    pub proved: bool,
}

impl<S: Storage> Volume<S> {
    /// Changes the wrappings of the root key in the header of the volume in `storage`, which must be open for reading and
    /// writing. No data is touched, and the volume may be open meanwhile. Blocks until the providers have answered; the
    /// header's lock is held as long.
    ///
    /// The volume must be an [expected](Expect) one. Before anything is changed one of its wrappings is opened, and the header
    /// authenticated. Where no key may be used for decryption here, and the service alone rewraps, a
    /// [pin](crate::keys::Pin) has to say which root key is the volume's own. Each new wrapping is opened before the old one
    /// is given up, where the service allows that.
    ///
    /// Both copies of the header are written whole, one after the other: whenever that is interrupted the volume opens
    /// by its old wrappings or its new ones, and when it is done the old ones are in neither copy. File systems and
    /// drives that write elsewhere than where they are told may keep old blocks, and so do backups.
    ///
    /// Who chooses providers by what is in the envelope begins with [`HeaderEdit::begin`].
    ///
    /// # Errors
    /// [`WrappingError`]. The header is then as it was, unless its writing failed.
    pub fn change_wrappings(
        storage: &S,
        change: WrappingChange<'_>,
        providers: &Providers,
        expect: &Expect,
    ) -> Result<WrappingsChanged, WrappingError> {
        block_on(Volume::change_wrappings_async(storage, change, providers, expect))
    }

    /// [`Volume::change_wrappings`] for callers on an asynchronous runtime. Only the providers are awaited: the header
    /// is locked, read and written in place.
    ///
    /// # Errors
    /// As for [`Volume::change_wrappings`].
    pub async fn change_wrappings_async(
        storage: &S,
        change: WrappingChange<'_>,
        providers: &Providers,
        expect: &Expect,
    ) -> Result<WrappingsChanged, WrappingError> {
        HeaderEdit::begin(storage, expect)?.change_wrappings(change, providers).await
    }
}

impl<S: Storage + ?Sized> HeaderEdit<'_, S> {
    /// Changes the wrappings of the root key, and writes the header; see [`Volume::change_wrappings`]. Where the change
    /// brings the plaintext of the root key here, the header is authenticated with it first.
    ///
    /// # Errors
    /// [`WrappingError`].
    pub async fn change_wrappings(
        mut self,
        change: WrappingChange<'_>,
        providers: &Providers,
    ) -> Result<WrappingsChanged, WrappingError> {
        // What rules the change out is found before a key service is asked.
        self.header().data_segment()?;
        let own = self.header().own_token()?;
        let old = &own.envelope;
        let mut slots = old.expected_slots(providers, self.expect()).map_err(EnvelopeChangeError::from)?;
        // What changes is tried first: whoever has it changed can use it, most likely.
        if let Some(first) = slots.iter().position(|slot| Some(*slot) == change.slot()) {
            slots[..=first].rotate_right(1);
        }
        let providers = &providers.without_cache();
        let opened = match old.open_slots(&slots, providers).await {
            Ok((root, opened)) => {
                self.header().authenticate(&own, &opened.keys)?;
                Some((root, opened.keys))
            }
            // A code that covers the wrappings has to be made anew.
            Err(error) if own.token.covers_wrappings() => return Err(EnvelopeChangeError::from(error).into()),
            Err(_) if self.expect().names_root_key() => None,
            Err(error) if nobody_may_decrypt(&error) => {
                return Err(NotVouchedFor { volume: old.volume() }.into());
            }
            Err(error) => return Err(EnvelopeChangeError::from(error).into()),
        };
        let root = opened.as_ref().map(|(root, _)| &**root);
        let rewrapped = match change {
            WrappingChange::Rewrap { slot, provider, key } => {
                old.rewrap_root(slot, provider, key, providers, root).await?
            }
            WrappingChange::Renew { slot } => {
                let slots = old.slots();
                let WrappedKey { provider, key, .. } =
                    slots.get(slot).ok_or(EnvelopeChangeError::NoSuchSlot { slot, slots: slots.len() })?;
                old.rewrap_root(slot, provider, key, providers, root).await?
            }
            WrappingChange::Add { provider, key } => match root {
                Some(root) => old.add_root(provider, key, providers, root).await?,
                None => old.add_slot(provider, key, providers, self.expect()).await?,
            },
            WrappingChange::Remove { slot } => Rewrapped { envelope: old.remove_slot(slot)?, keys: None },
        };
        let proved = rewrapped.keys.is_some();
        let new = rewrapped.envelope;
        let keys = rewrapped.keys.or(opened.map(|(_, keys)| keys));
        let old = old.clone();
        match &keys {
            Some(keys) => self.header_mut().replace_envelope(&own, &new, keys)?,
            None => self.header_mut().replace_wrappings(own, &new)?,
        }
        let (header, warnings) = self.commit()?;
        Ok(WrappingsChanged { header, old, new, warnings, verified: keys.is_some(), proved })
    }
}

/// Whether those who hold the keys were asked, and each said no: then a key service can still rewrap what it does not show.
fn nobody_may_decrypt(error: &NoSlotOpened) -> bool {
    error.failures.iter().all(|slot| slot.error.class() == ErrorClass::NotAuthorised)
}
